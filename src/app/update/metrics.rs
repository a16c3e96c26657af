//! Sources of metrics, boards, and what is kept of them with runs.

use std::sync::Arc;

use crate::app::command::Page;
use crate::app::job::Job;
use crate::app::metrics::{
    Found, Keep, Keeping, MetricsCommand, MetricsJob, MetricsNews, PanelState, Passing, Reach, Removed,
    Shown, View, Watch,
};
use crate::app::mirroring::MirrorJob;
use crate::app::state::{NoticeAction, State, StoreState};
use crate::model::cluster::Trouble;
use crate::model::metrics::board::PanelPlace;
use crate::model::metrics::find::{Kind, find};
use crate::model::metrics::kept::KEPT_BOARDS_MAX;
use crate::model::metrics::source::{BOARDS_MAX, SOURCES_MAX};
use crate::model::metrics::{
    Answer, Board, BoardId, Facts, Grid, MetricsBook, Place, Source, SourceId, SourceKind,
};
use crate::model::{Run, RunId};

/// The longest name of a source or title of a board, in characters.
const NAME_CHARS_MAX: usize = 120;

impl State {
    pub(super) fn metrics_command(&mut self, command: MetricsCommand) -> Vec<Job> {
        match command {
            MetricsCommand::PutSource(source, secret) => self.put_source(*source, secret),
            MetricsCommand::RemoveSource(id) => self.remove_source(id),
            MetricsCommand::Check(id) => self.check_source(id),
            MetricsCommand::ChooseSource(id) => self.choose_source(id),
            MetricsCommand::ChooseBoard(id) => self.choose_board(id),
            MetricsCommand::Look(view) => self.look(view),
            MetricsCommand::Refresh => self.watch_metrics(),
            MetricsCommand::PutBoard(board) => self.put_board(*board),
            MetricsCommand::RemoveBoard(id) => self.remove_board(&id),
            MetricsCommand::MoveBoard(id, place) => self.move_board(&id, place),
            MetricsCommand::UndoRemove => self.undo_remove_metrics(),
            MetricsCommand::PickBoard => job(MetricsJob::PickBoard),
            MetricsCommand::ImportBoards(paths) => job(MetricsJob::ReadBoards(paths)),
            MetricsCommand::ImportFromGrafana(uid) => self.import_from_grafana(uid),
            MetricsCommand::ExportBoard(id) => {
                self.with_board(&id, |board| MetricsJob::PickBoardPlace(Box::new(board)))
            }
            MetricsCommand::ExportBoardTo(id, path) => {
                self.with_board(&id, |board| MetricsJob::WriteBoard(Box::new(board), path))
            }
            MetricsCommand::KeepWithRuns(ids) => self.keep_with_runs(ids),
            MetricsCommand::UsePassing(passing, secret) => self.use_passing(*passing, secret),
            MetricsCommand::KeepFor(id) => self.keep_metrics_of(id),
            MetricsCommand::StopKeeping(id) => {
                self.metrics.keeping.remove(&id);
                job(MetricsJob::StopKeeping(id))
            }
        }
    }

    pub(super) fn metrics_news(&mut self, news: MetricsNews) -> Vec<Job> {
        match news {
            MetricsNews::Stands(id, number, told) => self.source_stands(id, number, told),
            MetricsNews::Secret(id, reason) => {
                if let Some(standing) = self.metrics.stands.get_mut(&id) {
                    standing.passing_secret = reason;
                }
                Vec::new()
            }
            MetricsNews::Asking(number) => self.round(number, |shown| shown.is_asking = true),
            MetricsNews::Values(number, name, values) => {
                if number == self.metrics.number {
                    self.metrics.values.insert(name, values);
                    self.metrics.revision += 1;
                }
                Vec::new()
            }
            MetricsNews::Panel(number, place, grid, answers) => {
                self.panel_shows(number, place, grid, answers)
            }
            MetricsNews::Asked(number, grid) => self.round(number, |shown| {
                shown.is_asking = false;
                shown.grid = Some(grid);
                shown.answered += 1;
            }),
            MetricsNews::Lost(number, trouble) => self.source_lost(number, trouble),
            MetricsNews::BoardsPicked(paths) => job(MetricsJob::ReadBoards(paths)),
            MetricsNews::Imported(board) => self.board_imported(*board),
            MetricsNews::BoardPlacePicked(board, path) => job(MetricsJob::WriteBoard(board, path)),
            MetricsNews::BookSaved => Vec::new(),
            MetricsNews::Keeping(id, keeping) => self.metrics_keeping(id, keeping),
            MetricsNews::Kept(run) => self.metrics_kept(run),
        }
    }

