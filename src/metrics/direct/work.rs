//! Works out measures from what was read, as Prometheus does but for the rate of a counter, which is not extrapolated.

use std::collections::BTreeMap;

use regex::Regex;

use super::kept::{Group, Kept, Line};
use super::text::number;
use crate::metrics::Failure;
use crate::metrics::failure::said;
use crate::model::Labels;
use crate::model::metrics::series::SERIES_MAX;
use crate::model::metrics::{Answer, Grid, Matcher, Measure, Op, Point, Selector, Series};

/// The largest expression of a condition, compiled, in bytes.
const REGEX_BYTES_MAX: usize = 1024 * 1024;
/// The label that has the upper end of a bucket.
const LE: &str = "le";

/// Series by what they are called, with a value or a gap for each moment.
type Worked = BTreeMap<Labels, Vec<Option<f64>>>;
/// The upper end of a bucket, and what is counted up to it, for each moment.
type Bucket = (f64, Vec<Option<f64>>);

/// A measure at the moments of a grid; `window_ms` is that of rates. The grid has been looked at already.
pub(super) fn answer(kept: &Kept, measure: &Measure, window_ms: i64, grid: Grid) -> Result<Answer, Failure> {
    let moments: Vec<i64> =
        (0..).map(|at| grid.from_ms + at * grid.step_ms).take_while(|at| *at <= grid.to_ms).collect();
    let worked = Work { kept, window_ms, moments: &moments }.out(measure)?;
    let mut answer = Answer::default();
    for (labels, values) in worked {
        let points: Vec<Point> = moments
            .iter()
            .zip(values)
            .filter_map(|(&at_ms, value)| value.map(|value| Point { at_ms, value }))
            .filter(|point| point.value.is_finite())
            .collect();
        if points.is_empty() {
            continue;
        }
        if answer.series.len() < SERIES_MAX {
            answer.series.push(Series { labels, points });
        } else {
            answer.left_out += 1;
        }
    }
    Ok(answer)
}

/// Values of a label, of the series of a selector if there is one; ascending, without the empty one.
pub(super) fn label_values(kept: &Kept, label: &str, of: Option<&Selector>) -> Result<Vec<String>, Failure> {
    let of = of.map(Conditions::new).transpose()?;
    let fits = |line: &Line| of.as_ref().is_none_or(|of| of.hold(line));
    let lines = kept.lines().map(|(_, line)| line).filter(|line| fits(line));
    let values = lines.filter_map(|line| match label {
        "__name__" => Some(&line.name),
        label => line.labels.get(label),
    });
    let mut values: Vec<String> = values.filter(|value| !value.is_empty()).cloned().collect();
    values.sort();
    values.dedup();
    Ok(values)
}

struct Work<'a> {
    kept: &'a Kept,
    window_ms: i64,
    moments: &'a [i64],
}

impl Work<'_> {
    fn out(&self, measure: &Measure) -> Result<Worked, Failure> {
        match measure {
            Measure::Rate { of, by } => self.rate(of, by),
            Measure::Sum { of, by } => self.summed(of, by, |group, line, at| line.value(group, at)),
            Measure::Count { of, by } => {
                self.summed(of, by, |group, line, at| line.value(group, at).map(|_| 1.0))
            }
            Measure::Quantile { q, of, by } => {
                let mut kept = by.clone();
                kept.push(LE.to_owned());
                Ok(self.quantiles(*q, self.rate(of, &kept)?))
            }
            Measure::Ratio(one, other) => {
                let (mut one, other) = (self.out(one)?, self.out(other)?);
                one.retain(|labels, _| other.contains_key(labels));
                for (labels, values) in &mut one {
                    for (value, by) in values.iter_mut().zip(&other[labels]) {
                        *value = value.zip(by.filter(|by| *by != 0.0)).map(|(value, by)| value / by);
                    }
                }
                Ok(one)
            }
            Measure::Rest(one) => {
                let mut one = self.out(one)?;
                one.values_mut().flatten().for_each(|value| *value = value.map(|value| 1.0 - value));
                Ok(one)
            }
            Measure::Either(one, other) => {
                let mut one = self.out(one)?;
                for (labels, others) in self.out(other)? {
                    let values = one.entry(labels).or_insert_with(|| vec![None; others.len()]);
                    for (value, other) in values.iter_mut().zip(others) {
                        *value = value.or(other);
                    }
                }
                Ok(one)
            }
        }
    }

    fn rate(&self, of: &Selector, by: &[String]) -> Result<Worked, Failure> {
        self.summed(of, by, |group, line, at| line.rate(group, at, self.window_ms))
    }

    /// What each series has at each moment, summed by the labels that are kept.
    fn summed(
        &self,
        of: &Selector,
        by: &[String],
        value: impl Fn(&Group, &Line, i64) -> Option<f64>,
    ) -> Result<Worked, Failure> {
        let of = Conditions::new(of)?;
        let mut worked = Worked::new();
        for (group, line) in self.kept.lines().filter(|(_, line)| of.hold(line)) {
            let labels = by.iter().filter_map(|label| line.labels.get_key_value(label));
            let labels = labels.map(|(label, value)| (label.clone(), value.clone())).collect();
            let sums = worked.entry(labels).or_insert_with(|| vec![None; self.moments.len()]);
            for (sum, &at) in sums.iter_mut().zip(self.moments) {
                if let Some(value) = value(group, line, at) {
                    *sum = Some(sum.unwrap_or(0.0) + value);
                }
            }
        }
        Ok(worked)
    }

    /// Buckets by their labels, the upper end among these, to quantiles without it.
    fn quantiles(&self, q: f64, buckets: Worked) -> Worked {
        let mut histograms: BTreeMap<Labels, Vec<Bucket>> = BTreeMap::new();
        for (mut labels, counts) in buckets {
            let Some(le) = labels.remove(LE).and_then(|le| number(&le)) else { continue };
            histograms.entry(labels).or_default().push((le, counts));
        }
        let quantiles = histograms.into_iter().map(|(labels, buckets)| {
            let values = (0..self.moments.len()).map(|at| {
                let counted = buckets.iter().filter_map(|(le, counts)| Some((*le, counts[at]?)));
                quantile(q, counted.collect())
            });
            (labels, values.collect())
        });
        quantiles.collect()
    }
}

