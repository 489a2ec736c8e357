//! Overlay: a field as a picture, with the outlines of both sides and the fates of nuclei.
//!
//! Takes an image and labels, gives red, green and blue for a page. Small fields are drawn at
//! twice their size so that outlines do not hide what they outline; large ones are reduced. It is
//! for looking at: nothing is measured on it.

use cellgate_core::drift::{Fate, Pairing};
use cellgate_core::raster::{Image, Labels, Raster};
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder as _, ImageError};

/// Longer edges are reduced to this, in pixels.
pub const MAX_EDGE: u32 = 1024;

/// Fields with longer edges than this are not enlarged, in pixels.
const MAX_ENLARGED_EDGE: u32 = 512;

/// Fractions of the pixels that gray values are stretched between.
const WINDOW: (f64, f64) = (0.01, 0.998);

/// Colors that people with any color vision tell apart (Okabe and Ito 2008), as red, green, blue.
pub mod color {
    /// Outline in base alone.
    pub const BASE: [u8; 3] = [0, 114, 178];
    /// Outline in head alone.
    pub const HEAD: [u8; 3] = [230, 159, 0];
    /// Nuclei that appeared.
    pub const APPEARED: [u8; 3] = [0, 158, 115];
    /// Nuclei that vanished.
    pub const VANISHED: [u8; 3] = [213, 94, 0];
    /// Nuclei that fell apart or grew together.
    pub const REGROUPED: [u8; 3] = [204, 121, 167];
}

/// Draws a field: outlines of base and head, and fills for nuclei that have no single partner.
///
/// Where both outlines agree, one line is drawn: dark on a bright field, white on a dark one.
///
/// # Shapes
/// Labels may be of another resolution than the image; they are stretched over it.
///
/// # Edge cases
/// Without `base` only head's outlines are drawn; without `pairing` there are no fills. An image
/// without pixels gives a picture without pixels.
#[must_use]
pub fn draw(
    image: &Image,
    base: Option<&Labels>,
    head: Option<&Labels>,
    pairing: Option<&Pairing>,
) -> Raster<[u8; 3]> {
    let grid = Grid::for_image(image.width(), image.height());
    let field = to_rgb(image, grid);
    let shared_color = agreed_color(&field);
    let no_fates = Pairing::default();
    let pairing = pairing.unwrap_or(&no_fates);
    let base = base.map(|labels| Layer::new(labels, &pairing.base, color::VANISHED, grid));
    let head = head.map(|labels| Layer::new(labels, &pairing.head, color::APPEARED, grid));
    Raster::from_fn(grid.width, grid.height, |x, y| {
        let outline =
            |layer: &Option<Layer<'_>>| layer.as_ref().is_some_and(|l| l.is_outline(x, y));
        match (outline(&base), outline(&head)) {
            (true, true) => shared_color,
            (true, false) => color::BASE,
            (false, true) => color::HEAD,
            (false, false) => {
                let fill = |layer: &Option<Layer<'_>>| layer.as_ref().and_then(|l| l.fill(x, y));
                let fill = fill(&base).or_else(|| fill(&head));
                fill.map_or(field.at(x, y), |fill| blend(field.at(x, y), fill))
            }
        }
    })
}

/// Encodes a picture as PNG.
///
/// # Errors
/// [`ImageError`] for a picture without pixels.
pub fn encode_png(picture: &Raster<[u8; 3]>) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Vec::new();
    PngEncoder::new(&mut bytes).write_image(
        picture.samples().as_flattened(),
        picture.width(),
        picture.height(),
        ExtendedColorType::Rgb8,
    )?;
    Ok(bytes)
}

/// Size of the picture.
#[derive(Debug, Clone, Copy)]
struct Grid {
    width: u32,
    height: u32,
}

impl Grid {
    fn for_image(width: u32, height: u32) -> Self {
        let edge = width.max(height);
        if edge <= MAX_ENLARGED_EDGE {
            return Self { width: 2 * width, height: 2 * height };
        }
        let reduced = edge.max(MAX_EDGE);
        let fit = |length: u32| {
            let fitted = u64::from(length) * u64::from(MAX_EDGE) / u64::from(reduced);
            u32::try_from(fitted).unwrap_or(MAX_EDGE).max(length.min(1))
        };
        if edge <= MAX_EDGE {
            Self { width, height }
        } else {
            Self { width: fit(width), height: fit(height) }
        }
    }

    /// The sample of a raster of any size that lies under the middle of a pixel of the picture.
    fn sample<T: Copy>(self, raster: &Raster<T>, x: u32, y: u32) -> T {
        let place = |at: u32, n_here: u32, n_there: u32| {
            let place = (2 * u64::from(at) + 1) * u64::from(n_there) / (2 * u64::from(n_here));
            place as u32
        };
        let x = place(x, self.width, raster.width());
        raster.at(x, place(y, self.height, raster.height()))
    }
}

/// One side's labels over the picture.
struct Layer<'a> {
    labels: Raster<u32>,
    fates: &'a [(u32, Fate)],
    alone: [u8; 3],
}

impl<'a> Layer<'a> {
    fn new(labels: &Labels, fates: &'a [(u32, Fate)], alone: [u8; 3], grid: Grid) -> Self {
        let is_empty = labels.n_px() == 0;
        let sample = |x, y| if is_empty { 0 } else { grid.sample(labels, x, y) };
        Self { labels: Raster::from_fn(grid.width, grid.height, sample), fates, alone }
    }

