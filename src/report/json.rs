//! Runs as JSON, without loss.
//!
//! One run is an object, several are an array of such objects. Version 1, all keys:
//!
//! | key | shape | meaning, unit |
//! |---|---|---|
//! | `version` | 1 | version of this format; it grows only when the meaning of a key changes |
//! | `id` | text | UUID version 7; sorts by time |
//! | `name`, `note` | text | as a person wrote them |
//! | `labels` | {key: text} | by which runs are grouped |
//! | `plan` | object | what was run, as in a plan's TOML; secrets are `•••` |
//! | `started` | text | RFC 3339, UTC; when the first request was due |
//! | `elapsed_s` | number | length of the counted part in seconds: as planned, or up to the last counted answer if that came later |
//! | `ended` | `completed`, `stopped`, `interrupted` | how it ended |
//! | `interrupted` | bool | ended by a crash or kill; at most the last second is missing |
//! | `requests` | {`due`, `answered`, `failed`, `cancelled`} | counts; due = answered + failed without an answer + cancelled |
//! | `warmup` | as `requests` | sent before counting began, and counted nowhere else |
//! | `rate` | {`asked`, `achieved`} | requests per second; `asked` is null for a closed loop |
//! | `response_ms` | quantiles | answer minus the moment the request was due: what a user waits |
//! | `service_ms` | quantiles | answer minus the moment the request was sent |
//! | `lag_ms` | quantiles | how late the generator itself was |
//! | `errors` | {class: count} | `dns connect_refused connect_timeout tls reset closed_early protocol response_timeout overflow`, and `status` for answers of 400 and above |
//! | `status` | {code: count} | whole answers by status code |
//! | `goals` | [{`goal`, `value`, `met`}] | `value` in the goal's unit (ms, share from 0 to 1, 1/s while requests were due), null if not measured |
//! | `warnings` | [{`kind`, `text`}] | what to know before trusting the numbers |
//! | `bytes` | {`sent`, `received`} | bytes of heads and bodies |
//! | `connections` | {`opened`, `waited`, `resent`} | connections opened; requests that waited for a free one; those that were sent again because the target did not touch them (absent: none) |
//! | `environment` | {`meshbench`, `system`, `cpus`, `load_threads`, `address`, `load_cpu_share`} | where it was run; the share is of the load threads' time, 0 to 1, or null |
//! | `histograms` | {`response`, `service`, `lag`} | HdrHistogram V2, deflated, base64; nanoseconds; may be empty text |
//! | `machine` | {`memory_bytes`, `samples`} | what the machine that sent load did: processors busy, its own and all, memory, network; absent where unknown |
//! | `metrics` | {`source`, `grid`, `boards`, `costs`, …} | what a source of metrics showed over the run, and what it cost: CPU seconds and bytes of proxies, control plane, application; absent without |
//! | `intervals` | array of interval | in order, without overlap; a gap is a time in which nothing happened |
//!
//! Quantiles are `{p50, p90, p95, p99, "p99.9", max, mean, count}`, milliseconds and a count; with a count
//! of 0 the rest means nothing. An interval is `{start_s, length_s, due, answered, errors, in_flight,
//! response_ms, service_ms, lag_p99_ms, histogram}`; `errors` and `histogram` are absent when empty.
//!
//! Readers ignore keys that they do not know: keys may be added without a new version.

use std::borrow::Borrow;

use serde::Deserialize;

use crate::model::run::{INTERVALS_MAX, RUN_VERSION, RunHead};
use crate::model::{Run, RunId};
use crate::stats::{CodecError, Latency};

/// The largest file of runs that is read, in bytes.
pub const BYTES_MAX: usize = 256 * 1024 * 1024;
/// The most runs that one file may hold.
pub const RUNS_MAX: usize = 10_000;

