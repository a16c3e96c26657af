//! The records by which a history is the same on several machines, beside the tables that it is shown from.
//!
//! ```text
//! travel   digest            → note       every record that is or was here
//! bytes    digest            → envelope   of annotations, tombstones, plans and metrics; a run's is in `records`
//! about    subject ‖ digest  → nothing    the records about a run or plan
//! ```
//! What is shown of a run is the fold of the records about it: of each of name, labels, note and whether it is deleted, the
//! one said last, by stamp and then by digest. What is said here is stamped later than all that is known, so it need not be
//! folded to be shown; what comes from elsewhere is.

use jiff::Timestamp;
use redb::{ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::model::digest::Digest;
use crate::model::envelope::{self, Codec, EnvelopeError, Kind};
use crate::model::metrics::RunMetrics;
use crate::model::metrics::kept::RUN_METRICS_VERSION;
use crate::model::plan::PLAN_VERSION;
use crate::model::record::{Annotation, PlanRevision, RECORD_VERSION, Record, RecordKind, Stamp, Tombstone};
use crate::model::run::RunEdit;
use crate::model::sync::Author;
use crate::model::{Plan, Run, RunId, RunSummary};

use super::error::{Failure, StoreError};
use super::tables::{self, Edits, META};

const NOTE_VERSION: u32 = 1;
const DEVICE_KEY: &str = "device";
const CLOCK_KEY: &str = "clock";
/// The stamp of what was said before there were stamps: whatever is said later counts more.
const LONG_AGO_US: u64 = 1;

/// A table of envelopes, or of nothing, under bytes.
pub(super) type ByBytes = TableDefinition<'static, &'static [u8], &'static [u8]>;

pub(super) const TRAVEL: ByBytes = ByBytes::new("travel");
pub(super) const BYTES: ByBytes = ByBytes::new("bytes");
pub(super) const ABOUT: ByBytes = ByBytes::new("about");

/// What is known of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    pub(super) kind: RecordKind,
    /// The run or plan that it is about.
    pub(super) subject: Uuid,
    /// When it was said; the default of a run.
    pub(super) stamp: Stamp,
    /// None if it is this person's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) author: Option<Author>,
    /// Whether only this note is left of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_gone: bool,
}

impl Note {
    fn of(record: &Record, author: Option<Author>) -> Self {
        Self {
            kind: record.kind(),
            subject: record.subject(),
            stamp: record.stamp().unwrap_or_default(),
            author,
            is_gone: false,
        }
    }

    fn of_run(id: RunId, author: Option<Author>) -> Self {
        Self { kind: RecordKind::Run, subject: id.0, stamp: Stamp::default(), author, is_gone: false }
    }

    pub(super) fn open(bytes: &[u8]) -> Result<Self, Failure> {
        Ok(envelope::open(Kind::Travel, NOTE_VERSION, bytes).map_err(damaged("what is known of a record"))?)
    }

    fn sealed(&self) -> Result<Vec<u8>, Failure> {
        Ok(envelope::seal(Kind::Travel, NOTE_VERSION, Codec::Plain, self).map_err(|source| {
            StoreError::Unkeepable { what: "what is known of a record".to_owned(), source }
        })?)
    }
}

/// What the records about a run say.
struct Fold {
    edits: Vec<RunEdit>,
    is_deleted: bool,
}

fn damaged(what: &'static str) -> impl Fn(EnvelopeError) -> StoreError {
    move |source| StoreError::Damaged { what: what.to_owned(), source }
}

/// Makes the tables, and names this installation.
pub(super) fn create(txn: &WriteTransaction) -> Result<(), Failure> {
    for table in [TRAVEL, BYTES, ABOUT] {
        txn.open_table(table)?;
    }
    txn.open_table(META)?.insert(DEVICE_KEY, Uuid::now_v7().as_bytes().as_slice())?;
    Ok(())
}

/// Makes records of what was kept before there were records.
pub(super) fn backfill(txn: &WriteTransaction) -> Result<(), Failure> {
    for (key, bytes) in tables::rows_in(txn, tables::RECORDS)? {
        note_run(txn, RunId(Uuid::from_u128(key)), &bytes, None)?;
    }
    for (_, bytes) in tables::rows_in(txn, tables::EDITS)? {
        // What cannot be read is said when its run is read.
        if let Ok(edits) = tables::open_edits(&bytes) {
            adopt(txn, &edits)?;
        }
    }
    for (key, bytes) in tables::rows_in(txn, tables::PLANS)? {
        if let Ok(plan) = tables::open_plan(&bytes) {
            adopt_plan(txn, Uuid::from_u128(key), &plan)?;
        }
    }
    Ok(())
}