/// A quantile from cumulative counts of buckets by their upper ends, as Prometheus' `bucketQuantile`: linear within a
/// bucket, the first one from 0 on; the upper end of the last but one where it is in the last, which has none. Gaps
/// where there is no bucket without an end, no other, or nothing counted.
fn quantile(q: f64, mut buckets: Vec<(f64, f64)>) -> Option<f64> {
    buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
    // The same upper end written in two ways is one bucket.
    buckets.dedup_by(|next, before| {
        let is_same = next.0 == before.0;
        if is_same {
            before.1 += next.1;
        }
        is_same
    });
    if !(0.0..=1.0).contains(&q) || buckets.len() < 2 || buckets.last()?.0 != f64::INFINITY {
        return None;
    }
    // Buckets that were read in different moments may seem to shrink.
    let mut most = 0.0;
    for (_, count) in &mut buckets {
        most = count.max(most);
        *count = most;
    }
    if most <= 0.0 {
        return None;
    }
    let rank = q * most;
    let last = buckets.len() - 1;
    let at = buckets[..last].partition_point(|(_, count)| *count < rank);
    if at == last {
        return Some(buckets[last - 1].0);
    }
    let (end, count) = buckets[at];
    if at == 0 && end <= 0.0 {
        return Some(end);
    }
    let (start, before) = if at == 0 { (0.0, 0.0) } else { buckets[at - 1] };
    Some(start + (end - start) * ((rank - before) / (count - before)))
}

/// A selector whose expressions are ready.
struct Conditions<'a> {
    metric: &'a str,
    all: Vec<(&'a Matcher, Option<Regex>)>,
}

impl<'a> Conditions<'a> {
    fn new(of: &'a Selector) -> Result<Self, Failure> {
        let all = of.matchers.iter().map(|matcher| Ok((matcher, compiled(matcher)?)));
        Ok(Self { metric: &of.metric, all: all.collect::<Result<_, Failure>>()? })
    }

    fn hold(&self, line: &Line) -> bool {
        (self.metric.is_empty() || line.name == self.metric)
            && self.all.iter().all(|(matcher, regex)| {
                // A label that is not there is empty.
                let value = match matcher.label.as_str() {
                    "__name__" => line.name.as_str(),
                    label => line.labels.get(label).map_or("", String::as_str),
                };
                let found = regex.as_ref().is_some_and(|regex| regex.is_match(value));
                match matcher.op {
                    Op::Is => value == matcher.value,
                    Op::IsNot => value != matcher.value,
                    Op::Matches => found,
                    Op::MatchesNot => !found,
                }
            })
    }
}

/// The expression of a condition, anchored at both ends.
fn compiled(matcher: &Matcher) -> Result<Option<Regex>, Failure> {
    if matches!(matcher.op, Op::Is | Op::IsNot) {
        return Ok(None);
    }
    let anchored = format!("^(?s:{})$", matcher.value);
    let regex = regex::RegexBuilder::new(&anchored).size_limit(REGEX_BYTES_MAX).build();
    regex.map(Some).map_err(|_| {
        let shown = said(&matcher.value, &[]);
        Failure::Query(format!("“{shown}” is no regular expression that can be used"))
    })
}

#[cfg(test)]
mod tests;
