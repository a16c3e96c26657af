//! The window itself: eframe around the shell, and the core behind it.

mod dialogs;
mod message;
mod rasterizer;
mod renderer;
mod start;

use std::io::Write as _;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use eframe::egui::{Context, IconData, Ui, ViewportBuilder, ViewportCommand};
use eframe::{NativeOptions, Renderer};

use crate::app::{self, Command, Core, Keep, StartError};
use crate::model::causes::chain;

use super::shell::Shell;
use super::theme;

use rasterizer::Rasterizer;
use start::Session;

/// Exit status when the window cannot be opened.
const CANNOT_OPEN: u8 = 3;
const SIZE: [f32; 2] = [1280.0, 800.0];
const SIZE_MIN: [f32; 2] = [720.0, 480.0];
/// News is shown so soon after it came.
const NEWS_SHOWN_AFTER: Duration = Duration::from_millis(16);
/// News of a run that is going: at most ten frames a second.
const RUN_SHOWN_EVERY: Duration = Duration::from_millis(100);
/// As above where the processor draws: four frames a second, so that drawing does not disturb measuring.
const RUN_SHOWN_EVERY_SOFTWARE: Duration = Duration::from_millis(250);
const ICON: &[u8] = include_bytes!("../../assets/icon-256.png");

/// Opens the window on this data directory (the platform's own if none), until it is closed.
#[must_use]
pub fn open(data_dir: Option<PathBuf>) -> ExitCode {
    let Some(session) = start::session() else {
        return refuse(start::NO_DISPLAY);
    };
    let data_dir = match data_dir.map_or_else(app::default_data_dir, Ok) {
        Ok(dir) => dir,
        Err(reason) => return refuse(&format!("meshbench: {reason}")),
    };
    let ctx = Arc::new(OnceLock::new());
    let pace = Arc::new(AtomicU64::new(NEWS_SHOWN_AFTER.as_millis() as u64));
    let options = app::Options { data_dir: data_dir.clone(), keep: Keep::Here };
    match Core::start(options, waker(&ctx, &pace), dialogs::native()) {
        Ok(core) => {
            let app = |opened: Arc<AtomicBool>| Window {
                core: Some(core),
                shell: None,
                pace,
                rasterizer: Rasterizer::default(),
                opened,
            };
            run(session, ctx, native_options(&data_dir), app)
        }
        Err(error) => {
            let status = refuse(&format!("meshbench: {}", chain(&error)));
            if matches!(error, StartError::InUse { .. }) {
                message::show(&chain(&error));
            }
            status
        }
    }
}

/// The running window.
struct Window {
    /// There until the window closes.
    core: Option<Core>,
    /// There from the first frame on.
    shell: Option<Shell>,
    /// After how many milliseconds news is drawn.
    pace: Arc<AtomicU64>,
    rasterizer: Rasterizer,
    /// Whether the first frame was reached; failures before it are failures to open.
    opened: Arc<AtomicBool>,
}

impl eframe::App for Window {
    fn logic(&mut self, ctx: &Context, _frame: &mut eframe::Frame) {
        let Some(core) = &mut self.core else { return };
        if core.turn() {
            ctx.request_repaint();
        }
        let is_hidden = ctx.input(|input| {
            let viewport = input.viewport();
            viewport.minimized == Some(true) || viewport.focused == Some(false)
        });
        if is_hidden != core.state().is_hidden {
            core.command(Command::Hidden(is_hidden));
        }
        if ctx.input(|input| input.viewport().close_requested()) && !core.state().closing {
            ctx.send_viewport_cmd(ViewportCommand::CancelClose);
            core.command(Command::Quit);
        }
        if core.state().closing {
            ctx.send_viewport_cmd(ViewportCommand::Close);
        }
        let software = self.shell.as_ref().is_some_and(Shell::software_rasterizer);
        let pace = match (core.state().is_running(), software) {
            (false, _) => NEWS_SHOWN_AFTER,
            (true, false) => RUN_SHOWN_EVERY,
            (true, true) => RUN_SHOWN_EVERY_SOFTWARE,
        };
        self.pace.store(pace.as_millis() as u64, Ordering::Relaxed);
        self.rasterizer.make_room(core.state().is_running() && software);
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        let Some(core) = &mut self.core else { return };
        self.opened.store(true, Ordering::Relaxed);
        let shell = self.shell.get_or_insert_with(|| Shell::new(renderer::machine()));
        let asked = shell.ui(ui, core.state());
        if !asked.is_empty() {
            ui.ctx().request_repaint();
        }
        for command in asked {
            core.command(command);
        }
    }

