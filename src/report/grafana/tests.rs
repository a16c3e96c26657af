//! Boards of the world rebuilt in small (`tests/data/grafana/`), each beside what is read of it, and hostile input.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use proptest::prelude::{Strategy, any};
use proptest::sample::Index;
use serde_json::json;

use super::*;
use crate::model::metrics::board::Grade;
use crate::model::metrics::{Ask, Panel, PanelKind, Reduce, Threshold, Unit, Variable, VariableKind};

mod details;
mod hostile;

const ID: Uuid = Uuid::from_u128(7);

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/grafana")
}

/// The names of the boards, without `.json`.
fn boards() -> Vec<String> {
    let files = std::fs::read_dir(folder()).expect("a folder");
    let names = files.map(|file| file.expect("a file").file_name().into_string().expect("a plain name"));
    let mut names: Vec<String> =
        names.filter_map(|name| name.strip_suffix(".json").map(str::to_owned)).collect();
    names.sort();
    names
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(format!("{name}.json"))).expect("a board")
}

/// Reads a board of Grafana, whatever it looks like.
fn read(bytes: &[u8], new_id: Uuid) -> Result<Board, ImportError> {
    of_grafana(&parse(bytes)?, new_id)
}

/// Reads one of our own, with the id that it has.
fn read_board(bytes: &[u8]) -> Result<Board, ImportError> {
    own(parse(bytes)?)
}

fn is_ours(bytes: &[u8]) -> bool {
    is_own(&parse(bytes).expect("JSON"))
}

fn board_of(value: &Value) -> Board {
    read(value.to_string().as_bytes(), ID).expect("a board")
}

/// A board of this one panel.
fn panel_of(panel: Value) -> Panel {
    board_of(&json!({"panels": [panel]})).rows.remove(0).panels.remove(0)
}

/// A board of this one variable.
fn variable_of(variable: Value) -> Variable {
    board_of(&json!({"panels": [], "templating": {"list": [variable]}})).variables.remove(0)
}

/// What is read, a line for each row, panel, query, variable and note.
fn told(board: &Board) -> String {
    let mut out = format!("{}\n", board.title);
    for variable in &board.variables {
        let _ = writeln!(out, "{}", told_variable(variable));
    }
    for row in &board.rows {
        let folded = if row.is_folded { " (folded)" } else { "" };
        let _ = writeln!(out, "row “{}”{folded}", row.title);
        for panel in &row.panels {
            told_panel(panel, &mut out);
        }
    }
    for note in &board.notes {
        let _ = writeln!(out, "! {note}");
    }
    out
}

fn told_variable(of: &Variable) -> String {
    let kind = match &of.kind {
        VariableKind::Query { query, regex } if regex.is_empty() => format!("query {query}"),
        VariableKind::Query { query, regex } => format!("query {query} by {regex}"),
        VariableKind::Custom(pairs) => {
            let pairs = pairs.iter().map(|(shown, used)| match shown == used {
                true => shown.clone(),
                false => format!("{shown}={used}"),
            });
            format!("custom {}", pairs.collect::<Vec<_>>().join(" | "))
        }
        VariableKind::Interval(lengths) => format!("interval {}", lengths.join(" | ")),
        VariableKind::DataSource => "source".to_owned(),
        VariableKind::Constant(value) => format!("constant {value}"),
        VariableKind::TextBox(value) => format!("text {value}"),
    };
    let mut out = format!("${}: {kind}", of.name);
    let marks = [(of.is_multi, "several"), (of.has_all, "all"), (of.is_hidden, "hidden")];
    for (_, mark) in marks.iter().filter(|(is_so, _)| *is_so) {
        let _ = write!(out, ", {mark}");
    }
    if let Some(all) = &of.all_value {
        let _ = write!(out, ", all is {all}");
    }
    if !of.chosen.is_empty() {
        let _ = write!(out, ", chosen {}", of.chosen.join(" | "));
    }
    if !of.label.is_empty() {
        let _ = write!(out, ", called “{}”", of.label);
    }
    out
}

