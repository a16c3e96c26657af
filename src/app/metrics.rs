//! Metrics as the app knows them: sources and how they stand, the board on show and what its panels show.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::model::RunId;
use crate::model::cluster::{ContextKey, Trouble};
use crate::model::metrics::board::{Chosen, PanelPlace};
use crate::model::metrics::{
    Answer, Board, BoardId, Facts, Grid, MetricsBook, Place, RunMetrics, Scope, Source, SourceId,
};

use super::clusters::Sources;
use crate::model::cluster::Consent;

/// The ranges that are offered, in seconds.
pub const RANGES_S: [u64; 9] = [300, 900, 1800, 3600, 10_800, 21_600, 86_400, 172_800, 604_800];
/// The refreshes that are offered, in seconds.
pub const REFRESHES_S: [u64; 6] = [1, 5, 10, 30, 60, 300];

/// Everything about metrics that the faces draw.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    /// Sources, boards of a person's own, and what is chosen.
    pub book: MetricsBook,
    /// How each source stands.
    pub stands: BTreeMap<SourceId, Standing>,
    /// Sources that were seen in connected clusters and are not added.
    pub found: Vec<Found>,
    /// Which time is on show, and of what.
    pub view: View,
    /// What the board on show can be asked for, by the name of its variable; those without an entry are being asked.
    pub values: BTreeMap<String, Result<Vec<String>, String>>,
    /// The board on show with the moments it was asked for last.
    pub shown: Option<Shown>,
    /// What a source was last removed, and can be brought back.
    pub removed: Option<Removed>,
    /// A board that was imported last: the page shows it and its notes.
    pub imported: Option<BoardId>,
    /// Grows with each question: news of older ones is ignored.
    pub number: u64,
    /// Grows with each change of what panels show, so that faces may cache what they derive.
    pub revision: u64,
}

/// A board on show.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The source that is asked.
    pub source: SourceId,
    /// The board, a ready one as its scope makes it.
    pub board: Arc<Board>,
    /// The moments that were asked for last; none until the first answer.
    pub grid: Option<Grid>,
    /// What the panels show.
    pub panels: BTreeMap<PanelPlace, PanelState>,
    /// Whether answers are awaited.
    pub is_asking: bool,
}

/// What a panel shows.
#[derive(Clone, Debug, Default)]
pub struct PanelState {
    /// An answer for each of its queries, in their order, or why there is none; none until the first.
    pub answers: Option<Arc<Vec<Result<Answer, String>>>>,
    /// The moments that these are for.
    pub grid: Option<Grid>,
}

/// How a source stands.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    /// Whether it is being asked.
    pub is_asking: bool,
    /// What it said when it last answered.
    pub facts: Option<Arc<Facts>>,
    /// Why it did not answer the last time.
    pub trouble: Option<Trouble>,
    /// That its secret is only kept until Meshbench closes, and why.
    pub passing_secret: Option<String>,
}

/// A source that was seen in a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it seems to be.
    pub is_grafana: bool,
    /// Where it is.
    pub place: Place,
}

/// What was removed last.
#[derive(Clone, Debug, PartialEq)]
pub enum Removed {
    /// A source and its place in the list.
    Source(usize, Box<Source>),
    /// A board and its place in the list.
    Board(usize, Box<Board>),
}

/// Which time is on show, and of what.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// Which time.
    pub range: Range,
    /// Between two questions, in seconds; none to ask once.
    pub refresh_s: Option<u64>,
    /// What ready boards look at.
    pub scope: Scope,
    /// What is chosen for variables.
    pub chosen: Chosen,
}

/// A time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// The last so many seconds.
    Last(u64),
    /// Between two moments, in milliseconds since 1970.
    Between(i64, i64),
}

impl Default for View {
    fn default() -> Self {
        Self {
            range: Range::Last(900),
            refresh_s: Some(10),
            scope: Scope::default(),
            chosen: Chosen::default(),
        }
    }
}

