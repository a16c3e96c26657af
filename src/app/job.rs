//! Background work.

use std::path::PathBuf;

use crate::model::run::RunEdit;
use crate::model::{Plan, RunId, Search, Settings, Target, Timer};

use super::accounts::AccountJob;
use super::adapters::AdapterJob;
use super::clusters::{ClusterJob, Way};
use super::command::ExportFormat;
use super::metrics::MetricsJob;
use super::mirroring::MirrorJob;
use super::publish::PublishJob;
use super::sharing::SharingJob;
use super::state::{PlanId, SavedPlan, Slot};

/// Background work. Each ends in one or more events.
#[derive(Clone, Debug)]
pub enum Job {
    /// Start the built-in target on loopback.
    StartTarget,
    /// Carry out a plan, with a checkpoint each second, and write its run.
    Run {
        /// Identity of the new run.
        id: RunId,
        /// What to run.
        plan: Box<Plan>,
        /// Look for the highest rate at which the plan's goals are met, instead of running it once.
        search: Option<Search>,
        /// Threads that send load; 0 for the default.
        threads: u32,
        /// How exactly requests leave.
        timer: Timer,
        /// Through which cluster it goes, if it does.
        way: Option<Box<Way>>,
    },
    /// Change the run that is going.
    Steer(Steer),
    /// End the job with this key; late news of it is ignored.
    Stop(JobKey),
    /// Read runs.
    ReadRuns(Vec<RunId>),
    /// Read the list of runs.
    ReadHistory,
    /// Keep what a person has written about a run.
    EditRun(RunId, RunEdit),
    /// Delete runs so that they can be restored.
    DeleteRuns(Vec<RunId>),
    /// Bring deleted runs back.
    RestoreRuns(Vec<RunId>),
    /// Ask where to save runs.
    PickExportPlace {
        /// Which runs.
        runs: Vec<RunId>,
        /// How.
        format: ExportFormat,
        /// The name that the dialog offers.
        file_name: String,
    },
    /// Write runs to a file.
    ExportRuns(Vec<RunId>, ExportFormat, PathBuf),
    /// About folders that history is mirrored to.
    Mirror(MirrorJob),
    /// Keep a plan.
    SavePlan(Box<SavedPlan>),
    /// Read the saved plans.
    ReadPlans,
    /// Delete a plan.
    DeletePlan(PlanId),
    /// Ask for a plan's file, then read it.
    PickPlan,
    /// Read a plan from a file.
    ImportPlan(PathBuf),
    /// Ask where to save a plan, then write it.
    PickPlanPlace(Box<Plan>),
    /// Write a plan to a file, without its secrets.
    ExportPlan(Box<Plan>, PathBuf),
    /// Ask for the file of this field of the form.
    PickFile(Slot),
    /// Ask a gRPC target what it offers; the answer bears this number.
    ListMethods(u64, Box<Target>),
    /// About clusters.
    Cluster(ClusterJob),
    /// About adapters.
    Adapter(AdapterJob),
    /// About metrics.
    Metrics(MetricsJob),
    /// About logins.
    Account(AccountJob),
    /// About sharing history.
    Sharing(SharingJob),
    /// About publishing.
    Publish(PublishJob),
    /// Show a notification on the desktop.
    TellDesktop {
        /// Whose news.
        title: String,
        /// What; foreign text.
        words: String,
    },
    /// Keep settings.
    SaveSettings(Settings),
}

/// What changes in the run that is going.
#[derive(Clone, Debug, PartialEq)]
pub enum Steer {
    /// Multiply the plan's rate.
    Factor(f64),
    /// Let nothing more be due.
    Pause,
    /// Go on.
    Resume,
    /// Put a mark.
    Mark(String),
}

/// Names running work: the same key again replaces the older job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobKey {
    /// The run that is going.
    Run,
    /// Reading runs for the history page.
    ReadRuns,
    /// Asking a target what it offers.
    ListMethods,
}
