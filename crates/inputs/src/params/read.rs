//! Read: from the values that a file gives to a profile with every default in place.
//!
//! Reports what one key alone or a pair of keys for one length has wrong; rules between sections
//! stand in `rules`.

use crate::finding::Code;
use crate::yaml::{Remarks, route};
use cellgate_core::digest::Digest;
use cellgate_core::profile::keys::{Initial, all, path_of};
use cellgate_core::profile::*;
use cellgate_core::units::{Area, Length, PixelSize};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The profile that a file describes.
///
/// `written` is the file's value, without the parts that violate the schema.
///
/// # Edge cases
/// `None` where a required key is missing.
pub(super) fn read(written: &Value, remarks: &mut Remarks<'_>) -> Option<Profile> {
    let mut values = Values { written, remarks };
    let modality = values.get("image.modality")?;
    let method = match values.get("method")? {
        MethodWord::Classical => Method::Classical(values.classical()?),
        MethodWord::Unet => Method::Unet(values.unet()?),
    };
    let mut measure: Vec<MeasureGroup> = values.get("measure")?;
    measure.sort_unstable();
    measure.dedup();
    let stains =
        if modality == Modality::Fluorescence { None } else { Some(values.stains(modality)?) };
    Some(Profile {
        name: values.get("name")?,
        description: values.get("description"),
        image: ImageSpec {
            modality,
            pixel_size: values.get("image.pixel_size_um").and_then(PixelSize::from_um),
            working_pixel_size: values
                .get("image.working_pixel_size_um")
                .and_then(PixelSize::from_um),
        },
        stains,
        method,
        morphology: values.morphology()?,
        classify: if values.is_written("classify") { Some(values.classify()?) } else { None },
        measure,
    })
}

/// The values of a file, with defaults for those that are not written.
struct Values<'a, 'd> {
    written: &'a Value,
    remarks: &'a mut Remarks<'d>,
}

impl Values<'_, '_> {
    /// Whether a key or a section is written.
    fn is_written(&self, path: &str) -> bool {
        self.written_value(path).is_some()
    }

    fn written_value(&self, path: &str) -> Option<&Value> {
        path.split('.').try_fold(self.written, |value, name| value.get(name))
    }

    /// The value at a path, or the table's default.
    fn value(&self, path: &str) -> Option<Value> {
        self.written_value(path).cloned().or_else(|| self.default_value(path))
    }

    fn default_value(&self, path: &str) -> Option<Value> {
        let (_, key) = all().find(|(section, key)| path_of(*section, key) == path)?;
        match key.default {
            Initial::By { key, value, .. } => Some(value(self.value(key)?.as_str()?)),
            ref other => other.plain(),
        }
    }

    /// The value at a path as a type; `None` where it has none.
    fn get<T: DeserializeOwned>(&self, path: &str) -> Option<T> {
        serde_json::from_value(self.value(path)?).ok()
    }

    /// A length from its two keys, or the table's default.
    fn length(&mut self, path: &str) -> Option<Length> {
        self.check_one_unit(path, "um", "px");
        let um = self.get(&format!("{path}_um"));
        let px = self.get(&format!("{path}_px")).map(Length::Px);
        um.map(length_um).or(px).or_else(|| self.default_number(path).map(length_um))
    }

    /// An area from its two keys, or the table's default.
    fn area(&mut self, path: &str) -> Option<Area> {
        self.check_one_unit(path, "um2", "px2");
        let um2 = self.get(&format!("{path}_um2"));
        let px2 = self.get(&format!("{path}_px2")).map(Area::Px2);
        um2.map(area_um2).or(px2).or_else(|| self.default_number(path).map(area_um2))
    }

    /// The table's default of a length or an area.
    fn default_number(&self, path: &str) -> Option<f64> {
        self.default_value(path)?.as_f64()
    }

    fn check_one_unit(&mut self, path: &str, physical: &str, pixels: &str) {
        let (physical, pixels) = (format!("{path}_{physical}"), format!("{path}_{pixels}"));
        if !self.is_written(&physical) || !self.is_written(&pixels) {
            return;
        }
        let section = path.split('.').next().unwrap_or(path);
        let name = |path: &str| path.rsplit('.').next().unwrap_or(path).to_owned();
        let message =
            format!("`{}` and `{}` both stand in `{section}`", name(&physical), name(&pixels));
        self.remarks.error(&route(&pixels), Code::UnitConflict, message, "keep one of the two");
    }

    fn stains(&mut self, modality: Modality) -> Option<Stains> {
        let has = |stained| modality == stained;
        Some(Stains {
            hematoxylin: self.get("stains.hematoxylin")?,
            dab: if has(Modality::IhcHdab) { Some(self.get("stains.dab")?) } else { None },
            eosin: if has(Modality::He) { Some(self.get("stains.eosin")?) } else { None },
            background: self.get("stains.background")?,
        })
    }

