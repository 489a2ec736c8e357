//! Server: HTTP on this machine, with faults before and after the deed.

use super::routes::{Reply, State, answer};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Value,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Kind of a fault.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// Another answer; nothing is done.
    Reply(Reply),
    /// The connection ends before anything is done.
    CutBefore,
    /// The connection ends after it is done.
    CutAfter,
    /// Half of the answer comes.
    Truncated,
    /// The answer comes late, in milliseconds.
    Slow(u64),
}

/// A rule for what goes wrong.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) method: &'static str,
    /// A part of the path.
    pub(crate) path: &'static str,
    pub(crate) skip: usize,
    pub(crate) times: usize,
    pub(crate) kind: Kind,
}

/// A server that lives as long as its tests.
pub(crate) struct Server {
    pub(crate) address: String,
    pub(crate) state: Arc<Mutex<State>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let state = Arc::new(Mutex::new(State::new(&address)));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        Self { address, state }
    }

    /// Changes or reads the state.
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap())
    }

    pub(crate) fn breaks(
        &self,
        method: &'static str,
        path: &'static str,
        times: usize,
        kind: Kind,
    ) {
        let fault = Fault { method, path, skip: 0, times, kind };
        self.with(|state| state.faults.push(fault));
    }

    /// Requests so far, as `METHOD /path` without query, those to the repository shortened.
    pub(crate) fn requests(&self) -> Vec<String> {
        let line = |seen: &Seen| {
            let path = seen.path.split('?').next().unwrap();
            let path = path.strip_prefix("/repos/octo/toy").unwrap_or(path);
            format!("{} {path}", seen.method)
        };
        self.with(|state| state.seen.iter().map(line).collect())
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    let Some(seen) = read(&stream) else { return };
    let (fault, reply) = {
        let mut state = state.lock().unwrap();
        state.seen.push(seen.clone());
        let fault = state.take_fault(&seen);
        let is_undone = matches!(fault, Some(Kind::CutBefore | Kind::Reply(_)));
        let reply = if is_undone { Reply::empty(500) } else { answer(&mut state, &seen) };
        (fault, reply)
    };
    let reply = match fault {
        Some(Kind::CutBefore | Kind::CutAfter) => return,
        Some(Kind::Reply(reply)) => reply,
        Some(Kind::Slow(ms)) => {
            std::thread::sleep(Duration::from_millis(ms));
            reply
        }
        Some(Kind::Truncated) => {
            let _ = stream.write_all(&reply.bytes()[..reply.bytes().len() - 5]);
            return;
        }
        None => reply,
    };
    let _ = stream.write_all(&reply.bytes());
}

fn read(stream: &TcpStream) -> Option<Seen> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = serde_json::from_slice(&body).unwrap_or_default();
    Some(Seen { method, path, headers, body })
}
