//! Sources, boards and metrics of runs: commands and news in, state and jobs out.

use std::sync::Arc;

use uuid::Uuid;

use crate::app::command::{Command, Page};
use crate::app::event::{Event, Opened};
use crate::app::job::Job;
use crate::app::metrics::{Keeping, MetricsCommand, MetricsJob, MetricsNews, Range, View};
use crate::app::state::{Level, NoticeAction, State};
use crate::app::update::Fresh;
use crate::model::cluster::Trouble;
use crate::model::metrics::board::PanelPlace;
use crate::model::metrics::{
    Access, Answer, Board, BoardId, Facts, Grid, MetricsBook, Panel, PanelKind, Place, Row, Source, SourceId,
    SourceKind, Unit,
};
use crate::model::{RunId, RunSummary};

fn fresh() -> Fresh {
    Fresh { id: Uuid::from_u128(1) }
}

fn source(number: u128) -> Source {
    let place = Place::Url(format!("http://127.0.0.1:{number}/"));
    let kind = SourceKind::Prometheus { place, access: Access::default() };
    Source { id: SourceId(Uuid::from_u128(number)), name: format!("source {number}"), kind }
}

fn board(id: &str) -> Board {
    let panel = Panel::new("Rate", PanelKind::TimeSeries, Unit::Rate);
    Board {
        rows: vec![Row { panels: vec![panel], ..Row::default() }],
        ..Board::new(BoardId(id.to_owned()), id)
    }
}

/// The page is on show, with a source and a board.
fn shown() -> State {
    let mut state = State::default();
    let book = MetricsBook {
        sources: vec![source(1), source(2)],
        boards: vec![board("one"), board("two")],
        source: Some(source(1).id),
        board: Some(BoardId("one".to_owned())),
        ..MetricsBook::default()
    };
    state.event(Event::StoreOpened(Box::new(Opened { metrics: book, ..Opened::default() })), fresh());
    state.command(Command::Go(Page::Metrics), fresh());
    state
}

fn ask(state: &mut State, command: MetricsCommand) -> Vec<Job> {
    state.command(Command::Metrics(command), fresh())
}

fn tell(state: &mut State, news: MetricsNews) -> Vec<Job> {
    state.event(Event::Metrics(news), fresh())
}

fn watched(jobs: &[Job]) -> Option<u64> {
    jobs.iter().find_map(|job| match job {
        Job::Metrics(MetricsJob::Watch(watch)) => Some(watch.number),
        _ => None,
    })
}

#[test]
fn nothing_is_asked_before_the_page_is_looked_at_and_nothing_after() {
    let mut state = State::default();
    let book = MetricsBook { sources: vec![source(1)], source: Some(source(1).id), ..MetricsBook::default() };
    let opened = Opened { metrics: book, ..Opened::default() };
    let jobs = state.event(Event::StoreOpened(Box::new(opened)), fresh());
    assert!(!jobs.iter().any(|job| matches!(job, Job::Metrics(_))), "{jobs:?}");
    let mut state = shown();
    assert!(state.metrics.shown.as_ref().is_some_and(|shown| shown.is_watched));
    let jobs = state.command(Command::Hidden(true), fresh());
    assert!(matches!(jobs.as_slice(), [Job::Metrics(MetricsJob::Stop)]), "{jobs:?}");
    let jobs = state.command(Command::Hidden(false), fresh());
    assert!(watched(&jobs).is_some(), "{jobs:?}");
    let jobs = state.command(Command::Go(Page::Home), fresh());
    assert!(matches!(jobs.as_slice(), [Job::Metrics(MetricsJob::Stop)]), "{jobs:?}");
    assert!(state.command(Command::Go(Page::Load), fresh()).is_empty(), "it was stopped already");
}

#[test]
fn what_panels_show_stays_while_the_same_board_is_asked_again_and_late_news_is_ignored() {
    let mut state = shown();
    let place = PanelPlace { row: 0, panel: 0 };
    let grid = Grid { from_ms: 0, to_ms: 1000, step_ms: 1000 };
    let answers = Arc::new(vec![Ok(Answer::default())]);
    let number = state.metrics.number;
    tell(&mut state, MetricsNews::Panel(number, place, grid, Arc::clone(&answers)));
    tell(&mut state, MetricsNews::Asked(number, grid));
    let shows = |state: &State| state.metrics.shown.as_ref().unwrap().panels.len();
    assert_eq!(shows(&state), 1);
    let view = View { range: Range::Last(300), ..View::default() };
    let jobs = ask(&mut state, MetricsCommand::Look(view.clone()));
    assert!(watched(&jobs).is_some_and(|newer| newer > number));
    assert_eq!(shows(&state), 1, "until the new answer is there");
    assert!(ask(&mut state, MetricsCommand::Look(view)).is_empty(), "nothing is other");
    ask(&mut state, MetricsCommand::ChooseBoard(BoardId("two".to_owned())));
    assert_eq!(shows(&state), 0, "of another board");
    tell(&mut state, MetricsNews::Panel(number, place, grid, answers));
    assert_eq!(shows(&state), 0, "late news");
}

