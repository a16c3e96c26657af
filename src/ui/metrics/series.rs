//! What panels draw, made from answers once for each news. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::app::{HeatColumn, HeatMap};
use crate::model::Labels;
use crate::model::metrics::legend::legend;
use crate::model::metrics::series::SERIES_SHOWN_MAX;
use crate::model::metrics::{Answer, Grid, Panel, PanelKind, Series};
use crate::ui::plot::axis::{self, Axis};
use crate::ui::plot::lines::thinned;

/// More points of a line than twice this are thinned to the extremes of so many columns.
const COLUMNS_MAX: usize = 1500;
/// Points that are further apart than so many steps have a gap between them.
const GAP_STEPS: f64 = 1.5;
/// The fullest bucket of a map holds so many parts: a map counts whole things, and buckets hold rates.
const PARTS_MAX: f64 = 256.0;
/// The label that holds the upper edge of a bucket.
const EDGE: &str = "le";

/// What the horizontal axis counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    /// Moments, in seconds since 1970.
    Moments,
    /// Seconds of a run that began to count at this moment, in milliseconds since 1970.
    Since(i64),
}

/// What a panel draws.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    /// In the source's order.
    pub(super) lines: Vec<Line>,
    /// Series that are not among them.
    pub(super) left_out: usize,
    /// Why queries have no answer.
    pub(super) troubles: Vec<String>,
    /// What the source had to say.
    pub(super) remarks: Vec<String>,
    /// Of a panel of buckets; none where there are no buckets.
    pub(super) heat: Option<Heat>,
}

/// One series.
#[derive(Debug)]
pub(super) struct Line {
    /// What it is called; another for each line of a panel.
    pub(super) name: String,
    pub(super) labels: Labels,
    /// The number of its query.
    pub(super) query: usize,
    pub(super) is_interpolated: bool,
    /// Ascending.
    pub(super) points: Vec<(f64, f64)>,
    /// Points further apart than this have a gap between them.
    pub(super) gap: f64,
    /// Of all points.
    pub(super) stats: Option<Stats>,
    /// The one number that stands for it.
    pub(super) reduced: Option<f64>,
}

/// What a legend says of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stats {
    pub(super) last: f64,
    pub(super) min: f64,
    pub(super) mean: f64,
    pub(super) max: f64,
}

impl Clock {
    pub(super) fn x(self, at_ms: i64) -> f64 {
        match self {
            Self::Moments => at_ms as f64 / 1e3,
            Self::Since(from_ms) => (at_ms - from_ms) as f64 / 1e3,
        }
    }

    pub(super) fn axis(self) -> Axis<'static> {
        match self {
            Self::Moments => Axis::Moment,
            Self::Since(_) => Axis::Time,
        }
    }

    /// A place of the axis, exactly.
    pub(super) fn words(self, x: f64) -> String {
        match self {
            Self::Moments => axis::moment(x),
            Self::Since(_) => axis::time(x, 1.0),
        }
    }
}

impl Stats {
    /// Of the points within `x`.
    pub(super) fn of(points: &[(f64, f64)], x: (f64, f64)) -> Option<Self> {
        let first = points.partition_point(|point| point.0 < x.0);
        let end = points.partition_point(|point| point.0 <= x.1);
        let within = points.get(first..end).filter(|within| !within.is_empty())?;
        let values = || within.iter().map(|point| point.1);
        Some(Self {
            last: within[within.len() - 1].1,
            min: values().fold(f64::INFINITY, f64::min),
            mean: values().sum::<f64>() / within.len() as f64,
            max: values().fold(f64::NEG_INFINITY, f64::max),
        })
    }
}

impl Line {
    /// The value at a place of the axis; none in a gap.
    pub(super) fn at(&self, x: f64) -> Option<f64> {
        let after = self.points.partition_point(|point| point.0 < x);
        let near = [after.checked_sub(1), Some(after)].into_iter().flatten();
        let nearest = near
            .filter_map(|at| self.points.get(at))
            .min_by(|one, other| (one.0 - x).abs().total_cmp(&(other.0 - x).abs()))?;
        ((nearest.0 - x).abs() <= self.gap / 2.0).then_some(nearest.1)
    }
}

