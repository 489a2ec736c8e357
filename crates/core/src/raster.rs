//! Rasters: rectangular grids of samples, row by row from the top left.
//!
//! `x` is the column, `y` the row. Nothing here knows what the samples mean.

/// A `height` by `width` grid of samples, stored row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raster<T> {
    width: u32,
    height: u32,
    samples: Vec<T>,
}

/// Object numbers: 0 is background, every other value names one nucleus.
pub type Labels = Raster<u32>;

impl<T: Copy> Raster<T> {
    /// Makes a raster with every sample set to `value`.
    #[must_use]
    pub fn filled(width: u32, height: u32, value: T) -> Self {
        Self { width, height, samples: vec![value; width as usize * height as usize] }
    }

    /// Wraps samples; `None` when their number is not `width` times `height`.
    #[must_use]
    pub fn from_samples(width: u32, height: u32, samples: Vec<T>) -> Option<Self> {
        (samples.len() == width as usize * height as usize).then_some(Self {
            width,
            height,
            samples,
        })
    }

    /// Makes a raster by asking for each sample as `(x, y)`.
    #[must_use]
    pub fn from_fn(width: u32, height: u32, sample: impl Fn(u32, u32) -> T) -> Self {
        let at = |y| (0..width).map(move |x| (x, y));
        let samples = (0..height).flat_map(at).map(|(x, y)| sample(x, y)).collect();
        Self { width, height, samples }
    }

    /// The sample in column `x` of row `y`.
    #[must_use]
    pub fn at(&self, x: u32, y: u32) -> T {
        self.samples[y as usize * self.width as usize + x as usize]
    }

    /// Replaces the sample in column `x` of row `y`.
    pub fn set(&mut self, x: u32, y: u32, value: T) {
        self.samples[y as usize * self.width as usize + x as usize] = value;
    }

    /// Makes a raster of the same shape by converting each sample.
    #[must_use]
    pub fn map<U: Copy>(&self, convert: impl Fn(T) -> U) -> Raster<U> {
        let samples = self.samples.iter().map(|&sample| convert(sample)).collect();
        Raster { width: self.width, height: self.height, samples }
    }
}

impl<T> Raster<T> {
    /// Number of columns.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Number of rows.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Number of samples.
    #[must_use]
    pub fn n_px(&self) -> usize {
        self.samples.len()
    }

    /// All samples, row by row.
    #[must_use]
    pub fn samples(&self) -> &[T] {
        &self.samples
    }

    /// All samples, row by row, to be changed.
    pub fn samples_mut(&mut self) -> &mut [T] {
        &mut self.samples
    }

    /// The samples of row `y`.
    #[must_use]
    pub fn row(&self, y: u32) -> &[T] {
        let width = self.width as usize;
        &self.samples[y as usize * width..][..width]
    }

    /// The samples of row `y`, to be changed.
    pub fn row_mut(&mut self, y: u32) -> &mut [T] {
        let width = self.width as usize;
        &mut self.samples[y as usize * width..][..width]
    }

    /// Gives the samples away, row by row.
    #[must_use]
    pub fn into_samples(self) -> Vec<T> {
        self.samples
    }

    /// Whether another raster has the same width and height.
    #[must_use]
    pub fn has_same_shape<U>(&self, other: &Raster<U>) -> bool {
        self.width == other.width && self.height == other.height
    }
}

/// A decoded microscope image, exactly as stored: no sample is scaled or rounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Image {
    /// One channel, 0 to 255.
    Gray8(Raster<u8>),
    /// One channel, 0 to 65,535.
    Gray16(Raster<u16>),
    /// Red, green, blue, 0 to 255.
    Rgb8(Raster<[u8; 3]>),
    /// Red, green, blue, 0 to 65,535.
    Rgb16(Raster<[u16; 3]>),
}

impl Image {
    /// Number of columns.
    #[must_use]
    pub fn width(&self) -> u32 {
        match self {
            Self::Gray8(raster) => raster.width(),
            Self::Gray16(raster) => raster.width(),
            Self::Rgb8(raster) => raster.width(),
            Self::Rgb16(raster) => raster.width(),
        }
    }

    /// Number of rows.
    #[must_use]
    pub fn height(&self) -> u32 {
        match self {
            Self::Gray8(raster) => raster.height(),
            Self::Gray16(raster) => raster.height(),
            Self::Rgb8(raster) => raster.height(),
            Self::Rgb16(raster) => raster.height(),
        }
    }

    /// Whether the image has red, green and blue.
    #[must_use]
    pub fn is_color(&self) -> bool {
        matches!(self, Self::Rgb8(_) | Self::Rgb16(_))
    }

    /// The value that stands for full brightness.
    #[must_use]
    pub fn max_value(&self) -> f64 {
        match self {
            Self::Gray8(_) | Self::Rgb8(_) => 255.0,
            Self::Gray16(_) | Self::Rgb16(_) => 65_535.0,
        }
    }
}

/// Writes a label image as a matrix: rows end with `;`.
///
/// # Examples
/// ```
/// let labels = cellgate_core::labels![1, 1, 0; 0, 0, 2];
/// assert_eq!((labels.width(), labels.height()), (3, 2));
/// assert_eq!(labels.at(2, 1), 2);
/// ```
#[macro_export]
macro_rules! labels {
    ($($($label:expr),+);+ $(;)?) => {{
        let rows: Vec<Vec<u32>> = vec![$(vec![$($label),+]),+];
        let (height, width) = (rows.len() as u32, rows[0].len() as u32);
        $crate::raster::Labels::from_samples(width, height, rows.concat()).expect("rows of one length")
    }};
}
