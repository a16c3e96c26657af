//! Reports: what is written, what is read back, and that nothing hostile gets through.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use meshbench::model::capacity::{Bound, Capacity, CapacityTrial, Verdict};
use meshbench::model::run::{
    Bytes, Connections, Ended, Environment, Histograms, Mark, MarkKind, Rate, Requests, Warning, WarningKind,
};
use meshbench::model::{
    BasicAuth, Cookie, Goal, Header, Interval, Labels, Pacing, Plan, Run, RunId, Stop, plan,
};
use meshbench::report::json::ReadError;
use meshbench::report::{csv, html, json};
use meshbench::stats::{Latency, Sketch};

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    /// Uniform between 0 and 1.
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Log-normal around `median_ms`.
    fn latency_ms(&mut self, median_ms: f64, spread: f64) -> f64 {
        let normal = (0..12).map(|_| self.roll()).sum::<f64>() - 6.0;
        median_ms * (normal * spread).exp()
    }
}

/// What a run of `seconds` at 1000/s against a service of this median would have measured, with a stall at
/// one third, an empty time at two thirds, and some errors.
fn measured(number: u8, name: &str, seconds: u32, median_ms: f64) -> Run {
    let mut dice = Dice(u64::from(number) + 7);
    let (mut response, mut service, mut lag) = (Latency::new(), Latency::new(), Latency::new());
    let mut intervals = Vec::new();
    let (mut answered, mut reset) = (0, 0);
    for second in 0..seconds {
        if second == seconds * 2 / 3 {
            continue;
        }
        let stalled = second == seconds / 3;
        let (mut of_interval, mut of_service) = (Latency::new(), Latency::new());
        for n in 0..1000u32 {
            let served = dice.latency_ms(median_ms, 0.35) + if dice.roll() < 0.01 { 18.0 } else { 0.0 };
            let waited = if stalled { (400.0 - f64::from(n)).max(0.0) } else { 0.0 };
            for (latency, ms) in [
                (&mut response, served + waited),
                (&mut of_interval, served + waited),
                (&mut service, served),
                (&mut of_service, served),
                (&mut lag, 0.04 * (1.0 + dice.roll())),
            ] {
                latency.record(Duration::from_secs_f64(ms / 1e3));
            }
        }
        let failed = if stalled { 37 } else { 0 };
        reset += failed;
        answered += 1000 - failed;
        let errors = if stalled { BTreeMap::from([("reset".to_owned(), failed)]) } else { BTreeMap::new() };
        intervals.push(Interval {
            start_s: f64::from(second),
            length_s: 1.0,
            due: 1000,
            answered: 1000 - failed,
            errors,
            in_flight: 3,
            response_ms: of_interval.quantiles(),
            service_ms: of_service.quantiles(),
            lag_p99_ms: 0.079,
            histogram: Sketch::of(&of_interval).to_latency().encode(),
            heat: Vec::new(),
        });
    }
    let mut run = empty(number, name);
    run.elapsed_s = f64::from(seconds);
    run.requests = Requests { due: answered + reset, answered, failed: reset, cancelled: 0 };
    run.warmup = Requests { due: 5000, answered: 5000, failed: 0, cancelled: 0 };
    run.rate = Rate { asked: Some(1000.0), achieved: answered as f64 / f64::from(seconds) };
    run.response_ms = response.quantiles();
    run.service_ms = service.quantiles();
    run.lag_ms = lag.quantiles();
    run.errors = BTreeMap::from([("reset".to_owned(), reset)]);
    run.status = BTreeMap::from([("200".to_owned(), answered)]);
    run.bytes = Bytes { sent: answered * 112, received: answered * 1270 };
    run.connections = Connections { opened: 53, waited: 120, resent: 0 };
    run.histograms = Histograms { response: response.encode(), service: service.encode(), lag: lag.encode() };
    run.intervals = intervals;
    run.plan.goals =
        ["p99<50ms", "errors<0.05%", "rate>=950"].map(|goal| goal.parse().expect("a goal")).to_vec();
    run.goals = run.plan.goals.iter().map(|goal: &Goal| goal.judge(&run)).collect();
    run
}

