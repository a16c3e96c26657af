//! What a source answers: series of points over time.

use serde::{Deserialize, Serialize};

use crate::model::Labels;

/// The most series that one answer holds; the rest is counted and told.
pub const SERIES_MAX: usize = 10_000;
/// The most series of one query that are drawn or kept with a run: the largest by their last value.
pub const SERIES_SHOWN_MAX: usize = 50;
/// The most points that a source is asked for in one series: Prometheus refuses more than 11 000.
pub const POINTS_MAX: usize = 11_000;

/// The moments at which a source is asked for values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grid {
    /// The first, in milliseconds since 1970.
    pub from_ms: i64,
    /// The last, or just after it.
    pub to_ms: i64,
    /// Between two of them, in milliseconds; more than 0.
    pub step_ms: i64,
}

/// One value at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// Always a number, never infinite: what is none is a gap.
    pub value: f64,
}

/// One series: who it is about, and its points, ascending.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// What tells it from others; `__name__` where the query keeps it.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Its points. Where the source had none, there is none.
    pub points: Vec<Point>,
}

/// What a query was answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The series, in the source's order.
    pub series: Vec<Series>,
    /// How many were left out because there were more than [`SERIES_MAX`] or [`SERIES_SHOWN_MAX`].
    #[serde(default)]
    pub left_out: usize,
    /// What the source or we had to say: a cut series, values that were no numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

impl Answer {
    /// The same with `most` series at the most: those with the largest last values, in their order.
    #[must_use]
    pub fn largest(mut self, most: usize) -> Self {
        if self.series.len() <= most {
            return self;
        }
        let last = |at: &usize| self.series[*at].last().unwrap_or(f64::NEG_INFINITY);
        let mut places: Vec<usize> = (0..self.series.len()).collect();
        places.sort_by(|one, other| last(other).total_cmp(&last(one)).then(one.cmp(other)));
        places.truncate(most);
        self.left_out += self.series.len() - most;
        let mut number = 0;
        self.series.retain(|_| {
            number += 1;
            places.contains(&(number - 1))
        });
        self
    }

    /// The same by a clock that is behind the source’s by so many milliseconds.
    #[must_use]
    pub fn earlier(mut self, by_ms: i64) -> Self {
        if by_ms != 0 {
            for point in self.series.iter_mut().flat_map(|series| &mut series.points) {
                point.at_ms = point.at_ms.saturating_sub(by_ms);
            }
        }
        self
    }
}

impl Series {
    /// Its last value.
    #[must_use]
    pub fn last(&self) -> Option<f64> {
        self.points.last().map(|point| point.value)
    }

    /// `a=1, b=2`: its labels for people; `value` without any.
    #[must_use]
    pub fn words(&self) -> String {
        if self.labels.is_empty() {
            return "value".to_owned();
        }
        let told: Vec<String> = self.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        told.join(", ")
    }
}