/// Makes a record of a saved plan that came without any.
pub(super) fn adopt_plan(txn: &WriteTransaction, id: Uuid, plan: &Plan) -> Result<(), Failure> {
    say(txn, &revision(id, Some(plan), long_ago(txn)?))
}

/// Makes records of edits that came without any.
pub(super) fn adopt(txn: &WriteTransaction, edits: &Edits) -> Result<(), Failure> {
    let stamp = long_ago(txn)?;
    for edit in edits.each() {
        say(txn, &annotation(edits.run, edit, stamp))?;
    }
    Ok(())
}

/// The stamp of what is said now.
pub(super) fn stamp(txn: &WriteTransaction, now: Timestamp) -> Result<Stamp, Failure> {
    let device = device(txn)?;
    let latest = Stamp { time_us: clock(txn)?, device };
    let stamp = Stamp::after(latest, now, device);
    heard(txn, stamp)?;
    Ok(stamp)
}

fn long_ago(txn: &WriteTransaction) -> Result<Stamp, Failure> {
    Ok(Stamp { time_us: LONG_AGO_US, device: device(txn)? })
}

fn device(txn: &WriteTransaction) -> Result<Uuid, Failure> {
    let table = txn.open_table(META)?;
    let device = table.get(DEVICE_KEY)?.and_then(|bytes| Uuid::from_slice(bytes.value()).ok());
    Ok(device.unwrap_or_default())
}

fn clock(txn: &WriteTransaction) -> Result<u64, Failure> {
    let table = txn.open_table(META)?;
    let clock = table.get(CLOCK_KEY)?.and_then(|bytes| <[u8; 8]>::try_from(bytes.value()).ok());
    Ok(clock.map_or(0, u64::from_le_bytes))
}

/// What is said from now on is later than this.
fn heard(txn: &WriteTransaction, stamp: Stamp) -> Result<(), Failure> {
    if stamp.time_us > clock(txn)? {
        txn.open_table(META)?.insert(CLOCK_KEY, stamp.time_us.to_le_bytes().as_slice())?;
    }
    Ok(())
}

pub(super) fn annotation(run: RunId, edit: RunEdit, stamp: Stamp) -> Record {
    Record::Annotation(Annotation { version: RECORD_VERSION, run, stamp, edit })
}

pub(super) fn tombstone(run: RunId, is_deleted: bool, stamp: Stamp) -> Record {
    Record::Tombstone(Tombstone { version: RECORD_VERSION, run, stamp, is_deleted })
}

pub(super) fn revision(id: Uuid, plan: Option<&Plan>, stamp: Stamp) -> Record {
    Record::Plan(Box::new(PlanRevision { version: PLAN_VERSION, id, stamp, plan: plan.map(Plan::redacted) }))
}

/// Keeps a record that was made here and is no run.
pub(super) fn say(txn: &WriteTransaction, record: &Record) -> Result<(), Failure> {
    let unkeepable = |source| StoreError::Unkeepable { what: "the change".to_owned(), source };
    let bytes = record.seal().map_err(unkeepable)?;
    keep(txn, Digest::of(&bytes), record, &bytes, None)
}

/// Keeps a record that is no run.
fn keep(
    txn: &WriteTransaction,
    digest: Digest,
    record: &Record,
    bytes: &[u8],
    author: Option<Author>,
) -> Result<(), Failure> {
    let note = Note::of(record, author);
    heard(txn, note.stamp)?;
    txn.open_table(BYTES)?.insert(digest.0.as_slice(), bytes)?;
    put_note(txn, digest, &note)
}

pub(super) fn put_note(txn: &WriteTransaction, digest: Digest, note: &Note) -> Result<(), Failure> {
    txn.open_table(TRAVEL)?.insert(digest.0.as_slice(), note.sealed()?.as_slice())?;
    txn.open_table(ABOUT)?.insert(about_key(note.subject, digest).as_slice(), [].as_slice())?;
    Ok(())
}

pub(super) fn note(txn: &WriteTransaction, digest: Digest) -> Result<Option<Note>, Failure> {
    let table = txn.open_table(TRAVEL)?;
    let row = table.get(digest.0.as_slice())?;
    row.map(|bytes| Note::open(bytes.value())).transpose()
}

