//! Networks: where base's and head's weights are found, and what their cards say of them.

use super::request::Request;
use super::sides::Sides;
use crate::report::model::Sides as OfBoth;
use cellgate_core::unet::card::Accuracy;
use cellgate_inputs::params::Loaded;
use cellgate_run::models::Models;

/// The key of a profile that names its network's weights.
pub(super) const WEIGHTS_KEY: &str = "unet.weights_sha256";

/// Types of image whose figures are listed.
const MAX_TOLD: usize = 4;

/// Base's and head's models.
pub(super) fn models<'a>(request: &'a Request<'_>, sides: &'a Sides) -> OfBoth<Models<'a>> {
    let cache = request.cache.as_ref();
    let (base, head) = sides.models_folders();
    // Weights that git does not hold may lie in the working folder: the digest names them.
    let of_base = Models::new(&request.base, base, cache).with_fallback(&request.head, head);
    OfBoth { base: of_base, head: Models::new(&request.head, head, cache) }
}

/// A network by its name, its digest and the figures of its card; `other` when there is none.
pub(super) fn describe_network(loaded: &Loaded, models: Models<'_>, other: String) -> String {
    let Some(unet) = loaded.params.unet() else { return other };
    let name = format!("{} {}", unet.model, unet.weights.short());
    // A card that cannot be read is a finding of `validate`; here it only says nothing.
    let card = models.card(unet).ok().flatten();
    let Some(card) = card.filter(|card| card.weights.sha256 == unet.weights) else { return name };
    let figures = &card.figures;
    let accuracies = if figures.test.is_empty() { &figures.validation } else { &figures.test };
    if accuracies.is_empty() {
        return name;
    }
    let figure = |accuracy: &Accuracy| {
        format!("{} F1 {:.3}, mAP {:.3}", accuracy.image_type, accuracy.f1_at_50, accuracy.mean_ap)
    };
    let figures: Vec<String> = accuracies.iter().take(MAX_TOLD).map(figure).collect();
    format!("{name} ({})", figures.join("; "))
}
