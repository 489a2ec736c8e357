//! Validate: profiles, project file, tolerances and datasets, all problems at once.
//!
//! Takes paths, gives what was checked and every finding, with the texts that findings point into.
//! Reads files; decides nothing but which check a file is for.

use cellgate_inputs::dataset::Dataset;
use cellgate_inputs::finding::{Code, Finding};
use cellgate_inputs::params::{self, Loaded, file_of_tree, load_all};
use cellgate_inputs::project::{self, Project, tolerances_of_text};
use cellgate_inputs::revision::{Tree, normalize};
use cellgate_inputs::source::{Place, Source};
use cellgate_inputs::yaml::Document;
use cellgate_run::cache::Cache;
use cellgate_run::models::{Models, tree_of_profile};
use globset::{Glob, GlobMatcher};
use std::path::{Path, PathBuf};

/// Most files that a glob is compared with.
const MAX_WALKED: usize = 100_000;

/// Checked files, and the findings about them.
#[derive(Debug, Clone, Default)]
pub struct Checked {
    /// Files that were checked, in the order of checking; a dataset counts as its manifest.
    pub files: Vec<String>,
    /// Every finding, by file.
    pub findings: Vec<Finding>,
    /// Texts that findings point into.
    pub sources: Vec<Source>,
}

impl Checked {
    fn add(&mut self, file: impl Into<String>, findings: Vec<Finding>) {
        self.files.push(file.into());
        self.findings.extend(findings);
    }

    fn extend(&mut self, other: Self) {
        self.files.extend(other.files);
        self.findings.extend(other.findings);
        self.sources.extend(other.sources);
    }

    /// Takes along the texts that findings point into.
    fn with_sources(mut self, tree: &Tree) -> Self {
        let mut paths: Vec<&str> = self
            .findings
            .iter()
            .filter(|finding| finding.place.span.is_some())
            .map(|finding| &*finding.place.path)
            .collect();
        paths.sort_unstable();
        paths.dedup();
        self.sources = paths.into_iter().filter_map(|path| file_of_tree(tree, path).ok()).collect();
        self
    }

    /// Shows every path below a folder.
    fn with_prefix(mut self, folder: &Path) -> Self {
        let display_path = |path: &str| folder.join(path).to_string_lossy().replace('\\', "/");
        for file in &mut self.files {
            *file = display_path(file);
        }
        for finding in &mut self.findings {
            finding.place.path = display_path(&finding.place.path).into();
        }
        for source in &mut self.sources {
            source.path = display_path(&source.path).into();
        }
        self
    }
}

/// Checks what the paths name: files, folders and globs, relative to the working folder.
///
/// `cache` may hold weights that are in no folder of models. A folder stands for its project file
/// and everything that it names, for its dataset, or else for the YAML files in it.
#[must_use]
pub fn selection(paths: &[String], cache: Option<&Cache>) -> Checked {
    let mut checked = Checked::default();
    for pattern in paths {
        let path = Path::new(pattern);
        if path.is_dir() {
            checked.extend(folder(path, cache));
        } else if path.exists() || !pattern.contains(['*', '?', '[', '{']) {
            checked.extend(check_file(path, cache));
        } else {
            checked.extend(check_glob(pattern, cache));
        }
    }
    checked
}

/// Checks a folder: its project, its dataset, or the YAML files in it.
#[must_use]
pub fn folder(folder: &Path, cache: Option<&Cache>) -> Checked {
    let tree = Tree::Folder(folder.to_owned());
    let has_file = |name: &str| tree.has_file(name).unwrap_or(false);
    let checked = if has_file(project::FILE) {
        check_project(&tree, cache)
    } else if has_file("dataset.yaml") {
        check_dataset(&tree, ".")
    } else {
        check_yaml_files(folder, &tree, cache)
    };
    checked.with_sources(&tree).with_prefix(if folder == Path::new(".") {
        Path::new("")
    } else {
        folder
    })
}

/// Checks one file, by its schema.
#[must_use]
pub fn check_file(path: &Path, cache: Option<&Cache>) -> Checked {
    let folder = path.parent().unwrap_or(Path::new(""));
    let root = if folder == Path::new("") { Path::new(".") } else { folder };
    let tree = Tree::Folder(root.to_owned());
    let name =
        path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    check_file_of_tree(root, &tree, &name, cache).with_sources(&tree).with_prefix(folder)
}