#[test]
fn a_source_is_checked_when_it_is_put_and_its_secret_is_kept_first() {
    let mut state = shown();
    let jobs = ask(&mut state, MetricsCommand::PutSource(Box::new(source(3)), Some("CANARY".to_owned())));
    assert!(
        matches!(
            jobs.as_slice(),
            [
                Job::Metrics(MetricsJob::KeepSecret(..)),
                Job::Metrics(MetricsJob::Save(_)),
                Job::Metrics(MetricsJob::Check(..)),
                Job::Metrics(MetricsJob::Watch(_))
            ]
        ),
        "{jobs:?}"
    );
    let Job::Metrics(MetricsJob::Save(book)) = &jobs[1] else { unreachable!() };
    assert!(!format!("{book:?}").contains("CANARY"));
    let bad = Source { name: "  ".to_owned(), ..source(4) };
    assert!(ask(&mut state, MetricsCommand::PutSource(Box::new(bad), None)).is_empty());
    let place = Place::Url("http://me:secret@x/".to_owned());
    let kind = SourceKind::Prometheus { place, access: Access::default() };
    assert!(
        ask(&mut state, MetricsCommand::PutSource(Box::new(Source { kind, ..source(5) }), None)).is_empty()
    );
    let wrong = state.notices.iter().filter(|notice| notice.level == Level::Error).count();
    assert_eq!((wrong, state.metrics.book.sources.len()), (2, 3));
}

#[test]
fn how_a_source_stands_is_told_by_the_newest_question_only() {
    let mut state = shown();
    let id = source(1).id;
    let number = state.metrics.stands[&id].number;
    ask(&mut state, MetricsCommand::Check(id));
    tell(&mut state, MetricsNews::Stands(id, number, Ok(Arc::default())));
    assert!(state.metrics.stands[&id].is_asking, "an answer to the question before");
    let number = state.metrics.stands[&id].number;
    let facts = Arc::new(Facts { scrape_ms: Some(2000), ..Facts::default() });
    tell(&mut state, MetricsNews::Stands(id, number, Ok(facts)));
    let standing = &state.metrics.stands[&id];
    assert!(!standing.is_asking && standing.facts.as_ref().unwrap().scrape_ms == Some(2000));
}

#[test]
fn what_is_asked_before_the_source_was_known_is_asked_once_more_with_what_it_says() {
    let mut state = shown();
    let stand = |state: &mut State, scrape_ms| {
        let number = state.metrics.stands[&source(1).id].number;
        let facts = Facts { scrape_ms: Some(scrape_ms), ..Facts::default() };
        tell(state, MetricsNews::Stands(source(1).id, number, Ok(Arc::new(facts))))
    };
    let jobs = stand(&mut state, 60_000);
    let [Job::Metrics(MetricsJob::Watch(watch))] = jobs.as_slice() else { panic!("{jobs:?}") };
    assert_eq!(watch.scrape_ms, Some(60_000));
    ask(&mut state, MetricsCommand::Check(source(1).id));
    assert!(stand(&mut state, 60_000).is_empty(), "it is known");
}

#[test]
fn a_source_that_answers_again_is_in_trouble_no_more() {
    let mut state = shown();
    let (number, id) = (state.metrics.number, source(1).id);
    let trouble = Trouble { title: "gone".to_owned(), cause: String::new(), advice: String::new() };
    tell(&mut state, MetricsNews::Lost(number, trouble));
    let place = PanelPlace { row: 0, panel: 0 };
    let grid = Grid { from_ms: 0, to_ms: 1000, step_ms: 1000 };
    let mut answer = |answer: Result<Answer, String>| {
        tell(&mut state, MetricsNews::Panel(number, place, grid, Arc::new(vec![answer])));
        state.metrics.stands[&id].trouble.is_some()
    };
    assert!(answer(Err("no such metric".to_owned())), "nothing was answered");
    assert!(!answer(Ok(Answer::default())));
}

