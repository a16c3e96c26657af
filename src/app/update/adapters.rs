//! Adapters: which there are, what they are asked, what they report.

use jiff::Timestamp;
use uuid::Uuid;

use crate::adapter::Way;
use crate::app::adapters::{
    Access, AdapterCommand, AdapterJob, AdapterLink, AdapterNews, AdapterStands, Adapters, EVENTS_KEPT_MAX,
    NOT_BEGUN, OperationQuestion, Prepared, Reported,
};
use crate::app::command::Page;
use crate::app::job::Job;
use crate::app::operations;
use crate::app::state::{Question, State, StoreState};
use crate::model::adapter::book::{
    ADAPTERS_MAX, AdapterBook, AdapterId, AdapterPlace, KnownAdapter, OperationRecord, OperationState, Report,
};
use crate::model::adapter::{AdapterEvent, Severity};

use super::Fresh;
use super::passing::namespace_words;

/// A longer body of a request is not kept with the operation.
const BODY_CHARS_KEPT_MAX: usize = 4000;
/// The longest name of an adapter, in characters.
const NAME_CHARS_MAX: usize = 60;

impl State {
    pub(super) fn adapter_command(&mut self, command: AdapterCommand, fresh: Fresh) -> Vec<Job> {
        match command {
            AdapterCommand::Add(place) => self.add_adapter(place, fresh.id),
            AdapterCommand::Use(place) => self.use_adapter(place, fresh.id),
            AdapterCommand::Rename(id, name) => self.rename_adapter(id, &name),
            AdapterCommand::Remove(id) => self.remove_adapter(id),
            AdapterCommand::Connect(id) => self.connect_adapter(id),
            AdapterCommand::Find => vec![Job::Adapter(AdapterJob::Find)],
            AdapterCommand::Prepare(prepared) => self.prepare_operation(*prepared),
            AdapterCommand::Agree(typed) => self.agree_to_operation(&typed, fresh.id),
            AdapterCommand::Decline => {
                self.question.take_if(|question| matches!(question, Question::Operation(_)));
                Vec::new()
            }
            AdapterCommand::ReadEvents => {
                self.adapters.events.iter_mut().for_each(|event| event.is_read = true);
                Vec::new()
            }
        }
    }

    pub(super) fn adapter_news(&mut self, news: AdapterNews) -> Vec<Job> {
        match news {
            AdapterNews::Stands { id, number, stands, facts } => {
                if let Some(link) = self.adapters.links.get_mut(&id).filter(|link| link.number == number) {
                    link.stands = stands;
                    link.facts = facts.map(|facts| *facts).or(link.facts.take());
                }
                Vec::new()
            }
            AdapterNews::Reported { id, at, event } => self.adapter_reported(id, at, *event),
            AdapterNews::Begun { operation, at } => {
                let records = &mut self.adapters.book.operations;
                if let Some(record) = records.iter_mut().find(|record| record.request.id == operation) {
                    record.started = record.started.or(Some(at));
                }
                self.adapters.now = Some(at);
                vec![self.keep_adapters()]
            }
            AdapterNews::NotBegun { operation, at, reason } => {
                self.operation_not_begun(&operation, at, reason)
            }
            AdapterNews::Found(found) => {
                let known =
                    |place: &AdapterPlace| self.adapters.book.adapters.iter().any(|it| it.place == *place);
                self.adapters.found = found.into_iter().filter(|found| !known(&found.place)).collect();
                Vec::new()
            }
            AdapterNews::Clock(at) => {
                self.adapters.now = Some(at);
                Vec::new()
            }
            AdapterNews::BookSaved => Vec::new(),
        }
    }

    /// The store told which adapters there are.
    pub(super) fn adapters_opened(&mut self, mut book: AdapterBook) -> Vec<Job> {
        book.lose_track();
        self.adapters.book = book;
        self.adapters_shown()
    }

