//! Deploy: brings a release onto the hosts of a target, or leaves them as they were.
//!
//! `transport` opens channels, `connection` asks and hears on one of them, `session` goes through a
//! deploy step by step, `whole` through all steps on one host, `fleet` on all of them. Everything that
//! decides what is active happens in the agent.
//!
//! # Examples
//! Nothing in a release may lead out of it:
//! ```
//! use cellgate_deploy::release::path::check;
//!
//! assert!(check("params/he-tissue.yaml").is_ok());
//! assert!(check("params/../../etc/passwd").is_err());
//! ```

pub mod release;
pub mod wire;
pub mod agent;
pub mod bootstrap;
pub mod cancel;
pub mod commit;
pub mod connection;
mod ending;
pub mod fleet;
pub mod key;
pub mod known_hosts;
pub mod local;
mod options;
pub mod pack;
pub mod platform;
pub mod preview;
pub mod record;
pub mod reference;
mod sending;
pub mod session;
pub mod settings;
mod settle;
pub mod ssh;
pub mod target;
pub mod transport;
pub mod whole;

pub use ending::{Ended, Failure};
