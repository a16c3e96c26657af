//! `metrics`: sources of metrics and boards in a terminal, and metrics beside a run.

mod text;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::app::metrics::{Keeping, MetricsCommand, Passing, Range, Shown, View};
use crate::app::state::{Level, StoreState};
use crate::app::{Command, Keep, Page};
use crate::model::cluster::ContextKey;
use crate::model::metrics::{
    Access, Ask, Board, BoardId, Facts, Login, Panel, PanelKind, PanelQuery, Place, Row, RunMetrics, Scope,
    Source, SourceId, SourceKind, TlsFiles, Unit,
};
use crate::model::plan::{ServiceTarget, TargetKind};
use crate::model::{Run, RunId};

use super::args_metrics::{BoardArgs, CheckArgs, MetricsArgs, QueryArgs, RunMetricsArgs, SourceArgs};
use super::interrupt::Interrupts;
use super::screen::Screen;
use super::session::{Session, failed};
use super::{Failure, Status, cluster};

/// A source is waited for this long at most: its own limits are shorter.
const ANSWER_MAX: Duration = Duration::from_secs(90);
/// Names the metrics API of the cluster that `--context` says.
const METRICS_API: &str = "metrics.k8s.io";
/// What is asked over where nothing else was said.
const RANGE: Duration = Duration::from_secs(900);
/// How often a source that we read ourselves is read.
const EVERY_MS: u64 = 1000;
/// How many readings of a source that is read by us are waited for: a rate needs several.
const READINGS: u32 = 4;

/// Carries out one of the commands.
pub(super) fn metrics(what: MetricsArgs, data_dir: PathBuf, screen: &Screen) -> Result<Status, Failure> {
    let keep = match &what {
        MetricsArgs::Import { .. } => Keep::Here,
        MetricsArgs::Boards => Keep::HereOrBeside,
        MetricsArgs::Check(CheckArgs { reach, .. })
        | MetricsArgs::Query(QueryArgs { reach, .. })
        | MetricsArgs::Board(BoardArgs { reach, .. }) => cluster::keep_for(&reach.kubeconfig),
    };
    let mut session = Session::start(data_dir, keep)?;
    let result = match what {
        MetricsArgs::Check(of) => check(&mut session, &of, screen),
        MetricsArgs::Query(of) => query(&mut session, &of, screen),
        MetricsArgs::Board(of) => board(&mut session, &of, screen),
        MetricsArgs::Boards => screen.print(&text::boards(&session.state().metrics)),
        MetricsArgs::Import { files } => import(&mut session, files, screen),
    };
    if let Some(words) = session.end() {
        screen.warning(&words);
    }
    result.map(|()| Status::Met)
}

fn check(session: &mut Session, of: &CheckArgs, screen: &Screen) -> Result<(), Failure> {
    let id = use_source(session, &of.source, &of.reach, Vec::new(), screen)?;
    let facts = facts(session, id)?;
    let told = text::Told { source: &of.source, facts: &facts, metrics: &session.state().metrics };
    screen.print(&if of.json { told.json() } else { told.text() })
}

fn query(session: &mut Session, of: &QueryArgs, screen: &Screen) -> Result<(), Failure> {
    crate::app::metrics::check_promql(&of.promql).map_err(Failure::Input)?;
    let mut panel = Panel::new(&of.promql, PanelKind::TimeSeries, Unit::None);
    panel.queries.push(PanelQuery {
        name: "A".to_owned(),
        ask: Ask::PromQl(of.promql.clone()),
        legend: String::new(),
        is_instant: false,
        is_hidden: false,
    });
    let board = Board {
        rows: vec![Row { panels: vec![panel], ..Row::default() }],
        ..Board::new(BoardId("query".to_owned()), "Query")
    };
    look(session, of.range, Scope::default());
    let shown = shown(session, (&of.source, &of.reach), board, screen)?;
    screen.print(&if of.json { text::shown_json(&shown) } else { text::shown(&shown) })?;
    refused(&shown)
}

