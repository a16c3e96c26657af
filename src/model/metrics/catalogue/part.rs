//! What boards are made of.

use crate::model::metrics::board::{
    Ask, Board, BoardId, COLUMNS, Grade, Panel, PanelKind, PanelQuery, Row, Threshold,
};
use crate::model::metrics::measure::{Measure, Op, Selector};
use crate::model::metrics::promql::regex_escaped;
use crate::model::metrics::source::Scope;
use crate::model::metrics::unit::Unit;

/// What containers have used of processors, in seconds, by cAdvisor.
pub(crate) const CPU: &str = "container_cpu_usage_seconds_total";
/// The memory of containers that cannot be taken back, in bytes, by cAdvisor.
pub(crate) const MEMORY: &str = "container_memory_working_set_bytes";
/// How those two come to a Prometheus.
pub(crate) const CADVISOR: &str = "Needs cAdvisor's metrics of containers: the source must read /metrics/cadvisor of each \
                            kubelet, as kube-prometheus-stack does.";

/// Signs that Kubernetes makes the ends of pods' names of.
const SIGNS: &str = "[bcdfghjklmnpqrstvwxz0-9]";

/// The labels by which metrics say whom they are about.
#[derive(Clone, Copy)]
pub(crate) struct Names {
    /// Of the namespace.
    pub(crate) namespace: &'static str,
    /// Of the workload.
    pub(crate) workload: Workload,
}

/// How a workload is told.
#[derive(Clone, Copy)]
pub(crate) enum Workload {
    /// By a label of its own.
    Label(&'static str),
    /// By the names of its pods, in the label `pod`.
    Pods,
}

/// The labels that a Prometheus puts on what it reads from pods, and cAdvisor on what it says of containers.
pub(crate) const PODS: Names = Names { namespace: "namespace", workload: Workload::Pods };

impl Names {
    /// Only what a scope looks at.
    pub(crate) fn within(self, of: Selector, scope: &Scope) -> Selector {
        let of = match scope.namespace.as_str() {
            "" => of,
            namespace => of.with(self.namespace, Op::Is, namespace),
        };
        match (scope.workload.as_str(), self.workload) {
            ("", _) => of,
            (workload, Workload::Label(label)) => of.with(label, Op::Is, workload),
            (workload, Workload::Pods) => of.with("pod", Op::Matches, &pods_of(workload)),
        }
    }

    /// By which labels lines are told apart: one for each namespace where all are looked at, one for each workload or
    /// pod in one of them.
    pub(crate) fn by(self, scope: &Scope) -> Vec<&'static str> {
        match self.workload {
            _ if scope.namespace.is_empty() => vec![self.namespace],
            Workload::Label(label) if scope.workload.is_empty() => vec![label],
            Workload::Label(_) => Vec::new(),
            Workload::Pods => vec!["pod"],
        }
    }
}

/// The names of a workload's pods, as a regular expression: of a Deployment, StatefulSet, DaemonSet or Job, or the pod that
/// is called so. `checkout` is not taken for `checkout-cache`.
pub(crate) fn pods_of(workload: &str) -> String {
    format!("{}(-([0-9]+|({SIGNS}{{1,10}}-)?{SIGNS}{{5}}))?", regex_escaped(workload))
}

/// `{{a}}/{{b}}`: the legend of lines that are told apart by these; this word where there is one line.
pub(crate) fn legend(by: &[&str], word: &str) -> String {
    if by.is_empty() {
        return word.to_owned();
    }
    by.iter().map(|label| format!("{{{{{label}}}}}")).collect::<Vec<_>>().join("/")
}

fn owned(by: &[&str]) -> Vec<String> {
    by.iter().map(|&label| label.to_owned()).collect()
}

/// The growth of counters in a second.
pub(crate) fn rate(of: Selector, by: &[&str]) -> Measure {
    Measure::Rate { of, by: owned(by) }
}

/// Gauges, together.
pub(crate) fn sum(of: Selector, by: &[&str]) -> Measure {
    Measure::Sum { of, by: owned(by) }
}

/// A quantile of buckets.
pub(crate) fn quantile(q: f64, of: Selector) -> Measure {
    Measure::Quantile { q, of, by: Vec::new() }
}

