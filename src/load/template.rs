//! Texts with `{{name}}` in them: read once for a whole run, filled for each request without allocating.

use std::io::Write as _;
use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

use super::data::{Row, Table};
use super::random::Random;

/// The most `{{…}}` in one text.
const HOLES_MAX: usize = 1024;

/// A text, of which parts may differ from request to request.
#[derive(Clone, Debug, Default)]
pub(super) struct Template {
    /// All that is the same for every request, one after another.
    text: Box<[u8]>,
    parts: Vec<Part>,
}

/// Where a text stands: what may be filled in, and how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Path and query: percent-encoded.
    Url,
    /// A header's value.
    Header,
    /// A cookie's value.
    Cookie,
    /// A body or a message: as it is.
    Body,
}

/// What is filled in for one request.
#[derive(Clone, Debug)]
pub(super) struct Draw<'a> {
    /// The row of the data file, where there is one.
    pub(super) row: Option<Row<'a>>,
    /// Which request it is, from 0; no other of the run has the same.
    pub(super) number: u64,
    pub(super) random: Random,
}

#[derive(Clone, Debug)]
enum Part {
    Text(Range<usize>),
    Column {
        at: usize,
        writing: Writing,
    },
    Number,
    Uuid,
    /// Both included.
    Random {
        low: u64,
        high: u64,
    },
    TimeMs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writing {
    Plain,
    Percent,
    /// The inside of a JSON string.
    Json,
}

impl Template {
    /// A text in which nothing differs.
    pub(super) fn fixed(text: impl Into<Vec<u8>>) -> Self {
        let text = text.into().into_boxed_slice();
        let parts = if text.is_empty() { Vec::new() } else { vec![Part::Text(0..text.len())] };
        Self { text, parts }
    }

    /// Reads a text with `{{…}}` in it.
    ///
    /// # Errors
    /// What is wrong, in words for a person.
    pub(super) fn read(text: &str, place: Place, table: Option<&Table>) -> Result<Self, String> {
        let mut template = Self::default();
        let (mut fixed, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = split_hole(rest) {
            let (hole, behind) = after
                .split_once("}}")
                .ok_or_else(|| "a {{ has no }} after it; write for example {{name}}".to_owned())?;
            template.add_text(&mut fixed, before);
            template.parts.push(part(hole.trim(), place, table)?);
            if template.parts.len() > 2 * HOLES_MAX {
                return Err(format!("a text has at most {HOLES_MAX} {{{{names}}}}"));
            }
            rest = behind;
        }
        template.add_text(&mut fixed, rest);
        template.text = fixed.into_boxed_slice();
        Ok(template)
    }

    fn add_text(&mut self, fixed: &mut Vec<u8>, text: &str) {
        if !text.is_empty() {
            self.parts.push(Part::Text(fixed.len()..fixed.len() + text.len()));
            fixed.extend_from_slice(text.as_bytes());
        }
    }

    /// Whether it is the same for every request.
    pub(super) fn is_fixed(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Text(_)))
    }

    /// Adds the text for this request to `out`.
    pub(super) fn fill(&self, draw: &mut Draw<'_>, out: &mut Vec<u8>) {
        for part in &self.parts {
            // Writing into memory cannot fail.
            let _ = match part {
                Part::Text(range) => out.write_all(&self.text[range.clone()]),
                Part::Column { at, writing } => {
                    let value = draw.row.as_ref().map_or("", |row| row.value(*at));
                    writing.write(value, out);
                    Ok(())
                }
                Part::Number => write!(out, "{}", draw.number),
                Part::Uuid => write_uuid(&mut draw.random, out),
                Part::Random { low, high } => write!(out, "{}", between(&mut draw.random, *low, *high)),
                Part::TimeMs => {
                    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                    write!(out, "{}", since.as_millis())
                }
            };
        }
    }
}

impl Draw<'_> {
    /// For what is the same for every request.
    pub(super) fn nothing() -> Self {
        Self { row: None, number: 0, random: Random::seeded(0) }
    }
}

/// What stands before the first `{{`, and what after it. Of three braces the first is text, so that a JSON object can
/// be `{{{name}}: 1}`.
pub(super) fn split_hole(text: &str) -> Option<(&str, &str)> {
    let at = text.find("{{")?;
    let more = text[at + 2..].bytes().take_while(|byte| *byte == b'{').count();
    Some((&text[..at + more], &text[at + more + 2..]))
}

