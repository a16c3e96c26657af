//! What was read, kept in bounded memory: of each series only the moments at which its value changed.

use std::collections::{BTreeSet, HashMap, VecDeque};

use super::{Sample, text};
use crate::model::Labels;

/// The most series of one endpoint, and of what is fed.
pub const SERIES_EACH_MAX: usize = 8000;
/// How long values are kept, in milliseconds: an hour, and the window of rates before it.
pub const KEPT_MS: i64 = 3_900_000;
/// The most changes of values that are kept in all, about 200 MB; beyond, the oldest go early.
pub const CHANGES_MAX: usize = 6_000_000;
/// A value counts for no longer after it was read, in milliseconds: five minutes, as in Prometheus.
pub(super) const LOOKBACK_MS: i64 = 300_000;

/// Everything that is kept.
pub(super) struct Kept {
    /// One for each endpoint, and one for what is fed at the end.
    pub(super) groups: Vec<Group>,
    changes: usize,
    changes_max: usize,
    trimmed_ms: i64,
    /// Nothing older is kept, because there was too much; none while all of [`KEPT_MS`] is.
    pub(super) cut_at_ms: Option<i64>,
}

/// The series of one endpoint.
pub(super) struct Group {
    /// What every series of it gets.
    labels: Labels,
    pub(super) lines: Vec<Line>,
    /// Lines by the text that tells the series.
    by_text: HashMap<String, usize>,
    /// When it was read, ascending; for all its lines but those that have their own.
    reads: VecDeque<i64>,
    /// Series that were not kept at the last reading because there were too many.
    pub(super) left_out: usize,
    /// Lines of the last page that could not be read.
    pub(super) bad: usize,
}

/// One series.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) labels: Labels,
    changes: VecDeque<Change>,
    /// When it was fed; none for one that is read with its group.
    reads: Option<VecDeque<i64>>,
    /// The last reading that it was in.
    seen_ms: Option<i64>,
}

/// From this moment on a series had this value; none (`NaN`) where it was not there any more.
#[derive(Clone, Copy)]
struct Change {
    at_ms: i64,
    value: f64,
    /// What it had grown by since it was first seen, if it is a counter.
    grown: f64,
    /// The last real value, for telling that a counter began anew.
    real: f64,
}

impl Kept {
    pub(super) fn new(endpoints: impl Iterator<Item = Labels>, changes_max: usize) -> Self {
        let groups = endpoints.chain([Labels::new()]).map(Group::new).collect();
        Self { groups, changes: 0, changes_max, trimmed_ms: i64::MIN, cut_at_ms: None }
    }

    /// Takes a page of an endpoint, by its number.
    pub(super) fn page(&mut self, endpoint: usize, at_ms: i64, page: &str) {
        let group = &mut self.groups[endpoint];
        if group.reads.back().is_some_and(|last| *last >= at_ms) {
            return;
        }
        self.changes += group.page(at_ms, page);
        self.trim(at_ms);
    }

    /// An endpoint did not answer: none of its series is there any more.
    pub(super) fn failed(&mut self, endpoint: usize, at_ms: i64) {
        let lines = self.groups[endpoint].lines.iter_mut();
        self.changes += lines.map(|line| line.put(at_ms, f64::NAN)).sum::<usize>();
        self.trim(at_ms);
    }

    /// Takes values that were not read by us: all that were there at one look.
    pub(super) fn feed(&mut self, samples: &[Sample]) {
        let group = self.groups.last_mut().expect("there is one for what is fed");
        // Of this look only, as those of a page are.
        group.left_out = 0;
        self.changes += samples.iter().map(|sample| group.feed(sample)).sum::<usize>();
        if let Some(last_ms) = samples.iter().map(|sample| sample.at_ms).max() {
            self.trim(last_ms);
        }
    }

