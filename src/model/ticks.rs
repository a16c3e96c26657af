//! Round values for axes: the steps that people count in, for every plot in the window and in reports. Pure.

/// The most values that one axis gets, so that no bounds can ask for more than can be drawn.
const TICKS_MAX: i64 = 200;
/// The most nines that an axis of quantiles has.
const NINES_MAX: u32 = 12;
const DAY_S: f64 = 86_400.0;

/// A value of a logarithmic axis: `digit` times ten to the power of `decade`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decimal {
    /// 1 to 9.
    pub digit: u8,
    /// The power of ten.
    pub decade: i32,
    /// Both together.
    pub value: f64,
}

/// The next of 1, 2, 5, 10, … at or above; 0 for what is not above zero.
#[must_use]
pub fn round_up(value: f64) -> f64 {
    round_up_among(value, &[1.0, 2.0, 5.0])
}

/// As [`round_up`] with stops of one's own, ascending from 1 to below 10.
#[must_use]
pub fn round_up_among(value: f64, stops: &[f64]) -> f64 {
    let Some((lead, decade)) = split(value) else { return 0.0 };
    stops.iter().copied().find(|stop| *stop >= lead * (1.0 - 1e-9)).unwrap_or(10.0) * decade
}

/// The next of 1, 2, 5, 10, … at or below; 0 for what is not above zero.
#[must_use]
pub fn round_down(value: f64) -> f64 {
    let Some((lead, decade)) = split(value) else { return 0.0 };
    let stop = [5.0, 2.0, 1.0].into_iter().find(|stop| *stop <= lead * (1.0 + 1e-9)).unwrap_or(1.0);
    // A lead of 9.999999999 is 10.
    if lead * (1.0 + 1e-9) >= 10.0 { 10.0 * decade } else { stop * decade }
}

/// 4.2 and 1000 from 4200.
fn split(value: f64) -> Option<(f64, f64)> {
    if !(value.is_finite() && value > 0.0) {
        return None;
    }
    let decade = 10f64.powf(value.log10().floor());
    Some((value / decade, decade))
}

/// The smallest step of seconds that people count in and that is not below `at_least`.
#[must_use]
pub fn time_step(at_least: f64) -> f64 {
    const STEPS_S: [f64; 13] =
        [15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 21_600.0, 43_200.0, DAY_S];
    if at_least <= 10.0 {
        return round_up(at_least);
    }
    STEPS_S.into_iter().find(|step| *step >= at_least).unwrap_or_else(|| (at_least / DAY_S).ceil() * DAY_S)
}

/// The multiples of `step` from `low` to `high`, both included; none where that makes no sense.
#[must_use]
pub fn multiples(low: f64, high: f64, step: f64) -> Vec<f64> {
    if !(step.is_finite() && step > 0.0 && low.is_finite() && high.is_finite()) {
        return Vec::new();
    }
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last.min(first.saturating_add(TICKS_MAX))).map(|n| n as f64 * step).collect()
}

/// The values with one of these digits whose logarithms are from `low` to `high`, ascending.
#[must_use]
pub fn decimals(low: f64, high: f64, digits: &[u8]) -> Vec<Decimal> {
    let mut found = Vec::new();
    for decade in low.floor() as i32..=high.ceil() as i32 {
        for digit in digits {
            let value = f64::from(*digit) * 10f64.powi(decade);
            if value.log10() >= low - 1e-9 && value.log10() <= high + 1e-9 {
                found.push(Decimal { digit: *digit, decade, value });
            }
        }
    }
    found
}

/// The quantile (0 to 1) as its number of nines: 0.9 is 1, 0.99 is 2.
#[must_use]
pub fn nines_of(quantile: f64) -> f64 {
    -(1.0 - quantile).max(10f64.powi(-(NINES_MAX as i32))).log10()
}

/// The quantile with this number of nines.
#[must_use]
pub fn quantile_of(nines: f64) -> f64 {
    1.0 - 10f64.powf(-nines)
}

/// The values of an axis of quantiles, by their number of nines, from `low` to `high`: 0, the median, and whole nines.
#[must_use]
pub fn nines(low: f64, high: f64) -> Vec<f64> {
    let whole = (1..=NINES_MAX).map(f64::from);
    let all = [0.0, nines_of(0.5)].into_iter().chain(whole);
    all.filter(|at| *at >= low - 1e-9 && *at <= high + 1e-9).collect()
}

/// `99.9 %` from 3, a number of nines.
#[must_use]
pub fn nines_words(nines: f64) -> String {
    let decimals = (nines - 2.0).ceil().clamp(0.0, f64::from(NINES_MAX - 2)) as usize;
    format!("{:.decimals$} %", quantile_of(nines) * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_rounded_to_one_two_and_five() {
        for (value, up, down) in
            [(1.0, 1.0, 1.0), (1.3, 2.0, 1.0), (4200.0, 5000.0, 2000.0), (0.07, 0.1, 0.05), (9.3, 10.0, 5.0)]
        {
            assert!((round_up(value) / up - 1.0).abs() < 1e-9, "{value}");
            assert!((round_down(value) / down - 1.0).abs() < 1e-9, "{value}");
        }
        for value in [0.0, -3.0, f64::NAN, f64::INFINITY] {
            assert_eq!((round_up(value), round_down(value)), (0.0, 0.0), "{value}");
        }
        assert_eq!(round_up_among(1010.0, &[1.0, 1.2, 5.0]), 1200.0);
    }

    #[test]
    fn time_is_counted_as_clocks_do() {
        let steps =
            [(0.3, 0.5), (6.0, 10.0), (11.0, 15.0), (31.0, 60.0), (4000.0, 7200.0), (90_000.0, 172_800.0)];
        for (at_least, step) in steps {
            assert_eq!(time_step(at_least), step);
        }
    }

    #[test]
    fn multiples_are_within_their_bounds_and_few() {
        assert_eq!(multiples(0.0, 1.0, 0.25), [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(multiples(-3.0, 3.0, 2.0), [-2.0, 0.0, 2.0]);
        assert!(multiples(0.0, 1e12, 1e-3).len() <= TICKS_MAX as usize + 1);
        assert!(multiples(0.0, 1.0, 0.0).is_empty() && multiples(0.0, f64::NAN, 1.0).is_empty());
    }

    #[test]
    fn decades_have_the_digits_asked_for() {
        let values: Vec<_> = decimals(0.0, 2.0, &[1, 2, 5]).iter().map(|tick| tick.value).collect();
        assert_eq!(values, [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]);
        assert_eq!(decimals(-1.0, 0.0, &[1]).iter().map(|tick| tick.decade).collect::<Vec<_>>(), [-1, 0]);
    }

    #[test]
    fn quantiles_are_told_with_the_nines_they_have() {
        let words: Vec<_> = nines(0.0, 4.2).into_iter().map(nines_words).collect();
        assert_eq!(words, ["0 %", "50 %", "90 %", "99 %", "99.9 %", "99.99 %"]);
        assert_eq!(nines_words(12.0), "99.9999999999 %");
        assert!((nines_of(0.999) - 3.0).abs() < 1e-9 && (quantile_of(2.0) - 0.99).abs() < 1e-12);
    }
}
