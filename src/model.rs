//! What we know: plans, runs, labels, settings. Plain data and pure rules.
//!
//! Nothing here knows of a clock, a disk, a network or a window. The types in [`plan`], [`run`] and
//! [`settings`] are also our file formats; each carries a version.

pub mod account;
pub mod adapter;
pub mod capacity;
pub mod causes;
pub mod certificate;
pub mod cluster;
pub mod digest;
pub mod duration;
pub mod envelope;
pub mod goal;
pub mod host;
pub mod inventory;
pub mod manifest;
pub mod mesh;
pub mod metrics;
pub mod number;
pub mod plan;
pub mod record;
pub mod run;
pub mod settings;
pub mod sync;
pub mod ticks;

pub use capacity::{Capacity, Search};
pub use goal::{Goal, GoalResult};
pub use plan::{BasicAuth, Body, Cookie, Header, Pacing, Plan, Request, Stop, Target};
pub use run::{Ended, Interval, Quantiles, Run, RunId, RunSummary};
pub use settings::{Settings, ThemeChoice, Timer};

use std::collections::BTreeMap;

/// Keys and values by which history is grouped, filtered and trended.
pub type Labels = BTreeMap<String, String>;

/// Labels whose meaning every page knows: key, and the words shown for it.
pub const KNOWN_LABELS: [(&str, &str); 3] =
    [("mesh", "Mesh"), ("mesh_version", "Mesh version"), ("app_version", "App version")];
