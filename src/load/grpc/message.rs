//! From JSON to a message, with errors that name the field and the line; and the JSON that a message could have.

use std::fmt::Write as _;

use prost_reflect::{DeserializeOptions, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};

/// How deep a skeleton goes: messages may hold themselves.
const SKELETON_DEPTH_MAX: usize = 5;
/// The most characters of a skeleton.
const SKELETON_CHARS_MAX: usize = 64 * 1024;

/// The message that a JSON text stands for.
///
/// # Errors
/// What is wrong with it, and where.
pub(super) fn from_json(shape: &MessageDescriptor, json: &str) -> Result<DynamicMessage, String> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let options = DeserializeOptions::new().deny_unknown_fields(true);
    DynamicMessage::deserialize_with_options(shape.clone(), &mut reader, &options)
        .and_then(|message| reader.end().map(|()| message))
        .map_err(|error| in_words(&error, json))
}

/// A JSON text with every field of a message, that [`from_json`] takes.
pub(super) fn skeleton(shape: &MessageDescriptor) -> String {
    let mut text = String::new();
    write_message(&mut text, shape, 0);
    text
}

fn in_words(error: &serde_json::Error, json: &str) -> String {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let words = error.to_string();
    let words = words.strip_suffix(&place).unwrap_or(&words);
    if error.line() == 0 {
        return words.to_owned();
    }
    let before: usize = json.split_inclusive('\n').take(error.line() - 1).map(str::len).sum();
    let path = path_at(&json.as_bytes()[..(before + error.column()).min(json.len())]);
    let path = if path.is_empty() { String::new() } else { format!("{path}: ") };
    format!("{path}{words} (line {}, column {})", error.line(), error.column())
}

/// The path of what a JSON text is in the middle of, as `orders[2].price`; empty at its top.
fn path_at(before: &[u8]) -> String {
    enum Step {
        Key(String),
        Place(usize),
    }
    let mut path: Vec<Step> = Vec::new();
    let mut last_text = String::new();
    let mut at = 0;
    while let Some(&byte) = before.get(at) {
        at += 1;
        match byte {
            b'"' => {
                let begin = at;
                while before.get(at).is_some_and(|byte| *byte != b'"') {
                    at += if before[at] == b'\\' { 2 } else { 1 };
                }
                let text = before.get(begin..at.min(before.len())).unwrap_or_default();
                last_text = String::from_utf8_lossy(text).into_owned();
                at += 1;
            }
            b'{' => path.push(Step::Key(String::new())),
            b'[' => path.push(Step::Place(0)),
            b':' => {
                if let Some(Step::Key(key)) = path.last_mut() {
                    *key = std::mem::take(&mut last_text);
                }
            }
            b',' => match path.last_mut() {
                Some(Step::Key(key)) if at < before.len() => key.clear(),
                Some(Step::Place(place)) => *place += 1,
                _ => {}
            },
            // An error that shows only at the end of a value is still in it.
            b'}' | b']' if at < before.len() => {
                path.pop();
            }
            _ => {}
        }
    }
    let mut text = String::new();
    for step in &path {
        match step {
            Step::Key(key) if key.is_empty() => {}
            Step::Key(key) => {
                text.push_str(if text.is_empty() { "" } else { "." });
                text.push_str(key);
            }
            Step::Place(place) => {
                let _ = write!(text, "[{place}]");
            }
        }
    }
    text
}

fn write_message(text: &mut String, shape: &MessageDescriptor, depth: usize) {
    if let Some(known) = well_known(shape.full_name()) {
        text.push_str(known);
        return;
    }
    let mut is_first = true;
    text.push('{');
    for field in shape.fields() {
        let is_other_choice = field
            .containing_oneof()
            .and_then(|choice| choice.fields().next())
            .is_some_and(|first| first.number() != field.number());
        if is_other_choice || !is_shown(&field, depth) || text.len() > SKELETON_CHARS_MAX {
            continue;
        }
        let comma = if is_first { "" } else { "," };
        let _ = write!(text, "{comma}\n{}\"{}\": ", "  ".repeat(depth + 1), field.json_name());
        is_first = false;
        if field.is_map() {
            text.push_str("{}");
        } else if field.is_list() {
            text.push('[');
            write_value(text, &field, depth);
            text.push(']');
        } else {
            write_value(text, &field, depth);
        }
    }
    if !is_first {
        let _ = write!(text, "\n{}", "  ".repeat(depth));
    }
    text.push('}');
}

