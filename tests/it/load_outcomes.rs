//! Every due request has exactly one outcome, of the right class, whatever the peer does.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use meshbench::load::target::{Delay, Target, TargetOptions};
use meshbench::load::{self, Control, LoadError, Measured, Options, Phase};
use meshbench::model::plan::Body;
use meshbench::model::run::MarkKind;
use meshbench::model::{Ended, Pacing, Plan, Stop};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;

use crate::peer::{Peer, assert_balanced, closed_port, finish, measure, read_request};

/// Requests of each run.
const REQUESTS: u64 = 24;
/// For how long a target has a request that it then resets.
const RESET_AFTER: Duration = Duration::from_millis(60);

/// The loops in which each fault is tried.
fn pacings() -> [Pacing; 3] {
    [Pacing::MAX, Pacing::Constant { rate_per_sec: 1000.0 }, Pacing::Poisson { rate_per_sec: 1000.0 }]
}

fn plan(url: &str, pacing: Pacing) -> Plan {
    Plan {
        connections: 4,
        stop: Stop::Requests(REQUESTS),
        pacing,
        timeout: Duration::from_secs(5),
        ..Plan::for_url(url)
    }
}

/// Runs `change`d plans in every loop, on one and two threads.
fn in_every_loop(what: &str, url: &str, change: impl Fn(&mut Plan), check: impl Fn(&Measured, &str)) {
    for pacing in pacings() {
        for threads in [1, 2] {
            let what = format!("{what}, {pacing:?}, {threads} threads");
            let mut plan = plan(url, pacing.clone());
            change(&mut plan);
            let measured = measure(&plan, threads);
            assert_balanced(&measured, &what);
            assert_eq!(measured.requests.due, REQUESTS, "{what}");
            assert_eq!((measured.phase, measured.ended), (Phase::Done, Ended::Completed), "{what}");
            check(&measured, &what);
        }
    }
}

fn all_answered(status: &str) -> impl Fn(&Measured, &str) {
    move |measured, what| {
        assert_eq!(measured.status.get(status), Some(&REQUESTS), "{what}: {:?}", measured.errors);
    }
}

fn all_failed(class: &str) -> impl Fn(&Measured, &str) {
    move |measured, what| {
        assert_eq!(measured.errors.get(class), Some(&REQUESTS), "{what}: {:?}", measured.errors);
    }
}

fn unchanged(_: &mut Plan) {}

fn chunked(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}")
}

#[test]
fn whole_answers_of_every_form_are_answers() {
    let with = |head: &str, body: &str| format!("HTTP/1.1 {head}\r\n\r\n{body}");
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    for (what, bytes, status) in [
        ("length", with("200 OK\r\nContent-Length: 5", "hello"), "200"),
        ("chunked", chunked("3;x=\"y\"\r\nabc\r\n0\r\nTrailer: 1\r\n\r\n"), "200"),
        ("1xx first", early.to_owned() + &with("200 OK\r\nContent-Length: 0", ""), "200"),
        ("204", with("204 No Content", ""), "204"),
        ("304 with a length", with("304 Not Modified\r\nContent-Length: 9", ""), "304"),
        ("large", with("200 OK\r\nContent-Length: 300000", &"x".repeat(300_000)), "200"),
    ] {
        let peer = Peer::answering(bytes);
        in_every_loop(what, &peer.url(), unchanged, all_answered(status));
        assert!(peer.connections() <= 6 * 4, "{what}: connections are kept: {}", peer.connections());
    }
}

