//! Panels with a time axis: lines, areas, and buckets as colours.

use eframe::egui::{Color32, ScrollArea, Sense, Ui, vec2};

use super::panel::{self, PanelView, Shown, Wish};
use super::series::{self, Line, Prepared, Stats};
use crate::app::HeatMap;
use crate::model::metrics::board::Grade;
use crate::model::metrics::{Panel, Unit};
use crate::model::number;
use crate::model::ticks;
use crate::ui::Cx;
use crate::ui::plot::axis::{Axis, Scale};
use crate::ui::plot::lines::LineLook;
use crate::ui::plot::table::{self, Fit, ROW_HEIGHT, Row, Sign};
use crate::ui::plot::{Chart, Layer, PlotsView, menu, readout, readout_lines};
use crate::ui::theme::{SIZE_SMALL, SPACE};

/// The most lines that a readout names.
const READ_MAX: usize = 12;
/// The most lines that a text summary names.
const TOLD_MAX: usize = 8;
/// Room for half of the uppermost label, in points.
const TOP: f32 = 6.0;
/// The least height of a plot, in points.
const PLOT_MIN: f32 = 72.0;
/// The largest part of a panel that its legend takes.
const LEGEND_SHARE: f32 = 0.42;
/// The least and the most room for a number of a legend, in points.
const CELL: f32 = 56.0;
const CELL_MAX: f32 = 110.0;
/// Of a character of a legend's number, in points.
const CHARACTER: f32 = 6.4;
/// The least room for a name of a legend, in points.
const NAME_MIN: f32 = 92.0;
/// Thickness of the line of a limit, in points.
const LIMIT_WIDTH: f32 = 1.0;
/// Thickness of lines, in points.
const WIDTH: f32 = 1.6;
/// The least of a share that an axis shows.
const SHARE_MIN: f64 = 0.005;
const LEGEND: [&str; 4] = ["Last", "Min", "Mean", "Max"];

/// Lines, or areas on top of each other, with their legend.
pub(super) fn lines(
    cx: &Cx<'_>,
    ui: &mut Ui,
    it: &Shown<'_>,
    prepared: &Prepared,
    view: &mut PanelView,
    plots: &mut PlotsView,
) -> Option<Wish> {
    ui.add_space(TOP);
    let room = ui.available_size();
    let legend_height = legend_height(room.y, prepared);
    // A line that is hidden in one panel is shown in others of the same name.
    std::mem::swap(&mut plots.hidden, &mut view.hidden);
    let is_stacked = it.panel.is_stacked && !it.panel.is_log;
    let shown: Vec<(usize, &Line)> =
        prepared.lines.iter().enumerate().filter(|(_, line)| plots.shows(&line.name)).collect();
    let areas = if is_stacked { series::stacked(shown.iter().map(|(_, line)| *line)) } else { Vec::new() };
    let scale = if it.panel.is_log { Scale::Log } else { Scale::Linear };
    let y_full = bounds(it.panel, scale, extremes(&shown, &areas));
    let limits = if shown.is_empty() { Vec::new() } else { limits(cx, it, (scale, y_full)) };
    // Behind what they are limits of.
    let layers = limits.iter().map(Limit::layer).chain(layers(cx, &shown, &areas)).collect();
    let id = it.id();
    let chart = Chart {
        id: &id,
        summary: summary(it, prepared),
        height: (room.y - legend_height).max(PLOT_MIN),
        x: it.clock.axis(),
        x_full: it.x_full,
        x_labels: true,
        y: Axis::Of(&it.panel.unit, scale),
        y_full,
        layers,
        empty: "All series are hidden",
    };
    let drawn = chart.show(ui, cx.theme, plots);
    if let Some(x) = plots.crosshair() {
        readout(ui, &drawn, |ui| read(cx, ui, it, &shown, x));
    }
    let whole = drawn.response.rect;
    menu(plots, &drawn, whole, || series::tsv(&prepared.lines, it.clock));
    legend(cx, ui, it, prepared, plots, legend_height);
    std::mem::swap(&mut plots.hidden, &mut view.hidden);
    drawn.response.double_clicked().then_some(Wish::Back)
}

