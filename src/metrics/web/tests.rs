use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Mutex;

use super::*;
use crate::metrics::fake::{Fake, Reply, json};
use crate::model::metrics::TlsFiles;

fn access(login: Login) -> Access {
    Access { login, tenant: "team-a".to_owned(), ..Access::default() }
}

fn ask(path: &'static str) -> Ask<'static> {
    Ask { path, fields: &[("a", "b c")], may_post: false, accept: "application/json" }
}

#[test]
fn an_address_that_cannot_be_one_says_so() {
    for url in [
        "",
        "localhost:9090",
        "metrics.test",
        "ftp://x",
        "http://",
        "http://user:word@x",
        "http://x/?a=b",
        "http://x/#a",
    ] {
        let trouble = Web::new(url, &Access::default(), None).expect_err(url);
        assert_eq!(trouble.title, "The source's address cannot be used", "{url}");
    }
}

#[test]
fn a_login_goes_to_https_or_this_machine_only() {
    let bearer = access(Login::Bearer);
    assert!(Web::new("http://metrics.test", &bearer, Some("x")).is_err());
    assert!(Web::new("https://metrics.test", &bearer, Some("x")).is_ok());
    assert!(Web::new("http://127.0.0.1:9090", &bearer, Some("x")).is_ok());
    assert!(Web::new("http://metrics.test", &Access::default(), None).is_ok());
}

#[test]
fn a_login_that_is_not_complete_says_so() {
    for (login, secret) in [
        (Login::Bearer, None),
        (Login::Bearer, Some(" ")),
        (Login::Bearer, Some("a\nb")),
        (Login::Basic { user: "a:b".to_owned() }, Some("x")),
    ] {
        let trouble = Web::new("https://x", &access(login.clone()), secret).expect_err("no login");
        assert_eq!(trouble.title, "The login for this source is not complete", "{login:?}");
        assert!(!format!("{trouble:?}").contains("a\\nb"));
    }
}

#[tokio::test]
async fn paths_logins_and_tenants_arrive() {
    let peer = Fake::saying(json("{}")).await;
    let url = format!("{}/sub/path/", peer.url());
    let web = Web::new(&url, &access(Login::Bearer), Some("T0KEN")).unwrap();
    web.ask(&ask("/api/x")).await.unwrap();
    let asked = peer.last();
    assert_eq!(asked.path, "/sub/path/api/x?a=b+c");
    assert!(asked.head.contains("authorization: bearer t0ken\r\n"), "{}", asked.head);
    assert!(asked.head.contains("x-scope-orgid: team-a\r\n"));
    let basic = access(Login::Basic { user: "ann".to_owned() });
    Web::new(&peer.url(), &basic, Some("word")).unwrap().ask(&ask("/y")).await.unwrap();
    let encoded = BASE64_STANDARD.encode("ann:word").to_lowercase();
    assert!(peer.last().head.contains(&format!("authorization: basic {encoded}\r\n")));
}

#[tokio::test]
async fn a_secret_that_comes_back_is_hidden() {
    let encoded = BASE64_STANDARD.encode("ann:T0KEN");
    for (login, status) in [
        (Login::Bearer, 401),
        (Login::Basic { user: "ann".to_owned() }, 401),
        (Login::Bearer, 500),
        (Login::Bearer, 302),
    ] {
        let is_basic = matches!(login, Login::Basic { .. });
        let body = format!("bad token T0KEN{}", if is_basic { &encoded } else { "" });
        let peer = Fake::start(move |_| Reply::Says(status, "text/plain", body.clone())).await;
        let web = Web::new(&peer.url(), &access(login), Some("T0KEN")).unwrap();
        let page = web.ask(&ask("/x")).await.unwrap();
        let failure = page.success(web.secrets()).expect_err("a failure");
        let told = format!("{failure} {failure:?} {web:?}");
        assert!(!told.contains("T0KEN") && !told.contains(&encoded), "{told}");
    }
}

#[tokio::test]
async fn where_nothing_listens_it_says_so() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let web = Web::new(&url, &Access::default(), None).unwrap();
    let failure = web.ask(&ask("/x")).await.expect_err("nothing listens");
    assert!(matches!(failure, Failure::Refused(_)), "{failure:?}");
}

#[tokio::test]
async fn a_name_that_leads_nowhere_says_so() {
    let web = Web::new("http://nowhere.invalid", &Access::default(), None).unwrap();
    let failure = web.ask(&ask("/x")).await.expect_err("no such host");
    assert!(matches!(failure, Failure::Name(_)), "{failure:?}");
}

/// A peer that speaks TLS with a certificate of its own.
async fn tls_peer() -> (SocketAddr, tempfile::TempDir) {
    let identity = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cert.pem"), identity.cert.pem()).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(identity.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![identity.cert.der().clone()], key.into())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut bytes = [0; 4096];
                let _ = stream.read(&mut bytes).await;
                let answer = b"HTTP/1.1 200 X\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
                let _ = stream.write_all(answer).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    (address, folder)
}

