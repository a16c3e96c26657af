//! `meshbench adapter`: the real binary, with adapters of several years, such as mean ill, and real clusters.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

use meshbench::adapter::{Client, Way};
use meshbench::app::clusters::ClusterCommand;
use meshbench::app::state::StoreState;
use meshbench::app::{Core, Dialogs, Keep};
use meshbench::model::cluster::{ContextChoice, ContextKey};
use meshbench::proto::meshes::mesh_service_client::MeshServiceClient;
use meshbench::proto::meshes::{ApplyRuleRequest, EventsRequest, EventsResponse};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use super::peers::{First, Hostile, Library, Served, channel};
use super::{PATIENCE, own_address};
use crate::cli::{Going, command, err, out, status};
use crate::kube::{Cluster, Kubelet, Login, Options, Person};

/// A terminal with a data directory of its own.
struct Terminal {
    dir: TempDir,
    runtime: Runtime,
}

impl Terminal {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a place"), runtime: Runtime::new().expect("a runtime") }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = command(&self.dir.path().join("data"), line);
        // No kubeconfig of whoever runs the tests is used.
        command.env("KUBECONFIG", self.dir.path().join("none")).env("HOME", self.dir.path());
        command
    }

    fn done(&self, line: &str) -> Output {
        Going::start(self.command(line)).end()
    }

    /// What it prints; it must end well.
    fn told(&self, line: &str) -> String {
        let output = self.done(line);
        assert_eq!(status(&output), 0, "{line}: {}{}", err(&output), out(&output));
        out(&output)
    }

    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.told(line)).expect("JSON")
    }

    fn peer(&self, adapter: impl super::peers::Adapter) -> Served {
        self.runtime.block_on(Served::start(adapter))
    }

    fn kubeconfig(&self, cluster: &Cluster, person: Person, login: Login) -> PathBuf {
        let kubeconfig = cluster.kubeconfig(person).login(login);
        kubeconfig.write(self.dir.path(), &format!("{}-{login:?}", person.name())).path
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, text).expect("written");
        path
    }
}

fn config_map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{a: \"1\"}}\n")
}

#[test]
fn adapters_are_added_listed_asked_and_forgotten() {
    let terminal = Terminal::new();
    let (first, library) = (terminal.peer(First::default()), terminal.peer(Library::default()));
    let closed = crate::peer::closed_port();
    let added = terminal.done(&format!("adapter add {} --name mine", library.address));
    assert_eq!((status(&added), out(&added).as_str()), (0, ""), "{}", err(&added));
    assert!(err(&added).contains("Added mine: 5 operations"), "{}", err(&added));
    terminal.told(&format!("adapter add {}", first.address));
    let away = terminal.done(&format!("adapter add {closed} --name away"));
    assert!(status(&away) == 0 && err(&away).contains("does not answer now"), "{}", err(&away));
    let listed = terminal.json("adapter list --json");
    let by_name = |name: &str| {
        let all = listed.as_array().expect("an array");
        all.iter().find(|it| it["name"] == name).unwrap_or_else(|| panic!("{name}: {listed:#}")).clone()
    };
    let istio = by_name("Istio ambient");
    assert!(istio["built_in"] == true && istio["reachable"] == true && istio["address"].is_null());
    let mine = by_name("mine");
    assert_eq!(
        (&mine["says"], &mine["era"], &mine["version"]),
        (&"LINKERD".into(), &"library".into(), &"v0.8.1".into())
    );
    let away = by_name("away");
    assert!(away["reachable"] == false && away["failed"]["step"] == "connecting", "{away:#}");
    assert!(away["failed"]["cause"].as_str().is_some_and(|cause| cause.contains("refused")), "{away:#}");
    let table = terminal.told("adapter list");
    let row = |name: &str| table.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    assert!(row("mine").contains("library") && row("mine").ends_with("reachable"), "{table}");
    assert!(row("away").contains("not reachable: connecting"), "{table}");
    assert_eq!(table.lines().count(), 1 + 7 + 3, "{table}");
    let ops = terminal.told("adapter ops mine");
    let at = |words: &str| ops.find(words).unwrap_or_else(|| panic!("{words}: {ops}"));
    assert!(at("Install\n") < at("linkerd ") && at("linkerd ") < at("Custom\n"), "{ops}");
    let ops = terminal.json(&format!("adapter ops {} --json", first.address));
    assert_eq!(ops[0]["key"], "custom");
    let answer = terminal.json("adapter ping MINE --json");
    assert!(answer["reachable"] == true && answer["answered_ms"].as_f64().is_some_and(|ms| ms > 0.0));
    assert!(terminal.told("adapter ping istio").contains("Istio answers"));
    for named in ["mine", &first.address.to_string(), "away"] {
        terminal.told(&format!("adapter remove {named}"));
    }
    assert_eq!(terminal.json("adapter list --json").as_array().map(Vec::len), Some(7));
}

