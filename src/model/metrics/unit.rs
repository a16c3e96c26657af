//! What a number of a panel counts, and how it is written.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::number;

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

/// The most digits after the point.
const DECIMALS_MAX: u8 = 9;
/// The most characters of a unit's name that is taken over from elsewhere.
const NAME_MAX: usize = 24;
/// Whole numbers below this are written with all their digits.
const WHOLE_BELOW: f64 = 1e6;

const THOUSANDS: [&str; 6] = ["", "k", "M", "G", "T", "P"];
const BYTES: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const TIMES: [(f64, &str); 4] = [(1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")];

impl Unit {
    /// A value as people read it: `41.2 ms`, `1.20 MiB`, `2 000/s`; three significant digits, or as many after the
    /// point as are asked for. A dash for what is not a number.
    #[must_use]
    pub fn write(&self, value: f64, decimals: Option<u8>) -> String {
        if !value.is_finite() {
            return number::UNKNOWN.to_owned();
        }
        match self {
            Self::None => whole_or(value, decimals),
            Self::Short => {
                let (value, prefix) = scaled(value, 1000.0, &THOUSANDS);
                joined(&whole_or(value, decimals), prefix)
            }
            Self::Millis => time(value / 1000.0, decimals),
            Self::Seconds => time(value, decimals),
            Self::Bytes => bytes(value, decimals),
            Self::BytesPerSec => format!("{}/s", bytes(value, decimals)),
            Self::BitsPerSec => {
                let (value, prefix) = scaled(value, 1000.0, &THOUSANDS);
                format!("{} {prefix}bit/s", digits(value, decimals))
            }
            Self::Share => format!("{} %", digits(value * 100.0, decimals)),
            Self::Percent => format!("{} %", digits(value, decimals)),
            Self::Rate => match decimals {
                None if value >= 1000.0 => number::rate(value),
                None => format!("{}/s", number::significant(value)),
                Some(_) => format!("{}/s", digits(value, decimals)),
            },
            Self::Cores => format!("{} cores", digits(value, decimals)),
            Self::Moment => moment(value),
            Self::Other(word) => joined(&whole_or(value, decimals), word),
        }
    }

    /// The unit that Grafana calls so. What we have no scale for keeps its numbers as they are, with its name.
    #[must_use]
    pub fn from_grafana(id: &str) -> Self {
        let id = id.trim();
        match id {
            "" | "none" | "string" | "bool" | "locale" | "sishort" => Self::None,
            "short" => Self::Short,
            "ms" | "dtdurationms" => Self::Millis,
            "s" | "dtdurations" | "clocks" => Self::Seconds,
            "bytes" | "decbytes" => Self::Bytes,
            "Bps" | "binBps" => Self::BytesPerSec,
            "bps" | "binbps" => Self::BitsPerSec,
            "percentunit" => Self::Share,
            "percent" => Self::Percent,
            "reqps" | "ops" | "rps" | "wps" | "iops" | "cps" | "eps" | "mps" | "recps" | "rowsps" => {
                Self::Rate
            }
            "cores" => Self::Cores,
            _ if id.starts_with("dateTime") || id.starts_with("time:") => Self::Moment,
            _ => Self::Other(word(id)),
        }
    }
}

/// The word that stands after the number.
fn word(id: &str) -> String {
    let name = match id {
        "µs" | "us" => "µs",
        "ns" => "ns",
        "m" | "dtdurationm" => "min",
        "h" => "h",
        "d" => "d",
        "clockms" => "ms",
        "bits" | "decbits" => "bit",
        "kbytes" => "KiB",
        "mbytes" => "MiB",
        "gbytes" => "GiB",
        "deckbytes" => "kB",
        "decmbytes" => "MB",
        "decgbytes" => "GB",
        "KBs" => "kB/s",
        "MBs" => "MB/s",
        "GBs" => "GB/s",
        "KiBs" => "KiB/s",
        "MiBs" => "MiB/s",
        "GiBs" => "GiB/s",
        "Kbits" => "kbit/s",
        "Mbits" => "Mbit/s",
        "Gbits" => "Gbit/s",
        "pps" => "packets/s",
        "rpm" | "reqpm" => "/min",
        "opm" | "wpm" | "cpm" => "/min",
        "celsius" => "°C",
        "hertz" | "rothz" => "Hz",
        "watt" => "W",
        _ => id.strip_prefix("suffix:").or_else(|| id.strip_prefix("prefix:")).unwrap_or(id).trim(),
    };
    name.chars().filter(|c| !c.is_control()).take(NAME_MAX).collect()
}

fn digits(value: f64, decimals: Option<u8>) -> String {
    let Some(decimals) = decimals else { return number::significant(value) };
    let text = format!("{value:.*}", usize::from(decimals.min(DECIMALS_MAX)));
    let (sign, rest) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
    let (whole, part) = rest.split_once('.').map_or((rest, None), |(whole, part)| (whole, Some(part)));
    let grouped = whole.parse().map_or_else(|_| whole.to_owned(), number::count);
    let sign = if rest.chars().all(|c| c == '0' || c == '.') { "" } else { sign };
    part.map_or_else(|| format!("{sign}{grouped}"), |part| format!("{sign}{grouped}.{part}"))
}

/// All digits of what is a whole number: counts are not `7.00`.
fn whole_or(value: f64, decimals: Option<u8>) -> String {
    let is_whole = value.fract() == 0.0 && value.abs() < WHOLE_BELOW;
    digits(value, if is_whole { decimals.or(Some(0)) } else { decimals })
}

fn scaled<'a>(value: f64, base: f64, prefixes: &[&'a str]) -> (f64, &'a str) {
    let (mut size, mut at) = (value, 0);
    // As it is written: what rounds up to 1000 is one of the next.
    while at + 1 < prefixes.len() && (size.abs() >= base || (base == 1000.0 && size.abs() >= 999.5)) {
        size /= base;
        at += 1;
    }
    (size, prefixes[at])
}

