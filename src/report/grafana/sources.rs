//! For which kind of source a query is.

use std::collections::BTreeMap;

use serde_json::Value;

use super::look::{line, list, text};

/// Plain names under which other kinds of sources usually go, in old files that name no kind.
const OTHERS: [&str; 9] =
    ["loki", "tempo", "jaeger", "zipkin", "influxdb", "graphite", "elasticsearch", "cloudwatch", "testdata"];
/// The most characters of a name in a note.
const NAME_CHARS_MAX: usize = 60;

/// The kinds of the sources that a board refers to by other names.
pub(super) struct Sources {
    /// Kinds by the names of inputs (`DS_PROMETHEUS`) and variables (`datasource`).
    kinds: BTreeMap<String, String>,
}

/// For whom a query is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Whose {
    Prometheus,
    /// Not said: the one that is used unless told otherwise.
    Default,
    Other(String),
}

impl Sources {
    pub(super) fn new(of: &Value) -> Self {
        let variables = list(&of["templating"]["list"]).iter();
        let variables =
            variables.filter(|it| it["type"] == "datasource").map(|it| (&it["name"], &it["query"]));
        let inputs = list(&of["__inputs"]).iter();
        let inputs = inputs.filter(|it| it["type"] == "datasource").map(|it| (&it["name"], &it["pluginId"]));
        let kinds =
            variables.chain(inputs).map(|(name, kind)| (text(name).to_owned(), text(kind).to_owned()));
        Self { kinds: kinds.filter(|(_, kind)| !kind.is_empty()).collect() }
    }

    /// For whom it is, from what stands under `datasource`: a name, or a kind and a uid.
    pub(super) fn whose(&self, source: &Value) -> Whose {
        let (kind, uid) = (text(&source["type"]), text(&source["uid"]));
        match (source.as_str(), kind) {
            (Some(name), _) => self.named(name),
            (None, "" | "datasource") => self.named(uid),
            (None, kind) if is_prometheus(kind) => Whose::Prometheus,
            (None, kind) if kind.starts_with('$') => self.named(kind),
            (None, kind) => other(kind),
        }
    }

    fn named(&self, name: &str) -> Whose {
        match name {
            "" | "default" | "-- Mixed --" => return Whose::Default,
            "-- Dashboard --" => return Whose::Other("another panel".to_owned()),
            "-- Grafana --" | "grafana" => return Whose::Other("Grafana itself".to_owned()),
            "__expr__" | "-100" => return other("__expr__"),
            _ => {}
        }
        match self.kinds.get(inner(name)) {
            Some(kind) if is_prometheus(kind) => Whose::Prometheus,
            Some(kind) => other(kind),
            None if OTHERS.contains(&name.to_ascii_lowercase().as_str()) => other(name),
            None => Whose::Default,
        }
    }
}

/// What stands for a source: `$ds`, `${ds}`, `${ds:text}` and `[[ds]]` are `ds`.
fn inner(name: &str) -> &str {
    let inside = |open, close| name.strip_prefix(open).and_then(|rest: &str| rest.strip_suffix(close));
    let name =
        inside("${", "}").or_else(|| inside("[[", "]]")).or_else(|| name.strip_prefix('$')).unwrap_or(name);
    name.split(':').next().unwrap_or(name)
}

fn is_prometheus(kind: &str) -> bool {
    kind.contains("prometheus")
        || kind.contains("victoriametrics-metrics")
        || kind == "victoriametrics-datasource"
}

fn other(kind: &str) -> Whose {
    Whose::Other(match kind {
        "__expr__" => "Grafana’s expressions".to_owned(),
        kind => line(kind, NAME_CHARS_MAX),
    })
}
