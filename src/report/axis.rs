//! Axes of plots: from values to places, and which values get a tick. Pure.

use crate::model::{number, ticks};

/// The most decades that a logarithmic axis shows; what lies below is cut off.
const DECADES_MAX: f64 = 9.0;

/// One axis.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    scale: Scale,
    /// What the ends stand for, on the scale (logarithms on a logarithmic one).
    low: f64,
    high: f64,
    /// Where the ends are, in pixels.
    from: f64,
    to: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    Linear,
    Time,
    Log,
    Nines,
}

/// A value with a line, and with words if it is a main one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tick {
    pub(super) value: f64,
    pub(super) words: Option<String>,
}

impl Axis {
    /// From zero to a round value at or above `high`; an axis without values goes to 1.
    pub(super) fn from_zero(high: f64, from: f64, to: f64) -> Self {
        let high = if high.is_finite() && high > 0.0 { high } else { 1.0 };
        let step = ticks::round_up(high / 4.0);
        Self { scale: Scale::Linear, low: 0.0, high: (high / step - 1e-9).ceil() * step, from, to }
    }

    /// Seconds, exactly from `low` to `high`; ticks at round times.
    pub(super) fn time(low: f64, high: f64, from: f64, to: f64) -> Self {
        let sound = low.is_finite() && high.is_finite() && high > low;
        let (low, high) = if sound { (low, high) } else { (0.0, 1.0) };
        Self { scale: Scale::Time, low, high, from, to }
    }

