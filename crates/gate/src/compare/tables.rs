//! Tables: `nuclei.csv` and `fields.csv`, read back to the numbers that were written.

use cellgate_core::measure::{Class, Column, Nuclei};
use cellgate_core::score::Summary;
use cellgate_inputs::finding::{Code, Finding};
use cellgate_inputs::source::Place;
use csv::StringRecord;
use std::collections::{BTreeMap, BTreeSet};

/// `nuclei.csv`: its columns, and the rows of each field.
#[derive(Debug)]
pub(super) struct NucleiFile {
    /// Measurements, in the order of the file.
    columns: Vec<String>,
    has_classes: bool,
    /// Rows, by field.
    pub(super) fields: BTreeMap<String, FieldRows>,
}

/// Rows of one field.
#[derive(Debug, Default)]
pub(super) struct FieldRows {
    labels: Vec<u32>,
    /// One row after the other.
    values: Vec<Option<f64>>,
    classes: Vec<Class>,
}

impl NucleiFile {
    /// The rows of a field as a table.
    pub(super) fn table(&self, rows: FieldRows) -> Nuclei {
        let n_columns = self.columns.len();
        let column = |(index, name): (usize, &String)| Column {
            name: name.clone(),
            values: rows.values.iter().skip(index).step_by(n_columns).copied().collect(),
        };
        Nuclei {
            columns: self.columns.iter().enumerate().map(column).collect(),
            labels: rows.labels,
            classes: self.has_classes.then_some(rows.classes),
        }
    }
}

fn form_finding(path: &str, line: Option<u64>, message: impl std::fmt::Display) -> Finding {
    let at = line.map_or_else(String::new, |line| format!("line {line}: "));
    Finding::error(Code::WrongForm, Place::file(path), format!("{at}{message}"))
        .help("compare tables as `cellgate segment` wrote them")
}

fn parse_number(path: &str, row: &StringRecord, text: &str) -> Result<Option<f64>, Finding> {
    if text.is_empty() {
        return Ok(None);
    }
    let finite = text.parse().ok().filter(|value: &f64| value.is_finite());
    let line = row.position().map(csv::Position::line);
    finite.map(Some).ok_or_else(|| form_finding(path, line, format!("`{text}` is no number")))
}

/// Header and rows; every row has as many values as the header.
fn read_rows(path: &str, bytes: &[u8]) -> Result<(Vec<String>, Vec<StringRecord>), Finding> {
    let mut reader = csv::Reader::from_reader(bytes);
    let to_finding = |error: csv::Error| form_finding(path, None, format!("not a table: {error}"));
    let header: Vec<String> =
        reader.headers().map_err(to_finding)?.iter().map(str::to_owned).collect();
    let distinct: BTreeSet<&String> = header.iter().collect();
    if distinct.len() < header.len() {
        return Err(form_finding(path, Some(1), "a column is there twice"));
    }
    let rows = reader.records().collect::<Result<_, _>>().map_err(to_finding)?;
    Ok((header, rows))
}

/// Reads `nuclei.csv`.
pub(super) fn read_nuclei(path: &str, bytes: &[u8]) -> Result<NucleiFile, Finding> {
    let (header, rows) = read_rows(path, bytes)?;
    let Some(("field", "label")) = header.first().zip(header.get(1)).map(|(a, b)| (&**a, &**b))
    else {
        return Err(form_finding(path, Some(1), "the first columns are not `field` and `label`"));
    };
    let class_at = header.iter().position(|name| name == "class");
    let is_number = |index: usize| 2 <= index && Some(index) != class_at;
    let columns = header.iter().enumerate().filter(|(index, _)| is_number(*index));
    let columns: Vec<String> = columns.map(|(_, name)| name.clone()).collect();
    let mut fields: BTreeMap<String, FieldRows> = BTreeMap::new();
    for row in &rows {
        let line = row.position().map(csv::Position::line);
        let label: Option<u32> = row[1].parse().ok().filter(|&label| 0 < label);
        let label =
            label.ok_or_else(|| form_finding(path, line, "`label` is no number of an object"))?;
        let field = fields.entry(row[0].to_owned()).or_default();
        if field.labels.last().is_some_and(|&last| label <= last) {
            return Err(form_finding(
                path,
                line,
                format!("label {label} does not rise in its field"),
            ));
        }
        field.labels.push(label);
        for (index, text) in row.iter().enumerate().filter(|(index, _)| is_number(*index)) {
            let value = parse_number(path, row, text)?;
            debug_assert!(index < header.len(), "rows are as long as the header");
            field.values.push(value);
        }
        if let Some(at) = class_at {
            let class = Class::parse(&row[at]);
            let unknown = || form_finding(path, line, format!("`{}` is no class", &row[at]));
            field.classes.push(class.ok_or_else(unknown)?);
        }
    }
    Ok(NucleiFile { columns, has_classes: class_at.is_some(), fields })
}

