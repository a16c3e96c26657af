//! One connection of HTTP/2 as its bytes: what came is taken in, what is to be sent is laid out. It touches no socket
//! and no clock. Each slot that shares the connection has a seat on it, and at most one stream at a time.

use std::task::Waker;

use super::frame::{self, Fault, Head, Kind, PAYLOAD_BYTES_MAX, WINDOW_MAX, code};
use super::head::Prebuilt;
use super::hpack::{Decoder, Known, Text};
use crate::load::grpc::{Frames, status};
use crate::load::response::{Captured, HEAD_BYTES_MAX, INTERIM_MAX};
use crate::model::run::ErrorClass;

/// Bytes of one answer that may be under way; so large that it does not hold the target back.
const STREAM_WINDOW: u32 = 4 * 1024 * 1024;
/// Bytes of all answers on one connection that may be under way.
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;
/// The window of either side before anything was said.
const WINDOW_FIRST: u32 = 65_535;
/// Streams that are opened before the target has said how many it allows.
const STREAMS_FIRST: u32 = 100;
/// Nothing more of a body, and no new request, is laid out while so many bytes have not left.
const UNSENT_BYTES_MAX: usize = 256 * 1024;
/// Nothing more is read while so many bytes of answers to the target's own frames have not left.
const CONTROL_BYTES_MAX: usize = 64 * 1024;
/// The most pieces of one head.
const CONTINUATIONS_MAX: u32 = 128;
/// The most frames of DATA in a row that hold nothing.
const EMPTY_DATA_MAX: u32 = 100;
/// The longest `grpc-message` that is kept, in bytes.
const MESSAGE_BYTES_MAX: usize = 1024;
/// What a frame costs that comes for a stream that is over, beside its payload.
const LATE_FRAME_BYTES: u64 = 32;
/// What may come for a stream after it was answered.
const LATE_ANSWERED_BYTES: u64 = 32 * LATE_FRAME_BYTES;
/// What may come for a stream that was reset here, beside what its window has room for.
const LATE_RESET_BYTES: u64 = 2 * HEAD_BYTES_MAX as u64;

/// A connection.
#[derive(Debug)]
pub(in crate::load) struct Conn {
    seats: Vec<Seat>,
    /// The seat of the stream that was last looked for; the next is mostly that of the next seat.
    found: usize,
    next_stream: u32,
    /// The start of a frame whose rest has not come.
    partial: Vec<u8>,
    data: Data,
    /// The head that goes on in the next frame, and its bytes so far.
    block: Option<Block>,
    block_bytes: Vec<u8>,
    decoder: Decoder,
    out: Vec<u8>,
    /// How much of `out` has left.
    left: usize,
    /// How many bytes have left, of all.
    left_of_all: u64,
    /// Bytes in `out` that the target's own frames made us send.
    control_bytes: usize,
    is_agreed: bool,
    streams_max: u32,
    first_window: i64,
    send_window: i64,
    /// Bytes that came and for which no new room was given.
    received: u32,
    /// What may still come for streams that are over.
    late_bytes: u64,
    empty_data: u32,
    has_answered: bool,
    is_closing: bool,
    has_woken: bool,
    trouble: Option<&'static str>,
    /// When what is taken in came.
    now: u64,
}

/// What came of an answer.
#[derive(Debug, Default)]
pub(in crate::load) struct Answer {
    /// 0 before the head.
    pub(in crate::load) status: u16,
    first_byte: Option<u64>,
    /// When the bytes came with which it was over.
    last_byte: u64,
    /// Of gRPC.
    pub(in crate::load) code: Option<u8>,
    /// What the target says about it; only where the body is kept.
    pub(in crate::load) message: Vec<u8>,
    /// Whether its content is of gRPC.
    pub(in crate::load) is_grpc: bool,
    pub(in crate::load) frames: Frames,
    /// Whether its content is messages of gRPC.
    pub(in crate::load) is_sound: bool,
    /// What is kept of its body.
    pub(in crate::load) body: Vec<u8>,
    /// What of its head a later request depends on; none where nobody asks.
    captured: Option<Box<Captured>>,
    keep: usize,
    body_bytes: u64,
    length: Option<u64>,
    interim: u8,
}

/// What it means for a request that its stream ended in an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::load) enum Verdict {
    /// The target says that it did not process it, nor will process anything on this connection.
    Untouched(ErrorClass),
    /// The target says that it did not process it.
    Refused(ErrorClass),
    /// A connection that had carried answers is over before this one began.
    Lost(ErrorClass),
    Failed(ErrorClass),
}

#[derive(Debug, Default)]
struct Seat {
    /// 0 for none.
    stream: u32,
    /// How many bytes have left when its head begins to.
    begins_at: u64,
    waker: Option<Waker>,
    /// Whether some of the request's body is not laid out.
    is_sending: bool,
    is_head: bool,
    is_grpc: bool,
    send_window: i64,
    received: u32,
    answer: Answer,
    ended: Option<Result<(), Verdict>>,
}

/// What of a frame of DATA has not come.
#[derive(Clone, Copy, Debug, Default)]
struct Data {
    stream: u32,
    seat: Option<usize>,
    is_padded: bool,
    left: usize,
    padding: usize,
    is_last: bool,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    stream: u32,
    is_last: bool,
    pieces: u32,
}

/// What is wanted of a head.
#[derive(Debug, Default)]
struct Fields {
    status: Option<u16>,
    length: Option<u64>,
    is_grpc: bool,
    code: Option<u8>,
    message: Vec<u8>,
    captured: Option<Box<Captured>>,
    is_unsound: bool,
}

/// What is wanted of a head beside what every request needs.
#[derive(Clone, Copy, Debug, Default)]
struct Wanted {
    message: bool,
    captured: bool,
}

impl Verdict {
    pub(in crate::load) fn class(self) -> ErrorClass {
        match self {
            Self::Untouched(class) | Self::Refused(class) | Self::Lost(class) | Self::Failed(class) => class,
        }
    }
}

