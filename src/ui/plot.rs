//! The plot kit: frame, axes, crosshair, zoom, readout, table of series. Pages say what to draw.
//!
//! Zoom is kept by the page in a [`PlotsView`]; all plots that share one share their horizontal axis and
//! their crosshair. Drag zooms, double click resets, Ctrl and scroll zooms, Shift and drag pans; with the
//! keyboard: arrows, plus, minus, Home.

pub mod axis;
pub mod columns;
pub mod distribution;
pub mod heat;
mod image;
mod item;
pub mod items;
pub mod lines;
pub mod table;
pub mod time;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use eframe::egui::{
    self, Align2, Color32, CornerRadius, EventFilter, FontId, Key, Painter, PointerButton, Pos2, Rect,
    Response, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2,
};
use egui_plot::{MarkerShape, Plot, PlotTransform, Points};

use super::theme::{self, Theme};
use crate::app::HeatMap;
use axis::Axis;
use columns::{Cache, Columns, Look, Span};
use item::Item;
use items::{Bars, Curve};

/// Room for the labels of every vertical axis, in points, so that plots above one another align.
pub const AXIS_WIDTH: f32 = 60.0;
/// Room for the labels of a horizontal axis, in points.
const AXIS_HEIGHT: f32 = 20.0;
/// How far the pointer must move before a drag is a zoom, in points.
const DRAG_MIN: f32 = 5.0;
/// A drag lower than this zooms only along the horizontal axis, in points.
const DRAG_FLAT: f32 = 18.0;
/// Zooming in ends when this share of the whole axis is on show.
const ZOOM_MIN_SHARE: f64 = 1e-5;
/// Half the size of the sign of a point, in points.
const POINT_RADIUS: f32 = 4.5;
/// As far from a mark's line, the pointer is on it, in points.
const MARK_REACH: f32 = 4.0;
/// The most marks that the words of a plot tell of.
const MARKS_TOLD_MAX: usize = 12;
/// The most characters of a mark's words on a plot.
const MARK_CHARACTERS_MAX: usize = 40;
/// Steps of the marks in points: enough for a label, and too little for one.
const STEP_LABELLED: f64 = 1000.0;
const STEP_BARE: f64 = 4.0;

/// What a person has made of the plots of one page: zoom, hidden series. Kept by the page.
#[derive(Debug, Default)]
pub struct PlotsView {
    /// The part of the horizontal axis on show; all of it when none.
    pub x: Option<(f64, f64)>,
    /// The part of a vertical axis on show, in plot coordinates, by plot.
    y: BTreeMap<String, (f64, f64)>,
    /// Whether a drag is about the horizontal axis only.
    pub is_level: bool,
    /// Names of series that are not drawn.
    pub hidden: BTreeSet<String>,
    drag: Option<Drag>,
    /// Where plots were in the last frame, and what part of the horizontal axis they showed.
    frames: Vec<Rect>,
    shown_x: (f64, f64),
    frames_now: Vec<Rect>,
    /// Where the crosshair is, in units of the horizontal axis.
    crosshair: Option<f64>,
    /// Moments to be marked on every plot, in units of the horizontal axis, with their words.
    pub marks: Vec<(f64, String)>,
    caches: BTreeMap<String, RefCell<Cache>>,
    copying: Option<image::Copying>,
}

#[derive(Clone, Debug)]
struct Drag {
    plot: String,
    from: Pos2,
}

/// One plot.
pub struct Chart<'a> {
    /// Another for each plot of a page.
    pub id: &'a str,
    /// For those who hear the plot: what it shows, with its numbers.
    pub summary: String,
    /// In points, labels of the horizontal axis included.
    pub height: f32,
    /// What the horizontal axis shows.
    pub x: Axis<'a>,
    /// All of it.
    pub x_full: (f64, f64),
    /// Whether its values stand beneath.
    pub x_labels: bool,
    /// What the vertical axis shows.
    pub y: Axis<'a>,
    /// All of it, in plot coordinates.
    pub y_full: (f64, f64),
    /// What is drawn, the front last.
    pub layers: Vec<Layer<'a>>,
    /// Shown in the middle while there is nothing to draw.
    pub empty: &'a str,
}

