//! Small pieces that every page is made of.

use eframe::egui::text::LayoutJob;
use eframe::egui::{
    Align, Align2, Button, Checkbox, Context, CornerRadius, FontId, Frame, KeyboardShortcut, Label, Layout,
    Margin, Rect, Response, RichText, Role, ScrollArea, Sense, Stroke, StrokeKind, TextEdit, TextFormat,
    TextStyle, Ui, UiBuilder, WidgetInfo, vec2,
};

use super::icon;
use super::theme::{self, CONTROL_HEIGHT, CORNER, PAGE_WIDTH_MAX, SPACE, Theme};

/// The one button of a page that does what the page is for.
pub fn primary(ui: &mut Ui, theme: &Theme, words: &str) -> Response {
    primary_sized(ui, theme, words, 0.0)
}

fn primary_sized(ui: &mut Ui, theme: &Theme, words: &str, width: f32) -> Response {
    let text = RichText::new(words).color(theme.on_accent).family(theme::semibold());
    ui.scope(|ui| {
        let widgets = &mut ui.visuals_mut().widgets;
        // Hover and press darken or lighten the fill; the ring of focus must differ from it.
        let fills = [theme.accent, theme.tint(theme.accent, 0.88), theme.tint(theme.accent, 0.78)];
        for (state, fill) in
            [&mut widgets.inactive, &mut widgets.hovered, &mut widgets.active].into_iter().zip(fills)
        {
            state.weak_bg_fill = fill;
            state.bg_stroke = Stroke::new(1.0, fill);
        }
        widgets.active.bg_stroke = Stroke::new(2.0, theme.text);
        ui.add(Button::new(text).min_size(vec2(width, CONTROL_HEIGHT + 4.0)))
    })
    .inner
}

/// As [`primary_if`], at least so many points wide.
pub fn primary_wide(ui: &mut Ui, theme: &Theme, words: &str, width: f32, ready: Result<(), &str>) -> bool {
    if let Err(reason) = ready {
        let button = Button::new(words).min_size(vec2(width, CONTROL_HEIGHT + 4.0));
        ui.add_enabled(false, button).on_disabled_hover_text(reason);
        return false;
    }
    primary_sized(ui, theme, words, width).clicked()
}

/// As [`primary`], grey with the reason on hover when it cannot be done; whether it was clicked.
pub fn primary_if(ui: &mut Ui, theme: &Theme, words: &str, ready: Result<(), &str>) -> bool {
    match ready {
        Ok(()) => primary(ui, theme, words).clicked(),
        Err(reason) => {
            button_if(ui, words, Err(reason));
            false
        }
    }
}

/// A plain button, grey with the reason on hover when it cannot be done; whether it was clicked.
pub fn button_if(ui: &mut Ui, words: &str, ready: Result<(), &str>) -> bool {
    let button = Button::new(words).min_size(vec2(0.0, CONTROL_HEIGHT));
    let response = ui.add_enabled(ready.is_ok(), button);
    match ready {
        Ok(()) => response.clicked(),
        Err(reason) => {
            response.on_disabled_hover_text(reason);
            false
        }
    }
}

/// A line of text to write in, under its name: what [`field`] needs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Field<'a> {
    /// What it is; also its accessible name.
    pub name: &'a str,
    /// After the field: `requests/s`.
    pub unit: &'a str,
    /// Shown while the field is empty.
    pub hint: &'a str,
    /// Why what was written cannot be used; none when it can.
    pub reason: Option<&'a str>,
    /// Of the field itself, in points; 0 for all the room there is.
    pub width: f32,
}

