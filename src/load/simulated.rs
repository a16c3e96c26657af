//! Whole runs in simulated time: a virtual clock, workers with slots, and a server whose delays are a known
//! law. Schedules, turns, changes and tallies are the real ones; every quantile is computed exactly beside them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::random::Random;
use super::schedule::{Due, Next, Schedule, Share};
use super::steer::{Change, FACTOR_UNITS, Log, Steer};
use super::tally::{End, Outcome, Sent, Tally, Trace};
use crate::model::plan::{Arrivals, Profile, Shape, Stage};
use crate::model::run::ErrorClass;
use crate::model::{Pacing, Plan, Stop};

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;
const TIMEOUT: u64 = 5 * SECOND;
/// No schedule in here has more.
const DUE_MAX: usize = 200_000;

/// How the server answers.
#[derive(Clone, Copy, Debug)]
struct Server {
    mean_delay: u64,
    fail_one_in: u64,
    /// It stands still from here for so long.
    stall: (u64, u64),
    seed: u64,
}

/// What a simulated run came to.
struct Seen {
    tally: Tally,
    /// Due times in the order in which each worker took them, one list for each.
    due: Vec<Vec<Due>>,
    /// Exact response times of counted requests that were not cancelled, ascending.
    response: Vec<u64>,
}

impl Server {
    fn end_of(&self, sent: u64, random: &mut Random) -> (End, u64) {
        let begun = if (self.stall.0..self.stall.0 + self.stall.1).contains(&sent) {
            self.stall.0 + self.stall.1
        } else {
            sent
        };
        let done = begun + (random.exponential() * self.mean_delay as f64) as u64 + 1;
        if done > sent + TIMEOUT {
            return (End::Failed(ErrorClass::ResponseTimeout), sent + TIMEOUT);
        }
        match self.fail_one_in {
            0 => (End::Status(200), done),
            n if random.next_u64().is_multiple_of(n) => (End::Failed(ErrorClass::Reset), done),
            n if random.next_u64().is_multiple_of(n) => (End::Status(503), done),
            _ => (End::Status(200), done),
        }
    }
}

/// Carries out a plan from moment 0; `stop` is when a person ends it.
fn simulate(plan: &Plan, workers: u32, server: Server, log: &Log, stop: u64) -> Seen {
    let mut seen = Seen { tally: Tally::new(), due: Vec::new(), response: Vec::new() };
    let origin = log.first_moment(plan.warmup.as_nanos() as u64, u64::MAX);
    for worker in 0..workers {
        let share = Share { worker, workers };
        let mut random = Random::seeded(server.seed ^ u64::from(worker));
        let mut slots: BinaryHeap<Reverse<(u64, bool)>> =
            (0..share.of(plan.connections.into()).max(1)).map(|_| Reverse((0, false))).collect();
        let mut taken = Vec::new();
        let mut source = Source::new(plan, share, log, server.seed);
        while let Some(Reverse((free, answered))) = slots.pop() {
            let Some(due) = source.next(free, answered, log).filter(|due| due.at < stop) else { break };
            assert!(taken.len() < DUE_MAX, "a schedule without an end");
            taken.push(due);
            seen.tally.note_due(due, origin);
            let sent = due.at.max(free);
            let outcome = if sent > due.at + TIMEOUT {
                slots.push(Reverse((free, answered)));
                Outcome::overflow(due.at + TIMEOUT)
            } else {
                let (end, done) = server.end_of(sent, &mut random);
                slots.push(Reverse((done, true)));
                let sent = Some(Sent { at: sent, lag: 0, bytes: 1 });
                Outcome { end, done, known: done, sent, received_bytes: 1, trace: Trace::default() }
            };
            let outcome = if outcome.done > stop { Outcome::cancelled(stop) } else { outcome };
            seen.tally.note(due, &outcome);
            if due.counted && outcome.end != End::Cancelled {
                seen.response.push(outcome.done - due.at);
            }
        }
        seen.due.push(taken);
    }
    seen.response.sort_unstable();
    seen
}

/// Where a worker's requests come from.
struct Source {
    schedule: Schedule,
}

impl Source {
    fn new(plan: &Plan, share: Share, log: &Log, seed: u64) -> Self {
        let recorded: Arc<[u64]> = (0..500).map(|n| n * n * 20_000).collect();
        let mut schedule = Schedule::new(plan, Some(&recorded), share, seed ^ u64::from(share.worker));
        log.changes.iter().for_each(|change| schedule.steer(*change));
        Self { schedule }
    }

