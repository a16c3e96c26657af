//! Commands and events in, state and jobs out.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use crate::app::command::{ExportFormat, Page};
use crate::app::event::{Opened, Progress};
use crate::app::job::JobKey;
use crate::app::state::{COMPARED_MAX, NOTICES_MAX, NoticeAction, Open, Phase};
use crate::model::run::{Environment, Histograms, RUN_VERSION, Rate, Run, RunEdit};
use crate::model::{Ended, Labels, Pacing, Plan, Quantiles, RunId};

use super::*;

const URL: &str = "http://127.0.0.1:8080/";

fn fresh(n: u128) -> Fresh {
    Fresh { id: Uuid::from_u128(n) }
}

fn id(n: u128) -> RunId {
    RunId(Uuid::from_u128(n))
}

fn a_run(n: u128) -> Run {
    Run {
        version: RUN_VERSION,
        id: id(n),
        name: format!("run {n}"),
        labels: Labels::new(),
        note: String::new(),
        marks: Vec::new(),
        plan: Plan::for_url(URL),
        started: Timestamp::from_second(n as i64).expect("a small number"),
        elapsed_s: 1.0,
        paused_s: 0.0,
        ended: Ended::Completed,
        interrupted: false,
        requests: Default::default(),
        warmup: Default::default(),
        rate: Rate::default(),
        response_ms: Quantiles::default(),
        service_ms: Quantiles::default(),
        lag_ms: Quantiles::default(),
        errors: Default::default(),
        error_details: Default::default(),
        status: Default::default(),
        goals: Vec::new(),
        warnings: Vec::new(),
        bytes: Default::default(),
        connections: Default::default(),
        environment: Environment::default(),
        histograms: Histograms::default(),
        capacity: None,
        detail: Default::default(),
        intervals: Vec::new(),
    }
}

fn opened(runs: impl IntoIterator<Item = u128>) -> State {
    let mut state = State::default();
    let history = runs.into_iter().map(|n| a_run(n).summary()).collect();
    state.event(Event::StoreOpened(Box::new(Opened { history, ..Opened::default() })), fresh(0));
    state
}

fn running() -> State {
    let mut state = opened([]);
    state.command(Command::Go(Page::Load), fresh(0));
    state.command(Command::StartRun(Box::new(Plan::for_url(URL))), fresh(7));
    state
}

fn progress(n: u128) -> Event {
    Event::RunProgress(Box::new(Progress {
        id: id(n),
        phase: Phase::Measuring,
        so_far: Arc::new(a_run(n)),
        elapsed: Default::default(),
        progress: Some(0.5),
        remaining: None,
        in_flight: 3,
        factor: 2.0,
        is_paused: true,
    }))
}

#[test]
fn try_it_starts_a_target_and_then_a_run_against_it() {
    let mut state = opened([]);
    assert!(matches!(state.command(Command::TryIt, fresh(1)).as_slice(), [Job::StartTarget]));
    let jobs = state.event(Event::TargetReady { url: URL.to_owned() }, fresh(2));
    let [Job::Run { id: started, plan, .. }] = jobs.as_slice() else { panic!("{jobs:?}") };
    assert_eq!((*started, plan.target.url.as_str()), (id(2), URL));
    assert!(state.live.as_ref().is_some_and(|live| live.is_try) && state.page == Page::Load);
}

#[test]
fn a_second_run_is_refused_while_one_is_going() {
    let mut state = running();
    let jobs = state.command(Command::StartRun(Box::new(Plan::for_url(URL))), fresh(8));
    assert!(jobs.is_empty());
    assert_eq!(state.live.as_ref().map(|live| live.id), Some(id(7)));
    assert_eq!(state.notices.len(), 1);
}

#[test]
fn a_plan_with_a_problem_is_not_run() {
    let mut state = opened([]);
    let jobs = state.command(Command::StartRun(Box::new(Plan::for_url("ftp://x"))), fresh(1));
    assert!(jobs.is_empty() && state.live.is_none());
    assert!(state.notices[0].detail.contains("http"));
}

#[test]
fn heavy_load_on_a_public_address_is_asked_about_first() {
    let mut state = opened([]);
    let plan = Box::new(Plan { pacing: Pacing::MAX, ..Plan::for_url("http://example.com/") });
    assert!(state.command(Command::StartRun(plan.clone()), fresh(1)).is_empty());
    assert!(matches!(state.question, Some(Question::HeavyLoad { .. })));
    let jobs = state.command(Command::AgreeToLoad, fresh(1));
    assert!(matches!(jobs.as_slice(), [Job::Run { .. }]) && state.question.is_none());
}

