//! Release: what is deployed, named by the sha256 of its manifest.
