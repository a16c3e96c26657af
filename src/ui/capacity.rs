//! The search for the highest rate: how far it is, and what it has found.

use eframe::egui::{Align, Label, Layout, RichText, ScrollArea, Ui, vec2};
use egui_plot::MarkerShape;

use super::icon::Icon;
use super::plot::axis::{Axis, Scale};
use super::plot::time::{CAPTION_HEIGHT, caption};
use super::plot::{Chart, Layer, PlotsView};
use super::theme::{SPACE, Theme};
use super::{figures, widgets};
use crate::model::Goal;
use crate::model::capacity::{Capacity, CapacityTrial, Verdict};
use crate::model::goal::Metric;
use crate::model::number;

const HEADS: [&str; 6] = ["Trial", "Rate", "Achieved", "p99 response", "Failed", "Verdict"];
/// Of the columns of numbers, in points.
const WIDTHS: [f32; 5] = [40.0, 84.0, 84.0, 96.0, 76.0];
/// Of the table, in points.
const TABLE_WIDTH: f32 = 640.0;
/// A plot beside it is at least this wide, in points.
const PLOT_WIDTH_MIN: f32 = 280.0;
/// Its least and largest height, in points.
const PLOT_HEIGHT_MIN: f32 = 126.0;
const PLOT_HEIGHT_MAX: f32 = 240.0;
/// Rows on show while a search goes.
const LIVE_ROWS: usize = 5;
/// The quantile that a trial keeps.
const P99: f64 = 0.99;

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
pub(super) fn panel(ui: &mut Ui, theme: &Theme, view: &mut PlotsView, capacity: &Capacity, goals: &[Goal]) {
    widgets::section(ui, "Highest rate");
    ui.add(Label::new(RichText::new(capacity.words())).wrap());
    beside(ui, theme, view, capacity, goals, capacity.trials.len());
    ui.add_space(SPACE[2]);
}

/// The trials so far, the last ones on show.
pub(super) fn trials(ui: &mut Ui, theme: &Theme, view: &mut PlotsView, capacity: &Capacity, goals: &[Goal]) {
    if capacity.trials.is_empty() {
        return;
    }
    beside(ui, theme, view, capacity, goals, capacity.trials.len().min(LIVE_ROWS));
    ui.add_space(SPACE[0]);
}

/// A table that shows this many rows at once, and the plot of the same trials.
fn beside(
    ui: &mut Ui,
    theme: &Theme,
    view: &mut PlotsView,
    capacity: &Capacity,
    goals: &[Goal],
    rows: usize,
) {
    let table_height = (rows + 1) as f32 * figures::ROW_HEIGHT;
    if ui.available_width() < TABLE_WIDTH + PLOT_WIDTH_MIN {
        table(ui, theme, capacity, table_height);
        plot(ui, theme, view, capacity, goals, PLOT_HEIGHT_MIN);
        return;
    }
    let width = ui.available_width() - TABLE_WIDTH - SPACE[3];
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = SPACE[3];
        ui.allocate_ui(vec2(TABLE_WIDTH, table_height), |ui| {
            ui.vertical(|ui| table(ui, theme, capacity, table_height));
        });
        ui.allocate_ui(vec2(width, table_height), |ui| {
            let height = table_height.clamp(PLOT_HEIGHT_MIN, PLOT_HEIGHT_MAX);
            ui.vertical(|ui| plot(ui, theme, view, capacity, goals, height));
        });
    });
}

fn table(ui: &mut Ui, theme: &Theme, capacity: &Capacity, height: f32) {
    ui.spacing_mut().item_spacing = vec2(0.0, 0.0);
    ui.spacing_mut().interact_size.y = figures::ROW_HEIGHT;
    row(ui, |ui, at| {
        ui.label(RichText::new(HEADS[at]).small().color(theme.text_muted));
    });
    let room = height - figures::ROW_HEIGHT;
    let area = ScrollArea::vertical().id_salt("trials").max_height(room).stick_to_bottom(true);
    area.auto_shrink([false, true]).show(ui, |ui| {
        for (number, trial) in capacity.trials.iter().enumerate() {
            figures::line(ui, theme);
            let cells = trial.cells(number + 1);
            row(ui, |ui, at| match cells.get(at) {
                Some(words) => {
                    ui.label(words);
                }
                None => verdict(ui, theme, trial),
            });
        }
    });
}

