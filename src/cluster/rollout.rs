//! Marks on namespaces and on what pods are made from, pods that start anew, and waiting until all are ready.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::core::v1 as core;
use kube::api::{ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::apply::{Earnest, MANAGER, Tell, fields};
use super::asking::Doing;
use super::words::{bounded, trouble};
use super::{Link, objects};
use crate::model::adapter::{Change, Changed, Marked, News};
use crate::model::cluster::Trouble;
use crate::model::inventory::WorkloadKind;

/// The most workloads, and pods, of a namespace that are looked at.
const LISTED_MAX: u32 = 5000;
/// The most workloads that are named as not ready.
const NAMED_MAX: usize = 8;
/// The longest reason of one workload, in characters.
const WHY_CHARS_MAX: usize = 240;
/// Between two looks at workloads that are not ready.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// What says when pods were started anew last; kubectl's own word.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";
/// Labels of a pod that its controller gives it.
const OF_CONTROLLER: [&str; 3] =
    ["pod-template-hash", "controller-revision-hash", "statefulset.kubernetes.io/pod-name"];

/// Labels or annotations to set, and to take off.
type Marking<'a> = &'a BTreeMap<String, Option<String>>;

/// A workload, as far as its pods' coming and going needs it.
struct Workload {
    kind: WorkloadKind,
    name: String,
    template: core::PodTemplateSpec,
    /// Whether what it says of its pods is of its newest form.
    is_seen: bool,
    ready: u32,
    updated: u32,
    wanted: u32,
    /// Pods of any form that it has.
    has: u32,
    /// Why no more pods are made: a quota, a policy, a webhook.
    refused: Option<String>,
}

impl Workload {
    fn is_ready(&self) -> bool {
        self.is_seen && self.ready >= self.wanted && self.updated >= self.wanted && self.has <= self.updated
    }

    fn words(&self) -> String {
        format!("{}/{}", self.kind.name(), self.name)
    }

    fn doing(&self, verb: &'static str, namespace: &str) -> Doing {
        Doing::new(verb, resource(self.kind), self.kind.name(), Some(namespace), &self.name)
    }
}

fn resource(kind: WorkloadKind) -> &'static str {
    match kind {
        WorkloadKind::Deployment => "deployments.apps",
        WorkloadKind::StatefulSet => "statefulsets.apps",
        WorkloadKind::DaemonSet => "daemonsets.apps",
    }
}

fn count(number: Option<i32>) -> u32 {
    number.and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
}

fn is_seen(meta: &ObjectMeta, observed: Option<i64>) -> bool {
    observed.unwrap_or(0) >= meta.generation.unwrap_or(0)
}

fn of_deployment(object: Deployment) -> Workload {
    let (spec, status) = (object.spec.unwrap_or_default(), object.status.unwrap_or_default());
    let failure = status.conditions.iter().flatten().find(|it| it.type_ == "ReplicaFailure");
    Workload {
        refused: failure.filter(|it| it.status == "True").and_then(|it| it.message.clone()),
        kind: WorkloadKind::Deployment,
        is_seen: is_seen(&object.metadata, status.observed_generation),
        name: object.metadata.name.unwrap_or_default(),
        template: spec.template,
        ready: count(status.ready_replicas),
        updated: count(status.updated_replicas),
        wanted: count(spec.replicas.or(Some(1))),
        has: count(status.replicas),
    }
}

fn of_stateful_set(object: StatefulSet) -> Workload {
    let (spec, status) = (object.spec.unwrap_or_default(), object.status.unwrap_or_default());
    let wanted = count(spec.replicas.or(Some(1)));
    let strategy = spec.update_strategy.and_then(|strategy| strategy.type_);
    // Where a person deletes pods themselves, none becomes new by itself.
    let is_by_hand = strategy.as_deref() == Some("OnDelete");
    Workload {
        kind: WorkloadKind::StatefulSet,
        is_seen: is_seen(&object.metadata, status.observed_generation),
        name: object.metadata.name.unwrap_or_default(),
        template: spec.template,
        ready: count(status.ready_replicas),
        updated: if is_by_hand { wanted } else { count(status.updated_replicas) },
        wanted,
        has: wanted.min(count(Some(status.replicas))),
        refused: None,
    }
}

