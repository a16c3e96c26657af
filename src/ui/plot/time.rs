//! What happened over a run's time: latency, rates, errors and requests in flight above one another.

use std::collections::BTreeSet;

use eframe::egui::{Align2, Color32, FontId, Rect, Sense, Ui, vec2};

use super::axis::{self, Axis, Scale};
use super::columns::{Look, Span};
use super::table::{self, Row, Sign};
use super::{Chart, Layer, PlotsView, Shown, menu, readout, readout_lines};
use crate::app::HeatMap;
use crate::model::number::{self, UNKNOWN};
use crate::model::run::{ErrorClass, STATUS_ERROR, error_words};
use crate::model::{Interval, Quantiles, Run, RunId};
use crate::ui::Cx;
use crate::ui::theme::{self, SPACE};

const QUANTILE_NAMES: [&str; 5] = ["p50", "p90", "p99", "p99.9", "max"];
const DUE: &str = "due";
const ACHIEVED: &str = "achieved";
const IN_FLIGHT: &str = "in flight";
const HEAT: &str = "requests by response time";
/// Of their lines, in points.
const QUANTILE_THICKNESS: [f32; 5] = [1.6, 1.6, 2.2, 1.2, 2.0];
/// Heights in points.
const MAIN_HEIGHT_MIN: f32 = 80.0;
/// While the uppermost plot would be lower than this, those beneath give way first.
const MAIN_HEIGHT_ENOUGH: f32 = 140.0;
const RATE_HEIGHT: f32 = 56.0;
const RATE_HEIGHT_MIN: f32 = 40.0;
const SMALL_HEIGHT: f32 = 34.0;
const SMALL_HEIGHT_MIN: f32 = 26.0;
const AXIS_ROOM: f32 = 20.0;
/// Of the line above a plot, in points.
pub(in crate::ui) const CAPTION_HEIGHT: f32 = 19.0;
/// Narrower than this, the tables stand above one another, in points.
const TABLES_WIDTH_MIN: f32 = 960.0;

/// Which time is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timing {
    /// From the due time: what a user waits.
    #[default]
    Response,
    /// From the moment of sending.
    Service,
}

/// How latency over time is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Drawing {
    /// Lines of quantiles.
    #[default]
    Lines,
    /// A heat map of response times.
    Heat,
}

/// What a person has made of the plots over time.
#[derive(Debug, Default)]
pub struct TimeView {
    /// Zoom and hidden series.
    pub plots: PlotsView,
    /// Of latency.
    pub scale: Scale,
    /// Which latency.
    pub timing: Timing,
    /// Lines or a heat map.
    pub drawing: Drawing,
    series: Option<Series>,
    heat: Option<(Key, HeatMap)>,
}

/// What is drawn, prepared once for each news.
#[derive(Debug)]
struct Series {
    key: Key,
    revision: u64,
    quantiles: [Vec<Span>; 5],
    due: Vec<Span>,
    achieved: Vec<Span>,
    in_flight: Vec<Span>,
    /// Classes in the order in which they are stacked, from the axis up.
    errors: Vec<(String, Vec<Span>)>,
}

type Key = (RunId, Timing, usize, u64, u64, u64);

impl TimeView {
    /// The same choices, for another run.
    #[must_use]
    pub fn anew(&self) -> Self {
        Self { scale: self.scale, timing: self.timing, drawing: self.drawing, ..Self::default() }
    }

    /// What plots and tables show: a heat map knows response times only.
    fn shown_timing(&self) -> Timing {
        match self.drawing {
            Drawing::Lines => self.timing,
            Drawing::Heat => Timing::Response,
        }
    }
}

/// Of the plots, in points.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Heights {
    main: f32,
    rate: f32,
    small: f32,
}

