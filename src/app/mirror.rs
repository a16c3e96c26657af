//! Runs as files in a folder, one JSON file each, and back: for a share, or to keep them with Git.
//!
//! A file is called by when its run started and by its id, and is written only where it would be another: nothing changes for
//! Git where nothing has. Files of runs that are not in history are taken in; no file is ever deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use uuid::Uuid;

use super::exchange::AskStore;
use super::mirroring::First;
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

/// What was seen of a folder that is kept in step, so that looking again costs little.
#[derive(Debug)]
pub(super) struct Seen {
    first: First,
    /// Runs as they were when they were written, or found written.
    written: BTreeMap<RunId, RunSummary>,
    files: BTreeMap<PathBuf, Sight>,
    /// Runs that are written whatever their summaries say.
    again: BTreeSet<RunId>,
    /// Runs that were deleted here: they are not taken in.
    away: BTreeSet<RunId>,
}

/// How a file was when it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sight {
    bytes: u64,
    modified: Option<SystemTime>,
    /// Whether it was read: only what has stood still from one look to the next is, because others write it meanwhile.
    is_read: bool,
}

impl Sight {
    /// Whether the file stood still between the two.
    fn is_like(self, other: Self) -> bool {
        (self.bytes, self.modified) == (other.bytes, other.modified)
    }
}

impl Seen {
    /// Nothing yet.
    pub(super) fn nothing(first: First, away: BTreeSet<RunId>) -> Self {
        Self { first, written: BTreeMap::new(), files: BTreeMap::new(), again: BTreeSet::new(), away }
    }

    /// Keeps to its bounds: of files, those of a folder at most; of runs, those that there are.
    fn forget_what_is_gone(&mut self, known: &BTreeSet<RunId>) {
        self.written.retain(|id, _| known.contains(id));
        self.again.retain(|id| known.contains(id));
        if self.files.len() > FILES_MAX {
            self.files.clear();
        }
    }

    /// Takes runs of which more than the summary has changed.
    pub(super) fn write_again(&mut self, runs: &mut BTreeSet<RunId>) {
        self.again.append(runs);
    }

    /// Whether a run's file is to be looked at, and written where it is another.
    fn wants_writing(&mut self, run: &RunSummary, path: &Path) -> bool {
        if self.again.contains(&run.id) {
            return true;
        }
        match self.written.get(&run.id) {
            Some(written) if written == run => false,
            None if self.first == First::Missing && path.is_file() => {
                self.written.insert(run.id, run.clone());
                false
            }
            _ => true,
        }
    }

    /// Whether a file is to be read now.
    fn wants_reading(&mut self, path: &Path) -> bool {
        let Ok(found) = fs::metadata(path) else { return false };
        let now = Sight { bytes: found.len(), modified: found.modified().ok(), is_read: false };
        let before = self.files.get(path).copied();
        match before {
            Some(before) if before.is_like(now) => {
                self.files.insert(path.to_owned(), Sight { is_read: true, ..now });
                !before.is_read
            }
            _ => {
                self.files.insert(path.to_owned(), now);
                false
            }
        }
    }
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
    go(folder, store, write, None)
}

/// The same for a folder that is kept in step: only what has changed since the last look, no file that somebody may still be
/// writing, and no run that was deleted here.
///
/// # Errors
/// As [`mirror`].
pub(super) fn look(
    folder: &Path,
    store: &AskStore,
    write: impl Fn(&Path, &[u8]) -> std::io::Result<()>,
    seen: &mut Seen,
) -> Result<Mirrored, String> {
    go(folder, store, write, Some(seen))
}

