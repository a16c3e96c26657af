//! Compression of heads (RFC 7541). What is sent uses only the static table, so that a head is made once for all
//! connections; what is received is looked at for what is wanted of it and else skipped.

mod huffman;

use std::collections::VecDeque;

use crate::load::response::HEAD_BYTES_MAX;

/// The largest table that the target may keep of earlier fields: what it may use before it knows what we ask for.
const TABLE_BYTES_MAX: usize = 4096;
/// What a field costs beside its name and value.
const FIELD_BYTES: usize = 32;
/// The largest length or index that is read; more than a head may have.
const INTEGER_MAX: usize = 1 << 24;

/// A head is not compressed by the rules, or larger than [`HEAD_BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The fields that are of use to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Status,
    ContentLength,
    ContentType,
    GrpcStatus,
    GrpcMessage,
    Location,
    SetCookie,
}

/// A name or a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Text<'a> {
    bytes: &'a [u8],
    is_coded: bool,
}

/// Reads heads, all of one connection.
#[derive(Debug)]
pub(super) struct Decoder {
    /// Fields of earlier heads, the last first.
    entries: VecDeque<(Vec<u8>, Vec<u8>)>,
    bytes: usize,
    bytes_max: usize,
}

/// What is written of a field: whether its value is one that no table on the way may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Care {
    Plain,
    Secret,
}

/// Adds a field to a head.
pub(super) fn encode(name: &str, value: &[u8], care: Care, out: &mut Vec<u8>) {
    let named = STATIC.iter().position(|field| field.0 == name);
    let whole = STATIC.iter().position(|field| *field == (name, std::str::from_utf8(value).unwrap_or("\0")));
    if let Some(at) = whole.filter(|_| !value.is_empty()) {
        return integer(at + 1, 7, 0x80, out);
    }
    integer(named.map_or(0, |at| at + 1), 4, if care == Care::Secret { 0x10 } else { 0 }, out);
    if named.is_none() {
        text(name.as_bytes(), out);
    }
    text(value, out);
}

fn text(text: &[u8], out: &mut Vec<u8>) {
    let coded_bytes = huffman::coded_bytes(text);
    if coded_bytes < text.len() {
        integer(coded_bytes, 7, 0x80, out);
        huffman::encode(text, out);
    } else {
        integer(text.len(), 7, 0, out);
        out.extend_from_slice(text);
    }
}

