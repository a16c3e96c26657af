//! Runs that could not be saved when they ended, because another program held the history or the disk was
//! full: each is a file of its own until the history takes it in.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::model::envelope::{ENVELOPE_BYTES_MAX, EnvelopeError};
use crate::model::{Run, RunId};

use super::error::StoreError;
use super::{file, tables};

/// The folder of pending runs, in the data directory.
pub const FOLDER: &str = "pending";
/// The folder of pending runs that cannot be read, in [`FOLDER`].
pub const DAMAGED_FOLDER: &str = "damaged";
/// The most pending runs that one opening takes in; the others wait for the next.
pub const TAKEN_MAX: usize = 1000;

const ENDING: &str = "run";

/// What lay in the folder.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) whole: Vec<(PathBuf, Run)>,
    pub(super) damaged: Vec<PathBuf>,
    /// Written by a newer Meshbench.
    pub(super) newer: Vec<PathBuf>,
    /// Could not be read now.
    pub(super) unread: Vec<PathBuf>,
}

/// Writes a run as a file of its own, for `Store::open` to take in; where it is. The file is whole or not there.
///
/// # Errors
/// When it could not be written; then nothing is left behind.
pub fn write(dir: &Path, run: &Run) -> Result<PathBuf, StoreError> {
    let folder = dir.join(FOLDER);
    file::make_folder(&folder)?;
    let bytes = tables::seal_run(run)?;
    let path = folder.join(format!("{}.{ENDING}", run.id));
    let part = folder.join(format!("{}.part", run.id));
    let written = write_whole(&part, &bytes)
        .and_then(|()| fs::rename(&part, &path))
        .and_then(|()| file::sync_folder(&folder));
    match written {
        Ok(()) => Ok(path),
        Err(source) => {
            // The first error is the one to tell.
            let _ = fs::remove_file(&part);
            Err(StoreError::File { step: "written", path, source })
        }
    }
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = file::private_file(path)?;
    file.set_len(0)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Reads what waits in the folder.
pub(super) fn find(dir: &Path) -> Result<Found, StoreError> {
    let folder = dir.join(FOLDER);
    let failed = |source| StoreError::File { step: "listed", path: folder.clone(), source };
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::default()),
        Err(error) => return Err(failed(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|ending| ending == ENDING) && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    let mut found = Found::default();
    for path in paths.into_iter().take(TAKEN_MAX) {
        match read(&path).map(|bytes| tables::open_run(&bytes)) {
            Ok(Ok(run)) => found.whole.push((path, run)),
            Ok(Err(EnvelopeError::Newer)) => found.newer.push(path),
            Ok(Err(_)) => found.damaged.push(path),
            Err(_) => found.unread.push(path),
        }
    }
    Ok(found)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(ENVELOPE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Removes the file of a run that shall not be kept, if there is one.
///
/// # Errors
/// When it is still there.
pub fn discard(dir: &Path, id: RunId) -> Result<(), StoreError> {
    let path = dir.join(FOLDER).join(format!("{id}.{ENDING}"));
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::File { step: "removed", path, source })
        }
        _ => Ok(()),
    }
}

/// Moves a damaged file out of the way; where it is now.
pub(super) fn move_aside(path: &Path) -> Result<PathBuf, StoreError> {
    let folder = path.with_file_name(DAMAGED_FOLDER);
    file::make_folder(&folder)?;
    let name = path.file_name().unwrap_or_default();
    let kept_at = folder.join(name);
    fs::rename(path, &kept_at).map_err(|source| StoreError::File {
        step: "moved aside",
        path: path.to_owned(),
        source,
    })?;
    Ok(kept_at)
}

/// Removes files whose runs are in the history now.
pub(super) fn remove(paths: &[PathBuf]) -> Result<(), StoreError> {
    for path in paths {
        fs::remove_file(path).map_err(|source| StoreError::File {
            step: "removed",
            path: path.clone(),
            source,
        })?;
    }
    Ok(())
}
