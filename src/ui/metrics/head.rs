//! The head of the page: which source, how it stands; which board, of what, and of which time.

use std::sync::Arc;

use eframe::egui::{Align, ComboBox, Label, Layout, RichText, Sense, Stroke, Ui, Vec2, vec2};

use super::chooser::Chooser;
use super::editor::{self, Editor};
use super::source::SourceForm;
use super::{MetricsPage, Side, keeps, last_words, length_words, look, standing, trouble_words};
use crate::app::State;
use crate::app::metrics::{MetricsCommand, Offer, RANGES_S, REFRESHES_S, Range, Standing};
use crate::model::metrics::board::Chosen;
use crate::model::metrics::fill::{self, ALL};
use crate::model::metrics::kept::KEPT_BOARDS_MAX;
use crate::model::metrics::{BoardId, Facts, Feed, Product, Source, SourceKind, Variable, VariableKind};
use crate::ui::clusters::name;
use crate::ui::icon::{BUTTON_SIDE, Icon};
use crate::ui::plot::axis;
use crate::ui::theme::{CONTROL_HEIGHT, SPACE, Theme};
use crate::ui::{Cx, widgets};

/// Widths in points.
const SOURCE_WIDTH: f32 = 210.0;
const SOURCES_HEIGHT: f32 = 420.0;
const BOARD_WIDTH: f32 = 250.0;
const SCOPE_WIDTH: f32 = 178.0;
const VARIABLE_WIDTH: f32 = 190.0;
const KEEP_WIDTH: f32 = 140.0;
const RANGE_WIDTH: f32 = 124.0;
const MOMENTS_WIDTH: f32 = 262.0;
const BACK_WIDTH: f32 = 150.0;
const REFRESH_WIDTH: f32 = 122.0;
/// Narrower than this, the time has a line of its own, in points.
const ONE_LINE_MIN: f32 = 860.0;
/// What is said of keeping boards.
const KEEP_WORDS: &str = "After each run, Meshbench asks this source for this board over the time of the run, and keeps \
    what it showed with the run: to see later what it cost, and on other machines. It waits two scrapes after the end.";

/// The data sources of a Grafana that has several, of which one is asked.
fn data_sources(ui: &mut Ui, chosen: &Source, facts: Option<&Arc<Facts>>) -> Option<MetricsCommand> {
    let SourceKind::Grafana { place, access, data_source } = &chosen.kind else { return None };
    let all = facts.map(|facts| &facts.data_sources).filter(|all| all.len() > 1)?;
    ui.separator();
    ui.label(RichText::new("Data source of this Grafana").small().weak());
    let mut asked = None;
    for (at, (uid, name)) in all.iter().enumerate() {
        // The default one comes first.
        let is_chosen = data_source.as_ref().map_or(at == 0, |chosen| chosen == uid);
        if ui.selectable_label(is_chosen, name).clicked() && !is_chosen {
            let (place, access) = (place.clone(), access.clone());
            let kind = SourceKind::Grafana { place, access, data_source: Some(uid.clone()) };
            asked = Some(MetricsCommand::PutSource(Box::new(Source { kind, ..chosen.clone() }), None));
        }
    }
    asked
}

/// Something in the second line.
enum Cell<'a> {
    Board,
    Namespace,
    Workload,
    Variable(&'a Variable),
    Keep,
}

impl Cell<'_> {
    fn width(&self) -> f32 {
        match self {
            Self::Board => BOARD_WIDTH,
            Self::Namespace | Self::Workload => SCOPE_WIDTH,
            Self::Variable(_) => VARIABLE_WIDTH,
            Self::Keep => KEEP_WIDTH,
        }
    }
}

impl MetricsPage {
    pub(super) fn head(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        let state = cx.state;
        let Some(source) = state.metrics.source() else {
            self.sources(cx, ui, None);
            return;
        };
        let stands = standing(cx, source.id);
        let fed = self.fed(cx).map(Feed::words);
        let is_zoomed = matches!(cx.state.metrics.view.range, Range::Between(..));
        let time = if is_zoomed { MOMENTS_WIDTH + BACK_WIDTH + SPACE[1] } else { RANGE_WIDTH };
        let right = time + REFRESH_WIDTH + 2.0 * BUTTON_SIDE + 3.0 * SPACE[1];
        let is_one_line = ui.available_width() >= ONE_LINE_MIN.max(right + 420.0);
        ui.horizontal(|ui| {
            let room = ui.available_width() - if is_one_line { right + SPACE[2] } else { 0.0 };
            let layout = Layout::left_to_right(Align::Center);
            ui.allocate_ui_with_layout(vec2(room, BUTTON_SIDE), layout, |ui| {
                ui.set_min_width(room);
                self.sources(cx, ui, Some(source));
                about(cx, ui, &stands, fed);
            });
            if is_one_line {
                self.time(cx, ui);
            }
        });
        if !is_one_line {
            ui.horizontal(|ui| self.time(cx, ui));
        }
        trouble(cx, ui, source, &stands);
        self.cells(cx, ui);
    }

