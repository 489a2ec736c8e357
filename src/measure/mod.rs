//! Measure: from labels and image to one row of numbers for each nucleus.

/// One row for each nucleus, column by column.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Nuclei {
    /// Object numbers, rising.
    pub labels: Vec<u32>,
    /// Measurements, in the order of the table.
    pub columns: Vec<Column>,
    /// Positivity, when the profile classifies.
    pub classes: Option<Vec<Class>>,
}

/// One measurement of all nuclei.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Name as in the table's header, with the unit as its ending.
    pub name: String,
    /// One value for each nucleus; `None` where the measurement is undefined.
    pub values: Vec<Option<f64>>,
}

/// Positivity of a nucleus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Below the lowest threshold.
    Negative,
    /// At or above the only threshold.
    Positive,
    /// Weak.
    OnePlus,
    /// Moderate.
    TwoPlus,
    /// Strong.
    ThreePlus,
}

impl Nuclei {
    /// Number of nuclei.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no nucleus.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The values of the column of that name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&[Option<f64>]> {
        let named = |column: &&Column| column.name == name;
        self.columns.iter().find(named).map(|column| column.values.as_slice())
    }
}

impl Class {
    /// The class as it stands in tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Negative => "negative",
            Self::Positive => "positive",
            Self::OnePlus => "1+",
            Self::TwoPlus => "2+",
            Self::ThreePlus => "3+",
        }
    }
}
