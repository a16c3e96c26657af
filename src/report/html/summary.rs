//! The numbers of one run as tables.

use std::collections::BTreeMap;

use crate::model::goal::Metric;
use crate::model::run::QUANTILES;
use crate::model::{Goal, Quantiles, Run, number};

use super::super::markup::Markup;
use super::super::plot::is_weak;
use super::{class_words, pair, pairs, share};

/// The four numbers that matter.
pub(super) fn numbers(out: &mut Markup, run: &Run) {
    let of = |quantiles: &Quantiles, value: f64| {
        if quantiles.count == 0 { number::UNKNOWN.to_owned() } else { number::millis(value) }
    };
    let asked = run
        .rate
        .asked
        .map_or("as fast as answers came".to_owned(), |rate| format!("asked {}", number::rate(rate)));
    let cells = [
        ("p99 response", of(&run.response_ms, run.response_ms.p99), samples(run.response_ms.count)),
        ("Rate achieved", number::rate(run.rate.achieved), asked),
        (
            "Failed",
            share(run.requests.failed, run.requests.due),
            format!("{} of {}", number::count(run.requests.failed), number::count(run.requests.due)),
        ),
        ("p99 lag", of(&run.lag_ms, run.lag_ms.p99), "of our own generator".to_owned()),
    ];
    out.element("div", &[("class", "numbers")], |row| {
        for (name, value, detail) in cells {
            row.element("div", &[], |cell| {
                cell.leaf("p", &[("class", "name")], name);
                cell.leaf("p", &[("class", "big")], &value);
                cell.leaf("p", &[("class", "quiet")], &detail);
            });
        }
    });
}

/// Response, service and lag: every quantile with its number of samples.
pub(super) fn quantiles(out: &mut Markup, run: &Run) {
    let rows = [
        ("Response time", "due to answered", &run.response_ms),
        ("Service time", "sent to answered", &run.service_ms),
        ("Lag", "due to sent, our own lateness", &run.lag_ms),
    ];
    out.element("table", &[], |table| {
        table.element("thead", &[], |thead| {
            thead.element("tr", &[], |tr| {
                tr.leaf("th", &[], "");
                for name in ["p50", "p90", "p95", "p99", "p99.9", "max", "mean", "samples"] {
                    tr.leaf("th", &[("class", "num"), ("scope", "col")], name);
                }
            });
        });
        table.element("tbody", &[], |tbody| {
            for (name, meaning, quantiles) in rows {
                tbody.element("tr", &[], |tr| {
                    tr.element("th", &[("scope", "row")], |th| {
                        th.text(name);
                        th.text(" ");
                        th.leaf("small", &[], meaning);
                    });
                    quantile_cells(tr, quantiles);
                });
            }
        });
    });
    if QUANTILES.iter().any(|q| is_weak(*q, run.response_ms.count)) {
        let words = "Grey: too few samples. Fewer than 10 lie beyond this quantile, so chance moves it.";
        out.leaf("p", &[("class", "caption")], words);
    }
}

/// Cells p50 to p99.9, max, mean and number of samples.
pub(super) fn quantile_cells(tr: &mut Markup, quantiles: &Quantiles) {
    let Quantiles { p50, p90, p95, p99, p99_9, max, mean, count } = *quantiles;
    for (q, value) in QUANTILES.into_iter().zip([p50, p90, p95, p99, p99_9]) {
        if count == 0 {
            tr.leaf("td", &[("class", "num")], number::UNKNOWN);
        } else if is_weak(q, count) {
            let attributes = [("class", "num weak"), ("title", "too few samples")];
            tr.leaf("td", &attributes, &number::millis(value));
        } else {
            tr.leaf("td", &[("class", "num")], &number::millis(value));
        }
    }
    for value in [max, mean] {
        let shown = if count == 0 { number::UNKNOWN.to_owned() } else { number::millis(value) };
        tr.leaf("td", &[("class", "num")], &shown);
    }
    tr.leaf("td", &[("class", "num")], &number::count(count));
}

