//! Tests of the YAML room: every code, every place, hostile texts.

use super::*;
use serde::Deserialize;
use std::time::{Duration, Instant};

const ID: &str = "cellgate/test/v2";

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Sample {
    #[expect(dead_code, reason = "checked by the schema alone")]
    schema: String,
    /// How wide.
    #[schemars(range(min = 0.0, max = 50.0), extend("x-unit" = "µm", "x-renamed-from" = ["sigmaMicrons"]))]
    sigma_um: Option<f64>,
    mode: Option<Mode>,
    #[serde(default)]
    #[schemars(length(max = 2))]
    items: Vec<Item>,
}

/// A mode.
#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Mode {
    /// One.
    LocalMean,
    /// Two.
    Otsu,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Item {
    /// Name of the item.
    #[expect(dead_code, reason = "checked by the schema alone")]
    #[schemars(regex(pattern = "^[a-z]+$"), extend("x-form" = "lowercase letters"))]
    name: String,
}

fn read(text: &str) -> Result<Sample, Vec<Finding>> {
    Document::parse(&Source::new("t.yaml", text))?.read(ID)
}

/// Expects exactly these findings: code, line, column, a part of message and help.
#[track_caller]
fn check(text: &str, expected: &[(Code, u32, u32, &str)]) {
    let findings = read(text).unwrap_err();
    let found: Vec<_> = findings
        .iter()
        .map(|f| (f.code, f.place.span.map_or((0, 0), |s| (s.line, s.column))))
        .collect();
    let expected_places: Vec<_> = expected.iter().map(|e| (e.0, (e.1, e.2))).collect();
    assert_eq!(found, expected_places, "{findings:#?}");
    for (finding, (_, _, _, part)) in findings.iter().zip(expected) {
        let words = format!("{} / {}", finding.message, finding.help.clone().unwrap_or_default());
        assert!(words.contains(part), "{words:?} lacks {part:?}");
    }
}

#[test]
fn a_valid_document_is_read() {
    let sample = read("schema: cellgate/test/v2\nsigma_um: 1.5\nmode: otsu\nitems: [{name: a}]\n");
    let sample = sample.unwrap();
    assert_eq!(
        (sample.sigma_um, sample.mode, sample.items.len()),
        (Some(1.5), Some(Mode::Otsu), 1)
    );
}

#[test]
fn violations_come_all_at_once_with_their_places() {
    check(
        "schema: cellgate/test/v2\nsigma_um: -1\nmode: otsuu\nitems:\n  - {nam: a}\n  - name: A\n",
        &[
            (Code::OutOfRange, 2, 11, "`sigma_um` is -1, outside its range / allowed: 0 to 50 µm"),
            (Code::UnknownValue, 3, 7, "did you mean `otsu`? allowed: local_mean, otsu"),
            (
                Code::MissingKey,
                5,
                5,
                "`name` is missing in `items[0]` / add `name`: Name of the item",
            ),
            (Code::UnknownKey, 5, 6, "`nam` is not known in `items[0]` / did you mean `name`?"),
            (Code::WrongForm, 6, 11, "needed: lowercase letters"),
        ],
    );
}

#[test]
fn each_violation_has_its_code() {
    let with = |line: &str| format!("schema: cellgate/test/v2\n{line}\n");
    check(&with("sigmaMicrons: 1"), &[(Code::RenamedKey, 2, 1, "write `sigma_um`")]);
    check(&with("sigma_px: 1"), &[(Code::UnknownKey, 2, 1, "did you mean `sigma_um`?")]);
    check(&with("Mode : 1"), &[(Code::UnknownKey, 2, 1, "did you mean `mode`?")]);
    check(&with("qqqqqq: 1"), &[(Code::UnknownKey, 2, 1, "known keys: schema, sigma_um")]);
    check(&with("sigma_um: '1'"), &[(Code::WrongType, 2, 11, "the text `1` / delete the quotes")]);
    check(&with("sigma_um:"), &[(Code::WrongType, 2, 1, "but is empty / give a value, or delete")]);
    check(&with("mode: 7"), &[(Code::WrongType, 2, 7, "must be text, but is the number 7")]);
    check(
        &with("items: [{name: a}, {name: b}, {name: c}]"),
        &[(Code::TooManyItems, 2, 8, "at most 2")],
    );
    check(&with("sigma_um: 1e99999"), &[(Code::WrongType, 2, 11, "not a finite number")]);
    check(&with("sigma_um: .nan"), &[(Code::WrongType, 2, 11, "`.nan` is not a finite number")]);
    check(&with("7: 1"), &[(Code::WrongType, 2, 1, "the key `7` is not text")]);
}

