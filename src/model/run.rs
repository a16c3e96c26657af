//! A run: one execution of a plan, with its result. Also the JSON that `--json` and exports write.
//!
//! The JSON is lossless: the three histograms are in it (HdrHistogram V2, deflated, base64), and every
//! interval. Fields are only ever added; [`RUN_VERSION`] grows when a meaning changes.

mod detail;
mod machine;

pub use detail::{
    CONNECTION_ROWS_MAX, ConnectionRow, ConnectionTable, Detail, PhaseTimes, Phases, Row, SLOWEST_MAX, Slow,
    SlowPhases, Strain,
};
pub use machine::{MACHINE_SAMPLES_MAX, Machine, MachineSample};

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::metrics::RunMetrics;
use super::{GoalResult, Labels, Plan, Stop};

/// The share of a run by which its last answers may come after its last due time without being a backlog.
const TAIL_SHARE: f64 = 0.01;

/// The version of the run format that this program writes.
pub const RUN_VERSION: u32 = 1;
/// The quantiles that every summary holds, as numbers from 0 to 1.
pub const QUANTILES: [f64; 5] = [0.5, 0.9, 0.95, 0.99, 0.999];
/// The most intervals in a record; longer runs have wider ones.
pub const INTERVALS_MAX: usize = 240;

/// The most notes of one run, and the most changes that are told as marks.
pub const MARKS_MAX: usize = 500;
/// The most characters of a mark.
pub const MARK_TEXT_MAX: usize = 120;

/// Identity of a run: a version 7 UUID, so that ids sort by their time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub Uuid);

/// One execution of a plan, with its result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// [`RUN_VERSION`] of the writer.
    pub version: u32,
    /// Identity.
    pub id: RunId,
    /// What a person calls it; never empty.
    pub name: String,
    /// By which history is grouped and filtered.
    pub labels: Labels,
    /// Free text.
    #[serde(default)]
    pub note: String,
    /// What a person wrote beside it while it went, and what was changed; ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
    /// What was run; secrets are redacted.
    pub plan: Plan,
    /// When the first request was due.
    pub started: Timestamp,
    /// Length of the counted part in seconds: as planned, or up to the last counted answer if that came later.
    /// Without a planned length (a number of requests as fast as possible, or at random times) up to the last
    /// answer or due time; of a run that was stopped, up to then.
    pub elapsed_s: f64,
    /// How much of `elapsed_s` was paused; rates are over the rest.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub paused_s: f64,
    /// How it ended.
    pub ended: Ended,
    /// Whether it ended by a crash or kill; the record then lacks at most its last second.
    pub interrupted: bool,
    /// Counted requests.
    pub requests: Requests,
    /// Sent during warm-up, not counted anywhere else.
    #[serde(default)]
    pub warmup: Requests,
    /// Requests per second.
    pub rate: Rate,
    /// Answer minus due time: what a user waits. All requests that got an outcome other than cancelled.
    pub response_ms: Quantiles,
    /// Answer minus the moment of sending.
    pub service_ms: Quantiles,
    /// How late our own generator was: start of work minus due time, or minus the moment a connection
    /// became free if the request had to wait for one.
    pub lag_ms: Quantiles,
    /// Failed requests by class ([`ErrorClass`] and `status` for answers of 400 and above).
    pub errors: BTreeMap<String, u64>,
    /// Why connections failed, in words, by the classes of `errors`: of all attempts to connect, not only those of
    /// counted requests.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub error_details: BTreeMap<String, BTreeMap<String, u64>>,
    /// Answers by status code.
    pub status: BTreeMap<String, u64>,
    /// Goals and whether they were met.
    pub goals: Vec<GoalResult>,
    /// What a reader must know before trusting the numbers.
    pub warnings: Vec<Warning>,
    /// Bytes on the wire (of TLS: inside it).
    pub bytes: Bytes,
    /// Connections and waiting.
    pub connections: Connections,
    /// Where it was run.
    pub environment: Environment,
    /// The full histograms.
    pub histograms: Histograms,
    /// What the search for the highest rate has found, of which this run is the trial at the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<super::Capacity>,
    /// Phases, tables and the slowest requests.
    #[serde(default, skip_serializing_if = "Detail::is_empty")]
    pub detail: Detail,
    /// What happened over time, in order, without overlap. A gap is a time in which nothing was due or answered.
    pub intervals: Vec<Interval>,
    /// What the machine that sent load was doing meanwhile; empty where the system does not tell.
    #[serde(default, skip_serializing_if = "Machine::is_empty")]
    pub machine: Machine,
    /// What sources of metrics showed over it, and what it cost. Kept beside the run's own record, as it is known only
    /// after its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<Box<RunMetrics>>,
}

