//! Warp: the geometry of a crop: turned, mirrored, magnified, sheared and bent, in one sampling.
//!
//! The image is mirrored beyond its borders, edge pixels included, as are its labels.

use super::choice::draw_center;
use super::recipe::{Sampling, WarpRecipe};
use super::sample::{DEPTH_STEPS, Sample};
use cellgate_inputs::dataset::random::Random;

/// Pixels around a crop whose labels are sampled too, so that targets know their neighbors.
pub const MARGIN: usize = 6;

/// Largest shift of an elastic bend, in standard deviations.
const MAX_DEVIATIONS: f64 = 2.5;

/// From a crop's pixels to places in an image.
#[derive(Debug, Clone)]
pub struct Warp {
    /// Columns per column, columns per row, rows per column, rows per row.
    matrix: [f32; 4],
    /// Column and row of the crop's center.
    center: [f32; 2],
    bend: Option<Bend>,
}

/// Shifts at the corners of a coarse grid over a crop and its margin; between them linear.
#[derive(Debug, Clone)]
struct Bend {
    cell_px: f32,
    columns: usize,
    shifts: Vec<[f32; 2]>,
}

/// Values, labels and depths that are sampled from an image.
#[derive(Debug, Clone, Default)]
pub struct Crop {
    /// `[edge][edge][n_kept]`, as a network would see them.
    pub values: Vec<f32>,
    /// `[edge + 2 MARGIN][edge + 2 MARGIN]`.
    pub labels: Vec<u16>,
    /// `[edge][edge]`, 0 to 1.
    pub depths: Vec<f32>,
}

impl Warp {
    /// A crop as the image is, around a corner between four pixels.
    #[must_use]
    pub fn identity(center: [u32; 2]) -> Self {
        Self { matrix: [1.0, 0.0, 0.0, 1.0], center: center.map(|at| at as f32), bend: None }
    }

    /// Draws the geometry of a crop.
    pub(super) fn draw(
        recipe: &WarpRecipe,
        sampling: &Sampling,
        sample: &Sample,
        random: &mut Random,
    ) -> Self {
        let [least, most] = recipe.scale.map(libm::log);
        let step = libm::exp(-random.between(least, most));
        let (cos, sin) = random.direction();
        let flip = if random.chance(0.5) { -1.0 } else { 1.0 };
        let shears = [0; 2].map(|_| random.between(-recipe.shear, recipe.shear));
        let (cos, sin, flip) = if recipe.turns { (cos, sin, flip) } else { (1.0, 0.0, 1.0) };
        // Turned after sheared after mirrored.
        let sheared = [flip, shears[0], flip * shears[1], 1.0];
        let turned = [
            cos * sheared[0] - sin * sheared[2],
            cos * sheared[1] - sin * sheared[3],
            sin * sheared[0] + cos * sheared[2],
            sin * sheared[1] + cos * sheared[3],
        ];
        let is_bent = random.chance(recipe.elastic_chance) && 0.0 < recipe.elastic_px;
        let edge = sampling.crop_px as usize + 2 * MARGIN;
        let bend = is_bent.then(|| Bend::draw(recipe, edge, random));
        let seen_px = f64::from(sampling.crop_px) * step;
        let center = draw_center(sample, sampling.nucleus_chance, seen_px, random);
        Self {
            matrix: turned.map(|part| (part * step) as f32),
            center: center.map(|at| at as f32),
            bend,
        }
    }

    /// Samples an image: values and depths between pixels linearly, labels from the nearest.
    ///
    /// # Shapes
    /// See [`Crop`]; what it held is overwritten.
    pub fn sample(&self, sample: &Sample, edge: usize, crop: &mut Crop) {
        let padded = edge + 2 * MARGIN;
        let n_kept = sample.n_kept;
        crop.values.resize(edge * edge * n_kept, 0.0);
        crop.depths.resize(edge * edge, 0.0);
        crop.labels.resize(padded * padded, 0);
        let grid = Grid::new(sample);
        let mut row_of_bend = Vec::new();
        for (i, labels) in crop.labels.chunks_exact_mut(padded).enumerate() {
            if let Some(bend) = &self.bend {
                bend.row(i, &mut row_of_bend);
            }
            let inner = (MARGIN..MARGIN + edge).contains(&i);
            for (j, label) in labels.iter_mut().enumerate() {
                let [x, y] = self.source_position(i, j, padded, &row_of_bend);
                *label = grid.label(x, y);
                if inner && (MARGIN..MARGIN + edge).contains(&j) {
                    let at = (i - MARGIN) * edge + j - MARGIN;
                    let corners = grid.corners(x, y);
                    let values = &mut crop.values[at * n_kept..][..n_kept];
                    grid.values(&corners, values);
                    crop.depths[at] = if *label == 0 { 0.0 } else { grid.depth(&corners) };
                }
            }
        }
    }

