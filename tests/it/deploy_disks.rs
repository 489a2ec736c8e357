//! Deploys on disks that are too small, fill up or may not be written to, where this user may mount
//! one; and releases as large as they may be.

use crate::deploy::id;
use crate::deploy_faults::hasty;
use crate::deploy_rig::{CELLGATE, STUB, Server, Studio, block_on};
use cellgate_core::digest::Digest;
use cellgate_deploy::local::Local;
use cellgate_deploy::release::{Content, MAX_FILES, MAX_RELEASE_BYTES, Manifest, Package, Release};
use cellgate_deploy::session::{Options, Session};
use cellgate_deploy::whole::deploy;
use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

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

impl Disk {
    /// Mounts it anew: `ro`, `rw`.
    #[track_caller]
    fn remount(&self, how: &str) {
        let mut command = Command::new("mount");
        command.args(["-o", &format!("remount,{how}")]).arg(self.folder.path());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn current(&self) -> std::path::PathBuf {
        fs::read_link(self.folder.path().join("root/current")).unwrap()
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
    let program = Content::Bytes(STUB.into());
    let weights = [("weights/w.bin", vec![number as u8; 3 << 20])];
    studio.package_with(number, program, Digest::of_bytes(b"engine"), &weights)
}

#[test]
fn a_disk_that_is_too_small_is_told_before_the_first_byte() {
    let Some(disk) = Disk::mount("size=3m,mode=755") else { return };
    let result = block_on(deploy(&agent_of(&disk), &heavy(&mut Studio::new(), 1), &hasty("k")));
    let failure = result.unwrap_err();
    assert_eq!(failure.ended.exit_code().number(), 20, "{failure}");
    assert!(failure.to_string().contains("bytes free, and"), "{failure}");
    let Some(disk) = Disk::mount("size=9m,nr_inodes=60,mode=755") else { return };
    let result = block_on(deploy(&agent_of(&disk), &heavy(&mut Studio::new(), 1), &hasty("k")));
    let failure = result.unwrap_err();
    assert_eq!(failure.ended.exit_code().number(), 20, "{failure}");
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
    assert_eq!(failure.ended.exit_code().number(), 21, "{failure}");
    assert!(failure.to_string().contains("free some space on the server"), "{failure}");
    assert!(disk.current().ends_with(id(&first).to_string()));
    fs::remove_file(filler).unwrap();
    assert_eq!(block_on(deploy(&agent, &second, &hasty("k"))).unwrap().release, id(&second));
}

#[test]
fn a_disk_that_may_not_be_written_to_is_told_and_what_is_active_can_be_asked_for() {
    let Some(disk) = Disk::mount("size=9m,mode=755") else { return };
    let mut studio = Studio::new();
    let (first, second) = (heavy(&mut studio, 1), heavy(&mut studio, 2));
    let agent = agent_of(&disk);
    block_on(deploy(&agent, &first, &hasty("k"))).unwrap();
    disk.remount("ro");
    let failure = block_on(deploy(&agent, &second, &hasty("k"))).unwrap_err();
    assert_eq!(failure.ended.exit_code().number(), 20, "{failure}");
    assert!(failure.to_string().contains("Read-only file system"), "{failure}");
    let status = block_on(async {
        let mut session = Session::open(&agent, hasty("status")).await.unwrap();
        session.status(true).await.unwrap()
    });
    assert_eq!((status.active, status.damages.len()), (Some(id(&first)), 0));
    assert!(block_on(deploy(&agent, &first, &hasty("k"))).unwrap().is_unchanged);
    disk.remount("rw");
    assert_eq!(block_on(deploy(&agent, &second, &hasty("k"))).unwrap().release, id(&second));
}

#[test]
fn a_release_larger_than_the_disk_is_refused_before_the_first_byte() {
    let Some(disk) = Disk::mount("size=9m,mode=755") else { return };
    let package = heavy(&mut Studio::new(), 1);
    let mut manifest: Manifest = (**package.release()).clone();
    let weights = manifest.files.iter_mut().find(|file| file.path == "weights/w.bin").unwrap();
    (weights.size, weights.sha256) = (15 << 30, Digest::of_bytes(b"never sent"));
    let release = Release::new(manifest.clone()).unwrap();
    let agent = agent_of(&disk);
    let began = std::time::Instant::now();
    let plan = block_on(async {
        let mut session = Session::open(&agent, hasty("k")).await.unwrap();
        session.plan(&release).await.unwrap()
    });
    assert_eq!(plan.missing.iter().map(|blob| blob.size).max(), Some(15 << 30));
    let is_refused =
        plan.refusals.iter().any(|refusal| refusal.message.contains("bytes free, and"));
    assert!(is_refused, "{:?}", plan.refusals);
    assert!(began.elapsed() < Duration::from_secs(5), "a plan of what is not there takes no time");
    manifest.files[0].size = MAX_RELEASE_BYTES;
    assert!(Release::new(manifest).is_err(), "more than any release may have");
}

#[test]
fn a_release_of_as_many_files_as_there_may_be_is_deployed() {
    let server = Server::new();
    let names: Vec<String> = (0..MAX_FILES - 5).map(|n| format!("weights/{n}")).collect();
    let files: Vec<(&str, Vec<u8>)> = names.iter().map(|name| (&**name, vec![1])).collect();
    let program = Content::Bytes(STUB.into());
    let engine = Digest::of_bytes(b"engine");
    let package = Studio::new().package_with(1, program, engine, &files);
    let options = Options { window: Duration::from_secs(60), ..hasty("k") };
    let deployed = block_on(deploy(&server.agent(&[]), &package, &options)).unwrap();
    assert!(deployed.n_sent < 10_000, "the same bytes are sent once");
    assert!(server.is_whole(id(&package)));
}