    /// The store told which sources and boards there are.
    pub(super) fn metrics_opened(&mut self, book: MetricsBook) -> Vec<Job> {
        self.metrics.book = book;
        self.metrics_shown()
    }

    /// Asks while the page is looked at, and no longer.
    pub(super) fn metrics_shown(&mut self) -> Vec<Job> {
        let is_seen = self.page == Page::Metrics && !self.is_hidden && self.store != StoreState::Opening;
        if !is_seen {
            let was_asked = self.metrics.shown.as_ref().is_some_and(|shown| shown.is_watched);
            if let Some(shown) = &mut self.metrics.shown {
                (shown.is_watched, shown.is_asking) = (false, false);
            }
            return if was_asked { job(MetricsJob::Stop) } else { Vec::new() };
        }
        let mut jobs = Vec::new();
        if !std::mem::replace(&mut self.metrics.is_begun, true) {
            let ids: Vec<SourceId> = self.metrics.book.sources.iter().map(|source| source.id).collect();
            jobs.extend(ids.into_iter().flat_map(|id| self.check_source(id)));
        }
        if !self.metrics.shown.as_ref().is_some_and(|shown| shown.is_watched) {
            jobs.extend(self.watch_metrics());
        }
        jobs
    }

    fn keep_metrics_book(&self) -> Job {
        Job::Metrics(MetricsJob::Save(Box::new(self.metrics.book.clone())))
    }

    fn reach(&self, source: &Source) -> Reach {
        let consents = self.clusters.book.consents.clone();
        Reach { source: source.clone(), sources: self.clusters.sources(), consents }
    }

    fn put_source(&mut self, mut source: Source, secret: Option<String>) -> Vec<Job> {
        source.name = source.name.trim().chars().take(NAME_CHARS_MAX).collect();
        if let Err(reason) = source.check() {
            return self.failed("The source was not kept".to_owned(), reason);
        }
        let id = source.id;
        let sources = &mut self.metrics.book.sources;
        match sources.iter().position(|kept| kept.id == id) {
            Some(place) => sources[place] = source,
            None if sources.len() >= SOURCES_MAX => {
                let reason = format!("At most {SOURCES_MAX} sources are kept; remove one first");
                return self.failed("The source was not kept".to_owned(), reason);
            }
            None => sources.push(source),
        }
        self.metrics.book.source = Some(id);
        self.metrics.stands.remove(&id);
        self.find_metrics();
        let mut jobs = Vec::new();
        // Before anything is asked with it.
        jobs.extend(secret.map(|secret| Job::Metrics(MetricsJob::KeepSecret(id, secret))));
        jobs.push(self.keep_metrics_book());
        jobs.extend(self.check_source(id));
        jobs.extend(self.watch_metrics());
        jobs
    }

    fn remove_source(&mut self, id: SourceId) -> Vec<Job> {
        let book = &mut self.metrics.book;
        let Some(place) = book.sources.iter().position(|source| source.id == id) else { return Vec::new() };
        let source = book.sources.remove(place);
        if book.source == Some(id) {
            book.source = book.sources.first().map(|source| source.id);
        }
        self.metrics.stands.remove(&id);
        self.find_metrics();
        let title = format!("Removed the source “{}”", source.name);
        let forgotten = self.offer_undo(Removed::Source(place, Box::new(source)), title);
        let mut jobs = forgotten;
        jobs.push(self.keep_metrics_book());
        jobs.extend(self.watch_metrics());
        jobs
    }

    /// What was removed before can be brought back no more, and its secret is forgotten.
    fn offer_undo(&mut self, removed: Removed, title: String) -> Vec<Job> {
        self.notices.retain(|notice| notice.action != Some(NoticeAction::UndoRemoveMetrics));
        let forgotten = self.forget_removed();
        self.metrics.removed = Some(removed);
        self.inform(title, Some(NoticeAction::UndoRemoveMetrics));
        forgotten
    }

    /// Forgets the secret of a source that can be brought back no more.
    pub(super) fn forget_removed(&mut self) -> Vec<Job> {
        match self.metrics.removed.take() {
            Some(Removed::Source(_, source)) => job(MetricsJob::ForgetSecret(source.id)),
            _ => Vec::new(),
        }
    }

