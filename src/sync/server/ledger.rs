//! What a server keeps, in a store of objects that several servers may share.
//!
//! ```text
//! epoch                                made once, with the store
//! spaces/{space}/log/{seq}             what was taken, in order; made once each, so that two servers never take the same place
//! spaces/{space}/records/{digest}      the bytes, written before their place in the log
//! ```
//! Names of spaces are hashed: they hold what issuers call people. A server holds the logs of the spaces that it was asked for
//! in memory, and looks before each answer whether another server has gone on, or the store was put back.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::{SignedDuration, Timestamp};
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload};
use serde::{Deserialize, Serialize};
use tokio::sync::RwLock;
use uuid::Uuid;

use super::Person;
use crate::model::digest::Digest;
use crate::model::record::{Record, RecordKind, Stamp};
use crate::sync::words::{Change, GONE_KIND};

/// The most objects that are read or deleted at once.
const AT_ONCE: usize = 32;
/// How often the next place in a log is tried for when others are faster.
const PLACES_MAX: usize = 200;
/// The most bytes of an entry that is believed.
const ENTRY_BYTES_MAX: usize = 16 * 1024;
/// The longest that the store is waited for.
const STORE_MAX: Duration = Duration::from_secs(30);

/// A record in the log of a space.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) digest: Digest,
    /// By [`RecordKind::name`], or [`GONE_KIND`]: then the rest is empty.
    pub(super) kind: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    author: String,
    #[serde(default)]
    author_name: String,
    /// The run or plan that it is about.
    #[serde(default)]
    subject: Uuid,
    /// When it was taken.
    #[serde(default)]
    taken: Timestamp,
    /// Of a tombstone: when it was said, and whether the run was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fate: Option<(Stamp, bool)>,
}

impl Entry {
    fn of(record: &Record, digest: Digest, size: u64, person: &Person, now: Timestamp) -> Self {
        let fate = match record {
            Record::Tombstone(said) => Some((said.stamp, said.is_deleted)),
            _ => None,
        };
        Self {
            digest,
            kind: record.kind().name().to_owned(),
            size,
            author: person.subject.clone(),
            author_name: person.name.clone(),
            subject: record.subject(),
            taken: now,
            fate,
        }
    }

