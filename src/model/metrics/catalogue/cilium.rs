//! Cilium, by what Hubble counts.

use super::part::{
    self, Names, Workload, containers, latency, legend, lines, rate, requests, row, success, well,
};
use crate::model::metrics::board::{Board, Panel};
use crate::model::metrics::measure::{Op, Selector};
use crate::model::metrics::source::Scope;
use crate::model::metrics::unit::Unit;

const NAMES: Names =
    Names { namespace: "destination_namespace", workload: Workload::Label("destination_workload") };

const HUBBLE: &str = "Needs Hubble's metric httpV2 with labels of workloads (hubble.metrics.enabled in Cilium's chart: \
                      httpV2:labelsContext=source_namespace,source_workload,destination_namespace,destination_workload), \
                      and a policy for layer 7 or a waypoint that lets Envoy see the requests.";
const FLOWS: &str = "Needs Hubble's metrics: flow and drop in hubble.metrics.enabled of Cilium's chart.";

/// Cilium.
pub(crate) fn board(scope: &Scope) -> Board {
    let by = NAMES.by(scope);
    let told = |metric: &str| NAMES.within(Selector::of(metric).with("reporter", Op::Is, "server"), scope);
    let all = told("hubble_http_requests_total");
    let good = all.clone().with("status", Op::MatchesNot, "5.*");
    let traffic = [
        requests(rate(all.clone(), &by), legend(&by, "requests"), HUBBLE),
        success(well(good, all, &by), legend(&by, "success"), HUBBLE),
        latency(Unit::Seconds, &told("hubble_http_request_duration_seconds_bucket"), HUBBLE),
    ];
    let flows = |title: &str, metric: &str, by: &[&str]| Panel {
        hint: FLOWS.to_owned(),
        ..lines(title, Unit::Rate, vec![(rate(Selector::of(metric), by), legend(by, "all"))])
    };
    let nodes = |of: Selector| of.with("container", Op::Matches, "cilium-agent|cilium-envoy");
    let control = |of: Selector| of.with("container", Op::Matches, "cilium-operator|hubble-relay");
    part::board(
        "Requests as Hubble saw them, what Cilium uses on each node, and its operator.",
        vec![
            row("Traffic", traffic),
            row(
                "Flows of the whole cluster",
                [
                    flows("Flows", "hubble_flows_processed_total", &["verdict"]),
                    flows("Dropped", "hubble_drop_total", &["reason"]),
                ],
            ),
            row("Proxies and agents of nodes", containers(nodes, &["container", "pod"])),
            row("Control plane", containers(control, &["container"])),
        ],
    )
}
