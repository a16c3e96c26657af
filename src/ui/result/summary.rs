//! The numbers of a result: quantiles with what they rest on, counts, failures, goals, machine.

use std::collections::BTreeMap;

use eframe::egui::{Align, Label, Layout, RichText, Ui, vec2};

use crate::model::number::{self, UNKNOWN};
use crate::model::run::error_words;
use crate::model::{GoalResult, Quantiles, Run};
use crate::ui::figures::{self, Cell};
use crate::ui::theme::SPACE;
use crate::ui::{Cx, widgets};

/// A quantile rests on at least this many requests beyond it, or is marked.
const BEYOND_MIN: f64 = 10.0;
const TOO_FEW: &str = "Too few samples: fewer than 10 requests were slower than this";
/// The most rows of a block; the rest is counted.
const ROWS_MAX: usize = 12;
/// A block beside others is at least this wide, in points.
const BLOCK_WIDTH_MIN: f32 = 300.0;

/// Its name, its value, and its quantile, 0 for what is none.
type Row = (&'static str, fn(&Quantiles) -> f64, f64);

/// Response, service time and lag by quantile.
pub(super) fn quantiles(cx: &Cx<'_>, ui: &mut Ui, run: &Run) {
    let columns = [&run.response_ms, &run.service_ms, &run.lag_ms];
    let rows: [Row; 7] = [
        ("p50", |q| q.p50, 0.5),
        ("p90", |q| q.p90, 0.9),
        ("p95", |q| q.p95, 0.95),
        ("p99", |q| q.p99, 0.99),
        ("p99.9", |q| q.p99_9, 0.999),
        ("max", |q| q.max, 0.0),
        ("mean", |q| q.mean, 0.0),
    ];
    let lines: Vec<(&str, Vec<Cell>)> = rows
        .into_iter()
        .map(|(name, of, quantile)| (name, columns.iter().map(|all| cell(all, of, quantile)).collect()))
        .collect();
    widgets::section(ui, "Latency");
    figures::show(ui, cx.theme, &["Response", "Service", "Lag"], 110.0, &lines);
    // No latency, so it stands apart: what the numbers above rest on.
    let counts = columns.iter().map(|all| Cell::new(number::count(all.count))).collect();
    figures::foot(ui, cx.theme, 110.0, ("Requests counted", counts));
    if lines.iter().any(|(_, cells)| cells.iter().any(|cell| !cell.doubt.is_empty())) {
        ui.add_space(SPACE[0]);
        widgets::caption(ui, cx.theme, "* too few samples: fewer than 10 requests were slower than this");
    }
}

fn cell(all: &Quantiles, of: fn(&Quantiles) -> f64, quantile: f64) -> Cell {
    if all.count == 0 {
        return Cell::new(UNKNOWN.to_owned());
    }
    let text = number::millis(of(all));
    if quantile > 0.0 && all.count as f64 * (1.0 - quantile) < BEYOND_MIN {
        return Cell::doubtful(text, TOO_FEW);
    }
    Cell::new(text)
}

/// Everything else, in blocks beside one another.
pub(super) fn blocks(cx: &Cx<'_>, ui: &mut Ui, run: &Run) {
    let columns = ((ui.available_width() / BLOCK_WIDTH_MIN) as usize).clamp(1, 3);
    let width = (ui.available_width() - SPACE[4] * (columns - 1) as f32) / columns as f32;
    let blocks: [&dyn Fn(&mut Ui); 3] = [
        &|ui| requests(cx, ui, run),
        &|ui| {
            goals(cx, ui, &run.goals);
            failures(cx, ui, run);
        },
        &|ui| {
            statuses(cx, ui, run);
            traffic(cx, ui, run);
        },
    ];
    for row in blocks.chunks(columns) {
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = SPACE[4];
            for block in row {
                ui.allocate_ui(vec2(width, 0.0), |ui| {
                    ui.vertical(|ui| {
                        ui.set_width(width);
                        block(ui);
                    });
                });
            }
        });
        ui.add_space(SPACE[0]);
    }
}

