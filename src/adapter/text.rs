//! Foreign text made harmless: of bounded length, without what moves a cursor or hides words.

/// Ends a text that was cut.
const CUT: &str = "… (cut)";

/// One line.
pub(super) fn line(text: &str, bytes_max: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    cut(&words.join(" "), bytes_max, |_| false)
}

/// Lines stay lines.
pub(super) fn lines(text: &str, bytes_max: usize) -> String {
    cut(text.trim(), bytes_max, |c| c == '\n' || c == '\t')
}

fn cut(text: &str, bytes_max: usize, stays: impl Fn(char) -> bool) -> String {
    let mut kept = String::new();
    for c in text.chars().filter(|c| stays(*c) || !is_hidden(*c)) {
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
