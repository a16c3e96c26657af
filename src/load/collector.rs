//! Starts the workers, merges what they measured, and tells how the run is doing.

use std::collections::BTreeMap;
use std::io;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use super::connection::Connector;
use super::prepare::{self, Prepared};
use super::random::Random;
use super::schedule::{Share, nanos};
use super::tally::{Errors, Tally};
use super::timeline::Timeline;
use super::worker::{self, News, Orders, TALLIES_MAX};
use super::{LoadError, Measured, Options, Phase, StopSwitch};
use crate::model::run::{Bytes, Connections, Requests};
use crate::model::{Ended, Plan, Stop};
use crate::stats::Latency;

/// The most threads that send load.
const THREADS_MAX: u32 = 256;
/// How often `watch` is called.
const WATCH_EVERY: Duration = Duration::from_millis(100);
/// An interval is shown once every worker has had the time to tell of it.
const SETTLED_AFTER: Duration = Duration::from_millis(30);
/// From all connections being open to the first due time, so that every worker knows of it before.
const START_AHEAD: Duration = Duration::from_millis(2);

/// See [`super::run`].
pub(super) fn run(
    plan: &Plan,
    options: Options,
    stop: &StopSwitch,
    watch: &mut dyn FnMut(&Measured),
) -> Result<Measured, LoadError> {
    let prepared = Prepared::new(plan)?;
    prepare::allow_files(plan.connections)?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(LoadError::Threads)?;
    let measured = runtime.block_on(conduct(plan, &prepared, threads(options, plan), stop, watch));
    // A resolver that does not answer is not waited for.
    runtime.shutdown_background();
    measured
}

fn threads(options: Options, plan: &Plan) -> u32 {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let others = u32::try_from(processors.saturating_sub(1)).unwrap_or(u32::MAX);
    let asked = if options.threads == 0 { others } else { options.threads };
    asked.clamp(1, THREADS_MAX.min(plan.connections))
}

async fn conduct(
    plan: &Plan,
    prepared: &Prepared,
    threads: u32,
    stop: &StopSwitch,
    watch: &mut dyn FnMut(&Measured),
) -> Result<Measured, LoadError> {
    let mut collector = Collector::new(plan, threads);
    let connector = tokio::select! {
        biased;
        () = stop.stopped() => {
            collector.stopped_at = Some(0);
            return Ok(collector.finish());
        }
        connector = prepared.connector() => connector?,
    };
    collector.measured.address = connector.addresses[0].to_string();
    let (workers, mut news) = Workers::start(plan, prepared, &connector, threads, stop, collector.epoch)?;
    let result = collect(&mut collector, &workers, &mut news, watch).await;
    if result.is_err() {
        // Workers that have begun must not go on sending for nobody.
        stop.stop();
    }
    // Workers that still wait to begin see that the news and the start are gone.
    drop(news);
    workers.join(result)?;
    Ok(collector.finish())
}

async fn collect(
    collector: &mut Collector<'_>,
    workers: &Workers,
    news: &mut mpsc::Receiver<News>,
    watch: &mut dyn FnMut(&Measured),
) -> Result<(), LoadError> {
    let mut ticks = tokio::time::interval(WATCH_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut ready, mut ended) = (0, 0);
    while ended < workers.threads.len() {
        tokio::select! {
            _ = ticks.tick() => watch(collector.now()),
            heard = news.recv() => match heard {
                Some(News::Ready) => {
                    ready += 1;
                    if ready == workers.threads.len() {
                        workers.begin(collector.begin());
                    }
                }
                Some(News::Measured(from, tally)) => {
                    collector.add(from, &tally);
                    workers.give_back(from, tally);
                }
                Some(News::Ended(from, tally)) => {
                    collector.end(from, &tally);
                    ended += 1;
                }
                Some(News::Failed(error)) => return Err(LoadError::Threads(error)),
                None => return Err(LoadError::Threads(io::Error::other("a load thread ended early"))),
            },
        }
    }
    Ok(())
}

/// The threads, and what goes to them.
struct Workers {
    threads: Vec<JoinHandle<()>>,
    start: watch::Sender<Option<u64>>,
    emptied: Vec<mpsc::Sender<Box<Tally>>>,
}

