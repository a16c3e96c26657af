//! Sources, boards and what they show, as text and as JSON. Pure.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::app::metrics::{Metrics, PanelState, Shown};
use crate::cli::screen::{plain, pretty};
use crate::model::metrics::board::{Panel, PanelKind};
use crate::model::metrics::feed::fed;
use crate::model::metrics::legend::legend;
use crate::model::metrics::{Board, Cost, Facts, Series};
use crate::model::number;

/// The most series of one panel that are printed.
const SERIES_PRINTED_MAX: usize = 20;
/// The width of the column of names.
const NAME_WIDTH: usize = 44;

/// What a source is, and which boards it feeds.
pub(super) struct Told<'a> {
    pub(super) source: &'a str,
    pub(super) facts: &'a Facts,
    pub(super) metrics: &'a Metrics,
}

impl Told<'_> {
    pub(super) fn text(&self) -> String {
        let facts = self.facts;
        let mut lines = vec![
            format!("source      {}", plain(self.source)),
            format!("product     {} {}", facts.product.words(), plain(&facts.version)).trim_end().to_owned(),
            format!("reads       {}", scrape_words(facts.scrape_ms)),
            format!("metrics     {}", number::count(facts.names.len() as u64)),
        ];
        if let Some(ahead) = facts.clock_ahead_ms.filter(|ahead| ahead.abs() >= 1000) {
            lines.push(format!("clock       {:+.1} s against ours", ahead as f64 / 1e3));
        }
        for (uid, name) in &facts.data_sources {
            lines.push(format!("data source {} ({})", plain(name), plain(uid)));
        }
        lines.extend(facts.remarks.iter().map(|remark| format!("remark      {}", plain(remark))));
        lines.push(String::new());
        for (id, title) in self.metrics.boards() {
            let Some(board) = self.metrics.board(&id) else { continue };
            let feed = fed(&board, &facts.names);
            lines.push(format!("{:<16} {} {}", plain(&id.0), plain(&title), feed.words()));
        }
        lines.join("\n") + "\n"
    }

    pub(super) fn json(&self) -> String {
        let facts = self.facts;
        let boards: Vec<Value> = self
            .metrics
            .boards()
            .into_iter()
            .filter_map(|(id, title)| {
                let board = self.metrics.board(&id)?;
                let feed = fed(&board, &facts.names);
                let missing: Vec<&str> = feed.missing_names().into_iter().collect();
                Some(json!({
                    "id": id.0, "title": title, "panels": feed.panels, "fed": feed.fed(), "missing": missing,
                }))
            })
            .collect();
        pretty(&json!({
            "source": self.source,
            "product": facts.product.words(),
            "version": facts.version,
            "scrape_ms": facts.scrape_ms,
            "metrics": facts.names.len(),
            "clock_ahead_ms": facts.clock_ahead_ms,
            "data_sources": facts.data_sources,
            "remarks": facts.remarks,
            "boards": boards,
        }))
    }
}

fn scrape_words(scrape_ms: Option<u64>) -> String {
    scrape_ms
        .map_or_else(|| "not said how often".to_owned(), |ms| format!("every {}", number::millis(ms as f64)))
}

/// A line for each board.
pub(super) fn boards(metrics: &Metrics) -> String {
    let line = |(id, title): (crate::model::metrics::BoardId, String)| {
        format!("{:<38} {}\n", plain(&id.0), plain(&title))
    };
    metrics.boards().into_iter().map(line).collect()
}

/// What came of an import.
pub(super) fn imported(board: &Board) -> String {
    let panels = board.panels().count();
    let notes: Vec<String> = board
        .notes
        .iter()
        .chain(board.panels().flat_map(|(_, panel)| &panel.notes))
        .map(|note| format!("\n  {}", plain(note)))
        .collect();
    format!("Imported “{}” ({}) with {panels} panels{}", plain(&board.title), board.id.0, notes.concat())
}

/// What every panel of a board shows.
pub(super) fn shown(shown: &Shown) -> String {
    let mut out = String::new();
    for (row_number, row) in shown.board.rows.iter().enumerate() {
        if !row.title.is_empty() {
            out.push_str(&format!("== {}\n", plain(&row.title)));
        }
        for (number, panel) in row.panels.iter().enumerate() {
            let place = crate::model::metrics::board::PanelPlace { row: row_number, panel: number };
            out.push_str(&panel_text(panel, shown.panels.get(&place)));
        }
    }
    out
}

