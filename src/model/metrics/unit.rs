//! What a number of a panel counts, and how it is written.

use serde::{Deserialize, Serialize};

/// What a number counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A bare number.
    #[default]
    None,
    /// A number with thousands shortened: `1.20 k`.
    Short,
    /// Milliseconds.
    Millis,
    /// Seconds.
    Seconds,
    /// Bytes, in powers of 1024.
    Bytes,
    /// Bytes in a second, in powers of 1024.
    BytesPerSec,
    /// Bits in a second, in powers of 1000.
    BitsPerSec,
    /// A share, 0 to 1, shown as per cent.
    Share,
    /// A share, 0 to 100.
    Percent,
    /// Requests in a second.
    Rate,
    /// Processors: 1 is one of them for the whole time.
    Cores,
    /// A moment, in milliseconds since 1970.
    Moment,
    /// Anything else, by the word that stands after the number.
    Other(String),
}
