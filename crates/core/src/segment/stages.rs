//! Stages: segmentation step by step, so that a changed key repeats only what lies behind it.
//!
//! The result of each stage is kept under the digest of the image, its pixel size and exactly the
//! keys that this stage and those before it read, as `profile::keys` lists them. One result a stage is
//! kept, the last.

use super::SegmentError;
use super::plan::{Followed, Plan};
use super::threshold::Cut;
use crate::digest::Digest;
use crate::grid::components::Components;
use crate::nuclei::resample::Resampling;
use crate::nuclei::signal::Signal;
use crate::nuclei::split::Region;
use crate::profile::Profile;
use crate::profile::keys::{Stage, settings};
use crate::raster::{Image, Labels};
use crate::unet::plan::Network;
use crate::unet::{Prediction, UnetError};
use crate::units::PixelSize;
use std::fmt::Write as _;
use std::sync::Arc;

/// An image to segment, and what it is known by.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The image.
    pub image: &'a Image,
    /// A digest that no other image has: its file's, or its pixels'.
    pub digest: Digest,
    /// Its pixel size; `None` when nobody knows it.
    pub pixel_size: Option<PixelSize>,
}

/// Segmentation whose stages are kept.
///
/// # Examples
/// ```
/// # use cellgate_core::{digest::Digest, raster::{Image, Raster}, units::{Area, Length}};
/// # use cellgate_core::profile::*;
/// use cellgate_core::profile::keys::Stage;
/// use cellgate_core::segment::{Stages, Subject};
/// # let classical = Classical {
/// #     channel: Channel::Gray,
/// #     background: Background::None,
/// #     smoothing: Smoothing { median_radius: Length::Px(0.0), sigma: Length::Px(1.0) },
/// #     threshold: Threshold {
/// #         method: ThresholdMethod::Otsu,
/// #         correction_factor: 1.0,
/// #         bounds: [0.0, 1.0],
/// #         log_transform: false,
/// #     },
/// #     split: Split { method: SplitMethod::Shape, suppression: Suppression::Auto, h: 0.75 },
/// # };
/// # let mut profile = Profile {
/// #     name: "p".to_owned(),
/// #     description: None,
/// #     image: ImageSpec {
/// #         modality: Modality::Fluorescence,
/// #         pixel_size: None,
/// #         working_pixel_size: None,
/// #     },
/// #     stains: None,
/// #     method: Method::Classical(classical),
/// #     morphology: Morphology {
/// #         open_radius: Length::Px(0.0),
/// #         close_radius: Length::Px(0.0),
/// #         fill_holes_max_area: Area::Px2(0.0),
/// #         min_area: Area::Px2(10.0),
/// #         max_area: None,
/// #         exclude_border: false,
/// #     },
/// #     classify: None,
/// #     measure: vec![MeasureGroup::Shape],
/// # };
/// # let disk = |x: u32, y: u32| x.abs_diff(20).pow(2) + y.abs_diff(20).pow(2) < 100;
/// # let image = Image::Gray8(Raster::from_fn(40, 40, |x, y| if disk(x, y) { 200 } else { 20 }));
/// let subject = Subject { image: &image, digest: Digest::of_bytes(b"a disk"), pixel_size: None };
/// let mut stages = Stages::with_cache();
/// stages.segment(subject, &profile)?;
/// profile.morphology.exclude_border = true;
/// stages.segment(subject, &profile)?;
/// assert_eq!(stages.ran(), [Stage::Clean]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Stages {
    /// Results of earlier stages are kept.
    kept_before: Stage,
    ran: Vec<Stage>,
    signal: Slot<Signal>,
    flat: Slot<Signal>,
    smooth: Slot<Signal>,
    cut: Slot<Cut>,
    mask: Slot<Mask>,
    nuclei: Slot<Nuclei>,
    cleaned: Slot<Labels>,
    prediction: Slot<Prediction>,
    decoded: Slot<Labels>,
}

impl Stages {
    /// Keeps the result of every stage.
    #[must_use]
    pub fn with_cache() -> Self {
        Self::with_cache_before(Stage::Measure)
    }

    /// Keeps the results of the stages before one, for two profiles that differ from there on.
    #[must_use]
    pub fn with_cache_before(stage: Stage) -> Self {
        Self {
            kept_before: stage,
            ran: Vec::new(),
            signal: Slot::default(),
            flat: Slot::default(),
            smooth: Slot::default(),
            cut: Slot::default(),
            mask: Slot::default(),
            nuclei: Slot::default(),
            cleaned: Slot::default(),
            prediction: Slot::default(),
            decoded: Slot::default(),
        }
    }

    /// Keeps nothing: each result goes to the stage that reads it last.
    pub(super) fn without_cache() -> Self {
        Self::with_cache_before(Stage::Signal)
    }

