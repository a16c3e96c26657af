//! Bars that stand on the axis, and curves through points.

use eframe::egui::{Color32, Mesh, Rect, Shape, Stroke, Ui, pos2};
use egui_plot::{PlotPoint, PlotTransform};

use super::axis::Scale;
use super::item::Drawn;

/// Room between two bars, in points; none where bars are narrow.
const GAP: f32 = 1.0;
/// Bars narrower than this touch, in points.
const GAP_FROM: f32 = 4.0;

/// Bars: left edge, right edge, height.
pub struct Bars<'a> {
    bars: &'a [(f64, f64, u64)],
    x_scale: Scale,
    y_scale: Scale,
    color: Color32,
}

impl<'a> Bars<'a> {
    /// Edges and heights in natural units.
    #[must_use]
    pub fn new(bars: &'a [(f64, f64, u64)], x_scale: Scale, y_scale: Scale, color: Color32) -> Self {
        Self { bars, x_scale, y_scale, color }
    }
}

impl Drawn for Bars<'_> {
    fn color(&self) -> Color32 {
        self.color
    }

    fn shapes(&self, ui: &Ui, transform: &PlotTransform, shapes: &mut Vec<Shape>) {
        let pixel = 1.0 / ui.pixels_per_point();
        let snap = |at: f32| (at / pixel).round() * pixel;
        let floor = transform.frame().bottom();
        let mut mesh = Mesh::default();
        for (low, high, count) in self.bars.iter().filter(|bar| bar.2 > 0) {
            let left = snap(transform.position_from_point_x(self.x_scale.place(*low)));
            let right = snap(transform.position_from_point_x(self.x_scale.place(*high)));
            let gap = if right - left > GAP_FROM { GAP } else { 0.0 };
            // One request in a million must be seen, too: no bar is lower than a pixel.
            let top = transform.position_from_point_y(self.y_scale.place(*count as f64));
            let top = snap(top).clamp(transform.frame().top() - 1.0, floor - pixel);
            mesh.add_colored_rect(
                Rect::from_min_max(pos2(left, top), pos2((right - gap).max(left + pixel), floor)),
                self.color,
            );
        }
        if !mesh.is_empty() {
            shapes.push(Shape::mesh(mesh));
        }
    }
}

/// A curve whose pieces are drawn one by one: a polyline's joints thin out where it is steep.
pub struct Curve {
    places: Vec<[f64; 2]>,
    stroke: Stroke,
}

impl Curve {
    /// Through these places, in plot coordinates.
    #[must_use]
    pub fn new(places: Vec<[f64; 2]>, stroke: Stroke) -> Self {
        Self { places, stroke }
    }
}

impl Drawn for Curve {
    fn color(&self) -> Color32 {
        self.stroke.color
    }

    fn shapes(&self, _ui: &Ui, transform: &PlotTransform, shapes: &mut Vec<Shape>) {
        let near = transform.frame().expand(self.stroke.width);
        let place = |place: &[f64; 2]| transform.position_from_point(&PlotPoint::from(*place));
        for pair in self.places.windows(2) {
            let (from, to) = (place(&pair[0]), place(&pair[1]));
            if near.intersects(Rect::from_two_pos(from, to)) {
                shapes.push(Shape::line_segment([from, to], self.stroke));
            }
        }
    }
}
