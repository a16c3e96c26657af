//! gRPC's framing of messages: one byte that says whether it is compressed, four of length, the message.

const PREFIX_BYTES: usize = 5;

/// A message as it is sent.
pub(super) fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&[0], &length.to_be_bytes()[..], message].concat()
}

/// Follows the messages of an answer without keeping them.
#[derive(Debug, Default)]
pub(in crate::load) struct Frames {
    /// Whole ones.
    messages: u64,
    prefix: [u8; PREFIX_BYTES],
    prefix_length: usize,
    /// Bytes that the message still has.
    left: u64,
}

/// The bytes are no messages of gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::load) struct Malformed;

impl Frames {
    pub(in crate::load) fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Malformed> {
        while !bytes.is_empty() {
            if self.prefix_length < PREFIX_BYTES {
                let length = bytes.len().min(PREFIX_BYTES - self.prefix_length);
                self.prefix[self.prefix_length..][..length].copy_from_slice(&bytes[..length]);
                self.prefix_length += length;
                bytes = &bytes[length..];
                if self.prefix_length < PREFIX_BYTES {
                    return Ok(());
                }
                let [flag, length @ ..] = self.prefix;
                // We say that we take only what is not compressed.
                if flag != 0 {
                    return Err(Malformed);
                }
                self.left = u32::from_be_bytes(length).into();
            }
            let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
            bytes = &bytes[length..];
            self.left -= length as u64;
            if self.left == 0 {
                self.messages += 1;
                self.prefix_length = 0;
            }
        }
        Ok(())
    }

    /// Whether no message is half there.
    pub(super) fn is_whole(&self) -> bool {
        self.prefix_length == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_however_they_are_cut() {
        let whole = [framed(b"abc"), framed(b""), framed(&[7; 300])].concat();
        for step in [1, 2, 5, 7, whole.len()] {
            let mut frames = Frames::default();
            for piece in whole.chunks(step) {
                frames.feed(piece).expect("messages");
            }
            assert_eq!((frames.messages, frames.is_whole()), (3, true), "{step}");
        }
    }

    #[test]
    fn half_a_message_and_a_compressed_one_are_none() {
        let mut frames = Frames::default();
        frames.feed(&framed(b"abc")[..6]).expect("a beginning");
        assert!(!frames.is_whole() && frames.messages == 0);
        assert_eq!(Frames::default().feed(&[1, 0, 0, 0, 0]), Err(Malformed));
    }
}
