//! Defaults: what a profile means where it is silent.
//!
//! The schema, the reference table and the reading of profiles take them from here.

use cellgate_core::profile::{Channel, MeasureGroup, Modality};

/// Stain vectors that QuPath starts with for H-DAB and H&E.
///
/// # Sources
/// Bankhead et al. 2017, doi:10.1038/s41598-017-17204-5; hematoxylin and DAB after Ruifrok and
/// Johnston 2001.
pub(super) const HEMATOXYLIN: [f64; 3] = [0.65, 0.70, 0.29];
pub(super) const DAB: [f64; 3] = [0.27, 0.57, 0.78];
pub(super) const EOSIN: [f64; 3] = [0.2159, 0.8012, 0.5581];
pub(super) const CLEAR_GLASS: [f64; 3] = [255.0, 255.0, 255.0];

/// Half a micrometer: blurs single pixels, not the border of a nucleus.
pub(super) const SIGMA_UM: f64 = 0.5;
pub(super) const CORRECTION_FACTOR: f64 = 1.0;
/// About three nuclei wide, so that each window sees background.
pub(super) const WINDOW_UM: f64 = 30.0;
/// The weight in most published uses of Sauvola's threshold on dark backgrounds.
pub(super) const SAUVOLA_K: f64 = 0.2;
/// CellProfiler's lower limit of a local threshold.
pub(super) const GLOBAL_FRACTION: f64 = 0.7;
/// Nucleoli and vacuoles leave holes of a few square micrometers.
pub(super) const FILL_HOLES_UM2: f64 = 25.0;
/// QuPath's smallest nucleus.
pub(super) const MIN_AREA_UM2: f64 = 10.0;
pub(super) const SHAPE_H_PX: f64 = 0.75;
pub(super) const INTENSITY_H: f64 = 0.02;
/// Blobs of 3.5 micrometers radius: the scale is the radius over the square root of 2.
pub(super) const LOG_SIGMA_UM: f64 = 2.5;
pub(super) const MEASURE: [MeasureGroup; 2] = [MeasureGroup::Shape, MeasureGroup::Intensity];

/// The network that ships: 1.9 million parameters, 4 MB in half precision.
pub(super) const DEPTH: u32 = 4;
pub(super) const BASE_WIDTH: u32 = 16;
pub(super) const NUCLEUS_THRESHOLD: f64 = 0.5;
/// Three tenths of a nucleus's depth: less is the texture of one nucleus.
pub(super) const NETWORK_H: f64 = 0.3;
/// Four million numbers a level: a whole camera image in one piece, in less than half a gigabyte.
pub(super) const TILE_PX: u32 = 1024;

/// Brightness three times, or the optical density of each color: nuclei are bright in both, so that
/// one network serves both.
pub(super) fn network_channels(modality: Modality) -> Vec<Channel> {
    if modality.is_brightfield() {
        vec![Channel::OdRed, Channel::OdGreen, Channel::OdBlue]
    } else {
        vec![Channel::Gray; 3]
    }
}

pub(super) fn channel(modality: Modality) -> Channel {
    match modality {
        Modality::Fluorescence => Channel::Gray,
        Modality::He => Channel::HematoxylinOd,
        Modality::IhcHdab => Channel::OdSum,
    }
}

/// The channel's own range; an optical density above 3 lets one photon in a thousand through.
pub(super) fn bounds(channel: Channel) -> [f64; 2] {
    if channel == Channel::Gray { [0.0, 1.0] } else { [0.0, 3.0] }
}
