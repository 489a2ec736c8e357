//! A disk that forgets what was not synced: told every change in its order, it says what stands on
//! it when the power goes.
//!
//! More forgetful than any file system that people use: a name is kept only when its folder was
//! synced, bytes and permissions only when the file was. What was not synced may be kept as well, in
//! the ways of [`Kept`], since disks write in the order they like.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

/// Part of the unsynced changes that a disk keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kept {
    /// Nothing.
    Nothing,
    /// Names, and of bytes only how many: a file is there and full of zeros.
    Names,
    /// Bytes, and no names.
    Bytes,
    /// Names in `state`, where the journal is.
    NamesOfState,
    /// Names everywhere but in `state`.
    NamesOfOthers,
}

impl Kept {
    /// All ways but one: where everything is kept, the agent was merely killed.
    pub(crate) const ALL: [Self; 5] =
        [Self::Nothing, Self::Names, Self::Bytes, Self::NamesOfState, Self::NamesOfOthers];

    fn names_in(self, folder: &str) -> bool {
        match self {
            Self::Nothing | Self::Bytes => false,
            Self::Names => true,
            Self::NamesOfState => folder == "state",
            Self::NamesOfOthers => folder != "state",
        }
    }
}

type Names = BTreeMap<String, usize>;

#[derive(Debug, Clone, Default)]
struct Plain {
    bytes: Vec<u8>,
    mode: u32,
}

#[derive(Debug, Clone)]
enum Node {
    Folder { now: Names, synced: Names },
    File { now: Plain, synced: Plain },
    Link(String),
}

/// A disk below one folder.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    nodes: Vec<Node>,
    top: String,
}

impl Disk {
    /// A disk on which everything that a folder has was synced long ago.
    pub(crate) fn of(top: &Path) -> Self {
        let mut disk = Self { nodes: Vec::new(), top: top.to_str().unwrap().to_owned() };
        disk.load(top, &mut BTreeMap::new());
        disk
    }

