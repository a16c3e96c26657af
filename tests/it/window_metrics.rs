//! The metrics page and what is kept of metrics with runs, without a core and without a window.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use eframe::egui::accesskit::{Role, Toggled};
use eframe::egui::{self, Key, Modifiers};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use egui_kittest::{Harness, SnapshotResults};
use meshbench::app::metrics::{Found, MetricsCommand, MetricsNews, PanelState, Range, Shown, Standing, View};
use meshbench::app::state::{Open, StoreState};
use meshbench::app::{Command, Event, Fresh, Page, State};
use meshbench::model::ThemeChoice;
use meshbench::model::cluster::{ContextKey, Trouble};
use meshbench::model::metrics::board::{Grade, PanelPlace};
use meshbench::model::metrics::catalogue;
use meshbench::model::metrics::fill::ALL;
use meshbench::model::metrics::{
    Access, Answer, Ask, Board, BoardId, Component, Cost, Facts, Grid, KeptBoard, KeptPanel, Measure, Panel,
    PanelKind, PanelQuery, Place, Point, Product, Row, RunMetrics, Scope, Selector, Series, Source, SourceId,
    SourceKind, Threshold, Unit, Variable, VariableKind,
};
use meshbench::model::plan::TargetKind;
use meshbench::model::run::{Machine as SentFrom, MachineSample};
use meshbench::ui::{Machine, Shell};
use uuid::Uuid;

use crate::{picture, sample};

const WINDOW: [f32; 2] = [1280.0, 800.0];
/// 14 November 2026, 12:00 UTC.
const NOON_MS: i64 = 1_794_657_600_000;
const GRID: Grid = Grid { from_ms: NOON_MS, to_ms: NOON_MS + 900_000, step_ms: 15_000 };

struct Faceless {
    shell: Shell,
    state: State,
    asked: Vec<Command>,
}

impl eframe::App for Faceless {
    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        picture::clear(ui);
        self.asked.extend(self.shell.ui(ui, &self.state));
    }
}

type Window = Harness<'static, Faceless>;

fn window_of(theme: egui::Theme, mut state: State, size: [f32; 2]) -> Window {
    state.settings.theme = if theme == egui::Theme::Dark { ThemeChoice::Dark } else { ThemeChoice::Light };
    // A ring that turns is another in each picture.
    state.settings.reduced_motion = true;
    let machine = Machine { renderer: "A graphics card".to_owned(), software_rasterizer: false };
    picture::builder(theme, size).build_eframe(|_| Faceless {
        shell: Shell::new(machine),
        state,
        asked: Vec::new(),
    })
}

fn dark(state: State) -> Window {
    let mut window = window_of(egui::Theme::Dark, state, WINDOW);
    window.run();
    window
}

fn asked(window: &Window) -> Vec<MetricsCommand> {
    let asked = window.state().asked.iter();
    asked
        .filter_map(|command| if let Command::Metrics(of) = command { Some(of.clone()) } else { None })
        .collect()
}

/// All that is said with these words.
fn labels(window: &Window, words: &str) -> Vec<String> {
    let nodes = window.query_all_by_label_contains(words);
    nodes.filter_map(|node| node.accesskit_node().label().or(node.accesskit_node().value())).collect()
}

/// Writes into a field.
fn write(window: &mut Window, field: &str, text: &str) {
    window.get_by_label(field).focus();
    window.run();
    window.get_by_label(field).type_text(text);
    window.run();
}

/// Pictures in both themes, after something was done.
fn pictures(results: &mut SnapshotResults, name: &str, state: &State, act: impl Fn(&mut Window)) {
    for (theme, word) in picture::THEMES {
        let mut window = window_of(theme, state.clone(), WINDOW);
        window.run();
        act(&mut window);
        picture::compare(results, &mut window, &format!("{name}_{word}"));
    }
}

fn nothing(_: &mut Window) {}

/// Scrolls what is in the lower part of the window.
fn scroll(window: &mut Window, by: f32) {
    window.event(egui::Event::PointerMoved(egui::pos2(640.0, 640.0)));
    window.run();
    window.event(egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: egui::vec2(0.0, -by),
        phase: egui::TouchPhase::Move,
        modifiers: Modifiers::NONE,
        source: egui::MouseWheelSource::Unknown,
    });
    window.run();
    window.event(egui::Event::PointerGone);
    window.run();
}

// --- What there is to see.

fn opened() -> State {
    let mut state = State::default();
    state.page = Page::Metrics;
    state.store = StoreState::Open;
    state
}

fn key(name: &str) -> ContextKey {
    ContextKey { file: PathBuf::from("/home/ada/.kube/config"), name: name.to_owned() }
}

fn in_cluster(name: &str, port: u16) -> Place {
    Place::Cluster {
        context: key("staging-eu"),
        kind: TargetKind::Service,
        namespace: "monitoring".to_owned(),
        name: name.to_owned(),
        port,
        path: String::new(),
    }
}

fn source(number: u128, name: &str) -> Source {
    let kind = SourceKind::Prometheus { place: in_cluster("prometheus", 9090), access: Access::default() };
    Source { id: SourceId(Uuid::from_u128(number)), name: name.to_owned(), kind }
}

fn facts(names: &[&str]) -> Facts {
    Facts {
        product: Product::Prometheus,
        version: "2.53.1".to_owned(),
        scrape_ms: Some(15_000),
        names: Arc::new(names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>()),
        ..Facts::default()
    }
}

/// One source that answers.
fn with_source(names: &[&str]) -> State {
    let mut state = opened();
    let source = source(1, "Staging");
    let standing = Standing { facts: Some(Arc::new(facts(names))), ..Standing::default() };
    state.metrics.stands.insert(source.id, standing);
    state.metrics.book.source = Some(source.id);
    state.metrics.book.sources.push(source);
    state
}

