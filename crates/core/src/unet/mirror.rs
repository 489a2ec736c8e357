//! Mirror: padding by mirroring, cropping, and mirror images of feature maps.

use super::feature_map::{FeatureMap, Shape};
use rayon::prelude::*;

/// Fills height and width up to a multiple, at the bottom and on the right; `None` when they are.
///
/// The border pixel is repeated: `c b a | a b c`; maps smaller than what is missing go to and fro.
#[must_use]
pub fn pad(map: &FeatureMap, multiple: usize) -> Option<FeatureMap> {
    let height = map.shape.height.next_multiple_of(multiple);
    let width = map.shape.width.next_multiple_of(multiple);
    if (height, width) == (map.shape.height, map.shape.width) {
        return None;
    }
    let to = Shape { height, width, ..map.shape };
    let rows = to.height;
    let source_row = move |row: usize| {
        let (batch, row) = (row / rows, reflect_index(row % rows, map.shape.height));
        batch * map.shape.height + row
    };
    Some(gather_pixels(map, to, source_row, |column| reflect_index(column, map.shape.width)))
}

/// The upper left part.
#[must_use]
pub fn crop(map: FeatureMap, height: usize, width: usize) -> FeatureMap {
    if (height, width) == (map.shape.height, map.shape.width) {
        return map;
    }
    window(&map, (0, 0), (height, width))
}

/// A part from row and column `start`, of `size` rows and columns.
#[must_use]
pub fn window(map: &FeatureMap, start: (usize, usize), size: (usize, usize)) -> FeatureMap {
    let to = Shape { height: size.0, width: size.1, ..map.shape };
    let mut part = FeatureMap::zeros(to);
    let n_values = size.1 * to.channels;
    if n_values == 0 {
        return part;
    }
    part.values.par_chunks_mut(n_values).with_min_len(16).enumerate().for_each(|(row, line)| {
        let source = row / size.0 * map.shape.height + start.0 + row % size.0;
        let first = (source * map.shape.width + start.1) * to.channels;
        line.copy_from_slice(&map.values[first..first + n_values]);
    });
    part
}

/// Which way maps are mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flip {
    /// Top and bottom change places.
    pub rows: bool,
    /// Left and right change places.
    pub columns: bool,
}

impl Flip {
    /// The image itself and its three mirror images.
    pub const ALL: [Self; 4] = [
        Self { rows: false, columns: false },
        Self { rows: false, columns: true },
        Self { rows: true, columns: false },
        Self { rows: true, columns: true },
    ];

    /// The mirror image; applied twice, the map itself.
    #[must_use]
    pub fn apply(self, map: &FeatureMap) -> FeatureMap {
        let Shape { height, width, .. } = map.shape;
        let row = move |row: usize| {
            let inside = row % height;
            row - inside + if self.rows { height - 1 - inside } else { inside }
        };
        let column = move |column: usize| if self.columns { width - 1 - column } else { column };
        gather_pixels(map, map.shape, row, column)
    }
}

/// A map whose pixels are taken from rows (counted through the batch) and columns of another.
fn gather_pixels(
    map: &FeatureMap,
    to: Shape,
    source_row: impl Fn(usize) -> usize + Sync,
    source_column: impl Fn(usize) -> usize + Sync,
) -> FeatureMap {
    let mut result = FeatureMap::zeros(to);
    if result.values.is_empty() {
        return result;
    }
    let n = to.channels;
    let lines = result.values.par_chunks_mut(to.width * n).with_min_len(16);
    lines.enumerate().for_each(|(row, line)| {
        let from = &map.values[source_row(row) * map.shape.width * n..][..map.shape.width * n];
        for (column, pixel) in line.chunks_exact_mut(n).enumerate() {
            pixel.copy_from_slice(&from[source_column(column) * n..][..n]);
        }
    });
    result
}

/// The index that a mirrored one shows, among `n`.
fn reflect_index(index: usize, n: usize) -> usize {
    let folded = index % (2 * n);
    if folded < n { folded } else { 2 * n - 1 - folded }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers from 0, in reading order.
    fn numbered_map(batch: usize, height: usize, width: usize) -> FeatureMap {
        let shape = Shape { batch, height, width, channels: 1 };
        FeatureMap { shape, values: (0..shape.n_values()).map(|value| value as f32).collect() }
    }

    #[test]
    fn padding_repeats_the_border_and_turns_around() {
        let padded = pad(&numbered_map(1, 1, 3), 4).unwrap();
        assert_eq!((padded.shape.height, padded.shape.width), (4, 4));
        assert_eq!(padded.values, [0.0, 1.0, 2.0, 2.0].repeat(4));
        let narrow = pad(&numbered_map(1, 4, 1), 4).unwrap();
        assert_eq!(narrow.values[4..8], [1.0; 4]);
        assert_eq!(pad(&numbered_map(2, 8, 4), 4), None);
    }

    #[test]
    fn cropping_undoes_padding_in_every_map_of_a_batch() {
        for (height, width) in [(1, 1), (5, 7), (16, 3), (33, 16)] {
            let map = numbered_map(3, height, width);
            let back = crop(pad(&map, 16).unwrap_or(map.clone()), height, width);
            assert_eq!(back, map);
        }
    }

    #[test]
    fn mirror_images_undo_themselves() {
        let map = numbered_map(2, 3, 4);
        let last_rows = Flip { rows: true, columns: false }.apply(&map);
        assert_eq!(last_rows.values[..4], [8.0, 9.0, 10.0, 11.0]);
        assert_eq!(last_rows.values[12..14], [20.0, 21.0]);
        let turned = Flip { rows: true, columns: true }.apply(&map);
        assert_eq!(turned.values[..2], [11.0, 10.0]);
        for flip in Flip::ALL {
            assert_eq!(flip.apply(&flip.apply(&map)), map);
        }
    }
}
