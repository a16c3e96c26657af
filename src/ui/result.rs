//! One run's result: what was measured, how far it can be trusted, and ways on.

mod detail;
mod head;
mod publish;
mod summary;

pub(super) use head::export;

use eframe::egui::{Label, RichText, Ui, vec2};

use super::metrics::kept::{self, KeptView};
use super::plot::PlotsView;
use super::plot::axis::Scale;
use super::plot::distribution;
use super::plot::time::{self, TimeView};
use super::theme::SPACE;
use super::{Cx, live, widgets};
use crate::app::{Curves, curves};
use crate::model::plan::REDACTED;
use crate::model::{Run, RunId};

/// Room for the tabs, in points.
const TABS_WIDTH: f32 = 540.0;
/// What stands for the password in a URL.
const REDACTED_IN_URL: &str = ":redacted@";
/// Room for the quantile curve on the first tab, in points.
const CURVE_HEIGHT_MIN: f32 = 210.0;

/// What a person has made of the page.
#[derive(Debug, Default)]
pub struct ResultView {
    /// The run that the rest belongs to.
    run: Option<RunId>,
    tab: Tab,
    draft: head::Draft,
    publish: publish::PublishForm,
    curve: PlotsView,
    histogram: PlotsView,
    trials: PlotsView,
    counts: Scale,
    time: TimeView,
    kept: KeptView,
    curves: Option<Result<Curves, String>>,
    /// The plan as text, and whether secrets are missing from it.
    plan: String,
    is_redacted: bool,
    /// Whether all of the slowest requests are listed.
    all_slowest: bool,
}

/// The parts of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Tab {
    #[default]
    Summary,
    Distribution,
    Time,
    Breakdown,
    Plan,
}

impl ResultView {
    /// Everything starts anew with another run.
    fn follow(&mut self, run: &Run) {
        if self.run == Some(run.id) {
            return;
        }
        let plan = run.plan.to_toml();
        *self = Self {
            run: Some(run.id),
            tab: self.tab,
            counts: Scale::Linear,
            time: self.time.anew(),
            curves: Some(curves(run)),
            is_redacted: plan.contains(REDACTED) || plan.contains(REDACTED_IN_URL),
            plan,
            ..Self::default()
        };
    }
}

/// Draws the page.
pub fn ui(cx: &mut Cx<'_>, ui: &mut Ui, view: &mut ResultView, run: &Run) {
    view.follow(run);
    head::title(cx, ui, view, run);
    let room = ui.available_height();
    widgets::scrolling(ui, "result", room, |ui| {
        let top = ui.cursor().top();
        publish::ui(cx, ui, &mut view.publish, run);
        head::particulars(cx, ui, &mut view.draft, run);
        let brief = if view.tab == Tab::Summary { head::Brief::No } else { head::Brief::Yes };
        head::warnings(cx, ui, run, brief);
        live::numbers(cx, ui, Some(run));
        ui.add_space(SPACE[1]);
        tabs(cx, ui, view);
        let height = room - (ui.cursor().top() - top) - SPACE[0];
        match view.tab {
            Tab::Summary => summary_tab(cx, ui, view, run),
            Tab::Distribution => distribution_tab(cx, ui, view, run, height),
            Tab::Time => {
                time::ui(cx, ui, &mut view.time, Some(run), run.length_s(), height);
                meanwhile(cx, ui, view, run);
            }
            Tab::Breakdown => detail::ui(cx, ui, run, &mut view.all_slowest),
            Tab::Plan => plan_tab(cx, ui, view, run),
        }
    });
}

fn tabs(cx: &Cx<'_>, ui: &mut Ui, view: &mut ResultView) {
    let (is_time, has_choice) = (view.tab == Tab::Time, !matches!(view.tab, Tab::Plan | Tab::Breakdown));
    let width = live::CHOICE_WIDTH + if is_time { live::DRAWING_WIDTH + SPACE[1] } else { 0.0 };
    let beside = ui.available_width() > TABS_WIDTH + width;
    let choices = |ui: &mut Ui, view: &mut ResultView| {
        if is_time {
            live::drawing_choice(cx, ui, &mut view.time);
            live::timing_choice_over_time(cx, ui, &mut view.time);
        } else {
            live::timing_choice(cx, ui, &mut view.time);
        }
    };
    ui.horizontal(|ui| {
        widgets::segmented(
            ui,
            cx.theme,
            "Part of the result",
            &mut view.tab,
            &[
                (Tab::Summary, "Summary"),
                (Tab::Distribution, "Distribution"),
                (Tab::Time, "Over time"),
                (Tab::Breakdown, "Breakdown"),
                (Tab::Plan, "Plan and machine"),
            ],
        );
        if has_choice && beside {
            ui.add_space((ui.available_width() - width).max(0.0));
            choices(ui, view);
        }
    });
    if has_choice && !beside {
        ui.horizontal(|ui| choices(ui, view));
    }
    ui.add_space(SPACE[0]);
}

