//! Servers that cannot be reached or must not be trusted: each has its own error and remedy.

use crate::ssh::{login, login_within};
use crate::sshd::{Pair, Server, askpass, block_on, free_port};
use cellgate_deploy::settings::{Endpoint, Settings};
use cellgate_deploy::ssh::{Client, Limits};
use cellgate_deploy::transport::{Purpose, Transport as _};
use cellgate_inputs::secret::Secret;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Limits short enough for a test.
const SHORT: Limits = Limits {
    connect: Duration::from_secs(2),
    login: Duration::from_secs(4),
    first_word: Duration::from_secs(4),
    close: Duration::from_secs(2),
    key: Duration::from_secs(60),
};

#[track_caller]
fn check(settings: Settings, code: &str, says: &[&str]) {
    let start = Instant::now();
    let error = login_within(settings, SHORT).unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    assert!(start.elapsed() < Duration::from_secs(10), "{code} took {:?}", start.elapsed());
    let text = format!("{error}; {}", error.remedy());
    for words in says {
        assert!(text.contains(words), "`{words}` is not in: {text}");
    }
}

#[test]
fn an_unknown_host_is_refused_with_the_line_to_add_once_it_is_checked() {
    let server = Server::start();
    let known_hosts = format!("other.example.org {}", server.host_key.public());
    let settings = Settings { known_hosts, ..server.settings() };
    let line = server.pin();
    let line = line.rsplit_once(' ').unwrap().0;
    let fingerprint = server.host_key.fingerprint();
    check(settings.clone(), "ssh-host-unknown", &["UNVERIFIED", &fingerprint, line]);
    assert!(!server.log().contains("Accepted"), "somebody logged in");
    login(Settings { known_hosts: line.to_owned(), ..settings }).unwrap();
}

#[test]
fn another_host_key_is_refused_and_both_are_named() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let mut fingerprints = vec![server.host_key.fingerprint()];
    let mut known_hosts = String::new();
    for (name, kind) in [("a", "ed25519"), ("b", "rsa -b 2048")] {
        let pair = Pair::new(folder.path(), name, kind, "");
        known_hosts += &format!("[127.0.0.1]:{} {}\n", server.port, pair.public());
        fingerprints.push(pair.fingerprint());
    }
    let says: Vec<&str> = fingerprints.iter().map(String::as_str).collect();
    check(Settings { known_hosts, ..server.settings() }, "ssh-host-key-differs", &says);
}

#[test]
fn a_key_of_another_type_than_the_pinned_one_is_no_unknown_host() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let pair = Pair::new(folder.path(), "rsa", "rsa -b 2048", "");
    let known_hosts = format!("[127.0.0.1]:{} {}", server.port, pair.public());
    let says = [&*server.host_key.fingerprint(), &*pair.fingerprint()];
    check(Settings { known_hosts, ..server.settings() }, "ssh-host-key-differs", &says);
}

#[test]
fn a_revoked_host_key_is_refused() {
    let server = Server::start();
    let known_hosts = format!("{}\n@revoked * {}", server.pin(), server.host_key.public());
    check(Settings { known_hosts, ..server.settings() }, "ssh-host-key-revoked", &["new host key"]);
}

#[test]
fn a_refused_key_and_a_wrong_user_are_told_with_login_and_fingerprint() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let pair = Pair::new(folder.path(), "other", "ed25519", "");
    let settings = Settings { key: Some(Secret::new(pair.private())), ..server.settings() };
    let says = [&*pair.fingerprint(), "authorized_keys", "127.0.0.1"];
    check(settings, "ssh-login-refused", &says);
    let mut settings = server.settings();
    settings.hosts[0].user = "nobody-of-that-name".to_owned();
    check(settings, "ssh-login-refused", &["nobody-of-that-name", "check `user`"]);
}

#[test]
fn a_login_that_a_host_on_the_way_refuses_names_that_host() {
    let (jump, server) = (Server::with("", ""), Server::start());
    let known_hosts = [jump.pin(), server.pin()].join("\n");
    let settings = Settings { jumps: vec![jump.endpoint()], known_hosts, ..server.settings() };
    check(settings, "ssh-login-refused", &[&*crate::sshd::USER, "authorized_keys"]);
    assert!(!server.log().contains("publickey"), "somebody came that far");
}

#[test]
fn a_port_where_nobody_listens_is_refused_at_once() {
    let server = Server::start();
    let port = free_port();
    let settings = server.settings();
    let hosts = vec![Endpoint { port, ..server.endpoint() }];
    let known_hosts = server.pin_at(port);
    let says = format!("[127.0.0.1]:{port}");
    check(Settings { hosts, known_hosts, ..settings }, "ssh-connection-refused", &[&says]);
}