/// Why a text is not a file of runs.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// More than [`BYTES_MAX`].
    #[error("the file is larger than {} MiB", BYTES_MAX / 1024 / 1024)]
    TooLarge,
    /// More than [`RUNS_MAX`].
    #[error("the file holds more than {RUNS_MAX} runs")]
    TooMany,
    /// Not JSON, or not runs.
    #[error("the file holds no runs as Meshbench writes them")]
    Json(#[source] serde_json::Error),
    /// From a newer program.
    #[error("a run has version {found}; this Meshbench reads versions up to {RUN_VERSION}")]
    Newer {
        /// Its version.
        found: u32,
    },
    /// A version that never was.
    #[error("a run has version 0, which never was")]
    NoVersion,
    /// Shaped like a run but impossible.
    #[error("run {id} cannot be: {reason}")]
    Impossible {
        /// Which.
        id: RunId,
        /// Why.
        reason: &'static str,
    },
    /// A histogram is damaged.
    #[error("a histogram of run {id} cannot be read")]
    Histogram {
        /// Which run.
        id: RunId,
        /// What is wrong.
        #[source]
        source: CodecError,
    },
}

/// One run as pretty JSON, with a line break at its end.
///
/// # Panics
/// Never: every field of a run has a JSON form.
#[must_use]
pub fn write(run: &Run) -> String {
    let mut text = serde_json::to_string_pretty(run).expect("every field of a run has a JSON form");
    text.push('\n');
    text
}

/// Several runs as a pretty JSON array, with a line break at its end; also for one or none.
///
/// # Panics
/// Never: every field of a run has a JSON form.
#[must_use]
pub fn write_all<R: Borrow<Run>>(runs: &[R]) -> String {
    let runs: Vec<&Run> = runs.iter().map(Borrow::borrow).collect();
    let mut text = serde_json::to_string_pretty(&runs).expect("every field of a run has a JSON form");
    text.push('\n');
    text
}

/// Reads what [`write()`] or [`write_all`] wrote, here or elsewhere; nothing in it is trusted.
///
/// # Errors
/// What is wrong. Either all runs are read or none.
pub fn read(bytes: impl AsRef<[u8]>) -> Result<Vec<Run>, ReadError> {
    let bytes = bytes.as_ref();
    if bytes.len() > BYTES_MAX {
        return Err(ReadError::TooLarge);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // The versions first: a newer run may not have the shape that this program knows.
    let heads: OneOrMany<RunHead> = one_or_many(bytes)?;
    let versions = heads.iter().map(|head| head.version);
    if heads.iter().count() > RUNS_MAX {
        return Err(ReadError::TooMany);
    }
    for version in versions {
        match version {
            0 => return Err(ReadError::NoVersion),
            1..=RUN_VERSION => {}
            found => return Err(ReadError::Newer { found }),
        }
    }
    let runs: Vec<Run> = match one_or_many(bytes)? {
        OneOrMany::One(run) => vec![run],
        OneOrMany::Many(runs) => runs,
    };
    runs.iter().try_for_each(check)?;
    Ok(runs)
}

enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    fn iter(&self) -> std::slice::Iter<'_, T> {
        match self {
            Self::One(one) => std::slice::from_ref(one).iter(),
            Self::Many(many) => many.iter(),
        }
    }
}

fn one_or_many<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<OneOrMany<T>, ReadError> {
    let is_array = bytes.trim_ascii_start().first() == Some(&b'[');
    if is_array {
        serde_json::from_slice(bytes).map(OneOrMany::Many)
    } else {
        serde_json::from_slice(bytes).map(OneOrMany::One)
    }
    .map_err(ReadError::Json)
}

/// Holds what a run says against what a run can be, so that nothing behind here meets a surprise.
fn check(run: &Run) -> Result<(), ReadError> {
    let impossible = |reason| Err(ReadError::Impossible { id: run.id, reason });
    if run.intervals.len() > INTERVALS_MAX {
        return impossible("it has more intervals than any run");
    }
    if !(0.0..=1e9).contains(&run.elapsed_s) {
        return impossible("its length is not one");
    }
    let mut end_s = f64::NEG_INFINITY;
    for interval in &run.intervals {
        if interval.length_s <= 0.0 || interval.start_s < end_s - 1e-6 || interval.start_s.abs() > 1e9 {
            return impossible("its intervals are not in order");
        }
        end_s = interval.start_s + interval.length_s;
    }
    let histograms = [&run.histograms.response, &run.histograms.service, &run.histograms.lag];
    for text in histograms.into_iter().chain(run.intervals.iter().map(|interval| &interval.histogram)) {
        if !text.is_empty() {
            Latency::decode(text).map_err(|source| ReadError::Histogram { id: run.id, source })?;
        }
    }
    Ok(())
}
