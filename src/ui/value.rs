//! Value: arguments that are read here, and what is said where they are not what is needed.

use cellgate_core::units::PixelSize;

/// An argument is not what is needed; the text says what is.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct WrongValue(pub(crate) String);

/// Reads the value of `--pixel-size-um`.
pub(crate) fn pixel_size(text: &str) -> Result<PixelSize, WrongValue> {
    let (least, most) = PixelSize::RANGE_UM;
    let um = text.parse().ok().and_then(PixelSize::from_um);
    let needed = || format!("a pixel size in micrometers from {least} to {most} is needed");
    um.ok_or_else(|| WrongValue(needed()))
}
