//! Shape: measurements of the form of a nucleus, by scikit-image's definitions.
//!
//! Moments are exact integers until the last division.

use super::hull::{Hull, Rows};
use super::object::{Object, ObjectBits};
use crate::grid::distance::{Scratch, squared_distances};
use crate::grid::patch::Patch;
use std::f64::consts::{FRAC_PI_4, PI, SQRT_2};

/// Second moments of an object about its centroid, by pixel.
///
/// The values are integers over `n²`, kept as numerators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moments {
    n: i128,
    sum_x: i128,
    sum_y: i128,
    xx: i128,
    yy: i128,
    xy: i128,
}

impl Moments {
    /// Adds up the pixels of an object, counted from its box's corner.
    #[must_use]
    pub fn of(object: &Object) -> Self {
        // Sums of squares stay below 2^63 for any image that can be decoded; products may not.
        let (mut n, mut sum_x, mut sum_y) = (0_i64, 0_i64, 0_i64);
        let (mut xx, mut yy, mut xy) = (0_i64, 0_i64, 0_i64);
        for run in &object.runs {
            let y = i64::from(run.y - object.y0);
            let (start, end) = (i64::from(run.start - object.x0), i64::from(run.end - object.x0));
            let length = end - start;
            // Sums of whole numbers and of their squares below `end`, less those below `start`.
            let sum = (end * (end - 1) - start * (start - 1)) / 2;
            let squares =
                ((end - 1) * end * (2 * end - 1) - (start - 1) * start * (2 * start - 1)) / 6;
            n += length;
            sum_x += sum;
            sum_y += y * length;
            xx += squares;
            yy += y * y * length;
            xy += y * sum;
        }
        let [n, sum_x, sum_y, xx, yy, xy] = [n, sum_x, sum_y, xx, yy, xy].map(i128::from);
        Self {
            n,
            sum_x,
            sum_y,
            xx: n * xx - sum_x * sum_x,
            yy: n * yy - sum_y * sum_y,
            xy: n * xy - sum_x * sum_y,
        }
    }

    /// Mean column and row, counted from the box's corner.
    #[must_use]
    pub fn centroid(&self) -> (f64, f64) {
        (self.sum_x as f64 / self.n as f64, self.sum_y as f64 / self.n as f64)
    }

    /// Major and minor axis, eccentricity and orientation of the ellipse with the same moments.
    #[must_use]
    pub fn ellipse(&self) -> Ellipse {
        let scale = (self.n * self.n) as f64;
        let (a, b, c) = (self.xx as f64 / scale, -(self.xy as f64) / scale, self.yy as f64 / scale);
        let half_gap = (self.xx - self.yy) as f64 / scale / 2.0;
        let larger = (a + c) / 2.0 + (half_gap * half_gap + b * b).sqrt();
        // The determinant over the larger keeps thin objects exact.
        let determinant = (self.xx * self.yy - self.xy * self.xy) as f64 / scale / scale;
        let smaller = if larger == 0.0 { 0.0 } else { determinant / larger };
        let is_round = self.xx == self.yy;
        Ellipse {
            axis_major: 4.0 * larger.sqrt(),
            axis_minor: 4.0 * smaller.sqrt(),
            eccentricity: if larger == 0.0 {
                0.0
            } else {
                (1.0 - smaller / larger).max(0.0).sqrt()
            },
            orientation: match (is_round, b < 0.0) {
                (true, true) => FRAC_PI_4,
                (true, false) => -FRAC_PI_4,
                (false, _) => 0.5 * libm::atan2(-2.0 * b, c - a),
            },
        }
    }
}

/// The ellipse with the same second moments as an object; lengths in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ellipse {
    /// Major axis.
    pub axis_major: f64,
    /// Minor axis.
    pub axis_minor: f64,
    /// Eccentricity, 0 to 1.
    pub eccentricity: f64,
    /// Angle between the row axis and the major axis, in radians.
    pub orientation: f64,
}

