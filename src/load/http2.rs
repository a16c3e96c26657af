//! HTTP/2 and gRPC: the slots of a worker share connections, a stream for each request.

pub(super) mod conn;
mod frame;
pub(super) mod head;
mod hpack;
mod link;

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

pub(super) use conn::{Answer, Conn, Verdict};
pub(super) use head::{Draft, Prebuilt};
use link::Line;
pub(super) use link::Link;

use jiff::Timestamp;

use super::arrival::not_before;
use super::cookies::Jar;
use super::course::Course;
use super::grpc;
use super::redirect::Asked;
use super::request::{Pen, Turn};
use super::slot::{Cells, Interrupt, Job};
use super::source::Prepared;
use super::tally::{End, Outcome, Trace};
use super::template::Draw;
use super::worker::Worker;
use crate::model::run::ErrorClass;

/// How often a request is sent again that the target says it did not touch (GOAWAY).
const UNTOUCHED_MAX: u32 = 8;
/// How often a request waits for a connection that is over before it could be used.
const OVER_MAX: u32 = 1000;
/// How often a request is sent again that the target refused, or whose connection was over before it came there.
const REFUSED_MAX: u32 = 1;

/// A slot's share of connections.
pub(super) struct Lane {
    /// One to each of the plan's origins.
    kept: Box<[Kept]>,
    pen: Pen,
}

/// A slot's share of a connection to an origin.
struct Kept {
    /// Which of the worker's connections.
    link: usize,
    /// Which of those that share it.
    seat: usize,
    line: Option<Rc<Line>>,
    jar: Jar,
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
        let kept = |origin| Kept {
            link: origin * connections + slot % connections,
            seat: slot / connections,
            line: None,
            jar: Jar::default(),
        };
        Self { kept: (0..worker.connectors.len()).map(kept).collect(), pen: Pen::default() }
    }

    /// Fills the request in, sends it, and follows where it is redirected to.
    async fn send_filled(
        &mut self,
        worker: &Rc<Worker>,
        cells: &Cells,
        job: Job,
        variant: &Prepared,
        pen: &mut Pen,
        course: &mut Course,
    ) -> End {
        let kept = &mut self.kept[usize::from(variant.origin)];
        let is_kept = worker.source.session.is_kept();
        let draw = if variant.is_fixed { Draw::nothing() } else { worker.draw() };
        loop {
            let cookies = (!kept.jar.is_empty()).then(|| (&kept.jar, Timestamp::now()));
            let turn = Turn { hop: course.hop.as_ref(), kept: cookies };
            // What is filled in is the same for every redirect of a request.
            let Ok(mut request) = variant.fill_http2(&mut draw.clone(), turn, pen) else {
                course.end(worker.now());
                return End::Failed(ErrorClass::Protocol);
            };
            request.is_followed = is_kept;
            let asked = is_kept.then(|| Asked {
                origin: &worker.source.origins()[usize::from(variant.origin)],
                method: &variant.form.method,
                target: pen.target(),
                as_get: course.hop.as_ref().is_some_and(|hop| hop.as_get),
            });
            let redirects = course.redirects;
            let end = kept.send(worker, cells, job, &request, asked, course).await;
            if course.redirects == redirects {
                return end;
            }
        }
    }
}

impl Kept {
    /// An open connection with room for one more stream.
    async fn take_line(
        &mut self,
        worker: &Rc<Worker>,
        cells: &Cells,
        job: Job,
        sent_at: &mut u64,
        course: &mut Course,
    ) -> Result<Rc<Line>, End> {
        let mut has_waited = job.has_waited;
        loop {
            let line = match self.line.take().filter(|line| !line.is_over()) {
                Some(line) => line,
                None => {
                    let line = self.connect(worker, cells, *sent_at, course).await?;
                    *sent_at = worker.now();
                    line
                }
            };
            if line.has_room() {
                return Ok(line);
            }
            if !has_waited && course.redirects == 0 {
                has_waited = true;
                worker.note_waited(job.due);
            }
            cells.arm(course.deadline_or(job.due.at.saturating_add(worker.timeout_nanos)));
            let room = cells.guard(line.room(worker)).await;
            if room == Err(Interrupt::TimeOver) && line.is_silent_since(*sent_at) {
                // What was sent last fills all buffers on the way to somebody who is gone.
                worker.links[self.link].retire(&line);
            }
            match room {
                Ok(()) => {}
                Err(Interrupt::TimeOver) => return Err(course.too_late(ErrorClass::Overflow)),
                Err(Interrupt::Cancelled) => return Err(End::Cancelled),
            }
            *sent_at = worker.now();
            self.line = Some(line);
        }
    }

