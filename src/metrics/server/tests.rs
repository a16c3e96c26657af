use std::time::Duration;

use super::*;
use crate::metrics::Limits;
use crate::metrics::fake::{Asked, Fake, Reply, json};

const GRID: Grid = Grid { from_ms: 1_700_000_000_000, to_ms: 1_700_000_060_500, step_ms: 15_000 };
const EMPTY: &str = r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;

async fn failure(reply: Reply) -> Failure {
    let peer = Fake::saying(reply).await;
    let limits = Limits { answer_max: Duration::from_millis(500), answer_bytes_max: 1024 * 1024 };
    Server::new(peer.within(limits)).range("up", GRID).await.expect_err("a failure")
}

fn says(status: u16, kind: &'static str, body: &str) -> Reply {
    Reply::Says(status, kind, body.to_owned())
}

#[tokio::test]
async fn a_range_is_asked_for_in_seconds() {
    let peer = Fake::saying(json(EMPTY)).await;
    Server::new(peer.web()).range("sum(up) + 1", GRID).await.unwrap();
    let asked = peer.last();
    assert_eq!(asked.method, "GET");
    assert_eq!(
        asked.path,
        "/api/v1/query_range?query=sum%28up%29+%2B+1&start=1700000000&end=1700000060.5&step=15"
    );
    assert!(asked.head.contains("accept: application/json"), "{}", asked.head);
}

#[tokio::test]
async fn a_long_query_goes_as_a_form() {
    let peer = Fake::saying(json(EMPTY)).await;
    let long = format!("up{{a=\"{}\"}}", "x".repeat(5000));
    Server::new(peer.web()).range(&long, GRID).await.unwrap();
    let asked = peer.last();
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/api/v1/query_range"));
    assert!(asked.head.contains("content-type: application/x-www-form-urlencoded"));
    assert!(asked.body.starts_with("query=up%7Ba%3D%22xxx") && asked.body.ends_with("&step=15"));
}

#[tokio::test]
async fn too_many_moments_are_not_asked_for() {
    let peer = Fake::saying(json(EMPTY)).await;
    let server = Server::new(peer.web());
    let day = Grid { from_ms: 0, to_ms: 86_400_000, step_ms: 1000 };
    assert_eq!(server.range("up", day).await, Err(Failure::TooManyPoints(86_401)));
    for (to_ms, step_ms) in [(-1, 1000), (1000, 0), (1000, -5)] {
        let grid = Grid { from_ms: 0, to_ms, step_ms };
        assert_eq!(server.range("up", grid).await, Err(Failure::Moments));
    }
    assert_eq!(peer.count(), 0);
    let most = Grid { from_ms: 0, to_ms: 10_999_000, step_ms: 1000 };
    assert!(server.range("up", most).await.is_ok());
}

#[tokio::test]
async fn a_page_to_log_in_at_is_no_answer() {
    let page = "<!DOCTYPE html><title>Log in</title>";
    assert_eq!(failure(says(200, "text/html; charset=utf-8", page)).await, Failure::Page);
    assert_eq!(failure(says(200, "application/json", page)).await, Failure::Page);
    let redirect =
        "HTTP/1.1 302 Found\r\nlocation: https://login.test/x?secret=1\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(
        failure(Reply::Raw(redirect.to_owned())).await,
        Failure::Redirected("https://login.test/x".to_owned())
    );
}