fn requests(cx: &Cx<'_>, ui: &mut Ui, run: &Run) {
    let asked = run.rate.asked.map_or_else(|| "as fast as possible".to_owned(), number::rate);
    let lines = [
        ("Due", number::count(run.requests.due)),
        ("Answered", number::count(run.requests.answered)),
        ("Failed", number::count(run.requests.failed)),
        ("Cancelled", number::count(run.requests.cancelled)),
        ("In warm-up, not counted", number::count(run.warmup.due)),
        ("Rate asked", asked),
        ("Rate achieved", number::rate(run.rate.achieved)),
    ];
    block(cx, ui, "Requests", 140.0, &lines);
}

fn traffic(cx: &Cx<'_>, ui: &mut Ui, run: &Run) {
    let mut lines = vec![
        ("Received", number::bytes(run.bytes.received)),
        ("Sent", number::bytes(run.bytes.sent)),
        ("Connections opened", number::count(run.connections.opened)),
        ("Requests that waited for one", number::count(run.connections.waited)),
    ];
    if run.connections.resent > 0 {
        lines.push(("Requests sent again", number::count(run.connections.resent)));
    }
    block(cx, ui, "Traffic", 110.0, &lines);
}

fn block(cx: &Cx<'_>, ui: &mut Ui, title: &str, width: f32, lines: &[(&str, String)]) {
    widgets::section(ui, title);
    let rows: Vec<_> = lines.iter().map(|(name, text)| (*name, vec![Cell::new(text.clone())])).collect();
    ui.scope(|ui| figures::show(ui, cx.theme, &[""], width, &rows));
    ui.add_space(SPACE[2]);
}

fn goals(cx: &Cx<'_>, ui: &mut Ui, goals: &[GoalResult]) {
    if goals.is_empty() {
        return;
    }
    widgets::section(ui, "Goals");
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing = vec2(0.0, 0.0);
        ui.spacing_mut().interact_size.y = figures::ROW_HEIGHT;
        for goal in goals {
            figures::line(ui, cx.theme);
            ui.horizontal(|ui| {
                ui.set_min_height(figures::ROW_HEIGHT);
                let (words, color) =
                    if goal.met { ("Met", cx.theme.good) } else { ("Missed", cx.theme.error) };
                ui.label(RichText::new(&goal.goal).color(cx.theme.text_muted));
                let width = ui.available_width();
                figures::right(ui, width, |ui| {
                    ui.label(RichText::new(words).color(color));
                    ui.add_space(SPACE[1]);
                    ui.label(goal_value(goal));
                });
            });
        }
    });
    ui.add_space(SPACE[2]);
}

/// The measured value in the unit of its goal.
fn goal_value(goal: &GoalResult) -> String {
    match goal.value {
        None => UNKNOWN.to_owned(),
        Some(value) if goal.goal.starts_with("errors") => number::percent(value),
        Some(value) if goal.goal.starts_with("rate") => number::rate(value),
        Some(value) => number::millis(value),
    }
}

fn failures(cx: &Cx<'_>, ui: &mut Ui, run: &Run) {
    widgets::section(ui, "Errors");
    if run.errors.is_empty() {
        ui.label(RichText::new("No errors").color(cx.theme.text_muted));
        return;
    }
    counted(cx, ui, &run.errors, run.requests.due, |class| error_words(class).to_owned());
    reasons(cx, ui, &run.error_details);
}

