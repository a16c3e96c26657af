//! What the window costs: processor time of a frame, and the time to a history of 10 000 runs.
//!
//! `cargo bench --bench window` prints a table; with `-- pages` it leaves out the long history, whose 10 000 runs
//! take their time to write. A frame is everything that the window's thread does for one
//! picture, without the graphics driver: taking in news, drawing every widget, and cutting it into triangles.
//! Processor time of that thread, not wall time, so that a busy machine does not matter.

#![expect(clippy::print_stdout, reason = "the table is what a bench is for")]

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use eframe::egui::{self, Context, RawInput, Rect, Vec2};
use meshbench::app::state::StoreState;
use meshbench::app::{Command, Core, Dialogs, Keep, Options, Page};
use meshbench::model::run::{RunEdit, RunId};
use meshbench::model::{Pacing, Plan, Run, Stop};
use meshbench::store::Store;
use meshbench::ui::{Machine, Shell, theme};
use rustix::time::{ClockId, clock_gettime};

const FRAMES: usize = 600;
const RUNS: usize = 10_000;
const SIZE: Vec2 = Vec2::new(1280.0, 800.0);

fn main() {
    let dir = tempfile::tempdir().expect("a place for the data");
    let titles = ["first", "median", "p99", "max"].map(|title| format!("{title:>9}")).join("");
    println!("{:<52}{titles}", "frame, milliseconds of processor time");
    idle_pages();
    silent_target_and_busy_store(dir.path());
    if std::env::args().all(|word| word != "pages") {
        long_history(&dir.path().join("long"));
    }
}

fn idle_pages() {
    let dir = tempfile::tempdir().expect("a place for the data");
    let mut window = Window::open(dir.path(), Keep::Nowhere);
    for page in [Page::Home, Page::Load, Page::History, Page::Settings] {
        window.core.command(Command::Go(page));
        window.report(&format!("{page:?}, empty"), |_| {});
    }
}

/// The worst that the outside can do: nobody answers, and the disk has more to do than it can.
fn silent_target_and_busy_store(dir: &Path) {
    let silent = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let mut window = Window::open(dir, Keep::Here);
    let mut plan = Plan::for_url(&format!("http://{}/", silent.local_addr().expect("bound")));
    plan.pacing = Pacing::Constant { rate_per_sec: 1000.0 };
    plan.stop = Stop::Duration(Duration::from_secs(600));
    plan.timeout = Duration::from_millis(500);
    window.core.command(Command::Go(Page::Load));
    window.core.command(Command::StartRun(Box::new(plan)));
    window.until(|core| core.state().live.as_ref().is_some_and(|live| live.in_flight > 0));
    let nobody = RunId(uuid::Uuid::nil());
    window.report("Load, running; target silent, store overloaded", |core| {
        for _ in 0..20 {
            core.command(Command::EditRun(nobody, RunEdit::Note("busy".to_owned())));
            core.command(Command::ReloadHistory);
        }
    });
    window.core.command(Command::StopRun);
    window.until(|core| !core.state().is_running());
    window.core.end();
}

fn long_history(dir: &Path) {
    fill(dir);
    let start = Instant::now();
    let mut window = Window::open(dir, Keep::Here);
    let list = start.elapsed();
    window.core.command(Command::Go(Page::History));
    let drawn = window.frame();
    println!(
        "history of {RUNS} runs: store opened, checked and listed in {list:?}; first picture of the page {drawn:.1} ms"
    );
    assert_eq!(window.core.state().history.len(), RUNS);
    window.report("History, 10 000 runs", |_| {});
    let newest = window.core.state().history[0].id;
    window.core.command(Command::OpenRun(newest));
    window.until(|core| matches!(core.state().open, meshbench::app::state::Open::Result(_)));
    window.report("Result of a run", |_| {});
    window.core.end();
}

/// Real runs: one that was really made, under as many ids.
fn fill(dir: &Path) {
    let made = made_run();
    let (store, _) = Store::open(dir, made.started, &mut |_| {}).expect("a new store");
    for batch in 0..RUNS / 500 {
        let runs: Vec<Run> = (0..500)
            .map(|n| {
                let at = (batch * 500 + n) as u128;
                Run { id: RunId(uuid::Uuid::from_u128(at + 1)), name: format!("run {at}"), ..made.clone() }
            })
            .collect();
        store.save_runs(&runs).expect("room on the disk");
    }
    store.close().expect("a whole file");
}

fn made_run() -> Run {
    let dir = tempfile::tempdir().expect("a place for the data");
    let mut window = Window::open(dir.path(), Keep::Nowhere);
    window.core.command(Command::TryIt);
    window.until(|core| matches!(core.state().open, meshbench::app::state::Open::Result(_)));
    match &window.core.state().open {
        meshbench::app::state::Open::Result(run) => Run::clone(run),
        _ => unreachable!("waited for"),
    }
}

struct Window {
    core: Core,
    shell: Shell,
    ctx: Context,
    time: f64,
}

impl Window {
    fn open(dir: &Path, keep: Keep) -> Self {
        let ctx = Context::default();
        theme::install(&ctx);
        let dialogs: Dialogs = Arc::new(|_| Box::pin(async { Ok(Vec::new()) }));
        let options = Options { data_dir: dir.to_owned(), keep };
        let core = Core::start(options, Arc::new(|| {}), dialogs).expect("a free data directory");
        let mut window = Self { core, shell: Shell::new(Machine::default()), ctx, time: 0.0 };
        window.until(|core| core.state().store == StoreState::Open);
        window
    }

    fn until(&mut self, reached: impl Fn(&Core) -> bool) {
        let start = Instant::now();
        while !reached(&self.core) {
            assert!(start.elapsed() < Duration::from_secs(60), "what was waited for did not come");
            self.core.wait(Duration::from_millis(50));
        }
    }

    /// Milliseconds of processor time of one frame.
    fn frame(&mut self) -> f64 {
        self.time += 0.1;
        let start = cpu_ms();
        self.core.turn();
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(egui::Pos2::ZERO, SIZE)),
            time: Some(self.time),
            ..RawInput::default()
        };
        let mut asked = Vec::new();
        let mut output = self.ctx.run_ui(input, |ui| asked = self.shell.ui(ui, self.core.state()));
        for command in asked {
            self.core.command(command);
        }
        // There is no graphics card to hand textures to.
        output.textures_delta.clear();
        let triangles = self.ctx.tessellate(output.shapes, output.pixels_per_point);
        let spent = cpu_ms() - start;
        std::hint::black_box(triangles);
        spent
    }

    /// The first picture of a page also lays out its letters; it is shown apart from those that follow.
    fn report(&mut self, what: &str, mut between: impl FnMut(&mut Core)) {
        let first = self.frame();
        let mut spent: Vec<f64> = (0..FRAMES)
            .map(|_| {
                between(&mut self.core);
                self.frame()
            })
            .collect();
        spent.sort_by(f64::total_cmp);
        let told = [first, spent[FRAMES / 2], spent[FRAMES * 99 / 100], spent[FRAMES - 1]];
        println!("{what:<52}{}", told.map(|ms| format!("{ms:>9.2}")).join(""));
    }
}

fn cpu_ms() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 * 1e3 + now.tv_nsec as f64 / 1e6
}
