//! Hands out requests when they are due.

use std::rc::Rc;
use std::time::Duration;

use super::schedule::{Due, Schedule};
use super::timer::Alarm;
use super::worker::{Stage, Worker};

/// Requests that are handed out at once when many are due; then the slots have their turn.
const HAND_OUTS_MAX: u32 = 64;

/// Hands out requests when they are due. Due times are absolute, so lateness never adds up.
pub(super) async fn pace(worker: Rc<Worker>, schedule: Schedule, alarm: Alarm) {
    let start = worker.start();
    let mut at_once = 0;
    for due in schedule {
        let due = Due { at: start.saturating_add(due.at), counted: due.counted };
        loop {
            if worker.stage() != Stage::Running {
                return;
            }
            let now = worker.now();
            if now >= due.at {
                break;
            }
            at_once = 0;
            if alarm.after(Duration::from_nanos(due.at - now)).await.is_err() {
                // Busier, but a run goes on.
                tokio::task::yield_now().await;
            }
        }
        worker.hand_out(due);
        at_once += 1;
        if at_once == HAND_OUTS_MAX {
            at_once = 0;
            tokio::task::yield_now().await;
        }
    }
    worker.set_all_due();
}