/// Why connections failed, the most frequent first; each reason in full, to be read and copied.
fn reasons(cx: &Cx<'_>, ui: &mut Ui, details: &BTreeMap<String, BTreeMap<String, u64>>) {
    const COUNT_WIDTH: f32 = 76.0;
    let of_class = |(class, reasons): (&String, &BTreeMap<String, u64>)| {
        let told = |(why, count): (&String, &u64)| (format!("{}: {why}", error_words(class)), *count);
        reasons.iter().map(told).collect::<Vec<_>>()
    };
    let mut lines: Vec<_> = details.iter().flat_map(of_class).collect();
    if lines.is_empty() {
        return;
    }
    lines.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let rest: u64 = lines.iter().skip(ROWS_MAX).map(|(_, count)| count).sum();
    lines.truncate(ROWS_MAX);
    if rest > 0 {
        lines.push(("Other reasons".to_owned(), rest));
    }
    ui.add_space(SPACE[2]);
    widgets::section(ui, "Why connections failed");
    widgets::caption(ui, cx.theme, "All attempts to connect, also those in the warm-up");
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing = vec2(0.0, 0.0);
        ui.spacing_mut().interact_size.y = 0.0;
        for (words, count) in &lines {
            figures::line(ui, cx.theme);
            ui.add_space(3.0);
            ui.horizontal_top(|ui| {
                let room = vec2((ui.available_width() - COUNT_WIDTH).max(40.0), 0.0);
                ui.allocate_ui_with_layout(room, Layout::top_down(Align::Min), |ui| {
                    ui.set_min_width(room.x);
                    ui.add(Label::new(RichText::new(words).color(cx.theme.text_muted)).wrap());
                });
                let room = vec2(COUNT_WIDTH, 0.0);
                ui.allocate_ui_with_layout(room, Layout::right_to_left(Align::Min), |ui| {
                    ui.set_min_width(COUNT_WIDTH);
                    ui.label(number::count(*count));
                });
            });
            ui.add_space(3.0);
        }
    });
}

fn statuses(cx: &Cx<'_>, ui: &mut Ui, run: &Run) {
    widgets::section(ui, "Status codes");
    if run.status.values().all(|count| *count == 0) {
        ui.label(RichText::new("No answers").color(cx.theme.text_muted));
    } else {
        counted(cx, ui, &run.status, run.requests.due, str::to_owned);
    }
    ui.add_space(SPACE[2]);
}

/// Counts with their share of all requests due.
fn counted(cx: &Cx<'_>, ui: &mut Ui, counts: &BTreeMap<String, u64>, due: u64, words: fn(&str) -> String) {
    let share = |count: u64| number::percent(count as f64 / due.max(1) as f64);
    let mut lines: Vec<(String, u64)> =
        counts.iter().filter(|(_, count)| **count > 0).map(|(key, count)| (words(key), *count)).collect();
    lines.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let rest: u64 = lines.iter().skip(ROWS_MAX).map(|(_, count)| count).sum();
    lines.truncate(ROWS_MAX);
    if rest > 0 {
        lines.push(("Others".to_owned(), rest));
    }
    let rows: Vec<_> = lines
        .iter()
        .map(|(name, count)| {
            (name.as_str(), vec![Cell::new(number::count(*count)), Cell::new(share(*count))])
        })
        .collect();
    ui.scope(|ui| figures::show(ui, cx.theme, &["Requests", "of due"], 76.0, &rows));
}

/// Where the run was carried out.
pub(super) fn environment(cx: &Cx<'_>, ui: &mut Ui, run: &Run) {
    let machine = &run.environment;
    let lines = [
        ("Address", machine.address.clone()),
        ("Meshbench", machine.meshbench.clone()),
        ("System", machine.system.clone()),
        ("Processors", number::count(u64::from(machine.cpus))),
        ("Threads that sent load", number::count(u64::from(machine.load_threads))),
        ("Their processor time", machine.load_cpu_share.map_or_else(|| UNKNOWN.to_owned(), number::percent)),
        (
            "Held back by a limit",
            machine.strain.throttled_s.map_or_else(|| UNKNOWN.to_owned(), |held| number::millis(held * 1e3)),
        ),
        (
            "Taken by the host",
            machine.strain.stolen_share.map_or_else(|| UNKNOWN.to_owned(), number::percent),
        ),
        ("Run", run.id.to_string()),
    ];
    block(cx, ui, "Machine", 290.0, &lines);
}
