//! Sources that were opened: each is opened once and asked by whoever needs it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use regex::RegexBuilder;
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use crate::app::metrics::Reach;
use crate::app::runtime::clusters;
use crate::cluster::{Link, Refused, Tokens};
use crate::metrics::{Carried, CarriedAnswer, Carrier, Direct, Endpoint, Grafana, Sample, Server, Web};
use crate::model::RunId;
use crate::model::cluster::{ContextKey, Trouble};
use crate::model::metrics::{
    Access, Answer, Facts, Grid, Login, Measure, Place, Source, SourceId, SourceKind,
};
use crate::model::plan::TargetKind;
#[cfg(unix)]
use crate::model::plan::{ClusterNote, Route, ServiceTarget};

use super::secrets::Secrets;
use super::words;

/// The longest wait for an answer that is carried through an API server.
const CARRIED_MAX: Duration = Duration::from_secs(30);
/// The metrics API is asked this often: what it tells is no fresher.
const USAGE_EVERY: Duration = Duration::from_secs(5);
/// Labels of what was there in this time are told, in milliseconds: an hour.
const LABELS_SINCE_MS: i64 = 3_600_000;
/// The first reading is looked for so often, and so many times at the most.
const FIRST_LOOK_EVERY: Duration = Duration::from_millis(50);
const FIRST_LOOKS_MAX: usize = 100;
/// The most bytes that a compiled expression of a variable may take.
const REGEX_BYTES_MAX: usize = 1024 * 1024;
/// The most values of a variable.
const VALUES_MAX: usize = 5000;
/// The names under which what pods use is found, as cAdvisor calls it.
const CPU_NAME: &str = "container_cpu_usage_seconds_total";
const MEMORY_NAME: &str = "container_memory_working_set_bytes";

/// One question to a source.
pub(super) enum Question<'a> {
    /// A measure, with the window of its rates in milliseconds.
    Measure(&'a Measure, i64),
    /// PromQL, variables filled in.
    PromQl(String),
}

/// A source that was opened; closed when this is dropped.
pub(super) struct Reader {
    kind: Kind,
    /// What leads there, for as long as this lives.
    _ways: Vec<Held>,
}

enum Kind {
    Server(Server),
    Grafana { grafana: Grafana, data_source: Option<String>, server: Server },
    Direct(Arc<Direct>),
}

/// A way that is open for as long as this lives.
enum Held {
    #[cfg(unix)]
    Forward(#[expect(unused, reason = "closed when dropped")] crate::cluster::Forward),
    Task(tokio::task::AbortHandle),
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Self::Task(task) = self {
            task.abort();
        }
    }
}

impl Reader {
    async fn open(reach: &Reach, opening: &Opening) -> Result<Self, Trouble> {
        let source = &reach.source;
        match &source.kind {
            SourceKind::Prometheus { place, access } => {
                let (web, ways) = opening.web(reach, place, access).await?;
                Ok(Self { kind: Kind::Server(Server::new(web)), _ways: ways })
            }
            SourceKind::Grafana { place, access, data_source } => {
                let (web, ways) = opening.web(reach, place, access).await?;
                let grafana = Grafana::new(web);
                let uid = match data_source {
                    Some(uid) => uid.clone(),
                    None => default_source(&grafana).await?,
                };
                let server = grafana.server(&uid).map_err(|failure| failure.trouble())?;
                let data_source = data_source.clone();
                Ok(Self { kind: Kind::Grafana { grafana, data_source, server }, _ways: ways })
            }
            SourceKind::Direct { endpoints, api, every_ms } => {
                opening.direct(reach, endpoints, api.as_ref(), Duration::from_millis(*every_ms)).await
            }
        }
    }

    /// What it says of itself.
    pub(super) async fn facts(&self) -> Result<Facts, Trouble> {
        let facts = match &self.kind {
            Kind::Server(server) => server.facts().await?,
            Kind::Grafana { grafana, data_source, .. } => grafana.facts(data_source.as_deref()).await?,
            Kind::Direct(direct) => first_facts(direct).await,
        };
        let now_ms = jiff::Timestamp::now().as_millisecond() + facts.clock_ahead_ms.unwrap_or(0);
        let grid = Grid { from_ms: now_ms - LABELS_SINCE_MS, to_ms: now_ms, step_ms: LABELS_SINCE_MS };
        // Only helps to write queries: a source that does not tell them is no worse for it.
        let labels = self.values("label_names()", "", grid).await.unwrap_or_default();
        Ok(Facts { labels: Arc::new(labels), ..facts })
    }

