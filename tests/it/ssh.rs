//! Logins at a real server: every kind of key and pin, hosts on the way, and what is left behind.

use crate::sshd::{Pair, Server, askpass, block_on, processes_naming};
use cellgate_deploy::key::KeyError;
use cellgate_deploy::settings::Settings;
use cellgate_deploy::ssh::{Client, Limits, SshError};
use cellgate_deploy::transport::{Channel, Purpose, Transport as _};
use cellgate_inputs::secret::Secret;
use std::process::Command;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Command for a server in tests where any command would do.
const ECHO: &str = "echo here; cat";

/// Runs `true` on the target's first host.
pub(crate) fn login(settings: Settings) -> Result<(), SshError> {
    login_within(settings, Limits::default())
}

/// Runs `true` on the target's first host within limits.
pub(crate) fn login_within(settings: Settings, limits: Limits) -> Result<(), SshError> {
    block_on(async {
        let client = Client::open(settings, askpass(), limits).await?;
        let host = client.host(0, ECHO.to_owned());
        let answer = host.run("true", Vec::new()).await;
        host.close().await;
        assert!(answer?.is_success);
        Ok(())
    })
}

#[test]
fn keys_of_every_kind_log_in() {
    let folder = tempfile::tempdir().unwrap();
    let kinds = ["ed25519", "ecdsa", "ecdsa -m PEM", "rsa -b 2048", "rsa -b 2048 -m PEM"];
    let mut pairs = Vec::new();
    for (index, kind) in kinds.iter().enumerate() {
        for passphrase in ["", "correct horse: $(x) \"y\" ü"] {
            let name = format!("{index}-{}", passphrase.len());
            pairs.push((Pair::new(folder.path(), &name, kind, passphrase), passphrase));
        }
    }
    let lines: Vec<String> = pairs.iter().map(|(pair, _)| pair.public()).collect();
    let server = Server::with("", &lines.join("\n"));
    for (pair, passphrase) in pairs {
        let settings = Settings {
            key: Some(Secret::new(pair.private())),
            passphrase: (!passphrase.is_empty()).then(|| Secret::new(passphrase)),
            ..server.settings()
        };
        let outcome = login(settings);
        assert!(outcome.is_ok(), "{}: {outcome:?}\n{}", pair.file.display(), server.log());
    }
}

#[test]
fn a_wrong_passphrase_is_told_before_anything_is_connected() {
    let folder = tempfile::tempdir().unwrap();
    for (name, kind) in [("a", "ed25519"), ("b", "rsa -b 2048 -m PEM"), ("c", "ecdsa -m PKCS8")] {
        let pair = Pair::new(folder.path(), name, kind, "correct horse");
        let server = Server::with("", &pair.public());
        let settings = Settings {
            key: Some(Secret::new(pair.private())),
            passphrase: Some(Secret::new("battery staple")),
            ..server.settings()
        };
        let error = login(settings).unwrap_err();
        assert!(matches!(error, SshError::Key(KeyError::PassphraseWrong)), "{kind}: {error:?}");
        assert!(!server.log().contains("Accepted"));
    }
}

#[test]
fn pins_of_every_form_are_found() {
    let server = Server::start();
    let (port, key) = (server.port, server.host_key.public());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hashed");
    std::fs::write(&file, server.pin() + "\n").unwrap();
    let hashed = Command::new("ssh-keygen").arg("-H").arg("-f").arg(&file).output().unwrap();
    assert!(hashed.status.success());
    let hashed = std::fs::read_to_string(&file).unwrap();
    assert!(hashed.starts_with("|1|"));
    let pins = [
        format!("[127.0.0.1]:{port},[::1]:{port} {key}"),
        format!("[127.0.0.*]:{port} {key}\r\n"),
        format!("other.example.org {key}\n# comment\n\n{}", server.pin()),
        hashed,
    ];
    for known_hosts in pins {
        let outcome = login(Settings { known_hosts: known_hosts.clone(), ..server.settings() });
        assert!(outcome.is_ok(), "{known_hosts}: {outcome:?}");
    }
}

#[test]
fn a_certificate_of_a_pinned_authority_is_enough() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Pair::new(folder.path(), "authority", "ed25519", "");
    let host = Pair::new(folder.path(), "host", "ed25519", "");
    let mut sign = Command::new("ssh-keygen");
    sign.args(["-q", "-h", "-I", "host", "-n", "127.0.0.1", "-s"]).arg(&authority.file);
    assert!(sign.arg(host.file.with_extension("pub")).status().unwrap().success());
    let line = format!("HostCertificate {}/host-cert.pub", folder.path().display());
    let server = Server::in_folder(folder, &line, &Pair::usual().public(), "ed25519");
    let known_hosts = format!("@cert-authority [127.0.0.1]:* {}", authority.public());
    let outcome = login(Settings { known_hosts, ..server.settings() });
    assert!(outcome.is_ok(), "{outcome:?}\n{}", server.log());
}