fn empty(number: u8, name: &str) -> Run {
    let mut plan = Plan::for_url("http://checkout.staging.svc:8080/cart?items=3");
    plan.pacing = Pacing::Constant { rate_per_sec: 1000.0 };
    plan.stop = Stop::Duration(Duration::from_secs(60));
    plan.warmup = Duration::from_secs(5);
    plan.name = "Checkout".to_owned();
    plan.connections = 50;
    Run {
        version: 1,
        id: format!("01933f5e-7a00-7000-8000-0000000000{number:02x}").parse().expect("an id"),
        name: name.to_owned(),
        labels: Labels::from([
            ("mesh".to_owned(), "istio".to_owned()),
            ("mesh_version".to_owned(), "1.24".to_owned()),
        ]),
        note: String::new(),
        marks: Vec::new(),
        plan,
        started: "2026-03-01T09:30:00Z".parse().expect("a time"),
        elapsed_s: 0.0,
        paused_s: 0.0,
        ended: Ended::Completed,
        interrupted: false,
        requests: Requests::default(),
        warmup: Requests::default(),
        rate: Rate::default(),
        response_ms: Latency::new().quantiles(),
        service_ms: Latency::new().quantiles(),
        lag_ms: Latency::new().quantiles(),
        errors: BTreeMap::new(),
        error_details: BTreeMap::new(),
        status: BTreeMap::new(),
        goals: Vec::new(),
        warnings: Vec::new(),
        bytes: Bytes::default(),
        connections: Connections::default(),
        environment: Environment {
            meshbench: "0.1.0".to_owned(),
            system: "linux x86_64".to_owned(),
            cpus: 8,
            load_threads: 2,
            address: "10.2.3.4:8080".to_owned(),
            load_cpu_share: Some(0.21),
            strain: Default::default(),
        },
        histograms: Histograms::default(),
        capacity: None,
        detail: Default::default(),
        intervals: Vec::new(),
        machine: Default::default(),
        metrics: None,
    }
}

fn now() -> Timestamp {
    "2026-03-01T10:00:00Z".parse().expect("a time")
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

const HOSTILE: [&str; 9] = [
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "]]><!--",
    "=cmd|' /C calc'!A0",
    "\u{202e}gnp.exe",
    "nul\0bell\u{7}",
    "\" onmouseover=\"x",
    "' style='x",
    "</style><b>&amp;",
];

/// A run in which every text that can be foreign is `text`.
fn hostile(text: &str) -> Run {
    let mut run = measured(1, text, 6, 4.0);
    run.labels = Labels::from([(text.to_owned(), text.to_owned())]);
    run.note = text.to_owned();
    run.plan.name = text.to_owned();
    run.plan.target.url = text.to_owned();
    run.plan.request.method = text.to_owned();
    run.plan.request.headers.push(Header { name: text.to_owned(), value: text.to_owned(), secret: false });
    run.plan.request.content_type = Some(text.to_owned());
    run.errors = BTreeMap::from([(text.to_owned(), 3)]);
    run.error_details = BTreeMap::from([(text.to_owned(), run.errors.clone())]);
    run.intervals[0].errors = run.errors.clone();
    run.status = BTreeMap::from([(text.to_owned(), 3)]);
    run.warnings.push(Warning { kind: WarningKind::GeneratorLagged, text: text.to_owned() });
    run.goals[0].goal = text.to_owned();
    run.environment.meshbench = text.to_owned();
    run.environment.system = text.to_owned();
    run.environment.address = text.to_owned();
    run
}

/// Every tag of a document that is closed as HTML and XML ask for it; panics where it is not well-formed.
fn tags(document: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let mut rest = document.strip_prefix("<!DOCTYPE html>").expect("it begins as HTML 5");
    while let Some(at) = rest.find('<') {
        let text = &rest[..at];
        assert!(!text.contains('>') || open.last().is_some_and(|tag| tag == "style"), "a bare > in {text:?}");
        let end = at + rest[at..].find('>').expect("every tag ends");
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "closed in order");
            continue;
        }
        let (name, attributes) =
            tag.trim_end_matches('/').split_once(' ').unwrap_or((tag.trim_end_matches('/'), ""));
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric()), "a tag's name: {name:?}");
        assert!(attributes.matches('"').count().is_multiple_of(2), "quotes in pairs: {attributes}");
        if !tag.ends_with('/') {
            open.push(name.to_owned());
        }
        found.push((name.to_owned(), attributes.to_owned()));
    }
    assert!(open.is_empty(), "left open: {open:?}");
    found
}