    /// Logarithmic, from a little below the smallest to a little above the largest of `values`; those that
    /// are not above zero do not count.
    pub(super) fn log(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (low, high) = values
            .filter(|value| value.is_finite() && *value > 0.0)
            .map(f64::log10)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), log| (low.min(log), high.max(log)));
        let (low, high) = if low <= high { (low, high) } else { (-1.0, 1.0) };
        let room = ((high - low) * 0.06).max(0.04);
        // At least half a decade, so that noise does not fill a plot.
        let missing = (0.5 - (high - low + 2.0 * room)).max(0.0) / 2.0;
        let (low, high) = (low - room - missing, high + room + missing);
        Self { scale: Scale::Log, low: low.max(high - DECADES_MAX), high, from, to }
    }

    /// Logarithmic, exactly from `low` to `high`, both above zero.
    pub(super) fn log_exact(low: f64, high: f64, from: f64, to: f64) -> Self {
        let sound = low > 0.0 && high > low && high.is_finite();
        let (low, high) = if sound { (low.log10(), high.log10()) } else { (-1.0, 1.0) };
        Self { scale: Scale::Log, low, high, from, to }
    }

    /// Quantiles by their number of nines: 0.9 is one, 0.99 two, up to at least `last` (below 1).
    pub(super) fn nines(last: f64, from: f64, to: f64) -> Self {
        Self { scale: Scale::Nines, low: 0.0, high: ticks::nines_of(last).max(2.0), from, to }
    }

    /// The pixel of a value, held within the axis; none for what has no place on it.
    pub(super) fn place(&self, value: f64) -> Option<f64> {
        let on_scale = match self.scale {
            Scale::Linear | Scale::Time => value,
            Scale::Log if value > 0.0 => value.log10(),
            Scale::Nines if value < 1.0 => ticks::nines_of(value),
            Scale::Log | Scale::Nines => return None,
        };
        if !on_scale.is_finite() {
            return None;
        }
        let share = ((on_scale - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        Some(self.from + share * (self.to - self.from))
    }

    /// The ends in pixels, in the order of the values.
    pub(super) fn ends(&self) -> (f64, f64) {
        (self.from, self.to)
    }

    /// Ticks with words by `words`.
    pub(super) fn ticks(&self, words: impl Fn(f64) -> String) -> Vec<Tick> {
        match self.scale {
            Scale::Linear | Scale::Time => self.even_ticks(words),
            Scale::Log => self.log_ticks(words),
            Scale::Nines => self.nines_ticks(),
        }
    }

    fn even_ticks(&self, words: impl Fn(f64) -> String) -> Vec<Tick> {
        let room = ((self.to - self.from).abs() / 90.0).clamp(4.0, 10.0);
        let wanted = (self.high - self.low) / room;
        let step = if self.scale == Scale::Time { ticks::time_step(wanted) } else { ticks::round_up(wanted) };
        let values = ticks::multiples(self.low, self.high, step).into_iter();
        values.map(|value| Tick { value, words: Some(words(value)) }).collect()
    }

    /// A tick at 1 to 9 of each decade; words at 1, and at 2 and 5 where there is room for them.
    fn log_ticks(&self, words: impl Fn(f64) -> String) -> Vec<Tick> {
        let pixels_per_decade = (self.to - self.from).abs() / (self.high - self.low);
        let named = |digit| match digit {
            1 => true,
            2 | 5 => pixels_per_decade > 70.0,
            3 | 7 => pixels_per_decade > 320.0,
            _ => false,
        };
        let digits: &[u8] = if pixels_per_decade > 40.0 { &[1, 2, 3, 4, 5, 6, 7, 8, 9] } else { &[1] };
        ticks::decimals(self.low, self.high, digits)
            .into_iter()
            .map(|tick| Tick { value: tick.value, words: named(tick.digit).then(|| words(tick.value)) })
            .collect()
    }

    fn nines_ticks(&self) -> Vec<Tick> {
        let tick = |nines| Tick { value: ticks::quantile_of(nines), words: Some(ticks::nines_words(nines)) };
        ticks::nines(self.low, self.high).into_iter().map(tick).collect()
    }
}

/// `20 s`, `02:30`: a round moment of a run of `length_s` seconds.
pub(super) fn time_words(at_s: f64, length_s: f64) -> String {
    if length_s <= 150.0 { format!("{}{}s", plain(at_s), number::THIN_SPACE) } else { number::clock(at_s) }
}

/// `5 ms`, `200 µs`: a round number of milliseconds for an axis.
pub(super) fn millis_words(ms: f64) -> String {
    let (value, unit) = if ms < 0.000_999 {
        (ms * 1e6, "ns")
    } else if ms < 0.999 {
        (ms * 1e3, "µs")
    } else if ms < 999.0 {
        (ms, "ms")
    } else {
        (ms / 1e3, "s")
    };
    format!("{}{}{unit}", plain(value), number::THIN_SPACE)
}

/// A round number without needless digits.
pub(super) fn plain(value: f64) -> String {
    if value >= 1000.0 {
        return number::count(value.round() as u64);
    }
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(axis: &Axis, with: impl Fn(f64) -> String) -> Vec<String> {
        axis.ticks(with).into_iter().filter_map(|tick| tick.words).collect()
    }

    #[test]
    fn a_linear_axis_ends_on_a_round_value_and_names_round_values() {
        let axis = Axis::from_zero(1840.0, 200.0, 0.0);
        assert_eq!(words(&axis, plain), ["0", "500", "1\u{2009}000", "1\u{2009}500", "2\u{2009}000"]);
        assert_eq!(axis.place(2000.0), Some(0.0));
        assert_eq!(axis.place(0.0), Some(200.0));
    }

    #[test]
    fn a_log_axis_names_decades_and_what_there_is_room_for() {
        let axis = Axis::log_exact(0.1, 100.0, 0.0, 120.0);
        assert_eq!(
            words(&axis, millis_words),
            ["100\u{2009}µs", "1\u{2009}ms", "10\u{2009}ms", "100\u{2009}ms"]
        );
        let wide = Axis::log_exact(1.0, 10.0, 0.0, 100.0);
        assert_eq!(words(&wide, plain), ["1", "2", "5", "10"]);
        assert_eq!(wide.ticks(plain).len(), 10);
        assert!((wide.place(10f64.sqrt()).expect("a place") - 50.0).abs() < 1e-9);
        assert_eq!(wide.place(0.0), None);
        assert_eq!(wide.place(-1.0), None);
    }

    #[test]
    fn a_nines_axis_gives_each_nine_the_same_room() {
        let axis = Axis::nines(0.9999, 0.0, 400.0);
        assert_eq!(words(&axis, plain), ["0 %", "50 %", "90 %", "99 %", "99.9 %", "99.99 %"]);
        for (quantile, at) in [(0.0, 0.0), (0.9, 100.0), (0.99, 200.0), (0.999, 300.0)] {
            assert!((axis.place(quantile).expect("a place") - at).abs() < 1e-6, "{quantile}");
        }
    }

    #[test]
    fn a_time_axis_counts_as_people_do() {
        let axis = Axis::time(0.0, 600.0, 0.0, 900.0);
        let shown = words(&axis, |at| time_words(at, 600.0));
        assert_eq!(shown[..3], ["00:00", "01:00", "02:00"]);
        let hour = Axis::time(0.0, 5000.0, 0.0, 900.0);
        assert_eq!(words(&hour, |at| time_words(at, 5000.0))[..3], ["00:00", "10:00", "20:00"]);
        let axis = Axis::time(0.0, 30.0, 0.0, 900.0);
        assert_eq!(words(&axis, |at| time_words(at, 30.0))[1], "5\u{2009}s");
    }

    #[test]
    fn an_axis_without_values_is_still_an_axis() {
        for axis in [
            Axis::log(std::iter::empty(), 0.0, 100.0),
            Axis::log([0.0, -1.0, f64::NAN].into_iter(), 0.0, 100.0),
            Axis::from_zero(f64::NAN, 0.0, 100.0),
            Axis::time(1.0, 1.0, 0.0, 100.0),
            Axis::nines(1.0, 0.0, 100.0),
        ] {
            let ticks = axis.ticks(plain);
            assert!((1..200).contains(&ticks.len()), "{axis:?}: {}", ticks.len());
            assert!(ticks.iter().all(|tick| axis.place(tick.value).is_some_and(f64::is_finite)));
        }
    }
}
