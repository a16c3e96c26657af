//! The run that is going: four numbers, its plots, how far it is, and Stop.

mod steer;

pub(super) use steer::{MARK, PAUSE, RATE, rated, steered};

use eframe::egui::{
    Align, Button, CornerRadius, Label, Layout, Rect, RichText, Role, Sense, Ui, WidgetInfo, vec2,
};

use super::capacity;
use super::plot::PlotsView;
use super::plot::axis::Scale;
use super::plot::time::{self, Drawing, TimeView, Timing};
use super::theme::{CONTROL_HEIGHT, SPACE};
use super::{Cx, widgets};
use crate::app::Command;
use crate::app::state::{Live, Phase};
use crate::model::number::{self, UNKNOWN};
use crate::model::run::WarningKind;
use crate::model::{Run, RunId, Stop};

/// Room for progress and Stop, in points.
const FOOT_HEIGHT: f32 = 44.0;
/// Room for the choices beside the title, in points.
pub(super) const CHOICE_WIDTH: f32 = 293.0;
/// Room for the choice of drawing beside those, in points.
pub(super) const DRAWING_WIDTH: f32 = 152.0;
/// Room that the title has at least where the choices are beside it, in points.
const TITLE_WIDTH_MIN: f32 = 240.0;
/// Narrower than this, progress stands above the buttons, in points.
const FOOT_WIDTH_MIN: f32 = 760.0;
/// The time axis of a short run shows all of it from the start, in seconds.
const WHOLE_AXIS_MAX_S: f64 = 60.0;
/// Otherwise it grows in steps, the first this long, in seconds.
const AXIS_FIRST_S: f64 = 30.0;

/// Why the choices of timing and scale rest beside a heat map.
const HEAT_REASON: &str = "The heat map shows response times on a logarithmic axis";

/// The pace that the window keeps during a run where the processor draws.
const SOFTWARE_NOTE: &str = "Drawn in software: 4 pictures a second";

/// What a person has made of the page.
#[derive(Debug, Default)]
pub struct LiveView {
    /// The run that the rest belongs to.
    run: Option<RunId>,
    /// Zoom, hidden series, scale, response or service.
    pub time: TimeView,
    trials: PlotsView,
    steer: steer::SteerView,
}

impl LiveView {
    /// Zoom and hidden series start anew with another run; scale and timing stay as they were chosen.
    fn follow(&mut self, live: &Live) {
        if self.run != Some(live.id) {
            *self = Self { run: Some(live.id), time: self.time.anew(), ..Self::default() };
        }
    }
}

/// Draws the page.
pub fn ui(cx: &mut Cx<'_>, ui: &mut Ui, view: &mut LiveView, live: &Live) {
    view.follow(live);
    if let Phase::Failed { reason } = &live.phase {
        failed(cx, ui, live, reason);
        return;
    }
    steer::keys(cx, ui, &mut view.steer, live);
    let room = ui.available_height() - foot_height(ui, &view.steer);
    widgets::scrolling(ui, "live", room, |ui| {
        let top = ui.cursor().top();
        head(cx, ui, view, live);
        warnings(cx, ui, live);
        if live.search.is_some()
            && let Some((run, capacity)) =
                live.so_far.as_deref().and_then(|run| Some((run, run.capacity.as_ref()?)))
        {
            capacity::line(ui, cx.theme, capacity, run.rate.asked);
            capacity::trials(ui, cx.theme, &mut view.trials, capacity, &live.plan.goals);
        }
        numbers(cx, ui, live.so_far.as_deref());
        ui.add_space(SPACE[0]);
        let run = live.so_far.as_deref();
        let measured_s = run.map_or(0.0, Run::length_s);
        let height = room - (ui.cursor().top() - top) - SPACE[0];
        time::ui(cx, ui, &mut view.time, run, time_end(measured_s, planned_s(live)), height);
    });
    foot(cx, ui, &mut view.steer, live);
}

/// How far the time axis reaches: far enough that it does not move with every news.
fn time_end(measured_s: f64, planned_s: Option<f64>) -> f64 {
    let mut end = AXIS_FIRST_S;
    while end < measured_s {
        end *= 2.0;
    }
    match planned_s {
        Some(planned) if planned <= WHOLE_AXIS_MAX_S => planned.max(measured_s),
        Some(planned) => end.min(planned.max(measured_s)),
        None => end,
    }
}

