//! `run` and `try`: carry out a plan, show how it does, report.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::app::clusters::{Aim, ClusterCommand};
use crate::app::state::{Level, Open, Phase, Question, StoreState};
use crate::app::{Command, Keep, Page, document};
use crate::model::{Ended, Plan, Run, Search, Timer};

use super::args::{OutputArgs, RunArgs, TryArgs};
use super::interrupt::Interrupts;
use super::screen::Screen;
use super::session::Session;
use super::{Failure, Status, cluster, metrics, plan, progress, table};

/// Between two lines of progress.
const PROGRESS_EVERY: Duration = Duration::from_millis(200);

/// Carries out the plan that the options ask for.
pub(super) fn run(options: &RunArgs, data_dir: PathBuf, screen: &Screen) -> Result<Status, Failure> {
    if let Some(service) = plan::service(options)? {
        let make = |session: &mut Session| {
            let plan = aimed(session, options, service, screen)?;
            with_metrics(session, options, screen)?;
            errand(options, plan, screen)
        };
        return carry_out(make, &options.output, data_dir, screen);
    }
    let errand = errand(options, plan::of(options)?, screen)?;
    let make = |session: &mut Session| with_metrics(session, options, screen).map(|()| errand);
    carry_out(make, &options.output, data_dir, screen)
}

fn with_metrics(session: &mut Session, options: &RunArgs, screen: &Screen) -> Result<(), Failure> {
    metrics::prepare(session, &options.metrics, screen, (&options.context, &options.kubeconfig))
}

fn errand(options: &RunArgs, plan: Plan, screen: &Screen) -> Result<Errand, Failure> {
    if plan.target.insecure {
        screen.warning("certificates are not checked (--insecure): whoever answers is measured.");
    }
    if let Some(words) = plan::templates_in_vain(&plan) {
        screen.warning(words);
    }
    let consent = if options.yes { Consent::Given } else { Consent::Ask };
    let search = plan::search(options, &plan)?;
    let means = Means { timer: options.timer.map(Timer::from), threads: options.threads };
    Ok(Errand::Plan(Box::new(plan), search, consent, means))
}

/// The plan for a Service of a cluster, with the options over it.
fn aimed(
    session: &mut Session,
    options: &RunArgs,
    named: plan::Named,
    screen: &Screen,
) -> Result<Plan, Failure> {
    let chosen = session.state().clusters.chosen().map(|key| key.name.clone());
    let name = options.context.clone().or(chosen);
    let name =
        name.ok_or_else(|| Failure::Input("say with --context in which cluster the Service is".to_owned()))?;
    let (context, _) = cluster::connect(session, &name, options.kubeconfig.as_ref(), screen)?;
    cluster::whole(session, &context)?;
    session.news();
    let plan::Named { kind, namespace, name, port } = named;
    let aim = Aim { context, kind, namespace, name, port, url: None };
    session.command(Command::Cluster(ClusterCommand::Aim(aim)));
    match session.state().form.clone() {
        Some((_, plan)) => plan::with(options, Some(*plan)),
        None => Err(session
            .failure()
            .unwrap_or_else(|| Failure::Input("the Service cannot be sent load".to_owned()))),
    }
}

/// The first run of a new person.
pub(super) fn try_it(options: &TryArgs, data_dir: PathBuf, screen: &Screen) -> Result<Status, Failure> {
    screen.remark("A built-in target on loopback, and ten seconds of load against it.");
    carry_out(|_| Ok(Errand::Try), &options.output, data_dir, screen)
}

enum Errand {
    Try,
    Plan(Box<Plan>, Option<Search>, Consent, Means),
}

/// How a run is carried out, where it is not as the settings say.
struct Means {
    timer: Option<Timer>,
    threads: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Consent {
    Given,
    Ask,
}

fn carry_out(
    make: impl FnOnce(&mut Session) -> Result<Errand, Failure>,
    output: &OutputArgs,
    data_dir: PathBuf,
    screen: &Screen,
) -> Result<Status, Failure> {
    let json = output.json.as_deref().map(Destination::of).transpose()?;
    let interrupts = Interrupts::listen()?;
    let keep = if output.no_save { Keep::Nowhere } else { Keep::HereOrBeside };
    let mut session = Session::start(data_dir, keep)?;
    tell_store(&mut session, screen);
    let measured = make(&mut session).and_then(|errand| measure(&mut session, errand, &interrupts, screen));
    screen.progress("");
    let measured = measured.and_then(|run| metrics::kept(&mut session, run, &interrupts, screen));
    // Why a run failed is told at the end, and only there.
    if measured.is_ok() {
        tell_store(&mut session, screen);
    }
    let kept = match &measured {
        Ok(run) if !output.no_save => kept(&session, run),
        _ => Kept::NotWanted,
    };
    if let Some(words) = session.end() {
        screen.warning(&words);
    }
    report(&*measured?, json, kept, screen)
}

/// What opening the store had to say, or keeping what came of the run. A run is worth making even when it cannot be kept
/// as usual.
fn tell_store(session: &mut Session, screen: &Screen) {
    for notice in session.news() {
        if notice.level != Level::Info {
            screen.warning(&format!("{}: {}", notice.title, notice.detail));
        }
    }
}

fn measure(
    session: &mut Session,
    errand: Errand,
    interrupts: &Interrupts,
    screen: &Screen,
) -> Result<Arc<Run>, Failure> {
    // A run whose live page is on show has its result opened when it ends.
    session.command(Command::Go(Page::Load));
    let mut consent = Consent::Given;
    match errand {
        Errand::Try => session.command(Command::TryIt),
        Errand::Plan(plan, search, asked, means) => {
            if let Some(timer) = means.timer {
                session.command(Command::UseTimer(timer));
            }
            if let Some(threads) = means.threads {
                session.command(Command::UseThreads(threads));
            }
            consent = asked;
            session.command(match search {
                Some(search) => Command::FindMax(plan, search),
                None => Command::StartRun(plan),
            });
        }
    }
    if let Some(Question::HeavyLoad { reason, .. }) = session.state().question.clone() {
        agree(&reason, consent, screen)?;
        session.command(Command::AgreeToLoad);
    }
    let mut stopping = false;
    let mut drawn: Option<Instant> = None;
    loop {
        if let Open::Result(run) = &session.state().open {
            return Ok(Arc::clone(run));
        }
        match &session.state().live {
            Some(live) => {
                if let Phase::Failed { reason } = &live.phase {
                    return Err(Failure::NotCarriedOut(format!(
                        "The run could not be carried out: {reason}"
                    )));
                }
                if drawn.is_none_or(|drawn| drawn.elapsed() >= PROGRESS_EVERY) {
                    drawn = Some(Instant::now());
                    screen.progress(&progress::line(live));
                }
            }
            None => {
                if let Some(failure) = session.failure() {
                    return Err(failure);
                }
            }
        }
        if interrupts.asked() && !stopping && session.state().live.is_some() {
            stopping = true;
            session.command(Command::StopRun);
        }
        session.wait();
    }
}

fn agree(reason: &str, consent: Consent, screen: &Screen) -> Result<(), Failure> {
    if consent == Consent::Given {
        return Ok(());
    }
    if !screen.answers {
        return Err(Failure::Input(format!("{reason}. Agree to it with --yes")));
    }
    if screen.ask(&format!("{reason}. Send it?")) {
        Ok(())
    } else {
        Err(Failure::Input("not agreed; nothing was sent".to_owned()))
    }
}

/// Where a run is, once it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kept {
    NotWanted,
    /// In history, or beside it until the next start, which was told.
    OnDisk(Option<String>),
    Nowhere,
}

