//! What was kept of metrics with a run: boards on the run's own time axis, and what it cost.

use std::collections::BTreeMap;

use eframe::egui::{
    Align, Color32, Label, Layout, Rect, RichText, ScrollArea, Sense, Stroke, Ui, Vec2, vec2,
};

use super::board::flow;
use super::panel::{self, Content, PanelView, Shown};
use super::series::Clock;
use crate::app::metrics::{Keeping, MetricsCommand};
use crate::model::RunId;
use crate::model::metrics::board::PanelPlace;
use crate::model::metrics::{
    Answer, Ask, Cost, Grid, KeptBoard, Panel, PanelKind, PanelQuery, Point, RunMetrics, Series, Unit,
};
use crate::model::number::{self, UNKNOWN};
use crate::model::run::{Machine, MachineSample};
use crate::ui::plot::PlotsView;
use crate::ui::theme::SPACE;
use crate::ui::{Cx, figures, widgets};

/// Room for a number, in points.
const CELL: f32 = 140.0;
/// The least room for names, in points.
const NAME_MIN: f32 = 170.0;
/// Height of a row of costs, in points.
pub(in crate::ui) const ROW: f32 = 24.0;
/// The panels of the machine among those of boards.
const MACHINE: usize = usize::MAX;
/// Why a cost is a dash.
const UNKNOWN_WORDS: &str =
    "Not known: the source has no such metric of it, or the run was too short for two readings";

/// What a person has made of what was kept.
#[derive(Debug, Default)]
pub struct KeptView {
    run: Option<RunId>,
    panels: BTreeMap<(usize, PanelPlace), PanelView>,
}

impl KeptView {
    /// Everything starts anew with another run.
    pub fn follow(&mut self, run: RunId) {
        if self.run != Some(run) {
            *self = Self { run: Some(run), ..Self::default() };
        }
    }
}

/// One number of a cost.
struct Figure {
    head: &'static str,
    hover: &'static str,
    of: fn(&Cost) -> Option<f64>,
    unit: Unit,
}

fn figures_of_costs() -> [Figure; 5] {
    [
        Figure {
            head: "CPU per 1000 requests",
            hover: "Seconds of processor time for a thousand answered requests",
            of: Cost::cpu_s_per_1000,
            unit: Unit::Seconds,
        },
        Figure {
            head: "CPU in all",
            hover: "Seconds of processor time over the counted part of the run",
            of: |cost| cost.cpu_s,
            unit: Unit::Seconds,
        },
        Figure {
            head: "Memory, mean",
            hover: "Mean of the memory in use over the counted part of the run",
            of: |cost| cost.memory_mean_bytes,
            unit: Unit::Bytes,
        },
        Figure {
            head: "Memory, max",
            hover: "The most memory in use at a moment that was read",
            of: |cost| cost.memory_max_bytes,
            unit: Unit::Bytes,
        },
        Figure {
            head: "Memory per 1000/s",
            hover: "Mean memory for a thousand requests in a second",
            of: Cost::memory_bytes_per_1000_rps,
            unit: Unit::Bytes,
        },
    ]
}

/// A run's own time.
#[derive(Clone, Copy, Debug)]
pub struct Over {
    /// When its first counted request was due, in milliseconds since 1970.
    pub began_ms: i64,
    /// From which second to which it is shown.
    pub x_full: (f64, f64),
}

/// Draws what was kept with a run: where it is from, what it cost, and its boards on the run's own time axis. Shares crosshair and zoom with the other plots of `plots`, of which
/// [`PlotsView::begin`] was called in this frame.
pub fn kept(
    cx: &Cx<'_>,
    ui: &mut Ui,
    view: &mut KeptView,
    plots: &mut PlotsView,
    metrics: &RunMetrics,
    over: Over,
) {
    view.follow(metrics.run);
    let theme = cx.theme;
    let mut told = vec![format!("From {}", metrics.source)];
    told.extend(metrics.scrape_ms.map(|every| format!("reads every {}", step_words(every))));
    told.push(format!("a value every {}", step_words(metrics.grid.step_ms.unsigned_abs())));
    told.push(format!("taken {}", widgets::when(metrics.taken)));
    ui.add(Label::new(RichText::new(told.join(" · ")).small().color(theme.text_muted)).wrap());
    let remarks: Vec<&str> = metrics.remarks.iter().map(String::as_str).collect();
    widgets::notes(ui, theme, None, &remarks);
    if !metrics.costs.is_empty() {
        ui.add_space(SPACE[1]);
        widgets::section(ui, "What the run cost");
        costs(cx, ui, &[("", theme.accent, metrics)]);
    }
    ui.add_space(SPACE[2]);
    let (clock, x_full) = (Clock::Since(over.began_ms), over.x_full);
    for (at, board) in metrics.boards.iter().enumerate() {
        widgets::section(ui, &board.board.title);
        ui.add_space(SPACE[0]);
        board_ui(cx, ui, view, plots, (at, board), (metrics, clock, x_full));
    }
}

