//! Data drawn as it is: for each column of pixels one bar from the smallest to the largest value in it.
//!
//! A polyline through noisy data draws tips that are not there (joins at sharp corners) and thins out tips
//! that are. Bars on the pixel grid do neither, and cost the same for a thousand points and for a million.

use std::cell::RefCell;

use eframe::egui::{Color32, Mesh, Pos2, Rect, Shape, Ui};
use egui_plot::PlotTransform;

use super::axis::Scale;
use super::item::Drawn;

/// A stretch of the horizontal axis and the values in it, in natural units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// Where it begins.
    pub start: f64,
    /// Where it ends; the start again for a single point.
    pub end: f64,
    /// The smallest value.
    pub low: f64,
    /// The largest value.
    pub high: f64,
}

/// Neighbouring columns of pixels with the same values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Column {
    /// The first column, from 0 at the left.
    pub first: usize,
    /// The last column, included.
    pub last: usize,
    /// The smallest value.
    pub low: f64,
    /// The largest value.
    pub high: f64,
}

/// How the bars look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Their colour.
    pub color: Color32,
    /// The least height of a bar, in points: the thickness of a level line.
    pub thickness: f32,
    /// Whether spans that touch are joined by an upright line.
    pub joined: bool,
}

/// The last decimation, kept while neither data nor view changes.
#[derive(Clone, Debug, Default)]
pub struct Cache {
    key: Option<(u64, u64, u64, usize)>,
    columns: Vec<Column>,
}

impl Span {
    /// A point.
    #[must_use]
    pub fn point(x: f64, value: f64) -> Self {
        Self { start: x, end: x, low: value, high: value }
    }

    /// One value over a stretch.
    #[must_use]
    pub fn level(start: f64, end: f64, value: f64) -> Self {
        Self { start, end, low: value, high: value }
    }
}

/// Reduces `spans`, which are in order and do not overlap, to at most `columns` bars over `x`. No value in view
/// is lost, none is added; columns without data stay empty.
#[must_use]
pub fn decimate(spans: &[Span], x: (f64, f64), columns: usize, joined: bool) -> Vec<Column> {
    let width = (x.1 - x.0) / columns as f64;
    if columns == 0 || !(width.is_finite() && width > 0.0) {
        return Vec::new();
    }
    let place = |at: f64| (at - x.0) / width;
    let mut extremes: Vec<Option<(f64, f64)>> = vec![None; columns];
    let first = spans.partition_point(|span| span.end < x.0 || (span.end == x.0 && span.start < x.0));
    let mut before: Option<&Span> = first.checked_sub(1).map(|at| &spans[at]);
    for span in &spans[first..] {
        if span.start > x.1 {
            break;
        }
        let from = (place(span.start) + 1e-6).floor().max(0.0) as usize;
        let to = ((place(span.end) - 1e-6).ceil() - 1.0).max(from as f64) as usize;
        let to = to.min(columns - 1);
        for column in extremes.iter_mut().take(to + 1).skip(from.min(columns - 1)) {
            include(column, span.low, span.high);
        }
        // Where the border of two spans falls between two columns, the upright line belongs to the second.
        if let (true, Some(before)) = (joined, before)
            && (span.start - before.end).abs() < width * 1e-3
            && place(span.start) >= 0.0
            && from < columns
        {
            let nearest = if before.low > span.high { before.low } else { before.high.min(span.low) };
            include(&mut extremes[from], nearest, nearest);
        }
        before = Some(span);
    }
    merged(&extremes)
}

fn include(column: &mut Option<(f64, f64)>, low: f64, high: f64) {
    let (lowest, highest) = column.unwrap_or((low, high));
    *column = Some((lowest.min(low), highest.max(high)));
}

fn merged(extremes: &[Option<(f64, f64)>]) -> Vec<Column> {
    let mut bars: Vec<Column> = Vec::new();
    for (at, extreme) in extremes.iter().enumerate() {
        let Some((low, high)) = *extreme else { continue };
        match bars.last_mut() {
            Some(bar) if bar.last + 1 == at && bar.low == low && bar.high == high => bar.last = at,
            _ => bars.push(Column { first: at, last: at, low, high }),
        }
    }
    bars
}

impl Cache {
    fn columns(&mut self, item: &Columns<'_>, x: (f64, f64), columns: usize) -> &[Column] {
        let key = (item.revision, x.0.to_bits(), x.1.to_bits(), columns);
        if self.key != Some(key) {
            self.columns = decimate(item.spans, x, columns, item.look.joined);
            self.key = Some(key);
        }
        &self.columns
    }
}

/// Spans in a plot.
pub struct Columns<'a> {
    spans: &'a [Span],
    /// Another number for other spans.
    revision: u64,
    scale: Scale,
    look: Look,
    cache: &'a RefCell<Cache>,
}

impl<'a> Columns<'a> {
    /// `revision` is another number for other spans.
    #[must_use]
    pub fn new(
        spans: &'a [Span],
        revision: u64,
        scale: Scale,
        look: Look,
        cache: &'a RefCell<Cache>,
    ) -> Self {
        Self { spans, revision, scale, look, cache }
    }

