//! Panels of words: Markdown and HTML without tags.

use serde_json::Value;

use super::look::{prose, text};

/// The most characters of a panel of words.
const CHARS_MAX: usize = 10_000;
/// The most characters that are looked at.
const SOURCE_CHARS_MAX: usize = 100_000;
/// What stands between these is not for people.
const SILENT: [&str; 2] = ["script", "style"];
/// Tags that begin a line.
const BREAKS: [&str; 14] =
    ["br", "p", "div", "li", "ul", "ol", "tr", "table", "h1", "h2", "h3", "h4", "h5", "h6"];
/// Names of letters.
const ENTITIES: [(&str, char); 7] =
    [("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"'), ("apos", '\''), ("#39", '\''), ("nbsp", ' ')];

/// The words of a panel, of any version.
pub(super) fn of(panel: &Value) -> String {
    let (new, old) = (&panel["options"], panel);
    let content = if new["content"].is_string() { text(&new["content"]) } else { text(&old["content"]) };
    let content: String = content.chars().take(SOURCE_CHARS_MAX).collect();
    let lines = without_tags(&content);
    let mut out = String::with_capacity(lines.len());
    let mut is_gap = true;
    for line in lines.lines().map(|line| plain(line.trim_end())) {
        let is_empty = line.trim().is_empty();
        if !(is_empty && is_gap) {
            out.push_str(&line);
            out.push('\n');
        }
        is_gap = is_empty;
    }
    prose(&out, CHARS_MAX)
}

fn without_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find(['<', '&']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = if rest.starts_with('<') { after_tag(rest, &mut out) } else { after_entity(rest, &mut out) };
    }
    out.push_str(rest);
    out
}

/// What follows a tag, or a `<` that begins none.
fn after_tag<'a>(source: &'a str, out: &mut String) -> &'a str {
    let inside = &source[1..];
    if let Some(comment) = inside.strip_prefix("!--") {
        return comment.split_once("-->").map_or("", |(_, rest)| rest);
    }
    let bare = inside.strip_prefix('/').unwrap_or(inside);
    if !bare.starts_with(|letter: char| letter.is_ascii_alphabetic()) {
        out.push('<');
        return inside;
    }
    // A tag that is never closed takes the rest, so this is done once.
    let Some((tag, rest)) = bare.split_once('>') else { return "" };
    let name: String =
        tag.chars().take_while(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    if BREAKS.contains(&name.as_str()) && !out.ends_with('\n') {
        out.push('\n');
    }
    if SILENT.contains(&name.as_str()) && !inside.starts_with('/') {
        return after_silent(rest, &name);
    }
    rest
}

fn after_silent<'a>(rest: &'a str, name: &str) -> &'a str {
    let close = format!("</{name}");
    let end = rest.to_ascii_lowercase().find(&close);
    end.and_then(|at| rest[at..].split_once('>')).map_or("", |(_, rest)| rest)
}

fn after_entity<'a>(source: &'a str, out: &mut String) -> &'a str {
    for (name, letter) in ENTITIES {
        if let Some(rest) = source[1..].strip_prefix(name).and_then(|rest| rest.strip_prefix(';')) {
            out.push(letter);
            return rest;
        }
    }
    out.push('&');
    &source[1..]
}

/// A line of Markdown without the marks of headings and of strong words; links keep their address.
fn plain(line: &str) -> String {
    let heading = line.trim_start_matches('#');
    let is_heading = heading.len() < line.len() && heading.starts_with(' ');
    let line = if is_heading { heading.trim_start() } else { line };
    with_words_for_pictures(line).replace("**", "").replace("__", "")
}

/// `![a picture](address)` as `a picture`.
fn with_words_for_pictures(line: &str) -> String {
    let mut parts = line.split("![");
    let mut out = parts.next().unwrap_or("").to_owned();
    for part in parts {
        let picture = part.split_once("](").and_then(|(alt, rest)| Some((alt, rest.split_once(')')?.1)));
        match picture {
            Some((alt, rest)) => {
                out.push_str(alt);
                out.push_str(rest);
            }
            None => {
                out.push_str("![");
                out.push_str(part);
            }
        }
    }
    out
}
