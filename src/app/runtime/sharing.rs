//! Shares history in the background: one task for each server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use uuid::Uuid;

use crate::app::event::Event;
use crate::app::exchange::{AskStore, Exchange, ExchangeError, Exchanged, Step, Tell, ask};
use crate::app::sharing::{Going, Kept, SharingNews};
use crate::model::causes::sentence;
use crate::model::sync::{SyncBook, SyncTarget};
use crate::store::Store;
use crate::sync::client::{Client, Tokens};

use super::Outbox;
use super::store::Desk;

/// How often a server is asked whether it has anything new.
const ASK_EVERY: Duration = Duration::from_secs(60);
/// How long a change waits for others to go with it.
const GATHER: Duration = Duration::from_secs(1);
/// How long one waits after the first failure, at most; twice as long after each further one.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// The longest wait after a failure.
const LAST_WAIT: Duration = Duration::from_secs(300);

/// Gives the tokens of an account.
pub(super) type TokensOf = Arc<dyn Fn(Uuid) -> Tokens + Send + Sync>;

/// The exchanges that go on.
#[derive(Default)]
pub(super) struct Exchanges {
    watched: BTreeMap<Uuid, Watched>,
    /// Whether a run is going: its numbers count more than an exchange.
    held: watch::Sender<bool>,
}

struct Watched {
    target: SyncTarget,
    nudges: Arc<Nudges>,
    task: AbortHandle,
}

#[derive(Default)]
struct Nudges {
    /// History has changed here.
    changed: Notify,
    /// A person does not want to wait.
    now: Notify,
}

/// What an exchange stands on.
#[derive(Clone)]
pub(super) struct Around {
    pub(super) handle: Handle,
    pub(super) outbox: Outbox,
    pub(super) desk: Desk,
    pub(super) tokens: TokensOf,
}

impl Exchanges {
    /// Lets exchanges go on as the book says, and no others.
    pub(super) fn watch(&mut self, book: &SyncBook, around: &Around) {
        self.watched.retain(|id, watched| {
            let stays = book.targets.iter().any(|target| target.id == *id && *target == watched.target);
            if !stays {
                watched.task.abort();
            }
            stays
        });
        for target in &book.targets {
            let held = self.held.subscribe();
            self.watched.entry(target.id).or_insert_with(|| Watched::start(target.clone(), around, held));
        }
    }

    pub(super) fn now(&self, id: Uuid) {
        if let Some(watched) = self.watched.get(&id) {
            watched.nudges.now.notify_one();
        }
    }

    /// While a run goes nothing is exchanged; what it leaves changes history.
    pub(super) fn hold(&self, is_running: bool) {
        self.held.send_replace(is_running);
    }

    /// Whether a run is going.
    pub(super) fn held(&self) -> watch::Receiver<bool> {
        self.held.subscribe()
    }

    /// History has changed here.
    pub(super) fn changed(&self) {
        self.held.send_replace(false);
        for watched in self.watched.values() {
            watched.nudges.changed.notify_one();
        }
    }
}

impl Watched {
    fn start(target: SyncTarget, around: &Around, held: watch::Receiver<bool>) -> Self {
        let nudges = Arc::new(Nudges::default());
        let watch = Watch {
            around: around.clone(),
            store: ask_store(around.desk.clone(), &around.handle),
            target: target.clone(),
            nudges: Arc::clone(&nudges),
            held,
        };
        let task = around.handle.spawn(watch.go()).abort_handle();
        Self { target, nudges, task }
    }
}

/// The store's thread, asked from a task: the queue may be full, so it is not the task that waits for room.
pub(super) fn ask_store(desk: Desk, handle: &Handle) -> AskStore {
    let handle = handle.clone();
    Arc::new(move |work: Box<dyn FnOnce(&Store) + Send>| {
        let desk = desk.clone();
        drop(handle.spawn_blocking(move || {
            desk.ask(move |shelf, _| {
                if let Some(store) = shelf.store() {
                    work(store);
                }
            });
        }));
    })
}

