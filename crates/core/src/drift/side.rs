//! Side: the results of a field that are compared, and the fates of its nuclei.

use super::pairing::Pairing;
use super::structure::FateCounts;
use crate::measure::Nuclei;
use crate::raster::Labels;
use crate::score::Summary;

/// Results of one side for one field.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// Object numbers.
    pub labels: &'a Labels,
    /// One row for each nucleus.
    pub nuclei: &'a Nuclei,
    /// Numbers that sum up the field.
    pub summary: &'a Summary,
}

/// One field on both sides.
#[derive(Debug, Clone, Copy)]
pub struct FieldPair<'a> {
    /// The field's name.
    pub name: &'a str,
    /// Before the change.
    pub base: Side<'a>,
    /// After the change.
    pub head: Side<'a>,
}

/// How one field moved.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldDrift {
    /// The field's name.
    pub name: String,
    /// The fate of every nucleus.
    pub pairing: Pairing,
    /// The fates, counted.
    pub nuclei: FateCounts,
    /// Whether pixels, numbers and classes are the same; label numbers may differ.
    pub is_identical: bool,
}

impl FieldDrift {
    /// Whether base has nuclei here and head has none.
    #[must_use]
    pub fn is_emptied(&self) -> bool {
        self.nuclei.n_base > 0 && self.nuclei.n_head == 0
    }
}
