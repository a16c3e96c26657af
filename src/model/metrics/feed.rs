//! Which panels of a board a source can feed, by the names of the metrics that it has.

use std::collections::{BTreeMap, BTreeSet};

use super::board::{Ask, Board, PanelKind, PanelPlace, PanelQuery};

/// The most names of one query that are looked at.
const QUERY_NAMES_MAX: usize = 200;

/// What a source can feed of a board.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Feed {
    /// Panels that ask for something.
    pub panels: usize,
    /// Those of them that stay empty, and the metrics that they miss: each entry is one name, or some of which any one
    /// would do, with “or” between.
    pub missing: BTreeMap<PanelPlace, Vec<String>>,
}

impl Feed {
    /// Panels that have something to show.
    #[must_use]
    pub fn fed(&self) -> usize {
        self.panels - self.missing.len()
    }

    /// `feeds 7 of 9 panels`.
    #[must_use]
    pub fn words(&self) -> String {
        match (self.fed(), self.panels) {
            (_, 0) => "no panels to feed yet".to_owned(),
            (fed, 1) => format!("feeds {fed} of 1 panel"),
            (fed, all) => format!("feeds {fed} of {all} panels"),
        }
    }

    /// All that is missing, each once.
    #[must_use]
    pub fn missing_names(&self) -> BTreeSet<&str> {
        self.missing.values().flatten().map(String::as_str).collect()
    }
}

/// What a source with these metrics can feed of a board. A panel is fed where one of its queries is; one whose names cannot
/// be known, because they stand in variables, is taken to be.
#[must_use]
pub fn fed(board: &Board, names: &BTreeSet<String>) -> Feed {
    let mut feed = Feed::default();
    for (place, panel) in board.panels() {
        let asks = panel.queries.iter().filter(|it| !it.is_hidden).collect::<Vec<_>>();
        if asks.is_empty() || matches!(panel.kind, PanelKind::Text(_) | PanelKind::Unsupported(_)) {
            continue;
        }
        feed.panels += 1;
        let missing: Vec<Vec<String>> = asks.iter().map(|query| missing(query, names)).collect();
        if missing.iter().all(|it| !it.is_empty()) {
            let mut all: Vec<String> = missing.into_iter().flatten().collect();
            all.sort();
            all.dedup();
            feed.missing.insert(place, all);
        }
    }
    feed
}

fn missing(query: &PanelQuery, names: &BTreeSet<String>) -> Vec<String> {
    let needs = match &query.ask {
        Ask::Measure(measure) => measure.needs(),
        Ask::PromQl(text) => needs(text),
    };
    needs
        .into_iter()
        .filter(|any| !any.is_empty() && !any.iter().any(|name| names.contains(name)))
        .map(|any| any.join(" or "))
        .collect()
}

/// The metrics without which a text shows nothing: each inner list is satisfied by any one of its names. Where `or` stands
/// anywhere in it, any of its metrics is taken to do.
#[must_use]
pub fn needs(promql: &str) -> Vec<Vec<String>> {
    let Scan { names, has_or, .. } = Scan::of(promql);
    if has_or { vec![names] } else { names.into_iter().map(|name| vec![name]).collect() }
}

/// The names of metrics in a text, each once, in their order. Names that stand in variables are not among them.
#[must_use]
pub fn metric_names(promql: &str) -> Vec<String> {
    Scan::of(promql).names
}

/// What is found in a text.
#[derive(Default)]
struct Scan {
    names: Vec<String>,
    has_or: bool,
    /// The next parentheses hold labels.
    labels_follow: bool,
}

