//! The text format in which programs show their metrics, that of Prometheus and that of OpenMetrics.
//!
//! ```text
//! # TYPE requests_total counter
//! requests_total{code="200",path="/"} 1027 1395066363000
//! ```
//!
//! Only what is needed to tell series and their values is read: comments are passed over, and so are the moments and
//! examples that may follow a value.

use crate::model::Labels;

/// The longest line, in bytes; a longer one is passed over and counted.
pub(super) const LINE_BYTES_MAX: usize = 16 * 1024;
/// The most labels of one series.
const LABELS_MAX: usize = 128;

/// One line: what tells the series, as it is written, and its value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line<'a> {
    /// `requests_total{code="200"}`, without blanks around it.
    pub(super) series: &'a str,
    pub(super) value: f64,
}

/// What a page holds. `bad` is called for each line that cannot be read.
pub(super) fn lines<'a>(page: &'a str, mut bad: impl FnMut()) -> impl Iterator<Item = Line<'a>> {
    page.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).filter_map(
        move |text| {
            let read = (text.len() <= LINE_BYTES_MAX).then(|| line(text)).flatten();
            if read.is_none() {
                bad();
            }
            read
        },
    )
}

fn line(text: &str) -> Option<Line<'_>> {
    let end = match text.find(['{', ' ', '\t'])? {
        at if text[at..].starts_with('{') => at + closing(&text[at..])?,
        at => at,
    };
    let (series, rest) = text.split_at(end);
    let value = rest.split_ascii_whitespace().next()?;
    Some(Line { series, value: number(value)? })
}

/// Just after the bracket that closes the one at the start; those inside of texts do not count.
fn closing(text: &str) -> Option<usize> {
    let (mut is_text, mut is_escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b'}' if !is_text => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// As Go reads numbers: also `+Inf`, `-Inf`, `NaN`.
pub(super) fn number(text: &str) -> Option<f64> {
    let is_word = text.bytes().any(|byte| byte.is_ascii_alphabetic() && !matches!(byte, b'e' | b'E'));
    let bare = text.trim_start_matches(['+', '-']);
    let is_known = ["inf", "infinity", "nan"].iter().any(|word| bare.eq_ignore_ascii_case(word));
    if is_word && !is_known { None } else { text.parse().ok() }
}

/// The name and the labels of a series as a line writes it.
pub(super) fn series(text: &str) -> Option<(String, Labels)> {
    let (name, inside) = match text.split_once('{') {
        None => (text, ""),
        Some((name, inside)) => (name, inside.strip_suffix('}')?),
    };
    let mut name = name.trim().to_owned();
    let mut labels = Labels::new();
    let mut rest = inside.trim();
    while !rest.is_empty() {
        if labels.len() >= LABELS_MAX {
            return None;
        }
        if let Some(quoted) = rest.strip_prefix('"') {
            let (word, after) = unquoted(quoted)?;
            match after.trim_start().strip_prefix('=') {
                // A label whose name is not plain.
                Some(value) => rest = valued(&mut labels, word, value)?,
                // The name of a metric that is not plain: `{"a.b", c="d"}`.
                None if name.is_empty() => {
                    name = word;
                    rest = after;
                }
                None => return None,
            }
        } else {
            let (label, value) = rest.split_once('=')?;
            rest = valued(&mut labels, label.trim().to_owned(), value)?;
        }
        rest = rest.trim_start();
        match rest.strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None if rest.is_empty() => {}
            None => return None,
        }
    }
    (!name.is_empty()).then_some((name, labels))
}

/// Takes the value of a label; what follows it.
fn valued<'a>(labels: &mut Labels, label: String, text: &'a str) -> Option<&'a str> {
    let (value, rest) = unquoted(text.trim_start().strip_prefix('"')?)?;
    if label.is_empty() {
        return None;
    }
    labels.insert(label, value);
    Some(rest)
}

/// A text up to its closing quote, and what follows that.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((out, &text[at + 1..])),
            '\\' => match letters.next()?.1 {
                'n' => out.push('\n'),
                other => out.push(other),
            },
            other => out.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(page: &str) -> (Vec<Line<'_>>, usize) {
        let mut bad = 0;
        let lines = lines(page, || bad += 1).collect();
        (lines, bad)
    }

    #[test]
    fn series_and_values_are_read_and_the_rest_is_passed_over() {
        let (found, bad) = read(
            "# HELP x y\n# TYPE x counter\nx 1\n x{a=\"b\"} 2 1395066363000\n\ny_bucket{le=\"+Inf\"} 3 # {trace=\"t\"} 0.5\n\
             z{a=\"}\\\" 7 \"} NaN\nw\t-Inf\n# EOF\n",
        );
        let told: Vec<(&str, f64)> = found.iter().map(|line| (line.series, line.value)).collect();
        assert_eq!(bad, 0);
        assert_eq!(told[..3], [("x", 1.0), ("x{a=\"b\"}", 2.0), ("y_bucket{le=\"+Inf\"}", 3.0)]);
        assert_eq!(told[3].0, "z{a=\"}\\\" 7 \"}");
        assert!(told[3].1.is_nan());
        assert_eq!(told[4], ("w", f64::NEG_INFINITY));
    }

    #[test]
    fn what_is_no_line_is_counted() {
        let long = format!("x{{a=\"{}\"}} 1", "b".repeat(LINE_BYTES_MAX));
        for page in ["x", "x{", "x{a=\"b\" 1", "x one", "x 0x1F", "<html>", long.as_str()] {
            assert_eq!(read(page), (vec![], 1), "{page:.40}");
        }
    }

    #[test]
    fn labels_are_read_with_what_is_escaped_in_them() {
        let labels = |pairs: &[(&str, &str)]| -> Labels {
            pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
        };
        for (text, name, expected) in [
            ("x", "x", labels(&[])),
            ("x{}", "x", labels(&[])),
            (r#"x{a="1", b = "2" ,}"#, "x", labels(&[("a", "1"), ("b", "2")])),
            (r#"x{a="\\ \" \n"}"#, "x", labels(&[("a", "\\ \" \n")])),
            (r#"x{a="},{"}"#, "x", labels(&[("a", "},{")])),
            (r#"{"a.b",c="d"}"#, "a.b", labels(&[("c", "d")])),
            (r#"x{"a.b"="d"}"#, "x", labels(&[("a.b", "d")])),
        ] {
            assert_eq!(series(text), Some((name.to_owned(), expected)), "{text}");
        }
        for text in ["{}", "x{a}", "x{a=}", "x{a=\"b\" c=\"d\"}", "x{=\"b\"}", r#"x{"a","b"}"#] {
            assert_eq!(series(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_page_holds_is_read_without_harm(page in "[a-z_{}\"=,\\\\ .0-9#\nNaIf+-]{0,200}") {
            for line in lines(&page, || ()) {
                let _ = series(line.series);
            }
        }

        #[test]
        fn what_is_written_is_read_back(value in "\\PC{0,30}", number in any::<f64>()) {
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let page = format!("x{{a=\"{escaped}\"}} {number}\n");
            let (found, bad) = read(&page);
            prop_assert_eq!(bad, 0);
            let (_, labels) = series(found[0].series).unwrap();
            prop_assert_eq!(&labels["a"], &value);
            prop_assert!(found[0].value == number || (found[0].value.is_nan() && number.is_nan()));
        }
    }
}