fn layers<'a>(cx: &Cx<'_>, shown: &[(usize, &'a Line)], areas: &'a [Vec<(f64, f64, f64)>]) -> Vec<Layer<'a>> {
    let layer = |(at, (number, line)): (usize, &(usize, &'a Line))| {
        let color = panel::color(cx.theme, *number);
        let (name, gap) = (line.name.as_str(), line.gap);
        match areas.get(at) {
            Some(points) => Layer::Area { name, points, gap, color },
            None => {
                let look = LineLook { color, width: WIDTH, is_dashed: line.is_interpolated };
                Layer::Line { name, points: &line.points, gap, look }
            }
        }
    };
    // The first line is in front.
    shown.iter().enumerate().map(layer).rev().collect()
}

/// At which value a number begins to mean something else, as a line across.
struct Limit {
    name: String,
    points: [(f64, f64); 2],
    color: Color32,
}

impl Limit {
    fn layer(&self) -> Layer<'_> {
        let look = LineLook { color: self.color, width: LIMIT_WIDTH, is_dashed: false };
        Layer::Line { name: &self.name, points: &self.points, gap: f64::INFINITY, look }
    }
}

/// Those within what is shown.
fn limits(cx: &Cx<'_>, it: &Shown<'_>, (scale, (bottom, top)): (Scale, (f64, f64))) -> Vec<Limit> {
    let limit = |(at, is_bad): (f64, bool)| {
        let color = if is_bad { cx.theme.error } else { cx.theme.warning };
        let points = [(it.x_full.0, at), (it.x_full.1, at)];
        Limit { name: format!("limit at {}", it.write(at)), points, color }
    };
    let is_within = |(at, _): &(f64, bool)| (bottom..=top).contains(&scale.place(*at));
    edges(it.panel).filter(is_within).map(limit).collect()
}

/// Where one grade ends and another begins, and whether either is bad: of latencies the worse is above, of shares of
/// success below.
fn edges(panel: &Panel) -> impl Iterator<Item = (f64, bool)> {
    panel.thresholds.windows(2).filter_map(|pair| {
        let [below, above] = pair else { return None };
        let is_bad = [below.level, above.level].contains(&Grade::Bad);
        above.from.filter(|_| below.level != above.level).map(|at| (at, is_bad))
    })
}

fn extremes(shown: &[(usize, &Line)], areas: &[Vec<(f64, f64, f64)>]) -> Option<(f64, f64)> {
    let stacked = areas.iter().flatten().flat_map(|(_, low, high)| [*low, *high]);
    let plain = shown.iter().filter(|_| areas.is_empty()).filter_map(|(_, line)| line.stats);
    let plain = plain.flat_map(|stats| [stats.min, stats.max]);
    stacked.chain(plain).fold(None, |found, value| match found {
        None => Some((value, value)),
        Some((low, high)) => Some((low.min(value), high.max(value))),
    })
}

/// Of the vertical axis, in plot coordinates: from zero, and with round ends.
fn bounds(panel: &Panel, scale: Scale, found: Option<(f64, f64)>) -> (f64, f64) {
    let (low, high) = found.unwrap_or((0.0, 0.0));
    if scale == Scale::Log {
        let low = if low > 0.0 { low } else { high * 1e-3 };
        return scale.bounds(panel.min.unwrap_or(low), panel.max.unwrap_or(high));
    }
    let bottom = match panel.unit {
        Unit::Share if !panel.is_stacked && high <= 1.0 => share_bottom(low, 1.0),
        Unit::Percent if !panel.is_stacked && high <= 100.0 => share_bottom(low, 100.0),
        _ if low < 0.0 => -ticks::round_up(-low),
        _ => 0.0,
    };
    let top = match panel.unit {
        Unit::Bytes | Unit::BytesPerSec if high > 0.0 => binary_top(high),
        _ => scale.bounds(0.0, high).1,
    };
    let (bottom, top) = (panel.min.unwrap_or(bottom), panel.max.map_or(top, |max| max.max(high)));
    if top > bottom { (bottom, top) } else { (bottom, bottom + 1.0) }
}

/// Of lines of shares that are nearly the whole, what is missing is what is looked for.
fn share_bottom(low: f64, whole: f64) -> f64 {
    if low < whole / 2.0 {
        return 0.0;
    }
    whole - ticks::round_up((whole - low).max(whole * SHARE_MIN) * 1.2)
}

/// At or above a value, a few steps of a power of two.
fn binary_top(high: f64) -> f64 {
    let step = (high * 1.04 / 4.0).log2().ceil().exp2();
    (high * 1.04 / step).ceil() * step
}

fn legend_height(room: f32, prepared: &Prepared) -> f32 {
    let rows = prepared.lines.len() as f32 + 1.0 + if prepared.left_out > 0 { 1.0 } else { 0.0 };
    let most = (room * LEGEND_SHARE).min(room - PLOT_MIN).max(2.0 * ROW_HEIGHT);
    // Whole rows, so that none is cut.
    let most = (most / ROW_HEIGHT).floor() * ROW_HEIGHT;
    (rows * ROW_HEIGHT).min(most) + SPACE[0]
}

