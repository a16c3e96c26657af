//! A server that speaks Prometheus' HTTP API: Prometheus itself, Thanos, Mimir, Cortex, VictoriaMetrics.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::sync::Semaphore;

use super::failure::{Failure, said};
use super::variables::{Wanted, is_label, read};
use super::web::{Ask, Page, Web};
use super::wire::{Bounded, BuildInfo, Config, QueryResult, Target, Targets, Told, data, selector};
use crate::model::cluster::Trouble;
use crate::model::metrics::series::POINTS_MAX;
use crate::model::metrics::source::NAMES_MAX;
use crate::model::metrics::{Answer, Facts, Grid, Product};
use crate::model::{Labels, number};

/// The most questions that are open at one server at once; more wait for these.
pub const ASKS_MAX: usize = 4;
/// The most values of a label that are kept.
pub const VALUES_MAX: usize = 10_000;
/// The most endpoints that do not answer and are named.
const DOWN_NAMED_MAX: usize = 3;
/// The version that VictoriaMetrics says for the sake of Grafana.
const VICTORIA_SAYS: &str = "2.24.0";
/// The largest expression of a variable, compiled, in bytes.
const REGEX_BYTES_MAX: usize = 1024 * 1024;

/// A server that speaks Prometheus' HTTP API. Cheap to copy; copies share the bound on open questions.
///
/// A question whose future is dropped is broken off.
#[derive(Clone, Debug)]
pub struct Server {
    web: Web,
    asks: Arc<Semaphore>,
}

impl Server {
    /// At the end of a way.
    #[must_use]
    pub fn new(web: Web) -> Self {
        Self { web, asks: Arc::new(Semaphore::new(ASKS_MAX)) }
    }

    /// What it says of itself. What it does not say is left out of the facts, with a remark where that matters.
    ///
    /// # Errors
    /// When it does not answer the smallest query.
    pub async fn facts(&self) -> Result<Facts, Trouble> {
        Ok(self.facts_of().await?)
    }

    pub(super) async fn facts_of(&self) -> Result<Facts, Failure> {
        let ahead = self.clock_ahead_ms().await?;
        let (product, names, targets) = tokio::join!(self.product(), self.names(), self.targets());
        let (product, version) = product;
        let mut facts = Facts { product, version, clock_ahead_ms: Some(ahead), ..Facts::default() };
        match names {
            Ok(names) => {
                if names.left_out > 0 {
                    facts.remarks.push(format!(
                        "It has {} metrics; the first {} are kept in mind",
                        number::count((names.items.len() + names.left_out) as u64),
                        number::count(names.items.len() as u64)
                    ));
                }
                facts.names = Arc::new(BTreeSet::from_iter(names.items));
            }
            Err(failure) => facts.remarks.push(format!("The names of its metrics are not known. {failure}")),
        }
        match targets {
            Ok(targets) => {
                facts.scrape_ms = targets.iter().filter_map(|target| length_ms(&target.every)).min();
                facts.remarks.extend(down(&targets, self.web.secrets()));
            }
            // Thanos and Mimir read nothing themselves.
            Err(_) => facts.scrape_ms = None,
        }
        if facts.scrape_ms.is_none() {
            facts.scrape_ms = self.configured().await;
        }
        Ok(facts)
    }

    /// Values at the moments of a grid.
    ///
    /// # Errors
    /// When the moments are too many, which is not asked; and whatever can fail on the way, there, or back.
    pub async fn range(&self, promql: &str, grid: Grid) -> Result<Answer, Failure> {
        check(grid)?;
        let (start, end, step) = (seconds(grid.from_ms), seconds(grid.to_ms), seconds(grid.step_ms));
        let fields = [("query", promql), ("start", &start), ("end", &end), ("step", &step)];
        let told: Told<QueryResult> = self.ask("/api/v1/query_range", &fields, true).await?;
        told.data.answer(told.remarks)
    }

    /// Values at one moment, in milliseconds since 1970.
    ///
    /// # Errors
    /// Whatever can fail on the way, there, or back.
    pub async fn instant(&self, promql: &str, at_ms: i64) -> Result<Answer, Failure> {
        let told = self.vector(promql, at_ms).await?;
        told.data.answer(told.remarks)
    }

