//! Adapters as the faces see them: which there are, how they stand, what they offer and what they report.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::adapter::book::{AdapterBook, AdapterId, AdapterPlace, KnownAdapter, OperationRecord};
use crate::model::adapter::{AdapterEvent, AdapterFacts, Change, Operation, OperationRequest, Step};
use crate::model::cluster::{Consent, ContextKey};

pub use crate::adapter::KNOWN_PORTS;
use crate::model::inventory::Port;

use super::clusters::Sources;
use super::operations;

/// Services of adapters that Meshery runs in a cluster are called so.
const MESHERY: &str = "meshery-";
/// The most operations that wait for another of their adapter.
pub const WAITING_MAX: usize = 32;
/// A larger file is no manifest that is written in an editor, in bytes.
pub const MANIFEST_BYTES_MAX: u64 = 1024 * 1024;
/// What is reported of an operation that could not be asked for.
pub const NOT_BEGUN: &str = "The operation was not begun";

/// All that is known of adapters.
#[derive(Clone, Debug, Default)]
pub struct Adapters {
    /// Which there are, and what was done with them.
    pub book: AdapterBook,
    /// How those stand that are connected, or are to be; the built-in ones are among them.
    pub links: BTreeMap<AdapterId, AdapterLink>,
    /// How long adapters took to answer when they were asked last, or why they did not.
    pub pings: BTreeMap<AdapterId, Ping>,
    /// Versions that can be installed, of adapters that were asked.
    pub versions: BTreeMap<AdapterId, Versions>,
    /// A manifest that the page should take into its editor; each has a new number.
    pub manifest: Option<(u64, String)>,
    /// Adapters for as long as the program runs: not kept.
    pub passing: Vec<KnownAdapter>,
    /// How much was reported in all, also what is not among the events any more.
    pub reported: u64,
    /// Adapters that were found and that nobody has added.
    pub found: Vec<Found>,
    /// The time, while something goes on.
    pub now: Option<Timestamp>,
    /// The one that was removed last.
    pub(super) removed: Option<KnownAdapter>,
    /// Whether the page was on show once: nothing is connected before.
    pub(super) is_begun: bool,
    /// Operations that wait for their turn, whole, the first first; and where logins may go in the clear.
    pub(super) waiting: Vec<(OperationRecord, Option<String>)>,
    /// Whether the book is being written, and whether it was changed since.
    pub(super) keeping: Keeping,
}

/// Whether something is being written to disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Keeping {
    /// All of it is there.
    #[default]
    Kept,
    /// It is being written.
    Writing,
    /// It is being written, and was changed since.
    Behind,
}

/// How long an adapter took to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ping {
    /// It was asked.
    Asked,
    /// So long.
    Answered(Duration),
    /// It did not, in words.
    Failed(String),
}

/// Versions that can be installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Versions {
    /// They were asked for.
    Asked,
    /// The chart's version and that of what it installs, newest first.
    Known(Vec<(String, String)>),
    /// They are not known, in words.
    Failed(String),
}

/// What an operation would do to a cluster, asked of it without changing anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rehearsal {
    /// The cluster was asked.
    Asked,
    /// This.
    Told(Vec<Change>),
    /// It would not work, or is not known, in words.
    Failed(String),
}

/// A connection to an adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterLink {
    /// Which connection: news of an older one is ignored.
    pub number: u64,
    /// How it stands.
    pub stands: AdapterStands,
    /// What it said of itself last; stays when it is lost.
    pub facts: Option<AdapterFacts>,
}

/// How a connection to an adapter stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AdapterStands {
    /// It is being made.
    #[default]
    Connecting,
    /// It stands, and events are listened to.
    Ready,
    /// It does not, and is tried again.
    Failed {
        /// At which step: `asking for its name`.
        step: String,
        /// What happened, with the answer received.
        cause: String,
        /// What to do.
        advice: String,
    },
}

