use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::metrics::fake::{Asked, Fake, Reply};
use crate::model::metrics::Op;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
}

fn endpoint(instance: &str, fetch: Fetch) -> Endpoint {
    Endpoint { labels: labels(&[("instance", instance)]), fetch }
}

fn saying(page: Result<&str, &str>) -> Fetch {
    let page = page.map(|page| page.as_bytes().to_vec()).map_err(str::to_owned);
    Arc::new(move || {
        let page = page.clone();
        Box::pin(async move { page })
    })
}

fn now() -> Grid {
    let now = Timestamp::now().as_millisecond();
    Grid { from_ms: now, to_ms: now, step_ms: 1000 }
}

/// Waits until something holds, however long that takes.
async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::task::yield_now().await;
    }
}

fn sum(of: &str) -> Measure {
    Measure::Sum { of: Selector::of(of), by: vec!["instance".to_owned()] }
}

#[tokio::test]
async fn endpoints_are_read_and_named() {
    let direct = Direct::start(
        vec![endpoint("a", saying(Ok("x 1\ny 2"))), endpoint("b", saying(Ok("x 3")))],
        EVERY_MIN,
    );
    until(|| direct.facts().remarks.is_empty()).await;
    let answer = direct.range(&sum("x"), 60_000, now()).await.unwrap();
    let values: Vec<(String, Option<f64>)> =
        answer.series.iter().map(|series| (series.words(), series.last())).collect();
    assert_eq!(values, [("instance=a".to_owned(), Some(1.0)), ("instance=b".to_owned(), Some(3.0))]);
    let facts = direct.facts();
    assert_eq!((facts.product, facts.scrape_ms), (Product::Direct, Some(1000)));
    assert_eq!(facts.names.iter().map(String::as_str).collect::<Vec<_>>(), ["x", "y"]);
}

#[tokio::test]
async fn all_is_known_once_each_endpoint_was_read_however_that_went() {
    let gate = Arc::new(tokio::sync::Notify::new());
    let slow: Fetch = {
        let gate = Arc::clone(&gate);
        Arc::new(move || {
            let gate = Arc::clone(&gate);
            Box::pin(async move {
                gate.notified().await;
                Err("it is gone".to_owned())
            })
        })
    };
    let direct = Direct::start(vec![endpoint("a", saying(Ok("x 1"))), endpoint("b", slow)], EVERY_MIN);
    assert!(!direct.is_known());
    until(|| direct.facts().names.contains("x")).await;
    assert!(!direct.is_known(), "b was not read yet");
    gate.notify_one();
    until(|| direct.is_known()).await;
    assert_eq!(direct.facts().remarks, ["b cannot be read. it is gone"]);
}

#[tokio::test]
async fn without_endpoints_all_is_known_once_it_was_fed() {
    let direct = Direct::start(Vec::new(), EVERY_MIN);
    assert!(!direct.is_known());
    direct.feed(Vec::new());
    assert!(direct.is_known(), "who feeds it has looked, and found nothing");
}

#[tokio::test]
async fn an_endpoint_over_http_is_asked_for_the_text_format() {
    let peer =
        Fake::start(|_: &Asked| Reply::Says(200, "text/plain; version=0.0.4", "x 1\n".to_owned())).await;
    let at = Endpoint::at(peer.web(), "/stats/prometheus", "envoy", labels(&[("pod", "p")]));
    let direct = Direct::start(vec![at], EVERY_MIN);
    until(|| direct.facts().remarks.is_empty()).await;
    let asked = peer.last();
    assert_eq!(asked.path, "/stats/prometheus");
    assert!(asked.head.contains("accept: text/plain;version=0.0.4"), "{}", asked.head);
    assert_eq!(direct.label_values("pod", None).unwrap(), ["p"]);
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_says_why_and_hides_nothing_of_the_others() {
    let direct = Direct::start(
        vec![
            endpoint("a", saying(Err("it is gone"))),
            endpoint("b", saying(Ok("<html>log in</html>"))),
            endpoint("c", saying(Ok("{\"status\":\"success\"}"))),
            endpoint("d", saying(Ok("x 1\nwhat is this\n"))),
        ],
        EVERY_MIN,
    );
    until(|| !direct.facts().remarks.iter().any(|remark| remark.contains("not answered yet"))).await;
    let remarks = direct.facts().remarks;
    assert_eq!(remarks[0], "a cannot be read. it is gone");
    assert!(remarks[1].starts_with("b cannot be read. it shows no metrics"), "{remarks:?}");
    assert!(remarks[2].starts_with("c cannot be read. it shows no metrics"), "{remarks:?}");
    assert_eq!(remarks[3], "d shows 1 line that cannot be read");
    assert_eq!(direct.range(&sum("x"), 60_000, now()).await.unwrap().series.len(), 1);
}

#[tokio::test]
async fn an_endpoint_that_hangs_is_given_up_and_read_again() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let fetch: Fetch = Arc::new(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        Box::pin(std::future::pending())
    });
    let read_max = Duration::from_millis(20);
    let direct = Direct::within(vec![endpoint("a", fetch)], Duration::from_millis(20), read_max);
    until(|| count.load(Ordering::Relaxed) == 3).await;
    assert!(direct.facts().remarks[0].contains("took too long"), "{:?}", direct.facts().remarks);
}

