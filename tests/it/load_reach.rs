//! TLS and ways to the target, against real servers and proxies; and each way in which a connection goes wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use meshbench::load::{self, Control, Measured, Options};
use meshbench::model::plan::{ClientCertificate, Protocol, Reuse};
use meshbench::model::{Pacing, Plan, Stop};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    date_time_ymd,
};
use rustix::process::{Pid, Signal, kill_process};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use crate::load_nginx::Nginx;
use crate::peer::{Peer, assert_balanced, closed_port, finish, measure, read_request};

const REQUESTS: u64 = 40;
const TIMEOUT: Duration = Duration::from_millis(400);

/// A program of somebody else's, until it is dropped.
struct Part {
    child: Child,
    folder: tempfile::TempDir,
}

impl Part {
    /// Starts it in a folder of its own, and waits until it listens.
    fn start(
        program: &str,
        package: &str,
        arguments: &[&str],
        folder: tempfile::TempDir,
        at: SocketAddr,
    ) -> Self {
        let log = std::fs::File::create(folder.path().join("out.log")).expect("a file");
        let child = Command::new(program)
            .args(arguments)
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}; install it (apt-get install {package})"));
        let mut part = Self { child, folder };
        let begun = Instant::now();
        while TcpStream::connect(at).is_err() {
            let ended = part.child.try_wait().expect("a child");
            let log = part.text("out.log") + &part.text("error.log");
            assert!(
                ended.is_none() && begun.elapsed() < Duration::from_secs(20),
                "{program}: {ended:?} {log}"
            );
            std::thread::yield_now();
        }
        part
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    /// Ends it in good order, so that its log is whole.
    fn end(&mut self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
        self.child.wait().expect("a child");
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A certificate authority with its file.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

/// A certificate and its key.
struct Identity {
    certificate: CertificateDer<'static>,
    pem: String,
    key: KeyPair,
}

impl Authority {
    fn new() -> Self {
        Self::called("Test authority")
    }

    fn called(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let issuer =
            CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).expect("a file");
        Self { issuer, folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    fn sign(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let mut params = named(names);
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Identity { certificate: certificate.der().clone(), pem: certificate.pem(), key }
    }

    /// Files with a certificate for us.
    fn client(&self) -> (PathBuf, PathBuf) {
        let identity = self.sign(&["me.test"], |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            params.distinguished_name.push(rcgen::DnType::CommonName, "me");
        });
        identity.write(self.folder.path(), "client")
    }
}

impl Identity {
    fn write(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let (certificate, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
        std::fs::write(&certificate, &self.pem).expect("a file");
        std::fs::write(&key, self.key.serialize_pem()).expect("a file");
        (certificate, key)
    }
}

fn named(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    CertificateParams::new(names).expect("names")
}

/// nginx: plain, inside TLS, and both on Unix sockets.
struct Web {
    part: Part,
    plain: SocketAddr,
    tls: SocketAddr,
}

impl Web {
    /// `log`: what its log has of each request; `more`: for its servers with TLS.
    fn start(authority: &Authority, log: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let server = authority.sign(&["localhost", "127.0.0.1"], |_| {});
        server.write(folder.path(), "server");
        let (plain, tls, ca) = (closed_port(), closed_port(), authority.file().display().to_string());
        let config = format!(
            "daemon off; master_process off; pid nginx.pid; error_log error.log;
             events {{ worker_connections 512; }}
             http {{
                 log_format wanted '{log}'; access_log access.log wanted; keepalive_requests 100000;
                 client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
                 uwsgi_temp_path uwsgi; scgi_temp_path scgi;
                 ssl_certificate server.pem; ssl_certificate_key server.key; ssl_client_certificate {ca};
                 server {{ listen {plain}; listen unix:plain.sock; return 200 'hello'; }}
                 server {{ listen {tls} ssl; listen unix:tls.sock ssl; {more} return 200 'hello'; }}
             }}"
        );
        std::fs::write(folder.path().join("nginx.conf"), config).expect("a file");
        let path = folder.path().display().to_string();
        let arguments = ["-p", &path, "-c", "nginx.conf", "-e", "error.log"];
        let part = Part::start("/usr/sbin/nginx", "nginx-light", &arguments, folder, tls);
        Self { part, plain, tls }
    }

    fn socket(&self, name: &str) -> PathBuf {
        self.part.folder.path().join(name)
    }

    /// Ends it; the lines of its log.
    fn logged(mut self) -> Vec<String> {
        self.part.end(Signal::QUIT);
        self.part.text("access.log").lines().map(str::to_owned).collect()
    }
}

fn plan(url: &str) -> Plan {
    let pacing = Pacing::MAX;
    Plan { connections: 2, pacing, stop: Stop::Requests(REQUESTS), timeout: TIMEOUT, ..Plan::for_url(url) }
}

fn secure(to: SocketAddr, authority: &Authority) -> Plan {
    let mut plan = plan(&format!("https://{to}/"));
    plan.timeout = Duration::from_secs(5);
    plan.target.ca_file = Some(authority.file());
    plan
}

fn assert_all(plan: &Plan, status: &str, what: &str) -> Measured {
    let measured = measure(plan, 1);
    assert_balanced(&measured, what);
    let expected = BTreeMap::from([(status.to_owned(), REQUESTS)]);
    assert_eq!(measured.status, expected, "{what}: {:?} {:?}", measured.errors, measured.error_details);
    measured
}

/// Every request ends as this class, and the reasons have these words.
fn assert_fails(plan: &Plan, class: &str, words: &str) -> Measured {
    // One for each request: after a failure to connect, the next waits.
    let measured = measure(&Plan { connections: REQUESTS as u32, ..plan.clone() }, 1);
    assert_balanced(&measured, words);
    let errors: Vec<_> = measured.errors.iter().map(|(class, count)| (class.as_str(), *count)).collect();
    assert_eq!(errors, [(class, REQUESTS)], "{words}: {:?}", measured.error_details);
    let told: Vec<_> = measured.error_details.get(class).into_iter().flatten().collect();
    assert!(words.is_empty() || told.iter().all(|(why, _)| why.contains(words)), "{words}: {told:?}");
    assert_eq!(told.is_empty(), words.is_empty(), "{words}: {told:?}");
    measured
}

fn refused(plan: &Plan) -> String {
    load::run(plan, &Options::default(), &Control::new(), &mut |_| {})
        .expect_err("it cannot be run")
        .to_string()
}

fn openssl(arguments: &[&str]) {
    let made = Command::new("openssl")
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("openssl: {error}; install it (apt-get install openssl)"));
    assert!(made.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&made.stderr));
}

#[test]
fn nginx_sees_who_we_are_by_certificates_of_every_form() {
    let authority = Authority::new();
    let web = Web::start(&authority, "$status $ssl_client_verify", "ssl_verify_client on;");
    let (certificate, key) = authority.client();
    let mut clients = vec![ClientCertificate::Pem { certificate: certificate.clone(), key: key.clone() }];
    let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
    for (name, more) in [("modern", &[][..]), ("legacy", &["-legacy"][..])] {
        let file = authority.folder.path().join(format!("{name}.p12"));
        let to = file.display().to_string();
        let mut arguments = vec![
            "pkcs12",
            "-export",
            "-in",
            &certificate,
            "-inkey",
            &key,
            "-out",
            &to,
            "-passout",
            "pass:open",
        ];
        arguments.extend(more);
        openssl(&arguments);
        let mut wrong = secure(web.tls, &authority);
        wrong.target.tls.client =
            Some(ClientCertificate::Pkcs12 { file: file.clone(), password: "CANARY".to_owned() });
        let told = refused(&wrong);
        assert!(told.contains("the password is wrong") && !told.contains("CANARY"), "{name}: {told}");
        clients.push(ClientCertificate::Pkcs12 { file, password: "open".to_owned() });
    }
    let mut expected = BTreeMap::from([("400 NONE".to_owned(), REQUESTS)]);
    assert_all(&secure(web.tls, &authority), "400", "nobody");
    for client in clients {
        let mut plan = secure(web.tls, &authority);
        plan.target.tls.client = Some(client.clone());
        assert_all(&plan, "200", &format!("{client:?}"));
        *expected.entry("200 SUCCESS".to_owned()).or_default() += REQUESTS;
    }
    let mut seen = BTreeMap::new();
    for line in web.logged() {
        *seen.entry(line).or_insert(0) += 1;
    }
    assert_eq!(seen, expected);
}

#[test]
fn sessions_are_resumed_unless_that_is_turned_off() {
    let authority = Authority::new();
    for versions in ["TLSv1.3", "TLSv1.2"] {
        for resumption in [true, false] {
            let more = format!("ssl_protocols {versions};");
            let web = Web::start(&authority, "$ssl_session_reused", &more);
            let mut plan = secure(web.tls, &authority);
            (plan.connections, plan.target.tls.resumption) = (1, resumption);
            plan.target.reuse = Some(Reuse { min: 1, max: 1 });
            let measured = assert_all(&plan, "200", versions);
            assert_eq!(measured.connections.opened, REQUESTS);
            let resumed = web.logged().iter().filter(|line| *line == "r").count() as u64;
            // The first has nothing to resume.
            assert_eq!(resumed, if resumption { REQUESTS - 1 } else { 0 }, "{versions}");
        }
    }
}

#[test]
fn connections_end_within_the_range_that_was_asked_for() {
    let authority = Authority::new();
    let web = Web::start(&authority, "$connection $connection_requests", "");
    let mut plan = plan(&format!("http://{}/", web.plain));
    plan.connections = 1;
    plan.stop = Stop::Requests(300);
    plan.target.reuse = Some(Reuse { min: 3, max: 6 });
    let measured = measure(&plan, 1);
    assert_balanced(&measured, "reuse");
    assert_eq!(measured.requests.answered, 300, "{:?}", measured.errors);
    let mut carried = BTreeMap::new();
    for line in web.logged() {
        let (connection, requests) = line.split_once(' ').expect("two numbers");
        let requests: u64 = requests.parse().expect("a number");
        let most = carried.entry(connection.parse::<u64>().expect("a number")).or_insert(0);
        *most = requests.max(*most);
    }
    assert_eq!(measured.connections.opened, carried.len() as u64);
    // The run ends while the last is in use.
    carried.pop_last();
    assert_eq!(carried.into_values().collect::<BTreeSet<_>>(), (3..=6).collect());
}

#[test]
fn a_unix_socket_leads_to_the_target() {
    let authority = Authority::new();
    let web = Web::start(&authority, "$server_addr", "");
    let reach = |plan: Plan, name: &str| {
        let mut plan = plan;
        plan.target.reach.unix_socket = Some(web.socket(name));
        plan
    };
    let measured = assert_all(&reach(plan("http://shop.test/"), "plain.sock"), "200", "plain");
    assert!(measured.address.starts_with("unix:/"), "{}", measured.address);
    let mut inside = reach(secure(web.tls, &authority), "tls.sock");
    "https://localhost/".clone_into(&mut inside.target.url);
    assert_all(&inside, "200", "inside TLS");
    assert_fails(&reach(plan("http://shop.test/"), "none.sock"), "connect_refused", "the Unix socket");
    let lines = web.logged();
    assert_eq!(lines.len() as u64, 2 * REQUESTS);
    assert!(lines.iter().all(|line| line.starts_with("unix:")), "{lines:?}");
}

fn tinyproxy(more: &str) -> (Part, SocketAddr) {
    let (folder, at) = (tempfile::tempdir().expect("a folder"), closed_port());
    let config = format!(
        "Port {}\nListen {}\nLogFile \"proxy.log\"\nLogLevel Connect\nMaxClients 100\nTimeout 60\n{more}\n",
        at.port(),
        at.ip()
    );
    std::fs::write(folder.path().join("proxy.conf"), config).expect("a file");
    (Part::start("tinyproxy", "tinyproxy", &["-d", "-c", "proxy.conf"], folder, at), at)
}

/// An HTTP proxy that asks who one is, and a SOCKS proxy that does not.
pub(crate) struct Proxies {
    _parts: [Part; 2],
    http: SocketAddr,
    socks: SocketAddr,
}

impl Proxies {
    pub(crate) fn start() -> Self {
        let (part, http) = tinyproxy("BasicAuth ada s3cret");
        let (folder, socks) = (tempfile::tempdir().expect("a folder"), closed_port());
        let (ip, port) = (socks.ip().to_string(), socks.port().to_string());
        let other = Part::start("microsocks", "microsocks", &["-i", &ip, "-p", &port], folder, socks);
        Self { _parts: [part, other], http, socks }
    }

