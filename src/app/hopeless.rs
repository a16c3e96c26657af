//! Whether a run that goes can still meet its goals. Pure.

use crate::load::Measured;
use crate::model::goal::SoFar;
use crate::model::plan::{Curve, PER_REQUEST};
use crate::model::run::{MarkKind, STATUS_ERROR};
use crate::model::{Plan, Stop};

/// Random arrivals may be more than their mean: by so many standard deviations at most.
const CHANCE: f64 = 5.0;

/// Whether a goal of the plan will be missed whatever comes. Where the number of requests is not known beforehand, only
/// the longest response time can be: a closed loop of a given length may yet send any number of fast ones.
#[must_use]
pub(super) fn is_hopeless(plan: &Plan, measured: &Measured) -> bool {
    // Somebody who changes the rate changes what is planned.
    if measured.marks.iter().any(|mark| mark.kind == MarkKind::Rate) {
        return false;
    }
    // A run that sent nothing says nothing.
    if measured.requests.due == 0 {
        return false;
    }
    let (planned, length_s) = planned(plan);
    let answered_badly = measured.errors.get(STATUS_ERROR).copied().unwrap_or(0);
    let so_far = SoFar {
        planned,
        length_s,
        failed: measured.requests.failed,
        unanswered: measured.requests.failed.saturating_sub(answered_badly),
        count: measured.response.count(),
        mean_ms: measured.response.quantiles().mean,
        longer_than: &|limit_ms| measured.response.longer_than(limit_ms),
    };
    plan.goals.iter().any(|goal| goal.is_hopeless(&so_far))
}

/// The most counted requests that the plan can have, none where there may be any number; and for how many seconds they
/// are due, on average where chance decides and none where answers do.
fn planned(plan: &Plan) -> (Option<u64>, Option<f64>) {
    let (asked, stopped_after) = match plan.stop {
        Stop::Requests(count) => (Some(count), None),
        Stop::Duration(length) => (None, Some(length)),
        Stop::Never => (None, None),
    };
    let curve = Curve::of(&plan.pacing).filter(|_| !plan.pacing.has_closed_loop());
    let Some(curve) = curve else { return (asked, None) };
    if let Some(nanos) = asked.and_then(|count| curve.time_of(u128::from(count) * PER_REQUEST)) {
        return (asked, Some(nanos as f64 / 1e9));
    }
    let Some(length) = curve.length().into_iter().chain(stopped_after).min() else { return (None, None) };
    let nanos = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
    let mean = curve.expected_by(nanos) as f64 / PER_REQUEST as f64;
    let chance = if plan.pacing.is_random() { CHANCE * mean.sqrt() } else { 0.0 };
    let most = (mean + chance).ceil() as u64;
    (Some(asked.map_or(most, |asked| asked.min(most))), Some(length.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::Pacing;
    use crate::model::plan::{Arrivals, Profile};

    #[test]
    fn what_is_planned_is_known_as_far_as_it_can_be() {
        let two = Duration::from_secs(2);
        let stages = vec!["hold 50 2s".parse().expect("a stage")];
        let stage = Pacing::Profile(Profile { arrivals: Arrivals::Even, stages });
        let constant = Pacing::Constant { rate_per_sec: 50.0 };
        let replay = Pacing::Replay { file: "r".into() };
        for (pacing, stop, expected) in [
            (&constant, Stop::Duration(two), (Some(100), Some(2.0))),
            (&constant, Stop::Requests(100), (Some(100), Some(2.0))),
            (&constant, Stop::Never, (None, None)),
            (&stage, Stop::Never, (Some(100), Some(2.0))),
            (&stage, Stop::Requests(1000), (Some(100), Some(2.0))),
            (&stage, Stop::Requests(50), (Some(50), Some(1.0))),
            (&replay, Stop::Never, (None, None)),
            (&replay, Stop::Requests(7), (Some(7), None)),
            (&Pacing::MAX, Stop::Requests(200), (Some(200), None)),
            (&Pacing::MAX, Stop::Duration(two), (None, None)),
        ] {
            let plan = Plan { pacing: pacing.clone(), stop, ..Plan::for_url("http://x/") };
            assert_eq!(planned(&plan), expected, "{pacing:?} {stop:?}");
        }
    }
}
