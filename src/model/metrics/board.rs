//! Boards: panels of queries. Also the file format in which they are saved and exported.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::measure::Measure;
use super::unit::Unit;

/// The version of the board format that this program writes.
pub const BOARD_VERSION: u32 = 1;
/// The most panels of one board; what an import has beyond is left out, with a note.
pub const PANELS_MAX: usize = 200;
/// The most queries of one panel.
pub const QUERIES_MAX: usize = 26;
/// The most variables of one board.
pub const VARIABLES_MAX: usize = 50;
/// How many columns a row of panels has, as in Grafana.
pub const COLUMNS: u16 = 24;

/// Identity of a board: the key of a ready one (`istio`), or a UUID of one that was made or imported.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BoardId(pub String);

/// Panels of queries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Board {
    /// [`BOARD_VERSION`] of the writer.
    pub version: u32,
    /// Identity.
    pub id: BoardId,
    /// What people call it; never empty.
    pub title: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// What stands for `$name` in its queries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<Variable>,
    /// Its panels, in rows that may be folded.
    pub rows: Vec<Row>,
    /// What an import could not take over, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Panels under a heading.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The heading; may be empty.
    #[serde(default)]
    pub title: String,
    /// Whether it is folded at first.
    #[serde(default)]
    pub is_folded: bool,
    /// Its panels, in reading order.
    pub panels: Vec<Panel>,
}

/// One picture of one or more queries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Panel {
    /// The heading.
    pub title: String,
    /// What it shows.
    #[serde(default)]
    pub description: String,
    /// How it is drawn.
    pub kind: PanelKind,
    /// Of [`COLUMNS`].
    pub width: u16,
    /// In units of about 30 points, as in Grafana.
    pub height: u16,
    /// What its numbers count.
    #[serde(default)]
    pub unit: Unit,
    /// Digits after the point; none to choose by size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimals: Option<u8>,
    /// The lower end of its axis or gauge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// Whether series are laid on top of each other.
    #[serde(default)]
    pub is_stacked: bool,
    /// Whether its axis is logarithmic.
    #[serde(default)]
    pub is_log: bool,
    /// From which values on it is worth a colour; ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<Threshold>,
    /// Which one number stands for a series, where one is shown.
    #[serde(default)]
    pub reduce: Reduce,
    /// What is asked.
    pub queries: Vec<PanelQuery>,
    /// What is missing where there is no data, and how to get it.
    #[serde(default)]
    pub hint: String,
    /// What an import could not take over, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// How a panel is drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PanelKind {
    /// Lines over time.
    TimeSeries,
    /// One large number for each series.
    Stat,
    /// A number on a scale.
    Gauge,
    /// Bars, one for each series.
    BarGauge,
    /// A row for each series.
    Table,
    /// Buckets over time, as colours.
    Heatmap,
    /// Words, without queries.
    Text(String),
    /// What we cannot draw, by its name in the tool that it is from.
    Unsupported(String),
}

/// From this value on, a number means something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// From here up; none for the lowest.
    pub from: Option<f64>,
    /// What it means.
    pub level: Grade,
}

/// What a value means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// As it should be, or nothing special.
    #[default]
    Fine,
    /// Worth a look.
    Warning,
    /// Too much, or too little.
    Bad,
}

/// Which one number stands for a series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reduce {
    /// The last.
    #[default]
    Last,
    /// The mean of all.
    Mean,
    /// The largest.
    Max,
    /// The smallest.
    Min,
    /// All together.
    Sum,
    /// The first.
    First,
}

/// One question of a panel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PanelQuery {
    /// `A`, `B`, …
    pub name: String,
    /// What is asked.
    pub ask: Ask,
    /// How each series is called: `{{namespace}} p99`; empty for its labels.
    #[serde(default)]
    pub legend: String,
    /// Only the newest value is wanted.
    #[serde(default)]
    pub is_instant: bool,
    /// Series are not drawn.
    #[serde(default)]
    pub is_hidden: bool,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Something that we can write as PromQL and work out ourselves.
    Measure(Measure),
    /// PromQL as it was written, with `$name` for variables and `$__rate_interval` and the like.
    PromQl(String),
}

/// Something that stands for `$name` in queries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Variable {
    /// Without `$`.
    pub name: String,
    /// What people call it; empty for its name.
    #[serde(default)]
    pub label: String,
    /// Where its values are from.
    pub kind: VariableKind,
    /// What is chosen at first; empty for the first there is.
    #[serde(default)]
    pub chosen: Vec<String>,
    /// Several may be chosen at once.
    #[serde(default)]
    pub is_multi: bool,
    /// `All` may be chosen.
    #[serde(default)]
    pub has_all: bool,
    /// What `All` stands for, where it is not every value there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub all_value: Option<String>,
    /// It is not offered.
    #[serde(default)]
    pub is_hidden: bool,
}

/// Where the values of a variable are from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VariableKind {
    /// `label_values(metric, label)`, `query_result(…)` and the like, as Grafana writes them; and the expression that
    /// takes the value out of each, empty for the whole.
    Query {
        /// As Grafana writes it.
        query: String,
        /// A regular expression with a group, or empty.
        #[serde(default)]
        regex: String,
    },
    /// Words, each shown as the first of a pair and used as the second.
    Custom(Vec<(String, String)>),
    /// Lengths of time: `1m`.
    Interval(Vec<String>),
    /// Sources of data: the one in use, always.
    DataSource,
    /// Always this.
    Constant(String),
    /// What a person writes.
    TextBox(String),
}

/// What is chosen for variables, by name.
pub type Chosen = BTreeMap<String, Vec<String>>;

impl Board {
    /// An empty board.
    #[must_use]
    pub fn new(id: BoardId, title: &str) -> Self {
        Self {
            version: BOARD_VERSION,
            id,
            title: title.to_owned(),
            description: String::new(),
            variables: Vec::new(),
            rows: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Every panel with its place: row and number in it.
    pub fn panels(&self) -> impl Iterator<Item = (PanelPlace, &Panel)> {
        self.rows.iter().enumerate().flat_map(|(row, of)| {
            of.panels.iter().enumerate().map(move |(panel, it)| (PanelPlace { row, panel }, it))
        })
    }
}

/// Where a panel is on its board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PanelPlace {
    /// The row's number.
    pub row: usize,
    /// The panel's number in it.
    pub panel: usize,
}

impl Panel {
    /// A panel without queries, a third of the width.
    #[must_use]
    pub fn new(title: &str, kind: PanelKind, unit: Unit) -> Self {
        Self {
            title: title.to_owned(),
            description: String::new(),
            kind,
            width: 8,
            height: 7,
            unit,
            decimals: None,
            min: None,
            max: None,
            is_stacked: false,
            is_log: false,
            thresholds: Vec::new(),
            reduce: Reduce::Last,
            queries: Vec::new(),
            hint: String::new(),
            notes: Vec::new(),
        }
    }

    /// Whether any of its queries is interpolated from buckets.
    #[must_use]
    pub fn is_interpolated(&self) -> bool {
        self.queries.iter().any(|query| query.ask.is_interpolated())
    }
}

impl Ask {
    /// Whether it is interpolated from buckets, and must be marked so wherever it is shown.
    #[must_use]
    pub fn is_interpolated(&self) -> bool {
        match self {
            Self::Measure(measure) => measure.is_interpolated(),
            Self::PromQl(text) => text.contains("histogram_quantile"),
        }
    }
}
