//! Places in clouds, named on the command line: a real server that speaks S3, and a peer that keeps objects as the two others
//! do, as far as a server of records needs them.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use meshbench::model::digest::Digest;
use tokio::net::TcpListener;

use super::note;
use super::several::S3;
use crate::login::flows::access_token;
use crate::login::{AUDIENCE, OpenId};

/// The program with these variables, and none of a cloud that this machine may have.
fn program(store: &str, issuer: &str, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meshbench"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--audience", AUDIENCE, "--issuer", issuer]);
    command.args(["--store", store]).env_clear().envs(variables.iter().copied());
    for kept in ["HOME", "PATH"] {
        command.envs(std::env::var_os(kept).map(|value| (kept, value)));
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A server that is killed with this.
struct Started(Child, String);

impl Started {
    fn of(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut address).unwrap();
        assert!(address.starts_with("http://127.0.0.1:"), "“{address}”");
        Self(child, address.trim().to_owned())
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What it says where it does not serve: it must not have named an address.
fn refused(ended: &Output) -> (i32, String) {
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "");
    (ended.status.code().unwrap(), String::from_utf8_lossy(&ended.stderr).into_owned())
}

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_keeps_records_under_a_prefix_of_a_bucket() {
    let (s3, openid) = (S3::start().await, OpenId::start(300));
    let token = access_token(&openid).await;
    let variables = [
        ("AWS_ENDPOINT_URL", s3.url.as_str()),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_REGION", "us-east-1"),
    ];
    let start = || Started::of(program("s3://records/of/a team", &openid.issuer, &variables));
    let (client, bytes) = (client(), note(1, "in a bucket"));
    let path = format!("/v1/spaces/me/records/{}", Digest::of(&bytes));
    let one = start();
    let put = client.put(format!("{}{path}", one.1)).bearer_auth(&token).body(bytes.clone());
    let answer = put.send().await.unwrap();
    assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap());
    let epoch = async |server: &Started| {
        super::json(client.get(format!("{}/v1/capabilities", server.1)).send().await.unwrap()).await
    };
    let before = epoch(&one).await;
    drop(one);
    let other = start();
    assert_eq!(epoch(&other).await, before, "it is the same store");
    let back = client.get(format!("{}{path}", other.1)).bearer_auth(&token).send().await.unwrap();
    assert_eq!(back.bytes().await.unwrap(), bytes);
    let listed =
        client.get(format!("{}/records?list-type=2", s3.url)).send().await.unwrap().text().await.unwrap();
    let keys: Vec<&str> =
        listed.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next()).collect();
    assert!(keys.len() >= 3 && keys.iter().all(|key| key.starts_with("of/a team/")), "{keys:?}");
}

type Objects = Arc<Mutex<HashMap<String, Bytes>>>;

/// Keeps objects by their paths, or lets nobody in.
struct Peer {
    url: String,
    objects: Objects,
}

impl Peer {
    async fn start(lets_in: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let objects = Objects::default();
        let router = match lets_in {
            true => Router::new().fallback(object).with_state(Arc::clone(&objects)),
            false => Router::new()
                .fallback(async || (StatusCode::FORBIDDEN, "<Error><Code>AccessDenied</Code></Error>")),
        };
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, objects }
    }
}