#[test]
fn a_source_that_we_read_for_a_run_is_let_go_where_nothing_is_kept_of_it() {
    let run = RunId(Uuid::from_u128(9));
    let lets_go = |jobs: &[Job]| {
        jobs.iter().any(|job| matches!(job, Job::Metrics(MetricsJob::StopKeeping(id)) if *id == run))
    };
    let reading = || {
        let mut state = shown();
        let kind = SourceKind::Direct { endpoints: Vec::new(), api: None, every_ms: 1000 };
        state.metrics.book.sources[0].kind = kind;
        ask(&mut state, MetricsCommand::KeepWithRuns(vec![BoardId("two".to_owned())]));
        let jobs = state.read_metrics_for(run);
        assert!(matches!(jobs.as_slice(), [Job::Metrics(MetricsJob::ReadFor(..))]), "{jobs:?}");
        state
    };
    let failed = Event::RunFailed { id: run, reason: "no route".to_owned() };
    let mut state = reading();
    assert!(lets_go(&state.event(failed.clone(), fresh())));
    assert!(!lets_go(&state.event(failed, fresh())), "once");
    assert!(lets_go(&{
        let mut state = reading();
        state.metrics.book.with_runs.clear();
        state.event(Event::RunSaved(Box::new(saved(run))), fresh())
    }));
    let mut state = reading();
    let jobs = state.event(Event::RunSaved(Box::new(saved(run))), fresh());
    assert!(matches!(jobs.as_slice(), [Job::Metrics(MetricsJob::Keep(_))]), "who keeps lets go: {jobs:?}");
}

fn saved(id: RunId) -> RunSummary {
    RunSummary { id, ..crate::app::update::tests::summary(9) }
}

#[test]
fn what_is_removed_can_be_brought_back_until_something_else_is() {
    let mut state = shown();
    ask(&mut state, MetricsCommand::RemoveSource(source(1).id));
    assert_eq!(state.metrics.book.source, Some(source(2).id));
    ask(&mut state, MetricsCommand::UndoRemove);
    let ids: Vec<SourceId> = state.metrics.book.sources.iter().map(|source| source.id).collect();
    assert_eq!(ids, [source(1).id, source(2).id]);
    ask(&mut state, MetricsCommand::RemoveSource(source(1).id));
    let jobs = ask(&mut state, MetricsCommand::RemoveBoard(BoardId("one".to_owned())));
    let forgets = jobs
        .iter()
        .any(|job| matches!(job, Job::Metrics(MetricsJob::ForgetSecret(id)) if *id == source(1).id));
    assert!(forgets, "the source is gone for good: {jobs:?}");
    let undo = |state: &State| {
        state.notices.iter().filter(|notice| notice.action == Some(NoticeAction::UndoRemoveMetrics)).count()
    };
    assert_eq!(undo(&state), 1);
    ask(&mut state, MetricsCommand::UndoRemove);
    assert_eq!((undo(&state), state.metrics.book.boards.len(), state.metrics.book.sources.len()), (0, 2, 1));
}

#[test]
fn metrics_are_read_for_a_run_where_boards_are_kept_with_runs() {
    let mut state = shown();
    let run = RunId(Uuid::from_u128(9));
    assert!(ask(&mut state, MetricsCommand::KeepFor(run)).is_empty(), "no board is kept");
    ask(&mut state, MetricsCommand::KeepWithRuns(vec![BoardId("two".to_owned())]));
    let jobs = ask(&mut state, MetricsCommand::KeepFor(run));
    let [Job::Metrics(MetricsJob::Keep(keep))] = jobs.as_slice() else { panic!("{jobs:?}") };
    assert_eq!((keep.run, keep.boards.len(), keep.boards[0].title.as_str()), (run, 1, "two"));
    assert_eq!(state.metrics.keeping[&run], Keeping::Asking);
    ask(&mut state, MetricsCommand::StopKeeping(run));
    tell(&mut state, MetricsNews::Keeping(run, Keeping::Asking));
    assert!(!state.metrics.keeping.contains_key(&run), "nobody waits for it any more");
    state.only_in_memory.insert(run);
    assert!(ask(&mut state, MetricsCommand::KeepFor(run)).is_empty());
    assert!(matches!(state.metrics.keeping[&run], Keeping::Failed(_)));
}
