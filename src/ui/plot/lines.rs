//! Lines and areas through points that somebody else measured: broken where nothing is known.

use eframe::egui::{Color32, Mesh, Pos2, Rect, Shape, Stroke, Ui};
use egui_plot::{PlotPoint, PlotTransform};

use super::axis::Scale;
use super::item::Drawn;

/// Lengths of the dashes of a line and of the room between them, in points.
const DASH: (f32, f32) = (5.0, 3.5);
/// How much of its colour an area has.
const AREA_STRENGTH: f32 = 0.28;

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LineLook {
    /// Its colour.
    pub color: Color32,
    /// Its thickness in points.
    pub width: f32,
    /// Whether it is dashed: its values are worked out from something coarser.
    pub is_dashed: bool,
}

/// A line through points.
pub struct Line<'a> {
    points: &'a [(f64, f64)],
    gap: f64,
    scales: (Scale, Scale),
    look: LineLook,
}

/// The room between two values.
pub struct Area<'a> {
    points: &'a [(f64, f64, f64)],
    gap: f64,
    scales: (Scale, Scale),
    color: Color32,
}

/// The parts of what is in order by `x` in which no two neighbours are further apart than `gap`.
pub fn unbroken<T>(points: &[T], gap: f64, x: impl Fn(&T) -> f64) -> impl Iterator<Item = &[T]> {
    points.chunk_by(move |one, next| x(next) - x(one) <= gap)
}

/// At most about `2 × columns` of the points: of each column of equal width the smallest and the largest value.
#[must_use]
pub fn thinned(points: Vec<(f64, f64)>, columns: usize) -> Vec<(f64, f64)> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return points };
    let width = (last.0 - first.0) / columns.max(1) as f64;
    if points.len() <= 2 * columns || width <= 0.0 {
        return points;
    }
    let start = first.0;
    let column = |point: &(f64, f64)| ((point.0 - start) / width) as usize;
    let mut kept = Vec::with_capacity(2 * columns);
    for of in points.chunk_by(|one, next| column(one) == column(next)) {
        let extreme = |(mut low, mut high): (usize, usize), at: usize| {
            low = if of[at].1 < of[low].1 { at } else { low };
            high = if of[at].1 > of[high].1 { at } else { high };
            (low, high)
        };
        let (low, high) = (0..of.len()).fold((0, 0), extreme);
        kept.push(of[low.min(high)]);
        if low != high {
            kept.push(of[low.max(high)]);
        }
    }
    kept
}

impl<'a> Line<'a> {
    /// Through points in natural units.
    #[must_use]
    pub fn new(points: &'a [(f64, f64)], gap: f64, scales: (Scale, Scale), look: LineLook) -> Self {
        Self { points, gap, scales, look }
    }
}

impl<'a> Area<'a> {
    /// Places with their lower and upper values, in natural units.
    #[must_use]
    pub fn new(points: &'a [(f64, f64, f64)], gap: f64, scales: (Scale, Scale), color: Color32) -> Self {
        Self { points, gap, scales, color }
    }
}

fn place(transform: &PlotTransform, scales: (Scale, Scale), x: f64, y: f64) -> Pos2 {
    transform.position_from_point(&PlotPoint::new(scales.0.place(x), scales.1.place(y)))
}

/// Pieces one by one: a polyline's joints thin out where it is steep. A point alone is a dot.
fn draw_line(places: &[Pos2], look: LineLook, near: Rect, shapes: &mut Vec<Shape>) {
    let stroke = Stroke::new(look.width, look.color);
    if let [alone] = places {
        shapes.push(Shape::circle_filled(*alone, look.width * 0.9, look.color));
        return;
    }
    if look.is_dashed {
        shapes.extend(Shape::dashed_line(places, stroke, DASH.0, DASH.1));
        return;
    }
    for pair in places.windows(2) {
        if near.intersects(Rect::from_two_pos(pair[0], pair[1])) {
            shapes.push(Shape::line_segment([pair[0], pair[1]], stroke));
        }
    }
}

impl Drawn for Line<'_> {
    fn color(&self) -> Color32 {
        self.look.color
    }

    fn shapes(&self, _ui: &Ui, transform: &PlotTransform, shapes: &mut Vec<Shape>) {
        let near = transform.frame().expand(self.look.width);
        for part in unbroken(self.points, self.gap, |point| point.0) {
            let places: Vec<Pos2> = part.iter().map(|(x, y)| place(transform, self.scales, *x, *y)).collect();
            draw_line(&places, self.look, near, shapes);
        }
    }
}

impl Drawn for Area<'_> {
    fn color(&self) -> Color32 {
        self.color
    }

    fn shapes(&self, _ui: &Ui, transform: &PlotTransform, shapes: &mut Vec<Shape>) {
        let near = transform.frame().expand(2.0);
        let fill = self.color.gamma_multiply(AREA_STRENGTH);
        let look = LineLook { color: self.color, width: 1.4, is_dashed: false };
        for part in unbroken(self.points, self.gap, |point| point.0) {
            let upper: Vec<Pos2> =
                part.iter().map(|(x, _, high)| place(transform, self.scales, *x, *high)).collect();
            let mut mesh = Mesh::default();
            for (at, (x, low, _)) in part.iter().enumerate() {
                mesh.colored_vertex(upper[at], fill);
                mesh.colored_vertex(place(transform, self.scales, *x, *low), fill);
                if at > 0 {
                    let corner = 2 * at as u32;
                    mesh.add_triangle(corner - 2, corner - 1, corner);
                    mesh.add_triangle(corner - 1, corner, corner + 1);
                }
            }
            if !mesh.is_empty() {
                shapes.push(Shape::mesh(mesh));
            }
            draw_line(&upper, look, near, shapes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_breaks_a_line() {
        let points = [(0.0, 1.0), (1.0, 2.0), (4.0, 1.0), (9.0, 2.0), (10.0, 2.0)];
        let lengths: Vec<usize> = unbroken(&points, 1.5, |point| point.0).map(<[_]>::len).collect();
        assert_eq!(lengths, [2, 1, 2]);
    }

    #[test]
    fn thinning_loses_no_extreme() {
        let points: Vec<(f64, f64)> = (0..10_000)
            .map(|at| (f64::from(at), f64::from((at * 7919) % 1000) + if at == 5003 { 1e6 } else { 0.0 }))
            .collect();
        let kept = thinned(points.clone(), 300);
        assert!(kept.len() <= 602, "{}", kept.len());
        assert!(kept.iter().any(|point| point.1 > 1e5), "the spike");
        assert!(kept.is_sorted_by(|one, next| one.0 <= next.0));
        assert_eq!(thinned(points[..100].to_vec(), 300), points[..100]);
    }
}
