//! One connection's worth of load: takes what is due, sends it, and says how it ended.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::exchange::{Broken, Line, Progress, Reply};
use super::schedule::Due;
use super::tally::{End, Outcome, Sent};
use super::worker::{Stage, Worker};
use crate::model::run::ErrorClass;

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
}

/// Why a slot stops to wait for what it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interrupt {
    TimeOver,
    Cancelled,
}

/// A request to carry out now.
#[derive(Clone, Copy, Debug)]
struct Job {
    due: Due,
    begun: u64,
    /// How late we were to begin: since it was due or, if later, since the slot was free.
    lag: u64,
}

impl Cells {
    /// Hands a request to an idle slot.
    pub(super) fn give(&self, due: Due) {
        self.job.set(Some(due));
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

    fn arm(&self, deadline: u64) {
        self.deadline.set(Some(deadline));
        if !self.is_cancelled() {
            self.interrupt.set(None);
        }
    }

    fn disarm(&self) {
        self.deadline.set(None);
    }

    /// Waits for `future` unless the time set with [`Self::arm`] is over or the run was stopped.
    async fn guard<F: Future>(&self, future: F) -> Result<F::Output, Interrupt> {
        let mut future = pin!(future);
        poll_fn(|cx| match self.interrupt.get() {
            Some(interrupt) => Poll::Ready(Err(interrupt)),
            None => future.as_mut().poll(cx).map(Ok),
        })
        .await
    }
}

/// The life of slot number `at`.
pub(super) async fn serve(worker: Rc<Worker>, at: usize) {
    let cells = &worker.slots[at];
    poll_fn(|cx| {
        *cells.waker.borrow_mut() = Some(cx.waker().clone());
        Poll::Ready(())
    })
    .await;
    let mut line = connect_ahead(&worker, cells).await;
    worker.slot_ready();
    if !started(&worker, cells).await {
        return;
    }
    let mut free_at = worker.now();
    let mut pause = 0;
    while let Some(job) = next_job(&worker, at, &mut line, free_at).await {
        let outcome = carry_out(&worker, cells, &mut line, job).await;
        cells.disarm();
        worker.note(job.due, &outcome);
        free_at = outcome.done;
        pause = match pause {
            _ if outcome.sent.is_some() => 0,
            0 => PAUSE_FIRST_NANOS,
            _ => (pause * 2).min(PAUSE_MAX_NANOS),
        };
        if pause > 0 && worker.is_closed_loop() {
            cells.arm(free_at + pause);
            let _ = cells.guard(std::future::pending::<()>()).await;
            free_at = worker.now();
        }
    }
}

/// Connects before anything is due. A failure is not one yet: the first request will try again.
async fn connect_ahead(worker: &Worker, cells: &Cells) -> Option<Line> {
    cells.arm(worker.now() + worker.connect_ahead_nanos);
    let connected = cells
        .guard(async {
            let _turn = worker.connecting.acquire().await;
            worker.connector.connect().await
        })
        .await;
    cells.disarm();
    let stream = connected.ok()?.ok()?;
    worker.note_opened();
    Some(Line::new(stream, worker.head_request))
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
async fn next_job(worker: &Worker, at: usize, line: &mut Option<Line>, free_at: u64) -> Option<Job> {
    let cells = &worker.slots[at];
    if worker.is_closed_loop() {
        let due = if cells.is_cancelled() { None } else { worker.take_turn(free_at) };
        return due.map(|due| Job { due, begun: free_at, lag: 0 });
    }
    if let Some(due) = worker.take_waiting(free_at) {
        return Some(Job { due, begun: free_at, lag: 0 });
    }
    worker.note_idle(at);
    let due = poll_fn(|cx| {
        if let Some(due) = cells.job.take() {
            return Poll::Ready(Some(due));
        }
        if matches!(worker.stage(), Stage::AllDue | Stage::Cancelled) {
            return Poll::Ready(None);
        }
        if line.as_mut().is_some_and(|line| line.poll_dead(cx, &mut worker.scratch.borrow_mut()).is_ready()) {
            *line = None;
        }
        Poll::Pending
    })
    .await?;
    let begun = worker.now();
    Some(Job { due, begun, lag: begun.saturating_sub(due.at.max(free_at)) })
}

/// Sends a request, over a new connection where there is none, and waits for how it ends.
async fn carry_out(worker: &Worker, cells: &Cells, line: &mut Option<Line>, job: Job) -> Outcome {
    let mut sent_at = job.begun;
    loop {
        let mut open = match line.take() {
            Some(open) => open,
            None => match connect(worker, cells, sent_at).await {
                Ok(open) => {
                    sent_at = worker.now();
                    open
                }
                Err(end) => return Outcome { end, done: worker.now(), sent: None, received_bytes: 0 },
            },
        };
        cells.arm(sent_at.saturating_add(worker.timeout_nanos));
        let mut progress = Progress::default();
        let exchanged = cells
            .guard(poll_fn(|cx| {
                open.poll_exchange(cx, &mut progress, &worker.request, &mut worker.scratch.borrow_mut())
            }))
            .await;
        let done = worker.now();
        let end = match exchanged {
            Ok(Ok(Reply { status, reusable })) => {
                *line = reusable.then_some(open);
                End::Status(status)
            }
            // Sent again once: the connection is new then, and cannot be stale.
            Ok(Err(Broken::Stale)) => {
                sent_at = done;
                continue;
            }
            Ok(Err(Broken::Failed(class))) => End::Failed(class),
            Err(Interrupt::TimeOver) => End::Failed(ErrorClass::ResponseTimeout),
            Err(Interrupt::Cancelled) => End::Cancelled,
        };
        let sent = Some(Sent { at: sent_at, lag: job.lag, bytes: progress.written as u64 });
        return Outcome { end, done, sent, received_bytes: progress.received };
    }
}

async fn connect(worker: &Worker, cells: &Cells, now: u64) -> Result<Line, End> {
    cells.arm(now.saturating_add(worker.timeout_nanos));
    let stream = match cells.guard(worker.connector.connect()).await {
        Ok(connected) => connected.map_err(End::Failed)?,
        Err(Interrupt::TimeOver) => return Err(End::Failed(ErrorClass::ConnectTimeout)),
        Err(Interrupt::Cancelled) => return Err(End::Cancelled),
    };
    worker.note_opened();
    Ok(Line::new(stream, worker.head_request))
}
