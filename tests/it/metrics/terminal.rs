//! The terminal's commands about metrics, and metrics that are kept with runs, against real parts.

use std::path::Path;
use std::process::Command;

use meshbench::load::target::{Target, TargetOptions};
use meshbench::model::metrics::{Board, BoardId, Panel, PanelKind, Row, Unit};
use meshbench::report::grafana::write_board;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::cli::until;
use crate::kube::{Cluster, Kubeconfig, Kubelet, Options, Person};

use super::rig::Rig;

/// The rate at which load is sent, per second.
const RATE: f64 = 100.0;

/// What a command printed: its status, standard output, standard error.
struct Done {
    status: Option<i32>,
    out: String,
    err: String,
}

impl Done {
    fn json(&self) -> Value {
        assert_eq!(self.status, Some(0), "{}", self.err);
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

fn meshbench(home: &Path, arguments: &[&str]) -> Done {
    let done = Command::new(env!("CARGO_BIN_EXE_meshbench"))
        .arg("--data-dir")
        .arg(home.join("data"))
        .args(arguments)
        .env("HOME", home)
        .env_remove("KUBECONFIG")
        .output()
        .expect("it can be started");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Done { status: done.status.code(), out: text(done.stdout), err: text(done.stderr) }
}

/// Every series of the panels whose title is this, in a record or in what `metrics board` prints.
fn points(panels: &[Value], title: &str) -> Vec<f64> {
    let found = panels.iter().filter(|panel| panel["title"] == title);
    let series = found.flat_map(|panel| panel["queries"].as_array().cloned().unwrap_or_default());
    series
        .flat_map(|query| query["answer"]["series"].as_array().cloned().unwrap_or_default())
        .flat_map(|series| series["points"].as_array().cloned().unwrap_or_default())
        .filter_map(|point| point["value"].as_f64())
        .collect()
}

/// The series of a kept panel, by its title.
fn kept_points(run: &Value, title: &str) -> Vec<f64> {
    let kept = &run["metrics"]["boards"][0];
    let mut values = Vec::new();
    for panel in kept["panels"].as_array().expect("panels") {
        let (row, number) =
            (panel["place"]["row"].as_u64().unwrap(), panel["place"]["panel"].as_u64().unwrap());
        if kept["board"]["rows"][row as usize]["panels"][number as usize]["title"] != title {
            continue;
        }
        for answer in panel["answers"].as_array().expect("answers") {
            for series in answer["Ok"]["series"].as_array().into_iter().flatten() {
                values.extend(
                    series["points"].as_array().unwrap().iter().filter_map(|it| it["value"].as_f64()),
                );
            }
        }
    }
    values
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// A run's metrics: those of its counted part, by the mesh's own proxy, and still there when the source is not.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_keeps_what_prometheus_said_of_it_and_what_it_cost_after_prometheus_is_gone() {
    let home = tempfile::tempdir().unwrap();
    let rig = Rig::start().await;
    let (url, app) = (rig.prometheus(), rig.app("/"));
    rig.two_scrapes().await;
    let told = meshbench(home.path(), &["metrics", "check", &url, "--json"]).json();
    assert_eq!((&told["product"], &told["scrape_ms"]), (&json!("Prometheus"), &json!(1000)));
    let envoy = told["boards"].as_array().unwrap().iter().find(|board| board["id"] == "envoy").unwrap();
    assert!(envoy["fed"].as_u64().unwrap() >= 4, "{envoy}");
    let rate = RATE.to_string();
    let run = ["run", &app, "--rate", &rate, "--duration", "12s", "--warmup", "1s", "--connections", "4"];
    let with = ["--metrics", &url, "--board", "envoy", "--json", "-"];
    let done = meshbench(home.path(), &[&run[..], &with[..]].concat());
    let run = done.json();
    assert!(done.err.contains("Proxies (envoy)"), "the table tells what it cost: {}", done.err);
    let kept = &run["metrics"];
    assert!(kept["source"].as_str().unwrap().contains(&url), "{}", kept["source"]);
    let grid = &kept["grid"];
    let started: jiff::Timestamp = run["started"].as_str().unwrap().parse().unwrap();
    let counted_from = started.as_millisecond() + 1000;
    assert!(grid["from_ms"].as_i64().unwrap() >= counted_from, "the warm-up is no part of it: {grid}");
    let rates = kept_points(&run, "Requests");
    assert!(rates.len() >= 4, "{rates:?}: {kept}");
    let (seen, sent) = (mean(&rates), run["rate"]["achieved"].as_f64().unwrap());
    assert!((seen - sent).abs() < sent * 0.15, "Envoy counts {seen}/s of our {sent}/s: {rates:?}");
    let costs = kept["costs"].as_array().unwrap();
    let proxies = costs.iter().find(|cost| cost["component"] == "proxies").expect("what proxies cost");
    assert!(proxies["memory_mean_bytes"].as_f64().unwrap() > 1e6, "{proxies}");
    assert!(run["machine"]["samples"].as_array().unwrap().len() >= 10, "{}", run["machine"]);
    drop(rig);
    let exported = home.path().join("exported.json");
    let id = run["id"].as_str().unwrap();
    let out = exported.to_str().unwrap();
    let done = meshbench(home.path(), &["history", "export", id, "--format", "json", "--out", out]);
    assert_eq!(done.status, Some(0), "{}", done.err);
    let again: Value = serde_json::from_slice(&std::fs::read(&exported).unwrap()).unwrap();
    assert_eq!(again["metrics"], run["metrics"]);
    let html = home.path().join("report.html");
    meshbench(home.path(), &["history", "export", id, "--format", "html", "--out", html.to_str().unwrap()]);
    let html = std::fs::read_to_string(html).unwrap();
    assert!(html.contains("What it cost") && html.contains("The machine that sent load"));
}

/// Nothing is there but a proxy that shows what it counts.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_keeps_what_a_proxy_itself_shows_where_there_is_no_server() {
    let home = tempfile::tempdir().unwrap();
    let rig = Rig::start().await;
    let (source, app) = (format!("direct+{}/stats/prometheus", rig.admin()), rig.app("/"));
    let rate = RATE.to_string();
    let run = ["run", &app, "--rate", &rate, "--duration", "10s", "--connections", "4"];
    let with = ["--metrics", &source, "--board", "envoy", "--json", "-"];
    let run = meshbench(home.path(), &[&run[..], &with[..]].concat()).json();
    let rates = kept_points(&run, "Requests");
    let sent = run["rate"]["achieved"].as_f64().unwrap();
    assert!(!rates.is_empty() && (mean(&rates) - sent).abs() < sent * 0.2, "{rates:?}: {}", run["metrics"]);
    let told = meshbench(home.path(), &["metrics", "query", &source, "up"]);
    assert_eq!(told.status, Some(3), "{}", told.out);
    assert!(told.err.contains("Prometheus server"), "{}", told.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn boards_and_queries_are_printed_and_mistakes_are_told() {
    let home = tempfile::tempdir().unwrap();
    let rig = Rig::start().await;
    rig.two_scrapes().await;
    let url = rig.prometheus();
    let done = meshbench(home.path(), &["metrics", "query", &url, "up", "--range", "1m", "--json"]).json();
    let ups = points(done["panels"].as_array().unwrap(), "up");
    assert!(!ups.is_empty() && ups.iter().all(|up| *up == 1.0), "{done}");
    let done = meshbench(home.path(), &["metrics", "board", &url, "envoy", "--range", "1m"]);
    assert_eq!(done.status, Some(0), "{}", done.err);
    assert!(done.out.contains("interpolated from buckets"), "{}", done.out);
    let wrong = |arguments: &[&str], status: i32, words: &str| {
        let done = meshbench(home.path(), arguments);
        assert_eq!(done.status, Some(status), "{arguments:?}: {}{}", done.out, done.err);
        assert!(done.err.contains(words), "{arguments:?}: {}", done.err);
    };
    wrong(&["metrics", "query", &url, "sum("], 2, "closed");
    wrong(&["metrics", "board", &url, "no such"], 2, "there is no board");
    wrong(&["metrics", "check", "prometheus.example"], 2, "is no source");
    wrong(&["metrics", "check", &format!("http://{}", crate::peer::closed_port())], 3, "refused");
    wrong(&["run", &rig.app("/"), "--metrics", &url], 2, "--board");
}

/// It costs the run nothing but its metrics, and is told of once, also where nothing is kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_gone_when_a_run_ends_is_told_of_once() {
    let target = Target::start(TargetOptions::default()).unwrap();
    let url = format!("http://{}/", target.address());
    for more in [None, Some("--no-save")] {
        let home = tempfile::tempdir().unwrap();
        let rig = Rig::start().await;
        rig.two_scrapes().await;
        let before = target.served();
        let going = tokio::task::spawn_blocking({
            let (home, url, source) = (home.path().to_owned(), url.clone(), rig.prometheus());
            move || {
                let mut arguments = vec!["run", &url, "--rate", "50", "--duration", "4s"];
                arguments.extend(["--metrics", &source, "--board", "envoy"]);
                arguments.extend(more);
                meshbench(&home, &arguments)
            }
        });
        until("requests at the target", || target.served() > before);
        drop(rig);
        let done = going.await.unwrap();
        assert_eq!(done.status, Some(0), "{more:?}: {}", done.err);
        let told = done.err.to_lowercase().matches("no metrics are kept with the run").count();
        assert_eq!(told, 1, "{more:?}: {}", done.err);
    }
}

/// A board that was exported keeps its id: when it comes again, it takes the place of itself.
#[test]
fn a_board_that_is_imported_again_replaces_itself_and_is_told_of() {
    let home = tempfile::tempdir().unwrap();
    let id = Uuid::from_u128(7).to_string();
    let mut board = Board::new(BoardId(id.clone()), "Checkout");
    let panel = Panel::new("Requests", PanelKind::TimeSeries, Unit::None);
    board.rows.push(Row { panels: vec![panel], ..Row::default() });
    let (path, broken) = (home.path().join("checkout.board.json"), home.path().join("broken.json"));
    std::fs::write(&path, write_board(&board)).unwrap();
    std::fs::write(&broken, "{}").unwrap();
    let (file, broken) = (path.to_str().unwrap(), broken.to_str().unwrap());
    let told = format!("Imported “Checkout” ({id}) with 1 panels");
    for files in [&[file][..], &[file], &[file, file]] {
        let done = meshbench(home.path(), &[&["metrics", "import"][..], files].concat());
        assert_eq!(done.status, Some(0), "{}", done.err);
        let said = done.err.lines().filter(|line| *line == told).count();
        assert_eq!(said, files.len(), "{}", done.err);
        let listed = meshbench(home.path(), &["metrics", "boards"]);
        assert_eq!(listed.status, Some(0), "{}", listed.err);
        let own = listed.out.lines().filter(|line| line.contains(&id) && line.contains("Checkout"));
        assert_eq!(own.count(), 1, "{}", listed.out);
    }
    let done = meshbench(home.path(), &["metrics", "import", broken]);
    assert_eq!(done.status, Some(3), "{}", done.err);
    assert!(done.err.contains("broken.json was not imported"), "{}", done.err);
}

/// Lays what a Service sends to where the API server looks for it: no address of this machine is a legal one.
fn lead(cluster: &Cluster, namespace: &str, port: u16) {
    let pods = format!("/api/v1/namespaces/{namespace}/pods");
    let pod = json!({
        "metadata": {"name": "prometheus-0"},
        "spec": {"containers": [{"name": "prometheus", "image": "registry.test/prometheus:1"}]},
    });
    cluster.create(&pods, &pod);
    let status =
        json!({"status": {"phase": "Running", "podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}]}});
    cluster.patch(&format!("{pods}/prometheus-0/status"), &status);
    let service = json!({
        "metadata": {"name": "prometheus", "labels": {"app.kubernetes.io/name": "prometheus"}},
        "spec": {"ports": [{"name": "web", "port": 9090, "targetPort": i32::from(port)}]},
    });
    cluster.create(&format!("/api/v1/namespaces/{namespace}/services"), &service);
    let endpoints = json!({
        "kind": "Endpoints",
        "apiVersion": "v1",
        "metadata": {"name": "prometheus", "namespace": namespace},
        "subsets": [{
            "addresses": [{
                "ip": "127.0.0.1",
                "targetRef": {"kind": "Pod", "namespace": namespace, "name": "prometheus-0"},
            }],
            "ports": [{"name": "web", "port": i32::from(port), "protocol": "TCP"}],
        }],
    });
    cluster.lay("services/endpoints", namespace, "prometheus", &endpoints);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prometheus_in_a_cluster_is_asked_through_the_api_server() {
    let home = tempfile::tempdir().unwrap();
    let rig = Rig::start().await;
    rig.two_scrapes().await;
    let (port, kubeconfig, namespace) = {
        let cluster = Cluster::shared();
        let namespace = cluster.namespace("monitoring");
        let port = rig.prometheus_address().port();
        lead(cluster, &namespace, port);
        (port, Kubeconfig::of(cluster, Person::Admin).write(home.path(), "config").path, namespace)
    };
    let source = format!("svc/{namespace}/prometheus:9090");
    let file = kubeconfig.to_str().unwrap();
    let reach = ["--context", "tests", "--kubeconfig", file, "--json"];
    let told = meshbench(home.path(), &[&["metrics", "check", &source][..], &reach[..]].concat()).json();
    assert_eq!(told["product"], "Prometheus", "at port {port}");
    let asked = ["metrics", "query", &source, "up", "--range", "1m"];
    let done = meshbench(home.path(), &[&asked[..], &reach[..]].concat()).json();
    assert!(points(done["panels"].as_array().unwrap(), "up").contains(&1.0), "{done}");
    let missing = format!("svc/{namespace}/nobody:9090");
    let done = meshbench(home.path(), &[&["metrics", "check", &missing][..], &reach[..]].concat());
    assert_eq!(done.status, Some(3), "{}", done.out);
    assert!(done.err.contains("nobody"), "{}", done.err);
}

/// The page of a pod, through the API server and a kubelet's end.
#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_in_a_pod_is_read_through_a_port_forward() {
    let home = tempfile::tempdir().unwrap();
    let rig = Rig::start().await;
    let admin: std::net::SocketAddr = rig.admin().trim_start_matches("http://").parse().unwrap();
    // A kubelet's end has a runtime of its own, which must not be dropped inside of another.
    let (file, source, kubelet) = tokio::task::spawn_blocking({
        let home = home.path().to_owned();
        move || {
            let cluster = Cluster::controlled();
            let kubelet = Kubelet::join(cluster, "node-of-metrics");
            let namespace = cluster.namespace("metrics");
            kubelet.pod(cluster, &namespace, "web-1", "registry.test/web:7");
            kubelet.lead(&namespace, "web-1", 15_090, admin);
            let file = Kubeconfig::of(cluster, Person::Admin).write(&home, "config").path;
            (file, format!("direct+pod/{namespace}/web-1:15090/stats/prometheus"), kubelet)
        }
    })
    .await
    .unwrap();
    let reach = ["--context", "tests", "--kubeconfig", file.to_str().unwrap(), "--json"];
    let told = meshbench(home.path(), &[&["metrics", "check", &source][..], &reach[..]].concat()).json();
    assert_eq!(told["product"], "read by Meshbench");
    let board = ["metrics", "board", &source, "envoy", "--range", "1m"];
    let done = meshbench(home.path(), &[&board[..], &reach[..]].concat()).json();
    let memory = points(done["panels"].as_array().unwrap(), "Memory");
    assert!(!memory.is_empty() && memory.iter().all(|bytes| *bytes > 1e5), "{done}");
    tokio::task::spawn_blocking(move || drop(kubelet)).await.unwrap();
}

/// What metrics-server serves, in its shape, from a kind of that group.
const METRICS_KIND: &str = r#"
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: pods.metrics.k8s.io
  annotations: {api-approved.kubernetes.io: "unapproved, for tests"}
spec:
  group: metrics.k8s.io
  scope: Namespaced
  names: {plural: pods, singular: podmetrics, kind: PodMetrics}
  versions:
  - name: v1beta1
    served: true
    storage: true
    schema:
      openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_pods_use_is_known_by_the_metrics_api_where_nothing_else_is() {
    let home = tempfile::tempdir().unwrap();
    let cluster = Cluster::own(Options::default());
    let file = Kubeconfig::of(&cluster, Person::Admin).write(home.path(), "config").path;
    let reach = ["--context", "tests", "--kubeconfig", file.to_str().unwrap(), "--json"];
    let check = [&["metrics", "check", "metrics.k8s.io"][..], &reach[..]].concat();
    let without = meshbench(home.path(), &check);
    assert_eq!(without.status, Some(3), "{}", without.out);
    assert!(without.err.contains("metrics-server"), "{}", without.err);
    cluster.apply(METRICS_KIND);
    let namespace = cluster.namespace("shop");
    let path = format!("/apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods");
    let usage = json!({
        "kind": "PodMetrics",
        "apiVersion": "metrics.k8s.io/v1beta1",
        "metadata": {"name": "web-1"},
        "timestamp": jiff::Timestamp::now().to_string(),
        "window": "15s",
        "containers": [{"name": "istio-proxy", "usage": {"cpu": "250m", "memory": "64Mi"}}],
    });
    let of_group = |groups: &Value| {
        groups["groups"].as_array()?.iter().any(|group| group["name"] == "metrics.k8s.io").then_some(())
    };
    cluster.wait_for("the kind is served", "/apis", of_group);
    cluster.create(&path, &usage);
    let told = meshbench(home.path(), &check).json();
    assert_eq!(told["metrics"], 2, "processor time and memory: {told}");
    let asked = ["metrics", "board", "metrics.k8s.io", "cluster", "--range", "1m"];
    let done = meshbench(home.path(), &[&asked[..], &reach[..]].concat()).json();
    let memory = points(done["panels"].as_array().unwrap(), "Memory");
    assert_eq!(memory.first(), Some(&(64.0 * 1_048_576.0)), "{done}");
}
