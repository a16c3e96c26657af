//! Choices for the whole program.

use eframe::egui::{Align, DragValue, Label, Layout, RichText, Ui, vec2};

use crate::app::Command;
use crate::model::{Settings, ThemeChoice, Timer};

use super::shell::{ZOOM_MAX, ZOOM_MIN, ZOOM_STEP};
use super::theme::SPACE;
use super::{Cx, widgets};

/// The most threads that can be asked for.
const THREADS_MAX: u32 = 256;
const NAME_WIDTH: f32 = 160.0;
/// As high as the highest control, so that names and controls share a middle, in points.
const ROW_HEIGHT: f32 = 34.0;

/// What the page remembers between frames: a number that is being written.
#[derive(Debug, Default)]
pub(super) struct SettingsPage {
    threads: Option<u32>,
}

impl SettingsPage {
    pub(super) fn ui(&mut self, ui: &mut Ui, cx: &mut Cx<'_>) {
        let mut new = cx.state.settings.clone();
        widgets::page(ui, |ui| {
            ui.spacing_mut().item_spacing.y = SPACE[2];
            appearance(ui, cx, &mut new);
            ui.add_space(SPACE[2]);
            self.load(ui, cx, &mut new);
            ui.add_space(SPACE[2]);
            places(ui, cx);
        });
        if new != cx.state.settings {
            cx.push(Command::ChangeSettings(new));
        }
    }

    fn load(&mut self, ui: &mut Ui, cx: &Cx<'_>, new: &mut Settings) {
        widgets::section(ui, "Load");
        row(ui, "Load threads", |ui, name| {
            let mut threads = self.threads.unwrap_or(new.load_threads);
            let drag = DragValue::new(&mut threads).range(0..=THREADS_MAX).speed(0.1);
            let response = ui.add(drag).labelled_by(name);
            // Kept when the person is done, not with every digit.
            self.threads = (response.has_focus() || response.dragged()).then_some(threads);
            if self.threads.is_none() {
                new.load_threads = threads;
            }
            let words = "0 leaves one core to this window and uses the rest. From the next run on.";
            ui.add(Label::new(RichText::new(words).color(cx.theme.text_muted)).wrap());
        });
        timer(ui, cx, new);
    }
}

/// The timers with what each of them costs.
const TIMERS: [(Timer, &str, &str); 3] = [
    (
        Timer::Precise,
        "Precise",
        "within about a microsecond; costs most: each load thread stays awake before every request and until its answer",
    ),
    (Timer::Balanced, "Balanced", "within about 50 µs, by the system’s best timer; costs little"),
    (
        Timer::Economy,
        "Economy",
        "up to 500 µs late, several at once; costs least: for high rates on few processors",
    ),
];

fn timer(ui: &mut Ui, cx: &Cx<'_>, new: &mut Settings) {
    row(ui, "Timer", |ui, _| {
        let options = TIMERS.map(|(timer, name, _)| (timer, name));
        widgets::segmented(ui, cx.theme, "Timer", &mut new.timer, &options);
        let words = "How exactly requests leave when they are due. From the next run on.";
        ui.add(Label::new(RichText::new(words).color(cx.theme.text_muted)).wrap());
    });
    ui.horizontal(|ui| {
        ui.add_space(NAME_WIDTH + ui.spacing().item_spacing.x);
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = SPACE[0];
            for (timer, name, cost) in TIMERS {
                let color = if timer == new.timer { cx.theme.text } else { cx.theme.text_muted };
                ui.add(Label::new(RichText::new(format!("{name}: {cost}")).color(color)).wrap());
            }
        });
    });
    if let Some(timer) = cx.state.timer.filter(|timer| *timer != new.timer) {
        let name = TIMERS.iter().find(|known| known.0 == timer).map_or("another", |known| known.1);
        let words =
            format!("Until the program ends, “{name}” is used instead, as asked for when it started.");
        widgets::warning(ui, cx.theme, &words);
    }
}

fn appearance(ui: &mut Ui, cx: &Cx<'_>, new: &mut Settings) {
    widgets::section(ui, "Appearance");
    row(ui, "Theme", |ui, _| {
        let options = [
            (ThemeChoice::System, "As the system"),
            (ThemeChoice::Light, "Light"),
            (ThemeChoice::Dark, "Dark"),
        ];
        widgets::segmented(ui, cx.theme, "Theme", &mut new.theme, &options);
    });
    row(ui, "Zoom", |ui, _| {
        let smallest = if new.zoom <= ZOOM_MIN { Err("This is the smallest size") } else { Ok(()) };
        let largest = if new.zoom >= ZOOM_MAX { Err("This is the largest size") } else { Ok(()) };
        if widgets::button_if(ui, "Smaller", smallest) {
            new.zoom = (new.zoom - ZOOM_STEP).max(ZOOM_MIN);
        }
        ui.label(format!("{:.0} %", new.zoom * 100.0));
        if widgets::button_if(ui, "Larger", largest) {
            new.zoom = (new.zoom + ZOOM_STEP).min(ZOOM_MAX);
        }
    });
    row(ui, "Motion", |ui, _| {
        let words = "Reduce motion: nothing moves that is not information";
        widgets::checkbox(ui, cx.theme, &mut new.reduced_motion, words);
    });
}

fn places(ui: &mut Ui, cx: &Cx<'_>) {
    widgets::section(ui, "Where things are kept");
    row(ui, "Runs and plans", |ui, _| {
        widgets::copyable(ui, "the data directory’s path", &cx.state.data_dir.display().to_string());
    });
    let words = "Choose another place with --data-dir or the environment variable MESHBENCH_DATA_DIR.";
    ui.label(RichText::new(words).color(cx.theme.text_muted));
}

/// A name at the left, and what belongs to it.
fn row(ui: &mut Ui, name: &str, content: impl FnOnce(&mut Ui, eframe::egui::Id)) {
    ui.horizontal(|ui| {
        ui.set_min_height(ROW_HEIGHT);
        let layout = Layout::left_to_right(Align::Center);
        let label = ui
            .allocate_ui_with_layout(vec2(NAME_WIDTH, ROW_HEIGHT), layout, |ui| {
                ui.set_min_width(NAME_WIDTH);
                ui.label(name)
            })
            .inner;
        content(ui, label.id);
    });
}