/// What a person or script wants of metrics.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricsCommand {
    /// Keep a source, new or changed, with its token or password where one was written; and look at it.
    PutSource(Box<Source>, Option<String>),
    /// Forget a source and its secret.
    RemoveSource(SourceId),
    /// Look at a source again.
    Check(SourceId),
    /// Make a source the one on show.
    ChooseSource(SourceId),
    /// Make a board the one on show.
    ChooseBoard(BoardId),
    /// Show another time, another scope, or other values.
    Look(View),
    /// Ask now.
    Refresh,
    /// Keep a board, new or changed.
    PutBoard(Box<Board>),
    /// Forget a board.
    RemoveBoard(BoardId),
    /// Put a board at this place of the list.
    MoveBoard(BoardId, usize),
    /// Bring back what was removed last.
    UndoRemove,
    /// Ask with the native dialog for a board's file, then read it.
    PickBoard,
    /// Read boards from files: our own format, or Grafana's.
    ImportBoards(Vec<PathBuf>),
    /// Read a board, by its uid, from the Grafana on show.
    ImportFromGrafana(String),
    /// Ask with the native dialog where to save a board.
    ExportBoard(BoardId),
    /// Write a board to this file.
    ExportBoardTo(BoardId, PathBuf),
    /// Keep these boards with each run from now on; none for no metrics.
    KeepWithRuns(Vec<BoardId>),
}

/// News about metrics.
#[derive(Clone, Debug)]
pub enum MetricsNews {
    /// What a source said of itself, or why it did not answer.
    Stands(SourceId, u64, Result<Arc<Facts>, Trouble>),
    /// Whether a source's secret is kept, and why not.
    Secret(SourceId, Option<String>),
    /// A round of questions with this number begins.
    Asking(u64),
    /// What a variable may be.
    Values(u64, String, Result<Vec<String>, String>),
    /// What a panel shows, and for which moments.
    Panel(u64, PanelPlace, Grid, Arc<Vec<Result<Answer, String>>>),
    /// The round with this number is over.
    Asked(u64, Grid),
    /// A person picked files with boards.
    BoardsPicked(Vec<PathBuf>),
    /// A board was read.
    Imported(Box<Board>),
    /// A person picked a place to save a board to.
    BoardPlacePicked(Box<Board>, PathBuf),
    /// What was chosen is on disk.
    BookSaved,
    /// Metrics are kept with a run.
    Kept(Arc<RunMetrics>),
    /// They are not, and why.
    NotKept(RunId, String),
}

/// Background work about metrics.
#[derive(Clone, Debug)]
pub enum MetricsJob {
    /// Keep what was chosen.
    Save(Box<MetricsBook>),
    /// Keep a source's secret.
    KeepSecret(SourceId, String),
    /// Forget it.
    ForgetSecret(SourceId),
    /// Ask a source what it is.
    Check(Box<Reach>, u64),
    /// Ask for the panels of a board, again and again where the view says so. Replaces what was asked before it.
    Watch(Box<Watch>),
    /// Ask no more.
    Stop,
    /// Ask for a board's file.
    PickBoard,
    /// Read boards.
    ReadBoards(Vec<PathBuf>),
    /// Read a board from a Grafana.
    FetchBoard(Box<Reach>, String),
    /// Ask where to save a board.
    PickBoardPlace(Box<Board>),
    /// Write a board.
    WriteBoard(Box<Board>, PathBuf),
    /// Ask for boards over a run that has ended, two scrapes after its end, and keep what they showed with it.
    Keep(Box<Keep>),
}

/// A source, and what is needed to reach it.
#[derive(Clone, Debug)]
pub struct Reach {
    /// The source.
    pub source: Source,
    /// Where kubeconfigs are.
    pub sources: Sources,
    /// What was agreed to, by context.
    pub consents: BTreeMap<ContextKey, Vec<Consent>>,
}

/// What is asked for a board.
#[derive(Clone, Debug)]
pub struct Watch {
    /// The number of the question.
    pub number: u64,
    /// Of whom.
    pub reach: Reach,
    /// The board.
    pub board: Arc<Board>,
    /// Which time, and of what.
    pub view: View,
    /// How often the source reads what it watches, where it said so.
    pub scrape_ms: Option<u64>,
}

/// What is kept with a run.
#[derive(Clone, Debug)]
pub struct Keep {
    /// Of whom.
    pub reach: Reach,
    /// The boards.
    pub boards: Vec<Arc<Board>>,
    /// What ready boards look at.
    pub scope: Scope,
    /// What is chosen for variables.
    pub chosen: Chosen,
    /// How often the source reads what it watches, where it said so.
    pub scrape_ms: Option<u64>,
    /// The run.
    pub run: RunId,
    /// When it began to count, in milliseconds since 1970.
    pub from_ms: i64,
    /// When it ended.
    pub to_ms: i64,
    /// Requests that were answered meanwhile.
    pub requests: u64,
}
