//! Panels as they were until version 7: `graph`, `singlestat`, and tables with styles.

use serde_json::Value;

use super::fields::{decimals, reduce};
use super::look::{flag, line, list, number, text};
use super::notes::{Notes, names};
use super::thresholds::{ascending, grade};
use crate::model::metrics::board::Grade;
use crate::model::metrics::{Panel, Threshold, Unit};

/// The most characters of what stands around a number.
const AROUND_CHARS_MAX: usize = 40;

/// Axes, stacking and levels of a `graph`.
pub(super) fn graph(panel: &mut Panel, of: &Value, notes: &mut Notes) {
    let axis = &of["yaxes"][0];
    let format = if axis.is_object() { text(&axis["format"]) } else { text(&of["y_formats"][0]) };
    // Version 7 wrote a unit for all series beside that of the axis.
    if panel.unit == Unit::None {
        panel.unit = Unit::from_grafana(format);
    }
    let grid = &of["grid"];
    panel.decimals = decimals(&axis["decimals"]).or(decimals(&of["decimals"])).or(panel.decimals);
    panel.min = number(&axis["min"]).or(number(&grid["leftMin"])).or(panel.min);
    panel.max = number(&axis["max"]).or(number(&grid["leftMax"])).or(panel.max);
    panel.is_log =
        [&axis["logBase"], &grid["leftLogBase"]].into_iter().any(|base| number(base).unwrap_or(1.0) > 1.0);
    panel.is_stacked = flag(&of["stack"]);
    if panel.is_stacked && flag(&of["percentage"]) {
        notes.add("In Grafana its series are shares of their sum; here they are laid on top of each other as they are");
    }
    if of["xaxis"]["mode"] == "series" {
        panel.reduce = reduce(text(&of["xaxis"]["values"][0]), notes);
    }
    panel.thresholds = ascending(limits(list(&of["thresholds"])), notes);
}

/// Limits that are crossed upward or downward, as levels: between two of them the worst that holds.
fn limits(given: &[Value]) -> Vec<Threshold> {
    let limits: Vec<(f64, bool, Grade)> = given
        .iter()
        .filter_map(|limit| {
            let level = match text(&limit["colorMode"]) {
                "critical" => Grade::Bad,
                "warning" => Grade::Warning,
                "custom" => worse(grade(text(&limit["fillColor"])), grade(text(&limit["lineColor"]))),
                _ => Grade::Fine,
            };
            Some((number(&limit["value"])?, limit["op"] == "lt", level))
        })
        .take(super::thresholds::THRESHOLDS_MAX)
        .collect();
    let worst = |at: Option<f64>| {
        let holds = limits.iter().filter(|(value, is_below, _)| match at {
            None => *is_below,
            Some(at) => (*is_below && at < *value) || (!*is_below && at >= *value),
        });
        holds.fold(Grade::Fine, |worst, (_, _, level)| worse(worst, *level))
    };
    let places = limits.iter().map(|(value, ..)| Some(*value));
    std::iter::once(None).chain(places).map(|from| Threshold { from, level: worst(from) }).collect()
}

fn worse(one: Grade, other: Grade) -> Grade {
    match (one, other) {
        (Grade::Bad, _) | (_, Grade::Bad) => Grade::Bad,
        (Grade::Warning, _) | (_, Grade::Warning) => Grade::Warning,
        _ => Grade::Fine,
    }
}

/// Unit, ends and levels of a `singlestat`.
pub(super) fn single(panel: &mut Panel, of: &Value, notes: &mut Notes) {
    panel.unit = Unit::from_grafana(text(&of["format"]));
    panel.decimals = decimals(&of["decimals"]);
    let gauge = &of["gauge"];
    if flag(&gauge["show"]) {
        (panel.min, panel.max) = (number(&gauge["minValue"]), number(&gauge["maxValue"]));
    }
    let calc = text(&of["valueName"]);
    panel.reduce = reduce(if calc.is_empty() { "avg" } else { calc }, notes);
    let is_coloured = flag(&of["colorValue"])
        || flag(&of["colorBackground"])
        || flag(&gauge["thresholdMarkers"]) && flag(&gauge["show"]);
    if is_coloured {
        panel.thresholds = ascending(coloured(of), notes);
    }
    for (key, place) in [("prefix", "before"), ("postfix", "after")] {
        let around = line(text(&of[key]), AROUND_CHARS_MAX);
        if !around.is_empty() {
            notes.add(format!("What stands {place} its number is left out: “{around}”"));
        }
    }
    let maps = list(&of["valueMaps"]).iter().chain(list(&of["rangeMaps"]));
    let is_telling = |map: &Value| map["value"] != "null" && map["from"] != "null";
    if maps.filter(|map| map.is_object()).any(is_telling) {
        notes.add("Words for values are left out");
    }
}

/// `10,20` and three colours.
fn coloured(of: &Value) -> Vec<Threshold> {
    let given = match &of["thresholds"] {
        Value::String(text) => text.split(',').map(|part| part.trim().parse().ok()).collect(),
        Value::Number(one) => vec![one.as_f64()],
        _ => Vec::new(),
    };
    let places = std::iter::once(None).chain(given.into_iter().filter(|it: &Option<f64>| it.is_some()));
    let colours = list(&of["colors"]).iter();
    places.zip(colours).map(|(from, colour)| Threshold { from, level: grade(text(colour)) }).collect()
}

/// The unit that the columns of a table with styles agree on.
pub(super) fn table(panel: &mut Panel, of: &Value, notes: &mut Notes) {
    let styles = list(&of["styles"]).iter().filter(|style| style["type"] == "number");
    let mut units: Vec<(&str, Option<u8>)> = Vec::new();
    for style in styles.filter(|style| !text(&style["unit"]).is_empty()) {
        let it = (text(&style["unit"]), decimals(&style["decimals"]));
        let is_rest = style["pattern"] == "/.*/" && !units.is_empty();
        if !is_rest && !units.contains(&it) {
            units.push(it);
        }
    }
    match units[..] {
        [] => {}
        [(name, digits)] => (panel.unit, panel.decimals) = (Unit::from_grafana(name), digits),
        _ => {
            let named = units.iter().map(|(name, _)| line(name, AROUND_CHARS_MAX));
            notes.add(format!("Its columns have units of their own, which are left out: {}", names(named)));
        }
    }
    let is_telling = |style: &&Value| {
        style["type"] == "hidden" || !text(&style["alias"]).is_empty() && style["alias"] != "Time"
    };
    if list(&of["styles"]).iter().any(|style| is_telling(&style)) {
        notes.add("Names and hiding of columns are left out");
    }
    let way = line(text(&of["transform"]), AROUND_CHARS_MAX);
    if !matches!(way.as_str(), "" | "table" | "timeseries_aggregations") {
        notes.add(format!("Its rows are made by “{way}” in Grafana; here each series is one"));
    }
}

/// Settings of single series of a `graph` that change how numbers are read.
pub(super) fn tell(of: &Value, notes: &mut Notes) {
    let told = list(&of["seriesOverrides"]).iter().flat_map(|it| {
        let is_second = number(&it["yaxis"]) == Some(2.0);
        let is_downward = it["transform"] == "negative-Y";
        let is_apart = !it["stack"].is_null();
        [(is_second, "a second axis"), (is_downward, "values drawn downward"), (is_apart, "stacking")]
    });
    let told = names(told.filter(|(is_so, _)| *is_so).map(|(_, words)| words.to_owned()));
    if !told.is_empty() {
        notes.add(format!("Settings of single series are left out: {told}"));
    }
}