    fn mesh(&self, transform: &PlotTransform, pixels_per_point: f32) -> Mesh {
        let frame = transform.frame();
        let left = (frame.left() * pixels_per_point).round();
        let right = (frame.right() * pixels_per_point).round();
        let bounds = transform.bounds();
        let x = (bounds.min()[0], bounds.max()[0]);
        let thickness = (self.look.thickness * pixels_per_point).round().max(1.0);
        let pixel = |value: f64| transform.position_from_point_y(self.scale.place(value)) * pixels_per_point;
        let mut cache = self.cache.borrow_mut();
        let mut mesh = Mesh::default();
        for column in cache.columns(self, x, (right - left).max(0.0) as usize) {
            // Past the frame by a pixel at most: what is far outside the view must not overflow.
            let limit = |y: f32| {
                y.clamp(frame.top() * pixels_per_point - 1.0, frame.bottom() * pixels_per_point + 1.0)
            };
            let (mut top, mut bottom) = (limit(pixel(column.high)).floor(), limit(pixel(column.low)).ceil());
            if bottom - top < thickness {
                top = ((top + bottom - thickness) / 2.0).round();
                bottom = top + thickness;
            }
            let rect = Rect::from_min_max(
                Pos2::new(left + column.first as f32, top) / pixels_per_point,
                Pos2::new(left + column.last as f32 + 1.0, bottom) / pixels_per_point,
            );
            mesh.add_colored_rect(rect, self.look.color);
        }
        mesh
    }
}

impl Drawn for Columns<'_> {
    fn color(&self) -> Color32 {
        self.look.color
    }

    fn shapes(&self, ui: &Ui, transform: &PlotTransform, shapes: &mut Vec<Shape>) {
        let mesh = self.mesh(transform, ui.pixels_per_point());
        if !mesh.is_empty() {
            shapes.push(Shape::mesh(mesh));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noisy(count: usize) -> Vec<Span> {
        (0..count)
            .map(|at| {
                let noise = ((at * 7919) % 1000) as f64 / 1000.0;
                let spike = if at % 997 == 5 { 12.0 } else { 0.0 };
                Span::point(at as f64, 2.0 + noise + spike)
            })
            .collect()
    }

    #[test]
    fn no_spike_is_lost_and_none_is_made() {
        let spans = noisy(100_000);
        let bars = decimate(&spans, (0.0, 100_000.0), 800, false);
        for bar in &bars {
            let within: Vec<_> = spans
                .iter()
                .filter(|span| {
                    let column = (span.start / 125.0).floor() as usize;
                    column >= bar.first && column <= bar.last
                })
                .collect();
            let high = within.iter().map(|span| span.high).fold(f64::MIN, f64::max);
            let low = within.iter().map(|span| span.low).fold(f64::MAX, f64::min);
            assert!(
                (bar.high - high).abs() < 1e-12 && (bar.low - low).abs() < 1e-12,
                "{bar:?}: {low} {high}"
            );
        }
        let spiky =
            bars.iter().filter(|bar| bar.high > 13.0).map(|bar| bar.last - bar.first + 1).sum::<usize>();
        assert_eq!(spiky, 101, "every spike has a column of its own here");
    }

    #[test]
    fn a_hundred_thousand_points_cost_no_more_bars_than_there_are_columns() {
        for count in [2_000, 100_000] {
            assert!(decimate(&noisy(count), (0.0, count as f64), 1000, false).len() <= 1000);
        }
    }

    #[test]
    fn a_gap_stays_empty() {
        let spans = [Span::level(0.0, 3.0, 1.0), Span::level(6.0, 10.0, 2.0)];
        let bars = decimate(&spans, (0.0, 10.0), 10, true);
        assert_eq!(
            bars,
            [
                Column { first: 0, last: 2, low: 1.0, high: 1.0 },
                Column { first: 6, last: 9, low: 2.0, high: 2.0 }
            ]
        );
    }

    #[test]
    fn steps_that_touch_are_joined() {
        let spans = [Span::level(0.0, 5.0, 1.0), Span::level(5.0, 10.0, 4.0), Span::level(10.0, 15.0, 2.0)];
        let bars = decimate(&spans, (0.0, 15.0), 15, true);
        assert_eq!(bars.len(), 5, "{bars:?}");
        assert_eq!(bars[1], Column { first: 5, last: 5, low: 1.0, high: 4.0 });
        assert_eq!(bars[3], Column { first: 10, last: 10, low: 2.0, high: 4.0 });
    }

    #[test]
    fn a_zoomed_view_shows_only_what_is_in_it() {
        let spans: Vec<_> =
            (0..100).map(|at| Span::level(f64::from(at), f64::from(at + 1), f64::from(at))).collect();
        let bars = decimate(&spans, (40.0, 60.0), 400, true);
        assert_eq!(bars.first().map(|bar| (bar.first, bar.low)), Some((0, 39.0)));
        assert_eq!(bars.last().map(|bar| bar.last), Some(399));
        assert!(bars.iter().all(|bar| bar.low >= 39.0 && bar.high <= 60.0));
    }

    #[test]
    fn an_impossible_view_draws_nothing() {
        let spans = noisy(10);
        for (x, columns) in [((0.0, 0.0), 10), ((0.0, 1.0), 0), ((f64::NAN, 1.0), 10), ((5.0, 1.0), 10)] {
            assert!(decimate(&spans, x, columns, true).is_empty(), "{x:?}");
        }
    }

    #[test]
    fn the_cache_follows_data_and_view() {
        let (cache, one, two) = (RefCell::default(), noisy(10), noisy(20));
        let look = Look { color: Color32::WHITE, thickness: 1.0, joined: false };
        let item = |spans, revision| Columns::new(spans, revision, Scale::Linear, look, &cache);
        let count = |item: &Columns<'_>, x| cache.borrow_mut().columns(item, x, 1000).len();
        assert_eq!(count(&item(&one, 1), (0.0, 30.0)), 10);
        assert_eq!(count(&item(&two, 1), (0.0, 30.0)), 10, "the same revision is the same data");
        assert_eq!(count(&item(&two, 2), (0.0, 30.0)), 20);
        assert_eq!(count(&item(&two, 2), (0.0, 4.5)), 5);
    }
}