fn board(session: &mut Session, of: &BoardArgs, screen: &Screen) -> Result<(), Failure> {
    let scope = Scope {
        namespace: of.namespace.clone().unwrap_or_default(),
        workload: of.workload.clone().unwrap_or_default(),
    };
    // A ready board is made for what is looked at.
    look(session, of.range, scope);
    let board = named(session, &of.board)?;
    let shown = shown(session, (&of.source, &of.reach), (*board).clone(), screen)?;
    screen.print(&if of.json { text::shown_json(&shown) } else { text::shown(&shown) })
}

fn import(session: &mut Session, files: Vec<PathBuf>, screen: &Screen) -> Result<(), Failure> {
    if let StoreState::Failed { reason } = &session.state().store {
        return Err(Failure::NotCarriedOut(reason.clone()));
    }
    // What opening had to say is not about this.
    session.news();
    let mut left = files.len();
    session.command(Command::Metrics(MetricsCommand::ImportBoards(files)));
    let began = Instant::now();
    while left > 0 {
        if began.elapsed() > ANSWER_MAX {
            return Err(Failure::NotCarriedOut("the files were not read in time".to_owned()));
        }
        session.wait();
        for notice in session.news() {
            match notice.level {
                Level::Error => return Err(failed(&notice)),
                Level::Warning => screen.warning(&format!("{}: {}", notice.title, notice.detail)),
                // One for each file, whether its board is new or takes the place of itself.
                Level::Info => {
                    left = left.saturating_sub(1);
                    tell_imported(session, screen);
                }
            }
        }
    }
    Ok(())
}

/// Tells of the board that came last.
fn tell_imported(session: &Session, screen: &Screen) {
    let metrics = &session.state().metrics;
    if let Some(board) = metrics.imported.as_ref().and_then(|id| metrics.board(id)) {
        screen.remark(&text::imported(&board));
    }
}

fn look(session: &mut Session, range: Option<Duration>, scope: Scope) {
    let range = Range::Last(range.unwrap_or(RANGE).as_secs().max(1));
    let view = View { range, refresh_s: None, scope, ..View::default() };
    session.command(Command::Metrics(MetricsCommand::Look(view)));
}

/// What a board shows of what is looked at.
fn shown(
    session: &mut Session,
    (source, reach): (&str, &SourceArgs),
    board: Board,
    screen: &Screen,
) -> Result<Shown, Failure> {
    let id = use_source(session, source, reach, vec![Arc::new(board)], screen)?;
    facts(session, id)?;
    session.command(Command::Go(Page::Metrics));
    let is_direct = session
        .state()
        .metrics
        .known_source(id)
        .is_some_and(|source| matches!(source.kind, SourceKind::Direct { .. }));
    if is_direct {
        // What is read by us is known from the first reading on.
        let until = Instant::now() + Duration::from_millis(EVERY_MS) * READINGS;
        while Instant::now() < until {
            session.wait();
        }
        session.command(Command::Metrics(MetricsCommand::Refresh));
    }
    let began = Instant::now();
    loop {
        match &session.state().metrics.shown {
            Some(shown) if !shown.is_asking && shown.grid.is_some() => return Ok(shown.clone()),
            _ if began.elapsed() > ANSWER_MAX => {
                return Err(Failure::NotCarriedOut("the source did not answer in time".to_owned()));
            }
            _ => session.wait(),
        }
        if let Some(failure) = session.failure() {
            return Err(failure);
        }
    }
}

/// A question that was refused is no answer.
fn refused(shown: &Shown) -> Result<(), Failure> {
    let answers = shown.panels.values().filter_map(|panel| panel.answers.as_ref());
    let refused = answers.flat_map(|answers| answers.iter()).find_map(|answer| answer.as_ref().err());
    refused.map_or(Ok(()), |reason| Err(Failure::NotCarriedOut(reason.clone())))
}

/// A board by its key or title.
fn named(session: &Session, name: &str) -> Result<Arc<Board>, Failure> {
    let metrics = &session.state().metrics;
    let wanted = name.to_lowercase();
    let all = metrics.boards();
    let found = all.iter().find(|(id, title)| id.0 == name || title.to_lowercase() == wanted);
    found
        .and_then(|(id, _)| metrics.board(id))
        .ok_or_else(|| Failure::Input(format!("there is no board “{name}”; see: meshbench metrics boards")))
}