/// What stands between `{{` and `}}`. A column of that very name goes before a way of writing.
fn part(hole: &str, place: Place, table: Option<&Table>) -> Result<Part, String> {
    if let Some(name) = hole.strip_prefix('$') {
        return built_in(name, hole);
    }
    let plain = if place == Place::Url { Writing::Percent } else { Writing::Plain };
    let (name, writing) = match hole.split_once(char::is_whitespace) {
        _ if table.is_some_and(|table| table.column(hole).is_some()) => (hole, plain),
        Some(("json", name)) => (name.trim_start(), Writing::Json),
        Some(("raw", name)) => (name.trim_start(), Writing::Plain),
        _ => (hole, plain),
    };
    let Some(table) = table else {
        return Err(format!("{{{{{hole}}}}} has no data file to come from; {BUILT_IN}"));
    };
    let at = table.column(name).ok_or_else(|| {
        format!(
            "{{{{{hole}}}}} is no column of the data file; it has {}; {BUILT_IN}",
            table.columns().join(", ")
        )
    })?;
    check_values(table, at, place, writing)?;
    Ok(Part::Column { at, writing })
}

const BUILT_IN: &str = "without data there are {{$n}}, {{$uuid}}, {{$random 1 100}} and {{$time_ms}}";

fn built_in(name: &str, hole: &str) -> Result<Part, String> {
    let mut words = name.split_whitespace();
    let bounds = |text: Option<&str>| text.and_then(|text| text.parse().ok());
    match (words.next(), bounds(words.next()), bounds(words.next()), words.next()) {
        _ if name == "n" => Ok(Part::Number),
        _ if name == "uuid" => Ok(Part::Uuid),
        _ if name == "time_ms" => Ok(Part::TimeMs),
        (Some("random"), Some(low), Some(high), None) if low <= high => Ok(Part::Random { low, high }),
        (Some("random"), ..) => Err(format!(
            "{{{{{hole}}}}}: write two whole numbers, the lower one first: {{{{$random 1 100}}}}"
        )),
        _ => Err(format!("{{{{{hole}}}}} is not known; {BUILT_IN}")),
    }
}

/// No value may break the request that it is filled into: all are looked at before the start.
fn check_values(table: &Table, at: usize, place: Place, writing: Writing) -> Result<(), String> {
    let (what, allowed): (_, fn(u8) -> bool) = match (place, writing) {
        (Place::Url, Writing::Percent) | (Place::Body, _) => return Ok(()),
        (Place::Url, _) => ("a URL, unless percent-encoded", |b| b.is_ascii_graphic() && b != b'#'),
        (Place::Header, _) => ("a header", |b| b == b'\t' || (b >= b' ' && b != 0x7f)),
        (Place::Cookie, _) => ("a cookie", |b| b.is_ascii_graphic() && !b";,\\\"".contains(&b)),
    };
    for (number, row) in table.rows().enumerate() {
        if !row.value(at).bytes().all(allowed) {
            let (name, row) = (&table.columns()[at], number + 1);
            return Err(format!("“{name}” in row {row} holds a character that {what} cannot carry"));
        }
    }
    Ok(())
}

impl Writing {
    fn write(self, value: &str, out: &mut Vec<u8>) {
        match self {
            Self::Plain => out.extend_from_slice(value.as_bytes()),
            Self::Percent => write_percent(value, out),
            Self::Json => write_json(value, out),
        }
    }
}

/// RFC 3986: all but unreserved characters.
fn write_percent(value: &str, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte);
        } else {
            out.extend([b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
    }
}

/// RFC 8259: what may stand between the quotes.
fn write_json(value: &str, out: &mut Vec<u8>) {
    for byte in value.bytes() {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            0..b' ' => {
                let _ = write!(out, "\\u{byte:04x}");
            }
            _ => out.push(byte),
        }
    }
}

/// Version 4: random.
fn write_uuid(random: &mut Random, out: &mut Vec<u8>) -> std::io::Result<()> {
    let bits = u128::from(random.next_u64()) << 64 | u128::from(random.next_u64());
    let uuid = uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid();
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    out.write_all(uuid.hyphenated().encode_lower(&mut text).as_bytes())
}

