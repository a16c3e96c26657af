//! What stands for `$name` in queries.

use serde_json::Value;

use super::look::{flag, line, list, number, prose, scalar, text};
use super::notes::names;
use super::sources::Whose;
use super::{Import, TITLE_CHARS_MAX};
use crate::model::metrics::board::VARIABLES_MAX;
use crate::model::metrics::fill::ALL;
use crate::model::metrics::{Variable, VariableKind};

/// The most characters of the name of a variable.
const NAME_CHARS_MAX: usize = 100;
/// The most characters of a query, a constant or what a person writes.
const QUERY_CHARS_MAX: usize = 10_000;
/// What expressions here cannot do.
const AROUND: [&str; 4] = ["(?=", "(?!", "(?<=", "(?<!"];
/// The most values that a variable lists, or that are chosen.
const VALUES_MAX: usize = 500;

/// Whether queries can hold it behind `$`.
pub(super) fn is_name(name: &str) -> bool {
    let is_plain = name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    let starts = name.starts_with(|letter: char| !letter.is_ascii_digit());
    is_plain && starts && name.len() <= NAME_CHARS_MAX
}

/// The variables of a board.
pub(super) fn all(import: &mut Import, given: &[Value]) -> Vec<Variable> {
    let mut variables: Vec<Variable> = Vec::new();
    let mut unknown: Vec<String> = Vec::new();
    let mut beyond = 0;
    for of in given.iter().filter(|of| of.is_object()) {
        let name = text(&of["name"]);
        if !is_name(name) {
            import.notes.add(format!(
                "“{}” is no name of a variable, and it is left out",
                line(name, NAME_CHARS_MAX)
            ));
        } else if variables.iter().any(|other| other.name == name) {
            import.notes.add(format!("A second variable with the name {name} is left out"));
        } else if let Some(kind) = kind(import, of, name) {
            if variables.len() < VARIABLES_MAX {
                variables.push(variable(of, name, kind));
            } else {
                beyond += 1;
            }
        } else {
            unknown.push(format!("{name} ({})", line(text(&of["type"]), TITLE_CHARS_MAX)));
        }
    }
    if !unknown.is_empty() {
        import.notes.add(format!("Variables of other kinds are left out: {}", names(unknown.into_iter())));
    }
    if beyond > 0 {
        let what = super::left_out(beyond, "variable", "variables");
        import.notes.add(format!("{what}: a board has at most {VARIABLES_MAX}"));
    }
    variables
}

fn variable(of: &Value, name: &str, kind: VariableKind) -> Variable {
    let is_choice =
        matches!(kind, VariableKind::Query { .. } | VariableKind::Custom(_) | VariableKind::Interval(_));
    let all_value = prose(text(&of["allValue"]), QUERY_CHARS_MAX);
    Variable {
        name: name.to_owned(),
        label: line(text(&of["label"]), TITLE_CHARS_MAX),
        // A source of another Grafana means nothing here, and what is written or constant is with the kind.
        chosen: if is_choice { chosen(&of["current"]) } else { Vec::new() },
        kind,
        is_multi: flag(&of["multi"]),
        has_all: flag(&of["includeAll"]),
        all_value: Some(all_value).filter(|value| !value.is_empty()),
        is_hidden: number(&of["hide"]) == Some(2.0) || of["hide"] == "hideVariable",
    }
}

fn kind(import: &mut Import, of: &Value, name: &str) -> Option<VariableKind> {
    let asked = prose(asked(of), QUERY_CHARS_MAX);
    Some(match text(&of["type"]) {
        "query" => query(import, of, name, asked),
        "custom" => VariableKind::Custom(custom(of, &asked)),
        "switch" => VariableKind::Custom(options(of)),
        "interval" => VariableKind::Interval(intervals(of, &asked)),
        "datasource" => VariableKind::DataSource,
        "constant" => VariableKind::Constant(if asked.is_empty() { first(&of["current"]) } else { asked }),
        "textbox" => {
            let written = first(&of["current"]);
            VariableKind::TextBox(if written.is_empty() { asked } else { written })
        }
        _ => return None,
    })
}

/// A text, an object around one, or what it is said to be.
fn asked(of: &Value) -> &str {
    let places = [&of["query"], &of["query"]["query"], &of["query"]["expr"], &of["definition"]];
    places.into_iter().map(|it| text(it).trim()).find(|it| !it.is_empty()).unwrap_or("")
}

