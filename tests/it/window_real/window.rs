//! The real program in its real window, driven from outside: what is on the screen is read and clicked by
//! name, through the inspection protocol of the window's toolkit.

use std::fmt::Write as _;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use eframe::egui::accesskit::{Action, ActionRequest, NodeId, Role, TreeId};
use eframe::egui::{self, Event, Modifiers, PointerButton, Pos2, Rect};
use egui_inspection::protocol::{PROTOCOL_VERSION, read_handshake, read_message, write_message};
use egui_inspection::{Request, Response};
use egui_kittest::kittest::{AccessKitNode, State};

use super::machine::{Display, END_MAX, LOOK_EVERY, Process, START_MAX, start, until};

/// How long one answer of the window may take.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// Frames after which a window that goes on moving counts as settled all the same.
const SETTLE_FRAMES_MAX: u64 = 30;
/// A window that was asked to close asks back, or ends, within this time.
const CLOSE_TAKEN_MAX: Duration = Duration::from_secs(10);
/// How often it is asked.
const CLOSE_TRIES: u32 = 3;

/// The program's window.
pub(super) struct Window {
    process: Process,
    inspector: TcpStream,
    log: PathBuf,
}

impl Window {
    /// Starts the program on a display with its own data folder, and waits for its first frame.
    pub(super) fn open(display: &Display, program: &Path, data: &Path) -> Self {
        let port = free_port();
        let log = display.home().join(format!("window-{port}.log"));
        let output = fs::File::create(&log).unwrap();
        let mut process = start(program.to_str().unwrap(), "libx11-6 libgl1", |command| {
            display.clothe(command);
            command.arg("--data-dir").arg(data);
            command.env("EGUI_INSPECTION", format!("127.0.0.1:{port}"));
            command.stdin(Stdio::null());
            command.stdout(output.try_clone().unwrap()).stderr(output);
        });
        let inspector = until("the window answers", START_MAX, || {
            if let Some(ended) = process.ended() {
                panic!("the program ended with {ended}: {}", fs::read_to_string(&log).unwrap());
            }
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        inspector.set_read_timeout(Some(ANSWER_MAX)).unwrap();
        inspector.set_nodelay(true).unwrap();
        assert_eq!(read_handshake(&inspector).unwrap(), PROTOCOL_VERSION);
        Self { process, inspector, log }
    }

    /// What is on the screen now.
    pub(super) fn look(&mut self) -> Seen {
        match self.ask(&Request::GetTree) {
            Response::Tree { accesskit: Some(tree), pixels_per_point, .. } => {
                Seen::read(&State::new(tree), pixels_per_point)
            }
            other => panic!("no tree came, but {other:?}"),
        }
    }

    /// Looks until the screen shows what is awaited; on failure says what it shows instead.
    pub(super) fn wait_for(&mut self, awaited: &str, max: Duration, holds: impl Fn(&Seen) -> bool) -> Seen {
        let deadline = Instant::now() + max;
        loop {
            let seen = self.look();
            if holds(&seen) {
                return seen;
            }
            if Instant::now() > deadline {
                let test = thread::current().name().unwrap_or("window").replace("::", "-");
                let picture = self.picture(&test);
                panic!("not within {max:?}: {awaited}; see {}\n{}", picture.display(), seen.words());
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// Clicks the one thing with this role and name, with the pointer, where it is.
    pub(super) fn click(&mut self, role: Role, name: &str) {
        let thing = self.find(role, name);
        let screen = self.look().screen;
        let thing = if screen.contains(thing.rect.center()) { thing } else { self.bring_into_view(&thing) };
        let pos = thing.rect.center();
        self.apply(vec![Event::PointerMoved(pos)]);
        self.apply(vec![press(pos, true)]);
        self.apply(vec![press(pos, false)]);
    }

    /// Moves the pointer, and waits for the frame in which it is there.
    pub(super) fn point(&mut self, x: f32, y: f32) {
        self.apply(vec![Event::PointerMoved(Pos2::new(x, y))]);
    }

    /// Clicks into a field, puts these words in the place of what is there.
    pub(super) fn fill(&mut self, name: &str, words: &str) {
        self.click(Role::TextInput, name);
        self.key(Modifiers::COMMAND, egui::Key::A);
        self.apply(vec![Event::Text(words.to_owned())]);
        self.wait_for(&format!("{words:?} in {name:?}"), ANSWER_MAX, |seen| {
            seen.get(Role::TextInput, name).is_some_and(|field| field.value == words)
        });
    }

    /// Presses and releases a key.
    pub(super) fn key(&mut self, modifiers: Modifiers, key: egui::Key) {
        for pressed in [true, false] {
            self.apply(vec![Event::Key { key, physical_key: None, pressed, repeat: false, modifiers }]);
        }
    }

    /// How many frames the window draws in this time, the two that asking costs included.
    pub(super) fn frames_while(&mut self, watched: Duration) -> u64 {
        let before = self.frame();
        thread::sleep(watched);
        self.frame() - before
    }

    /// Saves what the window shows, for a person to look at.
    pub(super) fn picture(&mut self, name: &str) -> PathBuf {
        let Response::Screenshot(picture) = self.ask(&Request::GetScreenshot { pixels_per_point: None })
        else {
            panic!("no picture came")
        };
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png"));
        fs::write(&path, picture.bytes).unwrap();
        path
    }

    /// Asks the window manager to close the window, as a person does, until something came of it: on a busy machine keys
    /// are lost now and then.
    pub(super) fn ask_to_close(&mut self, display: &Display, is_taken: impl Fn(&mut Self) -> bool) {
        for _ in 0..CLOSE_TRIES {
            self.press_to_close(display);
            let deadline = Instant::now() + CLOSE_TAKEN_MAX;
            while Instant::now() < deadline {
                if is_taken(self) {
                    return;
                }
                thread::sleep(LOOK_EVERY);
            }
        }
    }

    fn press_to_close(&self, display: &Display) {
        let own = self.process.id().to_string();
        until("the window is in front", START_MAX, || {
            let front = display.xdotool(&["getactivewindow", "getwindowpid"])?;
            (front == own).then_some(())
        });
        display.xdotool(&["key", "--clearmodifiers", "alt+F4"]).expect("xdotool presses Alt+F4");
    }

    /// Minimizes the window, as a person does who looks elsewhere.
    pub(super) fn minimize(&self, display: &Display) {
        let own = self.process.id().to_string();
        until("the window is out of sight", START_MAX, || {
            let window = display.xdotool(&["search", "--onlyvisible", "--pid", &own])?;
            display.xdotool(&["windowminimize", "--sync", window.lines().next()?])
        });
    }

    /// Closes the window, and waits for the program's end.
    pub(super) fn close(mut self, display: &Display) -> ExitStatus {
        self.ask_to_close(display, |window| window.process.ended().is_some());
        self.process.wait_for_end(END_MAX)
    }

    /// Ends the program at once, as a crash does.
    pub(super) fn kill(mut self) {
        self.process.kill();
    }

    fn frame(&mut self) -> u64 {
        match self.ask(&Request::GetTree) {
            Response::Tree { step, .. } => step,
            other => panic!("no tree came, but {other:?}"),
        }
    }

    fn find(&mut self, role: Role, name: &str) -> Thing {
        let awaited = format!("a {role:?} named {name:?}");
        let seen = self.wait_for(&awaited, ANSWER_MAX, |seen| seen.get(role, name).is_some());
        seen.get(role, name).cloned().expect("it was there a moment ago")
    }

    fn bring_into_view(&mut self, thing: &Thing) -> Thing {
        let request = ActionRequest {
            action: Action::ScrollIntoView,
            target_tree: TreeId::ROOT,
            target_node: thing.id,
            data: None,
        };
        self.apply(vec![Event::AccessKitActionRequest(request)]);
        self.settle();
        self.find(thing.role, &thing.name)
    }

    /// Waits until the window has nothing more to draw at once.
    pub(super) fn settle(&mut self) {
        let answer = self.ask(&Request::Settle { max_steps: SETTLE_FRAMES_MAX });
        assert!(matches!(answer, Response::Settled { .. }), "{answer:?}");
    }

    fn apply(&mut self, events: Vec<Event>) {
        let answer = self.ask(&Request::ApplyEvents { events });
        assert!(matches!(answer, Response::Done), "{answer:?}");
    }

    fn ask(&mut self, request: &Request) -> Response {
        let answer = write_message(&self.inspector, request).and_then(|()| read_message(&self.inspector));
        answer.unwrap_or_else(|error| {
            let ended = self.process.ended();
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            panic!("the window did not answer ({error}); the program's end: {ended:?}; it wrote: {log}");
        })
    }
}

fn press(pos: Pos2, pressed: bool) -> Event {
    Event::PointerButton { pos, button: PointerButton::Primary, pressed, modifiers: Modifiers::NONE }
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// What is on the screen, flat, in the order of the tree.
pub(super) struct Seen {
    things: Vec<Thing>,
    screen: Rect,
}

/// One thing on the screen.
#[derive(Clone, Debug)]
pub(super) struct Thing {
    id: NodeId,
    /// What kind of thing.
    pub(super) role: Role,
    /// Its accessible name; the text itself for a label.
    pub(super) name: String,
    /// Its value, for a field or a label.
    pub(super) value: String,
    /// Whether it can be used now.
    pub(super) enabled: bool,
    rect: Rect,
}

impl Seen {
    fn read(tree: &State, pixels_per_point: f32) -> Self {
        let mut things = Vec::new();
        collect(tree.root(), pixels_per_point, &mut things);
        let screen = things.first().map_or(Rect::NOTHING, |root| root.rect);
        Self { things, screen }
    }

    /// The first thing with this role and name.
    pub(super) fn get(&self, role: Role, name: &str) -> Option<&Thing> {
        self.things.iter().find(|thing| thing.role == role && thing.name == name)
    }

    /// Whether a button with this name is there and can be used.
    pub(super) fn has_button(&self, name: &str) -> bool {
        self.get(Role::Button, name).is_some_and(|button| button.enabled)
    }

    /// Whether any name or text on the screen has these words in it.
    pub(super) fn says(&self, words: &str) -> bool {
        self.things.iter().any(|thing| thing.name.contains(words) || thing.value.contains(words))
    }

    /// Every thing on the screen.
    pub(super) fn things(&self) -> &[Thing] {
        &self.things
    }

    /// All that can be read on the screen, one thing a line.
    pub(super) fn words(&self) -> String {
        let mut words = String::new();
        for thing in self.things.iter().filter(|thing| !(thing.name.is_empty() && thing.value.is_empty())) {
            let _in_memory = writeln!(words, "{:?} {:?} {:?}", thing.role, thing.name, thing.value);
        }
        words
    }
}

fn collect(node: AccessKitNode<'_>, pixels_per_point: f32, things: &mut Vec<Thing>) {
    let bounds = node.bounding_box().unwrap_or_default();
    #[expect(clippy::cast_possible_truncation, reason = "the toolkit's own coordinates are f32")]
    let point = |x: f64, y: f64| Pos2::new(x as f32, y as f32) / pixels_per_point;
    let value = node.value().unwrap_or_default();
    // A label's text is its value.
    let name = node.label().unwrap_or_else(|| value.clone());
    things.push(Thing {
        id: node.locate().0,
        role: node.role(),
        name,
        value,
        enabled: !node.is_disabled(),
        rect: Rect::from_min_max(point(bounds.x0, bounds.y0), point(bounds.x1, bounds.y1)),
    });
    for child in node.children() {
        collect(child, pixels_per_point, things);
    }
}
