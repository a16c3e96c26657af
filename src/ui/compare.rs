//! Several runs: their quantile curves over one another, and a table that says how far they are apart.

use std::collections::BTreeMap;
use std::sync::Arc;

use eframe::egui::{
    Align, Color32, Label, Layout, Rect, RichText, Role, ScrollArea, Sense, Stroke, Ui, WidgetInfo, vec2,
};

use super::metrics::kept;
use super::plot::PlotsView;
use super::plot::distribution::{self, Overlaid};
use super::plot::time::{TimeView, Timing};
use super::result::export;
use super::theme::{CONTROL_HEIGHT, SPACE};
use super::{Cx, figures, icon, live, widgets};
use crate::app::{Command, Curves, curves};
use crate::model::number::{self, UNKNOWN};
use crate::model::{Quantiles, Run, RunId};

/// Height of a row of the table, in points: a value and its difference to the first run.
const ROW_HEIGHT: f32 = 44.0;
const HEAD_HEIGHT: f32 = 24.0;
/// Room for a number, in points.
const CELL_WIDTH: f32 = 80.0;
/// Room for the button that removes a run, in points.
const REMOVE_WIDTH: f32 = 36.0;
const CURVE_HEIGHT_MIN: f32 = 240.0;
/// Room for the sentence beneath the table, in points.
const NOTE_HEIGHT: f32 = 36.0;
/// Differences smaller than this share of the first run are called none.
const SAME: f64 = 0.000_5;

/// What a person has made of the page.
#[derive(Debug, Default)]
pub struct CompareView {
    plots: PlotsView,
    /// Scale and timing; the rest of it is not used here.
    time: TimeView,
    curves: BTreeMap<RunId, Result<Curves, String>>,
    /// Which of the theme's colours a run has; kept when others are removed.
    colors: BTreeMap<RunId, usize>,
}

/// A column of the table.
struct Column {
    head: &'static str,
    of: fn(&Run, Timing) -> Option<f64>,
    words: fn(f64) -> String,
    /// Whether a difference to the first run is worth a line.
    differs: bool,
}

fn columns() -> [Column; 9] {
    fn latency(run: &Run, timing: Timing, of: fn(&Quantiles) -> f64) -> Option<f64> {
        let quantiles = timing.of(run);
        (quantiles.count > 0).then(|| of(quantiles))
    }
    let column = |head, of, words, differs| Column { head, of, words, differs };
    [
        column("Rate", |run, _| Some(run.rate.achieved), number::rate, true),
        column("Requests", |run, _| Some(run.requests.due as f64), count, false),
        column("p50", |run, timing| latency(run, timing, |q| q.p50), number::millis, true),
        column("p90", |run, timing| latency(run, timing, |q| q.p90), number::millis, true),
        column("p95", |run, timing| latency(run, timing, |q| q.p95), number::millis, true),
        column("p99", |run, timing| latency(run, timing, |q| q.p99), number::millis, true),
        column("p99.9", |run, timing| latency(run, timing, |q| q.p99_9), number::millis, true),
        column("Max", |run, timing| latency(run, timing, |q| q.max), number::millis, true),
        column("Errors", |run, _| failed_share(run), number::percent, false),
    ]
}

fn failed_share(run: &Run) -> Option<f64> {
    (run.requests.due > 0).then(|| run.requests.failed as f64 / run.requests.due as f64)
}

fn count(value: f64) -> String {
    number::count(value as u64)
}

impl CompareView {
    fn follow(&mut self, runs: &[Arc<Run>]) {
        self.curves.retain(|id, _| runs.iter().any(|run| run.id == *id));
        self.colors.retain(|id, _| runs.iter().any(|run| run.id == *id));
        for run in runs {
            self.curves.entry(run.id).or_insert_with(|| curves(run));
            let free =
                (0..).find(|color| !self.colors.values().any(|taken| taken == color)).unwrap_or_default();
            self.colors.entry(run.id).or_insert(free);
        }
    }

    fn color(&self, cx: &Cx<'_>, run: &Run) -> Color32 {
        color(cx, &self.colors, run)
    }
}

fn color(cx: &Cx<'_>, colors: &BTreeMap<RunId, usize>, run: &Run) -> Color32 {
    let series = &cx.theme.series;
    series[colors.get(&run.id).copied().unwrap_or_default() % series.len()]
}

