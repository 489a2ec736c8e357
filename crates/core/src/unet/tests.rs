//! The way through a network against numbers by hand, a plain computation and itself.

use super::architecture::Architecture;
use super::architecture::{NORMALIZATION_EPSILON, Normalization, TensorSpec, UpSampling};
use super::feature_map::{FeatureMap, Shape};
use super::input::InputScaling;
use super::mirror::{Flip, pad};
use super::plan::Network;
use super::tiles;
use super::weights::{Precision, Weights};
use crate::vectors::portable;

const TINY: Architecture = Architecture {
    in_channels: 2,
    base_width: 8,
    depth: 2,
    normalization: Normalization::Batch,
    up_sampling: UpSampling::Transposed,
};

/// Numbers from -1 to 1 that look random.
fn random_numbers(seed: u64) -> impl FnMut() -> f32 {
    let mut state = seed.wrapping_mul(2_862_933_555_777_941_757).wrapping_add(3_037_000_493);
    move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    }
}

/// Weights by a rule.
fn weights_by(
    architecture: Architecture,
    mut values: impl FnMut(&TensorSpec) -> Vec<f32>,
) -> Weights {
    let specs = architecture.tensors();
    let tensors = specs.iter().map(|spec| (spec.name.clone(), values(spec))).collect();
    Weights::new(architecture, InputScaling::default(), tensors).unwrap()
}

/// Weights that keep the size of what flows through, as after an initialization.
fn random_weights(architecture: Architecture) -> Weights {
    let mut next = random_numbers(5);
    weights_by(architecture, |spec| {
        let n_values = spec.shape.iter().product::<usize>();
        let fan = if spec.shape.len() > 1 { n_values / spec.shape[0] } else { 4 };
        let size = (6.0 / fan as f32).sqrt();
        let is_positive = spec.name.ends_with("running_var")
            || spec.name.contains("norm") && spec.name.ends_with(".weight");
        (0..n_values)
            .map(|_| if is_positive { 1.0 + 0.5 * next() } else { size * next() })
            .collect()
    })
}

fn random_map(batch: usize, height: usize, width: usize) -> FeatureMap {
    let shape = Shape { batch, height, width, channels: TINY.in_channels as usize };
    let mut next = random_numbers(17);
    FeatureMap { shape, values: (0..shape.n_values()).map(|_| next()).collect() }
}

#[track_caller]
fn assert_close(found: &FeatureMap, expected: &FeatureMap, tolerance: f32) {
    assert_eq!(found.shape, expected.shape);
    let pairs = found.values.iter().zip(&expected.values);
    let worst = pairs.map(|(one, two)| (one - two).abs()).fold(0.0, f32::max);
    assert!(worst <= tolerance, "differs by {worst}");
}

/// Answer to a constant image, far from its border, of a network whose convolutions all have the
/// same weight and bias: every channel of a map has one value.
fn constant_answer(architecture: &Architecture, weight: f64, bias: f64, value: f64) -> f64 {
    let normalized = |value: f64| match architecture.normalization {
        Normalization::None => value + bias,
        // Scale 2, bias 0.25, mean 0.5, variance 4.
        Normalization::Batch => {
            2.0 * (value - 0.5) / (4.0 + f64::from(NORMALIZATION_EPSILON)).sqrt() + 0.25
        }
    };
    let convolved = |inputs: f64, value: f64| normalized(9.0 * inputs * weight * value).max(0.0);
    let width = |level| architecture.width(level) as f64;
    let mut skips = Vec::new();
    let (mut inputs, mut value) = (f64::from(architecture.in_channels), value);
    for level in 0..=architecture.depth {
        value = convolved(width(level), convolved(inputs, value));
        inputs = width(level);
        skips.push(value);
    }
    for level in (0..architecture.depth).rev() {
        let up = width(level + 1) * weight * value + bias;
        // Half of the channels come from the encoder, half from below.
        let mean = (skips[level as usize] + up) / 2.0;
        value = convolved(width(level), convolved(2.0 * width(level), mean));
    }
    1.0 / (1.0 + (-(width(0) * weight * value + bias)).exp())
}