/// One series of a plot.
pub enum Layer<'a> {
    /// Levels or ranges over stretches of the horizontal axis.
    Spans {
        /// Its name.
        name: &'a str,
        /// In order, without overlap.
        spans: &'a [Span],
        /// Another number for other spans.
        revision: u64,
        /// Colour, thickness, joints.
        look: Look,
    },
    /// A smooth curve through points.
    Curve {
        /// Its name.
        name: &'a str,
        /// In natural units, ascending.
        points: &'a [(f64, f64)],
        /// Its colour.
        color: Color32,
        /// Its thickness in points.
        width: f32,
    },
    /// One sign for each point.
    Points {
        /// Its name.
        name: &'a str,
        /// In natural units.
        points: &'a [(f64, f64)],
        /// What a point looks like.
        shape: MarkerShape,
        /// Its colour.
        color: Color32,
    },
    /// Counts by interval and row; the vertical axis is logarithmic.
    Heat {
        /// Its name.
        name: &'a str,
        /// What is drawn.
        map: &'a HeatMap,
        /// Of a cell without requests, and of the fullest.
        colors: (Color32, Color32),
    },
    /// A line through points, broken where the next one is further away than `gap`.
    Line {
        /// Its name.
        name: &'a str,
        /// In natural units, ascending.
        points: &'a [(f64, f64)],
        /// In units of the horizontal axis.
        gap: f64,
        /// Colour, thickness, dashes.
        look: lines::LineLook,
    },
    /// The room between two values, broken where the next place is further away than `gap`.
    Area {
        /// Its name.
        name: &'a str,
        /// Where, the lower value and the upper, in natural units.
        points: &'a [(f64, f64, f64)],
        /// In units of the horizontal axis.
        gap: f64,
        /// Of its upper edge; the room itself is fainter.
        color: Color32,
    },
    /// Bars that stand on the axis.
    Bars {
        /// Its name.
        name: &'a str,
        /// Left and right edge and height, in natural units.
        bars: &'a [(f64, f64, u64)],
        /// Their colour.
        color: Color32,
    },
}

/// What came of showing a plot.
pub struct Shown {
    /// Of the part with the data.
    pub frame: Rect,
    /// The place under the pointer, in natural units.
    pub pointer: Option<(f64, f64)>,
    /// The marks whose lines are under the pointer.
    pub marks: Vec<(f64, String)>,
    /// The whole plot's response.
    pub response: Response,
}

impl PlotsView {
    /// Before the plots of a page: finds the crosshair, so that all plots of this frame draw the same one.
    pub fn begin(&mut self, ui: &Ui) {
        let pointer = ui.input(|input| input.pointer.hover_pos());
        self.frames = std::mem::take(&mut self.frames_now);
        self.crosshair = pointer
            .filter(|at| ui.ctx().layer_id_at(*at) == Some(ui.layer_id()) && ui.clip_rect().contains(*at))
            .and_then(|at| self.frames.iter().find(|frame| frame.contains(at)).map(|frame| (at, frame)))
            .map(|(at, frame)| {
                let share = f64::from((at.x - frame.left()) / frame.width());
                self.shown_x.0 + share * (self.shown_x.1 - self.shown_x.0)
            });
        if let Some(copying) = &mut self.copying
            && copying.step(ui.ctx())
        {
            self.copying = None;
        }
    }

    /// Where the crosshair is, in units of the horizontal axis.
    #[must_use]
    pub fn crosshair(&self) -> Option<f64> {
        self.crosshair
    }

    /// Shows everything again.
    pub fn reset(&mut self) {
        self.x = None;
        self.y.clear();
    }

    /// Whether only a part of the data is on show.
    #[must_use]
    pub fn is_zoomed(&self) -> bool {
        self.x.is_some() || !self.y.is_empty()
    }

    /// Whether this series is drawn.
    #[must_use]
    pub fn shows(&self, name: &str) -> bool {
        !self.hidden.contains(name)
    }

    /// The part of the horizontal axis on show.
    #[must_use]
    pub fn x_of(&self, full: (f64, f64)) -> (f64, f64) {
        self.x.unwrap_or(full)
    }

    fn zoom_x(&mut self, full: (f64, f64), to: (f64, f64)) {
        let whole = full.1 - full.0;
        let width = (to.1 - to.0).clamp(whole * ZOOM_MIN_SHARE, whole);
        let start = to.0.clamp(full.0, full.1 - width);
        self.x = (width < whole * 0.9999).then_some((start, start + width));
    }

    fn pan_x(&mut self, full: (f64, f64), by: f64) {
        let (from, to) = self.x_of(full);
        self.zoom_x(full, (from + by, to + by));
    }