    /// The sources there are, and what can be done with them.
    fn sources(&mut self, cx: &mut Cx<'_>, ui: &mut Ui, chosen: Option<&Source>) {
        let text = chosen.map_or("Choose a source", |source| source.name.as_str());
        let metrics = &cx.state.metrics;
        let mut asked = None;
        let mut form = None;
        let shown = ComboBox::from_id_salt("source")
            .selected_text(text)
            .width(SOURCE_WIDTH)
            .height(SOURCES_HEIGHT)
            .truncate()
            .show_ui(ui, |ui| {
                ui.set_min_width(300.0);
                for source in &metrics.book.sources {
                    let is_chosen = chosen.is_some_and(|chosen| chosen.id == source.id);
                    let words = format!("{} · {}", source.name, source.kind.words());
                    if ui.selectable_label(is_chosen, words).clicked() && !is_chosen {
                        asked = Some(MetricsCommand::ChooseSource(source.id));
                    }
                }
                ui.separator();
                for found in &metrics.found {
                    if ui.button(format!("Add {}", found.place.words())).clicked() {
                        asked = Some(super::source::add_found(found));
                    }
                }
                if ui.button("Add a source…").clicked() {
                    form = Some(SourceForm::new());
                }
                let Some(chosen) = chosen else { return };
                if ui.button("Edit this source…").clicked() {
                    form = Some(SourceForm::of(chosen));
                }
                if ui.button("Remove this source").clicked() {
                    asked = Some(MetricsCommand::RemoveSource(chosen.id));
                }
                asked = data_sources(ui, chosen, cx.state.metrics.facts()).or(asked.take());
            });
        name(ui, shown.response.id, &format!("Source: {text}"));
        if let Some(chosen) = chosen {
            shown.response.on_hover_text(chosen.kind.words());
        }
        if let Some(command) = asked {
            cx.metrics(command);
        }
        if form.is_some() {
            self.form = form;
        }
    }

    /// Which time, how often, now, and what can be done with boards.
    fn time(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        let state = cx.state;
        let view = &state.metrics.view;
        if let Range::Between(..) = view.range {
            let words = format!("Back to {}", last_words(self.last_s.unwrap_or(900)).to_lowercase());
            let button = eframe::egui::Button::new(&words).min_size(vec2(BACK_WIDTH, CONTROL_HEIGHT));
            if ui.add(button).on_hover_text("Or double click a plot").clicked() {
                self.back(cx);
            }
        }
        let (text, width) = match view.range {
            Range::Last(seconds) => (last_words(seconds), RANGE_WIDTH),
            Range::Between(from, to) => (between_words(from, to), MOMENTS_WIDTH),
        };
        let shown = ComboBox::from_id_salt("range").selected_text(&text).width(width).height(320.0).show_ui(
            ui,
            |ui| {
                let picked = RANGES_S.into_iter().find(|seconds| {
                    ui.selectable_label(view.range == Range::Last(*seconds), last_words(*seconds)).clicked()
                });
                picked.map(Range::Last)
            },
        );
        name(ui, shown.response.id, &format!("Time: {text}"));
        if let Some(range) = shown.inner.flatten() {
            look(cx, |view| view.range = range);
        }
        let every = |refresh: Option<u64>| match refresh {
            Some(seconds) => format!("Every {}", length_words(seconds)),
            None => "Refresh: off".to_owned(),
        };
        let text = every(view.refresh_s);
        let shown =
            ComboBox::from_id_salt("refresh").selected_text(&text).width(REFRESH_WIDTH).show_ui(ui, |ui| {
                let all = [None].into_iter().chain(REFRESHES_S.map(Some));
                let mut all = all.into_iter();
                all.find(|refresh| ui.selectable_label(view.refresh_s == *refresh, every(*refresh)).clicked())
            });
        name(ui, shown.response.id, &format!("Ask again: {text}"));
        if let Some(refresh_s) = shown.inner.flatten() {
            look(cx, |view| view.refresh_s = refresh_s);
        }
        if Icon::Refresh.button(ui, "Refresh now").clicked() {
            cx.metrics(MetricsCommand::Refresh);
        }
        self.menu(cx, ui);
    }

