//! Parameters: the numbers that training finds, by name, as the kernels read them.
//!
//! Gives those of a new network, from a seed; takes and gives tensors in PyTorch's order of axes.
//! Running statistics are no parameters: they are measured when weights are kept.

use cellgate_core::unet::architecture::{Architecture, TensorSpec};
use cellgate_core::unet::weights::Weights;
use cellgate_inputs::dataset::random::Random;

/// Random numbers for a new network; apart from every other use of its seed.
const PURPOSE: u64 = 0x7061_7261;

/// Numbers that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// As [`TensorSpec::name`].
    pub name: String,
    /// Lengths of the axes, in the order of the kernels.
    pub shape: Vec<usize>,
    /// The numbers.
    pub values: Vec<f32>,
}

impl Parameter {
    /// Whether weight decay draws it to 0: convolutions, not normalization nor biases.
    #[must_use]
    pub fn decays(&self) -> bool {
        self.shape.len() > 1
    }
}

/// The parameters of a new network, in the order of [`Architecture::tensors`].
///
/// Convolutions before ReLU are normal with variance 2 / inputs, the others with 1 / inputs, where
/// each tap of a 3x3 convolution is an input; scales are 1, shifts and biases 0.
///
/// # Sources
/// He et al. 2015, Delving deep into rectifiers, section 2.2, doi:10.1109/ICCV.2015.123.
#[must_use]
pub fn initialize(architecture: &Architecture, seed: u64) -> Vec<Parameter> {
    let mut random = Random::new(seed, PURPOSE);
    let found = architecture.tensors().into_iter().filter(is_parameter);
    found
        .map(|spec| {
            let n = spec.shape.iter().product::<usize>();
            let values = match variance(&spec) {
                Some(variance) => draw_normals(&mut random, n, variance.sqrt()),
                None if spec.name.ends_with("weight") => vec![1.0; n],
                None => vec![0.0; n],
            };
            Parameter { shape: shape(&spec), name: spec.name, values }
        })
        .collect()
}

/// The parameters of trained weights, in the order of [`Architecture::tensors`].
#[must_use]
pub fn from_weights(weights: &Weights) -> Vec<Parameter> {
    let found = weights.architecture().tensors().into_iter().filter(is_parameter);
    found
        .map(|spec| {
            let values = from_pytorch(&spec, weights.tensor(&spec.name));
            Parameter { shape: shape(&spec), name: spec.name, values }
        })
        .collect()
}

/// Parameters that are not those of an architecture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the parameters are not those of the network: `{name}` is missing or has another shape")]
pub struct ForeignParameters {
    /// The first that does not fit.
    pub name: String,
}

/// Checks that these are the parameters of an architecture, in its order.
///
/// # Errors
/// [`ForeignParameters`] with the first that is not.
pub fn check(
    architecture: &Architecture,
    parameters: &[Parameter],
) -> Result<(), ForeignParameters> {
    let specs = architecture.tensors();
    let mut remaining = parameters.iter();
    for spec in specs.iter().filter(|spec| is_parameter(spec)) {
        let fits = |parameter: &Parameter| {
            let n = parameter.shape.iter().product::<usize>();
            parameter.name == spec.name
                && parameter.shape == shape(spec)
                && parameter.values.len() == n
        };
        if !remaining.next().is_some_and(fits) {
            return Err(ForeignParameters { name: spec.name.clone() });
        }
    }
    match remaining.next() {
        None => Ok(()),
        Some(parameter) => Err(ForeignParameters { name: parameter.name.clone() }),
    }
}

/// Whether training finds a tensor.
#[must_use]
pub fn is_parameter(spec: &TensorSpec) -> bool {
    !spec.name.contains("running_")
}

/// A parameter's numbers in PyTorch's order of axes.
#[must_use]
pub fn to_pytorch(spec: &TensorSpec, values: &[f32]) -> Vec<f32> {
    let mut result = vec![0.0; values.len()];
    for (from, to) in pytorch_indices(spec).enumerate() {
        result[to] = values[from];
    }
    result
}

/// A parameter's numbers in the kernels' order of axes.
#[must_use]
pub fn from_pytorch(spec: &TensorSpec, values: &[f32]) -> Vec<f32> {
    pytorch_indices(spec).map(|place| values[place]).collect()
}

/// The place in PyTorch's order of each number in the kernels' order.
fn pytorch_indices(spec: &TensorSpec) -> impl Iterator<Item = usize> + use<> {
    let axes = kernel_axes(spec);
    let stride = |axis: usize| spec.shape[axis + 1..].iter().product::<usize>();
    let strides: Vec<usize> = axes.iter().map(|axis| stride(*axis)).collect();
    let lengths: Vec<usize> = axes.iter().map(|axis| spec.shape[*axis]).collect();
    (0..lengths.iter().product::<usize>()).map(move |mut rest| {
        let mut place = 0;
        for (length, stride) in lengths.iter().zip(&strides).rev() {
            place += rest % length * stride;
            rest /= length;
        }
        place
    })
}

