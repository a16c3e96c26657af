//! Services, workloads, pods and namespaces as tables: searched once for each change, and only rows in sight are drawn.

use eframe::egui::{Align, Button, Label, Layout, RichText, TextStyle, Ui};
use egui_extras::{Column, TableBuilder};

use crate::app::clusters::{Aim, ClusterCommand, WayIn};
use crate::model::cluster::ContextKey;
use crate::model::inventory::{Container, Inventory, Pod, Port, Service, ServiceKind};
use crate::model::mesh::{injection, meshes_of};
use crate::model::number;
use crate::model::plan::TargetKind;
use crate::ui::theme::SPACE;
use crate::ui::{Cx, widgets};

use super::{ClustersPage, Tab, meshes, name};

/// Height of a row, in points.
const ROW: f32 = 28.0;

/// What is searched for, and which rows that leaves.
#[derive(Debug, Default)]
pub(super) struct View {
    query: String,
    namespace: String,
    key: Option<(ContextKey, Tab, u64, String, String)>,
    rows: Vec<usize>,
}

impl ClustersPage {
    pub(super) fn list(&mut self, cx: &mut Cx<'_>, ui: &mut Ui, key: &ContextKey, tab: Tab) {
        let link = cx.state.clusters.links.get(key);
        let Some((seen, revision)) = link.and_then(|link| Some((link.seen.clone()?, link.revision))) else {
            return widgets::waiting(ui, cx, "Listing…");
        };
        self.view.toolbar(cx, ui, &seen, tab);
        self.view.update(key, tab, revision, &seen);
        if self.view.rows.is_empty() {
            let (title, words) = match (count(&seen, tab), seen.is_whole) {
                (0, false) => ("Listing…", ""),
                (0, true) => {
                    ("None was seen", "The cluster has none, or you may not list them; see the overview.")
                }
                _ => ("Nothing has these words", "Search for other words, or in all namespaces."),
            };
            widgets::empty_state(ui, cx.theme, title, words, None);
            return;
        }
        ui.add_space(SPACE[0]);
        let rows = &self.view.rows;
        match tab {
            Tab::Services => services(cx, ui, key, &seen, rows),
            Tab::Workloads => workloads(cx, ui, &seen, rows),
            Tab::Pods => pods(cx, ui, key, &seen, rows),
            Tab::Namespaces => namespaces(cx, ui, &seen, rows),
            Tab::Overview | Tab::Meshes => {}
        }
    }
}

impl View {
    fn toolbar(&mut self, cx: &Cx<'_>, ui: &mut Ui, seen: &Inventory, tab: Tab) {
        ui.horizontal(|ui| {
            let field =
                widgets::line(&mut self.query).hint_text("Search name, label, image").desired_width(260.0);
            let field = widgets::edit(ui, cx.theme, field);
            name(ui, field.id, "Search this list");
            if tab != Tab::Namespaces {
                let chosen = if self.namespace.is_empty() { "All namespaces" } else { &self.namespace };
                let combo =
                    eframe::egui::ComboBox::from_id_salt("namespace").selected_text(chosen).width(180.0);
                let combo = combo.show_ui(ui, |ui| {
                    let mut picked = self.namespace.clone();
                    ui.selectable_value(&mut picked, String::new(), "All namespaces");
                    for namespace in seen.namespaces.iter() {
                        ui.selectable_value(&mut picked, namespace.name.clone(), &namespace.name);
                    }
                    picked
                });
                name(ui, combo.response.id, "Namespace");
                if let Some(picked) = combo.inner {
                    self.namespace = picked;
                }
            }
            let (shown, all) = (self.rows.len(), count(seen, tab));
            let words = if shown == all {
                number::count(all as u64)
            } else {
                format!("{} of {}", number::count(shown as u64), number::count(all as u64))
            };
            ui.label(RichText::new(words).color(cx.theme.text_muted));
        });
    }

