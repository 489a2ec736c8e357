//! GitHub, played by a server in this process that keeps state and breaks on demand.

mod appending;
mod approving;
mod calls;
mod commands;
mod contract;
mod hostile;
mod publishing;
mod routes;
mod server;
mod world;
