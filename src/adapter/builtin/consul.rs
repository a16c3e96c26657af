//! Consul: its configuration entries.

use super::params::{self, Params};
use super::routes::{Retries, Split, Timeout};
use super::{Asked, Deed, Marked, Mtls, Step};

/// It cannot do without encryption as a whole, and has no faults of its own.
pub(super) const DEEDS: &[Deed] = &[
    Deed::InjectAndRestart,
    Deed::Mtls(Mtls::Strict),
    Deed::Mtls(Mtls::Permissive),
    Deed::DenyAll,
    Deed::Split,
    Deed::Retries,
    Deed::Timeout,
];

const API: &str = "apiVersion: consul.hashicorp.com/v1alpha1";

pub(super) fn steps(asked: &Asked<'_>, params: &mut Params) -> Result<Vec<Step>, String> {
    Ok(match asked.deed {
        // What pods are made from is changed, so they start anew by themselves.
        Deed::InjectAndRestart => {
            let templates = Marked::Templates(asked.namespace.to_owned());
            let marked = asked.mark(templates, &[], &[("consul.hashicorp.com/connect-inject", "true")]);
            vec![marked, asked.ready()]
        }
        Deed::Mtls(mode) => asked.rules("mtls", mtls(mode)),
        Deed::DenyAll => asked.rules(
            "deny-all",
            format!(
                "{API}\nkind: ServiceIntentions\nmetadata:\n  name: meshbench-deny-all\nspec:\n  destination: {{name: \
                 \"*\"}}\n  sources: [{{name: \"*\", action: deny}}]\n"
            ),
        ),
        _ => traffic(asked, params)?,
    })
}

fn mtls(mode: Mtls) -> String {
    let (word, allows) = match mode {
        Mtls::Strict => ("strict", "false"),
        _ => ("permissive", "true"),
    };
    // Its names are the only ones that Consul takes.
    format!(
        "{API}\nkind: Mesh\nmetadata:\n  name: mesh\nspec:\n  allowEnablingPermissiveMutualTLS: {allows}\n---\n{API}\nkind: \
         ProxyDefaults\nmetadata:\n  name: global\nspec:\n  mutualTLSMode: {word}\n"
    )
}

fn traffic(asked: &Asked<'_>, params: &mut Params) -> Result<Vec<Step>, String> {
    let (service, rule) = match asked.deed {
        Deed::Split => {
            let split = Split::read(params)?;
            let (stable, canary) = (&split.stable, &split.canary);
            let subset = |version: &str| {
                format!("    \"{version}\": {{filter: 'Service.Meta.version == \"{version}\"'}}\n")
            };
            let share =
                |version: &str, weight| format!("  - {{weight: {weight}, serviceSubset: \"{version}\"}}\n");
            let service = split.of.service.clone();
            let rule = format!(
                "{API}\nkind: ServiceResolver\nmetadata:\n  name: {service}\nspec:\n  defaultSubset: \"{stable}\"\n  \
                 subsets:\n{}{}---\n{API}\nkind: ServiceSplitter\nmetadata:\n  name: {service}\nspec:\n  splits:\n{}{}",
                subset(stable),
                subset(canary),
                share(stable, split.stable_percent),
                share(canary, split.canary_percent)
            );
            (service, rule)
        }
        Deed::Retries => {
            let Retries { of, attempts, per_try } = Retries::read(params)?;
            // It bounds a request with all its tries together.
            let whole = params::repeated(&per_try, attempts + 1);
            let how = format!(
                "numRetries: {attempts}, retryOnConnectFailure: true, retryOn: [\"5xx\"], requestTimeout: {whole}"
            );
            (of.service.clone(), router(&of.service, &how))
        }
        Deed::Timeout => {
            let Timeout { of, timeout } = Timeout::read(params)?;
            (of.service.clone(), router(&of.service, &format!("requestTimeout: {timeout}")))
        }
        other => unreachable!("{other:?} is not among this mesh's"),
    };
    // Rules for requests need a protocol that has such.
    let manifest = format!(
        "{API}\nkind: ServiceDefaults\nmetadata:\n  name: {service}\nspec:\n  protocol: http\n---\n{rule}"
    );
    Ok(asked.rules(&format!("route-{service}"), manifest))
}

fn router(service: &str, how: &str) -> String {
    format!(
        "{API}\nkind: ServiceRouter\nmetadata:\n  name: {service}\nspec:\n  routes:\n  - match: {{http: {{pathPrefix: \
         /}}}}\n    destination: {{service: {service}, {how}}}\n"
    )
}
