//! Pixel size as files state it.
//!
//! Resolution tags are written for screens and printers more often than for microscopes; only a
//! value that a microscope can have counts.

use super::decoded::Refusal;
use cellgate_core::units::PixelSize;

/// Micrometers in a centimeter.
pub(super) const UM_PER_CM: f64 = 10_000.0;

/// Micrometers in an inch.
pub(super) const UM_PER_INCH: f64 = 25_400.0;

/// Edge lengths that a microscope's pixel can have, in micrometers: from oversampled oil immersion
/// to an overview scan. 2,540 dpi and less, as screens and printers have it, lies above.
const PLAUSIBLE_UM: std::ops::RangeInclusive<f64> = 0.02..=9.9;

/// The pixel size of a resolution in pixels per meter.
pub(super) fn square_px_per_m(x: f64, y: f64) -> Result<Option<PixelSize>, Refusal> {
    square_px_per_unit(x, y, 1e6)
}

/// The pixel size of a resolution in pixels per unit of `um_per_unit` micrometers.
pub(super) fn square_px_per_unit(
    x: f64,
    y: f64,
    um_per_unit: f64,
) -> Result<Option<PixelSize>, Refusal> {
    square_um(um_per_unit / x, um_per_unit / y)
}

/// The pixel size of two edge lengths in micrometers; `None` unless both are plausible.
///
/// # Errors
/// Pixels that are not square: every length and area would be bent.
pub(super) fn square_um(x_um: f64, y_um: f64) -> Result<Option<PixelSize>, Refusal> {
    let plausible = |um: f64| PixelSize::from_um(um).filter(|_| PLAUSIBLE_UM.contains(&um));
    let (Some(x), Some(y)) = (plausible(x_um), plausible(y_um)) else {
        return Ok(None);
    };
    if !x.agrees_with(y) {
        return Err(Refusal::unsupported(
            format!("the file states pixels of {x_um} by {y_um} micrometers"),
            "pixels must be square: correct the file's resolution, or resample the image",
        ));
    }
    Ok(Some(x))
}

/// Micrometers in a unit as microscope software writes it.
pub(super) fn um_per_unit_named(name: &str) -> Option<f64> {
    Some(match name.trim() {
        "µm" | "μm" | "um" | "micron" | "microns" | "micrometer" | "\\u00B5m" => 1.0,
        "nm" => 1e-3,
        "mm" => 1e3,
        "cm" => UM_PER_CM,
        "m" => 1e6,
        "inch" | "in" => UM_PER_INCH,
        _ => return None,
    })
}