#[test]
fn schema_versions_are_told_apart() {
    check(
        "mode: otsu\n",
        &[(Code::SchemaMissing, 1, 1, "add the line `schema: cellgate/test/v2`")],
    );
    check(
        "schema: cellgate/test/v3\nx: 1\n",
        &[(Code::SchemaTooNew, 1, 9, "use a newer cellgate")],
    );
    check("schema: cellgate/test/v1\nx: 1\n", &[(Code::SchemaTooOld, 1, 9, "no longer read")]);
    check(
        "schema: cellgate/profile/v1\n",
        &[(Code::SchemaUnknown, 1, 9, "must be `cellgate/test/v2`")],
    );
    check("schema: 2\n", &[(Code::SchemaUnknown, 1, 9, "is not the schema of this file")]);
    check("- a\n", &[(Code::WrongType, 1, 1, "must be a mapping, but is a list")]);
}

#[test]
fn texts_that_are_not_one_plain_document_are_refused() {
    check("", &[(Code::YamlDocuments, 0, 0, "the file is empty")]);
    check("# only a comment\n", &[(Code::YamlDocuments, 0, 0, "the file is empty")]);
    check("---\n", &[(Code::YamlDocuments, 0, 0, "the file is empty")]);
    check("a: 1\n---\nb: 2\n", &[(Code::YamlDocuments, 2, 1, "more than one document")]);
    check("a: [1\nb: 2\n", &[(Code::YamlSyntax, 2, 2, "not valid YAML")]);
    check("a: 1\na: 2\n", &[(Code::YamlDuplicateKey, 2, 1, "`a` occurs twice")]);
    check("{a: 1, \"a\": 2}\n", &[(Code::YamlDuplicateKey, 1, 8, "`a` occurs twice")]);
    check("a: !x 1\n", &[(Code::YamlTag, 1, 4, "tags")]);
    check("a: !!str 1\n", &[(Code::YamlTag, 1, 4, "tags")]);
    check(
        "a: &x 1\nb: *x\n",
        &[(Code::YamlAlias, 1, 4, "anchors"), (Code::YamlAlias, 2, 4, "aliases")],
    );
    check("a: *x\n", &[(Code::YamlAlias, 1, 4, "aliases")]);
    check("a: 1\n\tb: \0\n", &[(Code::TextHasNul, 2, 5, "U+0000")]);
    check("a: \u{1b}[31m\n", &[(Code::TextHasNul, 1, 4, "U+001B")]);
    check("a: \u{202e}x\n", &[(Code::TextHasNul, 1, 4, "U+202E")]);
}

#[test]
fn byte_order_mark_and_windows_line_ends_do_not_move_places() {
    check(
        "\u{feff}mode: otsu\r\nsigma_um: 99\r\nschema: cellgate/test/v2\r\n",
        &[(Code::OutOfRange, 2, 11, "`sigma_um` is 99")],
    );
    let source = source_from_bytes("t.yaml", "\u{feff}a: 1".as_bytes()).unwrap();
    assert_eq!(&*source.text, "a: 1");
}

#[test]
fn bytes_that_are_not_utf8_are_placed() {
    let finding = source_from_bytes("t.yaml", b"a: 1\nb: \xff\n").unwrap_err();
    let span = finding.place.span.unwrap();
    assert_eq!((finding.code, span.line, span.column), (Code::TextNotUtf8, 2, 4));
}

#[test]
fn places_follow_routes_through_every_style() {
    let text = "a:\n  - {b: 1, 'c d': [x, \"y\"]}\n  -\n    e: |\n      long\n    f:\ng: {h}\n";
    let document = Document::parse(&Source::new("t.yaml", text)).unwrap();
    let at = |route: &[Step]| {
        let span = document.place(route).span.unwrap();
        text[span.start_byte..span.end_byte].to_owned()
    };
    let (a, g) = (Step::from("a"), Step::from("g"));
    assert_eq!(at(&[a.clone(), 0.into(), "b".into()]), "1");
    assert_eq!(at(&[a.clone(), 0.into(), "c d".into(), 1.into()]), "\"y\"");
    assert_eq!(at(&[a.clone(), 1.into(), "e".into()]), "long");
    assert_eq!(at(&[a.clone(), 1.into(), "f".into()]), "f");
    assert_eq!(at(&[a.clone(), 0.into(), "zzz".into()]), "{b: 1, 'c d': [x, \"y\"]}");
    assert_eq!(at(&[g, "h".into()]), "h");
    let key = document.key_place(&[a, 1.into(), "e".into()]).span.unwrap();
    assert_eq!((key.line, key.column, key.end_column), (4, 5, 6));
}

