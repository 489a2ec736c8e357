//! The embedded dataset: phantoms of every modality, for a gate without own fields, and for the
//! engine's fingerprint.

use super::phantom::{Drawing, Phantom, digest_of_labels, digest_of_samples};
use super::{Dataset, Field, FieldEntry, FieldRecord, MaskRecord, Origin, Split};
use crate::params::Modality;
use crate::source::Place;
use rayon::prelude::*;
use std::sync::{Arc, OnceLock};

/// Fields of each modality.
const FIELDS_EACH: u64 = 6;

/// The modalities that phantoms are drawn of, with their image types.
pub(super) const IMAGE_TYPES: [(Modality, &str); 3] = [
    (Modality::Fluorescence, "fluorescence"),
    (Modality::He, "he"),
    (Modality::IhcHdab, "ihc-hdab"),
];

/// License of drawn fields.
pub(super) const PHANTOM_LICENSE: &str = "CC0-1.0";

static EMBEDDED: OnceLock<Dataset> = OnceLock::new();

impl Dataset {
    /// The embedded dataset: six test fields of each of `fluorescence`, `he` and `ihc-hdab`, named
    /// `fluorescence-1` and so on. Drawn once, when it is first asked for.
    #[must_use]
    pub fn phantoms() -> Self {
        EMBEDDED.get_or_init(draw).clone()
    }
}

fn draw() -> Dataset {
    let specs: Vec<(Modality, &str, u64)> = IMAGE_TYPES
        .into_iter()
        .flat_map(|(modality, image_type)| {
            (1..=FIELDS_EACH).map(move |seed| (modality, image_type, seed))
        })
        .collect();
    let mut fields: Vec<FieldEntry> = specs
        .into_par_iter()
        .map(|(modality, image_type, seed)| entry(modality, image_type, seed))
        .collect();
    fields.sort_by(|one, other| one.name.cmp(&other.name));
    Dataset { name: "phantoms".to_owned(), fields, place: Place::file("builtin: phantoms") }
}

fn entry(modality: Modality, image_type: &str, seed: u64) -> FieldEntry {
    let Drawing { image, truth, .. } = Phantom::new(modality, seed).draw();
    let name = format!("{image_type}-{seed}");
    let record = FieldRecord {
        name: name.clone(),
        image: format!("original/{name}.png"),
        sha256: digest_of_samples(&image),
        mask: Some(MaskRecord {
            path: format!("masks/{name}_mask.png"),
            sha256: digest_of_labels(&truth),
        }),
        image_type: image_type.to_owned(),
        pixel_size: Phantom::pixel_size(),
        split: Split::Test,
        group: None,
        source: Some(format!("drawn by cellgate from seed {seed}")),
        license: Some(PHANTOM_LICENSE.to_owned()),
    };
    let field = Field {
        name,
        image,
        truth: Some(truth),
        pixel_size: record.pixel_size,
        digest: record.sha256,
    };
    FieldEntry { record, origin: Origin::Drawn(Arc::new(field)) }
}