/// The document without what stands between double quotes in tags.
fn attribute_names(attributes: &str) -> Vec<String> {
    let outside: Vec<&str> = attributes.split('"').step_by(2).collect();
    outside
        .iter()
        .map(|part| part.trim().trim_end_matches('=').to_owned())
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn a_run_survives_its_json() {
    let runs = [measured(1, "Zürich – 東京", 6, 4.0), empty(2, "nothing measured")];
    assert_eq!(json::read(json::write_all(&runs)).expect("our own"), runs);
    assert_eq!(json::read(json::write(&runs[0])).expect("our own"), runs[..1]);
    assert_eq!(json::read(json::write_all::<Run>(&[])).expect("our own"), []);
    let with_mark = format!("\u{feff}{}", json::write(&runs[0]));
    assert_eq!(json::read(with_mark).expect("a byte order mark"), runs[..1]);
}

#[test]
fn a_run_of_version_1_is_read_and_written_alike_for_ever() {
    let path = data("run/v1.json");
    let golden = std::fs::read_to_string(&path).expect("tests/data/run/v1.json");
    let runs = json::read(&golden).expect("a run of version 1");
    assert_eq!(runs.len(), 1);
    assert_eq!(json::write(&runs[0]), golden);
    assert_eq!(runs[0].requests.due, 5000);
    assert_eq!(Latency::decode(&runs[0].histograms.response).expect("a histogram").count(), 5000);
}

#[test]
fn the_json_of_a_run_has_its_promised_keys() {
    let value: serde_json::Value =
        serde_json::from_str(&json::write(&measured(1, "run", 6, 4.0))).expect("JSON");
    for key in [
        "version",
        "id",
        "name",
        "labels",
        "plan",
        "errors",
        "status",
        "goals",
        "warnings",
        "interrupted",
        "bytes",
        "connections",
        "environment",
        "histograms",
        "intervals",
        "note",
        "started",
        "elapsed_s",
        "ended",
        "warmup",
    ] {
        assert!(value.get(key).is_some(), "{key}");
    }
    for key in ["due", "answered", "failed"] {
        assert!(value["requests"][key].is_u64(), "{key}");
    }
    for key in ["asked", "achieved"] {
        assert!(value["rate"][key].is_f64(), "{key}");
    }
    for latency in ["response_ms", "service_ms", "lag_ms"] {
        for key in ["p50", "p90", "p95", "p99", "p99.9", "max", "mean", "count"] {
            assert!(value[latency][key].is_number(), "{latency} {key}");
        }
    }
    for key in ["goal", "value", "met"] {
        assert!(value["goals"][0].get(key).is_some(), "{key}");
    }
}

#[test]
fn hostile_files_are_refused_with_a_reason() {
    let good = json::write(&measured(1, "run", 6, 4.0));
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    let reason = |text: &str| {
        let error = json::read(text).expect_err("hostile");
        let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        format!("{error}: {source}")
    };
    for (text, expected) in [
        (String::new(), "no runs"),
        ("null".to_owned(), "no runs"),
        ("[1]".to_owned(), "no runs"),
        ("[".repeat(100_000), "no runs"),
        (good[..good.len() / 2].to_owned(), "no runs"),
        (with("\"version\": 1", "\"version\": 2"), "reads versions up to 1"),
        (with("\"version\": 1", "\"version\": 0"), "version 0"),
        (with("\"due\": ", "\"due\": -"), "no runs"),
        (with("\"elapsed_s\": 6.0", "\"elapsed_s\": 1e999"), "no runs"),
        (with("\"elapsed_s\": 6.0", "\"elapsed_s\": -1"), "its length"),
        (with("\"start_s\": 1.0", "\"start_s\": -5"), "not in order"),
        (with("\"length_s\": 1.0", "\"length_s\": 0"), "not in order"),
        (with("HISTFAAA", "HISTFAAB"), "a histogram of run"),
        (format!("[{}]", vec!["{\"version\":1}"; json::RUNS_MAX + 1].join(",")), "more than"),
    ] {
        let found = reason(&text);
        assert!(found.contains(expected), "{expected}: {found}");
    }
    let many = ["{\"version\":7,\"whatever\":{}}"; 3].join(",");
    assert!(matches!(json::read(format!("[{many}]")), Err(ReadError::Newer { found: 7 })));
    assert!(matches!(json::read(vec![b' '; json::BYTES_MAX + 1]), Err(ReadError::TooLarge)));
    // Whatever single byte is broken, the reader answers.
    let small = json::write(&empty(1, "small")).into_bytes();
    for at in 0..small.len() {
        let mut broken = small.clone();
        broken[at] = broken[at].wrapping_add(13);
        let _ = json::read(broken);
    }
}

/// Cells of a CSV text, by RFC 4180.
fn cells(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted && chars.peek() == Some(&'\n') => {
                chars.next();
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            _ => cell.push(c),
        }
    }
    assert!(!quoted && cell.is_empty() && row.is_empty(), "the last row ends");
    rows
}

