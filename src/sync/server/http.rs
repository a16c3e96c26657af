//! What is asked of a server of records, and what it answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{MatchedPath, Path, Query, Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::ledger::{Ledger, Put, Space};
use super::limits::Limits;
use super::metrics::Metrics;
use super::{Denied, Gate, Log, Person, ServerSettings};
use crate::model::causes::chain;
use crate::model::digest::Digest;
use crate::model::record::{Record, RecordError, RecordKind};
use crate::sync::words::{
    API, CHANGES_MAX, Capabilities, Changes, HAVE_MAX, Have, Me, Missing, PERSONAL, Refused, Taken,
};

/// What is served, as `METHOD path`.
pub const ROUTES: [(&str, &str); 11] = [
    ("GET", "/healthz"),
    ("GET", "/metrics"),
    ("GET", "/v1/openapi.json"),
    ("GET", "/v1/capabilities"),
    ("GET", "/v1/me"),
    ("DELETE", "/v1/me"),
    ("GET", "/v1/spaces/{space}/records/{digest}"),
    ("PUT", "/v1/spaces/{space}/records/{digest}"),
    ("GET", "/v1/spaces/{space}/changes"),
    ("POST", "/v1/spaces/{space}/have"),
    ("GET", "/"),
];
/// The description of it.
pub const OPENAPI: &str = include_str!("openapi.json");

/// The longest that a body is waited for.
const BODY_MAX: Duration = Duration::from_secs(60);
/// The most bytes of a question that is no record.
const QUESTION_BYTES_MAX: usize = 1024 * 1024;
/// The longest access token.
const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// Bytes of bodies that may be held at once, in units of [`UNIT_BYTES`].
const UNITS_MAX: u32 = 4096;
const UNIT_BYTES: u64 = 64 * 1024;

/// All that handlers share.
pub(super) struct Server {
    settings: ServerSettings,
    ledger: Ledger,
    gate: Arc<dyn Gate>,
    limits: Limits,
    metrics: Metrics,
    room: Semaphore,
    log: Log,
}

type Shared = State<Arc<Server>>;

/// Why a question is not answered as it was meant.
struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    after: Option<Duration>,
}

impl Server {
    pub(super) fn new(settings: ServerSettings, ledger: Ledger, gate: Arc<dyn Gate>, log: Log) -> Self {
        let limits = Limits::new(settings.rate_per_sec);
        let room = Semaphore::new(UNITS_MAX as usize);
        Self { settings, ledger, gate, limits, metrics: Metrics::default(), room, log }
    }

    pub(super) async fn sweep(&self, grace: SignedDuration, now: Timestamp) {
        let line = match self.ledger.sweep(grace, now).await {
            Ok(0) => return,
            Ok(swept) => serde_json::json!({ "time": now.to_string(), "swept": swept }),
            Err(error) => {
                serde_json::json!({ "time": now.to_string(), "level": "error", "error": chain(&error) })
            }
        };
        (self.log)(&line.to_string());
    }

    async fn admit(&self, headers: &HeaderMap) -> Result<Person, Refusal> {
        let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = token.and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
        });
        let token = token.filter(|token| !token.is_empty() && token.len() <= TOKEN_BYTES_MAX);
        let token = token.ok_or_else(|| Refusal::unauthorized("send an access token; log in first"))?;
        let person = self.gate.admit(token).await.map_err(|denied| match denied {
            Denied::Invalid(reason) => Refusal::unauthorized(&reason),
            Denied::Unknown(reason) => Refusal::busy(reason),
        })?;
        self.limits.ask(&person.subject, Instant::now()).map_err(|wait| Refusal {
            status: StatusCode::TOO_MANY_REQUESTS,
            code: "too_many",
            message: "too many requests; wait a moment".to_owned(),
            after: Some(wait),
        })?;
        Ok(person)
    }

    /// What a space is called in the store, if the person may use it. Whether one exists that they may not is not told.
    fn name_of(&self, person: &Person, space: &str) -> Result<String, Refusal> {
        if space == PERSONAL {
            return Ok(personal(person));
        }
        let team = self.settings.teams.iter().find(|team| team.id == space && team.has(person));
        team.map(super::Team::name).ok_or_else(|| {
            Refusal::new(StatusCode::NOT_FOUND, "not_found", "you have no such space on this server")
        })
    }

    async fn space(&self, person: &Person, space: &str) -> Result<Arc<Space>, Refusal> {
        Ok(self.ledger.space(&self.name_of(person, space)?).await?)
    }

    async fn body(&self, headers: &HeaderMap, body: Body, max: u64) -> Result<Vec<u8>, Refusal> {
        let too_large = || {
            let message = format!("at most {max} bytes are taken at once");
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", &message)
        };
        let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        if declared.is_some_and(|declared| declared > max) {
            return Err(too_large());
        }
        let units = declared.unwrap_or(max).div_ceil(UNIT_BYTES).clamp(1, u64::from(UNITS_MAX));
        let units = u32::try_from(units).unwrap_or(UNITS_MAX);
        let reading = async {
            // Held until the bytes are there: what is made of them is bounded by the number of requests.
            let _room = self.room.acquire_many(units).await;
            axum::body::to_bytes(body, usize::try_from(max).unwrap_or(usize::MAX)).await
        };
        match tokio::time::timeout(BODY_MAX, reading).await {
            Ok(Ok(bytes)) => Ok(bytes.to_vec()),
            Ok(Err(_)) if declared.is_some() => {
                Err(Refusal::new(StatusCode::BAD_REQUEST, "cut_off", "the body ended early"))
            }
            Ok(Err(_)) => Err(too_large()),
            Err(_) => Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, "too_slow", "the body came too slowly")),
        }
    }
}

