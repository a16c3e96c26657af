//! A small window with one sentence, for when the real one cannot open.

use eframe::egui::{CentralPanel, Frame, Key, Label, Margin, ViewportCommand};
use eframe::{NativeOptions, Renderer};

use crate::ui::theme::{self, SPACE, Theme};
use crate::ui::widgets;

const SIZE: [f32; 2] = [460.0, 190.0];

/// Shows the sentence until it is closed. Where this fails as well, standard error has the sentence.
pub(super) fn show(words: &str) {
    let words = sentence(words);
    let options = NativeOptions {
        viewport: super::viewport(SIZE).with_resizable(false),
        renderer: Renderer::Glow,
        persist_window: false,
        persistence_path: None,
        ..NativeOptions::default()
    };
    let _ = eframe::run_native(
        "Meshbench",
        options,
        Box::new(|cc| {
            theme::install(&cc.egui_ctx);
            Ok(Box::new(Message { words }))
        }),
    );
}

struct Message {
    words: String,
}

impl eframe::App for Message {
    fn ui(&mut self, ui: &mut eframe::egui::Ui, _frame: &mut eframe::Frame) {
        let theme = Theme::of(ui.ctx());
        let frame = Frame::new().fill(theme.background).inner_margin(Margin::same(24));
        CentralPanel::default().frame(frame).show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = SPACE[2];
            widgets::heading(ui, "Meshbench is open already");
            ui.add(Label::new(&self.words).wrap());
            let close = widgets::primary(ui, &theme, "Close");
            if ui.memory(|memory| memory.focused().is_none()) {
                close.request_focus();
            }
            if close.clicked() || ui.input(|input| input.key_pressed(Key::Escape)) {
                ui.ctx().send_viewport_cmd(ViewportCommand::Close);
            }
        });
    }

    fn persist_egui_memory(&self) -> bool {
        false
    }
}

/// With a large letter at its start, as sentences in windows have it.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}
