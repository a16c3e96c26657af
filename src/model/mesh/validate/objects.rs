//! What meshes are told: whether it selects something, and whether it contradicts itself.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Found, Looked, MeshObject, named};
use crate::model::adapter::Severity;
use crate::model::inventory::{Inventory, Service};

/// Objects that choose pods by labels, and where in their `spec` they say which.
const SELECTORS: [(&str, &str, &str); 9] = [
    ("security.istio.io", "AuthorizationPolicy", "/selector/matchLabels"),
    ("security.istio.io", "PeerAuthentication", "/selector/matchLabels"),
    ("security.istio.io", "RequestAuthentication", "/selector/matchLabels"),
    ("telemetry.istio.io", "Telemetry", "/selector/matchLabels"),
    ("networking.istio.io", "Sidecar", "/workloadSelector/labels"),
    ("networking.istio.io", "EnvoyFilter", "/workloadSelector/labels"),
    ("policy.linkerd.io", "Server", "/podSelector/matchLabels"),
    ("cilium.io", "CiliumNetworkPolicy", "/endpointSelector/matchLabels"),
    ("kuma.io", "", "/targetRef/labels"),
];

/// Rules that are for nothing that is there.
pub(super) fn selections(seen: &Inventory, looked: &Looked, found: &mut Found<'_>) {
    // Where not all of them were seen, none can be said to be missing.
    let named_subsets =
        (!looked.unseen.iter().any(|kind| kind.starts_with("destinationrules."))).then(|| subsets_of(looked));
    for object in &looked.objects {
        if let Some(labels) = selector(object)
            && !selects(seen, object, &labels)
        {
            let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
            found.add_in(
                &object.namespace,
                Severity::Warning,
                subject(object),
                format!("It selects no pod: none has {}", named(&labels)),
                "Check its labels, or remove it",
            );
        }
        let missing: BTreeSet<String> = services(object)
            .into_iter()
            .filter(|(namespace, name)| !is_there(seen, namespace, name))
            .map(|(namespace, name)| format!("{namespace}/{name}"))
            .collect();
        if !missing.is_empty() {
            let missing: Vec<String> = missing.into_iter().collect();
            found.add_in(
                &object.namespace,
                Severity::Warning,
                subject(object),
                format!("It is for a Service that is not there: {}", named(&missing)),
                "Check the name and namespace, or remove it",
            );
        }
        if object.kind == "DestinationRule" {
            subsets(seen, object, found);
        }
        if let Some(known) = &named_subsets
            && object.kind == "VirtualService"
        {
            unnamed_subsets(object, known, found);
        }
    }
}

fn subject(object: &MeshObject) -> String {
    match object.namespace.as_str() {
        "" => format!("{} {}", object.kind, object.name),
        namespace => format!("{} {namespace}/{}", object.kind, object.name),
    }
}

/// Labels by which it chooses pods; none where it chooses all, or by other means.
fn selector(object: &MeshObject) -> Option<BTreeMap<String, String>> {
    let is = |(group, kind, _): &&(&str, &str, &str)| {
        *group == object.group && (kind.is_empty() || *kind == object.kind)
    };
    let (.., place) = SELECTORS.iter().find(is)?;
    let labels = object.spec.pointer(place)?.as_object()?;
    let labels = labels.iter().filter_map(|(key, value)| {
        // Cilium's own way to say where a label comes from.
        let key = key.split_once(':').map_or(key.as_str(), |(_, key)| key);
        Some((key.to_owned(), value.as_str()?.to_owned()))
    });
    let labels: BTreeMap<String, String> =
        labels.filter(|(key, _)| !key.starts_with("io.kubernetes.pod.")).collect();
    (!labels.is_empty()).then_some(labels)
}

fn selects(seen: &Inventory, object: &MeshObject, labels: &BTreeMap<String, String>) -> bool {
    // A mesh's own namespace stands for all of it.
    let is_of_mesh = object.namespace.is_empty()
        || seen
            .meshes
            .iter()
            .flat_map(|mesh| &mesh.control_planes)
            .any(|it| it.namespace == object.namespace);
    seen.pods.iter().any(|pod| {
        let is_own = |(key, value): (&String, &String)| {
            // Meshes give pods labels of their own.
            key.starts_with("kuma.io/")
                || key.starts_with("k8s.kuma.io/")
                || pod.labels.get(key) == Some(value)
        };
        (is_of_mesh || pod.namespace == object.namespace) && labels.iter().all(is_own)
    })
}

