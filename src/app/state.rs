//! What is so: everything that the faces draw. Changed only by `update`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::model::cluster::Ask;
use crate::model::{Plan, Run, RunId, RunSummary, Search, Settings, Timer};

use super::accounts::{Accounts, Deletion};
use super::adapters::{Adapters, OperationQuestion};
use super::clusters::Clusters;
use super::command::Page;
use super::methods::Listing;
use super::metrics::Metrics;
use super::publish::Publish;
use super::sharing::Sharing;

/// The most notices that are kept.
pub const NOTICES_MAX: usize = 200;
/// The most runs in one overlay.
pub const COMPARED_MAX: usize = 8;

/// Everything that the faces draw.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The page on show.
    pub page: Page,
    /// Where things are kept.
    pub data_dir: PathBuf,
    /// Whether the store can be used.
    pub store: StoreState,
    /// Every run, newest first.
    pub history: Vec<RunSummary>,
    /// Grows with every change of `history`, so that faces may cache what they derive from it.
    pub history_revision: u64,
    /// Saved plans, by name.
    pub plans: Vec<SavedPlan>,
    /// The run that is going, or the last one until it is on disk.
    pub live: Option<Live>,
    /// The runs whose results are open on the history page.
    pub open: Open,
    /// A plan that the load page should take into its form; each has a new number.
    pub form: Option<(u64, Box<Plan>)>,
    /// A file that a person picked for the form; each has a new number.
    pub picked: Option<(u64, Picked)>,
    /// The gRPC target that was asked last what it offers.
    pub listing: Option<Listing>,
    /// Kubeconfigs, contexts and connections.
    pub clusters: Clusters,
    /// Adapters of service meshes.
    pub adapters: Adapters,
    /// Sources of metrics, and boards.
    pub metrics: Metrics,
    /// Providers, accounts and logins.
    pub accounts: Accounts,
    /// Servers that history is shared with.
    pub sharing: Sharing,
    /// Publishing to Meshery.
    pub publish: Publish,
    /// Whether a folder is kept in step now.
    pub is_mirroring: bool,
    /// Why it cannot be, and what to do.
    pub mirror_trouble: Option<String>,
    /// What was deleted last and can be brought back.
    pub deleted: Option<Vec<RunSummary>>,
    /// All that was deleted and can be brought back: here until Meshbench closes, elsewhere for [`crate::store::HELD_DAYS`] days.
    pub trash: Vec<RunSummary>,
    /// Runs that are nowhere on disk: gone when the program ends.
    pub only_in_memory: BTreeSet<RunId>,
    /// News for the person, oldest first.
    pub notices: Vec<Notice>,
    /// Whether the list of notices is on show.
    pub notices_shown: bool,
    /// A question that must be answered before anything is lost.
    pub question: Option<Question>,
    /// Choices.
    pub settings: Settings,
    /// The timer for runs, where it is not as in the settings.
    pub timer: Option<Timer>,
    /// The number of threads that send load, where it is not as in the settings.
    pub threads: Option<u32>,
    /// Whether nobody sees the window: it is minimized, or another has the focus.
    pub is_hidden: bool,
    /// Whether the window should close now.
    pub closing: bool,
    /// Numbers given out so far, for ids within this state.
    pub(super) numbers: u64,
    /// Whether the window should close once the run is on disk.
    pub(super) closing_after_run: bool,
    /// The run that ended last, until it is on disk: shown as soon as it is.
    pub(super) ended: Option<Arc<Run>>,
}

/// Whether the store can be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StoreState {
    /// Being opened and checked; history is not known yet.
    #[default]
    Opening,
    /// Open.
    Open,
    /// It cannot be used; runs are kept in memory until the program ends.
    Failed {
        /// What happened, and what to do.
        reason: String,
    },
}

/// Identity of a saved plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlanId(pub Uuid);

/// A plan under its name.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedPlan {
    /// Identity.
    pub id: PlanId,
    /// The plan; its name is never empty.
    pub plan: Plan,
}