    /// What a slot that is free at `free`, after an answer or not, takes next: what has waited for it, its turn, or
    /// what is due first.
    fn next(&mut self, free: u64, answered: bool, log: &Log) -> Option<Due> {
        let turn =
            self.turn(log.active(free), answered).and_then(|active| Some((active, log.moment(active)?)));
        match (self.schedule.peek(), turn) {
            (Next::Due(due), None) => {
                self.schedule.advance(due);
                Some(due)
            }
            (Next::Due(due), Some((_, at))) if due.at <= at => {
                self.schedule.advance(due);
                Some(due)
            }
            (_, Some((active, at))) => Some(Due { at, ..self.schedule.take_turn(active)? }),
            (Next::Paused | Next::Over(_), None) => None,
        }
    }

    /// The first moment from `active` on at which a closed loop has a turn for the slot, without pauses.
    fn turn(&mut self, active: u64, answered: bool) -> Option<u64> {
        if let Some(closed) = self.schedule.closed_at(active) {
            let turn = active + if answered { closed.think } else { 0 };
            if turn < closed.until {
                return Some(turn);
            }
        }
        while self.schedule.opening().is_some_and(|opening| opening <= active) {
            self.schedule.open();
        }
        self.schedule.opening()
    }
}

fn plan(pacing: Pacing, stop: Stop, warmup_ms: u64) -> Plan {
    let warmup = Duration::from_millis(warmup_ms);
    Plan { pacing, stop, warmup, connections: 8, ..Plan::for_url("http://localhost/") }
}

fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn changes(list: &[(u64, Steer)]) -> Log {
    let mut log = Log::default();
    log.changes = list.iter().map(|(at, what)| Change { at: *at, what: *what }).collect();
    log
}

fn profile(arrivals: Arrivals, stages: &[(u64, Shape)]) -> Pacing {
    let stage = |(ms, shape): &(u64, Shape)| Stage {
        name: String::new(),
        length: Duration::from_millis(*ms),
        shape: *shape,
    };
    Pacing::Profile(Profile { arrivals, stages: stages.iter().map(stage).collect() })
}

fn merged(seen: &Seen) -> Vec<Due> {
    let mut all: Vec<Due> = seen.due.iter().flatten().copied().collect();
    all.sort_by_key(|due| due.at);
    all
}

fn assert_balanced(seen: &Seen) {
    let tally = &seen.tally;
    let without_answer: u64 =
        tally.errors.named().filter(|(class, _)| *class != "status").map(|(_, count)| count).sum();
    let counted = tally.counted;
    assert_eq!(counted.due, counted.answered + without_answer + counted.cancelled);
    assert_eq!(counted.due, seen.due.iter().flatten().filter(|due| due.counted).count() as u64);
    assert_eq!(tally.response.count(), counted.due - counted.cancelled);
    assert_eq!(tally.status.iter().sum::<u64>(), counted.answered);
    assert_eq!(tally.due.iter().map(|(_, count)| count).sum::<u64>(), counted.due);
    for due in &seen.due {
        assert!(due.windows(2).all(|pair| pair[0].at <= pair[1].at), "in order");
        assert!(due.windows(2).all(|pair| pair[0].counted <= pair[1].counted), "one border");
    }
}

/// Every quantile of the histogram, against the value that really has this rank.
fn assert_quantiles(seen: &Seen) {
    for permille in [1, 100, 250, 500, 750, 900, 950, 990, 999, 1000] {
        if seen.response.is_empty() {
            return;
        }
        let q = f64::from(permille) / 1000.0;
        let rank = (q * seen.response.len() as f64).ceil() as usize;
        let want = seen.response[rank.clamp(1, seen.response.len()) - 1] as f64 / 1e6;
        let got = seen.tally.response.quantile_ms(q);
        assert!((got - want).abs() <= want * 0.002 + 0.0002, "p{}: {got} for {want}", q * 100.0);
    }
}

fn law(seed: u64) -> Server {
    Server { mean_delay: 3 * MS, fail_one_in: 0, stall: (0, 0), seed }
}

