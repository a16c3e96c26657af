//! What the numbers of a panel mean: unit, digits, ends, levels, and which one stands for a series.

use serde_json::Value;

use super::look::{line, list, number, text};
use super::notes::Notes;
use super::{old, thresholds};
use crate::model::metrics::{Panel, PanelKind, Reduce, Unit};

/// The most digits after a point.
pub(super) const DECIMALS_MAX: u8 = 10;

/// Puts what a panel says of its numbers.
pub(super) fn apply(panel: &mut Panel, of: &Value, notes: &mut Notes) {
    let defaults = defaults(of);
    panel.unit = Unit::from_grafana(text(&defaults["unit"]));
    panel.decimals = decimals(&defaults["decimals"]);
    (panel.min, panel.max) = (number(&defaults["min"]), number(&defaults["max"]));
    match text(&of["type"]) {
        "graph" => old::graph(panel, of, notes),
        "singlestat" | "grafana-singlestat-panel" => old::single(panel, of, notes),
        "table" | "table-old" if of["styles"].is_array() => old::table(panel, of, notes),
        "heatmap" => heatmap(panel, of, notes),
        _ => {
            custom(panel, &defaults["custom"], notes);
            panel.reduce = reduce(calc(of), notes);
            let steps = steps(of, defaults);
            if are_levels_shown(panel, of, defaults) {
                panel.thresholds = thresholds::of_steps(steps.0, steps.1, panel, notes);
            }
        }
    }
    if let (Some(min), Some(max)) = (panel.min, panel.max)
        && min >= max
    {
        (panel.min, panel.max) = (None, None);
        notes.add("Its lower end is not below its upper end: both are left out");
    }
}

/// Where versions from 7 on, and those of 6, say what holds for all series.
fn defaults(of: &Value) -> &Value {
    let (new, six) = (&of["fieldConfig"]["defaults"], &of["options"]["fieldOptions"]["defaults"]);
    let first = &of["options"]["valueOptions"];
    if new.is_object() {
        new
    } else if six.is_object() {
        six
    } else {
        first
    }
}

/// The steps, and whether they are absolute.
fn steps<'a>(of: &'a Value, defaults: &'a Value) -> (&'a [Value], bool) {
    let given = &defaults["thresholds"];
    if given["steps"].is_array() {
        return (list(&given["steps"]), given["mode"] != "percentage");
    }
    let options = &of["options"];
    let six = list(&options["fieldOptions"]["thresholds"]);
    (if six.is_empty() { list(&options["thresholds"]) } else { six }, true)
}

/// Grafana writes levels into every panel (red from 80 on), and shows them in few.
fn are_levels_shown(panel: &Panel, of: &Value, defaults: &Value) -> bool {
    let by = text(&defaults["color"]["mode"]);
    let by_levels = matches!(by, "" | "thresholds");
    let custom = &defaults["custom"];
    match panel.kind {
        PanelKind::Stat => by_levels && of["options"]["colorMode"] != "none",
        PanelKind::Gauge | PanelKind::BarGauge => by_levels,
        PanelKind::TimeSeries => {
            !matches!(text(&custom["thresholdsStyle"]["mode"]), "" | "off") || by == "thresholds"
        }
        PanelKind::Table => {
            let cell = [&custom["cellOptions"]["type"], &custom["displayMode"]];
            cell.into_iter().any(|it| text(it).contains("color") || text(it).contains("gauge"))
        }
        PanelKind::Heatmap | PanelKind::Text(_) | PanelKind::Unsupported(_) => false,
    }
}

fn custom(panel: &mut Panel, custom: &Value, notes: &mut Notes) {
    panel.is_log = matches!(text(&custom["scaleDistribution"]["type"]), "log" | "symlog");
    let stacking = text(&custom["stacking"]["mode"]);
    panel.is_stacked = matches!(stacking, "normal" | "percent");
    if stacking == "percent" {
        notes.add("In Grafana its series are shares of their sum; here they are laid on top of each other as they are");
    }
    if custom["transform"] == "negative-Y" {
        notes.add("In Grafana its values are drawn downward");
    }
}

fn heatmap(panel: &mut Panel, of: &Value, notes: &mut Notes) {
    let (new, old) = (&of["options"]["yAxis"], &of["yAxis"]);
    let given = [&new["unit"], &old["format"]].into_iter().map(text).find(|name| !name.is_empty());
    if let Some(name) = given {
        panel.unit = Unit::from_grafana(name);
    }
    panel.decimals = decimals(&new["decimals"]).or(decimals(&old["decimals"])).or(panel.decimals);
    panel.min = number(&new["min"]).or(number(&old["min"])).or(panel.min);
    panel.max = number(&new["max"]).or(number(&old["max"])).or(panel.max);
    panel.is_log = number(&old["logBase"]).is_some_and(|base| base > 1.0)
        || matches!(text(&of["options"]["calculation"]["yBuckets"]["scale"]["type"]), "log");
    let is_old = of["options"]["calculate"].is_null() && of["dataFormat"].is_string();
    if of["options"]["calculate"] == true || (is_old && of["dataFormat"] == "timeseries") {
        notes.add("In Grafana its buckets are counted from series; here each series is a bucket");
    }
}

/// Digits after the point.
pub(super) fn decimals(value: &Value) -> Option<u8> {
    let digits = number(value).filter(|digits| *digits >= 0.0)?;
    Some((digits as u8).min(DECIMALS_MAX))
}

/// What the versions call it: from 7 on, 6, and the first gauge.
fn calc(of: &Value) -> &str {
    let options = &of["options"];
    let places = [
        &options["reduceOptions"]["calcs"][0],
        &options["fieldOptions"]["calcs"][0],
        &options["valueOptions"]["stat"],
    ];
    places.into_iter().map(text).find(|calc| !calc.is_empty()).unwrap_or("")
}

/// Which one number stands for a series, by its name in any version.
pub(super) fn reduce(calc: &str, notes: &mut Notes) -> Reduce {
    match calc {
        "" | "last" | "lastNotNull" | "current" => Reduce::Last,
        "mean" | "avg" => Reduce::Mean,
        "max" => Reduce::Max,
        "min" => Reduce::Min,
        "sum" | "total" => Reduce::Sum,
        "first" | "firstNotNull" => Reduce::First,
        other => {
            let other = line(other, 40);
            notes.add(format!("In Grafana it shows “{other}” of each series; here the last value"));
            Reduce::Last
        }
    }
}