impl Heights {
    /// As much as fits into `room`: when it is scarce, the small plots give way first, then the uppermost one. What
    /// does not fit at the least heights is left to the page, which scrolls.
    fn within(room: f32) -> Self {
        let around = AXIS_ROOM + 4.0 * CAPTION_HEIGHT;
        let main = room - around - RATE_HEIGHT - 2.0 * SMALL_HEIGHT;
        let spare = RATE_HEIGHT - RATE_HEIGHT_MIN + 2.0 * (SMALL_HEIGHT - SMALL_HEIGHT_MIN);
        let given = (MAIN_HEIGHT_ENOUGH - main).clamp(0.0, spare) / spare;
        Self {
            main: (main + given * spare).max(MAIN_HEIGHT_MIN),
            rate: RATE_HEIGHT - given * (RATE_HEIGHT - RATE_HEIGHT_MIN),
            small: SMALL_HEIGHT - given * (SMALL_HEIGHT - SMALL_HEIGHT_MIN),
        }
    }
}

impl Timing {
    /// For people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Response => "Response time",
            Self::Service => "Service time",
        }
    }

    /// What it counts from.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Response => "from the moment a request was due to its answer: what a user waits",
            Self::Service => "from the moment a request was sent to its answer",
        }
    }

    /// The quantiles of a run.
    #[must_use]
    pub fn of(self, run: &Run) -> &Quantiles {
        match self {
            Self::Response => &run.response_ms,
            Self::Service => &run.service_ms,
        }
    }

    fn of_interval(self, interval: &Interval) -> &Quantiles {
        match self {
            Self::Response => &interval.response_ms,
            Self::Service => &interval.service_ms,
        }
    }
}

/// Draws plots and tables over the time from 0 to `end_s`, in about `height` points.
pub fn ui(cx: &Cx<'_>, ui: &mut Ui, view: &mut TimeView, run: Option<&Run>, end_s: f64, height: f32) {
    let theme = cx.theme;
    view.plots.begin(ui);
    let marks = run.into_iter().flat_map(|run| &run.marks);
    view.plots.marks = marks.map(|mark| (mark.at_s, mark.text.clone())).collect();
    let mut series = view
        .series
        .take()
        .filter(|series| run.is_some_and(|run| series.key == key(run, view.shown_timing())));
    if series.is_none() {
        series = run.map(|run| Series::of(run, view.shown_timing()));
    }
    let heat = heat(view, run);
    let map = heat.as_ref().map(|(_, map)| map);
    let drawn = Drawn { cx, run, series: series.as_ref(), map, full: (0.0, end_s.max(1.0)) };
    let spacing = ui.spacing().item_spacing;
    ui.spacing_mut().item_spacing.y = 0.0;
    let tables = drawn.tables(view);
    let rows = tables.iter().map(|table| table.rows.len()).max().unwrap_or_default() + 1;
    let heights = Heights::within(height - SPACE[1] - rows as f32 * table::ROW_HEIGHT);
    let shown = [
        match view.drawing {
            Drawing::Lines => drawn.latency(ui, view, heights.main),
            Drawing::Heat => drawn.heat(ui, view, heights.main),
        },
        drawn.rates(ui, view, heights.rate),
        drawn.errors(ui, view, heights.small),
        drawn.in_flight(ui, view, heights.small),
    ];
    let whole = super::around(shown[0].frame, shown[3].frame);
    for (row, plot) in shown.iter().enumerate() {
        menu(&mut view.plots, plot, whole, || run.map_or_else(String::new, tsv));
        if let (Some(at), Some(run)) = (view.plots.crosshair(), run) {
            readout(ui, plot, |ui| {
                marks_readout(ui, &plot.marks);
                match (view.drawing, plot.pointer) {
                    (Drawing::Heat, Some((_, ms))) if row == 0 => drawn.heat_readout(ui, at, ms),
                    _ => drawn.readout(ui, view.shown_timing(), run, at),
                }
            });
        }
    }
    ui.add_space(SPACE[1]);
    show_tables(ui, theme, &mut view.plots, &tables);
    ui.spacing_mut().item_spacing = spacing;
    view.series = series;
    view.heat = heat;
}

