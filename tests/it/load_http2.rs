//! HTTP/2 against a real server, whose log must agree with our counts, and against targets that speak it wrongly.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use meshbench::load::{self, Control, Measured, Options};
use meshbench::model::plan::Protocol;
use meshbench::model::{Pacing, Plan, Stop};

use crate::http2_peer::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, SETTINGS, answer, answering, fields,
    frame, goaway, preface, read_frame, reset,
};
use crate::load_nginx::Nginx;
use crate::peer::{Peer, assert_balanced, measure};

const TIMEOUT: Duration = Duration::from_millis(400);

/// What a target sends for a request on this stream.
type Answers = fn(u32) -> Vec<u8>;

fn plan(url: &str, connections: u32, streams: u32, stop: Stop) -> Plan {
    let mut plan = Plan { connections, pacing: Pacing::MAX, stop, ..Plan::for_url(url) };
    plan.target.protocol = Protocol::Http2 { streams };
    plan
}

/// 40 requests on 2 connections of 5 streams.
fn small(peer: &Peer) -> Plan {
    Plan { timeout: TIMEOUT, ..plan(&peer.url(), 2, 5, Stop::Requests(40)) }
}

fn assert_fails_as(peer: &Peer, class: &str, what: &str) -> Measured {
    let measured = measure(&small(peer), 1);
    assert_balanced(&measured, what);
    let errors: Vec<_> = measured.errors.iter().map(|(class, count)| (class.as_str(), *count)).collect();
    assert_eq!(errors, [(class, 40)], "{what}");
    measured
}

#[test]
fn nginx_logs_what_is_counted_on_few_and_on_many_streams() {
    for (connections, streams, keepalive) in [(50, 1, 37), (1, 50, 1000), (4, 8, 100_000)] {
        for path in ["/", "/missing", "/empty"] {
            let nginx = Nginx::http2(keepalive);
            let mut plan = plan(&nginx.url(path), connections, streams, Stop::Requests(3000));
            plan.warmup = Duration::from_millis(200);
            let measured = measure(&plan, 2);
            let what = format!("{path} {connections}x{streams} {keepalive}");
            assert_balanced(&measured, &what);
            assert_eq!(
                (measured.requests.due, measured.requests.answered),
                (3000, 3000),
                "{what}: {measured:?}"
            );
            let mut counts = measured.status.clone();
            *counts.values_mut().next().expect("a status") += measured.warmup.answered;
            assert_eq!(nginx.logged(), counts, "{what}");
            assert!(measured.connections.opened >= connections.into(), "{what}");
            let is_kept = keepalive > 50_000;
            assert_eq!(measured.connections.opened == u64::from(connections), is_kept, "{what}");
        }
    }
}

#[test]
fn nginx_agrees_on_http2_inside_tls_and_takes_bodies() {
    let nginx = Nginx::http2_tls();
    let mut plan = plan(&nginx.url("/body"), 3, 4, Stop::Requests(200));
    plan.pacing = Pacing::Constant { rate_per_sec: 1000.0 };
    plan.target.ca_file = Some(nginx.authority());
    "POST".clone_into(&mut plan.request.method);
    // More than the window that a server gives at first, in several frames.
    plan.request.body = meshbench::model::Body::Text("x".repeat(200_000));
    let measured = measure(&plan, 1);
    assert_balanced(&measured, "bodies");
    assert_eq!(measured.status.get("200"), Some(&200), "{measured:?}");
    assert!(measured.bytes.sent > 200 * 200_000, "{:?}", measured.bytes);
    assert_eq!(nginx.logged()["200"], 200);
}

