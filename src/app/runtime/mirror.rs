//! Mirrors history to folders in the background.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use crate::app::event::Event;
use crate::app::exchange::AskStore;
use crate::app::mirror::{Mirrored, Seen, look, mirror};
use crate::app::mirroring::MirrorNews;
use crate::model::RunId;

use super::{Outbox, files};

/// Between two looks into a folder that is kept in step. It is looked at and not listened to: what another machine writes
/// to a share is announced by no system.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long a change waits for others to go with it.
const GATHER: Duration = Duration::from_secs(1);

/// The folder that is kept in step.
#[derive(Default)]
pub(super) struct Mirror {
    task: Option<AbortHandle>,
    /// History has changed here.
    changed: Arc<Notify>,
    /// Runs whose files are old, though their summaries are not.
    again: Arc<Mutex<BTreeSet<RunId>>>,
}

/// What it stands on.
pub(super) struct Around {
    pub(super) handle: Handle,
    pub(super) outbox: Outbox,
    pub(super) store: AskStore,
    /// Whether a run is going: its numbers count more.
    pub(super) held: watch::Receiver<bool>,
}

impl Mirror {
    /// Keeps this folder in step from now on, and no other.
    pub(super) fn watch(&mut self, folder: PathBuf, seen: Seen, around: Around) {
        self.stop();
        let (handle, changed) = (around.handle.clone(), Arc::clone(&self.changed));
        let Around { outbox, store, held, .. } = around;
        let again = Arc::clone(&self.again);
        let keeping = Keeping { folder, store, outbox, seen, again, is_stuck: false };
        self.task = Some(handle.spawn(keep(keeping, held, changed)).abort_handle());
    }

    pub(super) fn stop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }

    /// History has changed here.
    pub(super) fn changed(&self) {
        self.changed.notify_one();
    }

    /// What is kept with this run has changed here.
    pub(super) fn write_again(&self, run: RunId) {
        self.again.lock().unwrap_or_else(PoisonError::into_inner).insert(run);
        self.changed();
    }
}

/// Mirrors once.
pub(super) fn once(folder: &Path, store: &AskStore, outbox: &Outbox) {
    outbox.send(match mirror(folder, store, files::write_whole) {
        Ok(mirrored) => Event::Mirror(MirrorNews::Done(Box::new(mirrored))),
        Err(reason) => Event::Failed { title: "History was not mirrored".to_owned(), reason },
    });
}

async fn keep(mut keeping: Keeping, mut held: watch::Receiver<bool>, changed: Arc<Notify>) {
    loop {
        // Fails only when the runtime is gone, and this task with it.
        let _ = held.wait_for(|held| !held).await;
        let looking = tokio::task::spawn_blocking(move || keeping.look());
        let Ok(looked) = looking.await else { return };
        keeping = looked;
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = changed.notified() => tokio::time::sleep(GATHER).await,
        }
    }
}

struct Keeping {
    folder: PathBuf,
    store: AskStore,
    outbox: Outbox,
    seen: Seen,
    again: Arc<Mutex<BTreeSet<RunId>>>,
    is_stuck: bool,
}

impl Keeping {
    /// Looks, and tells what came of it: here, because what was taken in must be shown even if nobody keeps on looking.
    fn look(mut self) -> Self {
        self.seen.write_again(&mut self.again.lock().unwrap_or_else(PoisonError::into_inner));
        let news = match look(&self.folder, &self.store, files::write_whole, &mut self.seen) {
            Ok(mirrored) => {
                let is_news = std::mem::take(&mut self.is_stuck) || !is_nothing(&mirrored);
                is_news.then(|| MirrorNews::Looked(Box::new(mirrored)))
            }
            Err(reason) => {
                self.is_stuck = true;
                Some(MirrorNews::Stuck(self.folder.clone(), reason))
            }
        };
        if let Some(news) = news {
            self.outbox.send(Event::Mirror(news));
        }
        self
    }
}

fn is_nothing(mirrored: &Mirrored) -> bool {
    mirrored.written == 0 && mirrored.taken_in.is_empty() && mirrored.refused.is_empty()
}
