//! Given: arguments without the flags whose value is an empty text.
//!
//! Workflows pass every input of an action, also those that nobody set, as empty texts: `--base ""`
//! counts as not given.

use clap::Command;
use std::collections::BTreeSet;
use std::ffi::OsString;

/// The arguments that were given; the first is the program.
pub(crate) fn drop_empty_flags(
    arguments: impl IntoIterator<Item = OsString>,
    command: impl FnOnce() -> Command,
) -> Vec<OsString> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let is_suspect =
        |argument: &OsString| argument.is_empty() || argument.as_encoded_bytes().ends_with(b"=");
    if !arguments.iter().any(is_suspect) {
        // Making all commands takes a tenth of the start of the program.
        return arguments;
    }
    let mut flags = BTreeSet::new();
    flags_with_values(&command(), &mut flags);
    let mut retained: Vec<OsString> = Vec::new();
    let mut arguments = arguments.into_iter();
    for argument in arguments.by_ref() {
        if argument == "--" {
            retained.push(argument);
            break;
        }
        let is_emptied = argument
            .to_str()
            .and_then(|text| text.strip_suffix('='))
            .is_some_and(|flag| flags.contains(flag));
        if is_emptied {
            continue;
        }
        let is_flag =
            |argument: &OsString| argument.to_str().is_some_and(|flag| flags.contains(flag));
        if argument.is_empty() && retained.last().is_some_and(is_flag) {
            retained.pop();
            continue;
        }
        retained.push(argument);
    }
    retained.extend(arguments);
    retained
}

/// Every `--flag` that takes a value, of a command and of all below it.
fn flags_with_values(command: &Command, flags: &mut BTreeSet<String>) {
    let with_value =
        command.get_arguments().filter(|argument| argument.get_action().takes_values());
    flags.extend(
        with_value.filter_map(|argument| argument.get_long()).map(|name| format!("--{name}")),
    );
    command.get_subcommands().for_each(|command| flags_with_values(command, flags));
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Arg;

    #[track_caller]
    fn check(arguments: &[&str], expected: &[&str]) {
        let gate = Command::new("gate")
            .arg(Arg::new("base").long("base"))
            .arg(Arg::new("quiet").long("quiet").action(clap::ArgAction::SetTrue))
            .arg(Arg::new("path"));
        let command = Command::new("cellgate").subcommand(gate);
        let found = drop_empty_flags(arguments.iter().map(OsString::from), || command);
        assert_eq!(found, expected);
    }

    #[test]
    fn a_flag_with_an_empty_value_is_not_given() {
        check(&["cellgate", "gate", "--base", ""], &["cellgate", "gate"]);
        check(&["cellgate", "gate", "--base=", "x"], &["cellgate", "gate", "x"]);
        check(&["--base", "", "--base", "x", "--base", ""], &["--base", "x"]);
        check(&["--base", "--base", ""], &["--base"]);
        check(&["--quiet", ""], &["--quiet", ""]);
        check(&["--quiet="], &["--quiet="]);
        check(&["", "--", "--base", ""], &["", "--", "--base", ""]);
    }
}
