//! Operations: each kernel with its inputs, its output and the values kept for its gradient.

use super::operation::{Local, Operation};
use crate::loss;
use burn::tensor::TensorData;
use cellgate_core::unet::batch_norm;
use cellgate_core::unet::conv;
use cellgate_core::unet::feature_map::{FeatureMap, Shape, View};
use cellgate_core::unet::head;
use cellgate_core::unet::pooling;
use cellgate_core::unet::up_sampling;

/// 3x3 convolution.
#[derive(Debug)]
pub(super) struct Conv;

impl Operation<2> for Conv {
    type Kept = ();

    fn forward([input, weights]: &[Local; 2]) -> (Local, ()) {
        let outputs = last_axis_len(weights);
        (to_tensor(conv::forward(&[view(input)], values_of(weights), outputs)), ())
    }

    fn backward(
        [input, weights]: &[Local; 2],
        (): &(),
        gradient: View<'_>,
        [by_input, by_weights]: [bool; 2],
    ) -> [Option<Local>; 2] {
        let input = view(input);
        let channels = [input.shape.channels];
        let inputs = by_input.then(|| {
            conv::input_gradients(gradient, values_of(weights), &channels).into_iter().next()
        });
        let by_weights =
            by_weights.then(|| tensor_like(weights, conv::weight_gradient(&[input], gradient)));
        [inputs.flatten().map(to_tensor), by_weights]
    }
}

/// 3x3 convolution of two inputs.
#[derive(Debug)]
pub(super) struct ConvOfTwo;

impl Operation<3> for ConvOfTwo {
    type Kept = ();

    fn forward([first, second, weights]: &[Local; 3]) -> (Local, ()) {
        let inputs = [view(first), view(second)];
        (to_tensor(conv::forward(&inputs, values_of(weights), last_axis_len(weights))), ())
    }

    fn backward(
        [first, second, weights]: &[Local; 3],
        (): &(),
        gradient: View<'_>,
        [by_first, by_second, by_weights]: [bool; 3],
    ) -> [Option<Local>; 3] {
        let inputs = [view(first), view(second)];
        let by_weights =
            by_weights.then(|| tensor_like(weights, conv::weight_gradient(&inputs, gradient)));
        if !(by_first || by_second) {
            return [None, None, by_weights];
        }
        let channels = inputs.map(|input| input.shape.channels);
        let by_inputs = conv::input_gradients(gradient, values_of(weights), &channels);
        let mut by_inputs = by_inputs.into_iter().map(to_tensor);
        [by_inputs.next(), by_inputs.next(), by_weights]
    }
}

/// Batch normalization and ReLU.
#[derive(Debug)]
pub(super) struct Normalize;

impl Operation<3> for Normalize {
    type Kept = batch_norm::Statistics;

    fn forward([input, scale, shift]: &[Local; 3]) -> (Local, batch_norm::Statistics) {
        let statistics = batch_norm::statistics(view(input));
        let output =
            batch_norm::forward(view(input), &statistics, values_of(scale), values_of(shift));
        (to_tensor(output), statistics)
    }

    fn backward(
        [input, scale, shift]: &[Local; 3],
        saved: &batch_norm::Statistics,
        gradient: View<'_>,
        _is_needed: [bool; 3],
    ) -> [Option<Local>; 3] {
        let by =
            batch_norm::backward(view(input), saved, values_of(scale), values_of(shift), gradient);
        [
            Some(to_tensor(by.input)),
            Some(tensor_like(scale, by.scale)),
            Some(tensor_like(shift, by.shift)),
        ]
    }
}

/// 2x2 max pooling.
#[derive(Debug)]
pub(super) struct Pool;

impl Operation<1> for Pool {
    type Kept = Vec<u8>;

    fn forward([input]: &[Local; 1]) -> (Local, Vec<u8>) {
        let (output, places) = pooling::forward(view(input));
        (to_tensor(output), places)
    }

