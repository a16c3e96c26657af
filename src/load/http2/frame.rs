//! Frames of HTTP/2 (RFC 9113, 4 and 6): their heads, and what each kind may hold.

use crate::model::run::ErrorClass;

/// Bytes of a frame before its payload.
pub(super) const HEAD_BYTES: usize = 9;
/// The largest payload that is sent and taken: what both sides take without having said so.
pub(super) const PAYLOAD_BYTES_MAX: usize = 16 * 1024;
/// The largest window, and the largest number of a stream.
pub(super) const WINDOW_MAX: u32 = (1 << 31) - 1;
/// With what a client begins.
pub(super) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// On HEADERS and DATA: the last of its stream.
pub(super) const END_STREAM: u8 = 1;
/// On SETTINGS and PING: an answer to one.
pub(super) const ACK: u8 = 1;
/// On HEADERS and CONTINUATION: the last of its block.
pub(super) const END_HEADERS: u8 = 4;
/// On HEADERS and DATA: the first byte says how much padding follows.
pub(super) const PADDED: u8 = 8;
/// On HEADERS: [`PRIORITY_BYTES`] come before the block.
pub(super) const PRIORITY: u8 = 0x20;
/// What PRIORITY says.
pub(super) const PRIORITY_BYTES: usize = 5;

/// Why something ended, as RFC 9113, 7, numbers it.
pub(super) mod code {
    pub(in crate::load::http2) const NO_ERROR: u32 = 0;
    pub(in crate::load::http2) const PROTOCOL: u32 = 1;
    pub(in crate::load::http2) const FLOW_CONTROL: u32 = 3;
    pub(in crate::load::http2) const FRAME_SIZE: u32 = 6;
    pub(in crate::load::http2) const REFUSED_STREAM: u32 = 7;
    pub(in crate::load::http2) const CANCEL: u32 = 8;
    pub(in crate::load::http2) const COMPRESSION: u32 = 9;
    pub(in crate::load::http2) const ENHANCE_YOUR_CALM: u32 = 11;
}

/// What breaks a whole connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::load) struct Fault {
    pub(in crate::load) class: ErrorClass,
    /// As [`code`] numbers it.
    pub(super) code: u32,
    /// What the target did.
    pub(in crate::load) why: &'static str,
}

/// The kinds of RFC 9113, 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Data,
    Headers,
    Priority,
    Reset,
    Settings,
    PushPromise,
    Ping,
    GoAway,
    WindowUpdate,
    Continuation,
    /// To be ignored.
    Unknown,
}

/// What comes before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) length: usize,
    pub(super) kind: Kind,
    pub(super) flags: u8,
    pub(super) stream: u32,
}

impl Fault {
    pub(super) fn protocol(why: &'static str) -> Self {
        Self { class: ErrorClass::Protocol, code: code::PROTOCOL, why }
    }

    pub(super) fn of(code: u32, why: &'static str) -> Self {
        Self { class: ErrorClass::Protocol, code, why }
    }
}

impl Kind {
    const NUMBERED: [Self; 10] = [
        Self::Data,
        Self::Headers,
        Self::Priority,
        Self::Reset,
        Self::Settings,
        Self::PushPromise,
        Self::Ping,
        Self::GoAway,
        Self::WindowUpdate,
        Self::Continuation,
    ];

    #[inline]
    fn numbered(number: u8) -> Self {
        Self::NUMBERED.get(usize::from(number)).copied().unwrap_or(Self::Unknown)
    }
}

impl Head {
    /// A frame that we send.
    pub(super) fn new(length: usize, kind: Kind, flags: u8, stream: u32) -> Self {
        Self { length, kind, flags, stream }
    }

    #[inline]
    pub(super) fn read(bytes: &[u8; HEAD_BYTES]) -> Self {
        let [a, b, c, kind, flags, w, x, y, z] = *bytes;
        Self {
            length: u32::from_be_bytes([0, a, b, c]) as usize,
            kind: Kind::numbered(kind),
            flags,
            // The first bit means nothing.
            stream: u32::from_be_bytes([w, x, y, z]) & WINDOW_MAX,
        }
    }

