//! Metrics as the app knows them: sources and how they stand, the board on show and what its panels show.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use crate::model::RunId;
use crate::model::cluster::{ContextKey, Trouble};
use crate::model::metrics::board::{Chosen, PanelPlace};
use crate::model::metrics::feed::{self, Feed};
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

/// The most words that a completion offers.
pub const COMPLETIONS_MAX: usize = 12;
/// Answers are old when so many refreshes went by without a new one.
pub const STALE_AFTER_REFRESHES: u64 = 3;

/// The board of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// The board.
    pub board: Arc<Board>,
    /// Whether a person made or imported it.
    pub is_own: bool,
    /// How much of it the source on show feeds; none while its metrics are not known.
    pub fed: Option<Feed>,
}

impl Metrics {
    /// The source on show.
    #[must_use]
    pub fn source(&self) -> Option<&Source> {
        let chosen = self.book.source?;
        self.book.sources.iter().find(|source| source.id == chosen)
    }

    /// How the source on show stands.
    #[must_use]
    pub fn standing(&self) -> Option<&Standing> {
        self.stands.get(&self.book.source?)
    }

    /// What the source on show said of itself.
    #[must_use]
    pub fn facts(&self) -> Option<&Arc<Facts>> {
        self.standing()?.facts.as_ref()
    }

    /// Every board in the order in which it is offered: ready ones that the source on show feeds, own ones, the others.
    #[must_use]
    pub fn offers(&self) -> Vec<Offer> {
        let names = self.facts().map(|facts| &facts.names).filter(|names| !names.is_empty());
        let offer = |board: Arc<Board>, is_own| {
            let fed = names.map(|names| feed::fed(&board, names));
            Offer { board, is_own, fed }
        };
        let mut offers: Vec<Offer> = ready(&self.view.scope).into_iter().map(|it| offer(it, false)).collect();
        offers.extend(self.book.boards.iter().map(|board| offer(Arc::new(board.clone()), true)));
        offers.sort_by_key(|offer| match (offer.is_own, offer.is_fed()) {
            (false, true) => 0,
            (true, _) => 1,
            (false, false) => 2,
        });
        offers
    }

    /// Whether the board is of a person's own, and can be changed.
    #[must_use]
    pub fn own(&self, id: &BoardId) -> Option<&Board> {
        self.book.boards.iter().find(|board| board.id == *id)
    }

    /// How much of the board on show is fed.
    #[must_use]
    pub fn fed(&self) -> Option<Feed> {
        let names = self.facts().map(|facts| &facts.names).filter(|names| !names.is_empty())?;
        Some(feed::fed(&self.shown.as_ref()?.board, names))
    }
}

/// The boards that come with Meshbench, as this scope makes them.
fn ready(_scope: &Scope) -> Vec<Arc<Board>> {
    Vec::new()
}

impl Offer {
    /// What panels that stay empty say about how to fill them.
    #[must_use]
    pub fn hints(&self) -> BTreeSet<&str> {
        let missing = self.fed.iter().flat_map(|fed| fed.missing.keys());
        let panel = |place: &PanelPlace| self.board.rows.get(place.row)?.panels.get(place.panel);
        missing.filter_map(panel).map(|panel| panel.hint.as_str()).filter(|hint| !hint.is_empty()).collect()
    }

    /// Whether the source fills any of its panels, or nobody knows.
    #[must_use]
    pub fn is_fed(&self) -> bool {
        self.fed.as_ref().is_none_or(|fed| fed.fed() > 0 || fed.panels == 0)
    }
}

/// Whether a text is PromQL; the first thing that is wrong with it otherwise.
///
/// # Errors
///
/// In a sentence, with the place where it can be known.
pub fn check_promql(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("Write a query first".to_owned());
    }
    let mut open = Vec::new();
    let mut quote = None;
    for (at, sign) in text.chars().enumerate() {
        match (quote, sign) {
            (Some(mark), _) if mark == sign => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(sign),
            (None, '(' | '[' | '{') => open.push(sign),
            (None, ')' | ']' | '}') => {
                let wanted = match sign {
                    ')' => '(',
                    ']' => '[',
                    _ => '{',
                };
                if open.pop() != Some(wanted) {
                    return Err(format!("“{sign}” at character {} closes nothing", at + 1));
                }
            }
            _ => {}
        }
    }
    match (quote, open.pop()) {
        (Some(mark), _) => Err(format!("A text that begins with {mark} does not end")),
        (None, Some(sign)) => Err(format!("“{sign}” is not closed")),
        (None, None) => Ok(()),
    }
}

/// What the word before the cursor (in characters) may become.
#[must_use]
pub fn complete(text: &str, cursor: usize, facts: &Facts) -> Vec<String> {
    let before: String = text.chars().take(cursor).collect();
    let start = before
        .rfind(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'))
        .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    let word = &before[start..];
    if word.is_empty() {
        return Vec::new();
    }
    let begins = facts.names.range(word.to_owned()..).take_while(|name| name.starts_with(word));
    begins.filter(|name| *name != word).take(COMPLETIONS_MAX).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_closed_is_told() {
        assert_eq!(check_promql("sum(rate(a[1m]))"), Ok(()));
        for text in ["", "sum(", "a)", "a{b=\"c}", "rate(a[1m)"] {
            assert!(check_promql(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_word_is_completed_from_the_names_that_there_are() {
        let names: BTreeSet<String> = ["up", "upper", "down"].map(str::to_owned).into();
        let facts = Facts { names: Arc::new(names), ..Facts::default() };
        assert_eq!(complete("sum(up", 6, &facts), ["upper"]);
        assert_eq!(complete("sum(d) + up", 5, &facts), ["down"]);
        assert!(complete("sum(", 4, &facts).is_empty());
    }
}