    /// Values of a label over a time: of all series, or of those of a selector. At most [`VALUES_MAX`].
    ///
    /// # Errors
    /// When that is no name of a label; and whatever can fail on the way, there, or back.
    pub async fn label_values(
        &self,
        label: &str,
        matcher: Option<&str>,
        grid: Grid,
    ) -> Result<Vec<String>, Failure> {
        if !is_label(label) {
            return Err(Failure::Query(format!("“{}” cannot be the name of a label", said(label, &[]))));
        }
        let (start, end) = (seconds(grid.from_ms), seconds(grid.to_ms));
        let limit = VALUES_MAX.to_string();
        let mut fields = vec![("start", start.as_str()), ("end", &end), ("limit", &limit)];
        fields.extend(matcher.map(|matcher| ("match[]", matcher)));
        let path = format!("/api/v1/label/{label}/values");
        let told: Told<Bounded<String, VALUES_MAX>> = self.ask(&path, &fields, false).await?;
        Ok(told.data.items)
    }

    /// Names of labels over a time. At most [`VALUES_MAX`].
    ///
    /// # Errors
    /// Whatever can fail on the way, there, or back.
    pub async fn label_names(&self, grid: Grid) -> Result<Vec<String>, Failure> {
        let (start, end) = (seconds(grid.from_ms), seconds(grid.to_ms));
        let fields = [("start", start.as_str()), ("end", &end)];
        let told: Told<Bounded<String, VALUES_MAX>> = self.ask("/api/v1/labels", &fields, true).await?;
        Ok(told.data.items)
    }

    /// The members of a vector at one moment as Grafana writes them: `name{label="value"} 1 1700000000000`.
    ///
    /// # Errors
    /// Whatever can fail on the way, there, or back.
    pub async fn query_result(&self, promql: &str, at_ms: i64) -> Result<Vec<String>, Failure> {
        let mut lines = self.vector(promql, at_ms).await?.data.lines()?;
        lines.truncate(VALUES_MAX);
        Ok(lines)
    }

    /// What Grafana's `label_values(metric, label)`, `label_values(label)`, `label_names()`, `metrics(regex)` and
    /// `query_result(query)` stand for over a time; anything else is a selector of series. Variables in it have to be
    /// replaced already; the variable's own expression is for the caller to apply.
    ///
    /// # Errors
    /// Whatever can fail on the way, there, or back.
    pub async fn variable_values(&self, query: &str, grid: Grid) -> Result<Vec<String>, Failure> {
        match read(query) {
            Wanted::LabelValues { label, of } => self.label_values(&label, of.as_deref(), grid).await,
            Wanted::LabelNames(of) => found(self.label_names(grid).await?, &of),
            Wanted::Metrics(of) => found(self.label_values("__name__", None, grid).await?, &of),
            Wanted::QueryResult(query) => self.query_result(&query, grid.to_ms).await,
            Wanted::Series(of) => self.series(&of, grid).await,
        }
    }

    async fn series(&self, of: &str, grid: Grid) -> Result<Vec<String>, Failure> {
        let (start, end) = (seconds(grid.from_ms), seconds(grid.to_ms));
        let limit = VALUES_MAX.to_string();
        let fields = [("match[]", of), ("start", &start), ("end", &end), ("limit", &limit)];
        let told: Told<Bounded<Labels, VALUES_MAX>> = self.ask("/api/v1/series", &fields, true).await?;
        let mut all: Vec<String> = told.data.items.iter().map(selector).collect();
        all.sort();
        all.dedup();
        Ok(all)
    }

    async fn vector(&self, promql: &str, at_ms: i64) -> Result<Told<QueryResult>, Failure> {
        let time = seconds(at_ms);
        self.ask("/api/v1/query", &[("query", promql), ("time", &time)], true).await
    }

    /// How far its clock is ahead of ours: by the moment at which it says that it works, against the middle of the
    /// question.
    async fn clock_ahead_ms(&self) -> Result<i64, Failure> {
        let asked = Timestamp::now().as_millisecond();
        let told: Told<QueryResult> = self.ask("/api/v1/query", &[("query", "time()")], true).await?;
        let answered = Timestamp::now().as_millisecond();
        let answer = told.data.answer(Vec::new())?;
        let point = answer.series.first().and_then(|series| series.points.first());
        let point = point.ok_or_else(|| Failure::Odd("it does not know the time".to_owned()))?;
        Ok((point.value * 1000.0).round() as i64 - i64::midpoint(asked, answered))
    }

