//! The highest rate that a target carries: which rate to try next, and what the trials say. Pure.
//!
//! A trial runs at one rate for a while and passes, fails, or is void (our own generator was the slow part). The
//! search doubles the rate until a trial fails, halves the ratio of the bracket until it is narrow, and then
//! repeats at both of its edges, since one trial near the edge is a coin toss. What it reports is a zone: a rate at
//! which every repeat passed, and a rate at which none did. The truth is taken to lie between; no model of the
//! target is fitted.

use std::cmp::Ordering;

use crate::model::capacity::{Bound, Verdict};

/// The most trials of one search.
pub const TRIALS_MAX: usize = 60;
/// The lowest rate that is tried, in requests per second.
pub const RATE_MIN: f64 = 1.0;
/// Rates are rounded to so many significant digits.
const DIGITS: i32 = 3;

/// What is asked of a search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// The first rate, in requests per second.
    pub start: f64,
    /// No higher rate is tried.
    pub highest: f64,
    /// The bracket is narrow when its upper edge is at most this share above its lower one: 0.05 for 5 %.
    pub resolution: f64,
    /// Trials at each edge.
    pub repeats: usize,
}

/// One trial: its rate in requests per second, and how it went.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trial {
    /// Requests per second, as [`next`] asked for.
    pub rate: f64,
    /// How it went.
    pub verdict: Verdict,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    /// Run a trial at this rate, in requests per second.
    Try(f64),
    /// Enough is known.
    Done(Edge),
}

/// What the trials say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edge {
    /// The highest rate at which most trials passed; none when there is no such rate.
    pub rate: Option<f64>,
    /// At this rate and at every lower one that was tried, no trial failed; none when there is no such rate.
    pub passes_at: Option<f64>,
    /// At this rate and at every higher one that was tried, no trial passed; none when there is no such rate.
    pub fails_at: Option<f64>,
    /// What kept the search from a higher rate.
    pub bound: Bound,
    /// Whether the edges were repeated as often as asked; not when the trials ran out first.
    pub settled: bool,
}

/// The next trial, or the answer.
#[must_use]
pub fn next(rule: &Rule, trials: &[Trial]) -> Next {
    let rates = by_rate(trials);
    let Some(step) = wanted(rule, &rates) else { return Next::Done(edge(&rates, true)) };
    if trials.len() >= TRIALS_MAX {
        return Next::Done(edge(&rates, false));
    }
    Next::Try(step)
}

/// What the trials so far say, should the search end here.
#[must_use]
pub fn so_far(rule: &Rule, trials: &[Trial]) -> Edge {
    let rates = by_rate(trials);
    let settled = wanted(rule, &rates).is_none();
    edge(&rates, settled)
}

/// The trials at one rate.
#[derive(Clone, Copy, Debug)]
struct Rate {
    rate: f64,
    passed: usize,
    failed: usize,
    void: usize,
}

impl Rate {
    fn trials(self) -> usize {
        self.passed + self.failed + self.void
    }

    /// Whether most trials passed; a tie is decided by another trial.
    fn passes(self) -> Option<bool> {
        match self.passed.cmp(&(self.failed + self.void)) {
            Ordering::Greater => Some(true),
            Ordering::Less => Some(false),
            Ordering::Equal => None,
        }
    }

    fn all_passed(self) -> bool {
        self.failed + self.void == 0
    }
}

/// Ascending.
fn by_rate(trials: &[Trial]) -> Vec<Rate> {
    let mut rates: Vec<Rate> = Vec::new();
    for trial in trials {
        let at = rates.iter().position(|known| known.rate.total_cmp(&trial.rate).is_eq());
        let known = at.unwrap_or_else(|| {
            rates.push(Rate { rate: trial.rate, passed: 0, failed: 0, void: 0 });
            rates.len() - 1
        });
        let counts = &mut rates[known];
        match trial.verdict {
            Verdict::Passed => counts.passed += 1,
            Verdict::Failed => counts.failed += 1,
            Verdict::Void => counts.void += 1,
        }
    }
    rates.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    rates
}

