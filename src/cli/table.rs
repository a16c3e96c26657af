//! Results as aligned text. Pure: runs in, text out.

mod detail;

use jiff::tz::TimeZone;

use crate::model::goal::Metric;
use crate::model::run::{Connections, QUANTILES, error_words};
use crate::model::{Ended, Goal, Quantiles, Run, RunSummary, number};

use super::screen::{Style, plain};

/// Values that must lie beyond a quantile before it means much.
const SAMPLES_BEYOND: f64 = 10.0;
/// The fewest characters of an id that are shown: its time in milliseconds. The first eight would be those of
/// every run of the same minute, so that what was printed would soon name several.
const ID_CHARACTERS_MIN: usize = 13;
/// The most characters of a name in a list.
const NAME_CHARACTERS_MAX: usize = 32;
const QUANTILE_NAMES: [&str; 8] = ["p50", "p90", "p95", "p99", "p99.9", "max", "mean", "samples"];

/// Everything that was measured in one run.
pub(super) fn result(run: &Run, style: Style) -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        out.push_str(text.trim_end());
        out.push('\n');
    };
    line(style.bold(&plain(&run.name)));
    line(format!("{} {}", plain(&run.plan.request.method), plain(&run.plan.target.url)));
    line(head(run, style));
    if run.is_void() {
        line(style.bad("THIS RUN IS VOID: do not use its numbers."));
    }
    if !run.labels.is_empty() {
        let labels: Vec<String> = run.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        line(plain(&labels.join("  ")));
    }
    if !run.note.is_empty() {
        line(plain(&run.note));
    }
    if let Some(capacity) = &run.capacity {
        line(String::new());
        for text in super::capacity::lines(capacity, style) {
            line(text);
        }
    }
    line(String::new());
    for text in latency(run, style) {
        line(text);
    }
    line(String::new());
    for text in facts(run, style) {
        line(text);
    }
    for text in detail::sections(run, style) {
        line(text);
    }
    if let Some(metrics) = &run.metrics {
        line(String::new());
        for text in super::metrics::costs(metrics) {
            line(text);
        }
    }
    if !run.goals.is_empty() {
        line(String::new());
        for text in goals(run, style) {
            line(text);
        }
    }
    if !run.marks.is_empty() {
        line(String::new());
        for mark in &run.marks {
            let at = format!("{:>8.1} s", mark.at_s);
            line(format!("{}  {at}  {}", style.quiet("mark"), plain(&mark.text)));
        }
    }
    let warnings = warnings(run, style);
    if !warnings.is_empty() {
        line(String::new());
        for text in warnings {
            line(text);
        }
    }
    out
}

fn head(run: &Run, style: Style) -> String {
    let ended = match run.ended {
        Ended::Completed => "completed".to_owned(),
        Ended::Stopped => style.warning("stopped"),
        Ended::GaveUp => style.warning("gave up"),
        Ended::Interrupted => style.warning("interrupted"),
    };
    let length = if run.elapsed_s < 120.0 {
        plain(&number::millis(run.elapsed_s * 1e3))
    } else {
        number::clock(run.elapsed_s)
    };
    format!("{}, {length}, {ended}", moment(run.started))
}

fn latency(run: &Run, style: Style) -> Vec<String> {
    let mut rows = vec![vec![String::new()]];
    rows[0].extend(QUANTILE_NAMES.map(str::to_owned));
    let series =
        [("response time", &run.response_ms), ("service time", &run.service_ms), ("lag", &run.lag_ms)];
    for (name, quantiles) in series {
        let mut row = vec![name.to_owned()];
        row.extend(cells(quantiles));
        rows.push(row);
    }
    let weak = QUANTILES.iter().any(|q| is_weak(*q, run.response_ms.count));
    let mut lines = aligned(&rows, 1);
    lines[0] = style.quiet(&lines[0]);
    if weak && run.response_ms.count > 0 {
        lines.push(style.quiet("~ too few samples: fewer than 10 lie beyond this quantile"));
    }
    lines
}

fn cells(quantiles: &Quantiles) -> Vec<String> {
    let Quantiles { p50, p90, p95, p99, p99_9, max, mean, count } = *quantiles;
    let shown =
        |value: f64| if count == 0 { number::UNKNOWN.to_owned() } else { plain(&number::millis(value)) };
    let mut cells: Vec<String> = QUANTILES
        .into_iter()
        .zip([p50, p90, p95, p99, p99_9])
        .map(|(q, value)| {
            let mark = if count > 0 && is_weak(q, count) { "~" } else { "" };
            format!("{mark}{}", shown(value))
        })
        .collect();
    cells.extend([shown(max), shown(mean), plain(&number::count(count))]);
    cells
}

