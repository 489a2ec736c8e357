//! Secret: text that cannot be printed.
//!
//! Holds tokens, keys and passphrases from the environment until the one call that needs them.

use std::fmt;

/// Text that only [`Secret::reveal`] shows.
///
/// `Debug` and `Display` print a placeholder, so that a secret stays hidden even in a message that it
/// reaches by mistake. It can be neither serialized nor compared.
#[derive(Clone)]
pub struct Secret(String);

/// Text shown instead of a secret.
const HIDDEN: &str = "(hidden)";

impl Secret {
    /// Takes the text into custody.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether nothing is inside, which is how an unset variable of a workflow arrives.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A variable of the environment; `None` when it is unset, empty or not UTF-8.
    pub fn from_env(name: &str) -> Option<Self> {
        std::env::var(name).ok().filter(|text| !text.is_empty()).map(Self)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_never_prints_itself() {
        let secret = Secret::new("correct horse");
        for text in [format!("{secret}"), format!("{secret:?}"), format!("{:?}", Some(&secret))] {
            assert!(!text.contains("horse"), "{text}");
        }
        assert_eq!(secret.reveal(), "correct horse");
    }
}