/// PyTorch's axes in the kernels' order: inputs before outputs, outputs last.
fn kernel_axes(spec: &TensorSpec) -> Vec<usize> {
    match spec.shape.len() {
        4 if is_transposed(spec) => vec![0, 2, 3, 1],
        // Rows and columns first.
        4 => vec![2, 3, 1, 0],
        axes => (0..axes).collect(),
    }
}

/// Whether PyTorch has inputs before outputs.
fn is_transposed(spec: &TensorSpec) -> bool {
    spec.name.ends_with("up.weight") && spec.shape.ends_with(&[2, 2])
}

/// Lengths of the axes in the kernels' order, without the rows and columns of a 1x1 convolution.
#[must_use]
pub fn shape(spec: &TensorSpec) -> Vec<usize> {
    let shape: Vec<usize> = kernel_axes(spec).iter().map(|axis| spec.shape[*axis]).collect();
    match shape.as_slice() {
        [1, 1, inputs, outputs] => vec![*inputs, *outputs],
        _ => shape,
    }
}

/// Variance of a convolution's first weights; nothing for other tensors.
fn variance(spec: &TensorSpec) -> Option<f64> {
    let &[first, second, height, width] = spec.shape.as_slice() else { return None };
    let taps = (height * width) as f64;
    Some(match taps as u32 {
        9 => 2.0 / (taps * second as f64),
        // Every output pixel sees one tap only.
        _ if is_transposed(spec) => 1.0 / first as f64,
        _ => 1.0 / second as f64,
    })
}

fn draw_normals(random: &mut Random, n: usize, deviation: f64) -> Vec<f32> {
    let mut values = Vec::with_capacity(n + 1);
    while values.len() < n {
        values.extend(random.normals().map(|normal| (normal * deviation) as f32));
    }
    values.truncate(n);
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use cellgate_core::unet::architecture::{Normalization, UpSampling};

    fn architecture(up_sampling: UpSampling) -> Architecture {
        let normalization = Normalization::Batch;
        Architecture { in_channels: 3, base_width: 8, depth: 1, normalization, up_sampling }
    }

    #[test]
    fn pytorchs_order_and_back_changes_nothing() {
        for up_sampling in [UpSampling::Transposed, UpSampling::Nearest] {
            let architecture = architecture(up_sampling);
            let specs = architecture.tensors();
            for parameter in initialize(&architecture, 5) {
                let spec = specs.iter().find(|spec| spec.name == parameter.name).unwrap();
                let there = to_pytorch(spec, &parameter.values);
                assert_eq!(from_pytorch(spec, &there), parameter.values, "{}", spec.name);
                assert_eq!(parameter.shape.iter().product::<usize>(), parameter.values.len());
            }
        }
    }

    #[track_caller]
    fn check_place(name: &str, shape: &[usize], there: [usize; 4], here: usize) {
        let spec = TensorSpec { name: name.into(), shape: shape.to_vec() };
        let mut values = vec![0.0; shape.iter().product()];
        let place =
            there.iter().zip(shape).fold(0, |place, (index, length)| place * length + index);
        values[place] = 1.0;
        let moved = from_pytorch(&spec, &values);
        assert_eq!(moved.iter().position(|value| *value == 1.0), Some(here), "{name}");
    }

    #[test]
    fn weights_go_where_the_kernels_look() {
        // Output 4, input 2, row 1, column 2: ((1 x 3 + 2) x 3 + 2) x 8 + 4.
        check_place("encoder.0.conv1.weight", &[8, 3, 3, 3], [4, 2, 1, 2], 140);
        // Input 3, output 5, row 1, column 0: ((3 x 2 + 1) x 2 + 0) x 8 + 5.
        check_place("decoder.0.up.weight", &[16, 8, 2, 2], [3, 5, 1, 0], 117);
        // Output 5, input 3: 3 x 8 + 5.
        check_place("decoder.0.up.weight", &[8, 16, 1, 1], [5, 3, 0, 0], 29);
        check_place("head.weight", &[3, 8, 1, 1], [2, 4, 0, 0], 14);
    }

    #[test]
    fn a_new_network_keeps_the_spread_of_what_passes() {
        let parameters = initialize(&architecture(UpSampling::Transposed), 1);
        let parameter = |name: &str| parameters.iter().find(|other| other.name == name).unwrap();
        let weights = &parameter("encoder.1.conv2.weight").values;
        let square = weights.iter().map(|weight| weight * weight).sum::<f32>();
        let variance = square / weights.len() as f32;
        assert!((variance * (9.0 * 16.0) / 2.0 - 1.0).abs() < 0.1, "{variance}");
        assert!(parameter("encoder.1.norm2.weight").values.iter().all(|scale| *scale == 1.0));
        assert!(parameter("head.bias").values.iter().all(|bias| *bias == 0.0));
        assert_eq!(initialize(&architecture(UpSampling::Transposed), 1), parameters);
        assert_ne!(initialize(&architecture(UpSampling::Transposed), 2), parameters);
    }
}