fn query(name: &str, ask: &str, legend: &str) -> PanelQuery {
    PanelQuery {
        name: name.to_owned(),
        ask: Ask::PromQl(ask.to_owned()),
        legend: legend.to_owned(),
        is_instant: false,
        is_hidden: false,
    }
}

fn panel(title: &str, kind: PanelKind, unit: Unit, width: u16, height: u16) -> Panel {
    Panel { width, height, queries: vec![query("A", "up", "{{workload}}")], ..Panel::new(title, kind, unit) }
}

/// A course that looks like one: waves, and noise that is the same each time.
fn course(base: f64, swing: f64, seed: i64) -> Vec<Point> {
    let steps = (GRID.to_ms - GRID.from_ms) / GRID.step_ms;
    (0..=steps)
        .map(|at| {
            let wave = (at as f64 / 9.0 + seed as f64).sin();
            let noise = ((at * 7919 + seed * 104_729) % 1000) as f64 / 1000.0 - 0.5;
            let value = (base + swing * (0.7 * wave + 0.6 * noise)).max(0.0);
            Point { at_ms: GRID.from_ms + at * GRID.step_ms, value }
        })
        .collect()
}

fn series(labels: &[(&str, &str)], points: Vec<Point>) -> Series {
    let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Series { labels, points }
}

fn of(workload: &str, base: f64, swing: f64, seed: i64) -> Series {
    series(&[("workload", workload)], course(base, swing, seed))
}

fn answer(series: Vec<Series>) -> Result<Answer, String> {
    Ok(Answer { series, ..Answer::default() })
}

/// Counters of buckets, as a histogram of latencies has them.
fn buckets() -> Vec<Series> {
    let edges = ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "+Inf"];
    let shares = [0.02, 0.10, 0.34, 0.62, 0.83, 0.95, 0.985, 0.997, 1.0];
    let all = course(240.0, 40.0, 3);
    let bucket = |(at, edge): (usize, &&str)| {
        let points = all.iter().enumerate().map(|(step, point)| {
            let late = if (24..34).contains(&step) { 0.72 } else { 1.0 };
            let share = if at + 1 == edges.len() { 1.0 } else { shares[at] * late };
            Point { at_ms: point.at_ms, value: point.value * share }
        });
        series(&[("le", edge)], points.collect())
    };
    edges.iter().enumerate().map(bucket).collect()
}

fn limits(warning: f64, bad: f64) -> Vec<Threshold> {
    let from = |from, level| Threshold { from, level };
    vec![from(None, Grade::Fine), from(Some(warning), Grade::Warning), from(Some(bad), Grade::Bad)]
}

fn quantile(title: &str) -> Panel {
    let measure = Measure::Quantile {
        q: 0.99,
        of: Selector::of("istio_request_duration_milliseconds_bucket"),
        by: vec!["workload".to_owned()],
    };
    let mut panel = panel(title, PanelKind::TimeSeries, Unit::Millis, 8, 8);
    panel.queries = vec![PanelQuery { ask: Ask::Measure(measure), ..query("A", "", "{{workload}} p99") }];
    panel
}

/// A panel of each kind, and what it shows.
fn every_kind() -> Vec<(Panel, Vec<Result<Answer, String>>)> {
    let three = |base: f64, swing: f64| {
        vec![
            of("checkout", base, swing, 1),
            of("payment", base * 0.6, swing * 0.6, 2),
            of("cart", base * 0.35, swing * 0.3, 5),
        ]
    };
    let mut broken = three(180.0, 30.0);
    broken[0].points.drain(20..29);
    let stacked =
        Panel { is_stacked: true, ..panel("Memory of proxies", PanelKind::TimeSeries, Unit::Bytes, 8, 8) };
    let gauge =
        Panel { thresholds: limits(0.7, 0.9), ..panel("CPU in use", PanelKind::Gauge, Unit::Share, 6, 6) };
    let stat =
        Panel { thresholds: limits(0.01, 0.05), ..panel("Failed", PanelKind::Stat, Unit::Share, 4, 3) };
    let bars = Panel {
        thresholds: limits(1.5, 2.0),
        ..panel("CPU by workload", PanelKind::BarGauge, Unit::Cores, 8, 6)
    };
    vec![
        (
            panel("Requests", PanelKind::Stat, Unit::Rate, 4, 3),
            vec![answer(vec![series(&[], course(1840.0, 120.0, 4))])],
        ),
        (stat, vec![answer(vec![series(&[], course(0.021, 0.008, 2))])]),
        (panel("Workloads", PanelKind::Stat, Unit::Rate, 16, 3), vec![answer(three(900.0, 90.0))]),
        (panel("Requests by workload", PanelKind::TimeSeries, Unit::Rate, 8, 8), vec![answer(broken)]),
        (quantile("Latency p99"), vec![answer(three(48.0, 14.0))]),
        (stacked, vec![answer(three(180e6, 12e6))]),
        (gauge, vec![answer(vec![of("checkout", 0.82, 0.02, 1), of("payment", 0.41, 0.02, 2)])]),
        (bars, vec![answer(three(2.2, 0.1))]),
        (
            Panel {
                queries: vec![query("A", "up", "")],
                ..panel("Latency as buckets", PanelKind::Heatmap, Unit::Seconds, 10, 6)
            },
            vec![answer(buckets())],
        ),
        (table(), vec![answer(pods(0.31, 0.1)), answer(pods(92e6, 4e6))]),
        (
            panel(
                "About this board",
                PanelKind::Text("# Read me\nWhat each proxy tells of itself.".to_owned()),
                Unit::None,
                6,
                6,
            ),
            Vec::new(),
        ),
        (
            panel("Where requests come from", PanelKind::Unsupported("Geomap".to_owned()), Unit::None, 6, 6),
            Vec::new(),
        ),
    ]
}