#[track_caller]
fn check_constant(architecture: Architecture) {
    let (weight, bias, value) = (0.02, 0.125, 0.75);
    let constant = |spec: &TensorSpec| {
        let number = match spec.name.rsplit('.').next().unwrap() {
            "weight" if spec.name.contains("norm") => 2.0,
            "bias" if spec.name.contains("norm") => 0.25,
            "running_mean" => 0.5,
            "running_var" => 4.0,
            "bias" => bias as f32,
            _ => weight as f32,
        };
        vec![number; spec.shape.iter().product()]
    };
    let network = Network::new(&weights_by(architecture, constant));
    let size = 4 * architecture.reach_px().next_multiple_of(architecture.stride());
    let shape =
        Shape { batch: 1, height: size, width: size, channels: architecture.in_channels as usize };
    let input = FeatureMap { shape, values: vec![value as f32; shape.n_values()] };
    let answer = network.predict(&input);
    let expected = constant_answer(&architecture, f64::from(weight as f32), bias, value);
    let middle = (size / 2 * size + size / 2) * 3;
    for found in &answer.values[middle..middle + 3] {
        assert!((f64::from(*found) - expected).abs() < 1e-5, "{found} is not {expected}");
    }
}

#[test]
fn constant_weights_give_what_a_hand_computes() {
    for (normalization, up_sampling, depth) in [
        (Normalization::None, UpSampling::Transposed, 1),
        (Normalization::None, UpSampling::Nearest, 1),
        (Normalization::Batch, UpSampling::Transposed, 1),
        (Normalization::Batch, UpSampling::Nearest, 2),
    ] {
        check_constant(Architecture { normalization, up_sampling, depth, ..TINY });
    }
}

/// One map as planes of `f64`, for the plain computation.
type Planes = Vec<Vec<Vec<f64>>>;

/// The network as its definition says, number by number, without folding anything.
struct Plain<'a>(&'a Weights);

