//! Why nothing was published, in words.

use reqwest::StatusCode;

use super::web::ANSWER_BYTES_MAX;

/// Why a run was not published.
#[derive(Debug, thiserror::Error)]
pub enum MesheryError {
    /// The address is no provider's.
    #[error("the address of the Meshery provider cannot be used: {0}")]
    Address(String),
    /// What was pasted or imported is no login.
    #[error("that is no login of Meshery: {0}")]
    Token(&'static str),
    /// No way to speak HTTP.
    #[error("no connection to a provider can be made")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It did not answer, or not to the end.
    #[error("{step}: the provider did not answer")]
    NoAnswer {
        /// What was asked.
        step: &'static str,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The login is over.
    #[error(
        "{step}: the provider does not accept the login; download a new token file from it (auth.json) and import it"
    )]
    LoginRefused {
        /// What was asked.
        step: &'static str,
    },
    /// The login is over and could not be renewed.
    #[error(
        "the login has expired and the provider does not renew it; download a new token file and import it"
    )]
    NotRenewed(#[source] Box<MesheryError>),
    /// A login page, most likely.
    #[error(
        "{step}: the provider sends elsewhere ({to}), as to a login page; check the address and the token file"
    )]
    Redirected {
        /// What was asked.
        step: &'static str,
        /// Host and path only: the rest may hold what is secret.
        to: String,
    },
    /// Something else than JSON.
    #[error("{step}: {what} came instead of an answer; is this the address of a Meshery provider?")]
    NotJson {
        /// What was asked.
        step: &'static str,
        /// `a web page`.
        what: &'static str,
    },
    /// More than is read.
    #[error("{step}: the answer is larger than {} MiB, and was not read to its end", ANSWER_BYTES_MAX / 1024 / 1024)]
    TooLarge {
        /// What was asked.
        step: &'static str,
    },
    /// Another status than success.
    #[error("{step}: the provider answered {status}{said}; {}", advice(*status))]
    Refused {
        /// What was asked.
        step: &'static str,
        /// Its answer.
        status: StatusCode,
        /// Its words, bounded and without the login; with a colon in front, or empty.
        said: String,
    },
    /// The capabilities lead elsewhere: the login is for the provider alone.
    #[error("the provider's capabilities name an endpoint that is not its own: {0}")]
    Endpoint(String),
    /// JSON, but not what was asked for.
    #[error("{step}: the answer lacks {what}")]
    Lacks {
        /// What was asked.
        step: &'static str,
        /// What is not there.
        what: &'static str,
    },
}

impl MesheryError {
    /// Whether there is no such endpoint, and another may be tried.
    pub(super) fn is_missing(&self) -> bool {
        let missing = [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED, StatusCode::GONE];
        matches!(self, Self::Refused { status, .. } if missing.contains(status))
    }
}

fn advice(status: StatusCode) -> &'static str {
    match status.as_u16() {
        403 => "the login is not allowed to do this",
        404 | 405 | 410 => "this version of Meshery is not known; check the address",
        413 => "the result is too large for it",
        429 => "it has been asked too often; try again later",
        500.. => "the fault is the provider's; try again later",
        _ => "it did not take what was sent",
    }
}