    /// Searches again where something changed.
    fn update(&mut self, key: &ContextKey, tab: Tab, revision: u64, seen: &Inventory) {
        let now = (key.clone(), tab, revision, self.query.trim().to_lowercase(), self.namespace.clone());
        if self.key.as_ref() == Some(&now) {
            return;
        }
        let words: Vec<&str> = now.3.split_whitespace().collect();
        // Of thousands of objects, texts are made only where someone searches.
        let has = |text: &dyn Fn() -> String| {
            words.is_empty() || {
                let text = text().to_lowercase();
                words.iter().all(|word| text.contains(word))
            }
        };
        let is_in = |namespace: &str| self.namespace.is_empty() || self.namespace == namespace;
        let labels = |labels: &crate::model::inventory::Marks| -> String {
            labels.iter().map(|(key, value)| format!("{key}={value} ")).collect()
        };
        let images = |containers: &[Container]| -> String {
            containers.iter().map(|container| format!("{} ", container.image)).collect()
        };
        let all = 0..count(seen, tab);
        self.rows = all
            .filter(|at| match tab {
                Tab::Services => {
                    let it = &seen.services[*at];
                    let text = || format!("{} {} {}", it.name, it.namespace, labels(&it.labels));
                    is_in(&it.namespace) && has(&text)
                }
                Tab::Workloads => {
                    let it = &seen.workloads[*at];
                    let images = || images(&it.containers);
                    let text = || format!("{} {} {} {}", it.name, it.namespace, labels(&it.labels), images());
                    is_in(&it.namespace) && has(&text)
                }
                Tab::Pods => {
                    let it = &seen.pods[*at];
                    let of = || labels(&it.labels) + &images(&it.containers);
                    let text = || format!("{} {} {} {} {}", it.name, it.namespace, it.phase, it.node, of());
                    is_in(&it.namespace) && has(&text)
                }
                Tab::Namespaces => {
                    let it = &seen.namespaces[*at];
                    has(&|| format!("{} {}", it.name, labels(&it.labels)))
                }
                Tab::Overview | Tab::Meshes => false,
            })
            .collect();
        self.key = Some(now);
    }
}

fn count(seen: &Inventory, tab: Tab) -> usize {
    match tab {
        Tab::Services => seen.services.len(),
        Tab::Workloads => seen.workloads.len(),
        Tab::Pods => seen.pods.len(),
        Tab::Namespaces => seen.namespaces.len(),
        Tab::Overview | Tab::Meshes => 0,
    }
}

/// A table: titles with widths (0 for what is left), and what to draw in a cell of a row.
fn table(
    ui: &mut Ui,
    cx: &Cx<'_>,
    id: &str,
    columns: &[(&str, f32)],
    rows: usize,
    mut cell: impl FnMut(&mut Ui, usize, usize),
) {
    ui.spacing_mut().item_spacing = eframe::egui::vec2(10.0, 0.0);
    let mut builder = TableBuilder::new(ui)
        .id_salt(id)
        .striped(false)
        .cell_layout(Layout::left_to_right(Align::Center))
        .auto_shrink(false);
    for (_, width) in columns {
        builder = builder.column(match *width {
            0.0 => Column::remainder().clip(true).at_least(120.0),
            width => Column::exact(width).clip(true),
        });
    }
    let drawn = builder.header(ROW, |mut row| {
        for (title, _) in columns {
            row.col(|ui| {
                ui.label(RichText::new(*title).text_style(TextStyle::Small).color(cx.theme.text_muted));
            });
        }
    });
    drawn.body(|body| {
        body.rows(ROW, rows, |mut row| {
            let at = row.index();
            for column in 0..columns.len() {
                row.col(|ui| cell(ui, at, column));
            }
        });
    });
}

fn text(ui: &mut Ui, words: &str) {
    ui.add(Label::new(words).truncate());
}

fn quiet(ui: &mut Ui, cx: &Cx<'_>, words: &str) {
    ui.add(Label::new(RichText::new(words).color(cx.theme.text_muted)).truncate());
}

