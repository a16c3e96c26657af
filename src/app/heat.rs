//! Latency over time as a heat map, ready to draw. Pure.

use crate::model::Run;
use crate::stats::heat::{self, ROWS};

/// Counts of response times by interval and row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeatMap {
    /// In order; gaps are times in which nothing was due or answered.
    pub columns: Vec<HeatColumn>,
    /// Edges of the rows in milliseconds: one more than there are rows.
    pub edges_ms: Vec<f64>,
    /// The largest count of all cells; 0 when nothing was answered.
    pub most: u64,
}

/// One interval.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatColumn {
    /// Start in seconds.
    pub start_s: f64,
    /// End in seconds.
    pub end_s: f64,
    /// By row, the fastest first.
    pub counts: Vec<u64>,
}

impl HeatMap {
    /// Folds the response times of a run's intervals.
    #[must_use]
    pub fn of(run: &Run) -> Self {
        let columns: Vec<HeatColumn> = run
            .intervals
            .iter()
            .map(|interval| HeatColumn {
                start_s: interval.start_s,
                end_s: interval.start_s + interval.length_s,
                counts: heat::column(interval).to_vec(),
            })
            .collect();
        let most = columns.iter().flat_map(|column| &column.counts).copied().max().unwrap_or_default();
        Self { columns, edges_ms: (0..=ROWS).map(heat::edge_ms).collect(), most }
    }

    /// How strongly a cell with this count is drawn, 0 to 1.
    #[must_use]
    pub fn strength(&self, count: u64) -> f32 {
        heat::strength(count, self.most)
    }

    /// The lowest and highest edge of the rows that hold anything, in milliseconds.
    #[must_use]
    pub fn range_ms(&self) -> Option<(f64, f64)> {
        let filled = |row: usize| self.columns.iter().any(|column| column.counts[row] > 0);
        let rows = self.edges_ms.len().saturating_sub(1);
        let first = (0..rows).find(|row| filled(*row))?;
        let last = (0..rows).rfind(|row| filled(*row))?;
        Some((self.edges_ms[first], self.edges_ms[last + 1]))
    }

    /// The row that holds the most requests, as its edges in milliseconds.
    #[must_use]
    pub fn fullest_ms(&self) -> Option<(f64, f64)> {
        let total = |row: &usize| self.columns.iter().map(|column| column.counts[*row]).sum::<u64>();
        let row = (0..self.edges_ms.len().saturating_sub(1)).max_by_key(total).filter(|_| self.most > 0)?;
        Some((self.edges_ms[row], self.edges_ms[row + 1]))
    }

    /// What is at a place: the row's edges in milliseconds, the cell's count, and that of its interval.
    #[must_use]
    pub fn cell(&self, at_s: f64, ms: f64) -> Option<(f64, f64, u64, u64)> {
        let column = self.columns.iter().find(|column| at_s >= column.start_s && at_s < column.end_s)?;
        let row = self.edges_ms.windows(2).position(|edges| ms >= edges[0] && ms < edges[1])?;
        Some((self.edges_ms[row], self.edges_ms[row + 1], column.counts[row], column.counts.iter().sum()))
    }
}
