//! Changing a run while it goes: what was asked for, and from when on every worker acts on it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::schedule::nanos;
use crate::model::number;
use crate::model::run::{MARK_TEXT_MAX, MARKS_MAX, Mark, MarkKind};

/// The least that a rate can be multiplied by.
pub const FACTOR_MIN: f64 = 0.001;
/// The most that a rate can be multiplied by.
pub const FACTOR_MAX: f64 = 1000.0;
/// A change takes effect this much later, so that every worker knows of it before.
const AHEAD: Duration = Duration::from_millis(5);
/// The most changes of one run; a person who made more would have pressed a button for hours.
const CHANGES_MAX: usize = 10_000;
/// Units of a factor in 1.
pub(super) const FACTOR_UNITS: u64 = 1_000_000;

/// Steers a run from another thread: ends it, pauses it, changes its rate. Clones steer the same run.
#[derive(Clone, Debug)]
pub struct Control(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    stopped: watch::Sender<bool>,
    /// Tells that the log has changed, to whoever waits.
    changed: watch::Sender<()>,
    /// As long as the log, for whoever looks often.
    version: AtomicU64,
    log: Mutex<Log>,
    epoch: OnceLock<Instant>,
}

/// What was asked for in one run; moments are nanoseconds on its clock.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    /// Ascending.
    pub(super) changes: Vec<Change>,
    notes: Vec<(u64, String)>,
}

/// Something else from a moment on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) at: u64,
    pub(super) what: Steer,
}

/// What changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Steer {
    /// The plan's rate is multiplied by this many millionths.
    Factor(u64),
    /// Nothing more is due, and time stands still.
    Pause,
    Resume,
}

