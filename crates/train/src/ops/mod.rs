//! Ops: the network's operations on burn's tensors, done by the kernels of `unet`.
//!
//! Takes and gives tensors of burn's processor backend; maps are `[batch, height, width,
//! channels]`. Each operation has a hand-written gradient; nothing is copied on the way between a
//! tensor and a kernel. `plain` does the same by burn's own operations.

mod operation;
mod operations;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use cellgate_core::unet::batch_norm;
use operation::{Local, Operation};
use operations::{Conv, ConvOfTwo, Head, Loss, Normalize, Pool, Up, view};
use std::fmt;
use std::marker::PhantomData;

/// Operations of the kernels on tensors of a backend.
#[backend_extension(Flex, Autodiff)]
trait Kernels: Backend {
    /// 3x3 convolution.
    fn conv(input: FloatTensor<Self>, weights: FloatTensor<Self>) -> FloatTensor<Self>;
    /// 3x3 convolution of two inputs, whose channels follow each other.
    fn conv_of_two(
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        weights: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
    /// Batch normalization and ReLU.
    fn normalize(
        input: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
    /// 2x2 max pooling.
    fn pool(input: FloatTensor<Self>) -> FloatTensor<Self>;
    /// Transposed 2x2 convolution.
    fn up(
        input: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
    /// 1x1 convolution.
    fn head(
        input: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
    /// The parts of the loss.
    fn loss(
        logits: FloatTensor<Self>,
        targets: FloatTensor<Self>,
        weights: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

/// 3x3 convolution with zero padding.
///
/// # Shapes
/// `weights`: `[3, 3, in, out]`.
pub(super) fn conv(input: Tensor<4>, weights: Tensor<4>) -> Tensor<4> {
    let (input, weights) = (input.into_dispatch(), weights.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Kernels>::conv(input, weights))
}

/// 3x3 convolution of two inputs, whose channels follow each other.
///
/// # Shapes
/// `weights`: `[3, 3, in, out]`, where `in` is the channels of both.
pub(super) fn conv_of_two(first: Tensor<4>, second: Tensor<4>, weights: Tensor<4>) -> Tensor<4> {
    let (first, second) = (first.into_dispatch(), second.into_dispatch());
    let weights = weights.into_dispatch();
    Tensor::from_dispatch(<Dispatch as Kernels>::conv_of_two(first, second, weights))
}

/// Batch normalization by the batch's own statistics, then ReLU.
pub(super) fn normalize(input: Tensor<4>, scale: Tensor<1>, shift: Tensor<1>) -> Tensor<4> {
    let (scale, shift) = (scale.into_dispatch(), shift.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Kernels>::normalize(input.into_dispatch(), scale, shift))
}

/// The greatest of each 2x2 pixels.
pub(super) fn pool(input: Tensor<4>) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Kernels>::pool(input.into_dispatch()))
}

/// Transposed 2x2 convolution of stride 2.
///
/// # Shapes
/// `weights`: `[in, 2, 2, out]`.
pub(super) fn up(input: Tensor<4>, weights: Tensor<4>, bias: Tensor<1>) -> Tensor<4> {
    let (weights, bias) = (weights.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Kernels>::up(input.into_dispatch(), weights, bias))
}

/// 1x1 convolution.
///
/// # Shapes
/// `weights`: `[in, out]`.
pub(super) fn head(input: Tensor<4>, weights: Tensor<2>, bias: Tensor<1>) -> Tensor<4> {
    let (weights, bias) = (weights.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Kernels>::head(input.into_dispatch(), weights, bias))
}

/// The parts of the loss, in the order of `loss::Part`.
pub(super) fn loss(logits: Tensor<4>, targets: Tensor<4>, weights: Tensor<4>) -> Tensor<1> {
    let (targets, weights) = (targets.into_dispatch(), weights.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Kernels>::loss(logits.into_dispatch(), targets, weights))
}

/// Mean and variance of each channel over a batch, outside of autodiff.
pub(super) fn statistics(input: Tensor<4>) -> Option<batch_norm::Statistics> {
    let input = input.without_autodiff().try_into_primitive::<Flex>().ok()?.to_contiguous();
    Some(batch_norm::statistics(view(&input)))
}

/// The backward step of an operation.
struct Step<O>(PhantomData<fn() -> O>);

impl<O> fmt::Debug for Step<O> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(std::any::type_name::<O>())
    }
}

impl<O: Operation<N>, const N: usize> Backward<Flex, N> for Step<O> {
    type State = ([Local; N], O::Kept);

    fn backward(
        self,
        ops: Ops<Self::State, N>,
        gradients: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = gradients.consume::<Flex>(&ops.node).to_contiguous();
        let (inputs, saved) = ops.state;
        let is_needed = ops.parents.each_ref().map(Option::is_some);
        let results = O::backward(&inputs, &saved, view(&gradient), is_needed);
        for (parent, result) in ops.parents.into_iter().zip(results) {
            if let (Some(parent), Some(result)) = (parent, result) {
                gradients.register::<Flex>(parent.id, result);
            }
        }
    }
}

/// Does an operation and records it for the way back.
fn record<O: Operation<N>, C: CheckpointStrategy, const N: usize>(
    inputs: [FloatTensor<Autodiff<Flex, C>>; N],
) -> FloatTensor<Autodiff<Flex, C>> {
    let nodes = inputs.each_ref().map(|input| input.node());
    let inputs = inputs.map(|input| input.into_primitive().to_contiguous());
    let (output, saved) = O::forward(&inputs);
    match Step::<O>(PhantomData).prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(step) => step.finish((inputs, saved), output),
        OpsKind::UnTracked(step) => step.finish(output),
    }
}

/// Does an operation.
fn perform<O: Operation<N>, const N: usize>(inputs: [Local; N]) -> Local {
    O::forward(&inputs.map(|input| input.to_contiguous())).0
}

impl Kernels for Flex {
    fn conv(input: Local, weights: Local) -> Local {
        perform::<Conv, 2>([input, weights])
    }

