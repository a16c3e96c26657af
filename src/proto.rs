//! The words on the wire, generated from `proto/`: a test keeps them fresh, and renews them when it is told to.

/// Adapters of service meshes, in every era.
#[expect(clippy::all, clippy::allow_attributes, clippy::too_many_lines, missing_docs, reason = "generated")]
pub mod meshes;

/// [`meshes`] as a descriptor set, for those who ask a server what it speaks.
pub const MESHES_DESCRIPTORS: &[u8] = include_bytes!("proto/meshes.bin");