#[test]
fn an_adapter_that_nobody_added_is_asked_and_not_kept() {
    let terminal = Terminal::new();
    let peer = terminal.peer(Hostile::Controls);
    let address = peer.address;
    let ops = terminal.done(&format!("adapter ops {address}"));
    assert_eq!(status(&ops), 0, "{}", err(&ops));
    assert!(!out(&ops).contains(['\u{1b}', '\u{7}']), "{:?}", out(&ops));
    assert!(err(&ops).contains("1 more operation is not listed"), "{}", err(&ops));
    let ping = terminal.done(&format!("adapter ping {address}"));
    assert!(out(&ping).starts_with("a[31mb answers\n"), "{:?}", out(&ping));
    assert_eq!(terminal.json("adapter list --json").as_array().map(Vec::len), Some(7));
}

#[test]
fn what_was_written_wrongly_and_what_does_not_answer_are_told_apart() {
    let terminal = Terminal::new();
    let closed = crate::peer::closed_port();
    for (line, expected, words) in [
        ("adapter".to_owned(), 2, "Usage"),
        ("adapter ping nowhere".to_owned(), 2, "no adapter is called “nowhere”"),
        ("adapter ping ftp://localhost:1".to_owned(), 2, "not ftp"),
        ("adapter add http://".to_owned(), 2, "no address"),
        (format!("adapter add {closed} --name Istio"), 2, "choose another name"),
        ("adapter remove istio".to_owned(), 2, "is built in"),
        ("adapter remove mine".to_owned(), 2, "was not added"),
        ("adapter events istio".to_owned(), 2, "adapter apply"),
        ("adapter apply istio istio.custom".to_owned(), 2, "--context"),
        ("adapter apply istio no.such --context a".to_owned(), 2, "does not offer “no.such”"),
        ("adapter apply istio istio.custom --context a".to_owned(), 2, "no context is called “a”"),
        ("adapter apply istio istio.custom --context a --file /no/such".to_owned(), 2, "cannot be read"),
        ("adapter --listen nowhere".to_owned(), 2, "--listen"),
        ("adapter --mesh istio".to_owned(), 2, "--listen"),
        ("adapter --listen 127.0.0.1:0 --mesh osm".to_owned(), 2, "istio-ambient, linkerd"),
        ("adapter --listen 127.0.0.1:0 --tls-cert a".to_owned(), 2, "--tls-key"),
        (format!("adapter ping {closed}"), 3, "refused"),
        (format!("adapter events {closed} --for 1s"), 3, "refused"),
    ] {
        let output = terminal.done(&line);
        assert_eq!((status(&output), out(&output).as_str()), (expected, ""), "{line}: {}", err(&output));
        assert!(err(&output).contains(words), "{line}: {}", err(&output));
    }
    assert_eq!(terminal.json("adapter list --json").as_array().map(Vec::len), Some(7), "none was kept");
}