/// Length of the counted part, where the plan says it.
fn planned_s(live: &Live) -> Option<f64> {
    let planned = live.plan.counted_length().map(|length| length.as_secs_f64());
    match live.plan.stop {
        Stop::Requests(count) => {
            planned.or_else(|| live.plan.pacing.rate_per_sec().map(|rate| count as f64 / rate))
        }
        Stop::Duration(_) | Stop::Never => planned,
    }
}

fn head(cx: &Cx<'_>, ui: &mut Ui, view: &mut LiveView, live: &Live) {
    let choices = CHOICE_WIDTH + DRAWING_WIDTH + 2.0 * SPACE[1];
    let beside = ui.available_width() > choices + TITLE_WIDTH_MIN;
    ui.horizontal(|ui| {
        widgets::heading(ui, name_of(live));
        let url = RichText::new(live.plan.target.url.as_str()).color(cx.theme.text_muted);
        let taken = if beside { choices } else { 0.0 };
        let room = vec2((ui.available_width() - taken).max(0.0), CONTROL_HEIGHT);
        ui.allocate_ui_with_layout(room, Layout::left_to_right(Align::Center), |ui| {
            ui.set_min_width(room.x);
            ui.add_space(SPACE[0]);
            ui.add(Label::new(url).truncate());
        });
        if beside {
            drawing_choice(cx, ui, &mut view.time);
            timing_choice_over_time(cx, ui, &mut view.time);
        }
    });
    if !beside {
        ui.horizontal_wrapped(|ui| {
            drawing_choice(cx, ui, &mut view.time);
            timing_choice_over_time(cx, ui, &mut view.time);
        });
    }
}

/// Lines of quantiles, or a heat map. The map has one timing and one scale, so [`timing_choice`] rests beside it.
pub(super) fn drawing_choice(cx: &Cx<'_>, ui: &mut Ui, view: &mut TimeView) {
    widgets::segmented(
        ui,
        cx.theme,
        "Drawing of latency over time",
        &mut view.drawing,
        &[(Drawing::Lines, "Lines"), (Drawing::Heat, "Heat map")],
    );
}

/// Response or service time, on a logarithmic or a linear axis; of the plots over time, where a heat map knows only
/// one of each.
pub(super) fn timing_choice_over_time(cx: &Cx<'_>, ui: &mut Ui, view: &mut TimeView) {
    if view.drawing == Drawing::Lines {
        timing_choice(cx, ui, view);
        return;
    }
    // What the map shows, whatever was chosen for the lines.
    let (mut timing, mut scale) = (Timing::Response, Scale::Log);
    let resting = ui.add_enabled_ui(false, |ui| timings(cx, ui, &mut timing, &mut scale));
    let whole = ui.interact(resting.response.rect, resting.response.id.with("reason"), Sense::hover());
    whole.widget_info(|| WidgetInfo::labeled(Role::Label, false, HEAT_REASON));
    whole.on_hover_text(HEAT_REASON);
}

/// Response or service time, on a logarithmic or a linear axis.
pub(super) fn timing_choice(cx: &Cx<'_>, ui: &mut Ui, view: &mut TimeView) {
    timings(cx, ui, &mut view.timing, &mut view.scale);
}

fn timings(cx: &Cx<'_>, ui: &mut Ui, timing: &mut Timing, scale: &mut Scale) {
    widgets::segmented(
        ui,
        cx.theme,
        "Response or service time",
        timing,
        &[(Timing::Response, "Response"), (Timing::Service, "Service")],
    );
    widgets::segmented(
        ui,
        cx.theme,
        "Scale of the latency axis",
        scale,
        &[(Scale::Log, "Log"), (Scale::Linear, "Linear")],
    );
}

fn name_of(live: &Live) -> &str {
    if live.is_try {
        "Built-in target"
    } else if live.plan.name.is_empty() {
        "Load test"
    } else {
        &live.plan.name
    }
}

