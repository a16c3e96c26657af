//! Boards of schema 2 (Grafana 12 and later): elements and layouts, brought into the older shape.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::UNIT_POINTS;
use super::look::{flag, list, number, text};

/// How deep layouts may stand inside layouts; Grafana allows three.
const DEPTH_MAX: usize = 8;
/// How many panels stand beside each other in a layout that chooses by itself.
const AUTO_COLUMNS: f64 = 3.0;

/// The board in the older shape.
pub(super) fn classic(of: &Value) -> Value {
    let mut lay = Lay { of, used: BTreeSet::new(), variables: list(&of["variables"]).iter().collect() };
    let panels = lay.panels(&of["layout"], 0);
    let variables: Vec<Value> = lay.variables.into_iter().map(variable).collect();
    let annotations: Vec<Value> = list(&of["annotations"]).iter().map(|it| it["spec"].clone()).collect();
    json!({
        "title": of["title"],
        "description": of["description"],
        "links": of["links"],
        "panels": panels,
        "templating": {"list": variables},
        "annotations": {"list": annotations},
    })
}

/// Layouts on the way to panels.
struct Lay<'a> {
    of: &'a Value,
    /// Names of elements that have their place: each has one, or a small file could become a large board.
    used: BTreeSet<&'a str>,
    /// Variables of the board, then those of its rows and tabs.
    variables: Vec<&'a Value>,
}

impl<'a> Lay<'a> {
    fn panels(&mut self, layout: &'a Value, depth: usize) -> Vec<Value> {
        let spec = &layout["spec"];
        match text(&layout["kind"]) {
            _ if depth == DEPTH_MAX => Vec::new(),
            "RowsLayout" => self.parts(list(&spec["rows"]), depth),
            // All tabs are shown, below each other.
            "TabsLayout" => self.parts(list(&spec["tabs"]), depth),
            "AutoGridLayout" => {
                let size = auto_size(spec);
                list(&spec["items"]).iter().filter_map(|item| self.element(&item["spec"], size)).collect()
            }
            _ => self.items(list(&spec["items"])),
        }
    }

    fn parts(&mut self, given: &'a [Value], depth: usize) -> Vec<Value> {
        let mut parts = Vec::new();
        for it in given {
            self.variables.extend(list(&it["spec"]["variables"]));
            let inner = self.panels(&it["spec"]["layout"], depth + 1);
            parts.push(part(&it["spec"], inner));
        }
        parts
    }

    fn items(&mut self, given: &'a [Value]) -> Vec<Value> {
        let mut panels = Vec::new();
        for item in in_order(given) {
            let spec = &item["spec"];
            if item["kind"] == "GridLayoutRow" {
                let inner = in_order(list(&spec["elements"])).into_iter();
                let inner = inner.filter_map(|it| self.element(&it["spec"], size(&it["spec"]))).collect();
                panels.push(part(spec, inner));
            } else {
                panels.extend(self.element(spec, size(spec)));
            }
        }
        panels
    }

    /// The panel that an item of a layout refers to.
    fn element(&mut self, item: &'a Value, (width, height): (f64, f64)) -> Option<Value> {
        let name = text(&item["element"]["name"]);
        let spec = &self.of["elements"][name]["spec"];
        if !spec.is_object() || !self.used.insert(name) {
            return None;
        }
        let viz = &spec["vizConfig"];
        let kind = if viz["kind"] == "VizConfig" { &viz["group"] } else { &viz["kind"] };
        let data = &spec["data"]["spec"];
        let targets: Vec<Value> = list(&data["queries"]).iter().map(|query| target(&query["spec"])).collect();
        let steps: Vec<Value> = list(&data["transformations"]).iter().map(transformation).collect();
        Some(json!({
            "type": kind,
            "title": spec["title"],
            "description": spec["description"],
            "links": spec["links"],
            "gridPos": {"w": width, "h": height},
            "repeat": item["repeat"]["value"],
            "conditionalRendering": item["conditionalRendering"],
            "libraryPanel": spec["libraryPanel"],
            "options": viz["spec"]["options"],
            "fieldConfig": viz["spec"]["fieldConfig"],
            "targets": targets,
            "transformations": steps,
            "timeFrom": data["queryOptions"]["timeFrom"],
            "timeShift": data["queryOptions"]["timeShift"],
            "timeCompare": data["queryOptions"]["timeCompare"],
        }))
    }
}

