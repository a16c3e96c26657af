//! A small mesh on loopback, of real parts: an nginx, a real Envoy in front of it, and a real Prometheus that reads
//! Envoy every second. All end with the rig.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::load_nginx::Nginx;
use crate::peer::closed_port;

/// Of the folder into which `./test` puts it; tests/envoy/requirements.txt says the same.
const ENVOY: &str = "envoy-1.40.0";
/// Nothing here takes longer to start.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at what is awaited.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How often a port may be taken by somebody else before it is listened at.
const TRIES: u32 = 5;

/// nginx, Envoy and Prometheus.
pub(crate) struct Rig {
    prometheus: Prometheus,
    envoy: Envoy,
    _nginx: Nginx,
    client: reqwest::Client,
}

impl Rig {
    /// `/` is answered with 200, `/broken` with 503; what Envoy counts is read every second.
    pub(crate) async fn start() -> Self {
        let client = client();
        let nginx = Nginx::serving(
            "$status",
            "location / { return 200 'hello'; } location /broken { return 503 'broken'; }",
        );
        let envoy = Envoy::start(nginx.address(), &client).await;
        let prometheus = Prometheus::start(envoy.admin, &client).await;
        Self { prometheus, envoy, _nginx: nginx, client }
    }

    /// Of the application, through Envoy.
    pub(crate) fn app(&self, path: &str) -> String {
        format!("http://{}{path}", self.envoy.listener)
    }

    /// Of Envoy's own pages; what it counts is at `/stats/prometheus`.
    pub(crate) fn admin(&self) -> String {
        format!("http://{}", self.envoy.admin)
    }

    /// Of Prometheus.
    pub(crate) fn prometheus(&self) -> String {
        format!("http://{}", self.prometheus.address)
    }

    /// Where Prometheus listens.
    pub(crate) fn prometheus_address(&self) -> SocketAddr {
        self.prometheus.address
    }

    /// Waits until Prometheus has read Envoy twice more: what was counted before is there then.
    pub(crate) async fn two_scrapes(&self) {
        let scrapes = "count_over_time(up[10m])";
        let before = self.number(scrapes).await.unwrap_or(0.0);
        let begun = Instant::now();
        while self.number(scrapes).await.unwrap_or(0.0) < before + 2.0 {
            assert!(begun.elapsed() < PATIENCE, "Prometheus does not read Envoy: {}", self.prometheus.log());
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The only value of a query now, asked without anything of ours in between.
    pub(crate) async fn number(&self, promql: &str) -> Option<f64> {
        let query: String = url::form_urlencoded::byte_serialize(promql.as_bytes()).collect();
        let url = format!("{}/api/v1/query?query={query}", self.prometheus());
        let text = self.client.get(url).send().await.ok()?.text().await.ok()?;
        let answer: serde_json::Value = serde_json::from_str(&text).ok()?;
        answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    }
}

pub(crate) fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(20)).build().unwrap()
}

/// A process, its folder and its log.
struct Part {
    child: Child,
    folder: TempDir,
}

