//! When requests are due, and when a run ends: pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::duration;

/// When request *n* is due.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Pacing {
    /// As fast as answers come, one request a connection at a time (closed loop).
    Max,
    /// Evenly spaced (open loop).
    Constant {
        /// Requests per second.
        rate_per_sec: f64,
    },
    /// Independent arrivals at this mean rate (open loop).
    Poisson {
        /// Mean requests per second.
        rate_per_sec: f64,
    },
}

/// When a run ends by itself. Warm-up comes before, and is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stop {
    /// Once requests have been due for this long.
    Duration(#[serde(with = "duration::serde_text")] Duration),
    /// Once this many requests have been due.
    Requests(u64),
}

impl Pacing {
    /// The rate asked for, in requests per second; none for a closed loop.
    #[must_use]
    pub fn rate_per_sec(&self) -> Option<f64> {
        match self {
            Self::Max => None,
            Self::Constant { rate_per_sec } | Self::Poisson { rate_per_sec } => Some(*rate_per_sec),
        }
    }

    /// Whether requests are due at their own times, not when answers come.
    #[must_use]
    pub fn is_open_loop(&self) -> bool {
        self.rate_per_sec().is_some()
    }

    /// When request `n` (from 0) of an evenly spaced load is due, from the start of the run.
    ///
    /// None for a closed loop (due when a connection is free) and for random arrivals, whose times are
    /// drawn one after another. Exact to the nanosecond for any `n`: `n / rate`, never a running sum.
    #[must_use]
    pub fn due(&self, n: u64) -> Option<Duration> {
        match self {
            Self::Constant { rate_per_sec } => Some(nth_due(n, *rate_per_sec)),
            Self::Max | Self::Poisson { .. } => None,
        }
    }
}

impl Stop {
    /// Whether a request that would be number `n` (from 0) and due at `due` (both from the end of the
    /// warm-up) is no longer part of the run.
    #[must_use]
    pub fn reached(self, n: u64, due: Duration) -> bool {
        match self {
            Self::Duration(length) => due >= length,
            Self::Requests(count) => n >= count,
        }
    }
}

impl Default for Pacing {
    fn default() -> Self {
        Self::Constant { rate_per_sec: 100.0 }
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::Duration(Duration::from_secs(30))
    }
}

fn nth_due(n: u64, rate_per_sec: f64) -> Duration {
    let whole = rate_per_sec.round();
    if (rate_per_sec - whole).abs() < f64::EPSILON && whole >= 1.0 {
        let rate = whole as u128;
        return Duration::from_nanos(u64::try_from(u128::from(n) * 1_000_000_000 / rate).unwrap_or(u64::MAX));
    }
    Duration::try_from_secs_f64(n as f64 / rate_per_sec).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_times_do_not_drift() {
        let pacing = Pacing::Constant { rate_per_sec: 3.0 };
        assert_eq!(pacing.due(0), Some(Duration::ZERO));
        assert_eq!(pacing.due(3_000_000_000), Some(Duration::from_secs(1_000_000_000)));
        let odd = Pacing::Constant { rate_per_sec: 0.5 };
        assert_eq!(odd.due(3), Some(Duration::from_secs(6)));
    }

    #[test]
    fn a_run_stops_at_its_end_and_not_before() {
        let by_time = Stop::Duration(Duration::from_secs(1));
        assert!(!by_time.reached(u64::MAX, Duration::from_nanos(999_999_999)));
        assert!(by_time.reached(0, Duration::from_secs(1)));
        assert!(!Stop::Requests(10).reached(9, Duration::MAX));
        assert!(Stop::Requests(10).reached(10, Duration::ZERO));
    }
}