#[test]
fn events_are_a_line_each_and_end_in_time_or_with_ctrl_c() {
    let terminal = Terminal::new();
    let peer = terminal.peer(Hostile::Controls);
    let output = terminal.done(&format!("adapter events {} --json --for 1s", peer.address));
    assert_eq!(status(&output), 0, "{}", err(&output));
    let lines: Vec<Value> =
        out(&output).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let said: Vec<&str> = lines.iter().filter_map(|line| line["summary"].as_str()).collect();
    assert_eq!(said, ["same [2J", "last"]);
    let mut going = Going::start(terminal.command(&format!("adapter events {}", peer.address)));
    let line = going.line();
    assert!(line.contains("info") && line.contains("same [2J") && !line.contains('\u{1b}'), "{line:?}");
    going.signal("-INT");
    assert_eq!(status(&going.end()), 0);
}

#[test]
fn an_operation_is_asked_of_adapters_of_any_year_and_followed_to_its_end() {
    let terminal = Terminal::new();
    let cluster = Cluster::shared();
    let kubeconfig = terminal.kubeconfig(cluster, Person::Viewer, Login::Token);
    let (first, library) = (First::default(), Library::default());
    let (old, new) = (terminal.peer(first.clone()), terminal.peer(library.clone()));
    let with = format!("--context tests --kubeconfig {}", kubeconfig.display());
    let refused = terminal.done(&format!("adapter apply {} istio_install {with}", old.address));
    assert_eq!((status(&refused), out(&refused).as_str()), (2, ""));
    let said = err(&refused);
    assert!(
        said.contains("agree with --yes") && said.contains("in the namespace default of tests"),
        "{said}"
    );
    assert!(said.contains("is handed a kubeconfig with a login for tests"), "{said}");
    assert!(first.told().is_empty(), "nobody agreed: {:?}", first.told());
    let done = terminal.done(&format!("adapter apply {} istio_install {with} --yes", old.address));
    assert_eq!(
        (status(&done), out(&done).as_str()),
        (0, "succeeded: Istio installed successfully\n"),
        "{}",
        err(&done)
    );
    assert!(first.told()[0].contains(&Person::Viewer.token()), "its login was handed over");
    let line = format!(
        "adapter apply {} linkerd {with} --delete --version edge-1 --namespace mesh --yes --json",
        new.address
    );
    let failed = terminal.done(&line);
    assert_eq!(status(&failed), 1, "{}", err(&failed));
    let record: Value = serde_json::from_slice(&failed.stdout).expect("JSON alone");
    assert_eq!(
        (&record["state"], &record["delete"], &record["contexts"][0]),
        (&"failed".into(), &true.into(), &"tests".into())
    );
    assert_eq!(record["events"][0]["remedy"], "try another");
    assert!(err(&failed).contains("what to do: try another"), "{}", err(&failed));
    assert_eq!(library.told(), ["linkerd removed in mesh, 1 login, version edge-1"]);
    // A kubeconfig for one command, and an adapter for one, are not kept.
    assert_eq!(terminal.json("cluster list --json"), Value::Array(Vec::new()));
    assert_eq!(terminal.json("adapter list --json").as_array().map(Vec::len), Some(7));
}

#[test]
fn an_adapter_that_stays_silent_or_is_left_is_told_to_go_on() {
    let terminal = Terminal::new();
    let kubeconfig = terminal.kubeconfig(Cluster::shared(), Person::Viewer, Login::Token);
    let peer = terminal.peer(Hostile::Late);
    let line = format!(
        "adapter apply {} custom --context tests --kubeconfig {} --yes --wait",
        peer.address,
        kubeconfig.display()
    );
    let silent = terminal.done(&format!("{line} 1s"));
    assert_eq!(status(&silent), 3, "{}", err(&silent));
    assert!(
        err(&silent).contains("nothing was heard of the operation for 1s; it may still go on"),
        "{}",
        err(&silent)
    );
    let going = Going::start(terminal.command(&format!("{line} 5m --json")));
    terminal.runtime.block_on(peer.until_asked(2));
    going.signal("-INT");
    let left = going.end();
    assert_eq!(status(&left), 3, "{}", err(&left));
    assert!(err(&left).contains("the operation itself goes on"), "{}", err(&left));
    let record: Value = serde_json::from_slice(&left.stdout).expect("JSON");
    assert_eq!(record["state"], "running");
}

