//! HTTP/2 and gRPC: the slots of a worker share connections, a stream for each request.

pub(super) mod head;
mod link;

use std::rc::Rc;
use std::task::Context;

use bytes::Bytes;
use h2::RecvStream;
use h2::client::SendRequest;

pub(super) use head::Prebuilt;
use link::{Line, Verdict};
pub(super) use link::{Link, settings};

use super::grpc;
use super::slot::{Cells, Interrupt, Job};
use super::tally::{End, Outcome, Sent, Trace};
use super::worker::Worker;
use crate::model::run::ErrorClass;

/// How often a request is sent again that the target says it did not touch (GOAWAY).
const UNTOUCHED_MAX: u32 = 8;
/// How often a request waits for a connection that is over before it could be used.
const OVER_MAX: u32 = 1000;
/// How often a request is sent again that the target refused, or whose connection had gone stale.
const REFUSED_MAX: u32 = 1;

/// A slot's share of connections.
pub(super) struct Lane {
    /// One to each of the plan's origins.
    kept: Box<[Kept]>,
}

/// A slot's share of a connection to an origin.
struct Kept {
    /// Which of the worker's connections.
    link: usize,
    hold: Option<Hold>,
}

/// A slot's own way onto an open connection.
struct Hold {
    line: Rc<Line>,
    sender: SendRequest<Bytes>,
}

/// How often a request was sent in vain.
#[derive(Default)]
struct Tries {
    untouched: u32,
    refused: u32,
}

/// Why there is no whole answer.
struct Broken {
    verdict: Verdict,
    is_sent: bool,
}

impl Lane {
    pub(super) fn new(slot: usize, worker: &Worker) -> Self {
        let connections = worker.links_per_origin();
        // Slots next to each other are on different connections: those idle for longest are used first.
        let kept = |origin| Kept { link: origin * connections + slot % connections, hold: None };
        Self { kept: (0..worker.connectors.len()).map(kept).collect() }
    }
}

impl Kept {
    /// An open connection with room for one more stream.
    async fn take_hold(
        &mut self,
        worker: &Rc<Worker>,
        cells: &Cells,
        job: Job,
        sent_at: &mut u64,
        trace: &mut Trace,
    ) -> Result<Hold, End> {
        let mut has_waited = false;
        loop {
            let hold = match self.hold.take().filter(|hold| !hold.line.is_over()) {
                Some(hold) => hold,
                None => {
                    let hold = self.connect(worker, cells, *sent_at, trace).await?;
                    *sent_at = worker.now();
                    hold
                }
            };
            if hold.line.has_room(&hold.sender) {
                return Ok(hold);
            }
            if !has_waited {
                has_waited = true;
                worker.note_waited(job.due);
            }
            cells.arm(job.due.at.saturating_add(worker.timeout_nanos));
            match cells.guard(hold.line.room(worker, &hold.sender)).await {
                Ok(()) => {}
                Err(Interrupt::TimeOver) => return Err(End::Failed(ErrorClass::Overflow)),
                Err(Interrupt::Cancelled) => return Err(End::Cancelled),
            }
            *sent_at = worker.now();
            self.hold = Some(hold);
        }
    }

    async fn connect(
        &self,
        worker: &Rc<Worker>,
        cells: &Cells,
        now: u64,
        trace: &mut Trace,
    ) -> Result<Hold, End> {
        cells.arm(now.saturating_add(worker.timeout_nanos));
        for _ in 0..OVER_MAX {
            let line = match cells.guard(worker.links[self.link].line(worker, self.link)).await {
                Ok(line) => line.map_err(End::Failed)?,
                Err(Interrupt::TimeOver) => return Err(End::Failed(ErrorClass::ConnectTimeout)),
                Err(Interrupt::Cancelled) => return Err(End::Cancelled),
            };
            // Others who waited for it may have used it up.
            let Some(sender) = line.sender() else { continue };
            // Of those that waited for it, one says how long it took.
            trace.opening = line.opening.take();
            return Ok(Hold { sender, line });
        }
        Err(End::Failed(ErrorClass::ClosedEarly))
    }

    /// Sends the request once. The connection is kept for the next, unless it is of no more use.
    async fn attempt(
        &mut self,
        worker: &Worker,
        cells: &Cells,
        mut hold: Hold,
        request: &Prebuilt,
        trace: &mut Trace,
    ) -> Result<End, Broken> {
        trace.first_byte = None;
        let mut is_sent = false;
        hold.line.begin();
        if hold.line.uses_up() {
            worker.links[self.link].retire(&hold.line);
        }
        let exchange = exchange(worker, &mut hold.sender, request, &mut is_sent, &mut trace.first_byte);
        let exchanged = cells.guard(exchange).await;
        hold.line.end();
        match exchanged {
            Ok(Ok(end)) => {
                hold.line.note_answered();
                self.hold = Some(hold);
                Ok(end)
            }
            Ok(Err(error)) => {
                let verdict = hold.line.judge(&error, trace.first_byte.is_some());
                if !error.is_reset() {
                    worker.links[self.link].retire(&hold.line);
                }
                Err(Broken { verdict, is_sent })
            }
            // What was begun is dropped, and so reset; the connection goes on. The slot's way onto it is made
            // anew: a stream that was not opened yet would stand in the way of its next.
            Err(Interrupt::TimeOver) => Ok(End::Failed(ErrorClass::ResponseTimeout)),
            Err(Interrupt::Cancelled) => Ok(End::Cancelled),
        }
    }
}

