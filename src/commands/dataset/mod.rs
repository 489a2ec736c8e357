//! `cellgate dataset`: checks, draws, prepares, fetches and splits datasets.

mod check;
mod phantom;
mod prepare;
mod pull;
mod split;

use crate::ui::Ui;
use crate::ui::failure::Failure;
use cellgate_gate::exit::ExitCode;
use clap::Subcommand;

/// Check, draw, prepare and split datasets of fields with truth
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Args),
    Phantom(phantom::Args),
    Prepare(prepare::Args),
    Pull(pull::Args),
    Split(split::Args),
}

/// Runs the subcommand.
pub(crate) fn run(ui: &mut Ui<'_>, args: &Args) -> Result<ExitCode, Failure> {
    match &args.command {
        Command::Check(args) => check::run(ui, args),
        Command::Phantom(args) => phantom::run(ui, args),
        Command::Prepare(args) => prepare::run(ui, args),
        Command::Pull(args) => pull::run(ui, args),
        Command::Split(args) => split::run(ui, args),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Door {
        #[command(flatten)]
        args: Args,
    }

    /// Runs a command line; gives what it printed.
    #[track_caller]
    fn dataset(line: &[&str]) -> (String, ExitCode) {
        let (output, code) = run_dataset(line);
        (output, code.unwrap())
    }

    fn run_dataset(line: &[&str]) -> (String, Result<ExitCode, Failure>) {
        let door = Door::try_parse_from([&["dataset"], line].concat()).unwrap();
        let mut out = Vec::new();
        let code = run(&mut Ui { out: &mut out, is_quiet: true, has_color: false }, &door.args);
        (String::from_utf8(out).unwrap(), code)
    }

    #[test]
    fn phantoms_are_written_checked_prepared_again_and_split() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (drawn, again) = (path("drawn"), path("again"));
        dataset(&[
            "phantom",
            "--out",
            &drawn,
            "--modality",
            "ihc-hdab",
            "--n-fields",
            "2",
            "--seed",
            "7",
        ]);
        let classes =
            std::fs::read_to_string(folder.path().join("drawn/classes/ihc-hdab-7_class.csv"))
                .unwrap();
        assert!(classes.starts_with("label,class,dab_od_mean\n1,"), "{classes}");
        let (output, code) = dataset(&["check", &drawn]);
        assert!(output.starts_with("2 fields, digest ") && code.is_passed(), "{output} {code}");
        let (images, masks) = (path("drawn/original"), path("drawn/masks"));
        let prepare =
            ["prepare", &images, "--masks", &masks, "--out", &again, "--image-type", "ihc-hdab"];
        let (output, code) = dataset(&prepare);
        assert!(output.starts_with("wrote ") && code.is_passed(), "{output} {code}");
        let (manifest, code) = dataset(&["split", &again, "--test-fraction", "0.5"]);
        assert_eq!(code, ExitCode::Passed);
        assert_eq!(
            (manifest.matches("split: train").count(), manifest.matches("split: test").count()),
            (1, 1)
        );
        let (_, again) = run_dataset(&["phantom", "--out", &drawn]);
        assert!(matches!(again, Err(Failure::Tool(text)) if text.contains("exists")));
    }

    /// An output on a full disk.
    struct Full;

    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_output_that_is_lost_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let drawn = folder.path().join("drawn").to_str().unwrap().to_owned();
        dataset(&["phantom", "--out", &drawn, "--modality", "he", "--n-fields", "1"]);
        let door = Door::try_parse_from(["dataset", "split", &drawn]).unwrap();
        let mut ui = Ui { out: &mut Full, is_quiet: true, has_color: false };
        let failure = run(&mut ui, &door.args).unwrap_err();
        let text = failure.text();
        assert!(text.starts_with("the dataset: the output cannot be written: "), "{text}");
    }

    #[test]
    fn values_out_of_range_are_refused_with_what_is_needed() {
        let error_text = |line: &[&str]| {
            Door::try_parse_from([&["dataset"], line].concat()).unwrap_err().to_string()
        };
        assert!(error_text(&["split", "d", "--test-fraction", "1.5"]).contains("0 to 1"));
        let prepare = ["prepare", "in", "--out", "o", "--image-type", "he", "--pixel-size-um"];
        assert!(error_text(&[&prepare[..], &["0"]].concat()).contains("0.01 to 100"));
        assert!(
            error_text(&["prepare", "in", "--out", "o", "--image-type", "../x"])
                .contains("letters")
        );
        assert!(error_text(&["phantom", "--out", "o", "--n-fields", "0"]).contains("1..=1000"));
    }
}
