//! The meshes of a cluster: versions, control planes, proxies, and who is part of them.

use eframe::egui::{Frame, Label, Margin, RichText, ScrollArea, Ui};

use crate::model::cluster::ContextKey;
use crate::model::inventory::Injected;
use crate::model::mesh::Mesh;
use crate::model::number;
use crate::ui::theme::{CORNER, SPACE};
use crate::ui::{Cx, widgets};

/// How many namespaces are named.
const NAMED_MAX: usize = 12;

pub(super) fn ui(cx: &mut Cx<'_>, ui: &mut Ui, key: &ContextKey) {
    let Some(seen) = cx.state.clusters.links.get(key).and_then(|link| link.seen.as_ref()) else {
        return widgets::waiting(ui, cx, "Looking for meshes…");
    };
    if seen.meshes.is_empty() {
        let (title, words) = match (seen.is_whole, seen.gaps.is_empty()) {
            (false, _) => ("Looking for meshes…", ""),
            (true, true) => {
                ("No mesh was found", "None of the meshes that Meshbench knows runs in this cluster.")
            }
            (true, false) => {
                ("No mesh was seen", "Not everything could be listed; see the overview for what was not.")
            }
        };
        widgets::empty_state(ui, cx.theme, title, words, None);
        return;
    }
    ScrollArea::vertical().id_salt("meshes").auto_shrink(false).show(ui, |ui| {
        for mesh in seen.meshes.iter() {
            let frame =
                Frame::new().fill(cx.theme.surface).inner_margin(Margin::same(12)).corner_radius(CORNER + 2);
            frame.show(ui, |ui| {
                ui.set_width(ui.available_width());
                show(ui, cx, mesh);
            });
            ui.add_space(SPACE[1]);
        }
    });
}

fn show(ui: &mut Ui, cx: &Cx<'_>, mesh: &Mesh) {
    ui.horizontal(|ui| {
        widgets::section(ui, &mesh.name);
        let version = mesh.version();
        ui.label(if version.is_empty() { "version not known".to_owned() } else { version });
        let planes: Vec<&str> = mesh.data_planes.iter().map(|plane| plane.words()).collect();
        if !planes.is_empty() {
            ui.label(RichText::new(planes.join(" and ")).color(cx.theme.text_muted));
        }
    });
    for plane in &mesh.control_planes {
        let (ready, wanted) = plane.ready;
        let revision =
            if plane.revision.is_empty() { String::new() } else { format!(", revision {}", plane.revision) };
        let version = if plane.version.is_empty() { number::UNKNOWN } else { &plane.version };
        let mut words = format!("{}/{} {version}{revision}", plane.namespace, plane.name);
        // Where fewer are ready than are wanted, a remark says so.
        if ready >= wanted {
            words.push_str(&format!(", {ready} of {wanted} ready"));
        }
        ui.label(RichText::new(words).color(cx.theme.text_muted));
    }
    ui.label(proxies(mesh));
    if let Some(skewed) = mesh.skewed.filter(|skewed| *skewed > 0) {
        let words = format!(
            "Another version than the control plane’s: {skewed} of {} proxies. Restart their workloads to renew them",
            mesh.proxy_count()
        );
        ui.label(RichText::new(words).color(cx.theme.warning));
    }
    if !mesh.namespaces.is_empty() {
        let text = RichText::new(namespaces(mesh)).color(cx.theme.text_muted);
        ui.add(Label::new(text).wrap());
    }
    for remark in &mesh.remarks {
        ui.add(Label::new(RichText::new(remark).color(cx.theme.warning)).wrap());
    }
}

fn proxies(mesh: &Mesh) -> String {
    let pods = match mesh.pods {
        0 => return "No pod is part of it, as far as was seen".to_owned(),
        1 => "1 pod is part of it".to_owned(),
        pods => format!("{} pods are part of it", number::count(u64::from(pods))),
    };
    let count = mesh.proxy_count();
    if count == 0 {
        return pods;
    }
    let versions: Vec<String> = mesh
        .proxies
        .iter()
        .map(|(version, count)| {
            format!("{count} of {}", if version.is_empty() { "no known version" } else { version })
        })
        .collect();
    format!("{pods}; proxies: {}", versions.join(", "))
}

fn namespaces(mesh: &Mesh) -> String {
    let told = mesh.namespaces.iter().take(NAMED_MAX).map(|(name, how)| format!("{name} ({})", words(how)));
    let mut text = format!("Namespaces: {}", told.collect::<Vec<_>>().join(", "));
    let more = mesh.namespaces.len().saturating_sub(NAMED_MAX);
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// How pods of a namespace become part of a mesh, in words.
pub(super) fn words(how: &Injected) -> String {
    match how {
        Injected::On => "on".to_owned(),
        Injected::Revision(revision) => format!("on, revision {revision}"),
        Injected::Ambient => "ambient".to_owned(),
        Injected::Off => "off".to_owned(),
    }
}