    fn gone(digest: Digest) -> Self {
        Self {
            digest,
            kind: GONE_KIND.to_owned(),
            size: 0,
            author: String::new(),
            author_name: String::new(),
            subject: Uuid::nil(),
            taken: Timestamp::UNIX_EPOCH,
            fate: None,
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        self.kind == GONE_KIND
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

/// The log of a space, as far as it was read.
#[derive(Debug, Default)]
struct Log {
    entries: Vec<Entry>,
    places: HashMap<Digest, usize>,
    bytes: u64,
}

impl Log {
    fn push(&mut self, entry: Entry) {
        self.bytes += entry.size;
        self.places.insert(entry.digest, self.entries.len());
        self.entries.push(entry);
    }

    fn replace(&mut self, at: usize, entry: Entry) {
        self.bytes -= self.entries[at].size;
        self.entries[at] = entry;
    }
}

/// A space of the store.
pub(super) struct Space {
    prefix: Path,
    log: RwLock<Log>,
    /// One at a time looks for a place in the log: those of one server need not race each other.
    appending: tokio::sync::Mutex<()>,
}

/// What came of a record that was sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// It was new; its place.
    Taken(u64),
    /// It was there; its place.
    There(u64),
    /// Its author has deleted it.
    Gone,
    /// The space is full.
    Full,
}

/// Everything that a server keeps.
pub(super) struct Ledger {
    store: Arc<dyn ObjectStore>,
    pub(super) epoch: Uuid,
    spaces: Mutex<BTreeMap<String, Arc<Space>>>,
}

impl Ledger {
    /// Reads or makes the epoch of the store.
    pub(super) async fn open(store: Arc<dyn ObjectStore>) -> Result<Self, Error> {
        let path = Path::from("epoch");
        let fresh = Uuid::now_v7().to_string();
        match create(&store, &path, fresh.into_bytes()).await {
            Ok(()) | Err(Error::AlreadyExists { .. }) => {}
            Err(error) => return Err(error),
        }
        let bytes = read(&store, &path).await?;
        let epoch = std::str::from_utf8(&bytes).ok().and_then(|text| text.trim().parse().ok());
        let epoch = epoch.ok_or_else(|| odd("the epoch of the store cannot be read"))?;
        Ok(Self { store, epoch, spaces: Mutex::default() })
    }

    /// Whether the store answers.
    pub(super) async fn is_well(&self) -> bool {
        read(&self.store, &Path::from("epoch")).await.is_ok()
    }

    /// The space of a name, as far as it goes now.
    pub(super) async fn space(&self, name: &str) -> Result<Arc<Space>, Error> {
        let space = self.held(&hashed(name));
        self.catch_up(&space).await?;
        Ok(space)
    }

    fn held(&self, hash: &str) -> Arc<Space> {
        let mut spaces = self.spaces.lock().unwrap_or_else(PoisonError::into_inner);
        let made = || {
            let prefix = Path::from(format!("spaces/{hash}"));
            Arc::new(Space { prefix, log: RwLock::default(), appending: tokio::sync::Mutex::default() })
        };
        Arc::clone(spaces.entry(hash.to_owned()).or_insert_with(made))
    }

    /// Reads what another server has added; all of it if the store is not where it was.
    async fn catch_up(&self, space: &Space) -> Result<(), Error> {
        let (known, last) = {
            let log = space.log.read().await;
            (log.entries.len(), log.entries.last().map(|entry| entry.digest))
        };
        if let Some(last) = last {
            let (found, next) =
                futures_util::future::join(self.entry(space, known), self.entry(space, known + 1)).await;
            if found?.is_none_or(|entry| entry.digest != last) {
                *space.log.write().await = Log::default();
            } else if next?.is_none() {
                return Ok(());
            }
        }
        self.read_on(space).await
    }

    async fn read_on(&self, space: &Space) -> Result<(), Error> {
        let mut log = space.log.write().await;
        loop {
            let first = log.entries.len() + 1;
            let read = futures_util::stream::iter((first..first + AT_ONCE).map(|seq| self.entry(space, seq)));
            let read: Vec<Option<Entry>> = read.buffered(AT_ONCE).try_collect().await?;
            for entry in read {
                let Some(entry) = entry else { return Ok(()) };
                log.push(entry);
            }
        }
    }

    async fn entry(&self, space: &Space, seq: usize) -> Result<Option<Entry>, Error> {
        match read(&self.store, &space.place(seq)).await {
            Ok(bytes) if bytes.len() <= ENTRY_BYTES_MAX => {
                serde_json::from_slice(&bytes).map(Some).map_err(|_| odd("an entry of a log cannot be read"))
            }
            Ok(_) => Err(odd("an entry of a log is too long")),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Keeps a record that was proven, in the name of a person.
    pub(super) async fn put(
        &self,
        space: &Space,
        person: &Person,
        (record, bytes): (&Record, Vec<u8>),
        quota: u64,
        now: Timestamp,
    ) -> Result<Put, Error> {
        let digest = Digest::of(&bytes);
        if let Some(known) = space.known(digest).await {
            return Ok(known);
        }
        let size = bytes.len() as u64;
        if space.log.read().await.bytes.saturating_add(size) > quota {
            return Ok(Put::Full);
        }
        let entry = Entry::of(record, digest, size, person, now);
        let said = serde_json::to_vec(&entry).map_err(|_| odd("an entry has no JSON form"))?;
        write(&self.store, &space.record(digest), bytes).await?;
        let _alone = space.appending.lock().await;
        for _ in 0..PLACES_MAX {
            if let Some(known) = space.known(digest).await {
                return Ok(known);
            }
            let seq = space.log.read().await.entries.len() + 1;
            match create(&self.store, &space.place(seq), said.clone()).await {
                Ok(()) => {
                    space.log.write().await.push(entry);
                    return Ok(Put::Taken(seq as u64));
                }
                Err(Error::AlreadyExists { .. }) => self.read_on(space).await?,
                Err(error) => return Err(error),
            }
        }
        Err(odd("the log of the space grows too fast"))
    }

    /// The bytes of a record that is in the log; none if they are gone.
    pub(super) async fn get(&self, space: &Space, digest: Digest) -> Result<Option<Vec<u8>>, Error> {
        match read(&self.store, &space.record(digest)).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Deletes a space with all that it holds.
    pub(super) async fn delete_space(&self, name: &str) -> Result<(), Error> {
        let space = self.held(&hashed(name));
        let _alone = space.appending.lock().await;
        let mut log = space.log.write().await;
        // Logs first: a record without a place is nobody's.
        for part in ["log", "records"] {
            let there = self.store.list(Some(&space.prefix.clone().join(part)));
            there
                .map(|found| async { delete(&self.store, &found?.location).await })
                .buffer_unordered(AT_ONCE)
                .try_collect::<()>()
                .await?;
        }
        *log = Log::default();
        Ok(())
    }

    /// Deletes what one person has sent to a space; their places in its log stay, without their name.
    pub(super) async fn delete_of(&self, name: &str, author: &str) -> Result<(), Error> {
        let space = self.space(name).await?;
        let is_theirs = |entry: &Entry| !entry.is_gone() && entry.author == author;
        self.make_gone(&space, |entries| positions(entries, is_theirs)).await.map(drop)
    }

    /// Deletes the bytes of runs, and of what was written about them, that their authors have deleted so long ago; how many
    /// records.
    pub(super) async fn sweep(&self, grace: SignedDuration, now: Timestamp) -> Result<usize, Error> {
        let found = self.store.list_with_delimiter(Some(&Path::from("spaces"))).await?;
        let mut swept = 0;
        for prefix in found.common_prefixes {
            let Some(hash) = prefix.filename() else { continue };
            let space = self.held(hash);
            self.catch_up(&space).await?;
            swept += self.make_gone(&space, |entries| deleted(entries, grace, now)).await?;
        }
        Ok(swept)
    }

    async fn make_gone(&self, space: &Space, which: impl Fn(&[Entry]) -> Vec<usize>) -> Result<usize, Error> {
        let mut log = space.log.write().await;
        let gone = which(&log.entries);
        for at in &gone {
            let entry = Entry::gone(log.entries[*at].digest);
            let said = serde_json::to_vec(&entry).map_err(|_| odd("an entry has no JSON form"))?;
            delete(&self.store, &space.record(entry.digest)).await?;
            write(&self.store, &space.place(at + 1), said).await?;
            log.replace(*at, entry);
        }
        Ok(gone.len())
    }
}

impl Space {
    fn place(&self, seq: usize) -> Path {
        self.prefix.clone().join("log").join(format!("{seq:016}"))
    }

    fn record(&self, digest: Digest) -> Path {
        self.prefix.clone().join("records").join(digest.to_string())
    }

    async fn known(&self, digest: Digest) -> Option<Put> {
        let log = self.log.read().await;
        let at = *log.places.get(&digest)?;
        Some(if log.entries[at].is_gone() { Put::Gone } else { Put::There(at as u64 + 1) })
    }

    /// Whether a record is in the log, and not gone.
    pub(super) async fn entry_of(&self, digest: Digest) -> Option<Entry> {
        let log = self.log.read().await;
        log.places.get(&digest).map(|at| log.entries[*at].clone())
    }

    /// What was taken after a place, at most so many; and whether there is more.
    pub(super) async fn changes(&self, after: u64, limit: usize) -> (Vec<Change>, bool) {
        let log = self.log.read().await;
        let first = usize::try_from(after).unwrap_or(usize::MAX).min(log.entries.len());
        let end = first.saturating_add(limit).min(log.entries.len());
        let numbered = log.entries[first..end].iter().zip(first as u64 + 1..);
        (numbered.map(|(entry, seq)| entry.change(seq)).collect(), end < log.entries.len())
    }

    /// Those of the digests that are not in the log.
    pub(super) async fn missing(&self, digests: &[Digest]) -> Vec<Digest> {
        let log = self.log.read().await;
        digests.iter().filter(|digest| !log.places.contains_key(digest)).copied().collect()
    }

    pub(super) async fn bytes(&self) -> u64 {
        self.log.read().await.bytes
    }
}

fn positions(entries: &[Entry], is_meant: impl Fn(&Entry) -> bool) -> Vec<usize> {
    entries.iter().enumerate().filter(|(_, entry)| is_meant(entry)).map(|(at, _)| at).collect()
}

/// Runs that their own author has deleted, last of all that was said of them, so long ago; with what was written about them.
fn deleted(entries: &[Entry], grace: SignedDuration, now: Timestamp) -> Vec<usize> {
    let mut fates: HashMap<(Uuid, &str), (Stamp, Digest, bool, Timestamp)> = HashMap::new();
    for entry in entries {
        let Some((stamp, is_deleted)) = entry.fate else { continue };
        let said = (stamp, entry.digest, is_deleted, entry.taken);
        let fate = fates.entry((entry.subject, &entry.author)).or_insert(said);
        if (stamp, entry.digest) >= (fate.0, fate.1) {
            *fate = said;
        }
    }
    let is_over = |entry: &Entry| {
        let fate = fates.get(&(entry.subject, entry.author.as_str()));
        fate.is_some_and(|(_, _, is_deleted, taken)| *is_deleted && now.duration_since(*taken) >= grace)
    };
    let may_go = [RecordKind::Run.name(), RecordKind::Annotation.name()];
    positions(entries, |entry| may_go.contains(&entry.kind.as_str()) && is_over(entry))
}

/// As it stands in paths.
fn hashed(name: &str) -> String {
    Digest::of(name.as_bytes()).short(40)
}

fn odd(what: &'static str) -> Error {
    Error::Generic { store: "records", source: what.into() }
}

async fn in_time<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::time::timeout(STORE_MAX, work).await.unwrap_or_else(|_| Err(odd("the store does not answer")))
}

async fn read(store: &Arc<dyn ObjectStore>, path: &Path) -> Result<Vec<u8>, Error> {
    in_time(async { Ok(store.get(path).await?.bytes().await?.to_vec()) }).await
}

async fn write(store: &Arc<dyn ObjectStore>, path: &Path, bytes: Vec<u8>) -> Result<(), Error> {
    in_time(async { store.put(path, PutPayload::from(bytes)).await.map(drop) }).await
}

async fn create(store: &Arc<dyn ObjectStore>, path: &Path, bytes: Vec<u8>) -> Result<(), Error> {
    let options = PutOptions::from(PutMode::Create);
    in_time(async { store.put_opts(path, PutPayload::from(bytes), options).await.map(drop) }).await
}

async fn delete(store: &Arc<dyn ObjectStore>, path: &Path) -> Result<(), Error> {
    match in_time(store.delete(path)).await {
        Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}
