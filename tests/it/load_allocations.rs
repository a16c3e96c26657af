//! The hot path does not allocate: counted by an allocator, in a process of its own.

use std::alloc::System;
use std::process::Command;
use std::time::Duration;

use meshbench::load::{self, Control, Options};
use meshbench::model::plan::{GRPC_HEALTH, Grpc, Protocol, Schema};
use meshbench::model::{Pacing, Plan, Stop};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use crate::load_grpc::Fortio;
use crate::load_nginx::Nginx;

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Each run is this long: ten times a second there are allocations for the news of a run, whatever its rate.
const LENGTH: Duration = Duration::from_secs(2);
/// Allocations and reallocations that a further request may cost. One that allocates would cost 1; of more requests the
/// news has more to tell, and more wait on a busy machine.
const EACH_MAX: f64 = 0.5;
/// Requests per second of the long run.
const FAST_PER_SEC: f64 = 6000.0;

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
    let (http1, http2, grpc) = (Nginx::unlimited(), Nginx::http2(100_000_000), Fortio::start());
    let each = |protocol: Protocol| {
        let url = match protocol {
            Protocol::Http1 => http1.url("/"),
            Protocol::Http2 { .. } => http2.url("/"),
            Protocol::Grpc { .. } => format!("http://{}/", grpc.address()),
        };
        let mut plan = Plan {
            connections: 20 / protocol.streams(),
            timeout: Duration::from_secs(20),
            stop: Stop::Duration(LENGTH),
            ..Plan::for_url(&url)
        };
        plan.target.protocol = protocol;
        if matches!(plan.target.protocol, Protocol::Grpc { .. }) {
            plan.request.grpc = Some(Grpc { method: GRPC_HEALTH.to_owned(), message: "{}".to_owned() });
        }
        // What the first run sets up once is not counted.
        made(&plan, 100.0);
        let ((few, short), (many, long)) = (made(&plan, 500.0), made(&plan, FAST_PER_SEC));
        let each = (many - few) / (long - short);
        println!(
            "{:?}: {each:.4} allocations a request: {few} for {short} requests, {many} for {long}",
            plan.target.protocol
        );
        each
    };
    let protocols = [
        Protocol::Http1,
        Protocol::Http2 { streams: 1 },
        Protocol::Http2 { streams: 5 },
        Protocol::Grpc { streams: 1, schema: Schema::Reflection },
        Protocol::Grpc { streams: 5, schema: Schema::Reflection },
    ];
    let counted = protocols.map(|protocol| (each(protocol.clone()), protocol));
    for (each, protocol) in counted {
        assert!(each <= EACH_MAX, "{protocol:?}: {each} allocations a request");
    }
}

/// Allocations and reallocations of a run, and its requests.
fn made(plan: &Plan, rate_per_sec: f64) -> (f64, f64) {
    let plan = Plan { pacing: Pacing::Constant { rate_per_sec }, ..plan.clone() };
    let before = COUNTED.stats();
    let options = Options { threads: 1, ..Options::default() };
    let measured = load::run(&plan, &options, &Control::new(), &mut |_| {}).expect("a run");
    assert_eq!(measured.requests.answered, measured.requests.due, "{:?}", measured.errors);
    let after = COUNTED.stats();
    let made = after.allocations + after.reallocations - before.allocations - before.reallocations;
    (made as f64, measured.requests.due as f64)
}
