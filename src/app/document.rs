//! Runs in the formats in which they leave, for faces and for jobs.

use std::borrow::Borrow;

use jiff::Timestamp;

use super::command::ExportFormat;
use crate::model::Run;
use crate::report;

/// Runs in a format. As JSON one run is an object, several are an array. `now` is written on reports.
#[must_use]
pub fn of<R: Borrow<Run>>(runs: &[R], format: ExportFormat, now: Timestamp) -> String {
    match format {
        ExportFormat::Json => match runs {
            [run] => report::json::write(run.borrow()),
            runs => report::json::write_all(runs),
        },
        ExportFormat::CsvIntervals => report::csv::intervals_of(runs),
        ExportFormat::CsvQuantiles => report::csv::quantiles(runs),
        ExportFormat::Html => report::html::write(runs, now),
    }
}

/// One run as JSON: an object.
#[must_use]
pub fn json(run: &Run) -> String {
    report::json::write(run)
}