/// The project file and everything that it names, as far as it can be read.
fn check_project(tree: &Tree, cache: Option<&Cache>) -> Checked {
    let mut checked = Checked::default();
    let findings = match Project::load(tree) {
        Ok(project) => project.warnings,
        Err(findings) => findings,
    };
    checked.add(project::FILE, findings);
    // An invalid project file still states where the other files are.
    let source = file_of_tree(tree, project::FILE).ok();
    let document = source.and_then(|source| Document::parse(&source).ok());
    let value = document.map(|document| document.value().clone()).unwrap_or_default();
    let path = |value: Option<&serde_json::Value>| value?.as_str().and_then(normalize);
    let tolerances = path(value.get("tolerances"));
    let params = path(value.get("params")).unwrap_or_else(|| "params".to_owned());
    let non_profiles: Vec<&str> = tolerances.iter().map(String::as_str).collect();
    let (profiles, findings) = load_all(tree, &params, &non_profiles);
    checked.files.extend(profiles.iter().map(|loaded| loaded.source.path.to_string()));
    let folder = project::models_folder(tree);
    let models = Models::new(tree, &folder, cache);
    checked.findings.extend(profiles.iter().flat_map(|loaded| network_findings(loaded, models)));
    for finding in &findings {
        let file = finding.place.path.to_string();
        if !checked.files.contains(&file) {
            checked.files.push(file);
        }
    }
    checked.findings.extend(findings);
    checked.files.extend(tolerances);
    let datasets = value.get("datasets").and_then(serde_json::Value::as_object);
    for (_, folder) in datasets.into_iter().flatten() {
        if let Some(folder) = path(Some(folder)) {
            checked.extend(check_dataset(tree, &folder));
        }
    }
    checked
}

fn check_dataset(tree: &Tree, folder: &str) -> Checked {
    let findings = match Dataset::load(tree, folder) {
        Ok(dataset) => dataset.check(tree),
        Err(findings) => findings,
    };
    let mut checked = Checked::default();
    let manifest =
        if folder == "." { "dataset.yaml".to_owned() } else { format!("{folder}/dataset.yaml") };
    checked.add(manifest, findings);
    checked
}

/// Findings about the network of a profile, its weights or its card.
fn network_findings(loaded: &Loaded, models: Models<'_>) -> Vec<Finding> {
    let unet = loaded.params.unet();
    let failure = unet.and_then(|unet| models.check(unet).err());
    failure.iter().map(|error| error.finding(loaded)).collect()
}

/// Every YAML file directly in the tree's root.
fn check_yaml_files(folder: &Path, tree: &Tree, cache: Option<&Cache>) -> Checked {
    let mut checked = Checked::default();
    let names = tree.list(".").unwrap_or_default();
    for name in names.iter().filter(|name| is_yaml(name)) {
        checked.extend(check_file_of_tree(folder, tree, name, cache));
    }
    checked
}

fn is_yaml(name: &str) -> bool {
    name.ends_with(".yaml") || name.ends_with(".yml")
}

/// One file directly in the tree's root.
fn check_file_of_tree(folder: &Path, tree: &Tree, name: &str, cache: Option<&Cache>) -> Checked {
    let mut checked = Checked::default();
    let source = match file_of_tree(tree, name) {
        Ok(source) => source,
        // A manifest may be larger than files that people write.
        Err(_) if name == "dataset.yaml" => return check_dataset(tree, "."),
        Err(finding) => {
            checked.add(name, vec![finding]);
            return checked;
        }
    };
    match kind_of(&source, name) {
        "project" => {
            let project = Project::of_source(tree, &source);
            checked.add(name, project.map_or_else(|findings| findings, |project| project.warnings));
        }
        "tolerances" => {
            let tolerances = tolerances_of_text(&source);
            checked.add(name, tolerances.err().unwrap_or_default());
        }
        "dataset" => return check_dataset(tree, "."),
        _ => {
            let findings = match params::of_text(&source) {
                Err(findings) => findings,
                Ok(loaded) => {
                    let (tree, models) = tree_of_profile(&folder.join(name));
                    let network = network_findings(&loaded, Models::new(&tree, &models, cache));
                    [loaded.warnings, network].concat()
                }
            };
            checked.add(name, findings);
        }
    }
    checked
}

