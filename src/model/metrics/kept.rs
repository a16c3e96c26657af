//! What is kept of metrics with a run: boards and what they showed, and what the run cost.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::board::{Board, PanelPlace};
use super::series::{Answer, Grid};
use crate::model::RunId;

/// The version of the format that this program writes.
pub const RUN_METRICS_VERSION: u32 = 1;
/// The most boards that are kept with one run.
pub const KEPT_BOARDS_MAX: usize = 8;

/// Boards and what they showed over a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunMetrics {
    /// [`RUN_METRICS_VERSION`] of the writer.
    pub version: u32,
    /// The run.
    pub run: RunId,
    /// What the source is called, and where it is.
    pub source: String,
    /// When it was asked: two scrapes after the end of the run.
    pub taken: Timestamp,
    /// The counted part of the run, warm-up excluded, and the step in which it was asked.
    pub grid: Grid,
    /// How often the source reads what it watches, in milliseconds, where it says so.
    pub scrape_ms: Option<u64>,
    /// The boards.
    pub boards: Vec<KeptBoard>,
    /// What the run cost, as far as the source knows.
    pub costs: Vec<Cost>,
    /// What one must know before trusting these numbers.
    #[serde(default)]
    pub remarks: Vec<String>,
}

/// A board as it was then, and what it showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptBoard {
    /// The board.
    pub board: Board,
    /// What its panels showed; those without an entry had nothing to show.
    pub panels: Vec<KeptPanel>,
}

/// What a panel showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeptPanel {
    /// Which.
    pub place: PanelPlace,
    /// An answer for each of its queries, in their order; or why there is none.
    pub answers: Vec<Result<Answer, String>>,
}

/// Whose costs they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Component {
    /// The proxies that carry requests.
    Proxies,
    /// What controls them.
    ControlPlane,
    /// The application itself.
    Application,
}

/// What one component used over the counted part of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Whose.
    pub component: Component,
    /// Of which mesh or what: `istio`, `envoy`.
    pub of: String,
    /// Seconds of processor time; none where the source does not know.
    pub cpu_s: Option<f64>,
    /// Mean of the memory in use, in bytes.
    pub memory_mean_bytes: Option<f64>,
    /// Largest memory in use, in bytes.
    pub memory_max_bytes: Option<f64>,
    /// Requests that were answered meanwhile.
    pub requests: u64,
    /// Length in seconds.
    pub seconds: f64,
}

impl Component {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Proxies, Self::ControlPlane, Self::Application];

    /// What people call it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Proxies => "Proxies",
            Self::ControlPlane => "Control plane",
            Self::Application => "Application",
        }
    }
}

impl Cost {
    /// Seconds of processor time for a thousand requests.
    #[must_use]
    pub fn cpu_s_per_1000(&self) -> Option<f64> {
        (self.requests > 0).then(|| self.cpu_s.map(|cpu| cpu / self.requests as f64 * 1000.0)).flatten()
    }

    /// Mean memory in bytes for a thousand requests in a second.
    #[must_use]
    pub fn memory_bytes_per_1000_rps(&self) -> Option<f64> {
        let rate = self.requests as f64 / self.seconds;
        (rate > 0.0 && rate.is_finite())
            .then(|| self.memory_mean_bytes.map(|bytes| bytes / rate * 1000.0))
            .flatten()
    }
}