    /// The stages that the last segmentation ran, in their order; the others were known.
    #[must_use]
    pub fn ran(&self) -> &[Stage] {
        &self.ran
    }

    /// As [`super::segment`], from the first stage on that reads something new.
    ///
    /// # Errors
    /// [`SegmentError`], before any pixel is touched.
    pub fn segment(
        &mut self,
        subject: Subject<'_>,
        profile: &Profile,
    ) -> Result<Labels, SegmentError> {
        self.invalidate_stale(&subject, profile, &CLASSICAL);
        self.segment_classical(subject.image, profile, subject.pixel_size)
    }

    /// As [`crate::unet::segment`], without the network where its answer is known.
    ///
    /// # Errors
    /// [`UnetError`], before anything is predicted.
    pub fn segment_with(
        &mut self,
        subject: Subject<'_>,
        profile: &Profile,
        network: &Network,
    ) -> Result<Labels, UnetError> {
        self.invalidate_stale(&subject, profile, &NETWORK);
        let Subject { image, pixel_size, .. } = subject;
        let labels = self.get_or_compute(
            Stage::Decode,
            Reader::Last,
            |stages| &mut stages.decoded,
            |stages| {
                let predict =
                    |_: &mut Self| Prediction::of_image(image, profile, network, pixel_size);
                stages
                    .get_or_compute(
                        Stage::Prediction,
                        Reader::Last,
                        |stages| &mut stages.prediction,
                        predict,
                    )?
                    .labels(profile, (image.width(), image.height()))
            },
        )?;
        Ok(Arc::unwrap_or_clone(labels))
    }

    /// The classical path, from the first stage on whose result is not there.
    pub(super) fn segment_classical(
        &mut self,
        image: &Image,
        profile: &Profile,
        pixel_size: Option<PixelSize>,
    ) -> Result<Labels, SegmentError> {
        let working = profile.image.working_pixel_size;
        let resampling = Resampling::between(pixel_size, working);
        let plan = Plan::new(profile, resampling.working_pixel_size(pixel_size))?;
        let path = Path { image, profile, resampling, plan: &plan };
        Ok(Arc::unwrap_or_clone(path.labels(self)?))
    }

    /// The result of a stage: what is known of it, or what `make` gives.
    ///
    /// It stays for whoever asks next, unless `reader` is the last one and the stage is not kept.
    fn get_or_compute<T, E>(
        &mut self,
        stage: Stage,
        reader: Reader,
        slot: fn(&mut Self) -> &mut Slot<T>,
        make: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<Arc<T>, E> {
        let result = match slot(self).result.take() {
            Some(known) => known,
            None => {
                let computed = Arc::new(make(self)?);
                self.ran.push(stage);
                computed
            }
        };
        if stage < self.kept_before || reader == Reader::OneOfSeveral {
            slot(self).result = Some(Arc::clone(&result));
        }
        Ok(result)
    }

    /// Drops results that rest on something else than an image and a profile say.
    fn invalidate_stale(&mut self, subject: &Subject<'_>, profile: &Profile, path: &[Stage]) {
        self.ran.clear();
        let pixel = subject.pixel_size.map_or_else(String::new, |pixel| pixel.to_string());
        // Writing to a text cannot fail.
        let mut read = format!("{} {pixel}", subject.digest);
        for &stage in path {
            let of_stage = settings(profile).filter(|set| set.stage(profile) == Some(stage));
            for set in of_stage {
                let _ = write!(read, "\n{}: ", set.path());
                let _ = write!(read, "{}", set.setting.json());
            }
            let key = Digest::of_bytes(read.as_bytes());
            read = key.to_string();
            match stage {
                Stage::Signal => self.signal.invalidate_unless(key),
                Stage::Background => self.flat.invalidate_unless(key),
                Stage::Smooth => self.smooth.invalidate_unless(key),
                Stage::Threshold => self.cut.invalidate_unless(key),
                Stage::Mask => self.mask.invalidate_unless(key),
                Stage::Split => self.nuclei.invalidate_unless(key),
                Stage::Clean => self.cleaned.invalidate_unless(key),
                Stage::Prediction => self.prediction.invalidate_unless(key),
                Stage::Decode => self.decoded.invalidate_unless(key),
                Stage::Measure => {}
            }
        }
    }
}

/// Stages of the classical path.
const CLASSICAL: [Stage; 7] = [
    Stage::Signal,
    Stage::Background,
    Stage::Smooth,
    Stage::Threshold,
    Stage::Mask,
    Stage::Split,
    Stage::Clean,
];

/// Stages of a network's path.
const NETWORK: [Stage; 2] = [Stage::Prediction, Stage::Decode];

/// Who asks for the result of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// Others ask for it later in the same run.
    OneOfSeveral,
    /// Nobody asks for it later in the same run.
    Last,
}

