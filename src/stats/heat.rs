//! Latency over time as a heat map: each interval a column of counts in rows of equal height on a log axis.

use super::Latency;
use crate::model::Interval;

/// Rows of a column.
pub const ROWS: usize = 40;
/// The lower edge of the lowest row; what was faster is in it, too: 10 µs.
pub const LOWEST_NANOS: f64 = 1e4;
/// The upper edge of the highest row; what was slower is in it, too: 60 s.
pub const HIGHEST_NANOS: f64 = 6e10;

/// Counts by row, the fastest first.
pub type Column = [u64; ROWS];

/// The lower edge of a row in milliseconds; of [`ROWS`], the upper edge of the last.
#[must_use]
pub fn edge_ms(row: usize) -> f64 {
    let share = row as f64 / ROWS as f64;
    LOWEST_NANOS * (HIGHEST_NANOS / LOWEST_NANOS).powf(share) / 1e6
}

/// The row of a duration.
#[must_use]
pub fn row_of(nanos: u64) -> usize {
    let share = (nanos.max(1) as f64 / LOWEST_NANOS).ln() / (HIGHEST_NANOS / LOWEST_NANOS).ln();
    ((share * ROWS as f64).max(0.0) as usize).min(ROWS - 1)
}

/// Folds values and counts into a column.
#[must_use]
pub fn fold(values: impl IntoIterator<Item = (u64, u64)>) -> Column {
    let mut column = [0; ROWS];
    for (nanos, count) in values {
        column[row_of(nanos)] += count;
    }
    column
}

/// The column as a record has it: its first row that is not empty, then counts up to the last such row.
#[must_use]
pub fn compact(column: &Column) -> Vec<u64> {
    let Some(first) = column.iter().position(|count| *count > 0) else { return Vec::new() };
    let last = column.iter().rposition(|count| *count > 0).unwrap_or(first);
    std::iter::once(first as u64).chain(column[first..=last].iter().copied()).collect()
}

/// Reads what [`compact`] wrote; rows that there are not do not count.
#[must_use]
pub fn expand(compact: &[u64]) -> Column {
    let mut column = [0; ROWS];
    if let Some((first, counts)) = compact.split_first() {
        let first = usize::try_from(*first).unwrap_or(ROWS).min(ROWS);
        for (row, count) in column[first..].iter_mut().zip(counts) {
            *row = *count;
        }
    }
    column
}

/// The column of an interval: as kept, or from its histogram. All zero where it has neither.
#[must_use]
pub fn column(interval: &Interval) -> Column {
    if !interval.heat.is_empty() || interval.histogram.is_empty() {
        return expand(&interval.heat);
    }
    Latency::decode(&interval.histogram).map_or([0; ROWS], |latency| fold(latency.recorded()))
}

/// How strongly a cell is drawn, 0 to 1: by the logarithm of its count, so that single requests are seen
/// beside thousands. `most` is the largest count on show.
#[must_use]
pub fn strength(count: u64, most: u64) -> f32 {
    const FAINTEST: f64 = 0.12;
    if count == 0 {
        return 0.0;
    }
    let share = if most > 1 { (count as f64).ln() / (most as f64).ln() } else { 1.0 };
    (FAINTEST + (1.0 - FAINTEST) * share.clamp(0.0, 1.0)) as f32
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::stats::Sketch;

    #[test]
    fn a_duration_lies_between_the_edges_of_its_row() {
        for nanos in [10_001, 123_456, 5_000_000, 999_000_000, 59_000_000_000] {
            let (row, ms) = (row_of(nanos), nanos as f64 / 1e6);
            assert!(edge_ms(row) <= ms && ms <= edge_ms(row + 1), "{nanos} in {row}");
        }
        assert_eq!((row_of(0), row_of(1), row_of(u64::MAX)), (0, 0, ROWS - 1));
        assert!((edge_ms(0) - 0.01).abs() < 1e-9 && (edge_ms(ROWS) - 60_000.0).abs() < 1e-6);
    }

    #[test]
    fn a_column_survives_its_compact_form_and_hostile_ones_are_held() {
        let column = fold([(20_000, 3), (1_000_000, 5), (1_000_001, 2)]);
        assert_eq!(column.iter().sum::<u64>(), 10);
        assert_eq!(expand(&compact(&column)), column);
        assert!(compact(&[0; ROWS]).is_empty());
        assert_eq!(expand(&[u64::MAX, 1, 2]), [0; ROWS]);
        assert_eq!(expand(&[39, 1, 2]).iter().sum::<u64>(), 1);
        assert_eq!(expand(&[]), [0; ROWS]);
    }

    #[test]
    fn a_single_request_is_seen_and_the_most_is_the_strongest() {
        assert_eq!(strength(0, 100), 0.0);
        assert!(strength(1, 1_000_000) > 0.1 && strength(1, 1_000_000) < strength(2, 1_000_000));
        assert_eq!((strength(100, 100), strength(1, 1), strength(5, 1)), (1.0, 1.0, 1.0));
    }

    #[test]
    fn a_histogram_gives_the_column_that_was_shown_live() {
        let mut latency = Latency::new();
        for micros in [15, 400, 401, 90_000, 2_000_000] {
            latency.record(Duration::from_micros(micros));
        }
        let sketch = Sketch::of(&latency);
        let live = Interval { heat: compact(&fold(sketch.recorded())), ..Interval::default() };
        let kept = Interval { histogram: sketch.to_latency().encode(), ..Interval::default() };
        assert_eq!(column(&live), column(&kept));
        assert_eq!(column(&live).iter().sum::<u64>(), 5);
    }
}
