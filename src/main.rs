//! The door: see `commands`.

mod commands;
mod demo;
mod init;

use std::process::ExitCode;

/// Keeps the pages of large buffers from one stage to the next.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    commands::main()
}
