//! Connection: one channel to an agent, on which requests are asked and answers are heard.
//!
//! Two tasks write and read, so that a sign of life goes out while nothing is asked, and an answer
//! that nobody waits for is not lost. Every answer is waited for no longer than a bound. Decides
//! nothing.

use super::transport::{Channel, Purpose, Said, Transport, TransportError};
use crate::wire::{
    Envelope, Frame, Opening, Refusal, Reply, Request, ServerStatus, WireError, greet_async,
    read_frame_async, write_frame_async,
};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Between two attempts to reach the server.
pub(super) const PAUSE: Duration = Duration::from_millis(200);

/// How long the greeting may take.
const GREETING: Duration = Duration::from_secs(30);
/// How long the agent may be silent while something is asked; it gives a sign every second.
const SILENCE: Duration = Duration::from_secs(60);
/// Between two signs of life.
const SIGN: Duration = Duration::from_secs(10);
/// Messages that wait to be written.
const N_AHEAD: usize = 2;

/// A conversation failed.
#[derive(Debug, thiserror::Error)]
pub enum TalkError {
    /// No channel could be opened.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The channel failed, or the other side cannot be understood.
    #[error("{error}{}", quote_said(.said))]
    Wire {
        /// Error of the channel or of the protocol.
        error: WireError,
        /// Text of the other side outside the protocol.
        said: Said,
    },
    /// The connection ended before the answer.
    #[error("the connection ended before the answer{}", quote_said(.0))]
    Ended(Said),
    /// The agent was silent for too long.
    #[error("the agent has been silent for {} s", .0.as_secs())]
    Silent(Duration),
    /// The agent refuses.
    #[error(transparent)]
    Refused(Box<Refusal>),
    /// The agent answers something else than what was asked.
    #[error("the agent's answer does not fit what was asked; bring both sides to one version")]
    Unexpected,
}

fn quote_said(messages: &Said) -> String {
    let text = messages.text();
    let text = text.trim();
    if text.is_empty() { String::new() } else { format!("; the other side says: {text}") }
}

/// A request to be written, with its raw bytes.
struct Asked {
    envelope: Envelope<Request>,
    raw: Vec<u8>,
}

type Answers = mpsc::UnboundedSender<Frame<Reply>>;

/// A request on its way, and where its answers will come. Dropped, nobody waits for them.
#[derive(Debug)]
pub struct Posted(mpsc::UnboundedReceiver<Frame<Reply>>);

/// State that both tasks share.
#[derive(Default)]
struct PendingReplies {
    /// Senders to those who wait for answers, by the number of the request.
    senders: HashMap<u64, Answers>,
    /// A refusal that nobody waited for: of a chunk, or of the conversation as a whole.
    refusal: Option<Box<Refusal>>,
    /// Why the tasks ended.
    failure: Option<WireError>,
    is_closed: bool,
}