    fn undo_remove_metrics(&mut self) -> Vec<Job> {
        self.notices.retain(|notice| notice.action != Some(NoticeAction::UndoRemoveMetrics));
        let book = &mut self.metrics.book;
        match self.metrics.removed.take() {
            Some(Removed::Source(place, source)) => {
                let id = source.id;
                book.sources.insert(place.min(book.sources.len()), *source);
                self.find_metrics();
                let mut jobs = vec![self.keep_metrics_book()];
                jobs.extend(self.check_source(id));
                jobs.extend(self.watch_metrics());
                jobs
            }
            Some(Removed::Board(place, board)) => {
                book.boards.insert(place.min(book.boards.len()), *board);
                vec![self.keep_metrics_book()]
            }
            None => Vec::new(),
        }
    }

    /// Looks for sources in what was seen of connected clusters.
    pub(super) fn find_metrics(&mut self) {
        let links = self.clusters.links.iter();
        let seen = links.filter_map(|(key, link)| Some((key, link.seen.as_ref()?)));
        let places = seen.flat_map(|(key, seen)| find(key, seen));
        let known = &self.metrics.book.sources;
        let is_known = |place: &Place| known.iter().any(|source| source.kind.places().contains(&place));
        self.metrics.found = places
            .filter(|(_, place)| !is_known(place))
            .map(|(kind, place)| Found { is_grafana: kind == Kind::Grafana, place })
            .collect();
    }

    fn check_source(&mut self, id: SourceId) -> Vec<Job> {
        let Some(source) = self.metrics.known_source(id).cloned() else { return Vec::new() };
        let number = self.number();
        let standing = self.metrics.stands.entry(id).or_default();
        (standing.is_asking, standing.number) = (true, number);
        job(MetricsJob::Check(Box::new(self.reach(&source)), number))
    }

    fn source_stands(&mut self, id: SourceId, number: u64, told: Result<Arc<Facts>, Trouble>) -> Vec<Job> {
        let Some(standing) = self.metrics.stands.get_mut(&id).filter(|it| it.number == number) else {
            return Vec::new();
        };
        standing.is_asking = false;
        let is_first = standing.facts.is_none() && told.is_ok();
        match told {
            Ok(facts) => (standing.facts, standing.trouble) = (Some(facts), None),
            Err(trouble) => standing.trouble = Some(trouble),
        }
        self.metrics.revision += 1;
        let is_shown = self.metrics.shown.as_ref().is_some_and(|shown| shown.source == id);
        let is_chosen = self.metrics.source().is_some_and(|source| source.id == id);
        // What is asked already knows neither how often the source reads nor its clock.
        if is_chosen && (!is_shown || is_first) { self.watch_metrics() } else { Vec::new() }
    }

    fn choose_source(&mut self, id: SourceId) -> Vec<Job> {
        if self.metrics.known_source(id).is_none() {
            return Vec::new();
        }
        self.metrics.book.source = Some(id);
        let mut jobs = vec![self.keep_metrics_book()];
        if !self.metrics.stands.contains_key(&id) {
            jobs.extend(self.check_source(id));
        }
        jobs.extend(self.watch_metrics());
        jobs
    }

    fn choose_board(&mut self, id: BoardId) -> Vec<Job> {
        self.metrics.book.board = Some(id);
        self.metrics.view.chosen.clear();
        let mut jobs = vec![self.keep_metrics_book()];
        jobs.extend(self.watch_metrics());
        jobs
    }

    fn look(&mut self, view: View) -> Vec<Job> {
        if self.metrics.view == view {
            return Vec::new();
        }
        self.metrics.view = view;
        self.watch_metrics()
    }

    /// Asks for the board on show, from now on.
    fn watch_metrics(&mut self) -> Vec<Job> {
        if self.page != Page::Metrics || self.is_hidden {
            return Vec::new();
        }
        let chosen = self.metrics.source().cloned();
        let (Some(source), Some(board)) = (chosen, self.metrics.board_on_show()) else {
            self.metrics.shown = None;
            return job(MetricsJob::Stop);
        };
        let standing = self.metrics.stands.get(&source.id);
        let facts = standing.and_then(|standing| standing.facts.as_deref());
        let scrape_ms = facts.and_then(|facts| facts.scrape_ms);
        let clock_ahead_ms = facts.and_then(|facts| facts.clock_ahead_ms);
        self.metrics.number = self.number();
        // What another board or source showed is not this one's.
        let before = self.metrics.shown.take();
        let answered = before.as_ref().map_or(0, |shown| shown.answered);
        let same = before.filter(|shown| shown.source == source.id && shown.board.id == board.id);
        let is_same = same.as_ref().is_some_and(|shown| shown.board == board);
        let panels = same.map(|shown| shown.panels).filter(|_| is_same).unwrap_or_default();
        if !is_same {
            self.metrics.values.clear();
        }
        self.metrics.shown = Some(Shown {
            source: source.id,
            board: Arc::clone(&board),
            grid: None,
            answered,
            panels,
            is_asking: true,
            is_watched: true,
        });
        self.metrics.revision += 1;
        let (number, view) = (self.metrics.number, self.metrics.view.clone());
        let reach = self.reach(&source);
        let watch = Watch { number, reach, board, view, scrape_ms, clock_ahead_ms };
        job(MetricsJob::Watch(Box::new(watch)))
    }

