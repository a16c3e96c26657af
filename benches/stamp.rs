//! A target with one core and a clock: an HTTP/1.1 server that notes when each request arrived and was
//! answered, so that what a load generator does is judged by who received it.
//!
//! `benches/compare/run` builds and drives it; by hand:
//!
//! ```text
//! stamp --port 0 [--rate N] [--stall FIRST/LENGTH/EVERY]
//! ```
//!
//! It prints its port, serves until its standard input is closed, and prints what it saw as JSON. With a rate
//! the arrivals are held against an evenly spaced line; with a stall (milliseconds, counted from the first
//! request) the whole process stops for a while again and again, as one does that collects garbage.

#![expect(clippy::print_stdout, reason = "a line is how the one who started it is answered")]

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::str::FromStr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};

/// The most requests whose moments are kept; later ones are answered and counted.
const STAMPS_MAX: usize = 1 << 22;
/// The largest request head.
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// The most headers in a request.
const HEADERS_MAX: usize = 32;
/// Before accepting again after a failure to accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::read(std::env::args().skip(1))?;
    let Some(port) = options.port else {
        println!(
            "stamp --port N [--rate N] [--stall FIRST/LENGTH/EVERY]: serves until its standard input is closed"
        );
        return Ok(());
    };
    let server = Rc::new(Server::default());
    let runtime = tokio::runtime::LocalRuntime::new()?;
    runtime.block_on(serve(port, options.stall, Rc::clone(&server)))?;
    println!("{}", server.seen(options.rate_per_sec));
    Ok(())
}

#[derive(Default)]
struct Options {
    port: Option<u16>,
    rate_per_sec: Option<f64>,
    stall: Option<Stall>,
}

/// The process stops for `length`, `first` after the first request and every `every` from there.
#[derive(Clone, Copy)]
struct Stall {
    first: Duration,
    length: Duration,
    every: Duration,
}

/// When one request was there in full, and when its answer had been handed to the system.
#[derive(Clone, Copy)]
struct Stamp {
    arrived: Instant,
    answered: Instant,
}

struct Server {
    stamps: RefCell<Vec<Stamp>>,
    count: Cell<u64>,
    first: Notify,
}

impl Options {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        while let Some(word) = words.next() {
            // Cargo says that to every bench; without a port it then only tells its usage.
            if word == "--bench" {
                continue;
            }
            let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
            let wrong = || format!("{value} is no value for {word}");
            match word.as_str() {
                "--port" => options.port = Some(value.parse().map_err(|_| wrong())?),
                "--rate" => options.rate_per_sec = Some(value.parse().map_err(|_| wrong())?),
                "--stall" => options.stall = Some(value.parse().map_err(|()| wrong())?),
                _ => return Err(format!("{word} is not known")),
            }
        }
        Ok(options)
    }
}

impl FromStr for Stall {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let parts: Result<Vec<u64>, _> = text.split('/').map(str::parse).collect();
        let [first, length, every] = parts.map_err(|_| ())?[..] else { return Err(()) };
        let [first, length, every] = [first, length, every].map(Duration::from_millis);
        if length.is_zero() || length >= every { Err(()) } else { Ok(Self { first, length, every }) }
    }
}

impl Default for Server {
    fn default() -> Self {
        let stamps = RefCell::new(Vec::with_capacity(STAMPS_MAX));
        Self { stamps, count: Cell::new(0), first: Notify::new() }
    }
}

async fn serve(port: u16, stall: Option<Stall>, server: Rc<Server>) -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("{}", listener.local_addr()?.port());
    let (closed, stop) = oneshot::channel();
    std::thread::spawn(move || {
        // Whatever ends it, nobody is left who could say more.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        let _ = closed.send(());
    });
    if let Some(stall) = stall {
        tokio::task::spawn_local(stop_again_and_again(stall, Rc::clone(&server)));
    }
    tokio::select! {
        // An error is the sender's end: the same news.
        _ = stop => Ok(()),
        () = accept(listener, server) => Ok(()),
    }
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

/// Stops this thread, and with it everything: nothing is accepted, read or answered meanwhile.
async fn stop_again_and_again(stall: Stall, server: Rc<Server>) {
    server.first.notified().await;
    let mut next = tokio::time::Instant::now() + stall.first;
    loop {
        tokio::time::sleep_until(next).await;
        let left = (next + stall.length).saturating_duration_since(tokio::time::Instant::now());
        std::thread::sleep(left);
        next += stall.every;
    }
}

