//! What is sent is what the plan says: by weight, from rows of data, with cookies and over redirects.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use meshbench::load::{self, Control, LoadError, Measured, Options};
use meshbench::model::plan::{Body, Data, Header, Order, Protocol, Request, Session, Variant};
use meshbench::model::{Cookie, Pacing, Plan, Stop};

use crate::load_nginx::Nginx;
use crate::peer::{Peer, assert_balanced, finish, measure};

fn plan(url: &str, requests: u64) -> Plan {
    Plan { connections: 6, pacing: Pacing::MAX, stop: Stop::Requests(requests), ..Plan::for_url(url) }
}

/// Every request was answered, with these status codes.
fn assert_answered(measured: &Measured, status: &[(&str, u64)]) {
    assert_balanced(measured, "sent");
    let expected: BTreeMap<String, u64> =
        status.iter().map(|(code, count)| ((*code).to_owned(), *count)).collect();
    assert_eq!(measured.status, expected, "{:?}", measured.errors);
}

fn counts(lines: &[(&str, u64)]) -> BTreeMap<String, u64> {
    lines.iter().map(|(line, count)| ((*line).to_owned(), *count)).collect()
}

/// A data file that is gone with the folder.
fn file(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("a file");
    (folder, path)
}

/// Of `count` draws with this share, within four standard deviations (one wrong alarm in 15 000).
fn assert_share(seen: u64, count: u64, share: f64) {
    let mean = count as f64 * share;
    let allowed = 4.0 * (mean * (1.0 - share)).sqrt();
    assert!((seen as f64 - mean).abs() <= allowed, "{seen} of {count}, for a share of {share}");
}

#[test]
fn nginx_sees_each_request_as_often_as_its_weight_says() {
    const N: u64 = 6000;
    let nginx = Nginx::serving("$request_method $request_uri", "location / { return 204; }");
    let mut plan = plan(&nginx.url("/base"), N);
    let variant = |weight, method: &str, url: Option<String>| Variant {
        name: format!("{weight}"),
        weight,
        url,
        request: Request { method: method.to_owned(), ..Request::default() },
    };
    plan.variants = vec![
        variant(5.0, "GET", Some("/a?x=1".to_owned())),
        variant(3.0, "DELETE", Some(nginx.url("/b"))),
        variant(2.0, "POST", None),
        variant(0.0, "GET", Some("/never".to_owned())),
    ];
    let measured = measure(&plan, 2);
    assert_answered(&measured, &[("204", N)]);
    let logged = nginx.logged();
    assert_eq!(logged.values().sum::<u64>(), N);
    assert_eq!(logged.keys().collect::<Vec<_>>(), ["DELETE /b", "GET /a?x=1", "POST /base"]);
    for (line, share) in [("GET /a?x=1", 0.5), ("DELETE /b", 0.3), ("POST /base", 0.2)] {
        assert_share(logged[line], N, share);
    }
}

#[test]
fn nginx_sees_every_row_in_turn_equally_often() {
    let rows: String = (0..10).map(|n| format!("{n},name {n}\n")).collect();
    let (_folder, path) = file("rows.csv", &format!("id,name\n{rows}"));
    for threads in [1, 2] {
        let nginx = Nginx::serving("$request_uri $http_x_row $http_cookie", "location / { return 204; }");
        let mut plan = plan(&nginx.url("/item/{{id}}?q={{name}}"), 1000);
        plan.data = Some(Data { file: path.clone(), order: Order::InTurn });
        plan.request.headers.push(Header {
            name: "X-Row".to_owned(),
            value: "<{{name}}>".to_owned(),
            secret: false,
        });
        plan.request.cookies.push(Cookie { name: "c".to_owned(), value: "{{id}}".to_owned() });
        assert_answered(&measure(&plan, threads), &[("204", 1000)]);
        let expected: BTreeMap<String, u64> =
            (0..10).map(|n| (format!("/item/{n}?q=name%20{n} <name {n}> c={n}"), 100)).collect();
        assert_eq!(nginx.logged(), expected, "{threads} threads");
    }
}

