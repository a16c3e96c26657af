//! Which adapters a person uses, and what was done with them: kept on disk.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{AdapterEvent, Operation, OperationRequest, Severity};
use crate::model::cluster::ContextKey;
use crate::model::plan::ServiceTarget;

/// The version of [`AdapterBook`] that is written.
pub const ADAPTER_BOOK_VERSION: u32 = 1;
/// The most adapters that are kept in mind.
pub const ADAPTERS_MAX: usize = 64;
/// The most operations that are kept, the latest.
pub const OPERATIONS_MAX: usize = 200;
/// The most events of adapters that are kept, the latest.
pub const EVENTS_MAX: usize = 500;
/// Longer details of an event are cut before they are kept, in characters.
pub const DETAILS_CHARS_KEPT_MAX: usize = 4000;
/// The most reports of one operation that are kept, the latest.
pub const REPORTS_MAX: usize = 100;
/// What our own adapter reports while an operation goes on, by this code: it is not its end.
pub const GOING_ON: &str = "going-on";
/// An operation of which nothing was heard for so many seconds is said to be silent: the contract has no way to ask.
pub const SILENT_S: i64 = 300;

/// Adapters and operations, as they are kept on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AdapterBook {
    /// [`ADAPTER_BOOK_VERSION`].
    pub version: u32,
    /// Adapters that a person added, in that order; the built-in one is always there and not among them.
    pub adapters: Vec<KnownAdapter>,
    /// Operations, the latest first.
    pub operations: Vec<OperationRecord>,
    /// What adapters reported, the latest last.
    pub events: Vec<Reported>,
}

/// Something that an adapter reported, and whether a person has seen it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// Which adapter.
    pub adapter: AdapterId,
    /// What it was called.
    pub adapter_name: String,
    /// When it came.
    pub at: Timestamp,
    /// What.
    pub event: AdapterEvent,
    /// Whether it was on show since.
    #[serde(default)]
    pub is_read: bool,
}

/// Which adapter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AdapterId(pub Uuid);

/// An adapter that a person added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownAdapter {
    /// Identity.
    pub id: AdapterId,
    /// What it is called here; empty for its own name.
    #[serde(default)]
    pub name: String,
    /// Where it is.
    pub place: AdapterPlace,
    /// Whether a person agreed to send logins of clusters to this very address without TLS.
    #[serde(default)]
    pub may_have_logins: bool,
}

/// Where an adapter is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdapterPlace {
    /// At an address: `localhost:10000`, `https://adapter.test:443`.
    Address(String),
    /// Behind a Service of a cluster, through its API server.
    Service {
        /// In which cluster.
        context: ContextKey,
        /// Where the Service is.
        namespace: String,
        /// Its name.
        name: String,
        /// Its port.
        port: u16,
    },
}

/// Something that an adapter was asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationRecord {
    /// What was asked; without the body where that was long.
    pub request: OperationRequest,
    /// Of which adapter.
    pub adapter: AdapterId,
    /// What the adapter was called.
    pub adapter_name: String,
    /// The operation, as the adapter offered it.
    pub operation: Operation,
    /// In which contexts.
    pub contexts: Vec<ContextKey>,
    /// When it was asked; none until it was.
    #[serde(default)]
    pub started: Option<Timestamp>,
    /// How it stands.
    pub state: OperationState,
    /// What was reported of it, the latest last.
    #[serde(default)]
    pub reports: Vec<Report>,
}

/// How an operation stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationState {
    /// Another operation of the same adapter goes on: it is asked for after that.
    Waiting,
    /// It is going on, as far as is known.
    #[default]
    Running,
    /// The adapter said that it is done.
    Succeeded,
    /// The adapter said that it is not.
    Failed,
    /// It was never asked for: withdrawn, or the program ended before its turn.
    Withdrawn,
    /// The program ended, or the adapter was lost, before it was heard how it ended.
    Unknown,
}

/// Something that was reported, and when it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: AdapterEvent,
}

impl Default for AdapterBook {
    fn default() -> Self {
        Self {
            version: ADAPTER_BOOK_VERSION,
            adapters: Vec::new(),
            operations: Vec::new(),
            events: Vec::new(),
        }
    }
}

impl AdapterBook {
    /// Takes a report in; whether it belongs to an operation that is known.
    pub fn report(&mut self, adapter: AdapterId, at: Timestamp, event: &AdapterEvent) -> bool {
        let is_it = |record: &&mut OperationRecord| {
            record.adapter == adapter
                && !event.operation_id.is_empty()
                && record.request.id == event.operation_id
        };
        let Some(record) = self.operations.iter_mut().find(is_it) else { return false };
        record.take(Report { at, event: event.clone() });
        true
    }

