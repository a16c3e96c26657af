//! The adapters page: adapters at the left; at the right what the chosen one offers, and what was done with it.

mod done;
mod editor;
mod list;
mod offers;
mod yaml;

use eframe::egui::{Align, CentralPanel, Frame, Key, Label, Layout, Margin, Panel, RichText, Ui};

use crate::app::Command;
use crate::app::adapters::{AdapterCommand, AdapterStands, Adapters, Ping};
use crate::model::adapter::AdapterFacts;
use crate::model::adapter::book::{AdapterId, OperationState};
use crate::model::number;

use super::theme::SPACE;
use super::{Cx, widgets};
use offers::Draft;

/// Width of the list of adapters, in points.
const LIST_WIDTH: f32 = 268.0;

/// What of an adapter is on show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Tab {
    #[default]
    Offers,
    Done,
    Events,
}

/// The page and what a person is doing with it.
#[derive(Debug, Default)]
pub struct AdaptersPage {
    chosen: Option<AdapterId>,
    /// The address of an adapter that is to be added, and what is wrong with it.
    address: String,
    wrong: Option<String>,
    /// The adapter that is given another name, and the name so far.
    renamed: Option<(AdapterId, String)>,
    tab: Tab,
    draft: Draft,
    events: done::View,
    /// The latest operation when it was last looked at: a new one is shown.
    latest: Option<String>,
}

impl AdaptersPage {
    /// Draws the page and takes what a person does.
    pub fn ui(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        let adapters = &cx.state.adapters;
        let is_there = |id: &AdapterId| adapters.links.contains_key(id);
        let chosen = self.chosen.filter(is_there).or_else(|| adapters.ids().find(is_there));
        let frame = Frame::new().inner_margin(Margin { right: 16, ..Margin::ZERO });
        Panel::left("adapters").exact_size(LIST_WIDTH).resizable(false).frame(frame).show(ui, |ui| {
            self.list(cx, ui, chosen);
        });
        let frame = Frame::new().inner_margin(Margin { left: 16, ..Margin::ZERO });
        CentralPanel::default().frame(frame).show(ui, |ui| match chosen {
            Some(id) => self.detail(cx, ui, id),
            None => widgets::waiting(ui, cx, "Opening the store…"),
        });
    }

