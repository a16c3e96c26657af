//! The store's thread: everything that touches the database, in order.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use uuid::Uuid;

use crate::app::adapters::AdapterNews;
use crate::app::clusters::ClusterEvent;
use crate::app::command::ExportFormat;
use crate::app::document;
use crate::app::event::{Event, Opened};
use crate::app::metrics::MetricsNews;
use crate::app::state::{PlanId, SavedPlan};
use crate::model::account::AccountBook;
use crate::model::adapter::book::AdapterBook;
use crate::model::causes::chain;
use crate::model::cluster::ClusterBook;
use crate::model::metrics::MetricsBook;
use crate::model::run::RunEdit;
use crate::model::sync::SyncBook;
use crate::model::{Run, RunId, Settings};

use crate::store::{Store, StoreError, pending};

use super::{Keep, Options, Outbox, files};

/// The most pieces of work that wait for the disk.
const WORK_MAX: usize = 256;
/// How long a start waits to learn that another program holds the data directory. Then it goes on, and
/// the answer comes as an event.
const START_WAIT: Duration = Duration::from_millis(300);

/// The most runs that could not be saved and are held in memory; the oldest goes first.
const UNSAVED_MAX: usize = 64;

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

/// The store's thread.
pub(super) struct StoreThread {
    desk: Desk,
    /// What went wrong when the store was closed; ends when the thread does.
    last_words: Receiver<String>,
}

/// Where work for the store's thread is handed in.
#[derive(Clone)]
pub(super) struct Desk(SyncSender<Work>);

/// What the store's thread works on.
pub(super) struct Shelf {
    /// None while another program holds it, or when it could not be opened.
    store: Option<Store>,
    dir: PathBuf,
    /// Runs that are not in the store, so that they can be read and exported all the same.
    unsaved: VecDeque<Arc<Run>>,
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
        // Without a buffer: an answer that was sent was taken.
        let (opened, answer) = sync_channel(0);
        let (words, last_words) = channel();
        let dir = options.data_dir.clone();
        std::thread::Builder::new()
            .name("meshbench-store".to_owned())
            .spawn(move || {
                let mut shelf = Shelf::new(options.data_dir);
                let in_use = shelf.open(options.keep, &outbox);
                answer_start(in_use, &opened, &shelf.dir, &outbox);
                shelf.serve(&todo, &outbox);
                shelf.close(&words);
            })
            .map_err(StartError::Threads)?;
        if answer.recv_timeout(START_WAIT) == Ok(true) {
            return Err(StartError::InUse { dir });
        }
        Ok(Self { desk: Desk(work), last_words })
    }

    pub(super) fn desk(&self) -> &Desk {
        &self.desk
    }

    /// Waits until everything asked for is done, but not beyond `deadline`; what went wrong.
    pub(super) fn end(self, deadline: Instant) -> Option<String> {
        let Self { desk, last_words } = self;
        drop(desk);
        match last_words.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(words) => Some(words),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => Some(
                "The disk did not answer in time. What was asked for last may not be on it; a run is kept up to \
                 its last checkpoint"
                    .to_owned(),
            ),
        }
    }
}

impl Desk {
    /// Waits for room. On threads of our own only.
    pub(super) fn ask(&self, work: impl FnOnce(&mut Shelf, &Outbox) + Send + 'static) {
        // Fails only when the store's thread is gone, and with it the program.
        let _ = self.0.send(Box::new(work));
    }

    /// Does not wait; false when there is no room.
    pub(super) fn try_ask(&self, work: impl FnOnce(&mut Shelf, &Outbox) + Send + 'static) -> bool {
        self.0.try_send(Box::new(work)).is_ok()
    }
}

/// Tells the start, or if that did not wait so long the face, that another program holds the store.
fn answer_start(in_use: bool, opened: &SyncSender<bool>, dir: &Path, outbox: &Outbox) {
    if opened.send(in_use).is_err() && in_use {
        let reason = StartError::InUse { dir: dir.to_owned() }.to_string();
        outbox.send(Event::StoreFailed { reason });
    }
}

