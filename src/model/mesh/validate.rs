//! Looks for mistakes with meshes: pure rules over what was seen of a cluster and what its meshes are told.

mod objects;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Mesh, is_part, meshes_of, proxy_version};
use crate::model::adapter::{Finding, Severity};
use crate::model::inventory::{Injected, Inventory, Namespace, Pod};
use crate::model::mesh::rules::{RULES, Rule};

/// The most findings of one validation.
const FINDINGS_MAX: usize = 500;
/// A certificate that is to expire sooner is told.
const SOON_S: i64 = 30 * 24 * 3600;
const DAY_S: i64 = 24 * 3600;
/// The most names in a sentence.
const NAMED_MAX: usize = 5;
/// API groups besides the meshes' own whose objects are looked at.
const COMMON_GROUPS: [&str; 1] = ["gateway.networking.k8s.io"];

/// What a validation looks at beyond what is watched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Looked {
    /// What meshes are told: objects of their own kinds and of the Gateway API.
    pub objects: Vec<MeshObject>,
    /// When meshes' certificates expire.
    pub certificates: Vec<Certificate>,
    /// What could not be looked at: `authorizationpolicies.security.istio.io`.
    pub unseen: Vec<String>,
    /// When it was looked, in seconds since 1970.
    pub now_s: i64,
}

/// An object of a mesh.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MeshObject {
    /// `networking.istio.io`.
    pub group: String,
    /// `VirtualService`.
    pub kind: String,
    /// Where; empty for one of the whole cluster.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its `spec`; null where it has none.
    pub spec: Value,
}

/// When a certificate expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// What holds it: `Secret linkerd/linkerd-identity-issuer`.
    pub owner: String,
    /// When, in seconds since 1970.
    pub expires_s: i64,
}

/// Whether objects of this API group are looked at.
#[must_use]
pub fn is_looked_at(group: &str) -> bool {
    COMMON_GROUPS.contains(&group) || RULES.iter().any(|rule| rule.groups.contains(&group))
}

/// What is wrong, or soon may be; the gravest first. `namespace`: only what concerns it and the meshes as a whole; empty for
/// the whole cluster.
#[must_use]
pub fn validate(seen: &Inventory, looked: &Looked, namespace: &str) -> Vec<Finding> {
    let mut found = Found { namespace, findings: Vec::new() };
    for mesh in seen.meshes.iter() {
        control_plane(mesh, &mut found);
        skew(mesh, &mut found);
    }
    for namespace in seen.namespaces.iter() {
        injections(namespace, &mut found);
        without_proxies(namespace, seen, &mut found);
    }
    two_proxies(seen, &mut found);
    not_ready(seen, &mut found);
    objects::selections(seen, looked, &mut found);
    objects::mutual_tls(seen, looked, &mut found);
    certificates(looked, &mut found);
    found.finish(looked)
}

/// Collects what is found.
struct Found<'a> {
    namespace: &'a str,
    findings: Vec<Finding>,
}

impl Found<'_> {
    /// What concerns a mesh as a whole.
    fn add(&mut self, severity: Severity, subject: String, summary: String, remedy: &str) {
        self.findings.push(Finding { severity, subject, summary, remedy: remedy.to_owned() });
    }

    /// What concerns one namespace.
    fn add_in(
        &mut self,
        namespace: &str,
        severity: Severity,
        subject: String,
        summary: String,
        remedy: &str,
    ) {
        if self.namespace.is_empty() || self.namespace == namespace {
            self.add(severity, subject, summary, remedy);
        }
    }

    fn finish(mut self, looked: &Looked) -> Vec<Finding> {
        let unseen: BTreeSet<String> = looked.unseen.iter().cloned().collect();
        let unseen: Vec<String> = unseen.into_iter().collect();
        if !unseen.is_empty() {
            let summary = format!(
                "Not looked at as a whole, since you may not, there are too many or it did not answer: {}",
                named(&unseen)
            );
            self.add(
                Severity::Info,
                "the validation".to_owned(),
                summary,
                "Ask for a role that allows to list and get them",
            );
        }
        self.findings.sort_by(|one, other| other.severity.cmp(&one.severity).then_with(|| one.cmp(other)));
        self.findings.dedup();
        self.findings.truncate(FINDINGS_MAX);
        self.findings
    }
}