#[test]
fn an_adapter_that_repeats_a_login_shows_none_of_it_on_a_terminal_and_none_is_kept() {
    let terminal = Terminal::new();
    let kubeconfig = terminal.kubeconfig(Cluster::shared(), Person::Viewer, Login::Token);
    let peer = terminal.peer(Hostile::Parrot);
    let line = format!(
        "adapter apply {} custom --context tests --kubeconfig {} --yes --json",
        peer.address,
        kubeconfig.display()
    );
    let told = terminal.done(&line);
    assert_eq!(status(&told), 1, "{}", err(&told));
    let shown = format!("{}{}", out(&told), err(&told));
    assert!(shown.contains("it was handed"), "{shown}");
    for secret in [Person::Viewer.token(), "CANARY".to_owned()] {
        assert!(!shown.contains(&secret), "{shown}");
        for file in fs::read_dir(terminal.dir.path().join("data")).expect("a folder").flatten() {
            let bytes = fs::read(file.path()).unwrap_or_default();
            let holds = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!holds, "{}", file.path().display());
        }
    }
}

#[test]
fn the_built_in_adapter_applies_validates_and_removes_from_a_terminal() {
    let terminal = Terminal::new();
    let cluster = Cluster::shared();
    let namespace = cluster.namespace("terminal");
    let kubeconfig = terminal.kubeconfig(cluster, Person::Admin, Login::Token);
    let manifest = terminal.file("made.yaml", &config_map("made-by-terminal"));
    let with = format!("--context tests --kubeconfig {} --namespace {namespace}", kubeconfig.display());
    let custom = format!("adapter apply istio istio.custom {with} --file {}", manifest.display());
    let asked = terminal.done(&custom);
    assert_eq!(status(&asked), 2, "nobody agreed");
    let made = || {
        let listed = cluster.get(&format!("/api/v1/namespaces/{namespace}/configmaps"));
        let items = listed["items"].as_array().expect("a list").clone();
        items.iter().any(|it| it["metadata"]["name"] == "made-by-terminal")
    };
    assert!(!made());
    let done = terminal.done(&format!("{custom} --yes"));
    assert_eq!(status(&done), 0, "{}", err(&done));
    assert!(made() && out(&done).starts_with("succeeded: Done: "), "{}", out(&done));
    assert!(err(&done).contains("1 created") && err(&done).contains("made-by-terminal"), "{}", err(&done));
    let whole = terminal.done(&format!(
        "adapter apply istio istio.validate --context tests --kubeconfig {} --yes",
        kubeconfig.display()
    ));
    assert_eq!(status(&whole), 0, "{}", err(&whole));
    assert!(err(&whole).contains("in all namespaces of tests"), "{}", err(&whole));
    // The same from standard input.
    let mut piped =
        terminal.command(&format!("adapter apply istio istio.custom {with} --file - --yes --delete"));
    let undone =
        piped.stdin(fs::File::open(&manifest).expect("written")).output().expect("the binary starts");
    assert_eq!(status(&undone), 0, "{}", err(&undone));
    assert!(!made());
    // Who may not is told, and that it failed.
    let viewer = terminal.kubeconfig(cluster, Person::Viewer, Login::Token);
    let refused = terminal.done(&format!(
        "adapter apply istio istio.custom --context tests --kubeconfig {} --namespace {namespace} --file {} --yes",
        viewer.display(),
        manifest.display()
    ));
    assert_eq!(status(&refused), 1, "{}", err(&refused));
    assert!(out(&refused).starts_with("failed: "), "{}", out(&refused));
    let bad = terminal.file("bad.yaml", "kind: [");
    let bad =
        terminal.done(&format!("adapter apply istio istio.custom {with} --file {} --yes", bad.display()));
    assert_eq!(status(&bad), 2, "{}", err(&bad));
}