    /// What can be done with boards.
    fn menu(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        let button =
            eframe::egui::Button::new("").frame_when_inactive(false).min_size(Vec2::splat(BUTTON_SIDE));
        let (response, _) = eframe::egui::containers::menu::MenuButton::from_button(button).ui(ui, |ui| {
            ui.set_min_width(230.0);
            self.menu_entries(cx, ui);
        });
        name(ui, response.id, "More about boards");
        let square = eframe::egui::Rect::from_center_size(response.rect.center(), Vec2::splat(18.0));
        Icon::More.paint(ui.painter(), square, cx.theme.text);
        response.on_hover_text("More about boards");
    }

    fn menu_entries(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        let metrics = &cx.state.metrics;
        let board = metrics.shown.as_ref().map(|shown| shown.board.clone());
        let place =
            board.as_ref().and_then(|board| metrics.book.boards.iter().position(|own| own.id == board.id));
        let grafana = metrics.facts().filter(|facts| facts.product == Product::Grafana);
        let has_grafana = if grafana.is_some() { Ok(()) } else { Err("The source on show is no Grafana") };
        let shown = if board.is_some() { Ok(()) } else { Err("No board is on show") };
        let own = if place.is_some() { Ok(()) } else { Err("This board comes with Meshbench") };
        let (last, removed) = (metrics.book.boards.len().saturating_sub(1), metrics.removed.is_some());
        let mut asked = None;
        let entry = |ui: &mut Ui, words: &str, ready: Result<(), &str>| -> bool {
            let response = ui.add_enabled(ready.is_ok(), eframe::egui::Button::new(words));
            if response.clicked() {
                ui.close();
                return true;
            }
            if let Err(reason) = ready {
                response.on_disabled_hover_text(reason);
            }
            false
        };
        if entry(ui, "Import board…", Ok(())) {
            asked = Some(MetricsCommand::PickBoard);
        }
        if entry(ui, "Import from this Grafana…", has_grafana) {
            self.side = Side::Grafana(String::new());
        }
        if entry(ui, "Export board…", shown) {
            asked = board.as_ref().map(|board| MetricsCommand::ExportBoard(board.id.clone()));
        }
        ui.separator();
        if entry(ui, "New board", Ok(())) {
            self.new_board(cx);
        }
        let edit = if own.is_ok() { "Edit board…" } else { "Copy board and edit it…" };
        if entry(ui, edit, shown)
            && let Some(board) = &board
        {
            self.edit(cx, board, own.is_ok());
        }
        if entry(ui, "Move board up", own.and(if place > Some(0) { Ok(()) } else { Err("It is the first") }))
        {
            asked = board
                .as_ref()
                .zip(place)
                .map(|(board, at)| MetricsCommand::MoveBoard(board.id.clone(), at - 1));
        }
        let down = if place.is_some_and(|at| at < last) { Ok(()) } else { Err("It is the last") };
        if entry(ui, "Move board down", own.and(down)) {
            asked = board
                .as_ref()
                .zip(place)
                .map(|(board, at)| MetricsCommand::MoveBoard(board.id.clone(), at + 1));
        }
        if entry(ui, "Remove board", own) {
            asked = board.as_ref().map(|board| MetricsCommand::RemoveBoard(board.id.clone()));
        }
        if removed && entry(ui, "Undo remove", Ok(())) {
            asked = Some(MetricsCommand::UndoRemove);
        }
        if let Some(command) = asked {
            cx.metrics(command);
        }
    }

    /// A board that comes with Meshbench stays as it is: a copy is edited.
    fn edit(&mut self, cx: &mut Cx<'_>, board: &crate::model::metrics::Board, is_own: bool) {
        let board = if is_own { board.clone() } else { editor::copy_of(board) };
        if !is_own {
            cx.metrics(MetricsCommand::PutBoard(Box::new(board.clone())));
            cx.metrics(MetricsCommand::ChooseBoard(board.id.clone()));
        }
        self.side = Side::Editor(Box::new(Editor::of(&board, None)));
    }

