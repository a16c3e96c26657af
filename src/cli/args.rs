//! What can be asked for on the command line.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::app::target::{Delay, Stall, parse_size};
use crate::model::plan::Stage;
use crate::model::{Goal, Timer, duration, plan};

use super::args_account::{AccountArgs, LoginArgs, LogoutArgs, SyncArgs, WhoamiArgs};
use super::args_adapter::AdapterArgs;
use super::args_metrics::{MetricsArgs, RunMetricsArgs};
use super::args_serve::RecordsArgs;

/// Send load to a service, measure what users wait, keep every result.
///
/// Without a command, the window opens.
#[derive(Debug, Parser)]
#[command(
    name = "meshbench",
    version,
    after_help = "Examples:\n  \
        meshbench                                    open the window\n  \
        meshbench try                                a first run against a built-in target\n  \
        meshbench run http://localhost:8080/ --rate 500 --duration 30s\n  \
        meshbench history list\n\n\
        Exit status: 0 goals met, 1 goals missed, 2 bad input, 3 could not be carried out\n(see: meshbench run --help)."
)]
pub(super) struct Arguments {
    /// Keep runs, plans and settings here [default: as the platform does; environment: MESHBENCH_DATA_DIR]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    #[command(subcommand)]
    pub(super) what: Option<What>,
}

#[derive(Debug, Subcommand)]
pub(super) enum What {
    /// Start a built-in target and send load to it for ten seconds
    Try(TryArgs),
    /// Send load to a URL and report what was measured
    Run(Box<RunArgs>),
    /// List, show, delete and export the runs that are kept
    #[command(subcommand)]
    History(HistoryArgs),
    /// Experimental: publish a kept run to a remote provider of Meshery
    Publish(Box<PublishArgs>),
    /// Kubeconfigs and contexts, and which meshes and services a cluster has
    #[command(subcommand)]
    Cluster(ClusterArgs),
    /// Adapters of service meshes: what they offer, what they are asked, what they report; and to serve a built-in one
    Adapter(Box<AdapterArgs>),
    /// What meshes and applications say of themselves: sources of metrics, and boards
    #[command(subcommand)]
    Metrics(Box<MetricsArgs>),
    /// Log in, for sync: with the browser, or with a code on another device
    Login(Box<LoginArgs>),
    /// Log out: forgets the login and tells the provider; runs stay
    Logout(LogoutArgs),
    /// Who is logged in
    Whoami(WhoamiArgs),
    /// Delete your account at a Meshbench server
    #[command(subcommand)]
    Account(AccountArgs),
    /// Exchange history with a Meshbench server: one history on all your machines, a team's results together
    Sync(SyncArgs),
    /// Serve records, so that a person's machines and a team have one history
    Serve(Box<RecordsArgs>),
    /// Serve HTTP/1.1 with known delays and faults, to test against
    Target(TargetArgs),
}

