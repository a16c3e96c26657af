//! Adapters: which there are, what they are asked, what they report.

use jiff::Timestamp;
use uuid::Uuid;

use crate::adapter::Way;
use crate::app::adapters::{
    Access, AdapterCommand, AdapterJob, AdapterLink, AdapterNews, AdapterStands, Adapters, Keeping,
    NOT_BEGUN, OperationQuestion, Ping, Prepared, Rehearsal, Versions, WAITING_MAX,
};
use crate::app::command::Page;
use crate::app::job::Job;
use crate::app::operations;
use crate::app::state::{NoticeAction, Question, State, StoreState};
use crate::model::adapter::book::{
    ADAPTERS_MAX, AdapterBook, AdapterId, AdapterPlace, GOING_ON, KnownAdapter, OperationRecord,
    OperationState, Report, Reported,
};
use crate::model::adapter::{AdapterEvent, Severity};
use crate::model::cluster::ContextKey;

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
            AdapterCommand::UndoRemove => self.undo_remove_adapter(),
            AdapterCommand::Connect(id) => self.connect_adapter(id),
            AdapterCommand::Find => vec![Job::Adapter(AdapterJob::Find)],
            AdapterCommand::Prepare(prepared) => self.prepare_operation(*prepared),
            AdapterCommand::Agree(typed) => self.agree_to_operation(&typed, fresh.id),
            AdapterCommand::Decline => {
                self.question.take_if(|question| matches!(question, Question::Operation(_)));
                vec![Job::Adapter(AdapterJob::StopRehearsal)]
            }
            AdapterCommand::DoNotWait(operation) => self.begin_waiting(&operation),
            AdapterCommand::Withdraw(operation) => self.withdraw_operation(&operation),
            AdapterCommand::StopOperation(operation) => {
                vec![Job::Adapter(AdapterJob::StopOperation(operation))]
            }
            AdapterCommand::Ping(id) => {
                self.adapters.pings.insert(id, Ping::Asked);
                vec![Job::Adapter(AdapterJob::Ping(id))]
            }
            AdapterCommand::AskVersions(id) => {
                self.adapters.versions.insert(id, Versions::Asked);
                vec![Job::Adapter(AdapterJob::AskVersions(id))]
            }
            AdapterCommand::PickManifest => vec![Job::Adapter(AdapterJob::PickManifest)],
            AdapterCommand::ReadEvents => {
                self.adapters.book.events.iter_mut().for_each(|event| event.is_read = true);
                self.keep_adapters()
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
                self.keep_adapters()
            }
            AdapterNews::NotBegun { operation, at, reason } => {
                self.operation_not_begun(&operation, at, reason)
            }
            AdapterNews::Rehearsed { number, context, told } => {
                self.operation_rehearsed(number, &context, told);
                Vec::new()
            }
            AdapterNews::Pinged(id, ping) => {
                self.adapters.pings.insert(id, ping);
                Vec::new()
            }
            AdapterNews::Versions(id, versions) => {
                self.adapters.versions.insert(id, versions);
                Vec::new()
            }
            AdapterNews::ManifestPicked(path) => vec![Job::Adapter(AdapterJob::ReadManifest(path))],
            AdapterNews::ManifestRead(manifest) => {
                self.adapters.manifest = Some((self.number(), manifest));
                Vec::new()
            }
            AdapterNews::Found(found) => {
                let known =
                    |place: &AdapterPlace| self.adapters.book.adapters.iter().any(|it| it.place == *place);
                self.adapters.found = found.into_iter().filter(|found| !known(&found.place)).collect();
                Vec::new()
            }
            AdapterNews::Clock(at) => {
                self.adapters.now = Some(at);
                self.begin_next()
            }
            AdapterNews::BookSaved => match std::mem::take(&mut self.adapters.keeping) {
                Keeping::Behind => self.keep_adapters(),
                Keeping::Writing | Keeping::Kept => Vec::new(),
            },
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

    /// Writes the book, once at a time: what comes meanwhile is written together after that.
    fn keep_adapters(&mut self) -> Vec<Job> {
        if self.adapters.keeping != Keeping::Kept {
            self.adapters.keeping = Keeping::Behind;
            return Vec::new();
        }
        self.adapters.keeping = Keeping::Writing;
        vec![Job::Adapter(AdapterJob::Save(Box::new(self.adapters.book.clone())))]
    }

    /// The last jobs of the program: what waits to be written is handed in before the store closes.
    pub(in crate::app) fn last_jobs(&mut self) -> Vec<Job> {
        let mut jobs = self.forget_removed();
        if std::mem::take(&mut self.adapters.keeping) == Keeping::Behind {
            jobs.extend(self.keep_adapters());
        }
        jobs
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
        let mut jobs = self.keep_adapters();
        jobs.extend(self.connect_adapter(id));
        jobs
    }

    fn rename_adapter(&mut self, id: AdapterId, name: &str) -> Vec<Job> {
        let name: String = name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect();
        let Some(known) = self.adapters.book.adapters.iter_mut().find(|known| known.id == id) else {
            return Vec::new();
        };
        name.trim().clone_into(&mut known.name);
        self.keep_adapters()
    }

    fn remove_adapter(&mut self, id: AdapterId) -> Vec<Job> {
        let title = format!("{} is removed", self.adapters.name(id));
        let known = &mut self.adapters.book.adapters;
        let Some(at) = known.iter().position(|known| known.id == id) else { return Vec::new() };
        self.adapters.removed = Some(known.remove(at));
        self.forget_undo_of_adapter();
        self.inform(title, Some(NoticeAction::UndoRemoveAdapter));
        self.adapters.links.remove(&id);
        self.adapters.pings.remove(&id);
        self.adapters.versions.remove(&id);
        let waits: Vec<String> = self
            .adapters
            .waiting
            .iter()
            .filter(|(record, _)| record.adapter == id)
            .map(|(record, _)| record.request.id.clone())
            .collect();
        let mut jobs: Vec<Job> =
            waits.iter().flat_map(|operation| self.withdraw_operation(operation)).collect();
        jobs.extend(self.keep_adapters());
        jobs.push(Job::Adapter(AdapterJob::Disconnect(id)));
        jobs
    }

    fn undo_remove_adapter(&mut self) -> Vec<Job> {
        let Some(known) = self.adapters.removed.take() else { return Vec::new() };
        self.forget_undo_of_adapter();
        let id = known.id;
        self.adapters.book.adapters.push(known);
        let mut jobs = self.keep_adapters();
        jobs.extend(self.connect_adapter(id));
        jobs
    }

    /// Only the last one can be brought back.
    fn forget_undo_of_adapter(&mut self) {
        self.notices.retain(|notice| notice.action != Some(NoticeAction::UndoRemoveAdapter));
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
        let number = self.number();
        let steps = operations::rehearsed(prepared.adapter, &prepared.operation, &prepared.request);
        let contexts = if steps.is_empty() { Vec::new() } else { prepared.contexts.clone() };
        let rehearsals = contexts.iter().map(|key| (key.clone(), Rehearsal::Asked)).collect();
        self.question = Some(Question::Operation(Box::new(OperationQuestion {
            prepared,
            words,
            must_type,
            in_the_clear,
            rehearsals,
            number,
        })));
        if contexts.is_empty() {
            return Vec::new();
        }
        let access = self.access();
        vec![Job::Adapter(AdapterJob::Rehearse { number, steps, contexts, access })]
    }

    fn operation_rehearsed(&mut self, number: u64, context: &ContextKey, told: Rehearsal) {
        let Some(Question::Operation(question)) = &mut self.question else { return };
        if question.number == number
            && let Some((_, rehearsal)) = question.rehearsals.iter_mut().find(|(key, _)| key == context)
        {
            *rehearsal = told;
        }
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
            state: OperationState::Waiting,
            reports: Vec::new(),
        };
        if self.adapters.waiting.len() >= WAITING_MAX {
            let detail = format!("{WAITING_MAX} operations wait for others to end; withdraw one first");
            return self.failed(NOT_BEGUN.to_owned(), detail);
        }
        let mut kept = record.clone();
        if kept.request.body.chars().count() > BODY_CHARS_KEPT_MAX {
            kept.request.body = kept.request.body.chars().take(BODY_CHARS_KEPT_MAX).chain(['…']).collect();
        }
        self.adapters.book.begin(kept);
        self.adapters.waiting.push((record, agreed));
        let mut jobs = vec![Job::Adapter(AdapterJob::StopRehearsal)];
        jobs.extend(self.begin_next());
        jobs.extend(self.keep_adapters());
        jobs
    }

    /// Asks for each operation that waits and whose adapter has nothing else to do. Most adapters keep one kubeconfig for
    /// all, so that two operations at once would end in each other's clusters.
    fn begin_next(&mut self) -> Vec<Job> {
        let mut jobs = Vec::new();
        loop {
            let adapters = &self.adapters;
            let is_free = |record: &OperationRecord| !adapters.book.is_busy(record.adapter, adapters.now);
            let next = adapters.waiting.iter().find(|(record, _)| is_free(record));
            let Some(id) = next.map(|(record, _)| record.request.id.clone()) else { return jobs };
            jobs.extend(self.begin_waiting(&id));
        }
    }

    fn begin_waiting(&mut self, operation: &str) -> Vec<Job> {
        let Some(mut record) = self.no_more_waiting(operation, OperationState::Running) else {
            return Vec::new();
        };
        record.0.state = OperationState::Running;
        let (record, agreed) = (Box::new(record.0), record.1);
        let mut jobs = vec![Job::Adapter(AdapterJob::Apply { record, agreed, access: self.access() })];
        jobs.extend(self.keep_adapters());
        jobs
    }

    fn withdraw_operation(&mut self, operation: &str) -> Vec<Job> {
        match self.no_more_waiting(operation, OperationState::Withdrawn) {
            Some(_) => self.keep_adapters(),
            None => Vec::new(),
        }
    }

    /// Takes an operation from those that wait; from then on it stands so.
    fn no_more_waiting(
        &mut self,
        operation: &str,
        state: OperationState,
    ) -> Option<(OperationRecord, Option<String>)> {
        let adapters = &mut self.adapters;
        let at = adapters.waiting.iter().position(|(record, _)| record.request.id == operation)?;
        let kept = adapters.book.operations.iter_mut().find(|record| record.request.id == operation);
        if let Some(record) = kept {
            record.state = state;
        }
        Some(adapters.waiting.remove(at))
    }

    fn adapter_reported(&mut self, id: AdapterId, at: Timestamp, event: AdapterEvent) -> Vec<Job> {
        let adapters = &mut self.adapters;
        let is_ours = adapters.book.report(id, at, &event);
        adapters.now = Some(at);
        let reported = Reported { adapter: id, adapter_name: adapters.name(id), at, event, is_read: false };
        let (severity, code) = (reported.event.severity, reported.event.code.clone());
        let words = (reported.event.summary.clone(), reported.event.details.clone());
        let name = reported.adapter_name.clone();
        adapters.book.hear(reported);
        adapters.reported += 1;
        let mut jobs = Vec::new();
        let is_end = is_ours && severity == Severity::Info && code != GOING_ON;
        if severity == Severity::Error || is_end {
            jobs.extend(self.tell_desktop(&name, &words.0));
        }
        if severity == Severity::Error {
            jobs.extend(self.failed(words.0, words.1));
        }
        jobs.extend(self.begin_next());
        jobs.extend(self.keep_adapters());
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
        let name = record.adapter_name.clone();
        let mut jobs = self.tell_desktop(&name, NOT_BEGUN);
        jobs.extend(self.failed(NOT_BEGUN.to_owned(), reason));
        jobs.extend(self.begin_next());
        jobs.extend(self.keep_adapters());
        jobs
    }
}

#[cfg(test)]
mod tests;
