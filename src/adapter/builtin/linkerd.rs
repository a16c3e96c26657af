//! Linkerd: its annotations, its policies, and routes of the Gateway API.

use super::params::Params;
use super::routes::{Dialect, http_route};
use super::{Asked, Deed, Mtls, Step};

/// It always encrypts between its own proxies, and has no faults of its own.
pub(super) const DEEDS: &[Deed] = &[
    Deed::Inject,
    Deed::InjectAndRestart,
    Deed::Mtls(Mtls::Strict),
    Deed::Mtls(Mtls::Permissive),
    Deed::DenyAll,
    Deed::Split,
    Deed::Retries,
    Deed::Timeout,
];

/// The port of the pods that is closed where nobody says one; that of our own sample.
const PORT: u32 = 8080;

pub(super) fn steps(asked: &Asked<'_>, params: &mut Params) -> Result<Vec<Step>, String> {
    let [restart, ready] = asked.restart();
    Ok(match asked.deed {
        Deed::Inject => vec![inject(asked)],
        Deed::InjectAndRestart => vec![inject(asked), restart, ready],
        // Proxies read it when they start.
        Deed::Mtls(mode) => vec![policy(asked, mode), restart, ready],
        Deed::DenyAll => deny_all(asked, params)?,
        other => http_route(asked, params, Dialect::Linkerd)?
            .unwrap_or_else(|| unreachable!("{other:?} is not among this mesh's")),
    })
}

fn inject(asked: &Asked<'_>) -> Step {
    asked.label(&[], &[("linkerd.io/inject", "enabled")])
}

fn policy(asked: &Asked<'_>, mode: Mtls) -> Step {
    let policy = match mode {
        Mtls::Strict => "all-authenticated",
        _ => "all-unauthenticated",
    };
    asked.label(&[], &[("config.linkerd.io/default-inbound-policy", policy)])
}

/// A server whose clients must be of a name that nobody has.
fn deny_all(asked: &Asked<'_>, params: &mut Params) -> Result<Vec<Step>, String> {
    let port = params.number("port", PORT, 1..=65535)?;
    let name = format!("meshbench-deny-{port}");
    let manifest = format!(
        "apiVersion: policy.linkerd.io/v1beta3\nkind: Server\nmetadata:\n  name: {name}\nspec:\n  podSelector: \
         {{matchLabels: {{}}}}\n  port: {port}\n  accessPolicy: deny\n---\n\
         apiVersion: policy.linkerd.io/v1alpha1\nkind: MeshTLSAuthentication\nmetadata:\n  name: {name}\nspec:\n  identities: \
         [\"nobody.meshbench.invalid\"]\n---\n\
         apiVersion: policy.linkerd.io/v1alpha1\nkind: AuthorizationPolicy\nmetadata:\n  name: {name}\nspec:\n  targetRef: \
         {{group: policy.linkerd.io, kind: Server, name: {name}}}\n  requiredAuthenticationRefs: [{{group: \
         policy.linkerd.io, kind: MeshTLSAuthentication, name: {name}}}]\n"
    );
    Ok(asked.rules(&format!("deny-{port}"), manifest))
}