/// Notes the envelope of a run that is in `records`.
pub(super) fn note_run(
    txn: &WriteTransaction,
    id: RunId,
    bytes: &[u8],
    author: Option<Author>,
) -> Result<(), Failure> {
    put_note(txn, Digest::of(bytes), &Note::of_run(id, author))
}

/// Notes that of a record no more than its note is left.
pub(super) fn note_gone(txn: &WriteTransaction, digest: Digest, note: Note) -> Result<(), Failure> {
    txn.open_table(BYTES)?.remove(digest.0.as_slice())?;
    put_note(txn, digest, &Note { is_gone: true, ..note })
}

/// The records about a run or plan.
pub(super) fn about(txn: &WriteTransaction, subject: Uuid) -> Result<Vec<(Digest, Note)>, Failure> {
    about_in(&txn.open_table(ABOUT)?, &txn.open_table(TRAVEL)?, subject)
}

fn about_in(
    about: &impl ReadableTable<&'static [u8], &'static [u8]>,
    travel: &impl ReadableTable<&'static [u8], &'static [u8]>,
    subject: Uuid,
) -> Result<Vec<(Digest, Note)>, Failure> {
    let (first, last) = (about_key(subject, Digest([0; 32])), about_key(subject, Digest([0xff; 32])));
    let mut found = Vec::new();
    for row in about.range::<&[u8]>(first.as_slice()..=last.as_slice())? {
        let Ok(digest) = <[u8; 32]>::try_from(&row?.0.value()[16..]) else { continue };
        if let Some(note) = travel.get(digest.as_slice())? {
            found.push((Digest(digest), Note::open(note.value())?));
        }
    }
    Ok(found)
}

/// What sources of metrics showed over a run: of several records the one taken last, of whoever measured the run.
pub(super) fn metrics(txn: &ReadTransaction, id: RunId) -> Result<Option<Box<RunMetrics>>, Failure> {
    let about = about_in(&txn.open_table(ABOUT)?, &txn.open_table(TRAVEL)?, id.0)?;
    let owner = owner(&about);
    let bytes = txn.open_table(BYTES)?;
    let mut latest: Option<(Timestamp, Digest, Box<RunMetrics>)> = None;
    for (digest, note) in &about {
        let counts =
            note.kind == RecordKind::Metrics && !note.is_gone && is_same(note.author.as_ref(), owner);
        let Some(row) = bytes.get(digest.0.as_slice())?.filter(|_| counts) else { continue };
        let metrics: Box<RunMetrics> = envelope::open(Kind::Metrics, RUN_METRICS_VERSION, row.value())
            .map_err(|source| StoreError::Damaged { what: format!("the metrics of the run {id}"), source })?;
        let is_later = |(taken, by, _): &(Timestamp, Digest, _)| (metrics.taken, *digest) > (*taken, *by);
        if latest.as_ref().is_none_or(is_later) {
            latest = Some((metrics.taken, *digest, metrics));
        }
    }
    Ok(latest.map(|(_, _, metrics)| metrics))
}

/// Keeps what sources of metrics showed over a run.
pub(super) fn keep_metrics(txn: &WriteTransaction, metrics: &RunMetrics) -> Result<(), Failure> {
    say(txn, &Record::Metrics(Box::new(metrics.clone())))
}

fn about_key(subject: Uuid, digest: Digest) -> Vec<u8> {
    [subject.as_bytes().as_slice(), digest.0.as_slice()].concat()
}

/// Who measured a run, if that was another person; none also where there is no such run.
pub(super) fn owner(about: &[(Digest, Note)]) -> Option<&Author> {
    let run = about.iter().find(|(_, note)| note.kind == RecordKind::Run && !note.is_gone);
    run.and_then(|(_, note)| note.author.as_ref())
}

/// Takes in a record that came from elsewhere; the summary of its run as it is shown now, if it is about one that is here.
pub(super) fn arrive(
    txn: &WriteTransaction,
    digest: Digest,
    record: &Record,
    bytes: &[u8],
    author: Option<Author>,
) -> Result<Option<Shown>, Failure> {
    match record {
        Record::Run(run) => {
            if !arrive_run(txn, digest, run, bytes, author)? {
                return Ok(None);
            }
            settle(txn, run.id)
        }
        Record::Annotation(Annotation { run, .. }) | Record::Tombstone(Tombstone { run, .. }) => {
            keep(txn, digest, record, bytes, author)?;
            settle(txn, *run)
        }
        Record::Metrics(metrics) => {
            keep(txn, digest, record, bytes, author)?;
            settle(txn, metrics.run)
        }
        Record::Plan(revision) => {
            // Another person's plans are kept, not mixed into one's own.
            let is_own = author.is_none();
            keep(txn, digest, record, bytes, author)?;
            if is_own {
                settle_plan(txn, digest, revision)?;
            }
            Ok(None)
        }
    }
}

