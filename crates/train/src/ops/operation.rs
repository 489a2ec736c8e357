//! Operation: a step of a network with its own way back.

use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;
use cellgate_core::unet::feature_map::View;
use std::fmt;

/// Tensors whose numbers lie in this process's memory.
pub(super) type Local = FloatTensor<Flex>;

/// An operation of `N` inputs and its gradient.
pub(super) trait Operation<const N: usize>: fmt::Debug + 'static {
    /// Values that the gradient needs besides the inputs.
    type Kept: Clone + fmt::Debug + Send + 'static;

    /// The output.
    fn forward(inputs: &[Local; N]) -> (Local, Self::Kept);

    /// The gradients by the inputs that are wanted, from the gradient by the output.
    fn backward(
        inputs: &[Local; N],
        saved: &Self::Kept,
        gradient: View<'_>,
        is_needed: [bool; N],
    ) -> [Option<Local>; N];
}
