//! SSH: ways to the hosts of a target, over the system's own ssh.
//!
//! Takes a target's settings; gives a [`Transport`] for each host. ssh gets one file of settings and
//! nothing else of the machine, host keys are pinned on every hop, the key is in a private agent,
//! and everything that is started ends with the deploy: also when it is killed, then within half a
//! minute. Knows nothing of frames.

mod client;
mod program;
mod cipher;
mod classify;
mod config;
mod connection;
mod dial;
mod failure;
mod keyring;
mod master;

pub use client::{Client, Limits};
pub use connection::Answer;
pub use dial::{DialError, dial, hand_over};
pub use failure::{SshError, Unverified};
pub use keyring::{ASKPASS_REPLY, askpass_answer};

use super::known_hosts::KnownHosts;
use super::settings::Endpoint;
use super::transport::{Channel, Purpose, Transport, TransportError};
use connection::Connection;
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio::task::{JoinError, JoinHandle};

/// A way to one host of a target.
pub struct Host {
    client: Arc<Client>,
    index: usize,
    command: String,
    connection: Mutex<Option<Arc<Connection>>>,
    /// A channel that was opened before anybody asked for it.
    early_channel: Mutex<Option<Result<Channel, SshError>>>,
    /// A login that was begun before anybody asked for it.
    ahead: Ahead,
}

/// A login on its way; dropped, it ends.
#[derive(Default)]
struct Ahead(std::sync::Mutex<Option<JoinHandle<Result<Connection, SshError>>>>);

impl Ahead {
    fn take(&self) -> Option<JoinHandle<Result<Connection, SshError>>> {
        self.0.lock().ok()?.take()
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        if let Some(login) = self.take() {
            login.abort();
        }
    }
}

impl Client {
    /// The way to a host: `command` is what the server is asked to run.
    ///
    /// A server with a forced command runs that one instead.
    #[must_use]
    pub fn host(self: &Arc<Self>, index: usize, command: String) -> Host {
        let (connection, early_channel) = (Mutex::new(None), Mutex::new(None));
        Host {
            client: Arc::clone(self),
            index,
            command,
            connection,
            early_channel,
            ahead: Ahead::default(),
        }
    }
}

impl Host {
    /// Where it leads.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.client.settings.hosts[self.index]
    }

    /// Folder on the server.
    #[must_use]
    pub fn root(&self) -> &str {
        &self.client.settings.path
    }

    /// The public half of the key, as a line of `authorized_keys`; `None` when the machine's agent
    /// is asked.
    #[must_use]
    pub fn public_key(&self) -> Option<&str> {
        self.client.public_key()
    }

    /// Runs a command of one's own on the server, with these bytes as its input.
    ///
    /// # Errors
    /// [`SshError`]; that the command failed is no error.
    pub async fn run(&self, command: &str, input: Vec<u8>) -> Result<Answer, SshError> {
        let connection = self.shared_connection().await?;
        connection.run(command, input).await
    }

    /// Closes the connection, when there is one.
    ///
    /// Dropping it does the same without waiting for the server.
    pub async fn close(&self) {
        drop(self.early_channel.lock().await.take());
        if let Some(login) = self.ahead.take() {
            login.abort();
        }
        let connection = self.connection.lock().await.take();
        if let Some(connection) = connection {
            connection.close().await;
        }
    }

    /// The connection that channels share.
    async fn shared_connection(&self) -> Result<Arc<Connection>, SshError> {
        let mut connection = self.connection.lock().await;
        if let Some(connection) = &*connection {
            return Ok(Arc::clone(connection));
        }
        let new_connection = Arc::new(Connection::open(&self.client, self.index).await?);
        *connection = Some(Arc::clone(&new_connection));
        Ok(new_connection)
    }

    /// Opens the control channel before anybody asks for it; a failure waits for that, too.
    pub async fn reach(&self) {
        let channel = self.open_channel(Purpose::Control).await;
        *self.early_channel.lock().await = Some(channel);
    }

    async fn open_channel(&self, purpose: Purpose) -> Result<Channel, SshError> {
        match purpose {
            Purpose::Control => match self.early_channel.lock().await.take() {
                Some(channel) => channel,
                None => self.open_control_channel().await,
            },
            Purpose::Data => self.shared_connection().await?.open_channel(&self.command).await,
            Purpose::Confirm => {
                // An early login may have ended since.
                if let Some(Ok(Ok(connection))) = self.await_login().await
                    && let Ok(channel) = Arc::new(connection).open_channel(&self.command).await
                {
                    return Ok(channel);
                }
                let connection = Connection::open(&self.client, self.index).await?;
                Arc::new(connection).open_channel(&self.command).await
            }
        }
    }

    /// A control channel; over a new connection where the one that was there is broken.
    async fn open_control_channel(&self) -> Result<Channel, SshError> {
        let is_new = self.connection.lock().await.is_none();
        let channel = self.shared_connection().await?.open_channel(&self.command).await;
        if is_new || !matches!(channel, Err(SshError::Lost { .. })) {
            return channel;
        }
        drop(self.connection.lock().await.take());
        self.shared_connection().await?.open_channel(&self.command).await
    }

    async fn await_login(&self) -> Option<Result<Result<Connection, SshError>, JoinError>> {
        match self.ahead.take() {
            Some(login) => Some(login.await),
            None => None,
        }
    }
}

impl Transport for Host {
    async fn open(&self, purpose: Purpose) -> Result<Channel, TransportError> {
        self.open_channel(purpose).await.map_err(|error| {
            let is_transient = error.is_transient();
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
            let message = format!("{error}{}", cause.unwrap_or_default());
            TransportError { message, help: error.remedy(), is_transient }
        })
    }

    fn log_in_ahead(&self) {
        let (client, index) = (Arc::clone(&self.client), self.index);
        if let Ok(mut ahead) = self.ahead.0.lock() {
            let begin = || tokio::spawn(async move { Connection::open(&client, index).await });
            ahead.get_or_insert_with(begin);
        }
    }
}
