//! A proxy between a client and a server that cuts connections, slows them down, and counts.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Bytes that go through at a time.
const BUFFER_BYTES: usize = 8 << 10;

/// Behavior of the proxy; may be changed while it runs.
#[derive(Default)]
pub(crate) struct Rules {
    /// Every connection is cut once so many bytes went towards the server; 0 cuts none.
    pub(crate) cut_after: AtomicU64,
    /// Milliseconds that each buffer waits.
    pub(crate) delay_ms: AtomicU64,
    /// Bytes that went towards the server, over all connections.
    pub(crate) n_sent: AtomicU64,
    /// Connections that were made.
    pub(crate) n_connections: AtomicU64,
}

/// A proxy in front of a port; it ends with the test's process.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    pub(crate) rules: Arc<Rules>,
}

impl Proxy {
    pub(crate) fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let rules = Arc::new(Rules::default());
        let shared = Arc::clone(&rules);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                shared.n_connections.fetch_add(1, Ordering::Relaxed);
                let (back, forth) = (Arc::clone(&shared), Arc::clone(&shared));
                let (client2, server2) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || pump(client, server, &forth, true));
                std::thread::spawn(move || pump(server2, client2, &back, false));
            }
        });
        Self { port, rules }
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, rules: &Rules, is_forth: bool) {
    let mut buffer = [0; BUFFER_BYTES];
    let mut n_bytes = 0;
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        let cut = rules.cut_after.load(Ordering::Relaxed);
        n_bytes += n as u64;
        if is_forth && 0 < cut && cut < n_bytes {
            break;
        }
        std::thread::sleep(Duration::from_millis(rules.delay_ms.load(Ordering::Relaxed)));
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
        if is_forth {
            rules.n_sent.fetch_add(n as u64, Ordering::Relaxed);
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
