//! Feature maps: batches of grids with several numbers at each pixel.

/// The shape of a batch of feature maps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shape {
    /// How many maps.
    pub batch: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Numbers at each pixel.
    pub channels: usize,
}

impl Shape {
    /// Numbers in all.
    #[must_use]
    pub fn n_values(&self) -> usize {
        self.n_px() * self.channels
    }

    /// Pixels in all.
    #[must_use]
    pub fn n_px(&self) -> usize {
        self.batch * self.height * self.width
    }

    /// Half the height and width, rounded down.
    #[must_use]
    pub fn halved(self) -> Self {
        Self { height: self.height / 2, width: self.width / 2, ..self }
    }

    /// Twice the height and width.
    #[must_use]
    pub fn doubled(self) -> Self {
        Self { height: 2 * self.height, width: 2 * self.width, ..self }
    }

    /// The same maps with other channels.
    #[must_use]
    pub fn with_channels(self, channels: usize) -> Self {
        Self { channels, ..self }
    }
}

/// A batch of feature maps.
///
/// # Shapes
/// `values[((map * height + row) * width + column) * channels + channel]`, the order that other
/// programs call NHWC or channels-last.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FeatureMap {
    /// The shape.
    pub shape: Shape,
    /// As many numbers as the shape has.
    pub values: Vec<f32>,
}

impl FeatureMap {
    /// Maps of zeros.
    #[must_use]
    pub fn zeros(shape: Shape) -> Self {
        Self { shape, values: vec![0.0; shape.n_values()] }
    }

    /// Takes another shape in the same memory, for someone who writes every number: what they are
    /// until then is not said.
    pub fn reshape(&mut self, shape: Shape) {
        self.shape = shape;
        self.values.resize(shape.n_values(), 0.0);
    }

    /// The same maps, borrowed.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View { shape: self.shape, values: &self.values }
    }
}

/// A batch of feature maps whose numbers lie elsewhere.
///
/// # Shapes
/// As [`FeatureMap`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View<'a> {
    /// The shape.
    pub shape: Shape,
    /// As many numbers as the shape has.
    pub values: &'a [f32],
}