/// Groups of proto2 and what lies too deep are left out: every field but a required one may be.
fn is_shown(field: &FieldDescriptor, depth: usize) -> bool {
    match field.kind() {
        Kind::Message(shape) => depth + 1 < SKELETON_DEPTH_MAX && shape.full_name() != "google.protobuf.Any",
        _ => true,
    }
}

fn write_value(text: &mut String, field: &FieldDescriptor, depth: usize) {
    match field.kind() {
        Kind::Message(shape) => write_message(text, &shape, depth + 1),
        Kind::Enum(shape) => {
            let _ = write!(text, "\"{}\"", shape.default_value().name());
        }
        Kind::Bool => text.push_str("false"),
        Kind::String | Kind::Bytes => text.push_str("\"\""),
        // 64 bits do not fit a number of JSON.
        Kind::Int64 | Kind::Sint64 | Kind::Uint64 | Kind::Fixed64 | Kind::Sfixed64 => text.push_str("\"0\""),
        Kind::Double | Kind::Float => text.push_str("0.0"),
        Kind::Int32 | Kind::Sint32 | Kind::Uint32 | Kind::Fixed32 | Kind::Sfixed32 => text.push('0'),
    }
}

/// Messages of the standard library that have a JSON form of their own.
fn well_known(name: &str) -> Option<&'static str> {
    Some(match name.strip_prefix("google.protobuf.")? {
        "Timestamp" => "\"1970-01-01T00:00:00Z\"",
        "Duration" => "\"0s\"",
        "FieldMask" | "StringValue" | "BytesValue" => "\"\"",
        "Struct" | "Empty" => "{}",
        "Value" => "null",
        "ListValue" => "[]",
        "BoolValue" => "false",
        "Int32Value" | "UInt32Value" => "0",
        "Int64Value" | "UInt64Value" => "\"0\"",
        "DoubleValue" | "FloatValue" => "0.0",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use prost_reflect::prost::Message as _;

    use super::super::schema::compiled;
    use super::*;

    const SHAPES: &str = r#"
        syntax = "proto3";
        package shop;
        import "google/protobuf/timestamp.proto";
        import "google/protobuf/struct.proto";
        import "google/protobuf/wrappers.proto";
        enum Size { SMALL = 0; LARGE = 1; }
        message Item { string name = 1; uint32 count = 2; Size size = 3; Item part = 4; }
        message Order {
            int64 id = 1;
            repeated Item items = 2;
            map<string, int32> stock = 3;
            google.protobuf.Timestamp at = 4;
            google.protobuf.Struct more = 5;
            google.protobuf.Int64Value wrapped = 6;
            oneof pay { string card = 7; bool cash = 8; }
            bytes proof = 9;
            double price = 10;
            optional bool gift = 11;
            google.protobuf.Value any = 12;
        }"#;

    fn order() -> MessageDescriptor {
        compiled("shop.proto", SHAPES).get_message_by_name("shop.Order").expect("it is there")
    }

    #[test]
    fn json_becomes_the_bytes_of_the_message() {
        let message = from_json(&order(), r#"{"id": "5", "items": [{"name": "a", "size": "LARGE"}]}"#);
        assert_eq!(message.expect("a message").encode_to_vec(), b"\x08\x05\x12\x05\x0a\x01a\x18\x01");
    }

    #[test]
    fn errors_name_the_field_and_the_line() {
        for (json, words) in [
            ("{\n  \"items\": [{\"count\": 1}, {\"count\": \"x\"}]\n}", ["items[1].count: ", "(line 2"]),
            ("{\"items\": [\n{\"nam\": 1}]}", ["nam", "(line 2"]),
            ("{\"items\": [{\"size\": \"HUGE\"}]}", ["items[0].size: ", "(line 1"]),
            ("{\"price\": true}", ["price: ", "invalid type: boolean"]),
            ("{\"id\": 1,}", ["trailing comma", "(line 1, column 10)"]),
            ("{\"id\": 1} x", ["trailing characters", "(line 1"]),
            ("", ["EOF", ""]),
            ("{\"id\": 9999999999999999999999}", ["id: ", ""]),
        ] {
            let error = from_json(&order(), json).expect_err(json);
            assert!(words.iter().all(|word| error.contains(word)), "{json}: {error}");
        }
    }

    #[test]
    fn a_skeleton_is_a_message_even_if_it_holds_itself() {
        let text = skeleton(&order());
        from_json(&order(), &text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        for field in
            ["\"id\": \"0\"", "\"SMALL\"", "\"card\"", "\"at\": \"1970", "\"part\": {", "\"gift\": false"]
        {
            assert!(text.contains(field), "{field}: {text}");
        }
        assert!(!text.contains("cash"), "one of a choice: {text}");
    }
}
