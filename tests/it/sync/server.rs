//! What a server of records takes, gives and refuses, asked over HTTP.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use meshbench::model::digest::Digest;
use meshbench::model::envelope::{self, Codec, Kind};
use meshbench::model::record::{Annotation, PlanRevision, RECORD_VERSION, Record, Stamp, Tombstone};
use meshbench::model::run::RunEdit;
use meshbench::model::{Header, Plan};
use meshbench::sync::server::{OPENAPI, ROUTES};
use meshbench::sync::words::{Changes, Me, Missing, Refused, Taken};
use reqwest::{Client, Method, Response, StatusCode};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use uuid::Uuid;

use super::parts::{Running, in_time, settings};
use crate::store::{id, run};

struct Asker<'a> {
    server: &'a Running,
    web: Client,
}

impl<'a> Asker<'a> {
    fn new(server: &'a Running) -> Self {
        Self { server, web: web() }
    }

    async fn ask(&self, method: Method, path: &str, who: &str, body: Vec<u8>) -> Response {
        let request = self.web.request(method, self.server.url(path)).bearer_auth(who).body(body);
        in_time(request.send()).await.unwrap()
    }

    async fn get(&self, path: &str, who: &str) -> Response {
        self.ask(Method::GET, path, who, Vec::new()).await
    }

    async fn put(&self, space: &str, who: &str, bytes: &[u8]) -> Response {
        let path = format!("/v1/spaces/{space}/records/{}", Digest::of(bytes));
        self.ask(Method::PUT, &path, who, bytes.to_vec()).await
    }

    async fn changes(&self, space: &str, who: &str) -> Vec<(u64, String)> {
        let page: Changes = read(self.get(&format!("/v1/spaces/{space}/changes"), who).await).await;
        page.changes.into_iter().map(|change| (change.seq, change.kind)).collect()
    }
}

fn web() -> Client {
    // An error says that one is chosen already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().build().unwrap()
}

async fn read<T: DeserializeOwned>(response: Response) -> T {
    let bytes = response.bytes().await.unwrap();
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{error}: {bytes:?}"))
}

async fn refused(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    (status, read::<Refused>(response).await.code)
}

fn sealed(number: u64) -> Vec<u8> {
    Record::Run(Box::new(run(number))).seal().unwrap()
}

