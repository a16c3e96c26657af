//! What a cluster tells of itself and of us.

use std::time::{Duration, Instant};

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::api::{ListParams, PostParams};
use kube::{Api, Client};

use crate::model::cluster::{ClusterFacts, Identity, Node, Resources, Right};

/// The median of so many small questions is the API's latency.
const QUESTIONS: usize = 5;
/// The most nodes that are listed.
const NODES_MAX: u32 = 5000;

/// What Meshbench's functions need: verb, group, resource with subresource, whether it is of the cluster and not of a
/// namespace, in words, and what for.
const NEEDED: [(&str, &str, &str, bool, &str, &str); 10] = [
    ("list", "", "namespaces", true, "list namespaces", "see what is injected"),
    ("list", "", "nodes", true, "list nodes", "keep with each result what it ran on"),
    ("list", "", "pods", true, "list pods everywhere", "see workloads and proxies of all namespaces"),
    ("list", "", "pods", false, "list pods", "see workloads and proxies"),
    ("list", "", "services", false, "list services", "choose what to send load to"),
    ("list", "apps", "deployments", false, "list deployments", "see workloads and control planes"),
    ("create", "", "pods/portforward", false, "forward ports", "send load through the API server"),
    ("patch", "", "namespaces", true, "label namespaces", "switch injection on and off"),
    ("create", "apps", "deployments", false, "create deployments", "install sample applications"),
    ("create", "batch", "jobs", false, "create jobs", "send load from inside the cluster"),
];

pub(super) async fn ask(client: &Client, namespace: &str) -> Result<ClusterFacts, kube::Error> {
    let version = client.apiserver_version().await?;
    let (latency, identity, rights, nodes) =
        tokio::join!(latency(client), who_am_i(client), rights(client, namespace), nodes(client),);
    Ok(ClusterFacts {
        version: version.git_version,
        platform: version.platform,
        latency: latency?,
        identity,
        rights,
        nodes,
        remarks: Vec::new(),
    })
}

async fn latency(client: &Client) -> Result<Duration, kube::Error> {
    let mut took = [Duration::ZERO; QUESTIONS];
    for took in &mut took {
        let begun = Instant::now();
        client.apiserver_version().await?;
        *took = begun.elapsed();
    }
    took.sort_unstable();
    Ok(took[QUESTIONS / 2])
}

/// Older clusters do not tell.
async fn who_am_i(client: &Client) -> Option<Identity> {
    let api: Api<SelfSubjectReview> = Api::all(client.clone());
    let review = api.create(&PostParams::default(), &SelfSubjectReview::default()).await.ok()?;
    let user = review.status?.user_info?;
    Some(Identity {
        user: user.username.unwrap_or_default(),
        groups: user.groups.unwrap_or_default().into_iter().filter(|group| !group.is_empty()).collect(),
    })
}

async fn rights(client: &Client, namespace: &str) -> Vec<Right> {
    let api: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let mut rights = Vec::new();
    for (verb, group, resource, is_of_cluster, what, why) in NEEDED {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let asked = ResourceAttributes {
            verb: Some(verb.to_owned()),
            group: Some(group.to_owned()),
            resource: Some(resource.to_owned()),
            subresource: Some(subresource.to_owned()).filter(|name| !name.is_empty()),
            namespace: (!is_of_cluster).then(|| namespace.to_owned()),
            ..ResourceAttributes::default()
        };
        let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(asked), ..Default::default() };
        let review = SelfSubjectAccessReview { spec, ..Default::default() };
        let told = api.create(&PostParams::default(), &review).await;
        let is_allowed = told.ok().and_then(|review| review.status).map(|status| status.allowed);
        rights.push(Right { what, why, is_allowed });
    }
    rights
}

async fn nodes(client: &Client) -> Result<Vec<Node>, String> {
    let api: Api<core::Node> = Api::all(client.clone());
    match api.list(&ListParams::default().limit(NODES_MAX)).await {
        Ok(listed) => Ok(listed.items.into_iter().map(node).collect()),
        Err(kube::Error::Api(status)) if status.is_forbidden() => {
            Err("You are not allowed to list nodes".to_owned())
        }
        Err(error) => Err(super::words::chain(&error)),
    }
}