impl Conn {
    /// A connection with so many seats; what it begins with is laid out to be sent.
    pub(in crate::load) fn new(seats: usize) -> Self {
        let mut conn = Self {
            seats: std::iter::repeat_with(Seat::default).take(seats).collect(),
            found: 0,
            next_stream: 1,
            partial: Vec::new(),
            data: Data::default(),
            block: None,
            block_bytes: Vec::new(),
            decoder: Decoder::default(),
            out: frame::PREFACE.to_vec(),
            left: 0,
            left_of_all: 0,
            control_bytes: 0,
            is_agreed: false,
            streams_max: STREAMS_FIRST,
            first_window: WINDOW_FIRST.into(),
            send_window: WINDOW_FIRST.into(),
            received: 0,
            late_bytes: LATE_RESET_BYTES,
            empty_data: 0,
            has_answered: false,
            is_closing: false,
            has_woken: false,
            trouble: None,
            now: 0,
        };
        // No table of earlier fields, no push, room for answers, and a limit for their heads.
        let settings = [(1, 0), (2, 0), (4, STREAM_WINDOW), (6, HEAD_BYTES_MAX as u32)];
        conn.put(Head::new(6 * settings.len(), Kind::Settings, 0, 0));
        for (name, value) in settings {
            conn.out.extend(u16::to_be_bytes(name));
            conn.out.extend(u32::to_be_bytes(value));
        }
        conn.put_number(Kind::WindowUpdate, 0, CONNECTION_WINDOW - WINDOW_FIRST);
        conn.control_bytes = 0;
        conn
    }

    /// Begins a request on a seat that has none; `waker` is told when there is something to do for it. Whether there
    /// is a number left for its stream.
    pub(in crate::load) fn begin(
        &mut self,
        at: usize,
        request: &Prebuilt,
        waker: Option<&Waker>,
        keep: usize,
    ) -> bool {
        let stream = self.next_stream;
        if stream > WINDOW_MAX || self.is_closing {
            return false;
        }
        self.next_stream += 2;
        self.late_bytes += LATE_ANSWERED_BYTES;
        let from = self.out.len();
        let begins_at = self.left_of_all + self.unsent().len() as u64;
        self.out.extend_from_slice(&request.head);
        for piece in self.out[from..].chunks_mut(frame::HEAD_BYTES + PAYLOAD_BYTES_MAX) {
            piece[5..frame::HEAD_BYTES].copy_from_slice(&stream.to_be_bytes());
        }
        let seat = &mut self.seats[at];
        seat.stream = stream;
        seat.begins_at = begins_at;
        seat.is_sending = !request.body.is_empty();
        (seat.is_head, seat.is_grpc) = (request.is_head, request.is_grpc);
        seat.send_window = self.first_window;
        seat.received = 0;
        seat.answer.clear(keep);
        seat.answer.captured = request.is_followed.then(Box::default);
        seat.ended = None;
        if let Some(waker) = waker
            && !seat.waker.as_ref().is_some_and(|known| known.will_wake(waker))
        {
            seat.waker = Some(waker.clone());
        }
        true
    }

    /// Lays out as much of a request's body, from its byte number `from`, as the target gives room for; how much.
    pub(in crate::load) fn send_body(&mut self, at: usize, body: &[u8], from: usize) -> usize {
        let mut sent = 0;
        while self.can_send(at) {
            let seat = &mut self.seats[at];
            let room = usize::try_from(seat.send_window.min(self.send_window)).unwrap_or(0);
            let rest = &body[from + sent..];
            let piece = &rest[..rest.len().min(room).min(PAYLOAD_BYTES_MAX)];
            let is_last = piece.len() == rest.len();
            seat.is_sending = !is_last;
            seat.send_window -= piece.len() as i64;
            self.send_window -= piece.len() as i64;
            let flags = if is_last { frame::END_STREAM } else { 0 };
            let head = Head::new(piece.len(), Kind::Data, flags, seat.stream);
            self.put(head);
            self.out.extend_from_slice(piece);
            sent += piece.len();
        }
        sent
    }

    /// Whether more of a body can be laid out now.
    pub(in crate::load) fn can_send(&self, at: usize) -> bool {
        let seat = &self.seats[at];
        seat.stream != 0
            && seat.is_sending
            && seat.send_window.min(self.send_window) > 0
            && self.unsent().len() < UNSENT_BYTES_MAX
            && self.control_bytes < CONTROL_BYTES_MAX
    }

    /// What came of the request on a seat, once it is over.
    pub(in crate::load) fn ended(&mut self, at: usize) -> Option<(Result<(), Verdict>, &mut Answer)> {
        let seat = &mut self.seats[at];
        let ended = seat.ended.take()?;
        Some((ended, &mut seat.answer))
    }

    /// What the answer on a seat that is over asks for; none where the request did not ask to be told.
    pub(super) fn take_captured(&mut self, at: usize) -> Option<Box<Captured>> {
        self.seats[at].answer.captured.take()
    }

    /// Whether the request on a seat is over, and nobody has asked how.
    pub(super) fn has_ended(&self, at: usize) -> bool {
        self.seats[at].ended.is_some()
    }

    /// Gives up the request on a seat; when its first byte came.
    pub(super) fn give_up(&mut self, at: usize) -> Option<u64> {
        if self.seats[at].stream != 0 {
            self.reset(at, code::CANCEL);
        }
        self.seats[at].ended = None;
        self.seats[at].answer.first_byte
    }

    /// Whether the target allows one more stream beside so many, and takes what is sent.
    pub(super) fn has_room(&self, active: usize) -> bool {
        active < self.streams_max as usize && self.unsent().len() < UNSENT_BYTES_MAX
    }

    /// Whether no more requests are to be begun.
    pub(super) fn is_closing(&self) -> bool {
        self.is_closing || self.next_stream > WINDOW_MAX
    }

    /// Whether enough of what the target asked for was answered that more may be read.
    pub(in crate::load) fn may_read(&self) -> bool {
        self.control_bytes < CONTROL_BYTES_MAX
    }

    /// Whether someone was woken since this was last asked.
    pub(super) fn take_woken(&mut self) -> bool {
        std::mem::take(&mut self.has_woken)
    }

