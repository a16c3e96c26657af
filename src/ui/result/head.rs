//! What a person has written about a run, what they can do with it, and what they must know of it.

use eframe::egui::{
    Align, Button, CornerRadius, FontId, Key, Label, Layout, Rect, Response, RichText, Role, Sense, Stroke,
    StrokeKind, Ui, Vec2, WidgetInfo, pos2, vec2,
};

use super::ResultView;
use crate::app::{Command, ExportFormat};
use crate::model::plan::{check_label, check_name};
use crate::model::run::RunEdit;
use crate::model::{Ended, KNOWN_LABELS, Labels, Run, number};
use crate::ui::theme::{CONTROL_HEIGHT, CORNER, SIZE_BODY, SIZE_SMALL, SPACE};
use crate::ui::{Cx, icon, widgets};

/// Width of the fields of a new label, in points.
const LABEL_WIDTH: f32 = 120.0;
/// The most characters of a note.
const NOTE_MAX: usize = 4000;

/// What is being written and not kept yet.
#[derive(Debug, Default)]
pub(super) struct Draft {
    name: Option<String>,
    note: Option<String>,
    label: Option<(String, String)>,
    reason: String,
}

/// Whether notes are told in brief.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Brief {
    Yes,
    No,
}

/// Back, the name, and what can be done with the run.
pub(super) fn title(cx: &mut Cx<'_>, ui: &mut Ui, view: &mut ResultView, run: &Run) {
    const ACTIONS_WIDTH: f32 = 310.0;
    ui.horizontal(|ui| {
        if icon::Icon::Back.button(ui, "Back to history").clicked() {
            cx.push(Command::CloseRun);
        }
        let room = vec2((ui.available_width() - ACTIONS_WIDTH).max(120.0), CONTROL_HEIGHT);
        ui.allocate_ui_with_layout(room, Layout::left_to_right(Align::Center), |ui| {
            ui.set_min_width(room.x);
            name(cx, ui, &mut view.draft, run);
        });
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            actions(cx, ui, view.is_redacted, &mut view.publish.is_shown, run);
        });
    });
}

fn name(cx: &mut Cx<'_>, ui: &mut Ui, draft: &mut Draft, run: &Run) {
    let Some(text) = &mut draft.name else {
        ui.scope(|ui| {
            ui.set_max_width((ui.available_width() - 90.0).max(80.0));
            let text = RichText::new(&run.name).heading();
            ui.add(Label::new(text).truncate());
        });
        if ui.small_button("Rename").clicked() {
            draft.name = Some(run.name.clone());
        }
        return;
    };
    let reason =
        check_name(text).err().or_else(|| text.trim().is_empty().then(|| "a name is missing".to_owned()));
    if reason.is_some() {
        widgets::mark_invalid(ui, cx.theme);
    }
    let width = (ui.available_width() - 160.0).max(120.0);
    let response = widgets::edit(ui, cx.theme, widgets::line(text).desired_width(width));
    named(&response, "Name of the run", text);
    match finished(ui, &response) {
        Some(Finished::Kept) if reason.is_none() => {
            let name = text.trim().to_owned();
            if name != run.name {
                cx.push(Command::EditRun(run.id, RunEdit::Name(name)));
            }
            draft.name = None;
        }
        Some(Finished::Dropped) => draft.name = None,
        Some(Finished::Kept) | None => {
            if let Some(reason) = reason {
                ui.label(RichText::new(reason).small().color(cx.theme.error));
            }
            if !response.has_focus() {
                response.request_focus();
            }
        }
    }
}

/// How writing in a field ended.
enum Finished {
    Kept,
    Dropped,
}

/// Enter or going elsewhere keeps what was written, Esc drops it.
fn finished(ui: &Ui, response: &Response) -> Option<Finished> {
    if !response.lost_focus() {
        return None;
    }
    let dropped = ui.input(|input| input.key_pressed(Key::Escape));
    Some(if dropped { Finished::Dropped } else { Finished::Kept })
}

fn named(response: &Response, name: &str, text: &str) {
    response.widget_info(|| {
        let mut info = WidgetInfo::text_edit(true, text, text, "");
        info.label = Some(name.to_owned());
        info
    });
}

