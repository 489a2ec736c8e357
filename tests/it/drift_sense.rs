//! Sense of drift: changes of parameters that a laboratory would accept and changes that it would
//! not, each with the verdict that it must get.
//!
//! On phantoms with the demo's profiles; and, where `CELLGATE_REAL_DATA` names a folder of real
//! fields with truth, with the shipped profiles on those.

use crate::real_fields;
use cellgate_core::tolerances::Tolerances;
use cellgate_gate::report::model::Report;
use cellgate_gate::verdict::{FailOn, Verdict};
use cellgate_gate::{Approvals, Outcome, Request, gate};
use cellgate_inputs::finding::Severity;
use cellgate_inputs::project::tolerances_of_text;
use cellgate_inputs::revision::Tree;
use cellgate_inputs::source::Source;
use cellgate_run::cache::Cache;
use std::fmt::Write as _;
use std::path::Path;

/// Effect of a change on people who rely on the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The numbers stay what they are, as far as anybody reads them.
    Harmless,
    /// The numbers mean something else.
    Harmful,
}

use Kind::{Harmful, Harmless};

/// One change of one text in one profile.
struct Change {
    profile: &'static str,
    what: &'static str,
    from: &'static str,
    to: &'static str,
    kind: Kind,
}

const fn change(
    profile: &'static str,
    kind: Kind,
    what: &'static str,
    from: &'static str,
    to: &'static str,
) -> Change {
    Change { profile, what, from, to, kind }
}

const PHANTOMS: &[Change] = &[
    change("fluorescence", Harmless, "a slightly wider blur", "sigma_um: 0.50", "sigma_um: 0.52"),
    change("fluorescence", Harmless, "a wider background", "radius_um: 15", "radius_um: 16"),
    change("fluorescence", Harmless, "larger holes filled", "area_um2: 25", "area_um2: 30"),
    change("fluorescence", Harmful, "threshold up", "factor: 0.80", "factor: 1.10"),
    change("fluorescence", Harmful, "minimum area up", "min_area_um2: 15", "min_area_um2: 50"),
    change(
        "fluorescence",
        Harmful,
        "no split",
        "method: shape, suppression: auto, h: 0.30",
        "method: none",
    ),
    change("he", Harmless, "a threshold rounded", "factor: 1.10", "factor: 1.12"),
    change(
        "he",
        Harmless,
        "a stain vector rounded",
        "channel: hematoxylin_od}",
        "channel: hematoxylin_od}\nstains: {hematoxylin: [0.651, 0.701, 0.290]}",
    ),
    change("he", Harmless, "a higher maximum area", "max_area_um2: 400", "max_area_um2: 420"),
    change(
        "he",
        Harmful,
        "a wrong stain vector",
        "channel: hematoxylin_od}",
        "channel: hematoxylin_od}\nstains: {hematoxylin: [0.49, 0.77, 0.41]}",
    ),
    change("he", Harmful, "too strong a blur", "sigma_um: 0.60", "sigma_um: 2.00"),
    change(
        "he",
        Harmful,
        "too large an opening",
        "open_radius_um: 1.0\n  fill_holes_max_area_um2: 50\n  min_area_um2: 15",
        "open_radius_um: 3.5\n  fill_holes_max_area_um2: 50\n  min_area_um2: 40",
    ),
    change("ihc-hdab", Harmless, "classes rounded", "[0.2, 0.4, 0.6]", "[0.205, 0.405, 0.605]"),
    change("ihc-hdab", Harmless, "a lower bound nobody meets", "[0.05, 3.0]", "[0.04, 3.0]"),
    change("ihc-hdab", Harmless, "a slightly wider blur", "sigma_um: 0.60", "sigma_um: 0.62"),
    change("ihc-hdab", Harmful, "positivity moved", "[0.2, 0.4, 0.6]", "[0.3, 0.5, 0.7]"),
    change("ihc-hdab", Harmful, "threshold up", "factor: 1.00", "factor: 1.50"),
    change("ihc-hdab", Harmful, "detection by brown alone", "channel: od_sum", "channel: dab_od"),
];

const PROFILES: [(&str, &str); 3] = [
    ("fluorescence", include_str!("../../src/demo/fluorescence.yaml")),
    ("he", include_str!("../../src/demo/he.yaml")),
    ("ihc-hdab", include_str!("../../src/demo/ihc-hdab.yaml")),
];

/// Writes a project of one profile on its phantoms.
fn write_project(folder: &Path, name: &str, text: &str) {
    std::fs::create_dir_all(folder.join("params")).unwrap();
    let project = format!(
        "schema: cellgate/project/v1\ntolerances: params/tolerances.yaml\n\
         datasets: {{phantoms: {{builtin: phantoms}}}}\n\
         gate: [{{profile: {name}, dataset: phantoms, image_type: {name}}}]\n"
    );
    std::fs::write(folder.join("cellgate.yaml"), project).unwrap();
    let tolerances = include_str!("../../src/demo/tolerances.yaml");
    std::fs::write(folder.join("params/tolerances.yaml"), tolerances).unwrap();
    std::fs::write(folder.join(format!("params/{name}.yaml")), text).unwrap();
}

