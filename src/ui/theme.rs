//! Colours by role, spacing and text sizes. The only place in `ui` that knows a colour.
//!
//! The colours themselves are in `assets/themes/*.toml`; the fonts are Inter (SIL Open Font License, in
//! `assets/fonts`) with its tabular digits made the default ones, and Hack for code.

use std::collections::BTreeMap;
use std::sync::Arc;

use eframe::egui::epaint::Shadow;
use eframe::egui::style::{Selection, WidgetVisuals, Widgets};
use eframe::egui::{
    Color32, Context, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Margin, Stroke, Style,
    TextStyle, Theme as SystemTheme, Visuals, vec2,
};

/// The grid: every gap is one of these, in points.
pub const SPACE: [f32; 5] = [4.0, 8.0, 12.0, 16.0, 24.0];
/// Text size of captions, units and hints, in points.
pub const SIZE_SMALL: f32 = 12.0;
/// Text size of nearly everything, in points.
pub const SIZE_BODY: f32 = 13.5;
/// Text size of titles, in points.
pub const SIZE_HEADING: f32 = 19.0;
/// Text size of the numbers that matter, in points.
pub const SIZE_NUMBER: f32 = 25.0;
/// Height of a button, a field, a row that can be clicked, in points.
pub const CONTROL_HEIGHT: f32 = 28.0;
/// Corners of buttons and fields, in points.
pub const CORNER: u8 = 4;
/// The widest that a page of text or a form gets, in points.
pub const PAGE_WIDTH_MAX: f32 = 880.0;

const DARK: &str = include_str!("../../assets/themes/dark.toml");
const LIGHT: &str = include_str!("../../assets/themes/light.toml");
const REGULAR: &[u8] = include_bytes!("../../assets/fonts/Inter-Regular.otf");
const SEMIBOLD: &[u8] = include_bytes!("../../assets/fonts/Inter-SemiBold.otf");
/// The name of the family of [`semibold`].
const SEMIBOLD_FAMILY: &str = "semibold";

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
    /// Edges of fields, boxes and chosen segments at rest; 3:1 on every ground.
    pub control: Color32,
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

impl Theme {
    /// Dark on light.
    #[must_use]
    pub fn light() -> Self {
        Self::parse(LIGHT)
    }

    /// Light on dark.
    #[must_use]
    pub fn dark() -> Self {
        Self::parse(DARK)
    }

    /// The theme that a context shows at the moment.
    #[must_use]
    pub fn of(ctx: &Context) -> Self {
        if ctx.theme() == SystemTheme::Dark { Self::dark() } else { Self::light() }
    }

    /// A colour as far from the ground as asked: 0 is `background`, 1 is `color`.
    #[must_use]
    pub fn tint(&self, color: Color32, strength: f32) -> Color32 {
        self.background.lerp_to_gamma(color, strength)
    }

    /// The colour of what lies over things to push them back: behind a dialog, under a dragged file.
    #[must_use]
    pub fn shade(&self) -> Color32 {
        Color32::from_black_alpha(if self.dark { 120 } else { 60 })
    }

    fn parse(tokens: &str) -> Self {
        let tokens: toml::Table = tokens.parse().expect("the bundled themes are TOML, held by a test");
        let one = |role: &str| color(tokens[role].as_str());
        Self {
            dark: tokens["dark"].as_bool().expect("`dark` of a bundled theme is true or false"),
            background: one("background"),
            surface: one("surface"),
            raised: one("raised"),
            border: one("border"),
            control: one("control"),
            text: one("text"),
            text_muted: one("text_muted"),
            accent: one("accent"),
            on_accent: one("on_accent"),
            error: one("error"),
            warning: one("warning"),
            good: one("good"),
            grid: one("grid"),
            crosshair: one("crosshair"),
            quantiles: several(&tokens["quantiles"]),
            series: several(&tokens["series"]),
            due: one("due"),
            achieved: one("achieved"),
        }
    }