#[test]
fn hostile_texts_are_refused_within_a_second() {
    let mut bomb = "a0: &a0 [x, x]\n".to_owned();
    for level in 1..40 {
        let previous = level - 1;
        bomb.push_str(&format!(
            "a{level}: &a{level} [*a{previous}, *a{previous}, *a{previous}, *a{previous}]\n"
        ));
    }
    let deep_block: String = (0..300).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    let cases = [
        ("aliases", bomb, Code::YamlAlias),
        ("self-reference", "a: &a [*a]\n".to_owned(), Code::YamlAlias),
        ("merge key", "a: &a {b: 1}\nc: {<<: *a}\n".to_owned(), Code::YamlAlias),
        ("open brackets", "[".repeat(200_000), Code::YamlDepth),
        ("brackets", format!("{}{}", "[".repeat(900), "]".repeat(900)), Code::YamlDepth),
        ("braces", format!("{}1{}", "{a: ".repeat(900), "}".repeat(900)), Code::YamlDepth),
        ("block mappings", deep_block, Code::YamlDepth),
        ("dashes", "- ".repeat(100_000), Code::YamlDepth),
        ("question marks", "? ".repeat(100_000), Code::YamlDepth),
        ("large", "a: 1\n".repeat(60_000), Code::FileTooLarge),
        ("repeated keys", "a: 1\n".repeat(50_000), Code::YamlDuplicateKey),
        ("unknown keys", (0..20_000).map(|n| format!("k{n}: 1\n")).collect(), Code::SchemaMissing),
        ("one long line", format!("{{{}}}", "a: 1, ".repeat(40_000)), Code::YamlDuplicateKey),
        ("quotes", "\"".repeat(200_001), Code::YamlSyntax),
        ("colons", ": ".repeat(100_000), Code::WrongType),
    ];
    for (name, text, code) in cases {
        let start = Instant::now();
        let findings = read(&text).unwrap_err();
        let elapsed = start.elapsed();
        assert_eq!(findings[0].code, code, "{name}: {:?}", findings[0]);
        assert!(findings.len() <= MAX_FINDINGS + 1, "{name}");
        assert!(elapsed < Duration::from_secs(1), "{name} took {elapsed:?}");
    }
}

/// Lists and mappings without a bound on their length.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Long {
    #[expect(dead_code, reason = "checked by the schema alone")]
    schema: String,
    #[serde(default)]
    modes: Vec<Mode>,
    #[serde(default)]
    #[schemars(extend("propertyNames" = {"pattern": "^[a-z0-9][a-z0-9-]{0,63}$"}))]
    named: std::collections::BTreeMap<String, bool>,
}

#[test]
fn what_is_long_is_checked_within_a_second_and_its_findings_are_bounded() {
    let read_text = |text: String| {
        let start = Instant::now();
        let text = format!("schema: {ID}\n{text}\n");
        let result = Document::parse(&Source::new("t.yaml", text)).unwrap().read::<Long>(ID);
        let elapsed = start.elapsed();
        assert!(elapsed < Duration::from_secs(1), "{elapsed:?}");
        result
    };
    let names = |name: &dyn Fn(u32) -> String| -> String {
        (0..15_000).map(|n| format!("  {}: true\n", name(n))).collect()
    };
    let long = read_text(format!("named:\n{}", names(&|n| format!("k{n}")))).unwrap();
    assert_eq!(long.named.len(), 15_000);
    let texts = [
        format!("named:\n{}", names(&|n| format!("K{n}"))),
        // Each is of the wrong type, and no word that is known.
        format!("modes: [{}]", "~, ".repeat(5_000)),
        format!("modes: [{}]", "twice, ".repeat(5_000)),
    ];
    for text in texts {
        let findings = read_text(text).unwrap_err();
        assert_eq!(findings.len(), MAX_FINDINGS + 1);
        assert!(findings[MAX_FINDINGS].message.contains("further findings"), "{findings:?}");
    }
    assert_eq!(read_text("modes: [otsu, local_mean]".to_owned()).unwrap().modes.len(), 2);
}