/// What was measured elsewhere while load was sent, on the same time axis.
fn meanwhile(cx: &mut Cx<'_>, ui: &mut Ui, view: &mut ResultView, run: &Run) {
    let x_full = (0.0, run.length_s().max(1.0));
    let plots = &mut view.time.plots;
    view.kept.follow(run.id);
    if let Some(metrics) = &run.metrics {
        ui.add_space(SPACE[4]);
        widgets::heading(ui, "Metrics");
        let over = kept::Over { began_ms: run.counted_from_ms(), x_full };
        kept::kept(cx, ui, &mut view.kept, plots, metrics, over);
    } else {
        kept::keeping(cx, ui, run.id);
    }
    if !run.machine.is_empty() {
        ui.add_space(SPACE[4]);
        widgets::heading(ui, "This machine, while it sent load");
        ui.add_space(SPACE[1]);
        kept::machine(cx, ui, &mut view.kept, plots, &run.machine, x_full);
    }
}

fn summary_tab(cx: &Cx<'_>, ui: &mut Ui, view: &mut ResultView, run: &Run) {
    const TABLE_WIDTH: f32 = 460.0;
    let beside = ui.available_width() > 1.8 * TABLE_WIDTH;
    if let Some(capacity) = &run.capacity {
        super::capacity::panel(ui, cx.theme, &mut view.trials, capacity, &run.plan.goals);
    }
    if !beside {
        summary::quantiles(cx, ui, run);
        ui.add_space(SPACE[2]);
        curve(cx, ui, view, run, CURVE_HEIGHT_MIN);
    } else {
        let width = ui.available_width() - TABLE_WIDTH - SPACE[4];
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = SPACE[4];
            let table = ui.allocate_ui(vec2(TABLE_WIDTH, 0.0), |ui| {
                ui.vertical(|ui| summary::quantiles(cx, ui, run));
            });
            // The plot ends where the table ends.
            let height = table.response.rect.height().max(CURVE_HEIGHT_MIN);
            ui.allocate_ui(vec2(width, 0.0), |ui| {
                ui.vertical(|ui| curve(cx, ui, view, run, height));
            });
        });
    }
    ui.add_space(SPACE[1]);
    summary::blocks(cx, ui, run);
    if let Some(metrics) = run.metrics.as_ref().filter(|metrics| !metrics.costs.is_empty()) {
        ui.add_space(SPACE[2]);
        widgets::section(ui, "What it cost");
        kept::costs(cx, ui, &[("", cx.theme.accent, metrics)]);
    }
}

fn distribution_tab(cx: &Cx<'_>, ui: &mut Ui, view: &mut ResultView, run: &Run, height: f32) {
    let each = ((height - SPACE[2]) / 2.0).max(CURVE_HEIGHT_MIN);
    curve(cx, ui, view, run, each);
    ui.add_space(SPACE[2]);
    let Some(Ok(curves)) = &view.curves else { return };
    let timing = view.time.timing;
    distribution::histogram(cx.theme, ui, &mut view.histogram, &mut view.counts, timing, curves, each);
}

fn curve(cx: &Cx<'_>, ui: &mut Ui, view: &mut ResultView, run: &Run, height: f32) {
    match &view.curves {
        Some(Ok(curves)) => {
            let one = distribution::Overlaid {
                name: &run.name,
                color: cx.theme.quantiles[3],
                curve: distribution::of(curves, view.time.timing),
                quantiles: view.time.timing.of(run),
            };
            let (scale, timing) = (view.time.scale, view.time.timing);
            distribution::curves(cx.theme, ui, &mut view.curve, scale, timing, &[one], height);
        }
        Some(Err(reason)) => {
            let what = format!("{reason}. The summary is not touched by this.");
            widgets::failure(ui, cx.theme, "The distribution cannot be drawn", &what, None);
        }
        None => {}
    }
}

fn plan_tab(cx: &Cx<'_>, ui: &mut Ui, view: &ResultView, run: &Run) {
    let half = (ui.available_width() - SPACE[4]) / 2.0;
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = SPACE[4];
        ui.allocate_ui(vec2(half, 0.0), |ui| {
            ui.vertical(|ui| {
                widgets::section(ui, "Plan");
                if view.is_redacted {
                    widgets::caption(ui, cx.theme, "Secrets are never kept: they are shown as •••");
                }
                ui.add(Label::new(RichText::new(&view.plan).monospace()).wrap());
                if ui.button("Copy plan").clicked() {
                    ui.ctx().copy_text(view.plan.clone());
                }
            });
        });
        ui.allocate_ui(vec2(half, 0.0), |ui| {
            ui.vertical(|ui| summary::environment(cx, ui, run));
        });
    });
}