/// Whether the run is kept. Of two with one id a whole one counts more than one that was interrupted, then the one with the
/// smaller digest; never one of another person.
fn arrive_run(
    txn: &WriteTransaction,
    digest: Digest,
    run: &Run,
    bytes: &[u8],
    author: Option<Author>,
) -> Result<bool, Failure> {
    let about = about(txn, run.id.0)?;
    let kept = about.iter().find(|(_, note)| note.kind == RecordKind::Run && !note.is_gone);
    if let Some((kept, note)) = kept {
        let row = tables::row_in(txn, tables::RECORDS, run.id.0.as_u128())?;
        let was_interrupted = row.and_then(|bytes| tables::open_run(&bytes).ok()).map(|run| run.interrupted);
        let counts_more = is_same(note.author.as_ref(), author.as_ref())
            && was_interrupted.is_none_or(|was| (run.interrupted, digest) < (was, *kept));
        if !counts_more {
            put_note(txn, digest, &Note { is_gone: true, ..Note::of_run(run.id, author) })?;
            return Ok(false);
        }
        note_gone(txn, *kept, note.clone())?;
    }
    tables::put(txn, tables::RECORDS, run.id.0.as_u128(), bytes)?;
    note_run(txn, run.id, bytes, author)?;
    Ok(true)
}

/// A run as it is shown after records came in.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) summary: RunSummary,
    pub(super) is_deleted: bool,
    pub(super) was_deleted: bool,
}

/// Makes what is shown of a run what the records about it say; none if it is not here.
fn settle(txn: &WriteTransaction, id: RunId) -> Result<Option<Shown>, Failure> {
    let key = id.0.as_u128();
    let Some(bytes) = tables::row_in(txn, tables::RECORDS, key)? else { return Ok(None) };
    let mut run = tables::open_run(&bytes)
        .map_err(|source| StoreError::Damaged { what: format!("the run {id}"), source })?;
    let fold = fold(txn, id.0)?;
    let mut edits = Edits::none(id);
    for edit in fold.edits {
        edits.add(edit);
    }
    tables::put_edits(txn, &mut edits)?;
    edits.apply(&mut run);
    let was_deleted = tables::row_in(txn, tables::TRASH, key)?.is_some();
    let (to, from) =
        if fold.is_deleted { (tables::TRASH, tables::SUMMARIES) } else { (tables::SUMMARIES, tables::TRASH) };
    tables::take(txn, from, key)?;
    let summary = tables::put_summary(txn, to, &run.summary())?;
    Ok(Some(Shown { summary, is_deleted: fold.is_deleted, was_deleted }))
}

fn fold(txn: &WriteTransaction, subject: Uuid) -> Result<Fold, Failure> {
    let about = about(txn, subject)?;
    let owner = owner(&about).cloned();
    let mut latest: [Option<(Stamp, Digest, RunEdit)>; 3] = [None, None, None];
    let mut fate: Option<(Stamp, Digest, bool)> = None;
    for (digest, note) in &about {
        let counts = note.author.is_none() || is_same(note.author.as_ref(), owner.as_ref());
        if !counts || note.is_gone || matches!(note.kind, RecordKind::Run | RecordKind::Metrics) {
            continue;
        }
        let Some(record) = small(txn, *digest, note.kind)? else { continue };
        match record {
            Record::Annotation(said) => {
                let place = &mut latest[field(&said.edit)];
                if place.as_ref().is_none_or(|(stamp, by, _)| (said.stamp, *digest) > (*stamp, *by)) {
                    *place = Some((said.stamp, *digest, said.edit));
                }
            }
            Record::Tombstone(said)
                if fate.is_none_or(|(stamp, by, _)| (said.stamp, *digest) > (stamp, by)) =>
            {
                fate = Some((said.stamp, *digest, said.is_deleted));
            }
            _ => {}
        }
    }
    let edits = latest.into_iter().flatten().map(|(_, _, edit)| edit).collect();
    Ok(Fold { edits, is_deleted: fate.is_some_and(|(_, _, is_deleted)| is_deleted) })
}