impl Workers {
    fn start(
        plan: &Plan,
        prepared: &Prepared,
        connector: &Connector,
        count: u32,
        stop: &StopSwitch,
        epoch: Instant,
    ) -> Result<(Self, mpsc::Receiver<News>), LoadError> {
        let (news, heard) = mpsc::channel(TALLIES_MAX * count as usize);
        let mut workers = Self { threads: Vec::new(), start: watch::Sender::new(None), emptied: Vec::new() };
        for number in 0..count {
            let (emptied, returned) = mpsc::channel(TALLIES_MAX);
            workers.emptied.push(emptied);
            let orders = Orders {
                plan: plan.clone(),
                share: Share { worker: number, workers: count },
                connector: connector.clone(),
                source: std::sync::Arc::clone(&prepared.source),
                seed: Random::fresh_seed(),
                epoch,
                start: workers.start.subscribe(),
                stop: stop.clone(),
                news: news.clone(),
                returned,
            };
            let thread = std::thread::Builder::new()
                .name(format!("load-{number}"))
                .spawn(move || worker::run(orders))
                .map_err(LoadError::Threads)?;
            workers.threads.push(thread);
        }
        Ok((workers, heard))
    }

    fn begin(&self, start: u64) {
        self.start.send_replace(Some(start));
    }

    fn give_back(&self, worker: u32, tally: Box<Tally>) {
        // There is room for as many as a worker has; one that ended needs none.
        let _ = self.emptied[worker as usize].try_send(tally);
    }

    /// Waits for all threads. After a failure they are not waited for: each ends when it next looks.
    fn join(self, result: Result<(), LoadError>) -> Result<(), LoadError> {
        drop(self.start);
        result?;
        for thread in self.threads {
            thread.join().map_err(|_| LoadError::Threads(io::Error::other("a load thread panicked")))?;
        }
        Ok(())
    }
}

/// The run so far.
struct Collector<'a> {
    plan: &'a Plan,
    epoch: Instant,
    /// The first due time, in nanoseconds from `epoch`.
    start: Option<u64>,
    /// When the run was stopped, in nanoseconds from `epoch`.
    stopped_at: Option<u64>,
    measured: Measured,
    timeline: Timeline,
    errors: Errors,
    status: Vec<u64>,
    /// The last known of each worker.
    in_flight: Vec<u64>,
    cpu_share: Vec<Option<f64>>,
    all_due: Vec<bool>,
    /// Up to when each worker has told what it measured.
    told: Vec<u64>,
    last_due: u64,
    last_answer: u64,
}

impl<'a> Collector<'a> {
    fn new(plan: &'a Plan, threads: u32) -> Self {
        let workers = threads as usize;
        Self {
            plan,
            epoch: Instant::now(),
            start: None,
            stopped_at: None,
            measured: nothing(threads),
            timeline: Timeline::default(),
            errors: Errors::default(),
            status: Vec::new(),
            in_flight: vec![0; workers],
            cpu_share: vec![None; workers],
            all_due: vec![false; workers],
            told: vec![0; workers],
            last_due: 0,
            last_answer: 0,
        }
    }

    /// Fixes the first due time.
    fn begin(&mut self) -> u64 {
        let start = nanos(self.epoch.elapsed() + START_AHEAD);
        self.measured.first_due = Timestamp::now() + START_AHEAD;
        self.start = Some(start);
        start
    }

    fn add(&mut self, worker: u32, tally: &Tally) {
        let worker = worker as usize;
        self.in_flight[worker] = tally.in_flight;
        self.cpu_share[worker] = tally.cpu_share.or(self.cpu_share[worker]);
        self.all_due[worker] |= tally.all_due;
        self.told[worker] = tally.until;
        if tally.stopped {
            self.stopped_at.get_or_insert(tally.until);
        }
        self.last_due = self.last_due.max(tally.last_due);
        self.last_answer = self.last_answer.max(tally.last_answer);
        self.errors.merge(&tally.errors);
        self.status.resize(self.status.len().max(tally.status.len()), 0);
        for (sum, count) in self.status.iter_mut().zip(&tally.status) {
            *sum += count;
        }
        let measured = &mut self.measured;
        add_requests(&mut measured.requests, tally.counted);
        add_requests(&mut measured.warmup, tally.warmup);
        for (sum, latency) in [
            (&mut measured.response, &tally.response),
            (&mut measured.service, &tally.service),
            (&mut measured.lag, &tally.lag),
        ] {
            if !latency.is_empty() {
                sum.merge(latency);
            }
        }
        measured.bytes.sent += tally.sent_bytes;
        measured.bytes.received += tally.received_bytes;
        measured.connections.opened += tally.opened;
        measured.connections.waited += tally.waited;
        self.timeline.add(tally, self.in_flight.iter().sum());
    }