/// The heat map, made once for each news, and only while it is on show.
fn heat(view: &mut TimeView, run: Option<&Run>) -> Option<(Key, HeatMap)> {
    let run = run.filter(|_| view.drawing == Drawing::Heat)?;
    let now = key(run, Timing::Response);
    let kept = view.heat.take().filter(|(of, _)| *of == now);
    Some(kept.unwrap_or_else(|| (now, HeatMap::of(run))))
}

/// The rows of one table and the names of its columns.
struct Table<'a> {
    heads: &'static [&'static str],
    rows: Vec<Row<'a>>,
}

/// Beside one another where there is room.
fn show_tables(ui: &mut Ui, theme: &theme::Theme, plots: &mut PlotsView, tables: &[Table<'_>]) {
    if ui.available_width() < TABLES_WIDTH_MIN {
        for table in tables {
            table::show(ui, theme, plots, table.heads, &table.rows);
            ui.add_space(SPACE[1]);
        }
        return;
    }
    let gaps = SPACE[4] * (tables.len() - 1) as f32;
    let width = (ui.available_width() - gaps) / tables.len() as f32;
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = SPACE[4];
        for table in tables {
            ui.allocate_ui(vec2(width, 0.0), |ui| {
                ui.vertical(|ui| table::show(ui, theme, plots, table.heads, &table.rows));
            });
        }
    });
}

/// What the parts of the drawing have in common.
struct Drawn<'a> {
    cx: &'a Cx<'a>,
    run: Option<&'a Run>,
    series: Option<&'a Series>,
    map: Option<&'a HeatMap>,
    full: (f64, f64),
}

impl<'a> Drawn<'a> {
    fn latency(&self, ui: &mut Ui, view: &mut TimeView, height: f32) -> Shown {
        let theme = self.cx.theme;
        let timing = view.timing;
        caption(ui, theme, timing.words(), timing.meaning());
        let mut layers = Vec::new();
        // From the back to the front: the largest values first, so that the median stays on top.
        for at in (0..QUANTILE_NAMES.len()).rev() {
            let Some(series) = self.series else { break };
            layers.push(Layer::Spans {
                name: QUANTILE_NAMES[at],
                spans: &series.quantiles[at],
                revision: series.revision,
                look: Look {
                    color: theme.quantiles[at],
                    thickness: QUANTILE_THICKNESS[at],
                    // Of the maximum only the levels: its upright lines would hide what is beneath.
                    joined: at != QUANTILE_NAMES.len() - 1,
                },
            });
        }
        let shown_spans = self.series.into_iter().flat_map(|series| {
            series
                .quantiles
                .iter()
                .zip(QUANTILE_NAMES)
                .filter(|(_, name)| view.plots.shows(name))
                .map(|pair| pair.0)
        });
        let (low, high) = extremes(shown_spans, view.plots.x_of(self.full)).unwrap_or((1.0, 100.0));
        let chart = Chart {
            id: "latency over time",
            summary: self.latency_summary(timing),
            height,
            x: Axis::Time,
            x_full: self.full,
            x_labels: false,
            y: Axis::Latency(view.scale),
            y_full: view.scale.bounds(low, high),
            layers,
            empty: if self.run.is_none() { "Waiting for the first answers" } else { "No answers" },
        };
        chart.show(ui, theme, &mut view.plots)
    }

    fn heat(&self, ui: &mut Ui, view: &mut TimeView, height: f32) -> Shown {
        let theme = self.cx.theme;
        caption(ui, theme, Timing::Response.words(), "how many requests took how long; stronger is more");
        let (low, high) = self.map.and_then(HeatMap::range_ms).unwrap_or((1.0, 100.0));
        let colors = (theme.background, theme.quantiles[3]);
        let chart = Chart {
            id: "heat map over time",
            summary: self.heat_summary(),
            height,
            x: Axis::Time,
            x_full: self.full,
            x_labels: false,
            y: Axis::Latency(Scale::Log),
            y_full: Scale::Log.bounds(low, high),
            layers: self.map.map(|map| Layer::Heat { name: HEAT, map, colors }).into_iter().collect(),
            empty: if self.run.is_none() { "Waiting for the first answers" } else { "No answers" },
        };
        chart.show(ui, theme, &mut view.plots)
    }