impl Scan {
    fn of(text: &str) -> Self {
        let mut scan = Self::default();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            rest = match c {
                '"' | '\'' | '`' => after_string(rest).1,
                '#' => rest.find('\n').map_or("", |at| &rest[at..]),
                '{' => scan.braces(&rest[1..]),
                '[' if is_bracketed(rest) => scan.word(rest),
                '[' => after(rest, ']'),
                '(' if std::mem::take(&mut scan.labels_follow) => after(rest, ')'),
                c if is_part(c) || c == '$' => scan.word(rest),
                c => {
                    scan.labels_follow &= c.is_whitespace();
                    &rest[c.len_utf8()..]
                }
            };
        }
        scan
    }

    /// A word: a name, a number, a keyword, a function; with the variables that are part of it.
    fn word<'a>(&mut self, text: &'a str) -> &'a str {
        let (word, has_variable, rest) = split_word(text);
        let next = rest.trim_start();
        let lower = word.to_ascii_lowercase();
        self.labels_follow = false;
        if has_variable || !word.starts_with(|c: char| is_part(c) && !c.is_ascii_digit()) {
            return rest;
        }
        match lower.as_str() {
            "by" | "without" | "on" | "ignoring" | "group_left" | "group_right" => self.labels_follow = true,
            "or" => self.has_or = true,
            "and" | "unless" | "bool" | "offset" | "atan2" | "nan" | "inf" => {}
            _ if next.starts_with('(') => {}
            _ if is_aggregation(&lower) && begins_grouping(next) => {}
            _ => self.name(word),
        }
        rest
    }

    /// What stands between braces: only names of metrics are of interest.
    fn braces<'a>(&mut self, text: &'a str) -> &'a str {
        let mut rest = text.trim_start();
        let mut label = "";
        while let Some(c) = rest.chars().next() {
            match c {
                '}' => return &rest[1..],
                '"' | '\'' | '`' => {
                    let (value, after) = after_string(rest);
                    // `{"a.name"}`, and `{__name__="a.name"}`.
                    let is_bare = label.is_empty() && after.trim_start().starts_with([',', '}']);
                    if is_bare || label == "__name__=" {
                        self.name(value);
                    }
                    (label, rest) = ("", after);
                }
                c if is_part(c) => {
                    let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
                    let after = rest[end..].trim_start();
                    let is_name =
                        &rest[..end] == "__name__" && after.starts_with('=') && !after.starts_with("=~");
                    label = if is_name { "__name__=" } else { "other" };
                    rest = &rest[end..];
                }
                c => rest = &rest[c.len_utf8()..],
            }
        }
        rest
    }

    fn name(&mut self, name: &str) {
        if !name.is_empty()
            && !name.contains('$')
            && self.names.len() < QUERY_NAMES_MAX
            && !self.names.iter().any(|it| it == name)
        {
            self.names.push(name.to_owned());
        }
    }
}

/// A word with the variables that it is made of, whether there are any, and what is behind it.
fn split_word(text: &str) -> (&str, bool, &str) {
    let (mut at, mut has_variable) = (0, false);
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let length = if rest.starts_with("${") {
            rest.find('}').map_or(rest.len(), |end| end + 1)
        } else if is_bracketed(rest) {
            rest.find("]]").map_or(rest.len(), |end| end + 2)
        } else if is_part(c) || c == '$' {
            c.len_utf8()
        } else {
            break;
        };
        has_variable |= !is_part(c);
        at += length;
    }
    (&text[..at], has_variable, &text[at..])
}

/// What is behind the first of these signs.
fn after(text: &str, sign: char) -> &str {
    text.find(sign).map_or("", |at| &text[at + sign.len_utf8()..])
}

/// The string with which a text begins, as it is written, and what is behind it.
fn after_string(text: &str) -> (&str, &str) {
    let quote = text.chars().next().unwrap_or('"');
    let inner = &text[quote.len_utf8().min(text.len())..];
    let mut is_escaped = false;
    for (at, c) in inner.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if quote != '`' => is_escaped = true,
            c if c == quote => return (&inner[..at], &inner[at + c.len_utf8()..]),
            _ => {}
        }
    }
    (inner, "")
}

/// `[[name]]`, and not the beginning of `[[[name]]]`: a range that stands in a variable.
fn is_bracketed(text: &str) -> bool {
    text.starts_with("[[") && !text.starts_with("[[[")
}

fn is_part(c: char) -> bool {
    c == '_' || c == ':' || c.is_ascii_alphanumeric()
}

fn is_aggregation(word: &str) -> bool {
    matches!(
        word,
        "sum"
            | "avg"
            | "min"
            | "max"
            | "count"
            | "group"
            | "stddev"
            | "stdvar"
            | "topk"
            | "bottomk"
            | "quantile"
            | "count_values"
            | "limitk"
            | "limit_ratio"
    )
}

