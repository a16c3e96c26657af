//! Send load and measure.
//!
//! [`run`] carries out a plan and is the whole API; [`grpc::describe`] asks a target what it offers to be called, and
//! [`target`] is a small HTTP server to try it on.
//!
//! ```text
//!  run ─ prepare (request bytes, TLS, address) ─▶ collector ◀─ tallies, 10 a second ─┬─ worker thread 0
//!            every decision about time is pure: schedule.rs      (bounded channel)    └─ worker thread N
//! ```
//!
//! A worker shares nothing with another: it has its own runtime, connections and histograms.

mod arrival;
mod collector;
mod connection;
mod cookies;
mod course;
mod data;
mod datagram;
mod echo;
mod exchange;
pub mod grpc;
mod http1;
mod http2;
mod lane;
mod pace;
mod prepare;
mod random;
mod reasons;
mod redirect;
mod replay;
mod request;
mod response;
mod schedule;
mod slot;
mod socket;
mod source;
mod steer;
mod strain;
mod tables;
mod tally;
pub mod target;
mod template;
mod timeline;
mod timer;
mod tls;
mod tunnel;
mod wire;
mod worker;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::run::{Bytes, Connections, Detail, Mark, Requests, Strain};
use crate::model::{Ended, Interval, Plan};
use crate::stats::Latency;

pub use crate::model::settings::Timer;
pub use steer::{Control, FACTOR_MAX, FACTOR_MIN};

/// How to carry out a plan; says nothing about what is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Threads that send load; 0 for one less than there are processors. Never more than connections.
    pub threads: u32,
    /// How exactly requests leave when they are due.
    pub timer: Timer,
}

/// What was measured so far; cumulative, and of the same shape while running and at the end.
#[derive(Clone, Debug)]
pub struct Measured {
    /// How far the run is.
    pub phase: Phase,
    /// How it ended; [`Ended::Completed`] until it is known to be otherwise.
    pub ended: Ended,
    /// From the first due time, warm-up included.
    pub since_start: Duration,
    /// The counted part, from the end of the warm-up: as long as planned ([`Plan::counted_length`]), to the last
    /// counted answer if that came later, or to the stop. Without a planned length, to the last answer or due
    /// time. While requests are due, to the moment up to which every worker has told what it measured, so
    /// that counts and time always belong together.
    pub elapsed: Duration,
    /// How much of the counted part was paused.
    pub paused: Duration,
    /// Whether it is paused now.
    pub is_paused: bool,
    /// What the plan's rate is multiplied by now.
    pub factor: f64,
    /// What a person wrote beside it while it went, and what was changed.
    pub marks: Vec<Mark>,
    /// How much of the plan is done, 0 to 1; none when it cannot be known.
    pub progress: Option<f64>,
    /// Time left where it can be known; waiting for the last answers is not in it.
    pub remaining: Option<Duration>,
    /// Requests sent and not yet answered, or waiting for a connection, at the last tally.
    pub in_flight: u64,
    /// Counted requests.
    pub requests: Requests,
    /// Requests of the warm-up.
    pub warmup: Requests,
    /// Failures by class ([`crate::model::run::ErrorClass::name`], and `status`).
    pub errors: BTreeMap<String, u64>,
    /// Why connections failed, by class and in words, with how often; a bounded number of each class. Of all
    /// attempts to connect, those before the start and in the warm-up too.
    pub error_details: BTreeMap<String, BTreeMap<String, u64>>,
    /// Answers by status code.
    pub status: BTreeMap<String, u64>,
    /// Outcome minus due time, of all outcomes but cancelled.
    pub response: Latency,
    /// Outcome minus the moment of sending, of requests that were sent.
    pub service: Latency,
    /// How late the generator was, of requests that were sent.
    pub lag: Latency,
    /// Phases, tables and the slowest requests. Histograms are only in the final one.
    pub detail: Detail,
    /// What kept the machine from sending, from the first due time.
    pub strain: Strain,
    /// Bytes of counted requests.
    pub bytes: Bytes,
    /// Connections opened and requests that waited for one.
    pub connections: Connections,
    /// What happened over time. Histograms are only in the final one.
    pub intervals: Vec<Interval>,
    /// The address that load was sent to.
    pub address: String,
    /// Threads that sent load.
    pub threads: u32,
    /// Processor time of the busiest load thread as a share of its elapsed time; none where the system does not tell.
    pub load_cpu_share: Option<f64>,
    /// Wall clock at the first due time.
    pub first_due: Timestamp,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Connections are being opened; nothing is due yet.
    Connecting,
    /// Requests are sent and not counted.
    Warmup,
    /// Requests are sent and counted.
    Measuring,
    /// Nothing is due any more; the last answers are awaited.
    Draining,
    /// Over.
    Done,
}

