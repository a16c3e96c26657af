//! Boards and panels of a person's own: title, kind, unit, queries; and the list of boards of a Grafana.

use std::ops::Range;
use std::sync::Arc;

use eframe::egui::cache::{ComputerMut, FrameCache};
use eframe::egui::text::{CCursor, CCursorRange};
use eframe::egui::{ComboBox, Context, Label, RichText, ScrollArea, TextEdit, TextStyle, Ui};
use uuid::Uuid;

use crate::app::metrics::{Completion, MetricsCommand, check_promql, complete};
use crate::model::metrics::board::{PANELS_MAX, PanelPlace, QUERIES_MAX};
use crate::model::metrics::{Ask, Board, BoardId, Facts, Panel, PanelKind, PanelQuery, Row, Unit};
use crate::ui::clusters::name;
use crate::ui::theme::SPACE;
use crate::ui::widgets::{self, Field};
use crate::ui::{Cx, icon};

/// The kinds that can be made.
const KINDS: [(PanelKind, &str); 6] = [
    (PanelKind::TimeSeries, "Lines over time"),
    (PanelKind::Stat, "Large number"),
    (PanelKind::Gauge, "Gauge"),
    (PanelKind::BarGauge, "Bars"),
    (PanelKind::Table, "Table"),
    (PanelKind::Heatmap, "Buckets as colours"),
];
/// The widths that can be chosen, in columns.
const WIDTHS: [(u16, &str); 4] = [(6, "Quarter"), (8, "Third"), (12, "Half"), (24, "Whole")];

/// A board that is being changed, and the panel of it that is.
#[derive(Debug)]
pub(super) struct Editor {
    board: BoardId,
    title: String,
    panel: Option<PanelDraft>,
}

/// A panel as it is being written.
#[derive(Debug)]
struct PanelDraft {
    /// None for a new one.
    place: Option<PanelPlace>,
    panel: Panel,
    /// The unit's own word, where it is none of ours.
    word: String,
    /// The cursor of the query that is being written, in characters.
    cursor: Option<(usize, usize)>,
    /// What was last offered there.
    offered: Option<Offered>,
}

/// What the word at a cursor may become, and of what that was worked out.
#[derive(Debug)]
struct Offered {
    /// The number of the query, and the cursor in it, in characters.
    at: (usize, usize),
    text: String,
    facts: Arc<Facts>,
    found: Completion,
}

/// Holds texts against the language, each once for as long as it is on show.
#[derive(Debug, Default)]
struct Checks;

impl ComputerMut<&str, Result<(), String>> for Checks {
    fn compute(&mut self, text: &str) -> Result<(), String> {
        check_promql(text)
    }
}

/// Whether a text is PromQL, as [`check_promql`] says.
fn checked(ctx: &Context, text: &str) -> Result<(), String> {
    ctx.memory_mut(|memory| memory.caches.cache::<FrameCache<Result<(), String>, Checks>>().get(text).clone())
}

/// A board with nothing on it.
pub(super) fn new_board() -> Board {
    let mut board = Board::new(BoardId(Uuid::now_v7().to_string()), "My board");
    board.rows.push(Row::default());
    board
}

/// A board of a person's own, out of any.
pub(super) fn copy_of(board: &Board) -> Board {
    let (id, title) = (BoardId(Uuid::now_v7().to_string()), format!("{} (copy)", board.title));
    Board { id, title, ..board.clone() }
}

fn new_panel() -> Panel {
    let mut panel = Panel::new("", PanelKind::TimeSeries, Unit::None);
    panel.width = 12;
    panel.queries.push(new_query(0));
    panel
}

fn new_query(at: usize) -> PanelQuery {
    let letter = char::from(b'A' + u8::try_from(at % QUERIES_MAX).unwrap_or_default());
    PanelQuery {
        name: letter.to_string(),
        ask: Ask::PromQl(String::new()),
        legend: String::new(),
        is_instant: false,
        is_hidden: false,
    }
}

