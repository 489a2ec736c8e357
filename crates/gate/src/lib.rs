//! Gate: a change of cell parameters goes in, a verdict with its reasons comes out.
//!
//! Takes base and head as trees; loads both sides, runs both with this binary on the same fields,
//! compares, judges and puts the report together. Decides nothing itself: `verdict` does.
//!
//! # Examples
//! Nothing changed, so nothing moved:
//! ```
//! use cellgate_gate::verdict::{FailOn, Verdict};
//! use cellgate_gate::{Approvals, Request, gate};
//! use cellgate_inputs::revision::Tree;
//!
//! let folder = tempfile::tempdir()?;
//! std::fs::create_dir(folder.path().join("params"))?;
//! std::fs::write(
//!     folder.path().join("cellgate.yaml"),
//!     "schema: cellgate/project/v1\ndatasets: {drawn: {builtin: phantoms}}\n\
//!      gate: [{profile: p, dataset: drawn, image_type: fluorescence}]\n",
//! )?;
//! std::fs::write(
//!     folder.path().join("params/p.yaml"),
//!     "schema: cellgate/profile/v1\nname: p\nimage: {modality: fluorescence}\n",
//! )?;
//! let outcome = gate(&Request {
//!     base: Tree::Folder(folder.path().to_owned()),
//!     base_name: "base".to_owned(),
//!     head: Tree::Folder(folder.path().to_owned()),
//!     head_name: "head".to_owned(),
//!     below: String::new(),
//!     cache: None,
//!     approvals: Approvals::none(),
//!     fail_on: FailOn::Drifted,
//!     progress: &|_, _, _| {},
//! })?;
//! assert_eq!(outcome.report.verdict, Verdict::Unchanged);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// Rooms of their own: judgement, words, what is valid, and two runs side by side.
pub mod exit;
pub mod verdict;
pub mod report;
pub mod validate;
pub mod compare;

// What is gated, and what stops a gate.
mod partial;
mod error;
mod sides;
mod share;
mod carried;
mod approvals;
mod request;

// From fields to the outcome.
mod fields;
mod networks;
mod profile;
mod outcome;
mod pictures;
mod remarks;
mod gate;

// Around a gate: its files, its shares, its approval.
mod output;
mod shards;
mod approve;

pub use approvals::{
    AppendError, Approvals, HistoryError, Unreadable, append, author_of_head, binding_of,
    verify_history,
};
pub use approve::{ApproveError, Recorded, Word, approve, revoke};
pub use error::{GateError, ShardError};
pub use gate::gate;
pub use outcome::{Outcome, RunCounts};
pub use output::write;
pub use request::Request;
pub use shards::{Partial, merge, plan_shares, run_share};
pub use share::{MAX_SHARES, PlannedShare, Share, ShareSyntax};
