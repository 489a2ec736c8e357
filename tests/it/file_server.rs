//! A web server for files on this machine, which answers as a test says.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request: the path, and the first byte that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The path.
    pub(crate) path: String,
    /// Where the range begins that is asked for.
    pub(crate) from: Option<usize>,
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<String>,
    body: Vec<u8>,
    /// Bytes of the body after which the connection is cut.
    cut: Option<usize>,
    /// Time before the body.
    pause: Duration,
}

impl Answer {
    /// A whole file.
    pub(crate) fn file(body: &[u8]) -> Self {
        Self::status(200).with_body(body)
    }

    /// The rest of a file, from a byte on.
    pub(crate) fn rest(body: &[u8], from: usize) -> Self {
        let range = format!("Content-Range: bytes {from}-{}/{}", body.len() - 1, body.len());
        Self::status(206).with_header(range).with_body(&body[from..])
    }

    /// No more than a status.
    pub(crate) fn status(status: u16) -> Self {
        let (headers, body) = (Vec::new(), Vec::new());
        Self { status, headers, body, cut: None, pause: Duration::ZERO }
    }

    /// On to another place.
    pub(crate) fn redirect(to: &str) -> Self {
        Self::status(302).with_header(format!("Location: {to}"))
    }

    /// The same, cut after some bytes.
    pub(crate) fn cut_after(self, n_bytes: usize) -> Self {
        Self { cut: Some(n_bytes), ..self }
    }

    /// The same, late.
    pub(crate) fn with_delay(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    fn with_header(mut self, header: String) -> Self {
        self.headers.push(header);
        self
    }

    fn with_body(self, body: &[u8]) -> Self {
        Self { body: body.to_vec(), ..self }
    }

    fn send(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        let headers: String = self.headers.iter().map(|line| format!("{line}\r\n")).collect();
        let length = self.body.len();
        write!(
            stream,
            "HTTP/1.1 {} x\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n",
            self.status
        )?;
        stream.flush()?;
        std::thread::sleep(self.pause);
        stream.write_all(&self.body[..self.cut.unwrap_or(length)])
    }
}

/// The server; it ends with the test's process.
pub(crate) struct FileServer {
    port: u16,
    requests: Arc<Mutex<Vec<Asked>>>,
}

impl FileServer {
    /// Starts a server; `answer` is given what is asked and how much was asked before.
    pub(crate) fn start(answer: impl Fn(&Asked, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (log, answer) = (Arc::clone(&requests), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                std::thread::spawn(move || {
                    let mut stream = stream;
                    let Some(question) = read(&stream) else { return };
                    let before = {
                        let mut log = log.lock().unwrap();
                        log.push(question.clone());
                        log.len() - 1
                    };
                    // Whoever asks may have gone.
                    let _ = answer(&question, before).send(&mut stream);
                });
            }
        });
        Self { port, requests }
    }

    /// The address of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// Everything that was asked.
    pub(crate) fn requests(&self) -> Vec<Asked> {
        self.requests.lock().unwrap().clone()
    }

    /// Where the ranges began that were asked for.
    pub(crate) fn ranges(&self) -> Vec<Option<usize>> {
        self.requests().into_iter().map(|request| request.from).collect()
    }
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let mut from = None;
    for line in lines {
        let line = line.ok()?.to_lowercase();
        if line.is_empty() {
            break;
        }
        let range = line.strip_prefix("range: bytes=").and_then(|range| range.split('-').next());
        from = from.or(range.and_then(|range| range.parse().ok()));
    }
    Some(Asked { path, from })
}
