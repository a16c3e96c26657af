//! A board: rows of panels in a grid of 24 columns, fewer where there is little room.

use std::collections::BTreeMap;
use std::ops::Range as Places;

use eframe::egui::{
    CornerRadius, Rect, Role, ScrollArea, Sense, Shape, Stroke, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};

use super::panel::{self, Content, PanelView, Shown};
use crate::app::metrics::{MetricsCommand, Range, STALE_AFTER_REFRESHES, Shown as OnShow};
use crate::model::metrics::board::{COLUMNS, PanelPlace};
use crate::model::metrics::{Board, BoardId, Grid, Panel, PanelKind};
use crate::model::number;
use crate::ui::icon;
use crate::ui::plot::{PlotsView, axis};
use crate::ui::theme::{self, SIZE_BODY, SIZE_SMALL, SPACE};
use crate::ui::{Cx, widgets};

use super::series::Clock;

/// One unit of a panel's height, in points.
const UNIT: f32 = 32.0;
/// The lowest and highest panel, in units.
const HEIGHTS: (u16, u16) = (3, 24);
/// Between panels, in points.
const GAP: f32 = SPACE[4];
/// How far the label at the end of an axis reaches past it, in points.
const LABEL_REACH: f32 = 20.0;
/// Of the heading of a row, in points.
const ROW_HEAD: f32 = 30.0;
/// From this width on all columns are used, in points.
const WIDE: f32 = 900.0;
/// From this width on panels stand beside one another, in points.
const NARROW: f32 = 560.0;
/// Room at the right for the bar of a board that is longer than the window, in points.
const GUTTER: f32 = 20.0;

/// What a person has made of the board on show.
#[derive(Debug, Default)]
pub(super) struct BoardView {
    board: Option<BoardId>,
    panels: BTreeMap<PanelPlace, PanelView>,
    plots: PlotsView,
    /// Rows that were folded or unfolded by hand.
    folded: BTreeMap<usize, bool>,
    /// The last answer that was seen.
    answered: Option<Answered>,
    /// The part of the axis that was asked for.
    asked_x: Option<(f64, f64)>,
}

/// An answer for the whole board.
#[derive(Clone, Copy, Debug)]
struct Answered {
    grid: Grid,
    /// How many there were with it. The next one may be for the same moments.
    count: u64,
    /// When it was seen, in seconds of the window.
    seen_s: f64,
}

/// What a person wants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Wish {
    Edit(PanelPlace),
    Look(Range),
    Back,
}

impl From<panel::Wish> for Wish {
    fn from(wish: panel::Wish) -> Self {
        match wish {
            panel::Wish::Edit(place) => Self::Edit(place),
            panel::Wish::Back => Self::Back,
        }
    }
}

impl BoardView {
    pub(super) fn ui(&mut self, cx: &mut Cx<'_>, ui: &mut Ui, shown: &OnShow, is_own: bool) -> Option<Wish> {
        self.follow(ui, shown);
        self.about_age(cx, ui, shown);
        imported(cx, ui, &shown.board);
        if shown.board.rows.iter().all(|row| row.panels.is_empty()) {
            let words = if is_own {
                "Its panels appear here. Add them with “Edit board…” in the menu above."
            } else {
                "This source feeds none of its panels."
            };
            widgets::empty_state(ui, cx.theme, "This board is empty", words, None);
            return None;
        }
        self.plots.begin(ui);
        self.plots.is_level = true;
        let before = self.plots.x;
        let mut wish = None;
        ScrollArea::vertical().id_salt("board").auto_shrink(false).show(ui, |ui| {
            ui.set_max_width(ui.available_width() - GUTTER);
            let x_full = x_full(cx.state.metrics.view.range, shown);
            wish = self.rows(cx, ui, shown, is_own, x_full);
        });
        let wish = wish.map(Wish::from);
        wish.or_else(|| self.zoomed(ui, before))
    }

    /// Everything starts anew with another board, and zoom with another answer.
    fn follow(&mut self, ui: &Ui, shown: &OnShow) {
        if self.board.as_ref() != Some(&shown.board.id) {
            *self = Self { board: Some(shown.board.id.clone()), ..Self::default() };
        }
        let (seen_s, count) = (ui.input(|input| input.time), shown.answered);
        if let Some(grid) = shown.grid
            && self.answered.is_none_or(|before| (before.grid, before.count) != (grid, count))
        {
            self.answered = Some(Answered { grid, count, seen_s });
            // A part that was chosen since then is still to be asked for.
            if self.asked_x.take().is_some_and(|asked| self.plots.x == Some(asked)) {
                self.plots.reset();
            }
        }
    }

    /// A part of the time was chosen in one plot: it is asked for all of them, once it rests.
    fn zoomed(&mut self, ui: &Ui, before: Option<(f64, f64)>) -> Option<Wish> {
        let x = self.plots.x.filter(|x| Some(*x) != self.asked_x)?;
        if Some(x) != before {
            // A wheel or a pan may move it in the next frame as well.
            ui.ctx().request_repaint();
            return None;
        }
        // Whoever lets go of a button causes another frame.
        if ui.input(|input| input.pointer.any_down()) {
            return None;
        }
        self.asked_x = Some(x);
        let (from, to) = ((x.0 * 1e3).round() as i64, (x.1 * 1e3).round() as i64);
        (to > from).then_some(Wish::Look(Range::Between(from, to)))
    }