    /// Where the center of a pixel lies in the image, on the scale where pixel 0 has its center at 0.
    fn source_position(
        &self,
        i: usize,
        j: usize,
        padded: usize,
        row_of_bend: &[[f32; 2]],
    ) -> [f32; 2] {
        let half = padded as f32 / 2.0;
        let (mut p, mut q) = (j as f32 + 0.5 - half, i as f32 + 0.5 - half);
        if let Some(bend) = &self.bend {
            let [dp, dq] = bend.shift_at(j, row_of_bend);
            p += dp;
            q += dq;
        }
        let [a, b, c, d] = self.matrix;
        [self.center[0] + a * p + b * q - 0.5, self.center[1] + c * p + d * q - 0.5]
    }
}

impl Bend {
    fn draw(recipe: &WarpRecipe, edge: usize, random: &mut Random) -> Self {
        let columns = edge / recipe.elastic_cell_px as usize + 2;
        let shift = |_| {
            random.normals().map(|normal| {
                (normal.clamp(-MAX_DEVIATIONS, MAX_DEVIATIONS) * recipe.elastic_px) as f32
            })
        };
        let shifts = (0..columns * columns).map(shift).collect();
        Self { cell_px: recipe.elastic_cell_px as f32, columns, shifts }
    }

    /// The shifts of the grid's columns at row `i` of the crop.
    fn row(&self, i: usize, shifts: &mut Vec<[f32; 2]>) {
        let at = i as f32 / self.cell_px;
        let (row, part) = (at as usize, at.fract());
        let above = &self.shifts[row * self.columns..][..self.columns];
        let below = &self.shifts[(row + 1) * self.columns..][..self.columns];
        shifts.clear();
        shifts.extend(above.iter().zip(below).map(|(one, other)| lerp(*one, *other, part)));
    }

    fn shift_at(&self, j: usize, shifts: &[[f32; 2]]) -> [f32; 2] {
        let at = j as f32 / self.cell_px;
        let (column, part) = (at as usize, at.fract());
        lerp(shifts[column], shifts[column + 1], part)
    }
}

fn lerp(one: [f32; 2], other: [f32; 2], part: f32) -> [f32; 2] {
    [0, 1].map(|axis| one[axis] + (other[axis] - one[axis]) * part)
}

/// An image to be sampled.
struct Grid<'a> {
    sample: &'a Sample,
    width: i32,
    height: i32,
}

/// The four pixels around a place, and how far it lies to the right and below the first.
struct Corners {
    pixels: [usize; 4],
    right: f32,
    down: f32,
}

impl<'a> Grid<'a> {
    fn new(sample: &'a Sample) -> Self {
        let (width, height) = sample.size();
        Self { sample, width: width as i32, height: height as i32 }
    }

    fn pixel(&self, x: i32, y: i32) -> usize {
        mirror(y, self.height) as usize * self.width as usize + mirror(x, self.width) as usize
    }

    fn label(&self, x: f32, y: f32) -> u16 {
        let pixel = self.pixel((x + 0.5).floor() as i32, (y + 0.5).floor() as i32);
        self.sample.labels.samples()[pixel]
    }

    fn corners(&self, x: f32, y: f32) -> Corners {
        let (left, top) = (x.floor(), y.floor());
        let (column, row) = (left as i32, top as i32);
        let is_inside =
            (0..self.width - 1).contains(&column) && (0..self.height - 1).contains(&row);
        let pixels = if is_inside {
            let first = row as usize * self.width as usize + column as usize;
            let below = first + self.width as usize;
            [first, first + 1, below, below + 1]
        } else {
            [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(dx, dy)| self.pixel(column + dx, row + dy))
        };
        Corners { pixels, right: x - left, down: y - top }
    }

    fn values(&self, corners: &Corners, values: &mut [f32]) {
        let n_channels = values.len();
        let corner_values =
            corners.pixels.map(|pixel| &self.sample.values[pixel * n_channels..][..n_channels]);
        let scale = self.sample.scale;
        for (channel, value) in values.iter_mut().enumerate() {
            let four = corner_values.map(|corner| f32::from(corner[channel]));
            *value = scale.clip(scale.apply_between(corners.interpolate(four)));
        }
    }

    fn depth(&self, corners: &Corners) -> f32 {
        let depths = corners.pixels.map(|pixel| f32::from(self.sample.depths[pixel]));
        corners.interpolate(depths) / DEPTH_STEPS
    }
}

impl Corners {
    fn interpolate(&self, [one, right, below, both]: [f32; 4]) -> f32 {
        let above = one + (right - one) * self.right;
        let under = below + (both - below) * self.right;
        above + (under - above) * self.down
    }
}

