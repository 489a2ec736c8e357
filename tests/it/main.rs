//! The one integration-test binary: what the parts do together, on real files.
fn main() {}
