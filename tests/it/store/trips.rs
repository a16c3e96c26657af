//! What goes in comes out: runs, edits, trash, checkpoints, plans, settings, pending files.

use std::fs;
use std::time::Instant;

use meshbench::model::run::{Histograms, RunEdit, WarningKind};
use meshbench::model::{Ended, Plan, Settings};
use meshbench::store::{FILE, Remark, Store, StoreError, pending};
use uuid::Uuid;

use super::{id, now, open, run};

#[test]
fn runs_come_back_as_they_were_newest_first() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("a/b");
    let (store, report) = open(&deep);
    assert_eq!(report.remarks, []);
    for number in [2, 0, 1] {
        assert_eq!(store.save_run(&run(number)).unwrap(), run(number).summary());
    }
    store.close().unwrap();

    let (store, report) = open(&deep);
    assert_eq!(report.remarks, []);
    let want: Vec<_> = [2, 1, 0].map(|number| run(number).summary()).into();
    assert_eq!(store.summaries().unwrap(), want);
    for number in 0..3 {
        assert_eq!(store.run(id(number)).unwrap(), Some(run(number)));
    }
    assert_eq!(store.run(id(9)).unwrap(), None);
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_the_history() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let made = dir.path().join("made");
    drop(open(&made));
    assert_eq!(fs::metadata(&made).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(made.join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
    let waiting = pending::write(&made, &run(1)).unwrap();
    assert_eq!(fs::metadata(waiting).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn edits_survive_and_the_record_stays_as_measured() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.save_run(&run(1)).unwrap();
    let labels = [("mesh_version".to_owned(), "1.2".to_owned())].into();
    store.edit_run(id(1), RunEdit::Name("first".to_owned()), now()).unwrap();
    store.edit_run(id(1), RunEdit::Labels(labels), now()).unwrap();
    store.edit_run(id(1), RunEdit::Note("slow day".to_owned()), now()).unwrap();
    let edited = store.edit_run(id(1), RunEdit::Name("second".to_owned()), now()).unwrap();
    store.save_run(&run(1)).unwrap();
    drop(store);

    let (store, _) = open(dir.path());
    let back = store.run(id(1)).unwrap().unwrap();
    assert_eq!(back, edited);
    assert_eq!((back.name.as_str(), back.note.as_str()), ("second", "slow day"));
    assert_eq!(back.labels["mesh_version"], "1.2");
    assert_eq!(store.summaries().unwrap(), [edited.summary()]);
    let mut measured = back;
    measured.name = run(1).name;
    measured.note = run(1).note;
    measured.labels = run(1).labels;
    assert_eq!(measured, run(1));
    assert!(matches!(
        store.edit_run(id(7), RunEdit::Note(String::new()), now()),
        Err(StoreError::NoRun { .. })
    ));
}

#[test]
fn deleting_can_be_undone_until_the_program_ends() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.save_runs(&[run(1), run(2), run(3)]).unwrap();
    store.edit_run(id(2), RunEdit::Name("kept name".to_owned()), now()).unwrap();
    assert_eq!(store.delete_runs(&[id(2), id(3), id(8)], now()).unwrap().len(), 2);
    assert_eq!(store.summaries().unwrap(), [run(1).summary()]);
    assert_eq!(store.run(id(2)).unwrap(), None);
    assert_eq!(store.restore_runs(&[id(2)], now()).unwrap()[0].name, "kept name");
    assert_eq!(store.run(id(2)).unwrap().unwrap().name, "kept name");
    drop(store);

    let (store, _) = open(dir.path());
    assert_eq!(store.restore_runs(&[id(3)], now()).unwrap(), []);
    assert_eq!(store.run(id(3)).unwrap(), None);
    assert_eq!(store.summaries().unwrap().len(), 2);
    store.delete_runs(&[id(1)], now()).unwrap();
    assert_eq!(store.empty_trash(now()).unwrap(), 1);
}

#[test]
fn a_checkpoint_that_is_left_becomes_an_interrupted_run() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let mut early = run(1);
    early.requests.due = 1;
    store.checkpoint(&early).unwrap();
    store.checkpoint(&run(1)).unwrap();
    store.checkpoint(&run(2)).unwrap();
    store.save_run(&run(2)).unwrap();
    store.checkpoint(&run(3)).unwrap();
    store.discard_checkpoint(id(3)).unwrap();
    drop(store);

    let (store, report) = open(dir.path());
    assert_eq!(report.remarks, [Remark::Interrupted { id: id(1), name: run(1).name }]);
    let back = store.run(id(1)).unwrap().unwrap();
    assert_eq!((back.ended, back.interrupted, back.requests.due), (Ended::Interrupted, true, 200));
    assert!(back.warnings.iter().any(|warning| warning.kind == WarningKind::Incomplete));
    assert_eq!(store.run(id(2)).unwrap(), Some(run(2)));
    assert_eq!(store.summaries().unwrap().len(), 2);
    // The whole run, should it still arrive, takes the place of what was recovered.
    store.save_run(&run(1)).unwrap();
    assert_eq!(store.run(id(1)).unwrap(), Some(run(1)));
    drop(store);
    assert_eq!(open(dir.path()).1.remarks, []);
}