impl Control {
    /// Of a run that has not begun.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Shared {
            stopped: watch::Sender::new(false),
            changed: watch::Sender::new(()),
            version: AtomicU64::new(0),
            log: Mutex::default(),
            epoch: OnceLock::new(),
        }))
    }

    /// Ends the run now: what is in flight or waiting is cancelled.
    pub fn stop(&self) {
        self.0.stopped.send_replace(true);
    }

    /// Whether it was stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        *self.0.stopped.borrow()
    }

    /// Multiplies the plan's rate from now on; 1 is as planned. Held within [`FACTOR_MIN`] and [`FACTOR_MAX`];
    /// without meaning in a closed loop.
    pub fn set_factor(&self, factor: f64) {
        if factor.is_nan() {
            return;
        }
        let units = (factor.clamp(FACTOR_MIN, FACTOR_MAX) * FACTOR_UNITS as f64).round() as u64;
        self.change(|log| (log.factor(u64::MAX) != units).then_some(Steer::Factor(units)));
    }

    /// Nothing more is due until [`Self::resume`]; what is due or under way goes on. The time until then does
    /// not count towards a duration.
    pub fn pause(&self) {
        self.change(|log| (!log.is_paused(u64::MAX)).then_some(Steer::Pause));
    }

    /// Goes on where [`Self::pause`] came.
    pub fn resume(&self) {
        self.change(|log| log.is_paused(u64::MAX).then_some(Steer::Resume));
    }

    /// Puts a mark at this moment; at most [`MARKS_MAX`] are kept, and [`MARK_TEXT_MAX`] characters of each.
    pub fn mark(&self, text: &str) {
        let at = self.now();
        let mut log = self.lock();
        if log.notes.len() < MARKS_MAX {
            let text = text.chars().map(|c| if c.is_control() { ' ' } else { c });
            log.notes.push((at, text.take(MARK_TEXT_MAX).collect()));
        }
    }

    /// The run's clock begins here.
    pub(super) fn begin(&self, epoch: Instant) {
        // A second run under the same control would keep the clock of the first.
        let _ = self.0.epoch.set(epoch);
    }

    pub(super) fn log(&self) -> Log {
        self.lock().clone()
    }

    /// Grows with every change.
    #[inline]
    pub(super) fn version(&self) -> u64 {
        self.0.version.load(Ordering::Acquire)
    }

    /// Tells of every change from now on.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.0.changed.subscribe()
    }

    /// Returns once the run was stopped.
    pub(super) async fn stopped(&self) {
        // An error would mean that the sender is gone; `self` holds it.
        let _ = self.0.stopped.subscribe().wait_for(|stopped| *stopped).await;
    }

    fn change(&self, what: impl FnOnce(&Log) -> Option<Steer>) {
        let mut log = self.lock();
        let Some(what) = what(&log).filter(|_| log.changes.len() < CHANGES_MAX) else { return };
        let ahead = if self.0.epoch.get().is_some() { nanos(AHEAD) } else { 0 };
        let last = log.changes.last().map_or(0, |last| last.at);
        log.changes.push(Change { at: (self.now() + ahead).max(last), what });
        self.0.version.store(log.changes.len() as u64, Ordering::Release);
        drop(log);
        self.0.changed.send_replace(());
    }

    fn now(&self) -> u64 {
        self.0.epoch.get().map_or(0, |epoch| nanos(epoch.elapsed()))
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        // Nothing in here can be left half done.
        self.0.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Control {
    fn default() -> Self {
        Self::new()
    }
}

impl Log {
    /// What was asked for before the first due time holds from there.
    pub(super) fn held_from(mut self, start: u64) -> Self {
        for change in &mut self.changes {
            change.at = change.at.max(start);
        }
        self
    }

    /// The factor, in millionths, that holds at a moment.
    pub(super) fn factor(&self, at: u64) -> u64 {
        let so_far = self.changes.iter().take_while(|change| change.at <= at);
        let factors = so_far.filter_map(|change| match change.what {
            Steer::Factor(factor) => Some(factor),
            Steer::Pause | Steer::Resume => None,
        });
        factors.last().unwrap_or(FACTOR_UNITS)
    }

    /// Whether the rate was ever another than planned.
    pub(super) fn has_factor(&self) -> bool {
        self.changes.iter().any(|change| matches!(change.what, Steer::Factor(_)))
    }

    pub(super) fn is_paused(&self, at: u64) -> bool {
        self.pauses().any(|(from, until)| from <= at && until.is_none_or(|until| at < until))
    }

    /// The moment without the pauses before it: what a clock shows that stands still during them.
    pub(super) fn active(&self, at: u64) -> u64 {
        at - self.paused_between(0, at)
    }

    /// How much was paused before a moment, and whether it is paused then.
    #[inline]
    pub(super) fn pause_at(&self, at: u64) -> (u64, bool) {
        if self.changes.is_empty() { (0, false) } else { (self.paused_between(0, at), self.is_paused(at)) }
    }

    /// The moment at which such a clock shows `active` and goes on; none while a pause has no end.
    pub(super) fn moment(&self, active: u64) -> Option<u64> {
        let mut at = active;
        for (from, until) in self.pauses() {
            if from > at {
                break;
            }
            at = at.saturating_add(until? - from);
        }
        Some(at)
    }

    /// The first moment at which such a clock shows `active`; as seen from `now` while a pause has no end.
    pub(super) fn first_moment(&self, active: u64, now: u64) -> u64 {
        let mut at = active;
        for (from, until) in self.pauses() {
            if from >= at {
                break;
            }
            at = at.saturating_add(until.unwrap_or(now).saturating_sub(from));
        }
        at
    }

    /// How much of a stretch was paused.
    pub(super) fn paused_between(&self, from: u64, until: u64) -> u64 {
        let within = |at: u64| at.clamp(from, until.max(from));
        self.pauses().map(|(begin, end)| within(end.unwrap_or(until)).saturating_sub(within(begin))).sum()
    }

    /// For the record; `origin` is when counting begins.
    pub(super) fn marks(&self, origin: u64) -> Vec<Mark> {
        let notes = self.notes.iter().map(|(at, text)| (*at, MarkKind::Note, text.clone()));
        let changes = self.changes.iter().map(|change| match change.what {
            Steer::Factor(factor) => {
                let times = number::significant(factor as f64 / FACTOR_UNITS as f64);
                (change.at, MarkKind::Rate, format!("Rate × {times}"))
            }
            Steer::Pause => (change.at, MarkKind::Pause, "Paused".to_owned()),
            Steer::Resume => (change.at, MarkKind::Resume, "Resumed".to_owned()),
        });
        let mut marks: Vec<Mark> = notes
            .chain(changes.take(MARKS_MAX))
            .map(|(at, kind, text)| Mark { at_s: (at as f64 - origin as f64) / 1e9, kind, text })
            .collect();
        marks.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        marks
    }

    /// Beginnings and ends, ascending; the last one may have no end.
    fn pauses(&self) -> impl Iterator<Item = (u64, Option<u64>)> + '_ {
        let mut changes = self.changes.iter();
        std::iter::from_fn(move || {
            let from = changes.find(|change| change.what == Steer::Pause)?.at;
            Some((from, changes.find(|change| change.what == Steer::Resume).map(|change| change.at)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(changes: &[(u64, Steer)]) -> Log {
        let changes = changes.iter().map(|(at, what)| Change { at: *at, what: *what }).collect();
        Log { changes, notes: Vec::new() }
    }

    #[test]
    fn a_clock_stands_still_while_paused() {
        let log = log(&[(10, Steer::Pause), (15, Steer::Factor(5)), (30, Steer::Resume), (40, Steer::Pause)]);
        for (at, active) in [(0, 0), (10, 10), (29, 10), (30, 10), (35, 15), (40, 20), (90, 20)] {
            assert_eq!(log.active(at), active, "{at}");
        }
        for (active, at) in [(9, Some(9)), (10, Some(30)), (19, Some(39)), (20, None), (99, None)] {
            assert_eq!(log.moment(active), at, "{active}");
        }
        assert_eq!(
            (log.first_moment(10, 50), log.first_moment(11, 50), log.first_moment(21, 50)),
            (10, 31, 51)
        );
        assert_eq!(log.paused_between(20, 45), 15);
        assert_eq!((log.pause_at(29), log.pause_at(35)), ((19, true), (20, false)));
        assert_eq!(Log::default().pause_at(35), (0, false));
        assert!(log.is_paused(10) && !log.is_paused(30) && log.is_paused(1000));
        assert_eq!((log.factor(14), log.factor(15)), (FACTOR_UNITS, 5));
    }

    #[test]
    fn what_changes_nothing_is_no_change() {
        let control = Control::new();
        control.resume();
        control.set_factor(1.0);
        control.set_factor(f64::NAN);
        assert_eq!(control.version(), 0);
        control.pause();
        control.pause();
        control.set_factor(1e9);
        control.resume();
        let whats: Vec<Steer> = control.log().changes.iter().map(|change| change.what).collect();
        assert_eq!(whats, [Steer::Pause, Steer::Factor(1_000_000_000), Steer::Resume]);
    }

    #[test]
    fn marks_have_bounds_and_are_in_order() {
        let control = Control::new();
        control.begin(Instant::now());
        control.mark(&"long\n".repeat(1000));
        control.pause();
        for _ in 0..2 * MARKS_MAX {
            control.mark("again");
        }
        let marks = control.log().marks(0);
        assert_eq!(marks.len(), MARKS_MAX + 1);
        assert_eq!((marks[0].text.chars().count(), marks[0].text.contains('\n')), (MARK_TEXT_MAX, false));
        assert!(marks.windows(2).all(|pair| pair[0].at_s <= pair[1].at_s));
    }
}
