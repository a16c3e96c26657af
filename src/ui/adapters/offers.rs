//! What an adapter offers, grouped and searched, and with what it is asked.

use eframe::egui::{Align, ComboBox, Label, Layout, RichText, ScrollArea, TextStyle, Ui};

use crate::app::adapters::{AdapterCommand, Adapters, Prepared, Versions};
use crate::model::adapter::book::AdapterId;
use crate::model::adapter::{AdapterFacts, Category, Operation, OperationRequest};
use crate::model::cluster::ContextKey;
use crate::ui::clusters::name;
use crate::ui::theme::{CONTROL_HEIGHT, SPACE};
use crate::ui::{Cx, widgets};

use super::editor::Editor;

/// Height of the list of versions, in points.
const VERSIONS_HEIGHT: f32 = 280.0;
/// Its width, in points: room for why there are none.
const VERSIONS_WIDTH: f32 = 340.0;

/// What a person has chosen and written so far.
#[derive(Debug, Default)]
pub(super) struct Draft {
    query: String,
    /// None until a person chose: the context in use then.
    contexts: Option<Vec<ContextKey>>,
    namespace: Option<String>,
    version: String,
    editor: Editor,
    shows_body: bool,
}

impl Draft {
    /// That of one mesh is none of another.
    pub(super) fn forget_version(&mut self) {
        self.version.clear();
    }

    pub(super) fn ui(&mut self, cx: &mut Cx<'_>, ui: &mut Ui, id: AdapterId, facts: &AdapterFacts) {
        let contexts = self.contexts(cx);
        let namespace = self.namespace.clone().unwrap_or_else(|| usual_namespace(cx, &contexts));
        self.with(cx, ui, (id, facts), &contexts, &namespace);
        ui.add_space(SPACE[1]);
        let query = self.query.trim().to_lowercase();
        let fits = |operation: &&Operation| {
            query
                .split_whitespace()
                .all(|word| operation.text.to_lowercase().contains(word) || operation.key.contains(word))
        };
        let shown: Vec<&Operation> = facts.operations.iter().filter(fits).collect();
        if shown.is_empty() {
            let (title, words) = match facts.operations.is_empty() {
                true => (
                    "It offers nothing",
                    "Adapters of Meshery offer nothing while they have no way to the Internet.",
                ),
                false => ("Nothing has these words", "Search for other words."),
            };
            widgets::empty_state(ui, cx.theme, title, words, None);
            return;
        }
        if facts.left_out > 0 {
            let words = match facts.left_out {
                1 => "1 more is not listed: it cannot be asked for, or there are too many".to_owned(),
                count => format!("{count} more are not listed: they cannot be asked for, or are too many"),
            };
            widgets::warning(ui, cx.theme, &words);
        }
        ScrollArea::vertical().id_salt("offers").auto_shrink(false).show(ui, |ui| {
            // Room for the bar, so that it covers no button.
            ui.set_max_width(ui.available_width() - SPACE[2]);
            for category in Category::ALL {
                let of: Vec<&&Operation> = shown.iter().filter(|it| it.category == category).collect();
                if of.is_empty() {
                    continue;
                }
                widgets::section(ui, category.words());
                for operation in of {
                    self.row(cx, ui, (id, operation), &contexts, &namespace);
                }
                ui.add_space(SPACE[1]);
            }
        });
    }

    fn contexts(&self, cx: &Cx<'_>) -> Vec<ContextKey> {
        let clusters = &cx.state.clusters;
        let is_there = |key: &ContextKey| clusters.context(key).is_some();
        match &self.contexts {
            Some(chosen) => chosen.iter().filter(|key| is_there(key)).cloned().collect(),
            None => clusters.chosen().filter(|key| is_there(key)).cloned().into_iter().collect(),
        }
    }

