//! Whether a run that goes can still meet its goals. Pure.

use crate::load::Measured;
use crate::model::goal::SoFar;
use crate::model::plan::{Curve, PER_REQUEST};
use crate::model::run::{MarkKind, STATUS_ERROR};
use crate::model::{Plan, Stop};

/// Random arrivals may be more than their mean: by so many standard deviations at most.
const CHANCE: f64 = 5.0;

/// Whether a goal of the plan will be missed whatever comes. Never so where the number of requests is not known
/// beforehand: a closed loop of a given length may yet send any number of fast ones.
#[must_use]
pub(super) fn is_hopeless(plan: &Plan, measured: &Measured) -> bool {
    // Somebody who changes the rate changes what is planned.
    if measured.marks.iter().any(|mark| mark.kind == MarkKind::Rate) {
        return false;
    }
    let Some((planned, length_s)) = planned(plan) else { return false };
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

/// The most counted requests that the plan can have, and their time in seconds.
fn planned(plan: &Plan) -> Option<(u64, f64)> {
    let curve = Curve::of(&plan.pacing).filter(|_| !plan.pacing.has_closed_loop())?;
    let length = match plan.stop {
        Stop::Requests(count) => {
            let nanos = curve.time_of(u128::from(count) * PER_REQUEST)?;
            return Some((count, nanos as f64 / 1e9));
        }
        Stop::Duration(length) => curve.length().map_or(length, |own| own.min(length)),
        Stop::Never => curve.length()?,
    };
    let nanos = u64::try_from(length.as_nanos()).ok()?;
    let mean = curve.expected_by(nanos) as f64 / PER_REQUEST as f64;
    let chance = if plan.pacing.is_random() { CHANCE * mean.sqrt() } else { 0.0 };
    Some(((mean + chance).ceil() as u64, length.as_secs_f64()))
}