#[test]
fn a_head_request_has_no_body() {
    let peer = Peer::answering("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    let head = |plan: &mut Plan| plan.request.method = "HEAD".to_owned();
    in_every_loop("HEAD", &peer.url(), head, all_answered("200"));
}

#[test]
fn answers_that_end_their_connection_are_answers() {
    for (what, bytes) in [
        ("connection: close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"),
        ("until close", "HTTP/1.1 200 OK\r\n\r\nall of this"),
        ("http 1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    ] {
        let peer = Peer::answering_once(bytes);
        in_every_loop(what, &peer.url(), unchanged, |measured, what| {
            all_answered("200")(measured, what);
            assert!(measured.connections.opened >= REQUESTS, "{what}: {:?}", measured.connections);
        });
    }
}

#[test]
fn a_kept_connection_that_was_closed_is_no_failure() {
    // Says that it keeps the connection, and does not.
    let peer = Peer::answering_once("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let mut resent = 0;
    in_every_loop("closed when idle", &peer.url(), unchanged, all_answered("200"));
    for _ in 0..20 {
        let measured = measure(&plan(&peer.url(), Pacing::MAX), 1);
        resent += measured.connections.resent;
    }
    assert!(resent > 0, "some cross on the way, and that is told");
}

/// Answers the first request on each connection; takes the second, keeps it for a while and then resets.
fn resetting() -> Peer {
    Peer::start(move |mut stream, _| {
        if !read_request(&mut stream) {
            return;
        }
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        // Closed with something unread in it, a connection is reset.
        if stream.peek(&mut [0]).is_ok_and(|bytes| bytes > 0) {
            std::thread::sleep(RESET_AFTER);
        }
    })
}

#[test]
fn a_request_that_the_target_had_and_then_reset_is_a_failure_with_its_class_and_time() {
    for method in ["GET", "POST"] {
        let peer = resetting();
        let mut plan = plan(&peer.url(), Pacing::MAX);
        method.clone_into(&mut plan.request.method);
        let measured = measure(&plan, 1);
        assert_balanced(&measured, method);
        let half = REQUESTS / 2;
        assert_eq!(measured.errors.get("reset"), Some(&half), "{method}: {:?}", measured.errors);
        assert_eq!((measured.status.get("200"), measured.connections.resent), (Some(&half), 0), "{method}");
        let longest_ms = measured.service.quantiles().max;
        assert!(longest_ms >= RESET_AFTER.as_secs_f64() * 1e3, "{method}: {longest_ms} ms");
    }
}

#[test]
fn failures_without_an_answer_have_their_class() {
    let length = "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort";
    for (what, bytes, class) in [
        ("truncated length", length.to_owned(), "closed_early"),
        ("truncated head", "HTTP/1.1 200 OK\r\nContent-Le".to_owned(), "closed_early"),
        ("no byte", String::new(), "closed_early"),
        ("truncated chunk", chunked("5\r\nab"), "closed_early"),
        ("no last chunk", chunked("2\r\nab\r\n"), "closed_early"),
        ("not HTTP", "220 mail.test ESMTP\r\n".to_owned(), "protocol"),
        ("bad chunk size", chunked("zz\r\n"), "protocol"),
        (
            "two lengths",
            length.replace("Content-Length: 50", "Content-Length: 5\r\nContent-Length: 6"),
            "protocol",
        ),
        ("head over the limit", format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "x".repeat(70_000)), "protocol"),
        ("too many headers", format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(200)), "protocol"),
    ] {
        let peer = Peer::answering_once(bytes);
        in_every_loop(what, &peer.url(), unchanged, all_failed(class));
    }
}

#[test]
fn statuses_of_400_and_above_are_answers_and_failures() {
    let peer = Peer::answering("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
    in_every_loop("503", &peer.url(), unchanged, |measured, what| {
        all_answered("503")(measured, what);
        all_failed("status")(measured, what);
    });
}

#[test]
fn nobody_listening_is_refused() {
    let url = format!("http://{}/", closed_port());
    in_every_loop("refused", &url, unchanged, |measured, what| {
        all_failed("connect_refused")(measured, what);
        assert_eq!((measured.service.count(), measured.connections.opened), (0, 0), "{what}");
    });
}

#[test]
fn a_reset_connection_is_a_reset() {
    // Closing with unread bytes makes the system send a reset.
    let peer = Peer::start(|mut stream, _| {
        let _ = stream.read_exact(&mut [0]);
    });
    in_every_loop("reset", &peer.url(), unchanged, all_failed("reset"));
}

#[test]
fn no_answer_in_time_is_a_timeout() {
    let peer = Peer::start(|mut stream, _| finish_after_client(&mut stream));
    let short = |plan: &mut Plan| plan.timeout = Duration::from_millis(80);
    in_every_loop("stalled", &peer.url(), short, |measured, what| {
        // In an open loop most requests find every connection busy until their own time is over.
        let over = measured.errors.get("overflow").copied().unwrap_or(0);
        assert_eq!(measured.errors["response_timeout"] + over, REQUESTS, "{what}: {:?}", measured.errors);
        assert_eq!(measured.service.count(), measured.errors["response_timeout"], "{what}");
        assert!(measured.service.quantile_ms(0.0) >= 79.9, "{what}");
        assert!(measured.service.max_ms() < 2000.0, "{what}");
    });
}

#[test]
fn an_answer_just_after_its_time_is_too_late_and_its_wait_is_told() {
    const TIMEOUT: Duration = Duration::from_millis(300);
    // Later than the timeout, and sooner than it is noticed.
    let delay = Delay::Fixed(TIMEOUT + Duration::from_millis(2));
    let target = Target::start(TargetOptions { delay, ..TargetOptions::default() }).expect("loopback");
    let mut plan = plan(&format!("http://{}/", target.address()), Pacing::MAX);
    plan.timeout = TIMEOUT;
    let measured = measure(&plan, 1);
    assert_balanced(&measured, "too late");
    all_failed("response_timeout")(&measured, "too late");
    for slow in &measured.detail.slowest {
        let waited_ms = slow.phases.first_byte.unwrap_or(0.0);
        assert!(waited_ms >= TIMEOUT.as_secs_f64() * 1e3, "{slow:?}");
    }
}

fn finish_after_client(stream: &mut std::net::TcpStream) {
    let _ = std::io::copy(stream, &mut std::io::sink());
}

/// Answers byte by byte, with a pause before each.
fn trickling(pause: Duration) -> Peer {
    Peer::start(move |mut stream, _| {
        let _ = stream.set_nodelay(true);
        while read_request(&mut stream) {
            for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" {
                std::thread::sleep(pause);
                if stream.write_all(&[*byte]).is_err() {
                    return;
                }
            }
        }
    })
}

#[test]
fn an_answer_byte_by_byte_is_whole_within_its_time() {
    let peer = trickling(Duration::from_micros(300));
    in_every_loop("slow", &peer.url(), unchanged, all_answered("200"));
}

#[test]
fn an_answer_byte_by_byte_beyond_its_time_is_a_timeout() {
    let peer = trickling(Duration::from_millis(20));
    for threads in [1, 2] {
        let mut plan = plan(&peer.url(), Pacing::MAX);
        plan.timeout = Duration::from_millis(100);
        let measured = measure(&plan, threads);
        assert_balanced(&measured, "slow loris");
        all_failed("response_timeout")(&measured, "slow loris");
    }
}

#[test]
fn a_connection_that_talks_unasked_is_not_used_again() {
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let peer = Peer::answering(format!("{ok}and more"));
    in_every_loop("more bytes", &peer.url(), unchanged, |measured, what| {
        all_answered("200")(measured, what);
        assert!(measured.connections.opened >= REQUESTS, "{what}");
    });
}

#[test]
fn an_answer_before_the_request_is_read_is_an_answer() {
    // Refuses a large body without reading it, as servers do.
    let peer = Peer::start(|mut stream, _| {
        let _ = stream.read_exact(&mut [0; 64]);
        let _ = stream.write_all(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        finish(&mut stream);
    });
    let large = |plan: &mut Plan| {
        plan.request.method = "POST".to_owned();
        plan.request.body = Body::Text("x".repeat(8_000_000));
    };
    in_every_loop("413", &peer.url(), large, all_answered("413"));
}

#[test]
fn a_whole_body_arrives() {
    let target = Target::start(TargetOptions::default()).expect("loopback");
    let url = format!("http://{}/", target.address());
    let large = |plan: &mut Plan| {
        plan.request.method = "POST".to_owned();
        plan.request.body = Body::Text("x".repeat(3_000_000));
    };
    in_every_loop("large body", &url, large, |measured, what| {
        all_answered("200")(measured, what);
        assert!(measured.bytes.sent >= REQUESTS * 3_000_000, "{what}");
    });
    assert_eq!(target.served(), 6 * REQUESTS);
}

#[test]
fn the_warmup_is_sent_and_not_counted() {
    let target =
        Target::start(TargetOptions { error_share: 0.5, ..TargetOptions::default() }).expect("loopback");
    let url = format!("http://{}/", target.address());
    let mut served = 0;
    let warm = |plan: &mut Plan| plan.warmup = Duration::from_millis(150);
    for pacing in pacings() {
        let mut plan = plan(&url, pacing.clone());
        warm(&mut plan);
        let measured = measure(&plan, 2);
        assert_balanced(&measured, "warm-up");
        assert_eq!(measured.requests.due, REQUESTS);
        assert!(measured.warmup.due > 50, "{pacing:?}: {:?}", measured.warmup);
        served += measured.requests.answered + measured.warmup.answered;
        assert_eq!(target.served(), served, "{pacing:?}");
    }
}

struct Authority {
    server: Arc<rustls::ServerConfig>,
    ca_file: PathBuf,
    _folder: tempfile::TempDir,
}

/// A certificate authority, and a server's TLS with a certificate of it for `localhost`.
fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer =
        CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let certificate = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()])
        .expect("two names")
        .signed_by(&key, &issuer)
        .expect("a certificate");
    let folder = tempfile::tempdir().expect("a folder");
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, issuer.pem()).expect("a file");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).expect("a key"),
        )
        .expect("a matching key");
    Authority { server: Arc::new(server), ca_file, _folder: folder }
}