fn units() -> [(Unit, &'static str); 13] {
    [
        (Unit::None, "Number"),
        (Unit::Short, "Number, thousands shortened"),
        (Unit::Millis, "Milliseconds"),
        (Unit::Seconds, "Seconds"),
        (Unit::Bytes, "Bytes"),
        (Unit::BytesPerSec, "Bytes per second"),
        (Unit::BitsPerSec, "Bits per second"),
        (Unit::Share, "Share, 0 to 1"),
        (Unit::Percent, "Per cent, 0 to 100"),
        (Unit::Rate, "Per second"),
        (Unit::Cores, "CPUs"),
        (Unit::Moment, "Moment"),
        (Unit::Other(String::new()), "Another…"),
    ]
}

impl Editor {
    /// For a board, and a panel of it at once.
    pub(super) fn of(board: &Board, place: Option<PanelPlace>) -> Self {
        let panel = place.and_then(|place| PanelDraft::of(board, place));
        Self { board: board.id.clone(), title: board.title.clone(), panel }
    }

    /// Begins with a new panel.
    pub(super) fn begin_panel(&mut self) {
        self.panel = Some(PanelDraft::new(None, new_panel(), String::new()));
    }

    /// Draws it; whether it is done with.
    pub(super) fn ui(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) -> bool {
        // As long as the state, not as `cx`.
        let state = cx.state;
        let Some(board) = state.metrics.own(&self.board) else {
            widgets::waiting(ui, cx, "Making the board…");
            return ui.button("Close").clicked();
        };
        let mut is_done = false;
        ui.horizontal(|ui| {
            let words = match &self.panel {
                None => "Edit board",
                Some(draft) if draft.place.is_none() => "New panel",
                Some(_) => "Edit panel",
            };
            widgets::section(ui, words);
            ui.with_layout(eframe::egui::Layout::right_to_left(eframe::egui::Align::Center), |ui| {
                is_done = icon::Icon::Close.button(ui, "Close the editor").clicked();
            });
        });
        ScrollArea::vertical().id_salt("editor").auto_shrink(false).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = SPACE[1];
            ui.set_max_width(ui.available_width() - SPACE[2]);
            match &mut self.panel {
                Some(draft) => match draft.ui(cx, ui) {
                    Some(Outcome::Save) => {
                        let board = draft.put_into(board.clone());
                        cx.metrics(MetricsCommand::PutBoard(Box::new(board)));
                        self.panel = None;
                    }
                    Some(Outcome::Remove) => {
                        let board = draft.taken_out_of(board.clone());
                        cx.metrics(MetricsCommand::PutBoard(Box::new(board)));
                        self.panel = None;
                    }
                    Some(Outcome::Leave) => self.panel = None,
                    None => {}
                },
                None => self.board(cx, ui, board),
            }
        });
        is_done
    }

    fn board(&mut self, cx: &mut Cx<'_>, ui: &mut Ui, board: &Board) {
        let reason = self.title.trim().is_empty().then_some("A board has a title");
        let field = Field { name: "Title", reason, ..Field::default() };
        let title = widgets::field(ui, cx.theme, field, &mut self.title);
        if title.lost_focus() && reason.is_none() && self.title.trim() != board.title {
            let board = Board { title: self.title.trim().to_owned(), ..board.clone() };
            cx.metrics(MetricsCommand::PutBoard(Box::new(board)));
        }
        widgets::caption(ui, cx.theme, "Panels");
        let mut changed = None;
        for (place, panel) in board.panels() {
            ui.horizontal(|ui| {
                let title = if panel.title.is_empty() { "Untitled panel" } else { &panel.title };
                let edit = ui.small_button("Edit");
                name(ui, edit.id, &format!("Edit {title}"));
                if edit.clicked() {
                    self.panel = PanelDraft::of(board, place);
                }
                let up = ui.add_enabled(place.panel > 0, eframe::egui::Button::new("↑").small());
                name(ui, up.id, &format!("Move {title} up"));
                if up.clicked() {
                    changed = Some(moved(board, place));
                }
                ui.add(Label::new(title).truncate());
            });
        }
        if let Some(board) = changed {
            cx.metrics(MetricsCommand::PutBoard(Box::new(board)));
        }
        let room =
            if board.panels().count() < PANELS_MAX { Ok(()) } else { Err("A board has no room for more") };
        if widgets::primary_if(ui, cx.theme, "Add panel…", room) {
            self.begin_panel();
        }
    }
}

/// A panel one place further up.
fn moved(board: &Board, place: PanelPlace) -> Board {
    let mut board = board.clone();
    if let Some(row) = board.rows.get_mut(place.row)
        && place.panel > 0
        && place.panel < row.panels.len()
    {
        row.panels.swap(place.panel - 1, place.panel);
    }
    board
}

