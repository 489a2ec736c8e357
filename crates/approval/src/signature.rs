//! Signature: records signed and checked by OpenSSH's `ssh-keygen -Y`.
//!
//! Takes a record's canonical form and a key file, or a record and a file of allowed signers, as
//! ssh-keygen(1) describes them; the person who approves is the principal. The one part of this
//! room that starts a program: it is called from the floors that may, never by the judgement.
//!
//! # Sources
//! OpenSSH, PROTOCOL.sshsig; ssh-keygen(1), "ALLOWED SIGNERS".

use super::log::Record;
use cellgate_core::digest::DigestError;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Namespace of signatures, so that one made for anything else does not count here.
pub const NAMESPACE: &str = "cellgate-approval";

/// Longer signatures are refused, in bytes; one of a 16 kbit key has 6 kB.
const MAX_SIGNATURE_BYTES: usize = 16 << 10;

/// Most characters of what the program says that are repeated.
const MAX_SAID_CHARS: usize = 300;

/// A record cannot be signed, or its signature does not hold.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// The record carries no signature.
    #[error("the approval of `{0}` is not signed: sign it with `cellgate approve --sign KEY`")]
    Missing(String),
    /// The signature is too long.
    #[error("the signature has more than {MAX_SIGNATURE_BYTES} bytes")]
    TooLong,
    /// The signature does not hold.
    #[error(
        "the signature of `{who}` does not hold for the allowed signers in `{signers}`: {said}"
    )]
    Refused {
        /// Who is said to have signed.
        who: String,
        /// The file of allowed signers.
        signers: String,
        /// Message of ssh-keygen.
        said: String,
    },
    /// The key cannot sign.
    #[error("`{key}` cannot sign: {said}")]
    Key {
        /// The key's file.
        key: String,
        /// Message of ssh-keygen.
        said: String,
    },
    /// The program cannot be run.
    #[error("`ssh-keygen` cannot be run: install OpenSSH 8.2 or later")]
    Program(#[source] std::io::Error),
    /// The record has no canonical form.
    #[error(transparent)]
    Digest(#[from] DigestError),
}

/// Signs a message with a private key, or with a public one whose private key an agent holds.
///
/// # Errors
/// [`SignatureError::Key`] when the key cannot sign, [`SignatureError::Program`] when there is no
/// `ssh-keygen`.
pub fn sign(message: &[u8], key: &Path) -> Result<String, SignatureError> {
    let mut command = Command::new("ssh-keygen");
    command.args(["-Y", "sign", "-n", NAMESPACE, "-f"]).arg(key);
    let output = run_with_stdin(command, message)?;
    let signature = String::from_utf8(output.stdout.clone()).unwrap_or_default();
    if !output.status.success() || !signature.starts_with("-----BEGIN SSH SIGNATURE-----") {
        let (key, said) = (key.display().to_string(), stderr_line(&output));
        return Err(SignatureError::Key { key, said });
    }
    if MAX_SIGNATURE_BYTES < signature.len() {
        return Err(SignatureError::TooLong);
    }
    Ok(signature)
}

/// Verifies that a record is signed by the person it names, with a key that counts today.
///
/// # Edge cases
/// A key whose `valid-before` has passed does not count, whatever the record says when it was made:
/// a person who holds such a key could date a record back.
///
/// # Errors
/// [`SignatureError`] saying what does not hold.
pub fn verify(record: &Record, allowed_signers: &Path) -> Result<(), SignatureError> {
    let who = &record.entry.who;
    let signature = record.signature.as_ref();
    let signature = signature.ok_or_else(|| SignatureError::Missing(who.clone()))?;
    if MAX_SIGNATURE_BYTES < signature.len() {
        return Err(SignatureError::TooLong);
    }
    let mut file = tempfile::NamedTempFile::new().map_err(SignatureError::Program)?;
    file.write_all(signature.as_bytes()).map_err(SignatureError::Program)?;
    let mut command = Command::new("ssh-keygen");
    command.args(["-Y", "verify", "-n", NAMESPACE, "-I", who, "-s"]).arg(file.path());
    command.arg("-f").arg(allowed_signers);
    let output = run_with_stdin(command, &record.message()?)?;
    if output.status.success() {
        return Ok(());
    }
    let signers = allowed_signers.display().to_string();
    Err(SignatureError::Refused { who: who.clone(), signers, said: stderr_line(&output) })
}

/// Runs a program with a text on its standard input.
fn run_with_stdin(mut command: Command, text: &[u8]) -> Result<Output, SignatureError> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).env("LC_ALL", "C");
    let mut child = command.spawn().map_err(SignatureError::Program)?;
    if let Some(mut stdin) = child.stdin.take() {
        match stdin.write_all(text) {
            // It has decided before it read all; its exit status says how.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            result => result.map_err(SignatureError::Program)?,
        }
    }
    child.wait_with_output().map_err(SignatureError::Program)
}

fn stderr_line(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    line.take(MAX_SAID_CHARS).collect()
}
