//! Findings, rendered: for people, for GitHub, for dashboards, for programs.
//!
//! One file a form, all of the same list. Words of strangers are made harmless for each form.

mod annotations;
mod json;
mod junit;
mod sarif;
mod terminal;
mod text;

pub use annotations::annotations;
pub use json::{SCHEMA, document, list};
pub use junit::junit;
pub use sarif::sarif;
pub use terminal::{human, summary_line};
pub use text::{neutralize_commands, neutralize_line};

#[cfg(test)]
mod tests;