    /// Names of all metrics.
    pub(super) fn names(&self) -> BTreeSet<String> {
        self.lines().map(|(_, line)| line.name.clone()).collect()
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = (&Group, &Line)> {
        self.groups.iter().flat_map(|group| group.lines.iter().map(move |line| (group, line)))
    }

    /// Drops what is too old, or too much; neither at every reading.
    fn trim(&mut self, now_ms: i64) {
        let mut cut = now_ms - KEPT_MS;
        if self.changes > self.changes_max {
            let oldest = self.groups.iter().filter_map(Group::oldest).min();
            let from = oldest.unwrap_or(cut).max(cut);
            cut = from + (now_ms - from) / 8 + 1;
            self.cut_at_ms = Some(cut);
        } else if now_ms < self.trimmed_ms.saturating_add(KEPT_MS / 60) {
            return;
        }
        self.trimmed_ms = now_ms;
        if self.cut_at_ms.is_some_and(|at| at < now_ms - KEPT_MS) {
            self.cut_at_ms = None;
        }
        for group in &mut self.groups {
            self.changes -= group.trim(cut);
        }
    }
}

impl Group {
    fn new(labels: Labels) -> Self {
        Self {
            labels,
            lines: Vec::new(),
            by_text: HashMap::new(),
            reads: VecDeque::new(),
            left_out: 0,
            bad: 0,
        }
    }

    /// Takes a page; how many changes it made.
    fn page(&mut self, at_ms: i64, page: &str) -> usize {
        let (mut made, mut bad, mut left_out) = (0, 0, 0);
        self.reads.push_back(at_ms);
        for line in text::lines(page, || bad += 1) {
            match self.line(line.series) {
                // The first counts where a page has a series twice.
                Some(kept) if kept.seen_ms == Some(at_ms) => {}
                Some(kept) => {
                    kept.seen_ms = Some(at_ms);
                    made += kept.put(at_ms, line.value);
                }
                None => left_out += 1,
            }
        }
        for gone in self.lines.iter_mut().filter(|line| line.seen_ms != Some(at_ms)) {
            made += gone.put(at_ms, f64::NAN);
        }
        (self.bad, self.left_out) = (bad, left_out);
        made
    }

    /// Takes a value; how many changes it made.
    fn feed(&mut self, sample: &Sample) -> usize {
        let Sample { name, labels, value, at_ms } = sample;
        // By its own form, which nothing else has.
        let text = format!("{name}{labels:?}");
        let known = self.by_text.get(&text).copied();
        let line = match known {
            Some(at) => &mut self.lines[at],
            None if self.lines.len() < SERIES_EACH_MAX => {
                self.by_text.insert(text, self.lines.len());
                self.lines.push(Line::new(name.clone(), labels.clone(), true));
                self.lines.last_mut().expect("it was just put there")
            }
            None => {
                self.left_out += 1;
                return 0;
            }
        };
        let reads = line.reads.get_or_insert_with(VecDeque::new);
        if reads.back().is_some_and(|last| last >= at_ms) {
            return 0;
        }
        reads.push_back(*at_ms);
        line.put(*at_ms, *value)
    }

    /// The line of a series as it is written; none where that cannot be read, or there are too many.
    fn line(&mut self, text: &str) -> Option<&mut Line> {
        if let Some(at) = self.by_text.get(text) {
            return self.lines.get_mut(*at);
        }
        if self.lines.len() >= SERIES_EACH_MAX {
            return None;
        }
        let (name, own) = text::series(text)?;
        let mut labels = self.labels.clone();
        for (label, value) in own {
            // As in Prometheus: what the endpoint is called by us comes first.
            let label = if labels.contains_key(&label) { format!("exported_{label}") } else { label };
            labels.insert(label, value);
        }
        self.by_text.insert(text.to_owned(), self.lines.len());
        self.lines.push(Line::new(name, labels, false));
        self.lines.last_mut()
    }

    /// The first moment that it knows of.
    fn oldest(&self) -> Option<i64> {
        let fed = self.lines.iter().filter_map(|line| line.reads.as_ref()?.front());
        self.reads.front().into_iter().chain(fed).min().copied()
    }

