//! Runs as a report to read, to print and to pass on: one HTML file with everything in it.
//!
//! No script and nothing from elsewhere: the page's own policy forbids both. Plots are SVG in the page.

mod capacity;
mod compare;
mod detail;
mod metrics;
mod notes;
mod plan;
mod summary;

use std::borrow::Borrow;

use jiff::Timestamp;

use crate::model::run::{Ended, error_words};
use crate::model::{Run, number};
use crate::stats::Latency;

use super::markup::Markup;
use super::plot::{self, Curve, Figure};

const SHEET: &str = include_str!("html/sheet.css");
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/// A report of one run, or of several with their quantile curves over each other and a table side by side.
#[must_use]
pub fn write<R: Borrow<Run>>(runs: &[R], generated: Timestamp) -> String {
    let runs: Vec<&Run> = runs.iter().map(Borrow::borrow).collect();
    let title = match runs.as_slice() {
        [] => "No runs".to_owned(),
        [run] => run.name.clone(),
        _ => format!("{} runs", runs.len()),
    };
    let mut page = Markup::beginning("<!DOCTYPE html>\n");
    page.element("html", &[("lang", "en")], |html| {
        html.element("head", &[], |head| {
            head.void("meta", &[("charset", "utf-8")]);
            head.void("meta", &[("http-equiv", "Content-Security-Policy"), ("content", POLICY)]);
            head.void("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]);
            head.void("meta", &[("name", "color-scheme"), ("content", "light dark")]);
            head.leaf("title", &[], &format!("{title} – Meshbench report"));
            head.style(SHEET);
        });
        html.element("body", &[], |body| {
            if runs.len() > 1 {
                compare::overlay(body, &runs);
            }
            let details = runs.iter().take(plot::SERIES_MAX).enumerate();
            for (at, run) in details {
                let letter = (runs.len() > 1).then(|| compare::letter(at));
                run_section(body, run, letter);
            }
            notes::reading(body);
            foot(body, &runs, generated);
        });
    });
    page.finish()
}

fn run_section(body: &mut Markup, run: &Run, letter: Option<String>) {
    body.element("main", &[], |main| {
        head(main, run, letter.as_deref());
        notes::warnings(main, run);
        summary::numbers(main, run);
        if !run.goals.is_empty() {
            section(main, "Goals", |inner| summary::goals(inner, run));
        }
        if let Some(found) = &run.capacity {
            section(main, "Highest rate", |inner| capacity::found(inner, found));
        }
        section(main, "Latency", |inner| {
            summary::quantiles(inner, run);
        });
        section(main, "Requests", |inner| summary::outcomes(inner, run));
        plots(main, run);
        if !run.marks.is_empty() {
            section(main, "Marks", |inner| capacity::marks(inner, &run.marks));
        }
        detail::sections(main, run);
        metrics::sections(main, run);
        section(main, "Plan", |inner| plan::table(inner, run));
        section(main, "Environment", |inner| plan::environment(inner, run));
        section(main, "Plan as TOML", |inner| plan::toml(inner, run));
    });
}

fn head(main: &mut Markup, run: &Run, letter: Option<&str>) {
    main.element("header", &[], |header| {
        header.leaf("p", &[("class", "kicker")], "Load test report");
        header.element("h1", &[], |h1| {
            if let Some(letter) = letter {
                h1.leaf("span", &[("class", "letter")], letter);
            }
            h1.foreign(&run.name);
        });
        header.element("p", &[("class", "target")], |p| {
            p.foreign(&run.plan.request.method);
            p.text(" ");
            p.foreign(&run.plan.redacted().target.url);
        });
        header.element("p", &[("class", "facts")], |p| {
            p.text(&format!("{} · {} long · ", moment(run.started), length(run.elapsed_s)));
            let class = if run.ended == Ended::Completed { "quiet" } else { "warn" };
            p.leaf("span", &[("class", class)], run.ended.words());
            for (key, value) in &run.labels {
                p.text(" ");
                p.element("span", &[("class", "label")], |label| {
                    label.foreign(key);
                    label.text(" ");
                    label.element("b", &[], |b| b.foreign(value));
                });
            }
        });
        if !run.note.is_empty() {
            header.element("p", &[("class", "note")], |p| p.foreign(&run.note));
        }
    });
}

fn plots(main: &mut Markup, run: &Run) {
    let response = whole(run);
    let service = Latency::decode(&run.histograms.service).ok().filter(|latency| !latency.is_empty());
    let mut curves = Vec::new();
    for (class, words, latency) in [
        ("curve response", "response time", response.as_ref()),
        ("curve service", "service time", service.as_ref()),
    ] {
        if let Some(latency) = latency {
            curves.push(Curve { class: class.to_owned(), words: words.to_owned(), latency });
        }
    }
    let figures = [
        plot::response_over_time(run),
        plot::heat_over_time(run),
        plot::rate_over_time(run),
        plot::errors_over_time(run),
        plot::quantile_curves("Quantiles by the number of nines", &curves),
        response.as_ref().and_then(plot::histogram),
    ];
    for drawn in figures.into_iter().flatten() {
        figure(main, drawn);
    }
    if response.is_none() {
        main.leaf(
            "p",
            &[("class", "quiet")],
            "No curve and no histogram: this record holds no response times.",
        );
    }
}

/// The response times of a whole run: its histogram, or what its intervals hold if it was interrupted.
fn whole(run: &Run) -> Option<Latency> {
    if let Ok(latency) = Latency::decode(&run.histograms.response)
        && !latency.is_empty()
    {
        return Some(latency);
    }
    let mut merged = Latency::new();
    for interval in &run.intervals {
        if let Ok(latency) = Latency::decode(&interval.histogram) {
            for (nanos, count) in latency.recorded() {
                merged.record_n(nanos, count);
            }
        }
    }
    (!merged.is_empty()).then_some(merged)
}

fn section(main: &mut Markup, title: &str, fill: impl FnOnce(&mut Markup)) {
    main.element("section", &[], |section| {
        section.leaf("h2", &[], title);
        fill(section);
    });
}

fn figure(main: &mut Markup, drawn: Figure) {
    section(main, drawn.title, |section| {
        if !drawn.legend.is_empty() {
            section.element("p", &[("class", "legend")], |p| {
                for (class, words) in &drawn.legend {
                    p.element("span", &[("class", "key")], |key| {
                        swatch(key, class);
                        key.foreign(words);
                    });
                }
            });
        }
        section.append(drawn.picture);
        section.leaf("p", &[("class", "caption")], &drawn.note);
    });
}

/// A short piece of a line, or a small block, in the series' own colour and dashes.
fn swatch(key: &mut Markup, class: &str) {
    let attributes = [("class", "swatch"), ("viewBox", "0 0 26 10"), ("aria-hidden", "true")];
    key.element("svg", &attributes, |svg| {
        let block = class.starts_with("block ");
        let line = if block { "M6 0H18V10H6Z" } else { "M0 5H26" };
        let class = if block { class.replacen("block", "bar", 1) } else { class.to_owned() };
        svg.void("path", &[("class", &class), ("d", line)]);
    });
}

fn foot(body: &mut Markup, runs: &[&Run], generated: Timestamp) {
    body.element("footer", &[], |footer| {
        footer.leaf(
            "p",
            &[],
            &format!("Written by Meshbench {} on {}.", env!("CARGO_PKG_VERSION"), moment(generated)),
        );
        for run in runs {
            footer.element("p", &[], |p| {
                p.foreign(&run.name);
                p.text(" ");
                p.leaf("code", &[], &run.id.to_string());
            });
        }
    });
}

/// `2026-03-01 09:30:00 UTC`.
fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn length(seconds: f64) -> String {
    if seconds < 120.0 { number::millis(seconds * 1e3) } else { number::clock(seconds) }
}

/// A table of names and values.
fn pairs(out: &mut Markup, rows: &[(String, String)]) {
    out.element("table", &[("class", "pairs")], |table| {
        table.element("tbody", &[], |tbody| {
            for (name, value) in rows {
                tbody.element("tr", &[], |tr| {
                    tr.element("th", &[("scope", "row")], |th| th.foreign(name));
                    tr.element("td", &[], |td| td.foreign(value));
                });
            }
        });
    });
}

fn pair(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

/// `1.2 %` of all that was due; a dash when nothing was.
fn share(part: u64, whole: u64) -> String {
    if whole == 0 { number::UNKNOWN.to_owned() } else { number::percent(part as f64 / whole as f64) }
}

/// What people read for a class of error.
fn class_words(class: &str) -> String {
    error_words(class).to_owned()
}
