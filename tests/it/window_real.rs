//! The real program in a real window, from the first click to history and over a restart.
//!
//! Needs the Debian packages xvfb, openbox, xdotool and the libraries of the window; the smoke test with a
//! screen reader's eyes also needs dbus, at-spi2-core and python3-pyatspi, and that of notifications dunst.

mod machine;
mod relay;
mod window;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use eframe::egui::accesskit::Role;
use eframe::egui::{Key, Modifiers};

use crate::kube::{Cluster, Kubeconfig, Options, Person};

use self::machine::{Display, Process, start};
use self::relay::SlowRelay;
use self::window::{Seen, Thing, Window};

const PROGRAM: &str = env!("CARGO_BIN_EXE_meshbench");
/// What a new person may wait for the first live plot.
const FIRST_PLOT_MAX: Duration = Duration::from_secs(10);
/// The first run lasts ten seconds; the rest is for a machine that has much else to do.
const FIRST_RUN_MAX: Duration = Duration::from_secs(60);
const PAGE_MAX: Duration = Duration::from_secs(20);
const SMOKE_MAX: Duration = Duration::from_secs(240);
/// How long a window at rest is watched.
const REST_WATCHED: Duration = Duration::from_secs(3);
/// How many frames it may draw meanwhile. Looking costs up to six; a plot that goes on costs thirty.
const REST_FRAMES_MAX: u64 = 8;
const CONNECTED_MAX: Duration = Duration::from_secs(120);
/// A cluster that stands is looked at every half minute, for ten seconds.
const SILENT_MAX: Duration = Duration::from_secs(90);
/// A window that waits for a cluster waits for seconds; one that does not answers in milliseconds, on a busy machine in
/// some hundred.
const ANSWER_MAX: Duration = Duration::from_secs(2);

#[test]
fn from_the_first_click_to_history_and_over_a_restart() {
    let display = Display::start();
    let data = tempfile::tempdir().unwrap();
    let mut window = open(&display, data.path());
    let clicked = Instant::now();
    window.click(Role::Button, "Try it");
    window.wait_for("a live plot", FIRST_PLOT_MAX, shows_live_plot);
    assert!(clicked.elapsed() < FIRST_PLOT_MAX, "the plot came after {:?}", clicked.elapsed());
    window.wait_for("the result", FIRST_RUN_MAX, shows_result);
    window.click(Role::Tab, "History");
    window.wait_for("the run in history", PAGE_MAX, |seen| runs(seen).len() == 1);
    let ended = window.close(&display);
    assert!(ended.success(), "closing at rest must not ask, and must end well: {ended}");

    let mut window = open(&display, data.path());
    window.key(Modifiers::COMMAND, Key::Num5);
    let seen = window.wait_for("the run in history after a restart", PAGE_MAX, |seen| runs(seen).len() == 1);
    assert!(runs(&seen)[0].contains("Completed"), "{:?}", runs(&seen));
}

#[test]
fn closing_during_a_run_asks_and_a_kill_leaves_it_interrupted() {
    let display = Display::start();
    let data = tempfile::tempdir().unwrap();
    let (_target, url) = target();
    let mut window = open(&display, data.path());
    window.click(Role::Button, "Test a URL");
    window.fill("URL", &url);
    // Longer than this test, so that the run cannot end by itself.
    window.fill("Duration", "10min");
    window.click(Role::Button, "Run test");
    window.wait_for("a live plot", PAGE_MAX, shows_live_plot);
    window.ask_to_close(&display, |window| asks_before_closing(&window.look()));
    window.wait_for("a question before the run is lost", PAGE_MAX, asks_before_closing);
    window.click(Role::Button, GO_ON);
    window
        .wait_for("the run going on", PAGE_MAX, |seen| seen.has_button("Stop") && !asks_before_closing(seen));
    window.kill();

    let mut window = open(&display, data.path());
    window.click(Role::Tab, "History");
    let seen = window.wait_for("the killed run", PAGE_MAX, |seen| runs(seen).len() == 1);
    assert!(runs(&seen)[0].contains("Interrupted"), "{:?}", runs(&seen));
}

