//! A remote provider of Meshery, written from what is publicly known of it and from nothing of ours.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde_json::{Value, json};
use uuid::Uuid;

pub(super) const PROFILE_ID: &str = "0b8fbd36-7b3c-4d3c-9c6f-2a6f9d3f1a00";
pub(super) const RESULT_ID: &str = "5f0c7c1e-55aa-4a9e-8f1b-9a4e1d2c3b00";

/// What names it uses and where things are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Year {
    Y2024,
    Y2026,
}

/// What is wrong with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fault {
    #[default]
    None,
    NoCapabilities,
    /// Its capabilities lead to another host.
    LeadsAway,
    Login,
    Page,
    Huge,
    NoJson,
    Forbidden,
    /// Takes no result, and repeats the login in saying so.
    Repeats,
    /// The refresh answers 500.
    NoRefresh,
    /// The refresh works, and no login is accepted even so.
    NeverAccepts,
}

/// A request that arrived.
#[derive(Clone, Debug)]
pub(super) struct Arrived {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

pub(super) struct Known {
    pub(super) year: Year,
    pub(super) fault: Fault,
    pub(super) accepted: String,
    pub(super) has_profile: bool,
    pub(super) arrived: Vec<Arrived>,
}

pub(super) struct Peer {
    pub(super) address: SocketAddr,
    known: Arc<Mutex<Known>>,
    _runtime: tokio::runtime::Runtime,
}

/// A login as providers give them; each number another one.
pub(super) fn blob(number: u32) -> String {
    let token = json!({
        "access_token": format!("CANARY-access-{number}"), "token_type": "bearer",
        "refresh_token": format!("CANARY-refresh-{number}"), "expiry": "2026-01-01T00:00:00Z",
    });
    STANDARD_NO_PAD.encode(token.to_string())
}

impl Peer {
    /// Accepts [`blob`] 1.
    pub(super) fn start(year: Year, fault: Fault) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("threads");
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("loopback");
        let address = listener.local_addr().expect("bound");
        let known = Known { year, fault, accepted: blob(1), has_profile: false, arrived: Vec::new() };
        let known = Arc::new(Mutex::new(known));
        let app = Router::new().fallback(answer).with_state(Arc::clone(&known));
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self { address, known, _runtime: runtime }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("no panic")
    }

    /// Bodies that arrived at an address that ends so, by POST.
    pub(super) fn posted(&self, end: &str) -> Vec<Value> {
        let known = self.known();
        let posts = known.arrived.iter().filter(|one| one.method == Method::POST);
        posts
            .filter(|one| one.uri.path().ends_with(end))
            .map(|one| serde_json::from_slice(&one.body).expect("JSON"))
            .collect()
    }

    /// `GET /path` of all that arrived, in order.
    pub(super) fn asked(&self) -> Vec<String> {
        let known = self.known();
        known.arrived.iter().map(|one| format!("{} {}", one.method, one.uri.path())).collect()
    }

    /// Everything that arrived but the headers that carry the login, as text.
    pub(super) fn everything(&self) -> String {
        let known = self.known();
        let text = |one: &Arrived| {
            let mut headers = one.headers.clone();
            headers.remove(header::AUTHORIZATION);
            format!("{} {headers:?} {}", one.uri, String::from_utf8_lossy(&one.body))
        };
        known.arrived.iter().map(text).collect()
    }
}

async fn answer(
    State(known): State<Arc<Mutex<Known>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut known = known.lock().expect("no panic");
    let arrived = Arrived { method, uri, headers, body: body.to_vec() };
    known.arrived.push(arrived.clone());
    known.answer(&arrived)
}

impl Known {
    fn answer(&mut self, asked: &Arrived) -> Response {
        let path = asked.uri.path().to_owned();
        if path == "/refresh" {
            return self.refresh(asked);
        }
        let bearer = asked.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let system = asked.headers.get("SystemID").and_then(|value| value.to_str().ok());
        let is_known = bearer == Some(&format!("bearer {}", self.accepted))
            && system.is_some_and(|system| Uuid::parse_str(system).is_ok());
        if !is_known || self.fault == Fault::NeverAccepts {
            return (StatusCode::UNAUTHORIZED, "who are you?").into_response();
        }
        match self.fault {
            Fault::Login => {
                return (StatusCode::FOUND, [(header::LOCATION, "/login?token=CANARY")]).into_response();
            }
            Fault::Page => {
                return ([(header::CONTENT_TYPE, "text/html")], "<!doctype html><h1>Hello").into_response();
            }
            Fault::Huge => return vec![b' '; 6 * 1024 * 1024].into_response(),
            Fault::NoJson => return "hello".into_response(),
            Fault::Forbidden => return (StatusCode::FORBIDDEN, "not\x1b[31m yours").into_response(),
            _ => {}
        }
        let profiles = self.profiles();
        match (asked.method.as_str(), path.strip_prefix(profiles)) {
            ("GET", _) if path == "/v0.3.14/capabilities" => self.capabilities(asked),
            ("GET", Some("")) => self.page(asked),
            ("POST", Some("")) => self.made(asked),
            ("POST", Some(rest)) if rest == format!("/{PROFILE_ID}/results") => self.result(asked),
            _ => (StatusCode::NOT_FOUND, "404 page not found").into_response(),
        }
    }

