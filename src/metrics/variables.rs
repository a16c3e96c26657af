//! What Grafana's variables ask: `label_values(metric, label)` and the like, read into what a server is asked.

/// What is asked for the values of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Values of a label, of the series of a selector if there is one.
    LabelValues {
        /// The label.
        label: String,
        /// Which series.
        of: Option<String>,
    },
    /// Names of labels that an expression finds.
    LabelNames(String),
    /// Names of metrics that an expression finds.
    Metrics(String),
    /// The members of a vector.
    QueryResult(String),
    /// Series of a selector.
    Series(String),
}

/// What a text asks, as Grafana reads it.
pub(super) fn read(text: &str) -> Wanted {
    let text = text.trim();
    if let Some(inside) = call(text, "label_values") {
        return label_values(inside);
    }
    if let Some(inside) = call(text, "label_names") {
        return Wanted::LabelNames(inside.to_owned());
    }
    if let Some(inside) = call(text, "metrics") {
        return Wanted::Metrics(inside.to_owned());
    }
    if let Some(inside) = call(text, "query_result") {
        return Wanted::QueryResult(inside.to_owned());
    }
    Wanted::Series(text.to_owned())
}

/// What is between the brackets of a function.
fn call<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let inside = text.strip_prefix(name)?.trim_start().strip_prefix('(')?;
    inside.strip_suffix(')').map(str::trim)
}

/// The label follows the last comma that is in no brackets and no text.
fn label_values(inside: &str) -> Wanted {
    let split = inside.rsplit_once(',').map(|(of, label)| (of.trim(), label.trim()));
    match split {
        Some((of, label)) if is_label(label) => {
            Wanted::LabelValues { label: label.to_owned(), of: (!of.is_empty()).then(|| of.to_owned()) }
        }
        _ => Wanted::LabelValues { label: inside.to_owned(), of: None },
    }
}

/// Whether a word can be the name of a label.
pub(super) fn is_label(word: &str) -> bool {
    !word.is_empty()
        && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !word.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grafanas_functions_are_understood() {
        let values = |label: &str, of: Option<&str>| Wanted::LabelValues {
            label: label.to_owned(),
            of: of.map(str::to_owned),
        };
        for (text, wanted) in [
            ("label_values(job)", values("job", None)),
            (" label_values( up , job ) ", values("job", Some("up"))),
            (r#"label_values(up{a="x,y",b=~"(c)"},pod)"#, values("pod", Some(r#"up{a="x,y",b=~"(c)"}"#))),
            ("label_values({job=~\"a.*\"}, job)", values("job", Some("{job=~\"a.*\"}"))),
            ("label_values(,job)", values("job", None)),
            ("label_names()", Wanted::LabelNames(String::new())),
            ("metrics(istio_.*)", Wanted::Metrics("istio_.*".to_owned())),
            ("query_result(sum(up) by (job))", Wanted::QueryResult("sum(up) by (job)".to_owned())),
            ("up{job=\"a\"}", Wanted::Series("up{job=\"a\"}".to_owned())),
        ] {
            assert_eq!(read(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_comma_inside_of_a_selector_is_no_end() {
        let wanted = Wanted::LabelValues { label: "up{a=\"x\",b=\"y\"}".to_owned(), of: None };
        assert_eq!(read("label_values(up{a=\"x\",b=\"y\"})"), wanted);
    }
}
