//! A run over time: intervals that grow wider as the run grows longer, so that there are never too many.

use crate::model::Interval;

use crate::stats::{Sketch, heat};

use super::tally::{Errors, INTERVAL_NANOS, Tally};

/// The most slices: in a run of a minute each is most of a second.
const SLICES_MAX: usize = 120;
const _: () = assert!(SLICES_MAX <= crate::model::run::INTERVALS_MAX, "a record has room for them");

/// The intervals of a run.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    slices: Vec<Slice>,
    /// The finest intervals in each slice are 2 to this power.
    doublings: u32,
}

#[derive(Clone, Debug, Default)]
struct Slice {
    due: u64,
    answered: u64,
    errors: Errors,
    in_flight: u64,
    response: Sketch,
    service: Sketch,
    lag: Sketch,
    /// The slice as the record has it, with its heat instead of its histogram; none when it changed since.
    shown: Option<Interval>,
}

impl Timeline {
    /// Adds what a worker measured; `in_flight` is of all workers now.
    pub(super) fn add(&mut self, tally: &Tally, in_flight: u64) {
        for (interval, count) in &tally.due {
            self.slice(*interval).due += count;
        }
        let slice = self.slice(tally.interval);
        slice.answered += tally.counted.answered;
        slice.errors.merge(&tally.errors);
        slice.in_flight = in_flight;
        for (sketch, latency) in [
            (&mut slice.response, &tally.response),
            (&mut slice.service, &tally.service),
            (&mut slice.lag, &tally.lag),
        ] {
            if !latency.is_empty() {
                sketch.merge(&Sketch::of(latency));
            }
        }
    }

    /// The intervals that were over at `nanos` from the first counted due time.
    pub(super) fn over_by(&mut self, nanos: u64) -> Vec<Interval> {
        let width = self.width_nanos();
        let over = usize::try_from(nanos / width).unwrap_or(usize::MAX).min(self.slices.len());
        let slices = self.slices[..over].iter_mut().enumerate();
        slices.map(|(at, slice)| slice.shown(at as u64 * width, width).clone()).collect()
    }

    /// All intervals with their histograms; the last one ends at `nanos`, when the run was over, and is half as long as
    /// the others at least.
    pub(super) fn finish(mut self, nanos: u64) -> Vec<Interval> {
        let width = self.width_nanos();
        let used = self.slices.iter().rposition(Slice::has_news).map_or(0, |last| last + 1);
        let within = usize::try_from(nanos.div_ceil(width)).unwrap_or(usize::MAX);
        self.slices.truncate(used.max(within).min(self.slices.len()));
        // What came in the last moment would be a rate that never was.
        let start_of_last = self.slices.len().saturating_sub(1) as u64 * width;
        if self.slices.len() > 1
            && (1..width / 2).contains(&nanos.saturating_sub(start_of_last))
            && let Some(last) = self.slices.pop()
            && let Some(before) = self.slices.last_mut()
        {
            before.merge(&last);
            before.shown = None;
        }
        let slices = self.slices.len();
        let mut intervals = Vec::with_capacity(slices);
        for (at, slice) in self.slices.iter_mut().enumerate() {
            let start = at as u64 * width;
            let mut interval = slice.shown(start, width).clone();
            if at + 1 == slices && (1..width + width / 2).contains(&nanos.saturating_sub(start)) {
                interval.length_s = (nanos - start) as f64 / 1e9;
            }
            if slice.response.count() > 0 {
                interval.histogram = slice.response.to_latency().encode();
                interval.heat.clear();
            }
            intervals.push(interval);
        }
        intervals
    }

    fn width_nanos(&self) -> u64 {
        INTERVAL_NANOS << self.doublings
    }

    /// The slice in which a finest interval lies; wider slices are made until there is room for it.
    fn slice(&mut self, interval: u64) -> &mut Slice {
        while interval >> self.doublings >= SLICES_MAX as u64 {
            self.widen();
        }
        let at = (interval >> self.doublings) as usize;
        if at >= self.slices.len() {
            self.slices.resize_with(at + 1, Slice::default);
        }
        let slice = &mut self.slices[at];
        slice.shown = None;
        slice
    }

    fn widen(&mut self) {
        let pairs = self.slices.chunks(2);
        self.slices = pairs
            .map(|pair| {
                let mut slice = pair[0].clone();
                if let Some(next) = pair.get(1) {
                    slice.merge(next);
                }
                slice.shown = None;
                slice
            })
            .collect();
        self.doublings += 1;
    }
}

impl Slice {
    /// Adds the slice that follows.
    fn merge(&mut self, next: &Self) {
        self.due += next.due;
        self.answered += next.answered;
        self.errors.merge(&next.errors);
        self.in_flight = next.in_flight;
        self.response.merge(&next.response);
        self.service.merge(&next.service);
        self.lag.merge(&next.lag);
    }

    fn has_news(&self) -> bool {
        self.due > 0 || self.answered > 0 || self.errors != Errors::default()
    }