/// From right to left.
fn actions(cx: &mut Cx<'_>, ui: &mut Ui, is_redacted: bool, publishes: &mut bool, run: &Run) {
    let plan = || Box::new(run.plan.clone());
    if is_redacted {
        let hint = "Secrets are not kept with a run: put them in first";
        if widgets::primary(ui, cx.theme, "Run again…").on_hover_text(hint).clicked() {
            cx.push(Command::EditPlan(plan()));
        }
    } else if widgets::primary(ui, cx.theme, "Run again").clicked() {
        cx.push(Command::StartRun(plan()));
    }
    if ui.add(Button::new("Edit plan").min_size(vec2(0.0, CONTROL_HEIGHT + 4.0))).clicked() {
        cx.push(Command::EditPlan(plan()));
    }
    export(cx, ui, "Export", &[run.id], |ui| {
        ui.separator();
        if ui.button("Publish to Meshery (experimental)…").clicked() {
            *publishes = true;
            ui.close();
        }
    });
}

/// A button whose menu has every format, and what else there is.
pub(in crate::ui) fn export(
    cx: &mut Cx<'_>,
    ui: &mut Ui,
    words: &str,
    runs: &[crate::model::RunId],
    more: impl FnOnce(&mut Ui),
) {
    let button = Button::new(words).min_size(vec2(0.0, CONTROL_HEIGHT + 4.0));
    eframe::egui::containers::menu::MenuButton::from_button(button).ui(ui, |ui| {
        for format in ExportFormat::ALL {
            if ui.button(format.words()).clicked() {
                cx.push(Command::ExportRuns(runs.to_vec(), format));
                ui.close();
            }
        }
        more(ui);
    });
}

/// Where, when, how long; labels; note.
pub(super) fn particulars(cx: &mut Cx<'_>, ui: &mut Ui, draft: &mut Draft, run: &Run) {
    let theme = cx.theme;
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = SPACE[2];
        let method = &run.plan.request.method;
        ui.label(RichText::new(format!("{method} {}", run.plan.target.url)).color(theme.text_muted));
        ui.label(RichText::new(widgets::when(run.started)).color(theme.text_muted));
        ui.label(RichText::new(format!("{} long", number::clock(run.elapsed_s))).color(theme.text_muted));
        let color = if run.ended == Ended::Completed { theme.text_muted } else { theme.warning };
        ui.label(RichText::new(run.ended.words()).color(color));
    });
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = SPACE[0];
        labels(cx, ui, draft, run);
        ui.add_space(SPACE[1]);
        note(cx, ui, draft, run);
    });
    if !draft.reason.is_empty() {
        ui.label(RichText::new(&draft.reason).small().color(theme.error));
    }
    ui.add_space(SPACE[0]);
}

fn labels(cx: &mut Cx<'_>, ui: &mut Ui, draft: &mut Draft, run: &Run) {
    for (key, value) in &run.labels {
        let words = KNOWN_LABELS.iter().find(|known| known.0 == key).map_or(key.as_str(), |known| known.1);
        if chip(cx, ui, words, value) {
            let mut labels = run.labels.clone();
            labels.remove(key);
            cx.push(Command::EditRun(run.id, RunEdit::Labels(labels)));
        }
    }
    match &mut draft.label {
        None => {
            if ui.button("Add label").clicked() {
                draft.label = Some((String::new(), String::new()));
            }
        }
        Some(label) => match new_label(ui, label) {
            Some(Finished::Kept) => match with_label(&run.labels, label) {
                Ok(labels) => {
                    cx.push(Command::EditRun(run.id, RunEdit::Labels(labels)));
                    *draft = Draft { name: draft.name.take(), note: draft.note.take(), ..Draft::default() };
                }
                Err(reason) => draft.reason = reason,
            },
            Some(Finished::Dropped) => {
                draft.label = None;
                draft.reason.clear();
            }
            None => {}
        },
    }
}