/// What became of a panel.
enum Outcome {
    Save,
    Remove,
    Leave,
}

impl PanelDraft {
    fn of(board: &Board, place: PanelPlace) -> Option<Self> {
        let panel = board.rows.get(place.row)?.panels.get(place.panel)?.clone();
        let word = if let Unit::Other(word) = &panel.unit { word.clone() } else { String::new() };
        Some(Self::new(Some(place), panel, word))
    }

    fn new(place: Option<PanelPlace>, panel: Panel, word: String) -> Self {
        Self { place, panel, word, cursor: None, offered: None }
    }

    fn put_into(&self, mut board: Board) -> Board {
        let mut panel = self.panel.clone();
        if let Unit::Other(word) = &mut panel.unit {
            self.word.trim().clone_into(word);
        }
        let slot = self.place.and_then(|place| board.rows.get_mut(place.row)?.panels.get_mut(place.panel));
        match slot {
            Some(slot) => *slot = panel,
            None => {
                if board.rows.is_empty() {
                    board.rows.push(Row::default());
                }
                if let Some(row) = board.rows.last_mut() {
                    row.panels.push(panel);
                }
            }
        }
        board
    }

    fn taken_out_of(&self, mut board: Board) -> Board {
        if let Some(place) = self.place
            && let Some(row) = board.rows.get_mut(place.row)
            && place.panel < row.panels.len()
        {
            row.panels.remove(place.panel);
        }
        board
    }

    fn ui(&mut self, cx: &Cx<'_>, ui: &mut Ui) -> Option<Outcome> {
        let field = Field { name: "Title", hint: "Requests by workload", ..Field::default() };
        widgets::field(ui, cx.theme, field, &mut self.panel.title);
        self.looks(cx, ui);
        let mut taken = None;
        let count = self.panel.queries.len();
        for at in 0..count {
            if self.query(cx, ui, at, count > 1) {
                taken = Some(at);
            }
        }
        if let Some(at) = taken {
            self.panel.queries.remove(at);
        }
        if count < QUERIES_MAX && ui.button("Add query").clicked() {
            self.panel.queries.push(new_query(count));
        }
        ui.separator();
        let ready = self.ready(ui.ctx());
        ui.horizontal(|ui| {
            let words = if self.place.is_some() { "Save panel" } else { "Add panel" };
            if widgets::primary_if(ui, cx.theme, words, ready.as_ref().map(|_| ()).map_err(String::as_str)) {
                return Some(Outcome::Save);
            }
            if ui.button("Cancel").clicked() {
                return Some(Outcome::Leave);
            }
            let is_removed = self.place.is_some() && ui.button("Remove").clicked();
            is_removed.then_some(Outcome::Remove)
        })
        .inner
    }

    fn looks(&mut self, cx: &Cx<'_>, ui: &mut Ui) {
        let kind =
            KINDS.iter().find(|(kind, _)| *kind == self.panel.kind).map_or("As imported", |(_, words)| words);
        widgets::caption(ui, cx.theme, "Drawn as");
        let shown = ComboBox::from_id_salt("kind").selected_text(kind).width(ui.available_width()).show_ui(
            ui,
            |ui| {
                for (kind, words) in KINDS {
                    ui.selectable_value(&mut self.panel.kind, kind, words);
                }
            },
        );
        name(ui, shown.response.id, &format!("Drawn as: {kind}"));
        let is_same = |unit: &Unit| std::mem::discriminant(unit) == std::mem::discriminant(&self.panel.unit);
        let unit = units().into_iter().find(|(unit, _)| is_same(unit)).map_or("Number", |(_, words)| words);
        widgets::caption(ui, cx.theme, "Its numbers are");
        let shown = ComboBox::from_id_salt("unit")
            .selected_text(unit)
            .width(ui.available_width())
            .height(360.0)
            .show_ui(ui, |ui| {
                for (unit, words) in units() {
                    ui.selectable_value(&mut self.panel.unit, unit, words);
                }
            });
        name(ui, shown.response.id, &format!("Its numbers are: {unit}"));
        if let Unit::Other(_) = self.panel.unit {
            let field = Field { name: "The word after the number", ..Field::default() };
            widgets::field(ui, cx.theme, field, &mut self.word);
        }
        widgets::caption(ui, cx.theme, "Width");
        widgets::segmented(ui, cx.theme, "Width of the panel", &mut self.panel.width, &WIDTHS);
        if self.panel.kind == PanelKind::TimeSeries {
            ui.horizontal(|ui| {
                widgets::checkbox(ui, cx.theme, &mut self.panel.is_stacked, "Stacked");
                widgets::checkbox(ui, cx.theme, &mut self.panel.is_log, "Logarithmic");
            });
        }
    }

