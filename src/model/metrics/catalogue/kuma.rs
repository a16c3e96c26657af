//! Kuma and Kong Mesh, whose metrics were renamed between 2.x and 3.x.

use super::part::{
    self, PODS, containers, either, latency_of, legend, lines, quantile, rate, requests, row, success, sum,
    well,
};
use crate::model::metrics::board::{Board, Panel};
use crate::model::metrics::measure::{Measure, Op, Selector};
use crate::model::metrics::promql::regex_escaped;
use crate::model::metrics::source::Scope;
use crate::model::metrics::unit::Unit;

const PROXIES: &str = "Needs metrics switched on in the mesh (a MeshMetric policy; port 5670 of the pods) and a source that \
                       reads them, with the labels that Kuma's own Prometheus set-up keeps.";
const CONTROL: &str = "Needs the metrics of the control plane: the source must read its port 5680.";

/// What proxies take from outside: 2.x names listeners by their port, 3.x by the data plane.
const INBOUND: &str = "localhost_.*|self_inbound_dp_.*";

/// How a version names workloads.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// `kuma_io_service="checkout_shop_svc_8080"`.
    Two,
    /// `kuma_workload="checkout"`.
    Three,
    /// It is not known which.
    Any,
}

/// Kuma of this version.
pub(crate) fn board(version: Option<&str>, scope: &Scope) -> Board {
    let way = version.map_or(Way::Any, way);
    let control = |of: Selector| {
        of.with("container", Op::Is, "control-plane").with(
            "pod",
            Op::Matches,
            "(kuma|kong-mesh)-control-plane-.*",
        )
    };
    let streams = sum(Selector::of("xds_streams_active"), &[]);
    let errors = rate(Selector::of("xds_generation_errors"), &[]);
    let told = |title: &str, unit, ask: Measure, word: &str| Panel {
        hint: CONTROL.to_owned(),
        ..lines(title, unit, vec![(ask, word.to_owned())])
    };
    let own = [
        told("Connected proxies", Unit::None, streams, "streams"),
        told("Failed configurations", Unit::Rate, errors, "failed"),
    ];
    part::board(
        "Requests as the proxies of those who are called saw them, what proxies use, and the control plane.",
        vec![
            row("Traffic", traffic(way, scope)),
            row("Proxies", proxies(way, scope)),
            row("Control plane", containers(control, &["pod"]).into_iter().chain(own)),
        ],
    )
}

fn way(version: &str) -> Way {
    let number = version.trim_start_matches(|c: char| !c.is_ascii_digit());
    match number.split('.').next().and_then(|part| part.parse::<u32>().ok()) {
        Some(0..=2) => Way::Two,
        Some(_) => Way::Three,
        None => Way::Any,
    }
}

impl Way {
    /// Only what a scope looks at.
    fn within(self, of: Selector, scope: &Scope) -> Selector {
        let of = match scope.namespace.as_str() {
            "" => of,
            namespace => of.with("k8s_kuma_io_namespace", Op::Is, namespace),
        };
        match (scope.workload.as_str(), self) {
            ("", _) => of,
            (workload, Self::Two) => {
                of.with("kuma_io_service", Op::Matches, &format!("{}_.*_svc(_.*)?", regex_escaped(workload)))
            }
            (workload, _) => of.with("kuma_workload", Op::Is, workload),
        }
    }

    /// By which labels lines are told apart. Where the version is not known, one of both labels would be on none of them.
    fn by(self, scope: &Scope) -> Vec<&'static str> {
        match self {
            _ if scope.namespace.is_empty() => vec!["k8s_kuma_io_namespace"],
            _ if !scope.workload.is_empty() => Vec::new(),
            Self::Two => vec!["kuma_io_service"],
            Self::Three => vec!["kuma_workload"],
            Self::Any => Vec::new(),
        }
    }

    /// A measure in the words of this version, or of either where both differ.
    fn ask(self, scope: &Scope, make: impl Fn(Self) -> Measure) -> Measure {
        match self {
            Self::Any if scope.workload.is_empty() => make(Self::Three),
            Self::Any => either(make(Self::Three), make(Self::Two)),
            known => make(known),
        }
    }
}

fn traffic(way: Way, scope: &Scope) -> [Panel; 3] {
    let by = way.by(scope);
    let told = |way: Way, metric: &str| {
        way.within(Selector::of(metric).with("envoy_http_conn_manager_prefix", Op::Matches, INBOUND), scope)
    };
    let good = |way: Way, metric: &str| {
        let all = told(way, metric);
        well(all.clone().with("envoy_response_code_class", Op::IsNot, "5"), all, &by)
    };
    let all = way.ask(scope, |way| rate(told(way, "envoy_http_downstream_rq_total"), &by));
    // Without and with `_total`: as the release converts Envoy's names.
    let share = way.ask(scope, |way| {
        either(good(way, "envoy_http_downstream_rq_xx_total"), good(way, "envoy_http_downstream_rq_xx"))
    });
    let buckets = |way: Way| told(way, "envoy_http_downstream_rq_time_bucket");
    let latency = |q: f64| way.ask(scope, |way| quantile(q, buckets(way)));
    [
        requests(all, legend(&by, "requests"), PROXIES),
        success(share, legend(&by, "success"), PROXIES),
        latency_of(Unit::Millis, latency, PROXIES),
    ]
}

fn proxies(way: Way, scope: &Scope) -> [Panel; 3] {
    let seen = |of: Selector| PODS.within(of.with("container", Op::Is, "kuma-sidecar"), scope);
    let [cpu, memory] = containers(seen, &PODS.by(scope));
    let by = way.by(scope);
    let allocated =
        way.ask(scope, |way| sum(way.within(Selector::of("envoy_server_memory_allocated"), scope), &by));
    let own = lines("Memory allocated by Envoy", Unit::Bytes, vec![(allocated, legend(&by, "all"))]);
    [cpu, memory, Panel { hint: PROXIES.to_owned(), ..own }]
}
