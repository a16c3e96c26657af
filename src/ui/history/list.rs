//! Which runs the table shows, and in which order: search and sort, done once per change.

use std::cmp::Ordering;

use crate::app::State;
use crate::app::sharing::Sharing;
use crate::model::{Ended, KNOWN_LABELS, RunId, RunSummary};

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// When the run started.
    When,
    /// Its name.
    Name,
    /// The URL under load.
    Target,
    /// Its labels.
    Labels,
    /// Who measured it.
    Author,
    /// The rate achieved.
    Rate,
    /// Requests due.
    Requests,
    /// Median response time.
    P50,
    /// 99th percentile of response time.
    P99,
    /// Share of requests that failed.
    Errors,
    /// How it ended, and whether it can be trusted.
    State,
}

/// By what the table is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// The column.
    pub column: Column,
    /// Largest or newest first.
    pub descending: bool,
}

/// The rows of the table: places in the history, found and sorted. Kept until something changes.
#[derive(Debug, Default)]
pub(super) struct View {
    revision: Option<(u64, u64)>,
    asked: Option<Asked>,
    /// What is searched, in lower case, for each run of the history.
    searched: Vec<String>,
    rows: Vec<usize>,
    /// How often rows were computed, for the test that counts work.
    computed: u64,
}

/// What a person asked to see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// Words, all of which must be found.
    pub(super) query: String,
    pub(super) order: Order,
    pub(super) whose: Whose,
}

/// Whose runs are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Whose {
    /// Everybody's.
    #[default]
    Everybody,
    /// Those of the person who looks.
    Mine,
    /// Those of another person, by the server's name for them.
    Of(String),
}

impl Whose {
    fn has(&self, sharing: &Sharing, run: RunId) -> bool {
        let author = sharing.authors.get(&run).map(|author| &author.subject);
        match self {
            Self::Everybody => true,
            Self::Mine => author.is_none(),
            Self::Of(subject) => author == Some(subject),
        }
    }
}

impl Column {
    /// All columns, from left to right.
    pub const ALL: [Self; 11] = [
        Self::When,
        Self::Name,
        Self::Target,
        Self::Labels,
        Self::Author,
        Self::Rate,
        Self::Requests,
        Self::P50,
        Self::P99,
        Self::Errors,
        Self::State,
    ];

    /// Its heading.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::When => "When",
            Self::Name => "Name",
            Self::Target => "Target",
            Self::Labels => "Labels",
            Self::Author => "By",
            Self::Rate => "Rate",
            Self::Requests => "Requests",
            Self::P50 => "p50",
            Self::P99 => "p99",
            Self::Errors => "Errors",
            Self::State => "State",
        }
    }

    /// Whether it holds numbers, which stand on the right.
    #[must_use]
    pub fn is_number(self) -> bool {
        matches!(self, Self::Rate | Self::Requests | Self::P50 | Self::P99 | Self::Errors)
    }

    fn starts_descending(self) -> bool {
        self.is_number() || self == Self::When
    }
}

impl Order {
    /// The order after a click on a heading: that column, or its other direction.
    #[must_use]
    pub fn clicked(self, column: Column) -> Self {
        if self.column == column {
            Self { descending: !self.descending, ..self }
        } else {
            Self { column, descending: column.starts_descending() }
        }
    }
}

impl Default for Order {
    fn default() -> Self {
        Self { column: Column::When, descending: true }
    }
}

impl View {
    /// Brings the rows up to date. Cheap when nothing has changed since the last call.
    pub(super) fn update(&mut self, state: &State, asked: &Asked) {
        let (history, sharing) = (&state.history, &state.sharing);
        let revision = (state.history_revision, sharing.revision);
        let same_history = self.revision == Some(revision) && self.searched.len() == history.len();
        if same_history && self.asked.as_ref() == Some(asked) {
            return;
        }
        if !same_history {
            self.searched = history.iter().map(|run| searched(run, sharing)).collect();
            self.revision = Some(revision);
        }
        let words = words(&asked.query);
        let found = |at: &usize| {
            words.iter().all(|word| self.searched[*at].contains(word.as_str()))
                && asked.whose.has(sharing, history[*at].id)
        };
        let mut rows: Vec<usize> = (0..history.len()).filter(found).collect();
        rows.sort_by(|a, b| compare(&history[*a], &history[*b], asked.order, sharing));
        self.rows = rows;
        self.asked = Some(asked.clone());
        self.computed += 1;
    }