/// What an API server may do while the window is used.
#[test]
fn the_window_answers_whatever_an_api_server_does() {
    let cluster = Cluster::own(Options::default());
    let relay = SlowRelay::start(cluster.url().trim_start_matches("https://").parse().unwrap());
    let display = Display::start();
    let kube = display.home().join(".kube");
    std::fs::create_dir(&kube).unwrap();
    Kubeconfig::of(&cluster, Person::Admin).server(&relay.url()).write(&kube, "config");
    let data = tempfile::tempdir().unwrap();
    let mut window = open(&display, data.path());
    window.click(Role::Tab, "Clusters");
    window.click(Role::Button, "Use kubectl’s contexts");
    window.wait_for("the context", PAGE_MAX, |seen| seen.says("tests"));
    window.click(Role::ListItem, "Context tests, not connected");
    window.wait_for("the cluster through a slow way", CONNECTED_MAX, |seen| seen.says("answers in"));
    let mut slowest = vec![("slow", used(&mut window))];
    cluster.pause();
    slowest.push(("silent", used(&mut window)));
    window.wait_for("that it is silent", SILENT_MAX, |seen| seen.says("does not answer"));
    slowest.push(("told as silent", used(&mut window)));
    cluster.resume();
    window.wait_for("that it is back", CONNECTED_MAX, |seen| seen.says("answers in"));
    cluster.kill();
    slowest.push(("gone", used(&mut window)));
    println!("slowest answers of the window: {slowest:?}");
    for (state, took) in slowest {
        assert!(took < ANSWER_MAX, "with an API server that is {state} the window took {took:?} to answer");
    }
    assert!(window.close(&display).success());
}

/// Goes over the tabs and moves the pointer; the longest wait for a frame.
fn used(window: &mut Window) -> Duration {
    let mut slowest = Duration::ZERO;
    for tab in ["Pods", "Services", "Namespaces", "Overview"] {
        window.click(Role::RadioButton, tab);
        for step in 0..10 {
            let begun = Instant::now();
            window.point(100.0 + 60.0 * step as f32, 300.0);
            slowest = slowest.max(begun.elapsed());
        }
    }
    slowest
}

