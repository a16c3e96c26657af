//! When each request of one worker is due: pure, without a clock.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::random::Random;
use super::steer::{Change, FACTOR_UNITS, Steer};
use crate::model::plan::{ClosedLoop, Curve, PER_REQUEST, scaled};
use crate::model::{Pacing, Plan, Stop};

/// A due time, in nanoseconds from the start of the run, and whether it is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) at: u64,
    pub(super) counted: bool,
    /// Which stage of a profile it belongs to; the first for the warm-up.
    pub(super) stage: u16,
}

/// What comes next, as things stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Due(Due),
    /// Nothing until something changes.
    Paused,
    /// Nothing more from this moment on, unless something changes before.
    Over(u64),
}

/// The part of a run that one worker carries out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    /// Which worker, from 0.
    pub(super) worker: u32,
    /// How many there are.
    pub(super) workers: u32,
}

/// The due times of one worker, ascending, and how changes move them.
///
/// Every request with a rate has a place on the scale of expected requests, which never changes: number `n` is at
/// `n`. When so many are expected is what the plan's curve says, and a factor stretches. In a closed loop nothing is
/// expected, so that what comes after it is due as if it had not been there, later by its length; a request within
/// it is due when a slot asks for its turn.
#[derive(Debug)]
pub(super) struct Schedule {
    warmup: u64,
    warm: Part,
    main: Part,
    is_warm: bool,
    /// Counted requests are due for this long, in nanoseconds.
    length: Option<u64>,
    /// Without pauses.
    closed: Vec<ClosedLoop>,
    /// Closed loops that have begun.
    opened: usize,
    /// When each stage begins, in the counted part; the first at 0.
    stages: Vec<u64>,
    /// So many counted requests are this worker's.
    limit: Option<u64>,
    /// So many were taken.
    taken: u64,
    factor: u64,
    /// All pauses so far.
    shift: u64,
    paused_at: Option<u64>,
    /// Changes that the due times have not come to yet.
    pending: VecDeque<Change>,
    /// The due time that was taken last.
    last: u64,
}

/// The warm-up, or the counted part: evenly spaced or random places, and when each is due.
#[derive(Debug)]
struct Part {
    course: Course,
    places: Places,
    base: Base,
}

/// How many are expected by when.
#[derive(Clone, Debug)]
enum Course {
    Curve(Curve),
    /// Recorded moments: a place is a moment.
    Recorded(Arc<[u64]>),
}

#[derive(Debug)]
enum Places {
    /// Every `workers`-th of an evenly spaced load: worker j takes n = j, j + N, …
    Even { n: u64, step: u64 },
    /// Independent arrivals, thinned: N Poisson processes of rate/N are one of the whole rate. Whole numbers
    /// are summed, so nothing drifts.
    Random { random: Random, at: u128, workers: f64, n: u64 },
}

/// Since when a factor holds: the moment, what the curve expects by then, and the place that was reached.
#[derive(Clone, Copy, Debug, Default)]
struct Base {
    at: u64,
    expected: u128,
    place: u128,
}

impl Share {
    /// This worker's part of `whole` things.
    pub(super) fn of(self, whole: u64) -> u64 {
        let (worker, workers) = (u64::from(self.worker), u64::from(self.workers));
        whole / workers + u64::from(worker < whole % workers)
    }
}

impl Schedule {
    /// `recorded` are the moments of a replay.
    pub(super) fn new(plan: &Plan, recorded: Option<&Arc<[u64]>>, share: Share, seed: u64) -> Self {
        let course = match (&plan.pacing, recorded) {
            (Pacing::Replay { .. }, recorded) => Course::Recorded(recorded.cloned().unwrap_or_default()),
            (pacing, _) => Course::Curve(Curve::of(pacing).unwrap_or_else(|| Curve::flat(0.0))),
        };
        let places = |salt: u64| {
            if plan.pacing.is_random() {
                let random = Random::seeded(seed ^ salt);
                let mut places = Places::Random { random, at: 0, workers: f64::from(share.workers), n: 0 };
                places.step();
                // The first is not number 1, though the step to it was one.
                if let Places::Random { n, .. } = &mut places {
                    *n = 0;
                }
                return places;
            }
            Places::Even { n: share.worker.into(), step: share.workers.into() }
        };
        let warm = Course::Curve(Curve::flat(course.first_rate()));
        Self {
            warmup: nanos(plan.warmup),
            warm: Part { course: warm, places: places(WARMUP_SALT), base: Base::default() },
            main: Part { course, places: places(0), base: Base::default() },
            is_warm: !plan.warmup.is_zero(),
            length: if let Stop::Duration(length) = plan.stop { Some(nanos(length)) } else { None },
            closed: closed_loops(plan),
            opened: 0,
            stages: stages(plan),
            limit: if let Stop::Requests(count) = plan.stop { Some(share.of(count)) } else { None },
            taken: 0,
            factor: FACTOR_UNITS,
            shift: 0,
            paused_at: None,
            pending: VecDeque::new(),
            last: 0,
        }
    }

