//! Durations as people write them: `250ms`, `1.5s`, `2m`, `1h 30m`.

use std::time::Duration;

/// The longest duration that any field accepts: ten days.
pub const DURATION_MAX: Duration = Duration::from_secs(10 * 24 * 3600);

/// Reads `250ms`, `30s`, `1.5 s`, `1h 30m`. A bare number is refused: its unit would be a guess.
///
/// # Errors
/// A sentence that says what is wrong and gives an example.
pub fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("a duration is missing, for example 30s".to_owned());
    }
    if text.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return Err(format!("{text} has no unit; write for example {text}s or {text}ms"));
    }
    let signed: jiff::SignedDuration = text
        .parse()
        .map_err(|_| format!("“{text}” is not a duration; write for example 250ms, 30s or 2m"))?;
    let duration = Duration::try_from(signed).map_err(|_| "a duration cannot be negative".to_owned())?;
    if duration > DURATION_MAX {
        return Err("the longest duration is 10 days".to_owned());
    }
    Ok(duration)
}

/// Writes a duration so that [`parse`] reads the same value back: `250ms`, `1.5s`, `2m`, `1h30m`.
#[must_use]
pub fn text(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let units = [
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1000),
        ("ns", 1),
    ];
    if nanos == 0 {
        return "0s".to_owned();
    }
    if nanos >= 60_000_000_000 {
        let mut rest = nanos;
        let mut out = String::new();
        for (name, size) in units {
            if rest / size > 0 {
                out.push_str(&format!("{}{name}", rest / size));
                rest %= size;
            }
        }
        return out;
    }
    let (name, size) = units.into_iter().find(|(_, size)| nanos >= *size).unwrap_or(("ns", 1));
    let digits = size.ilog10() as usize;
    let fraction = format!("{:0digits$}", nanos % size);
    let fraction = fraction.trim_end_matches('0');
    let whole = nanos / size;
    if size == 1 || fraction.is_empty() {
        format!("{whole}{name}")
    } else {
        format!("{whole}.{fraction}{name}")
    }
}

/// For `#[serde(with = "…")]`: a duration as text.
pub mod serde_text {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    /// Writes [`super::text`].
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::text(*duration))
    }

    /// Reads what [`super::parse`] accepts.
    ///
    /// # Errors
    /// The reason of [`super::parse`].
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        super::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for nanos in
            [0, 1, 999, 1500, 250_000_000, 1_500_000_000, 30_000_000_000, 90_000_000_000, 5_400_000_000_000]
        {
            let duration = Duration::from_nanos(nanos);
            assert_eq!(parse(&text(duration)), Ok(duration), "{}", text(duration));
        }
    }

    #[test]
    fn people_s_forms_are_read() {
        for (form, ms) in [
            ("250ms", 250),
            ("30s", 30_000),
            ("1.5s", 1500),
            ("1.5 s", 1500),
            ("2m", 120_000),
            ("1h 30m", 5_400_000),
        ] {
            assert_eq!(parse(form), Ok(Duration::from_millis(ms)), "{form}");
        }
    }

    #[test]
    fn what_is_no_duration_says_why() {
        for (form, reason) in [
            ("", "missing"),
            ("30", "no unit"),
            ("-5s", "negative"),
            ("soon", "not a duration"),
            ("300h", "10 days"),
        ] {
            let error = parse(form).expect_err(form);
            assert!(error.contains(reason), "{form}: {error}");
        }
    }
}