    /// Connects all once, when the page is shown first: most who start the program, in a terminal above all, want none.
    pub(super) fn adapters_shown(&mut self) -> Vec<Job> {
        let is_wanted = self.page == Page::Adapters && self.store != StoreState::Opening;
        if !is_wanted || std::mem::replace(&mut self.adapters.is_begun, true) {
            return Vec::new();
        }
        let ids: Vec<AdapterId> = self.adapters.ids().collect();
        let mut jobs: Vec<Job> = ids.into_iter().flat_map(|id| self.connect_adapter(id)).collect();
        jobs.push(Job::Adapter(AdapterJob::Find));
        jobs
    }

    fn keep_adapters(&self) -> Job {
        Job::Adapter(AdapterJob::Save(Box::new(self.adapters.book.clone())))
    }

    fn access(&self) -> Access {
        Access { sources: self.clusters.sources(), consents: self.clusters.book.consents.clone() }
    }

    fn add_adapter(&mut self, place: AdapterPlace, id: Uuid) -> Vec<Job> {
        let book = &mut self.adapters.book;
        if let Some(known) = book.adapters.iter().find(|known| known.place == place) {
            let id = known.id;
            return self.connect_adapter(id);
        }
        if book.adapters.len() >= ADAPTERS_MAX {
            let detail = format!("At most {ADAPTERS_MAX} adapters are kept in mind; remove one first");
            return self.failed("The adapter was not added".to_owned(), detail);
        }
        let id = AdapterId(id);
        self.adapters.found.retain(|found| found.place != place);
        book.adapters.push(KnownAdapter { id, name: String::new(), place, may_have_logins: false });
        let mut jobs = vec![self.keep_adapters()];
        jobs.extend(self.connect_adapter(id));
        jobs
    }

    fn rename_adapter(&mut self, id: AdapterId, name: &str) -> Vec<Job> {
        let name: String = name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect();
        let Some(known) = self.adapters.book.adapters.iter_mut().find(|known| known.id == id) else {
            return Vec::new();
        };
        name.trim().clone_into(&mut known.name);
        vec![self.keep_adapters()]
    }

    fn remove_adapter(&mut self, id: AdapterId) -> Vec<Job> {
        self.adapters.book.adapters.retain(|known| known.id != id);
        self.adapters.links.remove(&id);
        vec![self.keep_adapters(), Job::Adapter(AdapterJob::Disconnect(id))]
    }

    pub(super) fn connect_adapter(&mut self, id: AdapterId) -> Vec<Job> {
        let place = self.adapters.known(id).map(|known| known.place.clone());
        if place.is_none() && !Adapters::is_built_in(id) {
            return Vec::new();
        }
        let number = self.number();
        let facts = self.adapters.links.remove(&id).and_then(|link| link.facts);
        let link = AdapterLink { number, stands: AdapterStands::Connecting, facts };
        self.adapters.links.insert(id, link);
        vec![Job::Adapter(AdapterJob::Connect { id, place, number, access: self.access() })]
    }

    fn prepare_operation(&mut self, prepared: Prepared) -> Vec<Job> {
        let failed = |state: &mut Self, reason: String| state.failed(NOT_BEGUN.to_owned(), reason);
        let link = self.adapters.links.get(&prepared.adapter);
        if !link.is_some_and(|link| link.stands == AdapterStands::Ready) {
            return failed(self, "Its adapter is not connected; connect it first".to_owned());
        }
        if prepared.contexts.is_empty() {
            return failed(self, "Choose the contexts in which it is to be done".to_owned());
        }
        let words = match self.operation_words(&prepared) {
            Ok(words) => words,
            Err(reason) => return failed(self, reason),
        };
        let is_production = |key: &&_| self.clusters.book.choice(key).is_production;
        let production = prepared.contexts.iter().find(is_production);
        let must_type = production.map(|key| self.clusters.book.title(key).to_owned());
        let known = self.adapters.known(prepared.adapter);
        let in_the_clear =
            known.filter(|known| !known.may_have_logins).and_then(|known| match &known.place {
                AdapterPlace::Address(address) if !Way::is_private(address) => Some(address.clone()),
                _ => None,
            });
        self.question = Some(Question::Operation(Box::new(OperationQuestion {
            prepared,
            words,
            must_type,
            in_the_clear,
        })));
        Vec::new()
    }