/// Makes what a panel draws from the answers to its queries.
pub(super) fn prepare(
    panel: &Panel,
    answers: &[Result<Answer, String>],
    grid: Option<Grid>,
    clock: Clock,
) -> Prepared {
    let mut prepared = Prepared::default();
    let several = panel.queries.len() > 1;
    for (at, (query, answer)) in panel.queries.iter().zip(answers).enumerate() {
        match answer {
            Err(reason) if several => prepared.troubles.push(format!("{}: {reason}", query.name)),
            Err(reason) => prepared.troubles.push(reason.clone()),
            Ok(answer) => {
                let new = answer.remarks.iter().filter(|remark| !prepared.remarks.contains(remark));
                let new: Vec<String> = new.cloned().collect();
                prepared.remarks.extend(new);
                if !query.is_hidden {
                    prepared.left_out += answer.left_out;
                    let lines = answer.series.iter().map(|series| line(panel, at, series, grid, clock));
                    prepared.lines.extend(lines);
                }
            }
        }
    }
    if panel.kind != PanelKind::Heatmap {
        cut(&mut prepared);
    }
    tell_apart(&mut prepared.lines);
    if panel.kind == PanelKind::Heatmap {
        prepared.heat = heat_map(&prepared.lines);
    }
    prepared
}

fn line(panel: &Panel, query: usize, series: &Series, grid: Option<Grid>, clock: Clock) -> Line {
    let asked = &panel.queries[query];
    // A series without labels of which the legend says nothing is the panel's own.
    let told = legend(&asked.legend, series);
    let is_told = !series.labels.is_empty() || told != series.words();
    let name = match is_told {
        true => told,
        false if panel.queries.len() > 1 => asked.name.clone(),
        false => panel.title.clone(),
    };
    let points: Vec<(f64, f64)> =
        series.points.iter().map(|point| (clock.x(point.at_ms), point.value)).collect();
    let stats = Stats::of(&points, (f64::NEG_INFINITY, f64::INFINITY));
    let gap = grid.map_or(f64::INFINITY, |grid| grid.step_ms as f64 / 1e3 * GAP_STEPS);
    Line {
        name,
        labels: series.labels.clone(),
        query,
        is_interpolated: asked.ask.is_interpolated(),
        // What is stacked needs the same places in all series.
        points: if panel.is_stacked { points } else { thinned(points, COLUMNS_MAX) },
        gap,
        stats,
        reduced: panel.reduce.of(series),
    }
}

/// The largest by their last value, in their order.
fn cut(prepared: &mut Prepared) {
    let over = prepared.lines.len().saturating_sub(SERIES_SHOWN_MAX);
    if over == 0 {
        return;
    }
    let last = |line: &Line| line.stats.map_or(f64::NEG_INFINITY, |stats| stats.last);
    let mut order: Vec<usize> = (0..prepared.lines.len()).collect();
    order.sort_by(|one, other| last(&prepared.lines[*other]).total_cmp(&last(&prepared.lines[*one])));
    let kept: BTreeSet<usize> = order.into_iter().take(SERIES_SHOWN_MAX).collect();
    let mut at = 0;
    prepared.lines.retain(|_| {
        at += 1;
        kept.contains(&(at - 1))
    });
    prepared.left_out += over;
}

/// Gives lines of the same name numbers.
fn tell_apart(lines: &mut [Line]) {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for line in lines {
        let count = seen.entry(line.name.clone()).or_default();
        *count += 1;
        if *count > 1 {
            line.name = format!("{} ({count})", line.name);
        }
    }
}

/// Lower and upper edges of what is laid on top of each other, the first line at the bottom.
pub(super) fn stacked<'a>(lines: impl Iterator<Item = &'a Line>) -> Vec<Vec<(f64, f64, f64)>> {
    let mut tops: BTreeMap<i64, f64> = BTreeMap::new();
    lines
        .map(|line| {
            let mut areas = Vec::with_capacity(line.points.len());
            for (x, value) in &line.points {
                let top = tops.entry((x * 1e3).round() as i64).or_default();
                let low = *top;
                *top += value;
                areas.push((*x, low, *top));
            }
            areas
        })
        .collect()
}

/// Buckets over time.
#[derive(Debug)]
pub(super) struct Heat {
    pub(super) map: HeatMap,
    /// What one part of a count stands for.
    part: f64,
}

