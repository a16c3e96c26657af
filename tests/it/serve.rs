//! The server of records, in this process and as the program, over folders and over a server that speaks S3.

mod clouds;
mod deleting;
mod keeping;
mod limits;
mod orphans;
mod packaging;
mod process;
mod several;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use meshbench::model::digest::Digest;
use meshbench::model::record::{Annotation, RECORD_VERSION, Record, Stamp, Tombstone};
use meshbench::model::run::RunEdit;
use meshbench::model::{Run, RunId};
use meshbench::sync::server::{
    Admission, Denied, Gate, Limits, Members, Person, ServeError, ServerSettings, Team, open_store, serve,
};
use meshbench::sync::words::{Changes, LoginHint};
use object_store::ObjectStore;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Tokens are people's names with this before; it must never be found in a log.
const TOKEN: &str = "CANARY-TOKEN-";

/// Lets in Ann and Bob, who are in the group `perf`, and Eve, who is not.
struct Door;

impl Gate for Door {
    fn admit<'a>(&'a self, token: &'a str) -> Admission<'a> {
        let group = |name: &str| if name == "eve" { Vec::new() } else { vec!["perf".to_owned()] };
        let admitted = match token.strip_prefix(TOKEN) {
            Some(name @ ("ann" | "bob" | "eve")) => Ok(Person {
                subject: format!("{name}/../canary-subject"),
                name: format!("{name} canary-name"),
                groups: group(name),
            }),
            Some("nokeys") => Err(Denied::Unknown("the issuer's keys cannot be had".to_owned())),
            _ => Err(Denied::Invalid("it is not one of ours".to_owned())),
        };
        Box::pin(async { admitted })
    }
}

/// A server in this process.
struct Server {
    address: SocketAddr,
    client: Client,
    log: Arc<Mutex<Vec<String>>>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), ServeError>>,
}

impl Server {
    async fn over(store: Arc<dyn ObjectStore>, limits: Limits) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let lines = Arc::clone(&log);
        let settings = ServerSettings {
            login: LoginHint {
                issuer: "https://id.test".to_owned(),
                audience: "meshbench".to_owned(),
                client_id: Some("desktop".to_owned()),
                scopes: Vec::new(),
            },
            teams: vec![
                Team { id: "perf".to_owned(), members: Members::Group("perf".to_owned()) },
                Team {
                    id: "eves".to_owned(),
                    members: Members::Subjects(vec!["eve/../canary-subject".to_owned()]),
                },
            ],
            tls: None,
            limits,
            log: Arc::new(move |line| lines.lock().unwrap().push(line.to_owned())),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(serve(listener, settings, store, Arc::new(Door), async {
            let _ = stopped.await;
        }));
        Self { address, client: Client::builder().no_proxy().build().unwrap(), log, stop: Some(stop), task }
    }

    async fn start(folder: &Path) -> Self {
        Self::over(open_store(folder.to_str().unwrap()).unwrap(), Limits::default()).await
    }

    fn ask(&self, who: &str, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("http://{}{path}", self.address))
            .bearer_auth(format!("{TOKEN}{who}"))
    }

    async fn put(&self, who: &str, space: &str, bytes: &[u8]) -> Response {
        let path = format!("/v1/spaces/{space}/records/{}", Digest::of(bytes));
        self.ask(who, Method::PUT, &path).body(bytes.to_vec()).send().await.unwrap()
    }

    async fn get(&self, who: &str, path: &str) -> Response {
        self.ask(who, Method::GET, path).send().await.unwrap()
    }

    async fn record(&self, who: &str, space: &str, digest: Digest) -> Response {
        self.get(who, &format!("/v1/spaces/{space}/records/{digest}")).await
    }

    async fn changes(&self, who: &str, space: &str, after: u64, limit: usize) -> Changes {
        let path = format!("/v1/spaces/{space}/changes?after={after}&limit={limit}");
        serde_json::from_slice(&self.get(who, &path).await.bytes().await.unwrap()).unwrap()
    }

    async fn epoch(&self) -> Value {
        json(self.get("ann", "/v1/capabilities").await).await["server_epoch"].clone()
    }

    async fn stop(mut self) {
        let _ = self.stop.take().unwrap().send(());
        self.task.await.unwrap().unwrap();
    }
}

async fn json(response: Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

async fn refused(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    (status, json(response).await["code"].as_str().unwrap().to_owned())
}

/// A run whose every byte is its own.
fn run(number: u64) -> Run {
    let run = crate::store::run(number);
    Run { plan: run.plan.redacted(), ..run }
}

fn sealed_run(number: u64) -> Vec<u8> {
    Record::Run(Box::new(run(number))).seal().unwrap()
}

/// A small record.
fn note(number: u128, text: &str) -> Vec<u8> {
    let annotation = Annotation {
        version: RECORD_VERSION,
        run: RunId(Uuid::from_u128(number << 100)),
        // The same each time, so that the same record is the same bytes.
        stamp: Stamp { time_us: 1, device: Uuid::from_u128(9 << 100) },
        edit: RunEdit::Note(text.to_owned()),
    };
    Record::Annotation(annotation).seal().unwrap()
}

fn tombstone(run: RunId, is_deleted: bool, later: u64) -> Vec<u8> {
    let tombstone = Tombstone { version: RECORD_VERSION, run, stamp: stamp(later), is_deleted };
    Record::Tombstone(tombstone).seal().unwrap()
}

fn stamp(later: u64) -> Stamp {
    let now = u64::try_from(Timestamp::now().as_microsecond()).unwrap();
    Stamp { time_us: now + later, device: Uuid::from_u128(9 << 100) }
}

/// Waits until something is so.
async fn until<F: Future<Output = bool>>(awaited: &str, mut look: impl FnMut() -> F) {
    let waiting = async {
        while !look().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(20), waiting).await.is_ok(), "not in time: {awaited}");
}

/// Every file below a folder in which the words stand, be it in its name.
fn files_with(folder: &Path, words: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, bytes) in files(folder) {
        let has = |bytes: &[u8]| bytes.windows(words.len()).any(|part| part == words);
        if has(path.as_bytes()) || has(&bytes) {
            found.push(path);
        }
    }
    found
}

fn files(folder: &Path) -> HashMap<String, Vec<u8>> {
    let mut all = HashMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.insert(path.display().to_string(), std::fs::read(&path).unwrap());
        }
    }
    all
}
