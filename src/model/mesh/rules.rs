//! What each mesh's own charts and injectors leave in a cluster, as a table.

use super::version::image_version;
use super::{DataPlane, MeshKind};
use crate::model::inventory::{Injected, Marks, Namespace, Pod, Workload, WorkloadKind};

/// How one mesh is told.
pub(super) struct Rule {
    pub(super) kind: MeshKind,
    pub(super) key: &'static str,
    pub(super) name: &'static str,
    /// API groups that no other mesh has.
    pub(super) groups: &'static [&'static str],
    /// Where its control plane usually is.
    pub(super) namespaces: &'static [&'static str],
    /// Workloads that control it; the version of the first is the mesh's.
    pub(super) control: &'static [Control],
    pub(super) proxies: Proxies,
    /// What a namespace says of its pods.
    pub(super) injection: fn(&Namespace) -> Option<Injected>,
    /// Whether a pod without a proxy of its own is part of it.
    pub(super) is_served: fn(&Pod) -> bool,
    /// What a workload that runs on each node stands for.
    pub(super) node_proxy: fn(&Workload) -> Option<DataPlane>,
    /// Another name of the same, by its control planes.
    pub(super) called: fn(&[&Workload]) -> Option<&'static str>,
    /// Whether proxies and control planes have the same versions.
    pub(super) is_comparable: bool,
    /// Why it should not be chosen any more.
    pub(super) fate: Option<&'static str>,
    /// What Cilium's configuration says.
    pub(super) more: fn(Option<&Marks>) -> Vec<String>,
}

/// A workload of a control plane.
pub(super) struct Control {
    kind: WorkloadKind,
    /// All of these; or none, and the name decides.
    labels: &'static [(&'static str, &'static str)],
    /// How the name ends; empty for any.
    name_end: &'static str,
    /// The container whose image says the version.
    container: &'static str,
}

/// How proxies of pods are told.
pub(super) enum Proxies {
    /// There are none.
    None,
    /// A container of one of these names.
    Sidecar {
        containers: &'static [&'static str],
        /// Whether it is this mesh's, where the name alone does not say.
        sign: fn(&Pod) -> bool,
        /// The annotation that says its version, where its image's is another.
        version: Option<&'static str>,
    },
}

impl Proxies {
    pub(super) fn is_sidecar(&self) -> bool {
        matches!(self, Self::Sidecar { .. })
    }
}

impl Rule {
    pub(super) fn controls(&self, workload: &Workload) -> bool {
        self.control.iter().any(|control| control.is(workload))
    }

    /// Whether the workload's version is the mesh's.
    pub(super) fn leads(&self, workload: &Workload) -> bool {
        self.control.first().is_some_and(|control| control.is(workload))
    }

    /// By the image of the container that counts, else by the label that charts give.
    pub(super) fn version_of(&self, workload: &Workload) -> String {
        let control = self.control.iter().find(|control| control.is(workload));
        let of_image = control
            .and_then(|control| {
                workload.containers.iter().find(|container| container.name == control.container)
            })
            .map(|container| image_version(&container.image))
            .unwrap_or_default();
        if !of_image.is_empty() {
            return of_image;
        }
        let label = workload.labels.get("app.kubernetes.io/version");
        label.map(|label| super::version::plain(label)).unwrap_or_default()
    }
}

impl Control {
    fn is(&self, workload: &Workload) -> bool {
        workload.kind == self.kind
            && workload.name.ends_with(self.name_end)
            && (self.labels.iter())
                .all(|(key, value)| workload.labels.get(*key).is_some_and(|is| is == value))
    }
}

const fn deployment(
    labels: &'static [(&'static str, &'static str)],
    name_end: &'static str,
    container: &'static str,
) -> Control {
    Control { kind: WorkloadKind::Deployment, labels, name_end, container }
}

/// Nothing but the name of its container.
const fn plain(containers: &'static [&'static str]) -> Proxies {
    Proxies::Sidecar { containers, sign: |_| true, version: None }
}

/// What most meshes have.
const COMMON: Rule = Rule {
    kind: MeshKind::Istio,
    key: "",
    name: "",
    groups: &[],
    namespaces: &[],
    control: &[],
    proxies: Proxies::None,
    injection: |_| None,
    is_served: |_| false,
    node_proxy: |_| None,
    called: |_| None,
    is_comparable: false,
    fate: None,
    more: |_| Vec::new(),
};

