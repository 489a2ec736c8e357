//! Problem: possible faults of a file of weights, with messages that say what to do next.

use super::super::architecture::TensorSpec;
use super::MAX_FILE_BYTES;
use crate::digest::Digest;
use std::collections::BTreeSet;
use std::fmt;

/// The format that is written and read.
pub(super) const FORMAT: &str = "cellgate/unet/v1";

/// Longest text of what a file says of itself.
pub(super) const MAX_BYTES: usize = 16 << 10;

/// Weights cannot be read or written.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WeightsError {
    /// The file is too large to be looked at.
    #[error("the file has {bytes} bytes; weights have at most {MAX_FILE_BYTES}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The file is not safetensors, or damaged.
    #[error("the file is not safetensors, or damaged: {reason}; fetch it again")]
    NotSafetensors {
        /// Error of the reader.
        reason: String,
    },
    /// The file does not say in cellgate's words what network it is for.
    #[error("metadata of the file: {0}")]
    Metadata(#[from] MetadataProblem),
    /// The file's digest is another.
    #[error(
        "the file has sha256 {found}, expected {expected}; fetch it again or name the new digest"
    )]
    Digest {
        /// Digest that the file must have.
        expected: Digest,
        /// Digest that the file has.
        found: Digest,
    },
    /// Tensors are not those of the architecture.
    #[error("{}", describe_problems(.0))]
    Tensors(Vec<TensorProblem>),
}

/// Problem with a file's metadata.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataProblem {
    /// They are not there.
    #[error(
        "there is no key `cellgate`; bring weights of other programs in with `cellgate model import`"
    )]
    Missing,
    /// The key is not the only one, or too long.
    #[error("`cellgate` must be the only key, with at most {} bytes", MAX_BYTES)]
    Crowded,
    /// They cannot be read.
    #[error("they cannot be read: {reason}")]
    Unreadable {
        /// Error of the reader.
        reason: String,
    },
    /// They are of another format.
    #[error("the format is `{}`, expected `{}`", escape_for_display(.format), FORMAT)]
    Foreign {
        /// Their format.
        format: String,
    },
    /// They are of a later version.
    #[error("the format `{}` is newer than this cellgate, which reads `{}`; install a newer one",
        escape_for_display(.format), FORMAT)]
    TooNew {
        /// Their format.
        format: String,
    },
    /// A network like this cannot be built.
    #[error(
        "the architecture is out of bounds: 1 to 8 input channels, a base width of 8 to 64 in \
        steps of 8, a depth of 1 to 5"
    )]
    Architecture,
    /// Images cannot be scaled like this.
    #[error(
        "the scaling of the input is out of bounds: percentiles rise within 0 to 100, the \
        clipping leaves 0 to 1 alone"
    )]
    Scaling,
    /// Images cannot be prepared so.
    #[error("images are brought to a size that cannot be")]
    Preparation,
}

/// Problem with one tensor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TensorProblem {
    /// It is not there.
    #[error("`{}` is missing", escape_for_display(.name))]
    Missing {
        /// Its name.
        name: String,
    },
    /// The architecture does not have it.
    #[error("`{}` does not belong to the architecture", escape_for_display(.name))]
    Unknown {
        /// Its name.
        name: String,
    },
    /// It has another shape.
    #[error("`{}` has shape {found:?}, expected {expected:?}", escape_for_display(.name))]
    Shape {
        /// Its name.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// Shape that the architecture asks for.
        expected: Vec<usize>,
    },
    /// Its numbers are of a kind that is not read.
    #[error("`{}` has numbers of type {found}, which is not read here", escape_for_display(.name))]
    Type {
        /// Its name.
        name: String,
        /// Its type.
        found: String,
    },
    /// A number is infinite or not a number.
    #[error("`{}` has a number that is not finite at index {index}", escape_for_display(.name))]
    NotFinite {
        /// Its name.
        name: String,
        /// Which of its numbers.
        index: usize,
    },
    /// A variance is negative.
    #[error("`{}` has a negative variance at index {index}", escape_for_display(.name))]
    NegativeVariance {
        /// Its name.
        name: String,
        /// Which of its numbers.
        index: usize,
    },
    /// A number does not fit.
    #[error("`{}` has a number too large for half precision at index {index}; write single",
        escape_for_display(.name))]
    TooLargeForHalf {
        /// Its name.
        name: String,
        /// Which of its numbers.
        index: usize,
    },
}

/// Problems that are named one by one; further ones are counted.
const MAX_LISTED: usize = 6;

fn describe_problems(problems: &[TensorProblem]) -> String {
    let mut text: Vec<String> = problems.iter().take(MAX_LISTED).map(ToString::to_string).collect();
    if problems.len() > MAX_LISTED {
        text.push(format!("and {} more", problems.len() - MAX_LISTED));
    }
    format!("the tensors are not those of the architecture: {}", text.join("; "))
}

/// Text of a stranger, on one line and short.
fn escape_for_display(text: &str) -> impl fmt::Display {
    let mut short: String = text.chars().take(80).flat_map(char::escape_debug).collect();
    if text.chars().nth(80).is_some() {
        short.push('…');
    }
    short
}

/// Names that are missing or too many.
pub(super) fn name_problems<'a>(
    specs: &[TensorSpec],
    found: impl Iterator<Item = &'a str>,
) -> Vec<TensorProblem> {
    let found: BTreeSet<&str> = found.collect();
    let expected: BTreeSet<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
    let missing = specs.iter().filter(|spec| !found.contains(spec.name.as_str()));
    let missing = missing.map(|spec| TensorProblem::Missing { name: spec.name.clone() });
    let unknown = found.difference(&expected);
    missing.chain(unknown.map(|&name| TensorProblem::Unknown { name: name.to_owned() })).collect()
}

/// The first wrong number of a tensor.
pub(super) fn value_problem(spec: &TensorSpec, values: &[f32]) -> Option<TensorProblem> {
    let name = spec.name.clone();
    if values.len() != spec.shape.iter().product::<usize>() {
        let (found, expected) = (vec![values.len()], spec.shape.clone());
        return Some(TensorProblem::Shape { name, found, expected });
    }
    if let Some(index) = values.iter().position(|value| !value.is_finite()) {
        return Some(TensorProblem::NotFinite { name, index });
    }
    let is_variance = name.ends_with(".running_var");
    let negative = values.iter().position(|&value| is_variance && value < 0.0);
    negative.map(|index| TensorProblem::NegativeVariance { name, index })
}

/// An error of all problems, if there are any.
pub(super) fn fail_if_any(problems: Vec<TensorProblem>) -> Result<(), WeightsError> {
    if problems.is_empty() { Ok(()) } else { Err(WeightsError::Tensors(problems)) }
}
