//! Sources of metrics: where they are, how one logs in there, and what each said of itself.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::board::{Board, BoardId};
use crate::model::cluster::ContextKey;
use crate::model::plan::TargetKind;

/// The version of the format of sources and boards that this program writes.
pub const METRICS_BOOK_VERSION: u32 = 1;
/// The most sources that are kept.
pub const SOURCES_MAX: usize = 32;
/// The most boards that are kept.
pub const BOARDS_MAX: usize = 200;
/// The least time between two readings of a source that is scraped by us, in milliseconds.
pub const EVERY_MS_MIN: u64 = 1000;
/// The most endpoints of a source that is scraped by us.
pub const ENDPOINTS_MAX: usize = 32;
/// The most names of metrics that are kept in mind of a source.
pub const NAMES_MAX: usize = 50_000;

/// Identity of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceId(pub Uuid);

/// Sources and boards that a person made or imported, and in which order. Without any secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MetricsBook {
    /// [`METRICS_BOOK_VERSION`] of the writer.
    pub version: u32,
    /// In the order in which they were added.
    pub sources: Vec<Source>,
    /// Boards of a person's own, in their order.
    pub boards: Vec<Board>,
    /// The source that is on show.
    pub source: Option<SourceId>,
    /// The board that is on show.
    pub board: Option<BoardId>,
    /// The boards that are kept with each run from now on, from the source on show; none for no metrics.
    pub with_runs: Vec<BoardId>,
}

/// A source of metrics.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Identity.
    pub id: SourceId,
    /// What people call it; never empty.
    pub name: String,
    /// What it is, and where.
    pub kind: SourceKind,
}

/// What a source is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// Speaks Prometheus' HTTP API.
    Prometheus {
        /// Where.
        place: Place,
        /// How one logs in there.
        #[serde(default)]
        access: Access,
    },
    /// A Grafana, asked through one of its data sources.
    Grafana {
        /// Where.
        place: Place,
        /// How one logs in there.
        #[serde(default)]
        access: Access,
        /// The uid of its data source; none for its default one.
        #[serde(default)]
        data_source: Option<String>,
    },
    /// No server: what proxies and applications themselves show, read by us.
    Direct {
        /// Pages in the text format of Prometheus.
        endpoints: Vec<Place>,
        /// A context whose `metrics.k8s.io` is read too.
        #[serde(default)]
        api: Option<ContextKey>,
        /// Between two readings, in milliseconds; at least 1000.
        every_ms: u64,
    },
}

/// Where a source is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// At an address, with the path under which it is, if any.
    Url(String),
    /// In a cluster.
    Cluster {
        /// Which.
        context: ContextKey,
        /// A Service (through the API server's proxy) or a pod (through a port-forward).
        kind: TargetKind,
        /// Where it is.
        namespace: String,
        /// Its name.
        name: String,
        /// Its port.
        port: u16,
        /// The path under which it is; may be empty.
        #[serde(default)]
        path: String,
    },
}

/// How one logs in at a source. The secret itself is in the system's keyring.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Access {
    /// How.
    pub login: Login,
    /// Sent as `X-Scope-OrgID`: the tenant of Mimir, Cortex and Thanos.
    pub tenant: String,
    /// Certificates.
    pub tls: TlsFiles,
}

/// How one logs in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Login {
    /// Not at all.
    #[default]
    None,
    /// With a token.
    Bearer,
    /// With a name and a password.
    Basic {
        /// The name.
        user: String,
    },
}

/// Certificates, by their files in PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TlsFiles {
    /// Authorities beside the system's.
    pub ca: Option<PathBuf>,
    /// Our own certificate.
    pub certificate: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// Whoever answers is believed.
    pub insecure: bool,
}

/// What a source is, by what it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Product {
    /// Speaks the API; which one it is was not said.
    #[default]
    Unknown,
    /// Prometheus.
    Prometheus,
    /// Thanos.
    Thanos,
    /// Mimir or Cortex.
    Mimir,
    /// VictoriaMetrics.
    VictoriaMetrics,
    /// Grafana.
    Grafana,
    /// Read by us.
    Direct,
}