#[test]
fn tables_say_their_units_and_hold_every_interval() {
    let run = measured(1, "a, \"b\"\nc", 6, 4.0);
    let rows = cells(&csv::intervals(&run));
    assert_eq!(rows.len(), 1 + run.intervals.len());
    assert!(rows.iter().all(|row| row.len() == rows[0].len()));
    assert_eq!(rows[1][1], run.name);
    let column = |name: &str| rows[0].iter().position(|known| known == name).expect(name);
    for (row, interval) in rows[1..].iter().zip(&run.intervals) {
        assert_eq!(row[column("start_s")].parse(), Ok(interval.start_s));
        assert_eq!(row[column("response_p99.9_ms")].parse(), Ok(interval.response_ms.p99_9));
        assert_eq!(
            row[column("errors_reset")].parse(),
            Ok(interval.errors.get("reset").copied().unwrap_or(0))
        );
    }
    let rows = cells(&csv::quantiles(&[run.clone(), empty(2, "empty")]));
    let column = |name: &str| rows[0].iter().position(|known| known == name).expect(name);
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[1][column("lag_p99_ms")].parse(), Ok(run.lag_ms.p99));
    assert_eq!(rows[2][column("response_p50_ms")], "", "what was not measured is empty, not zero");
    assert_eq!(rows[2][column("response_count")], "0");
}

#[test]
fn no_cell_is_a_formula() {
    for sign in ["=", "+", "-", "@", "\t", "\r"] {
        let mut run = measured(1, &format!("{sign}cmd"), 6, 4.0);
        run.plan.target.url = format!("{sign}x,\"y");
        let text = csv::quantiles(&[&run]);
        assert_eq!(cells(&text)[1][1], format!("'{sign}cmd"));
        for row in cells(&(text + &csv::intervals(&run))) {
            for cell in row {
                let is_number = cell.parse::<f64>().is_ok();
                assert!(is_number || !cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell:?}");
            }
        }
    }
}

#[test]
fn a_report_is_well_formed_and_holds_what_was_measured() {
    let run = measured(1, "Checkout, sidecar", 60, 4.0);
    let page = html::write(&[&run], now());
    let tags = tags(&page);
    let svgs = tags.iter().filter(|(name, attributes)| name == "svg" && attributes.contains("role=")).count();
    assert_eq!(svgs, 6, "response, heat map, rate, errors, curve, histogram");
    for words in
        ["Checkout, sidecar", "59\u{2009}000", "✗ missed", "✓ met", "Connection reset", "p99&lt;50ms"]
    {
        assert!(page.contains(words), "{words}");
    }
    let shown = meshbench::model::number::millis(run.response_ms.p99_9);
    assert!(page.contains(&shown), "{shown}");
    std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("report.html"), page).expect("written");
}

