//! What happened outside.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::model::account::AccountBook;
use crate::model::adapter::book::AdapterBook;
use crate::model::cluster::ClusterBook;
use crate::model::metrics::MetricsBook;
use crate::model::sync::SyncBook;
use crate::model::{Run, RunId, RunSummary, Settings};

use super::accounts::AccountNews;
use super::adapters::AdapterNews;
use super::clusters::ClusterEvent;
use super::command::ExportFormat;
use super::methods::Description;
use super::metrics::MetricsNews;
use super::mirroring::MirrorNews;
use super::publish::PublishNews;
use super::sharing::SharingNews;
use super::state::{Phase, Picked, PlanId, SavedPlan};

/// News from background work. Everything that can fail ends in one of these.
#[derive(Clone, Debug)]
pub enum Event {
    /// The store is open; what it holds.
    StoreOpened(Box<Opened>),
    /// The store cannot be used.
    StoreFailed {
        /// What happened, and what to do.
        reason: String,
    },
    /// The built-in target listens.
    TargetReady {
        /// Its URL.
        url: String,
    },
    /// The built-in target could not be started.
    TargetFailed {
        /// What happened.
        reason: String,
    },
    /// How a run is doing. May be dropped: the next one holds all of this one.
    RunProgress(Box<Progress>),
    /// A run ended; what it measured.
    RunEnded(Arc<Run>),
    /// A run could not be carried out.
    RunFailed {
        /// Which.
        id: RunId,
        /// What happened, and what to do.
        reason: String,
    },
    /// A run is on disk.
    RunSaved(Box<RunSummary>),
    /// A run could not be saved in the store.
    RunNotSaved {
        /// The run; it can be read and exported until the program ends.
        run: Arc<Run>,
        /// The file in which it waits for the store; none when it is nowhere on disk.
        waits_in: Option<PathBuf>,
        /// What happened, and what to do.
        reason: String,
    },
    /// Runs were read.
    RunsRead(Vec<Arc<Run>>),
    /// Runs could not be read.
    RunsNotRead {
        /// What happened, and what to do.
        reason: String,
    },
    /// History was read again.
    HistoryRead(Vec<RunSummary>),
    /// What a person has written about a run was kept.
    RunEdited(Arc<Run>),
    /// Runs were deleted.
    RunsDeleted(Vec<RunSummary>),
    /// Deleted runs are back.
    RunsRestored(Vec<RunSummary>),
    /// A saved plan is on disk.
    PlanSaved(Box<SavedPlan>),
    /// A saved plan is gone.
    PlanDeleted(PlanId),
    /// Saved plans were read again.
    PlansRead(Vec<SavedPlan>),
    /// A plan was read from a file.
    PlanImported(Box<crate::model::Plan>),
    /// Something was written to a file.
    Exported {
        /// Where.
        path: PathBuf,
    },
    /// A person picked a place to save runs to.
    ExportPlacePicked(Vec<RunId>, ExportFormat, PathBuf),
    /// Of publishing.
    Publish(PublishNews),
    /// About folders that history is mirrored to.
    Mirror(MirrorNews),
    /// A person picked a file with a plan.
    PlanFilePicked(PathBuf),
    /// A person picked a place to save a plan to.
    PlanPlacePicked(Box<crate::model::Plan>, PathBuf),
    /// A person picked a file for the form.
    FilePicked(Picked),
    /// A gRPC target said what it offers, or did not.
    MethodsListed {
        /// The number of the question.
        asked: u64,
        /// What it offers, or why that is not known, and what to do.
        told: Result<Arc<Description>, String>,
    },
    /// About clusters.
    Cluster(ClusterEvent),
    /// About adapters.
    Adapter(AdapterNews),
    /// About metrics.
    Metrics(MetricsNews),
    /// About logins.
    Account(AccountNews),
    /// About sharing history.
    Sharing(SharingNews),
    /// Settings are on disk.
    SettingsSaved(Settings),
    /// Something did not work; nothing is lost.
    Failed {
        /// What was tried: `The report was not written`.
        title: String,
        /// Why, and what to do.
        reason: String,
    },
}

/// What the store holds when it opens.
#[derive(Clone, Debug, Default)]
pub struct Opened {
    /// Every run, newest first.
    pub history: Vec<RunSummary>,
    /// Every run that was deleted and can be brought back, newest first.
    pub trash: Vec<RunSummary>,
    /// Saved plans.
    pub plans: Vec<SavedPlan>,
    /// Choices.
    pub settings: Settings,
    /// What was chosen about clusters.
    pub clusters: ClusterBook,
    /// Which adapters there are, and what was done with them.
    pub adapters: AdapterBook,
    /// Sources of metrics, and boards.
    pub metrics: MetricsBook,
    /// Providers and accounts.
    pub accounts: AccountBook,
    /// With whom history is shared.
    pub sync: SyncBook,
    /// What the person must know about the opening: a damaged file moved aside, a run recovered.
    pub remarks: Vec<String>,
}

/// How a run is doing.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Which.
    pub id: RunId,
    /// How far it is.
    pub phase: Phase,
    /// What was measured so far, as if it had ended now.
    pub so_far: Arc<Run>,
    /// Since the first due time, warm-up included.
    pub elapsed: Duration,
    /// How much of the plan is done, 0 to 1; none when it cannot be known.
    pub progress: Option<f64>,
    /// Time left where it can be known.
    pub remaining: Option<Duration>,
    /// Requests in flight now.
    pub in_flight: u64,
    /// What the plan's rate is multiplied by.
    pub factor: f64,
    /// Whether it is paused.
    pub is_paused: bool,
}

impl Event {
    /// Whether there is something on disk now that other machines may not have.
    pub(super) fn changes_records(&self) -> bool {
        if let Self::Mirror(MirrorNews::Done(mirrored) | MirrorNews::Looked(mirrored)) = self {
            return !mirrored.taken_in.is_empty();
        }
        matches!(
            self,
            Self::RunSaved(_)
                | Self::RunNotSaved { .. }
                | Self::RunFailed { .. }
                | Self::RunEdited(_)
                | Self::RunsDeleted(_)
                | Self::RunsRestored(_)
                | Self::PlanSaved(_)
                | Self::PlanDeleted(_)
                | Self::Metrics(MetricsNews::Kept(_))
        )
    }
}
