//! What is no success, as people and programs are told it.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::sync::words::{GONE, Refused};

/// Why a request is not carried out. Words of errors below stay in the log: they may name what is nobody's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No token, or one that is not taken.
    Unauthorized(String),
    /// Not there, or not theirs: the two are not told apart.
    NotFound,
    /// Deleted for good by its author.
    Gone,
    /// The request itself is wrong.
    Bad(String),
    /// The bytes are no record, or not those that their name says.
    NoRecord(String),
    /// Larger than any record may be.
    TooLarge(u64),
    /// The space is full.
    Quota(u64),
    /// Too many requests; so many seconds from now one may be made.
    TooMany(u64),
    /// The body did not come in time.
    Slow,
    /// Cannot be carried out just now, and why.
    Busy(String),
}

/// Of a store that failed: the words for the log.
#[derive(Clone, Debug)]
pub(super) struct Broken(pub(super) String);

const BUSY_RETRY_SECS: u64 = 5;

impl From<object_store::Error> for Refusal {
    fn from(error: object_store::Error) -> Self {
        Self::Busy(error.to_string())
    }
}

impl Refusal {
    fn told(&self) -> (StatusCode, &'static str, String) {
        let text = |text: &str| text.to_owned();
        match self {
            Self::Unauthorized(why) => (StatusCode::UNAUTHORIZED, "unauthorized", why.clone()),
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "not_found",
                text("there is no such thing, or it is not yours to see"),
            ),
            Self::Gone => (StatusCode::GONE, GONE, text("its author deleted it; it is not kept any more")),
            Self::Bad(why) => (StatusCode::BAD_REQUEST, "bad_request", why.clone()),
            Self::NoRecord(why) => (StatusCode::UNPROCESSABLE_ENTITY, "no_record", why.clone()),
            Self::TooLarge(max) => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                format!("a record has at most {max} bytes on this server"),
            ),
            Self::Quota(max) => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "quota",
                format!(
                    "the space is full ({max} bytes); delete runs, or ask whoever runs the server for more"
                ),
            ),
            Self::TooMany(_) => {
                (StatusCode::TOO_MANY_REQUESTS, "too_many", text("too many requests; try again later"))
            }
            Self::Slow => {
                (StatusCode::REQUEST_TIMEOUT, "slow", text("the body did not come in time; try again"))
            }
            Self::Busy(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                text("it cannot be carried out just now; try again later"),
            ),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code, message) = self.told();
        let body = Json(Refused { code: code.to_owned(), message });
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        match self {
            Self::Unauthorized(_) => {
                let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
                headers.insert(header::WWW_AUTHENTICATE, challenge);
            }
            Self::TooMany(seconds) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            Self::Busy(why) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(BUSY_RETRY_SECS));
                response.extensions_mut().insert(Broken(why));
            }
            // What is left of the body is not read: the connection is of no more use.
            Self::Slow | Self::TooLarge(_) => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}
