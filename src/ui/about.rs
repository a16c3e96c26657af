//! Version, licences, and where things are.

use eframe::egui::{CollapsingHeader, Label, RichText, Sense, Ui, Vec2};

use super::shell::Machine;
use super::theme::{self, SPACE};
use super::{Cx, icon, widgets};

const INTER_LICENSE: &str = include_str!("../../assets/fonts/Inter-OFL.txt");
const HACK_LICENSE: &str = include_str!("../../assets/fonts/Hack-LICENSE.txt");
const NAME_WIDTH: f32 = 120.0;

pub(super) fn ui(ui: &mut Ui, cx: &Cx<'_>, machine: &Machine) {
    widgets::page(ui, |ui| {
        ui.horizontal(|ui| {
            let (rect, _) = ui.allocate_exact_size(Vec2::splat(44.0), Sense::hover());
            icon::mark(ui.painter(), rect, &cx.theme.quantiles, cx.theme.background);
            ui.add_space(SPACE[1]);
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = 0.0;
                ui.label(RichText::new("Meshbench").text_style(theme::number_style()));
                let version = format!("Version {}", env!("CARGO_PKG_VERSION"));
                ui.label(RichText::new(version).color(cx.theme.text_muted));
            });
        });
        ui.add_space(SPACE[3]);
        row(ui, cx, "License", |ui| {
            ui.label("Apache-2.0");
        });
        row(ui, cx, "Drawn by", |ui| {
            ui.add(Label::new(drawn_by(machine)).wrap());
        });
        row(ui, cx, "Data", |ui| {
            widgets::copyable(ui, "the data directory’s path", &cx.state.data_dir.display().to_string());
        });
        ui.add_space(SPACE[3]);
        widgets::section(ui, "Fonts");
        license(ui, "Inter, SIL Open Font License 1.1", INTER_LICENSE);
        license(ui, "Hack, MIT and Bitstream Vera licenses", HACK_LICENSE);
    });
}

fn drawn_by(machine: &Machine) -> String {
    let name = if machine.renderer.is_empty() { "OpenGL" } else { &machine.renderer };
    if machine.software_rasterizer {
        format!("{name}. It draws on the processor, so live plots are redrawn at most 4 times a second.")
    } else {
        name.to_owned()
    }
}

fn row(ui: &mut Ui, cx: &Cx<'_>, name: &str, content: impl FnOnce(&mut Ui)) {
    ui.horizontal(|ui| {
        ui.allocate_ui(eframe::egui::vec2(NAME_WIDTH, ui.spacing().interact_size.y), |ui| {
            ui.set_min_width(NAME_WIDTH);
            ui.label(RichText::new(name).color(cx.theme.text_muted));
        });
        content(ui);
    });
}

fn license(ui: &mut Ui, title: &str, text: &str) {
    CollapsingHeader::new(title).show(ui, |ui| {
        ui.label(RichText::new(text).monospace());
    });
}
