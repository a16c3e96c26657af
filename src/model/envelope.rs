//! The envelope around everything that is kept on disk or sent to another machine: what it is, and proof that it is whole.
//!
//! ```text
//! magic 4 | envelope version 1 | kind 1 | codec 1 | zero 1 | schema version 4 | length 4 | SHA-256 32 | bytes
//! ```
//! Integers are little-endian. The hash is of the content as it was before the codec, so that the same run
//! has the same hash however it is packed. The length is of the bytes that follow, so that an envelope can
//! be found and proven in a damaged file.

use std::io::{Read as _, Write as _};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

/// How an envelope starts.
pub const MAGIC: [u8; 4] = *b"MBen";
/// Bytes before the content.
pub const HEAD_BYTES: usize = 48;
/// The most bytes of content: the largest request body, escaped as JSON, with room for its run.
pub const CONTENT_BYTES_MAX: usize = 128 * 1024 * 1024;
/// The most bytes of an envelope: deflate adds little to what it cannot shorten.
pub const ENVELOPE_BYTES_MAX: usize = CONTENT_BYTES_MAX + CONTENT_BYTES_MAX / 1024 + HEAD_BYTES;

const VERSION: u8 = 1;

/// What an envelope holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A result.
    Run = 1,
    /// What the list of history shows of a run.
    Summary = 2,
    /// What a person has written about a run, all of it.
    Edits = 3,
    /// A saved plan.
    Plan = 4,
    /// Choices for the whole program.
    Settings = 5,
    /// A run in progress: of its own kind, so that no search in a damaged file takes it for a result.
    Checkpoint = 6,
    /// What was chosen about clusters.
    Clusters = 7,
    /// Which adapters there are, and what was done with them.
    Adapters = 8,
    /// What a person wrote about a run: one change.
    Annotation = 9,
    /// That a run was deleted, or taken back.
    Tombstone = 10,
    /// A saved plan as it was at a time, without its secrets; or that it was deleted.
    PlanRevision = 11,
    /// Providers and accounts.
    Accounts = 12,
    /// What is known of a record that travels.
    Travel = 13,
    /// How far the exchange with a server has got.
    Target = 14,
    /// With whom history is shared.
    Sync = 15,
    /// What sources of metrics showed over a run, and what it cost.
    Metrics = 16,
    /// Sources of metrics, and boards.
    MetricsBook = 17,
}

/// How the content is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// As it is.
    Plain = 0,
    /// Deflated.
    Deflate = 1,
}

/// Why bytes are not the envelope that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// Cut off, or something else altogether.
    #[error("it is not a record of Meshbench")]
    Foreign,
    /// Written by a newer Meshbench.
    #[error("it was written by a newer Meshbench")]
    Newer,
    /// Not of the kind that belongs in its place.
    #[error("it is of another kind than its place")]
    Kind,
    /// The bytes cannot be unpacked.
    #[error("it cannot be unpacked")]
    Unpack(#[source] std::io::Error),
    /// Larger than anything that this program writes.
    #[error("it is larger than {CONTENT_BYTES_MAX} bytes")]
    TooLarge,
    /// The content is not what was written.
    #[error("its content is not what was written (SHA-256 differs)")]
    Hash,
    /// The content has another form than this program knows.
    #[error("its content cannot be read")]
    Content(#[source] serde_json::Error),
}

/// Packs a value.
///
/// # Errors
/// [`EnvelopeError::TooLarge`], and [`EnvelopeError::Content`] for what has no JSON form.
pub fn seal<T: Serialize>(
    kind: Kind,
    schema: u32,
    codec: Codec,
    value: &T,
) -> Result<Vec<u8>, EnvelopeError> {
    let content = serde_json::to_vec(value).map_err(EnvelopeError::Content)?;
    if content.len() > CONTENT_BYTES_MAX {
        return Err(EnvelopeError::TooLarge);
    }
    let hash = Sha256::digest(&content);
    let packed = match codec {
        Codec::Plain => content,
        Codec::Deflate => deflated(&content).map_err(EnvelopeError::Unpack)?,
    };
    let length = u32::try_from(packed.len()).map_err(|_| EnvelopeError::TooLarge)?;
    let mut bytes = Vec::with_capacity(HEAD_BYTES + packed.len());
    bytes.extend(MAGIC);
    bytes.extend([VERSION, kind as u8, codec as u8, 0]);
    bytes.extend(schema.to_le_bytes());
    bytes.extend(length.to_le_bytes());
    bytes.extend(hash);
    bytes.extend(packed);
    Ok(bytes)
}

/// Proves and unpacks what [`seal`] wrote, of a schema up to the one that is known.
///
/// # Errors
/// [`EnvelopeError`].
pub fn open<T: DeserializeOwned>(kind: Kind, known_schema: u32, bytes: &[u8]) -> Result<T, EnvelopeError> {
    let content = content(kind, known_schema, bytes)?;
    serde_json::from_slice(&content).map_err(EnvelopeError::Content)
}

/// The byte that tells the kind of what starts like an envelope; none if none does. It proves nothing.
#[must_use]
pub fn kind_byte(head: &[u8]) -> Option<u8> {
    if *head.get(..4)? == MAGIC { head.get(5).copied() } else { None }
}

/// How long the envelope is that starts with these bytes; none if none does.
#[must_use]
pub fn length(head: &[u8]) -> Option<usize> {
    if head.get(..4)? != MAGIC || *head.get(4)? != VERSION {
        return None;
    }
    let length = usize::try_from(le_u32(head, 12)?).ok()?;
    (length <= ENVELOPE_BYTES_MAX - HEAD_BYTES).then_some(HEAD_BYTES + length)
}

fn content(kind: Kind, known_schema: u32, bytes: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
    let head = bytes.get(..HEAD_BYTES).ok_or(EnvelopeError::Foreign)?;
    if head[..4] != MAGIC {
        return Err(EnvelopeError::Foreign);
    }
    if head[4] > VERSION {
        return Err(EnvelopeError::Newer);
    }
    if length(head) != Some(bytes.len()) || head[7] != 0 {
        return Err(EnvelopeError::Foreign);
    }
    if head[5] != kind as u8 {
        return Err(EnvelopeError::Kind);
    }
    match le_u32(head, 8) {
        Some(schema) if (1..=known_schema).contains(&schema) => {}
        Some(schema) if schema > known_schema => return Err(EnvelopeError::Newer),
        _ => return Err(EnvelopeError::Foreign),
    }
    let packed = &bytes[HEAD_BYTES..];
    let content = match head[6] {
        0 => packed.to_vec(),
        1 => inflated(packed)?,
        _ => return Err(EnvelopeError::Newer),
    };
    if content.len() > CONTENT_BYTES_MAX {
        return Err(EnvelopeError::TooLarge);
    }
    if Sha256::digest(&content)[..] != head[16..HEAD_BYTES] {
        return Err(EnvelopeError::Hash);
    }
    Ok(content)
}

fn deflated(content: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content)?;
    encoder.finish()
}