    /// Board, scope, variables: as many in a line as fit.
    fn cells(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        let state = cx.state;
        let mut cells = vec![Cell::Board];
        if let Some(shown) = &state.metrics.shown {
            let variables = shown.board.variables.iter().filter(|variable| is_offered(variable));
            if state.metrics.own(&shown.board.id).is_none() {
                cells.extend([Cell::Namespace, Cell::Workload]);
            }
            cells.extend(variables.map(Cell::Variable));
            cells.push(Cell::Keep);
        }
        let width = ui.available_width();
        let mut waiting = cells.into_iter().peekable();
        while waiting.peek().is_some() {
            ui.horizontal(|ui| {
                let mut left = width;
                while let Some(cell) = waiting.next_if(|cell| cell.width() <= left || left >= width) {
                    left -= cell.width() + SPACE[1];
                    self.cell(cx, ui, &cell);
                }
            });
        }
    }

    fn cell(&mut self, cx: &mut Cx<'_>, ui: &mut Ui, cell: &Cell<'_>) {
        let state = cx.state;
        let scope = &state.metrics.view.scope;
        match cell {
            Cell::Board => self.boards(cx, ui),
            Cell::Namespace => {
                let all = || namespaces(state);
                if let Some(namespace) = self.scope(cx, ui, "Namespace", &scope.namespace, &all) {
                    look(cx, |view| {
                        view.scope.namespace = namespace;
                        view.scope.workload.clear();
                    });
                }
            }
            Cell::Workload => {
                let all = || workloads(state, &scope.namespace);
                if let Some(workload) = self.scope(cx, ui, "Workload", &scope.workload, &all) {
                    look(cx, |view| view.scope.workload = workload);
                }
            }
            Cell::Variable(variable) => self.variable(cx, ui, variable),
            Cell::Keep => keep(cx, ui),
        }
    }

    fn scope(
        &mut self,
        cx: &Cx<'_>,
        ui: &mut Ui,
        caption: &str,
        now: &str,
        all: &dyn Fn() -> Vec<String>,
    ) -> Option<String> {
        let options = || -> Vec<(String, String)> {
            let mut options = vec![(String::new(), "all".to_owned())];
            options.extend(all().into_iter().map(|it| (it.clone(), it)));
            options
        };
        let chooser = Chooser {
            caption,
            shown: if now.is_empty() { "all" } else { now },
            width: SCOPE_WIDTH,
            options: &options,
            picked: &[now.to_owned()],
            is_multi: false,
            is_free: true,
            empty: "",
        };
        chooser.ui(ui, cx.theme, self.queries.entry(caption.to_owned()).or_default())
    }

    fn variable(&mut self, cx: &mut Cx<'_>, ui: &mut Ui, variable: &Variable) {
        let metrics = &cx.state.metrics;
        let answered = metrics.values.get(&variable.name);
        // What stands for a variable depends on no other.
        let own = answered.and_then(|answered| answered.as_ref().ok());
        let known: fill::Values =
            own.map(|values| (variable.name.clone(), values.clone())).into_iter().collect();
        let standing = fill::standing(variable, &metrics.view.chosen, &known);
        let caption = if variable.label.is_empty() { &variable.name } else { &variable.label };
        if let VariableKind::TextBox(_) = variable.kind {
            return self.text_box(cx, ui, variable, caption, standing.first().map_or("", String::as_str));
        }
        let failed = answered.and_then(|answered| answered.as_ref().err());
        let is_asked = matches!(variable.kind, VariableKind::Query { .. });
        let empty = match failed {
            Some(reason) => reason.as_str(),
            None if is_asked && !known.contains_key(&variable.name) => "Asking…",
            None => "The source has no values for it",
        };
        let shown = shown_words(variable, &standing, failed.is_some());
        let options = || options(variable, &known);
        let chooser = Chooser {
            caption,
            shown: &shown,
            width: VARIABLE_WIDTH,
            options: &options,
            picked: &standing,
            is_multi: variable.is_multi,
            is_free: failed.is_some(),
            empty,
        };
        let query = self.queries.entry(variable.name.clone()).or_default();
        if let Some(picked) = chooser.ui(ui, cx.theme, query) {
            let now = picked_values(variable, standing, picked);
            choose(cx, &variable.name, now);
        }
    }