#[test]
fn a_target_that_does_not_agree_on_http2_is_told_apart() {
    let nginx = Nginx::tls();
    let mut plan = plan(&nginx.url("/"), 2, 2, Stop::Requests(10));
    plan.target.ca_file = Some(nginx.authority());
    let measured = measure(&plan, 1);
    assert_balanced(&measured, "ALPN");
    assert_eq!(measured.errors.get("wrong_protocol"), Some(&10), "{:?}", measured.errors);
    let peer = Peer::start(|mut stream, _| {
        if preface(&mut stream) {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
            crate::peer::finish(&mut stream);
        }
    });
    assert_fails_as(&peer, "wrong_protocol", "HTTP/1.1");
}

#[test]
fn streams_that_are_reset_are_one_class_and_refused_ones_are_tried_once_more() {
    for (reason, tries) in [(8, 1), (2, 1), (7, 2)] {
        let requests = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&requests);
        let peer = answering(&[], move |_, stream| {
            count.fetch_add(1, Ordering::SeqCst);
            Some(reset(stream, reason))
        });
        assert_fails_as(&peer, "reset", &format!("reason {reason}"));
        assert_eq!((requests.load(Ordering::SeqCst), peer.connections()), (40 * tries, 2), "reason {reason}");
    }
}

#[test]
fn a_goaway_in_good_order_loses_nothing() {
    let peer = answering(&[], |nth, stream| match nth {
        1..=6 => Some(answer(stream, "200", b"hello")),
        7 => Some([goaway(stream, 0), answer(stream, "200", b"last")].concat()),
        // Streams after the last are left alone, as a server does.
        8 => None,
        _ => Some(Vec::new()),
    });
    let measured = measure(&small(&peer), 1);
    assert_balanced(&measured, "GOAWAY");
    assert_eq!(measured.status.get("200"), Some(&40), "{measured:?}");
    assert!(measured.connections.opened > 2, "{measured:?}");
}

#[test]
fn connections_that_end_before_the_answer_are_one_class() {
    let peer = answering(&[], |_, _| Some(goaway(0, 11)));
    assert_fails_as(&peer, "closed_early", "GOAWAY with a reason");
    let peer = answering(&[], |_, _| None);
    assert_fails_as(&peer, "closed_early", "closed at once");
    let peer = answering(&[], |_, stream| {
        Some([frame(HEADERS, END_HEADERS, stream, &fields(&[(":status", "200")])), goaway(0, 0)].concat())
    });
    let measured = measure(&small(&peer), 1);
    assert_balanced(&measured, "head only");
    assert_eq!(measured.requests.answered, 0);
}

/// Answers the first request of each connection and closes it at the second, after a while.
fn lost_after(length: Duration) -> Peer {
    answering(&[], move |nth, stream| match nth {
        1 => Some(answer(stream, "200", b"hello")),
        _ => {
            std::thread::sleep(length);
            None
        }
    })
}

#[test]
fn what_a_lost_connection_carried_is_sent_again_only_if_it_may_be_and_the_target_hardly_had_it() {
    for (method, length, resent) in [("GET", 0, true), ("GET", 60, false), ("POST", 0, false)] {
        let peer = lost_after(Duration::from_millis(length));
        let mut plan = plan(&peer.url(), 1, 1, Stop::Requests(40));
        method.clone_into(&mut plan.request.method);
        let measured = measure(&plan, 1);
        let what = format!("{method} after {length} ms: {:?}", (&measured.errors, measured.connections));
        assert_balanced(&measured, &what);
        let lost = measured.errors.get("closed_early").copied().unwrap_or(0);
        if resent {
            // One that is lost twice has failed.
            assert!(measured.connections.resent > 10 && lost <= 5, "{what}");
        } else {
            assert_eq!((lost, measured.connections.resent), (20, 0), "{what}");
        }
    }
}

