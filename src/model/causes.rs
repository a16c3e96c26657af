//! Errors in words, with what caused them.

use std::error::Error;

/// An error and all that caused it, outermost first, each said once: many repeat their cause in their own words.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !words.contains(&said) {
            words.push_str(": ");
            words.push_str(&said);
        }
        next = cause.source();
    }
    words
}

/// Words as they begin a sentence.
#[must_use]
pub fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{words}")]
    struct Told {
        words: &'static str,
        #[source]
        cause: Option<Box<Told>>,
    }

    #[test]
    fn a_sentence_begins_with_a_large_letter() {
        assert_eq!(["", "élan", "It is"].map(sentence), ["", "Élan", "It is"]);
    }

    #[test]
    fn every_cause_is_said_once() {
        let told = |words, cause: Option<Told>| Told { words, cause: cause.map(Box::new) };
        let error = told("no answer: refused", Some(told("refused", Some(told("no route", None)))));
        assert_eq!(chain(&error), "no answer: refused: no route");
    }
}
