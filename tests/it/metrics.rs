//! Metrics of a real Envoy, by a real Prometheus and by ourselves, and a real nginx that guards it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use meshbench::metrics::{
    Carried, CarriedAnswer, Carrier, Direct, EVERY_MIN, Endpoint, Failure, Server, Web, promql,
};
use meshbench::model::metrics::{Access, Answer, Grid, Measure, Op, Product, Selector};
use meshbench::model::{Labels, Pacing, Plan, Stop};

use self::rig::Rig;
use crate::peer::measure;

mod guarded;
pub(crate) mod rig;

/// What Envoy counts of the requests that come to it.
const REQUESTS: &str = "envoy_http_downstream_rq_total";
/// The same by the class of the answer.
const CLASSES: &str = "envoy_http_downstream_rq_xx";
/// How long they took, as buckets in milliseconds.
const TIMES: &str = "envoy_http_downstream_rq_time_bucket";
const PREFIX: &str = "envoy_http_conn_manager_prefix";
/// Rates are over as many milliseconds.
const WINDOW_MS: i64 = 5000;

fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

fn web(url: &str) -> Web {
    Web::new(url, &Access::default(), None).unwrap()
}

fn ingress(metric: &str) -> Selector {
    Selector::of(metric).with(PREFIX, Op::Is, "ingress_http")
}

fn rate(of: Selector) -> Measure {
    Measure::Rate { of, by: Vec::new() }
}

/// The measures that are compared, and how they are written for a server.
fn measures() -> [(Measure, String); 3] {
    let errors = ingress(CLASSES).with("envoy_response_code_class", Op::Is, "5");
    let ratio = Measure::Ratio(Box::new(rate(errors)), Box::new(rate(ingress(REQUESTS))));
    let is = format!("{PREFIX}=\"ingress_http\"");
    let all = format!("sum(rate({REQUESTS}{{{is}}}[5s]))");
    let bad = format!("sum(rate({CLASSES}{{{is},envoy_response_code_class=\"5\"}}[5s]))");
    [
        (rate(ingress(REQUESTS)), all.clone()),
        (Measure::Rest(Box::new(ratio)), format!("1 - {bad} / ({all} != 0)")),
        (
            Measure::Quantile { q: 0.5, of: ingress(TIMES), by: Vec::new() },
            format!("histogram_quantile(0.5, sum by (le) (rate({TIMES}{{{is}}}[5s])))"),
        ),
    ]
}

/// Sends requests at a rate for so many seconds; how many were answered, and in which moments it began and ended.
async fn send(url: String, rate_per_sec: f64, seconds: u64) -> (u64, i64, i64) {
    let begun = now_ms();
    let sent = tokio::task::spawn_blocking(move || {
        let plan = Plan {
            connections: 4,
            pacing: Pacing::Constant { rate_per_sec },
            stop: Stop::Duration(Duration::from_secs(seconds)),
            warmup: Duration::ZERO,
            ..Plan::for_url(&url)
        };
        measure(&plan, 1)
    });
    let sent = sent.await.unwrap();
    assert_eq!(sent.requests.answered, sent.requests.due, "{:?}", sent.errors);
    (sent.requests.answered, begun, now_ms())
}

