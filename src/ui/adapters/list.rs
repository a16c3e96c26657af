//! Every adapter, to choose; beneath them those that were found, and a place to add one.

use eframe::egui::{CornerRadius, FontId, Role, ScrollArea, Sense, TextStyle, Ui, WidgetInfo, pos2, vec2};

use crate::app::adapters::{AdapterCommand, AdapterStands, Adapters, KNOWN_PORTS};
use crate::model::adapter::book::{AdapterId, AdapterPlace};
use crate::ui::theme::{CORNER, SPACE};
use crate::ui::{Cx, icon, widgets};

use super::AdaptersPage;

/// Height of an adapter, in points.
const ROW: f32 = 32.0;
/// How large the dot of a connection is.
const DOT: f32 = 4.0;

impl AdaptersPage {
    pub(super) fn list(&mut self, cx: &mut Cx<'_>, ui: &mut Ui, chosen: Option<AdapterId>) {
        ScrollArea::vertical().id_salt("adapters").auto_shrink(false).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            let ids: Vec<AdapterId> = cx.state.adapters.ids().collect();
            let (built_in, added): (Vec<_>, Vec<_>) =
                ids.into_iter().partition(|id| Adapters::is_built_in(*id));
            widgets::caption(ui, cx.theme, "Built in");
            for id in built_in {
                self.row(cx, ui, id, chosen);
            }
            ui.add_space(SPACE[1]);
            widgets::caption(ui, cx.theme, "Added");
            for id in added {
                self.row(cx, ui, id, chosen);
            }
            self.add(cx, ui);
            found(cx, ui);
        });
    }

    fn row(&mut self, cx: &Cx<'_>, ui: &mut Ui, id: AdapterId, chosen: Option<AdapterId>) {
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW), Sense::click());
        let name = cx.state.adapters.name(id);
        let stands = cx.state.adapters.links.get(&id).map(|link| &link.stands);
        let (words, ink) = match stands {
            Some(AdapterStands::Ready) => ("connected", cx.theme.good),
            Some(AdapterStands::Failed { .. }) => ("not reached", cx.theme.error),
            _ => ("connecting", cx.theme.text_muted),
        };
        let is_chosen = chosen == Some(id);
        let spoken = format!("Adapter {name}, {words}");
        response.widget_info(|| WidgetInfo::selected(Role::ListItem, true, is_chosen, &spoken));
        if is_chosen {
            ui.painter().rect_filled(rect, CornerRadius::same(CORNER), cx.theme.tint(cx.theme.text, 0.07));
        } else {
            icon::ground(ui, rect, &response);
        }
        icon::focus_ring(ui, rect, &response);
        ui.painter().circle_filled(pos2(rect.left() + 12.0, rect.center().y), DOT, ink);
        let font: FontId = TextStyle::Body.resolve(ui.style());
        let galley = ui.painter().layout(name, font, cx.theme.text, rect.width() - 32.0);
        let at = pos2(rect.left() + 26.0, rect.center().y - galley.size().y.min(ROW) / 2.0);
        ui.painter().with_clip_rect(rect).galley(at, galley, cx.theme.text);
        if response.clicked() {
            if !is_chosen {
                self.draft.forget_version();
            }
            self.chosen = Some(id);
        }
    }

    fn add(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        ui.add_space(SPACE[0]);
        ui.horizontal(|ui| {
            let width = (ui.available_width() - 64.0).max(80.0);
            let hint = "localhost:10000";
            let line = widgets::line(&mut self.address).hint_text(hint).desired_width(width);
            let field = widgets::edit(ui, cx.theme, line);
            crate::ui::clusters::name(ui, field.id, "Address of an adapter");
            let is_asked =
                field.lost_focus() && ui.input(|input| input.key_pressed(eframe::egui::Key::Enter));
            let ready =
                if self.address.trim().is_empty() { Err("Write host and port first") } else { Ok(()) };
            if field.changed() {
                self.wrong = None;
            }
            if widgets::button_if(ui, "Add", ready) || (is_asked && ready.is_ok()) {
                match AdapterPlace::parse(&self.address, cx.state.clusters.chosen()) {
                    Ok(place) => {
                        self.address.clear();
                        cx.adapter(AdapterCommand::Add(place));
                    }
                    Err(reason) => self.wrong = Some(reason),
                }
            }
        });
        if let Some(reason) = &self.wrong {
            widgets::warning(ui, cx.theme, reason);
        }
        let known = ui.menu_button("Known ports…", |ui| {
            for (port, mesh) in KNOWN_PORTS {
                if ui.button(format!("{mesh} · localhost:{port}")).clicked() {
                    self.address = format!("localhost:{port}");
                    self.wrong = None;
                    ui.close();
                }
            }
        });
        let words =
            "Where adapters of Meshery listen; one in a cluster is written as svc/NAMESPACE/NAME:PORT";
        known.response.on_hover_text(words);
    }
}

/// Those that answer on this machine, or that a connected cluster has, and that nobody has added.
fn found(cx: &mut Cx<'_>, ui: &mut Ui) {
    ui.add_space(SPACE[1]);
    ui.horizontal(|ui| {
        widgets::caption(ui, cx.theme, "Found");
        if ui.small_button("Look again").clicked() {
            cx.adapter(AdapterCommand::Find);
        }
    });
    let found = cx.state.found_adapters();
    if found.is_empty() {
        widgets::caption(ui, cx.theme, "None on this machine, nor in connected clusters");
    }
    for adapter in found {
        ui.horizontal(|ui| {
            let words = format!("{} · {}", adapter.name, adapter.place.words());
            let add = ui.button("Add").on_hover_text(&words);
            crate::ui::clusters::name(ui, add.id, &format!("Add {words}"));
            if add.clicked() {
                cx.adapter(AdapterCommand::Add(adapter.place.clone()));
            }
            ui.add(eframe::egui::Label::new(&adapter.name).truncate()).on_hover_text(adapter.place.words());
        });
    }
}
