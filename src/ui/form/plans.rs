//! Saved plans: the list beside the form, saving, and the questions before anything is lost.

use eframe::egui::{Button, Frame, Label, Margin, RichText, ScrollArea, Stroke, Ui, vec2};

use crate::app::Command;
use crate::app::state::{PlanId, SavedPlan};
use crate::ui::theme::CONTROL_HEIGHT;
use crate::ui::{Cx, widgets};

use super::sheet::name;
use super::{LoadPage, Question, Replacement, Saving};

/// The list gets a search field when it is longer than this.
const PLANS_WITHOUT_SEARCH: usize = 6;

impl LoadPage {
    /// The list of saved plans.
    pub(super) fn plans(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        widgets::section(ui, "Saved plans");
        ui.horizontal(|ui| {
            if ui.button("New plan").clicked() {
                self.ask_to_replace(cx.state, Replacement::Fresh);
            }
            let import = ui.button("Import…").on_hover_text("Read a plan from a TOML file");
            name(ui, &import, "Import a plan from TOML…");
            if import.clicked() {
                cx.push(Command::ImportPlan);
            }
        });
        if cx.state.plans.is_empty() {
            let text = "No saved plans yet. Name the plan in the form and save it to use it again.";
            ui.add(Label::new(RichText::new(text).color(cx.theme.text_muted)).wrap());
            return;
        }
        if cx.state.plans.len() > PLANS_WITHOUT_SEARCH {
            let search = widgets::line(&mut self.search).hint_text("Search plans");
            let response = widgets::edit(ui, cx.theme, search.desired_width(f32::INFINITY));
            name(ui, &response, "Search plans");
        }
        self.shown_plan_actions(cx, ui);
        ui.separator();
        ScrollArea::vertical()
            .id_salt("plans")
            .auto_shrink([false, true])
            .show(ui, |ui| self.plan_list(cx, ui));
    }

    fn plan_list(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        let words: Vec<String> = self.search.split_whitespace().map(str::to_lowercase).collect();
        let mut clicked = None;
        let mut none = true;
        for saved in cx.state.plans.iter().filter(|saved| is_found(saved, &words)) {
            none = false;
            let shown = self.shown == Some(saved.id);
            let row = Button::selectable(shown, saved.plan.name.as_str()).truncate().right_text("");
            let row = ui.add(row.min_size(vec2(ui.available_width(), CONTROL_HEIGHT)));
            name(ui, &row, &saved.plan.name);
            if row.on_hover_text(saved.plan.target.url.as_str()).clicked() && !shown {
                clicked = Some(saved.id);
            }
        }
        if none {
            ui.label(RichText::new("No plan matches the search").color(cx.theme.text_muted));
        }
        if let Some(id) = clicked {
            self.ask_to_replace(cx.state, Replacement::Saved(id));
        }
    }

    fn shown_plan_actions(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        let shown = self.shown;
        ui.horizontal(|ui| {
            let why = "Choose a saved plan first";
            let duplicate = ui.add_enabled(shown.is_some(), Button::new("Duplicate"));
            if duplicate.on_disabled_hover_text(why).clicked() {
                cx.commands.extend(shown.map(Command::DuplicatePlan));
            }
            let delete = ui.add_enabled(shown.is_some(), Button::new("Delete…"));
            if delete.on_disabled_hover_text(why).clicked() {
                self.question = shown.map(Question::Delete);
            }
        });
    }

    /// Save, save as, export, and whether there are unsaved changes.
    pub(super) fn save_row(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        let refusal = self.save_refusal();
        let ready = refusal.as_deref().map_or(Ok(()), Err);
        if widgets::button_if(ui, "Save", ready) {
            self.save(cx);
        }
        let ready = self.check.plan.as_ref().map(drop).map_err(|_| self.check.words.as_str());
        if widgets::button_if(ui, "Save as…", ready) {
            self.save_as = Some(format!("{} copy", self.draft.name.trim()).trim().to_owned());
        }
        // An exported plan holds no secrets.
        if widgets::button_if(ui, "Export as TOML…", ready)
            && let Ok(plan) = &self.check.plan
        {
            cx.push(Command::ExportPlan(Box::new(plan.clone())));
        }
        if self.draft != self.clean {
            ui.label(RichText::new("Unsaved changes").color(cx.theme.warning));
        } else if self.shown.is_some() {
            ui.label(RichText::new("Saved").color(cx.theme.text_muted));
        }
    }