    fn clear_color(&self, visuals: &eframe::egui::Visuals) -> [f32; 4] {
        visuals.panel_fill.to_normalized_gamma_f32()
    }
}

impl Drop for Window {
    /// Also after a panic: a core that is dropped with jobs at work would wait for news nobody takes.
    fn drop(&mut self) {
        let left_undone = self.core.take().and_then(Core::end);
        if let Some(words) = left_undone {
            // Fails only when nobody can read it.
            let _ = writeln!(std::io::stderr(), "meshbench: {words}");
        }
    }
}

fn run(
    session: Session,
    ctx: Arc<OnceLock<Context>>,
    options: NativeOptions,
    app: impl FnOnce(Arc<AtomicBool>) -> Window,
) -> ExitCode {
    renderer::listen();
    let opened = Arc::new(AtomicBool::new(false));
    let window = app(Arc::clone(&opened));
    quiet_until(&opened);
    let ended = panic::catch_unwind(AssertUnwindSafe(|| {
        eframe::run_native(
            "Meshbench",
            options,
            Box::new(|cc| {
                ctx.get_or_init(|| cc.egui_ctx.clone());
                theme::install(&cc.egui_ctx);
                Ok(Box::new(window))
            }),
        )
    }));
    let reason = match ended {
        Ok(Ok(())) => return ExitCode::SUCCESS,
        Ok(Err(error)) => error.to_string(),
        Err(panicked) if opened.load(Ordering::Relaxed) => panic::resume_unwind(panicked),
        Err(panicked) => panic_words(&*panicked),
    };
    refuse(&start::failure(session, &reason))
}

/// A library that is missing ends in a panic of the crate that loads it. Its words are part of our message,
/// so the report of the panic itself is left out until the window is open.
fn quiet_until(opened: &Arc<AtomicBool>) {
    let opened = Arc::clone(opened);
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if opened.load(Ordering::Relaxed) {
            usual(info);
        }
    }));
}

fn panic_words(panicked: &(dyn std::any::Any + Send)) -> String {
    let text = panicked.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panicked.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a library gave up without a reason".to_owned())
}

/// News that comes before the window does needs no frame of its own: the first one shows it. (The context is
/// eframe's own, because only that one knows the zoom of last time when the window's size is restored.)
fn waker(ctx: &Arc<OnceLock<Context>>, pace: &Arc<AtomicU64>) -> app::Wake {
    let (ctx, pace) = (Arc::clone(ctx), Arc::clone(pace));
    Arc::new(move || {
        if let Some(ctx) = ctx.get() {
            // With a delay, a storm of news is one frame; without one, each news would be two.
            ctx.request_repaint_after(Duration::from_millis(pace.load(Ordering::Relaxed)));
        }
    })
}

fn native_options(data_dir: &std::path::Path) -> NativeOptions {
    NativeOptions {
        viewport: viewport(SIZE).with_min_inner_size(SIZE_MIN),
        renderer: Renderer::Glow,
        // For wide gradients: ours are the edges of what scrolls, and shadows. It is a tenth of what a processor draws.
        dithering: false,
        persistence_path: Some(data_dir.join("window.ron")),
        ..NativeOptions::default()
    }
}

fn viewport(size: [f32; 2]) -> ViewportBuilder {
    ViewportBuilder::default()
        .with_title("Meshbench")
        .with_app_id("meshbench")
        .with_inner_size(size)
        .with_icon(icon())
}

fn icon() -> IconData {
    eframe::icon_data::from_png_bytes(ICON).expect("the bundled icon is a PNG, held by a test")
}

fn refuse(words: &str) -> ExitCode {
    // Nothing can be done when standard error is closed.
    let _ = writeln!(std::io::stderr(), "{words}");
    ExitCode::from(CANNOT_OPEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_icon_is_a_square_picture() {
        let icon = icon();
        assert_eq!((icon.width, icon.height), (256, 256));
    }
}
