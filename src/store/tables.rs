//! The tables of schema 3, and what is done in them inside one transaction.
//!
//! Keys are plain integers and texts only, and values our own envelopes: neither depends on how redb
//! encodes anything else. A run that is in `summaries` is in history; one in `trash` is not, but its record
//! and edits stay until the trash is emptied.

use std::collections::BTreeMap;

use jiff::Timestamp;
use redb::{ReadTransaction, ReadableTable, TableDefinition, TableError, WriteTransaction};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::account::ACCOUNT_BOOK_VERSION;
use crate::model::adapter::book::ADAPTER_BOOK_VERSION;
use crate::model::cluster::CLUSTER_BOOK_VERSION;
use crate::model::digest::Digest;
use crate::model::envelope::{self, Codec, EnvelopeError, Kind};
use crate::model::metrics::source::METRICS_BOOK_VERSION;
use crate::model::plan::PLAN_VERSION;
use crate::model::run::{RUN_VERSION, RunEdit};
use crate::model::settings::SETTINGS_VERSION;
use crate::model::sync::SYNC_BOOK_VERSION;
use crate::model::{Labels, Plan, Run, RunId, RunSummary};

use super::error::{Failure, StoreError};
use super::{exchange, travel};

/// The schema that this program writes.
pub(super) const SCHEMA: u32 = 3;

const SUMMARY_VERSION: u32 = 1;
const EDITS_VERSION: u32 = 1;
const SCHEMA_KEY: &str = "schema_version";

/// A table of envelopes under the ids of runs or plans.
pub(super) type ById = TableDefinition<'static, u128, &'static [u8]>;

pub(super) const META: TableDefinition<'static, &'static str, &'static [u8]> = TableDefinition::new("meta");
pub(super) const RECORDS: ById = ById::new("records");
pub(super) const SUMMARIES: ById = ById::new("summaries");
pub(super) const TRASH: ById = ById::new("trash");
pub(super) const EDITS: ById = ById::new("edits");
pub(super) const INFLIGHT: ById = ById::new("inflight");
pub(super) const PLANS: ById = ById::new("plans");
pub(super) const SETTINGS: TableDefinition<'static, &'static str, &'static [u8]> =
    TableDefinition::new("settings");

/// What a person has written about a run, beside its record.
///
/// It names its run and grows a number, so that the newest can be told in a damaged file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Edits {
    pub(super) run: RunId,
    pub(super) number: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    labels: Option<Labels>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl Edits {
    pub(super) fn none(run: RunId) -> Self {
        Self { run, number: 0, name: None, labels: None, note: None }
    }

    pub(super) fn add(&mut self, edit: RunEdit) {
        self.number += 1;
        match edit {
            RunEdit::Name(name) => self.name = Some(name),
            RunEdit::Labels(labels) => self.labels = Some(labels),
            RunEdit::Note(note) => self.note = Some(note),
        }
    }

    /// What was written, as changes.
    pub(super) fn each(&self) -> Vec<RunEdit> {
        let name = self.name.clone().map(RunEdit::Name);
        let labels = self.labels.clone().map(RunEdit::Labels);
        let note = self.note.clone().map(RunEdit::Note);
        [name, labels, note].into_iter().flatten().collect()
    }

    pub(super) fn apply(self, run: &mut Run) {
        if let Some(name) = self.name {
            run.edit(RunEdit::Name(name));
        }
        if let Some(labels) = self.labels {
            run.edit(RunEdit::Labels(labels));
        }
        if let Some(note) = self.note {
            run.edit(RunEdit::Note(note));
        }
    }
}

