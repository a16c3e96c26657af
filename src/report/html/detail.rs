//! Where the time went, as tables: phases, by request, address and connection, and the slowest requests.

use crate::model::run::{Row, Slow, error_words};
use crate::model::{Run, number};

use super::super::markup::Markup;
use super::section;
use super::summary::quantile_cells;

/// The most of the slowest requests in a report.
const SLOWEST_SHOWN: usize = 20;

/// The sections that have something to tell.
pub(super) fn sections(main: &mut Markup, run: &Run) {
    let detail = &run.detail;
    if detail.phases.occurred().next().is_some() {
        section(main, "Phases of a request", |inner| phases(inner, run));
    }
    if !detail.variants.is_empty() {
        section(main, "By request, response time", |inner| rows(inner, &detail.variants));
    }
    if !detail.stages.is_empty() {
        section(main, "By stage, response time", |inner| rows(inner, &detail.stages));
    }
    if !detail.addresses.is_empty() {
        section(main, "By address, service time", |inner| rows(inner, &detail.addresses));
    }
    if detail.connections.used > 1 {
        section(main, "Connections", |inner| connections(inner, run));
    }
    if !detail.slowest.is_empty() {
        section(main, "Slowest requests", |inner| slowest(inner, &detail.slowest));
    }
}

fn phases(out: &mut Markup, run: &Run) {
    let heads = ["", "p50", "p90", "p95", "p99", "p99.9", "max", "mean", "samples"];
    table(out, &heads, |body| {
        for (name, meaning, times) in run.detail.phases.occurred() {
            body.element("tr", &[], |tr| {
                tr.element("th", &[("scope", "row")], |th| {
                    th.text(name);
                    th.text(" ");
                    th.leaf("small", &[], meaning);
                });
                quantile_cells(tr, &times.ms);
            });
        }
    });
    let words = "Each phase counts what had it, so the rows do not add up; quantiles never do.";
    out.leaf("p", &[("class", "caption")], words);
}

fn rows(out: &mut Markup, rows: &[Row]) {
    let heads = ["", "requests", "failed", "p50", "p90", "p95", "p99", "p99.9", "max", "mean", "samples"];
    table(out, &heads, |body| {
        for row in rows {
            body.element("tr", &[], |tr| {
                tr.element("th", &[("scope", "row")], |th| th.foreign(&row.name));
                tr.leaf("td", &[("class", "num")], &number::count(row.requests));
                tr.leaf("td", &[("class", "num")], &number::count(row.failed));
                quantile_cells(tr, &row.ms);
            });
        }
    });
}

fn connections(out: &mut Markup, run: &Run) {
    let connections = &run.detail.connections;
    let heads = ["Slowest by mean", "requests", "failed", "opened", "mean service", "longest service"];
    table(out, &heads, |body| {
        for row in &connections.slowest {
            let cells = [
                number::count(row.requests),
                number::count(row.failed),
                number::count(row.opened),
                number::millis(row.mean_ms),
                number::millis(row.max_ms),
            ];
            body.element("tr", &[], |tr| {
                tr.element("th", &[("scope", "row")], |th| th.foreign(&row.name));
                for cell in &cells {
                    tr.leaf("td", &[("class", "num")], cell);
                }
            });
        }
    });
    let words = format!(
        "{} connections carried requests: {} to {} each. A name is thread and number.",
        number::count(connections.used),
        number::count(connections.requests_min),
        number::count(connections.requests_max)
    );
    out.leaf("p", &[("class", "caption")], &words);
}

fn slowest(out: &mut Markup, slowest: &[Slow]) {
    let heads = ["Due at", "response", "service", "outcome", "request", "address", "connection", "phases"];
    table(out, &heads, |body| {
        for slow in slowest.iter().take(SLOWEST_SHOWN) {
            let phases: Vec<String> =
                slow.phases.named().map(|(name, ms)| format!("{name} {}", number::millis(ms))).collect();
            let service = slow.service_ms.map_or_else(|| number::UNKNOWN.to_owned(), number::millis);
            body.element("tr", &[], |tr| {
                tr.leaf("td", &[], &number::millis(slow.due_s * 1e3));
                tr.leaf("td", &[("class", "num")], &number::millis(slow.response_ms));
                tr.leaf("td", &[("class", "num")], &service);
                let words = [error_words(&slow.outcome), &slow.variant, &slow.address, &slow.connection];
                for words in words {
                    let shown = if words.is_empty() { number::UNKNOWN } else { words };
                    tr.element("td", &[("class", "num")], |td| td.foreign(shown));
                }
                tr.leaf("td", &[("class", "num")], &phases.join(", "));
            });
        }
    });
}

pub(super) fn table(out: &mut Markup, heads: &[&str], fill: impl FnOnce(&mut Markup)) {
    out.element("table", &[], |table| {
        table.element("thead", &[], |thead| {
            thead.element("tr", &[], |tr| {
                for (at, head) in heads.iter().enumerate() {
                    let class = if at == 0 { "name" } else { "num" };
                    tr.leaf("th", &[("class", class), ("scope", "col")], head);
                }
            });
        });
        table.element("tbody", &[], fill);
    });
}