/// A line of text to write in: name above, unit behind, the reason beneath when it cannot be used.
pub fn field(ui: &mut Ui, theme: &Theme, field: Field<'_>, text: &mut String) -> Response {
    ui.vertical(|ui| {
        ui.spacing_mut().item_spacing.y = SPACE[0];
        let name = caption(ui, theme, field.name);
        let response = ui
            .horizontal(|ui| {
                if field.reason.is_some() {
                    mark_invalid(ui, theme);
                }
                let width = if field.width > 0.0 { field.width } else { ui.available_width() };
                let line = line(text).hint_text(field.hint).desired_width(width);
                let response = edit(ui, theme, line).labelled_by(name.id);
                if !field.unit.is_empty() {
                    ui.label(RichText::new(field.unit).color(theme.text_muted));
                }
                response
            })
            .inner;
        if let Some(reason) = field.reason {
            ui.label(RichText::new(reason).small().color(theme.error));
        }
        response
    })
    .inner
}

/// A line of text to write in, alone: as high as a button, its text in the middle.
pub fn line(text: &mut String) -> TextEdit<'_> {
    TextEdit::singleline(text)
        .margin(Margin::symmetric(8, 4))
        .min_size(vec2(0.0, CONTROL_HEIGHT))
        .align(Align2::LEFT_CENTER)
}

/// Shows a field with an edge that stands out at rest; in `theme.error` where [`mark_invalid`] was called.
pub fn edit(ui: &mut Ui, theme: &Theme, field: TextEdit<'_>) -> Response {
    ui.scope(|ui| {
        outline(ui, theme);
        ui.add(field)
    })
    .inner
}

/// Fields that follow stand out at rest, unless they are wrong.
pub fn outline(ui: &mut Ui, theme: &Theme) {
    let rest = &mut ui.visuals_mut().widgets.inactive.bg_stroke;
    if rest.color != theme.error {
        rest.color = theme.control;
    }
}

/// A box to tick with its words. Its edge stands out at rest, and what is ticked is filled.
pub fn checkbox(ui: &mut Ui, theme: &Theme, ticked: &mut bool, words: &str) -> Response {
    let on = *ticked;
    ui.scope(|ui| {
        let widgets = &mut ui.visuals_mut().widgets;
        let (rest, hovered) = if on {
            (theme.accent, theme.tint(theme.accent, 0.88))
        } else {
            (theme.background, theme.surface)
        };
        let edge = if on { theme.accent } else { theme.control };
        (widgets.inactive.bg_fill, widgets.inactive.bg_stroke) = (rest, Stroke::new(1.0, edge));
        (widgets.hovered.bg_fill, widgets.hovered.bg_stroke) = (hovered, Stroke::new(1.0, theme.text));
        (widgets.active.bg_fill, widgets.active.bg_stroke) = (hovered, Stroke::new(2.0, theme.text));
        for state in [&mut widgets.inactive, &mut widgets.hovered, &mut widgets.active] {
            state.fg_stroke = Stroke::new(1.8, theme.on_accent);
        }
        ui.add(Checkbox::new(ticked, RichText::new(words).color(theme.text)))
    })
    .inner
}

/// Gives the fields that follow in this ui the border of a value that cannot be used.
pub fn mark_invalid(ui: &mut Ui, theme: &Theme) {
    let widgets = &mut ui.visuals_mut().widgets;
    for state in [&mut widgets.inactive, &mut widgets.hovered, &mut widgets.active] {
        state.bg_stroke = Stroke::new(state.bg_stroke.width, theme.error);
    }
}

/// Small muted text: names of fields, units, hints.
pub fn caption(ui: &mut Ui, theme: &Theme, words: &str) -> Response {
    ui.label(RichText::new(words).small().color(theme.text_muted))
}

/// The title of a part of a page.
pub fn section(ui: &mut Ui, words: &str) -> Response {
    let text = RichText::new(words).text_style(theme::section_style());
    let response = ui.label(text);
    heading_role(ui, &response);
    response
}

/// The title of a page that has one beside the bar's.
pub fn heading(ui: &mut Ui, words: &str) -> Response {
    let response = ui.heading(words);
    heading_role(ui, &response);
    response
}

fn heading_role(ui: &Ui, response: &Response) {
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_role(Role::Heading));
}

