//! One thread of load: its runtime, its connections, its histograms; it shares nothing with the others.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use tokio::runtime::{LocalOptions, LocalRuntime};
use tokio::sync::{Notify, Semaphore, mpsc, watch};

use super::arrival::Sleep;
use super::connection::Connector;
use super::http2::Link;
use super::lane;
use super::pace::{Clock, pace};
use super::schedule::{Due, Next, Schedule, Share, nanos};
use super::slot::Cells;
use super::source::{Picker, Source};
use super::steer::{Change, Control, Log};
use super::tally::{INTERVAL_NANOS, Opening, Outcome, Tally};
use super::template::Draw;
use super::timer::{self, Alarm, thread_cpu_time};
use crate::model::Plan;
use crate::model::settings::Timer;

/// The most requests that wait for a connection in one worker.
const WAITING_MAX: usize = 1 << 20;
/// The most tallies of one worker, filling, under way and empty.
pub(super) const TALLIES_MAX: usize = 4;
/// Connections that one worker opens at once before the run, so that the target's queue does not overflow.
const CONNECTING_MAX: usize = 64;
/// The longest wait for connections before the first request is due.
const CONNECT_AHEAD_MAX: Duration = Duration::from_secs(1);
/// Every slot's time is looked at this often; a timeout is noticed that much late at most.
const SWEEP_MAX: Duration = Duration::from_millis(10);
/// Short timeouts are looked at more often: this many times in their length.
const SWEEPS_PER_TIMEOUT: u32 = 20;
/// Answers are read in pieces of this size.
const SCRATCH_BYTES: usize = 64 * 1024;

/// What a worker is given.
pub(super) struct Orders {
    pub(super) plan: Plan,
    pub(super) share: Share,
    /// One for each of the source's origins.
    pub(super) connectors: Vec<Connector>,
    pub(super) source: Arc<Source>,
    pub(super) seed: u64,
    /// All moments are nanoseconds from here.
    pub(super) epoch: Instant,
    /// The start of the run, once it is known.
    pub(super) start: watch::Receiver<Option<u64>>,
    pub(super) control: Control,
    pub(super) timer: Timer,
    /// The moments of a replay.
    pub(super) recorded: Option<Arc<[u64]>>,
    pub(super) news: mpsc::Sender<News>,
    /// Empty tallies come back here.
    pub(super) returned: mpsc::Receiver<Box<Tally>>,
}

/// What a worker tells the collector.
pub(super) enum News {
    /// Its connections are open, or could not be opened.
    Ready,
    /// What it measured since it last told.
    Measured(u32, Box<Tally>),
    /// The last of it; the worker has ended.
    Ended(u32, Box<Tally>),
    /// It could not start.
    Failed(io::Error),
}

/// How far a worker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Connecting,
    Running,
    /// Nothing more will be due.
    AllDue,
    Cancelled,
}

/// What a closed loop has for a slot that is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Now(Due),
    /// It is given one after its think time, or when a pause is over.
    Later,
    /// There is no closed loop, or its time is over before.
    None,
}

/// What the tasks of one worker share.
pub(super) struct Worker {
    pub(super) slots: Vec<Cells>,
    /// One for each of the source's origins.
    pub(super) connectors: Vec<Connector>,
    pub(super) source: Arc<Source>,
    /// Connections that slots share, all of one origin after those of the one before; empty where each slot has its
    /// own.
    pub(super) links: Vec<Link>,
    picker: RefCell<Picker>,
    pub(super) timeout_nanos: u64,
    pub(super) connect_ahead_nanos: u64,
    pub(super) connecting: Semaphore,
    pub(super) scratch: RefCell<Box<[u8]>>,
    number: u32,
    epoch: Instant,
    sleep: Arc<Sleep>,
    warmup_nanos: u64,
    control: Control,
    /// What was asked for, as far as this worker has looked.
    log: RefCell<Log>,
    log_version: Cell<u64>,
    /// When counting begins, as far as is known.
    origin: Cell<u64>,
    /// Grows when whoever paces must look again.
    pokes: Cell<u64>,
    pacer: RefCell<Option<Waker>>,
    /// Slots of a closed loop that wait, and until when on a clock that stands still in pauses.
    thoughts: RefCell<BinaryHeap<Reverse<(u64, usize)>>>,
    stage: Cell<Stage>,
    slots_ready: Cell<usize>,
    all_ready: Notify,
    cancelled: Notify,
    /// Told each time that timeouts were looked at.
    pub(super) swept: Notify,
    start: Cell<u64>,
    schedule: RefCell<Schedule>,
    /// Changes of the log that the schedule was told of.
    steered: Cell<usize>,
    waiting: RefCell<VecDeque<Due>>,
    idle: RefCell<VecDeque<usize>>,
    in_flight: Cell<u64>,
    tally: RefCell<Box<Tally>>,
    /// When the tally is handed over.
    tally_until: Cell<u64>,
    spare: RefCell<Option<Box<Tally>>>,
    tallies: Cell<usize>,
    news: mpsc::Sender<News>,
    returned: RefCell<mpsc::Receiver<Box<Tally>>>,
    cpu_before: Cell<Duration>,
}