/// Kind of a file: by its schema, or by its name where it states no known schema.
fn kind_of<'a>(source: &Source, name: &'a str) -> &'a str {
    let document = Document::parse(source).ok();
    let value = document.as_ref().map(Document::value);
    let schema = value.and_then(|value| value.get("schema")).and_then(serde_json::Value::as_str);
    let kind = schema.and_then(|schema| schema.strip_prefix("cellgate/")?.split('/').next());
    let stem = name.split('.').next().unwrap_or(name);
    let stem = if stem == "cellgate" { "project" } else { stem };
    let known = ["project", "tolerances", "dataset", "profile"];
    kind.and_then(|kind| known.into_iter().find(|known| *known == kind)).unwrap_or(stem)
}

/// Every file that a glob matches, sorted.
fn check_glob(pattern: &str, cache: Option<&Cache>) -> Checked {
    let mut checked = Checked::default();
    let matcher = match Glob::new(pattern) {
        Ok(glob) => glob.compile_matcher(),
        Err(error) => {
            let message = format!("the pattern cannot be used: {}", error.kind());
            checked.findings.push(Finding::error(Code::WrongForm, Place::file(pattern), message));
            return checked;
        }
    };
    let mut found = Vec::new();
    walk(Path::new(""), &matcher, &mut MAX_WALKED.clone(), &mut found);
    found.sort_unstable();
    for path in found {
        checked.extend(check_file(&path, cache));
    }
    checked
}

fn walk(folder: &Path, matcher: &GlobMatcher, budget: &mut usize, found: &mut Vec<PathBuf>) {
    let root = if folder == Path::new("") { Path::new(".") } else { folder };
    let Ok(entries) = std::fs::read_dir(root) else { return };
    for entry in entries.flatten() {
        let Some(rest) = budget.checked_sub(1) else { return };
        *budget = rest;
        let name = entry.file_name();
        let path = folder.join(&name);
        let is_hidden = name.to_string_lossy().starts_with('.');
        match entry.file_type() {
            // Links are not followed, so that the walk ends.
            Ok(kind) if kind.is_dir() && !is_hidden => walk(&path, matcher, budget, found),
            Ok(kind) if kind.is_file() && matcher.is_match(&path) => found.push(path),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const PROFILE: &str =
        "schema: cellgate/profile/v1\nname: p\nimage: {modality: he, pixel_size_um: 0.5}\n";

    #[track_caller]
    fn codes(checked: &Checked) -> Vec<Code> {
        checked.findings.iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn a_project_folder_is_checked_with_all_that_it_names() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir(root.join("params")).unwrap();
        let project = "schema: cellgate/project/v1\ndatasets: {nuclei: data}\n\
            gate: [{profile: q, dataset: nuclei}]\ntolerances: params/tolerances.yaml\n";
        fs::write(root.join("cellgate.yaml"), project).unwrap();
        fs::write(root.join("params/p.yaml"), PROFILE.replace("0.5", "0")).unwrap();
        let tolerances = "schema: cellgate/tolerances/v1\nmin_fields: 0\n";
        fs::write(root.join("params/tolerances.yaml"), tolerances).unwrap();
        let checked = super::folder(root, None);
        let expected =
            [Code::ReferenceUnknown, Code::OutOfRange, Code::OutOfRange, Code::FileUnreadable];
        assert_eq!(codes(&checked), expected, "{:#?}", checked.findings);
        let prefix = root.to_string_lossy().into_owned();
        assert!(checked.files.iter().all(|file| file.starts_with(&prefix)), "{:?}", checked.files);
        assert!(checked.sources.iter().any(|source| source.path.ends_with("params/p.yaml")));
    }

    #[test]
    fn files_are_told_apart_by_their_schema() {
        let folder = tempfile::tempdir().unwrap();
        let check = |name: &str, text: &str, expected: &[Code]| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            assert_eq!(codes(&check_file(&path, None)), expected, "{name}");
        };
        check("p.yaml", PROFILE, &[]);
        check("x.yaml", "schema: cellgate/tolerances/v1\nmin_fields: 3\n", &[]);
        check("tolerances.yaml", "min_fields: 3\n", &[Code::SchemaMissing]);
        check("y.yaml", "schema: cellgate/dragon/v1\n", &[Code::SchemaUnknown]);
        check(
            "dataset.yaml",
            "schema: cellgate/dataset/v1\nname: d\nfields: []\n",
            &[Code::TooManyItems],
        );
        assert_eq!(
            codes(&check_file(&folder.path().join("none.yaml"), None)),
            [Code::FileUnreadable]
        );
    }
}
