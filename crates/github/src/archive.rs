//! Archive: one file out of the ZIP that an artifact is kept as.
//!
//! The archive was written by a run that anybody may have started: every number in it is doubted,
//! names are compared and never opened, and nothing is unpacked beyond its bound.
//!
//! # Sources
//! PKWARE, APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16.

use flate2::Crc;
use flate2::read::DeflateDecoder;
use std::io::Read as _;

/// Archives may hold this many files.
const MAX_ENTRIES: u16 = 1000;

/// The archive does not hold what is asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    /// Not an archive, or a damaged one.
    #[error("the artifact is not a sound ZIP archive: {0}")]
    Damaged(&'static str),
    /// The file is not in it.
    #[error("the artifact holds no `{0}`")]
    Missing(String),
    /// The file is there twice.
    #[error("the artifact holds `{0}` twice")]
    Doubled(String),
    /// The file is too large.
    #[error("`{name}` in the artifact has more than the {limit} bytes that are read")]
    TooLarge {
        /// The file.
        name: String,
        /// Bytes that are read at most.
        limit: usize,
    },
}

/// One file as the archive's directory tells it.
struct Entry {
    method: u16,
    flags: u16,
    crc: u32,
    n_packed: usize,
    offset: usize,
}

/// The bytes of the file of this name, of at most `n_bytes`.
///
/// # Edge cases
/// Bytes that do not begin like an archive are the file itself: that is how an artifact of one
/// file is kept that was not archived.
///
/// # Errors
/// [`ArchiveError`].
pub fn file_in(archive: &[u8], name: &str, n_bytes: usize) -> Result<Vec<u8>, ArchiveError> {
    let too_large = || ArchiveError::TooLarge { name: name.to_owned(), limit: n_bytes };
    if !archive.starts_with(b"PK") {
        return if archive.len() <= n_bytes { Ok(archive.to_vec()) } else { Err(too_large()) };
    }
    let entry = find_entry(archive, name)?;
    if entry.flags & 1 != 0 {
        return Err(ArchiveError::Damaged("a file in it is encrypted"));
    }
    let header = entry.offset;
    if read_number(archive, header, 4)? != 0x0403_4b50 {
        return Err(ArchiveError::Damaged("a file does not begin where the directory says"));
    }
    let n_name = read_number(archive, header + 26, 2)? as usize;
    let n_extra = read_number(archive, header + 28, 2)? as usize;
    let packed = slice(archive, header + 30 + n_name + n_extra, entry.n_packed)?;
    let mut content = Vec::new();
    let bound = n_bytes as u64 + 1;
    let read = match entry.method {
        0 => packed.take(bound).read_to_end(&mut content),
        8 => DeflateDecoder::new(packed).take(bound).read_to_end(&mut content),
        _ => return Err(ArchiveError::Damaged("a file is packed in an unknown way")),
    };
    read.map_err(|_| ArchiveError::Damaged("a file cannot be unpacked"))?;
    if content.len() > n_bytes {
        return Err(too_large());
    }
    let mut crc = Crc::new();
    crc.update(&content);
    if crc.sum() != entry.crc {
        return Err(ArchiveError::Damaged("a file's checksum does not hold"));
    }
    Ok(content)
}

/// The one entry of this name.
fn find_entry(archive: &[u8], name: &str) -> Result<Entry, ArchiveError> {
    let end = find_end(archive)?;
    let n_entries = read_number(archive, end + 10, 2)? as u16;
    if n_entries > MAX_ENTRIES {
        return Err(ArchiveError::Damaged("it holds too many files"));
    }
    let mut at = read_number(archive, end + 16, 4)? as usize;
    let mut found = None;
    for _ in 0..n_entries {
        if read_number(archive, at, 4)? != 0x0201_4b50 {
            return Err(ArchiveError::Damaged("its directory is broken"));
        }
        let lengths = [28, 30, 32].map(|field| read_number(archive, at + field, 2));
        let [n_name, n_extra, n_comment] = lengths;
        let (n_name, n_extra, n_comment) =
            (n_name? as usize, n_extra? as usize, n_comment? as usize);
        if slice(archive, at + 46, n_name)? == name.as_bytes() {
            if found.is_some() {
                return Err(ArchiveError::Doubled(name.to_owned()));
            }
            found = Some(Entry {
                flags: read_number(archive, at + 8, 2)? as u16,
                method: read_number(archive, at + 10, 2)? as u16,
                crc: read_number(archive, at + 16, 4)?,
                n_packed: read_number(archive, at + 20, 4)? as usize,
                offset: read_number(archive, at + 42, 4)? as usize,
            });
        }
        at += 46 + n_name + n_extra + n_comment;
    }
    found.ok_or_else(|| ArchiveError::Missing(name.to_owned()))
}

