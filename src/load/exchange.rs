//! One request and its answer on an open connection.

use std::io;
use std::task::{Context, Poll};

use tokio::io::ReadBuf;

use super::connection::{Connected, Crossing, Stream, exchange_class};
use super::response::{Captured, Reader};
use super::worker::Worker;
use crate::model::plan::Session;
use crate::model::run::ErrorClass;

/// An open connection and what is read from it.
pub(super) struct Line {
    stream: Stream,
    reader: Reader,
    /// Whether an answer came over it already.
    reused: bool,
    pub(super) crossing: Crossing,
}

/// How far one exchange is.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) written: usize,
    pub(super) received: u64,
    /// When the first bytes came, on the run's clock, if the answer was not whole with them.
    pub(super) first_byte: Option<u64>,
    flushed: bool,
    /// Why no more can be written; an answer may still come.
    write_error: Option<ErrorClass>,
}

/// A whole answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// Whether the connection can carry another request.
    pub(super) reusable: bool,
}

/// Why there is no whole answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Broken {
    /// A connection that was kept for reuse is over, before any byte of this answer.
    Stale(ErrorClass),
    Failed(ErrorClass),
}

impl Line {
    /// `session`: what is remembered of answers; where that is nothing, their headers are not looked at.
    pub(super) fn new(connected: Connected, session: Session) -> Self {
        let reader = if session.is_kept() { Reader::capturing() } else { Reader::new(false) };
        let crossing = connected.crossing();
        Self { stream: connected.stream, reader, reused: false, crossing }
    }

    /// What the last answer asks later requests for.
    pub(super) fn captured(&self) -> Option<&Captured> {
        self.reader.captured()
    }

    /// As [`Stream::age`].
    #[inline]
    pub(super) fn age(&self) -> Option<u64> {
        self.stream.age()
    }

    /// Makes ready for the answer to a request: of one with the method HEAD it has no body.
    pub(super) fn expect(&mut self, head_request: bool) {
        self.reader.expect(head_request);
    }

    /// Writes what is left of `request` and reads the answer.
    /// Two system calls when all goes well: tokio knows, after a read that did not fill the buffer, that
    /// there is nothing more, and reads again only when there is.
    pub(super) fn poll_exchange(
        &mut self,
        cx: &mut Context<'_>,
        worker: &Worker,
        progress: &mut Progress,
        request: &[u8],
    ) -> Poll<Result<Reply, Broken>> {
        let mut scratch = worker.scratch.borrow_mut();
        if !self.reused
            && progress.written == 0
            && let Poll::Ready(broken) = self.poll_unasked(cx, &mut scratch)
        {
            return Poll::Ready(Err(broken));
        }
        if !progress.flushed {
            self.write(cx, progress, request);
            // Nobody has answered yet what has just left.
            if self.stream.poll_readable(cx).is_pending() {
                return Poll::Pending;
            }
        }
        loop {
            let mut buffer = ReadBuf::new(&mut scratch);
            match self.stream.poll_read(cx, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => {
                    return Poll::Ready(Err(self.broken(progress, exchange_class(&error))));
                }
                Poll::Ready(Ok(())) => {}
            }
            let bytes = buffer.filled();
            if bytes.is_empty() {
                return Poll::Ready(self.at_end(progress));
            }
            progress.received += bytes.len() as u64;
            match self.reader.feed(bytes) {
                Ok(None) => {
                    progress.first_byte.get_or_insert_with(|| worker.came(self.stream.age(), worker.now()));
                }
                Err(_) => return Poll::Ready(Err(Broken::Failed(ErrorClass::Protocol))),
                Ok(Some(answer)) => {
                    // Bytes after an answer belong to nothing that was asked.
                    let reusable =
                        !answer.close && answer.used == bytes.len() && progress.written == request.len();
                    self.reused = true;
                    return Poll::Ready(Ok(Reply { status: answer.status, reusable }));
                }
            }
        }
    }

    /// Ready when a connection that waits for its next request is of no more use: closed, broken, or
    /// talking without having been asked.
    pub(super) fn poll_dead(&mut self, cx: &mut Context<'_>, scratch: &mut [u8]) -> Poll<()> {
        self.stream.poll_read(cx, &mut ReadBuf::new(scratch)).map(|_| ())
    }

    /// Ready when a new connection is over before anything was written to it, or says something unasked: that is no
    /// answer to what comes next.
    fn poll_unasked(&mut self, cx: &mut Context<'_>, scratch: &mut [u8]) -> Poll<Broken> {
        let mut buffer = ReadBuf::new(scratch);
        self.stream.poll_read(cx, &mut buffer).map(|read| {
            Broken::Failed(match read {
                Err(error) => exchange_class(&error),
                Ok(()) if buffer.filled().is_empty() => ErrorClass::ClosedEarly,
                Ok(()) => ErrorClass::Protocol,
            })
        })
    }

    #[inline]
    fn write(&mut self, cx: &mut Context<'_>, progress: &mut Progress, request: &[u8]) {
        while progress.written < request.len() && progress.write_error.is_none() {
            match self.stream.poll_write(cx, &request[progress.written..]) {
                Poll::Pending => return,
                Poll::Ready(Ok(0)) => {
                    progress.write_error = Some(exchange_class(&io::ErrorKind::WriteZero.into()));
                }
                Poll::Ready(Ok(written)) => progress.written += written,
                Poll::Ready(Err(error)) => progress.write_error = Some(exchange_class(&error)),
            }
        }
        if !progress.flushed && progress.write_error.is_none() {
            match self.stream.poll_flush(cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => progress.flushed = true,
                Poll::Ready(Err(error)) => progress.write_error = Some(exchange_class(&error)),
            }
        }
    }

    fn at_end(&mut self, progress: &Progress) -> Result<Reply, Broken> {
        match self.reader.end() {
            Ok(Some(answer)) => Ok(Reply { status: answer.status, reusable: false }),
            Ok(None) => Err(self.broken(progress, ErrorClass::ClosedEarly)),
            Err(_) => Err(Broken::Failed(ErrorClass::Protocol)),
        }
    }

    fn broken(&self, progress: &Progress, class: ErrorClass) -> Broken {
        let class = progress.write_error.unwrap_or(class);
        if self.reused && progress.received == 0 { Broken::Stale(class) } else { Broken::Failed(class) }
    }
}