/// Some names, and how many more.
fn named(names: &[String]) -> String {
    let more = names.len().saturating_sub(NAMED_MAX);
    let mut words = names.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    if more > 0 {
        words += &format!(" and {more} more");
    }
    words
}

fn pods_are(count: usize) -> String {
    if count == 1 { "1 pod is".to_owned() } else { format!("{count} pods are") }
}

fn control_plane(mesh: &Mesh, found: &mut Found<'_>) {
    if mesh.control_planes.is_empty() && mesh.pods > 0 {
        found.add(
            Severity::Warning,
            mesh.name.clone(),
            format!("{} pods are part of it, but no control plane was seen", mesh.pods),
            "Check that it is installed, and that you may see its namespace",
        );
    }
    for plane in &mesh.control_planes {
        let (ready, wanted) = plane.ready;
        if ready >= wanted {
            continue;
        }
        let severity = if ready == 0 { Severity::Error } else { Severity::Warning };
        found.add(
            severity,
            format!("{} {}/{}", mesh.name, plane.namespace, plane.name),
            format!("Its control plane is not ready: {ready} of {wanted} pods are"),
            "Look at its pods' events and logs; new pods may get no proxy, and proxies no news, until it is",
        );
    }
}

fn skew(mesh: &Mesh, found: &mut Found<'_>) {
    let Some(count) = mesh.skewed.filter(|count| *count > 0) else { return };
    let planes: Vec<&str> = mesh.control_planes.iter().map(|plane| plane.version.as_str()).collect();
    let others =
        mesh.proxies.iter().filter(|(version, _)| !version.is_empty() && !planes.contains(&version.as_str()));
    let versions: Vec<String> = others.map(|(version, count)| format!("{version} ({count})")).collect();
    found.add(
        Severity::Warning,
        mesh.name.clone(),
        format!(
            "{count} proxies are of other versions than the control plane's {}: {}",
            mesh.version(),
            named(&versions)
        ),
        "Restart their workloads, so that they get the control plane's version",
    );
}

fn injections(namespace: &Namespace, found: &mut Found<'_>) {
    let told = |rule: &&Rule| (rule.injection)(namespace).filter(|how| *how != Injected::Off).is_some();
    let meshes: Vec<&str> = RULES.iter().filter(told).map(|rule| rule.name).collect();
    let subject = || format!("namespace {}", namespace.name);
    if meshes.len() > 1 {
        found.add_in(
            &namespace.name,
            Severity::Error,
            subject(),
            format!("It is injected by several meshes: {}", meshes.join(" and ")),
            "Take the labels and annotations of all but one off: two proxies in a pod break each other",
        );
    }
    let has = |key: &str, value: &str| namespace.labels.get(key).is_some_and(|is| is == value);
    if has("istio-injection", "enabled") && has("istio.io/dataplane-mode", "ambient") {
        found.add_in(
            &namespace.name,
            Severity::Warning,
            subject(),
            "It is labelled for Istio's sidecars and for its ambient mode; sidecars win".to_owned(),
            "Take one of the labels off",
        );
    }
    if has("istio-injection", "enabled") && namespace.labels.contains_key("istio.io/rev") {
        found.add_in(
            &namespace.name,
            Severity::Warning,
            subject(),
            "It has both istio-injection and istio.io/rev; the revision is not looked at".to_owned(),
            "Take istio-injection off to use the revision",
        );
    }
}

