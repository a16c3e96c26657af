//! Looking into JSON of which nothing is certain: what has another type counts as absent.

use serde_json::Value;

/// A text; empty where there is none.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

/// A list; empty where there is none.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Whether something is said to be so.
pub(super) fn flag(value: &Value) -> bool {
    value.as_bool().unwrap_or(false)
}

/// A number, also one that is written as text.
pub(super) fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::String(text) => text.trim().parse().ok(),
        _ => value.as_f64(),
    };
    number.filter(|number: &f64| number.is_finite())
}

/// A text or a number as text; empty where it is neither.
pub(super) fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(it) => it.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
    }
}

/// One line without control characters, at most so many characters.
pub(super) fn line(text: &str, chars_max: usize) -> String {
    let spaced: String = text
        .chars()
        .map(|letter| if letter.is_whitespace() { ' ' } else { letter })
        .filter(|letter| !letter.is_control())
        .take(4 * chars_max)
        .collect();
    cut(spaced.trim(), chars_max)
}

/// Lines without control characters, at most so many characters.
pub(super) fn prose(text: &str, chars_max: usize) -> String {
    let kept: String =
        text.chars().filter(|letter| *letter == '\n' || !letter.is_control()).take(4 * chars_max).collect();
    cut(kept.trim(), chars_max)
}

fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
    }
}
