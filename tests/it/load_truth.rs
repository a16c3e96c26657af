//! What is measured is held against what the target itself has seen.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use meshbench::load::Measured;
use meshbench::load::target::{Delay, Stall, Target, TargetOptions};
use meshbench::model::plan::{Arrivals, Profile};
use meshbench::model::{Pacing, Plan, Stop};

use crate::peer::{assert_balanced, measure};

const RATE: f64 = 1000.0;
const SECONDS: u64 = 20;
const WARMUP: Duration = Duration::from_millis(500);

/// The value at quantile `q` of ascending values.
fn at(values: &[f64], q: f64) -> f64 {
    let rank = (q * values.len() as f64).ceil() as usize;
    values[rank.clamp(1, values.len()) - 1]
}

#[test]
fn the_built_in_target_holds_back_as_long_as_it_was_told() {
    for micros in [200, 1_700] {
        let delay = Duration::from_micros(micros);
        let options = TargetOptions { delay: Delay::Fixed(delay), ..TargetOptions::default() };
        let target = Target::start_logged(options).expect("loopback");
        let plan = Plan {
            connections: 4,
            pacing: Pacing::Constant { rate_per_sec: 200.0 },
            stop: Stop::Requests(100),
            ..Plan::for_url(&format!("http://{}/", target.address()))
        };
        assert_balanced(&measure(&plan, 1), "a delay");
        let log = target.log();
        let held = |seen: &meshbench::load::target::Seen| seen.answered.duration_since(seen.arrived);
        let (least, all) = (log.iter().map(held).min().expect("some"), log.len());
        // The machine may be busy, but hardly for each of them; a clock of milliseconds was late for all.
        assert!(all == 100 && (delay..delay + Duration::from_micros(500)).contains(&least), "{least:?}");
    }
}

#[test]
fn a_stall_is_charged_to_the_requests_that_it_delays() {
    let stall = Stall { length: Duration::from_secs(1), every: Duration::from_secs(10) };
    let options = TargetOptions { stall: Some(stall), body_bytes: 100, ..TargetOptions::default() };
    let target = Target::start_logged(options).expect("loopback");
    let plan = Plan {
        connections: 50,
        pacing: Pacing::Constant { rate_per_sec: RATE },
        stop: Stop::Duration(Duration::from_secs(SECONDS)),
        timeout: Duration::from_secs(10),
        // Not for warmth: so that the counted part ends between two stalls, not in the crowd after one.
        warmup: WARMUP,
        ..Plan::for_url(&format!("http://{}/", target.address()))
    };
    let measured = measure(&plan, 1);
    // One pair of readings turns the wall clock of the first due time into the clock of the log.
    let (wall, monotonic) = (Timestamp::now(), Instant::now());
    let since = Duration::try_from(wall.duration_since(measured.first_due)).expect("it lies in the past");
    let first_due = monotonic.checked_sub(since).expect("this process ran then") + WARMUP;

    assert_balanced(&measured, "stall");
    let count = SECONDS * RATE as u64;
    assert_eq!((measured.requests.due, measured.requests.answered), (count, count));
    let achieved = measured.requests.answered as f64 / measured.elapsed.as_secs_f64();
    assert!((achieved / RATE - 1.0).abs() < 0.001, "achieved {achieved}/s");

    // Requests are sent in the order in which they are due, so the n-th arrival is the n-th due.
    let mut log = target.log();
    log.sort_by_key(|seen| seen.arrived);
    assert_eq!(measured.warmup.due, 500);
    let log = log.split_off(500);
    assert_eq!(log.len() as u64, count);
    let due = |n: usize| first_due + Duration::from_secs_f64(n as f64 / RATE);
    let mut truth: Vec<f64> = log
        .iter()
        .enumerate()
        .map(|(n, seen)| seen.answered.saturating_duration_since(due(n)).as_secs_f64() * 1e3)
        .collect();
    truth.sort_by(f64::total_cmp);
    for (q, floor) in [(0.95, 300.0), (0.99, 800.0), (0.999, 900.0)] {
        let (want, got) = (at(&truth, q), measured.response.quantile_ms(q));
        assert!(want > floor, "the target did stall: p{} is {want} ms", q * 100.0);
        assert!((got / want - 1.0).abs() < 0.02, "p{}: {got} ms for {want} ms", q * 100.0);
    }

    // A request waits when all connections are held by requests that are not answered yet.
    let waited = waiting(&log, first_due, 50);
    let got = measured.connections.waited as f64;
    assert!(waited > 1500.0, "the target did stall: {waited}");
    assert!((got / waited - 1.0).abs() < 0.02, "{got} waited, for {waited}");
    // Its waiting is not service time: nothing that was sent took much longer than the stall.
    assert!(measured.service.quantile_ms(0.95) < 100.0, "{:?}", measured.service.quantiles());
}

