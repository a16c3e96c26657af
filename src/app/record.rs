//! From what was measured to the record that is kept and shown: names, warnings, goals. Pure.

use crate::load::Measured;
use crate::model::number;
use crate::model::plan::{Route, TargetKind};
use crate::model::run::{
    Environment, Histograms, MarkKind, RUN_VERSION, Rate, Run, RunId, STATUS_ERROR, Warning, WarningKind,
};
use crate::model::{Ended, Plan};

/// Lag is too large when its 99th percentile is more than this share of the response time's. Of few requests a
/// lower quantile is looked at: a single late one is no reason to throw a run away.
pub(super) const LAG_SHARE_MAX: f64 = 0.1;
/// Lag below is never too large, in milliseconds: timers are not finer.
pub(super) const LAG_MS_MIN: f64 = 1.0;
/// A rate is missed when less than this share of it was achieved.
const RATE_SHARE_MIN: f64 = 0.99;
/// The load threads are nearly out of processor time above this share.
const CPU_SHARE_MAX: f64 = 0.85;
/// Held back for more than this share of its length, a run is void: that many requests may have left late.
const THROTTLED_SHARE_MAX: f64 = 0.01;
/// More than this share of the processor time given to others is said.
const STOLEN_SHARE_MAX: f64 = 0.02;
/// A larger share of failures bends the response times.
const FAILED_SHARE_MAX: f64 = 0.01;
/// A quantile needs this many requests beyond it.
const BEYOND_MIN: f64 = 10.0;

/// Whether a record is for the screen, or is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// Ten times a second: without the full histograms.
    Live,
    /// With everything.
    Full,
}

/// The record of what was measured so far, on a machine with this many logical processors.
#[must_use]
pub(super) fn run(id: RunId, plan: &Plan, measured: &Measured, detail: Detail, cpus: u32) -> Run {
    let histograms = match detail {
        Detail::Live => Histograms::default(),
        Detail::Full => Histograms {
            response: measured.response.encode(),
            service: measured.service.encode(),
            lag: measured.lag.encode(),
        },
    };
    let elapsed_s = measured.elapsed.as_secs_f64();
    let active_s = elapsed_s - measured.paused.as_secs_f64();
    let per_sec = |count: u64| if active_s > 0.0 { count as f64 / active_s } else { 0.0 };
    let achieved = per_sec(measured.requests.answered);
    let is_changed = measured.marks.iter().any(|mark| mark.kind == MarkKind::Rate);
    let asked = match plan.pacing.rate_per_sec().filter(|_| !is_changed) {
        // What was due is what was asked for, whenever that was how much.
        None if !plan.pacing.has_closed_loop() => Some(per_sec(measured.requests.due)),
        asked => asked,
    };
    let mut run = Run {
        version: RUN_VERSION,
        id,
        name: name(plan),
        labels: plan.labels.clone(),
        note: String::new(),
        marks: measured.marks.clone(),
        plan: plan.redacted(),
        started: measured.first_due,
        elapsed_s,
        paused_s: measured.paused.as_secs_f64(),
        ended: measured.ended,
        interrupted: measured.ended == Ended::Interrupted,
        requests: measured.requests,
        warmup: measured.warmup,
        rate: Rate { asked, achieved },
        response_ms: measured.response.quantiles(),
        service_ms: measured.service.quantiles(),
        lag_ms: measured.lag.quantiles(),
        errors: measured.errors.clone(),
        error_details: measured.error_details.clone(),
        status: measured.status.clone(),
        goals: Vec::new(),
        warnings: Vec::new(),
        bytes: measured.bytes,
        connections: measured.connections,
        environment: Environment {
            meshbench: env!("CARGO_PKG_VERSION").to_owned(),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            cpus,
            load_threads: measured.threads,
            address: measured.address.clone(),
            load_cpu_share: measured.load_cpu_share,
            strain: measured.strain,
        },
        histograms,
        capacity: None,
        detail: measured.detail.clone(),
        intervals: measured.intervals.clone(),
        machine: Default::default(),
        metrics: None,
    };
    run.warnings = warnings(&run, plan, detail);
    run.goals = plan.goals.iter().map(|goal| goal.judge(&run)).collect();
    run
}