    /// Says how old the answer is when it is older than it should be, and why where that is known.
    fn about_age(&self, cx: &mut Cx<'_>, ui: &mut Ui, shown: &OnShow) {
        let Some(Answered { grid, seen_s, .. }) = self.answered else { return };
        let metrics = &cx.state.metrics;
        let at = axis::moment(grid.to_ms as f64 / 1e3);
        let refresh_s = metrics.view.refresh_s.filter(|_| matches!(metrics.view.range, Range::Last(_)));
        let limit_s = refresh_s.map(|every| (every * STALE_AFTER_REFRESHES) as f64);
        let age_s = ui.input(|input| input.time) - seen_s;
        let has_trouble = metrics.stands.get(&shown.source).is_some_and(|stands| stands.trouble.is_some());
        let words = match limit_s {
            _ if has_trouble => format!("The source does not answer: what is shown is from {at}"),
            Some(limit) if age_s > limit => {
                format!("No answer for {}: what is shown is from {at}", super::length_words(age_s as u64))
            }
            Some(limit) => {
                ui.ctx().request_repaint_after_secs((limit - age_s + 0.1).clamp(0.1, 600.0) as f32);
                return;
            }
            None => return,
        };
        ui.horizontal(|ui| {
            icon::Icon::Warning.show(ui, 16.0, cx.theme.warning);
            ui.label(words);
            if ui.button("Ask now").clicked() {
                cx.metrics(MetricsCommand::Refresh);
            }
        });
        ui.add_space(SPACE[0]);
    }

    fn rows(
        &mut self,
        cx: &Cx<'_>,
        ui: &mut Ui,
        shown: &OnShow,
        is_own: bool,
        x_full: (f64, f64),
    ) -> Option<panel::Wish> {
        let mut wish = None;
        for (number, row) in shown.board.rows.iter().enumerate() {
            if !row.title.is_empty() {
                let is_folded = self.folded.get(&number).copied().unwrap_or(row.is_folded);
                if heading(cx, ui, &row.title, is_folded.then_some(row.panels.len())) {
                    self.folded.insert(number, !is_folded);
                }
                if is_folded {
                    continue;
                }
            }
            let mut draw = |ui: &mut Ui, at: usize, panel: &Panel| {
                let place = PanelPlace { row: number, panel: at };
                let state = shown.panels.get(&place);
                let content = match state.and_then(|state| state.answers.as_ref()) {
                    Some(answers) => Content::Live(answers),
                    None => Content::Asking,
                };
                let grid = state.and_then(|state| state.grid).or(shown.grid);
                let it =
                    Shown { panel, place, content, grid, clock: Clock::Moments, x_full, is_own, salt: 0 };
                let view = self.panels.entry(place).or_default();
                wish = wish.or(panel::ui(cx, ui, &it, view, &mut self.plots));
            };
            flow(ui, &row.panels, &mut draw);
            ui.add_space(SPACE[2]);
        }
        wish
    }
}

/// All of the horizontal axis: the time that was asked for.
fn x_full(range: Range, shown: &OnShow) -> (f64, f64) {
    // Panels are answered one by one, and the whole board after them.
    let grid = shown.grid.or_else(|| shown.panels.values().find_map(|panel| panel.grid));
    let (from, to) = match (range, grid) {
        (Range::Between(from, to), None) => (from, to),
        (_, Some(grid)) => (grid.from_ms, grid.to_ms.max(grid.from_ms + 1)),
        // Nothing is drawn before the first answer.
        (Range::Last(seconds), None) => (0, seconds as i64 * 1000),
    };
    (from as f64 / 1e3, to as f64 / 1e3)
}

/// What an import could not take over.
fn imported(cx: &Cx<'_>, ui: &mut Ui, board: &Board) {
    let panels: usize = board.panels().filter(|(_, panel)| !panel.notes.is_empty()).count();
    if board.notes.is_empty() && panels == 0 {
        return;
    }
    let count = board.notes.len();
    let of_panels = match panels {
        0 => String::new(),
        1 => " 1 panel has a note of its own.".to_owned(),
        panels => format!(" {panels} panels have notes of their own."),
    };
    let words = match board.notes.as_slice() {
        [] => format!("Imported.{of_panels}"),
        [one] => format!("Imported. {one}{}{of_panels}", if one.ends_with('.') { "" } else { "." }),
        [one, ..] => format!("Imported with {count} notes: {one} …{of_panels}"),
    };
    let response = ui
        .horizontal(|ui| {
            icon::Icon::About.show(ui, 16.0, cx.theme.text_muted);
            let text = eframe::egui::RichText::new(words).small().color(cx.theme.text_muted);
            ui.add(eframe::egui::Label::new(text).truncate())
        })
        .inner;
    if !board.notes.is_empty() {
        response.on_hover_text(board.notes.join("\n"));
    }
    ui.add_space(SPACE[0]);
}