    async fn connect(
        &self,
        worker: &Rc<Worker>,
        cells: &Cells,
        now: u64,
        course: &mut Course,
    ) -> Result<Rc<Line>, End> {
        cells.arm(course.deadline_or(now.saturating_add(worker.timeout_nanos)));
        for _ in 0..OVER_MAX {
            let line = match cells.guard(worker.links[self.link].line(worker, self.link)).await {
                Ok(line) => line.map_err(End::Failed)?,
                Err(Interrupt::TimeOver) => return Err(course.too_late(ErrorClass::ConnectTimeout)),
                Err(Interrupt::Cancelled) => return Err(End::Cancelled),
            };
            // Others who waited for it may have used it up.
            if line.is_over() {
                continue;
            }
            // Of those that waited for it, one says how long it took.
            course.trace.opening = line.opening.take().or(course.trace.opening);
            return Ok(line);
        }
        Err(End::Failed(ErrorClass::ClosedEarly))
    }

    /// Sends the request, again where that is allowed, and tells how it ended; and where it is `asked`, whether what it
    /// redirects to is sent next.
    async fn send(
        &mut self,
        worker: &Rc<Worker>,
        cells: &Cells,
        job: Job,
        request: &Prebuilt,
        asked: Option<Asked<'_>>,
        course: &mut Course,
    ) -> End {
        let mut sent_at = course.begun;
        let mut tries = Tries::default();
        loop {
            let line = match self.take_line(worker, cells, job, &mut sent_at, course).await {
                Ok(line) => line,
                Err(end) => {
                    course.end(worker.now());
                    return end;
                }
            };
            course.trace.address = Some(line.address);
            cells.arm(course.begin(sent_at, worker.timeout_nanos));
            let sent_first = course.sent.map_or(sent_at, |(at, _)| at);
            let attempt =
                self.attempt(worker, cells, Rc::clone(&line), request, sent_first, &mut course.trace).await;
            course.end(worker.now());
            let may_repeat = || request.is_idempotent && line.crossing.covers(sent_at, course.known);
            let end = match attempt {
                Ok((end, came)) => {
                    let known = course.known;
                    course.done = came.map_or(known, |came| not_before(sent_at, came, known));
                    let first_byte = &mut course.trace.first_byte;
                    *first_byte = first_byte.map(|at| at.clamp(sent_at, course.done));
                    end
                }
                Err(Broken { verdict, is_sent }) if tries.allow(verdict, may_repeat) => {
                    if is_sent {
                        course.send_again(line.take_sent());
                    } else {
                        course.take_back();
                    }
                    sent_at = course.known;
                    continue;
                }
                Err(Broken { verdict, is_sent }) => {
                    if !is_sent {
                        course.take_back();
                    }
                    End::Failed(verdict.class())
                }
            };
            if course.sent.is_some() {
                course.sent_bytes += line.take_sent();
                course.received_bytes += line.take_received();
            }
            if let (Some(asked), End::Status(status)) = (asked, end)
                && let Some(captured) = line.conn.borrow_mut().take_captured(self.seat)
            {
                course.is_followed(worker.source.session, &mut self.jar, asked, &captured, status);
            }
            return end;
        }
    }

    /// Sends the request once. The connection is kept for the next, unless it is of no more use.
    async fn attempt(
        &mut self,
        worker: &Worker,
        cells: &Cells,
        line: Rc<Line>,
        request: &Prebuilt,
        sent_first: u64,
        trace: &mut Trace,
    ) -> Result<(End, Option<u64>), Broken> {
        trace.first_byte = None;
        let mut is_sent = false;
        line.begin();
        if line.uses_up() {
            worker.links[self.link].retire(&line);
        }
        let exchanged = cells.guard(self.exchange(worker, &line, request, &mut is_sent, trace)).await;
        line.end();
        let end = match exchanged {
            Ok(Ok((end, came))) => Ok((end, Some(came))),
            Ok(Err(verdict)) => Err(Broken { verdict, is_sent }),
            Err(interrupt) => {
                // What was begun is reset. The connection goes on, unless nobody seems to be at its other end.
                trace.first_byte = line.conn.borrow_mut().give_up(self.seat);
                line.wake_driver();
                if interrupt == Interrupt::TimeOver && line.is_silent_since(sent_first) {
                    worker.links[self.link].retire(&line);
                }
                let end = match interrupt {
                    Interrupt::TimeOver => End::Failed(ErrorClass::ResponseTimeout),
                    Interrupt::Cancelled => End::Cancelled,
                };
                Ok((end, None))
            }
        };
        if line.is_over() {
            worker.links[self.link].retire(&line);
        } else {
            self.line = Some(line);
        }
        end
    }

