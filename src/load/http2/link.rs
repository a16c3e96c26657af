//! A place for a connection that several slots share: opened once for all who wait, and opened again when it is over.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::client::{Builder, Connection, SendRequest};
use tokio::sync::Notify;

use crate::load::connection::{Connector, exchange_class};
use crate::load::response::HEAD_BYTES_MAX;
use crate::load::tally::Opening;
use crate::load::timer::Alarm;
use crate::load::wire::{Traffic, Wire};
use crate::load::worker::{Stage, Worker};
use crate::model::run::ErrorClass;

/// Bytes of one answer that may be under way; so large that it does not hold the target back.
const STREAM_WINDOW: u32 = 4 * 1024 * 1024;
/// Bytes of all answers on one connection that may be under way.
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;
/// Streams that were reset here and for which the target may still send something.
const RESET_STREAMS_MAX: usize = 1024;

/// A place for a connection.
#[derive(Default)]
pub(in crate::load) struct Link {
    line: RefCell<Option<Rc<Line>>>,
    is_opening: Cell<bool>,
    /// How often it was opened, or tried to.
    attempts: Cell<u64>,
    failure: Cell<Option<(u64, ErrorClass)>>,
    changed: Notify,
}

/// An open connection.
pub(super) struct Line {
    attempt: u64,
    /// Where it leads to.
    pub(super) address: u16,
    /// How long opening it took, for the first who asks.
    pub(super) opening: Cell<Option<Opening>>,
    pub(super) traffic: Rc<Traffic>,
    /// None once it is over.
    sender: RefCell<Option<SendRequest<Bytes>>>,
    /// Streams that it may still carry.
    left: Cell<u64>,
    /// Streams in use.
    active: Cell<usize>,
    /// Slots that wait for one.
    waiting: Cell<usize>,
    freed: Notify,
    has_answered: Cell<bool>,
    is_over: Cell<bool>,
}

/// What it means for a request that its stream ended in an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The target says that it did not process it, nor will process anything on this connection.
    Untouched(ErrorClass),
    /// The target did not take it, or the connection had gone stale.
    Refused(ErrorClass),
    Failed(ErrorClass),
}

impl Link {
    /// The open connection, opened if there is none. All who wait for the same opening share its result.
    pub(super) async fn line(&self, worker: &Rc<Worker>, at: usize) -> Result<Rc<Line>, ErrorClass> {
        let mut since = None;
        loop {
            if let Some(line) = &*self.line.borrow()
                && (!line.is_over() || since.is_some_and(|since| line.attempt >= since))
            {
                return Ok(Rc::clone(line));
            }
            let failure = self.failure.get();
            if let (Some(since), Some((attempt, class))) = (since, failure)
                && attempt >= since
            {
                return Err(class);
            }
            if !self.is_opening.replace(true) {
                self.attempts.set(self.attempts.get() + 1);
                tokio::task::spawn_local(open(Rc::clone(worker), at));
            }
            since.get_or_insert(self.attempts.get());
            self.changed.notified().await;
        }
    }

    /// Nothing more is begun on this connection; what is under way may still end well, and then it is closed.
    pub(super) fn retire(&self, over: &Rc<Line>) {
        over.is_over.set(true);
        // The library closes a connection that nobody can send on any more.
        *over.sender.borrow_mut() = None;
        over.freed.notify_waiters();
        let mut line = self.line.borrow_mut();
        if line.as_ref().is_some_and(|line| Rc::ptr_eq(line, over)) {
            *line = None;
        }
    }

    fn opened(&self, made: Result<&Rc<Line>, ErrorClass>) {
        self.is_opening.set(false);
        match made {
            Ok(line) => *self.line.borrow_mut() = Some(Rc::clone(line)),
            Err(class) => self.failure.set(Some((self.attempts.get(), class))),
        }
        self.changed.notify_waiters();
    }
}

impl Line {
    /// A way to send on it; none when it is over.
    pub(super) fn sender(&self) -> Option<SendRequest<Bytes>> {
        self.sender.borrow().clone()
    }

    /// One more stream is begun; whether it is the last that this connection carries.
    pub(super) fn uses_up(&self) -> bool {
        self.left.set(self.left.get().saturating_sub(1));
        self.left.get() == 0
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.get()
    }

    /// Whether the target allows one more stream.
    pub(super) fn has_room(&self, sender: &SendRequest<Bytes>) -> bool {
        self.active.get() < sender.current_max_send_streams()
    }

    /// Waits until the target allows one more stream, or the connection is over.
    pub(super) async fn room(&self, worker: &Worker, sender: &SendRequest<Bytes>) {
        self.waiting.set(self.waiting.get() + 1);
        let _waiting = Waiting(&self.waiting);
        while !self.has_room(sender) && !self.is_over() {
            // The target may have changed its limit without a stream having ended: it is looked at again.
            tokio::select! {
                () = self.freed.notified() => {}
                () = worker.swept.notified() => {}
            }
        }
    }

