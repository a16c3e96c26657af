//! Goals: what a run must reach, written as `p99<20ms`, `errors<0.1%` or `rate>=950`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{duration, run::Run};

/// One condition on a run's result.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// What is looked at.
    pub metric: Metric,
    /// How it is compared with the limit.
    pub comparison: Comparison,
    /// The limit, in the metric's unit: milliseconds, a share from 0 to 1, or requests per second.
    pub limit: f64,
}

/// What a goal looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Metric {
    /// Response time at this quantile (0 to 1), in milliseconds.
    Response(f64),
    /// Mean response time, in milliseconds.
    ResponseMean,
    /// Longest response time, in milliseconds.
    ResponseMax,
    /// Share of requests that failed, 0 to 1.
    Errors,
    /// Answers per second while requests were due ([`Run::carried_rate`]).
    Rate,
}

/// How a value is compared with its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Smaller than.
    Less,
    /// Smaller than or equal to.
    AtMost,
    /// Larger than.
    More,
    /// Larger than or equal to.
    AtLeast,
}

/// A goal held against a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GoalResult {
    /// The goal as it was written.
    pub goal: String,
    /// The measured value in the goal's unit (ms, share, 1/s); none when nothing was measured.
    pub value: Option<f64>,
    /// Whether the goal was met. What was not measured is not met, nor is a goal on response times in a run that
    /// is void.
    pub met: bool,
}

/// What is known of a run while it goes: enough to see that a goal is out of reach.
pub struct SoFar<'a> {
    /// Counted requests that will have been due at the end, at most; none where nobody knows.
    pub planned: Option<u64>,
    /// Length of the counted part in seconds, as planned; none where nobody knows.
    pub length_s: Option<f64>,
    /// Failures.
    pub failed: u64,
    /// Requests that ended without a whole answer.
    pub unanswered: u64,
    /// Response times so far: how many, and their mean in milliseconds.
    pub count: u64,
    /// Mean response time in milliseconds.
    pub mean_ms: f64,
    /// How many response times were longer than so many milliseconds.
    pub longer_than: &'a dyn Fn(f64) -> u64,
}

impl Goal {
    /// Whether the goal will be missed whatever the rest of the run brings. Never guesses: `false` does not say
    /// that the goal can be met.
    #[must_use]
    pub fn is_hopeless(&self, so_far: &SoFar<'_>) -> bool {
        let is_least = matches!(self.comparison, Comparison::More | Comparison::AtLeast);
        if self.metric == Metric::ResponseMax && !is_least {
            return (so_far.longer_than)(self.limit) > 0;
        }
        let Some(most) = so_far.planned else { return false };
        if is_least {
            let answered = most.saturating_sub(so_far.unanswered) as f64;
            let rate = so_far.length_s.map(|length_s| answered / length_s.max(f64::MIN_POSITIVE));
            return self.metric == Metric::Rate
                && rate.is_some_and(|rate| !self.comparison.holds(rate, self.limit));
        }
        let planned = most as f64;
        match self.metric {
            // The quantile is above the limit when fewer than q of all values are not.
            Metric::Response(q) => {
                let may_be_longer = most.saturating_sub((q * planned).ceil() as u64);
                (so_far.longer_than)(self.limit) > may_be_longer
            }
            Metric::ResponseMean => so_far.mean_ms * so_far.count as f64 > self.limit * planned,
            Metric::Errors => so_far.failed as f64 > self.limit * planned,
            Metric::Rate | Metric::ResponseMax => false,
        }
    }

    /// Holds the goal against a run.
    #[must_use]
    pub fn judge(&self, run: &Run) -> GoalResult {
        let value = self.metric.value(run);
        let usable = !(self.metric.is_response() && run.is_void());
        let met = usable && value.is_some_and(|value| self.comparison.holds(value, self.limit));
        GoalResult { goal: self.to_string(), value, met }
    }
}

impl Metric {
    /// Whether it is a response time, which a generator that lags spoils.
    #[must_use]
    pub fn is_response(self) -> bool {
        matches!(self, Self::Response(_) | Self::ResponseMean | Self::ResponseMax)
    }

    fn value(self, run: &Run) -> Option<f64> {
        let latency = &run.response_ms;
        match self {
            Self::Response(q) if latency.count > 0 => latency.at(q),
            Self::ResponseMean if latency.count > 0 => Some(latency.mean),
            Self::ResponseMax if latency.count > 0 => Some(latency.max),
            Self::Response(_) | Self::ResponseMean | Self::ResponseMax => None,
            Self::Errors if run.requests.due > 0 => {
                Some(run.requests.failed as f64 / run.requests.due as f64)
            }
            Self::Errors => None,
            Self::Rate => Some(run.carried_rate()),
        }
    }
}

impl Comparison {
    /// Whether `value` stands in this relation to `limit`.
    #[must_use]
    pub fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Less => value < limit,
            Self::AtMost => value <= limit,
            Self::More => value > limit,
            Self::AtLeast => value >= limit,
        }
    }
}