/// What a source said of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// What it is.
    pub product: Product,
    /// `2.42.0`; empty where it was not said.
    pub version: String,
    /// How often it reads what it watches, in milliseconds: the most frequent; none where it was not said.
    pub scrape_ms: Option<u64>,
    /// Names of the metrics that it has, at most [`NAMES_MAX`].
    pub names: Arc<BTreeSet<String>>,
    /// Names of the labels that its series have; empty where that was not said.
    pub labels: Arc<Vec<String>>,
    /// Data sources of a Grafana that speak Prometheus: uid and name, the default one first.
    pub data_sources: Vec<(String, String)>,
    /// Boards of a Grafana: uid and title.
    pub dashboards: Vec<(String, String)>,
    /// How far its clock is ahead of ours, in milliseconds.
    pub clock_ahead_ms: Option<i64>,
    /// What one should know: endpoints that do not answer, more names than are kept.
    pub remarks: Vec<String>,
}

/// What ready boards look at.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Scope {
    /// Of one namespace; empty for all.
    pub namespace: String,
    /// Of one workload in it; empty for all.
    pub workload: String,
}

impl Default for MetricsBook {
    fn default() -> Self {
        Self {
            version: METRICS_BOOK_VERSION,
            sources: Vec::new(),
            boards: Vec::new(),
            source: None,
            board: None,
            with_runs: Vec::new(),
        }
    }
}

impl Source {
    /// Whether it can be kept: a name, places that are places, and no login in an address.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn check(&self) -> Result<(), String> {
        if self.name.trim().is_empty() {
            return Err("A source needs a name".to_owned());
        }
        match &self.kind {
            SourceKind::Prometheus { place, access } | SourceKind::Grafana { place, access, .. } => {
                place.check()?;
                access.check()
            }
            SourceKind::Direct { endpoints, api, every_ms } => {
                if endpoints.is_empty() && api.is_none() {
                    return Err(
                        "There is nothing to read: add an address, or a cluster’s metrics API".to_owned()
                    );
                }
                if endpoints.len() > ENDPOINTS_MAX {
                    return Err(format!("At most {ENDPOINTS_MAX} addresses are read"));
                }
                if *every_ms < EVERY_MS_MIN {
                    return Err("It is read once in a second at most".to_owned());
                }
                endpoints.iter().try_for_each(Place::check)
            }
        }
    }
}

impl Access {
    fn check(&self) -> Result<(), String> {
        if self.tls.certificate.is_some() != self.tls.key.is_some() {
            return Err("A certificate of our own needs its key, and a key its certificate".to_owned());
        }
        match &self.login {
            Login::Basic { user } if user.contains(':') => Err("A name cannot have a colon in it".to_owned()),
            _ => Ok(()),
        }
    }
}

impl Place {
    /// Whether it is a place: an address without a login in it, or something in a cluster.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Self::Url(text) => {
                let url = url::Url::parse(text).map_err(|error| {
                    format!("“{text}” is no address ({error}); one begins with http:// or https://")
                })?;
                if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
                    return Err(format!("“{text}” is no address that begins with http:// or https://"));
                }
                if !url.username().is_empty() || url.password().is_some() {
                    return Err(
                        "The address has a login in it; write name and password in their fields".to_owned()
                    );
                }
                Ok(())
            }
            Self::Cluster { namespace, name, port, .. } => {
                if namespace.is_empty() || name.is_empty() || *port == 0 {
                    return Err("A source in a cluster needs a namespace, a name and a port".to_owned());
                }
                Ok(())
            }
        }
    }

    /// For people: the address, or `service monitoring/prometheus:9090 in dev`.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Url(url) => url.clone(),
            Self::Cluster { context, kind, namespace, name, port, path } => {
                let path = if path.is_empty() { String::new() } else { format!(", path {path}") };
                format!("{} {namespace}/{name}:{port} in {}{path}", kind.words(), context.name)
            }
        }
    }
}

impl SourceKind {
    /// Every place that it is read at.
    #[must_use]
    pub fn places(&self) -> Vec<&Place> {
        match self {
            Self::Prometheus { place, .. } | Self::Grafana { place, .. } => vec![place],
            Self::Direct { endpoints, .. } => endpoints.iter().collect(),
        }
    }

    /// For people: where it is.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Prometheus { place, .. } | Self::Grafana { place, .. } => place.words(),
            Self::Direct { endpoints, api, .. } => {
                let api = api.as_ref().map(|key| format!("metrics API of {}", key.name));
                let all: Vec<String> = endpoints.iter().map(Place::words).chain(api).collect();
                all.join(", ")
            }
        }
    }
}

impl Product {
    /// What people call it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Unknown => "Prometheus-compatible",
            Self::Prometheus => "Prometheus",
            Self::Thanos => "Thanos",
            Self::Mimir => "Mimir",
            Self::VictoriaMetrics => "VictoriaMetrics",
            Self::Grafana => "Grafana",
            Self::Direct => "read by Meshbench",
        }
    }
}
