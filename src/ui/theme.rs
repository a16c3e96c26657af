//! Colours by role, spacing and text sizes. The only place in `ui` that knows a colour.

use eframe::egui::Color32;

/// The grid: every gap is one of these, in points.
pub const SPACE: [f32; 5] = [4.0, 8.0, 12.0, 16.0, 24.0];

/// Colours by role.
#[derive(Clone, Debug, PartialEq)]
pub struct Theme {
    /// Whether text is light on dark.
    pub dark: bool,
    /// Behind everything.
    pub background: Color32,
    /// Rail, bars, tables.
    pub surface: Color32,
    /// Menus, dialogs, toasts, the row under the pointer.
    pub raised: Color32,
    /// Lines between things.
    pub border: Color32,
    /// Text.
    pub text: Color32,
    /// Units, captions, hints; still 4.5:1.
    pub text_muted: Color32,
    /// The primary button, links, focus.
    pub accent: Color32,
    /// Text on `accent`.
    pub on_accent: Color32,
    /// Something failed.
    pub error: Color32,
    /// Something to know.
    pub warning: Color32,
    /// Goals met.
    pub good: Color32,
    /// Grid lines of plots.
    pub grid: Color32,
    /// The crosshair of plots.
    pub crosshair: Color32,
    /// p50, p90, p99, p99.9, max: one hue, from faint to strong.
    pub quantiles: [Color32; 5],
    /// Runs and variants: safe for colour-blind eyes (Okabe and Ito), adjusted to the background.
    pub series: [Color32; 8],
    /// Requests due.
    pub due: Color32,
    /// Answers per second.
    pub achieved: Color32,
}
