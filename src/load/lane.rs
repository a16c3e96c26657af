//! What a slot sends over: one kind for each protocol.

use std::rc::Rc;
use std::task::Context;

use super::slot::{Cells, Job};
use super::source::Wire;
use super::tally::Outcome;
use super::worker::Worker;
use super::{datagram, echo, http1, http2};

/// A slot's way to the target.
pub(super) enum Lane {
    /// A connection of its own.
    Http1(http1::Lane),
    /// A connection of its own, over which what is sent comes back.
    Echo(echo::Lane),
    /// A socket of its own; datagrams come back.
    Datagram(datagram::Lane),
    /// A stream of a connection that others use too.
    Http2(http2::Lane),
}

impl Lane {
    /// The lane of slot number `at`; nothing is opened yet.
    pub(super) fn new(worker: &Worker, at: usize) -> Self {
        match worker.source.wire {
            Wire::TcpEcho => return Self::Echo(echo::Lane::new(at)),
            Wire::UdpEcho => return Self::Datagram(datagram::Lane::new(at)),
            Wire::Http => {}
        }
        // Slots next to each other are on different connections: those idle for longest are used first.
        match worker.links.len() {
            0 => Self::Http1(http1::Lane::new(at)),
            links => Self::Http2(http2::Lane::new(at % links)),
        }
    }

    /// Opens before anything is due. A failure is not one yet: the first request will try again.
    pub(super) async fn open_ahead(&mut self, worker: &Rc<Worker>, cells: &Cells) {
        match self {
            Self::Http1(lane) => lane.open_ahead(worker, cells).await,
            Self::Echo(lane) => lane.open_ahead(worker, cells).await,
            // A socket is opened at no cost when it is needed.
            Self::Datagram(_) => {}
            Self::Http2(lane) => lane.open_ahead(worker, cells).await,
        }
    }

    /// Sends a request, over a new connection where there is none, and waits for how it ends.
    pub(super) async fn carry_out(&mut self, worker: &Rc<Worker>, cells: &Cells, job: Job) -> Outcome {
        match self {
            Self::Http1(lane) => lane.carry_out(worker, cells, job).await,
            Self::Echo(lane) => lane.carry_out(worker, cells, job).await,
            Self::Datagram(lane) => lane.carry_out(worker, cells, job).await,
            Self::Http2(lane) => lane.carry_out(worker, cells, job).await,
        }
    }

    /// Lets go of a connection that is of no more use; the slot's task is woken when it may have become so.
    pub(super) fn watch_idle(&mut self, worker: &Worker, cx: &mut Context<'_>) {
        match self {
            Self::Http1(lane) => lane.watch_idle(worker, cx),
            Self::Echo(lane) => lane.watch_idle(worker, cx),
            Self::Datagram(_) => {}
            // Each connection has a task that watches it.
            Self::Http2(_) => {}
        }
    }
}
