//! The built-in target: a small HTTP/1.1 server whose faults are known, so that measurements can be held
//! against the truth.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::rc::Rc;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};

use super::random::Random;
use super::timer::Alarm;
use crate::model::duration;

/// The largest answer body, in bytes.
pub const TARGET_BODY_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The largest request head that is read, in bytes.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// The most headers in a request.
const HEADERS_MAX: usize = 128;
/// The most answers that a log holds.
const LOG_MAX: usize = 1 << 20;
/// The widest spread of a log-normal delay.
const SIGMA_MAX: f64 = 3.0;
/// Before accepting again after a failure to accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);
/// The longest that one answer is held back by a random delay.
const DELAY_MAX: Duration = Duration::from_secs(60);

/// How the built-in target behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetOptions {
    /// Where it listens; port 0 for any free one.
    pub listen: SocketAddr,
    /// How long each answer takes.
    pub delay: Delay,
    /// Share of requests, 0 to 1, that are answered with status 500; evenly spread, not random.
    pub error_share: f64,
    /// Length of each answer's body, at most [`TARGET_BODY_BYTES_MAX`].
    pub body_bytes: u64,
    /// Regular stops in which nothing is answered.
    pub stall: Option<Stall>,
}

/// How long an answer takes. Written `none`, `5ms` or `lognormal:4ms,0.5`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Delay {
    /// No longer than it must.
    #[default]
    None,
    /// This long.
    Fixed(Duration),
    /// Log-normally distributed.
    LogNormal {
        /// Half of the answers take longer.
        median: Duration,
        /// Standard deviation of the logarithm.
        sigma: f64,
    },
}

/// In every stretch of `every`, the last `length` passes without an answer. Written `1s/10s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    /// How long nothing is answered.
    pub length: Duration,
    /// From the start of one stall to the start of the next.
    pub every: Duration,
}

/// When the target saw one request.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Its head and body were read.
    pub arrived: Instant,
    /// Its answer was handed to the system.
    pub answered: Instant,
}

/// The built-in target, listening on a thread of its own until it is dropped.
#[derive(Debug)]
pub struct Target {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    served: AtomicU64,
    log: Option<Mutex<Vec<Seen>>>,
}

impl Default for TargetOptions {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            delay: Delay::None,
            error_share: 0.0,
            body_bytes: 1024,
            stall: None,
        }
    }
}

impl Target {
    /// Starts to listen.
    ///
    /// # Errors
    /// When the address cannot be listened on, or an option is out of bounds.
    pub fn start(options: TargetOptions) -> io::Result<Self> {
        Self::start_with(options, Shared::default())
    }

