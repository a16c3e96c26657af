//! From a port of a Service to a plan: how it is reached, what is spoken there, and what is known around it. Pure.

use std::sync::Arc;

use url::Url;

use super::clusters::{Aim, ClusterLink, Clusters, WayIn, pods_behind};
use crate::model::Plan;
use crate::model::cluster::{Connection, Node};
use crate::model::inventory::{Ingress, IngressRule, Inventory, Pod, Port, Service, ServiceKind};
use crate::model::mesh::{Mesh, meshes_of};
use crate::model::plan::{
    ClusterNote, GRPC_HEALTH, Grpc, Protocol, Resolve, Route, Schema, ServiceTarget, TargetKind,
};

/// Connections through a port-forward: each takes the API server as long to open as many requests.
const FORWARDED_CONNECTIONS: u32 = 4;

/// The plan for a port of a Service or a pod.
///
/// # Errors
/// Why there is none, in words.
pub(super) fn plan(clusters: &Clusters, aim: &Aim) -> Result<Plan, String> {
    let link = clusters.links.get(&aim.context).ok_or("Its context is not connected; connect it first")?;
    let seen = link.seen.as_ref().ok_or("Nothing was seen of its cluster yet; try again in a moment")?;
    let (ways, is_grpc) = match aim.kind {
        TargetKind::Service => {
            let service = find(seen, &aim.namespace, &aim.name).ok_or("There is no such Service any more")?;
            let port = service.ports.iter().find(|port| port.port == aim.port);
            let port =
                port.ok_or_else(|| format!("The Service {} has no port {}", service.name, aim.port))?;
            (ways(link, service, port), speaks_grpc([&*port.name, &*port.app_protocol]))
        }
        TargetKind::Pod => {
            let pod = find_pod(seen, &aim.namespace, &aim.name).ok_or("There is no such pod any more")?;
            let ports = pod.containers.iter().flat_map(|container| &container.ports);
            let name = ports.into_iter().find(|port| port.port == aim.port).map_or("", |port| &port.name);
            (vec![way_to_pod(pod, aim.port, name)], speaks_grpc([name]))
        }
    };
    let asked = aim.url.as_ref();
    let way = ways.iter().find(|way| asked.is_none_or(|url| way.url == *url));
    let way = match (way, asked) {
        (Some(way), _) => way,
        (None, Some(url)) => return Err(format!("{} is not reached at {url} any more", aim.name)),
        (None, None) => return Err(format!("Port {} of {} is not TCP", aim.port, aim.name)),
    };
    let mut plan = Plan::for_url(&way.url);
    if is_grpc {
        plan.target.protocol = Protocol::Grpc { streams: 1, schema: Schema::Reflection };
        plan.request.grpc = Some(Grpc { method: GRPC_HEALTH.to_owned(), message: "{}".to_owned() });
    }
    if let (Some(address), Ok(url)) = (way.address, Url::parse(&way.url)) {
        let host = url.host_str().unwrap_or_default().to_owned();
        plan.target.reach.resolve = vec![Resolve { host, port: None, addresses: vec![address] }];
    }
    if way.route == Route::PortForward {
        plan.connections = FORWARDED_CONNECTIONS;
    }
    plan.name = match aim.kind {
        TargetKind::Service => format!("{}/{}:{}", aim.namespace, aim.name, aim.port),
        TargetKind::Pod => format!("{}/pod {}:{}", aim.namespace, aim.name, aim.port),
    };
    plan.target.service = Some(ServiceTarget {
        context: aim.context.name.clone(),
        kubeconfig: Some(aim.context.file.clone()),
        kind: aim.kind,
        namespace: aim.namespace.clone(),
        name: aim.name.clone(),
        port: aim.port,
        route: way.route,
        cluster: ClusterNote::default(),
    });
    note(clusters, &mut plan);
    Ok(plan)
}