/// A label and a button that removes it; whether it was clicked.
fn chip(cx: &Cx<'_>, ui: &mut Ui, key: &str, value: &str) -> bool {
    const CROSS_WIDTH: f32 = 22.0;
    let theme = cx.theme;
    let galley = |text: &str, size, color| {
        ui.painter().layout_no_wrap(text.to_owned(), FontId::proportional(size), color)
    };
    let key_drawn = galley(key, SIZE_SMALL, theme.text_muted);
    let value_drawn = galley(value, SIZE_BODY, theme.text);
    let width = SPACE[1] + key_drawn.size().x + SPACE[0] + value_drawn.size().x + CROSS_WIDTH;
    let (rect, whole) = ui.allocate_exact_size(vec2(width, CONTROL_HEIGHT), Sense::hover());
    whole.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{key}: {value}")));
    let cross = Rect::from_min_max(pos2(rect.right() - CROSS_WIDTH, rect.top()), rect.max);
    let remove = ui.interact(cross, whole.id.with("remove"), Sense::click());
    remove.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("Remove label {key}")));
    let (corner, border) = (CornerRadius::same(CORNER), Stroke::new(1.0, theme.border));
    ui.painter().rect(rect, corner, theme.surface, border, StrokeKind::Inside);
    let middle = |size: Vec2, left: f32| pos2(left, rect.center().y - size.y / 2.0);
    let left = rect.left() + SPACE[1];
    let after = left + key_drawn.size().x + SPACE[0];
    ui.painter().galley(middle(key_drawn.size(), left), key_drawn.clone(), theme.text_muted);
    ui.painter().galley(middle(value_drawn.size(), after), value_drawn.clone(), theme.text);
    let color = if remove.hovered() || remove.has_focus() { theme.text } else { theme.text_muted };
    let square = Rect::from_center_size(cross.center(), Vec2::splat(11.0));
    icon::Icon::Close.paint(ui.painter(), square, color);
    remove.on_hover_text("Remove this label").clicked()
}

fn new_label(ui: &mut Ui, (key, value): &mut (String, String)) -> Option<Finished> {
    let of_key = ui.add(widgets::line(key).hint_text("key").desired_width(LABEL_WIDTH));
    named(&of_key, "Key of the new label", key);
    let of_value = ui.add(widgets::line(value).hint_text("value").desired_width(LABEL_WIDTH));
    named(&of_value, "Value of the new label", value);
    let (enter, escape) = ui.input(|input| (input.key_pressed(Key::Enter), input.key_pressed(Key::Escape)));
    let writing = of_key.lost_focus() || of_value.lost_focus();
    if ui.button("Add").clicked() || (writing && enter) {
        return Some(Finished::Kept);
    }
    (ui.button("Cancel").clicked() || (writing && escape)).then_some(Finished::Dropped)
}

fn with_label(labels: &Labels, (key, value): &(String, String)) -> Result<Labels, String> {
    let (key, value) = (key.trim(), value.trim());
    check_label(key, value)?;
    let mut labels = labels.clone();
    labels.insert(key.to_owned(), value.to_owned());
    Ok(labels)
}

fn note(cx: &mut Cx<'_>, ui: &mut Ui, draft: &mut Draft, run: &Run) {
    let mut text = draft.note.clone().unwrap_or_else(|| run.note.clone());
    let width = ui.available_width().clamp(160.0, 520.0);
    let edit = widgets::line(&mut text).hint_text("Add a note").desired_width(width).char_limit(NOTE_MAX);
    let response = widgets::edit(ui, cx.theme, edit);
    named(&response, "Note", &text);
    match finished(ui, &response) {
        Some(Finished::Kept) => {
            if text != run.note {
                cx.push(Command::EditRun(run.id, RunEdit::Note(text)));
            }
            draft.note = None;
        }
        Some(Finished::Dropped) => draft.note = None,
        None if response.changed() => draft.note = Some(text),
        None => {}
    }
}

/// What must be known before the numbers are trusted; loudest first. In brief, where plots need the room, only
/// what makes a run void is told in full.
pub(super) fn warnings(cx: &Cx<'_>, ui: &mut Ui, run: &Run, brief: Brief) {
    let (void, others): (Vec<_>, Vec<_>) = run.warnings.iter().partition(|warning| warning.kind.voids());
    let void =
        void.first().map(|warning| ("This run is void: do not use its numbers", warning.text.as_str()));
    let others: Vec<_> = others.iter().map(|warning| warning.text.as_str()).collect();
    let several = format!("{} notes on how far to trust these numbers: see Summary", others.len());
    if brief == Brief::Yes && others.len() > 1 {
        widgets::notes(ui, cx.theme, void, &[&several]);
    } else {
        widgets::notes(ui, cx.theme, void, &others);
    }
}
