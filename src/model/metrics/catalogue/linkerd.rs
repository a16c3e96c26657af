//! Linkerd.

use super::part::{
    self, CPU, MEMORY, PODS, containers, either, latency, legend, lines, rate, requests, row, success, sum,
    well,
};
use crate::model::metrics::board::{Board, Panel, Row};
use crate::model::metrics::measure::{Op, Selector};
use crate::model::metrics::source::Scope;
use crate::model::metrics::unit::Unit;

const PROXIES: &str = "Needs the metrics of Linkerd's proxies: those of linkerd-viz's Prometheus, or port 4191 of each pod \
                       with the labels “namespace” and “pod”.";
const USE: &str = "Needs the metrics of Linkerd's proxies (those of linkerd-viz's Prometheus, or port 4191 of each pod with \
                   the labels “namespace” and “pod”), or cAdvisor's of containers (/metrics/cadvisor of each kubelet).";
const ROUTES: &str = "Needs proxies of Linkerd 2.16 or newer, and callers with a proxy.";

/// Linkerd, whose newer proxies also tell of routes.
pub(crate) fn board(version: Option<&str>, scope: &Scope) -> Board {
    let mut rows = vec![row("Traffic", traffic(scope)), row("Proxies", proxies(scope))];
    if version.is_none_or(tells_of_routes) {
        rows.push(routes(scope));
    }
    let own = |of: Selector| {
        of.with("namespace", Op::Is, "linkerd").with(
            "container",
            Op::MatchesNot,
            "|POD|linkerd-proxy|linkerd-init",
        )
    };
    rows.push(row("Control plane", containers(own, &["container"])));
    part::board(
        "Requests as the proxies of those who are called saw them, what proxies use, and the control plane.",
        rows,
    )
}

/// Whether proxies of this version count by route: 2.16, and the edge releases since 2024 in which it was made.
fn tells_of_routes(version: &str) -> bool {
    let number = version.trim_start_matches(|c: char| !c.is_ascii_digit());
    let mut parts = number.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    match (parts.next(), parts.next()) {
        (Some(2), Some(minor)) => minor >= 16,
        // `edge-24.9.1`: a year and a month.
        (Some(year), Some(month)) => (year, month) >= (24, 8),
        _ => true,
    }
}

fn traffic(scope: &Scope) -> [Panel; 3] {
    let by = PODS.by(scope);
    let told = |metric: &str| PODS.within(Selector::of(metric).with("direction", Op::Is, "inbound"), scope);
    let good = told("response_total").with("classification", Op::Is, "success");
    [
        requests(rate(told("request_total"), &by), legend(&by, "requests"), PROXIES),
        success(well(good, told("response_total"), &by), legend(&by, "success"), PROXIES),
        latency(Unit::Millis, &told("response_latency_ms_bucket"), PROXIES),
    ]
}

/// By the proxies' own count, or cAdvisor's.
fn proxies(scope: &Scope) -> [Panel; 2] {
    let by = PODS.by(scope);
    let own = |metric: &str| PODS.within(Selector::of(metric).with("job", Op::Is, "linkerd-proxy"), scope);
    let seen =
        |metric: &str| PODS.within(Selector::of(metric).with("container", Op::Is, "linkerd-proxy"), scope);
    let cpu = either(rate(own("process_cpu_seconds_total"), &by), rate(seen(CPU), &by));
    let memory = either(sum(own("process_resident_memory_bytes"), &by), sum(seen(MEMORY), &by));
    [
        lines("CPU", Unit::Cores, vec![(cpu, legend(&by, "all"))]),
        lines("Memory", Unit::Bytes, vec![(memory, legend(&by, "all"))]),
    ]
    .map(|panel| Panel { hint: USE.to_owned(), ..panel })
}

/// What callers' proxies count by route.
fn routes(scope: &Scope) -> Row {
    let told = |metric: &str| {
        let of = Selector::of(metric);
        let of = if scope.namespace.is_empty() {
            of
        } else {
            of.with("parent_namespace", Op::Is, &scope.namespace)
        };
        if scope.workload.is_empty() { of } else { of.with("parent_name", Op::Is, &scope.workload) }
    };
    let by = ["parent_name", "route_name", "http_status"];
    let statuses = rate(told("outbound_http_route_request_statuses_total"), &by);
    let buckets = told("outbound_http_route_request_duration_seconds_bucket");
    let panels = [
        requests(statuses, "{{parent_name}} {{route_name}} {{http_status}}".to_owned(), ROUTES),
        latency(Unit::Seconds, &buckets, ROUTES),
    ];
    Row { is_folded: true, ..row("By route, as callers saw it", panels) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_looked_for_where_proxies_tell_of_them() {
        let told = ["2.16.0", "stable-2.17", "edge-24.9.1", "edge-25.4.4", "unknown"];
        assert!(told.into_iter().all(tells_of_routes));
        assert!(
            ["2.14.1", "stable-2.15.2", "edge-23.1.1", "edge-24.2.4"]
                .into_iter()
                .all(|it| !tells_of_routes(it))
        );
    }
}