fn node(object: core::Node) -> Node {
    let status = object.status.unwrap_or_default();
    let info = status.node_info.unwrap_or_default();
    let labels = object.metadata.labels.unwrap_or_default();
    let role = |key: &String| key.strip_prefix("node-role.kubernetes.io/").map(str::to_owned);
    let ready = status.conditions.iter().flatten().find(|condition| condition.type_ == "Ready");
    let resources = |amounts: Option<std::collections::BTreeMap<String, Quantity>>| {
        let amounts = amounts.unwrap_or_default();
        let amount = |key: &str| amounts.get(key).and_then(|amount| quantity(&amount.0)).unwrap_or(0.0);
        Resources {
            cpu_millis: (amount("cpu") * 1000.0).round() as u64,
            memory_bytes: amount("memory") as u64,
        }
    };
    let addresses = status.addresses.unwrap_or_default();
    let at =
        |kind: &str| addresses.iter().find(|place| place.type_ == kind).map(|place| place.address.clone());
    Node {
        address: at("ExternalIP").or_else(|| at("InternalIP")).unwrap_or_default(),
        name: object.metadata.name.unwrap_or_default(),
        roles: labels.keys().filter_map(role).collect(),
        is_ready: ready.is_some_and(|condition| condition.status == "True"),
        os: info.os_image,
        kubelet: info.kubelet_version,
        runtime: info.container_runtime_version,
        architecture: info.architecture,
        capacity: resources(status.capacity),
        allocatable: resources(status.allocatable),
    }
}

/// An amount as Kubernetes writes it: `4`, `3920m`, `16393448Ki`, `1e3`. None where it is none.
pub(super) fn quantity(text: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 13] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
    ];
    let (number, factor) = UNITS
        .iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))
        .unwrap_or((text, 1.0));
    number
        .parse::<f64>()
        .ok()
        .map(|number| number * factor)
        .filter(|amount| amount.is_finite() && *amount >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_kubernetes_writes_them() {
        for (text, amount) in [
            ("4", Some(4.0)),
            ("3920m", Some(3.92)),
            ("16393448Ki", Some(16_393_448.0 * 1024.0)),
            ("2Gi", Some(2_147_483_648.0)),
            ("1e3", Some(1000.0)),
            ("1500k", Some(1_500_000.0)),
            ("-1", None),
            ("", None),
            ("Ki", None),
            ("inf", None),
        ] {
            assert_eq!(quantity(text), amount, "{text}");
        }
    }

    #[test]
    fn a_node_is_read_whole() {
        let object = serde_json::from_str(
            r#"{"metadata": {"name": "n1", "labels": {"node-role.kubernetes.io/control-plane": "", "zone": "a"}},
               "status": {"capacity": {"cpu": "8", "memory": "16Gi"}, "allocatable": {"cpu": "7910m", "memory": "15Gi"},
                "conditions": [{"type": "Ready", "status": "True"}],
                "nodeInfo": {"osImage": "Debian GNU/Linux 12 (bookworm)", "kubeletVersion": "v1.36.2", "architecture": "amd64",
                  "containerRuntimeVersion": "containerd://2.0.1", "bootID": "", "kernelVersion": "", "kubeProxyVersion": "",
                  "machineID": "", "operatingSystem": "linux", "systemUUID": ""}}}"#,
        );
        let node = node(object.expect("a node"));
        assert_eq!(node.roles, ["control-plane"]);
        assert_eq!((node.capacity.cpu_millis, node.allocatable.cpu_millis), (8000, 7910));
        assert_eq!(node.allocatable.memory_bytes, 15 * 1024 * 1024 * 1024);
        assert!(node.is_ready && node.kubelet == "v1.36.2" && node.runtime == "containerd://2.0.1");
    }
}