fn is_weak(q: f64, count: u64) -> bool {
    count as f64 * (1.0 - q) < SAMPLES_BEYOND - 1e-6
}

fn facts(run: &Run, style: Style) -> Vec<String> {
    let requests = &run.requests;
    let mut counts = format!(
        "{} due, {} answered, {} failed ({})",
        number::count(requests.due),
        number::count(requests.answered),
        number::count(requests.failed),
        share(requests.failed, requests.due)
    );
    if requests.cancelled > 0 {
        counts.push_str(&format!(", {} cancelled", number::count(requests.cancelled)));
    }
    if run.warmup.due > 0 {
        counts.push_str(&format!("; {} in warm-up, not counted", number::count(run.warmup.due)));
    }
    let asked = run
        .rate
        .asked
        .map_or("as fast as answers came".to_owned(), |rate| format!("asked for {}", number::rate(rate)));
    let listed = |counts: Vec<(String, u64)>| {
        let shown = counts.iter().filter(|(_, count)| *count > 0);
        let shown: Vec<String> =
            shown.map(|(name, count)| format!("{name}: {}", number::count(*count))).collect();
        shown.join(", ")
    };
    let errors =
        listed(run.errors.iter().map(|(class, count)| (error_words(class).to_owned(), *count)).collect());
    let status = listed(run.status.iter().map(|(code, count)| (code.clone(), *count)).collect());
    let rows = [
        ("requests", counts),
        ("rate", format!("{} achieved, {asked}", number::rate(run.rate.achieved))),
        ("status", if status.is_empty() { "no answer".to_owned() } else { status }),
        ("errors", if errors.is_empty() { "none".to_owned() } else { errors }),
        (
            "bytes",
            format!("{} sent, {} received", number::bytes(run.bytes.sent), number::bytes(run.bytes.received)),
        ),
        ("connections", connections(run.connections)),
    ];
    let rows = rows.into_iter().chain(reasons(run));
    rows.map(|(name, value)| format!("{}  {}", style.quiet(&format!("{name:<13}")), plain(&value))).collect()
}

/// Why connections failed, in words; of all attempts.
fn reasons(run: &Run) -> Vec<(&'static str, String)> {
    let all = run.error_details.iter().flat_map(|(class, reasons)| {
        reasons.iter().map(move |(why, count)| {
            format!("{}: {why} ({} times)", error_words(class), number::count(*count))
        })
    });
    let names = std::iter::once("why").chain(std::iter::repeat(""));
    names.zip(all).collect()
}

fn goals(run: &Run, style: Style) -> Vec<String> {
    let width = run.goals.iter().map(|goal| plain(&goal.goal).chars().count()).max().unwrap_or(0);
    let shown = |goal: &crate::model::GoalResult| {
        let metric = goal.goal.parse::<Goal>().map(|goal| goal.metric);
        let verdict = if goal.met {
            style.good("met   ")
        } else if run.is_void() && metric.as_ref().is_ok_and(|metric| metric.is_response()) {
            style.bad("void  ")
        } else {
            style.bad("missed")
        };
        let value = match (goal.value, metric) {
            (None, _) => "not measured".to_owned(),
            (Some(value), Ok(Metric::Errors)) => number::percent(value),
            (Some(value), Ok(Metric::Rate)) => number::rate(value),
            (Some(value), _) => number::millis(value),
        };
        format!("goal {verdict}  {:<width$}  {}", plain(&goal.goal), plain(&value))
    };
    run.goals.iter().map(shown).collect()
}

fn warnings(run: &Run, style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    for warning in &run.warnings {
        lines.push(format!("{} {}", style.warning("Warning:"), plain(&warning.text)));
    }
    lines
}