fn legend(cx: &Cx<'_>, ui: &mut Ui, it: &Shown<'_>, prepared: &Prepared, plots: &mut PlotsView, height: f32) {
    let x = plots.x_of(it.x_full);
    let cells: Vec<[String; 4]> = prepared
        .lines
        .iter()
        .map(|line| {
            let stats = if plots.x.is_some() { Stats::of(&line.points, x) } else { line.stats };
            let write = |of: fn(Stats) -> f64| {
                stats.map_or_else(|| number::UNKNOWN.to_owned(), |stats| it.write(of(stats)))
            };
            [write(|of| of.last), write(|of| of.min), write(|of| of.mean), write(|of| of.max)]
        })
        .collect();
    let longest = cells.iter().flatten().map(|cell| cell.chars().count()).max().unwrap_or_default();
    let (columns, fit) = columns(ui.available_width(), longest);
    let heads: Vec<&str> = columns.iter().map(|at| LEGEND[*at]).collect();
    let lines = prepared.lines.iter().zip(cells).enumerate();
    let rows: Vec<Row<'_>> = lines
        .map(|(at, (line, cells))| {
            let sign = match (it.panel.is_stacked, line.is_interpolated) {
                (true, _) => Sign::Area,
                (false, true) => Sign::Dashed,
                (false, false) => Sign::Line,
            };
            let cells = columns.iter().map(|at| cells[*at].clone()).collect();
            Row { name: &line.name, color: panel::color(cx.theme, at), sign, cells }
        })
        .collect();
    ui.add_space(SPACE[0]);
    table::head(ui, cx.theme, fit, &heads);
    let last = if prepared.left_out > 0 { ROW_HEIGHT } else { 0.0 };
    let room = height - SPACE[0] - ROW_HEIGHT - last;
    let area = ScrollArea::vertical().id_salt(("legend", it.id())).min_scrolled_height(0.0).max_height(room);
    area.auto_shrink([false, true]).show(ui, |ui| {
        table::body(ui, cx.theme, plots, fit, &heads, &rows);
    });
    if prepared.left_out > 0 {
        more(cx, ui, prepared.left_out);
    }
}

/// Which columns of a legend there is room for beside names, and how wide each is, by its longest text.
fn columns(width: f32, longest: usize) -> (&'static [usize], Fit) {
    let cell = (longest as f32 * CHARACTER + SPACE[2]).clamp(CELL, CELL_MAX);
    let columns: &[usize] = match ((width - NAME_MIN) / cell) as usize {
        0 | 1 => &[0],
        2 => &[0, 3],
        3 => &[0, 2, 3],
        _ => &[0, 1, 2, 3],
    };
    (columns, Fit { cell, text: SIZE_SMALL })
}

fn more(cx: &Cx<'_>, ui: &mut Ui, left_out: usize) {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), ROW_HEIGHT), Sense::hover());
    let words = format!("and {} more series, not drawn", number::count(left_out as u64));
    let at = rect.left_center() + vec2(24.0, 0.0);
    panel::cut(ui, at, rect.width() - 24.0, &words, cx.theme.text_muted, SIZE_SMALL);
    let response = ui.interact(rect, ui.scope_id().with("left out"), Sense::hover());
    response.widget_info(|| eframe::egui::WidgetInfo::labeled(eframe::egui::Role::Label, true, &words));
}

/// `Requests: checkout 120/s, payment 30/s, and 3 more; a part is missing`.
fn summary(it: &Shown<'_>, prepared: &Prepared) -> String {
    let told = |line: &Line| {
        line.stats.map_or_else(
            || format!("{} nothing", line.name),
            |stats| format!("{} {}", line.name, it.write(stats.last)),
        )
    };
    let mut told: Vec<String> = prepared.lines.iter().take(TOLD_MAX).map(told).collect();
    let more = prepared.lines.len().saturating_sub(TOLD_MAX) + prepared.left_out;
    if more > 0 {
        told.push(format!("{more} more"));
    }
    let interpolated = if it.panel.is_interpolated() { ", interpolated from buckets" } else { "" };
    let limits: Vec<String> = edges(it.panel).map(|(at, _)| it.write(at)).collect();
    let limits = if limits.is_empty() { String::new() } else { format!("; limits at {}", limits.join(", ")) };
    let part = if prepared.troubles.is_empty() { "" } else { "; a part is missing" };
    format!("{} over time{interpolated}: last {}{limits}{part}", it.panel.title, told.join(", "))
}

