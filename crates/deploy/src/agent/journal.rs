//! Journal: the steps that the agent is about to do, each on the disk before it is done.
//!
//! A line is 16 digits of a checksum, a space, and a record in JSON that names the digest of the
//! line before it. A last line that is torn was never acted on and is cut off; damage anywhere else
//! stops the agent, since it cannot know then what it promised.

use super::fault::Point;
use super::folder::Folder;
use super::record::{Change, path_of};
use super::state::{Event, State};
use super::world::World;
use cellgate_core::digest::Digest;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

const FILE: &str = "journal.jsonl";
/// Most bytes that are read; a journal is continued in a new file long before.
const MAX_BYTES: u64 = 64 << 20;
/// From here on the journal is continued in a new file.
const TURN_BYTES: u64 = 4 << 20;
const CHECK_DIGITS: usize = 16;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Counts records from 1.
    pub n: u64,
    /// Digest of the line before; of nothing for the first.
    pub previous: Digest,
    /// Seconds of the wall clock, for people.
    pub wall_s: u64,
    /// Name of the machine's start.
    pub boot: String,
    /// Milliseconds since the machine's start.
    pub since_boot_ms: u64,
    /// Step that was done or is about to be done.
    pub event: Event,
}

/// The journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk failed.
    #[error("the journal cannot be read or written")]
    Io(#[from] io::Error),
    /// A record is not what was written.
    #[error("record {line} of the journal is damaged")]
    Damaged {
        /// From 1.
        line: usize,
    },
}

/// Content of a journal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Read {
    /// The records, oldest first.
    pub records: Vec<Record>,
    /// State after the last of them.
    pub state: State,
    /// Digest of the last line.
    pub head: Option<Digest>,
    /// Bytes of whole lines; what follows is torn.
    n_bytes: u64,
}

/// Reads a journal's bytes. Pure.
///
/// # Errors
/// [`JournalError::Damaged`] for anything but a torn last line.
pub(super) fn read(bytes: &[u8]) -> Result<Read, JournalError> {
    let mut content = Read::default();
    let mut rest = bytes;
    while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
        let line = content.records.len() + 1;
        let damaged = JournalError::Damaged { line };
        let (text, after) = (&rest[..end], &rest[end + 1..]);
        let Some(record) = record_of(text) else {
            // The last line may be torn and still end like a line.
            return if after.is_empty() && is_single_record(text) {
                Ok(content)
            } else {
                Err(damaged)
            };
        };
        if !is_next_record(&record, &content) {
            return Err(damaged);
        }
        content.state.apply(&record.event);
        content.head = Some(Digest::of_bytes(text));
        content.n_bytes += end as u64 + 1;
        content.records.push(record);
        rest = after;
    }
    let line = content.records.len() + 1;
    if is_single_record(rest) { Ok(content) } else { Err(JournalError::Damaged { line }) }
}

/// Whether these bytes are of one record: a line end that was lost makes two of one, and the first of
/// them was acted on. The text of a record contains no beginning, since quotes are escaped.
fn is_single_record(torn: &[u8]) -> bool {
    const BEGINNING: &[u8] = b"{\"n\":";
    torn.windows(BEGINNING.len()).filter(|bytes| *bytes == BEGINNING).count() < 2
}

/// Whether a record is the next one. The first of a file that goes on from another names the last
/// of that one.
fn is_next_record(record: &Record, content: &Read) -> bool {
    match (content.records.last(), content.head) {
        (Some(last), Some(head)) => record.n == last.n + 1 && record.previous == head,
        _ => {
            let is_first = record.n == 1 && record.previous == Digest::of_bytes(b"");
            is_first || matches!(record.event, Event::Continued(_))
        }
    }
}

fn record_of(line: &[u8]) -> Option<Record> {
    let text = std::str::from_utf8(line).ok()?;
    let (check, json) = text.split_at_checked(CHECK_DIGITS)?;
    let json = json.strip_prefix(' ')?;
    if Digest::of_bytes(json.as_bytes()).to_string()[..CHECK_DIGITS] != *check {
        return None;
    }
    serde_json::from_str(json).ok()
}

