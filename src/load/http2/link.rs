//! A place for a connection that several slots share: opened once for all who wait, and opened again when it is over.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::ReadBuf;
use tokio::sync::Notify;

use super::conn::Conn;
use crate::load::connection::{Connector, Crossing, Stream, exchange_class};
use crate::load::tally::Opening;
use crate::load::timer::Alarm;
use crate::load::worker::{Stage, Worker};
use crate::model::run::ErrorClass;

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

/// An open connection. Where one slot alone uses it, that slot drives it; where several do, a task of its own.
pub(super) struct Line {
    attempt: u64,
    /// Where it leads to.
    pub(super) address: u16,
    /// How long opening it took, for the first who asks.
    pub(super) opening: Cell<Option<Opening>>,
    pub(super) conn: RefCell<Conn>,
    stream: RefCell<Stream>,
    /// Why no more can be written; answers may still come.
    write_error: Cell<Option<ErrorClass>>,
    /// When bytes came last, on the run's clock.
    heard_at: Cell<u64>,
    pub(super) crossing: Crossing,
    /// Bytes that nobody has counted yet.
    received: Cell<u64>,
    sent: Cell<u64>,
    /// Whether several slots use it.
    pub(super) is_shared: bool,
    /// The task of a shared one.
    driver: RefCell<Option<Waker>>,
    is_driver_woken: Cell<bool>,
    /// Streams that it may still carry.
    left: Cell<u64>,
    /// Streams in use.
    active: Cell<usize>,
    /// Slots that wait for one.
    waiting: Cell<usize>,
    freed: Notify,
    is_over: Cell<bool>,
    /// Whether nothing more will come.
    is_ended: Cell<bool>,
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
        over.freed.notify_waiters();
        over.wake_driver();
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
    /// One more stream is begun; whether it is the last that this connection carries.
    pub(super) fn uses_up(&self) -> bool {
        self.left.set(self.left.get().saturating_sub(1));
        self.left.get() == 0
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.get()
    }

    /// Whether nothing at all came since then.
    pub(super) fn is_silent_since(&self, moment: u64) -> bool {
        self.heard_at.get() < moment
    }

    /// Whether the target allows one more stream.
    pub(super) fn has_room(&self) -> bool {
        self.conn.borrow().has_room(self.active.get())
    }

    /// Waits until the target allows one more stream, or the connection is over.
    pub(super) async fn room(&self, worker: &Worker) {
        self.waiting.set(self.waiting.get() + 1);
        let _waiting = Waiting(&self.waiting);
        while !self.has_room() && !self.is_over() {
            if !self.is_shared {
                self.driven_to_room(worker).await;
                return;
            }
            // The target may have changed its limit without a stream having ended: it is looked at again.
            tokio::select! {
                () = self.freed.notified() => {}
                () = worker.swept.notified() => {}
            }
        }
    }