fn table() -> Panel {
    let mut panel = panel("Pods", PanelKind::Table, Unit::None, 12, 6);
    panel.unit = Unit::Short;
    panel.queries = vec![query("A", "a", "CPU"), query("B", "b", "Memory")];
    panel
}

fn pods(base: f64, swing: f64) -> Vec<Series> {
    let pod = |at: usize| {
        let name = format!("checkout-6d5f7c9b8-{at:04}");
        series(&[("namespace", "shop"), ("pod", &name)], course(base * (at + 1) as f64, swing, at as i64))
    };
    (0..6).map(pod).collect()
}

/// Puts a board of one row on show.
fn show(state: &mut State, title: &str, panels: Vec<(Panel, Vec<Result<Answer, String>>)>) {
    let mut board = Board::new(BoardId("own".to_owned()), title);
    let (panels, answers): (Vec<Panel>, Vec<_>) = panels.into_iter().unzip();
    board.rows.push(Row { panels, ..Row::default() });
    show_board(state, board, |place| Some(answers[place.panel].clone()));
}

type Of<'a> = &'a dyn Fn(PanelPlace) -> Option<Vec<Result<Answer, String>>>;

fn show_board(
    state: &mut State,
    board: Board,
    answers: impl Fn(PanelPlace) -> Option<Vec<Result<Answer, String>>>,
) {
    let is_ready = catalogue::title(&board.id.0).is_some();
    if !is_ready {
        state.metrics.book.boards.push(board.clone());
    }
    let places: Vec<PanelPlace> = board.panels().map(|(place, _)| place).collect();
    let answers: Of<'_> = &answers;
    let panel = |place: PanelPlace| {
        let answers = answers(place).map(Arc::new);
        let grid = answers.is_some().then_some(GRID);
        (place, PanelState { answers, grid })
    };
    state.metrics.book.board = Some(board.id.clone());
    state.metrics.shown = Some(Shown {
        source: state.metrics.book.sources[0].id,
        board: Arc::new(board),
        grid: Some(GRID),
        answered: 1,
        panels: places.into_iter().map(panel).collect(),
        is_asking: false,
        is_watched: true,
    });
    state.metrics.view.refresh_s = None;
    state.metrics.revision = 1;
}

fn full() -> State {
    let mut state = with_source(&["up", "istio_request_duration_milliseconds_bucket"]);
    show(&mut state, "Everything", every_kind());
    state
}

/// What a source would answer to a panel of a ready board.
fn likely(panel: &Panel) -> Vec<Result<Answer, String>> {
    let base = match panel.unit {
        Unit::Bytes => 180e6,
        Unit::BytesPerSec => 3e6,
        Unit::Share if panel.title.contains("uccess") => 0.9972,
        Unit::Share => 0.012,
        Unit::Percent => 42.0,
        Unit::Cores => 0.8,
        Unit::Millis => 38.0,
        Unit::Seconds => 0.038,
        Unit::Rate => 900.0,
        _ => 12.0,
    };
    let by = |ask: &Ask| -> Vec<String> {
        fn by(measure: &Measure) -> Vec<String> {
            match measure {
                Measure::Rate { by, .. } | Measure::Sum { by, .. } | Measure::Count { by, .. } => by.clone(),
                Measure::Quantile { by, .. } => by.clone(),
                Measure::Ratio(one, _) | Measure::Either(one, _) | Measure::Rest(one) => by(one),
            }
        }
        if let Ask::Measure(measure) = ask { by(measure) } else { Vec::new() }
    };
    let answer_to = |(at, query): (usize, &PanelQuery)| {
        let labels = by(&query.ask);
        if labels.iter().any(|label| label == "le") || panel.kind == PanelKind::Heatmap {
            return answer(buckets());
        }
        let names = if labels.is_empty() { vec![""] } else { vec!["checkout", "payment", "cart"] };
        let one = |(number, name): (usize, &&str)| {
            let pairs: Vec<(&str, &str)> = labels.iter().map(|label| (label.as_str(), *name)).collect();
            let size = base / (1.0 + number as f64) * (1.0 + at as f64 * 0.8);
            let (size, swing) = if base == 0.9972 { (base, 0.002) } else { (size, size * 0.12) };
            series(&pairs, course(size, swing, (number + 3 * at) as i64))
        };
        answer(names.iter().enumerate().map(one).collect())
    };
    panel.queries.iter().enumerate().map(answer_to).collect()
}

/// A ready board, fed by a source that has all of it.
fn ready(id: &str) -> State {
    let scope = Scope::default();
    let board = catalogue::ready(&BoardId(id.to_owned()), None, &scope).unwrap();
    let names: BTreeSet<String> = board
        .panels()
        .flat_map(|(_, panel)| &panel.queries)
        .filter_map(|query| if let Ask::Measure(measure) = &query.ask { Some(measure.needs()) } else { None })
        .flatten()
        .flatten()
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut state = with_source(&names);
    let answers: BTreeMap<PanelPlace, _> =
        board.panels().map(|(place, panel)| (place, likely(panel))).collect();
    show_board(&mut state, board, |place| answers.get(&place).cloned());
    state
}