fn tls_peer(authority: &Authority) -> Peer {
    let config = Arc::clone(&authority.server);
    Peer::start(move |stream, _| {
        let connection = rustls::ServerConnection::new(Arc::clone(&config)).expect("a session");
        let mut stream = rustls::StreamOwned::new(connection, stream);
        while read_request(&mut stream)
            && stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_ok()
            && stream.flush().is_ok()
        {}
    })
}

#[test]
fn https_is_checked_against_the_given_authority() {
    let authority = authority();
    let peer = tls_peer(&authority);
    let url = format!("https://{}/", peer.address());
    let trusted = |plan: &mut Plan| plan.target.ca_file = Some(authority.ca_file.clone());
    in_every_loop("trusted", &url, trusted, all_answered("200"));
    in_every_loop("untrusted", &url, unchanged, all_failed("tls"));
    in_every_loop("insecure", &url, |plan| plan.target.insecure = true, all_answered("200"));
}

#[test]
fn the_phases_of_each_request_add_up_to_its_response_time() {
    const DELAY: Duration = Duration::from_millis(20);
    let authority = authority();
    let config = Arc::clone(&authority.server);
    let peer = Peer::start(move |stream, _| {
        let connection = rustls::ServerConnection::new(Arc::clone(&config)).expect("a session");
        let mut stream = rustls::StreamOwned::new(connection, stream);
        // Or the system would hold the first piece back until the second is there.
        stream.sock.set_nodelay(true).expect("a socket");
        // Each answer takes 20 ms to begin and 20 ms more to end, and ends its connection.
        if read_request(&mut stream) {
            std::thread::sleep(DELAY);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\no");
            let _ = stream.flush();
            std::thread::sleep(DELAY);
            let _ = stream.write_all(b"k");
            let _ = stream.flush();
        }
    });
    let mut plan = Plan {
        connections: 2,
        // Twice what two connections carry: most requests wait for one.
        pacing: Pacing::Constant { rate_per_sec: 100.0 },
        stop: Stop::Requests(30),
        ..Plan::for_url(&format!("https://{}/", peer.address()))
    };
    plan.target.ca_file = Some(authority.ca_file.clone());
    let measured = measure(&plan, 1);
    assert_eq!(measured.requests.answered, 30, "{:?}", measured.errors);
    let detail = &measured.detail;
    let delay = DELAY.as_secs_f64() * 1e3;
    let phases = &detail.phases;
    assert!(phases.first_byte.ms.p50 >= delay * 0.99 && phases.transfer.ms.p50 >= delay * 0.99, "{phases:?}");
    assert_eq!((phases.first_byte.ms.count, phases.transfer.ms.count), (30, 30));
    let opened = measured.connections.opened;
    assert_eq!((phases.connect.ms.count, phases.tls.ms.count), (opened, opened));
    assert!(phases.wait.ms.count > 15 && phases.wait.ms.max > delay, "{phases:?}");
    assert_eq!(detail.slowest.len(), 30);
    for slow in &detail.slowest {
        let sum: f64 = slow.phases.named().map(|(_, ms)| ms).sum();
        let rest = slow.response_ms - sum;
        // What is left is our own way from one step to the next, while connecting.
        assert!((-0.001..5.0).contains(&rest), "{slow:?}");
        assert_eq!((slow.outcome.as_str(), slow.address.is_empty()), ("200", false), "{slow:?}");
    }
    assert_eq!(detail.connections.used, 2);
}