/// The heading of a row; whether it was clicked. `hidden` are the panels of a folded one.
fn heading(cx: &Cx<'_>, ui: &mut Ui, title: &str, hidden: Option<usize>) -> bool {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW_HEAD), Sense::click());
    let state = if hidden.is_some() { "folded" } else { "unfolded" };
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("Row {title}, {state}")));
    if response.hovered() {
        let ground = cx.theme.tint(cx.theme.text, 0.05);
        ui.painter().rect_filled(rect, CornerRadius::same(theme::CORNER), ground);
    }
    icon::focus_ring(ui, rect, &response);
    let at = pos2(rect.left() + 8.0, rect.center().y);
    let corners = match hidden {
        Some(_) => [vec2(-2.5, -4.5), vec2(3.5, 0.0), vec2(-2.5, 4.5)],
        None => [vec2(-4.5, -2.5), vec2(4.5, -2.5), vec2(0.0, 3.5)],
    };
    let corners = corners.into_iter().map(|corner| at + corner).collect();
    ui.painter().add(Shape::convex_polygon(corners, cx.theme.text_muted, Stroke::NONE));
    let font = eframe::egui::FontId::new(SIZE_BODY + 1.0, theme::semibold());
    let start = pos2(rect.left() + 22.0, rect.center().y);
    let drawn = ui.painter().text(start, eframe::egui::Align2::LEFT_CENTER, title, font, cx.theme.text);
    if let Some(count) = hidden {
        let noun = if count == 1 { "panel" } else { "panels" };
        let words = format!("{} {noun}", number::count(count as u64));
        let after = drawn.right_center() + vec2(SPACE[1], 0.0);
        panel::cut(ui, after, rect.right() - after.x, &words, cx.theme.text_muted, SIZE_SMALL);
    }
    response.clicked()
}

/// Draws panels in lines as wide as the page; those out of sight only take their room.
pub(super) fn flow(ui: &mut Ui, panels: &[Panel], draw: &mut impl FnMut(&mut Ui, usize, &Panel)) {
    let width = ui.available_width();
    let column = (width + GAP) / f32::from(COLUMNS);
    for line in lines(panels, width) {
        let height = line.clone().map(|at| height(&panels[at])).fold(0.0, f32::max);
        let (rect, _) = ui.allocate_exact_size(vec2(width, height), Sense::hover());
        let mut left = rect.left();
        for at in line {
            let wide = f32::from(columns(&panels[at], width)) * column;
            let place = Rect::from_min_size(pos2(left, rect.top()), vec2(wide - GAP, height));
            left += wide;
            if !ui.is_rect_visible(place) {
                continue;
            }
            let mut child = ui.new_child(UiBuilder::new().id_salt(("panel", at)).max_rect(place));
            // The last label of an axis reaches into the gap.
            let clip = place.expand2(vec2(LABEL_REACH, 2.0)).intersect(ui.clip_rect());
            child.set_clip_rect(clip);
            draw(&mut child, at, &panels[at]);
        }
        ui.add_space(SPACE[1]);
    }
}

/// Which panels stand in each line.
fn lines(panels: &[Panel], width: f32) -> Vec<Places<usize>> {
    let mut lines = Vec::new();
    let (mut start, mut used) = (0, 0);
    for (at, panel) in panels.iter().enumerate() {
        let wide = columns(panel, width);
        if used + wide > COLUMNS && at > start {
            lines.push(start..at);
            (start, used) = (at, 0);
        }
        used += wide;
    }
    if start < panels.len() {
        lines.push(start..panels.len());
    }
    lines
}

/// How many columns a panel takes in a page of this width: wide panels get the whole line first.
fn columns(panel: &Panel, width: f32) -> u16 {
    let own = panel.width.clamp(1, COLUMNS);
    let is_small = matches!(panel.kind, PanelKind::Stat | PanelKind::Gauge | PanelKind::Text(_)) && own <= 6;
    match (width >= WIDE, width >= NARROW) {
        (true, _) => own,
        (false, true) if own > 12 => COLUMNS,
        (false, true) if is_small => (own * 2).clamp(6, 12),
        (false, true) => 12,
        (false, false) if is_small => 12,
        (false, false) => COLUMNS,
    }
}

fn height(panel: &Panel) -> f32 {
    f32::from(panel.height.clamp(HEIGHTS.0, HEIGHTS.1)) * UNIT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::metrics::Unit;

    fn panels(widths: &[u16]) -> Vec<Panel> {
        let panel =
            |width: &u16| Panel { width: *width, ..Panel::new("a", PanelKind::TimeSeries, Unit::None) };
        widths.iter().map(panel).collect()
    }

    #[test]
    fn panels_stand_in_lines_of_twenty_four_columns() {
        let panels = panels(&[8, 8, 8, 12, 24, 0]);
        assert_eq!(lines(&panels, 1200.0), [0..3, 3..4, 4..5, 5..6]);
        assert_eq!(lines(&panels, 700.0), [0..2, 2..4, 4..5, 5..6]);
        assert_eq!(lines(&panels, 400.0).len(), 6);
        assert!(lines(&[], 400.0).is_empty());
    }
}
