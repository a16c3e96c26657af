//! History shared with servers, as the app knows it: with whom, what of it, and how it stands.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::exchange::{Exchanged, Step};
use crate::model::RunId;
use crate::model::digest::Digest;
use crate::model::sync::{Author, Refusal, SyncBook, SyncTarget};
use crate::store::Arrivals;

/// Everything about sharing that the faces draw.
#[derive(Clone, Debug, Default)]
pub struct Sharing {
    /// With whom, and what of it.
    pub book: SyncBook,
    /// How it stands with each of them.
    pub targets: BTreeMap<Uuid, Standing>,
    /// Who measured the runs of other people.
    pub authors: Arc<BTreeMap<RunId, Author>>,
    /// Grows with every change of authors and of what servers have, so that faces may cache what they derive.
    pub revision: u64,
}

/// How it stands with a server.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// What is being exchanged now.
    pub going: Option<Going>,
    /// Why the last exchange did not come to its end, and what to do.
    pub trouble: Option<String>,
    /// What the last exchange that came to its end has brought.
    pub last: Option<Exchanged>,
    /// What is known from the store.
    pub kept: Kept,
}

/// What is being exchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Going {
    /// The server is being asked how it stands.
    Asking,
    /// So many records came in so far.
    Receiving(usize),
    /// So many of so many records went up.
    Sending(usize, usize),
}

/// What the store knows of an exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// When everything had been exchanged last.
    pub reached: Option<Timestamp>,
    /// Records that wait to be sent.
    pub waiting: usize,
    /// What needs a person's attention.
    pub refused: Vec<(Digest, Refusal)>,
    /// Records that only a newer Meshbench can read.
    pub newer: u64,
    /// Runs that the server has proven to have.
    pub shared: Arc<BTreeSet<RunId>>,
}

/// What a person or script wants of sharing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SharingCommand {
    /// Share as it was kept, from now on.
    Begin,
    /// Share with a server, or otherwise than before.
    Put(SyncTarget),
    /// Share with it no more. History stays as it is, here and there.
    Remove(Uuid),
    /// Exchange now.
    Now(Uuid),
    /// Exchange now, and try again what was refused.
    TryAgain(Uuid),
}

/// Background work about sharing.
#[derive(Clone, Debug)]
pub enum SharingJob {
    /// Keep with whom history is shared, and share it so from now on.
    Save(SyncBook),
    /// Share as it was kept.
    Watch(SyncBook),
    /// Exchange soon: history has changed here.
    Changed,
    /// Exchange now.
    Now(Uuid),
    /// Exchange now, and try again what was refused.
    TryAgain(Uuid),
    /// Forget what was exchanged.
    Forget(Uuid),
}

/// News about sharing.
#[derive(Clone, Debug)]
pub enum SharingNews {
    /// How it stands, as the store knows it.
    Kept(Uuid, Box<Kept>),
    /// How an exchange goes. May be dropped: the next one holds all of this one.
    Going(Uuid, Going),
    /// An exchange ended: what it brought, or why it did not come to its end.
    Ended(Uuid, Result<Box<Exchanged>, String>),
    /// History is another than before.
    Changed(Box<Arrivals>),
    /// Who measured the runs of other people.
    Authors(BTreeMap<RunId, Author>),
}

impl Sharing {
    /// The servers that have proven to have a run.
    pub fn with(&self, run: RunId) -> impl Iterator<Item = &SyncTarget> {
        let has = move |target: &&SyncTarget| {
            self.targets.get(&target.id).is_some_and(|standing| standing.kept.shared.contains(&run))
        };
        self.book.targets.iter().filter(has)
    }

    /// Whether anything is shared at all.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.book.targets.iter().any(|target| target.is_on)
    }
}

impl From<&Step> for Option<Going> {
    fn from(step: &Step) -> Self {
        match step {
            Step::Receiving { done } => Some(Going::Receiving(*done)),
            Step::Sending { done, of } => Some(Going::Sending(*done, *of)),
            Step::Changed(_) => None,
        }
    }
}
