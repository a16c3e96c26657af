//! Foreign text made harmless: of bounded length, without what moves a cursor or hides words, and without logins.

use super::secrets::Secrets;

/// Ends a text that was cut.
const CUT: &str = "… (cut)";

/// One line.
pub(super) fn line(text: &str, bytes_max: usize, secrets: &Secrets) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    cut(&secrets.hide(shown(&words.join(" "), |_| false)), bytes_max)
}

/// Lines stay lines.
pub(super) fn lines(text: &str, bytes_max: usize, secrets: &Secrets) -> String {
    cut(&secrets.hide(shown(text.trim(), |c| c == '\n' || c == '\t')), bytes_max)
}

/// Whether a key or the like is as it would be shown: what is not cannot be asked for by what people see.
pub(super) fn is_clean(text: &str, bytes_max: usize, secrets: &Secrets) -> bool {
    !text.is_empty() && line(text, bytes_max, secrets) == text
}

/// Without hidden characters: before logins are looked for, which they could break up, as a cut could.
fn shown(text: &str, stays: impl Fn(char) -> bool) -> String {
    text.chars().filter(|c| stays(*c) || !is_hidden(*c)).collect()
}

fn cut(text: &str, bytes_max: usize) -> String {
    let mut kept = String::new();
    for c in text.chars() {
        if kept.len() + c.len_utf8() > bytes_max {
            kept.push_str(CUT);
            break;
        }
        kept.push(c);
    }
    kept
}

/// Controls, and marks that turn the direction of what follows.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, bytes_max: usize) -> String {
        super::line(text, bytes_max, &Secrets::default())
    }

    fn lines(text: &str, bytes_max: usize) -> String {
        super::lines(text, bytes_max, &Secrets::default())
    }

    #[test]
    fn a_login_is_hidden_though_it_is_broken_up_or_would_be_cut() {
        assert_eq!(line("bearer abc\u{7}def\u{200b}123456", 100), "bearer (hidden)");
        assert_eq!(line("bearer abcdef123456", 12), "bearer (hidd… (cut)");
    }

    #[test]
    fn only_what_is_shown_as_it_is_is_clean() {
        for (key, is_it) in [
            ("a-b.c", true),
            ("a b", true),
            ("", false),
            (" a", false),
            ("a\u{7}", false),
            ("abcdefghijk", false),
        ] {
            assert_eq!(is_clean(key, 10, &Secrets::default()), is_it, "{key:?}");
        }
    }

    #[test]
    fn what_moves_a_cursor_or_turns_text_is_left_out() {
        assert_eq!(line("a\u{1b}[31m b\r\n\tc\u{202e}d", 100), "a[31m b cd");
        assert_eq!(lines("a\u{7}\nb\n", 100), "a\nb");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(line("äöü", 4), "äö… (cut)");
        assert_eq!(line("äöü", 6), "äöü");
        assert!(lines(&"x".repeat(1 << 20), 64).len() < 80);
    }
}
