//! The history page: every run ever made, to find, open, compare, name, export and delete.

mod edit;
mod list;
mod selection;
mod table;
mod toolbar;
mod when;

use std::collections::BTreeSet;

use eframe::egui::{Align, Button, CentralPanel, Event, Id, Key, Label, Modifiers, RichText, Ui, vec2};
use jiff::tz::TimeZone;

use crate::app::state::StoreState;
use crate::app::{Command, Page, State};
use crate::model::RunId;

use super::theme::CONTROL_HEIGHT;
use super::{Cx, widgets};
use edit::Edit;
use list::{Asked, View, Whose};
use selection::Selection;
use table::table_id;

pub use list::{Column, Order};

/// Width of the words of an empty history, and of the ways on from there, in points.
const EMPTY_WIDTH: f32 = 420.0;
const EMPTY_BUTTON: f32 = 136.0;
/// How far Page up and Page down move.
const PAGE_ROWS: usize = 20;

/// The list of runs and what a person is doing with it.
#[derive(Debug)]
pub struct HistoryPage {
    asked: Asked,
    view: View,
    selection: Selection,
    /// The run that keys act on.
    cursor: Option<RunId>,
    edit: Option<Edit>,
    zone: TimeZone,
    /// The history for which selection and cursor were pruned.
    revision: u64,
    scroll_to: Option<usize>,
    search_id: Option<Id>,
    focus_search: bool,
    focus_edit: bool,
}

impl HistoryPage {
    /// The page with times in the zone of this machine.
    #[must_use]
    pub fn new() -> Self {
        Self::in_zone(TimeZone::system())
    }

    /// The page with times in this zone.
    #[must_use]
    pub fn in_zone(zone: TimeZone) -> Self {
        Self {
            asked: Asked::default(),
            view: View::default(),
            selection: Selection::default(),
            cursor: None,
            edit: None,
            zone,
            revision: 0,
            scroll_to: None,
            search_id: None,
            focus_search: false,
            focus_edit: false,
        }
    }

    /// How often rows were searched and sorted: once per change, never per frame.
    #[must_use]
    pub fn computed(&self) -> u64 {
        self.view.computed()
    }

    /// Draws the page and takes what a person does.
    pub fn ui(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        self.prune(cx.state);
        self.view.update(cx.state, &self.asked);
        self.keys(cx, ui);
        self.edit_panel(cx, ui);
        CentralPanel::no_frame().show(ui, |ui| self.body(cx, ui));
    }

    fn body(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        match &cx.state.store {
            StoreState::Opening => return widgets::waiting(ui, cx, "Reading history…"),
            StoreState::Failed { reason } => failed(cx, ui, reason),
            StoreState::Open => {}
        }
        if cx.state.history.is_empty() {
            if cx.state.store == StoreState::Open {
                self.empty(cx, ui);
            }
            return;
        }
        self.toolbar(cx, ui);
        // The rows of a new query are drawn in this frame already.
        self.view.update(cx.state, &self.asked);
        ui.add_space(4.0);
        if self.view.rows().is_empty() {
            self.no_match(cx, ui);
        } else {
            self.table(cx, ui);
        }
    }

    fn empty(&self, cx: &mut Cx<'_>, ui: &mut Ui) {
        let what = "Every run is kept here with its full latency distribution: to open again, compare, label and \
                    export. Try it sends ten seconds of load to a small service inside Meshbench.";
        let ready = if cx.state.is_running() { Err("A run is going") } else { Ok(()) };
        centred(ui, |ui| {
            ui.set_max_width(EMPTY_WIDTH.min(ui.available_width()));
            ui.label(RichText::new("No runs yet").heading());
            ui.add(Label::new(RichText::new(what).color(cx.theme.text_muted)).wrap().halign(Align::Center));
            ui.add_space(8.0);
            if widgets::primary_wide(ui, cx.theme, "Try it", EMPTY_BUTTON, ready) {
                cx.push(Command::TryIt);
            }
            let test = Button::new("Test a URL").min_size(vec2(EMPTY_BUTTON, CONTROL_HEIGHT + 4.0));
            if ui.add(test).clicked() {
                cx.push(Command::Go(Page::Load));
            }
            if cx.state.deleted.is_some() {
                let undo = Button::new("Undo delete").min_size(vec2(EMPTY_BUTTON, CONTROL_HEIGHT + 4.0));
                if ui.add(undo).clicked() {
                    cx.push(Command::UndoDelete);
                }
            }
            self.trash_menu(cx, ui);
        });
    }

    /// Forgets runs that are gone.
    fn prune(&mut self, state: &State) {
        if self.revision == state.history_revision {
            return;
        }
        self.revision = state.history_revision;
        let present: BTreeSet<RunId> = state.history.iter().map(|run| run.id).collect();
        self.selection.keep(&present);
        self.cursor = self.cursor.filter(|id| present.contains(id));
    }

