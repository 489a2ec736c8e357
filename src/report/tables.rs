//! Tables: nuclei and fields as CSV, with units in the column names.
//!
//! Numbers are written in their shortest form that reads back to the same value; what is undefined
//! is empty.

use crate::measure::catalog::OPTIONAL_PROPERTIES;
use crate::measure::{Column, Nuclei};
use crate::score::Summary;

/// A table as it grows, field by field.
pub struct NucleiTable {
    writer: csv::Writer<Vec<u8>>,
    header: Vec<String>,
}

/// Fields do not fit into one table.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// A field has other columns than the ones before it.
    #[error(
        "field `{0}` has other columns than the fields before it: give all fields a pixel size or none"
    )]
    OtherColumns(String),
    /// The table cannot be written.
    #[error("the table cannot be written")]
    Write(#[from] csv::Error),
}

impl NucleiTable {
    /// Starts a table; the first field decides its columns.
    #[must_use]
    pub fn new() -> Self {
        Self { writer: csv::Writer::from_writer(Vec::new()), header: Vec::new() }
    }

    /// Adds the nuclei of a field.
    ///
    /// # Errors
    /// [`TableError::OtherColumns`] when the columns differ from the first field's.
    pub fn add(&mut self, field: &str, nuclei: &Nuclei) -> Result<(), TableError> {
        let (before, after) = around_class(nuclei);
        let names = |columns: &[&Column]| {
            columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>()
        };
        let mut header = vec!["field".to_owned(), "label".to_owned()];
        header.extend(names(&before));
        header.extend(nuclei.classes.as_ref().map(|_| "class".to_owned()));
        header.extend(names(&after));
        if self.header.is_empty() {
            self.writer.write_record(&header)?;
            self.header = header;
        } else if self.header != header {
            return Err(TableError::OtherColumns(field.to_owned()));
        }
        let mut row = Vec::new();
        for (index, label) in nuclei.labels.iter().enumerate() {
            row.clear();
            row.extend([field.to_owned(), label.to_string()]);
            row.extend(before.iter().map(|column| number(column.values[index])));
            row.extend(nuclei.classes.as_ref().map(|classes| classes[index].as_str().to_owned()));
            row.extend(after.iter().map(|column| number(column.values[index])));
            self.writer.write_record(&row)?;
        }
        Ok(())
    }

    /// The table as bytes.
    ///
    /// # Errors
    /// [`TableError::Write`].
    pub fn finish(self) -> Result<Vec<u8>, TableError> {
        self.writer.into_inner().map_err(|error| TableError::Write(error.into_error().into()))
    }
}

impl Default for NucleiTable {
    fn default() -> Self {
        Self::new()
    }
}

/// Columns before and after the class: optional groups follow it.
fn around_class(nuclei: &Nuclei) -> (Vec<&Column>, Vec<&Column>) {
    let is_optional = |column: &&Column| {
        let stem = column.name.trim_end_matches("_um").trim_end_matches("_px");
        let is_quartile = ["_median", "_q25", "_q75"].iter().any(|ending| stem.ends_with(ending));
        let of_form = |name: &str| name.trim_end_matches("_px") == stem;
        is_quartile || OPTIONAL_PROPERTIES.iter().any(|property| of_form(property.name))
    };
    nuclei.columns.iter().partition(|column| !is_optional(column))
}

/// The table of fields.
///
/// # Errors
/// [`TableError::Write`].
pub fn fields(rows: &[(&str, Summary)]) -> Result<Vec<u8>, TableError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let names = Summary::default().metrics().map(|(name, _)| name);
    writer.write_record(std::iter::once("field").chain(names))?;
    for (field, summary) in rows {
        let numbers = summary.metrics().map(|(_, value)| number(value));
        writer.write_record(std::iter::once((*field).to_owned()).chain(numbers))?;
    }
    writer.into_inner().map_err(|error| TableError::Write(error.into_error().into()))
}

/// The shortest text that reads back to the same number; empty when undefined.
#[must_use]
pub fn number(value: Option<f64>) -> String {
    value.filter(|value| value.is_finite()).map_or_else(String::new, |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Class;

    fn nuclei(names: &[&str]) -> Nuclei {
        let column =
            |name: &&str| Column { name: (*name).to_owned(), values: vec![Some(0.1), None] };
        Nuclei {
            labels: vec![1, 4],
            columns: names.iter().map(column).collect(),
            classes: Some(vec![Class::Negative, Class::ThreePlus]),
        }
    }

    #[test]
    fn the_class_stands_before_optional_groups() {
        let mut table = NucleiTable::new();
        let names =
            ["area_px2", "dab_od_mean", "dab_od_median", "perimeter_crofton_px", "radius_max_um"];
        table.add("A01", &nuclei(&names)).unwrap();
        let text = String::from_utf8(table.finish().unwrap()).unwrap();
        let mut lines = text.lines();
        assert_eq!(
            lines.next(),
            Some(
                "field,label,area_px2,dab_od_mean,class,dab_od_median,perimeter_crofton_px,radius_max_um"
            )
        );
        assert_eq!(lines.next(), Some("A01,1,0.1,0.1,negative,0.1,0.1,0.1"));
        assert_eq!(lines.next(), Some("A01,4,,,3+,,,"));
    }

    #[test]
    fn fields_with_other_columns_are_refused() {
        let mut table = NucleiTable::new();
        table.add("A01", &nuclei(&["area_px2"])).unwrap();
        assert!(matches!(
            table.add("A02", &nuclei(&["area_px2", "area_um2"])),
            Err(TableError::OtherColumns(name)) if name == "A02"
        ));
    }
}
