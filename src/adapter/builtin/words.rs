//! What operations and steps are, in words.

use std::collections::BTreeMap;

use super::{Deed, Mtls, Operable};
use crate::model::adapter::{Marked, Step};
use crate::model::manifest;

/// The most kinds of objects that a sentence names.
const KINDS_MAX: usize = 6;

/// What is offered, with the parameters that its body may have.
pub(super) fn offer(mesh: Operable, deed: Deed) -> String {
    let name = mesh.name();
    let rule = "takes the place of Meshbench's other rule for this Service";
    let second = if mesh == Operable::Kuma { " (Kuma 2 only)" } else { "" };
    match deed {
        Deed::Install => install(mesh),
        Deed::Sample(sample) => sample.text().to_owned(),
        Deed::Inject if mesh == Operable::IstioAmbient => {
            "Make a namespace's pods part of it; they need not start anew".to_owned()
        }
        Deed::Inject if mesh == Operable::Istio => {
            "Inject a namespace: pods get a proxy when they start next (revision: of the control plane)"
                .to_owned()
        }
        Deed::Inject => "Inject a namespace: pods get a proxy when they start next".to_owned(),
        Deed::InjectAndRestart => match mesh {
            Operable::Istio => {
                "Inject a namespace and start its pods anew (revision: of the control plane)".to_owned()
            }
            Operable::NetworkServiceMesh => {
                "Connect a namespace's workloads to a network service; their pods start anew (service: \
                 my-network-service)"
                    .to_owned()
            }
            Operable::Consul => "Inject a namespace's workloads; their pods start anew".to_owned(),
            _ => "Inject a namespace and start its pods anew".to_owned(),
        },
        Deed::Mtls(mode) => mtls(mesh, mode),
        Deed::DenyAll => match mesh {
            Operable::Linkerd => "Deny every request to a port of a namespace's pods (port: 8080)".to_owned(),
            Operable::Consul => {
                "Deny every connection between services that no other intention allows".to_owned()
            }
            Operable::Kuma => {
                "Deny every request to services; applied in its system namespace for the whole mesh, in another one for \
                 that namespace (Kuma 2 only)"
                    .to_owned()
            }
            _ => "Deny every request to a namespace's pods".to_owned(),
        },
        Deed::Split => format!(
            "Traffic split: send a share of requests to another version; {rule} (service: echo, port: 80, target_port: 8080, stable: v1, \
             canary: v2, percent: 10)"
        ),
        Deed::Delay => format!(
            "Fault injection: answer late; {rule} (service: echo, port: 80, delay: 100ms, percent: 100){second}"
        ),
        Deed::Abort => format!(
            "Fault injection: answer with an error; {rule} (service: echo, port: 80, status: 503, percent: 10){second}"
        ),
        Deed::Retries => format!(
            "Retries: send requests that failed again; {rule} (service: echo, port: 80, attempts: 3, per_try: 2s)"
        ),
        Deed::Timeout => {
            format!(
                "Timeout: give up on answers that take too long; {rule} (service: echo, port: 80, timeout: 2s)"
            )
        }
        Deed::Waypoint => "Waypoint: a proxy for a namespace's HTTP, which traffic rules need".to_owned(),
        Deed::Validate => format!("Look for mistakes with {name} and other meshes"),
        Deed::Custom => "Apply any manifest; the same manifest takes its objects away again".to_owned(),
    }
}

fn install(mesh: Operable) -> String {
    match mesh {
        Operable::Cilium => {
            "Install or upgrade Cilium with Helm, in a cluster without another network; never on top of one"
                .to_owned()
        }
        Operable::NetworkServiceMesh => {
            "Install Network Service Mesh: it has no chart; says how to do it with kubectl".to_owned()
        }
        Operable::Linkerd => {
            "Install or upgrade Linkerd with Helm; makes its certificates where the values have none"
                .to_owned()
        }
        _ => format!("Install or upgrade {} with Helm", mesh.name()),
    }
}