fn warnings(cx: &Cx<'_>, ui: &mut Ui, live: &Live) {
    let found = live.so_far.iter().flat_map(|run| &run.warnings);
    let (mut void, mut others) = (None, Vec::new());
    for warning in found {
        let advice = match warning.kind {
            WarningKind::GeneratorLagged => {
                "Do not trust the numbers: lower the rate, close other programs, or send from another machine."
            }
            WarningKind::GeneratorThrottled => {
                "Do not trust the numbers: raise the limit, or lower the rate."
            }
            WarningKind::ProcessorStolen => "Send from a quieter machine where exact numbers matter.",
            WarningKind::GeneratorSaturated => "Lower the rate, or give the load more threads in Settings.",
            WarningKind::Overflowed => "More connections would keep requests from waiting for one.",
            WarningKind::Insecure => "Certificates are not checked in this run.",
            WarningKind::PortForward => {
                "Load goes to one pod through the API server (port-forward), which adds to every number."
            }
            // What only the end can tell is said on the result page.
            _ => continue,
        };
        let words = format!("{}. {advice}", warning.text.trim_end_matches('.'));
        match warning.kind {
            kind if kind.voids() => void = Some((void_words(kind), words)),
            _ => others.push(words),
        }
    }
    let void = void.as_ref().map(|(title, words)| (*title, words.as_str()));
    let others: Vec<_> = others.iter().map(String::as_str).collect();
    widgets::notes(ui, cx.theme, void, &others);
}

fn void_words(kind: WarningKind) -> &'static str {
    match kind {
        WarningKind::GeneratorThrottled => "This run is void: the generator is held back",
        _ => "This run is void: the generator is late",
    }
}

/// The four numbers that matter.
pub(super) fn numbers(cx: &Cx<'_>, ui: &mut Ui, run: Option<&Run>) {
    let theme = cx.theme;
    let answered = run.filter(|run| run.response_ms.count > 0);
    let p99 = answered.map_or_else(|| UNKNOWN.to_owned(), |run| number::millis(run.response_ms.p99));
    let lag = run
        .filter(|run| run.lag_ms.count > 0)
        .map_or_else(|| UNKNOWN.to_owned(), |run| number::millis(run.lag_ms.p99));
    let (rate, asked) = match run {
        Some(run) => (
            number::rate(run.rate.achieved),
            run.rate.asked.map_or_else(
                || "as fast as possible".to_owned(),
                |asked| format!("of {} asked", number::rate(asked)),
            ),
        ),
        None => (UNKNOWN.to_owned(), String::new()),
    };
    let (errors, share) = run.map_or_else(
        || (UNKNOWN.to_owned(), String::new()),
        |run| (number::count(run.requests.failed), failed_share(run)),
    );
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = SPACE[1];
        let width = ui.available_width() / 4.0;
        let fields = [
            ("p99 response", &p99, String::new()),
            ("Rate", &rate, asked),
            ("Errors", &errors, share),
            ("Lag p99", &lag, String::new()),
        ];
        for (name, value, beside) in fields {
            ui.allocate_ui_with_layout(
                vec2(width - SPACE[1], 48.0),
                Layout::left_to_right(Align::Max),
                |ui| {
                    ui.set_min_width(width - SPACE[1]);
                    widgets::stat(ui, theme, name, value);
                    if !beside.is_empty() {
                        ui.add(Label::new(RichText::new(beside).color(theme.text_muted)).truncate());
                    }
                },
            );
        }
    });
}

/// `0.42 % of due`
fn failed_share(run: &Run) -> String {
    if run.requests.due == 0 || run.requests.failed == 0 {
        return String::new();
    }
    number::percent(run.requests.failed as f64 / run.requests.due as f64)
}

/// Room for progress, buttons, and what is said about them, in points.
fn foot_height(ui: &Ui, steering: &steer::SteerView) -> f32 {
    let second = if is_foot_narrow(ui) { CONTROL_HEIGHT + SPACE[1] } else { 0.0 };
    FOOT_HEIGHT + second + steering.refusal_height()
}

fn is_foot_narrow(ui: &Ui) -> bool {
    ui.available_width() < FOOT_WIDTH_MIN
}

fn foot(cx: &mut Cx<'_>, ui: &mut Ui, steering: &mut steer::SteerView, live: &Live) {
    let narrow = is_foot_narrow(ui);
    steer::refusal(ui, cx.theme, steering);
    ui.add_space(SPACE[1]);
    ui.horizontal(|ui| {
        ui.set_min_height(CONTROL_HEIGHT);
        ui.label(RichText::new(clock_words(live)));
        if live.is_paused && matches!(live.phase, Phase::Warmup | Phase::Measuring) {
            ui.label(RichText::new("Paused").color(cx.theme.warning));
        } else {
            ui.label(RichText::new(phase_words(&live.phase)).color(cx.theme.text_muted));
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if !narrow {
                buttons(cx, ui, steering, live);
            }
            progress(cx, ui, live, narrow);
        });
    });
    if narrow {
        let row = vec2(ui.available_width(), CONTROL_HEIGHT);
        ui.allocate_ui_with_layout(row, Layout::right_to_left(Align::Center), |ui| {
            buttons(cx, ui, steering, live);
        });
    }
}

