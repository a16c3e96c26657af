//! What a run holds beside its totals: phases of a request, tables by what was asked and where, and the slowest.

use serde::{Deserialize, Serialize};

use super::Quantiles;

/// The most requests in [`Detail::slowest`].
pub const SLOWEST_MAX: usize = 50;
/// The most rows in [`ConnectionTable::slowest`].
pub const CONNECTION_ROWS_MAX: usize = 20;

/// Where the time went, and to whom.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Detail {
    /// How long each phase of a request took.
    pub phases: Phases,
    /// By request of the plan, response times; empty where there was one only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<Row>,
    /// By stage of the plan in which they were due, response times; empty where there was one only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Row>,
    /// By address of the target, service times; empty where there was one only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Row>,
    /// By connection, service times.
    pub connections: ConnectionTable,
    /// The slowest requests, the slowest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub slowest: Vec<Slow>,
}

/// Phases of a request, in their order; each counts only the requests (or connections) that had it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Phases {
    /// Resolving the target's name, of each connection opened.
    pub dns: PhaseTimes,
    /// Connecting, of each connection opened.
    pub connect: PhaseTimes,
    /// Agreeing on TLS, of each connection opened.
    pub tls: PhaseTimes,
    /// Waiting because no connection was free, of the requests that had to.
    pub wait: PhaseTimes,
    /// From sending to the first byte of the answer.
    pub first_byte: PhaseTimes,
    /// From the first byte to the last, of answers that did not come whole at once.
    pub transfer: PhaseTimes,
}

/// How long one phase took.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PhaseTimes {
    /// Two significant digits.
    pub ms: Quantiles,
    /// HdrHistogram V2, deflated, base64; nanoseconds; two significant digits. Empty while running.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub histogram: String,
}

/// One row of a table of requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What they have in common.
    pub name: String,
    /// Requests that had an outcome other than cancelled.
    pub requests: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// Their times; two significant digits.
    pub ms: Quantiles,
}

/// How evenly connections were used, and the slowest of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConnectionTable {
    /// Connections that carried a counted request; one that was opened anew is the same.
    pub used: u64,
    /// The fewest requests over one of them.
    pub requests_min: u64,
    /// The most requests over one of them.
    pub requests_max: u64,
    /// The slowest by mean service time, the slowest first; at most [`CONNECTION_ROWS_MAX`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub slowest: Vec<ConnectionRow>,
}

/// One connection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConnectionRow {
    /// Which: thread and number, as in [`Slow::connection`].
    pub name: String,
    /// Counted requests over it.
    pub requests: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// How often it was opened, warm-up included.
    pub opened: u64,
    /// Mean service time.
    pub mean_ms: f64,
    /// Longest service time.
    pub max_ms: f64,
}

/// One slow request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Slow {
    /// When it was due, in seconds from the first counted due time.
    pub due_s: f64,
    /// Its response time.
    pub response_ms: f64,
    /// Its service time; none when it never was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_ms: Option<f64>,
    /// Its status code, or the class of its error.
    pub outcome: String,
    /// Which of the plan's requests it was; empty when it never was sent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
    /// The address it went to; empty when none was reached.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub address: String,
    /// The connection that carried it; empty when none did.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub connection: String,
    /// How long its phases took.
    #[serde(default)]
    pub phases: SlowPhases,
}

/// How long the phases of one request took, in milliseconds; none of a phase that it did not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SlowPhases {
    /// How late our own generator was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag: Option<f64>,
    /// Waiting for a free connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<f64>,
    /// Resolving the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<f64>,
    /// Connecting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect: Option<f64>,
    /// Agreeing on TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<f64>,
    /// From sending to the first byte or, where none came, to the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_byte: Option<f64>,
    /// From the first byte to the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer: Option<f64>,
}

/// What kept the machine from sending load, while it did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Strain {
    /// Periods in which our control group had used up its processor time; none where the system does not tell.
    pub throttled_periods: Option<u64>,
    /// How long its threads were held back for that, in seconds, summed over processors.
    pub throttled_s: Option<f64>,
    /// Share of the machine's processor time that its host gave to others, 0 to 1.
    pub stolen_share: Option<f64>,
}

impl Detail {
    /// Whether nothing of it was measured, as in records of older versions.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Strain {
    /// Whether the system told nothing.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

impl Phases {
    /// Name, meaning and times of each phase, in their order.
    #[must_use]
    pub fn named(&self) -> [(&'static str, &'static str, &PhaseTimes); 6] {
        [
            ("DNS", "resolving the name, per connection opened", &self.dns),
            ("Connect", "per connection opened", &self.connect),
            ("TLS", "agreeing on it, per connection opened", &self.tls),
            ("Wait", "for a free connection, where one had to", &self.wait),
            ("First byte", "from sending to the first byte", &self.first_byte),
            ("Transfer", "from the first byte to the last, where not at once", &self.transfer),
        ]
    }

    /// As [`Self::named`], of the phases that occurred.
    pub fn occurred(&self) -> impl Iterator<Item = (&'static str, &'static str, &PhaseTimes)> {
        self.named().into_iter().filter(|(_, _, times)| times.ms.count > 0)
    }
}

impl SlowPhases {
    /// Name and milliseconds of each phase that the request had.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, f64)> {
        [
            ("lag", self.lag),
            ("wait", self.wait),
            ("DNS", self.dns),
            ("connect", self.connect),
            ("TLS", self.tls),
            ("first byte", self.first_byte),
            ("transfer", self.transfer),
        ]
        .into_iter()
        .filter_map(|(name, ms)| ms.map(|ms| (name, ms)))
    }

    /// The phase that took longest.
    #[must_use]
    pub fn longest(&self) -> Option<(&'static str, f64)> {
        self.named().max_by(|left, right| left.1.total_cmp(&right.1))
    }
}
