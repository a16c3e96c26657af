//! At which moments a range is asked for, and over which time rates are taken.

use super::series::{Grid, POINTS_MAX};

/// How often a source reads what it watches where it does not say so, in milliseconds.
pub const SCRAPE_UNKNOWN_MS: u64 = 15_000;
/// The shortest step, in milliseconds.
pub const STEP_MIN_MS: i64 = 1000;
/// The most moments of a run that are asked for.
pub const RUN_POINTS_MAX: i64 = 240;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Up to this range, this step: Meshery's, and in its manner beyond 90 days.
const STEPS: [(i64, i64); 15] = [
    (10 * MINUTE_MS, 5000),
    (30 * MINUTE_MS, 10_000),
    (HOUR_MS, 20_000),
    (3 * HOUR_MS, MINUTE_MS),
    (6 * HOUR_MS, 2 * MINUTE_MS),
    (DAY_MS, 8 * MINUTE_MS),
    (2 * DAY_MS, 16 * MINUTE_MS),
    (4 * DAY_MS, 32 * MINUTE_MS),
    (7 * DAY_MS, 56 * MINUTE_MS),
    (15 * DAY_MS, 2 * HOUR_MS),
    (30 * DAY_MS, 4 * HOUR_MS),
    (90 * DAY_MS, 12 * HOUR_MS),
    (180 * DAY_MS, DAY_MS),
    (365 * DAY_MS, 2 * DAY_MS),
    (730 * DAY_MS, 4 * DAY_MS),
];

/// The step for a range, in milliseconds: coarser for longer ones, never more than [`POINTS_MAX`] points.
#[must_use]
pub fn step_ms(range_ms: i64) -> i64 {
    let last = STEPS[STEPS.len() - 1].1;
    let listed = STEPS.iter().find(|(up_to, _)| range_ms <= *up_to).map_or(last, |(_, step)| *step);
    listed.max(fewest(range_ms))
}

/// The moments of a run, as many as are told apart in a plot of it: no more often than the source reads what it watches.
#[must_use]
pub fn run_grid(from_ms: i64, to_ms: i64, scrape_ms: Option<u64>) -> Grid {
    let range = to_ms.saturating_sub(from_ms).max(0);
    let scrape = scrape_ms.unwrap_or(SCRAPE_UNKNOWN_MS);
    let scrape = i64::try_from(scrape).unwrap_or(DAY_MS).min(DAY_MS);
    even(from_ms, to_ms, (range / RUN_POINTS_MAX).max(scrape))
}

/// The moments between two, both in milliseconds since 1970: multiples of the step, so that the same moments are asked
/// for again as time goes on. No step is shorter than the time between two readings of the source, where it is known.
/// At least one moment, even where the range is shorter than a step.
#[must_use]
pub fn grid(from_ms: i64, to_ms: i64, scrape_ms: Option<u64>) -> Grid {
    let range = to_ms.saturating_sub(from_ms).max(0);
    let scrape = scrape_ms.map_or(0, |ms| i64::try_from(ms).unwrap_or(DAY_MS).min(DAY_MS));
    even(from_ms, to_ms, step_ms(range).max(scrape))
}

/// Multiples of a step, which is rounded up to whole seconds.
fn even(from_ms: i64, to_ms: i64, step_ms: i64) -> Grid {
    let whole = |ms: i64| ms.saturating_add(STEP_MIN_MS - 1) / STEP_MIN_MS * STEP_MIN_MS;
    let step = whole(step_ms).max(STEP_MIN_MS);
    let to = to_ms.div_euclid(step).saturating_mul(step);
    // Up and not down: what was before the range is no part of it.
    let from = from_ms.div_euclid(step).saturating_mul(step);
    let from = if from < from_ms { from.saturating_add(step) } else { from };
    Grid { from_ms: from.min(to), to_ms: to, step_ms: step }
}

/// Over how many milliseconds a rate is taken so that it always has readings to go by: Grafana's rule.
#[must_use]
pub fn rate_window_ms(step_ms: i64, scrape_ms: Option<u64>) -> i64 {
    let scrape = scrape_ms.filter(|&ms| ms > 0).unwrap_or(SCRAPE_UNKNOWN_MS);
    let scrape = i64::try_from(scrape).unwrap_or(DAY_MS).min(DAY_MS);
    step_ms.max(1).saturating_add(scrape).max(4 * scrape)
}

