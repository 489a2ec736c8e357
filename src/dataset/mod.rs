//! Dataset: fields with truth and a manifest, on which every change is tried.
