//! The command palette: every action by its name, with its keys, or why it cannot be done now.

use eframe::egui::text::{LayoutJob, TextWrapping};
use eframe::egui::{
    Align, Align2, Area, Color32, Context, CornerRadius, Frame, Id, Key, Layout, Margin, Modal, Modifiers,
    Order, Rect, Response, RichText, Role, ScrollArea, Sense, TextEdit, TextStyle, Ui, UiBuilder, UiKind,
    WidgetInfo, pos2, vec2,
};

use crate::ui::icon::{self, Icon};
use crate::ui::theme::{CORNER, SPACE};
use crate::ui::{Cx, widgets};

use super::action::{self, Action, Effect};

const WIDTH: f32 = 560.0;
const LIST_HEIGHT_MAX: f32 = 340.0;
const ROW_HEIGHT: f32 = 32.0;
const FROM_TOP: f32 = 72.0;

/// Whether it is open, what was typed, which row is chosen.
#[derive(Debug, Default)]
pub(super) struct Palette {
    open: bool,
    opened_now: bool,
    query: String,
    chosen: usize,
}

impl Palette {
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    pub(super) fn toggle(&mut self) {
        *self = Self { open: !self.open, opened_now: true, ..Self::default() };
    }

    /// Draws it when it is open; what was chosen.
    pub(super) fn ui(&mut self, ctx: &Context, cx: &mut Cx<'_>) -> Option<Effect> {
        if !self.open {
            return None;
        }
        let found = find(action::all(cx.state), &self.query);
        let entered = self.keys(ctx, found.len());
        let id = Id::unique("palette");
        let area = Area::new(id)
            .kind(UiKind::Modal)
            .order(Order::Foreground)
            .anchor(Align2::CENTER_TOP, vec2(0.0, FROM_TOP))
            .accessible_name("Commands")
            .role(Role::Dialog);
        let frame = Frame::popup(&ctx.global_style()).inner_margin(Margin::same(8));
        let shown = Modal::new(id)
            .area(area)
            .frame(frame)
            .backdrop_color(cx.theme.shade())
            .show(ctx, |ui| self.content(ui, cx, &found));
        let closed = shown.should_close();
        let picked = shown.inner.or(if entered { found.get(self.chosen).cloned() } else { None });
        let effect = picked.filter(|action| action.ready.is_ok()).map(|action| action.effect);
        if effect.is_some() || closed {
            self.open = false;
        }
        // Opening the palette from the palette would close it at once and open it again.
        effect.filter(|effect| *effect != Effect::Palette)
    }

    /// Arrow keys move the choice; whether Enter was pressed. Before the field takes them.
    fn keys(&mut self, ctx: &Context, rows: usize) -> bool {
        let pressed = |key| ctx.input_mut(|input| input.consume_key(Modifiers::NONE, key));
        let last = rows.saturating_sub(1);
        if pressed(Key::ArrowDown) {
            self.chosen = if self.chosen >= last { 0 } else { self.chosen + 1 };
        }
        if pressed(Key::ArrowUp) {
            self.chosen = if self.chosen == 0 { last } else { self.chosen - 1 };
        }
        self.chosen = self.chosen.min(last);
        pressed(Key::Enter)
    }

    fn content(&mut self, ui: &mut Ui, cx: &Cx<'_>, found: &[Action]) -> Option<Action> {
        ui.set_width(WIDTH.min(ui.ctx().content_rect().width() - 48.0));
        let before = self.chosen;
        self.search(ui, cx);
        ui.separator();
        if found.is_empty() {
            ui.label(RichText::new("No command has these words").color(cx.theme.text_muted));
            return None;
        }
        let moved = self.opened_now || before != self.chosen || ui.input(|input| !input.events.is_empty());
        self.opened_now = false;
        let mut clicked = None;
        ui.spacing_mut().item_spacing.y = 0.0;
        ScrollArea::vertical().max_height(LIST_HEIGHT_MAX).auto_shrink([false, true]).show(ui, |ui| {
            for (at, action) in found.iter().enumerate() {
                let response = row(ui, cx, action, at == self.chosen);
                if at == self.chosen && moved {
                    response.scroll_to_me(None);
                }
                if response.clicked() {
                    clicked = Some(action.clone());
                }
            }
        });
        clicked
    }

