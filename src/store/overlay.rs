//! A file as a database that may be written to without the file changing: what is written stays in memory.
//!
//! redb writes to a file merely by opening it. A history of a newer Meshbench must stay as it is, and a
//! damaged one is evidence.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

const PAGE_BYTES: usize = 4096;

/// Reads a file, and keeps what is written in memory. Holds the same locks as a real database.
#[derive(Debug)]
pub(super) struct Overlay {
    file: FileBackend,
    written: Mutex<Written>,
}

#[derive(Debug)]
struct Written {
    length: u64,
    /// Up to here the file's own bytes count, where no page lies over them.
    file_length: u64,
    pages: BTreeMap<u64, Box<[u8; PAGE_BYTES]>>,
}

impl Overlay {
    pub(super) fn over(path: &Path) -> io::Result<Self> {
        // Writable only because an exclusive lock asks for it.
        let file: File = OpenOptions::new().read(true).write(true).open(path)?;
        let length = file.metadata()?.len();
        let file = FileBackend::new(file).map_err(io::Error::other)?;
        let written = Mutex::new(Written { length, file_length: length, pages: BTreeMap::new() });
        Ok(Self { file, written })
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Written {
    /// One page as it would be read now.
    fn page(&self, file: &FileBackend, number: u64) -> io::Result<Box<[u8; PAGE_BYTES]>> {
        if let Some(page) = self.pages.get(&number) {
            return Ok(page.clone());
        }
        let mut page = Box::new([0; PAGE_BYTES]);
        let start = number * PAGE_BYTES as u64;
        let there = self.file_length.saturating_sub(start).min(PAGE_BYTES as u64) as usize;
        if there > 0 {
            file.read(start, &mut page[..there])?;
        }
        Ok(page)
    }

    fn check(&self, offset: u64, length: usize) -> io::Result<()> {
        match offset.checked_add(length as u64) {
            Some(end) if end <= self.length => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// The parts of a span that lie in single pages: page, where in the page, where in the span.
fn parts(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at >= length {
            return None;
        }
        let position = offset + at as u64;
        let inside = (position % PAGE_BYTES as u64) as usize;
        let end = length.min(at + PAGE_BYTES - inside);
        let part = (position / PAGE_BYTES as u64, inside, at..end);
        at = end;
        Some(part)
    })
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.written().length)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let written = self.written();
        written.check(offset, out.len())?;
        for (number, inside, span) in parts(offset, out.len()) {
            let page = written.page(&self.file, number)?;
            let end = inside + span.len();
            out[span].copy_from_slice(&page[inside..end]);
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut written = self.written();
        written.length = length;
        written.file_length = written.file_length.min(length);
        let kept = length.div_ceil(PAGE_BYTES as u64);
        written.pages.split_off(&kept);
        let inside = (length % PAGE_BYTES as u64) as usize;
        if inside > 0
            && let Some(page) = written.pages.get_mut(&(kept - 1))
        {
            page[inside..].fill(0);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut written = self.written();
        written.check(offset, data.len())?;
        for (number, inside, span) in parts(offset, data.len()) {
            let mut page = written.page(&self.file, number)?;
            page[inside..inside + span.len()].copy_from_slice(&data[span]);
            written.pages.insert(number, page);
        }
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
