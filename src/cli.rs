//! The terminal's face: the same engine and the same store as the window, for people without one and for CI.
//!
//! | status | meaning |
//! |---|---|
//! | 0 | carried out, and every goal met |
//! | 1 | a goal was missed |
//! | 2 | the input was not usable; nothing was done |
//! | 3 | it could not be carried out; or nothing at all was answered, the run could not be kept, or it has goals and is void |

mod account;
mod adapter;
mod args;
mod args_account;
mod args_adapter;
mod args_metrics;
mod args_serve;
mod capacity;
mod cluster;
mod history;
mod interrupt;
mod metrics;
mod plan;
mod progress;
mod publish;
mod run;
mod screen;
mod serve;
mod session;
mod table;
mod target;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser as _;

use crate::app::default_data_dir;

use args::{Arguments, What};
use screen::Screen;

/// What the command line asked for.
#[derive(Debug)]
pub enum Ask {
    /// The window, with its data here.
    Window {
        /// The data directory.
        data_dir: PathBuf,
    },
    /// It is done.
    Done(ExitCode),
}

/// How a command ended. The numbers are the exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Met = 0,
    Missed = 1,
}

/// Why a command ended early, in words for the person who gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Failure {
    /// The input was not usable.
    Input(String),
    /// It could not be carried out.
    NotCarriedOut(String),
}

/// Reads the command line and, unless it asks for the window, carries it out.
#[must_use]
pub fn start(arguments: impl IntoIterator<Item = OsString>) -> Ask {
    let parsed = match Arguments::try_parse_from(arguments) {
        Ok(parsed) => parsed,
        Err(error) => {
            // A closed pipe is all that can go wrong here, and nobody is left to tell.
            let _ = error.print();
            return Ask::Done(code(error.exit_code()));
        }
    };
    let screen = Screen::of_process();
    let data_dir = match data_dir(parsed.data_dir) {
        Ok(data_dir) => data_dir,
        Err(failure) => return Ask::Done(told(&screen, &failure)),
    };
    let Some(what) = parsed.what else { return Ask::Window { data_dir } };
    let result = match what {
        What::Try(options) => run::try_it(&options, data_dir, &screen),
        What::Run(options) => run::run(&options, data_dir, &screen),
        What::History(what) => history::history(what, data_dir, &screen),
        What::Publish(options) => publish::publish(*options, data_dir, &screen),
        What::Adapter(what) => adapter::adapter(*what, data_dir, &screen),
        What::Cluster(what) => cluster::cluster(what, data_dir, &screen),
        What::Metrics(what) => metrics::metrics(*what, data_dir, &screen),
        What::Login(options) => account::login(*options, data_dir, &screen),
        What::Logout(options) => account::logout(options, data_dir, &screen),
        What::Whoami(options) => account::whoami(&options, data_dir, &screen),
        What::Account(what) => account::account(what, data_dir, &screen),
        What::Sync(options) => account::sync(options, data_dir, &screen),
        What::Serve(options) => serve::serve(*options, &screen),
        What::Target(options) => target::serve(&options, &screen),
    };
    Ask::Done(match result {
        Ok(status) => code(status as i32),
        Err(failure) => told(&screen, &failure),
    })
}

/// Says that this build has no window, and what works without one.
#[must_use]
pub fn say_no_window() -> ExitCode {
    let words = "this build has no window (it was made without the feature gui)\n\
                 For the same in this terminal: meshbench try";
    told(&Screen::of_process(), &Failure::NotCarriedOut(words.to_owned()))
}

fn told(screen: &Screen, failure: &Failure) -> ExitCode {
    let (words, status) = match failure {
        Failure::Input(words) => (words, 2),
        Failure::NotCarriedOut(words) => (words, 3),
    };
    screen.error(words);
    code(status)
}

fn code(status: i32) -> ExitCode {
    ExitCode::from(u8::try_from(status).unwrap_or(3))
}

/// `--data-dir`, else where the environment or the platform says.
fn data_dir(chosen: Option<PathBuf>) -> Result<PathBuf, Failure> {
    match chosen {
        Some(dir) => Ok(dir),
        None => default_data_dir().map_err(Failure::Input),
    }
}