impl Shelf {
    fn new(dir: PathBuf) -> Self {
        Self { store: None, dir, unsaved: VecDeque::new() }
    }

    fn close(self, words: &Sender<String>) {
        if let Some(Err(error)) = self.store.map(Store::close) {
            // Nobody listens any more only when the end was given up waiting for.
            let _ = words.send(error.told());
        }
    }

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
                outbox.send(Event::StoreFailed { reason: error.told() });
                false
            }
        }
    }

    fn opened(&self, remarks: Vec<String>) -> Event {
        let read = self.with(|store| {
            let plans = saved_plans(store)?;
            let (settings, clusters, adapters) = (store.settings()?, store.clusters()?, store.adapters()?);
            let (accounts, sync, metrics) = (store.accounts()?, store.sync_book()?, store.metrics_book()?);
            let (history, trash) = (store.summaries()?, store.trash()?);
            Ok(Opened {
                history,
                trash,
                plans,
                settings,
                clusters,
                adapters,
                metrics,
                accounts,
                sync,
                remarks,
            })
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
        work(store).map_err(|error| error.told())
    }

    /// A finished run is never lost: in the store, else beside it, else in memory, and said.
    pub(super) fn save_run(&mut self, run: Arc<Run>, outbox: &Outbox) {
        let reason = match self.with(|store| store.save_run(&run)) {
            Ok(summary) => return outbox.send(Event::RunSaved(Box::new(summary))),
            Err(reason) => reason,
        };
        self.unsaved.push_back(Arc::clone(&run));
        if self.unsaved.len() > UNSAVED_MAX {
            self.unsaved.pop_front();
        }
        let (waits_in, reason) = match pending::write(&self.dir, &run) {
            Ok(path) => {
                let words =
                    format!("{reason}. It is kept in {} and taken in at the next start", path.display());
                (Some(path), words)
            }
            Err(error) => (
                None,
                format!(
                    "{reason}. Nor could it be laid beside the store ({}). Export it before you close Meshbench",
                    chain(&error)
                ),
            ),
        };
        outbox.send(Event::RunNotSaved { run, waits_in, reason });
    }

    /// What is known of a run in progress: in the store, else beside it, where the finished run takes its place.
    pub(super) fn checkpoint(&mut self, run: &Run) {
        // A failed checkpoint is no news by itself: if the disk stays broken, saving the run says so.
        match &self.store {
            Some(store) => drop(store.checkpoint(run)),
            None => drop(pending::write(&self.dir, run)),
        }
    }

    pub(super) fn discard_checkpoint(&mut self, id: RunId) {
        // What cannot be removed is an interrupted run in history: too much, but not wrong.
        match &self.store {
            Some(store) => drop(store.discard_checkpoint(id)),
            None => drop(pending::discard(&self.dir, id)),
        }
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
        outbox.send(match self.with(|store| store.edit_run(id, edit, Timestamp::now())) {
            Ok(run) => Event::RunEdited(Arc::new(run)),
            Err(reason) => failed("The change was not kept", reason),
        });
    }

    pub(super) fn delete_runs(&mut self, ids: &[RunId], outbox: &Outbox) {
        outbox.send(match self.with(|store| store.delete_runs(ids, Timestamp::now())) {
            Ok(runs) => Event::RunsDeleted(runs),
            Err(reason) => failed("Nothing was deleted", reason),
        });
    }

    pub(super) fn restore_runs(&mut self, ids: &[RunId], outbox: &Outbox) {
        outbox.send(match self.with(|store| store.restore_runs(ids, Timestamp::now())) {
            Ok(runs) => Event::RunsRestored(runs),
            Err(reason) => failed("The deleted runs could not be brought back", reason),
        });
    }

    pub(super) fn save_plan(&mut self, plan: SavedPlan, outbox: &Outbox) {
        outbox.send(match self.with(|store| store.save_plan(plan.id.0, &plan.plan, Timestamp::now())) {
            Ok(()) => Event::PlanSaved(Box::new(plan)),
            Err(reason) => failed("The plan was not saved", reason),
        });
    }

    pub(super) fn delete_plan(&mut self, id: PlanId, outbox: &Outbox) {
        outbox.send(match self.with(|store| store.delete_plan(id.0, Timestamp::now())) {
            Ok(_) => Event::PlanDeleted(id),
            Err(reason) => failed("The plan was not deleted", reason),
        });
    }

    pub(super) fn read_plans(&mut self, outbox: &Outbox) {
        outbox.send(match self.with(saved_plans) {
            Ok(plans) => Event::PlansRead(plans),
            Err(reason) => failed("The saved plans could not be read", reason),
        });
    }

    /// None while it is not open.
    pub(super) fn store(&self) -> Option<&Store> {
        self.store.as_ref()
    }

    pub(super) fn save_accounts(&mut self, book: &AccountBook, outbox: &Outbox) {
        if let Err(reason) = self.with(|store| store.save_accounts(book)) {
            outbox.send(failed("Who is logged in was not kept", reason));
        }
    }

    pub(super) fn save_sync_book(&mut self, book: &SyncBook, outbox: &Outbox) {
        if let Err(reason) = self.with(|store| store.save_sync_book(book)) {
            outbox.send(failed("With whom history is shared was not kept", reason));
        }
    }

    pub(super) fn forgive(&mut self, target: Uuid, outbox: &Outbox) {
        if let Err(reason) = self.with(|store| store.forgive(target)) {
            outbox.send(failed("What was refused cannot be tried again", reason));
        }
    }

    pub(super) fn forget(&mut self, target: Uuid, outbox: &Outbox) {
        if let Err(reason) = self.with(|store| store.forget_target(target)) {
            outbox.send(failed("What was exchanged was not forgotten", reason));
        }
    }

    pub(super) fn save_clusters(&mut self, book: &ClusterBook, outbox: &Outbox) {
        outbox.send(match self.with(|store| store.save_clusters(book)) {
            Ok(()) => Event::Cluster(ClusterEvent::BookSaved),
            Err(reason) => failed("What you chose about clusters was not kept", reason),
        });
    }

    pub(super) fn save_adapters(&mut self, book: &AdapterBook, outbox: &Outbox) {
        if let Err(reason) = self.with(|store| store.save_adapters(book)) {
            outbox.send(failed("What is known of adapters was not kept", reason));
        }
        outbox.send(Event::Adapter(AdapterNews::BookSaved));
    }

    pub(super) fn save_metrics(&mut self, book: &MetricsBook, outbox: &Outbox) {
        outbox.send(match self.with(|store| store.save_metrics_book(book)) {
            Ok(()) => Event::Metrics(MetricsNews::BookSaved),
            Err(reason) => failed("The sources of metrics were not saved", reason),
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
            if let Some(run) = self.unsaved.iter().find(|run| run.id == *id) {
                return Ok(Arc::clone(run));
            }
            let found = self.with(|store| store.run(*id))?;
            found.map(Arc::new).ok_or_else(|| format!("run {id} is not in the store any more"))
        };
        ids.iter().map(read).collect()
    }
}

fn saved_plans(store: &Store) -> Result<Vec<SavedPlan>, StoreError> {
    Ok(store.plans()?.into_iter().map(|(id, plan)| SavedPlan { id: PlanId(id), plan }).collect())
}

fn failed(title: &str, reason: String) -> Event {
    Event::Failed { title: title.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_that_did_not_wait_is_told_as_an_event() {
        let (queue, mut events) = tokio::sync::mpsc::channel(4);
        let outbox = Outbox { queue, wake: Arc::new(|| {}) };
        let (opened, answer) = sync_channel(0);
        drop(answer);
        answer_start(false, &opened, Path::new("/data"), &outbox);
        assert!(events.try_recv().is_err(), "nothing to tell");
        answer_start(true, &opened, Path::new("/data"), &outbox);
        let told = events.try_recv().expect("an event");
        assert!(matches!(told, Event::StoreFailed { reason } if reason.contains("another Meshbench")));
    }
}
