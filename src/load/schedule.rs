//! When each request of one worker is due: pure, without a clock.

use std::time::Duration;

use super::random::Random;
use crate::model::{Pacing, Plan, Stop};

/// A due time, in nanoseconds from the start of the run, and whether it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) at: u64,
    pub(super) counted: bool,
}

/// The part of a run that one worker carries out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    /// Which worker, from 0.
    pub(super) worker: u32,
    /// How many there are.
    pub(super) workers: u32,
}

/// The due times of one worker in an open loop, ascending.
#[derive(Debug)]
pub(super) enum Schedule {
    Even(Even),
    Random(RandomTimes),
}

/// Every `workers`-th request of an evenly spaced load: worker j takes n = j, j + N, …
#[derive(Debug)]
pub(super) struct Even {
    pacing: Pacing,
    warmup: Duration,
    stop: Stop,
    share: Share,
    n: u64,
    warming: bool,
}

/// Independent arrivals, thinned to this worker: N Poisson processes of rate/N are one of the whole rate.
#[derive(Debug)]
pub(super) struct RandomTimes {
    arrivals: Arrivals,
    warmup: u64,
    stop: Stop,
    n: u64,
}

/// The times of a Poisson process, in nanoseconds from its start.
#[derive(Debug)]
pub(super) struct Arrivals {
    random: Random,
    mean_gap_nanos: f64,
    at_nanos: f64,
}

/// What a closed loop may still begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turns {
    warmup: u64,
    stop: Stop,
    n: u64,
}

impl Share {
    /// This worker's part of `whole` things.
    pub(super) fn of(self, whole: u64) -> u64 {
        let (worker, workers) = (u64::from(self.worker), u64::from(self.workers));
        whole / workers + u64::from(worker < whole % workers)
    }

    /// A number of requests is divided among the workers; a duration is the same for all.
    fn of_stop(self, stop: Stop) -> Stop {
        match stop {
            Stop::Requests(count) => Stop::Requests(self.of(count)),
            Stop::Duration(_) => stop,
        }
    }
}

impl Schedule {
    /// None for a closed loop.
    pub(super) fn new(plan: &Plan, share: Share, seed: u64) -> Option<Self> {
        match plan.pacing {
            Pacing::Max => None,
            Pacing::Constant { .. } => Some(Self::Even(Even {
                pacing: plan.pacing.clone(),
                warmup: plan.warmup,
                stop: plan.stop,
                share,
                n: u64::from(share.worker),
                warming: true,
            })),
            Pacing::Poisson { rate_per_sec } => Some(Self::Random(RandomTimes {
                arrivals: Arrivals::new(rate_per_sec / f64::from(share.workers), Random::seeded(seed)),
                warmup: nanos(plan.warmup),
                stop: share.of_stop(plan.stop),
                n: 0,
            })),
        }
    }
}

impl Iterator for Schedule {
    type Item = Due;

    fn next(&mut self) -> Option<Due> {
        match self {
            Self::Even(even) => even.next(),
            Self::Random(random) => random.next(),
        }
    }
}

impl Iterator for Even {
    type Item = Due;

    /// The warm-up and the counted part are two evenly spaced loads, so that the counted part has the same
    /// requests whatever the warm-up.
    fn next(&mut self) -> Option<Due> {
        if self.warming {
            let due = self.pacing.due(self.n)?;
            if due < self.warmup {
                self.n += u64::from(self.share.workers);
                return Some(Due { at: nanos(due), counted: false });
            }
            self.warming = false;
            self.n = u64::from(self.share.worker);
        }
        let due = self.pacing.due(self.n)?;
        if self.stop.reached(self.n, due) {
            return None;
        }
        self.n += u64::from(self.share.workers);
        Some(Due { at: nanos(self.warmup.saturating_add(due)), counted: true })
    }
}

impl Iterator for RandomTimes {
    type Item = Due;

    fn next(&mut self) -> Option<Due> {
        let at = self.arrivals.next()?;
        let Some(since_warmup) = at.checked_sub(self.warmup) else {
            return Some(Due { at, counted: false });
        };
        if self.stop.reached(self.n, Duration::from_nanos(since_warmup)) {
            return None;
        }
        self.n += 1;
        Some(Due { at, counted: true })
    }
}

impl Arrivals {
    pub(super) fn new(rate_per_sec: f64, random: Random) -> Self {
        Self { random, mean_gap_nanos: 1e9 / rate_per_sec, at_nanos: 0.0 }
    }
}

impl Iterator for Arrivals {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        self.at_nanos += self.mean_gap_nanos * self.random.exponential();
        Some(self.at_nanos as u64)
    }
}

impl Turns {
    pub(super) fn new(plan: &Plan, share: Share) -> Self {
        Self { warmup: nanos(plan.warmup), stop: share.of_stop(plan.stop), n: 0 }
    }

    /// The next request, due now (`at` nanoseconds from the start) because a connection is free; none when
    /// the run is over.
    pub(super) fn take(&mut self, at: u64) -> Option<Due> {
        let Some(since_warmup) = at.checked_sub(self.warmup) else {
            return Some(Due { at, counted: false });
        };
        if self.stop.reached(self.n, Duration::from_nanos(since_warmup)) {
            return None;
        }
        self.n += 1;
        Some(Due { at, counted: true })
    }
}

/// Nanoseconds in 64 bits: 584 years.
pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(pacing: Pacing, stop: Stop, warmup: Duration) -> Plan {
        Plan { pacing, stop, warmup, ..Plan::for_url("http://localhost/") }
    }

    fn all(plan: &Plan, workers: u32) -> Vec<Due> {
        let of_worker = |worker| Schedule::new(plan, Share { worker, workers }, 11 + u64::from(worker));
        let mut due: Vec<Due> =
            (0..workers).flat_map(|worker| of_worker(worker).expect("open loop")).collect();
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
        let plan = plan(Pacing::Max, Stop::Requests(2), Duration::from_nanos(100));
        let mut turns = Turns::new(&plan, Share { worker: 0, workers: 1 });
        let counted = |at, turns: &mut Turns| turns.take(at).map(|due| due.counted);
        assert_eq!(counted(0, &mut turns), Some(false));
        assert_eq!(counted(99, &mut turns), Some(false));
        assert_eq!(counted(100, &mut turns), Some(true));
        assert_eq!(counted(500, &mut turns), Some(true));
        assert_eq!(counted(600, &mut turns), None);
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