#[test]
fn a_finished_run_opens_its_result_if_one_still_looks_at_it() {
    for (page, opens) in [(Page::Load, true), (Page::Settings, false)] {
        let mut state = running();
        state.event(progress(7), fresh(0));
        state.command(Command::Go(page), fresh(0));
        state.event(Event::RunEnded(Arc::new(a_run(7))), fresh(0));
        assert!(state.is_running(), "until it is on disk");
        state.event(Event::RunSaved(Box::new(a_run(7).summary())), fresh(0));
        assert!(!state.is_running() && state.history.len() == 1);
        assert_eq!(matches!(state.open, Open::Result(_)), opens);
        assert_eq!(state.notices.iter().any(|n| n.action == Some(NoticeAction::OpenRun(id(7)))), !opens);
    }
}

#[test]
fn news_of_another_run_is_ignored() {
    let mut state = running();
    state.event(progress(99), fresh(0));
    state.event(Event::RunFailed { id: id(99), reason: "late".to_owned() }, fresh(0));
    let live = state.live.as_ref().expect("it is going");
    assert!(live.so_far.is_none() && live.phase == Phase::Connecting);
}

#[test]
fn stopping_stays_on_show_until_the_run_has_ended() {
    let mut state = running();
    assert!(matches!(state.command(Command::StopRun, fresh(0)).as_slice(), [Job::Stop(JobKey::Run)]));
    state.event(progress(7), fresh(0));
    assert_eq!(state.live.as_ref().map(|live| &live.phase), Some(&Phase::Stopping));
}

#[test]
fn closing_during_a_run_asks_and_then_waits_for_the_disk() {
    let mut state = running();
    state.command(Command::Quit, fresh(0));
    assert!(state.question == Some(Question::Quit) && !state.closing);
    state.command(Command::DismissQuitQuestion, fresh(0));
    assert!(state.question.is_none());
    state.command(Command::Quit, fresh(0));
    assert!(matches!(state.command(Command::QuitConfirmed, fresh(0)).as_slice(), [Job::Stop(JobKey::Run)]));
    assert!(!state.closing);
    state.event(Event::RunEnded(Arc::new(a_run(7))), fresh(0));
    state.event(Event::RunSaved(Box::new(a_run(7).summary())), fresh(0));
    assert!(state.closing);
    let mut idle = opened([]);
    idle.command(Command::Quit, fresh(0));
    assert!(idle.closing);
}

#[test]
fn a_run_that_cannot_be_written_is_kept_and_said() {
    let mut state = running();
    state.event(Event::RunEnded(Arc::new(a_run(7))), fresh(0));
    let not_saved =
        |waits_in| Event::RunNotSaved { run: Arc::new(a_run(7)), waits_in, reason: "disk full".to_owned() };
    state.event(not_saved(None), fresh(0));
    assert!(matches!(&state.open, Open::Result(run) if run.id == id(7)));
    assert!(state.notices.iter().any(|notice| notice.detail == "disk full"));
    assert!(state.only_in_memory.contains(&id(7)));
    let mut state = running();
    state.command(Command::Go(Page::Settings), fresh(0));
    state.event(not_saved(Some(PathBuf::from("/data/pending/7.run"))), fresh(0));
    assert!(state.only_in_memory.is_empty());
    assert!(state.notices.iter().all(|notice| !notice.title.contains("saved")), "{:?}", state.notices);
}

#[test]
fn only_the_last_deletion_can_be_taken_back() {
    let mut state = opened([1, 2, 3]);
    for n in [1, 2] {
        state.event(Event::RunsDeleted(vec![a_run(n).summary()]), fresh(0));
    }
    let actions: Vec<_> = state.notices.iter().map(|notice| notice.action).collect();
    assert_eq!(actions, [None, Some(NoticeAction::UndoDelete)]);
}

#[test]
fn history_is_newest_first() {
    let state = opened([3, 9, 5]);
    let order: Vec<RunId> = state.history.iter().map(|row| row.id).collect();
    assert_eq!(order, [id(9), id(5), id(3)]);
}

