//! Toasts: each notice is shown once, for a while, at the bottom right.

use eframe::egui::{
    Align2, Area, Context, CornerRadius, Frame, Id, Label, Layout, Margin, Order, Rect, RichText, Role,
    Stroke, Ui, vec2,
};

use crate::app::state::{Level, Notice, NoticeId};
use crate::ui::Cx;
use crate::ui::icon::Icon;
use crate::ui::theme::{self, SPACE};

use super::notices;

const WIDTH: f32 = 360.0;
/// Above the bottom edge of the window, so that a toast never lies on Run test or Stop, in points.
const ABOVE_BUTTONS: f32 = 72.0;
/// The most toasts at a time; older ones wait in the list.
const SHOWN_MAX: usize = 4;
/// How much of the detail fits a toast; the list has all of it.
const DETAIL_CHARS_MAX: usize = 160;

/// How long a toast stays, in seconds.
fn stays_s(notice: &Notice) -> f64 {
    match (notice.level, notice.action) {
        (Level::Error, _) => 15.0,
        (Level::Warning, _) | (_, Some(_)) => 10.0,
        (Level::Info, None) => 5.0,
    }
}

/// What is on show.
#[derive(Debug, Default)]
pub(super) struct Toasts {
    /// The newest notice that was taken up.
    seen: Option<NoticeId>,
    shown: Vec<Toast>,
}

#[derive(Debug)]
struct Toast {
    id: NoticeId,
    /// When it goes, in the time of the context.
    until: f64,
}

impl Toasts {
    pub(super) fn ui(&mut self, ctx: &Context, cx: &mut Cx<'_>) {
        let now = ctx.input(|input| input.time);
        self.take_up(cx, now);
        self.shown
            .retain(|toast| toast.until > now && cx.state.notices.iter().any(|notice| notice.id == toast.id));
        if self.shown.is_empty() {
            return;
        }
        self.draw(ctx, cx, now);
        // Wakes up only when the next one goes.
        let next = self.shown.iter().map(|toast| toast.until - now).fold(f64::INFINITY, f64::min);
        if next.is_finite() && next > 0.0 {
            ctx.request_repaint_after_secs(next as f32);
        }
    }

    /// New notices become toasts, unless the list that has them is on show.
    fn take_up(&mut self, cx: &Cx<'_>, now: f64) {
        let fresh = cx.state.notices.iter().filter(|notice| Some(notice.id) > self.seen);
        for notice in fresh.filter(|notice| !notice.read) {
            if !cx.state.notices_shown {
                self.shown.push(Toast { id: notice.id, until: now + stays_s(notice) });
            }
        }
        self.seen = cx.state.notices.iter().map(|notice| notice.id).max().max(self.seen);
        let surplus = self.shown.len().saturating_sub(SHOWN_MAX);
        self.shown.drain(..surplus);
    }

    fn draw(&mut self, ctx: &Context, cx: &mut Cx<'_>, now: f64) {
        let area = Area::new(Id::unique("toasts"))
            .order(Order::Foreground)
            .anchor(Align2::RIGHT_BOTTOM, vec2(-SPACE[3], -ABOVE_BUTTONS))
            .role(Role::Alert)
            .accessible_name("News");
        let mut closed = None;
        area.show(ctx, |ui| {
            ui.set_width(WIDTH);
            ui.spacing_mut().item_spacing.y = SPACE[1];
            for toast in &mut self.shown {
                let Some(notice) = cx.state.notices.iter().find(|notice| notice.id == toast.id) else {
                    continue;
                };
                let (rect, done) = toast_ui(ui, cx, notice);
                let hovered = ui.rect_contains_pointer(rect);
                if hovered {
                    // What is being read does not go away.
                    toast.until = toast.until.max(now + stays_s(notice) / 2.0);
                }
                if done {
                    closed = Some(toast.id);
                }
            }
        });
        self.shown.retain(|toast| Some(toast.id) != closed);
    }
}

/// One toast; its place, and whether it is done with.
fn toast_ui(ui: &mut Ui, cx: &mut Cx<'_>, notice: &Notice) -> (Rect, bool) {
    let color = notices::color(cx.theme, notice.level);
    let frame = Frame::popup(ui.style())
        .fill(cx.theme.raised)
        .stroke(Stroke::new(1.0, cx.theme.border))
        .corner_radius(CornerRadius::same(6))
        .inner_margin(Margin { left: 14, right: 8, top: 8, bottom: 10 });
    let shown = frame.show(ui, |ui| {
        ui.set_width(WIDTH - 24.0);
        let mut done = false;
        ui.horizontal_top(|ui| {
            ui.vertical(|ui| {
                ui.add_space(6.0);
                notices::icon(notice.level).show(ui, 18.0, color);
            });
            let text_width = ui.available_width() - 40.0;
            ui.vertical(|ui| {
                ui.set_width(text_width);
                done |= text_ui(ui, cx, notice);
            });
            ui.with_layout(Layout::right_to_left(eframe::egui::Align::TOP), |ui| {
                done |= Icon::Close.button(ui, "Hide").clicked();
            });
        });
        done
    });
    let rect = shown.response.rect;
    let edge = Rect::from_min_size(rect.min, vec2(4.0, rect.height()));
    let corner = CornerRadius { nw: 6, sw: 6, ne: 0, se: 0 };
    ui.painter().rect_filled(edge, corner, color);
    (rect, shown.inner)
}

fn text_ui(ui: &mut Ui, cx: &mut Cx<'_>, notice: &Notice) -> bool {
    ui.spacing_mut().item_spacing.y = SPACE[0];
    ui.add_space(6.0);
    ui.add(Label::new(RichText::new(&notice.title).text_style(theme::section_style())).wrap());
    if !notice.detail.is_empty() {
        let detail = RichText::new(shortened(&notice.detail)).small().color(cx.theme.text_muted);
        ui.add(Label::new(detail).wrap());
    }
    notices::action_button(ui, cx, notice)
}

fn shortened(detail: &str) -> String {
    match detail.char_indices().nth(DETAIL_CHARS_MAX) {
        Some((end, _)) => format!("{}…", detail[..end].trim_end()),
        None => detail.to_owned(),
    }
}