/// What a run of any version has: enough to tell whether the rest can be read.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct RunHead {
    /// [`RUN_VERSION`] of the writer.
    pub version: u32,
}

/// A moment of a run that is worth knowing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// When, in seconds from the first counted due time; less than 0 in the warm-up.
    pub at_s: f64,
    /// What kind of moment.
    #[serde(default)]
    pub kind: MarkKind,
    /// For people: `deployed v2`.
    pub text: String,
}

/// The kinds of [`Mark`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkKind {
    /// A person wrote it.
    #[default]
    Note,
    /// The rate was changed.
    Rate,
    /// Nothing more was due from here.
    Pause,
    /// It went on.
    Resume,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// The plan was carried out.
    Completed,
    /// A person stopped it; requests in flight were cancelled.
    Stopped,
    /// A goal could not be reached any more, and the plan asks to end then.
    GaveUp,
    /// The program ended before the run did.
    Interrupted,
}

/// Counts that balance: `due = answered + errors without an answer + cancelled`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// Requests that were due.
    pub due: u64,
    /// Requests that got a whole answer, of any status.
    pub answered: u64,
    /// Requests that failed: no whole answer, or a status of 400 or above. Cancelled ones are not failures.
    pub failed: u64,
    /// Requests in flight or waiting when a person stopped the run.
    #[serde(default)]
    pub cancelled: u64,
}

/// Requests per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// The plan's rate; none for a closed loop.
    pub asked: Option<f64>,
    /// Whole answers per second of `elapsed_s`.
    pub achieved: f64,
}

/// Quantiles of one histogram, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 99.9th percentile.
    #[serde(rename = "p99.9")]
    pub p99_9: f64,
    /// Largest value.
    pub max: f64,
    /// Arithmetic mean.
    pub mean: f64,
    /// Number of values. With 0, all other fields are 0 and mean nothing.
    pub count: u64,
}

/// Bytes received and sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bytes {
    /// Heads and bodies of requests.
    pub sent: u64,
    /// Heads and bodies of answers.
    pub received: u64,
}

/// Connections and waiting for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connections {
    /// Connections opened, warm-up included.
    pub opened: u64,
    /// Requests that were due while every connection was busy, and so had to wait. Their waiting is part of
    /// their response time.
    pub waited: u64,
    /// Requests that were sent more than once, since the target did not touch what was sent first: its end of a kept
    /// connection crossed it on the way, or it said so. The time of all of it is part of their service time.
    #[serde(default, skip_serializing_if = "is_none")]
    pub resent: u64,
}

/// Where a run was carried out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// Version of Meshbench.
    pub meshbench: String,
    /// `linux x86_64`.
    pub system: String,
    /// Logical processors.
    pub cpus: u32,
    /// Threads that sent load.
    pub load_threads: u32,
    /// The address that the target's name stood for.
    pub address: String,
    /// Processor time of the load threads as a share of their elapsed time, 0 to 1; none where the system does not tell.
    #[serde(default)]
    pub load_cpu_share: Option<f64>,
    /// What kept the machine from sending load.
    #[serde(default, skip_serializing_if = "Strain::is_unknown")]
    pub strain: Strain,
}

/// HdrHistogram V2, deflated, base64; values are nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histograms {
    /// Of response time.
    pub response: String,
    /// Of service time.
    pub service: String,
    /// Of lag.
    pub lag: String,
}

/// One interval of a run. Requests are counted in the interval in which they got their outcome, `due` in
/// the one in which they were due.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Start, in seconds from the first counted due time.
    pub start_s: f64,
    /// Length in seconds.
    pub length_s: f64,
    /// Requests due.
    pub due: u64,
    /// Whole answers.
    pub answered: u64,
    /// Failures by class, as in [`Run::errors`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub errors: BTreeMap<String, u64>,
    /// Requests in flight at the end of the interval.
    pub in_flight: u64,
    /// Response times.
    pub response_ms: Quantiles,
    /// Service times.
    pub service_ms: Quantiles,
    /// 99th percentile of lag, in milliseconds.
    pub lag_p99_ms: f64,
    /// Response times as HdrHistogram V2, deflated, base64; two significant digits; nanoseconds. Empty while running.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub histogram: String,
    /// Response times in the rows of a heat map: the first row, then counts up to the last. Empty where
    /// [`Self::histogram`] has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heat: Vec<u64>,
}

