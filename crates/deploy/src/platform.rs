//! Platform: for which machines a program was made, read from its first bytes.
//!
//! Takes a file; gives a triple like `x86_64-unknown-linux-musl`. Reads ELF (the System V ABI) and
//! Mach-O headers, no more of them than it needs.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Bytes of a program that are looked at; headers and the loader's name are at its beginning.
const HEAD_BYTES: u64 = 64 << 10;

/// Type of a segment that names the loader.
const PT_INTERP: u32 = 3;

/// A file is no program for a server.
#[derive(Debug, thiserror::Error)]
pub enum PlatformError {
    /// It cannot be read.
    #[error("the program `{}` cannot be read", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Error of the system.
        source: std::io::Error,
    },
    /// It is something else.
    #[error(
        "`{}` is no 64-bit program for Linux or macOS: give cellgate as it was built for the \
         server by `--binary`", .0.display()
    )]
    NoProgram(PathBuf),
}

/// The platform of a program.
///
/// # Errors
/// [`PlatformError`].
pub fn triple_of(path: &Path) -> Result<String, PlatformError> {
    let read_error = |source| PlatformError::Unreadable { path: path.to_owned(), source };
    let mut head = Vec::new();
    File::open(path)
        .and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head))
        .map_err(read_error)?;
    let triple = elf_triple(&head).or_else(|| mach_triple(&head));
    triple.ok_or_else(|| PlatformError::NoProgram(path.to_owned()))
}

fn read_integer<const N: usize>(head: &[u8], at: usize) -> Option<u64> {
    let bytes: &[u8; N] = head.get(at..)?.first_chunk()?;
    Some(bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

/// A little-endian ELF file of 64 bits.
fn elf_triple(head: &[u8]) -> Option<String> {
    if !head.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let machine = match read_integer::<2>(head, 18)? {
        62 => "x86_64",
        183 => "aarch64",
        243 => "riscv64gc",
        _ => return None,
    };
    let (table, size) = (read_integer::<8>(head, 32)?, read_integer::<2>(head, 54)?);
    let segments = (0..read_integer::<2>(head, 56)?).filter_map(|index| {
        let at = usize::try_from(table.checked_add(index * size)?).ok()?;
        let kind = u32::try_from(read_integer::<4>(head, at)?).ok()?;
        let (offset, n_bytes) =
            (read_integer::<8>(head, at + 8)?, read_integer::<8>(head, at + 32)?);
        (kind == PT_INTERP)
            .then_some((usize::try_from(offset).ok()?, usize::try_from(n_bytes).ok()?))
    });
    let loader = segments.take(1).find_map(|(offset, n_bytes)| head.get(offset..)?.get(..n_bytes));
    // A static program has no loader, and runs wherever its machine does.
    let library = match loader.map(String::from_utf8_lossy) {
        Some(name) if !name.contains("musl") => "gnu",
        _ => "musl",
    };
    Some(format!("{machine}-unknown-linux-{library}"))
}

/// A Mach-O file of 64 bits.
fn mach_triple(head: &[u8]) -> Option<String> {
    if read_integer::<4>(head, 0)? != 0xfeed_facf {
        return None;
    }
    match read_integer::<4>(head, 4)? {
        0x0100_0007 => Some("x86_64-apple-darwin".to_owned()),
        0x0100_000c => Some("aarch64-apple-darwin".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_program_is_for_this_machine() {
        let triple = triple_of(&std::env::current_exe().unwrap()).unwrap();
        assert!(triple.starts_with(std::env::consts::ARCH), "{triple}");
        assert_eq!(triple.contains("linux"), cfg!(target_os = "linux"), "{triple}");
    }

    #[test]
    fn no_header_leads_out_of_the_file() {
        let head = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        for n_bytes in 0..300 {
            let _ = elf_triple(&head[..n_bytes]);
        }
        let mut damaged = head[..4096].to_vec();
        damaged[32..40].fill(0xff);
        let triple = elf_triple(&damaged);
        assert!(triple.is_some_and(|triple| triple.ends_with("musl")), "no segment is there");
        assert!(elf_triple(b"#!/bin/sh\n").is_none() && mach_triple(b"#!/bin/sh\n").is_none());
    }
}
