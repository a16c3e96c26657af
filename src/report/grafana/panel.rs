//! One panel.

use serde_json::Value;

use super::look::{flag, line, list, prose, text};
use super::notes::{Notes, names};
use super::{DESCRIPTION_CHARS_MAX, Import, TITLE_CHARS_MAX, UNTITLED, fields, old, query, words};
use crate::model::metrics::{Panel, PanelKind, Unit};

/// The most notes of a panel.
const NOTES_MAX: usize = 10;
/// The most characters of the name of a kind of panel.
const KIND_CHARS_MAX: usize = 60;
/// Settings of single series that change how numbers are read, as they are called here.
const TELLING: [(&str, &str); 12] = [
    ("unit", "units"),
    ("decimals", "decimals"),
    ("min", "ends of the axis"),
    ("max", "ends of the axis"),
    ("displayName", "names"),
    ("mappings", "words for values"),
    ("thresholds", "thresholds"),
    ("custom.axisPlacement", "a second axis"),
    ("custom.transform", "values drawn downward"),
    ("custom.stacking", "stacking"),
    ("custom.hidden", "hidden columns"),
    ("custom.hideFrom", "hidden series"),
];

/// A panel of this width and height. Never fails: what cannot be drawn is named.
pub(super) fn read(import: &mut Import, of: &Value, (width, height): (u16, u16)) -> Panel {
    let mut notes = Notes::new(NOTES_MAX);
    let given = line(text(&of["title"]), TITLE_CHARS_MAX);
    let (of, kind) = resolve(import, of);
    let title = if given.is_empty() { line(text(&of["title"]), TITLE_CHARS_MAX) } else { given };
    let is_untitled = title.is_empty() && !matches!(kind, PanelKind::Text(_));
    let title = if is_untitled { UNTITLED.to_owned() } else { query::braced(import, &title) };
    let mut panel = Panel::new(&title, kind, Unit::None);
    (panel.width, panel.height) = (width, height);
    panel.description = prose(text(&of["description"]), DESCRIPTION_CHARS_MAX);
    import.links += list(&of["links"]).len();
    import.alerts += usize::from(of["alert"].is_object());
    if let PanelKind::Unsupported(name) = &panel.kind {
        notes.add(if of["libraryPanel"].is_object() {
            "It is in a library of Grafana, and the file does not hold it".to_owned()
        } else {
            format!("Meshbench does not draw “{name}”")
        });
        *import.unsupported.entry(name.clone()).or_default() += 1;
    } else if let PanelKind::Text(words) = &panel.kind {
        if words.is_empty() {
            notes.add("It holds pictures or scripts, but no words");
        }
        tell_repeat(of, &mut notes);
    } else {
        fields::apply(&mut panel, of, &mut notes);
        panel.queries = query::all(import, of, &mut notes);
        tell(of, &mut notes);
    }
    panel.notes = notes.finish();
    panel
}

/// The panel itself where this one only names one of the library, and how it is drawn.
fn resolve<'a>(import: &Import<'a>, of: &'a Value) -> (&'a Value, PanelKind) {
    let library = &of["libraryPanel"];
    if !library.is_object() {
        return (of, kind(of));
    }
    let model = &import.library[text(&library["uid"])]["model"];
    if model.is_object() {
        return (model, kind(model));
    }
    let is_whole = of["targets"].is_array() && !matches!(text(&of["type"]), "" | "library-panel-ref");
    if is_whole {
        return (of, kind(of));
    }
    let name = line(text(&library["name"]), KIND_CHARS_MAX);
    let name = if name.is_empty() { line(text(&library["uid"]), KIND_CHARS_MAX) } else { name };
    (of, PanelKind::Unsupported(format!("library panel {name}")))
}

