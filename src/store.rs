//! Keeps runs, saved plans and settings on disk, and hands them back as they were.
//!
//! One file, `history.redb`, checked page by page when it is opened. Every record is in an envelope with its
//! own SHA-256 and is never written again: what a person writes about a run is kept beside it. A damaged
//! file is moved aside, never deleted, and what can be proven whole is taken over. Everything here blocks
//! and belongs on a thread that may.

mod error;
mod exchange;
mod file;
mod opening;
mod overlay;
pub mod pending;
mod salvage;
mod tables;
mod travel;

pub use error::StoreError;
pub use exchange::{Arrivals, Arrived, HELD_DAYS, Page, Waiting};
pub use opening::{OpenReport, Remark};

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use redb::{Database, ReadTransaction, ReadableDatabase as _, WriteTransaction};
use uuid::Uuid;

use crate::model::account::AccountBook;
use crate::model::adapter::book::AdapterBook;
use crate::model::cluster::ClusterBook;
use crate::model::metrics::{MetricsBook, RunMetrics};
use crate::model::run::RunEdit;
use crate::model::sync::SyncBook;
use crate::model::{Plan, Run, RunId, RunSummary, Settings};

use error::Failure;
use tables::Fate;

/// The name of the history's file in the data directory.
pub const FILE: &str = "history.redb";

/// Opens the database anew, for a store whose handle has failed.
type Reopen = Box<dyn FnMut() -> Result<Database, StoreError> + Send>;

/// Runs, saved plans and settings on disk.
pub struct Store {
    shared: Mutex<Shared>,
}

struct Shared {
    /// None after an I/O error, until it could be opened again.
    db: Option<Database>,
    /// None when what is kept would be gone with the handle.
    reopen: Option<Reopen>,
}

impl Store {
    /// Opens the history of a data directory, which is made if there is none, and sets right what an earlier
    /// end of the program left behind. `now` names a damaged file; `progress` is told shares from 0 to 1.
    ///
    /// # Errors
    /// When the history cannot be used; a newer or locked one is not touched.
    pub fn open(
        dir: &Path,
        now: Timestamp,
        progress: &mut dyn FnMut(f64),
    ) -> Result<(Self, OpenReport), StoreError> {
        opening::open(dir, now, progress)
    }

    /// A store that is gone with the program.
    ///
    /// # Panics
    /// Never: memory does not fail as disks do.
    #[must_use]
    pub fn in_memory() -> Self {
        let db = Database::builder()
            .create_with_backend(redb::backends::InMemoryBackend::new())
            .expect("a new database in memory has nothing that could fail");
        opening::prepare(&db).expect("a new database in memory has nothing that could fail");
        Self::over(db, None)
    }

    /// A store on databases of another medium, which `open` opens, at first and after I/O errors.
    ///
    /// # Errors
    /// When the medium fails, or holds a newer history.
    pub fn on(
        mut open: impl FnMut() -> Result<Database, redb::DatabaseError> + Send + 'static,
    ) -> Result<(Self, OpenReport), StoreError> {
        let mut open = move || open().map_err(|error| Failure::from(error).at("opening the history"));
        let db = open()?;
        opening::prepare(&db)?;
        let store = Self::over(db, Some(Box::new(open)));
        let remarks = opening::tidy(&store, None, Timestamp::UNIX_EPOCH);
        Ok((store, remarks))
    }

    fn over(db: Database, reopen: Option<Reopen>) -> Self {
        Self { shared: Mutex::new(Shared { db: Some(db), reopen }) }
    }

    /// Every run of history, newest first.
    ///
    /// # Errors
    /// When a row cannot be read.
    pub fn summaries(&self) -> Result<Vec<RunSummary>, StoreError> {
        self.summaries_in(tables::SUMMARIES)
    }

    /// Every run that was deleted and can still be brought back, newest first.
    ///
    /// # Errors
    /// When a row cannot be read.
    pub fn trash(&self) -> Result<Vec<RunSummary>, StoreError> {
        self.summaries_in(tables::TRASH)
    }

