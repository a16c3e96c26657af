//! HTTP/1.1: each slot has a connection of its own.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Context;

use jiff::Timestamp;

use super::arrival::not_before;
use super::cookies::Jar;
use super::course::Course;
use super::exchange::{Broken, Line, Progress, Reply};
use super::redirect::Asked;
use super::request::{Pen, Turn};
use super::slot::{Cells, Interrupt, Job};
use super::source::Prepared;
use super::tally::{End, Opening, Outcome, Trace};
use super::template::Draw;
use super::worker::Worker;
use crate::model::run::ErrorClass;

/// A slot's connections, of which one is in use at a time: one to each of the plan's origins.
pub(super) struct Lane {
    kept: Box<[Kept]>,
    pen: Pen,
}

/// A slot's connection to an origin, once it is open, and what it remembers of answers.
struct Kept {
    /// Which of the worker's connections.
    number: u32,
    line: Option<Box<Line>>,
    /// Where it leads to.
    address: u16,
    /// Requests that it may still carry.
    left: u64,
    jar: Jar,
}

impl Lane {
    pub(super) fn new(slot: usize, worker: &Worker) -> Self {
        let kept = |origin| Kept::new(origin * worker.slots.len() + slot);
        Self { kept: (0..worker.connectors.len()).map(kept).collect(), pen: Pen::default() }
    }

    /// Fills the request in, sends it, and follows where it is redirected to.
    async fn send_filled(
        &mut self,
        worker: &Worker,
        cells: &Cells,
        request: &Prepared,
        pen: &mut Pen,
        course: &mut Course,
    ) -> End {
        let at = usize::from(request.origin);
        let draw = if request.is_fixed { Draw::nothing() } else { worker.draw() };
        loop {
            let jar = &self.kept[at].jar;
            let kept = (!jar.is_empty()).then(|| (jar, Timestamp::now()));
            // What is filled in is the same for every redirect of a request.
            request.form.write(&mut draw.clone(), Turn { hop: course.hop.as_ref(), kept }, pen);
            let asked = Asked {
                origin: &worker.source.origins()[at],
                method: &request.form.method,
                target: pen.target(),
                as_get: course.hop.as_ref().is_some_and(|hop| hop.as_get),
            };
            match self.kept[at].send(worker, cells, request, &pen.bytes, Some(asked), course).await {
                Ok((_, true)) => {}
                Ok((status, false)) => return End::Status(status),
                Err(end) => return end,
            }
        }
    }
}

impl Kept {
    fn new(number: usize) -> Self {
        Self {
            number: u32::try_from(number).unwrap_or(u32::MAX),
            line: None,
            address: 0,
            left: 0,
            jar: Jar::default(),
        }
    }

    /// One request and its answer's status, and whether it redirects to what is sent next if it is `asked`. Sent again
    /// where the connection may have been closed before the target knew of it.
    async fn send(
        &mut self,
        worker: &Worker,
        cells: &Cells,
        request: &Prepared,
        bytes: &[u8],
        asked: Option<Asked<'_>>,
        course: &mut Course,
    ) -> Result<(u16, bool), End> {
        let mut sent_at = course.begun;
        loop {
            let mut line = match self.line.take() {
                Some(line) => line,
                None => {
                    let (line, opening) =
                        self.connect(worker, cells, request.origin, sent_at, course).await?;
                    course.trace.opening = Some(opening);
                    sent_at = worker.now();
                    line
                }
            };
            course.trace.address = Some(self.address);
            cells.arm(course.begin(sent_at, worker.timeout_nanos));
            line.expect(request.is_head);
            let mut progress = Progress::default();
            let exchanged =
                cells.guard(poll_fn(|cx| line.poll_exchange(cx, worker, &mut progress, bytes))).await;
            let age = line.age();
            let known = worker.now();
            course.end(known);
            let end = match exchanged {
                Ok(Ok(Reply { status, reusable })) => {
                    course.done = not_before(sent_at, worker.came(age, known), known);
                    let session = worker.source.session;
                    let is_followed = asked.zip(line.captured()).is_some_and(|(asked, captured)| {
                        course.is_followed(session, &mut self.jar, asked, captured, status)
                    });
                    self.left = self.left.saturating_sub(1);
                    self.line = (reusable && self.left > 0).then_some(line);
                    Ok((status, is_followed))
                }
                // The connection is new then, and cannot be stale.
                Ok(Err(Broken::Stale(_)))
                    if request.is_idempotent && line.crossing.covers(sent_at, known) =>
                {
                    course.send_again(progress.written as u64);
                    sent_at = known;
                    continue;
                }
                Ok(Err(Broken::Stale(class) | Broken::Failed(class))) => Err(End::Failed(class)),
                Err(Interrupt::TimeOver) => Err(End::Failed(ErrorClass::ResponseTimeout)),
                Err(Interrupt::Cancelled) => Err(End::Cancelled),
            };
            if progress.received > 0 {
                // Often all comes at once: then there is one moment, and one look at the clock.
                let first_byte = progress.first_byte.map_or(course.done, |at| at.clamp(sent_at, course.done));
                course.trace.first_byte = Some(first_byte);
            }
            course.sent_bytes += progress.written as u64;
            course.received_bytes += progress.received;
            return end;
        }
    }