fn go(
    folder: &Path,
    store: &AskStore,
    write: impl Fn(&Path, &[u8]) -> std::io::Result<()>,
    mut seen: Option<&mut Seen>,
) -> Result<Mirrored, String> {
    let mut mirrored = Mirrored { folder: folder.to_owned(), ..Mirrored::default() };
    let unusable = |error: std::io::Error| format!("{} cannot be used: {error}", folder.display());
    if folder.exists() && !folder.is_dir() {
        return Err(format!("{} is no folder; choose one, or a name for a new one", folder.display()));
    }
    fs::create_dir_all(folder).map_err(unusable)?;
    let summaries = with(store, Store::summaries)?;
    let mut known: BTreeSet<RunId> = summaries.iter().map(|run| run.id).collect();
    if let Some(seen) = &mut seen {
        seen.forget_what_is_gone(&known);
        known.extend(&seen.away);
        known.extend(with(store, Store::trash)?.iter().map(|run| run.id));
    }
    for summary in summaries {
        let path = folder.join(file_name(&summary));
        if seen.as_mut().is_some_and(|seen| !seen.wants_writing(&summary, &path)) {
            continue;
        }
        // Deleted meanwhile.
        let id = summary.id;
        let Some(run) = with(store, move |store| store.run(id))? else { continue };
        let text = super::document::json(&run);
        if !fs::read(&path).is_ok_and(|there| there == text.as_bytes()) {
            write(&path, text.as_bytes()).map_err(unusable)?;
            mirrored.written += 1;
        }
        if let Some(seen) = &mut seen {
            seen.again.remove(&id);
            seen.written.insert(id, summary);
        }
    }
    for entry in fs::read_dir(folder).map_err(unusable)?.take(FILES_MAX) {
        let path = entry.map_err(unusable)?.path();
        let is_json = path.extension().is_some_and(|ending| ending == "json");
        if !is_json || !path.is_file() || id_of(&path).is_some_and(|id| known.contains(&id)) {
            continue;
        }
        if seen.as_mut().is_some_and(|seen| !seen.wants_reading(&path)) {
            continue;
        }
        match read(&path) {
            Ok(run) if known.contains(&run.id) => {}
            Ok(run) => {
                known.insert(run.id);
                mirrored.taken_in.push(with(store, move |store| store.save_run(&run))?);
            }
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
fn file_name(run: &RunSummary) -> String {
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
    let too_large = || format!("it is larger than {} MiB", FILE_BYTES_MAX >> 20);
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    if file.metadata().map_err(|error| error.to_string())?.len() > FILE_BYTES_MAX {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    // It may grow while it is read.
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(too_large());
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
    use crate::model::metrics::{Grid, RunMetrics};
    use crate::model::run::RunEdit;

    use super::*;

    fn history(runs: &[Run]) -> (Arc<Store>, AskStore) {
        let store = Arc::new(Store::in_memory());
        store.save_runs(runs).unwrap();
        let asked = Arc::clone(&store);
        (store, Arc::new(move |work: Box<dyn FnOnce(&Store) + Send>| work(&asked)))
    }

    fn metrics_of(run: RunId) -> RunMetrics {
        RunMetrics {
            version: crate::model::metrics::kept::RUN_METRICS_VERSION,
            run,
            source: "Prometheus".to_owned(),
            taken: jiff::Timestamp::UNIX_EPOCH,
            grid: Grid { from_ms: 0, to_ms: 1000, step_ms: 1000 },
            scrape_ms: None,
            boards: Vec::new(),
            costs: Vec::new(),
            remarks: Vec::new(),
        }
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

    fn look_again(folder: &Path, store: &AskStore, seen: &mut Seen) -> Mirrored {
        look(folder, store, |path, bytes| fs::write(path, bytes), seen).unwrap()
    }

    /// A file that others have written, with another time than any before.
    fn lay(path: &Path, text: &[u8], second: u64) {
        fs::write(path, text).unwrap();
        let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(second);
        fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    }

    #[test]
    fn a_run_that_appears_in_the_folder_comes_in_once_its_file_stands_still() {
        let folder = tempfile::tempdir().unwrap();
        let (store, ask) = history(&[run(1)]);
        let mut seen = Seen::nothing(First::Whole, BTreeSet::new());
        assert_eq!(look_again(folder.path(), &ask, &mut seen).written, 1);
        let text = super::super::document::json(&run(2));
        let path = folder.path().join("from elsewhere.json");
        // Half of it, then a bit more, then the whole: nobody is told of what is not finished.
        for (second, end) in [(1, text.len() / 2), (2, text.len() / 2 + 9), (3, text.len())] {
            lay(&path, &text.as_bytes()[..end], second);
            let done = look_again(folder.path(), &ask, &mut seen);
            assert_eq!((done.taken_in.len(), done.refused), (0, Vec::new()));
        }
        let done = look_again(folder.path(), &ask, &mut seen);
        assert_eq!((done.taken_in.len(), done.refused.len(), done.written), (1, 0, 0));
        assert_eq!(store.summaries().unwrap().len(), 2);
        // It gets a file under its own name; after that nothing is left to do.
        assert_eq!(look_again(folder.path(), &ask, &mut seen).written, 1);
        for _ in 0..3 {
            let again = look_again(folder.path(), &ask, &mut seen);
            assert_eq!((again.written, again.taken_in.len(), again.refused.len()), (0, 0, 0));
        }
        store.edit_run(run(1).id, RunEdit::Note("new".to_owned()), jiff::Timestamp::now()).unwrap();
        assert_eq!(look_again(folder.path(), &ask, &mut seen).written, 1, "what changes here goes there");
        store.keep_metrics(&metrics_of(run(1).id)).unwrap();
        assert_eq!(look_again(folder.path(), &ask, &mut seen).written, 0, "its summary says nothing of them");
        let mut again = BTreeSet::from([run(1).id]);
        seen.write_again(&mut again);
        assert_eq!((look_again(folder.path(), &ask, &mut seen).written, again.len()), (1, 0));
        assert_eq!(look_again(folder.path(), &ask, &mut seen).written, 0);
    }

    #[test]
    fn a_file_that_stands_still_and_is_no_run_is_told_once_and_again_when_it_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let ask = history(&[]).1;
        let mut seen = Seen::nothing(First::Missing, BTreeSet::new());
        let (path, text) = (folder.path().join("cut.json"), super::super::document::json(&run(2)));
        lay(&path, &text.as_bytes()[..text.len() / 2], 1);
        lay(&folder.path().join("notes.txt"), b"x", 1);
        fs::create_dir(folder.path().join("folder.json")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("/dev/zero", folder.path().join("endless.json")).unwrap();
        let huge = fs::File::create(folder.path().join("huge.json")).unwrap();
        // It has no blocks: a file with a hole.
        huge.set_len(FILE_BYTES_MAX + 1).unwrap();
        look_again(folder.path(), &ask, &mut seen);
        let mut refused = look_again(folder.path(), &ask, &mut seen).refused;
        refused.sort();
        let names: Vec<_> =
            refused.iter().map(|(path, _)| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["cut.json", "huge.json"]);
        assert!(refused[1].1.contains("larger than 128 MiB"), "{refused:?}");
        assert_eq!(
            look_again(folder.path(), &ask, &mut seen),
            Mirrored { folder: folder.path().to_owned(), ..Mirrored::default() }
        );
        lay(&path, text.as_bytes(), 2);
        look_again(folder.path(), &ask, &mut seen);
        assert_eq!(look_again(folder.path(), &ask, &mut seen).taken_in.len(), 1);
    }

    #[test]
    fn what_was_deleted_here_does_not_come_back_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let (store, ask) = history(&[run(1), run(2)]);
        let mut seen = Seen::nothing(First::Missing, BTreeSet::new());
        assert_eq!(look_again(folder.path(), &ask, &mut seen).written, 2);
        store.delete_runs(&[run(1).id], jiff::Timestamp::now()).unwrap();
        let path = folder.path().join(file_name(&run(1).summary()));
        // As Git does when it brings a file again.
        lay(&path, &fs::read(&path).unwrap(), 7);
        for _ in 0..3 {
            assert!(look_again(folder.path(), &ask, &mut seen).taken_in.is_empty());
        }
        // The next start has emptied the trash.
        store.empty_trash(jiff::Timestamp::now()).unwrap();
        let mut next = Seen::nothing(First::Missing, BTreeSet::from([run(1).id]));
        for _ in 0..3 {
            assert_eq!(
                look_again(folder.path(), &ask, &mut next),
                Mirrored { folder: folder.path().to_owned(), ..Mirrored::default() }
            );
        }
        assert!(path.exists(), "no file is deleted");
    }
}
