//! What a run cost, and what the machine that sent load did, as tables.

use std::collections::BTreeSet;

use crate::model::metrics::{Component, Cost, RunMetrics};
use crate::model::run::MachineSample;
use crate::model::{Run, number};

use super::super::markup::Markup;
use super::compare::letter;
use super::detail::table;
use super::section;

/// The sections that have something to tell.
pub(super) fn sections(main: &mut Markup, run: &Run) {
    if let Some(metrics) = &run.metrics {
        section(main, "What it cost", |inner| cost(inner, metrics));
    }
    if !run.machine.is_empty() {
        section(main, "The machine that sent load", |inner| machine(inner, run));
    }
}

fn cost(out: &mut Markup, metrics: &RunMetrics) {
    if metrics.costs.is_empty() {
        out.leaf("p", &[("class", "quiet")], "The source does not know what the run cost.");
    } else {
        let heads = [
            "",
            "CPU seconds per 1000 requests",
            "CPU seconds",
            "memory, mean",
            "memory, largest",
            "memory per 1000 requests/s",
        ];
        table(out, &heads, |body| {
            for cost in &metrics.costs {
                body.element("tr", &[], |tr| {
                    tr.element("th", &[("scope", "row")], |th| th.foreign(&name(cost)));
                    for cell in cells(cost) {
                        tr.leaf("td", &[("class", "num")], &cell);
                    }
                });
            }
        });
    }
    out.element("p", &[("class", "caption")], |p| {
        p.text("Over the counted part of the run, by ");
        p.foreign(&metrics.source);
        p.text(".");
        for remark in &metrics.remarks {
            p.text(" ");
            p.foreign(remark);
            p.text(".");
        }
    });
}

/// `Proxies (istio)`
fn name(cost: &Cost) -> String {
    format!("{} ({})", cost.component.words(), cost.of)
}

fn cells(cost: &Cost) -> [String; 5] {
    let memory = |value: Option<f64>| value.map_or_else(|| number::UNKNOWN.to_owned(), bytes);
    [
        seconds(cost.cpu_s_per_1000()),
        seconds(cost.cpu_s),
        memory(cost.memory_mean_bytes),
        memory(cost.memory_max_bytes),
        memory(cost.memory_bytes_per_1000_rps()),
    ]
}

fn seconds(value: Option<f64>) -> String {
    value.map_or_else(|| number::UNKNOWN.to_owned(), |value| format!("{} s", number::significant(value)))
}

fn costs(run: &Run) -> &[Cost] {
    run.metrics.as_ref().map_or(&[], |metrics| metrics.costs.as_slice())
}

/// What several runs cost, side by side; nothing where none is known.
pub(super) fn side_by_side(main: &mut Markup, runs: &[&Run]) {
    let all = runs.iter().flat_map(|run| costs(run));
    let rows: BTreeSet<(Component, &str)> = all.map(|cost| (cost.component, cost.of.as_str())).collect();
    if rows.is_empty() {
        return;
    }
    section(main, "What they cost, CPU seconds per 1000 requests", |inner| {
        let letters: Vec<String> = (0..runs.len()).map(letter).collect();
        let heads: Vec<&str> = std::iter::once("").chain(letters.iter().map(String::as_str)).collect();
        table(inner, &heads, |body| {
            for (component, of) in &rows {
                body.element("tr", &[], |tr| {
                    tr.element("th", &[("scope", "row")], |th| {
                        th.foreign(&format!("{} ({of})", component.words()))
                    });
                    for run in runs {
                        let cost =
                            costs(run).iter().find(|cost| cost.component == *component && cost.of == *of);
                        tr.leaf("td", &[("class", "num")], &seconds(cost.and_then(Cost::cpu_s_per_1000)));
                    }
                });
            }
        });
    });
}

/// What is told of the machine: its name, where it is, and how it is written.
type Told = (&'static str, fn(&MachineSample) -> f64, fn(f64) -> String);

fn machine(out: &mut Markup, run: &Run) {
    let rows: [Told; 6] = [
        ("Processors busy, of the whole machine", |sample| sample.busy_cores, number::significant),
        ("Processors busy by Meshbench", |sample| sample.own_cores, number::significant),
        ("Memory in use", |sample| sample.memory_used_bytes as f64, bytes),
        ("Memory of Meshbench", |sample| sample.own_memory_bytes as f64, bytes),
        ("Received, all interfaces", |sample| sample.received_per_s, per_sec),
        ("Sent, all interfaces", |sample| sample.sent_per_s, per_sec),
    ];
    let samples = || run.machine.samples.iter().filter(|sample| sample.start_s + sample.length_s > 0.0);
    let length_s: f64 = samples().map(|sample| sample.length_s).sum();
    table(out, &["", "mean", "largest"], |body| {
        for (name, of, write) in rows {
            let mean = samples().map(|sample| of(sample) * sample.length_s).sum::<f64>() / length_s;
            let largest = samples().map(of).fold(f64::NAN, f64::max);
            body.element("tr", &[], |tr| {
                tr.leaf("th", &[("scope", "row")], name);
                tr.leaf("td", &[("class", "num")], &write(mean));
                tr.leaf("td", &[("class", "num")], &write(largest));
            });
        }
    });
}

fn bytes(value: f64) -> String {
    if value.is_finite() { number::bytes(value.round() as u64) } else { number::UNKNOWN.to_owned() }
}

fn per_sec(value: f64) -> String {
    format!("{}/s", bytes(value))
}