fn services(cx: &mut Cx<'_>, ui: &mut Ui, key: &ContextKey, seen: &Inventory, rows: &[usize]) {
    let columns = [
        ("Namespace", 130.0),
        ("Service", 0.0),
        ("Kind", 96.0),
        ("Ports", 150.0),
        ("Outside", 130.0),
        ("", 104.0),
    ];
    let mut aimed = None;
    table(ui, cx, "services", &columns, rows.len(), |ui, at, column| {
        let service = &seen.services[rows[at]];
        match column {
            0 => quiet(ui, cx, &service.namespace),
            1 => text(ui, &service.name),
            2 => quiet(ui, cx, kind(service.kind)),
            3 => quiet(ui, cx, &ports(service)),
            4 => quiet(ui, cx, &service.external.join(", ")),
            _ => {
                let ways = |port: &Port| cx.state.clusters.ways(key, service, port);
                if let Some((port, url)) = load_button(ui, service, ways) {
                    aimed = Some(Aim {
                        context: key.clone(),
                        kind: TargetKind::Service,
                        namespace: service.namespace.clone(),
                        name: service.name.clone(),
                        port,
                        url,
                    });
                }
            }
        }
    });
    if let Some(aim) = aimed {
        cx.cluster(ClusterCommand::Aim(aim));
    }
}

/// The port that is to be sent load and, where there are several ways to it, the URL of one, once they were chosen.
fn load_button(
    ui: &mut Ui,
    service: &Service,
    ways: impl Fn(&Port) -> Vec<WayIn>,
) -> Option<(u16, Option<String>)> {
    let open: Vec<&Port> = service.ports.iter().filter(|port| port.is_tcp).collect();
    let spoken = |ui: &Ui, id| name(ui, id, &format!("Load test {}/{}", service.namespace, service.name));
    match open.as_slice() {
        [] => {
            ui.add_enabled(false, Button::new("Load test…")).on_disabled_hover_text("It has no TCP port");
            None
        }
        [port] if ways(port).len() < 2 => {
            let button = ui.button("Load test…");
            spoken(ui, button.id);
            button.clicked().then_some((port.port, None))
        }
        several => {
            let mut chosen = None;
            let menu = ui.menu_button("Load test…", |ui| {
                for port in several {
                    let ways = ways(port);
                    if ways.len() < 2 {
                        if ui.button(port_words(port)).clicked() {
                            chosen = Some((port.port, None));
                            ui.close();
                        }
                        continue;
                    }
                    for way in ways {
                        let words = format!("{}, {}", port_words(port), way.words);
                        if ui.button(words).on_hover_text(&way.url).clicked() {
                            chosen = Some((port.port, Some(way.url)));
                            ui.close();
                        }
                    }
                }
            });
            spoken(ui, menu.response.id);
            chosen
        }
    }
}

fn port_words(port: &Port) -> String {
    if port.name.is_empty() { port.port.to_string() } else { format!("{} {}", port.port, port.name) }
}

fn ports(service: &Service) -> String {
    service.ports.iter().map(port_words).collect::<Vec<_>>().join(", ")
}

fn kind(kind: ServiceKind) -> &'static str {
    match kind {
        ServiceKind::ClusterIp => "ClusterIP",
        ServiceKind::Headless => "Headless",
        ServiceKind::NodePort => "NodePort",
        ServiceKind::LoadBalancer => "LoadBalancer",
        ServiceKind::ExternalName => "ExternalName",
    }
}

fn workloads(cx: &Cx<'_>, ui: &mut Ui, seen: &Inventory, rows: &[usize]) {
    let columns =
        [("Namespace", 130.0), ("Workload", 0.0), ("Kind", 96.0), ("Ready", 72.0), ("Images", 320.0)];
    table(ui, cx, "workloads", &columns, rows.len(), |ui, at, column| {
        let workload = &seen.workloads[rows[at]];
        match column {
            0 => quiet(ui, cx, &workload.namespace),
            1 => text(ui, &workload.name),
            2 => quiet(ui, cx, workload.kind.name()),
            3 => {
                let words = format!("{}/{}", workload.ready, workload.wanted);
                let ink = if workload.ready < workload.wanted { cx.theme.warning } else { cx.theme.text };
                ui.label(RichText::new(words).color(ink));
            }
            _ => {
                let images: Vec<&str> =
                    workload.containers.iter().map(|container| container.image.as_str()).collect();
                quiet(ui, cx, &images.join(", "));
            }
        }
    });
}