#[test]
fn a_stall_is_charged_in_full() {
    // 8 slots at 100/s, and a second without answers: all that were due in it wait for its end.
    let server = Server { mean_delay: 1, stall: (2 * SECOND, SECOND), ..law(1) };
    let plan = plan(Pacing::Constant { rate_per_sec: 100.0 }, Stop::Duration(secs(10)), 0);
    let seen = simulate(&plan, 1, server, &Log::default(), u64::MAX);
    assert_balanced(&seen);
    assert_quantiles(&seen);
    assert_eq!(seen.response.len(), 1000);
    let waited = seen.response.iter().filter(|nanos| **nanos > 5 * MS).count();
    assert_eq!(waited, 100);
    assert!((seen.tally.response.quantile_ms(0.95) - 500.0).abs() < 11.0);
}

#[test]
fn a_factor_and_a_pause_move_due_times_exactly() {
    // 100/s; from 1.005 s three times that; paused from 2 s to 7 s; from 8 s half the planned rate.
    let log = changes(&[
        (1005 * MS, Steer::Factor(3 * FACTOR_UNITS)),
        (2 * SECOND, Steer::Pause),
        (7 * SECOND, Steer::Resume),
        (8 * SECOND, Steer::Factor(FACTOR_UNITS / 2)),
    ]);
    let plan = plan(Pacing::Constant { rate_per_sec: 100.0 }, Stop::Duration(secs(6)), 0);
    for workers in 1..=3 {
        let seen = simulate(&plan, workers, law(1), &log, u64::MAX);
        let due = merged(&seen);
        // Expected by 1.005 s: 100.5. Then (n − 100.5)/300 s further.
        let exact = |n: u64| match n {
            0..=100 => n * 10 * MS,
            _ => {
                let active = 1005 * MS + (2 * n - 201) * SECOND / 600;
                if active < 2 * SECOND { active } else { active + 5 * SECOND }
            }
        };
        let before_slow = due.iter().take_while(|due| due.at < 8 * SECOND).count() as u64;
        // (3 s − 1.005 s) × 300/s + 100.5 = 699: number 699 is due at 8 s, and again by the new rate.
        assert_eq!(before_slow, 699);
        for (n, due) in (0..before_slow).zip(&due) {
            assert!(due.at.abs_diff(exact(n)) <= 1, "{n}: {} for {}", due.at, exact(n));
        }
        for (n, due) in (699u64..).zip(&due[699..]) {
            assert!(due.at.abs_diff(8 * SECOND + (n - 699) * 20 * MS) <= 1, "{n}: {}", due.at);
        }
        // Three active seconds at 50/s were left.
        assert_eq!(due.len(), 699 + 150);
        assert!(due.windows(2).all(|pair| pair[1].at - pair[0].at >= 3 * MS), "no burst, nothing doubled");
    }
}

#[test]
fn a_pause_in_the_warmup_puts_counting_off() {
    let log = changes(&[(500 * MS, Steer::Pause), (1500 * MS, Steer::Resume)]);
    let plan = plan(Pacing::Constant { rate_per_sec: 10.0 }, Stop::Requests(5), 1000);
    let due = merged(&simulate(&plan, 2, law(1), &log, u64::MAX));
    let at = |n: usize| (due[n].at / MS, due[n].counted);
    assert_eq!((at(4), at(5), at(9)), ((400, false), (1500, false), (1900, false)));
    assert_eq!((at(10), at(14), due.len()), ((2000, true), (2400, true), 15));
}

#[test]
fn a_run_that_is_paused_for_good_waits() {
    let plan = plan(Pacing::Constant { rate_per_sec: 10.0 }, Stop::Requests(5), 0);
    let mut schedule = Schedule::new(&plan, None, Share { worker: 0, workers: 1 }, 1);
    schedule.steer(Change { at: 150 * MS, what: Steer::Pause });
    assert_eq!(schedule.by_ref().count(), 2);
    assert_eq!(schedule.peek(), Next::Paused);
    schedule.steer(Change { at: 9150 * MS, what: Steer::Resume });
    assert_eq!(schedule.peek(), Next::Due(Due { at: 9200 * MS, counted: true, stage: 0 }));
}

/// The stage at a moment without pauses, looked for from the first on.
fn stage_of(plan: &Plan, active: u64) -> u16 {
    let Pacing::Profile(profile) = &plan.pacing else { return 0 };
    let ends = profile.stages.iter().scan(plan.warmup, |end, stage| {
        *end += stage.length;
        Some(*end)
    });
    ends.take_while(|end| end.as_nanos() <= u128::from(active)).count() as u16
}

