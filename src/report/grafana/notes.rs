//! What could not be taken over: each note once, and not without end.

use std::collections::BTreeSet;

use super::look::line;

/// The most characters of a note.
const NOTE_CHARS_MAX: usize = 300;
/// The most names in one note.
const NAMES_MAX: usize = 8;

pub(super) struct Notes {
    list: Vec<String>,
    /// What was noted, and what is beyond.
    seen: BTreeSet<String>,
    max: usize,
    beyond: usize,
}

impl Notes {
    /// At most so many notes.
    pub(super) fn new(max: usize) -> Self {
        Self { list: Vec::new(), seen: BTreeSet::new(), max, beyond: 0 }
    }

    /// Notes it, if it was not noted.
    pub(super) fn add(&mut self, note: impl AsRef<str>) {
        let note = line(note.as_ref(), NOTE_CHARS_MAX);
        if !self.seen.insert(note.clone()) {
            return;
        }
        // One place is kept for what is said of the rest.
        if self.list.len() + 1 < self.max {
            self.list.push(note);
        } else {
            self.beyond += 1;
        }
    }

    pub(super) fn finish(mut self) -> Vec<String> {
        if self.beyond > 0 {
            self.list.push(format!("{} more that could not be taken over", self.beyond));
        }
        self.list
    }
}

/// `A, B and 3 more`, each once, in their order.
pub(super) fn names(names: impl Iterator<Item = String>) -> String {
    let mut seen = BTreeSet::new();
    let mut once: Vec<String> = names.filter(|name| seen.insert(name.clone())).collect();
    let beyond = once.len().saturating_sub(NAMES_MAX);
    once.truncate(NAMES_MAX);
    let shown = once.join(", ");
    if beyond > 0 { format!("{shown} and {beyond} more") } else { shown }
}