/// Lemire's way without its rejection: off by less than one in 2^64 of the range.
fn between(random: &mut Random, low: u64, high: u64) -> u64 {
    let count = u128::from(high - low) + 1;
    low + ((u128::from(random.next_u64()) * count) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let csv = "id,name,odd,json id\n1,Ada Müller,\"a\"\"b\\\n\",x\n2,Bob/Eve?,c,y\n";
        Table::from_csv(csv.as_bytes()).expect("a table")
    }

    fn filled(text: &str, place: Place, row: usize) -> Result<String, String> {
        let table = table();
        let template = Template::read(text, place, Some(&table))?;
        let mut draw = Draw { row: Some(table.row(row)), number: 7, random: Random::seeded(1) };
        let mut out = Vec::new();
        template.fill(&mut draw, &mut out);
        Ok(String::from_utf8(out).expect("text"))
    }

    #[test]
    fn a_value_is_written_as_its_place_needs_it() {
        for (text, place, row, expected) in [
            ("/a/{{id}}", Place::Url, 0, "/a/1"),
            ("/{{ name }}?q={{name}}&n={{$n}}", Place::Url, 1, "/Bob%2FEve%3F?q=Bob%2FEve%3F&n=7"),
            ("/{{name}}", Place::Url, 0, "/Ada%20M%C3%BCller"),
            ("/{{raw id}}", Place::Url, 1, "/2"),
            ("Hello {{name}}", Place::Header, 0, "Hello Ada Müller"),
            ("{\"a\": \"{{json odd}}\"}", Place::Body, 0, "{\"a\": \"a\\\"b\\\\\\n\"}"),
            ("{{odd}}", Place::Body, 0, "a\"b\\\n"),
            ("{{json id}}", Place::Body, 0, "x"),
            ("no hole } { }}", Place::Body, 0, "no hole } { }}"),
            ("", Place::Body, 0, ""),
        ] {
            assert_eq!(filled(text, place, row).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_filled_is_said_before_the_start() {
        for (text, place, words) in [
            ("{{nmae}}", Place::Body, "it has id, name, odd, json id"),
            ("{{id", Place::Body, "no }}"),
            ("{{}}", Place::Body, "no column"),
            ("{{$m}}", Place::Body, "not known"),
            ("{{$random 5}}", Place::Body, "two whole numbers"),
            ("{{$random 5 1}}", Place::Body, "the lower one first"),
            ("{{odd}}", Place::Header, "row 1 holds a character that a header cannot carry"),
            ("{{name}}", Place::Cookie, "row 1 holds a character that a cookie cannot carry"),
            ("{{raw name}}", Place::Url, "row 1 holds"),
        ] {
            let told = filled(text, place, 0).expect_err(text);
            assert!(told.contains(words), "{text}: {told}");
        }
        let told = Template::read("{{id}}", Place::Body, None).expect_err("no data");
        assert!(told.contains("no data file"), "{told}");
        Template::read(&"{{$n}}".repeat(3000), Place::Body, None).expect_err("too many");
    }

    #[test]
    fn what_is_drawn_is_of_its_kind() {
        let read = |text| Template::read(text, Place::Body, None).expect(text);
        let mut draw = Draw { row: None, number: 0, random: Random::seeded(3) };
        let mut fill = |template: &Template| {
            let mut out = Vec::new();
            template.fill(&mut draw, &mut out);
            String::from_utf8(out).expect("text")
        };
        let uuid = read("{{$uuid}}");
        let (one, two) = (fill(&uuid), fill(&uuid));
        assert_ne!(one, two);
        assert_eq!(uuid::Uuid::parse_str(&one).expect("a uuid").get_version_num(), 4);
        let dice = read("{{$random 1 6}}");
        let mut seen = [0; 7];
        for _ in 0..6000 {
            seen[fill(&dice).parse::<usize>().expect("a number")] += 1;
        }
        assert!(seen[0] == 0 && seen[1..].iter().all(|count| (850..1150).contains(count)), "{seen:?}");
        assert!(fill(&read("{{$random 0 18446744073709551615}}")).parse::<u64>().is_ok());
        assert!(fill(&read("{{$time_ms}}")).parse::<u64>().expect("a number") > 1_700_000_000_000);
        assert!(read("fixed").is_fixed() && !dice.is_fixed() && Template::fixed("{{x}}").is_fixed());
    }
}
