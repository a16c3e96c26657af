//! What Kubernetes tells of its objects, cut down to what Meshbench looks at: pure.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::networking::v1 as networking;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::model::inventory::{
    Container, ContainerPort, Ingress, IngressRule, Marks, Namespace, Pod, Port, Service, ServiceKind,
    Template, Workload, WorkloadKind,
};

/// Longer values of annotations are left out: they are records of tools, not marks.
const ANNOTATION_BYTES_MAX: usize = 256;
/// The most labels, and annotations, of one object that are kept; Kubernetes bounds their bytes only.
const MARKS_MAX: usize = 64;
/// The most ports of one container that are kept.
const PORTS_MAX: usize = 32;
/// The most rules of one Ingress that are kept.
const RULES_MAX: usize = 256;

pub(super) fn namespace(meta: ObjectMeta) -> Namespace {
    Namespace {
        name: meta.name.unwrap_or_default(),
        labels: kept(meta.labels),
        annotations: kept(meta.annotations),
    }
}

pub(super) fn deployment(object: Deployment) -> Workload {
    let (spec, status) = (object.spec.unwrap_or_default(), object.status.unwrap_or_default());
    // What is not said is one.
    let pods = (status.ready_replicas.unwrap_or(0), spec.replicas.unwrap_or(1));
    workload(WorkloadKind::Deployment, object.metadata, spec.template, pods)
}

pub(super) fn stateful_set(object: StatefulSet) -> Workload {
    let (spec, status) = (object.spec.unwrap_or_default(), object.status.unwrap_or_default());
    let pods = (status.ready_replicas.unwrap_or(0), spec.replicas.unwrap_or(1));
    workload(WorkloadKind::StatefulSet, object.metadata, spec.template, pods)
}

pub(super) fn daemon_set(object: DaemonSet) -> Workload {
    let (spec, status) = (object.spec.unwrap_or_default(), object.status.unwrap_or_default());
    let pods = (status.number_ready, status.desired_number_scheduled);
    workload(WorkloadKind::DaemonSet, object.metadata, spec.template, pods)
}

fn workload(
    kind: WorkloadKind,
    meta: ObjectMeta,
    template: core::PodTemplateSpec,
    (ready, wanted): (i32, i32),
) -> Workload {
    let marks = template.metadata.unwrap_or_default();
    Workload {
        kind,
        namespace: meta.namespace.unwrap_or_default(),
        name: meta.name.unwrap_or_default(),
        labels: kept(meta.labels),
        containers: template.spec.map(|spec| containers(&spec)).unwrap_or_default(),
        template: Template { labels: kept(marks.labels), annotations: kept(marks.annotations) },
        ready: u32::try_from(ready).unwrap_or(0),
        wanted: u32::try_from(wanted).unwrap_or(0),
    }
}

pub(super) fn pod(object: core::Pod) -> Pod {
    let (meta, status) = (object.metadata, object.status.unwrap_or_default());
    let labels = kept(meta.labels.clone());
    let phase = match meta.deletion_timestamp {
        Some(_) => "Terminating".to_owned(),
        None => trouble(&status).unwrap_or_else(|| status.phase.clone().unwrap_or_default()),
    };
    let ready = status.conditions.iter().flatten().find(|condition| condition.type_ == "Ready");
    let is_ready = ready.is_some_and(|condition| condition.status == "True");
    Pod {
        owner: owner(&meta, &labels),
        namespace: meta.namespace.unwrap_or_default(),
        name: meta.name.unwrap_or_default(),
        labels,
        annotations: kept(meta.annotations),
        containers: object.spec.as_ref().map(containers).unwrap_or_default(),
        phase,
        is_ready,
        has_host_network: object.spec.as_ref().and_then(|spec| spec.host_network).unwrap_or(false),
        node: object.spec.and_then(|spec| spec.node_name).unwrap_or_default(),
        ip: status.pod_ip.unwrap_or_default(),
    }
}

/// Why a container does not run, as kubectl shows it.
fn trouble(status: &core::PodStatus) -> Option<String> {
    let containers = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    let reason = |state: &core::ContainerState| {
        let waits = state.waiting.as_ref().and_then(|waiting| waiting.reason.clone());
        let ended = || {
            let ended = state.terminated.as_ref().filter(|ended| ended.exit_code != 0);
            ended.and_then(|ended| ended.reason.clone())
        };
        waits.or_else(ended)
    };
    let usual = ["PodInitializing", "ContainerCreating", "Completed"];
    containers
        .filter_map(|container| reason(container.state.as_ref()?))
        .find(|reason| !usual.contains(&reason.as_str()))
        .or_else(|| status.reason.clone())
}

