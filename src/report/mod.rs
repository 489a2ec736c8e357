//! Report: turns values into text, tables and pictures. Decides nothing.

mod annotations;
mod findings;
mod junit;
mod sarif;
mod terminal;
mod text;

#[cfg(test)]
mod tests;

pub use annotations::annotations;
pub use findings::{FINDINGS_SCHEMA, findings_document, findings_json};
pub use junit::junit;
pub use sarif::sarif;
pub use terminal::{human, summary_line};
pub use text::harmless;