impl Plain<'_> {
    fn tensor(&self, name: &str, at: usize) -> f64 {
        f64::from(self.0.tensor(name)[at])
    }

    fn predict(&self, input: &FeatureMap) -> Vec<f64> {
        let Shape { height, width, channels, .. } = input.shape;
        let at = |c: usize, y: usize, x: usize| input.values[(y * width + x) * channels + c];
        let mut map: Planes = (0..channels)
            .map(|c| {
                (0..height).map(|y| (0..width).map(|x| f64::from(at(c, y, x))).collect()).collect()
            })
            .collect();
        let depth = self.0.architecture().depth as usize;
        let mut skips = Vec::new();
        for level in 0..=depth {
            map = self.block(&format!("encoder.{level}"), &map);
            if level < depth {
                skips.push(map.clone());
                map = map.iter().map(|plane| max_pool(plane)).collect();
            }
        }
        for level in (0..depth).rev() {
            let mut joined = skips.pop().unwrap();
            joined.extend(self.up_sample(&format!("decoder.{level}.up"), &map));
            map = self.block(&format!("decoder.{level}"), &joined);
        }
        let mut answer = Vec::new();
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            for output in 0..3 {
                let weight = |i: usize| self.tensor("head.weight", output * map.len() + i);
                let sum: f64 =
                    map.iter().enumerate().map(|(i, plane)| weight(i) * plane[y][x]).sum();
                let logit = sum + self.tensor("head.bias", output);
                answer.push(1.0 / (1.0 + (-logit).exp()));
            }
        }
        answer
    }

    fn block(&self, name: &str, map: &Planes) -> Planes {
        self.convolution(name, 2, &self.convolution(name, 1, map))
    }

    fn convolution(&self, name: &str, number: usize, map: &Planes) -> Planes {
        let weight = format!("{name}.conv{number}.weight");
        let outputs = self.0.tensor(&weight).len() / (9 * map.len());
        let (height, width) = (map[0].len() as isize, map[0][0].len() as isize);
        let pixel = |output: usize, y: isize, x: isize| {
            let mut sum = 0.0;
            for (input, plane) in map.iter().enumerate() {
                for tap in 0..9 {
                    let (y, x) = (y + tap / 3 - 1, x + tap % 3 - 1);
                    if (0..height).contains(&y) && (0..width).contains(&x) {
                        let at = (output * map.len() + input) * 9 + tap as usize;
                        sum += self.tensor(&weight, at) * plane[y as usize][x as usize];
                    }
                }
            }
            self.normalize(name, number, output, sum).max(0.0)
        };
        let row = |output, y| (0..width).map(|x| pixel(output, y, x)).collect();
        (0..outputs).map(|output| (0..height).map(|y| row(output, y)).collect()).collect()
    }

    fn normalize(&self, name: &str, number: usize, output: usize, value: f64) -> f64 {
        let part = |part: &str| self.tensor(&format!("{name}.norm{number}.{part}"), output);
        match self.0.architecture().normalization {
            Normalization::None => {
                value + self.tensor(&format!("{name}.conv{number}.bias"), output)
            }
            Normalization::Batch => {
                let deviation = (part("running_var") + f64::from(NORMALIZATION_EPSILON)).sqrt();
                (value - part("running_mean")) / deviation * part("weight") + part("bias")
            }
        }
    }

    fn up_sample(&self, name: &str, map: &Planes) -> Planes {
        let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
        let outputs = self.0.tensor(&bias).len();
        let is_nearest = self.0.architecture().up_sampling == UpSampling::Nearest;
        let pixel = |output: usize, y: usize, x: usize| {
            let term = |(input, plane): (usize, &Vec<Vec<f64>>)| {
                let at = if is_nearest {
                    output * map.len() + input
                } else {
                    ((input * outputs + output) * 2 + y % 2) * 2 + x % 2
                };
                self.tensor(&weight, at) * plane[y / 2][x / 2]
            };
            map.iter().enumerate().map(term).sum::<f64>() + self.tensor(&bias, output)
        };
        let (height, width) = (2 * map[0].len(), 2 * map[0][0].len());
        let row = |output, y| (0..width).map(|x| pixel(output, y, x)).collect();
        (0..outputs).map(|output| (0..height).map(|y| row(output, y)).collect()).collect()
    }
}

/// The greatest of each 2x2 pixels.
fn max_pool(plane: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let pixel = |y: usize, x: usize| {
        let four = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(dy, dx)| plane[2 * y + dy][2 * x + dx]);
        four.into_iter().fold(f64::NEG_INFINITY, f64::max)
    };
    let row = |y| (0..plane[0].len() / 2).map(|x| pixel(y, x)).collect();
    (0..plane.len() / 2).map(row).collect()
}

#[test]
fn the_plan_gives_what_the_definition_says() {
    for normalization in [Normalization::Batch, Normalization::None] {
        for up_sampling in [UpSampling::Transposed, UpSampling::Nearest] {
            let weights = random_weights(Architecture { normalization, up_sampling, ..TINY });
            let input = random_map(1, 20, 28);
            let answer = Network::new(&weights).predict(&input);
            let expected: Vec<f32> =
                Plain(&weights).predict(&input).iter().map(|&value| value as f32).collect();
            assert!(expected.iter().any(|value| *value < 0.4), "the answer says something");
            let shape = input.shape.with_channels(3);
            assert_close(&answer, &FeatureMap { shape, values: expected }, 1e-4);
        }
    }
}

#[test]
fn sizes_that_do_not_divide_are_mirrored_and_cropped() {
    let network = Network::new(&random_weights(TINY));
    for (height, width) in [(1, 1), (3, 8), (13, 21), (16, 5)] {
        let input = random_map(1, height, width);
        let answer = network.predict(&input);
        assert_eq!(answer.shape, input.shape.with_channels(3));
        let whole = network.predict(&pad(&input, 4).unwrap());
        assert_eq!(answer, super::mirror::crop(whole, height, width));
        assert!(answer.values.iter().all(|value| (0.0..=1.0).contains(value)));
    }
    let nothing = network.predict(&random_map(1, 0, 7));
    assert_eq!((nothing.shape.height, nothing.values.len()), (0, 0));
}

