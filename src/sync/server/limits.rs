//! How often a person may ask.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How much more than in a second may come at once.
const BURST: f64 = 10.0;
/// The most people that are remembered; who has not asked for long is forgotten.
const PEOPLE_MAX: usize = 10_000;

/// A bucket of tokens for each person.
#[derive(Debug)]
pub(super) struct Limits {
    per_sec: f64,
    buckets: Mutex<HashMap<String, Bucket>>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Limits {
    pub(super) fn new(per_sec: u32) -> Self {
        Self { per_sec: f64::from(per_sec.max(1)), buckets: Mutex::default() }
    }

    /// # Errors
    /// How long to wait, where a person asks too often.
    pub(super) fn ask(&self, person: &str, now: Instant) -> Result<(), Duration> {
        let full = self.per_sec * BURST;
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= PEOPLE_MAX && !buckets.contains_key(person) {
            // Whose bucket has filled meanwhile is as if they had never asked.
            let refill = Duration::from_secs_f64(BURST);
            buckets.retain(|_, bucket| now.saturating_duration_since(bucket.at) < refill);
        }
        let bucket = buckets.entry(person.to_owned()).or_insert(Bucket { tokens: full, at: now });
        let gained = now.saturating_duration_since(bucket.at).as_secs_f64() * self.per_sec;
        bucket.tokens = (bucket.tokens + gained).min(full);
        bucket.at = now;
        if bucket.tokens >= 1.0 {
            bucket.tokens -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - bucket.tokens) / self.per_sec))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_too_often_waits_and_nobody_else_does() {
        let limits = Limits::new(2);
        let start = Instant::now();
        let asked = (0..40).filter(|_| limits.ask("ann", start).is_ok()).count();
        assert_eq!(asked, 20);
        assert_eq!(limits.ask("bob", start), Ok(()));
        let wait = limits.ask("ann", start).unwrap_err();
        assert_eq!(wait, Duration::from_millis(500));
        assert_eq!(limits.ask("ann", start + wait), Ok(()));
        assert!(limits.ask("ann", start + wait).is_err());
    }
}
