//! Error: why an image cannot be segmented with a profile.

use crate::profile::Channel;

/// An image cannot be segmented with a profile.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum SegmentError {
    /// The image or the profile does not have what the channel is made of.
    #[error(
        "channel `{channel}` is not to be had from {} image with this profile",
        if *.color { "a color" } else { "a gray" }
    )]
    ChannelUnavailable {
        /// The channel.
        channel: Channel,
        /// Whether the image has colors.
        color: bool,
    },
    /// The profile has lengths in micrometers and nobody knows the pixel size.
    #[error("lengths in micrometers need a pixel size; name one with `--pixel-size-um`")]
    PixelSizeMissing,
    /// The profile is for a network.
    #[error("the profile's method is `unet`: it needs a network")]
    NeedsNetwork,
}
