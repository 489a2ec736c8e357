//! Cipher: which of ssh's own ciphers is tried first on this processor.
//!
//! Takes none away and adds none: the order is all that changes. With instructions for AES, AES-GCM
//! takes a fraction of the time that ChaCha20 does, which ssh prefers since it is fast everywhere.

use super::program::program;
use std::time::Duration;
use tokio::time::timeout;

/// How long ssh may take to say which version it is.
const PATIENCE: Duration = Duration::from_secs(5);

/// The first version that lets a cipher be put first by itself.
const FIRST_VERSION: (u32, u32) = (8, 1);

/// The cipher to try first; `None` leaves ssh's order as it is.
pub(super) fn fastest() -> Option<&'static str> {
    #[cfg(target_arch = "x86_64")]
    let has_aes = std::arch::is_x86_feature_detected!("aes");
    #[cfg(target_arch = "aarch64")]
    let has_aes = std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let has_aes = false;
    has_aes.then_some("aes256-gcm@openssh.com")
}

/// Whether ssh lets one cipher be put before its others.
pub(super) async fn is_preference_supported() -> bool {
    let result = timeout(PATIENCE, program("ssh").arg("-V").output()).await;
    let stderr = result.ok().and_then(Result::ok).map(|output| output.stderr).unwrap_or_default();
    parse_version(&String::from_utf8_lossy(&stderr)).is_some_and(|version| FIRST_VERSION <= version)
}

/// The version in `OpenSSH_9.2p1 Debian-2, …`.
fn parse_version(output: &str) -> Option<(u32, u32)> {
    let (_, rest) = output.split_once("OpenSSH_")?;
    let rest = rest.strip_prefix("for_Windows_").unwrap_or(rest);
    let (major, rest) = rest.split_once('.')?;
    let minor: String = rest.chars().take_while(char::is_ascii_digit).collect();
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(parse_version("OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.19"), Some((9, 2)));
        assert_eq!(parse_version("OpenSSH_10.0p2, OpenSSL 3.5.0"), Some((10, 0)));
        assert_eq!(parse_version("OpenSSH_7.9p1"), Some((7, 9)));
        assert_eq!(parse_version("dropbear"), None);
    }
}
