//! What can be asked of `metrics`, and of metrics beside a run.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::model::duration;

#[derive(Debug, Subcommand)]
#[command(after_help = "A SOURCE is a name of the window's Metrics page, or one of:\n  \
        http://localhost:9090                    a Prometheus, Thanos, Mimir or VictoriaMetrics, with its sub-path if any\n  \
        grafana+http://localhost:3000            a Grafana, asked through its default data source\n  \
        direct+http://localhost:15090/stats/prometheus   the page of a proxy or application, read by Meshbench\n  \
        svc/monitoring/prometheus:9090           a Prometheus in a cluster, with --context\n  \
        direct+pod/shop/web-1:15090/stats/prometheus     a page of a pod, through a port-forward\n  \
        metrics.k8s.io                           the metrics API of a cluster, with --context\n\n\
        Examples:\n  \
        meshbench metrics check http://localhost:9090\n  \
        meshbench metrics query http://localhost:9090 'sum(rate(envoy_http_downstream_rq_total[1m]))' --range 15m\n  \
        meshbench metrics board http://localhost:9090 istio --namespace shop\n  \
        meshbench metrics boards")]
pub(super) enum MetricsArgs {
    /// Is a source reachable, what is it, and which boards can its data feed?
    Check(CheckArgs),
    /// Ask a source for PromQL and print what it answers
    Query(QueryArgs),
    /// Print what the panels of a board show
    Board(BoardArgs),
    /// The boards that there are: ready ones, and your own
    Boards,
    /// Keep a board from a file: Meshbench's own format, or Grafana's JSON
    Import {
        /// The files
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
}

/// How a source is reached.
#[derive(Debug, Default, Args)]
pub(super) struct SourceArgs {
    /// The context of the cluster that svc/… or pod/… is in [default: the one chosen in the window]
    #[arg(long, value_name = "CONTEXT")]
    pub(super) context: Option<String>,
    /// Use this kubeconfig for it, for this command only
    #[arg(long, value_name = "FILE")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// The environment variable with a bearer token
    #[arg(long, value_name = "NAME", conflicts_with = "user")]
    pub(super) token_env: Option<String>,
    /// A name for basic authentication; its password is in --password-env
    #[arg(long, value_name = "NAME", requires = "password_env")]
    pub(super) user: Option<String>,
    /// The environment variable with the password
    #[arg(long, value_name = "NAME", requires = "user")]
    pub(super) password_env: Option<String>,
    /// The tenant, sent as X-Scope-OrgID
    #[arg(long, value_name = "TENANT")]
    pub(super) tenant: Option<String>,
    /// A PEM file with further certificate authorities
    #[arg(long, value_name = "FILE")]
    pub(super) ca_file: Option<PathBuf>,
    /// Who we are where the source asks (mutual TLS): a PEM file
    #[arg(long, value_name = "FILE", requires = "client_key")]
    pub(super) client_cert: Option<PathBuf>,
    /// Its private key as PEM
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    pub(super) client_key: Option<PathBuf>,
    /// Accept any certificate: the source could be anyone
    #[arg(long)]
    pub(super) insecure: bool,
}

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// The source
    #[arg(value_name = "SOURCE")]
    pub(super) source: String,
    #[command(flatten)]
    pub(super) reach: SourceArgs,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct QueryArgs {
    /// The source
    #[arg(value_name = "SOURCE")]
    pub(super) source: String,
    /// The question
    #[arg(value_name = "PROMQL")]
    pub(super) promql: String,
    #[command(flatten)]
    pub(super) reach: SourceArgs,
    /// Over so long, up to now [default: 15m]
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub(super) range: Option<Duration>,
    /// As JSON, with all points
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct BoardArgs {
    /// The source
    #[arg(value_name = "SOURCE")]
    pub(super) source: String,
    /// The board, by its key or title; see: meshbench metrics boards
    #[arg(value_name = "BOARD")]
    pub(super) board: String,
    #[command(flatten)]
    pub(super) reach: SourceArgs,
    /// Of this namespace only
    #[arg(long, value_name = "NAMESPACE")]
    pub(super) namespace: Option<String>,
    /// Of this workload of it only
    #[arg(long, value_name = "WORKLOAD", requires = "namespace")]
    pub(super) workload: Option<String>,
    /// Over so long, up to now [default: 15m]
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub(super) range: Option<Duration>,
    /// As JSON, with all points
    #[arg(long)]
    pub(super) json: bool,
}

/// Metrics beside a run.
#[derive(Debug, Default, Args)]
pub(super) struct RunMetricsArgs {
    /// Keep metrics of this source with the run: see meshbench metrics --help
    #[arg(long, value_name = "SOURCE", requires = "board")]
    pub(super) metrics: Option<String>,
    /// A board that is kept, by its key or title: see meshbench metrics boards; may be repeated
    #[arg(long, value_name = "BOARD", requires = "metrics")]
    pub(super) board: Vec<String>,
    /// The environment variable with a bearer token for the source
    #[arg(long, value_name = "NAME", requires = "metrics")]
    pub(super) metrics_token_env: Option<String>,
    /// Of this namespace only
    #[arg(long, value_name = "NAMESPACE", requires = "metrics")]
    pub(super) metrics_namespace: Option<String>,
}
