//! What is sent is kept, named and handed back.

use std::collections::BTreeSet;

use meshbench::model::Plan;
use meshbench::model::digest::Digest;
use meshbench::model::record::Record;
use meshbench::sync::server::Limits;
use meshbench::sync::server::open_store;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Server, TOKEN, json, note, refused, run, sealed_run};

#[tokio::test]
async fn a_record_is_kept_once_and_handed_back_as_it_was_sent() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let bytes = sealed_run(1);
    let digest = Digest::of(&bytes);
    assert_eq!(refused(server.record("ann", "me", digest).await).await, (404, "not_found".to_owned()));
    let first = server.put("ann", "me", &bytes).await;
    assert_eq!(first.status(), 201);
    let first = json(first).await;
    assert_eq!((&first["seq"], &first["server_epoch"]), (&json!(1), &server.epoch().await));
    let again = server.put("ann", "me", &bytes).await;
    assert_eq!(again.status(), 200);
    assert_eq!(json(again).await, first);
    let back = server.record("ann", "me", digest).await;
    assert_eq!(back.bytes().await.unwrap(), bytes);
    let me = json(server.get("ann", "/v1/me").await).await;
    assert_eq!(me["spaces"][0]["used_bytes"], json!(bytes.len()));
    let ids: Vec<_> = me["spaces"].as_array().unwrap().iter().map(|space| space["id"].clone()).collect();
    assert_eq!(ids, [json!("me"), json!("perf")]);
    server.stop().await;
}

#[tokio::test]
async fn what_is_no_record_or_holds_a_secret_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let no_record = (422, "no_record".to_owned());
    let other = format!("/v1/spaces/me/records/{}", Digest::of(b"other"));
    let wrong = server.ask("ann", Method::PUT, &other).body(sealed_run(1)).send().await.unwrap();
    assert_eq!(refused(wrong).await, no_record);
    assert_eq!(refused(server.put("ann", "me", b"no record").await).await, no_record);
    let mut plan = Plan::for_url("https://shop.test/");
    plan.request.headers.push(meshbench::model::Header {
        name: "Authorization".to_owned(),
        value: "Bearer CANARY-HEADER".to_owned(),
        secret: true,
    });
    let secret = meshbench::model::Run { plan, ..run(2) };
    let bytes = Record::Run(Box::new(secret)).seal().unwrap();
    assert_eq!(refused(server.put("ann", "me", &bytes).await).await, no_record);
    assert!(super::files_with(folder.path(), b"spaces").is_empty());
    let no_digest = server.get("ann", "/v1/spaces/me/records/ABC").await;
    assert_eq!(refused(no_digest).await, (400, "bad_request".to_owned()));
    server.stop().await;
}

#[tokio::test]
async fn nobody_sees_a_space_that_is_not_theirs_or_whether_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let bytes = note(1, "a");
    assert_eq!(server.put("ann", "perf", &bytes).await.status(), 201);
    assert_eq!(server.record("bob", "perf", Digest::of(&bytes)).await.bytes().await.unwrap(), bytes);
    assert_eq!(server.record("bob", "me", Digest::of(&bytes)).await.status(), 404);
    let foreign = server.put("eve", "perf", &bytes).await;
    let absent = server.put("eve", "nothing", &bytes).await;
    assert_eq!((foreign.status(), absent.status()), (absent.status(), foreign.status()));
    assert_eq!(foreign.bytes().await.unwrap(), absent.bytes().await.unwrap());
    assert_eq!(server.put("eve", "eves", &bytes).await.status(), 201);
    let nobody = server.get("mallory", "/v1/me").await;
    assert!(nobody.headers()["www-authenticate"].to_str().unwrap().contains("invalid_token"));
    assert_eq!(refused(nobody).await, (401, "unauthorized".to_owned()));
    let unknown = server.get("nokeys", "/v1/me").await;
    assert!(unknown.headers().contains_key("retry-after"));
    assert_eq!(unknown.status(), 503);
    server.stop().await;
}

