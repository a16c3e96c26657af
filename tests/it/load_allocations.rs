//! The hot path does not allocate: counted by an allocator, in a process of its own.

use std::alloc::System;
use std::process::Command;
use std::time::Duration;

use meshbench::load::{self, Control, Options};
use meshbench::model::{Pacing, Plan, Stop};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use crate::load_nginx::Nginx;

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Further requests in the longer run.
const MORE: u64 = 40_000;
/// Allocations and reallocations that a request may cost. Ten times a second there are some for the news of the run.
const EACH_MAX: f64 = 0.02;

#[test]
fn a_request_allocates_nothing() {
    // Other tests of this process allocate too.
    let counted = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "load_allocations::count", "--ignored", "--nocapture", "--test-threads=1"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&counted.stdout).into_owned();
    assert!(counted.status.success() && said.contains("allocations a request"), "{said}");
}

#[test]
#[ignore = "is started by the test above, alone in its process"]
fn count() {
    let nginx = Nginx::unlimited();
    for pacing in [Pacing::MAX, Pacing::Constant { rate_per_sec: 8_000.0 }] {
        let allocations = |requests: u64| {
            let plan = Plan {
                connections: 20,
                timeout: Duration::from_secs(20),
                pacing: pacing.clone(),
                stop: Stop::Requests(requests),
                ..Plan::for_url(&nginx.url("/"))
            };
            let before = COUNTED.stats();
            let options = Options { threads: 1, ..Options::default() };
            let measured = load::run(&plan, &options, &Control::new(), &mut |_| {}).expect("a run");
            assert_eq!(measured.requests.answered, requests);
            let after = COUNTED.stats();
            (after.allocations + after.reallocations - before.allocations - before.reallocations) as f64
        };
        // What the first run sets up once is not counted.
        allocations(100);
        let few = allocations(4_000);
        let each = (allocations(4_000 + MORE) - few) / MORE as f64;
        println!("{each:.4} allocations a request, {pacing:?}");
        assert!(each <= EACH_MAX, "{each} allocations a request, {pacing:?}");
    }
}