    /// As [`Self::start`], and keeps the moments of each request (up to a million) for [`Self::log`].
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_logged(options: TargetOptions) -> io::Result<Self> {
        Self::start_with(options, Shared { log: Some(Mutex::new(Vec::new())), ..Shared::default() })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Requests answered so far; counted before the answer leaves, so that whoever has it finds it counted.
    #[must_use]
    pub fn served(&self) -> u64 {
        self.shared.served.load(Ordering::Relaxed)
    }

    /// The moments of each answered request, in the order of the answers; empty without a log.
    #[must_use]
    pub fn log(&self) -> Vec<Seen> {
        let lock = |log: &Mutex<Vec<Seen>>| log.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.shared.log.as_ref().map_or_else(Vec::new, lock)
    }

    /// Stops listening and closes every connection. Dropping does the same.
    pub fn stop(self) {
        drop(self);
    }

    fn start_with(options: TargetOptions, shared: Shared) -> io::Result<Self> {
        check(&options).map_err(|reason| io::Error::new(io::ErrorKind::InvalidInput, reason))?;
        let listener = StdListener::bind(options.listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(shared);
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("target".to_owned())
            .spawn(move || serve(listener, &options, theirs, stopped, &ready))?;
        match is_ready.recv() {
            Ok(Ok(())) => Ok(Self { address, shared, stop: Some(stop), thread: Some(thread) }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(io::Error::other("the target's thread ended at once")),
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of that thread was already printed by it.
            let _ = thread.join();
        }
    }
}

impl Stall {
    /// How much longer nothing is answered, `since_start` of the target; none between stalls.
    #[must_use]
    pub fn left(&self, since_start: Duration) -> Option<Duration> {
        let into = since_start.as_nanos() % self.every.as_nanos().max(1);
        let begins = self.every.saturating_sub(self.length).as_nanos();
        (into >= begins)
            .then(|| Duration::from_nanos(u64::try_from(self.every.as_nanos() - into).unwrap_or(u64::MAX)))
    }
}

impl Delay {
    fn draw(self, random: &RefCell<Random>) -> Option<Duration> {
        match self {
            Self::None => None,
            Self::Fixed(length) => Some(length),
            Self::LogNormal { median, sigma } => {
                let factor = (sigma * random.borrow_mut().normal()).exp();
                Some(Duration::from_secs_f64((median.as_secs_f64() * factor).min(DELAY_MAX.as_secs_f64())))
            }
        }
    }
}

impl FromStr for Delay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text == "none" {
            return Ok(Self::None);
        }
        let Some(parts) = text.strip_prefix("lognormal:") else {
            return match duration::parse(text)? {
                Duration::ZERO => Ok(Self::None),
                length if length > DELAY_MAX => Err("the longest delay is 60 s".to_owned()),
                length => Ok(Self::Fixed(length)),
            };
        };
        let (median, sigma) = parts
            .split_once(',')
            .ok_or_else(|| "write median and sigma, for example lognormal:4ms,0.5".to_owned())?;
        let median = duration::parse(median)?;
        if median > DELAY_MAX {
            return Err("the longest delay is 60 s".to_owned());
        }
        let sigma = sigma
            .trim()
            .parse()
            .ok()
            .filter(|sigma| (0.0..=SIGMA_MAX).contains(sigma))
            .ok_or_else(|| format!("sigma is a number from 0 to {SIGMA_MAX}, for example 0.5"))?;
        Ok(Self::LogNormal { median, sigma })
    }
}

impl FromStr for Stall {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (length, every) = text
            .split_once('/')
            .ok_or_else(|| "write the length and how often, for example 1s/10s".to_owned())?;
        let (length, every) = (duration::parse(length)?, duration::parse(every)?);
        if length.is_zero() || length >= every {
            return Err("a stall is longer than 0 s and shorter than the time between stalls".to_owned());
        }
        Ok(Self { length, every })
    }
}

/// Reads a size as people write it: `512`, `512B`, `1KiB`, `2 MB`.
///
/// # Errors
/// A sentence that says what would be right.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1000,
        "k" | "kib" => 1024,
        "mb" => 1_000_000,
        "m" | "mib" => 1024 * 1024,
        _ => return Err(format!("“{text}” is not a size; write for example 512B, 1KiB or 2MB")),
    };
    let number: u64 =
        number.parse().map_err(|_| format!("“{text}” is not a size; write for example 512B, 1KiB or 2MB"))?;
    number
        .checked_mul(factor)
        .filter(|bytes| *bytes <= TARGET_BODY_BYTES_MAX)
        .ok_or_else(|| "the largest body is 64 MiB".to_owned())
}

fn check(options: &TargetOptions) -> Result<(), &'static str> {
    if options.body_bytes > TARGET_BODY_BYTES_MAX {
        return Err("the largest body is 64 MiB");
    }
    if !(0.0..=1.0).contains(&options.error_share) {
        return Err("the share of errors is from 0 to 1");
    }
    match options.stall {
        Some(stall) if stall.length.is_zero() || stall.length >= stall.every => {
            Err("a stall is longer than 0 s and shorter than the time between stalls")
        }
        _ => Ok(()),
    }
}

/// The thread: accepts until it is told to stop, which also drops every connection.
fn serve(
    listener: StdListener,
    options: &TargetOptions,
    shared: Arc<Shared>,
    stopped: oneshot::Receiver<()>,
    ready: &std::sync::mpsc::Sender<io::Result<()>>,
) {
    let runtime = match tokio::runtime::LocalRuntime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    runtime.block_on(async move {
        let listener = match TcpListener::from_std(listener) {
            Ok(listener) => listener,
            Err(error) => {
                let _ = ready.send(Err(error));
                return;
            }
        };
        let _ = ready.send(Ok(()));
        let server = Rc::new(Server::new(options, shared));
        let alarm = Alarm::new();
        tokio::select! {
            // An error is the sender's drop: that is the signal.
            _ = stopped => {}
            () = accept(listener, Rc::clone(&server)) => {}
            () = server.sleepers.wake(&alarm) => {}
        }
    });
}

async fn accept(listener: TcpListener, server: Rc<Server>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let server = Rc::clone(&server);
                tokio::task::spawn_local(async move {
                    // The client sees what went wrong; there is nobody else to tell.
                    let _ = server.converse(stream).await;
                });
            }
            // Out of descriptors, or a connection that was gone before it was accepted.
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