    /// In which way a target broke the rules for one stream, since this was last asked.
    pub(in crate::load) fn take_trouble(&mut self) -> Option<&'static str> {
        self.trouble.take()
    }

    /// What has not left.
    pub(in crate::load) fn unsent(&self) -> &[u8] {
        &self.out[self.left..]
    }

    /// So many bytes have left.
    pub(in crate::load) fn note_sent(&mut self, bytes: usize) {
        let was_full = self.unsent().len() >= UNSENT_BYTES_MAX || !self.may_read();
        self.left += bytes;
        self.left_of_all += bytes as u64;
        if self.left >= UNSENT_BYTES_MAX {
            // Or what has left is kept for as long as others lay out more.
            self.out.drain(..std::mem::take(&mut self.left));
            self.control_bytes = self.control_bytes.min(self.out.len());
        }
        if self.left == self.out.len() {
            self.out.clear();
            self.left = 0;
            self.control_bytes = 0;
            // What a large body needed is not kept for ever.
            self.out.shrink_to(UNSENT_BYTES_MAX);
        }
        if was_full {
            self.wake_senders();
        }
    }

    /// The connection is over; requests that it could have swallowed unseen are lost, and some have not left at all.
    pub(in crate::load) fn end(&mut self, class: ErrorClass) {
        self.is_closing = true;
        for at in 0..self.seats.len() {
            let seat = &self.seats[at];
            if seat.stream != 0 {
                let verdict = match self.has_answered && seat.answer.status == 0 {
                    true if seat.begins_at >= self.left_of_all => Verdict::Untouched(class),
                    true => Verdict::Lost(class),
                    false => Verdict::Failed(class),
                };
                self.close(at, Err(verdict));
            }
        }
    }

    /// The target broke the rules: it is told, and nothing more is taken from it.
    pub(in crate::load) fn fail(&mut self, fault: Fault) {
        self.is_closing = true;
        self.put(Head::new(8, Kind::GoAway, 0, 0));
        self.out.extend([0; 4]);
        self.out.extend(fault.code.to_be_bytes());
        for at in 0..self.seats.len() {
            if self.seats[at].stream != 0 {
                self.close(at, Err(Verdict::Failed(fault.class)));
            }
        }
    }

    /// Takes in what came at `now`.
    pub(in crate::load) fn receive(&mut self, mut bytes: &[u8], now: u64) -> Result<(), Fault> {
        self.now = now;
        while !bytes.is_empty() {
            bytes = if self.data.left + self.data.padding > 0 {
                self.take_data(bytes)?
            } else {
                self.take_frame(bytes)?
            };
        }
        Ok(())
    }

    fn take_frame<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], Fault> {
        if self.partial.is_empty()
            && let Some((head, rest)) = bytes.split_first_chunk()
        {
            let head = self.head(head)?;
            if head.kind == Kind::Data {
                return self.begin_data(head).map(|()| rest);
            }
            if let Some((payload, rest)) = rest.split_at_checked(head.length) {
                return self.take_whole(head, payload).map(|()| rest);
            }
        }
        self.take_piece(bytes)
    }

    /// The next bytes of a frame that comes in pieces.
    fn take_piece<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], Fault> {
        let missing = frame::HEAD_BYTES.saturating_sub(self.partial.len()).min(bytes.len());
        let (piece, rest) = bytes.split_at(missing);
        self.partial.extend_from_slice(piece);
        let Some(head) = self.partial.first_chunk().copied() else {
            return if !self.is_agreed && self.partial.starts_with(b"HTTP/1") {
                Err(not_http2())
            } else {
                Ok(rest)
            };
        };
        let head = self.head(&head)?;
        if head.kind == Kind::Data {
            self.partial.clear();
            return self.begin_data(head).map(|()| rest);
        }
        let missing = (frame::HEAD_BYTES + head.length - self.partial.len()).min(rest.len());
        let (piece, rest) = rest.split_at(missing);
        self.partial.extend_from_slice(piece);
        if self.partial.len() == frame::HEAD_BYTES + head.length {
            let mut whole = std::mem::take(&mut self.partial);
            let taken = self.take_whole(head, &whole[frame::HEAD_BYTES..]);
            whole.clear();
            self.partial = whole;
            taken?;
        }
        Ok(rest)
    }

    #[inline]
    fn head(&self, bytes: &[u8; frame::HEAD_BYTES]) -> Result<Head, Fault> {
        if !self.is_agreed && bytes.starts_with(b"HTTP/1") {
            return Err(not_http2());
        }
        let head = Head::read(bytes);
        if !self.is_agreed && (head.kind != Kind::Settings || head.has(frame::ACK)) {
            return Err(Fault::protocol("the target does not begin with SETTINGS"));
        }
        head.check()?;
        match (self.block, head.kind) {
            (None, Kind::Continuation) => {
                Err(Fault::protocol("the target goes on with a head that it did not begin"))
            }
            (Some(block), Kind::Continuation) if block.stream == head.stream => Ok(head),
            (Some(_), _) => Err(Fault::protocol("the target sent a frame within a head")),
            (None, _) => Ok(head),
        }
    }

    fn take_whole(&mut self, head: Head, payload: &[u8]) -> Result<(), Fault> {
        match head.kind {
            Kind::Headers => self.take_headers(head, payload),
            Kind::Continuation => self.take_continuation(head, payload),
            Kind::Settings => self.take_settings(head, payload),
            Kind::WindowUpdate => self.take_window(head, frame::number(payload)),
            Kind::Reset => self.take_reset(head, payload),
            Kind::GoAway => {
                self.take_goaway(payload);
                Ok(())
            }
            Kind::Ping if !head.has(frame::ACK) => {
                self.put(Head::new(payload.len(), Kind::Ping, frame::ACK, 0));
                self.out.extend_from_slice(payload);
                self.control_bytes += frame::HEAD_BYTES + payload.len();
                Ok(())
            }
            Kind::PushPromise => Err(Fault::protocol("the target pushes although it was told not to")),
            Kind::Ping | Kind::Priority | Kind::Unknown | Kind::Data => Ok(()),
        }
    }

    fn begin_data(&mut self, head: Head) -> Result<(), Fault> {
        let length = head.length as u32;
        self.received += length;
        if self.received > CONNECTION_WINDOW {
            return Err(Fault::of(
                code::FLOW_CONTROL,
                "the target sent more than the connection had room for",
            ));
        }
        if self.received > CONNECTION_WINDOW / 2 {
            let received = std::mem::take(&mut self.received);
            self.put_number(Kind::WindowUpdate, 0, received);
        }
        let is_last = head.has(frame::END_STREAM);
        let is_padded = head.has(frame::PADDED);
        let mut seat = self.seat(head.stream);
        if let Some(at) = seat {
            let seat_of = &mut self.seats[at];
            if seat_of.answer.status == 0 {
                self.spoil(at, code::PROTOCOL, "the target sent DATA before a head");
                seat = None;
            } else {
                seat_of.received += length;
                if seat_of.received > STREAM_WINDOW {
                    return Err(Fault::of(
                        code::FLOW_CONTROL,
                        "the target sent more than a stream had room for",
                    ));
                }
                if seat_of.received > STREAM_WINDOW / 2 && !is_last {
                    let received = std::mem::take(&mut seat_of.received);
                    self.put_number(Kind::WindowUpdate, head.stream, received);
                }
            }
        } else {
            self.take_late(head)?;
        }
        if length > u32::from(is_padded) {
            self.empty_data = 0;
        } else if !is_last {
            self.empty_data += 1;
            if self.empty_data > EMPTY_DATA_MAX {
                return Err(Fault::of(
                    code::ENHANCE_YOUR_CALM,
                    "the target sent DATA that holds nothing again and again",
                ));
            }
        }
        if is_padded && length == 0 {
            return Err(Fault::of(code::FRAME_SIZE, "the target sent padding without its length"));
        }
        self.data = Data { stream: head.stream, seat, is_padded, left: head.length, padding: 0, is_last };
        if length == 0 {
            self.end_data();
        }
        Ok(())
    }

    fn take_data<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], Fault> {
        let mut rest = bytes;
        if self.data.is_padded {
            let (&padding, after) = bytes.split_first().expect("the caller has some");
            rest = after;
            self.data.is_padded = false;
            self.data.padding = usize::from(padding);
            self.data.left = (self.data.left - 1)
                .checked_sub(self.data.padding)
                .ok_or_else(|| Fault::protocol("the target sent more padding than its frame holds"))?;
        }
        let (piece, rest) = rest.split_at(self.data.left.min(rest.len()));
        self.data.left -= piece.len();
        // It may have been given up meanwhile.
        let seat =
            self.data.seat.map(|at| &mut self.seats[at]).filter(|seat| seat.stream == self.data.stream);
        if let Some(seat) = seat
            && !piece.is_empty()
        {
            seat.answer.take_body(piece, seat.is_grpc, self.now);
        }
        let rest = match self.data.left {
            0 => {
                let padding = self.data.padding.min(rest.len());
                self.data.padding -= padding;
                &rest[padding..]
            }
            _ => rest,
        };
        if self.data.left + self.data.padding == 0 {
            self.end_data();
        }
        Ok(rest)
    }

    fn end_data(&mut self) {
        let data = std::mem::take(&mut self.data);
        if let Some(at) = data.seat.filter(|at| data.is_last && self.seats[*at].stream == data.stream) {
            self.finish(at);
        }
    }

    fn take_headers(&mut self, head: Head, payload: &[u8]) -> Result<(), Fault> {
        let mut block = payload;
        let unsound = || Fault::protocol("the target sent a head whose padding is larger than its frame");
        if head.has(frame::PADDED) {
            let (&padding, rest) = block.split_first().ok_or_else(unsound)?;
            block = rest.get(..rest.len().saturating_sub(padding.into())).ok_or_else(unsound)?;
            if usize::from(padding) > rest.len() {
                return Err(unsound());
            }
        }
        if head.has(frame::PRIORITY) {
            block = block.get(frame::PRIORITY_BYTES..).ok_or_else(unsound)?;
        }
        self.empty_data = 0;
        let is_last = head.has(frame::END_STREAM);
        if head.has(frame::END_HEADERS) {
            return self.take_block(head.stream, is_last, block);
        }
        self.block_bytes.clear();
        self.block_bytes.extend_from_slice(block);
        self.block = Some(Block { stream: head.stream, is_last, pieces: 1 });
        Ok(())
    }

    fn take_continuation(&mut self, head: Head, payload: &[u8]) -> Result<(), Fault> {
        let Some(block) = &mut self.block else { return Ok(()) };
        block.pieces += 1;
        let (stream, is_last, pieces) = (block.stream, block.is_last, block.pieces);
        if pieces > CONTINUATIONS_MAX || self.block_bytes.len() + payload.len() > HEAD_BYTES_MAX {
            return Err(Fault::of(code::ENHANCE_YOUR_CALM, "the target sent a head larger than 64 KiB"));
        }
        self.block_bytes.extend_from_slice(payload);
        if head.has(frame::END_HEADERS) {
            self.block = None;
            let bytes = std::mem::take(&mut self.block_bytes);
            return self.take_block(stream, is_last, &bytes);
        }
        Ok(())
    }

    fn take_block(&mut self, stream: u32, is_last: bool, block: &[u8]) -> Result<(), Fault> {
        let seat = self.seat(stream);
        if seat.is_none() {
            self.take_late(Head::new(block.len(), Kind::Headers, 0, stream))?;
        }
        let wanted = seat.map(|at| &self.seats[at].answer).map_or_else(Wanted::default, |answer| Wanted {
            message: answer.keep > 0,
            captured: answer.captured.is_some(),
        });
        let mut fields = Fields::default();
        // Read in any case: later heads may refer to it.
        self.decoder.decode(block, |known, text| fields.take(known, text, wanted)).map_err(|_| {
            Fault::of(code::COMPRESSION, "the target sent a head that cannot be read, or is too large")
        })?;
        let Some(at) = seat else { return Ok(()) };
        match self.seats[at].answer.take_head(fields, is_last, self.now) {
            Err(why) => self.spoil(at, code::PROTOCOL, why),
            Ok(()) if is_last => self.finish(at),
            Ok(()) => {}
        }
        Ok(())
    }

    fn take_settings(&mut self, head: Head, payload: &[u8]) -> Result<(), Fault> {
        if !std::mem::replace(&mut self.is_agreed, true) {
            // Unless it says otherwise now, the target allows any number (RFC 9113, 6.5.2).
            self.streams_max = u32::MAX;
        }
        if head.has(frame::ACK) {
            return Ok(());
        }
        for entry in payload.chunks_exact(6) {
            let (name, value) = (u16::from_be_bytes([entry[0], entry[1]]), &entry[2..]);
            let value = value.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
            match (name, value) {
                (2, 1..) => return Err(Fault::protocol("the target's SETTINGS allow it to push")),
                (3, _) => self.streams_max = value,
                (4, 0..=WINDOW_MAX) => self.change_windows(value.into())?,
                (4, _) => {
                    return Err(Fault::of(
                        code::FLOW_CONTROL,
                        "the target's SETTINGS have too large a window",
                    ));
                }
                (5, 16_384..=0x00ff_ffff) => {}
                (5, _) => {
                    return Err(Fault::protocol(
                        "the target's SETTINGS have a size of frames that cannot be",
                    ));
                }
                _ => {}
            }
        }
        self.put(Head::new(0, Kind::Settings, frame::ACK, 0));
        self.control_bytes += frame::HEAD_BYTES;
        Ok(())
    }

    /// Windows of streams grow and shrink with what they begin with; they may fall below 0.
    fn change_windows(&mut self, first: i64) -> Result<(), Fault> {
        let more = first - self.first_window;
        self.first_window = first;
        for seat in self.seats.iter_mut().filter(|seat| seat.stream != 0) {
            seat.send_window += more;
            if seat.send_window > WINDOW_MAX.into() {
                return Err(Fault::of(code::FLOW_CONTROL, "the target gave a stream too large a window"));
            }
        }
        if more > 0 {
            self.wake_senders();
        }
        Ok(())
    }

    fn take_window(&mut self, head: Head, more: u32) -> Result<(), Fault> {
        if head.stream == 0 {
            self.send_window += i64::from(more);
            if more == 0 || self.send_window > WINDOW_MAX.into() {
                return Err(Fault::of(
                    code::FLOW_CONTROL,
                    "the target gave the connection a window that cannot be",
                ));
            }
            self.wake_senders();
            return Ok(());
        }
        let Some(at) = self.seat(head.stream) else { return self.take_late(head) };
        self.seats[at].send_window += i64::from(more);
        if more == 0 || self.seats[at].send_window > WINDOW_MAX.into() {
            self.spoil(at, code::FLOW_CONTROL, "the target gave a stream a window that cannot be");
        } else if self.seats[at].is_sending {
            self.wake(at);
        }
        Ok(())
    }

    fn take_reset(&mut self, head: Head, payload: &[u8]) -> Result<(), Fault> {
        let Some(at) = self.seat(head.stream) else { return self.take_late(head) };
        let is_refused = payload == code::REFUSED_STREAM.to_be_bytes() && self.seats[at].answer.status == 0;
        let class = ErrorClass::Reset;
        self.close(at, Err(if is_refused { Verdict::Refused(class) } else { Verdict::Failed(class) }));
        Ok(())
    }

    fn take_goaway(&mut self, payload: &[u8]) {
        self.is_closing = true;
        let last = frame::number(payload);
        let is_in_order = payload[4..8] == code::NO_ERROR.to_be_bytes();
        for at in 0..self.seats.len() {
            let seat = &self.seats[at];
            if seat.stream > last {
                let is_untouched = is_in_order && seat.answer.status == 0;
                let class = ErrorClass::ClosedEarly;
                self.close(
                    at,
                    Err(if is_untouched { Verdict::Untouched(class) } else { Verdict::Failed(class) }),
                );
            }
        }
        // Those who wait to begin must look again.
        self.has_woken = true;
    }

    /// A frame for a stream that nobody sits on.
    fn take_late(&mut self, head: Head) -> Result<(), Fault> {
        if head.stream >= self.next_stream || head.stream.is_multiple_of(2) {
            return Err(Fault::protocol("the target sent a frame on a stream that was not opened"));
        }
        let cost = head.length as u64 + LATE_FRAME_BYTES;
        self.late_bytes = self.late_bytes.checked_sub(cost).ok_or_else(|| {
            Fault::of(code::ENHANCE_YOUR_CALM, "the target goes on with streams that are over")
        })?;
        Ok(())
    }

    /// Whose stream it is.
    #[inline]
    fn seat(&mut self, stream: u32) -> Option<usize> {
        let (before, from) = self.seats.split_at(self.found);
        let at = from.iter().chain(before).position(|seat| seat.stream == stream)?;
        self.found = (self.found + at) % self.seats.len();
        let at = self.found;
        self.found = (at + 1) % self.seats.len();
        Some(at)
    }

    /// An answer is whole.
    fn finish(&mut self, at: usize) {
        let seat = &mut self.seats[at];
        if !seat.answer.is_whole(seat.is_head) {
            return self.spoil(
                at,
                code::PROTOCOL,
                "the target sent an answer that is not as long as it said",
            );
        }
        self.has_answered = true;
        seat.answer.last_byte = self.now;
        if seat.is_sending {
            // It did not wait for the whole request.
            self.reset(at, code::CANCEL);
        }
        self.close(at, Ok(()));
    }

    /// The target broke the rules for one stream.
    fn spoil(&mut self, at: usize, reason: u32, why: &'static str) {
        self.trouble = Some(why);
        self.reset(at, reason);
        self.close(at, Err(Verdict::Failed(ErrorClass::Protocol)));
    }

    fn reset(&mut self, at: usize, reason: u32) {
        let seat = &mut self.seats[at];
        let stream = std::mem::take(&mut seat.stream);
        self.late_bytes += u64::from(STREAM_WINDOW - seat.received.min(STREAM_WINDOW)) + LATE_RESET_BYTES;
        self.put_number(Kind::Reset, stream, reason);
    }

    fn close(&mut self, at: usize, ended: Result<(), Verdict>) {
        self.seats[at].stream = 0;
        self.seats[at].ended = Some(ended);
        self.wake(at);
    }

    fn wake(&mut self, at: usize) {
        self.has_woken = true;
        if let Some(waker) = &self.seats[at].waker {
            waker.wake_by_ref();
        }
    }

    fn wake_senders(&mut self) {
        for at in 0..self.seats.len() {
            if self.seats[at].is_sending && self.seats[at].stream != 0 {
                self.wake(at);
            }
        }
    }

    #[inline]
    fn put(&mut self, head: Head) {
        self.out.extend_from_slice(&head.bytes());
    }

    fn put_number(&mut self, kind: Kind, stream: u32, number: u32) {
        self.put(Head::new(4, kind, 0, stream));
        self.out.extend(number.to_be_bytes());
        self.control_bytes += frame::HEAD_BYTES + 4;
    }
}

