//! Words: names and sentences that a reader of the field need not translate.

use super::{assert_none, is_source, lines_that, names_after, sources};

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 8] =
    ["util", "utils", "helper", "helpers", "common", "misc", "manager", "shared"];

/// Names of functions that say neither what is done nor what comes of it.
const VAGUE_FUNCTIONS: [&str; 26] = [
    "told", "kept", "given", "said", "made", "shown", "seen", "found", "taken", "held", "known",
    "wanted", "meant", "left", "done", "begun", "gone", "there", "beside", "whole", "together",
    "unheard", "misused", "refused", "failed", "listed",
];

#[test]
fn nothing_is_left_for_later() {
    assert_none(lines_that(|_, line| {
        let unnumbered = line.contains("TODO") && !line.contains("TODO #");
        let words = ["todo!", "dbg!", "unimplemented!", "#[ignore", "FIXME", "XXX"];
        unnumbered || words.iter().any(|word| line.contains(word))
    }));
}

#[test]
fn functions_are_verbs_or_the_thing_that_they_return() {
    assert_none(lines_that(|path, line| {
        let Some(name) = names_after(line, "fn ").next().filter(|_| is_source(path)) else {
            return false;
        };
        // A method that returns a changed copy of its value is named as Rust's own are.
        let is_participle = name.ends_with("ed") && !name.contains('_') && !line.contains("self");
        let is_constructor = ["filled", "unsupported"].contains(&name);
        VAGUE_FUNCTIONS.contains(&name) || (is_participle && !is_constructor)
    }));
}

#[test]
fn first_sentences_name_the_thing() {
    // A document that opens with "What became of a host" makes a reader translate.
    let starts = ["/// What ", "//! What "];
    let mut remarks =
        lines_that(|_, line| starts.iter().any(|start| line.trim_start().starts_with(start)));
    let opens_so = |text: &str| {
        let first = text.lines().next().and_then(|line| line.split_once(": "));
        first.is_some_and(|(_, sentence)| sentence.starts_with("what "))
    };
    remarks.extend(sources().into_iter().filter(|(_, text)| opens_so(text)).map(|(path, _)| path));
    assert_none(remarks);
}

#[test]
fn errors_have_types() {
    let untyped = |path: &str, line: &str| {
        let result = line.find("Result<").map_or("", |at| &line[at..]);
        // A map from texts to texts is a result, not an error.
        is_source(path) && result.contains(", String>") && !result.contains("Map<String, String>")
    };
    assert_none(lines_that(untyped));
}

#[test]
fn names_of_files_say_what_is_inside() {
    let is_empty = |path: &str| {
        path.split('/').any(|part| EMPTY_NAMES.contains(&part.trim_end_matches(".rs")))
    };
    assert_none(
        sources().into_iter().map(|(path, _)| path).filter(|path| is_empty(path)).collect(),
    );
}
