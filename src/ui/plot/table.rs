//! The table beneath a plot: what each series is, its numbers, and a click that hides it.

use eframe::egui::text::{LayoutJob, TextWrapping};
use eframe::egui::{
    Align2, Color32, FontId, Rect, Response, Role, Sense, Stroke, Ui, WidgetInfo, pos2, vec2,
};

use super::PlotsView;
use crate::ui::theme::{self, SPACE, Theme};

/// Height of a row, in points.
pub const ROW_HEIGHT: f32 = 18.0;
/// Where names begin, in points.
const NAME_LEFT: f32 = 24.0;
/// The least room for a number, in points.
const CELL_WIDTH_MIN: f32 = 66.0;
/// The most room for a number, in points.
const CELL_WIDTH_MAX: f32 = 96.0;

/// One series of a plot.
pub struct Row<'a> {
    /// Its name, as in the plot.
    pub name: &'a str,
    /// Its colour.
    pub color: Color32,
    /// How it is drawn.
    pub sign: Sign,
    /// Its numbers, one for each column.
    pub cells: Vec<String>,
}

/// How a series is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// A line.
    Line,
    /// A dashed line.
    Dashed,
    /// An area.
    Area,
}

/// How much room a table has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// For a number, in points.
    pub cell: f32,
    /// Size of its text, in points.
    pub text: f32,
}

impl Fit {
    /// As is good for a table of this width.
    #[must_use]
    pub fn within(width: f32) -> Self {
        Self { cell: (width * 0.17).clamp(CELL_WIDTH_MIN, CELL_WIDTH_MAX), text: theme::SIZE_BODY }
    }
}

/// Draws the table. Click hides a series or shows it again; double click shows it alone.
pub fn show(ui: &mut Ui, theme: &Theme, view: &mut PlotsView, heads: &[&str], rows: &[Row<'_>]) {
    let fit = Fit::within(ui.available_width());
    head(ui, theme, fit, heads);
    body(ui, theme, view, fit, heads, rows);
}

/// The rows of a table without its heads.
pub fn body(ui: &mut Ui, theme: &Theme, view: &mut PlotsView, fit: Fit, heads: &[&str], rows: &[Row<'_>]) {
    ui.spacing_mut().item_spacing.y = 0.0;
    for row in rows {
        let hidden = !view.shows(row.name);
        let response = line(ui, theme, fit, row, hidden, heads);
        if response.double_clicked() {
            isolate(view, row.name, rows);
        } else if response.clicked() && !view.hidden.remove(row.name) {
            view.hidden.insert(row.name.to_owned());
        }
    }
}

/// Shows a series alone, or all if it already is.
fn isolate(view: &mut PlotsView, name: &str, rows: &[Row<'_>]) {
    // The clicks of a double click have hidden and shown the series itself; the others were not touched.
    let others = rows.iter().map(|row| row.name).filter(|other| *other != name);
    let alone = others.clone().all(|other| !view.shows(other));
    for row in rows {
        view.hidden.remove(row.name);
    }
    if !alone {
        view.hidden.extend(others.map(str::to_owned));
    }
}

/// The heads of the columns.
pub fn head(ui: &mut Ui, theme: &Theme, fit: Fit, heads: &[&str]) {
    ui.spacing_mut().item_spacing.y = 0.0;
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), ROW_HEIGHT), Sense::hover());
    let font = FontId::proportional(theme::SIZE_SMALL);
    for (at, words) in heads.iter().rev().enumerate() {
        let right = rect.right() - SPACE[0] - at as f32 * fit.cell;
        ui.painter().text(
            pos2(right, rect.center().y),
            Align2::RIGHT_CENTER,
            *words,
            font.clone(),
            theme.text_muted,
        );
    }
    ui.painter().hline(rect.x_range(), rect.bottom() - 0.5, Stroke::new(1.0, theme.border));
}

fn line(ui: &mut Ui, theme: &Theme, fit: Fit, row: &Row<'_>, hidden: bool, heads: &[&str]) -> Response {
    let size = vec2(ui.available_width(), ROW_HEIGHT);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| {
        let numbers: Vec<_> =
            heads.iter().zip(&row.cells).map(|(head, cell)| format!("{head} {cell}")).collect();
        WidgetInfo::selected(Role::CheckBox, true, !hidden, format!("{}: {}", row.name, numbers.join(", ")))
    });
    if !ui.is_rect_visible(rect) {
        return response;
    }
    let painter = ui.painter();
    if response.hovered() || response.has_focus() {
        painter.rect_filled(rect, 2.0, theme.tint(theme.text, 0.06));
    }
    if response.has_focus() {
        let stroke = Stroke::new(2.0, theme.accent);
        painter.rect_stroke(rect, 2.0, stroke, eframe::egui::StrokeKind::Inside);
    }
    swatch(ui, theme, rect, row, hidden);
    let font = FontId::proportional(fit.text);
    let color = if hidden { theme.text_muted } else { theme.text };
    let middle = rect.center().y;
    let name = if hidden { format!("{} (hidden)", row.name) } else { row.name.to_owned() };
    let room = rect.width() - NAME_LEFT - SPACE[1] - row.cells.len() as f32 * fit.cell;
    let mut job = LayoutJob::simple_singleline(name, font.clone(), color);
    job.wrap = TextWrapping::truncate_at_width(room.max(0.0));
    let galley = painter.layout_job(job);
    let is_cut = galley.elided;
    painter.galley(pos2(rect.left() + NAME_LEFT, middle - galley.size().y / 2.0), galley, color);
    for (at, text) in row.cells.iter().rev().enumerate() {
        let right = rect.right() - SPACE[0] - at as f32 * fit.cell;
        painter.text(pos2(right, middle), Align2::RIGHT_CENTER, text, font.clone(), color);
    }
    let how = "Click hides or shows, double click shows alone";
    if is_cut { response.on_hover_text(format!("{}\n{how}", row.name)) } else { response.on_hover_text(how) }
}

fn swatch(ui: &Ui, theme: &Theme, rect: Rect, row: &Row<'_>, hidden: bool) {
    let height = if row.sign == Sign::Area { 10.0 } else { 3.0 };
    let square = Rect::from_center_size(pos2(rect.left() + 11.0, rect.center().y), vec2(14.0, height));
    if hidden {
        ui.painter().rect_stroke(
            square,
            1.0,
            Stroke::new(1.0, theme.text_muted),
            eframe::egui::StrokeKind::Inside,
        );
    } else if row.sign == Sign::Dashed {
        for left in [square.left(), square.left() + 8.0] {
            let dash = Rect::from_min_size(pos2(left, square.top()), vec2(6.0, height));
            ui.painter().rect_filled(dash, 1.0, row.color);
        }
    } else {
        ui.painter().rect_filled(square, 1.0, row.color);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_double_click_isolates_and_brings_all_back() {
        let row = |name| Row { name, color: Color32::WHITE, sign: Sign::Line, cells: Vec::new() };
        let rows = [row("a"), row("b"), row("c")];
        let mut view = PlotsView::default();
        isolate(&mut view, "b", &rows);
        assert!(view.shows("b") && !view.shows("a") && !view.shows("c"));
        isolate(&mut view, "b", &rows);
        assert!(view.hidden.is_empty());
    }
}
