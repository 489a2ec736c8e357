//! Pull: which files of datasets and models are missing, and where they can be had.
//!
//! Takes manifests and cards; gives what is to be fetched. Fetches nothing.

use super::Address;
use super::address::AddressError;
use super::wanted::Wanted;
use cellgate_core::digest::Digest;
use cellgate_core::profile::Unet;
use cellgate_core::unet::weights;
use cellgate_inputs::dataset::Dataset;
use cellgate_inputs::dataset::decode::MAX_FILE_BYTES;
use cellgate_inputs::params::Loaded;
use cellgate_run::models::{ModelError, Models};
use std::path::{Path, PathBuf};

/// A file that a manifest or a card names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Display name.
    pub name: String,
    /// Its digest.
    pub sha256: Digest,
    /// Where it belongs.
    pub path: PathBuf,
    /// Where it can be had; `None` when nothing says so.
    pub url: Option<String>,
    /// It has no more bytes than this.
    pub max_bytes: u64,
}

/// A file that is needed, as far as it can be fetched.
#[derive(Debug)]
pub enum Wish {
    /// It can be fetched.
    Wanted(Box<Wanted>),
    /// It cannot: nothing says where it is, or no address that may be asked.
    Unknown(Option<AddressError>),
}

impl Need {
    /// How the file is fetched.
    #[must_use]
    pub fn wish(&self) -> Wish {
        let Some(url) = &self.url else { return Wish::Unknown(None) };
        match url.parse::<Address>() {
            Err(error) => Wish::Unknown(Some(error)),
            Ok(address) => Wish::Wanted(Box::new(Wanted {
                address,
                sha256: self.sha256,
                max_bytes: self.max_bytes,
                path: self.path.clone(),
            })),
        }
    }
}

/// The files of a dataset that stands in a folder.
#[must_use]
pub fn dataset_needs(dataset: &Dataset, folder: &Path) -> Vec<Need> {
    let mut needs = Vec::new();
    for field in dataset.fields() {
        let mut add = |path: &str, sha256: Digest, url: &Option<String>| {
            needs.push(Need {
                name: path.to_owned(),
                sha256,
                path: folder.join(path),
                url: url.clone(),
                max_bytes: MAX_FILE_BYTES,
            });
        };
        add(&field.image, field.sha256, &field.url);
        if let Some(mask) = &field.mask {
            add(&mask.path, mask.sha256, &mask.url);
        }
    }
    needs
}

/// The weights of profiles' networks that nobody has yet, each once; `place` says where a file of
/// weights is kept.
///
/// # Errors
/// [`ModelError`] when a card cannot be read.
pub fn model_needs<'a>(
    profiles: impl IntoIterator<Item = &'a Loaded>,
    models: Models<'_>,
    place: impl Fn(&Unet) -> PathBuf,
) -> Result<Vec<Need>, ModelError> {
    let mut needs: Vec<Need> = Vec::new();
    for unet in profiles.into_iter().filter_map(|loaded| loaded.params.unet()) {
        let is_known = needs.iter().any(|need| need.sha256 == unet.weights);
        match models.bytes(unet) {
            Err(ModelError::Missing { .. }) if !is_known => {}
            // Weights with another digest are a finding of `validate`, not a download.
            Ok(_) | Err(_) => continue,
        }
        // A card of other weights says nothing about these.
        let card = models.card(unet)?.filter(|card| card.weights.sha256 == unet.weights);
        let max_bytes = weights::MAX_FILE_BYTES as u64;
        needs.push(Need {
            name: format!("model {}", unet.model),
            sha256: unet.weights,
            path: place(unet),
            max_bytes: card.as_ref().map_or(max_bytes, |card| card.weights.bytes.min(max_bytes)),
            url: card.and_then(|card| card.url),
        });
    }
    Ok(needs)
}
