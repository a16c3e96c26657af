//! A histogram of durations: bounded HdrHistogram in nanoseconds, three significant digits.

use std::io::Read as _;
use std::ops::Range;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2DeflateSerializer};

use crate::model::Quantiles;
use crate::model::run::QUANTILES;

/// Values below are told apart no further: 100 ns.
pub const LOWEST_NANOS: u64 = 100;
/// Values above are recorded as this: one hour.
pub const HIGHEST_NANOS: u64 = 3_600_000_000_000;
/// Significant decimal digits of every value.
pub const DIGITS: u8 = 3;

/// The most bytes that an encoded histogram may have once inflated.
const INFLATED_BYTES_MAX: u64 = 1024 * 1024;
/// The most base64 characters that are looked at.
const ENCODED_BYTES_MAX: usize = 1024 * 1024;
const COOKIE_DEFLATED: u32 = 0x1c84_9314;
const COOKIE_V2: u32 = 0x1c84_9313;
/// Cookie, payload length, normalizing offset, digits, lowest, highest, ratio.
const V2_HEADER_BYTES: usize = 40;

/// Values are told apart in steps of a power of two, this one for the smallest: 64 ns.
const UNIT_MAGNITUDE: u32 = LOWEST_NANOS.ilog2();

/// A histogram of durations. Recording never allocates and never fails: values are held within bounds.
///
/// The counts lie as HdrHistogram has them, which writes and reads them. What is done for each request, or ten times a
/// second, touches only the part of them that is in use: the library looks at all, and that was a sixth of a run's
/// cost beside the sending.
#[derive(Clone, Debug)]
pub struct Latency {
    counts: Box<[u64]>,
    digits: u8,
    /// Half of the steps between a power of two and the next but one, as a power of two.
    half_magnitude: u32,
    total: u64,
    /// The first count in use; their number where none is.
    first: usize,
    /// The largest value.
    max: u64,
}

