//! What a search for the highest rate has found, and what was done while a run went.

use super::super::markup::Markup;
use crate::model::capacity::Capacity;
use crate::model::run::Mark;

/// The answer in a sentence, and every trial.
pub(super) fn found(out: &mut Markup, capacity: &Capacity) {
    out.leaf("p", &[], &capacity.words());
    out.element("table", &[], |table| {
        table.element("tr", &[], |tr| {
            for head in ["Trial", "Rate", "Achieved", "p99 response", "Failed", "Verdict"] {
                tr.leaf("th", &[], head);
            }
        });
        for (at, trial) in capacity.trials.iter().enumerate() {
            table.element("tr", &[], |tr| {
                for cell in trial.cells(at + 1) {
                    tr.leaf("td", &[], &cell);
                }
                tr.element("td", &[], |td| td.foreign(&trial.verdict_words()));
            });
        }
    });
}

/// Marks and changes, by their moment.
pub(super) fn marks(out: &mut Markup, marks: &[Mark]) {
    out.element("table", &[], |table| {
        for mark in marks {
            table.element("tr", &[], |tr| {
                tr.leaf("td", &[], &format!("{:.1} s", mark.at_s));
                tr.element("td", &[], |td| td.foreign(&mark.text));
            });
        }
    });
}
