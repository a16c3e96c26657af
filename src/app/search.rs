//! The search for the highest rate: plans of its trials, and what each of them says. Pure.

use crate::model::capacity::{Capacity, CapacityTrial, Search, Verdict};
use crate::model::run::WarningKind;
use crate::model::{Pacing, Plan, Run};
use crate::stats::capacity::{self, Edge, Next, Rule, Trial};

/// The trials so far.
#[derive(Clone, Debug)]
pub(super) struct Searching {
    rule: Rule,
    trials: Vec<CapacityTrial>,
}

impl Searching {
    /// Begins at the plan's own rate.
    pub(super) fn new(plan: &Plan, search: Search) -> Self {
        let start = plan.pacing.rate_per_sec().unwrap_or(100.0);
        let rule = Rule {
            start,
            highest: search.highest,
            resolution: search.resolution,
            repeats: search.repeats as usize,
        };
        Self { rule, trials: Vec::new() }
    }

    /// The rate of the next trial; none when enough is known.
    pub(super) fn next(&self) -> Option<f64> {
        match capacity::next(&self.rule, &self.known()) {
            Next::Try(rate) => Some(rate),
            Next::Done(_) => None,
        }
    }

    /// Adds a trial that was carried out; whether it passed.
    pub(super) fn add(&mut self, run: &Run) -> bool {
        let trial = judge(run);
        let has_passed = trial.verdict == Verdict::Passed;
        self.trials.push(trial);
        has_passed
    }

    /// What the trials say.
    pub(super) fn capacity(&self) -> Capacity {
        let Edge { rate, passes_at, fails_at, bound, settled } = capacity::so_far(&self.rule, &self.known());
        Capacity { rate, passes_at, fails_at, bound, settled, trials: self.trials.clone() }
    }

    fn known(&self) -> Vec<Trial> {
        self.trials.iter().map(|trial| Trial { rate: trial.rate, verdict: trial.verdict }).collect()
    }
}

/// The plan of one trial: it ends as soon as it cannot pass.
pub(super) fn trial_plan(plan: &Plan, rate_per_sec: f64) -> Plan {
    let pacing = match plan.pacing {
        Pacing::Poisson { .. } => Pacing::Poisson { rate_per_sec },
        _ => Pacing::Constant { rate_per_sec },
    };
    Plan { pacing, give_up: true, ..plan.clone() }
}

/// How a trial went. One in which not all requests were answered in time has failed even if its goals do not say so:
/// the target did not carry that rate.
fn judge(run: &Run) -> CapacityTrial {
    let has = |kind: WarningKind| run.warnings.iter().find(|warning| warning.kind == kind);
    let missed = run.goals.iter().find(|goal| !goal.met).map(|goal| format!("{} was missed", goal.goal));
    let slow = has(WarningKind::RateMissed).map(|warning| warning.text.clone());
    let void = run.is_void().then(|| "our own generator was late".to_owned());
    let (verdict, why) = match (void, missed.or(slow)) {
        (Some(why), _) => (Verdict::Void, why),
        (None, Some(why)) => (Verdict::Failed, why),
        (None, None) => (Verdict::Passed, String::new()),
    };
    CapacityTrial {
        rate: run.rate.asked.unwrap_or_default(),
        verdict,
        why,
        achieved: run.rate.achieved,
        p99_ms: (run.response_ms.count > 0).then_some(run.response_ms.p99),
        errors: run.requests.failed as f64 / run.requests.due.max(1) as f64,
    }
}