    fn scale_x(&mut self, full: (f64, f64), factor: f64, around: f64) {
        let (from, to) = self.x_of(full);
        self.zoom_x(full, (around + (from - around) * factor, around + (to - around) * factor));
    }
}

impl Chart<'_> {
    /// Draws the plot and follows pointer and keys.
    pub fn show(&self, ui: &mut Ui, theme: &Theme, view: &mut PlotsView) -> Shown {
        let x = view.x_of(self.x_full);
        let y = view.y.get(self.id).copied().unwrap_or(self.y_full);
        for layer in &self.layers {
            if let Layer::Spans { name, .. } = layer {
                view.caches.entry(format!("{}/{name}", self.id)).or_default();
            }
        }
        let plot = self.plot(ui, theme);
        let shown = plot.show(ui, |plot_ui| {
            plot_ui.set_plot_bounds_x(x.0..=x.1);
            plot_ui.set_plot_bounds_y(y.0..=y.1);
            for layer in self.layers.iter().filter(|layer| view.shows(layer.name())) {
                layer.add(plot_ui, self, view);
            }
        });
        let (response, transform) = (shown.response, shown.transform);
        let frame = *transform.frame();
        view.shown_x = x;
        view.frames_now.push(frame);
        self.decorate(ui, theme, view, &transform);
        self.follow(ui, theme, view, &response, &transform);
        let words = || format!("{}{}", self.summary, marks_told(&view.marks));
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, words()));
        let pointer = response.hover_pos().map(|at| {
            let value = transform.value_from_position(at);
            (value.x, self.y.scale().value(value.y))
        });
        let per_point = (x.1 - x.0) / f64::from(frame.width().max(1.0));
        let reach = per_point * f64::from(MARK_REACH);
        let marks = view.marks.iter().filter(|(at, _)| pointer.is_some_and(|(x, _)| (x - at).abs() <= reach));
        let marks = marks.cloned().collect();
        Shown { frame, pointer, marks, response }
    }

    fn plot<'b>(&'b self, ui: &Ui, theme: &Theme) -> Plot<'b> {
        let (x_axis, y_axis) = (self.x, self.y);
        let font = FontId::proportional(theme::SIZE_SMALL);
        let hint = |vertical: bool, axis: Axis<'b>| {
            let hints = if vertical { egui_plot::AxisHints::new_y() } else { egui_plot::AxisHints::new_x() };
            let corner_taken = vertical && self.x_labels;
            hints
                .formatter(move |mark, range| {
                    let span = range.end() - range.start();
                    // The corner belongs to the first label of the horizontal axis.
                    let in_corner = corner_taken && mark.value - range.start() < span * 1e-3;
                    if in_corner { String::new() } else { axis.label(mark.value, span) }
                })
                .label_spacing(egui::Rangef::new(STEP_BARE as f32 + 2.0, STEP_BARE as f32 + 3.0))
                .tick_label_color(theme.text_muted)
                .tick_label_font(font.clone())
                .min_thickness(if vertical { AXIS_WIDTH } else { AXIS_HEIGHT })
        };
        Plot::new(self.id)
            .width(ui.available_width())
            .height(self.height)
            .show_axes([self.x_labels, true])
            .custom_x_axes(vec![hint(false, x_axis)])
            .custom_y_axes(vec![hint(true, y_axis)])
            .grid_spacing(1.0..=16.0)
            .grid_color(theme.grid)
            .x_grid_spacer(move |input| {
                axis::marks(&x_axis.ticks(input.bounds, input.base_step_size, false), input.base_step_size)
            })
            .y_grid_spacer(move |input| {
                axis::marks(&y_axis.ticks(input.bounds, input.base_step_size, true), input.base_step_size)
            })
            .set_margin_fraction(Vec2::ZERO)
            .show_x(false)
            .show_y(false)
            .show_crosshair(false)
            .show_background(false)
            .allow_zoom(false)
            .allow_drag(false)
            .allow_scroll(false)
            .allow_axis_zoom_drag(false)
            .allow_boxed_zoom(false)
            .allow_double_click_reset(false)
            .sense(Sense::click_and_drag())
    }

    /// Border, crosshair, the box of a drag, and words where there is nothing.
    fn decorate(&self, ui: &Ui, theme: &Theme, view: &PlotsView, transform: &PlotTransform) {
        let frame = *transform.frame();
        let painter = ui.painter().with_clip_rect(frame.expand(1.0).intersect(ui.clip_rect()));
        painter.rect_stroke(frame, CornerRadius::ZERO, Stroke::new(1.0, theme.border), StrokeKind::Outside);
        if self.layers.iter().all(Layer::is_empty) && !self.empty.is_empty() {
            let font = FontId::proportional(theme::SIZE_BODY);
            painter.text(frame.center(), Align2::CENTER_CENTER, self.empty, font, theme.text_muted);
        }
        self.mark(theme, view, transform, &painter);
        if let Some(x) = view.crosshair {
            let at = transform.position_from_point_x(x);
            painter.vline(at, frame.y_range(), Stroke::new(1.0, theme.crosshair));
        }
        if let Some(drag) = view.drag.as_ref().filter(|drag| drag.plot == self.id)
            && let Some(to) = ui.input(|input| input.pointer.latest_pos())
        {
            let rect = drag_rect(frame, drag.from, to, view.is_level);
            painter.rect(
                rect,
                CornerRadius::ZERO,
                theme.accent.gamma_multiply(0.16),
                Stroke::new(1.0, theme.accent),
                StrokeKind::Inside,
            );
        }
    }

    /// Moments that somebody marked: a line on every plot, and the words on the uppermost.
    fn mark(&self, theme: &Theme, view: &PlotsView, transform: &PlotTransform, painter: &Painter) {
        let frame = *transform.frame();
        let mut words_end = f32::NEG_INFINITY;
        for (x, words) in &view.marks {
            let at = transform.position_from_point_x(*x);
            if !frame.x_range().contains(at) {
                continue;
            }
            painter.vline(at, frame.y_range(), Stroke::new(1.0, theme.text_muted));
            // Words that would lie over others are left to the record.
            if view.frames_now.len() == 1 && at > words_end {
                let font = FontId::proportional(theme::SIZE_SMALL);
                let words: String = words.chars().take(MARK_CHARACTERS_MAX).collect();
                let galley = painter.layout_no_wrap(words, font, theme.text);
                let place = Pos2::new(at + 3.0, frame.top() + 2.0);
                let room = Rect::from_min_size(place, galley.size());
                // A ground of their own: a heat map may have any colour here.
                let ground = theme.background.gamma_multiply(0.8);
                painter.rect_filled(room.expand2(egui::vec2(2.0, 0.0)), CornerRadius::ZERO, ground);
                painter.galley(place, galley, theme.text);
                words_end = room.right() + 4.0;
            }
        }
    }

    fn follow(
        &self,
        ui: &Ui,
        theme: &Theme,
        view: &mut PlotsView,
        response: &Response,
        transform: &PlotTransform,
    ) {
        self.follow_drag(ui, view, response, transform);
        if response.double_clicked() {
            view.reset();
        }
        if response.contains_pointer() {
            self.follow_wheel(ui, view, transform);
        }
        if response.has_focus() {
            let frame = transform.frame().shrink(1.0);
            let stroke = Stroke::new(2.0, theme.accent);
            ui.painter().rect_stroke(frame, CornerRadius::ZERO, stroke, StrokeKind::Inside);
            self.follow_keys(ui, view, response);
        }
    }

    fn follow_drag(&self, ui: &Ui, view: &mut PlotsView, response: &Response, transform: &PlotTransform) {
        let pans = ui.input(|input| input.modifiers.shift) && view.drag.is_none();
        if response.dragged_by(PointerButton::Middle) || (pans && response.dragged_by(PointerButton::Primary))
        {
            let per_point = (transform.bounds().max()[0] - transform.bounds().min()[0])
                / f64::from(transform.frame().width());
            view.pan_x(self.x_full, -f64::from(response.drag_delta().x) * per_point);
            return;
        }
        if response.drag_started_by(PointerButton::Primary) {
            let from = ui.input(|input| input.pointer.press_origin());
            view.drag = from.map(|from| Drag { plot: self.id.to_owned(), from });
        }
        let Some(drag) = view.drag.clone().filter(|drag| drag.plot == self.id) else { return };
        if ui.input(|input| input.key_pressed(Key::Escape)) {
            view.drag = None;
        } else if response.drag_stopped() || !ui.input(|input| input.pointer.any_down()) {
            view.drag = None;
            if let Some(to) = ui.input(|input| input.pointer.latest_pos())
                && (to - drag.from).length() >= DRAG_MIN
            {
                self.zoom_to(view, transform, drag.from, to);
            }
        }
    }

    fn zoom_to(&self, view: &mut PlotsView, transform: &PlotTransform, from: Pos2, to: Pos2) {
        let frame = *transform.frame();
        let rect = drag_rect(frame, from, to, view.is_level);
        let low = transform.value_from_position(rect.left_bottom());
        let high = transform.value_from_position(rect.right_top());
        if rect.width() >= DRAG_MIN {
            view.zoom_x(self.x_full, (low.x, high.x));
        }
        if rect.height() < frame.height() && high.y > low.y {
            view.y.insert(self.id.to_owned(), (low.y, high.y));
        }
    }

    /// Plain scrolling belongs to the page; with Ctrl (or a pinch) it zooms, sideways it pans.
    fn follow_wheel(&self, ui: &Ui, view: &mut PlotsView, transform: &PlotTransform) {
        let (zoom, sideways, pointer) = ui.input(|input| {
            (
                f64::from(input.zoom_delta()),
                f64::from(input.smooth_scroll_delta().x),
                input.pointer.hover_pos(),
            )
        });
        let Some(pointer) = pointer else { return };
        if (zoom - 1.0).abs() > 1e-6 {
            let around = transform.value_from_position(pointer).x;
            view.scale_x(self.x_full, 1.0 / zoom, around);
        }
        if sideways != 0.0 && view.x.is_some() {
            let (from, to) = view.x_of(self.x_full);
            view.pan_x(self.x_full, -sideways * (to - from) / f64::from(transform.frame().width()));
        }
    }

    fn follow_keys(&self, ui: &Ui, view: &mut PlotsView, response: &Response) {
        let filter = EventFilter { horizontal_arrows: true, ..EventFilter::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
        let (from, to) = view.x_of(self.x_full);
        let (width, middle) = (to - from, (from + to) / 2.0);
        let pressed = |key| ui.input(|input| input.key_pressed(key));
        if pressed(Key::ArrowLeft) {
            view.pan_x(self.x_full, -width * 0.1);
        } else if pressed(Key::ArrowRight) {
            view.pan_x(self.x_full, width * 0.1);
        } else if pressed(Key::Plus) || pressed(Key::Equals) {
            view.scale_x(self.x_full, 0.8, middle);
        } else if pressed(Key::Minus) {
            view.scale_x(self.x_full, 1.25, middle);
        } else if pressed(Key::Home) {
            view.reset();
        }
    }
}

