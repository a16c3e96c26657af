//! What a person or script can ask for.

use std::path::PathBuf;

use crate::model::run::RunEdit;
use crate::model::{Plan, RunId, Search, Settings, Target, Timer};

use super::accounts::AccountCommand;
use super::adapters::AdapterCommand;
use super::clusters::ClusterCommand;
use super::metrics::MetricsCommand;
use super::mirroring::MirrorCommand;
use super::publish::PublishCommand;
use super::sharing::SharingCommand;
use super::state::{NoticeId, PlanId, Slot};

/// What a person or script wants. Carried out by `State::command`, between frames.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Show a page.
    Go(Page),
    /// Start the built-in target on loopback and a first run against it, and show it.
    TryIt,
    /// Run this plan. A plan with problems, or while another run is going, is refused with a notice.
    StartRun(Box<Plan>),
    /// Look for the highest rate at which this plan meets its goals: a series of trials, kept as one run.
    FindMax(Box<Plan>, Search),
    /// Carry out what was asked about in [`super::state::Question::HeavyLoad`].
    AgreeToLoad,
    /// Close the question about a heavy load without running.
    DismissLoadQuestion,
    /// Stop the run; what it has measured is kept.
    StopRun,
    /// Multiply the rate of the run that is going by this from now on; 1 is as planned.
    SetRateFactor(f64),
    /// Let nothing more be due in the run that is going, until it is resumed.
    PauseRun,
    /// Go on with the run that is paused.
    ResumeRun,
    /// Put a mark with this text at this moment of the run that is going.
    MarkRun(String),
    /// Use this timer for runs from now on, until the program ends.
    UseTimer(Timer),
    /// Send load from so many threads from now on, until the program ends; 0 leaves one processor to the rest.
    UseThreads(u32),
    /// Put away the message about a run that could not be carried out.
    DismissFailedRun,
    /// Put this plan into the form of the load page and show that page.
    EditPlan(Box<Plan>),
    /// Read a run and show its result page.
    OpenRun(RunId),
    /// Leave the result page.
    CloseRun,
    /// Read these runs and show them as an overlay with a table.
    Compare(Vec<RunId>),
    /// Leave the overlay.
    CloseComparison,
    /// Change what a person has written about a run.
    EditRun(RunId, RunEdit),
    /// Delete runs; `UndoDelete` brings the last deleted back.
    DeleteRuns(Vec<RunId>),
    /// Bring back what the last `DeleteRuns` deleted.
    UndoDelete,
    /// Bring back runs that were deleted, here or elsewhere.
    RestoreRuns(Vec<RunId>),
    /// Ask where to save with the native dialog, then write these runs there.
    ExportRuns(Vec<RunId>, ExportFormat),
    /// Write these runs to this file.
    ExportRunsTo(Vec<RunId>, ExportFormat, PathBuf),
    /// About publishing to Meshery.
    Publish(PublishCommand),
    /// About folders that history is mirrored to.
    Mirror(MirrorCommand),
    /// Keep this plan under its name; a saved plan with that id is replaced.
    SavePlan(Option<PlanId>, Box<Plan>),
    /// Keep a copy of a saved plan under a new name.
    DuplicatePlan(PlanId),
    /// Delete a saved plan.
    DeletePlan(PlanId),
    /// Ask for a TOML file with the native dialog and read a plan from it.
    ImportPlan,
    /// Read a plan from this TOML file.
    ImportPlanFrom(PathBuf),
    /// Ask where to save with the native dialog, then write this plan as TOML, without its secrets.
    ExportPlan(Box<Plan>),
    /// Write this plan to this file as TOML, without its secrets.
    ExportPlanTo(Box<Plan>, PathBuf),
    /// Ask with the native dialog for the file of this field of the form.
    PickFile(Slot),
    /// Ask a gRPC target, or the files that it names, what there is to be called.
    ListMethods(Box<Target>),
    /// Do not wait for the answer, or forget it.
    StopListing,
    /// Keep these settings.
    ChangeSettings(Settings),
    /// Put a notice away.
    DismissNotice(NoticeId),
    /// Put all notices away.
    DismissAllNotices,
    /// Show or hide the list of notices; showing marks them as read.
    ToggleNotices,
    /// Read history again, for example after it could not be read.
    ReloadHistory,
    /// About clusters.
    Cluster(ClusterCommand),
    /// About adapters.
    Adapter(AdapterCommand),
    /// About metrics.
    Metrics(MetricsCommand),
    /// About logins.
    Account(AccountCommand),
    /// About sharing history.
    Sharing(SharingCommand),
    /// The window is seen, or not: minimized, or another has the focus.
    Hidden(bool),
    /// The person wants to close the window; asks first if a run is going.
    Quit,
    /// The person has agreed to stop the run and close.
    QuitConfirmed,
    /// The person wants to go on.
    DismissQuitQuestion,
}

/// The pages of the window, in the order of the rail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Page {
    /// What Meshbench is for, and three ways on.
    #[default]
    Home,
    /// Kubeconfigs, contexts, and what clusters hold.
    Clusters,
    /// Adapters and what they offer.
    Adapters,
    /// Make a plan, run it, watch it.
    Load,
    /// Every run ever made; one run's result; several as an overlay.
    History,
    /// What meshes and applications say of themselves.
    Metrics,
    /// Logins, and with whom history is shared.
    Account,
    /// Choices.
    Settings,
    /// Version, licences, where things are.
    About,
}

/// The formats in which runs leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// Lossless; several runs as an array.
    Json,
    /// One row per interval.
    CsvIntervals,
    /// One row per run with its quantiles.
    CsvQuantiles,
    /// Self-contained report.
    Html,
}

impl ExportFormat {
    /// All formats, in the order in which they are offered.
    pub const ALL: [Self; 4] = [Self::Html, Self::Json, Self::CsvQuantiles, Self::CsvIntervals];

    /// The file's ending.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::CsvIntervals | Self::CsvQuantiles => "csv",
            Self::Html => "html",
        }
    }

    /// For people: `HTML report`.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Json => "JSON (lossless)",
            Self::CsvIntervals => "CSV of intervals",
            Self::CsvQuantiles => "CSV of quantiles",
            Self::Html => "HTML report",
        }
    }
}
