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

// What is deployed, the protocol, and the agent.
pub mod release;
pub mod wire;
pub mod agent;

// Ways to a host.
pub mod platform;
pub mod key;
pub mod known_hosts;
pub mod settings;
pub mod transport;
pub mod ssh;
pub mod bootstrap;
pub mod cancel;

// A conversation with one host.
pub mod connection;
mod ending;
mod options;
pub mod prepared;
mod sending;
mod settle;
pub mod session;

// Whole deploys.
pub mod whole;
pub mod fleet;
pub mod reference;
pub mod pack;
pub mod preview;
pub mod record;
pub mod local;
pub mod target;
pub mod commit;

pub use ending::{Ended, Failure};
