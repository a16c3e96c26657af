//! What a person writes about a run: name, labels, note.

use eframe::egui::{
    Align, Frame, Label, Layout, Margin, Panel, Response, RichText, ScrollArea, TextEdit, Ui, vec2,
};

use crate::app::{Command, State};
use crate::model::plan::check_name;
use crate::model::run::RunEdit;
use crate::model::{KNOWN_LABELS, Labels, RunId, RunSummary};
use crate::ui::form::{LabelAt, LabelDraft, name};
use crate::ui::theme::CONTROL_HEIGHT;
use crate::ui::{Cx, Theme, widgets};

use super::{HistoryPage, when};

/// The longest note, in characters.
const NOTE_CHARS_MAX: usize = 10_000;
/// Height of the panel, in points.
const PANEL: f32 = 208.0;
/// Width of its left part, in points.
const WORDS: f32 = 460.0;
/// Width of fields, in points.
const FIELD: f32 = 180.0;

/// Between the text of a field and its border, in points.
const MARGIN: Margin = Margin::symmetric(8, 6);

/// The texts as typed.
#[derive(Debug)]
pub(super) struct Edit {
    id: RunId,
    name: String,
    note: String,
    labels: LabelDraft,
}

impl Edit {
    fn of(run: &RunSummary) -> Self {
        Self {
            id: run.id,
            name: run.name.clone(),
            note: run.note.clone(),
            labels: LabelDraft::from_labels(&run.labels),
        }
    }

    fn check_name(&self) -> Result<(), String> {
        if self.name.trim().is_empty() {
            return Err("a run needs a name".to_owned());
        }
        check_name(self.name.trim())
    }

    /// What differs from the run, or nothing when something cannot be kept.
    fn edits(&self, run: &RunSummary) -> Result<Vec<RunEdit>, ()> {
        self.check_name().map_err(drop)?;
        let labels: Labels = self.labels.labels().map_err(drop)?;
        let mut edits = Vec::new();
        if self.name.trim() != run.name {
            edits.push(RunEdit::Name(self.name.trim().to_owned()));
        }
        if labels != run.labels {
            edits.push(RunEdit::Labels(labels));
        }
        if self.note != run.note {
            edits.push(RunEdit::Note(self.note.clone()));
        }
        Ok(edits)
    }
}

impl HistoryPage {
    /// Opens the panel for the run that is pointed at.
    pub(super) fn start_edit(&mut self, state: &State) {
        let Some(id) = self.targets().first().copied() else { return };
        self.edit = state.history.iter().find(|run| run.id == id).map(Edit::of);
        self.focus_edit = self.edit.is_some();
    }

    /// The panel under the table, if a run is being edited.
    pub(super) fn edit_panel(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        let Some(mut edit) = self.edit.take() else { return };
        let Some(run) = cx.state.history.iter().find(|run| run.id == edit.id) else { return };
        let panel = Panel::bottom("edit run").resizable(false).exact_size(PANEL).frame(Frame::new());
        let closed = panel.show(ui, |ui| {
            ui.add_space(8.0);
            let closed = ui.horizontal(|ui| {
                widgets::section(ui, &format!("Edit run of {}", when::local(run.started, &self.zone)));
                ui.add_space(16.0);
                edit.buttons(cx, ui, run)
            });
            let size = ui.available_size();
            ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Min), |ui| {
                ui.allocate_ui_with_layout(vec2(WORDS, size.y), Layout::top_down(Align::Min), |ui| {
                    let first = edit.words_ui(cx.theme, ui);
                    if std::mem::take(&mut self.focus_edit) {
                        first.request_focus();
                    }
                });
                ui.add_space(24.0);
                let layout = Layout::top_down(Align::Min);
                ui.allocate_ui_with_layout(ui.available_size(), layout, |ui| {
                    let scroll = ScrollArea::vertical().auto_shrink(false);
                    scroll.show(ui, |ui| edit.labels_ui(cx.theme, ui));
                });
            });
            closed.inner
        });
        if !closed.inner {
            self.edit = Some(edit);
        }
    }
}

