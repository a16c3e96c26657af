//! The rows of the form: caption, field, unit, and the reason beside it.

use eframe::egui::{
    self, Align, Button, CollapsingHeader, Label, Layout, Margin, Response, RichText, Ui, vec2,
};

use crate::app::Command;
use crate::app::methods::Listing;
use crate::app::state::Slot;
use crate::model::Target;
use crate::ui::{Theme, widgets};

use super::draft::{At, Draft, Touched, Wrong};
use super::methods::Choosing;

/// Width of the captions, in points.
const CAPTION_WIDTH: f32 = 112.0;
/// Height of a row, in points.
const ROW_HEIGHT: f32 = 34.0;
/// Between the text of a field and its border, in points.
pub(super) const FIELD_MARGIN: Margin = Margin::symmetric(8, 6);

/// Fields by which a section is found again when it must be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Request,
    Mix,
    Data,
    Labels,
    Goals,
    Tls,
    Reach,
}

impl Section {
    /// The section that holds a place; none for what is always in sight.
    pub(super) fn of(at: At) -> Option<Self> {
        match at {
            At::ContentType | At::Header(_) | At::Cookie(_) | At::BasicAuth | At::Body => Some(Self::Request),
            At::Variants | At::Variant(_) => Some(Self::Mix),
            At::Data | At::Session => Some(Self::Data),
            At::Label(_) => Some(Self::Labels),
            At::Goal(_) => Some(Self::Goals),
            At::Tls => Some(Self::Tls),
            At::Reuse | At::Resolve(_) | At::Reach => Some(Self::Reach),
            At::Url
            | At::Protocol
            | At::Grpc
            | At::Message
            | At::Method
            | At::Rate
            | At::Connections
            | At::Stop
            | At::Warmup
            | At::Timeout
            | At::Name
            | At::Nowhere => None,
        }
    }
}

/// What a field looks like.
#[derive(Clone, Copy)]
pub(super) struct Spec<'a> {
    pub(super) caption: &'a str,
    pub(super) hint: &'a str,
    pub(super) unit: &'a str,
    pub(super) width: f32,
}

/// The form while it is drawn.
pub(super) struct Sheet<'a> {
    pub(super) draft: &'a mut Draft,
    pub(super) touched: &'a mut Touched,
    pub(super) wrong: &'a [Wrong],
    pub(super) theme: &'a Theme,
    pub(super) commands: &'a mut Vec<Command>,
    /// The target as typed, if it can be asked what it offers.
    pub(super) asked: Option<&'a Target>,
    /// What it said, if it was asked.
    pub(super) listing: Option<&'a Listing>,
    /// The list of methods, while it is open.
    pub(super) choosing: &'a mut Option<Choosing>,
    /// Sections with a reason that must be seen.
    pub(super) open: &'a [Section],
    /// Whether anything was typed or chosen in this frame.
    pub(super) changed: bool,
}

