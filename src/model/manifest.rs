//! Manifests: YAML documents of Kubernetes objects, read with limits.

use serde_json::{Map, Value};

/// The largest manifest, in bytes.
pub const MANIFEST_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The most objects of a manifest.
pub const OBJECTS_MAX: usize = 1000;
/// The most nested levels of a manifest.
const DEPTH_MAX: usize = 64;
/// The most aliases in a manifest, and events that they stand for.
const ALIASES_MAX: usize = 1000;
const REPLAYED_MAX: usize = 100_000;
/// The most nodes of all documents.
const NODES_MAX: usize = 500_000;

/// An object of a manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// `networking.istio.io/v1`.
    pub api_version: String,
    /// `VirtualService`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The namespace that it names itself.
    pub namespace: Option<String>,
    /// The whole of it.
    pub value: Value,
}

impl Object {
    /// The group of its kind; empty for that of pods and services.
    #[must_use]
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }
}

/// The objects of a manifest in their order; those of a list are taken out of it.
///
/// # Errors
/// What is wrong, and in which document.
pub fn objects(text: &str) -> Result<Vec<Object>, String> {
    if text.len() > MANIFEST_BYTES_MAX {
        return Err(format!("The manifest is larger than {} MiB", MANIFEST_BYTES_MAX >> 20));
    }
    let documents: Vec<Value> = serde_saphyr::from_multiple_with_options(text, options())
        .map_err(|error| format!("The manifest is not YAML: {}", place(&error)))?;
    let mut objects = Vec::new();
    for (at, document) in documents.into_iter().enumerate() {
        take(document, &format!("document {}", at + 1), &mut objects)?;
        if objects.len() > OBJECTS_MAX {
            return Err(format!("The manifest has more than {OBJECTS_MAX} objects"));
        }
    }
    if objects.is_empty() {
        return Err("The manifest has no objects".to_owned());
    }
    Ok(objects)
}

/// Keys and values of a YAML document; none where it is empty.
///
/// # Errors
/// Why it is no such thing.
pub fn mapping(text: &str) -> Result<Map<String, Value>, String> {
    if text.len() > MANIFEST_BYTES_MAX {
        return Err(format!("it is larger than {} MiB", MANIFEST_BYTES_MAX >> 20));
    }
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    let value: Value = serde_saphyr::from_str_with_options(text, options())
        .map_err(|error| format!("it is not YAML: {}", place(&error)))?;
    match value {
        Value::Null => Ok(Map::new()),
        Value::Object(map) => Ok(map),
        _ => Err("it is YAML, but not of keys and values".to_owned()),
    }
}

fn take(document: Value, place: &str, objects: &mut Vec<Object>) -> Result<(), String> {
    let Value::Object(mut map) = document else {
        return if document.is_null() {
            Ok(())
        } else {
            Err(format!("The manifest's {place} is no Kubernetes object"))
        };
    };
    let text = |map: &Map<String, Value>, key: &str| map.get(key).and_then(Value::as_str).map(str::to_owned);
    let missing = |what: &str| format!("The manifest's {place} has no {what}");
    let api_version = text(&map, "apiVersion").ok_or_else(|| missing("apiVersion"))?;
    let kind = text(&map, "kind").ok_or_else(|| missing("kind"))?;
    if kind.ends_with("List") && map.get("items").is_some_and(Value::is_array) {
        let Some(Value::Array(items)) = map.remove("items") else { return Ok(()) };
        for (at, item) in items.into_iter().enumerate() {
            // A list within a list is none that any tool writes.
            if item.get("items").is_some_and(Value::is_array) {
                return Err(format!("The manifest's {place} is a list of lists"));
            }
            take(item, &format!("{place}, item {}", at + 1), objects)?;
        }
        return Ok(());
    }
    let meta = map.get("metadata").and_then(Value::as_object).ok_or_else(|| missing("metadata"))?;
    let name = text(meta, "name").filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| missing("metadata.name"))?;
    let namespace = text(meta, "namespace").filter(|name| !name.is_empty());
    objects.push(Object { api_version, kind, name, namespace, value: Value::Object(map) });
    Ok(())
}

/// Where it went wrong; what the parser says may repeat what is there, and a manifest may hold secrets.
fn place(error: &serde_saphyr::Error) -> String {
    match error.location().filter(|place| place.line() > 0) {
        Some(place) => format!("see line {}, column {}", place.line(), place.column()),
        None => "it cannot be read, or has too much of something".to_owned(),
    }
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        with_snippet: false,
        legacy_octal_numbers: true,
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            max_aliases: ALIASES_MAX,
            max_documents: OBJECTS_MAX,
            max_nodes: NODES_MAX,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: REPLAYED_MAX,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_and_every_item_of_a_list_is_an_object() {
        let text = "# a comment\n---\napiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: x}\n---\n---\n\
                    apiVersion: v1\nkind: List\nitems:\n- apiVersion: networking.istio.io/v1\n  kind: Gateway\n  \
                    metadata: {name: b}\n  spec: {port: 80, on: \"true\", mode: 0644}\n";
        let read = objects(text).expect("a manifest");
        let told: Vec<_> = read.iter().map(|it| (it.group(), it.kind.as_str(), it.name.as_str())).collect();
        assert_eq!(told, [("", "Service", "a"), ("networking.istio.io", "Gateway", "b")]);
        assert_eq!((read[0].namespace.as_deref(), read[1].namespace.as_deref()), (Some("x"), None));
        let spec = &read[1].value["spec"];
        assert_eq!((&spec["port"], &spec["on"], &spec["mode"]), (&80.into(), &"true".into(), &420.into()));
    }

    #[test]
    fn what_is_no_manifest_is_refused_with_its_place_and_without_its_content() {
        for (text, words) in [
            ("", "no objects"),
            ("- a\n", "document 1 is no Kubernetes object"),
            ("kind: Pod\n", "has no apiVersion"),
            ("apiVersion: v1\nkind: Pod\n", "has no metadata"),
            ("apiVersion: v1\nkind: Pod\nmetadata: {}\n", "has no metadata.name"),
            ("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\ntoken: [CANARY\n", "line "),
        ] {
            let error = objects(text).expect_err(text);
            assert!(error.contains(words) && !error.contains("CANARY"), "{text}: {error}");
        }
    }

    #[test]
    fn hostile_manifests_are_bounded() {
        let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                    d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n";
        assert!(objects(bomb).is_err());
        assert!(objects(&format!("a: {}1{}", "[".repeat(5000), "]".repeat(5000))).is_err());
        assert!(objects(&"x".repeat(MANIFEST_BYTES_MAX + 1)).is_err());
        let many = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: a}\n".repeat(OBJECTS_MAX + 2);
        assert!(objects(&many).is_err());
    }

    #[test]
    fn a_mapping_is_keys_and_values_or_nothing() {
        assert!(
            mapping("").expect("nothing").is_empty() && mapping("# words\n").expect("nothing").is_empty()
        );
        assert_eq!(mapping("a: 1").expect("a map")["a"], 1);
        assert!(mapping("- 1").is_err() && mapping("a: [").is_err());
    }
}