/// The rate of the next trial; none when enough is known.
fn wanted(rule: &Rule, rates: &[Rate]) -> Option<f64> {
    if rates.is_empty() {
        return Some(rounded(rule.start.clamp(RATE_MIN, rule.highest)).min(rule.highest));
    }
    if let Some(tied) = rates.iter().find(|rate| rate.passes().is_none()) {
        return Some(tied.rate);
    }
    let failing = rates.iter().find(|rate| rate.passes() == Some(false));
    let below = |limit: f64| rates.iter().rfind(|rate| rate.passes() == Some(true) && rate.rate < limit);
    let Some(upper) = failing else { return upward(rule, rates) };
    let Some(lower) = below(upper.rate) else {
        // Everything failed so far.
        let lower = rounded(upper.rate / 2.0);
        return if upper.rate <= RATE_MIN { repeat(rule, upper) } else { Some(lower.max(RATE_MIN)) };
    };
    let middle = rounded((lower.rate * upper.rate).sqrt());
    let is_between = middle > lower.rate && middle < upper.rate;
    if upper.rate > lower.rate * (1.0 + rule.resolution) && is_between {
        return Some(middle);
    }
    // The edge with fewer trials first, so that both meet the same weather.
    let mut edges = [lower, upper];
    edges.sort_by_key(|rate| rate.trials());
    edges.into_iter().find_map(|rate| repeat(rule, rate)).or_else(|| widened(rule, rates))
}

/// All trials passed so far.
fn upward(rule: &Rule, rates: &[Rate]) -> Option<f64> {
    let top = rates.last()?;
    if top.rate >= rule.highest {
        return repeat(rule, top);
    }
    Some(rounded(top.rate * 2.0).min(rule.highest))
}

fn repeat(rule: &Rule, rate: &Rate) -> Option<f64> {
    (rate.trials() < rule.repeats).then_some(rate.rate)
}

/// Where trials at an edge disagree the zone is wider than the bracket: rates beyond are tried until they agree.
fn widened(rule: &Rule, rates: &[Rate]) -> Option<f64> {
    let step = 1.0 + rule.resolution;
    let edge = edge(rates, true);
    let sure = |rate: Option<f64>| {
        let found = rates.iter().find(|known| rate.is_some_and(|rate| known.rate.total_cmp(&rate).is_eq()));
        found.is_some_and(|known| known.trials() >= rule.repeats)
    };
    if !sure(edge.passes_at) {
        let from = edge.passes_at.or_else(|| rates.first().map(|rate| rate.rate / step))?;
        let mixed = rates.iter().find(|rate| !rate.all_passed()).map(|rate| rounded(rate.rate / step));
        let rate = mixed.filter(|rate| *rate > from).unwrap_or_else(|| rounded(from));
        if rate >= RATE_MIN && !sure(Some(rate)) {
            return Some(rate);
        }
    }
    let nothing_from = none_passed(rates).last().map(|rate| rate.rate);
    if !sure(nothing_from) {
        let mixed = rates.iter().rfind(|rate| rate.passed > 0).map(|rate| rounded(rate.rate * step));
        let rate = mixed.unwrap_or(rule.highest).min(nothing_from.unwrap_or(f64::INFINITY));
        if rate <= rule.highest && !sure(Some(rate)) {
            return Some(rate);
        }
    }
    None
}

fn edge(rates: &[Rate], settled: bool) -> Edge {
    let failing = rates.iter().find(|rate| rate.passes() == Some(false));
    let limit = failing.map_or(f64::INFINITY, |rate| rate.rate);
    let best = rates.iter().rfind(|rate| rate.passes() == Some(true) && rate.rate < limit);
    let bound = match failing {
        Some(rate) if rate.void > rate.failed => Bound::Generator,
        Some(_) => Bound::Target,
        None => Bound::Asked,
    };
    Edge {
        rate: best.map(|rate| rate.rate),
        passes_at: rates.iter().take_while(|rate| rate.all_passed()).last().map(|rate| rate.rate),
        // Where only this machine failed, nothing is known of the target.
        fails_at: none_passed(rates).filter(|rate| rate.failed > 0).last().map(|rate| rate.rate),
        bound,
        settled,
    }
}

/// The rates from the highest down at which nothing passed.
fn none_passed(rates: &[Rate]) -> impl Iterator<Item = &Rate> {
    rates.iter().rev().take_while(|rate| rate.passed == 0)
}

