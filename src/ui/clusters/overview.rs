//! A cluster at a glance: who we are there, what we may do, its nodes, and what could not be seen.

use eframe::egui::{Grid, Label, RichText, ScrollArea, Ui};

use crate::model::cluster::{ClusterFacts, Connection, ContextKey, Node, Right};
use crate::model::inventory::Inventory;
use crate::model::number;
use crate::ui::theme::SPACE;
use crate::ui::{Cx, icon::Icon, widgets};

const ICON: f32 = 14.0;

pub(super) fn ui(cx: &mut Cx<'_>, ui: &mut Ui, key: &ContextKey) {
    let Some(link) = cx.state.clusters.links.get(key) else { return };
    ScrollArea::vertical().id_salt("overview").auto_shrink(false).show(ui, |ui| {
        if let Some(seen) = &link.seen {
            counts(ui, cx, seen);
            gaps(ui, cx, seen);
        }
        let Connection::Connected(facts) = &link.connection else { return };
        let remarks: Vec<&str> = facts.remarks.iter().map(String::as_str).collect();
        widgets::notes(ui, cx.theme, None, &remarks);
        identity(ui, cx, facts);
        ui.add_space(SPACE[2]);
        rights(ui, cx, &facts.rights);
        ui.add_space(SPACE[2]);
        nodes(ui, cx, facts);
    });
}

fn counts(ui: &mut Ui, cx: &Cx<'_>, seen: &Inventory) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = SPACE[4];
        for (what, count) in [
            ("meshes", seen.meshes.len()),
            ("services", seen.services.len()),
            ("workloads", seen.workloads.len()),
            ("pods", seen.pods.len()),
            ("namespaces", seen.namespaces.len()),
        ] {
            widgets::stat(ui, cx.theme, what, &number::count(count as u64));
        }
        if !seen.is_whole {
            widgets::caption(ui, cx.theme, "still listing…");
        }
    });
    ui.add_space(SPACE[2]);
}

fn gaps(ui: &mut Ui, cx: &Cx<'_>, seen: &Inventory) {
    let words: Vec<String> = seen
        .gaps
        .iter()
        .map(|gap| {
            if gap.is_passing {
                format!("{}: {}; it is tried again", gap.what, gap.reason)
            } else {
                gap.reason.clone()
            }
        })
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    widgets::notes(ui, cx.theme, None, &words);
}

fn identity(ui: &mut Ui, cx: &Cx<'_>, facts: &ClusterFacts) {
    widgets::section(ui, "You are");
    match &facts.identity {
        Some(identity) => {
            ui.label(&identity.user);
            if !identity.groups.is_empty() {
                let groups = format!("in {}", identity.groups.join(", "));
                ui.add(Label::new(RichText::new(groups).small().color(cx.theme.text_muted)).wrap());
            }
        }
        None => {
            let words =
                "The cluster does not tell: it is older than Kubernetes 1.28, or does not let you ask";
            ui.label(RichText::new(words).color(cx.theme.text_muted));
        }
    }
}

fn rights(ui: &mut Ui, cx: &Cx<'_>, rights: &[Right]) {
    widgets::section(ui, "You may");
    Grid::new("rights").num_columns(3).spacing([SPACE[2], SPACE[0]]).show(ui, |ui| {
        for right in rights {
            let (icon, ink, words) = match right.is_allowed {
                Some(true) => (Icon::Good, cx.theme.good, "yes"),
                Some(false) => (Icon::Close, cx.theme.error, "no"),
                None => (Icon::About, cx.theme.text_muted, "not known"),
            };
            ui.horizontal(|ui| {
                icon.show(ui, ICON, ink);
                ui.label(RichText::new(words).color(cx.theme.text_muted));
            });
            ui.label(right.what);
            ui.label(RichText::new(right.why).color(cx.theme.text_muted));
            ui.end_row();
        }
    });
}

fn nodes(ui: &mut Ui, cx: &Cx<'_>, facts: &ClusterFacts) {
    widgets::section(ui, "Nodes");
    let nodes = match &facts.nodes {
        Ok(nodes) if nodes.is_empty() => {
            ui.label(RichText::new("There are none").color(cx.theme.text_muted));
            return;
        }
        Ok(nodes) => nodes,
        Err(reason) => {
            ui.label(RichText::new(reason).color(cx.theme.text_muted));
            return;
        }
    };
    ScrollArea::horizontal().id_salt("nodes").show(ui, |ui| {
        Grid::new("nodes").num_columns(8).spacing([SPACE[3], SPACE[0]]).striped(false).show(ui, |ui| {
            for heading in ["Node", "Roles", "Ready", "CPUs", "Memory", "Kubelet", "Runtime", "System"] {
                widgets::caption(ui, cx.theme, heading);
            }
            ui.end_row();
            for node in nodes {
                row(ui, cx, node);
            }
        });
    });
}

fn row(ui: &mut Ui, cx: &Cx<'_>, node: &Node) {
    let gib = |bytes: u64| bytes as f64 / f64::from(1u32 << 30);
    ui.label(&node.name);
    ui.label(if node.roles.is_empty() { number::UNKNOWN.to_owned() } else { node.roles.join(", ") });
    let (words, ink) = if node.is_ready { ("ready", cx.theme.text) } else { ("not ready", cx.theme.error) };
    ui.label(RichText::new(words).color(ink));
    let cpus = |millis: u64| format!("{:.1}", millis as f64 / 1000.0);
    ui.label(format!("{} of {}", cpus(node.allocatable.cpu_millis), cpus(node.capacity.cpu_millis)))
        .on_hover_text("What pods may use, of what it has");
    let memory = (gib(node.allocatable.memory_bytes), gib(node.capacity.memory_bytes));
    ui.label(format!("{:.1} of {:.1} GiB", memory.0, memory.1))
        .on_hover_text("What pods may use, of what it has");
    ui.label(&node.kubelet);
    ui.label(&node.runtime);
    ui.label(format!("{} {}", node.os, node.architecture).trim().to_owned());
    ui.end_row();
}
