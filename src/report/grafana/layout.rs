//! Where panels are: in a grid with rows between them, or, until version 4 of Grafana, in rows of spans.

use serde_json::Value;

use super::look::{flag, line, list, number, text};
use super::{HEIGHT_MAX, Import, ROWS_MAX, TITLE_CHARS_MAX, UNIT_POINTS, panel, query};
use crate::model::metrics::Row;
use crate::model::metrics::board::COLUMNS;

/// How deep rows may stand inside rows: Grafana allows tabs and rows, of each two levels.
const DEPTH_MAX: usize = 4;
/// The height of a row of spans that names none, in points.
const SPANS_POINTS: f64 = 250.0;
/// How many spans a row has.
const SPANS: f64 = 12.0;

/// Panels with places in a grid.
pub(super) fn grid(import: &mut Import, panels: &[Value]) -> Vec<Row> {
    let mut rows = vec![Row::default()];
    for of in in_order(panels) {
        put(import, of, Outer { title: "", is_folded: false, depth: 0 }, &mut rows);
    }
    rows.retain(|row| !row.panels.is_empty());
    rows
}

/// Reading order; what has no place of its own stays behind what stood before it.
fn in_order(panels: &[Value]) -> Vec<&Value> {
    let mut place = (0.0, 0.0);
    let mut placed: Vec<((f64, f64), &Value)> = Vec::with_capacity(panels.len());
    for of in panels.iter().filter(|of| of.is_object()) {
        let at = &of["gridPos"];
        if let Some(y) = number(&at["y"]) {
            place = (y, number(&at["x"]).unwrap_or(0.0));
        }
        placed.push((place, of));
    }
    // Both are finite, so they compare.
    placed.sort_by(|(one, _), (other, _)| one.partial_cmp(other).unwrap_or(std::cmp::Ordering::Equal));
    placed.into_iter().map(|(_, of)| of).collect()
}

/// Puts a panel into the last row, or starts rows. Rows inside rows, which layouts of schema 2 make, are rows of their
/// own, named after both and folded with the outer one.
fn put(import: &mut Import, of: &Value, outer: Outer, rows: &mut Vec<Row>) {
    if is_copy(of) {
        return;
    }
    if of["type"] != "row" {
        if import.has_room() {
            let panel = panel::read(import, of, grid_size(of));
            rows.last_mut().expect("there is one from the start").panels.push(panel);
        }
        return;
    }
    let own = line(text(&of["title"]), TITLE_CHARS_MAX);
    let names = [outer.title, &own].into_iter().filter(|name| !name.is_empty());
    let title = line(&names.collect::<Vec<_>>().join(" / "), TITLE_CHARS_MAX);
    let is_folded = outer.is_folded || flag(&of["collapsed"]);
    import.repeats.truncate(outer.depth);
    start(import, of, &title, is_folded, rows);
    let inner = list(&of["panels"]);
    if outer.depth < DEPTH_MAX {
        let outer = Outer { title: &title, is_folded, depth: outer.depth + 1 };
        in_order(inner).into_iter().for_each(|of| put(import, of, outer, rows));
    } else if !inner.is_empty() {
        import.notes.add(format!("Panels more than {DEPTH_MAX} rows deep are left out"));
    }
}

/// The row around.
#[derive(Clone, Copy)]
struct Outer<'a> {
    title: &'a str,
    is_folded: bool,
    depth: usize,
}

fn start(import: &mut Import, of: &Value, title: &str, is_folded: bool, rows: &mut Vec<Row>) {
    let by = line(text(&of["repeat"]), TITLE_CHARS_MAX);
    if !by.is_empty() {
        import.notes.add(format!(
            "Row “{title}” is repeated for each value of ${by} in Grafana; here it is shown once, for all that are chosen"
        ));
    }
    import.repeats.push(by);
    if panel::is_conditional(of) {
        import.notes.add(format!("Row “{title}” is shown only under conditions in Grafana; here always"));
    }
    if rows.len() < ROWS_MAX {
        rows.push(Row { title: query::braced(import, title), is_folded, panels: Vec::new() });
    } else {
        import.notes.add(format!("What is in rows beyond {ROWS_MAX} is in the last of them"));
    }
}

/// Whether it is a copy that Grafana made of a repeated panel or row, and makes anew whenever it shows them.
fn is_copy(of: &Value) -> bool {
    let is_marked = of["repeatPanelId"].is_number() || of["repeatRowId"].is_number();
    let is_of_row = of["repeatByRow"] == true || of["repeatedByRow"] == true;
    is_marked || is_of_row
}

fn grid_size(of: &Value) -> (u16, u16) {
    let at = &of["gridPos"];
    (size(number(&at["w"]), 12.0, COLUMNS), size(number(&at["h"]), 8.0, HEIGHT_MAX))
}

/// A size between 1 and the largest.
fn size(given: Option<f64>, otherwise: f64, largest: u16) -> u16 {
    // Saturates, and is within the bounds.
    (given.unwrap_or(otherwise).round() as u16).clamp(1, largest)
}

/// Rows of panels that span some of twelve columns. Their headings are shown if any asks for it, as in Grafana.
pub(super) fn spans(import: &mut Import, given: &[Value]) -> Vec<Row> {
    let has_headings = given
        .iter()
        .any(|row| flag(&row["showTitle"]) || flag(&row["collapse"]) || !text(&row["repeat"]).is_empty());
    let mut rows = vec![Row::default()];
    for of in given.iter().filter(|of| !is_copy(of)) {
        let title = line(text(&of["title"]), TITLE_CHARS_MAX);
        import.repeats.clear();
        start(import, of, &title, flag(&of["collapse"]), &mut rows);
        let row = rows.last_mut().expect("there is one from the start");
        if !has_headings {
            row.title.clear();
        }
        for inner in list(&of["panels"]).iter().filter(|it| it.is_object() && !is_copy(it)) {
            if import.has_room() {
                row.panels.push(panel::read(import, inner, span_size(inner, of)));
            }
        }
    }
    rows.retain(|row| !row.panels.is_empty());
    rows
}

fn span_size(of: &Value, row: &Value) -> (u16, u16) {
    let columns = number(&of["span"]).map(|span| span * f64::from(COLUMNS) / SPANS);
    let points = points(&of["height"]).or_else(|| points(&row["height"])).unwrap_or(SPANS_POINTS);
    let units = (points.max(90.0) / UNIT_POINTS).ceil();
    (size(columns, 12.0, COLUMNS), size(Some(units), 7.0, HEIGHT_MAX))
}

/// `250px`, `"250"` or 250.
fn points(height: &Value) -> Option<f64> {
    match height {
        Value::String(text) => text.trim().trim_end_matches("px").trim().parse().ok(),
        _ => height.as_f64(),
    }
    .filter(|points: &f64| points.is_finite() && *points > 0.0)
}