/// The record that stands in for a run until it is over.
#[must_use]
pub(super) fn checkpoint(id: RunId, plan: &Plan, measured: &Measured, cpus: u32) -> Run {
    let mut run = run(id, plan, measured, Detail::Full, cpus);
    run.ended = Ended::Interrupted;
    run.interrupted = true;
    run.warnings = warnings(&run, plan, Detail::Full);
    run
}

/// What a run is called when nobody named it: `GET localhost:8080/cart`.
#[must_use]
pub(super) fn name(plan: &Plan) -> String {
    if !plan.name.trim().is_empty() {
        return plan.name.trim().to_owned();
    }
    let Ok(url) = url::Url::parse(&plan.target.url) else { return plan.request.method.clone() };
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let name = format!("{} {host}{port}{}", plan.request.method, url.path());
    name.chars().take(120).collect()
}

fn warnings(run: &Run, plan: &Plan, detail: Detail) -> Vec<Warning> {
    let full = detail == Detail::Full;
    let found = [
        plan.target.insecure.then(insecure),
        forwarded(plan),
        lagged(run),
        throttled(run),
        saturated(run),
        stolen(run),
        overflowed(run),
        failures(run),
        if full { rate_missed(run) } else { None },
        if full { few_samples(run) } else { None },
        if full { incomplete(run) } else { None },
        shared_machine(run),
    ];
    found.into_iter().flatten().collect()
}

fn warning(kind: WarningKind, text: String) -> Warning {
    Warning { kind, text }
}

fn forwarded(plan: &Plan) -> Option<Warning> {
    let service = plan.target.service.as_ref().filter(|service| service.route == Route::PortForward)?;
    let (namespace, name) = (&service.namespace, &service.name);
    let to = match service.kind {
        TargetKind::Service => format!("one pod of {namespace}/{name}"),
        TargetKind::Pod => format!("the pod {namespace}/{name}"),
    };
    let millis = |micros: u64| number::millis(micros as f64 / 1e3);
    let costs = service.cluster.tunnel.map(|tunnel| {
        let floor = tunnel
            .round_trip_us
            .map(|took| format!(", and each round trip through it at least {}", millis(took)));
        format!(". To open a connection takes {}{}", millis(tunnel.open_us), floor.unwrap_or_default())
    });
    let words = format!(
        "Load went to {to} through the API server (port-forward): what it adds is in every number, and it carries far \
         less than the Service{}",
        costs.unwrap_or_default()
    );
    Some(warning(WarningKind::PortForward, words))
}

fn insecure() -> Warning {
    warning(WarningKind::Insecure, "Certificates were not checked: anybody could have answered".to_owned())
}

fn lagged(run: &Run) -> Option<Warning> {
    let (lag, response) = (run.lag_ms, run.response_ms);
    // Where each request is due when a connection is free, none can be late.
    if !run.plan.pacing.is_open_loop() {
        return None;
    }
    let is_firm = |q: &f64| lag.count as f64 * (1.0 - q) >= BEYOND_MIN - 1e-6;
    let q = [0.99, 0.95, 0.9, 0.5].into_iter().find(is_firm)?;
    let (late, waited) = (lag.at(q)?, response.at(q)?);
    (late > (waited * LAG_SHARE_MAX).max(LAG_MS_MIN)).then(|| {
        warning(
            WarningKind::GeneratorLagged,
            format!(
                "Our own generator was late: lag p{} {} against a response time p{} of {}. Do not use this run; \
                 lower the rate, close other programs or use a larger machine",
                q * 100.0,
                number::millis(late),
                q * 100.0,
                number::millis(waited)
            ),
        )
    })
}