/// The workload that keeps a pod going: of a replica set its deployment, by the hash at the end of its name.
fn owner(meta: &ObjectMeta, labels: &Marks) -> String {
    let owners = meta.owner_references.iter().flatten();
    let Some(owner) = owners.into_iter().find(|owner| owner.controller == Some(true)) else {
        return String::new();
    };
    let hash = labels.get("pod-template-hash");
    let deployment = hash.and_then(|hash| owner.name.strip_suffix(hash.as_str())?.strip_suffix('-'));
    match deployment.filter(|_| owner.kind == "ReplicaSet") {
        Some(name) => format!("Deployment/{name}"),
        None => format!("{}/{}", owner.kind, owner.name),
    }
}

fn containers(spec: &core::PodSpec) -> Vec<Container> {
    let read = |container: &core::Container, is_init| Container {
        name: container.name.clone(),
        image: container.image.clone().unwrap_or_default(),
        is_init,
        ports: container.ports.iter().flatten().filter_map(container_port).take(PORTS_MAX).collect(),
    };
    let plain = spec.containers.iter().map(|container| read(container, false));
    plain.chain(spec.init_containers.iter().flatten().map(|container| read(container, true))).collect()
}

fn container_port(port: &core::ContainerPort) -> Option<ContainerPort> {
    let number = u16::try_from(port.container_port).ok().filter(|number| *number > 0)?;
    let is_tcp = port.protocol.as_deref().is_none_or(|protocol| protocol == "TCP");
    is_tcp.then(|| ContainerPort { name: port.name.clone().unwrap_or_default(), port: number })
}

pub(super) fn ingress(object: networking::Ingress) -> Ingress {
    let (meta, spec) = (object.metadata, object.spec.unwrap_or_default());
    let served = object.status.and_then(|status| status.load_balancer).and_then(|balancer| balancer.ingress);
    let addresses = served.into_iter().flatten().filter_map(|place| place.ip.or(place.hostname)).collect();
    let secure: Vec<String> =
        spec.tls.into_iter().flatten().flat_map(|tls| tls.hosts.unwrap_or_default()).collect();
    let rule = |host: &str, path: &str, backend: networking::IngressBackend| {
        let service = backend.service?;
        let port = service.port.and_then(|port| port.name.or(port.number.map(|number| number.to_string())));
        Some(IngressRule {
            host: host.to_owned(),
            path: path.to_owned(),
            is_tls: secure.iter().any(|name| name == host),
            service: service.name,
            port: port?,
        })
    };
    let mut rules: Vec<IngressRule> = Vec::new();
    for of in spec.rules.into_iter().flatten() {
        let host = of.host.unwrap_or_default();
        let paths = of.http.map(|http| http.paths).unwrap_or_default();
        rules.extend(
            paths.into_iter().filter_map(|at| rule(&host, at.path.as_deref().unwrap_or("/"), at.backend)),
        );
    }
    rules.extend(spec.default_backend.and_then(|backend| rule("", "/", backend)));
    rules.truncate(RULES_MAX);
    Ingress {
        namespace: meta.namespace.unwrap_or_default(),
        name: meta.name.unwrap_or_default(),
        addresses,
        rules,
    }
}

pub(super) fn service(object: core::Service) -> Service {
    let (meta, spec) = (object.metadata, object.spec.unwrap_or_default());
    let kind = match spec.type_.as_deref() {
        Some("NodePort") => ServiceKind::NodePort,
        Some("LoadBalancer") => ServiceKind::LoadBalancer,
        Some("ExternalName") => ServiceKind::ExternalName,
        _ if spec.cluster_ip.as_deref() == Some("None") => ServiceKind::Headless,
        _ => ServiceKind::ClusterIp,
    };
    let balancers =
        object.status.and_then(|status| status.load_balancer).and_then(|balancer| balancer.ingress);
    let mut external: Vec<String> =
        balancers.into_iter().flatten().filter_map(|place| place.hostname.or(place.ip)).collect();
    external.extend(spec.external_ips.into_iter().flatten());
    external.extend(spec.external_name);
    Service {
        namespace: meta.namespace.unwrap_or_default(),
        name: meta.name.unwrap_or_default(),
        labels: kept(meta.labels),
        selector: spec.selector.unwrap_or_default(),
        kind,
        ports: spec.ports.into_iter().flatten().map(port).collect(),
        external,
    }
}

fn port(port: core::ServicePort) -> Port {
    let number = |number: i32| u16::try_from(number).unwrap_or(0);
    let target = match port.target_port {
        Some(IntOrString::Int(number)) => number.to_string(),
        Some(IntOrString::String(name)) => name,
        None => port.port.to_string(),
    };
    Port {
        name: port.name.unwrap_or_default(),
        port: number(port.port),
        target,
        node_port: port.node_port.map(number),
        app_protocol: port.app_protocol.unwrap_or_default(),
        is_tcp: port.protocol.is_none_or(|protocol| protocol == "TCP"),
    }
}