    fn search(&mut self, ui: &mut Ui, cx: &Cx<'_>) {
        let edit = |ui: &mut Ui| {
            ui.add_space(SPACE[1]);
            Icon::Search.show(ui, 16.0, cx.theme.text_muted);
            let edit = TextEdit::singleline(&mut self.query)
                .hint_text("Type a command, a plan or a run")
                .frame(Frame::NONE)
                .desired_width(f32::INFINITY);
            ui.add(edit)
        };
        let size = vec2(ui.available_width(), ROW_HEIGHT);
        let response = ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), edit).inner;
        ui.ctx().accesskit_node_builder(response.id, |node| node.set_label("Search commands"));
        // Tab and clicks must not leave a palette that takes no more typing.
        if !response.has_focus() {
            response.request_focus();
        }
        if response.changed() {
            self.chosen = 0;
        }
    }
}

fn row(ui: &mut Ui, cx: &Cx<'_>, action: &Action, chosen: bool) -> Response {
    let theme = cx.theme;
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW_HEIGHT), Sense::click());
    let ready = action.ready.is_ok();
    response.widget_info(|| WidgetInfo::selected(Role::ListBoxOption, ready, chosen, &action.title));
    if !ui.is_rect_visible(rect) {
        return response;
    }
    if chosen || response.hovered() {
        let strength = if chosen { 0.12 } else { 0.05 };
        let fill = theme.raised.lerp_to_gamma(theme.text, strength);
        ui.painter().rect_filled(rect, CornerRadius::same(CORNER), fill);
    }
    let inner = rect.shrink2(vec2(SPACE[1], 0.0));
    let mut right =
        ui.new_child(UiBuilder::new().max_rect(inner).layout(Layout::right_to_left(Align::Center)));
    if let Some(keys) = action.keys {
        widgets::keys(&mut right, theme, &keys);
    }
    if let Err(reason) = action.ready {
        right.label(RichText::new(reason).small().color(theme.text_muted));
    }
    let room = Rect::from_min_max(inner.min, pos2(right.min_rect().left() - SPACE[1], inner.max.y));
    let color = if ready { theme.text } else { theme.text_muted };
    paint_title(ui, room, &action.title, color);
    icon::focus_ring(ui, rect, &response);
    response
}

fn paint_title(ui: &Ui, room: Rect, title: &str, color: Color32) {
    let font = TextStyle::Body.resolve(ui.style());
    let mut job = LayoutJob::simple_singleline(title.to_owned(), font, color);
    job.wrap = TextWrapping::truncate_at_width(room.width());
    let galley = ui.fonts_mut(|fonts| fonts.layout_job(job));
    ui.painter().galley(pos2(room.left(), room.center().y - galley.size().y / 2.0), galley, color);
}

/// The actions that have every word of the query, those that can be done first; order is kept otherwise.
fn find(actions: Vec<Action>, query: &str) -> Vec<Action> {
    let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
    let mut found: Vec<(u32, Action)> = actions
        .into_iter()
        .filter_map(|action| {
            let title = action.title.to_lowercase();
            let ranks: Option<Vec<u32>> = words.iter().map(|word| rank(&title, word)).collect();
            let unready = if action.ready.is_err() && !words.is_empty() { 1 } else { 0 };
            ranks.map(|ranks| (ranks.iter().sum::<u32>() * 2 + unready, action))
        })
        .collect();
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, action)| action).collect()
}

/// How well a word is found: at the start of a word, inside one, or only its letters in order.
fn rank(title: &str, word: &str) -> Option<u32> {
    if title.split_whitespace().any(|part| part.starts_with(word)) {
        return Some(0);
    }
    if title.contains(word) {
        return Some(1);
    }
    let mut letters = title.chars();
    word.chars().all(|wanted| letters.any(|letter| letter == wanted)).then_some(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::State;

    #[test]
    fn the_best_match_comes_first() {
        let first = |query: &str| find(action::all(&State::default()), query)[0].title.clone();
        assert_eq!(first("hist"), "Go to History");
        assert_eq!(first("theme dark"), "Theme: dark");
        assert_eq!(first("zmin"), "Zoom in");
        assert!(find(action::all(&State::default()), "qqq").is_empty());
    }
}