/// A run's envelope, proven readable: what cannot be read back must not be called saved. Its metrics are a record of
/// their own.
pub(super) fn seal_run(run: &Run) -> Result<Vec<u8>, StoreError> {
    let bare = run.metrics.is_some().then(|| Run { metrics: None, ..run.clone() });
    let run = bare.as_ref().unwrap_or(run);
    let what = || format!("the run {}", run.id);
    let unkeepable = |source| StoreError::Unkeepable { what: what(), source };
    let bytes = envelope::seal(Kind::Run, RUN_VERSION, Codec::Deflate, run).map_err(unkeepable)?;
    envelope::open::<Run>(Kind::Run, RUN_VERSION, &bytes).map_err(unkeepable)?;
    Ok(bytes)
}

/// The envelope of a run in progress.
pub(super) fn seal_checkpoint(run: &Run) -> Result<Vec<u8>, StoreError> {
    envelope::seal(Kind::Checkpoint, RUN_VERSION, Codec::Deflate, run)
        .map_err(|source| StoreError::Unkeepable { what: format!("the run {}", run.id), source })
}

pub(super) fn open_checkpoint(bytes: &[u8]) -> Result<Run, EnvelopeError> {
    envelope::open(Kind::Checkpoint, RUN_VERSION, bytes)
}

pub(super) fn open_run(bytes: &[u8]) -> Result<Run, EnvelopeError> {
    envelope::open(Kind::Run, RUN_VERSION, bytes)
}

pub(super) fn open_edits(bytes: &[u8]) -> Result<Edits, EnvelopeError> {
    envelope::open(Kind::Edits, EDITS_VERSION, bytes)
}

pub(super) fn open_summary(bytes: &[u8]) -> Result<RunSummary, EnvelopeError> {
    envelope::open(Kind::Summary, SUMMARY_VERSION, bytes)
}

pub(super) fn open_plan(bytes: &[u8]) -> Result<Plan, EnvelopeError> {
    envelope::open(Kind::Plan, PLAN_VERSION, bytes)
}

fn sealed<T: Serialize>(kind: Kind, version: u32, what: &str, value: &T) -> Result<Vec<u8>, StoreError> {
    envelope::seal(kind, version, Codec::Plain, value)
        .map_err(|source| StoreError::Unkeepable { what: what.to_owned(), source })
}

fn damaged(what: String) -> impl FnOnce(EnvelopeError) -> StoreError {
    |source| StoreError::Damaged { what, source }
}