/// One channel to an agent.
pub struct Connection {
    requests: mpsc::Sender<Asked>,
    pending: Arc<Mutex<PendingReplies>>,
    next_id: u64,
    messages: Said,
    opening: Opening,
    tasks: [JoinHandle<()>; 2],
    _keep: Box<dyn Send + Sync>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Connection {
    /// Opens a channel to the agent and greets it.
    ///
    /// # Errors
    /// As [`Self::start`], and [`TalkError`] when there is no way to the agent.
    pub async fn open<T: Transport>(transport: &T, purpose: Purpose) -> Result<Self, TalkError> {
        Self::start(transport.open(purpose).await?).await
    }

    /// Asks for the status of the server; `verify` has it read every file.
    ///
    /// # Errors
    /// [`TalkError`].
    pub async fn status(&mut self, verify: bool) -> Result<ServerStatus, TalkError> {
        match self.ask(Request::Status { verify }, Vec::new()).await?.header {
            Reply::Status(status) => Ok(*status),
            _ => Err(TalkError::Unexpected),
        }
    }

    /// Greets the agent at the other end of a channel.
    ///
    /// # Errors
    /// [`TalkError::Wire`] and [`TalkError::Silent`].
    pub async fn start(channel: Channel) -> Result<Self, TalkError> {
        let Channel { mut reader, mut writer, said: messages, keep } = channel;
        let greeting = timeout(GREETING, greet_async(&mut reader, &mut writer)).await;
        let opening = match greeting {
            Ok(Ok(opening)) => opening,
            Ok(Err(error)) => return Err(TalkError::Wire { error, said: messages }),
            Err(_) => return Err(TalkError::Silent(GREETING)),
        };
        let pending = Arc::new(Mutex::new(PendingReplies::default()));
        let (requests, queue) = mpsc::channel(N_AHEAD);
        let tasks = [
            tokio::spawn(write_requests(writer, queue, pending.clone())),
            tokio::spawn(read_replies(reader, pending.clone())),
        ];
        Ok(Self { requests, pending, next_id: 1, messages, opening, tasks, _keep: keep })
    }

    /// How the conversation began.
    #[must_use]
    pub fn opening(&self) -> &Opening {
        &self.opening
    }

    /// Asks and waits for the answer, however long the agent shows that it is at it.
    ///
    /// # Errors
    /// [`TalkError`].
    pub async fn ask(&mut self, request: Request, raw: Vec<u8>) -> Result<Frame<Reply>, TalkError> {
        let posted = self.post(request, raw).await?;
        self.answer(posted).await
    }

    /// Asks without waiting: the agent answers one request after the other, so that several can be on
    /// their way at once.
    ///
    /// # Errors
    /// [`TalkError`].
    pub async fn post(&mut self, request: Request, raw: Vec<u8>) -> Result<Posted, TalkError> {
        let (sender, answers) = mpsc::unbounded_channel();
        let id = self.next_id;
        self.next_id += 1;
        if let Ok(mut pending) = self.pending.lock() {
            if pending.is_closed {
                return Err(self.take_error(pending));
            }
            pending.senders.insert(id, sender);
        }
        self.send(Envelope { id, body: request }, raw).await?;
        Ok(Posted(answers))
    }

    /// Waits for the answer to what was asked.
    ///
    /// # Errors
    /// [`TalkError`].
    pub async fn answer(&self, mut posted: Posted) -> Result<Frame<Reply>, TalkError> {
        loop {
            match timeout(SILENCE, posted.0.recv()).await {
                Err(_) => return Err(TalkError::Silent(SILENCE)),
                Ok(Some(Frame { header: Reply::Progress { .. }, .. })) => {}
                Ok(Some(Frame { header: Reply::Refused(refusal), .. })) => {
                    return Err(TalkError::Refused(Box::new(refusal)));
                }
                Ok(Some(answer)) => return Ok(answer),
                Ok(None) => return Err(self.closed_error()),
            }
        }
    }

    /// Sends a chunk, which is answered only by the next flush.
    ///
    /// # Errors
    /// [`TalkError`]; a refusal of an earlier chunk, too.
    pub async fn send_chunk(&mut self, chunk: Request, raw: Vec<u8>) -> Result<(), TalkError> {
        if let Ok(mut pending) = self.pending.lock()
            && let Some(refusal) = pending.refusal.take()
        {
            return Err(TalkError::Refused(refusal));
        }
        let id = self.next_id;
        self.next_id += 1;
        self.send(Envelope { id, body: chunk }, raw).await
    }

    async fn send(&self, envelope: Envelope<Request>, raw: Vec<u8>) -> Result<(), TalkError> {
        match timeout(SILENCE, self.requests.send(Asked { envelope, raw })).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(self.closed_error()),
            Err(_) => Err(TalkError::Silent(SILENCE)),
        }
    }

    fn closed_error(&self) -> TalkError {
        match self.pending.lock() {
            Ok(pending) => self.take_error(pending),
            Err(_) => TalkError::Ended(self.messages.clone()),
        }
    }

    fn take_error(&self, mut pending: std::sync::MutexGuard<'_, PendingReplies>) -> TalkError {
        if let Some(refusal) = pending.refusal.take() {
            return TalkError::Refused(refusal);
        }
        match pending.failure.take() {
            Some(error) => TalkError::Wire { error, said: self.messages.clone() },
            None => TalkError::Ended(self.messages.clone()),
        }
    }
}

/// Writes what is asked, and a sign of life when nothing is.
async fn write_requests(
    mut writer: Box<dyn AsyncWrite + Send + Unpin>,
    mut queue: mpsc::Receiver<Asked>,
    pending: Arc<Mutex<PendingReplies>>,
) {
    loop {
        let request = match timeout(SIGN, queue.recv()).await {
            Ok(None) => return,
            Ok(Some(request)) => request,
            Err(_) => Asked { envelope: Envelope { id: 0, body: Request::Ping }, raw: Vec::new() },
        };
        // The reader reports what cannot be written: it knows what the agent said last.
        if write_frame_async(&mut writer, &request.envelope, &request.raw).await.is_err() {
            // The queue is closed with the task; the reader ends with the channel.
            drop(pending);
            return;
        }
    }
}

/// Hands answers to those who wait for them.
async fn read_replies(
    mut reader: Box<dyn AsyncRead + Send + Unpin>,
    pending: Arc<Mutex<PendingReplies>>,
) {
    loop {
        let frame: Result<Frame<Envelope<Reply>>, WireError> = read_frame_async(&mut reader).await;
        let Ok(mut pending) = pending.lock() else { return };
        let Frame { header: Envelope { id, body }, raw } = match frame {
            Ok(frame) => frame,
            Err(error) => {
                pending.failure = Some(error).filter(|error| !matches!(error, WireError::Ended));
                pending.is_closed = true;
                pending.senders.clear();
                return;
            }
        };
        let is_last = !matches!(body, Reply::Progress { .. });
        let sender =
            if is_last { pending.senders.remove(&id) } else { pending.senders.get(&id).cloned() };
        match (sender, body) {
            (Some(sender), body) => {
                // The asker may have given up.
                let _ = sender.send(Frame { header: body, raw });
            }
            (None, Reply::Refused(refusal)) => pending.refusal = Some(Box::new(refusal)),
            (None, _) => {}
        }
    }
}
