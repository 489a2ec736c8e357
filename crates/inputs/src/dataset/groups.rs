//! Groups: a table that says which fields belong together, for a dataset that is prepared.
//!
//! Takes CSV with the columns `name` and `group`; gives the group of each field's name.

use crate::finding::{Code, Finding};
use crate::revision::Tree;
use crate::source::Place;
use crate::yaml::MAX_MANIFEST_BYTES;
use std::collections::BTreeMap;
use std::path::Path;

/// Longest name of a group, in characters.
const MAX_GROUP: usize = 200;

/// Reads a table of groups.
///
/// # Errors
/// Findings for a file that cannot be read, another header, rows of another length, names that
/// stand twice, and groups that are empty or no printable text; all at once where they are rows.
pub(super) fn read_groups(path: &Path) -> Result<BTreeMap<String, String>, Vec<Finding>> {
    let place = Place::file(path.to_string_lossy());
    let to_finding = |code, message: String| {
        let help = "write a header `name,group` and one row for each field";
        Finding::error(code, place.clone(), message).help(help)
    };
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let bytes = Tree::Folder(folder.to_owned())
        .read(file, MAX_MANIFEST_BYTES)
        .map_err(|error| vec![to_finding(Code::FileUnreadable, error.to_string())])?;
    let mut reader = csv::Reader::from_reader(&bytes[..]);
    let to_findings =
        |error: csv::Error| vec![to_finding(Code::WrongForm, format!("no table: {error}"))];
    let header = reader.headers().map_err(to_findings)?;
    if header.iter().ne(["name", "group"]) {
        return Err(vec![to_finding(
            Code::WrongForm,
            "the columns are not `name,group`".to_owned(),
        )]);
    }
    let mut groups = BTreeMap::new();
    let mut findings = Vec::new();
    for (index, row) in reader.records().enumerate() {
        let row = row.map_err(to_findings)?;
        let (name, group) = (row[0].to_owned(), row[1].to_owned());
        let is_text =
            (1..=MAX_GROUP).contains(&group.chars().count()) && !group.contains(char::is_control);
        if !is_text {
            let message = format!("row {} has no group of 1 to {MAX_GROUP} letters", index + 1);
            findings.push(to_finding(Code::WrongForm, message));
        }
        if groups.insert(name.clone(), group).is_some() {
            let message = format!("`{}` is there twice", name.escape_debug());
            findings.push(to_finding(Code::NameTaken, message));
        }
    }
    if findings.is_empty() { Ok(groups) } else { Err(findings) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<BTreeMap<String, String>, Vec<Code>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("groups.csv");
        std::fs::write(&path, text).unwrap();
        read_groups(&path).map_err(|findings| findings.iter().map(|found| found.code).collect())
    }

    #[test]
    fn groups_are_read_by_name() {
        let groups = read("name,group\na,slide 1\nb,\"slide, 2\"\n").unwrap();
        let expected = [("a", "slide 1"), ("b", "slide, 2")];
        assert_eq!(groups, expected.map(|(name, group)| (name.into(), group.into())).into());
    }

    #[test]
    fn tables_that_say_something_else_are_refused() {
        assert_eq!(read("field,group\na,1\n"), Err(vec![Code::WrongForm]));
        assert_eq!(read("name,group\na\n"), Err(vec![Code::WrongForm]));
        let twice = "name,group\na,1\na,2\nb,\n";
        assert_eq!(read(twice), Err(vec![Code::NameTaken, Code::WrongForm]));
        let findings = read_groups(Path::new("no/such/groups.csv")).unwrap_err();
        assert_eq!(findings[0].code, Code::FileUnreadable);
    }
}
