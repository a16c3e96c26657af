//! What can be asked, who may ask it, and the answers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router, middleware};
use futures_util::StreamExt as _;
use jiff::Timestamp;
use object_store::ObjectStore;
use serde::Deserialize;
use tokio::sync::{Mutex as AsyncMutex, Semaphore};
use uuid::Uuid;

use super::answer::Refusal;
use super::book::{self, Book, Entry, Put};
use super::observe::{Metrics, observe};
use super::rate::Buckets;
use super::{Denied, Gate, Person, ServerSettings};
use crate::model::digest::Digest;
use crate::model::record::{Record, RecordKind};
use crate::sync::words::{
    API, CHANGES_MAX, Capabilities, Changes, HAVE_MAX, Have, Me, Missing, PERSONAL, Space, Taken,
};

/// The description of all this for programs, held against it by a test.
const OPENAPI: &str = include_str!("openapi.json");
/// Spaces whose logs are kept in memory; the rest is read again.
const BOOKS_MAX: usize = 2000;
/// Records that are unpacked at once: each may be many times as large as it came.
const PROOFS_MAX: usize = 2;
/// The most bytes of a question that is no record: [`HAVE_MAX`] digests, quoted, with room for white space.
const QUESTION_BYTES_MAX: u64 = 80 * HAVE_MAX as u64;

/// All that answering needs.
pub(super) struct Desk {
    pub(super) settings: ServerSettings,
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) metrics: Metrics,
    epoch: Uuid,
    gate: Arc<dyn Gate>,
    books: Mutex<HashMap<String, Arc<AsyncMutex<Book>>>>,
    buckets: Mutex<Buckets>,
    bodies: Semaphore,
    proofs: Semaphore,
}

#[derive(Deserialize)]
struct After {
    #[serde(default)]
    after: u64,
    limit: Option<usize>,
}

type Answer<T> = Result<T, Refusal>;
type TheDesk = State<Arc<Desk>>;

/// Every route.
pub(super) fn router(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/v1/openapi.json", get(openapi))
        .route("/v1/capabilities", get(capabilities))
        .route("/v1/me", get(me).delete(delete_me))
        .route("/v1/spaces/{space}/records/{digest}", put(put_record).get(get_record))
        .route("/v1/spaces/{space}/changes", get(changes))
        .route("/v1/spaces/{space}/have", post(have))
        .fallback(async || Refusal::NotFound)
        .layer(middleware::from_fn_with_state(Arc::clone(&desk), observe))
        .with_state(desk)
}

impl Desk {
    pub(super) fn new(
        settings: ServerSettings,
        epoch: Uuid,
        store: Arc<dyn ObjectStore>,
        gate: Arc<dyn Gate>,
    ) -> Self {
        let limits = &settings.limits;
        let buckets = Mutex::new(Buckets::new(limits.burst, limits.rate_per_sec));
        let bodies = Semaphore::new(limits.bodies);
        let (metrics, books) = (Metrics::default(), Mutex::default());
        let proofs = Semaphore::new(PROOFS_MAX);
        Self { settings, store, metrics, epoch, gate, books, buckets, bodies, proofs }
    }

    /// What was read of a space's log.
    pub(super) fn book(&self, key: &str) -> Arc<AsyncMutex<Book>> {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        if books.len() >= BOOKS_MAX && !books.contains_key(key) {
            // Those in use stay: two books of one space would be two locks.
            books.retain(|_, book| Arc::strong_count(book) > 1);
        }
        let book = books.entry(key.to_owned());
        Arc::clone(book.or_insert_with(|| Arc::new(AsyncMutex::new(Book::new(key)))))
    }

