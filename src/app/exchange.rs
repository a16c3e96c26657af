//! One exchange with a server: what it has comes here, what is here goes there, until both have the same.
//!
//! ```text
//! who are you ─▶ are you where you were? ─▶ changes, page by page ─▶ what waits, until nothing does
//!                     └ no: nothing is confirmed, its changes are asked for from the first on,
//!                           and it is asked which of ours it lacks
//! ```
//! Every step is kept before the next, so an exchange may end anywhere and the next one goes on there. Taking in or sending
//! anything twice is nothing.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::model::causes::chain;
use crate::model::digest::Digest;
use crate::model::envelope::EnvelopeError;
use crate::model::record::{Record, RecordError, RecordKind};
use crate::model::sync::{Author, Refusal, SyncTarget, TargetState};
use crate::store::{Arrivals, Arrived, Page, Store, StoreError, Waiting};
use crate::sync::client::{Client, ClientError};
use crate::sync::words::{CHANGES_MAX, Capabilities, Change, GONE, HAVE_MAX};

/// The most records that are on their way at once.
const AT_ONCE: usize = 8;
/// The most bytes of records that are held to be taken in together.
const TOGETHER_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// The most records that are taken in together.
const TOGETHER_MAX: usize = 100;
/// The most records that are sent before what waits is looked at anew.
const SENT_MAX: usize = 500;
/// How often an exchange begins anew because the server became another meanwhile.
const BEGINNINGS_MAX: usize = 3;

/// Does something with the store, where that may block.
pub type AskStore = Arc<dyn Fn(Box<dyn FnOnce(&Store) + Send>) + Send + Sync>;

/// Tells how an exchange goes, and what it brought as soon as it is kept.
pub type Tell = Arc<dyn Fn(Step) + Send + Sync>;

/// How an exchange goes.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Records that came in so far, of those that are known to come.
    Receiving {
        /// In so far.
        done: usize,
    },
    /// Records that went up so far, of those that wait.
    Sending {
        /// Up so far.
        done: usize,
        /// Of how many.
        of: usize,
    },
    /// History is another than before.
    Changed(Box<Arrivals>),
}

/// What came of an exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exchanged {
    /// Records that came in.
    pub received: usize,
    /// Records that the server confirmed.
    pub sent: usize,
    /// Records that need a person's attention.
    pub refused: usize,
    /// Records that only a newer Meshbench can read.
    pub newer: u64,
    /// Who we are there.
    pub name: String,
}

/// Why an exchange did not come to its end. What was exchanged until then is kept.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The server did not do its part.
    #[error(transparent)]
    Server(#[from] ClientError),
    /// The store did not do its part.
    #[error("{}", .0.told())]
    Store(#[from] StoreError),
    /// The store is closed.
    #[error("the stored runs are not open")]
    Closed,
    /// The account was deleted there, and not from here.
    #[error(
        "your account at this server was deleted, from another machine; nothing is sent there any more, and history stays \
         here. To begin anew, remove the server and turn on sync again"
    )]
    Deleted,
    /// We have no such space any more.
    #[error("you have no access to the space “{0}” of this server any more; choose another")]
    NoSpace(String),
    /// The server became another while we spoke with it, again and again.
    #[error("the server changes all the time; ask who runs it")]
    Restless,
}

impl ExchangeError {
    /// How long the server asked to be left alone.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Server(ClientError::Busy { after, .. }) => *after,
            _ => None,
        }
    }

    /// Whether trying again later by itself may help.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Server(ClientError::Busy { .. } | ClientError::Offline(_)) | Self::Restless)
    }
}

/// What an exchange needs; cheap to clone.
#[derive(Clone)]
pub struct Exchange {
    /// Speaks with the server.
    pub client: Client,
    /// Where history is.
    pub store: AskStore,
    /// With which space, and what of it.
    pub target: SyncTarget,
    /// Who is told.
    pub tell: Tell,
}

/// What holds during one beginning.
struct Going {
    capabilities: Capabilities,
    subject: String,
    /// [`crate::sync::words::Me::deletion`] when it began.
    deletion: Option<Uuid>,
    /// Whether the server was asked which of ours it lacks, or need not be.
    is_asked: bool,
    /// Records that are not here any more when they should be sent.
    vanished: Vec<Digest>,
}

enum Ended {
    Done,
    /// The server is not the one that it was.
    Anew,
}