/// The result of a stage, and what it rests on.
#[derive(Debug)]
struct Slot<T> {
    key: Option<Digest>,
    result: Option<Arc<T>>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { key: None, result: None }
    }
}

impl<T> Slot<T> {
    /// Drops a result that rests on something else.
    fn invalidate_unless(&mut self, key: Digest) {
        if self.key != Some(key) {
            *self = Self { key: Some(key), result: None };
        }
    }
}

/// The classical path of one profile through one image, each stage asking for those it reads.
struct Path<'a> {
    image: &'a Image,
    profile: &'a Profile,
    resampling: Resampling,
    plan: &'a Plan<'a>,
}

impl Path<'_> {
    fn signal(&self, stages: &mut Stages) -> Result<Arc<Signal>, SegmentError> {
        stages.get_or_compute(
            Stage::Signal,
            Reader::Last,
            |stages| &mut stages.signal,
            |_| {
                let channel = self.plan.channel();
                let signal = Signal::of_channel(self.image, channel, self.profile.stains.as_ref())?;
                Ok(Signal { raster: self.resampling.downsample(signal.raster), ..signal })
            },
        )
    }

    fn flat(&self, stages: &mut Stages, reader: Reader) -> Result<Arc<Signal>, SegmentError> {
        stages.get_or_compute(
            Stage::Background,
            reader,
            |stages| &mut stages.flat,
            |stages| Ok(self.plan.flatten(Arc::unwrap_or_clone(self.signal(stages)?))),
        )
    }

    fn smooth(&self, stages: &mut Stages, reader: Reader) -> Result<Arc<Signal>, SegmentError> {
        stages.get_or_compute(
            Stage::Smooth,
            reader,
            |stages| &mut stages.smooth,
            |stages| {
                let reader = self.reader_before_split(Followed::Flat);
                Ok(self.plan.smooth(Arc::unwrap_or_clone(self.flat(stages, reader)?)))
            },
        )
    }

    fn cut(&self, stages: &mut Stages) -> Result<Arc<Cut>, SegmentError> {
        stages.get_or_compute(
            Stage::Threshold,
            Reader::Last,
            |stages| &mut stages.cut,
            |stages| Ok(self.plan.cut(&*self.smooth(stages, Reader::OneOfSeveral)?)),
        )
    }

    fn mask(&self, stages: &mut Stages) -> Result<Arc<Mask>, SegmentError> {
        stages.get_or_compute(
            Stage::Mask,
            Reader::Last,
            |stages| &mut stages.mask,
            |stages| {
                let cut = self.cut(stages)?;
                let smooth = self.smooth(stages, self.reader_before_split(Followed::Smooth))?;
                let size = (smooth.raster.width(), smooth.raster.height());
                Ok(Mask { components: self.plan.mask(&smooth, *cut), size })
            },
        )
    }

    fn nuclei(&self, stages: &mut Stages) -> Result<Arc<Nuclei>, SegmentError> {
        stages.get_or_compute(
            Stage::Split,
            Reader::Last,
            |stages| &mut stages.nuclei,
            |stages| {
                let mask = self.mask(stages)?;
                let followed = match self.plan.split_signal() {
                    Followed::None => None,
                    Followed::Flat => Some(self.flat(stages, Reader::Last)?),
                    Followed::Smooth => Some(self.smooth(stages, Reader::Last)?),
                };
                let landscape = self.plan.landscape(followed.map(Arc::unwrap_or_clone));
                let regions = self.plan.split(&mask.components, mask.size, &landscape);
                Ok(Nuclei { regions, size: mask.size })
            },
        )
    }

    fn labels(&self, stages: &mut Stages) -> Result<Arc<Labels>, SegmentError> {
        stages.get_or_compute(
            Stage::Clean,
            Reader::Last,
            |stages| &mut stages.cleaned,
            |stages| {
                let nuclei = Arc::unwrap_or_clone(self.nuclei(stages)?);
                let retained = self.plan.cleaning.keep(nuclei.regions, nuclei.size);
                Ok(self.resampling.paint(&retained, self.image.width(), self.image.height()))
            },
        )
    }

    /// Who asks for a signal before the split does: somebody else asks later where the split follows
    /// that signal.
    fn reader_before_split(&self, signal: Followed) -> Reader {
        if self.plan.split_signal() == signal { Reader::OneOfSeveral } else { Reader::Last }
    }
}

/// Regions of the foreground.
#[derive(Debug)]
struct Mask {
    components: Components,
    /// Width and height that they were found in.
    size: (u32, u32),
}

/// Nuclei before any is dropped.
#[derive(Debug, Clone)]
struct Nuclei {
    regions: Vec<Region>,
    /// Width and height that they were found in.
    size: (u32, u32),
}
