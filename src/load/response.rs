//! Reads HTTP/1.1 answers as their bytes come: pure, incremental, and without keeping a body.

use std::mem::MaybeUninit;

use super::redirect::LOCATION_BYTES_MAX;

/// The largest head of an answer, trailers alike, in bytes.
pub(super) const HEAD_BYTES_MAX: usize = 64 * 1024;
/// A longer head is parsed each time, so that what a connection costs stays small.
const KNOWN_BYTES_MAX: usize = 1024;
/// The most headers in an answer.
pub(super) const HEADERS_MAX: usize = 128;
/// The longest line that announces a chunk, extensions included, in bytes.
pub(super) const CHUNK_LINE_BYTES_MAX: usize = 4096;

/// The most answers of class 1xx before the real one.
pub(super) const INTERIM_MAX: u8 = 16;
/// The most `Set-Cookie` headers of one answer that are looked at.
const SET_COOKIES_MAX: usize = 50;

/// Reads one answer after another from one connection.
#[derive(Debug)]
pub(super) struct Reader {
    state: State,
    /// The part of a head that has come so far; empty while heads come in one piece.
    head: Vec<u8>,
    head_request: bool,
    status: u16,
    close: bool,
    known: Known,
    /// Answers of class 1xx so far.
    interim: u8,
    /// What is kept of a head's headers; none where nobody asks, and then they are not looked at.
    captured: Option<Box<Captured>>,
}

/// The headers of an answer that a later request depends on.
#[derive(Debug, Default)]
pub(super) struct Captured {
    /// Of `Location`; empty for none.
    pub(super) location: Vec<u8>,
    /// All of `Set-Cookie`, one after another.
    cookies: Vec<u8>,
    /// Where each ends.
    cookie_ends: Vec<usize>,
}

/// The last head that came in one piece, and what it said. A server's answers mostly begin alike but for a date that
/// changes each second, and comparing costs a twentieth of parsing.
#[derive(Debug, Default)]
struct Known {
    bytes: Vec<u8>,
    head: Option<Head>,
    /// The answer that began with it, where it ends with so many bytes as the head says; none otherwise.
    answer: Option<Answer>,
}

/// A whole answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Whether the connection cannot be used again.
    pub(super) close: bool,
    /// How many of the bytes just fed were part of it.
    pub(super) used: usize,
}

/// The bytes are not an answer, or break a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// What is expected next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    /// So many bytes of a body.
    Fixed(u64),
    /// Everything until the connection is closed.
    UntilClose,
    Chunk(Chunk),
}

/// What is expected next in a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chunk {
    /// Hexadecimal digits of a length; so many digits and bytes of the line have come.
    Size {
        size: u64,
        digits: u8,
    },
    /// The rest of the line after the length.
    Extension {
        size: u64,
        line_bytes: usize,
    },
    /// The line feed after a length.
    SizeEnd {
        size: u64,
    },
    Data {
        left: u64,
    },
    /// The line break after a chunk's data.
    DataReturn,
    DataFeed,
    /// A trailer line; whether it has any byte yet, and the bytes of all trailers.
    Trailer {
        empty: bool,
        bytes: usize,
    },
    /// The line feed that ends a trailer line.
    TrailerFeed {
        empty: bool,
        bytes: usize,
    },
}

impl Reader {
    /// `head_request`: answers have no body, whatever their head says.
    pub(super) fn new(head_request: bool) -> Self {
        Self {
            state: State::Head,
            head: Vec::new(),
            head_request,
            status: 0,
            close: false,
            known: Known::default(),
            interim: 0,
            captured: None,
        }
    }

    /// As [`Self::new`], of answers whose cookies and redirects matter.
    pub(super) fn capturing() -> Self {
        Self { captured: Some(Box::default()), ..Self::new(false) }
    }

    /// What the last answer asks for; none unless [`Self::capturing`].
    pub(super) fn captured(&self) -> Option<&Captured> {
        self.captured.as_deref()
    }

    /// The next answer is to such a request.
    pub(super) fn expect(&mut self, head_request: bool) {
        if head_request != self.head_request {
            // Where a body ends depends on it.
            self.known.forget();
            self.head_request = head_request;
        }
    }