#[test]
fn between_stages_with_a_rate_slots_go_as_fast_as_they_can() {
    // A server that takes 1 ms and 1 ns, and 8 slots: 50/s for 1 s, all out for 1 s, 50/s for 1 s.
    let server = Server { mean_delay: 0, ..law(1) };
    let think = Duration::from_millis(1);
    let stages = [
        (1000, Shape::Hold(50.0)),
        (1000, Shape::Max { think }),
        (1000, Shape::Ramp { from: 50.0, to: 50.0 }),
    ];
    for workers in 1..=3 {
        let plan = plan(profile(Arrivals::Even, &stages), Stop::Never, 0);
        let seen = simulate(&plan, workers, server, &Log::default(), u64::MAX);
        assert_balanced(&seen);
        let of =
            |stage: u16| merged(&seen).into_iter().filter(move |due| due.stage == stage).collect::<Vec<_>>();
        assert_eq!((of(0).len(), of(1).len(), of(2).len()), (50, 8 * 1000, 50));
        assert!(of(1)[..8].iter().all(|due| due.at == SECOND), "all slots at once");
        assert_eq!((of(2)[0].at, of(2)[1].at), (2 * SECOND, 2 * SECOND + 20 * MS));
        // Nobody waited for a slot, so that what users wait is what the server takes.
        assert_eq!(seen.response.iter().filter(|nanos| **nanos > 1).count(), 0);
    }
}

#[test]
fn what_is_late_when_a_closed_loop_begins_is_sent_first_and_charged_in_full() {
    // One slot, 10/s, and a second without answers just before the closed loop.
    let server = Server { mean_delay: 0, stall: (1050 * MS, 1000 * MS), ..law(1) };
    let stages = [(2000, Shape::Hold(10.0)), (1000, Shape::Max { think: Duration::from_millis(100) })];
    let plan = Plan { connections: 1, ..plan(profile(Arrivals::Even, &stages), Stop::Never, 0) };
    let seen = simulate(&plan, 1, server, &Log::default(), u64::MAX);
    assert_balanced(&seen);
    let stages: Vec<u16> = seen.due[0].iter().map(|due| due.stage).collect();
    assert_eq!(stages.iter().filter(|stage| **stage == 0).count(), 20);
    assert!(stages.is_sorted(), "in order");
    assert_eq!(seen.response.iter().filter(|nanos| **nanos > 140 * MS).count(), 9, "those of 1.1 to 1.9 s");
}

#[test]
fn think_time_lies_between_an_answer_and_the_next_request() {
    let server = Server { mean_delay: 0, ..law(1) };
    let think = Duration::from_millis(10);
    let plan = Plan { connections: 1, ..plan(Pacing::Max { think }, Stop::Duration(secs(1)), 0) };
    let seen = simulate(&plan, 1, server, &Log::default(), u64::MAX);
    assert_balanced(&seen);
    // The simulated server takes one nanosecond.
    assert!(merged(&seen).windows(2).all(|pair| pair[1].at - pair[0].at == 10 * MS + 1));
}

/// Gaps between due times in the space of expected requests: mean and coefficient of variation.
fn gaps(due: &[Due]) -> (f64, f64) {
    let gaps: Vec<f64> = due.windows(2).map(|pair| (pair[1].at - pair[0].at) as f64).collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
    (mean, variance.sqrt() / mean)
}

