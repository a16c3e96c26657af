//! Records: what is kept of one machine's history so that it can be kept on others too.
//!
//! A record is never changed. It is named by the [`Digest`](super::digest::Digest) of its envelope's bytes, so that the same record is the same
//! everywhere, however often it is sent. What may change is told by further records that carry a [`Stamp`]: of two that
//! tell the same thing of the same run or plan the later counts, and whoever has the same records sees the same history,
//! in whatever order they came.
//!
//! ```text
//! history = fold(set of records)        no order, no repetition matters
//! ```

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::envelope::{self, Codec, EnvelopeError, Kind};
use super::metrics::RunMetrics;
use super::metrics::kept::RUN_METRICS_VERSION;
use super::plan::PLAN_VERSION;
use super::run::{RUN_VERSION, RunEdit};
use super::{Plan, Run, RunId};

/// The version of annotations and tombstones that this program writes.
pub const RECORD_VERSION: u32 = 1;
/// How far ahead of the reader's clock a stamp may be, in microseconds: a day. What claims more would win for ever.
pub const STAMP_AHEAD_MAX_US: u64 = 24 * 60 * 60 * 1_000_000;

/// What a record tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordKind {
    /// A run, as it was measured.
    Run,
    /// A change to what a person has written about a run.
    Annotation,
    /// That a run was deleted, or taken back.
    Tombstone,
    /// A saved plan as it was at a time, or that it was deleted.
    Plan,
    /// What sources of metrics showed over a run, and what it cost.
    Metrics,
}

/// When something was said, and where: hybrid logical time. Later ones win; where two are equal, the larger device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Stamp {
    /// Microseconds since 1970, and never less than of anything that was known when it was said.
    pub time_us: u64,
    /// The installation that said it.
    pub device: Uuid,
}

/// A change to what a person has written about a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotation {
    /// [`RECORD_VERSION`] of the writer.
    pub version: u32,
    /// The run that it is about.
    pub run: RunId,
    /// When it was said.
    pub stamp: Stamp,
    /// What it says.
    pub edit: RunEdit,
}

/// That a run was deleted, or taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    /// [`RECORD_VERSION`] of the writer.
    pub version: u32,
    /// The run that it is about.
    pub run: RunId,
    /// When it was said.
    pub stamp: Stamp,
    /// Whether it was deleted; else it was taken back.
    pub is_deleted: bool,
}

/// A saved plan as it was at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanRevision {
    /// [`PLAN_VERSION`] of the writer.
    pub version: u32,
    /// The plan's own id, the same in all its revisions.
    pub id: Uuid,
    /// When it was saved.
    pub stamp: Stamp,
    /// The plan without its secrets; none if it was deleted.
    pub plan: Option<Plan>,
}

/// A record that was read.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A run, as it was measured.
    Run(Box<Run>),
    /// A change to what a person has written about a run.
    Annotation(Annotation),
    /// That a run was deleted, or taken back.
    Tombstone(Tombstone),
    /// A saved plan as it was at a time, or that it was deleted.
    Plan(Box<PlanRevision>),
    /// What sources of metrics showed over a run, and what it cost.
    Metrics(Box<RunMetrics>),
}

/// Why bytes are no record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Of a kind that this program does not know; a newer one may.
    #[error("it is of a kind that this Meshbench does not know")]
    UnknownKind,
    /// Its envelope or content cannot be read.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// It claims to be from the future: it would win over everything said since.
    #[error("it says that it was written more than a day from now; is the clock right?")]
    Ahead,
    /// It holds what must not leave a machine.
    #[error("it holds a secret that must not leave the machine it is from")]
    Secret,
}

impl RecordKind {
    /// Every kind that this program knows.
    pub const ALL: [Self; 5] = [Self::Run, Self::Annotation, Self::Tombstone, Self::Plan, Self::Metrics];