/// Pods that were there before their namespace was injected, or whose injection failed.
fn without_proxies(namespace: &Namespace, seen: &Inventory, found: &mut Found<'_>) {
    for rule in &RULES {
        let is_on = (rule.injection)(namespace).is_some_and(|how| how != Injected::Off);
        if !is_on {
            continue;
        }
        let mut owners: BTreeMap<String, usize> = BTreeMap::new();
        let own = seen.pods.iter().filter(|pod| pod.namespace == namespace.name);
        for pod in own.filter(|pod| !is_part(rule, pod) && !is_left_out(pod) && !is_over(pod)) {
            *owners.entry(subject(pod)).or_default() += 1;
        }
        for (owner, count) in owners {
            let pods = pods_are(count);
            found.add_in(
                &namespace.name,
                Severity::Warning,
                owner,
                format!("{pods} not part of {}, though the namespace is injected", rule.name),
                "Restart the workload; if that does not help, look at the mesh's injector and the pod's own labels",
            );
        }
    }
}

/// Who keeps a pod going, else the pod.
fn subject(pod: &Pod) -> String {
    match pod.owner.split_once('/') {
        Some((kind, name)) => format!("{kind} {}/{name}", pod.namespace),
        None => format!("Pod {}/{}", pod.namespace, pod.name),
    }
}

/// Whether the pod itself says that it wants no proxy, or can have none.
fn is_left_out(pod: &Pod) -> bool {
    let marks = [
        ("sidecar.istio.io/inject", "false"),
        ("istio.io/dataplane-mode", "none"),
        ("linkerd.io/inject", "disabled"),
        ("kuma.io/sidecar-injection", "disabled"),
        ("consul.hashicorp.com/connect-inject", "false"),
    ];
    pod.has_host_network
        || marks.iter().any(|(key, off)| {
            [&pod.labels, &pod.annotations].iter().any(|marks| marks.get(*key).is_some_and(|is| is == off))
        })
}

fn is_over(pod: &Pod) -> bool {
    matches!(pod.phase.as_str(), "Succeeded" | "Completed" | "Failed" | "Terminating")
}

fn two_proxies(seen: &Inventory, found: &mut Found<'_>) {
    for pod in seen.pods.iter() {
        let has_proxy = |rule: &&Rule| proxy_version(rule, pod).is_some();
        let names: Vec<&str> = RULES.iter().filter(has_proxy).map(|rule| rule.name).collect();
        if names.len() > 1 {
            found.add_in(
                &pod.namespace,
                Severity::Error,
                subject(pod),
                format!("Its pods have proxies of several meshes: {}", names.join(" and ")),
                "Let one mesh inject it, and restart it",
            );
        }
    }
}

/// Pods of meshes, and where one namespace is looked at, all of it.
fn not_ready(seen: &Inventory, found: &mut Found<'_>) {
    let mut owners: BTreeMap<(String, String, String), usize> = BTreeMap::new();
    for pod in seen.pods.iter().filter(|pod| !pod.is_ready && !is_over(pod)) {
        if found.namespace == pod.namespace || !meshes_of(pod).is_empty() {
            *owners.entry((pod.namespace.clone(), subject(pod), pod.phase.clone())).or_default() += 1;
        }
    }
    for ((namespace, owner, phase), count) in owners {
        let (pods, phase) =
            (pods_are(count), if phase.is_empty() { "of unknown state".to_owned() } else { phase });
        found.add_in(
            &namespace,
            Severity::Warning,
            owner,
            format!("{pods} not ready: {phase}"),
            "Look at the pods' events and logs, those of the proxy too",
        );
    }
}

fn certificates(looked: &Looked, found: &mut Found<'_>) {
    for certificate in &looked.certificates {
        let left_s = certificate.expires_s - looked.now_s;
        let (severity, summary) = match left_s {
            left_s if left_s <= 0 => {
                (Severity::Error, format!("Its certificate expired {} days ago", -left_s / DAY_S))
            }
            left_s if left_s < SOON_S => {
                (Severity::Warning, format!("Its certificate expires in {} days", left_s / DAY_S))
            }
            _ => continue,
        };
        found.add(
            severity,
            certificate.owner.clone(),
            summary,
            "Renew it as the mesh's own pages say, before proxies refuse each other",
        );
    }
}

#[cfg(test)]
mod tests;