#[test]
fn plans_and_settings_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let plan = Plan::for_url("https://user:secret@example.org/");
    let settings = Settings { zoom: 1.5, ..Settings::default() };
    let (store, _) = open(dir.path());
    assert_eq!(store.settings().unwrap(), Settings::default());
    store.save_plan(first, &plan, now()).unwrap();
    store.save_plan(second, &plan, now()).unwrap();
    assert!(store.delete_plan(second, now()).unwrap());
    assert!(!store.delete_plan(second, now()).unwrap());
    store.save_settings(&settings).unwrap();
    drop(store);
    let (store, _) = open(dir.path());
    assert_eq!(store.plans().unwrap(), [(first, plan)].into());
    assert_eq!(store.settings().unwrap(), settings);
}

#[test]
fn a_second_opening_is_told_that_the_history_is_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    store.save_run(&run(1)).unwrap();
    let error = Store::open(dir.path(), now(), &mut |_| {}).unwrap_err();
    assert!(matches!(&error, StoreError::InUse { dir: named } if named == dir.path()), "{error}");
    assert_eq!(store.run(id(1)).unwrap(), Some(run(1)));
}

#[test]
fn pending_runs_are_taken_in_and_damaged_ones_kept() {
    let dir = tempfile::tempdir().unwrap();
    let whole = pending::write(dir.path(), &run(1)).unwrap();
    let cut = pending::write(dir.path(), &run(2)).unwrap();
    let newer = pending::write(dir.path(), &run(3)).unwrap();
    let bytes = fs::read(&cut).unwrap();
    fs::write(&cut, &bytes[..bytes.len() - 1]).unwrap();
    let mut bytes = fs::read(&newer).unwrap();
    bytes[8] = 200;
    fs::write(&newer, &bytes).unwrap();

    let (store, report) = open(dir.path());
    let kept_at = dir.path().join("pending/damaged").join(cut.file_name().unwrap());
    let want = [
        Remark::TakenIn { id: id(1), name: run(1).name },
        Remark::PendingDamaged(kept_at.clone()),
        Remark::PendingNewer(newer.clone()),
    ];
    assert_eq!(report.remarks, want);
    assert_eq!(store.run(id(1)).unwrap(), Some(run(1)));
    assert!(kept_at.exists() && newer.exists() && !whole.exists() && !cut.exists());
}

#[test]
fn a_run_that_could_not_be_read_back_is_not_called_saved() {
    let mut bad = run(1);
    bad.rate.achieved = f64::NAN;
    let store = Store::in_memory();
    assert!(matches!(store.save_run(&bad), Err(StoreError::Unkeepable { .. })));
    assert_eq!(store.summaries().unwrap(), []);
}

#[test]
fn the_list_of_ten_thousand_runs_is_whole() {
    const RUNS: u64 = 10_000;
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    let mut model = run(1);
    // The list holds neither; they would only make the saving slow.
    model.histograms = Histograms::default();
    model.intervals.clear();
    let runs: Vec<_> = (0..RUNS)
        .map(|number| {
            let mut run = model.clone();
            run.id = id(number);
            run
        })
        .collect();
    store.save_runs(&runs).unwrap();
    drop(store);
    let began = Instant::now();
    let (store, _) = open(dir.path());
    let opened = began.elapsed();
    let list = store.summaries().unwrap();
    println!("{RUNS} runs: opened and checked in {opened:?}, listed in {:?}", began.elapsed() - opened);
    assert_eq!(list.len() as u64, RUNS);
    assert!(list.windows(2).all(|pair| pair[0].id > pair[1].id));
}
