//! What is other between two states of one object, for people: pure.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::model::adapter::FieldChange;

/// The most fields that are told of one object.
const FIELDS_MAX: usize = 20;
/// The longest value that is told, in characters.
const VALUE_CHARS_MAX: usize = 120;
/// What Kubernetes itself writes, and our own marks.
const NOT_TOLD: [&str; 6] =
    ["creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"];

/// The fields that differ, sorted by path. Nothing of a Secret's content is told.
pub(crate) fn fields(mut before: Value, mut after: Value, kind: &str) -> Vec<FieldChange> {
    for object in [&mut before, &mut after] {
        cut(object);
    }
    let mut found = Vec::new();
    walk("", Some(&before), Some(&after), kind == "Secret", &mut found);
    found
}

fn cut(object: &mut Value) {
    let Some(map) = object.as_object_mut() else { return };
    map.remove("status");
    let Some(meta) = map.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    for key in NOT_TOLD {
        meta.remove(key);
    }
    for (key, mark) in [("labels", super::PART_OF), ("annotations", super::WAS_THERE)] {
        let is_empty = meta.get_mut(key).and_then(Value::as_object_mut).is_some_and(|marks| {
            marks.remove(mark);
            marks.is_empty()
        });
        if is_empty {
            meta.remove(key);
        }
    }
}

fn walk(
    path: &str,
    before: Option<&Value>,
    after: Option<&Value>,
    is_secret: bool,
    found: &mut Vec<FieldChange>,
) {
    if before == after || found.len() >= FIELDS_MAX {
        return;
    }
    if let (Some(Value::Object(old)), Some(Value::Object(new))) = (before, after) {
        let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for key in keys {
            let path = match path {
                "" => key.clone(),
                path if key.contains(['.', '/']) => format!("{path}[{key}]"),
                path => format!("{path}.{key}"),
            };
            walk(&path, old.get(key), new.get(key), is_secret, found);
        }
        return;
    }
    if let (Some(Value::Array(old)), Some(Value::Array(new))) = (before, after) {
        items(path, (old, new), is_secret, found);
        return;
    }
    let is_hidden = is_secret && (path.starts_with("data") || path.starts_with("stringData"));
    let told = |value: &Value| if is_hidden { "(secret)".to_owned() } else { shown(value) };
    found.push(FieldChange { path: path.to_owned(), old: before.map(told), new: after.map(told) });
}

/// Items are told apart by their names where all have one, as containers have, else by their place.
fn items(path: &str, (old, new): (&[Value], &[Value]), is_secret: bool, found: &mut Vec<FieldChange>) {
    let name = |item: &Value| item.get("name").and_then(Value::as_str).map(str::to_owned);
    let names: Option<BTreeSet<String>> = old.iter().chain(new).map(name).collect();
    if let Some(names) = names {
        for named in names {
            let of = |items: &'_ [Value]| items.iter().position(|item| name(item).as_ref() == Some(&named));
            let (old, new) = (of(old).map(|at| &old[at]), of(new).map(|at| &new[at]));
            walk(&format!("{path}[{named}]"), old, new, is_secret, found);
        }
        return;
    }
    for at in 0..old.len().max(new.len()) {
        walk(&format!("{path}[{at}]"), old.get(at), new.get(at), is_secret, found);
    }
}

fn shown(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(before: Value, after: Value, kind: &str) -> Vec<(String, Option<String>, Option<String>)> {
        fields(before, after, kind).into_iter().map(|it| (it.path, it.old, it.new)).collect()
    }

    #[test]
    fn fields_are_told_by_their_paths_and_items_by_their_names() {
        let before = json!({"metadata": {"uid": "1", "labels": {"a": "b", "x.io/y": "1"}}, "status": {"z": 1},
            "spec": {"replicas": 1, "containers": [{"name": "web", "image": "web:1"}, {"name": "old"}], "args": [1, 2]}});
        let after = json!({"metadata": {"uid": "2", "labels": {"a": "b", "x.io/y": "2"}},
            "spec": {"replicas": 2, "containers": [{"name": "web", "image": "web:2"}], "args": [1, 3]}});
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            told(before.clone(), after, "Deployment"),
            [
                ("metadata.labels[x.io/y]".to_owned(), text("1"), text("2")),
                ("spec.args[1]".to_owned(), text("2"), text("3")),
                ("spec.containers[old]".to_owned(), text("{\"name\":\"old\"}"), None),
                ("spec.containers[web].image".to_owned(), text("web:1"), text("web:2")),
                ("spec.replicas".to_owned(), text("1"), text("2")),
            ]
        );
        assert_eq!(told(before.clone(), before, "Deployment"), []);
    }

    #[test]
    fn our_own_marks_and_secrets_are_not_told_and_all_is_bounded() {
        let marked = json!({"metadata": {"labels": {super::super::PART_OF: "x"}}});
        assert_eq!(told(json!({"metadata": {}}), marked, "Service"), []);
        let secret = |value: &str| json!({"data": {"a": value}, "type": "Opaque"});
        let found = told(secret("CANARY"), secret("CANARY2"), "Secret");
        assert!(found.len() == 1 && !format!("{found:?}").contains("CANARY"), "{found:?}");
        let many = |value: &str| json!({"a": vec![value; 1000]});
        let found = fields(many("x"), many(&"y".repeat(10_000)), "ConfigMap");
        assert_eq!(found.len(), FIELDS_MAX);
        assert!(found[0].new.as_ref().is_some_and(|new| new.chars().count() == VALUE_CHARS_MAX + 1));
    }
}
