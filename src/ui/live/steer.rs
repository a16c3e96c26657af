//! What a person changes while a run goes: its rate, a pause, a mark.

use eframe::egui::text::CCursorRange;
use eframe::egui::text_edit::TextEditState;
use eframe::egui::{
    Align, Button, Event, Id, Key, KeyboardShortcut, Layout, Modifiers, Response, RichText, Role, Ui,
    WidgetInfo, vec2,
};

use crate::app::state::{Live, Phase};
use crate::app::{Command, State};
use crate::model::number;
use crate::ui::theme::{CONTROL_HEIGHT, SPACE, Theme};
use crate::ui::{Cx, widgets};

/// The keys that pause the run, and let it go on.
pub(in crate::ui) const PAUSE: KeyboardShortcut = KeyboardShortcut::new(Modifiers::NONE, Key::P);
/// The keys that open the field for the text of a mark.
pub(in crate::ui) const MARK: KeyboardShortcut = KeyboardShortcut::new(Modifiers::NONE, Key::M);
/// The keys that lead to the field for the rate.
pub(in crate::ui) const RATE: KeyboardShortcut = KeyboardShortcut::new(Modifiers::NONE, Key::R);

/// One press of − or + changes the rate by this share.
const STEP: f64 = 0.1;
/// Room for a typed rate, in points.
const RATE_WIDTH: f32 = 76.0;
/// Room for the text of a mark, in points.
const MARK_WIDTH: f32 = 160.0;

/// Room for the words about a rate that was refused, in points.
const REFUSAL_HEIGHT: f32 = 20.0;
/// What a person reads when a typed rate was refused.
const REFUSAL: &str = "Not set: write a number of requests per second, for example 250";

/// What is being typed.
#[derive(Debug, Default)]
pub(super) struct SteerView {
    rate: String,
    is_rate_wrong: bool,
    /// Whether the field for the rate is to get the focus.
    asks_rate: bool,
    mark: Option<String>,
}

impl SteerView {
    /// Room that the words of [`refusal`] take, in points.
    pub(super) fn refusal_height(&self) -> f32 {
        if self.is_rate_wrong { REFUSAL_HEIGHT + SPACE[1] } else { 0.0 }
    }
}

fn named(text: &str, name: &str) -> WidgetInfo {
    let mut info = WidgetInfo::labeled(Role::TextInput, true, name);
    info.current_text_value = Some(text.to_owned());
    info
}

/// Whether the run can be steered now.
fn is_steered(live: &Live) -> bool {
    matches!(live.phase, Phase::Connecting | Phase::Warmup | Phase::Measuring)
}

/// The run that can be paused and marked now, or why there is none.
pub(in crate::ui) fn steered(state: &State) -> Result<&Live, &'static str> {
    match &state.live {
        Some(live) if is_steered(live) => Ok(live),
        Some(live) if !matches!(live.phase, Phase::Failed { .. }) => Err("The run is ending"),
        _ => Err("No run is going"),
    }
}

/// Whether a rate can be typed for this run, or why not.
pub(in crate::ui) fn rated(live: &Live) -> Result<(), &'static str> {
    if live.search.is_some() {
        Err("The search sets the rates")
    } else if !live.plan.pacing.is_open_loop() {
        Err("The run goes as fast as it can")
    } else if live.plan.pacing.rate_per_sec().is_none() {
        Err("The rate changes by itself: use + and −")
    } else {
        Ok(())
    }
}

/// Takes the keys of the page, unless something is being written.
pub(super) fn keys(cx: &mut Cx<'_>, ui: &Ui, view: &mut SteerView, live: &Live) {
    if !is_steered(live) || cx.state.question.is_some() || ui.ctx().text_edit_focused() {
        return;
    }
    if pressed(ui, &PAUSE) {
        cx.push(if live.is_paused { Command::ResumeRun } else { Command::PauseRun });
    }
    if pressed(ui, &MARK) && view.mark.is_none() {
        view.mark = Some(String::new());
    }
    if pressed(ui, &RATE) {
        view.asks_rate = rated(live).is_ok();
    }
}

/// Whether a key was pressed. Its letter does not reach the field that gets the focus.
fn pressed(ui: &Ui, keys: &KeyboardShortcut) -> bool {
    let letter = keys.logical_key.name();
    ui.ctx().input_mut(|input| {
        let hit = input.consume_shortcut(keys);
        if hit {
            input
                .events
                .retain(|event| !matches!(event, Event::Text(text) if text.eq_ignore_ascii_case(letter)));
        }
        hit
    })
}

/// Why a typed rate was not taken, in words; nothing when it was.
pub(super) fn refusal(ui: &mut Ui, theme: &Theme, view: &SteerView) {
    if !view.is_rate_wrong {
        return;
    }
    let room = vec2(ui.available_width(), REFUSAL_HEIGHT);
    ui.allocate_ui_with_layout(room, Layout::right_to_left(Align::Center), |ui| {
        ui.set_min_size(room);
        ui.label(RichText::new(REFUSAL).small().color(theme.error));
    });
}

/// What a control is for, with its key.
fn hinted(ui: &Ui, response: Response, words: &str, keys: &KeyboardShortcut) -> Response {
    let keys = widgets::key_words(ui.ctx(), keys);
    response.on_hover_text(format!("{words} ({keys})"))
}

