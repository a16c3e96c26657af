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
use meshbench::model::{Plan, RunId, Settings, ThemeChoice, Timer};
use meshbench::ui::shell::actions;
use meshbench::ui::{Machine, Shell};

use crate::{picture, sample};

const WINDOW: [f32; 2] = [1280.0, 800.0];

/// A window without a core: what is asked for is only written down.
pub(crate) struct Faceless {
    shell: Shell,
    pub(crate) state: State,
    pub(crate) asked: Vec<Command>,
}

impl eframe::App for Faceless {
    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        picture::clear(ui);
        self.asked.extend(self.shell.ui(ui, &self.state));
    }
}

pub(crate) fn window(theme: egui::Theme, mut state: State) -> Harness<'static, Faceless> {
    if state.settings.theme == ThemeChoice::System {
        state.settings.theme =
            if theme == egui::Theme::Dark { ThemeChoice::Dark } else { ThemeChoice::Light };
    }
    let machine = Machine { renderer: "A graphics card".to_owned(), software_rasterizer: false };
    picture::builder(theme, WINDOW).build_eframe(|_| Faceless {
        shell: Shell::new(machine),
        state,
        asked: Vec::new(),
    })
}

pub(crate) fn opened(page: Page) -> State {
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

/// Pictures of a state in both themes, after `act`.
pub(crate) fn pictures(
    results: &mut SnapshotResults,
    name: &str,
    state: &State,
    act: fn(&mut Harness<'_, Faceless>),
) {
    for (theme, word) in picture::THEMES {
        let mut window = window(theme, state.clone());
        window.run();
        act(&mut window);
        window.run();
        picture::compare(results, &mut window, &format!("{name}_{word}"));
    }
}

fn chosen_dark() -> Settings {
    Settings { theme: ThemeChoice::Dark, ..Settings::default() }
}

pub(crate) fn nothing(_: &mut Harness<'_, Faceless>) {}

fn open_palette(window: &mut Harness<'_, Faceless>) {
    window.key_press_modifiers(Modifiers::COMMAND, Key::K);
    window.run();
}

fn asked(window: &Harness<'_, Faceless>) -> Vec<Command> {
    window.state().asked.clone()
}

fn dark(state: State) -> Harness<'static, Faceless> {
    let mut window = window(egui::Theme::Dark, state);
    window.run();
    window
}

#[test]
fn pictures_of_home() {
    let mut results = SnapshotResults::new();
    let mut state = opened(Page::Home);
    pictures(&mut results, "home_first_start", &state, nothing);
    state.history = (1..=9).map(summary).collect();
    pictures(&mut results, "home", &state, nothing);
}

#[test]
fn pictures_of_settings_and_about() {
    let mut results = SnapshotResults::new();
    pictures(&mut results, "settings", &opened(Page::Settings), nothing);
    pictures(&mut results, "about", &opened(Page::About), nothing);
}

#[test]
fn pictures_of_what_lies_over_the_pages() {
    let mut results = SnapshotResults::new();
    let mut state = opened(Page::Home);
    pictures(&mut results, "palette", &state, |window| {
        open_palette(window);
        window.get_by_label("Search commands").type_text("run");
    });
    state.notices = vec![notice(1, Level::Info), notice(2, Level::Warning), notice(3, Level::Error)];
    state.notices[0].action = Some(NoticeAction::UndoDelete);
    pictures(&mut results, "toasts", &state, nothing);
    state.notices_shown = true;
    pictures(&mut results, "notices", &state, nothing);
    let mut state = opened(Page::Home);
    state.question = Some(Question::Quit);
    pictures(&mut results, "question", &state, nothing);
}

#[test]
fn everything_can_be_read_at_twice_the_size_and_in_a_small_window() {
    let mut results = SnapshotResults::new();
    for (name, zoom) in [("home_zoom_200", 2.0), ("home_zoom_75", 0.75)] {
        let mut state = opened(Page::Home);
        state.history = (1..=9).map(summary).collect();
        state.settings.zoom = zoom;
        state.settings.theme = ThemeChoice::Light;
        let mut window = dark(state);
        window.run();
        picture::compare(&mut results, &mut window, name);
    }
}

#[test]
fn home_offers_three_ways_on() {
    let mut window = dark(opened(Page::Home));
    for words in ["Try it", "Test a URL", "Open results"] {
        window.get_by_role_and_label(Role::Button, words).click();
        window.run();
    }
    let expected = [Command::TryIt, Command::Go(Page::Load), Command::Go(Page::History)];
    assert_eq!(asked(&window), expected);
}

#[test]
fn a_click_on_one_of_the_last_runs_opens_it() {
    let mut state = opened(Page::Home);
    state.history = (1..=3).map(summary).collect();
    let id = state.history[1].id;
    let mut window = dark(state);
    window.get_by_label("Open run checkout 2").click();
    window.run();
    assert_eq!(asked(&window), [Command::OpenRun(id)]);
}

#[test]
fn a_store_that_failed_says_why() {
    let mut state = opened(Page::Home);
    state.store = StoreState::Failed { reason: "The disk is full.".to_owned() };
    let window = dark(state);
    window.get_by_label_contains("The disk is full.");
    window.get_by_label("Results cannot be read or kept");
}

#[test]
fn the_rail_goes_to_every_page() {
    let mut window = dark(opened(Page::Home));
    for words in ["Load", "History", "Settings", "About", "Home"] {
        window.get_by_role_and_label(Role::Tab, words).click();
        window.run();
    }
    let pages = [Page::Load, Page::History, Page::Settings, Page::About, Page::Home];
    assert_eq!(asked(&window), pages.map(Command::Go));
}

#[test]
fn number_keys_go_to_pages_and_zoom_keys_zoom() {
    let mut window = dark(opened(Page::Home));
    for key in [Key::Num4, Key::Num9, Key::Plus] {
        window.key_press_modifiers(Modifiers::COMMAND, key);
        window.run();
    }
    let larger = Settings { zoom: 1.25, ..chosen_dark() };
    let expected = [Command::Go(Page::Load), Command::Go(Page::About), Command::ChangeSettings(larger)];
    assert_eq!(asked(&window), expected);
}

#[test]
fn the_palette_finds_and_carries_out_by_keys_alone() {
    let mut window = dark(opened(Page::Home));
    open_palette(&mut window);
    window.get_by_label("Search commands").type_text("hist");
    window.run();
    window.key_press(Key::Enter);
    window.run();
    assert_eq!(asked(&window), [Command::Go(Page::History)]);
    assert!(window.query_by_label("Search commands").is_none(), "the palette stays open");
}

#[test]
fn arrows_choose_in_the_palette_and_esc_closes_it() {
    let mut window = dark(opened(Page::Home));
    open_palette(&mut window);
    window.key_press(Key::ArrowDown);
    window.run();
    window.key_press(Key::Escape);
    window.run();
    assert!(asked(&window).is_empty());
    assert!(window.query_by_label("Search commands").is_none());
    open_palette(&mut window);
    window.key_press(Key::ArrowDown);
    window.run();
    window.key_press(Key::Enter);
    window.run();
    assert_eq!(asked(&window), [Command::Go(Page::Clusters)]);
}

#[test]
fn the_palette_says_why_something_cannot_be_done() {
    let mut window = dark(opened(Page::Home));
    open_palette(&mut window);
    window.get_by_label("Search commands").type_text("stop the run");
    window.run();
    window.get_by_label("No run is going");
    window.key_press(Key::Enter);
    window.run();
    assert!(asked(&window).is_empty());
}

#[test]
fn the_palette_runs_what_is_in_the_form() {
    let mut window = dark(opened(Page::Home));
    open_palette(&mut window);
    window.get_by_label("Search commands").type_text("run the test");
    window.run();
    window.key_press(Key::Enter);
    window.run();
    assert_eq!(asked(&window), [Command::Go(Page::Load)]);
    let plan = Plan::for_url("http://127.0.0.1:9/");
    let state = &mut window.state_mut().state;
    state.page = Page::Load;
    state.form = Some((1, Box::new(plan)));
    window.run();
    let started = asked(&window);
    assert!(matches!(started.last(), Some(Command::StartRun(_))), "{started:?}");
}

fn choose_in_palette(window: &mut Harness<'_, Faceless>, words: &str) {
    open_palette(window);
    window.get_by_label("Search commands").type_text(words);
    window.run();
    window.key_press(Key::Enter);
    window.run();
    window.run();
}

#[test]
fn the_palette_steers_a_run_and_says_when_it_cannot() {
    let mut state = opened(Page::Load);
    state.live = Some(sample::live());
    let mut window = dark(state);
    choose_in_palette(&mut window, "pause the run");
    assert!(asked(&window).ends_with(&[Command::PauseRun]), "{:?}", asked(&window));
    choose_in_palette(&mut window, "mark this moment");
    window.get_by_label("Text of the mark").type_text("v2");
    window.run();
    window.key_press(Key::Enter);
    window.run();
    assert!(asked(&window).ends_with(&[Command::MarkRun("v2".to_owned())]), "{:?}", asked(&window));
    choose_in_palette(&mut window, "change the rate");
    assert!(window.get_by_label("Rate, requests per second").is_focused());

    window.state_mut().state.live = None;
    window.run();
    for words in ["pause the run", "mark this moment", "change the rate"] {
        open_palette(&mut window);
        window.get_by_label("Search commands").type_text(words);
        window.run();
        assert_eq!(window.query_all_by_label("No run is going").count(), 1, "{words}");
        window.key_press(Key::Escape);
        window.run();
    }
}

#[test]
fn the_keys_of_a_run_are_its_page_s() {
    let mut state = opened(Page::History);
    state.live = Some(sample::live());
    let mut window = dark(state);
    window.key_press(Key::P);
    window.run();
    assert!(asked(&window).is_empty(), "{:?}", asked(&window));
    window.state_mut().state.page = Page::Load;
    window.run();
    open_palette(&mut window);
    window.key_press(Key::P);
    window.run();
    assert!(asked(&window).is_empty(), "while the palette is open: {:?}", asked(&window));
    window.key_press(Key::Escape);
    window.run();
    window.key_press(Key::P);
    window.run();
    assert_eq!(asked(&window), [Command::PauseRun]);
}

#[test]
fn the_timer_is_chosen_among_three_that_say_what_they_cost() {
    let mut window = dark(opened(Page::Settings));
    for cost in
        ["Precise: within about a microsecond", "Balanced: within about 50 µs", "Economy: up to 500 µs late"]
    {
        window.get_by_label_contains(cost);
    }
    window.get_by_role_and_label(Role::RadioButton, "Precise").click();
    window.run();
    let precise = Settings { timer: Timer::Precise, ..chosen_dark() };
    assert_eq!(asked(&window).last(), Some(&Command::ChangeSettings(precise)));
}

#[test]
fn esc_leaves_a_field_before_it_leaves_the_page() {
    let mut state = opened(Page::History);
    state.notices_shown = true;
    state.history = (1..=3).map(summary).collect();
    let mut window = dark(state);
    window.key_press(Key::Slash);
    window.run();
    window.key_press(Key::Escape);
    window.run();
    assert!(asked(&window).is_empty(), "{:?}", asked(&window));
    window.key_press(Key::Escape);
    window.run();
    assert_eq!(asked(&window), [Command::ToggleNotices]);
}

#[test]
fn every_action_of_the_table_is_in_the_palette() {
    let state = opened(Page::Home);
    for action in actions(&state) {
        let mut window = dark(state.clone());
        open_palette(&mut window);
        window.get_by_label("Search commands").type_text(&action.title);
        window.run();
        assert!(window.query_by_label(&action.title).is_some(), "{}", action.title);
    }
}

#[test]
fn a_toast_offers_undo_and_goes_by_itself() {
    let mut state = opened(Page::Home);
    let mut window = dark(state.clone());
    state.notices = vec![Notice { action: Some(NoticeAction::UndoDelete), ..notice(1, Level::Info) }];
    window.state_mut().state = state;
    window.run();
    window.get_by_role_and_label(Role::Button, "Undo").click();
    window.run();
    assert_eq!(asked(&window), [Command::UndoDelete]);
    assert!(window.query_by_label("Notice 1").is_none(), "a toast that was answered goes");
    window.remove_cursor();

    window.state_mut().state.notices = vec![notice(2, Level::Info)];
    window.run();
    window.get_by_label("Notice 2");
    // Six seconds, a quarter of a second each.
    window.run_steps(24);
    assert!(window.query_by_label("Notice 2").is_none(), "the toast stays");
}

#[test]
fn a_toast_under_the_pointer_stays() {
    let mut window = dark(opened(Page::Home));
    window.state_mut().state.notices = vec![notice(1, Level::Info)];
    window.run();
    let at = window.get_by_label("Notice 1").rect().center();
    window.hover_at(at);
    window.run_steps(40);
    window.get_by_label("Notice 1");
    window.remove_cursor();
    window.run_steps(24);
    assert!(window.query_by_label("Notice 1").is_none());
}

#[test]
fn notices_that_are_kept_can_be_copied_and_dismissed() {
    let mut state = opened(Page::Home);
    state.notices = vec![notice(1, Level::Error)];
    let mut window = dark(state);
    window.get_by_label("Notifications, 1 unread").click();
    window.run();
    assert_eq!(asked(&window), [Command::ToggleNotices]);
    window.state_mut().state.notices_shown = true;
    window.state_mut().state.notices[0].read = true;
    window.state_mut().asked.clear();
    window.run();
    window.get_by_label("Copy").click();
    window.step();
    let copied = window.output().platform_output.commands.iter().any(
        |command| matches!(command, egui::OutputCommand::CopyText(text) if text.starts_with("Notice 1\nWhy")),
    );
    assert!(copied, "nothing was copied");
    window.get_by_label("Dismiss").click();
    window.run();
    window.key_press(Key::Escape);
    window.run();
    assert_eq!(asked(&window), [Command::DismissNotice(NoticeId(1)), Command::ToggleNotices]);
}

#[test]
fn quitting_during_a_run_asks_and_the_safe_answer_has_the_focus() {
    let mut state = opened(Page::Home);
    state.question = Some(Question::Quit);
    let mut window = dark(state);
    assert!(window.get_by_label("Keep running").accesskit_node().is_focused());
    window.key_press(Key::Enter);
    window.run();
    window.key_press(Key::Escape);
    window.run();
    window.get_by_label("Stop and close").click();
    window.run();
    let expected = [Command::DismissQuitQuestion, Command::DismissQuitQuestion, Command::QuitConfirmed];
    assert_eq!(asked(&window), expected);
}

#[test]
fn a_heavy_load_is_agreed_to_or_not() {
    let plan = Box::new(Plan::for_url("http://198.51.100.7/"));
    let mut state = opened(Page::Home);
    let reason = "5 000 requests a second".to_owned();
    state.question = Some(Question::HeavyLoad { plan, search: None, reason });
    let mut window = dark(state);
    window.get_by_label_contains("5 000 requests a second");
    window.get_by_label("Cancel").click();
    window.run();
    window.get_by_label("Run test").click();
    window.run();
    assert_eq!(asked(&window), [Command::DismissLoadQuestion, Command::AgreeToLoad]);
}

#[test]
fn a_question_keeps_keys_from_what_is_behind_it() {
    let mut state = opened(Page::Home);
    state.question = Some(Question::Quit);
    let mut window = dark(state);
    window.key_press_modifiers(Modifiers::COMMAND, Key::Num4);
    window.run();
    assert!(asked(&window).is_empty());
}

#[test]
fn tab_goes_from_the_rail_over_the_bar_to_the_page() {
    let mut window = dark(opened(Page::Home));
    let mut order = Vec::new();
    for _ in 0..15 {
        window.key_press(Key::Tab);
        window.run();
        let focused = window.root().children_recursive().find(|node| node.accesskit_node().is_focused());
        order.push(focused.and_then(|node| node.accesskit_node().label()).unwrap_or_default());
    }
    let expected = [
        "Home",
        "Clusters",
        "Adapters",
        "Load",
        "History",
        "Metrics",
        "Account",
        "Settings",
        "About",
        "Commands Ctrl+K",
        "Notifications",
        "Switch to the light theme",
        "Try it",
        "Test a URL",
        "Open results",
    ];
    assert_eq!(order, expected);
}

#[test]
fn settings_change_one_at_a_time() {
    let mut window = dark(opened(Page::Settings));
    window.get_by_role_and_label(Role::RadioButton, "Light").click();
    window.run();
    window.get_by_label("Larger").click();
    window.run();
    window.get_by_role(Role::CheckBox).click();
    window.run();
    let default = chosen_dark();
    let expected = [
        Settings { theme: ThemeChoice::Light, ..default.clone() },
        Settings { zoom: 1.25, ..default.clone() },
        Settings { reduced_motion: true, ..default },
    ];
    assert_eq!(asked(&window), expected.map(Command::ChangeSettings));
}

#[test]
fn the_theme_follows_the_choice() {
    let mut state = opened(Page::Home);
    state.settings.theme = ThemeChoice::Light;
    let window = dark(state);
    assert!(!window.ctx.global_style().visuals.dark_mode);
    window.get_by_label("Switch to the dark theme");
}

#[derive(Debug)]
struct Dropped(PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &std::path::Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        Err("the window does not read files".to_owned())
    }
}

/// A file that was dropped on the window.
pub(crate) fn dropped(path: &str) -> std::sync::Arc<dyn egui::DroppedFile + Send + Sync> {
    std::sync::Arc::new(Dropped(PathBuf::from(path)))
}

#[test]
fn a_plan_that_is_dropped_on_the_window_is_opened() {
    let mut window = dark(opened(Page::Home));
    for name in ["/tmp/picture.png", "/tmp/checkout.toml"] {
        window.input_mut().dropped_files.push(dropped(name));
        window.run();
    }
    assert_eq!(asked(&window), [Command::ImportPlanFrom(PathBuf::from("/tmp/checkout.toml"))]);
}

#[test]
fn nothing_is_redrawn_while_nothing_changes() {
    let mut window = dark(opened(Page::Home));
    window.run_steps(8);
    let output = window.output().viewport_output.values().next().unwrap();
    assert!(output.repaint_delay > std::time::Duration::from_secs(3600), "{:?}", output.repaint_delay);
}
