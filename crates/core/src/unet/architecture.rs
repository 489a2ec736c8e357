//! Architecture: the form of a U-Net, as numbers, and the tensors that follow from it.
//!
//! The network is Ronneberger et al. 2015 (doi 10.1007/978-3-319-24574-4_28) with padded
//! convolutions: at each of `depth` levels two 3x3 convolutions, each with normalization and ReLU,
//! then 2x2 max pooling; the same two convolutions at the bottom; on the way up 2x2 up-sampling to
//! half the channels, the encoder's map of that level put before it, and two convolutions again; a
//! 1x1 convolution at the end. Level `i` has `base_width << i` channels.

pub use crate::profile::{Normalization, UpSampling};

use crate::profile::Unet;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Channels that every network gives: see [`Output`].
pub const OUTPUTS: u32 = 3;

/// Constant that is added to a variance before its square root, as in PyTorch.
pub const NORMALIZATION_EPSILON: f32 = 1e-5;

/// Channels of a network's answer for each pixel, in this order; each is the logistic function of
/// the last convolution's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Probability of lying in a nucleus.
    Nucleus = 0,
    /// Probability of lying within a nucleus's rim, or between two that touch.
    Boundary = 1,
    /// Distance to the nucleus's own border, 0 outside, 1 at its deepest pixel.
    Distance = 2,
}

impl Output {
    /// All of them, in order.
    pub const ALL: [Self; OUTPUTS as usize] = [Self::Nucleus, Self::Boundary, Self::Distance];

    /// The word for it in cards and names of files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nucleus => "nucleus",
            Self::Boundary => "boundary",
            Self::Distance => "distance",
        }
    }

    /// Its meaning, with its range.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Nucleus => "probability of lying in a nucleus, 0 to 1",
            Self::Boundary => {
                "probability of lying within a nucleus's rim, or between two that touch, 0 to 1"
            }
            Self::Distance => {
                "distance to the nucleus's own border, 0 outside, 1 at its deepest pixel"
            }
        }
    }
}

/// The form of a U-Net.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// Channels of the input.
    pub in_channels: u32,
    /// Channels of the first level.
    pub base_width: u32,
    /// How many times the resolution is halved.
    pub depth: u32,
    /// Normalization after each 3x3 convolution.
    pub normalization: Normalization,
    /// How resolution comes back.
    pub up_sampling: UpSampling,
}

impl From<&Unet> for Architecture {
    /// The form that a profile says its network has.
    fn from(unet: &Unet) -> Self {
        Self {
            // A profile names at most eight channels.
            in_channels: unet.channels.len() as u32,
            base_width: unet.base_width,
            depth: unet.depth,
            normalization: unet.normalization,
            up_sampling: unet.up_sampling,
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { in_channels, base_width, depth, .. } = self;
        let inputs = if *in_channels == 1 { "input channel" } else { "input channels" };
        let normalization = match self.normalization {
            Normalization::Batch => "batch normalization",
            Normalization::None => "no normalization",
        };
        let up_sampling = match self.up_sampling {
            UpSampling::Transposed => "transposed",
            UpSampling::Nearest => "nearest",
        };
        write!(
            f,
            "{in_channels} {inputs}, base width {base_width}, depth {depth}, {normalization}, \
            {up_sampling} up-sampling"
        )
    }
}

/// Name and shape of one tensor of a network, in PyTorch's names and order of axes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSpec {
    /// For example `encoder.0.conv1.weight`.
    pub name: String,
    /// For example `[16, 3, 3, 3]`: outputs, inputs, rows, columns.
    pub shape: Vec<usize>,
}

impl Architecture {
    /// Most that each number may be.
    pub const MAX_IN_CHANNELS: u32 = 8;
    /// Widest first level.
    pub const MAX_BASE_WIDTH: u32 = 64;
    /// Most halvings.
    pub const MAX_DEPTH: u32 = 5;