    fn heat_summary(&self) -> String {
        let found = self.map.and_then(|map| Some((map.range_ms()?, map.fullest_ms()?)));
        match found {
            Some(((low, high), (from, to))) => format!(
                "Heat map of response times over time: from {} to {}, most between {} and {}",
                number::millis(low),
                number::millis(high),
                number::millis(from),
                number::millis(to)
            ),
            None => "Heat map of response times over time: nothing was answered yet".to_owned(),
        }
    }

    fn heat_readout(&self, ui: &mut Ui, at: f64, ms: f64) {
        let title = axis::time(at, 1.0);
        let lines = match self.map.and_then(|map| map.cell(at, ms)) {
            None => vec![(None, "Nothing was answered", String::new())],
            Some((low, high, count, all)) => vec![
                (None, "from", number::millis(low)),
                (None, "to", number::millis(high)),
                (None, "requests", number::count(count)),
                (None, "of this interval's", number::count(all)),
            ],
        };
        readout_lines(ui, self.cx.theme, &title, &lines);
    }

    fn latency_summary(&self, timing: Timing) -> String {
        match self.run.map(|run| (run, timing.of(run))) {
            Some((run, quantiles)) if quantiles.count > 0 => format!(
                "{} over time: median {}, p99 {}, max {} over {}",
                timing.words(),
                number::millis(quantiles.p50),
                number::millis(quantiles.p99),
                number::millis(quantiles.max),
                number::clock(run.elapsed_s),
            ),
            _ => format!("{} over time: nothing was answered yet", timing.words()),
        }
    }

    fn rates(&self, ui: &mut Ui, view: &mut TimeView, height: f32) -> Shown {
        let theme = self.cx.theme;
        caption(ui, theme, "Rate", "requests due and whole answers, per second");
        let mut layers = Vec::new();
        if let Some(series) = self.series {
            for (name, spans, color) in
                [(DUE, &series.due, theme.due), (ACHIEVED, &series.achieved, theme.achieved)]
            {
                let look = Look { color, thickness: 1.6, joined: true };
                layers.push(Layer::Spans { name, spans, revision: series.revision, look });
            }
        }
        let spans = self.series.into_iter().flat_map(|series| [&series.due, &series.achieved]);
        let high = extremes(spans, self.full).map_or(0.0, |(_, high)| high);
        let summary = self.run.map_or_else(String::new, |run| match run.rate.asked {
            Some(asked) => format!(": {} of {} asked", number::rate(run.rate.achieved), number::rate(asked)),
            None => format!(": {}", number::rate(run.rate.achieved)),
        });
        let chart = Chart {
            id: "rate over time",
            summary: format!("Rate over time{summary}"),
            height,
            x: Axis::Time,
            x_full: self.full,
            x_labels: false,
            y: Axis::Rate,
            y_full: Scale::Linear.bounds(0.0, high),
            layers,
            empty: "",
        };
        chart.show(ui, theme, &mut view.plots)
    }