/// Reads `fields.csv`.
pub(super) fn read_fields(path: &str, bytes: &[u8]) -> Result<BTreeMap<String, Summary>, Finding> {
    let (header, rows) = read_rows(path, bytes)?;
    let names = Summary::default().metrics().map(|(name, _)| name);
    let expected = std::iter::once("field").chain(names);
    if !header.iter().map(String::as_str).eq(expected) {
        return Err(form_finding(path, Some(1), "the columns are not those of `fields.csv`"));
    }
    let mut summaries = BTreeMap::new();
    for row in &rows {
        let line = row.position().map(csv::Position::line);
        let values: Vec<Option<f64>> = row
            .iter()
            .skip(1)
            .map(|text| parse_number(path, row, text))
            .collect::<Result<_, _>>()?;
        let summary = summary_of_metrics(&values);
        let summary =
            summary.ok_or_else(|| form_finding(path, line, "a number is missing or odd"))?;
        if summaries.insert(row[0].to_owned(), summary).is_some() {
            return Err(form_finding(path, line, format!("field `{}` is there twice", &row[0])));
        }
    }
    Ok(summaries)
}

/// The summary whose [`Summary::metrics`] are these values.
fn summary_of_metrics(values: &[Option<f64>]) -> Option<Summary> {
    let &[width, height, nuclei, density, area, positive, h_score, allred, brightness] = values
    else {
        return None;
    };
    let count = |value: Option<f64>| {
        let value = value.filter(|v| (0.0..=f64::from(u32::MAX)).contains(v) && v.fract() == 0.0);
        value.map(|value| value as u32)
    };
    if allred.is_some() && count(allred).is_none() {
        return None;
    }
    Some(Summary {
        width_px: count(width)?,
        height_px: count(height)?,
        n_nuclei: count(nuclei)?,
        density_per_mm2: density,
        area_fraction: area?,
        positive_percent: positive,
        h_score,
        allred: count(allred),
        brightness_mean: brightness?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cellgate_run::tables;

    #[test]
    fn tables_read_back_to_the_last_bit() {
        let summary = Summary {
            width_px: 3,
            height_px: 2,
            n_nuclei: 2,
            density_per_mm2: Some(0.1 + 0.2),
            area_fraction: 1.0 / 3.0,
            allred: Some(7),
            ..Summary::default()
        };
        let written = tables::fields(&[("a,\"b\"", summary)]).unwrap();
        let read = read_fields("fields.csv", &written).unwrap();
        assert_eq!(read, BTreeMap::from([("a,\"b\"".to_owned(), summary)]));

        let column = |name: &str, values| Column { name: name.to_owned(), values };
        let nuclei_of_a = Nuclei {
            labels: vec![2, 9],
            columns: vec![
                column("area_px2", vec![Some(0.1), None]),
                column("hu", vec![None, None]),
            ],
            classes: Some(vec![Class::Negative, Class::ThreePlus]),
        };
        let mut table = tables::NucleiTable::new(Vec::new());
        table.add("a", &nuclei_of_a).unwrap();
        let mut read = read_nuclei("nuclei.csv", &table.finish().unwrap()).unwrap();
        let rows = read.fields.remove("a").unwrap();
        assert_eq!(read.table(rows), nuclei_of_a);
        assert_eq!(read.table(FieldRows::default()).columns.len(), 2);
    }

    #[track_caller]
    fn check_refusal(text: &str, says: &str) {
        let finding = read_nuclei("nuclei.csv", text.as_bytes()).unwrap_err();
        assert!(finding.message.contains(says), "{}", finding.message);
    }

    #[test]
    fn strange_tables_are_refused_with_their_line() {
        check_refusal("a,b\n", "not `field` and `label`");
        check_refusal("field,label,x,x\n", "twice");
        check_refusal("field,label,x\na,1,nan\n", "line 2: `nan` is no number");
        check_refusal("field,label,x\na,1,1\na,1,1\n", "line 3: label 1 does not rise");
        check_refusal("field,label,x\na,0,1\n", "no number of an object");
        check_refusal("field,label,x\na,1\n", "not a table");
        check_refusal("field,label,class\na,1,big\n", "`big` is no class");
    }
}
