//! `adapter`: which there are, what they offer, what they are asked and report; and a built-in one for others.

mod apply;
mod serve;
mod words;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::app::adapters::{AdapterCommand, AdapterStands, Adapters};
use crate::app::state::StoreState;
use crate::app::{Command, Keep, operations};
use crate::model::adapter::AdapterFacts;
use crate::model::adapter::book::{AdapterId, AdapterPlace, KnownAdapter, Reported};

use super::args_adapter::{AdapterArgs, AdapterWhat, OfAdapter};
use super::interrupt::Interrupts;
use super::screen::{Screen, plain, pretty};
use super::session::Session;
use super::{Failure, Status};

/// A connection is waited for this long at most.
const CONNECT_MAX: Duration = Duration::from_secs(30);

/// Carries out one of the adapters' commands.
pub(super) fn adapter(what: AdapterArgs, data_dir: PathBuf, screen: &Screen) -> Result<Status, Failure> {
    let Some(what) = what.what else { return serve::serve(&what.serve, screen) };
    let keep = match &what {
        // What was asked for is to stay.
        AdapterWhat::Add { .. } | AdapterWhat::Remove { .. } => Keep::Here,
        _ => Keep::HereOrBeside,
    };
    let mut session = Session::start(data_dir, keep)?;
    let result = within(&mut session, what, screen);
    if let Some(words) = session.end() {
        screen.warning(&words);
    }
    result
}

fn within(session: &mut Session, what: AdapterWhat, screen: &Screen) -> Result<Status, Failure> {
    if let StoreState::Failed { reason } = &session.state().store {
        screen.warning(&format!("adapters that were added are not known: {reason}"));
    }
    match what {
        AdapterWhat::List { json } => list(session, json, screen)?,
        AdapterWhat::Add { address, name } => add(session, &address, name.as_deref(), screen)?,
        AdapterWhat::Remove { adapter } => remove(session, &adapter, screen)?,
        AdapterWhat::Ping(of) => ping(session, &of, screen)?,
        AdapterWhat::Ops(of) => {
            let id = find(session, &of.adapter)?;
            let facts = connected(session, id)?;
            if facts.left_out > 0 {
                screen.warning(&words::left_out(facts.left_out));
            }
            screen.print(&if of.json { words::ops_json(&facts) } else { words::ops(&facts, screen.out) })?;
        }
        AdapterWhat::Apply(options) => return apply::apply(session, &options, screen),
        AdapterWhat::Events { of, time } => events(session, &of, time, screen)?,
    }
    Ok(Status::Met)
}

/// The adapter of this name or address; one that nobody added is used for this command.
fn find(session: &mut Session, named: &str) -> Result<AdapterId, Failure> {
    if let Some(id) = added(session, named)? {
        return Ok(id);
    }
    let is_it = |mesh: &str, name: &str| mesh.eq_ignore_ascii_case(named) || name.eq_ignore_ascii_case(named);
    if let Some((id, _)) = operations::built_in().find(|(_, mesh)| is_it(mesh.key(), mesh.name())) {
        return Ok(id);
    }
    if !named.contains(':') {
        return Err(Failure::Input(format!(
            "no adapter is called “{}”; see: meshbench adapter list",
            plain(named)
        )));
    }
    let place = place(session, named)?;
    session.command(Command::Adapter(AdapterCommand::Use(place)));
    let passing = session.state().adapters.passing.last().map(|known| known.id);
    passing.ok_or_else(|| Failure::NotCarriedOut("the adapter cannot be used".to_owned()))
}

/// An address, or a Service of the cluster of the context in use.
fn place(session: &Session, named: &str) -> Result<AdapterPlace, Failure> {
    AdapterPlace::parse(named, session.state().clusters.chosen()).map_err(Failure::Input)
}

