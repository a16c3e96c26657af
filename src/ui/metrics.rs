//! The metrics page: a source and a board at the head, the board's panels beneath, an editor beside them.
//!
//! | file | duty |
//! |---|---|
//! | `head` | source, board, time, scope, variables, what can be done with boards |
//! | `source` | the form for a source, and the page before there is one |
//! | `board` | rows and the grid of panels, zoom on all at once, what is old |
//! | `panel` | one panel: title, marks, states; `over_time` and `figures` draw what it shows |
//! | `series` | what is drawn, made from answers |
//! | `editor` | boards and panels of one's own |
//! | `kept` | what was kept with a run: panels, costs |

mod board;
mod chooser;
mod editor;
mod figures;
mod head;
pub mod kept;
mod over_time;
mod panel;
mod series;
mod source;

use std::collections::BTreeMap;
use std::sync::Arc;

use eframe::egui::{CentralPanel, Frame, Key, KeyboardShortcut, Margin, Modifiers, Panel, Ui};

use super::theme::SPACE;
use super::{Cx, widgets};
use crate::app::Command;
use crate::app::metrics::{MetricsCommand, Range, Standing, View};
use crate::model::cluster::Trouble;
use crate::model::metrics::{Board, BoardId, Facts, Feed, SourceId, fed};
use board::{BoardView, Wish};
use editor::Editor;
use source::SourceForm;

/// The keys that open the form for a source.
pub(super) const ADD_SOURCE: KeyboardShortcut =
    KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::A);
/// The keys that begin a board of one's own.
pub(super) const NEW_BOARD: KeyboardShortcut =
    KeyboardShortcut::new(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::B);
/// Width of what is beside the board, in points.
const SIDE_WIDTH: f32 = 340.0;
/// Narrower than this, the editor takes the place of the board, in points.
const BESIDE_MIN: f32 = 760.0;

/// The page and what a person is doing with it.
#[derive(Debug, Default)]
pub struct MetricsPage {
    form: Option<SourceForm>,
    side: Side,
    board: BoardView,
    /// What is searched in each list that opens, by its name.
    queries: BTreeMap<String, String>,
    /// What is written for variables, until it is taken.
    texts: BTreeMap<String, String>,
    /// Which the last time was that goes on, in seconds.
    last_s: Option<u64>,
    /// How much of the board on show is fed, and of what that was worked out.
    fed: Option<(Arc<Board>, Arc<Facts>, Feed)>,
}

/// What is beside the board.
#[derive(Debug, Default)]
enum Side {
    #[default]
    Nothing,
    /// Boards of a Grafana, and what is searched among them.
    Grafana(String),
    Editor(Box<Editor>),
}

impl MetricsPage {
    /// Draws the page and takes what a person does.
    pub fn ui(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        self.keys(ui);
        if let Some(form) = &mut self.form {
            if form.ui(cx, ui) {
                self.form = None;
            }
            return;
        }
        if cx.state.metrics.book.sources.is_empty() {
            self.form = source::first(cx, ui);
            return;
        }
        if let Range::Last(seconds) = cx.state.metrics.view.range {
            self.last_s = Some(seconds);
        }
        if ui.input_mut(|input| input.consume_shortcut(&NEW_BOARD)) {
            self.new_board(cx);
        }
        self.head(cx, ui);
        ui.add_space(SPACE[1]);
        self.beside(cx, ui);
    }

