//! Parse: from a bounded text to a value and the places of its parts.
//!
//! Reads the parser's events with an own stack, so depth is bounded and nothing is expanded.
//! Gives findings for what these files may not hold: anchors, aliases, tags, repeated keys, keys
//! that are not text, numbers that are not finite, further documents.

use super::limits::{MAX_DEPTH, MAX_FINDINGS};
use super::places::{Children, Node, Offsets};
use super::scalar;
use crate::finding::{Code, Finding};
use crate::source::{Place, Source};
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::ops::Range;

type Located = (Value, Node);

/// Parses the single document of a text.
pub(super) fn parse(source: &Source) -> Result<Located, Vec<Finding>> {
    let offsets = Offsets::new(&source.text);
    let mut reader = Reader {
        source,
        offsets,
        open: Vec::new(),
        root: None,
        n_documents: 0,
        findings: Vec::new(),
    };
    for event in Parser::new_from_str(&source.text) {
        let result = match event {
            Ok((event, span)) => reader.handle_event(event, span),
            Err(error) => Err(reader.syntax_finding(&error)),
        };
        if let Err(finding) = result {
            reader.findings.push(finding);
        }
        // What follows a refusal would be read in the wrong place.
        if reader.findings.last().is_some_and(is_fatal) || MAX_FINDINGS < reader.findings.len() {
            break;
        }
    }
    match reader.root {
        Some((Value::Null, _)) | None if reader.findings.is_empty() => {
            Err(vec![empty_finding(source)])
        }
        Some(root) if reader.findings.is_empty() => check_agreement(source, root),
        _ => Err(reader.findings),
    }
}

/// The value, when serde_yaml reads the same one.
///
/// The events were bounded and cleared of everything that expands before serde_yaml sees the text.
/// Where two parsers understand a text differently, a person may, too.
fn check_agreement(source: &Source, (value, node): Located) -> Result<Located, Vec<Finding>> {
    let place = Place::file(source.path.clone());
    let message = match serde_yaml::from_str::<Value>(&source.text) {
        Ok(read) if read == value => return Ok((read, node)),
        Ok(_) => "YAML parsers read different values from the file".to_owned(),
        Err(error) => format!("not every YAML parser can read the file: {error}"),
    };
    let help = "quote texts that look like numbers or dates, and write numbers in plain digits";
    Err(vec![Finding::error(Code::YamlSyntax, place, message).help(help)])
}

fn is_fatal(finding: &Finding) -> bool {
    matches!(finding.code, Code::YamlSyntax | Code::YamlDepth | Code::YamlDocuments)
}

fn empty_finding(source: &Source) -> Finding {
    let place = Place::file(source.path.clone());
    let help = "start with a line `schema: cellgate/…/v1`";
    Finding::error(Code::YamlDocuments, place, "the file is empty").help(help)
}

struct Reader<'a> {
    source: &'a Source,
    offsets: Offsets,
    /// Lists and mappings that are not closed yet, outermost first.
    open: Vec<Frame>,
    root: Option<Located>,
    n_documents: usize,
    findings: Vec<Finding>,
}

enum Frame {
    List {
        start: usize,
        values: Vec<Value>,
        nodes: Vec<Node>,
    },
    Map {
        start: usize,
        values: Map<String, Value>,
        nodes: BTreeMap<String, Node>,
        key: Option<Key>,
    },
}

/// A key that waits for its value.
struct Key {
    /// `None` for a key that is refused.
    name: Option<String>,
    span: Range<usize>,
}