impl super::lane::Lane for Lane {
    async fn open_ahead(&mut self, worker: &Rc<Worker>, cells: &Cells) {
        cells.arm(worker.now() + worker.connect_ahead_nanos);
        for kept in &mut self.kept {
            let line = cells.guard(worker.links[kept.link].line(worker, kept.link)).await;
            if let Ok(Ok(line)) = line {
                kept.hold = line.sender().map(|sender| Hold { sender, line });
            }
        }
        cells.disarm();
    }

    async fn carry_out(&mut self, worker: &Rc<Worker>, cells: &Cells, job: Job) -> Outcome {
        let variant = worker.source.variant(job.variant);
        let kept = &mut self.kept[usize::from(variant.origin)];
        let connection = u32::try_from(kept.link).unwrap_or(u32::MAX);
        let mut trace = Trace { variant: job.variant, connection: Some(connection), ..Trace::default() };
        let filled;
        let request = if variant.is_fixed {
            variant.http2()
        } else {
            let Ok(request) = variant.fill_http2(&mut worker.draw()) else {
                return Outcome { trace, ..Outcome::unsent(End::Failed(ErrorClass::Protocol), worker.now()) };
            };
            filled = request;
            &filled
        };
        let mut sent_at = job.begun;
        let mut tries = Tries::default();
        loop {
            let hold = match kept.take_hold(worker, cells, job, &mut sent_at, &mut trace).await {
                Ok(hold) => hold,
                Err(end) => return Outcome { trace, ..Outcome::unsent(end, worker.now()) },
            };
            let line = Rc::clone(&hold.line);
            trace.address = Some(line.address);
            cells.arm(sent_at.saturating_add(worker.timeout_nanos));
            let attempt = kept.attempt(worker, cells, hold, request, &mut trace).await;
            let done = worker.now();
            let end = match attempt {
                Ok(end) => end,
                Err(broken) if tries.allow(broken.verdict) => {
                    sent_at = done;
                    continue;
                }
                Err(Broken { verdict, is_sent: false }) => {
                    return Outcome { trace, ..Outcome::unsent(End::Failed(verdict.class()), done) };
                }
                Err(broken) => End::Failed(broken.verdict.class()),
            };
            let sent = Some(Sent { at: sent_at, lag: job.lag, bytes: line.traffic.take_sent() });
            return Outcome { end, done, sent, received_bytes: line.traffic.take_received(), trace };
        }
    }

    // Each connection has a task that watches it.
    fn watch_idle(&mut self, _worker: &Worker, _cx: &mut Context<'_>) {}
}

impl Tries {
    /// Whether the request is sent again.
    fn allow(&mut self, verdict: Verdict) -> bool {
        match verdict {
            Verdict::Untouched(_) => {
                self.untouched += 1;
                self.untouched <= UNTOUCHED_MAX
            }
            Verdict::Refused(_) => {
                self.refused += 1;
                self.refused <= REFUSED_MAX
            }
            Verdict::Failed(_) => false,
        }
    }
}

/// Sends a request and reads its answer to the end.
async fn exchange(
    worker: &Worker,
    sender: &mut SendRequest<Bytes>,
    request: &Prebuilt,
    is_sent: &mut bool,
    first_byte: &mut Option<u64>,
) -> Result<End, h2::Error> {
    let (answer, mut stream) = sender.send_request(request.head.clone(), request.body.is_none())?;
    *is_sent = true;
    if let Some(body) = &request.body {
        // Not copied: the library sends pieces of it as the target gives room for them.
        stream.send_data(body.clone(), true)?;
    }
    let (head, mut body) = answer.await?.into_parts();
    *first_byte = Some(worker.now());
    if request.is_grpc {
        return grpc::answer(&head, body, || *first_byte = Some(worker.now())).await;
    }
    while let Some(data) = next(&mut body).await {
        data?;
    }
    Ok(End::Status(head.status.as_u16()))
}

/// The next piece of a body, for which the target is given room again.
pub(super) async fn next(body: &mut RecvStream) -> Option<Result<Bytes, h2::Error>> {
    let data = body.data().await?;
    Some(data.and_then(|data| body.flow_control().release_capacity(data.len()).map(|()| data)))
}
