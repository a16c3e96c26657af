//! The drawing of plots as SVG: a frame with axes, and marks within it. Colours are classes of the sheet.

use std::fmt::Write as _;

use crate::model::run::Mark;

use super::axis::{Axis, Tick};
use super::markup::Markup;

/// Width of every picture, in its own units; the page scales it.
pub(super) const WIDTH: f64 = 1040.0;
const LEFT: f64 = 66.0;
const RIGHT: f64 = 18.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 28.0;
/// Rows of words at the head of a picture.
const MOMENT_ROWS: usize = 3;
/// The most characters of a mark's words in a picture.
const MOMENT_CHARACTERS_MAX: usize = 40;
/// A character of a note is about this wide.
const CHARACTER_WIDTH: f64 = 6.6;

/// A picture with axes; `x` and `y` say where values are.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) x: Axis,
    pub(super) y: Axis,
    height: f64,
}

/// A level held from one place to another: what one interval says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) value: f64,
}

impl Frame {
    /// A frame of this height; the axes are made from the pixels between which they lie.
    pub(super) fn new(
        height: f64,
        x: impl FnOnce(f64, f64) -> Axis,
        y: impl FnOnce(f64, f64) -> Axis,
    ) -> Self {
        Self { x: x(LEFT, WIDTH - RIGHT), y: y(height - BOTTOM, TOP), height }
    }

    /// The picture: grid, then what `fill` draws, then the words of the axes. `summary` is read out instead
    /// of it.
    pub(super) fn draw(
        &self,
        summary: &str,
        x_ticks: &[Tick],
        y_ticks: &[Tick],
        fill: impl FnOnce(&mut Markup),
    ) -> Markup {
        let mut picture = Markup::default();
        let view = format!("0 0 {WIDTH} {}", self.height);
        picture.element("svg", &[("viewBox", &view), ("role", "img"), ("aria-label", summary)], |svg| {
            self.grid(svg, x_ticks, y_ticks);
            fill(svg);
            self.words(svg, x_ticks, y_ticks);
        });
        picture
    }

    fn grid(&self, svg: &mut Markup, x_ticks: &[Tick], y_ticks: &[Tick]) {
        let ((left, right), (bottom, top)) = (self.x.ends(), self.y.ends());
        let mut minor = String::new();
        let mut major = String::new();
        for tick in y_ticks {
            let Some(y) = self.y.place(tick.value) else { continue };
            let lines = if tick.words.is_some() { &mut major } else { &mut minor };
            // Infallible, here and below: writing to a String.
            let _ = write!(lines, "M{left:.1} {y:.1}H{right:.1}");
        }
        for tick in x_ticks {
            let Some(x) = self.x.place(tick.value) else { continue };
            let lines = if tick.words.is_some() { &mut major } else { &mut minor };
            let _ = write!(lines, "M{x:.1} {top:.1}V{bottom:.1}");
        }
        path(svg, "grid minor", &minor);
        path(svg, "grid", &major);
        path(svg, "axis", &format!("M{left:.1} {top:.1}V{bottom:.1}H{right:.1}"));
    }

    fn words(&self, svg: &mut Markup, x_ticks: &[Tick], y_ticks: &[Tick]) {
        let ((left, right), (bottom, _)) = (self.x.ends(), self.y.ends());
        for tick in y_ticks {
            if let (Some(words), Some(y)) = (&tick.words, self.y.place(tick.value)) {
                label(svg, left - 8.0, y + 4.0, "tick end", words);
            }
        }
        for tick in x_ticks {
            if let (Some(words), Some(x)) = (&tick.words, self.x.place(tick.value)) {
                let anchor = if x > right - 20.0 { "tick end" } else { "tick middle" };
                let x = if x > right - 20.0 { right + RIGHT - 2.0 } else { x };
                label(svg, x, bottom + 18.0, anchor, words);
            }
        }
    }

