//! What was exchanged with which server, and what is to be.
//!
//! ```text
//! targets    target            → state      how far it has got
//! confirmed  target ‖ digest   → nothing    the server has proven that it has it
//! refused    target ‖ digest   → refusal    what needs a person's attention
//! held       run               → time       deleted elsewhere then, in microseconds since 1970
//! ```
//! What waits to be sent is what is in `travel` and neither confirmed nor refused: nothing can be forgotten, since a record is
//! in `travel` by the transaction that keeps it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use redb::{ReadTransaction, ReadableTable as _, ReadableTableMetadata as _, WriteTransaction};
use uuid::Uuid;

use crate::model::digest::Digest;
use crate::model::envelope::{self, Codec, Kind};
use crate::model::record::{Record, RecordKind};
use crate::model::sync::{Author, Choice, Refusal, TargetState};
use crate::model::{RunId, RunSummary};

use super::error::{Failure, StoreError};
use super::tables::{self, ById};
use super::travel::{self, ByBytes, Note, Shown};
use super::{Store, travel::TRAVEL};

const TARGET_VERSION: u32 = 1;
/// How long what was deleted on another machine can be taken back here.
pub const HELD_DAYS: i64 = 30;
const DAY_US: i64 = 24 * 60 * 60 * 1_000_000;

const TARGETS: ById = ById::new("targets");
const CONFIRMED: ByBytes = ByBytes::new("confirmed");
const REFUSED: ByBytes = ByBytes::new("refused");
const HELD: ById = ById::new("held");

/// A record that waits to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its name.
    pub digest: Digest,
    /// What it tells.
    pub kind: RecordKind,
    /// The run or plan that it is about.
    pub subject: Uuid,
}

/// A record that came from a server, proven.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// Its name.
    pub digest: Digest,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What they say.
    pub record: Record,
    /// None if it is this person's.
    pub author: Option<Author>,
}

/// What came of a part of a server's changes.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Records that were not here.
    pub arrived: Vec<Arrived>,
    /// Records that the server has.
    pub there: Vec<Digest>,
    /// Records that came otherwise than they are named, or not at all, and why.
    pub refused: Vec<(Digest, Refusal)>,
    /// How far the exchange has got with this.
    pub cursor: u64,
    /// The digest of the last change.
    pub at_cursor: Option<Digest>,
    /// Records that a newer Meshbench wrote.
    pub newer: u64,
}

/// What changed in history by what came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arrivals {
    /// Runs that were not in history, or are back in it, or are shown otherwise than before.
    pub runs: Vec<RunSummary>,
    /// Runs that are in the trash now.
    pub deleted: Vec<RunSummary>,
    /// Whether saved plans may be others.
    pub plans: bool,
}

pub(super) fn create(txn: &WriteTransaction) -> Result<(), Failure> {
    txn.open_table(TARGETS)?;
    txn.open_table(HELD)?;
    txn.open_table(CONFIRMED)?;
    txn.open_table(REFUSED)?;
    Ok(())
}

