//! Runs as they could have been measured: the same on every machine, with real histograms in them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use meshbench::app::state::{Live, Phase};
use meshbench::model::capacity::{Bound, Capacity, CapacityTrial, Verdict};
use meshbench::model::run::{
    Bytes, ConnectionRow, ConnectionTable, Connections, Detail, Environment, Histograms, PhaseTimes, Phases,
    QUANTILES, RUN_VERSION, Rate, Requests, Row, STATUS_ERROR, Slow, SlowPhases, Warning, WarningKind,
};
use meshbench::model::{
    Ended, Goal, Interval, Labels, Pacing, Plan, Quantiles, Run, RunId, RunSummary, Stop,
};
use meshbench::stats::{Latency, Sketch, heat};
use uuid::Uuid;

const RATE_PER_SEC: f64 = 1000.0;
const LENGTH_S: f64 = 60.0;
const INTERVAL_S: f64 = 0.5;
/// 1 October 2026, 09:30 UTC.
const FIRST_START_S: i64 = 1_790_847_000;

/// Small, fast and the same everywhere.
struct Random(u64);

impl Random {
    /// From 0 to 1, both excluded.
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// Log-normal around `median`.
    fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        let normal = (-2.0 * self.unit().ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos();
        median * (sigma * normal).exp()
    }
}

/// What a target did.
struct Behaviour {
    seed: u64,
    median_ms: f64,
    sigma: f64,
    /// Every answer due in this stretch came only at its end.
    stall_s: (f64, f64),
    /// Some answers in this stretch were errors.
    failing_s: (f64, f64),
    /// Median lag of our own generator.
    lag_ms: f64,
    length_s: f64,
}

impl Behaviour {
    fn usual() -> Self {
        Self {
            seed: 0x5eed_0001,
            median_ms: 4.2,
            sigma: 0.42,
            stall_s: (21.0, 21.4),
            failing_s: (40.0, 44.0),
            lag_ms: 0.035,
            length_s: LENGTH_S,
        }
    }
}

/// A finished run of a minute at 1000 requests per second, with a short stall and a few errors.
pub(crate) fn run() -> Run {
    measured(0, "checkout, istio 1.27", &Behaviour::usual())
}

/// Further finished runs of the same plan, each a little slower; `nth(0)` is the fastest.
pub(crate) fn nth(n: u32) -> Run {
    let names =
        ["checkout, no mesh", "checkout, linkerd 2.18", "checkout, istio 1.27", "checkout, cilium 1.18"];
    let meshes = [("none", "–"), ("linkerd", "2.18"), ("istio", "1.27"), ("cilium", "1.18")];
    let at = n as usize % names.len();
    let behaviour = Behaviour {
        seed: 0x5eed_1000 + u64::from(n),
        median_ms: 2.4 * 1.35f64.powi(n as i32),
        sigma: 0.34 + 0.05 * f64::from(n),
        failing_s: (0.0, 0.0),
        ..Behaviour::usual()
    };
    let mut run = measured(u64::from(n) + 1, names[at], &behaviour);
    run.labels = labels(meshes[at].0, meshes[at].1, "2.4.1");
    run
}

/// A run whose own generator was the slow part.
pub(crate) fn void_run() -> Run {
    let mut run = measured(9, "checkout, busy laptop", &Behaviour { lag_ms: 18.0, ..Behaviour::usual() });
    run.warnings.insert(
        0,
        Warning {
            kind: WarningKind::GeneratorLagged,
            text: format!(
                "Our own generator was late by {:.1} ms at p99, more than a tenth of the measured response time",
                run.lag_ms.p99
            ),
        },
    );
    run
}