    /// Something changes, at a moment from the start of the run. Told in order, and before that moment; a
    /// change of which is told too late holds from the last due time on.
    pub(super) fn steer(&mut self, change: Change) {
        self.pending.push_back(change);
    }

    /// What comes next, as far as changes are known.
    pub(super) fn peek(&mut self) -> Next {
        loop {
            let next = self.as_things_stand();
            let (Next::Due(Due { at, .. }) | Next::Over(at)) = next else { return next };
            let halted = self.paused_at.is_some_and(|paused| paused <= at);
            match self.pending.front() {
                // While it is paused nothing comes before the next change, whenever that is.
                Some(change) if halted || change.at <= at => {
                    let change = *change;
                    self.pending.pop_front();
                    self.apply(change);
                }
                _ if halted => return Next::Paused,
                _ => return next,
            }
        }
    }

    /// The due time that [`Self::peek`] gave was taken.
    pub(super) fn advance(&mut self, due: Due) {
        self.last = due.at;
        if due.counted {
            self.is_warm = false;
            self.main.places.step();
            self.taken += 1;
        } else {
            self.warm.places.step();
        }
    }

    /// The closed loop at a moment from the start without pauses; none where requests have a rate, and after the end.
    #[inline]
    pub(super) fn closed_at(&self, at: u64) -> Option<ClosedLoop> {
        let begun = self.closed.partition_point(|closed| closed.from <= at);
        let last = begun.checked_sub(1).map(|last| self.closed[last]);
        last.filter(|closed| at < closed.until && !self.is_used_up())
    }

    /// The turn of a slot at such a moment, within a closed loop.
    #[inline]
    pub(super) fn take_turn(&mut self, at: u64) -> Option<Due> {
        self.closed_at(at).map(|_| self.turn_within(at))
    }

    /// The same, where [`Self::closed_at`] told of one.
    #[inline]
    pub(super) fn turn_within(&mut self, at: u64) -> Due {
        let counted = at >= self.warmup;
        self.taken += u64::from(counted);
        Due { at, counted, stage: self.stage_at(at.saturating_sub(self.warmup)) }
    }

    /// When the next closed loop begins, from the start without pauses.
    pub(super) fn opening(&self) -> Option<u64> {
        self.closed.get(self.opened).map(|closed| closed.from)
    }

    /// It began.
    pub(super) fn open(&mut self) {
        self.opened += 1;
    }

    /// Whether all of a given number of requests were taken.
    #[inline]
    pub(super) fn is_used_up(&self) -> bool {
        self.limit.is_some_and(|limit| self.taken >= limit)
    }

    #[inline]
    fn stage_at(&self, counted: u64) -> u16 {
        let begun = self.stages.partition_point(|from| *from <= counted);
        u16::try_from(begun.saturating_sub(1)).unwrap_or(u16::MAX)
    }

    fn as_things_stand(&self) -> Next {
        if self.is_warm
            && let Some(at) = self.warm.next(self.factor)
            && at < self.warmup
        {
            return Next::Due(Due { at: at.saturating_add(self.shift), counted: false, stage: 0 });
        }
        if self.is_used_up() {
            return Next::Over(0);
        }
        let counted_from = self.warmup.saturating_add(self.shift);
        match self.main.next(self.factor) {
            Some(at) if self.length.is_none_or(|length| at < length) => {
                let stage = self.stage_at(at);
                Next::Due(Due { at: counted_from.saturating_add(at), counted: true, stage })
            }
            _ => {
                let end = self.main.course.end(self.main.base.at);
                Next::Over(counted_from.saturating_add(self.length.unwrap_or(u64::MAX).min(end)))
            }
        }
    }

    fn apply(&mut self, change: Change) {
        let at = change.at.max(self.last);
        match change.what {
            Steer::Pause => {
                self.paused_at.get_or_insert(at);
            }
            Steer::Resume => {
                if let Some(paused) = self.paused_at.take() {
                    self.shift += at - paused;
                }
            }
            Steer::Factor(factor) => {
                let at = self.paused_at.unwrap_or(at).saturating_sub(self.shift);
                if self.is_warm && at < self.warmup {
                    self.warm.rebase(at, self.factor);
                } else {
                    self.is_warm = false;
                    self.main.rebase(at.saturating_sub(self.warmup), self.factor);
                }
                self.factor = factor;
            }
        }
    }
}

