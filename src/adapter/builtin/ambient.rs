//! Istio with proxies of nodes: what they can do by themselves, and with a waypoint what HTTP needs.

use super::params::Params;
use super::routes::{Dialect, http_route};
use super::{Asked, Deed, Mtls, Step, istio};

/// Faults and retries have no words in the Gateway API; nodes' proxies always encrypt.
pub(super) const DEEDS: &[Deed] = &[
    Deed::Inject,
    Deed::Waypoint,
    Deed::Mtls(Mtls::Strict),
    Deed::Mtls(Mtls::Permissive),
    Deed::DenyAll,
    Deed::Split,
    Deed::Timeout,
];

const WAYPOINT: &str = "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata:\n  name: waypoint\n  labels: \
                        {istio.io/waypoint-for: service}\nspec:\n  gatewayClassName: istio-waypoint\n  listeners:\n  - \
                        {name: mesh, port: 15008, protocol: HBONE}\n";

pub(super) fn steps(asked: &Asked<'_>, params: &mut Params) -> Result<Vec<Step>, String> {
    Ok(match asked.deed {
        // Pods need not start anew.
        Deed::Inject => vec![asked.label(&[("istio.io/dataplane-mode", "ambient")], &[])],
        Deed::Waypoint => waypoint(asked),
        Deed::Mtls(mode) => asked.rules("mtls", istio::mtls(mode)),
        Deed::DenyAll => asked.rules("deny-all", istio::deny_all()),
        other => http_route(asked, params, Dialect::Standard)?
            .unwrap_or_else(|| unreachable!("{other:?} is not among this mesh's")),
    })
}

/// First there, then used; first unused, then gone.
fn waypoint(asked: &Asked<'_>) -> Vec<Step> {
    let label = asked.label(&[("istio.io/use-waypoint", "waypoint")], &[]);
    let mut steps = asked.rules("waypoint", WAYPOINT.to_owned());
    match asked.removes {
        true => steps.insert(0, label),
        false => steps.push(label),
    }
    steps
}
