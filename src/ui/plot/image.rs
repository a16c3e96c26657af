//! Copies a part of the window as an image.

use eframe::egui::{Context, Rect};

/// Frames until the menu that asked for the image is gone from it.
const FRAMES_UNTIL_CLEAR: u8 = 3;

/// A copy under way.
#[derive(Debug)]
pub(super) struct Copying {
    part: Rect,
    frames_left: u8,
}

impl Copying {
    pub(super) fn of(part: Rect) -> Self {
        Self { part, frames_left: FRAMES_UNTIL_CLEAR }
    }

    /// Goes on; whether it is done. Nothing is drawn differently for it.
    pub(super) fn step(&mut self, ctx: &Context) -> bool {
        if self.frames_left > 0 {
            self.frames_left -= 1;
            ctx.request_repaint();
            return false;
        }
        let part = self.part.intersect(ctx.content_rect());
        let pixels_per_point = ctx.pixels_per_point();
        let context = ctx.clone();
        ctx.request_screenshot(move |picture| {
            context.copy_image(picture.region(&part, Some(pixels_per_point)));
            context.request_repaint();
        });
        true
    }
}