/// From the start of the run without pauses; cut where the plan ends. The first stage is the warm-up's too.
fn closed_loops(plan: &Plan) -> Vec<ClosedLoop> {
    let warmup = nanos(plan.warmup);
    let end = if let Stop::Duration(length) = plan.stop { nanos(length) } else { u64::MAX };
    let of_plan = match &plan.pacing {
        Pacing::Max { think } => vec![ClosedLoop { from: 0, until: u64::MAX, think: nanos(*think) }],
        pacing => Curve::of(pacing).map(|curve| curve.closed_loops().to_vec()).unwrap_or_default(),
    };
    let placed = of_plan.into_iter().filter(|closed| closed.from < end).map(|closed| ClosedLoop {
        from: if closed.from == 0 { 0 } else { warmup.saturating_add(closed.from) },
        until: warmup.saturating_add(closed.until.min(end)),
        think: closed.think,
    });
    placed.collect()
}

fn stages(plan: &Plan) -> Vec<u64> {
    let Pacing::Profile(profile) = &plan.pacing else { return Vec::new() };
    let begun = profile.stages.iter().scan(0u64, |from, stage| {
        let at = *from;
        *from = at.saturating_add(nanos(stage.length));
        Some(at)
    });
    begun.collect()
}

/// Random arrivals of the warm-up have numbers of their own.
const WARMUP_SALT: u64 = 0x5851_f42d_4c95_7f2d;

impl Iterator for Schedule {
    type Item = Due;

    /// The next due time, of a schedule that nobody steers.
    fn next(&mut self) -> Option<Due> {
        let Next::Due(due) = self.peek() else { return None };
        self.advance(due);
        Some(due)
    }
}

impl Part {
    /// When the next is due, from the beginning of the part.
    fn next(&self, factor: u64) -> Option<u64> {
        let place = self.course.place(&self.places)?;
        let Base { at, expected, place: reached } = self.base;
        let further = place.saturating_sub(reached);
        let further = if factor == FACTOR_UNITS { further } else { scaled(further, FACTOR_UNITS, factor) };
        self.course.time_of(expected + further).map(|time| time.max(at))
    }

    /// From `at` on another factor holds; up to there it was this one.
    fn rebase(&mut self, at: u64, factor: u64) {
        let at = at.max(self.base.at);
        let expected = self.course.expected_by(at);
        let further = scaled(expected - self.base.expected, factor, FACTOR_UNITS);
        self.base = Base { at, expected, place: self.base.place + further };
    }
}

impl Course {
    fn place(&self, places: &Places) -> Option<u128> {
        match (self, places) {
            (Self::Recorded(moments), places) => {
                let moment = moments.get(usize::try_from(places.number()).ok()?)?;
                Some(u128::from(*moment))
            }
            (Self::Curve(_), Places::Even { n, .. }) => Some(u128::from(*n) * PER_REQUEST),
            (Self::Curve(_), Places::Random { at, .. }) => Some(*at),
        }
    }

    fn time_of(&self, expected: u128) -> Option<u64> {
        match self {
            Self::Curve(curve) => curve.time_of(expected),
            Self::Recorded(_) => u64::try_from(expected).ok(),
        }
    }

    fn expected_by(&self, at: u64) -> u128 {
        match self {
            Self::Curve(curve) => curve.expected_by(at),
            Self::Recorded(_) => at.into(),
        }
    }

    /// When nothing more can be due, not before `now`.
    fn end(&self, now: u64) -> u64 {
        match self {
            Self::Curve(curve) => curve.length().map_or(u64::MAX, nanos),
            Self::Recorded(_) => now,
        }
    }

    /// The rate of a warm-up: that of the beginning, and of a replay its mean.
    fn first_rate(&self) -> f64 {
        match self {
            Self::Curve(curve) => curve.rate_at(Duration::ZERO),
            Self::Recorded(moments) => match moments.last() {
                Some(last) if *last > 0 => (moments.len() - 1) as f64 * 1e9 / *last as f64,
                _ => 0.0,
            },
        }
    }
}

impl Places {
    fn number(&self) -> u64 {
        match self {
            Self::Even { n, .. } | Self::Random { n, .. } => *n,
        }
    }

    fn step(&mut self) {
        match self {
            Self::Even { n, step } => *n += *step,
            Self::Random { random, at, workers, n } => {
                *at += (random.exponential() * *workers * PER_REQUEST as f64) as u128;
                *n += 1;
            }
        }
    }
}

