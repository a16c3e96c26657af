//! What a search for the highest rate has found, as text. Pure.

use crate::model::capacity::{Capacity, Verdict};
use crate::model::number;

use super::screen::{Style, plain};
use super::table::aligned;

/// The answer, and every trial by rate.
pub(super) fn lines(capacity: &Capacity, style: Style) -> Vec<String> {
    let mut lines = vec![format!("{}  {}", style.bold("highest rate"), plain(&capacity.words()))];
    let mut rows =
        vec![["trial", "rate", "achieved", "p99", "failed", "verdict"].map(str::to_owned).to_vec()];
    for (at, trial) in capacity.trials.iter().enumerate() {
        let verdict = match trial.verdict {
            Verdict::Passed => "passed".to_owned(),
            Verdict::Failed => format!("failed: {}", trial.why),
            Verdict::Void => format!("void: {}", trial.why),
        };
        let cells = [
            (at + 1).to_string(),
            number::rate(trial.rate),
            number::rate(trial.achieved),
            trial.p99_ms.map_or(number::UNKNOWN.to_owned(), number::millis),
            number::percent(trial.errors),
        ];
        let mut row: Vec<String> = cells.iter().map(|cell| plain(cell)).collect();
        row.push(plain(&verdict));
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
