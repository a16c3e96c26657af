//! The account page: who is logged in, how to log in, and with whom history is shared.

mod delete;
mod files;
mod login;
mod sync;

use std::collections::BTreeSet;

use eframe::egui::{
    Align, Button, CornerRadius, Frame, Label, Layout, Margin, RichText, Sense, Stroke, TextStyle, Ui, vec2,
};
use uuid::Uuid;

use crate::app::Command;
use crate::app::accounts::AccountCommand;
use crate::model::account::Account;
use crate::model::causes::sentence;

use super::theme::{CORNER, SPACE};
use super::{Cx, Theme, widgets};
use login::LoginForm;
use sync::SyncForm;

/// Side of the circle with a person's initials, in points.
const FACE: f32 = 32.0;
/// Room for what can be done with an account, in points.
const ACTIONS_WIDTH: f32 = 160.0;

/// What a person is writing on the page.
#[derive(Debug, Default)]
pub struct AccountPage {
    login: LoginForm,
    sync: SyncForm,
    /// Logins that were asked how they stand.
    looked: BTreeSet<Uuid>,
}

impl AccountPage {
    /// Draws the page and takes what a person does.
    pub fn ui(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        widgets::page(ui, |ui| {
            ui.spacing_mut().item_spacing.y = SPACE[1];
            widgets::section(ui, "Who you are");
            self.look(cx);
            people(cx, ui);
            ui.add_space(SPACE[2]);
            widgets::section(ui, "Log in");
            self.login.ui(cx, ui);
            ui.add_space(SPACE[2]);
            widgets::section(ui, "Sync");
            self.sync.ui(cx, ui);
            ui.add_space(SPACE[2]);
            widgets::section(ui, "Files");
            files::ui(cx, ui);
            delete::ui(cx, ui);
        });
    }
}

impl AccountPage {
    /// Asks how logins stand that were not asked yet: the keyring may want a person to unlock it, and here they expect it.
    fn look(&mut self, cx: &mut Cx<'_>) {
        let known: Vec<Uuid> = cx.state.accounts.book.accounts.iter().map(|account| account.id).collect();
        for id in known {
            if !cx.state.accounts.standing.contains_key(&id) && self.looked.insert(id) {
                cx.push(Command::Account(AccountCommand::Look(id)));
            }
        }
    }
}

fn people(cx: &mut Cx<'_>, ui: &mut Ui) {
    let active = cx.state.accounts.book.active;
    let local = Person {
        initials: "–".to_owned(),
        name: "Local",
        about: LOCAL.to_owned(),
        stands: String::new(),
        is_active: active.is_none(),
    };
    if person(cx, ui, &local, |ui| choose(ui, active.is_none(), "Local")) {
        cx.push(Command::Account(AccountCommand::Use(None)));
    }
    for account in cx.state.accounts.book.accounts.clone() {
        let is_active = active == Some(account.id);
        let shown = Person {
            initials: account.initials(),
            name: &account.name,
            about: about(cx, &account),
            stands: cx
                .state
                .accounts
                .standing
                .get(&account.id)
                .map_or_else(String::new, |standing| sentence(&standing.words(widgets::when))),
            is_active,
        };
        let mut logged_out = None;
        let chosen = person(cx, ui, &shown, |ui| {
            if ui
                .button("Log out")
                .on_hover_text("Forgets the login here and tells the provider; runs stay")
                .clicked()
            {
                logged_out = Some(account.id);
            }
            choose(ui, is_active, &account.name)
        });
        if chosen {
            cx.push(Command::Account(AccountCommand::Use(Some(account.id))));
        }
        log_out(cx, logged_out);
    }
}

const LOCAL: &str = "No account: everything works, and stays on this machine";

fn log_out(cx: &mut Cx<'_>, account: Option<Uuid>) {
    if let Some(id) = account {
        cx.push(Command::Account(AccountCommand::LogOut(id)));
    }
}

/// A row about somebody.
struct Person<'a> {
    initials: String,
    name: &'a str,
    about: String,
    /// How long the login lasts; empty where that is not known.
    stands: String,
    is_active: bool,
}

fn choose(ui: &mut Ui, is_active: bool, name: &str) -> bool {
    if is_active {
        ui.label(RichText::new("In use").strong());
        return false;
    }
    let button = ui.add(Button::new("Use"));
    crate::ui::form::name(ui, &button, &format!("Use {name}"));
    button.clicked()
}

fn person(cx: &Cx<'_>, ui: &mut Ui, shown: &Person<'_>, actions: impl FnOnce(&mut Ui) -> bool) -> bool {
    let edge = if shown.is_active { cx.theme.accent } else { cx.theme.border };
    panel(cx.theme)
        .stroke(Stroke::new(1.0, edge))
        .show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            ui.horizontal(|ui| {
                let (rect, _) = ui.allocate_exact_size(vec2(FACE, FACE), Sense::hover());
                ui.painter().circle_filled(rect.center(), FACE / 2.0, cx.theme.tint(cx.theme.accent, 0.25));
                let font = TextStyle::Body.resolve(ui.style());
                let galley = ui.painter().layout_no_wrap(shown.initials.clone(), font, cx.theme.text);
                ui.painter().galley(rect.center() - galley.size() / 2.0, galley, cx.theme.text);
                ui.vertical(|ui| {
                    ui.spacing_mut().item_spacing.y = 0.0;
                    ui.set_max_width((ui.available_width() - ACTIONS_WIDTH).max(FACE));
                    let line = |ui: &mut Ui, words: RichText| ui.add(Label::new(words).truncate());
                    line(ui, RichText::new(shown.name).strong());
                    for words in [&shown.about, &shown.stands] {
                        if !words.is_empty() {
                            line(ui, RichText::new(words).small().color(cx.theme.text_muted));
                        }
                    }
                });
                ui.with_layout(Layout::right_to_left(Align::Center), actions).inner
            })
            .inner
        })
        .inner
}

fn about(cx: &Cx<'_>, account: &Account) -> String {
    let provider = cx.state.accounts.book.provider(account.provider);
    let place = provider.map_or("a provider that is gone", |provider| provider.name.as_str());
    let since = widgets::when(account.since);
    let email = account.email.as_ref().map(|email| format!("{email} · ")).unwrap_or_default();
    format!("{email}{place} · since {since}")
}

/// A block with an edge.
fn panel(theme: &Theme) -> Frame {
    Frame::new()
        .fill(theme.surface)
        .stroke(Stroke::new(1.0, theme.border))
        .corner_radius(CornerRadius::same(CORNER))
        .inner_margin(Margin::symmetric(12, 8))
}

fn muted(cx: &Cx<'_>, ui: &mut Ui, words: &str) {
    ui.add(Label::new(RichText::new(words).color(cx.theme.text_muted)).wrap());
}
