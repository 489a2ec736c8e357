//! Sending: chunks of blobs, over one channel or several.
//!
//! A channel of SSH has a window of 2 MiB, so that several of them are faster over a long way: as many
//! as the round trip asks for. What is small, or goes a short way, goes over the control channel; where
//! no further channel can be opened, all of it does.

use super::connection::{Connection, Posted, TalkError};
use super::options::{Options, Progress};
use super::transport::{Purpose, Transport};
use crate::release::Package;
use crate::wire::{CHUNK_BYTES, Missing, Reply, Request};
use cellgate_core::digest::Digest;
use futures_util::future::join_all;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Fewer bytes than this for each are not worth a further channel.
const MIN_SPREAD_BYTES: u64 = 8 << 20;

/// A channel with a window of 2 MiB carries a gigabit a second over a round trip of this length; over
/// one shorter than this, the control channel is enough.
const ROUND_TRIP_EACH: Duration = Duration::from_millis(12);

/// How long a login takes, besides what it waits for: the next one begins so long before the last
/// bytes are sent, to be there when the release has tested itself. What it computes slows the
/// sending.
const LOGIN: Duration = Duration::from_millis(150);

/// Round trips that a login waits for.
const LOGIN_TRIPS: u32 = 6;

/// Fewer bytes than this, which windows and pipes hold without delay, say nothing of the pace.
const MIN_PACE_BYTES: u64 = 8 << 20;

/// A chunk to be sent.
#[derive(Debug, Clone, Copy)]
struct Piece {
    sha256: Digest,
    size: u64,
    offset: u64,
}

/// State that all channels share.
struct Queue<'a, T> {
    transport: &'a T,
    began: Instant,
    /// How long a login waits.
    login: Duration,
    package: Arc<Package>,
    token: u64,
    pieces: Mutex<VecDeque<Piece>>,
    n_bytes: u64,
    n_sent: AtomicU64,
    progress: Arc<dyn Fn(Progress) + Send + Sync>,
}

/// Bytes that were sent, and the question whether they were kept.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// How many bytes.
    pub(super) n_bytes: u64,
    /// Question whether all bytes were kept, where it is still open.
    pub(super) flushing: Option<Flushing>,
}

/// A question on its way: whether so many chunks were kept.
#[derive(Debug)]
pub(super) struct Flushing {
    posted: Posted,
    n_chunks: u64,
}

/// Sends what is missing. What goes over the control channel is followed by the question whether it
/// was kept, whose answer is for [`wait_for_flush`] to wait for: meanwhile more can be asked there.
pub(super) async fn send<T: Transport>(
    transport: &T,
    options: &Options,
    control: &mut Connection,
    package: &Arc<Package>,
    token: u64,
    round_trip: Duration,
    missing: Vec<Missing>,
) -> Result<Sent, TalkError> {
    let pieces: VecDeque<Piece> = missing.iter().flat_map(pieces).collect();
    let n_bytes = pieces.iter().map(Piece::n_bytes).sum();
    if pieces.is_empty() {
        return Ok(Sent::default());
    }
    let queue = Queue {
        transport,
        began: Instant::now(),
        login: LOGIN + round_trip * LOGIN_TRIPS,
        package: package.clone(),
        token,
        pieces: Mutex::new(pieces),
        n_bytes,
        n_sent: AtomicU64::new(0),
        progress: options.progress.clone(),
    };
    // The control channel sends while the others are opened; nobody waits for one that comes too late.
    let (is_over, over) = watch::channel(false);
    let n_channels = n_further_channels(round_trip, n_bytes, options);
    let others = join_all((0..n_channels).map(|_| send_over_new_channel(&queue, over.clone())));
    let own = async {
        let flushing = send_pieces(control, &queue).await;
        is_over.send_replace(true);
        flushing
    };
    let (flushing, others) = tokio::join!(own, others);
    others.into_iter().collect::<Result<(), TalkError>>()?;
    Ok(Sent { n_bytes, flushing: Some(flushing?) })
}

/// Sends over a further channel, as far as something is left for it; a server may allow fewer.
async fn send_over_new_channel<T: Transport>(
    queue: &Queue<'_, T>,
    mut over: watch::Receiver<bool>,
) -> Result<(), TalkError> {
    let result = tokio::select! {
        biased;
        _ = over.wait_for(|is_over| *is_over) => return Ok(()),
        result = Connection::open(queue.transport, Purpose::Data) => result,
    };
    let Ok(mut connection) = result else { return Ok(()) };
    let flushing = send_pieces(&mut connection, queue).await?;
    wait_for_flush(&connection, flushing).await
}