fn refused() -> Trouble {
    Trouble {
        title: "Nothing listens at the source’s address".to_owned(),
        cause: "http://prometheus.monitoring:9090/api/v1/query: tcp connect error: Connection refused (os error 111)"
            .to_owned(),
        advice: "Check that it runs, and its port. In a cluster, the Service’s own port is wanted".to_owned(),
    }
}

fn failed() -> State {
    let mut state = with_source(&[]);
    let id = state.metrics.book.sources[0].id;
    state.metrics.stands.insert(id, Standing { trouble: Some(refused()), ..Standing::default() });
    state
}

/// Panels that have no whole answer.
fn states() -> State {
    let mut state = with_source(&["up"]);
    let time = |title: &str| panel(title, PanelKind::TimeSeries, Unit::Rate, 8, 7);
    let several = || Panel {
        queries: vec![query("A", "a", "{{workload}}"), query("B", "b", "")],
        ..time("One query failed")
    };
    let hinted = Panel {
        hint: "Ambient meshes tell this only where a waypoint is: istioctl waypoint apply".to_owned(),
        ..time("Nothing there")
    };
    let many = (0..50)
        .map(|at| of(&format!("workload-{at:02}"), 10.0 + f64::from(at), 2.0, i64::from(at)))
        .collect();
    let many = Ok(Answer { series: many, left_out: 132, remarks: Vec::new() });
    let timeout = "query timed out in expression evaluation: it would load too many samples into memory";
    let log = Panel { is_log: true, ..time("Logarithmic") };
    let panels = vec![
        (
            several(),
            vec![
                answer(vec![of("checkout", 120.0, 20.0, 1)]),
                Err("bad_data: unknown function “ratte”".to_owned()),
            ],
        ),
        (hinted, vec![answer(Vec::new())]),
        (time("Not answered"), vec![Err(timeout.to_owned())]),
        (time("Too many series"), vec![many]),
        (log, vec![answer(vec![of("checkout", 5000.0, 900.0, 1), of("cart", 3.0, 1.0, 2)])]),
        (time("Not answered yet"), Vec::new()),
    ];
    show(&mut state, "States", panels);
    let shown = state.metrics.shown.as_mut().unwrap();
    shown.panels.insert(PanelPlace { row: 0, panel: 5 }, PanelState::default());
    state
}

fn variable(name: &str, label: &str, kind: VariableKind) -> Variable {
    Variable {
        name: name.to_owned(),
        label: label.to_owned(),
        kind,
        chosen: Vec::new(),
        is_multi: false,
        has_all: false,
        all_value: None,
        is_hidden: false,
    }
}

/// A board that was imported: variables, rows, notes.
fn imported() -> State {
    let mut state = with_source(&["up"]);
    let mut board = Board::new(BoardId("0198".to_owned()), "Istio workload (imported)");
    board.notes = vec![
        "2 annotations are left out: Meshbench has marks of its own".to_owned(),
        "Links to other boards are left out".to_owned(),
    ];
    let asked = |text: &str| VariableKind::Query { query: text.to_owned(), regex: String::new() };
    let all = Variable {
        is_multi: true,
        has_all: true,
        chosen: vec![ALL.to_owned()],
        ..variable("workload", "Workload", asked("label_values(workload)"))
    };
    board.variables = vec![
        variable("namespace", "Namespace", asked("label_values(namespace)")),
        all,
        variable("interval", "", VariableKind::Interval(vec!["1m".to_owned(), "5m".to_owned()])),
        variable("filter", "Filter", VariableKind::TextBox("http.*".to_owned())),
        variable("qrep", "Reporter", VariableKind::Custom(vec![("both".to_owned(), "s|d".to_owned())])),
        variable("broken", "Version", asked("label_values(version)")),
    ];
    let mut noted = panel("Incoming requests", PanelKind::TimeSeries, Unit::Rate, 12, 7);
    noted.notes = vec!["The second axis is left out: its series share the first".to_owned()];
    let three = || vec![answer(vec![of("checkout", 300.0, 40.0, 1), of("payment", 120.0, 20.0, 2)])];
    board.rows = vec![
        Row {
            title: "General".to_owned(),
            panels: vec![
                noted,
                panel("Success rate", PanelKind::Unsupported("State timeline".to_owned()), Unit::None, 12, 7),
            ],
            ..Row::default()
        },
        Row { title: "Inbound".to_owned(), is_folded: true, panels: vec![quantile("a"), quantile("b")] },
    ];
    show_board(&mut state, board, |place| (place.row == 0 && place.panel == 0).then(three));
    let words = |words: &[&str]| Ok(words.iter().map(|word| (*word).to_owned()).collect());
    state.metrics.values = BTreeMap::from([
        ("namespace".to_owned(), words(&["shop", "pay"])),
        ("workload".to_owned(), Ok((0..40).map(|at| format!("workload-{at:02}")).collect())),
        ("broken".to_owned(), Err("the source knows no label “version”".to_owned())),
    ]);
    state
}

// --- How it looks.

#[test]
fn before_there_is_a_source_the_page_says_what_it_is_for() {
    let mut results = SnapshotResults::new();
    let mut state = opened();
    state.metrics.found = vec![
        Found { is_grafana: false, place: in_cluster("prometheus", 9090) },
        Found { is_grafana: true, place: in_cluster("grafana", 80) },
    ];
    pictures(&mut results, "metrics_first", &state, nothing);
    let mut window = dark(state);
    window.get_by_label_contains("Add Grafana: Service monitoring/grafana:80").click();
    window.run();
    let asked = asked(&window);
    let [MetricsCommand::PutSource(source, None)] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(source.name, "grafana in staging-eu");
    assert!(matches!(source.kind, SourceKind::Grafana { .. }));
}