#[test]
fn only_the_runs_that_are_waited_for_are_shown() {
    let mut state = opened([1, 2]);
    state.command(Command::OpenRun(id(1)), fresh(0));
    state.command(Command::Compare(vec![id(2), id(1)]), fresh(0));
    state.event(Event::RunsRead(vec![Arc::new(a_run(1))]), fresh(0));
    assert!(matches!(state.open, Open::Reading(_)));
    state.event(Event::RunsRead(vec![Arc::new(a_run(2)), Arc::new(a_run(1))]), fresh(0));
    let Open::Comparison(runs) = &state.open else { panic!("{:?}", state.open) };
    assert_eq!(runs.iter().map(|run| run.id).collect::<Vec<_>>(), [id(2), id(1)]);
}

#[test]
fn an_overlay_has_a_bound() {
    let mut state = opened([]);
    let jobs = state.command(Command::Compare((0..100).map(id).collect()), fresh(0));
    assert!(matches!(jobs.as_slice(), [Job::ReadRuns(ids)] if ids.len() == COMPARED_MAX));
}

#[test]
fn deleted_runs_come_back() {
    let mut state = opened([1, 2, 3]);
    let gone = vec![a_run(1).summary(), a_run(3).summary()];
    state.event(Event::RunsDeleted(gone.clone()), fresh(0));
    assert_eq!(state.history.len(), 1);
    assert_eq!(state.notices.last().and_then(|notice| notice.action), Some(NoticeAction::UndoDelete));
    let jobs = state.command(Command::UndoDelete, fresh(0));
    assert!(matches!(jobs.as_slice(), [Job::RestoreRuns(ids)] if *ids == [id(1), id(3)]));
    state.event(Event::RunsRestored(gone), fresh(0));
    assert_eq!(state.history.len(), 3);
}

#[test]
fn edits_are_checked_before_they_are_kept() {
    let mut state = opened([1]);
    for edit in [
        RunEdit::Name("  ".to_owned()),
        RunEdit::Name("a\nb".to_owned()),
        RunEdit::Labels(Labels::from([("a b".to_owned(), String::new())])),
    ] {
        assert!(state.command(Command::EditRun(id(1), edit), fresh(0)).is_empty());
    }
    assert_eq!(state.notices.len(), 3);
    let renamed = Run { name: "better".to_owned(), ..a_run(1) };
    state.event(Event::RunEdited(Arc::new(renamed)), fresh(0));
    assert_eq!(state.history[0].name, "better");
}

#[test]
fn notices_have_a_bound() {
    let mut state = opened([]);
    for n in 0..NOTICES_MAX + 50 {
        state.event(Event::Failed { title: n.to_string(), reason: String::new() }, fresh(0));
    }
    assert_eq!(state.notices.len(), NOTICES_MAX);
    assert_eq!(state.notices[0].title, "50");
}

#[test]
fn a_copy_of_a_plan_gets_a_name_of_its_own() {
    let mut state = opened([]);
    let plan = Plan { name: "cart".to_owned(), ..Plan::for_url(URL) };
    let jobs = state.command(Command::SavePlan(None, Box::new(plan)), fresh(1));
    for job in jobs {
        let Job::SavePlan(saved) = job else { panic!("{job:?}") };
        state.event(Event::PlanSaved(saved), fresh(0));
    }
    let first = state.plans[0].id;
    let jobs = state.command(Command::DuplicatePlan(first), fresh(2));
    assert!(
        matches!(jobs.as_slice(), [Job::SavePlan(saved)] if saved.plan.name == "cart (2)" && saved.id != first)
    );
}

#[test]
fn an_export_is_offered_a_file_name() {
    let mut state = opened([1]);
    let jobs = state.command(Command::ExportRuns(vec![id(1)], ExportFormat::Html), fresh(0));
    assert!(matches!(jobs.as_slice(), [Job::PickExportPlace { file_name, .. }] if file_name == "run-1.html"));
    let path = PathBuf::from("/tmp/x.html");
    let jobs = state.event(Event::ExportPlacePicked(vec![id(1)], ExportFormat::Html, path.clone()), fresh(0));
    assert!(matches!(jobs.as_slice(), [Job::ExportRuns(_, ExportFormat::Html, to)] if *to == path));
}

#[test]
fn the_history_page_asked_for_again_shows_its_list() {
    let mut state = opened([1]);
    state.command(Command::OpenRun(id(1)), fresh(0));
    state.event(Event::RunsRead(vec![Arc::new(a_run(1))]), fresh(0));
    state.command(Command::Go(Page::Home), fresh(0));
    state.command(Command::Go(Page::History), fresh(0));
    assert!(matches!(state.open, Open::Result(_)), "what was open is still there after a look elsewhere");
    state.command(Command::Go(Page::History), fresh(0));
    assert!(matches!(state.open, Open::Nothing));
}
