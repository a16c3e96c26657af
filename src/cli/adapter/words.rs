//! Adapters, what they offer and report, as text and as JSON. Pure.

use std::time::Duration;

use serde_json::{Value, json};

use crate::app::adapters::{AdapterStands, Adapters};
use crate::model::adapter::book::{AdapterId, OperationRecord, OperationState, Reported};
use crate::model::adapter::{AdapterEvent, AdapterFacts, Category, Era, Severity};
use crate::model::number;

use crate::cli::screen::{Style, plain, pretty};
use crate::cli::table;

/// The step at which an address is read, as it is told: what fails there was written wrongly.
const READING: &str = "reading its address";

/// Whether what failed at this step was written wrongly.
pub(super) fn is_input(step: &str) -> bool {
    step == READING
}

pub(super) fn failed(step: &str, cause: &str, advice: &str) -> String {
    format!("{step}: {cause}. {advice}")
}

pub(super) fn left_out(count: usize) -> String {
    match count {
        1 => "1 more operation is not listed: its key cannot be asked for, or there are too many".to_owned(),
        _ => format!(
            "{count} more operations are not listed: their keys cannot be asked for, or there are too many"
        ),
    }
}

fn era(era: Era) -> &'static str {
    match era {
        Era::First => "2019",
        Era::Library => "library",
    }
}

fn place(adapters: &Adapters, id: AdapterId) -> String {
    adapters.known(id).map_or_else(|| "built in".to_owned(), |known| known.place.words())
}

/// All that is known of one.
pub(super) fn adapter_json(adapters: &Adapters, id: AdapterId) -> Value {
    let link = adapters.links.get(&id);
    let facts = link.and_then(|link| link.facts.as_ref());
    let mut value = json!({
        "name": adapters.name(id),
        "built_in": Adapters::is_built_in(id),
        "address": adapters.known(id).map(|known| known.place.words()),
        "reachable": link.is_some_and(|link| link.stands == AdapterStands::Ready),
        "era": facts.map(|facts| era(facts.era)),
        "says": facts.map(|facts| &facts.name),
        "version": facts.map(|facts| &facts.version),
        "git_sha": facts.map(|facts| &facts.git_sha),
        "mesh_versions": facts.map(|facts| &facts.mesh_versions),
        "operations": facts.map(|facts| facts.operations.len()),
    });
    if let Some(AdapterStands::Failed { step, cause, advice }) = link.map(|link| &link.stands) {
        value["failed"] = json!({ "step": step, "cause": cause, "advice": advice });
    }
    value
}

pub(super) fn table(adapters: &Adapters, ids: &[AdapterId]) -> String {
    let mut rows =
        vec![["ADAPTER", "ADDRESS", "ERA", "VERSION", "OPERATIONS", ""].map(str::to_owned).to_vec()];
    for id in ids {
        let link = adapters.links.get(id);
        let facts = link.and_then(|link| link.facts.as_ref());
        let told = |words: Option<String>| {
            let words = words.filter(|words| !words.is_empty());
            words.map_or_else(|| number::UNKNOWN.to_owned(), |words| plain(&words))
        };
        rows.push(vec![
            plain(&adapters.name(*id)),
            plain(&place(adapters, *id)),
            told(facts.map(|facts| era(facts.era).to_owned())),
            told(facts.map(|facts| facts.version.clone())),
            told(facts.map(|facts| facts.operations.len().to_string())),
            match link.map(|link| &link.stands) {
                Some(AdapterStands::Ready) => "reachable".to_owned(),
                Some(AdapterStands::Failed { step, cause, advice }) => {
                    plain(&format!("not reachable: {}", failed(step, cause, advice)))
                }
                _ => "does not answer".to_owned(),
            },
        ]);
    }
    table::aligned(&rows, 4).join("\n") + "\n"
}

pub(super) fn answered(name: &str, facts: &AdapterFacts, took: Duration) -> String {
    let mut lines = vec![format!("{} answers", plain(name))];
    let mut line = |what: &str, words: &str| {
        if !words.is_empty() {
            lines.push(format!("{what:<11} {}", plain(words)));
        }
    };
    line("says", &facts.name);
    line("version", &facts.version);
    line("commit", &facts.git_sha);
    line("era", era(facts.era));
    line("meshes", &facts.mesh_versions.join(", "));
    line("operations", &facts.operations.len().to_string());
    line("took", &format!("{} to connect and to ask all of this", number::millis(took.as_secs_f64() * 1e3)));
    lines.join("\n") + "\n"
}

/// Grouped as pages list them.
pub(super) fn ops(facts: &AdapterFacts, style: Style) -> String {
    if facts.operations.is_empty() {
        return "It offers nothing.\n".to_owned();
    }
    let rows: Vec<Vec<String>> = facts
        .operations
        .iter()
        .map(|operation| vec![format!("  {}", plain(&operation.key)), plain(&operation.text)])
        .collect();
    // Of one width over all groups.
    let lines = table::aligned(&rows, 2);
    let mut text = Vec::new();
    for category in Category::ALL {
        let mut of = facts.operations.iter().zip(&lines).filter(|(it, _)| it.category == category).peekable();
        if of.peek().is_some() {
            text.push(style.bold(category.words()));
            text.extend(of.map(|(_, line)| line.clone()));
        }
    }
    text.join("\n") + "\n"
}