#[test]
fn the_form_for_a_source_looks_as_it_should() {
    let mut results = SnapshotResults::new();
    pictures(&mut results, "metrics_form", &opened(), |window| {
        window.get_by_label("Add a source…").click();
        window.run();
        window.get_by_label("Bearer token").click();
        window.run();
        write(window, "Address", "http://prometheus.example:9090");
        write(window, "Token", "secret");
        window.get_by_label("More: tenant, certificates").click();
        window.run();
        scroll(window, 2000.0);
        window.get_by_label("Allow any certificate").click();
        window.run();
        // The field with the focus has a caret in it.
        window.get_by_role_and_label(Role::RadioButton, "Bearer token").focus();
        window.run();
        scroll(window, 2000.0);
    });
    pictures(&mut results, "metrics_form_direct", &opened(), |window| {
        window.get_by_label("Add a source…").click();
        window.run();
        window.get_by_label("Direct scrape").click();
        window.run();
    });
}

#[test]
fn a_board_with_a_panel_of_every_kind_looks_as_it_should() {
    let mut results = SnapshotResults::new();
    pictures(&mut results, "metrics_every_kind", &full(), nothing);
    pictures(&mut results, "metrics_every_kind_below", &full(), |window| {
        scroll(window, 2000.0);
    });
}

#[test]
fn a_ready_board_looks_as_it_should() {
    let mut results = SnapshotResults::new();
    pictures(&mut results, "metrics_istio", &ready("istio"), nothing);
}

#[test]
fn what_is_not_whole_looks_as_it_should() {
    let mut results = SnapshotResults::new();
    let late = |window: &mut Window| {
        // Words about waiting come after a while.
        window.run_steps(20);
        window.run();
    };
    pictures(&mut results, "metrics_states", &states(), late);
    pictures(&mut results, "metrics_failed", &failed(), nothing);
    let mut stale = full();
    let id = stale.metrics.book.sources[0].id;
    stale.metrics.stands.entry(id).or_default().trouble = Some(refused());
    pictures(&mut results, "metrics_stale", &stale, nothing);
}

#[test]
fn an_imported_board_looks_as_it_should() {
    let mut results = SnapshotResults::new();
    pictures(&mut results, "metrics_imported", &imported(), nothing);
    pictures(&mut results, "metrics_variable", &imported(), |window| {
        window.get_by_label("Workload: All").click();
        window.run();
    });
}

#[test]
fn a_list_of_boards_and_the_editor_look_as_they_should() {
    let mut results = SnapshotResults::new();
    let mut state = ready("istio");
    state.metrics.book.boards.push(Board::new(BoardId("mine".to_owned()), "Checkout in short"));
    pictures(&mut results, "metrics_boards", &state, |window| {
        window.get_by_label("Board: Istio").click();
        window.run();
    });
    pictures(&mut results, "metrics_editor", &full(), |window| {
        window.get_by_label("Edit panel Requests by workload").click();
        window.run();
        window.get_by_label("Query A").focus();
        window.run();
        window.get_by_label("Query A").type_text(" + sum(istio_re");
        window.run();
    });
}

#[test]
fn a_crosshair_reads_all_plots_of_a_board_at_once() {
    let mut results = SnapshotResults::new();
    pictures(&mut results, "metrics_readout", &full(), |window| {
        let at = window.get_by_label_contains("Requests by workload over time").rect().center();
        window.event(egui::Event::PointerMoved(at));
        window.run();
        window.event(egui::Event::PointerMoved(at + egui::vec2(1.0, 0.0)));
        window.run();
    });
}

fn kept_metrics(run: &meshbench::model::Run, scale: f64) -> RunMetrics {
    // As it is asked: the first window of rates is left out.
    let from_ms = run.counted_from_ms() + 4000;
    let grid = Grid { from_ms, to_ms: from_ms + (run.elapsed_s * 1e3) as i64 - 4000, step_ms: 1000 };
    let moved = |answer: Result<Answer, String>| {
        answer.map(|mut answer| {
            for point in answer.series.iter_mut().flat_map(|series| &mut series.points) {
                point.at_ms = from_ms + (point.at_ms - GRID.from_ms) / 15;
                point.value *= scale;
            }
            answer
        })
    };
    let panels: Vec<_> = every_kind().into_iter().skip(3).take(3).collect();
    let mut board = Board::new(BoardId("istio".to_owned()), "Istio");
    board
        .rows
        .push(Row { panels: panels.iter().map(|(panel, _)| panel.clone()).collect(), ..Row::default() });
    let panels = panels.into_iter().enumerate().map(|(at, (_, answers))| KeptPanel {
        place: PanelPlace { row: 0, panel: at },
        answers: answers.into_iter().map(moved).collect(),
    });
    let cost = |component, of: &str, cpu: Option<f64>, memory: Option<f64>| Cost {
        component,
        of: of.to_owned(),
        cpu_s: cpu.map(|cpu| cpu * scale),
        memory_mean_bytes: memory,
        memory_max_bytes: memory.map(|memory| memory * 1.12),
        requests: 60_000,
        seconds: 60.0,
    };
    RunMetrics {
        version: 1,
        run: run.id,
        source: "Staging (service monitoring/prometheus:9090 in staging-eu)".to_owned(),
        taken: run.started + jiff::SignedDuration::from_secs(95),
        grid,
        scrape_ms: Some(15_000),
        costs: vec![
            cost(Component::Proxies, "istio", Some(21.4), Some(92e6)),
            cost(Component::ControlPlane, "istio", Some(1.9), Some(148e6)),
            cost(Component::Application, "", None, Some(61e6)),
        ],
        boards: vec![KeptBoard { board, panels: panels.collect() }],
        remarks: vec!["Seconds at both ends are not in the costs: the source reads every 15 s".to_owned()],
    }
}