/// The ways to a port of a Service, the usual one first.
pub(super) fn ways(link: &ClusterLink, service: &Service, port: &Port) -> Vec<WayIn> {
    if !port.is_tcp {
        return Vec::new();
    }
    let scheme = scheme(port);
    let way = |words: &str, place: String, route| WayIn {
        words: words.to_owned(),
        url: format!("{scheme}://{place}/"),
        route,
        address: None,
    };
    let balanced = if service.kind == ServiceKind::ExternalName { "by its name" } else { "load balancer" };
    let mut ways: Vec<WayIn> = service
        .external
        .iter()
        .map(|outside| way(balanced, format!("{}:{}", bracketed(outside), port.port), Route::Direct))
        .collect();
    let node = nodes(link).iter().find(|node| node.is_ready && !node.address.is_empty());
    if let (Some(node_port), Some(node)) = (port.node_port, node) {
        ways.push(way("node port", format!("{}:{node_port}", bracketed(&node.address)), Route::Direct));
    }
    if service.kind != ServiceKind::ExternalName {
        let place = format!("{}.{}.svc:{}", service.name, service.namespace, port.port);
        ways.push(way("through the API server", place, Route::PortForward));
    }
    let ingresses = link.seen.iter().flat_map(|seen| seen.ingresses.iter());
    ways.extend(ingresses.filter_map(|ingress| by_ingress(ingress, service, port)));
    ways
}

/// The way through an Ingress, where one is served and leads to this port.
fn by_ingress(ingress: &Ingress, service: &Service, port: &Port) -> Option<WayIn> {
    let leads_here = |rule: &&IngressRule| {
        rule.service == service.name && (rule.port == port.port.to_string() || rule.port == port.name)
    };
    if ingress.namespace != service.namespace {
        return None;
    }
    let address = ingress.addresses.first()?;
    // A host with a star needs a name that only a person can choose.
    let rule = ingress.rules.iter().filter(leads_here).find(|rule| !rule.host.contains('*'))?;
    let scheme = if rule.is_tls { "https" } else { "http" };
    let host = if rule.host.is_empty() { bracketed(address) } else { rule.host.clone() };
    // Some write patterns where a path should be.
    let is_path = rule.path.starts_with('/') && !rule.path.contains(['(', '*', '[', '$', '^', '?', '#', ' ']);
    let path = if is_path { &rule.path } else { "/" };
    Some(WayIn {
        words: format!("Ingress {}", ingress.name),
        url: format!("{scheme}://{host}{path}"),
        route: Route::Direct,
        address: address.parse().ok().filter(|_| !rule.host.is_empty()),
    })
}

/// Pods are reached from outside through the API server only.
fn way_to_pod(pod: &Pod, port: u16, name: &str) -> WayIn {
    let as_port = Port { name: name.to_owned(), port, ..Port::default() };
    WayIn {
        words: "through the API server".to_owned(),
        url: format!("{}://{}.{}.pod:{port}/", scheme(&as_port), pod.name, pod.namespace),
        route: Route::PortForward,
        address: None,
    }
}

/// Writes what is known of the cluster now into a plan that sends load there, and labels that nobody has written.
pub(super) fn note(clusters: &Clusters, plan: &mut Plan) {
    let Some(target) = &mut plan.target.service else { return };
    let link = clusters.links.iter().find(|(key, _)| {
        key.name == target.context && target.kubeconfig.as_ref().is_none_or(|file| *file == key.file)
    });
    let Some((_, link)) = link else { return };
    let Some(seen) = &link.seen else { return };
    let pods = match target.kind {
        TargetKind::Service => find(seen, &target.namespace, &target.name)
            .map(|service| pods_behind(service, seen))
            .unwrap_or_default(),
        TargetKind::Pod => find_pod(seen, &target.namespace, &target.name).into_iter().collect(),
    };
    let version = match &link.connection {
        Connection::Connected(facts) => facts.version.clone(),
        _ => target.cluster.version.clone(),
    };
    let named = |mesh: &Mesh| format!("{} {}", mesh.name, mesh.version()).trim_end().to_owned();
    target.cluster = ClusterNote {
        version,
        nodes: nodes_in_short(nodes(link)),
        meshes: seen.meshes.iter().map(named).collect(),
        workload: pods.first().map(|pod| pod.owner.clone()).unwrap_or_default(),
        images: pods.first().map(|pod| images(pod)).unwrap_or_default(),
        tunnel: None,
    };
    for (key, value) in labels(seen, &pods) {
        plan.labels.entry(key.to_owned()).or_insert(value);
    }
}

fn find<'a>(seen: &'a Inventory, namespace: &str, name: &str) -> Option<&'a Service> {
    seen.services
        .iter()
        .map(Arc::as_ref)
        .find(|service| service.namespace == namespace && service.name == name)
}

