//! Keeps an eye on a cluster: lists and watches what pages and rules look at, and tells of it a few times a second.
//!
//! ```text
//!  a task for each kind ─ Seen ─▶ the eye: one map for each kind ─ twice a second, if anything changed ─▶ Inventory
//!   pages of 500, bookmarks,        (bounded queue)                                     + meshes
//!   410 = list again, back-off
//! ```
//!
//! Of a kind of which labels and annotations are enough, nothing else is asked for. Of the others a page or a rule looks
//! at more, and Kubernetes gives a whole object or its metadata, nothing between:
//!
//! | kind | asked for | what is looked at |
//! |---|---|---|
//! | namespaces | metadata | labels and annotations: injection |
//! | pods | whole | images and names of containers: proxies and their versions; phase, readiness, node, address |
//! | deployments, stateful sets, daemon sets | whole | images: a mesh's version; the template's marks; pods that are ready and wanted |
//! | services | whole | ports, selector, kind and addresses: what load can be sent to, and how |
//! | ingresses | whole | rules and addresses: ways from outside |
//!
//! What comes whole is cut down as it arrives, before it waits for the eye.
//!
//! Who may not list a kind in the whole cluster is asked for namespaces instead: the context's own, those that may be
//! listed, and those in which control planes usually are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::networking::v1 as networking;
use kube::api::ListParams;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt as _, watcher::watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::{objects, words};
use crate::model::inventory::{Gap, Ingress, Inventory, Marks, Namespace, Pod, Service, Workload};
use crate::model::mesh::{MeshKind, Parts, detect_with};

/// What was seen is told this often at most.
const TELL_EVERY: Duration = Duration::from_millis(500);
/// News that wait for the eye; whoever lists waits when there is no room.
const NEWS_MAX: usize = 1024;
/// API groups, and what Cilium is set to, are asked for this often.
const ASK_EVERY: Duration = Duration::from_secs(30);
/// What is not allowed is tried again after this long: rights may have been given.
const FORBIDDEN_PAUSE: Duration = Duration::from_secs(60);
/// The most namespaces that are listed one by one.
const NAMESPACES_MAX: usize = 64;
/// A watch is begun anew after this long, in seconds: how late a dead connection is noticed.
const WATCH_S: u32 = 120;

/// Which kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Namespaces,
    Deployments,
    StatefulSets,
    DaemonSets,
    Services,
    Pods,
    Ingresses,
}

const KINDS: [Kind; 7] = [
    Kind::Namespaces,
    Kind::Deployments,
    Kind::StatefulSets,
    Kind::DaemonSets,
    Kind::Services,
    Kind::Pods,
    Kind::Ingresses,
];

/// An object, cut down.
enum Object {
    Namespace(Namespace),
    Workload(Workload),
    Service(Service),
    Pod(Pod),
    Ingress(Ingress),
}

/// What a list or watch brought; `String`s are a namespace, empty for the whole cluster.
enum Seen {
    /// A list begins.
    Begun(Kind, String),
    /// Part of a list.
    Listed(Kind, Object),
    /// The list is whole.
    Done(Kind, String),
    Put(Kind, Object),
    Gone(Kind, (String, String)),
    Failed(Kind, String, Gap),
    Groups(Vec<String>),
    Cilium(Option<Marks>),
}

