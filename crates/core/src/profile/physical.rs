//! Physical: which keys of a profile are in micrometers.

use super::{Background, Profile, SplitMethod, Suppression, ThresholdMethod};
use crate::units::{Area, Length};

impl Profile {
    /// Paths of the keys whose value is in micrometers.
    #[must_use]
    pub fn physical_keys(&self) -> Vec<&'static str> {
        let morphology = &self.morphology;
        let window = match self.threshold.method {
            ThresholdMethod::LocalMean { window, .. } | ThresholdMethod::Sauvola { window, .. } => {
                Some(window)
            }
            ThresholdMethod::Manual { .. }
            | ThresholdMethod::Otsu
            | ThresholdMethod::Otsu3 { .. }
            | ThresholdMethod::Li
            | ThresholdMethod::Triangle => None,
        };
        let background = match self.background {
            Background::None => None,
            Background::Opening { radius } | Background::Reconstruction { radius } => Some(radius),
        };
        let (log_sigma, suppression) = match (self.split.method, self.split.suppression) {
            (SplitMethod::None, _) => (None, None),
            (SplitMethod::Log { sigma }, Suppression::Auto) => (Some(sigma), None),
            (SplitMethod::Log { sigma }, Suppression::Distance(length)) => {
                (Some(sigma), Some(length))
            }
            (_, Suppression::Distance(length)) => (None, Some(length)),
            (_, Suppression::Auto) => (None, None),
        };
        let network_suppression = match self.unet.as_ref().map(|unet| unet.suppression) {
            Some(Suppression::Distance(length)) => Some(length),
            Some(Suppression::Auto) | None => None,
        };
        let physical = |length: Option<Length>| length.is_some_and(Length::is_physical);
        let keys = [
            ("background.radius_um", physical(background)),
            ("smoothing.median_radius_um", self.smoothing.median_radius.is_physical()),
            ("smoothing.sigma_um", self.smoothing.sigma.is_physical()),
            ("threshold.window_um", physical(window)),
            ("morphology.open_radius_um", morphology.open_radius.is_physical()),
            ("morphology.close_radius_um", morphology.close_radius.is_physical()),
            ("morphology.fill_holes_max_area_um2", morphology.fill_holes_max_area.is_physical()),
            ("morphology.min_area_um2", morphology.min_area.is_physical()),
            ("morphology.max_area_um2", morphology.max_area.is_some_and(Area::is_physical)),
            ("split.log_sigma_um", physical(log_sigma)),
            ("split.suppression_um", physical(suppression)),
            ("unet.suppression_um", physical(network_suppression)),
        ];
        keys.into_iter().filter(|(_, is_physical)| *is_physical).map(|(key, _)| key).collect()
    }
}