fn find_pod<'a>(seen: &'a Inventory, namespace: &str, name: &str) -> Option<&'a Pod> {
    seen.pods.iter().map(Arc::as_ref).find(|pod| pod.namespace == namespace && pod.name == name)
}

fn nodes(link: &ClusterLink) -> &[Node] {
    match &link.connection {
        Connection::Connected(facts) => facts.nodes.as_deref().unwrap_or_default(),
        _ => &[],
    }
}

/// An address of IPv6 as a URL has it.
fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

fn scheme(port: &Port) -> &'static str {
    let is_https = |name: &str| name == "https" || name.starts_with("https-") || name.ends_with("/https");
    if is_https(&port.name) || is_https(&port.app_protocol) || matches!(port.port, 443 | 8443) {
        "https"
    } else {
        "http"
    }
}

fn speaks_grpc<const N: usize>(names: [&str; N]) -> bool {
    let is = |name: &str| name == "grpc" || name.starts_with("grpc-") && !name.starts_with("grpc-web");
    names.into_iter().any(is)
}

fn images(pod: &Pod) -> Vec<String> {
    pod.containers
        .iter()
        .filter(|container| !container.is_init)
        .map(|container| container.image.clone())
        .collect()
}

/// `mesh`, `mesh_version` and `app_version`, as far as pods and control planes tell.
fn labels(seen: &Inventory, pods: &[&Pod]) -> Vec<(&'static str, String)> {
    let mut labels = Vec::new();
    let kinds = pods.first().map(|pod| meshes_of(pod)).unwrap_or_default();
    match kinds.first() {
        Some(kind) => {
            labels.push(("mesh", kind.key().to_owned()));
            let version = seen.meshes.iter().find(|mesh| mesh.kind == *kind).map(Mesh::version);
            labels.extend(
                version.filter(|version| !version.is_empty()).map(|version| ("mesh_version", version)),
            );
        }
        None if !pods.is_empty() => labels.push(("mesh", "none".to_owned())),
        None => {}
    }
    let version = pods.first().and_then(|pod| {
        pod.labels.get("app.kubernetes.io/version").or_else(|| pod.labels.get("version")).cloned()
    });
    labels.extend(version.map(|version| ("app_version", version)));
    labels
}