impl FromStr for Goal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (at, sign, comparison) = [
            ("<=", Comparison::AtMost),
            (">=", Comparison::AtLeast),
            ("<", Comparison::Less),
            (">", Comparison::More),
        ]
        .into_iter()
        .find_map(|(sign, comparison)| text.find(sign).map(|at| (at, sign, comparison)))
        .ok_or_else(|| {
            format!("“{text}” compares nothing; write for example p99<20ms, errors<0.1% or rate>=950")
        })?;
        let metric = metric(text[..at].trim())?;
        let limit = limit(metric, text[at + sign.len()..].trim())?;
        Ok(Self { metric, comparison, limit })
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.comparison {
            Comparison::Less => "<",
            Comparison::AtMost => "<=",
            Comparison::More => ">",
            Comparison::AtLeast => ">=",
        };
        match self.metric {
            Metric::Response(q) => write!(f, "p{}{sign}{}", trimmed(q * 100.0), ms_text(self.limit)),
            Metric::ResponseMean => write!(f, "mean{sign}{}", ms_text(self.limit)),
            Metric::ResponseMax => write!(f, "max{sign}{}", ms_text(self.limit)),
            Metric::Errors => write!(f, "errors{sign}{}%", trimmed(self.limit * 100.0)),
            Metric::Rate => write!(f, "rate{sign}{}", trimmed(self.limit)),
        }
    }
}

impl Serialize for Goal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Goal {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

fn metric(name: &str) -> Result<Metric, String> {
    match name {
        "mean" => return Ok(Metric::ResponseMean),
        "max" => return Ok(Metric::ResponseMax),
        "errors" => return Ok(Metric::Errors),
        "rate" => return Ok(Metric::Rate),
        _ => {}
    }
    let unknown =
        || format!("“{name}” is not measured; use p50, p90, p95, p99, p99.9, mean, max, errors or rate");
    let percent = name.strip_prefix('p').and_then(|digits| digits.parse::<f64>().ok()).ok_or_else(unknown)?;
    // The quantiles that a record holds: any other could not be judged from the record alone.
    super::run::QUANTILES
        .into_iter()
        .find(|q| (q * 100.0 - percent).abs() < 1e-9)
        .map(Metric::Response)
        .ok_or_else(unknown)
}

fn limit(metric: Metric, text: &str) -> Result<f64, String> {
    let number =
        |text: &str| text.trim().parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0);
    match metric {
        Metric::Response(_) | Metric::ResponseMean | Metric::ResponseMax => {
            duration::parse(text).map(|limit: Duration| limit.as_secs_f64() * 1e3)
        }
        Metric::Errors => match text.strip_suffix('%') {
            Some(percent) => number(percent).map(|percent| percent / 100.0),
            None => number(text),
        }
        .filter(|share| *share <= 1.0)
        .ok_or_else(|| format!("“{text}” is not a share of requests; write for example 0.1%")),
        Metric::Rate => number(text.trim_end_matches("/s"))
            .ok_or_else(|| format!("“{text}” is not a rate; write for example 950")),
    }
}

fn ms_text(ms: f64) -> String {
    duration::text(Duration::from_nanos((ms * 1e6).round() as u64))
}

fn trimmed(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_read_and_written_alike() {
        for text in ["p99<20ms", "p99.9<=1.5s", "errors<0.1%", "rate>=950", "mean<5ms", "max<2s", "p50>100us"]
        {
            let goal: Goal = text.parse().expect(text);
            assert_eq!(goal.to_string(), text);
        }
    }

    #[test]
    fn a_goal_is_hopeless_only_when_nothing_can_save_it() {
        let longer = |count: u64| move |_: f64| count;
        let hopeless = |goal: &str, slow: u64, failed: u64| {
            let so_far = SoFar {
                planned: Some(1000),
                length_s: Some(10.0),
                failed,
                unanswered: failed,
                count: 100,
                mean_ms: 50.0,
                longer_than: &longer(slow),
            };
            goal.parse::<Goal>().expect(goal).is_hopeless(&so_far)
        };
        for (goal, slow, failed, expected) in [
            ("p99<20ms", 10, 0, false),
            ("p99<20ms", 11, 0, true),
            ("p50<=20ms", 500, 0, false),
            ("max<1s", 0, 0, false),
            ("max<1s", 1, 0, true),
            ("mean<5ms", 0, 0, false),
            ("mean<4ms", 0, 0, true),
            ("errors<1%", 0, 10, false),
            ("errors<1%", 0, 11, true),
            ("rate>=95", 0, 50, false),
            ("rate>=95", 0, 51, true),
            ("p99>20ms", 1000, 0, false),
        ] {
            assert_eq!(hopeless(goal, slow, failed), expected, "{goal} {slow} {failed}");
        }
        // Where nobody knows how many there will be, nothing but the longest time is decided before the end.
        for (goal, expected) in
            [("max<1ns", true), ("errors<1%", false), ("p99<1ms", false), ("rate>=1", false)]
        {
            let so_far = SoFar {
                planned: None,
                length_s: None,
                failed: 100,
                unanswered: 100,
                count: 100,
                mean_ms: 50.0,
                longer_than: &longer(100),
            };
            assert_eq!(goal.parse::<Goal>().expect(goal).is_hopeless(&so_far), expected, "{goal}");
        }
    }

    #[test]
    fn what_is_no_goal_says_why() {
        for (text, reason) in [
            ("p99", "compares nothing"),
            ("p42<1ms", "not measured"),
            ("p99<20", "no unit"),
            ("errors<200%", "share"),
            ("rate>=fast", "rate"),
        ] {
            let error = text.parse::<Goal>().expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
