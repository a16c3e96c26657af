//! Tokens and passwords of sources: in the system's keyring, and in memory as long as the program runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::account::Keyring;
use crate::model::metrics::SourceId;

/// Secrets of sources. All clones are the same.
#[derive(Clone, Default)]
pub(super) struct Secrets {
    keyring: Arc<Keyring>,
    held: Arc<Mutex<BTreeMap<SourceId, String>>>,
}

impl Secrets {
    /// Uses a secret for as long as the program runs.
    pub(super) fn hold(&self, id: SourceId, secret: String) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).insert(id, secret);
    }

    /// Keeps it in the keyring. Blocks, for a few seconds at most.
    ///
    /// # Errors
    /// Why the keyring cannot be used, in words.
    pub(super) fn keep(&self, id: SourceId, secret: &str) -> Result<(), String> {
        self.keyring.write(&name(id), secret)
    }

    /// Forgets it everywhere. Blocks, for a few seconds at most.
    pub(super) fn forget(&self, id: SourceId) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        // Where there is no keyring, there is nothing in it.
        let _ = self.keyring.remove(&name(id));
    }

    /// The secret of a source; none where none is kept. Blocks, for a few seconds at most.
    ///
    /// # Errors
    /// Why the keyring cannot be used, in words.
    pub(super) fn of(&self, id: SourceId) -> Result<Option<String>, String> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        match held {
            Some(secret) => Ok(Some(secret)),
            None => self.keyring.read(&name(id)),
        }
    }
}

fn name(id: SourceId) -> String {
    format!("metrics/{}", id.0)
}