/// Goals, and whether they were met.
pub(super) fn goals(out: &mut Markup, run: &Run) {
    out.element("table", &[("class", "goals")], |table| {
        table.element("tbody", &[], |tbody| {
            for goal in &run.goals {
                let value = match (goal.value, goal.goal.parse::<Goal>()) {
                    (None, _) => "not measured".to_owned(),
                    (Some(value), Ok(Goal { metric: Metric::Errors, .. })) => number::percent(value),
                    (Some(value), Ok(Goal { metric: Metric::Rate, .. })) => number::rate(value),
                    (Some(value), Ok(_)) => number::millis(value),
                    (Some(value), Err(_)) => number::significant(value),
                };
                tbody.element("tr", &[], |tr| {
                    let (class, verdict) = if goal.met { ("good", "✓ met") } else { ("bad", "✗ missed") };
                    tr.leaf("td", &[("class", class)], verdict);
                    tr.element("th", &[("scope", "row")], |th| th.foreign(&goal.goal));
                    tr.leaf("td", &[("class", "num")], &value);
                });
            }
        });
    });
}

/// Counts, errors, status codes and traffic, side by side.
pub(super) fn outcomes(out: &mut Markup, run: &Run) {
    out.element("div", &[("class", "columns")], |columns| {
        column(columns, "Counts", |inner| pairs(inner, &count_rows(run)));
        column(columns, "Errors by class", |inner| {
            let rows =
                counted(run.errors.iter().map(|(class, n)| (class_words(class), *n)), run.requests.due);
            if rows.is_empty() {
                inner.leaf("p", &[("class", "quiet")], "None");
            } else {
                pairs(inner, &rows);
            }
        });
        column(columns, "Status codes", |inner| {
            let rows = counted(run.status.iter().map(|(code, n)| (code.clone(), *n)), run.requests.due);
            if rows.is_empty() {
                inner.leaf("p", &[("class", "quiet")], "No answer");
            } else {
                pairs(inner, &rows);
            }
        });
        column(columns, "Traffic", |inner| pairs(inner, &traffic_rows(run)));
    });
    if !run.error_details.is_empty() {
        out.leaf("h3", &[], "Why connections failed (all attempts)");
        pairs(out, &reason_rows(run));
    }
}

fn reason_rows(run: &Run) -> Vec<(String, String)> {
    let shown = |(class, reasons): (&String, &BTreeMap<String, u64>)| {
        let named =
            |(why, count): (&String, &u64)| (class_words(class), format!("{why}: {}", number::count(*count)));
        reasons.iter().map(named).collect::<Vec<_>>()
    };
    run.error_details.iter().flat_map(shown).collect()
}

fn column(columns: &mut Markup, title: &str, fill: impl FnOnce(&mut Markup)) {
    columns.element("div", &[], |column| {
        column.leaf("h3", &[], title);
        fill(column);
    });
}

fn count_rows(run: &Run) -> Vec<(String, String)> {
    let requests = &run.requests;
    let mut rows = vec![
        pair("Due", number::count(requests.due)),
        pair("Answered", number::count(requests.answered)),
        pair("Failed", number::count(requests.failed)),
    ];
    if requests.cancelled > 0 {
        rows.push(pair("Cancelled by the stop", number::count(requests.cancelled)));
    }
    if run.warmup.due > 0 {
        rows.push(pair("In warm-up, not counted", number::count(run.warmup.due)));
    }
    rows
}

fn counted(counts: impl Iterator<Item = (String, u64)>, due: u64) -> Vec<(String, String)> {
    let mut counts: Vec<(String, u64)> = counts.filter(|(_, count)| *count > 0).collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts
        .into_iter()
        .map(|(name, count)| (name, format!("{} ({})", number::count(count), share(count, due))))
        .collect()
}

fn traffic_rows(run: &Run) -> Vec<(String, String)> {
    let mut pairs = vec![
        pair("Sent", number::bytes(run.bytes.sent)),
        pair("Received", number::bytes(run.bytes.received)),
        pair("Connections opened", number::count(run.connections.opened)),
        pair("Waited for a connection", number::count(run.connections.waited)),
    ];
    if run.connections.resent > 0 {
        pairs.push(pair("Sent again", number::count(run.connections.resent)));
    }
    pairs
}

fn samples(count: u64) -> String {
    format!("{} samples", number::count(count))
}
