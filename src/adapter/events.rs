//! What an adapter reports, on its way in: cleaned, each once, and no more of it than a person can use.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

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

/// Lets through what is worth telling.
#[derive(Debug, Default)]
pub(super) struct Sieve {
    latest: VecDeque<(Instant, AdapterEvent)>,
    second: Option<Instant>,
    told: u32,
    left_out: u64,
}

impl Sieve {
    /// What is to be told of a new event: nothing, it, or how many were left out before it as well.
    pub(super) fn take(&mut self, event: EventsResponse, now: Instant) -> Vec<AdapterEvent> {
        let event = clean(event);
        let mut told = Vec::new();
        if self.second.is_none_or(|begun| now.duration_since(begun) >= Duration::from_secs(1)) {
            told.extend(self.flood());
            (self.second, self.told) = (Some(now), 0);
        }
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

fn clean(event: EventsResponse) -> AdapterEvent {
    let severity = match event.event_type() {
        EventType::Info => Severity::Info,
        EventType::Warn => Severity::Warning,
        EventType::Error => Severity::Error,
    };
    let line = |words: &str| text::line(words, LINE_BYTES_MAX);
    AdapterEvent {
        severity,
        summary: line(&event.summary),
        details: text::lines(&event.details, DETAILS_BYTES_MAX),
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
        let (mut sieve, now) = (Sieve::default(), Instant::now());
        assert_eq!(sieve.take(event("one"), now).len(), 1);
        assert_eq!(sieve.take(event("one"), now + Duration::from_secs(1)).len(), 0);
        assert_eq!(sieve.take(event("two"), now + Duration::from_secs(1)).len(), 1);
        assert_eq!(sieve.take(event("one"), now + Duration::from_secs(7)).len(), 1);
    }

    #[test]
    fn a_flood_is_counted_and_said() {
        let (mut sieve, now) = (Sieve::default(), Instant::now());
        let told: usize = (0..1000).map(|number| sieve.take(event(&number.to_string()), now).len()).sum();
        assert_eq!(told, PER_SECOND_MAX as usize);
        let later = sieve.take(event("after"), now + Duration::from_secs(2));
        assert_eq!(later[0].summary, "950 more events were left out");
        assert_eq!((later[1].summary.as_str(), later.len()), ("after", 2));
        assert!(sieve.latest.len() <= COMPARED && sieve.flood().is_none());
    }

    #[test]
    fn foreign_text_is_harmless_and_an_unknown_kind_is_good_to_know() {
        let hostile = EventsResponse {
            event_type: 99,
            summary: "a\u{1b}[2Jb".to_owned(),
            details: "x".repeat(1 << 20),
            ..EventsResponse::default()
        };
        let told = Sieve::default().take(hostile, Instant::now()).remove(0);
        assert_eq!((told.severity, told.summary.as_str()), (Severity::Info, "a[2Jb"));
        assert!(told.details.len() < DETAILS_BYTES_MAX + 20);
    }
}
