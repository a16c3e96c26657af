//! What one worker has measured since it last told: handed over ten times a second and used again.

use crate::model::run::{ECHOED_STATUS, ErrorClass, Requests, STATUS_ERROR};
use crate::stats::Latency;

use super::grpc::status;

use super::schedule::Due;
use super::tables::Tables;

/// The length of the finest interval, in nanoseconds: 100 ms.
pub(super) const INTERVAL_NANOS: u64 = 100_000_000;
/// Status codes have three digits.
const STATUS_CODES: usize = 1000;
/// Where answers without a status code are counted among those with one: no code is below 100.
const ECHOED: usize = 0;
/// After them come the codes of gRPC.
const CODES: usize = STATUS_CODES + status::NAMES.len();
/// Classes of [`ErrorClass`], and one for answers of 400 and above.
const CLASSES: usize = ErrorClass::ALL.len() + 1;
const STATUS_CLASS: usize = CLASSES - 1;
/// Room for intervals in which requests were due; more are seldom needed.
const DUE_INTERVALS: usize = 64;

/// Failures by class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Errors([u64; CLASSES]);

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Status(u16),
    /// What was sent came back.
    Echoed,
    /// A gRPC call, by its code.
    Grpc(u8),
    Failed(ErrorClass),
    Cancelled,
}

/// How a request ended, with its moments (nanoseconds on the run's clock) and bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) end: End,
    /// When the end of it came.
    pub(super) done: u64,
    /// When we knew, which is later by what it takes to wake us.
    pub(super) known: u64,
    /// When it was sent, and how late work on it began; none when it never was sent.
    pub(super) sent: Option<Sent>,
    pub(super) received_bytes: u64,
    pub(super) trace: Trace,
}

/// What is known of a request beside its outcome; its place in a tally's tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Trace {
    /// Which of the plan's requests it was.
    pub(super) variant: u16,
    /// Which of the target's addresses it went to; none when no connection was made.
    pub(super) address: Option<u16>,
    /// Which of the worker's connections it was sent over.
    pub(super) connection: Option<u32>,
    /// When its first byte came, on the run's clock; none when nothing came.
    pub(super) first_byte: Option<u64>,
    /// How long opening a connection for it took; none where one was open.
    pub(super) opening: Option<Opening>,
    /// How often it was sent in vain before, to a connection that was over or a target that did not touch it.
    pub(super) resent: u8,
}

/// How long the steps of opening a connection took, in nanoseconds; none of a step that was not taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Opening {
    pub(super) dns: Option<u64>,
    pub(super) connect: Option<u64>,
    pub(super) tls: Option<u64>,
}

/// When a request was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) at: u64,
    pub(super) lag: u64,
    pub(super) bytes: u64,
}

/// Counts and histograms.
#[derive(Debug)]
pub(super) struct Tally {
    /// The interval of the outcomes, from the first counted due time.
    pub(super) interval: u64,
    pub(super) counted: Requests,
    pub(super) warmup: Requests,
    pub(super) errors: Errors,
    pub(super) status: Vec<u64>,
    pub(super) response: Latency,
    pub(super) service: Latency,
    pub(super) lag: Latency,
    pub(super) tables: Tables,
    pub(super) sent_bytes: u64,
    pub(super) received_bytes: u64,
    pub(super) opened: u64,
    pub(super) waited: u64,
    pub(super) resent: u64,
    /// Interval and number of counted requests due in it, ascending.
    pub(super) due: Vec<(u64, u64)>,
    /// Last counted due time and answer, on the run's clock; 0 for none.
    pub(super) last_due: u64,
    pub(super) last_answer: u64,
    pub(super) in_flight: u64,
    /// All of whose outcome we knew before this moment, on the run's clock, is in this tally or an earlier one.
    pub(super) until: u64,
    /// Processor time of the worker as a share of its elapsed time.
    pub(super) cpu_share: Option<f64>,
    /// Whether nothing more will be due.
    pub(super) all_due: bool,
    /// Whether the run was stopped.
    pub(super) stopped: bool,
}

impl Trace {
    /// How long opening a connection took before the request was sent. What was opened to send it again is part of the
    /// time since it was sent first.
    pub(super) fn opened_before_sent(&self) -> Option<Opening> {
        self.opening.filter(|_| self.resent == 0)
    }
}

