//! Boards as files: our own format, without loss, and Grafana's, as far as it means the same here.
//!
//! | of Grafana | becomes |
//! |---|---|
//! | `timeseries`, `graph` | lines over time |
//! | `stat`, `singlestat`; `gauge`, `singlestat` with a gauge; `bargauge`, `graph` over series | one number, on a scale, bars |
//! | `table`, `table-old`; `heatmap`; `text` | a table; buckets; words without markup |
//! | any other panel | named as not supported, with a note |
//! | `rows` of old files, `row` panels, the layouts of schema 2 | rows; those of tabs too |
//! | `expr` of Prometheus and what speaks like it | a query; of anything else: a note |
//! | unit, decimals, ends, thresholds, stacking, logarithms, the number that stands for a series | the same |
//! | variables that ask, list, or hold something | the same; `adhoc` and `groupby`: a note |
//!
//! What changes how a number is read and is not taken over gets a note, each once: transformations, words for values,
//! settings of single series, a second axis, a time of its own, repetition, alerts, annotations, links. Left out without
//! a word is what does not: colours of lines, their width and filling, legends' places, tooltips, minimal steps, tags,
//! times and refreshes at first.
//!
//! Nothing in a file is trusted: any node may have any type, and everything has a limit.
//!
//! What is chosen for a variable is in Grafana's words: `$__all` for every value, `auto` for a length by range. Titles, words
//! and legends may name variables too.

use std::collections::BTreeMap;

use serde_json::Value;
use uuid::Uuid;

use self::look::{flag, line, list, prose, text};
use self::notes::{Notes, names};
use self::sources::Sources;
use crate::model::metrics::board::{BOARD_VERSION, COLUMNS, PANELS_MAX, QUERIES_MAX, VARIABLES_MAX};
use crate::model::metrics::{Board, BoardId};

mod fields;
mod layout;
mod look;
mod notes;
mod old;
mod panel;
mod query;
mod sources;
#[cfg(test)]
mod tests;
mod thresholds;
mod v2;
mod variable;
mod words;

/// The largest file of a board that is read, in bytes.
pub const BYTES_MAX: usize = 8 * 1024 * 1024;
/// The most rows of one board; what is beyond goes into the last.
pub const ROWS_MAX: usize = 200;
/// The height of the highest panel, in units of about 30 points.
pub const HEIGHT_MAX: u16 = 60;
/// Points of one unit of height in Grafana, with the space below it.
const UNIT_POINTS: f64 = 38.0;
/// The most notes of a board.
const NOTES_MAX: usize = 30;
/// What is called so has no name.
const UNTITLED: &str = "Untitled";
/// The most characters of a title or a name.
const TITLE_CHARS_MAX: usize = 200;
/// The most characters of a description.
const DESCRIPTION_CHARS_MAX: usize = 2000;

/// Why a file is not a board.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// More than [`BYTES_MAX`].
    #[error("the file is larger than {} MiB; no board is that large", BYTES_MAX / 1024 / 1024)]
    TooLarge,
    /// Not JSON.
    #[error(
        "the file is not JSON; save the board in Grafana with “Export as JSON”, or take the JSON out of its YAML"
    )]
    Json(#[source] serde_json::Error),
    /// JSON, but of something else.
    #[error(
        "the file holds no board: it has neither “panels” nor “rows”; export one from Meshbench or Grafana"
    )]
    NotABoard,
    /// A board of another tool.
    #[error("the file is a board of {0}, which Meshbench does not read; export it from Grafana")]
    OtherTool(&'static str),
    /// Our own format, but damaged.
    #[error("the file is no board as Meshbench writes them")]
    Damaged(#[source] serde_json::Error),
    /// From a newer program.
    #[error(
        "the board has version {found}; this Meshbench reads versions up to {BOARD_VERSION}: use a newer one"
    )]
    Newer {
        /// Its version.
        found: u64,
    },
    /// Shaped like a board but impossible.
    #[error("the board cannot be: {0}")]
    Impossible(String),
}

/// A board as pretty JSON in our own format, with a line break at its end.
///
/// # Panics
/// Never: every field of a board has a JSON form.
#[must_use]
pub fn write_board(board: &Board) -> String {
    let mut text = serde_json::to_string_pretty(board).expect("every field of a board has a JSON form");
    text.push('\n');
    text
}