    /// A stream is in use.
    pub(super) fn begin(&self) {
        self.active.set(self.active.get() + 1);
    }

    /// A stream is no longer in use.
    pub(super) fn end(&self) {
        self.active.set(self.active.get() - 1);
        if self.waiting.get() > 0 {
            self.freed.notify_one();
        }
    }

    pub(super) fn note_answered(&self) {
        self.has_answered.set(true);
    }

    /// What an error of a stream means; `has_begun` is whether some of its answer has come.
    pub(super) fn judge(&self, error: &h2::Error, has_begun: bool) -> Verdict {
        if self.traffic.is_http1() {
            return Verdict::Failed(ErrorClass::WrongProtocol);
        }
        if error.is_go_away() && error.is_remote() {
            // Only streams after the last that the target has taken are told of it.
            return match error.reason() {
                Some(Reason::NO_ERROR) if !has_begun => Verdict::Untouched(ErrorClass::ClosedEarly),
                _ => Verdict::Failed(ErrorClass::ClosedEarly),
            };
        }
        if error.is_reset() && error.is_remote() {
            return match error.reason() {
                Some(Reason::REFUSED_STREAM) if !has_begun => Verdict::Refused(ErrorClass::Reset),
                _ => Verdict::Failed(ErrorClass::Reset),
            };
        }
        if let Some(error) = error.get_io() {
            let class = match error.kind() {
                std::io::ErrorKind::BrokenPipe => ErrorClass::ClosedEarly,
                _ => exchange_class(error),
            };
            let is_stale = self.has_answered.get() && !has_begun;
            return if is_stale { Verdict::Refused(class) } else { Verdict::Failed(class) };
        }
        if error.is_library() || error.reason().is_some() {
            return Verdict::Failed(ErrorClass::Protocol);
        }
        // The library takes no more requests here: the numbers of streams are used up.
        Verdict::Untouched(ErrorClass::ClosedEarly)
    }
}

impl Verdict {
    pub(super) fn class(self) -> ErrorClass {
        match self {
            Self::Untouched(class) | Self::Refused(class) | Self::Failed(class) => class,
        }
    }
}

/// One that waits, until it is dropped.
struct Waiting<'a>(&'a Cell<usize>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// Opens a connection and keeps it going until it ends.
async fn open(worker: Rc<Worker>, at: usize) {
    let link = &worker.links[at];
    let connector = &worker.connectors[at / worker.links_per_origin()];
    let length = Duration::from_nanos(worker.timeout_nanos);
    let made = {
        let _turn = worker.connecting.acquire().await;
        let alarm = Alarm::new();
        tokio::select! {
            made = establish(connector, link.attempts.get()) => made,
            () = alarm.after(length) => Err(ErrorClass::ConnectTimeout),
        }
    };
    match made {
        Err(class) => link.opened(Err(class)),
        Ok((line, mut connection)) => {
            worker.note_opened();
            if worker.stage() == Stage::Connecting
                && let Some(opening) = line.opening.take()
            {
                worker.note_opening(u32::try_from(at).unwrap_or(u32::MAX), &opening);
            }
            link.opened(Ok(&line));
            // Every stream is told by itself how it ended.
            let _ = poll_fn(|cx| {
                line.traffic.begin_turn();
                Pin::new(&mut connection).poll(cx)
            })
            .await;
            link.retire(&line);
        }
    }
}

async fn establish(
    connector: &Connector,
    attempt: u64,
) -> Result<(Rc<Line>, Connection<Wire, Bytes>), ErrorClass> {
    let connected = connector.connect().await?;
    if !connected.stream.is_for_http2() {
        return Err(ErrorClass::WrongProtocol);
    }
    let (wire, traffic) = Wire::new(connected.stream);
    let shaken = settings().handshake(wire).await;
    let (sender, connection) =
        shaken.map_err(|error| error.get_io().map_or(ErrorClass::Protocol, exchange_class))?;
    let line = Line {
        attempt,
        address: connected.address,
        opening: Cell::new(Some(connected.opening)),
        traffic,
        sender: RefCell::new(Some(sender)),
        left: Cell::new(connector.lifetime()),
        active: Cell::new(0),
        waiting: Cell::new(0),
        freed: Notify::new(),
        has_answered: Cell::new(false),
        is_over: Cell::new(false),
    };
    Ok((Rc::new(line), connection))
}

/// How we speak HTTP/2. Everything that a target can make us keep has a limit: heads, windows, reset streams;
/// the library itself answers one SETTINGS and one PING at a time, and reads no further until it could.
pub(in crate::load) fn settings() -> Builder {
    let mut builder = Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX))
        .max_concurrent_reset_streams(RESET_STREAMS_MAX)
        .enable_push(false);
    builder
}