fn not_http2() -> Fault {
    Fault { class: ErrorClass::WrongProtocol, code: code::PROTOCOL, why: "the target answers in HTTP/1" }
}

impl Answer {
    /// When its first byte came; of gRPC, that of its first message.
    pub(super) fn first_byte(&self) -> Option<u64> {
        self.first_byte
    }

    /// When it was whole.
    pub(super) fn last_byte(&self) -> u64 {
        self.last_byte
    }

    /// Makes ready for the next one, of whose body so many bytes are kept.
    fn clear(&mut self, keep: usize) {
        let (mut body, mut message) = (std::mem::take(&mut self.body), std::mem::take(&mut self.message));
        body.clear();
        message.clear();
        *self = Self { body, message, keep, is_sound: true, ..Self::default() };
    }

    fn take_head(&mut self, fields: Fields, is_last: bool, now: u64) -> Result<(), &'static str> {
        if fields.is_unsound {
            return Err("the target sent a head with a field that cannot be read");
        }
        match (self.status, fields.status) {
            (0, None) => return Err("the target sent a head without a status"),
            (0, Some(100..=199)) if is_last => return Err("the target ended an answer before its head"),
            (0, Some(100..=199)) => {
                self.interim += 1;
                return if self.interim > INTERIM_MAX {
                    Err("the target sent too many heads")
                } else {
                    Ok(())
                };
            }
            (0, Some(status)) => {
                self.status = status;
                self.length = fields.length;
                self.is_grpc = fields.is_grpc;
                if self.captured.is_some() {
                    self.captured = fields.captured.or_else(|| Some(Box::default()));
                }
                self.first_byte = Some(now);
            }
            (_, None) if is_last => {}
            _ => return Err("the target sent a second head"),
        }
        if self.code.is_none() {
            self.code = fields.code;
            self.message = fields.message;
        }
        Ok(())
    }

    #[inline]
    fn take_body(&mut self, piece: &[u8], is_call: bool, now: u64) {
        if is_call {
            if self.body_bytes == 0 {
                self.first_byte = Some(now);
            }
            self.is_sound &= !self.is_grpc || self.frames.feed(piece).is_ok();
        }
        self.body_bytes += piece.len() as u64;
        if self.keep > self.body.len() {
            self.body.extend_from_slice(&piece[..piece.len().min(self.keep - self.body.len())]);
        }
    }

    /// Whether its body is as long as its head says.
    fn is_whole(&self, is_to_head: bool) -> bool {
        self.status != 0
            && (is_to_head
                || matches!(self.status, 204 | 304)
                || self.length.is_none_or(|length| length == self.body_bytes))
    }
}