/// `15 s`, or with parts of a second where there are any.
fn step_words(ms: u64) -> String {
    if ms.is_multiple_of(1000) { super::length_words(ms / 1000) } else { number::millis(ms as f64) }
}

fn board_ui(
    cx: &Cx<'_>,
    ui: &mut Ui,
    view: &mut KeptView,
    plots: &mut PlotsView,
    (at, kept): (usize, &KeptBoard),
    (metrics, clock, x_full): (&RunMetrics, Clock, (f64, f64)),
) {
    for (number, row) in kept.board.rows.iter().enumerate() {
        if !row.title.is_empty() {
            widgets::caption(ui, cx.theme, &row.title);
        }
        let mut draw = |ui: &mut Ui, panel_at: usize, panel: &Panel| {
            let place = PanelPlace { row: number, panel: panel_at };
            let found = kept.panels.iter().find(|panel| panel.place == place);
            let content = found.map_or(Content::Nothing, |panel| Content::Kept(&panel.answers));
            let (grid, is_own, salt) = (Some(metrics.grid), false, at + 1);
            let it = Shown { panel, place, content, grid, clock, x_full, is_own, salt };
            let panels = view.panels.entry((at, place)).or_default();
            if let Some(panel::Wish::Back) = panel::ui(cx, ui, &it, panels, plots) {
                plots.reset();
            }
        };
        flow(ui, &row.panels, &mut draw);
        ui.add_space(SPACE[1]);
    }
}

/// Says how it stands with metrics of a run that has none yet: waited for, being asked, or why not. Draws nothing where
/// none are to come.
pub fn keeping(cx: &mut Cx<'_>, ui: &mut Ui, run: RunId) {
    let Some(keeping) = cx.state.metrics.keeping.get(&run).cloned() else { return };
    ui.add_space(SPACE[3]);
    match keeping {
        Keeping::Waiting(until) => {
            ui.horizontal(|ui| {
                let words = format!(
                    "Metrics are read at {}: the source has to have read them first",
                    widgets::time(until)
                );
                ui.label(RichText::new(words).color(cx.theme.text_muted));
                if ui.button("Do not wait").clicked() {
                    cx.metrics(MetricsCommand::StopKeeping(run));
                }
            });
        }
        Keeping::Asking => widgets::waiting(ui, cx, "Reading the metrics of this run…"),
        Keeping::Failed(reason) => {
            let title = "The metrics of this run could not be read";
            if widgets::failure(ui, cx.theme, title, &reason, Some("Try again")) {
                cx.metrics(MetricsCommand::KeepFor(run));
            }
        }
        Keeping::Kept => {}
    }
}

/// Draws what the machine that sent load was doing meanwhile: processors, memory, network. Shares crosshair and zoom as
/// [`kept`] does. Draws nothing where the system did not tell.
pub fn machine(
    cx: &Cx<'_>,
    ui: &mut Ui,
    view: &mut KeptView,
    plots: &mut PlotsView,
    machine: &Machine,
    x_full: (f64, f64),
) {
    if machine.is_empty() {
        return;
    }
    type Of = fn(&MachineSample) -> f64;
    type Part = (&'static str, Unit, [(&'static str, Of); 2]);
    let parts: [Part; 3] = [
        (
            "Processors",
            Unit::Cores,
            [("whole machine", |of| of.busy_cores), ("Meshbench", |of| of.own_cores)],
        ),
        (
            "Memory",
            Unit::Bytes,
            [
                ("whole machine", |of| of.memory_used_bytes as f64),
                ("Meshbench", |of| of.own_memory_bytes as f64),
            ],
        ),
        (
            "Network, loopback included",
            Unit::BytesPerSec,
            [("received", |of| of.received_per_s), ("sent", |of| of.sent_per_s)],
        ),
    ];
    let step_s = machine.samples.iter().map(|sample| sample.length_s).fold(0.1, f64::max);
    let ms = |seconds: f64| (seconds * 1e3).round() as i64;
    let grid = Grid { from_ms: ms(x_full.0), to_ms: ms(x_full.1), step_ms: ms(step_s).max(1) };
    let series = |(name, of): (&str, Of)| {
        let point =
            |sample: &MachineSample| Point { at_ms: ms(sample.start_s + sample.length_s), value: of(sample) };
        let labels = [("of".to_owned(), name.to_owned())].into();
        Series { labels, points: machine.samples.iter().map(point).collect() }
    };
    let mut panels = Vec::new();
    let mut answers = Vec::new();
    for (title, unit, lines) in parts {
        let mut panel = Panel::new(title, PanelKind::TimeSeries, unit);
        panel.queries.push(PanelQuery {
            name: "A".to_owned(),
            ask: Ask::PromQl(String::new()),
            legend: "{{of}}".to_owned(),
            is_instant: false,
            is_hidden: false,
        });
        panels.push(panel);
        answers.push([Ok(Answer { series: lines.map(series).into(), ..Answer::default() })]);
    }
    let mut draw = |ui: &mut Ui, at: usize, panel: &Panel| {
        let place = PanelPlace { row: 0, panel: at };
        let content = Content::Kept(&answers[at]);
        let (grid, clock) = (Some(grid), Clock::Since(0));
        let it = Shown { panel, place, content, grid, clock, x_full, is_own: false, salt: MACHINE };
        let panels = view.panels.entry((MACHINE, place)).or_default();
        if let Some(panel::Wish::Back) = panel::ui(cx, ui, &it, panels, plots) {
            plots.reset();
        }
    };
    flow(ui, &panels, &mut draw);
}