fn bytes(value: f64, decimals: Option<u8>) -> String {
    let (size, unit) = scaled(value, 1024.0, &BYTES);
    let text = if unit == "B" { whole_or(size, decimals) } else { digits(size, decimals) };
    format!("{text} {unit}")
}

fn time(seconds: f64, decimals: Option<u8>) -> String {
    if decimals.is_none() && seconds.abs() < 100.0 {
        return number::millis(seconds * 1000.0);
    }
    let (one, unit) = match seconds.abs() {
        0.0 => (1.0, "s"),
        size if size >= 2.0 * 86_400.0 => (86_400.0, "d"),
        size if size >= 2.0 * 3600.0 => (3600.0, "h"),
        size if size >= 120.0 => (60.0, "min"),
        size => *TIMES.iter().find(|(one, _)| size >= one * 0.9995).unwrap_or(&TIMES[3]),
    };
    format!("{} {unit}", digits(seconds / one, decimals))
}

fn moment(ms: f64) -> String {
    Timestamp::from_millisecond(ms.round() as i64)
        .map_or_else(|_| number::UNKNOWN.to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

fn joined(value: &str, unit: &str) -> String {
    match unit {
        "" => value.to_owned(),
        unit if unit.starts_with('/') => format!("{value}{unit}"),
        unit => format!("{value} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_is_written_with_what_it_counts() {
        let cases = [
            (Unit::None, 7.0, "7"),
            (Unit::None, 12_345.0, "12\u{2009}345"),
            (Unit::None, 0.123_45, "0.123"),
            (Unit::Short, 1234.0, "1.23 k"),
            (Unit::Short, 999_999.0, "1.00 M"),
            (Unit::Short, 12.0, "12"),
            (Unit::Millis, 41.23, "41.2 ms"),
            (Unit::Millis, 0.85, "850 µs"),
            (Unit::Seconds, 0.0412, "41.2 ms"),
            (Unit::Seconds, 90.0, "90.0 s"),
            (Unit::Seconds, 600.0, "10.0 min"),
            (Unit::Seconds, 864_000.0, "10.0 d"),
            (Unit::Bytes, 1536.0, "1.50 KiB"),
            (Unit::Bytes, 512.0, "512 B"),
            (Unit::Bytes, -1536.0, "-1.50 KiB"),
            (Unit::BytesPerSec, 1024.0 * 1024.0, "1.00 MiB/s"),
            (Unit::BitsPerSec, 12_000.0, "12.0 kbit/s"),
            (Unit::Share, 0.123, "12.3 %"),
            (Unit::Share, 1.0, "100 %"),
            (Unit::Percent, 12.3, "12.3 %"),
            (Unit::Rate, 2000.0, "2\u{2009}000/s"),
            (Unit::Rate, 0.01, "0.0100/s"),
            (Unit::Cores, 1.5, "1.50 cores"),
            (Unit::Moment, 0.0, "1970-01-01 00:00:00 UTC"),
            (Unit::Other("req/min".into()), 12.0, "12 req/min"),
            (Unit::Other("/min".into()), 12.5, "12.5/min"),
            (Unit::Bytes, f64::NAN, "–"),
            (Unit::Moment, 1e300, "–"),
        ];
        for (unit, value, text) in cases {
            assert_eq!(unit.write(value, None), text, "{unit:?} {value}");
        }
    }

    #[test]
    fn digits_after_the_point_are_as_many_as_are_asked_for() {
        let cases = [
            (Unit::Millis, 41.234, 2, "41.23 ms"),
            (Unit::Share, 0.5, 0, "50 %"),
            (Unit::Rate, 12_345.678, 1, "12\u{2009}345.7/s"),
            (Unit::Bytes, 1536.0, 0, "2 KiB"),
            (Unit::None, -1234.5, 1, "-1\u{2009}234.5"),
            (Unit::None, -0.001, 1, "0.0"),
            (Unit::Seconds, 0.0, 1, "0.0 s"),
        ];
        for (unit, value, decimals, text) in cases {
            assert_eq!(unit.write(value, Some(decimals)), text, "{unit:?} {value}");
        }
    }

    #[test]
    fn grafanas_units_keep_their_numbers() {
        let cases = [
            ("ms", Unit::Millis),
            ("s", Unit::Seconds),
            ("µs", Unit::Other("µs".into())),
            ("decbytes", Unit::Bytes),
            ("binBps", Unit::BytesPerSec),
            ("bps", Unit::BitsPerSec),
            ("percent", Unit::Percent),
            ("percentunit", Unit::Share),
            ("reqps", Unit::Rate),
            ("ops", Unit::Rate),
            ("short", Unit::Short),
            ("none", Unit::None),
            ("", Unit::None),
            ("dateTimeAsIso", Unit::Moment),
            ("suffix: pods", Unit::Other("pods".into())),
            ("currencyUSD", Unit::Other("currencyUSD".into())),
        ];
        for (id, unit) in cases {
            assert_eq!(Unit::from_grafana(id), unit, "{id}");
        }
        assert_eq!(Unit::from_grafana(&"x".repeat(500)), Unit::Other("x".repeat(NAME_MAX)));
    }

    proptest! {
        #[test]
        fn whatever_the_number_something_short_is_written(value in any::<f64>(), decimals in any::<Option<u8>>()) {
            for unit in [Unit::None, Unit::Short, Unit::Millis, Unit::Bytes, Unit::Rate, Unit::Moment, Unit::Cores] {
                prop_assert!(!unit.write(value, decimals).is_empty());
            }
        }
    }
}