/// The thread.
pub(super) fn run(orders: Orders) {
    let news = orders.news.clone();
    let failed = |error: io::Error| {
        // Nobody listens any more only when the run has failed elsewhere.
        let _ = news.blocking_send(News::Failed(error));
    };
    let sleep = Arc::new(Sleep::new(orders.epoch));
    let is_noted = orders.connectors.iter().any(|connector| connector.noting.is_some());
    match runtime(is_noted.then(|| Arc::clone(&sleep))) {
        Ok(runtime) => {
            if let Err(error) = runtime.block_on(work(orders, sleep)) {
                failed(error);
            }
            // A resolver that does not answer is not waited for.
            runtime.shutdown_background();
        }
        Err(error) => failed(error),
    }
}

/// Where alarms are the system's own, tokio's clock would only cost: it is looked at on every turn.
fn runtime(sleep: Option<Arc<Sleep>>) -> io::Result<LocalRuntime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_io();
    if let Some(sleep) = sleep {
        builder.on_thread_park({
            let sleep = Arc::clone(&sleep);
            move || sleep.begin()
        });
        builder.on_thread_unpark(move || sleep.end());
    }
    if !timer::is_platforms_best() {
        builder.enable_time();
    }
    builder.build_local(LocalOptions::default())
}

async fn work(orders: Orders, sleep: Arc<Sleep>) -> io::Result<()> {
    let clock = Clock { alarm: Alarm::new(), timer: orders.timer };
    let (mut start, control) = (orders.start.clone(), orders.control.clone());
    let sweep_every = (orders.plan.timeout / SWEEPS_PER_TIMEOUT).clamp(Duration::from_millis(1), SWEEP_MAX);
    let worker = Rc::new(Worker::new(orders, sleep));
    tokio::task::spawn_local(sweep(Rc::clone(&worker), sweep_every, Alarm::new()));
    tokio::task::spawn_local({
        let worker = Rc::clone(&worker);
        async move {
            control.stopped().await;
            worker.cancel();
        }
    });
    tokio::task::spawn_local(watch_changes(Rc::clone(&worker)));
    let slots: Vec<_> = (0..worker.slots.len()).map(|at| lane::spawn(&worker, at)).collect();
    worker.all_ready.notified().await;
    worker.tell(News::Ready).await;
    tokio::select! {
        start = start.wait_for(Option::is_some) => match start.ok().and_then(|start| *start) {
            Some(start) => {
                worker.begin(start);
                tokio::task::spawn_local(pace(Rc::clone(&worker), clock));
            }
            // The run has failed elsewhere.
            None => worker.cancel(),
        },
        () = worker.cancelled.notified() => {}
    }
    for slot in slots {
        slot.await.map_err(io::Error::other)?;
    }
    worker.end().await;
    Ok(())
}

/// Wakes whoever paces when something was asked for.
async fn watch_changes(worker: Rc<Worker>) {
    let mut changes = worker.control.changes();
    while changes.changed().await.is_ok() {
        worker.poke();
    }
}

