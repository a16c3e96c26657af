//! Prometheus' language as far as a person who writes it is helped: what is wrong with it, and how it may go on.

use promql_parser::label::MatchOp;
use promql_parser::parser::{Expr, parse};

use super::failure::said;
use crate::model::causes::sentence;
use crate::model::metrics::{Matcher, Op, Selector};
use crate::model::number;

mod complete;
mod standin;

pub use self::complete::{Completion, Known, complete};

/// The longest query that is looked at, in bytes.
pub const QUERY_BYTES_MAX: usize = 32 * 1024;
/// The most brackets inside of each other.
const DEPTH_MAX: usize = 64;
/// The most operators, each of which the parser may put inside of the one before it.
const OPERATORS_MAX: usize = 300;
/// Operators that are words.
const OPERATOR_WORDS: [&str; 4] = ["and", "or", "unless", "atan2"];

/// What is wrong with a query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{words}")]
pub struct Mistake {
    /// Where, as a number of bytes from its start, where that is known.
    pub at: Option<usize>,
    /// What, in words for people.
    pub words: String,
}

impl Mistake {
    fn at(at: usize, words: &str) -> Self {
        Self { at: Some(at), words: words.to_owned() }
    }
}

/// Whether a query can be read, by the language of Prometheus 2.45. Variables (`$name`, `${name}`, `[[name]]`,
/// `$__rate_interval` …) stand for something that fits.
///
/// A help, not a verdict: newer servers and VictoriaMetrics know more, so a query with a mistake may still be asked.
///
/// # Errors
/// The first mistake.
pub fn check(promql: &str) -> Result<(), Mistake> {
    if promql.len() > QUERY_BYTES_MAX {
        let words = format!("It is longer than {}", number::bytes(QUERY_BYTES_MAX as u64));
        return Err(Mistake { at: Some(QUERY_BYTES_MAX), words });
    }
    if promql.trim().is_empty() {
        return Err(Mistake { at: None, words: "Nothing is asked".to_owned() });
    }
    balance(promql)?;
    if operators(promql) > OPERATORS_MAX {
        let words = format!("There are more than {OPERATORS_MAX} operators in it");
        return Err(Mistake { at: None, words });
    }
    let mut first = None;
    for text in standin::texts(promql) {
        match parse(&text) {
            Ok(_) => return Ok(()),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(mistake(promql, &first.unwrap_or_default()))
}

/// A selector: `metric{label="value"}`, and nothing else; variables have to be replaced already.
#[must_use]
pub fn selector(text: &str) -> Option<Selector> {
    if text.len() > QUERY_BYTES_MAX || operators(text) > OPERATORS_MAX || balance(text).is_err() {
        return None;
    }
    let Ok(Expr::VectorSelector(found)) = parse(text) else { return None };
    if found.offset.is_some() || found.at.is_some() || !found.matchers.or_matchers.is_empty() {
        return None;
    }
    let mut selector = Selector::of(found.name.as_deref().unwrap_or_default());
    for matcher in found.matchers.matchers {
        let op = match matcher.op {
            MatchOp::Equal => Op::Is,
            MatchOp::NotEqual => Op::IsNot,
            MatchOp::Re(_) => Op::Matches,
            MatchOp::NotRe(_) => Op::MatchesNot,
        };
        selector.matchers.push(Matcher { label: matcher.name, op, value: matcher.value });
    }
    Some(selector)
}

/// Whether brackets and quotes are closed, and not too deep for a parser that calls itself.
fn balance(text: &str) -> Result<(), Mistake> {
    let mut open: Vec<(usize, char)> = Vec::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' | '\'' | '`' => close_text(&mut letters, letter)
                .ok_or_else(|| Mistake::at(at, "A text begins here and does not end: a quote is missing"))?,
            '#' => {
                letters.find(|(_, letter)| *letter == '\n');
            }
            '(' | '[' | '{' if open.len() >= DEPTH_MAX => {
                return Err(Mistake::at(at, "There are too many brackets inside of each other"));
            }
            '(' | '[' | '{' => open.push((at, letter)),
            ')' | ']' | '}' => {
                let opened = open.pop().map(|(_, opened)| opened);
                if opened != Some(pair(letter)) {
                    return Err(Mistake::at(at, &format!("“{letter}” closes nothing that is open here")));
                }
            }
            _ => {}
        }
    }
    let never = |(at, letter)| Mistake::at(at, &format!("“{letter}” is never closed"));
    open.pop().map_or(Ok(()), |last| Err(never(last)))
}

/// At least as many operators as there are; those in texts are counted too.
fn operators(text: &str) -> usize {
    let signs = text.bytes().filter(|byte| b"+-*/%^=<>!~".contains(byte)).count();
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    signs + words.filter(|word| OPERATOR_WORDS.iter().any(|known| word.eq_ignore_ascii_case(known))).count()
}

fn pair(closing: char) -> char {
    match closing {
        ')' => '(',
        ']' => '[',
        _ => '{',
    }
}

/// Goes on to just after the quote that ends a text.
fn close_text(letters: &mut std::str::CharIndices<'_>, quote: char) -> Option<()> {
    loop {
        match letters.next()?.1 {
            // Nothing is escaped between backticks.
            '\\' if quote != '`' => {
                letters.next()?;
            }
            letter if letter == quote => return Some(()),
            _ => {}
        }
    }
}

/// What the parser says, for people.
fn mistake(promql: &str, error: &str) -> Mistake {
    let trimmed = promql.trim_end();
    if trimmed.ends_with(['+', '-', '*', '/', '%', '^', '=', '<', '>', '!', ',', '~']) {
        return Mistake::at(trimmed.len(), "Something is missing at the end");
    }
    if error == "invalid promql query" || error.is_empty() {
        return Mistake { at: None, words: "This is not PromQL that can be read".to_owned() };
    }
    if let Some(rest) = error.strip_prefix("expected type matrix in call to function '") {
        let function = rest.split('\'').next().unwrap_or_default();
        let words = format!("“{function}” needs a time: {function}(metric[5m])");
        return Mistake { at: word_at(promql, function), words };
    }
    if let Some(name) = error.strip_prefix("unknown function with name ") {
        let name = name.trim_matches(['\'', '"']);
        return Mistake { at: word_at(promql, name), words: format!("There is no function “{name}”") };
    }
    Mistake { at: None, words: sentence(&said(error, &[])) }
}

fn word_at(text: &str, word: &str) -> Option<usize> {
    (!word.is_empty()).then(|| text.find(word)).flatten()
}

#[cfg(test)]
mod tests;