    /// Levels as a line; broken wherever one step does not begin where the last one ended.
    pub(super) fn steps(&self, svg: &mut Markup, class: &str, steps: &[Step]) {
        let mut line = String::new();
        let mut pen: Option<f64> = None;
        for step in steps {
            let places = (self.x.place(step.from), self.x.place(step.to), self.y.place(step.value));
            let (Some(from), Some(to), Some(y)) = places else {
                pen = None;
                continue;
            };
            let goes_on = pen.is_some_and(|end| (end - step.from).abs() < 1e-6);
            let _ = if goes_on {
                write!(line, "V{y:.1}H{to:.1}")
            } else {
                write!(line, "M{from:.1} {y:.1}H{to:.1}")
            };
            pen = Some(step.to);
        }
        path(svg, class, &line);
    }

    /// Points joined by straight lines.
    pub(super) fn curve(&self, svg: &mut Markup, class: &str, points: impl Iterator<Item = (f64, f64)>) {
        let mut line = String::new();
        for (x, y) in points {
            if let (Some(x), Some(y)) = (self.x.place(x), self.y.place(y)) {
                let pen = if line.is_empty() { 'M' } else { 'L' };
                let _ = write!(line, "{pen}{x:.1} {y:.1}");
            }
        }
        path(svg, class, &line);
    }

    /// A filled column between two values, as high as `least` units of the picture at the least.
    pub(super) fn column(
        &self,
        out: &mut String,
        (from, to): (f64, f64),
        (low, high): (f64, f64),
        least: f64,
    ) {
        let places = (self.x.place(from), self.x.place(to), self.y.place(low), self.y.place(high));
        if let (Some(from), Some(to), Some(low), Some(high)) = places {
            let high = high.min(low - least);
            let _ = write!(out, "M{from:.1} {low:.1}V{high:.1}H{to:.1}V{low:.1}Z");
        }
    }

    /// A filled stretch over the whole height.
    pub(super) fn stretch(&self, svg: &mut Markup, class: &str, from: f64, to: f64) {
        let (bottom, top) = self.y.ends();
        if let (Some(from), Some(to)) = (self.x.place(from), self.x.place(to)) {
            path(svg, class, &format!("M{from:.1} {bottom:.1}V{top:.1}H{to:.1}V{bottom:.1}Z"));
        }
    }

    /// An upright line with words at its head.
    pub(super) fn mark(&self, svg: &mut Markup, at: f64, row: usize, words: &str) {
        let ((_, right), (bottom, top)) = (self.x.ends(), self.y.ends());
        if let Some(x) = self.x.place(at) {
            let y = top + 11.0 + 14.0 * row as f64;
            path(svg, "mark", &format!("M{x:.1} {bottom:.1}V{top:.1}"));
            let (x, class) = if x > right - 110.0 { (x - 5.0, "note end") } else { (x + 5.0, "note") };
            label(svg, x, y, class, words);
        }
    }

    /// Moments of a time axis as upright lines, with words at their heads where `named`. Words that would lie over
    /// others go into another row, and are left to the hover text and the table where no row has room.
    pub(super) fn moments(&self, svg: &mut Markup, marks: &[Mark], named: Named) {
        let ((left, right), (bottom, top)) = (self.x.ends(), self.y.ends());
        let mut ends = [left; MOMENT_ROWS];
        // In the warm-up there is no place for it: the axis begins with the first counted request.
        for mark in marks.iter().filter(|mark| mark.at_s >= 0.0) {
            let Some(x) = self.x.place(mark.at_s) else { continue };
            svg.element(
                "path",
                &[("class", "moment"), ("d", &format!("M{x:.1} {bottom:.1}V{top:.1}"))],
                |line| {
                    line.leaf("title", &[], &format!("{:.1} s: {}", mark.at_s, mark.text));
                },
            );
            let words = short(&mark.text);
            let width = words.chars().count() as f64 * CHARACTER_WIDTH;
            let free = ends.iter().position(|end| *end <= x);
            let (Named::Yes, Some(row)) = (named, free) else { continue };
            let turns = x + 5.0 + width > right;
            // To the left of its line, words must not lie over those before.
            if turns && x - 5.0 - width < ends[row] {
                continue;
            }
            let (at, class) = if turns { (x - 5.0, "note end") } else { (x + 5.0, "note") };
            label(svg, at, top + 12.0 + 14.0 * row as f64, class, &words);
            ends[row] = if turns { right } else { x + 10.0 + width };
        }
    }
}