    /// Its name, how it stands, and what can be done with it.
    fn head(&mut self, cx: &mut Cx<'_>, ui: &mut Ui, id: AdapterId, stands: &AdapterStands) {
        let is_added = cx.state.adapters.known(id).is_some();
        ui.horizontal(|ui| {
            match &mut self.renamed {
                Some((renamed, name)) if *renamed == id => {
                    let field = widgets::edit(ui, cx.theme, widgets::line(name).desired_width(220.0));
                    super::clusters::name(ui, field.id, "Name of the adapter");
                    if ui.button("Rename").clicked()
                        || (field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter)))
                    {
                        cx.adapter(AdapterCommand::Rename(id, std::mem::take(name)));
                        self.renamed = None;
                    } else if ui.button("Cancel").clicked()
                        || ui.input(|input| input.key_pressed(Key::Escape))
                    {
                        self.renamed = None;
                    }
                }
                _ => drop(widgets::heading(ui, &cx.state.adapters.name(id))),
            }
            let words = match stands {
                AdapterStands::Connecting => "connecting",
                AdapterStands::Ready => "connected",
                AdapterStands::Failed { .. } => "not reached",
            };
            ui.label(RichText::new(words).color(cx.theme.text_muted));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                if is_added {
                    let remove = ui.button("Remove");
                    if remove.on_hover_text("Meshbench forgets it; nothing is done to it").clicked() {
                        cx.adapter(AdapterCommand::Remove(id));
                    }
                    if ui.button("Rename…").clicked() {
                        self.renamed = Some((id, cx.state.adapters.name(id)));
                    }
                }
                let ready = if *stands == AdapterStands::Ready { Ok(()) } else { Err("It is not connected") };
                if widgets::button_if(ui, "Ping", ready) {
                    cx.adapter(AdapterCommand::Ping(id));
                }
            });
        });
    }

    fn detail(&mut self, cx: &mut Cx<'_>, ui: &mut Ui, id: AdapterId) {
        let Some(link) = cx.state.adapters.links.get(&id).cloned() else { return };
        self.head(cx, ui, id, &link.stands);
        about(cx, ui, id, link.facts.as_ref());
        if let AdapterStands::Failed { step, cause, advice } = &link.stands {
            let title = format!("It could not be reached while {step}");
            let words = format!("{cause}\n{advice}. It is tried again by itself.");
            if widgets::failure(ui, cx.theme, &title, &words, Some("Try now")) {
                cx.adapter(AdapterCommand::Connect(id));
            }
        }
        ui.add_space(SPACE[1]);
        let latest = cx.state.adapters.book.operations.first();
        if let Some(latest) = latest.filter(|latest| self.latest.as_ref() != Some(&latest.request.id)) {
            if latest.adapter == id && latest.state == OperationState::Running && self.latest.is_some() {
                self.tab = Tab::Done;
            }
            self.latest = Some(latest.request.id.clone());
        } else if latest.is_none() {
            self.latest = Some(String::new());
        }
        let unread = cx.state.adapters.book.unread();
        let events = if unread > 0 { format!("Events ({unread})") } else { "Events".to_owned() };
        let options = [(Tab::Offers, "What it offers"), (Tab::Done, "Operations"), (Tab::Events, &*events)];
        widgets::segmented(ui, cx.theme, "What of the adapter is on show", &mut self.tab, &options);
        ui.add_space(SPACE[1]);
        match self.tab {
            Tab::Offers => match &link.facts {
                Some(facts) => self.draft.ui(cx, ui, id, facts),
                None if link.stands == AdapterStands::Connecting => {
                    widgets::waiting(ui, cx, "Asking what it offers…");
                }
                // Why it is not known is said above.
                None => {}
            },
            Tab::Done => done::operations(cx, ui, id),
            Tab::Events => self.events.ui(cx, ui),
        }
    }
}

/// What it says of itself, where it is, and how fast it answers.
fn about(cx: &Cx<'_>, ui: &mut Ui, id: AdapterId, facts: Option<&AdapterFacts>) {
    let known = cx.state.adapters.known(id);
    let mut words = Vec::new();
    match known {
        Some(known) => words.push(known.place.words()),
        None => words.push("built in; works on clusters with your own logins".to_owned()),
    }
    if let Some(facts) = facts {
        if Adapters::is_built_in(id) {
            words.push(format!("Meshbench {}", facts.version));
        } else {
            words.push(match facts.era {
                crate::model::adapter::Era::First => "contract of 2019".to_owned(),
                crate::model::adapter::Era::Library => "contract of the adapters’ library".to_owned(),
            });
            words.extend(Some(&facts.version).filter(|it| !it.is_empty()).map(|it| format!("version {it}")));
            words.extend(Some(&facts.git_sha).filter(|it| !it.is_empty()).map(|it| format!("commit {it}")));
        }
        if !facts.mesh_versions.is_empty() {
            words.push(format!("knows {}", facts.mesh_versions.join(", ")));
        }
    }
    match cx.state.adapters.pings.get(&id) {
        Some(Ping::Answered(took)) => {
            words.push(format!("answered in {}", number::millis(took.as_secs_f64() * 1e3)));
        }
        Some(Ping::Failed(reason)) => words.push(format!("did not answer: {reason}")),
        Some(Ping::Asked) => words.push("asked…".to_owned()),
        None => {}
    }
    ui.add(Label::new(RichText::new(words.join(" · ")).small().color(cx.theme.text_muted)).wrap());
}

impl Cx<'_> {
    /// Asks for something about adapters.
    pub(super) fn adapter(&mut self, command: AdapterCommand) {
        self.push(Command::Adapter(command));
    }
}
