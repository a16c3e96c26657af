//! Which adapters a person uses, and what was done with them: kept on disk.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{AdapterEvent, Operation, OperationRequest, Severity};
use crate::model::cluster::ContextKey;

/// The version of [`AdapterBook`] that is written.
pub const ADAPTER_BOOK_VERSION: u32 = 1;
/// The most adapters that are kept in mind.
pub const ADAPTERS_MAX: usize = 64;
/// The most operations that are kept, the latest.
pub const OPERATIONS_MAX: usize = 200;
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
    /// It is going on, as far as is known.
    #[default]
    Running,
    /// The adapter said that it is done.
    Succeeded,
    /// The adapter said that it is not.
    Failed,
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
        Self { version: ADAPTER_BOOK_VERSION, adapters: Vec::new(), operations: Vec::new() }
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

    /// Keeps an operation, the latest first, and as many as are kept.
    pub fn begin(&mut self, record: OperationRecord) {
        self.operations.insert(0, record);
        self.operations.truncate(OPERATIONS_MAX);
    }

    /// What was going on when the program ended: nobody will tell how it ended.
    pub fn lose_track(&mut self) {
        for record in self.operations.iter_mut().filter(|record| record.state == OperationState::Running) {
            record.state = OperationState::Unknown;
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

impl AdapterPlace {
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
        book.lose_track();
        assert!(book.operations.iter().all(|record| record.state == OperationState::Unknown));
        let text = serde_json::to_string(&book).expect("JSON");
        assert_eq!(serde_json::from_str::<AdapterBook>(&text).expect("a book"), book);
    }
}
