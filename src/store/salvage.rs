//! Takes over from a damaged file what can be proven whole.
//!
//! Records and edits are found by a search for envelopes in the bytes of the file, each proven by its hash;
//! no damage to redb's own structure can hide them. That structure, as far as it can still be read, only
//! tells which of them are part of history: free pages hold deleted ones too. Saved plans, settings and
//! checkpoints come from the structure alone. The damaged file is never changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use redb::{
    Database, ReadTransaction, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _,
};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::model::account::AccountBook;
use crate::model::adapter::book::AdapterBook;
use crate::model::cluster::ClusterBook;
use crate::model::envelope::{self, HEAD_BYTES, MAGIC};
use crate::model::sync::SyncBook;
use crate::model::{Plan, RunId, Settings};

use super::error::Failure;
use super::tables::{self, Book, ById};
use super::{Remark, StoreError, file, travel};

/// Bytes of the file that are searched at once.
const CHUNK_BYTES: usize = 4 * 1024 * 1024;
/// The most rows of one table that are believed: damage may make a table endless.
const ROWS_MAX: usize = 1_000_000;

/// Where an envelope lies in the file.
#[derive(Clone, Copy, Debug)]
struct Place {
    offset: u64,
    length: usize,
}

/// What the search has found.
#[derive(Debug, Default)]
struct Found {
    /// Whole runs, and whether each was made from a checkpoint.
    runs: BTreeMap<u128, (Place, bool)>,
    /// The newest edits of a run.
    edits: BTreeMap<u128, (u64, Vec<u8>)>,
}

/// What the structure of the file tells.
#[derive(Debug, Default)]
struct Told {
    /// Runs of history.
    listed: BTreeSet<u128>,
    /// How many there were, if that could be read.
    listed_count: usize,
    /// Whether `listed` and `trashed` are all.
    whole: bool,
    trashed: BTreeSet<u128>,
    checkpoints: Vec<(u128, Vec<u8>)>,
    plans: BTreeMap<Uuid, Plan>,
    settings: Option<Settings>,
    clusters: Option<ClusterBook>,
    adapters: Option<AdapterBook>,
    accounts: Option<AccountBook>,
    sync: Option<SyncBook>,
}

/// Takes what is whole in the damaged file over into a new database.
pub(super) fn salvage(damaged: &Path, into: &Database) -> Result<Remark, StoreError> {
    let path = damaged.to_owned();
    let told = file::quietly(&mut |_| {}, move |_| tell(&path)).unwrap_or_default();
    let unread = |source| StoreError::File { step: "searched", path: damaged.to_owned(), source };
    let mut file = File::open(damaged).map_err(unread)?;
    let found = search(&mut file).map_err(unread)?;
    let taken: Vec<u128> = if told.whole {
        told.listed.iter().copied().filter(|key| found.runs.contains_key(key)).collect()
    } else {
        found.runs.keys().copied().filter(|key| !told.trashed.contains(key)).collect()
    };
    let recovered = take_over(&mut file, into, &told, &found, &taken)
        .map_err(|failure| failure.at("taking over the damaged history"))?;
    let known: BTreeSet<u128> = told.listed.iter().copied().chain(taken.iter().copied()).collect();
    let lost = known.difference(&recovered).map(|key| RunId(Uuid::from_u128(*key))).collect();
    Ok(Remark::MovedAside {
        kept_at: damaged.to_owned(),
        recovered: recovered.len(),
        known: known.len().max(told.listed_count),
        lost,
        list_whole: told.whole,
    })
}

fn take_over(
    file: &mut File,
    into: &Database,
    told: &Told,
    found: &Found,
    taken: &[u128],
) -> Result<BTreeSet<u128>, Failure> {
    let txn = into.begin_write()?;
    let mut recovered = BTreeSet::new();
    for key in taken {
        let Some((place, _)) = found.runs.get(key) else { continue };
        // The disk may answer otherwise than a moment ago; then the run is lost after all.
        let Ok(Ok((bytes, run))) = bytes_at(file, *place).map(|bytes| {
            let run = tables::open_run(&bytes);
            run.map(|run| (bytes, run))
        }) else {
            continue;
        };
        if let Some((_, edits)) = found.edits.get(key) {
            tables::put(&txn, tables::EDITS, *key, edits)?;
        }
        tables::save(&txn, &run, &bytes)?;
        if let Some(edits) = found.edits.get(key).and_then(|(_, bytes)| tables::open_edits(bytes).ok()) {
            travel::adopt(&txn, &edits)?;
        }
        recovered.insert(*key);
    }
    for (key, bytes) in &told.checkpoints {
        tables::put(&txn, tables::INFLIGHT, *key, bytes)?;
    }
    for (id, plan) in &told.plans {
        tables::put_plan(&txn, *id, plan)?;
        travel::adopt_plan(&txn, *id, plan)?;
    }
    if let Some(book) = &told.accounts {
        tables::put_book(&txn, tables::ACCOUNTS, book)?;
    }
    if let Some(book) = &told.sync {
        tables::put_book(&txn, tables::SYNC, book)?;
    }
    if let Some(settings) = &told.settings {
        tables::put_book(&txn, tables::CHOICES, settings)?;
    }
    if let Some(book) = &told.clusters {
        tables::put_book(&txn, tables::CLUSTERS, book)?;
    }
    if let Some(book) = &told.adapters {
        tables::put_book(&txn, tables::ADAPTERS, book)?;
    }
    txn.commit()?;
    Ok(recovered)
}

