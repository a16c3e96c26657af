//! The list of notices, in a panel at the right.

use eframe::egui::{
    Color32, Frame, Label, Layout, Margin, Panel, RichText, ScrollArea, Ui,
    collapsing_header::CollapsingState,
};

use crate::app::Command;
use crate::app::adapters::AdapterCommand;
use crate::app::metrics::MetricsCommand;
use crate::app::state::{Level, Notice, NoticeAction};
use crate::ui::icon::Icon;
use crate::ui::theme::{self, SPACE, Theme};
use crate::ui::{Cx, widgets};

const WIDTH: f32 = 360.0;
/// Details longer than this are folded.
const DETAIL_CHARS_OPEN: usize = 200;

pub(super) fn ui(ui: &mut Ui, cx: &mut Cx<'_>) {
    if !cx.state.notices_shown {
        return;
    }
    let frame = Frame::new().fill(cx.theme.surface).inner_margin(Margin::same(16));
    Panel::right("notices").exact_size(WIDTH).resizable(false).frame(frame).show(ui, |ui| {
        ui.horizontal(|ui| {
            widgets::heading(ui, "Notifications");
            ui.with_layout(Layout::right_to_left(eframe::egui::Align::Center), |ui| {
                if Icon::Close.button(ui, "Hide notifications").clicked() {
                    cx.push(Command::ToggleNotices);
                }
                if !cx.state.notices.is_empty() && ui.button("Dismiss all").clicked() {
                    cx.push(Command::DismissAllNotices);
                }
            });
        });
        if cx.state.notices.is_empty() {
            ui.add_space(SPACE[3]);
            ui.label(RichText::new("What needs your attention will be kept here").color(cx.theme.text_muted));
            return;
        }
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            for notice in cx.state.notices.iter().rev() {
                ui.separator();
                ui.push_id(notice.id, |ui| entry(ui, cx, notice));
            }
        });
    });
}

fn entry(ui: &mut Ui, cx: &mut Cx<'_>, notice: &Notice) {
    ui.horizontal_top(|ui| {
        icon(notice.level).show(ui, 18.0, color(cx.theme, notice.level));
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = SPACE[0];
            ui.add(Label::new(RichText::new(&notice.title).text_style(theme::section_style())).wrap());
            detail(ui, cx, &notice.detail);
            ui.add_space(SPACE[0]);
            ui.horizontal_wrapped(|ui| {
                action_button(ui, cx, notice);
                if ui.button("Copy").on_hover_text("Copy this notification").clicked() {
                    ui.ctx().copy_text(format!("{}\n{}", notice.title, notice.detail));
                }
                if ui.button("Dismiss").clicked() {
                    cx.push(Command::DismissNotice(notice.id));
                }
            });
        });
    });
}

fn detail(ui: &mut Ui, cx: &Cx<'_>, words: &str) {
    if words.is_empty() {
        return;
    }
    let text = RichText::new(words).color(cx.theme.text_muted);
    if words.chars().count() <= DETAIL_CHARS_OPEN {
        ui.add(Label::new(text).wrap());
        return;
    }
    let id = ui.make_persistent_id("details");
    CollapsingState::load_with_default_open(ui.ctx(), id, false)
        .show_header(ui, |ui| ui.label("Details"))
        .body_unindented(|ui| ui.add(Label::new(text).wrap()));
}

/// The button of what can be done about it at once; whether it was clicked.
pub(super) fn action_button(ui: &mut Ui, cx: &mut Cx<'_>, notice: &Notice) -> bool {
    let Some(action) = notice.action else { return false };
    let (words, command) = match action {
        NoticeAction::UndoDelete => ("Undo", Command::UndoDelete),
        NoticeAction::UndoRemoveMetrics => ("Undo", Command::Metrics(MetricsCommand::UndoRemove)),
        NoticeAction::UndoRemoveAdapter => ("Undo", Command::Adapter(AdapterCommand::UndoRemove)),
        NoticeAction::OpenRun(id) => ("Open run", Command::OpenRun(id)),
        NoticeAction::ReloadHistory => ("Retry", Command::ReloadHistory),
    };
    let clicked = ui.button(words).clicked();
    if clicked {
        cx.push(command);
    }
    clicked
}

pub(super) fn icon(level: Level) -> Icon {
    match level {
        Level::Info => Icon::About,
        Level::Warning => Icon::Warning,
        Level::Error => Icon::Error,
    }
}

pub(super) fn color(theme: &Theme, level: Level) -> Color32 {
    match level {
        Level::Info => theme.accent,
        Level::Warning => theme.warning,
        Level::Error => theme.error,
    }
}
