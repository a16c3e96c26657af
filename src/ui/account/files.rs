//! Folders that history is mirrored to.

use eframe::egui::{RichText, Ui};

use crate::app::Command;
use crate::app::mirroring::{MirrorCommand, Mirroring};
use crate::ui::Cx;
use crate::ui::theme::SPACE;
use crate::ui::widgets;

use super::{muted, panel};

const ABOUT: &str = "Without a server: each run as a file in a folder of your choice, for a share or for Git, and runs \
                     that are only there taken in. No file is deleted.";
const ABOUT_KEPT: &str = "Looked at every few seconds while Meshbench is open: runs that appear there come in, what changes \
                          here goes there. A run that you delete here stays away, and its file stays there.";

/// Draws what is kept in step, or how to begin.
pub(super) fn ui(cx: &mut Cx<'_>, ui: &mut Ui) {
    muted(cx, ui, ABOUT);
    let kept = cx.state.settings.mirror.as_ref().map(|kept| kept.folder.display().to_string());
    if let Some(folder) = &kept {
        panel(cx.theme).show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            ui.spacing_mut().item_spacing.y = SPACE[1];
            ui.label(RichText::new("Kept in step").strong());
            widgets::copyable(ui, "the folder’s path", folder);
            muted(cx, ui, ABOUT_KEPT);
            if let Some(trouble) = &cx.state.mirror_trouble {
                widgets::warning(ui, cx.theme, trouble);
            }
            let stop = ui.button("Stop keeping it in step");
            if stop.on_hover_text("History and the folder stay as they are").clicked() {
                cx.push(Command::Mirror(MirrorCommand::KeepNone));
            }
        });
    }
    ui.horizontal_wrapped(|ui| {
        if ui.button("Mirror to a folder…").on_hover_text("Once, now").clicked() {
            cx.push(Command::Mirror(MirrorCommand::Pick(Mirroring::Once)));
        }
        if kept.is_none() {
            let keep = ui.button("Keep a folder in step…");
            if keep.on_hover_text("From now on, whenever Meshbench is open").clicked() {
                cx.push(Command::Mirror(MirrorCommand::Pick(Mirroring::Kept)));
            }
        }
    });
}
