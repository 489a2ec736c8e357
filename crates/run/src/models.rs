//! Models: where the weights of a profile's network are found.
//!
//! Takes what a profile says of its network; gives the network, read from the folder of models in
//! the profile's own tree, or else from the cache by its digest. Every byte is checked against the
//! digest before it is looked at. Fetches nothing.

use super::cache::Cache;
use cellgate_core::digest::Digest;
use cellgate_core::profile::Unet;
use cellgate_core::unet::UnetError;
use cellgate_core::unet::card::{Card, CardError, MAX_CARD_BYTES};
use cellgate_core::unet::plan::Network;
use cellgate_core::unet::weights::{MAX_FILE_BYTES, Weights, WeightsError};
use cellgate_inputs::finding::{Code, Finding};
use cellgate_inputs::params::{Loaded, place_of_key};
use cellgate_inputs::project;
use cellgate_inputs::revision::{Tree, TreeError};
use std::path::Path;

/// Where the weights of networks are looked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Models<'a> {
    place: Option<(&'a Tree, &'a str)>,
    elsewhere: Option<(&'a Tree, &'a str)>,
    cache: Option<&'a Cache>,
}

/// A profile's network is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Nobody has its weights.
    #[error(
        "the weights of model `{model}` (sha256 {}) are neither `{path}` nor in the cache; \
         `cellgate dataset pull` fetches them", .weights.short()
    )]
    Missing {
        /// The model's name.
        model: String,
        /// Digest of its weights.
        weights: Digest,
        /// Where they were looked for in the tree.
        path: String,
    },
    /// Their file cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// They are not what the profile says, or no weights at all.
    #[error("`{path}`: {source}")]
    Weights {
        /// The file.
        path: String,
        /// Fault of the weights.
        source: WeightsError,
    },
    /// Their card is no card, or one of other weights.
    #[error("`{path}`: {source}")]
    Card {
        /// The file.
        path: String,
        /// Fault of the card.
        source: CardError,
    },
    /// They are of another network than the profile says.
    #[error(transparent)]
    Network(#[from] UnetError),
}

impl<'a> Models<'a> {
    /// Models in a folder of a tree, else in a cache.
    #[must_use]
    pub fn new(tree: &'a Tree, folder: &'a str, cache: Option<&'a Cache>) -> Self {
        Self { place: Some((tree, folder)), elsewhere: None, cache }
    }

    /// The same, and where a file is in neither also in a folder of another tree.
    #[must_use]
    pub fn with_fallback(self, tree: &'a Tree, folder: &'a str) -> Self {
        Self { elsewhere: Some((tree, folder)), ..self }
    }

    /// The bytes of a network's weights; their digest holds.
    ///
    /// # Errors
    /// [`ModelError`], but nothing about what the bytes say.
    pub fn bytes(&self, unet: &Unet) -> Result<Vec<u8>, ModelError> {
        let path = weights_path(self.place.map_or(project::DEFAULT_MODELS, |(_, at)| at), unet);
        let result = self.place.map(|(tree, _)| tree.read(&path, MAX_FILE_BYTES as u64));
        let bytes = match result {
            Some(Ok(bytes)) => bytes,
            None | Some(Err(TreeError::Missing(_))) => {
                let bytes = self.cache.and_then(|cache| cache.weights(unet.weights));
                let (model, weights) = (unet.model.clone(), unet.weights);
                let error = ModelError::Missing { model, weights, path };
                return bytes.or_else(|| self.read_elsewhere(unet)).ok_or(error);
            }
            Some(Err(error)) => return Err(error.into()),
        };
        let (expected, found) = (unet.weights, Digest::of_bytes(&bytes));
        if found == expected {
            return Ok(bytes);
        }
        Err(ModelError::Weights { path, source: WeightsError::Digest { expected, found } })
    }

    /// The bytes in the other tree, when they are the very same.
    fn read_elsewhere(&self, unet: &Unet) -> Option<Vec<u8>> {
        let (tree, folder) = self.elsewhere?;
        let bytes = tree.read(&weights_path(folder, unet), MAX_FILE_BYTES as u64).ok()?;
        (Digest::of_bytes(&bytes) == unet.weights).then_some(bytes)
    }