impl Heat {
    /// What a count of the map stands for.
    pub(super) fn count(&self, parts: u64) -> f64 {
        parts as f64 * self.part
    }
}

/// Buckets by their upper edges over time, as a map to draw; none where there are no buckets.
fn heat_map(lines: &[Line]) -> Option<Heat> {
    let mut by_edge: BTreeMap<u64, (f64, BTreeMap<i64, f64>)> = BTreeMap::new();
    for line in lines {
        let edge = match line.labels.get(EDGE)?.as_str() {
            "+Inf" | "Inf" => f64::INFINITY,
            text => text.parse::<f64>().ok().filter(|edge| *edge > 0.0)?,
        };
        // Positive numbers are in order as their bits are.
        let (_, of) = by_edge.entry(edge.to_bits()).or_insert_with(|| (edge, BTreeMap::new()));
        for (x, value) in &line.points {
            *of.entry((x * 1e3).round() as i64).or_default() += value;
        }
    }
    let finite: Vec<f64> = by_edge.values().map(|(edge, _)| *edge).filter(|edge| edge.is_finite()).collect();
    let (first, last) = (*finite.first()?, *finite.last()?);
    let mut edges_ms = vec![first / 2.0];
    edges_ms.extend(by_edge.values().map(|(edge, _)| if edge.is_finite() { *edge } else { last * 2.0 }));
    let step_ms = lines.iter().map(|line| line.gap / GAP_STEPS * 1e3).find(|step| step.is_finite());
    let moments: BTreeSet<i64> = by_edge.values().flat_map(|(_, of)| of.keys().copied()).collect();
    let columns: Vec<(i64, Vec<f64>)> = moments
        .into_iter()
        .map(|at| {
            let mut below = 0.0;
            let counts = by_edge.values().map(|(_, of)| {
                let all = of.get(&at).copied().unwrap_or(below).max(below);
                all - std::mem::replace(&mut below, all)
            });
            (at, counts.collect())
        })
        .collect();
    let fullest = columns.iter().flat_map(|(_, counts)| counts).copied().fold(0.0, f64::max);
    let part = if fullest > 0.0 { fullest / PARTS_MAX } else { 1.0 };
    let length_s = step_ms.unwrap_or(1e3) / 1e3;
    let column = |(at, counts): (i64, Vec<f64>)| {
        let end_s = at as f64 / 1e3;
        // What holds anything is seen.
        let counts = counts.into_iter().map(|count| (count / part).ceil() as u64).collect();
        HeatColumn { start_s: end_s - length_s, end_s, counts }
    };
    let columns: Vec<HeatColumn> = columns.into_iter().map(column).collect();
    let most = columns.iter().flat_map(|column| &column.counts).copied().max().unwrap_or_default();
    Some(Heat { map: HeatMap { columns, edges_ms, most }, part })
}

