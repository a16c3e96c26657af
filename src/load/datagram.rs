//! Echo over UDP: a datagram goes out with its number, and the same comes back, or nothing does.

use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};

#[cfg(target_os = "linux")]
use tokio::io::Interest;
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;

use super::arrival::{Arrivals, not_before, note};
use super::course::Course;
use super::slot::{Cells, Interrupt, Job};
use super::tally::{End, Opening, Outcome, Trace};
use super::worker::Worker;
use crate::model::run::ErrorClass;

/// The number of a datagram comes first, most significant byte first.
const NUMBER_BYTES: usize = 8;

/// A slot's socket, once it is open.
pub(super) struct Lane {
    number: u32,
    socket: Option<(UdpSocket, Arrivals)>,
    /// Where it leads to.
    address: u16,
    /// Of the datagram sent last; a late answer to an earlier one is known by it.
    sent: u64,
    datagram: Vec<u8>,
}

impl Lane {
    pub(super) fn new(number: usize) -> Self {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        Self { number, socket: None, address: 0, sent: 0, datagram: Vec::new() }
    }

    /// Makes the next datagram ready.
    fn fill(&mut self, worker: &Worker, job: Job) {
        let request = worker.source.variant(job.variant);
        self.sent += 1;
        self.datagram.clear();
        self.datagram.extend_from_slice(&self.sent.to_be_bytes());
        if request.is_fixed {
            self.datagram.extend_from_slice(&request.bytes);
        } else {
            request.form.body.fill(&mut worker.draw(), &mut self.datagram);
        }
    }
}

impl super::lane::Lane for Lane {
    // A socket is opened at no cost when it is needed.
    async fn open_ahead(&mut self, _worker: &Rc<Worker>, _cells: &Cells) {}

    async fn carry_out(&mut self, worker: &Rc<Worker>, cells: &Cells, job: Job) -> Outcome {
        let trace = Trace { variant: job.variant, connection: Some(self.number), ..Trace::default() };
        let mut course = Course::new(job.begun, trace);
        let end = self.ping(worker, cells, job, &mut course).await;
        course.outcome(end, job.lag)
    }