    /// Where, and with what.
    fn with(
        &mut self,
        cx: &mut Cx<'_>,
        ui: &mut Ui,
        of: (AdapterId, &AdapterFacts),
        contexts: &[ContextKey],
        namespace: &str,
    ) {
        ui.horizontal(|ui| {
            widgets::caption(ui, cx.theme, "In");
            self.context_menu(cx, ui, contexts);
            widgets::caption(ui, cx.theme, "namespace");
            let mut written = namespace.to_owned();
            let field = widgets::edit(ui, cx.theme, widgets::line(&mut written).desired_width(130.0));
            name(ui, field.id, "Namespace");
            if field.changed() {
                self.namespace = Some(written);
            }
            widgets::caption(ui, cx.theme, "version");
            let line = widgets::line(&mut self.version).hint_text("newest").desired_width(80.0);
            let field = widgets::edit(ui, cx.theme, line);
            name(ui, field.id, "Version of the mesh");
            self.version_menu(cx, ui, of);
        });
        ui.add_space(SPACE[0]);
        ui.horizontal(|ui| {
            let line = widgets::line(&mut self.query).hint_text("Search operations").desired_width(260.0);
            let field = widgets::edit(ui, cx.theme, line);
            name(ui, field.id, "Search operations");
            widgets::checkbox(ui, cx.theme, &mut self.shows_body, "With a manifest, values or parameters")
                .on_hover_text(
                    "YAML: the manifest of a custom operation, values of a chart, parameters of a rule",
                );
        });
        if self.editor.take(cx.state.adapters.manifest.as_ref()) {
            self.shows_body = true;
        }
        if self.shows_body {
            ui.add_space(SPACE[0]);
            self.editor.ui(cx, ui);
        }
    }

    /// Versions to choose from: what the adapter says, or what a built-in one's mesh publishes.
    fn version_menu(&mut self, cx: &mut Cx<'_>, ui: &mut Ui, (id, facts): (AdapterId, &AdapterFacts)) {
        if !Adapters::is_built_in(id) && facts.mesh_versions.is_empty() {
            return;
        }
        let mut chosen = None;
        let menu = ui.menu_button("Versions…", |ui| {
            ui.set_min_width(VERSIONS_WIDTH);
            let known = cx.state.adapters.versions.get(&id);
            match known.filter(|_| Adapters::is_built_in(id)) {
                None if Adapters::is_built_in(id) => cx.adapter(AdapterCommand::AskVersions(id)),
                Some(Versions::Asked) => widgets::waiting(ui, cx, "Asking helm…"),
                Some(Versions::Failed(reason)) => {
                    widgets::warning(ui, cx.theme, reason);
                    if ui.button("Ask again").clicked() {
                        cx.adapter(AdapterCommand::AskVersions(id));
                    }
                }
                None | Some(Versions::Known(_)) => {}
            }
            let listed = versions(facts, known);
            let scrolled =
                ScrollArea::vertical().max_height(VERSIONS_HEIGHT).min_scrolled_height(VERSIONS_HEIGHT);
            scrolled.show(ui, |ui| {
                for (version, words) in listed {
                    if ui.button(words).clicked() {
                        chosen = Some(version);
                        ui.close();
                    }
                }
            });
        });
        if let Some(version) = chosen {
            self.version = version;
        }
        name(ui, menu.response.id, "Versions to choose from");
    }

    fn context_menu(&mut self, cx: &Cx<'_>, ui: &mut Ui, contexts: &[ContextKey]) {
        let clusters = &cx.state.clusters;
        let titles: Vec<&str> = contexts.iter().map(|key| clusters.book.title(key)).collect();
        let shown = if titles.is_empty() { "no context".to_owned() } else { titles.join(", ") };
        let combo = ComboBox::from_id_salt("contexts").selected_text(shown).width(200.0);
        let combo = combo.close_behavior(eframe::egui::PopupCloseBehavior::CloseOnClickOutside);
        let drawn = combo.show_ui(ui, |ui| {
            let mut chosen = contexts.to_vec();
            for context in clusters.contexts.iter().filter(|context| context.problems.is_empty()) {
                let mut is_in = chosen.contains(&context.key);
                if widgets::checkbox(ui, cx.theme, &mut is_in, clusters.book.title(&context.key)).changed() {
                    chosen.retain(|key| *key != context.key);
                    if is_in {
                        chosen.push(context.key.clone());
                    }
                }
            }
            chosen
        });
        name(ui, drawn.response.id, "Contexts in which it is done");
        if let Some(chosen) = drawn.inner.filter(|chosen| *chosen != contexts) {
            self.contexts = Some(chosen);
        }
    }

