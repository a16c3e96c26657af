//! No server: what proxies and applications show is read by us, kept for an hour, and measures are worked out from it.
//!
//! A rate is what a counter grew by between the first and the last value in its window, divided by the time between
//! these two; a value that is lower than the one before it means that the counter began anew at 0:
//!
//! ```text
//! rate = Σ (vᵢ − vᵢ₋₁, or vᵢ where vᵢ < vᵢ₋₁) / (t_last − t_first)      of the values in (moment − window, moment]
//! ```
//!
//! Prometheus extrapolates that to the ends of the window. Where the values cover the window it comes to the same;
//! it is lower than ours where a series began or ended within the window.
//!
//! As in Prometheus, a series that is not on the page any more, or whose endpoint does not answer, is a gap from then
//! on; a label of a page that we set ourselves is kept as `exported_…`; and a value counts for five minutes. The moment
//! of a value is that at which the page was asked for: what the page itself says of moments is passed over.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::AbortHandle;
use tokio::time::MissedTickBehavior;

use self::kept::Kept;
use super::failure::{Failure, said};
use super::promql;
use super::server::{VALUES_MAX, check, found};
use super::variables::{Wanted, read};
use super::web::{Ask, Limits, Web};
use crate::model::metrics::source::{ENDPOINTS_MAX, NAMES_MAX};
use crate::model::metrics::{Answer, Facts, Grid, Measure, Product, Selector};
use crate::model::{Labels, number};

mod kept;
mod text;
mod work;

pub use self::kept::{CHANGES_MAX, KEPT_MS, SERIES_EACH_MAX};

/// The largest page, in bytes.
pub const PAGE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Endpoints are read no more often.
pub const EVERY_MIN: Duration = Duration::from_secs(1);
/// No reading takes longer.
const READ_MAX: Duration = Duration::from_secs(10);
/// What both formats are asked for with; the older one first, which more programs have.
const ACCEPT: &str =
    "text/plain;version=0.0.4;q=1,application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1";
/// The most problems that are told.
const REMARKS_MAX: usize = 10;

/// Brings a page, or says in words why not.
pub type Fetch = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send>> + Send + Sync>;

/// A page of metrics that is read again and again.
#[derive(Clone)]
pub struct Endpoint {
    /// What every series of it gets: `instance`, and what else tells it from others (`namespace`, `pod`).
    pub labels: Labels,
    /// Brings it.
    pub fetch: Fetch,
}

/// A value that was read by somebody else.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The metric.
    pub name: String,
    /// What tells the series from others.
    pub labels: Labels,
    /// Its value.
    pub value: f64,
    /// When that was, in milliseconds since 1970.
    pub at_ms: i64,
}

/// Reads endpoints for as long as it lives.
#[derive(Debug)]
pub struct Direct {
    shared: Arc<Shared>,
    every: Duration,
    readers: Vec<AbortHandle>,
}

struct Shared {
    state: RwLock<State>,
}

struct State {
    kept: Kept,
    /// How the last reading of each endpoint went; none before the first.
    stands: Vec<Option<Result<(), String>>>,
    names: Vec<String>,
    /// Whether somebody has fed what they read, were it nothing.
    is_fed: bool,
}

impl Endpoint {
    /// A page at the end of a way; `path` begins with a slash: `/stats/prometheus`. `instance` is what it is called.
    #[must_use]
    pub fn at(web: Web, path: &str, instance: &str, mut labels: Labels) -> Self {
        labels.insert("instance".to_owned(), instance.to_owned());
        let path = path.to_owned();
        // Held while the bytes come, so that a larger page is never whole in memory.
        let web = web.within(Limits { answer_max: READ_MAX, answer_bytes_max: PAGE_BYTES_MAX });
        let fetch: Fetch = Arc::new(move || {
            let (web, path) = (web.clone(), path.clone());
            Box::pin(async move { page(&web, &path).await.map_err(|failure| failure.to_string()) })
        });
        Self { labels, fetch }
    }
}

async fn page(web: &Web, path: &str) -> Result<Vec<u8>, Failure> {
    let ask = Ask { path, fields: &[], may_post: false, accept: ACCEPT };
    Ok(web.ask(&ask).await?.success(web.secrets())?.bytes)
}

