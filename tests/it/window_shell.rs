//! The window's shell and its own pages, without a core and without a window.

use std::path::PathBuf;

use eframe::egui::accesskit::Role;
use eframe::egui::{self, Key, Modifiers};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use egui_kittest::{Harness, SnapshotResults};
use jiff::Timestamp;
use meshbench::app::state::{Level, Notice, NoticeAction, NoticeId, Question, StoreState};
use meshbench::app::{Command, Page, State};
use meshbench::model::run::{Ended, Quantiles, Rate, Requests, RunSummary};
use meshbench::model::{Plan, RunId, Settings, ThemeChoice};
use meshbench::ui::shell::actions;
use meshbench::ui::{Machine, Shell};

use crate::picture;

const WINDOW: [f32; 2] = [1280.0, 800.0];

/// A window without a core: what is asked for is only written down.
struct Faceless {
    shell: Shell,
    state: State,
    asked: Vec<Command>,
}

impl eframe::App for Faceless {
    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        self.asked.extend(self.shell.ui(ui, &self.state));
    }
}

fn window(theme: egui::Theme, state: State) -> Harness<'static, Faceless> {
    let machine = Machine { renderer: "A graphics card".to_owned(), software_rasterizer: false };
    picture::builder(theme, WINDOW).build_eframe(|_| Faceless {
        shell: Shell::new(machine),
        state,
        asked: Vec::new(),
    })
}

fn opened(page: Page) -> State {
    let mut state = State::default();
    state.page = page;
    state.store = StoreState::Open;
    state.data_dir = PathBuf::from("/home/ada/.local/share/meshbench");
    state
}

fn summary(number: u64) -> RunSummary {
    let p99 = 4.12 * number as f64;
    RunSummary {
        id: RunId(uuid::Uuid::from_u128(u128::from(number))),
        name: format!("checkout {number}"),
        labels: Default::default(),
        note: String::new(),
        url: "http://checkout.shop.svc:8080/cart".to_owned(),
        started: Timestamp::from_second(1_790_000_000 - 3600 * number as i64).unwrap(),
        elapsed_s: 30.0,
        ended: Ended::Completed,
        requests: Requests { due: 60_000, answered: 60_000, failed: number % 3, cancelled: 0 },
        rate: Rate { asked: Some(2000.0), achieved: 2000.0 },
        response_ms: Quantiles { p50: p99 / 5.0, p99, count: 60_000, ..Quantiles::default() },
        warnings: Vec::new(),
        goals_missed: 0,
        goals: 0,
    }
}

fn notice(number: u64, level: Level) -> Notice {
    Notice {
        id: NoticeId(number),
        level,
        title: format!("Notice {number}"),
        detail: "Why it happened, and what to do about it.".to_owned(),
        read: false,
        action: None,
    }
}

fn snapshots(name: &str, state: &State) {
    snapshots_after(name, state, |_| {});
}

fn snapshots_after(name: &str, state: &State, act: impl Fn(&mut Harness<'static, Faceless>)) {
    let mut results = SnapshotResults::new();
    for (theme, word) in [(egui::Theme::Light, "light"), (egui::Theme::Dark, "dark")] {
        let mut window = window(theme, state.clone());
        window.run();
        act(&mut window);
        window.run();
        results.add(window.try_snapshot(format!("{name}_{word}")));
    }
}

#[test]
fn pictures_of_home() {
    let mut state = opened(Page::Home);
    snapshots("home_first_start", &state);
    state.history = (1..=9).map(summary).collect();
    snapshots("home", &state);
}

#[test]
fn pictures_of_settings_and_about() {
    snapshots("settings", &opened(Page::Settings));
    snapshots("about", &opened(Page::About));
}