    fn conv_of_two(first: Local, second: Local, weights: Local) -> Local {
        perform::<ConvOfTwo, 3>([first, second, weights])
    }

    fn normalize(input: Local, scale: Local, shift: Local) -> Local {
        perform::<Normalize, 3>([input, scale, shift])
    }

    fn pool(input: Local) -> Local {
        perform::<Pool, 1>([input])
    }

    fn up(input: Local, weights: Local, bias: Local) -> Local {
        perform::<Up, 3>([input, weights, bias])
    }

    fn head(input: Local, weights: Local, bias: Local) -> Local {
        perform::<Head, 3>([input, weights, bias])
    }

    fn loss(logits: Local, targets: Local, weights: Local) -> Local {
        perform::<Loss, 3>([logits, targets, weights])
    }
}

impl<C: CheckpointStrategy> Kernels for Autodiff<Flex, C> {
    fn conv(input: FloatTensor<Self>, weights: FloatTensor<Self>) -> FloatTensor<Self> {
        record::<Conv, C, 2>([input, weights])
    }

    fn conv_of_two(
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        weights: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        record::<ConvOfTwo, C, 3>([first, second, weights])
    }

    fn normalize(
        input: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        shift: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        record::<Normalize, C, 3>([input, scale, shift])
    }

    fn pool(input: FloatTensor<Self>) -> FloatTensor<Self> {
        record::<Pool, C, 1>([input])
    }

    fn up(
        input: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        record::<Up, C, 3>([input, weights, bias])
    }

    fn head(
        input: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        record::<Head, C, 3>([input, weights, bias])
    }

    fn loss(
        logits: FloatTensor<Self>,
        targets: FloatTensor<Self>,
        weights: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        record::<Loss, C, 3>([logits, targets, weights])
    }
}