struct Server {
    started: Instant,
    delay: Delay,
    stall: Option<Stall>,
    error_share: f64,
    sleepers: Sleepers,
    random: RefCell<Random>,
    taken: Cell<u64>,
    good: Answer,
    bad: Answer,
    shared: Arc<Shared>,
}

/// An answer, encoded once.
struct Answer {
    bytes: Vec<u8>,
    head_bytes: usize,
}

/// What is needed of a request head.
struct Head {
    bytes: usize,
    body_bytes: usize,
    without_body: bool,
    close: bool,
}

impl Answer {
    fn new(status: &str, body_bytes: u64) -> Self {
        let mut bytes =
            format!("HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {body_bytes}\r\n\r\n")
                .into_bytes();
        let head_bytes = bytes.len();
        let line = b"Meshbench built-in target.\n";
        bytes.extend(line.iter().cycle().take(usize::try_from(body_bytes).unwrap_or(usize::MAX)));
        Self { bytes, head_bytes }
    }

    fn for_head(&self, head: &Head) -> &[u8] {
        if head.without_body { &self.bytes[..self.head_bytes] } else { &self.bytes }
    }
}

/// All who wait for a delay to end, with one timer for all of them: tokio's own rounds up to the next millisecond.
#[derive(Default)]
struct Sleepers {
    /// By when they are woken, and in which order they came.
    due: RefCell<BTreeMap<(Instant, u64), Waker>>,
    came: Cell<u64>,
    /// One is to be woken before all others.
    changed: Notify,
}

impl Sleepers {
    /// Waits at least so long.
    async fn sleep(&self, length: Duration) {
        let key = (Instant::now() + length, self.came.replace(self.came.get() + 1));
        poll_fn(|cx| {
            let mut due = self.due.borrow_mut();
            if Instant::now() >= key.0 {
                due.remove(&key);
                return Poll::Ready(());
            }
            due.insert(key, cx.waker().clone());
            if due.first_key_value().is_some_and(|(first, _)| *first == key) {
                self.changed.notify_one();
            }
            Poll::Pending
        })
        .await;
    }

    /// Wakes them, for ever.
    async fn wake(&self, alarm: &Alarm) {
        loop {
            let first = self.due.borrow().first_key_value().map(|((at, _), _)| *at);
            let Some(first) = first else {
                self.changed.notified().await;
                continue;
            };
            let left = first.saturating_duration_since(Instant::now());
            if left > Duration::ZERO {
                tokio::select! {
                    () = alarm.after(left) => {}
                    () = self.changed.notified() => {}
                }
            }
            let now = Instant::now();
            let mut due = self.due.borrow_mut();
            while let Some(entry) = due.first_entry().filter(|entry| entry.key().0 <= now) {
                entry.remove().wake();
            }
        }
    }
}

impl Server {
    fn new(options: &TargetOptions, shared: Arc<Shared>) -> Self {
        Self {
            started: Instant::now(),
            delay: options.delay,
            stall: options.stall,
            error_share: options.error_share,
            sleepers: Sleepers::default(),
            random: RefCell::new(Random::seeded(Random::fresh_seed())),
            taken: Cell::new(0),
            good: Answer::new("200 OK", options.body_bytes),
            bad: Answer::new("500 Internal Server Error", options.body_bytes),
            shared,
        }
    }

    /// One connection, until the client ends it or breaks HTTP.
    async fn converse(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut buffer = Vec::with_capacity(4096);
        loop {
            let head = loop {
                if let Some(head) = head_of(&buffer)? {
                    break head;
                }
                if buffer.len() > HEAD_BYTES_MAX {
                    return Err(io::ErrorKind::InvalidData.into());
                }
                if stream.read_buf(&mut buffer).await? == 0 {
                    return Ok(());
                }
            };
            buffer.drain(..head.bytes);
            discard(&mut stream, &mut buffer, head.body_bytes).await?;
            let arrived = Instant::now();
            self.hold_back().await;
            self.shared.served.fetch_add(1, Ordering::Relaxed);
            stream.write_all(self.answer().for_head(&head)).await?;
            self.note(arrived);
            if head.close {
                return stream.shutdown().await;
            }
        }
    }

    async fn hold_back(&self) {
        if let Some(delay) = self.delay.draw(&self.random) {
            self.sleepers.sleep(delay).await;
        }
        let Some(stall) = self.stall else { return };
        // A loop: the sleep may end a little before the stall does.
        while let Some(left) = stall.left(self.started.elapsed()) {
            self.sleepers.sleep(left).await;
        }
    }

