//! The first page: what Meshbench is for, three ways on, and the last runs.

use eframe::egui::{
    Align, Button, Label, Layout, Rect, RichText, Role, ScrollArea, Sense, TextStyle, Ui, Vec2, WidgetInfo,
    pos2, vec2,
};

use crate::app::state::StoreState;
use crate::app::{Command, Page};
use crate::model::{RunSummary, number};

use super::theme::{self, CONTROL_HEIGHT, SPACE};
use super::{Cx, icon, widgets};

const WIDTH_MAX: f32 = 860.0;
const BUTTON_WIDTH: f32 = 136.0;
const MARK_SIDE: f32 = 56.0;
/// How many of the last runs are listed.
const RUNS_MAX: usize = 6;
const ROW_HEIGHT: f32 = 32.0;

pub(super) fn ui(ui: &mut Ui, cx: &mut Cx<'_>) {
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        let width = ui.available_width().min(WIDTH_MAX);
        let side = (ui.available_width() - width) / 2.0;
        let above = (ui.available_height() * 0.10).clamp(SPACE[1], 96.0);
        ui.add_space(above);
        ui.horizontal_top(|ui| {
            ui.add_space(side);
            ui.vertical(|ui| {
                ui.set_width(width);
                headline(ui, cx);
                ui.add_space(SPACE[4]);
                ways_on(ui, cx);
                ui.add_space(SPACE[4]);
                store(ui, cx);
            });
        });
    });
}

fn headline(ui: &mut Ui, cx: &Cx<'_>) {
    ui.horizontal(|ui| {
        let (rect, _) = ui.allocate_exact_size(Vec2::splat(MARK_SIDE), Sense::hover());
        icon::mark(ui.painter(), rect, &cx.theme.quantiles, cx.theme.background);
        ui.add_space(SPACE[1]);
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = SPACE[0];
            ui.label(
                RichText::new("Send load. See what your users wait for.").text_style(theme::number_style()),
            );
            let words =
                "Meshbench points at a service, sends load, draws its latency live, and keeps every result.";
            ui.add(Label::new(RichText::new(words).color(cx.theme.text_muted)).wrap());
        });
    });
}

fn ways_on(ui: &mut Ui, cx: &mut Cx<'_>) {
    ui.spacing_mut().item_spacing.y = SPACE[2];
    let words = "Ten seconds of load on a small service inside Meshbench. Nothing leaves this machine.";
    let ready = if cx.state.is_running() { Err("A run is going") } else { Ok(()) };
    let clicked =
        way(ui, cx, words, |ui, cx| widgets::primary_wide(ui, cx.theme, "Try it", BUTTON_WIDTH, ready));
    if clicked {
        cx.push(Command::TryIt);
    }
    let words = "Choose an address, how much load and for how long.";
    if way(ui, cx, words, |ui, _| plain(ui, "Test a URL")) {
        cx.push(Command::Go(Page::Load));
    }
    let words = "Every run so far: look again, compare, export.";
    if way(ui, cx, words, |ui, _| plain(ui, "Open results")) {
        cx.push(Command::Go(Page::History));
    }
}

/// A button and beside it what it leads to.
fn way(ui: &mut Ui, cx: &Cx<'_>, words: &str, button: impl FnOnce(&mut Ui, &Cx<'_>) -> bool) -> bool {
    ui.horizontal(|ui| {
        let clicked = button(ui, cx);
        ui.add_space(SPACE[1]);
        ui.add(Label::new(RichText::new(words).color(cx.theme.text_muted)).wrap());
        clicked
    })
    .inner
}

fn plain(ui: &mut Ui, words: &str) -> bool {
    ui.add(Button::new(words).min_size(vec2(BUTTON_WIDTH, CONTROL_HEIGHT + 4.0))).clicked()
}

fn store(ui: &mut Ui, cx: &mut Cx<'_>) {
    match &cx.state.store {
        StoreState::Opening => widgets::waiting(ui, cx, "Opening your results…"),
        StoreState::Failed { reason } => {
            let words =
                format!("{reason}\nNew runs are kept until Meshbench is closed; export what you need.");
            widgets::failure(ui, cx.theme, "Results cannot be read or kept", &words, None);
        }
        StoreState::Open => {}
    }
    if !cx.state.history.is_empty() {
        last_runs(ui, cx);
    }
}

