//! The table of runs. Only the rows in sight are drawn.

use eframe::egui::{
    Align, Button, Color32, EventFilter, Id, Label, Layout, Rect, Response, RichText, Role, ScrollArea,
    Sense, Stroke, StrokeKind, TextStyle, Ui, WidgetInfo, pos2, vec2,
};
use egui_extras::{Column as Width, TableBuilder, TableRow};
use jiff::Timestamp;

use crate::app::Command;
use crate::model::{Ended, RunSummary, number};
use crate::ui::icon::Icon;
use crate::ui::{Cx, Theme};

use super::list::{Column, error_share, goals_missed_text, is_void, label_text, label_values};
use super::{HistoryPage, when};

/// Height of a row, in points.
const ROW: f32 = 28.0;
/// Below this width the table scrolls sideways, in points.
const WIDTH_MIN: f32 = 1150.0;
/// Width of the column with the boxes, in points.
const BOX: f32 = 24.0;
/// Why a latency is a dash.
const NOT_MEASURED: &str = "No request got an outcome, so nothing was measured";

/// The table as one stop of the Tab key; arrows move within.
pub(super) fn table_id() -> Id {
    Id::unique("history table")
}

/// What a person did to a row.
enum Did {
    Pointed,
    Chose,
    Opened,
}

impl HistoryPage {
    /// Headings and rows.
    pub(super) fn table(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        let area = ui.available_rect_before_wrap();
        let focus = ui.interact(area, table_id(), Sense::FOCUSABLE);
        let arrows = EventFilter { vertical_arrows: true, ..EventFilter::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(table_id(), arrows));
        ui.ctx().accesskit_node_builder(focus.id, |node| {
            node.set_role(Role::Table);
            node.set_label("Runs");
            node.set_row_count(self.view.rows().len());
        });
        if focus.has_focus() {
            let stroke = Stroke::new(1.0, cx.theme.accent);
            ui.painter().rect_stroke(area.expand(2.0), 2.0, stroke, StrokeKind::Outside);
        }
        ScrollArea::horizontal().auto_shrink(false).show(ui, |ui| {
            ui.set_min_width(WIDTH_MIN.max(area.width()));
            self.rows(cx, ui);
        });
    }

    fn rows(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        ui.spacing_mut().item_spacing = vec2(10.0, 0.0);
        let mut table = TableBuilder::new(ui)
            .id_salt("runs")
            .striped(false)
            .sense(Sense::CLICK)
            .cell_layout(Layout::left_to_right(Align::Center))
            .auto_shrink(false)
            .column(Width::exact(BOX));
        let columns = columns(cx);
        // Who measured a run takes its room from what is cut off anyway.
        let (name, target, labels) =
            if columns.contains(&Column::Author) { (90.0, 104.0, 96.0) } else { (110.0, 140.0, 132.0) };
        for column in &columns {
            table = table.column(match column {
                Column::When => Width::exact(132.0),
                Column::Name => Width::remainder().clip(true).at_least(name),
                Column::Target => Width::exact(target).clip(true),
                Column::Labels => Width::exact(labels).clip(true),
                Column::Author => Width::exact(84.0).clip(true),
                Column::Rate => Width::exact(112.0).clip(true),
                Column::Requests => Width::exact(72.0),
                Column::P50 | Column::P99 => Width::exact(64.0),
                Column::Errors => Width::exact(72.0),
                Column::State => Width::exact(120.0).clip(true),
            });
        }
        if let Some(row) = self.scroll_to.take() {
            table = table.scroll_to_row(row, None);
        }
        let mut did = None;
        let mut clicked = None;
        let drawn = table.header(ROW, |mut row| {
            row.col(|_| {});
            for column in &columns {
                row.col(|ui| {
                    if self.heading(cx.theme, ui, *column) {
                        clicked = Some(*column);
                    }
                });
            }
        });
        drawn.body(|body| {
            body.rows(ROW, self.view.rows().len(), |mut row| {
                let run = &cx.state.history[self.view.rows()[row.index()]];
                if let Some(what) = self.run_row(cx, &columns, &mut row, run) {
                    did = Some((what, run.id));
                }
            });
        });
        if let Some(column) = clicked {
            self.asked.order = self.asked.order.clicked(column);
        }
        match did {
            None => {}
            Some((Did::Pointed, id)) => self.cursor = Some(id),
            Some((Did::Chose, id)) => {
                self.cursor = Some(id);
                self.selection.toggle(id);
            }
            Some((Did::Opened, id)) => cx.push(Command::OpenRun(id)),
        }
    }

    /// A heading; returns whether it was clicked.
    fn heading(&self, theme: &Theme, ui: &mut Ui, column: Column) -> bool {
        let sorted = self.asked.order.column == column;
        let arrow = match (sorted, self.asked.order.descending) {
            (false, _) => "",
            (true, true) => " ↓",
            (true, false) => " ↑",
        };
        let color = if sorted { theme.text } else { theme.text_muted };
        let text = RichText::new(format!("{}{arrow}", column.words())).color(color);
        let text = text.text_style(TextStyle::Small);
        let align = if column.is_number() { Align::Max } else { Align::Min };
        let layout = Layout::top_down(align).with_cross_align(align);
        let inner = ui.with_layout(layout, |ui| {
            ui.spacing_mut().button_padding.x = 0.0;
            ui.add(Button::new(text).frame(false))
        });
        let words = match arrow {
            "" => format!("Sort by {}", column.words()),
            " ↓" => format!("Sort by {}, descending now", column.words()),
            _ => format!("Sort by {}, ascending now", column.words()),
        };
        crate::ui::form::name(ui, &inner.inner, &words);
        inner.inner.clicked()
    }

