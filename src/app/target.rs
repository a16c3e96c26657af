//! The built-in target, for faces: a small HTTP/1.1 server whose delays and faults are known.

pub use crate::load::target::{Delay, Stall, Target, TargetOptions, parse_size};
