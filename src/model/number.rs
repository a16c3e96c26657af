//! Numbers as people read them: three significant digits, a unit always, thin spaces in thousands.
//!
//! One place for every face and report, so that the same number looks the same everywhere.

/// Shown where a number cannot be known.
pub const UNKNOWN: &str = "–";
/// Between thousands, and between a number and its unit.
pub const THIN_SPACE: char = '\u{2009}';

/// `41.2 ms`, `850 µs`, `1.20 s` from milliseconds. A dash for what is not a number.
#[must_use]
pub fn millis(ms: f64) -> String {
    if !ms.is_finite() {
        return UNKNOWN.to_owned();
    }
    let size = ms.abs();
    let (value, unit) = if size == 0.0 {
        (0.0, "ms")
    } else if size < 0.000_999_5 {
        (ms * 1e6, "ns")
    } else if size < 0.9995 {
        (ms * 1e3, "µs")
    } else if size < 999.5 {
        (ms, "ms")
    } else {
        (ms / 1e3, "s")
    };
    format!("{} {unit}", significant(value))
}

/// Three significant digits without a unit: `0.123`, `41.2`, `1 230`.
#[must_use]
pub fn significant(value: f64) -> String {
    if !value.is_finite() {
        return UNKNOWN.to_owned();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let magnitude = value.abs().log10().floor() as i32;
    let rounded = round_to(value, magnitude);
    let magnitude = rounded.abs().log10().floor() as i32;
    if magnitude >= 2 {
        return grouped(round_to(value, magnitude));
    }
    let decimals = usize::try_from(2 - magnitude).unwrap_or(0).min(9);
    format!("{rounded:.decimals$}")
}

/// `12 345`: a count, all its digits.
#[must_use]
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 * THIN_SPACE.len_utf8());
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(THIN_SPACE);
        }
        out.push(digit);
    }
    out
}

/// `2 000/s`: a rate, to one part in a thousand or better.
#[must_use]
pub fn rate(per_sec: f64) -> String {
    if !per_sec.is_finite() {
        return UNKNOWN.to_owned();
    }
    if per_sec >= 1000.0 {
        return format!("{}/s", count(per_sec.round() as u64));
    }
    let text = if per_sec.abs() >= 100.0 { format!("{per_sec:.1}") } else { significant(per_sec) };
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text.as_str() };
    format!("{text}/s")
}

/// `0.12 %` from a share between 0 and 1.
#[must_use]
pub fn percent(share: f64) -> String {
    if share == 0.0 { "0 %".to_owned() } else { format!("{} %", significant(share * 100.0)) }
}

/// `1.20 MiB`.
#[must_use]
pub fn bytes(value: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut size = value as f64;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{value} B") } else { format!("{} {}", significant(size), UNITS[unit]) }
}

/// `00:42`, `01:02:03`: a moment or length of a run, in whole seconds.
#[must_use]
pub fn clock(seconds: f64) -> String {
    let whole = if seconds.is_finite() && seconds > 0.0 { seconds.round() as u64 } else { 0 };
    let (h, m, s) = (whole / 3600, whole / 60 % 60, whole % 60);
    if h > 0 { format!("{h:02}:{m:02}:{s:02}") } else { format!("{m:02}:{s:02}") }
}

fn round_to(value: f64, magnitude: i32) -> f64 {
    let step = 10f64.powi(magnitude - 2);
    if magnitude >= 2 {
        (value / step).round() * step
    } else {
        (value * 10f64.powi(2 - magnitude)).round() / 10f64.powi(2 - magnitude)
    }
}

fn grouped(value: f64) -> String {
    let sign = if value < 0.0 { "-" } else { "" };
    format!("{sign}{}", count(value.abs().round() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_choose_their_unit() {
        let cases = [
            (0.0, "0 ms"),
            (41.23, "41.2 ms"),
            (0.85, "850 µs"),
            (0.0805, "80.5 µs"),
            (1200.0, "1.20 s"),
            (999.4, "999 ms"),
            (999.6, "1.00 s"),
            (0.9996, "1.00 ms"),
            (0.0005, "500 ns"),
            (f64::NAN, "–"),
        ];
        for (ms, shown) in cases {
            assert_eq!(millis(ms), shown, "{ms}");
        }
    }

    #[test]
    fn three_digits_and_no_more() {
        let cases = [
            (0.123_45, "0.123"),
            (9.999, "10.0"),
            (99.95, "100"),
            (1234.0, "1\u{2009}230"),
            (-41.23, "-41.2"),
            (0.000_123_4, "0.000123"),
        ];
        for (value, shown) in cases {
            assert_eq!(significant(value), shown, "{value}");
        }
    }

    #[test]
    fn counts_and_rates_are_grouped() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1\u{2009}234\u{2009}567");
        assert_eq!(rate(2000.0), "2\u{2009}000/s");
        assert_eq!(rate(12.5), "12.5/s");
        assert_eq!(
            [0.0, 0.04, 0.0333, 1.0, 99.99, 120.0, 120.04].map(rate),
            ["0/s", "0.04/s", "0.0333/s", "1/s", "100/s", "120/s", "120/s"]
        );
        assert_eq!(percent(0.0012), "0.120 %");
        assert_eq!(bytes(1536), "1.50 KiB");
        assert_eq!(clock(62.4), "01:02");
    }
}