#[tokio::test]
async fn reading_ends_with_what_it_is_for() {
    let direct = Direct::start(
        vec![endpoint("a", saying(Ok("x 1"))), endpoint("b", Arc::new(|| Box::pin(std::future::pending())))],
        EVERY_MIN,
    );
    until(|| direct.facts().names.contains("x")).await;
    let readers = direct.readers.clone();
    assert!(readers.iter().all(|reader| !reader.is_finished()));
    drop(direct);
    until(|| readers.iter().all(AbortHandle::is_finished)).await;
}

#[tokio::test]
async fn endpoints_are_read_no_more_often_than_once_a_second() {
    let direct = Direct::start(vec![endpoint("a", saying(Ok("x 1")))], Duration::ZERO);
    assert_eq!(direct.facts().scrape_ms, Some(1000));
}

#[tokio::test]
async fn what_is_fed_is_worked_out_like_what_is_read() {
    let direct = Direct::start(Vec::new(), EVERY_MIN);
    let base = 1_700_000_000_000;
    for at in 0..4 {
        let sample = |name: &str, value| Sample {
            name: name.to_owned(),
            labels: labels(&[("pod", "p")]),
            value,
            at_ms: base + at * 15_000,
        };
        direct.feed(vec![sample("cpu", 0.25), sample("total", at as f64 * 30.0)]);
    }
    let grid = Grid { from_ms: base + 45_000, to_ms: base + 45_000, step_ms: 1000 };
    let cpu = Measure::Sum { of: Selector::of("cpu").with("pod", Op::Is, "p"), by: Vec::new() };
    assert_eq!(direct.range(&cpu, 60_000, grid).await.unwrap().series[0].last(), Some(0.25));
    let rate = Measure::Rate { of: Selector::of("total"), by: Vec::new() };
    assert_eq!(direct.range(&rate, 60_000, grid).await.unwrap().series[0].last(), Some(2.0));
}

#[tokio::test]
async fn moments_are_held_to_the_same_limit_as_for_a_server() {
    let direct = Direct::start(Vec::new(), EVERY_MIN);
    let day = Grid { from_ms: 0, to_ms: 86_400_000, step_ms: 1000 };
    assert_eq!(direct.range(&sum("x"), 1000, day).await, Err(Failure::TooManyPoints(86_401)));
}

#[tokio::test]
async fn what_only_a_server_can_do_is_refused_in_words() {
    let direct = Direct::start(vec![endpoint("a", saying(Ok("x{b=\"c\"} 1")))], EVERY_MIN);
    until(|| direct.facts().remarks.is_empty()).await;
    assert!(Direct::refused("rate(x[5m])").to_string().starts_with("This needs a Prometheus server"));
    assert_eq!(direct.variable_values("label_values(x{b=~\"c|d\"}, b)").unwrap(), ["c"]);
    assert_eq!(direct.variable_values("label_values(b)").unwrap(), ["c"]);
    assert_eq!(direct.variable_values("metrics(^x)").unwrap(), ["x"]);
    assert_eq!(direct.variable_values("label_names()").unwrap(), ["b", "instance"]);
    for query in ["query_result(sum(x))", "label_values(sum(x), b)", "x"] {
        assert!(matches!(direct.variable_values(query), Err(Failure::NeedsServer(_))), "{query}");
    }
}

#[tokio::test]
async fn endpoints_beyond_the_limit_are_left_out_and_told() {
    let seen = Arc::new(Mutex::new(0));
    let fetch: Fetch = {
        let seen = Arc::clone(&seen);
        Arc::new(move || {
            *seen.lock().unwrap() += 1;
            Box::pin(async { Ok(b"x 1".to_vec()) })
        })
    };
    let endpoints = (0..ENDPOINTS_MAX + 2).map(|at| endpoint(&at.to_string(), Arc::clone(&fetch)));
    let direct = Direct::start(endpoints.collect(), EVERY_MIN);
    until(|| *seen.lock().unwrap() == ENDPOINTS_MAX).await;
    assert_eq!(direct.readers.len(), ENDPOINTS_MAX);
    until(|| direct.facts().remarks.len() == 1).await;
    assert_eq!(direct.facts().remarks, ["2 more endpoints are left out"]);
}