fn inflated(packed: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
    let mut content = Vec::new();
    flate2::read::DeflateDecoder::new(packed)
        .take(CONTENT_BYTES_MAX as u64 + 1)
        .read_to_end(&mut content)
        .map_err(EnvelopeError::Unpack)?;
    Ok(content)
}

fn le_u32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(content: &serde_json::Value, codec: Codec) -> Vec<u8> {
        seal(Kind::Plan, 1, codec, content).unwrap()
    }

    fn read(bytes: &[u8]) -> Result<serde_json::Value, EnvelopeError> {
        open(Kind::Plan, 1, bytes)
    }

    #[test]
    fn both_codecs_give_back_what_was_sealed() {
        let content = serde_json::json!({ "a": [1, 2, 3], "b": "•••" });
        for codec in [Codec::Plain, Codec::Deflate] {
            let bytes = sealed(&content, codec);
            assert_eq!(read(&bytes).unwrap(), content);
            assert_eq!(length(&bytes), Some(bytes.len()));
        }
    }

    #[test]
    fn no_flipped_bit_and_no_cut_gives_other_content() {
        let content =
            serde_json::json!("some content that is long enough to be deflated, deflated, deflated");
        for codec in [Codec::Plain, Codec::Deflate] {
            let whole = sealed(&content, codec);
            for bit in 0..whole.len() * 8 {
                let mut bytes = whole.clone();
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert!(read(&bytes).map_or(true, |read| read == content), "bit {bit}");
            }
            for length in 0..whole.len() {
                assert!(read(&whole[..length]).is_err(), "cut to {length}");
            }
        }
    }

    #[test]
    fn hostile_envelopes_are_refused_with_their_reason() {
        let whole = sealed(&serde_json::json!({}), Codec::Deflate);
        let with = |at: usize, byte: u8| {
            let mut bytes = whole.clone();
            bytes[at] = byte;
            read(&bytes).unwrap_err()
        };
        assert!(matches!(with(0, b'X'), EnvelopeError::Foreign));
        assert!(matches!(with(4, 2), EnvelopeError::Newer));
        assert!(matches!(with(5, Kind::Run as u8), EnvelopeError::Kind));
        assert!(matches!(with(6, 9), EnvelopeError::Newer));
        assert!(matches!(with(8, 2), EnvelopeError::Newer));
        assert!(matches!(with(12, 0xff), EnvelopeError::Foreign));
        assert!(matches!(with(20, !whole[20]), EnvelopeError::Hash));
        let envelope = |codec: u8, packed: &[u8], hash: [u8; 32]| {
            let mut bytes = MAGIC.to_vec();
            bytes.extend([VERSION, Kind::Plan as u8, codec, 0, 1, 0, 0, 0]);
            bytes.extend((packed.len() as u32).to_le_bytes());
            bytes.extend(hash);
            bytes.extend(packed);
            bytes
        };
        let bomb = deflated(&vec![b' '; CONTENT_BYTES_MAX + 1]).unwrap();
        assert!(matches!(read(&envelope(1, &bomb, [0; 32])), Err(EnvelopeError::TooLarge)));
        let deep = "[".repeat(100_000).into_bytes();
        let hash = Sha256::digest(&deep).into();
        assert!(matches!(read(&envelope(0, &deep, hash)), Err(EnvelopeError::Content(_))));
    }
}
