//! The thread of a run: carries out the plan, writes a checkpoint each second, makes the record.

use std::borrow::Cow;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::app::clusters::Way;
use crate::app::event::{Event, Progress};
use crate::app::hopeless::is_hopeless;
use crate::app::job::Steer;
use crate::app::record::{self, Detail};
use crate::app::search::{Searching, trial_plan};
use crate::app::state::Phase;
use crate::cluster::Tokens;
use crate::load::{self, Control, LoadError, Measured};
use crate::model::causes::chain;
use crate::model::{Ended, Plan, Run, RunId, Search};

use tokio::runtime::Handle;

use super::Outbox;
use super::forward::Open;
use super::machine::MachineWatch;
use super::store::Desk;

/// How much of a run a crash may lose.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);

/// A run that is going.
pub(super) struct RunThread {
    hand: Hand,
    /// Ends when the thread does; nothing is ever sent.
    alive: Receiver<()>,
}

impl RunThread {
    pub(super) fn start(order: Order, store: Desk, outbox: Outbox) -> Self {
        let hand = Hand::default();
        let id = order.id;
        let machine = RefCell::default();
        let work = Work { order, cpus: cpus(), hand: hand.clone(), store, outbox: outbox.clone(), machine };
        let (hold, alive) = channel::<()>();
        let news = outbox.clone();
        let spawned = std::thread::Builder::new().name("meshbench-run".to_owned()).spawn(move || {
            if catch_unwind(AssertUnwindSafe(|| work.carry_out())).is_err() {
                // The panic was already printed where it happened. Without news the run would seem to go on.
                let reason = "Meshbench has a fault, and lost its hold on the run".to_owned();
                news.send(Event::RunFailed { id, reason });
            }
            drop(hold);
        });
        if let Err(error) = spawned {
            outbox.offer(Event::RunFailed { id, reason: format!("no thread could be started: {error}") });
        }
        Self { hand, alive }
    }

    pub(super) fn stop(&self) {
        self.hand.stop();
    }

    pub(super) fn steer(&self, steer: Steer) {
        let control = self.hand.control();
        match steer {
            Steer::Factor(factor) => control.set_factor(factor),
            Steer::Pause => control.pause(),
            Steer::Resume => control.resume(),
            Steer::Mark(text) => control.mark(&text),
        }
    }

    /// Waits for the end of the thread, but not beyond `deadline`; whether it has ended.
    pub(super) fn join(&self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        self.alive.recv_timeout(left) == Err(RecvTimeoutError::Disconnected)
    }
}

/// What a run thread is asked for.
pub(super) struct Order {
    pub(super) id: RunId,
    pub(super) plan: Plan,
    /// Look for the highest rate at which the plan's goals are met, instead of running it once.
    pub(super) search: Option<Search>,
    /// How it is carried out.
    pub(super) options: load::Options,
    /// The way that is opened for it, if it needs one.
    pub(super) way: Option<Passage>,
}

/// A way through a cluster's API server, and where the tasks that carry it run.
pub(super) struct Passage {
    pub(super) way: Way,
    pub(super) handle: Handle,
    pub(super) tokens: Tokens,
}

/// What steers the run of this moment: in a search each trial has a control of its own.
#[derive(Clone, Debug, Default)]
struct Hand(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    control: Control,
    /// Everything, and not one trial of it.
    is_stopped: bool,
}

impl Hand {
    /// Of the next run, which is stopped before it begins if everything was.
    fn next(&self) -> Control {
        let mut held = self.held();
        held.control = Control::new();
        if held.is_stopped {
            held.control.stop();
        }
        held.control.clone()
    }

    fn control(&self) -> Control {
        self.held().control.clone()
    }

    fn stop(&self) {
        let mut held = self.held();
        held.is_stopped = true;
        held.control.stop();
    }