/// Watches what a client may see until the future is dropped. `own` is the context's namespace; `tell` is called when
/// something changed, at most twice a second, and says whether there was room for it.
pub(super) async fn watch(client: Client, own: &str, mut tell: impl FnMut(Inventory) -> bool + Send) {
    let (news, mut heard) = mpsc::channel(NEWS_MAX);
    let mut tasks = JoinSet::new();
    tasks.spawn(ask_groups(client.clone(), news.clone()));
    start(&mut tasks, &client, own, Kind::Namespaces, &news);
    for kind in KINDS.into_iter().filter(|kind| *kind != Kind::Namespaces) {
        start(&mut tasks, &client, own, kind, &news);
    }
    let mut eye = Eye::default();
    let mut ticks = tokio::time::interval(TELL_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut cilium = None;
    loop {
        tokio::select! {
            seen = heard.recv() => {
                let Some(seen) = seen else { return };
                eye.take(seen);
            }
            _ = ticks.tick() => {
                if let Some(inventory) = eye.look() {
                    let place = cilium_place(&inventory);
                    if cilium != place {
                        cilium.clone_from(&place);
                        if let Some(namespace) = place {
                            tasks.spawn(ask_cilium(client.clone(), namespace, news.clone()));
                        }
                    }
                    if !tell(inventory) {
                        eye.is_changed = true;
                    }
                }
            }
        }
    }
}

fn cilium_place(inventory: &Inventory) -> Option<String> {
    let mesh = inventory.meshes.iter().find(|mesh| mesh.kind == MeshKind::Cilium)?;
    Some(mesh.control_planes.first()?.namespace.clone())
}

/// A namespace, of which only the metadata is asked for.
type Meta = PartialObjectMeta<core::Namespace>;

fn start(tasks: &mut JoinSet<()>, client: &Client, own: &str, kind: Kind, news: &mpsc::Sender<Seen>) {
    let (client, own, news) = (client.clone(), own.to_owned(), news.clone());
    match kind {
        Kind::Namespaces => tasks.spawn(async move {
            let cut = |object: Meta| Object::Namespace(objects::namespace(object.metadata));
            loop {
                let all: Api<Meta> = Api::all(client.clone());
                if let Some(gap) = follow(all, kind, String::new(), cut, &news).await {
                    let _ = news.send(Seen::Failed(kind, String::new(), gap)).await;
                }
                tokio::time::sleep(FORBIDDEN_PAUSE).await;
            }
        }),
        Kind::Deployments => tasks.spawn(follow_all(client, own, kind, news, |object: Deployment| {
            Object::Workload(objects::deployment(object))
        })),
        Kind::StatefulSets => tasks.spawn(follow_all(client, own, kind, news, |object: StatefulSet| {
            Object::Workload(objects::stateful_set(object))
        })),
        Kind::DaemonSets => tasks.spawn(follow_all(client, own, kind, news, |object: DaemonSet| {
            Object::Workload(objects::daemon_set(object))
        })),
        Kind::Services => tasks.spawn(follow_all(client, own, kind, news, |object: core::Service| {
            Object::Service(objects::service(object))
        })),
        Kind::Pods => tasks.spawn(follow_all(client, own, kind, news, |object: core::Pod| {
            Object::Pod(objects::pod(object))
        })),
        Kind::Ingresses => tasks.spawn(follow_all(client, own, kind, news, |object: networking::Ingress| {
            Object::Ingress(objects::ingress(object))
        })),
    };
}

/// A kind that lives in namespaces: in all of them or, where that is not allowed, in each that may be.
async fn follow_all<K>(
    client: Client,
    own: String,
    kind: Kind,
    news: mpsc::Sender<Seen>,
    cut: fn(K) -> Object,
) where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    K: Clone + Debug + DeserializeOwned + Send + 'static,
{
    loop {
        let all: Api<K> = Api::all(client.clone());
        match all.list_metadata(&ListParams::default().limit(1)).await {
            Err(kube::Error::Api(status)) if status.is_forbidden() => {}
            // Whatever else is wrong, it is told and tried again.
            _ => {
                if follow(all, kind, String::new(), cut, &news).await.is_none() {
                    return;
                }
            }
        }
        let gap = Gap { what: kind.name().to_owned(), reason: String::new(), is_passing: false };
        let _ = news.send(Seen::Failed(kind, String::new(), gap)).await;
        let mut tasks = JoinSet::new();
        for namespace in namespaces(&client, &own).await {
            let (api, news) = (Api::<K>::namespaced(client.clone(), &namespace), news.clone());
            let is_own = namespace == own;
            tasks.spawn(async move {
                loop {
                    let gap = follow(api.clone(), kind, namespace.clone(), cut, &news).await;
                    // Others are looked into only because something may be there.
                    if let Some(gap) = gap.filter(|_| is_own) {
                        let _ = news.send(Seen::Failed(kind, namespace.clone(), gap)).await;
                    }
                    tokio::time::sleep(FORBIDDEN_PAUSE).await;
                }
            });
        }
        while tasks.join_next().await.is_some() {}
    }
}

/// Those that may be listed one by one.
async fn namespaces(client: &Client, own: &str) -> Vec<String> {
    let mut names = BTreeSet::from([own.to_owned()]);
    names
        .extend(MeshKind::ALL.iter().flat_map(|kind| kind.usual_namespaces()).map(|name| (*name).to_owned()));
    let all: Api<core::Namespace> = Api::all(client.clone());
    if let Ok(listed) = all.list_metadata(&ListParams::default().limit(NAMESPACES_MAX as u32)).await {
        names.extend(listed.items.into_iter().map(|namespace| namespace.name_any()));
    }
    // The context's own is never left out.
    let others = names.into_iter().filter(|name| name != own).take(NAMESPACES_MAX - 1).collect::<Vec<_>>();
    std::iter::once(own.to_owned()).chain(others).collect()
}

/// Lists and watches until that is forbidden, and says so; all else that goes wrong is told, and tried again. None where
/// nobody listens any more.
async fn follow<K, S>(
    api: Api<K>,
    kind: Kind,
    namespace: String,
    cut: fn(K) -> Object,
    news: &mpsc::Sender<Seen>,
) -> Option<Gap>
where
    K: Resource<Scope = S, DynamicType = ()>,
    K: Clone + Debug + DeserializeOwned + Send + 'static,
{
    let config = watcher::Config::default().timeout(WATCH_S);
    let mut events = std::pin::pin!(watcher(api, config).default_backoff());
    while let Some(event) = events.next().await {
        let seen = match event {
            Ok(Event::Init) => Seen::Begun(kind, namespace.clone()),
            Ok(Event::InitApply(object)) => Seen::Listed(kind, cut(object)),
            Ok(Event::InitDone) => Seen::Done(kind, namespace.clone()),
            Ok(Event::Apply(object)) => Seen::Put(kind, cut(object)),
            Ok(Event::Delete(object)) => {
                Seen::Gone(kind, (object.namespace().unwrap_or_default(), object.name_any()))
            }
            Err(error) => {
                let gap = gap(kind, &namespace, &error);
                if !gap.is_passing {
                    return Some(gap);
                }
                Seen::Failed(kind, namespace.clone(), gap)
            }
        };
        if news.send(seen).await.is_err() {
            return None;
        }
    }
    None
}

fn gap(kind: Kind, namespace: &str, error: &watcher::Error) -> Gap {
    let is_forbidden = match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status)) => status.is_forbidden(),
        watcher::Error::WatchError(status) => status.is_forbidden(),
        _ => false,
    };
    let what = match namespace {
        "" => kind.name().to_owned(),
        namespace => format!("{} in {namespace}", kind.name()),
    };
    // Of what is forbidden, all is said in one sentence later.
    let reason = if is_forbidden { String::new() } else { words::chain(error) };
    Gap { what, reason, is_passing: !is_forbidden }
}