    fn run_row(
        &self,
        cx: &Cx<'_>,
        columns: &[Column],
        row: &mut TableRow<'_, '_>,
        run: &RunSummary,
    ) -> Option<Did> {
        let theme = cx.theme;
        let chosen = self.selection.contains(run.id);
        let pointed = self.cursor == Some(run.id);
        row.set_selected(chosen);
        row.set_hovered(pointed);
        let (_, boxed) = row.col(|ui| check_box(theme, ui, chosen, pointed));
        boxed.widget_info(|| WidgetInfo::selected(Role::Row, true, chosen, self.row_name(run)));
        for column in columns {
            let align = if column.is_number() { Align::Max } else { Align::Min };
            let layout = if column.is_number() {
                Layout::right_to_left(Align::Center)
            } else {
                Layout::left_to_right(Align::Center)
            };
            row.col(|ui| {
                ui.with_layout(layout.with_main_align(align), |ui| self.cell(cx, ui, *column, run));
            });
        }
        let whole = row.response();
        if whole.double_clicked() || whole.triple_clicked() {
            Some(Did::Opened)
        } else if boxed.clicked() || (whole.clicked() && whole.ctx.input(|input| input.modifiers.command)) {
            Some(Did::Chose)
        } else {
            whole.clicked().then_some(Did::Pointed)
        }
    }

    /// What a screen reader says for a row.
    fn row_name(&self, run: &RunSummary) -> String {
        let at = when::local(run.started, &self.zone);
        format!("{}, {at}, {}", run.name, state_text(run))
    }

    fn cell(&self, cx: &Cx<'_>, ui: &mut Ui, column: Column, run: &RunSummary) {
        let theme = cx.theme;
        match column {
            Column::When => {
                let response = plain(ui, when::local(run.started, &self.zone), theme.text_muted);
                response.on_hover_ui(|ui| {
                    ui.label(when::exact(run.started, Timestamp::now(), &self.zone));
                });
            }
            Column::Name => {
                let response = plain(ui, run.name.as_str(), theme.text);
                if !run.note.is_empty() {
                    response.on_hover_text(run.note.as_str());
                }
            }
            Column::Target => {
                let scheme = run.url.find("://").map_or(0, |at| at + 3);
                plain(ui, &run.url[scheme..], theme.text_muted).on_hover_text(run.url.as_str());
            }
            Column::Labels => {
                let response = plain(ui, label_values(run), theme.text_muted);
                if !run.labels.is_empty() {
                    response.on_hover_text(label_text(run));
                }
            }
            Column::Author => author(cx, ui, run),
            Column::Rate => rate(theme, ui, run),
            Column::Requests => {
                plain(ui, number::count(run.requests.due), theme.text);
            }
            Column::P50 => latency(theme, ui, run, run.response_ms.p50),
            Column::P99 => latency(theme, ui, run, run.response_ms.p99),
            Column::Errors => errors(theme, ui, run),
            Column::State => {
                state(theme, ui, run);
                shared(cx, ui, run);
            }
        }
    }
}

/// Who measured a run is told where there are runs of others.
fn columns(cx: &Cx<'_>) -> Vec<Column> {
    let has_others = !cx.state.sharing.authors.is_empty();
    Column::ALL.into_iter().filter(|column| has_others || *column != Column::Author).collect()
}

fn author(cx: &Cx<'_>, ui: &mut Ui, run: &RunSummary) {
    match cx.state.sharing.authors.get(&run.id) {
        Some(author) => plain(ui, author.name.as_str(), cx.theme.text).on_hover_text(author.subject.as_str()),
        None => plain(ui, "me", cx.theme.text_muted),
    };
}

/// A mark on what a server has proven to have.
fn shared(cx: &Cx<'_>, ui: &mut Ui, run: &RunSummary) {
    let servers: Vec<&str> = cx.state.sharing.with(run.id).map(|target| target.server.as_str()).collect();
    if !servers.is_empty() {
        let (rect, response) = ui.allocate_exact_size(vec2(14.0, 14.0), Sense::hover());
        Icon::Cloud.paint(ui.painter(), rect, cx.theme.text_muted);
        let words = format!("Synced: {} has proven to have it", servers.join(", "));
        crate::ui::form::name(ui, &response, &words);
        response.on_hover_text(words);
    }
}

fn plain(ui: &mut Ui, text: impl Into<String>, color: Color32) -> Response {
    ui.add(Label::new(RichText::new(text).color(color)).selectable(false).truncate())
}