/// The box of a drag; as high as the plot when it is nearly level, or has to be.
fn drag_rect(frame: Rect, from: Pos2, to: Pos2, is_level: bool) -> Rect {
    let to = to.clamp(frame.min, frame.max);
    if is_level || (from.y - to.y).abs() < DRAG_FLAT {
        return Rect::from_x_y_ranges(from.x.min(to.x)..=from.x.max(to.x), frame.y_range());
    }
    Rect::from_two_pos(from, to)
}

impl Layer<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Spans { name, .. }
            | Self::Curve { name, .. }
            | Self::Points { name, .. }
            | Self::Heat { name, .. }
            | Self::Line { name, .. }
            | Self::Area { name, .. }
            | Self::Bars { name, .. } => name,
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Spans { spans, .. } => spans.is_empty(),
            Self::Curve { points, .. } | Self::Points { points, .. } => points.is_empty(),
            Self::Line { points, .. } => points.is_empty(),
            Self::Area { points, .. } => points.is_empty(),
            Self::Heat { map, .. } => map.most == 0,
            Self::Bars { bars, .. } => bars.is_empty(),
        }
    }

    fn add<'b>(&'b self, plot_ui: &mut egui_plot::PlotUi<'b>, chart: &'b Chart<'_>, view: &'b PlotsView) {
        let (x_scale, y_scale) = (chart.x.scale(), chart.y.scale());
        match self {
            Self::Spans { name, spans, revision, look } => {
                let cache = &view.caches[&format!("{}/{name}", chart.id)];
                plot_ui.add(Item::new(name, Columns::new(spans, *revision, y_scale, *look, cache)));
            }
            Self::Curve { name, points, color, width } => {
                let places = points.iter().map(|(x, y)| [x_scale.place(*x), y_scale.place(*y)]).collect();
                plot_ui.add(Item::new(name, Curve::new(places, Stroke::new(*width, *color))));
            }
            Self::Points { name, points, shape, color } => {
                let places: Vec<_> =
                    points.iter().map(|(x, y)| [x_scale.place(*x), y_scale.place(*y)]).collect();
                let signs = Points::new(*name, places).radius(POINT_RADIUS).shape(*shape).color(*color);
                plot_ui.add(signs.allow_hover(false));
            }
            Self::Line { name, points, gap, look } => {
                plot_ui.add(Item::new(name, lines::Line::new(points, *gap, (x_scale, y_scale), *look)));
            }
            Self::Area { name, points, gap, color } => {
                plot_ui.add(Item::new(name, lines::Area::new(points, *gap, (x_scale, y_scale), *color)));
            }
            Self::Heat { name, map, colors } => plot_ui.add(Item::new(name, heat::Cells::new(map, *colors))),
            Self::Bars { name, bars, color } => {
                plot_ui.add(Item::new(name, Bars::new(bars, x_scale, y_scale, *color)))
            }
        }
    }
}

