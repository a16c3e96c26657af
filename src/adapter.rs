//! Adapters of meshes: the built-in one.

pub mod builtin;
