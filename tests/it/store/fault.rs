//! A disk that fails at its k-th write: nothing that was called saved may be lost.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use meshbench::store::{Store, StoreError};
use redb::{Database, StorageBackend};

use super::{id, run};

const RUNS: u64 = 2;

/// A disk in memory that outlives its handles, and is full for some writes.
#[derive(Clone, Debug, Default)]
struct Disk {
    bytes: Arc<Mutex<Vec<u8>>>,
    writes: Arc<AtomicU64>,
    /// Writes from this number on fail, as long as there is no end to it.
    full: Arc<Mutex<std::ops::Range<u64>>>,
}

impl Disk {
    fn step(&self) -> io::Result<()> {
        let number = self.writes.fetch_add(1, Ordering::SeqCst);
        let full = self.full.lock().unwrap_or_else(PoisonError::into_inner);
        if full.contains(&number) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn open(&self) -> Result<Database, redb::DatabaseError> {
        let mut builder = Database::builder();
        builder.set_check_integrity_on_open(true).set_cache_size(1024 * 1024);
        builder.create_with_backend(self.clone())
    }

    fn store(&self) -> Result<Store, StoreError> {
        let disk = self.clone();
        Store::on(move || disk.open()).map(|(store, _)| store)
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = self.bytes.lock().unwrap();
        let start = offset as usize;
        let from = bytes.get(start..start + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(from);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.step()?;
        self.bytes.lock().unwrap().resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.step()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.step()?;
        self.bytes.lock().unwrap()[offset as usize..offset as usize + data.len()].copy_from_slice(data);
        Ok(())
    }
}

/// Saves runs on a disk that fails in a span of writes; the numbers of those that were called saved.
fn save_all(disk: &Disk) -> Vec<u64> {
    let Ok(store) = disk.store() else { return Vec::new() };
    let mut saved = Vec::new();
    for number in 0..RUNS {
        let tried = store.checkpoint(&run(number)).and_then(|()| store.save_run(&run(number)));
        match tried {
            Ok(_) => saved.push(number),
            Err(error) => assert!(error.is_disk_full(), "{error}"),
        }
    }
    saved
}

/// A disk with a new, closed history on it.
fn prepared() -> Disk {
    let disk = Disk::default();
    disk.store().unwrap().close().unwrap();
    disk
}

fn check(length: u64) {
    let whole = prepared();
    let first = whole.writes.load(Ordering::SeqCst);
    assert_eq!(save_all(&whole).len() as u64, RUNS);
    let end = whole.writes.load(Ordering::SeqCst);
    let mut refused = 0;
    for k in first..end {
        let disk = prepared();
        *disk.full.lock().unwrap() = k..k.saturating_add(length);
        let saved = save_all(&disk);
        refused += RUNS - saved.len() as u64;
        *disk.full.lock().unwrap() = 0..0;
        let store = disk.store().unwrap_or_else(|error| panic!("write {k}: {error}"));
        for number in saved {
            assert!(store.run(id(number)).unwrap() == Some(run(number)), "write {k}: run {number}");
        }
        for summary in store.summaries().unwrap() {
            assert!(store.run(summary.id).unwrap().is_some(), "write {k}");
        }
    }
    let end = end - first;
    let lost_to_errors = refused;
    println!("{end} places of failure, {length} writes long; {lost_to_errors} runs were refused");
}

#[test]
fn a_disk_that_is_full_from_some_write_on_loses_nothing_that_was_called_saved() {
    check(u64::MAX);
}

#[test]
fn a_single_failed_write_is_made_good_by_a_second_try() {
    check(1);
    let disk = Disk::default();
    let store = disk.store().unwrap();
    let next = disk.writes.load(Ordering::SeqCst);
    *disk.full.lock().unwrap() = next..next + 1;
    store.save_run(&run(1)).unwrap();
    *disk.full.lock().unwrap() = 0..u64::MAX;
    assert!(store.save_run(&run(2)).unwrap_err().is_disk_full());
    *disk.full.lock().unwrap() = 0..0;
    store.save_run(&run(2)).unwrap();
    assert_eq!(store.summaries().unwrap().len(), 2);
}