    /// Whether every number is in its range: widths are multiples of 8, depths from 1.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        (1..=Self::MAX_IN_CHANNELS).contains(&self.in_channels)
            && (8..=Self::MAX_BASE_WIDTH).contains(&self.base_width)
            && self.base_width.is_multiple_of(8)
            && (1..=Self::MAX_DEPTH).contains(&self.depth)
    }

    /// Channels at a level; the bottom is level `depth`.
    #[must_use]
    pub fn width(&self, level: u32) -> usize {
        (self.base_width as usize) << level
    }

    /// Number that edges of an input are padded to a multiple of.
    #[must_use]
    pub fn stride(&self) -> usize {
        1 << self.depth
    }

    /// How many pixels away an input pixel can still change an answer.
    #[must_use]
    pub fn reach_px(&self) -> usize {
        // Two 3x3 convolutions a level, on the way down and up, in pixels of that level.
        let ways = (0..self.depth).map(|level| 4 << level).sum::<usize>();
        ways + (2 << self.depth) + self.stride()
    }

    /// The tensors, in the order of the way of the data.
    ///
    /// With batch normalization `norm1` and `norm2` have `weight`, `bias`, `running_mean` and
    /// `running_var`, and the convolutions have no bias; without, they have one. `up.weight` is
    /// `[in, out, 2, 2]` for transposed and `[out, in, 1, 1]` for nearest up-sampling.
    #[must_use]
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let mut specs = Vec::new();
        let mut width_in = self.in_channels as usize;
        for level in 0..=self.depth {
            self.push_block(&mut specs, &format!("encoder.{level}"), width_in, self.width(level));
            width_in = self.width(level);
        }
        for level in (0..self.depth).rev() {
            let (below, here) = (self.width(level + 1), self.width(level));
            let name = format!("decoder.{level}");
            let shape = match self.up_sampling {
                UpSampling::Transposed => vec![below, here, 2, 2],
                UpSampling::Nearest => vec![here, below, 1, 1],
            };
            specs.push(TensorSpec { name: format!("{name}.up.weight"), shape });
            specs.push(TensorSpec { name: format!("{name}.up.bias"), shape: vec![here] });
            self.push_block(&mut specs, &name, 2 * here, here);
        }
        let (outputs, width) = (OUTPUTS as usize, self.width(0));
        specs.push(TensorSpec { name: "head.weight".into(), shape: vec![outputs, width, 1, 1] });
        specs.push(TensorSpec { name: "head.bias".into(), shape: vec![outputs] });
        specs
    }

    /// Two convolutions and what follows each.
    fn push_block(&self, specs: &mut Vec<TensorSpec>, name: &str, inputs: usize, outputs: usize) {
        for (number, inputs) in [(1, inputs), (2, outputs)] {
            let name_of = |rest: &str| format!("{name}.{rest}");
            let conv = format!("conv{number}");
            let weight = vec![outputs, inputs, 3, 3];
            specs.push(TensorSpec { name: name_of(&format!("{conv}.weight")), shape: weight });
            match self.normalization {
                Normalization::None => specs.push(TensorSpec {
                    name: name_of(&format!("{conv}.bias")),
                    shape: vec![outputs],
                }),
                Normalization::Batch => {
                    specs.extend(["weight", "bias", "running_mean", "running_var"].map(|part| {
                        let name = name_of(&format!("norm{number}.{part}"));
                        TensorSpec { name, shape: vec![outputs] }
                    }));
                }
            }
        }
    }

    /// Numbers that training finds; running means and variances are not counted.
    #[must_use]
    pub fn n_parameters(&self) -> usize {
        let is_found = |spec: &&TensorSpec| !spec.name.contains("running_");
        self.tensors()
            .iter()
            .filter(is_found)
            .map(|spec| spec.shape.iter().product::<usize>())
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_parameters(base_width: u32, depth: u32, expected: usize) {
        let architecture = Architecture {
            in_channels: 3,
            base_width,
            depth,
            normalization: Normalization::Batch,
            up_sampling: UpSampling::Transposed,
        };
        assert_eq!(architecture.n_parameters(), expected);
    }

    #[test]
    fn parameters_are_counted_by_hand() {
        // Encoder 3->8, 8->8: 216 + 576 + 4 x 8; bottom 8->16, 16->16: 1152 + 2304 + 4 x 16;
        // up 16 x 8 x 4 + 8; decoder 16->8, 8->8: 1152 + 576 + 4 x 8; head 3 x 8 + 3.
        check_parameters(8, 1, 824 + 3520 + 520 + 1760 + 27);
    }

    #[test]
    fn the_reach_covers_every_convolution() {
        let architecture = Architecture {
            in_channels: 1,
            base_width: 8,
            depth: 4,
            normalization: Normalization::None,
            up_sampling: UpSampling::Nearest,
        };
        assert_eq!(architecture.reach_px(), 4 * 15 + 32 + 16);
        assert_eq!(architecture.stride(), 16);
    }
}
