//! Rehearsal: a profile on one drawn field, to see that it gives the same elsewhere.
//!
//! The classical path gives the same bits everywhere, so digests of its results are compared.
//! Networks compute with floats whose last bits differ between processors: their results on two
//! machines are compared within a tolerance.

use super::field::{FieldRun, digest_of};
use super::models::Models;
use super::ready::Ready;
use super::ready::RunError;
use cellgate_core::accuracy::score_field;
use cellgate_core::digest::Digest;
use cellgate_core::raster::Labels;
use cellgate_inputs::dataset::phantom::Phantom;
use cellgate_inputs::params::Params;

/// Least part of the nuclei that both machines must find, as F1 at an overlap of 0.5.
pub const MIN_F1: f64 = 0.99;

/// Least overlap of the foreground, as Dice.
pub const MIN_DICE: f64 = 0.995;

/// Results of a profile on the first phantom of its modality.
///
/// # Errors
/// [`RunError`].
pub fn rehearse(ready: &Ready<'_>) -> Result<FieldRun, RunError> {
    let phantom = Phantom::new(ready.params().image.modality, 1);
    ready.run(&phantom.draw().image, Phantom::pixel_size())
}

/// Digest of labels and table that a profile gives in its rehearsal; `None` for a network, which gives
/// them only nearly.
///
/// # Errors
/// [`RunError`].
pub fn rehearsal_digest(params: &Params) -> Result<Option<Digest>, RunError> {
    if params.unet().is_some() {
        return Ok(None);
    }
    let run = rehearse(&Ready::new(params, Models::default()))?;
    Ok(Some(digest_of(&run)))
}

/// How labels differ from those that were expected; `None` within the tolerance.
#[must_use]
pub fn difference(expected: &Labels, found: &Labels) -> Option<String> {
    if expected == found {
        return None;
    }
    let Ok(accuracy) = score_field(expected, found) else {
        return Some("the fields have different sizes".to_owned());
    };
    let scores = accuracy.scores;
    let is_close = scores.f1_at_50 >= MIN_F1 && scores.dice >= MIN_DICE;
    (!is_close).then(|| {
        format!(
            "F1 {:.4} and Dice {:.4} between what is found and what is expected, less than {MIN_F1} \
             and {MIN_DICE}",
            scores.f1_at_50, scores.dice
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Squares of ten pixels, each ending a pixel later by `later`.
    fn squares(later: u32) -> Labels {
        Labels::from_fn(200, 200, |x, y| {
            let is_inside = |at: u32| (4..14).contains(&(at % 20));
            let is_later = later > 0 && x % 20 == 14 && y == 4;
            if is_inside(y) && (is_inside(x) || is_later) { y / 20 * 10 + x / 20 + 1 } else { 0 }
        })
    }

    #[test]
    fn single_pixels_may_differ_and_nuclei_may_not() {
        assert_eq!(difference(&squares(0), &squares(0)), None);
        assert_eq!(difference(&squares(0), &squares(1)), None);
        let without_a_row = squares(0).map(|label| if label <= 10 { 0 } else { label });
        assert!(difference(&squares(0), &without_a_row).is_some());
        assert!(difference(&squares(0), &Labels::filled(3, 3, 0)).is_some());
        let empty = Labels::filled(200, 200, 0);
        assert_eq!(difference(&empty, &empty), None);
        assert!(difference(&empty, &squares(0)).is_some());
    }
}