impl Direct {
    /// Begins to read, each endpoint at once and then every so often, at least [`EVERY_MIN`]; inside of a runtime of
    /// tokio. Endpoints beyond [`ENDPOINTS_MAX`] are left out, with a remark.
    #[must_use]
    pub fn start(endpoints: Vec<Endpoint>, every: Duration) -> Self {
        Self::within(endpoints, every.max(EVERY_MIN), READ_MAX)
    }

    fn within(mut endpoints: Vec<Endpoint>, every: Duration, read_max: Duration) -> Self {
        let left_out = endpoints.len().saturating_sub(ENDPOINTS_MAX);
        endpoints.truncate(ENDPOINTS_MAX);
        let kept = Kept::new(endpoints.iter().map(|endpoint| endpoint.labels.clone()), CHANGES_MAX);
        let names = endpoints.iter().map(|endpoint| name(&endpoint.labels)).collect();
        let mut stands = vec![None; endpoints.len()];
        if left_out > 0 {
            stands.push(Some(Err(format!("{left_out} more endpoints are left out"))));
        }
        let state = RwLock::new(State { kept, stands, names, is_fed: false });
        let shared = Arc::new(Shared { state });
        let readers = endpoints.into_iter().enumerate().map(|(at, endpoint)| {
            let reading = reading(Arc::clone(&shared), at, endpoint.fetch, (every, read_max));
            tokio::spawn(reading).abort_handle()
        });
        let readers = readers.collect();
        Self { shared, every, readers }
    }

    /// Takes values that were read by somebody else, in ascending moments for each series: those of the metrics API, all
    /// of one look at once.
    pub fn feed(&self, samples: Vec<Sample>) {
        let mut state = self.shared.write();
        state.kept.feed(&samples);
        state.is_fed = true;
    }

    /// Whether every endpoint has been read once, however that went; where there is none, whether anything was fed.
    #[must_use]
    pub fn is_known(&self) -> bool {
        let state = self.shared.read();
        if state.stands.is_empty() { state.is_fed } else { state.stands.iter().all(Option::is_some) }
    }

    /// What there is, and what one should know of it.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let state = self.shared.read();
        let mut names = state.kept.names();
        let mut remarks = state.remarks();
        if names.len() > NAMES_MAX {
            remarks.push(format!("The first {} metrics are kept in mind", number::count(NAMES_MAX as u64)));
            names = names.into_iter().take(NAMES_MAX).collect::<BTreeSet<String>>();
        }
        Facts {
            product: Product::Direct,
            scrape_ms: u64::try_from(self.every.as_millis()).ok(),
            names: Arc::new(names),
            clock_ahead_ms: Some(0),
            remarks,
            ..Facts::default()
        }
    }

    /// A measure at the moments of a grid; `window_ms` is the time over which rates are.
    ///
    /// # Errors
    /// When the moments are too many or make no sense, or a condition's expression cannot be used.
    pub async fn range(&self, measure: &Measure, window_ms: i64, grid: Grid) -> Result<Answer, Failure> {
        check(grid)?;
        let (shared, measure) = (Arc::clone(&self.shared), measure.clone());
        let work = tokio::task::spawn_blocking(move || {
            let state = shared.read();
            let mut answer = work::answer(&state.kept, &measure, window_ms.max(1), grid)?;
            if let Some(cut) = state.kept.cut_at_ms.filter(|cut| *cut > grid.from_ms) {
                let kept = number::clock((grid.to_ms - cut).max(0) as f64 / 1000.0);
                answer.remarks.push(format!("Only the last {kept} are kept: there are too many series"));
            }
            Ok(answer)
        });
        work.await.map_err(|_| Failure::Way("the work was broken off".to_owned()))?
    }

    /// That PromQL is for a server to work out.
    #[must_use]
    pub fn refused(promql: &str) -> Failure {
        Failure::NeedsServer(format!("“{}” is written in its language", said(promql, &[])))
    }

    /// Values of a label: of all series, or of those of a selector.
    ///
    /// # Errors
    /// When a condition's expression cannot be used.
    pub fn label_values(&self, label: &str, of: Option<&Selector>) -> Result<Vec<String>, Failure> {
        let mut values = work::label_values(&self.shared.read().kept, label, of)?;
        values.truncate(VALUES_MAX);
        Ok(values)
    }

    /// What a variable of Grafana stands for, as far as that needs no server: `label_values(metric, label)`,
    /// `label_values(label)`, `label_names()`, `metrics(regex)`.
    ///
    /// # Errors
    /// When it needs one, or an expression cannot be used.
    pub fn variable_values(&self, query: &str) -> Result<Vec<String>, Failure> {
        match read(query) {
            Wanted::LabelValues { label, of: None } => self.label_values(&label, None),
            Wanted::LabelValues { label, of: Some(of) } => {
                let of = promql::selector(&of).ok_or_else(|| Self::refused(query))?;
                self.label_values(&label, Some(&of))
            }
            Wanted::Metrics(of) => found(self.label_values("__name__", None)?, &of),
            Wanted::LabelNames(of) => {
                let state = self.shared.read();
                let lines = state.kept.lines();
                let names: BTreeSet<&String> = lines.flat_map(|(_, line)| line.labels.keys()).collect();
                found(names.into_iter().take(VALUES_MAX).cloned().collect(), &of)
            }
            Wanted::QueryResult(_) | Wanted::Series(_) => Err(Self::refused(query)),
        }
    }
}