#[test]
fn arrivals_are_even_or_poisson_and_whole_in_every_shape() {
    let shapes = [
        (10_000, Shape::Hold(400.0)),
        (10_000, Shape::Ramp { from: 400.0, to: 0.0 }),
        (9000, Shape::Steps { from: 100.0, to: 300.0, count: 3 }),
        (10_000, Shape::Sine { mean: 200.0, swing: 150.0, period: secs(5) }),
        (10_000, Shape::Spike { base: 50.0, peak: 650.0, after: secs(4), width: secs(2) }),
    ];
    let expected = 4000 + 2000 + 1800 + 2000 + 1700;
    for workers in [1, 3] {
        let even = simulate(
            &plan(profile(Arrivals::Even, &shapes), Stop::Never, 0),
            workers,
            law(2),
            &Log::default(),
            u64::MAX,
        );
        assert_eq!(merged(&even).len(), expected);
        let first: Vec<Due> = merged(&even).into_iter().filter(|due| due.at < 10 * SECOND).collect();
        assert!(first.len() == 4000 && gaps(&first).1 < 0.001);
        let random = simulate(
            &plan(profile(Arrivals::Poisson, &shapes), Stop::Never, 0),
            workers,
            law(3),
            &Log::default(),
            u64::MAX,
        );
        let count = merged(&random).len() as f64;
        assert!((count - expected as f64).abs() < 5.0 * (expected as f64).sqrt(), "{count}");
        let first: Vec<Due> = merged(&random).into_iter().filter(|due| due.at < 10 * SECOND).collect();
        let (mean, variation) = gaps(&first);
        assert!((mean / 2.5e6 - 1.0).abs() < 0.1 && (variation - 1.0).abs() < 0.1, "{mean} {variation}");
    }
}

fn shape() -> impl Strategy<Value = Shape> {
    let rate = || 0u32..400;
    prop_oneof![
        rate().prop_map(|rate| Shape::Hold(rate.into())),
        (rate(), rate()).prop_map(|(from, to)| Shape::Ramp { from: from.into(), to: to.into() }),
        (rate(), rate(), 2u32..9).prop_map(|(from, to, count)| Shape::Steps {
            from: from.into(),
            to: to.into(),
            count
        }),
        (1u32..400, 0u32..=100, 50u64..900).prop_map(|(mean, share, period)| Shape::Sine {
            mean: mean.into(),
            swing: f64::from(mean) * f64::from(share) / 100.0,
            period: Duration::from_millis(period),
        }),
        (0u64..30).prop_map(|ms| Shape::Max { think: Duration::from_millis(ms) }),
    ]
}

fn pacing() -> impl Strategy<Value = Pacing> {
    let arrivals = prop_oneof![Just(Arrivals::Even), Just(Arrivals::Poisson)];
    prop_oneof![
        (0u64..50).prop_map(|ms| Pacing::Max { think: Duration::from_millis(ms) }),
        (1u32..900).prop_map(|rate| Pacing::Constant { rate_per_sec: f64::from(rate) / 3.0 }),
        (1u32..900).prop_map(|rate| Pacing::Poisson { rate_per_sec: f64::from(rate) / 3.0 }),
        (arrivals, proptest::collection::vec((1u64..1500, shape()), 1..5))
            .prop_map(|(arrivals, stages)| profile(arrivals, &stages)),
        Just(Pacing::Replay { file: "recorded".into() }),
    ]
}

/// Gaps between changes, and what changes; every pause has an end.
fn steering() -> impl Strategy<Value = Log> {
    let change = (0u64..800 * MS, prop_oneof![Just(None), (1u64..5_000_000).prop_map(Some)]);
    proptest::collection::vec(change, 0..6).prop_map(|list| {
        let (mut at, mut paused) = (0, false);
        let mut all = Vec::new();
        for (gap, factor) in list {
            at += gap;
            all.push((
                at,
                match factor {
                    Some(factor) => Steer::Factor(factor.max(100_000)),
                    None if paused => Steer::Resume,
                    None => Steer::Pause,
                },
            ));
            paused ^= factor.is_none();
        }
        if paused {
            all.push((at + 100 * MS, Steer::Resume));
        }
        changes(&all)
    })
}