    /// The chosen runs, or the one pointed at.
    fn targets(&self) -> Vec<RunId> {
        if self.selection.len() > 0 { self.selection.in_order() } else { self.cursor.into_iter().collect() }
    }

    fn delete(&mut self, cx: &mut Cx<'_>) {
        let targets = self.targets();
        if !targets.is_empty() {
            cx.push(Command::DeleteRuns(targets));
        }
    }

    /// Keys of the whole page, unless a field or button has them.
    fn keys(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        let focused = ui.memory(|memory| memory.focused());
        let down = |ui: &mut Ui, key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
        if focused.is_some() && focused == self.search_id {
            if down(ui, Key::ArrowDown) || down(ui, Key::Enter) {
                ui.memory_mut(|memory| memory.request_focus(table_id()));
                self.point(cx.state, 0);
            }
            return;
        }
        if ui.ctx().text_edit_focused() {
            return;
        }
        if slash(ui) {
            self.focus_search = true;
        }
        if focused.is_some_and(|id| id != table_id()) {
            return;
        }
        let rows = self.view.rows().len();
        let at = self.cursor.and_then(|id| self.row_of(cx.state, id));
        let next = at.map_or(0, |at| at + 1);
        for (key, row) in [
            (Key::ArrowDown, next),
            (Key::ArrowUp, at.unwrap_or(0).saturating_sub(1)),
            (Key::PageDown, at.unwrap_or(0) + PAGE_ROWS),
            (Key::PageUp, at.unwrap_or(0).saturating_sub(PAGE_ROWS)),
            (Key::Home, 0),
            (Key::End, rows),
        ] {
            if down(ui, key) {
                self.point(cx.state, row);
            }
        }
        if ui.input_mut(|input| input.consume_key(Modifiers::COMMAND, Key::A)) {
            self.choose_all(cx.state);
        }
        if down(ui, Key::Space)
            && let Some(id) = self.cursor
        {
            self.selection.toggle(id);
        }
        if down(ui, Key::Enter) {
            cx.commands.extend(self.cursor.map(Command::OpenRun));
        }
        if down(ui, Key::Delete) {
            self.delete(cx);
        }
        if down(ui, Key::F2) {
            self.start_edit(cx.state);
        }
        if self.selection.len() > 0 && down(ui, Key::Escape) {
            self.selection.clear();
        }
    }

    fn choose_all(&mut self, state: &State) {
        for at in self.view.rows() {
            self.selection.add(state.history[*at].id);
        }
    }

    /// Moves the cursor to this row, or the last one.
    fn point(&mut self, state: &State, row: usize) {
        let Some(last) = self.view.rows().len().checked_sub(1) else { return };
        let row = row.min(last);
        self.cursor = Some(state.history[self.view.rows()[row]].id);
        self.scroll_to = Some(row);
    }

    fn row_of(&self, state: &State, id: RunId) -> Option<usize> {
        self.view.rows().iter().position(|at| state.history[*at].id == id)
    }

    fn no_match(&mut self, cx: &Cx<'_>, ui: &mut Ui) {
        centred(ui, |ui| {
            ui.label(RichText::new("No run matches the search").heading());
            let hint = "Words are searched in names, labels (mesh=istio), URLs, notes and states";
            ui.label(RichText::new(hint).color(cx.theme.text_muted));
            if ui.button("Clear search").clicked() {
                self.asked.query.clear();
                self.asked.whose = Whose::Everybody;
            }
        });
    }
}

impl Default for HistoryPage {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether `/` was typed, wherever it is on the keyboard. It does not reach the field that gets the focus.
fn slash(ui: &mut Ui) -> bool {
    ui.input_mut(|input| {
        let before = input.events.len();
        input.events.retain(|event| !matches!(event, Event::Text(text) if text == "/"));
        let typed = input.events.len() < before;
        input.consume_key(Modifiers::NONE, Key::Slash) || typed
    })
}

fn failed(cx: &mut Cx<'_>, ui: &mut Ui, reason: &str) {
    let kept = format!(
        "{reason}\nRuns made now are kept in memory until Meshbench closes; export what you need. Data folder: {}",
        cx.state.data_dir.display()
    );
    if widgets::failure(ui, cx.theme, "History could not be read", &kept, Some("Retry")) {
        cx.push(Command::ReloadHistory);
    }
    ui.add_space(8.0);
}

/// In the middle, a third from the top.
fn centred(ui: &mut Ui, add: impl FnOnce(&mut Ui)) {
    let space = ui.available_height() / 3.0;
    ui.vertical_centered(|ui| {
        ui.add_space(space);
        add(ui);
    });
}
