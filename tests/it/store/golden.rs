//! Histories of every schema that was ever released must open and read the same for ever.

use std::fs;
use std::path::Path;

use meshbench::model::account::{Account, AccountBook, Provider, ProviderKind};
use meshbench::model::cluster::ContextKey;
use meshbench::model::digest::Digest;
use meshbench::model::metrics::board::PanelPlace;
use meshbench::model::metrics::kept::RUN_METRICS_VERSION;
use meshbench::model::metrics::{
    Access, Answer, Ask, Board, BoardId, Component, Cost, Grid, KeptBoard, KeptPanel, Login, Measure,
    MetricsBook, Op, Panel, PanelKind, PanelQuery, Place, Point, Row, RunMetrics, Selector, Series, Source,
    SourceId, SourceKind, Unit, Variable, VariableKind,
};
use meshbench::model::plan::TargetKind;
use meshbench::model::record::Record;
use meshbench::model::run::RunEdit;
use meshbench::model::sync::{Author, Choice, SyncBook, SyncTarget};
use meshbench::model::{Plan, Run, RunId, Settings, ThemeChoice};
use meshbench::store::{Arrived, FILE, Page, Remark, Store};
use uuid::Uuid;

use super::{id, now, open, run};

const SCHEMA_1: &str = "tests/data/store/schema-1.redb";
const SCHEMA_2: &str = "tests/data/store/schema-2.redb";
const SCHEMA_3: &str = "tests/data/store/schema-3.redb";
const TARGET: Uuid = Uuid::from_u128(77 << 100);
const ACCOUNT: Uuid = Uuid::from_u128(3 << 100);
const PROVIDER: Uuid = Uuid::from_u128(4 << 100);

fn settings() -> Settings {
    Settings { theme: ThemeChoice::Dark, zoom: 1.5, load_threads: 3, ..Settings::default() }
}

fn fill(store: &Store) {
    store.save_runs(&[run(1), run(2)]).unwrap();
    store.edit_run(id(2), RunEdit::Note("a note".to_owned()), now()).unwrap();
    store.checkpoint(&run(3)).unwrap();
    store.save_plan(Uuid::from_u128(9), &Plan::for_url("http://localhost:1/"), now()).unwrap();
    store.save_settings(&settings()).unwrap();
}

/// What schema 2 has beside it: a run of a colleague, one deleted on another machine, plans deleted, logins, servers.
fn fill_what_travels(store: &Store) {
    let there = Store::in_memory();
    let bob = Author { subject: "bob".to_owned(), name: "Bob".to_owned() };
    let give = |from: &Store, author: Option<&Author>| {
        let waiting = from.waiting(TARGET, &Choice::Everything).unwrap();
        let arrived = waiting.iter().map(|waiting| {
            let bytes = from.record(waiting.digest).unwrap().unwrap();
            let record = Record::read(&bytes, now()).unwrap();
            Arrived { digest: waiting.digest, bytes, record, author: author.cloned() }
        });
        let page = Page { arrived: arrived.collect(), ..Page::default() };
        store.take_in(TARGET, &page, now()).unwrap();
        let digests: Vec<Digest> = waiting.iter().map(|waiting| waiting.digest).collect();
        from.confirm(TARGET, &digests).unwrap();
        store.confirm(TARGET, &digests).unwrap();
    };
    there.save_run(&run(4)).unwrap();
    give(&there, Some(&bob));
    let mine = Store::in_memory();
    mine.save_run(&run(5)).unwrap();
    give(&mine, None);
    mine.delete_runs(&[id(5)], now()).unwrap();
    give(&mine, None);
    store.save_plan(Uuid::from_u128(8), &Plan::for_url("http://localhost:2/"), now()).unwrap();
    store.delete_plan(Uuid::from_u128(8), now()).unwrap();
    store.save_accounts(&accounts()).unwrap();
    store.save_sync_book(&servers()).unwrap();
}

fn accounts() -> AccountBook {
    let kind = ProviderKind::OpenId {
        issuer: "https://id.example.org".to_owned(),
        client_id: "meshbench".to_owned(),
        client_secret: None,
        audience: Some("https://bench.example.org".to_owned()),
        scopes: vec!["records".to_owned()],
        callback: Some("/callback".to_owned()),
    };
    let server = Some("https://bench.example.org".to_owned());
    let account = Account {
        id: ACCOUNT,
        provider: PROVIDER,
        subject: "ann".to_owned(),
        name: "Ann".to_owned(),
        email: None,
        since: now(),
    };
    AccountBook {
        providers: vec![Provider { id: PROVIDER, name: "Acme".to_owned(), kind, server }],
        accounts: vec![account],
        active: Some(ACCOUNT),
        ..AccountBook::default()
    }
}