/// A page of text or forms: as wide as is good to read, or as there is room, and scrolled where it is longer.
pub fn page<R>(ui: &mut Ui, contents: impl FnOnce(&mut Ui) -> R) -> R {
    let shown = ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        ui.set_max_width(PAGE_WIDTH_MAX.min(ui.available_width()));
        contents(ui)
    });
    shown.inner
}

/// What a list or plot says while it has nothing to show; whether its button was clicked.
pub fn empty_state(ui: &mut Ui, theme: &Theme, title: &str, words: &str, button: Option<&str>) -> bool {
    const WIDTH: f32 = 420.0;
    let mut clicked = false;
    let room = ui.available_size();
    ui.allocate_ui_with_layout(room, Layout::top_down(Align::Center), |ui| {
        ui.add_space((room.y * 0.28).clamp(SPACE[4], 220.0));
        ui.set_max_width(WIDTH.min(room.x));
        ui.label(RichText::new(title).text_style(TextStyle::Heading));
        ui.add(Label::new(RichText::new(words).color(theme.text_muted)).wrap().halign(Align::Center));
        if let Some(button) = button {
            ui.add_space(SPACE[1]);
            clicked = primary(ui, theme, button).clicked();
        }
    });
    clicked
}

/// A few words after [`WAIT_SHOWN_AFTER_S`], with a turning ring if movement is wanted: no flash for short waits.
pub fn waiting(ui: &mut Ui, cx: &super::Cx<'_>, words: &str) {
    let now = ui.input(|input| input.time);
    let id = ui.scope_id().with("waiting since").with(words);
    let (since, last) = ui.data_mut(|data| *data.get_temp_mut_or_insert_with(id, || (now, now)));
    // A wait that was not on show for a while is a new one.
    let since = if now - last > WAIT_FORGOTTEN_AFTER_S { now } else { since };
    ui.data_mut(|data| data.insert_temp(id, (since, now)));
    if now - since < WAIT_SHOWN_AFTER_S {
        ui.ctx().request_repaint_after_secs((WAIT_SHOWN_AFTER_S - (now - since)) as f32);
        return;
    }
    ui.horizontal(|ui| {
        if !cx.state.settings.reduced_motion && !cx.software_rasterizer {
            ui.spinner();
        }
        ui.label(RichText::new(words).color(cx.theme.text_muted));
    });
}

/// How long [`waiting`] shows nothing, in seconds.
pub const WAIT_SHOWN_AFTER_S: f64 = 0.2;
const WAIT_FORGOTTEN_AFTER_S: f64 = 1.0;

/// What went wrong in place of a list or plot: what happened, what to do, and buttons.
pub fn failure(ui: &mut Ui, theme: &Theme, title: &str, reason: &str, retry: Option<&str>) -> bool {
    let mut clicked = false;
    banner_frame(theme, theme.error).show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        ui.horizontal_top(|ui| {
            icon::Icon::Error.show(ui, 18.0, theme.error);
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = SPACE[0];
                ui.label(RichText::new(title).text_style(theme::section_style()));
                ui.add(Label::new(reason).wrap());
                ui.add_space(SPACE[0]);
                ui.horizontal(|ui| {
                    if let Some(retry) = retry {
                        clicked = ui.button(retry).clicked();
                    }
                    if ui.button("Copy details").clicked() {
                        ui.ctx().copy_text(format!("{title}\n{reason}"));
                    }
                });
            });
        });
    });
    clicked
}

/// One or two sentences that must be seen before what is beneath them.
pub fn warning(ui: &mut Ui, theme: &Theme, words: &str) {
    notes(ui, theme, None, &[words]);
}

