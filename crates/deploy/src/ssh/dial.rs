//! Dial: the connection under a login, whose small packets go at once.
//!
//! ssh leaves it to the system to hold a small packet back until the one before it is confirmed, and
//! the other end confirms late: 40 ms and a round trip each time, in every login and with the first
//! channel. ssh has no option against it; but it takes a connection that another program made
//! (`ProxyUseFdpass`). A failure is reported in ssh's own words, which `classify` reads.

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

/// There is no connection for ssh, in its words.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Nobody knows the host's address.
    #[error("ssh: Could not resolve hostname {host}: {source}")]
    Unknown {
        /// The host.
        host: String,
        /// Error of the system.
        source: io::Error,
    },
    /// None of its addresses answers.
    #[error("ssh: connect to host {host} port {port}: {source}")]
    Unreachable {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// Error of the last address.
        source: io::Error,
    },
    /// ssh does not take the connection.
    #[error("the connection cannot be handed over to ssh: {0}")]
    HandOver(#[source] io::Error),
}

/// Connects to a host within a time; of several addresses each gets an equal part of what is left.
///
/// # Errors
/// [`DialError`], which says what ssh would say.
pub fn dial(host: &str, port: u16, limit: Duration) -> Result<TcpStream, DialError> {
    let unknown_error = |source| DialError::Unknown { host: host.to_owned(), source };
    let addresses: Vec<SocketAddr> =
        (host, port).to_socket_addrs().map_err(unknown_error)?.collect();
    let until = Instant::now() + limit;
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for (address, n_left) in addresses.iter().zip((1..=addresses.len() as u32).rev()) {
        let share = until.saturating_duration_since(Instant::now()) / n_left;
        match connect(address, share.max(Duration::from_millis(1))) {
            Ok(connection) => return Ok(connection),
            Err(error) => last = error,
        }
    }
    Err(DialError::Unreachable { host: host.to_owned(), port, source: last })
}

fn connect(address: &SocketAddr, limit: Duration) -> io::Result<TcpStream> {
    let connection = TcpStream::connect_timeout(address, limit)?;
    connection.set_nodelay(true)?;
    rustix::net::sockopt::set_socket_keepalive(&connection, true)?;
    Ok(connection)
}

/// Hands a connection over to ssh, which waits for it at the other end of a socket.
///
/// # Errors
/// [`DialError::HandOver`].
pub fn hand_over(connection: &TcpStream, to: BorrowedFd<'_>) -> Result<(), DialError> {
    send_descriptor(connection, to).map_err(DialError::HandOver)
}

fn send_descriptor(connection: &TcpStream, to: BorrowedFd<'_>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut rights = SendAncillaryBuffer::new(&mut space);
    let descriptors = [connection.as_fd()];
    if !rights.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::ErrorKind::OutOfMemory.into());
    }
    // A message has at least a byte, which says nothing.
    sendmsg(to, &[IoSlice::new(&[0])], &mut rights, SendFlags::empty())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
    use std::io::{IoSliceMut, Read as _, Write as _};
    use std::net::TcpListener;
    use std::os::unix::net::UnixStream;

    const LIMIT: Duration = Duration::from_secs(5);

    #[test]
    fn a_connection_goes_from_hand_to_hand() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let connection = dial("127.0.0.1", listener.local_addr().unwrap().port(), LIMIT).unwrap();
        assert!(connection.nodelay().unwrap());
        let (here, there) = UnixStream::pair().unwrap();
        hand_over(&connection, here.as_fd()).unwrap();
        drop(connection);
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut rights = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [9];
        let mut parts = [IoSliceMut::new(&mut byte)];
        recvmsg(&there, &mut parts, &mut rights, RecvFlags::empty()).unwrap();
        let RecvAncillaryMessage::ScmRights(mut descriptors) = rights.drain().next().unwrap()
        else {
            panic!("no connection came");
        };
        let mut stream = TcpStream::from(descriptors.next().unwrap());
        stream.write_all(b"hello").unwrap();
        drop(stream);
        let mut text = String::new();
        listener.accept().unwrap().0.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), byte), ("hello", [0]));
    }

    #[test]
    fn what_fails_is_told_as_ssh_tells_it() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let error = dial("127.0.0.1", port, LIMIT).unwrap_err().to_string();
        let expected = format!("ssh: connect to host 127.0.0.1 port {port}: Connection refused");
        assert!(error.starts_with(&expected), "{error}");
        let error = dial("no-such-host.invalid", 22, LIMIT).unwrap_err().to_string();
        assert!(
            error.starts_with("ssh: Could not resolve hostname no-such-host.invalid: "),
            "{error}"
        );
    }
}