    /// The name of a copy, while it is being typed.
    pub(super) fn save_as_row(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        let Some(mut new_name) = self.save_as.take() else { return };
        let mut done = false;
        ui.horizontal(|ui| {
            let caption = ui.label("Save a copy as");
            let edit = widgets::line(&mut new_name).desired_width(240.0);
            widgets::edit(ui, cx.theme, edit).labelled_by(caption.id);
            let refusal = name_refusal(&new_name);
            let save = ui.add_enabled(refusal.is_none(), Button::new("Save copy"));
            if save.clicked() {
                new_name.trim().clone_into(&mut self.draft.name);
                self.check_again();
                self.shown = None;
                self.save(cx);
                done = true;
            }
            done |= ui.button("Cancel").clicked();
            if let Some(refusal) = refusal {
                ui.label(RichText::new(refusal).color(cx.theme.error));
            }
        });
        if !done {
            self.save_as = Some(new_name);
        }
    }

    fn save_refusal(&self) -> Option<String> {
        if self.check.plan.is_err() {
            return Some(self.check.words.clone());
        }
        name_refusal(&self.draft.name)
    }

    fn save(&mut self, cx: &mut Cx<'_>) {
        if let Ok(plan) = &self.check.plan {
            cx.push(Command::SavePlan(self.shown, Box::new(plan.clone())));
            let draft = self.draft.clone();
            self.saving = Some(Saving { id: self.shown, draft, plan: plan.clone(), then: None });
        }
    }

    /// A question in place: what would be lost, and the ways on.
    pub(super) fn question_ui(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        let Some(question) = self.question.take() else { return };
        let frame = Frame::new()
            .fill(cx.theme.raised)
            .stroke(Stroke::new(1.0, cx.theme.warning))
            .inner_margin(Margin::same(12))
            .corner_radius(4.0);
        let kept = frame.show(ui, |ui| {
            ui.set_width(ui.available_width());
            match question {
                Question::Replace(with) => self.ask_replace(cx, ui, with),
                Question::Delete(id) => ask_delete(cx, ui, id),
            }
        });
        self.question = self.question.take().or(kept.inner);
        ui.add_space(8.0);
    }

    fn ask_replace(&mut self, cx: &mut Cx<'_>, ui: &mut Ui, with: Replacement) -> Option<Question> {
        ui.label("The plan in the form has changes that are not saved");
        let refusal = self.save_refusal();
        let answer = ui.horizontal(|ui| {
            let save = ui.add_enabled(refusal.is_none(), Button::new("Save them first"));
            if save.on_disabled_hover_text(refusal.as_deref().unwrap_or_default()).clicked() {
                return Some(Answer::Save);
            }
            if ui.button("Discard changes").clicked() {
                return Some(Answer::Discard);
            }
            ui.button("Keep editing").clicked().then_some(Answer::Keep)
        });
        match answer.inner {
            None => return Some(Question::Replace(with)),
            Some(Answer::Discard) => self.replace(cx.state, with),
            Some(Answer::Save) => {
                self.save(cx);
                if let Some(saving) = &mut self.saving {
                    saving.then = Some(with);
                }
            }
            Some(Answer::Keep) => {}
        }
        None
    }
}

/// What shall happen to unsaved changes.
enum Answer {
    Save,
    Discard,
    Keep,
}

fn ask_delete(cx: &mut Cx<'_>, ui: &mut Ui, id: PlanId) -> Option<Question> {
    let saved = cx.state.plans.iter().find(|saved| saved.id == id)?;
    ui.label(format!("Delete the saved plan “{}”? Runs made with it stay.", saved.plan.name));
    let answered = ui.horizontal(|ui| {
        let delete = ui.button("Delete plan").clicked();
        if delete {
            cx.push(Command::DeletePlan(id));
        }
        delete | ui.button("Keep it").clicked()
    });
    (!answered.inner).then_some(Question::Delete(id))
}

fn name_refusal(name: &str) -> Option<String> {
    if name.trim().is_empty() {
        return Some("Give the plan a name first".to_owned());
    }
    crate::model::plan::check_name(name.trim()).err()
}

fn is_found(saved: &SavedPlan, words: &[String]) -> bool {
    let text = format!("{}\n{}", saved.plan.name, saved.plan.target.url).to_lowercase();
    words.iter().all(|word| text.contains(word.as_str()))
}