fn of_daemon_set(object: DaemonSet) -> Workload {
    let (spec, status) = (object.spec.unwrap_or_default(), object.status.unwrap_or_default());
    let wanted = count(Some(status.desired_number_scheduled));
    let strategy = spec.update_strategy.and_then(|strategy| strategy.type_);
    let is_by_hand = strategy.as_deref() == Some("OnDelete");
    Workload {
        kind: WorkloadKind::DaemonSet,
        is_seen: is_seen(&object.metadata, status.observed_generation),
        name: object.metadata.name.unwrap_or_default(),
        template: spec.template,
        ready: count(Some(status.number_ready)),
        updated: if is_by_hand { wanted } else { count(status.updated_number_scheduled) },
        wanted,
        has: wanted,
        refused: None,
    }
}

/// The workloads of a namespace.
async fn workloads(link: &Link, namespace: &str) -> Result<Vec<Workload>, Trouble> {
    let mut all: Vec<Workload> =
        listed::<Deployment>(link, WorkloadKind::Deployment, namespace).await?.map(of_deployment).collect();
    all.extend(listed::<StatefulSet>(link, WorkloadKind::StatefulSet, namespace).await?.map(of_stateful_set));
    all.extend(listed::<DaemonSet>(link, WorkloadKind::DaemonSet, namespace).await?.map(of_daemon_set));
    Ok(all)
}

async fn listed<K>(
    link: &Link,
    kind: WorkloadKind,
    namespace: &str,
) -> Result<impl Iterator<Item = K> + use<K>, Trouble>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let api: Api<K> = Api::namespaced(link.client().clone(), namespace);
    let doing = Doing::new("list", resource(kind), kind.name(), Some(namespace), "");
    Ok(link.within(&doing, api.list(&ListParams::default().limit(LISTED_MAX))).await?.items.into_iter())
}

async fn pods(link: &Link, namespace: &str) -> Result<Vec<core::Pod>, Trouble> {
    let api: Api<core::Pod> = Api::namespaced(link.client().clone(), namespace);
    let doing = Doing::new("list", "pods", "Pod", Some(namespace), "");
    Ok(link.within(&doing, api.list(&ListParams::default().limit(LISTED_MAX))).await?.items)
}

/// Writes marks, or takes them off.
///
/// # Errors
/// What did not work, in words.
pub(super) async fn mark(
    link: &Link,
    object: &Marked,
    (labels, annotations): (Marking<'_>, Marking<'_>),
    earnest: Earnest,
    tell: Tell<'_>,
) -> Result<(), Trouble> {
    let marks = json!({ "metadata": { "labels": labels, "annotations": annotations } });
    match object {
        Marked::Namespace(name) => {
            let api: Api<core::Namespace> = Api::all(link.client().clone());
            let doing = |verb| Doing::new(verb, "namespaces", "Namespace", None, name);
            let before = link.within(&doing("get"), api.get(name)).await?;
            let change = patched(link, &api, &before, &doing("patch"), &marks, earnest).await?;
            tell(News::Changed(change));
        }
        Marked::Templates(namespace) => {
            let workloads = workloads(link, namespace).await?;
            if workloads.is_empty() {
                tell(News::Told(format!("The namespace {namespace} has no workloads")));
            }
            for workload in workloads {
                let patch = json!({ "spec": { "template": marks } });
                let change = patch_workload(link, namespace, &workload, &patch, earnest).await?;
                tell(News::Changed(change));
            }
        }
    }
    Ok(())
}

async fn patch_workload(
    link: &Link,
    namespace: &str,
    workload: &Workload,
    patch: &Value,
    earnest: Earnest,
) -> Result<Change, Trouble> {
    let (client, doing) = (link.client().clone(), workload.doing("patch", namespace));
    match workload.kind {
        WorkloadKind::Deployment => {
            patch_found(
                link,
                &Api::<Deployment>::namespaced(client, namespace),
                &doing,
                &workload.name,
                patch,
                earnest,
            )
            .await
        }
        WorkloadKind::StatefulSet => {
            patch_found(
                link,
                &Api::<StatefulSet>::namespaced(client, namespace),
                &doing,
                &workload.name,
                patch,
                earnest,
            )
            .await
        }
        WorkloadKind::DaemonSet => {
            patch_found(
                link,
                &Api::<DaemonSet>::namespaced(client, namespace),
                &doing,
                &workload.name,
                patch,
                earnest,
            )
            .await
        }
    }
}

