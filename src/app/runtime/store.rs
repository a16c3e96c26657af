//! The store's thread: everything that touches the database, in order.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;

use crate::app::command::ExportFormat;
use crate::app::document;
use crate::app::event::{Event, Opened};
use crate::app::state::{PlanId, SavedPlan};
use crate::model::run::RunEdit;
use crate::model::{Run, RunId, Settings};

use crate::store::{Store, StoreError, pending};

use super::run::chain;
use super::{Keep, Options, Outbox, files};

/// The most pieces of work that wait for the disk.
const WORK_MAX: usize = 256;
/// How long a start waits to learn that another program holds the data directory. Then it goes on, and
/// the answer comes as an event.
const START_WAIT: Duration = Duration::from_millis(300);

type Work = Box<dyn FnOnce(&mut Shelf, &Outbox) + Send>;

/// Why the background could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another program holds the data directory.
    #[error(
        "another Meshbench is using {}; close it first, or choose another place with --data-dir",
        dir.display()
    )]
    InUse {
        /// The data directory.
        dir: PathBuf,
    },
    /// The system gave no thread.
    #[error("no thread could be started")]
    Threads(#[source] std::io::Error),
}

/// The way to the store's thread.
#[derive(Clone)]
pub(super) struct StoreThread {
    work: SyncSender<Work>,
    thread: Arc<JoinHandle<()>>,
}

/// What the store's thread works on.
pub(super) struct Shelf {
    /// None while another program holds it, or when it could not be opened.
    store: Option<Store>,
    dir: PathBuf,
}

/// Tells late answers from the one that is waited for.
#[derive(Clone, Default)]
pub(super) struct Generation {
    newest: Arc<AtomicU64>,
    own: u64,
}

impl Generation {
    /// Makes all answers so far late ones.
    pub(super) fn next(&mut self) {
        self.own = self.newest.fetch_add(1, Ordering::Relaxed) + 1;
    }

    fn is_newest(&self) -> bool {
        self.newest.load(Ordering::Relaxed) == self.own
    }
}

impl StoreThread {
    /// Starts the thread, and opens the store on it.
    pub(super) fn start(options: Options, outbox: Outbox) -> Result<Self, StartError> {
        let (work, todo) = sync_channel::<Work>(WORK_MAX);
        let (opened, answer) = sync_channel(1);
        let dir = options.data_dir.clone();
        let thread = std::thread::Builder::new()
            .name("meshbench-store".to_owned())
            .spawn(move || {
                let mut shelf = Shelf { store: None, dir: options.data_dir.clone() };
                let in_use = shelf.open(options.keep, &outbox);
                // Nobody listens any more when the opening took long.
                let _ = opened.send(in_use);
                shelf.serve(&todo, &outbox);
            })
            .map_err(StartError::Threads)?;
        if answer.recv_timeout(START_WAIT) == Ok(true) {
            return Err(StartError::InUse { dir });
        }
        Ok(Self { work, thread: Arc::new(thread) })
    }

    /// Waits for room. On threads of our own only.
    pub(super) fn ask(&self, work: impl FnOnce(&mut Shelf, &Outbox) + Send + 'static) {
        // Fails only when the store's thread is gone, and with it the program.
        let _ = self.work.send(Box::new(work));
    }

    /// Does not wait; false when there is no room.
    pub(super) fn try_ask(&self, work: impl FnOnce(&mut Shelf, &Outbox) + Send + 'static) -> bool {
        self.work.try_send(Box::new(work)).is_ok()
    }

    /// Waits until everything asked for is done.
    pub(super) fn end(self) {
        let Self { work, thread } = self;
        drop(work);
        if let Some(thread) = Arc::into_inner(thread) {
            // A panic of the store's thread was already printed where it happened.
            let _ = thread.join();
        }
    }
}

impl Shelf {
    /// Whether another program holds the store and that ends the start.
    fn open(&mut self, keep: Keep, outbox: &Outbox) -> bool {
        if keep == Keep::Nowhere {
            self.store = Some(Store::in_memory());
            outbox.send(Event::StoreOpened(Box::default()));
            return false;
        }
        match Store::open(&self.dir, Timestamp::now(), &mut |_| {}) {
            Ok((store, found)) => {
                let remarks = found.remarks.iter().map(ToString::to_string).collect();
                self.store = Some(store);
                outbox.send(self.opened(remarks));
                false
            }
            Err(StoreError::InUse { .. }) if keep == Keep::Here => true,
            Err(error) => {
                outbox.send(Event::StoreFailed { reason: told(&error) });
                false
            }
        }
    }

    fn opened(&self, remarks: Vec<String>) -> Event {
        let read = self.with(|store| {
            let plans =
                store.plans()?.into_iter().map(|(id, plan)| SavedPlan { id: PlanId(id), plan }).collect();
            let settings = store.settings()?;
            Ok(Opened { history: store.summaries()?, plans, settings, remarks })
        });
        match read {
            Ok(opened) => Event::StoreOpened(Box::new(opened)),
            Err(reason) => Event::StoreFailed { reason },
        }
    }

    fn serve(&mut self, todo: &Receiver<Work>, outbox: &Outbox) {
        while let Ok(work) = todo.recv() {
            work(self, outbox);
        }
    }