/// Among those that were added.
fn added(session: &Session, named: &str) -> Result<Option<AdapterId>, Failure> {
    let is_it = |known: &&KnownAdapter| {
        known.place.words() == named || (!known.name.is_empty() && known.name.eq_ignore_ascii_case(named))
    };
    let mut found = session.state().adapters.book.adapters.iter().filter(is_it);
    match (found.next(), found.next()) {
        (Some(_), Some(_)) => Err(Failure::Input(format!(
            "several adapters are called “{}”; name one by its address, see: meshbench adapter list",
            plain(named)
        ))),
        (first, _) => Ok(first.map(|known| known.id)),
    }
}

fn stands(session: &Session, id: AdapterId) -> AdapterStands {
    session.state().adapters.links.get(&id).map(|link| link.stands.clone()).unwrap_or_default()
}

fn begin(session: &mut Session, id: AdapterId) {
    if !session.state().adapters.links.contains_key(&id) {
        session.command(Command::Adapter(AdapterCommand::Connect(id)));
    }
}

/// Connects, and asks for everything that the adapter says of itself.
fn connected(session: &mut Session, id: AdapterId) -> Result<AdapterFacts, Failure> {
    begin(session, id);
    match settled(session, &[id])[0].clone() {
        AdapterStands::Ready => {
            let link = session.state().adapters.links.get(&id);
            Ok(link.and_then(|link| link.facts.clone()).unwrap_or_default())
        }
        AdapterStands::Failed { step, cause, advice } => {
            let words =
                format!("{}: {}", session.state().adapters.name(id), words::failed(&step, &cause, &advice));
            Err(match words::is_input(&step) {
                true => Failure::Input(plain(&words)),
                false => Failure::NotCarriedOut(plain(&words)),
            })
        }
        AdapterStands::Connecting => Err(Failure::NotCarriedOut("the adapter does not answer".to_owned())),
    }
}

/// How they stand once each of them answered or failed, or it took too long.
fn settled(session: &mut Session, ids: &[AdapterId]) -> Vec<AdapterStands> {
    let begun = Instant::now();
    let is_open = |session: &Session| ids.iter().any(|id| stands(session, *id) == AdapterStands::Connecting);
    while is_open(session) && begun.elapsed() < CONNECT_MAX {
        session.wait();
    }
    ids.iter().map(|id| stands(session, *id)).collect()
}

fn list(session: &mut Session, json: bool, screen: &Screen) -> Result<(), Failure> {
    let ids: Vec<AdapterId> = session.state().adapters.ids().collect();
    ids.iter().for_each(|id| begin(session, *id));
    settled(session, &ids);
    let adapters = &session.state().adapters;
    if json {
        let all: Vec<Value> = ids.iter().map(|id| words::adapter_json(adapters, *id)).collect();
        return screen.print(&pretty(&Value::Array(all)));
    }
    screen.print(&words::table(adapters, &ids))
}

fn add(session: &mut Session, address: &str, name: Option<&str>, screen: &Screen) -> Result<(), Failure> {
    let is_built_in = |name: &str| {
        operations::built_in()
            .any(|(_, mesh)| mesh.key().eq_ignore_ascii_case(name) || mesh.name().eq_ignore_ascii_case(name))
    };
    if let Some(name) = name.filter(|name| is_built_in(name)) {
        return Err(Failure::Input(format!(
            "{} is what the built-in adapter is called; choose another name",
            plain(name)
        )));
    }
    let place = place(session, address)?;
    let words = place.words();
    let is_known = session.state().adapters.book.adapters.iter().any(|known| known.place == place);
    session.news();
    session.command(Command::Adapter(AdapterCommand::Add(place)));
    let Some(id) = added(session, &words)? else {
        return Err(session
            .failure()
            .unwrap_or_else(|| Failure::NotCarriedOut("it was not added".to_owned())));
    };
    let answer = connected(session, id);
    // What is no address is not kept in mind.
    if let Err(Failure::Input(_)) = &answer
        && !is_known
    {
        session.command(Command::Adapter(AdapterCommand::Remove(id)));
        return answer.map(drop);
    }
    if let Some(name) = name {
        session.command(Command::Adapter(AdapterCommand::Rename(id, name.to_owned())));
    }
    let called = plain(&session.state().adapters.name(id));
    match answer {
        Ok(facts) => {
            screen.remark(&format!("Added {called}: {} operations", facts.operations.len()));
        }
        Err(Failure::NotCarriedOut(words) | Failure::Input(words)) => {
            screen.remark(&format!("Added {called}"));
            screen.warning(&format!("it does not answer now: {words}"));
        }
    }
    Ok(())
}