pub(super) const RULES: [Rule; 10] = [
    Rule {
        kind: MeshKind::Istio,
        key: "istio",
        name: "Istio",
        groups: &["networking.istio.io", "security.istio.io", "telemetry.istio.io", "extensions.istio.io"],
        namespaces: &["istio-system"],
        control: &[deployment(&[("app", "istiod")], "", "discovery")],
        proxies: plain(&["istio-proxy"]),
        injection: istio_injection,
        is_served: |pod| is(&pod.annotations, "ambient.istio.io/redirection", "enabled"),
        node_proxy: |workload| {
            (workload.kind == WorkloadKind::DaemonSet
                && (is(&workload.labels, "app", "ztunnel")
                    || is(&workload.labels, "app.kubernetes.io/name", "ztunnel")))
            .then_some(DataPlane::Ambient)
        },
        is_comparable: true,
        ..COMMON
    },
    Rule {
        kind: MeshKind::Linkerd,
        key: "linkerd",
        name: "Linkerd",
        groups: &["linkerd.io", "policy.linkerd.io", "workload.linkerd.io"],
        namespaces: &["linkerd"],
        control: &[
            deployment(&[("linkerd.io/control-plane-component", "destination")], "", "destination"),
            deployment(&[("linkerd.io/control-plane-component", "identity")], "", "identity"),
            deployment(&[("linkerd.io/control-plane-component", "proxy-injector")], "", "proxy-injector"),
        ],
        proxies: Proxies::Sidecar {
            containers: &["linkerd-proxy"],
            sign: |_| true,
            version: Some("linkerd.io/proxy-version"),
        },
        injection: |namespace| match namespace.annotations.get("linkerd.io/inject")?.as_str() {
            "enabled" | "ingress" => Some(Injected::On),
            "disabled" => Some(Injected::Off),
            _ => None,
        },
        is_comparable: true,
        ..COMMON
    },
    Rule {
        kind: MeshKind::Consul,
        key: "consul",
        name: "Consul",
        groups: &["consul.hashicorp.com"],
        namespaces: &["consul"],
        control: &[
            Control {
                kind: WorkloadKind::StatefulSet,
                labels: &[("app", "consul"), ("component", "server")],
                name_end: "",
                container: "consul",
            },
            deployment(&[("app", "consul"), ("component", "connect-injector")], "", "sidecar-injector"),
        ],
        proxies: Proxies::Sidecar {
            containers: &["consul-dataplane"],
            sign: |_| true,
            version: Some("consul.hashicorp.com/consul-k8s-version"),
        },
        is_comparable: true,
        ..COMMON
    },
    Rule {
        kind: MeshKind::Kuma,
        key: "kuma",
        name: "Kuma",
        groups: &["kuma.io"],
        namespaces: &["kuma-system", "kong-mesh-system"],
        control: &[
            deployment(&[("app", "kuma-control-plane")], "", "control-plane"),
            deployment(&[("app.kubernetes.io/name", "kong-mesh")], "-control-plane", "control-plane"),
            deployment(&[("app.kubernetes.io/name", "kuma")], "-control-plane", "control-plane"),
        ],
        proxies: plain(&["kuma-sidecar"]),
        injection: |namespace| switch(&namespace.labels, "kuma.io/sidecar-injection"),
        called: |planes| {
            let is_kong = |plane: &&Workload| {
                is(&plane.labels, "app.kubernetes.io/name", "kong-mesh")
                    || plane.name.starts_with("kong-mesh")
            };
            planes.iter().any(is_kong).then_some("Kong Mesh")
        },
        is_comparable: true,
        ..COMMON
    },
    Rule {
        kind: MeshKind::Cilium,
        key: "cilium",
        name: "Cilium",
        groups: &["cilium.io"],
        namespaces: &["kube-system", "cilium"],
        control: &[Control {
            kind: WorkloadKind::DaemonSet,
            labels: &[("k8s-app", "cilium")],
            name_end: "",
            container: "cilium-agent",
        }],
        node_proxy: |workload| is(&workload.labels, "k8s-app", "cilium").then_some(DataPlane::Node),
        more: cilium_functions,
        ..COMMON
    },
    Rule {
        kind: MeshKind::TraefikMesh,
        key: "traefik-mesh",
        name: "Traefik Mesh",
        namespaces: &["traefik-mesh"],
        control: &[deployment(&[("app", "maesh"), ("component", "controller")], "", "controller")],
        node_proxy: |workload| {
            (is(&workload.labels, "app", "maesh") && is(&workload.labels, "component", "maesh-mesh"))
                .then_some(DataPlane::Node)
        },
        fate: Some("It is not developed any more"),
        ..COMMON
    },
    Rule {
        kind: MeshKind::OpenServiceMesh,
        key: "osm",
        name: "Open Service Mesh",
        groups: &["config.openservicemesh.io", "policy.openservicemesh.io"],
        namespaces: &["osm-system"],
        control: &[deployment(&[("app", "osm-controller")], "", "osm-controller")],
        proxies: Proxies::Sidecar {
            containers: &["envoy"],
            sign: |pod| pod.labels.contains_key("osm-proxy-uuid"),
            version: None,
        },
        injection: |namespace| {
            namespace.labels.get("openservicemesh.io/monitored-by")?;
            let asked = namespace.annotations.get("openservicemesh.io/sidecar-injection");
            let is_on = asked.is_some_and(|asked| matches!(asked.as_str(), "enabled" | "yes" | "true"));
            Some(if is_on { Injected::On } else { Injected::Off })
        },
        fate: Some("It was archived in 2023, and gets no fixes"),
        ..COMMON
    },
    Rule {
        kind: MeshKind::NginxServiceMesh,
        key: "nginx-sm",
        name: "NGINX Service Mesh",
        groups: &["nsm.nginx.com", "specs.smi.nginx.com"],
        namespaces: &["nginx-mesh"],
        control: &[deployment(
            &[("app.kubernetes.io/name", "nginx-mesh-controller")],
            "",
            "nginx-mesh-controller",
        )],
        proxies: plain(&["nginx-mesh-sidecar"]),
        injection: |namespace| switch(&namespace.labels, "injector.nsm.nginx.com/auto-inject"),
        fate: Some("It ended in 2024, and gets no fixes"),
        ..COMMON
    },
    Rule {
        kind: MeshKind::AppMesh,
        key: "app-mesh",
        name: "AWS App Mesh",
        groups: &["appmesh.k8s.aws"],
        namespaces: &["appmesh-system"],
        control: &[deployment(&[("app.kubernetes.io/name", "appmesh-controller")], "", "controller")],
        proxies: Proxies::Sidecar {
            containers: &["envoy"],
            sign: |pod| {
                pod.container("proxyinit").is_some()
                    || pod.container("envoy").is_some_and(|envoy| envoy.image.contains("aws-appmesh-envoy"))
            },
            version: None,
        },
        injection: |namespace| switch(&namespace.labels, "appmesh.k8s.aws/sidecarInjectorWebhook"),
        fate: Some("The service ended in September 2026"),
        ..COMMON
    },
    Rule {
        kind: MeshKind::NetworkServiceMesh,
        key: "nsm",
        name: "Network Service Mesh",
        groups: &["networkservicemesh.io"],
        namespaces: &["nsm-system"],
        control: &[Control {
            kind: WorkloadKind::DaemonSet,
            labels: &[("app", "nsmgr")],
            name_end: "",
            container: "nsmgr",
        }],
        proxies: Proxies::Sidecar {
            containers: &["nsc", "cmd-nsc"],
            sign: |pod| pod.annotations.contains_key("networkservicemesh.io"),
            version: None,
        },
        ..COMMON
    },
];

