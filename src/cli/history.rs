//! `history`: the runs that are kept.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use crate::app::mirroring::MirrorCommand;
use crate::app::state::{Level, StoreState};
use crate::app::{Command, ExportFormat, Keep, document};
use crate::model::{Run, RunSummary};

use super::args::{FormatKind, HistoryArgs, RowsKind};
use super::interrupt::Interrupts;
use super::screen::{Screen, plain};
use super::session::Session;
use super::{Failure, Status, table};

/// Carries out one of the history's commands.
pub(super) fn history(what: HistoryArgs, data_dir: PathBuf, screen: &Screen) -> Result<Status, Failure> {
    let mut session = Session::start(data_dir, Keep::Here)?;
    let result = match &session.state().store {
        StoreState::Failed { reason } => Err(Failure::NotCarriedOut(reason.clone())),
        _ => {
            for notice in session.news() {
                screen.warning(&format!("{}: {}", notice.title, notice.detail));
            }
            within(&mut session, what, screen)
        }
    };
    if let Some(words) = session.end() {
        screen.warning(&words);
    }
    result.map(|()| Status::Met)
}

fn within(session: &mut Session, what: HistoryArgs, screen: &Screen) -> Result<(), Failure> {
    match what {
        HistoryArgs::List { limit, json } => list(session, limit, json, screen),
        HistoryArgs::Show { id, json } => show(session, &id, json, screen),
        HistoryArgs::Delete { ids, yes } => delete(session, &ids, yes, screen),
        HistoryArgs::Mirror { folder, watch: false } => mirror(session, folder, screen),
        HistoryArgs::Mirror { folder, watch: true } => watch(session, folder, screen),
        HistoryArgs::Export { ids, format, what, out } => {
            let format = match (format, what) {
                (FormatKind::Json, _) => ExportFormat::Json,
                (FormatKind::Html, _) => ExportFormat::Html,
                (FormatKind::Csv, RowsKind::Intervals) => ExportFormat::CsvIntervals,
                (FormatKind::Csv, RowsKind::Quantiles) => ExportFormat::CsvQuantiles,
            };
            export(session, &ids, format, out.as_deref(), screen)
        }
    }
}

/// Waits for what comes of it, a line each.
fn mirror(session: &mut Session, folder: PathBuf, screen: &Screen) -> Result<(), Failure> {
    session.command(Command::Mirror(MirrorCommand::Once(folder)));
    while !session.tell(screen)? {
        session.wait();
    }
    Ok(())
}

/// Keeps a folder in step, and tells what comes in, a line each.
fn watch(session: &mut Session, folder: PathBuf, screen: &Screen) -> Result<(), Failure> {
    let interrupts = Interrupts::listen()?;
    mirror(session, folder.clone(), screen)?;
    screen.remark("The folder is kept in step until Ctrl-C.");
    session.command(Command::Mirror(MirrorCommand::Watch(folder)));
    while !interrupts.asked() {
        for notice in session.news() {
            match notice.level {
                Level::Error | Level::Warning => {
                    screen.warning(&format!("{}: {}", notice.title, notice.detail));
                }
                Level::Info => screen.print(&format!("{}\n", plain(&notice.title)))?,
            }
        }
        session.wait();
    }
    Ok(())
}

fn list(session: &Session, limit: Option<NonZeroUsize>, json: bool, screen: &Screen) -> Result<(), Failure> {
    let all = &session.state().history;
    let shown: Vec<&RunSummary> = all.iter().take(limit.map_or(usize::MAX, NonZeroUsize::get)).collect();
    if json {
        let text = serde_json::to_string_pretty(&shown).expect("every field of a summary has a JSON form");
        return screen.print(&(text + "\n"));
    }
    screen.print(&table::list(&shown, all, screen.out))
}

fn show(session: &mut Session, id: &str, json: bool, screen: &Screen) -> Result<(), Failure> {
    let id = session.find(id)?;
    let run = session.read(id)?;
    if json {
        return screen.print(&document::json(&run));
    }
    screen.print(&format!("{}\nid {id}\n", table::result(&run, screen.out)))
}

fn delete(session: &mut Session, ids: &[String], yes: bool, screen: &Screen) -> Result<(), Failure> {
    let ids = session.find_all(ids)?;
    if !yes {
        if !screen.answers {
            return Err(Failure::Input("nobody can be asked here; delete with --yes".to_owned()));
        }
        for run in session.state().history.iter().filter(|run| ids.contains(&run.id)) {
            screen.remark(table::list(&[run], &session.state().history, screen.err).trim_end());
        }
        let question = if ids.len() == 1 {
            "Delete this run for good?".to_owned()
        } else {
            format!("Delete these {} runs for good?", ids.len())
        };
        if !screen.ask(&question) {
            screen.remark("Nothing was deleted.");
            return Ok(());
        }
    }
    // What opening had to say was told; from here on a failure is one of deleting.
    session.news();
    session.command(Command::DeleteRuns(ids.clone()));
    while session.state().history.iter().any(|run| ids.contains(&run.id)) {
        if let Some(failure) = session.failure() {
            return Err(failure);
        }
        session.wait();
    }
    let words =
        if ids.len() == 1 { "Deleted 1 run.".to_owned() } else { format!("Deleted {} runs.", ids.len()) };
    screen.remark(&words);
    Ok(())
}

fn export(
    session: &mut Session,
    ids: &[String],
    format: ExportFormat,
    out: Option<&Path>,
    screen: &Screen,
) -> Result<(), Failure> {
    let ids = session.find_all(ids)?;
    let runs: Vec<Arc<Run>> = ids.into_iter().map(|id| session.read(id)).collect::<Result<_, _>>()?;
    let text = document::of(&runs, format, Timestamp::now());
    let Some(path) = out else { return screen.print(&text) };
    std::fs::write(path, text).map_err(|error| {
        Failure::NotCarriedOut(format!("{} could not be written: {error}", path.display()))
    })?;
    screen.remark(&format!("Saved to {}", path.display()));
    Ok(())
}
