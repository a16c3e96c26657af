//! What the name of a host tells by itself.

use std::net::IpAddr;

use url::Url;

/// Whether a host, as a URL has it, is this machine: `localhost`, or an address of loopback. Nothing is resolved.
#[must_use]
pub fn is_here(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether nobody on the way to an address can read along: TLS, or this machine.
#[must_use]
pub fn is_safe(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && url.host_str().is_some_and(is_here))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_here() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1", "[::1]"] {
            assert!(is_here(host), "{host}");
        }
        for host in ["localhost.test", "128.0.0.1", "10.0.0.1", "[::2]", "", "shop.test"] {
            assert!(!is_here(host), "{host}");
        }
    }
}