/// Reads what the structure tells. May panic; every part that could be read before is kept only where
/// [`attempt`] guards it.
fn tell(path: &Path) -> Told {
    let mut told = Told::default();
    // The handle must live as long as what reads through it.
    let Some(db) = attempt(|| file::open_overlay(path, false).ok()).flatten() else { return told };
    let Some(txn) = attempt(|| db.begin_read().ok()).flatten() else { return told };
    let (listed, list_whole) = rows(&txn, tables::SUMMARIES);
    let (trashed, trash_whole) = rows(&txn, tables::TRASH);
    told.listed_count = count(&txn, tables::SUMMARIES).unwrap_or(0);
    told.listed = listed.into_keys().collect();
    told.trashed = trashed.into_keys().collect();
    told.whole = list_whole && trash_whole && told.listed.len() == told.listed_count;
    let whole_checkpoint = |bytes: &Vec<u8>| tables::open_checkpoint(bytes).is_ok();
    told.checkpoints =
        rows(&txn, tables::INFLIGHT).0.into_iter().filter(|(_, bytes)| whole_checkpoint(bytes)).collect();
    for (key, bytes) in rows(&txn, tables::PLANS).0 {
        if let Ok(plan) = tables::open_plan(&bytes) {
            told.plans.insert(Uuid::from_u128(key), plan);
        }
    }
    told.settings = kept(&txn, tables::CHOICES);
    told.clusters = kept(&txn, tables::CLUSTERS);
    told.adapters = kept(&txn, tables::ADAPTERS);
    told.accounts = kept(&txn, tables::ACCOUNTS);
    told.sync = kept(&txn, tables::SYNC);
    told
}

fn kept<T: DeserializeOwned + Default>(txn: &ReadTransaction, book: Book) -> Option<T> {
    attempt(|| tables::book(txn, book).ok()).flatten()
}

/// Does something that may panic on damaged bytes.
fn attempt<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

fn count(txn: &ReadTransaction, table: ById) -> Option<usize> {
    let count = attempt(|| txn.open_table(table).ok()?.len().ok()).flatten()?;
    usize::try_from(count).ok().filter(|count| *count <= ROWS_MAX)
}

/// The rows of a table from both ends up to what cannot be read, and whether they are all.
fn rows(txn: &ReadTransaction, table: ById) -> (BTreeMap<u128, Vec<u8>>, bool) {
    let mut found = BTreeMap::new();
    let forward = attempt(|| walk(txn, table, Direction::Forward, &mut found)) == Some(true);
    if !forward {
        attempt(|| walk(txn, table, Direction::Backward, &mut found));
    }
    (found, forward)
}

#[derive(Clone, Copy)]
enum Direction {
    Forward,
    Backward,
}

/// Whether the end was reached.
fn walk(
    txn: &ReadTransaction,
    table: ById,
    direction: Direction,
    found: &mut BTreeMap<u128, Vec<u8>>,
) -> bool {
    let Ok(table) = txn.open_table(table) else { return false };
    let Ok(mut rows) = table.iter() else { return false };
    for _ in 0..ROWS_MAX {
        let row = match direction {
            Direction::Forward => rows.next(),
            Direction::Backward => rows.next_back(),
        };
        match row {
            None => return true,
            Some(Err(_)) => return false,
            Some(Ok((key, value))) => {
                found.insert(key.value(), value.value().to_vec());
            }
        }
    }
    false
}

/// Finds every whole run and every whole edit in the bytes of a file.
fn search(file: &mut File) -> io::Result<Found> {
    let end = file.metadata()?.len();
    let mut found = Found::default();
    let mut chunk = Vec::new();
    let mut start = 0;
    while start < end {
        file.seek(SeekFrom::Start(start))?;
        chunk.clear();
        // Chunks overlap by what a head may reach into the next one.
        io::Read::take(&mut *file, (CHUNK_BYTES + HEAD_BYTES) as u64).read_to_end(&mut chunk)?;
        for at in starts(&chunk).take_while(|at| *at < CHUNK_BYTES).collect::<Vec<_>>() {
            let offset = start + at as u64;
            let Some(length) = envelope::length(&chunk[at..]) else { continue };
            if offset + length as u64 <= end {
                weigh(file, Place { offset, length }, &mut found)?;
            }
        }
        start += CHUNK_BYTES as u64;
    }
    Ok(found)
}

fn starts(bytes: &[u8]) -> impl Iterator<Item = usize> {
    bytes.windows(MAGIC.len()).enumerate().filter(|(_, window)| **window == MAGIC).map(|(at, _)| at)
}

/// Keeps what lies at a place if it is whole and better than what was found before.
fn weigh(file: &mut File, place: Place, found: &mut Found) -> io::Result<()> {
    let bytes = bytes_at(file, place)?;
    if let Ok(run) = tables::open_run(&bytes) {
        let key = run.id.0.as_u128();
        if found.runs.get(&key).is_none_or(|(_, interrupted)| *interrupted) {
            found.runs.insert(key, (place, run.interrupted));
        }
    } else if let Ok(edits) = tables::open_edits(&bytes) {
        let key = edits.run.0.as_u128();
        if found.edits.get(&key).is_none_or(|(number, _)| *number < edits.number) {
            found.edits.insert(key, (edits.number, bytes));
        }
    }
    Ok(())
}

fn bytes_at(file: &mut File, place: Place) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; place.length];
    file.seek(SeekFrom::Start(place.offset))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}
