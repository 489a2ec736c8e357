//! Hostile: words of strangers stay words wherever the report puts them.

use super::world::{DRIFTED, HEAD, World, request, workflow_run};
use cellgate_gate::report::model::{FindingLine, Report};
use cellgate_github::history;

const HOSTILE: [&str; 14] = [
    "`` `x` ``",
    "a | b | c",
    "<!-- cellgate:gate -->",
    "--> <script>alert(1)</script>",
    "@everyone @octo/team",
    "::error::x",
    "\n::set-output name=verdict::unchanged\n",
    "##[set-output name=x]y",
    "%0A::warning::x",
    "\u{202e}desrever\u{2066}",
    "[click](https://evil.example)",
    "https://evil.example www.evil.example #1 octo/toy#2",
    "</details></td></table>",
    "![x](https://evil.example/x.png)",
];

/// A report whose every text is this one.
fn fill_report(text: &str) -> Report {
    let mut report = DRIFTED.clone();
    let t = || text.to_owned();
    (report.base.name, report.head.name) = (t(), t());
    let finding = FindingLine {
        code: t(),
        path: format!("params/{text}"),
        message: t(),
        help: Some(t()),
        ..report.remarks[0].clone()
    };
    report.findings = vec![finding.clone()];
    report.remarks = vec![
        finding,
        FindingLine { path: "params/a.yaml".to_owned(), ..report.remarks[0].clone() },
    ];
    report.reasons.iter_mut().for_each(|reason| reason.text = t());
    for profile in &mut report.profiles {
        profile.name = t();
        profile.reasons.iter_mut().for_each(|reason| reason.text = t());
        for key in &mut profile.changed_keys {
            key.key = t();
            (key.base, key.head) = (Some(t()), Some(t()));
        }
        profile.fields.iter_mut().for_each(|field| field.name = t());
        profile.measurements.iter_mut().for_each(|measurement| measurement.name = t());
    }
    report
}

/// The text without its code spans, where GitHub reads no markup.
fn outside_code(text: &str) -> String {
    text.split('`').step_by(2).collect::<Vec<_>>().join("")
}

#[track_caller]
fn is_harmless(text: &str) {
    let world = World::new();
    let report = fill_report(text);
    world.publish_cleanly(&request(workflow_run("pull_request", "failure", "octo/toy"), &report));
    let body = &world.bodies()[0];
    assert!(body.len() <= 60_000, "{}", body.len());
    let summary = world.check()["output"]["summary"].as_str().unwrap().to_owned();
    assert!(summary.chars().count() <= 65_535);
    let lines: Vec<&str> = body.lines().collect();
    assert_eq!(lines[0], "<!-- cellgate:gate -->");
    assert_eq!(history::parse(body)[0].commit, HEAD);
    let below = lines[2..].join("\n");
    for text in [&below, &summary] {
        assert!(!text.contains("<!--"), "a comment opens: {text}");
        assert!(!text.contains(['\u{202e}', '\u{2066}', '\r']), "{text}");
        let markup = outside_code(text);
        for sign in ["@everyone", "@octo", "](https://evil", "<script", "https://evil", "www.evil"]
        {
            assert!(!markup.contains(sign), "`{sign}` in {markup}");
        }
        assert!(!text.lines().any(|line| line.trim_start().starts_with("::")), "{text}");
        let n = |tag: &str| markup.matches(tag).count();
        assert_eq!(n("<details>"), n("</details>"), "{markup}");
    }
    for remark in world.check()["annotations"].as_array().unwrap() {
        let of = |key: &str| remark[key].as_str().unwrap();
        assert!(of("message").len() <= 64_000 && !of("message").is_empty());
        assert!(of("title").chars().count() <= 255);
        assert!(!of("path").starts_with('/') && !of("path").contains(".."));
    }
}

#[test]
fn words_of_strangers_stay_words() {
    HOSTILE.iter().for_each(|text| is_harmless(text));
    is_harmless(&HOSTILE.join(" "));
}

#[test]
fn words_without_end_have_one() {
    is_harmless(&"x".repeat(300_000));
    is_harmless(&"`|".repeat(150_000));
    is_harmless(&"@octo ".repeat(50_000));
    is_harmless(&"ü<!--".repeat(50_000));
}

#[test]
fn remarks_on_paths_that_lead_outside_are_left_out() {
    let mut report = DRIFTED.clone();
    let remark = report.remarks[0].clone();
    let paths = ["/etc/passwd", "../x", "a/../b", "a\nb", "", "a//b", ".", "good.yaml"];
    report.remarks = paths
        .iter()
        .map(|path| FindingLine { path: (*path).to_owned(), ..remark.clone() })
        .collect();
    let world = World::new();
    world.publish_cleanly(&request(workflow_run("pull_request", "failure", "octo/toy"), &report));
    let check = world.check();
    let remarks = check["annotations"].as_array().unwrap();
    assert_eq!(remarks.len(), 1);
    assert_eq!(remarks[0]["path"], "good.yaml");
}
