//! The requests of one plan may go to several schemes, hosts and ports; each server's own log must agree with our counts.

use std::collections::BTreeMap;
use std::time::Duration;

use meshbench::load::Measured;
use meshbench::model::plan::{Protocol, Request, Resolve, Variant};
use meshbench::model::{Pacing, Plan, Stop};

use crate::load_nginx::Nginx;
use crate::peer::{assert_balanced, closed_port, measure};

const REQUESTS: u64 = 2000;

/// Three in four go to the first URL.
fn plan(first: &str, second: &str) -> Plan {
    let mut plan = Plan::for_url(first);
    plan.connections = 4;
    plan.pacing = Pacing::MAX;
    plan.stop = Stop::Requests(REQUESTS);
    plan.variants = [("first", first, 3.0), ("second", second, 1.0)]
        .into_iter()
        .map(|(name, url, weight)| Variant {
            name: name.to_owned(),
            weight,
            url: Some(url.to_owned()),
            request: Request::default(),
        })
        .collect();
    plan
}

/// How many requests each variant had, by name.
fn by_variant(measured: &Measured) -> BTreeMap<&str, u64> {
    measured.detail.variants.iter().map(|row| (row.name.as_str(), row.requests)).collect()
}

fn assert_agrees(plan: &Plan, servers: [Nginx; 2], what: &str) -> Measured {
    let measured = measure(plan, 1);
    assert_balanced(&measured, what);
    assert_eq!(
        measured.status,
        BTreeMap::from([("200".to_owned(), REQUESTS)]),
        "{what}: {:?}",
        measured.errors
    );
    let counts = by_variant(&measured);
    for (name, server) in ["first", "second"].into_iter().zip(servers) {
        assert_eq!(server.logged(), BTreeMap::from([("200".to_owned(), counts[name])]), "{what} {name}");
    }
    assert!((1300..1700).contains(&counts["first"]), "three in four: {counts:?}");
    measured
}

#[test]
fn one_plan_sends_to_a_plain_and_to_a_secure_server() {
    let servers = [Nginx::unlimited(), Nginx::tls()];
    let mut plan = plan(&servers[0].url("/"), &servers[1].url("/"));
    plan.target.ca_file = Some(servers[1].authority());
    let addresses = [servers[0].address().to_string(), servers[1].address().to_string()];
    let measured = assert_agrees(&plan, servers, "HTTP/1.1");
    let mut told: Vec<_> = measured.detail.addresses.iter().map(|row| row.name.clone()).collect();
    told.sort();
    let mut expected = addresses.clone();
    expected.sort();
    assert_eq!(told, expected);
    assert_eq!(measured.address, format!("{} and {}", addresses[0], addresses[1]));
    assert!(measured.connections.opened > 8, "4 to each, and one server ends them after 37 requests");
    assert_eq!(measured.detail.connections.used, 8, "each is told apart");
}

#[test]
fn one_plan_shares_connections_to_two_servers() {
    let servers = [Nginx::http2(100_000), Nginx::http2(37)];
    let mut plan = plan(&servers[0].url("/"), &servers[1].url("/"));
    plan.target.protocol = Protocol::Http2 { streams: 3 };
    let measured = assert_agrees(&plan, servers, "HTTP/2");
    assert_eq!(measured.detail.connections.used, 8, "each is told apart");
}

#[test]
fn names_behind_one_address_are_told_apart() {
    let nginx = Nginx::serving("$host $status", "location / { return 200 'hello'; }");
    let port = nginx.address().port();
    let mut plan = plan(&format!("http://a.test:{port}/"), &format!("http://b.test:{port}/"));
    let addresses = vec![[127, 0, 0, 1].into()];
    plan.target.reach.resolve = vec![Resolve { host: "*".to_owned(), port: None, addresses }];
    let measured = measure(&plan, 1);
    assert_balanced(&measured, "two names");
    let mut told: Vec<_> = measured.detail.addresses.iter().map(|row| row.name.clone()).collect();
    told.sort();
    let named = ["a.test", "b.test"].map(|host| format!("{host}:{port} at 127.0.0.1:{port}"));
    assert_eq!(told, named);
    let counts = by_variant(&measured);
    let expected = [("a.test 200", counts["first"]), ("b.test 200", counts["second"])];
    assert_eq!(nginx.logged(), expected.map(|(line, count)| (line.to_owned(), count)).into());
}

#[test]
fn cookies_of_one_server_are_not_sent_to_the_other() {
    let location =
        |name: &str| format!("location / {{ add_header Set-Cookie {name}=1; return 200 'hello'; }}");
    let servers = ["a", "b"].map(|name| Nginx::serving("$http_cookie", &location(name)));
    let mut plan = plan(&servers[0].url("/"), &servers[1].url("/"));
    plan.session.keep_cookies = true;
    let measured = measure(&plan, 1);
    assert_balanced(&measured, "cookies");
    for (server, cookie) in servers.into_iter().zip(["a=1", "b=1"]) {
        let mut seen = server.logged();
        assert_eq!(seen.remove("-"), Some(4), "the first of each slot: {seen:?}");
        assert_eq!(seen.into_keys().collect::<Vec<_>>(), [cookie]);
    }
}

#[test]
fn a_server_that_is_not_there_fails_its_own_requests_only() {
    let nginx = Nginx::unlimited();
    let mut plan = plan(&nginx.url("/"), &format!("http://{}/", closed_port()));
    plan.pacing = Pacing::Constant { rate_per_sec: 500.0 };
    plan.stop = Stop::Duration(Duration::from_secs(1));
    let measured = measure(&plan, 1);
    assert_balanced(&measured, "one is away");
    let counts = by_variant(&measured);
    let refused = measured.errors.get("connect_refused").copied().unwrap_or(0);
    assert_eq!(measured.errors.len(), 1, "{:?}", measured.errors);
    assert_eq!((refused, measured.status["200"]), (counts["second"], counts["first"]));
    assert!(refused > 50, "{counts:?}");
}