    /// Adds the last of a worker.
    fn end(&mut self, worker: u32, tally: &Tally) {
        self.add(worker, tally);
        self.told[worker as usize] = u64::MAX;
    }

    /// The state at this moment.
    fn now(&mut self) -> &Measured {
        let now = nanos(self.epoch.elapsed());
        self.name_counts();
        let since_start = self.start.map_or(0, |start| now.saturating_sub(start));
        let counted = since_start.saturating_sub(nanos(self.plan.warmup));
        let phase = self.phase(now);
        let told = self.told.iter().copied().min().unwrap_or(0).min(now).saturating_sub(self.origin());
        let elapsed = if phase == Phase::Draining { self.counted_nanos().min(told) } else { told };
        let (progress, remaining) = self.outlook(Duration::from_nanos(since_start));
        let intervals = self.timeline.over_by(counted.saturating_sub(nanos(SETTLED_AFTER)));
        let measured = &mut self.measured;
        measured.phase = phase;
        measured.since_start = Duration::from_nanos(since_start);
        measured.elapsed = Duration::from_nanos(elapsed);
        (measured.progress, measured.remaining) = (progress, remaining);
        measured.intervals = intervals;
        measured
    }

    /// The state at the end.
    fn finish(mut self) -> Measured {
        self.name_counts();
        let counted = self.counted_nanos();
        let mut measured = self.measured;
        measured.phase = Phase::Done;
        measured.ended = if self.stopped_at.is_some() { Ended::Stopped } else { Ended::Completed };
        let now = nanos(self.epoch.elapsed());
        measured.since_start = Duration::from_nanos(self.start.map_or(0, |start| now.saturating_sub(start)));
        measured.elapsed = Duration::from_nanos(counted);
        if self.stopped_at.is_none() {
            measured.progress = Some(1.0);
        }
        measured.remaining = Some(Duration::ZERO);
        measured.in_flight = 0;
        measured.intervals = self.timeline.finish(counted);
        measured
    }

    fn phase(&self, now: u64) -> Phase {
        let Some(start) = self.start.filter(|start| *start <= now) else { return Phase::Connecting };
        if self.all_due.iter().all(|all| *all) {
            Phase::Draining
        } else if now - start < nanos(self.plan.warmup) {
            Phase::Warmup
        } else {
            Phase::Measuring
        }
    }

    /// When counting begins.
    fn origin(&self) -> u64 {
        self.start.unwrap_or(0).saturating_add(nanos(self.plan.warmup))
    }

    /// The length of the counted part. Ten requests at 10/s are due within 0.9 s and stand for a whole second:
    /// the time after the last one belongs to it.
    fn counted_nanos(&self) -> u64 {
        if self.start.is_none() {
            return 0;
        }
        let since = |at: u64| at.saturating_sub(self.origin());
        let planned = self.plan.counted_length().map(nanos);
        let length = match self.stopped_at {
            Some(at) => planned.unwrap_or(u64::MAX).min(since(at)),
            None => planned.unwrap_or(since(self.last_due)),
        };
        length.max(since(self.last_answer))
    }

    /// How much is done, and how much time is left.
    fn outlook(&self, since_start: Duration) -> (Option<f64>, Option<Duration>) {
        let counted = since_start.saturating_sub(self.plan.warmup);
        let length = match self.plan.stop {
            Stop::Duration(length) => Some(length),
            Stop::Requests(count) => {
                let due = self.measured.requests.due;
                let seen = (due > 0 && !counted.is_zero()).then(|| due as f64 / counted.as_secs_f64());
                let rate = self.plan.pacing.rate_per_sec().or(seen);
                rate.and_then(|rate| Duration::try_from_secs_f64(count as f64 / rate).ok())
            }
        };
        let Some(whole) = length.map(|length| self.plan.warmup.saturating_add(length)) else {
            return (None, None);
        };
        let share = since_start.as_secs_f64() / whole.as_secs_f64().max(f64::MIN_POSITIVE);
        (Some(share.clamp(0.0, 1.0)), Some(whole.saturating_sub(since_start)))
    }

    fn name_counts(&mut self) {
        let measured = &mut self.measured;
        measured.in_flight = self.in_flight.iter().sum();
        measured.errors = self.errors.named().map(|(name, count)| (name.to_owned(), count)).collect();
        let codes = self.status.iter().enumerate().filter(|(_, count)| **count > 0);
        measured.status = codes.map(|(code, count)| (code.to_string(), *count)).collect();
        let busiest = self.cpu_share.iter().flatten().copied().reduce(f64::max);
        measured.load_cpu_share = busiest;
    }
}

