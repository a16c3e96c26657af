//! What a plan will do, in plain words.

use std::time::Duration;

use crate::model::{Pacing, Plan, Stop, number};

/// One sentence: `Sends 100 requests a second over at most 16 connections for 30 s: 3 000 requests`.
#[must_use]
pub fn sentence(plan: &Plan) -> String {
    let over = over(plan);
    let warmup = if plan.warmup.is_zero() {
        String::new()
    } else {
        format!(", after a warm-up of {} that is not counted", spaced(plan.warmup))
    };
    let pace = match &plan.pacing {
        Pacing::Max { think } if think.is_zero() => "as fast as answers come".to_owned(),
        Pacing::Max { think } => format!("{} after each answer", spaced(*think)),
        Pacing::Constant { rate_per_sec } => per_second(*rate_per_sec),
        Pacing::Poisson { rate_per_sec } => {
            format!("{} on average, at random moments,", per_second(*rate_per_sec))
        }
        Pacing::Profile(profile) => format!("requests, {},", profile.words()),
        Pacing::Replay { file } => format!("requests at the moments recorded in {}", file.display()),
    };
    match (plan.stop, &plan.pacing) {
        (stop, Pacing::Profile(_) | Pacing::Replay { .. }) => {
            let end = match stop {
                Stop::Duration(length) => format!(", for {} at most", spaced(length)),
                Stop::Requests(count) => format!(", {} at most", requests(count)),
                Stop::Never => String::new(),
            };
            format!("Sends {pace} {over}{end}{warmup}")
        }
        (Stop::Never, Pacing::Max { .. }) => format!("Sends requests {pace} {over} until stopped{warmup}"),
        (Stop::Never, _) => format!("Sends {pace} {over} until stopped{warmup}"),
        (Stop::Duration(length), Pacing::Max { .. }) => {
            format!("Sends requests {pace} {over} for {}{warmup}", spaced(length))
        }
        (Stop::Duration(length), pacing) => {
            let due = pacing.rate_per_sec().unwrap_or(0.0) * length.as_secs_f64();
            let about = if matches!(pacing, Pacing::Poisson { .. }) { "about " } else { "" };
            let count = requests(due.ceil() as u64);
            format!("Sends {pace} {over} for {}: {about}{count}{warmup}", spaced(length))
        }
        (Stop::Requests(count), Pacing::Max { .. }) => {
            format!("Sends {} {pace} {over}{warmup}", requests(count))
        }
        (Stop::Requests(count), pacing) => {
            let seconds = count as f64 / pacing.rate_per_sec().unwrap_or(1.0);
            let length = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
            format!(
                "Sends {pace} {over} until {} were due: about {}{warmup}",
                requests(count),
                spaced(length)
            )
        }
    }
}

/// A reason as a sentence of its own begins with a capital letter, unless its first word has one elsewhere: gRPC.
pub(super) fn sentence_case(words: &str) -> String {
    let is_name = words.split_whitespace().next().is_some_and(|word| word.contains(char::is_uppercase));
    let mut words = words.to_owned();
    if let Some(first) = words.get_mut(..1).filter(|_| !is_name) {
        first.make_ascii_uppercase();
    }
    words
}

fn over(plan: &Plan) -> String {
    let streams = match plan.target.protocol.streams() {
        1 => "",
        many => &format!(" of {} streams", number::count(many.into())),
    };
    match (&plan.pacing, plan.connections) {
        (_, 1) => format!("over one connection{streams}"),
        (Pacing::Max { .. }, many) => format!("over {} connections{streams}", number::count(many.into())),
        (_, many) => format!("over at most {} connections{streams}", number::count(many.into())),
    }
}

fn requests(count: u64) -> String {
    if count == 1 { "1 request".to_owned() } else { format!("{} requests", number::count(count)) }
}

fn per_second(rate: f64) -> String {
    if (rate - 1.0).abs() < f64::EPSILON {
        return "1 request a second".to_owned();
    }
    let rate = number::rate(rate);
    format!("{} requests a second", rate.trim_end_matches("/s"))
}

/// `30 s`, `1.5 s`, `2 min`, `1 h 30 min`.
pub(super) fn spaced(length: Duration) -> String {
    let seconds = length.as_secs();
    if seconds < 60 {
        let text = number::millis(length.as_secs_f64() * 1e3);
        // Three digits are for what was measured; what was typed is shown as it is.
        return if length.subsec_nanos() == 0 { format!("{seconds} s") } else { text };
    }
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let parts = [(hours, "h"), (minutes, "min"), (rest, "s")];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{} {unit}", number::count(count)))
        .collect();
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_becomes_a_sentence_and_a_name_stays_one() {
        for (reason, sentence) in
            [("a URL is missing", "A URL is missing"), ("gRPC needs", "gRPC needs"), ("", "")]
        {
            assert_eq!(sentence_case(reason), sentence);
        }
    }

    #[test]
    fn what_will_happen_is_said_in_plain_words() {
        let secs = Duration::from_secs;
        let constant = |rate_per_sec| Pacing::Constant { rate_per_sec };
        let cases = [
            (
                constant(100.0),
                Stop::Duration(secs(30)),
                "Sends 100 requests a second over at most 16 connections for 30 s: 3\u{2009}000 requests",
            ),
            (
                Pacing::Poisson { rate_per_sec: 12.5 },
                Stop::Duration(secs(120)),
                "Sends 12.5 requests a second on average, at random moments, over at most 16 connections \
                 for 2 min: about 1\u{2009}500 requests",
            ),
            (
                Pacing::MAX,
                Stop::Duration(secs(5400)),
                "Sends requests as fast as answers come over 16 connections for 1 h 30 min",
            ),
            (Pacing::MAX, Stop::Requests(1), "Sends 1 request as fast as answers come over 16 connections"),
            (
                constant(1.0),
                Stop::Requests(90),
                "Sends 1 request a second over at most 16 connections until 90 requests were due: \
                 about 1 min 30 s",
            ),
        ];
        for (pacing, stop, words) in cases {
            let plan = Plan { pacing, stop, ..Plan::for_url("http://localhost/") };
            assert_eq!(sentence(&plan), words);
        }
    }

    #[test]
    fn streams_are_said() {
        let mut plan = Plan::for_url("http://localhost/");
        plan.target.protocol = crate::model::plan::Protocol::Http2 { streams: 20 };
        assert!(sentence(&plan).contains("over at most 16 connections of 20 streams for 30 s"));
    }

    #[test]
    fn a_warm_up_is_said() {
        let mut plan = Plan::for_url("http://localhost/");
        plan.warmup = Duration::from_millis(1500);
        plan.connections = 1;
        assert_eq!(
            sentence(&plan),
            "Sends 100 requests a second over one connection for 30 s: 3\u{2009}000 requests, \
             after a warm-up of 1.50 s that is not counted"
        );
    }
}
