//! The bar at the top: where am I, the palette, notices, light or dark.

use eframe::egui::{
    Align, Button, Color32, CornerRadius, FontId, Frame, Label, Layout, Margin, Panel, Rect, Response,
    RichText, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, vec2,
};

use crate::app::state::{Level, Open};
use crate::app::{Command, Page, State};
use crate::model::ThemeChoice;
use crate::model::cluster::Connection;
use crate::ui::clusters::{self, contexts};
use crate::ui::icon::{self, BUTTON_SIDE, Icon};
use crate::ui::theme::{self, CORNER, SPACE};
use crate::ui::{Cx, widgets};

use super::action::{self, PAGES};
use super::palette::Palette;

const HEIGHT: f32 = 52.0;
/// The room for what is at the right: palette, notices, theme.
const RIGHT: f32 = PALETTE_WIDTH + 2.0 * (BUTTON_SIDE + SPACE[1]);
const PALETTE_WIDTH: f32 = 160.0;
const CONTEXT_WIDTH: f32 = 180.0;

/// The context in use.
struct Chosen {
    title: String,
    state: &'static str,
    connection: Connection,
    colour: Option<Color32>,
    is_production: bool,
}

fn chosen(cx: &Cx<'_>) -> Option<Chosen> {
    let clusters = &cx.state.clusters;
    let key = clusters.chosen()?;
    let choice = clusters.book.choice(key);
    let connection = clusters.connection(key).clone();
    Some(Chosen {
        title: clusters.book.title(key).to_owned(),
        state: contexts::state_words(&connection),
        connection,
        colour: clusters::colour(cx.theme, &choice),
        is_production: choice.is_production,
    })
}

/// The context in use, and the way to another.
fn context(ui: &mut Ui, cx: &mut Cx<'_>, chosen: &Chosen) {
    let (rect, response) = ui.allocate_exact_size(vec2(CONTEXT_WIDTH, 30.0), Sense::click());
    let production = if chosen.is_production { ", production" } else { "" };
    let spoken = format!("Context {}, {}{production}", chosen.title, chosen.state);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &spoken));
    icon::ground(ui, rect, &response);
    let edge = chosen.colour.unwrap_or(cx.theme.border);
    let stroke = Stroke::new(1.0, edge);
    ui.painter().rect_stroke(rect, CornerRadius::same(CORNER), stroke, StrokeKind::Inside);
    contexts::dot(ui, cx, rect.left_center() + vec2(16.0, 0.0), &chosen.connection);
    let inside = Rect::from_min_max(rect.min + vec2(30.0, 0.0), rect.max - vec2(8.0, 0.0));
    let layout = Layout::left_to_right(Align::Center);
    let mut line = ui.new_child(eframe::egui::UiBuilder::new().max_rect(inside).layout(layout));
    line.add(Label::new(&chosen.title).truncate().selectable(false).sense(Sense::empty()));
    if response.on_hover_text(format!("{spoken}\nShows all contexts")).clicked() {
        cx.push(Command::Go(Page::Clusters));
    }
}

pub(super) fn ui(ui: &mut Ui, cx: &mut Cx<'_>, palette: &mut Palette) {
    let chosen = chosen(cx);
    // Where one works in production, the bar says so on every page.
    let fill = match &chosen {
        Some(chosen) if chosen.is_production => cx.theme.tint(cx.theme.error, 0.18),
        _ => Color32::TRANSPARENT,
    };
    let frame = Frame::new().fill(fill).inner_margin(Margin::symmetric(24, 0));
    Panel::top("bar").exact_size(HEIGHT).resizable(false).frame(frame).show(ui, |ui| {
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            let right = RIGHT + if chosen.is_some() { CONTEXT_WIDTH + SPACE[1] } else { 0.0 };
            let room = (ui.available_width() - right - SPACE[1]).max(0.0);
            ui.allocate_ui_with_layout(vec2(room, HEIGHT), Layout::left_to_right(Align::Center), |ui| {
                title(ui, cx);
            });
            ui.add_space((ui.available_width() - right).max(0.0));
            if let Some(chosen) = &chosen {
                context(ui, cx, chosen);
            }
            if palette_button(ui).clicked() {
                palette.toggle();
            }
            bell(ui, cx);
            theme_switch(ui, cx);
        });
    });
}

fn title(ui: &mut Ui, cx: &Cx<'_>) {
    let words = PAGES.iter().find(|(page, ..)| *page == cx.state.page).map_or("", |(_, words, _)| words);
    let heading = ui.heading(words);
    ui.ctx().accesskit_node_builder(heading.id, |node| node.set_role(Role::Heading));
    if let Some(subject) = subject(cx.state) {
        ui.label(RichText::new("·").color(cx.theme.text_muted));
        let text = RichText::new(subject).color(cx.theme.text_muted);
        ui.add(Label::new(text).truncate());
    }
}

/// What the page is about at the moment.
fn subject(state: &State) -> Option<String> {
    match (state.page, &state.open) {
        (Page::Load, _) => state.live.as_ref().map(|live| {
            if live.plan.name.is_empty() { live.plan.target.url.clone() } else { live.plan.name.clone() }
        }),
        (Page::History, Open::Result(run)) => Some(run.name.clone()),
        (Page::History, Open::Comparison(runs)) => Some(format!("{} runs compared", runs.len())),
        _ => None,
    }
}

fn palette_button(ui: &mut Ui) -> Response {
    let keys = widgets::key_words(ui.ctx(), &action::PALETTE);
    let button = Button::new("Commands").shortcut_text(keys).min_size(vec2(PALETTE_WIDTH, 30.0));
    ui.add(button).on_hover_text("Every command, by its name")
}

fn bell(ui: &mut Ui, cx: &mut Cx<'_>) {
    let unread = cx.state.unread();
    let name =
        if unread == 0 { "Notifications".to_owned() } else { format!("Notifications, {unread} unread") };
    let response = Icon::Bell.button(ui, &name);
    if unread > 0 {
        badge(ui, cx, response.rect, unread);
    }
    if response.clicked() {
        cx.push(Command::ToggleNotices);
    }
}

fn badge(ui: &Ui, cx: &Cx<'_>, button: Rect, unread: usize) {
    let worst = cx.state.notices.iter().filter(|notice| !notice.read).map(|notice| notice.level).max();
    let fill = match worst {
        Some(Level::Error) => cx.theme.error,
        Some(Level::Warning) => cx.theme.warning,
        _ => cx.theme.accent,
    };
    let words = if unread > 9 { "9+".to_owned() } else { unread.to_string() };
    let font = FontId::new(10.0, theme::semibold());
    let galley = ui.painter().layout_no_wrap(words, font, cx.theme.on_accent);
    let size = vec2((galley.size().x + 8.0).max(15.0), 15.0);
    let rect = Rect::from_center_size(button.right_top() + vec2(-8.0, 9.0), size);
    ui.painter().rect_filled(rect, 7.5, fill);
    ui.painter().galley(rect.center() - galley.size() / 2.0, galley, cx.theme.on_accent);
}

fn theme_switch(ui: &mut Ui, cx: &mut Cx<'_>) {
    let (name, theme) = if cx.theme.dark {
        ("Switch to the light theme", ThemeChoice::Light)
    } else {
        ("Switch to the dark theme", ThemeChoice::Dark)
    };
    if Icon::Theme.button(ui, name).clicked() {
        cx.push(action::change(&cx.state.settings, |new| new.theme = theme));
    }
}
