//! Dataset: fields with truth and a manifest, on which every change is tried.

mod components;
pub mod decode;
pub mod encode;
pub mod phantom;

pub use components::label_components;