async fn object(State(objects): State<Objects>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let marks =
        [("etag", "\"1\""), ("last-modified", "Sun, 29 Nov 2026 00:00:00 GMT"), ("x-goog-generation", "1")];
    let mut objects = objects.lock().unwrap();
    // One of the clouds is asked with the slashes of a name hidden.
    let path = parts.uri.path().replace("%2F", "/");
    match parts.method {
        Method::PUT if is_create(&parts.headers) && objects.contains_key(&path) => {
            // Each cloud has its own word for it.
            let is_azure = parts.headers.contains_key("x-ms-version");
            if is_azure { StatusCode::CONFLICT } else { StatusCode::PRECONDITION_FAILED }.into_response()
        }
        Method::PUT => {
            objects.insert(path, bytes);
            (StatusCode::CREATED, marks).into_response()
        }
        Method::GET if parts.uri.query().is_some_and(|query| query.contains("list")) => {
            let nothing = "<ListBucketResult></ListBucketResult>";
            (StatusCode::OK, marks, nothing).into_response()
        }
        Method::GET => match objects.get(&path) {
            Some(bytes) => (StatusCode::OK, marks, Body::from(bytes.clone())).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        },
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}

fn is_create(headers: &HeaderMap) -> bool {
    let is = |name: &str, value: &str| headers.get(name).is_some_and(|said| said == value);
    is("if-none-match", "*") || is("x-goog-if-generation-match", "0")
}

/// A service account that needs no token, for a cloud at this address.
fn service_account(folder: &Path, url: &str) -> String {
    let path = folder.join("account.json");
    let account = serde_json::json!({
        "private_key": "", "private_key_id": "", "client_email": "", "disable_oauth": true, "gcs_base_url": url,
    });
    std::fs::write(&path, account.to_string()).unwrap();
    path.display().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_keeps_records_in_the_other_clouds_by_the_same_words() {
    let folder = tempfile::tempdir().unwrap();
    for (store, root) in
        [("gs://records/team", "/records/team/"), ("az://records/team", "/devstoreaccount1/records/team/")]
    {
        let peer = Peer::start(true).await;
        let account = service_account(folder.path(), &peer.url);
        let variables = [
            ("GOOGLE_SERVICE_ACCOUNT", account.as_str()),
            ("AZURE_STORAGE_USE_EMULATOR", "true"),
            ("AZURITE_BLOB_STORAGE_URL", peer.url.as_str()),
        ];
        let epoch = async || {
            let server = Started::of(program(store, "https://id.test", &variables));
            let ready = client().get(format!("{}/readyz", server.1)).send().await.unwrap();
            assert_eq!(ready.status(), 200, "{store}: {}", ready.text().await.unwrap());
            let told = client().get(format!("{}/v1/capabilities", server.1)).send().await.unwrap();
            super::json(told).await["server_epoch"].clone()
        };
        let first = epoch().await;
        assert!(first.is_string(), "{store}: {first}");
        assert_eq!(epoch().await, first, "{store}: another server over it is the same");
        let paths: Vec<String> = peer.objects.lock().unwrap().keys().cloned().collect();
        assert_eq!(paths, [format!("{root}epoch")]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_that_are_missing_or_wrong_are_told_before_anybody_is_listened_to() {
    let folder = tempfile::tempdir().unwrap();
    let peer = Peer::start(false).await;
    let account = service_account(folder.path(), &peer.url);
    // Where a cloud's own machines would get theirs: nobody.
    let nobody = [
        ("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1"),
        ("GCE_METADATA_HOST", "127.0.0.1:1"),
        ("GCE_METADATA_IP", "127.0.0.1:1"),
    ];
    let wrong = [
        ("AWS_ENDPOINT_URL", peer.url.as_str()),
        ("AWS_ACCESS_KEY_ID", "CANARY-ID"),
        ("AWS_SECRET_ACCESS_KEY", "CANARY-SECRET"),
        ("GOOGLE_SERVICE_ACCOUNT", account.as_str()),
        ("AZURE_STORAGE_ACCOUNT_NAME", "canary"),
        ("AZURE_STORAGE_ACCOUNT_KEY", "Q0FOQVJZLVNFQ1JFVA=="),
        ("AZURE_ENDPOINT", peer.url.as_str()),
        ("AZURE_ALLOW_HTTP", "true"),
    ];
    for (store, variables, status, words) in [
        ("s3://records/x", nobody.as_slice(), 3, "are its credentials in the environment"),
        ("gs://records/x", &nobody, 3, "are its credentials in the environment"),
        ("az://records/x", &nobody, 2, "cannot be reached with the cloud's variables of the environment"),
        ("s3://records/x", &wrong, 3, "does not take these credentials"),
        ("gs://records/x", &wrong, 3, "does not take these credentials"),
        ("az://records/x", &wrong, 3, "does not take these credentials"),
    ] {
        let (code, errors) = refused(&program(store, "https://id.test", variables).output().unwrap());
        assert!(errors.contains(words), "{store}: {errors}");
        assert_eq!(code, status, "{store}: {errors}");
        assert!(!errors.contains("CANARY-SECRET") && !errors.contains("Q0FOQVJZ"), "{store}: {errors}");
    }
}