impl Part {
    fn start(program: &Path, folder: TempDir, args: &[&str]) -> Self {
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new(program)
            .args(args)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        Self { child, folder }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A proxy that is not ours.
struct Envoy {
    _part: Part,
    listener: SocketAddr,
    admin: SocketAddr,
}

impl Envoy {
    async fn start(upstream: SocketAddr, client: &reqwest::Client) -> Self {
        let program = tool(ENVOY, "envoy").expect("Envoy is missing; get it with: ./test parts");
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("envoy.json"), config(upstream).to_string()).unwrap();
        let args = "-c envoy.json --concurrency 1 -l warn --disable-hot-restart --admin-address-path admin";
        let args: Vec<&str> = args.split(' ').collect();
        let mut part = Part::start(&program, folder, &args);
        let begun = Instant::now();
        loop {
            if let Some((admin, listener)) = addresses(&part, client).await {
                return Self { _part: part, listener, admin };
            }
            let has_ended = part.has_ended();
            assert!(!has_ended && begun.elapsed() < PATIENCE, "Envoy does not start: {}", part.log());
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// Where an Envoy that is ready listens, for its own pages and for the application.
async fn addresses(part: &Part, client: &reqwest::Client) -> Option<(SocketAddr, SocketAddr)> {
    let admin = std::fs::read_to_string(part.folder.path().join("admin")).ok()?;
    let admin: SocketAddr = admin.trim().parse().ok()?;
    let ready = client.get(format!("http://{admin}/ready")).send().await.ok()?;
    if !ready.status().is_success() {
        return None;
    }
    let text = client.get(format!("http://{admin}/listeners")).send().await.ok()?.text().await.ok()?;
    let listener = text.lines().find_map(|line| line.strip_prefix("ingress::"))?;
    Some((admin, listener.trim().parse().ok()?))
}

fn config(upstream: SocketAddr) -> serde_json::Value {
    let here =
        |port: u16| serde_json::json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
    let types = "type.googleapis.com/envoy.extensions.filters";
    serde_json::json!({
        "admin": {"address": here(0)},
        "static_resources": {
            "listeners": [{"name": "ingress", "address": here(0), "filter_chains": [{"filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": {
                    "@type": format!("{types}.network.http_connection_manager.v3.HttpConnectionManager"),
                    "stat_prefix": "ingress_http",
                    "route_config": {"name": "local", "virtual_hosts": [{
                        "name": "app", "domains": ["*"],
                        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "app"}}]
                    }]},
                    "http_filters": [{
                        "name": "envoy.filters.http.router",
                        "typed_config": {"@type": format!("{types}.http.router.v3.Router")}
                    }]
                }
            }]}]}],
            "clusters": [{
                "name": "app", "type": "STATIC", "connect_timeout": "1s",
                "load_assignment": {"cluster_name": "app", "endpoints": [{"lb_endpoints": [
                    {"endpoint": {"address": here(upstream.port())}}
                ]}]}
            }]
        }
    })
}

/// A server of metrics that is not ours.
struct Prometheus {
    part: Part,
    address: SocketAddr,
}

impl Prometheus {
    /// Reads an Envoy every second.
    async fn start(envoy: SocketAddr, client: &reqwest::Client) -> Self {
        let program = tool("prometheus", "prometheus").or_else(|| on_path("prometheus"));
        let program = program.expect("Prometheus is missing; get it with: ./test parts");
        let config = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
             scrape_configs:\n\
             - job_name: envoy\n  metrics_path: /stats/prometheus\n  static_configs:\n  \
             - {{targets: [\"{envoy}\"], labels: {{mesh: envoy}}}}\n"
        );
        // It cannot be asked to take a free port, so somebody else may take it first.
        for _ in 0..TRIES {
            let address = closed_port();
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("prometheus.yml"), &config).unwrap();
            let listen = format!("--web.listen-address={address}");
            let args = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", listen.as_str()];
            let mut prometheus = Self { part: Part::start(&program, folder, &args), address };
            if prometheus.is_ready(client).await {
                return prometheus;
            }
        }
        panic!("Prometheus finds no port");
    }

    /// Whether it got its port.
    async fn is_ready(&mut self, client: &reqwest::Client) -> bool {
        let begun = Instant::now();
        loop {
            if self.part.has_ended() {
                assert!(self.log().contains("address already in use"), "Prometheus ends: {}", self.log());
                return false;
            }
            let ready = client.get(format!("http://{}/-/ready", self.address)).send().await;
            if ready.is_ok_and(|ready| ready.status().is_success()) {
                return true;
            }
            assert!(begun.elapsed() < PATIENCE, "Prometheus does not start: {}", self.log());
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn log(&self) -> String {
        self.part.log()
    }
}

/// A program that `./test` has put into its cache.
fn tool(folder: &str, program: &str) -> Option<PathBuf> {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/tmp".into())).join(".cache");
    let cache = std::env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from);
    let path = cache.join("meshbench/tools").join(folder).join(program);
    path.is_file().then_some(path)
}

fn on_path(program: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    std::env::split_paths(&paths).map(|path| path.join(program)).find(|path| path.is_file())
}
