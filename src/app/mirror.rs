//! Runs as files in a folder, one JSON file each, and back: for a share, or to keep them with Git.
//!
//! A file is called by when its run started and by its id, and is written only where it would be another: nothing changes for
//! Git where nothing has. Files of runs that are not in history are taken in; no file is ever deleted.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::exchange::AskStore;
use crate::model::causes::chain;
use crate::model::{Run, RunId, RunSummary};
use crate::report;
use crate::store::{Store, StoreError};

/// The largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 128 * 1024 * 1024;
/// The most files of a folder that are looked at.
const FILES_MAX: usize = 100_000;
/// The most files that are told as refused.
const REFUSED_MAX: usize = 100;

/// What came of a mirror.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mirrored {
    /// Where.
    pub folder: PathBuf,
    /// Files that were written: new ones, and those of runs that have changed.
    pub written: usize,
    /// Runs that were taken into history.
    pub taken_in: Vec<RunSummary>,
    /// Files that could not be taken in, and why.
    pub refused: Vec<(PathBuf, String)>,
}

/// Writes what is not in the folder, and takes in what is not in history.
///
/// # Errors
/// When the folder or history cannot be used. What was written and taken in until then stays.
pub(super) fn mirror(
    folder: &Path,
    store: &AskStore,
    write: impl Fn(&Path, &[u8]) -> std::io::Result<()>,
) -> Result<Mirrored, String> {
    let mut mirrored = Mirrored { folder: folder.to_owned(), ..Mirrored::default() };
    let unusable = |error: std::io::Error| format!("{} cannot be used: {error}", folder.display());
    if folder.exists() && !folder.is_dir() {
        return Err(format!("{} is no folder; choose one, or a name for a new one", folder.display()));
    }
    fs::create_dir_all(folder).map_err(unusable)?;
    let summaries = with(store, Store::summaries)?;
    let known: BTreeSet<RunId> = summaries.iter().map(|run| run.id).collect();
    for summary in &summaries {
        // Deleted meanwhile.
        let id = summary.id;
        let Some(run) = with(store, move |store| store.run(id))? else { continue };
        let (path, text) = (folder.join(file_name(&run)), super::document::json(&run));
        if fs::read(&path).is_ok_and(|there| there == text.as_bytes()) {
            continue;
        }
        write(&path, text.as_bytes()).map_err(unusable)?;
        mirrored.written += 1;
    }
    for entry in fs::read_dir(folder).map_err(unusable)?.take(FILES_MAX) {
        let path = entry.map_err(unusable)?.path();
        let is_json = path.extension().is_some_and(|ending| ending == "json");
        if !is_json || !path.is_file() || id_of(&path).is_some_and(|id| known.contains(&id)) {
            continue;
        }
        match read(&path) {
            Ok(run) if known.contains(&run.id) => {}
            Ok(run) => mirrored.taken_in.push(with(store, move |store| store.save_run(&run))?),
            Err(reason) if mirrored.refused.len() < REFUSED_MAX => mirrored.refused.push((path, reason)),
            Err(_) => {}
        }
    }
    Ok(mirrored)
}

/// Asks the store, and waits.
fn with<T: Send + 'static>(
    store: &AskStore,
    work: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, String> {
    let (done, answer) = std::sync::mpsc::channel();
    (store)(Box::new(move |store| drop(done.send(work(store)))));
    let answer = answer.recv().map_err(|_| "the stored runs are not open".to_owned())?;
    answer.map_err(|error| error.told())
}

/// `2026-11-24T00-25-32Z_0193….json`
fn file_name(run: &Run) -> String {
    let started = run.started.strftime("%Y-%m-%dT%H-%M-%SZ");
    format!("{started}_{}.json", run.id)
}

/// The run that a file of ours is of, by its name.
fn id_of(path: &Path) -> Option<RunId> {
    let stem = path.file_stem()?.to_str()?;
    let (_, id) = stem.rsplit_once('_')?;
    Uuid::parse_str(id).ok().map(RunId)
}