/// The schema of a database; none if it is a new one.
pub(super) fn schema(db: &impl redb::ReadableDatabase) -> Result<Option<u32>, Failure> {
    let table = match db.begin_read()?.open_table(META) {
        Ok(table) => table,
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let Some(value) = table.get(SCHEMA_KEY)? else {
        return Ok(None);
    };
    match <[u8; 4]>::try_from(value.value()) {
        Ok(bytes) => Ok(Some(u32::from_le_bytes(bytes))),
        Err(_) => Err(StoreError::Damaged {
            what: "the history's schema".to_owned(),
            source: EnvelopeError::Foreign,
        }
        .into()),
    }
}

/// Creates every table, so that readers need not ask whether one exists, and names the schema.
pub(super) fn create(txn: &WriteTransaction) -> Result<(), Failure> {
    for table in [RECORDS, SUMMARIES, TRASH, EDITS, INFLIGHT, PLANS] {
        txn.open_table(table)?;
    }
    txn.open_table(SETTINGS)?;
    travel::create(txn)?;
    exchange::create(txn)?;
    name_schema(txn, SCHEMA)
}

/// Brings a history of schema 1 to schema 2, which keeps beside it what travels.
pub(super) fn to_schema_2(txn: &WriteTransaction) -> Result<(), Failure> {
    travel::create(txn)?;
    exchange::create(txn)?;
    travel::backfill(txn)?;
    name_schema(txn, 2)
}

/// Brings a history of schema 2 to schema 3, in which records of metrics travel too: a program that does not know them
/// would take them for damage.
pub(super) fn to_schema_3(txn: &WriteTransaction) -> Result<(), Failure> {
    name_schema(txn, 3)
}

fn name_schema(txn: &WriteTransaction, schema: u32) -> Result<(), Failure> {
    txn.open_table(META)?.insert(SCHEMA_KEY, schema.to_le_bytes().as_slice())?;
    Ok(())
}

/// Every row of a table as it is.
pub(super) fn rows(txn: &ReadTransaction, table: ById) -> Result<Vec<(u128, Vec<u8>)>, Failure> {
    all(&txn.open_table(table)?)
}

/// Every row of a table as it is, for one who writes.
pub(super) fn rows_in(txn: &WriteTransaction, table: ById) -> Result<Vec<(u128, Vec<u8>)>, Failure> {
    all(&txn.open_table(table)?)
}

fn all(table: &impl ReadableTable<u128, &'static [u8]>) -> Result<Vec<(u128, Vec<u8>)>, Failure> {
    let mut rows = Vec::new();
    for row in table.iter()? {
        let (key, value) = row?;
        rows.push((key.value(), value.value().to_vec()));
    }
    Ok(rows)
}

/// The row under a key as it is.
pub(super) fn row(txn: &ReadTransaction, table: ById, key: u128) -> Result<Option<Vec<u8>>, Failure> {
    Ok(txn.open_table(table)?.get(key)?.map(|value| value.value().to_vec()))
}

/// The row under a key as it is, for one who writes.
pub(super) fn row_in(txn: &WriteTransaction, table: ById, key: u128) -> Result<Option<Vec<u8>>, Failure> {
    Ok(txn.open_table(table)?.get(key)?.map(|value| value.value().to_vec()))
}

pub(super) fn put(txn: &WriteTransaction, table: ById, key: u128, value: &[u8]) -> Result<(), Failure> {
    txn.open_table(table)?.insert(key, value)?;
    Ok(())
}

/// Removes a row; whether there was one.
pub(super) fn take(txn: &WriteTransaction, table: ById, key: u128) -> Result<bool, Failure> {
    Ok(txn.open_table(table)?.remove(key)?.is_some())
}

/// Writes a record with its summary, and removes its checkpoint. A run that is already kept stays as it is,
/// unless it was kept from a checkpoint and this one is whole.
pub(super) fn save(txn: &WriteTransaction, run: &Run, sealed_run: &[u8]) -> Result<RunSummary, Failure> {
    let key = run.id.0.as_u128();
    take(txn, INFLIGHT, key)?;
    let row = row_in(txn, RECORDS, key)?;
    let kept = row.as_deref().and_then(|bytes| open_run(bytes).ok());
    let replaces = |kept: &Run| kept.interrupted && !run.interrupted;
    let mut shown = match kept {
        Some(kept) if !replaces(&kept) => kept,
        _ => {
            if let Some(replaced) = row.map(|bytes| Digest::of(&bytes))
                && let Some(note) = travel::note(txn, replaced)?
            {
                travel::note_gone(txn, replaced, note)?;
            }
            put(txn, RECORDS, key, sealed_run)?;
            travel::note_run(txn, run.id, sealed_run, None)?;
            if let Some(metrics) = &run.metrics {
                travel::keep_metrics(txn, metrics)?;
            }
            run.clone()
        }
    };
    if let Some(bytes) = row_in(txn, EDITS, key)? {
        open_edits(&bytes).map_err(damaged(format!("what was written about {}", run.id)))?.apply(&mut shown);
    }
    let table = if row_in(txn, TRASH, key)?.is_some() { TRASH } else { SUMMARIES };
    put_summary(txn, table, &shown.summary())
}

pub(super) fn put_summary(
    txn: &WriteTransaction,
    table: ById,
    summary: &RunSummary,
) -> Result<RunSummary, Failure> {
    let what = format!("the run {}", summary.id);
    let bytes = sealed(Kind::Summary, SUMMARY_VERSION, &what, summary)?;
    put(txn, table, summary.id.0.as_u128(), &bytes)?;
    Ok(summary.clone())
}

/// A run of history with its edits.
pub(super) fn run(txn: &ReadTransaction, id: RunId) -> Result<Option<Run>, Failure> {
    let key = id.0.as_u128();
    if row(txn, SUMMARIES, key)?.is_none() {
        return Ok(None);
    }
    let Some(bytes) = row(txn, RECORDS, key)? else {
        return Err(
            StoreError::Damaged { what: format!("the run {id}"), source: EnvelopeError::Foreign }.into()
        );
    };
    let mut run = open_run(&bytes).map_err(damaged(format!("the run {id}")))?;
    if let Some(bytes) = row(txn, EDITS, key)? {
        open_edits(&bytes).map_err(damaged(format!("what was written about {id}")))?.apply(&mut run);
    }
    run.metrics = travel::metrics(txn, id)?;
    Ok(Some(run))
}

/// Fails where there is no such run in history.
pub(super) fn in_history(txn: &WriteTransaction, id: RunId) -> Result<(), Failure> {
    match row_in(txn, SUMMARIES, id.0.as_u128())? {
        Some(_) => Ok(()),
        None => Err(StoreError::NoRun { id }.into()),
    }
}

/// Keeps an edit beside a record, and shows it in the summary.
pub(super) fn edit(txn: &WriteTransaction, id: RunId, edit: RunEdit, now: Timestamp) -> Result<(), Failure> {
    let key = id.0.as_u128();
    let record = row_in(txn, RECORDS, key)?.ok_or(StoreError::NoRun { id })?;
    in_history(txn, id)?;
    let mut run = open_run(&record).map_err(damaged(format!("the run {id}")))?;
    let mut edits = match row_in(txn, EDITS, key)? {
        Some(bytes) => open_edits(&bytes).map_err(damaged(format!("what was written about {id}")))?,
        None => Edits::none(id),
    };
    travel::say(txn, &travel::annotation(id, edit.clone(), travel::stamp(txn, now)?))?;
    edits.add(edit);
    seal_edits(txn, &edits)?;
    edits.apply(&mut run);
    put_summary(txn, SUMMARIES, &run.summary())?;
    Ok(())
}

fn seal_edits(txn: &WriteTransaction, edits: &Edits) -> Result<(), Failure> {
    let what = format!("what was written about {}", edits.run);
    put(txn, EDITS, edits.run.0.as_u128(), &sealed(Kind::Edits, EDITS_VERSION, &what, edits)?)
}

/// Keeps edits that came about otherwise than by one more edit, if they say anything new.
pub(super) fn put_edits(txn: &WriteTransaction, edits: &mut Edits) -> Result<(), Failure> {
    let kept = row_in(txn, EDITS, edits.run.0.as_u128())?.and_then(|bytes| open_edits(&bytes).ok());
    let number = kept.as_ref().map_or(0, |kept| kept.number);
    if kept.map_or_else(Vec::new, |kept| kept.each()) == edits.each() {
        return Ok(());
    }
    edits.number = number + 1;
    seal_edits(txn, edits)
}

/// Where summaries are moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// From history to the trash.
    Deleted,
    /// And back.
    Restored,
}

