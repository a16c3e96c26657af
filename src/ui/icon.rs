//! Line icons, drawn by the painter: sharp at every zoom, and no font needs to have them.

use std::f32::consts::TAU;

use eframe::egui::{
    Color32, CornerRadius, Painter, Pos2, Rect, Response, Role, Sense, Shape, Stroke, Ui, Vec2, WidgetInfo,
    pos2, vec2,
};

/// Icons are designed in a square of this many units.
const UNITS: f32 = 24.0;
/// Thickness of lines, in units.
const LINE: f32 = 1.8;
/// Side of a button with nothing but an icon, in points.
pub const BUTTON_SIDE: f32 = 32.0;
/// Side of the icon in such a button, in points.
const ICON_SIDE: f32 = 18.0;

/// The icons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    /// A house.
    Home,
    /// A hexagon with its spokes.
    Clusters,
    /// A plug before its socket.
    Adapters,
    /// A pulse.
    Load,
    /// A clock that runs back.
    History,
    /// Sliders.
    Settings,
    /// An i in a circle.
    About,
    /// A bell.
    Bell,
    /// A circle, half of it filled.
    Theme,
    /// A lens.
    Search,
    /// An arrow to the left.
    Back,
    /// ×
    Close,
    /// Two sheets.
    Copy,
    /// A tick.
    Good,
    /// A triangle with an exclamation mark.
    Warning,
    /// A circle with an exclamation mark.
    Error,
    /// A cloud.
    Cloud,
    /// Head and shoulders.
    Account,
    /// A line between two axes.
    Metrics,
    /// An arrow that runs in a circle.
    Refresh,
    /// Three dots.
    More,
}

impl Icon {
    /// Draws the icon into a square.
    pub fn paint(self, painter: &Painter, square: Rect, color: Color32) {
        let pen = Pen { painter, square, color };
        match self {
            Self::Home => pen.home(),
            Self::Clusters => pen.clusters(),
            // A plug before its socket.
            Self::Adapters => {
                pen.line(&[(9.0, 3.0), (9.0, 8.0)]);
                pen.line(&[(15.0, 3.0), (15.0, 8.0)]);
                pen.line(&[
                    (6.0, 8.0),
                    (18.0, 8.0),
                    (18.0, 12.0),
                    (15.0, 16.0),
                    (9.0, 16.0),
                    (6.0, 12.0),
                    (6.0, 8.0),
                ]);
                pen.line(&[(12.0, 16.0), (12.0, 21.0)]);
            }
            Self::Load => {
                pen.line(&[(2.5, 13.0), (7.0, 13.0), (10.0, 5.0), (14.0, 19.5), (17.0, 13.0), (21.5, 13.0)])
            }
            Self::History => pen.history(),
            Self::Settings => pen.settings(),
            Self::About => pen.about(),
            Self::Bell => pen.bell(),
            Self::Theme => pen.half_circle(),
            Self::Search => {
                pen.circle((10.5, 10.5), 6.5);
                pen.line(&[(15.3, 15.3), (20.5, 20.5)]);
            }
            Self::Back => {
                pen.line(&[(20.0, 12.0), (4.5, 12.0)]);
                pen.line(&[(11.0, 5.5), (4.5, 12.0), (11.0, 18.5)]);
            }
            Self::Close => {
                pen.line(&[(6.0, 6.0), (18.0, 18.0)]);
                pen.line(&[(18.0, 6.0), (6.0, 18.0)]);
            }
            Self::Copy => pen.copy(),
            Self::Good => pen.line(&[(4.5, 12.5), (10.0, 18.0), (19.5, 7.0)]),
            Self::Warning => {
                pen.line(&[(12.0, 3.5), (21.5, 20.0), (2.5, 20.0), (12.0, 3.5), (21.5, 20.0)]);
                pen.exclamation(9.5, 14.0, 17.0);
            }
            Self::Error => {
                pen.circle((12.0, 12.0), 9.0);
                pen.exclamation(7.0, 13.0, 16.5);
            }
            Self::Cloud => pen.cloud(),
            Self::Metrics => {
                pen.line(&[(3.5, 3.5), (3.5, 20.5), (21.0, 20.5)]);
                pen.line(&[(7.0, 15.5), (11.0, 10.5), (14.5, 13.5), (20.5, 6.0)]);
            }
            Self::Refresh => pen.refresh(),
            Self::More => {
                for x in [5.5, 12.0, 18.5] {
                    pen.dot((x, 12.0), 1.7);
                }
            }
            Self::Account => pen.account(),
        }
    }