    fn text_box(&mut self, cx: &mut Cx<'_>, ui: &mut Ui, variable: &Variable, caption: &str, now: &str) {
        let text = self.texts.entry(variable.name.clone()).or_insert_with(|| now.to_owned());
        ui.allocate_ui_with_layout(
            vec2(VARIABLE_WIDTH, CONTROL_HEIGHT),
            Layout::left_to_right(Align::Center),
            |ui| {
                ui.set_min_width(VARIABLE_WIDTH);
                let label =
                    ui.add(Label::new(RichText::new(caption).small().color(cx.theme.text_muted)).truncate());
                let field = widgets::line(text).desired_width(ui.available_width());
                let response = widgets::edit(ui, cx.theme, field).labelled_by(label.id);
                if response.lost_focus() && text != now {
                    let value = text.clone();
                    choose(cx, &variable.name, vec![value]);
                } else if text != now && !response.has_focus() {
                    // Another board, or another value since.
                    now.clone_into(text);
                    ui.ctx().request_repaint();
                }
            },
        );
    }

    /// The boards there are: those that the source feeds, one's own, and the others with what they miss.
    fn boards(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        let shown = cx.state.metrics.shown.as_ref().map(|shown| shown.board.clone());
        let text = shown.as_ref().map_or("Choose a board", |board| board.title.as_str());
        let mut picked = None;
        let response = ComboBox::from_id_salt("board")
            .selected_text(RichText::new(format!("Board: {text}")))
            .width(BOARD_WIDTH)
            .truncate()
            .height(420.0)
            .show_ui(ui, |ui| {
                ui.set_min_width(340.0);
                ui.spacing_mut().item_spacing.y = 2.0;
                let chosen = shown.as_ref().map(|board| &board.id);
                picked = offers(cx, ui, chosen);
            })
            .response;
        name(ui, response.id, &format!("Board: {text}"));
        let hover = shown.as_ref().map_or("", |board| board.description.as_str());
        if !hover.is_empty() {
            response.on_hover_text(hover);
        }
        if let Some(id) = picked {
            cx.metrics(MetricsCommand::ChooseBoard(id));
            self.side = Side::Nothing;
        }
    }
}

fn offers(cx: &Cx<'_>, ui: &mut Ui, chosen: Option<&BoardId>) -> Option<BoardId> {
    let offers = cx.state.metrics.offers();
    let mut picked = None;
    let mut part = |ui: &mut Ui, title: &str, of: &mut dyn Iterator<Item = &Offer>| {
        let mut of = of.peekable();
        if of.peek().is_none() {
            return;
        }
        widgets::caption(ui, cx.theme, title);
        for offer in of {
            if entry(cx.theme, ui, offer, chosen == Some(&offer.board.id)) {
                picked = Some(offer.board.id.clone());
            }
        }
    };
    part(ui, "Fed by this source", &mut offers.iter().filter(|offer| !offer.is_own && offer.is_fed()));
    part(ui, "Your own", &mut offers.iter().filter(|offer| offer.is_own));
    part(
        ui,
        "Little or nothing there for",
        &mut offers.iter().filter(|offer| !offer.is_own && !offer.is_fed()),
    );
    if offers.is_empty() {
        widgets::caption(ui, cx.theme, "There are no boards yet: import one, or make one");
    }
    picked
}

/// A board of the list; whether it was picked.
fn entry(theme: &Theme, ui: &mut Ui, offer: &Offer, is_chosen: bool) -> bool {
    let fed = match &offer.fed {
        Some(feed) if feed.panels > 0 => format!("  {} of {}", feed.fed(), feed.panels),
        _ => String::new(),
    };
    let response = ui.selectable_label(is_chosen, format!("{}{fed}", offer.board.title));
    let clicked = response.clicked();
    let mut hover = vec![offer.board.description.clone()];
    if let Some(feed) = &offer.fed {
        hover.push(format!("This source {}", feed.words()));
        let missing: Vec<&str> = feed.missing_names().into_iter().take(8).collect();
        if !missing.is_empty() {
            hover.push(format!("Missing: {}", missing.join(", ")));
        }
    }
    let hints: Vec<String> = offer.hints().into_iter().map(str::to_owned).collect();
    hover.extend(hints.iter().take(3).cloned());
    hover.retain(|line| !line.is_empty());
    response.on_hover_text(hover.join("\n"));
    if !offer.is_fed()
        && let Some(hint) = hints.first()
    {
        ui.horizontal(|ui| {
            ui.add_space(SPACE[2]);
            // A list that opens justifies what is in it.
            ui.with_layout(Layout::top_down(Align::Min), |ui| {
                ui.set_max_width(310.0);
                ui.add(Label::new(RichText::new(hint).small().color(theme.text_muted)).wrap());
            });
        });
    }
    clicked
}