#[derive(Debug, Args)]
pub(super) struct TryArgs {
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// Where a result goes.
#[derive(Debug, Default, Args)]
pub(super) struct OutputArgs {
    /// Write the run as JSON to this file; - writes it alone to standard output
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Do not keep the run in history
    #[arg(long)]
    pub(super) no_save: bool,
}

#[derive(Debug, Default, Args)]
#[command(after_help = "Examples:\n  \
        meshbench run http://localhost:8080/\n  \
        meshbench run https://shop.test/cart --rate 1000 --duration 1m --warmup 5s --label mesh=istio\n  \
        meshbench run http://localhost:8080/ --pacing max --connections 64 --requests 100000\n  \
        meshbench run http://localhost:8080/ --goal 'p99<20ms' --goal 'errors<0.1%' --json result.json\n  \
        meshbench run http://localhost:8080/ --find-max 'p99<20ms,errors<0.1%' --duration 10s\n  \
        meshbench run --plan checkout.toml --rate 200\n  \
        meshbench run svc/shop/checkout:8080 --context staging-eu --rate 50\n\n\
        Times are written with a unit: 250ms, 30s, 2m. Response times count from the moment a request was due.\n\
        Ctrl-C stops the run, keeps it and reports; a second one ends at once.\n\
        Exit status: 0 goals met, 1 goals missed, 2 bad input, 3 could not be carried out: nothing was answered,\n\
        the run could not be kept, or it has goals and is void because our own generator was too late.")]
pub(super) struct RunArgs {
    /// Where the load goes: http:// or https://, or tcp:// or udp:// for an echo, or svc/NAMESPACE/NAME:PORT or
    /// pod/NAMESPACE/NAME:PORT for a Service or a pod of a cluster [needed unless --plan names it]
    pub(super) url: Option<String>,
    /// The context of the cluster that svc/… is in [default: the one chosen in the window]
    #[arg(long, value_name = "CONTEXT")]
    pub(super) context: Option<String>,
    /// Use this kubeconfig for svc/…, for this command only
    #[arg(long, value_name = "FILE")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// Take the plan from this file; other options override it
    #[arg(long, value_name = "FILE.toml")]
    pub(super) plan: Option<PathBuf>,
    /// What the run is called
    #[arg(long)]
    pub(super) name: Option<String>,
    /// Requests per second [default: 100]
    #[arg(long, value_name = "N", value_parser = rate)]
    pub(super) rate: Option<f64>,
    /// When requests are due: evenly, at random, or as fast as answers come [default: constant]
    #[arg(long, value_enum)]
    pub(super) pacing: Option<PacingKind>,
    /// Connections kept open at most; also the bound of requests in flight [default: 16]
    #[arg(long, value_name = "N")]
    pub(super) connections: Option<u32>,
    /// How exactly requests leave when they are due; precision costs processor time [default: balanced]
    #[arg(long, value_enum)]
    pub(super) timer: Option<TimerKind>,
    /// Threads that send load, each with its share of the connections [default: one less than processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(super) threads: Option<u32>,
    /// How long requests are due and counted [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = duration::parse, conflicts_with = "requests")]
    pub(super) duration: Option<Duration>,
    /// A stretch in which the rate changes, one after another, instead of --rate; may be repeated: 'hold 100 30s',
    /// 'ramp 100..1000 1m', 'steps 100..1000/10 5m', 'spike 100..1000@20s+5s 1m', 'sine 500+-200/30s 5m',
    /// or as fast as answers come, with or without think time: 'max 30s', 'max/10ms 30s'
    #[arg(long, value_name = "[NAME:]STAGE", conflicts_with = "rate")]
    pub(super) stage: Vec<Stage>,
    /// Send at the moments that this file has: a number of seconds or an RFC 3339 time on each line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rate", "stage", "pacing"])]
    pub(super) replay: Option<PathBuf>,
    /// With --pacing max: wait so long after each answer [default: 0s]
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub(super) think: Option<Duration>,
    /// Go on until Ctrl-C
    #[arg(long, conflicts_with_all = ["duration", "requests"])]
    pub(super) until_stopped: bool,
    /// How many requests are due and counted, instead of a duration
    #[arg(long, value_name = "N")]
    pub(super) requests: Option<u64>,
    /// Send for this long before counting [default: 0s]
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub(super) warmup: Option<Duration>,
    /// How long one request may take [default: 5s]
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    pub(super) timeout: Option<Duration>,
    /// The request's method [default: GET, or POST with a body]
    #[arg(long, value_name = "M")]
    pub(super) method: Option<String>,
    /// A request header; values of Authorization, Cookie and the like are never shown or kept
    #[arg(long, value_name = "NAME:VALUE")]
    pub(super) header: Vec<String>,
    /// As --header, for any header whose value must never be shown or kept
    #[arg(long, value_name = "NAME:VALUE")]
    pub(super) secret_header: Vec<String>,
    /// A cookie; its value is never shown or kept
    #[arg(long, value_name = "NAME=VALUE")]
    pub(super) cookie: Vec<String>,
    /// HTTP basic authentication; the password is never shown or kept
    #[arg(long, value_name = "USER:PASSWORD")]
    pub(super) basic_auth: Option<String>,
    /// The Content-Type header
    #[arg(long, value_name = "TYPE")]
    pub(super) content_type: Option<String>,
    /// The request's body, or @FILE for the bytes of a file
    #[arg(long, value_name = "TEXT|@FILE")]
    pub(super) body: Option<String>,
    #[command(flatten)]
    pub(super) sent: SentArgs,
    /// What is spoken with the target [default: http1, or grpc with --grpc-method, --proto or --descriptors]
    #[arg(long, value_enum)]
    pub(super) protocol: Option<ProtocolKind>,
    /// Requests in flight on one connection at most, with HTTP/2 and gRPC [default: 1]
    #[arg(long, value_name = "N")]
    pub(super) streams: Option<u32>,
    /// The gRPC method: package.Service/Method [default: grpc.health.v1.Health/Check]
    #[arg(long, value_name = "METHOD")]
    pub(super) grpc_method: Option<String>,
    /// The gRPC request message as JSON, or @FILE for that of a file [default: {}]
    #[arg(long, value_name = "JSON|@FILE")]
    pub(super) grpc_message: Option<String>,
    /// Take the shapes of gRPC messages from this .proto file, and not from server reflection
    #[arg(long, value_name = "FILE", conflicts_with = "descriptors")]
    pub(super) proto: Option<PathBuf>,
    /// A folder in which imports of --proto are looked for; may be repeated
    #[arg(long, value_name = "DIR", requires = "proto")]
    pub(super) proto_include: Vec<PathBuf>,
    /// Take them from this file of descriptors (protoc --include_imports --descriptor_set_out)
    #[arg(long, value_name = "FILE")]
    pub(super) descriptors: Option<PathBuf>,
    /// Accept any certificate: the target could be anyone
    #[arg(long)]
    pub(super) insecure: bool,
    /// A PEM file with further certificate authorities
    #[arg(long, value_name = "FILE")]
    pub(super) ca_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) reach: ReachArgs,
    /// A label of the run, for example mesh=istio; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) label: Vec<String>,
    /// What must be reached: p50 p90 p95 p99 p99.9 mean max errors rate, with < <= > >=; may be repeated
    #[arg(long, value_name = "GOAL")]
    pub(super) goal: Vec<Goal>,
    /// End the run as soon as one of its goals cannot be reached any more
    #[arg(long)]
    pub(super) give_up: bool,
    #[command(flatten)]
    pub(super) search: SearchArgs,
    #[command(flatten)]
    pub(super) metrics: RunMetricsArgs,
    /// Agree to send much load to an address that is not private
    #[arg(long)]
    pub(super) yes: bool,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// TLS beyond authorities, and ways to the target other than its name's address.
#[derive(Debug, Default, Args)]
pub(super) struct ReachArgs {
    /// Who we are where the target asks (mutual TLS): a PEM file with the certificate and those that signed it
    #[arg(long, value_name = "FILE")]
    pub(super) client_cert: Option<PathBuf>,
    /// Its private key as PEM, without a password [default: in the same file]
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    pub(super) client_key: Option<PathBuf>,
    /// Both in one PKCS#12 file
    #[arg(long, value_name = "FILE", conflicts_with = "client_cert")]
    pub(super) p12: Option<PathBuf>,
    /// The environment variable with the password of --p12 [default: no password]
    #[arg(long, value_name = "NAME", requires = "p12")]
    pub(super) p12_password_env: Option<String>,
    /// Ask for this name in TLS (SNI) and check the certificate against it, instead of the URL's host
    #[arg(long, value_name = "NAME")]
    pub(super) server_name: Option<String>,
    /// Use these addresses for a name, IPv6 in brackets, for example shop.test:443:10.0.0.1,[::1]; may be repeated
    #[arg(long, value_name = "HOST[:PORT]:ADDR[,ADDR]", value_parser = resolve)]
    pub(super) resolve: Vec<plan::Resolve>,
    /// Use IPv4 addresses only
    #[arg(long, short = '4', conflicts_with = "ipv6")]
    pub(super) ipv4: bool,
    /// Use IPv6 addresses only
    #[arg(long, short = '6')]
    pub(super) ipv6: bool,
    /// Connect to all addresses of the name in turn, and not to the first that accepts
    #[arg(long)]
    pub(super) all_addresses: bool,
    /// Ask anew for the name's addresses on each connection, and not once for the whole run
    #[arg(long)]
    pub(super) resolve_each: bool,
    /// Connect to this Unix socket; the URL says the rest
    #[arg(long, value_name = "FILE", conflicts_with = "proxy")]
    pub(super) unix_socket: Option<PathBuf>,
    /// Connect through a proxy: http://, socks5:// or socks5h:// (which resolves names itself) with user:password@ where
    /// it asks; these are never shown or kept
    #[arg(long, value_name = "URL")]
    pub(super) proxy: Option<String>,
    /// Agree on TLS in full on each connection, without resuming earlier sessions
    #[arg(long)]
    pub(super) no_resumption: bool,
    /// Close a connection after N requests, or after a number drawn from a range [default: as late as possible]
    #[arg(long, value_name = "N|MIN:MAX", value_parser = reuse)]
    pub(super) reuse: Option<plan::Reuse>,
}

/// The search for the highest rate.
#[derive(Debug, Default, Args)]
pub(super) struct SearchArgs {
    /// Search for the highest rate at which these goals are met, by trials as long as --duration [default: 10s each]
    #[arg(long, value_name = "GOAL[,GOAL]", value_delimiter = ',', conflicts_with = "requests")]
    pub(super) find_max: Vec<Goal>,
    /// Try no higher rate than this in a search [default: 100000]
    #[arg(long, value_name = "N", value_parser = rate, requires = "find_max")]
    pub(super) up_to: Option<f64>,
    /// How exact the answer of a search is [default: 5%]
    #[arg(long, value_name = "SHARE", value_parser = share, requires = "find_max")]
    pub(super) resolution: Option<f64>,
    /// Trials at each edge of the answer of a search [default: 3]
    #[arg(long, value_name = "N", requires = "find_max")]
    pub(super) repeats: Option<u32>,
}

/// What is sent, beyond one request that is always the same.
#[derive(Debug, Default, Args)]
pub(super) struct SentArgs {
    /// One of several requests, chosen by weight (1 if left out), to a path or a whole URL; headers and body are those of
    /// the other options. May be repeated, for example --request '3 GET /' --request '1 POST /cart'
    #[arg(long, value_name = "WEIGHT METHOD PATH")]
    pub(super) request: Vec<String>,
    /// Fill {{column}} in path, headers, cookies and body from this file: CSV with a line of names, or JSON lines
    #[arg(long, value_name = "FILE")]
    pub(super) data: Option<PathBuf>,
    /// Which row is next [default: in-turn]
    #[arg(long, value_enum, value_name = "ORDER")]
    pub(super) data_order: Option<OrderKind>,
    /// Fill {{$n}}, {{$uuid}}, {{$random 1 100}} and {{$time_ms}}, without a data file
    #[arg(long)]
    pub(super) templates: bool,
    /// Send cookies that answers set with later requests of the same connection slot
    #[arg(long)]
    pub(super) keep_cookies: bool,
    /// Follow up to N redirects within the target's scheme, host and port; all of it is one request [default: 0]
    #[arg(long, value_name = "N")]
    pub(super) follow_redirects: Option<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum OrderKind {
    /// One after another, from the first again after the last
    InTurn,
    /// Any
    Random,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ProtocolKind {
    /// HTTP/1.1
    Http1,
    /// HTTP/2: agreed on inside TLS, taken for granted without
    Http2,
    /// gRPC, unary or with streamed answers
    Grpc,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum TimerKind {
    /// Within about a microsecond, answers too are watched for; keeps a processor busy
    Precise,
    /// Within about 50 µs
    Balanced,
    /// Up to 500 µs late; for high rates on few processors
    Economy,
}

impl From<TimerKind> for Timer {
    fn from(kind: TimerKind) -> Self {
        match kind {
            TimerKind::Precise => Self::Precise,
            TimerKind::Balanced => Self::Balanced,
            TimerKind::Economy => Self::Economy,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum PacingKind {
    /// Evenly spaced (open loop)
    Constant,
    /// Random arrivals at the rate (open loop)
    Poisson,
    /// As fast as answers come (closed loop)
    Max,
}

/// An id may be shortened to any beginning that only one run has.
/// Publishes one run; see there.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
        meshbench publish 0193 --meshery https://cloud.meshery.io --token-file ~/.meshery/auth.json\n  \
        meshbench publish 0193 --meshery https://cloud.meshery.io\n\n\
        Experimental: written from Meshery's public sources, never held against a provider. One way: nothing is fetched.\n\
        What is sent: name, mesh, URL without user and query, counts, rates, response times in Fortio's shape. No header,\n\
        cookie, body or credential. Publishing a run twice makes two results. The login is kept in the system's keyring.")]
pub(super) struct PublishArgs {
    /// The run's id, or a beginning of it that no other run has
    pub(super) run: String,
    /// The provider's address: https, or this machine
    #[arg(long, value_name = "URL")]
    pub(super) meshery: String,
    /// Import Meshery's token file (auth.json), or - for standard input, into the keyring; needed the first time
    #[arg(long, value_name = "FILE")]
    pub(super) token_file: Option<PathBuf>,
    /// What the result is called [default: as the run]
    #[arg(long)]
    pub(super) name: Option<String>,
    /// The performance profile that it is filed under; made where there is none [default: Meshbench]
    #[arg(long, value_name = "NAME")]
    pub(super) profile: Option<String>,
    /// Publish a void run too, with [VOID] in its name
    #[arg(long)]
    pub(super) void_too: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum HistoryArgs {
    /// All runs, newest first
    List {
        /// At most so many
        #[arg(long, value_name = "N")]
        limit: Option<std::num::NonZeroUsize>,
        /// As a JSON array instead of a table
        #[arg(long)]
        json: bool,
    },
    /// One run with everything that was measured
    Show {
        /// The run's id, or a beginning of it that no other run has
        id: String,
        /// As JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Delete runs for good
    Delete {
        /// Ids of runs, or beginnings of them
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
        /// Do not ask
        #[arg(long, short = 'y')]
        yes: bool,
    },
    /// Write each run as a JSON file into a folder, and take in runs that are only there: for a share, or for Git
    #[command(
        after_help = "Files are written where a run is new or has changed, and never deleted. A run that is deleted here\n\
        comes back from the folder unless its file is deleted too. With --watch the folder is looked at every few seconds,\n\
        files that somebody still writes are left until they stand still, and what is deleted here stays away."
    )]
    Mirror {
        /// The folder; it is made if there is none
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
        /// Keep it in step until Ctrl-C
        #[arg(long)]
        watch: bool,
    },
    /// Write runs in another format
    #[command(after_help = "Examples:\n  \
        meshbench history export 0193 --format html --out report.html\n  \
        meshbench history export 0193a 0194b --format csv --what quantiles > table.csv")]
    Export {
        /// Ids of runs, or beginnings of them
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
        /// json is lossless; html is a report to read and to print
        #[arg(long, value_enum, default_value = "json")]
        format: FormatKind,
        /// What the rows of a csv are
        #[arg(long, value_enum, default_value = "quantiles")]
        what: RowsKind,
        /// Write to this file instead of standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FormatKind {
    Json,
    Csv,
    Html,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum RowsKind {
    /// One row for each interval of a run
    Intervals,
    /// One row for each run
    Quantiles,
}

/// Kubeconfigs are read where they are; they are never written, and nothing in them is kept.
#[derive(Debug, Subcommand)]
pub(super) enum ClusterArgs {
    /// Keep kubeconfigs, or folders of them, in mind
    Add {
        /// Kubeconfigs or folders
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Forget a kubeconfig or folder; the file stays as it is
    Remove {
        /// As it was added
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// All contexts; where no kubeconfig was added, those that kubectl uses
    List {
        /// As a JSON array instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Whether a cluster can be reached, how quick it answers, who you are and what you may do there
    Check(ContextArgs),
    /// The service meshes that a cluster runs
    Meshes(ContextArgs),
    /// The Services of a cluster
    Services(ContextArgs),
}

#[derive(Debug, Args)]
pub(super) struct ContextArgs {
    /// The context's name or alias
    pub(super) context: String,
    /// Use this kubeconfig, for this command only
    #[arg(long, value_name = "FILE")]
    pub(super) kubeconfig: Option<PathBuf>,
    /// As JSON instead of a table
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
        meshbench target\n  \
        meshbench target --listen 127.0.0.1:8080 --delay lognormal:4ms,0.5 --error-rate 1% --stall 1s/10s")]
pub(super) struct TargetArgs {
    /// Address and port; port 0 takes any free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    pub(super) listen: SocketAddr,
    /// How long an answer takes: none, 5ms, or lognormal:MEDIAN,SIGMA
    #[arg(long, default_value = "none")]
    pub(super) delay: Delay,
    /// Share of requests that are answered with status 500
    #[arg(long, value_name = "SHARE", default_value = "0%", value_parser = share)]
    pub(super) error_rate: f64,
    /// Length of each answer's body: 512B, 1KiB, 2MB
    #[arg(long, default_value = "1KiB", value_parser = parse_size)]
    pub(super) size: u64,
    /// Answer nothing for a while, again and again: LENGTH/EVERY, for example 1s/10s
    #[arg(long, value_name = "LENGTH/EVERY")]
    pub(super) stall: Option<Stall>,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text
        .trim_end_matches("/s")
        .parse()
        .map_err(|_| "a rate is a number of requests per second, for example 1000".to_owned())?;
    plan::check_rate(rate)?;
    Ok(rate)
}

/// `shop.test:443:10.0.0.1,[::1]`, with or without the port.
fn resolve(text: &str) -> Result<plan::Resolve, String> {
    let wrong = || "write host, perhaps port, and addresses: shop.test:443:10.0.0.1,[::1]".to_owned();
    let (host, rest) = text.split_once(':').ok_or_else(wrong)?;
    let port = rest.split_once(':').and_then(|(port, rest)| Some((port.parse().ok()?, rest)));
    let (port, rest) = port.map_or((None, rest), |(port, rest)| (Some(port), rest));
    let address = |text: &str| {
        let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        let address = match inside {
            Some(inside) => inside.parse().map(IpAddr::V6).ok(),
            None => text.parse().map(IpAddr::V4).ok(),
        };
        address.ok_or_else(|| format!("“{text}” is not an address; write 10.0.0.1 or [::1]"))
    };
    let addresses = rest.split(',').map(|text| address(text.trim())).collect::<Result<_, _>>()?;
    if host.is_empty() {
        return Err(wrong());
    }
    Ok(plan::Resolve { host: host.to_owned(), port, addresses })
}

/// `100`, or `50:150`.
fn reuse(text: &str) -> Result<plan::Reuse, String> {
    let number = |text: &str| {
        text.trim().parse().map_err(|_| "write a number of requests, or a range: 100 or 50:150".to_owned())
    };
    let (min, max) = text.split_once(':').unwrap_or((text, text));
    Ok(plan::Reuse { min: number(min)?, max: number(max)? })
}

fn share(text: &str) -> Result<f64, String> {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let share = match text.strip_suffix('%') {
        Some(percent) => number(percent).map(|percent| percent / 100.0),
        None => number(text),
    };
    share
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "a share is from 0% to 100%, for example 1%".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn shares_and_rates_are_read_as_people_write_them() {
        assert_eq!(share("1%"), Ok(0.01));
        assert_eq!(share("0.5"), Ok(0.5));
        share("101%").expect_err("more than all");
        assert_eq!(rate("1000/s"), Ok(1000.0));
        rate("0").expect_err("nothing");
        rate("fast").expect_err("no number");
    }
}
