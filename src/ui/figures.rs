//! Tables of numbers: names left, numbers right-aligned under their heads, everything selectable.

use eframe::egui::{Align, Label, Layout, RichText, Sense, Stroke, Ui, vec2};

use super::theme::Theme;

/// Height of a row, in points.
pub(super) const ROW_HEIGHT: f32 = 21.0;

/// One number.
pub(super) struct Cell {
    /// As it is read.
    pub(super) text: String,
    /// Why it should not be relied on; empty when it can.
    pub(super) doubt: &'static str,
}

impl Cell {
    /// A number that can be relied on.
    pub(super) fn new(text: String) -> Self {
        Self { text, doubt: "" }
    }

    /// A number that is shown faint, with the reason on hover.
    pub(super) fn doubtful(text: String, doubt: &'static str) -> Self {
        Self { text, doubt }
    }
}

/// Draws names and numbers; `cell_width` points for each column of numbers, the rest for names.
pub(super) fn show(ui: &mut Ui, theme: &Theme, heads: &[&str], cell_width: f32, rows: &[(&str, Vec<Cell>)]) {
    ui.spacing_mut().item_spacing = vec2(0.0, 0.0);
    // A row is as high as it says, not as a button.
    ui.spacing_mut().interact_size.y = ROW_HEIGHT;
    let name_width = (ui.available_width() - heads.len() as f32 * cell_width).max(40.0);
    if heads.iter().any(|head| !head.is_empty()) {
        ui.horizontal(|ui| {
            ui.set_min_height(ROW_HEIGHT);
            ui.add_space(name_width);
            for head in heads {
                right(ui, cell_width, |ui| ui.label(RichText::new(*head).small().color(theme.text_muted)));
            }
        });
    }
    for (name, cells) in rows {
        line(ui, theme);
        ui.horizontal(|ui| {
            ui.set_min_height(ROW_HEIGHT);
            ui.allocate_ui_with_layout(
                vec2(name_width, ROW_HEIGHT),
                Layout::left_to_right(Align::Center),
                |ui| {
                    ui.set_min_width(name_width);
                    ui.add(Label::new(RichText::new(*name).color(theme.text_muted)).truncate());
                },
            );
            for cell in cells {
                right(ui, cell_width, |ui| number(ui, theme, cell));
            }
        });
    }
}

/// A last row under a stronger line, for what is counted rather than measured.
pub(super) fn foot(ui: &mut Ui, theme: &Theme, cell_width: f32, row: (&str, Vec<Cell>)) {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 2.0), Sense::hover());
    ui.painter().hline(rect.x_range(), rect.center().y, Stroke::new(1.0, theme.text_muted));
    let heads = vec![""; row.1.len()];
    show(ui, theme, &heads, cell_width, &[row]);
}

fn number(ui: &mut Ui, theme: &Theme, cell: &Cell) -> eframe::egui::Response {
    if cell.doubt.is_empty() {
        return ui.label(&cell.text);
    }
    // Not by colour alone: a mark beside it, and the reason on hover.
    let text = RichText::new(format!("{} *", cell.text)).color(theme.text_muted);
    ui.label(text).on_hover_text(cell.doubt)
}

/// A number at the right of its column.
pub(super) fn right<R>(ui: &mut Ui, width: f32, add: impl FnOnce(&mut Ui) -> R) -> R {
    let size = vec2(width, ui.available_height().min(ROW_HEIGHT));
    ui.allocate_ui_with_layout(size, Layout::right_to_left(Align::Center), |ui| {
        ui.set_min_width(width);
        add(ui)
    })
    .inner
}

/// A faint line between two rows.
pub(super) fn line(ui: &Ui, theme: &Theme) {
    let x = ui.max_rect().x_range();
    ui.painter().hline(x, ui.cursor().top(), Stroke::new(1.0, theme.tint(theme.border, 0.6)));
}
