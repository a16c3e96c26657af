//! Counts for Prometheus, without anybody's name.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of the latency histogram, in seconds.
const BOUNDS_S: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

/// What was answered so far.
#[derive(Debug, Default)]
pub(super) struct Metrics(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    requests: BTreeMap<(&'static str, String, u16), u64>,
    buckets: [u64; BOUNDS_S.len()],
    total: u64,
    seconds: f64,
    bytes_in: u64,
    bytes_out: u64,
    records: u64,
    limited: u64,
}

impl Metrics {
    /// An answer.
    pub(super) fn answered(&self, method: &'static str, route: &str, status: u16, took: Duration) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.requests.entry((method, route.to_owned(), status)).or_default() += 1;
        let seconds = took.as_secs_f64();
        for (bucket, bound) in counts.buckets.iter_mut().zip(BOUNDS_S) {
            *bucket += u64::from(seconds <= bound);
        }
        counts.total += 1;
        counts.seconds += seconds;
        counts.limited += u64::from(status == 429);
    }

    /// A record that was taken.
    pub(super) fn took(&self, bytes: usize) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.records += 1;
        counts.bytes_in += bytes as u64;
    }

    /// A record that was given.
    pub(super) fn gave(&self, bytes: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).bytes_out += bytes as u64;
    }

    /// In Prometheus' text format.
    pub(super) fn text(&self) -> String {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::from("# TYPE meshbench_requests_total counter\n");
        // Writing to a string cannot fail.
        for ((method, route, status), count) in &counts.requests {
            let _ = writeln!(
                text,
                "meshbench_requests_total{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}} {count}"
            );
        }
        text.push_str("# TYPE meshbench_request_seconds histogram\n");
        for (bucket, bound) in counts.buckets.iter().zip(BOUNDS_S) {
            let _ = writeln!(text, "meshbench_request_seconds_bucket{{le=\"{bound}\"}} {bucket}");
        }
        let _ = writeln!(text, "meshbench_request_seconds_bucket{{le=\"+Inf\"}} {}", counts.total);
        let _ = writeln!(text, "meshbench_request_seconds_sum {}", counts.seconds);
        let _ = writeln!(text, "meshbench_request_seconds_count {}", counts.total);
        for (name, value) in [
            ("records_taken", counts.records),
            ("record_bytes_received", counts.bytes_in),
            ("record_bytes_sent", counts.bytes_out),
            ("requests_limited", counts.limited),
        ] {
            let _ = writeln!(text, "# TYPE meshbench_{name}_total counter\nmeshbench_{name}_total {value}");
        }
        text
    }
}
