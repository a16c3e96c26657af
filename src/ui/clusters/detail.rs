//! The chosen context: how its connection stands, what was chosen for it, and what its cluster holds.

use eframe::egui::{Label, RichText, Ui};

use crate::app::clusters::ClusterCommand;
use crate::model::cluster::{ClusterContext, Connection, ContextChoice, Trouble};
use crate::model::number;
use crate::ui::theme::SPACE;
use crate::ui::{Cx, widgets};

use super::contexts::{dot, remark, state_words};
use super::{COLOURS, ClustersPage, TABS, Tab, name};

impl ClustersPage {
    pub(super) fn detail(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        let Some(key) = cx.state.clusters.chosen().cloned() else {
            widgets::empty_state(
                ui,
                cx.theme,
                "Choose a context",
                "Meshbench connects to it, and shows what its cluster holds. kubectl’s own context stays as it is.",
                None,
            );
            return;
        };
        let Some(context) = cx.state.clusters.context(&key).cloned() else {
            let words = format!("{} is in no kubeconfig any more. Choose another context.", key.name);
            widgets::empty_state(ui, cx.theme, "This context is gone", &words, None);
            return;
        };
        self.head(cx, ui, &context);
        ui.add_space(SPACE[1]);
        let connection = cx.state.clusters.connection(&key).clone();
        let has_seen = cx.state.clusters.links.get(&key).is_some_and(|link| link.seen.is_some());
        match &connection {
            Connection::None => {
                if widgets::empty_state(ui, cx.theme, "Not connected", "", Some("Connect")) {
                    cx.cluster(ClusterCommand::Connect(key));
                }
                return;
            }
            Connection::Connecting if !has_seen => return widgets::waiting(ui, cx, "Connecting…"),
            Connection::NeedsConsent(_) => {
                let words = "Its login needs your word before anything is run or sent.";
                if widgets::empty_state(
                    ui,
                    cx.theme,
                    "Waits for your word",
                    words,
                    Some("Show what it asks for…"),
                ) {
                    cx.cluster(ClusterCommand::Connect(key));
                }
                return;
            }
            Connection::Failed(trouble) => {
                if failure(cx, ui, trouble) {
                    cx.cluster(ClusterCommand::Connect(key.clone()));
                }
                if !has_seen {
                    return;
                }
                widgets::caption(ui, cx.theme, "What was seen last:");
            }
            Connection::Connecting | Connection::Connected(_) => {}
        }
        self.tabs(cx, ui);
        ui.add_space(SPACE[1]);
        match self.tab {
            Tab::Overview => super::overview::ui(cx, ui, &key),
            Tab::Meshes => super::meshes::ui(cx, ui, &key),
            tab => self.list(cx, ui, &key, tab),
        }
    }

    fn head(&mut self, cx: &mut Cx<'_>, ui: &mut Ui, context: &ClusterContext) {
        let key = &context.key;
        let connection = cx.state.clusters.connection(key).clone();
        let title = cx.state.clusters.book.title(key).to_owned();
        ui.horizontal(|ui| {
            let (rect, _) =
                ui.allocate_exact_size(eframe::egui::Vec2::splat(14.0), eframe::egui::Sense::hover());
            dot(ui, cx, rect.center(), &connection);
            widgets::heading(ui, &title);
            let choice = cx.state.clusters.book.choice(key);
            if choice.is_production {
                ui.label(RichText::new("production").color(cx.theme.error).strong());
            }
            ui.label(RichText::new(state_words(&connection)).color(cx.theme.text_muted));
            if let Connection::Connected(facts) = &connection {
                let words = format!(
                    "{} · answers in {}",
                    facts.version,
                    number::millis(facts.latency.as_secs_f64() * 1e3)
                );
                ui.label(RichText::new(words).color(cx.theme.text_muted));
            }
            ui.with_layout(eframe::egui::Layout::right_to_left(eframe::egui::Align::Center), |ui| {
                self.choices(cx, ui, context, choice);
                if cx.state.clusters.links.contains_key(key) && ui.button("Disconnect").clicked() {
                    cx.cluster(ClusterCommand::Disconnect(key.clone()));
                }
            });
        });
        let place =
            format!("{} · namespace {} · {}", context.server, context.namespace, context.login.words());
        ui.add(Label::new(RichText::new(place).small().color(cx.theme.text_muted)).truncate());
        let mut notes: Vec<String> =
            context.problems.iter().map(|problem| format!("It cannot be used: {problem}")).collect();
        if context.is_insecure {
            notes.push("The server’s certificate is not looked at (insecure-skip-tls-verify): anybody on the way can read and change what is sent".to_owned());
        }
        notes.extend(remark(context));
        let notes: Vec<&str> = notes.iter().map(String::as_str).collect();
        widgets::notes(ui, cx.theme, None, &notes);
    }

    /// Name, colour, favourite and production, of one's own.
    fn choices(&mut self, cx: &mut Cx<'_>, ui: &mut Ui, context: &ClusterContext, choice: ContextChoice) {
        ui.menu_button("Edit…", |ui| {
            ui.set_min_width(220.0);
            let mut new = choice.clone();
            widgets::caption(ui, cx.theme, "Called");
            if self.alias.as_ref().is_none_or(|(key, _)| *key != context.key) {
                self.alias = Some((context.key.clone(), choice.alias.clone()));
            }
            if let Some((_, alias)) = &mut self.alias {
                let field = widgets::line(alias).hint_text(&context.key.name).desired_width(200.0);
                let field = widgets::edit(ui, cx.theme, field);
                name(ui, field.id, "Called");
                if field.lost_focus() {
                    new.alias.clone_from(alias);
                }
            }
            widgets::checkbox(ui, cx.theme, &mut new.is_favourite, "Favourite: listed first");
            widgets::checkbox(
                ui,
                cx.theme,
                &mut new.is_production,
                "Production: red, and asked about before load is sent",
            );
            widgets::caption(ui, cx.theme, "Colour");
            ui.horizontal_wrapped(|ui| {
                for (colour, words) in COLOURS {
                    ui.selectable_value(&mut new.colour, colour, words);
                }
            });
            if new != choice {
                cx.cluster(ClusterCommand::Describe(context.key.clone(), new));
            }
        });
    }

    fn tabs(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        let mut tab = self.tab;
        widgets::segmented(ui, cx.theme, "What of the cluster is on show", &mut tab, &TABS);
        self.tab = tab;
    }
}

/// Why there is no connection; whether it is to be tried again now.
fn failure(cx: &Cx<'_>, ui: &mut Ui, trouble: &Trouble) -> bool {
    let reason = format!("{}\n{}\nIt is tried again by itself.", trouble.cause, trouble.advice);
    widgets::failure(ui, cx.theme, &trouble.title, &reason, Some("Try now"))
}