    fn errors(&self, ui: &mut Ui, view: &mut TimeView, height: f32) -> Shown {
        let theme = self.cx.theme;
        caption(ui, theme, "Errors", "failed requests by class, per second");
        let mut layers = Vec::new();
        let mut high = 0.0;
        if let Some(series) = self.series {
            let count = series.errors.len();
            for (at, (class, spans)) in series.errors.iter().enumerate() {
                let look = Look { color: error_color(theme, at, count), thickness: 1.0, joined: false };
                layers.push(Layer::Spans {
                    name: error_words(class),
                    spans,
                    revision: series.revision,
                    look,
                });
                high = extremes([spans], self.full).map_or(high, |(_, top)| top.max(high));
            }
        }
        let failed = self.run.map_or(0, |run| run.requests.failed);
        let chart = Chart {
            id: "errors over time",
            summary: format!("Errors over time: {} failed requests", number::count(failed)),
            height,
            x: Axis::Time,
            x_full: self.full,
            x_labels: false,
            y: Axis::Rate,
            y_full: Scale::Linear.bounds(0.0, high),
            layers,
            empty: if self.run.is_some() { "No errors" } else { "" },
        };
        chart.show(ui, theme, &mut view.plots)
    }

    fn in_flight(&self, ui: &mut Ui, view: &mut TimeView, height: f32) -> Shown {
        let theme = self.cx.theme;
        caption(ui, theme, "In flight", "requests sent and not answered yet");
        let mut layers = Vec::new();
        let mut high = 0.0;
        if let Some(series) = self.series {
            let look = Look { color: theme.text_muted, thickness: 1.6, joined: true };
            let spans = &series.in_flight;
            layers.push(Layer::Spans { name: IN_FLIGHT, spans, revision: series.revision, look });
            high = extremes([spans], self.full).map_or(0.0, |(_, top)| top);
        }
        let last = self.run.and_then(|run| run.intervals.last()).map_or(0, |interval| interval.in_flight);
        let chart = Chart {
            id: "in flight over time",
            summary: format!("Requests in flight over time: {} at the end", number::count(last)),
            height: height + AXIS_ROOM,
            x: Axis::Time,
            x_full: self.full,
            x_labels: true,
            y: Axis::Count(Scale::Linear),
            y_full: Scale::Linear.bounds(0.0, high),
            layers,
            empty: "",
        };
        chart.show(ui, theme, &mut view.plots)
    }

