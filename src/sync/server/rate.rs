//! How many requests one person may make: a bucket of tokens that fills evenly.

use std::collections::HashMap;
use std::time::Instant;

/// People whose buckets are kept; full ones are forgotten first, as they tell nothing.
const PEOPLE_MAX: usize = 10_000;

/// The buckets of all people.
#[derive(Debug)]
pub(super) struct Buckets {
    burst: f64,
    rate_per_sec: f64,
    filled: HashMap<String, (f64, Instant)>,
}

impl Buckets {
    pub(super) fn new(burst: u32, rate_per_sec: f64) -> Self {
        Self { burst: f64::from(burst.max(1)), rate_per_sec: rate_per_sec.max(0.001), filled: HashMap::new() }
    }

    /// Takes one token of a person's.
    ///
    /// # Errors
    /// In how many whole seconds there is one.
    pub(super) fn take(&mut self, who: &str, now: Instant) -> Result<(), u64> {
        let level = self.filled.get(who).map_or(self.burst, |at| self.level(*at, now));
        if level < 1.0 {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "small and positive"
            )]
            return Err(((1.0 - level) / self.rate_per_sec).ceil().max(1.0) as u64);
        }
        if self.filled.len() >= PEOPLE_MAX && !self.filled.contains_key(who) {
            self.forget(now);
        }
        self.filled.insert(who.to_owned(), (level - 1.0, now));
        Ok(())
    }

    fn level(&self, (level, then): (f64, Instant), now: Instant) -> f64 {
        let passed = now.saturating_duration_since(then).as_secs_f64();
        passed.mul_add(self.rate_per_sec, level).min(self.burst)
    }

    fn forget(&mut self, now: Instant) {
        let mut filled = std::mem::take(&mut self.filled);
        filled.retain(|_, at| self.level(*at, now) < self.burst);
        if filled.len() >= PEOPLE_MAX {
            filled.clear();
        }
        self.filled = filled;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_is_let_through_then_the_rate_counts_for_each_person_alone() {
        let mut buckets = Buckets::new(3, 0.5);
        let start = Instant::now();
        for _ in 0..3 {
            assert_eq!(buckets.take("ann", start), Ok(()));
        }
        assert_eq!(buckets.take("ann", start), Err(2));
        assert_eq!(buckets.take("bob", start), Ok(()));
        assert_eq!(buckets.take("ann", start + Duration::from_secs(1)), Err(1));
        assert_eq!(buckets.take("ann", start + Duration::from_secs(2)), Ok(()));
    }

    #[test]
    fn not_more_than_so_many_people_are_kept() {
        let mut buckets = Buckets::new(2, 1.0);
        let start = Instant::now();
        for number in 0..=PEOPLE_MAX {
            assert_eq!(buckets.take(&number.to_string(), start), Ok(()));
        }
        assert!(buckets.filled.len() <= PEOPLE_MAX);
    }
}
