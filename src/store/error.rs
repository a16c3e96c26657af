//! What can go wrong with the store, in words for a person.

use std::io;
use std::path::PathBuf;

use crate::model::RunId;
use crate::model::causes::chain;
use crate::model::envelope::EnvelopeError;

/// Why the store did not do what was asked. Its text names the step; [`StoreError::advice`] says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another program has it open.
    #[error("another Meshbench is using {}", dir.display())]
    InUse {
        /// The data directory.
        dir: PathBuf,
    },
    /// Written by a newer Meshbench; nothing was changed.
    #[error("the history was written by a newer Meshbench (its schema is {found}, this one knows {known})")]
    NewerSchema {
        /// Schema of the file.
        found: u32,
        /// The newest schema that this program knows.
        known: u32,
    },
    /// A file or folder could not be read or written.
    #[error("{} could not be {step}: {source}", path.display())]
    File {
        /// `opened`, `written`, …
        step: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database refused.
    #[error("{step} failed: {source}")]
    Database {
        /// What was tried: `saving the run`.
        step: &'static str,
        /// Why.
        source: Box<redb::Error>,
    },
    /// Something is kept that is not what was written.
    #[error("{what} is damaged: {source}")]
    Damaged {
        /// `the run 0198…`
        what: String,
        /// How.
        source: EnvelopeError,
    },
    /// The value cannot be kept so that it can be read again.
    #[error("{what} cannot be kept: {source}")]
    Unkeepable {
        /// `the run 0198…`
        what: String,
        /// Why.
        source: EnvelopeError,
    },
    /// There is no such run.
    #[error("there is no run {id}")]
    NoRun {
        /// Which was asked for.
        id: RunId,
    },
    /// The database code failed in a way that it should not.
    #[error("{step} failed: the database gave up unexpectedly")]
    Panicked {
        /// What was tried.
        step: &'static str,
    },
}

impl StoreError {
    /// Whether there was no room left.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        let full = |error: &io::Error| {
            matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        };
        match self {
            Self::File { source, .. } => full(source),
            Self::Database { source, .. } => matches!(&**source, redb::Error::Io(error) if full(error)),
            _ => false,
        }
    }

    /// What happened, with its causes, and what to do.
    #[must_use]
    pub fn told(&self) -> String {
        format!("{}. {}", chain(self), self.advice())
    }

    /// What a person can do about it; one sentence.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        if self.is_disk_full() {
            return "Free some space on the disk, then try again.";
        }
        match self {
            Self::InUse { .. } => {
                "Close the other window or command, or choose another folder with --data-dir."
            }
            Self::NewerSchema { .. } => {
                "Use the newer Meshbench, or choose another folder with --data-dir; nothing was changed."
            }
            Self::File { .. } => "Check that the folder exists and that you may write to it.",
            Self::Database { .. } | Self::Panicked { .. } => {
                "Check the disk, then start Meshbench again; what was saved before is kept."
            }
            Self::Damaged { .. } => {
                "Start Meshbench again to have the history checked; export what you still need."
            }
            Self::Unkeepable { .. } => "Export the result to a file to keep it.",
            Self::NoRun { .. } => "It may have been deleted; read the history again.",
        }
    }
}

/// What stops a piece of work inside a transaction: the database, or ourselves.
#[derive(Debug)]
pub(super) enum Failure {
    Database(Box<redb::Error>),
    Store(StoreError),
}

impl Failure {
    pub(super) fn at(self, step: &'static str) -> StoreError {
        match self {
            Self::Database(source) => StoreError::Database { step, source },
            Self::Store(error) => error,
        }
    }

    /// Whether a fresh handle may do better: after an I/O error a handle of redb refuses all writes.
    pub(super) fn wants_reopening(&self) -> bool {
        matches!(self, Self::Database(error)
            if matches!(**error, redb::Error::Io(_) | redb::Error::PreviousIo | redb::Error::Backend(_)
                | redb::Error::DatabaseClosed | redb::Error::LockPoisoned(_)))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

macro_rules! failure_from {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::Database(Box::new(error.into()))
            }
        }
    )*};
}

failure_from!(
    redb::TransactionError,
    redb::TableError,
    redb::StorageError,
    redb::CommitError,
    redb::DatabaseError,
    redb::CompactionError,
    redb::SetDurabilityError
);
