//! cellgate's engine: from the pixels of a microscope image to labeled nuclei, their measurements,
//! and how far two runs or a run and the truth lie apart.
//!
//! Images and profiles in, labels and numbers out: nothing here reads files, asks the clock or
//! the network, or starts programs. Equal inputs give equal bytes, on every thread count and every
//! machine.
//!
//! The order of the modules is the floor plan of the crate: a module uses only what stands above it.
//!
//! # Examples
//! Two bright disks on a dark image are two nuclei:
//! ```
//! use cellgate_core::measure::{Request, measure};
//! use cellgate_core::profile::*;
//! use cellgate_core::raster::{Image, Raster};
//! use cellgate_core::segment::segment;
//! use cellgate_core::units::{Area, Length, PixelSize};
//!
//! let inside = |x: u32, y: u32, cx: u32| x.abs_diff(cx).pow(2) + y.abs_diff(32).pow(2) < 100;
//! let image = Image::Gray8(Raster::from_fn(96, 64, |x, y| {
//!     if inside(x, y, 25) || inside(x, y, 70) { 200 } else { 20 }
//! }));
//!
//! let profile = Profile {
//!     name: "disks".to_owned(),
//!     description: None,
//!     image: ImageSpec {
//!         modality: Modality::Fluorescence,
//!         pixel_size: None,
//!         working_pixel_size: None,
//!     },
//!     stains: None,
//!     method: Method::Classical(Classical {
//!         channel: Channel::Gray,
//!         background: Background::None,
//!         smoothing: Smoothing { median_radius: Length::Px(0.0), sigma: Length::Px(0.0) },
//!         threshold: Threshold {
//!             method: ThresholdMethod::Otsu,
//!             correction_factor: 1.0,
//!             bounds: [0.0, 1.0],
//!             log_transform: false,
//!         },
//!         split: Split { method: SplitMethod::Shape, suppression: Suppression::Auto, h: 0.75 },
//!     }),
//!     morphology: Morphology {
//!         open_radius: Length::Px(0.0),
//!         close_radius: Length::Px(0.0),
//!         fill_holes_max_area: Area::Px2(0.0),
//!         min_area: Area::Px2(10.0),
//!         max_area: None,
//!         exclude_border: false,
//!     },
//!     classify: None,
//!     measure: vec![MeasureGroup::Shape, MeasureGroup::Intensity],
//! };
//!
//! let pixel = PixelSize::from_um(0.5);
//! let labels = segment(&image, &profile, pixel)?;
//! let nuclei = measure(&labels, &image, &Request::of_profile(&profile, pixel))?;
//! assert_eq!(nuclei.len(), 2);
//! assert_eq!(nuclei.column("area_px2"), Some(&[Some(305.0), Some(305.0)][..]));
//! assert_eq!(nuclei.column("area_um2"), Some(&[Some(76.25), Some(76.25)][..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// Foundations: small things that do not know the word nucleus.
pub mod digest;
pub mod raster;
pub mod units;
pub mod vectors;
pub mod grid;
pub mod preparation;

// What people ask for: the cell parameters, and how far measurements may move.
pub mod profile;
pub mod tolerances;

// Pixels: from image to labels to numbers.
pub mod stain;
pub mod nuclei;
pub mod unet;
pub mod segment;
pub mod measure;
pub mod score;

// Judgement: compare, decide nothing.
pub mod overlap;
pub mod accuracy;
pub mod drift;
