//! Channels: maps padded to the channels that the transforms take at once.
//!
//! Takes maps; gives them, borrowed where their channels fit, otherwise with channels of zeros.

use super::tiles;
use crate::unet::feature_map::{FeatureMap, Shape, View};
use std::borrow::Cow;

/// Where in the padded channels each channel of several inputs lies.
pub(super) fn padded_indices(channels: &[usize]) -> Vec<usize> {
    let mut first = 0;
    let mut places = Vec::new();
    for channels in channels {
        places.extend(first..first + channels);
        first += channels.next_multiple_of(tiles::LANES);
    }
    places
}

/// Channels that lie one after the other.
pub(super) fn contiguous_indices(channels: usize) -> Vec<usize> {
    (0..channels).collect()
}

/// Maps whose channels are a multiple of the transforms' width.
pub(super) struct Widened<'a> {
    /// With the added channels.
    pub(super) shape: Shape,
    /// Without them.
    pub(super) channels: usize,
    values: Cow<'a, [f32]>,
}

impl<'a> Widened<'a> {
    /// Adds channels of zeros where they are needed.
    pub(super) fn new(view: View<'a>) -> Self {
        let channels = view.shape.channels;
        let wide = channels.next_multiple_of(tiles::LANES);
        let shape = view.shape.with_channels(wide);
        if wide == channels {
            return Self { shape, channels, values: Cow::Borrowed(view.values) };
        }
        let mut values = vec![0.0; shape.n_values()];
        for (to, from) in values.chunks_exact_mut(wide).zip(view.values.chunks_exact(channels)) {
            to[..channels].copy_from_slice(from);
        }
        Self { shape, channels, values: Cow::Owned(values) }
    }

    /// The maps.
    pub(super) fn view(&self) -> View<'_> {
        View { shape: self.shape, values: &self.values }
    }
}

/// Takes away channels that were added.
pub(super) fn narrow_channels(map: FeatureMap, channels: usize) -> FeatureMap {
    if map.shape.channels == channels {
        return map;
    }
    let pixels = map.values.chunks_exact(map.shape.channels);
    let values = pixels.flat_map(|pixel| &pixel[..channels]).copied().collect();
    FeatureMap { shape: map.shape.with_channels(channels), values }
}
