//! Echo over TCP: what is sent comes back, byte for byte.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::ReadBuf;

use super::arrival::not_before;
use super::connection::{Connected, Crossing, Stream, exchange_class};
use super::course::Course;
use super::slot::{Cells, Interrupt, Job};
use super::tally::{End, Outcome, Trace};
use super::worker::Worker;
use crate::model::run::ErrorClass;

/// A slot's connection, once it is open.
pub(super) struct Lane {
    number: u32,
    line: Option<Line>,
    /// Where it leads to.
    address: u16,
    payload: Vec<u8>,
}

struct Line {
    stream: Stream,
    /// Echoes that came over it.
    echoes: u64,
    /// After so many it is closed.
    echoes_max: u64,
    crossing: Crossing,
}

/// How far one echo is.
#[derive(Debug, Default)]
struct Progress {
    written: usize,
    /// Bytes that came back, each compared.
    returned: usize,
    /// When the first of them came, on the run's clock.
    first_byte: Option<u64>,
}

impl Lane {
    pub(super) fn new(number: usize) -> Self {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        Self { number, line: None, address: 0, payload: Vec::new() }
    }

    fn line(&mut self, worker: &Worker, connected: Connected) -> Line {
        worker.note_opened();
        self.address = connected.address;
        let crossing = connected.crossing();
        let echoes_max = worker.connectors[0].lifetime();
        Line { stream: connected.stream, echoes: 0, echoes_max, crossing }
    }

    async fn echo(&mut self, worker: &Worker, cells: &Cells, payload: &[u8], course: &mut Course) -> End {
        let mut sent_at = course.begun;
        loop {
            let mut line = match self.line.take() {
                Some(line) => line,
                None => match self.connect(worker, cells, sent_at, course).await {
                    Ok(line) => {
                        sent_at = worker.now();
                        line
                    }
                    Err(end) => {
                        course.end(worker.now());
                        return end;
                    }
                },
            };
            course.trace.address = Some(self.address);
            cells.arm(course.begin(sent_at, worker.timeout_nanos));
            let mut progress = Progress::default();
            let echoed = cells.guard(poll_fn(|cx| line.poll_echo(cx, worker, &mut progress, payload))).await;
            let age = line.stream.age();
            let known = worker.now();
            course.end(known);
            let is_stale = line.echoes > 0 && progress.returned == 0;
            let end = match echoed {
                Ok(Ok(())) => {
                    course.done = not_before(sent_at, worker.came(age, known), known);
                    line.echoes += 1;
                    self.line = (line.echoes < line.echoes_max).then_some(line);
                    End::Echoed
                }
                // Closed while it was kept, before the target knew of this: an echo may be asked for twice.
                Ok(Err(_)) if is_stale && line.crossing.covers(sent_at, known) => {
                    course.send_again(progress.written as u64);
                    sent_at = known;
                    continue;
                }
                Ok(Err(class)) => End::Failed(class),
                Err(Interrupt::TimeOver) => End::Failed(ErrorClass::ResponseTimeout),
                Err(Interrupt::Cancelled) => End::Cancelled,
            };
            course.trace.first_byte = progress.first_byte.map(|at| at.clamp(sent_at, course.done));
            course.sent_bytes += progress.written as u64;
            course.received_bytes += progress.returned as u64;
            return end;
        }
    }

    async fn connect(
        &mut self,
        worker: &Worker,
        cells: &Cells,
        now: u64,
        course: &mut Course,
    ) -> Result<Line, End> {
        cells.arm(course.deadline_or(now.saturating_add(worker.timeout_nanos)));
        let connected = match cells.guard(worker.connectors[0].connect()).await {
            Ok(connected) => connected.map_err(End::Failed)?,
            Err(Interrupt::TimeOver) => return Err(course.too_late(ErrorClass::ConnectTimeout)),
            Err(Interrupt::Cancelled) => return Err(End::Cancelled),
        };
        course.trace.opening = Some(connected.opening);
        Ok(self.line(worker, connected))
    }
}

impl super::lane::Lane for Lane {
    async fn open_ahead(&mut self, worker: &Rc<Worker>, cells: &Cells) {
        cells.arm(worker.now() + worker.connect_ahead_nanos);
        let connected = cells
            .guard(async {
                let _turn = worker.connecting.acquire().await;
                worker.connectors[0].connect().await
            })
            .await;
        cells.disarm();
        if let Ok(Ok(connected)) = connected {
            self.line = Some(self.line(worker, connected));
        }
    }

    fn watch_idle(&mut self, worker: &Worker, cx: &mut Context<'_>) {
        let mut scratch = worker.scratch.borrow_mut();
        let over = |line: &mut Line| line.stream.poll_read(cx, &mut ReadBuf::new(&mut scratch)).is_ready();
        if self.line.as_mut().is_some_and(over) {
            self.line = None;
        }
    }

    async fn carry_out(&mut self, worker: &Rc<Worker>, cells: &Cells, job: Job) -> Outcome {
        let request = worker.source.variant(job.variant);
        let mut payload = std::mem::take(&mut self.payload);
        payload.clear();
        if !request.is_fixed {
            request.form.body.fill(&mut worker.draw(), &mut payload);
        }
        let bytes = if request.is_fixed { &request.bytes[..] } else { &payload };
        let trace = Trace { variant: job.variant, connection: Some(self.number), ..Trace::default() };
        let mut course = Course::new(job.begun, trace);
        let end = self.echo(worker, cells, bytes, &mut course).await;
        self.payload = payload;
        course.outcome(end, job.lag)
    }
}

impl Line {
    /// Writes and reads at once: an echo of much may begin before all of it was sent.
    fn poll_echo(
        &mut self,
        cx: &mut Context<'_>,
        worker: &Worker,
        progress: &mut Progress,
        payload: &[u8],
    ) -> Poll<Result<(), ErrorClass>> {
        while progress.written < payload.len() {
            match self.stream.poll_write(cx, &payload[progress.written..]) {
                Poll::Pending => break,
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(ErrorClass::ClosedEarly)),
                Poll::Ready(Ok(written)) => progress.written += written,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(exchange_class(&error))),
            }
        }
        let mut scratch = worker.scratch.borrow_mut();
        loop {
            let mut buffer = ReadBuf::new(&mut scratch);
            match self.stream.poll_read(cx, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(exchange_class(&error))),
                Poll::Ready(Ok(())) => {}
            }
            let bytes = buffer.filled();
            if bytes.is_empty() {
                return Poll::Ready(Err(ErrorClass::ClosedEarly));
            }
            progress.first_byte.get_or_insert_with(|| worker.came(self.stream.age(), worker.now()));
            // Only what was sent can come back.
            let expected = &payload[progress.returned..progress.written];
            progress.returned += bytes.len();
            if !expected.starts_with(bytes) {
                return Poll::Ready(Err(ErrorClass::Protocol));
            }
            if progress.returned == payload.len() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
