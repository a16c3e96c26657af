//! A panel: its title and marks, its states, and what it shows.

use std::collections::BTreeSet;
use std::sync::Arc;

use eframe::egui::text::{LayoutJob, TextWrapping};
use eframe::egui::{
    Align, Align2, Color32, CornerRadius, FontId, Label, Layout, Rect, Response, RichText, Role, ScrollArea,
    Sense, Stroke, StrokeKind, Ui, UiBuilder, Vec2, WidgetInfo, pos2, vec2,
};

use super::series::{self, Clock, Prepared};
use super::{figures, over_time};
use crate::model::metrics::board::PanelPlace;
use crate::model::metrics::{Answer, Grid, Panel, PanelKind};
use crate::ui::icon::{self, Icon};
use crate::ui::plot::PlotsView;
use crate::ui::theme::{self, SPACE, Theme};
use crate::ui::{Cx, widgets};

/// Of the line with the title, in points.
const HEAD_HEIGHT: f32 = 26.0;
/// Of the line about what is not whole, in points.
const NOTE_HEIGHT: f32 = 20.0;
/// Why a quantile out of buckets is not one of ours.
pub(super) const INTERPOLATED: &str = "Interpolated from buckets: the source counts in buckets and keeps no single value, so this \
    is no more exact than its buckets are wide. It is not to be compared with Meshbench’s own quantiles, which are measured.";

/// An answer for each query.
type Answers = Arc<Vec<Result<Answer, String>>>;

/// What there is to show.
pub(super) enum Content<'a> {
    /// No answer yet.
    Asking,
    /// An answer for each query.
    Live(&'a Answers),
    /// Of a run that has ended.
    Kept(&'a [Result<Answer, String>]),
    /// Nothing was kept.
    Nothing,
}

/// A panel and what it is drawn from.
pub(super) struct Shown<'a> {
    pub(super) panel: &'a Panel,
    pub(super) place: PanelPlace,
    pub(super) content: Content<'a>,
    pub(super) grid: Option<Grid>,
    pub(super) clock: Clock,
    /// All of the horizontal axis.
    pub(super) x_full: (f64, f64),
    /// Whether it can be changed.
    pub(super) is_own: bool,
    /// Another for each board of a page.
    pub(super) salt: usize,
}

/// What a person has made of a panel.
#[derive(Debug, Default)]
pub(super) struct PanelView {
    /// Lines that are not drawn.
    pub(super) hidden: BTreeSet<String>,
    /// The column by which a table is sorted, and whether the largest is last.
    pub(super) sorted: Option<(usize, bool)>,
    /// Of which answers, where they may change.
    prepared: Option<(Option<Answers>, Prepared)>,
}

/// What a person wants of a panel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Wish {
    Edit(PanelPlace),
    /// All of the time, as before a part of it was asked for.
    Back,
}

impl Shown<'_> {
    /// Another for each plot of a page.
    pub(super) fn id(&self) -> String {
        format!("metrics {} {} {}", self.salt, self.place.row, self.place.panel)
    }

    pub(super) fn write(&self, value: f64) -> String {
        self.panel.unit.write(value, self.panel.decimals)
    }
}

/// Draws a panel into all the room there is.
pub(super) fn ui(
    cx: &Cx<'_>,
    ui: &mut Ui,
    it: &Shown<'_>,
    view: &mut PanelView,
    plots: &mut PlotsView,
) -> Option<Wish> {
    ui.spacing_mut().item_spacing = vec2(SPACE[1], 0.0);
    let mut wish = head(cx, ui, it);
    match &it.panel.kind {
        PanelKind::Text(words) => return text(ui, words),
        PanelKind::Unsupported(name) => return unsupported(cx, ui, it, name),
        _ => {}
    }
    let answers = match &it.content {
        Content::Asking => {
            let room = ui.available_rect_before_wrap();
            let place = Rect::from_center_size(room.center(), vec2(96.0, 28.0));
            widgets::waiting(&mut ui.new_child(UiBuilder::new().max_rect(place)), cx, "Asking…");
            return wish;
        }
        Content::Nothing => {
            empty(cx, ui, it, "Nothing was kept");
            return wish;
        }
        Content::Live(answers) => answers.as_slice(),
        Content::Kept(answers) => answers,
    };
    let now = if let Content::Live(answers) = &it.content { Some(Arc::clone(answers)) } else { None };
    let is_same = |before: &Option<Arc<_>>| match (before, &now) {
        (Some(before), Some(now)) => Arc::ptr_eq(before, now),
        (None, None) => true,
        _ => false,
    };
    let kept = view.prepared.take().filter(|(before, _)| is_same(before)).map(|(_, prepared)| prepared);
    let prepared = kept.unwrap_or_else(|| series::prepare(it.panel, answers, it.grid, it.clock));
    if prepared.lines.iter().all(|line| line.points.is_empty()) {
        nothing(cx, ui, it, &prepared);
    } else {
        if !prepared.troubles.is_empty() {
            let words = format!("A part is missing. {}", prepared.troubles.join(" "));
            note(ui, cx.theme, Icon::Warning, cx.theme.warning, &words);
        }
        wish = wish.or(kind(cx, ui, it, &prepared, view, plots));
    }
    view.prepared = Some((now, prepared));
    wish
}

