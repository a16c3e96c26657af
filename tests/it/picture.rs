//! Draws a piece of the window without a window, and compares pictures with the kept ones.
//!
//! ```text
//! let mut ui = picture::harness(Theme::Dark, [800.0, 600.0], |ui| …);   // ask by label, click, type
//! picture::of("home", [1280.0, 800.0], |ui| …);                         // tests/snapshots/home_{light,dark}.png
//! ```
//!
//! Kept pictures are renewed with `UPDATE_SNAPSHOTS=true cargo test …`; look at them before you keep them.

use eframe::egui::{self, Ui};
use egui_kittest::{Harness, HarnessBuilder, SnapshotOptions, SnapshotResults};
use meshbench::ui::theme;

/// How far one pixel may be off (squared YIQ distance): two software rasterisers differ by less.
const PIXEL_THRESHOLD: f32 = 1.0;
/// How many pixels may be further off. One changed letter is more than thirty.
const FAILED_PIXELS_MAX: usize = 10;
/// Frames after which a ui must have come to rest.
const STEPS_MAX: u64 = 10;

/// A piece of the window in one theme, without a margin, with our fonts and colours.
pub(crate) fn harness<'a>(
    theme: egui::Theme,
    size: [f32; 2],
    mut draw: impl FnMut(&mut Ui) + 'a,
) -> Harness<'a> {
    builder(theme, size).build_ui(move |ui| {
        // The harness leaves a margin for shadows; a page of ours fills its window.
        let rect = ui.ctx().content_rect();
        let mut page = ui.new_child(egui::UiBuilder::new().max_rect(rect));
        page.set_clip_rect(rect);
        clear(&page);
        draw(&mut page);
    })
}

/// Clears as our window is cleared before it is drawn; the harness clears to nothing.
pub(crate) fn clear(ui: &Ui) {
    ui.painter().rect_filled(ui.ctx().content_rect(), 0.0, ui.visuals().panel_fill);
}

/// How our harnesses are set up; for those that need a state of their own.
pub(crate) fn builder<State>(theme: egui::Theme, size: [f32; 2]) -> HarnessBuilder<State> {
    HarnessBuilder::default()
        .with_size(size)
        .with_theme(theme)
        .with_max_steps(STEPS_MAX)
        .with_options(options())
        .with_context_setup(theme::install)
        .wgpu()
}

/// Both themes, with the word that ends the name of a picture.
pub(crate) const THEMES: [(egui::Theme, &str); 2] =
    [(egui::Theme::Light, "light"), (egui::Theme::Dark, "dark")];

/// Compares `draw` in both themes with `tests/snapshots/<name>_light.png` and `…_dark.png`. Once a test, as
/// egui's way of renewing pictures wants it; for several, use [`compare`] with one `SnapshotResults`.
pub(crate) fn of(name: &str, size: [f32; 2], draw: impl Fn(&mut Ui)) {
    let mut results = SnapshotResults::new();
    for (theme, word) in THEMES {
        let mut harness = harness(theme, size, &draw);
        harness.run();
        compare(&mut results, &mut harness, &format!("{name}_{word}"));
    }
}

/// Compares what a harness shows with `tests/snapshots/<name>.png`.
pub(crate) fn compare<State>(results: &mut SnapshotResults, harness: &mut Harness<'_, State>, name: &str) {
    results.add(harness.try_snapshot(name));
}

fn options() -> SnapshotOptions {
    SnapshotOptions::new().threshold(PIXEL_THRESHOLD).max_failed_pixels(FAILED_PIXELS_MAX)
}
