//! Rust text as words: names, `::`, marks and string literals, without comments and character literals.
//!
//! Not a parser: just enough that a word in a comment or a string is never taken for code.

/// One word and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) line: usize,
    pub(super) word: Word,
}

/// What stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// An identifier or keyword, or a number.
    Name(String),
    /// `::`
    Separator,
    /// Any other mark.
    Mark(char),
    /// The inside of a string literal, escapes as written.
    Text(String),
}

impl Token {
    pub(super) fn name(&self) -> Option<&str> {
        match &self.word {
            Word::Name(name) => Some(name),
            _ => None,
        }
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.name() == Some(name)
    }
}

/// The words of a Rust file, in order.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut reader = Reader { rest: text, line: 1 };
    let mut tokens = Vec::new();
    while let Some(first) = reader.rest.chars().next() {
        let line = reader.line;
        if let Some(word) = reader.word(first) {
            tokens.push(Token { line, word });
        }
    }
    tokens
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.line += taken.matches('\n').count();
        self.rest = rest;
        taken
    }

    /// Reads one word, or skips one stretch that is none.
    fn word(&mut self, first: char) -> Option<Word> {
        if self.rest.starts_with("//") {
            self.take(self.rest.find('\n').unwrap_or(self.rest.len()));
            return None;
        }
        if self.rest.starts_with("/*") {
            self.skip_block_comment();
            return None;
        }
        if self.rest.starts_with("::") {
            self.take(2);
            return Some(Word::Separator);
        }
        match first {
            '"' => Some(Word::Text(self.string())),
            '\'' => {
                self.skip_character_or_lifetime();
                None
            }
            _ if first.is_alphanumeric() || first == '_' => Some(self.name_or_prefixed_string()),
            _ if first.is_whitespace() => {
                self.take(first.len_utf8());
                None
            }
            _ => {
                self.take(first.len_utf8());
                Some(Word::Mark(first))
            }
        }
    }

    fn skip_block_comment(&mut self) {
        let mut depth = 0;
        loop {
            if self.rest.starts_with("/*") {
                depth += 1;
                self.take(2);
            } else if self.rest.starts_with("*/") {
                depth -= 1;
                self.take(2);
            } else {
                let Some(next) = self.rest.chars().next() else { return };
                self.take(next.len_utf8());
            }
            if depth == 0 {
                return;
            }
        }
    }

    /// The inside of a string that starts here with a quotation mark.
    fn string(&mut self) -> String {
        self.take(1);
        let mut escaped = false;
        let end = self.rest.find(|letter| {
            let ends = letter == '"' && !escaped;
            escaped = letter == '\\' && !escaped;
            ends
        });
        let inside = self.take(end.unwrap_or(self.rest.len())).to_owned();
        self.take(usize::from(!self.rest.is_empty()));
        inside
    }

    /// The inside of a raw string whose `r` is already taken.
    fn raw_string(&mut self) -> String {
        let hashes = self.rest.find('"').unwrap_or(0);
        let end = format!("\"{}", "#".repeat(hashes));
        self.take(hashes + 1);
        let inside = self.take(self.rest.find(&end).unwrap_or(self.rest.len())).to_owned();
        self.take(end.len().min(self.rest.len()));
        inside
    }

    fn skip_character_or_lifetime(&mut self) {
        self.take(1);
        let mut letters = self.rest.chars();
        let (first, second) = (letters.next(), letters.next());
        match (first, second) {
            (Some('\\'), Some(escaped)) => {
                self.take(1 + escaped.len_utf8());
                self.take(self.rest.find('\'').map_or(self.rest.len(), |at| at + 1));
            }
            (Some(letter), Some('\'')) => {
                self.take(letter.len_utf8() + 1);
            }
            // A lifetime: its name is read as a name, which no rule looks for.
            _ => {}
        }
    }

    fn name_or_prefixed_string(&mut self) -> Word {
        let end = self.rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
        let name = self.take(end.unwrap_or(self.rest.len()));
        let opens_raw = self.rest.trim_start_matches('#').starts_with('"');
        match name {
            "r" | "br" | "cr" if opens_raw => Word::Text(self.raw_string()),
            "b" | "c" if self.rest.starts_with('"') => Word::Text(self.string()),
            "b" if self.rest.starts_with('\'') => {
                self.skip_character_or_lifetime();
                Word::Name(name.to_owned())
            }
            "r" if self.rest.starts_with('#') => {
                self.take(1);
                self.name_or_prefixed_string()
            }
            _ => Word::Name(name.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> String {
        let words = tokens(text).into_iter().map(|token| match token.word {
            Word::Name(name) => name,
            Word::Separator => "::".to_owned(),
            Word::Mark(mark) => mark.to_string(),
            Word::Text(text) => format!("<{text}>"),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn code_comes_through_and_comments_do_not() {
        assert_eq!(words("use a::b; // c::d\n/* e /* f */ g */ h"), "use a :: b ; h");
    }

    #[test]
    fn strings_are_words_of_their_own() {
        assert_eq!(words(r#"f("a \" b", b"c", c"d")"#), r#"f ( <a \" b> , <c> , <d> )"#);
        assert_eq!(words("r##\"a \"# b\"## x"), "<a \"# b> x");
        assert_eq!(words("r\"a\\\" x"), "<a\\> x");
    }

    #[test]
    fn characters_are_skipped_and_lifetimes_do_not_swallow_code() {
        assert_eq!(words(r"x('a', '\'', '\u{1F600}', '\\', '/') y"), "x ( , , , , ) y");
        assert_eq!(words("fn f<'a>(x: &'a str)"), "fn f < a > ( x : & a str )");
        assert_eq!(words("b'\"' z"), "b z");
    }

    #[test]
    fn a_raw_name_is_its_name() {
        assert_eq!(words("r#type r#crate"), "type crate");
    }

    #[test]
    fn lines_are_counted_through_strings_and_comments() {
        let at: Vec<usize> = tokens("a \"x\ny\" b /* \n\n */ c").iter().map(|token| token.line).collect();
        assert_eq!(at, [1, 1, 2, 4]);
    }
}
