//! Disk: which pixels of a grid a disk covers.

/// Half widths of the rows of a disk, from its center row to its last.
///
/// # Units
/// `radius_px` in pixels. A pixel belongs to the disk when its center is at most the radius away.
#[must_use]
pub fn disk_half_widths(radius_px: f64) -> Vec<usize> {
    let square = radius_px * radius_px;
    let rows = 0..=(radius_px.max(0.0) as usize);
    rows.map(|y| (square - (y * y) as f64).max(0.0).sqrt() as usize).collect()
}
