//! The first run of a new person: against a target of our own, on loopback.

use std::time::Duration;

use crate::load::target::{Delay, Stall, TargetOptions};
use crate::model::{Pacing, Plan, Stop};

/// Its rate, in requests per second.
const RATE_PER_SEC: f64 = 500.0;
/// Its length.
const LENGTH: Duration = Duration::from_secs(10);

/// The plan of the first run: ten seconds of Poisson arrivals.
#[must_use]
pub(super) fn plan(url: &str) -> Plan {
    let mut plan = Plan::for_url(url);
    "Try it".clone_into(&mut plan.name);
    plan.pacing = Pacing::Poisson { rate_per_sec: RATE_PER_SEC };
    plan.stop = Stop::Duration(LENGTH);
    plan.connections = 32;
    plan.labels.insert("target".to_owned(), "built-in".to_owned());
    plan
}

/// The built-in target of the first run: a service of a few milliseconds that stands still now and then, so
/// that the difference between response and service time can be seen.
#[must_use]
pub(super) fn target() -> TargetOptions {
    TargetOptions {
        delay: Delay::LogNormal { median: Duration::from_millis(4), sigma: 0.4 },
        stall: Some(Stall { length: Duration::from_millis(250), every: Duration::from_secs(4) }),
        ..TargetOptions::default()
    }
}
