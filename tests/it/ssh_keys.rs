//! Private keys as people paste them: what is repaired, and what each mistake is told as.

use crate::sshd::Pair;
use base64::Engine as _;
use cellgate_deploy::key::{KeyError, Repair, examine};
use cellgate_inputs::secret::Secret;
use std::sync::{LazyLock, Mutex};
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

/// Two tests must not make one key at the same time.
static MAKING: Mutex<()> = Mutex::new(());

/// The private key of a new pair.
fn key(kind: &str, passphrase: &str) -> String {
    let _alone = MAKING.lock().unwrap();
    let name = format!("{}{}", kind.replace(' ', "_"), passphrase.len());
    let file = FOLDER.path().join(&name);
    if file.exists() {
        return Pair { file }.private();
    }
    Pair::new(FOLDER.path(), &name, kind, passphrase).private()
}

#[track_caller]
fn repaired(text: &str, original: &str, repairs: &[Repair]) {
    let key = examine(&Secret::new(text), Some(&Secret::new("x"))).unwrap();
    assert_eq!(key.repairs, repairs);
    assert_eq!(key.text.reveal().replace('\n', ""), original.replace('\n', ""));
    assert!(key.text.reveal().ends_with("-----\n"));
}

#[track_caller]
fn refused(text: &str, expected: KeyError) {
    let error = examine(&Secret::new(text), None).unwrap_err();
    assert_eq!(error, expected);
    let shown = error.to_string();
    assert!(!text.lines().any(|line| 30 < line.len() && shown.contains(line)), "{shown}");
}

#[test]
fn what_has_one_meaning_only_is_repaired() {
    for kind in ["ed25519", "ecdsa -m PEM", "rsa -b 2048 -m PEM", "rsa -b 2048 -m PKCS8"] {
        let key = key(kind, "");
        repaired(&key, &key, &[]);
        repaired(&format!("\n\n{key}\n\n"), &key, &[]);
        repaired(key.trim_end(), &key, &[Repair::FinalLineFeed]);
        repaired(&key.replace('\n', "\r\n"), &key, &[Repair::CarriageReturns]);
        repaired(&key.replace('\n', "\\n"), &key, &[Repair::EscapedLineFeeds]);
        repaired(key.trim_end().replace('\n', " ").as_str(), &key, &[Repair::JoinedLines]);
        repaired(&format!("\"{key}\""), &key, &[Repair::Quotes]);
        let wrapped = base64::engine::general_purpose::STANDARD.encode(&key);
        repaired(&wrapped, &key, &[Repair::Base64]);
    }
}

#[test]
fn headers_of_an_encrypted_pem_key_stay() {
    let key = key("rsa -b 2048 -m PEM", "correct horse");
    assert!(key.contains("DEK-Info"), "ssh-keygen no longer writes the old form");
    repaired(&key, &key, &[]);
    let joined = examine(&Secret::new(key.replace('\n', " ")), Some(&Secret::new("x"))).unwrap();
    assert!(joined.is_encrypted);
    assert_eq!(joined.text.reveal().lines().nth(3), Some(""), "a blank line ends the headers");
}

#[test]
fn encryption_is_seen_without_the_passphrase() {
    for kind in ["ed25519", "ecdsa", "rsa -b 2048 -m PEM", "rsa -b 2048 -m PKCS8"] {
        refused(&key(kind, "correct horse"), KeyError::PassphraseMissing);
        assert!(!examine(&Secret::new(key(kind, "")), None).unwrap().is_encrypted, "{kind}");
    }
}

#[test]
fn a_key_that_is_cut_off_is_told_as_that_at_every_place() {
    for kind in ["ed25519", "rsa -b 2048 -m PEM", "ecdsa -m PEM"] {
        let key = key(kind, "");
        let end = key.trim_end().len();
        for n_bytes in (40..end).step_by(97).chain([end - 1]) {
            refused(&key[..n_bytes], KeyError::Truncated);
        }
        // The middle is missing, first and last line are there.
        let lines: Vec<&str> = key.lines().collect();
        let (first, last) = (lines[0], lines[lines.len() - 1]);
        refused(&format!("{first}\n{}\n{last}\n", lines[1]), KeyError::Truncated);
    }
}

#[test]
fn what_is_no_private_key_is_named() {
    let key = key("ed25519", "");
    refused("", KeyError::Empty);
    refused(" \n\t", KeyError::Empty);
    refused("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0 me@here", KeyError::Public);
    refused("-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n", KeyError::Public);
    refused("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n", KeyError::Putty);
    refused("---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n", KeyError::SshCom);
    refused("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", KeyError::Certificate);
    refused("~/.ssh/id_ed25519", KeyError::Path);
    refused("SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU", KeyError::Fingerprint);
    refused("hunter2", KeyError::NotAKey);
    refused("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQ\n", KeyError::NotAKey);
    refused("-----BEGIN DSA PRIVATE KEY-----\nMIIB\n-----END DSA PRIVATE KEY-----", KeyError::Dsa);
    refused(&format!("{key}{key}"), KeyError::Several);
    refused(&"a".repeat(100_000), KeyError::TooLong);
    let (first, rest) = key.split_at(60);
    refused(&format!("{first}!!!!{rest}"), KeyError::Damaged);
}
