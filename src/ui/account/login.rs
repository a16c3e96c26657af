//! How to log in, and how a login goes.

use eframe::egui::{ComboBox, Key, RichText, Ui};
use uuid::Uuid;

use crate::app::Command;
use crate::app::accounts::{AccountCommand, How, Login, LoginStep, Place};
use crate::model::account::{GITHUB, GITHUB_API, PRESETS, Preset, Provider, ProviderKind};
use crate::ui::form::name;
use crate::ui::theme::SPACE;
use crate::ui::widgets::{self, Field};
use crate::ui::{Cx, icon};

use super::{muted, panel};

/// What is being written.
#[derive(Debug)]
pub(super) struct LoginForm {
    kind: Kind,
    how: How,
    server: String,
    preset: Option<Preset>,
    issuer: String,
    client_id: String,
    client_secret: String,
    github: String,
}

/// How Meshbench is registered with a provider of which nothing is known.
const REGISTER: &str = "Register Meshbench there as a native app (a public client) with the redirect address \
                        http://127.0.0.1/callback, any port.";

/// Where one logs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Server,
    OpenId,
    GitHub,
}

impl Default for LoginForm {
    fn default() -> Self {
        Self {
            kind: Kind::Server,
            how: How::Browser,
            server: String::new(),
            preset: None,
            issuer: String::new(),
            client_id: String::new(),
            client_secret: String::new(),
            github: String::new(),
        }
    }
}

impl LoginForm {
    pub(super) fn ui(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        if let Some(login) = &cx.state.accounts.going {
            return going(cx, ui, &login.clone());
        }
        if let Some(trouble) = cx.state.accounts.trouble.clone()
            && widgets::failure(ui, cx.theme, "Nobody has logged in", &trouble, Some("Close"))
        {
            cx.push(Command::Account(AccountCommand::DismissTrouble));
        }
        known(cx, ui, self.how);
        let kinds =
            [(Kind::Server, "Meshbench server"), (Kind::OpenId, "OpenID Connect"), (Kind::GitHub, "GitHub")];
        widgets::segmented(ui, cx.theme, "Where to log in", &mut self.kind, &kinds);
        let is_asked = self.fields(cx, ui);
        let ready = self.ready();
        ui.horizontal(|ui| {
            let enter = is_asked && ready.is_ok();
            let words = ready.as_ref().map_err(String::as_str).copied();
            // One thing comes first on a page: who is logged in already turns on sync.
            let clicked = match cx.state.accounts.book.active {
                None => widgets::primary_if(ui, cx.theme, "Log in", words),
                Some(_) => widgets::button_if(ui, "Log in", words),
            };
            if (clicked || enter)
                && let Ok(place) = self.place()
            {
                cx.push(Command::Account(AccountCommand::LogIn(place, self.how)));
            }
            if ui
                .button("Add from a file…")
                .on_hover_text("A provider file that somebody handed to you")
                .clicked()
            {
                cx.push(Command::Account(AccountCommand::PickProvider));
            }
            if self.kind != Kind::GitHub {
                let mut by_code = self.how == How::Device;
                let words = "With a code, on another device";
                widgets::checkbox(ui, cx.theme, &mut by_code, words);
                self.how = if by_code { How::Device } else { How::Browser };
            }
        });
    }

    /// Whether Enter was pressed in one of them.
    fn fields(&mut self, cx: &Cx<'_>, ui: &mut Ui) -> bool {
        if self.kind == Kind::OpenId {
            self.presets(ui);
        }
        let mut asked = false;
        let mut line = |ui: &mut Ui, name: &str, hint: &str, text: &mut String| {
            let field = Field { name, hint, unit: "", reason: None, width: 420.0 };
            let response = widgets::field(ui, cx.theme, field, text);
            asked |= response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        };
        match self.kind {
            Kind::Server => line(ui, "Address of the server", "https://bench.example.org", &mut self.server),
            Kind::OpenId => {
                line(ui, "Issuer", "https://id.example.org/realms/perf", &mut self.issuer);
                line(ui, "Client id of Meshbench there", "meshbench", &mut self.client_id);
                if self.wants_secret() {
                    line(ui, "Client secret of Meshbench there", "GOCSPX-…", &mut self.client_secret);
                }
                muted(cx, ui, self.preset.map_or(REGISTER, |preset| preset.register));
            }
            Kind::GitHub => {
                line(ui, "Client id of Meshbench at GitHub", "Ov23…", &mut self.github);
                muted(cx, ui, "An OAuth app with the device flow switched on. GitHub shows a code to enter.");
            }
        }
        asked
    }

    fn wants_secret(&self) -> bool {
        self.preset.is_some_and(|preset| preset.wants_secret)
    }