fn last_runs(ui: &mut Ui, cx: &mut Cx<'_>) {
    ui.separator();
    ui.horizontal(|ui| {
        widgets::section(ui, "Last runs");
        if cx.state.history.len() > RUNS_MAX {
            let all = format!("{} in all", number::count(cx.state.history.len() as u64));
            widgets::caption(ui, cx.theme, &all);
        }
    });
    ui.spacing_mut().item_spacing.y = 0.0;
    columns(ui, cx);
    for run in cx.state.history.iter().take(RUNS_MAX) {
        if row(ui, cx, run) {
            cx.push(Command::OpenRun(run.id));
        }
    }
}

/// Right edges of the number columns, counted from the right edge of the row.
const RATE_AT: f32 = 0.0;
const FAILED_AT: f32 = 100.0;
const P99_AT: f32 = 190.0;
const STARTED_AT: f32 = 320.0;
/// Where the name ends, counted from the right edge.
const NAME_UNTIL: f32 = 476.0;

fn columns(ui: &mut Ui, cx: &Cx<'_>) {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 24.0), Sense::hover());
    let font = TextStyle::Small.resolve(ui.style());
    let left = rect.left_center() + vec2(SPACE[1], 0.0);
    ui.painter().text(left, eframe::egui::Align2::LEFT_CENTER, "run", font.clone(), cx.theme.text_muted);
    let names = [("started", STARTED_AT), ("p99 response", P99_AT), ("failed", FAILED_AT), ("rate", RATE_AT)];
    for (name, from_right) in names {
        right_text(
            ui,
            rect.shrink2(vec2(SPACE[1], 0.0)),
            from_right,
            name,
            font.clone(),
            cx.theme.text_muted,
        );
    }
}

fn row(ui: &mut Ui, cx: &Cx<'_>, run: &RunSummary) -> bool {
    let theme = cx.theme;
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW_HEIGHT), Sense::click());
    let name = format!("Open run {}", run.name);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &name));
    icon::ground(ui, rect, &response);
    let inner = rect.shrink2(vec2(SPACE[1], 0.0));
    let mut left = Rect::from_min_max(inner.min, pos2(inner.right() - NAME_UNTIL, inner.max.y));
    left.max.x = left.max.x.max(left.min.x + 80.0);
    let mut text = ui.new_child(
        eframe::egui::UiBuilder::new().max_rect(left).layout(Layout::left_to_right(Align::Center)),
    );
    let quiet = |words: &str| Label::new(RichText::new(words).color(theme.text_muted)).truncate();
    text.add(Label::new(&run.name).truncate().selectable(false).sense(Sense::empty()));
    if run.name != run.url {
        text.add(quiet(&run.url).selectable(false).sense(Sense::empty()));
    }

    let font = TextStyle::Body.resolve(ui.style());
    let known = run.response_ms.count > 0;
    let p99 = if known { number::millis(run.response_ms.p99) } else { number::UNKNOWN.to_owned() };
    let (failed, failed_color) = failed(run, cx);
    right_text(ui, inner, STARTED_AT, &widgets::when(run.started), font.clone(), theme.text_muted);
    right_text(ui, inner, P99_AT, &p99, font.clone(), theme.text);
    right_text(ui, inner, FAILED_AT, &failed, font.clone(), failed_color);
    right_text(ui, inner, RATE_AT, &number::rate(run.rate.achieved), font, theme.text);
    response.clicked()
}

fn failed(run: &RunSummary, cx: &Cx<'_>) -> (String, eframe::egui::Color32) {
    let color = if run.requests.failed > 0 { cx.theme.error } else { cx.theme.text_muted };
    (number::count(run.requests.failed), color)
}

fn right_text(
    ui: &Ui,
    row: Rect,
    from_right: f32,
    words: &str,
    font: eframe::egui::FontId,
    color: eframe::egui::Color32,
) {
    let at = pos2(row.right() - from_right, row.center().y);
    ui.painter().text(at, eframe::egui::Align2::RIGHT_CENTER, words, font, color);
}