fn servers() -> SyncBook {
    let target = SyncTarget {
        id: TARGET,
        server: "https://bench.example.org".to_owned(),
        account: ACCOUNT,
        space: "me".to_owned(),
        choice: Choice::Labelled([("mesh".to_owned(), "istio".to_owned())].into()),
        is_on: true,
    };
    SyncBook { targets: vec![target], ..SyncBook::default() }
}

/// Not a test: makes the file of the schema that this program writes, once before its release. Start it with
/// `cargo test --test it store::golden::make -- --ignored`; never make the file of an older schema again.
#[test]
#[ignore = "makes a file that is kept"]
fn make() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = open(dir.path());
    fill(&store);
    fill_what_travels(&store);
    store.keep_metrics(&metrics(1)).unwrap();
    store.save_metrics_book(&metrics_book()).unwrap();
    store.compact().unwrap();
    store.close().unwrap();
    let to = Path::new(env!("CARGO_MANIFEST_DIR")).join(SCHEMA_3);
    assert!(!to.exists(), "{} is there already and must stay as it is", to.display());
    fs::copy(dir.path().join(FILE), to).unwrap();
}

/// Sources and boards, of every kind of either.
fn metrics_book() -> MetricsBook {
    let access = Access { login: Login::Bearer, tenant: "shop".to_owned(), ..Access::default() };
    let place = Place::Url("https://prometheus.example.org/base".to_owned());
    let context = ContextKey { file: "/home/ann/.kube/config".into(), name: "dev".to_owned() };
    let pod = Place::Cluster {
        context: context.clone(),
        kind: TargetKind::Pod,
        namespace: "shop".to_owned(),
        name: "web-1".to_owned(),
        port: 15_090,
        path: "/stats/prometheus".to_owned(),
    };
    let kinds = [
        SourceKind::Prometheus { place: place.clone(), access: access.clone() },
        SourceKind::Grafana { place, access, data_source: Some("abc".to_owned()) },
        SourceKind::Direct { endpoints: vec![pod], api: Some(context), every_ms: 1000 },
    ];
    let source = |(number, kind)| Source {
        id: SourceId(Uuid::from_u128(number)),
        name: format!("source {number}"),
        kind,
    };
    let sources: Vec<Source> = (1..).zip(kinds).map(source).collect();
    let mut own = board();
    own.variables.push(Variable {
        name: "namespace".to_owned(),
        label: "Namespace".to_owned(),
        kind: VariableKind::Query {
            query: "label_values(up, namespace)".to_owned(),
            regex: "a(.*)".to_owned(),
        },
        chosen: vec!["shop".to_owned()],
        is_multi: true,
        has_all: true,
        all_value: Some(".*".to_owned()),
        is_hidden: false,
    });
    MetricsBook {
        source: Some(sources[0].id),
        sources,
        board: Some(own.id.clone()),
        with_runs: vec![own.id.clone(), BoardId("istio".to_owned())],
        boards: vec![own],
        ..MetricsBook::default()
    }
}

fn board() -> Board {
    let measure = Measure::Ratio(
        Box::new(Measure::Rate {
            of: Selector::of("a").with("code", Op::MatchesNot, "5.."),
            by: vec!["pod".to_owned()],
        }),
        Box::new(Measure::Quantile { q: 0.99, of: Selector::of("b_bucket"), by: Vec::new() }),
    );
    let asks = [Ask::Measure(measure), Ask::PromQl("sum(rate(a[$__rate_interval]))".to_owned())];
    let query = |(name, ask): (&str, Ask)| PanelQuery {
        name: name.to_owned(),
        ask,
        legend: "{{pod}}".to_owned(),
        is_instant: false,
        is_hidden: false,
    };
    let mut panel = Panel::new("Requests", PanelKind::TimeSeries, Unit::Rate);
    panel.queries = ["A", "B"].into_iter().zip(asks).map(query).collect();
    let row = Row { title: "Traffic".to_owned(), is_folded: true, panels: vec![panel] };
    Board { rows: vec![row], ..Board::new(BoardId(Uuid::from_u128(5).to_string()), "Mine") }
}