/// From right to left.
fn buttons(cx: &mut Cx<'_>, ui: &mut Ui, steering: &mut steer::SteerView, live: &Live) {
    let stops = !matches!(live.phase, Phase::Stopping | Phase::Saving);
    let stop = Button::new("Stop").min_size(vec2(84.0, CONTROL_HEIGHT));
    if ui.add_enabled(stops, stop).on_hover_text("Stop and keep what was measured").clicked() {
        cx.push(Command::StopRun);
    }
    steer::ui(cx, ui, steering, live);
}

/// From right to left: the time left, and the bar in the room that remains.
fn progress(cx: &Cx<'_>, ui: &mut Ui, live: &Live, narrow: bool) {
    let theme = cx.theme;
    if let Some(remaining) = live.remaining {
        let words = format!("{} left", number::clock(remaining.as_secs_f64()));
        ui.label(RichText::new(words).color(theme.text_muted));
    }
    if cx.software_rasterizer && !narrow {
        let note = "Without a graphics card, drawing takes processor time from measuring";
        ui.label(RichText::new(SOFTWARE_NOTE).small().color(theme.text_muted)).on_hover_text(note);
    }
    bar(cx, ui, live);
}

fn bar(cx: &Cx<'_>, ui: &mut Ui, live: &Live) {
    let width = ui.available_width();
    let (rect, response) = ui.allocate_exact_size(vec2(width, 8.0), Sense::hover());
    let share = live.progress.unwrap_or(0.0).clamp(0.0, 1.0);
    response.widget_info(|| {
        let words = live.progress.map_or_else(|| UNKNOWN.to_owned(), |_| number::percent(share));
        WidgetInfo::labeled(Role::ProgressIndicator, true, format!("Progress: {words}"))
    });
    let corner = CornerRadius::same(4);
    ui.painter().rect_filled(rect, corner, cx.theme.tint(cx.theme.text, 0.12));
    let done = Rect::from_min_size(rect.min, vec2(rect.width() * share as f32, rect.height()));
    if done.width() >= 1.0 {
        ui.painter().rect_filled(done, corner, cx.theme.accent);
    }
}

/// `00:42 of 02:00`
fn clock_words(live: &Live) -> String {
    let elapsed = number::clock(live.elapsed.as_secs_f64());
    match planned_s(live) {
        Some(planned) => format!("{elapsed} of {}", number::clock(planned + live.plan.warmup.as_secs_f64())),
        None => elapsed,
    }
}

fn phase_words(phase: &Phase) -> &'static str {
    match phase {
        Phase::Connecting => "Connecting",
        Phase::Warmup => "Warm-up, not counted",
        Phase::Measuring => "Measuring",
        Phase::Draining => "Waiting for the last answers",
        Phase::Stopping => "Stopping",
        Phase::Saving => "Saving",
        Phase::Failed { .. } => "Failed",
    }
}

fn failed(cx: &mut Cx<'_>, ui: &mut Ui, live: &Live, reason: &str) {
    widgets::heading(ui, name_of(live));
    ui.add(Label::new(RichText::new(live.plan.target.url.as_str()).color(cx.theme.text_muted)).truncate());
    ui.add_space(SPACE[2]);
    widgets::failure(ui, cx.theme, "The run could not be carried out", reason, None);
    ui.add_space(SPACE[2]);
    ui.horizontal(|ui| {
        if widgets::primary(ui, cx.theme, "Back to the form").clicked() {
            cx.push(Command::EditPlan(live.plan.clone()));
        }
        if ui.add(Button::new("Run again").min_size(vec2(0.0, CONTROL_HEIGHT + 4.0))).clicked() {
            cx.push(Command::StartRun(live.plan.clone()));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_axis_grows_in_steps() {
        assert_eq!(time_end(2.0, Some(30.0)), 30.0);
        assert_eq!(time_end(2.0, Some(3600.0)), 30.0);
        assert_eq!(time_end(31.0, Some(3600.0)), 60.0);
        assert_eq!(time_end(90.0, Some(100.0)), 100.0);
        assert_eq!(time_end(61.0, None), 120.0);
    }
}
