//! Watches kubeconfigs, and keeps connections to clusters.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::Outbox;
use crate::account::Keyring;
use crate::app::clusters::{ClusterEvent, FilesRead, Sources};
use crate::app::event::Event;
use crate::cluster::{self, Kubeconfigs, Link, Refused, TokenStore, Tokens, Traces};
use crate::model::cluster::{Connection, Consent, ContextKey};

/// Kubeconfigs are looked at this often.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A connection that stands is checked this often.
const CHECK_EVERY: Duration = Duration::from_secs(30);
/// After a failure, the first and the longest wait before the next try.
const PAUSE_FIRST: Duration = Duration::from_secs(2);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// The tasks that are under way; all end with this.
pub(super) struct Clusters {
    watch: Option<AbortHandle>,
    links: BTreeMap<ContextKey, AbortHandle>,
    /// Logins that were renewed.
    tokens: Tokens,
}

impl Default for Clusters {
    fn default() -> Self {
        let tokens = Tokens::new(Arc::new(Keyring::default()));
        Self { watch: None, links: BTreeMap::new(), tokens }
    }
}

impl Clusters {
    /// Logins that were renewed: the same for everyone.
    pub(super) fn tokens(&self) -> Tokens {
        self.tokens.clone()
    }

    pub(super) fn read(&mut self, sources: Sources, handle: &Handle, outbox: &Outbox) {
        if let Some(watch) = self.watch.take() {
            watch.abort();
        }
        self.watch = Some(handle.spawn(watch_files(sources, outbox.clone())).abort_handle());
    }

    pub(super) fn connect(
        &mut self,
        (key, number): (ContextKey, u64),
        sources: Sources,
        consents: Vec<Consent>,
        handle: &Handle,
        outbox: &Outbox,
    ) {
        self.disconnect(&key);
        let task =
            keep_connected(key.clone(), number, sources, consents, self.tokens.clone(), outbox.clone());
        self.links.insert(key, handle.spawn(task).abort_handle());
    }

    pub(super) fn disconnect(&mut self, key: &ContextKey) {
        if let Some(link) = self.links.remove(key) {
            link.abort();
        }
    }
}

/// Reads kubeconfigs, and again whenever one of them is another.
async fn watch_files(sources: Sources, outbox: Outbox) {
    let mut known: Option<Traces> = None;
    loop {
        let (own, uses) = (sources.own.clone(), sources.uses_kubectls);
        let looked = tokio::task::spawn_blocking(move || cluster::traces(&own, uses)).await;
        if let Ok(traces) = looked
            && known.as_ref() != Some(&traces)
        {
            let changed = known.as_ref().map(|known| known.changed(&traces)).unwrap_or_default();
            known = Some(traces);
            if let Ok(read) = read(&sources, changed).await {
                outbox.post(Event::Cluster(ClusterEvent::Read(Box::new(read)))).await;
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn read(sources: &Sources, changed: Vec<PathBuf>) -> Result<FilesRead, tokio::task::JoinError> {
    let sources = sources.clone();
    tokio::task::spawn_blocking(move || {
        let files = Kubeconfigs::read(&sources.own, sources.uses_kubectls);
        FilesRead {
            files: files.files().to_vec(),
            contexts: files.contexts(),
            current: files.current(),
            kubectls: cluster::kubectls_files(),
            changed,
        }
    })
    .await
}

/// Connects, keeps an eye on the cluster, and tries again after a failure, until it is ended.
async fn keep_connected(
    key: ContextKey,
    number: u64,
    sources: Sources,
    consents: Vec<Consent>,
    tokens: Tokens,
    outbox: Outbox,
) {
    let tell = async |connection: Connection| {
        let connection = Box::new(connection);
        let event = ClusterEvent::Stands { key: key.clone(), number, connection };
        outbox.post(Event::Cluster(event)).await;
    };
    let mut pause = PAUSE_FIRST;
    loop {
        match open(&key, &sources, &consents, &tokens).await {
            Ok(link) => {
                let (seen_by, seen_key) = (outbox.clone(), key.clone());
                let watch = link.watch(move |seen| {
                    let event = ClusterEvent::Seen { key: seen_key.clone(), number, seen: Arc::new(seen) };
                    seen_by.offer(Event::Cluster(event))
                });
                let check = async {
                    let mut stood = false;
                    loop {
                        match link.check().await {
                            Ok(facts) => {
                                stood = true;
                                tell(Connection::Connected(Box::new(facts))).await;
                            }
                            Err(trouble) => {
                                tell(Connection::Failed(trouble)).await;
                                return stood;
                            }
                        }
                        tokio::time::sleep(CHECK_EVERY).await;
                    }
                };
                let stood = tokio::select! {
                    stood = check => stood,
                    () = watch => true,
                };
                if stood {
                    pause = PAUSE_FIRST;
                }
            }
            // Nothing is tried until the person has answered.
            Err(Refused::NeedsConsent(ask)) => return tell(Connection::NeedsConsent(ask)).await,
            Err(Refused::Trouble(trouble)) => tell(Connection::Failed(*trouble)).await,
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Refresh tokens of kubeconfigs, in the system's keyring.
impl TokenStore for Keyring {
    fn read(&self, name: &str) -> Result<Option<String>, String> {
        self.read(name)
    }

    fn write(&self, name: &str, token: &str) -> Result<(), String> {
        self.write(name, token)
    }
}

pub(super) async fn open(
    key: &ContextKey,
    sources: &Sources,
    consents: &[Consent],
    tokens: &Tokens,
) -> Result<Link, Refused> {
    let (own, uses) = (sources.own.clone(), sources.uses_kubectls);
    let files = tokio::task::spawn_blocking(move || Kubeconfigs::read(&own, uses)).await;
    let files = files.unwrap_or_default();
    Link::open(&files, key, &|wanted| answer(consents, wanted), tokens).await
}

/// Whether this was agreed to; none where it was to another program in its place.
fn answer(consents: &[Consent], wanted: &Consent) -> Option<bool> {
    if consents.contains(wanted) {
        return Some(true);
    }
    let Consent::Command { program, .. } = wanted else { return Some(false) };
    let is_other =
        |kept: &Consent| matches!(kept, Consent::Command { program: place, .. } if place == program);
    if consents.iter().any(is_other) { None } else { Some(false) }
}