impl Outcome {
    /// Of a request that was never sent.
    pub(super) fn unsent(end: End, done: u64) -> Self {
        Self { end, done, known: done, sent: None, received_bytes: 0, trace: Trace::default() }
    }

    pub(super) fn overflow(done: u64) -> Self {
        Self::unsent(End::Failed(ErrorClass::Overflow), done)
    }

    pub(super) fn cancelled(done: u64) -> Self {
        Self::unsent(End::Cancelled, done)
    }

    /// Whether it is counted among the failures.
    #[inline]
    pub(super) fn is_failure(&self) -> bool {
        match self.end {
            End::Status(status) => status >= 400,
            End::Grpc(code) => code != status::OK,
            End::Failed(_) => true,
            End::Echoed | End::Cancelled => false,
        }
    }

    /// Whether a whole answer came.
    #[inline]
    pub(super) fn is_answer(&self) -> bool {
        matches!(self.end, End::Status(_) | End::Echoed | End::Grpc(_))
    }
}

/// What a place among the counts of [`Tally::status`] stands for: `200`, `echoed`, `UNAVAILABLE`.
pub(super) fn status_name(code: usize) -> String {
    if code == ECHOED {
        return ECHOED_STATUS.to_owned();
    }
    let of_grpc = code.checked_sub(STATUS_CODES).and_then(|code| status::NAMES.get(code));
    of_grpc.map_or_else(|| code.to_string(), |name| (*name).to_owned())
}

impl Errors {
    fn add(&mut self, class: ErrorClass) {
        // The order of `ALL` is the order of the variants.
        self.0[class as usize] += 1;
    }

    fn add_status(&mut self) {
        self.0[STATUS_CLASS] += 1;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (sum, count) in self.0.iter_mut().zip(other.0) {
            *sum += count;
        }
    }

