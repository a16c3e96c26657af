//! Search, and what can be done with the chosen runs.

use std::collections::BTreeSet;

use eframe::egui::{Align, Button, ComboBox, Label, Layout, RichText, ScrollArea, Ui};

use crate::app::state::COMPARED_MAX;
use crate::app::{Command, ExportFormat};
use crate::model::sync::Author;
use crate::model::{RunId, RunSummary, number};
use crate::ui::form::name;
use crate::ui::theme::CONTROL_HEIGHT;
use crate::ui::{Cx, widgets};

use super::list::Whose;
use super::{HistoryPage, when};

/// What is said above runs that were deleted.
const TRASH: &str =
    "Deleted on another machine: kept here for 30 days. Deleted here: until Meshbench closes.";
/// Size of their list, in points.
const TRASH_WIDTH: f32 = 420.0;
const TRASH_HEIGHT: f32 = 300.0;

/// Shown where nothing is chosen.
const CHOOSE_FIRST: &str = "Choose a run first: point at a row, or press Space on it";

impl HistoryPage {
    /// The two lines above the table.
    pub(super) fn toolbar(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        ui.horizontal(|ui| {
            let hint = "Search name, label, URL, note, state   /";
            let search = widgets::line(&mut self.asked.query).hint_text(hint).desired_width(340.0);
            let search = widgets::edit(ui, cx.theme, search);
            name(ui, &search, "Search runs");
            self.search_id = Some(search.id);
            if std::mem::take(&mut self.focus_search) {
                search.request_focus();
            }
            self.whose(cx, ui);
            ui.label(RichText::new(self.counted(cx)).color(cx.theme.text_muted));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                undo_button(cx, ui);
                self.trash_menu(cx, ui);
            });
        });
        ui.horizontal(|ui| self.actions(cx, ui));
    }

    /// What was deleted on other machines, to bring back. What was deleted last has its button already.
    pub(super) fn trash_menu(&self, cx: &mut Cx<'_>, ui: &mut Ui) {
        let state = cx.state;
        let deleted = state.deleted.as_deref().unwrap_or_default();
        // All that was deleted last is in the trash too. This is asked in each frame, and may be of thousands.
        if state.trash.len() <= deleted.len() {
            return;
        }
        let last: BTreeSet<RunId> = deleted.iter().map(|run| run.id).collect();
        let trash: Vec<&RunSummary> = state.trash.iter().filter(|run| !last.contains(&run.id)).collect();
        let words = format!("Deleted runs ({})…", number::count(trash.len() as u64));
        ui.menu_button(words, |ui| {
            ui.set_min_width(TRASH_WIDTH);
            widgets::caption(ui, cx.theme, TRASH);
            let scrolled = ScrollArea::vertical().max_height(TRASH_HEIGHT);
            scrolled.show_rows(ui, CONTROL_HEIGHT, trash.len(), |ui, rows| {
                for run in &trash[rows] {
                    ui.horizontal(|ui| {
                        let back = ui.button("Bring back");
                        name(ui, &back, &format!("Bring back “{}”", run.name));
                        if back.clicked() {
                            cx.push(Command::RestoreRuns(vec![run.id]));
                        }
                        let when = when::local(run.started, &self.zone);
                        ui.add(Label::new(format!("{} · {when}", run.name)).truncate());
                    });
                }
            });
            if trash.len() > 1 && ui.button("Bring all back").clicked() {
                cx.push(Command::RestoreRuns(trash.iter().map(|run| run.id).collect()));
                ui.close();
            }
        });
    }

    /// Whose runs are shown; where there are only one's own, there is nothing to choose.
    fn whose(&mut self, cx: &Cx<'_>, ui: &mut Ui) {
        let authors: BTreeSet<&Author> = cx.state.sharing.authors.values().collect();
        if authors.is_empty() && self.asked.whose == Whose::Everybody {
            return;
        }
        let chosen = match &self.asked.whose {
            Whose::Everybody => "By everybody",
            Whose::Mine => "By me",
            Whose::Of(subject) => {
                let author = authors.iter().find(|author| author.subject == *subject);
                author.map_or("By nobody here", |author| author.name.as_str())
            }
        };
        let shown = ComboBox::from_id_salt("whose runs").selected_text(chosen).show_ui(ui, |ui| {
            ui.selectable_value(&mut self.asked.whose, Whose::Everybody, "By everybody");
            ui.selectable_value(&mut self.asked.whose, Whose::Mine, "By me");
            for author in authors {
                let of = Whose::Of(author.subject.clone());
                ui.selectable_value(&mut self.asked.whose, of, author.name.as_str());
            }
        });
        name(ui, &shown.response, &format!("Whose runs are shown: {chosen}"));
    }

    /// `30 runs`, `4 of 30 runs`.
    fn counted(&self, cx: &Cx<'_>) -> String {
        let all = cx.state.history.len();
        let noun = if all == 1 { "run" } else { "runs" };
        let shown = self.view.rows().len();
        let count = |value: usize| number::count(value as u64);
        if shown == all {
            format!("{} {noun}", count(all))
        } else {
            format!("{} of {} {noun}", count(shown), count(all))
        }
    }

    fn actions(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        let targets = self.targets();
        let one = (targets.len() == 1).then(|| targets[0]);
        let refusal = if targets.is_empty() { CHOOSE_FIRST } else { "Opens one run; compare shows several" };
        if action(ui, one.is_some(), "Open", refusal) {
            cx.commands.extend(one.map(Command::OpenRun));
        }
        let few = (2..=COMPARED_MAX).contains(&targets.len());
        let refusal = format!("Choose 2 to {COMPARED_MAX} runs with the boxes or the Space key");
        if action(ui, few, "Compare", &refusal) {
            cx.push(Command::Compare(targets.clone()));
        }
        ui.add_enabled_ui(!targets.is_empty(), |ui| export_menu(cx, ui, &targets));
        if action(ui, one.is_some(), "Edit…", if targets.is_empty() { CHOOSE_FIRST } else { "Edits one run" })
        {
            self.start_edit(cx.state);
        }
        if action(ui, !targets.is_empty(), "Delete", CHOOSE_FIRST) {
            self.delete(cx);
        }
        if self.selection.len() > 0 {
            ui.add_space(8.0);
            let count = number::count(self.selection.len() as u64);
            ui.label(RichText::new(format!("{count} chosen")).color(cx.theme.text));
            if ui.button("Choose none").clicked() {
                self.selection.clear();
            }
        }
    }
}

fn action(ui: &mut Ui, enabled: bool, words: &str, refusal: &str) -> bool {
    ui.add_enabled(enabled, Button::new(words)).on_disabled_hover_text(refusal).clicked()
}

fn export_menu(cx: &mut Cx<'_>, ui: &mut Ui, targets: &[RunId]) {
    let menu = ui.menu_button("Export…", |ui| {
        for format in ExportFormat::ALL {
            if ui.button(format.words()).clicked() {
                cx.push(Command::ExportRuns(targets.to_vec(), format));
                ui.close();
            }
        }
    });
    menu.response.on_disabled_hover_text(CHOOSE_FIRST);
}

fn undo_button(cx: &mut Cx<'_>, ui: &mut Ui) {
    let Some(deleted) = &cx.state.deleted else { return };
    let runs = if deleted.len() == 1 { "1 run".to_owned() } else { format!("{} runs", deleted.len()) };
    let button = ui.button("Undo delete").on_hover_text(format!("Brings back {runs}"));
    if button.clicked() {
        cx.push(Command::UndoDelete);
    }
    ui.label(RichText::new(format!("{runs} deleted")).color(cx.theme.text_muted));
}
