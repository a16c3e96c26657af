//! What an adapter reports, on its way in: cleaned, each once, and no more of it than a person can use.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use prost::Message as _;

use super::secrets::Secrets;
use super::text;
use crate::model::adapter::{AdapterEvent, Severity};
use crate::proto::meshes::{EventType, EventsResponse};

/// The longest line of an event.
const LINE_BYTES_MAX: usize = 1024;
/// The longest details of an event.
const DETAILS_BYTES_MAX: usize = 64 * 1024;
/// More events in a second are counted and left out.
const PER_SECOND_MAX: u32 = 50;
/// An event that is the same as one so shortly before is told once: some adapters send each twice.
const SAME_WITHIN: Duration = Duration::from_secs(5);
/// So many of the latest events are held against a new one.
const COMPARED: usize = 32;

/// When so many events came in a second, or so many bytes of them, no more are read in it: cleaning them is work as well.
const READ_PER_SECOND_MAX: u32 = 500;
const READ_BYTES_PER_SECOND_MAX: usize = 4 * 1024 * 1024;
/// What is counted is counted and told by this.
const SECOND: Duration = Duration::from_secs(1);

/// Lets through what is worth telling.
#[derive(Debug)]
pub(super) struct Sieve {
    secrets: Secrets,
    latest: VecDeque<(Instant, AdapterEvent)>,
    begun: Instant,
    told: u32,
    read: u32,
    read_bytes: usize,
    left_out: u64,
}

impl Sieve {
    pub(super) fn new(secrets: Secrets, now: Instant) -> Self {
        Self { secrets, latest: VecDeque::new(), begun: now, told: 0, read: 0, read_bytes: 0, left_out: 0 }
    }

    /// What is to be told of a new event: nothing, it, or how many were left out before it as well.
    pub(super) fn take(&mut self, event: EventsResponse, now: Instant) -> Vec<AdapterEvent> {
        let mut told: Vec<AdapterEvent> = self.turn(now).into_iter().collect();
        self.read += 1;
        self.read_bytes += event.encoded_len();
        let event = clean(event, &self.secrets);
        self.latest.retain(|(at, _)| now.duration_since(*at) < SAME_WITHIN);
        if self.latest.iter().any(|(_, latest)| *latest == event) {
            return told;
        }
        if self.told >= PER_SECOND_MAX {
            self.left_out += 1;
            return told;
        }
        self.told += 1;
        self.latest.push_back((now, event.clone()));
        if self.latest.len() > COMPARED {
            self.latest.pop_front();
        }
        told.push(event);
        told
    }

    /// When a new second begins, how many were left out in the one before.
    pub(super) fn turn(&mut self, now: Instant) -> Option<AdapterEvent> {
        if now.duration_since(self.begun) < SECOND {
            return None;
        }
        (self.begun, self.told, self.read, self.read_bytes) = (now, 0, 0, 0);
        self.flood()
    }

    /// How long nothing more is to be read, and how long at most: until what was left out is to be told.
    pub(super) fn pace(&self, now: Instant) -> Pace {
        let rest = SECOND.saturating_sub(now.duration_since(self.begun));
        if self.read >= READ_PER_SECOND_MAX || self.read_bytes >= READ_BYTES_PER_SECOND_MAX {
            Pace::Pause(rest)
        } else if self.left_out > 0 {
            Pace::ReadFor(rest)
        } else {
            Pace::Read
        }
    }

    /// How many were left out, once.
    pub(super) fn flood(&mut self) -> Option<AdapterEvent> {
        let left_out = std::mem::take(&mut self.left_out);
        (left_out > 0).then(|| AdapterEvent {
            severity: Severity::Warning,
            summary: format!("{left_out} more events were left out"),
            details: format!("The adapter sent more than {PER_SECOND_MAX} events in a second."),
            ..AdapterEvent::default()
        })
    }
}

/// How the next event is to be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// As long as it takes.
    Read,
    /// For so long, then the second turns.
    ReadFor(Duration),
    /// Not at all for so long.
    Pause(Duration),
}

