//! What stands for variables in queries, put in.
//!
//! Grafana's rules: `$name`, `${name}`, `${name:format}`, `[[name]]`; several values become `(a|b)`, each of them escaped
//! as a regular expression. Unlike there, a value is also escaped for the string that it stands in, so that no value can
//! end it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use jiff::Timestamp;

use super::board::{Ask, Chosen, Variable, VariableKind};
use super::promql::{duration, escaped, regex_escaped};
use super::series::Grid;
use super::step::rate_window_ms;

/// What is chosen where all values are: Grafana's word for it.
pub const ALL: &str = "$__all";
/// The longest question that is asked, in bytes.
pub const QUERY_MAX_BYTES: usize = 64 * 1024;
/// The most values that are put in for one variable.
pub const VALUES_MAX: usize = 2000;

/// What a variable may be, by its name: what the source answered.
pub type Values = BTreeMap<String, Vec<String>>;

/// What is asked of a server, as PromQL.
///
/// # Errors
///
/// In words for people: a variable that is not known or has no value, or a question that is too long.
pub fn question(
    ask: &Ask,
    variables: &[Variable],
    chosen: &Chosen,
    values: &Values,
    grid: Grid,
    scrape_ms: Option<u64>,
) -> Result<String, String> {
    match ask {
        Ask::Measure(measure) => short(measure.promql(rate_window_ms(grid.step_ms, scrape_ms))),
        Ask::PromQl(text) => fill(text, variables, chosen, values, grid, scrape_ms),
    }
}

/// A text with what is chosen put in for its variables, and the grid for `$__interval` and the like. `values` are those
/// that a query variable may be, as far as they are known.
///
/// # Errors
///
/// As [`question`].
pub fn fill(
    text: &str,
    variables: &[Variable],
    chosen: &Chosen,
    values: &Values,
    grid: Grid,
    scrape_ms: Option<u64>,
) -> Result<String, String> {
    if text.len() > QUERY_MAX_BYTES {
        return Err(too_long());
    }
    let known = Known { variables, chosen, values, grid, scrape_ms };
    let mut out = String::with_capacity(text.len());
    let mut place = Place::default();
    for part in (Parts { rest: text }) {
        match part {
            Part::Text(text) => {
                text.chars().for_each(|c| place.step(c));
                out.push_str(text);
            }
            Part::Variable(Named { name, format }) => out.push_str(&known.put(name, format, &place)?),
        }
        if out.len() > QUERY_MAX_BYTES {
            return Err(too_long());
        }
    }
    Ok(out)
}

/// A variable as a text names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named<'a> {
    /// Without `$`.
    pub name: &'a str,
    /// How its values are to be written; empty where that is left open.
    pub format: &'a str,
}

/// The variable with which a text begins, and what is behind it: `$name`, `${name}`, `${name:format}`, `[[name]]`.
#[must_use]
pub fn variable(text: &str) -> Option<(Named<'_>, &str)> {
    let (inner, rest) = if let Some(after) = text.strip_prefix("${") {
        after.split_once('}')?
    } else if let Some(after) = text.strip_prefix("[[") {
        after.split_once("]]")?
    } else {
        let after = text.strip_prefix('$')?;
        let end = after.find(|c: char| !is_word(c)).unwrap_or(after.len());
        after.split_at(end)
    };
    let (name, format) = inner.split_once(':').unwrap_or((inner, ""));
    // `$1` is a group of a regular expression.
    let is_name = name.starts_with(|c: char| is_word(c) && !c.is_ascii_digit()) && name.chars().all(is_word);
    is_name.then_some((Named { name, format }, rest))
}

/// The variables that a text names, without those of the grid: `$__interval` and the like.
#[must_use]
pub fn variables_in(text: &str) -> BTreeSet<String> {
    let parts = Parts { rest: text };
    parts
        .filter_map(|part| match part {
            Part::Variable(Named { name, .. }) if !name.starts_with("__") => Some(name.to_owned()),
            _ => None,
        })
        .collect()
}

