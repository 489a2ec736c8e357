//! Commit: brings the commit that is checked out to the hosts of a target.
//!
//! Asks git what is approved, packs it, reaches the hosts, and shows what would change or switches
//! them. Asking git and preparing the ways have nothing to do with each other, so [`Asked`] begins
//! before the hosts are found; nothing is connected to before all of it is approved.

use super::ending::Failure;
use super::fleet::roll_out;
use super::options::Options;
use super::pack::{self, Approved, PackError, Packed};
use super::preview::{KeptPlan, KeptPlanError, Preview, preview};
use super::record::DeployRecord;
use super::target::Hosts;
use super::whole::Wanted;
use cellgate_core::digest::Digest;
use std::sync::Arc;
use tokio::sync::oneshot;

/// A commit could not be brought to a target. What became of single hosts is no error: the record
/// says it.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// It cannot be packed, or nobody approved it.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The thread that packs is gone.
    #[error("packing ended without a word")]
    Lost,
    /// It is not what the kept plan names.
    #[error(transparent)]
    Plan(#[from] KeptPlanError),
    /// A host does not say what would change.
    #[error("{}", .0.message)]
    Preview(Failure),
}

/// The question to git, what of a commit is approved, which is being answered on a thread of its own.
pub struct Asked(oneshot::Receiver<Result<Approved, PackError>>);

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Asked")
    }
}

impl Asked {
    /// Begins to ask.
    #[must_use]
    pub fn start(request: pack::Request) -> Self {
        Self(spawn(move || pack::check_approvals(&request)))
    }

    /// Packs what is approved while the hosts are reached.
    async fn pack(self, hosts: &Hosts) -> Result<Packed, CommitError> {
        let approved = receive(self.0).await?;
        let packing = receive(spawn(|| approved.pack()));
        // What cannot be packed is reported at once, whatever else is at work.
        let reaching = async {
            hosts.reach().await;
            Ok(())
        };
        let (packed, ()) = tokio::try_join!(packing, reaching)?;
        Ok(packed)
    }
}

/// Packs a commit and asks each host what it would change; changes nothing.
///
/// # Errors
/// [`CommitError`].
pub async fn plan_commit(
    question: Asked,
    hosts: &Hosts,
    options: impl FnOnce(Digest) -> Options,
) -> Result<(Packed, Vec<Preview>), CommitError> {
    let packed = question.pack(hosts).await?;
    let options = options_of(&packed, hosts, options);
    let previews = preview(&hosts.hosts, &packed, &options).await;
    Ok((packed, previews.map_err(CommitError::Preview)?))
}

/// Packs a commit and brings it to each host; where a plan was kept, exactly what it names.
///
/// `options` are those for the release of that name; how many releases are kept is the target's.
///
/// # Errors
/// [`CommitError`]; then nothing was changed anywhere.
pub async fn deploy_commit(
    question: Asked,
    target: &str,
    hosts: &mut Hosts,
    plan: Option<&KeptPlan>,
    options: impl FnOnce(Digest) -> Options,
) -> Result<(Packed, DeployRecord), CommitError> {
    let packed = question.pack(hosts).await?;
    let release = packed.package.release().id();
    let options = options_of(&packed, hosts, options);
    if let Some(plan) = plan {
        plan.bind(release, &mut hosts.hosts)?;
    }
    let package = Arc::new(packed.package.clone());
    let outcomes = roll_out(&hosts.hosts, Wanted::Package(&package), &options).await;
    Ok((packed, DeployRecord::new("deploy", target, Some(release), &outcomes)))
}

fn options_of(packed: &Packed, hosts: &Hosts, options: impl FnOnce(Digest) -> Options) -> Options {
    Options { keep: hosts.keep, ..options(packed.package.release().id()) }
}

/// Does something on a thread of its own, which nobody waits for who was canceled.
fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> oneshot::Receiver<T> {
    let (sender, answer) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = sender.send(work());
    });
    answer
}

async fn receive<T>(receiver: oneshot::Receiver<Result<T, PackError>>) -> Result<T, CommitError> {
    Ok(receiver.await.map_err(|_| CommitError::Lost)??)
}