/// What was kept of metrics with a run.
pub(super) fn metrics(number: u64) -> RunMetrics {
    let point = |at: i64| Point { at_ms: 1_700_000_000_000 + at * 1000, value: at as f64 / 3.0 };
    let series = Series {
        labels: [("pod".to_owned(), "web-1".to_owned())].into(),
        points: (0..4).map(point).collect(),
    };
    let answers = vec![
        Ok(Answer { series: vec![series], left_out: 2, remarks: vec!["a remark".to_owned()] }),
        Err("it was not reached".to_owned()),
    ];
    RunMetrics {
        version: RUN_METRICS_VERSION,
        run: id(number),
        source: "source 1 (https://prometheus.example.org/base)".to_owned(),
        taken: now(),
        grid: Grid { from_ms: 1_700_000_000_000, to_ms: 1_700_000_003_000, step_ms: 1000 },
        scrape_ms: Some(1000),
        boards: vec![KeptBoard {
            board: board(),
            panels: vec![KeptPanel { place: PanelPlace { row: 0, panel: 0 }, answers }],
        }],
        costs: vec![Cost {
            component: Component::Proxies,
            of: "istio".to_owned(),
            cpu_s: Some(1.25),
            memory_mean_bytes: Some(2e6),
            memory_max_bytes: None,
            requests: 200,
            seconds: 2.25,
        }],
        remarks: vec!["short".to_owned()],
    }
}

#[test]
fn a_history_of_schema_2_reads_the_same() {
    let store = reads_the_same(SCHEMA_2, None, &["annotation", "plan", "run"]);
    assert_eq!(store.metrics_book().unwrap(), MetricsBook::default());
}

#[test]
fn a_history_of_schema_3_reads_the_same() {
    let store = reads_the_same(SCHEMA_3, Some(metrics(1)), &["annotation", "metrics", "plan", "run"]);
    assert_eq!(store.metrics_book().unwrap(), metrics_book());
}

/// What was kept with the first run; `kinds`: of what never left.
fn reads_the_same(file: &str, kept_with: Option<RunMetrics>, kinds_wanted: &[&str]) -> Store {
    let dir = tempfile::tempdir().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    fs::copy(&from, dir.path().join(FILE)).unwrap();
    let (store, report) = open(dir.path());
    assert_eq!(report.remarks, [Remark::Interrupted { id: id(3), name: run(3).name }]);
    let mut noted = run(2);
    noted.note = "a note".to_owned();
    let first = Run { metrics: kept_with.map(Box::new), ..run(1) };
    for (number, kept) in [(1, first), (2, noted), (4, run(4))] {
        assert_eq!(store.run(id(number)).unwrap(), Some(kept));
    }
    let list: Vec<RunId> = store.summaries().unwrap().iter().map(|row| row.id).collect();
    assert_eq!(list, [4, 3, 2, 1].map(id));
    assert_eq!(store.trash().unwrap(), [run(5).summary()], "deleted elsewhere");
    let plan = Plan::for_url("http://localhost:1/");
    assert_eq!(store.plans().unwrap(), [(Uuid::from_u128(9), plan)].into());
    assert_eq!((store.settings().unwrap(), store.accounts().unwrap()), (settings(), accounts()));
    assert_eq!(store.sync_book().unwrap(), servers());
    let authors = store.authors().unwrap();
    assert_eq!(
        authors.into_iter().map(|(id, author)| (id, author.name)).collect::<Vec<_>>(),
        [(id(4), "Bob".to_owned())]
    );
    assert_eq!(store.shared_runs(TARGET).unwrap(), [id(4), id(5)].into());
    // What never left goes to a server that was added today, as it was written then.
    let (target, mut kinds) = (Uuid::from_u128(78 << 100), Vec::new());
    loop {
        let waiting = store.waiting(target, &Choice::Everything).unwrap();
        for waiting in &waiting {
            let bytes = store.record(waiting.digest).unwrap().unwrap();
            assert_eq!(Digest::of(&bytes), waiting.digest);
            kinds.push(Record::read(&bytes, now()).unwrap().kind().name());
            store.confirm(target, &[waiting.digest]).unwrap();
        }
        if waiting.is_empty() {
            break;
        }
    }
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds, kinds_wanted);
    assert_eq!(store.restore_runs(&[id(5)], now()).unwrap(), [run(5).summary()]);
    store
}

#[test]
fn a_history_of_schema_1_reads_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(SCHEMA_1);
    fs::copy(&from, dir.path().join(FILE)).unwrap();
    let (store, report) = open(dir.path());
    assert_eq!(report.remarks, [Remark::Interrupted { id: id(3), name: run(3).name }]);
    // Plans of then had version 1.
    let old = |number: u64| {
        let mut run = run(number);
        run.plan.version = 1;
        run
    };
    let mut noted = old(2);
    noted.note = "a note".to_owned();
    assert_eq!(store.run(id(1)).unwrap(), Some(old(1)));
    assert_eq!(store.run(id(2)).unwrap(), Some(noted.clone()));
    let list = store.summaries().unwrap();
    assert_eq!(list.len(), 3);
    assert_eq!(list[1..], [noted.summary(), run(1).summary()]);
    let plan = Plan { version: 1, ..Plan::for_url("http://localhost:1/") };
    assert_eq!(store.plans().unwrap(), [(Uuid::from_u128(9), plan)].into());
    assert_eq!(store.settings().unwrap(), settings());
}