#[test]
fn nothing_hostile_gets_into_a_report() {
    let allowed = [
        "class",
        "d",
        "viewBox",
        "role",
        "aria-label",
        "aria-hidden",
        "x",
        "y",
        "scope",
        "title",
        "lang",
        "charset",
        "http-equiv",
        "content",
        "name",
    ];
    for text in HOSTILE {
        let run = hostile(text);
        for page in [html::write(&[&run], now()), html::write(&[&run, &run], now())] {
            for (name, attributes) in tags(&page) {
                assert!(
                    !["script", "img", "link", "iframe", "object", "a", "base", "form"]
                        .contains(&name.as_str())
                );
                for attribute in attribute_names(&attributes) {
                    assert!(allowed.contains(&attribute.as_str()), "{text:?}: {attribute}");
                }
            }
            assert!(!page.contains("url("), "nothing is fetched");
            assert!(!page.contains(['\0', '\u{7}', '\u{202e}']), "{text:?}");
        }
        assert_eq!(
            json::read(json::write(&run)).expect("any text has a JSON form"),
            std::slice::from_ref(&run)
        );
        for row in cells(&csv::quantiles(&[run])) {
            assert!(row.iter().all(|cell| !cell.starts_with('=') && !cell.contains('\0')), "{text:?}");
        }
    }
    let page = html::write(&[&hostile("x")], now());
    assert!(page.contains(
        "content=\"default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;; img-src data:\""
    ));
}

#[test]
fn secrets_do_not_reach_a_report() {
    let mut run = measured(1, "run", 6, 4.0);
    let header = |name: &str, secret| Header { name: name.to_owned(), value: "CANARY".to_owned(), secret };
    run.plan.request.headers = vec![header("Authorization", false), header("X-Mine", true)];
    run.plan.request.cookies = vec![Cookie { name: "session".to_owned(), value: "CANARY".to_owned() }];
    run.plan.request.basic_auth = Some(BasicAuth { user: "ada".to_owned(), password: "CANARY".to_owned() });
    run.plan.target.url = "http://ada:CANARY@localhost/".to_owned();
    run.plan.target.ca_file = Some("/home/CANARY/ca.pem".into());
    let page = html::write(&[&run], now());
    assert!(!page.contains("CANARY"));
    assert!(page.contains("Authorization") && page.contains(plan::REDACTED) && page.contains("ca.pem"));
}

#[test]
fn a_void_run_says_so_first() {
    let mut run = measured(1, "run", 6, 4.0);
    run.warnings.push(Warning { kind: WarningKind::GeneratorLagged, text: "Lag p99 was 90 ms.".to_owned() });
    let page = html::write(&[&run], now());
    let void = page.find("This run is void").expect("it says so");
    assert!(void < page.find("Lag p99 was 90 ms").expect("and why"));
    assert!(void < page.find("p99 response").expect("before any number"));
}

#[test]
fn a_loopback_target_is_told() {
    let mut run = measured(1, "run", 6, 4.0);
    let said = |run: &Run| html::write(&[run], now()).matches("same machine").count();
    assert_eq!(said(&run), 0);
    for address in ["127.0.0.1:80", "[::1]:80", "127.0.0.1"] {
        run.environment.address = address.to_owned();
        assert_eq!(said(&run), 1, "{address}");
    }
    let text = "Target and generator ran on the same machine.".to_owned();
    run.warnings.push(Warning { kind: WarningKind::SharedMachine, text });
    assert_eq!(said(&run), 1, "not twice");
}

#[test]
fn few_samples_are_greyed_and_none_is_a_dash() {
    let page = html::write(&[&measured(1, "run", 6, 4.0)], now());
    let weak = "class=\"num weak\" title=\"too few samples\"";
    assert_eq!(page.matches(weak).count(), 3, "p99.9 of response, service and lag rests on 5 values");
    let page = html::write(&[&measured(1, "run", 60, 4.0)], now());
    assert_eq!(page.matches(weak).count(), 0);
    let page = html::write(&[&empty(1, "nothing")], now());
    assert!(page.contains("holds no response times"));
    assert_eq!(page.matches("<td class=\"num\">–</td>").count(), 21);
}