    /// Forgets an answer that did not become whole.
    pub(super) fn reset(&mut self) {
        self.state = State::Head;
        self.head.clear();
        self.interim = 0;
    }

    /// Takes the next bytes. None: more are needed. After an answer the reader is ready for the next one.
    #[inline]
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<Option<Answer>, Malformed> {
        match self.known.answer {
            Some(answer)
                if answer.used == bytes.len()
                    && self.state == State::Head
                    && self.head.is_empty()
                    && self.interim == 0
                    && bytes.starts_with(&self.known.bytes) =>
            {
                Ok(Some(answer))
            }
            _ => self.feed_any(bytes),
        }
    }

    /// Of bytes that are not one whole answer like the last.
    fn feed_any(&mut self, bytes: &[u8]) -> Result<Option<Answer>, Malformed> {
        let mut used = 0;
        loop {
            let rest = &bytes[used..];
            let (taken, whole) = match self.state {
                State::Head => self.take_head(rest)?,
                State::Fixed(left) => {
                    let taken = left.min(rest.len() as u64);
                    self.state = State::Fixed(left - taken);
                    (taken as usize, left == taken)
                }
                State::UntilClose => (rest.len(), false),
                State::Chunk(_) => self.take_chunks(rest)?,
            };
            used += taken;
            if whole {
                self.state = State::Head;
                return Ok(Some(Answer { status: self.status, close: self.close, used }));
            }
            if used == bytes.len() {
                return Ok(None);
            }
        }
    }

    /// The connection was closed. An answer, if that is how its body ends.
    pub(super) fn end(&mut self) -> Result<Option<Answer>, Malformed> {
        let state = self.state;
        if state == State::Head && !self.head.is_empty() {
            // What was kept may already be wrong although no line of it is whole.
            let head = std::mem::take(&mut self.head);
            parse_head(&head, self.head_request, None)?;
        }
        self.reset();
        let answer = Answer { status: self.status, close: true, used: 0 };
        Ok((state == State::UntilClose).then_some(answer))
    }

    /// Bytes used, and whether the answer is whole with its head.
    fn take_head(&mut self, bytes: &[u8]) -> Result<(usize, bool), Malformed> {
        if self.head.is_empty() {
            if let Some(head) = self.known.head.filter(|_| bytes.starts_with(&self.known.bytes)) {
                return self.begin_body(head).map(|whole| (head.bytes, whole));
            }
            if let Some(head) = parse_head(bytes, self.head_request, self.captured.as_deref_mut())? {
                if self.captured.is_none() {
                    self.known.learn(bytes, head);
                }
                return self.begin_body(head).map(|whole| (head.bytes, whole));
            }
            return self.keep_head(bytes).map(|()| (bytes.len(), false));
        }
        let before = self.head.len();
        self.keep_head(bytes)?;
        // Only a line's end can end a head: bytes that trickle in are not parsed anew each time.
        if !bytes.contains(&b'\n') {
            return Ok((bytes.len(), false));
        }
        let Some(head) = parse_head(&self.head, self.head_request, self.captured.as_deref_mut())? else {
            return Ok((bytes.len(), false));
        };
        self.head.clear();
        self.begin_body(head).map(|whole| (head.bytes - before, whole))
    }

    fn keep_head(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        // What is kept has no end of a head in the part before the limit, or the head is too large.
        let room = HEAD_BYTES_MAX.saturating_sub(self.head.len());
        self.head.extend_from_slice(&bytes[..bytes.len()]);
        if bytes.len() > room && parse_head(&self.head, self.head_request, None)?.is_none() {
            return Err(Malformed);
        }
        Ok(())
    }

    fn begin_body(&mut self, head: Head) -> Result<bool, Malformed> {
        if head.bytes > HEAD_BYTES_MAX {
            return Err(Malformed);
        }
        if head.interim {
            self.interim += 1;
            self.state = State::Head;
            return if self.interim > INTERIM_MAX { Err(Malformed) } else { Ok(false) };
        }
        self.interim = 0;
        self.status = head.status;
        self.close = head.close;
        self.state = match head.body {
            BodyKind::None | BodyKind::Fixed(0) => return Ok(true),
            BodyKind::Fixed(length) => State::Fixed(length),
            BodyKind::Chunked => State::Chunk(Chunk::START),
            BodyKind::UntilClose => State::UntilClose,
        };
        Ok(false)
    }