/// What the source said of itself, in a line.
fn about(cx: &Cx<'_>, ui: &mut Ui, stands: &Standing, fed: Option<String>) {
    let theme = cx.theme;
    let (rect, _) = ui.allocate_exact_size(Vec2::splat(14.0), Sense::hover());
    // Filled where it answers, a ring where nobody knows, a cross where it does not: not by colour alone.
    match (&stands.trouble, &stands.facts) {
        (Some(_), _) => Icon::Close.paint(ui.painter(), rect, theme.error),
        (None, Some(_)) => {
            ui.painter().circle_filled(rect.center(), 4.5, theme.good);
        }
        (None, None) => {
            ui.painter().circle_stroke(rect.center(), 4.0, Stroke::new(1.5, theme.text_muted));
        }
    }
    let mut words = Vec::new();
    match (&stands.trouble, &stands.facts) {
        (Some(trouble), _) => words.push(trouble.title.clone()),
        (None, Some(facts)) => {
            words.push(format!("{} {}", facts.product.words(), facts.version).trim().to_owned())
        }
        (None, None) if stands.is_asking => words.push("asking…".to_owned()),
        (None, None) => words.push("not asked yet".to_owned()),
    }
    let mut hover = Vec::new();
    if let (None, Some(facts)) = (&stands.trouble, &stands.facts) {
        words.extend(
            facts.scrape_ms.map(|every| format!("reads every {}", length_words(every.div_ceil(1000)))),
        );
        words.extend(fed);
        hover.extend(facts.remarks.iter().cloned());
        let ahead = facts.clock_ahead_ms.filter(|ahead| ahead.abs() >= 1000);
        hover.extend(ahead.map(|ahead| {
            let way = if ahead > 0 { "ahead of" } else { "behind" };
            format!("Its clock is {} {way} ours", length_words(ahead.unsigned_abs() / 1000))
        }));
        if !facts.remarks.is_empty() {
            words.push(if facts.remarks.len() == 1 {
                "1 remark".to_owned()
            } else {
                format!("{} remarks", facts.remarks.len())
            });
        }
    }
    let line = ui.add(Label::new(RichText::new(words.join(" · ")).color(theme.text_muted)).truncate());
    if !hover.is_empty() {
        line.on_hover_text(hover.join("\n"));
    }
}

/// Why the source does not answer, and that its secret goes away.
fn trouble(cx: &mut Cx<'_>, ui: &mut Ui, source: &Source, stands: &Standing) {
    if let Some(trouble) = &stands.trouble
        && widgets::failure(ui, cx.theme, &trouble.title, &trouble_words(trouble), Some("Retry"))
    {
        cx.metrics(MetricsCommand::Check(source.id));
    }
    if let Some(reason) = &stands.passing_secret {
        let words = format!("The secret of {} is kept only until Meshbench closes: {reason}", source.name);
        widgets::warning(ui, cx.theme, &words);
    }
}

/// Whether the board on show is kept with runs.
fn keep(cx: &mut Cx<'_>, ui: &mut Ui) {
    let book = &cx.state.metrics.book;
    let Some(shown) = &cx.state.metrics.shown else { return };
    let id = shown.board.id.clone();
    let mut is_kept = keeps(&book.with_runs, &id);
    let is_full = !is_kept && book.with_runs.len() >= KEPT_BOARDS_MAX;
    let response =
        ui.add_enabled_ui(!is_full, |ui| widgets::checkbox(ui, cx.theme, &mut is_kept, "Keep with runs"));
    let response = response.inner;
    if response.changed() {
        let mut boards: Vec<BoardId> = book.with_runs.iter().filter(|kept| **kept != id).cloned().collect();
        if is_kept {
            boards.push(id);
        }
        cx.metrics(MetricsCommand::KeepWithRuns(boards));
        return;
    }
    let kept = match book.with_runs.len() {
        0 => "No board is kept yet.".to_owned(),
        1 => "1 board is kept with each run.".to_owned(),
        count => format!("{count} boards are kept with each run, at most {KEPT_BOARDS_MAX}."),
    };
    let words = format!("{KEEP_WORDS}\n{kept}");
    response.on_hover_text(&words).on_disabled_hover_text(words);
}

