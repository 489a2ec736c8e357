//! Times deploys beside `rsync` and `tar | ssh`, over a real sshd on loopback with and without delay.
//!
//! `cargo bench --bench deploy -- [--runs N] [--program FILE] [--client FILE] [--rate-mbit N]`. All
//! tools take turns on the same bytes, the same sshd and the same line, from the same state of the
//! server; a ratio is the median of those of each turn. Needs sshd, ssh, rsync, tar and git. Peers
//! neither verify nor test nor bring to the disk what they send; what cellgate does beyond them is
//! part of its time.
#![expect(clippy::print_stdout, reason = "a bench reports on the terminal")]

mod line;
mod site;

use line::Line;
use site::Site;
use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Turns of each case, when nothing else is asked for.
const N_RUNS: usize = 5;

/// Round trips of the line, in milliseconds.
const DELAYS_MS: [u64; 2] = [0, 90];

/// State that a deploy finds, and the change that it brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    /// A bare server, and the release.
    First,
    /// A bare server, and a release of 100 MB.
    FirstLarge,
    /// One parameter of one profile differs.
    Parameters,
    /// The program differs at its end, which is the best that a block-wise comparison can find.
    Program,
    /// Nothing differs.
    Nothing,
}

impl Case {
    const ALL: [Self; 5] =
        [Self::First, Self::FirstLarge, Self::Parameters, Self::Program, Self::Nothing];

    fn title(self) -> &'static str {
        match self {
            Self::First => "first deploy",
            Self::FirstLarge => "first deploy, 100 MB",
            Self::Parameters => "one parameter",
            Self::Program => "program, end differs",
            Self::Nothing => "nothing changed",
        }
    }
}

/// Who brings it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    /// This program.
    Cellgate,
    /// `rsync -a --checksum` into the folder that is in use: what is read meanwhile is of both.
    Rsync,
    /// The same into a folder of its own, with links to what is there, then `ssh` to switch.
    RsyncSwitch,
    /// `tar | ssh tar`, and the switch in the same command.
    Tar,
}

impl Tool {
    const ALL: [Self; 4] = [Self::Cellgate, Self::Rsync, Self::RsyncSwitch, Self::Tar];

    fn title(self) -> &'static str {
        match self {
            Self::Cellgate => "cellgate",
            Self::Rsync => "rsync in place",
            Self::RsyncSwitch => "rsync, then ssh",
            Self::Tar => "tar | ssh",
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)
    };
    let n_runs = after("--runs").map_or(Ok(N_RUNS), |text| text.parse())?;
    let program = after("--program").map_or(env!("CARGO_BIN_EXE_cellgate"), String::as_str);
    let client = after("--client").map_or(program, String::as_str);
    let rate_mbit = after("--rate-mbit").map_or(Ok(0), |text| text.parse())?;
    let line = Line::new()?;
    let site = Site::new(&PathBuf::from(program), &PathBuf::from(client), &line)?;
    line.set_rate_mbit(rate_mbit);
    let rate = if rate_mbit == 0 { String::new() } else { format!(", {rate_mbit} Mbit/s") };
    for delay_ms in DELAYS_MS {
        println!(
            "\nround trip {delay_ms} ms{rate}, {n_runs} turns: seconds (of cellgate), bytes sent"
        );
        for case in Case::ALL {
            line.set_delay(Duration::ZERO);
            compare(&site, &line, case, (delay_ms, n_runs))?;
        }
    }
    Ok(())
}

/// Lets all tools take turns at a case, and prints a line.
fn compare(
    site: &Site,
    line: &Line,
    case: Case,
    (delay_ms, n_runs): (u64, usize),
) -> Result<(), Box<dyn Error>> {
    let mut seconds = [const { Vec::new() }; Tool::ALL.len()];
    let mut n_sent = [0; Tool::ALL.len()];
    for _ in 0..n_runs {
        for (index, tool) in Tool::ALL.into_iter().enumerate() {
            line.set_delay(Duration::ZERO);
            site.prepare(tool, case)?;
            line.set_delay(Duration::from_millis(delay_ms / 2));
            let before = line.n_sent();
            let began = Instant::now();
            site.bring(tool, case)?;
            seconds[index].push(began.elapsed().as_secs_f64());
            n_sent[index] = line.n_sent() - before;
        }
    }
    println!("  {}", case.title());
    for (index, tool) in Tool::ALL.into_iter().enumerate() {
        let ratios = seconds[index].iter().zip(&seconds[0]).map(|(peer, ours)| peer / ours);
        let (time, ratio) = (median(seconds[index].clone()), median(ratios.collect()));
        println!("    {:<16} {time:6.2} s ({ratio:5.2}) {:>12}", tool.title(), n_sent[index]);
    }
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
