//! How a query may go on at the cursor.

use std::collections::BTreeSet;
use std::ops::Range;

/// The most words that are offered.
const WORDS_MAX: usize = 50;
/// Lengths of time between square brackets.
const LENGTHS: [&str; 6] = ["$__rate_interval", "$__interval", "1m", "5m", "15m", "1h"];
/// After these, labels are listed between round brackets.
const BEFORE_LABELS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
/// Words of the language that are no functions.
const KEYWORDS: [&str; 9] =
    ["by", "without", "on", "ignoring", "group_left", "group_right", "offset", "and", "unless"];
/// Functions and aggregations, the frequent ones first.
const FUNCTIONS: [&str; 61] = [
    "rate",
    "sum",
    "histogram_quantile",
    "increase",
    "avg",
    "max",
    "min",
    "count",
    "topk",
    "irate",
    "bottomk",
    "quantile",
    "stddev",
    "stdvar",
    "group",
    "count_values",
    "avg_over_time",
    "max_over_time",
    "min_over_time",
    "sum_over_time",
    "count_over_time",
    "quantile_over_time",
    "stddev_over_time",
    "last_over_time",
    "present_over_time",
    "absent_over_time",
    "delta",
    "idelta",
    "deriv",
    "changes",
    "resets",
    "predict_linear",
    "label_replace",
    "label_join",
    "clamp",
    "clamp_max",
    "clamp_min",
    "absent",
    "abs",
    "ceil",
    "floor",
    "round",
    "exp",
    "ln",
    "log2",
    "log10",
    "sqrt",
    "sgn",
    "scalar",
    "vector",
    "time",
    "timestamp",
    "sort",
    "sort_desc",
    "hour",
    "minute",
    "day_of_week",
    "day_of_month",
    "histogram_count",
    "histogram_sum",
    "histogram_fraction",
];

/// What is known of a source.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Names of metrics.
    pub names: &'a BTreeSet<String>,
    /// Names of labels.
    pub labels: &'a [String],
    /// Names of the board's variables, without `$`.
    pub variables: &'a [String],
}

/// How a query may go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The bytes of the query that a word takes the place of.
    pub replaces: Range<usize>,
    /// The words, best first.
    pub words: Vec<String>,
}

/// Where the cursor is.
enum Place {
    Metric,
    Label,
    /// Between quotes.
    Text,
    Length,
    Variable,
}

/// How a query may go on at a cursor, which is a number of bytes from its start.
#[must_use]
pub fn complete(promql: &str, cursor: usize, known: Known<'_>) -> Completion {
    let cursor = (0..=cursor.min(promql.len())).rev().find(|at| promql.is_char_boundary(*at)).unwrap_or(0);
    let before = &promql[..cursor];
    let begin = before.trim_end_matches(is_part).len();
    let typed = &before[begin..];
    let words = match place(before) {
        // Values of a label, which only the source knows.
        Place::Text => Vec::new(),
        Place::Label => best(typed, known.labels.iter().map(String::as_str)),
        Place::Variable => best(typed, known.variables.iter().map(String::as_str)),
        Place::Length => {
            let lengths = LENGTHS.iter().copied().filter(|length| length.starts_with(typed));
            lengths.map(str::to_owned).collect()
        }
        Place::Metric if typed.is_empty() => Vec::new(),
        Place::Metric => {
            // Those of the language by how they begin only: they would hide the names of metrics.
            let typed_lower = typed.to_lowercase();
            let begins = |word: &&str| word.starts_with(&typed_lower) && *word != typed_lower;
            let words = FUNCTIONS.iter().chain(&KEYWORDS).copied().filter(begins).map(str::to_owned);
            words.chain(best(typed, known.names.iter().map(String::as_str))).take(WORDS_MAX).collect()
        }
    };
    Completion { replaces: begin..cursor, words }
}