/// `. Marks: deployed v2 at 00:04, paused at 00:09`; nothing without marks.
fn marks_told(marks: &[(f64, String)]) -> String {
    if marks.is_empty() {
        return String::new();
    }
    let told = |(at, words): &(f64, String)| format!("{words} at {}", axis::time(*at, 1.0));
    let mut told: Vec<_> = marks.iter().take(MARKS_TOLD_MAX).map(told).collect();
    if marks.len() > MARKS_TOLD_MAX {
        told.push(format!("{} more", marks.len() - MARKS_TOLD_MAX));
    }
    format!(". Marks: {}", told.join(", "))
}

/// What is under the crosshair, beside the pointer.
pub fn readout(ui: &Ui, shown: &Shown, add: impl FnOnce(&mut Ui)) {
    if shown.pointer.is_none() || shown.response.dragged() || shown.response.context_menu_opened() {
        return;
    }
    egui::Tooltip::always_open(
        ui.ctx().clone(),
        shown.response.layer_id,
        shown.response.id.with("readout"),
        egui::PopupAnchor::Pointer,
    )
    .gap(16.0)
    .show(add);
}

/// Lines of a readout: name left, value right, the colour of the series before them.
pub fn readout_lines(ui: &mut Ui, theme: &Theme, title: &str, lines: &[(Option<Color32>, &str, String)]) {
    ui.spacing_mut().item_spacing = egui::vec2(theme::SPACE[1], 2.0);
    // Lines of text, not of buttons.
    ui.spacing_mut().interact_size.y = 0.0;
    ui.label(egui::RichText::new(title).strong());
    egui::Grid::new("readout").num_columns(3).spacing([theme::SPACE[1], 2.0]).show(ui, |ui| {
        for (color, name, value) in lines {
            let (rect, _) = ui.allocate_exact_size(egui::vec2(10.0, 10.0), Sense::hover());
            if let Some(color) = color {
                ui.painter().rect_filled(rect, 1.0, *color);
            }
            ui.label(egui::RichText::new(*name).color(theme.text_muted));
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                ui.label(value);
            });
            ui.end_row();
        }
    });
}