    /// The n-th request fails when the whole part of `n × share` steps up there.
    fn answer(&self) -> &Answer {
        let n = self.taken.get();
        self.taken.set(n + 1);
        let failures = |count: u64| (count as f64 * self.error_share).floor();
        if failures(n + 1) > failures(n) { &self.bad } else { &self.good }
    }

    fn note(&self, arrived: Instant) {
        if let Some(log) = &self.shared.log {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            if log.len() < LOG_MAX {
                log.push(Seen { arrived, answered: Instant::now() });
            }
        }
    }
}

/// Reads over a request body, of which some may be in the buffer.
async fn discard(stream: &mut TcpStream, buffer: &mut Vec<u8>, mut left: usize) -> io::Result<()> {
    loop {
        let here = left.min(buffer.len());
        buffer.drain(..here);
        left -= here;
        if left == 0 {
            return Ok(());
        }
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// The request head at the start of `buffer`, once it is whole.
fn head_of(buffer: &[u8]) -> io::Result<Option<Head>> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(bytes) = request.parse(buffer).map_err(|_| invalid())? else {
        return Ok(None);
    };
    let mut head = Head {
        bytes,
        body_bytes: 0,
        without_body: request.method == Some("HEAD"),
        close: request.version == Some(0),
    };
    for header in &*request.headers {
        let value = std::str::from_utf8(header.value).map_err(|_| invalid())?.trim();
        if header.name.eq_ignore_ascii_case("content-length") {
            head.body_bytes = value.parse().map_err(|_| invalid())?;
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(invalid());
        } else if header.name.eq_ignore_ascii_case("connection") {
            head.close = value.eq_ignore_ascii_case("close");
        }
    }
    Ok(Some(head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_read() {
        let ms = Duration::from_millis;
        for (text, delay) in [
            ("none", Delay::None),
            ("0ms", Delay::None),
            ("5ms", Delay::Fixed(ms(5))),
            ("lognormal:4ms,0.5", Delay::LogNormal { median: ms(4), sigma: 0.5 }),
            (" lognormal:4ms, 1 ", Delay::LogNormal { median: ms(4), sigma: 1.0 }),
        ] {
            assert_eq!(text.parse(), Ok(delay), "{text}");
        }
        for text in
            ["", "5", "61s", "lognormal:4ms", "lognormal:4,1", "lognormal:4ms,-1", "lognormal:4ms,NaN"]
        {
            assert!(text.parse::<Delay>().is_err(), "{text}");
        }
    }

    #[test]
    fn stalls_are_read() {
        let second = Duration::from_secs(1);
        assert_eq!("1s/10s".parse(), Ok(Stall { length: second, every: 10 * second }));
        for text in ["", "1s", "10s/10s", "0s/1s", "1/10"] {
            assert!(text.parse::<Stall>().is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_read() {
        for (text, bytes) in [
            ("0", 0),
            ("512", 512),
            ("512B", 512),
            ("1KiB", 1024),
            ("2 MB", 2_000_000),
            ("64MiB", 67_108_864),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in ["", "KiB", "-1", "1.5KiB", "65MiB", "1TB", "99999999999999999999"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_stall_is_the_last_part_of_its_stretch() {
        let stall = Stall { length: Duration::from_secs(1), every: Duration::from_secs(10) };
        let left = |ms| stall.left(Duration::from_millis(ms)).map(|left| left.as_millis());
        assert_eq!(left(0), None);
        assert_eq!(left(8999), None);
        assert_eq!(left(9000), Some(1000));
        assert_eq!(left(19_750), Some(250));
        assert_eq!(left(20_000), None);
    }

    #[test]
    fn failures_are_spread_evenly() {
        let options = TargetOptions { error_share: 0.01, ..TargetOptions::default() };
        let server = Server::new(&options, Arc::default());
        let failed = (0..1000).filter(|_| std::ptr::eq(server.answer(), &raw const server.bad)).count();
        assert_eq!(failed, 10);
    }

    #[test]
    fn options_out_of_bounds_are_refused() {
        for options in [
            TargetOptions { error_share: 1.5, ..TargetOptions::default() },
            TargetOptions { body_bytes: u64::MAX, ..TargetOptions::default() },
            TargetOptions {
                stall: Some(Stall { length: Duration::ZERO, every: Duration::ZERO }),
                ..TargetOptions::default()
            },
        ] {
            assert!(Target::start(options).is_err());
        }
    }
}