/// A run that nobody answered.
pub(crate) fn unanswered_run() -> Run {
    let mut run =
        measured(10, "checkout, nothing listens", &Behaviour { length_s: 10.0, ..Behaviour::usual() });
    let due = run.requests.due;
    run.requests = Requests { due, answered: 0, failed: due, cancelled: 0 };
    run.errors = BTreeMap::from([("connect_refused".to_owned(), due)]);
    let refused = BTreeMap::from([("connection refused by 10.20.0.17:8080".to_owned(), due - 3)]);
    let tls = "certificate not valid for “checkout.shop.example”, only for “cart.shop.example”".to_owned();
    run.error_details = BTreeMap::from([
        ("connect_refused".to_owned(), refused),
        ("tls".to_owned(), BTreeMap::from([(tls, 3)])),
    ]);
    run.status = BTreeMap::new();
    run.rate.achieved = 0.0;
    run.service_ms = Default::default();
    run.response_ms = Default::default();
    run.histograms = Histograms {
        response: Latency::new().encode(),
        service: Latency::new().encode(),
        lag: run.histograms.lag,
    };
    for interval in &mut run.intervals {
        interval.answered = 0;
        interval.errors = BTreeMap::from([("connect_refused".to_owned(), interval.due)]);
        interval.response_ms = Default::default();
        interval.service_ms = Default::default();
    }
    run.goals = run.plan.goals.iter().map(|goal| goal.judge(&run)).collect();
    run
}

/// What a search has found: seven trials, one of them void.
pub(crate) fn capacity() -> Capacity {
    let trial = |rate: f64, p99_ms: f64, verdict, why: &str| CapacityTrial {
        rate,
        verdict,
        why: why.to_owned(),
        achieved: rate.min(1700.0),
        p99_ms: Some(p99_ms),
        errors: if verdict == Verdict::Failed { 0.0123 } else { 0.0 },
    };
    let missed = "p99<50ms was missed";
    Capacity {
        rate: Some(1600.0),
        passes_at: Some(1600.0),
        fails_at: Some(1680.0),
        bound: Bound::Target,
        settled: true,
        trials: vec![
            trial(1000.0, 12.5, Verdict::Passed, ""),
            trial(2000.0, 214.0, Verdict::Failed, missed),
            trial(1400.0, 16.1, Verdict::Passed, ""),
            trial(1600.0, 24.2, Verdict::Passed, ""),
            trial(1680.0, 88.0, Verdict::Void, "our own generator was late"),
            trial(1680.0, 61.0, Verdict::Failed, missed),
            trial(1600.0, 27.5, Verdict::Passed, ""),
        ],
    }
}

/// A run that is 42 seconds into its minute.
pub(crate) fn live() -> Live {
    let mut so_far = cut(run(), 42.0);
    so_far.warnings.clear();
    live_of(so_far, Phase::Measuring, 42.0)
}

/// A run that is going, whose own generator is late.
pub(crate) fn live_lagging() -> Live {
    live_of(cut(void_run(), 17.0), Phase::Measuring, 17.0)
}

/// A run before its first news.
pub(crate) fn live_connecting() -> Live {
    let mut live = live_of(run(), Phase::Connecting, 0.0);
    live.so_far = None;
    live.progress = None;
    live.remaining = None;
    live.in_flight = 0;
    live
}

/// A run that could not be carried out.
pub(crate) fn live_failed() -> Live {
    let reason = "Nobody listens at 10.20.0.17:8080. Check the port, and that the service is up".to_owned();
    Live { phase: Phase::Failed { reason }, ..live_connecting() }
}

/// What a history of `n` runs holds, newest first. Summaries only: quick for ten thousand.
pub(crate) fn history(n: usize) -> Vec<RunSummary> {
    let base = nth(0).summary();
    let mut random = Random(0x5eed_2000);
    let services = ["checkout", "cart", "search", "payment", "frontend"];
    let meshes = [("none", "–"), ("linkerd", "2.18"), ("istio", "1.27"), ("cilium", "1.18")];
    (0..n)
        .rev()
        .map(|at| {
            let service = services[(random.unit() * 5.0) as usize];
            let mesh = meshes[(random.unit() * 4.0) as usize];
            let scale = random.log_normal(1.0, 0.5);
            let mut summary = base.clone();
            summary.started = started(at as u64);
            summary.id = id(summary.started, at as u64);
            summary.name = format!("{service}, {}", mesh.0);
            summary.labels = labels(mesh.0, mesh.1, "2.4.1");
            summary.url = format!("http://{service}.shop.example:8080/api");
            for value in [
                &mut summary.response_ms.p50,
                &mut summary.response_ms.p90,
                &mut summary.response_ms.p95,
                &mut summary.response_ms.p99,
                &mut summary.response_ms.p99_9,
                &mut summary.response_ms.max,
            ] {
                *value *= scale;
            }
            summary.requests.failed = (random.unit() * 40.0 - 30.0).max(0.0) as u64;
            summary.ended = match at % 23 {
                7 => Ended::Stopped,
                19 => Ended::Interrupted,
                _ => Ended::Completed,
            };
            summary.warnings = if at % 17 == 3 { vec![WarningKind::GeneratorLagged] } else { Vec::new() };
            summary
        })
        .collect()
}