    /// Who asks; counted against how much they may ask.
    async fn person(&self, headers: &HeaderMap) -> Answer<Person> {
        let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = |value: &'_ str| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
        };
        let token = token.and_then(bearer).filter(|token| !token.is_empty());
        let token =
            token.ok_or_else(|| Refusal::Unauthorized("log in: no access token was sent".to_owned()))?;
        let person = self.gate.admit(&token).await.map_err(|denied| match denied {
            Denied::Invalid(why) => Refusal::Unauthorized(why),
            Denied::Unknown(why) => Refusal::Busy(why),
        })?;
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.take(&person.subject, Instant::now()).map_err(Refusal::TooMany)?;
        Ok(person)
    }

    /// Who asks, and the key of the space that they ask about, if it is theirs.
    async fn admitted(&self, headers: &HeaderMap, space: &str) -> Answer<(Person, String)> {
        let person = self.person(headers).await?;
        if space == PERSONAL {
            let key = personal_key(&person);
            return Ok((person, key));
        }
        let team = self.settings.teams.iter().find(|team| team.id == space && team.has(&person));
        let key = team.map(|team| team_key(&team.id)).ok_or(Refusal::NotFound)?;
        Ok((person, key))
    }

    async fn space(&self, id: &str, name: &str, key: &str) -> Answer<Space> {
        let book = self.book(key);
        let mut book = book.lock().await;
        book.catch_up(self.store.as_ref()).await?;
        Ok(Space {
            id: id.to_owned(),
            name: name.to_owned(),
            used_bytes: book.used_bytes,
            max_bytes: self.settings.limits.space_bytes,
        })
    }

    /// The whole body, if it is not larger and comes in time.
    async fn body(&self, headers: &HeaderMap, body: Body, max: u64) -> Answer<Bytes> {
        let declared =
            headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if declared.is_some_and(|declared: u64| declared > max) {
            return Err(Refusal::TooLarge(max));
        }
        let read = async {
            let mut whole = Vec::new();
            let mut parts = body.into_data_stream();
            while let Some(part) = parts.next().await {
                let part = part.map_err(|_| Refusal::Bad("the body broke off".to_owned()))?;
                if whole.len() as u64 + part.len() as u64 > max {
                    return Err(Refusal::TooLarge(max));
                }
                whole.extend_from_slice(&part);
            }
            Ok(Bytes::from(whole))
        };
        let read = tokio::time::timeout(self.settings.limits.body_time, read).await;
        read.unwrap_or(Err(Refusal::Slow))
    }
}

// Hashed: a subject may be anything, and says who it is.
fn personal_key(person: &Person) -> String {
    format!("me-{}", Digest::of(person.subject.as_bytes()))
}

fn team_key(id: &str) -> String {
    format!("team-{}", Digest::of(id.as_bytes()))
}

fn digest(text: &str) -> Answer<Digest> {
    text.parse().map_err(Refusal::Bad)
}

async fn healthz() -> &'static str {
    "ok\n"
}

async fn readyz(State(desk): TheDesk) -> Answer<&'static str> {
    if book::is_ready(desk.store.as_ref()).await {
        Ok("ok\n")
    } else {
        Err(Refusal::Busy("the store does not answer".to_owned()))
    }
}

async fn metrics(State(desk): TheDesk) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], desk.metrics.text()).into_response()
}

async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

async fn capabilities(State(desk): TheDesk) -> Json<Capabilities> {
    Json(Capabilities {
        api: API,
        server_epoch: desk.epoch,
        max_bytes: desk.settings.limits.record_bytes,
        kinds: RecordKind::ALL.iter().map(|kind| kind.name().to_owned()).collect(),
        login: desk.settings.login.clone(),
    })
}

async fn me(State(desk): TheDesk, headers: HeaderMap) -> Answer<Json<Me>> {
    let person = desk.person(&headers).await?;
    let mut spaces = vec![desk.space(PERSONAL, &person.name, &personal_key(&person)).await?];
    for team in desk.settings.teams.iter().filter(|team| team.has(&person)) {
        spaces.push(desk.space(&team.id, &team.id, &team_key(&team.id)).await?);
    }
    let deletion = book::deletion(desk.store.as_ref(), &personal_key(&person)).await?;
    Ok(Json(Me { subject: person.subject, name: person.name, spaces, deletion }))
}

async fn delete_me(State(desk): TheDesk, headers: HeaderMap) -> Answer<StatusCode> {
    let person = desk.person(&headers).await?;
    // Not broken off with the connection: half a deletion is none.
    let deleting = tokio::spawn(async move { erase_person(&desk, &person).await });
    deleting.await.map_err(|error| Refusal::Busy(error.to_string()))??;
    Ok(StatusCode::NO_CONTENT)
}

async fn erase_person(desk: &Desk, person: &Person) -> Answer<()> {
    let store = desk.store.as_ref();
    // Teams that there are no more have records too: those in the store count.
    for key in book::keys(store, "team-").await? {
        let book = desk.book(&key);
        let mut book = book.lock().await;
        book.catch_up(store).await?;
        let places = book.entries.iter().enumerate();
        let places: Vec<usize> =
            places.filter(|(_, entry)| entry.author == person.subject).map(|(at, _)| at).collect();
        book.erase(store, &places).await?;
    }
    let book = desk.book(&personal_key(person));
    book.lock().await.wipe(store).await?;
    Ok(())
}

