use super::*;
use crate::model::inventory::{Container, Template, WorkloadKind};

fn marks(pairs: &[(&str, &str)]) -> Marks {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn container(name: &str, image: &str) -> Container {
    Container { name: name.to_owned(), image: image.to_owned(), is_init: false, ports: Vec::new() }
}

fn workload(
    kind: WorkloadKind,
    place: &str,
    labels: &[(&str, &str)],
    containers: Vec<Container>,
) -> Workload {
    let (namespace, name) = place.split_once('/').expect("namespace/name");
    Workload {
        kind,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        labels: marks(labels),
        containers,
        template: Template::default(),
        ready: 1,
        wanted: 1,
    }
}

fn pod(annotations: &[(&str, &str)], containers: Vec<Container>) -> Pod {
    Pod {
        namespace: "shop".to_owned(),
        name: "checkout-0".to_owned(),
        annotations: marks(annotations),
        containers,
        ..Pod::default()
    }
}

fn namespace(name: &str, labels: &[(&str, &str)], annotations: &[(&str, &str)]) -> Namespace {
    Namespace { name: name.to_owned(), labels: marks(labels), annotations: marks(annotations) }
}

fn seen(workloads: Vec<Workload>, pods: Vec<Pod>, namespaces: Vec<Namespace>) -> Inventory {
    Inventory {
        workloads: Arc::new(workloads.into_iter().map(Arc::new).collect()),
        pods: Arc::new(pods.into_iter().map(Arc::new).collect()),
        namespaces: Arc::new(namespaces.into_iter().map(Arc::new).collect()),
        ..Inventory::default()
    }
}

fn istiod(name: &str, image: &str) -> Workload {
    let containers = vec![container("discovery", image)];
    workload(WorkloadKind::Deployment, &format!("istio-system/{name}"), &[("app", "istiod")], containers)
}

fn linkerd() -> Vec<Workload> {
    ["identity", "destination", "proxy-injector"]
        .into_iter()
        .map(|component| {
            workload(
                WorkloadKind::Deployment,
                &format!("linkerd/linkerd-{component}"),
                &[
                    ("linkerd.io/control-plane-component", component),
                    ("app.kubernetes.io/version", "edge-24.11.8"),
                ],
                vec![
                    container("linkerd-proxy", "cr.l5d.io/linkerd/proxy:edge-24.11.8"),
                    container(component, "cr.l5d.io/linkerd/controller:edge-24.11.8"),
                ],
            )
        })
        .collect()
}

#[test]
fn every_kind_has_one_rule() {
    for kind in MeshKind::ALL {
        assert_eq!(RULES.iter().filter(|rule| rule.kind == kind).count(), 1, "{kind:?}");
        assert!(!kind.name().is_empty() && !kind.key().is_empty() && !kind.usual_namespaces().is_empty());
    }
    assert_eq!(RULES.len(), MeshKind::ALL.len());
}

#[test]
fn a_cluster_without_a_mesh_has_none() {
    let web =
        workload(WorkloadKind::Deployment, "shop/web", &[("app", "web")], vec![container("web", "web:1")]);
    // A name that two meshes use for their proxies, and others for what they like.
    let envoy = pod(&[], vec![container("envoy", "envoyproxy/envoy:v1.31.0")]);
    assert_eq!(detect(&seen(vec![web], vec![envoy], vec![namespace("shop", &[], &[])]), None), []);
}

#[test]
fn revisions_of_istio_side_by_side_and_old_sidecars_are_told() {
    let mut canary = istiod("istiod-1-25", "docker.io/istio/pilot:1.25.0-distroless");
    canary.labels.insert("istio.io/rev".to_owned(), "1-25".to_owned());
    let workloads = vec![istiod("istiod", "docker.io/istio/pilot:1.24.2"), canary];
    let sidecar = |version: &str| {
        let mut proxy = container("istio-proxy", &format!("docker.io/istio/proxyv2:{version}"));
        proxy.is_init = version == "1.25.0";
        pod(&[], vec![container("web", "web:1"), proxy])
    };
    let pods =
        vec![sidecar("1.24.2"), sidecar("1.25.0"), sidecar("1.22.0"), sidecar("1.22.0"), pod(&[], vec![])];
    let namespaces = vec![
        namespace("ambient", &[("istio.io/dataplane-mode", "ambient")], &[]),
        namespace("both", &[("istio.io/dataplane-mode", "ambient"), ("istio-injection", "enabled")], &[]),
        namespace("off", &[("istio-injection", "disabled")], &[]),
        namespace("plain", &[], &[]),
        namespace("shop", &[("istio.io/rev", "1-25")], &[]),
    ];
    let found = detect(&seen(workloads, pods, namespaces), None);
    assert_eq!(found.len(), 1);
    let istio = &found[0];
    assert_eq!(
        (istio.kind, istio.version().as_str(), istio.name.as_str()),
        (MeshKind::Istio, "1.24.2, 1.25.0", "Istio")
    );
    assert_eq!(istio.control_planes[1].revision, "1-25");
    assert_eq!((istio.proxy_count(), istio.pods, istio.skewed), (4, 4, Some(2)));
    assert_eq!(istio.data_planes, [DataPlane::Sidecar]);
    let named = |name: &str, how| (name.to_owned(), how);
    assert_eq!(
        istio.namespaces,
        [
            named("ambient", Injected::Ambient),
            named("both", Injected::On),
            named("off", Injected::Off),
            named("shop", Injected::Revision("1-25".to_owned())),
        ]
    );
    assert_eq!(istio.remarks, [] as [String; 0]);
}

#[test]
fn ambient_is_told_by_its_node_proxy_and_its_pods() {
    let ztunnel = workload(
        WorkloadKind::DaemonSet,
        "istio-system/ztunnel",
        &[("app", "ztunnel")],
        vec![container("istio-proxy", "docker.io/istio/ztunnel:1.24.2")],
    );
    let workloads = vec![istiod("istiod", "docker.io/istio/pilot:1.24.2"), ztunnel];
    let pods = vec![pod(&[("ambient.istio.io/redirection", "enabled")], vec![container("web", "web:1")])];
    let found = detect(&seen(workloads, pods, Vec::new()), None);
    assert_eq!((found[0].data_planes.as_slice(), found[0].pods), (&[DataPlane::Ambient][..], 1));
    assert_eq!((found[0].proxy_count(), found[0].skewed), (0, Some(0)));
}

#[test]
fn meshes_side_by_side_are_all_told() {
    let cilium = workload(
        WorkloadKind::DaemonSet,
        "kube-system/cilium",
        &[("k8s-app", "cilium")],
        vec![container("cilium-agent", "quay.io/cilium/cilium:v1.16.1@sha256:00")],
    );
    let mut workloads = linkerd();
    workloads.push(cilium);
    let proxied = pod(
        &[("linkerd.io/proxy-version", "edge-24.9.1")],
        vec![container("linkerd-proxy", "cr.l5d.io/linkerd/proxy:edge-24.9.1")],
    );
    let namespaces = vec![namespace("shop", &[], &[("linkerd.io/inject", "enabled")])];
    let settings = marks(&[("enable-gateway-api", "true"), ("enable-hubble", "false")]);
    let found = detect(&seen(workloads, vec![proxied], namespaces), Some(&settings));
    let told: Vec<_> = found.iter().map(|mesh| (mesh.kind, mesh.version(), mesh.skewed)).collect();
    assert_eq!(
        told,
        [
            (MeshKind::Linkerd, "edge-24.11.8".to_owned(), Some(1)),
            (MeshKind::Cilium, "1.16.1".to_owned(), None)
        ]
    );
    assert_eq!(found[0].control_planes.len(), 3);
    assert_eq!(found[0].namespaces, [("shop".to_owned(), Injected::On)]);
    assert_eq!(found[1].remarks, ["On: Gateway API"]);
    assert_eq!(found[1].data_planes, [DataPlane::Node]);
}

#[test]
fn of_consul_the_server_has_the_version_and_proxies_are_held_against_the_injector() {
    let server = workload(
        WorkloadKind::StatefulSet,
        "consul/consul-server",
        &[("app", "consul"), ("component", "server")],
        vec![container("consul", "hashicorp/consul:1.20.1")],
    );
    let injector = workload(
        WorkloadKind::Deployment,
        "consul/consul-connect-injector",
        &[("app", "consul"), ("component", "connect-injector")],
        vec![container("sidecar-injector", "hashicorp/consul-k8s-control-plane:1.6.1")],
    );
    let proxied = |version: &str| {
        let dataplane = container("consul-dataplane", "hashicorp/consul-dataplane:1.6.0");
        pod(&[("consul.hashicorp.com/consul-k8s-version", version)], vec![dataplane])
    };
    let found =
        detect(&seen(vec![server, injector], vec![proxied("v1.6.1"), proxied("v1.5.0")], vec![]), None);
    assert_eq!((found[0].version().as_str(), found[0].skewed), ("1.20.1", Some(1)));
}

#[test]
fn kong_mesh_is_called_by_its_name() {
    let plane = workload(
        WorkloadKind::Deployment,
        "kong-mesh-system/kong-mesh-control-plane",
        &[("app.kubernetes.io/name", "kong-mesh"), ("app.kubernetes.io/version", "2.9.1")],
        vec![container("control-plane", "docker.io/kong/kuma-cp@sha256:00")],
    );
    let found = detect(&seen(vec![plane], vec![], vec![]), None);
    assert_eq!((found[0].kind, found[0].name.as_str()), (MeshKind::Kuma, "Kong Mesh"));
    assert_eq!(found[0].version(), "2.9.1", "by its label: the image has a digest only");
}

#[test]
fn groups_without_a_control_plane_are_a_mesh_with_a_remark() {
    let found = detect(
        &Inventory { groups: Arc::new(vec!["security.istio.io".to_owned()]), ..Inventory::default() },
        None,
    );
    assert!(found.len() == 1 && found[0].remarks[0].contains("no control plane was seen"), "{found:?}");
    assert_eq!((found[0].skewed, found[0].version().as_str()), (None, ""));
    // Shared by three meshes: tells none.
    let shared = Inventory { groups: Arc::new(vec!["split.smi-spec.io".to_owned()]), ..Inventory::default() };
    assert_eq!(detect(&shared, None), []);
}

#[test]
fn proxies_of_the_same_name_are_told_by_what_is_around_them() {
    let envoy = || container("envoy", "envoyproxy/envoy:v1.19.3");
    let mut osm = pod(&[], vec![envoy()]);
    osm.labels.insert("osm-proxy-uuid".to_owned(), "1".to_owned());
    let app_mesh = pod(
        &[],
        vec![container("envoy", "840364872350.dkr.ecr.us-west-2.amazonaws.com/aws-appmesh-envoy:v1.29")],
    );
    assert_eq!(meshes_of(&osm), [MeshKind::OpenServiceMesh]);
    assert_eq!(meshes_of(&app_mesh), [MeshKind::AppMesh]);
    assert_eq!(meshes_of(&pod(&[], vec![envoy()])), []);
}

#[test]
fn namespaces_may_be_marked_for_two_meshes() {
    let both = namespace("shop", &[("istio-injection", "enabled")], &[("linkerd.io/inject", "disabled")]);
    let told: Vec<_> =
        injection(&both).into_iter().map(|injection| (injection.mesh, injection.how)).collect();
    assert_eq!(told, [(MeshKind::Istio, Injected::On), (MeshKind::Linkerd, Injected::Off)]);
}

#[test]
fn a_control_plane_that_is_not_ready_is_said() {
    let mut plane = istiod("istiod", "docker.io/istio/pilot:1.24.2");
    (plane.ready, plane.wanted) = (0, 2);
    let found = detect(&seen(vec![plane], vec![], vec![]), None);
    assert_eq!(found[0].remarks, ["istio-system/istiod: 0 of 2 pods are ready"]);
}