fn sent_from(length_s: usize) -> SentFrom {
    let sample = |at: usize| MachineSample {
        start_s: at as f64,
        length_s: 1.0,
        busy_cores: 3.1 + 0.4 * (at as f64 / 5.0).sin(),
        own_cores: 1.2 + 0.2 * (at as f64 / 4.0).cos(),
        memory_used_bytes: 6_100_000_000 + at as u64 * 3_000_000,
        own_memory_bytes: 140_000_000 + at as u64 * 200_000,
        received_per_s: 2.1e6,
        sent_per_s: 0.9e6,
    };
    SentFrom { memory_bytes: 16 << 30, samples: (0..length_s).map(sample).collect() }
}

fn measured(number: u32, scale: f64) -> meshbench::model::Run {
    let mut run = sample::nth(number);
    run.metrics = Some(Box::new(kept_metrics(&run, scale)));
    run.machine = sent_from(run.elapsed_s as usize);
    run
}

#[test]
fn what_was_kept_with_a_run_looks_as_it_should() {
    let mut results = SnapshotResults::new();
    let mut state = opened();
    state.page = Page::History;
    state.open = Open::Result(Arc::new(measured(0, 1.0)));
    pictures(&mut results, "metrics_kept", &state, |window| {
        window.get_by_label("Over time").click();
        window.run();
        scroll(window, 600.0);
    });
    pictures(&mut results, "metrics_machine", &state, |window| {
        window.get_by_label("Over time").click();
        window.run();
        scroll(window, 4000.0);
    });
    let mut state = opened();
    state.page = Page::History;
    state.open = Open::Comparison(vec![Arc::new(measured(0, 1.0)), Arc::new(measured(1, 1.3))]);
    pictures(&mut results, "metrics_costs", &state, nothing);
}

// --- What it does.

#[test]
fn the_keys_and_the_palette_lead_to_the_page() {
    let mut state = opened();
    state.page = Page::Home;
    let mut window = dark(state);
    window.key_press_modifiers(Modifiers::COMMAND, Key::Num6);
    window.run();
    assert_eq!(window.state().asked, [Command::Go(Page::Metrics)]);
    let mut window = dark(with_source(&[]));
    window.key_press_modifiers(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::A);
    window.run();
    assert!(window.query_by_label("Add source").is_some(), "the form is open");
    assert!(window.get_by_label("Address").is_focused(), "one begins to write at once");
    window.key_press(Key::Escape);
    window.run();
    assert!(window.query_by_label("Add source").is_none(), "Esc closes it");
    window.key_press_modifiers(Modifiers::COMMAND.plus(Modifiers::SHIFT), Key::B);
    window.run();
    let asked = asked(&window);
    assert!(
        matches!(asked.as_slice(), [MetricsCommand::PutBoard(_), MetricsCommand::ChooseBoard(_)]),
        "{asked:?}"
    );
}

#[test]
fn a_query_is_completed_and_held_against_the_language_as_one_types() {
    let mut window = dark(full());
    window.get_by_label("Edit panel Requests by workload").click();
    window.run();
    window.get_by_label("Query A").focus();
    window.run();
    window.get_by_label("Query A").type_text(" + sum(istio_re");
    window.run();
    assert!(!labels(&window, "closed").is_empty(), "the bracket is told");
    window.get_by_label("Complete as istio_request_duration_milliseconds_bucket").click();
    window.run();
    let text = window.get_by_label("Query A").value().unwrap_or_default();
    assert_eq!(text, "up + sum(istio_request_duration_milliseconds_bucket");
}

#[test]
fn a_source_is_added_as_it_was_written() {
    let mut window = dark(opened());
    window.get_by_label("Add a source…").click();
    window.run();
    window.get_by_label("Name and password").click();
    window.run();
    window.get_by_label("Add source").click();
    window.run();
    assert!(asked(&window).is_empty(), "not before it can be used");
    for (field, text) in
        [("Name", "Prod"), ("Address", "https://p.example/prom/"), ("User", "ada"), ("Password", "hunter2")]
    {
        write(&mut window, field, text);
    }
    window.get_by_label("Add source").click();
    window.run();
    let asked = asked(&window);
    let [MetricsCommand::PutSource(source, Some(secret))] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!((source.name.as_str(), secret.as_str()), ("Prod", "hunter2"));
    let SourceKind::Prometheus { place, access } = &source.kind else { panic!("{source:?}") };
    assert_eq!(place, &Place::Url("https://p.example/prom".to_owned()));
    assert_eq!(access.login, meshbench::model::metrics::Login::Basic { user: "ada".to_owned() });
}

#[test]
fn a_source_that_would_be_refused_stays_in_the_form() {
    let cases = [
        ("http://127.example.com:9090", "ada"),
        ("https://p.example", "a:b"),
        ("https://p.example:x", "ada"),
    ];
    for (address, user) in cases {
        let mut window = dark(opened());
        window.get_by_label("Add a source…").click();
        window.run();
        window.get_by_label("Name and password").click();
        window.run();
        for (field, text) in [("Address", address), ("User", user), ("Password", "hunter2")] {
            write(&mut window, field, text);
        }
        window.get_by_label("Add source").click();
        window.run();
        assert!(asked(&window).is_empty(), "{address} {user}");
        assert!(window.query_by_label("Add source").is_some(), "the form is open");
        let is_open = !labels(&window, "where others can read it").is_empty();
        assert_eq!(is_open, address.starts_with("http://"), "{address}");
    }
}

