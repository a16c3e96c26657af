//! Where the lines of an axis are and what stands beside them. Pure.

use egui_plot::GridMark;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::metrics::Unit;
use crate::model::number;
use crate::model::ticks::{self, round_down, round_up};

/// The shortest duration that a logarithmic axis shows, in milliseconds.
pub const LOWEST_MS: f64 = 1e-4;
/// The least room between two labels of a vertical axis, in points.
const LABEL_HEIGHT: f64 = 26.0;
/// As above where every label stands for a factor: its digits are few, and more of them help to read between.
const LABEL_HEIGHT_LOG: f64 = 20.0;
/// The least room between two labels of a time axis, in points.
const LABEL_WIDTH: f64 = 72.0;
/// The least room between two lines without labels, in points.
const LINE_GAP: f64 = 7.0;

/// Labels of a time axis tell tenths of a second, and no less.
const TIME_STEP_MIN_S: f64 = 0.1;
/// So that a level line is not drawn on the frame.
const HEADROOM: f64 = 1.04;

/// How a value becomes a place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// Equal factors are equally far apart.
    #[default]
    Log,
    /// Equal differences are equally far apart, from zero.
    Linear,
}

/// What an axis shows, in its natural unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis<'a> {
    /// Durations in milliseconds.
    Latency(Scale),
    /// Whole things.
    Count(Scale),
    /// Things per second.
    Rate,
    /// Seconds of a run.
    Time,
    /// Quantiles as their number of nines: 0.9 is 1, 0.99 is 2.
    Nines,
    /// Moments in seconds since 1970, shown as times of the day where the person is.
    Moment,
    /// What a unit counts.
    Of(&'a Unit, Scale),
}

/// A line across the plot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tick {
    /// Where, in plot coordinates.
    pub at: f64,
    /// Whether its value stands beside it.
    pub labelled: bool,
}

impl Scale {
    /// From a value to plot coordinates.
    #[must_use]
    pub fn place(self, value: f64) -> f64 {
        match self {
            Self::Log => value.max(LOWEST_MS).log10(),
            Self::Linear => value,
        }
    }

    /// From plot coordinates to a value.
    #[must_use]
    pub fn value(self, place: f64) -> f64 {
        match self {
            Self::Log => 10f64.powf(place),
            Self::Linear => place,
        }
    }

    /// Bounds in plot coordinates that hold all values from `low` to `high` and end at round numbers.
    #[must_use]
    pub fn bounds(self, low: f64, high: f64) -> (f64, f64) {
        match self {
            Self::Log => {
                let (low, high) = (low.max(LOWEST_MS), high.max(LOWEST_MS));
                let (mut floor, mut ceiling) = (round_down(low), round_up(high));
                if ceiling <= floor * 1.01 {
                    floor = round_down(floor * 0.9);
                    ceiling = round_up(ceiling * 1.1);
                }
                (floor.log10(), ceiling.log10())
            }
            Self::Linear => (0.0, if high > 0.0 { round_up_fine(high * HEADROOM) } else { 1.0 }),
        }
    }
}

impl Axis<'_> {
    /// How values of this axis become places.
    #[must_use]
    pub fn scale(self) -> Scale {
        match self {
            Self::Latency(scale) | Self::Count(scale) | Self::Of(_, scale) => scale,
            Self::Rate | Self::Time | Self::Nines | Self::Moment => Scale::Linear,
        }
    }

    /// The lines between `bounds`, where one point is `per_point` wide; plot coordinates.
    #[must_use]
    pub fn ticks(self, bounds: (f64, f64), per_point: f64, upright: bool) -> Vec<Tick> {
        let room = per_point
            * match (upright, self.scale()) {
                (true, Scale::Log) => LABEL_HEIGHT_LOG,
                (true, Scale::Linear) => LABEL_HEIGHT,
                (false, _) => LABEL_WIDTH,
            };
        match self {
            Self::Latency(Scale::Log) | Self::Count(Scale::Log) | Self::Of(_, Scale::Log) => {
                log_ticks(bounds, per_point, room)
            }
            Self::Of(Unit::Bytes | Unit::BytesPerSec, Scale::Linear) => every(bounds, binary_step(room)),
            Self::Of(_, Scale::Linear) => every(bounds, round_up(room)),
            Self::Moment => moments(bounds, room),
            Self::Latency(Scale::Linear) | Self::Rate => every(bounds, round_up(room)),
            Self::Count(Scale::Linear) => every(bounds, round_up(room).max(1.0)),
            Self::Time => every(bounds, ticks::time_step(room).max(TIME_STEP_MIN_S)),
            Self::Nines => ticks::nines(bounds.0, bounds.1).into_iter().map(labelled).collect(),
        }
    }

    /// What stands beside a line.
    #[must_use]
    pub fn label(self, place: f64, span: f64) -> String {
        let value = self.scale().value(place);
        match self {
            Self::Latency(_) => tidy(&number::millis(value)),
            Self::Count(_) => number::count(value.round().max(0.0) as u64),
            Self::Rate => number::rate(value),
            Self::Time => time(value, span),
            Self::Nines => ticks::nines_words(place),
            Self::Moment => moment_words(value),
            Self::Of(unit, _) => tidy(&unit.write(value, None)),
        }
    }
}