/// An adapter that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it calls itself.
    pub name: String,
    /// Where it is.
    pub place: AdapterPlace,
}

/// What a person wants of adapters.
#[derive(Clone, Debug, PartialEq)]
pub enum AdapterCommand {
    /// Keep an adapter in mind, and connect it.
    Add(AdapterPlace),
    /// Connect an adapter for as long as the program runs, without keeping it in mind.
    Use(AdapterPlace),
    /// Call it so; empty for its own name.
    Rename(AdapterId, String),
    /// Forget it.
    Remove(AdapterId),
    /// Bring back the one that was removed last.
    UndoRemove,
    /// Connect it now, though it is tried again later by itself.
    Connect(AdapterId),
    /// Look for adapters on this machine.
    Find,
    /// Ask for an operation; what it will do is said first.
    Prepare(Box<Prepared>),
    /// Yes to what was said. What was typed where a name had to be.
    Agree(String),
    /// No to it.
    Decline,
    /// Ask for an operation that waits, though another of its adapter goes on.
    DoNotWait(String),
    /// Do not carry out an operation that waits.
    Withdraw(String),
    /// End an operation of a built-in adapter; others know no such thing.
    StopOperation(String),
    /// Ask how long an adapter takes to answer.
    Ping(AdapterId),
    /// Ask which versions of its mesh can be installed.
    AskVersions(AdapterId),
    /// Ask with the native dialog for a file with a manifest.
    PickManifest,
    /// All events are read.
    ReadEvents,
}

/// An operation that a person wants.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// Of which adapter.
    pub adapter: AdapterId,
    /// Which.
    pub operation: Operation,
    /// With what; its id is given later.
    pub request: OperationRequest,
    /// In which contexts.
    pub contexts: Vec<ContextKey>,
}

/// A question before an operation.
#[derive(Clone, Debug, PartialEq)]
pub struct OperationQuestion {
    /// What is to be done.
    pub prepared: Prepared,
    /// What that is, a line each.
    pub words: Vec<String>,
    /// What must be typed: the name of a context that is production.
    pub must_type: Option<String>,
    /// The address to which logins of clusters would be sent where others may read along.
    pub in_the_clear: Option<String>,
    /// What it would do in each context, where a cluster can say that before.
    pub rehearsals: Vec<(ContextKey, Rehearsal)>,
    /// Which question: late answers to another are ignored.
    pub number: u64,
}

/// News of adapters.
#[derive(Clone, Debug)]
pub enum AdapterNews {
    /// How a connection stands.
    Stands {
        /// Of which adapter.
        id: AdapterId,
        /// Which connection.
        number: u64,
        /// How.
        stands: AdapterStands,
        /// What it says of itself.
        facts: Option<Box<AdapterFacts>>,
    },
    /// It reported something.
    Reported {
        /// Which adapter.
        id: AdapterId,
        /// When it came.
        at: Timestamp,
        /// What.
        event: Box<AdapterEvent>,
    },
    /// An operation was asked for.
    Begun {
        /// Its id.
        operation: String,
        /// When.
        at: Timestamp,
    },
    /// An operation could not be asked for.
    NotBegun {
        /// Its id.
        operation: String,
        /// When.
        at: Timestamp,
        /// Why, and what to do.
        reason: String,
    },
    /// What an operation would do in a context.
    Rehearsed {
        /// The question's number.
        number: u64,
        /// Where.
        context: ContextKey,
        /// What.
        told: Rehearsal,
    },
    /// How long an adapter took to answer.
    Pinged(AdapterId, Ping),
    /// Which versions can be installed.
    Versions(AdapterId, Versions),
    /// A manifest was read from a file.
    ManifestRead(String),
    /// A file with a manifest was picked.
    ManifestPicked(std::path::PathBuf),
    /// Adapters on this machine.
    Found(Vec<Found>),
    /// The time.
    Clock(Timestamp),
    /// What is known of adapters is on disk, or cannot be.
    BookSaved,
}