/// What a reader must know before trusting the numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// Stable name, for scripts.
    pub kind: WarningKind,
    /// One sentence for people, with the numbers.
    pub text: String,
}

/// The kinds of [`Warning`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WarningKind {
    /// Our own generator was so late that the run is void.
    GeneratorLagged,
    /// Our control group had used up its processor time so often that the run is void.
    GeneratorThrottled,
    /// The machine's host gave much of its processor time to others.
    ProcessorStolen,
    /// Requests had to wait because every connection was busy.
    Overflowed,
    /// The achieved rate stayed below the rate asked for.
    RateMissed,
    /// Target and generator ran on the same machine.
    SharedMachine,
    /// The load threads were nearly out of processor time.
    GeneratorSaturated,
    /// Enough requests failed to bend the response times.
    Failures,
    /// Certificates were not checked.
    Insecure,
    /// Load went through the API server of a cluster to one pod.
    PortForward,
    /// Too few requests for the high quantiles.
    FewSamples,
    /// The run did not end by itself.
    Incomplete,
}

/// Classes of failure without a whole answer. Every due request has exactly one outcome: a status code, or one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorClass {
    /// The name could not be resolved.
    Dns,
    /// Nobody listens there.
    ConnectRefused,
    /// The connection was not made in time.
    ConnectTimeout,
    /// TLS could not be agreed on.
    Tls,
    /// The connection was reset.
    Reset,
    /// The connection was closed before the answer was whole.
    ClosedEarly,
    /// The answer was not HTTP, or broke a limit.
    Protocol,
    /// The target does not speak the protocol that the plan asks for.
    WrongProtocol,
    /// No whole answer in time.
    ResponseTimeout,
    /// No connection became free in time, so the request was never sent.
    Overflow,
    /// A person stopped the run.
    Cancelled,
}

/// What lists of runs show: a run without its histograms and intervals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Identity.
    pub id: RunId,
    /// Name.
    pub name: String,
    /// Labels.
    pub labels: Labels,
    /// Note.
    pub note: String,
    /// Target URL.
    pub url: String,
    /// Start.
    pub started: Timestamp,
    /// Length in seconds.
    pub elapsed_s: f64,
    /// How it ended.
    pub ended: Ended,
    /// Counts.
    pub requests: Requests,
    /// Rates.
    pub rate: Rate,
    /// Response times.
    pub response_ms: Quantiles,
    /// Kinds of warnings.
    pub warnings: Vec<WarningKind>,
    /// Goals missed and goals in all.
    pub goals_missed: u32,
    /// Goals in all.
    pub goals: u32,
}

/// A change to what a person has written about a run. Measurements never change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEdit {
    /// A new name.
    Name(String),
    /// New labels, all of them.
    Labels(Labels),
    /// A new note.
    Note(String),
}

/// Whether there were none: what is seldom there is left out.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

impl Run {
    /// When counting began, in milliseconds since 1970: what times within the run count from.
    #[must_use]
    pub fn counted_from_ms(&self) -> i64 {
        self.started.as_millisecond().saturating_add((self.counted_after_s() * 1e3).round() as i64)
    }

    /// How long after the first due time counting began, in seconds: the warm-up, and the pauses in it.
    #[must_use]
    pub fn counted_after_s(&self) -> f64 {
        let pauses = self.marks.iter().filter(|mark| mark.at_s < 0.0).map(|mark| match mark.kind {
            MarkKind::Pause => -mark.at_s,
            MarkKind::Resume => mark.at_s,
            _ => 0.0,
        });
        self.plan.warmup.as_secs_f64() + pauses.sum::<f64>().max(0.0)
    }

    /// How far its plots over time reach, in seconds: failures may come after the last answer.
    #[must_use]
    pub fn length_s(&self) -> f64 {
        let last = self.intervals.last().map_or(0.0, |last| last.start_s + last.length_s);
        last.max(self.elapsed_s)
    }

    /// Answers per second while requests were due, which goals are held against. The last answers come after the last due
    /// time, and what was under way at a stop had no time to: what an answer usually takes (the median, or 1 % of the run
    /// where that is more and the end is known) is no part of the time that counts. A backlog beyond that is. As
    /// [`Rate::achieved`] in a closed loop.
    #[must_use]
    pub fn carried_rate(&self) -> f64 {
        if self.plan.pacing.has_closed_loop() {
            return self.rate.achieved;
        }
        let active_s = self.elapsed_s - self.paused_s;
        let usual_s = self.service_ms.p50 / 1e3;
        let planned_s = self.planned_s().filter(|_| self.ended == Ended::Completed);
        let length_s = match planned_s {
            Some(planned_s) => planned_s.max(active_s - usual_s.max(TAIL_SHARE * active_s)).min(active_s),
            None => (active_s - usual_s).max(active_s / 2.0),
        };
        self.requests.answered as f64 / length_s.max(f64::MIN_POSITIVE)
    }