pub(super) fn ops_json(facts: &AdapterFacts) -> String {
    let operations: Vec<Value> = facts
        .operations
        .iter()
        .map(|operation| json!({ "key": operation.key, "text": operation.text, "category": operation.category }))
        .collect();
    pretty(&json!(operations))
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

/// What was reported, in a line.
pub(super) fn event(reported: &Reported) -> String {
    let event = &reported.event;
    let mut words = format!("{:.0}  {:<7}  {}", reported.at, severity(event.severity), event.summary);
    let mut add = |what: &str, text: &str| {
        if !text.is_empty() {
            words.push_str(&format!("  [{what}: {text}]"));
        }
    };
    add("cause", &event.cause);
    add("do", &event.remedy);
    add("code", &event.code);
    add("operation", &event.operation_id);
    plain(&words)
}

pub(super) fn event_json(reported: &Reported) -> Value {
    let AdapterEvent {
        severity: grave,
        summary,
        details,
        operation_id,
        cause,
        remedy,
        code,
        component,
        component_name,
    } = &reported.event;
    json!({
        "at": reported.at.to_string(), "adapter": reported.adapter_name, "severity": severity(*grave),
        "summary": summary, "details": details, "operation": operation_id, "cause": cause, "remedy": remedy,
        "code": code, "component": component, "component_name": component_name,
    })
}

/// What a person who follows an operation is told of an event: its lines.
pub(super) fn progress(event: &AdapterEvent) -> String {
    let mark = match event.severity {
        Severity::Info => "",
        Severity::Warning => "warning: ",
        Severity::Error => "error: ",
    };
    let mut lines = vec![plain(&format!("{mark}{}", event.summary))];
    lines.extend(event.details.lines().map(|line| format!("  {}", plain(line))));
    for (what, text) in [("cause", &event.cause), ("what to do", &event.remedy)] {
        if !text.is_empty() {
            lines.push(plain(&format!("  {what}: {text}")));
        }
    }
    lines.join("\n")
}

pub(super) fn state(state: OperationState) -> &'static str {
    match state {
        OperationState::Waiting => "waiting",
        OperationState::Withdrawn => "never begun",
        OperationState::Running => "running",
        OperationState::Succeeded => "succeeded",
        OperationState::Failed => "failed",
        OperationState::Unknown => "unknown",
    }
}

/// An operation that was asked for, as far as it is known.
pub(super) fn record_json(record: &OperationRecord) -> Value {
    let events: Vec<Value> = record
        .reports
        .iter()
        .map(|report| {
            let event = &report.event;
            json!({
                "at": report.at.to_string(), "severity": severity(event.severity), "summary": event.summary,
                "details": event.details, "cause": event.cause, "remedy": event.remedy, "code": event.code,
            })
        })
        .collect();
    let contexts: Vec<&str> = record.contexts.iter().map(|context| context.name.as_str()).collect();
    json!({
        "id": record.request.id, "adapter": record.adapter_name, "operation": record.request.key,
        "text": record.operation.text, "namespace": record.request.namespace, "delete": record.request.removes,
        "contexts": contexts, "state": state(record.state), "started": record.started.map(|at| at.to_string()),
        "events": events,
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::adapter::Operation;

    #[test]
    fn an_event_is_one_line_whatever_is_in_it() {
        let event = AdapterEvent {
            severity: Severity::Error,
            summary: "it\nfailed\u{1b}[2J".to_owned(),
            cause: "no\rroom".to_owned(),
            operation_id: "one".to_owned(),
            ..AdapterEvent::default()
        };
        let at = Timestamp::from_second(0).expect("a time");
        let reported = Reported {
            adapter: AdapterId::default(),
            adapter_name: "A".to_owned(),
            at,
            event,
            is_read: false,
        };
        let line = super::event(&reported);
        assert_eq!(line.lines().count(), 1);
        assert!(!line.contains('\u{1b}') && line.starts_with("1970-01-01T00:00:00Z  error    it"), "{line}");
        assert!(line.ends_with("[operation: one]"), "{line}");
        assert_eq!(event_json(&reported).to_string().lines().count(), 1);
    }

    #[test]
    fn operations_are_grouped_and_only_groups_with_some_are_named() {
        let operation =
            |category, key: &str| Operation { category, key: key.to_owned(), text: "words".to_owned() };
        let operations = vec![operation(Category::Install, "a"), operation(Category::Custom, "bcd")];
        let facts = AdapterFacts { operations, ..AdapterFacts::default() };
        assert_eq!(ops(&facts, Style::default()), "Install\n  a    words\nCustom\n  bcd  words\n");
        assert_eq!(ops(&AdapterFacts::default(), Style::default()), "It offers nothing.\n");
    }
}
