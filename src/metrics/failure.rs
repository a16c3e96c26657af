//! Why a source did not answer as it should, in words for people.

use std::time::Duration;

use crate::model::cluster::Trouble;
use crate::model::metrics::series::POINTS_MAX;
use crate::model::{duration, number};

/// The most characters of what a source says that are shown.
const SAID_CHARS_MAX: usize = 300;

/// Why a source did not answer as it should. As text it is what happened, the cause, and what to do.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}", self.words())]
pub enum Failure {
    /// The address, or what is set beside it, cannot be right.
    Address(String),
    /// What one logs in with is missing or cannot be used.
    Secret(String),
    /// A file of certificates cannot be used.
    File {
        /// Which.
        path: String,
        /// Why not.
        reason: String,
    },
    /// Nothing listens.
    Refused(String),
    /// The name of its host leads nowhere.
    Name(String),
    /// Its certificate is not trusted.
    Untrusted(String),
    /// It could not be reached, or broke off.
    NoAnswer(String),
    /// The way to it, which is not ours, failed.
    Way(String),
    /// It took longer than this.
    Slow(Duration),
    /// Its answer is larger than this, in bytes.
    Large(usize),
    /// It says that it is elsewhere.
    Redirected(String),
    /// It does not accept the login.
    LoginRefused(String),
    /// It does not allow this.
    Forbidden(String),
    /// There is nothing under this path.
    NotFound(String),
    /// It was asked too often.
    TooOften(String),
    /// It does not take the query.
    Query(String),
    /// It is not well: the status, and what it said.
    Unwell(u16, String),
    /// It refused for another reason: the status, and what it said.
    Status(u16, String),
    /// It answered with a web page.
    Page,
    /// It answered with something else.
    Odd(String),
    /// So many moments are more than it is asked for.
    TooManyPoints(i64),
    /// The moments make no sense.
    Moments,
    /// Only a server of metrics can work this out.
    NeedsServer(String),
}

impl Failure {
    /// As the window shows it.
    #[must_use]
    pub fn trouble(&self) -> Trouble {
        let (title, cause, advice) = self.told();
        Trouble { title: title.to_owned(), cause, advice: advice.to_owned() }
    }

    fn words(&self) -> String {
        let (title, cause, advice) = self.told();
        let cause = cause.trim_end_matches(['.', ' ']);
        match (cause.is_empty(), advice.is_empty()) {
            (true, true) => title.to_owned(),
            (true, false) => format!("{title}. {advice}"),
            (false, true) => format!("{title}: {cause}"),
            (false, false) => format!("{title}: {cause}. {advice}"),
        }
    }

    /// What happened, the cause, and what to do.
    fn told(&self) -> (&'static str, String, &'static str) {
        match self {
            Self::Address(_)
            | Self::Secret(_)
            | Self::File { .. }
            | Self::Refused(_)
            | Self::Name(_)
            | Self::Untrusted(_)
            | Self::NoAnswer(_)
            | Self::Way(_)
            | Self::Slow(_) => self.of_the_way(),
            Self::Large(bytes) => (
                "The answer of the source is too large",
                format!("more than {}", number::bytes(*bytes as u64)),
                "Ask for less: a shorter time, or sums instead of single series",
            ),
            Self::TooManyPoints(points) => (
                "That is more than a source is asked for at once",
                format!(
                    "{} moments in each series; at most {}",
                    number::count(points.unsigned_abs()),
                    number::count(POINTS_MAX as u64)
                ),
                "Choose a shorter time or a longer step",
            ),
            Self::Moments => (
                "There is nothing between these moments",
                "the end is before the beginning, or the step is 0".to_owned(),
                "Choose another time",
            ),
            Self::NeedsServer(what) => (
                "This needs a Prometheus server",
                what.clone(),
                "Add a Prometheus or a Grafana as a source and choose it",
            ),
            _ => self.of_the_answer(),
        }
    }