    /// Keeps what an adapter reported, as many as are kept, and not more of its details than are.
    pub fn hear(&mut self, mut reported: Reported) {
        let details = &mut reported.event.details;
        if let Some((end, _)) = details.char_indices().nth(DETAILS_CHARS_KEPT_MAX) {
            details.truncate(end);
            details.push('…');
        }
        self.events.push(reported);
        let beyond = self.events.len().saturating_sub(EVENTS_MAX);
        self.events.drain(..beyond);
    }

    /// Events that were not on show yet.
    #[must_use]
    pub fn unread(&self) -> usize {
        self.events.iter().filter(|event| !event.is_read).count()
    }

    /// Whether an operation of this adapter goes on, and was heard of lately: another must wait.
    #[must_use]
    pub fn is_busy(&self, adapter: AdapterId, now: Option<Timestamp>) -> bool {
        let is_silent = |record: &OperationRecord| {
            now.and_then(|now| record.silent_s(now)).is_some_and(|silent| silent >= SILENT_S)
        };
        self.operations.iter().any(|record| {
            record.adapter == adapter && record.state == OperationState::Running && !is_silent(record)
        })
    }

    /// Keeps an operation, the latest first, and as many as are kept.
    pub fn begin(&mut self, record: OperationRecord) {
        self.operations.insert(0, record);
        self.operations.truncate(OPERATIONS_MAX);
    }

    /// What was going on when the program ended: nobody will tell how it ended. What was waiting never began.
    pub fn lose_track(&mut self) {
        for record in &mut self.operations {
            record.state = match record.state {
                OperationState::Running => OperationState::Unknown,
                OperationState::Waiting => OperationState::Withdrawn,
                ended => ended,
            };
        }
    }
}

impl OperationRecord {
    /// A report counts by its weight: an error is a failure, whatever came before; good news ends what goes on; a warning,
    /// and what is said to be on the way, ends nothing.
    pub fn take(&mut self, report: Report) {
        match report.event.severity {
            Severity::Error => self.state = OperationState::Failed,
            Severity::Info if report.event.code != GOING_ON && self.state != OperationState::Failed => {
                self.state = OperationState::Succeeded;
            }
            Severity::Info | Severity::Warning => {}
        }
        self.reports.push(report);
        let beyond = self.reports.len().saturating_sub(REPORTS_MAX);
        self.reports.drain(..beyond);
    }

    /// For how long nothing was heard of it, in seconds; none once it ended or before it began.
    #[must_use]
    pub fn silent_s(&self, now: Timestamp) -> Option<i64> {
        let last = self.reports.last().map(|report| report.at).or(self.started)?;
        (self.state == OperationState::Running).then(|| (now.as_second() - last.as_second()).max(0))
    }
}

/// What begins a Service that is written as one.
const SERVICE: &str = "svc/";

impl AdapterPlace {
    /// Reads `localhost:10000`, `https://adapter.test`, or `svc/NAMESPACE/NAME:PORT` for a Service of this context.
    ///
    /// # Errors
    /// How a Service is written, or that no context was chosen.
    pub fn parse(text: &str, context: Option<&ContextKey>) -> Result<Self, String> {
        let text = text.trim();
        let Some(service) = text.strip_prefix(SERVICE) else { return Ok(Self::Address(text.to_owned())) };
        let (namespace, name, port) = ServiceTarget::place(service).ok_or(
            "Write a Service as svc/NAMESPACE/NAME:PORT, for example svc/meshery/meshery-istio:10000",
        )?;
        let context =
            context.ok_or("Choose a context first, on the Clusters page: the Service is in that cluster")?;
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        Ok(Self::Service { context: context.clone(), namespace, name, port })
    }