fn between_words(from: i64, to: i64) -> String {
    let (from, to) = (axis::moment(from as f64 / 1e3), axis::moment(to as f64 / 1e3));
    // The day is told once where it is one.
    let day = from.rsplit_once(' ').map(|(day, _)| day.to_owned());
    match (day, to.rsplit_once(' ')) {
        (Some(day), Some((same, time))) if day == same => format!("{from} – {time}"),
        _ => format!("{from} – {to}"),
    }
}

fn is_offered(variable: &Variable) -> bool {
    let is_fixed = matches!(variable.kind, VariableKind::DataSource | VariableKind::Constant(_));
    !variable.is_hidden && !is_fixed
}

fn options(variable: &Variable, known: &fill::Values) -> Vec<(String, String)> {
    let mut options = Vec::new();
    if variable.has_all {
        options.push((ALL.to_owned(), "All".to_owned()));
    }
    match &variable.kind {
        VariableKind::Custom(pairs) => {
            options.extend(pairs.iter().map(|(words, value)| (value.clone(), words.clone())));
        }
        _ => {
            options.extend(fill::all_values(variable, known).into_iter().map(|value| (value.clone(), value)))
        }
    }
    options
}

fn shown_words(variable: &Variable, standing: &[String], is_failed: bool) -> String {
    let words = |value: &String| match &variable.kind {
        _ if value == ALL => "All".to_owned(),
        VariableKind::Custom(pairs) => {
            let found = pairs.iter().find(|(_, of)| of == value);
            found.map_or_else(|| value.clone(), |(words, _)| words.clone())
        }
        _ => value.clone(),
    };
    match standing {
        [] if is_failed => "not answered".to_owned(),
        [] => "none".to_owned(),
        [one] => words(one),
        several => format!("{} chosen", several.len()),
    }
}

/// What is chosen after one was picked: All stands alone, and there is always one.
fn picked_values(variable: &Variable, mut now: Vec<String>, picked: String) -> Vec<String> {
    if !variable.is_multi || picked == ALL {
        return vec![picked];
    }
    now.retain(|value| value != ALL);
    match now.iter().position(|value| *value == picked) {
        Some(_) if now.len() == 1 => {}
        Some(at) => {
            now.remove(at);
        }
        None => now.push(picked),
    }
    now
}

fn choose(cx: &mut Cx<'_>, name: &str, values: Vec<String>) {
    look(cx, |view| {
        let chosen: &mut Chosen = &mut view.chosen;
        chosen.insert(name.to_owned(), values);
    });
}

/// Of the connected clusters.
fn namespaces(state: &State) -> Vec<String> {
    let seen = state.clusters.links.values().filter_map(|link| link.seen.as_ref());
    let mut names: Vec<String> =
        seen.flat_map(|seen| seen.namespaces.iter()).map(|namespace| namespace.name.clone()).collect();
    names.sort();
    names.dedup();
    names
}

/// Of the connected clusters, in a namespace; empty for all.
fn workloads(state: &State, namespace: &str) -> Vec<String> {
    let seen = state.clusters.links.values().filter_map(|link| link.seen.as_ref());
    let mut names: Vec<String> = seen
        .flat_map(|seen| seen.workloads.iter())
        .filter(|workload| namespace.is_empty() || workload.namespace == namespace)
        .map(|workload| workload.name.clone())
        .collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_stands_alone_and_something_is_always_chosen() {
        let variable = Variable {
            name: "pod".to_owned(),
            label: String::new(),
            kind: VariableKind::Interval(Vec::new()),
            chosen: Vec::new(),
            is_multi: true,
            has_all: true,
            all_value: None,
            is_hidden: false,
        };
        let picked = |now: &[&str], picked: &str| {
            picked_values(&variable, now.iter().map(|it| (*it).to_owned()).collect(), picked.to_owned())
        };
        assert_eq!(picked(&[ALL], "a"), ["a"]);
        assert_eq!(picked(&["a"], "b"), ["a", "b"]);
        assert_eq!(picked(&["a", "b"], "a"), ["b"]);
        assert_eq!(picked(&["a"], "a"), ["a"]);
        assert_eq!(picked(&["a", "b"], ALL), [ALL]);
    }
}