    fn backward(
        [input]: &[Local; 1],
        saved: &Vec<u8>,
        gradient: View<'_>,
        _is_needed: [bool; 1],
    ) -> [Option<Local>; 1] {
        [Some(to_tensor(pooling::backward(gradient, saved, view(input).shape)))]
    }
}

/// Transposed 2x2 convolution.
#[derive(Debug)]
pub(super) struct Up;

impl Operation<3> for Up {
    type Kept = ();

    fn forward([input, weights, bias]: &[Local; 3]) -> (Local, ()) {
        (to_tensor(up_sampling::forward(view(input), values_of(weights), values_of(bias))), ())
    }

    fn backward(
        [input, weights, bias]: &[Local; 3],
        (): &(),
        gradient: View<'_>,
        _is_needed: [bool; 3],
    ) -> [Option<Local>; 3] {
        let by = up_sampling::backward(view(input), values_of(weights), gradient);
        [
            Some(to_tensor(by.input)),
            Some(tensor_like(weights, by.weights)),
            Some(tensor_like(bias, by.bias)),
        ]
    }
}

/// 1x1 convolution.
#[derive(Debug)]
pub(super) struct Head;

impl Operation<3> for Head {
    type Kept = ();

    fn forward([input, weights, bias]: &[Local; 3]) -> (Local, ()) {
        (to_tensor(head::forward(view(input), values_of(weights), values_of(bias))), ())
    }

    fn backward(
        [input, weights, bias]: &[Local; 3],
        (): &(),
        gradient: View<'_>,
        _is_needed: [bool; 3],
    ) -> [Option<Local>; 3] {
        let by = head::backward(view(input), values_of(weights), gradient);
        [
            Some(to_tensor(by.input)),
            Some(tensor_like(weights, by.weights)),
            Some(tensor_like(bias, by.bias)),
        ]
    }
}

/// The parts of the loss.
#[derive(Debug)]
pub(super) struct Loss;

impl Operation<3> for Loss {
    type Kept = ();

    fn forward([logits, targets, weights]: &[Local; 3]) -> (Local, ()) {
        let parts = loss::parts(view(logits), view(targets), view(weights));
        (Local::from_data(TensorData::new(parts.to_vec(), [parts.len()])), ())
    }

    fn backward(
        [logits, targets, weights]: &[Local; 3],
        (): &(),
        gradient: View<'_>,
        _is_needed: [bool; 3],
    ) -> [Option<Local>; 3] {
        let mut factors = [0.0; loss::PARTS];
        factors.iter_mut().zip(gradient.values).for_each(|(factor, by)| *factor = *by);
        let by_logits = loss::gradient(view(logits), view(targets), view(weights), factors);
        [Some(to_tensor(by_logits)), None, None]
    }
}

/// The numbers of a tensor that lies without gaps.
fn values_of(tensor: &Local) -> &[f32] {
    tensor.storage()
}

/// Length of the last axis.
fn last_axis_len(tensor: &Local) -> usize {
    tensor.layout().shape().as_slice().last().copied().unwrap_or(0)
}

/// A tensor of maps as the kernels read it; fewer axes count as one map of one pixel row.
pub(super) fn view(tensor: &Local) -> View<'_> {
    let mut axes = [1; 4];
    let shape = tensor.layout().shape();
    axes.iter_mut().rev().zip(shape.iter().rev()).for_each(|(axis, length)| *axis = *length);
    let [batch, height, width, channels] = axes;
    View { shape: Shape { batch, height, width, channels }, values: values_of(tensor) }
}

/// A tensor of what a kernel gave.
fn to_tensor(map: FeatureMap) -> Local {
    let Shape { batch, height, width, channels } = map.shape;
    Local::from_data(TensorData::new(map.values, [batch, height, width, channels]))
}

/// A tensor shaped as another.
fn tensor_like(tensor: &Local, values: Vec<f32>) -> Local {
    Local::from_data(TensorData::new(values, tensor.layout().shape().clone()))
}
