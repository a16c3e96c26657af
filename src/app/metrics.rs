//! Metrics as the app knows them: sources and how they stand, the board on show and what its panels show.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use crate::metrics::promql;
use crate::model::cluster::{Consent, Trouble};
use crate::model::metrics::board::{Chosen, PanelPlace};
use crate::model::metrics::feed::{self, Feed};
use crate::model::metrics::{
    Answer, Board, BoardId, Facts, Grid, MetricsBook, Place, Scope, Source, SourceId, catalogue,
};
use crate::model::{Run, RunId};

use super::clusters::Sources;

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
    /// Runs whose metrics are being read, and how that stands.
    pub keeping: BTreeMap<RunId, Keeping>,
    /// What is kept with runs for as long as the program runs, in the place of what the book says.
    pub passing: Option<Passing>,
    /// The run that goes, where a source is read for it by us.
    pub(super) read_for: Option<RunId>,
    /// Whether sources were asked once.
    pub(super) is_begun: bool,
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
    /// Rounds answered so far. Rounds may be for the same moments.
    pub answered: u64,
    /// What the panels show.
    pub panels: BTreeMap<PanelPlace, PanelState>,
    /// Whether answers are awaited.
    pub is_asking: bool,
    /// Whether it is asked for, now and later.
    pub is_watched: bool,
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
    /// The number of the question: news of older ones is ignored.
    pub number: u64,
}

/// A source and boards that are used and not kept in mind.
#[derive(Clone, Debug, PartialEq)]
pub struct Passing {
    /// The source.
    pub source: Source,
    /// Its boards that are kept with runs.
    pub boards: Vec<Arc<Board>>,
}

/// How it stands with the metrics of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keeping {
    /// The source has not read everything yet; it is asked then.
    Waiting(Timestamp),
    /// It is being asked.
    Asking,
    /// They are kept.
    Kept,
    /// They are not, and why.
    Failed(String),
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
    /// Use this source and these boards for runs, as long as the program runs, with a token or password.
    UsePassing(Box<Passing>, Option<String>),
    /// Read the metrics of a run that is in history, or try again.
    KeepFor(RunId),
    /// Do not wait for the metrics of a run.
    StopKeeping(RunId),
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
    /// The source of the round with this number could not be asked.
    Lost(u64, Trouble),
    /// A person picked files with boards.
    BoardsPicked(Vec<PathBuf>),
    /// A board was read.
    Imported(Box<Board>),
    /// A person picked a place to save a board to.
    BoardPlacePicked(Box<Board>, PathBuf),
    /// What was chosen is on disk.
    BookSaved,
    /// How it stands with the metrics of a run.
    Keeping(RunId, Keeping),
    /// Metrics are kept with a run.
    Kept(Arc<Run>),
}

/// Background work about metrics.
#[derive(Clone, Debug)]
pub enum MetricsJob {
    /// Keep what was chosen.
    Save(Box<MetricsBook>),
    /// Keep a source's secret.
    KeepSecret(SourceId, String),
    /// Use it for as long as the program runs.
    UseSecret(SourceId, String),
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
    /// Begin to read a source that is not read by a server, for a run that begins.
    ReadFor(RunId, Box<Reach>),
    /// Ask for boards over a run that has ended, two scrapes after its end, and keep what they showed with it.
    Keep(Box<Keep>),
    /// Do not wait for the metrics of a run.
    StopKeeping(RunId),
}

/// A source, and what is needed to reach it.
#[derive(Clone, Debug)]
pub struct Reach {
    /// The source.
    pub source: Source,
    /// Where kubeconfigs are.
    pub sources: Sources,
    /// What was agreed to.
    pub consents: Vec<Consent>,
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
    /// How far the source's clock is ahead of ours, where it said so, in milliseconds.
    pub clock_ahead_ms: Option<i64>,
}

/// What is to be kept with a run.
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
    /// The run.
    pub run: RunId,
}

impl Metrics {
    /// A source that is kept in mind, or used for as long as the program runs.
    #[must_use]
    pub fn known_source(&self, id: SourceId) -> Option<&Source> {
        let passing = self.passing.iter().map(|passing| &passing.source);
        self.book.sources.iter().chain(passing).find(|source| source.id == id)
    }

    /// A ready board as its scope makes it, one of a person's own, or one that is used for as long as the program runs.
    #[must_use]
    pub fn board(&self, id: &BoardId) -> Option<Arc<Board>> {
        let passing = self.passing.iter().flat_map(|passing| &passing.boards);
        if let Some(board) = passing.into_iter().find(|board| board.id == *id) {
            return Some(Arc::clone(board));
        }
        let own = self.book.boards.iter().find(|board| board.id == *id).cloned();
        own.or_else(|| catalogue::ready(id, None, &self.view.scope)).map(Arc::new)
    }

    /// The board on show: the chosen one, or else the first that the source feeds.
    #[must_use]
    pub fn board_on_show(&self) -> Option<Arc<Board>> {
        if let Some(board) = self.passing.as_ref().and_then(|passing| passing.boards.first()) {
            return Some(Arc::clone(board));
        }
        let chosen = self.book.board.as_ref().and_then(|id| self.board(id));
        chosen.or_else(|| self.best_fed())
    }

    /// The ready board of which the source feeds the largest share; none while its metrics are not known, or if it feeds
    /// none. Metrics of any process are on several boards.
    fn best_fed(&self) -> Option<Arc<Board>> {
        let best = self.offers().into_iter().find(|offer| !offer.is_own)?;
        (best.share()? > 0.0).then_some(best.board)
    }