fn query(import: &mut Import, of: &Value, name: &str, asked: String) -> VariableKind {
    let whose = import.sources.whose(&of["datasource"]);
    if let Whose::Other(whose) = whose {
        import.notes.add(format!(
            "Variable {name} is asked of {whose}, not of Prometheus: its values are those of the file"
        ));
        return VariableKind::Custom(options(of));
    }
    let mut regex = regex(&prose(text(&of["regex"]), QUERY_CHARS_MAX));
    if AROUND.iter().any(|mark| regex.contains(mark)) {
        import.notes.add(format!("The expression of variable {name} looks around, and is left out: {regex}"));
        regex.clear();
    }
    VariableKind::Query { query: super::query::braced(import, &asked), regex }
}

/// Grafana takes `/…/i` as it is, and anything else as the whole of a value.
fn regex(given: &str) -> String {
    if given.is_empty() {
        return String::new();
    }
    let slashed = given.strip_prefix('/').and_then(|rest| rest.rsplit_once('/'));
    match slashed.filter(|(_, flags)| flags.chars().all(|flag| "gimsuy".contains(flag))) {
        Some((inner, flags)) if flags.contains('i') => format!("(?i){inner}"),
        Some((inner, _)) => inner.to_owned(),
        None => format!("^(?:{given})$"),
    }
}

/// `a, b\,c, shown : used`.
fn custom(of: &Value, asked: &str) -> Vec<(String, String)> {
    if asked.is_empty() || of["valuesFormat"] == "json" {
        return options(of);
    }
    let mut values = vec![String::new()];
    let mut letters = asked.chars().peekable();
    while let Some(letter) = letters.next() {
        let is_escaped = letter == '\\' && letters.peek() == Some(&',');
        let last = values.last_mut().expect("there is one from the start");
        match letter {
            '\\' if is_escaped => last.extend(letters.next()),
            ',' => values.push(String::new()),
            _ => last.push(letter),
        }
    }
    let pairs = values.iter().map(|value| value.trim()).filter(|value| !value.is_empty());
    let pairs = pairs.map(|value| match value.rsplit_once(" : ") {
        Some((shown, used)) => (shown.trim().to_owned(), used.trim().to_owned()),
        None => (value.to_owned(), value.to_owned()),
    });
    pairs.take(VALUES_MAX).collect()
}

/// The values that Grafana wrote beside a variable, and those that are chosen.
fn options(of: &Value) -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    let given = list(&of["options"])
        .iter()
        .take(2 * VALUES_MAX)
        .map(|it| (scalar(&it["text"]), scalar(&it["value"])));
    let chosen = chosen(&of["current"]).into_iter().map(|value| (value.clone(), value));
    for (shown, used) in given.chain(chosen) {
        let is_new = pairs.len() < VALUES_MAX && pairs.iter().all(|(_, it)| *it != used);
        if is_new && !used.is_empty() && used != ALL {
            pairs.push((line(&shown, TITLE_CHARS_MAX), line(&used, TITLE_CHARS_MAX)));
        }
    }
    pairs
}

/// Lengths; `auto` where Grafana may choose one.
fn intervals(of: &Value, asked: &str) -> Vec<String> {
    let auto = flag(&of["auto"]).then(|| "auto".to_owned());
    let lengths =
        asked.split(',').map(|length| line(length, TITLE_CHARS_MAX)).filter(|length| !length.is_empty());
    auto.into_iter().chain(lengths.filter(|length| length != "auto")).take(VALUES_MAX).collect()
}

/// What is chosen; `$__all` for every value, `auto` for a length that is chosen by range.
fn chosen(current: &Value) -> Vec<String> {
    let value = &current["value"];
    let one = std::slice::from_ref(value);
    let values = value.as_array().map_or(one, Vec::as_slice).iter().map(scalar);
    let values =
        values.map(|value| if value.starts_with("$__auto_interval") { "auto".to_owned() } else { value });
    values
        .filter(|value| !value.is_empty())
        .take(VALUES_MAX)
        .map(|value| line(&value, QUERY_CHARS_MAX))
        .collect()
}

fn first(current: &Value) -> String {
    chosen(current).into_iter().next().unwrap_or_default()
}
