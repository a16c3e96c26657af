//! Which service meshes a cluster runs: pure rules over what was seen of it.
//!
//! Control planes are told by the labels and names that each mesh's own charts give them, data planes by the containers,
//! labels and annotations that injection leaves. Several meshes may run side by side.

mod rules;
pub mod validate;
mod version;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::inventory::{Injected, Injection, Inventory, Marks, Namespace, Pod, Workload};
use rules::{Proxies, RULES, Rule};
pub use version::image_version;

/// A kind of mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MeshKind {
    /// Istio.
    Istio,
    /// Linkerd.
    Linkerd,
    /// HashiCorp Consul.
    Consul,
    /// Kuma, or Kong Mesh, which is made of it.
    Kuma,
    /// Cilium.
    Cilium,
    /// Traefik Mesh.
    TraefikMesh,
    /// Open Service Mesh.
    OpenServiceMesh,
    /// NGINX Service Mesh.
    NginxServiceMesh,
    /// AWS App Mesh.
    AppMesh,
    /// Network Service Mesh.
    NetworkServiceMesh,
}

/// How requests of pods go through a mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DataPlane {
    /// A proxy in each pod.
    Sidecar,
    /// Istio's proxies of nodes, and waypoints.
    Ambient,
    /// Proxies or programs of nodes.
    Node,
}

/// A mesh that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mesh {
    /// Which.
    pub kind: MeshKind,
    /// What it calls itself: `Kong Mesh`.
    pub name: String,
    /// How it carries requests, as far as there are signs of it.
    pub data_planes: Vec<DataPlane>,
    /// What controls it; several where revisions run side by side; none where it could not be seen.
    pub control_planes: Vec<ControlPlane>,
    /// Proxies in pods, by version; without one where their image says none.
    pub proxies: BTreeMap<String, u32>,
    /// Pods that are part of it, with or without a proxy of their own.
    pub pods: u32,
    /// Proxies in pods whose version is none of the control planes'; none where versions cannot be compared.
    pub skewed: Option<u32>,
    /// Namespaces whose pods become part of it, or are said not to.
    pub namespaces: Vec<(String, Injected)>,
    /// What one should know of it.
    pub remarks: Vec<String>,
}

/// What controls a mesh.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ControlPlane {
    /// Where.
    pub namespace: String,
    /// The workload's name.
    pub name: String,
    /// Its revision; empty where it has none.
    pub revision: String,
    /// `1.24.2`; empty where neither a label nor an image says one.
    pub version: String,
    /// Pods that are ready, and wanted.
    pub ready: (u32, u32),
    /// Whether its version is the mesh's; others are parts of the control plane.
    pub leads: bool,
}

impl MeshKind {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 10] = [
        Self::Istio,
        Self::Linkerd,
        Self::Consul,
        Self::Kuma,
        Self::Cilium,
        Self::TraefikMesh,
        Self::OpenServiceMesh,
        Self::NginxServiceMesh,
        Self::AppMesh,
        Self::NetworkServiceMesh,
    ];

    /// What people call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.rule().name
    }

    /// For labels and files: `istio`.
    #[must_use]
    pub fn key(self) -> &'static str {
        self.rule().key
    }

    /// Namespaces in which its control plane usually is.
    #[must_use]
    pub fn usual_namespaces(self) -> &'static [&'static str] {
        self.rule().namespaces
    }

    fn rule(self) -> &'static Rule {
        RULES.iter().find(|rule| rule.kind == self).expect("each kind has a rule; a test holds it")
    }
}

impl Mesh {
    /// `1.24.2`; of several control planes all, with commas; empty where none is known.
    #[must_use]
    pub fn version(&self) -> String {
        let mut versions: Vec<&str> = Vec::new();
        let has_lead = self.control_planes.iter().any(|plane| plane.leads);
        let planes = self.control_planes.iter().filter(|plane| plane.leads || !has_lead);
        for plane in planes.filter(|plane| !plane.version.is_empty()) {
            if !versions.contains(&plane.version.as_str()) {
                versions.push(&plane.version);
            }
        }
        versions.join(", ")
    }