struct Watch {
    around: Around,
    store: AskStore,
    target: SyncTarget,
    nudges: Arc<Nudges>,
    held: watch::Receiver<bool>,
}

impl Watch {
    async fn go(mut self) {
        self.look().await;
        let mut failures = 0_u32;
        loop {
            if !self.target.is_on {
                self.nudges.now.notified().await;
            }
            self.around.outbox.offer(Event::Sharing(SharingNews::Going(self.target.id, Going::Asking)));
            // Fails only when the runtime is gone, and this task with it.
            let _ = self.held.wait_for(|held| !held).await;
            let mut held = self.held.clone();
            let ended = tokio::select! {
                ended = self.exchange() => ended,
                // It goes on where it was when the run is over.
                Ok(_) = held.wait_for(|held| *held) => continue,
            };
            let pause = match &ended {
                Ok(_) => {
                    failures = 0;
                    ASK_EVERY
                }
                Err(error) => {
                    failures += 1;
                    pause_after(failures, error)
                }
            };
            self.look().await;
            let ended = ended.map(Box::new).map_err(|error| told(&error, pause));
            self.around.outbox.post(Event::Sharing(SharingNews::Ended(self.target.id, ended))).await;
            self.rest(pause, failures == 0).await;
        }
    }

    async fn exchange(&self) -> Result<Exchanged, ExchangeError> {
        let client = Client::new(&self.target.server, (self.around.tokens)(self.target.account))?;
        let (outbox, id) = (self.around.outbox.clone(), self.target.id);
        let handle = self.around.handle.clone();
        let tell: Tell = Arc::new(move |step| {
            if let Step::Changed(arrivals) = step {
                let outbox = outbox.clone();
                handle.spawn(async move {
                    outbox.post(Event::Sharing(SharingNews::Changed(arrivals))).await;
                });
            } else if let Some(going) = Option::from(&step) {
                outbox.offer(Event::Sharing(SharingNews::Going(id, going)));
            }
        });
        let (store, target) = (Arc::clone(&self.store), self.target.clone());
        Exchange { client, store, target, tell }.exchange().await
    }

    /// Waits until there is something to do.
    async fn rest(&self, pause: Duration, is_well: bool) {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.nudges.now.notified() => {}
            () = self.nudges.changed.notified(), if is_well => tokio::time::sleep(GATHER).await,
        }
    }

    /// Tells how it stands.
    async fn look(&self) {
        let target = self.target.clone();
        let kept = ask(&self.store, move |store| {
            let state = store.target_state(target.id)?;
            let waiting = store.waiting(target.id, &target.choice)?.len();
            let (refused, shared) = (store.refused(target.id)?, Arc::new(store.shared_runs(target.id)?));
            let kept = Kept { reached: state.reached, waiting, refused, newer: state.newer, shared };
            Ok((kept, store.authors()?))
        });
        // A store that cannot be read says so wherever history is shown.
        if let Ok((kept, authors)) = kept.await {
            let news = SharingNews::Kept(self.target.id, Box::new(kept));
            self.around.outbox.post(Event::Sharing(news)).await;
            self.around.outbox.post(Event::Sharing(SharingNews::Authors(authors))).await;
        }
    }
}

/// A random part of twice as long each time, so that machines that failed together do not come back together.
fn pause_after(failures: u32, error: &ExchangeError) -> Duration {
    if !error.may_pass() {
        return LAST_WAIT;
    }
    let longest = FIRST_WAIT.saturating_mul(1 << failures.min(10)).min(LAST_WAIT);
    let chance = f64::from(Uuid::now_v7().as_fields().3[7]) / 255.0;
    error.retry_after().unwrap_or_default().max(longest.mul_f64(chance))
}

fn told(error: &ExchangeError, pause: Duration) -> String {
    let seconds = pause.as_secs().max(1);
    let when = if seconds < 120 { format!("{seconds} s") } else { format!("{} min", seconds / 60) };
    format!("{}. It is tried again in {when}", sentence(&error.to_string()))
}