fn rate(theme: &Theme, ui: &mut Ui, run: &RunSummary) {
    let achieved = number::rate(run.rate.achieved);
    let achieved = if run.rate.asked.is_some() { achieved.trim_end_matches("/s") } else { achieved.as_str() };
    let asked = match run.rate.asked {
        Some(asked) => format!("of {}", number::rate(asked)),
        None => "max".to_owned(),
    };
    // From the right.
    plain(ui, asked, theme.text_muted).on_hover_text(match run.rate.asked {
        Some(_) => "Answers per second, of the rate asked for",
        None => "Answers per second, as fast as they came",
    });
    ui.spacing_mut().item_spacing.x = 4.0;
    plain(ui, achieved, theme.text);
}

fn latency(theme: &Theme, ui: &mut Ui, run: &RunSummary, ms: f64) {
    if run.response_ms.count == 0 {
        plain(ui, number::UNKNOWN, theme.text_muted).on_hover_text(NOT_MEASURED);
    } else {
        // What must not be used is not put forward.
        let color = if is_void(run) { theme.text_muted } else { theme.text };
        plain(ui, number::millis(ms), color);
    }
}

fn errors(theme: &Theme, ui: &mut Ui, run: &RunSummary) {
    match error_share(run) {
        None => {
            plain(ui, number::UNKNOWN, theme.text_muted).on_hover_text("No request was due");
        }
        Some(share) => {
            let color = if share > 0.0 { theme.error } else { theme.text_muted };
            let text = plain(ui, number::percent(share), color);
            if share > 0.0 {
                let (failed, due) = (number::count(run.requests.failed), number::count(run.requests.due));
                text.on_hover_text(format!("{failed} of {due} requests failed"));
            }
        }
    }
}

/// How it ended and what is to be known about it, in words.
fn state_text(run: &RunSummary) -> String {
    let mut text = run.ended.words().to_owned();
    if is_void(run) {
        text.push_str(", void");
    }
    if let Some(missed) = goals_missed_text(run) {
        text.push_str(", ");
        text.push_str(&missed);
    }
    text
}

fn state(theme: &Theme, ui: &mut Ui, run: &RunSummary) {
    let missed = goals_missed_text(run);
    let (mark, color, words) = if is_void(run) {
        (Mark::Triangle, theme.error, "Void".to_owned())
    } else if run.ended == Ended::Interrupted {
        (Mark::Triangle, theme.warning, "Interrupted".to_owned())
    } else if let Some(missed) = missed {
        (Mark::Cross, theme.error, missed)
    } else if run.ended == Ended::Stopped {
        (Mark::Square, theme.text_muted, "Stopped".to_owned())
    } else {
        (Mark::Check, theme.good, "Completed".to_owned())
    };
    mark.paint(ui, color);
    let response = plain(ui, words, theme.text);
    let hover = if is_void(run) {
        format!("{}. Our own generator was so late that the numbers must not be used", state_text(run))
    } else {
        state_text(run)
    };
    response.on_hover_text(hover);
}

/// Shapes, so that a state is not told by its colour alone.
#[derive(Clone, Copy)]
enum Mark {
    Check,
    Cross,
    Square,
    Triangle,
}

impl Mark {
    fn paint(self, ui: &mut Ui, color: Color32) {
        let (rect, _) = ui.allocate_exact_size(vec2(12.0, 12.0), Sense::hover());
        let area = rect.shrink(2.0);
        let stroke = Stroke::new(1.6, color);
        let painter = ui.painter();
        match self {
            Self::Check => {
                painter.line(check_points(area), stroke);
            }
            Self::Cross => {
                painter.line_segment([area.left_top(), area.right_bottom()], stroke);
                painter.line_segment([area.right_top(), area.left_bottom()], stroke);
            }
            Self::Square => {
                painter.rect_filled(area, 1.0, color);
            }
            Self::Triangle => {
                let points = vec![area.center_top(), area.right_bottom(), area.left_bottom()];
                painter.add(eframe::egui::Shape::convex_polygon(points, color, Stroke::NONE));
            }
        }
    }
}

fn check_points(area: Rect) -> Vec<eframe::egui::Pos2> {
    let at = |x: f32, y: f32| pos2(area.left() + x * area.width(), area.top() + y * area.height());
    vec![at(0.0, 0.55), at(0.38, 0.9), at(1.0, 0.1)]
}

/// The box of a row: only painted, because the whole row is one thing to click and the Space key chooses it.
fn check_box(theme: &Theme, ui: &mut Ui, chosen: bool, pointed: bool) {
    let row = ui.max_rect();
    if pointed {
        let bar = Rect::from_min_size(row.left_top(), vec2(2.0, row.height()));
        ui.painter().rect_filled(bar, 0.0, theme.accent);
    }
    let area = Rect::from_center_size(pos2(row.left() + 13.0, row.center().y), vec2(14.0, 14.0));
    if chosen {
        ui.painter().rect_filled(area, 3.0, theme.accent);
        ui.painter().line(check_points(area.shrink(3.0)), Stroke::new(1.6, theme.on_accent));
    } else {
        ui.painter().rect_stroke(area, 3.0, Stroke::new(1.0, theme.text_muted), StrokeKind::Inside);
    }
}