    /// What it answers over some moments.
    ///
    /// # Errors
    /// Why it does not, in words.
    pub(super) async fn ask(&self, question: &Question<'_>, grid: Grid) -> Result<Answer, String> {
        let server = match (&self.kind, question) {
            (Kind::Server(server) | Kind::Grafana { server, .. }, _) => server,
            (Kind::Direct(direct), Question::Measure(measure, window_ms)) => {
                let asked = direct.range(measure, *window_ms, grid).await;
                return asked.map_err(|failure| words(&failure.trouble()));
            }
            (Kind::Direct(_), Question::PromQl(text)) => {
                return Err(words(&Direct::refused(text).trouble()));
            }
        };
        let promql = match question {
            Question::Measure(measure, window_ms) => measure.promql(*window_ms),
            Question::PromQl(text) => text.clone(),
        };
        let asked = if grid.from_ms == grid.to_ms {
            server.instant(&promql, grid.to_ms).await
        } else {
            server.range(&promql, grid).await
        };
        asked.map_err(|failure| words(&failure.trouble()))
    }

    /// What a variable may be, as Grafana asks it.
    ///
    /// # Errors
    /// Why that is not known, in words.
    pub(super) async fn values(&self, query: &str, regex: &str, grid: Grid) -> Result<Vec<String>, String> {
        let found = match &self.kind {
            Kind::Server(server) | Kind::Grafana { server, .. } => server.variable_values(query, grid).await,
            Kind::Direct(direct) => direct.variable_values(query),
        };
        taken(found.map_err(|failure| words(&failure.trouble()))?, regex)
    }

    /// A board of a Grafana, as it is kept there.
    pub(super) async fn dashboard(&self, uid: &str) -> Result<Vec<u8>, String> {
        match &self.kind {
            Kind::Grafana { grafana, .. } => {
                grafana.dashboard(uid).await.map_err(|failure| words(&failure.trouble()))
            }
            _ => Err("The source is no Grafana".to_owned()),
        }
    }

    fn is_direct(&self) -> bool {
        matches!(self.kind, Kind::Direct(_))
    }
}

/// What is read is known after the first reading, which is waited for, but not for long.
async fn first_facts(direct: &Direct) -> Facts {
    for _ in 0..FIRST_LOOKS_MAX {
        if direct.is_known() {
            break;
        }
        tokio::time::sleep(FIRST_LOOK_EVERY).await;
    }
    direct.facts()
}

/// The data source that a Grafana uses where none is named.
async fn default_source(grafana: &Grafana) -> Result<String, Trouble> {
    let sources = grafana.data_sources().await.map_err(|failure| failure.trouble())?;
    sources.into_iter().next().map(|(uid, _)| uid).ok_or_else(|| Trouble {
        title: "The Grafana has no data source that speaks Prometheus".to_owned(),
        cause: "none is listed for this login".to_owned(),
        advice: "Add one there, or use a token that may see it".to_owned(),
    })
}

/// What an expression takes out of values: its first group, or its group `value`, each once, in their order.
fn taken(found: Vec<String>, regex: &str) -> Result<Vec<String>, String> {
    let mut seen = BTreeSet::new();
    let mut once = |value: &String| seen.insert(value.clone());
    if regex.is_empty() {
        return Ok(found.into_iter().filter(&mut once).take(VALUES_MAX).collect());
    }
    // `/…/i`, as Grafana writes it.
    let (pattern, flags) = match regex.strip_prefix('/').and_then(|rest| rest.rsplit_once('/')) {
        Some((pattern, flags)) => (pattern, flags),
        None => (regex, ""),
    };
    let built = RegexBuilder::new(pattern)
        .case_insensitive(flags.contains('i'))
        .size_limit(REGEX_BYTES_MAX)
        .build()
        .map_err(|error| format!("The expression of a variable cannot be used: {error}"))?;
    let take = |value: &String| {
        let captures = built.captures(value)?;
        let group = captures.name("value").or_else(|| captures.get(1)).or_else(|| captures.get(0))?;
        Some(group.as_str().to_owned())
    };
    Ok(found.iter().filter_map(take).filter(once).take(VALUES_MAX).collect())
}

/// Opened sources. All clones are the same.
#[derive(Clone)]
pub(super) struct Readers {
    opening: Arc<Opening>,
    /// Each waits for itself: one that is slow to open holds up nobody else.
    slots: Arc<Mutex<BTreeMap<SourceId, Slot>>>,
    /// Runs that need what is read by us.
    runs: Arc<Mutex<BTreeMap<RunId, SourceId>>>,
    /// Whether somebody looks at a board.
    is_watched: Arc<AtomicBool>,
}

