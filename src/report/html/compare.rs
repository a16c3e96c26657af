//! Several runs side by side.

use std::collections::BTreeSet;

use crate::model::{Run, number};
use crate::stats::Latency;

use super::super::markup::Markup;
use super::super::plot::{self, Curve, SERIES_MAX};
use super::summary::quantile_cells;
use super::{figure, metrics, moment, plan, section, share, swatch, whole};

/// `A`, `B`, …: how a run is called in plots and tables.
pub(super) fn letter(at: usize) -> String {
    let letter = u8::try_from(at % 26).map_or('?', |at| char::from(b'A' + at));
    if at < 26 { letter.to_string() } else { format!("{letter}{}", at / 26) }
}

/// The table, the overlay, and what differs.
pub(super) fn overlay(body: &mut Markup, runs: &[&Run]) {
    body.element("main", &[], |main| {
        main.element("header", &[], |header| {
            header.leaf("p", &[("class", "kicker")], "Load test report");
            header.leaf("h1", &[], &format!("{} runs side by side", runs.len()));
        });
        section(main, "Response time", |inner| table(inner, runs));
        let whole: Vec<(usize, Latency)> = runs
            .iter()
            .take(SERIES_MAX)
            .enumerate()
            .filter_map(|(at, run)| whole(run).map(|latency| (at, latency)))
            .collect();
        let curves: Vec<Curve<'_>> = whole
            .iter()
            .map(|(at, latency)| Curve {
                class: series(*at),
                words: format!("{} {}", letter(*at), runs[*at].name),
                latency,
            })
            .collect();
        if let Some(drawn) = plot::quantile_curves("Quantiles of response time", &curves) {
            figure(main, drawn);
        }
        metrics::side_by_side(main, runs);
        differences(main, runs);
    });
}

fn series(at: usize) -> String {
    format!("curve s{at}")
}

fn table(out: &mut Markup, runs: &[&Run]) {
    out.element("table", &[], |table| {
        table.element("thead", &[], |thead| {
            thead.element("tr", &[], |tr| {
                tr.leaf("th", &[("scope", "col")], "Run");
                for name in [
                    "asked", "achieved", "failed", "p50", "p90", "p95", "p99", "p99.9", "max", "mean",
                    "samples",
                ] {
                    tr.leaf("th", &[("class", "num"), ("scope", "col")], name);
                }
            });
        });
        table.element("tbody", &[], |tbody| {
            for (at, run) in runs.iter().enumerate() {
                tbody.element("tr", &[], |tr| row(tr, at, run));
            }
        });
    });
    if runs.iter().any(|run| run.is_void()) {
        out.leaf("p", &[("class", "loud")], "Runs marked void must not be used: their generator lagged.");
    }
    if runs.len() > SERIES_MAX {
        let words = format!("Plots and details are of the first {SERIES_MAX} runs; the table has all.");
        out.leaf("p", &[("class", "caption")], &words);
    }
    let words = "Grey: too few samples. One run each cannot tell a difference from chance: repeat them, and \
                 take turns, before believing a small one.";
    out.leaf("p", &[("class", "caption")], words);
}

fn row(tr: &mut Markup, at: usize, run: &Run) {
    tr.element("th", &[("scope", "row")], |th| {
        if at < SERIES_MAX {
            swatch(th, &series(at));
        }
        th.leaf("span", &[("class", "letter")], &letter(at));
        th.foreign(&run.name);
        if run.is_void() {
            th.leaf("span", &[("class", "bad")], " void");
        }
        th.text(" ");
        th.leaf("small", &[], &moment(run.started));
    });
    let asked = run.rate.asked.map_or("max".to_owned(), number::rate);
    tr.leaf("td", &[("class", "num")], &asked);
    tr.leaf("td", &[("class", "num")], &number::rate(run.rate.achieved));
    tr.leaf("td", &[("class", "num")], &share(run.requests.failed, run.requests.due));
    quantile_cells(tr, &run.response_ms);
}

/// Labels, plan and environment where the runs do not agree.
fn differences(main: &mut Markup, runs: &[&Run]) {
    let shown: Vec<&Run> = runs.iter().copied().take(SERIES_MAX).collect();
    let facts: Vec<Vec<(String, String)>> = shown.iter().map(|run| facts(run)).collect();
    let value = |at: usize, name: &str| {
        facts[at].iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    };
    let mut names: Vec<String> = Vec::new();
    for (name, _) in facts.iter().flatten() {
        let values: BTreeSet<Option<String>> = (0..shown.len()).map(|at| value(at, name)).collect();
        if values.len() > 1 && !names.contains(name) {
            names.push(name.clone());
        }
    }
    section(main, "What differs", |inner| {
        if names.is_empty() {
            inner.leaf("p", &[("class", "quiet")], "Labels, plans and environments are alike.");
            return;
        }
        inner.element("table", &[], |table| {
            table.element("thead", &[], |thead| {
                thead.element("tr", &[], |tr| {
                    tr.leaf("th", &[], "");
                    for at in 0..shown.len() {
                        tr.leaf("th", &[("scope", "col")], &letter(at));
                    }
                });
            });
            table.element("tbody", &[], |tbody| {
                for name in &names {
                    tbody.element("tr", &[], |tr| {
                        tr.element("th", &[("scope", "row")], |th| th.foreign(name));
                        for at in 0..shown.len() {
                            let shown = value(at, name).unwrap_or_else(|| number::UNKNOWN.to_owned());
                            tr.element("td", &[], |td| td.foreign(&shown));
                        }
                    });
                }
            });
        });
    });
}

fn facts(run: &Run) -> Vec<(String, String)> {
    let labels = run.labels.iter().map(|(key, value)| (format!("Label {key}"), value.clone()));
    let environment = &run.environment;
    let places = [
        ("Meshbench", environment.meshbench.clone()),
        ("System", environment.system.clone()),
        ("Address of the target", environment.address.clone()),
        ("Threads that sent load", environment.load_threads.to_string()),
    ];
    labels
        .chain(plan::rows(&run.plan.redacted()))
        .chain(places.map(|(name, value)| (name.to_owned(), value)))
        .collect()
}
