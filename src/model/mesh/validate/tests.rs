use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::model::inventory::{Container, Marks, Service, Workload, WorkloadKind};
use crate::model::mesh::detect;

fn marks(pairs: &[(&str, &str)]) -> Marks {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn container(name: &str, image: &str) -> Container {
    Container { name: name.to_owned(), image: image.to_owned(), is_init: false, ports: Vec::new() }
}

fn namespace(name: &str, labels: &[(&str, &str)], annotations: &[(&str, &str)]) -> Namespace {
    Namespace { name: name.to_owned(), labels: marks(labels), annotations: marks(annotations) }
}

fn pod(place: &str, labels: &[(&str, &str)], proxies: &[(&str, &str)]) -> Pod {
    let (namespace, name) = place.split_once('/').expect("namespace/name");
    let proxies = proxies.iter().map(|(name, image)| container(name, image));
    Pod {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        labels: marks(labels),
        containers: std::iter::once(container("web", "web:1")).chain(proxies).collect(),
        phase: "Running".to_owned(),
        is_ready: true,
        owner: format!("Deployment/{}", name.split('-').next().expect("a name")),
        ..Pod::default()
    }
}

fn istiod(ready: u32) -> Workload {
    Workload {
        kind: WorkloadKind::Deployment,
        namespace: "istio-system".to_owned(),
        name: "istiod".to_owned(),
        labels: marks(&[("app", "istiod")]),
        containers: vec![container("discovery", "istio/pilot:1.24.2")],
        template: Default::default(),
        ready,
        wanted: 1,
    }
}

const ISTIO: (&str, &str) = ("istio-proxy", "istio/proxyv2:1.24.2");

fn shared<T>(items: Vec<T>) -> Arc<Vec<Arc<T>>> {
    Arc::new(items.into_iter().map(Arc::new).collect())
}

fn seen(namespaces: Vec<Namespace>, pods: Vec<Pod>, workloads: Vec<Workload>) -> Inventory {
    let service = |name: &str| Service {
        namespace: "shop".to_owned(),
        name: name.to_owned(),
        selector: marks(&[("app", name)]),
        ..Service::default()
    };
    let mut seen = Inventory {
        namespaces: shared(namespaces),
        pods: shared(pods),
        workloads: shared(workloads),
        services: shared(vec![service("web")]),
        ..Inventory::default()
    };
    seen.meshes = Arc::new(detect(&seen, None));
    seen
}

fn object(group: &str, kind: &str, place: &str, spec: Value) -> MeshObject {
    let (namespace, name) = place.split_once('/').unwrap_or(("", place));
    MeshObject {
        group: group.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        spec,
    }
}

fn told(seen: &Inventory, looked: &Looked, namespace: &str) -> Vec<(Severity, String, String)> {
    validate(seen, looked, namespace).into_iter().map(|it| (it.severity, it.subject, it.summary)).collect()
}

fn objects(objects: Vec<MeshObject>) -> Looked {
    Looked { objects, ..Looked::default() }
}

#[track_caller]
fn assert_told(told: &[(Severity, String, String)], wanted: &[(Severity, &str, &str)]) {
    assert_eq!(told.len(), wanted.len(), "{told:#?}");
    for ((severity, subject, summary), wanted) in told.iter().zip(wanted) {
        assert!(
            (*severity, subject.as_str()) == (wanted.0, wanted.1) && summary.contains(wanted.2),
            "{told:#?}"
        );
    }
}

#[test]
fn a_sound_mesh_has_no_findings() {
    let pods = vec![pod("shop/web-1", &[("app", "web"), ("version", "v1")], &[ISTIO])];
    let seen = seen(vec![namespace("shop", &[("istio-injection", "enabled")], &[])], pods, vec![istiod(1)]);
    let looked = objects(vec![
        object(
            "security.istio.io",
            "PeerAuthentication",
            "shop/default",
            json!({"mtls": {"mode": "STRICT"}}),
        ),
        object(
            "networking.istio.io",
            "VirtualService",
            "shop/web",
            json!({"hosts": ["web"], "http": [{"route": [{"destination": {"host": "web"}}]}]}),
        ),
        object(
            "networking.istio.io",
            "DestinationRule",
            "shop/web",
            json!({"host": "web.shop.svc.cluster.local",
            "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}}, "subsets": [{"name": "v1", "labels": {"version": "v1"}}]}),
        ),
        object(
            "security.istio.io",
            "AuthorizationPolicy",
            "shop/a",
            json!({"selector": {"matchLabels": {"app": "web"}}}),
        ),
        object("networking.istio.io", "DestinationRule", "shop/out", json!({"host": "*.example.com"})),
    ]);
    assert_eq!(told(&seen, &looked, ""), []);
}

#[test]
fn pods_without_proxies_and_with_old_ones_are_told() {
    let mut off = pod("shop/off-1", &[("sidecar.istio.io/inject", "false")], &[]);
    let mut of_node = pod("shop/agent-1", &[], &[]);
    of_node.has_host_network = true;
    off.is_ready = false;
    let pods = vec![
        pod("shop/web-1", &[], &[]),
        pod("shop/web-2", &[], &[]),
        pod("shop/old-1", &[], &[("istio-proxy", "istio/proxyv2:1.22.0")]),
        off,
        of_node,
    ];
    let seen = seen(vec![namespace("shop", &[("istio-injection", "enabled")], &[])], pods, vec![istiod(0)]);
    assert_told(
        &told(&seen, &Looked::default(), ""),
        &[
            (Severity::Error, "Istio istio-system/istiod", "0 of 1"),
            (Severity::Warning, "Deployment shop/web", "2 pods are not part of Istio"),
            (Severity::Warning, "Istio", "1.24.2: 1.22.0 (1)"),
        ],
    );
    assert_told(&told(&seen, &Looked::default(), "shop")[3..], &[(Severity::Warning, "Istio", "1.22.0")]);
    assert_told(
        &told(&seen, &Looked::default(), "other"),
        &[(Severity::Error, "Istio istio-system/istiod", ""), (Severity::Warning, "Istio", "")],
    );
}

#[test]
fn two_meshes_for_one_namespace_or_pod_are_told() {
    let both = namespace(
        "shop",
        &[("istio-injection", "enabled"), ("istio.io/rev", "x")],
        &[("linkerd.io/inject", "enabled")],
    );
    let ambient =
        namespace("mixed", &[("istio-injection", "enabled"), ("istio.io/dataplane-mode", "ambient")], &[]);
    let pods = vec![pod("shop/web-1", &[], &[ISTIO, ("linkerd-proxy", "x/proxy:edge-24.11.8")])];
    let seen = seen(vec![both, ambient], pods, vec![istiod(1)]);
    let all = told(&seen, &Looked::default(), "");
    assert_told(
        &all,
        &[
            (Severity::Error, "Deployment shop/web", "Istio and Linkerd"),
            (Severity::Error, "namespace shop", "Istio and Linkerd"),
            (Severity::Warning, "Linkerd", "no control plane was seen"),
            (Severity::Warning, "namespace mixed", "sidecars win"),
            (Severity::Warning, "namespace shop", "the revision is not looked at"),
        ],
    );
}

#[test]
fn rules_for_nothing_are_told() {
    let pods = vec![pod("shop/web-1", &[("app", "web"), ("version", "v1")], &[ISTIO])];
    let seen = seen(vec![], pods, vec![istiod(1)]);
    let looked = objects(vec![
        object(
            "security.istio.io",
            "AuthorizationPolicy",
            "shop/a",
            json!({"selector": {"matchLabels": {"app": "none"}}}),
        ),
        object(
            "policy.linkerd.io",
            "Server",
            "shop/b",
            json!({"podSelector": {"matchLabels": {"app": "none"}}}),
        ),
        object(
            "cilium.io",
            "CiliumNetworkPolicy",
            "shop/c",
            json!({"endpointSelector": {"matchLabels": {"k8s:app": "none"}}}),
        ),
        object(
            "networking.istio.io",
            "VirtualService",
            "shop/d",
            json!({"http": [{"route": [{"destination": {"host": "gone"}}]}]}),
        ),
        object(
            "networking.istio.io",
            "DestinationRule",
            "shop/e",
            json!({"host": "web", "subsets": [{"name": "v1", "labels": {"version": "v1"}}, {"name": "v9", "labels": {"version": "v9"}}]}),
        ),
        object(
            "gateway.networking.k8s.io",
            "HTTPRoute",
            "shop/f",
            json!({"parentRefs": [{"kind": "Service", "name": "web"}],
            "rules": [{"backendRefs": [{"name": "web-v2"}]}]}),
        ),
        object(
            "kuma.io",
            "MeshTimeout",
            "shop/g",
            json!({"targetRef": {"kind": "Dataplane", "labels": {"app": "none"}}}),
        ),
    ]);
    let found = told(&seen, &looked, "");
    assert_eq!(found.len(), 7, "{found:#?}");
    for (subject, words) in [
        ("AuthorizationPolicy shop/a", "none has app=none"),
        ("Server shop/b", "selects no pod"),
        ("CiliumNetworkPolicy shop/c", "selects no pod"),
        ("VirtualService shop/d", "shop/gone"),
        ("DestinationRule shop/e", "subset v9"),
        ("HTTPRoute shop/f", "shop/web-v2"),
        ("MeshTimeout shop/g", "selects no pod"),
    ] {
        assert!(found.iter().any(|it| it.1 == subject && it.2.contains(words)), "{subject}: {found:#?}");
    }
    assert_eq!(told(&seen, &looked, "other"), []);
}

#[test]
fn contradictions_about_mutual_tls_are_told() {
    let seen = seen(vec![], vec![], vec![istiod(1)]);
    let strict =
        |place| object("security.istio.io", "PeerAuthentication", place, json!({"mtls": {"mode": "STRICT"}}));
    let off =
        object("security.istio.io", "PeerAuthentication", "shop/off", json!({"mtls": {"mode": "DISABLE"}}));
    let plain = || {
        object(
            "networking.istio.io",
            "DestinationRule",
            "shop/plain",
            json!({"host": "*.local", "trafficPolicy": {"tls": {"mode": "DISABLE"}}}),
        )
    };
    let mutual = object(
        "networking.istio.io",
        "DestinationRule",
        "shop/mutual",
        json!({"host": "*.local", "trafficPolicy": {"tls": {"mode": "ISTIO_MUTUAL"}}}),
    );
    let of_mesh = told(&seen, &objects(vec![strict("istio-system/default"), plain()]), "");
    assert_told(&of_mesh, &[(Severity::Error, "DestinationRule shop/plain", "sends without it")]);
    let of_namespace =
        told(&seen, &objects(vec![off.clone(), strict("istio-system/default"), plain(), mutual]), "");
    assert_told(&of_namespace, &[(Severity::Error, "DestinationRule shop/mutual", "sends with it")]);
    let two = told(&seen, &objects(vec![off, strict("shop/default")]), "");
    assert_told(&two, &[(Severity::Error, "namespace shop", "off, default")]);
    let mesh = object("kuma.io", "Mesh", "default", json!({"mtls": {"enabledBackend": "ca-1"}}));
    let permission = object("kuma.io", "MeshTrafficPermission", "kuma-system/all", json!({}));
    assert_told(
        &told(&seen, &objects(vec![mesh.clone()]), ""),
        &[(Severity::Warning, "Mesh default", "every request is refused")],
    );
    assert_eq!(told(&seen, &objects(vec![mesh, permission]), ""), []);
}

#[test]
fn certificates_that_expire_and_what_was_not_seen_are_told() {
    let certificate =
        |owner: &str, days: i64| Certificate { owner: owner.to_owned(), expires_s: days * DAY_S };
    let looked = Looked {
        certificates: vec![
            certificate("Secret a/old", 90),
            certificate("Secret a/soon", 110),
            certificate("Secret a/good", 200),
        ],
        unseen: vec!["secrets".to_owned()],
        now_s: 100 * DAY_S,
        ..Looked::default()
    };
    assert_told(
        &told(&Inventory::default(), &looked, ""),
        &[
            (Severity::Error, "Secret a/old", "10 days ago"),
            (Severity::Warning, "Secret a/soon", "in 10 days"),
            (Severity::Info, "the validation", "secrets"),
        ],
    );
}

#[test]
fn a_flood_of_mistakes_is_bounded() {
    let pods = (0..2000).map(|at| {
        let mut pod = pod(&format!("shop/web{at}-1"), &[], &[]);
        pod.owner = String::new();
        pod
    });
    let seen = seen(vec![namespace("shop", &[("istio-injection", "enabled")], &[])], pods.collect(), vec![]);
    assert_eq!(validate(&seen, &Looked::default(), "").len(), FINDINGS_MAX);
}

#[test]
fn subsets_that_no_rule_names_are_told_unless_not_all_rules_were_seen() {
    let seen =
        seen(Vec::new(), vec![pod("shop/web-1", &[("app", "web"), ("version", "v1")], &[])], vec![istiod(1)]);
    let route = |subset: &str| json!({"destination": {"host": "web", "subset": subset}});
    let rule = json!({"host": "web.shop.svc.cluster.local", "subsets": [{"name": "v1", "labels": {"version": "v1"}}]});
    let mut looked = objects(vec![
        object("networking.istio.io", "DestinationRule", "shop/web", rule),
        object(
            "networking.istio.io",
            "VirtualService",
            "shop/web",
            json!({"hosts": ["web"], "http": [{"route": [route("v1"), route("v2")]}]}),
        ),
    ]);
    let wanted = [(Severity::Error, "VirtualService shop/web", "names: v2 of shop/web")];
    assert_told(&told(&seen, &looked, ""), &wanted);
    looked.unseen = vec!["destinationrules.networking.istio.io".to_owned()];
    assert_told(&told(&seen, &looked, ""), &[(Severity::Info, "the validation", "destinationrules")]);
}