    /// As it is sent; never of [`Kind::Unknown`].
    #[inline]
    pub(super) fn bytes(self) -> [u8; HEAD_BYTES] {
        let [_, a, b, c] = u32::try_from(self.length).unwrap_or(u32::MAX).to_be_bytes();
        let [w, x, y, z] = self.stream.to_be_bytes();
        [a, b, c, self.kind as u8, self.flags, w, x, y, z]
    }

    #[inline]
    pub(super) fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Whether its length and its stream are as its kind asks for; looks at no connection.
    #[inline]
    pub(super) fn check(self) -> Result<(), Fault> {
        if self.length > PAYLOAD_BYTES_MAX {
            return Err(Fault::of(code::FRAME_SIZE, "the target sent a frame larger than 16 KiB"));
        }
        let is_sized = match self.kind {
            Kind::Data | Kind::Headers | Kind::PushPromise | Kind::Continuation | Kind::Unknown => true,
            Kind::Priority => self.length == PRIORITY_BYTES,
            Kind::Reset | Kind::WindowUpdate => self.length == 4,
            Kind::Settings if self.has(ACK) => self.length == 0,
            Kind::Settings => self.length.is_multiple_of(6),
            Kind::Ping => self.length == 8,
            Kind::GoAway => self.length >= 8,
        };
        if !is_sized {
            return Err(Fault::of(
                code::FRAME_SIZE,
                "the target sent a frame of a size that its kind cannot have",
            ));
        }
        let is_placed = match self.kind {
            Kind::Settings | Kind::Ping | Kind::GoAway => self.stream == 0,
            Kind::WindowUpdate | Kind::Unknown => true,
            _ => self.stream != 0,
        };
        if is_placed {
            Ok(())
        } else {
            Err(Fault::protocol("the target sent a frame on a stream that its kind cannot be on"))
        }
    }
}

/// The number at the start of a payload, which [`Head::check`] has found long enough; its first bit means nothing.
pub(super) fn number(payload: &[u8]) -> u32 {
    payload.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes) & WINDOW_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_was_written() {
        for (number, kind) in (0u8..).zip(Kind::NUMBERED) {
            let head = Head::new(0x01_02_03, kind, 0x25, 0x7fff_fffe);
            assert_eq!(head.bytes(), [1, 2, 3, number, 0x25, 0x7f, 0xff, 0xff, 0xfe]);
            assert_eq!(Head::read(&head.bytes()), head);
        }
        let odd = Head::read(&[0, 0, 0, 10, 0, 0x80, 0, 0, 1]);
        assert_eq!((odd.kind, odd.stream), (Kind::Unknown, 1));
    }

    #[test]
    fn every_kind_has_its_sizes_and_its_streams() {
        let check = |length, kind, flags, stream| {
            Head::new(length, kind, flags, stream).check().err().map(|f| f.code)
        };
        let (size, place) = (Some(code::FRAME_SIZE), Some(code::PROTOCOL));
        for (length, kind, flags, stream, expected) in [
            (0, Kind::Data, 0, 1, None),
            (PAYLOAD_BYTES_MAX, Kind::Data, 0, 1, None),
            (PAYLOAD_BYTES_MAX + 1, Kind::Data, 0, 1, size),
            (PAYLOAD_BYTES_MAX + 1, Kind::Unknown, 0, 1, size),
            (0, Kind::Data, 0, 0, place),
            (1, Kind::Headers, 0, 0, place),
            (1, Kind::Continuation, 0, 0, place),
            (5, Kind::Priority, 0, 1, None),
            (4, Kind::Priority, 0, 1, size),
            (4, Kind::Reset, 0, 1, None),
            (4, Kind::Reset, 0, 0, place),
            (5, Kind::Reset, 0, 1, size),
            (12, Kind::Settings, 0, 0, None),
            (13, Kind::Settings, 0, 0, size),
            (6, Kind::Settings, ACK, 0, size),
            (6, Kind::Settings, 0, 1, place),
            (8, Kind::Ping, 0, 0, None),
            (7, Kind::Ping, 0, 0, size),
            (8, Kind::Ping, 0, 1, place),
            (8, Kind::GoAway, 0, 0, None),
            (7, Kind::GoAway, 0, 0, size),
            (4, Kind::WindowUpdate, 0, 0, None),
            (3, Kind::WindowUpdate, 0, 0, size),
        ] {
            assert_eq!(check(length, kind, flags, stream), expected, "{kind:?} of {length} on {stream}");
        }
    }
}
