//! A built-in adapter for others, for faces: served over gRPC until it is stopped.

pub use super::runtime::{Serving, ServingError, ServingOptions, meshes};
