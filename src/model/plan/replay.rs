//! Reading recorded moments: one a line.

use jiff::Timestamp;

use crate::model::duration::DURATION_MAX;

/// The most moments in a recording.
pub const REPLAY_TIMES_MAX: usize = 2_000_000;
/// The largest recording, in bytes.
pub const REPLAY_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// How a recording tells its moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Seconds,
    Timestamp,
}

/// The moments of a recording in nanoseconds from the first, ascending. A line holds a number of seconds or an
/// RFC 3339 time, alone or as the first column of a CSV; the first line may be a heading. Empty lines and those
/// that begin with # are left out.
///
/// # Errors
/// What is wrong, and in which line.
pub fn parse_replay(text: &str) -> Result<Vec<u64>, String> {
    let mut moments: Vec<i128> = Vec::new();
    let mut kind = None;
    let mut seen = false;
    for (number, line) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let first = line.split([',', ';', '\t']).next().unwrap_or_default();
        let first = first.trim().trim_matches('"').trim();
        if line.trim().is_empty() || first.starts_with('#') {
            continue;
        }
        let is_first = !std::mem::replace(&mut seen, true);
        let Some((found, moment)) = moment(first) else {
            if is_first {
                continue;
            }
            return Err(format!("line {number}: this is neither a number of seconds nor an RFC 3339 time"));
        };
        if *kind.get_or_insert(found) != found {
            return Err(format!("line {number}: numbers of seconds and times are mixed"));
        }
        if moments.len() == REPLAY_TIMES_MAX {
            return Err(format!("line {number}: a recording holds at most {REPLAY_TIMES_MAX} moments"));
        }
        moments.push(moment);
    }
    moments.sort_unstable();
    let (Some(first), Some(last)) = (moments.first().copied(), moments.last()) else {
        return Err("there are no moments in it".to_owned());
    };
    if (last - first).unsigned_abs() > DURATION_MAX.as_nanos() {
        return Err("the recording is longer than 10 days".to_owned());
    }
    Ok(moments.into_iter().filter_map(|moment| u64::try_from(moment - first).ok()).collect())
}

fn moment(text: &str) -> Option<(Kind, i128)> {
    if let Some(nanos) = seconds(text) {
        return Some((Kind::Seconds, nanos));
    }
    let timestamp: Timestamp = text.parse().ok()?;
    Some((Kind::Timestamp, timestamp.as_nanosecond()))
}

/// `12`, `0.25`, `1700000000.123456789`: in nanoseconds, without a detour over floats; finer digits are cut.
fn seconds(text: &str) -> Option<i128> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let padded = format!("{:0<9}", fraction.get(..9).unwrap_or(fraction));
    let nanos = i128::from(whole) * 1_000_000_000 + i128::from(padded.parse::<u32>().ok()?);
    Some(if negative { -nanos } else { nanos })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recordings_are_read_as_people_have_them() {
        for (text, expected) in [
            ("0\n0.5\n1.25\n", vec![0, 500_000_000, 1_250_000_000]),
            ("1700000000.000000001\n1700000000\n", vec![0, 1]),
            ("time,path\n\n# a remark\n3,/a\n1,/b\n", vec![0, 2_000_000_000]),
            ("\u{feff}\"2026-01-01T00:00:00Z\";x\r\n2026-01-01T00:00:00.25Z;y\r\n", vec![0, 250_000_000]),
            ("2026-01-01T02:00:00+02:00\n2026-01-01T00:00:01Z", vec![0, 1_000_000_000]),
            ("-1\n.5", vec![0, 1_500_000_000]),
        ] {
            assert_eq!(parse_replay(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_recording_gets_a_reason() {
        for (text, reason) in [
            ("", "no moments"),
            ("heading\n", "no moments"),
            ("1\nx\n", "line 2"),
            ("a\nb\n", "line 2"),
            ("1\n2026-01-01T00:00:00Z\n", "mixed"),
            ("0\n864001\n", "10 days"),
            ("1e5\n1e6\n", "line 2"),
        ] {
            let error = parse_replay(text).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
