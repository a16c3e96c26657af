//! Keeps connections to adapters, hands operations over with logins, and brings their events.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;

use super::builtin::{BuiltIn, Stops};
use super::{Outbox, clusters};
use crate::adapter::builtin;
use crate::adapter::{AtStep, Client, KNOWN_PORTS, Login, Way, WireError, in_memory};
use crate::app::adapters::{Access, AdapterNews, AdapterStands, Found, Ping, Rehearsal, Versions};
use crate::app::event::Event;
use crate::app::operations;
use crate::cluster::{Means, Refused, Tokens, chart_versions};
use crate::model::adapter::book::{AdapterId, AdapterPlace, OperationRecord};
use crate::model::adapter::{AdapterEvent, Step};
use crate::model::cluster::ContextKey;
use crate::model::plan::ServiceTarget;

/// After a failure, the first and the longest wait before the next try.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// An operation waits so long for a connection that is being made.
const CLIENT_MAX: Duration = Duration::from_secs(10);
/// The longest that a cluster may take to say what an operation would do to it.
const REHEARSAL_MAX: Duration = Duration::from_secs(60);
/// The time is told this often once an operation was asked for: how long it is silent is shown.
const CLOCK_EVERY: Duration = Duration::from_secs(15);

/// The tasks that are under way; all end with this.
#[derive(Default)]
pub(super) struct Adapters {
    links: BTreeMap<AdapterId, Kept>,
    clock: Option<AbortHandle>,
    /// Clusters that are asked what an operation would do.
    rehearsal: Vec<AbortHandle>,
    stops: Stops,
}

struct Kept {
    task: AbortHandle,
    client: watch::Receiver<Option<Arc<Client>>>,
}

/// What a task needs of everything else.
#[derive(Clone)]
pub(super) struct Around {
    pub(super) handle: Handle,
    pub(super) outbox: Outbox,
    pub(super) tokens: Tokens,
    pub(super) stops: Stops,
}

impl Adapters {
    pub(super) fn connect(
        &mut self,
        (id, number): (AdapterId, u64),
        place: Option<AdapterPlace>,
        access: Access,
        around: &Around,
    ) {
        self.disconnect(id);
        let (offer, client) = watch::channel(None);
        let task = keep_connected((id, number), place, access, offer, around.clone());
        self.links.insert(id, Kept { task: around.handle.spawn(task).abort_handle(), client });
    }

    pub(super) fn disconnect(&mut self, id: AdapterId) {
        if let Some(kept) = self.links.remove(&id) {
            kept.task.abort();
        }
    }

    /// Asks each cluster what the steps would do, side by side; who was asked before is not waited for any more.
    pub(super) fn rehearse(
        &mut self,
        number: u64,
        steps: &Arc<Vec<Step>>,
        contexts: Vec<ContextKey>,
        access: &Arc<Access>,
        around: &Around,
    ) {
        self.stop_rehearsal();
        for context in contexts {
            let (steps, access, around) = (Arc::clone(steps), Arc::clone(access), around.clone());
            let handle = around.handle.clone();
            let task = handle.spawn(async move {
                let asked = rehearsed(&context, &steps, &access, &around.tokens);
                let told = match tokio::time::timeout(REHEARSAL_MAX, asked).await {
                    Ok(Ok(changes)) => Rehearsal::Told(changes),
                    Ok(Err(reason)) => Rehearsal::Failed(reason),
                    Err(_) => Rehearsal::Failed(format!("no answer within {} s", REHEARSAL_MAX.as_secs())),
                };
                around.outbox.post(Event::Adapter(AdapterNews::Rehearsed { number, context, told })).await;
            });
            self.rehearsal.push(task.abort_handle());
        }
    }

    /// Ends operations of the built-in ones.
    pub(super) fn stops(&self) -> &Stops {
        &self.stops
    }

    pub(super) fn stop_rehearsal(&mut self) {
        self.rehearsal.drain(..).for_each(|task| task.abort());
    }

    pub(super) fn ping(&self, id: AdapterId, around: &Around) {
        let client = self.links.get(&id).and_then(|kept| kept.client.borrow().clone());
        let outbox = around.outbox.clone();
        around.handle.spawn(async move {
            let ping = match client {
                Some(client) => match client.ping().await {
                    Ok(took) => Ping::Answered(took),
                    Err(error) => Ping::Failed(error.to_string()),
                },
                None => Ping::Failed("it is not connected".to_owned()),
            };
            outbox.post(Event::Adapter(AdapterNews::Pinged(id, ping))).await;
        });
    }