impl super::Team {
    fn has(&self, person: &Person) -> bool {
        self.group.as_ref().is_some_and(|group| person.groups.contains(group))
            || self.members.contains(&person.subject)
    }

    fn name(&self) -> String {
        format!("team\n{}", self.id)
    }
}

fn personal(person: &Person) -> String {
    format!("person\n{}", person.subject)
}

/// Everything that is served.
pub(super) fn router(server: Arc<Server>) -> Router {
    Router::new()
        .route("/", get(index))
        .route("/healthz", get(health))
        .route("/metrics", get(metrics))
        .route("/v1/openapi.json", get(openapi))
        .route("/v1/capabilities", get(capabilities))
        .route("/v1/me", get(me).delete(delete_me))
        .route("/v1/spaces/{space}/records/{digest}", put(put_record).get(get_record))
        .route("/v1/spaces/{space}/changes", get(changes))
        .route("/v1/spaces/{space}/have", post(have))
        .fallback(nothing)
        .method_not_allowed_fallback(other_method)
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&server), noted))
        .with_state(server)
}

/// Counts and logs every answer: nothing of who asked, nor of what for.
async fn noted(State(server): Shared, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let method = match *request.method() {
        Method::GET => "GET",
        Method::PUT => "PUT",
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        _ => "other",
    };
    let mut response = next.run(request).await;
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let status = response.status().as_u16();
    server.metrics.answered(method, &route, status, began.elapsed());
    let took_ms = began.elapsed().as_micros() as f64 / 1000.0;
    let line = serde_json::json!({
        "time": Timestamp::now().to_string(), "method": method, "route": route, "status": status, "ms": took_ms,
    });
    (server.log)(&line.to_string());
    response
}

async fn index() -> &'static str {
    "A Meshbench server of records. Its address is entered in Meshbench, under Account.\n"
}

async fn health(State(server): Shared) -> Response {
    if server.ledger.is_well().await {
        "ok\n".into_response()
    } else {
        Refusal::busy("the store does not answer".to_owned()).into_response()
    }
}

async fn metrics(State(server): Shared) -> Response {
    let kind = HeaderValue::from_static("text/plain; version=0.0.4");
    ([(CONTENT_TYPE, kind)], server.metrics.text()).into_response()
}

async fn openapi() -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], OPENAPI).into_response()
}

async fn capabilities(State(server): Shared) -> Response {
    json(
        StatusCode::OK,
        &Capabilities {
            api: API,
            server_epoch: server.ledger.epoch,
            max_bytes: server.settings.record_bytes,
            kinds: RecordKind::ALL.iter().map(|kind| kind.name().to_owned()).collect(),
            login: server.settings.login.clone(),
        },
    )
}

async fn me(State(server): Shared, headers: HeaderMap) -> Result<Response, Refusal> {
    let person = server.admit(&headers).await?;
    let teams = server.settings.teams.iter().filter(|team| team.has(&person));
    let named = teams.map(|team| (team.id.clone(), team.id.clone(), team.name()));
    let own = (PERSONAL.to_owned(), "Personal".to_owned(), personal(&person));
    let mut spaces = Vec::new();
    for (id, name, kept_as) in std::iter::once(own).chain(named) {
        let used_bytes = server.ledger.space(&kept_as).await?.bytes().await;
        spaces.push(crate::sync::words::Space {
            id,
            name,
            used_bytes,
            max_bytes: server.settings.quota_bytes,
        });
    }
    Ok(json(StatusCode::OK, &Me { subject: person.subject, name: person.name, spaces }))
}