    fn style(&self) -> Style {
        let mut style = Style { visuals: self.visuals(), animation_time: 0.0, ..Style::default() };
        style.text_styles = text_styles();
        style.spacing.item_spacing = vec2(SPACE[1], SPACE[1]);
        style.spacing.button_padding = vec2(SPACE[2], SPACE[0]);
        style.spacing.interact_size = vec2(CONTROL_HEIGHT, CONTROL_HEIGHT);
        style.spacing.window_margin = Margin::same(16);
        style.spacing.menu_margin = Margin::same(8);
        style.spacing.combo_width = 120.0;
        style.spacing.icon_width = 16.0;
        style.spacing.icon_width_inner = 10.0;
        style.spacing.tooltip_width = 360.0;
        style.interaction.tooltip_delay = 0.3;
        style
    }

    fn visuals(&self) -> Visuals {
        let base = if self.dark { Visuals::dark() } else { Visuals::light() };
        let mut visuals = Visuals {
            widgets: self.widgets(),
            selection: Selection {
                bg_fill: self.tint(self.accent, 0.30),
                stroke: Stroke::new(1.0, self.text),
            },
            weak_text_color: Some(self.text_muted),
            hyperlink_color: self.accent,
            faint_bg_color: self.surface,
            extreme_bg_color: self.surface,
            text_edit_bg_color: Some(self.surface),
            code_bg_color: self.surface,
            warn_fg_color: self.warning,
            error_fg_color: self.error,
            window_corner_radius: CornerRadius::same(8),
            window_shadow: self.shadow(),
            popup_shadow: self.shadow(),
            window_fill: self.raised,
            window_stroke: Stroke::new(1.0, self.border),
            menu_corner_radius: CornerRadius::same(6),
            panel_fill: self.background,
            striped: false,
            ..base
        };
        // A blinking caret draws two frames a second for nothing.
        visuals.text_cursor.blink = false;
        visuals.text_cursor.stroke = Stroke::new(2.0, self.accent);
        visuals
    }

    fn shadow(&self) -> Shadow {
        let alpha = if self.dark { 120 } else { 40 };
        Shadow { offset: [0, 4], blur: 16, spread: 0, color: Color32::from_black_alpha(alpha) }
    }

    fn widgets(&self) -> Widgets {
        let hovered = self.raised.lerp_to_gamma(self.text, 0.08);
        let active = self.raised.lerp_to_gamma(self.text, 0.14);
        let resting = if self.dark { self.raised } else { self.surface };
        Widgets {
            noninteractive: widget(self.background, Color32::TRANSPARENT, self.border, self.text),
            inactive: widget(self.border, resting, self.border, self.text),
            hovered: widget(hovered, hovered, self.text_muted, self.text),
            active: WidgetVisuals {
                bg_stroke: Stroke::new(2.0, self.accent),
                ..widget(active, active, self.accent, self.text)
            },
            open: widget(hovered, hovered, self.text_muted, self.text),
        }
    }
}

/// Gives a context our fonts, and our colours for both of egui's themes. Before its first frame.
pub fn install(ctx: &Context) {
    ctx.set_fonts(fonts());
    ctx.set_style_of(SystemTheme::Light, Theme::light().style());
    ctx.set_style_of(SystemTheme::Dark, Theme::dark().style());
}

/// The family for titles and the numbers that matter.
#[must_use]
pub fn semibold() -> FontFamily {
    FontFamily::Name(SEMIBOLD_FAMILY.into())
}

/// The text style of the numbers that matter.
#[must_use]
pub fn number_style() -> TextStyle {
    TextStyle::Name("number".into())
}

/// The text style of small titles: sections, columns.
#[must_use]
pub fn section_style() -> TextStyle {
    TextStyle::Name("section".into())
}

fn text_styles() -> BTreeMap<TextStyle, FontId> {
    BTreeMap::from([
        (TextStyle::Small, FontId::proportional(SIZE_SMALL)),
        (TextStyle::Body, FontId::proportional(SIZE_BODY)),
        (TextStyle::Button, FontId::proportional(SIZE_BODY)),
        (TextStyle::Monospace, FontId::monospace(SIZE_SMALL)),
        (TextStyle::Heading, FontId::new(SIZE_HEADING, semibold())),
        (section_style(), FontId::new(SIZE_BODY, semibold())),
        (number_style(), FontId::new(SIZE_NUMBER, semibold())),
    ])
}

fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    fonts.font_data.insert("Inter".to_owned(), Arc::new(FontData::from_static(REGULAR)));
    fonts.font_data.insert("Inter SemiBold".to_owned(), Arc::new(FontData::from_static(SEMIBOLD)));
    let fallback = fonts.families[&FontFamily::Proportional].clone();
    let with = |first: &str| {
        let mut names = vec![first.to_owned()];
        names.extend(fallback.iter().cloned());
        names
    };
    fonts.families.insert(FontFamily::Proportional, with("Inter"));
    fonts.families.insert(semibold(), with("Inter SemiBold"));
    fonts
}

fn widget(bg_fill: Color32, weak_bg_fill: Color32, border: Color32, text: Color32) -> WidgetVisuals {
    WidgetVisuals {
        bg_fill,
        weak_bg_fill,
        bg_stroke: Stroke::new(1.0, border),
        corner_radius: CornerRadius::same(CORNER),
        fg_stroke: Stroke::new(1.0, text),
        expansion: 0.0,
    }
}

fn several<const N: usize>(value: &toml::Value) -> [Color32; N] {
    let list = value.as_array().expect("a list of a bundled theme is a list");
    std::array::from_fn(|at| color(list[at].as_str()))
}

fn color(text: Option<&str>) -> Color32 {
    let text = text.expect("a colour of a bundled theme is text");
    Color32::from_hex(text).expect("a colour of a bundled theme is #RRGGBB")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance(color: Color32) -> f64 {
        let part = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(color.r()) + 0.7152 * part(color.g()) + 0.0722 * part(color.b())
    }

    fn contrast(a: Color32, b: Color32) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_can_be_read_on_every_ground() {
        for theme in [Theme::light(), Theme::dark()] {
            let texts = [theme.text, theme.text_muted, theme.accent, theme.error, theme.warning, theme.good];
            for ground in [theme.background, theme.surface, theme.raised] {
                for text in texts {
                    let ratio = contrast(text, ground);
                    assert!(ratio >= 4.5, "{text:?} on {ground:?} (dark: {}): {ratio:.2}", theme.dark);
                }
            }
            assert!(contrast(theme.on_accent, theme.accent) >= 4.5);
        }
    }

    #[test]
    fn controls_stand_out_at_rest() {
        for theme in [Theme::light(), Theme::dark()] {
            for ground in [theme.background, theme.surface, theme.raised] {
                for edge in [theme.control, theme.accent] {
                    let ratio = contrast(edge, ground);
                    assert!(ratio >= 3.0, "{edge:?} on {ground:?} (dark: {}): {ratio:.2}", theme.dark);
                }
            }
        }
    }

    #[test]
    fn every_line_of_a_plot_stands_out() {
        for theme in [Theme::light(), Theme::dark()] {
            let lines = theme.quantiles.iter().chain(&theme.series).chain([&theme.due, &theme.achieved]);
            for line in lines {
                let ratio = contrast(*line, theme.background);
                assert!(ratio >= 3.0, "{line:?} (dark: {}): {ratio:.2}", theme.dark);
            }
        }
    }

    #[test]
    fn quantiles_grow_stronger_in_order() {
        for theme in [Theme::light(), Theme::dark()] {
            let strengths = theme.quantiles.map(|color| contrast(color, theme.background));
            assert!(strengths.is_sorted(), "{strengths:?}");
        }
    }

    #[test]
    fn digits_are_all_of_one_width() {
        let ctx = Context::default();
        install(&ctx);
        let mut output = ctx.run_ui(Default::default(), |ui| {
            for family in [FontFamily::Proportional, semibold(), FontFamily::Monospace] {
                let font = FontId::new(SIZE_BODY, family);
                let width = |text: &str| {
                    let ink = Color32::WHITE;
                    ui.fonts_mut(|fonts| fonts.layout_no_wrap(text.to_owned(), font.clone(), ink).size().x)
                };
                let eights = width("8888888888");
                for digit in 0..10 {
                    let text = digit.to_string().repeat(10);
                    assert!((width(&text) - eights).abs() < 0.01, "{digit} in {font:?}");
                }
            }
        });
        // Nothing is drawn here.
        output.textures_delta.clear();
    }
}
