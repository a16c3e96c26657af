//! Units by Grafana's names for them.

use super::look::line;
use crate::model::metrics::Unit;

/// The most characters of the word for a unit that we have no name for.
const WORD_CHARS_MAX: usize = 40;

/// The unit that Grafana calls so.
pub(super) fn of(name: &str) -> Unit {
    match name {
        "" | "none" | "string" => Unit::None,
        "short" | "locale" | "sci" => Unit::Short,
        "ms" | "dtdurationms" => Unit::Millis,
        "s" | "dtdurations" | "clocks" => Unit::Seconds,
        "bytes" | "decbytes" => Unit::Bytes,
        "Bps" | "binBps" => Unit::BytesPerSec,
        "bps" | "binbps" => Unit::BitsPerSec,
        "percentunit" => Unit::Share,
        "percent" => Unit::Percent,
        "reqps" | "rps" | "ops" | "cps" | "iops" | "rdps" | "wps" => Unit::Rate,
        "cores" | "suffix:cores" | "suffix: cores" => Unit::Cores,
        "dateTimeAsIso" | "dateTimeAsUS" | "dateTimeAsLocal" | "dateTimeFromNow" | "dateTimeAsSystem" => {
            Unit::Moment
        }
        other => {
            let word = other.strip_prefix("suffix:").or_else(|| other.strip_prefix("si:")).unwrap_or(other);
            Unit::Other(line(word, WORD_CHARS_MAX))
        }
    }
}