    /// The tables beneath: quantiles, what was sent, what failed.
    fn tables(&self, view: &TimeView) -> Vec<Table<'a>> {
        let x = view.plots.x_of(self.full);
        let mut tables = vec![
            Table {
                heads: &["Last", "Min", "Max", "Whole run"],
                rows: self.quantile_rows(view.shown_timing(), x),
            },
            Table { heads: &["Last", "Min", "Max", "Mean"], rows: self.rate_rows(x) },
        ];
        let rows = self.error_rows(x);
        if !rows.is_empty() {
            tables.push(Table { heads: &["Last", "Max", "Mean"], rows });
        }
        tables
    }

    /// The last column is the quantile of all answers: quantiles of intervals must not be averaged.
    fn quantile_rows(&self, timing: Timing, x: (f64, f64)) -> Vec<Row<'a>> {
        let quantiles = self.run.map(|run| *timing.of(run)).filter(|quantiles| quantiles.count > 0);
        let whole = quantiles.map(|q| [q.p50, q.p90, q.p99, q.p99_9, q.max]);
        let row = |(at, name): (usize, &'static str)| {
            let stats = self.series.and_then(|series| Stats::of(series.quantiles[at].as_slice(), x));
            let stats = stats.map(|stats| [stats.last, stats.min, stats.max]);
            let mut cells = cells(stats, number::millis);
            cells.push(whole.map_or_else(|| UNKNOWN.to_owned(), |whole| number::millis(whole[at])));
            Row { name, color: self.cx.theme.quantiles[at], sign: Sign::Line, cells }
        };
        QUANTILE_NAMES.into_iter().enumerate().map(row).collect()
    }

    fn rate_rows(&self, x: (f64, f64)) -> Vec<Row<'a>> {
        let theme = self.cx.theme;
        let row = |name, color, spans: Option<&Vec<Span>>, format: fn(f64) -> String| {
            let stats = spans.and_then(|spans| Stats::of(spans, x));
            let cells = cells(stats.map(|stats| [stats.last, stats.min, stats.max, stats.mean]), format);
            Row { name, color, sign: Sign::Line, cells }
        };
        vec![
            row(DUE, theme.due, self.series.map(|series| &series.due), number::rate),
            row(ACHIEVED, theme.achieved, self.series.map(|series| &series.achieved), number::rate),
            row(IN_FLIGHT, theme.text_muted, self.series.map(|series| &series.in_flight), count),
        ]
    }

    fn error_rows(&self, x: (f64, f64)) -> Vec<Row<'a>> {
        let Some(series) = self.series else { return Vec::new() };
        let classes = series.errors.len();
        let row = |(at, (class, spans)): (usize, &'a (String, Vec<Span>))| {
            let stats = Stats::of(&unstacked(spans, &series.due), x);
            Row {
                name: error_words(class),
                color: error_color(self.cx.theme, at, classes),
                sign: Sign::Area,
                cells: cells(stats.map(|stats| [stats.last, stats.max, stats.mean]), number::rate),
            }
        };
        series.errors.iter().enumerate().map(row).collect()
    }

    fn readout(&self, ui: &mut Ui, timing: Timing, run: &Run, at: f64) {
        let theme = self.cx.theme;
        let title = axis::time(at, 1.0);
        let found = run
            .intervals
            .iter()
            .find(|interval| at >= interval.start_s && at < interval.start_s + interval.length_s.max(1e-9));
        let Some(interval) = found else {
            readout_lines(ui, theme, &title, &[(None, "Nothing was due or answered", String::new())]);
            return;
        };
        let quantiles = timing.of_interval(interval);
        let millis = |value| if quantiles.count == 0 { UNKNOWN.to_owned() } else { number::millis(value) };
        let values = [quantiles.max, quantiles.p99_9, quantiles.p99, quantiles.p90, quantiles.p50];
        let mut lines: Vec<(Option<Color32>, &str, String)> = QUANTILE_NAMES
            .into_iter()
            .enumerate()
            .rev()
            .zip(values)
            .map(|((at, name), value)| (Some(theme.quantiles[at]), name, millis(value)))
            .collect();
        let per_sec = |count: u64| number::rate(count as f64 / interval.length_s.max(1e-9));
        lines.push((Some(theme.due), DUE, per_sec(interval.due)));
        lines.push((Some(theme.achieved), ACHIEVED, per_sec(interval.answered)));
        let failed = interval.errors.values().sum::<u64>();
        lines.push((None, "errors", number::count(failed)));
        for (class, count) in &interval.errors {
            lines.push((None, error_words(class), number::count(*count)));
        }
        lines.push((Some(theme.text_muted), IN_FLIGHT, number::count(interval.in_flight)));
        lines.push((None, "lag p99", number::millis(interval.lag_p99_ms)));
        readout_lines(ui, theme, &title, &lines);
    }
}

impl Series {
    fn of(run: &Run, timing: Timing) -> Self {
        let spans = |value: &dyn Fn(&Interval) -> Option<f64>| -> Vec<Span> {
            run.intervals
                .iter()
                .filter_map(|interval| {
                    let end = interval.start_s + interval.length_s;
                    value(interval).map(|value| Span::level(interval.start_s, end, value))
                })
                .collect()
        };
        let quantile = |of: fn(&Quantiles) -> f64| {
            spans(&|interval| {
                let quantiles = timing.of_interval(interval);
                (quantiles.count > 0).then(|| of(quantiles))
            })
        };
        let per_sec = |of: fn(&Interval) -> u64| {
            spans(&|interval| (interval.length_s > 0.0).then(|| of(interval) as f64 / interval.length_s))
        };
        let key = key(run, timing);
        Self {
            key,
            revision: revision(&key),
            quantiles: [
                quantile(|q| q.p50),
                quantile(|q| q.p90),
                quantile(|q| q.p99),
                quantile(|q| q.p99_9),
                quantile(|q| q.max),
            ],
            due: per_sec(|interval| interval.due),
            achieved: per_sec(|interval| interval.answered),
            in_flight: spans(&|interval| Some(interval.in_flight as f64)),
            errors: stacked(run),
        }
    }
}