/// The menu of a right click on a plot.
pub fn menu(view: &mut PlotsView, shown: &Shown, whole: Rect, tsv: impl FnOnce() -> String) {
    let zoomed = view.is_zoomed();
    shown.response.context_menu(|ui| {
        if ui.button("Copy as table").clicked() {
            ui.ctx().copy_text(tsv());
            ui.close();
        }
        if ui.button("Copy as image").clicked() {
            view.copying = Some(image::Copying::of(whole));
            ui.ctx().request_repaint();
            ui.close();
        }
        if ui.add_enabled(zoomed, egui::Button::new("Show all")).clicked() {
            view.reset();
            ui.close();
        }
    });
}

/// The rectangle from the first plot of a page to the last.
#[must_use]
pub fn around(first: Rect, last: Rect) -> Rect {
    let union = first.union(last);
    Rect::from_min_max(
        pos2(union.left() - AXIS_WIDTH, union.top() - AXIS_HEIGHT),
        pos2(union.right() + theme::SPACE[1], union.bottom() + AXIS_HEIGHT),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zoom_stays_within_the_data() {
        let mut view = PlotsView::default();
        view.zoom_x((0.0, 100.0), (90.0, 130.0));
        assert_eq!(view.x, Some((60.0, 100.0)));
        view.pan_x((0.0, 100.0), -500.0);
        assert_eq!(view.x, Some((0.0, 40.0)));
        view.scale_x((0.0, 100.0), 100.0, 20.0);
        assert_eq!(view.x, None, "all is on show");
        view.zoom_x((0.0, 100.0), (50.0, 50.0));
        assert!(view.x.is_some_and(|(from, to)| to - from >= 1e-4), "{:?}", view.x);
    }
}