    /// As it is called in the protocol.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Annotation => "annotation",
            Self::Tombstone => "tombstone",
            Self::Plan => "plan",
            Self::Metrics => "metrics",
        }
    }

    const fn sealed_as(self) -> Kind {
        match self {
            Self::Run => Kind::Run,
            Self::Annotation => Kind::Annotation,
            Self::Tombstone => Kind::Tombstone,
            Self::Plan => Kind::PlanRevision,
            Self::Metrics => Kind::Metrics,
        }
    }
}

impl Stamp {
    /// The stamp of what is said now: later than everything that was known.
    #[must_use]
    pub fn after(latest: Self, now: Timestamp, device: Uuid) -> Self {
        Self { time_us: micros(now).max(latest.time_us.saturating_add(1)), device }
    }

    /// Whether it is further ahead of a clock than clocks are wrong.
    #[must_use]
    pub fn is_ahead_of(self, now: Timestamp) -> bool {
        self.time_us > micros(now).saturating_add(STAMP_AHEAD_MAX_US)
    }
}

/// Microseconds since 1970; 0 before.
fn micros(time: Timestamp) -> u64 {
    u64::try_from(time.as_microsecond()).unwrap_or(0)
}

impl Record {
    /// What it tells.
    #[must_use]
    pub const fn kind(&self) -> RecordKind {
        match self {
            Self::Run(_) => RecordKind::Run,
            Self::Annotation(_) => RecordKind::Annotation,
            Self::Tombstone(_) => RecordKind::Tombstone,
            Self::Plan(_) => RecordKind::Plan,
            Self::Metrics(_) => RecordKind::Metrics,
        }
    }

    /// The run or plan that it is about.
    #[must_use]
    pub fn subject(&self) -> Uuid {
        match self {
            Self::Run(run) => run.id.0,
            Self::Annotation(annotation) => annotation.run.0,
            Self::Tombstone(tombstone) => tombstone.run.0,
            Self::Plan(revision) => revision.id,
            Self::Metrics(metrics) => metrics.run.0,
        }
    }

    /// When it was said; none of what was measured.
    #[must_use]
    pub const fn stamp(&self) -> Option<Stamp> {
        match self {
            Self::Run(_) | Self::Metrics(_) => None,
            Self::Annotation(annotation) => Some(annotation.stamp),
            Self::Tombstone(tombstone) => Some(tombstone.stamp),
            Self::Plan(revision) => Some(revision.stamp),
        }
    }

    /// The bytes by which it is named, kept and sent.
    ///
    /// # Errors
    /// When it is larger than any envelope.
    pub fn seal(&self) -> Result<Vec<u8>, EnvelopeError> {
        let kind = self.kind().sealed_as();
        match self {
            Self::Run(run) => envelope::seal(kind, RUN_VERSION, Codec::Deflate, run),
            Self::Annotation(annotation) => envelope::seal(kind, RECORD_VERSION, Codec::Plain, annotation),
            Self::Tombstone(tombstone) => envelope::seal(kind, RECORD_VERSION, Codec::Plain, tombstone),
            Self::Plan(revision) => envelope::seal(kind, PLAN_VERSION, Codec::Deflate, revision),
            Self::Metrics(metrics) => envelope::seal(kind, RUN_METRICS_VERSION, Codec::Deflate, metrics),
        }
    }