    /// A profile's network.
    ///
    /// # Errors
    /// [`ModelError`].
    pub fn network(&self, unet: &Unet) -> Result<Network, ModelError> {
        let bytes = self.bytes(unet)?;
        let path = || weights_path(self.place.map_or("", |(_, at)| at), unet);
        let weights =
            Weights::read(&bytes).map_err(|source| ModelError::Weights { path: path(), source })?;
        let network = Network::new(&weights);
        cellgate_core::unet::check(unet, &network)?;
        Ok(network)
    }

    /// The card of a profile's network, where there is one; whether it is the weights' is not
    /// looked at.
    ///
    /// # Errors
    /// [`ModelError`].
    pub fn card(&self, unet: &Unet) -> Result<Option<Card>, ModelError> {
        let Some((tree, folder)) = self.place else { return Ok(None) };
        let path = card_path(folder, unet);
        match tree.read(&path, MAX_CARD_BYTES as u64) {
            Ok(bytes) => {
                Card::read(&bytes).map(Some).map_err(|source| ModelError::Card { path, source })
            }
            Err(TreeError::Missing(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether a profile's network is there, and what its card says holds for it.
    ///
    /// # Errors
    /// [`ModelError`].
    pub fn check(&self, unet: &Unet) -> Result<(), ModelError> {
        self.network(unet)?;
        if let Some(card) = self.card(unet)? {
            let path = card_path(self.place.map_or("", |(_, at)| at), unet);
            card.weights_of(&self.bytes(unet)?)
                .map_err(|source| ModelError::Card { path, source })?;
        }
        Ok(())
    }
}

impl ModelError {
    /// The remark about the profile whose network it is, at the key that the reason lies in.
    #[must_use]
    pub fn finding(&self, profile: &Loaded) -> Finding {
        let (code, key, help) = match self {
            Self::Missing { .. } => {
                (Code::FileUnreadable, "unet.model", "`cellgate dataset pull` fetches them")
            }
            Self::Tree(TreeError::TooLarge { .. }) => {
                (Code::FileTooLarge, "unet.model", "weights have at most 256 MiB")
            }
            Self::Tree(_) => (Code::FileUnreadable, "unet.model", "see the file of the weights"),
            Self::Weights { source: WeightsError::Digest { .. }, .. } => {
                let help = "name the digest of the file, or bring the file that has it";
                (Code::DigestMismatch, "unet.weights_sha256", help)
            }
            Self::Weights { .. } => {
                (Code::WrongForm, "unet.weights_sha256", "fetch or train the weights again")
            }
            Self::Card { .. } => {
                (Code::DigestMismatch, "unet.model", "bring the card of these very weights")
            }
            Self::Network(_) => {
                (Code::ReferenceUnknown, "unet", "take the network's form from the model's card")
            }
        };
        Finding::error(code, place_of_key(&profile.source, key), self.to_string()).help(help)
    }
}

/// Where a model's weights stand.
#[must_use]
pub fn weights_path(folder: &str, unet: &Unet) -> String {
    file_path(folder, unet, "safetensors")
}

/// Where a model's card stands.
#[must_use]
pub fn card_path(folder: &str, unet: &Unet) -> String {
    file_path(folder, unet, "card.json")
}

fn file_path(folder: &str, unet: &Unet, ending: &str) -> String {
    // The schema allows plain names of models only.
    let name = format!("{}.{ending}", unet.model);
    if folder.is_empty() || folder == "." { name } else { format!("{folder}/{name}") }
}

/// The tree that a profile's file belongs to, and the folder of models in it: the nearest folder
/// above the file that has a project file, or else one that has a folder of models.
///
/// # Edge cases
/// Without either the file's own folder.
#[must_use]
pub fn tree_of_profile(profile: &Path) -> (Tree, String) {
    let own_folder = match profile.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => Path::new(".").to_owned(),
    };
    let absolute = std::path::absolute(&own_folder).unwrap_or(own_folder.clone());
    let default = || project::DEFAULT_MODELS.to_owned();
    for folder in absolute.ancestors() {
        let tree = Tree::Folder(folder.to_owned());
        if folder.join(project::FILE).is_file() {
            let models = project::models_folder(&tree);
            return (tree, models);
        }
        if folder.join(project::DEFAULT_MODELS).is_dir() {
            return (tree, default());
        }
    }
    (Tree::Folder(own_folder), default())
}