/// Ends what takes too long, and hands over the tally when there is no outcome to do so.
async fn sweep(worker: Rc<Worker>, every: Duration, alarm: Alarm) {
    loop {
        let before = worker.now();
        alarm.after(every).await;
        worker.saw(before);
        let now = worker.now();
        for slot in &worker.slots {
            slot.sweep(now);
        }
        worker.give_up_waiting(now);
        worker.hand_over_by(now);
        worker.swept.notify_waiters();
    }
}

impl Worker {
    fn new(orders: Orders, sleep: Arc<Sleep>) -> Self {
        let (plan, share) = (&orders.plan, orders.share);
        let connections = usize::try_from(share.of(u64::from(plan.connections))).unwrap_or(usize::MAX);
        let protocol = &plan.target.protocol;
        let slots = connections.saturating_mul(protocol.streams() as usize);
        let links = if protocol.is_on_http2() { connections * orders.connectors.len() } else { 0 };
        Self {
            slots: std::iter::repeat_with(Cells::default).take(slots).collect(),
            connectors: orders.connectors,
            links: std::iter::repeat_with(Link::default).take(links).collect(),
            picker: RefCell::new(Picker::new(&orders.source, share, orders.seed)),
            source: orders.source,
            timeout_nanos: nanos(plan.timeout),
            connect_ahead_nanos: nanos(plan.timeout.min(CONNECT_AHEAD_MAX)),
            connecting: Semaphore::new(CONNECTING_MAX),
            scratch: RefCell::new(vec![0; SCRATCH_BYTES].into_boxed_slice()),
            number: share.worker,
            epoch: orders.epoch,
            sleep,
            warmup_nanos: nanos(plan.warmup),
            control: orders.control,
            log: RefCell::default(),
            log_version: Cell::new(0),
            origin: Cell::new(0),
            pokes: Cell::new(0),
            pacer: RefCell::new(None),
            thoughts: RefCell::new(BinaryHeap::with_capacity(slots)),
            stage: Cell::new(Stage::Connecting),
            slots_ready: Cell::new(0),
            all_ready: Notify::new(),
            cancelled: Notify::new(),
            swept: Notify::new(),
            start: Cell::new(0),
            schedule: RefCell::new(Schedule::new(plan, orders.recorded.as_ref(), share, orders.seed)),
            steered: Cell::new(0),
            waiting: RefCell::new(VecDeque::new()),
            idle: RefCell::new(VecDeque::with_capacity(slots)),
            in_flight: Cell::new(0),
            tally: RefCell::new(Box::new(Tally::new())),
            tally_until: Cell::new(u64::MAX),
            spare: RefCell::new(None),
            tallies: Cell::new(1),
            news: orders.news,
            returned: RefCell::new(orders.returned),
            cpu_before: Cell::new(Duration::ZERO),
        }
    }

    /// Connections that slots share to each origin.
    pub(super) fn links_per_origin(&self) -> usize {
        self.links.len() / self.connectors.len()
    }

    /// Nanoseconds on the run's clock.
    #[inline]
    pub(super) fn now(&self) -> u64 {
        nanos(self.epoch.elapsed())
    }

    /// When what we know of at `known` came, `age` nanoseconds before as far as is noted.
    #[inline]
    pub(super) fn came(&self, age: Option<u64>, known: u64) -> u64 {
        self.sleep.came(age, known)
    }

    /// All was seen that had come by `moment`.
    pub(super) fn saw(&self, moment: u64) {
        self.sleep.saw(moment);
    }

    /// The first due time.
    pub(super) fn start(&self) -> u64 {
        self.start.get()
    }

    /// Which request of the plan is sent next.
    #[inline]
    pub(super) fn pick(&self) -> u16 {
        self.picker.borrow_mut().pick(&self.source)
    }