#[test]
fn hosts_on_the_way_are_pinned_as_strictly() {
    let (jump, other, server) = (Server::start(), Server::start(), Server::start());
    let settings = |known_hosts: String| Settings {
        jumps: vec![jump.endpoint(), other.endpoint()],
        known_hosts,
        ..server.settings()
    };
    let all = [jump.pin(), other.pin(), server.pin()].join("\n");
    login(settings(all)).unwrap();
    for one in [&jump, &other] {
        assert!(one.log().contains("Accepted publickey"), "nobody went through");
    }
    let has_port = |error: &SshError, port: u16| error.to_string().contains(&format!(":{port}"));
    let error = login(settings([jump.pin(), server.pin()].join("\n"))).unwrap_err();
    assert!(
        matches!(error, SshError::HostUnknown { .. }) && has_port(&error, other.port),
        "{error}"
    );
    let line = other.pin();
    let line = line.rsplit_once(' ').unwrap().0;
    assert!(error.remedy().ends_with(line), "{}", error.remedy());
    let foreign = format!("[127.0.0.1]:{} {}", jump.port, Pair::usual().public());
    let error = login(settings([foreign, other.pin(), server.pin()].join("\n"))).unwrap_err();
    let SshError::HostKeyDiffers { sent, pinned, .. } = &error else { panic!("{error:?}") };
    assert!(has_port(&error, jump.port), "{error}");
    assert!(sent.contains(&jump.host_key.fingerprint()), "{sent}");
    assert!(pinned[0].contains(&Pair::usual().fingerprint()), "{pinned:?}");
}

/// A channel that says a word and repeats what it hears.
async fn conversation(mut channel: Channel) -> String {
    channel.writer.write_all(b"and there").await.unwrap();
    channel.writer.shutdown().await.unwrap();
    drop(channel.writer);
    let mut text = String::new();
    channel.reader.read_to_string(&mut text).await.unwrap();
    text
}

#[test]
fn channels_share_a_login_and_a_confirmation_has_its_own() {
    let server = Server::start();
    block_on(async {
        let client = Client::open(server.settings(), askpass(), Limits::default()).await.unwrap();
        let host = client.host(0, ECHO.to_owned());
        for purpose in [Purpose::Control, Purpose::Data, Purpose::Data] {
            let channel = host.open(purpose).await.unwrap();
            assert_eq!(conversation(channel).await, "here\nand there");
        }
        let logins = || server.log().matches("Accepted publickey").count();
        assert_eq!(logins(), 1);
        let channel = host.open(Purpose::Confirm).await.unwrap();
        assert_eq!(conversation(channel).await, "here\nand there");
        assert_eq!(logins(), 2);
        host.close().await;
    });
}

#[test]
fn a_login_made_ahead_is_the_confirmations_own_and_one_only() {
    let server = Server::start();
    let logins = || server.log().matches("Accepted publickey").count();
    let folder = block_on(async {
        let client = Client::open(server.settings(), askpass(), Limits::default()).await.unwrap();
        let host = client.host(0, ECHO.to_owned());
        host.reach().await;
        let channel = host.open(Purpose::Control).await.unwrap();
        assert_eq!((conversation(channel).await.as_str(), logins()), ("here\nand there", 1));
        host.log_in_ahead();
        host.log_in_ahead();
        for n_logins in [2, 3] {
            let channel = host.open(Purpose::Confirm).await.unwrap();
            assert_eq!(conversation(channel).await, "here\nand there");
            assert_eq!(logins(), n_logins);
        }
        // One that nobody takes ends with the others.
        host.log_in_ahead();
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        host.close().await;
        client.folder().to_owned()
    });
    let start = std::time::Instant::now();
    while !processes_naming(&folder).is_empty() && start.elapsed().as_secs() < 5 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(processes_naming(&folder), Vec::<String>::new());
}

#[test]
fn nothing_is_left_behind() {
    let server = Server::start();
    let folder = block_on(async {
        let client = Client::open(server.settings(), askpass(), Limits::default()).await.unwrap();
        let host = client.host(0, ECHO.to_owned());
        let channel = host.open(Purpose::Control).await.unwrap();
        let folder = client.folder().to_owned();
        assert!(processes_naming(&folder).len() >= 2, "a master and an agent");
        drop((channel, host, client));
        folder
    });
    let start = std::time::Instant::now();
    while !processes_naming(&folder).is_empty() && start.elapsed().as_secs() < 5 {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(processes_naming(&folder), Vec::<String>::new());
    assert!(!folder.exists());
}

#[test]
fn the_key_stands_in_no_file() {
    let server = Server::start();
    block_on(async {
        let client = Client::open(server.settings(), askpass(), Limits::default()).await.unwrap();
        for entry in std::fs::read_dir(client.folder()).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(!text.contains("PRIVATE KEY"), "{}", path.display());
        }
    });
}
