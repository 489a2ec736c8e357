//! Bootstrap: the first cellgate on a bare server, where the key still opens a shell.
//!
//! Sends the program through the connection that is pinned already, has its digest checked on the
//! server before it gets its name, and lets it start once. Gives the line for `authorized_keys` that
//! leaves the key nothing but the agent. Writes no `authorized_keys` itself: a mistake there locks
//! people out.

use super::platform::{PlatformError, triple_of};
use super::ssh::{Host, SshError};
use cellgate_core::digest::Digest;
use std::path::Path;

/// Larger programs are not sent.
const MAX_PROGRAM_BYTES: u64 = 1 << 30;

/// Line that the server prints when all went well.
const DONE: &str = "cellgate-bootstrap: done";

/// Script that the server runs; `ROOT` and `DIGEST` are replaced. It holds no single quotation
/// mark, so that it fits between two.
const SCRIPT: &str = "set -eu; umask 022; mkdir -p ROOT/bin; \
    part=ROOT/bin/.cellgate.$$; trap \"rm -f $part\" EXIT; cat > \"$part\"; \
    if command -v sha256sum >/dev/null; then got=$(sha256sum < \"$part\"); \
    else got=$(shasum -a 256 < \"$part\"); fi; \
    if [ \"${got%% *}\" != DIGEST ]; then echo damaged on its way >&2; exit 65; fi; \
    chmod 755 \"$part\"; \"$part\" --version >/dev/null; sync; mv -f \"$part\" ROOT/bin/cellgate; \
    echo cellgate-bootstrap: done";

/// A program was installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// Where.
    pub path: String,
    /// The line for the user's `authorized_keys` on the server, in place of the key's present one.
    pub line: Option<String>,
}

/// A program cannot be installed.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// The file is no program for a server.
    #[error(transparent)]
    Program(#[from] PlatformError),
    /// It cannot be read.
    #[error("the program cannot be read")]
    Unreadable(#[from] std::io::Error),
    /// It is too large.
    #[error("the program has {0} bytes, more than {MAX_PROGRAM_BYTES}")]
    TooLarge(u64),
    /// The server cannot be reached.
    #[error("{}", .0.full_message())]
    Ssh(SshError),
    /// The key may run the agent alone.
    #[error("the key opens no shell there: an agent answers already; run `cellgate status`")]
    HasAgent,
    /// A step failed on the server.
    #[error(
        "the server says: {said}; the user needs a folder `{root}` that belongs to it: \
         `sudo install -d -o USER {root}`, and a program for its platform: `--binary FILE`"
    )]
    Server {
        /// Its words.
        said: String,
        /// The folder.
        root: String,
    },
}

/// Installs a program on a server as `ROOT/bin/cellgate`.
///
/// # Errors
/// [`BootstrapError`]; what was installed before is untouched.
pub async fn bootstrap(host: &Host, program: &Path) -> Result<Installed, BootstrapError> {
    triple_of(program)?;
    let n_bytes = std::fs::metadata(program)?.len();
    if MAX_PROGRAM_BYTES < n_bytes {
        return Err(BootstrapError::TooLarge(n_bytes));
    }
    let bytes = std::fs::read(program)?;
    let root = host.root().to_owned();
    let digest = Digest::of_bytes(&bytes).to_string();
    // The form of the path was checked: it holds nothing that a shell would read.
    let script = SCRIPT.replace("ROOT", &root).replace("DIGEST", &digest);
    let answer = host.run(&format!("exec sh -c '{script}'"), bytes).await;
    let answer = answer.map_err(BootstrapError::Ssh)?;
    if answer.out.contains("cellgate-wire") {
        return Err(BootstrapError::HasAgent);
    }
    if !answer.is_success || !answer.out.lines().any(|line| line.trim() == DONE) {
        let printable = |letter: &char| !letter.is_control();
        let text: String = answer.err.trim().chars().filter(printable).take(300).collect();
        let message = if text.is_empty() { "nothing".to_owned() } else { text };
        return Err(BootstrapError::Server { said: message, root });
    }
    let path = format!("{root}/bin/cellgate");
    let line = host
        .public_key()
        .map(|key| format!("restrict,command=\"{path} agent --root {root}\" {}", key.trim()));
    Ok(Installed { path, line })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_can_stand_between_quotation_marks() {
        assert!(!SCRIPT.contains('\''));
        assert!(SCRIPT.ends_with(DONE));
    }
}
