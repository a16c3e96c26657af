//! Kuma: its policies, in the shape of its second major version.
//!
//! Services are named by labels, from 2.9 on: its third version takes nothing else. What that version has no more (a
//! mesh's own `mtls`, and `from` in policies) is offered for the second one only, and the texts say so.

use super::params::Params;
use super::routes::{Abort, Delay, Retries, Split, Timeout};
use super::{Asked, Deed, Mtls, Step};

pub(super) const DEEDS: &[Deed] = &[
    Deed::Inject,
    Deed::InjectAndRestart,
    Deed::Mtls(Mtls::Strict),
    Deed::Mtls(Mtls::Permissive),
    Deed::Mtls(Mtls::Off),
    Deed::DenyAll,
    Deed::Split,
    Deed::Delay,
    Deed::Abort,
    Deed::Retries,
    Deed::Timeout,
];

const API: &str = "apiVersion: kuma.io/v1alpha1";
const OF_MESH: &str = "  labels: {kuma.io/mesh: default}\n";

pub(super) fn steps(asked: &Asked<'_>, params: &mut Params) -> Result<Vec<Step>, String> {
    let label = || asked.label(&[("kuma.io/sidecar-injection", "enabled")], &[]);
    Ok(match asked.deed {
        Deed::Inject => vec![label()],
        Deed::InjectAndRestart => {
            let [restart, ready] = asked.restart();
            vec![label(), restart, ready]
        }
        Deed::Mtls(mode) => asked.rules("mtls", mtls(mode)),
        Deed::DenyAll => asked.rules(
            "deny-all",
            policy(
                "MeshTrafficPermission",
                "meshbench-deny-all",
                "  targetRef: {kind: Mesh}\n  from:\n  - targetRef: {kind: Mesh}\n    default: {action: Deny}\n",
            ),
        ),
        _ => traffic(asked, params)?,
    })
}

/// The mesh itself says it; what else it says stays.
fn mtls(mode: Mtls) -> String {
    let backends =
        |mode| format!("enabledBackend: ca-1, backends: [{{name: ca-1, type: builtin, mode: {mode}}}]");
    let how = match mode {
        Mtls::Strict => backends("STRICT"),
        Mtls::Permissive => backends("PERMISSIVE"),
        Mtls::Off => "enabledBackend: \"\", backends: []".to_owned(),
    };
    format!("{API}\nkind: Mesh\nmetadata:\n  name: default\nspec:\n  mtls: {{{how}}}\n")
}

fn policy(kind: &str, name: &str, spec: &str) -> String {
    format!("{API}\nkind: {kind}\nmetadata:\n  name: {name}\n{OF_MESH}spec:\n{spec}")
}

fn traffic(asked: &Asked<'_>, params: &mut Params) -> Result<Vec<Step>, String> {
    let fault = |service: &str, fault: String| {
        let spec = format!(
            "  targetRef: {{kind: Dataplane, labels: {{app: {service}}}}}\n  from:\n  - targetRef: {{kind: Mesh}}\n    \
             default:\n      http: [{{{fault}}}]\n"
        );
        policy("MeshFaultInjection", &format!("meshbench-{service}"), &spec)
    };
    let to = |kind: &str, service: &str, how: String| {
        let labels = labels(asked, service);
        let spec = format!(
            "  targetRef: {{kind: Mesh}}\n  to:\n  - targetRef: {{kind: MeshService, labels: {labels}}}\n    default:\n      \
             {how}\n"
        );
        policy(kind, &format!("meshbench-{service}"), &spec)
    };
    let (service, manifest) = match asked.deed {
        Deed::Split => {
            let split = Split::read(params)?;
            (split.of.service.clone(), split_manifest(asked, &split))
        }
        Deed::Delay => {
            let Delay { of, delay, percent } = Delay::read(params)?;
            let rule = fault(&of.service, format!("delay: {{value: {delay}, percentage: {percent}}}"));
            (of.service, rule)
        }
        Deed::Abort => {
            let Abort { of, status, percent } = Abort::read(params)?;
            let rule = fault(&of.service, format!("abort: {{httpStatus: {status}, percentage: {percent}}}"));
            (of.service, rule)
        }
        Deed::Retries => {
            let Retries { of, attempts, per_try } = Retries::read(params)?;
            let how = format!("http: {{numRetries: {attempts}, perTryTimeout: {per_try}, retryOn: [5XX]}}");
            (of.service.clone(), to("MeshRetry", &of.service, how))
        }
        Deed::Timeout => {
            let Timeout { of, timeout } = Timeout::read(params)?;
            let how = format!("http: {{requestTimeout: {timeout}}}");
            (of.service.clone(), to("MeshTimeout", &of.service, how))
        }
        other => unreachable!("{other:?} is not among this mesh's"),
    };
    Ok(asked.rules(&format!("route-{service}"), manifest))
}

/// What Kuma labels its own object for a Service with.
fn labels(asked: &Asked<'_>, service: &str) -> String {
    format!("{{kuma.io/display-name: {service}, k8s.kuma.io/namespace: \"{}\"}}", asked.namespace)
}

fn split_manifest(asked: &Asked<'_>, split: &Split) -> String {
    let backend = |version: &str, weight| {
        let (labels, port) = (labels(asked, &split.name_of(version)), split.of.port);
        format!("        - {{kind: MeshService, labels: {labels}, port: {port}, weight: {weight}}}\n")
    };
    let (service, labels) = (&split.of.service, labels(asked, &split.of.service));
    let spec = format!(
        "  targetRef: {{kind: Mesh}}\n  to:\n  - targetRef: {{kind: MeshService, labels: {labels}}}\n    rules:\n    - matches: \
         [{{path: {{type: PathPrefix, value: /}}}}]\n      default:\n        backendRefs:\n{}{}",
        backend(&split.stable, split.stable_percent),
        backend(&split.canary, split.canary_percent)
    );
    policy("MeshHTTPRoute", &format!("meshbench-{service}"), &spec) + &split.services()
}