/// `00:42`, or `00:42.5` where whole seconds would say the same twice.
#[must_use]
pub fn time(seconds: f64, span_s: f64) -> String {
    if span_s >= 12.0 || (seconds - seconds.round()).abs() < 1e-6 {
        return number::clock(seconds);
    }
    let tenths = (seconds * 10.0).round() as i64;
    format!("{}.{}", number::clock((tenths / 10) as f64), tenths % 10)
}

/// `12:03:05` on another day than today's `14 Nov 12:03:05`: a moment, exactly.
#[must_use]
pub fn moment(seconds: f64) -> String {
    zoned(seconds).strftime("%-d %b %H:%M:%S").to_string()
}

fn zoned(seconds: f64) -> jiff::Zoned {
    // What is no moment of any calendar is not on an axis of them.
    Timestamp::from_millisecond((seconds * 1e3).round() as i64)
        .unwrap_or_default()
        .to_zoned(TimeZone::system())
}

/// As short as it is exact: a midnight is its day.
fn moment_words(seconds: f64) -> String {
    let at = zoned(seconds);
    let format = match (at.hour(), at.minute(), at.second()) {
        (0, 0, 0) => "%-d %b",
        (_, _, 0) => "%H:%M",
        _ => "%H:%M:%S",
    };
    at.strftime(format).to_string()
}

/// Round times of the day where the person is.
fn moments((low, high): (f64, f64), room: f64) -> Vec<Tick> {
    let step = ticks::time_step(room).max(1.0);
    let ahead = f64::from(zoned(low).offset().seconds());
    let local = ticks::multiples(low + ahead, high + ahead, step);
    local.into_iter().map(|at| labelled(at - ahead)).collect()
}

/// The next power of two: bytes are counted so.
fn binary_step(at_least: f64) -> f64 {
    if at_least.is_finite() && at_least > 0.0 { at_least.log2().ceil().exp2() } else { 0.0 }
}

/// What the plot library wants: its step tells how strong a line is, and whether there is room for a label.
pub(super) fn marks(ticks: &[Tick], per_point: f64) -> Vec<GridMark> {
    let step = |labelled: bool| per_point * if labelled { super::STEP_LABELLED } else { super::STEP_BARE };
    ticks.iter().map(|tick| GridMark { value: tick.at, step_size: step(tick.labelled) }).collect()
}

/// `1 ms` rather than `1.00 ms`: a tick is exactly what it says.
fn tidy(text: &str) -> String {
    let end = text.rfind(|c: char| c.is_ascii_digit()).map_or(0, |at| at + 1);
    let (number, unit) = text.split_at(end);
    if !number.contains('.') {
        return text.to_owned();
    }
    format!("{}{unit}", number.trim_end_matches('0').trim_end_matches('.'))
}

fn labelled(at: f64) -> Tick {
    Tick { at, labelled: true }
}

fn log_ticks((low, high): (f64, f64), per_point: f64, room: f64) -> Vec<Tick> {
    let narrowest = 2f64.log10();
    let every_decades = (room.ceil() as i32).max(1);
    let digits: &[u8] = if narrowest >= per_point * LINE_GAP { &[1, 2, 5] } else { &[1] };
    let tick = |tick: ticks::Decimal| {
        let is_named = tick.digit == 1 && tick.decade.rem_euclid(every_decades) == 0;
        Tick { at: tick.value.log10(), labelled: is_named || (tick.digit != 1 && narrowest >= room) }
    };
    let found: Vec<_> = ticks::decimals(low, high, digits).into_iter().map(tick).collect();
    if found.iter().filter(|tick| tick.labelled).count() >= 2 {
        return found;
    }
    // Less than a decade is on show: round values at equal distances say more.
    let (low_value, high_value) = (10f64.powf(low), 10f64.powf(high));
    let step = round_up((high_value - low_value) * (room / (high - low)).clamp(0.12, 1.0));
    every((low_value, high_value), step)
        .into_iter()
        .filter(|tick| tick.at > 0.0)
        .map(|tick| Tick { at: tick.at.log10(), ..tick })
        .collect()
}