fn said(number: u64, time_us: u64, is_deleted: bool) -> Vec<u8> {
    let stamp = Stamp { time_us, device: Uuid::from_u128(5 << 100) };
    Record::Tombstone(Tombstone { version: RECORD_VERSION, run: id(number), stamp, is_deleted })
        .seal()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn sending_twice_is_nothing_and_the_log_has_no_hole() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path(), settings()).await;
    let asker = Asker::new(&server);
    let bytes = sealed(1);
    let first = asker.put("me", "ann", &bytes).await;
    assert_eq!(first.status(), StatusCode::CREATED);
    let taken: Taken = read(first).await;
    assert_eq!((taken.digest, taken.seq), (Digest::of(&bytes), 1));
    let again = asker.put("me", "ann", &bytes).await;
    assert_eq!(again.status(), StatusCode::OK);
    assert_eq!(read::<Taken>(again).await, taken);
    for number in 2..5 {
        asker.put("me", "ann", &sealed(number)).await;
    }
    let page: Changes = read(asker.get("/v1/spaces/me/changes?after=1&limit=2", "ann").await).await;
    assert_eq!(page.changes.iter().map(|change| change.seq).collect::<Vec<_>>(), [2, 3]);
    assert!(page.more && page.changes[0].author == "sub-ann" && page.changes[0].kind == "run");
    let back = asker.get(&format!("/v1/spaces/me/records/{}", Digest::of(&bytes)), "ann").await;
    assert_eq!(back.bytes().await.unwrap(), bytes);
    let have = format!(r#"{{"digests":["{}","{}"]}}"#, Digest::of(&bytes), Digest::of(b"none"));
    let missing: Missing =
        read(asker.ask(Method::POST, "/v1/spaces/me/have", "ann", have.into_bytes()).await).await;
    assert_eq!(missing.missing, [Digest::of(b"none")]);
    let me: Me = read(asker.get("/v1/me", "ann").await).await;
    assert_eq!(me.spaces.iter().map(|space| space.id.as_str()).collect::<Vec<_>>(), ["me", "shop"]);
    assert!(me.spaces[0].used_bytes > bytes.len() as u64);
    let epoch = taken.server_epoch;
    server.end().await;

    let server = Running::start(folder.path(), settings()).await;
    let page: Changes = read(Asker::new(&server).get("/v1/spaces/me/changes", "ann").await).await;
    assert_eq!((page.server_epoch, page.changes.len()), (epoch, 4));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_record_is_refused_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path(), settings()).await;
    let asker = Asker::new(&server);
    let other = format!("/v1/spaces/me/records/{}", Digest::of(b"other"));
    assert_eq!(refused(asker.ask(Method::PUT, &other, "ann", sealed(1)).await).await.0, 422);
    let mut broken = sealed(1);
    *broken.last_mut().unwrap() ^= 1;
    let mut plan = Plan::for_url("https://shop.test/");
    plan.request.headers.push(Header { name: "X".to_owned(), value: "CANARY".to_owned(), secret: true });
    let revision = PlanRevision {
        version: meshbench::model::plan::PLAN_VERSION,
        id: Uuid::from_u128(1 << 100),
        stamp: Stamp::default(),
        plan: Some(plan),
    };
    let ahead = Record::Annotation(Annotation {
        version: RECORD_VERSION,
        run: id(1),
        stamp: Stamp { time_us: u64::MAX, device: Uuid::nil() },
        edit: RunEdit::Note(String::new()),
    });
    for (what, bytes) in [
        ("nothing", Vec::new()),
        ("noise", vec![7; 5000]),
        ("broken", broken),
        ("settings", envelope::seal(Kind::Settings, 1, Codec::Plain, &1).unwrap()),
        ("a secret", Record::Plan(Box::new(revision)).seal().unwrap()),
        ("the future", ahead.seal().unwrap()),
    ] {
        assert_eq!(
            refused(asker.put("me", "ann", &bytes).await).await,
            (422, "no_record".to_owned()),
            "{what}"
        );
    }
    let bad = refused(asker.ask(Method::PUT, "/v1/spaces/me/records/abc", "ann", sealed(1)).await).await;
    assert_eq!(bad.0, 400);
    for path in ["/v1/spaces/me/changes?after=-1", "/v1/spaces/me/changes?limit=x"] {
        assert_eq!(refused(asker.get(path, "ann").await).await.0, 400, "{path}");
    }
    let many = vec![format!("\"{}\"", Digest::of(b"")); 5001].join(",");
    let many = format!("{{\"digests\":[{many}]}}").into_bytes();
    assert_eq!(refused(asker.ask(Method::POST, "/v1/spaces/me/have", "ann", many).await).await.0, 400);
    assert!(asker.changes("me", "ann").await.is_empty());
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_sees_what_is_not_theirs_nor_whether_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path(), settings()).await;
    let asker = Asker::new(&server);
    asker.put("shop", "ann", &sealed(1)).await;
    asker.put("me", "ann", &sealed(2)).await;
    assert_eq!(asker.changes("shop", "bob").await.len(), 1);
    assert!(asker.changes("me", "bob").await.is_empty());
    let (hidden, none) = (
        asker.get("/v1/spaces/shop/changes", "carl").await,
        asker.get("/v1/spaces/nowhere/changes", "carl").await,
    );
    assert_eq!((hidden.status(), none.status()), (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND));
    assert_eq!(hidden.text().await.unwrap(), none.text().await.unwrap());
    for (who, status) in [("mallory", 401), ("dark", 503), ("", 401), (&"x".repeat(20_000), 401)] {
        let response = asker.get("/v1/me", who).await;
        assert!(status != 503 || response.headers().contains_key("retry-after"));
        assert_eq!(response.headers().contains_key("www-authenticate"), status == 401);
        assert_eq!(response.status().as_u16(), status);
    }
    let bare = asker.web.get(server.url("/v1/me")).send().await.unwrap();
    assert_eq!(bare.status(), 401);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold() {
    let folder = tempfile::tempdir().unwrap();
    let mut small = settings();
    small.record_bytes = sealed(1).len() as u64;
    small.quota_bytes = small.record_bytes + 10;
    small.rate_per_sec = 1;
    let max = small.record_bytes as usize;
    let server = Running::start(folder.path(), small).await;
    let asker = Asker::new(&server);
    assert_eq!(refused(asker.put("me", "ann", &vec![0; max + 1]).await).await, (413, "too_large".to_owned()));
    // Without a declared length.
    let mut raw = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "PUT /v1/spaces/me/records/{} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ann\r\nTransfer-Encoding: chunked\r\n\r\n",
        Digest::of(b"")
    );
    raw.write_all(head.as_bytes()).await.unwrap();
    let chunk =
        [format!("{:x}\r\n", max + 1).into_bytes(), vec![0; max + 1], b"\r\n0\r\n\r\n".to_vec()].concat();
    let _ = raw.write_all(&chunk).await;
    let mut answer = [0; 12];
    in_time(raw.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    assert_eq!(asker.put("me", "ann", &sealed(1)).await.status(), StatusCode::CREATED);
    let full = refused(asker.put("me", "ann", &said(1, 1, true)).await).await;
    assert_eq!(full, (507, "quota".to_owned()));
    let mut limited = 0;
    for _ in 0..30 {
        let response = asker.get("/v1/me", "bob").await;
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            assert!(response.headers().contains_key("retry-after"));
            limited += 1;
        }
    }
    assert!(limited > 10, "{limited}");
    assert_eq!(asker.get("/v1/me", "carl").await.status(), StatusCode::OK);
    let text = asker.web.get(server.url("/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(text.contains("meshbench_records_taken_total 1"), "{text}");
    assert!(text.contains("route=\"/v1/me\",status=\"429\""), "{text}");
    assert!(!text.contains("ann") && !text.contains("bob"), "{text}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_over_one_store_agree_on_one_order() {
    let folder = tempfile::tempdir().unwrap();
    let one = Running::start(folder.path(), settings()).await;
    let two = Running::start(folder.path(), settings()).await;
    let mut sending = tokio::task::JoinSet::new();
    for number in 0..40 {
        let url = if number % 2 == 0 { one.url("") } else { two.url("") };
        sending.spawn(async move {
            let bytes = sealed(number % 30);
            let url = format!("{url}/v1/spaces/shop/records/{}", Digest::of(&bytes));
            web().put(url).bearer_auth("ann").body(bytes).send().await.unwrap().status()
        });
    }
    let all = in_time(sending.join_all()).await;
    assert!(all.iter().all(StatusCode::is_success), "{all:?}");
    let mut seen = Vec::new();
    for server in [&one, &two] {
        let page: Changes = read(Asker::new(server).get("/v1/spaces/shop/changes", "bob").await).await;
        seen.push(page.changes);
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0].iter().map(|change| change.seq).collect::<Vec<_>>(), (1..=30).collect::<Vec<_>>());
    one.end().await;
    two.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_its_author_deleted_goes_after_a_while_and_what_others_say_does_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path(), settings()).await;
    let asker = Asker::new(&server);
    for number in 1..4 {
        asker.put("shop", "ann", &sealed(number)).await;
    }
    asker.put("shop", "ann", &said(1, 10, true)).await;
    asker.put("shop", "bob", &said(2, 10, true)).await;
    asker.put("shop", "ann", &said(3, 10, true)).await;
    asker.put("shop", "ann", &said(3, 11, false)).await;
    server.end().await;
    let mut swift = settings();
    swift.grace = SignedDuration::ZERO;
    let server = Running::start(folder.path(), swift).await;
    let asker = Asker::new(&server);
    let is_gone = |kinds: &[(u64, String)], seq: usize| kinds[seq - 1].1 == "gone";
    // It sweeps as soon as it starts.
    let mut kinds = asker.changes("shop", "bob").await;
    for _ in 0..200 {
        if is_gone(&kinds, 1) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        kinds = asker.changes("shop", "bob").await;
    }
    assert!(is_gone(&kinds, 1) && !is_gone(&kinds, 2) && !is_gone(&kinds, 3), "{kinds:?}");
    assert_eq!(kinds.len(), 7);
    let path = format!("/v1/spaces/shop/records/{}", Digest::of(&sealed(1)));
    assert_eq!(refused(asker.get(&path, "bob").await).await, (410, "gone".to_owned()));
    assert_eq!(refused(asker.put("shop", "ann", &sealed(1)).await).await.0, 410);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_deletes_their_account_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path(), settings()).await;
    let asker = Asker::new(&server);
    asker.put("me", "ann", &sealed(1)).await;
    asker.put("shop", "ann", &sealed(2)).await;
    asker.put("shop", "bob", &sealed(3)).await;
    assert_eq!(asker.ask(Method::DELETE, "/v1/me", "ann", Vec::new()).await.status(), 204);
    assert!(asker.changes("me", "ann").await.is_empty());
    let kinds: Vec<String> = asker.changes("shop", "bob").await.into_iter().map(|(_, kind)| kind).collect();
    assert_eq!(kinds, ["gone", "run"]);
    server.end().await;
    let mut folders = vec![folder.path().to_owned()];
    let mut files = 0;
    while let Some(path) = folders.pop() {
        if path.is_dir() {
            folders.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        files += 1;
        let bytes = std::fs::read(&path).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).to_lowercase().contains("ann\""), "{}", path.display());
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let of_ann = [Digest::of(&sealed(1)), Digest::of(&sealed(2))].map(|digest| digest.to_string());
        assert!(!of_ann.contains(&name), "{}", path.display());
    }
    assert_eq!(files, 4, "the epoch, bob's record, and two places of the team's log");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_under_way_ends_before_the_server_does() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path(), settings()).await;
    let bytes = sealed(1);
    let mut raw = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "PUT /v1/spaces/me/records/{} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ann\r\nContent-Length: {}\r\n\r\n",
        Digest::of(&bytes),
        bytes.len()
    );
    raw.write_all(head.as_bytes()).await.unwrap();
    raw.write_all(&bytes[..100]).await.unwrap();
    // Once this is answered, the half request has been accepted too.
    Asker::new(&server).get("/healthz", "").await;
    let (address, ending) = (server.address, tokio::spawn(server.end()));
    while TcpStream::connect(address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    raw.write_all(&bytes[100..]).await.unwrap();
    let mut answer = [0; 12];
    in_time(raw.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 201");
    in_time(ending).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_names_what_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let server = Running::start(folder.path(), settings()).await;
    let asker = Asker::new(&server);
    let described: serde_json::Value = serde_json::from_str(OPENAPI).unwrap();
    let mut named = Vec::new();
    for (path, methods) in described["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            named.push((method.to_uppercase(), path.clone()));
        }
    }
    let mut served: Vec<_> =
        ROUTES.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned())).collect();
    named.sort();
    served.sort();
    assert_eq!(named, served);
    for (method, path) in ROUTES {
        let path = path.replace("{space}", "me").replace("{digest}", &Digest::of(b"").to_string());
        let response = asker.ask(method.parse().unwrap(), &path, "mallory", Vec::new()).await;
        assert!(![404, 405].contains(&response.status().as_u16()), "{method} {path}: {}", response.status());
    }
    assert_eq!(refused(asker.get("/v2/me", "ann").await).await.0, 404);
    assert_eq!(refused(asker.ask(Method::DELETE, "/v1/capabilities", "ann", Vec::new()).await).await.0, 405);
    let shown: serde_json::Value = read(asker.get("/v1/openapi.json", "").await).await;
    assert_eq!(shown, described);
    drop(Arc::clone(&server.log));
    server.end().await;
}
