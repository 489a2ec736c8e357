//! Local: an agent of this machine, as a child process over pipes.
//!
//! The same agent and the same protocol as over SSH; for targets that are a folder, for trying
//! deploys out, and for tests.

use super::transport::{Channel, Purpose, Said, Transport, TransportError};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

/// An agent for a folder of this machine.
#[derive(Debug, Clone)]
pub struct Local {
    program: PathBuf,
    root: PathBuf,
    options: Vec<String>,
}

/// A child that goes on by itself when nobody holds it any more: its input ends, and it decides what
/// that means.
struct Kept {
    _child: Child,
    _listener: JoinHandle<()>,
}

impl Local {
    /// An agent of a program for a folder.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>, root: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), root: root.into(), options: Vec::new() }
    }

    /// Adds options to the agent's command line.
    #[must_use]
    pub fn with_options(mut self, options: &[String]) -> Self {
        self.options.extend_from_slice(options);
        self
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn start(&self) -> std::io::Result<Channel> {
        let mut child = Command::new(&self.program)
            .arg("agent")
            .arg("--root")
            .arg(&self.root)
            .args(&self.options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let messages = Said::default();
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(writer), Some(reader), Some(mut err)) = pipes else {
            return Err(std::io::Error::other("the agent has no pipes"));
        };
        let sink = messages.clone();
        let listener = tokio::spawn(async move {
            let mut buffer = [0; 1024];
            while let Ok(n @ 1..) = err.read(&mut buffer).await {
                sink.add(&buffer[..n]);
            }
        });
        Ok(Channel {
            reader: Box::new(reader),
            writer: Box::new(writer),
            said: messages,
            keep: Box::new(Kept { _child: child, _listener: listener }),
        })
    }
}

impl Transport for Local {
    async fn open(&self, _purpose: Purpose) -> Result<Channel, TransportError> {
        if !self.root.is_dir() {
            std::fs::create_dir_all(&self.root).map_err(|error| TransportError {
                message: format!("`{}` cannot be made: {error}", self.root.display()),
                help: "give a folder that this user may write to".to_owned(),
                is_transient: false,
            })?;
        }
        self.start().map_err(|error| TransportError {
            message: format!("the agent `{}` cannot be started: {error}", self.program.display()),
            help: "give the path of a cellgate program".to_owned(),
            is_transient: false,
        })
    }
}
