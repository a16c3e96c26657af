//! gRPC against a real server, Fortio's, and against targets that get it wrong.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use meshbench::app;
use meshbench::load::{self, Control, LoadError, Measured, Options, grpc};
use meshbench::model::plan::{GRPC_HEALTH, Grpc, Protocol, Request, Schema, Variant};
use meshbench::model::{Header, Pacing, Plan, Stop};

use crate::http2_peer::{DATA, END_HEADERS, END_STREAM, HEADERS, answering, fields, frame, preface};
use crate::peer::{Peer, assert_balanced, closed_port, finish, measure};

const PING: &str = "fgrpc.PingServer/Ping";
const FORTIO: &str = "fortio-1.75.3";

/// Fortio's server: the health service, a ping and server reflection.
pub(crate) struct Fortio {
    child: Child,
    address: SocketAddr,
}

impl Fortio {
    pub(crate) fn start() -> Self {
        let address = closed_port();
        let program = fortio();
        let mut child = Command::new(&program)
            .args(["server", "-grpc-port", &address.to_string(), "-http-port", "127.0.0.1:0"])
            .args(["-tcp-port", "disabled", "-udp-port", "disabled", "-redirect-port", "disabled"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; get it with: ./test parts", program.display()));
        let mut log = BufReader::new(child.stderr.take().expect("it is piped"));
        let begun = Instant::now();
        let mut heard = String::new();
        while TcpStream::connect(address).is_err() {
            let ended = child.try_wait().expect("a child");
            if ended.is_some() {
                let _ = std::io::Read::read_to_string(&mut log, &mut heard);
            }
            assert!(
                ended.is_none() && begun.elapsed() < Duration::from_secs(20),
                "fortio: {ended:?} {heard}"
            );
            std::thread::yield_now();
        }
        // So that it never waits for us to read.
        std::thread::spawn(move || for _ in log.lines() {});
        Self { child, address }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Fortio {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn fortio() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/tmp".into())).join(".cache");
    let tools = cache.unwrap_or_else(home).join("meshbench/tools");
    tools.join(FORTIO).join("bin/fortio")
}

fn plan(address: SocketAddr, method: &str, message: &str) -> Plan {
    let mut plan = Plan::for_url(&format!("http://{address}/"));
    plan.connections = 2;
    plan.pacing = Pacing::MAX;
    plan.stop = Stop::Requests(500);
    plan.target.protocol = Protocol::Grpc { streams: 5, schema: Schema::Reflection };
    plan.request.grpc = Some(Grpc { method: method.to_owned(), message: message.to_owned() });
    plan
}

fn refused(plan: &Plan) -> String {
    match load::run(plan, &Options::default(), &Control::new(), &mut |_| {}) {
        Err(LoadError::Grpc(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

fn assert_all(plan: &Plan, name: &str) -> Measured {
    let measured = measure(plan, 1);
    let due = measured.requests.due;
    assert_balanced(&measured, name);
    assert_eq!(measured.status.get(name), Some(&due), "{name}: {:?} {:?}", measured.status, measured.errors);
    assert_eq!(measured.requests.failed, if name == "OK" { 0 } else { due }, "{name}");
    measured
}

#[test]
fn a_real_server_answers_health_checks_and_its_own_methods() {
    let fortio = Fortio::start();
    assert_all(&plan(fortio.address, GRPC_HEALTH, "{}"), "OK");
    assert_all(&plan(fortio.address, GRPC_HEALTH, "{\"service\": \"nobody\"}"), "NOT_FOUND");
    let mut ping = plan(fortio.address, PING, "{\"seq\": \"7\", \"payload\": \"hello\"}");
    ping.request.headers.push(Header { name: "x-tenant".to_owned(), value: "a".to_owned(), secret: false });
    let measured = assert_all(&ping, "OK");
    assert_eq!(measured.connections.opened, 2, "{measured:?}");
    let slow = Plan {
        stop: Stop::Requests(10),
        timeout: Duration::from_millis(200),
        ..plan(fortio.address, PING, "{\"delayNanos\": \"5000000000\"}")
    };
    let measured = measure(&slow, 1);
    assert_balanced(&measured, "slow");
    assert_eq!(measured.requests.failed, 10, "{measured:?}");
}

#[test]
fn calls_of_one_plan_go_to_two_servers_of_which_each_tells_its_own_shapes() {
    let (one, other) = (Fortio::start(), Fortio::start());
    let mut plan = plan(one.address, GRPC_HEALTH, "{}");
    let call = |name: &str, to: SocketAddr, method: &str| Variant {
        name: name.to_owned(),
        weight: 1.0,
        url: Some(format!("http://{to}/")),
        request: Request {
            grpc: Some(Grpc { method: method.to_owned(), message: "{}".to_owned() }),
            ..Request::default()
        },
    };
    plan.variants =
        vec![call("one", one.address, GRPC_HEALTH), call("other", other.address, "fgrpc.PingServer/Ping")];
    let measured = assert_all(&plan, "OK");
    let requests = measured.detail.addresses.iter().map(|row| row.requests);
    assert_eq!(requests.clone().sum::<u64>(), 500);
    assert!(
        measured.detail.addresses.len() == 2 && requests.min() > Some(150),
        "{:?}",
        measured.detail.addresses
    );
}

#[test]
fn a_real_server_tells_what_it_offers() {
    let fortio = Fortio::start();
    let target = plan(fortio.address, GRPC_HEALTH, "{}").target;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let told = runtime.block_on(grpc::describe(&target)).expect("a description");
    let names: Vec<&str> = told.services().iter().map(|service| service.name.as_str()).collect();
    assert!(names.contains(&"fgrpc.PingServer") && names.contains(&"grpc.health.v1.Health"), "{names:?}");
    let ping = told.services().iter().flat_map(|service| &service.methods).find(|method| method.name == PING);
    assert_eq!(ping.expect("a ping").request, "fgrpc.PingMessage");
    let text = told.skeleton(PING).expect("a skeleton");
    assert!(text.contains("\"delayNanos\": \"0\""), "{text}");
    told.check(PING, &text).expect("a skeleton is a message");
    let error = told.check(PING, "{\n  \"seq\": \"x\"\n}").expect_err("no number");
    assert!(error.contains("seq") && error.contains("line 2"), "{error}");
    let error = refused(&plan(fortio.address, "fgrpc.PingServer/Pong", "{}"));
    assert!(error.contains("it has: Ping"), "{error}");
    let error = refused(&plan(fortio.address, "no.Such/Service", "{}"));
    assert!(error.contains("no.Such"), "{error}");
    let error = refused(&plan(fortio.address, PING, "{\"sequence\": 1}"));
    assert!(error.contains("sequence"), "{error}");
}

#[test]
fn the_background_asks_a_real_server_what_it_offers_and_lets_go_of_one_that_is_silent() {
    let fortio = Fortio::start();
    let silent = Peer::start(|mut stream, _| {
        let mut byte = [0];
        while std::io::Read::read(&mut stream, &mut byte).is_ok_and(|read| read > 0) {}
    });
    let folder = tempfile::tempdir().expect("a place");
    let options = app::Options { data_dir: folder.path().to_owned(), keep: app::Keep::Nowhere };
    let dialogs: app::Dialogs = std::sync::Arc::new(|_| Box::pin(async { Ok(Vec::new()) }));
    let (mut runtime, mut events) =
        app::Runtime::start_background(options, std::sync::Arc::new(|| {}), dialogs).expect("a background");
    let target = |address| Box::new(plan(address, GRPC_HEALTH, "{}").target);
    let mut answer = || loop {
        if let Some(app::Event::MethodsListed { asked, told }) = events.blocking_recv() {
            return (asked, told);
        }
    };
    // The second question takes the place of the first, whose answer would never come.
    runtime.start(app::Job::ListMethods(1, target(silent.address())));
    runtime.start(app::Job::ListMethods(2, target(fortio.address)));
    let (asked, told) = answer();
    let names = |service: &app::methods::Service| service.name.clone();
    let services: Vec<String> = told.expect("a description").services().iter().map(names).collect();
    assert_eq!(asked, 2);
    assert!(services.contains(&"fgrpc.PingServer".to_owned()), "{services:?}");
    runtime.start(app::Job::ListMethods(3, target(closed_port())));
    let (asked, told) = answer();
    let reason = told.expect_err("nobody is there");
    assert!(asked == 3 && reason.contains("Connection refused"), "{reason}");
    runtime.end();
}

#[test]
fn a_target_that_cannot_tell_is_refused_with_what_to_do() {
    let nobody = refused(&plan(closed_port(), PING, "{}"));
    assert!(nobody.contains("Connection refused"), "{nobody}");
    let head = [(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "12")];
    let peer = answering(&[], move |_, stream| {
        Some(frame(HEADERS, END_HEADERS | END_STREAM, stream, &fields(&head)))
    });
    let error = refused(&plan(peer.address(), PING, "{}"));
    assert!(error.contains("no server reflection") && error.contains(".proto"), "{error}");
    let peer = Peer::start(|mut stream, _| {
        if preface(&mut stream) {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            finish(&mut stream);
        }
    });
    let error = refused(&plan(peer.address(), PING, "{}"));
    assert!(error.contains("does not speak HTTP/2"), "{error}");
}

/// A target that answers each call with this head, these messages as they are, and these trailers.
fn grpc_peer(
    status: &'static str,
    content_type: &'static str,
    body: &'static [u8],
    trailers: Option<&'static [(&'static str, &'static str)]>,
) -> Peer {
    answering(&[], move |_, stream| {
        let head = fields(&[(":status", status), ("content-type", content_type)]);
        let mut bytes = frame(HEADERS, END_HEADERS, stream, &head);
        // Many empty frames on one connection are a flood.
        if !body.is_empty() || trailers.is_none() {
            bytes.extend(frame(DATA, if trailers.is_some() { 0 } else { END_STREAM }, stream, body));
        }
        if let Some(trailers) = trailers {
            bytes.extend(frame(HEADERS, END_HEADERS | END_STREAM, stream, &fields(trailers)));
        }
        Some(bytes)
    })
}

#[test]
fn answers_are_read_by_the_rules_of_grpc() {
    const GRPC: &str = "application/grpc+proto";
    const OK: Option<&[(&str, &str)]> = Some(&[("grpc-status", "0")]);
    // Three messages: a stream of answers.
    let stream = b"\0\0\0\0\x02\x08\x01\0\0\0\0\x00\0\0\0\0\x02\x08\x02";
    let busy: Option<&[(&str, &str)]> = Some(&[("grpc-status", "14"), ("grpc-message", "busy")]);
    for (status, kind, body, trailers, name) in [
        ("200", GRPC, &stream[..], OK, "OK"),
        ("200", GRPC, b"", busy, "UNAVAILABLE"),
        ("200", GRPC, b"", Some(&[("grpc-status", "99")][..]), "UNKNOWN"),
        ("200", GRPC, b"", None, "UNKNOWN"),
        ("503", "text/html", b"<html>", None, "UNAVAILABLE"),
        ("404", "text/html", b"<html>", None, "UNIMPLEMENTED"),
        ("403", "text/html", b"<html>", None, "PERMISSION_DENIED"),
    ] {
        let peer = grpc_peer(status, kind, body, trailers);
        let measured = assert_all(&plan(peer.address(), GRPC_HEALTH, "{}"), name);
        let expected = if name == "OK" { None } else { Some(&500) };
        assert_eq!(measured.errors.get("status"), expected, "{name}");
    }
    for (kind, body, trailers, class) in [
        (GRPC, &stream[..9], OK, "protocol"),
        (GRPC, b"\x01\0\0\0\0", OK, "protocol"),
        ("text/html", b"<html>", None, "wrong_protocol"),
    ] {
        let peer = grpc_peer("200", kind, body, trailers);
        let measured = measure(&plan(peer.address(), GRPC_HEALTH, "{}"), 1);
        assert_balanced(&measured, class);
        assert_eq!(measured.errors.get(class), Some(&500), "{class}: {measured:?}");
    }
}