#[test]
fn a_batch_gives_what_its_maps_give() {
    let network = Network::new(&random_weights(TINY));
    let batch = random_map(3, 18, 22);
    let answer = network.predict(&batch);
    let n_values = 18 * 22;
    for map in 0..3 {
        let shape = Shape { batch: 1, ..batch.shape };
        let values = batch.values[map * n_values * 2..][..n_values * 2].to_vec();
        let one = network.predict(&FeatureMap { shape, values });
        let values = answer.values[map * n_values * 3..][..n_values * 3].to_vec();
        assert_close(&FeatureMap { shape: one.shape, values }, &one, 1e-6);
    }
}

#[test]
fn tiles_leave_no_seams() {
    let network = Network::new(&random_weights(TINY));
    // The least tile is twice the margin of 44 and a stride of 4.
    for (height, width, tile_px) in [(150, 131, 92), (150, 131, 1), (96, 230, 96), (60, 60, 96)] {
        let input = random_map(2, height, width);
        let tiled = tiles::predict(&network, &input, tile_px, false);
        assert_close(&tiled, &network.predict(&input), 1e-5);
    }
}

#[test]
fn mirror_images_have_mirrored_answers() {
    let network = Network::new(&random_weights(TINY));
    for (height, width) in [(16, 20), (13, 21), (101, 47)] {
        let input = random_map(1, height, width);
        let answer = tiles::predict(&network, &input, 64, true);
        for flip in Flip::ALL {
            let mirrored = tiles::predict(&network, &flip.apply(&input), 64, true);
            assert_eq!(flip.apply(&mirrored), answer, "to the bit");
        }
        let once = tiles::predict(&network, &input, 64, false);
        assert!(once != answer, "the mean is another than the single answer");
    }
}

#[test]
fn nearest_up_sampling_is_a_transposed_one_with_equal_parts() {
    let nearest = random_weights(Architecture { up_sampling: UpSampling::Nearest, ..TINY });
    let twin = weights_by(TINY, |spec| {
        let weight = nearest.tensor(&spec.name);
        if !spec.name.ends_with("up.weight") {
            return weight.to_vec();
        }
        let (inputs, outputs) = (spec.shape[0], spec.shape[1]);
        let pairs = (0..inputs).flat_map(|input| (0..outputs).map(move |output| (input, output)));
        pairs.flat_map(|(input, output)| [weight[output * inputs + input]; 4]).collect()
    });
    let input = random_map(1, 24, 24);
    assert_eq!(Network::new(&nearest).predict(&input), Network::new(&twin).predict(&input));
}

#[test]
fn half_precision_changes_probabilities_little() {
    let weights = random_weights(TINY);
    let half = Weights::read(&weights.to_bytes(Precision::Half).unwrap()).unwrap();
    let input = random_map(1, 32, 32);
    let (single, half) = (Network::new(&weights), Network::new(&half));
    assert_close(&half.predict(&input), &single.predict(&input), 5e-3);
}

#[test]
fn threads_do_not_change_a_bit() {
    let network = Network::new(&random_weights(TINY));
    let input = random_map(1, 130, 97);
    let on = |n_threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| tiles::predict(&network, &input, 96, true))
    };
    assert_eq!(on(1), on(3));
}

#[test]
fn processors_without_wide_vectors_give_the_same_probabilities() {
    let network = Network::new(&random_weights(TINY));
    let input = random_map(2, 70, 53);
    let found = portable::run(|| {
        assert!(portable::is_wanted());
        // Weights are prepared by the same kernels.
        Network::new(&random_weights(TINY)).predict(&input)
    });
    assert_close(&found, &network.predict(&input), 1e-4);
}