async fn ask_groups(client: Client, news: mpsc::Sender<Seen>) {
    let mut ticks = tokio::time::interval(ASK_EVERY);
    let mut known = None;
    loop {
        ticks.tick().await;
        // Without them meshes are told by their workloads alone.
        let Ok(groups) = client.list_api_groups().await else { continue };
        let mut names: Vec<String> = groups.groups.into_iter().map(|group| group.name).collect();
        names.sort();
        if known.as_ref() != Some(&names) {
            known = Some(names.clone());
            if news.send(Seen::Groups(names)).await.is_err() {
                return;
            }
        }
    }
}

async fn ask_cilium(client: Client, namespace: String, news: mpsc::Sender<Seen>) {
    let api: Api<core::ConfigMap> = Api::namespaced(client, &namespace);
    let mut ticks = tokio::time::interval(ASK_EVERY);
    loop {
        ticks.tick().await;
        // Many may not read it; then nothing is said of its functions.
        let settings = api.get("cilium-config").await.ok().and_then(|map| map.data);
        if news.send(Seen::Cilium(settings)).await.is_err() {
            return;
        }
    }
}

type Key = (String, String);

/// Objects of one kind, and those of a list that is not whole yet.
struct Shelf<T> {
    kept: BTreeMap<Key, Arc<T>>,
    /// By namespace, empty for the whole cluster.
    listed: BTreeMap<String, BTreeMap<Key, Arc<T>>>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { kept: BTreeMap::new(), listed: BTreeMap::new() }
    }
}