#[test]
fn a_server_without_tls_behind_https_fails_in_tls() {
    let peer = Peer::start(|mut stream, _| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        finish(&mut stream);
    });
    let url = format!("https://{}/", peer.address());
    in_every_loop("no TLS", &url, |plan| plan.target.insecure = true, all_failed("tls"));
}

#[test]
fn what_cannot_be_started_says_which_step_failed() {
    let run = |plan: &Plan| {
        load::run(plan, &Options::default(), &Control::new(), &mut |_| {}).expect_err("must not start")
    };
    let missing = PathBuf::from("/nowhere/at/all");
    let mut plan = Plan::for_url("http://meshbench.invalid/");
    assert!(matches!(run(&plan), LoadError::Resolve { .. }), "{:?}", run(&plan));
    plan.request.body = Body::File(missing.clone());
    assert!(matches!(run(&plan), LoadError::BodyFile { .. }), "{:?}", run(&plan));
    plan = Plan::for_url("https://127.0.0.1:1/");
    plan.target.ca_file = Some(missing);
    assert!(matches!(run(&plan), LoadError::CaFile { .. }), "{:?}", run(&plan));
    plan = Plan::for_url("ftp://127.0.0.1/");
    assert!(matches!(run(&plan), LoadError::Plan(_)), "{:?}", run(&plan));
}

