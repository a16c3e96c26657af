//! Why connections failed, in words: a bounded table beside the counts by class. Nothing here runs while all is well.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::{AlertDescription, CertificateError, Error};

use super::tls::SelfSigned;
use crate::model::run::ErrorClass;

/// The most different reasons that are kept of one class.
pub(super) const REASONS_MAX: usize = 8;
/// The longest reason, in characters: names in it may come from the target.
const CHARACTERS_MAX: usize = 200;
/// The most names of a certificate that are told.
const NAMES_MAX: usize = 4;
/// Stands for reasons beyond [`REASONS_MAX`].
const OTHERS: &str = "other reasons";

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) class: ErrorClass,
    pub(super) why: String,
}

/// Reasons and how often each was seen, by class; shared by all workers and told of failures only.
#[derive(Clone, Debug, Default)]
pub(super) struct Reasons(Arc<Mutex<BTreeMap<&'static str, BTreeMap<String, u64>>>>);

impl Refusal {
    pub(super) fn new(class: ErrorClass, why: impl Into<String>) -> Self {
        Self { class, why: why.into() }
    }
}

impl Reasons {
    pub(super) fn note(&self, class: ErrorClass, why: &str) {
        let why: String = why.chars().filter(|sign| !sign.is_control()).take(CHARACTERS_MAX).collect();
        // A count is right or not yet there, whoever panicked beside it.
        let mut classes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = classes.entry(class.name()).or_default();
        let is_new = !known.contains_key(&why);
        let key = if is_new && known.len() >= REASONS_MAX { OTHERS.to_owned() } else { why };
        *known.entry(key).or_insert(0) += 1;
    }

    /// By the name of the class.
    pub(super) fn told(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        let classes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        classes.iter().map(|(class, known)| ((*class).to_owned(), known.clone())).collect()
    }
}

/// Why there is no connection to `place`.
pub(super) fn connect_refusal(error: &io::Error, place: fmt::Arguments<'_>) -> Refusal {
    let (class, why) = match error.kind() {
        io::ErrorKind::TimedOut => (ErrorClass::ConnectTimeout, format!("{place} did not answer")),
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
            (ErrorClass::Reset, format!("{place} reset the connection at once"))
        }
        // Refused, unreachable, or no local port left: nobody could be reached there.
        io::ErrorKind::ConnectionRefused => {
            (ErrorClass::ConnectRefused, format!("nobody listens on {place}"))
        }
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
            (ErrorClass::ConnectRefused, format!("there is no way to {place}"))
        }
        io::ErrorKind::AddrNotAvailable => {
            (ErrorClass::ConnectRefused, format!("no local port is left for connections to {place}"))
        }
        io::ErrorKind::NotFound => (ErrorClass::ConnectRefused, format!("{place} does not exist")),
        _ => (ErrorClass::ConnectRefused, format!("{place}: {error}")),
    };
    Refusal { class, why }
}

/// Why TLS was not agreed on, or broke.
pub(super) fn tls_words(error: &io::Error) -> String {
    match error.get_ref().and_then(|cause| cause.downcast_ref::<Error>()) {
        Some(cause) => rustls_words(cause),
        None => match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                "the target closed the connection during the handshake".to_owned()
            }
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
                "the target reset the connection during the handshake".to_owned()
            }
            _ => error.to_string(),
        },
    }
}

fn rustls_words(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(error) => certificate_words(error),
        Error::InvalidMessage(_) => "the target does not speak TLS".to_owned(),
        Error::NoApplicationProtocol | Error::AlertReceived(AlertDescription::NoApplicationProtocol) => {
            "the target does not speak this protocol inside TLS (ALPN)".to_owned()
        }
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "the target asks for a client certificate".to_owned()
        }
        Error::AlertReceived(alert) => format!("the target refused TLS with the alert {alert:?}"),
        Error::PeerIncompatible(_) => "the target speaks no version or cipher of TLS that we do".to_owned(),
        other => other.to_string(),
    }
}

fn certificate_words(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired => "the certificate has expired".to_owned(),
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("the certificate expired on {}", moment(not_after.as_secs()))
        }
        CertificateError::NotValidYet => "the certificate is not valid yet".to_owned(),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("the certificate is not valid before {}", moment(not_before.as_secs()))
        }
        CertificateError::UnknownIssuer => "the certificate was issued by an unknown authority".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let more = if presented.len() > NAMES_MAX { ", …" } else { "" };
            let names: Vec<_> = presented.iter().take(NAMES_MAX).map(|name| name_words(name)).collect();
            let names = if names.is_empty() { "no name".to_owned() } else { names.join(", ") + more };
            format!("the certificate is not for {} but for {names}", expected.to_str())
        }
        CertificateError::NotValidForName => "the certificate is for another name".to_owned(),
        CertificateError::BadSignature => {
            "the certificate's signature is not that of the authority it names".to_owned()
        }
        CertificateError::Other(other) if other.0.is::<SelfSigned>() => {
            "the certificate is self-signed".to_owned()
        }
        other => format!("the certificate is not valid: {other}"),
    }
}

/// `DnsName("shop.test")` is how the library shows a name.
fn name_words(shown: &str) -> &str {
    shown.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(shown).trim_matches('"')
}

fn moment(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| "an unknown day".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_bounded_and_none_is_lost() {
        let reasons = Reasons::default();
        for n in 0..20 {
            reasons.note(ErrorClass::Tls, &format!("reason {n}\u{1b}[2J{}", "x".repeat(1000)));
        }
        reasons.note(ErrorClass::ConnectRefused, "nobody");
        reasons.note(ErrorClass::ConnectRefused, "nobody");
        let told = reasons.told();
        let tls = &told["tls"];
        assert_eq!((tls.len(), tls.values().sum::<u64>()), (REASONS_MAX + 1, 20));
        assert_eq!(tls[OTHERS], 12);
        assert!(tls.keys().all(|why| why.chars().count() <= CHARACTERS_MAX && !why.contains('\u{1b}')));
        assert_eq!(told["connect_refused"], BTreeMap::from([("nobody".to_owned(), 2)]));
    }
}