    /// What an operation will do, a line each.
    fn operation_words(&self, prepared: &Prepared) -> Result<Vec<String>, String> {
        let Prepared { adapter, operation, request, contexts } = prepared;
        let names: Vec<&str> = contexts.iter().map(|key| self.clusters.book.title(key)).collect();
        let name = self.adapters.name(*adapter);
        let verb = if request.removes { "Undo" } else { "Do" };
        let place = namespace_words(operation, &request.namespace);
        let mut words =
            vec![format!("{verb} “{}” in {place} of {}.", operation.text, names.join(" and of "))];
        if let Some(mesh) = operations::mesh(*adapter) {
            words.extend(operations::words(mesh, request)?);
        } else {
            words.push(format!(
                "The adapter {name} is handed a kubeconfig with a login for {}; what it does there is its own.",
                names.join(" and ")
            ));
        }
        Ok(words)
    }

    fn agree_to_operation(&mut self, typed: &str, id: Uuid) -> Vec<Job> {
        let is_it = |question: &mut Question| {
            matches!(question, Question::Operation(question)
                if question.must_type.as_ref().is_none_or(|name| name == typed.trim()))
        };
        let Some(Question::Operation(question)) = self.question.take_if(is_it) else { return Vec::new() };
        let OperationQuestion { prepared, in_the_clear, .. } = *question;
        let Prepared { adapter, operation, mut request, contexts } = prepared;
        if in_the_clear.is_some()
            && let Some(known) = self.adapters.known_mut(adapter)
        {
            known.may_have_logins = true;
        }
        let agreed = self.adapters.known(adapter).filter(|known| known.may_have_logins);
        let agreed = agreed.map(|known| known.place.words());
        request.id = id.to_string();
        let record = OperationRecord {
            request,
            adapter,
            adapter_name: self.adapters.name(adapter),
            operation,
            contexts,
            started: None,
            state: OperationState::Running,
            reports: Vec::new(),
        };
        let mut kept = record.clone();
        if kept.request.body.chars().count() > BODY_CHARS_KEPT_MAX {
            kept.request.body = kept.request.body.chars().take(BODY_CHARS_KEPT_MAX).chain(['…']).collect();
        }
        self.adapters.book.begin(kept);
        let access = self.access();
        vec![
            self.keep_adapters(),
            Job::Adapter(AdapterJob::Apply { record: Box::new(record), agreed, access }),
        ]
    }

    fn adapter_reported(&mut self, id: AdapterId, at: Timestamp, event: AdapterEvent) -> Vec<Job> {
        let adapters = &mut self.adapters;
        let is_ours = adapters.book.report(id, at, &event);
        adapters.now = Some(at);
        let reported = Reported { adapter: id, adapter_name: adapters.name(id), at, event, is_read: false };
        let is_error = reported.event.severity == Severity::Error;
        let words = (reported.event.summary.clone(), reported.event.details.clone());
        adapters.events.push(reported);
        adapters.reported += 1;
        let beyond = adapters.events.len().saturating_sub(EVENTS_KEPT_MAX);
        adapters.events.drain(..beyond);
        let mut jobs = Vec::new();
        if is_error {
            jobs.extend(self.failed(words.0, words.1));
        }
        if is_ours {
            jobs.push(self.keep_adapters());
        }
        jobs
    }

    fn operation_not_begun(&mut self, operation: &str, at: Timestamp, reason: String) -> Vec<Job> {
        let records = &mut self.adapters.book.operations;
        let Some(record) = records.iter_mut().find(|record| record.request.id == operation) else {
            return Vec::new();
        };
        let event = AdapterEvent {
            severity: Severity::Error,
            summary: NOT_BEGUN.to_owned(),
            details: reason.clone(),
            operation_id: operation.to_owned(),
            ..AdapterEvent::default()
        };
        record.take(Report { at, event });
        let mut jobs = self.failed(NOT_BEGUN.to_owned(), reason);
        jobs.push(self.keep_adapters());
        jobs
    }
}