    fn summaries_in(&self, table: tables::ById) -> Result<Vec<RunSummary>, StoreError> {
        let rows = self.read("reading the history", |txn| tables::rows(txn, table))?;
        let mut summaries = Vec::with_capacity(rows.len());
        for (key, bytes) in rows {
            summaries.push(tables::open_summary(&bytes).map_err(|source| StoreError::Damaged {
                what: format!("the summary of {}", Uuid::from_u128(key)),
                source,
            })?);
        }
        summaries.sort_by_key(|summary| std::cmp::Reverse((summary.started, summary.id)));
        Ok(summaries)
    }

    /// Keeps a run with its summary, and removes its checkpoint. A run that is already kept stays as it is,
    /// unless it was only recovered from a checkpoint.
    ///
    /// # Errors
    /// When the run is not safe on disk.
    pub fn save_run(&self, run: &Run) -> Result<RunSummary, StoreError> {
        let bytes = tables::seal_run(run)?;
        self.write("saving the run", |txn| tables::save(txn, run, &bytes))
    }

    /// Keeps several runs in one transaction: all or none.
    ///
    /// # Errors
    /// When the runs are not safe on disk.
    pub fn save_runs(&self, runs: &[Run]) -> Result<Vec<RunSummary>, StoreError> {
        self.write("saving the runs", |txn| {
            runs.iter().map(|run| tables::save(txn, run, &tables::seal_run(run)?)).collect()
        })
    }

    /// A run of history with what a person has written about it; none if there is no such run.
    ///
    /// # Errors
    /// When it cannot be read, or is not what was written.
    pub fn run(&self, id: RunId) -> Result<Option<Run>, StoreError> {
        self.read("reading the run", |txn| tables::run(txn, id))
    }

    /// Keeps what a person has written about a run, beside its record; the run as it is read from now on.
    ///
    /// # Errors
    /// When there is no such run, or the edit is not safe on disk.
    pub fn edit_run(&self, id: RunId, edit: RunEdit, now: Timestamp) -> Result<Run, StoreError> {
        self.write("saving the change", |txn| tables::edit(txn, id, edit.clone(), now))?;
        self.run(id)?.ok_or(StoreError::NoRun { id })
    }

    /// Moves runs to the trash; the runs that are there now. What is not in history is passed over.
    ///
    /// # Errors
    /// When nothing was moved.
    pub fn delete_runs(&self, ids: &[RunId], now: Timestamp) -> Result<Vec<RunSummary>, StoreError> {
        self.write("deleting", |txn| tables::move_summaries(txn, ids, Fate::Deleted, now))
    }

    /// Moves runs back from the trash; the runs that are in history now.
    ///
    /// # Errors
    /// When nothing was moved.
    pub fn restore_runs(&self, ids: &[RunId], now: Timestamp) -> Result<Vec<RunSummary>, StoreError> {
        self.write("restoring", |txn| tables::move_summaries(txn, ids, Fate::Restored, now))
    }

    /// Deletes for good what is in the trash; how many runs. Opening does it too, so an undo works until the
    /// program ends; what was deleted on another machine stays for [`HELD_DAYS`].
    ///
    /// # Errors
    /// When nothing was deleted.
    pub fn empty_trash(&self, now: Timestamp) -> Result<usize, StoreError> {
        self.write("emptying the trash", |txn| tables::empty_trash(txn, now))
    }

    /// Keeps what is known of a run in progress, in the place of what was known before. Should the program
    /// end before the run is saved or the checkpoint discarded, the next opening makes a run of it.
    ///
    /// # Errors
    /// When the checkpoint is not safe on disk; the one before it is.
    pub fn checkpoint(&self, run: &Run) -> Result<(), StoreError> {
        let bytes = tables::seal_checkpoint(run)?;
        self.write("saving a checkpoint", |txn| {
            tables::put(txn, tables::INFLIGHT, run.id.0.as_u128(), &bytes)
        })
    }

