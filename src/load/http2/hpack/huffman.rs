//! The code of RFC 7541, appendix B.

/// Bits of each byte's code. The codes follow from it: shorter ones first, those of one length in the order of the
/// bytes.
const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, //
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28, //
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, //
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, //
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, //
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, //
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, //
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, //
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, //
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, //
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, //
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, //
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, //
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, //
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, //
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, //
];
const LENGTH_MAX: usize = 30;
/// Codes of up to so many bits, which all common characters have, are looked up at once.
const QUICK_BITS: u32 = 8;

/// The bytes are no text in this code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The code, made from the lengths.
struct Code {
    /// Of each byte, in the lowest bits.
    codes: [u32; 256],
    /// All bytes in the order of their codes.
    sorted: [u8; 256],
    /// By length: the first code of it, how many there are, and where they begin in `sorted`.
    lengths: [(u32, u32, u32); LENGTH_MAX + 1],
    /// By the next bits: the byte and the length of its code, 0 for a longer one.
    quick: [(u8, u8); 1 << QUICK_BITS],
}

static CODE: Code = Code::new();

impl Code {
    const fn new() -> Self {
        let mut made = Self {
            codes: [0; 256],
            sorted: [0; 256],
            lengths: [(0, 0, 0); LENGTH_MAX + 1],
            quick: [(0, 0); 1 << QUICK_BITS],
        };
        let (mut code, mut place, mut length) = (0u32, 0usize, 1usize);
        while length <= LENGTH_MAX {
            code <<= 1;
            let (first, from) = (code, place);
            let mut byte = 0;
            while byte < 256 {
                if LENGTHS[byte] as usize == length {
                    made.codes[byte] = code;
                    made.sorted[place] = byte as u8;
                    made.look_up(byte as u8, code, length as u32);
                    code += 1;
                    place += 1;
                }
                byte += 1;
            }
            made.lengths[length] = (first, code - first, from as u32);
            length += 1;
        }
        made
    }

    const fn look_up(&mut self, byte: u8, code: u32, length: u32) {
        if length > QUICK_BITS {
            return;
        }
        let shift = QUICK_BITS - length;
        let mut bits = code << shift;
        while bits < (code + 1) << shift {
            self.quick[bits as usize] = (byte, length as u8);
            bits += 1;
        }
    }

    /// The byte whose code is at the front of these bits, and the code's length.
    fn first(&self, bits: u32) -> Option<(u8, u32)> {
        let (byte, length) = self.quick[(bits >> (32 - QUICK_BITS)) as usize];
        if length > 0 {
            return Some((byte, length.into()));
        }
        (QUICK_BITS + 1..).zip(&self.lengths[QUICK_BITS as usize + 1..]).find_map(
            |(length, &(first, count, from))| {
                let nth = (bits >> (32 - length)).checked_sub(first).filter(|nth| *nth < count)?;
                Some((self.sorted[(from + nth) as usize], length))
            },
        )
    }
}

/// Adds the text to `out`.
pub(super) fn decode(coded: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    decode_each(coded, |byte| out.push(byte))
}

/// Tells the text's bytes, one after another.
pub(super) fn decode_each(coded: &[u8], mut tell: impl FnMut(u8)) -> Result<(), Malformed> {
    let mut rest = coded.iter();
    // The next bits, from the top; behind them are ones, as behind the end of a text.
    let (mut bits, mut known) = (u64::MAX, 0u32);
    loop {
        while known <= 56
            && let Some(byte) = rest.next()
        {
            let shift = 56 - known;
            bits &= !(0xff << shift) | u64::from(*byte) << shift;
            known += 8;
        }
        if known < 8 && bits == u64::MAX {
            return Ok(());
        }
        let (byte, length) = CODE.first((bits >> 32) as u32).ok_or(Malformed)?;
        known = known.checked_sub(length).ok_or(Malformed)?;
        bits = !(!bits << length);
        tell(byte);
    }
}

/// How many bytes a text has in the code.
pub(super) fn coded_bytes(text: &[u8]) -> usize {
    text.iter().map(|byte| usize::from(LENGTHS[usize::from(*byte)])).sum::<usize>().div_ceil(8)
}

/// Adds the text in the code to `out`.
pub(super) fn encode(text: &[u8], out: &mut Vec<u8>) {
    let (mut bits, mut count) = (0u64, 0);
    for &byte in text {
        let length = LENGTHS[usize::from(byte)];
        bits = bits << length | u64::from(CODE.codes[usize::from(byte)]);
        count += length;
        while count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    if count > 0 {
        out.push((bits << (8 - count)) as u8 | (0xff >> count));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(coded: &[u8]) -> Result<Vec<u8>, Malformed> {
        let mut text = Vec::new();
        decode(coded, &mut text).map(|()| text)
    }

    fn encoded(text: &[u8]) -> Vec<u8> {
        let mut coded = Vec::new();
        encode(text, &mut coded);
        coded
    }

    #[test]
    fn texts_are_those_of_the_specification() {
        for (text, coded) in [
            (
                "www.example.com",
                &[0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff][..],
            ),
            ("no-cache", &[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf]),
            ("custom-key", &[0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xa9, 0x7d, 0x7f]),
            ("custom-value", &[0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xb8, 0xe8, 0xb4, 0xbf]),
            ("302", &[0x64, 0x02]),
            ("private", &[0xae, 0xc3, 0x77, 0x1a, 0x4b]),
            ("", &[]),
        ] {
            assert_eq!(encoded(text.as_bytes()), coded, "{text}");
            assert_eq!(decoded(coded).as_deref(), Ok(text.as_bytes()), "{text}");
            assert_eq!(coded_bytes(text.as_bytes()), coded.len(), "{text}");
        }
        // The longest codes, from the table of the specification.
        assert_eq!(encoded(b"\n"), [0xff, 0xff, 0xff, 0xf3]);
        assert_eq!(CODE.codes[usize::from(b'\\')], 0x7fff0);
        assert_eq!(CODE.codes[255], 0x3ff_ffee);
    }

    #[test]
    fn padding_is_less_than_a_byte_of_ones_and_there_is_no_end_within() {
        for coded in [&[0x07, 0xff][..], &[0xff], &[0x00], &[0xff; 4], &[0x18]] {
            assert_eq!(decoded(coded), Err(Malformed), "{coded:x?}");
        }
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(text in proptest::collection::vec(any::<u8>(), 0..80)) {
            prop_assert_eq!(decoded(&encoded(&text)), Ok(text.clone()));
            prop_assert_eq!(encoded(&text).len(), coded_bytes(&text));
        }

        #[test]
        fn no_bytes_decode_to_more_than_they_can_hold(coded in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(text) = decoded(&coded) {
                prop_assert!(text.len() * 5 <= coded.len() * 8);
                prop_assert_eq!(encoded(&text), coded);
            }
        }
    }
}