fn kept(marks: Option<BTreeMap<String, String>>) -> Marks {
    let marks = marks.into_iter().flatten();
    marks.filter(|(_, value)| value.len() <= ANNOTATION_BYTES_MAX).take(MARKS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: serde::de::DeserializeOwned>(json: &str) -> T {
        serde_json::from_str(json).expect("an object")
    }

    #[test]
    fn a_pod_is_cut_down_to_what_is_looked_at() {
        let long = "x".repeat(ANNOTATION_BYTES_MAX + 1);
        let object = read(&format!(
            r#"{{"metadata": {{"name": "web-5d9f-abc", "namespace": "shop",
                "labels": {{"app": "web", "pod-template-hash": "5d9f"}},
                "annotations": {{"long": "{long}", "sidecar.istio.io/status": "{{}}"}},
                "ownerReferences": [{{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d9f", "uid": "1", "controller": true}}]}},
               "spec": {{"nodeName": "n1", "containers": [{{"name": "web", "image": "web:1"}}],
                "initContainers": [{{"name": "istio-proxy", "image": "istio/proxyv2:1.24.2"}}]}},
               "status": {{"phase": "Running", "podIP": "10.0.0.1", "conditions": [{{"type": "Ready", "status": "True"}}]}}}}"#
        ));
        let pod = pod(object);
        assert_eq!(
            (pod.owner.as_str(), pod.phase.as_str(), pod.is_ready),
            ("Deployment/web", "Running", true)
        );
        assert_eq!(pod.annotations.keys().collect::<Vec<_>>(), ["sidecar.istio.io/status"]);
        assert!(pod.container("istio-proxy").is_some_and(|proxy| proxy.is_init));
        assert_eq!((pod.node.as_str(), pod.ip.as_str()), ("n1", "10.0.0.1"));
    }

    #[test]
    fn why_a_pod_does_not_run_is_its_phase() {
        let crashing = read(
            r#"{"status": {"phase": "Running", "containerStatuses": [{"name": "a", "image": "a", "imageID": "", "ready": false,
                "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}}"#,
        );
        assert_eq!(pod(crashing).phase, "CrashLoopBackOff");
        let creating = read(
            r#"{"status": {"phase": "Pending", "containerStatuses": [{"name": "a", "image": "a", "imageID": "", "ready": false,
                "restartCount": 0, "state": {"waiting": {"reason": "ContainerCreating"}}}]}}"#,
        );
        assert_eq!(pod(creating).phase, "Pending");
        let going = read(
            r#"{"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "status": {"phase": "Running"}}"#,
        );
        assert_eq!(pod(going).phase, "Terminating");
        assert_eq!(pod(read(r#"{"status": {"phase": "Failed", "reason": "Evicted"}}"#)).phase, "Evicted");
        assert_eq!(pod(read("{}")).phase, "");
    }

    #[test]
    fn services_say_how_they_are_reached() {
        let balanced = service(read(
            r#"{"metadata": {"name": "web", "namespace": "shop"},
                "spec": {"type": "LoadBalancer", "selector": {"app": "web"}, "clusterIP": "10.1.1.1",
                 "ports": [{"port": 80, "targetPort": "http", "nodePort": 31000, "name": "http"},
                           {"port": 53, "protocol": "UDP"}]},
                "status": {"loadBalancer": {"ingress": [{"hostname": "lb.test"}, {"ip": "192.0.2.1"}]}}}"#,
        ));
        assert_eq!(
            (balanced.kind, balanced.external.as_slice()),
            (ServiceKind::LoadBalancer, &["lb.test".to_owned(), "192.0.2.1".to_owned()][..])
        );
        let ports: Vec<_> = balanced
            .ports
            .iter()
            .map(|port| (port.port, &*port.target, port.node_port, port.is_tcp))
            .collect();
        assert_eq!(ports, [(80, "http", Some(31000), true), (53, "53", None, false)]);
        let headless = service(read(r#"{"spec": {"clusterIP": "None"}}"#));
        assert_eq!(headless.kind, ServiceKind::Headless);
        let named = service(read(r#"{"spec": {"type": "ExternalName", "externalName": "db.test"}}"#));
        assert_eq!(
            (named.kind, named.external.as_slice()),
            (ServiceKind::ExternalName, &["db.test".to_owned()][..])
        );
    }

    #[test]
    fn workloads_say_how_many_pods_they_want() {
        let web = deployment(read(
            r#"{"metadata": {"name": "web"}, "spec": {"selector": {}, "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}}},
                "status": {"readyReplicas": 1}}"#,
        ));
        assert_eq!((web.ready, web.wanted, web.template.labels.len()), (1, 1, 1));
        let none = deployment(read(r#"{"spec": {"replicas": 0, "selector": {}, "template": {}}}"#));
        assert_eq!((none.ready, none.wanted), (0, 0));
    }
}