    fn row(
        &mut self,
        cx: &mut Cx<'_>,
        ui: &mut Ui,
        (adapter, operation): (AdapterId, &Operation),
        contexts: &[ContextKey],
        namespace: &str,
    ) {
        let is_validation = operation.category == Category::Validate;
        ui.horizontal(|ui| {
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let ready = if contexts.is_empty() {
                    Err("Choose a context first, on the Clusters page")
                } else {
                    Ok(())
                };
                let mut asked = None;
                if !is_validation {
                    let undo = ui.add_enabled_ui(ready.is_ok(), |ui| ui.button("Remove…")).inner;
                    name(ui, undo.id, &format!("Remove {}", operation.text));
                    asked = undo.clicked().then_some(true);
                }
                let words = if is_validation { "Check…" } else { "Apply…" };
                let carry_out = ui.add_enabled_ui(ready.is_ok(), |ui| ui.button(words)).inner;
                name(ui, carry_out.id, &format!("{} {}", words.trim_end_matches('…'), operation.text));
                if let Err(reason) = ready {
                    carry_out.clone().on_disabled_hover_text(reason);
                }
                if carry_out.clicked() {
                    asked = Some(false);
                }
                let needs_manifest = operation.category == Category::Custom;
                if asked.is_some()
                    && needs_manifest
                    && (!self.shows_body || self.editor.text.trim().is_empty())
                {
                    // There is nothing to do it with yet: here is where it is written.
                    self.shows_body = true;
                    asked = None;
                }
                if let Some(removes) = asked {
                    let request = OperationRequest {
                        key: operation.key.clone(),
                        namespace: namespace.trim().to_owned(),
                        removes,
                        body: if self.shows_body { self.editor.text.clone() } else { String::new() },
                        version: self.version.trim().to_owned(),
                        ..OperationRequest::default()
                    };
                    let (operation, contexts) = (operation.clone(), contexts.to_vec());
                    let prepared = Prepared { adapter, operation, request, contexts };
                    cx.adapter(AdapterCommand::Prepare(Box::new(prepared)));
                }
                ui.with_layout(Layout::top_down(Align::Min), |ui| {
                    let (words, note) = with_note(&operation.text);
                    ui.spacing_mut().item_spacing.y = 0.0;
                    ui.add_space((CONTROL_HEIGHT - ui.text_style_height(&TextStyle::Body)) / 2.0);
                    ui.add(Label::new(words).truncate()).on_hover_text(&*operation.text);
                    if let Some(note) = note {
                        let note = RichText::new(note).small().color(cx.theme.text_muted);
                        ui.add(Label::new(note).truncate()).on_hover_text(&*operation.text);
                    }
                });
            });
        });
    }
}

/// Versions with the words for each, the adapter's own choice first.
fn versions(facts: &AdapterFacts, known: Option<&Versions>) -> Vec<(String, String)> {
    let own = facts.mesh_versions.iter().map(|version| (version.clone(), version.clone()));
    let known = match known {
        Some(Versions::Known(known)) => known.as_slice(),
        _ => &[],
    };
    let of_charts = known.iter().map(|(chart, app)| {
        let words = match app.is_empty() || app.trim_start_matches('v') == chart {
            true => chart.clone(),
            false => format!("{chart} (installs {app})"),
        };
        (chart.clone(), words)
    });
    [(String::new(), "newest".to_owned())].into_iter().chain(own).chain(of_charts).collect()
}

/// What an operation does, and what it takes where that is said at its end in brackets.
fn with_note(text: &str) -> (&str, Option<&str>) {
    let note = text.strip_suffix(')').and_then(|text| text.rsplit_once(" ("));
    note.map_or((text, None), |(words, note)| (words, Some(note)))
}

/// Of the first context, or else what Kubernetes calls so.
fn usual_namespace(cx: &Cx<'_>, contexts: &[ContextKey]) -> String {
    let first = contexts.first().and_then(|key| cx.state.clusters.context(key));
    first.map_or_else(|| "default".to_owned(), |context| context.namespace.clone())
}
