//! `adapter apply`: what it will do is said, agreed to, asked for and followed to its end.

use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::app::adapters::{AdapterCommand, Adapters, NOT_BEGUN, OperationQuestion, Prepared};
use crate::app::state::{Question, StoreState};
use crate::app::{Command, State};
use crate::cli::args_adapter::ApplyArgs;
use crate::cli::cluster;
use crate::cli::interrupt::Interrupts;
use crate::cli::screen::{Screen, plain, pretty};
use crate::cli::session::Session;
use crate::cli::{Failure, Status};
use crate::model::adapter::book::{AdapterId, OperationRecord, OperationState};
use crate::model::adapter::{AdapterFacts, Category, Operation, OperationRequest};
use crate::model::cluster::ContextKey;
use crate::model::duration;
use crate::model::manifest::MANIFEST_BYTES_MAX;

use super::{Watch, connected, find, fresh, words};

/// So many keys are named to who named none.
const KEYS_NAMED_MAX: usize = 8;

/// Asks for an operation and follows it.
pub(super) fn apply(session: &mut Session, options: &ApplyArgs, screen: &Screen) -> Result<Status, Failure> {
    let body = options.file.as_deref().map(body).transpose()?.unwrap_or_default();
    let id = find(session, &options.of.adapter)?;
    let facts = connected(session, id)?;
    let operation = offered(&facts, &options.operation)?;
    let mut contexts: Vec<ContextKey> = Vec::new();
    for name in &options.context {
        let (key, _) = cluster::connect(session, name, options.kubeconfig.as_ref(), screen)?;
        if !contexts.contains(&key) {
            contexts.push(key);
        }
    }
    let request = OperationRequest {
        id: String::new(),
        key: operation.key.clone(),
        namespace: namespace(session.state(), options, &operation, &contexts),
        removes: options.delete,
        body,
        version: options.version.clone().unwrap_or_default(),
    };
    let prepared = Prepared { adapter: id, operation, request, contexts };
    let question = prepare(session, prepared)?;
    for line in &question.words {
        screen.remark(&plain(line));
    }
    let typed = agree(session.state(), &question, options, screen)?;
    let interrupts = Interrupts::listen()?;
    let before = session.state().adapters.reported;
    session.command(Command::Adapter(AdapterCommand::Agree(typed)));
    let operation = session.state().adapters.book.operations.first().map(|record| record.request.id.clone());
    let operation =
        operation.ok_or_else(|| Failure::NotCarriedOut("the operation was not begun".to_owned()))?;
    let followed = Followed { adapter: id, operation, category: question.prepared.operation.category };
    let end = followed.follow(session, options.wait, before, &interrupts, screen)?;
    let record = followed.record(session.state());
    report(record, &end, options.of.json, screen)
}

/// The text of a file, or of standard input.
fn body(path: &Path) -> Result<String, Failure> {
    let failed =
        |error: std::io::Error| Failure::Input(format!("{} cannot be read: {error}", path.display()));
    let source: Box<dyn Read> = match path.to_str() {
        Some("-") => Box::new(std::io::stdin()),
        _ => Box::new(std::fs::File::open(path).map_err(failed)?),
    };
    let mut bytes = Vec::new();
    source.take(MANIFEST_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > MANIFEST_BYTES_MAX {
        let max = MANIFEST_BYTES_MAX >> 20;
        return Err(Failure::Input(format!("{} is larger than {max} MiB", path.display())));
    }
    String::from_utf8(bytes).map_err(|_| Failure::Input(format!("{} is no text in UTF-8", path.display())))
}

fn offered(facts: &AdapterFacts, key: &str) -> Result<Operation, Failure> {
    if let Some(operation) = facts.operations.iter().find(|operation| operation.key == key) {
        return Ok(operation.clone());
    }
    let keys: Vec<String> =
        facts.operations.iter().take(KEYS_NAMED_MAX).map(|operation| plain(&operation.key)).collect();
    let more = if facts.operations.len() > KEYS_NAMED_MAX { " …" } else { "" };
    Err(Failure::Input(format!(
        "the adapter does not offer “{}”; it offers {}{more}; see: meshbench adapter ops",
        plain(key),
        keys.join(", ")
    )))
}

/// As it was named; mistakes are looked for everywhere; else where the first context is.
fn namespace(state: &State, options: &ApplyArgs, operation: &Operation, contexts: &[ContextKey]) -> String {
    if let Some(named) = &options.namespace {
        return named.clone();
    }
    if operation.category == Category::Validate {
        return String::new();
    }
    let first = contexts.first().and_then(|key| state.clusters.context(key));
    first.map(|context| context.namespace.clone()).unwrap_or_default()
}

fn prepare(session: &mut Session, prepared: Prepared) -> Result<OperationQuestion, Failure> {
    session.news();
    session.command(Command::Adapter(AdapterCommand::Prepare(Box::new(prepared))));
    match &session.state().question {
        Some(Question::Operation(question)) => Ok((**question).clone()),
        _ => Err(match session.failure() {
            Some(Failure::NotCarriedOut(words) | Failure::Input(words)) => Failure::Input(words),
            None => Failure::NotCarriedOut("the operation was not begun".to_owned()),
        }),
    }
}

/// What was typed, once a person agreed to everything.
fn agree(
    state: &State,
    question: &OperationQuestion,
    options: &ApplyArgs,
    screen: &Screen,
) -> Result<String, Failure> {
    let not_agreed = || Failure::Input("Not agreed; nothing was done".to_owned());
    if let Some(address) = &question.in_the_clear
        && !options.agree_to_send_login
    {
        let danger = format!(
            "the clusters’ logins would be sent to {} without TLS: everybody on the way could read them",
            plain(address)
        );
        if !screen.answers {
            return Err(Failure::Input(format!("{danger}.\nUse https, or agree with --agree-to-send-login")));
        }
        screen.warning(&format!("{danger}."));
        if !screen.ask("Send them all the same?") {
            return Err(not_agreed());
        }
    }
    let Some(name) = must_type(state, question) else {
        return match () {
            () if options.yes => Ok(String::new()),
            () if !screen.answers => {
                Err(Failure::Input("nobody can be asked here; agree with --yes".to_owned()))
            }
            () if screen.ask("Do it?") => Ok(String::new()),
            () => Err(not_agreed()),
        };
    };
    let shown = plain(&name);
    match &options.production {
        Some(given) if *given == name && (options.yes || screen.answers) => Ok(name),
        Some(given) if *given == name => {
            Err(Failure::Input("nobody can be asked here; agree with --yes too".to_owned()))
        }
        Some(given) => {
            Err(Failure::Input(format!("it is {shown} that is production, and not {}", plain(given))))
        }
        None if !screen.answers => Err(Failure::Input(format!(
            "{shown} {}; agree with --production {shown} and --yes",
            production_words(state)
        ))),
        None if screen
            .ask_words(&format!("{shown} {}. Type its name to go on:", production_words(state)))
            == name =>
        {
            Ok(name)
        }
        None => Err(not_agreed()),
    }
}

/// The name of a context that is production, or may be: where that is not known it is taken to be.
fn must_type(state: &State, question: &OperationQuestion) -> Option<String> {
    let unknown = || {
        let first = question.prepared.contexts.first()?;
        matches!(state.store, StoreState::Failed { .. }).then(|| state.clusters.book.title(first).to_owned())
    };
    question.must_type.clone().or_else(unknown)
}

fn production_words(state: &State) -> &'static str {
    match state.store {
        StoreState::Failed { .. } => {
            "may be production, which cannot be looked up while the stored data is not open"
        }
        _ => "is production",
    }
}

