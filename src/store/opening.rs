//! How a history is opened, and what is set right then.

use std::fmt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use redb::Database;
use uuid::Uuid;

use crate::model::run::{Ended, Warning, WarningKind};
use crate::model::{Run, RunId};

use super::error::Failure;
use super::file::{self, Refusal};
use super::{FILE, Store, StoreError, pending, salvage, tables};

/// What a person must know about an opening.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// In the order in which it was found.
    pub remarks: Vec<Remark>,
}

/// One thing that was not as it should be when the history was opened. Its text is for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remark {
    /// The history was damaged; a new one was made from what could be proven whole.
    MovedAside {
        /// Where the damaged file is.
        kept_at: PathBuf,
        /// Runs in the new history.
        recovered: usize,
        /// Runs that are known to have been in the damaged one.
        known: usize,
        /// Those of the known runs that are lost.
        lost: Vec<RunId>,
        /// Whether the list of runs was whole. If not, there may have been more runs, and deleted ones may be back.
        list_whole: bool,
    },
    /// The file was there but empty, and a new history was begun in it.
    WasEmpty(PathBuf),
    /// The program ended during this run; it is in history with what was measured until then.
    Interrupted {
        /// Which.
        id: RunId,
        /// Its name.
        name: String,
    },
    /// What was kept of a run in progress cannot be read.
    CheckpointLost(RunId),
    /// A run that could not be saved when it ended is in history now.
    TakenIn {
        /// Which.
        id: RunId,
        /// Its name.
        name: String,
    },
    /// A run that waited to be saved cannot be read; its file is kept here.
    PendingDamaged(PathBuf),
    /// A run waits that was written by a newer Meshbench.
    PendingNewer(PathBuf),
    /// These runs were in the list, but neither their record nor their row can be read.
    Lost(Vec<RunId>),
    /// Something could not be set right now; the next opening tries again.
    Unfinished(String),
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MovedAside { kept_at, recovered, known, list_whole, .. } => {
                write!(
                    f,
                    "The history file was damaged. {recovered} of {known} runs were recovered; the damaged file is kept at {}",
                    kept_at.display()
                )?;
                if *list_whole {
                    return Ok(());
                }
                write!(f, ". Its list of runs was damaged too: deleted runs may be back, and others missing")
            }
            Self::WasEmpty(path) => {
                write!(f, "The history file {} was empty; a new history was begun", path.display())
            }
            Self::Interrupted { name, .. } => {
                write!(
                    f,
                    "Meshbench ended during the run “{name}”; what was measured until then is in history"
                )
            }
            Self::CheckpointLost(id) => {
                write!(f, "Meshbench ended during the run {id}, and what was kept of it cannot be read")
            }
            Self::TakenIn { name, .. } => {
                write!(f, "The run “{name}”, which could not be saved when it ended, is in history now")
            }
            Self::PendingDamaged(path) => {
                write!(
                    f,
                    "A run that waited to be saved cannot be read; its file is kept at {}",
                    path.display()
                )
            }
            Self::PendingNewer(path) => {
                write!(f, "The run in {} was written by a newer Meshbench and waits for it", path.display())
            }
            Self::Lost(ids) if ids.len() == 1 => write!(f, "1 run cannot be read any more"),
            Self::Lost(ids) => write!(f, "{} runs cannot be read any more", ids.len()),
            Self::Unfinished(reason) => write!(f, "The history is open, but not all is in order: {reason}"),
        }
    }
}

pub(super) fn open(
    dir: &Path,
    now: Timestamp,
    progress: &mut dyn FnMut(f64),
) -> Result<(Store, OpenReport), StoreError> {
    file::make_folder(dir)?;
    let path = dir.join(FILE);
    let mut remarks = Vec::new();
    match path.metadata() {
        Ok(found) if found.len() == 0 => remarks.push(Remark::WasEmpty(path.clone())),
        Ok(_) => refuse_newer(file::peek_schema(&path).map_err(|refusal| refusal.error(&path))?)?,
        Err(_) => {}
    }
    let db = match file::open_checked(&path, progress) {
        Ok(db) => {
            prepare(&db)?;
            db
        }
        Err(Refusal::Damaged) => {
            let kept_at = file::move_aside(&path, now)?;
            let db = file::open_checked(&path, progress).map_err(|refusal| refusal.error(&path))?;
            prepare(&db)?;
            remarks.push(salvage::salvage(&kept_at, &db)?);
            db
        }
        Err(refusal) => return Err(refusal.error(&path)),
    };
    let reopen =
        Box::new(move || file::open_checked(&path, &mut |_| {}).map_err(|refusal| refusal.error(&path)));
    let store = Store::over(db, Some(reopen));
    remarks.extend(tidy(&store, Some(dir), now).remarks);
    progress(1.0);
    Ok((store, OpenReport { remarks }))
}