    fn take_chunks(&mut self, bytes: &[u8]) -> Result<(usize, bool), Malformed> {
        let State::Chunk(mut chunk) = self.state else { return Ok((0, false)) };
        let mut used = 0;
        while let Some(&byte) = bytes.get(used) {
            if let Chunk::Data { left } = chunk {
                let taken = left.min((bytes.len() - used) as u64);
                used += taken as usize;
                chunk = if left == taken { Chunk::DataReturn } else { Chunk::Data { left: left - taken } };
                continue;
            }
            used += 1;
            let Some(next) = chunk.after(byte)? else { return Ok((used, true)) };
            chunk = next;
        }
        self.state = State::Chunk(chunk);
        Ok((used, false))
    }
}

impl Known {
    fn forget(&mut self) {
        (self.head, self.answer) = (None, None);
    }

    fn learn(&mut self, bytes: &[u8], head: Head) {
        self.head = bytes.get(..head.bytes).filter(|bytes| bytes.len() <= KNOWN_BYTES_MAX).map(|bytes| {
            self.bytes.clear();
            self.bytes.extend_from_slice(bytes);
            head
        });
        self.answer = self.head.and_then(Head::whole_answer);
    }
}

/// See [`super::http1_statuses`].
pub(super) fn statuses(bytes: &[u8], piece_bytes: usize) -> (Vec<u16>, bool) {
    let read = statuses_by(Reader::new(false), bytes, piece_bytes);
    // One of them remembers heads, the other looks into each.
    debug_assert_eq!(read, statuses_by(Reader::capturing(), bytes, piece_bytes));
    read
}

fn statuses_by(mut reader: Reader, bytes: &[u8], piece_bytes: usize) -> (Vec<u16>, bool) {
    let mut answers = Vec::new();
    for mut piece in bytes.chunks(piece_bytes.max(1)) {
        while !piece.is_empty() {
            match reader.feed(piece) {
                Ok(Some(answer)) => {
                    answers.push(answer.status);
                    piece = &piece[answer.used..];
                    if answer.close {
                        return (answers, true);
                    }
                }
                Ok(None) => break,
                Err(Malformed) => return (answers, false),
            }
        }
    }
    match reader.end() {
        Ok(last) => {
            answers.extend(last.map(|answer| answer.status));
            (answers, true)
        }
        Err(Malformed) => (answers, false),
    }
}

impl Chunk {
    const START: Self = Self::Size { size: 0, digits: 0 };

    /// The state after one byte of framing; none when the body is over.
    fn after(self, byte: u8) -> Result<Option<Self>, Malformed> {
        Ok(Some(match (self, byte) {
            (Self::Size { size, digits }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') if digits < 16 => {
                let digit = char::from(byte).to_digit(16).ok_or(Malformed)?;
                Self::Size { size: size << 4 | u64::from(digit), digits: digits + 1 }
            }
            (Self::Size { size, digits: 1.. }, b'\r') => Self::SizeEnd { size },
            (Self::Size { size, digits: 1.. }, b';' | b' ' | b'\t') => {
                Self::Extension { size, line_bytes: 1 }
            }
            (Self::Extension { size, .. }, b'\r') => Self::SizeEnd { size },
            (Self::Extension { size, line_bytes }, _)
                if line_bytes < CHUNK_LINE_BYTES_MAX && byte != b'\n' =>
            {
                Self::Extension { size, line_bytes: line_bytes + 1 }
            }
            (Self::SizeEnd { size: 0 }, b'\n') => Self::Trailer { empty: true, bytes: 0 },
            (Self::SizeEnd { size }, b'\n') => Self::Data { left: size },
            (Self::DataReturn, b'\r') => Self::DataFeed,
            (Self::DataFeed, b'\n') => Self::START,
            (Self::Trailer { empty, bytes }, b'\r') => Self::TrailerFeed { empty, bytes },
            (Self::TrailerFeed { empty: true, .. }, b'\n') => return Ok(None),
            (Self::TrailerFeed { empty: false, bytes }, b'\n') => Self::Trailer { empty: true, bytes },
            (Self::Trailer { bytes, .. }, _) if bytes < HEAD_BYTES_MAX && byte != b'\n' => {
                Self::Trailer { empty: false, bytes: bytes + 1 }
            }
            _ => return Err(Malformed),
        }))
    }
}