/// The run that is going.
#[derive(Clone, Debug)]
pub struct Live {
    /// Identity of the run.
    pub id: RunId,
    /// What is being run, secrets as they are.
    pub plan: Box<Plan>,
    /// The search of which trials are being run.
    pub search: Option<Search>,
    /// How far it is.
    pub phase: Phase,
    /// What was measured so far. None until the first news. Its histograms are empty while it runs.
    pub so_far: Option<Arc<Run>>,
    /// Since the first due time, warm-up included.
    pub elapsed: Duration,
    /// How much of the plan is done, 0 to 1; none when it cannot be known.
    pub progress: Option<f64>,
    /// Time left where it can be known.
    pub remaining: Option<Duration>,
    /// Requests in flight now.
    pub in_flight: u64,
    /// What the plan's rate is multiplied by; of marks, see `so_far`.
    pub factor: f64,
    /// Whether it is paused.
    pub is_paused: bool,
    /// Whether the built-in target is the one under load.
    pub is_try: bool,
}

/// How far a run is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Name and connections are being made.
    Connecting,
    /// Requests are sent but not counted yet.
    Warmup,
    /// Requests are sent and counted.
    Measuring,
    /// Nothing more is due; the last answers are awaited.
    Draining,
    /// Stop was asked for.
    Stopping,
    /// It is being written to disk.
    Saving,
    /// It could not be carried out.
    Failed {
        /// What happened, and what to do.
        reason: String,
    },
}

/// What the history page shows.
#[derive(Clone, Debug, Default)]
pub enum Open {
    /// The list.
    #[default]
    Nothing,
    /// Runs are being read.
    Reading(Vec<RunId>),
    /// One run's result.
    Result(Arc<Run>),
    /// Several runs as an overlay, in the order in which they were chosen.
    Comparison(Vec<Arc<Run>>),
}

/// A file that a person picked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picked {
    /// The field that it is for.
    pub slot: Slot,
    /// Where it is.
    pub path: PathBuf,
}

/// A field of the form that names a file or folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The body of a request: of the variant with this number, or of the plan's own.
    Body(Option<usize>),
    /// Certificate authorities.
    Ca,
    /// A client's certificate.
    Certificate,
    /// Its key.
    Key,
    /// Both in one file.
    Pkcs12,
    /// The shapes of gRPC messages, as they were written.
    Proto,
    /// The folder with this number in which imports are looked for.
    Include(usize),
    /// The shapes of gRPC messages, compiled.
    Descriptors,
    /// Rows for templates.
    Data,
    /// The moments of a replay.
    Replay,
    /// A Unix socket.
    Socket,
}

/// Identity of a notice within this session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NoticeId(pub u64);

/// News for the person: shown once as a toast, and kept in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Identity.
    pub id: NoticeId,
    /// How bad.
    pub level: Level,
    /// What happened, one line.
    pub title: String,
    /// Why, and what to do; may be empty.
    pub detail: String,
    /// Whether the list has been shown since.
    pub read: bool,
    /// What the person can do about it at once.
    pub action: Option<NoticeAction>,
}

/// How bad a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Good or neutral news.
    Info,
    /// Something to know before trusting what is shown.
    Warning,
    /// Something did not work.
    Error,
}

/// What a person can do about a notice at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeAction {
    /// Bring deleted runs back.
    UndoDelete,
    /// Bring the adapter back that was removed.
    UndoRemoveAdapter,
    /// Bring the source of metrics or the board back that was removed.
    UndoRemoveMetrics,
    /// Show a run.
    OpenRun(RunId),
    /// Read history again.
    ReloadHistory,
}

/// A question that must be answered before anything is lost.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// A run is going and the window is about to close.
    Quit,
    /// A cluster can only be connected with the person's word.
    Login(Box<Ask>),
    /// What an adapter is about to be asked to do.
    Operation(Box<OperationQuestion>),
    /// An account is about to be deleted at its server.
    DeleteAccount(Box<Deletion>),
    /// This plan would send much load to an address that is not private.
    HeavyLoad {
        /// The plan.
        plan: Box<Plan>,
        /// The search that it is for.
        search: Option<Search>,
        /// Why it is asked.
        reason: String,
    },
}

impl State {
    /// Whether a run is going or being saved.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.live.as_ref().is_some_and(|live| !matches!(live.phase, Phase::Failed { .. }))
    }

    /// Notices that were not read yet.
    #[must_use]
    pub fn unread(&self) -> usize {
        self.notices.iter().filter(|notice| !notice.read).count()
    }
}
