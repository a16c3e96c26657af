//! What panels ask.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Import;
use super::look::{flag, line, list, prose, text};
use super::notes::{Notes, names};
use super::sources::Whose;
use super::variable::is_name;
use crate::model::metrics::board::QUERIES_MAX;
use crate::model::metrics::fill::QUERY_MAX_BYTES;
use crate::model::metrics::{Ask, PanelQuery};

/// The most bytes of all queries of a board: a panel of the library may be named again and again.
const BOARD_BYTES_MAX: usize = 2 * 1024 * 1024;
/// The most lines of a panel that are looked at.
const TARGETS_MAX: usize = 1000;
/// The most characters of the name of a query.
const NAME_CHARS_MAX: usize = 40;
/// The most characters of a legend.
const LEGEND_CHARS_MAX: usize = 500;
/// What gives away a query for something else, where no source is named.
const OTHERS_KEYS: [&str; 8] =
    ["rawSql", "scenarioId", "measurement", "target", "expression", "rawQuery", "queryText", "panelId"];

/// The queries of a panel that Prometheus can answer.
pub(super) fn all(import: &mut Import, panel: &Value, notes: &mut Notes) -> Vec<PanelQuery> {
    let mut queries: Vec<PanelQuery> = Vec::new();
    let mut others: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut beyond = 0;
    for target in list(&panel["targets"]).iter().take(TARGETS_MAX) {
        let name = free_name(&queries, target);
        let asked = text(&target["expr"]).trim();
        if let Some(whose) = other(import, panel, target, asked) {
            others.entry(whose).or_default().push(name);
        } else if asked.is_empty() {
            // Grafana keeps a line that nothing was written in.
        } else if asked.len() > QUERY_MAX_BYTES || import.query_bytes + asked.len() > BOARD_BYTES_MAX {
            notes.add(format!("Query {name} is too long and is left out"));
        } else if queries.len() == QUERIES_MAX {
            beyond += 1;
        } else {
            import.query_bytes += asked.len();
            queries.push(query(import, name, asked, target));
        }
    }
    match_all(import, panel, &mut queries, notes);
    tell_others(others, notes);
    if beyond > 0 {
        let what = super::left_out(beyond, "query", "queries");
        notes.add(format!("{what}: a panel has at most {QUERIES_MAX}"));
    }
    queries
}

/// Where Grafana makes a copy for each value, one value is compared at a time; what is shown once has to match all.
fn match_all(import: &Import, panel: &Value, queries: &mut [PanelQuery], notes: &mut Notes) {
    let repeats = import.repeats.iter().map(String::as_str).chain([text(&panel["repeat"])]);
    for name in repeats.filter(|name| is_name(name)) {
        let mut is_changed = false;
        for query in queries.iter_mut() {
            let Ask::PromQl(asked) = &mut query.ask else { continue };
            let matching = matching(asked, name);
            is_changed |= matching != *asked;
            *asked = matching;
        }
        if is_changed {
            notes.add(format!(
                "Its queries compare ${name} by =~ in place of =, so that they find all that are chosen"
            ));
        }
    }
}

/// `="$name"` as `=~"$name"`, and `!=` as `!~`.
fn matching(asked: &str, name: &str) -> String {
    let mut out = asked.to_owned();
    for value in [format!("\"${name}\""), format!("\"${{{name}}}\"")] {
        for space in ["", " "] {
            out = out.replace(&format!("!={space}{value}"), &format!("!~{space}{value}"));
            out = out.replace(&format!("={space}{value}"), &format!("=~{space}{value}"));
        }
    }
    out
}

fn tell_others(others: BTreeMap<String, Vec<String>>, notes: &mut Notes) {
    for (whose, of) in others {
        let (what, is) = if of.len() == 1 { ("Query", "is") } else { ("Queries", "are") };
        let of = names(of.into_iter());
        notes.add(format!("{what} {of} {is} for {whose}, not for Prometheus, and {is} left out"));
    }
}

fn query(import: &Import, name: String, asked: &str, target: &Value) -> PanelQuery {
    let legend = text(&target["legendFormat"]).trim();
    let legend = if legend == "__auto" { "" } else { legend };
    PanelQuery {
        name,
        ask: Ask::PromQl(braced(import, &prose(asked, QUERY_MAX_BYTES))),
        legend: tight(&braced(import, &line(legend, LEGEND_CHARS_MAX))),
        is_instant: flag(&target["instant"]) && !flag(&target["range"]),
        is_hidden: flag(&target["hide"]),
    }
}

/// For what else it is, if it is not for Prometheus.
fn other(import: &Import, panel: &Value, target: &Value, asked: &str) -> Option<String> {
    let whose = match import.sources.whose(&target["datasource"]) {
        Whose::Default => import.sources.whose(&panel["datasource"]),
        it => it,
    };
    match whose {
        Whose::Other(whose) => Some(whose),
        Whose::Prometheus => None,
        Whose::Default => {
            let is_other = asked.is_empty() && OTHERS_KEYS.iter().any(|key| !target[key].is_null());
            is_other.then(|| "another kind of source".to_owned())
        }
    }
}

/// What Grafana calls it, or the first letter that is free.
fn free_name(queries: &[PanelQuery], target: &Value) -> String {
    let is_free = |name: &String| !name.is_empty() && queries.iter().all(|query| query.name != *name);
    let given = line(text(&target["refId"]), NAME_CHARS_MAX);
    let letters = ('A'..='Z').map(|letter| letter.to_string());
    let numbers = (1..).map(|number| format!("Q{number}"));
    std::iter::once(given).chain(letters).chain(numbers).find(is_free).expect("numbers do not end")
}

/// `[[name]]` as Grafana wrote it until version 7, written as `${name}`; other brackets stay (`[[:alpha:]]`).
pub(super) fn braced(import: &Import, asked: &str) -> String {
    let mut out = String::with_capacity(asked.len());
    let mut rest = asked;
    while let Some((before, after)) = rest.split_once("[[") {
        out.push_str(before);
        let name = after.split([']', '[', ':']).next().unwrap_or("");
        let is_known = import.variables.iter().any(|it| it == name);
        if let Some(close) = is_known.then(|| after.find("]]")).flatten() {
            out.push_str("${");
            out.push_str(&after[..close]);
            out.push('}');
            rest = &after[close + 2..];
        } else {
            out.push_str("[[");
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// `{{ pod }}` as `{{pod}}`.
fn tight(legend: &str) -> String {
    let mut parts = legend.split("{{");
    let mut out = parts.next().unwrap_or("").to_owned();
    for part in parts {
        out.push_str("{{");
        match part.split_once("}}") {
            Some((label, rest)) => {
                out.push_str(label.trim());
                out.push_str("}}");
                out.push_str(rest);
            }
            None => out.push_str(part),
        }
    }
    out
}