    pub(crate) fn http(&self) -> String {
        format!("http://ada:s3c%72et@{}", self.http)
    }

    pub(crate) fn socks(&self) -> String {
        format!("socks5://{}", self.socks)
    }
}

fn through(proxy: &str, plan: Plan) -> Plan {
    let mut plan = Plan { timeout: Duration::from_secs(5), ..plan };
    plan.target.reach.proxy = Some(proxy.to_owned());
    plan
}

#[test]
fn an_http_proxy_carries_every_protocol() {
    let authority = Authority::new();
    let web = Web::start(&authority, "$status", "");
    let (part, at) = tinyproxy("BasicAuth ada s3cret");
    let proxy = format!("http://ada:s3cret@{at}");
    let plain = plan(&format!("http://localhost:{}/", web.plain.port()));
    let measured = assert_all(&through(&proxy, plain.clone()), "200", "plain");
    assert_eq!(measured.address, format!("localhost:{} through {at}", web.plain.port()));
    assert_all(&through(&proxy, secure(web.tls, &authority)), "200", "inside TLS");
    let http2 = Nginx::http2(100_000);
    let mut streams = plan(&http2.url("/"));
    streams.target.protocol = Protocol::Http2 { streams: 4 };
    assert_all(&through(&proxy, streams), "200", "HTTP/2");
    let log = part.text("proxy.log");
    for to in [web.plain.port(), web.tls.port()] {
        assert!(log.contains(&format!(":{to} HTTP/1.1")) && log.contains("CONNECT"), "{to}: {log}");
    }
    for (proxy, words) in [
        (format!("http://{at}"), "the proxy said 407: it asks for credentials"),
        (format!("http://ada:CANARY@{at}"), "the proxy said 401"),
        (format!("http://{}", closed_port()), "nobody listens on the proxy"),
    ] {
        assert_fails(&through(&proxy, plain.clone()), "connect_refused", words);
    }
    let nobody = plan(&format!("http://{}/", closed_port()));
    assert_fails(&through(&proxy, nobody), "connect_refused", "the proxy said 5");
}

#[test]
fn a_socks_proxy_carries_every_protocol() {
    let authority = Authority::new();
    let web = Web::start(&authority, "$status", "");
    let (folder, at) = (tempfile::tempdir().expect("a folder"), closed_port());
    let (ip, port) = (at.ip().to_string(), at.port().to_string());
    let arguments = ["-i", &ip, "-p", &port, "-u", "ada", "-P", "s3cret"];
    let part = Part::start("microsocks", "microsocks", &arguments, folder, at);
    let plain = plan(&format!("http://localhost:{}/", web.plain.port()));
    for kind in ["socks5", "socks5h"] {
        let proxy = format!("{kind}://ada:s3cret@{at}");
        let measured = assert_all(&through(&proxy, plain.clone()), "200", kind);
        let host = if kind == "socks5" { "127.0.0.1" } else { "localhost" };
        assert_eq!(measured.address, format!("{host}:{} through {at}", web.plain.port()));
        assert_all(&through(&proxy, secure(web.tls, &authority)), "200", kind);
        let log = part.text("out.log");
        assert!(log.contains(&format!("connected to {host}:{}", web.plain.port())), "{kind}: {log}");
        for (credentials, words) in
            [("", "the proxy asks for credentials"), ("ada:CANARY@", "does not accept")]
        {
            let proxy = format!("{kind}://{credentials}{at}");
            assert_fails(&through(&proxy, plain.clone()), "connect_refused", words);
        }
    }
    let nobody = plan(&format!("http://{}/", closed_port()));
    let proxy = format!("socks5://ada:s3cret@{at}");
    assert_fails(&through(&proxy, nobody), "connect_refused", "the proxy said: Connection refused");
}

#[test]
fn a_proxy_that_is_none_is_told_apart() {
    let plain = plan("http://shop.test/");
    let garbage = Peer::answering("220 mail.test ESMTP\r\n\r\n");
    let proxy = format!("http://{}", garbage.address());
    assert_fails(&through(&proxy, plain.clone()), "protocol", "does not answer in HTTP");
    let mail = Peer::start(|mut stream, _| {
        let _ = stream.write_all(b"220 mail.test ESMTP\r\n");
        finish(&mut stream);
    });
    let proxy = format!("socks5h://{}", mail.address());
    assert_fails(&through(&proxy, plain.clone()), "protocol", "does not speak SOCKS5");
    let endless = Peer::start(|mut stream, _| {
        if read_request(&mut stream) {
            while stream.write_all(&[b'a'; 4096]).is_ok() {}
        }
    });
    let proxy = format!("http://{}", endless.address());
    assert_fails(&through(&proxy, plain.clone()), "protocol", "does not end");
    let closing = Peer::start(|mut stream, _| {
        let _ = read_request(&mut stream);
        finish(&mut stream);
    });
    let proxy = format!("http://{}", closing.address());
    assert_fails(&through(&proxy, plain.clone()), "closed_early", "the proxy closed");
    let silent = Peer::start(|mut stream, _| finish_later(&mut stream));
    for kind in ["http", "socks5h"] {
        let mut plan = through(&format!("{kind}://{}", silent.address()), plain.clone());
        plan.timeout = TIMEOUT;
        assert_fails(&plan, "connect_timeout", "");
    }
}

/// Keeps a connection open and silent until the other side has closed it.
fn finish_later(stream: &mut TcpStream) {
    let _ = std::io::copy(stream, &mut std::io::sink());
}

fn server(identity: &Identity, clients: Option<&Authority>) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions");
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.issuer.der().clone()).expect("an authority");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().expect("a verifier"))
        }
    };
    let key = PrivateKeyDer::try_from(identity.key.serialize_der()).expect("a key");
    Arc::new(builder.with_single_cert(vec![identity.certificate.clone()], key).expect("a matching key"))
}

