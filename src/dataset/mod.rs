//! Dataset: fields with truth and a manifest, on which every change is tried.

mod components;
pub mod decode;
pub mod encode;

pub use components::label_components;
