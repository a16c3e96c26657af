//! Boards of schema 2 (Grafana 12 and later): elements and layouts, brought into the older shape.

use serde_json::{Map, Value, json};

use super::look::{flag, list, number, text};

/// How deep layouts may stand inside layouts; Grafana allows three.
const DEPTH_MAX: usize = 8;
/// How many panels stand beside each other in a layout that chooses by itself.
const AUTO_COLUMNS: f64 = 3.0;

/// The board in the older shape.
pub(super) fn classic(of: &Value) -> Value {
    let mut panels = Vec::new();
    lay(&of["layout"], of, 0, &mut panels);
    let variables: Vec<Value> = list(&of["variables"]).iter().map(variable).collect();
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

fn lay(layout: &Value, of: &Value, depth: usize, panels: &mut Vec<Value>) {
    if depth == DEPTH_MAX {
        return;
    }
    let spec = &layout["spec"];
    match text(&layout["kind"]) {
        "RowsLayout" => parts(list(&spec["rows"]), of, depth, panels),
        "TabsLayout" => parts(list(&spec["tabs"]), of, depth, panels),
        "AutoGridLayout" => {
            let size = auto_size(spec);
            panels.extend(list(&spec["items"]).iter().filter_map(|item| element(&item["spec"], of, size)));
        }
        _ => {
            for item in in_order(list(&spec["items"])) {
                let size = (number(&item["spec"]["width"]), number(&item["spec"]["height"]));
                if item["kind"] == "GridLayoutRow" {
                    let inner = json!({"kind": "GridLayout", "spec": {"items": item["spec"]["elements"]}});
                    part(&item["spec"], &inner, of, depth, panels);
                } else {
                    panels.extend(element(
                        &item["spec"],
                        of,
                        (size.0.unwrap_or(12.0), size.1.unwrap_or(8.0)),
                    ));
                }
            }
        }
    }
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

/// Rows or tabs: all tabs are shown, below each other.
fn parts(given: &[Value], of: &Value, depth: usize, panels: &mut Vec<Value>) {
    for it in given {
        part(&it["spec"], &it["spec"]["layout"], of, depth, panels);
    }
}

fn part(spec: &Value, layout: &Value, of: &Value, depth: usize, panels: &mut Vec<Value>) {
    let mut inner = Vec::new();
    lay(layout, of, depth + 1, &mut inner);
    let is_folded = flag(&spec["collapse"]) || flag(&spec["collapsed"]);
    panels.push(json!({
        "type": "row",
        "title": spec["title"],
        "collapsed": is_folded,
        "repeat": spec["repeat"]["value"],
        "panels": inner,
    }));
}

fn auto_size(spec: &Value) -> (f64, f64) {
    let columns = number(&spec["maxColumnCount"]).unwrap_or(AUTO_COLUMNS).clamp(1.0, 24.0);
    let height = match text(&spec["rowHeightMode"]) {
        "short" => 5.0,
        "tall" => 14.0,
        _ => 9.0,
    };
    ((24.0 / columns).floor(), height)
}

/// The panel that an item of a layout refers to.
fn element(item: &Value, of: &Value, (width, height): (f64, f64)) -> Option<Value> {
    let element = &of["elements"][text(&item["element"]["name"])];
    let spec = element["spec"].as_object()?;
    let spec = Value::Object(spec.clone());
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
        "libraryPanel": spec["libraryPanel"],
        "options": viz["spec"]["options"],
        "fieldConfig": viz["spec"]["fieldConfig"],
        "targets": targets,
        "transformations": steps,
        "timeFrom": data["queryOptions"]["timeFrom"],
        "timeShift": data["queryOptions"]["timeShift"],
    }))
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
        "AdhocVariable" => "adhoc",
        "GroupByVariable" => "groupby",
        other => other,
    };
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