fn panel_text(panel: &Panel, state: Option<&PanelState>) -> String {
    let mark = if panel.is_interpolated() { " (interpolated from buckets)" } else { "" };
    let mut lines = vec![format!("{}{mark}", plain(&panel.title))];
    match &panel.kind {
        PanelKind::Text(words) => lines.extend(words.lines().map(|line| format!("  {}", plain(line)))),
        PanelKind::Unsupported(kind) => lines.push(format!("  not drawn by Meshbench: {}", plain(kind))),
        _ => lines.extend(answers(panel, state)),
    }
    lines.join("\n") + "\n"
}

fn answers(panel: &Panel, state: Option<&PanelState>) -> Vec<String> {
    let Some(answers) = state.and_then(|state| state.answers.as_ref()) else {
        return vec!["  nothing was asked".to_owned()];
    };
    let mut lines = Vec::new();
    for (query, answer) in panel.queries.iter().zip(answers.iter()).filter(|(query, _)| !query.is_hidden) {
        match answer {
            Err(reason) => lines.push(format!("  {}: {}", plain(&query.name), plain(reason))),
            Ok(answer) => {
                let printed = answer.series.iter().take(SERIES_PRINTED_MAX);
                lines
                    .extend(printed.map(|series| series_text(panel, &legend(&query.legend, series), series)));
                let left = answer.left_out + answer.series.len().saturating_sub(SERIES_PRINTED_MAX);
                if left > 0 {
                    lines.push(format!("  and {} more series", number::count(left as u64)));
                }
                lines.extend(answer.remarks.iter().map(|remark| format!("  {}", plain(remark))));
            }
        }
    }
    if lines.is_empty() {
        let hint = if panel.hint.is_empty() { String::new() } else { format!(": {}", plain(&panel.hint)) };
        lines.push(format!("  no data{hint}"));
    }
    lines
}

fn series_text(panel: &Panel, name: &str, series: &Series) -> String {
    let values = || series.points.iter().map(|point| point.value);
    let write = |value: Option<f64>| {
        plain(
            &value
                .map_or_else(|| number::UNKNOWN.to_owned(), |value| panel.unit.write(value, panel.decimals)),
        )
    };
    let mean = (!series.points.is_empty()).then(|| values().sum::<f64>() / series.points.len() as f64);
    format!(
        "  {:<NAME_WIDTH$} last {:>12}  min {:>12}  mean {:>12}  max {:>12}",
        plain(name),
        write(series.last()),
        write(values().reduce(f64::min)),
        write(mean),
        write(values().reduce(f64::max)),
    )
}

/// What every panel of a board shows, with all points.
pub(super) fn shown_json(shown: &Shown) -> String {
    let panels: Vec<Value> = shown
        .board
        .panels()
        .map(|(place, panel)| {
            let answers = shown.panels.get(&place).and_then(|state| state.answers.clone());
            let queries: Vec<Value> = panel
                .queries
                .iter()
                .zip(answers.iter().flat_map(|answers| answers.iter()))
                .map(|(query, answer)| match answer {
                    Ok(answer) => json!({ "query": query.name, "legend": query.legend, "answer": answer }),
                    Err(reason) => json!({ "query": query.name, "legend": query.legend, "error": reason }),
                })
                .collect();
            json!({
                "title": panel.title, "unit": panel.unit, "interpolated": panel.is_interpolated(), "queries": queries,
            })
        })
        .collect();
    pretty(&json!({ "board": shown.board.title, "grid": shown.grid, "panels": panels }))
}

/// What a run cost, as lines of a table; nothing where nothing is known.
pub(in crate::cli) fn costs(costs: &[Cost]) -> Vec<String> {
    if costs.is_empty() {
        return Vec::new();
    }
    let dash = || number::UNKNOWN.to_owned();
    let bytes = |value: Option<f64>| value.map_or_else(dash, |value| number::bytes(value.round() as u64));
    let mut lines = vec![format!(
        "{:<28} {:>14} {:>10} {:>14} {:>14} {:>18}",
        "cost", "CPU s/1000 req", "CPU s", "memory mean", "memory max", "per 1000 req/s"
    )];
    for cost in costs {
        let seconds = |value: Option<f64>| value.map_or_else(dash, number::significant);
        let name = format!("{} ({})", cost.component.words(), cost.of);
        lines.push(format!(
            "{name:<28} {:>14} {:>10} {:>14} {:>14} {:>18}",
            seconds(cost.cpu_s_per_1000()),
            seconds(cost.cpu_s),
            bytes(cost.memory_mean_bytes),
            bytes(cost.memory_max_bytes),
            bytes(cost.memory_bytes_per_1000_rps()),
        ));
    }
    lines.into_iter().map(|line| plain(&line)).collect()
}

/// `14:03:22`, in local time.
pub(super) fn moment(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%H:%M:%S").to_string()
}