    /// Key and title of every board: ready ones, then a person's own.
    #[must_use]
    pub fn boards(&self) -> Vec<(BoardId, String)> {
        let title =
            |id: &'static str| (BoardId(id.to_owned()), catalogue::title(id).unwrap_or(id).to_owned());
        let ready = catalogue::ids().into_iter().map(title);
        let own = self.book.boards.iter().map(|board| (board.id.clone(), board.title.clone()));
        ready.chain(own).collect()
    }
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
    /// The source on show: one that is used for as long as the program runs comes first.
    #[must_use]
    pub fn source(&self) -> Option<&Source> {
        let passing = self.passing.as_ref().map(|passing| &passing.source);
        passing.or_else(|| self.known_source(self.book.source?))
    }

    /// How the source on show stands.
    #[must_use]
    pub fn standing(&self) -> Option<&Standing> {
        self.stands.get(&self.source()?.id)
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
        let own = |id: &BoardId| self.own(id).is_some();
        let offer = |(id, _): (BoardId, String)| {
            let (is_own, board) = (own(&id), self.board(&id)?);
            let fed = names.map(|names| feed::fed(&board, names));
            Some(Offer { board, is_own, fed })
        };
        let mut offers: Vec<Offer> = self.boards().into_iter().filter_map(offer).collect();
        let group = |offer: &Offer| match (offer.is_own, offer.is_fed()) {
            (false, true) => 0,
            (true, _) => 1,
            (false, false) => 2,
        };
        // Of ready ones the best fed first; a person's own stay as they were put.
        let share = |offer: &Offer| if offer.is_own { 0.0 } else { offer.share().unwrap_or(0.0) };
        offers.sort_by(|one, other| group(one).cmp(&group(other)).then(share(other).total_cmp(&share(one))));
        offers
    }

    /// Whether the board is of a person's own, and can be changed.
    #[must_use]
    pub fn own(&self, id: &BoardId) -> Option<&Board> {
        self.book.boards.iter().find(|board| board.id == *id)
    }
}

impl Offer {
    /// Which share of its panels the source feeds; none while its metrics are not known.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        let fed = self.fed.as_ref().filter(|fed| fed.panels > 0)?;
        Some(fed.fed() as f64 / fed.panels as f64)
    }

    /// What panels that stay empty say about how to fill them.
    #[must_use]
    pub fn hints(&self) -> BTreeSet<&str> {
        let missing = self.fed.iter().flat_map(|fed| fed.missing.keys());
        let panel = |place: &PanelPlace| self.board.rows.get(place.row)?.panels.get(place.panel);
        missing.filter_map(panel).map(|panel| panel.hint.as_str()).filter(|hint| !hint.is_empty()).collect()
    }

    /// Whether the source fills more than half of its panels, or nobody knows: what all meshes have in common (the
    /// processors and memory of pods) fills a few panels of every board.
    #[must_use]
    pub fn is_fed(&self) -> bool {
        self.fed.as_ref().is_none_or(|fed| 2 * fed.fed() > fed.panels || fed.panels == 0)
    }
}

/// Whether a text is PromQL; the first thing that is wrong with it otherwise.
///
/// # Errors
///
/// In a sentence, with the place where it can be known.
pub fn check_promql(text: &str) -> Result<(), String> {
    promql::check(text).map_err(|mistake| match mistake.at {
        Some(at) => format!("{} (character {})", mistake.words, characters(text, at) + 1),
        None => mistake.words,
    })
}

/// How a query may go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// The characters of the query that a word takes the place of.
    pub replaces: std::ops::Range<usize>,
    /// The words, best first, at most [`COMPLETIONS_MAX`].
    pub words: Vec<String>,
}

/// What may stand at the cursor, which is a number of characters.
#[must_use]
pub fn complete(text: &str, cursor: usize, facts: &Facts, variables: &[String]) -> Completion {
    let at = text.char_indices().nth(cursor).map_or(text.len(), |(at, _)| at);
    let known = promql::Known { names: &facts.names, labels: &facts.labels, variables };
    let mut found = promql::complete(text, at, known);
    found.words.retain(|word| text.get(found.replaces.clone()) != Some(word.as_str()));
    found.words.truncate(COMPLETIONS_MAX);
    let std::ops::Range { start, end } = found.replaces;
    Completion { replaces: characters(text, start)..characters(text, end), words: found.words }
}

/// How many characters are before a byte.
fn characters(text: &str, at: usize) -> usize {
    text.char_indices().take_while(|(byte, _)| *byte < at).count()
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
        let labels = Arc::new(vec!["pod".to_owned(), "job".to_owned()]);
        let facts = Facts { names: Arc::new(names), labels, ..Facts::default() };
        let words = |text: &str, cursor| complete(text, cursor, &facts, &[]);
        let found = words("sum(up", 6);
        assert_eq!((found.replaces, found.words.first().map(String::as_str)), (4..6, Some("upper")));
        assert!(!found.words.contains(&"up".to_owned()), "it is there already");
        assert_eq!(words("“ü” + upp", 9).replaces, 6..9, "characters, not bytes");
        assert!(words("sum(dow) + up", 7).words.contains(&"down".to_owned()));
        assert!(words("up{po", 5).words.contains(&"pod".to_owned()));
    }
}