impl Fields {
    fn take(&mut self, known: Known, text: Text<'_>, wanted: Wanted) {
        match known {
            Known::Status => match text.number() {
                Some(status @ 100..=999) if self.status.is_none() => self.status = Some(status as u16),
                _ => self.is_unsound = true,
            },
            Known::ContentLength => match text.number() {
                Some(length) if self.length.is_none_or(|known| known == length) => self.length = Some(length),
                _ => self.is_unsound = true,
            },
            Known::ContentType => self.is_grpc = text.starts_with(b"application/grpc"),
            Known::GrpcStatus => {
                self.code.get_or_insert_with(|| status::given(text.number()));
            }
            Known::GrpcMessage if wanted.message => match text.to_vec() {
                Ok(mut message) => {
                    message.truncate(MESSAGE_BYTES_MAX);
                    self.message = message;
                }
                Err(_) => self.is_unsound = true,
            },
            Known::Location if wanted.captured => match text.to_vec() {
                Ok(value) => self.captured.get_or_insert_default().take_location(&value),
                Err(_) => self.is_unsound = true,
            },
            Known::SetCookie if wanted.captured => match text.to_vec() {
                Ok(value) => self.captured.get_or_insert_default().take_cookie(&value),
                Err(_) => self.is_unsound = true,
            },
            Known::GrpcMessage | Known::Location | Known::SetCookie => {}
        }
    }
}