fn throttled(run: &Run) -> Option<Warning> {
    let held_s = run.environment.strain.throttled_s?;
    let length_s = run.elapsed_s + run.plan.warmup.as_secs_f64();
    (held_s > length_s * THROTTLED_SHARE_MAX).then(|| {
        warning(
            WarningKind::GeneratorThrottled,
            format!(
                "Our own generator was held back for {} in {} periods, because its control group had used up its \
                 processor time. Do not use this run; raise the limit or lower the rate",
                number::millis(held_s * 1e3),
                number::count(run.environment.strain.throttled_periods.unwrap_or_default())
            ),
        )
    })
}

fn stolen(run: &Run) -> Option<Warning> {
    let share = run.environment.strain.stolen_share.filter(|share| *share > STOLEN_SHARE_MAX)?;
    Some(warning(
        WarningKind::ProcessorStolen,
        format!(
            "The host of this machine gave {} of its processor time to others: latencies may be theirs",
            number::percent(share)
        ),
    ))
}

fn saturated(run: &Run) -> Option<Warning> {
    let share = run.environment.load_cpu_share.filter(|share| *share > CPU_SHARE_MAX)?;
    Some(warning(
        WarningKind::GeneratorSaturated,
        format!(
            "The threads that send load used {} of their processor time: the target may be faster than this machine can ask",
            number::percent(share)
        ),
    ))
}

fn overflowed(run: &Run) -> Option<Warning> {
    let waited = run.connections.waited;
    (waited > 0 && run.requests.due > 0).then(|| {
        let share = waited as f64 / run.requests.due as f64;
        warning(
            WarningKind::Overflowed,
            format!(
                "{} requests ({}) were due while all {} connections were busy; their waiting is part of their response time",
                number::count(waited),
                number::percent(share.min(1.0)),
                run.plan.connections
            ),
        )
    })
}

fn failures(run: &Run) -> Option<Warning> {
    let share = run.requests.failed as f64 / run.requests.due.max(1) as f64;
    (share > FAILED_SHARE_MAX).then(|| {
        warning(
            WarningKind::Failures,
            format!(
                "{} of the requests failed; their times are among the response times, so fast failures make \
                 these look better and timeouts worse",
                number::percent(share)
            ),
        )
    })
}

fn rate_missed(run: &Run) -> Option<Warning> {
    let asked = run.rate.asked.filter(|_| run.requests.due > 0)?;
    let failed: u64 =
        run.errors.iter().filter(|(class, _)| *class != STATUS_ERROR).map(|(_, count)| count).sum();
    let steady = steady_rate(run, failed);
    if steady >= asked * RATE_SHARE_MIN {
        return None;
    }
    // Random arrivals miss their mean by chance: three standard deviations are allowed.
    let chance = 3.0 * (asked * run.elapsed_s).sqrt() / run.elapsed_s.max(f64::MIN_POSITIVE);
    let random = run.plan.pacing.is_random();
    let is_carried = failed as f64 <= (1.0 - RATE_SHARE_MIN) * run.requests.due as f64;
    if random && is_carried && steady > asked - chance {
        return None;
    }
    Some(warning(
        WarningKind::RateMissed,
        format!("{} of {} achieved", number::rate(run.rate.achieved), number::rate(asked)),
    ))
}

/// Answers per second without what the end of a run takes away: the last answers come after the last due
/// time, which is no backlog up to the longest service time, and what was in flight at a stop had no time.
fn steady_rate(run: &Run, failed: u64) -> f64 {
    let active_s = run.elapsed_s - run.paused_s;
    let tail_s = (active_s - run.planned_s().unwrap_or(active_s)).max(0.0);
    let length_s = active_s - tail_s.min(run.service_ms.max / 1e3);
    let open = run.requests.due.saturating_sub(run.requests.answered + failed);
    let room = u64::from(run.plan.connections) * u64::from(run.plan.target.protocol.streams());
    let counted = run.requests.answered + open.min(room);
    counted as f64 / length_s.max(f64::MIN_POSITIVE)
}

