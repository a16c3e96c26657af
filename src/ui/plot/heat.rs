//! A heat map: a cell for each interval and row, the stronger the more requests it holds.

use eframe::egui::{Color32, Mesh, Rect, Shape, Ui, pos2};
use egui_plot::PlotTransform;

use super::axis::Scale;
use super::item::Drawn;
use crate::app::HeatMap;

/// The cells of a map, from the ground's colour to the strongest.
pub struct Cells<'a> {
    map: &'a HeatMap,
    colors: (Color32, Color32),
}

impl<'a> Cells<'a> {
    /// `colors` are those of no requests and of the most.
    #[must_use]
    pub fn new(map: &'a HeatMap, colors: (Color32, Color32)) -> Self {
        Self { map, colors }
    }
}

impl Drawn for Cells<'_> {
    fn color(&self) -> Color32 {
        self.colors.1
    }

    fn shapes(&self, ui: &Ui, transform: &PlotTransform, shapes: &mut Vec<Shape>) {
        let pixel = 1.0 / ui.pixels_per_point();
        let snap = |at: f32| (at / pixel).round() * pixel;
        let frame = *transform.frame();
        let edge = |ms: &f64| snap(transform.position_from_point_y(Scale::Log.place(*ms)));
        let edges: Vec<f32> = self.map.edges_ms.iter().map(edge).collect();
        let mut mesh = Mesh::default();
        for column in &self.map.columns {
            let left = snap(transform.position_from_point_x(column.start_s));
            let right = snap(transform.position_from_point_x(column.end_s)).max(left + pixel);
            if right < frame.left() || left > frame.right() {
                continue;
            }
            let filled = column.counts.iter().enumerate().filter(|(_, count)| **count > 0);
            for (row, count) in filled {
                let cell = Rect::from_min_max(pos2(left, edges[row + 1]), pos2(right, edges[row]));
                let cell = cell.intersect(frame);
                if cell.is_positive() {
                    let strength = self.map.strength(*count);
                    mesh.add_colored_rect(cell, self.colors.0.lerp_to_gamma(self.colors.1, strength));
                }
            }
        }
        if !mesh.is_empty() {
            shapes.push(Shape::mesh(mesh));
        }
    }
}
