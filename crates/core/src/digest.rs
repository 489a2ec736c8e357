//! Digests: sha256 of bytes and of values in canonical form.
//!
//! A value's canonical form is JSON after RFC 8785, so that order and formatting of the file it
//! came from do not matter. Digests are shown as 64 lowercase hexadecimal digits.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;

/// A sha256 digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// 64 zeros: what stands where nothing came before.
    pub const ZERO: Self = Self([0; 32]);

    /// Digests bytes as they are.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Digests the canonical JSON form (RFC 8785) of a value.
    ///
    /// # Errors
    /// [`DigestError`] when the value has no JSON form (a non-finite number, a map whose keys are
    /// not text).
    ///
    /// # Examples
    /// ```
    /// use cellgate_core::digest::Digest;
    /// use std::collections::BTreeMap;
    ///
    /// // Numbers have one form, whatever their type.
    /// let one = Digest::of_canonical(&BTreeMap::from([("h", 1.0)]))?;
    /// let same = Digest::of_canonical(&BTreeMap::from([("h", 1)]))?;
    /// assert_eq!(one, same);
    /// # Ok::<(), cellgate_core::digest::DigestError>(())
    /// ```
    pub fn of_canonical<T: Serialize>(value: &T) -> Result<Self, DigestError> {
        Ok(Self::of_bytes(&canonical(value)?))
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// First twelve digits, for people.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = DigestSyntax;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.as_bytes();
        let lowercase_hex = |d: &u8| d.is_ascii_digit() || (b'a'..=b'f').contains(d);
        if digits.len() != 64 || !digits.iter().all(lowercase_hex) {
            return Err(DigestSyntax);
        }
        let nibble = |d: u8| if d.is_ascii_digit() { d - b'0' } else { d - b'a' + 10 };
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = nibble(pair[0]) << 4 | nibble(pair[1]);
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A digest of bytes that come piece by piece.
#[derive(Debug, Clone, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Takes the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all pieces.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

/// The canonical JSON form (RFC 8785) of a value.
///
/// # Errors
/// [`DigestError`] when the value has no JSON form.
pub fn canonical<T: Serialize>(value: &T) -> Result<Vec<u8>, DigestError> {
    serde_json_canonicalizer::to_vec(value).map_err(DigestError)
}

/// The text is not 64 lowercase hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a sha256 digest: 64 lowercase hexadecimal digits are needed")]
pub struct DigestSyntax;

/// The value has no canonical JSON form.
#[derive(Debug, thiserror::Error)]
#[error("the value has no canonical JSON form")]
pub struct DigestError(#[source] serde_json::Error);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answer_of_bytes() {
        let digest = Digest::of_bytes(b"abc").to_string();
        assert_eq!(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn key_order_does_not_change_the_canonical_digest() {
        let one = serde_json::json!({"b": 1.0, "a": [1, 2.5]});
        let two = serde_json::json!({"a": [1, 2.5], "b": 1});
        assert_eq!(Digest::of_canonical(&one).unwrap(), Digest::of_canonical(&two).unwrap());
    }

    #[test]
    fn pieces_have_the_digest_of_the_whole() {
        let mut hasher = Hasher::default();
        hasher.update(b"a");
        hasher.update(b"bc");
        assert_eq!(hasher.finish(), Digest::of_bytes(b"abc"));
    }

    #[test]
    fn text_form_round_trips_and_rejects_uppercase() {
        let digest = Digest::of_bytes(b"");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(digest.to_string().to_uppercase().parse::<Digest>(), Err(DigestSyntax));
    }
}