    /// Drops what is older; how many changes that were.
    fn trim(&mut self, cut: i64) -> usize {
        drop_older(&mut self.reads, cut);
        let dropped: usize = self.lines.iter_mut().map(|line| line.trim(cut)).sum();
        let gone = self.lines.iter().filter(|line| line.is_gone(cut)).count();
        // Not for a few: the places of all others move.
        if gone > self.lines.len() / 4 {
            self.forget(cut);
            return dropped + gone;
        }
        dropped
    }

    fn forget(&mut self, cut: i64) {
        let kept: Vec<bool> = self.lines.iter().map(|line| !line.is_gone(cut)).collect();
        let mut places = Vec::with_capacity(kept.len());
        let mut next = 0;
        for is_kept in &kept {
            places.push(next);
            next += usize::from(*is_kept);
        }
        self.by_text.retain(|_, at| {
            let was = *at;
            *at = places[was];
            kept[was]
        });
        let mut keeps = kept.into_iter();
        self.lines.retain(|_| keeps.next().unwrap_or(true));
    }
}

impl Line {
    fn new(name: String, labels: Labels, is_fed: bool) -> Self {
        Self { name, labels, changes: VecDeque::new(), reads: is_fed.then(VecDeque::new), seen_ms: None }
    }

    /// Takes a value; how many changes that made.
    fn put(&mut self, at_ms: i64, value: f64) -> usize {
        // An infinite value is none, like one that is not a number.
        let value = if value.is_finite() { value } else { f64::NAN };
        let Some(last) = self.changes.back().copied() else {
            if value.is_nan() {
                return 0;
            }
            self.changes.push_back(Change { at_ms, value, grown: 0.0, real: value });
            return 1;
        };
        if last.value == value || (last.value.is_nan() && value.is_nan()) {
            return 0;
        }
        let change = if value.is_nan() {
            Change { at_ms, value, ..last }
        } else {
            // A counter that is lower than it was began anew at 0.
            let by = if value < last.real { value } else { value - last.real };
            Change { at_ms, value, grown: last.grown + by, real: value }
        };
        self.changes.push_back(change);
        1
    }

    /// Drops what is older but the last of it, which still holds; how many changes that were.
    fn trim(&mut self, cut: i64) -> usize {
        // Else the oldest moment of its group would stay, and nothing more would be cut.
        if let Some(reads) = &mut self.reads {
            drop_older(reads, cut);
        }
        let older = self.changes.partition_point(|change| change.at_ms < cut).saturating_sub(1);
        self.changes.drain(..older);
        older
    }

    /// Whether it has not been there since.
    fn is_gone(&self, cut: i64) -> bool {
        match (self.changes.back(), &self.reads) {
            (None, _) => false,
            (Some(last), None) => last.value.is_nan() && last.at_ms < cut,
            (Some(_), Some(reads)) => reads.back().is_none_or(|last| *last < cut),
        }
    }

    fn reads<'a>(&'a self, group: &'a Group) -> &'a VecDeque<i64> {
        self.reads.as_ref().unwrap_or(&group.reads)
    }

    fn at(&self, at_ms: i64) -> Option<&Change> {
        let next = self.changes.partition_point(|change| change.at_ms <= at_ms);
        next.checked_sub(1).map(|last| &self.changes[last])
    }

    /// Its value at a moment: that of the last reading before or at it, if that is not too old.
    pub(super) fn value(&self, group: &Group, at_ms: i64) -> Option<f64> {
        let reads = self.reads(group);
        let next = reads.partition_point(|read| *read <= at_ms);
        let read = *reads.get(next.checked_sub(1)?)?;
        let change = self.at(at_ms)?;
        (change.value.is_finite() && read > at_ms - LOOKBACK_MS).then_some(change.value)
    }