fn read(cx: &Cx<'_>, ui: &mut Ui, it: &Shown<'_>, shown: &[(usize, &Line)], x: f64) {
    let mut found: Vec<(usize, &Line, f64)> =
        shown.iter().filter_map(|(at, line)| line.at(x).map(|value| (*at, *line, value))).collect();
    found.sort_by(|one, other| other.2.total_cmp(&one.2));
    let rest = found.len().saturating_sub(READ_MAX);
    let mut lines: Vec<(Option<Color32>, &str, String)> = found
        .iter()
        .take(READ_MAX)
        .map(|(at, line, value)| (Some(panel::color(cx.theme, *at)), line.name.as_str(), it.write(*value)))
        .collect();
    if lines.is_empty() {
        lines.push((None, "Nothing is known of this moment", String::new()));
    }
    if it.panel.is_interpolated() {
        lines.push((None, "interpolated from buckets", String::new()));
    }
    let more = format!("and {rest} more");
    if rest > 0 {
        lines.push((None, &more, String::new()));
    }
    readout_lines(ui, cx.theme, &it.clock.words(x), &lines);
}

/// Buckets over time.
pub(super) fn heat(
    cx: &Cx<'_>,
    ui: &mut Ui,
    it: &Shown<'_>,
    prepared: &Prepared,
    plots: &mut PlotsView,
) -> Option<Wish> {
    let theme = cx.theme;
    ui.add_space(TOP);
    let heat = prepared.heat.as_ref();
    let map = heat.map(|heat| &heat.map);
    let range = map.and_then(HeatMap::range_ms).unwrap_or((1.0, 10.0));
    let id = it.id();
    let colors = (theme.background, theme.series[0]);
    let empty = match map {
        Some(_) => "Nothing was counted",
        None => "No buckets: the query keeps no label “le”",
    };
    let told = match map.and_then(HeatMap::fullest_ms) {
        Some((low, high)) => format!("most between {} and {}", it.write(low), it.write(high)),
        None => "nothing was counted".to_owned(),
    };
    let chart = Chart {
        id: &id,
        summary: format!("{} as buckets over time: {told}", it.panel.title),
        height: ui.available_height(),
        x: it.clock.axis(),
        x_full: it.x_full,
        x_labels: true,
        y: Axis::Of(&it.panel.unit, Scale::Log),
        y_full: Scale::Log.bounds(range.0, range.1),
        layers: map.map(|map| Layer::Heat { name: "buckets", map, colors }).into_iter().collect(),
        empty,
    };
    let drawn = chart.show(ui, theme, plots);
    if let (Some(x), Some((_, y)), Some(heat)) = (plots.crosshair(), drawn.pointer, heat) {
        readout(ui, &drawn, |ui| {
            let lines = match heat.map.cell(x, y) {
                None => vec![(None, "Nothing is known of this moment", String::new())],
                Some((low, high, count, all)) => vec![
                    (None, "from", it.write(low)),
                    (None, "to", it.write(high)),
                    (None, "in this bucket", number::significant(heat.count(count))),
                    (None, "in all", number::significant(heat.count(all))),
                ],
            };
            readout_lines(ui, theme, &it.clock.words(x), &lines);
        });
    }
    let whole = drawn.response.rect;
    menu(plots, &drawn, whole, || series::tsv(&prepared.lines, it.clock));
    drawn.response.double_clicked().then_some(Wish::Back)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::metrics::PanelKind;

    #[test]
    fn a_legend_has_the_columns_that_fit_beside_names() {
        assert_eq!(columns(400.0, 7).0, [0, 1, 2, 3]);
        assert_eq!(columns(370.0, 10).0, [0, 2, 3]);
        assert_eq!(columns(260.0, 10).0, [0, 3]);
        assert_eq!(columns(120.0, 40).0, [0]);
    }

    #[test]
    fn an_axis_begins_at_zero_and_ends_at_a_round_number() {
        let panel = |unit| Panel::new("a", PanelKind::TimeSeries, unit);
        assert_eq!(bounds(&panel(Unit::Rate), Scale::Linear, Some((3.0, 9.0))), (0.0, 10.0));
        assert_eq!(bounds(&panel(Unit::Rate), Scale::Linear, Some((-3.0, 0.0))), (-5.0, 1.0));
        assert_eq!(bounds(&panel(Unit::Rate), Scale::Linear, None), (0.0, 1.0));
        assert_eq!(bounds(&panel(Unit::Bytes), Scale::Linear, Some((0.0, 900.0))), (0.0, 1024.0));
        let fixed = Panel { min: Some(2.0), max: Some(4.0), ..panel(Unit::Rate) };
        assert_eq!(bounds(&fixed, Scale::Linear, Some((3.0, 3.5))), (2.0, 4.0));
    }
}