    /// A button with nothing but this icon; `name` is what readers and tooltips say.
    pub fn button(self, ui: &mut Ui, name: &str) -> Response {
        let (rect, response) = ui.allocate_exact_size(Vec2::splat(BUTTON_SIDE), Sense::click());
        response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), name));
        if ui.is_rect_visible(rect) {
            ground(ui, rect, &response);
            let square = Rect::from_center_size(rect.center(), Vec2::splat(ICON_SIDE));
            self.paint(ui.painter(), square, ui.visuals().text_color());
        }
        response.on_hover_text(name)
    }

    /// The icon as a picture beside text, without a meaning of its own to readers.
    pub fn show(self, ui: &mut Ui, side: f32, color: Color32) {
        let (rect, _) = ui.allocate_exact_size(Vec2::splat(side), Sense::hover());
        self.paint(ui.painter(), rect, color);
    }
}

/// What lies behind something that can be clicked and has no frame at rest: hover, press and focus.
pub(crate) fn ground(ui: &Ui, rect: Rect, response: &Response) {
    if !(response.hovered() || response.has_focus()) {
        return;
    }
    let visuals = ui.style().interact(response);
    ui.painter().rect_filled(rect, visuals.corner_radius, visuals.weak_bg_fill);
    focus_ring(ui, rect, response);
}

/// The line around what the keyboard is on.
pub(crate) fn focus_ring(ui: &Ui, rect: Rect, response: &Response) {
    if response.has_focus() {
        let stroke = Stroke::new(2.0, ui.visuals().hyperlink_color);
        let corner = CornerRadius::same(super::theme::CORNER);
        ui.painter().rect_stroke(rect, corner, stroke, eframe::egui::StrokeKind::Inside);
    }
}

struct Pen<'a> {
    painter: &'a Painter,
    square: Rect,
    color: Color32,
}