/// Why bytes are not a histogram of durations.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// Not base64.
    #[error("the histogram is not base64")]
    Base64(#[source] base64::DecodeError),
    /// Larger than any histogram of ours.
    #[error("the histogram is larger than {ENCODED_BYTES_MAX} bytes")]
    TooLarge,
    /// Not a deflated V2 histogram.
    #[error("the histogram is damaged: {0}")]
    Damaged(&'static str),
    /// The payload is not what its header says.
    #[error("the histogram is damaged")]
    Payload(#[source] hdrhistogram::serialization::DeserializeError),
}

impl Latency {
    /// An empty histogram.
    #[must_use]
    pub fn new() -> Self {
        Self::with_digits(DIGITS)
    }

    /// An empty histogram with the two digits of an interval: an eighth of the memory.
    #[must_use]
    pub fn coarse() -> Self {
        Self::with_digits(super::sketch::DIGITS)
    }

    /// Adds all values of a histogram of any digits, as coarse or fine as this one is.
    pub fn absorb(&mut self, other: &Self) {
        for (nanos, count) in other.recorded() {
            self.record_n(nanos, count);
        }
    }

    pub(super) fn with_digits(digits: u8) -> Self {
        let half_magnitude = half_magnitude(digits);
        let counts = vec![0; place_of(HIGHEST_NANOS, half_magnitude) + 1].into_boxed_slice();
        Self { first: counts.len(), counts, digits, half_magnitude, total: 0, max: 0 }
    }

    /// Records one duration.
    #[inline]
    pub fn record(&mut self, duration: Duration) {
        self.record_nanos(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Records one duration in nanoseconds.
    #[inline]
    pub fn record_nanos(&mut self, nanos: u64) {
        self.record_n(nanos, 1);
    }

    /// Records `count` equal durations in nanoseconds.
    #[inline]
    pub fn record_n(&mut self, nanos: u64, count: u64) {
        let nanos = nanos.min(HIGHEST_NANOS);
        let at = self.place_of(nanos);
        self.counts[at] = self.counts[at].saturating_add(count);
        self.total = self.total.saturating_add(count);
        self.first = self.first.min(at);
        self.max = self.max.max(nanos);
    }

    /// Adds all values of another histogram.
    pub fn merge(&mut self, other: &Self) {
        if self.digits != other.digits {
            return self.absorb(other);
        }
        let used = other.used();
        for (sum, count) in self.counts[used.clone()].iter_mut().zip(&other.counts[used]) {
            *sum = sum.saturating_add(*count);
        }
        self.total = self.total.saturating_add(other.total);
        self.first = self.first.min(other.first);
        self.max = self.max.max(other.max);
    }

    /// Forgets all values.
    pub fn clear(&mut self) {
        let used = self.used();
        self.counts[used].fill(0);
        (self.total, self.first, self.max) = (0, self.counts.len(), 0);
    }

    #[inline]
    fn place_of(&self, nanos: u64) -> usize {
        place_of(nanos, self.half_magnitude)
    }

    /// The lowest value that is counted at a place, and how many are.
    #[inline]
    fn range_at(&self, place: usize) -> (u64, u64) {
        range_at(place, self.half_magnitude)
    }

    #[inline]
    fn highest_at(&self, place: usize) -> u64 {
        highest_at(place, self.half_magnitude)
    }

    /// The places that may have a count.
    fn used(&self) -> Range<usize> {
        if self.is_empty() { 0..0 } else { self.first..self.place_of(self.max) + 1 }
    }

    /// Places and their counts, ascending, where there is one.
    fn counted(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        let used = self.used();
        let from = used.start;
        let counts = self.counts[used].iter().enumerate().filter(|(_, count)| **count > 0);
        counts.map(move |(at, count)| (from + at, *count))
    }

    fn max_nanos(&self) -> u64 {
        if self.max == 0 { 0 } else { self.highest_at(self.place_of(self.max)) }
    }

    fn mean_nanos(&self) -> f64 {
        self.counted().fold(0.0, |mean, (place, count)| {
            let (lowest, width) = self.range_at(place);
            mean + (lowest + width / 2) as f64 * count as f64 / self.total as f64
        })
    }

    /// Number of values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.total
    }

    /// Whether there are no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// The value at quantile `q` (0 to 1), in milliseconds; 0 when empty. The highest value equivalent to
    /// the smallest recorded one that at least `q` of all values do not exceed; never above [`Self::max_ms`].
    #[must_use]
    pub fn quantile_ms(&self, q: f64) -> f64 {
        let needed = ((q.min(1.0) * self.total as f64).ceil() as u64).max(1);
        let mut seen = 0;
        let reached = self.counted().find(|(_, count)| {
            seen += count;
            seen >= needed
        });
        let nanos = reached.map_or(0, |(place, _)| self.highest_at(place));
        millis(nanos.min(self.max_nanos()))
    }

    /// The largest value, in milliseconds; 0 when empty.
    #[must_use]
    pub fn max_ms(&self) -> f64 {
        millis(self.max_nanos())
    }

    /// The quantiles that every summary holds.
    #[must_use]
    pub fn quantiles(&self) -> Quantiles {
        if self.is_empty() {
            return Quantiles::default();
        }
        let [p50, p90, p95, p99, p99_9] = self.at_all(QUANTILES);
        Quantiles {
            p50,
            p90,
            p95,
            p99,
            p99_9,
            max: self.max_ms(),
            mean: self.mean_nanos() / 1e6,
            count: self.count(),
        }
    }

    /// [`Self::quantile_ms`] of ascending quantiles, in one walk over the values.
    fn at_all<const N: usize>(&self, quantiles: [f64; N]) -> [f64; N] {
        let count = self.count();
        // As the library counts: the number of values that must not lie above.
        let needed = quantiles.map(|q| ((q * count as f64).ceil() as u64).clamp(1, count));
        let max = self.max_nanos();
        let mut found = [millis(max); N];
        let (mut seen, mut next) = (0, 0);
        for (nanos, values) in self.recorded() {
            seen += values;
            while next < N && seen >= needed[next] {
                found[next] = millis(nanos.min(max));
                next += 1;
            }
            if next == N {
                break;
            }
        }
        found
    }

    /// The quantile curve: pairs of quantile (0 to 1) and milliseconds, ascending, with `per_nine` points for
    /// each further nine (0.9, 0.99, …) up to the last quantile that one value can decide, `1 - 1/count`.
    #[must_use]
    pub fn curve(&self, per_nine: u32) -> Vec<(f64, f64)> {
        if self.is_empty() {
            return Vec::new();
        }
        let last = 1.0 - 1.0 / self.count() as f64;
        let mut points = Vec::new();
        for step in 0.. {
            let q = 1.0 - 10f64.powf(-f64::from(step) / f64::from(per_nine));
            if q >= last {
                break;
            }
            points.push((q, self.quantile_ms(q)));
        }
        points.push((last, self.max_ms()));
        points
    }

    /// Counts in buckets of equal width on a logarithmic axis: `(low_ms, high_ms, count)`, ascending and
    /// without gaps from the smallest to the largest value, `per_decade` buckets for each power of ten.
    #[must_use]
    pub fn log_buckets(&self, per_decade: u32) -> Vec<(f64, f64, u64)> {
        if self.is_empty() {
            return Vec::new();
        }
        let steps = f64::from(per_decade);
        let bucket_of = |nanos: u64| (nanos.max(1) as f64).log10().mul_add(steps, 1e-9).floor() as i64;
        let edge_ms = |bucket: i64| 10f64.powf(bucket as f64 / steps) / 1e6;
        let first = bucket_of(self.range_at(self.first).0.max(LOWEST_NANOS));
        let max = self.max_nanos();
        let last = bucket_of(max).max(first);
        let mut counts = vec![0; usize::try_from(last - first + 1).unwrap_or(1)];
        for (nanos, count) in self.recorded() {
            let bucket = bucket_of(nanos.min(max)).clamp(first, last);
            counts[usize::try_from(bucket - first).unwrap_or(0)] += count;
        }
        (first..).zip(counts).map(|(bucket, count)| (edge_ms(bucket), edge_ms(bucket + 1), count)).collect()
    }

    /// How many values [`Self::quantile_ms`] would show as longer than this, in milliseconds.
    #[must_use]
    pub fn longer_than(&self, limit_ms: f64) -> u64 {
        self.recorded().filter(|(nanos, _)| millis(*nanos) > limit_ms).map(|(_, count)| count).sum()
    }

    /// Pairs of value in nanoseconds and count, ascending, of all values recorded.
    pub fn recorded(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.counted().map(|(place, count)| (self.highest_at(place), count))
    }

    /// The same as a histogram of other digits would have it that recorded all of them.
    pub(super) fn recorded_with(&self, digits: u8) -> impl Iterator<Item = (u64, u64)> + '_ {
        let half_magnitude = half_magnitude(digits);
        let place = move |nanos: u64| place_of(nanos.min(HIGHEST_NANOS), half_magnitude);
        let mut recorded = self.recorded().map(move |(nanos, count)| (place(nanos), count)).peekable();
        std::iter::from_fn(move || {
            let (place, mut sum) = recorded.next()?;
            while let Some((_, count)) = recorded.next_if(|next| next.0 == place) {
                sum += count;
            }
            Some((highest_at(place, half_magnitude), sum))
        })
    }

    /// HdrHistogram V2, deflated, base64: the text that records hold (starts with `HISTFAAA`).
    #[must_use]
    pub fn encode(&self) -> String {
        let mut histogram = library(self.digits);
        for (nanos, count) in self.recorded() {
            histogram.saturating_record_n(nanos, count);
        }
        let mut bytes = Vec::new();
        V2DeflateSerializer::new().serialize(&histogram, &mut bytes).expect("writing to memory cannot fail");
        STANDARD.encode(bytes)
    }

    /// Reads what [`Self::encode`] wrote, here or elsewhere. Foreign bytes are checked before the library
    /// sees them: a 40-byte input could otherwise claim gigabytes, or make it panic.
    ///
    /// # Errors
    /// What is wrong with the bytes.
    pub fn decode(text: &str) -> Result<Self, CodecError> {
        if text.len() > ENCODED_BYTES_MAX {
            return Err(CodecError::TooLarge);
        }
        let bytes = STANDARD.decode(text.trim()).map_err(CodecError::Base64)?;
        let inner = inflated(&bytes)?;
        check_v2(&inner)?;
        let decoded: Histogram<u64> =
            Deserializer::new().deserialize(&mut inner.as_slice()).map_err(CodecError::Payload)?;
        let mut latency = Self::with_digits(decoded.sigfig());
        for value in decoded.iter_recorded() {
            latency.record_n(value.value_iterated_to(), value.count_since_last_iteration());
        }
        Ok(latency)
    }
}

impl Default for Latency {
    fn default() -> Self {
        Self::new()
    }
}

/// Where a value is counted: each power of two, from the second one that is told apart, has half as many places as it
/// has steps.
#[inline]
fn place_of(nanos: u64, half_magnitude: u32) -> usize {
    let told_apart = UNIT_MAGNITUDE + half_magnitude;
    let bucket = (nanos | 1 << told_apart).ilog2() - told_apart;
    ((bucket as usize) << half_magnitude) + (nanos >> (bucket + UNIT_MAGNITUDE)) as usize
}

/// The lowest value that is counted at a place, and how many are.
#[inline]
fn range_at(place: usize, half_magnitude: u32) -> (u64, u64) {
    let bucket = (place >> half_magnitude).saturating_sub(1);
    let magnitude = bucket as u32 + UNIT_MAGNITUDE;
    (((place - (bucket << half_magnitude)) as u64) << magnitude, 1 << magnitude)
}

/// The highest value that is counted at a place.
#[inline]
fn highest_at(place: usize, half_magnitude: u32) -> u64 {
    let (lowest, width) = range_at(place, half_magnitude);
    lowest + (width - 1)
}

/// Half of the steps that so many digits need, as a power of two.
fn half_magnitude(digits: u8) -> u32 {
    10u64.pow(digits.into()).next_power_of_two().ilog2()
}

/// An empty histogram of the library's. It is bounded: one that resizes itself clamps when recording saturates.
fn library(digits: u8) -> Histogram<u64> {
    Histogram::new_with_bounds(LOWEST_NANOS, HIGHEST_NANOS, digits)
        .expect("the bounds are constants that HdrHistogram accepts")
}

fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

fn be_u32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn be_u64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

fn inflated(bytes: &[u8]) -> Result<Vec<u8>, CodecError> {
    if be_u32(bytes, 0) != Some(COOKIE_DEFLATED) {
        return Err(CodecError::Damaged("it does not start as one"));
    }
    if be_u32(bytes, 4).map(|length| length as usize) != Some(bytes.len().saturating_sub(8)) {
        return Err(CodecError::Damaged("its length is not what it says"));
    }
    let mut inner = Vec::new();
    let read =
        flate2::read::ZlibDecoder::new(&bytes[8..]).take(INFLATED_BYTES_MAX + 1).read_to_end(&mut inner);
    match read {
        Ok(length) if length as u64 > INFLATED_BYTES_MAX => Err(CodecError::TooLarge),
        Ok(_) => Ok(inner),
        Err(_) => Err(CodecError::Damaged("it cannot be inflated")),
    }
}

/// Holds the header of a V2 histogram against its payload.
fn check_v2(inner: &[u8]) -> Result<(), CodecError> {
    let damaged = CodecError::Damaged;
    let header = (
        be_u32(inner, 0),
        be_u32(inner, 4),
        be_u32(inner, 8),
        be_u32(inner, 12),
        be_u64(inner, 16),
        be_u64(inner, 24),
    );
    let (Some(COOKIE_V2), Some(payload), Some(0), Some(digits), Some(lowest), Some(highest)) = header else {
        return Err(damaged("its header is not one"));
    };
    if payload as usize != inner.len().saturating_sub(V2_HEADER_BYTES) {
        return Err(damaged("its payload is cut off"));
    }
    if !(1..=3).contains(&digits)
        || lowest < 1
        || highest < lowest.saturating_mul(2)
        || highest > HIGHEST_NANOS.saturating_mul(2)
    {
        return Err(damaged("its range is not one of durations"));
    }
    let slots = Histogram::<u64>::new_with_bounds(lowest, highest, digits as u8)
        .map_err(|_| damaged("its range is not one of durations"))?
        .distinct_values();
    check_counts(&inner[V2_HEADER_BYTES..], slots)
}

/// Walks the ZigZag LEB128 counts: runs of zeros must stay within the histogram, and the sum within 64 bits.
fn check_counts(payload: &[u8], slots: usize) -> Result<(), CodecError> {
    let (mut at, mut filled, mut total) = (0, 0usize, 0u64);
    while at < payload.len() {
        let mut value = 0u64;
        for index in 0..9 {
            let byte = *payload.get(at).ok_or(CodecError::Damaged("a count is cut off"))?;
            at += 1;
            // The ninth byte carries eight bits.
            let bits = if index == 8 { u64::from(byte) } else { u64::from(byte & 0x7f) };
            value |= bits << (7 * index);
            if byte & 0x80 == 0 {
                break;
            }
        }
        let count = (value >> 1) as i64 ^ -((value & 1) as i64);
        let step = if count < 0 { usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX) } else { 1 };
        filled = filled.saturating_add(step);
        if filled > slots {
            return Err(CodecError::Damaged("it has more counts than its range"));
        }
        total = total
            .checked_add(u64::try_from(count).unwrap_or(0))
            .ok_or(CodecError::Damaged("its counts overflow"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_millis(values: impl IntoIterator<Item = u64>) -> Latency {
        let mut latency = Latency::new();
        for value in values {
            latency.record(Duration::from_millis(value));
        }
        latency
    }

    #[test]
    fn quantiles_are_within_three_digits() {
        let quantiles = of_millis(1..=1000).quantiles();
        for (got, want) in [
            (quantiles.p50, 500.0),
            (quantiles.p90, 900.0),
            (quantiles.p99, 990.0),
            (quantiles.p99_9, 999.0),
            (quantiles.max, 1000.0),
            (quantiles.mean, 500.5),
        ] {
            assert!((got - want).abs() / want < 0.002, "{got} for {want}");
        }
        assert_eq!(quantiles.count, 1000);
        assert_eq!(Latency::new().quantiles(), Quantiles::default());
    }

    #[test]
    fn one_walk_finds_what_five_would() {
        for count in [1, 2, 3, 10, 99, 100, 1000, 12_345] {
            let latency = of_millis((1..=count).map(|n| n * 7919 % 5000 + 1));
            let all = latency.at_all(QUANTILES);
            let each = QUANTILES.map(|q| latency.quantile_ms(q));
            assert_eq!(all, each, "{count} values");
        }
    }

    /// The same durations with HdrHistogram's own arithmetic.
    fn by_the_library(digits: u8, values: &[u64]) -> Histogram<u64> {
        let mut histogram = library(digits);
        for value in values {
            histogram.saturating_record(*value);
        }
        histogram
    }

    fn of_nanos(digits: u8, values: &[u64]) -> Latency {
        let mut latency = Latency::with_digits(digits);
        for value in values {
            latency.record_nanos(*value);
        }
        latency
    }

    fn hold_against_the_library(latency: &Latency, library: &Histogram<u64>) {
        let recorded = library.iter_recorded();
        let recorded: Vec<_> =
            recorded.map(|value| (value.value_iterated_to(), value.count_since_last_iteration())).collect();
        assert_eq!(latency.recorded().collect::<Vec<_>>(), recorded);
        assert_eq!((latency.count(), latency.max_nanos()), (library.len(), library.max()));
        assert_eq!(latency.mean_nanos().to_bits(), library.mean().to_bits());
        for q in [0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0] {
            let nanos = library.value_at_quantile(q).min(library.max());
            assert_eq!(latency.quantile_ms(q).to_bits(), millis(nanos).to_bits(), "{q}");
        }
    }

    #[test]
    fn every_value_is_counted_where_the_library_counts_it() {
        for digits in 1..=3 {
            for bit in 0..42 {
                for near in [-65i64, -64, -63, -1, 0, 1, 31, 63, 64, 65, 1000] {
                    let nanos = (1u64 << bit).saturating_add_signed(near).min(HIGHEST_NANOS);
                    hold_against_the_library(&of_nanos(digits, &[nanos]), &by_the_library(digits, &[nanos]));
                }
            }
        }
    }

    #[test]
    fn what_is_merged_or_cleared_is_what_the_library_would_have() {
        let values = |seed: u64| -> Vec<u64> {
            (1..400u64).map(|n| (n * n * seed * 7919) % (1 << (n % 41))).collect()
        };
        for digits in 1..=3 {
            let mut latency = of_nanos(digits, &values(1));
            let mut library = by_the_library(digits, &values(1));
            hold_against_the_library(&latency, &library);
            for seed in [13, 999, 5] {
                latency.merge(&of_nanos(digits, &values(seed)));
                library.add(by_the_library(digits, &values(seed))).expect("the same bounds");
                hold_against_the_library(&latency, &library);
            }
            latency.merge(&Latency::with_digits(digits));
            hold_against_the_library(&latency, &library);
            latency.clear();
            hold_against_the_library(&latency, &by_the_library(digits, &[]));
            latency.merge(&of_nanos(digits, &values(3)));
            hold_against_the_library(&latency, &by_the_library(digits, &values(3)));
        }
    }

    #[test]
    fn fewer_digits_are_those_of_a_histogram_that_has_no_more() {
        let values: Vec<u64> = (1..3000u64).map(|n| (n * n * 7919) % (1 << (n % 42))).collect();
        for digits in 1..=3 {
            let mut coarse = Latency::with_digits(digits);
            coarse.absorb(&of_nanos(3, &values));
            let recorded: Vec<_> = of_nanos(3, &values).recorded_with(digits).collect();
            assert_eq!(recorded, coarse.recorded().collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_is_out_of_bounds_is_held_within() {
        let mut latency = Latency::new();
        latency.record(Duration::ZERO);
        latency.record(Duration::from_secs(100_000));
        assert_eq!(latency.count(), 2);
        assert!((latency.max_ms() / 3_600_000.0 - 1.0).abs() < 0.002);
    }

    #[test]
    fn a_histogram_survives_its_text() {
        let latency = of_millis([1, 1, 2, 500, 3_000_000]);
        let text = latency.encode();
        assert!(text.starts_with("HISTFAAA"), "{text}");
        let back = Latency::decode(&text).expect("our own text");
        assert_eq!(back.quantiles(), latency.quantiles());
        assert_eq!(back.recorded().collect::<Vec<_>>(), latency.recorded().collect::<Vec<_>>());
        assert_eq!(Latency::decode(&Latency::new().encode()).expect("an empty one").count(), 0);
    }

    #[test]
    fn hostile_histograms_are_refused_quickly() {
        let deflate = |inner: &[u8]| {
            use std::io::Write as _;
            let mut body = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            body.write_all(inner).expect("memory");
            let body = body.finish().expect("memory");
            let mut bytes = COOKIE_DEFLATED.to_be_bytes().to_vec();
            bytes.extend((body.len() as u32).to_be_bytes());
            bytes.extend(body);
            STANDARD.encode(bytes)
        };
        let v2 = |payload_length: u32, digits: u32, lowest: u64, highest: u64, payload: &[u8]| {
            let mut inner = COOKIE_V2.to_be_bytes().to_vec();
            inner.extend(payload_length.to_be_bytes());
            inner.extend(0u32.to_be_bytes());
            inner.extend(digits.to_be_bytes());
            inner.extend(lowest.to_be_bytes());
            inner.extend(highest.to_be_bytes());
            inner.extend(1f64.to_be_bytes());
            inner.extend(payload);
            deflate(&inner)
        };
        let zeros_without_end = [0xff; 9];
        let huge_counts = [[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]; 3].concat();
        let cases = [
            ("empty", String::new()),
            ("not base64", "HISTF***".to_owned()),
            ("no deflate", STANDARD.encode([0x1c, 0x84, 0x93, 0x14, 0, 0, 0, 2, 1, 2])),
            ("claims 4 GiB", v2(u32::MAX, 3, 1, 1000, &[])),
            ("five digits", v2(0, 5, 1, u64::MAX, &[])),
            ("lowest is zero", v2(0, 3, 0, 1000, &[])),
            ("range of years", v2(0, 3, 1, u64::MAX / 2, &[])),
            ("a run of i64::MIN zeros", v2(9, 3, 1, 10_000, &zeros_without_end)),
            ("counts beyond 64 bits", v2(27, 3, 1, 10_000, &huge_counts)),
            ("a count cut off", v2(1, 3, 1, 10_000, &[0x80])),
            ("a bomb", deflate(&vec![0; 50_000_000])),
            ("too long", "A".repeat(ENCODED_BYTES_MAX + 1)),
        ];
        for (name, text) in cases {
            assert!(Latency::decode(&text).is_err(), "{name} was accepted");
        }
        let good = of_millis(1..100).encode();
        for at in 0..good.len() {
            let mut cut = good.clone();
            cut.truncate(at);
            assert!(Latency::decode(&cut).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn the_curve_climbs_to_the_largest_value() {
        let latency = of_millis(1..=10_000);
        let curve = latency.curve(10);
        assert!(curve.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1));
        assert_eq!(curve.last().map(|point| point.1), Some(latency.max_ms()));
        assert!(curve.len() > 35, "four nines of ten points: {}", curve.len());
    }

    #[test]
    fn log_buckets_hold_every_value_once() {
        let latency = of_millis([1, 10, 10, 100, 999]);
        let buckets = latency.log_buckets(10);
        assert_eq!(buckets.iter().map(|bucket| bucket.2).sum::<u64>(), 5);
        assert!(buckets.windows(2).all(|pair| (pair[0].1 - pair[1].0).abs() < 1e-9));
    }
}