#[test]
fn an_interrupted_run_still_has_its_curve() {
    let mut run = measured(1, "run", 6, 4.0);
    run.histograms = Histograms::default();
    run.ended = Ended::Interrupted;
    let page = html::write(&[&run], now());
    assert!(page.contains("Quantiles by the number of nines") && page.contains("Histogram of 5"));
    run.intervals.iter_mut().for_each(|interval| interval.histogram.clear());
    assert!(html::write(&[&run], now()).contains("holds no response times"));
}

#[test]
fn extreme_runs_have_a_report() {
    let mut run = measured(1, "run", 6, 4.0);
    for value in [0.0, -1.0, f64::MAX, f64::MIN_POSITIVE] {
        run.elapsed_s = value;
        run.rate.achieved = value;
        for interval in &mut run.intervals {
            interval.response_ms.p50 = value;
            interval.response_ms.max = value;
            interval.start_s = value;
            interval.length_s = value;
        }
        tags(&html::write(&[&run], now()));
    }
    tags(&html::write::<Run>(&[], now()));
}

#[test]
fn runs_stand_side_by_side() {
    let mut runs: Vec<Run> = [("No mesh", 3.0), ("Sidecar", 4.6), ("Ambient", 3.5)]
        .into_iter()
        .enumerate()
        .map(|(at, (name, median_ms))| measured(at as u8 + 1, name, 60, median_ms))
        .collect();
    runs[0].labels.insert("mesh".to_owned(), "none".to_owned());
    let page = html::write(&runs, now());
    tags(&page);
    let overlay = page.find("Quantiles of response time").expect("an overlay");
    assert!(overlay < page.find("p99 response").expect("then each run"));
    assert_eq!(page.matches("class=\"curve s2\"").count(), 3, "in the table, the legend and the plot");
    assert!(page.contains("Label mesh") && !page.contains("Label mesh_version"), "only what differs");
    std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("compare.html"), page).expect("written");
    let many: Vec<Run> = (0..12).map(|at| measured(at, "run", 6, 4.0)).collect();
    let page = html::write(&many, now());
    assert!(page.contains("of the first 8 runs"));
}

/// The id of a run as text and back.
#[test]
fn ids_of_fixtures_are_ids() {
    let id: RunId = empty(3, "run").id;
    assert_eq!(id.to_string().parse(), Ok(id));
}

#[test]
fn a_search_and_its_marks_are_told_and_nothing_foreign_gets_through() {
    let mut run = measured(1, "search", 6, 4.0);
    let trial = |rate: f64, verdict, why: &str| CapacityTrial {
        rate,
        verdict,
        why: why.to_owned(),
        achieved: rate,
        p99_ms: None,
        errors: 0.0,
    };
    run.capacity = Some(Capacity {
        rate: Some(400.0),
        passes_at: Some(400.0),
        fails_at: Some(420.0),
        bound: Bound::Target,
        settled: true,
        trials: vec![trial(400.0, Verdict::Passed, ""), trial(420.0, Verdict::Failed, "<script>x")],
    });
    run.marks = vec![
        Mark { at_s: -1.0, kind: MarkKind::Note, text: "in the warm-up".to_owned() },
        Mark { at_s: 2.5, kind: MarkKind::Note, text: "<b>v2</b>".to_owned() },
    ];
    let page = html::write(&[&run], now());
    for words in ["Highest rate", "1 of 1 passed there", "2.5 s", "&lt;b&gt;v2", "failed: &lt;script&gt;x"] {
        assert!(page.contains(words), "{words}");
    }
    assert!(!page.contains("<script>x") && !page.contains("<b>v2"));
    // Response times, heat map, rate, errors: each has a line for the moment that is on its axis, and tells both.
    assert_eq!(page.matches(r#"<path class="moment""#).count(), 4);
    assert_eq!(page.matches("<title>2.5 s: &lt;b&gt;v2&lt;/b&gt;</title>").count(), 4);
    assert_eq!(page.matches(">&lt;b&gt;v2&lt;/b&gt;</text>").count(), 2, "words where there is room");
    let told = "; marks: in the warm-up at -1.0 s, &lt;b&gt;v2&lt;/b&gt; at 2.5 s";
    assert_eq!(page.matches(told).count(), 4);
    let back = json::read(json::write(&run)).expect("our own text");
    assert_eq!(back, [run]);
}
