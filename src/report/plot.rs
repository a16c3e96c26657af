//! The plots of a report. What is drawn is what was measured: levels of whole intervals, never joined over
//! a gap; quantiles of merged histograms, never means of quantiles.

use std::collections::BTreeMap;

use crate::model::run::{Mark, error_words};
use crate::model::{Interval, Quantiles, Run, number};
use crate::stats::{Latency, heat};

use super::axis::{self, Axis};
use super::markup::Markup;
use super::svg::{Frame, Named, Step, label, path};

/// Values that must lie beyond a quantile before it means much.
pub(super) const SAMPLES_BEYOND: f64 = 10.0;
/// Runs that can be told apart in one plot.
pub(super) const SERIES_MAX: usize = 8;
const POINTS_PER_NINE: u32 = 40;
const BUCKETS_PER_DECADE: u32 = 20;
/// The height at which a count of 1 can still be seen.
const BAR_LEAST: f64 = 1.5;
/// The most marks that the words of a plot tell of.
const MARKS_TOLD_MAX: usize = 12;
/// Classes of error that have a shade of their own.
const ERROR_SHADES: usize = 6;
/// Shades of a heat map in the sheet.
const HEAT_SHADES: usize = 6;
/// Class of the sheet, words, and which of the quantiles it is.
const QUANTILE_SERIES: [QuantileSeries; 5] = [
    ("q50", "p50", |q| q.p50),
    ("q90", "p90", |q| q.p90),
    ("q99", "p99", |q| q.p99),
    ("q999", "p99.9", |q| q.p99_9),
    ("qmax", "max", |q| q.max),
];

type QuantileSeries = (&'static str, &'static str, fn(&Quantiles) -> f64);

/// A plot with what must stand beside it.
#[derive(Debug)]
pub(super) struct Figure {
    pub(super) title: &'static str,
    pub(super) picture: Markup,
    /// Class of the sheet, and words; empty when there is one series.
    pub(super) legend: Vec<(String, String)>,
    /// How to read it.
    pub(super) note: String,
}

/// One curve of quantiles.
#[derive(Debug)]
pub(super) struct Curve<'a> {
    pub(super) class: String,
    pub(super) words: String,
    pub(super) latency: &'a Latency,
}

/// Response quantiles of each interval.
pub(super) fn response_over_time(run: &Run) -> Option<Figure> {
    let measured: Vec<&Interval> = run.intervals.iter().filter(|each| each.response_ms.count > 0).collect();
    let median_count = median(measured.iter().map(|each| each.response_ms.count).collect())?;
    let length_s = run.length_s();
    let ends = measured.iter().flat_map(|each| [each.response_ms.p50, each.response_ms.max]);
    let frame = Frame::new(330.0, |a, b| Axis::time(0.0, length_s, a, b), |a, b| Axis::log(ends, a, b));
    let summary = format!(
        "Response time over {}: median {}, 99th percentile {}, longest {}",
        number::clock(length_s),
        number::millis(run.response_ms.p50),
        number::millis(run.response_ms.p99),
        number::millis(run.response_ms.max)
    );
    let summary = summary + &marks_told(run);
    let picture = frame.draw(&summary, &time_ticks(&frame, length_s), &millis_ticks(&frame.y), |svg| {
        let mut columns = String::new();
        for each in &measured {
            let values = (each.response_ms.p50, each.response_ms.max);
            frame.column(&mut columns, (each.start_s, each.start_s + each.length_s), values, 0.0);
        }
        path(svg, "spread", &columns);
        for (class, _, of) in QUANTILE_SERIES {
            frame.steps(svg, class, &levels(&measured, |each| of(&each.response_ms)));
        }
        frame.moments(svg, &run.marks, Named::Yes);
    });
    Some(Figure {
        title: "Response time over the run",
        picture,
        legend: QUANTILE_SERIES.map(|(class, words, _)| (class.to_owned(), words.to_owned())).into(),
        note: time_note(median_count),
    })
}

