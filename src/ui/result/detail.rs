//! Where the time of requests went: by phase, request, address and connection, and the slowest of them.

use eframe::egui::{Align, CollapsingHeader, Label, Layout, RichText, Sense, Ui, vec2};

use crate::model::number::{self, UNKNOWN};
use crate::model::run::{Row, Slow, error_words};
use crate::model::{Quantiles, Run};
use crate::ui::figures::{self, Cell};
use crate::ui::theme::SPACE;
use crate::ui::{Cx, widgets};

/// Room for a number, in points.
const CELL_WIDTH: f32 = 76.0;
/// Room for a number beside words of its own, in points.
const CELL_WIDTH_WIDE: f32 = 150.0;
/// Narrower than this, the two columns stand above one another, in points.
const BESIDE_WIDTH_MIN: f32 = 900.0;
/// The slowest requests shown before one asks for the rest.
const SLOWEST_SHOWN: usize = 10;
const HEADS: [&str; 5] = ["p50", "p99", "Max", "Mean", "Count"];

/// Draws everything; `all_slowest` is whether the whole list is unfolded.
pub(super) fn ui(cx: &Cx<'_>, ui: &mut Ui, run: &Run, all_slowest: &mut bool) {
    let detail = &run.detail;
    if detail.slowest.is_empty() && detail.phases.occurred().next().is_none() {
        let words = "Nothing was answered, or the run was kept by a version that did not measure it.";
        widgets::empty_state(ui, cx.theme, "No breakdown", words, None);
        return;
    }
    if ui.available_width() < BESIDE_WIDTH_MIN {
        tables(cx, ui, run);
        slowest(cx, ui, &detail.slowest, all_slowest);
        return;
    }
    let half = (ui.available_width() - SPACE[4]) / 2.0;
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = SPACE[4];
        ui.allocate_ui(vec2(half, 0.0), |ui| ui.vertical(|ui| tables(cx, ui, run)));
        ui.allocate_ui(vec2(half, 0.0), |ui| {
            ui.vertical(|ui| slowest(cx, ui, &detail.slowest, all_slowest));
        });
    });
}

fn tables(cx: &Cx<'_>, ui: &mut Ui, run: &Run) {
    phases(cx, ui, run);
    rows(cx, ui, "By request", "Response times of each of the plan's requests", &run.detail.variants);
    rows(
        cx,
        ui,
        "By stage",
        "Response times of what was due in each of the plan's stages",
        &run.detail.stages,
    );
    rows(cx, ui, "By address", "Service times at each of the target's addresses", &run.detail.addresses);
    connections(cx, ui, run);
}

fn phases(cx: &Cx<'_>, ui: &mut Ui, run: &Run) {
    widgets::section(ui, "Phases");
    widgets::caption(ui, cx.theme, "Each counts what had it: connections opened, requests that waited");
    let lines: Vec<_> =
        run.detail.phases.occurred().map(|(name, _, times)| (name, quantiles(&times.ms))).collect();
    ui.scope(|ui| figures::show(ui, cx.theme, &HEADS, CELL_WIDTH, &lines));
    ui.add_space(SPACE[2]);
}

fn quantiles(ms: &Quantiles) -> Vec<Cell> {
    let shown =
        |value: f64| Cell::new(if ms.count == 0 { UNKNOWN.to_owned() } else { number::millis(value) });
    let count = Cell::new(number::count(ms.count));
    vec![shown(ms.p50), shown(ms.p99), shown(ms.max), shown(ms.mean), count]
}

fn rows(cx: &Cx<'_>, ui: &mut Ui, title: &str, meaning: &str, rows: &[Row]) {
    if rows.is_empty() {
        return;
    }
    widgets::section(ui, title);
    widgets::caption(ui, cx.theme, meaning);
    let shown = |row: &Row, value: f64| {
        Cell::new(if row.ms.count == 0 { UNKNOWN.to_owned() } else { number::millis(value) })
    };
    let lines: Vec<_> = rows
        .iter()
        .map(|row| {
            let counts = [row.requests, row.failed].map(|count| Cell::new(number::count(count)));
            let times = [row.ms.p50, row.ms.p99, row.ms.max].map(|value| shown(row, value));
            (row.name.as_str(), counts.into_iter().chain(times).collect())
        })
        .collect();
    let heads = ["Requests", "Failed", "p50", "p99", "Max"];
    ui.scope(|ui| figures::show(ui, cx.theme, &heads, CELL_WIDTH, &lines));
    ui.add_space(SPACE[2]);
}

