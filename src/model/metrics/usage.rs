//! What pods use, as the metrics API of a cluster tells it.

/// What one container uses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodUsage {
    /// Where.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
    /// When it was seen, in milliseconds since 1970.
    pub at_ms: i64,
    /// Processors: 1 is one of them all the time; none where it was not said.
    pub cpu_cores: Option<f64>,
    /// Memory that it works with, in bytes; none where it was not said.
    pub memory_bytes: Option<f64>,
}