/// A source, once it is open.
type Slot = Arc<Mutex<Option<Entry>>>;

struct Entry {
    source: Source,
    reader: Arc<Reader>,
}

impl Readers {
    pub(super) fn new(secrets: Secrets, tokens: Tokens) -> Self {
        Self {
            opening: Arc::new(Opening { secrets, tokens }),
            slots: Arc::default(),
            runs: Arc::default(),
            is_watched: Arc::default(),
        }
    }

    /// A source, opened if it is not yet.
    pub(super) async fn get(&self, reach: &Reach) -> Result<Arc<Reader>, Trouble> {
        self.opened(reach, |_| true).await
    }

    /// A source, opened anew; what is read by us goes on, since what was read would be lost.
    pub(super) async fn anew(&self, reach: &Reach) -> Result<Arc<Reader>, Trouble> {
        self.opened(reach, Reader::is_direct).await
    }

    /// `may_stay`: whether one that is open is used.
    async fn opened(&self, reach: &Reach, may_stay: fn(&Reader) -> bool) -> Result<Arc<Reader>, Trouble> {
        let slot = self.slots.lock().await.entry(reach.source.id).or_default().clone();
        let mut entry = slot.lock().await;
        if let Some(open) =
            entry.as_ref().filter(|open| open.source == reach.source && may_stay(&open.reader))
        {
            return Ok(Arc::clone(&open.reader));
        }
        // Closed before another takes its place: a port-forward, or a reading once a second.
        *entry = None;
        let reader = Arc::new(Reader::open(reach, &self.opening).await?);
        *entry = Some(Entry { source: reach.source.clone(), reader: Arc::clone(&reader) });
        Ok(reader)
    }

    /// Begins to read a source for a run.
    pub(super) fn hold_for(&self, run: RunId, reach: Reach, handle: &Handle) {
        let readers = self.clone();
        handle.spawn(async move {
            readers.runs.lock().await.insert(run, reach.source.id);
            // Why it cannot be read is told when its metrics are asked for.
            drop(readers.get(&reach).await);
        });
    }

    /// Somebody looks at a board from now on.
    pub(super) fn watch(&self) {
        self.is_watched.store(true, Ordering::Relaxed);
    }

    /// Reads no more what nobody looks at, unless a run needs it.
    pub(super) fn rest(&self, handle: &Handle) {
        self.is_watched.store(false, Ordering::Relaxed);
        let readers = self.clone();
        handle.spawn(async move { readers.close_idle().await });
    }

    /// A run does not need its source any more.
    pub(super) fn let_go(&self, run: RunId, handle: &Handle) {
        let readers = self.clone();
        handle.spawn(async move { readers.let_go_now(run).await });
    }

    pub(super) async fn let_go_now(&self, run: RunId) {
        self.runs.lock().await.remove(&run);
        self.close_idle().await;
    }

    /// Unless somebody looks, or looks again by now.
    async fn close_idle(&self) {
        if self.is_watched.load(Ordering::Relaxed) {
            return;
        }
        let needed: BTreeSet<SourceId> = self.runs.lock().await.values().copied().collect();
        let slots = self.slots.lock().await;
        for (_, slot) in slots.iter().filter(|(id, _)| !needed.contains(id)) {
            // One that is being opened is asked by somebody.
            if let Ok(mut entry) = slot.try_lock() {
                entry.take_if(|open| open.reader.is_direct());
            }
        }
    }
}

/// What is needed to open a source.
struct Opening {
    secrets: Secrets,
    tokens: Tokens,
}

impl Opening {
    /// The way to a place.
    async fn web(&self, reach: &Reach, place: &Place, access: &Access) -> Result<(Web, Vec<Held>), Trouble> {
        let secret = self.secret(reach.source.id, access).await?;
        match place {
            Place::Url(url) => Ok((Web::new(url, access, secret.as_deref())?, Vec::new())),
            Place::Cluster { context, kind, namespace, name, port, path } => {
                let link = self.link(reach, context).await?;
                // An API server's proxy takes a login for its own, so one goes by a port-forward.
                if *kind == TargetKind::Service && access.login == Login::None {
                    let carrier = carrier(link, (namespace, name, *port));
                    return Ok((Web::carried(carrier, path, access, None)?, Vec::new()));
                }
                forwarded(&link, place, access, secret.as_deref()).await
            }
        }
    }

