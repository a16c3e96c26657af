//! Whatever a person writes as a query, or a board brings: words about it, and words that may follow at any place in it.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use meshbench::metrics::promql::{Known, check, complete, selector};

fuzz_target!(|text: &str| {
    if let Err(mistake) = check(text) {
        assert!(!mistake.words.is_empty());
        assert!(mistake.at.is_none_or(|at| at <= text.len()), "{mistake:?}");
    }
    let _ = selector(text);
    let names = BTreeSet::from(["http_requests_total".to_owned(), "ünï".to_owned()]);
    let labels = ["pod".to_owned()];
    let known = Known { names: &names, labels: &labels, variables: &labels };
    for cursor in (0..=text.len().min(64)).chain([usize::MAX]) {
        let offered = complete(text, cursor, known);
        let _ = &text[offered.replaces];
    }
});