impl Server {
    async fn converse(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut buffer = Vec::with_capacity(1024);
        loop {
            while let Some(head_bytes) = head_of(&buffer)? {
                let arrived = Instant::now();
                buffer.drain(..head_bytes);
                stream.write_all(ANSWER).await?;
                self.note(Stamp { arrived, answered: Instant::now() });
            }
            if buffer.len() > HEAD_BYTES_MAX {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
    }

    fn note(&self, stamp: Stamp) {
        if self.count.replace(self.count.get() + 1) == 0 {
            self.first.notify_one();
        }
        let mut stamps = self.stamps.borrow_mut();
        // Bounded: never grown past what was set aside at the start.
        if stamps.len() < STAMPS_MAX {
            stamps.push(stamp);
        }
    }

    fn seen(&self, rate_per_sec: Option<f64>) -> Value {
        let stamps = self.stamps.borrow();
        let Some(first) = stamps.iter().map(|stamp| stamp.arrived).min() else {
            return json!({ "count": 0, "kept": 0 });
        };
        let micros = |moment: Instant| moment.duration_since(first).as_secs_f64() * 1e6;
        let arrived = sorted(stamps.iter().map(|stamp| micros(stamp.arrived)));
        let answered = sorted(stamps.iter().map(|stamp| micros(stamp.answered)));
        let service = sorted(stamps.iter().map(|stamp| micros(stamp.answered) - micros(stamp.arrived)));
        let line = rate_per_sec.map(|rate| against_the_line(&arrived, &answered, 1e6 / rate));
        json!({
            "count": self.count.get(),
            "kept": stamps.len(),
            "rate": rate(&arrived),
            "gaps_cv": variation(&arrived),
            "service_us": quantiles(&service),
            "line": line,
        })
    }
}

/// The length of the request head in front; none while it is incomplete. Requests with a body are not served.
fn head_of(buffer: &[u8]) -> io::Result<Option<usize>> {
    if buffer.is_empty() {
        return Ok(None);
    }
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    match httparse::Request::new(&mut headers).parse(buffer) {
        Ok(httparse::Status::Complete(bytes)) => Ok(Some(bytes)),
        Ok(httparse::Status::Partial) => Ok(None),
        Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
    }
}

/// Holds arrivals, in order, against a line with one request every `gap` microseconds, whose phase is the one
/// that half of them are ahead of. `deviation` is how far they are off, `late` how much later than the earliest
/// tenth of a percent; `wait` is from the due moment of the n-th request to the n-th answer: what a person
/// waits, whoever measures it.
fn against_the_line(arrived: &[f64], answered: &[f64], gap: f64) -> Value {
    let off = |moments: &[f64]| {
        moments.iter().zip(0_u32..).map(|(at, n)| at - f64::from(n) * gap).collect::<Vec<_>>()
    };
    let late = sorted(off(arrived).into_iter());
    let (phase, earliest) = (quantile(&late, 0.5), quantile(&late, 0.001));
    let deviation = sorted(late.iter().map(|at| (at - phase).abs()));
    let wait = sorted(off(answered).into_iter().map(|at| (at - earliest).max(0.0)));
    let late = sorted(late.into_iter().map(|at| (at - earliest).max(0.0)));
    json!({ "deviation_us": quantiles(&deviation), "late_us": quantiles(&late), "wait_us": quantiles(&wait) })
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

fn quantiles(sorted: &[f64]) -> Value {
    let at = |share| quantile(sorted, share);
    json!({ "p50": at(0.5), "p90": at(0.9), "p95": at(0.95), "p99": at(0.99), "p99.9": at(0.999), "max": at(1.0) })
}

/// The smallest value that `share` of all do not exceed.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

/// From the first arrival, at 0, to the last.
fn rate(arrived: &[f64]) -> f64 {
    match arrived.last() {
        Some(last) if *last > 0.0 => (arrived.len() - 1) as f64 * 1e6 / last,
        _ => 0.0,
    }
}

/// Standard deviation of the gaps over their mean: 0 for a clock, 1 for chance, 7 for bursts of fifty.
fn variation(sorted: &[f64]) -> f64 {
    let gaps: Vec<f64> = sorted.windows(2).map(|pair| pair[1] - pair[0]).collect();
    if gaps.is_empty() {
        return 0.0;
    }
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let square = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
    square.sqrt() / mean
}