#[test]
fn nginx_sees_rows_at_random_and_no_number_twice() {
    const N: u64 = 3000;
    let (_folder, path) = file("rows.jsonl", "{\"id\": \"a\"}\n{\"id\": \"b\"}\n{\"id\": \"c\"}\n");
    let nginx = Nginx::serving("$uri", "location / { return 204; }");
    let mut plan = plan(&nginx.url("/{{id}}"), N);
    plan.data = Some(Data { file: path, order: Order::Random });
    assert_answered(&measure(&plan, 2), &[("204", N)]);
    let logged = nginx.logged();
    assert_eq!(logged.len(), 3);
    logged.values().for_each(|seen| assert_share(*seen, N, 1.0 / 3.0));

    let nginx = Nginx::serving("$uri", "location / { return 204; }");
    let mut numbered = self::plan(&nginx.url("/{{$n}}"), 500);
    numbered.templates = true;
    assert_answered(&measure(&numbered, 2), &[("204", 500)]);
    assert_eq!(nginx.logged(), (0..500).map(|n| (format!("/{n}"), 1)).collect());
}

/// One request: its first line, and its body by its length.
fn read_whole(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
            let length = length.map_or(0, |length| length.parse().expect("a length"));
            let body_from = end + 4;
            if bytes.len() >= body_from + length {
                assert_eq!(bytes.len(), body_from + length, "no byte too many");
                let first = head.lines().next().unwrap_or_default().to_owned();
                return Some((first, bytes.split_off(body_from)));
            }
        }
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&piece[..read]),
        }
    }
}

#[test]
fn a_filled_body_has_its_own_length_and_its_values_as_they_are() {
    let (_folder, path) = file("rows.csv", "text\nshort\n\"a \"\"much\"\" longer\none\"\n");
    let bodies = Arc::new(Mutex::new(BTreeMap::new()));
    let seen = Arc::clone(&bodies);
    let peer = Peer::start(move |mut stream, _| {
        while let Some((_, body)) = read_whole(&mut stream) {
            *seen.lock().unwrap_or_else(PoisonError::into_inner).entry(body).or_insert(0) += 1;
            if stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").is_err() {
                return;
            }
        }
    });
    let mut plan = plan(&peer.url(), 40);
    plan.request.method = "POST".to_owned();
    plan.request.body = Body::Text("{\"a\": \"{{json text}}\", \"b\": {{$random 7 7}}}".to_owned());
    plan.data = Some(Data { file: path, order: Order::InTurn });
    assert_answered(&measure(&plan, 2), &[("204", 40)]);
    let bodies = bodies.lock().unwrap_or_else(PoisonError::into_inner);
    let texts: Vec<(serde_json::Value, i32)> = bodies
        .iter()
        .map(|(body, count)| (serde_json::from_slice(body).expect("a filled body is JSON"), *count))
        .collect();
    let expected = |text: &str| (serde_json::json!({"a": text, "b": 7}), 20);
    assert_eq!(texts, [expected("a \"much\" longer\none"), expected("short")]);
}

#[test]
fn what_cannot_be_filled_is_said_before_anything_is_sent() {
    let run = |plan: &Plan| {
        load::run(plan, &Options::default(), &Control::new(), &mut |_| {}).expect_err("must not start")
    };
    let peer = Peer::answering("HTTP/1.1 204 No Content\r\n\r\n");
    let (_folder, path) = file("rows.csv", "id,name\n1,a\n2\n");
    let mut plan = plan(&format!("{}{{{{nobody}}}}", peer.url()), 1);
    plan.data = Some(Data { file: path.clone(), order: Order::InTurn });
    let told = run(&plan);
    assert!(matches!(&told, LoadError::DataFile { reason, .. } if reason.contains("line 3")), "{told}");
    std::fs::write(&path, "id,name\n1,a\n2,b\n").expect("a file");
    let told = run(&plan);
    assert!(matches!(&told, LoadError::Template(words) if words.contains("id, name")), "{told}");
    plan.data = None;
    plan.templates = true;
    assert!(run(&plan).to_string().contains("no data file"));
    assert_eq!(peer.connections(), 0);
}