/// One by the other.
pub(crate) fn ratio(one: Measure, other: Measure) -> Measure {
    Measure::Ratio(Box::new(one), Box::new(other))
}

/// The share of requests that went well. Where none did, there may be no series of good ones at all: then it is 0, and not a
/// gap as where there are no requests.
pub(crate) fn well(good: Selector, all: Selector, by: &[&str]) -> Measure {
    let all = || rate(all.clone(), by);
    either(ratio(rate(good, by), all()), rest(ratio(all(), all())))
}

/// 1 less this.
pub(crate) fn rest(one: Measure) -> Measure {
    Measure::Rest(Box::new(one))
}

/// The first that there is.
pub(crate) fn either(one: Measure, other: Measure) -> Measure {
    Measure::Either(Box::new(one), Box::new(other))
}

/// Lines over time, each with its legend.
pub(crate) fn lines(title: &str, unit: Unit, asks: Vec<(Measure, String)>) -> Panel {
    let queries = asks.into_iter().zip('A'..='Z').map(|((measure, legend), name)| PanelQuery {
        name: name.to_string(),
        ask: Ask::Measure(measure),
        legend,
        is_instant: false,
        is_hidden: false,
    });
    Panel { queries: queries.collect(), min: Some(0.0), ..Panel::new(title, PanelKind::TimeSeries, unit) }
}

/// The three quantiles of a latency, in one picture.
pub(crate) fn latency(unit: Unit, buckets: &Selector, hint: &str) -> Panel {
    latency_of(unit, |q| quantile(q, buckets.clone()), hint)
}

/// The three quantiles of a latency, each as it is asked for.
pub(crate) fn latency_of(unit: Unit, ask: impl Fn(f64) -> Measure, hint: &str) -> Panel {
    let asks = [(0.5, "p50"), (0.9, "p90"), (0.99, "p99")].map(|(q, legend)| (ask(q), legend.to_owned()));
    Panel {
        description: "Interpolated from the buckets of histograms: no more exact than these are wide."
            .to_owned(),
        hint: hint.to_owned(),
        ..lines("Latency", unit, asks.into())
    }
}

/// A share of requests that went well.
pub(crate) fn success(measure: Measure, legend: String, hint: &str) -> Panel {
    let from = |from, level| Threshold { from, level };
    Panel {
        max: Some(1.0),
        thresholds: vec![
            from(None, Grade::Bad),
            from(Some(0.99), Grade::Warning),
            from(Some(0.999), Grade::Fine),
        ],
        hint: hint.to_owned(),
        min: None,
        ..lines("Success rate", Unit::Share, vec![(measure, legend)])
    }
}

/// Requests in a second.
pub(crate) fn requests(measure: Measure, legend: String, hint: &str) -> Panel {
    Panel { hint: hint.to_owned(), ..lines("Requests", Unit::Rate, vec![(measure, legend)]) }
}

/// Processors and memory of containers, told apart by these labels.
pub(crate) fn containers(of: impl Fn(Selector) -> Selector, by: &[&str]) -> [Panel; 2] {
    let legend = legend(by, "all");
    [
        lines("CPU", Unit::Cores, vec![(rate(of(Selector::of(CPU)), by), legend.clone())]),
        lines("Memory", Unit::Bytes, vec![(sum(of(Selector::of(MEMORY)), by), legend)]),
    ]
    .map(|panel| Panel { hint: CADVISOR.to_owned(), ..panel })
}

/// Panels under a heading, as wide as there is room for them.
pub(crate) fn row(title: &str, panels: impl IntoIterator<Item = Panel>) -> Row {
    let mut panels: Vec<Panel> = panels.into_iter().collect();
    let in_line = match panels.len() {
        1 => 1,
        2 | 4 => 2,
        _ => 3,
    };
    panels.iter_mut().for_each(|panel| panel.width = COLUMNS / in_line);
    Row { title: title.to_owned(), is_folded: false, panels }
}

/// A board with these rows, whose key and title are put by [`super::ready`].
pub(crate) fn board(description: &str, rows: Vec<Row>) -> Board {
    Board { description: description.to_owned(), rows, ..Board::new(BoardId(String::new()), "") }
}
