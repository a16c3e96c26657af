//! A run in the shape of Fortio's results (`HTTPRunnerResults`), as Fortio, Istio's scripts and Meshery read them.
//!
//! | field | of the run |
//! |---|---|
//! | `DurationHistogram` | **response** time, from the due moment, in seconds; failures are in it, as in Fortio's |
//! | `RetCodes` | answers by status; `-1` is every request without a whole answer (of gRPC and echoes: each by its class) |
//! | `ActualQPS` | whole answers per second, pauses left out |
//! | `RequestedQPS` | the rate asked for, `max` of a closed loop, `varying` of one that changed |
//! | `NumThreads`, `NumConnections` | connections |
//! | `Meshbench` | ours: which run, what was measured, whether its numbers are void, and the kinds of its warnings |
//!
//! Left out: `ErrorsDurationHistogram` (durations of failures are not kept apart), and whatever may hold a secret: headers,
//! cookies, body, credentials, and of the URL its user, query and fragment; files, since their paths tell names.

use serde_json::{Map, Value, json};
use url::Url;

use crate::model::plan::Protocol;
use crate::model::run::{ECHOED_STATUS, STATUS_ERROR};
use crate::model::{Pacing, Run, Stop, duration};
use crate::stats::{CodecError, Latency};

/// Buckets for each power of ten: each is 4.7 % wide.
const BUCKETS_PER_DECADE: u32 = 50;
/// Those that readers look for.
const PERCENTILES: [f64; 6] = [50.0, 75.0, 90.0, 95.0, 99.0, 99.9];
/// The most characters of an `ID`.
const ID_CHARS_MAX: usize = 96;
/// Under which Fortio counts requests without an answer.
const NO_ANSWER: &str = "-1";
/// Under which it counts what an echo sent back.
const ECHOED: &str = "OK";

/// A run as Fortio would have written it, with an object of ours beside.
///
/// # Errors
/// When the run keeps no histogram that can be read.
pub fn of(run: &Run) -> Result<Value, CodecError> {
    let histogram = histogram(&Latency::decode(&run.histograms.response)?);
    let url = shown_url(&run.plan.target.url);
    let kind = kind(run, &url);
    let exactly = if let Stop::Requests(count) = run.plan.stop { count } else { 0 };
    Ok(json!({
        "RunType": kind.words(),
        "Labels": format!("{} -_- {url}", run.name),
        "StartTime": run.started.to_string(),
        "RequestedQPS": requested_rate(run),
        "RequestedDuration": requested_duration(&run.plan.stop),
        "ActualQPS": run.rate.achieved,
        "ActualDuration": nanos(run.elapsed_s),
        "NumThreads": run.plan.connections,
        "NumConnections": run.plan.connections,
        "Version": format!("Meshbench {}", run.environment.meshbench),
        "DurationHistogram": histogram,
        "Exactly": exactly,
        "Jitter": false,
        "Uniform": false,
        "NoCatchUp": false,
        "RunID": 0,
        "ID": id(run),
        "RetCodes": ret_codes(run, kind),
        "SocketCount": run.connections.opened,
        "URL": url,
        "Meshbench": {
            "run": run.id.to_string(),
            "measured": "response time, from the moment a request was due",
            "void": run.is_void(),
            "warnings": run.warnings.iter().map(|warning| json!(warning.kind)).collect::<Vec<_>>(),
            "ended": run.ended,
            "requests": run.requests,
        },
    }))
}

/// A URL without its user, query and fragment: each may hold a secret. Nothing where it cannot be told apart.
#[must_use]
pub fn shown_url(text: &str) -> String {
    let Ok(mut url) = Url::parse(text) else { return String::new() };
    let has_user = !url.username().is_empty() || url.password().is_some();
    if has_user && (url.set_username("").is_err() || url.set_password(None).is_err()) {
        return String::new();
    }
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

/// What Fortio tells apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Http,
    Grpc,
    Tcp,
    Udp,
}

impl Kind {
    fn words(self) -> &'static str {
        match self {
            Self::Http => "HTTP",
            Self::Grpc => "GRPC",
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }
}

fn kind(run: &Run, url: &str) -> Kind {
    match (url.split_once(':').map(|(scheme, _)| scheme), &run.plan.target.protocol) {
        (Some("tcp"), _) => Kind::Tcp,
        (Some("udp"), _) => Kind::Udp,
        (_, Protocol::Grpc { .. }) => Kind::Grpc,
        _ => Kind::Http,
    }
}

fn requested_rate(run: &Run) -> String {
    match (run.rate.asked, &run.plan.pacing) {
        (Some(rate), _) => rate.to_string(),
        (None, Pacing::Max { .. }) => "max".to_owned(),
        (None, _) => "varying".to_owned(),
    }
}

fn requested_duration(stop: &Stop) -> String {
    match stop {
        Stop::Duration(length) => duration::text(*length),
        Stop::Requests(count) => format!("exactly {count} calls"),
        Stop::Never => "until stop".to_owned(),
    }
}