/// `3 nodes, amd64, 12 CPUs, kubelet v1.36.2`; empty where none is known.
#[must_use]
pub(super) fn nodes_in_short(nodes: &[Node]) -> String {
    if nodes.is_empty() {
        return String::new();
    }
    let distinct = |part: fn(&Node) -> &str| {
        let mut parts: Vec<&str> = nodes.iter().map(part).filter(|part| !part.is_empty()).collect();
        parts.sort_unstable();
        parts.dedup();
        parts.join(" and ")
    };
    let cpus = nodes.iter().map(|node| node.capacity.cpu_millis).sum::<u64>() / 1000;
    let count = if nodes.len() == 1 { "1 node".to_owned() } else { format!("{} nodes", nodes.len()) };
    let mut words = vec![count];
    words.extend(Some(distinct(|node| &node.architecture)).filter(|part| !part.is_empty()));
    words.push(format!("{cpus} CPUs"));
    words.extend(
        Some(distinct(|node| &node.kubelet))
            .filter(|part| !part.is_empty())
            .map(|part| format!("kubelet {part}")),
    );
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::model::cluster::{ClusterFacts, ContextKey, Resources};
    use crate::model::inventory::{Container, Marks};

    fn marks(pairs: &[(&str, &str)]) -> Marks {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn key() -> ContextKey {
        ContextKey { file: PathBuf::from("/k"), name: "dev".to_owned() }
    }

    fn clusters(service: Service) -> Clusters {
        let pod = Pod {
            namespace: "shop".to_owned(),
            name: "web-0".to_owned(),
            labels: marks(&[("app", "web"), ("version", "v2")]),
            owner: "Deployment/web".to_owned(),
            containers: vec![
                Container {
                    name: "web".to_owned(),
                    image: "web:2".to_owned(),
                    is_init: false,
                    ports: Vec::new(),
                },
                Container {
                    name: "istio-proxy".to_owned(),
                    image: "istio/proxyv2:1.24.2".to_owned(),
                    is_init: true,
                    ports: Vec::new(),
                },
            ],
            ..Pod::default()
        };
        let mut seen = Inventory {
            services: Arc::new(vec![Arc::new(service)]),
            pods: Arc::new(vec![Arc::new(pod)]),
            ..Inventory::default()
        };
        seen.meshes = Arc::new(crate::model::mesh::detect(&seen, None));
        let node = Node {
            is_ready: true,
            address: "192.0.2.7".to_owned(),
            architecture: "amd64".to_owned(),
            kubelet: "v1.36.2".to_owned(),
            capacity: Resources { cpu_millis: 4000, memory_bytes: 1 },
            ..Node::default()
        };
        let facts = ClusterFacts {
            version: "v1.36.2".to_owned(),
            platform: String::new(),
            latency: std::time::Duration::ZERO,
            identity: None,
            rights: Vec::new(),
            nodes: Ok(vec![node.clone(), node]),
            remarks: Vec::new(),
        };
        let connection = Connection::Connected(Box::new(facts));
        let link = ClusterLink { number: 1, connection, seen: Some(Arc::new(seen)), revision: 1 };
        Clusters { links: [(key(), link)].into(), ..Clusters::default() }
    }

    fn service(kind: ServiceKind, port: Port) -> Service {
        Service {
            namespace: "shop".to_owned(),
            name: "web".to_owned(),
            selector: marks(&[("app", "web")]),
            kind,
            ports: vec![port],
            ..Service::default()
        }
    }

    fn aim(port: u16) -> Aim {
        let kind = TargetKind::Service;
        Aim { context: key(), kind, namespace: "shop".to_owned(), name: "web".to_owned(), port, url: None }
    }

    fn tcp(port: u16, name: &str) -> Port {
        Port { port, name: name.to_owned(), target: port.to_string(), is_tcp: true, ..Port::default() }
    }

    #[test]
    fn a_service_inside_is_reached_through_the_api_server_and_labelled_by_what_was_seen() {
        let plan =
            plan(&clusters(service(ServiceKind::ClusterIp, tcp(80, "http"))), &aim(80)).expect("a plan");
        assert_eq!(
            (plan.target.url.as_str(), plan.connections),
            ("http://web.shop.svc:80/", FORWARDED_CONNECTIONS)
        );
        let target = plan.target.service.as_ref().expect("a Service");
        assert_eq!((target.route, target.cluster.workload.as_str()), (Route::PortForward, "Deployment/web"));
        assert_eq!(target.cluster.nodes, "2 nodes, amd64, 8 CPUs, kubelet v1.36.2");
        assert_eq!(
            (target.cluster.images.as_slice(), target.cluster.version.as_str()),
            (&["web:2".to_owned()][..], "v1.36.2")
        );
        assert_eq!((plan.labels["mesh"].as_str(), plan.labels["app_version"].as_str()), ("istio", "v2"));
        assert_eq!(plan.problems(), []);
        assert_eq!(Plan::from_toml(&plan.to_toml()).as_ref(), Ok(&plan), "{}", plan.to_toml());
    }

    #[test]
    fn what_is_open_to_the_outside_is_reached_there() {
        let node_port = Port { node_port: Some(31000), ..tcp(443, "https") };
        let plan_of = |service: Service| plan(&clusters(service), &aim(443)).expect("a plan").target;
        let by_node = plan_of(service(ServiceKind::NodePort, node_port.clone()));
        assert_eq!(by_node.url, "https://192.0.2.7:31000/");
        let mut balanced = service(ServiceKind::LoadBalancer, node_port);
        balanced.external = vec!["2001:db8::1".to_owned()];
        let balanced = plan_of(balanced);
        assert_eq!(balanced.url, "https://[2001:db8::1]:443/");
        assert_eq!(balanced.service.map(|service| service.route), Some(Route::Direct));
    }

    #[test]
    fn what_a_port_speaks_is_told_by_its_name() {
        let grpc =
            plan(&clusters(service(ServiceKind::ClusterIp, tcp(9000, "grpc"))), &aim(9000)).expect("a plan");
        assert!(matches!(grpc.target.protocol, Protocol::Grpc { .. }) && grpc.problems().is_empty());
        let udp = Port { is_tcp: false, ..tcp(53, "dns") };
        let refused = plan(&clusters(service(ServiceKind::ClusterIp, udp)), &aim(53)).expect_err("UDP");
        assert!(refused.contains("not TCP"), "{refused}");
        let gone = plan(&clusters(service(ServiceKind::ClusterIp, tcp(80, ""))), &aim(81))
            .expect_err("no such port");
        assert!(gone.contains("no port 81"), "{gone}");
    }

    #[test]
    fn each_way_to_a_service_can_be_taken() {
        let node_port = Port { node_port: Some(31000), ..tcp(80, "http") };
        let mut balanced = service(ServiceKind::LoadBalancer, node_port);
        balanced.external = vec!["198.51.100.4".to_owned()];
        let mut clusters = clusters(balanced);
        let rule = |host: &str, path: &str, port: &str| IngressRule {
            host: host.to_owned(),
            path: path.to_owned(),
            is_tls: !host.is_empty(),
            service: "web".to_owned(),
            port: port.to_owned(),
        };
        let ingress = |name: &str, rules| {
            let addresses = vec!["203.0.113.9".to_owned()];
            Arc::new(Ingress { namespace: "shop".to_owned(), name: name.to_owned(), addresses, rules })
        };
        let link = clusters.links.get_mut(&key()).expect("a link");
        let mut seen = (**link.seen.as_ref().expect("an inventory")).clone();
        seen.ingresses = Arc::new(vec![
            ingress("front", vec![rule("*.shop.test", "/", "80"), rule("shop.test", "/cart", "http")]),
            ingress("plain", vec![rule("", "/a(/|$)(.*)", "80")]),
            ingress("other", vec![rule("shop.test", "/", "9090")]),
            Arc::new(Ingress {
                addresses: Vec::new(),
                ..(*ingress("unserved", vec![rule("", "/", "80")])).clone()
            }),
        ]);
        link.seen = Some(Arc::new(seen));
        let of = clusters.links[&key()].seen.as_ref().expect("an inventory").services[0].clone();
        let ways = clusters.ways(&key(), &of, &of.ports[0]);
        let told: Vec<_> = ways.iter().map(|way| (way.words.as_str(), way.url.as_str())).collect();
        assert_eq!(
            told,
            [
                ("load balancer", "http://198.51.100.4:80/"),
                ("node port", "http://192.0.2.7:31000/"),
                ("through the API server", "http://web.shop.svc:80/"),
                ("Ingress front", "https://shop.test/cart"),
                ("Ingress plain", "http://203.0.113.9/"),
            ]
        );
        let by = |url: &str| plan(&clusters, &Aim { url: Some(url.to_owned()), ..aim(80) });
        let front = by("https://shop.test/cart").expect("a plan");
        let given = &front.target.reach.resolve[0];
        assert_eq!(
            (given.host.as_str(), given.addresses[0].to_string()),
            ("shop.test", "203.0.113.9".to_owned())
        );
        assert_eq!(
            (front.problems(), front.target.service.map(|it| it.route)),
            (vec![], Some(Route::Direct))
        );
        assert!(by("http://gone.test/").expect_err("no such way").contains("any more"));
    }

    #[test]
    fn a_pod_is_reached_through_the_api_server_and_labelled_by_itself() {
        let clusters = clusters(service(ServiceKind::ClusterIp, tcp(80, "http")));
        let aim = Aim { kind: TargetKind::Pod, name: "web-0".to_owned(), ..aim(8080) };
        let plan = plan(&clusters, &aim).expect("a plan");
        assert_eq!(
            (plan.target.url.as_str(), plan.name.as_str()),
            ("http://web-0.shop.pod:8080/", "shop/pod web-0:8080")
        );
        let target = plan.target.service.as_ref().expect("a target");
        assert_eq!(
            (target.route, target.cluster.images.as_slice()),
            (Route::PortForward, &["web:2".to_owned()][..])
        );
        assert_eq!(plan.labels["app_version"], "v2");
        assert_eq!(Plan::from_toml(&plan.to_toml()).as_ref(), Ok(&plan), "{}", plan.to_toml());
    }

    #[test]
    fn labels_that_a_person_wrote_are_kept() {
        let clusters = clusters(service(ServiceKind::ClusterIp, tcp(80, "http")));
        let mut plan = plan(&clusters, &aim(80)).expect("a plan");
        plan.labels.insert("mesh".to_owned(), "mine".to_owned());
        note(&clusters, &mut plan);
        assert_eq!(plan.labels["mesh"], "mine");
    }
}