#[test]
fn an_operation_of_the_built_in_adapter_that_is_left_is_said_to_be_cut() {
    let terminal = Terminal::new();
    let cluster = Cluster::shared();
    let namespace = cluster.namespace("left");
    let kubeconfig = terminal.kubeconfig(cluster, Person::Admin, Login::Token);
    let going = Going::start(terminal.command(&format!(
        "adapter apply kuma kuma.sample.httpbin --context tests --kubeconfig {} --namespace {namespace} --yes",
        kubeconfig.display()
    )));
    // Without controllers its pods are never ready: once it is applied, it waits.
    let deployments = format!("/apis/apps/v1/namespaces/{namespace}/deployments");
    cluster.wait_for("that it is applied", &deployments, |listed| listed["items"].get(0).map(|_| ()));
    going.signal("-INT");
    let left = going.end();
    assert_eq!((status(&left), out(&left).as_str()), (3, ""), "{}", err(&left));
    let said = err(&left);
    assert!(said.contains("the operation was cut, and what it had done stays"), "{said}");
    assert!(!said.contains("itself goes on"), "{said}");
}

/// The window, as far as it keeps things, on the same data.
fn window(terminal: &Terminal) -> Core {
    let dialogs: Dialogs = Arc::new(|_| Box::pin(async { Ok(Vec::new()) }));
    let options = meshbench::app::Options { data_dir: terminal.dir.path().join("data"), keep: Keep::Here };
    let mut core = Core::start(options, Arc::new(|| {}), dialogs).expect("a core");
    let begun = Instant::now();
    while core.state().store != StoreState::Open {
        assert!(begun.elapsed() < PATIENCE, "the store did not open: {:?}", core.state().store);
        core.wait(Duration::from_millis(50));
    }
    core
}

#[test]
fn production_is_named_before_anything_is_done_there() {
    let terminal = Terminal::new();
    let kubeconfig = terminal.kubeconfig(Cluster::shared(), Person::Viewer, Login::Token);
    let key = ContextKey { file: kubeconfig.clone(), name: "tests".to_owned() };
    let choice = ContextChoice { is_production: true, alias: "shop".to_owned(), ..ContextChoice::default() };
    let mut core = window(&terminal);
    core.command(meshbench::app::Command::Cluster(ClusterCommand::Describe(key, choice)));
    let library = Library::default();
    let peer = terminal.peer(library.clone());
    let line = format!(
        "adapter apply {} linkerd --context tests --kubeconfig {} --yes",
        peer.address,
        kubeconfig.display()
    );
    // While the window has the data, what is production is not known: each may be.
    let unknown = terminal.done(&line);
    assert_eq!(status(&unknown), 2, "{}", err(&unknown));
    assert!(err(&unknown).contains("tests may be production"), "{}", err(&unknown));
    assert_eq!(core.end(), None);
    for (more, words) in
        [("", "shop is production"), (" --production tests", "it is shop that is production")]
    {
        let refused = terminal.done(&format!("{line}{more}"));
        assert_eq!(status(&refused), 2, "{}", err(&refused));
        assert!(err(&refused).contains(words), "{}", err(&refused));
    }
    assert_eq!(library.told(), [] as [String; 0]);
    assert_eq!(status(&terminal.done(&format!("{line} --production shop"))), 1, "as that adapter says");
    assert_eq!(library.told().len(), 1);
}

#[test]
fn a_login_is_sent_where_others_can_read_it_only_when_that_was_said() {
    let terminal = Terminal::new();
    let kubeconfig = terminal.kubeconfig(Cluster::shared(), Person::Viewer, Login::Token);
    let first = First::default();
    let peer = terminal.runtime.block_on(Served::start_on("0.0.0.0:0", first.clone()));
    let line = format!(
        "adapter apply {}:{} istio_install --context tests --kubeconfig {} --yes",
        own_address(),
        peer.address.port(),
        kubeconfig.display()
    );
    let refused = terminal.done(&line);
    assert_eq!(status(&refused), 2, "{}", err(&refused));
    assert!(
        err(&refused).contains("everybody on the way") && err(&refused).contains("--agree-to-send-login")
    );
    assert_eq!(first.told(), [] as [String; 0]);
    let done = terminal.done(&format!("{line} --agree-to-send-login"));
    assert_eq!(status(&done), 0, "{}", err(&done));
    assert_eq!(first.told().len(), 2, "handed over, and asked");
}

