//! Tiles: large images in pieces that fit the memory, without seams.
//!
//! Tiles overlap by at least what the network sees of each pixel's surroundings; of each tile only
//! the part that saw all of them is kept. Where tiles lie follows from the image's size alone.

use super::architecture::OUTPUTS;
use super::feature_map::FeatureMap;
use super::mirror::{Flip, crop, pad, window};
use super::plan::{Network, Room};

/// Predicts an image in tiles, on request as the mean over its four mirror images.
///
/// # Shapes
/// `input`: one or several maps of any size; the result as of [`Network::predict`], equal to it but
/// for rounding (below 1e-5), and equal to the bit where the image fits one tile.
///
/// # Units
/// `tile_px`: edge of a tile with its overlap; it is rounded up to what the network can take, and to
/// what leaves something of a tile after its margins.
#[must_use]
pub fn predict(
    network: &Network,
    input: &FeatureMap,
    tile_px: usize,
    is_mirrored: bool,
) -> FeatureMap {
    let mut room = Room::default();
    if !is_mirrored {
        return predict_once(network, &mut room, input, tile_px);
    }
    let [itself, columns, rows, both] = Flip::ALL
        .map(|flip| flip.apply(&predict_once(network, &mut room, &flip.apply(input), tile_px)));
    // Pairs first: a mirrored image then gives the mirrored answer, to the bit.
    let mut sum = add(add(itself, &columns), &add(rows, &both));
    sum.values.iter_mut().for_each(|value| *value *= 0.25);
    sum
}

fn add(mut one: FeatureMap, two: &FeatureMap) -> FeatureMap {
    one.values.iter_mut().zip(&two.values).for_each(|(one, two)| *one += two);
    one
}

fn predict_once(
    network: &Network,
    room: &mut Room,
    input: &FeatureMap,
    tile_px: usize,
) -> FeatureMap {
    let architecture = network.architecture();
    let stride = architecture.stride();
    let margin = architecture.reach_px().next_multiple_of(stride);
    let tile = tile_px.next_multiple_of(stride).max(2 * margin + stride);
    let (height, width) = (input.shape.height, input.shape.width);
    if height <= tile && width <= tile {
        return network.predict_in(room, input);
    }
    let padded = pad(input, stride);
    let input = padded.as_ref().unwrap_or(input);
    let mut answer = FeatureMap::zeros(input.shape.with_channels(OUTPUTS as usize));
    for row in stretches(input.shape.height, tile, margin) {
        for column in stretches(input.shape.width, tile, margin) {
            let start = (row.start, column.start);
            let size = (row.end - row.start, column.end - column.start);
            let part = network.predict_in(room, &window(input, start, size));
            copy_kept(&mut answer, &part, row, column);
        }
    }
    crop(answer, height, width)
}

/// Where a tile lies along one axis, and which part of it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    start: usize,
    end: usize,
    kept_from: usize,
    kept_to: usize,
}

/// The tiles along an axis: each kept pixel lies `margin` within its tile, or at the image's border.
fn stretches(length: usize, tile: usize, margin: usize) -> Vec<Stretch> {
    if length <= tile {
        return vec![Stretch { start: 0, end: length, kept_from: 0, kept_to: length }];
    }
    let mut stretches = Vec::new();
    let mut kept_from = 0;
    while kept_from < length {
        // The last tile ends with the image, so that all are of one size.
        let start = kept_from.saturating_sub(margin).min(length - tile);
        let end = start + tile;
        let kept_to = if end == length { length } else { end - margin };
        stretches.push(Stretch { start, end, kept_from, kept_to });
        kept_from = kept_to;
    }
    stretches
}

/// Copies the kept part of a tile to its place.
fn copy_kept(answer: &mut FeatureMap, part: &FeatureMap, row: Stretch, column: Stretch) {
    let n = answer.shape.channels;
    let n_values = (column.kept_to - column.kept_from) * n;
    for map in 0..answer.shape.batch {
        for y in row.kept_from..row.kept_to {
            let to = ((map * answer.shape.height + y) * answer.shape.width + column.kept_from) * n;
            let inside = (y - row.start, column.kept_from - column.start);
            let from = ((map * part.shape.height + inside.0) * part.shape.width + inside.1) * n;
            answer.values[to..to + n_values].copy_from_slice(&part.values[from..from + n_values]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pixel_is_kept_once_and_far_from_the_rim_of_its_tile() {
        for (length, tile, margin) in [(100, 48, 16), (97, 48, 16), (49, 48, 16), (64, 64, 16)] {
            let mut next = 0;
            for stretch in stretches(length, tile, margin) {
                assert_eq!(stretch.kept_from, next);
                assert!(stretch.end <= length && stretch.end - stretch.start == tile);
                assert!(stretch.start == 0 || stretch.start + margin <= stretch.kept_from);
                assert!(stretch.end == length || stretch.kept_to + margin <= stretch.end);
                next = stretch.kept_to;
            }
            assert_eq!(next, length);
        }
    }
}