/// RFC 7541, 5.1: in the lowest `bits` of a byte whose others are `first`, and more bytes where they are too few.
fn integer(mut value: usize, bits: u32, first: u8, out: &mut Vec<u8>) {
    let most = (1 << bits) - 1;
    if value < most {
        return out.push(first | value as u8);
    }
    out.push(first | most as u8);
    value -= most;
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

impl Default for Decoder {
    fn default() -> Self {
        Self { entries: VecDeque::new(), bytes: 0, bytes_max: TABLE_BYTES_MAX }
    }
}

impl Decoder {
    /// Reads a whole block; `take` gets those of its fields that are [`Known`].
    pub(super) fn decode(
        &mut self,
        block: &[u8],
        mut take: impl FnMut(Known, Text<'_>),
    ) -> Result<(), Malformed> {
        let mut rest = Rest(block);
        let mut room = HEAD_BYTES_MAX;
        let mut has_field = false;
        while let Some(&first) = rest.0.first() {
            if first & 0xe0 == 0x20 {
                let most = rest.integer(5)?;
                // Only at the front.
                if has_field || most > TABLE_BYTES_MAX {
                    return Err(Malformed);
                }
                self.bytes_max = most;
                self.evict(0);
                continue;
            }
            has_field = true;
            let bytes = if first & 0x80 != 0 {
                let at = rest.integer(7)?;
                let (known, name, value) = self.field(at)?;
                known.into_iter().for_each(|known| take(known, value));
                name.bytes.len() + value.bytes.len()
            } else {
                self.literal(first, &mut rest, &mut take)?
            };
            room = room.checked_sub(bytes + FIELD_BYTES).ok_or(Malformed)?;
        }
        Ok(())
    }

    /// A field with a value of its own; how many bytes it has, at least.
    fn literal(
        &mut self,
        first: u8,
        rest: &mut Rest<'_>,
        take: &mut impl FnMut(Known, Text<'_>),
    ) -> Result<usize, Malformed> {
        let is_kept = first & 0x40 != 0;
        let at = rest.integer(if is_kept { 6 } else { 4 })?;
        let own = if at == 0 { Some(rest.text()?) } else { None };
        let value = rest.text()?;
        let (known, name) = match own {
            Some(name) => (Known::named(name), name),
            None => self.field(at).map(|(known, name, _)| (known, name))?,
        };
        let bytes = name.bytes.len() + value.bytes.len();
        known.into_iter().for_each(|known| take(known, value));
        if is_kept && self.bytes_max > 0 {
            let entry = (name.to_vec()?, value.to_vec()?);
            self.keep(entry);
        }
        Ok(bytes)
    }

    /// A field of a table.
    fn field(&self, at: usize) -> Result<(Option<Known>, Text<'_>, Text<'_>), Malformed> {
        let at = at.checked_sub(1).ok_or(Malformed)?;
        if let Some((name, value)) = STATIC.get(at) {
            let known = match at {
                7..=13 => Some(Known::Status),
                27 => Some(Known::ContentLength),
                30 => Some(Known::ContentType),
                45 => Some(Known::Location),
                54 => Some(Known::SetCookie),
                _ => None,
            };
            return Ok((known, Text::plain(name.as_bytes()), Text::plain(value.as_bytes())));
        }
        let (name, value) = self.entries.get(at - STATIC.len()).ok_or(Malformed)?;
        let (name, value) = (Text::plain(name), Text::plain(value));
        Ok((Known::named(name), name, value))
    }

    fn keep(&mut self, entry: (Vec<u8>, Vec<u8>)) {
        let bytes = entry.0.len() + entry.1.len() + FIELD_BYTES;
        self.evict(bytes);
        // One that is larger than the whole table empties it and is not kept.
        if bytes <= self.bytes_max {
            self.bytes += bytes;
            self.entries.push_front(entry);
        }
    }

    /// Makes room for so many bytes.
    fn evict(&mut self, bytes: usize) {
        while self.bytes + bytes > self.bytes_max
            && let Some((name, value)) = self.entries.pop_back()
        {
            self.bytes -= name.len() + value.len() + FIELD_BYTES;
        }
    }
}

impl Known {
    /// By its name, however that is written: a text has one form in the code.
    fn named(name: Text<'_>) -> Option<Self> {
        if name.is_coded {
            return match name.bytes {
                [0xb8, 0x84, 0x8d, 0x36, 0xa3] => Some(Self::Status),
                [0x21, 0xea, 0x49, 0x6a, 0x4a, 0xd4, 0x16, 0xa9, 0x93, 0x3f] => Some(Self::ContentLength),
                [0x21, 0xea, 0x49, 0x6a, 0x4a, 0xc9, 0xf5, 0x59, 0x7f] => Some(Self::ContentType),
                [0x9a, 0xca, 0xc8, 0xb2, 0x12, 0x34, 0xda, 0x8f] => Some(Self::GrpcStatus),
                [0x9a, 0xca, 0xc8, 0xb5, 0x25, 0x42, 0x07, 0x31, 0x7f] => Some(Self::GrpcMessage),
                [0xa0, 0xe4, 0x1a, 0x4c, 0x7a, 0xbf] => Some(Self::Location),
                [0x41, 0x52, 0xb1, 0x0e, 0x7e, 0xa6, 0x2f] => Some(Self::SetCookie),
                _ => None,
            };
        }
        match name.bytes {
            b":status" => Some(Self::Status),
            b"content-length" => Some(Self::ContentLength),
            b"content-type" => Some(Self::ContentType),
            b"grpc-status" => Some(Self::GrpcStatus),
            b"grpc-message" => Some(Self::GrpcMessage),
            b"location" => Some(Self::Location),
            b"set-cookie" => Some(Self::SetCookie),
            _ => None,
        }
    }
}

impl<'a> Text<'a> {
    fn plain(bytes: &'a [u8]) -> Self {
        Self { bytes, is_coded: false }
    }

    /// What it says.
    pub(super) fn to_vec(self) -> Result<Vec<u8>, Malformed> {
        if !self.is_coded {
            return Ok(self.bytes.to_vec());
        }
        let mut text = Vec::new();
        huffman::decode(self.bytes, &mut text).map(|()| text).map_err(|_| Malformed)
    }

    /// The number that it is in decimal digits.
    pub(super) fn number(self) -> Option<u64> {
        let mut number = None;
        let mut sum = Some(0u64);
        self.each(|byte| {
            let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
            sum = sum.zip(digit).and_then(|(sum, digit)| sum.checked_mul(10)?.checked_add(digit));
            number = sum;
        })
        .ok()?;
        number
    }

    /// Tells its bytes, one after another; a text need not be kept for that.
    fn each(self, mut tell: impl FnMut(u8)) -> Result<(), Malformed> {
        if self.is_coded {
            return huffman::decode_each(self.bytes, tell).map_err(|_| Malformed);
        }
        self.bytes.iter().for_each(|byte| tell(*byte));
        Ok(())
    }

    pub(super) fn starts_with(self, start: &[u8]) -> bool {
        let mut expected = start.iter();
        let mut is_alike = true;
        let read = self.each(|byte| is_alike &= expected.next().is_none_or(|expected| *expected == byte));
        read.is_ok() && is_alike && expected.next().is_none()
    }
}

/// What is left of a block.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn byte(&mut self) -> Result<u8, Malformed> {
        let (first, rest) = self.0.split_first().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*first)
    }

    fn integer(&mut self, bits: u32) -> Result<usize, Malformed> {
        let most = (1usize << bits) - 1;
        let mut value = usize::from(self.byte()?) & most;
        if value < most {
            return Ok(value);
        }
        for shift in (0..28).step_by(7) {
            let byte = self.byte()?;
            value += usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return if value <= INTEGER_MAX { Ok(value) } else { Err(Malformed) };
            }
        }
        Err(Malformed)
    }

    fn text(&mut self) -> Result<Text<'a>, Malformed> {
        let is_coded = self.0.first().is_some_and(|first| first & 0x80 != 0);
        let length = self.integer(7)?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(Text { bytes, is_coded })
    }
}

