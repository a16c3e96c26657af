//! The rate of stages over time, drawn under the field in which they are written.

use std::time::Duration;

use eframe::egui::{Align2, Color32, Rect, Sense, Shape, Stroke, TextStyle, Ui, pos2, vec2};

use crate::model::number;
use crate::model::plan::{ClosedLoop, Curve, PER_REQUEST};
use crate::ui::Theme;

use super::sheet::{KEY, Sheet, VALUE, name};
use super::words;

/// Height of the line's place, in points.
const HEIGHT: f32 = 64.0;
/// Moments looked at in each point of the width: a spike narrower than this is not drawn.
const SAMPLES: usize = 4;
/// Round the line, in points.
const MARGIN: f32 = 6.0;

impl Sheet<'_> {
    /// What the stages come to; nothing while they cannot be read.
    pub(super) fn preview(&mut self, ui: &mut Ui) {
        let Some(curve) = self.draft.curve() else { return };
        let Some(length) = curve.length().filter(|length| !length.is_zero()) else { return };
        self.row(ui, "", |sheet, ui, _| {
            ui.vertical(|ui| {
                draw(ui, sheet.theme, &curve, length);
                sheet.remark(ui, &summary(&curve, length));
                ui.add_space(4.0);
            });
        });
    }
}

fn draw(ui: &mut Ui, theme: &Theme, curve: &Curve, length: Duration) {
    let width = (ui.available_width() - 8.0).clamp(KEY, KEY + VALUE);
    let (response, painter) = ui.allocate_painter(vec2(width, HEIGHT), Sense::hover());
    name(ui, &response, &format!("Rate over time. {}", summary(curve, length)));
    let place = response.rect.shrink(MARGIN);
    let peak = curve.peak().max(f64::MIN_POSITIVE);
    let samples = (place.width() as usize).max(1) * SAMPLES;
    let points: Vec<_> = (0..samples)
        .map(|sample| {
            let share = sample as f64 / samples as f64;
            let rate = curve.rate_at(length.mul_f64(share));
            pos2(
                place.left() + place.width() * share as f32,
                place.bottom() - place.height() * (rate / peak) as f32,
            )
        })
        .collect();
    painter.rect(
        response.rect,
        4.0,
        theme.surface,
        Stroke::new(1.0, theme.border),
        eframe::egui::StrokeKind::Inside,
    );
    fill(&painter, &points, place.bottom(), theme.tint(theme.due, 0.15));
    painter.add(Shape::line(points, Stroke::new(1.5, theme.due)));
    for closed in curve.closed_loops() {
        let x = |at: u64| {
            place.left() + place.width() * Duration::from_nanos(at).div_duration_f32(length).clamp(0.0, 1.0)
        };
        let rect = Rect::from_x_y_ranges(x(closed.from)..=x(closed.until), response.rect.y_range());
        painter.rect_filled(rect, 0.0, theme.tint(theme.text, 0.08));
    }
    if let Some(pointer) = response.hover_pos() {
        let share = f64::from((pointer.x - place.left()) / place.width()).clamp(0.0, 1.0);
        let at = length.mul_f64(share);
        painter.vline(pointer.x, response.rect.y_range(), Stroke::new(1.0, theme.crosshair));
        let is_closed = |closed: &ClosedLoop| (closed.from..closed.until).contains(&nanos(at));
        let rate = match curve.closed_loops().iter().any(is_closed) {
            true => "as fast as answers come".to_owned(),
            false => number::rate(curve.rate_at(at)),
        };
        let words = format!("{}: {rate}", words::spaced(whole(at)));
        let font = TextStyle::Small.resolve(ui.style());
        let (x, side) = match share > 0.5 {
            true => (pointer.x - 6.0, Align2::RIGHT_TOP),
            false => (pointer.x + 6.0, Align2::LEFT_TOP),
        };
        painter.text(pos2(x, place.top()), side, words, font, theme.text);
    }
}

/// One thin bar for each sample: the area under a line that jumps is no convex shape.
fn fill(painter: &eframe::egui::Painter, points: &[eframe::egui::Pos2], bottom: f32, color: Color32) {
    for pair in points.windows(2).step_by(SAMPLES) {
        let rect = eframe::egui::Rect::from_x_y_ranges(pair[0].x..=pair[0].x + 1.0, pair[0].y..=bottom);
        painter.rect_filled(rect, 0.0, color);
    }
}

/// `At most 1 000/s, 66 000 requests in 2 min`, and what is beside that.
fn summary(curve: &Curve, length: Duration) -> String {
    let requests = u64::try_from(curve.expected_by(nanos(length)) / PER_REQUEST).unwrap_or(u64::MAX);
    let closed: u64 = curve.closed_loops().iter().map(|closed| closed.until - closed.from).sum();
    let closed = Duration::from_nanos(closed).min(length);
    let open = format!(
        "At most {}, {} requests in {}",
        number::rate(curve.peak()),
        number::count(requests),
        words::spaced(length - closed)
    );
    match (closed.is_zero(), closed == length) {
        (true, _) => open,
        (_, true) => format!("As fast as answers come for {}", words::spaced(length)),
        _ => format!("{open}; as fast as answers come for {}", words::spaced(closed)),
    }
}

fn nanos(at: Duration) -> u64 {
    u64::try_from(at.as_nanos()).unwrap_or(u64::MAX)
}

/// To the second: finer is not to be pointed at.
fn whole(at: Duration) -> Duration {
    Duration::from_secs(at.as_secs())
}