    fn add(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn load(&mut self, path: &Path, known: &mut BTreeMap<u64, usize>) -> usize {
        let found = fs::symlink_metadata(path).unwrap();
        if let Some(index) = known.get(&found.ino()).filter(|_| found.is_file()) {
            return *index;
        }
        let index = self.add(Node::Link(String::new()));
        known.insert(found.ino(), index);
        self.nodes[index] = if found.is_dir() {
            let mut names = Names::new();
            for entry in fs::read_dir(path).unwrap() {
                let entry = entry.unwrap();
                let name = entry.file_name().into_string().unwrap();
                names.insert(name, self.load(&entry.path(), known));
            }
            Node::Folder { now: names.clone(), synced: names }
        } else if found.is_file() {
            let plain = Plain { bytes: fs::read(path).unwrap(), mode: found.mode() & 0o7777 };
            Node::File { now: plain.clone(), synced: plain }
        } else {
            Node::Link(fs::read_link(path).unwrap().into_os_string().into_string().unwrap())
        };
        index
    }

    /// Takes a line of what an agent told.
    #[track_caller]
    pub(crate) fn take(&mut self, line: &Value) {
        let (kind, change) = line.as_object().unwrap().iter().next().unwrap();
        let text = |key: &str| change[key].as_str().unwrap().to_owned();
        match kind.as_str() {
            "folder" => {
                let node = Node::Folder { now: Names::new(), synced: Names::new() };
                self.make(change.as_str().unwrap(), node);
            }
            "file" => {
                let plain = || Plain { bytes: Vec::new(), mode: 0o644 };
                self.make(change.as_str().unwrap(), Node::File { now: plain(), synced: plain() });
            }
            "symlink" => self.make(&text("path"), Node::Link(text("target"))),
            "write" => {
                let digits = text("bytes");
                let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
                let bytes: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
                let plain = self.plain(&text("path"));
                let at = change["offset"].as_u64().map_or(plain.bytes.len(), |at| at as usize);
                plain.bytes.resize(plain.bytes.len().max(at + bytes.len()), 0);
                plain.bytes[at..at + bytes.len()].copy_from_slice(&bytes);
            }
            "size" => {
                let size = change["size"].as_u64().unwrap() as usize;
                self.plain(&text("path")).bytes.truncate(size);
            }
            "mode" => {
                let index = self.find(&text("path"));
                // A folder's permissions decide nothing here.
                if let Node::File { now, .. } = &mut self.nodes[index] {
                    now.mode = change["mode"].as_u64().unwrap() as u32;
                }
            }
            "rename" => {
                let moved = self.remove(&text("from"));
                self.name(&text("to"), moved);
            }
            "exchange" => {
                let (one, two) = (self.remove(&text("from")), self.remove(&text("to")));
                self.name(&text("from"), two);
                self.name(&text("to"), one);
            }
            "link" => {
                let index = self.find(&text("from"));
                self.name(&text("to"), index);
            }
            "remove" => drop(self.remove(change.as_str().unwrap())),
            "sync" => {
                let index = self.find(change.as_str().unwrap());
                match &mut self.nodes[index] {
                    Node::Folder { now, synced } => *synced = now.clone(),
                    Node::File { now, synced } => *synced = now.clone(),
                    Node::Link(_) => panic!("a link was synced"),
                }
            }
            "told" => {}
            other => panic!("no change: {other}"),
        }
    }

    fn make(&mut self, path: &str, node: Node) {
        let index = self.add(node);
        self.name(path, index);
    }

    fn names(&mut self, path: &str) -> (&mut Names, String) {
        let (folder, name) = path.rsplit_once('/').unwrap();
        let index = self.find(folder);
        match &mut self.nodes[index] {
            Node::Folder { now, .. } => (now, name.to_owned()),
            other => panic!("{folder} is {other:?}"),
        }
    }

    fn name(&mut self, path: &str, index: usize) {
        let (names, name) = self.names(path);
        names.insert(name, index);
    }

    #[track_caller]
    fn remove(&mut self, path: &str) -> usize {
        let (names, name) = self.names(path);
        names.remove(&name).unwrap_or_else(|| panic!("{path} is not there"))
    }

    #[track_caller]
    fn find(&self, path: &str) -> usize {
        let below = path.strip_prefix(&self.top).unwrap_or_else(|| panic!("{path} is elsewhere"));
        let names = below.split('/').filter(|name| !name.is_empty());
        names.fold(0, |index, name| match &self.nodes[index] {
            Node::Folder { now, .. } => {
                *now.get(name).unwrap_or_else(|| panic!("{path}: no `{name}`"))
            }
            other => panic!("{path}: {other:?}"),
        })
    }

    fn plain(&mut self, path: &str) -> &mut Plain {
        let index = self.find(path);
        match &mut self.nodes[index] {
            Node::File { now, .. } => now,
            other => panic!("{path} is {other:?}"),
        }
    }

    /// Writes what is left after the power went to a new folder.
    pub(crate) fn write(&self, kept: Kept, to: &Path) {
        self.write_node(0, kept, ("", to), &mut BTreeMap::new());
    }

    fn write_node(
        &self,
        index: usize,
        kept: Kept,
        (below, to): (&str, &Path),
        written: &mut BTreeMap<usize, std::path::PathBuf>,
    ) {
        if let Some(former) = written.get(&index) {
            fs::hard_link(former, to).unwrap();
            return;
        }
        match &self.nodes[index] {
            Node::Folder { now, synced } => {
                fs::create_dir(to).unwrap();
                let names = if kept.names_in(below) { now } else { synced };
                for (name, index) in names {
                    let path =
                        if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
                    self.write_node(*index, kept, (&path, &to.join(name)), written);
                }
            }
            Node::File { now, synced } => {
                let mut plain = synced.clone();
                match kept {
                    Kept::Bytes => plain = now.clone(),
                    Kept::Names => plain.bytes.resize(now.bytes.len(), 0),
                    Kept::Nothing | Kept::NamesOfState | Kept::NamesOfOthers => {}
                }
                fs::write(to, &plain.bytes).unwrap();
                fs::set_permissions(to, fs::Permissions::from_mode(plain.mode)).unwrap();
                written.insert(index, to.to_owned());
            }
            Node::Link(target) => symlink(target, to).unwrap(),
        }
    }
}
