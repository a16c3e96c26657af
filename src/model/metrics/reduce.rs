//! One number for a series, and what it means.

use super::board::{Grade, Panel, Reduce, Threshold};
use super::series::Series;

impl Reduce {
    /// The number that stands for a series; none where it has no points.
    #[must_use]
    pub fn of(self, series: &Series) -> Option<f64> {
        let values = || series.points.iter().map(|point| point.value);
        if series.points.is_empty() {
            return None;
        }
        match self {
            Self::Last => values().next_back(),
            Self::First => values().next(),
            Self::Max => values().reduce(f64::max),
            Self::Min => values().reduce(f64::min),
            Self::Sum => Some(values().sum()),
            Self::Mean => Some(values().sum::<f64>() / series.points.len() as f64),
        }
    }
}

impl Panel {
    /// What a value of this panel means.
    #[must_use]
    pub fn grade(&self, value: f64) -> Grade {
        grade(&self.thresholds, value)
    }
}

/// What a value means: by the highest threshold that it reaches, wherever that stands.
#[must_use]
pub fn grade(thresholds: &[Threshold], value: f64) -> Grade {
    let reached = thresholds.iter().filter(|it| it.from.is_none_or(|from| value >= from));
    let highest = reached.reduce(|a, b| if at(b) >= at(a) { b } else { a });
    highest.map_or(Grade::Fine, |it| it.level)
}

fn at(threshold: &Threshold) -> f64 {
    threshold.from.unwrap_or(f64::NEG_INFINITY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::metrics::series::Point;

    #[test]
    fn one_number_stands_for_many() {
        let points =
            [3.0, 1.0, 5.0, 2.0].iter().zip(0..).map(|(&value, at_ms)| Point { at_ms, value }).collect();
        let series = Series { points, ..Series::default() };
        let cases = [
            (Reduce::Last, 2.0),
            (Reduce::First, 3.0),
            (Reduce::Max, 5.0),
            (Reduce::Min, 1.0),
            (Reduce::Sum, 11.0),
            (Reduce::Mean, 2.75),
        ];
        for (reduce, value) in cases {
            assert_eq!(reduce.of(&series), Some(value), "{reduce:?}");
            assert_eq!(reduce.of(&Series::default()), None);
        }
    }

    #[test]
    fn a_value_means_what_the_highest_reached_threshold_says() {
        let from = |from, level| Threshold { from, level };
        let low_is_bad =
            [from(None, Grade::Bad), from(Some(0.99), Grade::Warning), from(Some(0.999), Grade::Fine)];
        assert_eq!(grade(&low_is_bad, 0.5), Grade::Bad);
        assert_eq!(grade(&low_is_bad, 0.99), Grade::Warning);
        assert_eq!(grade(&low_is_bad, 1.0), Grade::Fine);
        assert_eq!(grade(&[from(Some(2.0), Grade::Bad), from(Some(1.0), Grade::Warning)], 3.0), Grade::Bad);
        assert_eq!(grade(&[from(Some(1.0), Grade::Bad)], 0.0), Grade::Fine);
        assert_eq!(grade(&[], 7.0), Grade::Fine);
    }
}
