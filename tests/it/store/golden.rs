//! Histories of every schema that was ever released must open and read the same for ever.

use std::fs;
use std::path::Path;

use meshbench::model::run::RunEdit;
use meshbench::model::{Plan, Settings, ThemeChoice};
use meshbench::store::{FILE, Remark, Store};
use uuid::Uuid;

use super::{id, now, open, run};

const SCHEMA_1: &str = "tests/data/store/schema-1.redb";

fn settings() -> Settings {
    Settings { theme: ThemeChoice::Dark, zoom: 1.5, load_threads: 3, ..Settings::default() }
}

fn fill(store: &Store) {
    store.save_runs(&[run(1), run(2)]).unwrap();
    store.edit_run(id(2), RunEdit::Note("a note".to_owned()), now()).unwrap();
    store.checkpoint(&run(3)).unwrap();
    store.save_plan(Uuid::from_u128(9), &Plan::for_url("http://localhost:1/"), now()).unwrap();
    store.save_settings(&settings()).unwrap();
}

/// Not a test: makes the file of the schema that this program writes, once before its release. Start it with
/// `cargo test --test it store::golden::make -- --ignored`; never make the file of an older schema again.
#[test]
#[ignore = "makes a file that is kept"]
fn make() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    fill(&store);
    store.compact().unwrap();
    store.close().unwrap();
    let to = Path::new(env!("CARGO_MANIFEST_DIR")).join(SCHEMA_1);
    assert!(!to.exists(), "{} is there already and must stay as it is", to.display());
    fs::copy(dir.path().join(FILE), to).unwrap();
}

#[test]
fn a_history_of_schema_1_reads_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(SCHEMA_1);
    fs::copy(&from, dir.path().join(FILE)).unwrap();
    let (store, report) = open(dir.path());
    assert_eq!(report.remarks, [Remark::Interrupted { id: id(3), name: run(3).name }]);
    // Plans of then had version 1.
    let old = |number: u64| {
        let mut run = run(number);
        run.plan.version = 1;
        run
    };
    let mut noted = old(2);
    noted.note = "a note".to_owned();
    assert_eq!(store.run(id(1)).unwrap(), Some(old(1)));
    assert_eq!(store.run(id(2)).unwrap(), Some(noted.clone()));
    let list = store.summaries().unwrap();
    assert_eq!(list.len(), 3);
    assert_eq!(list[1..], [noted.summary(), run(1).summary()]);
    let plan = Plan { version: 1, ..Plan::for_url("http://localhost:1/") };
    assert_eq!(store.plans().unwrap(), [(Uuid::from_u128(9), plan)].into());
    assert_eq!(store.settings().unwrap(), settings());
}