fn server() -> impl Strategy<Value = Server> {
    (0u64..40 * MS, prop_oneof![Just(0u64), 2u64..20], (0u64..3 * SECOND, 0u64..7 * SECOND), any::<u64>())
        .prop_map(|(mean_delay, fail_one_in, stall, seed)| Server { mean_delay, fail_one_in, stall, seed })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_books_balance_whatever_happens(
        pacing in pacing(),
        by_time in any::<bool>(),
        warmup_ms in prop_oneof![Just(0u64), 1u64..900],
        workers in 1u32..4,
        server in server(),
        log in steering(),
        stop_ms in prop_oneof![Just(60_000u64), 0u64..3000],
    ) {
        let stop = if by_time { Stop::Duration(Duration::from_millis(1500)) } else { Stop::Requests(333) };
        let plan = plan(pacing, stop, warmup_ms);
        let seen = simulate(&plan, workers, server, &log, stop_ms * MS);
        assert_balanced(&seen);
        assert_quantiles(&seen);
        for due in seen.due.iter().flatten() {
            prop_assert!(!log.is_paused(due.at), "{} is in a pause", due.at);
            let active = log.active(due.at);
            prop_assert_eq!(due.counted, active >= warmup_ms * MS);
            prop_assert_eq!(due.stage, stage_of(&plan, active));
            if by_time {
                prop_assert!(active < (warmup_ms + 1500) * MS);
            }
        }
        let counted = seen.due.iter().flatten().filter(|due| due.counted).count();
        prop_assert!(by_time || counted <= 333);
        let endless = !plan.pacing.ends_by_itself() && plan.pacing.is_open_loop();
        if !by_time && endless && stop_ms == 60_000 && plan.pacing.rate_per_sec() > Some(60.0) {
            prop_assert_eq!(counted, 333, "nothing is lost");
        }
    }

    #[test]
    fn stages_with_a_rate_are_exact_after_closed_loops(
        parts in proptest::collection::vec((any::<bool>(), 1u64..20, 1u64..400, 0u64..20), 1..6),
        warmup_ms in prop_oneof![Just(0u64), 1u64..900],
        workers in 1u32..4,
        server in server(),
        log in steering(),
    ) {
        // Every stage lasts whole tenths of a second, and has a rate of so many in each of them, or none.
        let shape = |(closed, _, rate, think): (bool, u64, u64, u64)| match closed {
            true => Shape::Max { think: Duration::from_millis(think) },
            false => Shape::Hold(rate as f64 * 10.0),
        };
        let stages: Vec<_> = parts.iter().map(|part| (part.1 * 100, shape(*part))).collect();
        let pauses = log.changes.iter().filter(|change| !matches!(change.what, Steer::Factor(_)));
        let log = changes(&pauses.map(|change| (change.at, change.what)).collect::<Vec<_>>());
        let plan = plan(profile(Arrivals::Even, &stages), Stop::Never, warmup_ms);
        let seen = simulate(&plan, workers, server, &log, u64::MAX);
        assert_balanced(&seen);
        let counted = merged(&seen).into_iter().filter(|due| due.counted);
        let mut by_stage = vec![Vec::new(); parts.len()];
        counted.for_each(|due| by_stage[usize::from(due.stage)].push(log.active(due.at) - warmup_ms * MS));
        let mut from = 0;
        for ((closed, tenths, rate, _), due) in parts.iter().zip(&by_stage) {
            let until = from + tenths * 100 * MS;
            prop_assert!(due.iter().all(|at| (from..until).contains(at)));
            if !closed {
                let exact = (0..tenths * rate).map(|n| from + n * 100 * MS / rate);
                prop_assert_eq!(due, &exact.collect::<Vec<_>>());
            }
            from = until;
        }
    }

    #[test]
    fn due_times_are_exact_whatever_the_workers_and_the_changes(
        rate in 1u64..2000,
        workers in 1u32..5,
        log in steering(),
    ) {
        let pacing = Pacing::Constant { rate_per_sec: rate as f64 };
        let plan = plan(pacing, Stop::Duration(secs(3)), 0);
        let due = merged(&simulate(&plan, workers, law(1), &log, u64::MAX));
        // Independently: the time without pauses is cut where the factor changes, and each piece is a line.
        let mut pieces = vec![(0u64, FACTOR_UNITS)];
        for change in &log.changes {
            if let Steer::Factor(factor) = change.what {
                pieces.push((log.active(change.at), factor));
            }
        }
        let reached = |at: u64| -> f64 {
            let ends = pieces.iter().skip(1).map(|(from, _)| *from).chain([u64::MAX]);
            pieces.iter().zip(ends).map(|((from, factor), end)| {
                let length = at.min(end).saturating_sub(*from) as f64 / 1e9;
                length * rate as f64 * *factor as f64 / FACTOR_UNITS as f64
            }).sum()
        };
        for (n, due) in due.iter().enumerate() {
            let at = log.active(due.at);
            let (before, after) = (reached(at.saturating_sub(1)), reached(at + 2));
            prop_assert!(before <= n as f64 + 1e-6 && n as f64 <= after + 1e-6, "{n}: {before} {after}");
        }
        let missing = reached(3 * SECOND) - due.len() as f64;
        prop_assert!((-1.0 - 1e-6..=1e-6).contains(&missing), "{missing} are missing");
    }
}