/// Length of the outline, in pixels.
///
/// # Sources
/// Benkrid and Crookes 2000, Design and FPGA implementation of a perimeter estimator; as
/// scikit-image 0.26 `perimeter` with the 4-neighborhood.
#[must_use]
pub fn perimeter(object: &ObjectBits) -> f64 {
    let border = object.border();
    let (mut straight, mut diagonal, mut mixed) = (0, 0, 0);
    for row in 1..border.n_rows() - 1 {
        for index in 0..border.n_words() {
            let [here, west, east] = border.word_with_neighbors(row, index);
            if here == 0 {
                continue;
            }
            let [north, northwest, northeast] = border.word_with_neighbors(row - 1, index);
            let [south, southwest, southeast] = border.word_with_neighbors(row + 1, index);
            // Weights 5 to 27, 21 and 33, 13 and 23 of the definition, by numbers of neighbors.
            let beside = HowMany::of([north, west, east, south]);
            let corners = HowMany::of([northwest, northeast, southwest, southeast]);
            let up_to_two = !corners.three & !corners.four;
            straight += (here & (beside.two | beside.three) & up_to_two).count_ones();
            diagonal +=
                (here & (beside.none & corners.two | beside.one & corners.three)).count_ones();
            mixed += (here & beside.one & (corners.one | corners.two)).count_ones();
        }
    }
    let [straight, diagonal, mixed] = [straight, diagonal, mixed].map(f64::from);
    straight + diagonal * SQRT_2 + mixed * ((1.0 + SQRT_2) / 2.0)
}

/// How many of four bits are set, for 64 pixels together.
struct HowMany {
    none: u64,
    one: u64,
    two: u64,
    three: u64,
    four: u64,
}

impl HowMany {
    fn of([a, b, c, d]: [u64; 4]) -> Self {
        let (odd_one, both_one, odd_two, both_two) = (a ^ b, a & b, c ^ d, c & d);
        let odd = odd_one ^ odd_two;
        let two_or_three = both_one ^ both_two ^ (odd_one & odd_two);
        Self {
            none: !(a | b | c | d),
            one: odd & !two_or_three,
            two: two_or_three & !odd,
            three: two_or_three & odd,
            four: both_one & both_two,
        }
    }
}

/// How often each of the 16 configurations of 2 by 2 pixels occurs, as scikit-image numbers them;
/// the empty one is not counted.
#[must_use]
pub fn configurations(object: &ObjectBits) -> [u64; 16] {
    let mut counts = [0; 16];
    for (code, count) in counts.iter_mut().enumerate().skip(1) {
        *count = n_of_configuration(object, code);
    }
    counts
}

/// How often one configuration occurs.
fn n_of_configuration(object: &ObjectBits, code: usize) -> u64 {
    // Flips what the configuration leaves empty: where it occurs, all four are then one.
    let flips = [0, 1, 2, 3].map(|bit| if code >> bit & 1 == 1 { 0 } else { u64::MAX });
    let mut count = 0;
    for row in 1..object.n_rows() {
        for index in 0..object.n_words() {
            let [here, left, _] = object.word_with_neighbors(row, index);
            let [above, above_left, _] = object.word_with_neighbors(row - 1, index);
            let bits = [here, above, left, above_left];
            let matching = bits.iter().zip(flips).fold(u64::MAX, |all, (b, w)| all & (b ^ w));
            count += u64::from(matching.count_ones());
        }
    }
    count
}

/// Pieces less holes, 8-connected.
#[must_use]
pub fn euler_number(object: &ObjectBits) -> f64 {
    let [one, two, three] = [8, 6, 14].map(|code| n_of_configuration(object, code) as f64);
    one - two - three
}

/// Perimeter by the Crofton formula in four directions, in pixels.
///
/// # Sources
/// As scikit-image 0.26 `perimeter_crofton`.
#[must_use]
pub fn perimeter_crofton(configurations: &[u64; 16]) -> f64 {
    let (corner, quarter) = (FRAC_PI_4 * (1.0 + 1.0 / SQRT_2), PI / (4.0 * SQRT_2));
    let weights = [
        0.0,
        corner,
        quarter,
        PI / (2.0 * SQRT_2),
        0.0,
        corner,
        0.0,
        quarter,
        FRAC_PI_4,
        PI / 2.0,
        quarter,
        quarter,
        FRAC_PI_4,
        PI / 2.0,
        0.0,
        0.0,
    ];
    weights.iter().zip(configurations).map(|(weight, &n)| weight * n as f64).sum()
}

