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

/// Each run is this long: ten times a second there are allocations for the news of a run, whatever its rate.
const LENGTH: Duration = Duration::from_secs(2);
/// Allocations and reallocations that a further request may cost. One that allocates would cost 1; of more requests the
/// news has more to tell.
const EACH_MAX: f64 = 0.1;

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
    let run = |rate_per_sec: f64| {
        let plan = Plan {
            connections: 20,
            timeout: Duration::from_secs(20),
            pacing: Pacing::Constant { rate_per_sec },
            stop: Stop::Duration(LENGTH),
            ..Plan::for_url(&nginx.url("/"))
        };
        let before = COUNTED.stats();
        let options = Options { threads: 1, ..Options::default() };
        let measured = load::run(&plan, &options, &Control::new(), &mut |_| {}).expect("a run");
        assert_eq!(measured.requests.answered, measured.requests.due);
        let after = COUNTED.stats();
        let made = after.allocations + after.reallocations - before.allocations - before.reallocations;
        (made as f64, measured.requests.due as f64)
    };
    // What the first run sets up once is not counted.
    run(100.0);
    let ((few, short), (many, long)) = (run(500.0), run(6000.0));
    let each = (many - few) / (long - short);
    println!("{each:.4} allocations a request: {few} for {short} requests, {many} for {long}");
    assert!(each <= EACH_MAX, "{each} allocations a request");
}
