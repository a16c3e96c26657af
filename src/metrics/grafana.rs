//! A Grafana: its data sources, its dashboards, and the way through it to what it asks itself.

use serde_json::Value;

use super::failure::Failure;
use super::server::Server;
use super::web::{Ask, Web};
use super::wire::{DataSource, Health, Hit, Settings, json};
use crate::model::cluster::Trouble;
use crate::model::metrics::{Facts, Product};
use crate::model::number;

/// The most dashboards that are listed.
pub const DASHBOARDS_MAX: usize = 5000;
/// The most data sources that are listed.
const DATA_SOURCES_MAX: usize = 500;
/// How many dashboards Grafana lists at once.
const PAGE: usize = 1000;
/// The most characters of a uid; Grafana itself has at most 40.
const UID_CHARS_MAX: usize = 128;
/// Data sources that speak Prometheus' API through Grafana's proxy.
const KINDS: [&str; 4] = [
    "prometheus",
    "grafana-amazonprometheus-datasource",
    "grafana-azureprometheus-datasource",
    "victoriametrics-metrics-datasource",
];

/// A Grafana. Cheap to copy.
#[derive(Clone, Debug)]
pub struct Grafana(Web);

impl Grafana {
    /// At the end of a way.
    #[must_use]
    pub fn new(web: Web) -> Self {
        Self(web)
    }

    /// What it says of itself, and what one of its data sources does: the one with this uid, or its default one. That
    /// the latter does not answer is a remark.
    ///
    /// # Errors
    /// When it does not answer, or does not say which data sources it has.
    pub async fn facts(&self, data_source: Option<&str>) -> Result<Facts, Trouble> {
        let health: Health = self.get("/api/health", &[]).await?;
        if health.version.is_empty() && health.database.is_empty() {
            return Err(Failure::Odd("it does not say how it is, as a Grafana does".to_owned()).into());
        }
        let sources = self.data_sources().await?;
        let mut facts = Facts { product: Product::Grafana, version: health.version, ..Facts::default() };
        match self.dashboards().await {
            Ok((dashboards, remark)) => {
                facts.dashboards = dashboards;
                facts.remarks.extend(remark);
            }
            Err(failure) => facts.remarks.push(format!("Its dashboards are not known. {failure}")),
        }
        if let Some(uid) = data_source.or(sources.first().map(|(uid, _)| uid.as_str())) {
            self.look_through(uid, &mut facts).await;
        } else {
            facts.remarks.push("It has no data source that speaks Prometheus".to_owned());
        }
        facts.data_sources = sources;
        Ok(facts)
    }

    /// A dashboard in Grafana's own format, as its JSON.
    ///
    /// # Errors
    /// When there is none with this uid; and whatever can fail on the way, there, or back.
    pub async fn dashboard(&self, uid: &str) -> Result<Vec<u8>, Failure> {
        let mut answer: Value = self.get(&format!("/api/dashboards/uid/{}", checked(uid)?), &[]).await?;
        let dashboard = answer.get_mut("dashboard").map(Value::take).filter(Value::is_object);
        let dashboard = dashboard.ok_or_else(|| Failure::Odd("its answer holds no dashboard".to_owned()))?;
        Ok(dashboard.to_string().into_bytes())
    }

    /// The server behind a data source, by its uid.
    ///
    /// # Errors
    /// When that is no uid.
    pub fn server(&self, data_source: &str) -> Result<Server, Failure> {
        let uid = checked(data_source)?;
        Ok(Server::new(self.0.under(&format!("/api/datasources/proxy/uid/{uid}"))))
    }

    /// Data sources that speak Prometheus: uid and name, the default one first.
    ///
    /// # Errors
    /// Whatever can fail on the way, there, or back.
    pub async fn data_sources(&self) -> Result<Vec<(String, String)>, Failure> {
        // Who may only look is not told by the first, but by what Grafana's own page starts with.
        let mut all: Vec<DataSource> = match self.get("/api/datasources", &[]).await {
            Ok(all) => all,
            Err(Failure::Forbidden(_) | Failure::LoginRefused(_) | Failure::NotFound(_)) => {
                let settings: Settings = self.get("/api/frontend/settings", &[]).await?;
                let default = settings.default;
                let named = settings.data_sources.into_iter().map(|(name, source)| DataSource {
                    is_default: name == default,
                    name,
                    ..source
                });
                named.collect()
            }
            Err(failure) => return Err(failure),
        };
        all.retain(|source| KINDS.contains(&source.kind.as_str()) && checked(&source.uid).is_ok());
        all.sort_by(|one, other| {
            other.is_default.cmp(&one.is_default).then_with(|| one.name.cmp(&other.name))
        });
        all.truncate(DATA_SOURCES_MAX);
        Ok(all.into_iter().map(|source| (source.uid, source.name)).collect())
    }

    /// Dashboards: uid and title, and what is to be said of them.
    async fn dashboards(&self) -> Result<(Vec<(String, String)>, Option<String>), Failure> {
        let mut all: Vec<(String, String)> = Vec::new();
        for number in 1..=DASHBOARDS_MAX / PAGE {
            let (limit, page) = (PAGE.to_string(), number.to_string());
            let fields = [("type", "dash-db"), ("limit", limit.as_str()), ("page", page.as_str())];
            let hits: Vec<Hit> = self.get("/api/search", &fields).await?;
            let count = hits.len();
            let named = hits.into_iter().filter(|hit| checked(&hit.uid).is_ok()).map(|hit| {
                let folder = if hit.folder.is_empty() { String::new() } else { format!("{} / ", hit.folder) };
                (hit.uid, format!("{folder}{}", hit.title))
            });
            all.extend(named);
            if count < PAGE {
                return Ok((all, None));
            }
        }
        all.truncate(DASHBOARDS_MAX);
        let remark = format!(
            "It has more than {} dashboards; the first are listed",
            number::count(DASHBOARDS_MAX as u64)
        );
        Ok((all, Some(remark)))
    }

    async fn look_through(&self, uid: &str, facts: &mut Facts) {
        let behind = match self.server(uid) {
            Ok(server) => server.facts_of().await,
            Err(failure) => Err(failure),
        };
        match behind {
            Ok(behind) => {
                facts.scrape_ms = behind.scrape_ms;
                facts.names = behind.names;
                facts.clock_ahead_ms = behind.clock_ahead_ms;
                facts.remarks.extend(behind.remarks);
            }
            Err(failure) => facts.remarks.push(format!("Its data source does not answer. {failure}")),
        }
    }

    async fn get<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Result<T, Failure> {
        let ask = Ask { path, fields, may_post: false, accept: "application/json" };
        let page = self.0.ask(&ask).await?.success(self.0.secrets())?;
        json(&page.bytes, self.0.secrets())
    }
}

/// A uid that leads nowhere else in an address.
fn checked(uid: &str) -> Result<&str, Failure> {
    let fits = !uid.is_empty()
        && uid.len() <= UID_CHARS_MAX
        && uid.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if fits { Ok(uid) } else { Err(Failure::Query("that is no uid of a Grafana".to_owned())) }
}
