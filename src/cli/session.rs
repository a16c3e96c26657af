//! The app core as the terminal drives it: ask, then wait for what comes of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::app::state::{Level, Notice, Open, StoreState};
use crate::app::{Command, Core, Keep, Options, State};
use crate::model::causes::chain;
use crate::model::{Run, RunId, RunSummary};

use super::Failure;
use super::screen::{Screen, plain};

/// How long one wait for news takes before interrupts are looked at again.
const PATIENCE: Duration = Duration::from_millis(50);

/// A started core, and which of its notices were told.
pub(super) struct Session {
    core: Core,
    told: u64,
}

impl Session {
    /// Starts the core and waits until the store is open or known not to open.
    pub(super) fn start(data_dir: PathBuf, keep: Keep) -> Result<Self, Failure> {
        let dialogs: crate::app::Dialogs = Arc::new(|_| Box::pin(async { Ok(Vec::new()) }));
        let core = Core::start(Options { data_dir, keep }, Arc::new(|| {}), dialogs)
            .map_err(|error| Failure::NotCarriedOut(chain(&error)))?;
        let mut session = Self { core, told: 0 };
        while session.state().store == StoreState::Opening {
            session.wait();
        }
        Ok(session)
    }

    pub(super) fn state(&self) -> &State {
        self.core.state()
    }

    pub(super) fn command(&mut self, command: Command) {
        self.core.command(command);
    }

    /// Waits for one piece of news, for a moment at most.
    pub(super) fn wait(&mut self) {
        self.core.wait(PATIENCE);
    }

    /// Ends when the disk has everything; what the person should know of the end, if anything.
    pub(super) fn end(self) -> Option<String> {
        self.core.end()
    }

    /// Notices that were not told yet.
    pub(super) fn news(&mut self) -> Vec<Notice> {
        let news: Vec<Notice> =
            self.state().notices.iter().filter(|notice| notice.id.0 > self.told).cloned().collect();
        if let Some(last) = news.last() {
            self.told = last.id.0;
        }
        news
    }

    /// The first failure among the notices that were not told yet.
    pub(super) fn failure(&mut self) -> Option<Failure> {
        let news = self.news();
        news.iter().find(|notice| notice.level == Level::Error).map(failed)
    }

    /// Tells what was not told yet, a line each; whether there was anything. An error ends it.
    pub(super) fn tell(&mut self, screen: &Screen) -> Result<bool, Failure> {
        let news = self.news();
        for notice in &news {
            match notice.level {
                Level::Error => return Err(failed(notice)),
                Level::Warning => screen.warning(&format!("{}: {}", notice.title, notice.detail)),
                Level::Info => screen.print(&format!("{}\n", plain(&notice.title)))?,
            }
        }
        Ok(!news.is_empty())
    }

    /// The one run whose id begins so; hyphens and case do not matter.
    pub(super) fn find(&self, beginning: &str) -> Result<RunId, Failure> {
        found(&self.state().history, beginning)
    }

    /// The ids that begin so, each once, in the order given.
    pub(super) fn find_all(&self, beginnings: &[String]) -> Result<Vec<RunId>, Failure> {
        let mut ids = Vec::new();
        for beginning in beginnings {
            let id = self.find(beginning)?;
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        Ok(ids)
    }

    /// Reads a run from the store.
    pub(super) fn read(&mut self, id: RunId) -> Result<Arc<Run>, Failure> {
        self.command(Command::OpenRun(id));
        loop {
            match &self.state().open {
                Open::Result(run) if run.id == id => return Ok(Arc::clone(run)),
                Open::Reading(_) => self.wait(),
                _ => {
                    let words = || Failure::NotCarriedOut(format!("run {id} could not be read"));
                    return Err(self.failure().unwrap_or_else(words));
                }
            }
        }
    }
}

/// What a notice of an error ends a command with.
pub(super) fn failed(notice: &Notice) -> Failure {
    Failure::NotCarriedOut(format!("{}: {}", notice.title, notice.detail))
}

fn found(history: &[RunSummary], beginning: &str) -> Result<RunId, Failure> {
    let wanted = beginning.replace('-', "").to_ascii_lowercase();
    if wanted.is_empty() || !wanted.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(Failure::Input(format!(
            "“{beginning}” is not the beginning of an id; see: meshbench history list"
        )));
    }
    let fits = |run: &&RunSummary| run.id.0.simple().to_string().starts_with(&wanted);
    let mut fitting = history.iter().filter(fits);
    match (fitting.next(), fitting.count()) {
        (Some(run), 0) => Ok(run.id),
        (Some(_), more) => Err(Failure::Input(format!(
            "{} runs have ids that begin with “{beginning}”; write more of it",
            more + 1
        ))),
        (None, _) => Err(Failure::Input(format!("no run has an id that begins with “{beginning}”"))),
    }
}