/// Words that begin with what was typed, then those that have it in them; without what is typed whole already.
fn best<'a>(typed: &str, words: impl Iterator<Item = &'a str> + Clone) -> Vec<String> {
    let typed = typed.to_lowercase();
    let begins = |word: &&str| word.to_lowercase().starts_with(&typed);
    let first = words.clone().filter(begins);
    let rest = words.filter(|word| !begins(word) && word.to_lowercase().contains(&typed));
    first.chain(rest).filter(|word| *word != typed).take(WORDS_MAX).map(str::to_owned).collect()
}

/// Where the end of a text is.
fn place(before: &str) -> Place {
    let (mut open, mut quote) = (Vec::new(), None);
    let mut letters = before.char_indices();
    while let Some((at, letter)) = letters.next() {
        match (letter, quote) {
            ('\\', Some(open)) if open != '`' => {
                letters.next();
            }
            (letter, Some(open)) if letter == open => quote = None,
            ('"' | '\'' | '`', None) => quote = Some(letter),
            ('(' | '[' | '{', None) => open.push((at, letter)),
            (')' | ']' | '}', None) => {
                open.pop();
            }
            _ => {}
        }
    }
    if quote.is_some() {
        return Place::Text;
    }
    let word = before.trim_end_matches(is_part);
    match open.last() {
        _ if word.ends_with('$') || word.ends_with("${") => Place::Variable,
        Some((_, '{')) => Place::Label,
        Some((_, '[')) => Place::Length,
        Some((at, '(')) if lists_labels(&before[..*at]) => Place::Label,
        _ => Place::Metric,
    }
}

fn lists_labels(before: &str) -> bool {
    let word = before.trim_end().rsplit(|c: char| !is_part(c)).next().unwrap_or_default();
    BEFORE_LABELS.iter().any(|known| word.eq_ignore_ascii_case(known))
}

fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(promql: &str) -> Completion {
        let names = ["istio_requests_total", "istio_tcp_sent_bytes_total", "up"].map(str::to_owned).into();
        let labels = ["code", "pod", "namespace"].map(str::to_owned);
        let variables = ["pod".to_owned()];
        let cursor = promql.find('|').expect("a cursor");
        let known = Known { names: &names, labels: &labels, variables: &variables };
        complete(&promql.replacen('|', "", 1), cursor, known)
    }

    #[test]
    fn names_and_functions_are_offered_by_what_is_typed() {
        let found = at("sum(rate(isti|))");
        assert_eq!(found.words, ["istio_requests_total", "istio_tcp_sent_bytes_total"]);
        assert_eq!(found.replaces, 9..13);
        assert_eq!(at("hist|").words[0], "histogram_quantile");
        assert_eq!(at("requests|").words, ["istio_requests_total"]);
        assert_eq!(at("|").words, Vec::<String>::new());
    }

    #[test]
    fn labels_are_offered_where_labels_stand() {
        assert_eq!(at("up{|}").words, ["code", "pod", "namespace"]);
        assert_eq!(at("up{code=\"1\", na|").words, ["namespace"]);
        assert_eq!(at("sum by (p|) (up)").words, ["pod", "namespace"]);
        assert_eq!(at("sum without(co|").words, ["code"]);
    }

    #[test]
    fn values_of_a_label_are_for_the_source_to_say() {
        for promql in
            ["up{code=\"5|", "up{a=\"b\", code =~ '|'", "up{code!=`x|", "up{code=\"po|", "up{a='$po|"]
        {
            assert_eq!(at(promql).words, Vec::<String>::new(), "{promql}");
        }
    }

    #[test]
    fn lengths_and_variables_are_offered() {
        assert_eq!(at("rate(up[|").words.len(), LENGTHS.len());
        assert_eq!(at("rate(up[1|])").words, ["1m", "15m", "1h"]);
        assert_eq!(at("up{pod=~\"a\"} + $p|").words, ["pod"]);
        assert_eq!(at("${|").words, ["pod"]);
    }

    #[test]
    fn a_cursor_anywhere_does_no_harm() {
        let text = "sum by (“ä”) (rate(x{a=\"ü\\";
        let names = BTreeSet::new();
        let known = Known { names: &names, labels: &[], variables: &[] };
        for cursor in 0..text.len() + 5 {
            let found = complete(text, cursor, known);
            assert!(text.get(found.replaces).is_some());
        }
    }
}
