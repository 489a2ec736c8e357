//! Tables: nuclei and fields as CSV, with units in the column names.
//!
//! Numbers are written in their shortest form that reads back to the same value; what is undefined
//! is empty.

use cellgate_core::measure::catalog::OPTIONAL_PROPERTIES;
use cellgate_core::measure::{Column, Nuclei};
use cellgate_core::score::Summary;
use std::fmt::Write as _;
use std::io::Write;

/// A table as it grows, field by field, on its way to a file or into memory.
pub struct NucleiTable<W: Write> {
    writer: csv::Writer<W>,
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

impl<W: Write> NucleiTable<W> {
    /// Starts a table; the first field decides its columns.
    #[must_use]
    pub fn new(writer: W) -> Self {
        Self { writer: csv::Writer::from_writer(writer), header: Vec::new() }
    }

    /// Adds the nuclei of a field.
    ///
    /// # Errors
    /// [`TableError::OtherColumns`] when the columns differ from the first field's.
    pub fn add(&mut self, field: &str, nuclei: &Nuclei) -> Result<(), TableError> {
        let (before, after) = split_at_class(nuclei);
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
        let mut row = csv::ByteRecord::new();
        let mut text = String::new();
        for (index, label) in nuclei.labels.iter().enumerate() {
            row.clear();
            row.push_field(field.as_bytes());
            row.push_field(label.to_string().as_bytes());
            let class = nuclei.classes.as_ref().map(|classes| classes[index].as_str());
            for (columns, class) in [(&before, class), (&after, None)] {
                for column in columns {
                    text.clear();
                    append(&mut text, column.values[index]);
                    row.push_field(text.as_bytes());
                }
                class.iter().for_each(|class| row.push_field(class.as_bytes()));
            }
            self.writer.write_byte_record(&row)?;
        }
        Ok(())
    }

    /// Ends the table and gives back where it went.
    ///
    /// # Errors
    /// [`TableError::Write`].
    pub fn finish(self) -> Result<W, TableError> {
        self.writer.into_inner().map_err(|error| TableError::Write(error.into_error().into()))
    }
}

/// Columns before and after the class: optional groups follow it.
fn split_at_class(nuclei: &Nuclei) -> (Vec<&Column>, Vec<&Column>) {
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
    let mut text = String::new();
    append(&mut text, value);
    text
}

/// As [`number`], at the end of a text.
fn append(text: &mut String, value: Option<f64>) {
    // Whole numbers that floats hold exactly have a faster way to the same digits.
    const MAX_WHOLE: f64 = 9_007_199_254_740_992.0;
    let Some(value) = value.filter(|value| value.is_finite()) else { return };
    let is_whole = value.trunc() == value && (0.0..MAX_WHOLE).contains(&value);
    let result = if is_whole && !value.is_sign_negative() {
        write!(text, "{}", value as u64)
    } else {
        write!(text, "{value}")
    };
    debug_assert!(result.is_ok(), "a text takes whatever is written");
}

#[cfg(test)]
mod tests {
    use super::*;
    use cellgate_core::measure::Class;

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
        let mut table = NucleiTable::new(Vec::new());
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
        let mut table = NucleiTable::new(Vec::new());
        table.add("A01", &nuclei(&["area_px2"])).unwrap();
        assert!(matches!(
            table.add("A02", &nuclei(&["area_px2", "area_um2"])),
            Err(TableError::OtherColumns(name)) if name == "A02"
        ));
    }
}