    fn unet(&mut self) -> Option<Unet> {
        let (model, weights) = if self.is_written("unet") {
            (self.get("unet.model")?, self.get("unet.weights_sha256")?)
        } else {
            let message = "the method needs a network";
            let help = "add the section `unet` with `model` and `weights_sha256`";
            self.remarks.error(&route("method"), Code::MissingKey, message, help);
            // Stand-ins, so that the rules between keys are checked all the same.
            (String::new(), Digest::of_bytes(b""))
        };
        Some(Unet {
            model,
            weights,
            channels: self.get("unet.channels")?,
            depth: self.get("unet.depth")?,
            base_width: self.get("unet.base_width")?,
            normalization: self.get("unet.normalization")?,
            up_sampling: self.get("unet.up_sampling")?,
            separation: self.get("unet.separation")?,
            nucleus_threshold: self.get("unet.nucleus_threshold")?,
            h: self.get("unet.h")?,
            suppression: self.suppression("unet.suppression"),
            mirror_averaging: self.get("unet.mirror_averaging")?,
            tile_px: self.get("unet.tile_px")?,
        })
    }

    fn classical(&mut self) -> Option<Classical> {
        Some(Classical {
            channel: self.get("detection.channel")?,
            background: self.background()?,
            smoothing: Smoothing {
                median_radius: self.length("smoothing.median_radius")?,
                sigma: self.length("smoothing.sigma")?,
            },
            threshold: self.threshold()?,
            split: self.split()?,
        })
    }

    fn background(&mut self) -> Option<Background> {
        let radius = self.length("background.radius");
        let method = self.get("background.method")?;
        if method == BackgroundWord::None {
            return Some(Background::None);
        }
        let radius = radius.unwrap_or_else(|| {
            let message = "the background needs a radius";
            let help =
                "add `radius_um` (or `radius_px`), larger than the radius of the largest nucleus";
            self.remarks.error(&route("background.method"), Code::MissingKey, message, help);
            Length::Px(1.0)
        });
        Some(match method {
            BackgroundWord::None => Background::None,
            BackgroundWord::Opening => Background::Opening { radius },
            BackgroundWord::Reconstruction => Background::Reconstruction { radius },
        })
    }

    fn threshold(&mut self) -> Option<Threshold> {
        let window = self.length("threshold.window")?;
        let global_fraction = self.get("threshold.global_fraction")?;
        let method = match self.get("threshold.method")? {
            ThresholdWord::Manual => {
                let value = self.get("threshold.value").unwrap_or_else(|| {
                    let message = "the threshold needs a value";
                    let help = "add `value`, in the channel's unit";
                    self.remarks.error(&route("threshold.method"), Code::MissingKey, message, help);
                    0.0
                });
                ThresholdMethod::Manual { value }
            }
            ThresholdWord::Otsu => ThresholdMethod::Otsu,
            ThresholdWord::Otsu3 => {
                ThresholdMethod::Otsu3 { middle_class: self.get("threshold.middle_class")? }
            }
            ThresholdWord::Li => ThresholdMethod::Li,
            ThresholdWord::Triangle => ThresholdMethod::Triangle,
            ThresholdWord::LocalMean => ThresholdMethod::LocalMean { window, global_fraction },
            ThresholdWord::Sauvola => {
                ThresholdMethod::Sauvola { window, k: self.get("threshold.k")?, global_fraction }
            }
        };
        Some(Threshold {
            method,
            correction_factor: self.get("threshold.correction_factor")?,
            bounds: self.get("threshold.bounds")?,
            log_transform: self.get("threshold.log_transform")?,
        })
    }

    fn morphology(&mut self) -> Option<Morphology> {
        Some(Morphology {
            open_radius: self.length("morphology.open_radius")?,
            close_radius: self.length("morphology.close_radius")?,
            fill_holes_max_area: self.area("morphology.fill_holes_max_area")?,
            min_area: self.area("morphology.min_area")?,
            max_area: self.area("morphology.max_area"),
            exclude_border: self.get("morphology.exclude_border")?,
        })
    }

    fn split(&mut self) -> Option<Split> {
        let suppression = self.suppression("split.suppression");
        let sigma = self.length("split.log_sigma")?;
        let method = match self.get("split.method")? {
            SplitWord::None => SplitMethod::None,
            SplitWord::Shape => SplitMethod::Shape,
            SplitWord::Intensity => SplitMethod::Intensity,
            SplitWord::Log => SplitMethod::Log { sigma },
        };
        Some(Split { method, suppression, h: self.get("split.h")? })
    }

    fn suppression(&mut self, path: &str) -> Suppression {
        let distance = self.length(path);
        if distance.is_some() && self.is_written(path) {
            let message = "`suppression: auto` and a fixed distance are both given";
            self.remarks.error(&route(path), Code::UnitConflict, message, "keep one of the two");
        }
        distance.map_or(Suppression::Auto, Suppression::Distance)
    }

    fn classify(&mut self) -> Option<Classify> {
        let thresholds: Vec<f64> = self.get("classify.thresholds")?;
        if thresholds.len() == 2 {
            let message = "there are 2 thresholds of positivity";
            let help = "give one (negative, positive) or three (negative, 1+, 2+, 3+)";
            let at = route("classify.thresholds");
            self.remarks.error(&at, Code::TooManyItems, message, help);
        }
        let word: String = self.get("classify.measurement")?;
        let measurement = ClassMeasurement::all().find(|measurement| measurement.word() == word)?;
        Some(Classify { measurement, thresholds })
    }
}

/// A length in micrometers; 0 is the same in both units and needs no pixel size.
fn length_um(um: f64) -> Length {
    if um == 0.0 { Length::Px(0.0) } else { Length::Um(um) }
}

/// An area in square micrometers; 0 is the same in both units.
fn area_um2(um2: f64) -> Area {
    if um2 == 0.0 { Area::Px2(0.0) } else { Area::Um2(um2) }
}
