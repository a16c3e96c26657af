//! Envoy by itself, and the meshes that show it as it is.

use super::part::{
    CADVISOR, CPU, PODS, board, containers, either, latency, legend, lines, rate, requests, row, success,
    sum, well,
};
use crate::model::metrics::board::{Board, Panel};
use crate::model::metrics::measure::{Op, Selector};
use crate::model::metrics::source::Scope;
use crate::model::metrics::unit::Unit;

const CONSUL: &str = "Needs the metrics of the data planes: connectInject.metrics.defaultEnabled in Consul's chart, and port \
                      20200 of the pods read with the labels “namespace” and “pod”.";
const APP_MESH: &str = "Needs the metrics of Envoy: port 9901, path /stats/prometheus, of the pods, read with the labels \
                        “namespace” and “pod”.";
const PLAIN: &str = "Needs the metrics of Envoy: path /stats/prometheus of its admin port, often 9901.";

/// Consul's data planes.
pub(crate) fn consul(scope: &Scope) -> Board {
    let listener = ("envoy_http_conn_manager_prefix", Op::Is, "public_listener");
    let servers = |of: Selector| {
        of.with("container", Op::Matches, "consul|sidecar-injector").with(
            "pod",
            Op::Matches,
            "consul-(server|connect-injector)-.*",
        )
    };
    board(
        "Requests as the data planes of those who are called saw them, what these use, and the servers.",
        vec![
            row("Traffic", downstream(listener, CONSUL, scope)),
            row("Proxies", proxies("consul-dataplane", CONSUL, scope)),
            row("Control plane", containers(servers, &["pod"])),
        ],
    )
}

/// App Mesh's Envoys.
pub(crate) fn app_mesh(scope: &Scope) -> Board {
    let controller = |of: Selector| {
        of.with("container", Op::Is, "controller").with("pod", Op::Matches, "appmesh-controller-.*")
    };
    board(
        "Requests as the proxies of those who are called saw them, what proxies use, and the controller.",
        vec![
            row("Traffic", upstream(("envoy_cluster_name", Op::Matches, "cds_ingress_.*"), APP_MESH, scope)),
            row("Proxies", proxies("envoy", APP_MESH, scope)),
            row("Control plane", containers(controller, &["pod"])),
        ],
    )
}

/// Envoys that belong to no mesh that we know.
pub(crate) fn plain(scope: &Scope) -> Board {
    let by = ["envoy_cluster_name"];
    let told = |metric: &str| PODS.within(Selector::of(metric), scope);
    let connections = told("envoy_cluster_upstream_cx_active");
    let memory = |metric: &str, word: &str| (sum(told(metric), &[]), word.to_owned());
    // Envoy counts no processor time itself; `process_…` is from what runs beside it, or a build that does.
    let cpu = either(
        rate(told(CPU).with("container", Op::Matches, ".*envoy.*"), &[]),
        rate(told("process_cpu_seconds_total").with("job", Op::Matches, ".*envoy.*"), &[]),
    );
    let own = |title: &str, unit, asks| Panel { hint: PLAIN.to_owned(), ..lines(title, unit, asks) };
    let clusters = [
        own(
            "Requests",
            Unit::Rate,
            vec![(rate(told("envoy_cluster_upstream_rq_total"), &by), legend(&by, ""))],
        ),
        own("Open connections", Unit::None, vec![(sum(connections, &by), legend(&by, ""))]),
    ];
    let used = [
        Panel {
            hint: format!("Envoy itself counts no processor time. {CADVISOR}"),
            ..own("CPU", Unit::Cores, vec![(cpu, "all".to_owned())])
        },
        own(
            "Memory",
            Unit::Bytes,
            vec![
                memory("envoy_server_memory_allocated", "allocated"),
                memory("envoy_server_memory_physical_size", "physical"),
            ],
        ),
    ];
    board(
        "Requests that Envoy took, requests that it sent on, and what it uses.",
        vec![
            row("Taken", downstream(("envoy_http_conn_manager_prefix", Op::IsNot, "admin"), PLAIN, scope)),
            row("Sent on, by cluster", clusters),
            row("Proxies", used),
        ],
    )
}

/// What listeners took.
fn downstream(only: (&str, Op, &str), hint: &str, scope: &Scope) -> [Panel; 3] {
    let names = [
        "envoy_http_downstream_rq_total",
        "envoy_http_downstream_rq_xx",
        "envoy_http_downstream_rq_time_bucket",
    ];
    traffic(names, only, hint, scope)
}

/// What was sent to clusters.
fn upstream(only: (&str, Op, &str), hint: &str, scope: &Scope) -> [Panel; 3] {
    let names = [
        "envoy_cluster_upstream_rq_total",
        "envoy_cluster_upstream_rq_xx",
        "envoy_cluster_upstream_rq_time_bucket",
    ];
    traffic(names, only, hint, scope)
}

fn traffic(
    [all, classes, buckets]: [&str; 3],
    only: (&str, Op, &str),
    hint: &str,
    scope: &Scope,
) -> [Panel; 3] {
    let by = PODS.by(scope);
    let told = |metric: &str| PODS.within(Selector::of(metric).with(only.0, only.1, only.2), scope);
    let good = told(classes).with("envoy_response_code_class", Op::IsNot, "5");
    [
        requests(rate(told(all), &by), legend(&by, "requests"), hint),
        success(well(good, told(classes), &by), legend(&by, "success"), hint),
        latency(Unit::Millis, &told(buckets), hint),
    ]
}

/// What proxies use: their containers, and what Envoy says of its memory.
fn proxies(container: &str, hint: &str, scope: &Scope) -> [Panel; 3] {
    let [cpu, memory] =
        containers(|of| PODS.within(of.with("container", Op::Is, container), scope), &PODS.by(scope));
    let by = PODS.by(scope);
    let allocated = sum(PODS.within(Selector::of("envoy_server_memory_allocated"), scope), &by);
    let own = lines("Memory allocated by Envoy", Unit::Bytes, vec![(allocated, legend(&by, "all"))]);
    [cpu, memory, Panel { hint: hint.to_owned(), ..own }]
}
