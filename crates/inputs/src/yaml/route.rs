//! Route: the way to a value in a document.

/// One step of a route into a document: a key of a mapping or an index of a list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// A mapping's key.
    Key(String),
    /// A list's index, from 0.
    Index(usize),
}

impl From<&str> for Step {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// The route of keys that a dotted path names: `smoothing.sigma_um`.
#[must_use]
pub fn route(path: &str) -> Vec<Step> {
    path.split('.').map(Step::from).collect()
}
