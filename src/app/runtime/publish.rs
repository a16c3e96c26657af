//! Publishes in the background.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::app::event::Event;
use crate::app::publish::{PublishNews, PublishOrder};
use crate::app::publishing::{PublishError, PublishedRun, Publishing, publish, read_token_file};
use crate::model::Run;
use crate::model::causes::{chain, sentence};

use super::Outbox;

/// Sends a run; ends with news of it, unless it is aborted.
pub(super) fn send(
    number: u64,
    order: PublishOrder,
    run: Arc<Run>,
    token_file: Option<PathBuf>,
    handle: &Handle,
    outbox: &Outbox,
) -> AbortHandle {
    let outbox = outbox.clone();
    let work = async move {
        let news = match published(order, run, token_file).await {
            Ok(published) => PublishNews::Done(number, Box::new(published)),
            Err(reason) => PublishNews::Failed(number, sentence(&reason)),
        };
        outbox.post(Event::Publish(news)).await;
    };
    handle.spawn(work).abort_handle()
}

async fn published(
    order: PublishOrder,
    run: Arc<Run>,
    token_file: Option<PathBuf>,
) -> Result<PublishedRun, String> {
    let token_file = match token_file {
        Some(path) => {
            let read = tokio::task::spawn_blocking(move || read(&path)).await;
            Some(read.map_err(|error| chain(&error))??)
        }
        None => None,
    };
    let PublishOrder { address, profile, void, .. } = order;
    let asked = Publishing { run, address, token_file, name: None, profile, void };
    publish(&asked).await.map_err(|error| match error {
        PublishError::NoLogin(address) => {
            format!("no login for {address} is kept; choose its token file (auth.json) first")
        }
        error => chain(&error),
    })
}

fn read(path: &Path) -> Result<String, String> {
    let text = File::open(path).and_then(read_token_file);
    text.map_err(|error| format!("{} cannot be read: {error}", path.display()))
}