fn gate_phantoms(change: &Change, folder: &Path) -> Outcome {
    let (name, text) = *PROFILES.iter().find(|(name, _)| *name == change.profile).unwrap();
    assert_eq!(text.matches(change.from).count(), 1, "`{}` in {name}", change.from);
    let (base, head) = (folder.join(name).join("base"), folder.join(name).join("head"));
    write_project(&base, name, text);
    write_project(&head, name, &text.replace(change.from, change.to));
    let request = Request {
        base: Tree::Folder(base),
        base_name: "base".to_owned(),
        head: Tree::Folder(head),
        head_name: "head".to_owned(),
        below: String::new(),
        cache: Some(Cache::new(folder.join("cache"))),
        approvals: Approvals::none(),
        fail_on: FailOn::Drifted,
        progress: &|_, _, _| {},
    };
    gate(&request).unwrap()
}

/// A table of what became of changes; remembers which got a wrong verdict.
#[derive(Default)]
struct Told {
    table: String,
    wrong: Vec<String>,
}

impl Told {
    /// Adds a line.
    fn add(&mut self, change: &Change, got: Verdict, reason: &str) {
        let is_right = match change.kind {
            Harmless => [Verdict::Unchanged, Verdict::Equivalent].contains(&got),
            Harmful => [Verdict::Drifted, Verdict::Broken].contains(&got),
        };
        let mark = if is_right { " " } else { "!" };
        let Change { profile, what, kind, .. } = change;
        let line = format!("{mark} {profile:13} {what:28} {kind:?} -> {got}: {reason}");
        writeln!(self.table, "{line}").unwrap();
        if !is_right {
            self.wrong.push(line);
        }
    }

    /// Prints the table; fails when a verdict is wrong.
    #[track_caller]
    #[expect(clippy::print_stdout, reason = "shown with `--nocapture`")]
    fn check(self) {
        println!("{}", self.table);
        assert!(self.wrong.is_empty(), "wrong verdicts:\n{}", self.wrong.join("\n"));
    }
}

#[test]
fn changes_on_phantoms_get_the_verdict_they_must_get() {
    let folder = tempfile::tempdir().unwrap();
    let mut verdicts = Told::default();
    for change in PHANTOMS {
        let report = gate_phantoms(change, folder.path()).report;
        let error = report.findings.iter().find(|finding| finding.severity == Severity::Error);
        assert!(error.is_none(), "{}: {error:?}", change.what);
        let profile = &report.profiles[0];
        let reason = profile.reasons.first().map_or("", |reason| reason.text.as_str());
        verdicts.add(change, report.verdict, reason);
    }
    verdicts.check();
}

const REAL: &[Change] = &[
    change("dapi-culture", Harmless, "a slightly wider blur", "sigma_um: 0.5", "sigma_um: 0.51"),
    change("dapi-culture", Harmless, "larger holes filled", "area_um2: 50", "area_um2: 52"),
    change("dapi-culture", Harmful, "threshold up", "factor: 1.0,", "factor: 1.5,"),
    change("dapi-culture", Harmful, "minimum area up", "min_area_um2: 10", "min_area_um2: 60"),
    change("dapi-tissue", Harmless, "a wider background", "radius_um: 20", "radius_um: 20.4"),
    change("dapi-tissue", Harmless, "larger holes filled", "area_um2: 100", "area_um2: 105"),
    change("dapi-tissue", Harmful, "threshold up", "factor: 0.9,", "factor: 1.4,"),
    change("dapi-tissue", Harmful, "opening too large", "open_radius_um: 1.5", "open_radius_um: 5"),
    change("he-tissue", Harmless, "a slightly wider blur", "sigma_um: 0.5", "sigma_um: 0.505"),
    change("he-tissue", Harmless, "larger holes filled", "area_um2: 150", "area_um2: 155"),
    change(
        "he-tissue",
        Harmful,
        "a wrong stain vector",
        "hematoxylin: [0.65, 0.70, 0.29]",
        "hematoxylin: [0.49, 0.77, 0.41]",
    ),
    change("he-tissue", Harmful, "threshold down", "factor: 0.95,", "factor: 0.6,"),
    change("ihc-hdab", Harmless, "classes rounded", "[0.2, 0.4, 0.6]", "[0.202, 0.402, 0.602]"),
    change("ihc-hdab", Harmless, "larger holes filled", "area_um2: 75", "area_um2: 80"),
    change("ihc-hdab", Harmful, "positivity moved", "[0.2, 0.4, 0.6]", "[0.35, 0.55, 0.75]"),
    change("ihc-hdab", Harmful, "blur too strong", "sigma_um: 0.5", "sigma_um: 2.0"),
];

/// The changes, each profile with its own repository.
#[test]
fn changes_on_real_fields_get_the_verdict_they_must_get() {
    let mut verdicts = Told::default();
    for (profile, repository) in real_fields::repositories() {
        for change in REAL.iter().filter(|change| change.profile == profile) {
            let path = format!("params/{profile}.yaml");
            repository.edit(&path, change.from, change.to);
            repository.commit(change.what);
            let gated = repository.gate_in_full(&["--base", "HEAD~1"]);
            let report = Report::from_json(gated.file("report.json").as_bytes()).unwrap();
            let reasons = &report.profiles[0].reasons;
            let reason = reasons.first().map_or("", |reason| reason.text.as_str());
            verdicts.add(change, report.verdict, reason);
            repository.edit(&path, change.to, change.from);
            repository.commit("back again");
        }
    }
    verdicts.check();
}

#[test]
fn defaults_demo_and_shipped_tolerances_are_equal() {
    let shipped = crate::repository::TOLERANCES;
    assert_eq!(include_str!("../../src/demo/tolerances.yaml"), shipped);
    let read = tolerances_of_text(&Source::new("tolerances.yaml", shipped));
    assert_eq!(read.unwrap(), Tolerances::default());
}
