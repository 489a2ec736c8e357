//! Tests of the renderings of findings: one list, every form, hostile texts.

use super::*;
use cellgate_inputs::finding::{Code, Finding};
use cellgate_inputs::source::{Place, Source};

const TEXT: &str = "smoothing:\n  sigma_um: -1  # µm\n";

fn source() -> Source {
    Source::new("params/p.yaml", TEXT)
}

fn finding() -> Finding {
    let message = "`smoothing.sigma_um` is -1, outside its range";
    Finding::error(Code::OutOfRange, Place::of_bytes(&source(), 23, 25), message)
        .help("allowed: 0 to 50 µm")
}

/// A finding whose every text tries to escape its place.
fn hostile() -> Finding {
    let text = "x\n::error::a%0A##[add-path]/tmp \u{1b}[2J\u{202e}<b>&\"'";
    Finding::warning(Code::UnknownKey, Place::file(format!("a,b:c\n{text}")), text).help(text)
}

#[test]
fn people_see_the_line_and_the_mark() {
    let expected = "\
error[out-of-range]: `smoothing.sigma_um` is -1, outside its range
 --> params/p.yaml:2:13
  |
2 |   sigma_um: -1  # µm
  |             ^^
  |
  = help: allowed: 0 to 50 µm

";
    assert_eq!(human(&[finding()], &[source()], false), expected);
    let colored = human(&[finding()], &[source()], true);
    assert!(colored.contains("\u{1b}["), "{colored}");
}

#[test]
fn people_see_the_place_without_the_text() {
    let text = human(&[finding()], &[], false);
    assert!(text.contains("--> params/p.yaml:2:13"), "{text}");
}

#[test]
fn terminal_text_of_strangers_cannot_act() {
    let source = Source::new("a", "k: \u{1b}[2J\u{202e}##[x]\n");
    let finding = Finding::error(Code::TextHasNul, Place::of_bytes(&source, 3, 4), "m");
    let text = human(&[hostile(), finding], &[source], false);
    assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
    assert!(text.lines().all(|line| !line.trim_start().starts_with("::")), "{text}");
}

#[test]
fn annotations_escape_every_property() {
    assert_eq!(
        annotations(&[finding()]),
        "::error file=params/p.yaml,line=2,endLine=2,col=13,endColumn=15,title=cellgate%3A out-of-range\
         ::`smoothing.sigma_um` is -1, outside its range%0Aallowed: 0 to 50 µm\n"
    );
    let text = annotations(&[hostile()]);
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.starts_with("::warning file=a%2Cb%3Ac%0Ax%0A%3A%3Aerror%3A%3Aa%250A"), "{text}");
    assert!(!text.contains("##[") && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn annotations_are_worst_first_and_at_most_ten_of_a_level() {
    let mut findings = vec![hostile()];
    findings.extend(std::iter::repeat_n(finding(), 12));
    let text = annotations(&findings);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 11);
    assert_eq!(lines[9], "::error title=cellgate::3 more errors, see the log");
    assert!(lines[10].starts_with("::warning "));
}

#[test]
fn json_lists_every_part() {
    let value = document(&[finding()]);
    let expected = serde_json::json!({"schema": "cellgate/findings/v1", "findings": [{
        "code": "out-of-range", "severity": "error", "file": "params/p.yaml",
        "line": 2, "column": 13, "end_line": 2, "end_column": 15,
        "message": "`smoothing.sigma_um` is -1, outside its range",
        "help": "allowed: 0 to 50 µm",
    }]});
    assert_eq!(value, expected);
}

#[test]
fn junit_has_a_case_for_each_error_and_each_clean_file() {
    let files = ["params/p.yaml".to_owned(), "ok & fine.yaml".to_owned()];
    let xml = junit(&[finding(), hostile()], &files);
    assert!(xml.contains("tests=\"2\" failures=\"1\""), "{xml}");
    assert!(xml.contains("name=\"ok &amp; fine.yaml\"/>"), "{xml}");
    assert!(xml.contains("name=\"params/p.yaml:2:13 out-of-range\""), "{xml}");
    assert!(!xml.contains("<b>") && !xml.contains('\u{1b}'), "{xml}");
}

#[test]
fn sarif_points_at_the_place() {
    let log = sarif(&[hostile(), finding()]);
    let result = &log["runs"][0]["results"][0];
    assert_eq!(result["level"], "error", "worst first");
    assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startColumn"], 13);
    let index = result["ruleIndex"].as_u64().unwrap() as usize;
    assert_eq!(log["runs"][0]["tool"]["driver"]["rules"][index]["id"], "out-of-range");
    let uri = &log["runs"][0]["results"][1]["locations"][0]["physicalLocation"]["artifactLocation"];
    assert!(uri["uri"].as_str().unwrap().starts_with("a%2Cb%3Ac%0Ax%0A%3A%3Aerror"));
}

#[test]
fn the_last_line_counts_by_severity() {
    assert_eq!(summary_line(&[]), "no findings");
    assert_eq!(summary_line(&[finding(), finding(), hostile()]), "2 errors, 1 warning");
}