/// What is chosen for a variable, or stands for it while nothing is: raw values, and whether it is all of them.
#[must_use]
pub fn standing(variable: &Variable, chosen: &Chosen, values: &Values) -> Vec<String> {
    let picked = chosen.get(&variable.name).filter(|it| !it.is_empty()).unwrap_or(&variable.chosen);
    if !picked.is_empty() {
        return picked.iter().map(|it| used(variable, it)).collect();
    }
    let first = match &variable.kind {
        VariableKind::Query { .. } if variable.has_all && !values.contains_key(&variable.name) => {
            Some(ALL.to_owned())
        }
        VariableKind::Query { .. } => values.get(&variable.name).and_then(|all| all.first().cloned()),
        VariableKind::Custom(pairs) => pairs.first().map(|(_, value)| value.clone()),
        VariableKind::Interval(lengths) => lengths.first().cloned(),
        VariableKind::DataSource => Some(String::new()),
        VariableKind::Constant(value) | VariableKind::TextBox(value) => Some(value.clone()),
    };
    first.into_iter().collect()
}

/// All values of a variable that are known.
#[must_use]
pub fn all_values(variable: &Variable, values: &Values) -> Vec<String> {
    match &variable.kind {
        VariableKind::Query { .. } => values.get(&variable.name).cloned().unwrap_or_default(),
        VariableKind::Custom(pairs) => pairs.iter().map(|(_, value)| value.clone()).collect(),
        VariableKind::Interval(lengths) => lengths.clone(),
        VariableKind::DataSource => Vec::new(),
        VariableKind::Constant(value) | VariableKind::TextBox(value) => vec![value.clone()],
    }
}

/// The value that is used where this one, or the word that it is shown as, is chosen.
fn used(variable: &Variable, picked: &str) -> String {
    let VariableKind::Custom(pairs) = &variable.kind else { return picked.to_owned() };
    if pairs.iter().any(|(_, value)| value == picked) {
        return picked.to_owned();
    }
    pairs.iter().find(|(shown, _)| shown == picked).map_or(picked, |(_, value)| value).to_owned()
}

/// What is known of variables and moments.
struct Known<'a> {
    variables: &'a [Variable],
    chosen: &'a Chosen,
    values: &'a Values,
    grid: Grid,
    scrape_ms: Option<u64>,
}

impl Known<'_> {
    fn put(&self, name: &str, format: &str, place: &Place) -> Result<String, String> {
        if let Some(told) = self.of_grid(name, format) {
            return told;
        }
        let variable = self
            .variables
            .iter()
            .find(|it| it.name == name)
            .ok_or_else(|| format!("The board has no variable “{name}”, which this query names."))?;
        let picked = standing(variable, self.chosen, self.values);
        let is_all = variable.has_all && picked.iter().any(|it| it == ALL || it == "All");
        let picked = match (&variable.all_value, is_all) {
            // As its author wrote it, mostly a regular expression.
            (Some(all), true) if !all.is_empty() => return Ok(all.clone()),
            (_, true) => all_values(variable, self.values),
            (_, false) => picked,
        };
        if picked.is_empty() {
            return Err(format!("Nothing is chosen for “{name}”, and the source knows no value for it."));
        }
        if picked.len() > VALUES_MAX {
            return Err(format!(
                "“{name}” stands for {} values, more than the {VALUES_MAX} that one query can name. Choose some of them.",
                picked.len()
            ));
        }
        let auto = matches!(variable.kind, VariableKind::Interval(_)).then(|| duration(self.grid.step_ms));
        let picked: Vec<String> = picked
            .into_iter()
            .map(|it| match &auto {
                Some(step) if it == "auto" || it.starts_with("$__auto") => step.clone(),
                _ => it,
            })
            .collect();
        formatted(&picked, format, variable.is_multi || variable.has_all, place).ok_or_else(|| {
            format!("“{name}” is wanted in the format “{format}”, which Meshbench does not know.")
        })
    }

    /// What the grid says; none for other names.
    fn of_grid(&self, name: &str, format: &str) -> Option<Result<String, String>> {
        let Grid { from_ms, to_ms, step_ms } = self.grid;
        let range_ms = to_ms.saturating_sub(from_ms).max(0);
        let window = rate_window_ms(step_ms, self.scrape_ms);
        Some(match name {
            "__interval" => Ok(duration(step_ms)),
            "__interval_ms" => Ok(step_ms.max(1).to_string()),
            "__rate_interval" => Ok(duration(window)),
            "__rate_interval_ms" => Ok(window.to_string()),
            // A length of 0 is none that PromQL takes.
            "__range" => Ok(duration((range_ms / 1000).max(1) * 1000)),
            "__range_s" => Ok((range_ms / 1000).max(1).to_string()),
            "__range_ms" => Ok(range_ms.max(1).to_string()),
            "__from" => at(from_ms, name, format),
            "__to" => at(to_ms, name, format),
            _ => return None,
        })
    }
}

