//! What is counted of requests, and the line of log that each leaves: never a token, a query or a name.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::answer::Broken;
use super::line;
use super::routes::Desk;

/// Upper bounds of the histogram's buckets, in seconds.
const BUCKETS: [f64; 9] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

/// Counts since the start.
#[derive(Debug, Default)]
pub(super) struct Metrics(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    requests: BTreeMap<(String, String, u16), u64>,
    seconds: [u64; BUCKETS.len()],
    seconds_sum: f64,
    seconds_count: u64,
    records: u64,
    record_bytes: u64,
    rate_limited: u64,
}

impl Metrics {
    /// A new record was taken.
    pub(super) fn taken(&self, size: u64) {
        self.change(|counts| {
            counts.records += 1;
            counts.record_bytes += size;
        });
    }

    /// In Prometheus' text format.
    pub(super) fn text(&self) -> String {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::from("# TYPE meshbench_http_requests_total counter\n");
        for ((method, route, status), count) in &counts.requests {
            let labels = format!("method=\"{method}\",route=\"{route}\",status=\"{status}\"");
            let _ = writeln!(text, "meshbench_http_requests_total{{{labels}}} {count}");
        }
        text.push_str("# TYPE meshbench_http_request_seconds histogram\n");
        for (bound, count) in BUCKETS.iter().zip(counts.seconds) {
            let _ = writeln!(text, "meshbench_http_request_seconds_bucket{{le=\"{bound}\"}} {count}");
        }
        let (sum, count) = (counts.seconds_sum, counts.seconds_count);
        let _ = writeln!(text, "meshbench_http_request_seconds_bucket{{le=\"+Inf\"}} {count}");
        let _ = writeln!(text, "meshbench_http_request_seconds_sum {sum}");
        let _ = writeln!(text, "meshbench_http_request_seconds_count {count}");
        let singles = [
            ("meshbench_records_taken_total", counts.records),
            ("meshbench_record_bytes_taken_total", counts.record_bytes),
            ("meshbench_rate_limited_total", counts.rate_limited),
        ];
        for (name, value) in singles {
            let _ = writeln!(text, "# TYPE {name} counter\n{name} {value}");
        }
        text
    }

    fn request(&self, method: &str, route: &str, status: u16, took: Duration) {
        self.change(|counts| {
            *counts.requests.entry((method.to_owned(), route.to_owned(), status)).or_default() += 1;
            let seconds = took.as_secs_f64();
            for (bound, count) in BUCKETS.iter().zip(&mut counts.seconds) {
                *count += u64::from(seconds <= *bound);
            }
            counts.seconds_sum += seconds;
            counts.seconds_count += 1;
            counts.rate_limited += u64::from(status == 429);
        });
    }

    fn change(&self, how: impl FnOnce(&mut Counts)) {
        how(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Counts a request and writes its line.
pub(super) async fn observe(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    // Anything may stand in an address or be called a method: only what is known is counted.
    let route = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let method = match request.method().as_str() {
        known @ ("GET" | "HEAD" | "PUT" | "POST" | "DELETE") => known.to_owned(),
        _ => "OTHER".to_owned(),
    };
    let response = next.run(request).await;
    let (status, took) = (response.status().as_u16(), began.elapsed());
    desk.metrics.request(&method, &route, status, took);
    let mut fields = BTreeMap::from([
        ("method", method.into()),
        ("route", route.into()),
        ("status", status.into()),
        ("milliseconds", u64::try_from(took.as_millis()).unwrap_or(u64::MAX).into()),
    ]);
    if let Some(Broken(why)) = response.extensions().get() {
        fields.insert("error", why.clone().into());
    }
    (desk.settings.log)(&line(&fields));
    response
}
