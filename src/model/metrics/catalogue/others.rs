//! Meshes that are no longer developed: Traefik Mesh, Open Service Mesh, NGINX Service Mesh.

use super::part::{
    Names, PODS, Workload, board, containers, latency, legend, lines, rate, requests, row, success, sum, well,
};
use crate::model::metrics::board::{Board, Panel};
use crate::model::metrics::measure::{Op, Selector};
use crate::model::metrics::promql::regex_escaped;
use crate::model::metrics::source::Scope;
use crate::model::metrics::unit::Unit;

const TRAEFIK: &str = "Needs the metrics of Traefik Mesh's proxies: the source must read port 8080 of the pods \
                       traefik-mesh-proxy. Only calls to names that end in traefik.mesh go through them.";
const OSM: &str =
    "Needs metrics switched on for the namespaces (osm metrics enable) and OSM's own set-up of Prometheus.";
const NGINX: &str = "Needs the metrics of the sidecars: port 8887 of the pods, read as NGINX Service Mesh's own set-up of \
                     Prometheus does.";

/// Traefik Mesh, which counts by service: `shop-checkout-…`.
pub(crate) fn traefik(scope: &Scope) -> Board {
    let told = |metric: &str| {
        let of = Selector::of(metric);
        match (scope.namespace.as_str(), scope.workload.as_str()) {
            ("", _) => of,
            (namespace, "") => of.with("service", Op::Matches, &format!("{}-.*", regex_escaped(namespace))),
            (namespace, workload) => {
                let name = regex_escaped(&format!("{namespace}-{workload}"));
                of.with("service", Op::Matches, &format!("{name}-.*"))
            }
        }
    };
    let by = ["service"];
    let all = told("traefik_service_requests_total");
    let good = all.clone().with("code", Op::MatchesNot, "5..");
    let traffic = [
        requests(rate(all.clone(), &by), legend(&by, ""), TRAEFIK),
        success(well(good, all, &by), legend(&by, ""), TRAEFIK),
        latency(Unit::Seconds, &told("traefik_service_request_duration_seconds_bucket"), TRAEFIK),
    ];
    let named = |pods: &'static str| {
        move |of: Selector| of.with("container", Op::MatchesNot, "|POD").with("pod", Op::Matches, pods)
    };
    board(
        "Requests through the proxies of nodes, by service, what these use, and the controller.",
        vec![
            row("Traffic", traffic),
            row("Proxies of nodes", containers(named("traefik-mesh-proxy-.*"), &["pod"])),
            row("Control plane", containers(named("traefik-mesh-controller-.*"), &["pod"])),
        ],
    )
}

/// Open Service Mesh.
pub(crate) fn osm(scope: &Scope) -> Board {
    let names = Names { namespace: "destination_namespace", workload: Workload::Label("destination_name") };
    let by = names.by(scope);
    let told = |metric: &str| names.within(Selector::of(metric), scope);
    let all = told("osm_request_total");
    let good = all.clone().with("response_code", Op::MatchesNot, "5..");
    let traffic = [
        requests(rate(all.clone(), &by), legend(&by, "requests"), OSM),
        success(well(good, all, &by), legend(&by, "success"), OSM),
        latency(Unit::Millis, &told("osm_request_duration_ms_bucket"), OSM),
    ];
    let proxies = |of: Selector| PODS.within(of.with("container", Op::Is, "envoy"), scope);
    let control = |of: Selector| {
        of.with("container", Op::MatchesNot, "|POD").with(
            "pod",
            Op::Matches,
            "osm-(controller|injector|bootstrap)-.*",
        )
    };
    board(
        "Requests by those who were called, what proxies use, and the control plane.",
        vec![
            row("Traffic", traffic),
            row("Proxies", containers(proxies, &PODS.by(scope))),
            row("Control plane", containers(control, &["pod"])),
        ],
    )
}

/// NGINX Service Mesh.
pub(crate) fn nginx(scope: &Scope) -> Board {
    let by = PODS.by(scope);
    let told = |metric: &str| PODS.within(Selector::of(metric), scope);
    let responses = "nginxplus_upstream_server_responses";
    let good = told(responses).with("code", Op::IsNot, "5xx");
    let traffic = [
        requests(rate(told("nginxplus_http_requests_total"), &by), legend(&by, "requests"), NGINX),
        success(well(good, told(responses), &by), legend(&by, "success"), NGINX),
        latency(Unit::Millis, &told("nginxplus_upstream_server_response_latency_ms_bucket"), NGINX),
    ];
    let sidecars = |of: Selector| PODS.within(of.with("container", Op::Is, "nginx-mesh-sidecar"), scope);
    let workers = lines(
        "Memory of NGINX's workers",
        Unit::Bytes,
        vec![(sum(told("nginxplus_workers_mem_rss"), &by), legend(&by, "all"))],
    );
    let workers = Panel { hint: NGINX.to_owned(), ..workers };
    let control = |of: Selector| {
        of.with("container", Op::MatchesNot, "|POD").with(
            "pod",
            Op::Matches,
            "(nginx-mesh-.*|spire-.*|nats-.*)",
        )
    };
    let control = |of: Selector| control(of.with("namespace", Op::Is, "nginx-mesh"));
    board(
        "Requests as the sidecars saw them, both those that came and those that were sent on, what sidecars use, and the \
         control plane.",
        vec![
            row("Traffic", traffic),
            row("Proxies", containers(sidecars, &by).into_iter().chain([workers])),
            row("Control plane", containers(control, &["pod"])),
        ],
    )
}
