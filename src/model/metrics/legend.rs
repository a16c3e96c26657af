//! What a series is called.

use super::series::Series;

/// The most characters of a name; what is longer is cut.
pub const LEGEND_MAX: usize = 200;

/// The name of a series by a form such as `{{namespace}} p99`; by its labels where there is none or it says nothing.
#[must_use]
pub fn legend(format: &str, series: &Series) -> String {
    let format = format.trim();
    let name = if format.is_empty() || format == "__auto" { String::new() } else { filled(format, series) };
    cut(if name.trim().is_empty() { series.words() } else { name.trim().to_owned() })
}

fn filled(format: &str, series: &Series) -> String {
    let mut out = String::new();
    let mut rest = format;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((label, after)) = after.split_once("}}") else {
            out.push_str("{{");
            rest = after;
            continue;
        };
        out.push_str(series.labels.get(label.trim()).map_or("", String::as_str));
        rest = after;
        if out.len() > 4 * LEGEND_MAX {
            return out;
        }
    }
    out.push_str(rest);
    out
}

fn cut(name: String) -> String {
    if name.chars().count() <= LEGEND_MAX {
        return name;
    }
    name.chars().take(LEGEND_MAX - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(labels: &[(&str, &str)]) -> Series {
        Series {
            labels: labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            points: Vec::new(),
        }
    }

    #[test]
    fn labels_stand_where_the_form_names_them() {
        let shop = series(&[("namespace", "shop"), ("pod", "checkout-1")]);
        let cases = [
            ("{{namespace}} p99", "shop p99"),
            ("{{ namespace }}/{{pod}}", "shop/checkout-1"),
            ("p50", "p50"),
            ("", "namespace=shop, pod=checkout-1"),
            ("__auto", "namespace=shop, pod=checkout-1"),
            ("{{gone}}", "namespace=shop, pod=checkout-1"),
            ("{{gone}} x", "x"),
            ("{{open", "{{open"),
            ("}} {{namespace}}", "}} shop"),
        ];
        for (format, name) in cases {
            assert_eq!(legend(format, &shop), name, "{format}");
        }
        assert_eq!(legend("{{gone}}", &series(&[])), "value");
    }

    #[test]
    fn a_name_without_end_is_cut() {
        let long = series(&[("a", &"ü".repeat(5000))]);
        assert_eq!(legend(&"{{a}}".repeat(5000), &long).chars().count(), LEGEND_MAX);
        assert_eq!(legend("", &long).chars().count(), LEGEND_MAX);
    }
}