/// Moves summaries between history and the trash; those that are where they were to go afterwards.
pub(super) fn move_summaries(
    txn: &WriteTransaction,
    ids: &[RunId],
    fate: Fate,
    now: Timestamp,
) -> Result<Vec<RunSummary>, Failure> {
    let (from, to) = match fate {
        Fate::Deleted => (SUMMARIES, TRASH),
        Fate::Restored => (TRASH, SUMMARIES),
    };
    let mut moved = Vec::new();
    for id in ids {
        let key = id.0.as_u128();
        if let Some(bytes) = row_in(txn, from, key)? {
            put(txn, to, key, &bytes)?;
            take(txn, from, key)?;
            let stamp = travel::stamp(txn, now)?;
            travel::say(txn, &travel::tombstone(*id, fate == Fate::Deleted, stamp))?;
            exchange::let_go(txn, *id)?;
        }
        if let Some(bytes) = row_in(txn, to, key)? {
            moved.push(open_summary(&bytes).map_err(damaged(format!("the summary of {id}")))?);
        }
    }
    Ok(moved)
}

/// Deletes for good what is in the trash, but not yet what was deleted elsewhere a short time ago; how many runs.
pub(super) fn empty_trash(txn: &WriteTransaction, now: Timestamp) -> Result<usize, Failure> {
    let mut deleted = 0;
    for (key, _) in rows_in(txn, TRASH)? {
        let id = RunId(Uuid::from_u128(key));
        if exchange::is_held(txn, id, now)? {
            continue;
        }
        exchange::let_go(txn, id)?;
        travel::forget_run(txn, id, |digest| exchange::is_elsewhere(txn, digest))?;
        take(txn, RECORDS, key)?;
        take(txn, EDITS, key)?;
        take(txn, TRASH, key)?;
        deleted += 1;
    }
    Ok(deleted)
}

