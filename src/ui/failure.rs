//! Failure: why a command could not do its work, and the exit code that says so.

use cellgate_gate::exit::ExitCode;
use cellgate_gate::report::findings::{human, neutralize_commands, summary_line};
use cellgate_inputs::finding::Finding;
use std::error::Error;
use std::io;

/// A command that did not end as it should.
#[derive(Debug)]
pub(crate) enum Failure {
    /// An input is wrong: 10.
    Findings(Vec<Finding>),
    /// The arguments do not fit together: 2.
    Usage(String),
    /// Nothing was there to check: 3.
    Nothing(String),
    /// The request does not fit what is there: 13.
    Refused(String),
    /// The tool failed: 1.
    Tool(String),
    /// A deploy did not end well: 20 to 23.
    Deploy(ExitCode, String),
}

impl Failure {
    /// The tool failed at something; the error's causes are told, too.
    pub(crate) fn tool(context: &str, error: &dyn Error) -> Self {
        let mut text = format!("{context}: {error}");
        append_causes(&mut text, error);
        Self::Tool(text)
    }

    /// The exit code.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Findings(_) => ExitCode::Findings,
            Self::Usage(_) => ExitCode::Usage,
            Self::Nothing(_) => ExitCode::NothingToCheck,
            Self::Refused(_) => ExitCode::NotApproved,
            Self::Tool(_) => ExitCode::ToolFailed,
            Self::Deploy(code, _) => *code,
        }
    }

    /// Why, without findings.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Findings(_) => "an input is invalid",
            Self::Usage(text)
            | Self::Nothing(text)
            | Self::Refused(text)
            | Self::Tool(text)
            | Self::Deploy(_, text) => text,
        }
    }

    /// Tells why, on standard error; gives the exit code.
    #[expect(clippy::print_stderr, reason = "this is where failures are told")]
    pub(crate) fn print(&self) -> ExitCode {
        let text = match self {
            Self::Findings(findings) => {
                format!("{}{}\n", human(findings, &[], false), summary_line(findings))
            }
            failure => format!("error: {}\n", failure.text()),
        };
        // Error texts hold names of files and replies of programs, and GitHub's runner reads along.
        eprint!("{}", neutralize_commands(&text));
        self.exit_code()
    }
}

/// Adds what an error comes from, each after a colon.
pub(crate) fn append_causes(text: &mut String, error: &dyn Error) {
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::tool("output cannot be written", &error)
    }
}

impl From<cellgate_run::write::WriteError> for Failure {
    fn from(error: cellgate_run::write::WriteError) -> Self {
        Self::tool("a result is lost", &error)
    }
}

impl From<cellgate_run::files::FilesError> for Failure {
    fn from(error: cellgate_run::files::FilesError) -> Self {
        let mut text = error.to_string();
        append_causes(&mut text, &error);
        Self::Tool(text)
    }
}

impl From<cellgate_inputs::dataset::store::StoreError> for Failure {
    fn from(error: cellgate_inputs::dataset::store::StoreError) -> Self {
        Self::tool("the dataset", &error)
    }
}
