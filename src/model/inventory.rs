//! What a cluster holds, as far as Meshbench looks at it: plain data, in the shape in which rules and pages want it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::mesh::{Mesh, MeshKind};

/// What was seen of a cluster. Every list is sorted by namespace and name. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inventory {
    /// Namespaces.
    pub namespaces: Arc<Vec<Arc<Namespace>>>,
    /// Deployments, stateful sets and daemon sets.
    pub workloads: Arc<Vec<Arc<Workload>>>,
    /// Services.
    pub services: Arc<Vec<Arc<Service>>>,
    /// Pods.
    pub pods: Arc<Vec<Arc<Pod>>>,
    /// Ingresses.
    pub ingresses: Arc<Vec<Arc<Ingress>>>,
    /// API groups that the cluster serves: `networking.istio.io`.
    pub groups: Arc<Vec<String>>,
    /// Meshes, by what is above.
    pub meshes: Arc<Vec<Mesh>>,
    /// What could not be seen.
    pub gaps: Vec<Gap>,
    /// Whether each kind was listed once, or cannot be.
    pub is_whole: bool,
}

/// Keys and values of a Kubernetes object.
pub type Marks = BTreeMap<String, String>;

/// Something that could not be listed or watched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// `pods`, `deployments in linkerd`.
    pub what: String,
    /// Why, and what to do.
    pub reason: String,
    /// Whether it is tried again; otherwise it is not allowed.
    pub is_passing: bool,
}

/// A namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Marks,
    /// Its annotations.
    pub annotations: Marks,
}

/// What kind of workload it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorkloadKind {
    /// `apps/v1` Deployment.
    Deployment,
    /// `apps/v1` StatefulSet.
    StatefulSet,
    /// `apps/v1` DaemonSet.
    DaemonSet,
}

/// What keeps pods going.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// What kind.
    pub kind: WorkloadKind,
    /// Where.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Marks,
    /// Containers of its pods, init containers too.
    pub containers: Vec<Container>,
    /// Labels and annotations that its pods get.
    pub template: Template,
    /// Pods that are ready.
    pub ready: u32,
    /// Pods that are wanted.
    pub wanted: u32,
}

/// What the pods of a workload are marked with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// Labels.
    pub labels: Marks,
    /// Annotations.
    pub annotations: Marks,
}

/// A container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Its image, as the pod names it.
    pub image: String,
    /// Whether it is among the init containers; those that restart are sidecars too.
    pub is_init: bool,
    /// The TCP ports that it says it listens on.
    pub ports: Vec<ContainerPort>,
}

/// A TCP port of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerPort {
    /// Its name; may be empty.
    pub name: String,
    /// Its number.
    pub port: u16,
}

/// A pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pod {
    /// Where.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Marks,
    /// Its annotations, without what is long.
    pub annotations: Marks,
    /// Containers, init containers too.
    pub containers: Vec<Container>,
    /// `Running`, `Pending`, …, or why it is not: `CrashLoopBackOff`.
    pub phase: String,
    /// Whether it takes requests.
    pub is_ready: bool,
    /// The workload that keeps it going: `Deployment/checkout`; empty for none.
    pub owner: String,
    /// The node that it is on; empty while it is on none.
    pub node: String,
    /// Whether it has its node's network, which no mesh injects.
    pub has_host_network: bool,
    /// Its address; empty while it has none.
    pub ip: String,
}

/// How a Service is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServiceKind {
    /// In the cluster only.
    #[default]
    ClusterIp,
    /// In the cluster, each pod by itself.
    Headless,
    /// On a port of each node.
    NodePort,
    /// Through a load balancer.
    LoadBalancer,
    /// Another name.
    ExternalName,
}

/// A Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// Where.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: Marks,
    /// Labels of the pods behind it.
    pub selector: Marks,
    /// How it is reached.
    pub kind: ServiceKind,
    /// Its ports.
    pub ports: Vec<Port>,
    /// Addresses and names of its load balancer, or the name that it stands for.
    pub external: Vec<String>,
}

/// A way into a cluster for requests, by host and path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ingress {
    /// Where.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Addresses and names at which it is served; empty while it is not.
    pub addresses: Vec<String>,
    /// What goes where.
    pub rules: Vec<IngressRule>,
}

/// Where an Ingress sends requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IngressRule {
    /// The host that is asked for; empty for any.
    pub host: String,
    /// The path that is asked for, or its beginning.
    pub path: String,
    /// Whether it is served with TLS.
    pub is_tls: bool,
    /// The Service.
    pub service: String,
    /// Its port: a number or a name.
    pub port: String,
}

/// A port of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Port {
    /// Its name; may be empty.
    pub name: String,
    /// The Service's own.
    pub port: u16,
    /// The pods': a number or the name of a container's port.
    pub target: String,
    /// On each node, where it has one.
    pub node_port: Option<u16>,
    /// `http`, `grpc`, …, where the Service says so.
    pub app_protocol: String,
    /// Whether it is TCP.
    pub is_tcp: bool,
}

/// Whether pods of a namespace become part of a mesh.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Injection {
    /// Which mesh.
    pub mesh: MeshKind,
    /// How.
    pub how: Injected,
}

/// How pods become part of a mesh.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Injected {
    /// Each new pod gets a proxy.
    On,
    /// As [`Self::On`], by the control plane of this revision.
    Revision(String),
    /// Its pods are served by the proxies of their nodes.
    Ambient,
    /// Said to be off.
    Off,
}

impl Pod {
    /// Its labels, annotations and name of a container, looked at together by the rules of meshes.
    #[must_use]
    pub fn container(&self, name: &str) -> Option<&Container> {
        self.containers.iter().find(|container| container.name == name)
    }
}

impl Service {
    /// Whether the Service sends to this pod.
    #[must_use]
    pub fn selects(&self, pod: &Pod) -> bool {
        !self.selector.is_empty()
            && pod.namespace == self.namespace
            && self.selector.iter().all(|(key, value)| pod.labels.get(key) == Some(value))
    }
}

impl WorkloadKind {
    /// As Kubernetes calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
        }
    }
}