/// RFC 7541, appendix A; its numbers begin at 1.
const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let byte =
            |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("text"), 16).expect("hex");
        digits.chunks(2).map(byte).collect()
    }

    fn known(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<(Known, String)>, Malformed> {
        let mut fields = Vec::new();
        decoder.decode(block, |known, text| {
            fields.push((known, String::from_utf8_lossy(&text.to_vec().expect("text")).into_owned()));
        })?;
        Ok(fields)
    }

    fn table(decoder: &Decoder) -> Vec<(String, String)> {
        let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).expect("text");
        decoder.entries.iter().map(|(name, value)| (text(name), text(value))).collect()
    }

    #[test]
    fn integers_are_those_of_the_specification() {
        for (value, bits, bytes) in [(10, 5, &[10][..]), (1337, 5, &[31, 154, 10]), (42, 8, &[42])] {
            let mut out = Vec::new();
            integer(value, bits, 0, &mut out);
            assert_eq!((out.as_slice(), Rest(bytes).integer(bits)), (bytes, Ok(value)));
        }
        assert_eq!(Rest(&[0xff; 9]).integer(7), Err(Malformed));
        assert_eq!(Rest(&[0x7f, 0x80]).integer(7), Err(Malformed));
    }

    /// What the third answer sets.
    const COOKIE: &str = "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";

    /// RFC 7541, C.5 and C.6: three answers on a table of 256 bytes.
    #[test]
    fn answers_are_those_of_the_specification() {
        let plain = [
            "4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d54
             6e1768747470733a2f2f7777772e6578616d706c652e636f6d",
            "4803333037c1c0bf",
            "88c1611d4d6f6e2c203231204f637420323031332032303a31333a323220474d54c05a04677a69707738
             666f6f3d4153444a4b48514b425a584f5157454f50495541585157454f49553b206d61782d6167653d333630303b
             2076657273696f6e3d31",
        ];
        let coded = [
            "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff
             6e919d29ad171863c78f0b97c8e9ae82ae43d3",
            "4883640effc1c0bf",
            "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdf
             cd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
        ];
        for answers in [plain, coded] {
            let mut decoder = Decoder { bytes_max: 256, ..Decoder::default() };
            for (answer, status, bytes) in
                [(answers[0], "302", 222), (answers[1], "307", 222), (answers[2], "200", 215)]
            {
                let place = "https://www.example.com".to_owned();
                let mut wanted = vec![(Known::Status, status.to_owned()), (Known::Location, place)];
                if status == "200" {
                    wanted.push((Known::SetCookie, COOKIE.to_owned()));
                }
                assert_eq!(known(&mut decoder, &hex(answer)), Ok(wanted));
                assert_eq!(decoder.bytes, bytes);
            }
            let names: Vec<_> = table(&decoder).into_iter().map(|(name, _)| name).collect();
            assert_eq!(names, ["set-cookie", "content-encoding", "date"]);
            assert!(table(&decoder)[0].1.ends_with("max-age=3600; version=1"));
        }
    }

    #[test]
    fn a_text_is_read_where_it_stands_as_if_it_were_copied() {
        for text in
            ["", "0", "77", "18446744073709551615", "18446744073709551616", "7x", "application/grpc+proto"]
        {
            let mut coded = Vec::new();
            huffman::encode(text.as_bytes(), &mut coded);
            let is_grpc = text.starts_with("application/grpc");
            for text_of in [Text::plain(text.as_bytes()), Text { bytes: &coded, is_coded: true }] {
                assert_eq!(text_of.number(), text.parse().ok(), "{text}");
                assert_eq!(text_of.starts_with(b"application/grpc"), is_grpc, "{text}");
                assert_eq!(text_of.to_vec().as_deref(), Ok(text.as_bytes()));
            }
        }
    }

    #[test]
    fn what_is_of_use_is_found_however_it_is_written() {
        let wanted = [
            (Known::Status, ":status", "201"),
            (Known::ContentLength, "content-length", "77"),
            (Known::ContentType, "content-type", "application/grpc"),
            (Known::GrpcStatus, "grpc-status", "14"),
            (Known::GrpcMessage, "grpc-message", "busy"),
            (Known::Location, "location", "/there"),
            (Known::SetCookie, "set-cookie", "a=b; Path=/"),
        ];
        for (which, name, value) in wanted {
            let mut coded = vec![0];
            for text in [name, value] {
                integer(huffman::coded_bytes(text.as_bytes()), 7, 0x80, &mut coded);
                huffman::encode(text.as_bytes(), &mut coded);
            }
            let mut plain = vec![0];
            for text in [name, value] {
                integer(text.len(), 7, 0, &mut plain);
                plain.extend(text.as_bytes());
            }
            let mut ours = Vec::new();
            encode(name, value.as_bytes(), Care::Plain, &mut ours);
            // Kept, and then referred to.
            let kept = [&[0x40], &plain[1..], &[0x80 | 62]].concat();
            let expected = vec![(which, value.to_owned())];
            for block in [coded, plain, ours] {
                assert_eq!(
                    known(&mut Decoder::default(), &block).as_ref(),
                    Ok(&expected),
                    "{name} {block:x?}"
                );
            }
            assert_eq!(
                known(&mut Decoder::default(), &kept),
                Ok([&expected[..], &expected].concat()),
                "{name}"
            );
        }
    }

    #[test]
    fn what_is_sent_needs_no_table() {
        for (name, value, care, bytes) in [
            (":method", "GET", Care::Plain, "82"),
            (":method", "PUT", Care::Plain, "0203505554"),
            (":authority", "www.example.com", Care::Plain, "018cf1e3c2e5f23a6ba0ab90f4ff"),
            ("authorization", "x", Care::Secret, "1f080178"),
            ("x", "y", Care::Plain, "0001780179"),
            ("accept", "", Care::Plain, "0f0400"),
        ] {
            let mut out = Vec::new();
            encode(name, value.as_bytes(), care, &mut out);
            assert_eq!(out, hex(bytes), "{name}");
        }
    }

    #[test]
    fn a_table_is_as_large_as_was_agreed() {
        let mut decoder = Decoder::default();
        known(&mut decoder, &hex("4001780179")).expect("kept");
        assert_eq!(decoder.entries.len(), 1);
        known(&mut decoder, &hex("204001780179")).expect("a table of nothing");
        assert!(decoder.entries.is_empty() && decoder.bytes == 0);
        for (what, block) in [
            ("a table that is too large", "3fe21f"),
            ("a change after a field", "8820"),
            ("no such entry", "be"),
            ("entry 0", "80"),
            ("a text that is cut off", "000578"),
            ("no value", "000178"),
        ] {
            assert_eq!(known(&mut decoder, &hex(block)), Err(Malformed), "{what}");
        }
        let large = [&hex("000178")[..], &hex("7f81fe03")[..], &[b'x'; 0xff00 + 0x80]].concat();
        known(&mut decoder, &large).expect("64 KiB less a little");
        assert_eq!(known(&mut decoder, &large.repeat(2)), Err(Malformed), "too large a head");
    }

    proptest! {
        #[test]
        fn no_block_keeps_more_than_the_table(block in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut decoder = Decoder::default();
            for piece in block.chunks(50) {
                let _ = decoder.decode(piece, |_, text| {
                    let _ = (text.number(), text.starts_with(b"a"), text.to_vec());
                });
                let kept: usize = decoder.entries.iter().map(|(a, b)| a.len() + b.len() + FIELD_BYTES).sum();
                prop_assert!(kept == decoder.bytes && kept <= TABLE_BYTES_MAX);
            }
        }
    }
}
