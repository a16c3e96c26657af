//! The clusters page: contexts at the left, and at the right what the chosen one's cluster holds.

pub(super) mod contexts;
mod detail;
mod lists;
mod meshes;
mod overview;

use eframe::egui::{CentralPanel, Frame, Id, Margin, Panel, Ui};

use crate::app::Command;
use crate::app::clusters::ClusterCommand;
use crate::model::cluster::{Colour, ContextChoice, ContextKey};

use super::theme::SPACE;
use super::{Cx, Theme, widgets};
use lists::View;

/// Width of the list of contexts, in points.
const CONTEXTS_WIDTH: f32 = 292.0;

/// What of a cluster is on show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Tab {
    #[default]
    Overview,
    Meshes,
    Services,
    Workloads,
    Pods,
    Namespaces,
}

const TABS: [(Tab, &str); 6] = [
    (Tab::Overview, "Overview"),
    (Tab::Meshes, "Meshes"),
    (Tab::Services, "Services"),
    (Tab::Workloads, "Workloads"),
    (Tab::Pods, "Pods"),
    (Tab::Namespaces, "Namespaces"),
];

/// The page and what a person is doing with it.
#[derive(Debug, Default)]
pub struct ClustersPage {
    /// Searched among contexts.
    query: String,
    tab: Tab,
    view: View,
    /// The alias that is being written.
    alias: Option<(ContextKey, String)>,
    focus_search: bool,
}

impl ClustersPage {
    /// Draws the page and takes what a person does.
    pub fn ui(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        self.keys(ui);
        let clusters = &cx.state.clusters;
        if !clusters.is_read {
            return widgets::waiting(ui, cx, "Reading kubeconfigs…");
        }
        if clusters.files.is_empty() {
            return first(cx, ui);
        }
        let frame = Frame::new().inner_margin(Margin { right: 16, ..Margin::ZERO });
        Panel::left("contexts").exact_size(CONTEXTS_WIDTH).resizable(false).frame(frame).show(ui, |ui| {
            self.contexts(cx, ui);
        });
        let frame = Frame::new().inner_margin(Margin { left: 16, ..Margin::ZERO });
        CentralPanel::default().frame(frame).show(ui, |ui| self.detail(cx, ui));
    }

    /// `/` searches.
    fn keys(&mut self, ui: &Ui) {
        use eframe::egui::{Key, Modifiers};
        if !ui.ctx().text_edit_focused()
            && ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Slash))
        {
            self.focus_search = true;
        }
    }
}

/// Nothing is there yet.
fn first(cx: &mut Cx<'_>, ui: &mut Ui) {
    let found = !cx.state.clusters.kubectls.is_empty();
    let paths: Vec<String> =
        cx.state.clusters.kubectls.iter().map(|path| path.display().to_string()).collect();
    let (words, button) = if found {
        let words = format!(
            "kubectl uses {} on this machine. Meshbench reads it where it is, and never writes it or keeps what is in it.",
            paths.join(", ")
        );
        (words, "Use kubectl’s contexts")
    } else {
        let words = "Add a kubeconfig to see which meshes run in your clusters, and to send load to their services. \
                     The file is read where it is, and never written.";
        (words.to_owned(), "Add kubeconfig…")
    };
    if widgets::empty_state(ui, cx.theme, "No clusters yet", &words, Some(button)) {
        cx.cluster(if found { ClusterCommand::UseKubectls(true) } else { ClusterCommand::PickFiles });
    }
    ui.vertical_centered(|ui| {
        ui.add_space(SPACE[1]);
        if found && ui.button("Add kubeconfig…").clicked() {
            cx.cluster(ClusterCommand::PickFiles);
        }
        if ui.button("Add a folder of kubeconfigs…").clicked() {
            cx.cluster(ClusterCommand::PickFolder);
        }
        widgets::caption(ui, cx.theme, "Or drop files on this window");
    });
}

impl Cx<'_> {
    /// Asks for something about clusters.
    pub(super) fn cluster(&mut self, command: ClusterCommand) {
        self.push(Command::Cluster(command));
    }
}

/// The colour of a context: red where it is production, its own, or none.
pub(super) fn colour(theme: &Theme, choice: &ContextChoice) -> Option<eframe::egui::Color32> {
    if choice.is_production {
        return Some(theme.error);
    }
    choice.colour.map(|colour| theme.series[place(colour)])
}

/// Its place among the colours that everybody can tell apart.
fn place(colour: Colour) -> usize {
    match colour {
        Colour::Blue => 0,
        Colour::Orange => 1,
        Colour::Green => 2,
        Colour::Purple => 3,
        Colour::Sky => 4,
    }
}

const COLOURS: [(Option<Colour>, &str); 6] = [
    (None, "No colour"),
    (Some(Colour::Blue), "Blue"),
    (Some(Colour::Orange), "Orange"),
    (Some(Colour::Green), "Green"),
    (Some(Colour::Purple), "Purple"),
    (Some(Colour::Sky), "Sky"),
];

pub(super) fn name(ui: &Ui, id: Id, words: &str) {
    ui.ctx().accesskit_node_builder(id, |node| node.set_label(words));
}
