//! Ready: a profile with all that it needs to run, whatever its method.
//!
//! A network is loaded once, before the first field: never by the threads that share fields.

use super::cache::{Cache, Key};
use super::field::FieldRun;
use super::models::{ModelError, Models};
use cellgate_core::measure::{Request, ShapesDiffer, measure};
use cellgate_core::raster::{Image, Labels};
use cellgate_core::score::summarize;
use cellgate_core::segment::{SegmentError, Stages, Subject, segment};
use cellgate_core::unet::plan::Network;
use cellgate_core::unet::{self, UnetError};
use cellgate_core::units::PixelSize;
use cellgate_inputs::params::Params;
use std::sync::Arc;

/// How many fields a network finds nuclei in at the same time, so that memory stays bounded on
/// machines with many cores; each field keeps all cores busy by itself.
const NETWORKS_AT_ONCE: usize = 4;

/// A field could not be run.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RunError {
    /// It cannot be segmented.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// The network cannot segment it.
    #[error(transparent)]
    Unet(#[from] UnetError),
    /// The profile's network is not to be had.
    #[error(transparent)]
    Model(Arc<ModelError>),
    /// It cannot be measured.
    #[error(transparent)]
    Measure(#[from] ShapesDiffer),
}

/// Segments and measures one image with a profile that has no network; see [`Ready`] for all.
///
/// # Errors
/// [`RunError`].
pub fn run_field(
    image: &Image,
    params: &Params,
    pixel_size: Option<PixelSize>,
) -> Result<FieldRun, RunError> {
    Ready::new(params, Models::default()).run(image, pixel_size)
}

/// A result, and whether it was known before.
#[derive(Debug, Clone, PartialEq)]
pub struct Cached {
    /// The result.
    pub run: FieldRun,
    /// Whether it came from the cache.
    pub was_known: bool,
}

/// A profile and its network, or why there is none.
#[derive(Debug)]
pub struct Ready<'a> {
    params: &'a Params,
    network: Option<Result<Network, Arc<ModelError>>>,
}

impl<'a> Ready<'a> {
    /// A profile whose fields cannot be run where its network is not to be had; results that are
    /// known need no network.
    #[must_use]
    pub fn new(params: &'a Params, models: Models<'_>) -> Self {
        let network = params.unet().map(|unet| models.network(unet).map_err(Arc::new));
        Self { params, network }
    }

    /// A profile whose network is there.
    ///
    /// # Errors
    /// [`ModelError`].
    pub fn load(params: &'a Params, models: Models<'_>) -> Result<Self, ModelError> {
        let network = params.unet().map(|unet| models.network(unet)).transpose()?;
        Ok(Self { params, network: network.map(Ok) })
    }

    /// The profile.
    #[must_use]
    pub fn params(&self) -> &'a Params {
        self.params
    }

    /// How many fields are best run at the same time.
    #[must_use]
    pub fn n_at_once(&self) -> usize {
        if self.params.unet().is_some() { NETWORKS_AT_ONCE } else { usize::MAX }
    }

    /// Segments and measures one image.
    ///
    /// # Errors
    /// [`RunError`].
    pub fn run(&self, image: &Image, pixel_size: Option<PixelSize>) -> Result<FieldRun, RunError> {
        let labels = match &self.network {
            None => segment(image, self.params, pixel_size)?,
            Some(network) => {
                unet::segment(image, self.params, require_network(network)?, pixel_size)?
            }
        };
        self.measure_field(labels, image, pixel_size)
    }

    /// As [`Self::run`], from the first stage on that is not known.
    ///
    /// # Errors
    /// [`RunError`].
    pub fn run_stages(
        &self,
        subject: Subject<'_>,
        stages: &mut Stages,
    ) -> Result<FieldRun, RunError> {
        let labels = match &self.network {
            None => stages.segment(subject, self.params)?,
            Some(network) => {
                stages.segment_with(subject, self.params, require_network(network)?)?
            }
        };
        self.measure_field(labels, subject.image, subject.pixel_size)
    }

    /// As [`Self::run`], or the result that a cache has under `key`; what was computed is kept there.
    ///
    /// With `stages` what they know is not computed again, nor is what they keep for the next run.
    ///
    /// # Errors
    /// [`RunError`]; a cache that cannot be read or written is none.
    pub fn run_cached(
        &self,
        image: &Image,
        key: &Key,
        cache: Option<&Cache>,
        stages: Option<&mut Stages>,
    ) -> Result<Cached, RunError> {
        if let Some(run) = cache.and_then(|cache| cache.load(key)) {
            return Ok(Cached { run, was_known: true });
        }
        let run = match stages {
            None => self.run(image, key.pixel_size)?,
            Some(stages) => {
                let Key { field: digest, pixel_size, .. } = *key;
                self.run_stages(Subject { image, digest, pixel_size }, stages)?
            }
        };
        if let Some(cache) = cache {
            // A result that cannot be kept is computed again next time; nothing is wrong with it.
            let _ = cache.store(key, &run);
        }
        Ok(Cached { run, was_known: false })
    }

    fn measure_field(
        &self,
        labels: Labels,
        image: &Image,
        pixel_size: Option<PixelSize>,
    ) -> Result<FieldRun, RunError> {
        let nuclei = measure(&labels, image, &Request::of_profile(self.params, pixel_size))?;
        let summary = summarize(&labels, &nuclei, image, pixel_size);
        Ok(FieldRun { labels, nuclei, summary })
    }
}

/// The network, when it is to be had.
fn require_network(network: &Result<Network, Arc<ModelError>>) -> Result<&Network, RunError> {
    network.as_ref().map_err(|error| RunError::Model(Arc::clone(error)))
}