/// How many requests of each interval took how long.
pub(super) fn heat_over_time(run: &Run) -> Option<Figure> {
    let columns: Vec<(&Interval, heat::Column)> =
        run.intervals.iter().map(|each| (each, heat::column(each))).collect();
    let filled = |row: usize| columns.iter().any(|(_, column)| column[row] > 0);
    let first = (0..heat::ROWS).find(|row| filled(*row))?;
    let last = (0..heat::ROWS).rfind(|row| filled(*row))?;
    let most = columns.iter().flat_map(|(_, column)| column).copied().max().unwrap_or_default();
    let length_s = run.length_s();
    let (low, high) = (heat::edge_ms(first), heat::edge_ms(last + 1));
    let frame =
        Frame::new(250.0, |a, b| Axis::time(0.0, length_s, a, b), |a, b| Axis::log_exact(low, high, a, b));
    let mut shades = vec![String::new(); HEAT_SHADES];
    for (each, column) in &columns {
        for row in (first..=last).filter(|row| column[*row] > 0) {
            let shade = (heat::strength(column[row], most) * HEAT_SHADES as f32) as usize;
            let stretch = (each.start_s, each.start_s + each.length_s);
            let values = (heat::edge_ms(row), heat::edge_ms(row + 1));
            frame.column(&mut shades[shade.min(HEAT_SHADES - 1)], stretch, values, 0.0);
        }
    }
    let summary = format!(
        "Response times over the run as a heat map, from {} to {}: median {}, 99th percentile {}",
        number::millis(low),
        number::millis(high),
        number::millis(run.response_ms.p50),
        number::millis(run.response_ms.p99)
    );
    let summary = summary + &marks_told(run);
    let picture = frame.draw(&summary, &time_ticks(&frame, length_s), &millis_ticks(&frame.y), |svg| {
        for (at, cells) in shades.iter().enumerate() {
            path(svg, &format!("heat h{at}"), cells);
        }
        frame.moments(svg, &run.marks, Named::Yes);
    });
    let note = format!(
        "Each cell counts the requests of one interval that took so long; the strongest holds {}. Shades are \
         logarithmic: one request can be seen beside thousands.",
        number::count(most)
    );
    Some(Figure { title: "Response time as a heat map", picture, legend: Vec::new(), note })
}

/// Requests due and answered per second in each interval.
pub(super) fn rate_over_time(run: &Run) -> Option<Figure> {
    if run.intervals.is_empty() {
        return None;
    }
    let length_s = run.length_s();
    let all: Vec<&Interval> = run.intervals.iter().collect();
    let due = levels(&all, |each| each.due as f64 / each.length_s);
    let achieved = levels(&all, |each| each.answered as f64 / each.length_s);
    let highest = due.iter().chain(&achieved).map(|step| step.value).fold(0.0, f64::max);
    let frame = Frame::new(
        190.0,
        |a, b| Axis::time(0.0, length_s, a, b),
        |a, b| Axis::from_zero(highest * 1.04, a, b),
    );
    let summary = format!("Answers per second over the run: {} overall", number::rate(run.rate.achieved));
    let rate_ticks = frame.y.ticks(|rate| format!("{}/s", axis::plain(rate)));
    let summary = summary + &marks_told(run);
    let picture = frame.draw(&summary, &time_ticks(&frame, length_s), &rate_ticks, |svg| {
        frame.steps(svg, "due", &due);
        frame.steps(svg, "achieved", &achieved);
        frame.moments(svg, &run.marks, Named::No);
    });
    let legend = vec![
        ("due".to_owned(), "due per second".to_owned()),
        ("achieved".to_owned(), "answered per second".to_owned()),
    ];
    let note = "Due counts a request when it should have been sent, answered when its answer was whole.";
    Some(Figure { title: "Request rate", picture, legend, note: note.to_owned() })
}

