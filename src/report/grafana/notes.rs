//! What could not be taken over: each note once, and not without end.

use super::look::line;

/// The most characters of a note.
const NOTE_CHARS_MAX: usize = 300;
/// The most names in one note.
const NAMES_MAX: usize = 8;

pub(super) struct Notes {
    list: Vec<String>,
    max: usize,
    beyond: usize,
}

impl Notes {
    /// At most so many notes.
    pub(super) fn new(max: usize) -> Self {
        Self { list: Vec::new(), max, beyond: 0 }
    }

    /// Notes it, if it was not noted.
    pub(super) fn add(&mut self, note: impl AsRef<str>) {
        let note = line(note.as_ref(), NOTE_CHARS_MAX);
        if self.list.contains(&note) {
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
    let mut once: Vec<String> = Vec::new();
    let mut beyond = 0;
    for name in names {
        if once.contains(&name) {
        } else if once.len() < NAMES_MAX {
            once.push(name);
        } else {
            beyond += 1;
        }
    }
    let shown = once.join(", ");
    if beyond > 0 { format!("{shown} and {beyond} more") } else { shown }
}
