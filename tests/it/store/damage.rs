//! Files that were changed behind our back: never a panic, never wrong data, and the damaged file is kept.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use meshbench::model::run::RunEdit;
use meshbench::model::{Plan, Run, Settings};
use meshbench::store::{FILE, Remark, Store, StoreError};
use redb::TableDefinition;
use uuid::Uuid;

use super::{Draw, id, now, open, run};

const RUNS: u64 = 20;
const DELETED: u64 = 5;
const EDITED: u64 = 7;
const PAGE_BYTES: usize = 4096;

/// What was saved, made once.
static SAVED: LazyLock<Vec<Run>> = LazyLock::new(|| (0..RUNS).map(run).collect());

/// The bytes of a closed history.
fn history() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    for number in 0..RUNS {
        store.checkpoint(&run(number)).unwrap();
        store.save_run(&run(number)).unwrap();
    }
    for name in ["once", "renamed"] {
        store.edit_run(id(EDITED), RunEdit::Name(name.to_owned()), now()).unwrap();
    }
    store.save_plan(Uuid::from_u128(1), &Plan::for_url("http://localhost/"), now()).unwrap();
    store.save_settings(&Settings { zoom: 1.25, ..Settings::default() }).unwrap();
    store.delete_runs(&[id(DELETED)], now()).unwrap();
    store.empty_trash(now()).unwrap();
    store.close().unwrap();
    fs::read(dir.path().join(FILE)).unwrap()
}

/// Opens a history with these bytes. Whatever comes back must be what was saved; how many runs there were,
/// and whether the file was moved aside.
fn check(bytes: &[u8], case: &str) -> (u64, bool) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    fs::write(&path, bytes).unwrap();
    let (store, report) =
        Store::open(dir.path(), now(), &mut |_| {}).unwrap_or_else(|error| panic!("{case}: {error}"));
    let mut renamed = run(EDITED);
    renamed.name = "renamed".to_owned();
    let mut recovered = 0;
    let moved = report.remarks.iter().find_map(|remark| match remark {
        Remark::MovedAside { kept_at, recovered: told, known, list_whole, .. } => {
            assert!(fs::read(kept_at).unwrap() == bytes, "{case}: the damaged file was changed");
            Some((*told, *known, *list_whole))
        }
        _ => None,
    });
    let list_whole = moved.is_none_or(|(_, _, whole)| whole);
    for summary in store.summaries().unwrap() {
        let number = (0..RUNS).find(|number| id(*number) == summary.id).expect("a run that we saved");
        assert!(number != DELETED || !list_whole, "{case}: a deleted run is back");
        let back = store.run(summary.id).unwrap().expect("what is listed");
        if number == EDITED && back.name != "renamed" {
            assert!(moved.is_some(), "{case}: an edit is lost without a word");
        } else if number == EDITED {
            assert!(back == renamed, "{case}: {}", back.id);
        } else {
            assert!(back == SAVED[number as usize], "{case}: run {number} is another");
        }
        assert!(summary == back.summary(), "{case}: {}", back.id);
        recovered += 1;
    }
    if let Some((told, known, _)) = moved {
        assert_eq!(told as u64, recovered, "{case}");
        assert!(known >= told, "{case}");
    } else {
        assert_eq!(recovered, RUNS - 1, "{case}: runs are gone without a word");
    }
    store.save_run(&run(1000)).unwrap();
    (recovered, moved.is_some())
}

#[test]
fn a_flipped_bit_is_found_and_costs_at_most_what_it_hit() {
    let whole = history();
    assert_eq!(check(&whole, "whole"), (RUNS - 1, false));
    let mut draw = Draw::from_environment(1);
    let mut moved = 0;
    for _ in 0..60 {
        let at = draw.below(whole.len() as u64) as usize;
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << draw.below(8);
        let (recovered, was_moved) = check(&bytes, &format!("bit at {at}"));
        assert!(recovered >= RUNS - 2, "bit at {at}: only {recovered} runs");
        moved += u32::from(was_moved);
    }
    println!("{moved} of 60 files were moved aside");
    assert!(moved > 0);
}

#[test]
fn a_destroyed_page_or_a_cut_is_found() {
    let whole = history();
    let mut draw = Draw::from_environment(2);
    let pages = (whole.len() / PAGE_BYTES) as u64;
    for _ in 0..30 {
        let page = draw.below(pages) as usize * PAGE_BYTES;
        let mut zeroed = whole.clone();
        zeroed[page..page + PAGE_BYTES].fill(0);
        check(&zeroed, &format!("zeroes at {page}"));
        let mut noise = whole.clone();
        noise[page..page + PAGE_BYTES].fill_with(|| draw.next() as u8);
        check(&noise, &format!("noise at {page}"));
        let length = 1 + draw.below(whole.len() as u64 - 1) as usize;
        check(&whole[..length], &format!("cut to {length}"));
    }
}

#[test]
fn what_the_structure_holds_is_taken_over_too() {
    let mut bytes = history();
    // One record's text, found by its envelope, loses a bit: the structure stays readable.
    let record = bytes.windows(6).rposition(|window| window == b"MBen\x01\x01").unwrap();
    bytes[record + 60] ^= 1;
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(FILE), &bytes).unwrap();
    let (store, report) = open(dir.path());
    let [Remark::MovedAside { recovered, known, lost, list_whole: true, .. }] = &report.remarks[..] else {
        panic!("{:?}", report.remarks);
    };
    assert_eq!(*known as u64, RUNS - 1);
    assert_eq!(recovered + lost.len(), *known);
    assert_eq!(store.plans().unwrap().len(), 1);
    assert!((store.settings().unwrap().zoom - 1.25).abs() < f32::EPSILON);
    assert_eq!(store.run(id(EDITED)).unwrap().unwrap().name, "renamed");
}

#[test]
fn an_empty_file_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    fs::write(&path, b"").unwrap();
    assert_eq!(open(dir.path()).1.remarks, [Remark::WasEmpty(path)]);
}

fn set_schema(path: &Path, schema: u32) {
    let meta: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
    let db = redb::Database::open(path).unwrap();
    let txn = db.begin_write().unwrap();
    txn.open_table(meta).unwrap().insert("schema_version", schema.to_le_bytes().as_slice()).unwrap();
    txn.commit().unwrap();
}

#[test]
fn a_newer_schema_is_refused_and_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    fs::write(&path, history()).unwrap();
    set_schema(&path, 7);
    let before = fs::read(&path).unwrap();
    for _ in 0..2 {
        let error = Store::open(dir.path(), now(), &mut |_| {}).unwrap_err();
        assert!(matches!(error, StoreError::NewerSchema { found: 7, known: 3 }), "{error}");
    }
    assert!(fs::read(&path).unwrap() == before, "the file was changed");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}