/// A built-in adapter that the binary serves.
struct Serving(Going, String);

impl Serving {
    fn start(terminal: &Terminal, options: &str) -> Self {
        let mut going = Going::start(terminal.command(&format!("adapter --listen 127.0.0.1:0 {options}")));
        let address = going.line();
        Self(going, address)
    }

    /// By this signal; how long it took.
    fn end(self, signal: &str) -> (Output, Duration) {
        let begun = Instant::now();
        self.0.signal(signal);
        (self.0.end(), begun.elapsed())
    }
}

#[test]
fn what_is_served_is_spoken_with_by_our_client_and_by_any_other() {
    let terminal = Terminal::new();
    let serving = Serving::start(&terminal, "");
    let address = serving.1.clone();
    let ping = terminal.json(&format!("adapter ping {address} --json"));
    assert_eq!(
        (&ping["says"], &ping["era"], &ping["version"]),
        (&"Istio".into(), &"library".into(), &env!("CARGO_PKG_VERSION").into())
    );
    let over_wire = terminal.json(&format!("adapter ops {address} --json"));
    assert_eq!(over_wire, terminal.json("adapter ops istio --json"));
    // As load, with the shapes from its own reflection.
    let run = terminal.done(&format!(
        "run http://{address}/ --protocol grpc --grpc-method grpc.health.v1.Health/Check --requests 3 --no-save --json -"
    ));
    assert_eq!(status(&run), 0, "{}", err(&run));
    let run: Value = serde_json::from_slice(&run.stdout).expect("JSON");
    assert_eq!(run["requests"]["answered"], 3, "{}", run["errors"]);
    let method = terminal.done(&format!(
        "run http://{address}/ --grpc-method meshes.MeshService/MeshName --requests 2 --no-save --json -"
    ));
    assert_eq!(status(&method), 0, "{}", err(&method));
    terminal.runtime.block_on(raw_clients_are_answered(format!("http://{address}")));
    let (ended, took) = serving.end("-TERM");
    assert_eq!(status(&ended), 0, "{}", err(&ended));
    assert!(took < Duration::from_secs(2), "{took:?}");
}

async fn raw_clients_are_answered(url: String) {
    let mut health = HealthClient::new(channel(&url).await);
    for service in ["", "meshes.MeshService"] {
        let asked = HealthCheckRequest { service: service.to_owned() };
        let answer = health.check(asked).await.expect("an answer").into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service}");
    }
    let mut reflection = ServerReflectionClient::new(channel(&url).await);
    let asked = ServerReflectionRequest {
        message_request: Some(MessageRequest::ListServices(String::new())),
        ..ServerReflectionRequest::default()
    };
    let asked = futures_util::stream::iter([asked]);
    let mut answers = reflection.server_reflection_info(asked).await.expect("an answer").into_inner();
    let answer = answers.message().await.expect("an answer").expect("one");
    let Some(MessageResponse::ListServicesResponse(listed)) = answer.message_response else {
        panic!("{answer:?}")
    };
    let names: Vec<String> = listed.service.into_iter().map(|service| service.name).collect();
    assert!(names.contains(&"meshes.MeshService".to_owned()), "{names:?}");
}

