//! How values are spread: quantile curves on an axis of nines, and a histogram with logarithmic buckets.

use eframe::egui::{Align, Color32, Layout, Ui, vec2};

use super::axis::{Axis, Scale};
use super::time::{Timing, caption};
use super::{Chart, Layer, PlotsView, menu, readout, readout_lines};
use crate::app::{Curve, Curves};
use crate::model::Quantiles;
use crate::model::number;
use crate::model::ticks;
use crate::ui::theme::{CONTROL_HEIGHT, SPACE, Theme};
use crate::ui::widgets;

/// Room for a caption above a plot, in points.
const CAPTION_HEIGHT: f32 = 20.0;

/// One run's curve among others.
pub struct Overlaid<'a> {
    /// What the run is called.
    pub name: &'a str,
    /// Its colour on every page.
    pub color: Color32,
    /// What to draw.
    pub curve: &'a Curve,
    /// For those who hear the plot.
    pub quantiles: &'a Quantiles,
}

/// The curve of response or service time.
#[must_use]
pub fn of(curves: &Curves, timing: Timing) -> &Curve {
    match timing {
        Timing::Response => &curves.response,
        Timing::Service => &curves.service,
    }
}

/// Draws quantile curves over one another in `height` points.
pub fn curves(
    theme: &Theme,
    ui: &mut Ui,
    view: &mut PlotsView,
    scale: Scale,
    timing: Timing,
    runs: &[Overlaid<'_>],
    height: f32,
) {
    view.begin(ui);
    ui.spacing_mut().item_spacing.y = 0.0;
    caption(ui, theme, timing.words(), "by quantile: this share of requests was faster");
    let points: Vec<Vec<(f64, f64)>> = runs.iter().map(|run| by_nines(run.curve)).collect();
    let all = || points.iter().flatten();
    let end = all().map(|point| point.0).fold(1.0, f64::max);
    let x_full = (0.0, end * 1.01);
    let x = view.x_of(x_full);
    let shown = || all().filter(|point| point.0 >= x.0 && point.0 <= x.1).map(|point| point.1);
    let low = shown().fold(f64::INFINITY, f64::min);
    let high = shown().fold(0.0, f64::max);
    let (low, high) = if low.is_finite() { (low, high) } else { (1.0, 100.0) };
    let layers = runs
        .iter()
        .zip(&points)
        .map(|(run, points)| Layer::Curve { name: run.name, points, color: run.color, width: 2.0 })
        .collect();
    let chart = Chart {
        id: "quantile curve",
        summary: curves_summary(timing, runs),
        height: (height - CAPTION_HEIGHT).max(80.0),
        x: Axis::Nines,
        x_full,
        x_labels: true,
        y: Axis::Latency(scale),
        y_full: scale.bounds(low, high),
        layers,
        empty: "No answers",
    };
    let plot = chart.show(ui, theme, view);
    menu(view, &plot, super::around(plot.frame, plot.frame), || curves_tsv(runs));
    if let Some(at) = view.crosshair() {
        readout(ui, &plot, |ui| {
            let lines: Vec<_> = runs
                .iter()
                .zip(&points)
                .map(|(run, points)| (Some(run.color), run.name, value_at(points, at)))
                .collect();
            readout_lines(ui, theme, &quantile_words(at), &lines);
        });
    }
}

fn curves_summary(timing: Timing, runs: &[Overlaid<'_>]) -> String {
    let each: Vec<_> = runs
        .iter()
        .map(|run| {
            let quantiles = run.quantiles;
            if quantiles.count == 0 {
                return format!("{}: no answers", run.name);
            }
            let [p50, p99, max] = [quantiles.p50, quantiles.p99, quantiles.max].map(number::millis);
            format!("{}: median {p50}, p99 {p99}, max {max}", run.name)
        })
        .collect();
    format!("{} by quantile. {}", timing.words(), each.join("; "))
}

fn by_nines(curve: &Curve) -> Vec<(f64, f64)> {
    curve.quantiles.iter().map(|(q, ms)| (ticks::nines_of(*q), *ms)).collect()
}

/// `p99.2`; all nines that tell places apart, and no more.
fn quantile_words(place: f64) -> String {
    let percent = (1.0 - 10f64.powf(-place)) * 100.0;
    let decimals = place.max(0.0).floor() as usize;
    format!("p{percent:.decimals$}")
}

fn value_at(points: &[(f64, f64)], place: f64) -> String {
    let after = points.partition_point(|point| point.0 < place);
    match points.get(after) {
        Some((_, ms)) => number::millis(*ms),
        None => "too few requests".to_owned(),
    }
}

fn curves_tsv(runs: &[Overlaid<'_>]) -> String {
    let mut out = "run\tquantile\tms\n".to_owned();
    for run in runs {
        for (quantile, ms) in &run.curve.quantiles {
            out.push_str(&format!("{}\t{quantile}\t{ms}\n", run.name.replace(['\t', '\n'], " ")));
        }
    }
    out
}

/// Draws how many requests took how long, in `height` points.
pub fn histogram(
    theme: &Theme,
    ui: &mut Ui,
    view: &mut PlotsView,
    counts: &mut Scale,
    timing: Timing,
    all: &Curves,
    height: f32,
) {
    view.begin(ui);
    let curve = of(all, timing);
    ui.spacing_mut().item_spacing.y = 0.0;
    let row = vec2(ui.available_width(), CONTROL_HEIGHT + SPACE[0]);
    ui.allocate_ui_with_layout(row, Layout::left_to_right(Align::Max), |ui| {
        const CHOICE_WIDTH: f32 = 184.0;
        ui.allocate_ui(vec2(row.x - CHOICE_WIDTH, CAPTION_HEIGHT), |ui| {
            caption(ui, theme, "Requests", "in buckets of equal width on the logarithmic axis");
        });
        let options = [(Scale::Linear, "Counts"), (Scale::Log, "Log counts")];
        widgets::segmented(ui, theme, "Scale of the counts", counts, &options);
    });
    let (first, last) = match (curve.buckets.first(), curve.buckets.last()) {
        (Some(first), Some(last)) => (first.0, last.1),
        _ => (1.0, 100.0),
    };
    let most = curve.buckets.iter().map(|bucket| bucket.2).max().unwrap_or_default();
    let total: u64 = curve.buckets.iter().map(|bucket| bucket.2).sum();
    let y_full = match counts {
        Scale::Linear => Scale::Linear.bounds(0.0, most as f64),
        // A single request is a bar still.
        Scale::Log => (0.5f64.log10(), ticks::round_up(most.max(10) as f64).log10()),
    };
    let chart = Chart {
        id: "histogram",
        summary: format!("Histogram of {}: {} requests", timing.words().to_lowercase(), number::count(total)),
        height: (height - row.y).max(80.0),
        x: Axis::Latency(Scale::Log),
        x_full: (first.log10(), last.log10()),
        x_labels: true,
        y: Axis::Count(*counts),
        y_full,
        layers: vec![Layer::Bars { name: "requests", bars: &curve.buckets, color: theme.quantiles[2] }],
        empty: "No answers",
    };
    let plot = chart.show(ui, theme, view);
    menu(view, &plot, super::around(plot.frame, plot.frame), || buckets_tsv(curve));
    if let Some(at) = view.crosshair() {
        readout(ui, &plot, |ui| bucket_readout(ui, theme, curve, 10f64.powf(at), total));
    }
}

fn bucket_readout(ui: &mut Ui, theme: &Theme, curve: &Curve, at_ms: f64, total: u64) {
    let Some((low, high, count)) = curve.buckets.iter().find(|bucket| at_ms >= bucket.0 && at_ms < bucket.1)
    else {
        return;
    };
    let title = format!("{} to {}", number::millis(*low), number::millis(*high));
    let share = number::percent(*count as f64 / total.max(1) as f64);
    readout_lines(ui, theme, &title, &[(None, "requests", number::count(*count)), (None, "share", share)]);
}

fn buckets_tsv(curve: &Curve) -> String {
    let mut out = "low_ms\thigh_ms\tcount\n".to_owned();
    for (low, high, count) in &curve.buckets {
        out.push_str(&format!("{low}\t{high}\t{count}\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_named_with_the_nines_they_need() {
        assert_eq!(quantile_words(0.0), "p0");
        assert_eq!(quantile_words(2.0), "p99.00");
        assert_eq!(quantile_words(3.0), "p99.900");
    }

    #[test]
    fn beyond_the_last_request_nothing_is_claimed() {
        let points = [(0.0, 1.0), (1.0, 2.0), (2.0, 9.0)];
        assert_eq!(value_at(&points, 0.5), "2.00 ms");
        assert_eq!(value_at(&points, 2.1), "too few requests");
    }
}