    fn with<T>(&self, work: impl FnOnce(&Store) -> Result<T, StoreError>) -> Result<T, String> {
        let store = self.store.as_ref().ok_or_else(|| "the stored runs are not open".to_owned())?;
        work(store).map_err(|error| told(&error))
    }

    /// A finished run is never lost: in the store, else beside it, else in memory, and said.
    pub(super) fn save_run(&mut self, run: Arc<Run>, outbox: &Outbox) {
        let reason = match self.with(|store| store.save_run(&run)) {
            Ok(summary) => return outbox.send(Event::RunSaved(Box::new(summary))),
            Err(reason) => reason,
        };
        let reason = match pending::write(&self.dir, &run) {
            Ok(path) => format!("{reason}. It is kept in {} and taken in at the next start", path.display()),
            Err(error) => format!(
                "{reason}. Nor could it be laid beside the store ({}). Export it before you close Meshbench",
                chain(&error)
            ),
        };
        outbox.send(Event::RunNotSaved { run, reason });
    }

    pub(super) fn checkpoint(&mut self, run: &Run) {
        // A failed checkpoint is no news by itself: if the disk stays broken, saving the run says so.
        let _ = self.with(|store| store.checkpoint(run));
    }

    pub(super) fn discard_checkpoint(&mut self, id: RunId) {
        let _ = self.with(|store| store.discard_checkpoint(id));
    }

    pub(super) fn read_history(&mut self, outbox: &Outbox) {
        outbox.send(match self.with(Store::summaries) {
            Ok(history) => Event::HistoryRead(history),
            Err(reason) => failed("The list of runs could not be read", reason),
        });
    }

    pub(super) fn read_runs(&mut self, ids: &[RunId], reading: &Generation, outbox: &Outbox) {
        let event = match self.runs(ids) {
            Ok(runs) => Event::RunsRead(runs),
            Err(reason) => Event::RunsNotRead { reason },
        };
        if reading.is_newest() {
            outbox.send(event);
        }
    }

    pub(super) fn edit_run(&mut self, id: RunId, edit: RunEdit, outbox: &Outbox) {
        outbox.send(match self.with(|store| store.edit_run(id, edit)) {
            Ok(run) => Event::RunEdited(Arc::new(run)),
            Err(reason) => failed("The change was not kept", reason),
        });
    }

    pub(super) fn delete_runs(&mut self, ids: &[RunId], outbox: &Outbox) {
        outbox.send(match self.with(|store| store.delete_runs(ids)) {
            Ok(runs) => Event::RunsDeleted(runs),
            Err(reason) => failed("Nothing was deleted", reason),
        });
    }

    pub(super) fn restore_runs(&mut self, ids: &[RunId], outbox: &Outbox) {
        outbox.send(match self.with(|store| store.restore_runs(ids)) {
            Ok(runs) => Event::RunsRestored(runs),
            Err(reason) => failed("The deleted runs could not be brought back", reason),
        });
    }

    pub(super) fn save_plan(&mut self, plan: SavedPlan, outbox: &Outbox) {
        outbox.send(match self.with(|store| store.save_plan(plan.id.0, &plan.plan)) {
            Ok(()) => Event::PlanSaved(Box::new(plan)),
            Err(reason) => failed("The plan was not saved", reason),
        });
    }

    pub(super) fn delete_plan(&mut self, id: PlanId, outbox: &Outbox) {
        outbox.send(match self.with(|store| store.delete_plan(id.0)) {
            Ok(_) => Event::PlanDeleted(id),
            Err(reason) => failed("The plan was not deleted", reason),
        });
    }

    pub(super) fn save_settings(&mut self, settings: Settings, outbox: &Outbox) {
        outbox.send(match self.with(|store| store.save_settings(&settings)) {
            Ok(()) => Event::SettingsSaved(settings),
            Err(reason) => failed("The settings were not kept", reason),
        });
    }

    /// Reads here; the writing, which may take long, goes on elsewhere.
    pub(super) fn export_runs(
        &mut self,
        ids: &[RunId],
        format: ExportFormat,
        path: PathBuf,
        outbox: &Outbox,
    ) {
        let runs = match self.runs(ids) {
            Ok(runs) => runs,
            Err(reason) => return outbox.send(failed("Nothing was exported", reason)),
        };
        let sender = outbox.clone();
        let spawned = std::thread::Builder::new().name("meshbench-export".to_owned()).spawn(move || {
            let text = document::of(&runs, format, Timestamp::now());
            sender.send(files::written(&path, text.as_bytes()));
        });
        if let Err(error) = spawned {
            outbox.send(failed("Nothing was exported", error.to_string()));
        }
    }

    fn runs(&self, ids: &[RunId]) -> Result<Vec<Arc<Run>>, String> {
        let read = |id: &RunId| {
            let found = self.with(|store| store.run(*id))?;
            found.map(Arc::new).ok_or_else(|| format!("run {id} is not in the store any more"))
        };
        ids.iter().map(read).collect()
    }
}

fn failed(title: &str, reason: String) -> Event {
    Event::Failed { title: title.to_owned(), reason }
}

/// What happened, with its causes, and what to do.
fn told(error: &StoreError) -> String {
    format!("{}. {}", chain(error), error.advice())
}
