//! The store against real files: round trips, crashes, damage, full disks, kills.

mod crash;
mod damage;
mod fault;
mod golden;
mod travel;
mod trips;

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use meshbench::model::run::{Histograms, Interval, Requests, Warning, WarningKind};
use meshbench::model::{Ended, Plan, Run, RunId};
use meshbench::stats::Latency;
use meshbench::store::{OpenReport, Store};
use uuid::Uuid;

/// Seed of everything that is drawn here; another may be given by this environment variable.
const SEED_VARIABLE: &str = "MESHBENCH_TEST_SEED";

/// Numbers that look random and can be had again (SplitMix64).
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    pub(crate) fn from_environment(fallback: u64) -> Self {
        let seed = std::env::var(SEED_VARIABLE).ok().and_then(|text| text.parse().ok()).unwrap_or(fallback);
        println!("seed {seed} ({SEED_VARIABLE} chooses another)");
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

fn now() -> Timestamp {
    Timestamp::from_second(1_780_000_000).unwrap()
}

fn open(dir: &Path) -> (Store, OpenReport) {
    Store::open(dir, now(), &mut |_| {}).unwrap()
}

pub(crate) fn id(number: u64) -> RunId {
    // The time of a version 7 UUID grows with the number.
    RunId(Uuid::from_u128((u128::from(number + 1_700_000_000_000) << 80) | (7 << 76) | (2 << 62) | 1))
}

/// A run whose every part depends on its number.
pub(crate) fn run(number: u64) -> Run {
    let mut latency = Latency::new();
    let mut draw = Draw(number);
    for _ in 0..200 {
        latency.record(Duration::from_micros(500 + draw.below(20_000)));
    }
    let quantiles = latency.quantiles();
    let mut plan = Plan::for_url(&format!("http://localhost:8080/{number}"));
    plan.labels.insert("mesh".to_owned(), format!("mesh {}", number % 3));
    let interval = |at: u64| Interval {
        start_s: at as f64,
        length_s: 1.0,
        due: 100,
        answered: 100,
        in_flight: draw_small(number + at),
        response_ms: quantiles,
        histogram: latency.encode(),
        ..Interval::default()
    };
    Run {
        version: 1,
        id: id(number),
        name: format!("Run {number} “ü”"),
        labels: plan.labels.clone(),
        note: String::new(),
        marks: Vec::new(),
        plan,
        started: Timestamp::from_millisecond(1_700_000_000_000 + i64::try_from(number).unwrap()).unwrap(),
        elapsed_s: 2.25,
        paused_s: 0.0,
        ended: Ended::Completed,
        interrupted: false,
        requests: Requests { due: 200, answered: 200, failed: number % 5, cancelled: 0 },
        warmup: Requests::default(),
        rate: meshbench::model::run::Rate { asked: Some(100.0), achieved: 99.5 },
        response_ms: quantiles,
        service_ms: quantiles,
        lag_ms: quantiles,
        errors: [("reset".to_owned(), number % 5)].into(),
        error_details: [].into(),
        status: [("200".to_owned(), 200)].into(),
        goals: Vec::new(),
        warnings: vec![Warning { kind: WarningKind::SharedMachine, text: "same machine".to_owned() }],
        bytes: meshbench::model::run::Bytes { sent: 1, received: number },
        connections: meshbench::model::run::Connections { opened: 10, waited: 0, resent: 0 },
        environment: meshbench::model::run::Environment::default(),
        detail: Default::default(),
        histograms: Histograms {
            response: latency.encode(),
            service: latency.encode(),
            lag: latency.encode(),
        },
        capacity: None,
        intervals: (0..2 + number % 3).map(interval).collect(),
        machine: Default::default(),
        metrics: None,
    }
}

fn draw_small(seed: u64) -> u64 {
    Draw(seed).below(10)
}
