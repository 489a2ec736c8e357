//! Report: turns values into text, tables and pictures. Decides nothing.

pub mod findings;