impl Sheet<'_> {
    /// A caption, a field, its unit, and its reason.
    pub(super) fn line(
        &mut self,
        ui: &mut Ui,
        at: At,
        spec: Spec<'_>,
        text: impl FnOnce(&mut Draft) -> &mut String,
    ) -> Response {
        self.row(ui, spec.caption, |sheet, ui, caption| {
            let response = sheet.edit(ui, at, spec, text).labelled_by(caption.id);
            sheet.unit(ui, spec.unit);
            sheet.reason(ui, at);
            response
        })
    }

    /// A caption with anything beside it.
    pub(super) fn row<R>(
        &mut self,
        ui: &mut Ui,
        caption: &str,
        add: impl FnOnce(&mut Self, &mut Ui, &Response) -> R,
    ) -> R {
        ui.spacing_mut().item_spacing.y = 2.0;
        let inner = ui.horizontal(|ui| {
            ui.set_min_height(ROW_HEIGHT);
            let size = vec2(CAPTION_WIDTH, ROW_HEIGHT);
            let layout = Layout::left_to_right(Align::Center);
            let caption = ui.allocate_ui_with_layout(size, layout, |ui| {
                ui.set_min_width(CAPTION_WIDTH);
                ui.add(Label::new(caption).selectable(false))
            });
            add(self, ui, &caption.inner)
        });
        inner.inner
    }

    /// A field alone. It needs a name: `labelled_by` or [`name`].
    pub(super) fn edit(
        &mut self,
        ui: &mut Ui,
        at: At,
        spec: Spec<'_>,
        text: impl FnOnce(&mut Draft) -> &mut String,
    ) -> Response {
        self.field(ui, at, spec, false, text)
    }

    /// As [`Sheet::edit`], shown as dots.
    pub(super) fn secret(
        &mut self,
        ui: &mut Ui,
        at: At,
        spec: Spec<'_>,
        text: impl FnOnce(&mut Draft) -> &mut String,
    ) -> Response {
        self.field(ui, at, spec, true, text)
    }

    fn field(
        &mut self,
        ui: &mut Ui,
        at: At,
        spec: Spec<'_>,
        dots: bool,
        text: impl FnOnce(&mut Draft) -> &mut String,
    ) -> Response {
        let wrong = self.shown_reason(at).is_some();
        // In a narrow window a long field gives way.
        let width = spec.width.min(ui.available_width().max(FIELD_MIN));
        let edit = widgets::line(text(self.draft)).hint_text(spec.hint).desired_width(width);
        let edit = edit.password(dots);
        let theme = self.theme;
        let response = ui.scope(|ui| {
            if wrong {
                widgets::mark_invalid(ui, theme);
            }
            widgets::edit(ui, theme, edit)
        });
        self.noted(at, &response.inner);
        response.inner
    }

    /// Remembers that a field was changed or left.
    pub(super) fn noted(&mut self, at: At, response: &Response) {
        if response.changed() || response.lost_focus() {
            self.touched.touch(at);
        }
        self.changed |= response.changed();
    }

    /// A file or folder: its path, a button that asks for it with the system's dialog, and its reason.
    pub(super) fn path(
        &mut self,
        ui: &mut Ui,
        at: At,
        spec: Spec<'_>,
        slot: Slot,
        text: impl FnOnce(&mut Draft) -> &mut String,
    ) {
        self.row(ui, spec.caption, |sheet, ui, caption| {
            let width = spec.width.min((ui.available_width() - CHOOSE).max(FIELD_MIN));
            sheet.edit(ui, at, Spec { width, ..spec }, text).labelled_by(caption.id);
            sheet.choose(ui, slot, spec.caption);
            sheet.unit(ui, spec.unit);
        });
    }

    /// The button that asks for a file.
    pub(super) fn choose(&mut self, ui: &mut Ui, slot: Slot, what: &str) {
        let button = ui.button("Choose…");
        name(ui, &button, &format!("Choose {what}…"));
        if button.clicked() {
            self.commands.push(Command::PickFile(slot));
        }
    }

    /// A box to tick, beside a caption or under the last one.
    pub(super) fn tick(
        &mut self,
        ui: &mut Ui,
        caption: &str,
        words: &str,
        of: impl FnOnce(&mut Draft) -> &mut bool,
    ) {
        self.row(ui, caption, |sheet, ui, _| {
            sheet.changed |= widgets::checkbox(ui, sheet.theme, of(sheet.draft), words).changed();
        });
    }

    /// A button that adds a row. The caption is shown where no row shows it; `None` keeps the column.
    pub(super) fn add_button(&mut self, ui: &mut Ui, caption: Option<&str>, words: &str) -> bool {
        let clicked = self.row(ui, caption.unwrap_or(""), |_, ui, _| ui.add(Button::new(words)).clicked());
        self.changed |= clicked;
        clicked
    }

    /// A choice among a few.
    pub(super) fn choice<T: PartialEq + Copy>(
        &mut self,
        ui: &mut Ui,
        name: &str,
        choices: &[(T, &str)],
        of: impl FnOnce(&mut Draft) -> &mut T,
    ) {
        self.changed |= widgets::segmented(ui, self.theme, name, of(self.draft), choices);
    }

    /// A unit, or what a number means.
    pub(super) fn unit(&self, ui: &mut Ui, unit: &str) {
        if !unit.is_empty() {
            ui.label(RichText::new(unit).color(self.theme.text_muted));
        }
    }

    /// A remark under or beside a field.
    pub(super) fn remark(&self, ui: &mut Ui, text: &str) {
        ui.add(Label::new(RichText::new(text).color(self.theme.text_muted)).wrap());
    }

    /// The reason at this place, once the person has been there.
    pub(super) fn reason(&self, ui: &mut Ui, at: At) {
        if let Some(reason) = self.shown_reason(at) {
            ui.add(Label::new(RichText::new(reason).color(self.theme.error)).wrap());
        }
    }

    /// The reason at this place in a line of its own, under the field.
    pub(super) fn reason_below(&mut self, ui: &mut Ui, at: At) {
        if self.shown_reason(at).is_some() {
            self.row(ui, "", |sheet, ui, _| sheet.reason(ui, at));
        }
    }

    /// Whether a reason is shown at this place.
    pub(super) fn is_wrong(&self, at: At) -> bool {
        self.shown_reason(at).is_some()
    }

    fn shown_reason(&self, at: At) -> Option<&str> {
        if !self.touched.is(at) {
            return None;
        }
        self.wrong.iter().find(|wrong| wrong.at == at).map(|wrong| wrong.reason.as_str())
    }

    /// A part of the form that is folded until a person wants it.
    pub(super) fn section(
        &mut self,
        ui: &mut Ui,
        section: Section,
        title: &str,
        summary: &str,
        add: impl FnOnce(&mut Self, &mut Ui),
    ) {
        let wrong = self.wrong.iter().filter(|wrong| Section::of(wrong.at) == Some(section));
        let wrong = wrong.filter(|wrong| self.touched.is(wrong.at)).count();
        let summary = match (wrong, summary) {
            (0, "") => String::new(),
            (0, summary) => format!(": {summary}"),
            (1, _) => ": 1 correction needed".to_owned(),
            (many, _) => format!(": {many} corrections needed"),
        };
        let mut heading = egui::text::LayoutJob::default();
        let font = egui::TextStyle::Button.resolve(ui.style());
        let color = if wrong > 0 { self.theme.error } else { self.theme.text_muted };
        heading.append(title, 0.0, egui::TextFormat::simple(font.clone(), self.theme.text));
        heading.append(&summary, 0.0, egui::TextFormat::simple(font, color));
        let force = self.open.contains(&section).then_some(true);
        CollapsingHeader::new(heading).id_salt(("section", section as u8)).open(force).show_unindented(
            ui,
            |ui| {
                add(self, ui);
                ui.add_space(8.0);
            },
        );
    }
}

/// Width of the left field in rows of two, in points.
pub(super) const KEY: f32 = 168.0;
/// Width of the right field in rows of two, in points.
pub(super) const VALUE: f32 = 320.0;
/// Width of fields with a number or duration, in points.
pub(super) const SHORT: f32 = 88.0;

/// No field is narrower because of its window, in points.
const FIELD_MIN: f32 = 120.0;
/// Room for the button beside a path, in points.
const CHOOSE: f32 = 104.0;

/// `2 labels`; nothing for none.
pub(super) fn counted(count: usize, noun: &str) -> String {
    match count {
        0 => String::new(),
        1 => format!("1 {noun}"),
        many => format!("{many} {noun}s"),
    }
}

/// A button that takes a row away.
pub(super) fn remove_button(ui: &mut Ui, what: &str) -> bool {
    let response = ui.add(Button::new("Remove"));
    name(ui, &response, &format!("Remove {what}"));
    response.clicked()
}

/// Gives a control the name that a screen reader says.
pub(in crate::ui) fn name(ui: &Ui, response: &Response, name: &str) {
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(name));
}