#[test]
fn a_name_that_nobody_knows_is_told() {
    let server = Server::start();
    let host = "no-such-host.invalid".to_owned();
    let known_hosts = format!("[{host}]:{} {}", server.port, server.host_key.public());
    let hosts = vec![Endpoint { host, ..server.endpoint() }];
    let settings = Settings { hosts, known_hosts, ..server.settings() };
    check(settings, "ssh-name-unknown", &["no-such-host.invalid"]);
}

/// A port behind which something does as it is told with each connection.
fn port_that(acts: fn(TcpStream)) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || acts(stream));
        }
    });
    port
}

fn settings_for_port(port: u16) -> Settings {
    let user = crate::sshd::USER.clone();
    let endpoint = Endpoint { host: "127.0.0.1".to_owned(), port, user };
    Settings {
        hosts: vec![endpoint],
        jumps: Vec::new(),
        key: Some(Secret::new(Pair::usual().private())),
        passphrase: None,
        known_hosts: format!("[127.0.0.1]:{port} {}", Pair::usual().public()),
        path: "/srv/cellgate".to_owned(),
        keep: 5,
    }
}

#[test]
fn a_server_that_never_speaks_is_left_after_its_time() {
    let port = port_that(|mut stream| {
        let _ = stream.read(&mut [0; 1024]);
        std::thread::sleep(Duration::from_secs(20));
    });
    check(settings_for_port(port), "ssh-no-answer", &["firewall"]);
}

#[test]
fn a_login_that_never_ends_is_left_after_its_time() {
    let port = port_that(|mut stream| {
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n");
        while matches!(stream.read(&mut [0; 1024]), Ok(1..)) {}
    });
    check(settings_for_port(port), "ssh-login-timeout", &["4 s"]);
}

#[test]
fn what_is_no_ssh_server_is_told() {
    let port = port_that(|mut stream| {
        let answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n\x00\x01\x02binary\r\n";
        let _ = stream.write_all(answer);
    });
    check(settings_for_port(port), "ssh-not-ssh", &["check `port`"]);
}

#[test]
fn a_server_that_hangs_up_is_told() {
    check(settings_for_port(port_that(drop)), "ssh-hung-up", &["MaxStartups"]);
}

#[test]
fn too_few_sessions_are_told_where_the_server_allows_one() {
    let server = Server::with("MaxSessions 1", &Pair::usual().public());
    block_on(async {
        let client = Client::open(server.settings(), askpass(), SHORT).await.unwrap();
        let host = client.host(0, "echo here; cat".to_owned());
        let first = host.open(Purpose::Control).await.unwrap();
        let Err(error) = host.open(Purpose::Data).await else { panic!("a second channel") };
        assert!(error.to_string().contains("raise `MaxSessions`"), "{error}");
        drop(first);
    });
}

#[test]
fn a_command_that_the_server_lacks_is_told() {
    let server = Server::start();
    block_on(async {
        let client = Client::open(server.settings(), askpass(), SHORT).await.unwrap();
        let host = client.host(0, "no-such-cellgate agent --root /srv/x".to_owned());
        let Err(error) = host.open(Purpose::Control).await else { panic!("a channel") };
        assert!(error.to_string().contains("cannot run `no-such-cellgate agent"), "{error}");
        assert!(error.to_string().contains("--bootstrap"), "{error}");
    });
}

#[test]
fn a_server_that_vanishes_ends_the_channel_and_is_logged_in_to_again() {
    let server = Server::start();
    block_on(async {
        let client = Client::open(server.settings(), askpass(), SHORT).await.unwrap();
        let host = client.host(0, "echo here; sleep 0.5; kill -9 $PPID; sleep 5".to_owned());
        let start = Instant::now();
        let mut channel = host.open(Purpose::Control).await.unwrap();
        let mut text = Vec::new();
        let read = tokio::io::AsyncReadExt::read_to_end(&mut channel.reader, &mut text);
        let _ = read.await;
        assert!(start.elapsed() < Duration::from_secs(5));
        let error = host.open(Purpose::Data).await.err().map(|error| error.to_string());
        assert!(error.is_some_and(|error| error.contains("broke")), "the master is gone, too");
        assert!(host.open(Purpose::Control).await.is_ok(), "there is a new one");
        assert_eq!(server.log().matches("Accepted publickey").count(), 2);
    });
}