fn kind(
    cx: &Cx<'_>,
    ui: &mut Ui,
    it: &Shown<'_>,
    prepared: &Prepared,
    view: &mut PanelView,
    plots: &mut PlotsView,
) -> Option<Wish> {
    match it.panel.kind {
        PanelKind::TimeSeries => return over_time::lines(cx, ui, it, prepared, view, plots),
        PanelKind::Heatmap => return over_time::heat(cx, ui, it, prepared, plots),
        PanelKind::Stat => figures::stats(cx, ui, it, prepared),
        PanelKind::Gauge => figures::gauges(cx, ui, it, prepared),
        PanelKind::BarGauge => figures::bars(cx, ui, it, prepared),
        PanelKind::Table => figures::table(cx, ui, it, prepared, view),
        PanelKind::Text(_) | PanelKind::Unsupported(_) => {}
    }
    None
}

/// A hairline, the title, and marks.
fn head(cx: &Cx<'_>, ui: &mut Ui, it: &Shown<'_>) -> Option<Wish> {
    let theme = cx.theme;
    let mut wish = None;
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), HEAD_HEIGHT), Sense::hover());
    ui.painter().hline(rect.x_range(), rect.top(), Stroke::new(1.0, theme.border));
    let inside = Rect::from_min_max(rect.min + vec2(0.0, 2.0), rect.max);
    let mut line =
        ui.new_child(UiBuilder::new().max_rect(inside).layout(Layout::right_to_left(Align::Center)));
    line.spacing_mut().item_spacing.x = SPACE[0];
    if it.is_own && small_button(&mut line, Icon::More, &format!("Edit panel {}", it.panel.title)).clicked() {
        wish = Some(Wish::Edit(it.place));
    }
    if !it.panel.notes.is_empty() {
        let notes = it.panel.notes.join("\n");
        sign(&mut line, theme, "imported with notes", &format!("Imported with notes:\n{notes}"));
    }
    if it.panel.is_interpolated() {
        sign(&mut line, theme, "≈ interpolated", INTERPOLATED);
    }
    line.with_layout(Layout::left_to_right(Align::Center), |line| {
        let words = if it.panel.title.is_empty() { "Untitled panel" } else { &it.panel.title };
        let title = RichText::new(words).text_style(theme::section_style());
        let title = line.add(Label::new(title).truncate());
        line.ctx().accesskit_node_builder(title.id, |node| node.set_role(Role::Heading));
        if !it.panel.description.is_empty() {
            title.on_hover_text(&it.panel.description);
        }
    });
    wish
}

/// A few words in a frame, with what they mean on hover.
fn sign(ui: &mut Ui, theme: &Theme, words: &str, meaning: &str) {
    let font = FontId::proportional(11.0);
    let galley = ui.painter().layout_no_wrap(words.to_owned(), font, theme.text_muted);
    let (rect, response) = ui.allocate_exact_size(galley.size() + vec2(10.0, 3.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{words}. {meaning}")));
    let stroke = Stroke::new(1.0, theme.control);
    ui.painter().rect_stroke(rect, CornerRadius::same(7), stroke, StrokeKind::Inside);
    ui.painter().galley(rect.center() - galley.size() / 2.0, galley, theme.text_muted);
    response.on_hover_text(meaning);
}

fn small_button(ui: &mut Ui, sign: Icon, name: &str) -> Response {
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(22.0), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), name));
    icon::ground(ui, rect, &response);
    sign.paint(
        ui.painter(),
        Rect::from_center_size(rect.center(), Vec2::splat(15.0)),
        ui.visuals().text_color(),
    );
    response.on_hover_text(name)
}

/// One line with a sign, cut where there is no more room; all of it on hover.
pub(super) fn note(ui: &mut Ui, theme: &Theme, sign: Icon, color: Color32, words: &str) {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), NOTE_HEIGHT), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, words));
    let square = Rect::from_center_size(pos2(rect.left() + 8.0, rect.center().y), Vec2::splat(14.0));
    sign.paint(ui.painter(), square, color);
    let at = pos2(rect.left() + 20.0, rect.center().y);
    cut(ui, at, rect.width() - 20.0, words, theme.text_muted, theme::SIZE_SMALL);
    response.on_hover_text(words);
}

