//! What a slot sends over: one kind for each protocol.

use std::rc::Rc;
use std::task::Context;

use tokio::task::JoinHandle;

use super::slot::{self, Cells, Job};
use super::source::Wire;
use super::tally::Outcome;
use super::worker::Worker;
use super::{datagram, echo, http1, http2};

/// A slot's way to the target. Slots are generic over it and not chosen anew for each request, since the future of the
/// largest kind would else be moved about for all of them.
pub(super) trait Lane {
    /// Opens before anything is due. A failure is not one yet: the first request will try again.
    async fn open_ahead(&mut self, worker: &Rc<Worker>, cells: &Cells);

    /// Sends a request, over a new connection where there is none, and waits for how it ends.
    async fn carry_out(&mut self, worker: &Rc<Worker>, cells: &Cells, job: Job) -> Outcome;

    /// Lets go of a connection that is of no more use; the slot's task is woken when it may have become so.
    fn watch_idle(&mut self, worker: &Worker, cx: &mut Context<'_>);
}

/// Begins the life of slot number `at`.
pub(super) fn spawn(worker: &Rc<Worker>, at: usize) -> JoinHandle<()> {
    let own = Rc::clone(worker);
    match worker.source.wire {
        Wire::TcpEcho => tokio::task::spawn_local(slot::serve(own, at, echo::Lane::new(at))),
        Wire::UdpEcho => tokio::task::spawn_local(slot::serve(own, at, datagram::Lane::new(at))),
        Wire::Http => match worker.links.len() {
            0 => tokio::task::spawn_local(slot::serve(own, at, http1::Lane::new(at))),
            // Slots next to each other are on different connections: those idle for longest are used first.
            links => tokio::task::spawn_local(slot::serve(own, at, http2::Lane::new(at, links))),
        },
    }
}