/// Reads a board: what [`write_board`] wrote, here or elsewhere, or one of Grafana, a file or an answer of its API, of any
/// version. One of our own keeps its id where that is a UUID, so that it replaces itself when it is read again; the key of
/// a ready board is not taken: it becomes `new_id`, as the id of one of Grafana does.
///
/// # Errors
/// When it is neither. What of Grafana's cannot be taken over is in the notes of the board and of its panels.
pub fn read_any(bytes: &[u8], new_id: Uuid) -> Result<Board, ImportError> {
    let value = parse(bytes)?;
    if !is_own(&value) {
        return of_grafana(&value, new_id);
    }
    let mut board = own(value)?;
    if Uuid::try_parse(&board.id.0).is_err() {
        board.id = BoardId(new_id.to_string());
    }
    Ok(board)
}

fn parse(bytes: &[u8]) -> Result<Value, ImportError> {
    if bytes.len() > BYTES_MAX {
        return Err(ImportError::TooLarge);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // The parser refuses more than 128 levels, so nothing behind here recurses deeper.
    serde_json::from_slice(bytes).map_err(ImportError::Json)
}

/// Grafana's ids are numbers or absent, and its panels have a type and no kind.
fn is_own(value: &Value) -> bool {
    let is_grafanas =
        ["schemaVersion", "panels", "templating", "dashboard"].iter().any(|key| !value[key].is_null());
    let has_id = value["id"].is_string() && value["version"].is_number();
    let mut panels = list(&value["rows"]).iter().flat_map(|row| list(&row["panels"]));
    !is_grafanas && (has_id || panels.any(|panel| !panel["kind"].is_null()))
}

fn own(value: Value) -> Result<Board, ImportError> {
    // The version first: a newer board may not have the shape that this program knows.
    match value["version"].as_u64() {
        Some(0) => return Err(ImportError::Impossible("it has version 0, which never was".to_owned())),
        Some(found) if found > u64::from(BOARD_VERSION) => return Err(ImportError::Newer { found }),
        _ => {}
    }
    let mut board: Board = serde_json::from_value(value).map_err(ImportError::Damaged)?;
    check(&board)?;
    if board.title.trim().is_empty() {
        UNTITLED.clone_into(&mut board.title);
    }
    board.notes.truncate(NOTES_MAX);
    for panel in board.rows.iter_mut().flat_map(|row| &mut row.panels) {
        panel.width = panel.width.clamp(1, COLUMNS);
        panel.height = panel.height.clamp(1, HEIGHT_MAX);
        panel.decimals = panel.decimals.map(|digits| digits.min(fields::DECIMALS_MAX));
        panel.notes.truncate(NOTES_MAX);
    }
    Ok(board)
}

/// Holds what a board says against what a board can be, so that nothing behind here meets a surprise.
fn check(board: &Board) -> Result<(), ImportError> {
    let impossible = |reason: String| Err(ImportError::Impossible(reason));
    if board.id.0.is_empty() || board.id.0.len() > TITLE_CHARS_MAX {
        return impossible("it has no id, or one that is too long".to_owned());
    }
    if board.rows.len() > ROWS_MAX || board.panels().count() > PANELS_MAX {
        return impossible(format!("it has more than {ROWS_MAX} rows or {PANELS_MAX} panels"));
    }
    if let Some((_, panel)) = board.panels().find(|(_, panel)| panel.queries.len() > QUERIES_MAX) {
        return impossible(format!("its panel “{}” has more than {QUERIES_MAX} queries", panel.title));
    }
    if board.variables.len() > VARIABLES_MAX {
        return impossible(format!("it has more than {VARIABLES_MAX} variables"));
    }
    for (at, variable) in board.variables.iter().enumerate() {
        if !variable::is_name(&variable.name) {
            return impossible(format!("“{}” is no name of a variable", variable.name));
        }
        if board.variables[..at].iter().any(|other| other.name == variable.name) {
            return impossible(format!("it has two variables with the name {}", variable.name));
        }
    }
    for (_, panel) in board.panels() {
        let levels = &panel.thresholds;
        if levels.len() > thresholds::THRESHOLDS_MAX || !levels.is_sorted_by(|one, next| one.from < next.from)
        {
            return impossible(format!("the thresholds of its panel “{}” do not ascend", panel.title));
        }
    }
    Ok(())
}

fn of_grafana(value: &Value, new_id: Uuid) -> Result<Board, ImportError> {
    let of = inside(value);
    let is_perses = of["layouts"].is_array() && of["panels"].is_object();
    if is_perses {
        return Err(ImportError::OtherTool("Perses"));
    }
    if of["elements"].is_object() && of["layout"].is_object() {
        return Ok(board(&v2::classic(of), new_id));
    }
    let is_board = of["panels"].is_array() || of["rows"].is_array() || of["schemaVersion"].is_number();
    if is_board { Ok(board(of, new_id)) } else { Err(ImportError::NotABoard) }
}

/// What the API, Kubernetes-like resources, and grafana.com wrap around a board.
fn inside(value: &Value) -> &Value {
    let mut of = value;
    // A resource may stand inside an answer of the API.
    for _ in 0..2 {
        of = ["dashboard", "spec", "json"].iter().map(|key| &of[key]).find(|it| it.is_object()).unwrap_or(of);
    }
    of
}

/// What is known while a board is read.
struct Import<'a> {
    sources: Sources,
    /// Names of variables.
    variables: Vec<String>,
    /// By which variables the rows around are repeated, from the outermost; empty for those that are not.
    repeats: Vec<String>,
    /// Bytes of queries so far.
    query_bytes: usize,
    /// Library panels that came with an export, by uid.
    library: &'a Value,
    notes: Notes,
    panels: usize,
    panels_left_out: usize,
    unsupported: BTreeMap<String, usize>,
    links: usize,
    alerts: usize,
}