/// Failures per second by class, each on top of those before it.
fn stacked(run: &Run) -> Vec<(String, Vec<Span>)> {
    let present: BTreeSet<&String> =
        run.intervals.iter().flat_map(|interval| interval.errors.keys()).collect();
    let order = |class: &str| match ErrorClass::ALL.iter().position(|known| known.name() == class) {
        Some(at) => at + 1,
        None if class == STATUS_ERROR => 0,
        None => ErrorClass::ALL.len() + 1,
    };
    let mut classes: Vec<&String> = present.into_iter().collect();
    classes.sort_by_key(|class| order(class));
    let mut tops = vec![0.0; run.intervals.len()];
    let mut layers = Vec::new();
    for class in classes {
        let mut spans = Vec::new();
        for (interval, top) in run.intervals.iter().zip(&mut tops) {
            let count = interval.errors.get(class).copied().unwrap_or_default();
            if count > 0 && interval.length_s > 0.0 {
                let low = *top;
                *top += count as f64 / interval.length_s;
                let end = interval.start_s + interval.length_s;
                spans.push(Span { start: interval.start_s, end, low, high: *top });
            }
        }
        layers.push((class.clone(), spans));
    }
    layers
}

/// How high each span is of itself; none in the intervals of `all` that have no span.
fn unstacked(spans: &[Span], all: &[Span]) -> Vec<Span> {
    let mut spans = spans.iter().peekable();
    let level = |each: &Span| {
        let here = spans.next_if(|span| span.start <= each.start);
        Span::level(each.start, each.end, here.map_or(0.0, |span| span.high - span.low))
    };
    all.iter().map(level).collect()
}

fn key(run: &Run, timing: Timing) -> Key {
    let requests = run.requests;
    (
        run.id,
        timing,
        run.intervals.len(),
        requests.due,
        requests.answered + requests.failed,
        run.elapsed_s.to_bits(),
    )
}

fn revision(key: &Key) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    (key.0, key.1 == Timing::Response, key.2, key.3, key.4, key.5).hash(&mut hasher);
    hasher.finish()
}

/// From red to amber: apart enough to tell neighbours, and nothing else in a plot has these colours.
fn error_color(theme: &theme::Theme, at: usize, of: usize) -> Color32 {
    let share = if of <= 1 { 0.0 } else { at as f32 / (of - 1) as f32 };
    theme.error.lerp_to_gamma(theme.warning, share)
}

/// The smallest and largest value in view.
fn extremes<'a>(series: impl IntoIterator<Item = &'a Vec<Span>>, x: (f64, f64)) -> Option<(f64, f64)> {
    series
        .into_iter()
        .flatten()
        .filter(|span| span.end > x.0 && span.start < x.1)
        .map(|span| (span.low, span.high))
        .reduce(|(low, high), (other_low, other_high)| (low.min(other_low), high.max(other_high)))
}

/// What the table says of a series: of the part in view.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stats {
    last: f64,
    min: f64,
    max: f64,
    /// Weighted by time.
    mean: f64,
}

impl Stats {
    fn of(spans: &[Span], x: (f64, f64)) -> Option<Self> {
        let shown: Vec<_> = spans.iter().filter(|span| span.end > x.0 && span.start < x.1).collect();
        let length: f64 = shown.iter().map(|span| span.end - span.start).sum();
        Some(Self {
            last: shown.last()?.high,
            min: shown.iter().map(|span| span.high).fold(f64::INFINITY, f64::min),
            max: shown.iter().map(|span| span.high).fold(f64::NEG_INFINITY, f64::max),
            mean: shown.iter().map(|span| span.high * (span.end - span.start)).sum::<f64>() / length,
        })
    }
}