    fn round(&mut self, number: u64, with: impl FnOnce(&mut Shown)) -> Vec<Job> {
        if number == self.metrics.number
            && let Some(shown) = &mut self.metrics.shown
        {
            with(shown);
        }
        Vec::new()
    }

    fn source_lost(&mut self, number: u64, trouble: Trouble) -> Vec<Job> {
        if let Some(shown) = self.metrics.shown.as_mut().filter(|_| number == self.metrics.number) {
            shown.is_asking = false;
            self.metrics.stands.entry(shown.source).or_default().trouble = Some(trouble);
            self.metrics.revision += 1;
        }
        Vec::new()
    }

    fn panel_shows(
        &mut self,
        number: u64,
        place: PanelPlace,
        grid: Grid,
        answers: Arc<Vec<Result<Answer, String>>>,
    ) -> Vec<Job> {
        self.metrics.revision += 1;
        let is_answered = answers.iter().any(Result::is_ok);
        if let Some(shown) =
            self.metrics.shown.as_ref().filter(|_| is_answered && number == self.metrics.number)
            && let Some(standing) = self.metrics.stands.get_mut(&shown.source)
        {
            standing.trouble = None;
        }
        self.round(number, |shown| {
            shown.panels.insert(place, PanelState { answers: Some(answers), grid: Some(grid) });
        })
    }

    fn put_board(&mut self, mut board: Board) -> Vec<Job> {
        board.title = board.title.trim().chars().take(NAME_CHARS_MAX).collect();
        if board.title.is_empty() {
            return self.failed("The board was not kept".to_owned(), "A board needs a title".to_owned());
        }
        let id = board.id.clone();
        let boards = &mut self.metrics.book.boards;
        match boards.iter().position(|kept| kept.id == id) {
            Some(place) => boards[place] = board,
            None if boards.len() >= BOARDS_MAX => {
                let reason = format!("At most {BOARDS_MAX} boards are kept; remove one first");
                return self.failed("The board was not kept".to_owned(), reason);
            }
            None => boards.push(board),
        }
        self.metrics.book.board = Some(id);
        let mut jobs = vec![self.keep_metrics_book()];
        jobs.extend(self.watch_metrics());
        jobs
    }

    fn remove_board(&mut self, id: &BoardId) -> Vec<Job> {
        let book = &mut self.metrics.book;
        let Some(place) = book.boards.iter().position(|board| board.id == *id) else { return Vec::new() };
        let board = book.boards.remove(place);
        book.with_runs.retain(|kept| kept != id);
        if book.board.as_ref() == Some(id) {
            book.board = None;
        }
        let title = format!("Removed the board “{}”", board.title);
        let mut jobs = self.offer_undo(Removed::Board(place, Box::new(board)), title);
        jobs.push(self.keep_metrics_book());
        jobs.extend(self.watch_metrics());
        jobs
    }

    fn move_board(&mut self, id: &BoardId, place: usize) -> Vec<Job> {
        let boards = &mut self.metrics.book.boards;
        let Some(from) = boards.iter().position(|board| board.id == *id) else { return Vec::new() };
        let board = boards.remove(from);
        boards.insert(place.min(boards.len()), board);
        vec![self.keep_metrics_book()]
    }

    fn with_board(&mut self, id: &BoardId, then: impl FnOnce(Board) -> MetricsJob) -> Vec<Job> {
        match self.metrics.board(id) {
            Some(board) => job(then(Arc::unwrap_or_clone(board))),
            None => self.failed("The board was not saved".to_owned(), "There is no such board".to_owned()),
        }
    }

    fn import_from_grafana(&mut self, uid: String) -> Vec<Job> {
        let chosen = self.metrics.source();
        match chosen.filter(|source| matches!(source.kind, SourceKind::Grafana { .. })) {
            Some(source) => job(MetricsJob::FetchBoard(Box::new(self.reach(source)), uid)),
            None => {
                self.failed("No board was imported".to_owned(), "The source on show is no Grafana".to_owned())
            }
        }
    }