fn few_samples(run: &Run) -> Option<Warning> {
    let count = run.response_ms.count;
    let q = [0.99, 0.999].into_iter().find(|q| (count as f64) * (1.0 - q) < BEYOND_MIN)?;
    Some(warning(
        WarningKind::FewSamples,
        format!("{} requests are too few for p{} and above", number::count(count), q * 100.0),
    ))
}

fn incomplete(run: &Run) -> Option<Warning> {
    match run.ended {
        Ended::Completed => None,
        Ended::Stopped => {
            Some(warning(WarningKind::Incomplete, "The run was stopped before its end".to_owned()))
        }
        Ended::GaveUp => Some(warning(
            WarningKind::Incomplete,
            "The run ended early because a goal could not be reached any more".to_owned(),
        )),
        Ended::Interrupted => Some(warning(
            WarningKind::Incomplete,
            "Meshbench ended before the run did; at most its last second is missing".to_owned(),
        )),
    }
}

fn shared_machine(run: &Run) -> Option<Warning> {
    let address: std::net::SocketAddr = run.environment.address.parse().ok()?;
    address.ip().is_loopback().then(|| {
        warning(
            WarningKind::SharedMachine,
            "The target's address is on this machine: generator and target share its processors, or meet in a tunnel".to_owned(),
        )
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::model::run::{Quantiles, Requests};
    use crate::model::{Labels, Pacing, Stop};

    use super::*;

    #[test]
    fn a_rate_that_was_met_is_not_missed_for_the_last_answers() {
        let goal: crate::model::Goal = "rate>=100".parse().expect("a goal");
        let judged = |elapsed_s: f64, answered: u64, p50: f64, ended: Ended| {
            let mut run = run();
            run.elapsed_s = elapsed_s;
            run.requests.answered = answered;
            run.service_ms.p50 = p50;
            run.service_ms.max = 5000.0;
            run.ended = ended;
            run.rate.achieved = answered as f64 / elapsed_s;
            goal.judge(&run).met
        };
        assert!(judged(10.04, 1000, 50.0, Ended::Completed));
        assert!(judged(10.2, 1000, 200.0, Ended::Completed));
        // Who carries 90/s has a backlog at the end, and all of it is service time where connections are many.
        assert!(!judged(11.1, 1000, 550.0, Ended::Completed));
        assert!(!judged(10.0, 990, 50.0, Ended::Completed));
        // Stopped while 19 were under way that take 200 ms each; and where they were stuck.
        assert!(judged(10.0, 981, 200.0, Ended::Stopped));
        assert!(!judged(10.0, 900, 5.0, Ended::Stopped));
    }

    #[test]
    fn streams_under_way_at_a_stop_are_no_missed_rate() {
        let mut run = run();
        run.plan.stop = Stop::Never;
        run.plan.connections = 1;
        run.requests.answered = 950;
        run.requests.cancelled = 50;
        assert!(rate_missed(&run).is_some());
        run.plan.target.protocol = crate::model::plan::Protocol::Http2 { streams: 50 };
        assert_eq!(rate_missed(&run), None);
    }

    /// A run at 100/s for 10 s.
    fn run() -> Run {
        let pacing = Pacing::Constant { rate_per_sec: 100.0 };
        let plan =
            Plan { pacing, stop: Stop::Duration(Duration::from_secs(10)), ..Plan::for_url("http://x/") };
        let quantiles = Quantiles { p50: 2.0, p99: 4.0, max: 50.0, count: 1000, ..Quantiles::default() };
        let requests = Requests { due: 1000, answered: 1000, ..Requests::default() };
        Run {
            version: RUN_VERSION,
            id: RunId(uuid::Uuid::nil()),
            name: "run".to_owned(),
            labels: Labels::new(),
            note: String::new(),
            marks: Vec::new(),
            plan,
            started: jiff::Timestamp::UNIX_EPOCH,
            elapsed_s: 10.0,
            paused_s: 0.0,
            ended: Ended::Completed,
            interrupted: false,
            requests,
            warmup: Requests::default(),
            rate: Rate { asked: Some(100.0), achieved: 100.0 },
            response_ms: quantiles,
            service_ms: quantiles,
            lag_ms: Quantiles::default(),
            errors: Default::default(),
            error_details: Default::default(),
            status: Default::default(),
            goals: Vec::new(),
            warnings: Vec::new(),
            bytes: Default::default(),
            connections: Default::default(),
            environment: Environment::default(),
            histograms: Histograms::default(),
            capacity: None,
            detail: Default::default(),
            intervals: Vec::new(),
            machine: Default::default(),
            metrics: None,
        }
    }

    fn is_missed(change: impl FnOnce(&mut Run)) -> bool {
        let mut run = run();
        change(&mut run);
        run.rate.achieved = run.requests.answered as f64 / run.elapsed_s;
        rate_missed(&run).is_some()
    }

    #[test]
    fn a_rate_is_missed_by_failures_and_backlogs_but_not_by_the_last_answer() {
        assert!(!is_missed(|_| {}));
        assert!(is_missed(|run| {
            run.requests = Requests { due: 1000, answered: 980, failed: 20, cancelled: 0 };
            run.errors.insert("reset".to_owned(), 20);
        }));
        assert!(is_missed(|run| run.elapsed_s = 15.0), "five seconds of backlog");
        // The last requests fell into a stall of half a second, and were answered after it.
        assert!(!is_missed(|run| (run.elapsed_s, run.service_ms.max) = (10.4, 500.0)));
        assert!(!is_missed(|run| {
            run.plan.stop = Stop::Requests(100);
            run.requests = Requests { due: 100, answered: 100, ..Requests::default() };
            (run.elapsed_s, run.service_ms.max) = (1.04, 50.0);
        }));
    }

    #[test]
    fn random_arrivals_with_a_failure_are_not_held_to_their_mean() {
        let random = |due: u64, failed: u64| {
            is_missed(|run| {
                run.plan.pacing = Pacing::Poisson { rate_per_sec: 100.0 };
                run.requests = Requests { due, answered: due - failed, failed, cancelled: 0 };
                run.errors.insert("reset".to_owned(), failed);
            })
        };
        assert!(!random(985, 1), "985 of 1000 by chance, and all but one of them answered");
        assert!(random(1000, 50), "5 % failed");
        assert!(random(1000, 200));
    }

    #[test]
    fn a_lag_in_stages_is_told_though_one_of_them_has_no_rate() {
        let mut run = run();
        run.lag_ms = Quantiles { p50: 200.0, p90: 200.0, p95: 200.0, p99: 200.0, ..run.response_ms };
        let stages = ["hold 5000 1m", "max 30s"].map(|stage| stage.parse().expect("a stage")).to_vec();
        let arrivals = crate::model::plan::Arrivals::Even;
        run.plan.pacing = Pacing::Profile(crate::model::plan::Profile { arrivals, stages });
        run.rate.asked = None;
        assert!(lagged(&run).is_some());
        run.plan.pacing = Pacing::MAX;
        assert_eq!(lagged(&run), None);
    }

    #[test]
    fn counting_begins_after_the_warm_up_and_the_pauses_in_it() {
        use crate::model::run::Mark;
        let mut run = run();
        run.plan.warmup = Duration::from_secs(10);
        assert!((run.counted_after_s() - 10.0).abs() < 1e-9);
        let mark = |at_s, kind| Mark { at_s, kind, text: String::new() };
        run.marks = vec![
            mark(-64.0, MarkKind::Pause),
            mark(-4.0, MarkKind::Resume),
            mark(2.0, MarkKind::Pause),
            mark(3.0, MarkKind::Resume),
        ];
        assert!((run.counted_after_s() - 70.0).abs() < 1e-9);
        assert_eq!(run.counted_from_ms(), 70_000);
    }

    #[test]
    fn what_a_stop_or_the_plan_cut_short_is_not_missed() {
        assert!(!is_missed(|run| {
            run.ended = Ended::Stopped;
            run.requests = Requests { due: 50, answered: 40, failed: 0, cancelled: 10 };
            run.elapsed_s = 0.5;
        }));
        assert!(is_missed(|run| {
            run.ended = Ended::Stopped;
            run.requests = Requests { due: 500, answered: 100, failed: 0, cancelled: 400 };
            run.elapsed_s = 5.0;
        }));
        assert!(!is_missed(|run| {
            run.requests = Requests::default();
            run.elapsed_s = 1.0;
        }));
    }

    #[test]
    fn a_void_run_meets_no_goal_on_response_times() {
        let mut run = run();
        run.response_ms.p99 = 5.0;
        let judge = |run: &Run, text: &str| text.parse::<crate::model::Goal>().expect(text).judge(run);
        assert!(judge(&run, "p99<20ms").met);
        run.lag_ms = Quantiles { p99: 4.0, count: 1000, ..Quantiles::default() };
        run.warnings = warnings(&run, &run.plan, Detail::Full);
        assert!(run.is_void());
        let goal = judge(&run, "p99<20ms");
        assert_eq!((goal.met, goal.value), (false, Some(5.0)));
        assert!(judge(&run, "errors<1%").met, "whoever was late, these were answered");
    }

    #[test]
    fn a_generator_that_was_held_back_voids_the_run_and_stolen_time_is_said() {
        let kinds = |strain: crate::model::run::Strain| {
            let mut run = run();
            run.environment.strain = strain;
            run.warnings = warnings(&run, &run.plan, Detail::Live);
            (run.is_void(), run.warnings.iter().map(|warning| warning.kind).collect::<Vec<_>>())
        };
        let throttled = |seconds| crate::model::run::Strain {
            throttled_periods: Some(7),
            throttled_s: Some(seconds),
            ..Default::default()
        };
        assert_eq!(kinds(Default::default()), (false, vec![]));
        assert_eq!(kinds(throttled(0.05)), (false, vec![]), "half a percent of ten seconds");
        assert_eq!(kinds(throttled(0.2)), (true, vec![WarningKind::GeneratorThrottled]));
        let stolen = |share| crate::model::run::Strain { stolen_share: Some(share), ..Default::default() };
        assert_eq!(kinds(stolen(0.005)), (false, vec![]));
        assert_eq!(kinds(stolen(0.08)), (false, vec![WarningKind::ProcessorStolen]));
    }

    #[test]
    fn a_single_late_request_does_not_void_a_short_run() {
        let is_void = |count, p95: f64| {
            let mut run = run();
            run.response_ms =
                Quantiles { p50: 8.0, p90: 8.0, p95: 8.0, p99: 11.0, count, ..Quantiles::default() };
            run.lag_ms = Quantiles { p50: 0.1, p90: 0.1, p95, p99: 4.6, count, ..Quantiles::default() };
            lagged(&run).is_some()
        };
        assert!(!is_void(19, 4.6), "too few to tell");
        assert!(!is_void(100, 4.6), "one of a hundred");
        assert!(!is_void(200, 0.1) && is_void(200, 4.6), "ten of two hundred");
        assert!(is_void(1000, 0.1), "ten of a thousand");
    }

    #[test]
    fn random_arrivals_may_miss_their_rate_by_chance() {
        let random = |answered| {
            is_missed(|run| {
                run.plan.pacing = Pacing::Poisson { rate_per_sec: 100.0 };
                run.requests = Requests { due: answered, answered, ..Requests::default() };
            })
        };
        assert!(!random(930));
        assert!(random(850));
    }
}
