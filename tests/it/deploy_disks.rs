//! Deploys on disks that are too small or fill up, where this user may mount one.

use crate::deploy::id;
use crate::deploy_faults::hasty;
use crate::deploy_rig::{CELLGATE, Studio, block_on};
use cellgate::deploy::local::Local;
use cellgate::deploy::session::Options;
use cellgate::deploy::whole::deploy;
use cellgate::digest::Digest;
use cellgate::release::{Content, Package};
use std::fs;
use std::process::Command;
use std::sync::Arc;

/// A small disk of its own, where this user may mount one.
struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    #[expect(clippy::print_stdout, reason = "what is skipped is told")]
    fn mount(options: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", options, "cellgate-test"]).arg(folder.path());
        let is_mounted = command.output().is_ok_and(|output| output.status.success());
        if !is_mounted {
            println!("skipped: this user may not mount a small disk ({options})");
        }
        is_mounted.then_some(Self { folder })
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.folder.path()).output();
    }
}

fn agent_of(disk: &Disk) -> Local {
    Local::new(CELLGATE, disk.folder.path().join("root"))
}

fn heavy(studio: &mut Studio, number: u64) -> Arc<Package> {
    let program = "#!/bin/sh\nexec /bin/cat \"$3/reference/self-test.json\"\n";
    let program = Content::Bytes(program.into());
    let weights = [("weights/w.bin", vec![number as u8; 3 << 20])];
    studio.package_with(number, program, Digest::of_bytes(b"engine"), &weights)
}

#[test]
fn a_disk_that_is_too_small_is_told_before_the_first_byte() {
    let Some(disk) = Disk::mount("size=3m,mode=755") else { return };
    let told = block_on(deploy(&agent_of(&disk), &heavy(&mut Studio::new(), 1), &hasty("k")));
    let failure = told.unwrap_err();
    assert_eq!(failure.ended.exit_code(), 20, "{failure}");
    assert!(failure.to_string().contains("bytes free, and"), "{failure}");
    let Some(disk) = Disk::mount("size=9m,nr_inodes=60,mode=755") else { return };
    let told = block_on(deploy(&agent_of(&disk), &heavy(&mut Studio::new(), 1), &hasty("k")));
    let failure = told.unwrap_err();
    assert_eq!(failure.ended.exit_code(), 20, "{failure}");
    assert!(failure.to_string().contains("names free, and"), "{failure}");
}

#[test]
fn a_disk_that_fills_up_while_bytes_arrive_leaves_what_is_active() {
    let Some(disk) = Disk::mount("size=9m,mode=755") else { return };
    let mut studio = Studio::new();
    let (first, second) = (heavy(&mut studio, 1), heavy(&mut studio, 2));
    let agent = agent_of(&disk);
    block_on(deploy(&agent, &first, &hasty("k"))).unwrap();
    let filler = disk.folder.path().join("filler");
    let fill = filler.clone();
    let filling = Options {
        progress: Arc::new(move |_| {
            // As much as there is room for.
            let _ = fs::write(&fill, vec![0; 8 << 20]);
        }),
        ..hasty("k")
    };
    let failure = block_on(deploy(&agent, &second, &filling)).unwrap_err();
    assert_eq!(failure.ended.exit_code(), 21, "{failure}");
    assert!(failure.to_string().contains("free some space on the server"), "{failure}");
    let current = fs::read_link(disk.folder.path().join("root/current")).unwrap();
    assert!(current.ends_with(id(&first).to_string()));
    fs::remove_file(filler).unwrap();
    assert_eq!(block_on(deploy(&agent, &second, &hasty("k"))).unwrap().release, id(&second));
}