/// The port of a pod that is to be sent load, once one was chosen.
fn pod_button(ui: &mut Ui, pod: &Pod) -> Option<u16> {
    let ports: Vec<_> = pod.containers.iter().flat_map(|container| &container.ports).collect();
    let spoken = |ui: &Ui, id| name(ui, id, &format!("Load test pod {}/{}", pod.namespace, pod.name));
    match ports.as_slice() {
        [] => {
            let words = "Its containers name no TCP port: send load to its Service";
            ui.add_enabled(false, Button::new("Load test…")).on_disabled_hover_text(words);
            None
        }
        [port] => {
            let button = ui.button("Load test…");
            spoken(ui, button.id);
            button.clicked().then_some(port.port)
        }
        several => {
            let mut chosen = None;
            let menu = ui.menu_button("Load test…", |ui| {
                for port in several {
                    if ui.button(format!("{} {}", port.port, port.name)).clicked() {
                        chosen = Some(port.port);
                        ui.close();
                    }
                }
            });
            spoken(ui, menu.response.id);
            chosen
        }
    }
}

fn pods(cx: &mut Cx<'_>, ui: &mut Ui, key: &ContextKey, seen: &Inventory, rows: &[usize]) {
    let columns =
        [("Namespace", 130.0), ("Pod", 0.0), ("State", 130.0), ("Mesh", 96.0), ("Node", 104.0), ("", 104.0)];
    let mut aimed = None;
    table(ui, cx, "pods", &columns, rows.len(), |ui, at, column| {
        let pod = &seen.pods[rows[at]];
        match column {
            0 => quiet(ui, cx, &pod.namespace),
            1 => {
                let label = ui.add(Label::new(&*pod.name).truncate());
                if !pod.owner.is_empty() {
                    label.on_hover_text(format!("Kept going by {}", pod.owner));
                }
            }
            2 => {
                let (words, ink) = match (pod.is_ready, pod.phase.as_str()) {
                    (true, "Running") => ("Ready".to_owned(), cx.theme.text),
                    (_, phase @ ("Succeeded" | "Terminating")) => (phase.to_owned(), cx.theme.text_muted),
                    (false, "Running") => ("Running, not ready".to_owned(), cx.theme.warning),
                    (_, phase) => (phase.to_owned(), cx.theme.warning),
                };
                ui.add(Label::new(RichText::new(words).color(ink)).truncate());
            }
            3 => {
                let names: Vec<&str> = meshes_of(pod).into_iter().map(|kind| kind.name()).collect();
                text(ui, &names.join(", "));
            }
            4 => quiet(ui, cx, &pod.node),
            _ => {
                if let Some(port) = pod_button(ui, pod) {
                    aimed = Some(Aim {
                        context: key.clone(),
                        kind: TargetKind::Pod,
                        namespace: pod.namespace.clone(),
                        name: pod.name.clone(),
                        port,
                        url: None,
                    });
                }
            }
        }
    });
    if let Some(aim) = aimed {
        cx.cluster(ClusterCommand::Aim(aim));
    }
}

fn namespaces(cx: &Cx<'_>, ui: &mut Ui, seen: &Inventory, rows: &[usize]) {
    let columns = [("Namespace", 0.0), ("Injection", 420.0)];
    table(ui, cx, "namespaces", &columns, rows.len(), |ui, at, column| {
        let namespace = &seen.namespaces[rows[at]];
        if column == 0 {
            return text(ui, &namespace.name);
        }
        let told: Vec<String> = injection(namespace)
            .into_iter()
            .map(|injection| format!("{}: {}", injection.mesh.name(), meshes::words(&injection.how)))
            .collect();
        if told.is_empty() { quiet(ui, cx, "not said") } else { text(ui, &told.join(", ")) }
    });
}
