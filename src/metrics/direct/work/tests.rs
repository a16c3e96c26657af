use super::*;
use crate::metrics::direct::kept::CHANGES_MAX;

const S: i64 = 1000;
const WINDOW: i64 = 10 * S;

/// Twelve readings, one a second, of pages by the second.
fn read(page: impl Fn(i64) -> String) -> Kept {
    let labels = ["a:1", "b:1"].map(|instance| Labels::from([("instance".to_owned(), instance.to_owned())]));
    let mut kept = Kept::new(labels.into_iter(), CHANGES_MAX);
    for second in 0..12 {
        kept.page(0, second * S, &page(second));
        kept.page(1, second * S, &page(second));
    }
    kept
}

/// The last values, by labels as words.
fn last(kept: &Kept, measure: &Measure) -> Vec<(String, f64)> {
    let grid = Grid { from_ms: 11 * S, to_ms: 11 * S, step_ms: S };
    let answer = answer(kept, measure, WINDOW, grid).unwrap();
    answer.series.iter().map(|series| (series.words(), series.last().unwrap())).collect()
}

fn rate(of: Selector, by: &[&str]) -> Measure {
    Measure::Rate { of, by: by.iter().map(|&label| label.to_owned()).collect() }
}

fn requests() -> Kept {
    read(|second| {
        format!(
            "r_total{{code=\"200\"}} {}\nr_total{{code=\"503\"}} {}\nr_total{{code=\"404\"}} 7\nmemory 5",
            second * 8,
            second * 2
        )
    })
}

#[test]
fn rates_and_gauges_are_summed_by_the_labels_that_are_kept() {
    let kept = requests();
    let all = || Selector::of("r_total");
    assert_eq!(last(&kept, &rate(all(), &[])), [("value".to_owned(), 20.0)]);
    let by_code = last(&kept, &rate(all(), &["code"]));
    let words: Vec<(&str, f64)> = by_code.iter().map(|(words, value)| (words.as_str(), *value)).collect();
    assert_eq!(words, [("code=200", 16.0), ("code=404", 0.0), ("code=503", 4.0)]);
    let by_instance = last(&kept, &rate(all(), &["instance"]));
    assert_eq!(by_instance[0], ("instance=a:1".to_owned(), 10.0));
    let memory = Measure::Sum { of: Selector::of("memory"), by: Vec::new() };
    assert_eq!(last(&kept, &memory), [("value".to_owned(), 10.0)]);
    let count = Measure::Count { of: all(), by: vec!["nothing".to_owned()] };
    assert_eq!(last(&kept, &count), [("value".to_owned(), 6.0)]);
}

#[test]
fn conditions_hold_as_in_promql() {
    let kept = requests();
    for (op, value, expected) in [
        (Op::Is, "200", Some(16.0)),
        (Op::IsNot, "200", Some(4.0)),
        (Op::Matches, "5..", Some(4.0)),
        (Op::Matches, "5", None),
        (Op::Matches, "2|503", Some(4.0)),
        (Op::MatchesNot, "5.*", Some(16.0)),
        (Op::Matches, "", None),
    ] {
        let measure = rate(Selector::of("r_total").with("code", op, value), &[]);
        assert_eq!(last(&kept, &measure).first().map(|(_, rate)| *rate), expected, "{op:?} {value}");
    }
    let absent = rate(Selector::of("r_total").with("pod", Op::Is, ""), &[]);
    assert_eq!(last(&kept, &absent).len(), 1, "a label that is not there is empty");
}

#[test]
fn an_expression_that_cannot_be_used_says_so() {
    let kept = requests();
    let huge = "(a{1000}){1000}".to_owned();
    for value in ["(", "[", huge.as_str()] {
        let measure = rate(Selector::of("r_total").with("code", Op::Matches, value), &[]);
        let grid = Grid { from_ms: 0, to_ms: 0, step_ms: S };
        let failure = answer(&kept, &measure, WINDOW, grid).unwrap_err();
        assert!(matches!(failure, Failure::Query(_)), "{value}");
    }
}

#[test]
fn a_success_ratio_is_what_is_left_of_its_errors() {
    let kept = requests();
    let errors = rate(Selector::of("r_total").with("code", Op::Matches, "5.."), &[]);
    let ratio = Measure::Ratio(Box::new(errors), Box::new(rate(Selector::of("r_total"), &[])));
    assert_eq!(last(&kept, &ratio), [("value".to_owned(), 0.2)]);
    assert_eq!(last(&kept, &Measure::Rest(Box::new(ratio))), [("value".to_owned(), 0.8)]);
}