async fn patch_found<K>(
    link: &Link,
    api: &Api<K>,
    doing: &Doing,
    name: &str,
    patch: &Value,
    earnest: Earnest,
) -> Result<Change, Trouble>
where
    K: Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    let before = link.within(doing, api.get(name)).await?;
    patched_named(link, api, (name, &before), doing, patch, earnest).await
}

async fn patched<K>(
    link: &Link,
    api: &Api<K>,
    before: &K,
    doing: &Doing,
    patch: &Value,
    earnest: Earnest,
) -> Result<Change, Trouble>
where
    K: Resource + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    let name = before.meta().name.clone().unwrap_or_default();
    patched_named(link, api, (&name, before), doing, patch, earnest).await
}

async fn patched_named<K>(
    link: &Link,
    api: &Api<K>,
    (name, before): (&str, &K),
    doing: &Doing,
    patch: &Value,
    earnest: Earnest,
) -> Result<Change, Trouble>
where
    K: Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    let params = PatchParams {
        dry_run: earnest == Earnest::Rehearsed,
        field_manager: Some(MANAGER.to_owned()),
        ..PatchParams::default()
    };
    let after = link.within(doing, api.patch(name, &params, &Patch::Merge(patch))).await?;
    let value = |object: &K| serde_json::to_value(object).unwrap_or_default();
    let how = match fields(value(before), value(&after), "") {
        fields if fields.is_empty() => Changed::Unchanged,
        fields => Changed::Fields(fields),
    };
    Ok(Change { object: doing.object(), how })
}

/// Starts pods anew, workload by workload, where they would be other than they are: whether they would is asked of the
/// cluster by making one of each that is not kept, so that what injects into pods has its say.
///
/// # Errors
/// What did not work, in words.
pub(super) async fn restart(
    link: &Link,
    namespace: &str,
    earnest: Earnest,
    tell: Tell<'_>,
) -> Result<(), Trouble> {
    let pods = pods(link, namespace).await?;
    for workload in workloads(link, namespace).await? {
        let object = workload.doing("patch", namespace).object();
        let own = pods.iter().find(|pod| objects::pod((*pod).clone()).owner == workload.words());
        let Some(pod) = own else {
            tell(News::Changed(Change { object, how: Changed::Unchanged }));
            continue;
        };
        if !would_change(link, namespace, &workload, pod).await {
            tell(News::Changed(Change { object, how: Changed::Unchanged }));
            continue;
        }
        if earnest == Earnest::Done {
            let now = Timestamp::now().to_string();
            let patch =
                json!({ "spec": { "template": { "metadata": { "annotations": { RESTARTED_AT: now } } } } });
            patch_workload(link, namespace, &workload, &patch, earnest).await?;
        }
        tell(News::Changed(Change { object, how: Changed::Restarted }));
    }
    Ok(())
}

/// Where it cannot be asked, it may be.
async fn would_change(link: &Link, namespace: &str, workload: &Workload, pod: &core::Pod) -> bool {
    let api: Api<core::Pod> = Api::namespaced(link.client().clone(), namespace);
    let mut meta = workload.template.metadata.clone().unwrap_or_default();
    meta.generate_name = Some(format!("{}-", workload.name));
    meta.owner_references.clone_from(&pod.metadata.owner_references);
    let labels = meta.labels.get_or_insert_default();
    for key in OF_CONTROLLER {
        if let Some(value) = pod.metadata.labels.as_ref().and_then(|labels| labels.get(key)) {
            labels.insert(key.to_owned(), value.clone());
        }
    }
    let asked = core::Pod { metadata: meta, spec: workload.template.spec.clone(), status: None };
    let params = PostParams { dry_run: true, field_manager: Some(MANAGER.to_owned()) };
    match link.within_raw(api.create(&params, &asked)).await {
        Some(Ok(made)) => containers(&made) != containers(pod),
        _ => true,
    }
}

