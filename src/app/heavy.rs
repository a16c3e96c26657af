//! Load goes only where a person pointed it; much of it, to an address that is not private, is asked for first.

use std::net::IpAddr;

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
    let host = url::Url::parse(&plan.target.url).ok()?.host()?.to_owned();
    if is_private(&host) {
        return None;
    }
    let load = match &plan.pacing {
        Pacing::Max { .. } => format!("as many requests as {} connections can carry", plan.connections),
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

/// Loopback, private and link-local addresses, and names that can only be local.
fn is_private(host: &url::Host) -> bool {
    match host {
        url::Host::Ipv4(ip) => is_private_ip(IpAddr::V4(*ip)),
        url::Host::Ipv6(ip) => is_private_ip(IpAddr::V6(*ip)),
        url::Host::Domain(name) => {
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
    use super::*;

    #[test]
    fn only_heavy_load_on_public_addresses_is_asked_about() {
        let with = |url: &str, pacing: Pacing| Plan { pacing, ..Plan::for_url(url) };
        let fast = Pacing::Constant { rate_per_sec: 1001.0 };
        for url in [
            "http://127.0.0.1/",
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