    pub(super) fn apply(
        &mut self,
        record: OperationRecord,
        agreed: Option<String>,
        access: Access,
        around: &Around,
    ) {
        let client = self.links.get(&record.adapter).map(|kept| kept.client.clone());
        let (handle, outbox) = (around.handle.clone(), around.outbox.clone());
        self.clock.get_or_insert_with(|| handle.spawn(tell_time(outbox)).abort_handle());
        let around = around.clone();
        handle.spawn(async move {
            let operation = record.request.id.clone();
            let done = apply(&record, client, agreed.as_deref(), &access, &around.tokens).await;
            let at = Timestamp::now();
            let news = match done {
                Ok(()) => AdapterNews::Begun { operation, at },
                Err(reason) => AdapterNews::NotBegun { operation, at, reason },
            };
            around.outbox.post(Event::Adapter(news)).await;
        });
    }
}

/// # Errors
/// Why it would not work, or is not known, in words.
async fn rehearsed(
    context: &ContextKey,
    steps: &[Step],
    access: &Access,
    tokens: &Tokens,
) -> Result<Vec<crate::model::adapter::Change>, String> {
    let link = clusters::open(context, &access.sources, &access.consents, tokens).await;
    let link = link.map_err(|refused| refused_words(&context.name, refused))?;
    let told = link.rehearse(steps).await;
    told.map_err(|trouble| format!("{}: {}. {}", trouble.title, trouble.cause, trouble.advice))
}

/// The versions of a built-in adapter's mesh, of what its makers publish.
pub(super) async fn ask_versions(id: AdapterId, outbox: Outbox) {
    let chart = operations::mesh(id).and_then(builtin::chart);
    let versions = match chart {
        None => Versions::Failed("its makers publish no chart".to_owned()),
        Some((repository, chart)) => match chart_versions(repository, chart, &Means::default()).await {
            Ok(known) => Versions::Known(known.into_iter().map(|it| (it.chart, it.app)).collect()),
            Err(trouble) => {
                Versions::Failed(format!("{}: {}. {}", trouble.title, trouble.cause, trouble.advice))
            }
        },
    };
    outbox.post(Event::Adapter(AdapterNews::Versions(id, versions))).await;
}

async fn tell_time(outbox: Outbox) {
    loop {
        outbox.offer(Event::Adapter(AdapterNews::Clock(Timestamp::now())));
        tokio::time::sleep(CLOCK_EVERY).await;
    }
}

/// # Errors
/// Why it was not asked for, in words.
async fn apply(
    record: &OperationRecord,
    client: Option<watch::Receiver<Option<Arc<Client>>>>,
    agreed: Option<&str>,
    access: &Access,
    tokens: &Tokens,
) -> Result<(), String> {
    let mut client = client.ok_or("the adapter is not there any more")?;
    let mut logins = Vec::new();
    for context in &record.contexts {
        logins.push(login(context, access, tokens).await?);
    }
    let there = async { client.wait_for(Option::is_some).await.ok().and_then(|client| client.clone()) };
    let client = tokio::time::timeout(CLIENT_MAX, there).await.ok().flatten();
    let client = client.ok_or("the adapter is not connected")?;
    client.apply(&record.request, &logins, agreed).await.map_err(|error| error.to_string())
}

/// A login of one context, with everything in it, and as short-lived as the cluster makes them.
async fn login(context: &ContextKey, access: &Access, tokens: &Tokens) -> Result<Login, String> {
    let link = clusters::open(context, &access.sources, &access.consents, tokens).await;
    let link = link.map_err(|refused| refused_words(&context.name, refused))?;
    let kubeconfig = link.minified_kubeconfig().await;
    let kubeconfig =
        kubeconfig.map_err(|trouble| refused_words(&context.name, Refused::Trouble(Box::new(trouble))))?;
    Ok(Login::new(context.name.clone(), kubeconfig.expose().to_owned()))
}

fn refused_words(context: &str, refused: Refused) -> String {
    match refused {
        Refused::NeedsConsent(_) => {
            format!("{context} can only be connected with your word; connect it on the Clusters page first")
        }
        Refused::Trouble(trouble) => {
            format!("{context}: {}: {}. {}", trouble.title, trouble.cause, trouble.advice)
        }
    }
}