/// Everything that must be known before what is beneath, in one block as wide as the page: what makes it void
/// first and in red, the rest as lines in amber. Draws nothing when there is nothing to say.
pub fn notes(ui: &mut Ui, theme: &Theme, void: Option<(&str, &str)>, others: &[&str]) {
    if void.is_none() && others.is_empty() {
        return;
    }
    let color = if void.is_some() { theme.error } else { theme.warning };
    banner_frame(theme, color).show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = SPACE[0];
        if let Some((title, reason)) = void {
            let title = RichText::new(title).text_style(theme::section_style()).color(theme.error);
            note_line(ui, icon::Icon::Error, theme.error, title);
            ui.add(Label::new(reason).wrap());
        }
        for words in others {
            note_line(ui, icon::Icon::Warning, theme.warning, RichText::new(*words));
        }
    });
}

fn note_line(ui: &mut Ui, sign: icon::Icon, color: eframe::egui::Color32, words: RichText) {
    ui.horizontal_top(|ui| {
        // As high as a line, not as a button.
        ui.spacing_mut().interact_size.y = 0.0;
        sign.show(ui, 17.0, color);
        ui.add(Label::new(words).wrap());
    });
}

/// Room between the content of a page that scrolls and its scroll bar, and the bar itself, in points.
const GUTTER: f32 = 16.0;

/// A page that scrolls upright in `height` points. Its bar is in the margin at the right of the page, so that it
/// covers nothing, and nothing moves when it comes.
pub fn scrolling(ui: &mut Ui, name: &str, height: f32, add: impl FnOnce(&mut Ui)) {
    let width = ui.available_width();
    let corner = ui.cursor().min;
    let room = Rect::from_min_size(corner, vec2(width + GUTTER, height));
    let mut wider = ui.new_child(UiBuilder::new().id_salt(name).max_rect(room));
    ScrollArea::vertical().id_salt(name).max_height(height).auto_shrink(false).show(&mut wider, |ui| {
        ui.set_max_width(width);
        add(ui);
    });
    ui.advance_cursor_after_rect(Rect::from_min_size(corner, vec2(width, height)));
}

fn banner_frame(theme: &Theme, color: eframe::egui::Color32) -> Frame {
    Frame::new()
        .fill(theme.tint(color, 0.08))
        .stroke(Stroke::new(1.0, theme.tint(color, 0.45)))
        .corner_radius(CornerRadius::same(CORNER))
        .inner_margin(Margin::symmetric(12, 8))
}

/// Chooses one of a few; whether the choice changed. Each option is a button with its own words.
pub fn segmented<T: PartialEq + Copy>(
    ui: &mut Ui,
    theme: &Theme,
    name: &str,
    current: &mut T,
    options: &[(T, &str)],
) -> bool {
    let before = *current;
    let frame = Frame::new()
        .fill(theme.surface)
        .stroke(Stroke::new(1.0, theme.border))
        .corner_radius(CornerRadius::same(CORNER + 2))
        .inner_margin(Margin::same(2));
    let group = frame.show(ui, |ui| {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 2.0;
            for (value, words) in options {
                if segment(ui, theme, *value == *current, words).clicked() {
                    *current = *value;
                }
            }
        });
    });
    group.response.widget_info(|| WidgetInfo::labeled(Role::RadioGroup, true, name));
    before != *current
}

fn segment(ui: &mut Ui, theme: &Theme, chosen: bool, words: &str) -> Response {
    let font = TextStyle::Body.resolve(ui.style());
    let color = if chosen { theme.text } else { theme.text_muted };
    let galley = ui.painter().layout_no_wrap(words.to_owned(), font, color);
    let size = vec2(galley.size().x + 2.0 * SPACE[2], CONTROL_HEIGHT - 4.0);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::RadioButton, ui.is_enabled(), chosen, words));
    if ui.is_rect_visible(rect) {
        let corner = CornerRadius::same(CORNER);
        if chosen {
            let stroke = Stroke::new(1.0, theme.control);
            ui.painter().rect(rect, corner, theme.raised, stroke, StrokeKind::Inside);
        } else if response.hovered() {
            ui.painter().rect_filled(rect, corner, theme.tint(theme.text, 0.06));
        }
        let at = rect.center() - galley.size() / 2.0;
        ui.painter().galley(at, galley, color);
        icon::focus_ring(ui, rect, &response);
    }
    response
}

