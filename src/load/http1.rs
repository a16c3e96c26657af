//! HTTP/1.1: each slot has a connection of its own.

use std::future::poll_fn;
use std::task::Context;

use super::exchange::{Broken, Line, Progress, Reply};
use super::slot::{Cells, Interrupt, Job};
use super::tally::{End, Opening, Outcome, Sent, Trace};
use super::worker::Worker;
use crate::model::run::ErrorClass;

/// A slot's connection, once it is open.
pub(super) struct Lane {
    number: u32,
    line: Option<Line>,
    /// Where it leads to.
    address: u16,
    /// Requests that it may still carry.
    left: u64,
}

impl Lane {
    pub(super) fn new(number: usize) -> Self {
        Self { number: u32::try_from(number).unwrap_or(u32::MAX), line: None, address: 0, left: 0 }
    }

    pub(super) async fn open_ahead(&mut self, worker: &Worker, cells: &Cells) {
        cells.arm(worker.now() + worker.connect_ahead_nanos);
        let connected = cells
            .guard(async {
                let _turn = worker.connecting.acquire().await;
                worker.connector.connect().await
            })
            .await;
        cells.disarm();
        if let Ok(Ok(connected)) = connected {
            worker.note_opened();
            self.address = connected.address;
            self.left = worker.connector.lifetime();
            self.line = Some(Line::new(connected.stream));
        }
    }

    pub(super) fn watch_idle(&mut self, worker: &Worker, cx: &mut Context<'_>) {
        let line = self.line.as_mut();
        if line.is_some_and(|line| line.poll_dead(cx, &mut worker.scratch.borrow_mut()).is_ready()) {
            self.line = None;
        }
    }

    pub(super) async fn carry_out(&mut self, worker: &Worker, cells: &Cells, job: Job) -> Outcome {
        let request = worker.source.variant(job.variant);
        let mut trace = Trace { variant: job.variant, connection: Some(self.number), ..Trace::default() };
        let mut sent_at = job.begun;
        loop {
            let mut line = match self.line.take() {
                Some(line) => line,
                None => match self.connect(worker, cells, sent_at).await {
                    Ok((line, opening)) => {
                        trace.opening = Some(opening);
                        sent_at = worker.now();
                        line
                    }
                    Err(end) => return Outcome { trace, ..Outcome::unsent(end, worker.now()) },
                },
            };
            trace.address = Some(self.address);
            cells.arm(sent_at.saturating_add(worker.timeout_nanos));
            line.expect(request.is_head);
            let mut progress = Progress::default();
            let exchanged = cells
                .guard(poll_fn(|cx| {
                    line.poll_exchange(cx, &mut progress, &request.bytes, &mut worker.scratch.borrow_mut())
                }))
                .await;
            let done = worker.now();
            let end = match exchanged {
                Ok(Ok(Reply { status, reusable })) => {
                    self.left = self.left.saturating_sub(1);
                    self.line = (reusable && self.left > 0).then_some(line);
                    End::Status(status)
                }
                // Sent again once: the connection is new then, and cannot be stale.
                Ok(Err(Broken::Stale)) => {
                    sent_at = done;
                    continue;
                }
                Ok(Err(Broken::Failed(class))) => End::Failed(class),
                Err(Interrupt::TimeOver) => End::Failed(ErrorClass::ResponseTimeout),
                Err(Interrupt::Cancelled) => End::Cancelled,
            };
            if progress.received > 0 {
                // Often all comes at once: then there is one moment, and one look at the clock.
                trace.first_byte = Some(progress.first_byte.map_or(done, |at| worker.at(at)));
            }
            let sent = Some(Sent { at: sent_at, lag: job.lag, bytes: progress.written as u64 });
            return Outcome { end, done, sent, received_bytes: progress.received, trace };
        }
    }

    async fn connect(&mut self, worker: &Worker, cells: &Cells, now: u64) -> Result<(Line, Opening), End> {
        cells.arm(now.saturating_add(worker.timeout_nanos));
        let connected = match cells.guard(worker.connector.connect()).await {
            Ok(connected) => connected.map_err(End::Failed)?,
            Err(Interrupt::TimeOver) => return Err(End::Failed(ErrorClass::ConnectTimeout)),
            Err(Interrupt::Cancelled) => return Err(End::Cancelled),
        };
        worker.note_opened();
        self.address = connected.address;
        self.left = worker.connector.lifetime();
        Ok((Line::new(connected.stream), connected.opening))
    }
}
