//! The search for the highest rate: how far it is, and what it has found.

use eframe::egui::{Grid, RichText, Ui};

use super::theme::{SPACE, Theme};
use super::widgets;
use crate::model::capacity::{Capacity, Verdict};
use crate::model::number::{self, UNKNOWN};

/// One line about a search that goes: `Trial 5 at 400/s · 3 passed, 1 failed`.
pub(super) fn line(ui: &mut Ui, theme: &Theme, capacity: &Capacity, rate: Option<f64>) {
    let count = |verdict| capacity.trials.iter().filter(|trial| trial.verdict == verdict).count();
    let at = rate.map_or_else(String::new, |rate| format!(" at {}", number::rate(rate)));
    let mut words = format!(
        "Searching for the highest rate: trial {}{at} · {} passed, {} failed",
        capacity.trials.len() + 1,
        count(Verdict::Passed),
        count(Verdict::Failed)
    );
    if count(Verdict::Void) > 0 {
        words.push_str(&format!(", {} void", count(Verdict::Void)));
    }
    if let Some(best) = capacity.rate {
        words.push_str(&format!(" · highest so far {}", number::rate(best)));
    }
    ui.label(RichText::new(words).color(theme.text));
    ui.add_space(SPACE[0]);
}

/// The answer in a sentence, and every trial.
pub(super) fn panel(ui: &mut Ui, theme: &Theme, capacity: &Capacity) {
    widgets::section(ui, "Highest rate");
    ui.label(RichText::new(capacity.words()));
    ui.add_space(SPACE[0]);
    Grid::new("trials").num_columns(6).spacing([SPACE[3], SPACE[0]]).show(ui, |ui| {
        for head in ["Trial", "Rate", "Achieved", "p99 response", "Failed", "Verdict"] {
            ui.label(RichText::new(head).small().color(theme.text_muted));
        }
        ui.end_row();
        for (at, trial) in capacity.trials.iter().enumerate() {
            ui.label((at + 1).to_string());
            ui.label(number::rate(trial.rate));
            ui.label(number::rate(trial.achieved));
            ui.label(trial.p99_ms.map_or_else(|| UNKNOWN.to_owned(), number::millis));
            ui.label(number::percent(trial.errors));
            match trial.verdict {
                Verdict::Passed => ui.label("✔ passed"),
                Verdict::Failed => ui.label(RichText::new(format!("✖ {}", trial.why)).color(theme.error)),
                Verdict::Void => ui.label(RichText::new(format!("void: {}", trial.why)).color(theme.warning)),
            };
            ui.end_row();
        }
    });
    ui.add_space(SPACE[2]);
}