fn read(path: &Path) -> Result<Run, String> {
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("it is larger than {} MiB", FILE_BYTES_MAX >> 20));
    }
    let mut runs = report::json::read(&bytes).map_err(|error| chain(&error))?;
    let mut run = match (runs.pop(), runs.is_empty()) {
        (Some(run), true) => run,
        _ => return Err("it holds no run, or several; one file is one run".to_owned()),
    };
    // What somebody has written into it by hand is nobody's to spread.
    run.plan = run.plan.redacted();
    Ok(run)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::model::Plan;
    use crate::model::run::RunEdit;

    use super::*;

    fn history(runs: &[Run]) -> (Arc<Store>, AskStore) {
        let store = Arc::new(Store::in_memory());
        store.save_runs(runs).unwrap();
        let asked = Arc::clone(&store);
        (store, Arc::new(move |work: Box<dyn FnOnce(&Store) + Send>| work(&asked)))
    }

    fn run(number: u128) -> Run {
        let plan = Plan::for_url("http://localhost:1/");
        let text = serde_json::json!({
            "version": 1, "id": Uuid::from_u128(number << 64), "name": format!("Run {number}"), "labels": {},
            "plan": plan, "started": "2026-11-24T00:25:32Z", "elapsed_s": 1.0, "ended": "completed",
            "interrupted": false, "requests": { "due": 0, "answered": 0, "failed": 0 },
            "rate": { "asked": null, "achieved": 0.0 }, "response_ms": zero(), "service_ms": zero(),
            "lag_ms": zero(), "errors": {}, "status": {}, "goals": [], "warnings": [],
            "bytes": { "sent": 0, "received": 0 }, "connections": { "opened": 0, "waited": 0 },
            "environment": { "meshbench": "", "system": "", "cpus": 1, "load_threads": 1, "address": "" },
            "histograms": { "response": "", "service": "", "lag": "" }, "intervals": [],
        });
        serde_json::from_value(text).unwrap()
    }

    fn zero() -> serde_json::Value {
        serde_json::to_value(crate::model::Quantiles::default()).unwrap()
    }

    fn go(folder: &Path, store: &AskStore) -> Mirrored {
        mirror(folder, store, |path, bytes| fs::write(path, bytes)).unwrap()
    }

    #[test]
    fn two_machines_have_the_same_over_a_folder_and_nothing_is_written_twice() {
        let folder = tempfile::tempdir().unwrap();
        let (desk, ask_desk) = history(&[run(1), run(2)]);
        let (laptop, ask_laptop) = history(&[run(3)]);
        assert_eq!(go(folder.path(), &ask_desk).written, 2);
        let back = go(folder.path(), &ask_laptop);
        assert_eq!((back.written, back.taken_in.len()), (1, 2));
        assert_eq!(go(folder.path(), &ask_desk).taken_in.len(), 1);
        assert_eq!(desk.summaries().unwrap(), laptop.summaries().unwrap());
        for store in [&ask_desk, &ask_laptop] {
            let again = go(folder.path(), store);
            assert_eq!((again.written, again.taken_in.len(), again.refused.len()), (0, 0, 0));
        }
        let edit = RunEdit::Name("Renamed".to_owned());
        desk.edit_run(run(1).id, edit, jiff::Timestamp::now()).unwrap();
        assert_eq!(go(folder.path(), &ask_desk).written, 1);
        let name = "2026-11-24T00-25-32Z_00000000-0000-0001-0000-000000000000.json";
        assert!(fs::read_to_string(folder.path().join(name)).unwrap().contains("Renamed"));
    }

    #[test]
    fn what_is_no_run_is_refused_with_its_reason_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let newer = serde_json::json!({ "version": 99 }).to_string();
        let cut = &super::super::document::json(&run(5))[..200];
        for (name, text) in [
            ("a.json", "{"),
            ("b.json", newer.as_str()),
            ("c.json", cut),
            ("notes.txt", "x"),
            ("d.json", "[1]"),
        ] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let done = go(folder.path(), &history(&[]).1);
        assert_eq!((done.taken_in.len(), done.refused.len()), (0, 4));
        assert!(
            done.refused.iter().any(|(path, why)| path.ends_with("b.json") && why.contains("version 99"))
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5);
        let blocked = folder.path().join("a.json");
        assert!(mirror(&blocked, &history(&[]).1, |_, _| Ok(())).is_err());
    }
}
