//! Tests of folders: nothing planted below the root leads out of it.

use super::*;

fn root() -> (tempfile::TempDir, Folder) {
    let folder = tempfile::tempdir().unwrap();
    let root = Folder::root(folder.path(), Arc::default()).unwrap();
    (folder, root)
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let (_keep, root) = root();
    for name in ["", ".", "..", "a/b", "/etc", "a\0"] {
        assert!(root.open(name).is_err() && root.folder(name).is_err(), "{name}");
    }
}

#[test]
fn links_are_not_followed() {
    let (keep, root) = root();
    std::os::unix::fs::symlink("/etc", keep.path().join("folder")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", keep.path().join("file")).unwrap();
    assert!(root.folder("folder").is_err());
    assert!(root.open("file").is_err());
    assert!(root.open_own(Point::IncomingOpen, "file").is_err());
    root.write(Point::ManifestWrite, "file", b"new").unwrap();
    assert_eq!(root.read("file", 9).unwrap().unwrap(), b"new");
}

#[test]
fn a_file_with_another_name_is_not_written_to() {
    let (keep, root) = root();
    std::fs::write(keep.path().join("other"), "theirs").unwrap();
    std::fs::hard_link(keep.path().join("other"), keep.path().join("mine")).unwrap();
    assert!(root.open_own(Point::IncomingOpen, "mine").is_err());
}

#[test]
fn a_pipe_is_no_file_and_does_not_block() {
    let (keep, root) = root();
    let status = std::process::Command::new("mkfifo").arg(keep.path().join("pipe")).status();
    assert!(status.unwrap().success());
    assert!(root.open("pipe").is_err());
}

#[test]
fn a_tree_is_removed_without_following_links() {
    let (keep, root) = root();
    std::fs::create_dir_all(keep.path().join("a/b/c")).unwrap();
    std::fs::create_dir_all(keep.path().join("outside")).unwrap();
    std::fs::write(keep.path().join("outside/file"), "").unwrap();
    std::os::unix::fs::symlink("../../outside", keep.path().join("a/b/link")).unwrap();
    root.remove_tree(Point::PruneRemove, "a").unwrap();
    assert!(root.find("a").unwrap().is_none());
    assert!(keep.path().join("outside/file").exists());
}
