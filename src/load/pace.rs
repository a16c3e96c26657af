//! Hands out requests when they are due.

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use super::schedule::{Due, Next};
use super::timer::{self, Alarm, Wait};
use super::worker::{Stage, Worker};
use crate::model::settings::Timer;

/// Requests that are handed out at once when many are due; then the slots have their turn.
const HAND_OUTS_MAX: u32 = 64;

/// Waits for moments on the clock of a worker.
pub(super) struct Clock {
    pub(super) alarm: Alarm,
    pub(super) timer: Timer,
}

/// Hands out requests when they are due, and turns of closed loops in which slots think or have waited for it to begin.
/// Due times are absolute, so lateness never adds up.
pub(super) async fn pace(worker: Rc<Worker>, clock: Clock) {
    let start = worker.start();
    let mut at_once = 0;
    while worker.stage() == Stage::Running {
        worker.take_changes();
        let next = worker.peek();
        let planned = match next {
            Next::Due(Due { at, .. }) | Next::Over(at) => Some(start.saturating_add(at)),
            Next::Paused => None,
        };
        let turn = worker.next_turn().filter(|turn| planned.is_none_or(|planned| *turn <= planned));
        let ahead = if matches!(next, Next::Due(_)) { timer::ahead(clock.timer) } else { 0 };
        let at = turn.or(planned.map(|at| at.saturating_sub(ahead)));
        if at.is_none_or(|at| worker.now() < at) {
            at_once = 0;
            clock.until(&worker, at).await;
        }
        // A change may have come while nobody looked; then this is not what comes next.
        if worker.stage() != Stage::Running || worker.is_outdated() || at.is_none_or(|at| worker.now() < at) {
            continue;
        }
        match (turn, next) {
            (Some(_), _) => worker.hand_out_turns(worker.now()),
            (None, Next::Due(due)) => {
                worker.hand_out(due);
                at_once += 1;
            }
            (None, _) => break,
        }
        if at_once == HAND_OUTS_MAX {
            at_once = 0;
            tokio::task::yield_now().await;
        }
    }
    worker.set_all_due();
}

impl Clock {
    /// Returns at `at` (never, for none), or as soon as the worker is poked.
    async fn until(&self, worker: &Worker, at: Option<u64>) {
        let pokes = worker.pokes();
        let Some(at) = at else { return worker.unless_poked(pokes, pending()).await };
        loop {
            let now = worker.now();
            match timer::wait(self.timer, now, at, worker.in_flight()) {
                Wait::Over => return,
                Wait::Sleep(length) => worker.unless_poked(pokes, self.alarm.after(length)).await,
                Wait::Yield => {
                    tokio::task::yield_now().await;
                    worker.saw(now);
                }
            }
            if worker.pokes() != pokes {
                return;
            }
        }
    }
}

impl Worker {
    /// Waits for `future`, but not beyond the next poke after `pokes`.
    async fn unless_poked(&self, pokes: u64, future: impl Future<Output = ()>) {
        let mut future = pin!(future);
        poll_fn(|cx| {
            if self.pokes() != pokes {
                return Poll::Ready(());
            }
            self.poke_here(cx.waker());
            future.as_mut().poll(cx)
        })
        .await;
    }
}