#[test]
fn as_many_streams_are_opened_as_are_asked_for_where_the_target_names_no_limit() {
    // None is answered before all have come.
    const STREAMS: u32 = 300;
    let peer = Peer::start(move |mut stream, _| {
        if !preface(&mut stream) || stream.write_all(&frame(SETTINGS, 0, 0, &[])).is_err() {
            return;
        }
        let mut held = Vec::new();
        while let Some(got) = read_frame(&mut stream) {
            match got.kind {
                SETTINGS if got.flags & ACK == 0 => {
                    let _ = stream.write_all(&frame(SETTINGS, ACK, 0, &[]));
                }
                HEADERS => held.push(got.stream),
                _ => {}
            }
            if held.len() == STREAMS as usize {
                let bytes: Vec<u8> = held.drain(..).flat_map(|id| answer(id, "200", b"")).collect();
                let _ = stream.write_all(&bytes);
            }
        }
    });
    let measured = measure(&plan(&peer.url(), 1, STREAMS, Stop::Requests(u64::from(STREAMS) * 3)), 1);
    assert_balanced(&measured, "no limit");
    assert_eq!(measured.status.get("200"), Some(&(u64::from(STREAMS) * 3)), "{:?}", measured.errors);
}

#[test]
fn a_connection_on_which_nobody_answers_any_more_is_replaced() {
    // As when a pod vanishes: nothing is closed. The second connection is served.
    let peer = Peer::start(|mut stream, number| {
        if !preface(&mut stream) || stream.write_all(&frame(SETTINGS, 0, 0, &[])).is_err() {
            return;
        }
        let mut requests = 0;
        while let Some(got) = read_frame(&mut stream) {
            requests += u32::from(got.kind == HEADERS);
            let bytes = match got.kind {
                HEADERS if number > 0 || requests <= 10 => answer(got.stream, "200", b""),
                SETTINGS if got.flags & ACK == 0 => frame(SETTINGS, ACK, 0, &[]),
                _ => continue,
            };
            let _ = stream.write_all(&bytes);
        }
    });
    let mut plan = plan(&peer.url(), 1, 4, Stop::Requests(100));
    plan.timeout = TIMEOUT;
    let measured = measure(&plan, 1);
    assert_balanced(&measured, "silence");
    assert_eq!(measured.connections.opened, 2, "{:?}", measured.errors);
    // Those that were sent before the last answer came do not know yet that nothing comes any more.
    let silent = measured.errors.get("response_timeout").copied().unwrap_or(0);
    assert!((1..=8).contains(&silent), "{:?}", measured.errors);
}

#[test]
fn what_is_not_http2_is_one_class() {
    let bad: [(&str, Answers); 5] = [
        ("DATA before a head", |stream| frame(DATA, END_STREAM, stream, b"x")),
        ("a stream that nobody opened", |_| answer(1001, "200", b"")),
        ("no status", |stream| frame(HEADERS, END_HEADERS | END_STREAM, stream, &fields(&[("a", "b")]))),
        ("broken compression", |stream| frame(HEADERS, END_HEADERS | END_STREAM, stream, &[0xff; 20])),
        ("a window that overflows", |_| frame(8, 0, 0, &[0x7f, 0xff, 0xff, 0xff])),
    ];
    for (what, bytes) in bad {
        let peer = answering(&[], move |_, stream| Some(bytes(stream)));
        assert_fails_as(&peer, "protocol", what);
    }
}

#[test]
fn heads_have_a_limit_whole_or_in_pieces() {
    let field = fields(&[("x-flood", &"f".repeat(100))]);
    let large = field.repeat(140);
    let pieces = move |stream: u32| {
        let mut bytes = frame(HEADERS, 0, stream, &fields(&[(":status", "200")]));
        for _ in 0..200 {
            bytes.extend(frame(CONTINUATION, 0, stream, &large));
        }
        bytes
    };
    let peer = answering(&[], move |_, stream| Some(pieces(stream)));
    assert_fails_as(&peer, "protocol", "CONTINUATION without end");
    let head = [fields(&[(":status", "200")]), field.repeat(140)].concat();
    let small = answering(&[], {
        let head = head.clone();
        move |_, stream| Some(frame(HEADERS, END_HEADERS | END_STREAM, stream, &head))
    });
    assert_eq!(measure(&self::small(&small), 1).status.get("200"), Some(&40), "a large head that is allowed");
}

