//! The file of the history: made, opened with its check, looked at without a change, moved aside.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::mpsc::{self, Sender};
use std::thread;

use jiff::Timestamp;
use redb::{Builder, Database, DatabaseError, StorageError};

use super::error::StoreError;
use super::overlay::Overlay;
use super::tables;

/// What redb may keep in memory.
const CACHE_BYTES: usize = 64 * 1024 * 1024;
/// The name of threads in which code that reads possibly damaged bytes may panic without a word.
const QUIET_THREAD: &str = "history-check";
/// The most damaged files of one second that get names of their own.
const DAMAGED_NAMES_MAX: u32 = 1000;

/// Why a file is not open.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Another program has it.
    InUse,
    /// It is not what was written.
    Damaged,
    /// Anything else; the file may be whole.
    Failed(StoreError),
}

impl Refusal {
    /// For one who cannot repair.
    pub(super) fn error(self, path: &Path) -> StoreError {
        match self {
            Self::InUse => in_use(path),
            Self::Damaged => StoreError::Database {
                step: "opening the history",
                source: Box::new(redb::Error::Corrupted("the file is damaged".to_owned())),
            },
            Self::Failed(error) => error,
        }
    }
}

pub(super) fn in_use(path: &Path) -> StoreError {
    StoreError::InUse { dir: path.parent().unwrap_or(path).to_owned() }
}

/// Makes a folder that only its owner can look into, with its parents.
pub(super) fn make_folder(dir: &Path) -> Result<(), StoreError> {
    if dir.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|source| StoreError::File { step: "made", path: dir.to_owned(), source })
}

/// A file that only its owner can read: new, or as it is.
pub(super) fn private_file(path: &Path) -> io::Result<fs::File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes names in a folder last through a loss of power.
pub(super) fn sync_folder(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { fs::File::open(dir)?.sync_all() } else { Ok(()) }
}

/// Opens the file, makes it if there is none, and checks every page of it.
pub(super) fn open_checked(path: &Path, progress: &mut dyn FnMut(f64)) -> Result<Database, Refusal> {
    private_file(path).map_err(|source| {
        Refusal::Failed(StoreError::File { step: "opened", path: path.to_owned(), source })
    })?;
    let file = path.to_owned();
    let opened = quietly(progress, move |news| {
        let mut builder = Builder::new();
        builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true);
        builder.set_repair_callback(move |session| {
            // Nobody listens any more when the opening was given up.
            let _ = news.send(session.progress());
        });
        builder.create(file)
    });
    match opened {
        Some(Ok(db)) => Ok(db),
        Some(Err(error)) => Err(refusal(error)),
        None => Err(Refusal::Damaged),
    }
}

/// The schema that a file names, without a change to the file; none when it cannot be told so.
pub(super) fn peek_schema(path: &Path) -> Result<Option<u32>, Refusal> {
    match peek(path, Check::Nothing) {
        Ok(Some(schema)) if schema > tables::SCHEMA => {
            // Damage may look like a large number; a whole file is believed.
            match peek(path, Check::EveryPage) {
                Err(Refusal::Damaged) => Ok(None),
                other => other,
            }
        }
        Err(Refusal::InUse) => Err(Refusal::InUse),
        Ok(schema) => Ok(schema),
        Err(_) => Ok(None),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Check {
    Nothing,
    EveryPage,
}

fn peek(path: &Path, check: Check) -> Result<Option<u32>, Refusal> {
    let file = path.to_owned();
    let seen = quietly(&mut |_| {}, move |_| {
        let db = open_overlay(&file, check == Check::EveryPage)?;
        let schema = tables::schema(&db);
        Ok::<_, Refusal>(schema)
    });
    match seen {
        Some(Ok(schema)) => schema.map_err(|_| Refusal::Damaged),
        Some(Err(refusal)) => Err(refusal),
        None => Err(Refusal::Damaged),
    }
}

/// Opens a file as it is, without ever changing it. May panic where the file is damaged.
pub(super) fn open_overlay(path: &Path, checked: bool) -> Result<Database, Refusal> {
    let overlay = Overlay::over(path).map_err(|source| {
        Refusal::Failed(StoreError::File { step: "opened", path: path.to_owned(), source })
    })?;
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(checked);
    builder.create_with_backend(overlay).map_err(refusal)
}

fn refusal(error: DatabaseError) -> Refusal {
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => Refusal::InUse,
        DatabaseError::Storage(StorageError::Corrupted(_)) | DatabaseError::UpgradeRequired(_) => {
            Refusal::Damaged
        }
        DatabaseError::Storage(StorageError::Io(error))
            if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
        {
            Refusal::Damaged
        }
        other => Refusal::Failed(StoreError::Database {
            step: "opening the history",
            source: Box::new(other.into()),
        }),
    }
}

/// Gives the file a name that says when it was found damaged; where it is now.
pub(super) fn move_aside(path: &Path, now: Timestamp) -> Result<PathBuf, StoreError> {
    let time = now.strftime("%Y%m%dT%H%M%SZ");
    for number in 1..=DAMAGED_NAMES_MAX {
        let name = if number == 1 {
            format!("history.damaged-{time}.redb")
        } else {
            format!("history.damaged-{time}-{number}.redb")
        };
        let kept_at = path.with_file_name(name);
        if kept_at.exists() {
            continue;
        }
        let moved = fs::rename(path, &kept_at).and_then(|()| path.parent().map_or(Ok(()), sync_folder));
        return match moved {
            Ok(()) => Ok(kept_at),
            Err(source) => Err(StoreError::File { step: "moved aside", path: path.to_owned(), source }),
        };
    }
    Err(StoreError::File {
        step: "moved aside",
        path: path.to_owned(),
        source: io::ErrorKind::AlreadyExists.into(),
    })
}

/// Does work that may panic on damaged bytes in a thread of its own, with its progress told here. None if it
/// panicked; nothing is printed then, since damage is an answer here.
pub(super) fn quietly<T: Send + 'static>(
    progress: &mut dyn FnMut(f64),
    work: impl FnOnce(Sender<f64>) -> T + Send + 'static,
) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if thread::current().name() != Some(QUIET_THREAD) {
                loud(info);
            }
        }));
    });
    let (news, heard) = mpsc::channel();
    let thread = thread::Builder::new().name(QUIET_THREAD.to_owned()).spawn(move || work(news)).ok()?;
    for share in heard {
        progress(share);
    }
    thread.join().ok()
}
