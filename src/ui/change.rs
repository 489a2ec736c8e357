//! Change: which project is gated and with what it is compared, for every command that gates.

use super::failure::Failure;
use super::inputs::CACHE_FOLDER;
use super::progress::Progress;
use cellgate_gate::verdict::FailOn;
use cellgate_gate::{Approvals, Request, author_of_head};
use cellgate_github::base::{BaseError, base_of};
use cellgate_github::event::{Event, Trigger};
use cellgate_inputs::project::FILE;
use cellgate_inputs::revision::{
    Tree, TreeError, folder_in_repository, git_folder, head_commit, repository_root,
};
use cellgate_run::cache::Cache;
use std::path::{Path, PathBuf};

/// Change that is gated.
#[derive(Debug, clap::Args)]
pub(crate) struct ChangeArgs {
    /// Revision to compare with; without this the pull request's base on GitHub, else the merge
    /// base with the default branch
    #[arg(long, value_name = "REV")]
    base: Option<String>,
    /// Folder of the project, anywhere in its repository; without this the nearest folder above
    /// the working folder that has a `cellgate.yaml`
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
}

/// Where results are kept.
#[derive(Debug, clap::Args)]
pub(crate) struct CacheArgs {
    /// Folder where results are kept from run to run
    #[arg(long, value_name = "DIR", env = "CELLGATE_CACHE")]
    cache: Option<PathBuf>,
    /// Compute everything, keep nothing
    #[arg(long, conflicts_with = "cache")]
    no_cache: bool,
}

/// Which approvals count.
#[derive(Debug, clap::Args)]
pub(crate) struct ApprovalArgs {
    /// Revision that holds the approvals; the branch `cellgate-approvals` without this
    #[arg(long, value_name = "REV")]
    approvals: Option<String>,
}

/// Both sides of a change.
pub(crate) struct Change {
    repository: PathBuf,
    below: String,
    base: Tree,
    base_name: String,
    head: Tree,
}

impl ChangeArgs {
    /// Finds both sides.
    pub(crate) fn open(&self) -> Result<Change, Failure> {
        let to_failure = |error: TreeError| Failure::Tool(error.to_string());
        let (repository, below) = self.locate()?;
        let base_name = base_name(self.base.as_deref(), &repository)?;
        let base = Tree::of_revision(&repository, &base_name).map_err(to_failure)?;
        Ok(Change {
            base: base.below(&below).map_err(to_failure)?,
            head: Tree::Folder(repository.clone()).below(&below).map_err(to_failure)?,
            repository,
            below,
            base_name,
        })
    }

    /// The repository's top, and the project's folder in it.
    fn locate(&self) -> Result<(PathBuf, String), Failure> {
        let to_failure = |error: TreeError| Failure::Tool(error.to_string());
        let folder = self.root.as_deref().unwrap_or(Path::new("."));
        if !folder.is_dir() {
            return Err(Failure::Usage(format!("`--root {}` is no folder", folder.display())));
        }
        let repository = repository_root(folder).map_err(to_failure)?;
        let below = folder_in_repository(folder).map_err(to_failure)?;
        if self.root.is_some() {
            return Ok((repository, below));
        }
        let is_project = |folder: &&str| repository.join(folder).join(FILE).is_file();
        let mut above = std::iter::successors(Some(below.as_str()), |folder| {
            let parent = folder.rsplit_once('/').map_or("", |(parent, _)| parent);
            (!folder.is_empty()).then_some(parent)
        });
        let nearest = above.find(is_project).unwrap_or_default().to_owned();
        Ok((repository, nearest))
    }
}

/// Revision that a change is compared with: the given one, else that of the event on GitHub, else
/// the merge base with the default branch.
pub(crate) fn base_name(revision: Option<&str>, repository: &Path) -> Result<String, Failure> {
    if let Some(revision) = revision {
        return Ok(revision.to_owned());
    }
    let event = Event::from_env().map_err(|error| Failure::tool("the event is lost", &error))?;
    base_of(event.as_ref(), repository).map_err(|error: BaseError| Failure::Tool(error.to_string()))
}

impl CacheArgs {
    /// The cache, beside git's own files unless said otherwise.
    pub(crate) fn open(&self, change: &Change) -> Result<Option<Cache>, Failure> {
        if self.no_cache {
            return Ok(None);
        }
        let folder = match &self.cache {
            Some(folder) => folder.clone(),
            None => git_folder(&change.repository)
                .map_err(|error| Failure::Tool(error.to_string()))?
                .join(CACHE_FOLDER),
        };
        Ok(Some(Cache::new(folder)))
    }
}

impl ApprovalArgs {
    /// The approvals, and who made the change: who opened the pull request, or else who wrote the
    /// last commit.
    pub(crate) fn open(&self, change: &Change) -> Result<Approvals, Failure> {
        let approvals = Approvals::read(&change.repository, self.approvals.as_deref())
            .map_err(|error: TreeError| Failure::Tool(error.to_string()))?;
        let event = Event::from_env();
        let event = event.map_err(|error| Failure::tool("the event is lost", &error))?;
        let author = match event.map(|event| event.trigger) {
            Some(Trigger::PullRequest(pull_request)) => Some(pull_request.author),
            _ => author_of_head(&change.repository),
        };
        Ok(Approvals { author, ..approvals })
    }
}

impl Change {
    /// The commit that is checked out, when there is one.
    pub(crate) fn head_commit(&self) -> Option<String> {
        head_commit(&self.repository).ok()
    }

    /// Request to the gate.
    pub(crate) fn request<'a>(
        self,
        cache: Option<Cache>,
        approvals: Approvals,
        fail_on: FailOn,
        progress: &'a (dyn Fn(usize, usize, &str) + Sync),
    ) -> Request<'a> {
        Request {
            base: self.base,
            base_name: self.base_name,
            head: self.head,
            head_name: "working tree".to_owned(),
            below: self.below,
            cache,
            approvals,
            fail_on,
            progress,
        }
    }
}

/// Tells progress in the gate's way.
pub(crate) fn progress_callback(progress: &Progress) -> impl Fn(usize, usize, &str) + Sync + '_ {
    |n_done, n_total, item| progress.update(n_done, n_total, item)
}