/// Work about adapters.
#[derive(Clone, Debug)]
pub enum AdapterJob {
    /// Keep what is known.
    Save(Box<AdapterBook>),
    /// Connect, listen, and try again after a failure. Replaces the connection before it.
    Connect {
        /// Which.
        id: AdapterId,
        /// Where it is; none for a built-in one.
        place: Option<AdapterPlace>,
        /// The connection's number.
        number: u64,
        /// How clusters are reached, for those that are in one.
        access: Access,
    },
    /// Let go of it.
    Disconnect(AdapterId),
    /// Ask for an operation.
    Apply {
        /// What.
        record: Box<OperationRecord>,
        /// Where logins may be sent in the clear.
        agreed: Option<String>,
        /// How clusters are reached.
        access: Access,
    },
    /// Ask clusters what steps would do.
    Rehearse {
        /// The question's number.
        number: u64,
        /// What.
        steps: Vec<Step>,
        /// Where.
        contexts: Vec<ContextKey>,
        /// How clusters are reached.
        access: Access,
    },
    /// The answers of clusters are not waited for any more.
    StopRehearsal,
    /// End an operation of a built-in adapter.
    StopOperation(String),
    /// Ask how long it takes to answer.
    Ping(AdapterId),
    /// Ask which versions can be installed.
    AskVersions(AdapterId),
    /// Ask for a file with a manifest.
    PickManifest,
    /// Read a manifest.
    ReadManifest(std::path::PathBuf),
    /// Look for adapters on this machine.
    Find,
}

/// How clusters are reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Where kubeconfigs are.
    pub sources: Sources,
    /// What was agreed to.
    pub consents: Vec<Consent>,
}

impl super::State {
    /// Adapters that nobody has added: on this machine, and as Services in connected clusters.
    #[must_use]
    pub fn found_adapters(&self) -> Vec<Found> {
        let mut found = self.adapters.found.clone();
        for (context, link) in &self.clusters.links {
            let services = link.seen.iter().flat_map(|seen| seen.services.iter());
            for service in services.filter(|service| service.name.starts_with(MESHERY)) {
                let is_theirs = |port: &&Port| KNOWN_PORTS.iter().any(|(known, _)| *known == port.port);
                let Some(port) = service.ports.iter().find(is_theirs) else { continue };
                let place = AdapterPlace::Service {
                    context: context.clone(),
                    namespace: service.namespace.clone(),
                    name: service.name.clone(),
                    port: port.port,
                };
                found.push(Found { name: service.name.clone(), place });
            }
        }
        found.retain(|found| !self.adapters.book.adapters.iter().any(|known| known.place == found.place));
        found
    }
}

impl Adapters {
    /// An adapter that a person named.
    #[must_use]
    pub fn known(&self, id: AdapterId) -> Option<&KnownAdapter> {
        self.book.adapters.iter().chain(&self.passing).find(|known| known.id == id)
    }

    /// All, the built-in ones first.
    pub fn ids(&self) -> impl Iterator<Item = AdapterId> + '_ {
        operations::built_in().map(|(id, _)| id).chain(self.book.adapters.iter().map(|known| known.id))
    }

    /// Whether it is in this program.
    #[must_use]
    pub fn is_built_in(id: AdapterId) -> bool {
        operations::mesh(id).is_some()
    }

    /// What an adapter is called: as a person calls it, as it does itself, or where it is.
    #[must_use]
    pub fn name(&self, id: AdapterId) -> String {
        if let Some(mesh) = operations::mesh(id) {
            return mesh.name().to_owned();
        }
        let Some(known) = self.known(id) else { return "an adapter that was removed".to_owned() };
        if !known.name.is_empty() {
            return known.name.clone();
        }
        let own = self.links.get(&id).and_then(|link| link.facts.as_ref()).map(|facts| facts.name.clone());
        own.filter(|name| !name.is_empty()).unwrap_or_else(|| known.place.words())
    }
}