/// A line of text that begins at the middle of its left edge; how wide it became.
pub(super) fn cut(ui: &Ui, at: eframe::egui::Pos2, room: f32, words: &str, color: Color32, size: f32) -> f32 {
    let words = words.replace('\n', " ");
    let mut job = LayoutJob::simple_singleline(words, FontId::proportional(size), color);
    job.wrap = TextWrapping::truncate_at_width(room.max(0.0));
    let galley = ui.painter().layout_job(job);
    let width = galley.size().x;
    ui.painter().galley(at - vec2(0.0, galley.size().y / 2.0), galley, color);
    width
}

/// Draws in the middle of the room there is.
fn centred(ui: &mut Ui, add: impl FnOnce(&mut Ui)) {
    let room = ui.available_rect_before_wrap();
    let inside = Rect::from_center_size(room.center(), vec2((room.width() - 24.0).max(40.0), room.height()));
    let mut child = ui.new_child(UiBuilder::new().max_rect(inside).layout(Layout::top_down(Align::Center)));
    child.add_space((room.height() * 0.5 - 28.0).max(SPACE[0]));
    add(&mut child);
}

fn nothing(cx: &Cx<'_>, ui: &mut Ui, it: &Shown<'_>, prepared: &Prepared) {
    if prepared.troubles.is_empty() {
        let remark =
            prepared.remarks.first().map_or("the source has no such series in this time", String::as_str);
        return empty(cx, ui, it, remark);
    }
    let words = prepared.troubles.join("\n");
    centred(ui, |ui| {
        ui.spacing_mut().item_spacing.y = SPACE[0];
        let title = RichText::new("Not answered").color(cx.theme.error).family(theme::semibold());
        ui.label(title);
        let most = (ui.available_height() - 24.0).max(20.0);
        ScrollArea::vertical()
            .id_salt(("trouble", it.place))
            .max_height(most)
            .auto_shrink([false, true])
            .show(ui, |ui| {
                ui.add(Label::new(RichText::new(&words).small()).wrap().halign(Align::Center));
            });
        if ui.small_button("Copy").on_hover_text("Copies what the source said").clicked() {
            ui.ctx().copy_text(words.clone());
        }
    });
}

fn empty(cx: &Cx<'_>, ui: &mut Ui, it: &Shown<'_>, words: &str) {
    centred(ui, |ui| {
        ui.spacing_mut().item_spacing.y = SPACE[0];
        let muted = cx.theme.text_muted;
        ui.add(
            Label::new(RichText::new(format!("No data: {words}")).color(muted)).wrap().halign(Align::Center),
        );
        if !it.panel.hint.is_empty() {
            let hint = RichText::new(&it.panel.hint).small().color(muted);
            ui.add(Label::new(hint).wrap().halign(Align::Center));
        }
    });
}

/// Words as they were written; a line that begins with `#` is a title.
fn text(ui: &mut Ui, words: &str) -> Option<Wish> {
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        ui.spacing_mut().item_spacing.y = SPACE[0];
        for line in words.lines() {
            match line.strip_prefix('#') {
                Some(title) => {
                    widgets::section(ui, title.trim_start_matches('#').trim());
                }
                None => {
                    ui.add(Label::new(line).wrap());
                }
            }
        }
    });
    None
}

fn unsupported(cx: &Cx<'_>, ui: &mut Ui, it: &Shown<'_>, name: &str) -> Option<Wish> {
    centred(ui, |ui| {
        ui.spacing_mut().item_spacing.y = SPACE[0];
        ui.label(RichText::new(format!("Meshbench cannot draw “{name}”")).color(cx.theme.text_muted));
        let words = "Its queries are kept, and go with the board when it is exported.";
        let words = RichText::new(words).small().color(cx.theme.text_muted);
        if !it.panel.queries.is_empty() {
            ui.add(Label::new(words).wrap().halign(Align::Center));
        }
    });
    None
}

/// The colour of a line: those of runs, and ones nearer to the text’s when these are used up.
pub(super) fn color(theme: &Theme, at: usize) -> Color32 {
    let colors = &theme.series;
    let round = (at / colors.len()).min(3) as f32;
    colors[at % colors.len()].lerp_to_gamma(theme.text, 0.15 * round)
}

/// Words in the middle of a place.
pub(super) fn word(
    ui: &Ui,
    at: eframe::egui::Pos2,
    align: Align2,
    words: &str,
    size: f32,
    color: Color32,
) -> Rect {
    ui.painter().text(at, align, words, FontId::proportional(size), color)
}