fn begins_grouping(text: &str) -> bool {
    let word: String = text.chars().take_while(|&c| is_part(c)).collect();
    matches!(word.to_ascii_lowercase().as_str(), "by" | "without")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::metrics::board::{BoardId, Panel, Row};
    use crate::model::metrics::measure::{Measure, Selector};
    use crate::model::metrics::unit::Unit;

    #[test]
    fn names_of_metrics_are_told_from_all_other_words() {
        let cases: [(&str, &[&str]); 22] = [
            ("up", &["up"]),
            ("sum by (le, pod) (rate(a_bucket{code=~\"5..\",x='up'}[5m]))", &["a_bucket"]),
            ("SUM (rate(a[5m])) BY (pod) / sum(b)", &["a", "b"]),
            ("a * on (instance) group_left (nodename) b", &["a", "b"]),
            ("a * on(x) group_left() b and c unless d", &["a", "b", "c", "d"]),
            ("job:a:rate5m offset 5m > bool 0.5", &["job:a:rate5m"]),
            ("a @ end() + 1e3 * 0x1F - Inf", &["a"]),
            ("histogram_quantile(0.9, sum(rate(a_bucket[$__rate_interval])) by (le))", &["a_bucket"]),
            ("rate(a[[[range]]])", &["a"]),
            ("{__name__=\"a.b\", x=\"y\"}", &["a.b"]),
            ("{\"a.b\", x=\"y\"} + {x=\"z\"}", &["a.b"]),
            ("{__name__=~\"a.*\"}", &[]),
            ("${prefix}_total + $metric + pre_[[x]]_post + a", &["a"]),
            ("a # b + c\n + d", &["a", "d"]),
            ("label_replace(a, \"dst\", \"$1\", \"src\", \"(.*)\")", &["a"]),
            ("count_values(\"version\", build_info)", &["build_info"]),
            ("sum without (x) (a) > 2 * avg_over_time(a[1h:5m])", &["a"]),
            ("max", &["max"]),
            ("max by (a) (b)", &["b"]),
            ("a{b=\"}\"} + c", &["a", "c"]),
            ("topk($n, a)", &["a"]),
            ("\"unclosed", &[]),
        ];
        for (text, names) in cases {
            assert_eq!(metric_names(text), names, "{text}");
        }
    }

    #[test]
    fn either_side_of_or_will_do() {
        assert_eq!(needs("sum(a) or sum(b)"), [["a".to_owned(), "b".to_owned()]]);
        assert_eq!(needs("a / b"), [["a".to_owned()], ["b".to_owned()]]);
    }

    #[test]
    fn a_board_tells_how_much_of_it_is_fed_and_what_is_missing() {
        let panel = |kind, asks: &[Ask]| {
            let mut panel = Panel::new("a", kind, Unit::None);
            panel.queries = asks
                .iter()
                .map(|ask| PanelQuery {
                    name: "A".to_owned(),
                    ask: ask.clone(),
                    legend: String::new(),
                    is_instant: false,
                    is_hidden: false,
                })
                .collect();
            panel
        };
        let sum = |name: &str| Measure::Sum { of: Selector::of(name), by: Vec::new() };
        let either = Measure::Either(Box::new(sum("x")), Box::new(sum("y")));
        let ratio = Measure::Ratio(Box::new(sum("a")), Box::new(sum("y")));
        let mut board = Board::new(BoardId("b".to_owned()), "B");
        board.rows.push(Row {
            panels: vec![
                panel(PanelKind::TimeSeries, &[Ask::Measure(sum("a")), Ask::Measure(sum("gone"))]),
                panel(PanelKind::TimeSeries, &[Ask::Measure(either)]),
                panel(PanelKind::Stat, &[Ask::Measure(ratio), Ask::PromQl("gone + a".to_owned())]),
                panel(PanelKind::Text("hello".to_owned()), &[]),
                panel(PanelKind::Table, &[Ask::PromQl("$metric".to_owned())]),
            ],
            ..Row::default()
        });
        let feed = fed(&board, &BTreeSet::from(["a".to_owned()]));
        assert_eq!(feed.words(), "feeds 2 of 4 panels");
        assert_eq!(feed.missing[&PanelPlace { row: 0, panel: 1 }], ["x or y"]);
        assert_eq!(feed.missing[&PanelPlace { row: 0, panel: 2 }], ["gone", "y"]);
        assert_eq!(feed.missing_names().len(), 3);
        assert_eq!(Feed::default().words(), "no panels to feed yet");
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(text in any::<String>(), odd in "[a$\\[\\](){}\"'#: ]{0,60}") {
            let _ = metric_names(&text);
            let _ = metric_names(&odd);
        }
    }
}