fn remove(session: &mut Session, named: &str, screen: &Screen) -> Result<(), Failure> {
    let Some(id) = added(session, named)? else {
        let why = if operations::built_in().any(|(_, mesh)| mesh.key() == named || mesh.name() == named) {
            "is built in, and cannot be removed"
        } else {
            "was not added; see: meshbench adapter list"
        };
        return Err(Failure::Input(format!("{} {why}", plain(named))));
    };
    session.command(Command::Adapter(AdapterCommand::Remove(id)));
    screen.remark("Forgotten.");
    Ok(())
}

fn ping(session: &mut Session, of: &OfAdapter, screen: &Screen) -> Result<(), Failure> {
    let begun = Instant::now();
    let id = find(session, &of.adapter)?;
    let answer = connected(session, id);
    let took = begun.elapsed();
    let adapters = &session.state().adapters;
    if of.json {
        let mut value = words::adapter_json(adapters, id);
        if answer.is_ok() {
            value["answered_ms"] = serde_json::json!(took.as_secs_f64() * 1e3);
        }
        screen.print(&pretty(&value))?;
        return answer.map(drop);
    }
    screen.print(&words::answered(&adapters.name(id), &answer?, took))
}

/// What was reported and not yet looked at: `seen` says how much was.
fn fresh<'a>(adapters: &'a Adapters, seen: &mut u64) -> &'a [Reported] {
    let count =
        usize::try_from(adapters.reported - *seen).unwrap_or(usize::MAX).min(adapters.book.events.len());
    *seen = adapters.reported;
    &adapters.book.events[adapters.book.events.len() - count..]
}

/// Tells once that a connection is lost, and once that it is there again.
#[derive(Default)]
struct Watch {
    is_lost: bool,
}

impl Watch {
    fn look(&mut self, session: &Session, id: AdapterId, screen: &Screen) {
        match stands(session, id) {
            AdapterStands::Failed { step, cause, .. } if !self.is_lost => {
                self.is_lost = true;
                screen.warning(&format!(
                    "the adapter was lost, and is tried again; what it reports meanwhile is not heard ({step}: {cause})"
                ));
            }
            AdapterStands::Ready if self.is_lost => {
                self.is_lost = false;
                screen.remark("The adapter is there again.");
            }
            _ => {}
        }
    }
}

fn events(
    session: &mut Session,
    of: &OfAdapter,
    time: Option<Duration>,
    screen: &Screen,
) -> Result<(), Failure> {
    let interrupts = Interrupts::listen()?;
    let id = find(session, &of.adapter)?;
    if Adapters::is_built_in(id) {
        let words = "a built-in adapter reports to the program that asks it; see: meshbench adapter apply";
        return Err(Failure::Input(words.to_owned()));
    }
    let begun = Instant::now();
    connected(session, id)?;
    screen.remark(&format!("Listening to {} …", plain(&session.state().adapters.name(id))));
    let (mut seen, mut watch) = (0, Watch::default());
    while !interrupts.asked() && time.is_none_or(|time| begun.elapsed() < time) {
        for reported in fresh(&session.state().adapters, &mut seen).iter().filter(|it| it.adapter == id) {
            let line = if of.json { words::event_json(reported).to_string() } else { words::event(reported) };
            if !screen.stream(&(line + "\n"))? {
                return Ok(());
            }
        }
        watch.look(session, id, screen);
        session.wait();
    }
    Ok(())
}