/// To [`DIGITS`] significant digits.
fn rounded(rate: f64) -> f64 {
    let scale = 10f64.powi(DIGITS - 1 - rate.log10().floor() as i32);
    (rate * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule { start: 100.0, highest: 1e6, resolution: 0.05, repeats: 4 };

    /// Carries out a search against a target of known behaviour.
    fn search(rule: &Rule, mut trial: impl FnMut(f64) -> Verdict) -> (Edge, usize) {
        let mut trials = Vec::new();
        loop {
            match next(rule, &trials) {
                Next::Done(edge) => return (edge, trials.len()),
                Next::Try(rate) => {
                    assert!((RATE_MIN..=rule.highest).contains(&rate), "{rate}");
                    trials.push(Trial { rate, verdict: trial(rate) });
                }
            }
        }
    }

    fn sharp(capacity: f64) -> impl FnMut(f64) -> Verdict {
        move |rate| if rate <= capacity { Verdict::Passed } else { Verdict::Failed }
    }

    #[test]
    fn a_sharp_edge_is_found_within_the_resolution() {
        for capacity in [1.5, 99.0, 100.0, 4321.0, 123_456.0] {
            let (edge, trials) = search(&RULE, sharp(capacity));
            let (low, high) = (edge.passes_at.expect("a rate"), edge.fails_at.expect("a rate"));
            assert!(low <= capacity && capacity < high, "{capacity}: {edge:?}");
            assert!(high <= low * 1.06, "{capacity}: {edge:?}");
            assert_eq!((edge.rate, edge.bound, edge.settled), (Some(low), Bound::Target, true));
            assert!(trials <= 30, "{capacity}: {trials} trials");
        }
    }

    #[test]
    fn what_cannot_be_found_is_said() {
        let (edge, _) = search(&RULE, |_| Verdict::Failed);
        assert_eq!((edge.rate, edge.passes_at, edge.fails_at), (None, None, Some(RATE_MIN)));
        let low = Rule { highest: 250.0, ..RULE };
        let (edge, trials) = search(&low, |_| Verdict::Passed);
        assert_eq!((edge.rate, edge.bound, edge.fails_at), (Some(250.0), Bound::Asked, None));
        assert_eq!(trials, 2 + low.repeats);
        let (edge, _) = search(&RULE, |rate| if rate < 5000.0 { Verdict::Passed } else { Verdict::Void });
        assert_eq!(edge.bound, Bound::Generator);
        assert!(edge.passes_at.is_some_and(|rate| rate > 4700.0), "{edge:?}");
    }

    #[test]
    fn one_bad_trial_far_below_the_edge_does_not_decide() {
        let mut count = 0;
        let (edge, _) = search(&RULE, |rate| {
            count += 1;
            if count == 2 { Verdict::Failed } else { sharp(4000.0)(rate) }
        });
        assert!(edge.rate.is_some_and(|rate| (3800.0..=4000.0).contains(&rate)), "{edge:?}");
    }

    #[test]
    fn a_blurred_edge_lies_within_the_zone() {
        // Passing becomes less likely around the capacity: logistic in the rate's logarithm, 10 % to 90 % over ±6.6 %.
        let mut state = 7u64;
        let mut random = move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        };
        let (capacity, mut held, mut most, mut wide) = (3000.0f64, 0, 0, 0);
        for _ in 0..300 {
            let (edge, trials) = search(&RULE, |rate| {
                let passing = 1.0 / (1.0 + ((rate / capacity).ln() / 0.03).exp());
                if random() < passing { Verdict::Passed } else { Verdict::Failed }
            });
            let low = edge.passes_at.unwrap_or(0.0);
            let high = edge.fails_at.unwrap_or(f64::INFINITY);
            held += usize::from(low <= capacity && capacity <= high);
            wide += usize::from(high > low * 1.35);
            most = most.max(trials);
        }
        assert!(held >= 285, "{held} of 300 zones hold the truth");
        assert!(wide <= 30, "{wide} of 300 zones are wider than 35 %");
        assert!(most <= TRIALS_MAX, "{most} trials");
    }
}