#[test]
fn stopping_ends_a_run_at_once_and_cancels_what_is_under_way() {
    let peer = Peer::start(|mut stream, _| finish_after_client(&mut stream));
    for pacing in pacings() {
        let plan = Plan {
            stop: Stop::Duration(Duration::from_secs(60)),
            timeout: Duration::from_secs(60),
            ..plan(&peer.url(), pacing.clone())
        };
        let stop = Control::new();
        let mut pressed = None;
        let mut watch = |measured: &Measured| {
            if measured.requests.due >= 4 && pressed.is_none() {
                assert_eq!(measured.phase, Phase::Measuring);
                pressed = Some(Instant::now());
                stop.stop();
            }
        };
        let measured = load::run(&plan, &Options { threads: 2, ..Options::default() }, &stop, &mut watch)
            .expect("a run");
        let took = pressed.expect("it was stopped").elapsed();
        assert!(took < Duration::from_millis(500), "{pacing:?}: {took:?}");
        assert_balanced(&measured, "stopped");
        assert_eq!(measured.ended, Ended::Stopped);
        assert_eq!(measured.requests.cancelled, measured.requests.due, "{pacing:?}");
        assert_eq!(measured.requests.failed, 0);
    }
}

#[test]
fn a_run_stopped_before_it_began_sent_nothing() {
    let peer = Peer::answering("HTTP/1.1 204 No Content\r\n\r\n");
    let stop = Control::new();
    stop.stop();
    let plan = plan(&peer.url(), Pacing::MAX);
    let measured = load::run(&plan, &Options::default(), &stop, &mut |_| {}).expect("a run");
    assert_eq!((measured.ended, measured.requests.due), (Ended::Stopped, 0));
    assert_eq!(measured.phase, Phase::Done);
}

#[test]
fn what_is_shown_live_only_grows() {
    let target = Target::start(TargetOptions::default()).expect("loopback");
    let plan = Plan {
        warmup: Duration::from_millis(200),
        stop: Stop::Duration(Duration::from_millis(800)),
        ..plan(&format!("http://{}/", target.address()), Pacing::Constant { rate_per_sec: 500.0 })
    };
    let mut seen: Vec<(Phase, u64, Duration, f64)> = Vec::new();
    let mut watch = |measured: &Measured| {
        let progress = measured.progress.expect("a duration is known");
        seen.push((measured.phase, measured.requests.due, measured.since_start, progress));
        assert!(measured.intervals.iter().all(|interval| interval.histogram.is_empty()));
    };
    let measured =
        load::run(&plan, &Options { threads: 1, ..Options::default() }, &Control::new(), &mut watch)
            .expect("a run");
    assert!(seen.len() >= 8, "{seen:?}");
    assert!(seen.windows(2).all(|pair| {
        pair[0].0 <= pair[1].0 && pair[0].1 <= pair[1].1 && pair[0].2 <= pair[1].2 && pair[0].3 <= pair[1].3
    }));
    for phase in [Phase::Warmup, Phase::Measuring] {
        assert!(seen.iter().any(|(at, ..)| *at == phase), "{phase:?}: {seen:?}");
    }
    assert_eq!((measured.requests.due, measured.warmup.due), (400, 100));
    assert!(measured.intervals.iter().any(|interval| interval.histogram.starts_with("HISTFAAA")));
}

