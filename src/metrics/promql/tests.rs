use proptest::prelude::*;

use super::*;

#[test]
fn what_can_be_read_has_no_mistake() {
    for promql in [
        "up",
        "sum(rate(istio_requests_total{reporter=~\"source|waypoint\",ns=\"$ns\"}[$__rate_interval])) by (code)",
        "histogram_quantile(0.99, sum by (le) (rate(x_bucket{a='b'}[1m])))",
        "topk($n, $metric{pod=~\"${pod:regex}\"})",
        "sum by ($by) (up) / on() group_left() count(up) # a comment (",
        "avg_over_time(up[5m:1m] offset 1h)",
        "1 - (a or vector(0))",
        "max_over_time(rate(x[$__interval])[[[range]]:])",
    ] {
        assert_eq!(check(promql), Ok(()), "{promql}");
    }
}

#[test]
fn a_mistake_says_what_and_where() {
    for (promql, at, words) in [
        ("", None, "Nothing is asked"),
        ("sum(up", Some(3), "“(” is never closed"),
        ("sum(up))", Some(7), "“)” closes nothing that is open here"),
        ("up{a=\"b}", Some(5), "A text begins here and does not end: a quote is missing"),
        ("rate(up)", Some(0), "“rate” needs a time: rate(metric[5m])"),
        ("rat(up[5m])", Some(0), "There is no function “rat”"),
        ("up +", Some(4), "Something is missing at the end"),
        ("up up", None, "This is not PromQL that can be read"),
    ] {
        assert_eq!(check(promql), Err(Mistake { at, words: words.to_owned() }), "{promql}");
    }
}

#[test]
fn what_is_too_long_or_too_deep_is_not_read() {
    assert!(check(&"a+".repeat(QUERY_BYTES_MAX)).is_err());
    assert!(check(&"(".repeat(10_000)).is_err());
    assert!(check(&format!("{}1{}", "(".repeat(DEPTH_MAX), ")".repeat(DEPTH_MAX))).is_ok());
    for (part, last) in [("-", "1"), ("1^", "1"), ("a and ", "a"), ("1+", "1")] {
        let _ = check(&format!("{}{last}", part.repeat(OPERATORS_MAX)));
        let too_many = format!("{}{last}", part.repeat(OPERATORS_MAX + 1));
        assert!(check(&too_many).is_err_and(|mistake| mistake.words.contains("operators")), "{part}");
        assert_eq!(selector(&too_many), None);
    }
}

#[test]
fn a_selector_is_read_as_data() {
    let found = selector("up{a=\"b\",c!~\"d.*\"}").unwrap();
    assert_eq!(found, Selector::of("up").with("a", Op::Is, "b").with("c", Op::MatchesNot, "d.*"));
    assert_eq!(selector("{job=\"x\"}").unwrap().metric, "");
    for text in ["rate(up[1m])", "up[1m]", "up offset 1m", "1", "up +", ""] {
        assert_eq!(selector(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn whatever_is_written_is_looked_at_without_harm(promql in "[a-z0-9(){}\\[\\]\"'$=~!,:. +*/#_\\\\-]{0,60}") {
        let _ = check(&promql);
        let _ = selector(&promql);
    }
}