    /// What the next request with templates is filled with.
    pub(super) fn draw(&self) -> Draw<'_> {
        self.picker.borrow_mut().draw(&self.source)
    }

    pub(super) fn stage(&self) -> Stage {
        self.stage.get()
    }

    pub(super) fn slot_ready(&self) {
        self.slots_ready.set(self.slots_ready.get() + 1);
        if self.slots_ready.get() == self.slots.len() {
            self.all_ready.notify_one();
        }
    }

    pub(super) fn note_opened(&self) {
        self.tally.borrow_mut().opened += 1;
    }

    /// A connection was opened before anything was due.
    pub(super) fn note_opening(&self, connection: u32, opening: &Opening) {
        self.tally.borrow_mut().tables.note_opening(Some(connection), opening);
    }

    /// The turn of a slot that is free at `now`, after an answer or not; within a closed loop.
    #[inline]
    pub(super) fn take_turn(&self, slot: usize, now: u64, answered: bool) -> Turn {
        let Some(since_start) = now.checked_sub(self.start.get()).filter(|_| self.stage() == Stage::Running)
        else {
            return Turn::None;
        };
        self.take_changes();
        let (paused, is_paused) = self.log.borrow().pause_at(now);
        let since_start = since_start.saturating_sub(paused);
        let mut schedule = self.schedule.borrow_mut();
        let Some(closed) = schedule.closed_at(since_start) else { return Turn::None };
        let think = if answered { closed.think } else { 0 };
        if think == 0 && !is_paused {
            let (due, used_up) = (schedule.turn_within(since_start), schedule.is_used_up());
            drop(schedule);
            return Turn::Now(self.begun(now, due, used_up));
        }
        drop(schedule);
        let next = since_start.saturating_add(think);
        if next >= closed.until {
            return Turn::None;
        }
        self.thoughts.borrow_mut().push(Reverse((self.start.get().saturating_add(next), slot)));
        self.poke();
        Turn::Later
    }

    /// The closed loop at `now` ends at this moment, as far as is known; none where there is none.
    pub(super) fn closed_until(&self, now: u64) -> Option<u64> {
        let log = self.log.borrow();
        let start = self.start.get();
        let closed = self.schedule.borrow().closed_at(log.active(now).checked_sub(start)?)?;
        Some(log.moment(start.saturating_add(closed.until)).unwrap_or(u64::MAX))
    }

    fn begin_turn(&self, now: u64, since_start: u64) -> Option<Due> {
        let (due, used_up) = {
            let mut schedule = self.schedule.borrow_mut();
            (schedule.take_turn(since_start)?, schedule.is_used_up())
        };
        Some(self.begun(now, due, used_up))
    }

    #[inline]
    fn begun(&self, now: u64, due: Due, used_up: bool) -> Due {
        let due = Due { at: now, ..due };
        self.note_due(due);
        if used_up {
            // Slots that think would otherwise do so until their turn, which never comes.
            self.set_all_due();
        }
        due
    }

    /// When the first of the slots that think has its turn, or a closed loop begins; none when neither comes, or a
    /// pause is not over.
    pub(super) fn next_turn(&self) -> Option<u64> {
        let active = [self.next_thought(), self.next_opening()].into_iter().flatten().min()?;
        self.log.borrow().moment(active)
    }

    /// On a clock that stands still in pauses, as is the next one.
    fn next_thought(&self) -> Option<u64> {
        self.thoughts.borrow().peek().map(|Reverse((active, _))| *active)
    }

    fn next_opening(&self) -> Option<u64> {
        self.schedule.borrow().opening().map(|opening| self.start.get().saturating_add(opening))
    }

    /// Gives their turn to the slots whose time has come.
    pub(super) fn hand_out_turns(&self, now: u64) {
        while let Some(at) = self.next_turn().filter(|at| *at <= now) {
            let (thought, opening) = (self.next_thought(), self.next_opening());
            if opening.is_some_and(|opening| thought.is_none_or(|thought| opening <= thought)) {
                self.schedule.borrow_mut().open();
                for slot in self.idle.borrow_mut().drain(..) {
                    self.slots[slot].look_again();
                }
                continue;
            }
            let Some(Reverse((active, slot))) = self.thoughts.borrow_mut().pop() else { return };
            // Without a turn everything is due, which ends the slot.
            if let Some(due) = self.begin_turn(at, active.saturating_sub(self.start.get())) {
                self.slots[slot].give(due);
            }
        }
    }

    /// Takes in what was asked for since it was last looked.
    #[inline]
    pub(super) fn take_changes(&self) {
        if self.is_outdated() {
            self.read_log();
        }
    }

    #[cold]
    fn read_log(&self) {
        self.log_version.set(self.control.version());
        let log = self.control.log().held_from(self.start.get());
        self.origin.set(log.first_moment(self.start.get().saturating_add(self.warmup_nanos), u64::MAX));
        *self.log.borrow_mut() = log;
    }

    /// Whether something was asked for that has not been looked at.
    #[inline]
    pub(super) fn is_outdated(&self) -> bool {
        self.control.version() != self.log_version.get()
    }

    /// What comes next, as far as changes are known.
    pub(super) fn peek(&self) -> Next {
        let (log, mut schedule) = (self.log.borrow(), self.schedule.borrow_mut());
        for change in log.changes.get(self.steered.get()..).unwrap_or_default() {
            schedule.steer(Change { at: change.at.saturating_sub(self.start.get()), what: change.what });
        }
        self.steered.set(log.changes.len());
        schedule.peek()
    }

    /// Has whoever paces look again.
    fn poke(&self) {
        self.pokes.set(self.pokes.get() + 1);
        if let Some(pacer) = &*self.pacer.borrow() {
            pacer.wake_by_ref();
        }
    }

    pub(super) fn pokes(&self) -> u64 {
        self.pokes.get()
    }

    /// A poke wakes this one.
    pub(super) fn poke_here(&self, waker: &Waker) {
        let mut pacer = self.pacer.borrow_mut();
        if !pacer.as_ref().is_some_and(|pacer| pacer.will_wake(waker)) {
            *pacer = Some(waker.clone());
        }
    }

    /// The request that has waited longest for a connection.
    #[inline]
    pub(super) fn take_waiting(&self, now: u64) -> Option<Due> {
        if self.waiting.borrow().is_empty() {
            return None;
        }
        self.give_up_waiting(now);
        self.waiting.borrow_mut().pop_front()
    }

    pub(super) fn note_idle(&self, slot: usize) {
        self.idle.borrow_mut().push_back(slot);
    }

    /// A request that was due has its outcome.
    #[inline]
    pub(super) fn note(&self, due: Due, outcome: &Outcome) {
        self.hand_over_by(outcome.known);
        self.count(due, outcome);
    }

    #[inline]
    fn count(&self, due: Due, outcome: &Outcome) {
        self.in_flight.set(self.in_flight.get().saturating_sub(1));
        self.tally.borrow_mut().note(due, outcome);
    }

    /// A request had to wait for a slot or, though one was free for it, for a connection.
    pub(super) fn note_waited(&self, due: Due) {
        self.tally.borrow_mut().waited += u64::from(due.counted);
    }

    #[inline]
    fn note_due(&self, due: Due) {
        self.in_flight.set(self.in_flight.get() + 1);
        self.tally.borrow_mut().note_due(due, self.origin());
    }

    /// Requests that are due and have no outcome yet.
    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight.get()
    }

    /// When counting begins.
    fn origin(&self) -> u64 {
        self.origin.get()
    }

    fn begin(&self, start: u64) {
        self.start.set(start);
        self.read_log();
        self.cpu_before.set(thread_cpu_time().unwrap_or_default());
        self.tally_until.set(self.next_hand_over(start));
        if self.stage() == Stage::Connecting {
            self.stage.set(Stage::Running);
        }
        self.wake_all();
    }

    /// Gives the request that [`Self::peek`] told of to the slot that has been idle for longest, so that all
    /// connections are used.
    pub(super) fn hand_out(&self, due: Due) {
        self.schedule.borrow_mut().advance(due);
        let due = Due { at: self.start.get().saturating_add(due.at), ..due };
        self.note_due(due);
        let idle = self.idle.borrow_mut().pop_front();
        if let Some(slot) = idle {
            self.slots[slot].give(due);
            return;
        }
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() < WAITING_MAX {
            waiting.push_back(due);
            return;
        }
        drop(waiting);
        self.note_waited(due);
        // Charged in full: a user would have waited at least that long behind so many others.
        self.count(due, &Outcome::overflow(due.at.saturating_add(self.timeout_nanos).max(self.now())));
    }

    /// Requests that waited longer than one may take are never sent.
    fn give_up_waiting(&self, now: u64) {
        loop {
            let mut waiting = self.waiting.borrow_mut();
            let over = waiting.front().filter(|due| due.at.saturating_add(self.timeout_nanos) < now).copied();
            let Some(due) = over else { return };
            waiting.pop_front();
            drop(waiting);
            self.note_waited(due);
            self.note(due, &Outcome::overflow(now));
        }
    }

    pub(super) fn set_all_due(&self) {
        self.tally.borrow_mut().all_due = true;
        if self.stage() == Stage::Running {
            self.stage.set(Stage::AllDue);
        }
        self.wake_all();
    }

    /// The run was stopped: nothing more is due, and what is under way ends here.
    fn cancel(&self) {
        self.stage.set(Stage::Cancelled);
        let now = self.now();
        loop {
            let Some(due) = self.waiting.borrow_mut().pop_front() else { break };
            self.note_waited(due);
            self.note(due, &Outcome::cancelled(now));
        }
        for slot in &self.slots {
            slot.cancel();
        }
        self.cancelled.notify_one();
    }

    fn wake_all(&self) {
        for slot in &self.slots {
            slot.wake();
        }
    }

    #[inline]
    fn hand_over_by(&self, now: u64) {
        if now >= self.tally_until.get() {
            self.hand_over(now);
        }
    }

    /// Gives the tally to the collector and goes on with an empty one. Where that is not possible at once,
    /// goes on with the same: the load never waits for the collector.
    #[cold]
    fn hand_over(&self, now: u64) {
        self.tally_until.set(self.next_hand_over(now));
        let Some(mut fresh) = self.empty_tally() else { return };
        fresh.clear();
        fresh.interval = now.saturating_sub(self.origin()) / INTERVAL_NANOS;
        let full = std::mem::replace(&mut *self.tally.borrow_mut(), fresh);
        let full = self.stamped(full, now);
        match self.news.try_send(News::Measured(self.number, full)) {
            Ok(()) => {}
            Err(
                mpsc::error::TrySendError::Full(News::Measured(_, full))
                | mpsc::error::TrySendError::Closed(News::Measured(_, full)),
            ) => {
                let fresh = std::mem::replace(&mut *self.tally.borrow_mut(), full);
                *self.spare.borrow_mut() = Some(fresh);
            }
            Err(_) => {}
        }
    }

    fn empty_tally(&self) -> Option<Box<Tally>> {
        if let Some(spare) = self.spare.borrow_mut().take() {
            return Some(spare);
        }
        if let Ok(returned) = self.returned.borrow_mut().try_recv() {
            return Some(returned);
        }
        (self.tallies.get() < TALLIES_MAX).then(|| {
            self.tallies.set(self.tallies.get() + 1);
            Box::new(Tally::new())
        })
    }

    fn stamped(&self, mut tally: Box<Tally>, now: u64) -> Box<Tally> {
        tally.in_flight = self.in_flight.get();
        tally.until = now;
        tally.all_due |= self.stage() != Stage::Running;
        tally.stopped = self.stage() == Stage::Cancelled;
        let elapsed = now.saturating_sub(self.start.get());
        tally.cpu_share = thread_cpu_time()
            // To begin takes a share of its own, which says nothing where the run was over at once.
            .filter(|_| elapsed > INTERVAL_NANOS)
            .map(|time| nanos(time.saturating_sub(self.cpu_before.get())) as f64 / elapsed as f64);
        tally
    }

    /// The next multiple of an interval from the start or, once counting has begun, from there.
    fn next_hand_over(&self, now: u64) -> u64 {
        let (start, origin) = (self.start.get(), self.origin());
        let next = |from: u64| from + ((now.saturating_sub(from)) / INTERVAL_NANOS + 1) * INTERVAL_NANOS;
        if now < origin { next(start).min(origin) } else { next(origin) }
    }

    async fn tell(&self, news: News) {
        // Nobody listens any more only when the run has failed elsewhere.
        let _ = self.news.send(news).await;
    }

    async fn end(&self) {
        let tally = std::mem::replace(&mut *self.tally.borrow_mut(), Box::new(Tally::new()));
        let tally = self.stamped(tally, self.now());
        self.tell(News::Ended(self.number, tally)).await;
    }
}