fn size(spec: &Value) -> (f64, f64) {
    (number(&spec["width"]).unwrap_or(12.0), number(&spec["height"]).unwrap_or(8.0))
}

fn in_order(items: &[Value]) -> Vec<&Value> {
    let mut items: Vec<&Value> = items.iter().collect();
    let place = |item: &Value, key: &str| number(&item["spec"][key]).unwrap_or(0.0);
    items.sort_by(|one, other| {
        let keys = ["y", "x"].map(|key| place(one, key).total_cmp(&place(other, key)));
        keys[0].then(keys[1])
    });
    items
}

fn part(spec: &Value, inner: Vec<Value>) -> Value {
    let title = if flag(&spec["hideHeader"]) { &Value::Null } else { &spec["title"] };
    json!({
        "type": "row",
        "title": title,
        "collapsed": flag(&spec["collapse"]) || flag(&spec["collapsed"]),
        "repeat": spec["repeat"]["value"],
        "conditionalRendering": spec["conditionalRendering"],
        "panels": inner,
    })
}

fn auto_size(spec: &Value) -> (f64, f64) {
    let columns = number(&spec["maxColumnCount"]).unwrap_or(AUTO_COLUMNS).clamp(1.0, 24.0);
    let height = match text(&spec["rowHeightMode"]) {
        "short" => 5.0,
        "tall" => 14.0,
        "custom" => number(&spec["rowHeight"]).map_or(9.0, |points| (points / UNIT_POINTS).ceil()),
        _ => 9.0,
    };
    ((24.0 / columns).floor(), height)
}

fn transformation(step: &Value) -> Value {
    let id = [&step["spec"]["id"], &step["group"], &step["kind"]].into_iter().find(|id| id.is_string());
    json!({"id": id, "disabled": step["spec"]["disabled"]})
}

/// A query with its source, which the first drafts of the schema wrote in other places.
fn target(spec: &Value) -> Value {
    let query = &spec["query"];
    let kind = if query["kind"] == "DataQuery" { &query["group"] } else { &query["kind"] };
    let uid = if query["datasource"].is_object() {
        &query["datasource"]["name"]
    } else {
        &spec["datasource"]["uid"]
    };
    let mut target: Map<String, Value> = query["spec"].as_object().cloned().unwrap_or_default();
    target.insert("refId".to_owned(), spec["refId"].clone());
    target.insert("hide".to_owned(), spec["hidden"].clone());
    target.insert("datasource".to_owned(), json!({"type": kind, "uid": uid}));
    Value::Object(target)
}

fn variable(of: &Value) -> Value {
    let mut flat: Map<String, Value> = of["spec"].as_object().cloned().unwrap_or_default();
    let kind = match text(&of["kind"]) {
        "QueryVariable" => "query",
        "CustomVariable" => "custom",
        "IntervalVariable" => "interval",
        "DatasourceVariable" => "datasource",
        "ConstantVariable" => "constant",
        "TextVariable" => "textbox",
        "SwitchVariable" => "switch",
        "AdhocVariable" => "adhoc",
        "GroupByVariable" => "groupby",
        other => other,
    };
    if kind == "datasource" {
        flat.insert("query".to_owned(), of["spec"]["pluginId"].clone());
    }
    if kind == "switch" {
        let (on, off) = (&of["spec"]["enabledValue"], &of["spec"]["disabledValue"]);
        let (on, off) = (on.as_str().unwrap_or("true"), off.as_str().unwrap_or("false"));
        flat.insert("options".to_owned(), json!([{"text": on, "value": on}, {"text": off, "value": off}]));
        flat.insert("current".to_owned(), json!({"value": of["spec"]["current"]}));
    }
    if kind == "query" {
        let query = &of["spec"]["query"];
        let source = target(&of["spec"])["datasource"].clone();
        flat.insert("datasource".to_owned(), source);
        // The first drafts wrote what is asked under this key.
        let asked = [&query["spec"]["query"], &query["spec"]["expr"], &query["spec"]["__legacyStringValue"]];
        let asked = asked.into_iter().find(|it| it.is_string()).cloned();
        flat.insert("query".to_owned(), asked.unwrap_or(Value::Null));
    }
    flat.insert("type".to_owned(), json!(kind));
    Value::Object(flat)
}
