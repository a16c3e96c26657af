//! `publish`: a kept run, to a remote provider of Meshery. Experimental.

use std::path::{Path, PathBuf};

use crate::app::publishing::{Publishing, VoidRuns, publish_and_wait};
use crate::app::state::StoreState;
use crate::app::{Keep, publishing};
use crate::model::causes::chain;

use super::args::PublishArgs;
use super::screen::Screen;
use super::session::Session;
use super::{Failure, Status};

/// Carries out the command.
pub(super) fn publish(options: PublishArgs, data_dir: PathBuf, screen: &Screen) -> Result<Status, Failure> {
    screen.warning("publishing to Meshery is experimental: it was never held against a provider");
    let token_file = options.token_file.as_deref().map(token_file).transpose()?;
    let mut session = Session::start(data_dir, Keep::Here)?;
    let read = match &session.state().store {
        StoreState::Failed { reason } => Err(Failure::NotCarriedOut(reason.clone())),
        _ => session.find(&options.run).and_then(|id| session.read(id)),
    };
    if let Some(words) = session.end() {
        screen.warning(&words);
    }
    let asked = Publishing {
        run: read?,
        address: options.meshery,
        token_file,
        name: options.name,
        profile: options.profile,
        void: if options.void_too { VoidRuns::Marked } else { VoidRuns::Refused },
    };
    let done = publish_and_wait(&asked).map_err(|error| {
        let advice = match error {
            publishing::PublishError::Void => "; to publish it with a mark in its name: --void-too",
            publishing::PublishError::NoLogin(_) => ": --token-file FILE",
            _ => "",
        };
        let words = format!("{}{advice}", chain(&error));
        if error.is_input() { Failure::Input(words) } else { Failure::NotCarriedOut(words) }
    })?;
    for remark in &done.remarks {
        screen.warning(remark);
    }
    let result = done.result.as_deref().unwrap_or("without an id");
    let words = format!("Published (experimental) “{}” to {}", done.name, done.address);
    screen.print(&format!(
        "{}\nresult {result}\nprofile {}\n",
        super::screen::plain(&words),
        done.profile
    ))?;
    Ok(Status::Met)
}

/// The text of a file, or of standard input.
fn token_file(path: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| {
        Failure::Input(format!("--token-file {} cannot be read: {error}", path.display()))
    };
    if path == Path::new("-") {
        return publishing::read_token_file(std::io::stdin().lock()).map_err(failed);
    }
    std::fs::File::open(path).and_then(publishing::read_token_file).map_err(failed)
}
