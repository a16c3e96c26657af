//! The search for the highest rate that a target carries: what is asked, and the record of what came out.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::plan::RATE_MAX;
use super::{Pacing, Plan, Stop, number};

/// The most trials at each edge.
pub const REPEATS_MAX: u32 = 20;
/// A trial that is shorter says little.
pub const TRIAL_MIN: Duration = Duration::from_millis(500);

/// How to search. The plan says the goals, the length of a trial (its stop and warm-up) and the first rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Search {
    /// No higher rate is tried, in requests per second.
    pub highest: f64,
    /// The answer is this exact: 0.05 for 5 %.
    pub resolution: f64,
    /// Trials at each edge of the answer.
    pub repeats: u32,
}

/// What a search has found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    /// The highest rate at which most trials passed, in requests per second; none when there is none.
    pub rate: Option<f64>,
    /// At this rate and at every lower one that was tried, no trial failed.
    pub passes_at: Option<f64>,
    /// At this rate and at every higher one that was tried, no trial passed.
    pub fails_at: Option<f64>,
    /// What kept the search from a higher rate.
    pub bound: Bound,
    /// Whether the edges were repeated as often as asked.
    pub settled: bool,
    /// Every trial, in the order in which they were made.
    pub trials: Vec<CapacityTrial>,
}

/// One trial of a search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CapacityTrial {
    /// Requests per second that were asked for.
    pub rate: f64,
    /// How it went.
    pub verdict: Verdict,
    /// What was missed, or why the trial is void; empty when it passed.
    #[serde(default)]
    pub why: String,
    /// Whole answers per second.
    pub achieved: f64,
    /// Response time at the 99th percentile, in milliseconds; none when nothing was measured.
    pub p99_ms: Option<f64>,
    /// Share of requests that failed, 0 to 1.
    pub errors: f64,
}

/// How one trial went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All goals were met.
    Passed,
    /// A goal was missed.
    Failed,
    /// Our own generator could not send at this rate; says nothing about the target.
    Void,
}

impl CapacityTrial {
    /// What tables show of it before its verdict: its number, rate, rate achieved, p99 response and share failed.
    #[must_use]
    pub fn cells(&self, number: usize) -> [String; 5] {
        [
            number.to_string(),
            number::rate(self.rate),
            number::rate(self.achieved),
            self.p99_ms.map_or_else(|| number::UNKNOWN.to_owned(), number::millis),
            number::percent(self.errors),
        ]
    }

    /// `passed`, or `failed: p99<20ms was missed`.
    #[must_use]
    pub fn verdict_words(&self) -> String {
        let name = self.verdict.name();
        if self.verdict == Verdict::Passed { name.to_owned() } else { format!("{name}: {}", self.why) }
    }
}

impl Verdict {
    /// In one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Void => "void",
        }
    }
}

/// What kept a search from a higher rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// The target missed its goals.
    Target,
    /// Our own generator could not send faster: the target may carry more.
    Generator,
    /// No higher rate was to be tried: the target may carry more.
    Asked,
}

impl Search {
    /// Why this plan cannot be searched with; nothing when it can.
    ///
    /// # Errors
    /// What is missing, in words for a person.
    pub fn check(&self, plan: &Plan) -> Result<(), String> {
        if plan.goals.is_empty() {
            return Err("a search needs a goal, for example p99<20ms".to_owned());
        }
        match plan.stop {
            Stop::Duration(length) if length >= TRIAL_MIN => {}
            _ => return Err("a search needs the length of a trial: a duration of at least 500 ms".to_owned()),
        }
        if !matches!(plan.pacing, Pacing::Constant { .. } | Pacing::Poisson { .. }) {
            return Err("a search sets the rate itself: choose constant or random arrivals".to_owned());
        }
        if !(self.highest >= 1.0 && self.highest <= RATE_MAX) {
            return Err("the highest rate of a search must be 1 to 1 000 000 requests per second".to_owned());
        }
        if !(0.01..=1.0).contains(&self.resolution) {
            return Err("a search can be exact to 1 % up to 100 %".to_owned());
        }
        if !(1..=REPEATS_MAX).contains(&self.repeats) {
            return Err(format!("the trials at each edge must be 1 to {REPEATS_MAX}"));
        }
        Ok(())
    }
}

impl Default for Search {
    fn default() -> Self {
        Self { highest: 100_000.0, resolution: 0.05, repeats: 3 }
    }
}