    /// Places in the history, in the order of the table.
    #[must_use]
    pub(super) fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// How often rows were computed.
    #[must_use]
    pub(super) fn computed(&self) -> u64 {
        self.computed
    }
}

/// Whether the numbers of a run must not be used: our own generator was the slow part.
#[must_use]
pub(super) fn is_void(run: &RunSummary) -> bool {
    run.warnings.iter().any(|kind| kind.voids())
}

/// Failed requests as a share of those due; none when nothing was due.
#[must_use]
pub(super) fn error_share(run: &RunSummary) -> Option<f64> {
    (run.requests.due > 0).then(|| run.requests.failed as f64 / run.requests.due as f64)
}

/// `mesh=istio, region=eu`
#[must_use]
pub(super) fn label_text(run: &RunSummary) -> String {
    let pairs: Vec<String> = run.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join(", ")
}

/// `istio · 1.27 · v2 · region=eu`: what every page knows by its place, the rest by its key.
#[must_use]
pub(super) fn label_values(run: &RunSummary) -> String {
    let known = KNOWN_LABELS.iter().filter_map(|(key, _)| run.labels.get(*key).cloned());
    let is_free = |key: &str| KNOWN_LABELS.iter().all(|(known, _)| *known != key);
    let free = run.labels.iter().filter(|(key, _)| is_free(key));
    let free = free.map(|(key, value)| format!("{key}={value}"));
    known.chain(free).collect::<Vec<_>>().join(" · ")
}

/// `1 goal missed`; none when all were met.
#[must_use]
pub(super) fn goals_missed_text(run: &RunSummary) -> Option<String> {
    match run.goals_missed {
        0 => None,
        1 => Some("1 goal missed".to_owned()),
        many => Some(format!("{many} goals missed")),
    }
}

/// Words of a query; all must be found. Quotes are not needed: a word is matched anywhere.
fn words(query: &str) -> Vec<String> {
    query.split_whitespace().map(str::to_lowercase).collect()
}

/// Everything that a search looks at. Lines keep a word from matching across two fields.
fn searched(run: &RunSummary, sharing: &Sharing) -> String {
    let mut text = String::with_capacity(128);
    for part in [run.name.as_str(), &run.url, &run.note, run.ended.words()] {
        text.push_str(part);
        text.push('\n');
    }
    for (key, value) in &run.labels {
        text.extend([key, "=", value, "\n"]);
    }
    if let Some(author) = sharing.authors.get(&run.id) {
        text.extend(["by ", author.name.as_str(), "\n"]);
    }
    if is_void(run) {
        text.push_str("void\n");
    }
    match goals_missed_text(run) {
        Some(missed) => text.push_str(&missed),
        None if run.goals > 0 => text.push_str("goals met"),
        None => {}
    }
    text.to_lowercase()
}

fn compare(a: &RunSummary, b: &RunSummary, order: Order, sharing: &Sharing) -> Ordering {
    let by = match order.column {
        Column::When => a.started.cmp(&b.started),
        Column::Name => compare_text(&a.name, &b.name),
        Column::Target => compare_text(&a.url, &b.url),
        Column::Labels => a.labels.cmp(&b.labels),
        Column::Author => {
            let name =
                |run: &RunSummary| sharing.authors.get(&run.id).map_or("", |author| author.name.as_str());
            compare_text(name(a), name(b))
        }
        Column::Rate => a.rate.achieved.total_cmp(&b.rate.achieved),
        Column::Requests => a.requests.due.cmp(&b.requests.due),
        Column::P50 => {
            quantile(a, |run| run.response_ms.p50).total_cmp(&quantile(b, |run| run.response_ms.p50))
        }
        Column::P99 => {
            quantile(a, |run| run.response_ms.p99).total_cmp(&quantile(b, |run| run.response_ms.p99))
        }
        Column::Errors => error_share(a).unwrap_or(NOTHING).total_cmp(&error_share(b).unwrap_or(NOTHING)),
        Column::State => severity(a).cmp(&severity(b)),
    };
    let by = if order.descending { by.reverse() } else { by };
    // Newest first among equals, and by id at last, so that rows never jump.
    by.then_with(|| b.started.cmp(&a.started)).then_with(|| b.id.cmp(&a.id))
}