/// Why a run could not be carried out. No request was sent.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The plan is not one that can be run.
    #[error("the plan cannot be run: {0}")]
    Plan(String),
    /// The URL cannot be used.
    #[error("the URL cannot be used: {0}")]
    Url(String),
    /// The target's name could not be resolved.
    #[error("the name {host} could not be resolved: {source}")]
    Resolve {
        /// The name.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// The target's name stands for no address.
    #[error("the name {host} stands for no address")]
    NoAddress {
        /// The name.
        host: String,
    },
    /// The file of certificate authorities cannot be used.
    #[error("the file of certificate authorities {} cannot be used: {reason}", path.display())]
    CaFile {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The client's certificate cannot be used.
    #[error("the client certificate {} cannot be used: {reason}", path.display())]
    ClientCertificate {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The file of the request body cannot be read.
    #[error("the body file {} cannot be read: {source}", path.display())]
    BodyFile {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file of the request body is larger than the limit.
    #[error("the body file {} is larger than 16 MiB", path.display())]
    BodyTooLarge {
        /// Which.
        path: PathBuf,
    },
    /// The data file cannot be used.
    #[error("the data file {} cannot be used: {reason}", path.display())]
    DataFile {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The file of recorded moments cannot be used.
    #[error("the recording {} cannot be used: {reason}", path.display())]
    Recording {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A text with `{{names}}` in it cannot be filled.
    #[error("a template cannot be filled: {0}")]
    Template(String),
    /// The gRPC call could not be made ready: its method, its message, or their shapes.
    #[error("the gRPC call cannot be made: {0}")]
    Grpc(String),
    /// TLS could not be set up.
    #[error("TLS could not be set up: {0}")]
    Tls(String),
    /// The system does not allow as many open files as the plan has connections.
    #[error(
        "{needed} open files are needed and {allowed} are allowed; raise the limit (ulimit -n) or use fewer connections"
    )]
    OpenFiles {
        /// Connections and what else the run opens.
        needed: u64,
        /// The hard limit.
        allowed: u64,
    },
    /// A thread of the engine could not be started.
    #[error("the load threads could not be started: {0}")]
    Threads(#[source] io::Error),
}

/// Carries out `plan`. Blocks until every due request has its outcome; `watch` sees the state about ten
/// times a second. Must not be called on an async task's thread (a blocking task's is fine).
///
/// # Errors
/// [`LoadError`] when nothing could be sent. A target that fails is a result, not an error.
pub fn run(
    plan: &Plan,
    options: &Options,
    control: &Control,
    watch: &mut dyn FnMut(&Measured),
) -> Result<Measured, LoadError> {
    collector::run(plan, *options, control, watch)
}

/// What the engine makes of bytes that a server sends: the status of each whole answer, and whether all of them were
/// HTTP/1.1. They are read in pieces of this size (at least 1), as from a connection that ends after them. For
/// tests that make bytes up.
#[must_use]
pub fn http1_statuses(bytes: &[u8], piece_bytes: usize) -> (Vec<u16>, bool) {
    response::statuses(bytes, piece_bytes)
}

/// What the engine makes of frames of HTTP/2 that a server sends after this many requests: the status of each whole
/// answer, and whether all of it was HTTP/2. They are read in pieces of this size (at least 1), as from a connection that
/// ends after them. For tests that make bytes up.
#[must_use]
pub fn http2_statuses(bytes: &[u8], piece_bytes: usize, requests: usize) -> (Vec<Option<u16>>, bool) {
    http2::conn::statuses(bytes, piece_bytes, requests)
}

#[cfg(test)]
mod simulated;