/// See [`super::super::http2_statuses`].
pub(in crate::load) fn statuses(
    bytes: &[u8],
    piece_bytes: usize,
    requests: usize,
) -> (Vec<Option<u16>>, bool) {
    let mut conn = Conn::new(requests);
    let head = Head::new(0, Kind::Headers, frame::END_HEADERS | frame::END_STREAM, 0).bytes();
    let request = Prebuilt {
        head: head.into(),
        body: Vec::new(),
        is_grpc: true,
        is_head: false,
        is_idempotent: false,
        is_followed: false,
    };
    for at in 0..requests {
        conn.begin(at, &request, None, 0);
    }
    let mut is_sound = true;
    for piece in bytes.chunks(piece_bytes.max(1)) {
        if let Err(fault) = conn.receive(piece, 0) {
            conn.fail(fault);
            is_sound = false;
            break;
        }
        conn.note_sent(conn.unsent().len());
    }
    conn.end(ErrorClass::ClosedEarly);
    let status = |at| conn.ended(at).and_then(|(ended, answer)| ended.is_ok().then_some(answer.status));
    ((0..requests).map(status).collect(), is_sound)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

    fn frame(kind: Kind, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Head::new(payload.len(), kind, flags, stream).bytes().to_vec();
        // A kind that nobody knows.
        bytes[3] = if kind == Kind::Unknown { 0xbb } else { bytes[3] };
        bytes.extend(payload);
        bytes
    }

    fn request(body: &[u8]) -> Prebuilt {
        let flags = frame::END_HEADERS | if body.is_empty() { frame::END_STREAM } else { 0 };
        let head = frame(Kind::Headers, flags, 0, &[0x82]);
        Prebuilt {
            head: head.into(),
            body: body.to_vec(),
            is_grpc: false,
            is_head: false,
            is_idempotent: true,
            is_followed: false,
        }
    }

    /// A connection on which this was agreed and that has a request on each seat, nothing unsent.
    fn agreed(seats: usize, settings: &[u8], body: &[u8]) -> Conn {
        let mut conn = Conn::new(seats);
        conn.receive(&frame(Kind::Settings, 0, 0, settings), 0).expect("settings");
        for at in 0..seats {
            assert!(conn.begin(at, &request(body), None, 0));
        }
        conn.note_sent(conn.unsent().len());
        conn
    }

    fn ended(conn: &mut Conn, at: usize) -> Option<Result<u16, Verdict>> {
        conn.ended(at).map(|(ended, answer)| ended.map(|()| answer.status))
    }

    #[test]
    fn it_begins_with_the_preface_and_what_is_asked_for() {
        let conn = Conn::new(1);
        let (preface, rest) = conn.unsent().split_at(frame::PREFACE.len());
        assert_eq!(preface, frame::PREFACE);
        let head = Head::read(rest.first_chunk().expect("a head"));
        assert_eq!((head.kind, head.length), (Kind::Settings, 24));
        let window = &rest[frame::HEAD_BYTES + head.length..];
        assert_eq!(
            window,
            frame(Kind::WindowUpdate, 0, 0, &(CONNECTION_WINDOW - WINDOW_FIRST).to_be_bytes())
        );
    }

    #[test]
    fn a_body_goes_out_as_windows_have_room() {
        let body = vec![7; 50_000];
        // Streams begin with 10 bytes.
        let mut conn = agreed(2, &[0, 4, 0, 0, 0, 10], &body);
        assert_eq!((conn.send_body(0, &body, 0), conn.send_body(1, &body, 0)), (10, 10));
        assert_eq!(conn.unsent()[..frame::HEAD_BYTES], Head::new(10, Kind::Data, 0, 1).bytes());
        assert_eq!(conn.send_body(0, &body, 10), 0);
        conn.receive(&frame(Kind::WindowUpdate, 0, 1, &[0, 0, 0, 5]), 0).expect("room");
        assert_eq!(conn.send_body(0, &body, 10), 5);
        // Shrunk below what was sent: room of 8 takes it to 3 more.
        conn.receive(&frame(Kind::Settings, 0, 0, &[0, 4, 0, 0, 0, 5]), 0).expect("settings");
        assert_eq!(conn.send_body(0, &body, 15), 0);
        conn.receive(&frame(Kind::WindowUpdate, 0, 1, &[0, 0, 0, 8]), 0).expect("room");
        assert_eq!(conn.send_body(0, &body, 15), 3);
        conn.receive(&frame(Kind::WindowUpdate, 0, 1, &[0, 1, 0, 0]), 0).expect("room");
        conn.note_sent(conn.unsent().len());
        let sent = conn.send_body(0, &body, 18);
        assert_eq!(sent, body.len() - 18);
        let last = Head::new(sent - 3 * PAYLOAD_BYTES_MAX, Kind::Data, frame::END_STREAM, 1);
        let at = 3 * (PAYLOAD_BYTES_MAX + frame::HEAD_BYTES);
        assert_eq!(conn.unsent().get(at..at + frame::HEAD_BYTES).map(<[u8]>::to_vec), {
            let is_four = sent > 3 * PAYLOAD_BYTES_MAX;
            is_four.then(|| last.bytes().to_vec())
        });
        assert!(!conn.can_send(0));
        // What the whole connection has room for: 65 535, of which 50 010 are used.
        conn.receive(&frame(Kind::WindowUpdate, 0, 3, &[0, 1, 0, 0]), 0).expect("room");
        assert_eq!(conn.send_body(1, &body, 10), 65_535 - 50_010);
    }

    #[test]
    fn what_has_left_is_let_go_of_though_more_is_always_laid_out() {
        let body = vec![7; 64 * UNSENT_BYTES_MAX];
        let window = [0, 4, 0x7f, 0xff, 0xff, 0xff];
        let mut conn = agreed(1, &window, &body);
        conn.receive(&frame(Kind::WindowUpdate, 0, 0, &[0x7f, 0, 0, 0]), 0).expect("room");
        let mut sent = 0;
        while sent < body.len() {
            sent += conn.send_body(0, &body, sent);
            assert!(!conn.unsent().is_empty());
            // A socket that takes a part each time, never all.
            conn.note_sent(conn.unsent().len().min(50_000));
            assert!(conn.out.len() <= 2 * UNSENT_BYTES_MAX + 2 * PAYLOAD_BYTES_MAX, "{}", conn.out.len());
        }
    }

    #[test]
    fn answers_find_their_seats_in_any_order() {
        let mut conn = agreed(3, &[], &[]);
        for stream in [5, 1, 3] {
            let head = frame(
                Kind::Headers,
                frame::END_HEADERS | frame::END_STREAM,
                stream,
                &[0x88 + stream as u8 % 3],
            );
            conn.receive(&head, 0).expect("an answer");
        }
        let statuses: Vec<_> = (0..3).map(|at| ended(&mut conn, at)).collect();
        assert_eq!(statuses, [Some(Ok(204)), Some(Ok(200)), Some(Ok(206))]);
        assert_eq!(ended(&mut conn, 0), None);
    }

    #[test]
    fn what_comes_late_for_a_stream_that_was_reset_is_ignored_within_bounds() {
        let mut conn = agreed(1, &[], &[]);
        conn.give_up(0);
        assert_eq!(conn.unsent(), frame(Kind::Reset, 0, 1, &[0, 0, 0, 8]));
        let late = frame(Kind::Headers, frame::END_HEADERS, 1, &[0x88]);
        conn.receive(&late, 0).expect("late");
        let data = frame(Kind::Data, 0, 1, &[0; PAYLOAD_BYTES_MAX]);
        let most = 2 * STREAM_WINDOW as usize / PAYLOAD_BYTES_MAX;
        let taken = (0..most).take_while(|_| conn.receive(&data, 0).is_ok()).count();
        assert!(taken >= STREAM_WINDOW as usize / PAYLOAD_BYTES_MAX && taken < most, "{taken}");
    }

    #[test]
    fn an_answer_is_as_long_as_it_says() {
        let mut conn = agreed(1, &[], &[]);
        // content-length: 3
        let head = frame(Kind::Headers, frame::END_HEADERS, 1, &[0x88, 0x0f, 0x0d, 1, b'3']);
        let padded = frame(Kind::Data, frame::END_STREAM | frame::PADDED, 1, &[2, b'a', b'b', 0, 0]);
        conn.receive(&[head.clone(), padded].concat(), 0).expect("frames");
        assert_eq!(ended(&mut conn, 0), Some(Err(Verdict::Failed(ErrorClass::Protocol))));
        assert!(conn.take_trouble().is_some());
        let mut conn = agreed(1, &[], &[]);
        let padded = frame(Kind::Data, frame::END_STREAM | frame::PADDED, 1, &[1, b'a', b'b', b'c', 0]);
        conn.receive(&[head, padded].concat(), 0).expect("frames");
        assert_eq!(ended(&mut conn, 0), Some(Ok(200)));
    }

    #[test]
    fn what_breaks_the_rules_breaks_the_connection() {
        let empty = frame(Kind::Data, 0, 1, &[]).repeat(EMPTY_DATA_MAX as usize + 1);
        let head = frame(Kind::Headers, frame::END_HEADERS, 1, &[0x88]);
        let pieces = frame(Kind::Continuation, 0, 1, &[]).repeat(CONTINUATIONS_MAX as usize);
        for (what, bytes) in [
            ("a push", frame(Kind::PushPromise, frame::END_HEADERS, 1, &[0, 0, 0, 2, 0x82])),
            ("a stream of its own", frame(Kind::Headers, frame::END_HEADERS, 2, &[0x88])),
            ("a stream that nobody opened", frame(Kind::Reset, 0, 9, &[0; 4])),
            ("a head that goes on alone", frame(Kind::Continuation, 0, 1, &[])),
            (
                "a frame within a head",
                [frame(Kind::Headers, 0, 1, &[0x88]), frame(Kind::Ping, 0, 0, &[0; 8])].concat(),
            ),
            ("too many pieces", [frame(Kind::Headers, 0, 1, &[0x88]), pieces].concat()),
            ("DATA that holds nothing", [head.clone(), empty].concat()),
            ("padding beyond its frame", [head, frame(Kind::Data, frame::PADDED, 1, &[5, 0])].concat()),
            ("a window of 0", frame(Kind::WindowUpdate, 0, 0, &[0; 4])),
            ("a window that is too large", frame(Kind::Settings, 0, 0, &[0, 4, 0x80, 0, 0, 0])),
            ("a size of frames", frame(Kind::Settings, 0, 0, &[0, 5, 0, 0, 0, 1])),
        ] {
            let mut conn = agreed(1, &[], &[]);
            let fault = conn.receive(&bytes, 0).expect_err(what);
            conn.fail(fault);
            assert_eq!(ended(&mut conn, 0), Some(Err(Verdict::Failed(ErrorClass::Protocol))), "{what}");
        }
        let fault = Conn::new(1).receive(b"HTTP/1.1 400", 0).expect_err("HTTP/1");
        assert_eq!(fault.class, ErrorClass::WrongProtocol);
        let fault = Conn::new(1).receive(&frame(Kind::Ping, 0, 0, &[0; 8]), 0).expect_err("no SETTINGS");
        assert_eq!(fault.class, ErrorClass::Protocol);
    }

    #[test]
    fn reading_stops_while_answers_to_the_target_do_not_leave() {
        let mut conn = agreed(1, &[], &[]);
        let ping = frame(Kind::Ping, 0, 0, &[1; 8]);
        let fits = (0..10_000).take_while(|_| conn.may_read() && conn.receive(&ping, 0).is_ok()).count();
        assert!(fits < 10_000 && conn.unsent().len() < CONTROL_BYTES_MAX + 100);
        conn.note_sent(conn.unsent().len());
        assert!(conn.may_read());
    }

    /// Frames and what is nearly one, for up to three streams.
    fn frames_like() -> impl Strategy<Value = Vec<u8>> {
        let kinds = vec![
            Kind::Data,
            Kind::Headers,
            Kind::Priority,
            Kind::Reset,
            Kind::Settings,
            Kind::Ping,
            Kind::GoAway,
            Kind::WindowUpdate,
            Kind::Continuation,
            Kind::Unknown,
        ];
        let any_frame = (
            proptest::sample::select(kinds),
            any::<u8>(),
            0u32..9,
            proptest::collection::vec(any::<u8>(), 0..20),
        )
            .prop_map(|(kind, flags, stream, payload)| frame(kind, flags, stream, &payload));
        let head = (prop_oneof![Just(4u8), Just(5), Just(0)], proptest::sample::select(vec![1u32, 3, 5]))
            .prop_map(|(flags, stream)| {
                frame(Kind::Headers, flags, stream, &[0x88, 0x40, 1, b'x', 1, b'y', 0xbe])
            });
        let data = (0u8..2, proptest::sample::select(vec![1u32, 3, 5]), 0usize..40)
            .prop_map(|(flags, stream, length)| frame(Kind::Data, flags, stream, &vec![0; length]));
        let piece = prop_oneof![
            2 => any_frame,
            4 => head,
            3 => data,
            1 => Just(SETTINGS.to_vec()),
            1 => proptest::collection::vec(any::<u8>(), 0..12),
        ];
        proptest::collection::vec(piece, 0..20)
            .prop_map(|pieces| [SETTINGS.to_vec(), pieces.concat()].concat())
    }

    proptest! {
        #[test]
        fn whatever_a_target_sends_is_read_alike_however_it_is_split(bytes in frames_like(), piece in 1usize..40) {
            let whole = statuses(&bytes, bytes.len(), 3);
            prop_assert_eq!(statuses(&bytes, piece, 3), whole.clone());
            prop_assert_eq!(statuses(&bytes, 1, 3), whole);
        }

        #[test]
        fn whatever_a_target_sends_little_of_it_is_kept(bytes in frames_like()) {
            let mut conn = agreed(3, &[], &[]);
            for piece in bytes.chunks(7) {
                if conn.receive(piece, 0).is_err() {
                    break;
                }
                prop_assert!(conn.partial.len() < frame::HEAD_BYTES + PAYLOAD_BYTES_MAX);
                prop_assert!(conn.block_bytes.len() <= HEAD_BYTES_MAX);
                // Less than three times what made us send it.
                prop_assert!(conn.unsent().len() <= 3 * bytes.len());
            }
        }
    }
}
