//! Record: description of a field in a manifest.

use cellgate_core::digest::Digest;
use cellgate_core::units::PixelSize;
use schemars::JsonSchema;
use serde::Deserialize;

/// Description of one field in a manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldRecord {
    /// Name, unique in the dataset.
    pub name: String,
    /// The picture's path in the dataset's folder.
    pub image: String,
    /// Digest of the picture's file, or of a phantom's samples.
    pub sha256: Digest,
    /// The truth, where it is known.
    pub mask: Option<MaskRecord>,
    /// Type of the image, for example `ihc-hdab`.
    pub image_type: String,
    /// Pixel size, before the image file's own.
    pub pixel_size: Option<PixelSize>,
    /// Allowed use of the field.
    pub split: Split,
    /// Group that the field shares with others, for example a slide; it is never in both splits.
    pub group: Option<String>,
    /// Where the field comes from.
    pub source: Option<String>,
    /// Under which license.
    pub license: Option<String>,
    /// Where the picture's file can be had.
    pub url: Option<String>,
}

/// Description of a field's truth in a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskRecord {
    /// The mask's path in the dataset's folder.
    pub path: String,
    /// Digest of its file, or of a phantom's labels.
    pub sha256: Digest,
    /// Where its file can be had.
    pub url: Option<String>,
}

/// Allowed use of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Training and tuning.
    Train,
    /// The gate and its accuracy.
    Test,
}

impl Split {
    /// The word in manifests.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
        }
    }
}
