//! What a person has chosen for the whole program.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::RunId;

/// The version of the settings format that this program writes.
pub const SETTINGS_VERSION: u32 = 1;

/// The most deleted runs that are kept away from a folder.
pub const AWAY_MAX: usize = 10_000;

/// Choices kept between starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// [`SETTINGS_VERSION`] of the writer.
    pub version: u32,
    /// Light, dark or as the system.
    pub theme: ThemeChoice,
    /// Size of everything in the window, 0.75 to 2.
    pub zoom: f32,
    /// Threads that send load; 0 leaves a core for the window and uses the rest.
    pub load_threads: u32,
    /// How exactly requests leave when they are due.
    pub timer: Timer,
    /// No movement that is not information.
    pub reduced_motion: bool,
    /// The folder that is kept in step with history while Meshbench is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mirror: Option<KeptFolder>,
}

/// A folder that is kept in step with history: each run is a file there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptFolder {
    /// Where it is, in UTF-8.
    pub folder: PathBuf,
    /// Runs that were deleted here since it is kept in step, at most [`AWAY_MAX`]: their files stay, and are not taken in.
    #[serde(default)]
    pub away: BTreeSet<RunId>,
}

impl KeptFolder {
    /// One from which nothing is kept away.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, away: BTreeSet::new() }
    }
}

/// How exactly requests leave when they are due. Precision costs processor time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timer {
    /// Within about a microsecond: the last 50 µs are spent watching the clock, and as long as answers are awaited
    /// the thread does not sleep, so that they too are seen when they come.
    Precise,
    /// Within about 50 µs: by the platform's best timer.
    #[default]
    Balanced,
    /// Up to 500 µs late, several at once: for high rates on few processors.
    Economy,
}

/// Light, dark or as the system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThemeChoice {
    /// As the system says.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            version: SETTINGS_VERSION,
            theme: ThemeChoice::System,
            zoom: 1.0,
            load_threads: 0,
            timer: Timer::Balanced,
            reduced_motion: false,
            mirror: None,
        }
    }
}