    fn of_the_way(&self) -> (&'static str, String, &'static str) {
        match self {
            Self::Address(cause) => (
                "The source's address cannot be used",
                cause.clone(),
                "Write it as http://localhost:9090 or https://metrics.example/prometheus",
            ),
            Self::Secret(cause) => {
                ("The login for this source is not complete", cause.clone(), "Edit the source, and enter it")
            }
            Self::File { path, reason } => (
                "A file of certificates cannot be used",
                format!("{path}: {reason}"),
                "Choose a file in PEM form that can be read",
            ),
            Self::Refused(cause) => {
                ("Nothing listens at the source's address", cause.clone(), "Check that it runs, and the port")
            }
            Self::Name(cause) => (
                "The name of the source's host could not be resolved",
                cause.clone(),
                "Check the address, and whether a VPN is needed",
            ),
            Self::Untrusted(cause) => (
                "The source's certificate is not trusted",
                cause.clone(),
                "Check the address, or name the file of its authority in the source's settings",
            ),
            Self::Way(cause) => {
                ("The way to the source failed", cause.clone(), "Check the connection of its cluster")
            }
            Self::Slow(limit) => (
                "The source took too long",
                format!("no whole answer within {}", duration::text(*limit)),
                "Ask for less, or try again when it is less busy",
            ),
            Self::NoAnswer(cause) => (
                "The source cannot be reached",
                cause.clone(),
                "Check the address, the network, and whether a proxy or a VPN is needed",
            ),
            _ => ("The source cannot be reached", String::new(), ""),
        }
    }

    fn of_the_answer(&self) -> (&'static str, String, &'static str) {
        match self {
            Self::Redirected(to) => (
                "The source says that it is elsewhere",
                format!("it leads to {to}"),
                "If that is a page to log in at, add a login to the source; else use that address",
            ),
            Self::LoginRefused(said) => (
                "The source does not accept this login",
                status(401, said),
                "Enter the token, or the user and password, again",
            ),
            Self::Forbidden(said) => (
                "The source does not allow this",
                status(403, said),
                "Ask for a role that may read metrics, or check the tenant",
            ),
            Self::NotFound(said) => (
                "The source has nothing under this path",
                status(404, said),
                "Check the path of its address: behind a proxy or in Mimir it often ends in /prometheus",
            ),
            Self::TooOften(said) => (
                "The source was asked too often",
                status(429, said),
                "Choose a longer refresh, or wait a moment",
            ),
            Self::Query(said) => ("The source does not take this query", said.clone(), ""),
            Self::Unwell(code, said) => {
                ("The source is not well", status(*code, said), "Try again in a moment, or look at its log")
            }
            Self::Status(code, said) => ("The source refused", status(*code, said), "See the cause"),
            Self::Page => (
                "The source answered with a web page",
                "it may be a page to log in at, or another program".to_owned(),
                "Check the address and its path, and add a login if it needs one",
            ),
            Self::Odd(what) => {
                ("What answers is no Prometheus", what.clone(), "Check the address and its path")
            }
            _ => ("The source did not answer as it should", String::new(), ""),
        }
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        failure.trouble()
    }
}

fn status(code: u16, said: &str) -> String {
    if said.is_empty() { format!("status {code}") } else { format!("{code} {said}") }
}

/// What a source says, on one line, bounded, and without the secrets that it may repeat.
pub(super) fn said(text: &str, secrets: &[String]) -> String {
    // Hidden before it is cut, so that no part of one is left at the end.
    let mut text = text.to_owned();
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret.as_str(), "(hidden)");
    }
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut kept: String = words.chars().filter(|c| !c.is_control()).take(SAID_CHARS_MAX + 1).collect();
    if kept.chars().count() > SAID_CHARS_MAX {
        kept = kept.chars().take(SAID_CHARS_MAX).chain(['…']).collect();
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_one_bounded_line_without_secrets() {
        let secrets = ["SECRET".to_owned(), String::new()];
        assert_eq!(said("token\r\n SECRET is\x1b over", &secrets), "token (hidden) is over");
        assert_eq!(said(&"x".repeat(5000), &[]).chars().count(), SAID_CHARS_MAX + 1);
    }

    #[test]
    fn every_failure_says_what_happened_and_all_but_a_wrong_query_what_to_do() {
        let slow = Failure::Slow(Duration::from_secs(30));
        assert_eq!(
            slow.to_string(),
            "The source took too long: no whole answer within 30s. Ask for less, or try again when it is less busy"
        );
        let query = Failure::Query("parse error: unexpected end of input".to_owned());
        assert_eq!(
            query.to_string(),
            "The source does not take this query: parse error: unexpected end of input"
        );
        for failure in [
            Failure::Page,
            Failure::Moments,
            Failure::TooManyPoints(20_000),
            Failure::LoginRefused(String::new()),
            Failure::Unwell(502, "bad gateway".to_owned()),
            Failure::Way("gone".to_owned()),
        ] {
            let Trouble { title, cause, advice } = failure.trouble();
            assert!(!title.is_empty() && !cause.is_empty() && !advice.is_empty(), "{failure:?}");
        }
    }
}