fn board(of: &Value, new_id: Uuid) -> Board {
    let mut import = Import {
        sources: Sources::new(of),
        variables: list(&of["templating"]["list"])
            .iter()
            .take(2 * VARIABLES_MAX)
            .map(|it| text(&it["name"]).to_owned())
            .collect(),
        repeats: Vec::new(),
        query_bytes: 0,
        library: &of["__elements"],
        notes: Notes::new(NOTES_MAX),
        panels: 0,
        panels_left_out: 0,
        unsupported: BTreeMap::new(),
        links: list(&of["links"]).len(),
        alerts: 0,
    };
    let title = line(text(&of["title"]), TITLE_CHARS_MAX);
    let mut board =
        Board::new(BoardId(new_id.to_string()), if title.is_empty() { UNTITLED } else { title.as_str() });
    board.description = prose(text(&of["description"]), DESCRIPTION_CHARS_MAX);
    board.variables = variable::all(&mut import, list(&of["templating"]["list"]));
    let panels = list(&of["panels"]);
    board.rows = if panels.is_empty() {
        layout::spans(&mut import, list(&of["rows"]))
    } else {
        layout::grid(&mut import, panels)
    };
    import.tell_the_rest(of);
    board.notes = import.notes.finish();
    board
}

impl Import<'_> {
    /// Whether one more panel may be read.
    fn has_room(&mut self) -> bool {
        if self.panels == PANELS_MAX {
            self.panels_left_out += 1;
            return false;
        }
        self.panels += 1;
        true
    }

    fn tell_the_rest(&mut self, of: &Value) {
        if self.panels_left_out > 0 {
            let what = left_out(self.panels_left_out, "panel", "panels");
            self.notes.add(format!("{what}: a board has at most {PANELS_MAX}"));
        }
        if !self.unsupported.is_empty() {
            let kinds = self.unsupported.iter().map(|(kind, count)| match count {
                1 => kind.clone(),
                _ => format!("{kind} ({count})"),
            });
            self.notes.add(format!("Panels that are not drawn: {}", names(kinds)));
        }
        let annotations = list(&of["annotations"]["list"]).iter();
        let shown =
            annotations.filter(|it| !flag(&it["builtIn"]) && it["builtIn"] != 1 && it["enable"] != false);
        let shown: Vec<String> = shown
            .map(|it| line(text(&it["name"]), TITLE_CHARS_MAX))
            .filter(|name| !name.is_empty())
            .collect();
        if !shown.is_empty() {
            self.notes.add(format!("Annotations are left out: {}", names(shown.into_iter())));
        }
        if self.alerts > 0 {
            self.notes.add(left_out(self.alerts, "alert of panels", "alerts of panels"));
        }
        if self.links > 0 {
            self.notes.add(left_out(self.links, "link to another page", "links to other pages"));
        }
    }
}

/// `1 panel is left out`, `3 panels are left out`.
fn left_out(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one} is left out") } else { format!("{count} {many} are left out") }
}