    async fn secret(&self, id: SourceId, access: &Access) -> Result<Option<String>, Trouble> {
        if access.login == Login::None {
            return Ok(None);
        }
        let secrets = self.secrets.clone();
        let read = tokio::task::spawn_blocking(move || secrets.of(id)).await;
        let told = read.unwrap_or_else(|error| Err(error.to_string()));
        let none = |cause: String| Trouble {
            title: "The source’s token or password is not known".to_owned(),
            cause,
            advice: "Edit the source and write it again".to_owned(),
        };
        match told {
            Ok(Some(secret)) => Ok(Some(secret)),
            Ok(None) => Err(none("nothing is kept for it in the system’s keyring".to_owned())),
            Err(reason) => Err(none(format!("the system’s keyring cannot be used: {reason}"))),
        }
    }

    async fn link(&self, reach: &Reach, context: &ContextKey) -> Result<Link, Trouble> {
        let opened = clusters::open(context, &reach.sources, &reach.consents, &self.tokens).await;
        opened.map_err(|refused| match refused {
            Refused::Trouble(trouble) => *trouble,
            Refused::NeedsConsent(_) => Trouble {
                title: "The source’s cluster can only be connected with your word".to_owned(),
                cause: context.name.clone(),
                advice: "Connect it on the Clusters page first".to_owned(),
            },
        })
    }

    async fn direct(
        &self,
        reach: &Reach,
        places: &[Place],
        api: Option<&ContextKey>,
        every: Duration,
    ) -> Result<Reader, Trouble> {
        let (mut endpoints, mut ways) = (Vec::new(), Vec::new());
        for place in places {
            let (web, held) = self.web(reach, place, &Access::default()).await?;
            ways.extend(held);
            endpoints.push(Endpoint::at(web, "", &instance(place), labels(place)));
        }
        let direct = Arc::new(Direct::start(endpoints, every));
        if let Some(context) = api {
            let link = self.link(reach, context).await?;
            // Why it is not served is better known at once.
            let mut counted = Counted::default();
            direct.feed(counted.samples(link.usage().await?));
            let fed = Arc::downgrade(&direct);
            let task = tokio::spawn(async move {
                loop {
                    tokio::time::sleep(USAGE_EVERY).await;
                    let usages = link.usage().await;
                    let Some(fed) = fed.upgrade() else { return };
                    if let Ok(usages) = usages {
                        fed.feed(counted.samples(usages));
                    }
                }
            });
            ways.push(Held::Task(task.abort_handle()));
        }
        Ok(Reader { kind: Kind::Direct(direct), _ways: ways })
    }
}

/// `127.0.0.1:9901`, or the name of what it is in a cluster.
fn instance(place: &Place) -> String {
    match place {
        Place::Url(text) => url::Url::parse(text)
            .ok()
            .and_then(|url| {
                let host = url.host_str()?.to_owned();
                Some(url.port_or_known_default().map_or(host.clone(), |port| format!("{host}:{port}")))
            })
            .unwrap_or_else(|| text.clone()),
        Place::Cluster { name, port, .. } => format!("{name}:{port}"),
    }
}