impl Captured {
    /// Forgets the head before.
    fn take(&mut self, headers: &[httparse::Header<'_>]) {
        self.location.clear();
        self.cookies.clear();
        self.cookie_ends.clear();
        for header in headers {
            if header.name.eq_ignore_ascii_case("location") {
                self.take_location(header.value);
            } else if header.name.eq_ignore_ascii_case("set-cookie") {
                self.take_cookie(header.value);
            }
        }
    }

    /// The last one holds.
    pub(super) fn take_location(&mut self, value: &[u8]) {
        if value.len() <= LOCATION_BYTES_MAX {
            self.location.clear();
            self.location.extend_from_slice(value);
        }
    }

    pub(super) fn take_cookie(&mut self, value: &[u8]) {
        if self.cookie_ends.len() < SET_COOKIES_MAX {
            self.cookies.extend_from_slice(value);
            self.cookie_ends.push(self.cookies.len());
        }
    }

    /// The values of `Set-Cookie`, in their order.
    pub(super) fn cookies(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.cookie_ends.iter().copied());
        starts.zip(&self.cookie_ends).map(|(from, to)| &self.cookies[from..*to])
    }
}

/// What is needed of a head.
#[derive(Clone, Copy, Debug)]
struct Head {
    bytes: usize,
    status: u16,
    /// An answer of class 1xx, after which the real one comes.
    interim: bool,
    body: BodyKind,
    close: bool,
}

impl Head {
    /// The answer that it begins, where the head says how long it is.
    fn whole_answer(self) -> Option<Answer> {
        let body = match self.body {
            BodyKind::None => 0,
            BodyKind::Fixed(length) => usize::try_from(length).ok()?,
            BodyKind::Chunked | BodyKind::UntilClose => return None,
        };
        let used = self.bytes.checked_add(body).filter(|_| !self.interim)?;
        Some(Answer { status: self.status, close: self.close, used })
    }
}

#[derive(Clone, Copy, Debug)]
enum BodyKind {
    None,
    Fixed(u64),
    Chunked,
    UntilClose,
}

/// The head at the start of `bytes`; none when it is not whole.
fn parse_head(
    bytes: &[u8],
    head_request: bool,
    captured: Option<&mut Captured>,
) -> Result<Option<Head>, Malformed> {
    let mut headers = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
        &mut response,
        bytes,
        &mut headers,
    );
    let length = match parsed {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(Malformed),
    };
    let status = response.code.filter(|code| *code >= 100).ok_or(Malformed)?;
    let mut framing = Framing { close: response.version == Some(0), ..Framing::default() };
    for header in &*response.headers {
        framing.take(header.name, header.value)?;
    }
    if let Some(captured) = captured {
        captured.take(response.headers);
    }
    let without_body = head_request || status < 200 || matches!(status, 204 | 304);
    let body = framing.body(without_body);
    // Another protocol begins after 101; nothing more of this one comes.
    let close = framing.close || status == 101 || matches!(body, BodyKind::UntilClose);
    let interim = (100..200).contains(&status) && status != 101;
    Ok(Some(Head { bytes: length, status, interim, body, close }))
}

/// What headers say about where the body ends.
#[derive(Debug, Default)]
struct Framing {
    length: Option<u64>,
    chunked: bool,
    encoded: bool,
    close: bool,
}

