//! Score: one row of numbers for each field, as pathologists read them.

/// What one field comes to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Summary {
    /// Columns of the field.
    pub width_px: u32,
    /// Rows of the field.
    pub height_px: u32,
    /// Number of nuclei.
    pub n_nuclei: u32,
    /// Nuclei by square millimeter; `None` without a pixel size.
    pub density_per_mm2: Option<f64>,
    /// Fraction of the field that nuclei cover, 0 to 1.
    pub area_fraction: f64,
    /// Positive nuclei, in percent; `None` without classes or nuclei.
    pub positive_percent: Option<f64>,
    /// H-score, 0 to 300; `None` without three thresholds or without nuclei.
    pub h_score: Option<f64>,
    /// Allred total, 0 to 8; `None` without three thresholds or without nuclei.
    pub allred: Option<u32>,
    /// Mean brightness of the whole field, 0 to 1.
    pub brightness_mean: f64,
}

impl Summary {
    /// The numbers by their column's name, in the order of `fields.csv`.
    #[must_use]
    pub fn metrics(&self) -> [(&'static str, Option<f64>); 9] {
        [
            ("width_px", Some(f64::from(self.width_px))),
            ("height_px", Some(f64::from(self.height_px))),
            ("nuclei", Some(f64::from(self.n_nuclei))),
            ("density_per_mm2", self.density_per_mm2),
            ("area_fraction", Some(self.area_fraction)),
            ("positive_percent", self.positive_percent),
            ("h_score", self.h_score),
            ("allred", self.allred.map(f64::from)),
            ("brightness_mean", Some(self.brightness_mean)),
        ]
    }
}