    fn is_stopped(&self) -> bool {
        self.held().is_stopped
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Nothing in here can be left half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Work {
    order: Order,
    cpus: u32,
    hand: Hand,
    store: Desk,
    outbox: Outbox,
    /// Of the run or trial of this moment.
    machine: RefCell<MachineWatch>,
}

impl Work {
    fn carry_out(mut self) {
        let id = self.order.id;
        let open = match self.open() {
            Ok(open) => open,
            Err(reason) => return self.outbox.send(Event::RunFailed { id, reason }),
        };
        if let (Some(open), Some(service)) = (&open, &mut self.order.plan.target.service) {
            service.cluster.tunnel = open.tunnel();
        }
        let carried_out = match self.order.search {
            None => self
                .measure(&self.order.plan, None, open.as_ref())
                .map(|measured| self.record(&self.order.plan, &measured)),
            Some(search) => self.search(search, open.as_ref()),
        };
        match carried_out {
            Ok(run) => {
                let run = Arc::new(run);
                self.outbox.send(Event::RunEnded(Arc::clone(&run)));
                self.store.ask(move |shelf, outbox| shelf.save_run(run, outbox));
            }
            Err(error) => {
                self.outbox.send(Event::RunFailed { id, reason: chain(&error) });
                self.store.ask(move |shelf, _| shelf.discard_checkpoint(id));
            }
        }
    }

    /// Opens the way to the target, where it needs one.
    fn open(&self) -> Result<Option<Open>, String> {
        match &self.order.way {
            None => Ok(None),
            Some(passage) => passage.open(&self.order.plan).map(Some),
        }
    }

    /// One trial after another; the record is the last one that passed at the rate that was found, with all of them in it.
    fn search(&self, search: Search, open: Option<&Open>) -> Result<Run, LoadError> {
        let mut searching = Searching::new(&self.order.plan, search);
        let mut trials: Vec<(Run, bool)> = Vec::new();
        while let Some(rate) = searching.next() {
            let plan = trial_plan(&self.order.plan, rate);
            let measured = self.measure(&plan, Some(&searching), open)?;
            let run = self.record(&plan, &measured);
            if measured.ended == Ended::Stopped {
                if trials.is_empty() {
                    trials.push((run, false));
                }
                break;
            }
            let has_passed = searching.add(&run);
            // The latest at each rate is enough, and one that failed is not what was found.
            trials.retain(|(known, passed)| known.rate.asked != run.rate.asked || *passed && !has_passed);
            trials.push((run, has_passed));
        }
        let capacity = searching.capacity();
        let found = trials.iter().position(|(run, _)| run.rate.asked == capacity.rate);
        let (mut run, _) = trials.swap_remove(found.unwrap_or(trials.len() - 1));
        run.capacity = Some(capacity);
        Ok(run)
    }

    fn record(&self, plan: &Plan, measured: &Measured) -> Run {
        let run = record::run(self.order.id, plan, measured, Detail::Full, self.cpus);
        Run { machine: self.machine.borrow().so_far(run.counted_after_s()), ..run }
    }

    fn measure(
        &self,
        plan: &Plan,
        searching: Option<&Searching>,
        open: Option<&Open>,
    ) -> Result<Measured, LoadError> {
        // The first comes with the first news, so that even a run of a moment leaves its trace.
        let mut due = Duration::ZERO;
        let mut hopeless = false;
        let control = self.hand.next();
        self.machine.take();
        let mut watch = |measured: &Measured| {
            let measured = &*named(measured, open);
            if measured.phase != load::Phase::Connecting {
                self.machine.borrow_mut().look(measured.since_start);
            }
            self.outbox.offer(Event::RunProgress(Box::new(self.progress(plan, measured, searching))));
            if measured.phase != load::Phase::Connecting && measured.since_start >= due {
                due = measured.since_start + CHECKPOINT_EVERY;
                self.checkpoint(plan, measured);
            }
            if plan.give_up && !hopeless && is_hopeless(plan, measured) {
                hopeless = true;
                control.stop();
            }
        };
        let through = open.map(|open| open.applied(plan));
        let sent = through.as_ref().unwrap_or(plan);
        let measured = load::run(sent, &self.order.options, &control, &mut watch)?;
        let mut measured = named(&measured, open).into_owned();
        if hopeless && measured.ended == Ended::Stopped && !self.hand.is_stopped() {
            measured.ended = Ended::GaveUp;
        }
        Ok(measured)
    }

    fn progress(&self, plan: &Plan, measured: &Measured, searching: Option<&Searching>) -> Progress {
        let mut so_far = record::run(self.order.id, plan, measured, Detail::Live, self.cpus);
        so_far.capacity = searching.map(Searching::capacity);
        Progress {
            id: self.order.id,
            phase: match measured.phase {
                load::Phase::Connecting => Phase::Connecting,
                load::Phase::Warmup => Phase::Warmup,
                load::Phase::Measuring => Phase::Measuring,
                load::Phase::Draining | load::Phase::Done => Phase::Draining,
            },
            so_far: Arc::new(so_far),
            elapsed: measured.since_start,
            progress: measured.progress,
            remaining: measured.remaining,
            in_flight: measured.in_flight,
            factor: measured.factor,
            is_paused: measured.is_paused,
        }
    }

    /// A slow disk drops checkpoints rather than hold up the measurement: the next holds all of this one.
    fn checkpoint(&self, plan: &Plan, measured: &Measured) {
        let mut run = record::checkpoint(self.order.id, plan, measured, self.cpus);
        run.machine = self.machine.borrow().so_far(run.counted_after_s());
        self.store.try_ask(move |shelf, _| shelf.checkpoint(&run));
    }
}

/// What was measured, with the name of where it went.
fn named<'a>(measured: &'a Measured, open: Option<&Open>) -> Cow<'a, Measured> {
    match open {
        None => Cow::Borrowed(measured),
        Some(open) => Cow::Owned(Measured { address: open.name.clone(), ..measured.clone() }),
    }
}

fn cpus() -> u32 {
    std::thread::available_parallelism().map_or(1, |count| count.get() as u32)
}