fn tls_peer(config: Arc<ServerConfig>) -> Peer {
    Peer::start(move |stream, _| {
        let connection = rustls::ServerConnection::new(Arc::clone(&config)).expect("a session");
        let mut stream = rustls::StreamOwned::new(connection, stream);
        while read_request(&mut stream)
            && stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_ok()
            && stream.flush().is_ok()
        {}
        finish(&mut stream.sock);
    })
}

/// For this machine, by itself; of one that may be an authority too, as the usual tools make them.
fn self_signed(is_ca: bool, change: fn(&mut CertificateParams)) -> Identity {
    let (mut params, key) = (named(&["localhost", "127.0.0.1"]), KeyPair::generate().expect("a key"));
    if is_ca {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    change(&mut params);
    let certificate = params.self_signed(&key).expect("a certificate");
    Identity { certificate: certificate.der().clone(), pem: certificate.pem(), key }
}

#[test]
fn each_kind_of_wrong_certificate_has_its_words() {
    let (authority, other, twin) = (Authority::new(), Authority::called("Another"), Authority::new());
    let names = ["localhost", "127.0.0.1"];
    let wrong = [
        (
            authority.sign(&names, |params| params.not_after = date_time_ymd(2020, 2, 3)),
            "the certificate expired on 2020-02-03",
        ),
        (
            authority.sign(&names, |params| params.not_before = date_time_ymd(2090, 2, 3)),
            "the certificate is not valid before 2090-02-03",
        ),
        (other.sign(&names, |_| {}), "issued by an unknown authority"),
        (twin.sign(&names, |_| {}), "the certificate's signature is not that of the authority it names"),
        (
            authority.sign(&["shop.test", "api.shop.test"], |_| {}),
            "the certificate is not for 127.0.0.1 but for shop.test, api.shop.test",
        ),
        (self_signed(false, |_| {}), "the certificate is self-signed"),
        (self_signed(true, |_| {}), "the certificate is self-signed"),
    ];
    for (identity, words) in &wrong {
        let peer = tls_peer(server(identity, None));
        assert_fails(&secure(peer.address(), &authority), "tls", words);
        let mut unchecked = secure(peer.address(), &authority);
        unchecked.target.insecure = true;
        assert_all(&unchecked, "200", words);
    }
    let peer = tls_peer(server(&authority.sign(&["api.shop.test"], |_| {}), None));
    let mut renamed = secure(peer.address(), &authority);
    renamed.target.tls.server_name = Some("api.shop.test".to_owned());
    assert_all(&renamed, "200", "asked for by another name");
}

#[test]
fn a_certificate_that_is_given_itself_is_trusted_for_its_names_and_its_time() {
    let authority = Authority::new();
    for (identity, words) in [
        (self_signed(false, |_| {}), None),
        (self_signed(true, |_| {}), None),
        (
            self_signed(true, |params| params.not_after = date_time_ymd(2020, 2, 3)),
            Some("expired on 2020-02-03"),
        ),
        (
            self_signed(true, |params| params.not_before = date_time_ymd(2090, 2, 3)),
            Some("not valid before 2090"),
        ),
        (
            self_signed(true, |params| params.subject_alt_names = named(&["shop.test"]).subject_alt_names),
            Some("the certificate is not for 127.0.0.1 but for shop.test"),
        ),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("own.pem");
        std::fs::write(&file, &identity.pem).expect("a file");
        let peer = tls_peer(server(&identity, None));
        let mut own = secure(peer.address(), &authority);
        own.target.ca_file = Some(file);
        match words {
            None => {
                assert_all(&own, "200", "its own authority");
            }
            Some(words) => {
                assert_fails(&own, "tls", words);
            }
        }
    }
}

#[test]
fn a_target_that_wants_another_client_or_no_tls_has_its_words() {
    let (authority, other) = (Authority::new(), Authority::new());
    let peer = tls_peer(server(&authority.sign(&["127.0.0.1"], |_| {}), Some(&authority)));
    let mut plan_of = secure(peer.address(), &authority);
    assert_fails(&plan_of, "tls", "the target asks for a client certificate");
    let (certificate, key) = other.client();
    plan_of.target.tls.client = Some(ClientCertificate::Pem { certificate, key });
    assert_fails(&plan_of, "tls", "the target refused TLS with the alert");
    let (certificate, key) = authority.client();
    plan_of.target.tls.client = Some(ClientCertificate::Pem { certificate, key });
    assert_all(&plan_of, "200", "who it wants");
    let plain = Peer::start(|mut stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        finish(&mut stream);
    });
    assert_fails(&secure(plain.address(), &authority), "tls", "the target does not speak TLS");
    assert_fails(
        &plan(&format!("http://{}/", closed_port())),
        "connect_refused",
        "nobody listens on 127.0.0.1:",
    );
}

