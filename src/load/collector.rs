//! Starts the workers, merges what they measured, and tells how the run is doing.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use url::{Position, Url};

use super::connection::Connector;
use super::grpc;
use super::prepare::{self, Prepared};
use super::random::Random;
use super::reasons::Reasons;
use super::schedule::{Share, nanos};
use super::steer::{FACTOR_UNITS, Log};
use super::strain::Meter;
use super::tables::{Merged, Names};
use super::tally::{Errors, Tally, status_name};
use super::timeline::Timeline;
use super::worker::{self, News, Orders, TALLIES_MAX};
use super::{Control, LoadError, Measured, Options, Phase, replay};
use crate::model::plan::Protocol;
use crate::model::run::{Bytes, Connections, Detail, Requests, Strain};
use crate::model::settings::Timer;
use crate::model::{Ended, Pacing, Plan, Stop};
use crate::stats::Latency;

/// The most threads that send load.
const THREADS_MAX: u32 = 256;
/// How often `watch` is called.
const WATCH_EVERY: Duration = Duration::from_millis(100);
/// An interval is shown once every worker has had the time to tell of it.
const SETTLED_AFTER: Duration = Duration::from_millis(30);
/// From all connections being open to the first due time, so that every worker knows of it before.
const START_AHEAD: Duration = Duration::from_millis(2);
/// While a run goes, the system is asked this often whether it holds us back.
const STRAIN_EVERY: Duration = Duration::from_secs(1);
/// Tables are for a look, and are made this often while the run goes.
const DETAIL_EVERY: Duration = Duration::from_millis(500);

/// See [`super::run`].
pub(super) fn run(
    plan: &Plan,
    options: Options,
    control: &Control,
    watch: &mut dyn FnMut(&Measured),
) -> Result<Measured, LoadError> {
    let prepared = Prepared::new(plan)?;
    let pace = Pace { timer: options.timer, recorded: replay::read(plan)? };
    let origins = u32::try_from(prepared.source.origins().len()).unwrap_or(u32::MAX);
    prepare::allow_files(plan.connections.saturating_mul(origins))?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(LoadError::Threads)?;
    let measured = runtime.block_on(conduct(plan, &prepared, threads(options, plan), &pace, control, watch));
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
    pace: &Pace,
    control: &Control,
    watch: &mut dyn FnMut(&Measured),
) -> Result<Measured, LoadError> {
    let mut collector = Collector::new(plan, threads);
    control.begin(collector.epoch);
    if let Some(last) = pace.recorded.as_ref().and_then(|moments| moments.last()) {
        collector.own_length = Some(Duration::from_nanos(*last));
    }
    let connectors = tokio::select! {
        biased;
        () = control.stopped() => {
            collector.stopped_at = Some(0);
            return Ok(collector.finish());
        }
        connectors = prepared.connectors() => connectors?,
    };
    tokio::select! {
        biased;
        () = control.stopped() => {
            collector.stopped_at = Some(0);
            return Ok(collector.finish());
        }
        fit = grpc::fit(plan, &prepared.source, &connectors) => fit?,
    }
    collector.measured.address = address(&connectors);
    // All of them note theirs in one place.
    collector.reasons = connectors[0].reasons.clone();
    collector.names = Names {
        variants: variant_names(plan),
        stages: stage_names(plan),
        addresses: address_names(prepared.source.origins(), &connectors),
    };
    let (workers, mut news) =
        Workers::start(plan, prepared, &connectors, threads, pace, control, collector.epoch)?;
    let result = collect(&mut collector, &workers, &mut news, control, watch).await;
    if result.is_err() {
        // Workers that have begun must not go on sending for nobody.
        control.stop();
    }
    // Workers that still wait to begin see that the news and the start are gone.
    drop(news);
    workers.join(result)?;
    collector.steer(control.log());
    Ok(collector.finish())
}

/// Where load goes, in words.
fn address(connectors: &[Connector]) -> String {
    let first = &connectors[0];
    let through =
        first.tunnel.as_ref().map_or_else(String::new, |tunnel| format!(" through {}", tunnel.proxy));
    match connectors.len() - 1 {
        0 => format!("{}{through}", first.places[0]),
        1 => format!("{} and {}{through}", first.places[0], connectors[1].places[0]),
        more => format!("{} and {more} others{through}", first.places[0]),
    }
}

/// What tables call the addresses, in the order of their numbers.
fn address_names(origins: &[Url], connectors: &[Connector]) -> Vec<String> {
    let mut names = Vec::new();
    for (origin, connector) in origins.iter().zip(connectors) {
        for place in connector.places.iter() {
            let place = place.to_string();
            // Behind one proxy or socket, several origins have the same place.
            let authority = &origin[Position::BeforeHost..Position::AfterPort];
            names.push(match connectors.len() == 1 || place == authority {
                true => place,
                false => format!("{authority} at {place}"),
            });
        }
    }
    names
}

