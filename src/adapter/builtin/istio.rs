//! Istio with a proxy in each pod: its own resources.

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

pub(super) fn steps(asked: &Asked<'_>, params: &mut Params) -> Result<Vec<Step>, String> {
    Ok(match asked.deed {
        Deed::Inject => vec![inject(asked, params)?],
        Deed::InjectAndRestart => {
            let [restart, ready] = asked.restart();
            vec![inject(asked, params)?, restart, ready]
        }
        Deed::Mtls(mode) => asked.rules("mtls", mtls(mode)),
        Deed::DenyAll => asked.rules("deny-all", deny_all()),
        _ => traffic(asked, params)?,
    })
}

/// One of the two labels: where both are, that of a revision is not looked at.
fn inject(asked: &Asked<'_>, params: &mut Params) -> Result<Step, String> {
    Ok(match params.name_if_said("revision")? {
        Some(revision) => asked.label(&[("istio-injection", ""), ("istio.io/rev", &revision)], &[]),
        None => asked.label(&[("istio-injection", "enabled"), ("istio.io/rev", "")], &[]),
    })
}

pub(super) fn mtls(mode: Mtls) -> String {
    let word = match mode {
        Mtls::Strict => "STRICT",
        Mtls::Permissive => "PERMISSIVE",
        Mtls::Off => "DISABLE",
    };
    let mut manifest = format!(
        "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata:\n  name: default\nspec:\n  mtls: {{mode: {word}}}\n"
    );
    if mode == Mtls::Off {
        // Else proxies would go on calling with it what answers without.
        manifest += "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata:\n  name: meshbench-no-mtls\n\
                     spec:\n  host: \"*.local\"\n  trafficPolicy:\n    tls: {mode: DISABLE}\n";
    }
    manifest
}

/// A policy that allows nothing.
pub(super) fn deny_all() -> String {
    "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata:\n  name: meshbench-deny-all\nspec: {}\n".to_owned()
}

/// One virtual service for a Service: of two, Istio would look at one only.
fn traffic(asked: &Asked<'_>, params: &mut Params) -> Result<Vec<Step>, String> {
    let route = |service: &str| format!("route: [{{destination: {{host: {service}}}}}]\n");
    let (service, rule, more) = match asked.deed {
        Deed::Split => {
            let split = Split::read(params)?;
            return Ok(split_steps(asked, &split));
        }
        Deed::Delay => {
            let Delay { of, delay, percent } = Delay::read(params)?;
            let fault =
                format!("fault: {{delay: {{percentage: {{value: {percent}}}, fixedDelay: {delay}}}}}\n    ");
            (of.service, fault, "")
        }
        Deed::Abort => {
            let Abort { of, status, percent } = Abort::read(params)?;
            let fault =
                format!("fault: {{abort: {{percentage: {{value: {percent}}}, httpStatus: {status}}}}}\n    ");
            (of.service, fault, "")
        }
        Deed::Retries => {
            let Retries { of, attempts, per_try } = Retries::read(params)?;
            let on = "\"5xx,reset,connect-failure,refused-stream\"";
            let retries =
                format!("retries: {{attempts: {attempts}, perTryTimeout: {per_try}, retryOn: {on}}}\n    ");
            (of.service, retries, "")
        }
        Deed::Timeout => {
            let Timeout { of, timeout } = Timeout::read(params)?;
            (of.service, format!("timeout: {timeout}\n    "), "")
        }
        other => unreachable!("{other:?} is not among this mesh's"),
    };
    let manifest = virtual_service(&service, &format!("{rule}{}", route(&service))) + more;
    Ok(asked.rules(&format!("route-{service}"), manifest))
}

fn virtual_service(service: &str, rule: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: meshbench-{service}\nspec:\n  \
         hosts: [{service}]\n  http:\n  - {rule}"
    )
}

fn split_steps(asked: &Asked<'_>, split: &Split) -> Vec<Step> {
    let service = &split.of.service;
    let destination = |version: &str, weight| {
        format!("    - {{destination: {{host: {service}, subset: \"{version}\"}}, weight: {weight}}}\n")
    };
    let (stable, canary) = (&split.stable, &split.canary);
    let rule = format!(
        "route:\n{}{}",
        destination(stable, split.stable_percent),
        destination(canary, split.canary_percent)
    );
    let subset = |version: &str| format!("  - {{name: \"{version}\", labels: {{version: \"{version}\"}}}}\n");
    let manifest = format!(
        "{}---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata:\n  name: meshbench-{service}\nspec:\n  \
         host: {service}\n  subsets:\n{}{}",
        virtual_service(service, &rule),
        subset(stable),
        subset(canary)
    );
    asked.rules(&format!("route-{service}"), manifest)
}
