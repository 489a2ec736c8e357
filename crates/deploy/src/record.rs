//! Record: the outcome of a deploy, as JSON for programs and as Markdown for a job's summary.

use super::ending::Ended;
use super::fleet::{HostOutcome, exit_code};
use cellgate_core::digest::Digest;
use cellgate_gate::exit::ExitCode;
use cellgate_gate::report::markdown::{code, prose};
use serde::Serialize;
use std::fmt::Write as _;

/// Value of the `schema` key of a record.
pub const SCHEMA: &str = "cellgate/deploy/v1";

/// Outcome of a deploy or a rollback.
#[derive(Debug, Clone, Serialize)]
pub struct DeployRecord {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// `deploy` or `rollback`.
    pub act: &'static str,
    /// The target's name.
    pub target: String,
    /// The release that was wanted; none for the previous one of each host.
    pub release: Option<Digest>,
    /// Exit code of the command.
    pub exit_code: ExitCode,
    /// Each host, the canary first.
    pub hosts: Vec<HostRecord>,
}

/// Outcome of one host.
#[derive(Debug, Clone, Serialize)]
pub struct HostRecord {
    /// The host.
    pub host: String,
    /// `done`, `unchanged`, `refused`, `failed`, `stranded` or `unknown`.
    pub outcome: &'static str,
    /// Active release, where it is known.
    pub active: Option<Digest>,
    /// Release that was active before, where it is known.
    pub before: Option<Digest>,
    /// Bytes that were sent.
    pub n_sent_bytes: u64,
    /// Why not, and what to do next; empty when all is well.
    pub message: String,
    /// Faults that do not affect the active release.
    pub warnings: Vec<String>,
}

impl DeployRecord {
    /// Records what became of each host.
    #[must_use]
    pub fn new(
        act: &'static str,
        target: &str,
        release: Option<Digest>,
        outcomes: &[HostOutcome],
    ) -> Self {
        Self {
            schema: SCHEMA,
            act,
            target: target.to_owned(),
            release,
            exit_code: exit_code(outcomes),
            hosts: outcomes.iter().map(host_record).collect(),
        }
    }

    /// The record as JSON.
    ///
    /// # Errors
    /// Error of the JSON writer; every value has a JSON form.
    pub fn to_json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }

    /// The record for a job's summary.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let release =
            self.release.map_or_else(|| "the previous release".to_owned(), |id| id.short());
        let mut text = format!(
            "### {} of {} to {}: exit code {}\n\n| host | outcome | active | before | sent | remark |\n\
             |---|---|---|---|---|---|\n",
            self.act,
            code(&release),
            code(&self.target),
            self.exit_code
        );
        for host in &self.hosts {
            let id = |id: Option<Digest>| id.map_or_else(String::new, |id| id.short());
            let remarks = std::iter::once(&host.message).chain(&host.warnings);
            let remarks: Vec<String> =
                remarks.filter(|one| !one.is_empty()).map(|one| prose(one)).collect();
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} |",
                code(&host.host),
                host.outcome,
                id(host.active),
                id(host.before),
                host.n_sent_bytes,
                remarks.join(" ")
            );
        }
        text
    }
}

fn host_record(host: &HostOutcome) -> HostRecord {
    let empty = HostRecord {
        host: host.host.clone(),
        outcome: "done",
        active: None,
        before: None,
        n_sent_bytes: 0,
        message: String::new(),
        warnings: Vec::new(),
    };
    match &host.outcome {
        Ok(deployed) => HostRecord {
            outcome: if deployed.is_unchanged { "unchanged" } else { "done" },
            active: Some(deployed.release),
            before: deployed.base,
            n_sent_bytes: deployed.n_sent,
            warnings: deployed.warnings.clone(),
            ..empty
        },
        Err(failure) => {
            let outcome = match failure.ended {
                Ended::Refused => "refused",
                Ended::Failed => "failed",
                Ended::Stranded => "stranded",
                Ended::Unknown => "unknown",
            };
            HostRecord { outcome, message: failure.message.clone(), ..empty }
        }
    }
}