#[test]
fn a_source_that_does_not_answer_says_why_and_is_tried_again() {
    let mut window = dark(failed());
    assert!(!labels(&window, "Connection refused").is_empty());
    window.get_by_label("Retry").click();
    window.run();
    let id = window.state().state.metrics.book.sources[0].id;
    assert_eq!(asked(&window), [MetricsCommand::Check(id)]);
}

#[test]
fn the_head_tells_what_the_source_is_and_how_much_it_feeds() {
    let window = dark(full());
    let told = labels(&window, "Prometheus 2.53.1");
    assert!(told.iter().any(|words| words.contains("reads every 15 s")), "{told:?}");
    assert!(told.iter().any(|words| words.contains("feeds ")), "{told:?}");
}

#[test]
fn plots_numbers_and_rows_have_words() {
    let window = dark(full());
    for words in [
        "Requests by workload over time: last checkout ",
        "Latency p99 over time, interpolated from buckets: last checkout p99 ",
        "Requests: 1\u{2009}",
        "Failed: ",
    ] {
        assert!(!labels(&window, words).is_empty(), "{words}");
    }
    let failed = labels(&window, "Failed: ");
    assert!(failed.iter().any(|words| words.ends_with("worth a look")), "{failed:?}");
}

#[test]
fn interpolated_quantiles_are_marked_and_explained() {
    let window = dark(full());
    let marks = labels(&window, "≈ interpolated");
    assert_eq!(marks.len(), 1, "{marks:?}");
    assert!(marks[0].contains("no more exact than its buckets are wide"), "{marks:?}");
}

#[test]
fn a_part_that_failed_is_told_with_the_words_of_the_source() {
    let window = dark(states());
    for words in ["unknown function “ratte”", "query timed out", "No data: ", "istioctl waypoint apply"] {
        assert!(!labels(&window, words).is_empty(), "{words}");
    }
}

/// Holds that one thing was asked for: a part of the time on show.
fn assert_asks_for_a_part(window: &Window) {
    let asked = asked(window);
    let [MetricsCommand::Look(View { range: Range::Between(from, to), .. })] = asked.as_slice() else {
        panic!("{asked:?}")
    };
    assert!(GRID.from_ms < *from && from < to && *to < GRID.to_ms, "{from} {to}");
}

#[test]
fn a_drag_on_one_plot_asks_for_that_time_for_all() {
    let mut window = dark(full());
    let rect = window.get_by_label_contains("Requests by workload over time").rect();
    let (from, to) = (rect.left_center() + egui::vec2(100.0, 0.0), rect.center() + egui::vec2(60.0, 10.0));
    window.hover_at(from);
    window.run();
    window.drag_at(from);
    window.run();
    window.hover_at(to);
    window.run();
    window.drop_at(to);
    window.run();
    assert_asks_for_a_part(&window);
}

#[test]
fn a_wheel_asks_for_a_time_once_it_rests() {
    let mut window = dark(full());
    let at = window.get_by_label_contains("Requests by workload over time").rect().center();
    window.hover_at(at);
    window.run();
    for _ in 0..4 {
        // So little is not smoothed: the axis moves with each event, and each has a frame of its own.
        window.event(egui::Event::MouseWheel {
            unit: egui::MouseWheelUnit::Point,
            delta: egui::vec2(0.0, 6.0),
            phase: egui::TouchPhase::Move,
            modifiers: Modifiers::COMMAND,
            source: egui::MouseWheelSource::Unknown,
        });
    }
    window.run();
    assert_asks_for_a_part(&window);
}

#[test]
fn an_answer_for_the_same_moments_is_an_answer() {
    let mut state = full();
    state.metrics.view.refresh_s = Some(1);
    let mut window = dark(state);
    // A frame is a quarter of a second.
    window.run_steps(20);
    assert!(!labels(&window, "No answer for").is_empty(), "nothing has answered");
    let state = &mut window.state_mut().state;
    let news = MetricsNews::Asked(state.metrics.number, GRID);
    state.event(Event::Metrics(news), Fresh { id: Uuid::nil() });
    window.run_steps(2);
    assert!(labels(&window, "No answer for").is_empty());
}

#[test]
fn a_table_stays_sorted_by_no_column_that_is_gone() {
    let mut state = with_source(&["up"]);
    show(&mut state, "Tables", vec![(table(), vec![answer(pods(0.31, 0.1)), answer(pods(92e6, 4e6))])]);
    let mut window = dark(state);
    window.get_by_label("Sort by Memory").click();
    window.run();
    let shown = window.state_mut().state.metrics.shown.as_mut().unwrap();
    let answers = Some(Arc::new(vec![answer(pods(0.31, 0.1)), answer(Vec::new())]));
    shown.panels.insert(PanelPlace { row: 0, panel: 0 }, PanelState { answers, grid: Some(GRID) });
    window.run();
    assert!(window.query_by_label("Sort by Memory").is_none(), "it has no answer");
    assert!(window.query_by_label("Sort by Value").is_some());
}

#[test]
fn a_part_of_the_time_has_a_way_back() {
    let mut state = full();
    state.metrics.view.range = Range::Between(GRID.from_ms, GRID.to_ms);
    let mut window = dark(state);
    window.get_by_label("Back to last 15 min").click();
    window.run();
    let asked = asked(&window);
    let [MetricsCommand::Look(view)] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(view.range, Range::Last(900));
}