/// Whether any server has a record.
pub(super) fn is_elsewhere(txn: &WriteTransaction, digest: Digest) -> Result<bool, Failure> {
    let confirmed = txn.open_table(CONFIRMED)?;
    for row in txn.open_table(TARGETS)?.iter()? {
        let target = Uuid::from_u128(row?.0.value());
        if confirmed.get(key(target, digest).as_slice())?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a run was deleted elsewhere so short a time ago that it can still be taken back.
pub(super) fn is_held(txn: &WriteTransaction, id: RunId, now: Timestamp) -> Result<bool, Failure> {
    let table = txn.open_table(HELD)?;
    let since = table.get(id.0.as_u128())?.and_then(|bytes| <[u8; 8]>::try_from(bytes.value()).ok());
    Ok(since.is_some_and(|since| {
        now.as_microsecond().saturating_sub(i64::from_le_bytes(since)) < HELD_DAYS * DAY_US
    }))
}

/// The run's place is settled here.
pub(super) fn let_go(txn: &WriteTransaction, id: RunId) -> Result<(), Failure> {
    tables::take(txn, HELD, id.0.as_u128()).map(drop)
}

fn key(target: Uuid, digest: Digest) -> Vec<u8> {
    [target.as_bytes().as_slice(), digest.0.as_slice()].concat()
}

fn bounds(target: Uuid) -> (Vec<u8>, Vec<u8>) {
    (key(target, Digest([0; 32])), key(target, Digest([0xff; 32])))
}

fn digest_of(key: &[u8]) -> Option<Digest> {
    Some(Digest(key.get(16..)?.try_into().ok()?))
}

/// The digests of a table of `target ‖ digest`.
fn digests(txn: &ReadTransaction, table: ByBytes, target: Uuid) -> Result<BTreeSet<Digest>, Failure> {
    let (first, last) = bounds(target);
    let table = txn.open_table(table)?;
    let mut found = BTreeSet::new();
    for row in table.range::<&[u8]>(first.as_slice()..=last.as_slice())? {
        found.extend(digest_of(row?.0.value()));
    }
    Ok(found)
}

fn clear(txn: &WriteTransaction, table: ByBytes, target: Uuid) -> Result<(), Failure> {
    let (first, last) = bounds(target);
    txn.open_table(table)?.retain_in::<&[u8], _>(first.as_slice()..=last.as_slice(), |_, _| false)?;
    Ok(())
}

fn notes(txn: &ReadTransaction) -> Result<Vec<(Digest, Note)>, Failure> {
    let table = txn.open_table(TRAVEL)?;
    let mut notes = Vec::with_capacity(usize::try_from(table.len()?).unwrap_or(0));
    for row in table.iter()? {
        let (digest, note) = row?;
        if let Ok(digest) = <[u8; 32]>::try_from(digest.value()) {
            notes.push((Digest(digest), Note::open(note.value())?));
        }
    }
    Ok(notes)
}

fn state(bytes: &[u8]) -> Result<TargetState, Failure> {
    let what = "how far the exchange with a server has got".to_owned();
    Ok(envelope::open(Kind::Target, TARGET_VERSION, bytes)
        .map_err(|source| StoreError::Damaged { what, source })?)
}

fn put_state(txn: &WriteTransaction, target: Uuid, state: &TargetState) -> Result<(), Failure> {
    let what = "how far the exchange with a server has got".to_owned();
    let bytes = envelope::seal(Kind::Target, TARGET_VERSION, Codec::Plain, state)
        .map_err(|source| StoreError::Unkeepable { what, source })?;
    tables::put(txn, TARGETS, target.as_u128(), &bytes)
}

fn state_in(txn: &WriteTransaction, target: Uuid) -> Result<TargetState, Failure> {
    match tables::row_in(txn, TARGETS, target.as_u128())? {
        Some(bytes) => state(&bytes),
        None => Ok(TargetState::default()),
    }
}

fn put_refusal(
    txn: &WriteTransaction,
    target: Uuid,
    digest: Digest,
    refusal: &Refusal,
) -> Result<(), Failure> {
    let bytes = envelope::seal(Kind::Target, TARGET_VERSION, Codec::Plain, refusal)
        .map_err(|source| StoreError::Unkeepable { what: "why a record was refused".to_owned(), source })?;
    txn.open_table(REFUSED)?.insert(key(target, digest).as_slice(), bytes.as_slice())?;
    Ok(())
}

impl Store {
    /// How far the exchange with a server has got; the default before it began.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn target_state(&self, target: Uuid) -> Result<TargetState, StoreError> {
        self.read("reading how far the exchange has got", |txn| {
            tables::row(txn, TARGETS, target.as_u128())?
                .map_or_else(|| Ok(TargetState::default()), |bytes| state(&bytes))
        })
    }

    /// Begins anew with a server that is not what it was: nothing is confirmed, and all of its changes are asked for.
    ///
    /// # Errors
    /// When it is not safe on disk.
    pub fn begin_target(&self, target: Uuid, epoch: Uuid, deletion: Option<Uuid>) -> Result<(), StoreError> {
        self.write("beginning the exchange anew", |txn| {
            clear(txn, CONFIRMED, target)?;
            clear(txn, REFUSED, target)?;
            let reached = state_in(txn, target)?.reached;
            let anew = TargetState { epoch: Some(epoch), deletion, reached, ..TargetState::default() };
            put_state(txn, target, &anew)
        })
    }

    /// Asks for all of a server's changes again: what was passed over may be readable now.
    ///
    /// # Errors
    /// When it is not safe on disk.
    pub fn reread_target(&self, target: Uuid) -> Result<(), StoreError> {
        self.write("reading the server anew", |txn| {
            let state = state_in(txn, target)?;
            let anew = TargetState { cursor: 0, at_cursor: None, newer: 0, reader: String::new(), ..state };
            put_state(txn, target, &anew)
        })
    }

    /// Keeps that everything has been exchanged.
    ///
    /// # Errors
    /// When it is not safe on disk.
    pub fn reached_target(&self, target: Uuid, now: Timestamp) -> Result<(), StoreError> {
        self.write("saving how far the exchange has got", |txn| {
            let state = state_in(txn, target)?;
            put_state(txn, target, &TargetState { reached: Some(now), ..state })
        })
    }

    /// Forgets what was exchanged with a server. History stays.
    ///
    /// # Errors
    /// When it is not safe on disk.
    pub fn forget_target(&self, target: Uuid) -> Result<(), StoreError> {
        self.write("forgetting the exchange", |txn| {
            clear(txn, CONFIRMED, target)?;
            clear(txn, REFUSED, target)?;
            tables::take(txn, TARGETS, target.as_u128()).map(drop)
        })
    }

    /// What waits to be sent, oldest runs first; changes to a run follow once the server has the run.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn waiting(&self, target: Uuid, choice: &Choice) -> Result<Vec<Waiting>, StoreError> {
        self.read("reading what waits to be sent", |txn| {
            let notes = notes(txn)?;
            let (there, refused) = (digests(txn, CONFIRMED, target)?, digests(txn, REFUSED, target)?);
            let shared: BTreeSet<Uuid> = notes
                .iter()
                .filter(|(digest, note)| {
                    note.kind == RecordKind::Run && note.author.is_none() && there.contains(digest)
                })
                .map(|(_, note)| note.subject)
                .collect();
            let mut latest: BTreeMap<Uuid, _> = BTreeMap::new();
            for (digest, note) in notes.iter().filter(|(_, note)| note.kind == RecordKind::Plan) {
                let newest = latest.entry(note.subject).or_insert((note.stamp, *digest));
                *newest = (note.stamp, *digest).max(*newest);
            }
            let mut waiting = Vec::new();
            for (digest, note) in notes {
                if note.author.is_some()
                    || note.is_gone
                    || there.contains(&digest)
                    || refused.contains(&digest)
                {
                    continue;
                }
                let goes = match note.kind {
                    RecordKind::Run => run_goes(txn, note.subject, choice)?,
                    RecordKind::Annotation | RecordKind::Tombstone | RecordKind::Metrics => {
                        shared.contains(&note.subject)
                    }
                    RecordKind::Plan => {
                        choice.takes_plan_of(note.stamp.time_us)
                            && latest.get(&note.subject).is_some_and(|(_, newest)| *newest == digest)
                    }
                };
                if goes {
                    waiting.push(Waiting { digest, kind: note.kind, subject: note.subject });
                }
            }
            // Ids of runs sort by their time.
            waiting.sort_by_key(|waiting| (waiting.kind, waiting.subject, waiting.digest));
            Ok(waiting)
        })
    }

    /// The bytes of a record; none if it is not here any more.
    ///
    /// # Errors
    /// When it cannot be read, or is not what it was.
    pub fn record(&self, digest: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let bytes = self.read("reading a record", |txn| {
            let Some(note) = txn.open_table(TRAVEL)?.get(digest.0.as_slice())? else { return Ok(None) };
            let note = Note::open(note.value())?;
            if note.kind == RecordKind::Run {
                return tables::row(txn, tables::RECORDS, note.subject.as_u128());
            }
            let bytes = txn.open_table(travel::BYTES)?.get(digest.0.as_slice())?;
            Ok(bytes.map(|bytes| bytes.value().to_vec()))
        })?;
        // Of a run that another record of it took the place of, the bytes are another's.
        Ok(bytes.filter(|bytes| Digest::of(bytes) == digest))
    }

    /// Those of the digests that were never here.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn unknown(&self, asked: &[Digest]) -> Result<BTreeSet<Digest>, StoreError> {
        self.read("reading which records are here", |txn| {
            let table = txn.open_table(TRAVEL)?;
            let mut unknown = BTreeSet::new();
            for digest in asked {
                if table.get(digest.0.as_slice())?.is_none() {
                    unknown.insert(*digest);
                }
            }
            Ok(unknown)
        })
    }

    /// Keeps that a server has records.
    ///
    /// # Errors
    /// When it is not safe on disk.
    pub fn confirm(&self, target: Uuid, digests: &[Digest]) -> Result<(), StoreError> {
        self.write("saving what the server has", |txn| confirm(txn, target, digests))
    }

    /// Keeps that a record needs a person's attention.
    ///
    /// # Errors
    /// When it is not safe on disk.
    pub fn refuse(&self, target: Uuid, digest: Digest, refusal: &Refusal) -> Result<(), StoreError> {
        self.write("saving why a record was refused", |txn| put_refusal(txn, target, digest, refusal))
    }

    /// What needs a person's attention.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn refused(&self, target: Uuid) -> Result<Vec<(Digest, Refusal)>, StoreError> {
        self.read("reading what was refused", |txn| {
            let (first, last) = bounds(target);
            let table = txn.open_table(REFUSED)?;
            let mut found = Vec::new();
            for row in table.range::<&[u8]>(first.as_slice()..=last.as_slice())? {
                let (key, bytes) = row?;
                let refusal = envelope::open(Kind::Target, TARGET_VERSION, bytes.value());
                if let (Some(digest), Ok(refusal)) = (digest_of(key.value()), refusal) {
                    found.push((digest, refusal));
                }
            }
            Ok(found)
        })
    }

    /// Lets everything that was refused be tried again.
    ///
    /// # Errors
    /// When it is not safe on disk.
    pub fn forgive(&self, target: Uuid) -> Result<(), StoreError> {
        self.write("trying again what was refused", |txn| clear(txn, REFUSED, target))
    }

    /// Takes in what came from a server, all of it or nothing.
    ///
    /// # Errors
    /// When it is not safe on disk.
    pub fn take_in(&self, target: Uuid, page: &Page, now: Timestamp) -> Result<Arrivals, StoreError> {
        self.write("taking in what came from the server", |txn| take_in(txn, target, page, now))
    }

    /// The runs that a server has, as they are here.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn shared_runs(&self, target: Uuid) -> Result<BTreeSet<RunId>, StoreError> {
        self.read("reading what the server has", |txn| {
            let there = digests(txn, CONFIRMED, target)?;
            let table = txn.open_table(TRAVEL)?;
            let mut runs = BTreeSet::new();
            for digest in there {
                let Some(note) = table.get(digest.0.as_slice())? else { continue };
                let note = Note::open(note.value())?;
                if note.kind == RecordKind::Run && !note.is_gone {
                    runs.insert(RunId(note.subject));
                }
            }
            Ok(runs)
        })
    }

    /// Who measured the runs of other people.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn authors(&self) -> Result<BTreeMap<RunId, Author>, StoreError> {
        self.read("reading who measured the runs", |txn| {
            let runs = notes(txn)?.into_iter().filter(|(_, note)| note.kind == RecordKind::Run);
            Ok(runs
                .filter(|(_, note)| !note.is_gone)
                .filter_map(|(_, note)| Some((RunId(note.subject), note.author?)))
                .collect())
        })
    }
}

