use super::*;
use crate::metrics::fake::{Asked, Fake, Reply, json};

const TIME: &str = r#"{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}"#;
const SOURCES: &str = r#"[
    {"uid":"b","name":"Other","type":"prometheus","isDefault":false},
    {"uid":"logs","name":"Loki","type":"loki","isDefault":false},
    {"uid":"a","name":"Main","type":"prometheus","isDefault":true,"jsonData":{"timeInterval":"5s"}}]"#;
const SETTINGS: &str = r#"{"defaultDatasource":"Main","buildInfo":{"version":"9"},"datasources":{
    "Main":{"uid":"a","type":"prometheus"},"Loki":{"uid":"logs","type":"loki"},
    "-- Grafana --":{"uid":"grafana","type":"datasource"},"Other":{"uid":"b","type":"prometheus"}}}"#;

/// A Grafana; `sources` is what it says of its data sources.
async fn grafana(sources: Reply) -> Fake {
    Fake::start(move |asked: &Asked| {
        let path = asked.path.as_str();
        match path {
            "/api/health" => json(r#"{"commit":"x","database":"ok","version":"10.4.1"}"#),
            "/api/datasources" => sources.clone(),
            "/api/frontend/settings" => json(SETTINGS),
            _ if path.starts_with("/api/search?type=dash-db&limit=1000&page=1") => json(
                r#"[{"uid":"d1","title":"Mesh","folderTitle":"Istio"},{"uid":"d2","title":"Node"},{"uid":"","title":"x"}]"#,
            ),
            "/api/dashboards/uid/d1" => json(r#"{"meta":{},"dashboard":{"title":"Mesh","panels":[]}}"#),
            "/api/dashboards/uid/none" => json(r#"{"meta":{}}"#),
            _ if path.starts_with("/api/datasources/proxy/uid/a/api/v1/query?query=time") => json(TIME),
            _ if path.starts_with("/api/datasources/proxy/uid/a/api/v1/label/__name__/values") => {
                json(r#"{"status":"success","data":["up"]}"#)
            }
            _ => Reply::Says(404, "application/json", r#"{"message":"Not found"}"#.to_owned()),
        }
    })
    .await
}

fn named(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|&(uid, name)| (uid.to_owned(), name.to_owned())).collect()
}

#[tokio::test]
async fn its_data_sources_dashboards_and_what_is_behind_it_are_told() {
    let peer = grafana(json(SOURCES)).await;
    let facts = Grafana::new(peer.web()).facts(None).await.unwrap();
    assert_eq!((facts.product, facts.version.as_str()), (Product::Grafana, "10.4.1"));
    assert_eq!(facts.data_sources, named(&[("a", "Main"), ("b", "Other")]));
    assert_eq!(facts.dashboards, named(&[("d1", "Istio / Mesh"), ("d2", "Node")]));
    assert!(facts.names.contains("up"));
}

#[tokio::test]
async fn who_may_only_look_is_told_its_data_sources_too() {
    let peer = grafana(Reply::Says(403, "application/json", r#"{"message":"no"}"#.to_owned())).await;
    let facts = Grafana::new(peer.web()).facts(None).await.unwrap();
    assert_eq!(facts.data_sources, named(&[("a", "Main"), ("b", "Other")]));
}

#[tokio::test]
async fn a_data_source_that_does_not_answer_is_a_remark() {
    let peer = grafana(json(SOURCES)).await;
    let facts = Grafana::new(peer.web()).facts(Some("b")).await.unwrap();
    assert!(facts.remarks[0].starts_with("Its data source does not answer."), "{:?}", facts.remarks);
}

#[tokio::test]
async fn a_dashboard_is_brought_as_it_is() {
    let peer = grafana(json(SOURCES)).await;
    let grafana = Grafana::new(peer.web());
    let board: Value = serde_json::from_slice(&grafana.dashboard("d1").await.unwrap()).unwrap();
    assert_eq!(board["title"], "Mesh");
    assert_eq!(grafana.dashboard("gone").await, Err(Failure::NotFound("Not found".to_owned())));
    assert!(matches!(grafana.dashboard("none").await, Err(Failure::Odd(_))));
    for uid in ["", "../x", "a b", "a?b", &"x".repeat(200)] {
        assert!(matches!(grafana.dashboard(uid).await, Err(Failure::Query(_))), "{uid}");
        assert!(grafana.server(uid).is_err());
    }
}

#[tokio::test]
async fn a_server_behind_it_is_asked_through_it() {
    let peer = grafana(json(SOURCES)).await;
    let server = Grafana::new(peer.web()).server("a").unwrap();
    let answer = server.instant("time()", 1000).await.unwrap();
    assert_eq!(answer.series[0].last(), Some(1.0));
}

#[tokio::test]
async fn more_dashboards_than_are_listed_are_told() {
    let peer = Fake::start(|asked: &Asked| {
        let page = |at: usize| format!(r#"{{"uid":"u{at}","title":"t"}}"#);
        let hits: Vec<String> = (0..PAGE).map(page).collect();
        assert!(asked.path.starts_with("/api/search"));
        json(format!("[{}]", hits.join(",")))
    })
    .await;
    let (dashboards, remark) = Grafana::new(peer.web()).dashboards().await.unwrap();
    assert_eq!((dashboards.len(), peer.count()), (DASHBOARDS_MAX, DASHBOARDS_MAX / PAGE));
    assert!(remark.is_some_and(|remark| remark.contains(&number::count(DASHBOARDS_MAX as u64))));
}

#[tokio::test]
async fn what_is_no_grafana_says_so() {
    let peer = Fake::saying(json("{}")).await;
    let trouble = Grafana::new(peer.web()).facts(None).await.unwrap_err();
    assert_eq!(trouble.title, "What answers is no Prometheus");
    let peer = Fake::saying(Reply::Says(200, "text/html", "<html>".to_owned())).await;
    assert!(Grafana::new(peer.web()).facts(None).await.is_err());
}