/// Connects, asks, listens, and tries again after a failure, until it is ended.
async fn keep_connected(
    (id, number): (AdapterId, u64),
    place: Option<AdapterPlace>,
    access: Access,
    offer: watch::Sender<Option<Arc<Client>>>,
    around: Around,
) {
    let outbox = &around.outbox;
    let tell = async |stands: AdapterStands, facts| {
        outbox.post(Event::Adapter(AdapterNews::Stands { id, number, stands, facts })).await;
    };
    let mut pause = PAUSE_FIRST;
    loop {
        // What holds the way open lives as long as it is used.
        let error = match way(id, place.as_ref(), &access, &around).await {
            Err(error) => error,
            Ok((way, _held)) => match greet(way).await {
                Err(error) => error,
                Ok((client, facts)) => {
                    offer.send_replace(Some(Arc::clone(&client)));
                    tell(AdapterStands::Ready, Some(Box::new(facts))).await;
                    pause = PAUSE_FIRST;
                    let ended = listen(&client, id, outbox).await;
                    offer.send_replace(None);
                    ended
                }
            },
        };
        let step = error.step.words().to_owned();
        let stands = AdapterStands::Failed { step, cause: error.cause, advice: error.advice.to_owned() };
        tell(stands, None).await;
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Brings events until there are no more, and why. Each arrives: what comes in is bounded before.
async fn listen(client: &Client, id: AdapterId, outbox: &Outbox) -> WireError {
    let (tell, mut told) = mpsc::unbounded_channel::<AdapterEvent>();
    let bring = async {
        while let Some(event) = told.recv().await {
            let (at, event) = (Timestamp::now(), Box::new(event));
            outbox.post(Event::Adapter(AdapterNews::Reported { id, at, event })).await;
        }
    };
    let hear = async {
        // Fails never: what brings them lives as long.
        let ended = client.listen(|event| drop(tell.send(event))).await;
        drop(tell);
        ended
    };
    tokio::join!(hear, bring).0
}

async fn greet(way: Way) -> Result<(Arc<Client>, crate::model::adapter::AdapterFacts), WireError> {
    let client = Client::connect(way).await?;
    let facts = client.ask().await?;
    Ok((Arc::new(client), facts))
}

/// Holds a way open.
#[cfg(unix)]
type Held = Option<crate::cluster::Forward>;
/// Nothing is held here.
#[cfg(not(unix))]
type Held = ();

async fn way(
    id: AdapterId,
    place: Option<&AdapterPlace>,
    access: &Access,
    around: &Around,
) -> Result<(Way, Held), WireError> {
    match place {
        None => {
            let mesh = operations::mesh(id).ok_or_else(|| lost("there is no such adapter".to_owned()))?;
            let backend = Arc::new(BuiltIn::new(mesh, around.handle.clone(), around.stops.clone()));
            Ok((Way::Memory(in_memory(backend)), Held::default()))
        }
        Some(AdapterPlace::Address(address)) => {
            Ok((Way::Address { address: address.clone(), authorities: None }, Held::default()))
        }
        Some(AdapterPlace::Service { context, namespace, name, port }) => {
            let target = ServiceTarget {
                context: context.name.clone(),
                namespace: namespace.clone(),
                name: name.clone(),
                port: *port,
                ..ServiceTarget::default()
            };
            forwarded(context, &target, access, around).await
        }
    }
}

#[cfg(unix)]
async fn forwarded(
    context: &ContextKey,
    target: &ServiceTarget,
    access: &Access,
    around: &Around,
) -> Result<(Way, Held), WireError> {
    let link = clusters::open(context, &access.sources, &access.consents, &around.tokens).await;
    let link = link.map_err(|refused| lost(refused_words(&context.name, refused)))?;
    let forward = link.forward(target, None).await;
    let forward =
        forward.map_err(|trouble| lost(refused_words(&context.name, Refused::Trouble(Box::new(trouble)))))?;
    Ok((Way::Socket(forward.socket()), Some(forward)))
}

#[cfg(not(unix))]
async fn forwarded(
    _: &ContextKey,
    _: &ServiceTarget,
    _: &Access,
    _: &Around,
) -> Result<(Way, Held), WireError> {
    Err(lost("this system has no Unix sockets".to_owned()))
}

fn lost(cause: String) -> WireError {
    WireError { step: AtStep::Dial, cause, advice: "It is tried again by itself" }
}

/// Adapters that answer on this machine, at the ports that they are known for.
pub(super) async fn find(outbox: Outbox) {
    let looks = KNOWN_PORTS.map(|(port, _)| async move {
        let address = format!("localhost:{port}");
        let way = Way::Address { address: address.clone(), authorities: None };
        let facts = Client::connect(way).await.ok()?.ask().await.ok()?;
        Some(Found { name: facts.name, place: AdapterPlace::Address(address) })
    });
    let found = futures_util::future::join_all(looks).await;
    outbox.post(Event::Adapter(AdapterNews::Found(found.into_iter().flatten().collect()))).await;
}