/// Runs as a list, in the order given. `all` is every run there is: ids are as long as it takes.
pub(super) fn list(runs: &[&RunSummary], all: &[RunSummary], style: Style) -> String {
    if runs.is_empty() {
        return "No runs yet. A first one: meshbench try\n".to_owned();
    }
    let titles = ["id", "started", "length", "rate", "p50", "p99", "failed", "name", "", ""];
    let mut rows = vec![titles.map(str::to_owned).to_vec()];
    for run in runs {
        let shown = |value: f64| {
            if run.response_ms.count == 0 { number::UNKNOWN.to_owned() } else { number::millis(value) }
        };
        let row = [
            short_id(run, all),
            moment(run.started),
            number::clock(run.elapsed_s),
            number::rate(run.rate.achieved),
            shown(run.response_ms.p50),
            shown(run.response_ms.p99),
            share(run.requests.failed, run.requests.due),
            cut(&run.name),
            marks(run),
            run.labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" "),
        ];
        rows.push(row.iter().map(|cell| plain(cell)).collect());
    }
    let mut lines = aligned_left(&rows, &[0, 1, 7, 8, 9]);
    lines[0] = style.quiet(&lines[0]);
    lines.join("\n") + "\n"
}

/// What must be known about a run in a list.
fn marks(run: &RunSummary) -> String {
    let mut marks = Vec::new();
    if run.warnings.iter().any(|kind| kind.voids()) {
        marks.push("void".to_owned());
    }
    if run.ended != Ended::Completed {
        marks.push(run.ended.words().to_lowercase());
    }
    match (run.goals_missed, run.goals) {
        (_, 0) => {}
        (0, _) => marks.push("goals met".to_owned()),
        (missed, goals) => marks.push(format!("{missed} of {goals} goals missed")),
    }
    marks.join(", ")
}

/// The beginning of an id that no other run has.
pub(super) fn short_id(run: &RunSummary, all: &[RunSummary]) -> String {
    let id = run.id.to_string();
    let common = |other: &str| id.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let longest =
        all.iter().filter(|other| other.id != run.id).map(|other| common(&other.id.to_string())).max();
    let length = longest.map_or(0, |longest| longest + 1).max(ID_CHARACTERS_MIN);
    id.chars().take(length).collect()
}

fn cut(name: &str) -> String {
    if name.chars().count() <= NAME_CHARACTERS_MAX {
        return name.to_owned();
    }
    name.chars().take(NAME_CHARACTERS_MAX - 1).chain(['…']).collect()
}

fn share(part: u64, whole: u64) -> String {
    if whole == 0 { number::UNKNOWN.to_owned() } else { number::percent(part as f64 / whole as f64) }
}

