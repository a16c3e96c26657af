//! Publishing of a run to a remote provider of Meshery.

use eframe::egui::{CornerRadius, Frame, Label, Margin, RichText, Stroke, Ui};

use crate::app::Command;
use crate::app::publish::{PublishCommand, PublishOrder};
use crate::app::publishing::{PROFILE, VoidRuns};
use crate::model::Run;
use crate::ui::theme::{CORNER, SPACE};
use crate::ui::widgets::{self, Field};
use crate::ui::{Cx, icon};

const ABOUT: &str = "One way: the run’s name, time, target and latency figures go to a remote provider of Meshery, as \
                     a result of Fortio. Experimental: it was never held against a real one.";

/// What is being written.
#[derive(Debug, Default)]
pub(super) struct PublishForm {
    pub(super) is_shown: bool,
    /// None until it is changed: then it is that of last time.
    address: Option<String>,
    profile: String,
    void_too: bool,
}

/// Draws it, where it was asked for.
pub(super) fn ui(cx: &mut Cx<'_>, ui: &mut Ui, form: &mut PublishForm, run: &Run) {
    if !form.is_shown {
        return;
    }
    let frame = Frame::new()
        .fill(cx.theme.surface)
        .stroke(Stroke::new(1.0, cx.theme.border))
        .corner_radius(CornerRadius::same(CORNER))
        .inner_margin(Margin::symmetric(12, 8));
    frame.show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        ui.spacing_mut().item_spacing.y = SPACE[1];
        widgets::section(ui, "Publish to Meshery (experimental)");
        ui.add(Label::new(RichText::new(ABOUT).color(cx.theme.text_muted)).wrap());
        if cx.state.publish.going.is_some_and(|sending| sending.run == run.id) {
            widgets::waiting(ui, cx, "Publishing…");
            if ui.button("Cancel").clicked() {
                cx.push(Command::Publish(PublishCommand::Cancel));
            }
            return;
        }
        if let Some(trouble) = cx.state.publish.trouble.clone()
            && widgets::failure(ui, cx.theme, "The run was not published", &trouble, Some("Close"))
        {
            cx.push(Command::Publish(PublishCommand::DismissTrouble));
        }
        if let Some((id, done)) = &cx.state.publish.done
            && *id == run.id
        {
            let result = done.result.as_deref().unwrap_or("without an id");
            ui.add(
                Label::new(format!("Published as “{}” to {}: result {result}", done.name, done.address))
                    .wrap(),
            );
        }
        fields(cx, ui, form, run);
    });
    ui.add_space(SPACE[1]);
}

fn fields(cx: &mut Cx<'_>, ui: &mut Ui, form: &mut PublishForm, run: &Run) {
    let address = form.address.get_or_insert_with(|| cx.state.publish.address.clone());
    ui.horizontal_top(|ui| {
        let hint = "https://meshery.example.org";
        let field = Field { name: "Remote provider", hint, unit: "", reason: None, width: 320.0 };
        widgets::field(ui, cx.theme, field, address);
        let field = Field { name: "Profile", hint: PROFILE, unit: "", reason: None, width: 180.0 };
        widgets::field(ui, cx.theme, field, &mut form.profile);
    });
    ui.horizontal(|ui| {
        if ui.button("Token file…").on_hover_text("Meshery’s auth.json, as mesheryctl keeps it").clicked()
        {
            cx.push(Command::Publish(PublishCommand::PickTokenFile));
        }
        match &cx.state.publish.token_file {
            Some(path) => {
                ui.label(path.display().to_string());
                if icon::Icon::Close.button(ui, "Use the login in the keyring").clicked() {
                    cx.push(Command::Publish(PublishCommand::ForgetTokenFile));
                }
            }
            None => {
                let words = "The login in the system’s keyring, from last time";
                ui.label(RichText::new(words).color(cx.theme.text_muted));
            }
        }
    });
    if run.is_void() {
        let words = "Publish it though it is void, with a mark in its name";
        widgets::checkbox(ui, cx.theme, &mut form.void_too, words);
    }
    let ready = if address.trim().is_empty() {
        Err("Write the address of the remote provider first")
    } else if run.is_void() && !form.void_too {
        Err("The run is void: its numbers must not be used")
    } else if cx.state.publish.going.is_some() {
        Err("Another run is on its way")
    } else {
        Ok(())
    };
    ui.horizontal(|ui| {
        if widgets::button_if(ui, "Publish", ready) {
            let profile = Some(form.profile.trim().to_owned()).filter(|profile| !profile.is_empty());
            let void = if form.void_too { VoidRuns::Marked } else { VoidRuns::Refused };
            let address = address.trim().to_owned();
            cx.push(Command::Publish(PublishCommand::Send(PublishOrder {
                run: run.id,
                address,
                profile,
                void,
            })));
        }
        if ui.button("Close").clicked() {
            form.is_shown = false;
        }
    });
}