/// Lines as a table to paste elsewhere: a row for each place of the axis, a column for each line.
pub(super) fn tsv(lines: &[Line], clock: Clock) -> String {
    let mut rows: BTreeMap<i64, Vec<Option<f64>>> = BTreeMap::new();
    for (at, line) in lines.iter().enumerate() {
        for (x, value) in &line.points {
            let row = rows.entry((x * 1e3).round() as i64).or_insert_with(|| vec![None; lines.len()]);
            row[at] = Some(*value);
        }
    }
    let mut out = match clock {
        Clock::Moments => "time".to_owned(),
        Clock::Since(_) => "start_s".to_owned(),
    };
    for line in lines {
        out.push('\t');
        out.push_str(&line.name.replace(['\t', '\n'], " "));
    }
    out.push('\n');
    for (at, values) in rows {
        match clock {
            Clock::Moments => {
                out.push_str(&jiff::Timestamp::from_millisecond(at).unwrap_or_default().to_string());
            }
            Clock::Since(_) => out.push_str(&(at as f64 / 1e3).to_string()),
        }
        for value in values {
            out.push('\t');
            // What was not measured is empty, not zero.
            out.extend(value.map(|value| value.to_string()));
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::metrics::{Ask, PanelQuery, Point, Unit};

    const GRID: Grid = Grid { from_ms: 0, to_ms: 60_000, step_ms: 15_000 };

    fn panel(kind: PanelKind, legend: &str) -> Panel {
        let mut panel = Panel::new("Requests", kind, Unit::Rate);
        panel.queries.push(PanelQuery {
            name: "A".to_owned(),
            ask: Ask::PromQl("up".to_owned()),
            legend: legend.to_owned(),
            is_instant: false,
            is_hidden: false,
        });
        panel
    }

    fn series(labels: &[(&str, &str)], values: &[f64]) -> Series {
        Series {
            labels: labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            points: values
                .iter()
                .zip(0..)
                .map(|(value, at)| Point { at_ms: at * 15_000, value: *value })
                .collect(),
        }
    }

    fn answer(series: Vec<Series>) -> [Result<Answer, String>; 1] {
        [Ok(Answer { series, ..Answer::default() })]
    }

    #[test]
    fn lines_are_named_and_no_two_the_same() {
        let two = answer(vec![
            series(&[("pod", "a"), ("x", "1")], &[1.0]),
            series(&[("pod", "a"), ("x", "2")], &[2.0]),
        ]);
        let names = |legend| -> Vec<String> {
            let prepared = prepare(&panel(PanelKind::TimeSeries, legend), &two, Some(GRID), Clock::Moments);
            prepared.lines.into_iter().map(|line| line.name).collect()
        };
        assert_eq!(names("{{pod}}"), ["a", "a (2)"]);
        assert_eq!(names(""), ["pod=a, x=1", "pod=a, x=2"]);
        let alone = answer(vec![series(&[], &[1.0])]);
        let prepared = prepare(&panel(PanelKind::TimeSeries, ""), &alone, Some(GRID), Clock::Moments);
        assert_eq!(prepared.lines[0].name, "Requests");
    }

    #[test]
    fn of_too_many_series_the_largest_stay_and_the_rest_is_counted() {
        let many = (0..60).map(|at| series(&[("pod", &at.to_string())], &[f64::from(at)])).collect();
        let prepared =
            prepare(&panel(PanelKind::TimeSeries, "{{pod}}"), &answer(many), Some(GRID), Clock::Moments);
        assert_eq!((prepared.lines.len(), prepared.left_out), (SERIES_SHOWN_MAX, 10));
        assert_eq!(prepared.lines[0].name, "10");
    }

    #[test]
    fn a_gap_has_no_value() {
        let mut broken = series(&[], &[1.0, 2.0, 3.0, 4.0]);
        broken.points.remove(2);
        let prepared =
            prepare(&panel(PanelKind::TimeSeries, ""), &answer(vec![broken]), Some(GRID), Clock::Since(0));
        let line = &prepared.lines[0];
        assert_eq!((line.at(14.0), line.at(30.0), line.at(46.0)), (Some(2.0), None, Some(4.0)));
    }

    #[test]
    fn buckets_become_cells() {
        let buckets = vec![
            series(&[("le", "0.1")], &[1.0, 1.0]),
            series(&[("le", "+Inf")], &[5.0, 4.0]),
            series(&[("le", "0.5")], &[4.0, 4.0]),
        ];
        let prepared = prepare(&panel(PanelKind::Heatmap, ""), &answer(buckets), Some(GRID), Clock::Since(0));
        let heat = heat_map(&prepared.lines).unwrap();
        assert_eq!(heat.map.edges_ms, [0.05, 0.1, 0.5, 1.0]);
        assert_eq!(heat.map.columns[0].counts, [86, 256, 86]);
        assert_eq!(heat.map.columns[1].counts, [86, 256, 0]);
        assert!((heat.count(heat.map.most) - 3.0).abs() < 1e-9);
        let no_edges =
            prepare(&panel(PanelKind::Heatmap, ""), &answer(vec![series(&[], &[1.0])]), None, Clock::Moments);
        assert!(heat_map(&no_edges.lines).is_none());
    }

    #[test]
    fn what_is_stacked_stands_on_what_is_there() {
        let two = vec![series(&[("a", "1")], &[1.0, 2.0]), series(&[("a", "2")], &[5.0])];
        let prepared = prepare(&panel(PanelKind::TimeSeries, ""), &answer(two), Some(GRID), Clock::Since(0));
        let areas = stacked(prepared.lines.iter());
        assert_eq!(areas[0], [(0.0, 0.0, 1.0), (15.0, 0.0, 2.0)]);
        assert_eq!(areas[1], [(0.0, 1.0, 6.0)]);
    }
}
