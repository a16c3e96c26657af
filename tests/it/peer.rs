//! Peers with planned faults: real sockets on loopback, a thread for each connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use meshbench::load::{self, Control, Measured, Options};
use meshbench::model::Plan;

/// A server that does with each connection what it was told to.
pub(crate) struct Peer {
    address: SocketAddr,
    connections: Arc<AtomicU64>,
    closing: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl Peer {
    /// `converse` gets each connection and its number; returning closes it.
    pub(crate) fn start(converse: impl Fn(TcpStream, u64) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("an address");
        let (connections, closing) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, stop) = (Arc::clone(&connections), Arc::clone(&closing));
        let converse = Arc::new(converse);
        let acceptor = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let number = count.fetch_add(1, Ordering::SeqCst);
                let converse = Arc::clone(&converse);
                std::thread::spawn(move || converse(stream, number));
            }
        });
        Self { address, connections, closing, acceptor: Some(acceptor) }
    }

    /// Answers every request on a connection with these bytes.
    pub(crate) fn answering(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::start(
            move |mut stream, _| {
                while read_request(&mut stream) && stream.write_all(&bytes).is_ok() {}
            },
        )
    }

    /// Answers one request with these bytes, then closes the connection in good order.
    pub(crate) fn answering_once(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::start(move |mut stream, _| {
            if read_request(&mut stream) {
                let _ = stream.write_all(&bytes);
                finish(&mut stream);
            }
        })
    }

    /// After a request: these bytes, then others without end.
    pub(crate) fn flooding(first: &'static str, again: String) -> Self {
        Self::start(move |mut stream, _| {
            if read_request(&mut stream) && stream.write_all(first.as_bytes()).is_ok() {
                flood(&mut stream, again.as_bytes());
            }
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections accepted so far.
    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        // Wakes the acceptor.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

/// Reads one request without a body; false when the client closed.
pub(crate) fn read_request(stream: &mut impl Read) -> bool {
    let mut head = Vec::new();
    let mut piece = [0; 4096];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return false,
            Ok(length) => head.extend_from_slice(&piece[..length]),
        }
    }
    true
}

/// Writes the same bytes until the client has had enough.
pub(crate) fn flood(stream: &mut TcpStream, bytes: &[u8]) {
    while stream.write_all(bytes).is_ok() {}
}

/// Ends a connection so that nothing written is lost.
pub(crate) fn finish(stream: &mut TcpStream) {
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = std::io::copy(stream, &mut std::io::sink());
}

/// A port of loopback on which nobody listens, and which nobody else of this process is given: servers that cannot be
/// asked to take a free port are started at one.
pub(crate) fn closed_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], crate::kube::free_port()))
}

/// Runs a plan on so many threads, and fails rather than hang.
pub(crate) fn measure(plan: &Plan, threads: u32) -> Measured {
    let stop = Control::new();
    let begun = Instant::now();
    let mut watch = |_: &Measured| {
        if begun.elapsed() > Duration::from_secs(60) {
            stop.stop();
        }
    };
    load::run(plan, &Options { threads, ..Options::default() }, &stop, &mut watch)
        .expect("the plan can be run")
}

/// Holds the books of a run against each other.
pub(crate) fn assert_balanced(measured: &Measured, what: &str) {
    let requests = measured.requests;
    let without_answer: u64 =
        measured.errors.iter().filter(|(class, _)| *class != "status").map(|(_, count)| count).sum();
    assert_eq!(requests.due, requests.answered + without_answer + requests.cancelled, "{what}: {measured:?}");
    assert_eq!(measured.status.values().sum::<u64>(), requests.answered, "{what}");
    assert_eq!(measured.errors.values().sum::<u64>(), requests.failed, "{what}");
    assert_eq!(measured.response.count(), requests.due - requests.cancelled, "{what}");
    assert_eq!(measured.service.count(), measured.lag.count(), "{what}");
    let warmup = measured.warmup;
    assert!(warmup.due >= warmup.answered + warmup.cancelled, "{what}");
    assert!(warmup.due <= warmup.answered + warmup.failed + warmup.cancelled, "{what}");
    let due: u64 = measured.intervals.iter().map(|interval| interval.due).sum();
    let answered: u64 = measured.intervals.iter().map(|interval| interval.answered).sum();
    let failed: u64 = measured.intervals.iter().flat_map(|interval| interval.errors.values()).sum();
    assert_eq!((due, answered, failed), (requests.due, requests.answered, requests.failed), "{what}");
    assert_eq!(measured.in_flight, 0, "{what}");
}
