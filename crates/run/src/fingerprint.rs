//! Fingerprint: which numbers this engine gives.
//!
//! The digest of labels and tables of small phantoms under fixed profiles that touch every stage. It
//! changes when, and only when, the numbers change; the version of cellgate does not. What this
//! version should give is declared; the gate measures what it gives on this machine, and so does a
//! release before it is switched to, where everybody waits for it.

use super::field::digest_of;
use super::ready::run_field;
use cellgate_core::digest::Digest;
use cellgate_inputs::dataset::phantom::Phantom;
use cellgate_inputs::params::{Params, of_text};
use cellgate_inputs::source::Source;
use rayon::prelude::*;
use std::sync::LazyLock;

/// Fixed profiles; each runs on phantoms of its modality.
const PROFILES: [(&str, &str); 3] = [
    ("fluorescence", include_str!("fingerprint/fluorescence.yaml")),
    ("he", include_str!("fingerprint/he.yaml")),
    ("ihc-hdab", include_str!("fingerprint/ihc-hdab.yaml")),
];

/// Phantoms of each modality, with seeds from 1 on: both cameras twice.
const N_PHANTOMS: u64 = 4;

/// Columns and rows of a phantom: half of what the embedded dataset has, with nuclei as dense.
const SIDE_PX: u32 = 128;

/// The fingerprint of this version. A test measures it; where it changes, CHANGELOG says which
/// measurement changed and why.
const DECLARED: &str = "5c22ec8d61bfd426711b963c41655629cee8a2fd45bc6858f2a200b937f136ff";

/// The fingerprint that this version gives on every machine.
#[must_use]
pub fn declared_fingerprint() -> &'static str {
    DECLARED
}

/// The fingerprint that this version gives on this machine; measured once.
#[must_use]
pub fn measure_fingerprint() -> Digest {
    static FINGERPRINT: LazyLock<Digest> = LazyLock::new(compute);
    *FINGERPRINT
}

fn compute() -> Digest {
    let profiles: Vec<Params> = PROFILES.iter().filter_map(profile).collect();
    let fields: Vec<(&Params, u64)> = profiles
        .iter()
        .flat_map(|params| (1..=N_PHANTOMS).map(move |seed| (params, seed)))
        .collect();
    let lines: Vec<String> = fields
        .into_par_iter()
        .map(|(params, seed)| {
            let image = phantom(params, seed).draw().image;
            let run = run_field(&image, params, Phantom::pixel_size());
            let numbers =
                run.map_or_else(|_| "failed".to_owned(), |run| digest_of(&run).to_string());
            format!("{} {seed} {numbers}\n", params.name)
        })
        .collect();
    Digest::of_bytes(lines.concat().as_bytes())
}

fn phantom(params: &Params, seed: u64) -> Phantom {
    let large = Phantom::new(params.image.modality, seed);
    Phantom { width: SIDE_PX, height: SIDE_PX, n_nuclei: large.n_nuclei / 4, ..large }
}

fn profile(&(name, text): &(&str, &str)) -> Option<Params> {
    Some(of_text(&Source::new(format!("{name}.yaml"), text)).ok()?.params)
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
        assert_eq!(measure_fingerprint().to_string(), DECLARED);
    }
}
