//! Targets that mean no good, or speak another protocol: each ends as one class of error.

use std::io::Write as _;
use std::time::Duration;

use meshbench::load::{Measured, http1_statuses};
use meshbench::model::{Pacing, Plan, Stop};
use proptest::prelude::*;

use crate::peer::{Peer, assert_balanced, finish, flood, measure};

const REQUESTS: u64 = 12;

fn run(peer: &Peer, what: &str, timeout: Duration) -> Measured {
    let plan = Plan {
        connections: 3,
        stop: Stop::Requests(REQUESTS),
        pacing: Pacing::MAX,
        timeout,
        ..Plan::for_url(&peer.url())
    };
    let measured = measure(&plan, 2);
    assert_balanced(&measured, what);
    assert_eq!(measured.requests.due, REQUESTS, "{what}");
    measured
}

fn assert_all_failed(peer: &Peer, what: &str, timeout: Duration, class: &str) {
    let measured = run(peer, what, timeout);
    assert_eq!(measured.errors.get(class), Some(&REQUESTS), "{what}: {:?}", measured.errors);
}

/// After a request: these bytes, then a flood of others.
fn flooding(first: &'static str, again: &'static str) -> Peer {
    Peer::flooding(first, again.repeat(100))
}

#[test]
fn floods_of_head_end_as_protocol_errors() {
    const OK: &str = "HTTP/1.1 200 OK\r\n";
    for (what, first, again) in [
        ("headers", OK, "A: b\r\n"),
        ("one long header", "HTTP/1.1 200 OK\r\nA: ", "bbbbbbbbbb"),
        ("one long reason", "HTTP/1.1 200 ", "OKOKOKOKOK"),
        ("answers before the answer", "", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        ("100 without end", "", "HTTP/1.1 100 Continue\r\n\r\n"),
        ("trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "A: b\r\n"),
        ("a chunk's extension", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", "aaaaaaaaaa"),
    ] {
        assert_all_failed(&flooding(first, again), what, Duration::from_secs(20), "protocol");
    }
}

#[test]
fn a_body_without_end_ends_as_a_timeout() {
    for (what, first, again) in [
        ("until close", "HTTP/1.1 200 OK\r\n\r\n", "endless "),
        ("a huge length", "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n", "endless "),
        ("chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "8\r\nendless \r\n"),
    ] {
        assert_all_failed(&flooding(first, again), what, Duration::from_millis(60), "response_timeout");
    }
}

#[test]
fn bad_chunks_end_as_protocol_errors() {
    for body in [
        "-1\r\n",
        "g\r\n",
        "\r\n",
        "1\nx",
        "5\r\nhello!",
        "10000000000000000\r\n",
        "0\r\nA: b\n\r\n",
        "1\r\nx\n0\r\n",
    ] {
        let bytes = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
        assert_all_failed(&Peer::answering_once(bytes), body, Duration::from_secs(5), "protocol");
    }
}

#[test]
fn another_protocol_ends_as_a_protocol_error() {
    for (what, bytes) in [
        ("SSH", &b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"[..]),
        ("SMTP", b"220 mail.test ESMTP\r\n"),
        ("TLS alert", b"\x15\x03\x03\x00\x02\x02\x46"),
        ("HTTP/2 settings", b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64"),
        ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ("Redis", b"-ERR unknown command\r\n"),
        ("MySQL", b"\x4a\x00\x00\x00\x0a8.0.36\x00"),
        ("HTTP/0.9", b"<html>hello</html>"),
    ] {
        let after = Peer::answering_once(bytes);
        assert_all_failed(&after, what, Duration::from_secs(5), "protocol");
        let unasked = Peer::start(move |mut stream, _| {
            let _ = stream.write_all(bytes);
            finish(&mut stream);
        });
        assert_all_failed(&unasked, what, Duration::from_secs(5), "protocol");
    }
}

#[test]
fn an_answer_that_was_there_before_the_request_is_one_answer_or_a_protocol_error() {
    // Says its answer at once and then again and again, whatever is asked.
    let peer = Peer::start(|mut stream, _| {
        flood(&mut stream, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    let measured = run(&peer, "unasked", Duration::from_secs(5));
    // Whether its bytes overtake the request is chance; a connection that has more of them is not used again.
    let answered = measured.requests.answered;
    let protocol = measured.errors.get("protocol").copied().unwrap_or(0);
    assert_eq!(answered + protocol, REQUESTS, "{:?}", measured.errors);
    assert!(measured.connections.opened > 3, "{:?}", measured.connections);
}

/// Pieces from which answers, and what is nearly one, are put together.
fn answer_like() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"HTTP/1.1 200 OK\r\n".to_vec()),
        Just(b"HTTP/1.0 204 No Content\r\n".to_vec()),
        Just(b"HTTP/1.1 103 Early\r\n\r\n".to_vec()),
        Just(b"Content-Length: 3\r\n".to_vec()),
        Just(b"Transfer-Encoding: chunked\r\n".to_vec()),
        Just(b"Connection: close\r\n".to_vec()),
        Just(b"Set-Cookie: a=b\r\nLocation: /c\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"3\r\nabc\r\n".to_vec()),
        Just(b"0\r\n\r\n".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..6),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_server_sends_is_read_alike_however_it_is_split(bytes in answer_like(), piece in 1usize..40) {
        let whole = http1_statuses(&bytes, bytes.len().max(1));
        prop_assert_eq!(http1_statuses(&bytes, piece), whole.clone());
        prop_assert_eq!(http1_statuses(&bytes, 1), whole);
    }

    #[test]
    fn whatever_a_plan_file_holds_is_a_plan_or_a_reason(text in plan_like()) {
        if let Ok(plan) = Plan::from_toml(&text) {
            let _ = plan.problems();
            let _ = plan.redacted().to_toml();
            let written = plan.to_toml();
            let again = Plan::from_toml(&written).map_err(TestCaseError::fail)?;
            prop_assert_eq!(again.to_toml(), written);
        }
    }
}

/// A whole plan with some of its lines left out, changed or made up.
fn plan_like() -> impl Strategy<Value = String> {
    const WHOLE: &str = "version = 2
name = \"a\"
connections = 3
warmup = \"1s\"
templates = true
goals = [\"p99<20ms\"]
[target]
url = \"http://u:p@a.test:1/{{id}}\"
insecure = true
[target.protocol]
kind = \"http2\"
streams = 4
[request]
method = \"POST\"
headers = [{ name = \"a\", value = \"{{b}}\", secret = true }]
cookies = [{ name = \"c\", value = \"{{d\" }]
body = { text = \"{{{e}}}\" }
[[variants]]
name = \"one\"
weight = 2.5
url = \"/x\"
[data]
file = \"a.csv\"
order = \"random\"
[session]
keep_cookies = true
follow_redirects = 3
[pacing]
kind = \"constant\"
rate_per_sec = 7.0
[stop]
requests = 10
[labels]
mesh = \"istio\"
";
    let made_up = prop_oneof![
        4 => Just(None),
        1 => Just(Some(String::new())),
        1 => "[a-z_]{1,9} = [0-9\"\\[{.a-z-]{0,9}".prop_map(Some),
        1 => "weight = (nan|inf|-inf|-1e308|1e308|0.0)".prop_map(Some),
        1 => "\\PC{0,20}".prop_map(Some),
    ];
    proptest::collection::vec(made_up, WHOLE.lines().count()).prop_map(|changes| {
        let lines =
            WHOLE.lines().zip(changes).map(|(line, change)| change.unwrap_or_else(|| line.to_owned()));
        lines.collect::<Vec<_>>().join("\n")
    })
}