impl<T> Shelf<T> {
    /// What stood in its place.
    fn put(&mut self, key: Key, object: T) -> Option<Arc<T>> {
        self.kept.insert(key, Arc::new(object))
    }

    fn list(&mut self, key: Key, object: T) {
        let list = if self.listed.contains_key("") { "" } else { &key.0 };
        let list = list.to_owned();
        self.listed.entry(list).or_default().insert(key, Arc::new(object));
    }

    /// A list is whole: what it does not have is gone.
    fn done(&mut self, namespace: &str) {
        let listed = self.listed.remove(namespace).unwrap_or_default();
        if namespace.is_empty() {
            self.kept = listed;
        } else {
            self.kept.retain(|(at, _), _| at != namespace);
            self.kept.extend(listed);
        }
    }

    fn all(&self) -> Arc<Vec<Arc<T>>> {
        Arc::new(self.kept.values().cloned().collect())
    }
}

/// All that is known.
#[derive(Default)]
struct Eye {
    namespaces: Shelf<Namespace>,
    deployments: Shelf<Workload>,
    stateful_sets: Shelf<Workload>,
    daemon_sets: Shelf<Workload>,
    services: Shelf<Service>,
    pods: Shelf<Pod>,
    ingresses: Shelf<Ingress>,
    /// What the pods are part of: of thousands, only those that change are looked at.
    parts: Parts,
    cilium: Option<Marks>,
    gaps: BTreeMap<(Kind, String), Gap>,
    /// Kinds that were listed once, or cannot be.
    known: BTreeSet<Kind>,
    /// What was told last.
    told: Inventory,
    /// What changed since.
    changed: BTreeSet<Kind>,
    is_changed: bool,
}

/// Does the same with the shelf of a kind, whatever it holds.
macro_rules! with_shelf {
    ($eye:expr, $kind:expr, $shelf:ident => $work:expr) => {
        match $kind {
            Kind::Namespaces => {
                let $shelf = &mut $eye.namespaces;
                $work
            }
            Kind::Deployments => {
                let $shelf = &mut $eye.deployments;
                $work
            }
            Kind::StatefulSets => {
                let $shelf = &mut $eye.stateful_sets;
                $work
            }
            Kind::DaemonSets => {
                let $shelf = &mut $eye.daemon_sets;
                $work
            }
            Kind::Services => {
                let $shelf = &mut $eye.services;
                $work
            }
            Kind::Pods => {
                let $shelf = &mut $eye.pods;
                $work
            }
            Kind::Ingresses => {
                let $shelf = &mut $eye.ingresses;
                $work
            }
        }
    };
}

impl Eye {
    fn take(&mut self, seen: Seen) {
        match seen {
            Seen::Begun(kind, namespace) => {
                with_shelf!(self, kind, shelf => { shelf.listed.insert(namespace, BTreeMap::new()); });
                return;
            }
            Seen::Listed(kind, object) => return self.put(kind, object, true),
            Seen::Done(kind, namespace) => {
                with_shelf!(self, kind, shelf => shelf.done(&namespace));
                if kind == Kind::Pods {
                    self.parts = Parts::default();
                    self.pods.kept.values().for_each(|pod| self.parts.add(pod));
                }
                self.gaps.remove(&(kind, namespace));
                self.known.insert(kind);
                self.changed.insert(kind);
            }
            Seen::Put(kind, object) => {
                self.gaps.retain(|(of, _), gap| *of != kind || !gap.is_passing);
                self.put(kind, object, false);
                self.changed.insert(kind);
            }
            Seen::Gone(kind, key) => {
                if kind == Kind::Pods
                    && let Some(pod) = self.pods.kept.get(&key)
                {
                    self.parts.remove(pod);
                }
                with_shelf!(self, kind, shelf => { shelf.kept.remove(&key); });
                self.changed.insert(kind);
            }
            Seen::Failed(kind, namespace, gap) => {
                self.known.insert(kind);
                self.gaps.insert((kind, namespace), gap);
            }
            Seen::Groups(groups) => self.told.groups = Arc::new(groups),
            Seen::Cilium(settings) => {
                if self.cilium == settings {
                    return;
                }
                self.cilium = settings;
            }
        }
        self.is_changed = true;
    }