    fn shown(&mut self, start_nanos: u64, width_nanos: u64) -> &Interval {
        self.shown.get_or_insert_with(|| Interval {
            start_s: start_nanos as f64 / 1e9,
            length_s: width_nanos as f64 / 1e9,
            due: self.due,
            answered: self.answered,
            errors: self.errors.named().map(|(name, count)| (name.to_owned(), count)).collect(),
            in_flight: self.in_flight,
            response_ms: self.response.quantiles(),
            service_ms: self.service.quantiles(),
            lag_p99_ms: self.lag.quantiles().p99,
            histogram: String::new(),
            heat: heat::compact(&heat::fold(self.response.recorded())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::schedule::Due;
    use crate::load::tally::{End, Outcome, Sent};
    use crate::stats::Latency;

    /// One request due and answered in this interval, after so many milliseconds.
    fn tally(interval: u64, ms: u64) -> Tally {
        let mut tally = Tally::new();
        tally.interval = interval;
        let due = Due { at: interval * INTERVAL_NANOS, counted: true, stage: 0 };
        tally.note_due(due, 0);
        let sent = Some(Sent { at: due.at, lag: 1000, bytes: 1 });
        let done = due.at + ms * 1_000_000;
        tally.note(due, &Outcome { sent, received_bytes: 1, ..Outcome::unsent(End::Status(200), done) });
        tally
    }

    #[test]
    fn the_last_moment_of_a_run_is_no_interval_of_its_own() {
        for (past_ns, lengths) in
            [(0, vec![0.1; 3]), (2_000_000, vec![0.1, 0.1, 0.102]), (60_000_000, vec![0.1, 0.1, 0.1, 0.06])]
        {
            let mut timeline = Timeline::default();
            let count = if past_ns == 0 { 3 } else { 4 };
            for interval in 0..count {
                timeline.add(&tally(interval, 1), 1);
            }
            let intervals = timeline.finish(3 * INTERVAL_NANOS + past_ns);
            let got: Vec<f64> = intervals.iter().map(|interval| interval.length_s).collect();
            assert_eq!(got.len(), lengths.len(), "{past_ns}: {got:?}");
            assert!(got.iter().zip(&lengths).all(|(got, want)| (got - want).abs() < 1e-9), "{got:?}");
            assert_eq!(intervals.iter().map(|interval| interval.answered).sum::<u64>(), count);
            let in_last = if past_ns == 2_000_000 { 2 } else { 1 };
            assert_eq!(intervals.last().map(|last| last.response_ms.count), Some(in_last), "{past_ns}");
        }
        // What failed after the last answer makes the slices before it no shorter.
        let mut timeline = Timeline::default();
        for interval in [0, 1, 9] {
            timeline.add(&tally(interval, 1), 1);
        }
        let intervals = timeline.finish(INTERVAL_NANOS + 30_000_000);
        assert!(
            intervals.iter().all(|interval| (interval.length_s - 0.1).abs() < 1e-9),
            "{}",
            intervals.len()
        );
    }

    #[test]
    fn a_long_run_has_wider_intervals_and_loses_nothing() {
        for count in [1, 120, 121, 1000] {
            let mut timeline = Timeline::default();
            for interval in 0..count {
                timeline.add(&tally(interval, 1 + interval % 50), 3);
            }
            let end = count * INTERVAL_NANOS;
            let live = timeline.over_by(end);
            let intervals = timeline.finish(end);
            assert!(intervals.len() <= SLICES_MAX, "{count}: {}", intervals.len());
            assert!(intervals.len() >= SLICES_MAX / 2 || intervals.len() as u64 == count);
            assert!(live.len() + 1 >= intervals.len());
            assert_eq!(intervals.iter().map(|interval| interval.due).sum::<u64>(), count);
            assert_eq!(intervals.iter().map(|interval| interval.answered).sum::<u64>(), count);
            let recorded: u64 = intervals
                .iter()
                .map(|interval| Latency::decode(&interval.histogram).expect("our own text").count())
                .sum();
            assert_eq!(recorded, count);
            for pair in intervals.windows(2) {
                assert!((pair[0].start_s + pair[0].length_s - pair[1].start_s).abs() < 1e-6);
            }
            let last = &intervals[intervals.len() - 1];
            assert!((last.start_s + last.length_s - count as f64 / 10.0).abs() < 1e-6);
        }
    }

    #[test]
    fn a_minute_over_time_stays_small_on_disk() {
        use std::io::Write as _;
        let mut timeline = Timeline::default();
        let mut random = crate::load::random::Random::seeded(1);
        for interval in 0..600 {
            let mut of_many = tally(interval, 5);
            for _ in 0..100 {
                // Log-normal about 5 ms.
                let nanos = (5e6 * (0.5 * random.normal()).exp()) as u64;
                let due = Due { at: interval * INTERVAL_NANOS, counted: true, stage: 0 };
                of_many.note_due(due, 0);
                of_many.note(due, &Outcome::unsent(End::Status(200), due.at + nanos));
            }
            timeline.add(&of_many, 3);
        }
        let intervals = timeline.finish(600 * INTERVAL_NANOS);
        let mut deflated = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        deflated.write_all(&serde_json::to_vec(&intervals).expect("JSON")).expect("memory");
        let bytes = deflated.finish().expect("memory").len();
        assert!(bytes <= 32 * 1024, "{} intervals in {bytes} bytes", intervals.len());
    }

    #[test]
    fn what_changes_later_is_shown() {
        let mut timeline = Timeline::default();
        timeline.add(&tally(0, 5), 1);
        assert_eq!(timeline.over_by(INTERVAL_NANOS)[0].answered, 1);
        timeline.add(&tally(0, 5), 1);
        assert_eq!(timeline.over_by(INTERVAL_NANOS)[0].answered, 2);
        assert!(timeline.over_by(INTERVAL_NANOS - 1).is_empty());
    }

    #[test]
    fn a_stretch_without_news_at_the_end_is_cut() {
        let mut timeline = Timeline::default();
        timeline.add(&tally(0, 5), 1);
        let mut quiet = Tally::new();
        quiet.interval = 9;
        timeline.add(&quiet, 0);
        let intervals = timeline.finish(30_000_000);
        assert_eq!(intervals.len(), 1);
        assert!((intervals[0].length_s - 0.03).abs() < 1e-9);
    }
}