/// A moment, in Grafana's formats: milliseconds without one.
fn at(ms: i64, name: &str, format: &str) -> Result<String, String> {
    match format {
        "" | "raw" => Ok(ms.to_string()),
        "date:seconds" => Ok(ms.div_euclid(1000).to_string()),
        "date" | "date:iso" => Timestamp::from_millisecond(ms)
            .map(|at| at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
            .map_err(|_| format!("“{name}” is no moment that can be written as a date.")),
        _ => Err(format!("“{name}” is wanted in the format “{format}”, which Meshbench does not know.")),
    }
}

/// Values as they stand in a text; none for a format that is not known.
fn formatted(values: &[String], format: &str, is_multi: bool, place: &Place) -> Option<String> {
    let each = |write: &dyn Fn(&str) -> String, between: &str| {
        let written: Vec<String> = values.iter().map(|it| write(it)).collect();
        written.join(between)
    };
    let plain = |value: &str| value.to_owned();
    let text = match format {
        // One value beside `=` is meant as it is; an expression would match nothing there.
        "" if values.len() == 1 && (!is_multi || place.is_exact()) => plain(&values[0]),
        "" | "regex" if values.len() == 1 => regex_escaped(&values[0]),
        "" | "regex" => format!("({})", each(&regex_escaped, "|")),
        "pipe" => each(&plain, "|"),
        "csv" | "text" => each(&plain, if format == "csv" { "," } else { " + " }),
        "glob" if values.len() == 1 => plain(&values[0]),
        "glob" => format!("{{{}}}", each(&plain, ",")),
        "singlequote" => each(&|it| format!("'{}'", escaped(it, '\'')), ","),
        "doublequote" => each(&|it| format!("\"{}\"", escaped(it, '"')), ","),
        "json" => serde_json::to_string(values).ok()?,
        "percentencode" => each(&percent_encoded, ","),
        "raw" => return Some(each(&plain, ",")),
        _ => return None,
    };
    Some(place.written(&text))
}

fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

fn short(text: String) -> Result<String, String> {
    if text.len() > QUERY_MAX_BYTES { Err(too_long()) } else { Ok(text) }
}

fn too_long() -> String {
    format!(
        "The query is longer than {} KiB once its variables are filled in. Choose fewer values.",
        QUERY_MAX_BYTES / 1024
    )
}

/// Where in a query we are, as far as strings go.
#[derive(Default)]
struct Place {
    /// The quote of the string that is open.
    quote: Option<char>,
    /// Whether the sign before was a backslash that escapes the next.
    is_escaped: bool,
    /// The last two signs outside of strings that are no blanks.
    before: [char; 2],
}

impl Place {
    fn step(&mut self, c: char) {
        match self.quote {
            Some(_) if self.is_escaped => self.is_escaped = false,
            Some('"' | '\'') if c == '\\' => self.is_escaped = true,
            Some(quote) if c == quote => self.quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'' | '`') => self.quote = Some(c),
            None if c.is_whitespace() => {}
            None => self.before = [self.before[1], c],
        }
    }

    /// Whether we are in a string that is compared as it is: `=` or `!=`.
    fn is_exact(&self) -> bool {
        self.quote.is_some() && self.before[1] == '=' && self.before[0] != '='
    }

    /// A text as it must be written here.
    fn written(&self, text: &str) -> String {
        match self.quote {
            Some(quote @ ('"' | '\'')) => escaped(text, quote),
            // Nothing is escaped between backticks, so nothing may end them.
            Some(_) => text.replace('`', ""),
            None => text.to_owned(),
        }
    }
}