    /// Sends a request and reads its answer to the end; when that came.
    async fn exchange(
        &self,
        worker: &Worker,
        line: &Line,
        request: &Prebuilt,
        is_sent: &mut bool,
        trace: &mut Trace,
    ) -> Result<(End, u64), Verdict> {
        let mut body_sent = 0;
        poll_fn(|cx| {
            if !*is_sent {
                let waker = line.is_shared.then(|| cx.waker());
                if !line.conn.borrow_mut().begin(self.seat, request, waker, 0) {
                    return Poll::Ready(Err(Verdict::Untouched(ErrorClass::ClosedEarly)));
                }
                *is_sent = true;
            }
            loop {
                if body_sent < request.body.len() {
                    body_sent += line.conn.borrow_mut().send_body(self.seat, &request.body, body_sent);
                }
                if line.is_shared {
                    if !line.conn.borrow().unsent().is_empty() {
                        line.wake_driver();
                    }
                } else {
                    line.flush(cx);
                    line.read(worker, cx);
                }
                if let Some((ended, answer)) = line.conn.borrow_mut().ended(self.seat) {
                    trace.first_byte = answer.first_byte();
                    return Poll::Ready(ended.map(|()| (end(request, answer), answer.last_byte())));
                }
                if !line.is_shared {
                    line.drive(worker, cx);
                }
                if !line.conn.borrow().can_send(self.seat) && !line.conn.borrow().has_ended(self.seat) {
                    return Poll::Pending;
                }
            }
        })
        .await
    }
}

/// What a whole answer means.
fn end(request: &Prebuilt, answer: &Answer) -> End {
    if request.is_grpc { grpc::end(answer) } else { End::Status(answer.status) }
}

impl super::lane::Lane for Lane {
    async fn open_ahead(&mut self, worker: &Rc<Worker>, cells: &Cells) {
        cells.arm(worker.now() + worker.connect_ahead_nanos);
        for kept in &mut self.kept {
            let line = cells.guard(worker.links[kept.link].line(worker, kept.link)).await;
            if let Ok(Ok(line)) = line {
                kept.line = Some(line);
            }
        }
        cells.disarm();
    }

    async fn carry_out(&mut self, worker: &Rc<Worker>, cells: &Cells, job: Job) -> Outcome {
        let variant = worker.source.variant(job.variant);
        let kept = &mut self.kept[usize::from(variant.origin)];
        let connection = u32::try_from(kept.link).unwrap_or(u32::MAX);
        let trace = Trace { variant: job.variant, connection: Some(connection), ..Trace::default() };
        let mut course = Course::new(job.begun, trace);
        let end = if variant.is_fixed && !worker.source.session.is_kept() {
            kept.send(worker, cells, job, variant.http2(), None, &mut course).await
        } else {
            let mut pen = std::mem::take(&mut self.pen);
            // Elsewhere, so that the future of the common case stays small.
            let end = Box::pin(self.send_filled(worker, cells, job, variant, &mut pen, &mut course)).await;
            self.pen = pen;
            end
        };
        course.outcome(end, job.lag)
    }

    fn watch_idle(&mut self, worker: &Worker, cx: &mut Context<'_>) {
        for kept in &mut self.kept {
            // One that is shared has a task that watches it.
            if let Some(line) = kept.line.take_if(|line| !line.is_shared && is_dead(line, worker, cx)) {
                worker.links[kept.link].retire(&line);
            }
        }
    }
}

/// Takes in what comes unasked; whether the connection is of no more use.
fn is_dead(line: &Line, worker: &Worker, cx: &mut Context<'_>) -> bool {
    line.drive(worker, cx);
    line.is_over()
}

impl Tries {
    /// Whether the request is sent again; `may_repeat` tells whether one may be whose connection was lost.
    fn allow(&mut self, verdict: Verdict, may_repeat: impl FnOnce() -> bool) -> bool {
        match verdict {
            Verdict::Untouched(_) => {
                self.untouched += 1;
                self.untouched <= UNTOUCHED_MAX
            }
            Verdict::Lost(_) if !may_repeat() => false,
            Verdict::Refused(_) | Verdict::Lost(_) => {
                self.refused += 1;
                self.refused <= REFUSED_MAX
            }
            Verdict::Failed(_) => false,
        }
    }
}