fn kind(of: &Value) -> PanelKind {
    let name = text(&of["type"]);
    match name {
        "timeseries" => PanelKind::TimeSeries,
        "graph" => match text(&of["xaxis"]["mode"]) {
            "series" => PanelKind::BarGauge,
            "histogram" => PanelKind::Unsupported("graph of a histogram".to_owned()),
            _ => PanelKind::TimeSeries,
        },
        "stat" => PanelKind::Stat,
        "singlestat" | "grafana-singlestat-panel" if flag(&of["gauge"]["show"]) => PanelKind::Gauge,
        "singlestat" | "grafana-singlestat-panel" => PanelKind::Stat,
        "gauge" => PanelKind::Gauge,
        "bargauge" => PanelKind::BarGauge,
        "table" | "table-old" => PanelKind::Table,
        "heatmap" => PanelKind::Heatmap,
        "text" => PanelKind::Text(words::of(of)),
        "" => PanelKind::Unsupported("panel without a type".to_owned()),
        name => PanelKind::Unsupported(line(name, KIND_CHARS_MAX)),
    }
}

/// What changes how the panel is read and is not taken over.
fn tell(of: &Value, notes: &mut Notes) {
    let steps = list(&of["transformations"]).iter().filter(|step| !flag(&step["disabled"]));
    let steps = names(steps.map(|step| line(text(&step["id"]), KIND_CHARS_MAX)).filter(|id| !id.is_empty()));
    if !steps.is_empty() {
        notes.add(format!("Transformations are left out: {steps}"));
    }
    if list(&of["fieldConfig"]["defaults"]["mappings"]).iter().any(is_telling_mapping) {
        notes.add("Words for values are left out");
    }
    let overrides = list(&of["fieldConfig"]["overrides"]).iter().flat_map(|it| list(&it["properties"]));
    let told = overrides.filter_map(|property| told_setting(property));
    let told = names(told.map(str::to_owned));
    if !told.is_empty() {
        notes.add(format!("Settings of single series are left out: {told}"));
    }
    tell_time(of, notes);
    tell_columns(of, notes);
    tell_repeat(of, notes);
    old::tell(of, notes);
}

fn tell_time(of: &Value, notes: &mut Notes) {
    let lengths = [
        ("timeFrom", "shows the last", ", whatever time is chosen"),
        ("timeShift", "is shifted by", ", whatever time is chosen"),
        ("timeCompare", "is compared with what it was", " before"),
    ];
    for (key, words, rest) in lengths {
        let length = line(text(&of[key]), KIND_CHARS_MAX);
        if !length.is_empty() {
            notes.add(format!("In Grafana it {words} {length}{rest}"));
        }
    }
}

/// What is shown in place of a number.
fn tell_columns(of: &Value, notes: &mut Notes) {
    let options = &of["options"];
    for column in [&options["reduceOptions"]["fields"], &of["tableColumn"]] {
        let column = line(text(column), KIND_CHARS_MAX);
        if !matches!(column.as_str(), "" | "/.*/" | "Value" | "/^Value$/") {
            notes.add(format!("In Grafana it shows the column {column}; here the value"));
        }
    }
    if options["textMode"] == "name" {
        notes.add("In Grafana it shows names alone; here values too");
    }
}

/// Whether it is shown only when something holds.
pub(super) fn is_conditional(of: &Value) -> bool {
    !list(&of["conditionalRendering"]["spec"]["items"]).is_empty()
}

fn told_setting(property: &Value) -> Option<&'static str> {
    let id = text(&property["id"]);
    let (_, words) = TELLING.iter().find(|(it, _)| *it == id)?;
    let is_off = id == "custom.hideFrom" && !flag(&property["value"]["viz"]);
    let is_left = id == "custom.axisPlacement" && property["value"] != "right";
    (!is_off && !is_left).then_some(*words)
}

/// Grafana writes by itself what an absent value is called.
fn is_telling_mapping(mapping: &Value) -> bool {
    let is_null = mapping["options"]["match"] == "null" || !mapping["options"]["null"].is_null();
    mapping.is_object() && !is_null && mapping["value"] != "null"
}

fn tell_repeat(of: &Value, notes: &mut Notes) {
    if is_conditional(of) {
        notes.add("In Grafana it is shown only under conditions; here always");
    }
    let by = line(text(&of["repeat"]), KIND_CHARS_MAX);
    if !by.is_empty() {
        notes.add(format!(
            "In Grafana it is repeated for each value of ${by}; here it is shown once, for all that are chosen"
        ));
    }
}