fn run_goes(txn: &ReadTransaction, id: Uuid, choice: &Choice) -> Result<bool, Failure> {
    let Some(bytes) = tables::row(txn, tables::SUMMARIES, id.as_u128())? else { return Ok(false) };
    // A row that cannot be read is mended at the next opening.
    Ok(tables::open_summary(&bytes).is_ok_and(|run| choice.takes_run(&run)))
}

fn confirm(txn: &WriteTransaction, target: Uuid, digests: &[Digest]) -> Result<(), Failure> {
    let mut table = txn.open_table(CONFIRMED)?;
    for digest in digests {
        table.insert(key(target, *digest).as_slice(), [].as_slice())?;
    }
    Ok(())
}

fn take_in(txn: &WriteTransaction, target: Uuid, page: &Page, now: Timestamp) -> Result<Arrivals, Failure> {
    let mut shown: BTreeMap<RunId, Shown> = BTreeMap::new();
    let mut arrivals = Arrivals::default();
    for arrived in &page.arrived {
        arrivals.plans |= matches!(arrived.record, Record::Plan(_)) && arrived.author.is_none();
        let now_shown =
            travel::arrive(txn, arrived.digest, &arrived.record, &arrived.bytes, arrived.author.clone())?;
        if let Some(mut now_shown) = now_shown {
            let id = now_shown.summary.id;
            if let Some(before) = shown.get(&id) {
                now_shown.was_deleted = before.was_deleted;
            }
            shown.insert(id, now_shown);
        }
    }
    for (id, shown) in shown {
        if shown.is_deleted && !shown.was_deleted {
            tables::put(txn, HELD, id.0.as_u128(), &now.as_microsecond().to_le_bytes())?;
            arrivals.deleted.push(shown.summary);
        } else if !shown.is_deleted {
            let_go(txn, id)?;
            arrivals.runs.push(shown.summary);
        }
    }
    confirm(txn, target, &page.there)?;
    for (digest, refusal) in &page.refused {
        put_refusal(txn, target, *digest, refusal)?;
    }
    let state = state_in(txn, target)?;
    let newer = state.newer + page.newer;
    let reader = if page.newer > 0 { env!("CARGO_PKG_VERSION").to_owned() } else { state.reader.clone() };
    let (cursor, at_cursor) = (page.cursor, page.at_cursor.or(state.at_cursor));
    put_state(txn, target, &TargetState { cursor, at_cursor, newer, reader, ..state })?;
    Ok(arrivals)
}
