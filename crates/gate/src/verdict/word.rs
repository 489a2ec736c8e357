//! Word: the verdict of a comparison, from harmless to grave.

use std::fmt;

/// How head stands to base, the mildest first.
///
/// `Drifted` weighs more than `Inconclusive`: what is proven must not hide behind what is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Same pixels, same numbers.
    Unchanged,
    /// Differences are proven to be within tolerance.
    Equivalent,
    /// Neither within nor beyond tolerance is proven.
    Inconclusive,
    /// Differences are beyond tolerance.
    Drifted,
    /// There is no result to compare, or part of it is gone.
    Broken,
}

impl Verdict {
    /// Every verdict, the mildest first.
    pub const ALL: [Self; 5] =
        [Self::Unchanged, Self::Equivalent, Self::Inconclusive, Self::Drifted, Self::Broken];

    /// The word in files and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Equivalent => "equivalent",
            Self::Inconclusive => "inconclusive",
            Self::Drifted => "drifted",
            Self::Broken => "broken",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
