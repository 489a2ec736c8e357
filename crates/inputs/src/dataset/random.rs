//! Random numbers that are the same on every machine.
//!
//! Integer arithmetic gives the bits; whatever is made of them uses sums, products and square roots
//! only, or the portable functions of `libm`.

use std::cell::Cell;

/// SplitMix64: one 64-bit state, one multiplication chain.
///
/// # Sources
/// Steele, Lea, Flood 2014, Fast splittable pseudorandom number generators,
/// doi:10.1145/2660193.2660195.
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// A generator of its own for each purpose, so that more draws for one do not shift another.
    pub fn new(seed: u64, purpose: u64) -> Self {
        Self { state: mix(seed ^ mix(purpose)) }
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.state)
    }

    /// Evenly spread in `[low, high)`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * unit(self.bits())
    }

    /// True with a probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        unit(self.bits()) < probability
    }

    /// A whole number below `n`; 0 when `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        (unit(self.bits()) * n as f64) as usize
    }

    /// A direction: cosine and sine of an angle evenly spread over the circle.
    pub fn direction(&mut self) -> (f64, f64) {
        let angle = self.between(0.0, std::f64::consts::TAU);
        (libm::cos(angle), libm::sin(angle))
    }

    /// Two independent normal numbers of mean 0 and standard deviation 1.
    ///
    /// # Sources
    /// Box, Muller 1958, A note on the generation of random normal deviates,
    /// doi:10.1214/aoms/1177706645.
    pub fn normals(&mut self) -> [f64; 2] {
        // From (0, 1], so that the logarithm is finite.
        let radius = (-2.0 * libm::log(1.0 - unit(self.bits()))).sqrt();
        let (cos, sin) = self.direction();
        [radius * cos, radius * sin]
    }

    /// Puts items in random order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            items.swap(end, self.below(end + 1));
        }
    }
}

/// Smooth noise over the plane, 0 to 1, with bumps of about `cell` pixels.
#[derive(Debug, Clone, Copy)]
pub struct Noise {
    seed: u64,
}

impl Noise {
    /// Noise of its own for each seed and purpose.
    pub fn new(seed: u64, purpose: u64) -> Self {
        Self { seed: mix(seed ^ mix(purpose)) }
    }

    /// The noise at a point.
    pub(crate) fn at(self, x: f64, y: f64, cell: f64) -> f64 {
        self.with_bumps_of(cell).at(x, y)
    }

    /// The noise with bumps of one size, for points that follow each other.
    pub fn with_bumps_of(self, cell: f64) -> Bumps {
        Bumps { noise: self, cell, last: Cell::default() }
    }

    /// The four corners around a place of the lattice: left and right above, left and right below.
    fn corners(self, column: i64, row: i64, cell: f64) -> [f64; 4] {
        let line = |row: i64| mix(row as u64 ^ cell.to_bits());
        let corner = |column: i64, line: u64| unit(mix(self.seed ^ mix(column as u64 ^ line)));
        let pair = |line| [corner(column, line), corner(column + 1, line)];
        let ([a, b], [c, d]) = (pair(line(row)), pair(line(row + 1)));
        [a, b, c, d]
    }
}

/// Noise with bumps of one size; it keeps the corners around the last point.
#[derive(Debug, Clone)]
pub struct Bumps {
    noise: Noise,
    cell: f64,
    last: Cell<Option<(i64, i64, [f64; 4])>>,
}

impl Bumps {
    /// The noise at a point.
    pub fn at(&self, x: f64, y: f64) -> f64 {
        let (x, y) = (x / self.cell, y / self.cell);
        let (column, row) = (floor(x), floor(y));
        let (right, down) = (smooth(x - column as f64), smooth(y - row as f64));
        let corners = match self.last.get() {
            Some((last_column, last_row, corners)) if (last_column, last_row) == (column, row) => {
                corners
            }
            _ => self.noise.corners(column, row, self.cell),
        };
        self.last.set(Some((column, row, corners)));
        let [upper_left, upper_right, lower_left, lower_right] = corners;
        let upper = upper_left + (upper_right - upper_left) * right;
        let lower = lower_left + (lower_right - lower_left) * right;
        upper + (lower - upper) * down
    }
}

/// Rises from 0 to 1 without corners while `t` goes from 0 to 1.
pub(crate) fn smooth(t: f64) -> f64 {
    let t = t.clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// The largest whole number that is not above; for numbers of less than 2^53.
fn floor(number: f64) -> i64 {
    let whole = number as i64;
    whole - i64::from(number < whole as f64)
}

fn mix(value: u64) -> u64 {
    let value = (value ^ value >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ value >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ value >> 31
}

/// The upper 53 bits as a number in `[0, 1)`.
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_numbers_are_those_of_the_published_generator() {
        let mut random = Random { state: 1_234_567 };
        assert_eq!(
            [random.bits(), random.bits()],
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]
        );
    }

    #[test]
    fn normals_have_their_mean_and_spread() {
        let mut random = Random::new(1, 2);
        let numbers: Vec<f64> = (0..10_000).flat_map(|_| random.normals()).collect();
        let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
        let variance =
            numbers.iter().map(|n| (n - mean) * (n - mean)).sum::<f64>() / numbers.len() as f64;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
    }

    #[test]
    fn noise_is_smooth_and_within_its_range() {
        let noise = Noise::new(7, 1);
        for step in 0..400 {
            let x = f64::from(step) * 0.25 - 50.0;
            let (here, there) = (noise.at(x, 3.0, 8.0), noise.at(x + 0.01, 3.0, 8.0));
            assert!((0.0..=1.0).contains(&here) && (here - there).abs() < 0.01);
        }
    }
}