/// Uses a source for this command.
fn use_source(
    session: &mut Session,
    text: &str,
    reach: &SourceArgs,
    boards: Vec<Arc<Board>>,
    screen: &Screen,
) -> Result<SourceId, Failure> {
    let kept = session.state().metrics.book.sources.iter().find(|source| source.name == text).cloned();
    let (source, secret) = match kept {
        Some(source) => (source, None),
        None => (read_source(session, text, reach, screen)?, secret(reach)?),
    };
    let id = source.id;
    let passing = Box::new(Passing { source, boards });
    session.command(Command::Metrics(MetricsCommand::UsePassing(passing, secret)));
    match session.failure() {
        Some(Failure::NotCarriedOut(words)) => Err(Failure::Input(words)),
        _ => Ok(id),
    }
}

fn secret(reach: &SourceArgs) -> Result<Option<String>, Failure> {
    let name = reach.token_env.as_ref().or(reach.password_env.as_ref());
    let read = |name: &String| {
        std::env::var(name).map_err(|_| Failure::Input(format!("the environment has no variable {name}")))
    };
    name.map(read).transpose()
}

fn access(reach: &SourceArgs) -> Access {
    let login = match (&reach.token_env, &reach.user) {
        (Some(_), _) => Login::Bearer,
        (None, Some(user)) => Login::Basic { user: user.clone() },
        (None, None) => Login::None,
    };
    let tls = TlsFiles {
        ca: reach.ca_file.clone(),
        certificate: reach.client_cert.clone(),
        key: reach.client_key.clone(),
        insecure: reach.insecure,
    };
    Access { login, tenant: reach.tenant.clone().unwrap_or_default(), tls }
}

/// Reads what names a source that is not kept.
fn read_source(
    session: &mut Session,
    text: &str,
    reach: &SourceArgs,
    screen: &Screen,
) -> Result<Source, Failure> {
    if text == METRICS_API {
        let api = Some(context(session, reach, screen)?);
        let kind = SourceKind::Direct { endpoints: Vec::new(), api, every_ms: EVERY_MS };
        return Ok(Source { id: SourceId(Uuid::now_v7()), name: text.to_owned(), kind });
    }
    let access = access(reach);
    let (kind, rest) = match text.split_once('+') {
        Some((kind @ ("grafana" | "direct" | "prometheus"), rest)) => (kind, rest),
        _ => ("prometheus", text),
    };
    let place = place(session, rest, reach, screen)?;
    let kind = match kind {
        "grafana" => SourceKind::Grafana { place, access, data_source: None },
        "direct" => SourceKind::Direct { endpoints: vec![place], api: None, every_ms: EVERY_MS },
        _ => SourceKind::Prometheus { place, access },
    };
    Ok(Source { id: SourceId(Uuid::now_v7()), name: text.to_owned(), kind })
}

fn place(session: &mut Session, text: &str, reach: &SourceArgs, screen: &Screen) -> Result<Place, Failure> {
    let (kind, rest) = match text.split_once('/') {
        Some(("svc", rest)) => (TargetKind::Service, rest),
        Some(("pod", rest)) => (TargetKind::Pod, rest),
        _ if text.starts_with("http://") || text.starts_with("https://") => {
            return Ok(Place::Url(text.to_owned()));
        }
        _ => {
            return Err(Failure::Input(format!(
                "“{text}” is no source: neither a name of the Metrics page, nor an address that begins with http://, \
                 https://, svc/ or pod/"
            )));
        }
    };
    // NAMESPACE/NAME:PORT and then perhaps a path.
    let cut = rest.match_indices('/').nth(1).map_or(rest.len(), |(at, _)| at);
    let (named, path) = rest.split_at(cut);
    let (namespace, name, port) = ServiceTarget::place(named).ok_or_else(|| {
        Failure::Input(format!(
            "“{text}” is not written as svc/NAMESPACE/NAME:PORT or pod/NAMESPACE/NAME:PORT"
        ))
    })?;
    let (namespace, name, path) = (namespace.to_owned(), name.to_owned(), path.to_owned());
    let context = context(session, reach, screen)?;
    Ok(Place::Cluster { context, kind, namespace, name, port, path })
}