/// By which a place's series are told from others, as Kubernetes' own discovery does.
fn labels(place: &Place) -> BTreeMap<String, String> {
    let pairs = match place {
        Place::Url(_) => Vec::new(),
        Place::Cluster { kind, namespace, name, .. } => {
            let kind = if *kind == TargetKind::Pod { "pod" } else { "service" };
            vec![("namespace", namespace.clone()), (kind, name.clone())]
        }
    };
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// Carries questions through an API server's proxy to a Service.
fn carrier(link: Link, (namespace, name, port): (&str, &str, u16)) -> Carrier {
    let (namespace, name) = (namespace.to_owned(), name.to_owned());
    Arc::new(move |carried: Carried| {
        let (link, namespace, name) = (link.clone(), namespace.clone(), name.clone());
        Box::pin(async move {
            let place = (namespace.as_str(), name.as_str(), port);
            let fetched = link.fetch(place, &carried.path_and_query, &carried.headers, CARRIED_MAX).await;
            let fetched = fetched.map_err(|trouble| words(&trouble))?;
            Ok(CarriedAnswer {
                status: fetched.status,
                bytes: fetched.bytes,
                content_type: fetched.content_type,
            })
        })
    })
}

#[cfg(unix)]
async fn forwarded(
    link: &Link,
    place: &Place,
    access: &Access,
    secret: Option<&str>,
) -> Result<(Web, Vec<Held>), Trouble> {
    let Place::Cluster { context, kind, namespace, name, port, path } = place else {
        return Err(no_way("it is in no cluster"));
    };
    let target = ServiceTarget {
        context: context.name.clone(),
        kubeconfig: Some(context.file.clone()),
        kind: *kind,
        namespace: namespace.clone(),
        name: name.clone(),
        port: *port,
        route: Route::PortForward,
        cluster: ClusterNote::default(),
    };
    let forward = link.forward(&target, None).await?;
    let host = format!("{name}.{namespace}:{port}");
    let web = Web::over_socket(&forward.socket(), &host, path, access, secret)?;
    Ok((web, vec![Held::Forward(forward)]))
}

#[cfg(not(unix))]
async fn forwarded(
    _link: &Link,
    _place: &Place,
    _access: &Access,
    _secret: Option<&str>,
) -> Result<(Web, Vec<Held>), Trouble> {
    Err(no_way("this system has no Unix sockets"))
}

fn no_way(cause: &str) -> Trouble {
    Trouble {
        title: "The source cannot be reached by a port-forward".to_owned(),
        cause: cause.to_owned(),
        advice: "Use an address of the source’s own".to_owned(),
    }
}

/// Makes counters of what pods use: the metrics API tells rates, and boards ask for counters.
#[derive(Default)]
struct Counted {
    /// Processor seconds so far and when they were counted, by namespace, pod and container.
    seconds: BTreeMap<(String, String, String), (i64, f64)>,
}

impl Counted {
    /// What has been used since the last look is taken to be what is used now, for all of that time.
    fn samples(&mut self, usages: Vec<crate::model::metrics::usage::PodUsage>) -> Vec<Sample> {
        let mut samples = Vec::new();
        let mut seen = BTreeSet::new();
        for usage in usages {
            let key = (usage.namespace.clone(), usage.pod.clone(), usage.container.clone());
            seen.insert(key.clone());
            let labels: BTreeMap<String, String> =
                [("namespace", &usage.namespace), ("pod", &usage.pod), ("container", &usage.container)]
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value.clone()))
                    .collect();
            let sample = |name: &str, value: f64| Sample {
                name: name.to_owned(),
                labels: labels.clone(),
                value,
                at_ms: usage.at_ms,
            };
            if let Some(bytes) = usage.memory_bytes {
                samples.push(sample(MEMORY_NAME, bytes));
            }
            if let Some(cores) = usage.cpu_cores {
                let counted = self.seconds.entry(key).or_insert((usage.at_ms, 0.0));
                let gone_s = (usage.at_ms - counted.0).max(0) as f64 / 1e3;
                *counted = (usage.at_ms, counted.1 + cores * gone_s);
                samples.push(sample(CPU_NAME, counted.1));
            }
        }
        self.seconds.retain(|key, _| seen.contains(key));
        samples
    }
}

#[cfg(test)]
mod tests {
    use crate::model::metrics::usage::PodUsage;

    use super::*;

    #[test]
    fn an_expression_takes_its_group_out_of_values_each_once() {
        let found = || vec!["up{pod=\"a-1\"}".to_owned(), "up{pod=\"b-2\"}".to_owned(), "x".to_owned()];
        assert_eq!(taken(found(), "/pod=\"([^\"]*)-/").unwrap(), ["a", "b"]);
        assert_eq!(taken(found(), ".*(?<value>UP).*").unwrap(), Vec::<String>::new());
        assert_eq!(taken(found(), "/(?<value>UP)/i").unwrap(), ["up"]);
        assert_eq!(taken(found(), "").unwrap(), found());
        assert!(taken(found(), "(").unwrap_err().contains("cannot be used"));
    }

    #[test]
    fn what_pods_use_becomes_a_counter() {
        let usage = |at_ms: i64, cores: f64| PodUsage {
            namespace: "shop".to_owned(),
            pod: "web-1".to_owned(),
            container: "istio-proxy".to_owned(),
            at_ms,
            cpu_cores: Some(cores),
            memory_bytes: None,
        };
        let mut counted = Counted::default();
        let values: Vec<f64> = [(0, 0.5), (10_000, 0.5), (10_000, 0.7), (20_000, 0.1)]
            .into_iter()
            .flat_map(|(at, cores)| counted.samples(vec![usage(at, cores)]))
            .map(|sample| sample.value)
            .collect();
        assert_eq!(values, [0.0, 5.0, 5.0, 6.0], "the same moment counts once");
        counted.samples(Vec::new());
        assert!(counted.seconds.is_empty(), "a pod that is gone is forgotten");
    }
}