#[test]
fn more_load_than_can_be_sent_overflows_and_still_balances() {
    let peer = Peer::answering("HTTP/1.1 204 No Content\r\n\r\n");
    let plan = Plan {
        connections: 1,
        timeout: Duration::from_millis(50),
        stop: Stop::Duration(Duration::from_millis(300)),
        ..plan(&peer.url(), Pacing::Constant { rate_per_sec: 1_000_000.0 })
    };
    let measured = measure(&plan, 1);
    assert_balanced(&measured, "too much");
    assert_eq!(measured.requests.due, 300_000);
    assert!(measured.requests.answered > 0, "the load starves itself");
    assert!(measured.errors["overflow"] > 0, "{:?}", measured.errors);
    assert!(measured.connections.waited > 0);
}

#[test]
fn a_run_is_paused_resumed_and_sped_up_while_it_goes() {
    let peer = Peer::answering("HTTP/1.1 204 No Content\r\n\r\n");
    let pause = Duration::from_millis(600);
    for threads in [1, 2] {
        let plan = Plan {
            stop: Stop::Duration(Duration::from_millis(1000)),
            ..plan(&peer.url(), Pacing::Constant { rate_per_sec: 200.0 })
        };
        let control = Control::new();
        let mut step = 0;
        let mut watch = |measured: &Measured| {
            let at = measured.since_start;
            if step == 0 && at >= Duration::from_millis(250) {
                // A mark is of now, a pause of a moment later.
                control.mark("deployed v2");
                control.pause();
                step = 1;
            } else if step == 1 && at >= Duration::from_millis(250) + pause {
                assert!(measured.is_paused);
                control.set_factor(2.0);
                control.resume();
                step = 2;
            }
        };
        let options = Options { threads, ..Options::default() };
        let measured = load::run(&plan, &options, &control, &mut watch).expect("a run");
        assert_balanced(&measured, "steered");
        let kinds: Vec<MarkKind> = measured.marks.iter().map(|mark| mark.kind).collect();
        assert_eq!(kinds, [MarkKind::Note, MarkKind::Pause, MarkKind::Rate, MarkKind::Resume]);
        let (paused_at, resumed_at) = (measured.marks[1].at_s, measured.marks[3].at_s);
        let expected = 200.0 * paused_at + 400.0 * (1.0 - paused_at);
        let due = measured.requests.due as f64;
        assert!((due - expected).abs() <= 1.0, "{due} for {expected}: {:?}", measured.marks);
        let paused = measured.paused.as_secs_f64();
        assert!((paused - (resumed_at - paused_at)).abs() < 1e-6 && paused > 0.4, "{paused}");
        assert!((measured.elapsed.as_secs_f64() - 1.0 - paused).abs() < 0.1, "{:?}", measured.elapsed);
    }
}

#[test]
fn think_time_is_kept_by_every_connection() {
    let peer = Peer::answering("HTTP/1.1 204 No Content\r\n\r\n");
    let think = Duration::from_millis(50);
    let plan = Plan {
        connections: 4,
        stop: Stop::Duration(Duration::from_millis(1000)),
        ..plan(&peer.url(), Pacing::Max { think })
    };
    let measured = measure(&plan, 2);
    assert_balanced(&measured, "think time");
    let due = measured.requests.due;
    assert!((20..=80).contains(&due), "{due} of four connections, at most 20 each");
    let counted = Plan { stop: Stop::Requests(9), ..plan };
    let measured = measure(&counted, 2);
    assert_eq!((measured.requests.due, measured.requests.answered), (9, 9));
}
