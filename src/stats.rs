//! Histograms and quantiles: pure functions on numbers, wherever they come from.

pub mod capacity;
pub mod heat;
pub mod latency;
pub mod sketch;

pub use latency::{CodecError, Latency};
pub use sketch::Sketch;