fn nothing(threads: u32) -> Measured {
    Measured {
        phase: Phase::Connecting,
        ended: Ended::Completed,
        since_start: Duration::ZERO,
        elapsed: Duration::ZERO,
        progress: None,
        remaining: None,
        in_flight: 0,
        requests: Requests::default(),
        warmup: Requests::default(),
        errors: BTreeMap::new(),
        status: BTreeMap::new(),
        response: Latency::new(),
        service: Latency::new(),
        lag: Latency::new(),
        bytes: Bytes::default(),
        connections: Connections::default(),
        intervals: Vec::new(),
        address: String::new(),
        threads,
        load_cpu_share: None,
        first_due: Timestamp::now(),
    }
}

fn add_requests(sum: &mut Requests, more: Requests) {
    sum.due += more.due;
    sum.answered += more.answered;
    sum.failed += more.failed;
    sum.cancelled += more.cancelled;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::schedule::Due;
    use crate::load::tally::{End, Outcome};
    use crate::model::Pacing;

    const MS: u64 = 1_000_000;
    const START: u64 = 5 * MS;

    /// A collector of one worker, counting from `START`, that was told of answers at these milliseconds.
    fn told<'a>(plan: &'a Plan, answers: &[(u64, u64)], until_ms: u64, stopped: bool) -> Collector<'a> {
        let mut collector = Collector::new(plan, 1);
        collector.start = Some(START);
        let mut tally = Tally::new();
        for (due, done) in answers {
            let due = Due { at: START + due * MS, counted: true };
            tally.note_due(due, START);
            let done = START + done * MS;
            tally.note(due, &Outcome::unsent(End::Status(200), done));
        }
        tally.until = START + until_ms * MS;
        tally.stopped = stopped;
        collector.add(0, &tally);
        collector
    }

    fn plan(pacing: Pacing, stop: Stop) -> Plan {
        Plan { pacing, stop, ..Plan::for_url("http://localhost/") }
    }

    #[test]
    fn a_run_is_as_long_as_planned_or_as_its_last_answer_took() {
        let ten = Pacing::Constant { rate_per_sec: 10.0 };
        let random = Pacing::Poisson { rate_per_sec: 10.0 };
        let second = Stop::Duration(Duration::from_secs(1));
        for (pacing, stop, answers, stopped, expected_ms) in [
            (ten.clone(), Stop::Requests(10), [(0, 5), (900, 905)], false, 1000),
            (ten.clone(), second, [(0, 5), (900, 905)], false, 1000),
            (ten.clone(), second, [(0, 5), (900, 1400)], false, 1400),
            (Pacing::Max, second, [(0, 5), (990, 1020)], false, 1020),
            (Pacing::Max, Stop::Requests(2), [(0, 5), (5, 12)], false, 12),
            (random, Stop::Requests(2), [(80, 85), (120, 123)], false, 123),
            // Told until 950 ms, and stopped then.
            (ten.clone(), Stop::Requests(1000), [(0, 5), (900, 905)], true, 950),
            (Pacing::Max, Stop::Requests(1000), [(0, 5), (5, 12)], true, 950),
            (ten, Stop::Requests(5), [(0, 5), (400, 405)], true, 500),
        ] {
            let plan = plan(pacing, stop);
            let measured = told(&plan, &answers, 950, stopped).finish();
            assert_eq!(measured.elapsed, Duration::from_millis(expected_ms), "{plan:?}");
        }
    }

    #[test]
    fn counts_and_time_belong_together_while_a_run_goes() {
        let plan = plan(Pacing::Constant { rate_per_sec: 10.0 }, Stop::Duration(Duration::from_secs(3600)));
        let mut collector = told(&plan, &[(0, 5), (100, 105)], 200, false);
        collector.epoch = Instant::now().checked_sub(Duration::from_secs(60)).expect("up for a minute");
        assert_eq!(collector.now().elapsed, Duration::from_millis(200), "nothing is known of later");
    }

    #[test]
    fn a_run_that_was_stopped_before_it_began_has_no_length() {
        let plan = plan(Pacing::Max, Stop::Requests(5));
        let mut collector = told(&plan, &[], 700, true);
        collector.start = None;
        assert_eq!(collector.finish().elapsed, Duration::ZERO);
    }
}