    fn profiles(&self) -> &'static str {
        match self.year {
            Year::Y2024 => "/user/performance/profiles",
            Year::Y2026 => "/api/performance/profiles",
        }
    }

    fn refresh(&mut self, asked: &Arrived) -> Response {
        let said: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        let is_ours = said["token"].as_str().is_some_and(|token| token == blob(0) || token == self.accepted);
        if asked.method != Method::POST || !is_ours || self.fault == Fault::NoRefresh {
            let words = format!("cannot renew {}", said["token"]);
            return (StatusCode::INTERNAL_SERVER_ERROR, words).into_response();
        }
        self.accepted = blob(2);
        json_of(StatusCode::OK, &json!({"token": self.accepted}))
    }

    fn capabilities(&self, asked: &Arrived) -> Response {
        if self.fault == Fault::NoCapabilities
            || !asked.uri.query().is_some_and(|query| query.contains("os="))
        {
            return (StatusCode::NOT_FOUND, "404 page not found").into_response();
        }
        let endpoint = match self.fault {
            Fault::LeadsAway => "https://evil.test/profiles",
            _ => self.profiles(),
        };
        let features = json!([
            {"feature": "sync-prefs", "endpoint": "/user/preferences"},
            {"feature": "persist-performance-profiles", "endpoint": endpoint},
        ]);
        let key = if self.year == Year::Y2024 { "package_version" } else { "packageVersion" };
        json_of(StatusCode::OK, &json!({key: "v0.7.1", "capabilities": features}))
    }

    fn page(&self, asked: &Arrived) -> Response {
        let query = asked.uri.query().unwrap_or_default();
        let (size, total) = match self.year {
            Year::Y2024 => ("page_size", "total_count"),
            Year::Y2026 => ("pageSize", "totalCount"),
        };
        assert!(query.contains("page=0") && query.contains(&size.replace('_', "")), "{query}");
        let mut profiles = vec![json!({"id": Uuid::nil(), "name": "Meshbench of somebody else"})];
        if self.has_profile {
            profiles.push(json!({"id": PROFILE_ID, "name": "Meshbench"}));
        }
        json_of(StatusCode::OK, &json!({"page": 0, size: 100, total: profiles.len(), "profiles": profiles}))
    }

    fn made(&mut self, asked: &Arrived) -> Response {
        let said: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        let (keys, status) = match self.year {
            Year::Y2024 => (["concurrent_request", "load_generators", "service_mesh"], StatusCode::CREATED),
            Year::Y2026 => (["concurrentRequest", "loadGenerators", "serviceMesh"], StatusCode::OK),
        };
        if keys.iter().any(|key| said.get(key).is_none()) || !said["endpoints"].is_array() {
            return (StatusCode::BAD_REQUEST, "not a profile").into_response();
        }
        self.has_profile = true;
        json_of(status, &json!({"id": PROFILE_ID, "name": said["name"]}))
    }

    fn result(&self, asked: &Arrived) -> Response {
        let said: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        let mut keys: Vec<&str> =
            said.as_object().map(|fields| fields.keys().map(String::as_str).collect()).unwrap_or_default();
        keys.sort_unstable();
        let expected = match self.year {
            Year::Y2024 => [
                "mesh",
                "meshery_id",
                "name",
                "performance_profile",
                "runner_results",
                "test_id",
                "test_start_time",
            ],
            Year::Y2026 => [
                "mesh",
                "mesheryId",
                "name",
                "performanceProfile",
                "runnerResults",
                "testId",
                "testStartTime",
            ],
        };
        if self.fault == Fault::Repeats {
            let words = format!("no result for {}", self.accepted);
            return (StatusCode::SERVICE_UNAVAILABLE, words).into_response();
        }
        if keys != expected {
            return (StatusCode::BAD_REQUEST, format!("not a result: {keys:?}")).into_response();
        }
        json_of(StatusCode::CREATED, &json!({"id": RESULT_ID}))
    }
}

fn json_of(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