    /// What it grew by in a second, as a counter, over the time before a moment: between the first and the last value
    /// in it. None where there are fewer than two.
    pub(super) fn rate(&self, group: &Group, at_ms: i64, window_ms: i64) -> Option<f64> {
        let reads = self.reads(group);
        let from = reads.partition_point(|read| *read <= at_ms - window_ms);
        let to = reads.partition_point(|read| *read <= at_ms);
        let begin = self.changes.front()?.at_ms;
        // Readings at which it was there: it may have come later, been away, or be gone.
        let is_there = |read: &&i64| self.at(**read).is_some_and(|change| change.value.is_finite());
        let first = *reads.range(from..to).filter(|read| **read >= begin).find(is_there)?;
        let last = *reads.range(from..to).rev().find(is_there)?;
        if last <= first {
            return None;
        }
        let grown = self.at(last)?.grown - self.at(first)?.grown;
        Some(grown / ((last - first) as f64 / 1000.0))
    }
}

/// Drops the moments before another; they are ascending.
fn drop_older(moments: &mut VecDeque<i64>, cut: i64) {
    let older = moments.partition_point(|moment| *moment < cut);
    moments.drain(..older);
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1000;

    fn kept() -> Kept {
        let labels = Labels::from([("instance".to_owned(), "a:1".to_owned())]);
        Kept::new([labels].into_iter(), CHANGES_MAX)
    }

    fn fed(name: &str, value: f64, at_ms: i64) -> Sample {
        Sample { name: name.to_owned(), labels: Labels::new(), value, at_ms }
    }

    fn only(kept: &Kept) -> (&Group, &Line) {
        kept.lines().next().expect("one series")
    }

    fn rate(kept: &Kept, at_s: i64, window_s: i64) -> Option<f64> {
        let (group, line) = only(kept);
        line.rate(group, at_s * S, window_s * S)
    }

    #[test]
    fn a_rate_is_between_the_first_and_the_last_value_of_its_window() {
        let mut kept = kept();
        for second in 0..=20 {
            kept.page(0, second * S, &format!("x {}", second * 5));
        }
        assert_eq!(rate(&kept, 20, 10), Some(5.0));
        assert_eq!(rate(&kept, 0, 10), None, "one value alone has no rate");
        assert_eq!(rate(&kept, 1, 10), Some(5.0));
        assert_eq!(rate(&kept, 25, 10), Some(5.0), "the last value is older, and its window shorter");
        assert_eq!(rate(&kept, 31, 10), None, "nothing in it");
    }

    #[test]
    fn a_counter_that_begins_anew_has_grown_by_what_it_shows() {
        let mut kept = kept();
        for (second, value) in [(0, 100), (1, 110), (2, 4), (3, 14)] {
            kept.page(0, second * S, &format!("x {value}"));
        }
        assert_eq!(rate(&kept, 3, 10), Some(24.0 / 3.0));
    }

    #[test]
    fn a_series_that_is_gone_has_no_value_at_once_and_no_rate_once_its_window_is_over() {
        let mut kept = kept();
        kept.page(0, 0, "x 1\ny 1");
        kept.page(0, S, "x 2\ny 1");
        kept.page(0, 2 * S, "y 1");
        let (group, line) = only(&kept);
        assert_eq!(line.value(group, S), Some(2.0));
        assert_eq!(line.value(group, 2 * S), None);
        assert_eq!(rate(&kept, 2, 10), Some(1.0));
        assert_eq!(rate(&kept, 12, 10), None);
    }

    #[test]
    fn an_endpoint_that_does_not_answer_leaves_a_gap_and_its_counters_go_on_after_it() {
        let mut kept = kept();
        kept.page(0, 0, "x 10");
        kept.failed(0, S);
        kept.page(0, 2 * S, "x 30");
        let (group, line) = only(&kept);
        assert_eq!(line.value(group, S), None);
        assert_eq!(line.value(group, 2 * S), Some(30.0));
        assert_eq!(rate(&kept, 2, 10), Some(10.0));
    }

    #[test]
    fn what_is_no_number_is_a_gap() {
        let mut kept = kept();
        for (second, value) in ["1", "NaN", "+Inf", "2"].iter().enumerate() {
            kept.page(0, second as i64 * S, &format!("x {value}"));
        }
        let (group, line) = only(&kept);
        let values: Vec<Option<f64>> = (0..4).map(|second| line.value(group, second * S)).collect();
        assert_eq!(values, [Some(1.0), None, None, Some(2.0)]);
    }

    #[test]
    fn a_value_counts_no_longer_than_five_minutes() {
        let mut kept = kept();
        kept.feed(&[fed("cpu", 0.5, 0)]);
        let (group, line) = only(&kept);
        assert_eq!(line.value(group, LOOKBACK_MS - 1), Some(0.5));
        assert_eq!(line.value(group, LOOKBACK_MS), None);
    }

    #[test]
    fn what_an_endpoint_is_called_by_us_comes_before_what_it_calls_itself() {
        let mut kept = kept();
        kept.page(0, 0, "x{instance=\"b\",code=\"200\"} 1");
        let labels = &only(&kept).1.labels;
        assert_eq!(labels["instance"], "a:1");
        assert_eq!(labels["exported_instance"], "b");
        assert_eq!(labels["code"], "200");
    }

    #[test]
    fn series_beyond_the_limit_are_counted() {
        let mut kept = kept();
        let page: String = (0..SERIES_EACH_MAX + 3).map(|at| format!("x{{a=\"{at}\"}} 1\n")).collect();
        kept.page(0, 0, &page);
        assert_eq!((kept.groups[0].lines.len(), kept.groups[0].left_out), (SERIES_EACH_MAX, 3));
        let samples: Vec<Sample> =
            (0..SERIES_EACH_MAX + 2).map(|at| fed(&format!("y{at}"), 1.0, 0)).collect();
        kept.feed(&samples);
        assert_eq!((kept.groups[1].lines.len(), kept.groups[1].left_out), (SERIES_EACH_MAX, 2));
    }

    #[test]
    fn what_is_left_out_is_that_of_the_last_feed() {
        let mut kept = kept();
        let samples: Vec<Sample> =
            (0..SERIES_EACH_MAX + 2).map(|at| fed(&format!("y{at}"), 1.0, 0)).collect();
        for _ in 0..2 {
            kept.feed(&samples);
            assert_eq!(kept.groups[1].left_out, 2);
        }
        kept.feed(&samples[..1]);
        assert_eq!(kept.groups[1].left_out, 0);
    }

    #[test]
    fn an_hour_is_kept_and_what_is_older_goes() {
        let mut kept = kept();
        let hours = 2 * KEPT_MS / S;
        for second in 0..=hours {
            let gone = if second == 0 { "gone 1\n" } else { "" };
            kept.page(0, second * S, &format!("{gone}x {second}\nstill 1"));
        }
        let group = &kept.groups[0];
        assert!(group.reads.len() as i64 * S >= 3_600 * S);
        assert!(group.reads.len() as i64 * S <= KEPT_MS + KEPT_MS / 30, "{}", group.reads.len());
        let names: Vec<&str> = group.lines.iter().map(|line| line.name.as_str()).collect();
        assert_eq!(names, ["x", "still"]);
        let still = &group.lines[1];
        assert_eq!(still.value(group, hours * S - 3_600 * S), Some(1.0));
        assert_eq!(kept.cut_at_ms, None);
        // Places were moved with what went.
        kept.page(0, (hours + 1) * S, "x 7\nstill 2");
        let group = &kept.groups[0];
        assert_eq!(group.lines[1].value(group, (hours + 1) * S), Some(2.0));
        assert_eq!(group.lines.len(), 2);
    }

    #[test]
    fn memory_has_an_end_and_the_oldest_goes_first() {
        let mut kept = Kept::new([Labels::new()].into_iter(), 1000);
        for second in 0..600 {
            let page: String = (0..10).map(|at| format!("x{{a=\"{at}\"}} {second}\n")).collect();
            kept.page(0, second * S, &page);
            kept.feed(&[fed("cpu", second as f64, second * S)]);
            let held: usize = kept.lines().map(|(_, line)| line.changes.len()).sum();
            assert_eq!(held, kept.changes);
            assert!(held <= 1010, "{held}");
        }
        assert!(kept.cut_at_ms.is_some_and(|at| at > 490 * S));
        assert_eq!(kept.lines().count(), 11);
        for (group, line) in kept.lines() {
            assert_eq!(line.rate(group, 599 * S, 60 * S), Some(1.0), "{}", line.name);
        }
    }
}