/// Draws a table of what runs cost, side by side: name, colour and metrics of each. Of one run, the name is left out.
pub fn costs(cx: &Cx<'_>, ui: &mut Ui, runs: &[(&str, Color32, &RunMetrics)]) {
    let theme = cx.theme;
    let figures = figures_of_costs();
    let numbers = figures.len() as f32 * CELL;
    let name_width = (ui.available_width() - numbers).clamp(NAME_MIN, 420.0);
    let width = name_width + numbers;
    ScrollArea::horizontal().id_salt("costs").auto_shrink([false, true]).show(ui, |ui| {
        ui.spacing_mut().item_spacing = Vec2::ZERO;
        ui.spacing_mut().interact_size.y = ROW;
        ui.horizontal(|ui| {
            ui.set_min_height(ROW);
            ui.add_space(name_width);
            for figure in &figures {
                let head = RichText::new(figure.head).small().color(theme.text_muted);
                figures::right(ui, CELL, |ui| ui.label(head)).on_hover_text(figure.hover);
            }
        });
        for (of, costs) in grouped(runs) {
            for (at, (name, color, cost)) in costs.into_iter().enumerate() {
                let (rule, _) = ui.allocate_exact_size(vec2(width, 0.0), Sense::hover());
                let strength = if at == 0 { theme.border } else { theme.tint(theme.border, 0.5) };
                ui.painter().hline(rule.x_range(), rule.top(), Stroke::new(1.0, strength));
                ui.horizontal(|ui| {
                    ui.set_min_height(ROW);
                    let words = if at == 0 { of.as_str() } else { "" };
                    names(ui, name_width, words, (name, color), runs.len() > 1);
                    for figure in &figures {
                        number_of(cx, ui, figure, cost);
                    }
                });
            }
        }
    });
}

/// What a cost is of, and that cost of each run.
type Group<'a> = (String, Vec<(&'a str, Color32, Option<&'a Cost>)>);

/// By component and mesh, in the order in which components are shown.
fn grouped<'a>(runs: &[(&'a str, Color32, &'a RunMetrics)]) -> Vec<Group<'a>> {
    let keys: std::collections::BTreeSet<_> = runs
        .iter()
        .flat_map(|(.., metrics)| &metrics.costs)
        .map(|cost| (cost.component, cost.of.as_str()))
        .collect();
    let group = |(component, of): (crate::model::metrics::Component, &str)| {
        let words = if of.is_empty() {
            component.words().to_owned()
        } else {
            format!("{} · {of}", component.words())
        };
        let costs = runs.iter().map(|(name, color, metrics)| {
            let cost =
                metrics.costs.iter().find(|cost| (cost.component, cost.of.as_str()) == (component, of));
            (*name, *color, cost)
        });
        (words, costs.collect())
    };
    keys.into_iter().map(group).collect()
}

fn names(ui: &mut Ui, width: f32, of: &str, (name, color): (&str, Color32), is_several: bool) {
    ui.allocate_ui_with_layout(vec2(width, ROW), Layout::left_to_right(Align::Center), |ui| {
        ui.set_min_width(width);
        if !is_several {
            ui.add(Label::new(of).truncate());
            return;
        }
        ui.allocate_ui_with_layout(vec2(width * 0.46, ROW), Layout::left_to_right(Align::Center), |ui| {
            ui.set_min_width(width * 0.46);
            ui.add(Label::new(of).truncate());
        });
        let (rect, _) = ui.allocate_exact_size(vec2(18.0, ROW), Sense::hover());
        let square = Rect::from_center_size(rect.center() - vec2(3.0, 0.0), Vec2::splat(10.0));
        ui.painter().rect_filled(square, 1.0, color);
        ui.add(Label::new(name).truncate());
    });
}

fn number_of(cx: &Cx<'_>, ui: &mut Ui, figure: &Figure, cost: Option<&Cost>) {
    let value = cost.and_then(figure.of);
    figures::right(ui, CELL, |ui| match value {
        Some(value) => ui.label(figure.unit.write(value, None)),
        None => ui.label(RichText::new(UNKNOWN).color(cx.theme.text_muted)).on_hover_text(UNKNOWN_WORDS),
    });
}