    /// `Ctrl+Shift+A` opens the form, Esc closes what is open.
    fn keys(&mut self, ui: &Ui) {
        if ui.input_mut(|input| input.consume_shortcut(&ADD_SOURCE)) && self.form.is_none() {
            self.form = Some(SourceForm::new());
        }
        let is_open = self.form.is_some() || !matches!(self.side, Side::Nothing);
        let is_free = !ui.ctx().text_edit_focused() && !ui.ctx().any_popup_open();
        if is_open && is_free && ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape)) {
            self.form = None;
            self.side = Side::Nothing;
        }
    }

    /// The board, and at its right what is open beside it.
    fn beside(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        if matches!(self.side, Side::Nothing) {
            return self.body(cx, ui);
        }
        if ui.available_width() < BESIDE_MIN {
            return self.side(cx, ui);
        }
        let frame = Frame::new().inner_margin(Margin { left: 16, ..Margin::ZERO });
        Panel::right("beside the board").exact_size(SIDE_WIDTH).resizable(false).frame(frame).show(
            ui,
            |ui| {
                self.side(cx, ui);
            },
        );
        let frame = Frame::new().inner_margin(Margin { right: 16, ..Margin::ZERO });
        CentralPanel::default().frame(frame).show(ui, |ui| self.body(cx, ui));
    }

    fn side(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        let is_done = match &mut self.side {
            Side::Nothing => false,
            Side::Grafana(query) => editor::dashboards(cx, ui, query),
            Side::Editor(editor) => editor.ui(cx, ui),
        };
        if is_done {
            self.side = Side::Nothing;
        }
    }

    fn body(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        // As long as the state, not as `cx`.
        let state = cx.state;
        let Some(shown) = &state.metrics.shown else { return self.no_board(cx, ui) };
        let is_own = state.metrics.own(&shown.board.id).is_some();
        match self.board.ui(cx, ui, shown, is_own) {
            Some(Wish::Look(range)) => look(cx, |view| view.range = range),
            Some(Wish::Back) => self.back(cx),
            Some(Wish::Edit(place)) => {
                self.side = Side::Editor(Box::new(Editor::of(&shown.board, Some(place))));
            }
            None => {}
        }
    }

    /// The time that goes on, as before a part of it was asked for.
    fn back(&self, cx: &mut Cx<'_>) {
        if matches!(cx.state.metrics.view.range, Range::Between(..)) {
            let seconds = self.last_s.unwrap_or(900);
            look(cx, |view| view.range = Range::Last(seconds));
        }
    }

    /// There is a source, and no board of it to see.
    fn no_board(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        let metrics = &cx.state.metrics;
        let Some(source) = metrics.source() else {
            let words = "Choose one of the sources above.";
            widgets::empty_state(ui, cx.theme, "No source is chosen", words, None);
            return;
        };
        let standing = metrics.standing().cloned().unwrap_or_default();
        if standing.trouble.is_some() {
            // The head has said why.
            let words = "Boards are shown as soon as the source answers.";
            widgets::empty_state(ui, cx.theme, "Nothing to show yet", words, None);
        } else if standing.is_asking || standing.facts.is_none() {
            widgets::waiting(ui, cx, &format!("Asking {} what it knows…", source.name));
        } else {
            let words = "Choose a board above, import one from Grafana, or make one of your own.";
            if widgets::empty_state(ui, cx.theme, "No board is chosen", words, Some("New board")) {
                self.new_board(cx);
            }
        }
    }

    /// How much of the board on show its source feeds; none while its metrics are not known.
    fn fed(&mut self, cx: &Cx<'_>) -> Option<&Feed> {
        let metrics = &cx.state.metrics;
        let (facts, board) = (metrics.facts()?, &metrics.shown.as_ref()?.board);
        if facts.names.is_empty() {
            return None;
        }
        let is_same =
            |(of, by, _): &(Arc<Board>, Arc<Facts>, Feed)| Arc::ptr_eq(of, board) && Arc::ptr_eq(by, facts);
        if !self.fed.as_ref().is_some_and(is_same) {
            self.fed = Some((Arc::clone(board), Arc::clone(facts), fed(board, &facts.names)));
        }
        self.fed.as_ref().map(|(.., feed)| feed)
    }

    fn new_board(&mut self, cx: &mut Cx<'_>) {
        let board = editor::new_board();
        let mut editor = Editor::of(&board, None);
        editor.begin_panel();
        cx.metrics(MetricsCommand::PutBoard(Box::new(board.clone())));
        cx.metrics(MetricsCommand::ChooseBoard(board.id.clone()));
        self.side = Side::Editor(Box::new(editor));
    }
}

impl Cx<'_> {
    /// Asks for something about metrics.
    pub(super) fn metrics(&mut self, command: MetricsCommand) {
        self.push(Command::Metrics(command));
    }
}

/// Asks for another view.
fn look(cx: &mut Cx<'_>, change: impl FnOnce(&mut View)) {
    let mut view = cx.state.metrics.view.clone();
    change(&mut view);
    if view != cx.state.metrics.view {
        cx.metrics(MetricsCommand::Look(view));
    }
}

/// What is wrong with a source, as words to copy.
fn trouble_words(trouble: &Trouble) -> String {
    format!("{}\n{}", trouble.cause, trouble.advice)
}

/// `Last 15 min`, `Last 6 h`, `Last 7 d`.
fn last_words(seconds: u64) -> String {
    format!("Last {}", length_words(seconds))
}

/// `10 s`, `15 min`, `6 h`, `7 d`.
fn length_words(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// Whether a board is kept with runs.
fn keeps(with_runs: &[BoardId], board: &BoardId) -> bool {
    with_runs.contains(board)
}

/// How a source stands; as if nobody had asked where nothing is known.
fn standing(cx: &Cx<'_>, id: SourceId) -> Standing {
    cx.state.metrics.stands.get(&id).cloned().unwrap_or_default()
}