    fn put(&mut self, kind: Kind, object: Object, is_listed: bool) {
        fn lay<T>(shelf: &mut Shelf<T>, key: Key, object: T, is_listed: bool) {
            if is_listed {
                shelf.list(key, object);
            } else {
                shelf.put(key, object);
            }
        }
        match object {
            Object::Namespace(it) => {
                lay(&mut self.namespaces, (String::new(), it.name.clone()), it, is_listed)
            }
            Object::Service(it) => {
                lay(&mut self.services, (it.namespace.clone(), it.name.clone()), it, is_listed)
            }
            Object::Pod(it) if is_listed => self.pods.list((it.namespace.clone(), it.name.clone()), it),
            Object::Pod(it) => {
                self.parts.add(&it);
                if let Some(before) = self.pods.put((it.namespace.clone(), it.name.clone()), it) {
                    self.parts.remove(&before);
                }
            }
            Object::Ingress(it) => {
                lay(&mut self.ingresses, (it.namespace.clone(), it.name.clone()), it, is_listed);
            }
            Object::Workload(it) => {
                let key = (it.namespace.clone(), it.name.clone());
                let shelf = match kind {
                    Kind::StatefulSets => &mut self.stateful_sets,
                    Kind::DaemonSets => &mut self.daemon_sets,
                    _ => &mut self.deployments,
                };
                lay(shelf, key, it, is_listed);
            }
        }
    }

    /// What could not be seen: what is forbidden in as few sentences as there are places.
    fn gaps(&self) -> Vec<Gap> {
        let mut forbidden: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut gaps = Vec::new();
        for ((kind, namespace), gap) in &self.gaps {
            if gap.is_passing {
                gaps.push(gap.clone());
            } else {
                forbidden.entry(namespace).or_default().push(kind.name());
            }
        }
        for (namespace, kinds) in forbidden {
            let what = kinds.join(", ");
            let reason = match namespace {
                "" => format!(
                    "You may not list {what} of the whole cluster: shown is what is in namespaces that you may look into"
                ),
                namespace => {
                    format!("You may not list {what} in {namespace}; ask for a role that may, such as view")
                }
            };
            gaps.push(Gap { what, reason, is_passing: false });
        }
        gaps
    }