async fn put_record(
    State(desk): TheDesk,
    Path((space, name)): Path<(String, String)>,
    headers: HeaderMap,
    request: Request,
) -> Answer<Response> {
    let (author, key) = desk.admitted(&headers, &space).await?;
    let name = digest(&name)?;
    let waited = tokio::time::timeout(desk.settings.limits.body_time, desk.bodies.acquire()).await;
    let _room = waited.map_err(|_| Refusal::Busy("too many records are on their way".to_owned()))?;
    let bytes = desk.body(&headers, request.into_body(), desk.settings.limits.record_bytes).await?;
    let (entry, bytes) = {
        let _turn = desk.proofs.acquire().await;
        let proving = move || entry(name, &author, &bytes).map(|entry| (entry, bytes));
        tokio::task::spawn_blocking(proving).await.map_err(|error| Refusal::Busy(error.to_string()))??
    };
    let (digest, size) = (entry.digest, entry.size);
    // Not broken off with the connection: between the record and its entry would be neither.
    let theirs = Arc::clone(&desk);
    let putting = tokio::spawn(async move {
        let book = theirs.book(&key);
        let mut book = book.lock().await;
        book.put(theirs.store.as_ref(), entry, bytes, theirs.settings.limits.space_bytes).await
    });
    let put = putting.await.map_err(|error| Refusal::Busy(error.to_string()))??;
    let (status, seq) = match put {
        Put::Taken(seq) => {
            desk.metrics.taken(size);
            (StatusCode::CREATED, seq)
        }
        Put::WasThere(seq) => (StatusCode::OK, seq),
    };
    Ok((status, Json(Taken { server_epoch: desk.epoch, digest, seq })).into_response())
}

/// Proves what was sent.
fn entry(name: Digest, author: &Person, bytes: &[u8]) -> Answer<Entry> {
    if Digest::of(bytes) != name {
        return Err(Refusal::NoRecord("the bytes are not those that the address names (SHA-256)".to_owned()));
    }
    let now = Timestamp::now();
    let record = Record::read(bytes, now).map_err(|error| Refusal::NoRecord(error.to_string()))?;
    Ok(Entry::of(&record, name, bytes.len() as u64, author, now))
}

async fn get_record(
    State(desk): TheDesk,
    Path((space, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer<Response> {
    let (_, key) = desk.admitted(&headers, &space).await?;
    let name = digest(&name)?;
    let place = {
        let book = desk.book(&key);
        let mut book = book.lock().await;
        book.catch_up(desk.store.as_ref()).await?;
        let at = *book.at.get(&name).ok_or(Refusal::NotFound)?;
        let entry = &book.entries[at];
        if entry.is_gone() {
            return Err(Refusal::Gone);
        }
        book.record_path(entry)
    };
    let bytes = book::bytes(desk.store.as_ref(), &place).await?.ok_or(Refusal::Gone)?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response())
}

async fn changes(
    State(desk): TheDesk,
    Path(space): Path<String>,
    Query(asked): Query<After>,
    headers: HeaderMap,
) -> Answer<Json<Changes>> {
    let (_, key) = desk.admitted(&headers, &space).await?;
    let limit = asked.limit.unwrap_or(CHANGES_MAX).clamp(1, CHANGES_MAX);
    let book = desk.book(&key);
    let mut book = book.lock().await;
    book.catch_up(desk.store.as_ref()).await?;
    let (changes, more) = book.changes(asked.after, limit);
    Ok(Json(Changes { server_epoch: desk.epoch, changes, more }))
}

async fn have(
    State(desk): TheDesk,
    Path(space): Path<String>,
    headers: HeaderMap,
    request: Request,
) -> Answer<Json<Missing>> {
    let (_, key) = desk.admitted(&headers, &space).await?;
    let bytes = desk.body(&headers, request.into_body(), QUESTION_BYTES_MAX).await?;
    let asked: Have = serde_json::from_slice(&bytes)
        .map_err(|_| Refusal::Bad("the body is not {\"digests\": […]}".to_owned()))?;
    if asked.digests.len() > HAVE_MAX {
        return Err(Refusal::Bad(format!("at most {HAVE_MAX} digests can be asked about at once")));
    }
    let book = desk.book(&key);
    let mut book = book.lock().await;
    book.catch_up(desk.store.as_ref()).await?;
    Ok(Json(Missing { server_epoch: desk.epoch, missing: book.missing(asked.digests) }))
}