impl Reader<'_> {
    fn handle_event(&mut self, event: Event<'_>, span: Span) -> Result<(), Finding> {
        let span = self.offsets.byte(span.start.index())..self.offsets.byte(span.end.index());
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            Event::DocumentStart(_) => self.start_document(&span)?,
            Event::Alias(_) => {
                self.refuse_anchor(&span);
                self.put(Value::Null, span, Children::None);
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_marks(anchor, tag.is_some(), &span);
                let value = self.scalar(&text, style, &span);
                // The parser gives an absent value the span of what follows it.
                let is_absent = text.is_empty() && style == ScalarStyle::Plain;
                let end = if is_absent { span.start } else { self.trimmed_end(&span) };
                self.put(value, span.start..end, Children::None);
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_marks(anchor, tag.is_some(), &span);
                self.open(Frame::List {
                    start: span.start,
                    values: Vec::new(),
                    nodes: Vec::new(),
                })?;
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_marks(anchor, tag.is_some(), &span);
                let (values, nodes) = (Map::new(), BTreeMap::new());
                self.open(Frame::Map { start: span.start, values, nodes, key: None })?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(&span),
        }
        Ok(())
    }

    fn start_document(&mut self, span: &Range<usize>) -> Result<(), Finding> {
        self.n_documents += 1;
        if self.n_documents == 1 {
            return Ok(());
        }
        let help = "keep one document for each file; delete the `---` line and what follows it";
        let message = "the file holds more than one document";
        Err(self.finding(Code::YamlDocuments, span, message.to_owned()).help(help))
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, span: &Range<usize>) -> Value {
        if style != ScalarStyle::Plain {
            return Value::String(text.to_owned());
        }
        scalar::resolve(text).unwrap_or_else(|| {
            let finding =
                self.finding(Code::WrongType, span, format!("`{text}` is not a finite number"));
            self.findings.push(finding.help("give a finite number"));
            // A number, so that nothing else is said about it.
            Value::from(0)
        })
    }

    fn open(&mut self, frame: Frame) -> Result<(), Finding> {
        if self.open.len() == MAX_DEPTH {
            let (Frame::List { start, .. } | Frame::Map { start, .. }) = frame;
            return Err(self.depth_finding(start));
        }
        self.open.push(frame);
        Ok(())
    }

    fn close(&mut self, end: &Range<usize>) {
        match self.open.pop() {
            Some(Frame::List { start, values, nodes }) => {
                let last = nodes.last().map(|node| node.span.end);
                let span = start..end_of(start, last, end);
                self.put(Value::Array(values), span, Children::Items(nodes));
            }
            Some(Frame::Map { start, values, nodes, .. }) => {
                let last = nodes.values().map(|node| node.span.end).max();
                let span = start..end_of(start, last, end);
                self.put(Value::Object(values), span, Children::Keys(nodes));
            }
            // The parser closes only what it opened.
            None => {}
        }
    }

    /// Puts a finished value where it belongs: as key, as value of a key, as item, as document.
    fn put(&mut self, value: Value, span: Range<usize>, children: Children) {
        let mut refusal = None;
        match self.open.last_mut() {
            None => self.root = Some((value, Node { key: None, span, children })),
            Some(Frame::List { values, nodes, .. }) => {
                values.push(value);
                nodes.push(Node { key: None, span, children });
            }
            Some(Frame::Map { values, nodes, key, .. }) => match key.take() {
                None => {
                    let name = match value {
                        Value::String(name) => Some(name),
                        _ => {
                            refusal = Some((Code::WrongType, span.clone()));
                            None
                        }
                    };
                    *key = Some(Key { name, span });
                }
                Some(Key { name: None, .. }) => {}
                Some(Key { name: Some(name), span: key_span }) => {
                    if values.contains_key(&name) {
                        refusal = Some((Code::YamlDuplicateKey, key_span));
                    } else {
                        // A key without a value stands for it.
                        let span = if span.is_empty() { key_span.clone() } else { span };
                        nodes.insert(name.clone(), Node { key: Some(key_span), span, children });
                        values.insert(name, value);
                    }
                }
            },
        }
        if let Some((code, span)) = refusal {
            self.refuse_key(code, &span);
        }
    }

    fn refuse_key(&mut self, code: Code, span: &Range<usize>) {
        let text = self.source.text[span.clone()].trim_matches(['"', '\'']);
        let (message, help) = match code {
            Code::YamlDuplicateKey => {
                (format!("the key `{text}` occurs twice here"), "keep one of the two")
            }
            _ => (format!("the key `{text}` is not text"), "put quotes around it"),
        };
        let finding = self.finding(code, span, message).help(help);
        self.findings.push(finding);
    }

    fn refuse_marks(&mut self, anchor: usize, has_tag: bool, span: &Range<usize>) {
        if anchor != 0 {
            self.refuse_anchor(span);
        }
        if has_tag {
            let finding =
                self.finding(Code::YamlTag, span, "tags (`!name`) are not accepted".to_owned());
            let help = "delete it; put quotes around text that begins with `!`";
            self.findings.push(finding.help(help));
        }
    }

    fn refuse_anchor(&mut self, span: &Range<usize>) {
        let finding = self.anchor_finding(span);
        self.findings.push(finding);
    }

    fn anchor_finding(&self, span: &Range<usize>) -> Finding {
        let message = "anchors (`&name`) and aliases (`*name`) are not accepted".to_owned();
        let help =
            "write the value out where it is used, or quote text that begins with `&` or `*`";
        self.finding(Code::YamlAlias, span, message).help(help)
    }

    fn syntax_finding(&self, error: &ScanError) -> Finding {
        let at = self.offsets.byte(error.marker().index());
        // The crate has no kinds of errors to match on; these two texts are pinned by tests.
        if error.info().contains("unknown anchor") {
            return self.anchor_finding(&(at..at + 1));
        }
        if error.info().contains("recursion limit") {
            return self.depth_finding(at);
        }
        let message = format!("this is not valid YAML: {}", error.info());
        self.finding(Code::YamlSyntax, &(at..at + 1), message)
            .help("look at the indentation, quotes and brackets on this line and the line before")
    }

    fn depth_finding(&self, at: usize) -> Finding {
        let message = format!("lists and mappings are nested deeper than {MAX_DEPTH}");
        self.finding(Code::YamlDepth, &(at..at + 1), message)
    }

    fn finding(&self, code: Code, span: &Range<usize>, message: String) -> Finding {
        Finding::error(code, Place::of_bytes(self.source, span.start, span.end), message)
    }

    /// Where a span ends without the white space at its end.
    fn trimmed_end(&self, span: &Range<usize>) -> usize {
        span.start + self.source.text[span.clone()].trim_end().len()
    }
}

/// Where a list or mapping ends: at its bracket, or else with the last value in it.
fn end_of(start: usize, last: Option<usize>, closing: &Range<usize>) -> usize {
    if closing.is_empty() { last.unwrap_or(start) } else { closing.end }
}
