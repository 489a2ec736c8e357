//! Private keys as people paste them: repairs, and the message of each mistake.

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
fn check_repair(text: &str, original: &str, repairs: &[Repair]) {
    let key = examine(&Secret::new(text), Some(&Secret::new("x"))).unwrap();
    assert_eq!(key.repairs, repairs);
    assert_eq!(key.text.reveal().replace('\n', ""), original.replace('\n', ""));
    assert!(key.text.reveal().ends_with("-----\n"));
}

#[track_caller]
fn check_refusal(text: &str, expected: KeyError) {
    let error = examine(&Secret::new(text), None).unwrap_err();
    assert_eq!(error, expected);
    let message = error.to_string();
    assert!(!text.lines().any(|line| 30 < line.len() && message.contains(line)), "{message}");
}

#[test]
fn what_has_one_meaning_only_is_repaired() {
    for kind in ["ed25519", "ecdsa -m PEM", "rsa -b 2048 -m PEM", "rsa -b 2048 -m PKCS8"] {
        let key = key(kind, "");
        check_repair(&key, &key, &[]);
        check_repair(&format!("\n\n{key}\n\n"), &key, &[]);
        check_repair(key.trim_end(), &key, &[Repair::FinalLineFeed]);
        check_repair(&key.replace('\n', "\r\n"), &key, &[Repair::CarriageReturns]);
        check_repair(&key.replace('\n', "\\n"), &key, &[Repair::EscapedLineFeeds]);
        check_repair(key.trim_end().replace('\n', " ").as_str(), &key, &[Repair::JoinedLines]);
        check_repair(&format!("\"{key}\""), &key, &[Repair::Quotes]);
        let wrapped = base64::engine::general_purpose::STANDARD.encode(&key);
        check_repair(&wrapped, &key, &[Repair::Base64]);
    }
}

#[test]
fn headers_of_an_encrypted_pem_key_stay() {
    let key = key("rsa -b 2048 -m PEM", "correct horse");
    assert!(key.contains("DEK-Info"), "ssh-keygen no longer writes the old form");
    check_repair(&key, &key, &[]);
    let joined = examine(&Secret::new(key.replace('\n', " ")), Some(&Secret::new("x"))).unwrap();
    assert!(joined.is_encrypted);
    assert_eq!(joined.text.reveal().lines().nth(3), Some(""), "a blank line ends the headers");
}

#[test]
fn encryption_is_seen_without_the_passphrase() {
    for kind in ["ed25519", "ecdsa", "rsa -b 2048 -m PEM", "rsa -b 2048 -m PKCS8"] {
        check_refusal(&key(kind, "correct horse"), KeyError::PassphraseMissing);
        assert!(!examine(&Secret::new(key(kind, "")), None).unwrap().is_encrypted, "{kind}");
    }
}

#[test]
fn a_key_that_is_cut_off_is_told_as_that_at_every_place() {
    for kind in ["ed25519", "rsa -b 2048 -m PEM", "ecdsa -m PEM"] {
        let key = key(kind, "");
        let end = key.trim_end().len();
        for n_bytes in (40..end).step_by(97).chain([end - 1]) {
            check_refusal(&key[..n_bytes], KeyError::Truncated);
        }
        // The middle is missing, first and last line are there.
        let lines: Vec<&str> = key.lines().collect();
        let (first, last) = (lines[0], lines[lines.len() - 1]);
        check_refusal(&format!("{first}\n{}\n{last}\n", lines[1]), KeyError::Truncated);
    }
}

#[test]
fn what_is_no_private_key_is_named() {
    let key = key("ed25519", "");
    check_refusal("", KeyError::Empty);
    check_refusal(" \n\t", KeyError::Empty);
    check_refusal("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0 me@here", KeyError::Public);
    check_refusal("-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n", KeyError::Public);
    check_refusal("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n", KeyError::Putty);
    check_refusal("---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n", KeyError::SshCom);
    let certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----";
    check_refusal(certificate, KeyError::Certificate);
    check_refusal("~/.ssh/id_ed25519", KeyError::Path);
    check_refusal("SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU", KeyError::Fingerprint);
    check_refusal("hunter2", KeyError::NotAKey);
    check_refusal("-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQ\n", KeyError::NotAKey);
    let dsa = "-----BEGIN DSA PRIVATE KEY-----\nMIIB\n-----END DSA PRIVATE KEY-----";
    check_refusal(dsa, KeyError::Dsa);
    check_refusal(&format!("{key}{key}"), KeyError::Several);
    check_refusal(&"a".repeat(100_000), KeyError::TooLong);
    let (first, rest) = key.split_at(60);
    check_refusal(&format!("{first}!!!!{rest}"), KeyError::Damaged);
}