/// Cells of a row: numbers at the right of their columns, then the verdict.
fn row(ui: &mut Ui, cell: impl Fn(&mut Ui, usize)) {
    ui.horizontal(|ui| {
        ui.set_min_height(figures::ROW_HEIGHT);
        for (at, width) in WIDTHS.into_iter().enumerate() {
            figures::right(ui, width, |ui| cell(ui, at));
        }
        ui.add_space(SPACE[2]);
        let rest = vec2(ui.available_width(), figures::ROW_HEIGHT);
        ui.allocate_ui_with_layout(rest, Layout::left_to_right(Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = SPACE[0];
            cell(ui, WIDTHS.len());
        });
    });
}

/// Not by colour alone: a sign, and words.
fn verdict(ui: &mut Ui, theme: &Theme, trial: &CapacityTrial) {
    let (sign, color, words) = match trial.verdict {
        Verdict::Passed => (Icon::Good, theme.good, "Passed".to_owned()),
        Verdict::Failed => (Icon::Close, theme.error, trial.why.clone()),
        Verdict::Void => (Icon::Warning, theme.warning, format!("Void: {}", trial.why)),
    };
    sign.show(ui, 14.0, color);
    ui.add(Label::new(RichText::new(words)).truncate());
}

/// Response time at p99 by rate: where it rises, the target is at its limit.
fn plot(ui: &mut Ui, theme: &Theme, view: &mut PlotsView, capacity: &Capacity, goals: &[Goal], height: f32) {
    view.begin(ui);
    let of = |verdict| -> Vec<(f64, f64)> {
        let trials = capacity.trials.iter().filter(|trial| trial.verdict == verdict);
        trials.filter_map(|trial| Some((trial.rate, trial.p99_ms?))).collect()
    };
    let (passed, failed, void) = (of(Verdict::Passed), of(Verdict::Failed), of(Verdict::Void));
    let limit = goals.iter().find(|goal| goal.metric == Metric::Response(P99)).map(|goal| goal.limit);
    let all = || passed.iter().chain(&failed).chain(&void);
    let highest = Scale::Linear.bounds(0.0, all().map(|point| point.0).fold(0.0, f64::max));
    let goal = limit.map(|limit| [(highest.0, limit), (highest.1, limit)]);
    let values = || all().map(|point| point.1).chain(limit);
    let low = values().fold(f64::INFINITY, f64::min);
    let high = values().fold(0.0, f64::max);
    let points = |name, points, shape, color| Layer::Points { name, points, shape, color };
    let mut layers = Vec::new();
    if let Some(goal) = &goal {
        layers.push(Layer::Curve { name: "goal", points: goal, color: theme.text_muted, width: 1.2 });
    }
    layers.push(points("passed", passed.as_slice(), MarkerShape::Circle, theme.good));
    layers.push(points("failed", failed.as_slice(), MarkerShape::Cross, theme.error));
    layers.push(points("void", void.as_slice(), MarkerShape::Diamond, theme.warning));
    let meaning = limit.map_or_else(
        || "of each trial".to_owned(),
        |limit| format!("of each trial; the line is the goal, {}", number::millis(limit)),
    );
    caption(ui, theme, "p99 response by rate", &meaning);
    let chart = Chart {
        id: "trials of a search",
        summary: plot_summary(capacity, limit),
        height: height - CAPTION_HEIGHT,
        x: Axis::Rate,
        x_full: highest,
        x_labels: true,
        y: Axis::Latency(Scale::Log),
        y_full: if low.is_finite() { Scale::Log.bounds(low, high) } else { Scale::Log.bounds(1.0, 100.0) },
        layers,
        empty: "Nothing was measured",
    };
    chart.show(ui, theme, view);
}

fn plot_summary(capacity: &Capacity, limit: Option<f64>) -> String {
    let told = |trial: &CapacityTrial| {
        let p99 = trial.p99_ms.map_or_else(|| "nothing".to_owned(), number::millis);
        format!("{p99} at {} ({})", number::rate(trial.rate), trial.verdict.name())
    };
    let trials: Vec<_> = capacity.trials.iter().map(told).collect();
    let goal = limit.map_or_else(String::new, |limit| format!("; the goal is {}", number::millis(limit)));
    format!("p99 response by rate: {}{goal}", trials.join(", "))
}