#[tokio::test]
async fn each_status_has_its_words() {
    let html = "<html>nginx</html>";
    for (status, body, expected) in [
        (401, html, Failure::LoginRefused(String::new())),
        (401, r#"{"message":"Unauthorized"}"#, Failure::LoginRefused("Unauthorized".to_owned())),
        (403, "no rights", Failure::Forbidden("no rights".to_owned())),
        (404, "404 page not found", Failure::NotFound("404 page not found".to_owned())),
        (429, "", Failure::TooOften(String::new())),
        (500, "", Failure::Unwell(500, String::new())),
        (502, html, Failure::Unwell(502, String::new())),
        (418, "teapot", Failure::Status(418, "teapot".to_owned())),
        (400, html, Failure::Status(400, String::new())),
        (
            422,
            r#"{"status":"error","errorType":"execution","error":"multiple matches for labels"}"#,
            Failure::Query("multiple matches for labels".to_owned()),
        ),
        (
            400,
            r#"{"status":"error","errorType":"bad_data","error":"parse error: unexpected end of input"}"#,
            Failure::Query("parse error: unexpected end of input".to_owned()),
        ),
        (
            503,
            r#"{"status":"error","errorType":"timeout","error":"query timed out"}"#,
            Failure::Unwell(503, "query timed out".to_owned()),
        ),
        (200, r#"{"status":"error","error":"no"}"#, Failure::Query("no".to_owned())),
    ] {
        assert_eq!(failure(says(status, "text/plain", body)).await, expected, "{status} {body}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_told_from_one_that_is_cut() {
    let cut = &EMPTY[..20];
    assert!(matches!(failure(json(cut)).await, Failure::Odd(_)));
    let short = format!("HTTP/1.1 200 X\r\ncontent-length: 500\r\n\r\n{EMPTY}");
    assert!(matches!(failure(Reply::Raw(short)).await, Failure::NoAnswer(_)));
    assert!(matches!(failure(Reply::Raw("no HTTP at all\r\n\r\n".to_owned())).await, Failure::NoAnswer(_)));
    assert!(matches!(failure(Reply::Raw(String::new())).await, Failure::NoAnswer(_)));
}

#[tokio::test]
async fn an_answer_without_end_is_not_waited_for() {
    assert_eq!(failure(Reply::Endless).await, Failure::Large(1024 * 1024));
    let large = "HTTP/1.1 200 X\r\ncontent-length: 9999999999\r\n\r\n[".to_owned();
    assert_eq!(failure(Reply::Raw(large)).await, Failure::Large(1024 * 1024));
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    assert_eq!(failure(Reply::Never).await, Failure::Slow(Duration::from_millis(500)));
    let begun = "HTTP/1.1 200 X\r\ncontent-length: 50\r\n\r\n{";
    let failure = failure(Reply::Raw(begun.to_owned())).await;
    assert!(matches!(failure, Failure::Slow(_) | Failure::NoAnswer(_)), "{failure:?}");
}

#[tokio::test]
async fn no_more_than_four_questions_are_open_at_once() {
    let peer = Fake::saying(Reply::Never).await;
    let server = Server::new(peer.web());
    let asks: Vec<_> = (0..6)
        .map(|_| {
            let server = server.clone();
            tokio::spawn(async move { server.range("up", GRID).await })
        })
        .collect();
    while peer.count() < ASKS_MAX {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.asks.available_permits(), 0);
    // A question that is dropped makes room for the next.
    asks[0].abort();
    asks[1].abort();
    while peer.count() < 6 {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.asks.available_permits(), 0);
    asks.iter().for_each(tokio::task::JoinHandle::abort);
}

/// Answers as a server of some kind; the rest is not found.
async fn server_that(answers: &'static [(&'static str, &'static str)]) -> Fake {
    Fake::start(move |asked: &Asked| {
        let found = answers.iter().find(|(path, _)| asked.path.starts_with(path));
        let now = jiff::Timestamp::now().as_millisecond() as f64 / 1000.0;
        match found {
            Some((_, "time")) => json(format!(
                r#"{{"status":"success","data":{{"resultType":"scalar","result":[{now},"{now}"]}}}}"#
            )),
            Some((_, body)) => json(*body),
            None => Reply::Says(404, "text/plain", "404 page not found".to_owned()),
        }
    })
    .await
}

const TIME: (&str, &str) = ("/api/v1/query?query=time", "time");

#[tokio::test]
async fn products_are_told_apart() {
    let build = "/api/v1/status/buildinfo";
    let prometheus = r#"{"status":"success","data":{"version":"2.42.0","revision":"abc","goVersion":"go1"}}"#;
    let mimir =
        r#"{"status":"success","data":{"application":"Grafana Mimir","version":"2.9","revision":"a"}}"#;
    let victoria = r#"{"status":"success","data":{"version":"2.24.0"}}"#;
    let stores = ("/api/v1/stores", r#"{"status":"success","data":{"store":[]}}"#);
    for (answers, product, version) in [
        (vec![TIME, (build, prometheus)], Product::Prometheus, "2.42.0"),
        (vec![TIME, (build, prometheus), stores], Product::Thanos, "2.42.0"),
        (vec![TIME, (build, mimir)], Product::Mimir, "2.9"),
        (vec![TIME, (build, victoria)], Product::VictoriaMetrics, ""),
        (vec![TIME], Product::Unknown, ""),
        (vec![TIME, (build, "{}")], Product::Unknown, ""),
    ] {
        let peer = server_that(answers.leak()).await;
        let facts = Server::new(peer.web()).facts().await.unwrap();
        assert_eq!((facts.product, facts.version.as_str()), (product, version));
        assert!(facts.clock_ahead_ms.unwrap().abs() < 2000);
    }
}

#[tokio::test]
async fn the_shortest_interval_and_silent_endpoints_are_told() {
    let peer = server_that(&[
        TIME,
        (
            "/api/v1/targets?state=active",
            r#"{"status":"success","data":{"activeTargets":[
                {"health":"up","scrapeInterval":"1m30s"},
                {"health":"up","scrapeInterval":"15s"},
                {"health":"down","scrapeUrl":"http://x:1/metrics","lastError":"refused","scrapeInterval":"1m"}],
                "droppedTargets":[]}}"#,
        ),
        ("/api/v1/label/__name__/values", r#"{"status":"success","data":["up","x"]}"#),
    ])
    .await;
    let facts = Server::new(peer.web()).facts().await.unwrap();
    assert_eq!(facts.scrape_ms, Some(15_000));
    assert_eq!(facts.names.len(), 2);
    assert_eq!(facts.remarks, ["1 of 3 endpoints that it reads do not answer: http://x:1/metrics (refused)"]);
}

#[tokio::test]
async fn where_targets_have_no_interval_the_settings_have_it() {
    let config = r#"{"status":"success","data":{"yaml":"global:\n  scrape_interval: 30s\nscrape_configs:\n- job_name: x\n  scrape_interval: 5s\n"}}"#;
    let peer = server_that(Box::leak(Box::new([TIME, ("/api/v1/status/config", config)]))).await;
    let facts = Server::new(peer.web()).facts().await.unwrap();
    assert_eq!(facts.scrape_ms, Some(5000));
    assert!(facts.remarks[0].starts_with("The names of its metrics are not known."), "{:?}", facts.remarks);
}

#[tokio::test]
async fn more_names_than_are_kept_are_told() {
    let names: Vec<String> = (0..NAMES_MAX + 2).map(|at| format!("\"n{at}\"")).collect();
    let body: &'static str = format!(r#"{{"status":"success","data":[{}]}}"#, names.join(",")).leak();
    let peer = server_that(Box::leak(Box::new([TIME, ("/api/v1/label/__name__", body)]))).await;
    let facts = Server::new(peer.web()).facts().await.unwrap();
    assert_eq!(facts.names.len(), NAMES_MAX);
    assert!(facts.remarks[0].contains(&number::count(NAMES_MAX as u64 + 2)), "{:?}", facts.remarks);
}

#[tokio::test]
async fn what_does_not_know_the_time_is_no_source() {
    let peer = Fake::saying(says(404, "text/plain", "404 page not found")).await;
    let trouble = Server::new(peer.web()).facts().await.unwrap_err();
    assert_eq!(trouble.title, "The source has nothing under this path");
    assert!(trouble.advice.contains("/prometheus"));
}

#[tokio::test]
async fn variables_are_asked_for_as_grafana_does() {
    let values = r#"{"status":"success","data":["a","b.c","b"]}"#;
    let peer = server_that(Box::leak(Box::new([
        ("/api/v1/label/pod/values?start=1700000000&end=1700000060.5&limit=10000&match%5B%5D=up%7Ba%3D%22b%22%7D", values),
        ("/api/v1/label/job/values", values),
        ("/api/v1/label/__name__/values", values),
        ("/api/v1/labels", values),
        ("/api/v1/series", r#"{"status":"success","data":[{"__name__":"up","b":"2"},{"__name__":"up","a":"1"}]}"#),
        ("/api/v1/query?query=sum", r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"2"]}]}}"#),
    ])))
    .await;
    let server = Server::new(peer.web());
    for (query, expected) in [
        ("label_values(up{a=\"b\"}, pod)", vec!["a", "b.c", "b"]),
        ("label_values(job)", vec!["a", "b.c", "b"]),
        ("metrics(b)", vec!["b.c", "b"]),
        ("label_names()", vec!["a", "b.c", "b"]),
        ("query_result(sum(up))", vec!["{} 2 1000"]),
        ("up", vec!["up{a=\"1\"}", "up{b=\"2\"}"]),
    ] {
        assert_eq!(server.variable_values(query, GRID).await.unwrap(), expected, "{query}");
    }
    for query in ["label_values(up, a b)", "label_values(a/../b)", "metrics([)"] {
        assert!(matches!(server.variable_values(query, GRID).await, Err(Failure::Query(_))), "{query}");
    }
}

#[test]
fn lengths_are_read_as_prometheus_writes_them() {
    for (text, ms) in [
        ("15s", Some(15_000)),
        ("1m30s", Some(90_000)),
        ("500ms", Some(500)),
        (" 1h ", Some(3_600_000)),
        ("0s", None),
        ("s", None),
        ("15", None),
        ("15x", None),
        ("99999999999999999y", None),
        ("", None),
    ] {
        assert_eq!(length_ms(text), ms, "{text}");
    }
}