    /// Providers that many people have.
    fn presets(&mut self, ui: &mut Ui) {
        let before = self.preset;
        let chosen = before.map_or("Any provider", |preset| preset.name);
        let shown = ComboBox::from_id_salt("preset").width(240.0).selected_text(chosen).show_ui(ui, |ui| {
            ui.selectable_value(&mut self.preset, None, "Any provider");
            for preset in PRESETS {
                ui.selectable_value(&mut self.preset, Some(preset), preset.name);
            }
        });
        name(ui, &shown.response, &format!("Provider: {chosen}"));
        if self.preset != before {
            self.issuer = self.preset.map_or_else(String::new, |preset| preset.issuer.to_owned());
            self.client_secret.clear();
        }
    }

    fn ready(&self) -> Result<(), String> {
        match self.kind {
            Kind::OpenId if self.preset.is_some_and(|preset| is_unfilled(preset, self.issuer.trim())) => {
                Err("Replace what is in capitals in the issuer’s address first".to_owned())
            }
            Kind::OpenId if self.wants_secret() && self.client_secret.trim().is_empty() => {
                Err("This provider wants the client secret too".to_owned())
            }
            Kind::Server if self.server.trim().is_empty() => {
                Err("Write the address of the server first".to_owned())
            }
            Kind::Server => Ok(()),
            _ => self.place().map(drop),
        }
    }

    fn place(&self) -> Result<Place, String> {
        let provider = |name: &str, kind: ProviderKind| {
            let provider = Provider { id: Uuid::nil(), name: name.to_owned(), kind, server: None };
            provider.check().map(|()| Place::Provider(Box::new(provider)))
        };
        match self.kind {
            Kind::Server => Ok(Place::Server(self.server.trim().to_owned())),
            Kind::OpenId => {
                let issuer = self.issuer.trim().trim_end_matches('/').to_owned();
                let client_id = self.client_id.trim().to_owned();
                let callback = Some("/callback".to_owned());
                let name = issuer.split("://").last().unwrap_or_default().to_owned();
                let client_secret = self.wants_secret().then(|| self.client_secret.trim().to_owned());
                let (audience, scopes) = (None, Vec::new());
                let kind =
                    ProviderKind::OpenId { issuer, client_id, client_secret, audience, scopes, callback };
                provider(&name, kind)
            }
            Kind::GitHub => {
                let client_id = self.github.trim().to_owned();
                let (address, api) = (GITHUB.to_owned(), GITHUB_API.to_owned());
                provider("GitHub", ProviderKind::GitHub { client_id, address, api })
            }
        }
    }
}

/// Whether the issuer still holds what is to be replaced.
fn is_unfilled(preset: Preset, issuer: &str) -> bool {
    issuer == preset.issuer && issuer.chars().any(char::is_uppercase)
}

/// Providers at which one has logged in before.
fn known(cx: &mut Cx<'_>, ui: &mut Ui, how: How) {
    let providers: Vec<Provider> = cx.state.accounts.book.providers.clone();
    for provider in providers {
        ui.horizontal(|ui| {
            let words = format!("Log in at {}", provider.name);
            if ui.button(words).on_hover_text(provider.address()).clicked() {
                let place = Place::Provider(Box::new(provider.clone()));
                cx.push(Command::Account(AccountCommand::LogIn(place, how)));
            }
            let is_used =
                cx.state.accounts.book.accounts.iter().any(|account| account.provider == provider.id);
            if !is_used
                && icon::Icon::Close.button(ui, &format!("Forget the provider {}", provider.name)).clicked()
            {
                cx.push(Command::Account(AccountCommand::RemoveProvider(provider.id)));
            }
        });
    }
}

/// What the person has to do.
fn going(cx: &mut Cx<'_>, ui: &mut Ui, login: &Login) {
    panel(cx.theme).show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = SPACE[1];
        match &login.step {
            None => widgets::waiting(ui, cx, "Asking where to log in…"),
            Some(LoginStep::Browser { url }) => {
                widgets::waiting(
                    ui,
                    cx,
                    "Log in with the page that has opened in your browser; it has 5 minutes",
                );
                ui.horizontal(|ui| {
                    if ui.button("Open the page again").clicked() {
                        cx.push(Command::Account(AccountCommand::OpenPage(url.clone())));
                    }
                    if ui.button("Copy its address").clicked() {
                        ui.ctx().copy_text(url.clone());
                    }
                });
            }
            Some(LoginStep::Device { address, code, whole, until }) => {
                muted(cx, ui, "On any device, open this address and enter the code:");
                widgets::copyable(ui, "the address", address);
                ui.horizontal(|ui| {
                    ui.label(RichText::new(code).monospace().size(crate::ui::theme::SIZE_NUMBER));
                    if icon::Icon::Copy.button(ui, "Copy the code").clicked() {
                        ui.ctx().copy_text(code.clone());
                    }
                });
                let until = widgets::time(*until);
                widgets::waiting(
                    ui,
                    cx,
                    &format!("Waiting until the code is entered; it is good until {until}"),
                );
                let page = whole.as_ref().unwrap_or(address);
                if ui.button("Open the page here").clicked() {
                    cx.push(Command::Account(AccountCommand::OpenPage(page.clone())));
                }
            }
        }
        if ui.button("Cancel").clicked() {
            cx.push(Command::Account(AccountCommand::Cancel));
        }
    });
}