impl Drop for Direct {
    fn drop(&mut self) {
        for reader in &self.readers {
            reader.abort();
        }
    }
}

async fn reading(shared: Arc<Shared>, at: usize, fetch: Fetch, (every, read_max): (Duration, Duration)) {
    let mut ticks = tokio::time::interval(every);
    // One that was late is not made up for: it would be read twice at once.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let asked_ms = Timestamp::now().as_millisecond();
        let page = tokio::time::timeout(read_max, fetch()).await;
        let page = page.unwrap_or_else(|_| Err(Failure::Slow(read_max).to_string()));
        let shared = Arc::clone(&shared);
        // A page of megabytes would hold up everything else on this thread.
        let taking = tokio::task::spawn_blocking(move || {
            let page = page.and_then(text_of);
            shared.write().take(at, asked_ms, page);
        });
        // One page that cannot be taken is no reason not to read the next.
        drop(taking.await);
    }
}

/// The text of a page, if it is one of metrics.
fn text_of(page: Vec<u8>) -> Result<String, String> {
    if page.len() > PAGE_BYTES_MAX {
        return Err(Failure::Large(PAGE_BYTES_MAX).to_string());
    }
    let text = String::from_utf8(page).map_err(|_| "it shows something else than text".to_owned())?;
    let mut bad = 0;
    let is_any = text::lines(&text, || bad += 1).next().is_some();
    if text.trim_start().starts_with('<') || (!is_any && bad > 0) {
        return Err("it shows no metrics in the text format of Prometheus; check its path".to_owned());
    }
    Ok(text)
}

impl State {
    fn take(&mut self, at: usize, asked_ms: i64, page: Result<String, String>) {
        self.stands[at] = Some(match page {
            Ok(text) => {
                self.kept.page(at, asked_ms, &text);
                Ok(())
            }
            Err(why) => {
                self.kept.failed(at, asked_ms);
                Err(why)
            }
        });
    }

    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        for (at, stands) in self.stands.iter().enumerate() {
            match (stands, self.names.get(at)) {
                (Some(Err(why)), Some(name)) => remarks.push(format!("{name} cannot be read. {why}")),
                (Some(Err(why)), None) => remarks.push(why.clone()),
                (None, Some(name)) => remarks.push(format!("{name} has not answered yet")),
                _ => {}
            }
        }
        for (at, group) in self.kept.groups.iter().enumerate() {
            let name = self.names.get(at).map_or("What is fed", String::as_str);
            if group.left_out > 0 {
                remarks.push(format!(
                    "{name} shows more than {} series; {} are left out",
                    number::count(SERIES_EACH_MAX as u64),
                    number::count(group.left_out as u64)
                ));
            }
            if group.bad > 0 {
                remarks.push(format!("{name} shows {} that cannot be read", lines(group.bad)));
            }
        }
        remarks.truncate(REMARKS_MAX);
        remarks
    }
}

fn lines(count: usize) -> String {
    format!("{} {}", number::count(count as u64), if count == 1 { "line" } else { "lines" })
}

fn name(labels: &Labels) -> String {
    labels.get("instance").map_or_else(|| "An endpoint".to_owned(), Clone::clone)
}

impl Shared {
    // A reader that panicked has left what it did not come to as it was.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
