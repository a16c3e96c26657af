//! Istio, with proxies in pods and with those of nodes.

use super::part::{
    Names, PODS, Workload, board, containers, latency, legend, lines, quantile, rate, requests, row, success,
    sum, well,
};
use crate::model::metrics::board::{Board, Panel, Row};
use crate::model::metrics::measure::{Measure, Op, Selector};
use crate::model::metrics::source::Scope;
use crate::model::metrics::unit::Unit;

const NAMES: Names =
    Names { namespace: "destination_workload_namespace", workload: Workload::Label("destination_workload") };

const PROXIES: &str = "Needs the metrics of Istio's proxies: the source must read port 15090 (or 15020, merged) of the \
                       pods, as Istio's own Prometheus add-on does. There must be traffic between proxies.";
const ZTUNNEL: &str = "Needs the metrics of ztunnel: the source must read port 15020 of its pods.";
const WAYPOINT: &str = "Needs a waypoint: ztunnel alone knows of connections, not of requests.";
const ISTIOD: &str = "Needs the metrics of istiod: the source must read its port 15014.";

/// Proxies in pods.
pub(crate) fn sidecars(scope: &Scope) -> Board {
    let proxies = |of: Selector| {
        PODS.within(
            of.with("container", Op::Is, "istio-proxy").with("pod", Op::MatchesNot, "ztunnel-.*"),
            scope,
        )
    };
    board(
        "Requests as the proxies of those who are called saw them, what proxies use, and istiod.",
        vec![
            row(
                "Traffic",
                traffic("destination|waypoint", PROXIES, scope).into_iter().chain([callers(scope)]),
            ),
            row("Proxies", containers(proxies, &PODS.by(scope))),
            control_plane(),
        ],
    )
}

/// Proxies of nodes, and waypoints.
pub(crate) fn ambient(scope: &Scope) -> Board {
    let ztunnel =
        |of: Selector| of.with("container", Op::Is, "istio-proxy").with("pod", Op::Matches, "ztunnel-.*");
    let waypoints = |of: Selector| {
        let of = of.with("container", Op::Is, "istio-proxy").with("pod", Op::Matches, ".*waypoint.*");
        let all = Scope { workload: String::new(), ..scope.clone() };
        PODS.within(of, &all)
    };
    board(
        "Connections through ztunnel, requests through waypoints, what both use, and istiod.",
        vec![
            row("Connections", connections(scope)),
            row("Requests through waypoints", traffic("waypoint", WAYPOINT, scope)),
            row("Proxies of nodes: ztunnel", containers(ztunnel, &["pod"])),
            row("Waypoints", containers(waypoints, &PODS.by(scope))),
            control_plane(),
        ],
    )
}

fn traffic(reporter: &str, hint: &str, scope: &Scope) -> [Panel; 3] {
    let by = NAMES.by(scope);
    let told =
        |metric: &str| NAMES.within(Selector::of(metric).with("reporter", Op::Matches, reporter), scope);
    let buckets = told("istio_request_duration_milliseconds_bucket");
    [
        requests(rate(told("istio_requests_total"), &by), legend(&by, "requests"), hint),
        success(went_well(told("istio_requests_total"), &by), legend(&by, "success"), hint),
        latency(Unit::Millis, &buckets, hint),
    ]
}

/// What callers with a proxy saw: also what never arrived.
fn callers(scope: &Scope) -> Panel {
    let by = NAMES.by(scope);
    let told = NAMES.within(Selector::of("istio_requests_total").with("reporter", Op::Is, "source"), scope);
    Panel {
        title: "Success rate for callers".to_owned(),
        description: "Also counts requests that never arrived. Callers without a proxy are not seen here."
            .to_owned(),
        ..success(went_well(told, &by), legend(&by, "success"), PROXIES)
    }
}

/// An answer that is no 5xx, and of gRPC one whose status is 0.
fn went_well(all: Selector, by: &[&str]) -> Measure {
    let good = all.clone().with("response_code", Op::MatchesNot, "5..").with(
        "grpc_response_status",
        Op::Matches,
        "0|",
    );
    well(good, all, by)
}

fn connections(scope: &Scope) -> [Panel; 3] {
    let by = NAMES.by(scope);
    let told = |metric: &str| {
        let of = Selector::of(metric).with("reporter", Op::Is, "destination");
        NAMES.within(of.with("pod", Op::Matches, "ztunnel-.*"), scope)
    };
    let line = |metric: &str, word: &str| (rate(told(metric), &by), format!("{} {word}", legend(&by, "")));
    let closed = told("istio_tcp_connections_closed_total").with("response_flags", Op::MatchesNot, "-|");
    [
        lines("Opened", Unit::Rate, vec![line("istio_tcp_connections_opened_total", "opened")]),
        lines("Failed", Unit::Rate, vec![(rate(closed, &by), legend(&by, "failed"))]),
        lines(
            "Traffic",
            Unit::BytesPerSec,
            vec![
                line("istio_tcp_received_bytes_total", "received"),
                line("istio_tcp_sent_bytes_total", "sent"),
            ],
        ),
    ]
    .map(|panel| Panel { hint: ZTUNNEL.to_owned(), ..panel })
}

fn control_plane() -> Row {
    let istiod =
        |of: Selector| of.with("container", Op::Is, "discovery").with("pod", Op::Matches, "istiod-.*");
    let told = |title: &str, unit, asks| Panel { hint: ISTIOD.to_owned(), ..lines(title, unit, asks) };
    let by_type = |measure: Measure| vec![(measure, "{{type}}".to_owned())];
    let reach = "pilot_proxy_convergence_time_bucket";
    let quantiles =
        [(0.5, "p50"), (0.99, "p99")].map(|(q, word)| (quantile(q, Selector::of(reach)), word.to_owned()));
    let own = [
        told(
            "Connected proxies",
            Unit::None,
            vec![(sum(Selector::of("pilot_xds"), &[]), "proxies".to_owned())],
        ),
        told("Pushes", Unit::Rate, by_type(rate(Selector::of("pilot_xds_pushes"), &["type"]))),
        Panel {
            description: "From a change until all proxies have it. Interpolated from buckets.".to_owned(),
            ..told("Time until a change arrives", Unit::Seconds, quantiles.into())
        },
        told(
            "Rejected configuration",
            Unit::None,
            by_type(sum(Selector::of("pilot_total_xds_rejects"), &["type"])),
        ),
    ];
    row("Control plane", containers(istiod, &["pod"]).into_iter().chain(own))
}