/// Those whose answers can have cookies and redirects.
const PROTOCOLS: [Protocol; 3] =
    [Protocol::Http1, Protocol::Http2 { streams: 1 }, Protocol::Http2 { streams: 3 }];

fn following(url: &str, method: &str, follow_redirects: u8) -> Plan {
    let mut plan = plan(url, 60);
    plan.request.method = method.to_owned();
    plan.session = Session { follow_redirects, keep_cookies: false };
    plan
}

#[test]
fn redirects_are_followed_as_far_as_the_plan_says_and_are_one_request() {
    let serve = |protocol| {
        Nginx::serving_over(
            protocol,
            "$request_method $uri $status",
            "location = /old { return 302 /folder/new; }
             location = /folder/new { return 301 other; }
             location = /folder/other { return 200 'there'; }
             location = /same { return 307 /folder/other; }
             location = /loop { return 302 /loop; }
             location = /away { return 302 http://127.0.0.1:1/; }",
        )
    };
    for (path, method, follow, status, logged) in [
        (
            "/old",
            "GET",
            5,
            "200",
            &[("GET /folder/new 301", 60), ("GET /folder/other 200", 60), ("GET /old 302", 60)][..],
        ),
        (
            "/old",
            "POST",
            2,
            "200",
            &[("GET /folder/new 301", 60), ("GET /folder/other 200", 60), ("POST /old 302", 60)],
        ),
        ("/same", "POST", 1, "200", &[("POST /folder/other 200", 60), ("POST /same 307", 60)]),
        ("/old", "GET", 1, "301", &[("GET /folder/new 301", 60), ("GET /old 302", 60)]),
        ("/old", "GET", 0, "302", &[("GET /old 302", 60)]),
        ("/loop", "GET", 3, "302", &[("GET /loop 302", 240)]),
        ("/away", "GET", 3, "302", &[("GET /away 302", 60)]),
    ] {
        for protocol in &PROTOCOLS {
            let nginx = serve(protocol);
            let mut plan = following(&nginx.url(path), method, follow);
            plan.target.protocol = protocol.clone();
            assert_answered(&measure(&plan, 2), &[(status, 60)]);
            assert_eq!(nginx.logged(), counts(logged), "{path} {method} {follow} {protocol:?}");
        }
    }
}

#[test]
fn the_time_and_the_bytes_of_a_redirected_request_are_those_of_all_its_parts() {
    const PART: std::time::Duration = std::time::Duration::from_millis(100);
    const FIRST: &str =
        "HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    const SECOND: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    // Answers each part only after a while: time itself is what is measured here.
    let peer = Peer::start(|mut stream, _| {
        while let Some((line, _)) = read_whole(&mut stream) {
            std::thread::sleep(PART);
            let is_first = !line.contains("/next");
            let _ = stream.write_all(if is_first { FIRST } else { SECOND }.as_bytes());
            if is_first {
                return finish(&mut stream);
            }
        }
    });
    let plan = Plan { stop: Stop::Requests(12), ..following(&peer.url(), "GET", 1) };
    let measured = measure(&plan, 1);
    assert_answered(&measured, &[("200", 12)]);
    assert!(measured.service.quantile_ms(0.0) >= 200.0, "{}", measured.service.quantile_ms(0.0));
    assert_eq!(measured.bytes.received, 12 * (FIRST.len() + SECOND.len()) as u64);
    let measured = measure(&Plan { timeout: PART * 3 / 2, ..plan }, 1);
    assert_balanced(&measured, "hurried");
    assert_eq!(measured.errors.get("response_timeout"), Some(&12), "{:?}", measured.errors);
}

#[test]
fn cookies_are_sent_again_only_where_the_plan_keeps_them() {
    let locations =
        "location / { add_header Set-Cookie 'sid=abc; Path=/'; add_header Set-Cookie 'gone=1; Max-Age=0';
         add_header Set-Cookie 'elsewhere=1; Path=/x'; return 200 'hello'; }";
    for protocol in &PROTOCOLS {
        // Each slot has a jar of its own, and its first request has none yet.
        let slots = 3 * u64::from(protocol.streams());
        for (keep_cookies, logged) in
            [(true, &[("mine=1", slots), ("mine=1; sid=abc", 60 - slots)][..]), (false, &[("mine=1", 60)])]
        {
            let nginx = Nginx::serving_over(protocol, "$http_cookie", locations);
            let mut plan = following(&nginx.url("/"), "GET", 0);
            plan.connections = 3;
            plan.target.protocol = protocol.clone();
            plan.session.keep_cookies = keep_cookies;
            plan.request.cookies.push(Cookie { name: "mine".to_owned(), value: "1".to_owned() });
            assert_answered(&measure(&plan, 1), &[("200", 60)]);
            assert_eq!(nginx.logged(), counts(logged), "{keep_cookies} {protocol:?}");
        }
    }
}

