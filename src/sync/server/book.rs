//! The records of one space: a log without a hole, and what was read of it so far.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use futures_util::TryStreamExt as _;
use futures_util::future::join_all;
use jiff::Timestamp;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::answer::Refusal;
use super::{Person, ServeError};
use crate::model::digest::Digest;
use crate::model::record::{Record, RecordKind, Stamp};
use crate::sync::words::{Change, GONE};

/// Entries asked for at once when there are many to read.
const READ_AT_ONCE_MAX: usize = 64;
/// Others that take the next number before us, one after another, before a request is given up.
const CONFLICTS_MAX: usize = 1000;
/// The longest from the bytes of a record to its entry: much shorter than [`super::Limits::orphan_age`], after which bytes
/// without an entry are nobody's.
const TAKING_MAX: Duration = Duration::from_secs(10 * 60);

const EPOCH: &str = "epoch";
/// Of a space: another one whenever what was read of it is old.
const TURN: &str = "turn";
/// Of a space: another, later one with each deletion of the account that it belongs to.
const DELETION: &str = "deletion";

/// What is noted of a record. Never changed but to make it [`GONE`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) digest: Digest,
    pub(super) kind: String,
    #[serde(default)]
    pub(super) size: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) author: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) author_name: String,
    /// The run or plan that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) subject: Option<Uuid>,
    /// Of a tombstone: when it was said, and whether the run is deleted by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tombstone: Option<(Stamp, bool)>,
    /// By the server's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) taken: Option<Timestamp>,
    /// Where its bytes are: another place for each upload, so that no upload can ever want what another left behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<Uuid>,
}

/// What was read so far of a space's log.
#[derive(Debug)]
pub(super) struct Book {
    root: Path,
    pub(super) entries: Vec<Entry>,
    pub(super) at: HashMap<Digest, usize>,
    pub(super) used_bytes: u64,
    turn: Option<Uuid>,
}

/// Whether a record was new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// It has this number now.
    Taken(u64),
    /// It had this number.
    WasThere(u64),
}

impl Entry {
    pub(super) fn of(record: &Record, digest: Digest, size: u64, author: &Person, now: Timestamp) -> Self {
        let tombstone = match record {
            Record::Tombstone(tombstone) => Some((tombstone.stamp, tombstone.is_deleted)),
            Record::Run(_) | Record::Annotation(_) | Record::Plan(_) | Record::Metrics(_) => None,
        };
        Self {
            digest,
            kind: record.kind().name().to_owned(),
            size,
            author: author.subject.clone(),
            author_name: author.name.clone(),
            subject: Some(record.subject()),
            tombstone,
            taken: Some(now),
            place: Some(Uuid::now_v7()),
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        self.kind == GONE
    }

    fn gone(digest: Digest) -> Self {
        Self {
            digest,
            kind: GONE.to_owned(),
            size: 0,
            author: String::new(),
            author_name: String::new(),
            subject: None,
            tombstone: None,
            taken: None,
            place: None,
        }
    }

    fn change(&self, seq: u64) -> Change {
        Change {
            seq,
            digest: self.digest,
            kind: self.kind.clone(),
            size: self.size,
            author: self.author.clone(),
            author_name: self.author_name.clone(),
        }
    }
}

impl Book {
    /// Of the space with this key, nothing read yet.
    pub(super) fn new(key: &str) -> Self {
        let root = Path::from(format!("spaces/{key}"));
        Self { root, entries: Vec::new(), at: HashMap::new(), used_bytes: 0, turn: None }
    }

    /// Reads on to the end of the log; from its start where entries were rewritten.
    pub(super) async fn catch_up(&mut self, store: &dyn ObjectStore) -> Result<(), StoreError> {
        let turn = id(store, &self.root.clone().join(TURN)).await?;
        if turn != self.turn {
            self.forget();
            self.turn = turn;
        }
        let mut at_once = 1;
        loop {
            let first = self.entries.len() + 1;
            let paths: Vec<Path> = (first..first + at_once).map(|seq| self.entry_path(seq)).collect();
            let read = join_all(paths.iter().map(|path| bytes(store, path))).await;
            for bytes in read {
                let Some(bytes) = bytes? else { return Ok(()) };
                self.note(parsed(&bytes)?);
            }
            at_once = (at_once * 2).min(READ_AT_ONCE_MAX);
        }
    }

