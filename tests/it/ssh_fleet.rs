//! Several hosts: all get the release, or all keep what they had.

use crate::ssh_deploy::{Site, active, forced_command_key};
use crate::sshd::{Server, free_port};
use serde_json::Value;
use std::path::Path;
use tempfile::TempDir;

/// Servers on addresses of loopback, one port, each with a root of its own.
struct Fleet {
    site: Site,
    roots: Vec<TempDir>,
    servers: Vec<Server>,
}

impl Fleet {
    fn new(addresses: &[&str]) -> Self {
        let port = free_port();
        let mut fleet = (Vec::new(), Vec::new());
        for address in addresses {
            let root = tempfile::tempdir().unwrap();
            fleet.0.push(Server::at(address, port, &forced_command_key(root.path())));
            fleet.1.push(root);
        }
        let (servers, roots) = fleet;
        let pins: Vec<String> = servers.iter().map(Server::pin).collect();
        let site = Site::new(addresses, port, pins.join("\n"));
        Self { site, roots, servers }
    }

    fn active(&self) -> Vec<Option<String>> {
        self.roots.iter().map(|root| active(root.path())).collect()
    }

    /// Replaces what the key of a server may run.
    fn force(&self, index: usize, line: &str) {
        let path = self.servers[index].folder.path().join("authorized_keys");
        std::fs::write(path, format!("{line}\n")).unwrap();
    }
}

fn hosts(out: &str) -> Vec<Value> {
    let record: Value = serde_json::from_str(out).unwrap();
    record["hosts"].as_array().unwrap().clone()
}

#[test]
fn all_hosts_get_the_release_and_an_unreachable_one_stops_all() {
    let fleet = Fleet::new(&["127.0.0.1", "127.0.0.2", "127.0.0.3"]);
    fleet.force(1, "");
    let output = fleet.site.check(&["deploy", "--format", "json"], 20, "");
    let outcomes = hosts(&output.out);
    assert_eq!(outcomes[0]["outcome"], "refused");
    assert!(outcomes[0]["message"].as_str().unwrap().contains("[127.0.0.2]"), "{}", output.out);
    assert!(
        outcomes[1]["message"].as_str().unwrap().contains("refused the login"),
        "{}",
        output.out
    );
    assert_eq!(fleet.active(), [None, None, None]);

    fleet.force(1, &forced_command_key(fleet.roots[1].path()));
    let output = fleet.site.check(&["deploy", "--format", "json"], 0, "");
    assert!(hosts(&output.out).iter().all(|host| host["outcome"] == "done"), "{}", output.out);
    let active = fleet.active();
    assert!(active[0].is_some() && active.iter().all(|one| *one == active[0]), "{active:?}");
}

#[test]
fn a_host_that_fails_its_switch_takes_the_others_back() {
    let fleet = Fleet::new(&["127.0.0.1", "127.0.0.2"]);
    fleet.site.deploy();
    let before = fleet.active();
    fleet.site.change();
    fleet.force(1, &failing_agent_key(fleet.roots[1].path()));
    let output = fleet.site.check(&["deploy", "--format", "json", "--window", "3"], 21, "");
    let outcomes = hosts(&output.out);
    assert!(outcomes[0]["message"].as_str().unwrap().contains("gone back to"), "{}", output.out);
    assert_eq!(fleet.active(), before);
}

/// The line of a key whose agent fails when it switches.
fn failing_agent_key(root: &Path) -> String {
    forced_command_key(root).replace(" agent --root", " agent --fault switch-move:eio --root")
}