impl Framing {
    fn take(&mut self, name: &str, value: &[u8]) -> Result<(), Malformed> {
        // Lengths first: comparing them is cheaper than comparing names.
        match name.len() {
            14 if name.eq_ignore_ascii_case("content-length") => {
                let length = decimal(value).ok_or(Malformed)?;
                if self.length.is_some_and(|before| before != length) {
                    return Err(Malformed);
                }
                self.length = Some(length);
            }
            17 if name.eq_ignore_ascii_case("transfer-encoding") => {
                self.encoded = true;
                let last = value.rsplit(|byte| *byte == b',').next().unwrap_or(value);
                self.chunked = last.trim_ascii().eq_ignore_ascii_case(b"chunked");
            }
            10 if name.eq_ignore_ascii_case("connection") => {
                for token in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                    if token.eq_ignore_ascii_case(b"close") {
                        self.close = true;
                    } else if token.eq_ignore_ascii_case(b"keep-alive") {
                        self.close = false;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// RFC 9112, 6.3: an encoding overrides a length.
    fn body(&self, without_body: bool) -> BodyKind {
        match self.length {
            _ if without_body => BodyKind::None,
            _ if self.chunked => BodyKind::Chunked,
            Some(length) if !self.encoded => BodyKind::Fixed(length),
            _ => BodyKind::UntilClose,
        }
    }
}

fn decimal(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii();
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |value, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What became of a stream of bytes that ends with the connection.
    #[derive(Clone, Debug, PartialEq, Eq)]
    enum Read {
        Answers(Vec<(u16, bool)>),
        Cut(Vec<(u16, bool)>),
        Malformed(Vec<(u16, bool)>),
    }

    fn read<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, head_request: bool) -> Read {
        let mut reader = Reader::new(head_request);
        let mut answers = Vec::new();
        let mut midway = false;
        for mut piece in pieces {
            while !piece.is_empty() {
                match reader.feed(piece) {
                    Ok(Some(answer)) => {
                        answers.push((answer.status, answer.close));
                        piece = &piece[answer.used..];
                        midway = false;
                        if answer.close {
                            return Read::Answers(answers);
                        }
                    }
                    Ok(None) => {
                        midway = true;
                        break;
                    }
                    Err(Malformed) => return Read::Malformed(answers),
                }
            }
        }
        match reader.end() {
            Err(Malformed) => Read::Malformed(answers),
            Ok(Some(answer)) => {
                answers.push((answer.status, answer.close));
                Read::Answers(answers)
            }
            Ok(None) if midway => Read::Cut(answers),
            Ok(None) => Read::Answers(answers),
        }
    }

    type Sample = (&'static str, String, bool, Read);

    fn ok(codes: &[u16]) -> Read {
        Read::Answers(codes.iter().map(|code| (*code, false)).collect())
    }

    fn closing(code: u16) -> Read {
        Read::Answers(vec![(code, true)])
    }

    fn cut() -> Read {
        Read::Cut(Vec::new())
    }

    fn bad() -> Read {
        Read::Malformed(Vec::new())
    }

    fn with(head: &str, body: &str) -> String {
        format!("HTTP/1.1 {head}\r\n\r\n{body}")
    }

    fn chunked(body: &str) -> String {
        with("200 OK\r\nTransfer-Encoding: chunked", body)
    }

    fn samples() -> Vec<Sample> {
        [heads(), chunks()].concat()
    }

    fn heads() -> Vec<Sample> {
        let text = str::to_owned;
        let many = |n: usize| {
            let headers: String = (0..n).map(|n| format!("h{n}: v\r\n")).collect();
            format!("HTTP/1.1 200 OK\r\n{headers}\r\n")
        };
        vec![
            ("length", with("200 OK\r\nContent-Length: 5", "hello"), false, ok(&[200])),
            ("no reason", with("404\r\nContent-Length: 0", ""), false, ok(&[404])),
            ("two answers", with("200 OK\r\ncontent-length: 2", "hi").repeat(2), false, ok(&[200, 200])),
            (
                "length twice alike",
                with("200 OK\r\nContent-Length: 1\r\nContent-Length: 1", "a"),
                false,
                ok(&[200]),
            ),
            ("lengths differ", with("200 OK\r\nContent-Length: 1\r\nContent-Length: 2", "ab"), false, bad()),
            ("length is no number", with("200 OK\r\nContent-Length: -1", ""), false, bad()),
            ("length overflows", with("200 OK\r\nContent-Length: 18446744073709551616", ""), false, bad()),
            ("length cut", with("200 OK\r\nContent-Length: 5", "hell"), false, cut()),
            ("head cut", text("HTTP/1.1 200 OK\r\nContent-"), false, cut()),
            ("closing", with("200 OK\r\nConnection: close\r\nContent-Length: 1", "a"), false, closing(200)),
            ("until close", with("200 OK", "all of this"), false, closing(200)),
            ("empty until close", with("200 OK", ""), false, closing(200)),
            ("http 1.0", text("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na"), false, closing(200)),
            (
                "http 1.0 kept",
                text("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\na"),
                false,
                ok(&[200]),
            ),
            (
                "interim",
                with("100 Continue", "") + &with("103 Early", "") + &with("204 No", ""),
                false,
                ok(&[204]),
            ),
            ("switching", with("101 Switching Protocols", ""), false, closing(101)),
            ("no content", with("204 No Content\r\nContent-Length: 5", ""), false, ok(&[204])),
            ("not modified", with("304 Not Modified\r\nContent-Length: 5", ""), false, ok(&[304])),
            ("to a HEAD", with("200 OK\r\nContent-Length: 5", ""), true, ok(&[200])),
            ("not http", text("SSH-2.0-OpenSSH_9.2\r\n"), false, bad()),
            ("not http, no line", text("hello"), false, bad()),
            ("as many headers as allowed", many(HEADERS_MAX - 1), false, closing(200)),
            ("too many headers", many(HEADERS_MAX + 1), false, bad()),
            ("header without name", with("200 OK\r\n: x", ""), false, bad()),
        ]
    }

    fn chunks() -> Vec<Sample> {
        vec![
            ("chunked", chunked("5\r\nhello\r\n0\r\n\r\n"), false, ok(&[200])),
            ("chunks", chunked("1\r\na\r\nA\r\n0123456789\r\n0\r\n\r\n"), false, ok(&[200])),
            ("extensions", chunked("1;a=\"b\"\r\nx\r\n0 ;c\r\nT: 1\r\nU: 2\r\n\r\n"), false, ok(&[200])),
            ("chunk cut", chunked("5\r\nhel"), false, cut()),
            ("last chunk missing", chunked("5\r\nhello\r\n"), false, cut()),
            ("trailers cut", chunked("0\r\nT: 1\r\n"), false, cut()),
            ("chunk size is no number", chunked("x\r\n"), false, bad()),
            ("chunk size is missing", chunked("\r\n"), false, bad()),
            ("chunk size overflows", chunked("11111111111111111\r\n"), false, bad()),
            ("chunk too long", chunked("1\r\nab\r\n"), false, bad()),
            (
                "chunk line too long",
                chunked(&format!("1;{}\r\n", "a".repeat(CHUNK_LINE_BYTES_MAX))),
                false,
                bad(),
            ),
            (
                "chunked wins",
                with("200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: gzip, chunked", "0\r\n\r\n"),
                false,
                ok(&[200]),
            ),
            ("other encoding", with("200 OK\r\nTransfer-Encoding: gzip", "abc"), false, closing(200)),
        ]
    }

    #[test]
    fn answers_are_read_as_they_are() {
        for (name, bytes, head_request, want) in samples() {
            assert_eq!(read([bytes.as_bytes()], head_request), want, "{name}");
        }
    }

    #[test]
    fn where_the_bytes_are_split_makes_no_difference() {
        for (name, bytes, head_request, want) in samples() {
            let bytes = bytes.as_bytes();
            assert_eq!(read(bytes.chunks(1), head_request), want, "{name}, byte by byte");
            // All splits, but of the longest samples only some: their length is all that they are about.
            for at in (0..=bytes.len()).step_by(1 + bytes.len() / 700 * 16) {
                let (left, right) = bytes.split_at(at);
                assert_eq!(read([left, right], head_request), want, "{name}, split at {at}");
            }
        }
    }

    #[test]
    fn an_answer_like_the_one_before_is_read_as_if_it_were_the_first() {
        let answers: [(&[u8], u16); 7] = [
            (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nxyz", 200),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd", 200),
            (b"HTTP/1.1 204 No Content\r\n\r\n", 204),
            (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 404),
            (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", 201),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", 200),
        ];
        for (first, before) in answers {
            for (second, after) in answers {
                let expected =
                    Read::Answers([before, before, after, after].map(|code| (code, false)).to_vec());
                for cut in 0..second.len() {
                    let pieces = [first, first, &second[..cut], &second[cut..], second];
                    assert_eq!(read(pieces, false), expected, "{}", second[..cut].escape_ascii());
                }
                let whole = [first, first, second, second].concat();
                assert_eq!(read([&*whole], false), expected, "{}", whole.escape_ascii());
            }
        }
    }

    #[test]
    fn a_head_over_the_limit_is_refused_however_it_comes() {
        let head = |fill: usize| format!("HTTP/1.1 204 No Content\r\nA: {}\r\n\r\n", "x".repeat(fill));
        let frame = head(0).len();
        let (fits, over) = (head(HEAD_BYTES_MAX - frame), head(HEAD_BYTES_MAX - frame + 1));
        for size in [1, 1000, HEAD_BYTES_MAX - 1, HEAD_BYTES_MAX * 2] {
            assert_eq!(
                read(fits.as_bytes().chunks(size), false),
                Read::Answers(vec![(204, false)]),
                "{size}"
            );
            assert_eq!(read(over.as_bytes().chunks(size), false), Read::Malformed(Vec::new()), "{size}");
        }
        let endless = "HTTP/1.1 200 OK\r\nA: ".to_owned() + &"x".repeat(HEAD_BYTES_MAX);
        assert_eq!(read(endless.as_bytes().chunks(4096), false), Read::Malformed(Vec::new()));
    }

    #[test]
    fn trailers_over_the_limit_are_refused() {
        let trailers = format!("0\r\nT: {}\r\n\r\n", "x".repeat(HEAD_BYTES_MAX));
        let bytes = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{trailers}");
        assert_eq!(read(bytes.as_bytes().chunks(4096), false), Read::Malformed(Vec::new()));
    }

    #[test]
    fn answers_before_the_answer_have_a_limit() {
        let interim = |count: u8| with("103 Early Hints\r\nLocation: /a", "").repeat(usize::from(count));
        let fits = (interim(INTERIM_MAX) + &with("204 No Content", "")).repeat(3);
        let over = interim(INTERIM_MAX + 1) + &with("204 No Content", "");
        for size in [1, 100, 10_000] {
            assert_eq!(read(fits.as_bytes().chunks(size), false), ok(&[204, 204, 204]), "{size}");
            assert_eq!(read(over.as_bytes().chunks(size), false), bad(), "{size}");
        }
        assert_eq!(read([with("099 Low", "").as_bytes()], false), bad());
    }

    #[test]
    fn what_later_requests_depend_on_is_kept_where_somebody_asks() {
        let first =
            with("302 Found\r\nlocation: /b\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nContent-Length: 0", "");
        let second = with("204 No Content\r\nSet-Cookie: c=3", "");
        for size in [1, 1000] {
            let mut reader = Reader::capturing();
            let mut seen = Vec::new();
            for bytes in [&first, &second] {
                for piece in bytes.as_bytes().chunks(size) {
                    if reader.feed(piece) != Ok(None) {
                        let captured = reader.captured().expect("it is kept");
                        let cookies: Vec<_> = captured.cookies().map(<[u8]>::to_vec).collect();
                        seen.push((captured.location.clone(), cookies));
                    }
                }
            }
            let (a, b, c) = (b"a=1".to_vec(), b"b=2".to_vec(), b"c=3".to_vec());
            assert_eq!(seen, [(b"/b".to_vec(), vec![a, b]), (Vec::new(), vec![c])], "{size}");
        }
        let mut reader = Reader::new(false);
        assert!(reader.feed(first.as_bytes()).is_ok_and(|answer| answer.is_some()));
        assert!(reader.captured().is_none());
        let long = with(&format!("302 Found\r\nLocation: /{}", "x".repeat(LOCATION_BYTES_MAX)), "");
        let mut reader = Reader::capturing();
        reader.feed(long.as_bytes()).expect("an answer");
        assert!(reader.captured().expect("it is kept").location.is_empty());
    }
}