/// Draws the page.
pub fn ui(cx: &mut Cx<'_>, ui: &mut Ui, view: &mut CompareView, runs: &[Arc<Run>]) {
    view.follow(runs);
    head(cx, ui, view, runs);
    let room = ui.available_height();
    widgets::scrolling(ui, "compare", room, |ui| {
        let below =
            costs_height(runs) + HEAD_HEIGHT + runs.len() as f32 * ROW_HEIGHT + NOTE_HEIGHT + SPACE[3];
        let height = (room - below).max(CURVE_HEIGHT_MIN);
        overlay(cx, ui, view, runs, height);
        ui.add_space(SPACE[2]);
        table(cx, ui, view, runs);
        ui.add_space(SPACE[1]);
        let note = "Differences are to the first run. One run against one: this cannot tell a change from run-to-run noise.";
        widgets::caption(ui, cx.theme, note);
        costs(cx, ui, view, runs);
    });
}

/// Of the table of costs, in points.
fn costs_height(runs: &[Arc<Run>]) -> f32 {
    let metrics = runs.iter().filter_map(|run| run.metrics.as_deref());
    let rows: usize = metrics.map(|metrics| metrics.costs.len()).sum();
    if rows == 0 { 0.0 } else { SPACE[3] + 2.0 * HEAD_HEIGHT + rows as f32 * kept::ROW + SPACE[2] }
}

/// What the runs cost, of those with which metrics were kept.
fn costs(cx: &Cx<'_>, ui: &mut Ui, view: &CompareView, runs: &[Arc<Run>]) {
    let of = |run: &'_ Arc<Run>| run.metrics.as_ref().is_some_and(|metrics| !metrics.costs.is_empty());
    let with: Vec<_> = runs
        .iter()
        .filter(|run| of(run))
        .filter_map(|run| Some((run.name.as_str(), view.color(cx, run), run.metrics.as_deref()?)))
        .collect();
    if !with.is_empty() {
        ui.add_space(SPACE[3]);
        widgets::section(ui, "What the runs cost");
        kept::costs(cx, ui, &with);
    }
}

fn head(cx: &mut Cx<'_>, ui: &mut Ui, view: &mut CompareView, runs: &[Arc<Run>]) {
    const EXPORT_WIDTH: f32 = 92.0;
    ui.horizontal(|ui| {
        if icon::Icon::Back.button(ui, "Back to history").clicked() {
            cx.push(Command::CloseComparison);
        }
        widgets::heading(ui, &format!("{} runs compared", runs.len()));
        ui.add_space((ui.available_width() - live::CHOICE_WIDTH - EXPORT_WIDTH).max(0.0));
        live::timing_choice(cx, ui, &mut view.time);
        let ids: Vec<_> = runs.iter().map(|run| run.id).collect();
        export(cx, ui, "Export all", &ids, |_| {});
    });
    ui.add_space(SPACE[0]);
}

fn overlay(cx: &Cx<'_>, ui: &mut Ui, view: &mut CompareView, runs: &[Arc<Run>], height: f32) {
    let CompareView { plots, time, curves, colors } = view;
    for run in runs {
        if let Some(Err(reason)) = curves.get(&run.id) {
            widgets::warning(ui, cx.theme, &format!("{}: {reason}", run.name));
        }
    }
    let overlaid: Vec<_> = runs
        .iter()
        .filter_map(|run| {
            let decoded = curves.get(&run.id)?.as_ref().ok()?;
            Some(Overlaid {
                name: &run.name,
                color: color(cx, colors, run),
                curve: distribution::of(decoded, time.timing),
                quantiles: time.timing.of(run),
            })
        })
        .collect();
    ui.scope(|ui| {
        distribution::curves(cx.theme, ui, plots, time.scale, time.timing, &overlaid, height);
    });
}

fn table(cx: &mut Cx<'_>, ui: &mut Ui, view: &CompareView, runs: &[Arc<Run>]) {
    let columns = columns();
    let numbers = columns.len() as f32 * CELL_WIDTH + REMOVE_WIDTH;
    let name_width = (ui.available_width() - numbers).max(180.0);
    ScrollArea::horizontal().id_salt("compared").auto_shrink([false, true]).show(ui, |ui| {
        ui.spacing_mut().item_spacing = vec2(0.0, 0.0);
        ui.horizontal(|ui| {
            ui.set_min_height(HEAD_HEIGHT);
            let timing = RichText::new(view.time.timing.words()).small().color(cx.theme.text_muted);
            let place = vec2(name_width, HEAD_HEIGHT);
            ui.allocate_ui_with_layout(place, Layout::left_to_right(Align::Center), |ui| {
                ui.set_min_width(name_width);
                ui.label(timing);
            });
            for column in &columns {
                let head = RichText::new(column.head).small().color(cx.theme.text_muted);
                figures::right(ui, CELL_WIDTH, |ui| ui.label(head));
            }
        });
        for run in runs {
            let (rect, _) = ui.allocate_exact_size(vec2(name_width + numbers, 0.0), Sense::hover());
            ui.painter().hline(rect.x_range(), rect.top(), Stroke::new(1.0, cx.theme.border));
            ui.horizontal(|ui| {
                ui.set_height(ROW_HEIGHT);
                names(cx, ui, view, run, name_width);
                for column in &columns {
                    number(cx, ui, (column, view.time.timing), run, &runs[0]);
                }
                remove(cx, ui, run, runs);
            });
        }
    });
}