    /// Proxies in pods.
    #[must_use]
    pub fn proxy_count(&self) -> u32 {
        self.proxies.values().sum()
    }
}

impl DataPlane {
    /// In a word.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Sidecar => "sidecar",
            Self::Ambient => "ambient",
            Self::Node => "per node",
        }
    }
}

/// The meshes of a cluster, from what was seen of it; `settings` is Cilium's own configuration where it could be read.
#[must_use]
pub fn detect(seen: &Inventory, settings: Option<&Marks>) -> Vec<Mesh> {
    detect_with(seen, &Parts::of(&seen.pods), settings)
}

/// As [`detect`], with pods that were looked at before.
#[must_use]
pub fn detect_with(seen: &Inventory, parts: &Parts, settings: Option<&Marks>) -> Vec<Mesh> {
    RULES.iter().filter_map(|rule| find(rule, seen, parts.0.get(&rule.kind), settings)).collect()
}

/// What pods are part of, counted: kept up with one pod after another, so that a change of one costs what one costs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts(BTreeMap<MeshKind, Part>);

/// The pods of one mesh.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Part {
    /// Those with a proxy, by its version.
    proxies: BTreeMap<String, u32>,
    /// Those without one.
    served: u32,
}

impl Parts {
    /// Of all these.
    #[must_use]
    pub fn of(pods: &[Arc<Pod>]) -> Self {
        let mut parts = Self::default();
        pods.iter().for_each(|pod| parts.add(pod));
        parts
    }

    /// A pod that came.
    pub fn add(&mut self, pod: &Pod) {
        for rule in &RULES {
            if let Some(version) = proxy_version(rule, pod) {
                *self.0.entry(rule.kind).or_default().proxies.entry(version).or_default() += 1;
            } else if (rule.is_served)(pod) {
                self.0.entry(rule.kind).or_default().served += 1;
            }
        }
    }

    /// A pod that was added before, and went.
    pub fn remove(&mut self, pod: &Pod) {
        for rule in &RULES {
            let Some(part) = self.0.get_mut(&rule.kind) else { continue };
            if let Some(version) = proxy_version(rule, pod) {
                let left = part.proxies.get(&version).map_or(0, |count| count.saturating_sub(1));
                if left == 0 {
                    part.proxies.remove(&version);
                } else {
                    part.proxies.insert(version, left);
                }
            } else if (rule.is_served)(pod) {
                part.served = part.served.saturating_sub(1);
            }
            if *part == Part::default() {
                self.0.remove(&rule.kind);
            }
        }
    }
}

/// What namespaces say of their pods, by every mesh that has a word for it.
#[must_use]
pub fn injection(namespace: &Namespace) -> Vec<Injection> {
    let told = |rule: &Rule| (rule.injection)(namespace).map(|how| Injection { mesh: rule.kind, how });
    RULES.iter().filter_map(told).collect()
}

/// The mesh that a pod is part of; several where proxies are in line.
#[must_use]
pub fn meshes_of(pod: &Pod) -> Vec<MeshKind> {
    RULES.iter().filter(|rule| is_part(rule, pod)).map(|rule| rule.kind).collect()
}

