//! Model: the U-Net as a module of burn.
//!
//! Takes parameters as the kernels read them and a batch of maps; gives logits, and gradients in
//! the parameters' order. Normalizes by each batch's own statistics: it is for training alone.

use super::parameters::{self, ForeignParameters, Parameter};
use super::{ops, plain};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use cellgate_core::unet::architecture::{Architecture, Normalization};
use cellgate_core::unet::feature_map::{FeatureMap, Shape};

/// Who does the network's operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// The kernels of `unet`, on this machine's processor.
    Kernels,
    /// burn's own operations, on any of its backends.
    Burn,
}

/// The network.
#[derive(Module, Debug)]
pub struct Unet {
    encoder: Vec<Block>,
    /// From the bottom to the top.
    decoder: Vec<Ascent>,
    head: Mixing,
}

/// Two 3x3 convolutions and what follows each.
#[derive(Module, Debug)]
struct Block {
    first: Layer,
    second: Layer,
}

/// A 3x3 convolution and what comes before ReLU.
#[derive(Module, Debug)]
struct Layer {
    /// `[3, 3, in, out]`.
    weight: Param<Tensor<4>>,
    /// Scale of the normalization, if there is one.
    scale: Option<Param<Tensor<1>>>,
    /// Its shift, or the convolution's bias.
    shift: Param<Tensor<1>>,
}

/// Up-sampling and the block after it.
#[derive(Module, Debug)]
struct Ascent {
    /// `[in, 2, 2, out]`, or `[in, 1, 1, out]` for nearest up-sampling.
    weight: Param<Tensor<4>>,
    bias: Param<Tensor<1>>,
    block: Block,
}

/// A 1x1 convolution.
#[derive(Module, Debug)]
struct Mixing {
    /// `[in, out]`.
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

impl Unet {
    /// The network of these parameters, on a device.
    ///
    /// # Errors
    /// [`ForeignParameters`].
    pub fn new(
        architecture: &Architecture,
        parameters: &[Parameter],
        device: &Device,
    ) -> Result<Self, ForeignParameters> {
        parameters::check(architecture, parameters)?;
        let mut parameters = Reading { parameters: parameters.iter(), device };
        let normalization = architecture.normalization;
        let encoder = (0..=architecture.depth).map(|_| parameters.block(normalization)).collect();
        let ascent = |_| Ascent {
            weight: parameters.up_sampling(),
            bias: parameters.next(),
            block: parameters.block(normalization),
        };
        let decoder = (0..architecture.depth).map(ascent).collect();
        let head = Mixing { weight: parameters.next(), bias: parameters.next() };
        Ok(Self { encoder, decoder, head })
    }

    /// Logits of a batch. `observe` gets what each normalization takes, in the order of the data.
    ///
    /// # Shapes
    /// `input`: `[batch, height, width, in_channels]`, edges that are multiples of the stride. The
    /// result has a channel for each output.
    pub fn forward(
        &self,
        input: Tensor<4>,
        engine: Engine,
        observe: &mut dyn FnMut(&Tensor<4>),
    ) -> Tensor<4> {
        let mut skips = Vec::with_capacity(self.decoder.len());
        let mut maps = input;
        for (level, block) in self.encoder.iter().enumerate() {
            let here = block.forward(maps, None, engine, observe);
            maps = if level < self.decoder.len() {
                skips.push(here.clone());
                match engine {
                    Engine::Kernels => ops::pool(here),
                    Engine::Burn => plain::pool(here),
                }
            } else {
                here
            };
        }
        for ascent in &self.decoder {
            let up = ascent.up(maps, engine);
            maps = match skips.pop() {
                Some(skip) => ascent.block.forward(skip, Some(up), engine, observe),
                None => up,
            };
        }
        let (weight, bias) = (self.head.weight.val(), self.head.bias.val());
        match engine {
            Engine::Kernels => ops::head(maps, weight, bias),
            Engine::Burn => plain::head(maps, weight, bias),
        }
    }