    /// What is known now; none where nothing changed since the last look.
    fn look(&mut self) -> Option<Inventory> {
        if !std::mem::take(&mut self.is_changed) {
            return None;
        }
        let changed = std::mem::take(&mut self.changed);
        if changed.contains(&Kind::Namespaces) {
            self.told.namespaces = self.namespaces.all();
        }
        if changed.contains(&Kind::Services) {
            self.told.services = self.services.all();
        }
        if changed.contains(&Kind::Pods) {
            self.told.pods = self.pods.all();
        }
        if changed.contains(&Kind::Ingresses) {
            self.told.ingresses = self.ingresses.all();
        }
        if [Kind::Deployments, Kind::StatefulSets, Kind::DaemonSets].iter().any(|kind| changed.contains(kind))
        {
            let shelves = [&self.deployments, &self.stateful_sets, &self.daemon_sets];
            let mut all: Vec<_> = shelves.iter().flat_map(|shelf| shelf.kept.values().cloned()).collect();
            all.sort_by(|one, other| (&one.namespace, &one.name).cmp(&(&other.namespace, &other.name)));
            self.told.workloads = Arc::new(all);
        }
        self.told.gaps = self.gaps();
        self.told.is_whole = KINDS.iter().all(|kind| self.known.contains(kind));
        self.told.meshes = Arc::new(detect_with(&self.told, &self.parts, self.cilium.as_ref()));
        Some(self.told.clone())
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Namespaces => "namespaces",
            Self::Deployments => "deployments",
            Self::StatefulSets => "stateful sets",
            Self::DaemonSets => "daemon sets",
            Self::Services => "services",
            Self::Pods => "pods",
            Self::Ingresses => "ingresses",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory::Container;
    use crate::model::mesh::detect;

    fn pod(namespace: &str, name: &str) -> Object {
        Object::Pod(Pod { namespace: namespace.to_owned(), name: name.to_owned(), ..Pod::default() })
    }

    fn names(eye: &mut Eye) -> Vec<String> {
        let seen = eye.look().expect("something changed");
        seen.pods.iter().map(|pod| format!("{}/{}", pod.namespace, pod.name)).collect()
    }

    #[test]
    fn a_list_replaces_what_was_known_once_it_is_whole() {
        let mut eye = Eye::default();
        let all = String::new;
        eye.take(Seen::Begun(Kind::Pods, all()));
        eye.take(Seen::Listed(Kind::Pods, pod("b", "two")));
        eye.take(Seen::Listed(Kind::Pods, pod("a", "one")));
        assert!(eye.look().is_none(), "not whole yet");
        eye.take(Seen::Done(Kind::Pods, all()));
        assert_eq!(names(&mut eye), ["a/one", "b/two"]);
        eye.take(Seen::Put(Kind::Pods, pod("a", "three")));
        eye.take(Seen::Gone(Kind::Pods, ("b".to_owned(), "two".to_owned())));
        assert_eq!(names(&mut eye), ["a/one", "a/three"]);
        // Too old to go on (410): listed again, and until then what is known stays.
        eye.take(Seen::Begun(Kind::Pods, all()));
        eye.take(Seen::Listed(Kind::Pods, pod("a", "three")));
        assert!(eye.look().is_none());
        eye.take(Seen::Done(Kind::Pods, all()));
        assert_eq!(names(&mut eye), ["a/three"]);
    }

    #[test]
    fn namespaces_are_listed_one_by_one_where_all_are_forbidden() {
        let mut eye = Eye::default();
        for (namespace, name) in [("a", "one"), ("b", "two")] {
            eye.take(Seen::Begun(Kind::Pods, namespace.to_owned()));
            eye.take(Seen::Listed(Kind::Pods, pod(namespace, name)));
        }
        eye.take(Seen::Done(Kind::Pods, "a".to_owned()));
        assert_eq!(names(&mut eye), ["a/one"]);
        let gap = Gap { what: "pods in b".to_owned(), reason: String::new(), is_passing: false };
        for kind in [Kind::Pods, Kind::Services] {
            eye.take(Seen::Failed(kind, "b".to_owned(), gap.clone()));
        }
        let seen = eye.look().expect("something changed");
        let reasons: Vec<_> = seen.gaps.iter().map(|gap| gap.reason.as_str()).collect();
        assert_eq!(reasons, ["You may not list services, pods in b; ask for a role that may, such as view"]);
        assert!(!seen.is_whole);
        eye.take(Seen::Begun(Kind::Pods, "a".to_owned()));
        eye.take(Seen::Done(Kind::Pods, "a".to_owned()));
        assert_eq!(names(&mut eye), [] as [String; 0]);
    }

    #[test]
    fn it_is_whole_once_each_kind_is_known_or_cannot_be() {
        let mut eye = Eye::default();
        for kind in KINDS {
            assert!(!eye.look().is_some_and(|seen| seen.is_whole));
            if kind == Kind::Pods {
                let gap = Gap { what: "pods".to_owned(), reason: String::new(), is_passing: true };
                eye.take(Seen::Failed(kind, String::new(), gap));
            } else {
                eye.take(Seen::Begun(kind, String::new()));
                eye.take(Seen::Done(kind, String::new()));
            }
        }
        assert!(eye.look().is_some_and(|seen| seen.is_whole));
        // A connection that is back is no gap any more.
        eye.take(Seen::Put(Kind::Pods, pod("a", "one")));
        assert_eq!(eye.look().map(|seen| seen.gaps.len()), Some(0));
    }

    fn busy_pod(number: usize, proxy: &str) -> Object {
        let marks =
            |kind: &str| (0..8).map(|at| (format!("{kind}-{at}.test/mark"), "value".to_owned())).collect();
        let container = |name: &str, image: &str| Container {
            name: name.to_owned(),
            image: image.to_owned(),
            ..Container::default()
        };
        Object::Pod(Pod {
            namespace: format!("namespace-{}", number % 50),
            name: format!("web-{number}"),
            labels: marks("label"),
            annotations: marks("annotation"),
            containers: vec![container("web", "web:1"), container("istio-proxy", proxy)],
            ..Pod::default()
        })
    }

    /// The quickest of some, so that what else the machine does is not counted.
    fn quickest(mut work: impl FnMut(usize)) -> Duration {
        let took = |round| {
            let begun = std::time::Instant::now();
            work(round);
            begun.elapsed()
        };
        (0..20).map(took).min().expect("some rounds")
    }

    /// Times of changes and of looks at this many pods.
    fn costs(count: usize) -> (Duration, Duration) {
        let mut eye = Eye::default();
        eye.take(Seen::Begun(Kind::Pods, String::new()));
        (0..count).for_each(|at| eye.take(Seen::Listed(Kind::Pods, busy_pod(at, "proxyv2:1.24.2"))));
        eye.take(Seen::Done(Kind::Pods, String::new()));
        let first = eye.look().expect("a list");
        let changes = quickest(|round| {
            for at in 0..100 {
                eye.take(Seen::Put(Kind::Pods, busy_pod((at * 97 + round) % count, "proxyv2:1.25.0")));
            }
        });
        let looks = quickest(|round| {
            eye.take(Seen::Put(Kind::Pods, busy_pod(round, "proxyv2:1.25.0")));
            eye.look().expect("it changed");
        });
        let last = eye.told.clone();
        assert_eq!(last.pods.len(), count);
        assert_eq!(*last.meshes, detect(&last, None), "as if all were looked at anew");
        assert!(last.meshes[0].proxies["1.25.0"] >= 20 && last.meshes[0].pods as usize == count);
        // What did not change is the same object in both, not another of the same content.
        let shared =
            first.pods.iter().zip(last.pods.iter()).filter(|(one, other)| Arc::ptr_eq(one, other)).count();
        assert!(shared + 2200 > count, "{shared} of {count}");
        (changes, looks)
    }

    #[test]
    fn a_change_costs_the_same_among_ten_thousand_pods_and_a_look_a_few_milliseconds() {
        let ((few_changes, few_looks), (changes, looks)) = (costs(1_000), costs(10_000));
        println!(
            "100 changes among 1 000 pods {few_changes:?}, among 10 000 {changes:?}; a look {few_looks:?}, {looks:?}"
        );
        assert!(changes < few_changes * 4, "{few_changes:?} {changes:?}");
        // Of a build without optimisation.
        assert!(looks < Duration::from_millis(15), "{looks:?}");
    }

    #[test]
    fn what_pods_are_part_of_is_kept_up_through_changes_ends_and_new_lists() {
        let mut eye = Eye::default();
        let istio = |eye: &mut Eye| -> Vec<(String, u32)> {
            let seen = eye.look().expect("something changed");
            assert_eq!(*seen.meshes, detect(&seen, None));
            seen.meshes.first().map(|mesh| mesh.proxies.clone().into_iter().collect()).unwrap_or_default()
        };
        let row = |version: &str, count| (version.to_owned(), count);
        for (number, proxy) in [(0, "proxyv2:1.24.2"), (1, "proxyv2:1.24.2"), (2, "proxyv2:1.22.0")] {
            eye.take(Seen::Put(Kind::Pods, busy_pod(number, proxy)));
        }
        assert_eq!(istio(&mut eye), [row("1.22.0", 1), row("1.24.2", 2)]);
        eye.take(Seen::Put(Kind::Pods, busy_pod(2, "proxyv2:1.24.2")));
        assert_eq!(istio(&mut eye), [row("1.24.2", 3)]);
        let gone =
            |number: usize| Seen::Gone(Kind::Pods, (format!("namespace-{number}"), format!("web-{number}")));
        eye.take(gone(0));
        // Told twice, as after a lost connection.
        eye.take(gone(0));
        assert_eq!(istio(&mut eye), [row("1.24.2", 2)]);
        eye.take(Seen::Begun(Kind::Pods, String::new()));
        eye.take(Seen::Listed(Kind::Pods, busy_pod(7, "proxyv2:1.25.0")));
        eye.take(Seen::Done(Kind::Pods, String::new()));
        assert_eq!(istio(&mut eye), [row("1.25.0", 1)]);
        eye.take(gone(7));
        assert_eq!(istio(&mut eye), []);
    }
}
