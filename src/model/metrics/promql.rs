//! Measures written in Prometheus' language.

use std::fmt::Write as _;

use super::measure::{Matcher, Measure, Op, Selector};

impl Selector {
    /// `metric{label="value"}`. A name that the language does not take bare is written so that it does.
    #[must_use]
    pub fn promql(&self) -> String {
        let mut conditions: Vec<String> = self.matchers.iter().map(Matcher::promql).collect();
        let is_bare = is_metric(&self.metric);
        if !is_bare {
            conditions.insert(0, format!("__name__={}", quoted(&self.metric)));
        }
        let name = if is_bare { self.metric.as_str() } else { "" };
        if conditions.is_empty() { name.to_owned() } else { format!("{name}{{{}}}", conditions.join(",")) }
    }
}

impl Matcher {
    /// `label="value"`.
    #[must_use]
    pub fn promql(&self) -> String {
        format!("{}{}{}", label(&self.label), self.op.promql(), quoted(&self.value))
    }
}

impl Op {
    /// As it is written.
    #[must_use]
    pub fn promql(self) -> &'static str {
        match self {
            Self::Is => "=",
            Self::IsNot => "!=",
            Self::Matches => "=~",
            Self::MatchesNot => "!~",
        }
    }
}

impl Measure {
    /// The measure as PromQL; rates are over this many milliseconds, at least 1.
    #[must_use]
    pub fn promql(&self, window_ms: i64) -> String {
        match self {
            Self::Rate { of, by } => format!("sum{} ({})", kept(&[], by), rate(of, window_ms)),
            Self::Sum { of, by } => format!("sum{} ({})", kept(&[], by), of.promql()),
            Self::Count { of, by } => format!("count{} ({})", kept(&[], by), of.promql()),
            Self::Quantile { q, of, by } => {
                let by = kept(&["le"], by);
                format!("histogram_quantile({}, sum{by} ({}))", number(*q), rate(of, window_ms))
            }
            // Without the zeros: what cannot be divided is a gap, and not the “NaN” that would hide an alternative.
            Self::Ratio(one, other) => {
                format!("{} / ({} != 0)", one.operand(window_ms), other.operand(window_ms))
            }
            Self::Rest(one) => format!("1 - {}", one.operand(window_ms)),
            Self::Either(one, other) => {
                format!("({} or {})", one.operand(window_ms), other.operand(window_ms))
            }
        }
    }

    /// The measure as a part of a larger one.
    fn operand(&self, window_ms: i64) -> String {
        match self {
            Self::Ratio(..) | Self::Rest(_) => format!("({})", self.promql(window_ms)),
            _ => self.promql(window_ms),
        }
    }
}

/// A value between double quotes, as PromQL reads it.
#[must_use]
pub fn quoted(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    out.push_str(&escaped(value, '"'));
    out.push('"');
    out
}

/// A value as it stands between these quotes: `"` or `'`.
pub(super) fn escaped(value: &str, quote: char) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_ascii_control() => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// A text of which a regular expression matches nothing but itself.
#[must_use]
pub fn regex_escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if "\\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// `15s`, or `1500ms` where it is no whole number of seconds; at least a millisecond.
#[must_use]
pub fn duration(ms: i64) -> String {
    let ms = ms.max(1);
    if ms % 1000 == 0 { format!("{}s", ms / 1000) } else { format!("{ms}ms") }
}

fn rate(of: &Selector, window_ms: i64) -> String {
    format!("rate({}[{}])", of.promql(), duration(window_ms))
}

/// ` by (le, a)`; nothing where no label is kept.
fn kept(first: &[&str], by: &[String]) -> String {
    let labels: Vec<String> = first.iter().copied().chain(by.iter().map(String::as_str)).map(label).collect();
    if labels.is_empty() { String::new() } else { format!(" by ({})", labels.join(", ")) }
}

fn label(name: &str) -> String {
    let is_bare = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
    if is_bare { name.to_owned() } else { quoted(name) }
}

fn is_metric(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c == '_' || c == ':' || c.is_ascii_alphanumeric())
}