/// The containers of a pod without what is other for each pod.
fn containers(pod: &core::Pod) -> Vec<Value> {
    let Some(spec) = &pod.spec else { return Vec::new() };
    let all = spec.init_containers.iter().flatten().chain(&spec.containers);
    all.map(|container| {
        let mut container = container.clone();
        if let Some(mounts) = &mut container.volume_mounts {
            mounts.retain(|mount| !mount.name.starts_with("kube-api-access-"));
        }
        container.volume_mounts = container.volume_mounts.filter(|mounts| !mounts.is_empty());
        serde_json::to_value(container).unwrap_or_default()
    })
    .collect()
}

/// Waits until all workloads of a namespace are ready, and tells how many pods are.
///
/// # Errors
/// Which are not, and why as far as their pods say it.
pub(super) async fn ready(
    link: &Link,
    namespace: &str,
    limit: Duration,
    tell: Tell<'_>,
) -> Result<(), Trouble> {
    let begun = Instant::now();
    let mut told = None;
    loop {
        let workloads = workloads(link, namespace).await?;
        let late: Vec<&Workload> = workloads.iter().filter(|workload| !workload.is_ready()).collect();
        let sum = |of: fn(&Workload) -> u32| workloads.iter().map(of).sum::<u32>();
        let now = (sum(|it| it.ready.min(it.wanted)), sum(|it| it.wanted), late.len());
        if told != Some(now) {
            told = Some(now);
            let waits_for = late.iter().take(NAMED_MAX).map(|it| it.words()).collect();
            tell(News::Waits { ready: now.0, wanted: now.1, waits_for });
        }
        if late.is_empty() {
            return Ok(());
        }
        if begun.elapsed() >= limit {
            return Err(not_ready(link, namespace, &late, limit).await);
        }
        tokio::time::sleep(LOOK_EVERY.min(limit)).await;
    }
}

async fn not_ready(link: &Link, namespace: &str, late: &[&Workload], limit: Duration) -> Trouble {
    // For a hint only.
    let pods = pods(link, namespace).await.unwrap_or_default();
    let pods: Vec<(String, String)> = pods.into_iter().filter_map(why).collect();
    let words = |workload: &&Workload| {
        let of_pods = pods.iter().find(|(owner, _)| *owner == workload.words());
        let why = match (&workload.refused, of_pods) {
            (Some(refusal), _) => format!(", no more are made: {}", short(refusal)),
            (None, Some((_, why))) => format!(", its pods are {why}"),
            (None, None) => String::new(),
        };
        format!("{} ({} of {} pods{why})", workload.words(), workload.ready, workload.wanted)
    };
    let mut named: Vec<String> = late.iter().take(NAMED_MAX).map(words).collect();
    if late.len() > NAMED_MAX {
        named.push(format!("and {} more", late.len() - NAMED_MAX));
    }
    trouble(
        &format!("Not all workloads of the namespace {namespace} are ready after {} s", limit.as_secs()),
        named.join(", "),
        "Look at the pods' events: kubectl describe pods. What was done so far stays",
    )
}

/// The workload of a pod that is not ready, and why it is not.
fn why(pod: core::Pod) -> Option<(String, String)> {
    let status = pod.status.clone().unwrap_or_default();
    let unscheduled = status.conditions.into_iter().flatten();
    let unscheduled = unscheduled.filter(|it| it.type_ == "PodScheduled" && it.status == "False");
    let containers = status
        .init_container_statuses
        .into_iter()
        .flatten()
        .chain(status.container_statuses.into_iter().flatten());
    let waiting = containers.filter_map(|container| container.state?.waiting?.message);
    let told = unscheduled.filter_map(|it| it.message).chain(waiting).next();
    let pod = objects::pod(pod);
    let phase = bounded(&pod.phase);
    let words = told.map_or_else(|| phase.clone(), |told| format!("{phase}: {}", short(&told)));
    (!pod.is_ready).then_some((pod.owner, words))
}

/// Of several workloads each has its words.
fn short(text: &str) -> String {
    let text = bounded(text);
    match text.char_indices().nth(WHY_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