/// Nanoseconds in 64 bits: 584 years.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::plan::{Arrivals, Profile};

    fn plan(pacing: Pacing, stop: Stop, warmup: Duration) -> Plan {
        Plan { pacing, stop, warmup, ..Plan::for_url("http://localhost/") }
    }

    fn all(plan: &Plan, workers: u32) -> Vec<Due> {
        let of_worker = |worker| Schedule::new(plan, None, Share { worker, workers }, 11 + u64::from(worker));
        let mut due: Vec<Due> = (0..workers).flat_map(of_worker).collect();
        due.sort_by_key(|due| due.at);
        due
    }

    #[test]
    fn workers_together_send_what_one_would() {
        let constant = Pacing::Constant { rate_per_sec: 300.0 };
        for stop in [Stop::Requests(1000), Stop::Duration(Duration::from_secs(3))] {
            for warmup in [Duration::ZERO, Duration::from_millis(777)] {
                let plan = plan(constant.clone(), stop, warmup);
                let alone = all(&plan, 1);
                for workers in 2..=7 {
                    assert_eq!(all(&plan, workers), alone, "{workers} workers, {stop:?}, {warmup:?}");
                }
                let counted: Vec<&Due> = alone.iter().filter(|due| due.counted).collect();
                assert_eq!(counted.len(), if matches!(stop, Stop::Requests(_)) { 1000 } else { 900 });
                assert_eq!(counted[0].at, nanos(warmup));
            }
        }
    }

    #[test]
    fn a_fixed_number_of_random_arrivals_is_kept_by_any_workers() {
        let poisson = Pacing::Poisson { rate_per_sec: 1000.0 };
        let plan = plan(poisson, Stop::Requests(1001), Duration::from_millis(100));
        for workers in 1..=5 {
            assert_eq!(all(&plan, workers).iter().filter(|due| due.counted).count(), 1001);
        }
    }

    #[test]
    fn random_arrivals_are_poisson_whatever_the_workers() {
        let poisson = Pacing::Poisson { rate_per_sec: 1000.0 };
        let plan = plan(poisson, Stop::Duration(Duration::from_secs(100)), Duration::ZERO);
        for workers in [1, 4] {
            let due = all(&plan, workers);
            let gaps: Vec<f64> = due.windows(2).map(|pair| (pair[1].at - pair[0].at) as f64 / 1e6).collect();
            let count = gaps.len() as f64;
            let mean = gaps.iter().sum::<f64>() / count;
            let deviation = (gaps.iter().map(|gap| (gap - mean) * (gap - mean)).sum::<f64>() / count).sqrt();
            assert!((mean - 1.0).abs() < 0.02, "mean gap {mean} ms");
            assert!((deviation / mean - 1.0).abs() < 0.02, "variation {}", deviation / mean);
        }
    }

    #[test]
    fn a_closed_loop_counts_from_the_end_of_the_warmup() {
        let plan = plan(Pacing::MAX, Stop::Requests(2), Duration::from_nanos(100));
        let mut schedule = Schedule::new(&plan, None, Share { worker: 0, workers: 1 }, 1);
        let mut counted = |at| schedule.take_turn(at).map(|due| due.counted);
        assert_eq!(counted(0), Some(false));
        assert_eq!(counted(99), Some(false));
        assert_eq!(counted(100), Some(true));
        assert_eq!(counted(500), Some(true));
        assert_eq!(counted(600), None);
        assert_eq!(schedule.peek(), Next::Over(0));
    }

    #[test]
    fn a_closed_loop_ends_with_its_time_and_what_follows_is_due_from_there() {
        let stages = ["max/2s 10s", "hold 4 1s", "max 5s"].map(|text| text.parse().expect("a stage"));
        let profile = Profile { arrivals: Arrivals::Even, stages: stages.into() };
        let second = 1_000_000_000;
        for (stop, end) in [(Stop::Never, 18), (Stop::Duration(Duration::from_secs(13)), 15)] {
            let plan = plan(Pacing::Profile(profile.clone()), stop, Duration::from_secs(2));
            let mut schedule = Schedule::new(&plan, None, Share { worker: 0, workers: 1 }, 1);
            assert_eq!(schedule.opening(), Some(0), "the warm-up is one too");
            let mut turn = |at| schedule.take_turn(at).map(|due| (due.counted, due.stage));
            assert_eq!((turn(0), turn(2 * second)), (Some((false, 0)), Some((true, 0))));
            assert_eq!((turn(12 * second - 1), turn(12 * second)), (Some((true, 0)), None));
            assert_eq!((turn(13 * second), turn(end * second)), (Some((true, 2)), None));
            assert_eq!(schedule.closed_at(second).map(|closed| closed.think), Some(2 * second));
            schedule.open();
            assert_eq!(schedule.opening(), Some(13 * second));
            let due: Vec<u64> = schedule.by_ref().map(|due| due.at * 4 / second).collect();
            assert_eq!(due, [48, 49, 50, 51]);
            assert_eq!(schedule.peek(), Next::Over(end * second));
        }
    }

    #[test]
    fn shares_add_up_to_the_whole() {
        for workers in 1..=9 {
            for whole in [0, 1, 8, 9, 10, 1003] {
                let sum: u64 = (0..workers).map(|worker| Share { worker, workers }.of(whole)).sum();
                assert_eq!(sum, whole);
            }
        }
    }
}
