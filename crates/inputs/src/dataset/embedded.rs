//! Datasets of phantoms: the embedded one, for a gate without own fields and for the engine's
//! fingerprint, and others written to a folder.

use super::encode::{encode_image, encode_labels, labels_extension};
use super::phantom::{Drawing, Phantom, digest_of_labels, digest_of_samples};
use super::store::{NewDataset, NewField, StoreError, write_new};
use super::{Dataset, Field, FieldEntry, FieldRecord, MaskRecord, Origin, Split};
use crate::source::Place;
use cellgate_core::profile::Modality;
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Fields of each modality.
const FIELDS_EACH: u64 = 6;

/// The modalities that phantoms are drawn of, with their image types.
const IMAGE_TYPES: [(Modality, &str); 3] = [
    (Modality::Fluorescence, "fluorescence"),
    (Modality::He, "he"),
    (Modality::IhcHdab, "ihc-hdab"),
];

/// License of drawn fields.
const PHANTOM_LICENSE: &str = "CC0-1.0";

static EMBEDDED: OnceLock<Dataset> = OnceLock::new();

impl Dataset {
    /// The embedded dataset: six test fields of each of `fluorescence`, `he` and `ihc-hdab`, named
    /// `fluorescence-1` and so on. Drawn once, when it is first asked for.
    ///
    /// # Examples
    /// ```
    /// use cellgate_inputs::dataset::Dataset;
    ///
    /// let dataset = Dataset::phantoms();
    /// assert_eq!(dataset.fields().len(), 18);
    /// assert_eq!(dataset.fields()[0].name, "fluorescence-1");
    /// ```
    #[must_use]
    pub fn phantoms() -> Self {
        EMBEDDED.get_or_init(draw).clone()
    }
}

/// Writes a dataset of phantoms: `n_fields` of each modality, from `first_seed` on; gives its
/// manifest's path. With H-DAB comes `classes/NAME_class.csv`, the truth about positivity.
///
/// # Errors
/// [`StoreError`] when something stands in the way or the disk fails.
pub fn write_phantoms(
    folder: &Path,
    modalities: &[Modality],
    first_seed: u64,
    n_fields: u32,
) -> Result<PathBuf, StoreError> {
    let mut dataset = NewDataset::create(folder, "phantoms")?;
    let image_types = IMAGE_TYPES.iter().filter(|(modality, _)| modalities.contains(modality));
    for (modality, image_type) in image_types {
        for index in 0..u64::from(n_fields) {
            let seed = first_seed.wrapping_add(index);
            let drawing = Phantom::new(*modality, seed).draw();
            let name = format!("{image_type}-{seed}");
            if *modality == Modality::IhcHdab {
                let path = folder.join("classes").join(format!("{name}_class.csv"));
                write_new(&path, classes_csv(&drawing).as_bytes())?;
            }
            dataset.add(new_field(name, image_type, seed, &drawing)?)?;
        }
    }
    dataset.finish()
}

fn new_field(
    name: String,
    image_type: &str,
    seed: u64,
    drawing: &Drawing,
) -> Result<NewField, StoreError> {
    Ok(NewField {
        name,
        image: encode_image(&drawing.image, Phantom::pixel_size())?,
        mask: Some((encode_labels(&drawing.truth)?, labels_extension(&drawing.truth))),
        image_type: image_type.to_owned(),
        pixel_size: Phantom::pixel_size(),
        split: Split::Test,
        group: None,
        source: Some(source(seed)),
        license: Some(PHANTOM_LICENSE.to_owned()),
    })
}

/// One line for each nucleus: its number, its class and its mean optical density of DAB.
fn classes_csv(drawing: &Drawing) -> String {
    let lines = drawing.nuclei.iter().zip(1..).map(|(nucleus, label): (_, u32)| {
        format!("{label},{},{}\n", nucleus.intensity.as_str(), nucleus.dab_od_mean)
    });
    std::iter::once("label,class,dab_od_mean\n".to_owned()).chain(lines).collect()
}

/// Source of a phantom, as a manifest states it.
fn source(seed: u64) -> String {
    format!("drawn by cellgate from seed {seed}")
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
    fields.sort_by(|a, b| a.name.cmp(&b.name));
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
            url: None,
        }),
        image_type: image_type.to_owned(),
        pixel_size: Phantom::pixel_size(),
        split: Split::Test,
        group: None,
        source: Some(source(seed)),
        license: Some(PHANTOM_LICENSE.to_owned()),
        url: None,
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
