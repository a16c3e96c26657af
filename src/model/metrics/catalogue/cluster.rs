//! What a cluster uses of what it has: Meshery's board “Compute Resources / Cluster”, without its recording rules.

use super::part::{
    CADVISOR, CPU, MEMORY, PODS, board as of_rows, either, legend, lines, rate, ratio, rest, row, sum,
};
use crate::model::metrics::board::{Board, Grade, Panel, PanelKind, Threshold};
use crate::model::metrics::measure::{Measure, Op, Selector};
use crate::model::metrics::source::Scope;
use crate::model::metrics::unit::Unit;

const NODES: &str = "Needs node-exporter on the nodes.";
const STATE: &str = "Needs kube-state-metrics.";
const NO_POD: &str = "|POD";

/// A cluster, or one namespace of it.
pub(crate) fn board(scope: &Scope) -> Board {
    of_rows(
        "What is used, asked for and allowed, of the processors and memory that the nodes have.",
        vec![
            row(
                "Of all nodes",
                [
                    processors_used(),
                    commitment("CPU", "cpu", "requests"),
                    commitment("CPU", "cpu", "limits"),
                    memory_used(),
                    commitment("Memory", "memory", "requests"),
                    commitment("Memory", "memory", "limits"),
                ],
            ),
            row("Used", [used_cpu(scope), used_memory(scope)]),
            row("CPU quota", [quota("cpu", scope)]),
            row("Memory quota", [quota("memory", scope)]),
        ],
    )
}

/// A share, as one large number.
fn share(title: &str, measure: Measure, hint: &str) -> Panel {
    let from = |from, level| Threshold { from, level };
    let panel = lines(title, Unit::Share, vec![(measure, title.to_owned())]);
    Panel {
        kind: PanelKind::Stat,
        height: 4,
        thresholds: vec![
            from(None, Grade::Fine),
            from(Some(0.8), Grade::Warning),
            from(Some(0.95), Grade::Bad),
        ],
        hint: hint.to_owned(),
        ..panel
    }
}

fn processors_used() -> Panel {
    let all = Selector::of("node_cpu_seconds_total");
    let idle = all.clone().with("mode", Op::Matches, "idle|iowait|steal");
    share("CPU in use", rest(ratio(rate(idle, &[]), rate(all, &[]))), NODES)
}

fn memory_used() -> Panel {
    let free = sum(Selector::of("node_memory_MemAvailable_bytes"), &[]);
    let all = sum(Selector::of("node_memory_MemTotal_bytes"), &[]);
    share("Memory in use", rest(ratio(free, all)), NODES)
}

/// What containers ask for or may use, of what can be given out.
fn commitment(title: &str, resource: &str, what: &str) -> Panel {
    let words = if what == "requests" { "asked for" } else { "allowed at most" };
    let asked = given(resource, what, &Scope::default(), &[]);
    let all = either(
        sum(Selector::of("kube_node_status_allocatable").with("resource", Op::Is, resource), &[]),
        sum(Selector::of(&format!("kube_node_status_allocatable_{}", older(resource))), &[]),
    );
    let panel = share(&format!("{title} {words}"), ratio(asked, all), STATE);
    // More may be allowed than there is: not all use it at once.
    if what == "limits" { Panel { thresholds: Vec::new(), ..panel } } else { panel }
}

/// Requests or limits, in the words of kube-state-metrics 2, or 1.
fn given(resource: &str, what: &str, scope: &Scope, by: &[&str]) -> Measure {
    let metric = format!("kube_pod_container_resource_{what}");
    let newer = Selector::of(&metric).with("resource", Op::Is, resource);
    let older = Selector::of(&format!("{metric}_{}", older(resource)));
    either(sum(PODS.within(newer, scope), by), sum(PODS.within(older, scope), by))
}

fn older(resource: &str) -> &'static str {
    if resource == "cpu" { "cpu_cores" } else { "memory_bytes" }
}

fn cpu_of(scope: &Scope, by: &[&str]) -> Measure {
    rate(PODS.within(Selector::of(CPU).with("container", Op::MatchesNot, NO_POD), scope), by)
}

/// Without the cache of files; the working set, which has a part of it, where only that is known: by the metrics API.
fn memory_of(scope: &Scope, by: &[&str]) -> Measure {
    let of = |metric| {
        let containers = Selector::of(metric).with("container", Op::MatchesNot, NO_POD);
        sum(PODS.within(containers, scope), by)
    };
    either(of("container_memory_rss"), of(MEMORY))
}

fn used_cpu(scope: &Scope) -> Panel {
    let by = PODS.by(scope);
    let panel = lines("CPU", Unit::Cores, vec![(cpu_of(scope, &by), legend(&by, "all"))]);
    Panel { is_stacked: true, hint: CADVISOR.to_owned(), ..panel }
}

fn used_memory(scope: &Scope) -> Panel {
    let by = PODS.by(scope);
    let panel = lines("Memory", Unit::Bytes, vec![(memory_of(scope, &by), legend(&by, "all"))]);
    let description =
        "Resident, without the cache of files; the working set where only that is known.".to_owned();
    Panel { is_stacked: true, hint: CADVISOR.to_owned(), description, ..panel }
}

/// Used, asked for and allowed, a row for each namespace.
fn quota(resource: &str, scope: &Scope) -> Panel {
    let by = PODS.by(scope);
    let told = |word: &str| format!("{} {word}", legend(&by, "all"));
    let (title, unit, used) = if resource == "cpu" {
        ("CPU used, asked for and allowed", Unit::Cores, cpu_of(scope, &by))
    } else {
        ("Memory used, asked for and allowed", Unit::Bytes, memory_of(scope, &by))
    };
    let asks = vec![
        (used, told("used")),
        (given(resource, "requests", scope, &by), told("requests")),
        (given(resource, "limits", scope, &by), told("limits")),
    ];
    let mut panel = lines(title, unit, asks);
    panel.queries.iter_mut().for_each(|query| query.is_instant = true);
    Panel { kind: PanelKind::Table, hint: format!("{CADVISOR} {STATE}"), height: 9, ..panel }
}
