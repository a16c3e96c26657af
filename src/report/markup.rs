//! HTML and SVG that cannot be broken by what is in it: tags are balanced by construction, names are
//! constants, and every text and attribute value goes through [`escape`].

use std::fmt::Write as _;

/// Markup under construction.
#[derive(Debug, Default)]
pub(super) struct Markup {
    out: String,
    open: Vec<&'static str>,
}

/// An attribute's name and value.
pub(super) type Attribute<'a> = (&'static str, &'a str);

impl Markup {
    /// Markup that begins with a fixed line, such as a document type.
    pub(super) fn beginning(first: &'static str) -> Self {
        Self { out: first.to_owned(), open: Vec::new() }
    }

    /// An element whose content `fill` writes.
    pub(super) fn element(
        &mut self,
        tag: &'static str,
        attributes: &[Attribute<'_>],
        fill: impl FnOnce(&mut Self),
    ) {
        self.start(tag, attributes);
        self.out.push('>');
        self.open.push(tag);
        fill(self);
        let closed = self.open.pop();
        debug_assert_eq!(closed, Some(tag));
        // Infallible: writing to a String.
        let _ = write!(self.out, "</{tag}>");
        if is_block(tag) {
            self.out.push('\n');
        }
    }

    /// An element that holds nothing but a text.
    pub(super) fn leaf(&mut self, tag: &'static str, attributes: &[Attribute<'_>], text: &str) {
        self.element(tag, attributes, |inner| inner.text(text));
    }

    /// An element that holds nothing.
    pub(super) fn void(&mut self, tag: &'static str, attributes: &[Attribute<'_>]) {
        self.start(tag, attributes);
        self.out.push_str("/>");
    }

    /// A text.
    pub(super) fn text(&mut self, text: &str) {
        self.out.push_str(&escape(text));
    }

    /// A text that came from outside: also kept from turning the direction of what stands around it.
    pub(super) fn foreign(&mut self, text: &str) {
        self.leaf("bdi", &[], text);
    }

    /// A style sheet, which is a constant.
    pub(super) fn style(&mut self, sheet: &'static str) {
        debug_assert!(!sheet.contains('<'));
        self.element("style", &[], |inner| inner.out.push_str(sheet));
    }

    /// Markup made elsewhere.
    pub(super) fn append(&mut self, other: Self) {
        self.out.push_str(&other.finish());
    }

    /// The whole text.
    pub(super) fn finish(self) -> String {
        debug_assert!(self.open.is_empty());
        self.out
    }

    fn start(&mut self, tag: &'static str, attributes: &[Attribute<'_>]) {
        let _ = write!(self.out, "<{tag}");
        for (name, value) in attributes {
            let _ = write!(self.out, " {name}=\"{}\"", escape(value));
        }
    }
}

fn is_block(tag: &str) -> bool {
    matches!(
        tag,
        "html" | "head" | "body" | "title" | "style" | "header" | "main" | "footer" | "section" | "table"
    ) || matches!(tag, "thead" | "tbody" | "tr" | "h1" | "h2" | "h3" | "p" | "div" | "figure" | "svg" | "dl")
        || matches!(tag, "ul" | "li" | "details" | "pre" | "aside" | "g")
}

/// Text as it may stand between tags and in quoted attributes. Characters that are not allowed in a
/// document, and those that turn the direction of text around them, are shown instead of obeyed.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            '\0'..='\u{1f}' => out.push(char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}')),
            '\u{7f}'..='\u{9f}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{061c}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{fffe}'
            | '\u{ffff}' => {
                let _ = write!(out, "[U+{:04X}]", c as u32);
            }
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_can_become_markup() {
        for (text, escaped) in [
            ("</script><b>", "&lt;/script&gt;&lt;b&gt;"),
            ("\"' onload=x", "&quot;&#39; onload=x"),
            ("]]>", "]]&gt;"),
            ("a\0b\u{1b}", "a␀b␛"),
            ("\u{202e}txt", "[U+202E]txt"),
            ("&lt;", "&amp;lt;"),
            ("Zürich – 東京 שלום", "Zürich – 東京 שלום"),
        ] {
            assert_eq!(escape(text), escaped);
        }
    }

    #[test]
    fn elements_are_closed_and_values_quoted() {
        let mut markup = Markup::default();
        markup.element("p", &[("title", "a\"b")], |p| {
            p.foreign("<x>");
            p.void("br", &[]);
        });
        assert_eq!(markup.finish(), "<p title=\"a&quot;b\"><bdi>&lt;x&gt;</bdi><br/></p>\n");
    }
}
