//! Runs as tables for spreadsheets: RFC 4180, a header with units, a dot for decimals.
//!
//! Cells that hold people's words may begin with a sign that a spreadsheet would carry out as a formula;
//! they get an apostrophe before it. Empty cells stand for what was not measured.

use std::borrow::Borrow;

use crate::model::run::{ErrorClass, STATUS_ERROR};
use crate::model::{Interval, Quantiles, Run};

const QUANTILE_COLUMNS: [&str; 8] =
    ["p50_ms", "p90_ms", "p95_ms", "p99_ms", "p99.9_ms", "max_ms", "mean_ms", "count"];

/// One row for each interval of a run.
#[must_use]
pub fn intervals(run: &Run) -> String {
    intervals_of(&[run])
}

/// One row for each interval of each run; the first two columns say which run.
#[must_use]
pub fn intervals_of<R: Borrow<Run>>(runs: &[R]) -> String {
    let mut table = Table::default();
    for name in ["run_id", "run_name", "start_s", "length_s", "due", "answered", "in_flight"] {
        table.text(name);
    }
    table.quantile_names("response");
    table.quantile_names("service");
    table.text("lag_p99_ms");
    for class in classes() {
        table.text(&format!("errors_{class}"));
    }
    table.end_row();
    for run in runs {
        let run = run.borrow();
        for interval in &run.intervals {
            table.interval(run, interval);
        }
    }
    table.out
}

/// One row for each run: what it was, its counts, rates, errors and quantiles.
#[must_use]
pub fn quantiles<R: Borrow<Run>>(runs: &[R]) -> String {
    let mut table = Table::default();
    for name in [
        "run_id",
        "run_name",
        "labels",
        "url",
        "started_utc",
        "elapsed_s",
        "ended",
        "void",
        "rate_asked_per_s",
        "rate_achieved_per_s",
        "due",
        "answered",
        "failed",
        "cancelled",
        "bytes_sent",
        "bytes_received",
    ] {
        table.text(name);
    }
    for kind in ["response", "service", "lag"] {
        table.quantile_names(kind);
    }
    for class in classes() {
        table.text(&format!("errors_{class}"));
    }
    table.text("goals_missed");
    table.text("warnings");
    table.end_row();
    for run in runs {
        table.run(run.borrow());
    }
    table.out
}

fn classes() -> impl Iterator<Item = &'static str> {
    let without_answer = ErrorClass::ALL.into_iter().filter(|class| *class != ErrorClass::Cancelled);
    without_answer.map(ErrorClass::name).chain([STATUS_ERROR])
}

#[derive(Default)]
struct Table {
    out: String,
    row_has_cells: bool,
}

impl Table {
    fn interval(&mut self, run: &Run, interval: &Interval) {
        self.text(&run.id.to_string());
        self.text(&run.name);
        self.number(interval.start_s);
        self.number(interval.length_s);
        self.count(interval.due);
        self.count(interval.answered);
        self.count(interval.in_flight);
        self.quantiles(&interval.response_ms);
        self.quantiles(&interval.service_ms);
        if interval.due > 0 {
            self.number(interval.lag_p99_ms)
        } else {
            self.raw("")
        }
        for class in classes() {
            self.count(interval.errors.get(class).copied().unwrap_or(0));
        }
        self.end_row();
    }

    fn run(&mut self, run: &Run) {
        let labels: Vec<String> = run.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        self.text(&run.id.to_string());
        self.text(&run.name);
        self.text(&labels.join("; "));
        self.text(&run.plan.target.url);
        self.text(&run.started.to_string());
        self.number(run.elapsed_s);
        self.text(&run.ended.words().to_lowercase());
        self.text(if run.is_void() { "yes" } else { "no" });
        match run.rate.asked {
            Some(asked) => self.number(asked),
            None => self.raw(""),
        }
        self.number(run.rate.achieved);
        for count in [
            run.requests.due,
            run.requests.answered,
            run.requests.failed,
            run.requests.cancelled,
            run.bytes.sent,
            run.bytes.received,
        ] {
            self.count(count);
        }
        for quantiles in [&run.response_ms, &run.service_ms, &run.lag_ms] {
            self.quantiles(quantiles);
        }
        for class in classes() {
            self.count(run.errors.get(class).copied().unwrap_or(0));
        }
        self.count(run.goals.iter().filter(|goal| !goal.met).count() as u64);
        let warnings: Vec<&str> = run.warnings.iter().map(|warning| warning.text.as_str()).collect();
        self.text(&warnings.join("; "));
        self.end_row();
    }

    fn quantile_names(&mut self, kind: &str) {
        for column in QUANTILE_COLUMNS {
            self.text(&format!("{kind}_{column}"));
        }
    }

    fn quantiles(&mut self, quantiles: &Quantiles) {
        let Quantiles { p50, p90, p95, p99, p99_9, max, mean, count } = *quantiles;
        for value in [p50, p90, p95, p99, p99_9, max, mean] {
            if count > 0 { self.number(value) } else { self.raw("") }
        }
        self.count(count);
    }

    fn number(&mut self, value: f64) {
        // Shortest text that reads back as the same number; what is no number is an empty cell.
        if value.is_finite() { self.raw(&value.to_string()) } else { self.raw("") }
    }

    fn count(&mut self, value: u64) {
        self.raw(&value.to_string());
    }

    /// A cell of words: guarded against being a formula, and quoted where the format asks for it.
    fn text(&mut self, text: &str) {
        let guarded = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
            format!("'{text}")
        } else {
            text.to_owned()
        };
        let guarded = guarded.replace('\0', "\u{fffd}");
        if guarded.contains(['"', ',', '\r', '\n', ';', '\t']) {
            self.raw(&format!("\"{}\"", guarded.replace('"', "\"\"")));
        } else {
            self.raw(&guarded);
        }
    }

    fn raw(&mut self, cell: &str) {
        if self.row_has_cells {
            self.out.push(',');
        }
        self.row_has_cells = true;
        self.out.push_str(cell);
    }

    fn end_row(&mut self) {
        self.out.push_str("\r\n");
        self.row_has_cells = false;
    }
}