    /// One query; whether it is to go.
    fn query(&mut self, cx: &Cx<'_>, ui: &mut Ui, at: usize, has_others: bool) -> bool {
        let mut is_taken = false;
        let query = &mut self.panel.queries[at];
        ui.horizontal(|ui| {
            widgets::caption(ui, cx.theme, &format!("Query {} (PromQL)", query.name));
            if has_others {
                let button = ui.small_button("Remove");
                name(ui, button.id, &format!("Remove query {}", query.name));
                is_taken = button.clicked();
            }
        });
        let Ask::PromQl(text) = &mut query.ask else {
            // What a ready board asks is written out only where it is asked.
            let words = "This query comes with Meshbench, and stays as it is.";
            ui.add(Label::new(RichText::new(words).small().color(cx.theme.text_muted)).wrap());
            return is_taken;
        };
        let told = checked(ui.ctx(), text);
        let is_wrong = told.is_err() && !text.trim().is_empty();
        let shown = ui
            .scope(|ui| {
                if is_wrong {
                    widgets::mark_invalid(ui, cx.theme);
                }
                widgets::outline(ui, cx.theme);
                let edit = TextEdit::multiline(text)
                    .id_salt(("query", at))
                    .hint_text("sum by (pod) (rate(…[$__rate_interval]))")
                    .desired_rows(3)
                    .margin(eframe::egui::Margin::symmetric(8, 6))
                    .desired_width(f32::INFINITY)
                    .font(TextStyle::Monospace);
                edit.show(ui)
            })
            .inner;
        name(ui, shown.response.response.id, &format!("Query {}", query.name));
        if let Some(cursor) = shown.cursor_range.filter(|_| shown.response.response.has_focus()) {
            self.cursor = Some((at, cursor.primary.index.into()));
        }
        if let (true, Err(reason)) = (is_wrong, told) {
            ui.add(Label::new(RichText::new(reason).small().color(cx.theme.error)).wrap());
        }
        if let Some(cursor) = self.cursor.filter(|(of, _)| *of == at) {
            completions(cx, ui, text, cursor, shown, &mut self.offered);
        }
        let field = Field { name: "Legend", hint: "{{pod}}; empty for all labels", ..Field::default() };
        widgets::field(ui, cx.theme, field, &mut query.legend);
        is_taken
    }

    fn ready(&self, ctx: &Context) -> Result<(), String> {
        if self.panel.title.trim().is_empty() {
            return Err("Write a title first".to_owned());
        }
        for query in &self.panel.queries {
            if let Ask::PromQl(text) = &query.ask {
                checked(ctx, text).map_err(|reason| format!("Query {}: {reason}", query.name))?;
            }
        }
        Ok(())
    }
}

impl Offered {
    /// Looks through all names that the source knows.
    fn of(cx: &Cx<'_>, at: (usize, usize), text: &str, facts: &Arc<Facts>) -> Self {
        let shown = cx.state.metrics.shown.iter();
        let variables = shown.flat_map(|shown| &shown.board.variables);
        let variables: Vec<String> = variables.map(|it| it.name.clone()).collect();
        let found = complete(text, at.1, facts, &variables);
        Self { at, text: text.to_owned(), facts: Arc::clone(facts), found }
    }

    fn is_of(&self, at: (usize, usize), text: &str, facts: &Arc<Facts>) -> bool {
        self.at == at && self.text == text && Arc::ptr_eq(&self.facts, facts)
    }
}