/// Services that it is for, as far as they are of the cluster.
fn services(object: &MeshObject) -> Vec<(String, String)> {
    let spec = &object.spec;
    let of_host = |host: &Value| service_of(host.as_str()?, &object.namespace);
    match (object.group.as_str(), object.kind.as_str()) {
        ("networking.istio.io", "DestinationRule") => of_host(&spec["host"]).into_iter().collect(),
        ("networking.istio.io", "VirtualService") => {
            let rules =
                ["http", "tcp", "tls"].iter().flat_map(|key| spec[*key].as_array().into_iter().flatten());
            let routes = rules.flat_map(|rule| rule["route"].as_array().into_iter().flatten());
            routes.filter_map(|route| of_host(&route["destination"]["host"])).collect()
        }
        ("gateway.networking.k8s.io", "HTTPRoute" | "GRPCRoute") => of_route(object),
        _ => Vec::new(),
    }
}

fn of_route(object: &MeshObject) -> Vec<(String, String)> {
    let listed = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let parents = listed(&object.spec, "parentRefs").into_iter().filter(|parent| parent["kind"] == "Service");
    let backends = listed(&object.spec, "rules").into_iter().flat_map(|rule| listed(&rule, "backendRefs"));
    let backends = backends.filter(|backend| {
        backend.get("kind").is_none_or(|kind| kind == "Service")
            && backend.get("group").is_none_or(|group| group == "")
    });
    parents
        .chain(backends)
        .filter_map(|reference| {
            let namespace = reference["namespace"].as_str().unwrap_or(&object.namespace);
            Some((namespace.to_owned(), reference["name"].as_str()?.to_owned()))
        })
        .collect()
}

/// `web`, `web.shop`, `web.shop.svc.cluster.local`; none for hosts outside and for patterns.
fn service_of(host: &str, namespace: &str) -> Option<(String, String)> {
    let mut parts = host.split('.');
    let (name, place, rest) = (parts.next()?, parts.next(), parts.next());
    if name.contains('*') || name.is_empty() {
        return None;
    }
    match (place, rest) {
        (None, _) => Some((namespace.to_owned(), name.to_owned())),
        (Some(place), Some("svc")) => Some((place.to_owned(), name.to_owned())),
        // `web.shop` is told from a domain's name by nothing.
        _ => None,
    }
}

fn find<'a>(seen: &'a Inventory, namespace: &str, name: &str) -> Option<&'a Service> {
    seen.services.iter().find(|it| it.namespace == namespace && it.name == name).map(AsRef::as_ref)
}

fn is_there(seen: &Inventory, namespace: &str, name: &str) -> bool {
    find(seen, namespace, name).is_some()
}

/// Namespace and name of a Service, and a subset of it.
type Subset = (String, String, String);

/// All that Istio's rules name.
fn subsets_of(looked: &Looked) -> BTreeSet<Subset> {
    let rules = looked.objects.iter().filter(|it| it.kind == "DestinationRule");
    rules
        .filter_map(|rule| Some((service_of(rule.spec["host"].as_str()?, &rule.namespace)?, rule)))
        .flat_map(|((namespace, name), rule)| {
            let listed = rule.spec["subsets"].as_array().into_iter().flatten();
            let subsets = listed.filter_map(|subset| subset["name"].as_str());
            subsets.map(move |subset| (namespace.clone(), name.clone(), subset.to_owned()))
        })
        .collect()
}

/// Subsets that requests are sent to and no rule names.
fn unnamed_subsets(object: &MeshObject, known: &BTreeSet<Subset>, found: &mut Found<'_>) {
    let rules = object.spec["http"].as_array().into_iter().flatten();
    let routes = rules.flat_map(|rule| rule["route"].as_array().into_iter().flatten());
    let unnamed: BTreeSet<String> = routes
        .filter_map(|route| {
            let to = &route["destination"];
            let (namespace, name) = service_of(to["host"].as_str()?, &object.namespace)?;
            Some((namespace, name, to["subset"].as_str()?.to_owned()))
        })
        .filter(|subset| !known.contains(subset))
        .map(|(namespace, name, subset)| format!("{subset} of {namespace}/{name}"))
        .collect();
    if !unnamed.is_empty() {
        let unnamed: Vec<String> = unnamed.into_iter().collect();
        found.add_in(
            &object.namespace,
            Severity::Error,
            subject(object),
            format!("It sends requests to subsets that no DestinationRule names: {}", named(&unnamed)),
            "They fail with 503; name the subsets in a DestinationRule for that host",
        );
    }
}

/// Versions of a Service that no pod is of.
fn subsets(seen: &Inventory, object: &MeshObject, found: &mut Found<'_>) {
    let host = object.spec["host"].as_str().and_then(|host| service_of(host, &object.namespace));
    let Some(service) = host.and_then(|(namespace, name)| find(seen, &namespace, &name)) else { return };
    let is_of = |subset: &Value| {
        let labels = subset["labels"].as_object().cloned().unwrap_or_default();
        seen.pods.iter().filter(|pod| service.selects(pod)).any(|pod| {
            labels.iter().all(|(key, value)| pod.labels.get(key).map(String::as_str) == value.as_str())
        })
    };
    let listed = object.spec["subsets"].as_array().into_iter().flatten();
    let empty: Vec<String> = listed
        .filter(|subset| !is_of(subset))
        .filter_map(|it| Some(it["name"].as_str()?.to_owned()))
        .collect();
    if !empty.is_empty() {
        found.add_in(
            &object.namespace,
            Severity::Warning,
            subject(object),
            format!("No pod of {} is of the subset {}", service.name, named(&empty)),
            "Requests that are sent there fail with 503; check the subset's labels, or start its pods",
        );
    }
}