fn every((low, high): (f64, f64), step: f64) -> Vec<Tick> {
    ticks::multiples(low, high, step).into_iter().map(labelled).collect()
}

/// As [`round_up`] with more stops, so that at most a third of a plot stays empty.
fn round_up_fine(value: f64) -> f64 {
    ticks::round_up_among(value, &[1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: Axis<'_>, bounds: (f64, f64), points: f64, upright: bool) -> Vec<String> {
        let span = bounds.1 - bounds.0;
        axis.ticks(bounds, span / points, upright)
            .iter()
            .filter(|tick| tick.labelled)
            .map(|tick| axis.label(tick.at, span))
            .collect()
    }

    #[test]
    fn a_log_axis_counts_in_one_two_five() {
        let axis = Axis::Latency(Scale::Log);
        assert_eq!(
            labels(axis, (0.0, 2.0), 300.0, true),
            ["1 ms", "2 ms", "5 ms", "10 ms", "20 ms", "50 ms", "100 ms"]
        );
        assert_eq!(
            labels(axis, (-1.0, 4.0), 300.0, true),
            ["100 µs", "1 ms", "10 ms", "100 ms", "1 s", "10 s"]
        );
    }

    #[test]
    fn a_log_axis_that_shows_less_than_a_decade_has_round_labels_still() {
        let labels = labels(Axis::Latency(Scale::Log), (3.1f64.log10(), 4.4f64.log10()), 300.0, true);
        assert!(labels.contains(&"3.5 ms".to_owned()) || labels.contains(&"3.4 ms".to_owned()), "{labels:?}");
        assert!(labels.len() >= 3, "{labels:?}");
    }

    #[test]
    fn time_counts_as_clocks_do() {
        assert_eq!(labels(Axis::Time, (0.0, 120.0), 900.0, false)[..3], ["00:00", "00:10", "00:20"]);
        assert_eq!(labels(Axis::Time, (10.0, 11.0), 600.0, false)[..2], ["00:10", "00:10.2"]);
    }

    #[test]
    fn bytes_count_in_powers_of_two_and_shares_in_per_cent() {
        const MIB: f64 = 1_048_576.0;
        let bytes = Axis::Of(&Unit::Bytes, Scale::Linear);
        assert_eq!(
            labels(bytes, (0.0, 600.0 * MIB), 200.0, true),
            ["0 B", "128 MiB", "256 MiB", "384 MiB", "512 MiB"]
        );
        let share = Axis::Of(&Unit::Share, Scale::Linear);
        assert_eq!(labels(share, (0.0, 0.02), 80.0, true), ["0 %", "1 %", "2 %"]);
    }

    #[test]
    fn moments_are_told_as_short_as_they_are_exact() {
        let day = 86_400.0 * 20_000.0;
        let ahead = f64::from(zoned(day).offset().seconds());
        let midnight = day - ahead;
        assert_eq!(moment_words(midnight), "4 Oct");
        assert_eq!(moment_words(midnight + 3660.0), "01:01");
        assert_eq!(moment_words(midnight + 3665.0), "01:01:05");
        let ticks = moments((midnight, midnight + 3600.0 * 12.0), 7000.0);
        assert!(ticks.iter().all(|tick| ((tick.at - midnight) % 7200.0).abs() < 1e-6), "{ticks:?}");
    }

    #[test]
    fn nines_are_named_by_their_quantile() {
        assert_eq!(
            labels(Axis::Nines, (0.0, 4.2), 900.0, false),
            ["0 %", "50 %", "90 %", "99 %", "99.9 %", "99.99 %"]
        );
    }

    #[test]
    fn bounds_hold_the_data_and_end_at_round_numbers() {
        let (low, high) = Scale::Log.bounds(1.3, 430.0);
        assert!((low - 0.0).abs() < 1e-9 && (high - 500f64.log10()).abs() < 1e-9);
        assert_eq!(Scale::Linear.bounds(3.0, 1010.0), (0.0, 1200.0));
        assert_eq!(Scale::Linear.bounds(0.0, 1000.0), (0.0, 1200.0));
        assert_eq!(Scale::Linear.bounds(0.0, 0.0), (0.0, 1.0));
        let (low, high) = Scale::Log.bounds(5.0, 5.0);
        assert!(low < 5f64.log10() && high > 5f64.log10());
    }

    #[test]
    fn counts_have_no_fractions() {
        assert_eq!(labels(Axis::Count(Scale::Linear), (0.0, 3.0), 400.0, true), ["0", "1", "2", "3"]);
    }
}