/// Where the record stands that ends the archive.
fn find_end(archive: &[u8]) -> Result<usize, ArchiveError> {
    const N_RECORD: usize = 22;
    const N_COMMENT: usize = 65_535;
    let last = archive.len().checked_sub(N_RECORD);
    let last = last.ok_or(ArchiveError::Damaged("it is cut off"))?;
    let mut candidates = (last.saturating_sub(N_COMMENT)..=last).rev();
    let is_end = |at: &usize| archive[*at..].starts_with(b"PK\x05\x06");
    candidates.find(is_end).ok_or(ArchiveError::Damaged("it is cut off"))
}

/// A little-endian number of two or four bytes.
fn read_number(archive: &[u8], at: usize, n_bytes: usize) -> Result<u32, ArchiveError> {
    let bytes = slice(archive, at, n_bytes)?;
    Ok(bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte)))
}

fn slice(archive: &[u8], at: usize, n_bytes: usize) -> Result<&[u8], ArchiveError> {
    let end = at.checked_add(n_bytes).ok_or(ArchiveError::Damaged("a length is impossible"))?;
    archive.get(at..end).ok_or(ArchiveError::Damaged("it is cut off"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::DeflateEncoder;
    use std::io::Write as _;

    /// An archive of these files, packed.
    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let (mut bytes, mut directory) = (Vec::new(), Vec::new());
        for (name, content) in files {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(content).unwrap();
            let packed = encoder.finish().unwrap();
            let mut crc = Crc::new();
            crc.update(content);
            let offset = bytes.len() as u32;
            let mut fields = Vec::new();
            fields.extend([20, 0, 0, 0, 8, 0, 0, 0, 0, 0]);
            fields.extend(crc.sum().to_le_bytes());
            fields.extend((packed.len() as u32).to_le_bytes());
            fields.extend((content.len() as u32).to_le_bytes());
            fields.extend((name.len() as u16).to_le_bytes());
            fields.extend([0, 0]);
            bytes.extend(b"PK\x03\x04");
            bytes.extend(&fields);
            bytes.extend(name.as_bytes());
            bytes.extend(packed);
            directory.extend(b"PK\x01\x02\x14\0");
            directory.extend(&fields);
            directory.extend([0; 10]);
            directory.extend(offset.to_le_bytes());
            directory.extend(name.as_bytes());
        }
        let (start, n_files) = (bytes.len() as u32, files.len() as u16);
        bytes.extend(&directory);
        bytes.extend(b"PK\x05\x06\0\0\0\0");
        bytes.extend([n_files.to_le_bytes(), n_files.to_le_bytes()].concat());
        bytes.extend((directory.len() as u32).to_le_bytes());
        bytes.extend(start.to_le_bytes());
        bytes.extend([0, 0]);
        bytes
    }

    #[test]
    fn a_file_is_found_by_its_name() {
        let packed = archive(&[("a.json", b"{}"), ("report.json", &[b'x'; 5000])]);
        assert_eq!(file_in(&packed, "report.json", 5000).unwrap(), [b'x'; 5000]);
        assert_eq!(file_in(&packed, "a.json", 5000).unwrap(), b"{}");
        let error = ArchiveError::Missing("../a.json".to_owned());
        assert_eq!(file_in(&packed, "../a.json", 9), Err(error));
    }

    #[test]
    fn an_artifact_of_one_file_may_be_that_file() {
        assert_eq!(file_in(b"{\"a\": 1}", "report.json", 100).unwrap(), b"{\"a\": 1}");
        assert!(matches!(file_in(b"{}", "x", 1), Err(ArchiveError::TooLarge { .. })));
    }

    #[test]
    fn bounds_hold_for_what_is_unpacked() {
        let bomb = archive(&[("report.json", &vec![0; 10 << 20])]);
        assert!(bomb.len() < 20_000);
        let result = file_in(&bomb, "report.json", 1 << 20);
        assert!(matches!(result, Err(ArchiveError::TooLarge { .. })));
    }

    #[test]
    fn a_name_must_be_the_only_one() {
        let packed = archive(&[("report.json", b"1"), ("report.json", b"2")]);
        let error = ArchiveError::Doubled("report.json".to_owned());
        assert_eq!(file_in(&packed, "report.json", 9), Err(error));
    }

    #[test]
    fn damage_is_an_error_wherever_it_is() {
        let packed = archive(&[("report.json", b"the content of the report")]);
        for end in 2..packed.len() {
            assert!(file_in(&packed[..end], "report.json", 100).is_err(), "cut at {end}");
        }
        for at in 0..packed.len() {
            let mut damaged = packed.clone();
            damaged[at] ^= 0xff;
            // Fields that nobody reads may hold anything; the content must not change.
            match file_in(&damaged, "report.json", 100) {
                Ok(content) if at > 1 => assert_eq!(content, b"the content of the report"),
                Ok(_) | Err(_) => {}
            }
        }
    }
}