/// A piece of a text.
#[derive(Debug, PartialEq)]
enum Part<'a> {
    Text(&'a str),
    Variable(Named<'a>),
}

/// A text in pieces.
struct Parts<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        if let Some((named, rest)) = variable(self.rest) {
            self.rest = rest;
            return Some(Part::Variable(named));
        }
        let first = self.rest.chars().next().map_or(1, char::len_utf8);
        let end = self.rest[first..].find(['$', '[']).map_or(self.rest.len(), |at| at + first);
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(Part::Text(text))
    }
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::metrics::measure::{Measure, Selector};

    const GRID: Grid = Grid { from_ms: 1_000_000, to_ms: 1_900_000, step_ms: 10_000 };

    fn variable(name: &str, kind: VariableKind) -> Variable {
        Variable {
            name: name.to_owned(),
            label: String::new(),
            kind,
            chosen: Vec::new(),
            is_multi: false,
            has_all: false,
            all_value: None,
            is_hidden: false,
        }
    }

    fn query(name: &str) -> Variable {
        variable(name, VariableKind::Query { query: String::new(), regex: String::new() })
    }

    fn board() -> Vec<Variable> {
        let words = |pairs: &[(&str, &str)]| {
            VariableKind::Custom(pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect())
        };
        vec![
            query("one"),
            Variable { is_multi: true, has_all: true, ..query("ns") },
            Variable { has_all: true, all_value: Some(".+".to_owned()), ..query("any") },
            variable("word", words(&[("Five", "5"), ("Six", "6")])),
            variable("const", VariableKind::Constant("a.b".to_owned())),
            variable("text", VariableKind::TextBox(".*".to_owned())),
            variable("every", VariableKind::Interval(vec!["5m".to_owned(), "auto".to_owned()])),
            variable("ds", VariableKind::DataSource),
        ]
    }

    /// What is chosen for each of some variables.
    type Picked<'a> = &'a [(&'a str, &'a [&'a str])];

    fn filled(text: &str, chosen: Picked<'_>) -> Result<String, String> {
        let many = |of: &[&str]| of.iter().map(|&it| it.to_owned()).collect::<Vec<_>>();
        let chosen: Chosen = chosen.iter().map(|(name, of)| ((*name).to_owned(), many(of))).collect();
        let values: Values =
            [("one".to_owned(), many(&["x", "y"])), ("ns".to_owned(), many(&["shop", "a.b"]))].into();
        fill(text, &board(), &chosen, &values, GRID, Some(15_000))
    }

    #[test]
    fn what_is_chosen_stands_where_it_is_named() {
        let cases: [(&str, Picked<'_>, &str); 24] = [
            (r#"up{a="$one"}"#, &[], r#"up{a="x"}"#),
            (r#"up{a="${one}[[one]]"}"#, &[("one", &["y"])], r#"up{a="yy"}"#),
            (r#"up{a="$one_2"}"#, &[], "The board has no variable “one_2”, which this query names."),
            (r#"up{a=~"$ns"}"#, &[("ns", &["shop", "a.b"])], r#"up{a=~"(shop|a\\.b)"}"#),
            (r#"up{a=~"$ns"}"#, &[("ns", &[ALL])], r#"up{a=~"(shop|a\\.b)"}"#),
            (r#"up{a=~"$ns"}"#, &[("ns", &["a.b"])], r#"up{a=~"a\\.b"}"#),
            (r#"up{a="$ns"}"#, &[("ns", &["a.b"])], r#"up{a="a.b"}"#),
            (r#"up{a != '$ns'}"#, &[("ns", &["it's"])], r"up{a != 'it\'s'}"),
            (r#"up{a=~"$any"}"#, &[], r#"up{a=~".+"}"#),
            (r#"up{a=~"${ns:pipe}"}"#, &[("ns", &["b", "c"])], r#"up{a=~"b|c"}"#),
            ("sum by (${ns:csv}) (up)", &[("ns", &["b", "c"])], "sum by (b,c) (up)"),
            ("${ns:doublequote}", &[("ns", &["b", "c\""])], r#""b","c\"""#),
            ("${ns:json}", &[("ns", &["b", "c"])], r#"["b","c"]"#),
            ("${ns:glob}", &[("ns", &["b", "c"])], "{b,c}"),
            ("${ns:percentencode}", &[("ns", &["b c"])], "b%20c"),
            ("topk($word, up)", &[("word", &["Six"])], "topk(6, up)"),
            ("topk($word, up)", &[], "topk(5, up)"),
            (r#"up{a="$const",b=~"$text"}"#, &[], r#"up{a="a.b",b=~".*"}"#),
            ("rate(a[$every])", &[("every", &["auto"])], "rate(a[10s])"),
            ("$ds", &[], ""),
            (
                "rate(a[$__rate_interval]) + rate(a[$__interval]) * ${__interval_ms}",
                &[],
                "rate(a[60s]) + rate(a[10s]) * 10000",
            ),
            (
                "a[$__range] $__range_s $__range_ms $__from ${__to:date:seconds}",
                &[],
                "a[900s] 900 900000 1000000 1900",
            ),
            ("${__from:date}", &[], "1970-01-01T00:16:40.000Z"),
            (
                r#"label_replace(up, "a", "$1", "b", "(.*[[:alpha:]])$")"#,
                &[],
                r#"label_replace(up, "a", "$1", "b", "(.*[[:alpha:]])$")"#,
            ),
        ];
        for (text, chosen, wanted) in cases {
            let got = filled(text, chosen).unwrap_or_else(|error| error);
            assert_eq!(got, wanted, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_filled_is_told_by_its_name() {
        let cases: [(&str, &str); 4] = [
            ("up{a=\"$gone\"}", "“gone”"),
            ("${ns:lucene}", "“lucene”"),
            ("${__from:date:YYYY}", "“date:YYYY”"),
            ("$__timeFilter", "“__timeFilter”"),
        ];
        for (text, named) in cases {
            let error = filled(text, &[]).expect_err(text);
            assert!(error.contains(named), "{error}");
        }
        let error =
            fill("$one", &board(), &Chosen::new(), &Values::new(), GRID, None).expect_err("no values");
        assert!(error.starts_with("Nothing is chosen for “one”"), "{error}");
    }

    #[test]
    fn no_value_ends_the_string_that_it_stands_in() {
        let evil = "x\"} or up{a=~\".*\\";
        assert_eq!(filled("up{a=\"$one\"}", &[("one", &[evil])]).unwrap(), r#"up{a="x\"} or up{a=~\".*\\"}"#);
        assert_eq!(filled("up{a=`$one`}", &[("one", &["a`b"])]).unwrap(), "up{a=`ab`}");
    }

    #[test]
    fn a_question_has_a_length_that_it_does_not_exceed() {
        let long = "x".repeat(QUERY_MAX_BYTES / 2);
        let error = filled("$one$one$one", &[("one", &[&long])]).expect_err("too long");
        assert!(error.contains("64 KiB"), "{error}");
        assert!(filled(&"x".repeat(QUERY_MAX_BYTES + 1), &[]).is_err());
        let many: Vec<String> = (0..=VALUES_MAX).map(|it| it.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(filled("$ns", &[("ns", &many)]).expect_err("too many").contains("2001 values"));
    }

    #[test]
    fn a_measure_is_asked_over_the_window_of_its_grid() {
        let ask = Ask::Measure(Measure::Rate { of: Selector::of("a"), by: Vec::new() });
        let text = question(&ask, &[], &Chosen::new(), &Values::new(), GRID, Some(1000)).unwrap();
        assert_eq!(text, "sum (rate(a[11s]))");
        let ask = Ask::PromQl("rate(a[$__rate_interval])".to_owned());
        let text = question(&ask, &[], &Chosen::new(), &Values::new(), GRID, None).unwrap();
        assert_eq!(text, "rate(a[60s])");
    }

    #[test]
    fn a_text_tells_which_variables_it_names() {
        let named = variables_in(r#"label_values(up{a="$one",b=~"${ns:pipe}"}, [[x]]) $__interval $1 cost$"#);
        assert_eq!(named.into_iter().collect::<Vec<_>>(), ["ns", "one", "x"]);
    }

    proptest! {
        #[test]
        fn no_text_and_no_value_is_too_much(text in ".{0,60}", value in any::<String>()) {
            let _ = filled(&text, &[("one", &[&value])]);
            let _ = filled(&format!("{text}$one"), &[("one", &[&value])]);
        }

        #[test]
        fn a_text_without_variables_stays_as_it_is(text in "[^$\\[]{0,80}") {
            prop_assert_eq!(filled(&text, &[]).unwrap(), text);
        }
    }
}