#[tokio::test]
async fn changes_come_in_order_without_a_hole_and_have_says_what_is_lacking() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let records: Vec<Vec<u8>> = (0..7).map(|number| note(number, "n")).collect();
    for bytes in &records {
        assert_eq!(server.put("ann", "perf", bytes).await.status(), 201);
    }
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let page = server.changes("bob", "perf", after, 3).await;
        assert!(page.changes.len() <= 3);
        seen.extend(page.changes);
        after = seen.last().unwrap().seq;
        if !page.more {
            break;
        }
    }
    let digests: Vec<Digest> = records.iter().map(|bytes| Digest::of(bytes)).collect();
    assert_eq!(seen.iter().map(|change| change.seq).collect::<Vec<_>>(), (1..=7).collect::<Vec<u64>>());
    assert_eq!(seen.iter().map(|change| change.digest).collect::<Vec<_>>(), digests);
    assert_eq!((seen[0].kind.as_str(), seen[0].author_name.as_str()), ("annotation", "ann canary-name"));
    let lacking = Digest::of(b"lacking");
    let question = json!({"digests": [digests[0], lacking, digests[6]]}).to_string();
    let have = |body: String| server.ask("bob", Method::POST, "/v1/spaces/perf/have").body(body).send();
    assert_eq!(json(have(question).await.unwrap()).await["missing"], json!([lacking]));
    let many = json!({"digests": vec![lacking; 5001]}).to_string();
    assert_eq!(have(many).await.unwrap().status(), 400);
    server.stop().await;
}

#[tokio::test]
async fn a_restart_keeps_the_epoch_and_the_records_and_a_wiped_store_has_another_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let (epoch, bytes) = (server.epoch().await, sealed_run(1));
    server.put("ann", "me", &bytes).await;
    server.stop().await;
    let server = Server::start(folder.path()).await;
    assert_eq!(server.epoch().await, epoch);
    assert_eq!(server.put("ann", "me", &bytes).await.status(), 200);
    server.stop().await;
    std::fs::remove_dir_all(folder.path()).unwrap();
    let server = Server::start(folder.path()).await;
    assert_ne!(server.epoch().await, epoch);
    assert!(server.epoch().await.as_str().unwrap().parse::<Uuid>().is_ok());
    server.stop().await;
}

#[tokio::test]
async fn what_the_description_says_is_what_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path()).await;
    let described = json(server.get("ann", "/v1/openapi.json").await).await;
    let verbs = [Method::GET, Method::PUT, Method::POST, Method::DELETE];
    for (path, item) in described["paths"].as_object().unwrap() {
        let at = path.replace("{space}", "me").replace("{digest}", &Digest::of(b"").to_string());
        for verb in &verbs {
            let answer = server.ask("nobody", verb.clone(), &at).send().await.unwrap();
            let is_described = item.get(verb.as_str().to_lowercase()).is_some();
            assert_eq!(answer.status() != 405, is_described, "{verb} {path}: {}", answer.status());
            assert_ne!(answer.status(), 404, "{verb} {path}");
        }
    }
    let source = std::fs::read_to_string("src/sync/server/routes.rs").unwrap();
    let routes: BTreeSet<&str> =
        source.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let paths: BTreeSet<&str> = described["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(routes, paths);
    server.stop().await;
}

#[tokio::test]
async fn metrics_and_logs_tell_of_requests_but_not_of_people() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path().to_str().unwrap()).unwrap();
    let server = Server::over(store, Limits { burst: 2, rate_per_sec: 0.001, ..Limits::default() }).await;
    server.put("ann", "perf", &sealed_run(1)).await;
    server.get("ann", "/v1/spaces/perf/changes?after=0&canary-query=1").await;
    server.get("ann", "/v1/me").await;
    server.get("ann", "/canary-path").await;
    assert_eq!(server.get("ann", "/healthz").await.text().await.unwrap(), "ok\n");
    assert_eq!(server.get("ann", "/readyz").await.status(), 200);
    let metrics = server.get("ann", "/metrics").await.text().await.unwrap();
    let put = "meshbench_http_requests_total{method=\"PUT\",route=\"/v1/spaces/{space}/records/{digest}\",status=\"201\"} 1";
    assert!(metrics.contains(put), "{metrics}");
    assert!(metrics.contains("meshbench_records_taken_total 1\n"), "{metrics}");
    assert!(metrics.contains("meshbench_rate_limited_total 1\n"), "{metrics}");
    assert!(metrics.contains("_bucket{le=\"+Inf\"}"), "{metrics}");
    let log = server.log.lock().unwrap().clone();
    assert_eq!(log.len(), 7, "{log:?}");
    for line in log {
        let line: Value = serde_json::from_str(&line).unwrap();
        assert!(line["status"].is_u64() && line["time"].is_string(), "{line}");
        let text = line.to_string();
        for never in [TOKEN, "canary", "perf"] {
            assert!(!text.contains(never), "{text}");
        }
    }
    assert!(!metrics.contains("canary"));
    server.stop().await;
}