fn only(answer: &Answer) -> Vec<f64> {
    assert_eq!(answer.series.len(), 1, "{answer:?}");
    answer.series[0].points.iter().map(|point| point.value).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_prometheus_says_what_it_is() {
    let rig = Rig::start().await;
    rig.two_scrapes().await;
    let facts = Server::new(web(&rig.prometheus())).facts().await.unwrap();
    assert_eq!(facts.product, Product::Prometheus);
    assert!(facts.version.starts_with(|c: char| c.is_ascii_digit()), "{}", facts.version);
    assert_eq!(facts.scrape_ms, Some(1000));
    assert!(facts.names.contains(REQUESTS) && facts.names.contains("up"));
    assert!(facts.clock_ahead_ms.unwrap().abs() < 1000, "{:?}", facts.clock_ahead_ms);
    assert_eq!(facts.remarks, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_is_what_prometheus_and_we_ourselves_read() {
    const GOOD: f64 = 60.0;
    const BAD: f64 = 20.0;
    let rig = Rig::start().await;
    let server = Server::new(web(&rig.prometheus()));
    let endpoint = Endpoint::at(web(&rig.admin()), "/stats/prometheus", "envoy", Labels::new());
    let direct = Direct::start(vec![endpoint], EVERY_MIN);
    rig.two_scrapes().await;
    let (good, bad) = tokio::join!(send(rig.app("/"), GOOD, 12), send(rig.app("/broken"), BAD, 12));
    rig.two_scrapes().await;

    // The counters have every request, and every error.
    let is = format!("{PREFIX}=\"ingress_http\"");
    let count = |promql: String| {
        let server = server.clone();
        async move { only(&server.instant(&promql, now_ms()).await.unwrap())[0] }
    };
    assert_eq!(count(format!("sum({REQUESTS}{{{is}}})")).await, (good.0 + bad.0) as f64);
    let errors = format!("sum({CLASSES}{{{is},envoy_response_code_class=\"5\"}})");
    assert_eq!(count(errors).await, bad.0 as f64);

    // In the middle, so that the whole window of a rate is within the time in which all were sent.
    let from_ms = good.1.max(bad.1) + WINDOW_MS + 1500;
    let to_ms = good.2.min(bad.2) - 500;
    let grid = Grid { from_ms, to_ms, step_ms: 500 };
    let mut means = Vec::new();
    for (measure, promql) in measures() {
        let theirs = mean(&only(&server.range(&promql, grid).await.unwrap()));
        let ours = mean(&only(&direct.range(&measure, WINDOW_MS, grid).await.unwrap()));
        println!("{promql}: Prometheus {theirs}, ours {ours}");
        means.push((theirs, ours));
    }
    let near = |value: f64, expected: f64, share: f64| (value - expected).abs() <= expected * share;
    let [(rate, our_rate), (success, our_success), (median, our_median)] = means[..] else { panic!() };
    // Both read once a second, and so see an end of a window up to a second late.
    assert!(near(rate, GOOD + BAD, 0.2) && near(our_rate, GOOD + BAD, 0.2), "{rate} {our_rate}");
    let expected = GOOD / (GOOD + BAD);
    assert!(near(success, expected, 0.1) && near(our_success, expected, 0.1), "{success} {our_success}");
    assert!(near(our_rate, rate, 0.15), "{our_rate} {rate}");
    assert!(median > 0.0 && near(our_median, median, 0.5), "{our_median} {median}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_prometheus_refuses_in_its_own_words_and_we_know_before() {
    let rig = Rig::start().await;
    let server = Server::new(web(&rig.prometheus()));
    for (query, is_good) in [
        ("up", true),
        ("sum by (job) (rate(up[5m]))", true),
        ("histogram_quantile(0.9, sum by (le) (rate(x_bucket{a=~\"b|c\"}[1m])))", true),
        ("topk(3, up) or vector(0) unless on (job) absent(up)", true),
        ("label_replace(up, \"a\", \"$1\", \"job\", \"(.*)\")", true),
        ("avg_over_time(up[5m:30s] offset 1h) > bool 0.5", true),
        ("rate(up)", false),
        ("sum(up", false),
        ("up{a=\"b}", false),
        ("nothing_like_it(up)", false),
        ("up +", false),
        ("up{a=~\"(\"}", false),
        ("sum(1)", false),
        ("{a=\"\"}", false),
    ] {
        let asked = server.instant(query, now_ms()).await;
        assert_eq!(asked.is_ok(), is_good, "{query}: {asked:?}");
        assert_eq!(promql::check(query).is_ok(), is_good, "{query}: {:?}", promql::check(query));
        if let Err(failure) = asked {
            assert!(matches!(&failure, Failure::Query(said) if !said.is_empty()), "{query}: {failure:?}");
        }
    }
    let wrong = Server::new(web(&format!("{}/wrong", rig.prometheus())));
    assert!(matches!(wrong.instant("up", now_ms()).await, Err(Failure::NotFound(_))));
    assert!(wrong.facts().await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn variables_have_the_values_that_a_real_prometheus_and_we_ourselves_read() {
    let rig = Rig::start().await;
    let endpoint = Endpoint::at(web(&rig.admin()), "/stats/prometheus", "envoy", Labels::new());
    let direct = Direct::start(vec![endpoint], EVERY_MIN);
    rig.two_scrapes().await;
    let server = Server::new(web(&rig.prometheus()));
    let grid = Grid { from_ms: now_ms() - 60_000, to_ms: now_ms(), step_ms: 1000 };
    let query = format!("label_values({REQUESTS}{{mesh=~\"envoy|\"}}, {PREFIX})");
    let values = server.variable_values(&query, grid).await.unwrap();
    assert!(values.contains(&"ingress_http".to_owned()), "{values:?}");
    assert_eq!(direct.variable_values(&query).unwrap(), values);
    let names = server.variable_values("metrics(^envoy_http_downstream_rq_total$)", grid).await.unwrap();
    assert_eq!(names, [REQUESTS]);
    let labels = server.variable_values("label_names()", grid).await.unwrap();
    assert!(labels.contains(&PREFIX.to_owned()) && labels.contains(&"mesh".to_owned()));
    let lines = server.variable_values("query_result(sum(up) by (job))", grid).await.unwrap();
    assert!(lines.len() == 1 && lines[0].starts_with("{job=\"envoy\"} 1 "), "{lines:?}");
    // Longer than an address may be.
    let long = format!("up{{job!=\"{}\"}}", "x".repeat(100_000));
    assert_eq!(server.instant(&long, now_ms()).await.unwrap().series.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_prometheus_is_reached_over_a_socket_and_by_a_carrier() {
    let rig = Rig::start().await;
    rig.two_scrapes().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("prometheus.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let address = rig.prometheus_address();
    let forward = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut other = tokio::net::TcpStream::connect(address).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut other).await;
            });
        }
    });
    let access = Access::default();
    let over = Web::over_socket(&path, "prometheus.monitoring", "", &access, None).unwrap();
    assert_eq!(Server::new(over).facts().await.unwrap().product, Product::Prometheus);
    forward.abort();

    let (client, base) = (rig::client(), rig.prometheus());
    let carrier: Carrier = Arc::new(move |carried: Carried| {
        let request = client.get(format!("{base}{}", carried.path_and_query));
        Box::pin(async move {
            let answer = request.send().await.map_err(|error| error.to_string())?;
            let status = answer.status().as_u16();
            let bytes = answer.bytes().await.map_err(|error| error.to_string())?.to_vec();
            Ok(CarriedAnswer { status, bytes, content_type: "application/json".to_owned() })
        })
    });
    let by = Server::new(Web::carried(carrier, "", &access, None).unwrap());
    assert_eq!(by.facts().await.unwrap().scrape_ms, Some(1000));
    assert!(matches!(by.instant("up +", now_ms()).await, Err(Failure::Query(_))));
}
