//! YAML in colours: keys, text in quotes, numbers and words of its own, comments, marks of documents.

use eframe::egui::text::{LayoutJob, TextFormat};
use eframe::egui::{Color32, FontId};

use crate::ui::theme::Theme;

/// A longer text is shown in one colour: it is coloured anew with each key that is pressed.
const BYTES_MAX: usize = 128 * 1024;

/// What a stretch of YAML is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Plain,
    Key,
    Text,
    Value,
    Comment,
}

/// The text, laid out in one font and in colours by what each part is.
pub(super) fn job(text: &str, theme: &Theme, font: &FontId, width: f32) -> LayoutJob {
    let mut job = LayoutJob::default();
    job.wrap.max_width = width;
    let mut push = |part: &str, role: Role| {
        let format = TextFormat { font_id: font.clone(), color: ink(theme, role), ..TextFormat::default() };
        job.append(part, 0.0, format);
    };
    if text.len() > BYTES_MAX {
        push(text, Role::Plain);
    } else {
        parts(text, &mut push);
    }
    job
}

fn ink(theme: &Theme, role: Role) -> Color32 {
    match role {
        Role::Plain => theme.text,
        Role::Key => theme.accent,
        Role::Text => theme.good,
        Role::Value => theme.warning,
        Role::Comment => theme.text_muted,
    }
}

/// Tells each part of the text in order; together they are the text.
fn parts<'a>(text: &'a str, tell: &mut impl FnMut(&'a str, Role)) {
    // Lines that are deeper than this belong to a text of several lines.
    let mut block: Option<usize> = None;
    for line in text.split_inclusive('\n') {
        let indent = line.len() - line.trim_start_matches(' ').len();
        let is_blank = line.trim().is_empty();
        if let Some(depth) = block {
            if is_blank || indent > depth {
                tell(line, Role::Text);
                continue;
            }
            block = None;
        }
        if line_of(line, tell) {
            block = Some(indent);
        }
    }
}

/// One line that is not in a text of several; whether it begins one.
fn line_of<'a>(line: &'a str, tell: &mut impl FnMut(&'a str, Role)) -> bool {
    if line.starts_with("---") || line.starts_with("...") {
        tell(line, Role::Comment);
        return false;
    }
    let start = line.len() - line.trim_start_matches([' ', '-']).len();
    let (indent, rest) = line.split_at(start);
    tell(indent, Role::Plain);
    let (words, comment) = rest.split_at(comment_at(rest));
    let value = match key_end(words) {
        Some(end) => {
            let (key, value) = words.split_at(end);
            tell(key, Role::Key);
            let (colon, value) = value.split_at(1);
            tell(colon, Role::Plain);
            value
        }
        None => words,
    };
    tell(value, role_of(value.trim()));
    tell(comment, Role::Comment);
    let value = value.trim();
    value.starts_with(['|', '>']) && value[1..].chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '-'))
}

/// Where a comment begins: at the end where there is none.
fn comment_at(line: &str) -> usize {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in line.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'') && matches!(before, ' ' | ':' | '[' | '{' | ',') => {
                quote = Some(c)
            }
            None if c == '#' && before == ' ' => return at,
            None => {}
        }
        before = c;
    }
    line.len()
}

/// Where a key's colon is.
fn key_end(words: &str) -> Option<usize> {
    let quoted = words.chars().next().filter(|c| matches!(c, '"' | '\''));
    let from = match quoted {
        Some(quote) => words[1..].find(quote)? + 2,
        None if words.starts_with(['{', '[', '|', '>', '&', '*', '!']) => return None,
        None => 0,
    };
    let found = words[from..]
        .match_indices(':')
        .find(|(at, _)| words[from + at + 1..].chars().next().is_none_or(char::is_whitespace));
    let end = found.map(|(at, _)| from + at)?;
    // What follows a key in quotes at once is its colon, or it is no key.
    (quoted.is_none() || words[from..end].trim().is_empty()).then_some(end)
}

fn role_of(value: &str) -> Role {
    let is_word = matches!(value, "true" | "false" | "null" | "~" | "yes" | "no" | "on" | "off");
    let is_number = value.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'))
        && value.parse::<f64>().is_ok();
    match value.chars().next() {
        Some('"' | '\'' | '|' | '>') => Role::Text,
        _ if is_word || is_number => Role::Value,
        _ => Role::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<(&str, Role)> {
        let mut told = Vec::new();
        parts(text, &mut |part, role| told.push((part, role)));
        assert_eq!(told.iter().map(|(part, _)| *part).collect::<String>(), text, "nothing is lost");
        told.into_iter().filter(|(part, _)| !part.trim().is_empty()).collect()
    }

    #[test]
    fn keys_values_text_and_comments_are_told_apart() {
        assert_eq!(
            told("---\nkind: Service # a comment\n  - port: 80\n  name: \"a # b\"\n"),
            [
                ("---\n", Role::Comment),
                ("kind", Role::Key),
                (":", Role::Plain),
                (" Service ", Role::Plain),
                ("# a comment\n", Role::Comment),
                ("  - ", Role::Plain),
                ("port", Role::Key),
                (":", Role::Plain),
                (" 80\n", Role::Value),
                ("name", Role::Key),
                (":", Role::Plain),
                (" \"a # b\"\n", Role::Text),
            ]
            .into_iter()
            .filter(|(part, _)| !part.trim().is_empty())
            .collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_text_of_several_lines_is_one_until_it_is_less_deep() {
        let text = "run: |\n  key: no key\n\n  # no comment\nnext: true\n";
        let roles: Vec<Role> = told(text).into_iter().map(|(_, role)| role).collect();
        use Role::{Key, Plain, Text, Value};
        assert_eq!(roles, [Key, Plain, Text, Text, Text, Key, Plain, Value]);
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_written_stays_as_it_is(text in "[ a:'\"#|>\\-\\[{&ä\n0-9]{0,60}") {
            told(&text);
        }
    }
}