/// Whether marks are told in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Yes,
    No,
}

/// The first characters of a mark's words.
fn short(words: &str) -> String {
    if words.chars().count() <= MOMENT_CHARACTERS_MAX {
        return words.to_owned();
    }
    let kept: String = words.chars().take(MOMENT_CHARACTERS_MAX - 1).collect();
    format!("{}…", kept.trim_end())
}

/// A path of this class; nothing when it would be empty.
pub(super) fn path(svg: &mut Markup, class: &str, line: &str) {
    if !line.is_empty() {
        svg.void("path", &[("class", class), ("d", line)]);
    }
}

/// Words at a place.
pub(super) fn label(svg: &mut Markup, x: f64, y: f64, class: &str, words: &str) {
    let (x, y) = (format!("{x:.1}"), format!("{y:.1}"));
    svg.leaf("text", &[("class", class), ("x", &x), ("y", &y)], words);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::run::MarkKind;

    fn frame() -> Frame {
        Frame::new(
            144.0,
            |from, to| Axis::time(0.0, 10.0, from, to),
            |from, to| Axis::from_zero(1.0, from, to),
        )
    }

    fn step(from: f64, to: f64, value: f64) -> Step {
        Step { from, to, value }
    }

    #[test]
    fn a_gap_in_time_is_a_gap_in_the_line() {
        let mut svg = Markup::default();
        frame().steps(&mut svg, "c", &[step(0.0, 1.0, 0.0), step(1.0, 2.0, 1.0), step(5.0, 6.0, 0.5)]);
        assert_eq!(svg.finish(), r#"<path class="c" d="M66.0 116.0H161.6V10.0H257.2M544.0 63.0H639.6"/>"#);
    }

    fn mark(at_s: f64, text: &str) -> Mark {
        Mark { at_s, kind: MarkKind::Note, text: text.to_owned() }
    }

    #[test]
    fn marks_have_lines_and_words_that_do_not_lie_over_one_another() {
        let marks = [
            mark(-1.0, "before"),
            mark(2.0, "deployed <v2>"),
            mark(2.1, "scaled"),
            mark(9.9, "a long word about the end"),
        ];
        let drawn = |named| {
            let mut svg = Markup::default();
            frame().moments(&mut svg, &marks, named);
            svg.finish()
        };
        let svg = drawn(Named::Yes);
        assert_eq!(svg.matches(r#"class="moment""#).count(), 3, "{svg}");
        assert!(svg.contains("<title>2.0 s: deployed &lt;v2&gt;</title>"), "{svg}");
        assert!(svg.contains(r#"y="22.0">deployed &lt;v2&gt;</text>"#), "{svg}");
        assert!(svg.contains(r#"y="36.0">scaled</text>"#), "the next row: {svg}");
        assert!(svg.contains(r#"<text class="note end""#), "{svg}");
        assert!(!svg.contains("before") && !drawn(Named::No).contains("<text"), "{svg}");
    }

    #[test]
    fn long_words_of_a_mark_are_cut() {
        assert_eq!(short(&"é".repeat(41)), format!("{}…", "é".repeat(39)));
        assert_eq!(short(&"é".repeat(40)), "é".repeat(40));
    }

    #[test]
    fn what_has_no_place_is_not_drawn_as_zero() {
        let mut svg = Markup::default();
        frame().steps(&mut svg, "c", &[step(0.0, 1.0, f64::NAN)]);
        assert_eq!(svg.finish(), "");
    }

    #[test]
    fn a_column_is_never_too_low_to_be_seen() {
        let mut line = String::new();
        frame().column(&mut line, (0.0, 1.0), (0.0, 1e-9), 1.5);
        assert_eq!(line, "M66.0 116.0V114.5H161.6V116.0Z");
    }
}