/// How many requests were due while all connections were busy, from the target's log and the schedule.
fn waiting(log: &[meshbench::load::target::Seen], first_due: Instant, connections: usize) -> f64 {
    let mut answered: Vec<Instant> = log.iter().map(|seen| seen.answered).collect();
    answered.sort();
    let busy_at = |n: usize| {
        let due = first_due + Duration::from_secs_f64(n as f64 / RATE);
        n.saturating_sub(answered.partition_point(|at| *at <= due))
    };
    (0..log.len()).filter(|n| busy_at(*n) >= connections).count() as f64
}

#[test]
fn evenly_spaced_requests_arrive_evenly_spaced() {
    let target = Target::start_logged(TargetOptions::default()).expect("loopback");
    let plan = Plan {
        connections: 10,
        pacing: Pacing::Constant { rate_per_sec: 500.0 },
        stop: Stop::Duration(Duration::from_secs(2)),
        ..Plan::for_url(&format!("http://{}/", target.address()))
    };
    let measured = measure(&plan, 2);
    assert_eq!(measured.requests.answered, 1000);
    let mut arrived: Vec<Instant> = target.log().iter().map(|seen| seen.arrived).collect();
    arrived.sort();
    let mut gaps: Vec<f64> = arrived.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64() * 1e3).collect();
    gaps.sort_by(f64::total_cmp);
    // The median: on a busy machine single requests may be late.
    assert!((at(&gaps, 0.5) - 2.0).abs() < 0.2, "median gap {} ms", at(&gaps, 0.5));
}

/// The rows of a table by stage: name and requests.
fn by_stage(measured: &Measured) -> Vec<(&str, u64)> {
    measured.detail.stages.iter().map(|row| (row.name.as_str(), row.requests)).collect()
}

fn staged(target: &Target, stages: &[&str], stop: Stop) -> Plan {
    let stages = stages.iter().map(|text| text.parse().expect("a stage")).collect();
    Plan {
        connections: 4,
        warmup: Duration::from_millis(200),
        pacing: Pacing::Profile(Profile { arrivals: Arrivals::Even, stages }),
        stop,
        ..Plan::for_url(&format!("http://{}/", target.address()))
    }
}

#[test]
fn a_closed_loop_stands_between_stages_with_a_rate() {
    let target = Target::start_logged(TargetOptions::default()).expect("loopback");
    for threads in [1, 2] {
        let stages = ["hold 200 400ms", "all out: max/1ms 500ms", "hold 100 400ms"];
        let measured = measure(&staged(&target, &stages, Stop::Never), threads);
        assert_balanced(&measured, "stages");
        assert_eq!((measured.warmup.due, measured.requests.due), (40, measured.requests.answered));
        let [(first, open), (second, closed), (third, open_again)] = by_stage(&measured)[..] else {
            panic!("{:?}", measured.detail.stages);
        };
        assert_eq!((first, open, third, open_again), ("hold 200 400ms", 80, "hold 100 400ms", 40));
        // Each of 4 connections thinks for 1 ms after each answer.
        assert!(second == "all out: max/1ms 500ms" && (200..=2000).contains(&closed), "{second}: {closed}");
        assert_eq!(measured.requests.due, open + closed + open_again);
        assert_eq!(measured.elapsed.as_millis() / 100, 13, "{:?}", measured.elapsed);
    }
}

#[test]
fn closed_loops_come_first_and_last_and_end_with_their_number_of_requests() {
    let target = Target::start_logged(TargetOptions::default()).expect("loopback");
    let stages = ["max 300ms", "hold 50 200ms", "max/5ms 10m"];
    let measured = measure(&staged(&target, &stages, Stop::Duration(Duration::from_millis(700))), 2);
    assert_balanced(&measured, "by time");
    assert!(measured.warmup.due > 100, "the warm-up is the first stage's: {:?}", measured.warmup);
    let [(_, first), (_, open), (_, last)] = by_stage(&measured)[..] else { panic!("three stages") };
    assert!(first > 100 && open == 10 && (30..=400).contains(&last), "{first} {open} {last}");

    for (stages, count) in [(["max/5ms 10m", "hold 50 1s"], 101), (["hold 500 100ms", "max/5ms 10m"], 150)] {
        let measured = measure(&staged(&target, &stages, Stop::Requests(count)), 3);
        assert_balanced(&measured, "by number");
        assert_eq!((measured.requests.due, measured.requests.answered), (count, count), "{stages:?}");
    }
}
