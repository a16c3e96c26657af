//! One binary: the window, and the same in a terminal.

use std::path::PathBuf;
use std::process::ExitCode;

use meshbench::cli::{self, Ask};

fn main() -> ExitCode {
    match cli::start(std::env::args_os()) {
        Ask::Done(code) => code,
        Ask::Window { data_dir } => window(data_dir),
    }
}

#[cfg(feature = "gui")]
fn window(data_dir: PathBuf) -> ExitCode {
    meshbench::ui::open(Some(data_dir))
}

#[cfg(not(feature = "gui"))]
fn window(_data_dir: PathBuf) -> ExitCode {
    cli::say_no_window()
}