/// The context that a source is in, connected.
fn context(session: &mut Session, reach: &SourceArgs, screen: &Screen) -> Result<ContextKey, Failure> {
    let chosen = session.state().clusters.chosen().map(|key| key.name.clone());
    let name = reach.context.clone().or(chosen);
    let name =
        name.ok_or_else(|| Failure::Input("say with --context in which cluster the source is".to_owned()))?;
    cluster::connect(session, &name, reach.kubeconfig.as_ref(), screen).map(|(key, _)| key)
}

fn facts(session: &mut Session, id: SourceId) -> Result<Arc<Facts>, Failure> {
    let began = Instant::now();
    loop {
        let standing = session.state().metrics.stands.get(&id);
        if let Some(standing) = standing.filter(|standing| !standing.is_asking) {
            if let Some(trouble) = &standing.trouble {
                return Err(Failure::NotCarriedOut(format!(
                    "{}: {}\n{}",
                    trouble.title, trouble.cause, trouble.advice
                )));
            }
            if let Some(facts) = &standing.facts {
                return Ok(Arc::clone(facts));
            }
        }
        if began.elapsed() > ANSWER_MAX {
            return Err(Failure::NotCarriedOut("the source did not answer in time".to_owned()));
        }
        session.wait();
    }
}

/// What a run cost, and what is to be known of its metrics, as lines.
pub(super) fn costs(metrics: &RunMetrics) -> Vec<String> {
    let remarks = metrics.remarks.iter().map(|remark| super::screen::plain(remark));
    text::costs(&metrics.costs).into_iter().chain(remarks).collect()
}

/// Makes ready that metrics are kept with the run that follows. A source that does not answer is better known before.
pub(super) fn prepare(
    session: &mut Session,
    options: &RunMetricsArgs,
    screen: &Screen,
    (context, kubeconfig): (&Option<String>, &Option<PathBuf>),
) -> Result<(), Failure> {
    let Some(text) = &options.metrics else { return Ok(()) };
    let reach = SourceArgs {
        context: context.clone(),
        kubeconfig: kubeconfig.clone(),
        token_env: options.metrics_token_env.clone(),
        ..SourceArgs::default()
    };
    let scope =
        Scope { namespace: options.metrics_namespace.clone().unwrap_or_default(), workload: String::new() };
    look(session, None, scope);
    let boards =
        options.board.iter().map(|name| named(session, name)).collect::<Result<Vec<_>, Failure>>()?;
    let id = use_source(session, text, &reach, boards, screen)?;
    facts(session, id).map(drop)
}

/// Waits until the metrics of a run are kept, or known not to be; the run with them.
pub(super) fn kept(
    session: &mut Session,
    run: Arc<Run>,
    interrupts: &Interrupts,
    screen: &Screen,
) -> Result<Arc<Run>, Failure> {
    let id: RunId = run.id;
    let stop = |session: &mut Session, run: Arc<Run>| {
        screen.progress("");
        session.command(Command::Metrics(MetricsCommand::StopKeeping(id)));
        screen.warning("the metrics of the run were not waited for");
        Ok(run)
    };
    loop {
        match session.state().metrics.keeping.get(&id).cloned() {
            None => return Ok(run),
            Some(Keeping::Kept) => {
                screen.progress("");
                return session.read(id);
            }
            // Why not is told by a notice.
            Some(Keeping::Failed(_)) => {
                screen.progress("");
                return Ok(run);
            }
            Some(Keeping::Waiting(until)) => {
                screen.progress(&format!(
                    "Metrics of the run are asked for at {} (Ctrl-C: without)",
                    text::moment(until)
                ));
            }
            Some(Keeping::Asking) => screen.progress("Asking for the metrics of the run…"),
        }
        // Whoever stopped the run wants its result now; the next interrupt would end everything.
        if interrupts.asked() {
            return stop(session, run);
        }
        session.wait();
    }
}