/// People may change their names.
fn is_same(one: Option<&Author>, other: Option<&Author>) -> bool {
    one.map(|author| &author.subject) == other.map(|author| &author.subject)
}

const fn field(edit: &RunEdit) -> usize {
    match edit {
        RunEdit::Name(_) => 0,
        RunEdit::Labels(_) => 1,
        RunEdit::Note(_) => 2,
    }
}

/// The record that `bytes` has under a digest.
fn small(txn: &WriteTransaction, digest: Digest, kind: RecordKind) -> Result<Option<Record>, Failure> {
    let table = txn.open_table(BYTES)?;
    let Some(bytes) = table.get(digest.0.as_slice())? else { return Ok(None) };
    let bytes = bytes.value();
    let what = damaged("a change that was made to history");
    Ok(Some(match kind {
        RecordKind::Annotation => {
            Record::Annotation(envelope::open(Kind::Annotation, RECORD_VERSION, bytes).map_err(what)?)
        }
        RecordKind::Tombstone => {
            Record::Tombstone(envelope::open(Kind::Tombstone, RECORD_VERSION, bytes).map_err(what)?)
        }
        RecordKind::Plan => {
            Record::Plan(envelope::open(Kind::PlanRevision, PLAN_VERSION, bytes).map_err(what)?)
        }
        RecordKind::Run | RecordKind::Metrics => return Ok(None),
    }))
}

/// Makes a saved plan what its latest revision says, with the secrets that it has here.
fn settle_plan(txn: &WriteTransaction, digest: Digest, revision: &PlanRevision) -> Result<(), Failure> {
    let own = about(txn, revision.id)?.into_iter().filter(|(_, note)| note.author.is_none());
    let latest = own.map(|(digest, note)| (note.stamp, digest)).max();
    if latest.is_some_and(|(_, latest)| latest != digest) {
        return Ok(());
    }
    let key = revision.id.as_u128();
    let Some(plan) = &revision.plan else { return tables::take(txn, tables::PLANS, key).map(drop) };
    let here = tables::row_in(txn, tables::PLANS, key)?.and_then(|bytes| tables::open_plan(&bytes).ok());
    let plan = here.map_or_else(|| plan.clone(), |here| plan.with_secrets_of(&here));
    tables::put_plan(txn, revision.id, &plan)
}

/// Keeps a plan that was saved here.
pub(super) fn save_plan(
    txn: &WriteTransaction,
    id: Uuid,
    plan: &Plan,
    now: Timestamp,
) -> Result<(), Failure> {
    let before = tables::row_in(txn, tables::PLANS, id.as_u128())?;
    let before = before.and_then(|bytes| tables::open_plan(&bytes).ok());
    tables::put_plan(txn, id, plan)?;
    // A change of nothing but secrets is nobody else's.
    if before.is_some_and(|before| before.redacted() == plan.redacted()) {
        return Ok(());
    }
    say(txn, &revision(id, Some(plan), stamp(txn, now)?))
}

/// Deletes a plan; whether there was one.
pub(super) fn delete_plan(txn: &WriteTransaction, id: Uuid, now: Timestamp) -> Result<bool, Failure> {
    let was_there = tables::take(txn, tables::PLANS, id.as_u128())?;
    if was_there {
        say(txn, &revision(id, None, stamp(txn, now)?))?;
    }
    Ok(was_there)
}

/// Forgets what a run was, for good. Of what others may have, notes stay, so that it does not come back.
pub(super) fn forget_run(
    txn: &WriteTransaction,
    id: RunId,
    is_elsewhere: impl Fn(Digest) -> Result<bool, Failure>,
) -> Result<(), Failure> {
    let about = about(txn, id.0)?;
    let mut known_elsewhere = false;
    for (digest, _) in &about {
        known_elsewhere |= is_elsewhere(*digest)?;
    }
    for (digest, note) in about {
        if !known_elsewhere {
            txn.open_table(TRAVEL)?.remove(digest.0.as_slice())?;
            txn.open_table(BYTES)?.remove(digest.0.as_slice())?;
            txn.open_table(ABOUT)?.remove(about_key(id.0, digest).as_slice())?;
        } else if note.kind != RecordKind::Tombstone {
            note_gone(txn, digest, note)?;
        }
    }
    Ok(())
}
