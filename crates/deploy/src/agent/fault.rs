//! Fault: places where a test may let the disk fail or the agent die.
//!
//! Every step that changes the disk passes a named point. A hidden option of the
//! agent's command line names the one that fails, never the environment: a server's forced command
//! is the only one that could arm it. Unarmed, a point is one comparison.

use super::record::Recorder;
use std::io;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

macro_rules! points {
    ($($(#[doc = $meaning:literal])+ $variant:ident $text:literal;)+) => {
        /// A step that changes the disk.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Point {
            $($(#[doc = $meaning])+ $variant,)+
        }

        impl Point {
            /// Every point, in the order of a deploy.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name in kebab-case.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The step that is about to be done there, in one sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($meaning),+)),+ }
            }
        }
    };
}

points! {
    /// A folder of the layout is made.
    FolderMake "folder-make";
    /// The lock's file is opened.
    LockOpen "lock-open";
    /// The lease tells who holds the lock.
    LeaseWrite "lease-write";
    /// A record is written to the journal.
    JournalWrite "journal-write";
    /// Half of a record is written.
    JournalTorn "journal-torn";
    /// The journal reaches the disk.
    JournalSync "journal-sync";
    /// A torn record is cut off.
    JournalCut "journal-cut";
    /// The journal is continued in a new file.
    JournalTurn "journal-turn";
    /// The manifest is written.
    ManifestWrite "manifest-write";
    /// A file for an arriving blob is opened.
    IncomingOpen "incoming-open";
    /// A chunk is written.
    IncomingWrite "incoming-write";
    /// A chunk is noted as written.
    IncomingNote "incoming-note";
    /// An arrived blob is opened to be read back.
    BlobRead "blob-read";
    /// An arrived blob reaches the disk.
    BlobSync "blob-sync";
    /// An arrived blob is moved to the others.
    BlobMove "blob-move";
    /// A folder of blobs reaches the disk.
    BlobFolderSync "blob-folder-sync";
    /// The manifest reaches the disk.
    ManifestSync "manifest-sync";
    /// The rest of an earlier attempt is removed.
    StageClean "stage-clean";
    /// A folder of the release is made.
    StageFolder "stage-folder";
    /// A blob is linked into the release.
    StageLink "stage-link";
    /// The release's folders reach the disk.
    StageSync "stage-sync";
    /// The release gets its name.
    StageMove "stage-move";
    /// The release's name reaches the disk.
    StageMoveSync "stage-move-sync";
    /// The release's own test is started.
    TestStart "test-start";
    /// A new pointer is made beside `current`.
    SwitchLink "switch-link";
    /// `current` is exchanged.
    SwitchMove "switch-move";
    /// `current` reaches the disk.
    SwitchSync "switch-sync";
    /// The pointer of a rollback is made.
    RollbackLink "rollback-link";
    /// `current` is rolled back.
    RollbackMove "rollback-move";
    /// The rollback reaches the disk.
    RollbackSync "rollback-sync";
    /// `previous` is exchanged.
    PreviousMove "previous-move";
    /// Something damaged or failed is put aside.
    QuarantineMove "quarantine-move";
    /// A release is taken away.
    PruneMove "prune-move";
    /// A file is removed.
    PruneRemove "prune-remove";
}

/// Effect of an armed point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The agent is killed on the spot.
    Kill,
    /// The agent is stopped and does not know it.
    Stop,
    /// The system says that the disk failed.
    Eio,
    /// The system says that the disk is full.
    Enospc,
}

/// One armed point: `stage-link:kill`, `journal-write:enospc:3` for its third passage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub point: Point,
    /// What.
    pub action: Action,
    /// At which passage, from 1.
    pub nth: u32,
}

/// The text is no fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a fault is POINT:kill, POINT:stop, POINT:eio or POINT:enospc, and :N for the Nth passage")]
pub struct FaultSyntax;

impl FromStr for Fault {
    type Err = FaultSyntax;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split(':');
        let name = parts.next().ok_or(FaultSyntax)?;
        let is_named = |point: &&Point| point.as_str() == name;
        let point = *Point::ALL.iter().find(is_named).ok_or(FaultSyntax)?;
        let action = match parts.next() {
            Some("kill") => Action::Kill,
            Some("stop") => Action::Stop,
            Some("eio") => Action::Eio,
            Some("enospc") => Action::Enospc,
            _ => return Err(FaultSyntax),
        };
        let nth = parts.next().map_or(Ok(1), str::parse).map_err(|_| FaultSyntax)?;
        if parts.next().is_some() || nth == 0 {
            return Err(FaultSyntax);
        }
        Ok(Self { point, action, nth })
    }
}

/// Counts passages and lets the armed one fail.
#[derive(Debug, Default)]
pub struct Faults {
    armed: Option<Fault>,
    is_traced: bool,
    n_passed: AtomicU32,
    /// Hears of every change.
    pub(super) recorder: Recorder,
}

impl Faults {
    /// Arms a point, or none; traced, every passage is reported on standard error.
    #[must_use]
    pub fn new(armed: Option<Fault>, is_traced: bool) -> Self {
        Self { armed, is_traced, ..Self::default() }
    }

    /// Lets somebody hear of every change.
    #[must_use]
    pub(super) fn with_recorder(self, recorder: Recorder) -> Self {
        Self { recorder, ..self }
    }

    /// Whether a point is the armed one, or all are watched.
    #[must_use]
    pub fn is_armed(&self, point: Point) -> bool {
        self.is_traced || self.armed.is_some_and(|fault| fault.point == point)
    }

    /// Passes a point.
    ///
    /// # Errors
    /// Error of the armed fault.
    pub fn pass(&self, point: Point) -> io::Result<()> {
        if self.is_traced {
            write_stderr(&format!("passed {}\n", point.as_str()));
        }
        let Some(fault) = self.armed.filter(|fault| fault.point == point) else { return Ok(()) };
        if self.n_passed.fetch_add(1, Ordering::Relaxed) + 1 != fault.nth {
            return Ok(());
        }
        write_stderr(&format!("fault {}:{} fired\n", point.as_str(), fault.nth));
        let signal = match fault.action {
            Action::Eio => {
                return Err(io::Error::from_raw_os_error(rustix::io::Errno::IO.raw_os_error()));
            }
            Action::Enospc => {
                return Err(io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error()));
            }
            Action::Kill => rustix::process::Signal::KILL,
            Action::Stop => rustix::process::Signal::STOP,
        };
        rustix::process::kill_process(rustix::process::getpid(), signal)?;
        Ok(())
    }
}

/// Reports to the test that a fault fired; a closed standard error is nobody's concern.
fn write_stderr(text: &str) {
    use std::io::Write as _;
    let _ = io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_fires_once_at_its_passage() {
        let faults = Faults::new(Some("stage-link:eio:2".parse().unwrap()), false);
        let failures = [0, 1, 2].map(|_| faults.pass(Point::StageLink).is_err());
        assert_eq!(failures, [false, true, false]);
        assert!(faults.pass(Point::StageMove).is_ok());
    }

    #[test]
    fn what_is_no_fault_is_refused() {
        for text in [
            "",
            "stage-link",
            "stage-link:burn",
            "x:kill",
            "stage-link:kill:0",
            "stage-link:kill:1:2",
        ] {
            assert_eq!(text.parse::<Fault>(), Err(FaultSyntax), "{text}");
        }
    }
}
