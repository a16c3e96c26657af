//! What goes wrong with a cluster, in words for a person: what happened, the whole cause, and what to do.

use std::error::Error;
use std::io;

use crate::model::causes;
use crate::model::cluster::Trouble;

/// The longest cause that is shown, in characters.
const CAUSE_CHARS_MAX: usize = 600;
/// A word of so many characters in what a program or server says may be a token.
const TOKEN_CHARS: usize = 40;

/// An error with all that caused it, each said once.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    bounded(&causes::chain(error))
}

/// Of bounded length, and without what looks like a token.
pub(super) fn bounded(text: &str) -> String {
    let is_secret = |word: &str| {
        word.chars().count() >= TOKEN_CHARS
            && word.chars().all(|c| c.is_ascii_alphanumeric() || "+/=_-.".contains(c))
            && !word.contains('/')
    };
    let words = text.split_whitespace().map(|word| {
        let bare = word.trim_matches(|c: char| "\"',;:()[]{}".contains(c));
        if is_secret(bare) { "(left out)" } else { word }
    });
    let mut kept: String = words.collect::<Vec<_>>().join(" ").chars().filter(|c| !c.is_control()).collect();
    if kept.chars().count() > CAUSE_CHARS_MAX {
        kept = kept.chars().take(CAUSE_CHARS_MAX).chain(['…']).collect();
    }
    kept
}

pub(super) fn trouble(title: &str, cause: String, advice: &str) -> Trouble {
    Trouble { title: title.to_owned(), cause, advice: advice.to_owned() }
}

/// Why a question to an API server was not answered. `through`: the proxy on the way.
pub(super) fn of_kube(error: &kube::Error, server: &str, through: Option<&str>) -> Trouble {
    if let kube::Error::Api(status) = error {
        return of_status(status.code, &status.message);
    }
    let causes = sources(error);
    if let Some(trouble) =
        causes.iter().find_map(|cause| cause.downcast_ref::<super::credentials::LoginError>())
    {
        return trouble.0.clone();
    }
    let tls = causes.iter().find_map(|cause| tls_within(*cause));
    let cause = chain(error);
    if let Some(tls) = tls {
        return of_tls(tls, server);
    }
    let lower = cause.to_lowercase();
    if let Some(proxy) = through
        && (lower.contains("tunnel") || lower.contains("proxy") || lower.contains("socks"))
    {
        return trouble(
            "The proxy does not lead to the API server",
            format!("{proxy}: {cause}"),
            "Check proxy-url in the kubeconfig, and HTTPS_PROXY and NO_PROXY",
        );
    }
    if lower.contains("dns error") || lower.contains("failed to lookup address") {
        return trouble(
            "The name of the API server could not be resolved",
            format!("{server}: {cause}"),
            "Check the address, and whether a VPN is needed",
        );
    }
    let kind = causes.iter().find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    match kind {
        Some(io::ErrorKind::ConnectionRefused) => trouble(
            "Nothing listens at the API server's address",
            format!("{server}: {cause}"),
            "Check that the cluster runs, and the port",
        ),
        Some(io::ErrorKind::TimedOut) => silent(server, &cause),
        Some(io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable) => trouble(
            "There is no way to the API server from here",
            format!("{server}: {cause}"),
            "Check the network, and whether a VPN is needed",
        ),
        _ if matches!(error, kube::Error::SerdeError(_) | kube::Error::FromUtf8(_)) => trouble(
            "What answers is no Kubernetes API server",
            format!("{server}: {cause}"),
            "Check the server's address and path in the kubeconfig",
        ),
        _ => trouble(
            "The API server cannot be reached",
            format!("{server}: {cause}"),
            "Check the kubeconfig's server",
        ),
    }
}

/// Nothing came for too long.
pub(super) fn silent(server: &str, cause: &str) -> Trouble {
    trouble(
        "The API server does not answer",
        format!("{server}: {cause}"),
        "Check the network, and whether a VPN or proxy is needed",
    )
}

fn of_status(code: u16, message: &str) -> Trouble {
    let message = bounded(message);
    match code {
        401 => trouble(
            "The cluster does not accept this login",
            format!("401 {message}"),
            "Log in again with the tool that this kubeconfig came from; its token or certificate may have expired",
        ),
        403 => trouble(
            "The cluster does not allow this",
            format!("403 {message}"),
            "Ask for a role that allows it",
        ),
        404 => trouble(
            "What answers is no Kubernetes API server, or one under another path",
            format!("404 {message}"),
            "Check the server's address and path in the kubeconfig",
        ),
        429 | 503 | 504 => trouble(
            "The API server is busy or not ready",
            format!("{code} {message}"),
            "Try again in a moment",
        ),
        _ => trouble("The API server refused", format!("{code} {message}"), "See the cause"),
    }
}

fn of_tls(error: &rustls::Error, server: &str) -> Trouble {
    use rustls::CertificateError as Wrong;
    let cause = format!("{server}: {error}");
    let rustls::Error::InvalidCertificate(wrong) = error else {
        let advice = "Check that the address is the API server's, and its port";
        return trouble("TLS with the API server failed", cause, advice);
    };
    match wrong {
        Wrong::UnknownIssuer => trouble(
            "The API server's certificate is by an authority that this kubeconfig does not know",
            cause,
            "Check certificate-authority-data; the cluster may have been made anew",
        ),
        Wrong::Expired
        | Wrong::ExpiredContext { .. }
        | Wrong::NotValidYet
        | Wrong::NotValidYetContext { .. } => trouble(
            "The API server's certificate is not valid at this time",
            cause,
            "Renew it, or set this machine's clock",
        ),
        Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => trouble(
            "The API server's certificate is for another name",
            cause,
            "Use the name it is for, or set tls-server-name",
        ),
        _ => trouble("The API server's certificate is not accepted", cause, "See the cause"),
    }
}

/// What broke TLS, within errors of the system that were made of it.
fn tls_within<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(tls);
    }
    let inner = error.downcast_ref::<io::Error>()?.get_ref()?;
    tls_within(inner)
}

fn sources<'a>(error: &'a (dyn Error + 'static)) -> Vec<&'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_left_out_of_what_others_say() {
        let token = "eyJhbGciOiJSUzI1NiIsImtpZCI6IkNBTkFSWSJ9.abc";
        let said = bounded(&format!("token \"{token}\" is\nnot known at https://a.test/{}", "x".repeat(50)));
        assert!(!said.contains("eyJ") && said.contains("(left out)") && said.contains("a.test"), "{said}");
        assert!(bounded(&"long ".repeat(1000)).chars().count() <= CAUSE_CHARS_MAX + 1);
    }

    #[test]
    fn every_status_says_what_to_do() {
        for code in [401, 403, 404, 500, 503] {
            let told = of_status(code, "no");
            assert!(!told.advice.is_empty() && told.cause.contains(&code.to_string()), "{told:?}");
        }
    }
}
