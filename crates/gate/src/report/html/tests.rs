//! Tests of the page.

use super::*;
use crate::report::model::sample;
use crate::report::overlay;
use crate::verdict::Verdict;
use cellgate_core::drift::pair;
use cellgate_core::overlap::Overlaps;

fn pictures() -> Vec<Picture> {
    let picture = |field: sample::DrawnField| {
        let pairing = pair(&Overlaps::count(&field.base, &field.head).unwrap());
        let raster =
            overlay::draw(&field.image, Some(&field.base), Some(&field.head), Some(&pairing));
        let png = overlay::encode_png(&raster).unwrap();
        Picture { profile: "ihc-hdab".into(), field: field.name, png }
    };
    sample::fields().into_iter().take(4).map(picture).collect()
}

#[test]
fn the_page_needs_nothing_else() {
    let page = render(&sample::report(), &pictures());
    for pattern in ["http://", "https://", "<script", "<link", "url(", "@import", "src=\"/"] {
        assert!(!page.contains(pattern), "{pattern}");
    }
    assert_eq!(page.matches("data:image/png;base64,").count(), 4);
    assert!(page.contains("2 fields that changed less are not pictured."));
}

#[test]
fn hostile_text_stays_text() {
    let mut report = sample::report();
    let markup = "\"><script>alert(1)</script><img src=x onerror=y>";
    report.profiles[0].name = markup.to_owned();
    report.profiles[0].changed_keys[0].key = markup.to_owned();
    report.reasons[0].text = markup.to_owned();
    report.head.name = markup.to_owned();
    let page = render(&report, &[]);
    assert!(!page.contains("<script") && !page.contains("<img"));
}

#[test]
fn equal_reports_give_equal_pages() {
    let page = || render(&sample::report(), &pictures());
    assert_eq!(page(), page());
}

#[test]
fn pictures_beyond_the_budget_are_left_out() {
    let large = Picture {
        profile: "ihc-hdab".into(),
        field: "A01".into(),
        png: vec![0; MAX_PICTURE_BYTES / 2 + 1],
    };
    assert_eq!(limit_to_budget(&[large.clone(), large]).len(), 1);
    let small = Picture { profile: String::new(), field: String::new(), png: vec![0] };
    assert_eq!(limit_to_budget(&vec![small; 50]).len(), MAX_PICTURES);
}

#[test]
fn a_failing_gate_does_not_look_calm() {
    let mut report = sample::report();
    (report.verdict, report.exit_code) = (Verdict::Unchanged, crate::exit::ExitCode::Accuracy);
    assert!(render(&report, &[]).contains("class=\"banner bad\""));
}
