//! Device: the graphics card that a training's steps are made on.
//!
//! Looks for one by Vulkan, Metal or DirectX, where the feature `train-wgpu` is built in; says which
//! it is, or why there is none. Never takes the processor in a card's place unless it is named.

use burn::tensor::Device;

/// The variable that names the card, in the words of its reader: `DiscreteGpu(1)`, `Cpu`.
#[cfg(feature = "wgpu")]
const CHOICE: &str = "CUBECL_WGPU_DEFAULT_DEVICE";

/// A graphics card that answers.
#[derive(Debug, Clone)]
pub struct Gpu {
    /// Name of the card, and the interface that it is reached by.
    pub name: String,
    /// Where tensors are put.
    pub device: Device,
}

/// No graphics card can be trained on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoGpu {
    /// Nothing here can ask for one.
    #[error(
        "this cellgate was built without graphics cards; build its sources with \
        `--features train-wgpu`, or train on the processor"
    )]
    NotBuilt,
    /// None answers.
    #[error(
        "no graphics card answers: {0}; install its driver with Vulkan, or train on the processor"
    )]
    NotFound(String),
    /// A driver that draws on the processor answers.
    #[error(
        "`{0}` draws on the processor, which trains faster without it; install the graphics card's \
        own driver, or train on the processor"
    )]
    Processor(String),
}

impl Gpu {
    /// The card that the machine takes to be its fastest, or the one that
    /// `CUBECL_WGPU_DEFAULT_DEVICE` names.
    ///
    /// # Errors
    /// [`NoGpu`]; always [`NoGpu::NotBuilt`] without the feature `train-wgpu`.
    #[cfg(feature = "wgpu")]
    pub fn find() -> Result<Self, NoGpu> {
        use burn::tensor::wgpu::wgpu::DeviceType;
        let found = Device::wgpu_options().init_with_setup();
        let (device, setup) = found.map_err(|error| NoGpu::NotFound(error.to_string()))?;
        let about = setup.adapter.get_info();
        let is_chosen = std::env::var_os(CHOICE).is_some();
        if about.device_type == DeviceType::Cpu && !is_chosen {
            return Err(NoGpu::Processor(about.name));
        }
        Ok(Self { name: format!("{} by {}", about.name, about.backend), device })
    }

    /// Finds none: nothing here can ask for one.
    ///
    /// # Errors
    /// [`NoGpu::NotBuilt`].
    #[cfg(not(feature = "wgpu"))]
    pub fn find() -> Result<Self, NoGpu> {
        Err(NoGpu::NotBuilt)
    }
}
