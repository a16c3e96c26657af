//! Commands and news of adapters in, state and jobs out.

use super::*;
use crate::app::command::Command;
use crate::app::event::Event;
use crate::model::adapter::{Category, Change, Changed, Operation, OperationRequest, Step};

const KUBECONFIG: &str = "/k";

fn fresh(n: u128) -> Fresh {
    Fresh { id: Uuid::from_u128(n) }
}

fn key() -> ContextKey {
    ContextKey { file: KUBECONFIG.into(), name: "staging".to_owned() }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

/// Two adapters that were added and are connected.
fn state() -> (State, [AdapterId; 2]) {
    let mut state = State { store: StoreState::Open, ..State::default() };
    let ids = [1_u128 << 100, 2 << 100].map(|number| {
        let place = AdapterPlace::Address(format!("localhost:{}", number >> 100));
        ask(&mut state, AdapterCommand::Add(place), number);
        tell(&mut state, AdapterNews::BookSaved);
        let id = AdapterId(Uuid::from_u128(number));
        state.adapters.links.get_mut(&id).expect("added").stands = AdapterStands::Ready;
        id
    });
    (state, ids)
}

fn ask(state: &mut State, command: AdapterCommand, number: u128) -> Vec<Job> {
    state.command(Command::Adapter(command), fresh(number))
}

fn tell(state: &mut State, news: AdapterNews) -> Vec<Job> {
    state.event(Event::Adapter(news), fresh(0))
}

fn prepared(adapter: AdapterId, category: Category, body: &str) -> Prepared {
    let operation = Operation { category, text: "Do it".to_owned(), key: "it".to_owned() };
    let request = OperationRequest {
        key: "it".to_owned(),
        namespace: "shop".to_owned(),
        body: body.to_owned(),
        ..OperationRequest::default()
    };
    Prepared { adapter, operation, request, contexts: vec![key()] }
}

/// Asks for an operation and agrees; its id and what was begun by that.
fn begin(state: &mut State, adapter: AdapterId, number: u128) -> (String, Vec<String>) {
    ask(state, AdapterCommand::Prepare(Box::new(prepared(adapter, Category::Install, ""))), 0);
    let jobs = ask(state, AdapterCommand::Agree(String::new()), number);
    (Uuid::from_u128(number).to_string(), begun(&jobs))
}

/// The operations that adapters are asked for.
fn begun(jobs: &[Job]) -> Vec<String> {
    let asked = jobs.iter().filter_map(|job| match job {
        Job::Adapter(AdapterJob::Apply { record, .. }) => Some(record.request.id.clone()),
        _ => None,
    });
    asked.collect()
}

fn report(id: AdapterId, operation: &str, severity: Severity) -> AdapterNews {
    let event = AdapterEvent {
        severity,
        summary: "It is so".to_owned(),
        operation_id: operation.to_owned(),
        ..AdapterEvent::default()
    };
    AdapterNews::Reported { id, at: at(100), event: Box::new(event) }
}

fn stands(state: &State, operation: &str) -> OperationState {
    let records = &state.adapters.book.operations;
    records.iter().find(|record| record.request.id == operation).expect("kept").state
}

#[test]
fn operations_of_one_adapter_go_one_after_another_and_those_of_two_side_by_side() {
    let (mut state, [one, other]) = state();
    let (first, jobs) = begin(&mut state, one, 11);
    assert_eq!(jobs, std::slice::from_ref(&first));
    let (second, jobs) = begin(&mut state, one, 12);
    assert_eq!((jobs, stands(&state, &second)), (vec![], OperationState::Waiting));
    let (theirs, jobs) = begin(&mut state, other, 13);
    assert_eq!(jobs, [theirs]);
    assert!(begun(&tell(&mut state, report(one, &first, Severity::Warning))).is_empty());
    let jobs = tell(&mut state, report(one, &first, Severity::Info));
    assert_eq!(begun(&jobs), std::slice::from_ref(&second));
    assert_eq!(stands(&state, &second), OperationState::Running);
}

#[test]
fn what_waits_begins_when_the_one_before_failed_could_not_begin_or_is_silent() {
    for end in 0..3 {
        let (mut state, [one, _]) = state();
        let (first, _) = begin(&mut state, one, 11);
        let (second, _) = begin(&mut state, one, 12);
        tell(&mut state, AdapterNews::Begun { operation: first.clone(), at: at(50) });
        let jobs = match end {
            0 => tell(&mut state, report(one, &first, Severity::Error)),
            1 => {
                let reason = "it is gone".to_owned();
                tell(&mut state, AdapterNews::NotBegun { operation: first, at: at(60), reason })
            }
            _ => {
                assert!(begun(&tell(&mut state, AdapterNews::Clock(at(60)))).is_empty());
                tell(&mut state, AdapterNews::Clock(at(1000)))
            }
        };
        assert_eq!(begun(&jobs), [second], "{end}");
    }
}

#[test]
fn what_waits_can_be_withdrawn_or_begun_at_once() {
    let (mut state, [one, _]) = state();
    begin(&mut state, one, 11);
    let ids: Vec<String> = (12..15).map(|number| begin(&mut state, one, number).0).collect();
    assert!(begun(&ask(&mut state, AdapterCommand::Withdraw(ids[0].clone()), 0)).is_empty());
    assert_eq!(stands(&state, &ids[0]), OperationState::Withdrawn);
    assert_eq!(begun(&ask(&mut state, AdapterCommand::DoNotWait(ids[1].clone()), 0)), [ids[1].clone()]);
    assert!(ask(&mut state, AdapterCommand::DoNotWait(ids[1].clone()), 0).is_empty(), "once");
    ask(&mut state, AdapterCommand::Remove(one), 0);
    assert_eq!(stands(&state, &ids[2]), OperationState::Withdrawn);
}

#[test]
fn no_more_wait_than_can_be_looked_over() {
    let (mut state, [one, _]) = state();
    for number in 0..(WAITING_MAX as u128 + 5) {
        begin(&mut state, one, 100 + number);
    }
    assert_eq!(state.adapters.waiting.len(), WAITING_MAX);
    assert!(state.notices.iter().any(|notice| notice.detail.contains("withdraw one first")));
}

#[test]
fn clusters_are_asked_what_a_manifest_would_do_and_late_answers_are_ignored() {
    let (mut state, [one, _]) = state();
    let manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    let asked = prepared(one, Category::Custom, manifest);
    let jobs = ask(&mut state, AdapterCommand::Prepare(Box::new(asked.clone())), 0);
    let [Job::Adapter(AdapterJob::Rehearse { number, steps, contexts, .. })] = jobs.as_slice() else {
        panic!("{jobs:?}")
    };
    assert!(matches!(steps.as_slice(), [Step::Apply { namespace, .. }] if namespace == "shop"));
    assert_eq!(contexts, &[key()]);
    let change = Change { object: "ConfigMap shop/a".to_owned(), how: Changed::Created };
    let told = |number| AdapterNews::Rehearsed {
        number,
        context: key(),
        told: Rehearsal::Told(vec![change.clone()]),
    };
    let rehearsals = |state: &State| match &state.question {
        Some(Question::Operation(question)) => question.rehearsals.clone(),
        other => panic!("{other:?}"),
    };
    tell(&mut state, told(number + 1));
    assert_eq!(rehearsals(&state), [(key(), Rehearsal::Asked)]);
    tell(&mut state, told(*number));
    assert_eq!(rehearsals(&state), [(key(), Rehearsal::Told(vec![change.clone()]))]);
    let jobs = ask(&mut state, AdapterCommand::Decline, 0);
    assert!(matches!(jobs.as_slice(), [Job::Adapter(AdapterJob::StopRehearsal)]));
    // What it removes, and what only the adapter knows, no cluster can say before.
    for asked in [prepared(one, Category::Install, manifest), {
        let mut removed = asked;
        removed.request.removes = true;
        removed
    }] {
        assert!(ask(&mut state, AdapterCommand::Prepare(Box::new(asked)), 0).is_empty());
        assert!(rehearsals(&state).is_empty());
    }
}

#[test]
fn who_looks_elsewhere_is_told_on_the_desktop_how_an_operation_ended() {
    let told = |jobs: &[Job]| jobs.iter().any(|job| matches!(job, Job::TellDesktop { .. }));
    let (mut state, [one, _]) = state();
    for (is_hidden, severity, is_told) in [
        (false, Severity::Error, false),
        (true, Severity::Warning, false),
        (true, Severity::Info, true),
        (true, Severity::Error, true),
    ] {
        state.command(Command::Hidden(is_hidden), fresh(0));
        let (operation, _) = begin(&mut state, one, 20 + severity as u128 + u128::from(is_hidden) * 10);
        ask(&mut state, AdapterCommand::DoNotWait(operation.clone()), 0);
        let jobs = tell(&mut state, report(one, &operation, severity));
        assert_eq!(told(&jobs), is_told, "{is_hidden} {severity:?}");
        tell(&mut state, report(one, &operation, Severity::Error));
    }
    let jobs = tell(&mut state, report(one, "nobody's", Severity::Info));
    assert!(!told(&jobs), "what belongs to nothing that was asked is no news for the desktop");
}

#[test]
fn the_book_is_written_once_at_a_time_and_again_when_it_changed_meanwhile() {
    let saves =
        |jobs: &[Job]| jobs.iter().filter(|job| matches!(job, Job::Adapter(AdapterJob::Save(_)))).count();
    let (mut state, [one, _]) = state();
    let mut handed = 0;
    for _ in 0..100 {
        handed += saves(&tell(&mut state, report(one, "nobody's", Severity::Info)));
    }
    assert_eq!(handed, 1);
    assert_eq!(saves(&tell(&mut state, AdapterNews::BookSaved)), 1);
    assert_eq!(saves(&tell(&mut state, AdapterNews::BookSaved)), 0);
    tell(&mut state, report(one, "nobody's", Severity::Info));
    tell(&mut state, report(one, "nobody's", Severity::Info));
    assert_eq!(saves(&state.last_jobs()), 1, "before the program ends");
    assert_eq!(state.adapters.book.events.len(), 102);
}

#[test]
fn a_removed_adapter_can_be_brought_back_and_only_the_last() {
    let (mut state, [one, other]) = state();
    ask(&mut state, AdapterCommand::Rename(one, "ours".to_owned()), 0);
    ask(&mut state, AdapterCommand::Remove(other), 0);
    ask(&mut state, AdapterCommand::Remove(one), 0);
    let undo = |state: &State| {
        state.notices.iter().filter(|it| it.action == Some(NoticeAction::UndoRemoveAdapter)).count()
    };
    assert_eq!(undo(&state), 1);
    let jobs = ask(&mut state, AdapterCommand::UndoRemove, 0);
    assert!(jobs.iter().any(|job| matches!(job, Job::Adapter(AdapterJob::Connect { id, .. }) if *id == one)));
    assert_eq!((state.adapters.name(one).as_str(), undo(&state)), ("ours", 0));
    assert!(
        ask(&mut state, AdapterCommand::UndoRemove, 0).is_empty() && state.adapters.known(other).is_none()
    );
}