#[test]
fn what_cannot_be_divided_is_a_gap() {
    let kept = requests();
    let nothing = rate(Selector::of("r_total").with("code", Op::Is, "404"), &[]);
    let all = || rate(Selector::of("r_total"), &[]);
    assert_eq!(last(&kept, &Measure::Ratio(Box::new(all()), Box::new(nothing))), []);
    let missing = rate(Selector::of("other"), &[]);
    assert_eq!(last(&kept, &Measure::Ratio(Box::new(all()), Box::new(missing.clone()))), []);
    let either = Measure::Either(Box::new(missing), Box::new(all()));
    assert_eq!(last(&kept, &either), [("value".to_owned(), 20.0)]);
    let other = Measure::Either(Box::new(all()), Box::new(Measure::Rest(Box::new(all()))));
    assert_eq!(last(&kept, &other), [("value".to_owned(), 20.0)]);
}

#[test]
fn every_moment_of_the_grid_is_asked_for_and_gaps_are_left_out() {
    let kept = requests();
    let grid = Grid { from_ms: -2 * S, to_ms: 11 * S, step_ms: 5 * S };
    let answer = answer(&kept, &rate(Selector::of("r_total"), &[]), WINDOW, grid).unwrap();
    let moments: Vec<i64> = answer.series[0].points.iter().map(|point| point.at_ms / S).collect();
    assert_eq!(moments, [3, 8]);
}

#[test]
fn quantiles_are_interpolated_as_prometheus_does() {
    let buckets = |pairs: &[(f64, f64)]| pairs.to_vec();
    let inf = f64::INFINITY;
    let plain = buckets(&[(1.0, 10.0), (2.0, 20.0), (4.0, 40.0), (inf, 40.0)]);
    for (q, expected) in [(0.0, 0.0), (0.25, 1.0), (0.375, 1.5), (0.5, 2.0), (0.75, 3.0), (1.0, 4.0)] {
        assert_eq!(quantile(q, plain.clone()), Some(expected), "{q}");
    }
    // In the last, which has no end: the end of the one before it.
    assert_eq!(quantile(0.99, buckets(&[(1.0, 1.0), (2.0, 2.0), (inf, 100.0)])), Some(2.0));
    // Not ascending: the count before holds.
    assert_eq!(quantile(0.5, buckets(&[(1.0, 10.0), (2.0, 9.0), (inf, 10.0)])), Some(0.5));
    // The same end twice.
    assert_eq!(quantile(0.5, buckets(&[(1.0, 5.0), (1.0, 5.0), (inf, 10.0)])), Some(0.5));
    // A first bucket that ends at or below 0.
    assert_eq!(quantile(0.1, buckets(&[(-1.0, 5.0), (1.0, 10.0), (inf, 10.0)])), Some(-1.0));
    for none in [
        buckets(&[]),
        buckets(&[(inf, 5.0)]),
        buckets(&[(1.0, 5.0), (2.0, 6.0)]),
        buckets(&[(1.0, 0.0), (inf, 0.0)]),
    ] {
        assert_eq!(quantile(0.5, none.clone()), None, "{none:?}");
    }
    assert_eq!(quantile(1.5, plain.clone()), None);
    assert_eq!(quantile(f64::NAN, plain), None);
}

#[test]
fn a_quantile_is_of_what_was_counted_within_the_window() {
    let kept = read(|second| {
        let (low, all) = if second < 5 { (second * 10, second * 10) } else { (40, 40 + (second - 4) * 10) };
        format!("t_bucket{{le=\"1\"}} {low}\nt_bucket{{le=\"2\"}} {all}\nt_bucket{{le=\"+Inf\"}} {all}")
    });
    let measure = Measure::Quantile { q: 0.5, of: Selector::of("t_bucket"), by: Vec::new() };
    let grid = Grid { from_ms: 11 * S, to_ms: 11 * S, step_ms: S };
    let late = answer(&kept, &measure, 5 * S, grid).unwrap();
    assert_eq!(late.series[0].last(), Some(1.5));
    let grid = Grid { from_ms: 4 * S, to_ms: 4 * S, step_ms: S };
    let early = answer(&kept, &measure, 5 * S, grid).unwrap();
    assert_eq!(early.series[0].last(), Some(0.5));
}

#[test]
fn labels_have_the_values_of_the_series_that_are_meant() {
    let kept = requests();
    assert_eq!(label_values(&kept, "code", None).unwrap(), ["200", "404", "503"]);
    let of = Selector::of("memory");
    assert_eq!(label_values(&kept, "code", Some(&of)).unwrap(), Vec::<String>::new());
    assert_eq!(label_values(&kept, "instance", Some(&of)).unwrap(), ["a:1", "b:1"]);
    assert_eq!(label_values(&kept, "__name__", None).unwrap(), ["memory", "r_total"]);
}