fn told_panel(panel: &Panel, out: &mut String) {
    let _ = write!(out, "  {}×{} {} “{}”", panel.width, panel.height, kind_words(&panel.kind), panel.title);
    if panel.unit != Unit::None {
        let _ = write!(out, ", {:?}", panel.unit);
    }
    if let Some(digits) = panel.decimals {
        let _ = write!(out, ", {digits} digits");
    }
    if panel.min.is_some() || panel.max.is_some() {
        let end = |end: Option<f64>| end.map_or("…".to_owned(), |end| end.to_string());
        let _ = write!(out, ", {} to {}", end(panel.min), end(panel.max));
    }
    let marks = [(panel.is_stacked, "stacked"), (panel.is_log, "logarithmic")];
    for (_, mark) in marks.iter().filter(|(is_so, _)| *is_so) {
        let _ = write!(out, ", {mark}");
    }
    if panel.reduce != Reduce::Last {
        let _ = write!(out, ", {:?}", panel.reduce);
    }
    for level in &panel.thresholds {
        let from = level.from.map_or("at first".to_owned(), |from| format!("from {from}"));
        let _ = write!(out, ", {from} {:?}", level.level);
    }
    out.push('\n');
    for line in panel.description.lines() {
        let _ = writeln!(out, "    about: {line}");
    }
    if let PanelKind::Text(words) = &panel.kind {
        words.lines().for_each(|line| {
            let _ = writeln!(out, "    | {line}");
        });
    }
    for query in &panel.queries {
        let Ask::PromQl(asked) = &query.ask else { panic!("Grafana knows no measures") };
        let at_once = if query.is_instant { ", at once" } else { "" };
        let hidden = if query.is_hidden { ", hidden" } else { "" };
        let legend =
            if query.legend.is_empty() { String::new() } else { format!(" as “{}”", query.legend) };
        let asked = asked.split_whitespace().collect::<Vec<_>>().join(" ");
        let _ = writeln!(out, "    {}{at_once}{hidden}: {asked}{legend}", query.name);
    }
    for note in &panel.notes {
        let _ = writeln!(out, "    ! {note}");
    }
}

fn kind_words(kind: &PanelKind) -> String {
    match kind {
        PanelKind::Text(_) => "text".to_owned(),
        PanelKind::Unsupported(name) => format!("NOT DRAWN ({name})"),
        kind => format!("{kind:?}").to_lowercase(),
    }
}

#[test]
fn every_board_of_the_world_is_read_as_committed() {
    let mut stale = Vec::new();
    for name in boards() {
        let now = told(&read(&bytes(&name), ID).unwrap_or_else(|error| panic!("{name}: {error}")));
        let path = folder().join(format!("{name}.txt"));
        if std::env::var_os("UPDATE_GRAFANA").is_some() {
            std::fs::write(&path, &now).expect("a folder");
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        let differs = now.lines().zip(kept.lines().chain(std::iter::repeat(""))).position(|(a, b)| a != b);
        if let Some(line) = differs {
            let now = now.lines().nth(line).unwrap_or("");
            stale.push(format!("{}:{}: now “{now}”", path.display(), line + 1));
        } else if now != kept {
            stale.push(format!("{}: has more lines than there are", path.display()));
        }
    }
    assert!(stale.is_empty(), "look at the difference, then UPDATE_GRAFANA=1:\n{}", stale.join("\n"));
}

/// Every object with a type and a title that stands in a list of panels; rows count with what is in them.
fn panels_in(value: &Value) -> usize {
    let of = inside(value);
    if of["elements"].is_object() {
        return of["elements"].as_object().expect("it is one").len();
    }
    let mut waiting: Vec<&Value> = list(&of["panels"]).iter().chain(list(&of["rows"])).collect();
    let mut count = 0;
    while let Some(it) = waiting.pop() {
        waiting.extend(list(&it["panels"]));
        let is_row = it["type"] == "row" || (it["type"].is_null() && it["panels"].is_array());
        count += usize::from(!is_row && it["repeatPanelId"].is_null());
    }
    count
}

#[test]
fn every_panel_of_the_world_is_there_and_drawn_or_named() {
    let names = boards();
    assert!(names.len() >= 18, "{}", names.len());
    for name in names {
        let value: Value = serde_json::from_slice(&bytes(&name)).expect("JSON");
        let board = read(&bytes(&name), ID).expect("a board");
        assert_eq!(board.panels().count(), panels_in(&value), "{name}");
        for (_, panel) in board.panels() {
            let is_explained = match &panel.kind {
                PanelKind::Text(words) => !words.is_empty() || !panel.notes.is_empty(),
                PanelKind::Unsupported(kind) => !kind.is_empty() && !panel.notes.is_empty(),
                _ => !panel.queries.is_empty() || !panel.notes.is_empty(),
            };
            assert!(is_explained, "{name}: “{}” shows nothing and says not why", panel.title);
        }
    }
}

#[test]
fn every_board_of_the_world_survives_our_own_format() {
    for name in boards() {
        let board = read(&bytes(&name), ID).expect("a board");
        let written = write_board(&board);
        assert_eq!(read_board(written.as_bytes()).expect("our own format"), board, "{name}");
        let again = read_any(written.as_bytes(), Uuid::from_u128(8)).expect("either format");
        assert_eq!((is_ours(written.as_bytes()), &again), (true, &board), "{name}");
        let first = read_any(&bytes(&name), ID).expect("either format");
        assert_eq!((is_ours(&bytes(&name)), &first), (false, &board), "{name}");
    }
}