/// The plan of every sample.
pub(crate) fn plan() -> Plan {
    let mut plan = Plan::for_url("http://checkout.shop.example:8080/api/cart");
    plan.name = "checkout".to_owned();
    plan.connections = 50;
    plan.warmup = Duration::from_secs(5);
    plan.pacing = Pacing::Constant { rate_per_sec: RATE_PER_SEC };
    plan.stop = Stop::Duration(Duration::from_secs_f64(LENGTH_S));
    plan.goals =
        ["p99<50ms", "errors<0.1%", "rate>=950"].map(|goal| goal.parse::<Goal>().expect(goal)).to_vec();
    plan.labels = labels("istio", "1.27", "2.4.1");
    plan
}

fn labels(mesh: &str, version: &str, app: &str) -> Labels {
    [("mesh", mesh), ("mesh_version", version), ("app_version", app)]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

fn started(number: u64) -> Timestamp {
    Timestamp::from_second(FIRST_START_S).expect("a time of ours")
        + SignedDuration::from_secs(number as i64 * 1260)
}

/// As version 7 UUIDs are: sorted by time.
fn id(started: Timestamp, number: u64) -> RunId {
    let millis = started.as_millisecond() as u128;
    RunId(Uuid::from_u128((millis << 80) | (7 << 76) | (2 << 62) | u128::from(number)))
}

fn live_of(so_far: Run, phase: Phase, measured_s: f64) -> Live {
    let plan = plan();
    let warmup = plan.warmup;
    let whole = warmup.as_secs_f64() + LENGTH_S;
    let elapsed = warmup + Duration::from_secs_f64(measured_s);
    Live {
        id: so_far.id,
        plan: Box::new(plan),
        search: None,
        phase,
        in_flight: so_far.intervals.last().map_or(0, |interval| interval.in_flight),
        so_far: Some(Arc::new(so_far)),
        elapsed,
        progress: Some(elapsed.as_secs_f64() / whole),
        remaining: Some(Duration::from_secs_f64(whole - elapsed.as_secs_f64())),
        factor: 1.0,
        is_paused: false,
        is_try: false,
    }
}

/// What was known of a run after some seconds: histograms are empty until the end.
fn cut(mut run: Run, seconds: f64) -> Run {
    run.intervals.retain(|interval| interval.start_s + interval.length_s <= seconds + 1e-9);
    run.elapsed_s = seconds;
    run.histograms = Histograms::default();
    let sum = |of: fn(&Interval) -> u64| run.intervals.iter().map(of).sum::<u64>();
    run.requests.due = sum(|interval| interval.due);
    run.requests.answered = sum(|interval| interval.answered);
    run.requests.failed = sum(|interval| interval.errors.values().sum());
    let mut errors = BTreeMap::new();
    for interval in &mut run.intervals {
        interval.histogram.clear();
        for (class, count) in &interval.errors {
            *errors.entry(class.clone()).or_default() += count;
        }
    }
    run.errors = errors;
    run
}

/// Everything of one run, tallied as the engine does.
struct Tally {
    response: Latency,
    service: Latency,
    lag: Latency,
    errors: BTreeMap<String, u64>,
    requests: Requests,
    intervals: Vec<Interval>,
}

fn measured(number: u64, name: &str, behaviour: &Behaviour) -> Run {
    let tally = tally(behaviour);
    let mut plan = plan();
    plan.name = name.to_owned();
    let started = started(number);
    let failed_status = tally.errors.get(STATUS_ERROR).copied().unwrap_or_default();
    let mut run = Run {
        version: RUN_VERSION,
        id: id(started, number),
        name: name.to_owned(),
        labels: plan.labels.clone(),
        note: String::new(),
        started,
        elapsed_s: behaviour.length_s,
        paused_s: 0.0,
        marks: Vec::new(),
        ended: Ended::Completed,
        interrupted: false,
        requests: tally.requests,
        warmup: Requests { due: 5000, answered: 5000, failed: 0, cancelled: 0 },
        rate: Rate {
            asked: plan.pacing.rate_per_sec(),
            achieved: tally.requests.answered as f64 / behaviour.length_s,
        },
        response_ms: tally.response.quantiles(),
        service_ms: tally.service.quantiles(),
        lag_ms: tally.lag.quantiles(),
        error_details: BTreeMap::new(),
        status: BTreeMap::from([
            ("200".to_owned(), tally.requests.answered - failed_status),
            ("503".to_owned(), failed_status),
        ]),
        errors: tally.errors,
        capacity: None,
        goals: Vec::new(),
        warnings: vec![Warning {
            kind: WarningKind::Overflowed,
            text: "212 requests had to wait for a connection; more than 50 connections were needed"
                .to_owned(),
        }],
        bytes: Bytes { sent: tally.requests.due * 118, received: tally.requests.answered * 1340 },
        connections: Connections { opened: 50, waited: 212, resent: 0 },
        environment: Environment {
            meshbench: "0.1.0".to_owned(),
            system: "linux x86_64".to_owned(),
            cpus: 8,
            load_threads: 7,
            address: "10.20.0.17:8080".to_owned(),
            load_cpu_share: Some(0.18),
            strain: Default::default(),
        },
        histograms: Histograms {
            response: tally.response.encode(),
            service: tally.service.encode(),
            lag: tally.lag.encode(),
        },
        detail: detail(),
        intervals: tally.intervals,
        machine: Default::default(),
        metrics: None,
        plan,
    };
    run.goals = run.plan.goals.iter().map(|goal| goal.judge(&run)).collect();
    run
}

/// Phases, tables and slow requests as a mesh with two addresses and two requests would show them.
fn detail() -> Detail {
    let ms = |median: f64, count| Quantiles {
        p50: median,
        p90: median * 1.6,
        p95: median * 1.9,
        p99: median * 2.8,
        p99_9: median * 6.0,
        max: median * 11.0,
        mean: median * 1.1,
        count,
    };
    let times = |median, count| PhaseTimes { ms: ms(median, count), histogram: String::new() };
    let row = |name: &str, requests, failed, median| Row {
        name: name.to_owned(),
        requests,
        failed,
        ms: ms(median, requests),
    };
    let connection = |at: u32| ConnectionRow {
        name: format!("{}/{}", at % 7 + 1, at + 1),
        requests: 1190 + u64::from(at),
        failed: u64::from(at % 3),
        opened: 1,
        mean_ms: 6.4 - 0.1 * f64::from(at),
        max_ms: 420.0 - 9.0 * f64::from(at),
    };
    let slow = |at: u32| Slow {
        due_s: 21.0 + 0.004 * f64::from(at),
        response_ms: 408.0 - 4.0 * f64::from(at),
        service_ms: Some(5.0 + f64::from(at % 5)),
        outcome: if at % 9 == 4 { "response_timeout" } else { "200" }.to_owned(),
        variant: "GET /cart".to_owned(),
        address: "10.20.0.17:8080".to_owned(),
        connection: format!("{}/{}", at % 7 + 1, at + 1),
        phases: SlowPhases {
            lag: Some(0.04),
            wait: Some(402.0 - 4.0 * f64::from(at)),
            first_byte: Some(4.0),
            transfer: Some(1.0 + f64::from(at % 5)),
            ..SlowPhases::default()
        },
    };
    Detail {
        phases: Phases {
            dns: PhaseTimes::default(),
            connect: times(0.31, 50),
            tls: times(2.4, 50),
            wait: times(36.0, 212),
            first_byte: times(4.1, 59_900),
            transfer: times(0.09, 1204),
        },
        variants: vec![row("GET /cart", 45_000, 110, 3.9), row("POST /checkout", 15_000, 72, 6.2)],
        stages: Vec::new(),
        addresses: vec![row("10.20.0.17:8080", 30_002, 90, 4.1), row("10.20.0.23:8080", 29_998, 92, 4.3)],
        connections: ConnectionTable {
            used: 50,
            requests_min: 1188,
            requests_max: 1214,
            slowest: (0..20).map(connection).collect(),
        },
        slowest: (0..50).map(slow).collect(),
    }
}

fn tally(behaviour: &Behaviour) -> Tally {
    let mut random = Random(behaviour.seed);
    let mut whole = Tally {
        response: Latency::new(),
        service: Latency::new(),
        lag: Latency::new(),
        errors: BTreeMap::new(),
        requests: Requests::default(),
        intervals: Vec::new(),
    };
    let count = (behaviour.length_s / INTERVAL_S).round() as usize;
    for at in 0..count {
        let interval = interval(at as f64 * INTERVAL_S, behaviour, &mut random, &mut whole);
        whole.intervals.push(interval);
    }
    whole
}

fn interval(start_s: f64, behaviour: &Behaviour, random: &mut Random, whole: &mut Tally) -> Interval {
    let (mut response, mut service, mut lag) = (Latency::new(), Latency::new(), Latency::new());
    let mut errors: BTreeMap<String, u64> = BTreeMap::new();
    let due = (RATE_PER_SEC * INTERVAL_S) as u64;
    let mut answered = 0;
    for n in 0..due {
        let due_s = start_s + n as f64 / RATE_PER_SEC;
        let failing = due_s >= behaviour.failing_s.0 && due_s < behaviour.failing_s.1;
        let chance = random.unit();
        let slow = if random.unit() < 0.004 { 8.0 } else { 1.0 };
        let service_ms = random.log_normal(behaviour.median_ms * slow, behaviour.sigma);
        let stalled = due_s >= behaviour.stall_s.0 && due_s < behaviour.stall_s.1;
        let waited_ms = if stalled { (behaviour.stall_s.1 - due_s) * 1e3 } else { 0.0 };
        let lag_ms = random.log_normal(behaviour.lag_ms, 0.5);
        let of_ms = |ms: f64| Duration::from_secs_f64(ms / 1e3);
        lag.record(of_ms(lag_ms));
        response.record(of_ms(service_ms + waited_ms + lag_ms));
        service.record(of_ms(service_ms));
        if failing && chance < 0.012 {
            *errors.entry("response_timeout".to_owned()).or_default() += 1;
        } else if failing && chance < 0.04 {
            *errors.entry(STATUS_ERROR.to_owned()).or_default() += 1;
            answered += 1;
        } else if failing && chance < 0.046 {
            *errors.entry("reset".to_owned()).or_default() += 1;
        } else {
            answered += 1;
        }
    }
    whole.response.merge(&response);
    whole.service.merge(&service);
    whole.lag.merge(&lag);
    whole.requests.due += due;
    whole.requests.answered += answered;
    whole.requests.failed += errors.values().sum::<u64>();
    for (class, count) in &errors {
        *whole.errors.entry(class.clone()).or_default() += count;
    }
    let quantiles = response.quantiles();
    Interval {
        start_s,
        length_s: INTERVAL_S,
        due,
        answered,
        errors,
        in_flight: (RATE_PER_SEC * quantiles.mean / 1e3).round().clamp(1.0, 50.0) as u64,
        response_ms: quantiles,
        service_ms: service.quantiles(),
        lag_p99_ms: lag.quantile_ms(QUANTILES[3]),
        heat: heat::compact(&heat::fold(Sketch::of(&response).recorded())),
        histogram: Sketch::of(&response).to_latency().encode(),
    }
}
