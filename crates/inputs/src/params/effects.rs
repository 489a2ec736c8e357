//! Effects: keys that change nothing beside the others, as warnings.

use super::fill::is_unet;
use super::raw::*;
use crate::finding::Code;
use crate::yaml::{Remarks, route};
use cellgate_core::profile::*;

/// Warns about every key that stands in the file and changes nothing.
pub(super) fn check(raw: &RawProfile, profile: &Profile, remarks: &mut Remarks<'_>) {
    let modality = profile.image.modality;
    let mut idle = Vec::new();
    if is_unet(raw) {
        let reason = "`method` is `unet`";
        let stands = |section| remarks.document.value().get(section).is_some();
        idle.extend(CLASSICAL.map(|section| (section, "", stands(section), reason)));
    } else {
        idle.push(("unet", "", raw.unet.is_some(), "`method` is `classical`"));
        classical(raw, profile, &mut idle);
    }
    if let Some(stains) = &raw.stains {
        let has = |vector: Option<[f64; 3]>| vector.is_some();
        match modality {
            Modality::Fluorescence => {
                idle.push(("stains", "", true, "fluorescence images have no stain vectors"));
            }
            Modality::He => idle.push(("stains", "dab", has(stains.dab), "the modality is `he`")),
            Modality::IhcHdab => {
                idle.push(("stains", "eosin", has(stains.eosin), "the modality is `ihc_hdab`"));
            }
        }
    }
    for (section, key, stands, reason) in idle {
        if stands {
            let shown =
                if key.is_empty() { section.to_owned() } else { format!("{section}.{key}") };
            let message = format!("`{shown}` has no effect: {reason}");
            let help = match section {
                "unet" => "delete the section, or write `method: unet`",
                _ => "delete the key",
            };
            remarks.key_warning(&route(&shown), Code::KeyWithoutEffect, message, help);
        }
    }
}

/// Sections that only the classical path reads.
const CLASSICAL: [&str; 5] = ["detection", "background", "smoothing", "threshold", "split"];

/// Section, key, whether it stands in the file, why it has no effect.
type Idle = (&'static str, &'static str, bool, &'static str);

fn classical(raw: &RawProfile, profile: &Profile, idle: &mut Vec<Idle>) {
    threshold(&raw.threshold, idle);
    split(&raw.split, idle);
    if matches!(profile.background, Background::None) {
        let reason = "`background.method` is `none`";
        idle.push(("background", "radius_um", raw.background.radius_um.is_some(), reason));
        idle.push(("background", "radius_px", raw.background.radius_px.is_some(), reason));
    }
}

fn threshold(raw: &RawThreshold, idle: &mut Vec<Idle>) {
    let word = raw.method.unwrap_or(ThresholdWord::Otsu);
    let is_local = matches!(word, ThresholdWord::LocalMean | ThresholdWord::Sauvola);
    let is_manual = word == ThresholdWord::Manual;
    if is_manual {
        let reason = "`threshold.method` is `manual`, so nothing is sought";
        idle.push(("threshold", "log_transform", raw.log_transform == Some(true), reason));
    } else {
        let reason = "`threshold.method` is not `manual`";
        idle.push(("threshold", "value", raw.value.is_some(), reason));
    }
    if !is_local {
        let reason = "`threshold.method` is neither `local_mean` nor `sauvola`";
        idle.push(("threshold", "window_um", raw.window_um.is_some(), reason));
        idle.push(("threshold", "window_px", raw.window_px.is_some(), reason));
        idle.push(("threshold", "global_fraction", raw.global_fraction.is_some(), reason));
    }
    if word != ThresholdWord::Sauvola {
        let reason = "`threshold.method` is not `sauvola`";
        idle.push(("threshold", "k", raw.k.is_some(), reason));
    }
    if word != ThresholdWord::Otsu3 {
        let reason = "`threshold.method` is not `otsu3`";
        idle.push(("threshold", "middle_class", raw.middle_class.is_some(), reason));
    }
}

fn split(raw: &RawSplit, idle: &mut Vec<Idle>) {
    let word = raw.method.unwrap_or(SplitWord::Shape);
    if word == SplitWord::None {
        let reason = "`split.method` is `none`";
        idle.push(("split", "h", raw.h.is_some(), reason));
        idle.push(("split", "suppression", raw.suppression.is_some(), reason));
        idle.push(("split", "suppression_um", raw.suppression_um.is_some(), reason));
        idle.push(("split", "suppression_px", raw.suppression_px.is_some(), reason));
    }
    if word != SplitWord::Log {
        let reason = "`split.method` is not `log`";
        idle.push(("split", "log_sigma_um", raw.log_sigma_um.is_some(), reason));
        idle.push(("split", "log_sigma_px", raw.log_sigma_px.is_some(), reason));
    }
}