impl Pen<'_> {
    fn at(&self, (x, y): (f32, f32)) -> Pos2 {
        self.square.min + vec2(x, y) * self.scale()
    }

    fn scale(&self) -> f32 {
        self.square.width() / UNITS
    }

    fn stroke(&self) -> Stroke {
        Stroke::new(LINE * self.scale(), self.color)
    }

    fn line(&self, points: &[(f32, f32)]) {
        let points = points.iter().map(|point| self.at(*point)).collect();
        self.painter.add(Shape::line(points, self.stroke()));
    }

    fn circle(&self, center: (f32, f32), radius: f32) {
        self.painter.circle_stroke(self.at(center), radius * self.scale(), self.stroke());
    }

    fn dot(&self, center: (f32, f32), radius: f32) {
        self.painter.circle_filled(self.at(center), radius * self.scale(), self.color);
    }

    /// From one share of a turn to another; 0 is to the right, and it grows clockwise.
    fn arc(&self, center: (f32, f32), radius: f32, from: f32, to: f32) -> Vec<Pos2> {
        const STEPS: u8 = 24;
        let center = self.at(center);
        (0..=STEPS)
            .map(|step| {
                let angle = TAU * (from + (to - from) * f32::from(step) / f32::from(STEPS));
                center + radius * self.scale() * Vec2::angled(angle)
            })
            .collect()
    }

    fn exclamation(&self, top: f32, bottom: f32, dot: f32) {
        self.line(&[(12.0, top), (12.0, bottom)]);
        self.dot((12.0, dot), 1.2);
    }

    fn home(&self) {
        self.line(&[(2.5, 11.5), (12.0, 3.5), (21.5, 11.5)]);
        self.line(&[(5.0, 9.5), (5.0, 20.5), (19.0, 20.5), (19.0, 9.5)]);
        self.line(&[(10.0, 20.5), (10.0, 14.0), (14.0, 14.0), (14.0, 20.5)]);
    }

    fn clusters(&self) {
        let corner = |number: u8| {
            let angle = TAU * (f32::from(number) / 6.0 + 0.25);
            (12.0 + 9.5 * angle.cos(), 12.0 - 9.5 * angle.sin())
        };
        let outline: Vec<(f32, f32)> = (0..=6).map(corner).collect();
        self.line(&outline);
        for number in [0, 2, 4] {
            let (x, y) = corner(number);
            self.line(&[(12.0 + (x - 12.0) * 0.28, 12.0 + (y - 12.0) * 0.28), (x, y)]);
        }
        self.circle((12.0, 12.0), 2.6);
    }

    fn history(&self) {
        let arc = self.arc((12.5, 12.0), 8.5, -0.48, 0.38);
        self.painter.add(Shape::line(arc, self.stroke()));
        self.line(&[(1.6, 9.0), (4.2, 12.6), (7.8, 9.9)]);
        self.line(&[(12.5, 7.0), (12.5, 12.5), (16.0, 14.5)]);
    }

    fn settings(&self) {
        for (y, knob) in [(6.0, 15.5), (12.0, 8.0), (18.0, 13.5)] {
            self.line(&[(3.0, y), (knob - 2.4, y)]);
            self.line(&[(knob + 2.4, y), (21.0, y)]);
            self.circle((knob, y), 2.4);
        }
    }

    fn about(&self) {
        self.circle((12.0, 12.0), 9.0);
        self.line(&[(12.0, 11.0), (12.0, 16.8)]);
        self.dot((12.0, 7.6), 1.25);
    }

    fn bell(&self) {
        let mut outline = vec![self.at((4.0, 17.5)), self.at((5.8, 14.5))];
        outline.extend(self.arc((12.0, 9.5), 6.2, -0.5, 0.0));
        outline.extend([self.at((18.2, 14.5)), self.at((20.0, 17.5)), self.at((4.0, 17.5))]);
        self.painter.add(Shape::line(outline, self.stroke()));
        self.painter.add(Shape::line(self.arc((12.0, 18.3), 2.6, 0.06, 0.44), self.stroke()));
    }

    fn half_circle(&self) {
        self.circle((12.0, 12.0), 8.8);
        let half = self.arc((12.0, 12.0), 8.8, -0.25, 0.25);
        self.painter.add(Shape::convex_polygon(half, self.color, Stroke::NONE));
    }

    fn account(&self) {
        self.circle((12.0, 8.0), 4.2);
        self.line(&[
            (4.0, 20.5),
            (4.6, 17.2),
            (6.6, 15.3),
            (9.5, 14.6),
            (14.5, 14.6),
            (17.4, 15.3),
            (19.4, 17.2),
            (20.0, 20.5),
        ]);
    }

    fn refresh(&self) {
        self.painter.add(Shape::line(self.arc((12.0, 12.0), 8.0, 0.08, 0.86), self.stroke()));
        self.line(&[(19.6, 3.6), (18.2, 8.4), (13.4, 7.4)]);
    }

    fn cloud(&self) {
        let mut outline = self.arc((7.5, 14.0), 4.5, 0.25, 0.62);
        outline.extend(self.arc((12.0, 10.5), 5.2, 0.58, 0.95));
        outline.extend(self.arc((17.3, 14.3), 4.2, 0.77, 1.25));
        outline.push(self.at((7.5, 18.5)));
        self.painter.add(Shape::line(outline, self.stroke()));
    }

    fn copy(&self) {
        let sheet = |min: (f32, f32), max: (f32, f32)| {
            let corner = CornerRadius::same(1);
            let rect = Rect::from_min_max(self.at(min), self.at(max));
            self.painter.rect_stroke(rect, corner, self.stroke(), eframe::egui::StrokeKind::Middle);
        };
        sheet((8.5, 8.5), (20.5, 20.5));
        self.line(&[(15.5, 5.5), (15.5, 3.5), (3.5, 3.5), (3.5, 15.5), (5.5, 15.5)]);
    }
}

/// The mark of Meshbench: quantiles that fan out from one point, from the median to the maximum. `ground` is what it
/// lies on.
pub fn mark(painter: &Painter, square: Rect, colors: &[Color32; 5], ground: Color32) {
    const STEPS: u8 = 24;
    // How high each curve ends, in shares of the square.
    const ENDS: [f32; 5] = [0.20, 0.36, 0.53, 0.72, 0.94];
    let thickness = square.width() / 14.0;
    for (end, color) in ENDS.into_iter().zip(colors) {
        let points: Vec<Pos2> = (0..=STEPS)
            .map(|step| {
                let x = f32::from(step) / f32::from(STEPS);
                let y = 0.02 + (end - 0.02) * x.powf(0.9 + 2.2 * end);
                pos2(square.left() + x * square.width(), square.bottom() - y * square.height())
            })
            .collect();
        // A rim in the ground's colour keeps the curves apart where they meet.
        painter.add(Shape::line(points.clone(), Stroke::new(thickness * 1.7, ground)));
        painter.add(Shape::line(points, Stroke::new(thickness, *color)));
    }
}