    fn board_imported(&mut self, board: Board) -> Vec<Job> {
        let title = format!("Imported the board “{}”", board.title);
        let id = board.id.clone();
        let jobs = self.put_board(board);
        if self.metrics.board(&id).is_some() {
            self.metrics.imported = Some(id);
            self.inform(title, None);
        }
        jobs
    }

    fn keep_with_runs(&mut self, mut ids: Vec<BoardId>) -> Vec<Job> {
        if ids.len() > KEPT_BOARDS_MAX {
            let detail = format!("At most {KEPT_BOARDS_MAX} boards are kept with a run");
            self.warn("Not all boards are kept".to_owned(), detail);
            ids.truncate(KEPT_BOARDS_MAX);
        }
        self.metrics.book.with_runs = ids;
        vec![self.keep_metrics_book()]
    }

    fn use_passing(&mut self, passing: Passing, secret: Option<String>) -> Vec<Job> {
        if let Err(reason) = passing.source.check() {
            return self.failed("The source of metrics cannot be used".to_owned(), reason);
        }
        let id = passing.source.id;
        self.metrics.passing = Some(passing);
        let mut jobs = Vec::new();
        jobs.extend(secret.map(|secret| Job::Metrics(MetricsJob::UseSecret(id, secret))));
        jobs.extend(self.check_source(id));
        jobs
    }

    /// The source and boards that are kept with runs.
    fn with_runs(&self) -> Option<(Source, Vec<Arc<Board>>)> {
        if let Some(Passing { source, boards }) = &self.metrics.passing {
            return Some((source.clone(), boards.clone()));
        }
        let book = &self.metrics.book;
        let source = book.source.and_then(|id| self.metrics.known_source(id))?;
        let boards: Vec<Arc<Board>> = book.with_runs.iter().filter_map(|id| self.metrics.board(id)).collect();
        (!boards.is_empty()).then(|| (source.clone(), boards))
    }

    /// What nobody else reads is read by us while the run goes.
    pub(super) fn read_metrics_for(&mut self, run: RunId) -> Vec<Job> {
        match self.with_runs() {
            Some((source, _)) if matches!(source.kind, SourceKind::Direct { .. }) => {
                self.metrics.read_for = Some(run);
                job(MetricsJob::ReadFor(run, Box::new(self.reach(&source))))
            }
            _ => Vec::new(),
        }
    }

    /// Reads no more for a run of which nothing is kept.
    pub(super) fn let_go_metrics_of(&mut self, run: RunId) -> Vec<Job> {
        let held = self.metrics.read_for.take_if(|held| *held == run);
        held.map_or_else(Vec::new, |run| job(MetricsJob::StopKeeping(run)))
    }

    /// Reads what is kept of metrics with a run of history.
    pub(super) fn keep_metrics_of(&mut self, run: RunId) -> Vec<Job> {
        let Some((source, boards)) = self.with_runs() else { return Vec::new() };
        if self.only_in_memory.contains(&run) {
            let reason = "The run itself is not on disk".to_owned();
            return self.metrics_keeping(run, Keeping::Failed(reason));
        }
        self.metrics.keeping.insert(run, Keeping::Asking);
        let View { scope, chosen, .. } = self.metrics.view.clone();
        let keep = Keep { reach: self.reach(&source), boards, scope, chosen, run };
        job(MetricsJob::Keep(Box::new(keep)))
    }

    fn metrics_keeping(&mut self, run: RunId, keeping: Keeping) -> Vec<Job> {
        // What a person does not wait for is told no more.
        if matches!(keeping, Keeping::Waiting(_) | Keeping::Asking)
            && !self.metrics.keeping.contains_key(&run)
        {
            return Vec::new();
        }
        if let Keeping::Failed(reason) = &keeping {
            self.warn("No metrics are kept with the run".to_owned(), reason.clone());
        }
        self.metrics.keeping.insert(run, keeping);
        Vec::new()
    }

    fn metrics_kept(&mut self, run: Arc<Run>) -> Vec<Job> {
        self.metrics.keeping.insert(run.id, Keeping::Kept);
        let mut jobs = Vec::new();
        if self.is_mirroring {
            jobs.push(Job::Mirror(MirrorJob::WriteAgain(run.id)));
        }
        jobs.extend(self.run_edited(run));
        jobs
    }
}

fn job(job: MetricsJob) -> Vec<Job> {
    vec![Job::Metrics(job)]
}

#[cfg(test)]
mod tests;