/// Failures per second by class in each interval, stacked; none when nothing failed.
pub(super) fn errors_over_time(run: &Run) -> Option<Figure> {
    let mut totals: BTreeMap<&str, u64> = BTreeMap::new();
    for (class, count) in run.intervals.iter().flat_map(|each| &each.errors) {
        *totals.entry(class).or_default() += count;
    }
    let mut classes: Vec<(&str, u64)> = totals.into_iter().filter(|(_, count)| *count > 0).collect();
    classes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    if classes.is_empty() {
        return None;
    }
    let of =
        |each: &Interval, class: &str| each.errors.get(class).copied().unwrap_or(0) as f64 / each.length_s;
    let length_s = run.length_s();
    let highest = run
        .intervals
        .iter()
        .map(|each| classes.iter().map(|(class, _)| of(each, class)).sum())
        .fold(0.0, f64::max);
    let frame = Frame::new(
        170.0,
        |a, b| Axis::time(0.0, length_s, a, b),
        |a, b| Axis::from_zero(highest * 1.04, a, b),
    );
    let mut columns = vec![String::new(); classes.len()];
    for each in &run.intervals {
        let mut foot = 0.0;
        for ((class, _), column) in classes.iter().zip(&mut columns) {
            let head = foot + of(each, class);
            if head > foot {
                frame.column(column, (each.start_s, each.start_s + each.length_s), (foot, head), BAR_LEAST);
            }
            foot = head;
        }
    }
    let shade = |at: usize| format!("e{}", at % ERROR_SHADES);
    let summary = format!("Failures over the run: {} in all", number::count(run.requests.failed));
    let ticks = frame.y.ticks(|rate| format!("{}/s", axis::plain(rate)));
    let summary = summary + &marks_told(run);
    let picture = frame.draw(&summary, &time_ticks(&frame, length_s), &ticks, |svg| {
        for (at, column) in columns.iter().enumerate() {
            path(svg, &format!("bar {}", shade(at)), column);
        }
        frame.moments(svg, &run.marks, Named::No);
    });
    let legend = classes.iter().enumerate();
    let legend = legend
        .map(|(at, (class, count))| {
            (format!("block {}", shade(at)), format!("{} ({})", error_words(class), number::count(*count)))
        })
        .collect();
    let note = "Failures are counted when they happened, not when their requests were due.".to_owned();
    Some(Figure { title: "Errors by class", picture, legend, note })
}