/// What the word at the cursor, a query and a place in it, may become; a click takes it.
fn completions(
    cx: &Cx<'_>,
    ui: &mut Ui,
    text: &mut String,
    cursor: (usize, usize),
    shown: eframe::egui::text_edit::TextEditOutput,
    offered: &mut Option<Offered>,
) {
    let Some(facts) = cx.state.metrics.facts() else { return };
    let before = offered.take().filter(|before| before.is_of(cursor, text, facts));
    let now = before.unwrap_or_else(|| Offered::of(cx, cursor, text, facts));
    let found = &offered.insert(now).found;
    if found.words.is_empty() {
        return;
    }
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = eframe::egui::vec2(SPACE[0], SPACE[0]);
        for word in &found.words {
            let button = ui.button(RichText::new(word).small().monospace());
            name(ui, button.id, &format!("Complete as {word}"));
            if button.clicked() {
                let end = completed(text, found.replaces.clone(), word);
                let mut state = shown.state.clone();
                state.cursor.set_char_range(Some(CCursorRange::one(CCursor::new(end))));
                state.store(ui.ctx(), shown.response.response.id);
                shown.response.response.request_focus();
            }
        }
    });
}

/// Puts a word in the place of some characters; where the cursor is then, in characters.
fn completed(text: &mut String, replaces: Range<usize>, word: &str) -> usize {
    let signs: Vec<char> = text.chars().collect();
    let (begin, end) = (replaces.start.min(signs.len()), replaces.end.min(signs.len()));
    *text = signs[..begin].iter().copied().chain(word.chars()).chain(signs[end..].iter().copied()).collect();
    begin + word.chars().count()
}

/// Boards of the Grafana on show, to search and import; whether the list is done with.
pub(super) fn dashboards(cx: &mut Cx<'_>, ui: &mut Ui, query: &mut String) -> bool {
    let mut is_done = false;
    ui.horizontal(|ui| {
        widgets::section(ui, "Import from this Grafana");
        ui.with_layout(eframe::egui::Layout::right_to_left(eframe::egui::Align::Center), |ui| {
            is_done = icon::Icon::Close.button(ui, "Close the list").clicked();
        });
    });
    let field = widgets::line(query).hint_text("Search boards").desired_width(f32::INFINITY);
    let field = widgets::edit(ui, cx.theme, field);
    name(ui, field.id, "Search boards of this Grafana");
    let Some(facts) = cx.state.metrics.facts().cloned() else {
        widgets::caption(ui, cx.theme, "It has not answered yet");
        return is_done;
    };
    let words = query.trim().to_lowercase();
    let found: Vec<&(String, String)> =
        facts.dashboards.iter().filter(|(_, title)| title.to_lowercase().contains(&words)).collect();
    if found.is_empty() {
        let words = if facts.dashboards.is_empty() {
            "It has no boards that we may see"
        } else {
            "Nothing has these words"
        };
        widgets::caption(ui, cx.theme, words);
    }
    ScrollArea::vertical().id_salt("dashboards").auto_shrink(false).show_rows(
        ui,
        28.0,
        found.len(),
        |ui, rows| {
            for at in rows {
                let (uid, title) = found[at];
                ui.horizontal(|ui| {
                    let button = ui.button("Import");
                    name(ui, button.id, &format!("Import {title}"));
                    if button.clicked() {
                        cx.metrics(MetricsCommand::ImportFromGrafana(uid.clone()));
                    }
                    ui.add(Label::new(title).truncate()).on_hover_text(title);
                });
            }
        },
    );
    is_done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_completion_takes_the_place_of_the_word_at_the_cursor() {
        let mut text = "sum(rate(envoy_cl[1m]))".to_owned();
        let end = completed(&mut text, 9..17, "envoy_cluster_upstream_rq_total");
        assert_eq!(text, "sum(rate(envoy_cluster_upstream_rq_total[1m]))");
        assert_eq!(end, 40);
    }

    #[test]
    fn a_panel_is_put_where_it_was_or_at_the_end() {
        let board = new_board();
        let mut editor = Editor::of(&board, None);
        editor.begin_panel();
        let mut draft = editor.panel.unwrap();
        draft.panel.title = "Requests".to_owned();
        let board = draft.put_into(board);
        let place = PanelPlace { row: 0, panel: 0 };
        let mut again = PanelDraft::of(&board, place).unwrap();
        again.panel.title = "Errors".to_owned();
        let board = again.put_into(board);
        let titles: Vec<&str> = board.panels().map(|(_, panel)| panel.title.as_str()).collect();
        assert_eq!(titles, ["Errors"]);
        assert_eq!(again.taken_out_of(board).panels().count(), 0);
    }
}
