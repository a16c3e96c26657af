//! What a reader must know: about this run, and about the words.

use std::net::SocketAddr;

use crate::model::Run;
use crate::model::run::WarningKind;

use super::super::markup::Markup;

/// Everything to know before trusting the numbers, on top; loudest when they must not be used at all.
pub(super) fn warnings(out: &mut Markup, run: &Run) {
    let mut texts: Vec<&str> = run.warnings.iter().map(|warning| warning.text.as_str()).collect();
    let shared_said = run.warnings.iter().any(|warning| warning.kind == WarningKind::SharedMachine);
    if is_loopback(&run.environment.address) && !shared_said {
        texts.push("Target and generator ran on the same machine and shared its processors.");
    }
    if texts.is_empty() {
        return;
    }
    let class = if run.is_void() { "banner void" } else { "banner" };
    out.element("aside", &[("class", class)], |aside| {
        if run.is_void() {
            aside.leaf("p", &[("class", "loud")], "This run is void: do not use its numbers");
        }
        aside.element("ul", &[], |ul| {
            for text in texts {
                ul.element("li", &[], |li| li.foreign(text));
            }
        });
    });
}

/// What the words mean; once a report.
pub(super) fn reading(body: &mut Markup) {
    let words = [
        (
            "Response time",
            "from the moment a request was due to the end of its answer: what a user waits. A stall of the \
             target is charged to every request that was due meanwhile, not only to the one that hit it.",
        ),
        ("Service time", "from the moment a request was really sent to the end of its answer."),
        (
            "Lag",
            "how late our own generator was. When it is not small against the response times, the generator \
             was measured and not the target; the run is then marked void.",
        ),
        (
            "Due, answered, failed",
            "every request that was due has exactly one outcome: an answer with a status, one class of error, \
             or cancelled by a stop. Failed counts errors and answers with a status of 400 or above.",
        ),
        (
            "Quantiles",
            "taken from histograms with three significant digits. Percentiles are never averaged; histograms \
             are merged.",
        ),
    ];
    body.element("section", &[("class", "reading")], |section| {
        section.leaf("h2", &[], "How to read this");
        section.element("dl", &[], |dl| {
            for (name, meaning) in words {
                dl.leaf("dt", &[], name);
                dl.leaf("dd", &[], meaning);
            }
        });
    });
}

fn is_loopback(address: &str) -> bool {
    let ip = address.parse::<SocketAddr>().map(|socket| socket.ip()).or_else(|_| address.parse());
    ip.is_ok_and(|ip| ip.is_loopback())
}