fn mtls(mesh: Operable, mode: Mtls) -> String {
    let scope = match mesh {
        Operable::Consul | Operable::Kuma => "the whole mesh",
        _ => "a namespace",
    };
    let words = match mode {
        Mtls::Strict => "Mutual TLS strict: refuse connections without it",
        Mtls::Permissive => "Mutual TLS permissive: take connections with and without it",
        Mtls::Off => "No mutual TLS: connections are neither encrypted nor authenticated",
    };
    let remark = match mesh {
        Operable::Linkerd => "; its pods start anew",
        Operable::Cilium => "; Cilium's mutual authentication must be switched on, else nothing passes",
        Operable::Kuma if mode == Mtls::Strict => {
            "; what no MeshTrafficPermission allows is refused (Kuma 2 only: Kuma 3 looks at MeshIdentity and MeshTLS)"
        }
        Operable::Kuma => " (Kuma 2 only: Kuma 3 looks at MeshIdentity and MeshTLS)",
        _ => "",
    };
    format!("{words} ({scope}){remark}")
}

/// What each step will do, for a question before it is done.
#[must_use]
pub fn describe(steps: &[Step]) -> Vec<String> {
    steps.iter().map(sentence).collect()
}

fn sentence(step: &Step) -> String {
    match step {
        Step::Helm(release) => {
            let version = match release.version.as_str() {
                "" => "the newest version".to_owned(),
                version => format!("version {version}"),
            };
            let from = match release.repository.as_str() {
                "" => String::new(),
                repository => format!(" from {repository}"),
            };
            let values = if release.values.trim().is_empty() { "its own values" } else { "the values given" };
            let identity = match release.makes_identity {
                true => " and with certificates that the cluster has or that are made for it",
                false => "",
            };
            format!(
                "Install or upgrade the chart {}{from} in {version} as {} in the namespace {}, with {values}{identity}",
                release.chart, release.release, release.namespace
            )
        }
        Step::Unhelm { release, namespace } => {
            format!("Uninstall the release {release} from the namespace {namespace}")
        }
        Step::Apply { set, namespace, manifest } => format!(
            "Apply {} in the namespace {namespace} as the set {set}, and take away what was in it and is not any more",
            kinds(manifest)
        ),
        Step::Prune { set, namespace } => {
            format!("Take away every object of the set {set}, which was applied in the namespace {namespace}")
        }
        Step::Mark { object, labels, annotations } => marks(object, labels, annotations),
        Step::Restart { namespace } => format!(
            "Start the pods of the namespace {namespace} anew, workload by workload, where they would be other than they are"
        ),
        Step::Ready { namespace, seconds } => {
            format!("Wait until all workloads of the namespace {namespace} are ready, at most {seconds} s")
        }
        Step::Validate { namespace } if namespace.is_empty() => {
            "Look at the meshes of the whole cluster; nothing is changed".to_owned()
        }
        Step::Validate { namespace } => {
            format!("Look at the meshes of the cluster and at the namespace {namespace}; nothing is changed")
        }
    }
}

/// `2 Services, 1 Deployment`.
fn kinds(text: &str) -> String {
    let Ok(objects) = manifest::objects(text) else { return "a manifest".to_owned() };
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for object in objects {
        *counts.entry(object.kind).or_default() += 1;
    }
    let more = counts.len().saturating_sub(KINDS_MAX);
    let mut words: Vec<String> =
        counts.iter().take(KINDS_MAX).map(|(kind, count)| format!("{count} {kind}")).collect();
    if more > 0 {
        words.push(format!("and objects of {more} more kinds"));
    }
    words.join(", ")
}

fn marks(
    object: &Marked,
    labels: &BTreeMap<String, Option<String>>,
    annotations: &BTreeMap<String, Option<String>>,
) -> String {
    let each = |what: &'static str, marks: &BTreeMap<String, Option<String>>| {
        let word = |(key, value): (&String, &Option<String>)| match value {
            Some(value) => format!("set the {what} {key}={value}"),
            None => format!("take off the {what} {key}"),
        };
        marks.iter().map(word).collect::<Vec<_>>()
    };
    let mut words = each("label", labels);
    words.extend(each("annotation", annotations));
    let place = match object {
        Marked::Namespace(name) => format!("On the namespace {name}"),
        Marked::Templates(name) => {
            format!(
                "On the pods of all workloads of the namespace {name}, which start anew where it changes them"
            )
        }
    };
    format!("{place}: {}", words.join(", "))
}