#[test]
fn tls_is_spoken_with_the_certificate_that_was_given_and_a_bad_one_is_refused() {
    let terminal = Terminal::new();
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let pem = key.cert.pem();
    let certificate = terminal.file("tls.crt", &pem);
    let private = terminal.file("tls.key", &key.signing_key.serialize_pem());
    let options = |certificate: &Path, key: &Path| {
        format!("--tls-cert {} --tls-key {}", certificate.display(), key.display())
    };
    let serving = Serving::start(&terminal, &format!("--mesh linkerd {}", options(&certificate, &private)));
    let port = serving.1.rsplit(':').next().expect("a port").to_owned();
    assert!(serving.1.starts_with("https://127.0.0.1:"), "{}", serving.1);
    let way = Way::Address { address: format!("https://localhost:{port}"), authorities: Some(pem.into()) };
    let facts = terminal
        .runtime
        .block_on(async { Client::connect(way).await.expect("an adapter").ask().await.expect("its facts") });
    assert_eq!(facts.name, "Linkerd");
    assert!(facts.operations.iter().all(|operation| operation.key.starts_with("linkerd.")));
    let distrusted = terminal.done(&format!("adapter ping https://localhost:{port}"));
    assert!(status(&distrusted) == 3 && err(&distrusted).contains("certificate"), "{}", err(&distrusted));
    drop(serving);
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let other = terminal.file("other.key", &other.signing_key.serialize_pem());
    for (certificate, key, words) in [
        (&private, &private, "no certificate"),
        (&certificate, &certificate, "no private key"),
        (&certificate, &other, "cannot be used"),
        (&terminal.dir.path().join("none"), &private, "cannot be read"),
    ] {
        let refused = terminal.done(&format!("adapter --listen 127.0.0.1:0 {}", options(certificate, key)));
        assert_eq!(status(&refused), 2, "{}", err(&refused));
        assert!(err(&refused).contains(words) && !err(&refused).contains("BEGIN"), "{}", err(&refused));
    }
}

#[test]
fn other_machines_are_let_in_only_when_that_was_said() {
    let terminal = Terminal::new();
    for address in ["0.0.0.0:0".to_owned(), "[::]:0".to_owned(), format!("{}:0", own_address())] {
        let refused = terminal.done(&format!("adapter --listen {address}"));
        assert_eq!(status(&refused), 2, "{}", err(&refused));
        let said = err(&refused);
        assert!(said.contains("can operate clusters with kubeconfigs") && said.contains("--open"), "{said}");
    }
    let mut going = Going::start(terminal.command("adapter --listen 0.0.0.0:0 --open"));
    assert!(going.line().starts_with("0.0.0.0:"));
    going.signal("-INT");
    let ended = going.end();
    assert_eq!(status(&ended), 0);
    assert!(err(&ended).contains("can be read on the way"), "{}", err(&ended));
}

/// What is reported of an operation, to its end.
async fn carried_out(
    stub: &mut MeshServiceClient<tonic::transport::Channel>,
    request: ApplyRuleRequest,
) -> Vec<EventsResponse> {
    let mut events = stub.stream_events(EventsRequest {}).await.expect("a stream").into_inner();
    let id = request.operation_id.clone();
    stub.apply_operation(request).await.expect("it is taken on");
    let mut told = Vec::new();
    loop {
        let event = tokio::time::timeout(PATIENCE * 2, events.message()).await;
        let event =
            event.unwrap_or_else(|_| panic!("no end came: {told:#?}")).expect("a stream").expect("an event");
        if event.operation_id == id {
            let is_end = event.error_code != "going-on";
            told.push(event);
            if is_end {
                return told;
            }
        }
    }
}