    /// Keeps a record: its bytes first, then its entry.
    pub(super) async fn put(
        &mut self,
        store: &dyn ObjectStore,
        entry: Entry,
        body: Bytes,
        space_bytes: u64,
    ) -> Result<Put, Refusal> {
        let (mut is_kept, began) = (false, Instant::now());
        let place = self.record_path(&entry);
        let json = serde_json::to_vec(&entry).map_err(|error| Refusal::Busy(error.to_string()))?;
        for _ in 0..CONFLICTS_MAX {
            self.catch_up(store).await?;
            if let Some(&at) = self.at.get(&entry.digest) {
                let (there, seq) = (&self.entries[at], at as u64 + 1);
                if is_kept && there.place == entry.place {
                    // The store had taken our entry, though it said that another was first.
                    return Ok(Put::Taken(seq));
                }
                let put = if there.is_gone() { Err(Refusal::Gone) } else { Ok(Put::WasThere(seq)) };
                if is_kept {
                    delete(store, &place).await?;
                }
                return put;
            }
            if self.used_bytes.saturating_add(entry.size) > space_bytes {
                return Err(Refusal::Quota(space_bytes));
            }
            if !is_kept {
                store.put(&place, body.clone().into()).await?;
                is_kept = true;
            }
            if began.elapsed() >= TAKING_MAX {
                return Err(Refusal::Busy("the store is too slow".to_owned()));
            }
            let seq = self.entries.len() + 1;
            match create(store, &self.entry_path(seq), json.clone()).await {
                Ok(()) => {
                    self.note(entry);
                    return Ok(Put::Taken(seq as u64));
                }
                Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Refusal::Busy("others took every number of the log before us".to_owned()))
    }

    /// The bytes of a record.
    pub(super) fn record_path(&self, entry: &Entry) -> Path {
        let name = match entry.place {
            Some(place) => format!("{}-{place}", entry.digest),
            None => entry.digest.to_string(),
        };
        self.root.clone().join("records").join(name)
    }

    /// The bytes of all records.
    pub(super) fn record_paths(&self) -> HashSet<Path> {
        let kept = self.entries.iter().filter(|entry| !entry.is_gone());
        kept.map(|entry| self.record_path(entry)).collect()
    }

    /// What was taken after a number, and whether there is more.
    pub(super) fn changes(&self, after: u64, limit: usize) -> (Vec<Change>, bool) {
        let first = usize::try_from(after).unwrap_or(usize::MAX).min(self.entries.len());
        let numbered = (first as u64 + 1..).zip(&self.entries[first..]);
        let changes: Vec<Change> = numbered.take(limit).map(|(seq, entry)| entry.change(seq)).collect();
        let more = first + changes.len() < self.entries.len();
        (changes, more)
    }

    /// The places of runs whose own author deleted them so long before `now` that they are not kept any more.
    pub(super) fn deleted_by_their_authors(&self, now: Timestamp, grace_secs: i64) -> Vec<usize> {
        let mut latest = HashMap::new();
        for entry in &self.entries {
            if let (Some(run), Some((stamp, is_deleted))) = (entry.subject, entry.tombstone) {
                // As machines fold: by stamp and then by digest.
                let said = ((stamp, entry.digest), is_deleted, entry.taken);
                let kept = latest.entry((run, entry.author.as_str())).or_insert(said);
                if said.0 > kept.0 {
                    *kept = said;
                }
            }
        }
        // By the server's clock, as a stamp is what somebody claims.
        let is_over = |entry: &Entry| {
            let said = entry.subject.and_then(|run| latest.get(&(run, entry.author.as_str())));
            said.is_some_and(|(_, is_deleted, taken)| {
                *is_deleted && taken.is_some_and(|taken| now.as_second() - taken.as_second() >= grace_secs)
            })
        };
        let measured = [RecordKind::Run.name(), RecordKind::Metrics.name()];
        let places = self.entries.iter().enumerate();
        places
            .filter(|(_, entry)| measured.contains(&entry.kind.as_str()) && is_over(entry))
            .map(|(at, _)| at)
            .collect()
    }

    /// Deletes records for good; their numbers and digests stay. Bytes first: whatever breaks it off, it is done again.
    pub(super) async fn erase(
        &mut self,
        store: &dyn ObjectStore,
        places: &[usize],
    ) -> Result<(), StoreError> {
        for &at in places {
            let entry = &self.entries[at];
            delete(store, &self.record_path(entry)).await?;
            let json = serde_json::to_vec(&Entry::gone(entry.digest)).unwrap_or_default();
            store.put(&self.entry_path(at + 1), json.into()).await?;
        }
        if places.is_empty() { Ok(()) } else { self.turn_over(store).await }
    }

    /// Deletes the whole space. Nothing stays but two ids that say nothing: that what was read of it is old, and what says to
    /// the machines that have shared it that they are not to send it again.
    pub(super) async fn wipe(&mut self, store: &dyn ObjectStore) -> Result<(), StoreError> {
        // Before anything is deleted: a machine that looks meanwhile sends nothing.
        let deletion = self.root.clone().join(DELETION);
        store.put(&deletion, Uuid::now_v7().to_string().into_bytes().into()).await?;
        loop {
            let all: Vec<_> = store.list(Some(&self.root)).try_collect().await?;
            let stays = [self.root.clone().join(TURN), deletion.clone()];
            let places: Vec<Path> =
                all.into_iter().map(|meta| meta.location).filter(|place| !stays.contains(place)).collect();
            if places.is_empty() {
                return self.turn_over(store).await;
            }
            for place in places {
                delete(store, &place).await?;
            }
        }
    }

    /// Which of these were never taken.
    pub(super) fn missing(&self, digests: Vec<Digest>) -> Vec<Digest> {
        let mut asked = HashSet::new();
        digests.into_iter().filter(|digest| !self.at.contains_key(digest) && asked.insert(*digest)).collect()
    }

    /// Says to every server that what it has read is old.
    async fn turn_over(&mut self, store: &dyn ObjectStore) -> Result<(), StoreError> {
        let turn = Uuid::now_v7();
        store.put(&self.root.clone().join(TURN), turn.to_string().into_bytes().into()).await?;
        self.forget();
        Ok(())
    }

    fn forget(&mut self) {
        self.entries.clear();
        self.at.clear();
        self.used_bytes = 0;
        self.turn = None;
    }

    fn note(&mut self, entry: Entry) {
        self.at.insert(entry.digest, self.entries.len());
        self.used_bytes += entry.size;
        self.entries.push(entry);
    }

    fn entry_path(&self, seq: usize) -> Path {
        self.root.clone().join("log").join(format!("{seq:016}"))
    }
}

/// The store's own id, made with it.
pub(super) async fn epoch(store: &dyn ObjectStore) -> Result<Uuid, ServeError> {
    let (place, made) = (Path::from(EPOCH), Uuid::now_v7());
    match create(store, &place, made.to_string().into_bytes()).await {
        Ok(()) => return Ok(made),
        Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => {}
        Err(error) => return Err(unusable(error)),
    }
    id(store, &place).await.map_err(unusable)?.ok_or(ServeError::Foreign)
}

fn unusable(error: StoreError) -> ServeError {
    match error {
        StoreError::Unauthenticated { .. } | StoreError::PermissionDenied { .. } => ServeError::Denied(error),
        error => ServeError::Store(error),
    }
}

/// Whether the store answers and is still the one that was begun with.
pub(super) async fn is_ready(store: &dyn ObjectStore) -> bool {
    matches!(bytes(store, &Path::from(EPOCH)).await, Ok(Some(_)))
}

/// The keys of all spaces that start so.
pub(super) async fn keys(store: &dyn ObjectStore, start: &str) -> Result<Vec<String>, StoreError> {
    let found = store.list_with_delimiter(Some(&Path::from("spaces"))).await?;
    let names = found.common_prefixes.iter().filter_map(|path| path.filename().map(str::to_owned));
    Ok(names.filter(|name| name.starts_with(start)).collect())
}

/// Says of a space when its account was last deleted, in an order but not in time; none where it never was.
pub(super) async fn deletion(store: &dyn ObjectStore, key: &str) -> Result<Option<Uuid>, StoreError> {
    id(store, &Path::from(format!("spaces/{key}/{DELETION}"))).await
}

/// Deletes bytes of a space that none of its entries names: of uploads that were broken off between the two. How many.
///
/// `named` is what the entries name now. It harms no upload, here or at another server: each has a place of its own, and none
/// lasts as long as `age`, so that what is so old and not named never will be. None where the log has a hole, because behind it
/// are entries that were not read.
pub(super) async fn collect(
    store: &dyn ObjectStore,
    key: &str,
    named: &HashSet<Path>,
    (now, age): (Timestamp, Duration),
) -> Result<Option<usize>, StoreError> {
    if has_hole(store, &Path::from(format!("spaces/{key}/log"))).await? {
        return Ok(None);
    }
    let records = Path::from(format!("spaces/{key}/records"));
    let mut listed = store.list(Some(&records));
    let mut collected = 0;
    while let Some(found) = listed.try_next().await? {
        let since = now.as_second().saturating_sub(found.last_modified.timestamp());
        let is_old = u64::try_from(since).is_ok_and(|since| since >= age.as_secs());
        if is_old && !named.contains(&found.location) {
            delete(store, &found.location).await?;
            collected += 1;
        }
    }
    Ok(Some(collected))
}

/// Whether a log has a greatest number that is not that of its entries.
async fn has_hole(store: &dyn ObjectStore, log: &Path) -> Result<bool, StoreError> {
    let (mut count, mut last) = (0_u64, 0);
    let mut listed = store.list(Some(log));
    while let Some(found) = listed.try_next().await? {
        count += 1;
        last = found.location.filename().and_then(|name| name.parse().ok()).unwrap_or(u64::MAX).max(last);
    }
    Ok(count != last)
}

async fn id(store: &dyn ObjectStore, place: &Path) -> Result<Option<Uuid>, StoreError> {
    let found = bytes(store, place).await?;
    Ok(found.and_then(|bytes| std::str::from_utf8(&bytes).ok()?.trim().parse().ok()))
}

/// An object's bytes; none where there is none.
pub(super) async fn bytes(store: &dyn ObjectStore, place: &Path) -> Result<Option<Bytes>, StoreError> {
    match store.get(place).await {
        Ok(found) => found.bytes().await.map(Some),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn create(store: &dyn ObjectStore, place: &Path, bytes: Vec<u8>) -> Result<(), StoreError> {
    let options = PutOptions::from(PutMode::Create);
    store.put_opts(place, bytes.into(), options).await.map(drop)
}

async fn delete(store: &dyn ObjectStore, place: &Path) -> Result<(), StoreError> {
    match store.delete(place).await {
        Err(StoreError::NotFound { .. }) => Ok(()),
        result => result,
    }
}

fn parsed(bytes: &[u8]) -> Result<Entry, StoreError> {
    let broken = |error| StoreError::Generic { store: "an entry of the log", source: Box::new(error) };
    serde_json::from_slice(bytes).map_err(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(number: u8, kind: &str, author: &str, tombstone: Option<(u64, bool)>) -> Entry {
        let stamp = |time_us| Stamp { time_us, device: Uuid::from_u128(1 << 100) };
        Entry {
            digest: Digest::of(&[number]),
            kind: kind.to_owned(),
            size: 1,
            author: author.to_owned(),
            author_name: author.to_owned(),
            subject: Some(Uuid::from_u128(7 << 100)),
            tombstone: tombstone.map(|(time_us, is_deleted)| (stamp(time_us), is_deleted)),
            taken: Some(Timestamp::from_second(1000).unwrap()),
            place: None,
        }
    }

    #[test]
    fn a_deletion_counts_after_the_grace_if_the_latest_word_of_the_author_is_so() {
        let over = |told: &[Entry], second: i64| {
            let mut book = Book::new("x");
            book.note(entry(0, "run", "ann", None));
            told.iter().cloned().for_each(|entry| book.note(entry));
            book.deleted_by_their_authors(Timestamp::from_second(second).unwrap(), 100)
        };
        let deleted = entry(1, "tombstone", "ann", Some((5, true)));
        assert_eq!(over(std::slice::from_ref(&deleted), 1099), Vec::<usize>::new());
        assert_eq!(over(std::slice::from_ref(&deleted), 1100), [0]);
        let back = entry(2, "tombstone", "ann", Some((6, false)));
        assert!(over(&[back.clone(), deleted.clone()], 2000).is_empty());
        assert!(over(&[deleted, back], 2000).is_empty());
        assert!(over(&[entry(1, "tombstone", "bob", Some((9, true)))], 2000).is_empty());
        // Two copies of one machine may say two things at one time: then the larger digest counts, as it does there.
        let mut both =
            [entry(3, "tombstone", "ann", Some((7, true))), entry(4, "tombstone", "ann", Some((7, false)))];
        both.sort_by_key(|entry| entry.digest);
        let is_deleted = both[1].tombstone == Some((both[0].tombstone.unwrap().0, true));
        assert_eq!(over(&both, 2000).is_empty(), !is_deleted);
        both.reverse();
        assert_eq!(over(&both, 2000).is_empty(), !is_deleted);
    }
}
