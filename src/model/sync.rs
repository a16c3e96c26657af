//! With whom history is shared, and what of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::digest::Digest;
use super::{Labels, RunSummary};

/// The version of the format that this program writes.
pub const SYNC_BOOK_VERSION: u32 = 1;
/// The most servers that history is shared with.
pub const TARGETS_MAX: usize = 16;

/// With whom history is shared. Nothing is until a person says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SyncBook {
    /// [`SYNC_BOOK_VERSION`] of the writer.
    pub version: u32,
    /// In the order in which they were added.
    pub targets: Vec<SyncTarget>,
}

/// A space of a server that history is shared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncTarget {
    /// Its own, so that another address of the same server goes on where the old one was.
    pub id: Uuid,
    /// The server's address, without a path's last slash.
    pub server: String,
    /// The account that one is logged in with there.
    pub account: Uuid,
    /// As it stands in addresses; the person's own if it was not chosen.
    pub space: String,
    /// What goes up; all that is there comes down.
    pub choice: Choice,
    /// Whether it goes on by itself.
    pub is_on: bool,
}

/// What of this machine's history goes to a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Every run and plan.
    #[default]
    Everything,
    /// Runs that started, and plans that were saved, at this time or later.
    Since(Timestamp),
    /// Runs that have all of these labels; no plans.
    Labelled(Labels),
}

/// Who has sent a record first, where that is another person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Author {
    /// The server's name for the person.
    pub subject: String,
    /// The name shown.
    pub name: String,
}

/// How far the exchange with a server has got.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TargetState {
    /// Of the server, when it was last asked; none if it never was.
    pub epoch: Option<Uuid>,
    /// The last of its changes that was taken in; 0 before the first.
    pub cursor: u64,
    /// The digest of that change: a server that has another there is not where it was.
    pub at_cursor: Option<Digest>,
    /// The last deletion of the account that was known when the exchange began: after a later one nothing is sent by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion: Option<Uuid>,
    /// When everything had been exchanged last.
    pub reached: Option<Timestamp>,
    /// Records that were passed over because a newer Meshbench wrote them.
    pub newer: u64,
    /// The version of Meshbench that passed them over.
    pub reader: String,
}

/// Why a record was not exchanged, and will not be until a person does something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// For people.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// Whether it was to go to the server; else it was to come.
    pub is_up: bool,
    /// The run or plan, if that is known.
    pub subject: Option<Uuid>,
}

impl Default for SyncBook {
    fn default() -> Self {
        Self { version: SYNC_BOOK_VERSION, targets: Vec::new() }
    }
}

impl Choice {
    /// Whether a run goes up.
    #[must_use]
    pub fn takes_run(&self, run: &RunSummary) -> bool {
        match self {
            Self::Everything => true,
            Self::Since(start) => run.started >= *start,
            Self::Labelled(labels) => {
                labels.iter().all(|(key, value)| run.labels.get(key).is_some_and(|has| has == value))
            }
        }
    }

    /// Whether a plan goes up that was saved at a time, in microseconds since 1970.
    #[must_use]
    pub fn takes_plan_of(&self, time_us: u64) -> bool {
        match self {
            Self::Everything => true,
            Self::Since(start) => u64::try_from(start.as_microsecond()).is_ok_and(|start| time_us >= start),
            Self::Labelled(_) => false,
        }
    }
}