#[test]
fn cookies_and_redirects_stay_with_their_origin() {
    let locations = |own: &str| {
        format!(
            "location = / {{ add_header Set-Cookie 'sid={own}; Path=/' always; return 302 /next; }}
             location = /next {{ return 200 'there'; }}"
        )
    };
    for protocol in &PROTOCOLS {
        let [one, other] =
            ["one", "other"].map(|own| Nginx::serving_over(protocol, "$uri $http_cookie", &locations(own)));
        let variant = |nginx: &Nginx| Variant {
            name: nginx.url("/"),
            weight: 1.0,
            url: Some(nginx.url("/")),
            request: Request::default(),
        };
        let mut plan = Plan { connections: 1, ..following(&one.url("/"), "GET", 1) };
        plan.target.protocol = protocol.clone();
        plan.session.keep_cookies = true;
        plan.variants = vec![variant(&one), variant(&other)];
        let measured = measure(&plan, 1);
        assert_answered(&measured, &[("200", 60)]);
        for (nginx, own) in [(one, "one"), (other, "other")] {
            let sent = |row: &&meshbench::model::run::Row| row.name == nginx.url("/");
            let count = measured.detail.variants.iter().find(sent).expect("both are sent").requests;
            let logged = nginx.logged();
            assert_eq!(logged[&format!("/next sid={own}")], count, "{protocol:?} {logged:?}");
            let first = logged["/ -"];
            assert!((1..=u64::from(protocol.streams())).contains(&first), "{protocol:?} {logged:?}");
            assert_eq!(logged.get(&format!("/ sid={own}")).copied().unwrap_or(0), count - first);
            assert_eq!(logged.values().sum::<u64>(), 2 * count);
        }
    }
}

#[test]
fn only_what_may_be_carried_out_twice_is_sent_again() {
    for (method, answered) in [("GET", 24), ("DELETE", 24), ("PUT", 24), ("POST", 12), ("PATCH", 12)] {
        // Answers one request on a connection; takes the next, and closes.
        let peer = Peer::start(|mut stream, _| {
            if read_whole(&mut stream).is_some() {
                let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
                let _ = read_whole(&mut stream);
                finish(&mut stream);
            }
        });
        let mut plan = Plan { connections: 1, ..plan(&peer.url(), 24) };
        plan.request.method = method.to_owned();
        let measured = measure(&plan, 1);
        assert_balanced(&measured, method);
        assert_eq!(measured.requests.answered, answered, "{method}: {:?}", measured.errors);
        assert_eq!(measured.errors.get("closed_early").copied().unwrap_or(0), 24 - answered, "{method}");
    }
}