#[test]
fn a_target_that_says_nothing_or_only_chatters_is_a_timeout() {
    let silent = Peer::start(|mut stream, _| while read_frame(&mut stream).is_some() {});
    assert_fails_as(&silent, "response_timeout", "silence");
    let chatter: [(&str, Vec<u8>); 3] = [
        ("PING", frame(PING, 0, 0, &[7; 8])),
        ("SETTINGS", frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100])),
        ("an unknown frame", frame(0xbb, 0, 0, &[0; 1000])),
    ];
    for (what, bytes) in chatter {
        let bytes = bytes.repeat(64);
        let peer = Peer::start(move |mut stream, _| {
            if !preface(&mut stream) || stream.write_all(&frame(SETTINGS, 0, 0, &[])).is_err() {
                return;
            }
            let mut reader = stream.try_clone().expect("a second handle");
            std::thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
            while stream.write_all(&bytes).is_ok() {}
        });
        let begun = Instant::now();
        assert_fails_as(&peer, "response_timeout", what);
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}: {:?}", begun.elapsed());
    }
}

#[test]
fn no_more_streams_are_opened_than_the_target_allows() {
    let open = Arc::new(AtomicU64::new(0));
    let most = Arc::new(AtomicU64::new(0));
    let (now, peak) = (Arc::clone(&open), Arc::clone(&most));
    // Each stream is answered when the next comes, or when there can be no next.
    let peer = Peer::start(move |mut stream, _| {
        let limit = [0, 3, 0, 0, 0, 2];
        if !preface(&mut stream) || stream.write_all(&frame(SETTINGS, 0, 0, &limit)).is_err() {
            return;
        }
        let (mut held, mut is_agreed) = (Vec::new(), false);
        while let Some(got) = read_frame(&mut stream) {
            match got.kind {
                SETTINGS if got.flags & ACK == 0 => {
                    let _ = stream.write_all(&frame(SETTINGS, ACK, 0, &[]));
                }
                SETTINGS => is_agreed = true,
                HEADERS => {
                    held.push(got.stream);
                    if is_agreed {
                        peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    }
                    if held.len() >= 2 {
                        for id in held.drain(..) {
                            let _ = stream.write_all(&answer(id, "200", b""));
                        }
                        now.store(0, Ordering::SeqCst);
                    }
                }
                _ => {}
            }
        }
    });
    let mut plan = plan(&peer.url(), 1, 8, Stop::Requests(400));
    plan.timeout = TIMEOUT;
    let measured = measure(&plan, 1);
    assert_balanced(&measured, "a limit of streams");
    assert_eq!(measured.status.get("200"), Some(&400), "{measured:?}");
    // Of 8 slots, all but the first in turn wait for a stream; none is counted twice.
    assert!((1..=400).contains(&measured.connections.waited), "{:?}", measured.connections);
    assert!(most.load(Ordering::SeqCst) <= 2, "{most:?}");
}

#[test]
fn a_stopped_run_ends_at_once_and_counts_what_it_cut_off() {
    let silent = Peer::start(|mut stream, _| while read_frame(&mut stream).is_some() {});
    let plan = plan(&silent.url(), 2, 10, Stop::Duration(Duration::from_secs(60)));
    let stop = Control::new();
    let mut stopped_at = None;
    let mut watch = |measured: &Measured| {
        if measured.in_flight == 20 && stopped_at.is_none() {
            stopped_at = Some(Instant::now());
            stop.stop();
        }
    };
    let measured =
        load::run(&plan, &Options { threads: 1, ..Options::default() }, &stop, &mut watch).expect("a run");
    assert_balanced(&measured, "stopped");
    assert_eq!(measured.requests.cancelled, 20, "{measured:?}");
    assert!(stopped_at.expect("all were in flight").elapsed() < Duration::from_secs(2));
}
