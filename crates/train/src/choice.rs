//! Choice: which field a crop is taken from, and where in it.

use super::recipe::Sampling;
use super::sample::Sample;
use cellgate_inputs::dataset::random::Random;
use std::collections::BTreeMap;

/// Fields with their probabilities.
#[derive(Debug, Clone)]
pub struct Choice {
    /// Sums of weights up to and including each type, and its fields.
    types: Vec<(f64, Fields)>,
}

/// The fields of a type: sums of weights up to and including each, and its place.
type Fields = Vec<(f64, usize)>;

impl Choice {
    /// Weighs image types as the recipe says, and the fields of a type by their edge length.
    #[must_use]
    pub fn new(samples: &[Sample], sampling: &Sampling) -> Self {
        let mut of_type: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (place, sample) in samples.iter().enumerate() {
            of_type.entry(&sample.image_type).or_default().push(place);
        }
        let mut types = Vec::new();
        let mut sum = 0.0;
        for (image_type, places) in of_type {
            let weight = sampling.type_weights.get(image_type).copied();
            sum += weight.unwrap_or_else(|| (places.len() as f64).sqrt());
            let mut edges = 0.0;
            let edge_of = |place: usize| {
                edges += (samples[place].labels.n_px() as f64).sqrt();
                (edges, place)
            };
            types.push((sum, places.into_iter().map(edge_of).collect()));
        }
        Self { types }
    }

    /// Draws a field; 0 when there is none.
    pub(super) fn draw(&self, random: &mut Random) -> usize {
        let fields = draw_weighted(&self.types, random);
        fields.and_then(|fields| draw_weighted(fields, random)).copied().unwrap_or(0)
    }
}

/// Draws an item by its weight.
fn draw_weighted<'a, T>(items: &'a [(f64, T)], random: &mut Random) -> Option<&'a T> {
    let at = random.between(0.0, items.last()?.0);
    let place = items.partition_point(|(sum, _)| *sum <= at);
    Some(&items[place.min(items.len() - 1)].1)
}

/// Draws the center of a crop that shows `seen_px` of the field in each direction.
///
/// Crops stay inside the field as far as they fit, so that little of them is mirrored.
pub(super) fn draw_center(
    sample: &Sample,
    nucleus_chance: f64,
    seen_px: f64,
    random: &mut Random,
) -> [f64; 2] {
    let (width, height) = sample.size();
    let is_nucleus = random.chance(nucleus_chance) && !sample.centers.is_empty();
    let anywhere = [width, height].map(|edge| random.between(0.0, f64::from(edge)));
    let point = if is_nucleus {
        sample.centers[random.below(sample.centers.len())].map(f64::from)
    } else {
        anywhere
    };
    let inside = |at: f64, edge: u32| {
        let (least, most) = (seen_px / 2.0, f64::from(edge) - seen_px / 2.0);
        let at = if least <= most { at.clamp(least, most) } else { f64::from(edge) / 2.0 };
        at.floor()
    };
    [inside(point[0], width), inside(point[1], height)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::tests::sample_of;
    use cellgate_core::raster::Labels;

    fn samples() -> Vec<Sample> {
        let of = |image_type: &str, edge: u32| {
            let mut sample = sample_of(Labels::filled(edge, edge, 1), |_, _| 9);
            sample.image_type = image_type.to_owned();
            sample
        };
        // Four small fields and one of twice the edge in one type, a single one in another.
        vec![of("a", 10), of("a", 10), of("b", 10), of("a", 20)]
    }

    #[track_caller]
    fn check(sampling: &Sampling, expected: [f64; 4]) {
        let choice = Choice::new(&samples(), sampling);
        let mut random = Random::new(5, 0);
        let mut counts = [0.0; 4];
        (0..20_000).for_each(|_| counts[choice.draw(&mut random)] += 1.0 / 20_000.0);
        for (count, expected) in counts.iter().zip(expected) {
            assert!((count - expected).abs() < 0.015, "{counts:?}");
        }
    }

    #[test]
    fn types_count_by_the_root_of_their_number_and_fields_by_their_edge() {
        let a = 3_f64.sqrt() / (3_f64.sqrt() + 1.0);
        check(&Sampling::default(), [a / 4.0, a / 4.0, 1.0 - a, a / 2.0]);
        let type_weights = BTreeMap::from([("a".to_owned(), 1.0), ("b".to_owned(), 4.0)]);
        let sampling = Sampling { type_weights, ..Sampling::default() };
        check(&sampling, [0.05, 0.05, 0.8, 0.1]);
    }

    #[test]
    fn crops_stay_inside_where_they_fit() {
        let sample = sample_of(Labels::filled(100, 20, 1), |_, _| 9);
        let mut random = Random::new(5, 0);
        for _ in 0..200 {
            let [x, y] = draw_center(&sample, 0.5, 40.0, &mut random);
            assert!((20.0..=80.0).contains(&x) && y == 10.0, "{x} {y}");
        }
    }
}