/// A place beyond the edges, mirrored back; the edge pixel stands twice.
fn mirror(at: i32, edge: i32) -> i32 {
    if (0..edge).contains(&at) {
        return at;
    }
    let at = at.rem_euclid(2 * edge);
    at.min(2 * edge - 1 - at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::tests::sample_of;
    use cellgate_core::raster::Labels;

    fn striped_sample() -> Sample {
        // Two nuclei side by side; brightness tells the place.
        let truth = Labels::from_fn(40, 30, |x, y| match (x, y) {
            (5..=14, 5..=19) => 3,
            (15..=24, 5..=19) => 4,
            _ => 0,
        });
        sample_of(truth, |x, y| (100 * x + y) as u16)
    }

    #[test]
    fn no_warp_gives_the_image_itself() {
        let sample = striped_sample();
        let mut crop = Crop::default();
        Warp::identity([20, 15]).sample(&sample, 16, &mut crop);
        for (at, (value, depth)) in crop.values.iter().zip(&crop.depths).enumerate() {
            let (x, y) = (20 - 8 + at as u32 % 16, 15 - 8 + at as u32 / 16);
            let pixel = (y * 40 + x) as usize;
            assert_eq!(*value, sample.scale.apply(sample.values[pixel]), "({x}, {y})");
            assert_eq!(*depth, f32::from(sample.depths[pixel]) / DEPTH_STEPS);
            let padded = 16 + 2 * MARGIN;
            let label = crop.labels[(at / 16 + MARGIN) * padded + at % 16 + MARGIN];
            assert_eq!(label, sample.labels.at(x, y));
        }
    }

    #[test]
    fn beyond_its_borders_the_image_is_mirrored() {
        let places: Vec<i32> = (-4..8).map(|at| mirror(at, 3)).collect();
        assert_eq!(places, [2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1]);
        let sample = striped_sample();
        let mut crop = Crop::default();
        Warp::identity([0, 0]).sample(&sample, 8, &mut crop);
        assert_eq!(crop.values[3 * 8 + 3], crop.values[4 * 8 + 4]);
        assert_eq!(crop.values[8], crop.values[15]);
    }

    #[test]
    fn a_quarter_turn_and_twice_the_size_land_where_they_should() {
        let sample = striped_sample();
        let mut crop = Crop::default();
        // Columns of the crop run down the image, at half a pixel a step.
        let warp = Warp { matrix: [0.0, -0.5, 0.5, 0.0], ..Warp::identity([20, 15]) };
        warp.sample(&sample, 8, &mut crop);
        for (at, value) in crop.values.iter().enumerate() {
            let (p, q) = ((at % 8) as f32 - 3.5, (at / 8) as f32 - 3.5);
            let (x, y) = (20.0 - 0.5 * q - 0.5, 15.0 + 0.5 * p - 0.5);
            let expected = sample.scale.clip(sample.scale.apply_between(100.0 * x + y));
            assert!((value - expected).abs() < 1e-4, "{at}: {value} {expected}");
        }
    }

    #[test]
    fn bends_stay_within_their_bounds_and_leave_labels_whole() {
        let sample = striped_sample();
        let recipe = WarpRecipe { elastic_chance: 1.0, ..WarpRecipe::NONE };
        let recipe = WarpRecipe { elastic_px: 2.0, elastic_cell_px: 16, ..recipe };
        let sampling = Sampling { crop_px: 32, ..Sampling::default() };
        for seed in 0..20 {
            let warp = Warp::draw(&recipe, &sampling, &sample, &mut Random::new(seed, 0));
            let mut row = Vec::new();
            let (padded, half) = (32 + 2 * MARGIN, (16 + MARGIN) as f32);
            for i in 0..padded {
                warp.bend.as_ref().unwrap().row(i, &mut row);
                for j in 0..padded {
                    let [x, y] = warp.source_position(i, j, padded, &row);
                    let (dx, dy) = (x + half - j as f32, y + half - i as f32);
                    let shifts = [dx - warp.center[0], dy - warp.center[1]];
                    assert!(shifts.iter().all(|shift| shift.abs() <= 5.001), "{shifts:?}");
                }
            }
            let mut crop = Crop::default();
            warp.sample(&sample, 32, &mut crop);
            assert!(crop.labels.iter().all(|label| *label <= 2));
        }
    }

    #[test]
    fn magnification_is_within_the_recipe() {
        let sample = striped_sample();
        let recipe = WarpRecipe { shear: 0.0, ..WarpRecipe::default() };
        for seed in 0..100 {
            let warp =
                Warp::draw(&recipe, &Sampling::default(), &sample, &mut Random::new(seed, 0));
            let [a, b, c, d] = warp.matrix;
            let scale = 1.0 / (a * d - b * c).abs().sqrt();
            assert!((0.599..=1.701).contains(&scale), "{scale}");
        }
    }
}
