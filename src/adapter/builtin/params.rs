//! What a request says beyond its key: small YAML, each value with a default and a check.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::model::{duration, manifest};

/// The longest name of a Kubernetes object that a request may say.
const NAME_CHARS_MAX: usize = 63;
/// The longest name of an image.
const IMAGE_CHARS_MAX: usize = 300;
/// The most of a foreign text that an error shows.
const SHOWN_CHARS_MAX: usize = 60;
/// The longest delay or timeout.
const LONGEST: Duration = Duration::from_secs(3600);

/// The longest of which parts of a second are said.
const FINE_MAX: Duration = Duration::from_secs(99);

/// Keys and values that are taken out one after another; what is left is a mistake.
pub(super) struct Params {
    left: Map<String, Value>,
    known: Vec<&'static str>,
}

impl Params {
    pub(super) fn read(body: &str) -> Result<Self, String> {
        let left =
            manifest::mapping(body).map_err(|error| format!("The parameters cannot be read: {error}"))?;
        Ok(Self { left, known: Vec::new() })
    }

    /// Fails where something was said that nobody asked for.
    pub(super) fn finish(self) -> Result<(), String> {
        let Some((key, _)) = self.left.iter().next() else { return Ok(()) };
        let known = if self.known.is_empty() { "none".to_owned() } else { self.known.join(", ") };
        Err(format!("“{}” is no parameter of this operation; known are: {known}", shown(key)))
    }

    /// The name of an object, of a label's value or of a version.
    pub(super) fn name(&mut self, key: &'static str, usual: &str) -> Result<String, String> {
        let name = self.text(key)?.unwrap_or_else(|| usual.to_owned());
        check_name(key, &name)?;
        Ok(name)
    }

    /// A name, or nothing.
    pub(super) fn name_if_said(&mut self, key: &'static str) -> Result<Option<String>, String> {
        let Some(name) = self.text(key)? else { return Ok(None) };
        check_name(key, &name)?;
        Ok(Some(name))
    }

    pub(super) fn image(&mut self, key: &'static str, usual: &str) -> Result<String, String> {
        let image = self.text(key)?.unwrap_or_else(|| usual.to_owned());
        let is_legal = |c: char| c.is_ascii_alphanumeric() || "./:@_-".contains(c);
        if image.is_empty() || image.len() > IMAGE_CHARS_MAX || !image.chars().all(is_legal) {
            return Err(format!("{key}: “{}” is no name of an image", shown(&image)));
        }
        Ok(image)
    }

    pub(super) fn number(
        &mut self,
        key: &'static str,
        usual: u32,
        range: std::ops::RangeInclusive<u32>,
    ) -> Result<u32, String> {
        self.known.push(key);
        let Some(value) = self.left.remove(key) else { return Ok(usual) };
        let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
        number.filter(|number| range.contains(number)).ok_or_else(|| {
            let (least, most) = range.into_inner();
            format!("{key}: a whole number from {least} to {most} is wanted")
        })
    }

    pub(super) fn percent(&mut self, key: &'static str, usual: u32) -> Result<u32, String> {
        self.number(key, usual, 0..=100)
    }

    /// As every mesh reads it: whole seconds or milliseconds.
    pub(super) fn time(&mut self, key: &'static str, usual: &str) -> Result<String, String> {
        let text = self.text(key)?.unwrap_or_else(|| usual.to_owned());
        let time = duration::parse(&text).map_err(|error| format!("{key}: {error}"))?;
        if time < Duration::from_millis(1) || time > LONGEST {
            return Err(format!("{key}: from 1ms to 1h is wanted"));
        }
        // The Gateway API takes five digits.
        if time > FINE_MAX && time.subsec_millis() > 0 {
            return Err(format!("{key}: above 99s whole seconds are wanted"));
        }
        Ok(written(time))
    }

    fn text(&mut self, key: &'static str) -> Result<Option<String>, String> {
        self.known.push(key);
        match self.left.remove(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("{key}: a text is wanted; put it into quotes")),
        }
    }
}

/// A time that was read here, so many times over.
pub(super) fn repeated(time: &str, times: u32) -> String {
    duration::parse(time).map_or_else(|_| time.to_owned(), |time| written(time * times))
}

fn written(time: Duration) -> String {
    match time.as_millis() {
        millis if millis % 1000 == 0 => format!("{}s", millis / 1000),
        millis => format!("{millis}ms"),
    }
}

/// Whether Kubernetes takes it as the name of an object and as a label's value.
pub(super) fn check_name(what: &str, name: &str) -> Result<(), String> {
    let is_legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let is_name = name.len() <= NAME_CHARS_MAX
        && name.chars().all(is_legal)
        && is_edge(name.chars().next())
        && is_edge(name.chars().last());
    if is_name {
        return Ok(());
    }
    Err(format!(
        "{what}: “{}” is no name in Kubernetes; lower-case letters, digits and “-” inside, at most {NAME_CHARS_MAX}",
        shown(name)
    ))
}

/// A foreign text, cut to what an error can hold.
pub(super) fn shown(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_has_a_default_and_what_nobody_asked_for_is_a_mistake() {
        let mut params =
            Params::read("service: web\npercent: 25\ntime: 1500ms\nother: 1\n").expect("parameters");
        assert_eq!(params.name("service", "echo").as_deref(), Ok("web"));
        assert_eq!(params.name("version", "v1").as_deref(), Ok("v1"));
        assert_eq!((params.percent("percent", 10), params.percent("share", 7)), (Ok(25), Ok(7)));
        assert_eq!(
            (params.time("time", "1s").as_deref(), params.time("limit", "2m").as_deref()),
            (Ok("1500ms"), Ok("120s"))
        );
        assert_eq!((repeated("2s", 4), repeated("1500ms", 3)), ("8s".to_owned(), "4500ms".to_owned()));
        let error = params.finish().expect_err("other");
        assert!(error.contains("“other” is no parameter") && error.contains("service, version"), "{error}");
    }

    #[test]
    fn a_value_that_would_break_a_manifest_is_refused() {
        for bad in
            ["a: \"x\\ny\"", "a: \"x}\"", "a: -x", "a: X", "a: ''", "a: 1", "a: [b]", "a: \"{{image}}\""]
        {
            assert!(Params::read(bad).expect(bad).name("a", "b").is_err(), "{bad}");
        }
        for bad in ["a: 101", "a: -1", "a: 1.5", "a: '5'"] {
            assert!(Params::read(bad).expect(bad).percent("a", 1).is_err(), "{bad}");
        }
        for bad in ["a: 5", "a: '5'", "a: 2h", "a: 0s", "a: soon", "a: 100500ms"] {
            assert!(Params::read(bad).expect(bad).time("a", "1s").is_err(), "{bad}");
        }
        assert!(Params::read("a: 'x\"'").expect("text").image("a", "b").is_err());
        assert!(Params::read("a: [").is_err() && Params::read("- a").is_err());
    }
}