/// How many channels besides the control channel are worth their opening: as many as the round
/// trip asks for, and no more than there are bytes for.
fn n_further_channels(round_trip: Duration, n_bytes: u64, options: &Options) -> usize {
    let n_by_way = round_trip.as_micros() / ROUND_TRIP_EACH.as_micros();
    let n_channels = n_by_way.min(u128::from(n_bytes / MIN_SPREAD_BYTES));
    usize::try_from(n_channels).unwrap_or(usize::MAX).min(options.n_channels)
}

fn pieces(missing: &Missing) -> impl Iterator<Item = Piece> {
    let Missing { sha256, size, .. } = *missing;
    let piece = move |&index: &u32| Piece { sha256, size, offset: u64::from(index) * CHUNK_BYTES };
    missing.chunks.iter().map(piece)
}

impl Piece {
    fn n_bytes(&self) -> u64 {
        self.size.saturating_sub(self.offset).min(CHUNK_BYTES)
    }
}

/// Sends pieces until there are none, and asks whether all were kept.
async fn send_pieces<T: Transport>(
    connection: &mut Connection,
    queue: &Queue<'_, T>,
) -> Result<Flushing, TalkError> {
    let next = || queue.pieces.lock().ok().and_then(|mut pieces| pieces.pop_front());
    let mut n_chunks = 0;
    while let Some(piece) = next() {
        let Piece { sha256, size, offset } = piece;
        let content = queue.package.content(sha256);
        let bytes = content.map(|content| content.read_at(offset, CHUNK_BYTES as usize));
        // A file that cannot be read, or has changed since, is noticed by the server.
        let bytes = bytes.and_then(Result::ok).unwrap_or_default();
        let chunk = Request::Chunk { token: queue.token, sha256, size, offset };
        connection.send_chunk(chunk, bytes).await?;
        n_chunks += 1;
        let n_bytes = queue.n_sent.fetch_add(piece.n_bytes(), Ordering::Relaxed) + piece.n_bytes();
        (queue.progress)(Progress::Sending { n_bytes, of: queue.n_bytes });
        if is_nearly_over(queue.began.elapsed(), n_bytes, queue.n_bytes, queue.login) {
            queue.transport.log_in_ahead();
        }
    }
    Ok(Flushing { posted: connection.post(Request::Flush, Vec::new()).await?, n_chunks })
}

/// Whether what is left to send takes no longer than `last`, at the pace of what was sent.
fn is_nearly_over(took: Duration, n_sent: u64, of: u64, last: Duration) -> bool {
    let n_left = of.saturating_sub(n_sent) as f64;
    MIN_PACE_BYTES <= n_sent && took.as_secs_f64() * n_left <= last.as_secs_f64() * n_sent as f64
}

/// Waits until everything that was sent is kept.
pub(super) async fn wait_for_flush(
    connection: &Connection,
    flushing: Flushing,
) -> Result<(), TalkError> {
    let Flushing { posted, n_chunks } = flushing;
    match connection.answer(posted).await?.header {
        Reply::Flushed { n_chunks: n_kept } if n_kept == n_chunks => Ok(()),
        _ => Err(TalkError::Unexpected),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Owner;

    #[track_caller]
    fn check(round_trip_ms: u64, n_bytes: u64, n_channels: usize) {
        let options = Options::new("k", Owner::default());
        let round_trip = Duration::from_millis(round_trip_ms);
        assert_eq!(n_further_channels(round_trip, n_bytes, &options), n_channels);
    }

    #[test]
    fn the_next_login_is_made_beside_the_last_bytes() {
        let check = |took_ms, n_sent_mb: u64, of_mb: u64, expected| {
            let (took, last) = (Duration::from_millis(took_ms), Duration::from_millis(500));
            let found = is_nearly_over(took, n_sent_mb << 20, of_mb << 20, last);
            assert_eq!(found, expected, "{took_ms}");
        };
        check(1, 4, 100, false);
        check(30, 10, 100, true);
        check(1000, 10, 100, false);
        check(9000, 90, 100, false);
        check(9500, 95, 100, true);
        check(60_000, 100, 100, true);
    }

    #[test]
    fn a_long_way_and_many_bytes_ask_for_more_channels() {
        check(1, 100 << 20, 0);
        check(90, 8 << 10, 0);
        check(90, 28 << 20, 3);
        check(40, 100 << 20, 3);
        check(90, 100 << 20, 7);
        check(900, 16 << 30, 8);
    }
}
