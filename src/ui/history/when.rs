//! Moments as people read them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// `2026-11-22 12:03`, in this zone.
#[must_use]
pub(super) fn local(moment: Timestamp, zone: &TimeZone) -> String {
    moment.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// `3 min ago (2026-11-22 12:03:11 +0100)`
#[must_use]
pub(super) fn exact(moment: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let local = moment.to_zoned(zone.clone());
    format!("{} ({})", relative(moment, now), local.strftime("%Y-%m-%d %H:%M:%S %z"))
}

/// `3 min ago`
#[must_use]
pub(super) fn relative(moment: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - moment.as_second();
    let (count, unit) = match seconds {
        ..=-1 => return "by this machine's clock in the future".to_owned(),
        0..10 => return "just now".to_owned(),
        10..60 => (seconds, "s"),
        60..3600 => (seconds / 60, "min"),
        3600..86_400 => (seconds / 3600, "h"),
        86_400..172_800 => (1, "day"),
        _ => (seconds / 86_400, "days"),
    };
    format!("{count} {unit} ago")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_said_from_now() {
        let now = Timestamp::from_second(1_800_000_000).expect("in range");
        for (seconds_ago, words) in [
            (-5, "by this machine's clock in the future"),
            (0, "just now"),
            (42, "42 s ago"),
            (119, "1 min ago"),
            (7200, "2 h ago"),
            (100_000, "1 day ago"),
            (400 * 86_400, "400 days ago"),
        ] {
            let moment = Timestamp::from_second(1_800_000_000 - seconds_ago).expect("in range");
            assert_eq!(relative(moment, now), words);
        }
    }

    #[test]
    fn moments_are_shown_in_the_person_s_zone() {
        let moment: Timestamp = "2026-11-22T23:30:05Z".parse().expect("a moment");
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        assert_eq!(local(moment, &zone), "2026-11-23 00:30");
        assert_eq!(exact(moment, moment, &zone), "just now (2026-11-23 00:30:05 +0100)");
    }
}
