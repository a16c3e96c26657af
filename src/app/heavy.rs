//! Load goes only where a person pointed it; much of it, to an address that is not private, is asked for first.

use std::net::IpAddr;

use url::{Host, Url};

use crate::model::plan::Route;
use crate::model::{Pacing, Plan, Search, number};

/// A rate above is heavy, in requests per second.
pub(super) const HEAVY_RATE_PER_SEC: f64 = 1000.0;
/// More connections are heavy.
pub(super) const HEAVY_CONNECTIONS: u32 = 256;

/// Why this plan should be asked about before it runs, or is searched with; none if it need not be.
#[must_use]
pub(super) fn reason(plan: &Plan, search: Option<Search>) -> Option<String> {
    let peak = search.map_or(plan.pacing.peak_per_sec().unwrap_or(0.0), |search| search.highest);
    reason_for(plan, peak)
}

/// As [`reason`], at so many times the plan's rate.
#[must_use]
pub(super) fn reason_at(plan: &Plan, factor: f64) -> Option<String> {
    reason_for(plan, plan.pacing.peak_per_sec().unwrap_or(0.0) * factor)
}

fn reason_for(plan: &Plan, peak: f64) -> Option<String> {
    let host = destinations(plan)?.into_iter().find(|host| !is_private(host))?;
    let load = match &plan.pacing {
        pacing if pacing.has_closed_loop() => {
            format!("as many requests as {} connections can carry", plan.connections)
        }
        // How fast it goes is in a file that nobody has looked into.
        Pacing::Replay { .. } => "a recording".to_owned(),
        _ if peak > HEAVY_RATE_PER_SEC => format!("up to {} requests", number::rate(peak)),
        _ if plan.connections > HEAVY_CONNECTIONS => {
            format!("requests over {} connections", number::count(u64::from(plan.connections)))
        }
        _ => return None,
    };
    Some(format!("{host} is not a private address, and this plan sends {load} to it"))
}

/// Where the plan's load goes: what its URLs name, or stand for by hand, and the proxy on the way.
fn destinations(plan: &Plan) -> Option<Vec<Host>> {
    let reach = &plan.target.reach;
    let service = plan.target.service.as_ref();
    if reach.unix_socket.is_some() || service.is_some_and(|service| service.route == Route::PortForward) {
        return Some(Vec::new());
    }
    let mut found = Vec::new();
    for url in plan.origins() {
        // Of a scheme that the library does not know, it leaves an address a name.
        let host = Host::parse(url.host_str()?).ok()?;
        let port = url.port_or_known_default().unwrap_or_default();
        match reach.given(&host.to_string(), port) {
            Some(given) => found.extend(given.addresses.iter().map(|address| match address {
                IpAddr::V4(ip) => Host::Ipv4(*ip),
                IpAddr::V6(ip) => Host::Ipv6(*ip),
            })),
            None => found.push(host),
        }
    }
    let proxy = reach.proxy.as_deref().and_then(|proxy| Url::parse(proxy).ok());
    let proxy = proxy.and_then(|proxy| Host::parse(proxy.host_str()?).ok());
    found.extend(proxy);
    Some(found)
}

/// Loopback, private and link-local addresses, and names that can only be local.
fn is_private(host: &Host) -> bool {
    match host {
        Host::Ipv4(ip) => is_private_ip(IpAddr::V4(*ip)),
        Host::Ipv6(ip) => is_private_ip(IpAddr::V6(*ip)),
        Host::Domain(name) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            let local = [".localhost", ".local", ".internal", ".svc", ".test", ".lan", ".home.arpa"];
            !name.contains('.') || local.iter().any(|ending| name.ends_with(ending))
        }
    }
}

fn is_private_ip(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified(),
        IpAddr::V6(ip) => {
            ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_unspecified()
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::model::plan::{Request, Resolve, Variant};

    use super::*;

    #[test]
    fn what_counts_is_where_the_load_goes_and_not_what_it_is_called() {
        let mut plan = Plan { pacing: Pacing::MAX, ..Plan::for_url("http://localhost/") };
        let given = |address: &str| Resolve {
            host: "LOCALHOST".to_owned(),
            port: Some(80),
            addresses: vec![[127, 0, 0, 1].into(), address.parse().expect("an address")],
        };
        plan.target.reach.resolve = vec![given("10.0.0.1")];
        assert_eq!(reason(&plan, None), None);
        plan.target.reach.resolve = vec![given("93.184.216.34")];
        assert!(reason(&plan, None).is_some_and(|words| words.starts_with("93.184.216.34 is not")));
        plan.target.reach.resolve[0].host = "*".to_owned();
        assert!(reason(&plan, None).is_some());
        plan.target.reach.resolve[0].port = Some(81);
        assert_eq!(reason(&plan, None), None);
        plan.target.reach.resolve.clear();
        for (proxy, is_private) in [
            ("http://127.0.0.1:3128", true),
            ("socks5h://10.0.0.1", true),
            ("socks5://[::1]:1080", true),
            ("socks5h://93.184.216.34", false),
            ("http://proxy.example.com", false),
        ] {
            plan.target.reach.proxy = Some(proxy.to_owned());
            assert_eq!(reason(&plan, None).is_none(), is_private, "{proxy}");
        }
        plan.target.reach.proxy = None;
        "http://example.com/".clone_into(&mut plan.target.url);
        assert!(reason(&plan, None).is_some());
        plan.target.reach.unix_socket = Some("web.sock".into());
        assert_eq!(reason(&plan, None), None);
        plan.target.reach.unix_socket = None;
        "http://10.0.0.1/".clone_into(&mut plan.target.url);
        assert_eq!(reason(&plan, None), None);
        plan.variants = vec![Variant {
            name: "away".to_owned(),
            weight: 1.0,
            url: Some("https://example.com/".to_owned()),
            request: Request::default(),
        }];
        assert!(reason(&plan, None).is_some_and(|words| words.starts_with("example.com is not")));
    }

    #[test]
    fn only_heavy_load_on_public_addresses_is_asked_about() {
        let with = |url: &str, pacing: Pacing| Plan { pacing, ..Plan::for_url(url) };
        let fast = Pacing::Constant { rate_per_sec: 1001.0 };
        for url in [
            "http://127.0.0.1/",
            "udp://127.0.0.1:7",
            "tcp://10.0.0.1:7",
            "http://10.1.2.3/",
            "http://[::1]/",
            "http://localhost:80/",
            "http://checkout/",
            "http://a.b.svc/",
        ] {
            assert_eq!(reason(&with(url, fast.clone()), None), None, "{url}");
        }
        for url in ["http://example.com/", "http://8.8.8.8/", "http://[2001:db8::1]/"] {
            assert!(reason(&with(url, fast.clone()), None).is_some(), "{url}");
            assert!(reason(&with(url, Pacing::MAX), None).is_some(), "{url}");
            assert_eq!(reason(&with(url, Pacing::Constant { rate_per_sec: 1000.0 }), None), None, "{url}");
        }
    }
}
