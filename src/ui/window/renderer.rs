//! Who draws. The name is only told in a log line of the painter (asking OpenGL itself would need unsafe
//! code), so a small logger listens for it; errors go to standard error.

use std::io::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::ui::Machine;

use super::start;

/// How the painter's line begins.
const MARK: &str = "opengl renderer: ";
/// Names of renderers that draw with the processor.
const SOFTWARE: [&str; 5] = ["llvmpipe", "softpipe", "swrast", "SwiftShader", "Software Rasterizer"];

static NAME: OnceLock<String> = OnceLock::new();
static DIALOG_FAILED: AtomicBool = AtomicBool::new(false);
static LISTENER: Listener = Listener;

struct Listener;

/// Listens for the name of the renderer. To be called before the window opens.
pub(super) fn listen() {
    // Fails only when there is a logger already, for example a test's; then the name stays unknown.
    if log::set_logger(&LISTENER).is_ok() {
        log::set_max_level(LevelFilter::Debug);
    }
}

/// What is known once the window is open.
pub(super) fn machine() -> Machine {
    log::set_max_level(LevelFilter::Error);
    let renderer = NAME.get().cloned().unwrap_or_default();
    let software_rasterizer =
        if renderer.is_empty() { !start::has_graphics_card() } else { is_software(&renderer) };
    Machine { renderer, software_rasterizer }
}

/// Whether a file dialog could not be shown since this was last asked; the dialog itself only says that
/// nothing was chosen.
pub(super) fn dialog_failed() -> bool {
    DIALOG_FAILED.swap(false, Ordering::Relaxed)
}

fn is_software(renderer: &str) -> bool {
    let renderer = renderer.to_lowercase();
    SOFTWARE.iter().any(|name| renderer.contains(&name.to_lowercase()))
}

fn name_in(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once(MARK)?;
    rest.lines().next().map(str::trim).filter(|name| !name.is_empty())
}

impl Log for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() == Level::Error || metadata.target().starts_with("egui_glow")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        if record.level() == Level::Error {
            if record.target().starts_with("rfd") {
                DIALOG_FAILED.store(true, Ordering::Relaxed);
            }
            // Nothing can be done when standard error is closed.
            let _ = writeln!(std::io::stderr(), "meshbench: {}: {}", record.target(), record.args());
        } else if let Some(name) = name_in(&record.args().to_string()) {
            let _ = NAME.set(name.to_owned());
        }
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_painters_line_tells_who_draws() {
        let line =
            "\nopengl version: 4.5\nopengl renderer: llvmpipe (LLVM 15.0.6, 256 bits)\nopengl vendor: Mesa";
        let name = name_in(line).unwrap();
        assert_eq!(name, "llvmpipe (LLVM 15.0.6, 256 bits)");
        assert!(is_software(name));
        assert!(!is_software("NVIDIA GeForce RTX 4060/PCIe/SSE2"));
        assert_eq!(name_in("opengl version: 4.5"), None);
    }
}
