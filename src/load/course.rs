//! One request over all the redirects that it follows, whatever protocol it is sent with: its times, its bytes, and what
//! is remembered of its answers.

use jiff::Timestamp;

use super::cookies::{Jar, Site};
use super::grpc::status;
use super::redirect::{self, Asked, Hop};
use super::response::Captured;
use super::tally::{End, Outcome, Sent, Trace};
use crate::model::plan::Session;
use crate::model::run::ErrorClass;

/// How far a request is.
pub(super) struct Course {
    pub(super) trace: Trace,
    /// When work on it, or on what it was redirected to, began.
    pub(super) begun: u64,
    /// When it was first sent, on the run's clock; and until when it may take.
    pub(super) sent: Option<(u64, u64)>,
    /// When the end of it came, and when we knew.
    pub(super) done: u64,
    pub(super) known: u64,
    pub(super) sent_bytes: u64,
    pub(super) received_bytes: u64,
    pub(super) redirects: u8,
    /// What the redirect before led to.
    pub(super) hop: Option<Hop>,
}

impl Course {
    pub(super) fn new(begun: u64, trace: Trace) -> Self {
        Self {
            trace,
            begun,
            sent: None,
            done: begun,
            known: begun,
            sent_bytes: 0,
            received_bytes: 0,
            redirects: 0,
            hop: None,
        }
    }

    /// Until when it may take, which begins when it is first sent; as if that were at `sent_at` where it was not yet.
    pub(super) fn begin(&mut self, sent_at: u64, timeout_nanos: u64) -> u64 {
        self.sent.get_or_insert((sent_at, sent_at.saturating_add(timeout_nanos))).1
    }

    /// Until when it may take, where it was sent before: redirected, or in vain. Else `otherwise`.
    pub(super) fn deadline_or(&self, otherwise: u64) -> u64 {
        self.sent.map_or(otherwise, |(_, deadline)| deadline)
    }

    /// What it means that the time is over before it is on its way. Where it was sent before, the whole took too long.
    pub(super) fn too_late(&self, otherwise: ErrorClass) -> End {
        End::Failed(if self.sent.is_some() { ErrorClass::ResponseTimeout } else { otherwise })
    }

    /// It ended here, as far as anybody knows.
    pub(super) fn end(&mut self, now: u64) {
        (self.done, self.known) = (now, now);
    }

    /// It is sent again, as the target did not touch it; its time goes on, and what was `written` of it in vain counts.
    pub(super) fn send_again(&mut self, written: u64) {
        self.trace.resent = self.trace.resent.saturating_add(1);
        self.sent_bytes += written;
    }

    /// It was not sent after all, unless what led here was.
    pub(super) fn take_back(&mut self) {
        if self.redirects == 0 && self.trace.resent == 0 {
            self.sent = None;
        }
    }

    /// Keeps the cookies of an answer; whether it redirects and that is followed. Then the request begins anew.
    pub(super) fn is_followed(
        &mut self,
        session: Session,
        jar: &mut Jar,
        asked: Asked<'_>,
        captured: &Captured,
        status: u16,
    ) -> bool {
        if session.keep_cookies {
            let site = Site {
                host: asked.origin.host_str().unwrap_or_default(),
                is_https: asked.origin.scheme() == "https",
            };
            for cookie in captured.cookies() {
                jar.take(cookie, asked.target, site, Timestamp::now());
            }
        }
        if self.redirects >= session.follow_redirects {
            return false;
        }
        let Some(hop) = redirect::follow(asked, status, &captured.location) else { return false };
        self.begun = self.known;
        self.redirects += 1;
        self.hop = Some(hop);
        true
    }

    /// One request, however often it was redirected: its time covers all, and so do its bytes.
    pub(super) fn outcome(self, end: End, lag: u64) -> Outcome {
        let is_late = self.sent.is_some_and(|(_, deadline)| self.done > deadline);
        // Deadlines are looked at now and then: an answer that came since is too late all the same.
        let end = match end {
            End::Status(_) | End::Echoed | End::Grpc(status::OK) if is_late => {
                End::Failed(ErrorClass::ResponseTimeout)
            }
            end => end,
        };
        let sent = self.sent.map(|(at, _)| Sent { at, lag, bytes: self.sent_bytes });
        let Self { done, known, received_bytes, trace, .. } = self;
        Outcome { end, done, known, sent, received_bytes, trace }
    }
}
