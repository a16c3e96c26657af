//! One request at a time: a slot takes what is due, has its lane send it, and says how it ended.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::lane::Lane;
use super::schedule::Due;
use super::timer;
use super::worker::{Stage, Turn, Worker};

/// After a first failure to connect, a closed loop waits this long before the next request is due.
const PAUSE_FIRST_NANOS: u64 = 10_000_000;
/// The longest such wait; each is twice the one before.
const PAUSE_MAX_NANOS: u64 = 1_000_000_000;

/// What other tasks of the worker may see and set of a slot.
#[derive(Debug, Default)]
pub(super) struct Cells {
    waker: RefCell<Option<Waker>>,
    deadline: Cell<Option<u64>>,
    interrupt: Cell<Option<Interrupt>>,
    job: Cell<Option<Due>>,
    /// A closed loop began: there is a turn for whoever asks.
    look: Cell<bool>,
}

/// Why a slot stops to wait for what it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interrupt {
    TimeOver,
    Cancelled,
}

/// A request to carry out now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    pub(super) due: Due,
    pub(super) begun: u64,
    /// How late we were to begin: since it was due or, if later, since the slot was free.
    pub(super) lag: u64,
    /// Which of the plan's requests it is.
    pub(super) variant: u16,
    /// Whether it is counted among those that waited.
    pub(super) has_waited: bool,
}

impl Job {
    #[inline]
    fn new(due: Due, begun: u64, free_at: u64, variant: u16) -> Self {
        Self { due, begun, lag: begun.saturating_sub(due.at.max(free_at)), variant, has_waited: false }
    }
}

impl Cells {
    /// Hands a request to an idle slot.
    pub(super) fn give(&self, due: Due) {
        self.job.set(Some(due));
        self.wake();
    }

    /// Has an idle slot ask for a turn.
    pub(super) fn look_again(&self) {
        self.look.set(true);
        self.wake();
    }

    /// Ends the slot's wait if its time is over.
    pub(super) fn sweep(&self, now: u64) {
        if self.deadline.get().is_some_and(|deadline| deadline <= now) {
            self.deadline.set(None);
            if self.interrupt.get().is_none() {
                self.interrupt.set(Some(Interrupt::TimeOver));
            }
            self.wake();
        }
    }

    /// Ends whatever the slot waits for, now and later.
    pub(super) fn cancel(&self) {
        self.interrupt.set(Some(Interrupt::Cancelled));
        self.wake();
    }

    pub(super) fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    fn is_cancelled(&self) -> bool {
        self.interrupt.get() == Some(Interrupt::Cancelled)
    }

    pub(super) fn arm(&self, deadline: u64) {
        self.deadline.set(Some(deadline));
        if !self.is_cancelled() {
            self.interrupt.set(None);
        }
    }

    pub(super) fn disarm(&self) {
        self.deadline.set(None);
    }

    /// Waits for `future` unless the time set with [`Self::arm`] is over or the run was stopped.
    pub(super) async fn guard<F: Future>(&self, future: F) -> Result<F::Output, Interrupt> {
        let mut future = pin!(future);
        poll_fn(|cx| match self.interrupt.get() {
            Some(interrupt) => Poll::Ready(Err(interrupt)),
            None => future.as_mut().poll(cx).map(Ok),
        })
        .await
    }
}

/// The life of slot number `at`.
pub(super) async fn serve(worker: Rc<Worker>, at: usize, mut lane: impl Lane) {
    let cells = &worker.slots[at];
    poll_fn(|cx| {
        *cells.waker.borrow_mut() = Some(cx.waker().clone());
        Poll::Ready(())
    })
    .await;
    lane.open_ahead(&worker, cells).await;
    worker.slot_ready();
    if !started(&worker, cells).await {
        return;
    }
    let mut free_at = worker.now();
    let mut pause = 0;
    let mut answered = false;
    while let Some(job) = next_job(&worker, at, &mut lane, free_at, answered).await {
        let outcome = lane.carry_out(&worker, cells, job).await;
        cells.disarm();
        worker.note(job.due, &outcome);
        (free_at, answered) = (outcome.known, true);
        pause = match pause {
            _ if outcome.sent.is_some() => 0,
            0 => PAUSE_FIRST_NANOS,
            _ => (pause * 2).min(PAUSE_MAX_NANOS),
        };
        if pause > 0
            && let Some(until) = worker.closed_until(free_at)
        {
            cells.arm((free_at + pause).min(until));
            let _ = cells.guard(std::future::pending::<()>()).await;
            free_at = worker.now();
        }
    }
}

/// Whether the run began, and was not stopped before.
async fn started(worker: &Worker, cells: &Cells) -> bool {
    poll_fn(|_| match worker.stage() {
        Stage::Connecting if !cells.is_cancelled() => Poll::Pending,
        Stage::Connecting | Stage::Cancelled => Poll::Ready(false),
        Stage::Running | Stage::AllDue => Poll::Ready(true),
    })
    .await
}

/// The next request for this slot; none when there will be no more.
async fn next_job(
    worker: &Worker,
    at: usize,
    lane: &mut impl Lane,
    mut free_at: u64,
    mut answered: bool,
) -> Option<Job> {
    let cells = &worker.slots[at];
    loop {
        if cells.is_cancelled() {
            return None;
        }
        let waiting = worker.take_waiting(free_at);
        // What was handed out ahead of its time has not waited if a slot is free by then.
        let has_waited = waiting.is_some_and(|due| due.at < free_at);
        let turn = waiting.map_or_else(|| worker.take_turn(at, free_at, answered), Turn::Now);
        match turn {
            Turn::Now(due) => {
                if has_waited {
                    worker.note_waited(due);
                }
                // Nothing is lost between the end of one and the beginning of the next, and no look at the clock needed.
                let begun = if due.at > free_at { timer::once_due(due.at, || worker.now()) } else { free_at };
                return Some(Job { has_waited, ..Job::new(due, begun, free_at, worker.pick()) });
            }
            Turn::Later => {}
            Turn::None => worker.note_idle(at),
        }
        match called(worker, cells, lane).await {
            Call::Job(due) => {
                let variant = worker.pick();
                let begun = timer::once_due(due.at, || worker.now());
                return Some(Job::new(due, begun, free_at, variant));
            }
            Call::Look => (free_at, answered) = (worker.now(), false),
            Call::Over => return None,
        }
    }
}

/// What an idle slot is called for.
enum Call {
    Job(Due),
    Look,
    Over,
}

async fn called(worker: &Worker, cells: &Cells, lane: &mut impl Lane) -> Call {
    poll_fn(|cx| {
        if let Some(due) = cells.job.take() {
            return Poll::Ready(Call::Job(due));
        }
        if matches!(worker.stage(), Stage::AllDue | Stage::Cancelled) {
            return Poll::Ready(Call::Over);
        }
        if cells.look.take() {
            return Poll::Ready(Call::Look);
        }
        lane.watch_idle(worker, cx);
        Poll::Pending
    })
    .await
}
