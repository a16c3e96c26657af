//! What a person changes while a run goes: its rate, a pause, a mark.

use eframe::egui::{Button, Key, RichText, Role, Ui, WidgetInfo, vec2};

use crate::app::Command;
use crate::app::state::{Live, Phase};
use crate::model::number;
use crate::ui::theme::CONTROL_HEIGHT;
use crate::ui::{Cx, widgets};

/// One press of − or + changes the rate by this share.
const STEP: f64 = 0.1;
/// Room for a typed rate, in points.
const RATE_WIDTH: f32 = 76.0;
/// Room for the text of a mark, in points.
const MARK_WIDTH: f32 = 160.0;

/// What is being typed.
#[derive(Debug, Default)]
pub(super) struct SteerView {
    rate: String,
    is_rate_wrong: bool,
    mark: Option<String>,
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
    if ui.add(pause).on_hover_text(hint).clicked() {
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
        if ui.add(button).on_hover_text(hint).clicked() {
            view.mark = Some(String::new());
        }
        return;
    };
    let field = widgets::line(text).hint_text("deployed v2").desired_width(MARK_WIDTH);
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
    if view.is_rate_wrong {
        widgets::mark_invalid(ui, cx.theme);
    }
    let field = widgets::line(&mut view.rate).desired_width(RATE_WIDTH);
    let response = widgets::edit(ui, cx.theme, field);
    response.widget_info(|| named(&view.rate, "Rate, requests per second"));
    let response = response.on_hover_text(if view.is_rate_wrong {
        "Write a number of requests per second, for example 250"
    } else {
        "Requests per second asked for; Enter sets another"
    });
    if !response.has_focus() && !response.lost_focus() && !view.is_rate_wrong {
        view.rate = number::rate(planned * live.factor);
    }
    if response.changed() {
        view.is_rate_wrong = false;
    }
    if response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter)) {
        match read_rate(&view.rate) {
            Some(rate) => cx.push(Command::SetRateFactor(rate / planned)),
            None => view.is_rate_wrong = true,
        }
    }
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
