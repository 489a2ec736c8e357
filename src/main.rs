//! The door: see `cli`.
fn main() {}