#[test]
fn who_looks_elsewhere_is_told_on_the_desktop_how_an_operation_ended() {
    let display = Display::with_bus();
    // An API server that takes connections and says nothing: the operation ends when we do not wait any more.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let kube = display.home().join(".kube");
    std::fs::create_dir(&kube).unwrap();
    let config = format!(
        "apiVersion: v1\nkind: Config\nclusters:\n- name: c\n  cluster: {{server: \"https://{}\"}}\n\
         users:\n- name: u\n  user: {{token: t}}\ncontexts:\n- name: silent\n  context: {{cluster: c, user: u}}\n\
         current-context: silent\n",
        silent.local_addr().unwrap()
    );
    std::fs::write(kube.join("config"), config).unwrap();
    let told = display.home().join("told");
    let output = std::fs::File::create(&told).unwrap();
    let settings = display.home().join("dunstrc");
    std::fs::write(&settings, "[global]\n").unwrap();
    let mut desktop = start("dunst", "dunst", |command| {
        display.clothe(command);
        command.arg("-conf").arg(&settings).arg("-print").stdin(Stdio::null());
        command.stdout(output.try_clone().unwrap()).stderr(output);
    });
    let data = tempfile::tempdir().unwrap();
    let mut window = open(&display, data.path());
    window.click(Role::Tab, "Clusters");
    window.click(Role::Button, "Use kubectl’s contexts");
    window.wait_for("the context", PAGE_MAX, |seen| seen.says("silent"));
    window.click(Role::ListItem, "Context silent, not connected");
    window.click(Role::Tab, "Adapters");
    window.wait_for("what is offered", PAGE_MAX, |seen| seen.says("Search operations"));
    window.fill("Search operations", "validate");
    let offered = window.wait_for("one operation", PAGE_MAX, |seen| {
        seen.things().iter().filter(|it| it.role == Role::Button && it.name.starts_with("Check ")).count()
            == 1
    });
    let check = offered.things().iter().find(|it| it.name.starts_with("Check ")).unwrap().name.clone();
    window.click(Role::Button, &check);
    window.click(Role::Button, "Carry out");
    window.minimize(&display);
    let said = || std::fs::read_to_string(&told).unwrap();
    let begun = Instant::now();
    while !said().contains("The API server does not answer") {
        assert!(begun.elapsed() < SILENT_MAX, "the desktop was told: {}", said());
        assert!(desktop.ended().is_none(), "dunst ended: {}", said());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(said().contains("Istio") && said().contains("Meshbench"), "{}", said());
    window.kill();
}

#[test]
fn a_window_at_rest_draws_nothing() {
    let display = Display::start();
    let data = tempfile::tempdir().unwrap();
    let mut window = open(&display, data.path());
    window.wait_for("the first page", PAGE_MAX, |seen| seen.has_button("Try it"));
    window.settle();
    let frames = window.frames_while(REST_WATCHED);
    assert!(frames <= REST_FRAMES_MAX, "{frames} frames in {REST_WATCHED:?} in which nothing changed");
}

#[test]
fn a_screen_reader_finds_every_name_and_real_keys_work() {
    let display = Display::start();
    let data = tempfile::tempdir().unwrap();
    let log = display.home().join("smoke.log");
    let output = std::fs::File::create(&log).unwrap();
    let mut smoke = start("dbus-run-session", "dbus", |command| {
        display.clothe(command);
        command.args(["--", "/usr/bin/python3"]);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/smoke/window.py"));
        command.arg(PROGRAM).arg(data.path()).stdin(Stdio::null());
        command.stdout(output.try_clone().unwrap()).stderr(output);
    });
    let ended = smoke.wait_for_end(SMOKE_MAX);
    assert!(ended.success(), "{ended}\n{}", std::fs::read_to_string(&log).unwrap());
}

#[test]
fn without_a_display_the_program_names_its_twin_for_a_terminal() {
    let data = tempfile::tempdir().unwrap();
    let mut command = Command::new(PROGRAM);
    command.arg("--data-dir").arg(data.path()).stdin(Stdio::null());
    for display in ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"] {
        command.env_remove(display);
    }
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(COULD_NOT_OPEN), "{said}");
    assert!(said.contains("meshbench try"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

/// The exit status for what could not be carried out.
const COULD_NOT_OPEN: i32 = 3;
/// The button that answers the question before closing with no.
const GO_ON: &str = "Keep running";

fn open(display: &Display, data: &Path) -> Window {
    Window::open(display, Path::new(PROGRAM), data)
}

/// The built-in target as a process of its own, and its address.
fn target() -> (Process, String) {
    let mut target = start(PROGRAM, "meshbench", |command| {
        command.arg("target").stdin(Stdio::null()).stdout(Stdio::piped());
    });
    let url = target.first_line();
    assert!(url.starts_with("http://127.0.0.1:"), "the target said {url:?}");
    (target, url)
}

fn shows_live_plot(seen: &Seen) -> bool {
    let drawn = |thing: &Thing| {
        let name = thing.name.as_str();
        thing.role == Role::Image && name.starts_with("Response time over time") && name.contains("p99")
    };
    seen.has_button("Stop") && seen.things().iter().any(drawn)
}

fn shows_result(seen: &Seen) -> bool {
    !seen.has_button("Stop") && seen.says("p99.9")
}

fn asks_before_closing(seen: &Seen) -> bool {
    seen.has_button(GO_ON)
}

/// What the rows of the history list say.
fn runs(seen: &Seen) -> Vec<String> {
    let rows = seen.things().iter().filter(|thing| thing.role == Role::Row && !thing.name.is_empty());
    rows.map(|row| row.name.clone()).collect()
}