/// Reads the journal as it is, without the lock: the last record may be missing.
///
/// # Errors
/// [`JournalError`].
pub(super) fn peek(world: &World) -> Result<Read, JournalError> {
    read(&world.folder("state")?.read(FILE, MAX_BYTES)?.unwrap_or_default())
}

/// The journal, for the holder of the lock.
#[derive(Debug)]
pub struct Journal {
    folder: Folder,
    file: File,
    n_bytes: u64,
    n: u64,
    head: Digest,
    state: State,
}

impl Journal {
    /// Opens the journal and cuts off a torn record.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open(world: &World) -> Result<Self, JournalError> {
        let folder = world.folder("state")?;
        let faults = folder.faults().clone();
        let bytes = folder.read(FILE, MAX_BYTES)?.unwrap_or_default();
        let content = read(&bytes)?;
        let file = folder.open_own(Point::JournalWrite, FILE)?;
        if content.n_bytes < bytes.len() as u64 {
            faults.pass(Point::JournalCut)?;
            file.set_len(content.n_bytes)?;
            let size = content.n_bytes;
            faults.recorder.record(|| Change::Size { path: path_of(&file), size });
            file.sync_all()?;
            faults.recorder.record_sync(&file);
        }
        let n = content.records.last().map_or(0, |record| record.n);
        let head = content.head.unwrap_or(Digest::of_bytes(b""));
        let mut journal =
            Self { folder, file, n_bytes: content.n_bytes, n, head, state: content.state };
        if TURN_BYTES < journal.n_bytes {
            journal.rotate(world)?;
        }
        Ok(journal)
    }

    /// The state after the last record.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Writes a record to the disk; only then may be done what it says.
    ///
    /// # Errors
    /// [`JournalError::Io`]; the record is then taken back as far as the disk lets it.
    pub fn append(&mut self, world: &World, event: Event) -> Result<(), JournalError> {
        let (line, head) = self.line(world, &event)?;
        if let Err(error) = self.write(line.as_bytes()) {
            // Nothing was done yet. What remains of the line is cut off at the next opening.
            let _ = self.file.set_len(self.n_bytes);
            return Err(error.into());
        }
        self.n_bytes += line.len() as u64;
        self.n += 1;
        self.head = head;
        self.state.apply(&event);
        Ok(())
    }

    fn line(&self, world: &World, event: &Event) -> Result<(String, Digest), JournalError> {
        let record = Record {
            n: self.n + 1,
            previous: self.head,
            wall_s: world.wall_s(),
            boot: world.boot.clone(),
            since_boot_ms: world.now_ms(),
            event: event.clone(),
        };
        let json = serde_json::to_string(&record).map_err(io::Error::from)?;
        let check = Digest::of_bytes(json.as_bytes()).to_string();
        let line = format!("{} {json}", &check[..CHECK_DIGITS]);
        let head = Digest::of_bytes(line.as_bytes());
        Ok((line + "\n", head))
    }

    fn write(&self, line: &[u8]) -> io::Result<()> {
        let faults = self.folder.faults();
        faults.pass(Point::JournalWrite)?;
        if faults.is_armed(Point::JournalTorn) {
            self.file.write_all_at(&line[..line.len() / 2], self.n_bytes)?;
            faults.pass(Point::JournalTorn)?;
        }
        self.file.write_all_at(line, self.n_bytes)?;
        faults.recorder.record_write(&self.file, Some(self.n_bytes), line);
        faults.pass(Point::JournalSync)?;
        self.file.sync_all()?;
        faults.recorder.record_sync(&self.file);
        // A journal that was just made is found again only when its folder is on the disk, too.
        if self.n == 0 { self.folder.sync(Point::JournalSync) } else { Ok(()) }
    }

    /// Continues in a new file; the old one stays next to it.
    fn rotate(&mut self, world: &World) -> Result<(), JournalError> {
        let event = Event::Continued(Box::new(self.state.clone()));
        let (line, head) = self.line(world, &event)?;
        let name = format!("journal-{}.jsonl", self.n);
        // A copy and not a second name: a journal with two names is nobody's own.
        let bytes = self.folder.read(FILE, MAX_BYTES)?.unwrap_or_default();
        self.folder.write(Point::JournalTurn, &name, &bytes)?;
        self.folder.write(Point::JournalTurn, FILE, line.as_bytes())?;
        self.file = self.folder.open_own(Point::JournalWrite, FILE)?;
        self.n_bytes = line.len() as u64;
        self.n += 1;
        self.head = head;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::world::Settings;
    use super::*;

    fn world() -> (tempfile::TempDir, World) {
        let folder = tempfile::tempdir().unwrap();
        let world = World::open(folder.path(), &Settings::default()).unwrap();
        (folder, world)
    }

    fn abort_event(token: u64) -> Event {
        Event::Aborted { token, reason: "because".to_owned() }
    }

    fn bytes(folder: &tempfile::TempDir) -> Vec<u8> {
        std::fs::read(folder.path().join("state").join(FILE)).unwrap()
    }

    fn sample_journal() -> (tempfile::TempDir, World) {
        let (folder, world) = world();
        let mut journal = Journal::open(&world).unwrap();
        (1..=3).for_each(|token| journal.append(&world, abort_event(token)).unwrap());
        (folder, world)
    }

    #[test]
    fn a_journal_reads_what_was_written() {
        let (folder, world) = sample_journal();
        let content = read(&bytes(&folder)).unwrap();
        assert_eq!(content.records.iter().map(|record| record.n).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(peek(&world).unwrap(), content);
    }

    #[test]
    fn a_torn_last_record_is_cut_off_at_every_length() {
        let (folder, world) = sample_journal();
        let whole = bytes(&folder);
        let last = whole[..whole.len() - 1].iter().rposition(|&byte| byte == b'\n').unwrap() + 1;
        for cut in last..whole.len() {
            std::fs::write(folder.path().join("state").join(FILE), &whole[..cut]).unwrap();
            let mut journal = Journal::open(&world).unwrap();
            assert_eq!(bytes(&folder), &whole[..last]);
            journal.append(&world, abort_event(9)).unwrap();
            assert_eq!(peek(&world).unwrap().records.len(), 3);
        }
    }

    #[test]
    fn a_flipped_bit_is_noticed_or_cuts_the_last_record() {
        let (folder, _world) = sample_journal();
        let whole = bytes(&folder);
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            match read(&damaged) {
                Err(_) => {}
                Ok(content) => assert_eq!(content.records.len(), 2, "byte {at}"),
            }
        }
    }

    #[test]
    fn a_long_journal_goes_on_in_a_new_file() {
        let (folder, world) = sample_journal();
        let mut journal = Journal::open(&world).unwrap();
        let before = journal.state().clone();
        journal.rotate(&world).unwrap();
        journal.append(&world, abort_event(7)).unwrap();
        let content = read(&bytes(&folder)).unwrap();
        assert_eq!(content.records.iter().map(|record| record.n).collect::<Vec<_>>(), [4, 5]);
        let old = std::fs::read(folder.path().join("state/journal-3.jsonl")).unwrap();
        assert_eq!(Some(content.records[0].previous), read(&old).unwrap().head);
        assert_eq!(read(&old).unwrap().state, before);
    }
    #[test]
    fn a_turn_that_fails_at_any_step_loses_nothing() {
        for nth in 1..=9 {
            let (folder, _) = sample_journal();
            let fault = format!("journal-turn:eio:{nth}").parse().unwrap();
            let settings = Settings { fault: Some(fault), ..Settings::default() };
            let faulty = World::open(folder.path(), &settings).unwrap();
            let mut journal = Journal::open(&faulty).unwrap();
            let before = journal.state().clone();
            let is_last = journal.rotate(&faulty).is_ok();
            assert_eq!(read(&bytes(&folder)).unwrap().state, before, "{nth}");
            let mut reopened = Journal::open(&faulty).unwrap();
            reopened.append(&faulty, abort_event(9)).unwrap();
            assert_eq!(is_last, nth == 9, "{nth}");
        }
    }
}
