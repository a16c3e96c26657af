//! The rail of named pages at the left.

use eframe::egui::scroll_area::ScrollBarVisibility;
use eframe::egui::{
    Color32, CornerRadius, Frame, Margin, Panel, Rect, Role, ScrollArea, Sense, TextStyle, Ui, Vec2,
    WidgetInfo, pos2, vec2,
};

use crate::app::{Command, Page};
use crate::ui::Cx;
use crate::ui::icon::{self, Icon};
use crate::ui::theme::{CORNER, SPACE};

use super::action::PAGES;

const WIDTH: f32 = 80.0;
const MARGIN: f32 = 8.0;
const ITEM_HEIGHT: f32 = 56.0;
const ICON_SIDE: f32 = 20.0;
const MARK_SIDE: f32 = 26.0;
/// How many pages are at the foot.
const AT_FOOT: usize = 3;

pub(super) fn ui(ui: &mut Ui, cx: &mut Cx<'_>) {
    let frame = Frame::new().fill(cx.theme.surface).inner_margin(Margin::same(MARGIN as i8));
    Panel::left("rail").exact_size(WIDTH).resizable(false).frame(frame).show(ui, |ui| {
        // A small window at a large zoom has no room for all.
        let bar = ScrollBarVisibility::AlwaysHidden;
        ScrollArea::vertical().scroll_bar_visibility(bar).show(ui, |ui| items(ui, cx));
    });
}

fn items(ui: &mut Ui, cx: &mut Cx<'_>) {
    ui.spacing_mut().item_spacing.y = SPACE[0];
    mark(ui, cx);
    let (top, foot) = PAGES.split_at(PAGES.len() - AT_FOOT);
    for (page, words, _) in top {
        item(ui, cx, *page, words);
    }
    let foot_height = AT_FOOT as f32 * (ITEM_HEIGHT + SPACE[0]);
    ui.add_space((ui.available_height() - foot_height).max(0.0));
    for (page, words, _) in foot {
        item(ui, cx, *page, words);
    }
}

fn mark(ui: &mut Ui, cx: &Cx<'_>) {
    let (rect, _) = ui.allocate_exact_size(vec2(WIDTH - 2.0 * MARGIN, 44.0), Sense::hover());
    let square = Rect::from_center_size(rect.center(), Vec2::splat(MARK_SIDE));
    icon::mark(ui.painter(), square, &cx.theme.quantiles, cx.theme.surface);
}

fn item(ui: &mut Ui, cx: &mut Cx<'_>, page: Page, words: &str) {
    let chosen = cx.state.page == page;
    let going = page == Page::Load && cx.state.is_running();
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ITEM_HEIGHT), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Tab, true, chosen, words));
    if ui.is_rect_visible(rect) {
        paint_item(ui, cx, rect, (page, words), chosen || response.hovered());
        if chosen {
            let bar =
                Rect::from_min_size(pos2(rect.left(), rect.top() + 12.0), vec2(3.0, rect.height() - 24.0));
            ui.painter().rect_filled(bar, CornerRadius::same(2), cx.theme.accent);
        }
        if going {
            let at = pos2(rect.center().x + ICON_SIDE * 0.5 + 5.0, rect.top() + 13.0);
            ui.painter().circle_filled(at, 3.5, cx.theme.achieved);
        }
        icon::focus_ring(ui, rect, &response);
    }
    let response = if going { response.on_hover_text("A run is going") } else { response };
    if response.clicked() {
        cx.push(Command::Go(page));
    }
}

fn paint_item(ui: &Ui, cx: &Cx<'_>, rect: Rect, (page, words): (Page, &str), strong: bool) {
    let theme = cx.theme;
    let (ground, ink) = if strong {
        (theme.tint(theme.text, 0.07), theme.text)
    } else {
        (Color32::TRANSPARENT, theme.text_muted)
    };
    ui.painter().rect_filled(rect, CornerRadius::same(CORNER + 2), ground);
    let galley = ui.painter().layout_no_wrap(words.to_owned(), TextStyle::Small.resolve(ui.style()), ink);
    let block = ICON_SIDE + SPACE[0] + galley.size().y;
    let top = rect.center().y - block / 2.0;
    let square = Rect::from_min_size(pos2(rect.center().x - ICON_SIDE / 2.0, top), Vec2::splat(ICON_SIDE));
    of(page).paint(ui.painter(), square, ink);
    let at = pos2(rect.center().x - galley.size().x / 2.0, top + ICON_SIDE + SPACE[0]);
    ui.painter().galley(at, galley, ink);
}

fn of(page: Page) -> Icon {
    match page {
        Page::Home => Icon::Home,
        Page::Clusters => Icon::Clusters,
        Page::Adapters => Icon::Adapters,
        Page::Load => Icon::Load,
        Page::History => Icon::History,
        Page::Metrics => Icon::Metrics,
        Page::Account => Icon::Account,
        Page::Settings => Icon::Settings,
        Page::About => Icon::About,
    }
}