fn kept(session: &Session, run: &Run) -> Kept {
    if session.state().only_in_memory.contains(&run.id) {
        return Kept::Nowhere;
    }
    let in_history = session.state().store == StoreState::Open;
    Kept::OnDisk(in_history.then(|| {
        let id = table::short_id(&run.summary(), &session.state().history);
        format!("Kept as {id}. Show it again: meshbench history show {id}")
    }))
}

enum Destination {
    Output,
    File(PathBuf),
}

impl Destination {
    /// A place that can be written to is better known before the run than after it.
    fn of(path: &Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            return Ok(Self::Output);
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folder.is_dir() {
            return Err(Failure::Input(format!("--json: there is no folder {}", folder.display())));
        }
        if path.is_dir() {
            return Err(Failure::Input(format!("--json: {} is a folder", path.display())));
        }
        Ok(Self::File(path.to_owned()))
    }
}

fn report(run: &Run, json: Option<Destination>, kept: Kept, screen: &Screen) -> Result<Status, Failure> {
    match json {
        Some(Destination::Output) => {
            screen.remark(table::result(run, screen.err).trim_end());
            screen.print(&document::json(run))?;
        }
        Some(Destination::File(path)) => {
            // Before the table: a standard output that is broken must not cost the file.
            let written = std::fs::write(&path, document::json(run));
            screen.print(&table::result(run, screen.out))?;
            written.map_err(|error| {
                Failure::NotCarriedOut(format!("{} could not be written: {error}", path.display()))
            })?;
        }
        None => screen.print(&table::result(run, screen.out))?,
    }
    if let Kept::OnDisk(Some(words)) = &kept {
        screen.remark(words);
    }
    status(run, &kept)
}

/// What a script learns from the result.
fn status(run: &Run, kept: &Kept) -> Result<Status, Failure> {
    let failed = |words: &str| Err(Failure::NotCarriedOut(words.to_owned()));
    if run.requests.due == 0 && run.ended != Ended::Completed {
        return failed("the run ended before anything was counted");
    }
    if run.requests.answered == 0 {
        return failed("nothing at all was answered");
    }
    if *kept == Kept::Nowhere {
        return failed("the run was carried out, but it could not be kept; --no-save does without");
    }
    if let Some(capacity) = &run.capacity {
        return Ok(if capacity.rate.is_some() { Status::Met } else { Status::Missed });
    }
    if run.is_void() && !run.goals.is_empty() {
        return failed("the run is void: our own generator was too late, so it says nothing about its goals");
    }
    Ok(if run.goals.iter().all(|goal| goal.met) { Status::Met } else { Status::Missed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_learns_what_a_result_is_worth() {
        let met = table::tests::run("01933f5e-7a00-7000-8000-000000000001", "run");
        let kept = Kept::OnDisk(None);
        assert_eq!(status(&met, &kept), Ok(Status::Missed), "one of its two goals");
        let mut good = met.clone();
        good.goals.retain(|goal| goal.met);
        assert_eq!(status(&good, &kept), Ok(Status::Met));
        assert_eq!(status(&good, &Kept::NotWanted), Ok(Status::Met));
        let reason = |run: &Run, kept: &Kept| match status(run, kept) {
            Err(Failure::NotCarriedOut(words)) => words,
            other => panic!("{other:?}"),
        };
        assert!(reason(&good, &Kept::Nowhere).contains("could not be kept"));
        let mut void = good.clone();
        let text = "Our own generator was late".to_owned();
        void.warnings
            .push(crate::model::run::Warning { kind: crate::model::run::WarningKind::GeneratorLagged, text });
        assert!(reason(&void, &kept).contains("void"));
        void.goals.clear();
        assert_eq!(status(&void, &kept), Ok(Status::Met), "nothing was to be reached");
        good.requests.answered = 0;
        assert!(reason(&good, &kept).contains("nothing at all"));
    }
}