impl Exchange {
    /// Exchanges everything. May be dropped anywhere.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub async fn exchange(&self) -> Result<Exchanged, ExchangeError> {
        let mut exchanged = Exchanged::default();
        for _ in 0..BEGINNINGS_MAX {
            if matches!(self.once(&mut exchanged).await?, Ended::Done) {
                let target = self.target.id;
                let kept = self.with(move |store| {
                    store.reached_target(target, Timestamp::now())?;
                    Ok((store.refused(target)?.len(), store.target_state(target)?.newer))
                });
                (exchanged.refused, exchanged.newer) = kept.await?;
                return Ok(exchanged);
            }
        }
        Err(ExchangeError::Restless)
    }

    async fn once(&self, exchanged: &mut Exchanged) -> Result<Ended, ExchangeError> {
        let capabilities = self.client.capabilities().await?;
        let me = self.client.me().await?;
        if !me.spaces.iter().any(|space| space.id == self.target.space) {
            return Err(ExchangeError::NoSpace(self.target.space.clone()));
        }
        exchanged.name = me.name;
        let is_asked = self.is_where_it_was(capabilities.server_epoch, me.deletion).await?;
        let (subject, deletion) = (me.subject, me.deletion);
        let mut going = Going { capabilities, subject, deletion, is_asked, vanished: Vec::new() };
        if matches!(self.receive(&going, exchanged).await?, Ended::Anew) {
            return Ok(Ended::Anew);
        }
        self.send(&mut going, exchanged).await
    }

    /// Whether the server goes on where we left it; if not, we begin anew.
    async fn is_where_it_was(&self, epoch: Uuid, deletion: Option<Uuid>) -> Result<bool, ExchangeError> {
        let target = self.target.id;
        let state = self.with(move |store| store.target_state(target)).await?;
        // A server that was put back to an older copy may say an earlier one.
        if state.epoch == Some(epoch) && deletion > state.deletion {
            return Err(ExchangeError::Deleted);
        }
        if state.newer > 0 && state.reader != env!("CARGO_PKG_VERSION") {
            self.with(move |store| store.reread_target(target)).await?;
        }
        if state.epoch == Some(epoch) && self.has_our_last(&state).await? {
            return Ok(true);
        }
        self.with(move |store| store.begin_target(target, epoch, deletion)).await?;
        Ok(false)
    }

    /// A server that was put back to an older copy may have the same epoch, and other changes from there on.
    async fn has_our_last(&self, state: &TargetState) -> Result<bool, ExchangeError> {
        let (Some(last), Some(before)) = (state.at_cursor, state.cursor.checked_sub(1)) else {
            return Ok(state.cursor == 0);
        };
        let page = self.client.changes(&self.target.space, before, 1).await?;
        Ok(page.changes.first().is_some_and(|change| change.seq == state.cursor && change.digest == last))
    }

    async fn receive(&self, going: &Going, exchanged: &mut Exchanged) -> Result<Ended, ExchangeError> {
        let target = self.target.id;
        loop {
            let after = self.with(move |store| store.target_state(target)).await?.cursor;
            let page = self.client.changes(&self.target.space, after, CHANGES_MAX).await?;
            if page.server_epoch != going.capabilities.server_epoch {
                return Ok(Ended::Anew);
            }
            let digests: Vec<Digest> = page.changes.iter().map(|change| change.digest).collect();
            let unknown = self.with(move |store| store.unknown(&digests)).await?;
            for part in parts(&page.changes, |change| unknown.contains(&change.digest)) {
                let (wanted, there): (Vec<_>, Vec<_>) =
                    part.iter().cloned().partition(|change| unknown.contains(&change.digest));
                let mut came = self.fetch(going, wanted).await?;
                came.there.extend(there.iter().map(|change| change.digest));
                if let Some(last) = part.last() {
                    (came.cursor, came.at_cursor) = (last.seq, Some(last.digest));
                }
                exchanged.received += came.arrived.len();
                let arrivals = self.with(move |store| store.take_in(target, &came, Timestamp::now())).await?;
                (self.tell)(Step::Receiving { done: exchanged.received });
                if arrivals != Arrivals::default() {
                    (self.tell)(Step::Changed(Box::new(arrivals)));
                }
            }
            if !page.more {
                return Ok(Ended::Done);
            }
        }
    }

    /// Gets and proves records. What cannot be had now ends the exchange; what is wrong is noted.
    async fn fetch(&self, going: &Going, wanted: Vec<Change>) -> Result<Page, ExchangeError> {
        let mut page = Page::default();
        let mut wanted = wanted.into_iter().filter(|change| {
            let is_known = RecordKind::ALL.iter().any(|kind| kind.name() == change.kind);
            page.newer += u64::from(!is_known && change.kind != GONE);
            is_known
        });
        let mut under_way = JoinSet::new();
        let mut fetched = Vec::new();
        loop {
            while under_way.len() < AT_ONCE
                && let Some(change) = wanted.next()
            {
                let (client, space) = (self.client.clone(), self.target.space.clone());
                under_way.spawn(async move {
                    let bytes = client.record(&space, change.digest, change.size).await;
                    let proven = match bytes {
                        Ok(Some(bytes)) => Ok(Some(proven(change.digest, bytes).await)),
                        Ok(None) => Ok(None),
                        Err(error) => Err(error),
                    };
                    (change, proven)
                });
            }
            let Some(done) = under_way.join_next().await else { break };
            fetched.push(done.map_err(|_| ExchangeError::Closed)?);
        }
        drop(wanted);
        // As they came about: a run before what was said about it.
        fetched.sort_by_key(|(change, _)| change.seq);
        for (change, came) in fetched {
            match came {
                Ok(Some(came)) => self.sort_in(&mut page, going, change, came),
                Ok(None) => {}
                Err(error @ (ClientError::Refused { .. } | ClientError::Odd(_))) => {
                    page.refused.push((change.digest, refusal(error.to_string(), false, None)));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(page)
    }

    fn sort_in(
        &self,
        page: &mut Page,
        going: &Going,
        change: Change,
        came: Result<(Record, Vec<u8>), Wrong>,
    ) {
        match came {
            Ok((record, bytes)) => {
                let is_ours = change.author == going.subject;
                let author = if is_ours {
                    None
                } else {
                    Some(Author { subject: change.author, name: change.author_name })
                };
                page.there.push(change.digest);
                page.arrived.push(Arrived { digest: change.digest, bytes, record, author });
            }
            Err(Wrong::Newer) => page.newer += 1,
            Err(Wrong::Other(reason)) => {
                let reason = format!("what the server sent cannot be taken in: {reason}");
                page.refused.push((change.digest, refusal(reason, false, None)));
            }
        }
    }

    async fn send(&self, going: &mut Going, exchanged: &mut Exchanged) -> Result<Ended, ExchangeError> {
        let (target, choice) = (self.target.id, self.target.choice.clone());
        loop {
            let choice = choice.clone();
            let mut waiting = self.with(move |store| store.waiting(target, &choice)).await?;
            waiting.retain(|waiting| !going.vanished.contains(&waiting.digest));
            if waiting.is_empty() {
                return Ok(Ended::Done);
            }
            if !going.is_asked {
                going.is_asked = true;
                if matches!(self.ask_what_is_there(going, &waiting).await?, Ended::Anew) {
                    return Ok(Ended::Anew);
                }
                continue;
            }
            if exchanged.sent > 0 && self.client.me().await?.deletion > going.deletion {
                return Err(ExchangeError::Deleted);
            }
            let of = exchanged.sent + waiting.len();
            waiting.truncate(SENT_MAX);
            if matches!(self.send_all(going, waiting, exchanged, of).await?, Ended::Anew) {
                return Ok(Ended::Anew);
            }
        }
    }

    /// Spares sending what the server has: after a repair, or from a machine that was cloned.
    async fn ask_what_is_there(&self, going: &Going, waiting: &[Waiting]) -> Result<Ended, ExchangeError> {
        let target = self.target.id;
        for part in waiting.chunks(HAVE_MAX) {
            let digests: Vec<Digest> = part.iter().map(|waiting| waiting.digest).collect();
            let answer = self.client.missing(&self.target.space, &digests).await?;
            if answer.server_epoch != going.capabilities.server_epoch {
                return Ok(Ended::Anew);
            }
            let there: Vec<Digest> =
                digests.into_iter().filter(|digest| !answer.missing.contains(digest)).collect();
            self.with(move |store| store.confirm(target, &there)).await?;
        }
        Ok(Ended::Done)
    }

    async fn send_all(
        &self,
        going: &mut Going,
        waiting: Vec<Waiting>,
        exchanged: &mut Exchanged,
        of: usize,
    ) -> Result<Ended, ExchangeError> {
        let target = self.target.id;
        let mut waiting = waiting.into_iter();
        let mut under_way = JoinSet::new();
        let (mut confirmed, mut failed, mut is_anew) = (Vec::new(), None, false);
        loop {
            while under_way.len() < AT_ONCE
                && failed.is_none()
                && let Some(next) = waiting.next()
            {
                let (exchange, max_bytes) = (self.clone(), going.capabilities.max_bytes);
                under_way.spawn(async move {
                    let sent = exchange.send_one(&next, max_bytes).await;
                    (next, sent)
                });
            }
            let Some(done) = under_way.join_next().await else { break };
            let (sent, result) = done.map_err(|_| ExchangeError::Closed)?;
            match result {
                Ok(Some(epoch)) if epoch == going.capabilities.server_epoch => {
                    confirmed.push(sent.digest);
                    exchanged.sent += 1;
                    (self.tell)(Step::Sending { done: exchanged.sent, of });
                }
                Ok(Some(_)) => is_anew = true,
                Ok(None) => going.vanished.push(sent.digest),
                Err(ExchangeError::Server(ClientError::Refused { message, .. })) => {
                    let refusal = refusal(message, true, Some(sent.subject));
                    self.with(move |store| store.refuse(target, sent.digest, &refusal)).await?;
                }
                // What is under way ends, then all is kept that was confirmed.
                Err(error) => failed = Some(error),
            }
        }
        self.with(move |store| store.confirm(target, &confirmed)).await?;
        match failed {
            Some(error) => Err(error),
            None if is_anew => Ok(Ended::Anew),
            None => Ok(Ended::Done),
        }
    }

    /// The epoch of the server that has it now; none if it is not here any more.
    async fn send_one(&self, waiting: &Waiting, max_bytes: u64) -> Result<Option<Uuid>, ExchangeError> {
        let digest = waiting.digest;
        let Some(bytes) = self.with(move |store| store.record(digest)).await? else { return Ok(None) };
        if bytes.len() as u64 > max_bytes {
            let message = format!(
                "it has {} bytes, and the server takes at most {max_bytes} of a record; ask who runs it to allow more",
                bytes.len()
            );
            let code = "too_large".to_owned();
            return Err(ClientError::Refused { status: 413, code, message }.into());
        }
        Ok(Some(self.client.send(&self.target.space, digest, bytes).await?.server_epoch))
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ExchangeError> {
        ask(&self.store, work).await
    }
}

/// Asks the store.
pub(super) async fn ask<T: Send + 'static>(
    store: &AskStore,
    work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, ExchangeError> {
    let (done, answer) = tokio::sync::oneshot::channel();
    (store)(Box::new(move |store| drop(done.send(work(store)))));
    Ok(answer.await.map_err(|_| ExchangeError::Closed)??)
}

fn refusal(reason: String, is_up: bool, subject: Option<Uuid>) -> Refusal {
    Refusal { reason, at: Timestamp::now(), is_up, subject }
}

/// Why bytes are not the record that they should be.
enum Wrong {
    Newer,
    Other(String),
}

/// Proves bytes and reads them, where that may take long.
async fn proven(digest: Digest, bytes: Vec<u8>) -> Result<(Record, Vec<u8>), Wrong> {
    let read = tokio::task::spawn_blocking(move || {
        if Digest::of(&bytes) != digest {
            return Err(Wrong::Other("it is not what it is named".to_owned()));
        }
        match Record::read(&bytes, Timestamp::now()) {
            Ok(record) => Ok((record, bytes)),
            Err(RecordError::UnknownKind | RecordError::Envelope(EnvelopeError::Newer)) => Err(Wrong::Newer),
            Err(error) => Err(Wrong::Other(chain(&error))),
        }
    });
    read.await.unwrap_or_else(|_| Err(Wrong::Other("it could not be read".to_owned())))
}

/// Changes in parts whose records can be held at once.
fn parts(changes: &[Change], is_wanted: impl Fn(&Change) -> bool) -> Vec<&[Change]> {
    let mut parts = Vec::new();
    let (mut start, mut bytes, mut count) = (0, 0_u64, 0);
    for (at, change) in changes.iter().enumerate() {
        if is_wanted(change) {
            bytes = bytes.saturating_add(change.size);
            count += 1;
        }
        if at > start && (bytes > TOGETHER_BYTES_MAX || count > TOGETHER_MAX) {
            parts.push(&changes[start..at]);
            (start, bytes, count) = (at, change.size, 1);
        }
    }
    if start < changes.len() {
        parts.push(&changes[start..]);
    }
    parts
}
