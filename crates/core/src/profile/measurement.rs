//! Measurement: the measurements of a nucleus, and those that can decide about positivity.

use super::image::Channel;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Positivity: the class of a nucleus by one of its measurements.
#[derive(Debug, Clone, PartialEq)]
pub struct Classify {
    /// The measurement that decides.
    pub measurement: ClassMeasurement,
    /// One threshold (negative, positive) or three (negative, 1+, 2+, 3+), rising; a value at a
    /// threshold belongs above it.
    pub thresholds: Vec<f64>,
}

/// An intensity measurement: a statistic of one channel inside the nucleus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassMeasurement {
    /// The channel.
    pub channel: Channel,
    /// The statistic.
    pub statistic: Statistic,
}

impl ClassMeasurement {
    /// All that may decide about positivity.
    pub fn all() -> impl Iterator<Item = Self> {
        let channels = [Channel::Gray, Channel::HematoxylinOd, Channel::DabOd, Channel::EosinOd];
        let statistics = [Statistic::Mean, Statistic::Max];
        channels
            .into_iter()
            .flat_map(move |channel| statistics.map(|statistic| Self { channel, statistic }))
    }

    /// The measurement as a column of `nuclei.csv` names it: `dab_od_mean`.
    #[must_use]
    pub fn word(self) -> String {
        let channel = self.channel.as_str();
        match self.statistic {
            Statistic::Mean => format!("{channel}_mean"),
            Statistic::Max => format!("{channel}_max"),
        }
    }
}

/// A statistic of one channel inside a nucleus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    /// Arithmetic mean.
    Mean,
    /// Largest value.
    Max,
}

/// A group of measurements.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum MeasureGroup {
    /// Size and form.
    Shape,
    /// Mean, standard deviation, minimum, maximum (and sum) of each channel.
    Intensity,
    /// Perimeter by the Crofton formula.
    Crofton,
    /// Median and quartiles of each channel.
    Quartiles,
    /// Largest, mean and median distance to the outside.
    Radius,
    /// Seven moments after Hu 1962.
    Hu,
}
