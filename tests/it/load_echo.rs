//! Echo over TCP and UDP, against a real echo server and peers with planned faults.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use meshbench::load::Measured;
use meshbench::model::plan::{Body, Reuse};
use meshbench::model::{Pacing, Plan, Stop};

use crate::peer::{Peer, assert_balanced, closed_port, finish, measure};

const REQUESTS: u64 = 60;

/// The Debian package's own echo.
struct Socat {
    child: Child,
    address: SocketAddr,
}

impl Socat {
    fn start(listen: &str) -> Self {
        let address = closed_port();
        let child = Command::new("socat")
            .arg(format!("{listen}:{},bind=127.0.0.1,fork", address.port()))
            .arg("PIPE")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("socat is missing; install the Debian package socat (apt-get install socat)");
        Self { child, address }
    }

    fn wait_until(&mut self, ready: impl Fn(SocketAddr) -> bool) {
        let begun = Instant::now();
        while !ready(self.address) {
            let ended = self.child.try_wait().expect("a child");
            assert!(ended.is_none() && begun.elapsed() < Duration::from_secs(20), "socat: {ended:?}");
        }
    }
}

impl Drop for Socat {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn plan(scheme: &str, address: SocketAddr, pacing: Pacing) -> Plan {
    Plan {
        connections: 4,
        stop: Stop::Requests(REQUESTS),
        pacing,
        timeout: Duration::from_secs(5),
        ..Plan::for_url(&format!("{scheme}://{address}"))
    }
}

fn in_both_loops(
    scheme: &str,
    address: SocketAddr,
    change: impl Fn(&mut Plan),
    check: impl Fn(&Measured, &str),
) {
    for pacing in [Pacing::MAX, Pacing::Constant { rate_per_sec: 500.0 }] {
        let what = format!("{scheme} {pacing:?}");
        let mut plan = plan(scheme, address, pacing);
        change(&mut plan);
        let measured = measure(&plan, 2);
        assert_balanced(&measured, &what);
        assert_eq!(measured.requests.due, REQUESTS, "{what}");
        check(&measured, &what);
    }
}

fn all_echoed(measured: &Measured, what: &str) {
    assert_eq!(measured.status.get("echoed"), Some(&REQUESTS), "{what}: {:?}", measured.errors);
}

fn all_failed(class: &str) -> impl Fn(&Measured, &str) {
    move |measured, what| {
        assert_eq!(measured.errors.get(class), Some(&REQUESTS), "{what}: {:?}", measured.errors);
    }
}

fn unchanged(_: &mut Plan) {}

#[test]
fn a_tcp_echo_comes_back_whole_over_kept_connections() {
    let mut socat = Socat::start("TCP-LISTEN");
    socat.wait_until(|address| TcpStream::connect(address).is_ok());
    in_both_loops("tcp", socat.address, unchanged, |measured, what| {
        all_echoed(measured, what);
        assert_eq!(measured.connections.opened, 4, "{what}");
        assert_eq!((measured.bytes.sent, measured.bytes.received), (24 * REQUESTS, 24 * REQUESTS), "{what}");
    });
    let large = |plan: &mut Plan| plan.request.body = Body::Text("0123456789abcdef".repeat(40_000));
    in_both_loops("tcp", socat.address, large, |measured, what| {
        all_echoed(measured, what);
        assert_eq!(measured.bytes.received, 640_000 * REQUESTS, "{what}");
    });
    for (min, max, opened) in [(1, 1, 60..=60), (2, 3, 20..=34)] {
        let fresh = |plan: &mut Plan| plan.target.reuse = Some(Reuse { min, max });
        in_both_loops("tcp", socat.address, fresh, |measured, what| {
            all_echoed(measured, what);
            assert!(opened.contains(&measured.connections.opened), "{what}: {:?}", measured.connections);
        });
    }
    let filled = |plan: &mut Plan| {
        plan.templates = true;
        plan.request.body = Body::Text("{{$uuid}} {{$n}}".to_owned());
    };
    in_both_loops("tcp", socat.address, filled, all_echoed);
}

#[test]
fn a_udp_echo_comes_back() {
    let mut socat = Socat::start("UDP4-RECVFROM");
    let probe = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    probe.set_read_timeout(Some(Duration::from_millis(200))).expect("a time");
    socat.wait_until(|address| {
        let _ = probe.send_to(b"ready?", address);
        probe.recv(&mut [0; 16]).is_ok()
    });
    // socat starts a process for each datagram, and loses one that comes meanwhile.
    let gentle = |plan: &mut Plan| plan.connections = 1;
    in_both_loops("udp", socat.address, gentle, |measured, what| {
        all_echoed(measured, what);
        let bytes = (8 + 24) * REQUESTS;
        assert_eq!((measured.bytes.sent, measured.bytes.received), (bytes, bytes), "{what}");
    });
}

#[test]
fn a_tcp_echo_that_is_none_has_its_class() {
    let other = Peer::start(|mut stream, _| {
        let mut bytes = [0; 24];
        while stream.read_exact(&mut bytes).is_ok() && stream.write_all(&[b'x'; 24]).is_ok() {}
    });
    in_both_loops("tcp", other.address(), unchanged, all_failed("protocol"));
    let more = Peer::start(|mut stream, _| {
        let mut bytes = [0; 24];
        while stream.read_exact(&mut bytes).is_ok() && stream.write_all(&[&bytes[..], b"!"].concat()).is_ok()
        {
        }
    });
    in_both_loops("tcp", more.address(), unchanged, all_failed("protocol"));
    let half = Peer::start(|mut stream, _| {
        let mut bytes = [0; 24];
        if stream.read_exact(&mut bytes).is_ok() {
            let _ = stream.write_all(&bytes[..12]);
            finish(&mut stream);
        }
    });
    in_both_loops("tcp", half.address(), unchanged, all_failed("closed_early"));
    let silent = Peer::start(|mut stream, _| {
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let short = |plan: &mut Plan| {
        plan.timeout = Duration::from_millis(50);
        plan.pacing = Pacing::MAX;
    };
    in_both_loops("tcp", silent.address(), short, all_failed("response_timeout"));
    // In a closed loop each failure to connect is followed by a longer pause.
    let open = |plan: &mut Plan| plan.pacing = Pacing::Constant { rate_per_sec: 500.0 };
    in_both_loops("tcp", closed_port(), open, all_failed("connect_refused"));
}

#[test]
fn a_tcp_echo_over_a_kept_connection_that_was_closed_is_asked_for_again() {
    let once = Peer::start(|mut stream, _| {
        let mut bytes = [0; 24];
        if stream.read_exact(&mut bytes).is_ok() {
            let _ = stream.write_all(&bytes);
            finish(&mut stream);
        }
    });
    in_both_loops("tcp", once.address(), unchanged, all_echoed);
}

/// A UDP server on a thread that does with each datagram what it was told to.
struct Datagrams {
    address: SocketAddr,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Datagrams {
    /// `answers`: what goes back for a datagram, and which number it has.
    fn start(mut answers: impl FnMut(&[u8], u64) -> Vec<Vec<u8>> + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        let address = socket.local_addr().expect("an address");
        let closing = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&closing);
        let thread = std::thread::spawn(move || {
            let mut bytes = [0; 2048];
            let mut number = 0;
            while let Ok((length, from)) = socket.recv_from(&mut bytes) {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                for answer in answers(&bytes[..length], number) {
                    let _ = socket.send_to(&answer, from);
                }
                number += 1;
            }
        });
        Self { address, closing, thread: Some(thread) }
    }
}

impl Drop for Datagrams {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        // Wakes the thread.
        if let Ok(socket) = UdpSocket::bind("127.0.0.1:0") {
            let _ = socket.send_to(b"end", self.address);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[test]
fn a_datagram_that_comes_twice_or_late_is_not_taken_for_the_next_one() {
    let twice = Datagrams::start(|bytes, _| vec![bytes.to_vec(), bytes.to_vec()]);
    in_both_loops("udp", twice.address, unchanged, all_echoed);
    // One in four gets no answer until the next datagram: it comes then, and before that one's own.
    let mut held: Option<Vec<u8>> = None;
    let late = Datagrams::start(move |bytes, number| {
        if number % 4 == 3 {
            held = Some(bytes.to_vec());
            return Vec::new();
        }
        held.take().into_iter().chain([bytes.to_vec()]).collect()
    });
    let one = |plan: &mut Plan| {
        plan.connections = 1;
        plan.pacing = Pacing::MAX;
        plan.timeout = Duration::from_millis(100);
    };
    let mut late_plan = plan("udp", late.address, Pacing::MAX);
    one(&mut late_plan);
    let measured = measure(&late_plan, 1);
    assert_balanced(&measured, "late");
    assert_eq!(measured.status.get("echoed"), Some(&45), "{:?}", measured.errors);
    assert_eq!(measured.errors.get("response_timeout"), Some(&15), "{:?}", measured.errors);
}

#[test]
fn a_datagram_that_is_no_echo_has_its_class() {
    let short = Datagrams::start(|bytes, _| vec![bytes[..4].to_vec()]);
    in_both_loops("udp", short.address, unchanged, all_failed("protocol"));
    let other = Datagrams::start(|bytes, _| {
        let mut changed = bytes.to_vec();
        *changed.last_mut().expect("some bytes") ^= 1;
        vec![changed]
    });
    in_both_loops("udp", other.address, unchanged, all_failed("protocol"));
}

#[test]
fn a_port_without_anybody_refuses_datagrams_as_far_as_the_system_says_so() {
    let nobody = UdpSocket::bind("127.0.0.1:0").expect("loopback").local_addr().expect("an address");
    let short = |plan: &mut Plan| plan.timeout = Duration::from_millis(100);
    in_both_loops("udp", nobody, short, |measured, what| {
        // It tells only so many senders a second, of whatever test.
        let count = |class| measured.errors.get(class).copied().unwrap_or(0);
        assert!(count("connect_refused") > 0, "{what}: {:?}", measured.errors);
        let told = count("connect_refused") + count("response_timeout") + count("overflow");
        assert_eq!(told, REQUESTS, "{what}: {:?}", measured.errors);
        // Nothing that came back for one is taken for the next one's: each was sent.
        let sent = REQUESTS - count("overflow");
        // Eight bytes of a number, and the usual text.
        assert_eq!(measured.bytes.sent, sent * 32, "{what}: {:?}", measured.errors);
    });
}
