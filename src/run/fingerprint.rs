//! Fingerprint: which numbers this engine gives.
//!
//! The digest of labels and tables of the embedded phantoms under fixed profiles that touch every
//! stage. It changes when, and only when, the numbers change; the version of cellgate does not.
//! What this version should give is declared; the gate measures what it gives on this machine.

use super::{digest_of, run_field};
use crate::dataset::Dataset;
use crate::digest::Digest;
use crate::params::{Params, of_text};
use crate::revision::Tree;
use crate::source::Source;
use rayon::prelude::*;
use std::path::PathBuf;
use std::sync::LazyLock;

/// Fixed profiles, and the image type of the phantoms that each runs on.
const PROFILES: [(&str, &str); 3] = [
    ("fluorescence", include_str!("fingerprint/fluorescence.yaml")),
    ("he", include_str!("fingerprint/he.yaml")),
    ("ihc-hdab", include_str!("fingerprint/ihc-hdab.yaml")),
];

/// The fingerprint of this version. A test measures it; where it changes, CHANGELOG says which
/// measurement changed and why.
const DECLARED: &str = "d088d39af760d11dbe8fb9bf0edb4b95522f7c85afe1bd3dd634a5c3504a44f4";

/// The fingerprint that this version gives on every machine.
#[must_use]
pub fn declared() -> &'static str {
    DECLARED
}

/// The fingerprint that this version gives on this machine; measured once.
#[must_use]
pub fn measured() -> Digest {
    static FINGERPRINT: LazyLock<Digest> = LazyLock::new(compute);
    *FINGERPRINT
}

fn compute() -> Digest {
    let profiles: Vec<(&str, Params)> = PROFILES.iter().filter_map(profile).collect();
    let dataset = Dataset::phantoms();
    let tree = Tree::Folder(PathBuf::new());
    let lines: Vec<String> = dataset
        .fields()
        .par_iter()
        .flat_map_iter(|entry| {
            let matching =
                profiles.iter().filter(|(image_type, _)| *image_type == entry.image_type);
            let field = entry.open(&tree);
            matching
                .map(move |(_, params)| {
                    let run = field
                        .as_ref()
                        .ok()
                        .and_then(|field| run_field(&field.image, params, field.pixel_size).ok());
                    let numbers =
                        run.map_or_else(|| "failed".to_owned(), |run| digest_of(&run).to_string());
                    format!("{} {} {numbers}\n", entry.name, params.name)
                })
                .collect::<Vec<_>>()
        })
        .collect();
    Digest::of_bytes(lines.concat().as_bytes())
}

fn profile(&(image_type, text): &(&'static str, &str)) -> Option<(&'static str, Params)> {
    let loaded = of_text(&Source::new(format!("{image_type}.yaml"), text)).ok()?;
    Some((image_type, loaded.params))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fixed_profile_is_valid() {
        for entry in &PROFILES {
            let source = Source::new(format!("{}.yaml", entry.0), entry.1);
            assert!(of_text(&source).is_ok(), "{:?}", of_text(&source).err());
        }
    }

    #[test]
    fn this_machine_gives_the_declared_numbers() {
        assert_eq!(measured().to_string(), DECLARED);
    }
}
