//! Commands and events in, state and jobs out.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use crate::app::command::{ExportFormat, Page};
use crate::app::event::{Opened, Progress};
use crate::app::job::JobKey;
use crate::app::metrics::MetricsNews;
use crate::app::mirroring::MirrorJob;
use crate::app::publish::{PublishCommand, PublishJob, PublishNews, PublishOrder};
use crate::app::publishing::{PublishedRun, VoidRuns};
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
        machine: Default::default(),
        metrics: None,
    }
}

pub(super) fn summary(n: u128) -> crate::model::RunSummary {
    a_run(n).summary()
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
fn what_is_kept_of_one_run_does_not_disturb_the_next_and_its_file_is_written_again() {
    let mut state = running();
    state.is_mirroring = true;
    let kept = Event::Metrics(MetricsNews::Kept(Arc::new(a_run(1))));
    let nudges = |jobs: &[Job]| {
        let is_nudge = |job: &&Job| matches!(job, Job::Sharing(SharingJob::Changed));
        jobs.iter().filter(is_nudge).count()
    };
    let jobs = state.event(kept.clone(), fresh(0));
    assert_eq!(nudges(&jobs), 0, "{jobs:?}");
    assert!(
        matches!(jobs.as_slice(), [Job::Mirror(MirrorJob::WriteAgain(run))] if *run == id(1)),
        "{jobs:?}"
    );
    state.event(Event::RunEnded(Arc::new(a_run(7))), fresh(0));
    assert_eq!(nudges(&state.event(Event::RunSaved(Box::new(summary(7))), fresh(0))), 1);
    assert_eq!(nudges(&state.event(kept, fresh(0))), 1);
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
    state.event(Event::RunsRestored(gone.clone()), fresh(0));
    assert_eq!((state.history.len(), state.trash.len()), (3, 0));
    // One by one, what is left can still be undone.
    state.event(Event::RunsDeleted(gone[..1].to_vec()), fresh(0));
    state.event(Event::RunsDeleted(gone[1..].to_vec()), fresh(0));
    let jobs = state.command(Command::RestoreRuns(vec![id(1)]), fresh(0));
    assert!(matches!(jobs.as_slice(), [Job::RestoreRuns(ids)] if *ids == [id(1)]));
    state.event(Event::RunsRestored(gone[..1].to_vec()), fresh(0));
    assert_eq!((state.trash.len(), state.deleted.as_deref()), (1, Some(&gone[1..])));
}

#[test]
fn one_run_is_published_at_a_time_and_late_news_is_ignored() {
    let mut state = opened([1]);
    let order = PublishOrder {
        run: id(1),
        address: "https://meshery.test".to_owned(),
        profile: None,
        void: VoidRuns::Refused,
    };
    let send = || Command::Publish(PublishCommand::Send(order.clone()));
    assert!(state.command(send(), fresh(0)).is_empty(), "it is not open");
    state.command(Command::OpenRun(id(1)), fresh(0));
    state.event(Event::RunsRead(vec![Arc::new(a_run(1))]), fresh(0));
    state.event(Event::Publish(PublishNews::TokenFilePicked("/auth.json".into())), fresh(0));
    let sent = |jobs: Vec<Job>| match jobs.as_slice() {
        [Job::Publish(PublishJob::Send { number, token_file: Some(_), .. })] => *number,
        _ => panic!("{jobs:?}"),
    };
    let first = sent(state.command(send(), fresh(0)));
    assert!(state.command(send(), fresh(0)).is_empty(), "it is on its way");
    state.event(Event::Publish(PublishNews::Failed(first, "No way".to_owned())), fresh(0));
    assert_eq!((state.publish.going, state.publish.trouble.as_deref()), (None, Some("No way")));
    assert!(state.publish.token_file.is_some(), "to try again");
    let cancelled = sent(state.command(send(), fresh(0)));
    state.command(Command::Publish(PublishCommand::Cancel), fresh(0));
    let published = PublishedRun {
        name: "a run".to_owned(),
        address: order.address.clone(),
        result: None,
        profile: "p".to_owned(),
        remarks: vec!["The login is not kept for the next time.".to_owned()],
    };
    let done = |number| Event::Publish(PublishNews::Done(number, Box::new(published.clone())));
    state.event(done(cancelled), fresh(0));
    assert!(state.publish.done.is_none() && state.notices.is_empty(), "nobody waits for it");
    let last = sent(state.command(send(), fresh(0)));
    // The same run again: what is still in the queue about the cancelled one is not about this one.
    state.event(done(cancelled), fresh(0));
    state.event(Event::Publish(PublishNews::Failed(cancelled, "Too late".to_owned())), fresh(0));
    assert!(state.publish.going.is_some() && state.publish.trouble.is_none() && state.notices.is_empty());
    state.event(done(last), fresh(0));
    assert_eq!((state.publish.going, state.notices.len()), (None, 2));
    assert!(state.publish.done.is_some() && state.publish.token_file.is_none());
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

mod clusters {
    use super::*;
    use crate::app::clusters::{CONNECTED_MAX, ClusterCommand, ClusterEvent, ClusterJob, FilesRead};
    use crate::model::cluster::{
        Ask, ClusterContext, Connection, Consent, ContextChoice, ContextKey, Login, Trouble,
    };
    use crate::model::plan::{Route, ServiceTarget};

    fn key(name: &str) -> ContextKey {
        ContextKey { file: PathBuf::from("/k"), name: name.to_owned() }
    }

    fn context(name: &str) -> ClusterContext {
        ClusterContext {
            key: key(name),
            cluster: name.to_owned(),
            user: String::new(),
            namespace: "default".to_owned(),
            server: "https://a.test".to_owned(),
            shadowed_by: None,
            is_insecure: false,
            login: Login::Token,
            problems: Vec::new(),
        }
    }

    fn ask(state: &mut State, command: ClusterCommand) -> Vec<Job> {
        state.command(Command::Cluster(command), fresh(1))
    }

    fn tell(state: &mut State, event: ClusterEvent) -> Vec<Job> {
        state.event(Event::Cluster(event), fresh(1))
    }

    fn read(contexts: &[&str], changed: &[&str]) -> ClusterEvent {
        ClusterEvent::Read(Box::new(FilesRead {
            contexts: contexts.iter().map(|name| context(name)).collect(),
            changed: changed.iter().map(PathBuf::from).collect(),
            ..FilesRead::default()
        }))
    }

    fn stands(state: &mut State, name: &str, connection: Connection) {
        let number = state.clusters.links[&key(name)].number;
        tell(state, ClusterEvent::Stands { key: key(name), number, connection: Box::new(connection) });
    }

    fn connects(jobs: &[Job]) -> usize {
        jobs.iter().filter(|job| matches!(job, Job::Cluster(ClusterJob::Connect { .. }))).count()
    }

    fn consent(sha256: &str) -> Ask {
        let consent = Consent::Command {
            program: "/bin/login".into(),
            sha256: sha256.to_owned(),
            arguments: Vec::new(),
            variables: Vec::new(),
        };
        Ask { consent, context: key("a"), written: "login".to_owned(), has_changed: false }
    }

    #[test]
    fn files_are_kept_in_mind_once_and_read_at_once() {
        let mut state = State::default();
        let paths = vec![PathBuf::from("/k"), PathBuf::from("/folder")];
        let jobs = ask(&mut state, ClusterCommand::Add(paths.clone()));
        assert!(matches!(
            jobs.as_slice(),
            [Job::Cluster(ClusterJob::Save(_)), Job::Cluster(ClusterJob::Read(_))]
        ));
        ask(&mut state, ClusterCommand::Add(paths.clone()));
        assert_eq!((&state.clusters.book.files, state.page), (&paths, Page::Clusters));
        tell(&mut state, read(&["a"], &[]));
        ask(&mut state, ClusterCommand::Choose(key("a")));
        let jobs = ask(&mut state, ClusterCommand::Remove("/k".into()));
        assert!(
            jobs.iter()
                .any(|job| matches!(job, Job::Cluster(ClusterJob::Disconnect(gone)) if *gone == key("a")))
        );
        assert!(state.clusters.book.chosen.is_none() && state.clusters.links.is_empty());
    }

    #[test]
    fn a_chosen_context_is_connected_once() {
        let mut state = State::default();
        tell(&mut state, read(&["a", "b"], &[]));
        assert_eq!(connects(&ask(&mut state, ClusterCommand::Choose(key("a")))), 1);
        assert_eq!(connects(&ask(&mut state, ClusterCommand::Choose(key("a")))), 0, "it is being connected");
        assert_eq!(connects(&ask(&mut state, ClusterCommand::Choose(key("b")))), 1, "several at once");
        assert_eq!(state.clusters.links.len(), 2);
        for number in 0..CONNECTED_MAX {
            ask(&mut state, ClusterCommand::Connect(key(&number.to_string())));
        }
        assert_eq!(state.clusters.links.len(), CONNECTED_MAX);
        assert!(state.notices.last().is_some_and(|notice| notice.detail.contains("disconnect one")));
    }

    #[test]
    fn news_of_an_older_connection_is_ignored() {
        let mut state = State::default();
        ask(&mut state, ClusterCommand::Connect(key("a")));
        let old = state.clusters.links[&key("a")].number;
        ask(&mut state, ClusterCommand::Connect(key("a")));
        let trouble = Trouble { title: String::new(), cause: String::new(), advice: String::new() };
        let connection = Box::new(Connection::Failed(trouble));
        tell(&mut state, ClusterEvent::Stands { key: key("a"), number: old, connection });
        tell(&mut state, ClusterEvent::Seen { key: key("a"), number: old, seen: Default::default() });
        let link = &state.clusters.links[&key("a")];
        assert!(link.connection == Connection::Connecting && link.seen.is_none());
    }

    #[test]
    fn an_agreement_connects_all_that_waited_and_takes_the_place_of_an_older_one() {
        let mut state = State::default();
        for name in ["a", "b"] {
            ask(&mut state, ClusterCommand::Connect(key(name)));
            stands(&mut state, name, Connection::NeedsConsent(Box::new(consent("1"))));
        }
        assert!(matches!(state.question, Some(Question::Login(_))));
        assert_eq!(connects(&ask(&mut state, ClusterCommand::Agree)), 2);
        stands(&mut state, "a", Connection::NeedsConsent(Box::new(consent("2"))));
        ask(&mut state, ClusterCommand::Decline);
        assert_eq!(state.clusters.book.consents, [consent("1").consent]);
        stands(&mut state, "a", Connection::NeedsConsent(Box::new(consent("2"))));
        ask(&mut state, ClusterCommand::Agree);
        assert_eq!(state.clusters.book.consents, [consent("2").consent]);
    }

    #[test]
    fn what_a_changed_file_connected_is_connected_anew_or_let_go() {
        let mut state = State::default();
        tell(&mut state, read(&["a", "b"], &[]));
        for name in ["a", "b"] {
            ask(&mut state, ClusterCommand::Connect(key(name)));
        }
        let jobs = tell(&mut state, read(&["a"], &["/k"]));
        assert_eq!((connects(&jobs), state.clusters.links.len()), (1, 1));
        assert_eq!(connects(&tell(&mut state, read(&["a"], &["/other"]))), 0);
    }

    #[test]
    fn load_into_production_is_asked_about_and_into_an_unknown_cluster_refused() {
        let mut state = State::default();
        tell(&mut state, read(&["a"], &[]));
        let mut plan = Plan::for_url("http://web.shop.svc:80/");
        plan.target.service = Some(ServiceTarget {
            context: "a".to_owned(),
            route: Route::PortForward,
            ..ServiceTarget::default()
        });
        let choice = ContextChoice { is_production: true, ..ContextChoice::default() };
        ask(&mut state, ClusterCommand::Describe(key("a"), choice));
        assert!(state.command(Command::StartRun(Box::new(plan.clone())), fresh(1)).is_empty());
        let Some(Question::HeavyLoad { reason, .. }) = &state.question else {
            panic!("{:?}", state.question)
        };
        assert!(reason.contains("production"), "{reason}");
        let jobs = state.command(Command::AgreeToLoad, fresh(2));
        assert!(
            matches!(jobs.as_slice(), [Job::Run { way: Some(way), .. }] if way.context == key("a")),
            "{jobs:?}"
        );
        let mut state = State::default();
        assert!(state.command(Command::StartRun(Box::new(plan)), fresh(1)).is_empty());
        assert!(
            state.notices.last().is_some_and(|notice| notice.detail.contains("No kubeconfig")),
            "{:?}",
            state.notices
        );
    }

    #[test]
    fn an_alias_is_bounded_and_the_usual_is_not_kept() {
        let mut state = State::default();
        let choice =
            ContextChoice { alias: format!(" x\u{7}{} ", "y".repeat(100)), ..ContextChoice::default() };
        ask(&mut state, ClusterCommand::Describe(key("a"), choice));
        let title = state.clusters.book.title(&key("a")).to_owned();
        assert!(title.starts_with("xy") && title.chars().count() < 61, "{title}");
        ask(&mut state, ClusterCommand::Describe(key("a"), ContextChoice::default()));
        assert!(state.clusters.book.contexts.is_empty() && state.clusters.book.title(&key("a")) == "a");
    }
}