    /// Removes the checkpoint of a run that shall not be kept.
    ///
    /// # Errors
    /// When it is still there.
    pub fn discard_checkpoint(&self, id: RunId) -> Result<(), StoreError> {
        self.write("discarding a checkpoint", |txn| {
            tables::take(txn, tables::INFLIGHT, id.0.as_u128()).map(drop)
        })
    }

    /// Saved plans by id, secrets as they are.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn plans(&self) -> Result<BTreeMap<Uuid, Plan>, StoreError> {
        self.read("reading the plans", tables::plans)
    }

    /// Keeps a plan under an id, in the place of the one before.
    ///
    /// # Errors
    /// When it is not safe on disk.
    pub fn save_plan(&self, id: Uuid, plan: &Plan, now: Timestamp) -> Result<(), StoreError> {
        self.write("saving the plan", |txn| travel::save_plan(txn, id, plan, now))
    }

    /// Deletes a plan; whether there was one.
    ///
    /// # Errors
    /// When it is still there.
    pub fn delete_plan(&self, id: Uuid, now: Timestamp) -> Result<bool, StoreError> {
        self.write("deleting the plan", |txn| travel::delete_plan(txn, id, now))
    }

    /// Choices; the defaults where none were kept.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn settings(&self) -> Result<Settings, StoreError> {
        self.read("reading the settings", |txn| tables::book(txn, tables::CHOICES))
    }

    /// Keeps choices.
    ///
    /// # Errors
    /// When they are not safe on disk.
    pub fn save_settings(&self, settings: &Settings) -> Result<(), StoreError> {
        self.write("saving the settings", |txn| tables::put_book(txn, tables::CHOICES, settings))
    }

    /// What was chosen about clusters; nothing where nothing was.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn clusters(&self) -> Result<ClusterBook, StoreError> {
        self.read("reading what was chosen about clusters", |txn| tables::book(txn, tables::CLUSTERS))
    }

    /// Keeps what was chosen about clusters.
    ///
    /// # Errors
    /// When it is not safe on disk.
    pub fn save_clusters(&self, book: &ClusterBook) -> Result<(), StoreError> {
        self.write("saving what was chosen about clusters", |txn| {
            tables::put_book(txn, tables::CLUSTERS, book)
        })
    }

    /// What is known of adapters; nothing where nothing was.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn adapters(&self) -> Result<AdapterBook, StoreError> {
        self.read("reading what is known of adapters", |txn| tables::book(txn, tables::ADAPTERS))
    }

    /// Keeps what is known of adapters.
    ///
    /// # Errors
    /// When it is not safe on disk.
    pub fn save_adapters(&self, book: &AdapterBook) -> Result<(), StoreError> {
        self.write("saving what is known of adapters", |txn| tables::put_book(txn, tables::ADAPTERS, book))
    }

    /// Providers and accounts; none where none were kept.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn accounts(&self) -> Result<AccountBook, StoreError> {
        self.read("reading who is logged in", |txn| tables::book(txn, tables::ACCOUNTS))
    }

    /// Keeps providers and accounts.
    ///
    /// # Errors
    /// When they are not safe on disk.
    pub fn save_accounts(&self, book: &AccountBook) -> Result<(), StoreError> {
        self.write("saving who is logged in", |txn| tables::put_book(txn, tables::ACCOUNTS, book))
    }

    /// With whom history is shared; nobody where nothing was chosen.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn sync_book(&self) -> Result<SyncBook, StoreError> {
        self.read("reading with whom history is shared", |txn| tables::book(txn, tables::SYNC))
    }

    /// Keeps with whom history is shared.
    ///
    /// # Errors
    /// When it is not safe on disk.
    pub fn save_sync_book(&self, book: &SyncBook) -> Result<(), StoreError> {
        self.write("saving with whom history is shared", |txn| tables::put_book(txn, tables::SYNC, book))
    }

    /// Sources of metrics and boards; none where none were kept.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn metrics_book(&self) -> Result<MetricsBook, StoreError> {
        self.read("reading the sources of metrics", |txn| tables::book(txn, tables::METRICS))
    }

    /// Keeps sources of metrics and boards.
    ///
    /// # Errors
    /// When they are not safe on disk.
    pub fn save_metrics_book(&self, book: &MetricsBook) -> Result<(), StoreError> {
        self.write("saving the sources of metrics", |txn| tables::put_book(txn, tables::METRICS, book))
    }

    /// Keeps what sources of metrics showed over a run; the run as it is read from now on.
    ///
    /// # Errors
    /// When there is no such run in history, or it is not safe on disk.
    pub fn keep_metrics(&self, metrics: &RunMetrics) -> Result<Run, StoreError> {
        let id = metrics.run;
        self.write("saving the metrics of the run", |txn| {
            tables::in_history(txn, id)?;
            travel::keep_metrics(txn, metrics)
        })?;
        self.run(id)?.ok_or(StoreError::NoRun { id })
    }

    /// Gives room that deleted runs took back to the disk; whether there was any.
    ///
    /// # Errors
    /// When the database refused; nothing is lost.
    pub fn compact(&self) -> Result<bool, StoreError> {
        const STEP: &str = "compacting the history";
        let mut shared = self.shared();
        shared.live().map_err(|failure| failure.at(STEP))?;
        match shared.db.as_mut().map(Database::compact) {
            Some(Ok(any)) => Ok(any),
            Some(Err(error)) => {
                let failure = Failure::from(error);
                shared.drop_if_broken(&failure);
                Err(failure.at(STEP))
            }
            None => Ok(false),
        }
    }

    /// Closes the file.
    ///
    /// # Errors
    /// When closing failed; what was saved before is safe, the next opening merely takes longer.
    pub fn close(self) -> Result<(), StoreError> {
        let mut shared = self.shared.into_inner().unwrap_or_else(PoisonError::into_inner);
        match shared.db.take().map(Database::close) {
            Some(Err(error)) => Err(Failure::from(error).at("closing the history")),
            _ => Ok(()),
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(
        &self,
        step: &'static str,
        work: impl Fn(&ReadTransaction) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        self.twice(step, |db| work(&db.begin_read()?))
    }

    /// One durable transaction: on disk when this returns, or nothing of it is.
    fn write<T>(
        &self,
        step: &'static str,
        work: impl Fn(&WriteTransaction) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        self.twice(step, |db| {
            let mut txn = db.begin_write()?;
            txn.set_durability(redb::Durability::Immediate)?;
            let done = work(&txn)?;
            txn.commit()?;
            Ok(done)
        })
    }

    /// Does work, and once more on a fresh handle after an I/O error, since redb's refuse to write after one.
    /// All work here may be repeated.
    fn twice<T>(
        &self,
        step: &'static str,
        work: impl Fn(&Database) -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        let mut shared = self.shared();
        let first = shared.live().and_then(&work);
        let Err(failure) = first else {
            return first.map_err(|failure| failure.at(step));
        };
        if !shared.drop_if_broken(&failure) {
            return Err(failure.at(step));
        }
        let second = shared.live().and_then(work);
        if let Err(failure) = &second {
            shared.drop_if_broken(failure);
        }
        second.map_err(|failure| failure.at(step))
    }
}

impl Shared {
    /// The database, opened again if the last handle failed.
    fn live(&mut self) -> Result<&Database, Failure> {
        if self.db.is_none()
            && let Some(reopen) = &mut self.reopen
        {
            self.db = Some(reopen()?);
        }
        self.db.as_ref().ok_or_else(|| Failure::from(redb::StorageError::DatabaseClosed))
    }

    /// Gives up a handle that can no longer write; whether it did, and another can be had.
    fn drop_if_broken(&mut self, failure: &Failure) -> bool {
        let broken = failure.wants_reopening() && self.reopen.is_some();
        if broken {
            self.db = None;
        }
        broken
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}
