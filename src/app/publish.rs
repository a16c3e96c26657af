//! Publishing as the app knows it: what a person asks for, and how it goes. The work itself is [`super::publishing`]'s.

use std::path::PathBuf;
use std::sync::Arc;

use super::publishing::{PublishedRun, VoidRuns};
use crate::model::{Run, RunId};

/// Everything about publishing that the faces draw.
#[derive(Clone, Debug, Default)]
pub struct Publish {
    /// What is on its way.
    pub going: Option<Sending>,
    /// The token file that a person chose; without one the keyring is asked.
    pub token_file: Option<PathBuf>,
    /// Why the last run was not published, and what to do.
    pub trouble: Option<String>,
    /// The last run that was published, and as what.
    pub done: Option<(RunId, PublishedRun)>,
    /// The provider that was asked last.
    pub address: String,
}

/// A run that is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sending {
    /// New with each: news of older ones is ignored.
    pub number: u64,
    /// Which run.
    pub run: RunId,
}

/// What a person wants of publishing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishCommand {
    /// Ask for Meshery's token file with the native dialog.
    PickTokenFile,
    /// Use the login in the keyring.
    ForgetTokenFile,
    /// Publish the run that is open.
    Send(PublishOrder),
    /// Do not wait for it.
    Cancel,
    /// Put away why the last run was not published.
    DismissTrouble,
}

/// Which run is published where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishOrder {
    /// The run.
    pub run: RunId,
    /// The provider's.
    pub address: String,
    /// Under which the result is filed; none for [`super::publishing::PROFILE`].
    pub profile: Option<String>,
    /// What is done with a run whose numbers must not be used.
    pub void: VoidRuns,
}

/// Background work of publishing.
#[derive(Clone, Debug)]
pub enum PublishJob {
    /// Ask for a token file.
    PickTokenFile,
    /// Publish.
    Send {
        /// Of what is sent.
        number: u64,
        /// What is asked for.
        order: PublishOrder,
        /// The run.
        run: Arc<Run>,
        /// Where the login is read; none for the keyring.
        token_file: Option<PathBuf>,
    },
    /// Do not wait for it.
    Cancel,
}

/// News of publishing.
#[derive(Clone, Debug)]
pub enum PublishNews {
    /// A person chose a token file.
    TokenFilePicked(PathBuf),
    /// What was sent with this number was published.
    Done(u64, Box<PublishedRun>),
    /// It was not, and why.
    Failed(u64, String),
}