#[test]
fn a_sample_application_is_applied_and_removed_over_the_wire_and_streams_do_not_hold_the_end() {
    let terminal = Terminal::new();
    // Of its own: elsewhere the scheduler could choose another test's node.
    let cluster = &Cluster::own(Options { has_controllers: true, ..Options::default() });
    let kubelet = Kubelet::join(cluster, "node-of-samples");
    let namespace = cluster.namespace("served");
    let kubeconfig = cluster.kubeconfig(Person::Admin).login(Login::Token).text();
    let serving = Serving::start(&terminal, "--mesh linkerd");
    let url = format!("http://{}", serving.1);
    let deployments = format!("/apis/apps/v1/namespaces/{namespace}/deployments");
    let request = |id: &str, removes| ApplyRuleRequest {
        op_name: "linkerd.sample.httpbin".to_owned(),
        namespace: namespace.clone(),
        operation_id: id.to_owned(),
        delete_op: removes,
        kube_configs: vec![kubeconfig.clone()],
        ..ApplyRuleRequest::default()
    };
    let mut stub = MeshServiceClient::new(terminal.runtime.block_on(channel(url)));
    let mut applying = stub.clone();
    let asked = request("apply", false);
    let applied = terminal.runtime.spawn(async move { carried_out(&mut applying, asked).await });
    cluster.wait_for("its ready pods", &deployments, |listed| {
        kubelet.run_bound(cluster);
        let of = |it: &Value| it["status"]["readyReplicas"].as_u64() == it["spec"]["replicas"].as_u64();
        listed["items"].as_array().filter(|items| !items.is_empty() && items.iter().all(of)).map(|_| ())
    });
    let applied = terminal.runtime.block_on(applied).expect("a task");
    let last = applied.last().expect("an end");
    assert_eq!((last.event_type, last.component_name.as_str()), (0, "Linkerd"), "{applied:#?}");
    assert!(applied.iter().all(|event| !format!("{event:?}").contains(&Person::Admin.token())));
    let removed = terminal.runtime.block_on(carried_out(&mut stub, request("remove", true)));
    assert_eq!(removed.last().map(|event| event.event_type), Some(0), "{removed:#?}");
    assert_eq!(cluster.get(&deployments)["items"], Value::Array(Vec::new()));
    // A kubeconfig that would run a program of ours, or read a file of ours, is refused before it does.
    for (login, why) in [
        (Login::Exec, "logs in with a program"),
        (Login::TokenFile, "logs in with a file"),
        (Login::CertificateFiles, "logs in with a file"),
    ] {
        let text = cluster.kubeconfig(Person::Admin).login(login).text();
        let refused = ApplyRuleRequest { kube_configs: vec![text], ..request(why, false) };
        let refused = terminal.runtime.block_on(carried_out(&mut stub, refused));
        let [last] = refused.as_slice() else { panic!("nothing is begun: {refused:#?}") };
        assert!(last.event_type == 2 && last.summary.contains("cannot be used"), "{refused:#?}");
        assert!(last.probable_cause.contains(why), "{refused:#?}");
    }
    let held = terminal.runtime.block_on(async {
        let mut held = Vec::new();
        for _ in 0..8 {
            held.push(stub.clone().stream_events(EventsRequest {}).await.expect("a stream"));
        }
        held
    });
    let (ended, took) = serving.end("-INT");
    assert_eq!(status(&ended), 0, "{}", err(&ended));
    assert!(took < Duration::from_secs(2), "{took:?}");
    drop(held);
}

#[test]
fn an_operation_that_does_not_end_in_time_is_cut_and_named() {
    let terminal = Terminal::new();
    let cluster = Cluster::shared();
    let namespace = cluster.namespace("cut");
    let serving = Serving::start(&terminal, "");
    let url = format!("http://{}", serving.1);
    // Without controllers its pods are never ready.
    let request = ApplyRuleRequest {
        op_name: "istio.sample.httpbin".to_owned(),
        namespace,
        operation_id: "cut".to_owned(),
        kube_configs: vec![cluster.kubeconfig(Person::Admin).login(Login::Token).text()],
        ..ApplyRuleRequest::default()
    };
    terminal.runtime.block_on(async {
        let mut stub = MeshServiceClient::new(channel(url).await);
        let mut events = stub.stream_events(EventsRequest {}).await.expect("a stream").into_inner();
        stub.apply_operation(request).await.expect("it is taken on");
        super::within("its first word", events.message()).await.expect("a stream").expect("an event");
    });
    let (ended, took) = serving.end("-TERM");
    assert_eq!(status(&ended), 0, "{}", err(&ended));
    assert!(err(&ended).contains("httpbin") && err(&ended).contains("was cut"), "{}", err(&ended));
    assert!(took < Duration::from_secs(9), "{took:?}");
}