    async fn connect(
        &mut self,
        worker: &Worker,
        cells: &Cells,
        origin: u16,
        now: u64,
        course: &mut Course,
    ) -> Result<(Box<Line>, Opening), End> {
        cells.arm(course.deadline_or(now.saturating_add(worker.timeout_nanos)));
        let connector = &worker.connectors[usize::from(origin)];
        let connected = cells.guard(connector.connect()).await;
        course.end(worker.now());
        let connected = match connected {
            Ok(connected) => connected.map_err(End::Failed)?,
            Err(Interrupt::TimeOver) => return Err(course.too_late(ErrorClass::ConnectTimeout)),
            Err(Interrupt::Cancelled) => return Err(End::Cancelled),
        };
        worker.note_opened();
        self.address = connected.address;
        self.left = connector.lifetime();
        let opening = connected.opening;
        Ok((Box::new(Line::new(connected, worker.source.session)), opening))
    }
}

impl super::lane::Lane for Lane {
    async fn open_ahead(&mut self, worker: &Rc<Worker>, cells: &Cells) {
        cells.arm(worker.now() + worker.connect_ahead_nanos);
        for (kept, connector) in self.kept.iter_mut().zip(&worker.connectors) {
            let connected = cells
                .guard(async {
                    let _turn = worker.connecting.acquire().await;
                    connector.connect().await
                })
                .await;
            if let Ok(Ok(connected)) = connected {
                worker.note_opened();
                worker.note_opening(kept.number, &connected.opening);
                kept.address = connected.address;
                kept.left = connector.lifetime();
                kept.line = Some(Box::new(Line::new(connected, worker.source.session)));
            }
        }
        cells.disarm();
    }

    fn watch_idle(&mut self, worker: &Worker, cx: &mut Context<'_>) {
        for kept in &mut self.kept {
            let line = kept.line.as_mut();
            if line.is_some_and(|line| line.poll_dead(cx, &mut worker.scratch.borrow_mut()).is_ready()) {
                kept.line = None;
            }
        }
    }

    async fn carry_out(&mut self, worker: &Rc<Worker>, cells: &Cells, job: Job) -> Outcome {
        let request = worker.source.variant(job.variant);
        let kept = &mut self.kept[usize::from(request.origin)];
        let trace = Trace { variant: job.variant, connection: Some(kept.number), ..Trace::default() };
        let mut course = Course::new(job.begun, trace);
        let end = if request.is_fixed && !worker.source.session.is_kept() {
            let sent = kept.send(worker, cells, request, &request.bytes, None, &mut course).await;
            sent.map_or_else(|end| end, |(status, _)| End::Status(status))
        } else {
            let mut pen = std::mem::take(&mut self.pen);
            // Elsewhere, so that the future of the common case stays small.
            let end = Box::pin(self.send_filled(worker, cells, request, &mut pen, &mut course)).await;
            self.pen = pen;
            end
        };
        course.outcome(end, job.lag)
    }
}
