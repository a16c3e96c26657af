//! Cilium, where it is the cluster's network: its policies, and routes of the Gateway API.

use super::params::Params;
use super::routes::{Dialect, http_route};
use super::{Asked, Deed, Mtls, Step};

/// Nothing is injected. Faults and retries have no words in its policies, nor in the routes that it understands.
pub(super) const DEEDS: &[Deed] = &[Deed::Mtls(Mtls::Strict), Deed::DenyAll, Deed::Split, Deed::Timeout];

const MTLS: &str = "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata:\n  name: meshbench-mtls\nspec:\n  \
                    endpointSelector: {}\n  ingress:\n  - fromEndpoints: [{}]\n    authentication: {mode: required}\n";
const DENY_ALL: &str = "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata:\n  name: meshbench-deny-all\nspec:\n  \
                        endpointSelector: {}\n  ingress: [{}]\n";

pub(super) fn steps(asked: &Asked<'_>, params: &mut Params) -> Result<Vec<Step>, String> {
    Ok(match asked.deed {
        Deed::Mtls(_) => asked.rules("mtls", MTLS.to_owned()),
        Deed::DenyAll => asked.rules("deny-all", DENY_ALL.to_owned()),
        other => http_route(asked, params, Dialect::Standard)?
            .unwrap_or_else(|| unreachable!("{other:?} is not among this mesh's")),
    })
}
