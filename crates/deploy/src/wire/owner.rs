//! Owner: who deploys, as others see it.

use serde::{Deserialize, Serialize};

/// Most characters of each text in an [`Owner`].
pub const MAX_OWNER_CHARS: usize = 200;

/// Who deploys, for those who wait.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// A person or an account.
    pub who: String,
    /// Where the run can be watched; empty outside of CI.
    pub run_url: String,
    /// The machine it runs on.
    pub machine: String,
}

impl Owner {
    /// The owner with texts that may be kept and shown: printable, bounded.
    #[must_use]
    pub fn bounded(&self) -> Self {
        let bound = |text: &str| {
            text.chars().filter(|c| !c.is_control()).take(MAX_OWNER_CHARS).collect::<String>()
        };
        Self { who: bound(&self.who), run_url: bound(&self.run_url), machine: bound(&self.machine) }
    }
}
