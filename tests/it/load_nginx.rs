//! A real server's own log must agree with our counts exactly.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use meshbench::load::Measured;
use meshbench::model::plan::Protocol;
use meshbench::model::{Pacing, Plan, Stop};
use rustix::process::{Pid, Signal, kill_process};

use crate::peer::{assert_balanced, closed_port, measure};

const NGINX: &str = "/usr/sbin/nginx";

pub(crate) struct Nginx {
    child: Child,
    is_tls: bool,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Nginx {
    fn start() -> Self {
        Self::listening("", 37)
    }

    /// `log`: what its log has of each request; `locations`: what it serves.
    pub(crate) fn serving(log: &str, locations: &str) -> Self {
        Self::started("", 37, log, locations)
    }

    /// As [`Self::serving`], over HTTP/2 where that is the protocol.
    pub(crate) fn serving_over(protocol: &Protocol, log: &str, locations: &str) -> Self {
        Self::started(if protocol.is_on_http2() { "http2" } else { "" }, 37, log, locations)
    }

    /// Never ends a connection by itself.
    pub(crate) fn unlimited() -> Self {
        Self::listening("", 100_000_000)
    }

    /// Speaks HTTP/2 by prior knowledge; ends a connection after so many requests.
    pub(crate) fn http2(keepalive_requests: u32) -> Self {
        Self::listening("http2", keepalive_requests)
    }

    /// Agrees on HTTP/2 inside TLS.
    pub(crate) fn http2_tls() -> Self {
        Self::listening("ssl http2", 100_000)
    }

    /// Agrees on HTTP/1.1 only, inside TLS.
    pub(crate) fn tls() -> Self {
        Self::listening("ssl", 37)
    }

    /// Serves inside TLS; `locations` may say more of it.
    pub(crate) fn serving_tls(locations: &str) -> Self {
        Self::started("ssl", 100_000, "$status", locations)
    }

    /// The certificate to trust.
    pub(crate) fn authority(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    fn listening(how: &str, keepalive_requests: u32) -> Self {
        Self::started(
            how,
            keepalive_requests,
            "$status",
            "location / { return 200 'hello'; }
             location /missing { return 404 'nothing here'; }
             location /empty { return 204; }",
        )
    }

    fn started(how: &str, keepalive_requests: u32, log: &str, locations: &str) -> Self {
        assert!(
            Path::new(NGINX).exists(),
            "{NGINX} is missing; install the Debian package nginx-light (apt-get install nginx-light)"
        );
        let folder = tempfile::tempdir().expect("a folder");
        let address = closed_port();
        let is_tls = how.contains("ssl");
        let taken = folder.path().join("taken.sock").display().to_string();
        let mut tls = "";
        if is_tls {
            let identity =
                rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
            std::fs::write(folder.path().join("cert.pem"), identity.cert.pem()).expect("a file");
            std::fs::write(folder.path().join("key.pem"), identity.signing_key.serialize_pem())
                .expect("a file");
            tls = "ssl_certificate cert.pem; ssl_certificate_key key.pem;";
        }
        let config = format!(
            "daemon off; master_process off; pid nginx.pid; error_log error.log;
             events {{ worker_connections 512; }}
             http {{
                 log_format wanted '{log}'; access_log access.log wanted;
                 client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
                 uwsgi_temp_path uwsgi; scgi_temp_path scgi;
                 keepalive_requests {keepalive_requests}; client_max_body_size 1m; {tls}
                 server {{
                     listen {address} {how};
                     {locations}
                     location /body {{ proxy_pass http://unix:{taken}:/; }}
                 }}
                 # Takes a request once its whole body is there.
                 server {{ listen unix:{taken}; access_log off; return 200 'taken'; }}
             }}"
        );
        std::fs::write(folder.path().join("nginx.conf"), config).expect("a file");
        let child = Command::new(NGINX)
            .arg("-p")
            .arg(folder.path())
            .args(["-c", "nginx.conf", "-e", "error.log"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx can be started");
        let mut nginx = Self { child, is_tls, address, folder };
        nginx.wait_until_it_listens();
        nginx
    }

    fn wait_until_it_listens(&mut self) {
        let begun = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            let ended = self.child.try_wait().expect("a child");
            let log = std::fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default();
            assert!(ended.is_none() && begun.elapsed() < Duration::from_secs(20), "nginx: {ended:?} {log}");
            std::thread::yield_now();
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self, path: &str) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.address)
    }

    /// Ends it in good order, so that the log is whole; its lines and their counts.
    pub(crate) fn logged(mut self) -> BTreeMap<String, u64> {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::QUIT).expect("it runs");
        self.child.wait().expect("a child");
        let log = std::fs::read_to_string(self.folder.path().join("access.log")).expect("an access log");
        let mut counts = BTreeMap::new();
        for line in log.lines() {
            *counts.entry(line.to_owned()).or_insert(0) += 1;
        }
        counts
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn plan(url: &str, pacing: Pacing, stop: Stop) -> Plan {
    Plan { connections: 8, pacing, stop, warmup: Duration::from_millis(300), ..Plan::for_url(url) }
}

fn assert_agrees(path: &str, status: &str, pacing: Pacing, stop: Stop) -> Measured {
    let nginx = Nginx::start();
    let measured = measure(&plan(&nginx.url(path), pacing.clone(), stop), 2);
    let what = format!("{path} {pacing:?} {stop:?}");
    assert_balanced(&measured, &what);
    assert_eq!(measured.requests.answered, measured.requests.due, "{what}: {:?}", measured.errors);
    assert!(measured.warmup.answered > 0, "{what}");
    assert!(measured.connections.opened > 8, "it reconnects: {:?}", measured.connections);
    let mut counts = measured.status.clone();
    *counts.entry(status.to_owned()).or_insert(0) += measured.warmup.answered;
    assert_eq!(nginx.logged(), counts, "{what}");
    measured
}

#[test]
fn nginx_logs_what_a_closed_loop_counts() {
    let second = Stop::Duration(Duration::from_secs(1));
    for (path, status) in [("/", "200"), ("/missing", "404"), ("/empty", "204")] {
        assert_agrees(path, status, Pacing::MAX, second);
    }
    let measured = assert_agrees("/", "200", Pacing::MAX, Stop::Requests(2345));
    assert_eq!(measured.requests.due, 2345);
}

#[test]
fn nginx_logs_what_an_open_loop_counts() {
    let constant = Pacing::Constant { rate_per_sec: 2000.0 };
    let measured = assert_agrees("/", "200", constant.clone(), Stop::Duration(Duration::from_secs(1)));
    assert_eq!((measured.requests.due, measured.warmup.due), (2000, 600));
    assert_agrees("/missing", "404", constant, Stop::Requests(777));
    let poisson = Pacing::Poisson { rate_per_sec: 2000.0 };
    assert_agrees("/", "200", poisson.clone(), Stop::Duration(Duration::from_secs(1)));
    let measured = assert_agrees("/", "200", poisson, Stop::Requests(777));
    assert_eq!(measured.requests.due, 777);
}