/// An operation that was asked for.
struct Followed {
    adapter: AdapterId,
    operation: String,
    category: Category,
}

/// How following it ended.
enum End {
    /// It is over.
    Told,
    /// It could not be asked for.
    NotBegun,
    /// Nothing was heard for so long.
    Silent(Duration),
    /// Ctrl-C.
    Left,
}

impl Followed {
    fn record<'a>(&self, state: &'a State) -> Option<&'a OperationRecord> {
        state.adapters.book.operations.iter().find(|record| record.request.id == self.operation)
    }

    fn follow(
        &self,
        session: &mut Session,
        wait: Duration,
        mut seen: u64,
        interrupts: &Interrupts,
        screen: &Screen,
    ) -> Result<End, Failure> {
        let (mut last, mut watch) = (Instant::now(), Watch::default());
        loop {
            for reported in fresh(&session.state().adapters, &mut seen) {
                if reported.adapter == self.adapter && reported.event.operation_id == self.operation {
                    last = Instant::now();
                    screen.remark(&words::progress(&reported.event));
                }
            }
            if let Some(record) = self.record(session.state()) {
                let is_refused =
                    record.started.is_none() && record.reports.iter().any(|it| it.event.summary == NOT_BEGUN);
                match record.state {
                    OperationState::Failed if is_refused => return Ok(End::NotBegun),
                    OperationState::Waiting | OperationState::Running => {}
                    _ => return Ok(End::Told),
                }
            }
            if interrupts.asked() {
                screen.remark(self.left());
                return Ok(End::Left);
            }
            if last.elapsed() > wait {
                return Ok(End::Silent(wait));
            }
            watch.look(session, self.adapter, screen);
            session.wait();
        }
    }

    /// What becomes of it when nobody follows any more.
    fn left(&self) -> &'static str {
        match (Adapters::is_built_in(self.adapter), self.category) {
            (true, Category::Validate) => "The search for mistakes was ended; it changes nothing.",
            (true, _) => {
                "The built-in adapter works in this program: the operation was cut, and what it had done stays. Ask for it again, or take it away with --delete."
            }
            (false, _) => "No longer followed; the operation itself goes on.",
        }
    }
}

fn report(
    record: Option<&OperationRecord>,
    end: &End,
    json: bool,
    screen: &Screen,
) -> Result<Status, Failure> {
    let Some(record) = record else {
        return Err(Failure::NotCarriedOut("the operation is not known any more".to_owned()));
    };
    if json {
        screen.print(&pretty(&words::record_json(record)))?;
    }
    let last = record.reports.last().map(|report| &report.event);
    match end {
        End::Told => {
            if !json {
                screen.print(&outcome(record))?;
            }
            Ok(if record.state == OperationState::Succeeded { Status::Met } else { Status::Missed })
        }
        End::NotBegun => {
            let reason = last.map(|event| event.details.clone()).unwrap_or_default();
            Err(Failure::NotCarriedOut(format!("{NOT_BEGUN}: {reason}")))
        }
        End::Silent(wait) => Err(Failure::NotCarriedOut(format!(
            "nothing was heard of the operation for {}; it may still go on",
            duration::text(*wait)
        ))),
        End::Left => Err(Failure::NotCarriedOut("the end of the operation was not heard of".to_owned())),
    }
}

/// The answer: how it ended; of a search for mistakes, what was found too.
fn outcome(record: &OperationRecord) -> String {
    let mut lines = Vec::new();
    let (last, before) = match record.reports.split_last() {
        Some((last, before)) => (Some(last), before),
        None => (None, [].as_slice()),
    };
    if record.operation.category == Category::Validate {
        lines.extend(before.iter().map(|report| words::progress(&report.event)));
    }
    let told = last.map(|report| plain(&report.event.summary)).unwrap_or_default();
    lines.push(format!("{}: {told}", words::state(record.state)));
    lines.join("\n") + "\n"
}
