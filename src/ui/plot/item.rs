//! What of ours is drawn into a plot: its shapes alone. It moves no axis and answers no pointer; frames do that.

use std::ops::RangeInclusive;

use eframe::egui::{Color32, Shape, Ui};
use egui_plot::{PlotBounds, PlotGeometry, PlotItem, PlotItemBase, PlotTransform};

/// Something that draws itself into a plot.
pub(super) trait Drawn {
    /// Its colour, where there has to be one.
    fn color(&self) -> Color32;

    /// Its shapes, in points of the screen.
    fn shapes(&self, ui: &Ui, transform: &PlotTransform, shapes: &mut Vec<Shape>);
}

/// What is drawn, with the name under which the plot knows it.
pub(super) struct Item<D> {
    base: PlotItemBase,
    drawn: D,
}

impl<D: Drawn> Item<D> {
    /// Under a name that no other item of the plot has.
    #[must_use]
    pub(super) fn new(name: &str, drawn: D) -> Self {
        Self { base: PlotItemBase::new(name.to_owned()), drawn }
    }
}

impl<D: Drawn> PlotItem for Item<D> {
    fn shapes(&self, ui: &Ui, transform: &PlotTransform, shapes: &mut Vec<Shape>) {
        self.drawn.shapes(ui, transform, shapes);
    }

    fn initialize(&mut self, _x_range: RangeInclusive<f64>) {}

    fn color(&self) -> Color32 {
        self.drawn.color()
    }

    fn geometry(&self) -> PlotGeometry<'_> {
        PlotGeometry::None
    }

    fn bounds(&self) -> PlotBounds {
        PlotBounds::NOTHING
    }

    fn base(&self) -> &PlotItemBase {
        &self.base
    }

    fn base_mut(&mut self) -> &mut PlotItemBase {
        &mut self.base
    }
}