fn find(rule: &Rule, seen: &Inventory, part: Option<&Part>, settings: Option<&Marks>) -> Option<Mesh> {
    let control_planes = control_planes(rule, &seen.workloads);
    let has_groups = rule.groups.iter().any(|group| seen.groups.iter().any(|served| served == group));
    let Part { proxies, served } = part.cloned().unwrap_or_default();
    let pods = proxies.values().sum::<u32>() + served;
    let mut data_planes = Vec::new();
    let mut note = |plane| {
        if !data_planes.contains(&plane) {
            data_planes.push(plane);
        }
    };
    if !proxies.is_empty() {
        note(DataPlane::Sidecar);
    }
    if served > 0 {
        note(DataPlane::Ambient);
    }
    if control_planes.is_empty() && pods == 0 && !has_groups {
        return None;
    }
    for workload in seen.workloads.iter() {
        if let Some(plane) = (rule.node_proxy)(workload) {
            note(plane);
        }
    }
    if data_planes.is_empty() && rule.proxies.is_sidecar() && !control_planes.is_empty() {
        data_planes.push(DataPlane::Sidecar);
    }
    data_planes.sort_unstable();
    let namespaces = seen
        .namespaces
        .iter()
        .filter_map(|namespace| Some((namespace.name.clone(), (rule.injection)(namespace)?)))
        .collect();
    let remarks = remarks(rule, &control_planes, settings);
    let skewed = skewed(rule, &control_planes, &proxies);
    let name = (rule.called)(&control_planes_of(rule, &seen.workloads)).unwrap_or(rule.name).to_owned();
    Some(Mesh {
        kind: rule.kind,
        name,
        data_planes,
        control_planes,
        proxies,
        pods,
        skewed,
        namespaces,
        remarks,
    })
}

fn is_part(rule: &Rule, pod: &Pod) -> bool {
    proxy_version(rule, pod).is_some() || (rule.is_served)(pod)
}

fn control_planes_of<'a>(rule: &Rule, workloads: &'a [Arc<Workload>]) -> Vec<&'a Workload> {
    workloads.iter().map(Arc::as_ref).filter(|workload| rule.controls(workload)).collect()
}

fn control_planes(rule: &Rule, workloads: &[Arc<Workload>]) -> Vec<ControlPlane> {
    let plane = |workload: &Workload| ControlPlane {
        namespace: workload.namespace.clone(),
        name: workload.name.clone(),
        revision: workload
            .labels
            .get("istio.io/rev")
            .filter(|_| rule.kind == MeshKind::Istio)
            .cloned()
            .unwrap_or_default(),
        version: rule.version_of(workload),
        ready: (workload.ready, workload.wanted),
        leads: rule.leads(workload),
    };
    let mut planes: Vec<ControlPlane> = control_planes_of(rule, workloads).into_iter().map(plane).collect();
    planes.sort();
    planes
}

/// The version of the mesh's proxy in this pod; empty where its image says none; none where there is no proxy.
fn proxy_version(rule: &Rule, pod: &Pod) -> Option<String> {
    let Proxies::Sidecar { containers, sign, version } = &rule.proxies else { return None };
    let container = containers.iter().find_map(|name| pod.container(name))?;
    if !sign(pod) {
        return None;
    }
    let told = version.and_then(|annotation| pod.annotations.get(annotation));
    Some(told.map_or_else(|| image_version(&container.image), |told| version::plain(told)))
}

fn skewed(rule: &Rule, planes: &[ControlPlane], proxies: &BTreeMap<String, u32>) -> Option<u32> {
    if !rule.is_comparable || planes.iter().all(|plane| plane.version.is_empty()) {
        return None;
    }
    let others = proxies
        .iter()
        .filter(|(version, _)| !version.is_empty() && !planes.iter().any(|plane| plane.version == **version));
    Some(others.map(|(_, count)| count).sum())
}

fn remarks(rule: &Rule, planes: &[ControlPlane], settings: Option<&Marks>) -> Vec<String> {
    let mut remarks = Vec::new();
    if planes.is_empty() {
        remarks.push(
            "Its resource types or proxies are here, but no control plane was seen: it may be managed from outside, \
             forbidden to you, or left over"
                .to_owned(),
        );
    }
    for plane in planes.iter().filter(|plane| plane.ready.0 < plane.ready.1) {
        let (ready, wanted) = plane.ready;
        remarks.push(format!("{}/{}: {ready} of {wanted} pods are ready", plane.namespace, plane.name));
    }
    remarks.extend(rule.fate.map(str::to_owned));
    remarks.extend((rule.more)(settings));
    remarks
}

#[cfg(test)]
mod tests;