fn names(cx: &mut Cx<'_>, ui: &mut Ui, view: &CompareView, run: &Run, width: f32) {
    ui.allocate_ui_with_layout(vec2(width, ROW_HEIGHT), Layout::left_to_right(Align::Center), |ui| {
        ui.set_min_width(width);
        ui.spacing_mut().item_spacing = vec2(SPACE[1], 0.0);
        ui.spacing_mut().interact_size.y = 18.0;
        let (rect, _) = ui.allocate_exact_size(vec2(14.0, 14.0), Sense::hover());
        ui.painter().rect_filled(rect, 2.0, view.color(cx, run));
        ui.vertical(|ui| {
            ui.add_space((ROW_HEIGHT - 36.0) / 2.0);
            ui.horizontal(|ui| {
                if !run.warnings.is_empty() {
                    mark(cx, ui, run);
                }
                let name = ui.add(Label::new(&run.name).truncate().sense(Sense::click()));
                name.widget_info(|| WidgetInfo::labeled(Role::Link, true, &run.name));
                if name.on_hover_text("Show this result").clicked() {
                    cx.push(Command::OpenRun(run.id));
                }
            });
            let labels: Vec<_> = run.labels.values().map(String::as_str).collect();
            let words = if labels.is_empty() { widgets::when(run.started) } else { labels.join(" · ") };
            ui.add(Label::new(RichText::new(words).small().color(cx.theme.text_muted)).truncate());
        });
    });
}

/// The sign of a warning, in red where the run is void; its sentences on hover.
fn mark(cx: &Cx<'_>, ui: &mut Ui, run: &Run) {
    let color = if run.is_void() { cx.theme.error } else { cx.theme.warning };
    let sentences: Vec<_> = run.warnings.iter().map(|warning| warning.text.as_str()).collect();
    let (rect, response) = ui.allocate_exact_size(vec2(16.0, 16.0), Sense::hover());
    icon::Icon::Warning.paint(ui.painter(), Rect::from_center_size(rect.center(), vec2(16.0, 16.0)), color);
    let words = sentences.join("\n");
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, format!("Warning: {words}")));
    response.on_hover_text(words);
}

fn number(cx: &Cx<'_>, ui: &mut Ui, (column, timing): (&Column, Timing), run: &Run, first: &Run) {
    let value = (column.of)(run, timing);
    ui.allocate_ui_with_layout(vec2(CELL_WIDTH, ROW_HEIGHT), Layout::top_down(Align::Max), |ui| {
        ui.set_min_width(CELL_WIDTH);
        ui.add_space((ROW_HEIGHT - 36.0) / 2.0);
        ui.label(value.map_or_else(|| UNKNOWN.to_owned(), column.words));
        if column.differs
            && run.id != first.id
            && let (Some(value), Some(base)) = (value, (column.of)(first, timing))
        {
            ui.label(RichText::new(difference(value, base)).small().color(cx.theme.text_muted));
        }
    });
}

/// `+12 %`, plainly: better or worse is for the reader to say.
fn difference(value: f64, base: f64) -> String {
    if base <= 0.0 {
        return UNKNOWN.to_owned();
    }
    let share = value / base - 1.0;
    if share.abs() < SAME {
        return "±0 %".to_owned();
    }
    let percent = (share * 100.0).abs();
    let decimals = usize::from(percent < 9.95);
    let sign = if share > 0.0 { '+' } else { '−' };
    format!("{sign}{percent:.decimals$} %")
}

fn remove(cx: &mut Cx<'_>, ui: &mut Ui, run: &Run, runs: &[Arc<Run>]) {
    ui.allocate_ui_with_layout(
        vec2(REMOVE_WIDTH, CONTROL_HEIGHT),
        Layout::right_to_left(Align::Center),
        |ui| {
            let name = format!("Remove {} from the comparison", run.name);
            if icon::Icon::Close.button(ui, &name).clicked() {
                let rest: Vec<_> = runs.iter().map(|other| other.id).filter(|id| *id != run.id).collect();
                cx.push(match rest.as_slice() {
                    [] => Command::CloseComparison,
                    [last] => Command::OpenRun(*last),
                    _ => Command::Compare(rest),
                });
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_said_plainly() {
        for (value, base, said) in [
            (112.0, 100.0, "+12 %"),
            (94.0, 100.0, "−6.0 %"),
            (100.01, 100.0, "±0 %"),
            (250.0, 100.0, "+150 %"),
            (1.0, 0.0, "–"),
        ] {
            assert_eq!(difference(value, base), said, "{value} to {base}");
        }
    }
}