fn number(value: f64) -> String {
    match value {
        value if value.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn by(labels: &[&str]) -> Vec<String> {
        labels.iter().map(|&it| it.to_owned()).collect()
    }

    fn errors() -> Selector {
        Selector::of("requests_total").with("code", Op::Matches, "5..").with("app", Op::IsNot, "a\"b\\c")
    }

    #[test]
    fn each_measure_has_its_form() {
        let rate = Measure::Rate { of: errors(), by: by(&["ns", "pod"]) };
        let all = Measure::Rate { of: Selector::of("requests_total"), by: Vec::new() };
        let quantile = Measure::Quantile { q: 0.99, of: Selector::of("t_bucket"), by: by(&["ns"]) };
        let cases = [
            (
                rate.clone(),
                r#"sum by (ns, pod) (rate(requests_total{code=~"5..",app!="a\"b\\c"}[60s]))"#.to_owned(),
            ),
            (all.clone(), "sum (rate(requests_total[60s]))".to_owned()),
            (Measure::Sum { of: Selector::of("up"), by: by(&["a.b"]) }, "sum by (\"a.b\") (up)".to_owned()),
            (Measure::Count { of: Selector::of("up"), by: Vec::new() }, "count (up)".to_owned()),
            (
                quantile.clone(),
                "histogram_quantile(0.99, sum by (le, ns) (rate(t_bucket[60s])))".to_owned(),
            ),
            (
                Measure::Rest(Box::new(Measure::Ratio(Box::new(all.clone()), Box::new(all.clone())))),
                "1 - (sum (rate(requests_total[60s])) / (sum (rate(requests_total[60s])) != 0))".to_owned(),
            ),
            (
                Measure::Either(Box::new(all), Box::new(quantile)),
                "(sum (rate(requests_total[60s])) or histogram_quantile(0.99, sum by (le, ns) (rate(t_bucket[60s]))))"
                    .to_owned(),
            ),
        ];
        for (measure, text) in cases {
            assert_eq!(measure.promql(60_000), text);
        }
    }

    #[test]
    fn a_name_that_is_none_is_put_into_the_braces() {
        assert_eq!(Selector::of("a.b").promql(), r#"{__name__="a.b"}"#);
        assert_eq!(Selector::of("").with("x", Op::Is, "1").promql(), r#"{__name__="",x="1"}"#);
        assert_eq!(Selector::of("job:a:rate5m").promql(), "job:a:rate5m");
    }

    #[test]
    fn a_window_is_written_in_the_largest_unit_that_is_exact() {
        assert_eq!(duration(60_000), "60s");
        assert_eq!(duration(1500), "1500ms");
        assert_eq!(duration(-5), "1ms");
    }

    /// What PromQL reads from between double quotes.
    fn unescaped(text: &str) -> String {
        let mut out = String::new();
        let mut chars = text.strip_prefix('"').unwrap().strip_suffix('"').unwrap().chars();
        while let Some(c) = chars.next() {
            assert!(c != '"' && c != '\n', "the string ends early: {text}");
            if c != '\\' {
                out.push(c);
                continue;
            }
            match chars.next().unwrap() {
                'n' => out.push('\n'),
                'r' => out.push('\r'),
                't' => out.push('\t'),
                'x' => {
                    let code: String = chars.by_ref().take(2).collect();
                    out.push(char::from(u8::from_str_radix(&code, 16).unwrap()));
                }
                c @ ('"' | '\\') => out.push(c),
                c => panic!("no escape: {c}"),
            }
        }
        out
    }

    /// Whether brackets outside of strings are closed in order.
    fn is_balanced(text: &str) -> bool {
        let (mut open, mut chars, mut inside) = (Vec::new(), text.chars(), false);
        while let Some(c) = chars.next() {
            match c {
                '\\' if inside => {
                    chars.next();
                }
                '"' => inside = !inside,
                _ if inside => {}
                '(' | '[' | '{' => open.push(c),
                ')' | ']' | '}' => {
                    let right =
                        matches!((open.pop(), c), (Some('('), ')') | (Some('['), ']') | (Some('{'), '}'));
                    if !right {
                        return false;
                    }
                }
                _ => {}
            }
        }
        open.is_empty() && !inside
    }

    fn selectors() -> impl Strategy<Value = Selector> {
        let ops = prop::sample::select(vec![Op::Is, Op::IsNot, Op::Matches, Op::MatchesNot]);
        let matchers = prop::collection::vec((any::<String>(), ops, any::<String>()), 0..3);
        (any::<String>(), matchers).prop_map(|(metric, matchers)| {
            matchers.iter().fold(Selector::of(&metric), |it, (label, op, value)| it.with(label, *op, value))
        })
    }

    fn measures() -> impl Strategy<Value = Measure> {
        let by = prop::collection::vec(any::<String>(), 0..3);
        let leaf = (0..4, selectors(), by, any::<f64>()).prop_map(|(kind, of, by, q)| match kind {
            0 => Measure::Rate { of, by },
            1 => Measure::Sum { of, by },
            2 => Measure::Count { of, by },
            _ => Measure::Quantile { q, of, by },
        });
        leaf.prop_recursive(4, 16, 2, |inner| {
            (0..3, inner.clone(), inner).prop_map(|(kind, one, other)| match kind {
                0 => Measure::Ratio(Box::new(one), Box::new(other)),
                1 => Measure::Rest(Box::new(one)),
                _ => Measure::Either(Box::new(one), Box::new(other)),
            })
        })
    }

    proptest! {
        #[test]
        fn whatever_is_measured_is_written_with_balanced_brackets(measure in measures(), window in any::<i64>()) {
            let text = measure.promql(window);
            prop_assert!(is_balanced(&text), "{}", text);
        }

        #[test]
        fn a_label_value_survives_its_escaping(value in any::<String>(), control in 0_u8..128) {
            let value = format!("{value}{}", char::from(control));
            prop_assert_eq!(unescaped(&quoted(&value)), value);
        }

        #[test]
        fn an_escaped_regular_expression_says_each_sign_once(text in any::<String>()) {
            let mut read = String::new();
            let escaped = regex_escaped(&text);
            let mut chars = escaped.chars();
            while let Some(c) = chars.next() {
                read.push(if c == '\\' { chars.next().unwrap() } else { c });
            }
            prop_assert_eq!(read, text);
        }
    }
}