fn refuse_newer(schema: Option<u32>) -> Result<(), StoreError> {
    match schema {
        Some(found) if found > tables::SCHEMA => {
            Err(StoreError::NewerSchema { found, known: tables::SCHEMA })
        }
        _ => Ok(()),
    }
}

/// Makes the tables of a new database, and brings an older one to the schema of this program.
pub(super) fn prepare(db: &Database) -> Result<(), StoreError> {
    let work = || -> Result<(), Failure> {
        // Each older schema is taken one step further, each step in one transaction that also names the
        // schema it leads to.
        loop {
            let found = tables::schema(db)?;
            refuse_newer(found)?;
            let step = match found {
                None => tables::create,
                Some(1) => tables::to_schema_2,
                Some(2) => tables::to_schema_3,
                Some(_) => return Ok(()),
            };
            let txn = db.begin_write()?;
            step(&txn)?;
            txn.commit()?;
        }
    };
    work().map_err(|failure| failure.at("preparing the history"))
}

/// Sets right what an earlier end of the program left behind. What cannot be done now is said and stays for
/// the next opening: a full disk must not keep anyone from reading.
pub(super) fn tidy(store: &Store, dir: Option<&Path>, now: Timestamp) -> OpenReport {
    let mut remarks = Vec::new();
    let mut done = |result: Result<Vec<Remark>, StoreError>| match result {
        Ok(found) => remarks.extend(found),
        Err(error) => remarks.push(Remark::Unfinished(format!("{error}. {}", error.advice()))),
    };
    done(store.empty_trash(now).map(|_| Vec::new()));
    done(mend_summaries(store));
    if let Some(dir) = dir {
        done(take_in_pending(store, dir));
    }
    done(finish_interrupted(store));
    OpenReport { remarks }
}

/// Makes rows of the list that cannot be read anew from their records, and takes the others off the list.
fn mend_summaries(store: &Store) -> Result<Vec<Remark>, StoreError> {
    let rows = store.read("reading the history", |txn| tables::rows(txn, tables::SUMMARIES))?;
    let bad: Vec<u128> = rows
        .into_iter()
        .filter(|(_, bytes)| tables::open_summary(bytes).is_err())
        .map(|(key, _)| key)
        .collect();
    let mut lost = Vec::new();
    for key in bad {
        let id = RunId(Uuid::from_u128(key));
        match store.run(id) {
            Ok(Some(run)) => {
                store.write("mending the list of runs", |txn| {
                    tables::put_summary(txn, tables::SUMMARIES, &run.summary()).map(drop)
                })?;
            }
            Ok(None) | Err(StoreError::Damaged { .. }) => {
                store.write("mending the list of runs", |txn| tables::take(txn, tables::SUMMARIES, key))?;
                lost.push(id);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(if lost.is_empty() { Vec::new() } else { vec![Remark::Lost(lost)] })
}

fn take_in_pending(store: &Store, dir: &Path) -> Result<Vec<Remark>, StoreError> {
    let found = pending::find(dir)?;
    let mut remarks = Vec::new();
    let (paths, runs): (Vec<_>, Vec<_>) = found.whole.into_iter().unzip();
    if !runs.is_empty() {
        for summary in store.save_runs(&runs)? {
            remarks.push(Remark::TakenIn { id: summary.id, name: summary.name });
        }
        pending::remove(&paths)?;
    }
    for path in found.damaged {
        remarks.push(Remark::PendingDamaged(pending::move_aside(&path)?));
    }
    remarks.extend(found.newer.into_iter().map(Remark::PendingNewer));
    for path in found.unread {
        remarks.push(Remark::Unfinished(format!("{} cannot be read", path.display())));
    }
    Ok(remarks)
}

/// Makes runs of checkpoints whose runs never ended.
fn finish_interrupted(store: &Store) -> Result<Vec<Remark>, StoreError> {
    let rows = store.read("reading checkpoints", |txn| tables::rows(txn, tables::INFLIGHT))?;
    let mut remarks = Vec::new();
    for (key, bytes) in rows {
        let id = RunId(Uuid::from_u128(key));
        let saved = store.run(id)?.is_some();
        match tables::open_checkpoint(&bytes) {
            Ok(run) if !saved => {
                let run = interrupted(run);
                store.save_run(&run)?;
                remarks.push(Remark::Interrupted { id, name: run.name });
            }
            checkpoint => {
                store.discard_checkpoint(id)?;
                if checkpoint.is_err() && !saved {
                    remarks.push(Remark::CheckpointLost(id));
                }
            }
        }
    }
    Ok(remarks)
}

fn interrupted(mut run: Run) -> Run {
    run.ended = Ended::Interrupted;
    run.interrupted = true;
    run.warnings.retain(|warning| warning.kind != WarningKind::Incomplete);
    run.warnings.push(Warning {
        kind: WarningKind::Incomplete,
        text: "Meshbench ended before the run did; at most its last second is missing from what was measured"
            .to_owned(),
    });
    run
}