    fn watch_idle(&mut self, _worker: &Worker, _cx: &mut Context<'_>) {}
}

impl Lane {
    async fn ping(&mut self, worker: &Worker, cells: &Cells, job: Job, course: &mut Course) -> End {
        cells.arm(job.begun.saturating_add(worker.timeout_nanos));
        let (socket, mut arrivals) = match self.socket.take() {
            Some(kept) => kept,
            None => {
                let opened = cells.guard(open(worker)).await;
                course.end(worker.now());
                let (socket, address) = match opened {
                    Ok(Ok(opened)) => opened,
                    Ok(Err(class)) => return End::Failed(class),
                    Err(Interrupt::TimeOver) => return End::Failed(ErrorClass::ConnectTimeout),
                    Err(Interrupt::Cancelled) => return End::Cancelled,
                };
                worker.note_opened();
                self.address = address;
                course.trace.opening = Some(Opening::default());
                let is_noted = worker.connectors[0].noting.is_some() && note(&socket);
                (socket, Arrivals::of(is_noted))
            }
        };
        course.trace.address = Some(self.address);
        self.fill(worker, job);
        let sent_at = if course.trace.opening.is_some() { worker.now() } else { job.begun };
        cells.arm(course.begin(sent_at, worker.timeout_nanos));
        let mut progress = Progress::default();
        let echoed = {
            let mut refusal = pin!(refusal(&socket));
            cells
                .guard(poll_fn(|cx| {
                    match poll_echo(cx, &socket, &mut arrivals, worker, &mut progress, &self.datagram) {
                        Poll::Pending => refusal.as_mut().poll(cx).map(|error| Err(class(&error))),
                        ready => ready,
                    }
                }))
                .await
        };
        let age = arrivals.age();
        let known = worker.now();
        course.end(known);
        let end = match echoed {
            Ok(Ok(())) => {
                course.done = not_before(sent_at, worker.came(age, known), known);
                End::Echoed
            }
            Ok(Err(class)) => End::Failed(class),
            Err(Interrupt::TimeOver) => End::Failed(ErrorClass::ResponseTimeout),
            Err(Interrupt::Cancelled) => End::Cancelled,
        };
        self.socket = Some((socket, arrivals));
        course.trace.first_byte = (progress.received > 0).then_some(course.done);
        course.sent_bytes += progress.sent;
        course.received_bytes += progress.received;
        end
    }
}

/// How far one echo is.
#[derive(Debug, Default)]
struct Progress {
    /// In bytes.
    sent: u64,
    received: u64,
    /// Whether it could not be sent at first.
    has_failed: bool,
}

/// What the other host says of what was sent, when nobody listens there: Linux tells it apart from what can be read.
#[cfg(target_os = "linux")]
async fn refusal(socket: &UdpSocket) -> io::Error {
    loop {
        let is_told = socket.ready(Interest::ERROR).await.is_ok();
        if let Ok(Some(error)) = socket.take_error() {
            return error;
        }
        if !is_told {
            return std::future::pending().await;
        }
        // Somebody else was told: another may come.
        let _ = socket.try_io(Interest::ERROR, || Err::<(), _>(io::ErrorKind::WouldBlock.into()));
    }
}

/// Elsewhere whoever reads is told.
#[cfg(not(target_os = "linux"))]
fn refusal(_socket: &UdpSocket) -> std::future::Pending<io::Error> {
    std::future::pending()
}

async fn open(worker: &Worker) -> Result<(UdpSocket, u16), ErrorClass> {
    let (to, address) = worker.connectors[0].next_address().await?;
    let socket = bound(to).await.map_err(|_| ErrorClass::ConnectRefused)?;
    Ok((socket, address))
}

async fn bound(to: SocketAddr) -> io::Result<UdpSocket> {
    let any = match to {
        SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    // From then on the system drops what others send, and tells of a closed port.
    socket.connect(to).await?;
    Ok(socket)
}

fn poll_echo(
    cx: &mut Context<'_>,
    socket: &UdpSocket,
    arrivals: &mut Arrivals,
    worker: &Worker,
    progress: &mut Progress,
    datagram: &[u8],
) -> Poll<Result<(), ErrorClass>> {
    while progress.sent == 0 {
        match socket.poll_send(cx, datagram) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(sent)) => progress.sent = sent as u64,
            // What came back for an earlier one, too late; nothing was sent.
            Poll::Ready(Err(_)) if !std::mem::replace(&mut progress.has_failed, true) => {}
            Poll::Ready(Err(error)) => return Poll::Ready(Err(class(&error))),
        }
    }
    let mut scratch = worker.scratch.borrow_mut();
    loop {
        let mut buffer = ReadBuf::new(&mut scratch);
        match arrivals.poll_recv(socket, cx, &mut buffer) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(class(&error))),
            Poll::Ready(Ok(())) => {}
        }
        let bytes = buffer.filled();
        progress.received += bytes.len() as u64;
        if bytes == datagram {
            return Poll::Ready(Ok(()));
        }
        // The answer to another one: too late, or a second time.
        if bytes.len() >= NUMBER_BYTES && bytes[..NUMBER_BYTES] != datagram[..NUMBER_BYTES] {
            continue;
        }
        return Poll::Ready(Err(ErrorClass::Protocol));
    }
}

fn class(error: &io::Error) -> ErrorClass {
    match error.kind() {
        // What the other host said when nobody listens on the port.
        io::ErrorKind::ConnectionRefused => ErrorClass::ConnectRefused,
        io::ErrorKind::TimedOut => ErrorClass::ResponseTimeout,
        _ => ErrorClass::Reset,
    }
}