    /// What it is, and its version where it says so.
    async fn product(&self) -> (Product, String) {
        let Ok(page) = self.page("/api/v1/status/buildinfo", &[], false).await else {
            return (Product::Unknown, String::new());
        };
        let names_its_host = page.names_its_host;
        let Ok(told) = data::<BuildInfo>(&page.bytes, self.web.secrets()) else {
            return (Product::Unknown, String::new());
        };
        let BuildInfo { version, application, revision, go_version } = told.data;
        let application = application.to_lowercase();
        if application.contains("mimir") || application.contains("cortex") {
            return (Product::Mimir, version);
        }
        if names_its_host || (revision.is_empty() && go_version.is_empty() && version == VICTORIA_SAYS) {
            let version = if version == VICTORIA_SAYS { String::new() } else { version };
            return (Product::VictoriaMetrics, version);
        }
        // Only Thanos has stores.
        let stores: Result<Told<IgnoredAny>, Failure> = self.ask("/api/v1/stores", &[], false).await;
        match stores {
            Ok(_) => (Product::Thanos, version),
            Err(_) if revision.is_empty() && go_version.is_empty() => (Product::Unknown, version),
            Err(_) => (Product::Prometheus, version),
        }
    }

    async fn names(&self) -> Result<Bounded<String, NAMES_MAX>, Failure> {
        let limit = (NAMES_MAX + 1).to_string();
        let path = "/api/v1/label/__name__/values";
        let told: Told<Bounded<String, NAMES_MAX>> = self.ask(path, &[("limit", &limit)], false).await?;
        Ok(told.data)
    }

    async fn targets(&self) -> Result<Vec<Target>, Failure> {
        let told: Told<Targets> = self.ask("/api/v1/targets", &[("state", "active")], false).await?;
        Ok(told.data.active.unwrap_or_default())
    }

    /// The smallest interval of its settings; those of a server that names none with its targets.
    async fn configured(&self) -> Option<u64> {
        let told: Told<Config> = self.ask("/api/v1/status/config", &[], false).await.ok()?;
        let lines = told.data.yaml.lines().map(str::trim);
        lines.filter_map(|line| length_ms(line.strip_prefix("scrape_interval:")?)).min()
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        may_post: bool,
    ) -> Result<Told<T>, Failure> {
        let page = self.page(path, fields, may_post).await?;
        data(&page.bytes, self.web.secrets())
    }

    async fn page(&self, path: &str, fields: &[(&str, &str)], may_post: bool) -> Result<Page, Failure> {
        let _room = self.asks.acquire().await.expect("it is never closed");
        let ask = Ask { path, fields, may_post, accept: "application/json" };
        self.web.ask(&ask).await?.success(self.web.secrets())
    }
}

/// Whether a server can be asked for these moments.
pub(super) fn check(grid: Grid) -> Result<(), Failure> {
    if grid.step_ms <= 0 || grid.to_ms < grid.from_ms {
        return Err(Failure::Moments);
    }
    let points = grid.to_ms.saturating_sub(grid.from_ms) / grid.step_ms + 1;
    if points > POINTS_MAX as i64 { Err(Failure::TooManyPoints(points)) } else { Ok(()) }
}

/// Milliseconds as the API wants them: in seconds.
fn seconds(ms: i64) -> String {
    (ms as f64 / 1000.0).to_string()
}

/// Those in which an expression finds something; all for an empty one.
fn found(names: Vec<String>, of: &str) -> Result<Vec<String>, Failure> {
    if of.is_empty() {
        return Ok(names);
    }
    let of = regex::RegexBuilder::new(of).size_limit(REGEX_BYTES_MAX).build();
    let of = of.map_err(|error| Failure::Query(said(&error.to_string(), &[])))?;
    Ok(names.into_iter().filter(|name| of.is_match(name)).collect())
}

/// `1m30s` in milliseconds, as Prometheus writes lengths of time; none for what is no such length, or 0.
pub(super) fn length_ms(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut sum = 0_u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let count: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let unit = match &rest[..end] {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            "y" => 31_536_000_000,
            _ => return None,
        };
        sum = sum.checked_add(count.checked_mul(unit)?)?;
        rest = &rest[end..];
    }
    (sum > 0).then_some(sum)
}

/// What is to be said of endpoints that do not answer.
fn down(targets: &[Target], secrets: &[String]) -> Option<String> {
    let down: Vec<&Target> = targets.iter().filter(|target| target.health == "down").collect();
    let first = down.iter().take(DOWN_NAMED_MAX).map(|target| {
        let why = if target.error.is_empty() { String::new() } else { format!(" ({})", target.error) };
        format!("{}{why}", target.url)
    });
    let named = first.collect::<Vec<_>>().join(", ");
    let more = if down.len() > DOWN_NAMED_MAX { " and more" } else { "" };
    (!down.is_empty()).then(|| {
        format!(
            "{} of {} endpoints that it reads do not answer: {}{more}",
            number::count(down.len() as u64),
            number::count(targets.len() as u64),
            said(&named, secrets)
        )
    })
}
