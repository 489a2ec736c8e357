//! Connections that are cut or damaged at a byte.

use cellgate_deploy::transport::{Channel, Purpose, Transport, TransportError};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};

/// Fault of a connection at a byte, counted over all channels and in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mishap {
    /// Sending ends there, and no further channel opens.
    CutSent(u64),
    /// Receiving ends there, and no further channel opens.
    CutHeard(u64),
    /// A sent byte is flipped.
    FlipSent(u64),
    /// A heard byte is flipped.
    FlipHeard(u64),
}

/// A transport with a mishap.
pub(crate) struct Mishapped<T> {
    inner: T,
    mishap: Mishap,
    n_sent: Arc<AtomicU64>,
    n_heard: Arc<AtomicU64>,
}

impl<T> Mishapped<T> {
    pub(crate) fn new(inner: T, mishap: Mishap) -> Self {
        Self { inner, mishap, n_sent: Arc::default(), n_heard: Arc::default() }
    }

    /// Bytes sent and heard.
    pub(crate) fn n_bytes(&self) -> (u64, u64) {
        (self.n_sent.load(Ordering::Relaxed), self.n_heard.load(Ordering::Relaxed))
    }

    fn is_cut(&self) -> bool {
        let (n_sent, n_heard) = self.n_bytes();
        match self.mishap {
            Mishap::CutSent(at) => at <= n_sent,
            Mishap::CutHeard(at) => at <= n_heard,
            Mishap::FlipSent(_) | Mishap::FlipHeard(_) => false,
        }
    }
}

impl<T: Transport> Transport for Mishapped<T> {
    async fn open(&self, purpose: Purpose) -> Result<Channel, TransportError> {
        if self.is_cut() {
            let (message, help) = ("no route to the server".to_owned(), "look".to_owned());
            return Err(TransportError { message, help, is_transient: false });
        }
        let channel = self.inner.open(purpose).await?;
        let mishap = self.mishap;
        let (sent, heard) = (self.n_sent.clone(), self.n_heard.clone());
        Ok(Channel {
            writer: Box::new(Wire { inner: channel.writer, count: sent, mishap }),
            reader: Box::new(Wire { inner: channel.reader, count: heard, mishap }),
            ..channel
        })
    }
}

struct Wire<I> {
    inner: I,
    count: Arc<AtomicU64>,
    mishap: Mishap,
}

impl<I> Wire<I> {
    /// Flips the byte of the mishap, if it is among these.
    fn flip(&self, bytes: &mut [u8], at: u64, n: u64) {
        if n <= at && at < n + bytes.len() as u64 {
            bytes[(at - n) as usize] ^= 0x20;
        }
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Wire<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let n = self.count.load(Ordering::Relaxed);
        let mut bytes = bytes.to_vec();
        match self.mishap {
            Mishap::CutSent(at) if at <= n => {
                return Poll::Ready(Err(std::io::ErrorKind::BrokenPipe.into()));
            }
            Mishap::CutSent(at) => bytes.truncate((at - n) as usize),
            Mishap::FlipSent(at) => self.flip(&mut bytes, at, n),
            Mishap::CutHeard(_) | Mishap::FlipHeard(_) => {}
        }
        let written = Pin::new(&mut self.inner).poll_write(context, &bytes);
        if let Poll::Ready(Ok(more)) = &written {
            self.count.fetch_add(*more as u64, Ordering::Relaxed);
        }
        written
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Wire<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let n = self.count.load(Ordering::Relaxed);
        let limit = match self.mishap {
            Mishap::CutHeard(at) if at <= n => return Poll::Ready(Ok(())),
            Mishap::CutHeard(at) => buffer.remaining().min((at - n) as usize),
            Mishap::CutSent(_) | Mishap::FlipSent(_) | Mishap::FlipHeard(_) => buffer.remaining(),
        };
        let mut own = vec![0; limit.min(64 << 10)];
        let mut inner = ReadBuf::new(&mut own);
        let read = Pin::new(&mut self.inner).poll_read(context, &mut inner);
        let more = inner.filled().len();
        if let Mishap::FlipHeard(at) = self.mishap {
            self.flip(inner.filled_mut(), at, n);
        }
        buffer.put_slice(inner.filled());
        self.count.fetch_add(more as u64, Ordering::Relaxed);
        read
    }
}

/// A transport over a long way: what is heard comes later. Counts channels for blobs.
pub(crate) struct Distant<T> {
    inner: T,
    delay: Duration,
    n_data: AtomicU64,
}

impl<T> Distant<T> {
    pub(crate) fn new(inner: T, delay: Duration) -> Self {
        Self { inner, delay, n_data: AtomicU64::default() }
    }

    /// Channels that were opened for blobs alone.
    pub(crate) fn n_data(&self) -> u64 {
        self.n_data.load(Ordering::Relaxed)
    }
}

impl<T: Transport> Transport for Distant<T> {
    async fn open(&self, purpose: Purpose) -> Result<Channel, TransportError> {
        self.n_data.fetch_add(u64::from(purpose == Purpose::Data), Ordering::Relaxed);
        let mut channel = self.inner.open(purpose).await?;
        let (mut far, near) = tokio::io::duplex(64 << 10);
        let mut reader = std::mem::replace(&mut channel.reader, Box::new(near));
        let delay = self.delay;
        tokio::spawn(async move {
            let mut bytes = vec![0; 64 << 10];
            while let Ok(n @ 1..) = reader.read(&mut bytes).await {
                tokio::time::sleep(delay).await;
                if far.write_all(&bytes[..n]).await.is_err() {
                    return;
                }
            }
        });
        Ok(channel)
    }
}