    /// Whether a pixel is the innermost rim of a nucleus.
    fn is_outline(&self, x: u32, y: u32) -> bool {
        let own = self.labels.at(x, y);
        let (last_x, last_y) = (self.labels.width() - 1, self.labels.height() - 1);
        own != 0
            && (x == 0
                || y == 0
                || x == last_x
                || y == last_y
                || self.labels.at(x - 1, y) != own
                || self.labels.at(x + 1, y) != own
                || self.labels.at(x, y - 1) != own
                || self.labels.at(x, y + 1) != own)
    }

    fn fill(&self, x: u32, y: u32) -> Option<[u8; 3]> {
        let label = self.labels.at(x, y);
        let index = self.fates.binary_search_by_key(&label, |&(label, _)| label).ok()?;
        match self.fates[index].1 {
            Fate::Alone => Some(self.alone),
            Fate::Split | Fate::Merged => Some(color::REGROUPED),
            Fate::Matched | Fate::Modified => None,
        }
    }
}

fn blend(under: [u8; 3], over: [u8; 3]) -> [u8; 3] {
    let mix = |channel: usize| ((u16::from(under[channel]) + u16::from(over[channel])) / 2) as u8;
    [mix(0), mix(1), mix(2)]
}

fn agreed_color(field: &Raster<[u8; 3]>) -> [u8; 3] {
    let sum: u64 = field.samples().iter().map(|&[_, green, _]| u64::from(green)).sum();
    if sum > 128 * field.n_px() as u64 { [40, 40, 40] } else { [255, 255, 255] }
}

/// The field as it is shown: colors as they are, gray stretched between two percentiles.
fn to_rgb(image: &Image, grid: Grid) -> Raster<[u8; 3]> {
    match image {
        Image::Gray8(raster) => stretch_gray(&raster.map(u16::from), grid),
        Image::Gray16(raster) => stretch_gray(raster, grid),
        Image::Rgb8(raster) => {
            Raster::from_fn(grid.width, grid.height, |x, y| grid.sample(raster, x, y))
        }
        Image::Rgb16(raster) => Raster::from_fn(grid.width, grid.height, |x, y| {
            grid.sample(raster, x, y).map(|value| (value >> 8) as u8)
        }),
    }
}

fn stretch_gray(raster: &Raster<u16>, grid: Grid) -> Raster<[u8; 3]> {
    let mut histogram = vec![0_u64; 1 << 16];
    for &value in raster.samples() {
        histogram[usize::from(value)] += 1;
    }
    let percentile = |fraction: f64| {
        let rank = (fraction * raster.n_px() as f64) as u64;
        let mut below = 0;
        let reaches = |count: &u64| {
            below += count;
            below > rank
        };
        histogram.iter().position(reaches).unwrap_or(0) as u32
    };
    let (low, high) = (percentile(WINDOW.0), percentile(WINDOW.1));
    Raster::from_fn(grid.width, grid.height, |x, y| {
        let above = u32::from(grid.sample(raster, x, y)).saturating_sub(low);
        [(255 * above / high.saturating_sub(low).max(1)).min(255) as u8; 3]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cellgate_core::labels;

    fn dark_image(width: u32, height: u32) -> Image {
        Image::Gray16(Raster::filled(width, height, 300))
    }

    #[test]
    fn outlines_that_agree_are_one_line_and_others_have_their_side() {
        let base = labels![1, 1, 1, 0; 1, 1, 1, 0; 1, 1, 1, 0; 0, 0, 0, 0];
        let head = labels![1, 1, 1, 1; 1, 1, 1, 1; 1, 1, 1, 1; 0, 0, 0, 0];
        let picture = draw(&dark_image(4, 4), Some(&base), Some(&head), None);
        assert_eq!((picture.width(), picture.height()), (8, 8));
        assert_eq!(picture.at(0, 0), [255; 3]);
        assert_eq!(picture.at(5, 2), color::BASE);
        assert_eq!(picture.at(7, 2), color::HEAD);
        assert_eq!(picture.at(2, 2), [0; 3]);
    }

    #[test]
    fn vanished_and_appeared_nuclei_are_filled() {
        let base = labels![3, 3, 3, 0, 0, 0; 3, 3, 3, 0, 0, 0; 3, 3, 3, 0, 0, 0];
        let head = labels![0, 0, 0, 7, 7, 7; 0, 0, 0, 7, 7, 7; 0, 0, 0, 7, 7, 7];
        let overlaps = cellgate_core::overlap::Overlaps::count(&base, &head).unwrap();
        let pairing = cellgate_core::drift::pair(&overlaps);
        let picture = draw(&dark_image(6, 3), Some(&base), Some(&head), Some(&pairing));
        assert_eq!(picture.at(2, 2), blend([0; 3], color::VANISHED));
        assert_eq!(picture.at(8, 2), blend([0; 3], color::APPEARED));
    }

    #[test]
    fn large_fields_are_reduced_and_thin_ones_keep_a_pixel() {
        let sizes =
            [(4000, 3000, 1024, 768), (800, 600, 800, 600), (100_000, 2, 1024, 1), (3, 2, 6, 4)];
        for (width, height, expected_width, expected_height) in sizes {
            let grid = Grid::for_image(width, height);
            assert_eq!((grid.width, grid.height), (expected_width, expected_height));
        }
    }

    #[test]
    fn gray_is_stretched_between_its_percentiles() {
        let ramp = Image::Gray16(Raster::from_fn(1000, 1, |x, _| 1000 + x as u16));
        let picture = draw(&ramp, None, None, None);
        assert_eq!((picture.at(0, 0), picture.at(999, 0)), ([0; 3], [255; 3]));
    }

    #[test]
    fn pictures_encode_and_empty_ones_are_an_error() {
        let picture = draw(&dark_image(4, 4), None, None, None);
        assert!(encode_png(&picture).unwrap().starts_with(b"\x89PNG"));
        assert!(encode_png(&draw(&dark_image(0, 0), None, None, None)).is_err());
    }
}