async fn collect(
    collector: &mut Collector<'_>,
    workers: &Workers,
    news: &mut mpsc::Receiver<News>,
    control: &Control,
    watch: &mut dyn FnMut(&Measured),
) -> Result<(), LoadError> {
    let mut ticks = tokio::time::interval(WATCH_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut ready, mut ended) = (0, 0);
    while ended < workers.threads.len() {
        tokio::select! {
            _ = ticks.tick() => {
                collector.steer(control.log());
                watch(collector.now());
            }
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

/// How requests are paced, beside what the plan says.
struct Pace {
    timer: Timer,
    /// The moments of a replay.
    recorded: Option<Arc<[u64]>>,
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
        connectors: &[Connector],
        count: u32,
        pace: &Pace,
        control: &Control,
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
                connectors: connectors.to_vec(),
                source: Arc::clone(&prepared.source),
                seed: Random::fresh_seed(),
                epoch,
                start: workers.start.subscribe(),
                control: control.clone(),
                timer: pace.timer,
                recorded: pace.recorded.clone(),
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
    /// What was asked for while it goes.
    log: Log,
    /// How long the plan's requests are due if nothing else ends it.
    own_length: Option<Duration>,
    measured: Measured,
    timeline: Timeline,
    tables: Merged,
    names: Names,
    reasons: Reasons,
    /// From the first due time.
    meter: Option<(Meter, Instant)>,
    /// When the tables were last made.
    detailed: Option<Instant>,
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
            log: Log::default(),
            own_length: plan.pacing.own_length(),
            measured: nothing(threads),
            timeline: Timeline::default(),
            tables: Merged::new(workers),
            names: Names::default(),
            reasons: Reasons::default(),
            meter: None,
            detailed: None,
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
        self.meter = Some((Meter::new(), Instant::now()));
        start
    }

    /// Takes in what was asked for so far.
    fn steer(&mut self, log: Log) {
        self.log = log.held_from(self.start.unwrap_or(0));
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
        let response = (&measured.response, &tally.response);
        let service = (&measured.service, &tally.service);
        self.tables.add(worker, &tally.tables, response, service);
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
        measured.connections.resent += tally.resent;
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
        let origin = self.origin(now);
        let counted = now.saturating_sub(origin);
        let phase = self.phase(now);
        let told = self.told.iter().copied().min().unwrap_or(0).min(now).saturating_sub(origin);
        let elapsed = if phase == Phase::Draining { self.counted_nanos().min(told) } else { told };
        let (progress, remaining) = self.outlook(now);
        self.note_steering(origin, elapsed, now);
        let intervals = self.timeline.over_by(counted.saturating_sub(nanos(SETTLED_AFTER)));
        self.read_strain(STRAIN_EVERY);
        if self.detailed.is_none_or(|detailed| detailed.elapsed() >= DETAIL_EVERY) {
            self.detailed = Some(Instant::now());
            self.measured.detail = self.tables.detail(&self.names, origin, false);
        }
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
        self.read_strain(Duration::ZERO);
        let counted = self.counted_nanos();
        let now = nanos(self.epoch.elapsed());
        self.note_steering(self.origin(now), counted, now);
        let detail = self.tables.detail(&self.names, self.origin(now), true);
        let mut measured = self.measured;
        measured.detail = detail;
        measured.phase = Phase::Done;
        measured.ended = if self.stopped_at.is_some() { Ended::Stopped } else { Ended::Completed };
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
        if self.start.is_none_or(|start| start > now) {
            return Phase::Connecting;
        }
        if self.all_due.iter().all(|all| *all) {
            Phase::Draining
        } else if now < self.origin(now) {
            Phase::Warmup
        } else {
            Phase::Measuring
        }
    }

    /// When counting begins, as seen from `now`: a pause in the warm-up puts it off.
    fn origin(&self, now: u64) -> u64 {
        self.log.first_moment(self.start.unwrap_or(0).saturating_add(nanos(self.plan.warmup)), now)
    }

    /// The length of the counted part. Ten requests at 10/s are due within 0.9 s and stand for a whole second:
    /// the time after the last one belongs to it.
    fn counted_nanos(&self) -> u64 {
        let Some(start) = self.start else { return 0 };
        let now = nanos(self.epoch.elapsed());
        let origin = self.origin(now);
        let since = |at: u64| at.saturating_sub(origin);
        // So many requests take another time at another rate.
        let is_known = !(self.log.has_factor() && matches!(self.plan.stop, Stop::Requests(_)));
        let planned = self.plan.counted_length().filter(|_| is_known).map(|length| {
            let end = start.saturating_add(nanos(self.plan.warmup)).saturating_add(nanos(length));
            since(self.log.first_moment(end, now))
        });
        let length = match self.stopped_at {
            Some(at) => planned.unwrap_or(u64::MAX).min(since(at)),
            None => planned.unwrap_or(since(self.last_due)),
        };
        length.max(since(self.last_answer))
    }

    /// How much is done, and how much time is left. The time of a pause is neither.
    fn outlook(&self, now: u64) -> (Option<f64>, Option<Duration>) {
        let start = self.start.unwrap_or(now);
        let since_start = Duration::from_nanos(self.log.active(now).saturating_sub(start));
        let counted = since_start.saturating_sub(self.plan.warmup);
        let length = match self.plan.stop {
            Stop::Duration(length) => Some(self.own_length.map_or(length, |own| own.min(length))),
            Stop::Never => self.own_length,
            Stop::Requests(count) => {
                let due = self.measured.requests.due;
                let seen = (due > 0 && !counted.is_zero()).then(|| due as f64 / counted.as_secs_f64());
                let asked = self.plan.pacing.rate_per_sec().filter(|_| !self.log.has_factor());
                let by_count =
                    asked.or(seen).and_then(|rate| Duration::try_from_secs_f64(count as f64 / rate).ok());
                by_count.or(self.own_length)
            }
        };
        let Some(whole) = length.map(|length| self.plan.warmup.saturating_add(length)) else {
            return (None, None);
        };
        let share = since_start.as_secs_f64() / whole.as_secs_f64().max(f64::MIN_POSITIVE);
        (Some(share.clamp(0.0, 1.0)), Some(whole.saturating_sub(since_start)))
    }

    /// Asks the system what held us back, if it was not asked for so long.
    fn read_strain(&mut self, every: Duration) {
        if let Some((meter, asked)) = &mut self.meter
            && asked.elapsed() >= every
        {
            self.measured.strain = meter.so_far();
            *asked = Instant::now();
        }
    }

    fn note_steering(&mut self, origin: u64, elapsed: u64, now: u64) {
        let paused = self.log.paused_between(origin, origin.saturating_add(elapsed));
        self.measured.paused = Duration::from_nanos(paused);
        self.measured.is_paused = self.log.is_paused(now);
        self.measured.factor = self.log.factor(now) as f64 / FACTOR_UNITS as f64;
        self.measured.marks = self.log.marks(origin);
    }

    fn name_counts(&mut self) {
        let measured = &mut self.measured;
        measured.in_flight = self.in_flight.iter().sum();
        measured.error_details = self.reasons.told();
        measured.errors = self.errors.named().map(|(name, count)| (name.to_owned(), count)).collect();
        let codes = self.status.iter().enumerate().filter(|(_, count)| **count > 0);
        measured.status = codes.map(|(code, count)| (status_name(code), *count)).collect();
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
        paused: Duration::ZERO,
        is_paused: false,
        factor: 1.0,
        marks: Vec::new(),
        progress: None,
        remaining: None,
        in_flight: 0,
        requests: Requests::default(),
        warmup: Requests::default(),
        errors: BTreeMap::new(),
        error_details: BTreeMap::new(),
        status: BTreeMap::new(),
        response: Latency::new(),
        service: Latency::new(),
        lag: Latency::new(),
        detail: Detail::default(),
        strain: Strain::default(),
        bytes: Bytes::default(),
        connections: Connections::default(),
        intervals: Vec::new(),
        address: String::new(),
        threads,
        load_cpu_share: None,
        first_due: Timestamp::now(),
    }
}

/// What tables call the stages.
fn stage_names(plan: &Plan) -> Vec<String> {
    let Pacing::Profile(profile) = &plan.pacing else { return Vec::new() };
    profile.stages.iter().map(ToString::to_string).collect()
}

/// What tables call the plan's requests.
fn variant_names(plan: &Plan) -> Vec<String> {
    if !plan.variants.is_empty() {
        return plan.variants.iter().map(|variant| variant.name.clone()).collect();
    }
    if let (Protocol::Grpc { .. }, Some(call)) = (&plan.target.protocol, &plan.request.grpc) {
        return vec![call.method.clone()];
    }
    let path = Url::parse(&plan.target.url).map_or_else(|_| String::new(), |url| url.path().to_owned());
    vec![if plan.is_echo() { "echo".to_owned() } else { format!("{} {path}", plan.request.method) }]
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

    const MS: u64 = 1_000_000;
    const START: u64 = 5 * MS;

    /// A collector of one worker, counting from `START`, that was told of answers at these milliseconds.
    fn told<'a>(plan: &'a Plan, answers: &[(u64, u64)], until_ms: u64, stopped: bool) -> Collector<'a> {
        let mut collector = Collector::new(plan, 1);
        collector.start = Some(START);
        let mut tally = Tally::new();
        for (due, done) in answers {
            let due = Due { at: START + due * MS, counted: true, stage: 0 };
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
            (Pacing::MAX, second, [(0, 5), (990, 1020)], false, 1020),
            (Pacing::MAX, Stop::Requests(2), [(0, 5), (5, 12)], false, 12),
            (random, Stop::Requests(2), [(80, 85), (120, 123)], false, 123),
            // Told until 950 ms, and stopped then.
            (ten.clone(), Stop::Requests(1000), [(0, 5), (900, 905)], true, 950),
            (Pacing::MAX, Stop::Requests(1000), [(0, 5), (5, 12)], true, 950),
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
        let plan = plan(Pacing::MAX, Stop::Requests(5));
        let mut collector = told(&plan, &[], 700, true);
        collector.start = None;
        assert_eq!(collector.finish().elapsed, Duration::ZERO);
    }
}