async fn delete_me(State(server): Shared, headers: HeaderMap) -> Result<Response, Refusal> {
    let person = server.admit(&headers).await?;
    server.ledger.delete_space(&personal(&person)).await?;
    // Also of teams that they have left.
    for team in &server.settings.teams {
        server.ledger.delete_of(&team.name(), &person.subject).await?;
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn put_record(
    State(server): Shared,
    Path((space, digest)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let person = server.admit(&headers).await?;
    let space = server.space(&person, &space).await?;
    let digest = read_digest(&digest)?;
    let bytes = server.body(&headers, body, server.settings.record_bytes).await?;
    let size = bytes.len();
    let (record, bytes) = proven(digest, bytes).await?;
    let now = Timestamp::now();
    let put = server.ledger.put(&space, &person, (&record, bytes), server.settings.quota_bytes, now).await?;
    let (status, seq) = match put {
        Put::Taken(seq) => {
            server.metrics.took(size);
            (StatusCode::CREATED, seq)
        }
        Put::There(seq) => (StatusCode::OK, seq),
        Put::Gone => return Err(gone()),
        Put::Full => {
            let message = "the space is full; delete runs, or ask who runs the server for more";
            return Err(Refusal::new(StatusCode::INSUFFICIENT_STORAGE, "quota", message));
        }
    };
    Ok(json(status, &Taken { server_epoch: server.ledger.epoch, digest, seq }))
}

async fn get_record(
    State(server): Shared,
    Path((space, digest)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let person = server.admit(&headers).await?;
    let space = server.space(&person, &space).await?;
    let digest = read_digest(&digest)?;
    let unknown = || Refusal::new(StatusCode::NOT_FOUND, "not_found", "there is no such record");
    let entry = space.entry_of(digest).await.ok_or_else(unknown)?;
    if entry.is_gone() {
        return Err(gone());
    }
    let bytes = server.ledger.get(&space, digest).await?.ok_or_else(gone)?;
    server.metrics.gave(bytes.len());
    let kind = HeaderValue::from_static("application/octet-stream");
    let forever = HeaderValue::from_static("private, max-age=31536000, immutable");
    Ok(([(CONTENT_TYPE, kind), (CACHE_CONTROL, forever)], bytes).into_response())
}

/// Which changes are asked for.
#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

async fn changes(
    State(server): Shared,
    Path(space): Path<String>,
    asked: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let person = server.admit(&headers).await?;
    let space = server.space(&person, &space).await?;
    let wrong = || Refusal::new(StatusCode::BAD_REQUEST, "bad_request", "after and limit are whole numbers");
    let Query(asked) = asked.map_err(|_| wrong())?;
    let limit = asked.limit.unwrap_or(CHANGES_MAX).clamp(1, CHANGES_MAX);
    let (changes, more) = space.changes(asked.after, limit).await;
    Ok(json(StatusCode::OK, &Changes { server_epoch: server.ledger.epoch, changes, more }))
}

async fn have(
    State(server): Shared,
    Path(space): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refusal> {
    let person = server.admit(&headers).await?;
    let space = server.space(&person, &space).await?;
    let bytes = server.body(&headers, body, QUESTION_BYTES_MAX as u64).await?;
    let have: Have = serde_json::from_slice(&bytes).map_err(|_| {
        Refusal::new(StatusCode::BAD_REQUEST, "bad_request", "a list of digests is asked for")
    })?;
    if have.digests.len() > HAVE_MAX {
        let message = format!("at most {HAVE_MAX} digests are looked up at once");
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "bad_request", &message));
    }
    let missing = space.missing(&have.digests).await;
    Ok(json(StatusCode::OK, &Missing { server_epoch: server.ledger.epoch, missing }))
}

async fn nothing() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this address")
}

async fn other_method() -> Refusal {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "bad_method", "this is not asked for in this way")
}

fn read_digest(text: &str) -> Result<Digest, Refusal> {
    text.parse().map_err(|reason: String| Refusal::new(StatusCode::BAD_REQUEST, "bad_request", &reason))
}

/// Reads and proves a record, where that may take long.
async fn proven(digest: Digest, bytes: Vec<u8>) -> Result<(Record, Vec<u8>), Refusal> {
    let no_record = |reason: String| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "no_record", &reason);
    let proving = tokio::task::spawn_blocking(move || {
        if Digest::of(&bytes) != digest {
            return Err("the bytes are not those that the address names".to_owned());
        }
        match Record::read(&bytes, Timestamp::now()) {
            Ok(record) => Ok((record, bytes)),
            // What stands in it is not told: it is the sender's.
            Err(error @ (RecordError::UnknownKind | RecordError::Ahead | RecordError::Secret)) => {
                Err(error.to_string())
            }
            Err(RecordError::Envelope(error)) => Err(error.to_string()),
        }
    });
    proving.await.unwrap_or_else(|_| Err("it cannot be read".to_owned())).map_err(no_record)
}

fn gone() -> Refusal {
    Refusal::new(StatusCode::GONE, "gone", "it was deleted by who sent it")
}

impl Refusal {
    fn new(status: StatusCode, code: &'static str, message: &str) -> Self {
        Self { status, code, message: message.to_owned(), after: None }
    }

    fn unauthorized(reason: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", reason)
    }

    fn busy(message: String) -> Self {
        let after = Some(Duration::from_secs(5));
        Self { status: StatusCode::SERVICE_UNAVAILABLE, code: "busy", message, after }
    }
}

impl From<object_store::Error> for Refusal {
    /// What the store says is not for those who ask: it may name places and keys.
    fn from(_: object_store::Error) -> Self {
        Self::busy("the server's store does not do its part; try again later".to_owned())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let said = Refused { code: self.code.to_owned(), message: self.message };
        let mut response = json(self.status, &said);
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(after) = self.after {
            headers.insert(RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        response
    }
}

fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let text = serde_json::to_vec(value).expect("the words of the protocol have a JSON form");
    let kind = HeaderValue::from_static("application/json");
    (status, [(CONTENT_TYPE, kind), (CACHE_CONTROL, HeaderValue::from_static("no-store"))], text)
        .into_response()
}