/// Sorts what was not measured below every number.
const NOTHING: f64 = -1.0;

fn quantile(run: &RunSummary, of: fn(&RunSummary) -> f64) -> f64 {
    if run.response_ms.count == 0 { NOTHING } else { of(run) }
}

fn compare_text(a: &str, b: &str) -> Ordering {
    let lower = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<String>();
    if a.is_ascii() && b.is_ascii() {
        let (a, b) = (a.bytes(), b.bytes());
        return a.map(|c| c.to_ascii_lowercase()).cmp(b.map(|c| c.to_ascii_lowercase()));
    }
    lower(a).cmp(&lower(b))
}

/// How much a person should look at it: completed, goals missed, stopped, interrupted, void.
fn severity(run: &RunSummary) -> (bool, u8, u32) {
    let ended = match run.ended {
        Ended::Completed => 0,
        Ended::Stopped => 1,
        Ended::GaveUp => 2,
        Ended::Interrupted => 3,
    };
    (is_void(run), ended, run.goals_missed)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use jiff::Timestamp;
    use uuid::Uuid;

    use crate::model::run::{Quantiles, Rate, Requests};
    use crate::model::sync::Author;

    use crate::model::run::WarningKind;

    use super::*;

    fn run(number: u64) -> RunSummary {
        let meshes = ["istio", "linkerd", "kuma"];
        let value = (number * 7919 % 1000) as f64;
        RunSummary {
            id: RunId(Uuid::from_u128(u128::from(number))),
            name: format!("Checkout {}", number % 100),
            labels: [("mesh".to_owned(), meshes[number as usize % 3].to_owned())].into(),
            note: if number.is_multiple_of(10) { "After the upgrade".to_owned() } else { String::new() },
            url: format!("http://service-{}.test/", number % 5),
            started: Timestamp::from_second(1_700_000_000 + number as i64 * 60).expect("in range"),
            elapsed_s: 30.0,
            ended: [Ended::Completed, Ended::Stopped, Ended::Interrupted][number as usize % 3],
            requests: Requests { due: 3000 + number, answered: 3000, failed: number % 7, cancelled: 0 },
            rate: Rate { asked: Some(100.0), achieved: 99.0 + value / 1000.0 },
            response_ms: Quantiles { p50: value, p99: value * 3.0, count: 3000, ..Quantiles::default() },
            warnings: Vec::new(),
            goals_missed: 0,
            goals: 0,
        }
    }

    fn history(len: u64) -> Vec<RunSummary> {
        (0..len).rev().map(run).collect()
    }

    fn state(history: Vec<RunSummary>) -> State {
        let mut state = State::default();
        state.history = history;
        state
    }

    fn asked(query: &str, order: Order) -> Asked {
        Asked { query: query.to_owned(), order, whose: Whose::Everybody }
    }

    fn found(history: &[RunSummary], query: &str) -> Vec<u128> {
        ids(&state(history.to_vec()), &asked(query, Order::default()))
    }

    fn ids(state: &State, asked: &Asked) -> Vec<u128> {
        let mut view = View::default();
        view.update(state, asked);
        view.rows().iter().map(|at| state.history[*at].id.0.as_u128()).collect()
    }

    #[test]
    fn runs_are_found_by_who_measured_them() {
        let mut state = state(history(4));
        let ann = Author { subject: "a1".to_owned(), name: "Ann Éclair".to_owned() };
        let authors = [1, 3].map(|number| (RunId(Uuid::from_u128(number)), ann.clone()));
        state.sharing.authors = std::sync::Arc::new(authors.into());
        let whose = |whose: Whose| Asked { whose, ..Asked::default() };
        assert_eq!(ids(&state, &whose(Whose::Mine)), [2, 0]);
        assert_eq!(ids(&state, &whose(Whose::Of("a1".to_owned()))), [3, 1]);
        assert_eq!(ids(&state, &whose(Whose::Of("b2".to_owned()))), [] as [u128; 0]);
        assert_eq!(ids(&state, &asked("by éclair", Order::default())), [3, 1]);
        let by_author = Order { column: Column::Author, descending: true };
        assert_eq!(ids(&state, &asked("", by_author)), [3, 1, 2, 0]);
    }

    #[test]
    fn every_run_is_shown_newest_first() {
        assert_eq!(found(&history(5), ""), [4, 3, 2, 1, 0]);
        assert_eq!(found(&history(5), "   "), [4, 3, 2, 1, 0]);
    }

    #[test]
    fn search_looks_at_name_label_url_note_and_state() {
        let mut runs = history(5);
        runs[1].warnings.push(WarningKind::GeneratorLagged);
        runs[2].goals = 2;
        runs[2].goals_missed = 1;
        runs[3].name = "Über uns".to_owned();
        runs[3].note.clear();
        for (query, ids) in [
            ("mesh=linkerd", vec![4, 1]),
            ("MESH=Linkerd completed", vec![]),
            ("linkerd stopped", vec![4, 1]),
            ("checkout 4", vec![4]),
            ("service-3", vec![3]),
            ("upgrade", vec![0]),
            ("interrupted", vec![2]),
            ("void", vec![3]),
            ("goal missed", vec![2]),
            ("über", vec![1]),
            ("no such run", vec![]),
        ] {
            assert_eq!(found(&runs, query), ids, "{query}");
        }
    }

    #[test]
    fn each_column_sorts_both_ways() {
        let mut runs = history(40);
        runs[7].response_ms = Quantiles::default();
        for column in Column::ALL {
            for descending in [false, true] {
                let order = Order { column, descending };
                let mut view = View::default();
                view.update(&state(runs.clone()), &asked("", order));
                assert_eq!(view.rows().len(), runs.len());
                let pairs = view.rows().windows(2);
                let nobody = Sharing::default();
                let sorted = pairs.map(|pair| compare(&runs[pair[0]], &runs[pair[1]], order, &nobody));
                assert!(sorted.into_iter().all(|by| by == Ordering::Less), "{order:?}");
            }
        }
        let mut view = View::default();
        view.update(&state(runs.clone()), &asked("", Order { column: Column::P99, descending: false }));
        assert_eq!(view.rows()[0], 7, "what was not measured comes first when ascending");
        let largest = Order { column: Column::P99, descending: true };
        view.update(&state(runs.clone()), &asked("", largest));
        let p99: Vec<f64> = view.rows().iter().map(|at| runs[*at].response_ms.p99).collect();
        assert!(p99[0] > p99[1] && p99[38] >= p99[39]);
    }

    #[test]
    fn a_heading_sorts_then_turns() {
        let order = Order::default().clicked(Column::P99);
        assert_eq!(order, Order { column: Column::P99, descending: true });
        assert_eq!(order.clicked(Column::P99), Order { column: Column::P99, descending: false });
        assert_eq!(order.clicked(Column::Name), Order { column: Column::Name, descending: false });
    }

    #[test]
    fn rows_are_computed_once_per_change() {
        let mut state = state(history(10_000));
        let mut view = View::default();
        let order = Order::default();
        for _ in 0..100 {
            view.update(&state, &asked("istio", order));
        }
        assert_eq!(view.computed(), 1);
        view.update(&state, &asked("istio c", order));
        view.update(&state, &asked("istio c", order.clicked(Column::P99)));
        state.history_revision += 1;
        view.update(&state, &asked("istio c", order.clicked(Column::P99)));
        view.update(&state, &asked("istio c", order.clicked(Column::P99)));
        state.sharing.revision += 1;
        view.update(&state, &asked("istio c", order.clicked(Column::P99)));
        assert_eq!(view.computed(), 5);
    }

    /// Prints how long it takes; the bound is wide because a test machine may be busy and unoptimised.
    #[test]
    fn ten_thousand_runs_are_found_and_sorted_in_a_blink() {
        let mut state = state(history(10_000));
        let mut view = View::default();
        let mut timed = |what: &str, revision, query: &str, order| {
            let start = Instant::now();
            state.history_revision = revision;
            view.update(&state, &asked(query, order));
            let ms = start.elapsed().as_secs_f64() * 1e3;
            println!("{what}: {ms:.2} ms");
            ms
        };
        let by_name = Order { column: Column::Name, descending: false };
        let first = timed("first", 1, "", Order::default());
        let search = timed("search", 1, "mesh=istio 42", Order::default());
        let sort = timed("sort by name", 1, "", by_name);
        assert!(first.max(search).max(sort) < 1000.0, "{first} {search} {sort}");
    }
}