fn is(marks: &Marks, key: &str, value: &str) -> bool {
    marks.get(key).is_some_and(|has| has == value)
}

fn switch(marks: &Marks, key: &str) -> Option<Injected> {
    match marks.get(key)?.as_str() {
        "enabled" | "true" => Some(Injected::On),
        "disabled" | "false" => Some(Injected::Off),
        _ => None,
    }
}

/// A sidecar that is asked for wins over the proxies of nodes, as Istio has it.
fn istio_injection(namespace: &Namespace) -> Option<Injected> {
    let labels = &namespace.labels;
    match labels.get("istio-injection").map(String::as_str) {
        Some("enabled") => return Some(Injected::On),
        Some("disabled") if !is(labels, "istio.io/dataplane-mode", "ambient") => return Some(Injected::Off),
        _ => {}
    }
    if is(labels, "istio.io/dataplane-mode", "ambient") {
        return Some(Injected::Ambient);
    }
    let revision = labels.get("istio.io/rev").filter(|revision| !revision.is_empty())?;
    Some(Injected::Revision(revision.clone()))
}

/// What of Cilium is more than a network.
fn cilium_functions(settings: Option<&Marks>) -> Vec<String> {
    const FUNCTIONS: [(&str, &str); 5] = [
        ("enable-envoy-config", "Envoy configuration"),
        ("enable-gateway-api", "Gateway API"),
        ("enable-ingress-controller", "Ingress"),
        ("mesh-auth-mutual-enabled", "mutual authentication"),
        ("enable-hubble", "Hubble"),
    ];
    let Some(settings) = settings else { return Vec::new() };
    let on: Vec<&str> =
        FUNCTIONS.iter().filter(|(key, _)| is(settings, key, "true")).map(|(_, words)| *words).collect();
    vec![if on.is_empty() {
        "It is the network of this cluster; none of its mesh functions is on".to_owned()
    } else {
        format!("On: {}", on.join(", "))
    }]
}
