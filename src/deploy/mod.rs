//! Deploy: brings a release onto the hosts of a target, or leaves them as they were.

pub mod key;
pub mod known_hosts;
pub mod pack;
pub mod platform;
pub mod reference;
pub mod settings;
pub mod ssh;
pub mod transport;