impl Grid {
    /// How many moments it has; 0 where it runs backwards.
    #[must_use]
    pub fn len(&self) -> usize {
        let range = self.to_ms.saturating_sub(self.from_ms);
        if range < 0 { 0 } else { usize::try_from(range / self.step_ms.max(1) + 1).unwrap_or(usize::MAX) }
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its moments, in milliseconds since 1970; at most [`POINTS_MAX`].
    pub fn moments(&self) -> impl Iterator<Item = i64> + use<> {
        let (from, step) = (self.from_ms, self.step_ms.max(1));
        (0..self.len().min(POINTS_MAX))
            .map(move |at| from.saturating_add(step.saturating_mul(i64::try_from(at).unwrap_or(i64::MAX))))
    }
}

/// The shortest step at which a range has no more than [`POINTS_MAX`] points.
fn fewest(range_ms: i64) -> i64 {
    let gaps = i64::try_from(POINTS_MAX - 1).expect("some thousands");
    let step = range_ms.max(0) / gaps;
    if step * gaps < range_ms { step + 1 } else { step }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn steps_are_those_of_meshery() {
        let cases = [
            (0, 5000),
            (10 * MINUTE_MS, 5000),
            (10 * MINUTE_MS + 1, 10_000),
            (HOUR_MS, 20_000),
            (3 * HOUR_MS, MINUTE_MS),
            (6 * HOUR_MS, 2 * MINUTE_MS),
            (DAY_MS, 8 * MINUTE_MS),
            (7 * DAY_MS, 56 * MINUTE_MS),
            (90 * DAY_MS, 12 * HOUR_MS),
        ];
        for (range, step) in cases {
            assert_eq!(step_ms(range), step, "{range}");
        }
    }

    #[test]
    fn a_grid_lies_on_multiples_of_its_step_and_inside_its_range() {
        let it = grid(1_000_001, 1_900_000, None);
        assert_eq!(it, Grid { from_ms: 1_010_000, to_ms: 1_900_000, step_ms: 10_000 });
        assert_eq!(it.len(), 90);
        assert_eq!(it.moments().last(), Some(1_900_000));
    }

    #[test]
    fn no_step_is_shorter_than_the_time_between_two_readings() {
        assert_eq!(grid(0, 300_000, Some(30_000)).step_ms, 30_000);
        assert_eq!(grid(0, 300_000, Some(100)).step_ms, 5000);
        assert_eq!(grid(0, 300_000, Some(7500)).step_ms, 8000);
    }

    #[test]
    fn a_range_that_is_shorter_than_a_step_has_one_moment() {
        let it = grid(1_001_000, 1_003_000, None);
        assert_eq!((it.len(), it.to_ms), (1, 1_000_000));
    }

    #[test]
    fn a_rate_is_taken_over_at_least_four_readings() {
        assert_eq!(rate_window_ms(5000, None), 60_000);
        assert_eq!(rate_window_ms(5000, Some(0)), 60_000);
        assert_eq!(rate_window_ms(10_000, Some(1000)), 11_000);
        assert_eq!(rate_window_ms(120_000, Some(15_000)), 135_000);
    }

    proptest! {
        #[test]
        fn no_range_has_more_points_than_a_source_gives(from in any::<i64>(), to in any::<i64>(), scrape in any::<Option<u64>>()) {
            let it = grid(from, to, scrape);
            prop_assert!(it.step_ms >= STEP_MIN_MS);
            prop_assert!(it.from_ms <= it.to_ms);
            prop_assert!(it.len() <= POINTS_MAX && !it.is_empty(), "{:?}", it);
            prop_assert!(rate_window_ms(it.step_ms, scrape) > 0);
        }
    }

    #[test]
    fn a_run_is_asked_as_often_as_the_source_reads_but_not_too_often() {
        let grid = |length_s: i64, scrape_ms| run_grid(1_000_000, 1_000_000 + length_s * 1000, scrape_ms);
        assert_eq!((grid(12, Some(1000)).step_ms, grid(12, Some(1000)).len()), (1000, 13));
        assert_eq!(grid(12, Some(15_000)).step_ms, 15_000);
        let hour = grid(3600, Some(1000));
        assert!(hour.step_ms == 15_000 && hour.len() <= 242, "{hour:?}");
        assert_eq!(run_grid(5, 5, Some(0)).step_ms, STEP_MIN_MS);
    }
}