impl Edit {
    fn words_ui(&mut self, theme: &Theme, ui: &mut Ui) -> Response {
        let field = ui.horizontal(|ui| {
            let caption = caption(ui, "Name");
            let edit = widgets::line(&mut self.name).desired_width(340.0);
            widgets::edit(ui, theme, edit).labelled_by(caption.id)
        });
        reason(theme, ui, self.check_name().err());
        ui.horizontal_top(|ui| {
            let caption = caption(ui, "Note");
            let edit =
                TextEdit::multiline(&mut self.note).desired_rows(4).desired_width(340.0).margin(MARGIN);
            widgets::edit(ui, theme, edit.char_limit(NOTE_CHARS_MAX)).labelled_by(caption.id);
        });
        field.inner
    }

    fn labels_ui(&mut self, theme: &Theme, ui: &mut Ui) {
        let wrong = self.labels.labels().err().unwrap_or_default();
        let why = |at| wrong.iter().find(|(place, _)| *place == at).map(|(_, reason)| reason.clone());
        for (row, (_, words)) in KNOWN_LABELS.iter().enumerate() {
            ui.horizontal(|ui| {
                let caption = caption(ui, words);
                let edit = widgets::line(&mut self.labels.known[row]).desired_width(FIELD);
                widgets::edit(ui, theme, edit).labelled_by(caption.id);
                reason(theme, ui, why(LabelAt::Known(row)));
            });
        }
        let mut removed = None;
        for (row, (key, value)) in self.labels.free.iter_mut().enumerate() {
            let number = row + 1;
            ui.horizontal(|ui| {
                let edit = widgets::line(key).hint_text("Key").desired_width(FIELD);
                let response = widgets::edit(ui, theme, edit);
                name(ui, &response, &format!("Label {number} key"));
                let edit = widgets::line(value).hint_text("Value").desired_width(FIELD);
                let response = widgets::edit(ui, theme, edit);
                name(ui, &response, &format!("Label {number} value"));
                let response = ui.button("Remove");
                name(ui, &response, &format!("Remove label {number}"));
                if response.clicked() {
                    removed = Some(row);
                }
                reason(theme, ui, why(LabelAt::Free(row)));
            });
        }
        if let Some(row) = removed {
            self.labels.free.remove(row);
        }
        if ui.button("Add label").clicked() {
            self.labels.free.push(Default::default());
        }
    }

    /// Returns whether the panel is done.
    fn buttons(&self, cx: &mut Cx<'_>, ui: &mut Ui, run: &RunSummary) -> bool {
        let edits = self.edits(run);
        let refusal = match &edits {
            Err(()) => "Something above cannot be kept",
            Ok(edits) if edits.is_empty() => "Nothing was changed",
            Ok(_) => "",
        };
        ui.horizontal(|ui| {
            let ready = if refusal.is_empty() { Ok(()) } else { Err(refusal) };
            let saved = widgets::button_if(ui, "Save changes", ready);
            if saved {
                let edits = edits.unwrap_or_default();
                cx.commands.extend(edits.into_iter().map(|edit| Command::EditRun(run.id, edit)));
            }
            saved | ui.button("Cancel").clicked()
        })
        .inner
    }
}

fn caption(ui: &mut Ui, text: &str) -> Response {
    let size = vec2(88.0, CONTROL_HEIGHT);
    let layout = Layout::left_to_right(Align::Center);
    let inner = ui.allocate_ui_with_layout(size, layout, |ui| {
        ui.set_min_width(size.x);
        ui.add(Label::new(text).selectable(false))
    });
    inner.inner
}

fn reason(theme: &Theme, ui: &mut Ui, reason: Option<String>) {
    if let Some(reason) = reason {
        ui.add(Label::new(RichText::new(reason).color(theme.error)).wrap());
    }
}