fn clean(event: EventsResponse, secrets: &Secrets) -> AdapterEvent {
    let severity = match event.event_type() {
        EventType::Info => Severity::Info,
        EventType::Warn => Severity::Warning,
        EventType::Error => Severity::Error,
    };
    let line = |words: &str| text::line(words, LINE_BYTES_MAX, secrets);
    AdapterEvent {
        severity,
        summary: line(&event.summary),
        details: text::lines(&event.details, DETAILS_BYTES_MAX, secrets),
        operation_id: line(&event.operation_id),
        cause: line(&event.probable_cause),
        remedy: line(&event.suggested_remediation),
        code: line(&event.error_code),
        component: line(&event.component),
        component_name: line(&event.component_name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(summary: &str) -> EventsResponse {
        EventsResponse {
            summary: summary.to_owned(),
            operation_id: "a".to_owned(),
            ..EventsResponse::default()
        }
    }

    #[test]
    fn an_event_that_comes_twice_is_told_once_and_later_again() {
        let now = Instant::now();
        let mut sieve = Sieve::new(Secrets::default(), now);
        assert_eq!(sieve.take(event("one"), now).len(), 1);
        assert_eq!(sieve.take(event("one"), now + Duration::from_secs(1)).len(), 0);
        assert_eq!(sieve.take(event("two"), now + Duration::from_secs(1)).len(), 1);
        assert_eq!(sieve.take(event("one"), now + Duration::from_secs(7)).len(), 1);
    }

    #[test]
    fn a_flood_is_counted_and_said() {
        let now = Instant::now();
        let mut sieve = Sieve::new(Secrets::default(), now);
        let told: usize = (0..1000).map(|number| sieve.take(event(&number.to_string()), now).len()).sum();
        assert_eq!(told, PER_SECOND_MAX as usize);
        let later = sieve.take(event("after"), now + Duration::from_secs(2));
        assert_eq!(later[0].summary, "950 more events were left out");
        assert_eq!((later[1].summary.as_str(), later.len()), ("after", 2));
        assert!(sieve.latest.len() <= COMPARED && sieve.flood().is_none());
    }

    #[test]
    fn a_flood_is_told_when_its_second_is_over_though_nothing_more_comes() {
        let now = Instant::now();
        let mut sieve = Sieve::new(Secrets::default(), now);
        (0..60).for_each(|number| drop(sieve.take(event(&number.to_string()), now)));
        assert_eq!(sieve.pace(now + Duration::from_millis(400)), Pace::ReadFor(Duration::from_millis(600)));
        assert_eq!(sieve.turn(now + Duration::from_millis(999)), None);
        let told = sieve.turn(now + Duration::from_secs(1)).expect("ten were left out");
        assert_eq!(told.summary, "10 more events were left out");
        assert_eq!(sieve.pace(now + Duration::from_secs(1)), Pace::Read);
    }

    #[test]
    fn who_floods_is_read_more_slowly() {
        let now = Instant::now();
        let mut sieve = Sieve::new(Secrets::default(), now);
        for number in 0..READ_PER_SECOND_MAX {
            assert!(!matches!(sieve.pace(now), Pace::Pause(_)), "{number}");
            sieve.take(event(&number.to_string()), now);
        }
        assert_eq!(sieve.pace(now), Pace::Pause(SECOND));
        sieve.turn(now + SECOND);
        let large = EventsResponse { details: "x".repeat(READ_BYTES_PER_SECOND_MAX), ..event("large") };
        sieve.take(large, now + SECOND);
        assert_eq!(sieve.pace(now + SECOND), Pace::Pause(SECOND));
    }

    #[test]
    fn foreign_text_is_harmless_and_an_unknown_kind_is_good_to_know() {
        let hostile = EventsResponse {
            event_type: 99,
            summary: "a\u{1b}[2Jb".to_owned(),
            details: "x".repeat(1 << 20),
            ..EventsResponse::default()
        };
        let told = Sieve::new(Secrets::default(), Instant::now()).take(hostile, Instant::now()).remove(0);
        assert_eq!((told.severity, told.summary.as_str()), (Severity::Info, "a[2Jb"));
        assert!(told.details.len() < DETAILS_BYTES_MAX + 20);
    }
}
