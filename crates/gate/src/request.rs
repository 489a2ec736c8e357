//! Request: the two trees to gate, and the approvals for them.

use super::approvals::Approvals;
use crate::report::model::Revision;
use crate::verdict::FailOn;
use cellgate_inputs::revision::Tree;
use cellgate_run::cache::Cache;

/// Trees to gate, and the settings of the gate.
pub struct Request<'a> {
    /// Before the change.
    pub base: Tree,
    /// Name of base for people.
    pub base_name: String,
    /// After the change.
    pub head: Tree,
    /// Name of head for people.
    pub head_name: String,
    /// Where both trees stand in their repository, `a/b`; empty for its top. What is told of files
    /// is told from the repository's top.
    pub below: String,
    /// Where results are kept; `None` computes everything.
    pub cache: Option<Cache>,
    /// Approvals that people have given.
    pub approvals: Approvals,
    /// From which verdict on the gate fails.
    pub fail_on: FailOn,
    /// Is told how many of how many runs are done, and of what.
    pub progress: &'a (dyn Fn(usize, usize, &str) + Sync),
}

/// A tree as reports name it.
pub(super) fn revision(tree: &Tree, name: &str) -> Revision {
    let commit = match tree {
        Tree::Folder(_) => None,
        Tree::Commit { commit, .. } => Some(commit.clone()),
    };
    Revision { name: name.to_owned(), commit }
}