#[tokio::test]
async fn a_certificate_is_trusted_by_its_authority_or_on_demand_only() {
    let (address, folder) = tls_peer().await;
    let with = |tls: TlsFiles| {
        let access = Access { tls, ..Access::default() };
        Web::new(&format!("https://{address}"), &access, None).unwrap()
    };
    let failure = with(TlsFiles::default()).ask(&ask("/x")).await.expect_err("not trusted");
    assert!(matches!(failure, Failure::Untrusted(_)), "{failure:?}");
    let ca = Some(folder.path().join("cert.pem"));
    assert_eq!(with(TlsFiles { ca, ..TlsFiles::default() }).ask(&ask("/x")).await.unwrap().status, 200);
    let insecure = TlsFiles { insecure: true, ..TlsFiles::default() };
    assert_eq!(with(insecure).ask(&ask("/x")).await.unwrap().status, 200);
}

#[test]
fn files_of_certificates_that_cannot_be_used_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "nothing").unwrap();
    let missing = Some(PathBuf::from("/nowhere.pem"));
    for tls in [
        TlsFiles { ca: missing.clone(), ..TlsFiles::default() },
        TlsFiles { ca: Some(empty.clone()), ..TlsFiles::default() },
        TlsFiles { certificate: Some(empty.clone()), ..TlsFiles::default() },
        TlsFiles { key: Some(empty.clone()), ..TlsFiles::default() },
        TlsFiles { certificate: Some(empty.clone()), key: Some(empty), ..TlsFiles::default() },
    ] {
        let access = Access { tls: tls.clone(), ..Access::default() };
        let trouble = Web::new("https://x", &access, None).expect_err("no such file");
        assert_eq!(trouble.title, "A file of certificates cannot be used", "{tls:?}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_leads_there_too() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = vec![0; 4096];
        let count = stream.read(&mut bytes).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 X\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    });
    let access = access(Login::Bearer);
    let web = Web::over_socket(&path, "prometheus.monitoring", "/base", &access, Some("x")).unwrap();
    assert_eq!(web.ask(&ask("/api")).await.unwrap().status, 200);
    let head = served.await.unwrap();
    assert!(head.starts_with("GET /base/api?a=b+c "), "{head}");
    assert!(head.to_lowercase().contains("host: prometheus.monitoring\r\n"), "{head}");
}

fn carrier(answer: Result<CarriedAnswer, String>, seen: Arc<Mutex<Vec<Carried>>>) -> Carrier {
    Arc::new(move |carried| {
        seen.lock().unwrap().push(carried);
        let answer = answer.clone();
        Box::pin(async move { answer })
    })
}

#[tokio::test]
async fn what_is_carried_is_asked_and_bounded_in_the_same_way() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let answer = CarriedAnswer { status: 200, bytes: b"{}".to_vec(), content_type: String::new() };
    let way = |answer| {
        let limits = Limits { answer_bytes_max: 100, ..Limits::default() };
        let carrier = carrier(answer, Arc::clone(&seen));
        Web::carried(carrier, "/base/", &access(Login::None), None).unwrap().within(limits)
    };
    let long: &'static str = "x".repeat(QUERY_BYTES_MAX * 2).leak();
    let fields: &'static [(&str, &str)] = Box::leak(Box::new([("query", long)]));
    let asked = Ask { path: "/api", fields, may_post: true, accept: "application/json" };
    assert_eq!(way(Ok(answer)).ask(&asked).await.unwrap().bytes, b"{}");
    let carried = seen.lock().unwrap().pop().unwrap();
    assert!(carried.path_and_query.starts_with("/base/api?query=xxx"));
    assert!(carried.headers.contains(&("x-scope-orgid".to_owned(), "team-a".to_owned())));
    assert_eq!(carried.answer_bytes_max, 100);
    let gone = carrier(Err(String::new()), Arc::clone(&seen));
    let bare = Web::carried(gone, "", &Access::default(), None).unwrap();
    let page = Ask { path: "", fields: &[], may_post: false, accept: "text/plain" };
    assert!(bare.ask(&page).await.is_err());
    assert_eq!(seen.lock().unwrap().pop().unwrap().path_and_query, "/");
    let large = CarriedAnswer { status: 200, bytes: vec![b' '; 101], content_type: String::new() };
    assert_eq!(way(Ok(large)).ask(&asked).await.unwrap_err(), Failure::Large(100));
    let gone = Err("the cluster is gone".to_owned());
    assert_eq!(way(gone).ask(&asked).await.unwrap_err(), Failure::Way("the cluster is gone".to_owned()));
}

#[tokio::test]
async fn a_carrier_that_never_comes_back_is_given_up() {
    assert_eq!(Limits::default().answer_max, Duration::from_secs(30));
    let carrier: Carrier = Arc::new(|_| Box::pin(std::future::pending()));
    let limits = Limits { answer_max: Duration::from_millis(20), ..Limits::default() };
    let web = Web::carried(carrier, "", &Access::default(), None).unwrap().within(limits);
    assert_eq!(web.ask(&ask("/x")).await.unwrap_err(), Failure::Slow(limits.answer_max));
}