/// Answers with these bytes, and resets the connection: it is closed with something unread.
fn resetting(answer: &'static [u8]) -> Peer {
    Peer::start(move |mut stream, _| {
        let mut first = [0];
        if stream.peek(&mut first).is_ok_and(|length| length > 0) {
            let _ = stream.write_all(answer);
        }
    })
}

#[test]
fn a_connection_that_is_reset_or_silent_ends_as_its_class() {
    let authority = Authority::new();
    let peer = resetting(b"");
    assert_fails(&secure(peer.address(), &authority), "tls", "the target reset the connection");
    for answer in
        [&b""[..], b"HTTP/1.1 200 OK\r\nContent-Le", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhell"]
    {
        assert_fails(&plan(&resetting(answer).url()), "reset", "");
    }
    let silent = Peer::start(|mut stream, _| finish_later(&mut stream));
    let mut half_open = plan(&silent.url());
    assert_fails(&half_open, "response_timeout", "");
    half_open.target.url = format!("https://{}/", silent.address());
    assert_fails(&half_open, "connect_timeout", "");
}

#[test]
fn a_name_is_asked_for_on_each_connection_if_so_wanted() {
    let authority = Authority::new();
    let web = Web::start(&authority, "$status", "");
    let mut plan = plan(&format!("http://localhost:{}/", web.plain.port()));
    plan.timeout = Duration::from_secs(5);
    plan.target.reuse = Some(Reuse { min: 1, max: 1 });
    let once = assert_all(&plan, "200", "once");
    assert_eq!(once.detail.phases.dns.ms.count, 1);
    plan.target.reach.resolve_each = true;
    let each = assert_all(&plan, "200", "each");
    assert_eq!(each.detail.phases.dns.ms.count, each.connections.opened);
    assert_eq!(each.connections.opened, REQUESTS);
    // A label may have 63 characters: nobody is asked for this one.
    plan.target.url = format!("http://{}.test:{}/", "x".repeat(70), web.plain.port());
    assert_fails(&plan, "dns", "xxx.test could not be resolved");
}
