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

use super::connection::Connector;
use super::http2::Link;
use super::lane;
use super::pace::{Clock, pace, pace_thinking};
use super::schedule::{Due, Schedule, Share, Turns, nanos};
use super::slot::Cells;
use super::source::{Picker, Source};
use super::steer::{Change, Control, Log};
use super::tally::{INTERVAL_NANOS, Opening, Outcome, Tally};
use super::template::Draw;
use super::timer::{self, Alarm, thread_cpu_time};
use crate::model::settings::Timer;
use crate::model::{Pacing, Plan};

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
    /// Nothing more will be due in an open loop.
    AllDue,
    Cancelled,
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
    warmup_nanos: u64,
    think_nanos: u64,
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
    turns: Option<RefCell<Turns>>,
    turns_over: Cell<bool>,
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
    match runtime() {
        Ok(runtime) => {
            if let Err(error) = runtime.block_on(work(orders)) {
                failed(error);
            }
        }
        Err(error) => failed(error),
    }
}

/// Where alarms are the system's own, tokio's clock would only cost: it is looked at on every turn.
fn runtime() -> io::Result<LocalRuntime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_io();
    if !timer::is_platforms_best() {
        builder.enable_time();
    }
    builder.build_local(LocalOptions::default())
}

async fn work(orders: Orders) -> io::Result<()> {
    let clock = Clock { alarm: Alarm::new(), timer: orders.timer };
    let schedule = Schedule::new(&orders.plan, orders.recorded.as_ref(), orders.share, orders.seed);
    let (mut start, control) = (orders.start.clone(), orders.control.clone());
    let sweep_every = (orders.plan.timeout / SWEEPS_PER_TIMEOUT).clamp(Duration::from_millis(1), SWEEP_MAX);
    let worker = Rc::new(Worker::new(orders));
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
                match schedule {
                    Some(schedule) => tokio::task::spawn_local(pace(Rc::clone(&worker), schedule, clock)),
                    None => tokio::task::spawn_local(pace_thinking(Rc::clone(&worker), clock)),
                };
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
        alarm.after(every).await;
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
    fn new(orders: Orders) -> Self {
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
            warmup_nanos: nanos(plan.warmup),
            think_nanos: if let Pacing::Max { think } = plan.pacing { nanos(think) } else { 0 },
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
            turns: (!plan.pacing.is_open_loop()).then(|| RefCell::new(Turns::new(plan, share))),
            turns_over: Cell::new(false),
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

    /// A moment on the run's clock.
    pub(super) fn at(&self, moment: Instant) -> u64 {
        nanos(moment.saturating_duration_since(self.epoch))
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

    pub(super) fn is_closed_loop(&self) -> bool {
        self.turns.is_some()
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

    /// In a closed loop, the request of a slot that is free at `now`. None when it must wait, and is given one
    /// later, or when there are no more: [`Self::is_over`] tells.
    #[inline]
    pub(super) fn take_turn(&self, slot: usize, now: u64) -> Option<Due> {
        self.take_changes();
        let log = self.log.borrow();
        if self.think_nanos == 0 && !log.is_paused(now) {
            return self.begin_turn(now, log.active(now));
        }
        let active = log.active(now).saturating_add(self.think_nanos);
        let over = self.turns.as_ref()?.borrow().is_over(active.saturating_sub(self.start.get()));
        if over {
            self.set_turns_over();
            return None;
        }
        self.thoughts.borrow_mut().push(Reverse((active, slot)));
        self.poke();
        None
    }

    fn begin_turn(&self, now: u64, active: u64) -> Option<Due> {
        let due = self.turns.as_ref()?.borrow_mut().take(active.saturating_sub(self.start.get()));
        let Some(due) = due else {
            self.set_turns_over();
            return None;
        };
        let due = Due { at: now, counted: due.counted };
        self.note_due(due);
        if self.turns.as_ref()?.borrow().are_all_taken() {
            // Slots that think would otherwise do so until their turn, which never comes.
            self.set_turns_over();
            self.set_all_due();
        }
        Some(due)
    }

    fn set_turns_over(&self) {
        self.turns_over.set(true);
        self.tally.borrow_mut().all_due = true;
    }

    /// Whether a closed loop has no more turns.
    pub(super) fn is_over(&self) -> bool {
        self.turns_over.get()
    }

    /// When the first of the slots that wait has its turn; none when none has, or a pause is not over.
    pub(super) fn next_thought(&self) -> Option<u64> {
        let active = self.thoughts.borrow().peek()?.0.0;
        self.log.borrow().moment(active)
    }

    /// Gives their turn to the slots whose time has come.
    pub(super) fn hand_out_thoughts(&self, now: u64) {
        while let Some(at) = self.next_thought().filter(|at| *at <= now) {
            let Some(Reverse((active, slot))) = self.thoughts.borrow_mut().pop() else { return };
            match self.begin_turn(at, active) {
                Some(due) => self.slots[slot].give(due),
                None => return self.set_all_due(),
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

    /// Tells of the changes after the first `known`; how many there were.
    pub(super) fn changes_from(&self, known: usize, mut tell: impl FnMut(Change)) -> usize {
        let log = self.log.borrow();
        let fresh = log.changes.get(known..).unwrap_or_default();
        for change in fresh {
            tell(*change);
        }
        fresh.len()
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
    pub(super) fn take_waiting(&self, now: u64) -> Option<Due> {
        self.give_up_waiting(now);
        self.waiting.borrow_mut().pop_front()
    }

    pub(super) fn note_idle(&self, slot: usize) {
        self.idle.borrow_mut().push_back(slot);
    }

    /// A request that was due has its outcome.
    #[inline]
    pub(super) fn note(&self, due: Due, outcome: &Outcome) {
        self.hand_over_by(outcome.done);
        self.count(due, outcome);
    }

    #[inline]
    fn count(&self, due: Due, outcome: &Outcome) {
        self.in_flight.set(self.in_flight.get().saturating_sub(1));
        self.tally.borrow_mut().note(due, outcome);
    }

    /// A request has to wait, though a slot was free for it.
    pub(super) fn note_waited(&self, due: Due) {
        self.tally.borrow_mut().waited += u64::from(due.counted);
    }

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

    /// Gives a request that is due to the slot that has been idle for longest, so that all connections are used.
    pub(super) fn hand_out(&self, due: Due) {
        self.note_due(due);
        let idle = self.idle.borrow_mut().pop_front();
        if let Some(slot) = idle {
            self.slots[slot].give(due);
            return;
        }
        if due.counted {
            self.tally.borrow_mut().waited += 1;
        }
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() < WAITING_MAX {
            waiting.push_back(due);
            return;
        }
        drop(waiting);
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
            .filter(|_| elapsed > 0)
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