fn nanos(seconds: f64) -> u64 {
    // Saturates, and is 0 for what is no number.
    (seconds * 1e9).round() as u64
}

fn id(run: &Run) -> String {
    let when = run.started.strftime("%Y-%m-%d-%H%M%S");
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let name: String = run.name.chars().map(plain).collect();
    format!("{when}_{name}").chars().take(ID_CHARS_MAX).collect()
}

fn ret_codes(run: &Run, kind: Kind) -> Map<String, Value> {
    let mut codes = Map::new();
    let mut add = |code: &str, count: u64| {
        let so_far = codes.get(code).and_then(Value::as_u64).unwrap_or(0);
        codes.insert(code.to_owned(), (so_far + count).into());
    };
    for (status, count) in &run.status {
        // Go reads keys of HTTP as numbers, and the whole file fails with one that is none.
        let is_key = kind != Kind::Http || status.parse::<u16>().is_ok();
        let code = if status == ECHOED_STATUS { ECHOED } else { status };
        add(if is_key { code } else { NO_ANSWER }, *count);
    }
    for (class, count) in run.errors.iter().filter(|(class, _)| *class != STATUS_ERROR) {
        add(if kind == Kind::Http { NO_ANSWER } else { class }, *count);
    }
    codes
}

/// In seconds. Buckets are `(Start, End]`, ascending; those that are empty are left out.
fn histogram(latency: &Latency) -> Value {
    let count = latency.count();
    if count == 0 {
        return json!({"Count": 0, "Min": 0, "Max": 0, "Sum": 0, "Avg": 0, "StdDev": 0, "Data": null});
    }
    let max = latency.max_ms() / 1e3;
    let lowest = latency.recorded().next().map_or(0.0, |(nanos, _)| nanos as f64 / 1e9);
    let min = lowest.min(max);
    let average = latency.quantiles().mean / 1e3;
    let squares: f64 =
        latency.recorded().map(|(nanos, count)| (nanos as f64 / 1e9 - average).powi(2) * count as f64).sum();
    let percentiles = PERCENTILES
        .map(|percent| json!({"Percentile": percent, "Value": latency.quantile_ms(percent / 100.0) / 1e3}));
    json!({
        "Count": count,
        "Min": min,
        "Max": max,
        "Sum": average * count as f64,
        "Avg": average,
        "StdDev": (squares / count as f64).sqrt(),
        "Data": buckets(latency, min, max),
        "Percentiles": percentiles,
    })
}

fn buckets(latency: &Latency, min: f64, max: f64) -> Vec<Value> {
    let all = latency.count() as f64;
    let mut seen = 0;
    let filled = latency.log_buckets(BUCKETS_PER_DECADE).into_iter().filter(|(.., count)| *count > 0);
    let mut buckets: Vec<(f64, f64, u64)> =
        filled.map(|(low, high, count)| (low / 1e3, high / 1e3, count)).collect();
    if let Some(first) = buckets.first_mut() {
        first.0 = min;
    }
    if let Some(last) = buckets.last_mut() {
        last.1 = max;
    }
    let mut told = |(start, end, count): (f64, f64, u64)| {
        seen += count;
        json!({"Start": start, "End": end, "Percent": 100.0 * seen as f64 / all, "Count": count})
    };
    buckets.drain(..).map(&mut told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_secret_in_a_url_is_left_out() {
        for (url, shown) in [
            ("http://user:CANARY@shop.test/a?token=CANARY#CANARY", "http://shop.test/a"),
            ("http://CANARY@shop.test/", "http://shop.test/"),
            ("tcp://10.0.0.1:7000", "tcp://10.0.0.1:7000"),
            ("CANARY", ""),
        ] {
            assert_eq!(shown_url(url), shown, "{url}");
        }
    }

    #[test]
    fn buckets_climb_and_hold_every_value() {
        let mut latency = Latency::new();
        for n in 1..=10_000_u64 {
            latency.record_nanos(n * n * 100);
        }
        let told = histogram(&latency);
        let data = told["Data"].as_array().expect("buckets");
        let number = |value: &Value| value.as_f64().expect("a number");
        assert_eq!(data.iter().filter_map(|bucket| bucket["Count"].as_u64()).sum::<u64>(), 10_000);
        assert_eq!(data[0]["Start"], told["Min"]);
        assert_eq!(data.last().map(|last| &last["End"]), Some(&told["Max"]));
        assert!(data.iter().all(|bucket| number(&bucket["Start"]) <= number(&bucket["End"])));
        assert!(data.windows(2).all(|pair| number(&pair[0]["End"]) <= number(&pair[1]["Start"]) + 1e-12));
        assert!((number(&data[data.len() - 1]["Percent"]) - 100.0).abs() < 1e-9);
        // The median of n² · 100 ns for n up to 10 000 is 2.5 s.
        let median = number(&told["Percentiles"][0]["Value"]);
        assert!((median / 2.5 - 1.0).abs() < 0.01, "{median}");
    }
}