/// In the time of this machine: `2026-03-01 09:30:00`.
fn moment(at: jiff::Timestamp) -> String {
    at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Rows with the first `left` columns to the left and the rest to the right.
pub(super) fn aligned(rows: &[Vec<String>], left: usize) -> Vec<String> {
    aligned_left(rows, &(0..left).collect::<Vec<_>>())
}

fn aligned_left(rows: &[Vec<String>], left: &[usize]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let width = widths[column];
            if left.contains(&column) { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn connections(connections: Connections) -> String {
    let Connections { opened, waited, resent } = connections;
    let (opened, waited) = (number::count(opened), number::count(waited));
    let resent = match resent {
        0 => String::new(),
        resent => format!("; {} were sent again", number::count(resent)),
    };
    format!("{opened} opened; {waited} requests waited for one{resent}")
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use crate::model::run::{Bytes, Environment, Histograms, Rate, Requests, Warning, WarningKind};
    use crate::model::{GoalResult, Labels, Plan};

    use super::*;

    const PLAIN: Style = Style { colour: false };

    pub(in crate::cli) fn run(id: &str, name: &str) -> Run {
        let quantiles = Quantiles {
            p50: 4.05,
            p90: 6.5,
            p95: 7.6,
            p99: 22.6,
            p99_9: 344.0,
            max: 404.0,
            mean: 5.8,
            count: 500,
        };
        Run {
            version: 1,
            id: id.parse().expect("an id"),
            name: name.to_owned(),
            labels: Labels::from([("mesh".to_owned(), "istio".to_owned())]),
            note: String::new(),
            marks: Vec::new(),
            plan: Plan::for_url("http://localhost:8080/"),
            started: "2026-03-01T09:30:00Z".parse().expect("a time"),
            elapsed_s: 10.0,
            paused_s: 0.0,
            ended: Ended::Completed,
            interrupted: false,
            requests: Requests { due: 500, answered: 499, failed: 1, cancelled: 0 },
            warmup: Requests::default(),
            rate: Rate { asked: Some(50.0), achieved: 49.9 },
            response_ms: quantiles,
            service_ms: quantiles,
            lag_ms: Quantiles::default(),
            errors: BTreeMap::from([("reset".to_owned(), 1)]),
            error_details: BTreeMap::new(),
            status: BTreeMap::from([("200".to_owned(), 499)]),
            goals: vec![
                GoalResult { goal: "p99<20ms".to_owned(), value: Some(22.6), met: false },
                GoalResult { goal: "errors<1%".to_owned(), value: Some(0.002), met: true },
            ],
            warnings: Vec::new(),
            bytes: Bytes { sent: 1536, received: 2048 },
            connections: Connections { opened: 16, waited: 0, resent: 2 },
            environment: Environment::default(),
            histograms: Histograms::default(),
            capacity: None,
            detail: Default::default(),
            intervals: Vec::new(),
            machine: Default::default(),
            metrics: None,
        }
    }

    #[test]
    fn a_result_is_one_aligned_table() {
        let text = result(&run("01933f5e-7a00-7000-8000-000000000001", "Checkout"), PLAIN);
        let expected = "\
                  p50      p90      p95       p99    p99.9     max     mean  samples
response time  4.05 ms  6.50 ms  7.60 ms  ~22.6 ms  ~344 ms  404 ms  5.80 ms      500
service time   4.05 ms  6.50 ms  7.60 ms  ~22.6 ms  ~344 ms  404 ms  5.80 ms      500
lag                  –        –        –         –        –       –        –        0
~ too few samples: fewer than 10 lie beyond this quantile

requests       500 due, 499 answered, 1 failed (0.200 %)
rate           49.9/s achieved, asked for 50/s
status         200: 499
errors         Connection reset: 1
bytes          1.50 KiB sent, 2.00 KiB received
connections    16 opened; 0 requests waited for one; 2 were sent again

goal missed  p99<20ms   22.6 ms
goal met     errors<1%  0.200 %
";
        assert!(text.ends_with(expected), "{text}");
        assert!(text.starts_with("Checkout\nGET http://localhost:8080/\n"), "{text}");
        assert!(!text.contains('\u{1b}') && !text.contains(number::THIN_SPACE));
    }

    #[test]
    fn why_connections_failed_is_told_in_words() {
        let mut run = run("01933f5e-7a00-7000-8000-000000000001", "Checkout");
        let reasons =
            BTreeMap::from([("the certificate has expired".to_owned(), 3), ("\u{1b}[2J".to_owned(), 1)]);
        run.error_details.insert("tls".to_owned(), reasons);
        let text = result(&run, PLAIN);
        assert!(
            text.contains("\n               TLS failed: the certificate has expired (3 times)\n"),
            "{text}"
        );
        assert!(text.contains("\nwhy            TLS failed: ") && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn a_void_run_says_so() {
        let mut run = run("01933f5e-7a00-7000-8000-000000000001", "\u{1b}[2J");
        run.warnings.push(Warning { kind: WarningKind::GeneratorLagged, text: "Lag was 90 ms.".to_owned() });
        run.goals[0].value = Some(1.0);
        let text = result(&run, PLAIN);
        assert!(text.contains("goal void    p99<20ms") && text.contains("goal met     errors<1%"), "{text}");
        assert!(text.lines().nth(3) == Some("THIS RUN IS VOID: do not use its numbers."), "{text}");
        assert!(text.contains("Warning: Lag was 90 ms."), "{text}");
        assert!(!text.contains('\u{1b}'), "a name cannot command the terminal");
    }

    #[test]
    fn ids_are_as_long_as_it_takes() {
        let summary = |id: &str| run(id, "run").summary();
        let all = [
            summary("01933f5e-7a00-7000-8000-000000000001"),
            summary("01933f5e-7a01-7000-8000-000000000002"),
            summary("02933f5e-7a00-7000-8000-000000000003"),
        ];
        let short: Vec<String> = all.iter().map(|run| short_id(run, &all)).collect();
        assert_eq!(short, ["01933f5e-7a00", "01933f5e-7a01", "02933f5e-7a00"]);
        let text = list(&[&all[0], &all[2]], &all, PLAIN);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(
            lines[1].starts_with("01933f5e-7a00  ") && lines[1].contains("1 of 2 goals missed"),
            "{text}"
        );
        assert!(lines[2].starts_with("02933f5e-7a00  "), "{text}");
        assert!(list(&[], &all, PLAIN).contains("meshbench try"));
    }
}