/// Curves of quantiles over the number of nines.
pub(super) fn quantile_curves(title: &'static str, curves: &[Curve<'_>]) -> Option<Figure> {
    let drawn: Vec<(&Curve<'_>, Vec<(f64, f64)>)> = curves
        .iter()
        .map(|curve| (curve, curve.latency.curve(POINTS_PER_NINE)))
        .filter(|(_, points)| !points.is_empty())
        .collect();
    let most = drawn.iter().map(|(curve, _)| curve.latency.count()).max()?;
    let last = drawn.iter().filter_map(|(_, points)| points.last()).map(|point| point.0).fold(0.0, f64::max);
    let values = drawn.iter().flat_map(|(_, points)| points.iter().map(|point| point.1));
    let frame = Frame::new(330.0, |a, b| Axis::nines(last, a, b), |a, b| Axis::log(values, a, b));
    let firm = 1.0 - SAMPLES_BEYOND / most as f64;
    let ends = drawn
        .iter()
        .map(|(curve, _)| format!("{} up to {}", curve.words, number::millis(curve.latency.max_ms())));
    let summary = format!("Quantile curves: {}", ends.collect::<Vec<_>>().join("; "));
    let nines = frame.x.ticks(axis::plain);
    let picture = frame.draw(&summary, &nines, &millis_ticks(&frame.y), |svg| {
        if firm < last {
            frame.stretch(svg, "weak", firm.max(0.0), last.max(0.99));
            let words = "fewer than 10 samples beyond";
            if let Some(x) = frame.x.place(firm.max(0.0)) {
                label(svg, x + 6.0, frame.y.ends().0 - 8.0, "note", words);
            }
        }
        for (curve, points) in &drawn {
            frame.curve(svg, &curve.class, points.iter().copied());
        }
    });
    let legend = drawn.iter().map(|(curve, _)| (curve.class.clone(), curve.words.clone())).collect();
    let note = "Read it as: this share of requests took at most so long. Each step to the right is one more \
                nine."
        .to_owned();
    Some(Figure { title, picture, legend, note })
}

/// Counts of response times in buckets of equal width on a logarithmic axis.
pub(super) fn histogram(latency: &Latency) -> Option<Figure> {
    let buckets = latency.log_buckets(BUCKETS_PER_DECADE);
    let (low, high) = (buckets.first()?.0, buckets.last()?.1);
    let highest = buckets.iter().map(|(_, _, count)| *count).max()?;
    let (low, high) = if high / low < 3.0 { (low / 1.5, high * 1.5) } else { (low, high) };
    let frame = Frame::new(
        230.0,
        |a, b| Axis::log_exact(low, high, a, b),
        |a, b| Axis::from_zero(highest as f64 * 1.12, a, b),
    );
    let mut bars = String::new();
    for (from, to, count) in buckets.iter().filter(|bucket| bucket.2 > 0) {
        frame.column(&mut bars, (*from, *to), (0.0, *count as f64), BAR_LEAST);
    }
    let quantiles = latency.quantiles();
    let summary = format!(
        "Histogram of {} response times from {} to {}",
        number::count(quantiles.count),
        number::millis(low),
        number::millis(high)
    );
    let picture = frame.draw(&summary, &millis_ticks(&frame.x), &frame.y.ticks(axis::plain), |svg| {
        path(svg, "bar q90", &bars);
        let marks = [("p50", quantiles.p50), ("p99", quantiles.p99), ("max", quantiles.max)];
        for (row, (name, value)) in marks.into_iter().enumerate() {
            frame.mark(svg, value, row, &format!("{name} {}", number::millis(value)));
        }
    });
    let note = format!(
        "Requests in each bucket; {BUCKETS_PER_DECADE} buckets for each power of ten. The lowest bars are drawn \
         high enough to be seen."
    );
    Some(Figure { title: "Histogram of response time", picture, legend: Vec::new(), note })
}

/// Whether a quantile rests on so few values that one of them more or less would move it.
pub(super) fn is_weak(q: f64, count: u64) -> bool {
    count as f64 * (1.0 - q) < SAMPLES_BEYOND - 1e-6
}

fn levels(intervals: &[&Interval], of: impl Fn(&Interval) -> f64) -> Vec<Step> {
    let step =
        |each: &&Interval| Step { from: each.start_s, to: each.start_s + each.length_s, value: of(each) };
    intervals.iter().map(step).collect()
}

fn time_ticks(frame: &Frame, length_s: f64) -> Vec<axis::Tick> {
    frame.x.ticks(|at| axis::time_words(at, length_s))
}

fn millis_ticks(axis: &Axis) -> Vec<axis::Tick> {
    axis.ticks(axis::millis_words)
}

/// `; marks: deployed v2 at 4.2 s`; nothing without marks.
fn marks_told(run: &Run) -> String {
    if run.marks.is_empty() {
        return String::new();
    }
    let told = |mark: &Mark| format!("{} at {:.1} s", mark.text, mark.at_s);
    let mut told: Vec<_> = run.marks.iter().take(MARKS_TOLD_MAX).map(told).collect();
    if run.marks.len() > MARKS_TOLD_MAX {
        told.push(format!("{} more", run.marks.len() - MARKS_TOLD_MAX));
    }
    format!("; marks: {}", told.join(", "))
}

fn median(mut counts: Vec<u64>) -> Option<u64> {
    counts.sort_unstable();
    counts.get(counts.len() / 2).copied()
}

fn time_note(median_count: u64) -> String {
    let mut note = format!(
        "Each step is one interval with its own quantiles, about {} requests; shaded from p50 to max. A gap is \
         a time without answers.",
        number::count(median_count)
    );
    let weak = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)]
        .into_iter()
        .find(|(_, q)| is_weak(*q, median_count));
    if let Some((name, _)) = weak {
        note.push_str(&format!(
            " Within one interval, {name} and above rest on fewer than 10 requests: trust the whole run's."
        ));
    }
    note
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_needs_ten_values_beyond_it() {
        assert!(is_weak(0.999, 9_999));
        assert!(!is_weak(0.999, 10_000));
        assert!(is_weak(0.5, 19));
        assert!(!is_weak(0.5, 20));
    }
}
