//! Line: a way to a server that takes its time, and counts.
//!
//! Every byte arrives its delay after it was sent, however many are on their way, as over a long
//! cable; with a rate, no faster than that. Has no slow start and loses nothing: what TCP does on a
//! real line comes on top, for every tool alike.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

/// Bytes that are taken at a time.
const BUFFER_BYTES: usize = 16 << 10;
/// Buffers on their way at most: 32 MiB.
const N_ON_THE_WAY: usize = 2048;

#[derive(Default)]
struct Rules {
    delay_us: AtomicU64,
    rate_mbit: AtomicU64,
    n_sent: AtomicU64,
    server: AtomicU16,
}

/// A port that leads to another.
pub(crate) struct Line {
    /// The port.
    pub(crate) port: u16,
    rules: Arc<Rules>,
}

impl Line {
    /// A line that leads nowhere yet.
    pub(crate) fn new() -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let rules = Arc::new(Rules::default());
        let shared = Arc::clone(&rules);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // Who is not answered tries again or tells it.
                let _ = lay(client, &shared);
            }
        });
        Ok(Self { port, rules })
    }

    /// Where it leads to.
    pub(crate) fn lead_to(&self, server: u16) {
        self.rules.server.store(server, Ordering::Relaxed);
    }

    /// How long a byte takes, one way.
    pub(crate) fn set_delay(&self, delay: Duration) {
        self.rules.delay_us.store(delay.as_micros() as u64, Ordering::Relaxed);
    }

    /// How fast bytes follow each other, each way and connection; 0 is as fast as they come.
    pub(crate) fn set_rate_mbit(&self, rate_mbit: u64) {
        self.rules.rate_mbit.store(rate_mbit, Ordering::Relaxed);
    }

    /// Bytes that went towards the server.
    pub(crate) fn n_sent(&self) -> u64 {
        self.rules.n_sent.load(Ordering::Relaxed)
    }
}

fn lay(client: TcpStream, rules: &Arc<Rules>) -> std::io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", rules.server.load(Ordering::Relaxed)))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    pump(client.try_clone()?, server.try_clone()?, rules, true);
    pump(server, client, rules, false);
    Ok(())
}

fn pump(mut from: TcpStream, to: TcpStream, rules: &Arc<Rules>, is_forth: bool) {
    let (sender, receiver) = sync_channel::<(Instant, Vec<u8>)>(N_ON_THE_WAY);
    let shared = Arc::clone(rules);
    std::thread::spawn(move || arrive(to, &receiver));
    std::thread::spawn(move || {
        let mut buffer = [0; BUFFER_BYTES];
        let mut free = Instant::now();
        // An empty buffer tells the other end that nothing comes any more.
        loop {
            let n = from.read(&mut buffer).unwrap_or(0);
            let rate_mbit = shared.rate_mbit.load(Ordering::Relaxed);
            if let Some(took_ns) = (n as u64 * 8 * 1000).checked_div(rate_mbit) {
                free = free.max(Instant::now()) + Duration::from_nanos(took_ns);
            }
            let delay = Duration::from_micros(shared.delay_us.load(Ordering::Relaxed));
            let due = free.max(Instant::now()) + delay;
            if is_forth {
                shared.n_sent.fetch_add(n as u64, Ordering::Relaxed);
            }
            if sender.send((due, buffer[..n].to_vec())).is_err() || n == 0 {
                return;
            }
        }
    });
}

/// Lets each buffer arrive when it is due.
fn arrive(mut to: TcpStream, receiver: &Receiver<(Instant, Vec<u8>)>) {
    while let Ok((due, bytes)) = receiver.recv() {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if bytes.is_empty() || to.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