    /// Proves and reads the bytes of a record, at the time of the reader's clock. Whoever takes records from elsewhere reads
    /// each with this: servers what is sent up, machines what comes down.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn read(bytes: &[u8], now: Timestamp) -> Result<Self, RecordError> {
        let kind_byte = envelope::kind_byte(bytes).ok_or(EnvelopeError::Foreign)?;
        let kind = RecordKind::ALL.into_iter().find(|kind| kind.sealed_as() as u8 == kind_byte);
        let kind = kind.ok_or(RecordError::UnknownKind)?;
        let sealed_as = kind.sealed_as();
        let record = match kind {
            RecordKind::Run => Self::Run(Box::new(envelope::open(sealed_as, RUN_VERSION, bytes)?)),
            RecordKind::Annotation => Self::Annotation(envelope::open(sealed_as, RECORD_VERSION, bytes)?),
            RecordKind::Tombstone => Self::Tombstone(envelope::open(sealed_as, RECORD_VERSION, bytes)?),
            RecordKind::Plan => Self::Plan(Box::new(envelope::open(sealed_as, PLAN_VERSION, bytes)?)),
            RecordKind::Metrics => {
                Self::Metrics(Box::new(envelope::open(sealed_as, RUN_METRICS_VERSION, bytes)?))
            }
        };
        if record.stamp().is_some_and(|stamp| stamp.is_ahead_of(now)) {
            return Err(RecordError::Ahead);
        }
        if record.plan().is_some_and(|plan| plan.redacted() != *plan) {
            return Err(RecordError::Secret);
        }
        Ok(record)
    }

    fn plan(&self) -> Option<&Plan> {
        match self {
            Self::Run(run) => Some(&run.plan),
            Self::Plan(revision) => revision.plan.as_ref(),
            Self::Annotation(_) | Self::Tombstone(_) | Self::Metrics(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    fn annotation(time_us: u64) -> Record {
        Record::Annotation(Annotation {
            version: RECORD_VERSION,
            run: RunId(Uuid::from_u128(7)),
            stamp: Stamp { time_us, device: Uuid::from_u128(1) },
            edit: RunEdit::Note("slower".to_owned()),
        })
    }

    #[test]
    fn a_record_is_read_as_it_was_sealed() {
        let record = annotation(5);
        let bytes = record.seal().unwrap();
        assert_eq!(Record::read(&bytes, now()).unwrap(), record);
    }

    #[test]
    fn other_kinds_and_changed_bytes_are_no_records() {
        let settings = envelope::seal(Kind::Settings, 1, Codec::Plain, &1).unwrap();
        assert!(matches!(Record::read(&settings, now()), Err(RecordError::UnknownKind)));
        let mut bytes = annotation(5).seal().unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        assert!(matches!(Record::read(&bytes, now()), Err(RecordError::Envelope(EnvelopeError::Hash))));
        assert!(Record::read(b"", now()).is_err());
    }

    #[test]
    fn what_is_said_now_is_later_than_all_that_was_known_and_the_far_future_is_refused() {
        let device = Uuid::from_u128(2);
        let now_us = u64::try_from(now().as_microsecond()).unwrap();
        assert_eq!(Stamp::after(Stamp::default(), now(), device).time_us, now_us);
        let ahead = Stamp { time_us: now_us + 50, device };
        assert!(Stamp::after(ahead, now(), device) > ahead);
        let far = annotation(now_us + STAMP_AHEAD_MAX_US + 1).seal().unwrap();
        assert!(matches!(Record::read(&far, now()), Err(RecordError::Ahead)));
        assert!(Record::read(&annotation(now_us + STAMP_AHEAD_MAX_US).seal().unwrap(), now()).is_ok());
    }

    #[test]
    fn a_plan_with_a_secret_is_no_record() {
        let mut plan = Plan::for_url("https://shop.test/");
        let revision = |plan: Plan| {
            Record::Plan(Box::new(PlanRevision {
                version: PLAN_VERSION,
                id: Uuid::from_u128(3),
                stamp: Stamp::default(),
                plan: Some(plan),
            }))
        };
        assert!(Record::read(&revision(plan.redacted()).seal().unwrap(), now()).is_ok());
        plan.request.headers.push(crate::model::Header {
            name: "Authorization".to_owned(),
            value: "Bearer CANARY".to_owned(),
            secret: true,
        });
        let refused = Record::read(&revision(plan).seal().unwrap(), now());
        assert!(matches!(refused, Err(RecordError::Secret)), "{refused:?}");
    }
}
