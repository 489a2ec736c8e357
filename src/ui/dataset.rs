//! Dataset: the folder of a dataset, and what is said where its commands cannot write.

use super::failure::Failure;
use cellgate_inputs::revision::{Tree, normalize};
use std::path::Path;

/// The output of a subcommand is lost.
pub(crate) fn write_error(error: std::io::Error) -> Failure {
    Failure::tool("the dataset: the output cannot be written", &error)
}

/// The tree and the folder in it, so that findings show the path that was typed where they can.
pub(crate) fn tree_of(dir: &Path) -> (Tree, String) {
    match dir.to_str().and_then(normalize) {
        Some(folder) => (Tree::Folder(".".into()), folder),
        None => (Tree::Folder(dir.to_owned()), ".".to_owned()),
    }
}
