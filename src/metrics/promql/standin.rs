//! Something that fits in the place of each variable, so that a query with variables can be read.

use crate::model::metrics::fill::{Named, variable};

/// In a length of time.
const LENGTH: &str = "5m";
/// What a variable outside of texts and lengths may be: a name, a number, a length.
const BARE: [&str; 3] = ["x", "1", LENGTH];

/// The most variables of which it is tried what they may be; further ones are like the last of these.
const TRIED_MAX: u32 = 4;

/// A query with something in the place of each variable; several where it is not clear what a variable may be.
pub(super) fn texts(promql: &str) -> Vec<String> {
    let (first, count) = text(promql, 0);
    let all = BARE.len().pow(count.min(TRIED_MAX));
    std::iter::once(first).chain((1..all).map(|choice| text(promql, choice).0)).collect()
}

/// A query with what each variable is by a choice, whose digits say it for one variable each; and how many variables
/// may be several things.
fn text(promql: &str, mut choice: usize) -> (String, u32) {
    let mut count = 0;
    let mut bare = move || {
        let digit = choice % BARE.len();
        count += 1;
        if count < TRIED_MAX {
            choice /= BARE.len();
        }
        (BARE[digit], count)
    };
    let mut counted = 0;
    let mut out = String::with_capacity(promql.len());
    let mut quote = None;
    let mut is_length = false;
    let mut rest = promql;
    while let Some(letter) = rest.chars().next() {
        if let Some((Named { name, .. }, after)) = variable(rest) {
            out.push_str(match quote {
                Some(_) => "x",
                None if is_length => LENGTH,
                None => built_in(name).unwrap_or_else(|| {
                    let (stand_in, count) = bare();
                    counted = count;
                    stand_in
                }),
            });
            rest = after;
            continue;
        }
        let mut taken = letter.len_utf8();
        match (letter, quote) {
            ('\\', Some(quote)) if quote != '`' => {
                taken += rest[taken..].chars().next().map_or(0, char::len_utf8);
            }
            (letter, Some(open)) if letter == open => quote = None,
            ('"' | '\'' | '`', None) => quote = Some(letter),
            ('[', None) => is_length = true,
            (']', None) => is_length = false,
            _ => {}
        }
        out.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    (out, counted)
}

/// What those stand for that Grafana itself has.
fn built_in(name: &str) -> Option<&'static str> {
    match name {
        "__interval" | "__rate_interval" | "__range" => Some(LENGTH),
        "__interval_ms" | "__range_s" | "__range_ms" | "__from" | "__to" => Some("300"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_variable_has_something_that_fits_in_its_place() {
        for (promql, expected) in [
            ("rate(up[$__rate_interval])", "rate(up[5m])"),
            ("up{a=~\"$pod\", b=\"${x:regex}-[[y]]\"}", "up{a=~\"x\", b=\"x-x\"}"),
            ("$metric{a='\\'$b'}", "x{a='\\'x'}"),
            ("sum by ($by) (up) * $__range_s", "sum by (x) (up) * 300"),
            ("up offset $__interval", "up offset 5m"),
            ("up{a=\"5$\"}", "up{a=\"5$\"}"),
            ("up{a=\"${x.y}\"}", "up{a=\"${x.y}\"}"),
            (
                "label_replace(up, \"a\", \"$1\", \"b\", \"(.*)\")",
                "label_replace(up, \"a\", \"$1\", \"b\", \"(.*)\")",
            ),
        ] {
            assert_eq!(text(promql, 0).0, expected);
        }
    }

    #[test]
    fn a_query_without_variables_is_read_once() {
        assert_eq!(texts("up"), ["up"]);
        assert_eq!(texts("topk($n, up)"), ["topk(x, up)", "topk(1, up)", "topk(5m, up)"]);
        let two = texts("topk($n, $m)");
        assert_eq!(two.len(), 9);
        assert!(two.contains(&"topk(1, x)".to_owned()));
        assert_eq!(texts(&"$a ".repeat(10)).len(), 81);
    }
}
