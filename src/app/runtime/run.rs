//! The thread of a run: carries out the plan, writes a checkpoint each second, makes the record.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::app::event::{Event, Progress};
use crate::app::job::Steer;
use crate::app::record::{self, Detail};
use crate::app::state::Phase;
use crate::load::{self, Control, Measured};
use crate::model::{Plan, RunId};

use super::Outbox;
use super::store::Desk;

/// How much of a run a crash may lose.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);

/// A run that is going.
pub(super) struct RunThread {
    control: Control,
    /// Ends when the thread does; nothing is ever sent.
    alive: Receiver<()>,
}

impl RunThread {
    pub(super) fn start(id: RunId, plan: Plan, options: load::Options, store: Desk, outbox: Outbox) -> Self {
        let control = Control::new();
        let work =
            Work { id, plan, options, cpus: cpus(), control: control.clone(), store, outbox: outbox.clone() };
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
        Self { control, alive }
    }

    pub(super) fn stop(&self) {
        self.control.stop();
    }

    pub(super) fn steer(&self, steer: Steer) {
        match steer {
            Steer::Factor(factor) => self.control.set_factor(factor),
            Steer::Pause => self.control.pause(),
            Steer::Resume => self.control.resume(),
            Steer::Mark(text) => self.control.mark(&text),
        }
    }

    /// Waits for the end of the thread, but not beyond `deadline`; whether it has ended.
    pub(super) fn join(&self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        self.alive.recv_timeout(left) == Err(RecvTimeoutError::Disconnected)
    }
}

struct Work {
    id: RunId,
    plan: Plan,
    options: load::Options,
    cpus: u32,
    control: Control,
    store: Desk,
    outbox: Outbox,
}

impl Work {
    fn carry_out(self) {
        // The first comes with the first news, so that even a run of a moment leaves its trace.
        let mut due = Duration::ZERO;
        let mut watch = |measured: &Measured| {
            self.outbox.offer(Event::RunProgress(Box::new(self.progress(measured))));
            if measured.phase != load::Phase::Connecting && measured.since_start >= due {
                due = measured.since_start + CHECKPOINT_EVERY;
                self.checkpoint(measured);
            }
        };
        match load::run(&self.plan, &self.options, &self.control, &mut watch) {
            Ok(measured) => {
                let run = Arc::new(record::run(self.id, &self.plan, &measured, Detail::Full, self.cpus));
                self.outbox.send(Event::RunEnded(Arc::clone(&run)));
                self.store.ask(move |shelf, outbox| shelf.save_run(run, outbox));
            }
            Err(error) => {
                let id = self.id;
                self.outbox.send(Event::RunFailed { id, reason: chain(&error) });
                self.store.ask(move |shelf, _| shelf.discard_checkpoint(id));
            }
        }
    }

    fn progress(&self, measured: &Measured) -> Progress {
        Progress {
            id: self.id,
            phase: match measured.phase {
                load::Phase::Connecting => Phase::Connecting,
                load::Phase::Warmup => Phase::Warmup,
                load::Phase::Measuring => Phase::Measuring,
                load::Phase::Draining | load::Phase::Done => Phase::Draining,
            },
            so_far: Arc::new(record::run(self.id, &self.plan, measured, Detail::Live, self.cpus)),
            elapsed: measured.since_start,
            progress: measured.progress,
            remaining: measured.remaining,
            in_flight: measured.in_flight,
            factor: measured.factor,
            is_paused: measured.is_paused,
        }
    }

    /// A slow disk drops checkpoints rather than hold up the measurement: the next holds all of this one.
    fn checkpoint(&self, measured: &Measured) {
        let run = record::checkpoint(self.id, &self.plan, measured, self.cpus);
        self.store.try_ask(move |shelf, _| shelf.checkpoint(&run));
    }
}

fn cpus() -> u32 {
    std::thread::available_parallelism().map_or(1, |count| count.get() as u32)
}

/// An error with its causes, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let words = inner.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = inner.source();
    }
    text
}