pub(super) fn put_plan(txn: &WriteTransaction, id: Uuid, plan: &Plan) -> Result<(), Failure> {
    put(txn, PLANS, id.as_u128(), &sealed(Kind::Plan, PLAN_VERSION, "the plan", plan)?)
}

/// Something of which there is one: under which key it is kept, and as what.
#[derive(Clone, Copy)]
pub(super) struct Book {
    key: &'static str,
    kind: Kind,
    version: u32,
    /// For errors.
    what: &'static str,
}

pub(super) const CHOICES: Book =
    Book { key: "settings", kind: Kind::Settings, version: SETTINGS_VERSION, what: "the settings" };
pub(super) const CLUSTERS: Book = Book {
    key: "clusters",
    kind: Kind::Clusters,
    version: CLUSTER_BOOK_VERSION,
    what: "what was chosen about clusters",
};
pub(super) const ADAPTERS: Book = Book {
    key: "adapters",
    kind: Kind::Adapters,
    version: ADAPTER_BOOK_VERSION,
    what: "what is known of adapters",
};
pub(super) const ACCOUNTS: Book =
    Book { key: "accounts", kind: Kind::Accounts, version: ACCOUNT_BOOK_VERSION, what: "who is logged in" };
pub(super) const METRICS: Book = Book {
    key: "metrics",
    kind: Kind::MetricsBook,
    version: METRICS_BOOK_VERSION,
    what: "sources of metrics and boards",
};
pub(super) const SYNC: Book =
    Book { key: "sync", kind: Kind::Sync, version: SYNC_BOOK_VERSION, what: "with whom history is shared" };

pub(super) fn put_book<T: Serialize>(txn: &WriteTransaction, book: Book, value: &T) -> Result<(), Failure> {
    let bytes = sealed(book.kind, book.version, book.what, value)?;
    txn.open_table(SETTINGS)?.insert(book.key, bytes.as_slice())?;
    Ok(())
}

/// What is kept there; the default where nothing was.
pub(super) fn book<T: DeserializeOwned + Default>(txn: &ReadTransaction, book: Book) -> Result<T, Failure> {
    match txn.open_table(SETTINGS)?.get(book.key)? {
        Some(bytes) => {
            let value = envelope::open(book.kind, book.version, bytes.value());
            Ok(value.map_err(damaged(book.what.to_owned()))?)
        }
        None => Ok(T::default()),
    }
}

/// Saved plans by id.
pub(super) fn plans(txn: &ReadTransaction) -> Result<BTreeMap<Uuid, Plan>, Failure> {
    let mut plans = BTreeMap::new();
    for (key, bytes) in rows(txn, PLANS)? {
        let id = Uuid::from_u128(key);
        plans.insert(id, open_plan(&bytes).map_err(damaged(format!("the plan {id}")))?);
    }
    Ok(plans)
}
