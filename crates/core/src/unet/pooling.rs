//! Pooling: the greatest of each 2x2 pixels, and its gradient.
//!
//! A last odd row or column is left out, as in PyTorch.

use super::feature_map::{FeatureMap, Shape, View};
use crate::vectors;
use rayon::prelude::*;

/// Takes the greatest of each 2x2 pixels, channel by channel, and says which it was: 0 and 1 in the
/// first row, 2 and 3 in the second; the first of equals.
///
/// # Shapes
/// The results have half the height and width, rounded down.
#[must_use]
pub fn forward(input: View<'_>) -> (FeatureMap, Vec<u8>) {
    let shape = input.shape.halved();
    let mut output = FeatureMap::zeros(shape);
    let mut places = vec![0; shape.n_values()];
    let (from, to) = (input.shape.width * shape.channels, shape.width * shape.channels);
    if shape.n_values() == 0 {
        return (output, places);
    }
    let rows = output.values.par_chunks_mut(to).zip(places.par_chunks_mut(to)).enumerate();
    rows.for_each(|(row, (output, places))| {
        let (map, row) = (row / shape.height, row % shape.height);
        let two = &input.values[(map * input.shape.height + 2 * row) * from..][..2 * from];
        let (upper, lower) = two.split_at(from);
        vectors::dispatch_simd!(pool_row(upper, lower, shape.channels, output, places));
    });
    (output, places)
}

/// Pools two rows of pixels.
#[inline(always)]
fn pool_row(upper: &[f32], lower: &[f32], channels: usize, output: &mut [f32], places: &mut [u8]) {
    let pairs = upper.chunks_exact(2 * channels).zip(lower.chunks_exact(2 * channels));
    let pixels = output.chunks_exact_mut(channels).zip(places.chunks_exact_mut(channels));
    for ((upper, lower), (output, places)) in pairs.zip(pixels) {
        let (upper, lower) = (upper.split_at(channels), lower.split_at(channels));
        let upper = upper.0.iter().zip(upper.1);
        let lower = lower.0.iter().zip(lower.1);
        let channels = upper.zip(lower).zip(output.iter_mut().zip(places));
        for (((first, second), (third, fourth)), (output, place)) in channels {
            let (above, above_place) = if second > first { (second, 1) } else { (first, 0) };
            let (below, below_place) = if fourth > third { (fourth, 3) } else { (third, 2) };
            (*output, *place) =
                if below > above { (*below, below_place) } else { (*above, above_place) };
        }
    }
}

/// The gradient of a loss by the input, from its gradient by the output of [`forward`].
///
/// # Shapes
/// `places` as from [`forward`]; the result is shaped as `input`.
#[must_use]
pub fn backward(gradient: View<'_>, places: &[u8], input: Shape) -> FeatureMap {
    let mut result = FeatureMap::zeros(input);
    let channels = input.channels;
    let (from, to) = (gradient.shape.width * channels, input.width * channels);
    if gradient.shape.n_values() == 0 {
        return result;
    }
    let maps = result.values.par_chunks_mut(input.height * to).enumerate();
    maps.for_each(|(map, result)| {
        let rows = result.par_chunks_exact_mut(2 * to).enumerate();
        rows.for_each(|(row, two)| {
            let at = (map * gradient.shape.height + row) * from;
            let (gradient, places) = (&gradient.values[at..][..from], &places[at..][..from]);
            let (upper, lower) = two.split_at_mut(to);
            vectors::dispatch_simd!({
                unpool_row::<0>(gradient, places, channels, upper);
                unpool_row::<2>(gradient, places, channels, lower);
            });
        });
    });
    result
}

/// Channels that are treated at once: few enough that a pixel's channels are a multiple.
const BLOCK: usize = 8;

/// Gives pixels of a row what is theirs; `FIRST` is the number of the row's first candidate.
#[inline(always)]
fn unpool_row<const FIRST: u8>(gradient: &[f32], places: &[u8], channels: usize, row: &mut [f32]) {
    let pixels = gradient.chunks_exact(channels).zip(places.chunks_exact(channels));
    for ((gradient, places), two) in pixels.zip(row.chunks_exact_mut(2 * channels)) {
        let (left, right) = two.split_at_mut(channels);
        let (gradient, places) = (gradient.as_chunks::<BLOCK>(), places.as_chunks::<BLOCK>());
        let (left, right) = (left.as_chunks_mut::<BLOCK>(), right.as_chunks_mut::<BLOCK>());
        let blocks = gradient.0.iter().zip(places.0).zip(left.0.iter_mut().zip(right.0));
        for ((gradient, places), (left, right)) in blocks {
            choose::<FIRST>(gradient, places, left, right);
        }
        choose::<FIRST>(gradient.1, places.1, left.1, right.1);
    }
}

/// Gives the channels of two pixels what is theirs.
#[inline(always)]
fn choose<const FIRST: u8>(gradient: &[f32], places: &[u8], left: &mut [f32], right: &mut [f32]) {
    let channels = gradient.iter().zip(places).zip(left.iter_mut().zip(right));
    for ((gradient, place), (left, right)) in channels {
        // One for the place itself, 0 for others, without a choice: this becomes vectors.
        let place = f32::from(*place);
        let share = |candidate: u8| (1.0 - (place - f32::from(candidate)).abs()).max(0.0);
        *left = gradient * share(FIRST);
        *right = gradient * share(FIRST + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unet::noise::noise_map;

    #[track_caller]
    fn check(shape: [usize; 4]) {
        let input = noise_map(shape, 1);
        let (output, places) = forward(input.view());
        let Shape { height, width, channels, .. } = input.shape;
        let mut expected = FeatureMap::zeros(input.shape);
        let pooled = output.shape;
        assert_eq!((pooled.height, pooled.width), (height / 2, width / 2));
        for (index, (y, place)) in output.values.iter().zip(&places).enumerate() {
            let (pixel, channel) = (index / channels, index % channels);
            let (row, column) = (pixel / pooled.width % pooled.height, pixel % pooled.width);
            let map = pixel / pooled.width / pooled.height;
            let source = |candidate: usize| {
                let row = map * height + 2 * row + candidate / 2;
                (row * width + 2 * column + candidate % 2) * channels + channel
            };
            let most = (0..4).map(|c| input.values[source(c)]).fold(f32::MIN, f32::max);
            assert_eq!(*y, most);
            assert_eq!(input.values[source(usize::from(*place))], most);
            expected.values[source(usize::from(*place))] = *y;
        }
        assert!(backward(output.view(), &places, input.shape) == expected);
    }

    #[test]
    fn the_greatest_is_found_and_alone_given_back_to() {
        check([2, 4, 6, 16]);
        check([2, 5, 7, 3]);
        check([1, 1, 8, 8]);
    }

    #[test]
    fn of_equals_the_first_counts() {
        let shape = Shape { batch: 1, height: 2, width: 2, channels: 8 };
        let (_, places) = forward(FeatureMap::zeros(shape).view());
        assert_eq!(places, [0; 8]);
    }
}