    /// How long counted requests are due, in seconds; none where answers decide, or a recording or a stop does.
    #[must_use]
    pub fn planned_s(&self) -> Option<f64> {
        let by_count = || match (self.plan.stop, self.rate.asked) {
            (Stop::Requests(count), Some(asked)) => Some(count as f64 / asked),
            _ => None,
        };
        self.plan.counted_length().map(|length| length.as_secs_f64()).or_else(by_count)
    }

    /// What lists show of this run.
    #[must_use]
    pub fn summary(&self) -> RunSummary {
        RunSummary {
            id: self.id,
            name: self.name.clone(),
            labels: self.labels.clone(),
            note: self.note.clone(),
            url: self.plan.target.url.clone(),
            started: self.started,
            elapsed_s: self.elapsed_s,
            ended: self.ended,
            requests: self.requests,
            rate: self.rate,
            response_ms: self.response_ms,
            warnings: self.warnings.iter().map(|warning| warning.kind).collect(),
            goals_missed: self.goals.iter().filter(|goal| !goal.met).count() as u32,
            goals: self.goals.len() as u32,
        }
    }

    /// Carries out an edit.
    pub fn edit(&mut self, edit: RunEdit) {
        match edit {
            RunEdit::Name(name) => self.name = name,
            RunEdit::Labels(labels) => self.labels = labels,
            RunEdit::Note(note) => self.note = note,
        }
    }

    /// Whether the numbers must not be used: our own generator was the slow part.
    #[must_use]
    pub fn is_void(&self) -> bool {
        self.warnings.iter().any(|warning| warning.kind.voids())
    }
}

impl WarningKind {
    /// Whether the numbers must not be used.
    #[must_use]
    pub fn voids(self) -> bool {
        matches!(self, Self::GeneratorLagged | Self::GeneratorThrottled)
    }
}

impl Quantiles {
    /// The value at one of [`QUANTILES`]; none for any other quantile.
    #[must_use]
    pub fn at(&self, q: f64) -> Option<f64> {
        let values = [self.p50, self.p90, self.p95, self.p99, self.p99_9];
        QUANTILES.iter().position(|known| (known - q).abs() < 1e-9).map(|at| values[at])
    }
}

impl ErrorClass {
    /// All classes, in the order in which they are shown.
    pub const ALL: [Self; 11] = [
        Self::Dns,
        Self::ConnectRefused,
        Self::ConnectTimeout,
        Self::Tls,
        Self::Reset,
        Self::ClosedEarly,
        Self::Protocol,
        Self::WrongProtocol,
        Self::ResponseTimeout,
        Self::Overflow,
        Self::Cancelled,
    ];

    /// Its stable name in records: `connect_refused`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::ConnectRefused => "connect_refused",
            Self::ConnectTimeout => "connect_timeout",
            Self::Tls => "tls",
            Self::Reset => "reset",
            Self::ClosedEarly => "closed_early",
            Self::Protocol => "protocol",
            Self::WrongProtocol => "wrong_protocol",
            Self::ResponseTimeout => "response_timeout",
            Self::Overflow => "overflow",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The class under which answers with a status of 400 or above are counted among the failures.
pub const STATUS_ERROR: &str = "status";

/// Stands among the status codes for answers that have none: what was sent to an echo came back.
pub const ECHOED_STATUS: &str = "echoed";

/// What people read for a key of [`Run::errors`].
#[must_use]
pub fn error_words(class: &str) -> &str {
    match class {
        "dns" => "Name not resolved",
        "connect_refused" => "Connection refused",
        "connect_timeout" => "Connection timed out",
        "tls" => "TLS failed",
        "reset" => "Connection reset",
        "closed_early" => "Closed early",
        "protocol" => "Not a valid answer",
        "wrong_protocol" => "Target does not speak this protocol",
        "response_timeout" => "Response timed out",
        "overflow" => "No free connection in time",
        "cancelled" => "Cancelled",
        "status" => "Status 400 or above",
        other => other,
    }
}

impl Ended {
    /// For people: `Completed`.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Completed => "Completed",
            Self::Stopped => "Stopped",
            Self::GaveUp => "Gave up",
            Self::Interrupted => "Interrupted",
        }
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for RunId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Uuid::parse_str(text).map(Self).map_err(|_| format!("“{text}” is not the id of a run"))
    }
}