impl Capacity {
    /// The answer in a sentence, with its uncertainty: `4 250/s: 3 of 3 passed there, 0 of 3 passed at
    /// 4 460/s`.
    #[must_use]
    pub fn words(&self) -> String {
        let Some(rate) = self.rate else {
            let is_ours = self.bound == Bound::Generator;
            return match self.fails_at.or(self.tried_at().filter(|_| is_ours)) {
                Some(lowest) if self.fails_at.is_none() => format!(
                    "This machine could not send even {}: nothing is known of the target",
                    number::rate(lowest)
                ),
                Some(lowest) => format!("The goals were missed even at {}", number::rate(lowest)),
                None => "Nothing was found out".to_owned(),
            };
        };
        let mut words = format!("{}: {} there", number::rate(rate), self.tally(rate));
        match (self.bound, self.fails_at) {
            (Bound::Target, Some(fails)) => {
                words.push_str(&format!(", {} at {}", self.tally(fails), number::rate(fails)));
            }
            (Bound::Generator, _) => {
                words.push_str(
                    "; faster than that this machine could not send, and the target may carry more",
                );
            }
            (Bound::Asked, _) => words.push_str("; no higher rate was tried"),
            (Bound::Target, None) => {}
        }
        if !self.settled {
            words.push_str(". The search ended early");
        }
        words
    }

    /// The zone in which the edge lies, in requests per second: passes at the first, fails at the second.
    #[must_use]
    pub fn zone(&self) -> (Option<f64>, Option<f64>) {
        (self.passes_at, self.fails_at)
    }

    /// The lowest rate that was tried.
    fn tried_at(&self) -> Option<f64> {
        self.trials.iter().map(|trial| trial.rate).min_by(f64::total_cmp)
    }

    /// `3 of 4 trials passed`.
    fn tally(&self, rate: f64) -> String {
        let there = || self.trials.iter().filter(|trial| trial.rate.total_cmp(&rate).is_eq());
        let passed = there().filter(|trial| trial.verdict == Verdict::Passed).count();
        format!("{passed} of {} passed", there().count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(rate: f64, verdict: Verdict) -> CapacityTrial {
        CapacityTrial { rate, verdict, why: String::new(), achieved: rate, p99_ms: None, errors: 0.0 }
    }

    #[test]
    fn the_answer_is_said_with_its_uncertainty() {
        let mut capacity = Capacity {
            rate: Some(400.0),
            passes_at: Some(400.0),
            fails_at: Some(420.0),
            bound: Bound::Target,
            settled: true,
            trials: vec![
                trial(400.0, Verdict::Passed),
                trial(420.0, Verdict::Failed),
                trial(420.0, Verdict::Failed),
            ],
        };
        assert_eq!(capacity.words(), "400/s: 1 of 1 passed there, 0 of 2 passed at 420/s");
        capacity.bound = Bound::Generator;
        assert!(capacity.words().contains("the target may carry more"));
        capacity.rate = None;
        assert_eq!(capacity.words(), "The goals were missed even at 420/s");
        capacity.fails_at = None;
        assert_eq!(
            capacity.words(),
            "This machine could not send even 400/s: nothing is known of the target"
        );
        capacity.bound = Bound::Asked;
        assert_eq!(capacity.words(), "Nothing was found out");
        (capacity.bound, capacity.fails_at) = (Bound::Target, Some(420.0));
        assert_eq!(capacity.words(), "The goals were missed even at 420/s");
    }

    #[test]
    fn a_plan_that_cannot_be_searched_with_says_why() {
        let mut plan = Plan::for_url("http://localhost/");
        let search = Search::default();
        assert!(search.check(&plan).is_err_and(|words| words.contains("needs a goal")));
        plan.goals.push("p99<20ms".parse().expect("a goal"));
        assert_eq!(search.check(&plan), Ok(()));
        assert!(Search { repeats: 0, ..search }.check(&plan).is_err());
        assert!(Search { resolution: 0.0, ..search }.check(&plan).is_err());
        assert!(Search { highest: f64::NAN, ..search }.check(&plan).is_err());
        plan.stop = Stop::Requests(100);
        assert!(search.check(&plan).is_err_and(|words| words.contains("duration")));
        plan.stop = Stop::Duration(Duration::from_secs(1));
        plan.pacing = Pacing::MAX;
        assert!(search.check(&plan).is_err());
    }
}
