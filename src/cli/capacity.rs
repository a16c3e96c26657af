//! What a search for the highest rate has found, as text. Pure.

use crate::model::capacity::Capacity;

use super::screen::{Style, plain};
use super::table::aligned;

/// The answer, and every trial by rate.
pub(super) fn lines(capacity: &Capacity, style: Style) -> Vec<String> {
    let mut lines = vec![format!("{}  {}", style.bold("highest rate"), plain(&capacity.words()))];
    let mut rows =
        vec![["trial", "rate", "achieved", "p99", "failed", "verdict"].map(str::to_owned).to_vec()];
    for (at, trial) in capacity.trials.iter().enumerate() {
        let mut row: Vec<String> = trial.cells(at + 1).iter().map(|cell| plain(cell)).collect();
        row.push(plain(&trial.verdict_words()));
        rows.push(row);
    }
    let verdicts = rows.iter().map(|row| row[5].clone()).collect::<Vec<_>>();
    for row in &mut rows {
        row.truncate(5);
    }
    let table = aligned(&rows, 0).into_iter().zip(verdicts);
    lines.extend(table.enumerate().map(|(at, (line, verdict))| {
        let line = format!("{line}  {verdict}");
        if at == 0 { style.quiet(&line) } else { line }
    }));
    lines.push(style.quiet("what follows is the last trial at that rate"));
    lines
}
