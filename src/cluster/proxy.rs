//! Which proxy leads to an API server, by the rules of Go's programs, kubectl among them: pure.

use std::net::IpAddr;

use url::Url;

use crate::model::host::is_here;

/// What the environment says of proxies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Environment {
    pub(super) http: Option<String>,
    pub(super) https: Option<String>,
    pub(super) no_proxy: String,
}

impl Environment {
    pub(super) fn read() -> Self {
        let variable = |names: [&str; 2]| {
            names.into_iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        };
        Self {
            http: variable(["HTTP_PROXY", "http_proxy"]),
            https: variable(["HTTPS_PROXY", "https_proxy"]),
            no_proxy: variable(["NO_PROXY", "no_proxy"]).unwrap_or_default(),
        }
    }
}

/// The proxy to `server`: the kubeconfig's own, whatever the environment says; else the environment's, unless the server
/// is excepted or on this machine.
pub(super) fn choose(own: Option<&str>, server: &Url, environment: &Environment) -> Option<String> {
    if let Some(own) = own.filter(|own| !own.is_empty()) {
        return Some(own.to_owned());
    }
    let proxy = if server.scheme() == "https" { &environment.https } else { &environment.http };
    let proxy = proxy.as_ref()?;
    let host = server.host_str()?.trim_matches(['[', ']']).to_lowercase();
    let port = server.port_or_known_default()?;
    if is_here(&host) {
        return None;
    }
    let excepted = environment.no_proxy.split(',').map(str::trim).filter(|rule| !rule.is_empty());
    if excepted.into_iter().any(|rule| excepts(&rule.to_lowercase(), &host, port)) {
        return None;
    }
    // As Go reads it: without a scheme it is http.
    Some(if proxy.contains("://") { proxy.clone() } else { format!("http://{proxy}") })
}

/// Whether a rule of `NO_PROXY` is for this host.
fn excepts(rule: &str, host: &str, port: u16) -> bool {
    if rule == "*" {
        return true;
    }
    let address = host.parse::<IpAddr>().ok();
    if let Some((net, bits)) = rule.split_once('/') {
        let (Ok(net), Ok(bits), Some(address)) = (net.parse(), bits.parse(), address) else { return false };
        return is_within(address, net, bits);
    }
    let (name, only) = match rule.rsplit_once(':') {
        Some((name, digits)) if !name.contains(':') || name.ends_with(']') => match digits.parse::<u16>() {
            Ok(only) => (name, Some(only)),
            Err(_) => (rule, None),
        },
        _ => (rule, None),
    };
    if only.is_some_and(|only| only != port) {
        return false;
    }
    let name = name.trim_matches(['[', ']']);
    if let Ok(listed) = name.parse::<IpAddr>() {
        return address == Some(listed);
    }
    let name = name.strip_prefix("*.").map_or(name.to_owned(), |rest| format!(".{rest}"));
    match name.strip_prefix('.') {
        // With a dot in front, only what is below.
        Some(below) => host.strip_suffix(below).is_some_and(|front| front.ends_with('.')),
        None => host == name || host.strip_suffix(name.as_str()).is_some_and(|front| front.ends_with('.')),
    }
}

fn is_within(address: IpAddr, net: IpAddr, bits: u32) -> bool {
    match (address, net) {
        (IpAddr::V4(address), IpAddr::V4(net)) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            address.to_bits() & mask == net.to_bits() & mask
        }
        (IpAddr::V6(address), IpAddr::V6(net)) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            address.to_bits() & mask == net.to_bits() & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(own: Option<&str>, server: &str, no_proxy: &str) -> Option<String> {
        let environment = Environment {
            http: Some("http://plain:1".to_owned()),
            https: Some("proxy:3128".to_owned()),
            no_proxy: no_proxy.to_owned(),
        };
        choose(own, &Url::parse(server).expect("a URL"), &environment)
    }

    #[test]
    fn the_environments_proxy_is_for_servers_that_are_not_excepted() {
        let api = "https://api.prod.test:6443";
        for (server, no_proxy, is_used) in [
            (api, "", true),
            (api, "*", false),
            (api, "prod.test", false),
            (api, ".prod.test", false),
            (api, "*.prod.test", false),
            (api, "api.prod.test", false),
            (api, ".api.prod.test", true),
            (api, "od.test", true),
            (api, "api.prod.test:443", true),
            (api, " api.prod.test:6443 , x", false),
            (api, "localhost,127.0.0.1,", true),
            ("https://10.1.2.3:6443", "10.0.0.0/8", false),
            ("https://10.1.2.3:6443", "10.1.2.3", false),
            ("https://10.1.2.3:6443", "10.2.0.0/16", true),
            ("https://10.1.2.3:6443", "proxy", true),
            ("https://[fd00::1]:6443", "fd00::/8", false),
            ("https://[fd00::1]:6443", "[fd00::1]:6443", false),
            ("https://localhost:6443", "", false),
            ("https://127.0.0.1:6443", "", false),
            ("https://[::1]:6443", "", false),
        ] {
            let expected = is_used.then(|| "http://proxy:3128".to_owned());
            assert_eq!(chosen(None, server, no_proxy), expected, "{server} {no_proxy}");
        }
        assert_eq!(chosen(None, "http://api.test", "").as_deref(), Some("http://plain:1"));
    }

    #[test]
    fn the_kubeconfigs_own_proxy_is_always_used() {
        for server in ["https://api.test", "https://127.0.0.1:6443"] {
            assert_eq!(chosen(Some("socks5://p:1080"), server, "*").as_deref(), Some("socks5://p:1080"));
        }
        assert_eq!(chosen(Some(""), "https://127.0.0.1:6443", ""), None);
    }
}
