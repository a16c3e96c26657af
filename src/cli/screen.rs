//! Standard output and standard error: colour only where it is wanted, and a closed pipe ends quietly.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use serde_json::Value;

use crate::model::number::THIN_SPACE;

use super::Failure;

/// Where text goes, and how it may look there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Screen {
    /// Of standard output.
    pub(super) out: Style,
    /// Of standard error.
    pub(super) err: Style,
    /// Whether somebody watches standard error.
    pub(super) watched: bool,
    /// Whether somebody can answer questions.
    pub(super) answers: bool,
}

/// Whether text may be coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Style {
    pub(super) colour: bool,
}

impl Screen {
    /// As the process was started.
    pub(super) fn of_process() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        Self {
            out: Style { colour: out && wanted },
            err: Style { colour: err && wanted },
            watched: err,
            answers: err && io::stdin().is_terminal(),
        }
    }

    /// A result, to standard output.
    pub(super) fn print(&self, text: &str) -> Result<(), Failure> {
        self.stream(text).map(drop)
    }

    /// A part of a result, to standard output; whether somebody still reads it.
    pub(super) fn stream(&self, text: &str) -> Result<bool, Failure> {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => {
                Err(Failure::NotCarriedOut(format!("standard output cannot be written to: {error}")))
            }
        }
    }

    /// A remark, to standard error. Nobody is left to tell when that cannot be written to.
    pub(super) fn remark(&self, text: &str) {
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    /// A remark that must not be missed.
    pub(super) fn warning(&self, text: &str) {
        self.remark(&format!("{} {}", self.err.warning("Warning:"), plain(text)));
    }

    /// Why it ended.
    pub(super) fn error(&self, text: &str) {
        let lines: Vec<String> = text.lines().map(plain).collect();
        self.remark(&format!("{} {}", self.err.bad("Error:"), lines.join("\n       ")));
    }

    /// The line of progress, in the place of the one before; nothing when nobody watches.
    pub(super) fn progress(&self, line: &str) {
        if self.watched {
            let mut err = io::stderr().lock();
            let _ = write!(err, "\r\u{1b}[2K{line}").and_then(|()| err.flush());
        }
    }

    /// Asks a question that is answered with y or n; no answer is a no.
    pub(super) fn ask(&self, question: &str) -> bool {
        matches!(self.ask_words(&format!("{question} [y/N]")).as_str(), "y" | "Y" | "yes")
    }

    /// Asks for words; none where nobody answers.
    pub(super) fn ask_words(&self, question: &str) -> String {
        let mut err = io::stderr().lock();
        let _ = write!(err, "{} ", plain(question)).and_then(|()| err.flush());
        let mut answer = String::new();
        // What cannot be read is no answer.
        let _ = io::stdin().lock().read_line(&mut answer);
        answer.trim().to_owned()
    }
}

impl Style {
    pub(super) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    pub(super) fn quiet(self, text: &str) -> String {
        self.with("2", text)
    }

    pub(super) fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    pub(super) fn warning(self, text: &str) -> String {
        self.with("1;33", text)
    }

    pub(super) fn bad(self, text: &str) -> String {
        self.with("1;31", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Text that a terminal shows and does not obey: names and labels may come from elsewhere.
pub(super) fn plain(text: &str) -> String {
    let shown = |c: char| match c {
        THIN_SPACE => ' ',
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            '\u{fffd}'
        }
        c => c,
    };
    text.chars().map(shown).collect()
}

/// JSON for people and programs, with a line break at its end.
pub(super) fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_never_told_what_to_do_by_a_name() {
        assert_eq!(plain("a\u{1b}[31mb\r\n\u{202e}c\u{2009}d"), "a\u{fffd}[31mb\u{fffd}\u{fffd}\u{fffd}c d");
    }

    #[test]
    fn without_colour_there_is_no_escape() {
        assert_eq!(Style { colour: false }.bad("x"), "x");
        assert_eq!(Style { colour: true }.good("x"), "\u{1b}[32mx\u{1b}[0m");
    }
}