    /// As people write it.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Address(address) => address.clone(),
            Self::Service { context, namespace, name, port } => {
                format!("svc/{namespace}/{name}:{port} in {}", context.name)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn event(severity: Severity, code: &str) -> AdapterEvent {
        AdapterEvent {
            severity,
            code: code.to_owned(),
            operation_id: "one".to_owned(),
            ..AdapterEvent::default()
        }
    }

    fn book() -> AdapterBook {
        let mut book = AdapterBook::default();
        book.begin(OperationRecord {
            request: OperationRequest { id: "one".to_owned(), ..OperationRequest::default() },
            adapter: AdapterId::default(),
            adapter_name: "istio".to_owned(),
            operation: Operation::default(),
            contexts: Vec::new(),
            started: Some(at(100)),
            state: OperationState::Running,
            reports: Vec::new(),
        });
        book
    }

    #[test]
    fn an_operation_ends_with_what_the_adapter_says_last_and_an_error_stays() {
        let mut book = book();
        let state = |book: &AdapterBook| book.operations[0].state;
        for (severity, code, then) in [
            (Severity::Info, GOING_ON, OperationState::Running),
            (Severity::Warning, "", OperationState::Running),
            (Severity::Info, "", OperationState::Succeeded),
            (Severity::Error, "", OperationState::Failed),
            (Severity::Info, "", OperationState::Failed),
        ] {
            assert!(book.report(AdapterId::default(), at(101), &event(severity, code)));
            assert_eq!(state(&book), then);
        }
        assert_eq!(book.operations[0].reports.len(), 5);
    }

    #[test]
    fn what_belongs_to_nothing_or_to_another_adapter_changes_nothing() {
        let mut book = book();
        let other = AdapterId(Uuid::from_u128(7));
        assert!(!book.report(other, at(101), &event(Severity::Error, "")));
        let nobodys = AdapterEvent { operation_id: String::new(), ..event(Severity::Error, "") };
        assert!(!book.report(AdapterId::default(), at(101), &nobodys));
        assert_eq!(book.operations[0].state, OperationState::Running);
    }

    #[test]
    fn silence_counts_from_the_last_word_until_the_end() {
        let mut book = book();
        assert_eq!(book.operations[0].silent_s(at(160)), Some(60));
        book.report(AdapterId::default(), at(150), &event(Severity::Warning, ""));
        assert_eq!(book.operations[0].silent_s(at(160)), Some(10));
        book.report(AdapterId::default(), at(155), &event(Severity::Info, ""));
        assert_eq!(book.operations[0].silent_s(at(160)), None);
    }

    #[test]
    fn reports_and_operations_are_bounded_and_lost_track_is_said() {
        let mut book = book();
        for second in 0..(REPORTS_MAX as i64 + 10) {
            book.report(AdapterId::default(), at(200 + second), &event(Severity::Warning, ""));
        }
        let first = &book.operations[0];
        assert_eq!((first.reports.len(), first.reports[0].at), (REPORTS_MAX, at(210)));
        for _ in 0..OPERATIONS_MAX {
            let record = book.operations[0].clone();
            book.begin(record);
        }
        assert_eq!(book.operations.len(), OPERATIONS_MAX);
        book.operations[0].state = OperationState::Waiting;
        book.lose_track();
        assert_eq!(book.operations[0].state, OperationState::Withdrawn);
        assert!(book.operations[1..].iter().all(|record| record.state == OperationState::Unknown));
        let text = serde_json::to_string(&book).expect("JSON");
        assert_eq!(serde_json::from_str::<AdapterBook>(&text).expect("a book"), book);
    }
    #[test]
    fn an_address_and_a_service_are_read() {
        let context = ContextKey { file: "/a".into(), name: "staging".to_owned() };
        let read = |text| AdapterPlace::parse(text, Some(&context));
        assert_eq!(read(" localhost:10000 "), Ok(AdapterPlace::Address("localhost:10000".to_owned())));
        let service = read("svc/meshery/meshery-istio:10000").expect("a Service");
        assert_eq!(service.words(), "svc/meshery/meshery-istio:10000 in staging");
        for wrong in ["svc/", "svc/a:1", "svc/a/b", "svc/a/b:0", "svc/a/b:70000", "svc//b:1", "svc/a/b/c:1"] {
            assert!(read(wrong).is_err_and(|why| why.contains("svc/NAMESPACE/NAME:PORT")), "{wrong}");
        }
        assert!(AdapterPlace::parse("svc/a/b:1", None).is_err_and(|why| why.contains("Choose a context")));
    }

    #[test]
    fn events_are_bounded_in_number_and_in_length_and_counted_until_they_are_read() {
        let mut book = AdapterBook::default();
        for second in 0..(EVENTS_MAX as i64 + 5) {
            let event =
                AdapterEvent { details: "ä".repeat(DETAILS_CHARS_KEPT_MAX + 1), ..AdapterEvent::default() };
            let adapter_name = "istio".to_owned();
            book.hear(Reported {
                adapter: AdapterId::default(),
                adapter_name,
                at: at(second),
                event,
                is_read: second % 2 == 0,
            });
        }
        assert_eq!((book.events.len(), book.events[0].at), (EVENTS_MAX, at(5)));
        assert_eq!(book.events[0].event.details.chars().count(), DETAILS_CHARS_KEPT_MAX + 1);
        assert!(book.events[0].event.details.ends_with("ä…"));
        assert_eq!(book.unread(), EVENTS_MAX / 2);
    }

    #[test]
    fn an_adapter_is_busy_until_its_operation_ends_or_is_silent() {
        let mut book = book();
        let (ours, other) = (AdapterId::default(), AdapterId(Uuid::from_u128(7)));
        assert!(book.is_busy(ours, Some(at(101))) && !book.is_busy(other, Some(at(101))));
        assert!(!book.is_busy(ours, Some(at(100 + SILENT_S))));
        book.report(ours, at(110), &event(Severity::Info, ""));
        assert!(!book.is_busy(ours, Some(at(111))));
    }
}
