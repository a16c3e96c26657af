//! What is asked of metrics, as data: written as PromQL for a server, or worked out by us from what was scraped.

use serde::{Deserialize, Serialize};

/// How a label is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// `=`
    Is,
    /// `!=`
    IsNot,
    /// `=~`, anchored at both ends as in PromQL.
    Matches,
    /// `!~`
    MatchesNot,
}

/// A condition on a label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matcher {
    /// The label.
    pub label: String,
    /// How it is compared.
    pub op: Op,
    /// With what.
    pub value: String,
}

/// Series of one metric.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selector {
    /// The metric's name.
    pub metric: String,
    /// All must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matchers: Vec<Matcher>,
}

/// What is worked out. `by` names the labels that are kept; empty for one series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// The sum of what counters grow by in a second.
    Rate {
        /// The counters.
        of: Selector,
        /// The labels that are kept.
        #[serde(default)]
        by: Vec<String>,
    },
    /// The sum of gauges.
    Sum {
        /// The gauges.
        of: Selector,
        /// The labels that are kept.
        #[serde(default)]
        by: Vec<String>,
    },
    /// How many series there are.
    Count {
        /// The series.
        of: Selector,
        /// The labels that are kept.
        #[serde(default)]
        by: Vec<String>,
    },
    /// A quantile, interpolated from the buckets of histograms: no more exact than these are wide.
    Quantile {
        /// From 0 to 1.
        q: f64,
        /// The buckets: a metric whose name ends in `_bucket`.
        of: Selector,
        /// The labels that are kept beside `le`.
        #[serde(default)]
        by: Vec<String>,
    },
    /// One by the other; a gap where the other is 0.
    Ratio(Box<Measure>, Box<Measure>),
    /// 1 less this.
    Rest(Box<Measure>),
    /// The first that there is: for metrics that were renamed.
    Either(Box<Measure>, Box<Measure>),
}

impl Selector {
    /// All series of a metric.
    #[must_use]
    pub fn of(metric: &str) -> Self {
        Self { metric: metric.to_owned(), matchers: Vec::new() }
    }

    /// Those of them whose label compares so.
    #[must_use]
    pub fn with(mut self, label: &str, op: Op, value: &str) -> Self {
        self.matchers.push(Matcher { label: label.to_owned(), op, value: value.to_owned() });
        self
    }
}

impl Measure {
    /// Whether it is interpolated from buckets, and must be marked so wherever it is shown.
    #[must_use]
    pub fn is_interpolated(&self) -> bool {
        match self {
            Self::Quantile { .. } => true,
            Self::Rate { .. } | Self::Sum { .. } | Self::Count { .. } => false,
            Self::Ratio(one, other) | Self::Either(one, other) => {
                one.is_interpolated() || other.is_interpolated()
            }
            Self::Rest(one) => one.is_interpolated(),
        }
    }

    /// The metrics without which it cannot be worked out: each inner list is satisfied by any one of its names.
    #[must_use]
    pub fn needs(&self) -> Vec<Vec<String>> {
        match self {
            Self::Rate { of, .. }
            | Self::Sum { of, .. }
            | Self::Count { of, .. }
            | Self::Quantile { of, .. } => {
                vec![vec![of.metric.clone()]]
            }
            Self::Ratio(one, other) => {
                let mut needs = one.needs();
                needs.extend(other.needs().into_iter().filter(|need| !one.needs().contains(need)));
                needs
            }
            Self::Rest(one) => one.needs(),
            Self::Either(one, other) => {
                vec![one.needs().into_iter().chain(other.needs()).flatten().collect()]
            }
        }
    }
}
