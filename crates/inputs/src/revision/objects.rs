//! Objects: files of commits, by one git that stays for all of them.
//!
//! A git for each file takes milliseconds to start, and a project has dozens. Takes names like
//! `COMMIT:PATH`, gives what stands there; reads nothing that is larger than it may be. The program
//! ends with this one.

use super::git::{TreeError, git, git_bytes};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

/// Programs that stay at a time.
const MAX_READERS: usize = 4;
/// Longest line that git begins an answer with: a path, and a few words.
const MAX_LINE_BYTES: u64 = 64 << 10;

static READERS: Mutex<Vec<Reader>> = Mutex::new(Vec::new());

/// Outcome of reading a file of a commit.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Object {
    /// Nothing.
    Missing,
    /// A file of so many bytes, more than may be read.
    TooLarge(u64),
    /// A file.
    File(Vec<u8>),
}

/// Reads a file of a commit.
///
/// # Errors
/// [`TreeError::Git`], also for what is no file.
pub(super) fn read(repository: &Path, name: &str, max_bytes: u64) -> Result<Object, TreeError> {
    let object = with_reader(repository, Question::Content, name, |reader| reader.read(max_bytes));
    if let Some(object) = object {
        return Ok(object);
    }
    let size = git(repository, &["cat-file", "-s", name]);
    let Some(n_bytes) = size.ok().and_then(|size| size.trim().parse().ok()) else {
        return Ok(Object::Missing);
    };
    if max_bytes < n_bytes {
        return Ok(Object::TooLarge(n_bytes));
    }
    Ok(Object::File(git_bytes(repository, &["cat-file", "blob", name])?))
}

/// Whether a name stands for a file.
#[must_use]
pub(super) fn is_file(repository: &Path, name: &str) -> bool {
    let is_blob = |reader: &mut Reader| Ok(reader.head()?.is_some_and(|(kind, _)| kind == "blob"));
    with_reader(repository, Question::Kind, name, is_blob).unwrap_or_else(|| {
        git(repository, &["cat-file", "-t", name]).is_ok_and(|kind| kind.trim() == "blob")
    })
}

/// Question to a git that stays running: the kind of an object or its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    Kind,
    Content,
}

/// A git that answers name after name.
struct Reader {
    repository: PathBuf,
    question: Question,
    child: Child,
    names: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks a program that stays; `None` where it does not answer, or the name is none that it can be asked
/// for, so that a git for this one name has to.
fn with_reader<T>(
    repository: &Path,
    question: Question,
    name: &str,
    answer: impl FnOnce(&mut Reader) -> io::Result<T>,
) -> Option<T> {
    if name.contains('\n') {
        return None;
    }
    let mut readers = READERS.lock().ok()?;
    let is_it = |reader: &Reader| reader.repository == repository && reader.question == question;
    let found = readers.iter().position(is_it).map(|at| readers.remove(at));
    let mut reader = match found {
        Some(reader) => reader,
        None => Reader::start(repository, question).ok()?,
    };
    writeln!(reader.names, "{name}").ok()?;
    // A reader whose answer was not read to its end is not used again.
    let value = answer(&mut reader).ok()?;
    if readers.len() == MAX_READERS {
        readers.remove(0);
    }
    readers.push(reader);
    Some(value)
}

impl Reader {
    fn start(repository: &Path, question: Question) -> io::Result<Self> {
        let flag = match question {
            Question::Kind => "--batch-check",
            Question::Content => "--batch",
        };
        let mut command = Command::new("git");
        command.arg("-C").arg(repository).args(["cat-file", flag]);
        command.env("GIT_OPTIONAL_LOCKS", "0").env("LC_ALL", "C");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(names), Some(answers)) => {
                let (repository, answers) = (repository.to_owned(), BufReader::new(answers));
                Ok(Self { repository, question, child, names, answers })
            }
            _ => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Kind and size of what was asked for; `None` when nothing stands there.
    fn head(&mut self) -> io::Result<Option<(String, u64)>> {
        let mut line = String::new();
        self.answers.by_ref().take(MAX_LINE_BYTES).read_line(&mut line)?;
        let line = line.strip_suffix('\n').ok_or(io::ErrorKind::UnexpectedEof)?;
        if line.ends_with(" missing") {
            return Ok(None);
        }
        let mut words = line.split(' ').skip(1);
        let kind = words.next().unwrap_or_default().to_owned();
        let n_bytes = words.next().and_then(|size| size.parse().ok());
        Ok(Some((kind, n_bytes.ok_or(io::ErrorKind::InvalidData)?)))
    }

    /// The file that was asked for.
    fn read(&mut self, max_bytes: u64) -> io::Result<Object> {
        let Some((kind, n_bytes)) = self.head()? else { return Ok(Object::Missing) };
        if kind != "blob" || max_bytes < n_bytes {
            // Its bytes are on their way and are not needed: the program ends with them.
            self.child.kill()?;
            let object = Ok(Object::TooLarge(n_bytes));
            return if kind == "blob" { object } else { Err(io::ErrorKind::InvalidData.into()) };
        }
        let mut bytes = Vec::new();
        let n_read = self.answers.by_ref().take(n_bytes).read_to_end(&mut bytes)?;
        let mut end = [0];
        self.answers.read_exact(&mut end)?;
        if n_read as u64 == n_bytes && end == *b"\n" {
            Ok(Object::File(bytes))
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository() -> (tempfile::TempDir, String) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("a folder")).unwrap();
        std::fs::write(folder.path().join("a folder/is missing"), "some\nlines\n").unwrap();
        std::fs::write(folder.path().join("empty"), "").unwrap();
        let run_git = |arguments: &[&str]| git(folder.path(), arguments).unwrap();
        run_git(&["init", "--quiet", "--template="]);
        run_git(&["add", "--all"]);
        let name = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
        let commit = ["-c", "commit.gpgsign=false", "commit", "--quiet", "--message", "one"];
        run_git(&[&name[..], &commit[..]].concat());
        let id = run_git(&["rev-parse", "HEAD"]).trim().to_owned();
        (folder, id)
    }

    #[test]
    fn files_are_read_one_after_the_other_whatever_came_before() {
        let (folder, id) = repository();
        let read = |path: &str, max| read(folder.path(), &format!("{id}:{path}"), max).unwrap();
        let text = Object::File(b"some\nlines\n".to_vec());
        for _ in 0..3 {
            assert_eq!(read("a folder/is missing", 99), text);
            assert_eq!(read("nothing", 99), Object::Missing);
            assert_eq!(read("nothing is missing", 99), Object::Missing);
            assert_eq!(read("a folder/is missing", 3), Object::TooLarge(11));
            assert_eq!(read("empty", 0), Object::File(Vec::new()));
            assert_eq!(read("no\nline", 9), Object::Missing);
        }
        assert!(super::read(folder.path(), &format!("{id}:a folder"), 999).is_err());
    }

    #[test]
    fn folders_are_no_files() {
        let (folder, id) = repository();
        let is_file = |path: &str| is_file(folder.path(), &format!("{id}:{path}"));
        for _ in 0..2 {
            assert!(is_file("a folder/is missing") && is_file("empty"));
            assert!(!is_file("a folder") && !is_file("nothing"));
        }
    }

    #[test]
    fn where_there_is_no_repository_there_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_file(folder.path(), "HEAD:x"));
        assert_eq!(read(folder.path(), "HEAD:x", 9).unwrap(), Object::Missing);
    }
}