/// Keys as on a keyboard: `Ctrl+K`.
pub fn keys(ui: &mut Ui, theme: &Theme, shortcut: &KeyboardShortcut) -> Response {
    let words = key_words(ui.ctx(), shortcut);
    let font = TextStyle::Small.resolve(ui.style());
    let galley = ui.painter().layout_no_wrap(words.clone(), font, theme.text_muted);
    let (rect, response) = ui.allocate_exact_size(galley.size() + vec2(12.0, 4.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &words));
    let stroke = Stroke::new(1.0, theme.border);
    ui.painter().rect_stroke(rect, CornerRadius::same(3), stroke, StrokeKind::Inside);
    ui.painter().galley(rect.center() - galley.size() / 2.0, galley, theme.text_muted);
    response
}

/// What people read for keys: `Ctrl+.`, and the signs of the keyboard where the system has them.
#[must_use]
pub fn key_words(ctx: &Context, shortcut: &KeyboardShortcut) -> String {
    let words = ctx.format_shortcut(shortcut);
    let signs =
        [("Period", "."), ("Plus", "+"), ("Minus", "-"), ("Comma", ","), ("Equals", "="), ("Slash", "/")];
    signs
        .into_iter()
        .find_map(|(name, sign)| words.strip_suffix(name).map(|rest| format!("{rest}{sign}")))
        .unwrap_or(words)
}

/// One of the numbers that matter: `p99 response` over a large `41.2` and a small `ms`. One text, so that it
/// is read and copied as a whole.
pub fn stat(ui: &mut Ui, theme: &Theme, name: &str, value: &str) -> Response {
    let (number, unit) = split_unit(value);
    let small = FontId::proportional(theme::SIZE_SMALL);
    let large = theme::number_style().resolve(ui.style());
    let mut job = LayoutJob::default();
    job.append(name, 0.0, TextFormat::simple(small.clone(), theme.text_muted));
    job.append("\n", 0.0, TextFormat::simple(small, theme.text_muted));
    job.append(number, 0.0, TextFormat::simple(large, theme.text));
    job.append(unit, 0.0, TextFormat::simple(FontId::proportional(theme::SIZE_BODY), theme.text_muted));
    ui.add(Label::new(job).extend())
}

/// `41.2` and ` ms`; a value without digits is all number.
pub(super) fn split_unit(value: &str) -> (&str, &str) {
    match value.rfind(|character: char| character.is_ascii_digit()) {
        Some(last) => value.split_at(last + 1),
        None => (value, ""),
    }
}

/// `22 Nov 2026 21:40`: a moment, where the person is.
#[must_use]
pub fn when(moment: jiff::Timestamp) -> String {
    moment.to_zoned(jiff::tz::TimeZone::system()).strftime("%-d %b %Y %H:%M").to_string()
}

/// `21:40:05`: a time of the day, where the person is.
#[must_use]
pub fn time(moment: jiff::Timestamp) -> String {
    moment.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S").to_string()
}

/// Text that stands for a place or an id, with a button that copies it.
pub fn copyable(ui: &mut Ui, name: &str, text: &str) {
    ui.horizontal(|ui| {
        ui.add(Label::new(RichText::new(text).monospace()).wrap());
        if icon::Icon::Copy.button(ui, &format!("Copy {name}")).clicked() {
            ui.ctx().copy_text(text.to_owned());
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_what_follows_the_last_digit() {
        let cases = [
            ("41.2 ms", ("41.2", " ms")),
            ("2\u{2009}000/s", ("2\u{2009}000", "/s")),
            ("0", ("0", "")),
            ("–", ("–", "")),
            ("0.12 %", ("0.12", " %")),
        ];
        for (value, parts) in cases {
            assert_eq!(split_unit(value), parts);
        }
    }
}