    /// The gradients by the parameters, in their order, on this machine; zeros where there is none.
    #[must_use]
    pub fn gradients(&self, gradients: Gradients) -> Vec<Vec<f32>> {
        let mut taking = Taking { gradients, by_parameter: Vec::new() };
        self.visit(&mut taking);
        taking.by_parameter
    }
}

impl Block {
    fn forward(
        &self,
        input: Tensor<4>,
        other: Option<Tensor<4>>,
        engine: Engine,
        observe: &mut dyn FnMut(&Tensor<4>),
    ) -> Tensor<4> {
        let maps = self.first.forward(input, other, engine, observe);
        self.second.forward(maps, None, engine, observe)
    }
}

impl Layer {
    fn forward(
        &self,
        input: Tensor<4>,
        other: Option<Tensor<4>>,
        engine: Engine,
        observe: &mut dyn FnMut(&Tensor<4>),
    ) -> Tensor<4> {
        let weight = self.weight.val();
        let maps = match (engine, other) {
            (Engine::Kernels, None) => ops::conv(input, weight),
            (Engine::Kernels, Some(other)) => ops::conv_of_two(input, other, weight),
            (Engine::Burn, None) => plain::conv(input, weight),
            (Engine::Burn, Some(other)) => plain::conv_of_two(input, other, weight),
        };
        let shift = self.shift.val();
        let Some(scale) = &self.scale else { return plain::shift(maps, shift) };
        observe(&maps);
        match engine {
            Engine::Kernels => ops::normalize(maps, scale.val(), shift),
            Engine::Burn => plain::normalize(maps, scale.val(), shift),
        }
    }
}

impl Ascent {
    fn up(&self, input: Tensor<4>, engine: Engine) -> Tensor<4> {
        let weight = self.weight.val();
        let [inputs, _, _, outputs] = weight.dims();
        // Each pixel four times, then mixed, is a transposed convolution whose taps are alike.
        let weight = weight.expand([inputs, 2, 2, outputs]);
        match engine {
            Engine::Kernels => ops::up(input, weight, self.bias.val()),
            Engine::Burn => plain::up(input, weight, self.bias.val()),
        }
    }
}

/// A batch as a tensor; its numbers are moved, not copied.
#[must_use]
pub fn tensor(map: FeatureMap, device: &Device) -> Tensor<4> {
    let Shape { batch, height, width, channels } = map.shape;
    Tensor::from_data(TensorData::new(map.values, [batch, height, width, channels]), device)
}

/// Parameters in the order of the data, as the module's fields want them.
struct Reading<'a> {
    parameters: std::slice::Iter<'a, Parameter>,
    device: &'a Device,
}

impl Reading<'_> {
    fn next<const D: usize>(&mut self) -> Param<Tensor<D>> {
        let (shape, values) = match self.parameters.next() {
            Some(parameter) => (parameter.shape.clone(), parameter.values.clone()),
            None => (vec![0; D], Vec::new()),
        };
        Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), self.device))
    }

    fn up_sampling(&mut self) -> Param<Tensor<4>> {
        match self.parameters.as_slice().first().map(|parameter| parameter.shape.as_slice()) {
            Some(&[inputs, outputs]) => {
                let mixing = self.next::<2>().val().inner();
                let weight = mixing.reshape([inputs, 1, 1, outputs]);
                Param::from_tensor(Tensor::from_inner(weight))
            }
            _ => self.next(),
        }
    }

    fn layer(&mut self, normalization: Normalization) -> Layer {
        let weight = self.next();
        let scale = match normalization {
            Normalization::Batch => Some(self.next()),
            Normalization::None => None,
        };
        Layer { weight, scale, shift: self.next() }
    }

    fn block(&mut self, normalization: Normalization) -> Block {
        Block { first: self.layer(normalization), second: self.layer(normalization) }
    }
}

/// Takes gradients out in the order of the module's parameters.
struct Taking {
    gradients: Gradients,
    by_parameter: Vec<Vec<f32>>,
}

impl ModuleVisitor for Taking {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        let gradient = parameter.val().grad_remove(&mut self.gradients);
        let values = gradient.and_then(|by| by.into_data().try_into_vec::<f32>().ok());
        let n = parameter.val().shape().num_elements();
        self.by_parameter.push(values.unwrap_or_else(|| vec![0.0; n]));
    }
}