fn cells<const N: usize>(values: Option<[f64; N]>, format: fn(f64) -> String) -> Vec<String> {
    match values {
        Some(values) => values.into_iter().map(format).collect(),
        None => vec![UNKNOWN.to_owned(); N],
    }
}

fn count(value: f64) -> String {
    if value.fract() == 0.0 { number::count(value as u64) } else { number::significant(value) }
}

/// The marks under the pointer, before what was measured then.
fn marks_readout(ui: &mut Ui, marks: &[(f64, String)]) {
    for (at, words) in marks {
        ui.label(format!("{}  {words}", axis::time(*at, 1.0)));
    }
}

/// The name of a plot, and what it means where there is room.
pub(in crate::ui) fn caption(ui: &mut Ui, theme: &theme::Theme, name: &str, meaning: &str) {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), CAPTION_HEIGHT), Sense::hover());
    let base = rect.left_bottom() + vec2(super::AXIS_WIDTH, -3.0);
    let font = FontId::new(theme::SIZE_SMALL, theme::semibold());
    let drawn: Rect = ui.painter().text(base, Align2::LEFT_BOTTOM, name, font, theme.text);
    let after = drawn.right_bottom() + vec2(SPACE[1], 0.0);
    let font = FontId::proportional(theme::SIZE_SMALL);
    let galley = ui.painter().layout_no_wrap(meaning.to_owned(), font, theme.text_muted);
    // A sentence cut short says less than none; the plot's own summary has the words.
    if after.x + galley.size().x <= rect.right() {
        let at = after - vec2(0.0, galley.size().y);
        ui.painter().galley(at, galley, theme.text_muted);
    }
}

/// The intervals of a run as a table to paste elsewhere: milliseconds, seconds, requests per second.
#[must_use]
pub fn tsv(run: &Run) -> String {
    let classes: BTreeSet<&String> =
        run.intervals.iter().flat_map(|interval| interval.errors.keys()).collect();
    let mut out = "start_s\tlength_s\tdue\tanswered\tin_flight\tlag_p99_ms".to_owned();
    for which in ["response", "service"] {
        for name in QUANTILE_NAMES {
            out.push_str(&format!("\t{which}_{name}_ms"));
        }
    }
    for class in &classes {
        out.push_str(&format!("\terrors_{class}"));
    }
    out.push('\n');
    for interval in &run.intervals {
        let Interval { start_s, length_s, due, answered, in_flight, lag_p99_ms, .. } = interval;
        out.push_str(&format!("{start_s}\t{length_s}\t{due}\t{answered}\t{in_flight}\t{lag_p99_ms}"));
        for quantiles in [&interval.response_ms, &interval.service_ms] {
            for value in [quantiles.p50, quantiles.p90, quantiles.p99, quantiles.p99_9, quantiles.max] {
                out.push('\t');
                // What was not measured is empty, not zero.
                if quantiles.count > 0 {
                    out.push_str(&value.to_string());
                }
            }
        }
        for class in &classes {
            out.push_str(&format!("\t{}", interval.errors.get(*class).copied().unwrap_or_default()));
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_plots_give_way_before_the_large_one() {
        let all = |heights: Heights| {
            let Heights { main, rate, small } = heights;
            main + rate + 2.0 * small + AXIS_ROOM + 4.0 * CAPTION_HEIGHT
        };
        let ample = Heights::within(600.0);
        assert_eq!((ample.rate, ample.small), (RATE_HEIGHT, SMALL_HEIGHT));
        let scarce = Heights::within(300.0);
        assert_eq!((scarce.rate, scarce.small), (RATE_HEIGHT_MIN, SMALL_HEIGHT_MIN));
        for (room, heights) in [(600.0, ample), (345.0, Heights::within(345.0)), (300.0, scarce)] {
            assert!((all(heights) - room).abs() < 1e-3, "{room}: {heights:?}");
        }
        assert_eq!(Heights::within(100.0).main, MAIN_HEIGHT_MIN);
    }
}