#[test]
fn a_click_in_a_legend_hides_a_line_of_that_panel_only() {
    let mut window = dark(full());
    let rows = |window: &Window| labels(window, "checkout: Last");
    assert_eq!(rows(&window).len(), 2, "{:?}", rows(&window));
    window.get_all_by_label_contains("checkout: Last").next().unwrap().click();
    window.run();
    let nodes = window.get_all_by_label_contains("checkout: Last");
    let are_on: Vec<Option<Toggled>> = nodes.map(|node| node.accesskit_node().toggled()).collect();
    assert_eq!(are_on, [Some(Toggled::False), Some(Toggled::True)]);
}

#[test]
fn several_values_of_a_variable_are_chosen_and_searched() {
    let mut window = dark(imported());
    window.get_by_label("Workload: All").click();
    window.run();
    write(&mut window, "Search Workload", "-17");
    assert!(window.query_by_label("workload-01").is_none(), "it is searched");
    window.get_by_label("workload-17").click();
    window.run();
    let asked = asked(&window);
    let Some(MetricsCommand::Look(view)) = asked.last() else { panic!("{asked:?}") };
    assert_eq!(view.chosen.get("workload"), Some(&vec!["workload-17".to_owned()]));
}

#[test]
fn a_text_to_write_shows_what_is_in_force_until_somebody_writes() {
    let mut window = dark(imported());
    let text = |window: &Window| window.get_by_label("Filter").value().unwrap_or_default();
    assert_eq!(text(&window), "http.*");
    let chosen = &mut window.state_mut().state.metrics.view.chosen;
    chosen.insert("filter".to_owned(), vec!["grpc.*".to_owned()]);
    window.run();
    assert_eq!(text(&window), "grpc.*");
    write(&mut window, "Filter", "|tcp");
    assert!(text(&window).contains("|tcp"), "it is being written");
}

#[test]
fn a_folded_row_is_unfolded() {
    let mut window = dark(imported());
    window.get_by_label("Row Inbound, folded").click();
    window.run();
    assert!(window.query_by_label("Row Inbound, unfolded").is_some());
}

#[test]
fn a_board_is_kept_with_runs_or_not() {
    let mut window = dark(ready("istio"));
    window.get_by_label("Keep with runs").click();
    window.run();
    assert_eq!(asked(&window), [MetricsCommand::KeepWithRuns(vec![BoardId("istio".to_owned())])]);
}

#[test]
fn a_ready_board_is_copied_before_it_is_edited() {
    let mut window = dark(ready("istio"));
    window.get_by_label("More about boards").click();
    window.run();
    window.get_by_label("Copy board and edit it…").click();
    window.run();
    let asked = asked(&window);
    let [MetricsCommand::PutBoard(board), MetricsCommand::ChooseBoard(id)] = asked.as_slice() else {
        panic!("{asked:?}")
    };
    assert_eq!((&board.id, board.title.as_str()), (id, "Istio (copy)"));
    assert_ne!(board.id.0, "istio");
}

#[test]
fn a_panel_is_changed_in_the_editor() {
    let mut window = dark(full());
    window.get_by_label("Edit panel Requests by workload").click();
    window.run();
    let field = window.get_by_label("Title");
    field.focus();
    window.run();
    window.key_press_modifiers(Modifiers::COMMAND, Key::A);
    window.run();
    window.get_by_label("Title").type_text("Load");
    window.run();
    window.get_by_label("Save panel").click();
    window.run();
    let asked = asked(&window);
    let [MetricsCommand::PutBoard(board)] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(board.rows[0].panels[3].title, "Load");
    assert_eq!(board.rows[0].panels.len(), every_kind().len());
}

#[test]
fn nothing_lies_outside_the_window_at_a_zoom_of_one_and_a_half() {
    for state in [full(), imported(), failed(), ready("istio"), opened()] {
        let mut state = state;
        state.settings.zoom = 1.5;
        let mut window = window_of(egui::Theme::Light, state, WINDOW);
        window.run();
        let outside: Vec<String> = window
            .root()
            .children_recursive()
            .filter(|node| {
                let place = node.accesskit_node().bounding_box();
                place.is_some_and(|place| place.x0 < -1.0 || place.x1 > f64::from(WINDOW[0]) + 1.0)
            })
            .filter_map(|node| node.accesskit_node().label().or(node.accesskit_node().value()))
            .filter(|words| !words.trim().is_empty())
            .collect();
        assert!(outside.is_empty(), "{outside:?}");
    }
    let mut results = SnapshotResults::new();
    let mut state = full();
    state.settings.zoom = 1.5;
    let mut window = window_of(egui::Theme::Dark, state, WINDOW);
    window.run();
    picture::compare(&mut results, &mut window, "metrics_zoom_150");
}

#[test]
fn a_grafana_is_asked_by_the_data_source_that_is_chosen() {
    let mut state = with_source(&["up"]);
    let kind = SourceKind::Grafana {
        place: Place::Url("https://grafana.example.org".to_owned()),
        access: Access::default(),
        data_source: None,
    };
    state.metrics.book.sources[0].kind = kind;
    let sources = ["main", "other"].map(|name| (format!("uid-{name}"), name.to_owned()));
    let told = Facts { data_sources: sources.to_vec(), ..facts(&["up"]) };
    let id = state.metrics.book.sources[0].id;
    state.metrics.stands.insert(id, Standing { facts: Some(Arc::new(told)), ..Standing::default() });
    let mut window = dark(state);
    window.get_by_label_contains("Source: ").click();
    window.run();
    window.get_by_label("other").click();
    window.run();
    let [MetricsCommand::PutSource(put, None)] = &asked(&window)[..] else { panic!("{:?}", asked(&window)) };
    let SourceKind::Grafana { data_source, .. } = &put.kind else { panic!("{put:?}") };
    assert_eq!((put.id, data_source.as_deref()), (id, Some("uid-other")));
}