    /// Names and counts of the classes that occurred.
    pub(super) fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let names = ErrorClass::ALL.iter().map(|class| class.name()).chain([STATUS_ERROR]);
        names.zip(self.0).filter(|(_, count)| *count > 0)
    }
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            interval: 0,
            counted: Requests::default(),
            warmup: Requests::default(),
            errors: Errors::default(),
            status: vec![0; CODES],
            response: Latency::new(),
            service: Latency::new(),
            lag: Latency::new(),
            tables: Tables::new(),
            sent_bytes: 0,
            received_bytes: 0,
            opened: 0,
            waited: 0,
            resent: 0,
            due: Vec::with_capacity(DUE_INTERVALS),
            last_due: 0,
            last_answer: 0,
            in_flight: 0,
            until: 0,
            cpu_share: None,
            all_due: false,
            stopped: false,
        }
    }

    /// As new, with the memory it has.
    pub(super) fn clear(&mut self) {
        let mut kept = std::mem::take(&mut self.status);
        kept.fill(0);
        let mut due = std::mem::take(&mut self.due);
        due.clear();
        for latency in [&mut self.response, &mut self.service, &mut self.lag] {
            if !latency.is_empty() {
                latency.clear();
            }
        }
        self.tables.clear();
        self.status = kept;
        self.due = due;
        self.interval = 0;
        self.counted = Requests::default();
        self.warmup = Requests::default();
        self.errors = Errors::default();
        (self.sent_bytes, self.received_bytes) = (0, 0);
        (self.opened, self.waited, self.resent) = (0, 0, 0);
        (self.last_due, self.last_answer, self.in_flight, self.until) = (0, 0, 0, 0);
        self.cpu_share = None;
        (self.all_due, self.stopped) = (false, false);
    }

    /// A request is due; `origin` is when counting begins.
    #[inline]
    pub(super) fn note_due(&mut self, due: Due, origin: u64) {
        if !due.counted {
            self.warmup.due += 1;
            return;
        }
        self.counted.due += 1;
        self.last_due = self.last_due.max(due.at);
        let interval = due.at.saturating_sub(origin) / INTERVAL_NANOS;
        match self.due.last_mut() {
            Some((last, count)) if *last == interval => *count += 1,
            _ => self.due.push((interval, 1)),
        }
    }

    /// A request that was due has its outcome.
    #[inline]
    pub(super) fn note(&mut self, due: Due, outcome: &Outcome) {
        if let Some(opening) = &outcome.trace.opening {
            self.tables.note_opening(outcome.trace.connection, opening);
        }
        let requests = if due.counted { &mut self.counted } else { &mut self.warmup };
        match outcome.end {
            End::Status(status) => {
                requests.answered += 1;
                requests.failed += u64::from(status >= 400);
            }
            End::Echoed => requests.answered += 1,
            End::Grpc(code) => {
                requests.answered += 1;
                requests.failed += u64::from(code != status::OK);
            }
            End::Failed(_) => requests.failed += 1,
            End::Cancelled => requests.cancelled += 1,
        }
        if !due.counted {
            return;
        }
        self.received_bytes += outcome.received_bytes;
        self.resent += u64::from(outcome.trace.resent > 0);
        if let Some(sent) = outcome.sent {
            self.sent_bytes += sent.bytes;
        }
        match outcome.end {
            End::Status(status) => {
                self.status[usize::from(status).min(STATUS_CODES - 1)] += 1;
                if status >= 400 {
                    self.errors.add_status();
                }
                self.last_answer = self.last_answer.max(outcome.done);
            }
            End::Echoed => {
                self.status[ECHOED] += 1;
                self.last_answer = self.last_answer.max(outcome.done);
            }
            End::Grpc(code) => {
                let code = usize::from(code).min(CODES - 1 - STATUS_CODES);
                self.status[STATUS_CODES + code] += 1;
                if code != usize::from(status::OK) {
                    self.errors.add_status();
                }
                self.last_answer = self.last_answer.max(outcome.done);
            }
            End::Failed(class) => self.errors.add(class),
            End::Cancelled => return,
        }
        self.tables.note(due, outcome, &self.response, &self.service);
        self.response.record_nanos(outcome.done.saturating_sub(due.at));
        if let Some(sent) = outcome.sent {
            self.service.record_nanos(outcome.done.saturating_sub(sent.at));
            self.lag.record_nanos(sent.lag);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_numbered_as_they_are_listed() {
        for (at, class) in ErrorClass::ALL.into_iter().enumerate() {
            assert_eq!(class as usize, at);
        }
    }

    #[test]
    fn a_cleared_tally_is_as_new() {
        let mut tally = Tally::new();
        let due = Due { at: 5, counted: true, stage: 0 };
        for end in [End::Status(503), End::Failed(ErrorClass::Reset), End::Cancelled] {
            tally.note_due(due, 0);
            let sent = Some(Sent { at: 6, lag: 1, bytes: 10 });
            tally.note(
                due,
                &Outcome { end, done: 900, known: 900, sent, received_bytes: 3, trace: Trace::default() },
            );
        }
        assert_eq!(tally.counted, Requests { due: 3, answered: 1, failed: 2, cancelled: 1 });
        assert_eq!(tally.errors.named().collect::<Vec<_>>(), [("reset", 1), ("status", 1)]);
        assert_eq!((tally.response.count(), tally.service.count(), tally.lag.count()), (2, 2, 2));
        tally.clear();
        let new = Tally::new();
        assert_eq!((tally.counted, tally.warmup, &tally.errors), (new.counted, new.warmup, &new.errors));
        assert_eq!((&tally.status, &tally.due), (&new.status, &new.due));
        assert_eq!((tally.sent_bytes, tally.received_bytes, tally.last_due, tally.last_answer), (0, 0, 0, 0));
        for latency in [&tally.response, &tally.service, &tally.lag] {
            assert_eq!((latency.quantiles(), latency.recorded().count()), (new.lag.quantiles(), 0));
        }
    }

    #[test]
    fn the_warmup_is_counted_apart() {
        let mut tally = Tally::new();
        let due = Due { at: 5, counted: false, stage: 0 };
        tally.note_due(due, 100);
        let outcome = Outcome { received_bytes: 3, ..Outcome::unsent(End::Status(200), 9) };
        tally.note(due, &outcome);
        assert_eq!(tally.warmup, Requests { due: 1, answered: 1, failed: 0, cancelled: 0 });
        assert_eq!(tally.counted, Requests::default());
        assert_eq!((tally.received_bytes, tally.response.count(), tally.due.len()), (0, 0, 0));
    }
}