    async fn driven_to_room(&self, worker: &Worker) {
        poll_fn(|cx| {
            self.drive(worker, cx);
            if self.has_room() || self.is_over() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// What was received since this was last asked. Requests on one connection share it, so that their sum is exact and
    /// a single one's share is not.
    pub(super) fn take_received(&self) -> u64 {
        self.received.take()
    }

    /// What was sent since this was last asked.
    pub(super) fn take_sent(&self) -> u64 {
        self.sent.take()
    }

    /// Sends what is laid out, takes in what came, and sends what that made necessary.
    pub(super) fn drive(&self, worker: &Worker, cx: &mut Context<'_>) {
        loop {
            self.flush(cx);
            self.read(worker, cx);
            let may_read = self.conn.borrow().may_read();
            self.flush(cx);
            // Reading stopped for what was to be sent, and that has left.
            if may_read || self.is_ended() || !self.conn.borrow().may_read() {
                return;
            }
        }
    }

    /// Sends what is laid out, as far as the system takes it.
    pub(super) fn flush(&self, cx: &mut Context<'_>) {
        let (mut conn, mut stream) = (self.conn.borrow_mut(), self.stream.borrow_mut());
        if conn.unsent().is_empty() {
            return;
        }
        let failed = |error: &io::Error| self.write_error.set(Some(line_class(error)));
        while !conn.unsent().is_empty() && self.write_error.get().is_none() {
            match stream.poll_write(cx, conn.unsent()) {
                Poll::Pending => break,
                Poll::Ready(Ok(0)) => failed(&io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(bytes)) => {
                    conn.note_sent(bytes);
                    self.sent.set(self.sent.get() + bytes as u64);
                }
                Poll::Ready(Err(error)) => failed(&error),
            }
        }
        if let Poll::Ready(Err(error)) = stream.poll_flush(cx) {
            failed(&error);
        }
        if self.write_error.get().is_some() {
            let unsent = conn.unsent().len();
            conn.note_sent(unsent);
        }
    }

    /// Takes in what came.
    pub(super) fn read(&self, worker: &Worker, cx: &mut Context<'_>) {
        let (mut conn, mut stream) = (self.conn.borrow_mut(), self.stream.borrow_mut());
        let mut scratch = worker.scratch.borrow_mut();
        while !self.is_ended.get() && conn.may_read() {
            let mut buffer = ReadBuf::new(&mut scratch);
            let ended = match stream.poll_read(cx, &mut buffer) {
                Poll::Pending => break,
                Poll::Ready(Err(error)) => Some(line_class(&error)),
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => Some(ErrorClass::ClosedEarly),
                Poll::Ready(Ok(())) => None,
            };
            if let Some(class) = ended {
                self.is_ended.set(true);
                conn.end(self.write_error.get().unwrap_or(class));
                break;
            }
            let bytes = buffer.filled();
            self.received.set(self.received.get() + bytes.len() as u64);
            let (age, now) = (stream.age(), worker.now());
            self.heard_at.set(now);
            let received = conn.receive(bytes, worker.came(age, now));
            if let Some(why) = conn.take_trouble() {
                worker.connectors[0].reasons.note(ErrorClass::Protocol, why);
            }
            if let Err(fault) = received {
                worker.connectors[0].reasons.note(fault.class, fault.why);
                self.is_ended.set(true);
                conn.fail(fault);
            }
        }
        if conn.is_closing() && !self.is_over.replace(true) {
            self.freed.notify_waiters();
        }
    }

    pub(super) fn is_ended(&self) -> bool {
        self.is_ended.get()
    }

    /// There is something to send on a connection that others share.
    pub(super) fn wake_driver(&self) {
        if !self.is_driver_woken.replace(true)
            && let Some(driver) = &*self.driver.borrow()
        {
            driver.wake_by_ref();
        }
    }

    /// Drives a shared connection until it is over. What was read may have woken slots that send at once: answers to
    /// the target's own frames go out with what they send.
    async fn serve(&self, worker: &Worker) {
        let mut is_put_off = false;
        poll_fn(|cx| {
            self.is_driver_woken.set(false);
            if self.driver.borrow().is_none() {
                *self.driver.borrow_mut() = Some(cx.waker().clone());
            }
            self.read(worker, cx);
            let has_woken = self.conn.borrow_mut().take_woken();
            if !is_put_off && has_woken && !self.is_ended() {
                is_put_off = true;
                self.wake_driver();
                return Poll::Pending;
            }
            is_put_off = false;
            self.drive(worker, cx);
            let is_done = self.is_ended() || self.is_over() && self.active.get() == 0;
            if is_done { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
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
        if self.is_over() {
            self.wake_driver();
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
    let seats = worker.slots.len() / worker.links_per_origin();
    let length = Duration::from_nanos(worker.timeout_nanos);
    let made = {
        let _turn = worker.connecting.acquire().await;
        let alarm = Alarm::new();
        tokio::select! {
            made = establish(connector, seats, link.attempts.get()) => made,
            () = alarm.after(length) => Err(ErrorClass::ConnectTimeout),
        }
    };
    match made {
        Err(class) => link.opened(Err(class)),
        Ok(line) => {
            worker.note_opened();
            if worker.stage() == Stage::Connecting
                && let Some(opening) = line.opening.take()
            {
                worker.note_opening(u32::try_from(at).unwrap_or(u32::MAX), &opening);
            }
            link.opened(Ok(&line));
            if line.is_shared {
                line.serve(&worker).await;
                link.retire(&line);
            }
        }
    }
}

async fn establish(connector: &Connector, seats: usize, attempt: u64) -> Result<Rc<Line>, ErrorClass> {
    let connected = connector.connect().await?;
    if !connected.stream.is_for_http2() {
        return Err(ErrorClass::WrongProtocol);
    }
    let crossing = connected.crossing();
    Ok(Rc::new(Line {
        attempt,
        address: connected.address,
        opening: Cell::new(Some(connected.opening)),
        conn: RefCell::new(Conn::new(seats)),
        stream: RefCell::new(connected.stream),
        write_error: Cell::new(None),
        heard_at: Cell::new(0),
        crossing,
        received: Cell::new(0),
        sent: Cell::new(0),
        is_shared: seats > 1,
        driver: RefCell::new(None),
        is_driver_woken: Cell::new(false),
        left: Cell::new(connector.lifetime()),
        active: Cell::new(0),
        waiting: Cell::new(0),
        freed: Notify::new(),
        is_over: Cell::new(false),
        is_ended: Cell::new(false),
    }))
}

/// What it means that the connection failed.
fn line_class(error: &io::Error) -> ErrorClass {
    match error.kind() {
        io::ErrorKind::BrokenPipe => ErrorClass::ClosedEarly,
        _ => exchange_class(error),
    }
}