/// Mark, pause and rate, from right to left.
pub(super) fn ui(cx: &mut Cx<'_>, ui: &mut Ui, view: &mut SteerView, live: &Live) {
    if !is_steered(live) {
        return;
    }
    mark(cx, ui, view);
    let (words, command, hint) = if live.is_paused {
        ("Resume", Command::ResumeRun, "Go on where it was paused")
    } else {
        ("Pause", Command::PauseRun, "Nothing more is sent until it goes on; the time does not count")
    };
    let pause = Button::new(words).min_size(vec2(76.0, CONTROL_HEIGHT));
    let pause = ui.add(pause);
    if hinted(ui, pause, hint, &PAUSE).clicked() {
        cx.push(command);
    }
    if live.plan.pacing.is_open_loop() && live.search.is_none() {
        rate(cx, ui, view, live);
    }
}

fn mark(cx: &mut Cx<'_>, ui: &mut Ui, view: &mut SteerView) {
    let Some(text) = &mut view.mark else {
        let button = Button::new("Mark…").min_size(vec2(0.0, CONTROL_HEIGHT));
        let hint =
            "Put a mark at this moment, for example “deployed v2”; it stays on the plots and in the record";
        let button = ui.add(button);
        if hinted(ui, button, hint, &MARK).clicked() {
            view.mark = Some(String::new());
        }
        return;
    };
    let id = Id::unique("mark of the run");
    let field = widgets::line(text).id(id).hint_text("deployed v2").desired_width(MARK_WIDTH);
    let response = widgets::edit(ui, cx.theme, field);
    response.widget_info(|| named(text, "Text of the mark"));
    let (enter, escape) = ui.input(|input| (input.key_pressed(Key::Enter), input.key_pressed(Key::Escape)));
    if response.lost_focus() && enter && !text.trim().is_empty() {
        cx.push(Command::MarkRun(text.trim().to_owned()));
        view.mark = None;
    } else if escape || (response.lost_focus() && !enter) {
        view.mark = None;
    } else if !response.has_focus() {
        response.request_focus();
    }
}

fn rate(cx: &mut Cx<'_>, ui: &mut Ui, view: &mut SteerView, live: &Live) {
    let planned = live.plan.pacing.rate_per_sec();
    let step = |ui: &mut Ui, words: &str, hint: &str| {
        let button = Button::new(words).min_size(vec2(CONTROL_HEIGHT, CONTROL_HEIGHT));
        ui.add(button).on_hover_text(hint).clicked()
    };
    if step(ui, "+", "10 % more") {
        cx.push(Command::SetRateFactor(live.factor * (1.0 + STEP)));
    }
    match planned {
        Some(planned) => typed(cx, ui, view, live, planned),
        // A rate that changes is multiplied as a whole.
        None => {
            let words = format!("× {}", (live.factor * 100.0).round() / 100.0);
            ui.label(RichText::new(words)).on_hover_text("The planned rate is multiplied by this");
        }
    }
    if step(ui, "−", "As much less as + is more") {
        cx.push(Command::SetRateFactor(live.factor / (1.0 + STEP)));
    }
}

/// The rate now asked for; another can be typed.
fn typed(cx: &mut Cx<'_>, ui: &mut Ui, view: &mut SteerView, live: &Live, planned: f64) {
    let is_wrong = view.is_rate_wrong;
    // The words about a refused rate must not make another field of it, which would have no focus.
    let id = Id::unique("rate of the run");
    let field = widgets::line(&mut view.rate).id(id).desired_width(RATE_WIDTH);
    let edit = |ui: &mut Ui| {
        if is_wrong {
            widgets::mark_invalid(ui, cx.theme);
        }
        widgets::edit(ui, cx.theme, field)
    };
    let response = ui.scope(edit).inner;
    response.widget_info(|| named(&view.rate, "Rate, requests per second"));
    let response = hinted(ui, response, "Requests per second asked for; Enter sets another", &RATE);
    if std::mem::take(&mut view.asks_rate) {
        focus_all(&response, &view.rate);
    }
    if !response.has_focus() && !response.lost_focus() && !view.is_rate_wrong {
        view.rate = number::rate(planned * live.factor);
    }
    if response.changed() {
        view.is_rate_wrong = false;
    }
    if response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter)) {
        match read_rate(&view.rate) {
            Some(rate) => cx.push(Command::SetRateFactor(rate / planned)),
            None => {
                view.is_rate_wrong = true;
                response.request_focus();
            }
        }
    } else if response.lost_focus() {
        // What was only begun is dropped, and the field says again what is so.
        view.is_rate_wrong = false;
    }
}

/// Gives a field the focus with its whole text chosen, so that typing replaces it.
fn focus_all(response: &Response, text: &str) {
    response.request_focus();
    let mut state = TextEditState::load(&response.ctx, response.id).unwrap_or_default();
    state.cursor.set_char_range(Some(CCursorRange::select_all_str(text)));
    state.store(&response.ctx, response.id);
}

/// A rate as the field shows it: digits, spaces between them, one dot, and `/s`. Anything else is no rate: a wrong one
/// would be sent at once.
fn read_rate(text: &str) -> Option<f64> {
    let text = text.trim();
    let digits: String = text.strip_suffix("/s").unwrap_or(text).split_whitespace().collect();
    let is_plain = digits.chars().all(|c| c.is_ascii_digit() || c == '.');
    digits.parse::<f64>().ok().filter(|rate| is_plain && *rate > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_rate_is_not_sent() {
        for (text, rate) in [("500", 500.0), ("1\u{2009}000/s", 1000.0), (" 2 000.5 /s ", 2000.5)] {
            assert_eq!(read_rate(text), Some(rate), "{text}");
        }
        assert_eq!(read_rate(&number::rate(12_345.0)), Some(12_345.0), "what the field shows itself");
        for text in ["", "-500", "1e3", "2k", "1,5", "12abc3", "0", "1.2.3", "inf", "/s"] {
            assert_eq!(read_rate(text), None, "{text}");
        }
    }
}
