//! How an account is deleted at its server.

use eframe::egui::{Button, RichText, Ui};

use crate::app::Command;
use crate::app::accounts::{AccountCommand, Deletion};
use crate::ui::Cx;
use crate::ui::theme::SPACE;
use crate::ui::widgets;

use super::muted;

const ABOUT: &str = "Everything of yours is deleted there, for good. History on this machine stays. You are told what goes and \
                     asked first.";

/// Draws a button for each account at a Meshbench server.
pub(super) fn ui(cx: &mut Cx<'_>, ui: &mut Ui) {
    let book = &cx.state.accounts.book;
    let all: Vec<Deletion> =
        book.accounts.iter().filter_map(|account| Deletion::of(book, account.id)).collect();
    if all.is_empty() {
        return;
    }
    ui.add_space(SPACE[2]);
    widgets::section(ui, "Delete an account");
    muted(cx, ui, ABOUT);
    let deleting = cx.state.accounts.deleting;
    for one in all {
        if deleting == Some(one.account) {
            widgets::waiting(ui, cx, &format!("Deleting the account of {} at {}…", one.name, one.host));
            continue;
        }
        let words = format!("Delete the account of {} at {}…", one.name, one.host);
        let button = Button::new(RichText::new(words).color(cx.theme.error)).wrap();
        if ui.add_enabled(deleting.is_none(), button).clicked() {
            cx.push(Command::Account(AccountCommand::AskToDelete(one.account)));
        }
    }
}