fn connections(cx: &Cx<'_>, ui: &mut Ui, run: &Run) {
    let table = &run.detail.connections;
    if table.used < 2 {
        return;
    }
    widgets::section(ui, "Connections");
    let words = format!(
        "{} carried {} to {} requests each",
        number::count(table.used),
        number::count(table.requests_min),
        number::count(table.requests_max)
    );
    ui.label(RichText::new(words).color(cx.theme.text_muted));
    CollapsingHeader::new("The slowest by mean service time").show_unindented(ui, |ui| {
        widgets::caption(ui, cx.theme, "A name is thread and number");
        let lines: Vec<_> = table
            .slowest
            .iter()
            .map(|row| {
                let counts = [row.requests, row.failed, row.opened];
                let counts = counts.map(|count| Cell::new(number::count(count)));
                let times = [row.mean_ms, row.max_ms].map(|ms| Cell::new(number::millis(ms)));
                (row.name.as_str(), counts.into_iter().chain(times).collect())
            })
            .collect();
        let heads = ["Requests", "Failed", "Opened", "Mean", "Max"];
        ui.scope(|ui| figures::show(ui, cx.theme, &heads, CELL_WIDTH, &lines));
    });
    ui.add_space(SPACE[2]);
}

fn slowest(cx: &Cx<'_>, ui: &mut Ui, slowest: &[Slow], all: &mut bool) {
    if slowest.is_empty() {
        return;
    }
    widgets::section(ui, "Slowest requests");
    widgets::caption(ui, cx.theme, "When each was due, and what it spent most of its time on");
    let shown = if *all { slowest.len() } else { SLOWEST_SHOWN.min(slowest.len()) };
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing = vec2(0.0, 0.0);
        ui.spacing_mut().interact_size.y = figures::ROW_HEIGHT;
        slow_row(ui, |ui, at| {
            let head = ["Due at", "Outcome", "Response", "Longest phase"][at];
            ui.label(RichText::new(head).small().color(cx.theme.text_muted));
        });
        for slow in &slowest[..shown] {
            figures::line(ui, cx.theme);
            slow_row(ui, |ui, at| {
                let text = RichText::new(slow_cell(slow, at));
                let text = if at == 0 { text.color(cx.theme.text_muted) } else { text };
                ui.add(Label::new(text).truncate().sense(Sense::hover())).on_hover_text(story(slow));
            });
        }
    });
    if slowest.len() > SLOWEST_SHOWN {
        ui.add_space(SPACE[0]);
        let words = if *all { "Show fewer".to_owned() } else { format!("Show all {}", slowest.len()) };
        if ui.button(words).clicked() {
            *all = !*all;
        }
    }
}

/// Cells of a row: two left, two right-aligned.
fn slow_row(ui: &mut Ui, cell: impl Fn(&mut Ui, usize)) {
    let rest = ui.available_width() - 2.0 * CELL_WIDTH - CELL_WIDTH_WIDE;
    let widths = [CELL_WIDTH, rest.max(CELL_WIDTH), CELL_WIDTH, CELL_WIDTH_WIDE];
    ui.horizontal(|ui| {
        ui.set_min_height(figures::ROW_HEIGHT);
        for (at, width) in widths.into_iter().enumerate() {
            if at < 2 {
                let layout = Layout::left_to_right(Align::Center);
                ui.allocate_ui_with_layout(vec2(width, figures::ROW_HEIGHT), layout, |ui| {
                    ui.set_min_width(width);
                    cell(ui, at);
                });
            } else {
                figures::right(ui, width, |ui| cell(ui, at));
            }
        }
    });
}

fn slow_cell(slow: &Slow, at: usize) -> String {
    match at {
        0 => due_at(slow),
        1 => error_words(&slow.outcome).to_owned(),
        2 => number::millis(slow.response_ms),
        _ => slow
            .phases
            .longest()
            .map_or_else(|| UNKNOWN.to_owned(), |(name, ms)| format!("{name} {}", number::millis(ms))),
    }
}

/// `00:21.304`
fn due_at(slow: &Slow) -> String {
    let millis = (slow.due_s * 1e3).round() as u64;
    format!("{}.{:03}", number::clock((millis / 1000) as f64), millis % 1000)
}

/// Everything that is known of one request.
fn story(slow: &Slow) -> String {
    let mut lines = vec![format!("Due at {}, {}", due_at(slow), error_words(&slow.outcome))];
    lines.push(format!("Response time {}", number::millis(slow.response_ms)));
    if let Some(service) = slow.service_ms {
        lines.push(format!("Service time {}", number::millis(service)));
    }
    lines.extend(slow.phases.named().map(|(name, ms)| format!("of it {name} {}", number::millis(ms))));
    let places = [("Request", &slow.variant), ("Address", &slow.address), ("Connection", &slow.connection)];
    let known = places.into_iter().filter(|(_, text)| !text.is_empty());
    lines.extend(known.map(|(name, text)| format!("{name} {text}")));
    lines.join("\n")
}