/// Area of the convex hull in pixels, and largest and smallest Feret diameter.
///
/// # Sources
/// As scikit-image 0.26 `area_convex` and `feret_diameter_max`: the hull of the middles of pixel
/// edges counts the pixels on or inside it; the diameters are those of these pixels' outline.
#[must_use]
pub fn convex_hull_measures(object: &Object) -> (f64, Option<(f64, f64)>) {
    let mut rows = vec![None; (object.y1 - object.y0) as usize];
    for run in &object.runs {
        let row = &mut rows[(run.y - object.y0) as usize];
        let (start, last) = (run.start - object.x0, run.end - 1 - object.x0);
        let (first, end) = row.unwrap_or((start, last));
        *row = Some((first.min(start), end.max(last)));
    }
    let filled = Hull::of_rows(&rows).rows(rows.len());
    let n_px = |rows: &Rows| -> u64 {
        rows.iter().flatten().map(|(first, last)| u64::from(last - first + 1)).sum()
    };
    (n_px(&filled) as f64, Hull::of_rows(&filled).calipers())
}

/// Largest, mean and median distance of the pixels to the outside, in pixels.
#[must_use]
pub fn radii(object: &Object) -> [f64; 3] {
    let mut patch = Patch::default();
    patch.lay_out(&object.runs);
    let mut squares = Vec::new();
    squared_distances(&patch, &mut Scratch::default(), &mut squares);
    squares.retain(|&square| square > 0);
    squares.sort_unstable();
    let distances: Vec<f64> = squares.iter().map(|&square| f64::from(square).sqrt()).collect();
    let mean = distances.iter().sum::<f64>() / distances.len() as f64;
    let middle = distances.len() / 2;
    let median = if distances.len() % 2 == 1 {
        distances[middle]
    } else {
        (distances[middle - 1] + distances[middle]) / 2.0
    };
    [distances[distances.len() - 1], mean, median]
}

/// The seven moments after Hu 1962.
#[must_use]
pub fn hu_moments(object: &Object) -> [f64; 7] {
    let moments = Moments::of(object);
    let (cx, cy) = moments.centroid();
    let n = object.n_px() as f64;
    // Third central moments; row exponent first, as scikit-image has them.
    let [mut m30, mut m21, mut m12, mut m03] = [0.0; 4];
    for run in &object.runs {
        let y = f64::from(run.y - object.y0) - cy;
        for x in run.start..run.end {
            let x = f64::from(x - object.x0) - cx;
            m30 += y * y * y;
            m21 += y * y * x;
            m12 += y * x * x;
            m03 += x * x * x;
        }
    }
    let square = n * n;
    let second = |numerator: i128| numerator as f64 / n / square;
    let (n20, n02, n11) = (second(moments.yy), second(moments.xx), second(moments.xy));
    let cube = square * n.sqrt();
    let [n30, n21, n12, n03] = [m30, m21, m12, m03].map(|moment| moment / cube);
    let (t0, t1) = (n30 + n12, n21 + n03);
    let (q0, q1) = (t0 * t0, t1 * t1);
    let n4 = 4.0 * n11;
    let (s, d) = (n20 + n02, n20 - n02);
    let (a, b) = (n30 - 3.0 * n12, 3.0 * n21 - n03);
    let (t0q, t1q) = (t0 * (q0 - 3.0 * q1), t1 * (3.0 * q0 - q1));
    [
        s,
        d * d + n4 * n11,
        a * a + b * b,
        q0 + q1,
        a * t0q + b * t1q,
        d * (q0 - q1) + n4 * t0 * t1,
        b * t0q - a * t1q,
    ]
}