/// Who demands what of connections.
pub(super) fn mutual_tls(seen: &Inventory, looked: &Looked, found: &mut Found<'_>) {
    let of = |kind: &str| looked.objects.iter().filter(move |it| it.kind == kind).collect::<Vec<_>>();
    let authentications = of("PeerAuthentication");
    several_for_a_namespace(&authentications, found);
    let roots: Vec<&str> = seen
        .meshes
        .iter()
        .filter(|mesh| mesh.kind == crate::model::mesh::MeshKind::Istio)
        .flat_map(|mesh| &mesh.control_planes)
        .map(|plane| plane.namespace.as_str())
        .collect();
    for rule in of("DestinationRule") {
        let Some(mode) = rule.spec.pointer("/trafficPolicy/tls/mode").and_then(Value::as_str) else {
            continue;
        };
        let host = rule.spec["host"].as_str().unwrap_or_default();
        let target = service_of(host, &rule.namespace)
            .map_or_else(|| rule.namespace.clone(), |(namespace, _)| namespace);
        let Some((demand, from)) = demanded(&authentications, &target, &roots) else { continue };
        let contradiction = match (demand, mode) {
            ("STRICT", "DISABLE" | "SIMPLE") => "demands mutual TLS, and this rule sends without it",
            ("DISABLE", "ISTIO_MUTUAL" | "MUTUAL") => "takes no TLS, and this rule sends with it",
            _ => continue,
        };
        found.add_in(
            &rule.namespace,
            Severity::Error,
            subject(rule),
            format!("{from} {contradiction} to {host}"),
            "Change one of them; until then requests fail",
        );
    }
    kuma(looked, found);
}

fn mode(object: &MeshObject) -> Option<&str> {
    object.spec.pointer("/mtls/mode").and_then(Value::as_str)
}

fn is_for_all(object: &MeshObject) -> bool {
    object
        .spec
        .pointer("/selector/matchLabels")
        .and_then(Value::as_object)
        .is_none_or(serde_json::Map::is_empty)
}

/// What the peer authentication of a namespace demands, else that of the mesh.
fn demanded<'a>(
    authentications: &[&'a MeshObject],
    namespace: &str,
    roots: &[&str],
) -> Option<(&'a str, String)> {
    let of = |is_in: &dyn Fn(&str) -> bool| {
        let found =
            authentications.iter().find(|it| is_for_all(it) && is_in(&it.namespace) && mode(it).is_some());
        found.and_then(|it| Some((mode(it)?, subject(it))))
    };
    of(&|place| place == namespace).or_else(|| of(&|place| roots.contains(&place)))
}

fn several_for_a_namespace(authentications: &[&MeshObject], found: &mut Found<'_>) {
    let mut by_namespace: BTreeMap<&str, Vec<&MeshObject>> = BTreeMap::new();
    for object in authentications.iter().filter(|it| is_for_all(it)) {
        by_namespace.entry(&object.namespace).or_default().push(object);
    }
    for (namespace, objects) in by_namespace.into_iter().filter(|(_, objects)| objects.len() > 1) {
        let modes: BTreeSet<&str> = objects.iter().filter_map(|it| mode(it)).collect();
        let names: Vec<String> = objects.iter().map(|it| it.name.clone()).collect();
        let severity = if modes.len() > 1 { Severity::Error } else { Severity::Warning };
        found.add_in(
            namespace,
            severity,
            format!("namespace {namespace}"),
            format!(
                "Several peer authentications are for all of it: {}; Istio looks at the oldest only",
                named(&names)
            ),
            "Keep one of them",
        );
    }
}

/// Where it demands mutual TLS, what no permission allows is refused.
fn kuma(looked: &Looked, found: &mut Found<'_>) {
    let of =
        |kind: &'static str| looked.objects.iter().filter(move |it| it.group == "kuma.io" && it.kind == kind);
    let has_permissions = of("MeshTrafficPermission").next().is_some();
    for mesh in of("Mesh").filter(|_| !has_permissions) {
        let backend = mesh.spec.pointer("/mtls/enabledBackend").and_then(Value::as_str).unwrap_or_default();
        if !backend.is_empty() {
            found.add(
                Severity::Warning,
                subject(mesh),
                "It demands mutual TLS, and there is no MeshTrafficPermission: every request is refused"
                    .to_owned(),
                "Apply a MeshTrafficPermission that allows what may be",
            );
        }
    }
}
