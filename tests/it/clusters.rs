//! Clusters against a real API server: what the app connects to, sees and says.

mod big;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use meshbench::app::clusters::{Aim, ClusterCommand, ClusterLink};
use meshbench::app::state::{Open, Phase, Question, StoreState};
use meshbench::app::{Command, Core, DialogKind, Dialogs, Keep, Options, State};
use meshbench::model::cluster::{ClusterFacts, Connection, ContextKey, Trouble};
use meshbench::model::inventory::{Inventory, Pod};
use meshbench::model::plan::TargetKind;
use meshbench::model::run::WarningKind;
use meshbench::model::{Pacing, Run, Stop};
use serde_json::json;

use crate::kube::{self, Cluster, Kubeconfig, Kubelet, Login, Person, Trust};
use crate::load_nginx::Nginx;
use crate::peer::closed_port;

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// The app without a face, and a folder for kubeconfigs.
struct App {
    core: Core,
    folder: tempfile::TempDir,
}

impl App {
    fn start() -> Self {
        Self::picking(Vec::new())
    }

    /// Of someone who picks these files in every dialog.
    fn picking(files: Vec<PathBuf>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let dialogs: Dialogs = Arc::new(move |request| {
            let is_asked = request.kind == DialogKind::OpenMany;
            let files = if is_asked { files.clone() } else { Vec::new() };
            Box::pin(async { Ok(files) })
        });
        let options = Options { data_dir: folder.path().join("data"), keep: Keep::Nowhere };
        let core = Core::start(options, Arc::new(|| {}), dialogs).expect("a core");
        let mut app = Self { core, folder };
        app.until("the files", |state| state.store == StoreState::Open && state.clusters.is_read);
        app
    }

    fn ask(&mut self, command: ClusterCommand) {
        self.core.command(Command::Cluster(command));
    }

    fn state(&self) -> &State {
        self.core.state()
    }

    fn until(&mut self, what: &str, reached: impl Fn(&State) -> bool) {
        let begun = Instant::now();
        while !reached(self.core.state()) {
            assert!(
                begun.elapsed() < PATIENCE,
                "{what} did not come: {:?}",
                self.core.state().clusters.links
            );
            self.core.wait(Duration::from_millis(50));
        }
    }

    /// Adds a kubeconfig; the key of its context.
    fn add(&mut self, kubeconfig: &Kubeconfig<'_>) -> ContextKey {
        let folder = tempfile::tempdir_in(self.folder.path()).expect("a folder").keep();
        let file = kubeconfig.write(&folder, "config").path;
        self.ask(ClusterCommand::Add(vec![file.clone()]));
        let key = ContextKey { file, name: "tests".to_owned() };
        self.until("the context", |state| state.clusters.context(&key).is_some());
        key
    }

    fn connection(&self, key: &ContextKey) -> &Connection {
        self.state().clusters.connection(key)
    }

    fn connect(&mut self, key: &ContextKey) {
        self.ask(ClusterCommand::Connect(key.clone()));
        self.until("a connection", |state| {
            !matches!(state.clusters.connection(key), Connection::Connecting | Connection::None)
        });
    }

    fn facts(&mut self, kubeconfig: &Kubeconfig<'_>) -> ClusterFacts {
        let key = self.add(kubeconfig);
        self.connect(&key);
        match self.connection(&key) {
            Connection::Connected(facts) => (**facts).clone(),
            other => panic!("{other:?}"),
        }
    }

    fn trouble(&mut self, kubeconfig: &Kubeconfig<'_>) -> Trouble {
        let key = self.add(kubeconfig);
        self.connect(&key);
        match self.connection(&key) {
            Connection::Failed(trouble) => trouble.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn link(&self, key: &ContextKey) -> &ClusterLink {
        &self.state().clusters.links[key]
    }

    /// Waits until the cluster looks so.
    fn seen(&mut self, key: &ContextKey, what: &str, is_so: impl Fn(&Inventory) -> bool) -> Arc<Inventory> {
        self.until(what, |state| {
            let link = state.clusters.links.get(key);
            link.and_then(|link| link.seen.as_ref()).is_some_and(|seen| is_so(seen))
        });
        Arc::clone(self.link(key).seen.as_ref().expect("looked at above"))
    }
}

fn aim(context: &ContextKey, namespace: &str, kind: TargetKind, name: &str, port: u16) -> Aim {
    let (namespace, name) = (namespace.to_owned(), name.to_owned());
    Aim { context: context.clone(), kind, namespace, name, port, url: None }
}

fn user(facts: &ClusterFacts) -> &str {
    facts.identity.as_ref().map_or("", |identity| &identity.user)
}

fn may(facts: &ClusterFacts, what: &str) -> Option<bool> {
    facts.rights.iter().find(|right| right.what == what).and_then(|right| right.is_allowed)
}

#[test]
fn every_way_to_log_in_is_who_kubectl_is() {
    let cluster = Cluster::shared();
    let mut app = App::start();
    for login in [Login::Certificate, Login::CertificateFiles, Login::Token, Login::TokenFile] {
        for trust in [Trust::Authority, Trust::AuthorityFile, Trust::Insecure] {
            let kubeconfig = Kubeconfig::of(cluster, Person::Viewer).login(login).trust(trust);
            let folder = tempfile::tempdir().expect("a folder");
            let theirs = kubeconfig.write(folder.path(), "config").kubectl(&["auth", "whoami", "-o", "name"]);
            let facts = app.facts(&kubeconfig);
            assert_eq!(user(&facts), "viewer", "{login:?} {trust:?}");
            assert!(theirs.is_ok, "{login:?} {trust:?}: {}", theirs.errors);
            assert!(facts.version.starts_with("v1.") && facts.latency > Duration::ZERO);
        }
    }
}

#[test]
fn several_files_are_picked_in_one_dialog_and_each_is_listed() {
    let cluster = Cluster::shared();
    let folder = tempfile::tempdir().expect("a folder");
    let good = Kubeconfig::of(cluster, Person::Viewer).write(folder.path(), "good").path;
    let broken = folder.path().join("broken");
    std::fs::write(&broken, "contexts: [").expect("a file");
    let mut app = App::picking(vec![good.clone(), broken.clone()]);
    app.ask(ClusterCommand::PickFiles);
    app.until("both files", |state| state.clusters.files.len() == 2);
    let told: Vec<_> =
        app.state().clusters.files.iter().map(|file| (&file.path, file.state.is_ok())).collect();
    assert_eq!(told, [(&good, true), (&broken, false)]);
    let key = ContextKey { file: good, name: "tests".to_owned() };
    app.connect(&key);
    assert!(matches!(app.connection(&key), Connection::Connected(_)));
}

#[test]
fn nothing_secret_of_a_kubeconfig_is_kept_told_or_written_into_a_report() {
    let cluster = Cluster::shared();
    let nginx = Nginx::serving("$status", "location / { return 200 'hello'; }");
    let folder = tempfile::tempdir().expect("a folder");
    let file =
        Kubeconfig::of(cluster, Person::Viewer).login(Login::Token).write(folder.path(), "config").path;
    let data = folder.path().join("data");
    let said = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_meshbench"));
        command
            .arg("--data-dir")
            .arg(&data)
            .args(arguments)
            .env("HOME", folder.path())
            .env_remove("KUBECONFIG");
        let done = command.output().expect("it can be started");
        assert_eq!(done.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        [done.stdout, done.stderr].concat()
    };
    let path = file.display().to_string();
    let [report, json] =
        ["report.html", "run.json"].map(|name| folder.path().join(name).display().to_string());
    let url = format!("http://{}/", nginx.address());
    let mut all = vec![
        said(&["cluster", "add", &path]),
        said(&["cluster", "list", "--json"]),
        said(&["cluster", "check", "tests", "--json"]),
        said(&["cluster", "services", "tests", "--json"]),
        said(&["run", &url, "--requests", "20", "--rate", "200", "--json", &json]),
    ];
    let kept: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&json).expect("a record")).expect("JSON");
    let id = kept["id"].as_str().expect("an id");
    all.push(said(&["history", "export", id, "--format", "html", "--out", &report]));
    let files = std::fs::read_dir(&data).expect("a folder").flatten().map(|entry| entry.path());
    let files: Vec<PathBuf> = files.chain([PathBuf::from(&report)]).filter(|path| path.is_file()).collect();
    assert!(files.len() >= 2, "the store and the report: {files:?}");
    all.extend(files.iter().map(|path| std::fs::read(path).expect("a file")));
    let secret = Person::Viewer.token();
    for bytes in &all {
        assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()));
    }
}

#[test]
fn what_each_person_may_do_is_what_the_cluster_says() {
    let cluster = Cluster::shared();
    let mut app = App::start();
    let admin = app.facts(&Kubeconfig::of(cluster, Person::Admin));
    let viewer = app.facts(&Kubeconfig::of(cluster, Person::Viewer));
    let nobody = app.facts(&Kubeconfig::of(cluster, Person::Nobody));
    let told =
        |facts: &ClusterFacts| [may(facts, "list pods"), may(facts, "create jobs"), may(facts, "list nodes")];
    assert_eq!(told(&admin), [Some(true); 3]);
    assert_eq!(told(&viewer), [Some(true), Some(false), Some(false)]);
    assert_eq!(told(&nobody), [Some(false); 3]);
    assert!(admin.nodes.is_ok() && viewer.nodes.is_err());
}

#[test]
fn a_login_command_runs_once_and_only_after_consent() {
    let cluster = Cluster::shared();
    let mut app = App::start();
    let folder = app.folder.path().join("exec");
    std::fs::create_dir(&folder).expect("a folder");
    let written = Kubeconfig::of(cluster, Person::Viewer).login(Login::Exec).write(&folder, "config");
    app.ask(ClusterCommand::Add(vec![written.path.clone()]));
    let key = ContextKey { file: written.path.clone(), name: "tests".to_owned() };
    app.until("the context", |state| state.clusters.context(&key).is_some());
    app.connect(&key);
    assert!(matches!(app.connection(&key), Connection::NeedsConsent(_)), "{:?}", app.connection(&key));
    assert!(matches!(app.state().question, Some(Question::Login(_))));
    assert_eq!(written.plugin_runs(), 0);
    app.ask(ClusterCommand::Decline);
    assert_eq!((written.plugin_runs(), app.state().question.is_none()), (0, true));
    app.connect(&key);
    app.ask(ClusterCommand::Agree);
    app.until("the connection", |state| matches!(state.clusters.connection(&key), Connection::Connected(_)));
    app.seen(&key, "all of it", |seen| seen.is_whole);
    assert_eq!(written.plugin_runs(), 1, "kubectl runs it twice, the client library three times");
    // Another program in its place.
    let plugin = folder.join(kube::PLUGIN);
    let text = std::fs::read_to_string(&plugin).expect("a program").replace("echo run", "echo run # other");
    std::fs::write(&plugin, text).expect("a program");
    app.connect(&key);
    let Connection::NeedsConsent(ask) = app.connection(&key) else { panic!("{:?}", app.connection(&key)) };
    assert!(ask.has_changed);
    assert_eq!(written.plugin_runs(), 1);
}

#[test]
fn why_a_cluster_is_not_reached_is_said_with_what_to_do() {
    let cluster = Cluster::shared();
    let mut app = App::start();
    let of = |person| Kubeconfig::of(cluster, person);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
    let silent = format!("https://{}", silent.local_addr().expect("an address"));
    for (kubeconfig, words) in [
        (of(Person::Admin).server(&format!("https://{}", closed_port())), "Nothing listens"),
        (of(Person::Admin).server("https://no-such-host.invalid:6443"), "could not be resolved"),
        (of(Person::Admin).trust(Trust::Machine), "authority that this kubeconfig does not know"),
        (of(Person::Admin).server(&cluster.url().replace("127.0.0.1", "127.0.0.2")), "Nothing listens"),
        (of(Person::Admin).server(&silent), ""),
    ] {
        let trouble = app.trouble(&kubeconfig);
        assert!(trouble.title.contains(words), "{words}: {trouble:?}");
        assert!(!trouble.advice.is_empty() && !trouble.cause.is_empty(), "{trouble:?}");
    }
    // A token that the cluster does not know.
    let folder = app.folder.path().join("stale");
    std::fs::create_dir(&folder).expect("a folder");
    let stale =
        of(Person::Viewer).login(Login::Token).text().replace(&Person::Viewer.token(), "CANARY-SECRET");
    let file = folder.join("config");
    std::fs::write(&file, stale).expect("a file");
    app.ask(ClusterCommand::Add(vec![file.clone()]));
    let key = ContextKey { file, name: "tests".to_owned() };
    app.until("the context", |state| state.clusters.context(&key).is_some());
    app.connect(&key);
    let Connection::Failed(trouble) = app.connection(&key) else { panic!("{:?}", app.connection(&key)) };
    assert!(
        trouble.title.contains("does not accept this login") && trouble.cause.contains("401"),
        "{trouble:?}"
    );
    assert!(!format!("{:?}", app.state().clusters).contains("CANARY"));
}

#[test]
fn what_a_cluster_holds_is_seen_and_followed() {
    let cluster = Cluster::shared();
    let mut app = App::start();
    let key = app.add(&Kubeconfig::of(cluster, Person::Admin).namespace("followed"));
    app.connect(&key);
    app.seen(&key, "all of it", |seen| seen.is_whole);
    cluster.apply(
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: followed, labels: {istio-injection: enabled}}\n---\n\
         apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: followed}\n\
         spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}\n---\n\
         apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: front, namespace: followed}\n\
         spec: {rules: [{host: shop.test, http: {paths: [{path: /, pathType: Prefix, backend: {service: \
         {name: web, port: {name: http}}}}]}}]}\n---\n\
         apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: istiod, namespace: followed, labels: {app: istiod}}\n\
         spec: {selector: {matchLabels: {app: istiod}}, template: {metadata: {labels: {app: istiod}}, \
         spec: {containers: [{name: discovery, image: 'istio/pilot:1.24.2'}]}}}\n---\n\
         apiVersion: v1\nkind: Pod\nmetadata: {name: web-1, namespace: followed, labels: {app: web}}\n\
         spec: {containers: [{name: web, image: 'web:1'}, {name: istio-proxy, image: 'istio/proxyv2:1.22.0'}]}\n",
    );
    let seen = app.seen(&key, "what was made", |seen| {
        seen.pods.iter().any(|pod| pod.namespace == "followed")
            && seen.meshes.iter().any(|mesh| mesh.proxy_count() == 1)
    });
    let istio = &seen.meshes[0];
    assert_eq!((istio.name.as_str(), istio.version().as_str(), istio.skewed), ("Istio", "1.24.2", Some(1)));
    assert!(istio.namespaces.iter().any(|(name, _)| name == "followed"));
    let web = seen.services.iter().find(|service| service.namespace == "followed").expect("a Service");
    assert_eq!((web.name.as_str(), web.ports[0].port), ("web", 80));
    let front = "/apis/networking.k8s.io/v1/namespaces/followed/ingresses/front/status";
    cluster.patch(front, &json!({"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.9"}]}}}));
    app.seen(&key, "its ingress", |seen| seen.ingresses.iter().any(|it| it.addresses == ["192.0.2.9"]));
    let ways = app.state().clusters.ways(&key, web, &web.ports[0]);
    let urls: Vec<_> = ways.iter().map(|way| way.url.as_str()).collect();
    assert_eq!(urls, ["http://web.followed.svc:80/", "http://shop.test/"]);
    cluster
        .kubectl(Person::Admin, &["-n", "followed", "delete", "pod", "web-1", "--grace-period=0", "--force"]);
    app.seen(&key, "its end", |seen| !seen.pods.iter().any(|pod| pod.namespace == "followed"));
    cluster.kubectl(Person::Admin, &["-n", "followed", "delete", "deployment", "istiod"]);
    app.seen(&key, "the mesh's end", |seen| !seen.workloads.iter().any(|it| it.namespace == "followed"));
}

#[test]
fn who_may_see_nothing_is_told_so() {
    let cluster = Cluster::shared();
    let mut app = App::start();
    let key = app.add(&Kubeconfig::of(cluster, Person::Nobody).namespace("nowhere"));
    app.connect(&key);
    let seen = app.seen(&key, "all that may be seen", |seen| seen.is_whole && seen.gaps.len() >= 2);
    assert!(seen.pods.is_empty() && seen.services.is_empty());
    assert!(
        seen.gaps
            .iter()
            .any(|gap| gap.reason.contains("pods") && gap.reason.contains("of the whole cluster")),
        "{:?}",
        seen.gaps
    );
    assert!(seen.gaps.iter().all(|gap| !gap.is_passing));
}

#[test]
fn an_api_server_that_goes_and_comes_back_is_told_and_what_was_seen_stays() {
    let cluster = Cluster::own(kube::Options::default());
    let mut app = App::start();
    let key = app.add(&Kubeconfig::of(&cluster, Person::Admin));
    app.connect(&key);
    app.seen(&key, "all of it", |seen| seen.is_whole);
    cluster.kill();
    app.ask(ClusterCommand::Connect(key.clone()));
    app.until("that it is gone", |state| matches!(state.clusters.connection(&key), Connection::Failed(_)));
    assert!(app.link(&key).seen.is_some(), "what was seen last stays");
    cluster.start_again();
    app.until("that it is back", |state| matches!(state.clusters.connection(&key), Connection::Connected(_)));
}

#[test]
fn every_known_mesh_is_found_by_what_it_leaves() {
    let cluster = Cluster::own(kube::Options::default());
    kube::crds::apply_meshes(&cluster);
    let mut app = App::start();
    let key = app.add(&Kubeconfig::of(&cluster, Person::Admin));
    app.connect(&key);
    let seen = app.seen(&key, "every mesh", |seen| {
        seen.is_whole
            && seen.meshes.len() == 10
            && seen.meshes.iter().any(|mesh| mesh.remarks.iter().any(|it| it.starts_with("On: ")))
    });
    let told: Vec<_> = seen
        .meshes
        .iter()
        .map(|mesh| (mesh.kind.key(), mesh.version(), mesh.pods, mesh.proxy_count(), mesh.skewed))
        .collect();
    let row = |key, version: &str, pods, proxies, skewed| (key, version.to_owned(), pods, proxies, skewed);
    assert_eq!(
        told,
        [
            row("istio", "1.24.2", 3, 2, Some(1)),
            row("linkerd", "edge-24.11.8", 1, 1, Some(0)),
            row("consul", "1.20.1", 1, 1, Some(0)),
            row("kuma", "2.9.1", 1, 1, Some(0)),
            row("cilium", "1.16.1", 0, 0, None),
            row("traefik-mesh", "1.4.1", 0, 0, None),
            row("osm", "1.2.4", 1, 1, None),
            row("nginx-sm", "2.0.0", 1, 1, None),
            row("app-mesh", "1.13.1", 1, 1, None),
            row("nsm", "1.14.0", 1, 1, None),
        ]
    );
    let planes: Vec<&str> = seen.meshes[0].data_planes.iter().map(|plane| plane.words()).collect();
    assert_eq!(planes, ["sidecar", "ambient"]);
    let cilium = &seen.meshes[4];
    assert!(cilium.remarks.contains(&"On: Envoy configuration, Hubble".to_owned()), "{:?}", cilium.remarks);
    for (mesh, namespace) in [
        (0, "on-istio"),
        (0, "on-ambient"),
        (1, "on-linkerd"),
        (3, "on-kuma"),
        (6, "on-osm"),
        (7, "on-nginx"),
        (8, "on-app-mesh"),
    ] {
        assert!(seen.meshes[mesh].namespaces.iter().any(|(name, _)| name == namespace), "{namespace}");
    }
}

#[test]
fn kinds_alone_tell_of_a_mesh_and_those_of_the_gateway_api_of_none() {
    let cluster = Cluster::own(kube::Options::default());
    kube::crds::apply_definitions(&cluster, &kube::crds::gateway_api("experimental"));
    let mut app = App::start();
    let key = app.add(&Kubeconfig::of(&cluster, Person::Viewer));
    app.connect(&key);
    let seen = app.seen(&key, "the groups", |seen| seen.is_whole && !seen.groups.is_empty());
    for group in ["gateway.networking.k8s.io", "gateway.networking.x-k8s.io"] {
        assert!(seen.groups.iter().any(|it| it == group), "{:?}", seen.groups);
    }
    assert_eq!(*seen.meshes, []);
    kube::crds::apply_definitions(&cluster, &kube::crds::istio());
    app.connect(&key);
    let seen = app.seen(&key, "the mesh", |seen| seen.is_whole && !seen.meshes.is_empty());
    for group in ["extensions", "networking", "security", "telemetry"] {
        assert!(seen.groups.contains(&format!("{group}.istio.io")), "{:?}", seen.groups);
    }
    let [istio] = seen.meshes.as_slice() else { panic!("{:?}", seen.meshes) };
    assert_eq!((istio.kind.key(), istio.version(), istio.pods), ("istio", String::new(), 0));
    assert!(istio.data_planes.is_empty() && istio.remarks[0].contains("no control plane"), "{istio:?}");
}

#[test]
fn an_api_server_that_takes_connections_and_says_nothing_is_told_in_time() {
    let cluster = Cluster::own(kube::Options::default());
    let mut app = App::start();
    let key = app.add(&Kubeconfig::of(&cluster, Person::Admin));
    cluster.pause();
    app.connect(&key);
    let Connection::Failed(trouble) = app.connection(&key) else { panic!("{:?}", app.connection(&key)) };
    assert!(trouble.title.contains("does not answer"), "{trouble:?}");
    cluster.resume();
    app.until("that it is back", |state| matches!(state.clusters.connection(&key), Connection::Connected(_)));
}

#[test]
fn a_kubeconfig_that_changes_is_read_again_and_one_that_breaks_is_explained() {
    let cluster = Cluster::shared();
    let mut app = App::start();
    let key = app.add(&Kubeconfig::of(cluster, Person::Viewer));
    app.connect(&key);
    let before = app.link(&key).number;
    let other = Kubeconfig::of(cluster, Person::Admin).text();
    std::fs::write(&key.file, other).expect("a file");
    app.until("the other person", |state| match state.clusters.connection(&key) {
        Connection::Connected(facts) => user(facts) == "admin",
        _ => false,
    });
    assert!(app.link(&key).number > before, "a new connection");
    std::fs::write(&key.file, "clusters: [").expect("a file");
    let broken = |state: &State, file: &Path| {
        state.clusters.files.iter().any(|it| it.path == file && it.state.is_err())
    };
    app.until("that it is broken", |state| broken(state, &key.file));
    assert!(app.state().clusters.links.is_empty() && app.state().clusters.contexts.is_empty());
    std::fs::remove_file(&key.file).expect("it is there");
    app.until("that it is gone", |state| {
        let file = state.clusters.files.iter().find(|it| it.path == key.file);
        file.is_some_and(|file| file.state.as_ref().is_err_and(|reason| reason.contains("cannot be read")))
    });
}

/// 50 requests to the Service `web`.
fn the_terminal_sends_load_to(cluster: &Cluster, namespace: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = Kubeconfig::of(cluster, Person::Admin).write(folder.path(), "config").path;
    let json = folder.path().join("run.json");
    let done = std::process::Command::new(env!("CARGO_BIN_EXE_meshbench"))
        .arg("--data-dir")
        .arg(folder.path().join("data"))
        .args([
            "run",
            &format!("svc/{namespace}/web:80"),
            "--context",
            "tests",
            "--pacing",
            "max",
            "--requests",
            "50",
        ])
        .args(["--no-save", "--connections", "2", "--timeout", "20s", "--kubeconfig"])
        .arg(&file)
        .arg("--json")
        .arg(&json)
        .output()
        .expect("it can be started");
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(0), "{told}");
    assert!(
        told.contains("port-forward") || String::from_utf8_lossy(&done.stdout).contains("port-forward"),
        "{told}"
    );
    let kept: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&json).expect("a record")).expect("JSON");
    assert_eq!(kept["status"]["200"], 50);
    assert_eq!(kept["plan"]["target"]["service"]["name"], "web");
}

#[test]
fn load_reaches_a_service_through_the_api_server_and_says_so() {
    let cluster = Cluster::controlled();
    let nginx = Nginx::serving("$request_method $host $status", "location / { return 200 'hello'; }");
    let kubelet = Kubelet::join(cluster, "node-of-forwards");
    let namespace = cluster.namespace("forwards");
    kubelet.pod(cluster, &namespace, "web-1", "registry.test/web:7");
    cluster.create(
        &format!("/api/v1/namespaces/{namespace}/services"),
        &json!({
            "metadata": {"name": "web"},
            "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80, "targetPort": nginx.address().port()}]},
        }),
    );
    let slices = format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices");
    cluster.wait_for("the Service's endpoint", &slices, |listed| {
        listed["items"][0]["endpoints"][0]["targetRef"]["name"].as_str().map(str::to_owned)
    });
    let mut app = App::start();
    let key = app.add(&Kubeconfig::of(cluster, Person::Admin));
    app.connect(&key);
    app.seen(&key, "the pod", |seen| {
        let is_ready = |pod: &&Arc<Pod>| pod.namespace == namespace && pod.is_ready;
        seen.is_whole
            && seen.pods.iter().any(|pod| is_ready(&pod))
            && seen.services.iter().any(|it| it.namespace == namespace)
    });
    let aim = aim(&key, &namespace, TargetKind::Service, "web", 80);
    app.ask(ClusterCommand::Aim(aim));
    let (_, mut plan) = app.state().form.clone().expect("a plan in the form");
    assert_eq!(plan.target.url, format!("http://web.{namespace}.svc:80/"));
    plan.pacing = Pacing::MAX;
    plan.stop = Stop::Requests(300);
    plan.timeout = Duration::from_secs(20);
    app.core.command(Command::StartRun(plan));
    app.until("the end of the run", |state| matches!(state.open, Open::Result(_)) || !state.is_running());
    let Open::Result(run) = &app.state().open else {
        panic!("{:?} {:?}", app.state().live, app.state().notices)
    };
    assert_eq!(
        (run.requests.due, run.status.get("200")),
        (300, Some(&300)),
        "{:?} {:?}",
        run.errors,
        run.error_details
    );
    assert!(
        run.warnings.iter().any(|warning| warning.kind == WarningKind::PortForward),
        "{:?}",
        run.warnings
    );
    assert!(run.environment.address.starts_with("pod web-1:"), "{}", run.environment.address);
    let service = run.plan.target.service.as_ref().expect("a Service");
    assert!(service.cluster.version.starts_with("v1."), "{service:?}");
    assert_eq!(service.cluster.images, ["registry.test/web:7"]);
    assert_eq!((run.labels["mesh"].as_str(), run.labels["app_version"].as_str()), ("none", "v7"));
    // That server ends each after 37 requests.
    assert!(run.connections.opened <= 20, "connections are used again: {:?}", run.connections);
    assert_tells_of_the_tunnel(run);
    load_reaches_a_pod(&mut app, &key, &namespace, nginx.address().port());
    the_terminal_sends_load_to(cluster, &namespace);
    let logged = nginx.logged();
    let of = |method: &str| {
        let wanted = format!("{method} web.{namespace}.svc 200");
        logged.get(&wanted).copied().unwrap_or_default()
    };
    assert_eq!((of("GET"), of("HEAD")), (350, 20), "asked for by its name: {logged:?}");
    // And a pod, by its own.
    assert_eq!(logged.values().sum::<u64>(), 370 + 50, "{logged:?}");
}

fn assert_tells_of_the_tunnel(run: &Run) {
    let tunnel = run.plan.target.service.as_ref().and_then(|service| service.cluster.tunnel);
    let tunnel = tunnel.expect("what the way costs");
    let (floor, usual) = (tunnel.round_trip_us.expect("it answered"), run.response_ms.p50 * 1e3);
    assert!(tunnel.open_us > floor && floor > 0, "{tunnel:?}");
    assert!(usual > floor as f64 / 3.0, "requests are not much quicker than the way: {usual} of {tunnel:?}");
    let warned = run.warnings.iter().find(|warning| warning.kind == WarningKind::PortForward);
    let words = &warned.expect("a warning").text;
    assert!(words.contains("each round trip through it at least"), "{words}");
}

fn load_reaches_a_pod(app: &mut App, key: &ContextKey, namespace: &str, port: u16) {
    app.ask(ClusterCommand::Aim(aim(key, namespace, TargetKind::Pod, "web-1", port)));
    let (_, mut plan) = app.state().form.clone().expect("a plan in the form");
    assert_eq!(plan.target.url, format!("http://web-1.{namespace}.pod:{port}/"));
    plan.pacing = Pacing::MAX;
    plan.stop = Stop::Requests(40);
    app.core.command(Command::StartRun(plan));
    app.until("the end of the run", |state| {
        matches!(&state.open, Open::Result(run) if run.requests.due == 40) && !state.is_running()
    });
    let Open::Result(run) = &app.state().open else { panic!("looked at above") };
    assert_eq!((run.requests.due, run.status.get("200")), (40, Some(&40)), "{:?}", run.error_details);
    assert!(
        run.warnings[0].text.starts_with(&format!("Load went to the pod {namespace}/web-1")),
        "{:?}",
        run.warnings
    );
}

#[test]
fn a_service_without_a_ready_pod_is_refused_in_words() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace("empty");
    cluster.create(
        &format!("/api/v1/namespaces/{namespace}/services"),
        &json!({"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}),
    );
    let mut app = App::start();
    let key = app.add(&Kubeconfig::of(cluster, Person::Admin));
    app.connect(&key);
    app.seen(&key, "the Service", |seen| seen.services.iter().any(|it| it.namespace == namespace));
    app.ask(ClusterCommand::Aim(aim(&key, &namespace, TargetKind::Service, "web", 80)));
    let (_, plan) = app.state().form.clone().expect("a plan in the form");
    app.core.command(Command::StartRun(plan));
    app.until("the refusal", |state| {
        state.live.as_ref().is_some_and(|live| matches!(live.phase, Phase::Failed { .. }))
    });
    let Some(Phase::Failed { reason }) = app.state().live.as_ref().map(|live| live.phase.clone()) else {
        panic!()
    };
    assert!(reason.contains("no pod behind the Service web is ready"), "{reason}");
}

#[test]
fn the_terminal_checks_lists_and_finds_meshes() {
    let cluster = Cluster::shared();
    let folder = tempfile::tempdir().expect("a folder");
    let file = Kubeconfig::of(cluster, Person::Viewer).write(folder.path(), "config").path;
    let data = folder.path().join("data");
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_meshbench"));
        command
            .arg("--data-dir")
            .arg(&data)
            .args(arguments)
            .env("HOME", folder.path())
            .env_remove("KUBECONFIG");
        let done = command.output().expect("it can be started");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (done.status.code(), text(done.stdout), text(done.stderr))
    };
    let path = file.display().to_string();
    assert_eq!(run(&["cluster", "add", &path]).0, Some(0));
    let (status, listed, _) = run(&["cluster", "list", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!(
        (status, listed[0]["context"].as_str(), listed[0]["kubeconfig"].as_str()),
        (Some(0), Some("tests"), Some(&*path))
    );
    let (status, checked, told) = run(&["cluster", "check", "tests", "--json"]);
    assert_eq!(status, Some(0), "{told}");
    let checked: serde_json::Value = serde_json::from_str(&checked).expect("JSON");
    assert_eq!(checked["user"], "viewer");
    assert_eq!(run(&["cluster", "services", "tests"]).0, Some(0));
    assert_eq!(run(&["cluster", "meshes", "tests"]).0, Some(0));
    assert_eq!(run(&["cluster", "check", "other"]).0, Some(2));
    let away = Kubeconfig::of(cluster, Person::Viewer).server(&format!("https://{}", closed_port()));
    let away = away.write(&folder.path().join("data"), "away").path.display().to_string();
    let (status, _, told) = run(&["cluster", "check", "tests", "--kubeconfig", &away]);
    assert_eq!(status, Some(3), "{told}");
    assert!(told.contains("Nothing listens"), "{told}");
    // Nothing of a kubeconfig is kept.
    let secret = Person::Viewer.token();
    let kept: Vec<PathBuf> =
        std::fs::read_dir(&data).expect("a folder").flatten().map(|entry| entry.path()).collect();
    for file in kept.iter().filter(|file| !file.ends_with("away") && file.is_file()) {
        let bytes = std::fs::read(file).expect("a file");
        assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{}", file.display());
    }
    assert_eq!(run(&["cluster", "remove", &path]).0, Some(0));
    assert!(run(&["cluster", "list"]).2.contains("No context is known"));
}

#[test]
fn of_namespaces_only_metadata_is_asked_for_and_of_what_is_looked_into_the_whole() {
    let cluster = Cluster::own(kube::Options::default());
    let recorder = kube::Recorder::start(&cluster);
    let mut app = App::start();
    let key = app.add(&Kubeconfig::of(&cluster, Person::Admin).server(&recorder.url()));
    app.connect(&key);
    app.seen(&key, "all of it", |seen| seen.is_whole);
    let namespace = cluster.namespace("marked");
    let injected = |seen: &Inventory, value: &str| {
        let of = seen.namespaces.iter().find(|it| it.name == namespace);
        of.is_some_and(|it| it.labels.get("istio-injection").is_some_and(|is| is == value))
    };
    // What metadata does not have is not missed: it is watched on.
    for value in ["enabled", "disabled"] {
        let labels = json!({"metadata": {"labels": {"istio-injection": value}}});
        cluster.patch(&format!("/api/v1/namespaces/{namespace}"), &labels);
        app.seen(&key, "its label", |seen| injected(seen, value));
    }
    let mut seen: Vec<(String, bool, bool)> = recorder
        .asked()
        .into_iter()
        .filter(|asked| asked.path.contains("watch=true") || !asked.path.contains("limit=1"))
        .filter_map(|asked| {
            let kind = asked.path.split(['?', '/']).find(|part| WATCHED.contains(part))?;
            let is_metadata = asked.accept.contains("as=PartialObjectMetadata");
            Some((kind.to_owned(), asked.path.contains("watch=true"), is_metadata))
        })
        .collect();
    seen.sort();
    seen.dedup();
    let wanted: Vec<_> = WATCHED
        .iter()
        .flat_map(|kind| [false, true].map(|watches| ((*kind).to_owned(), watches, *kind == "namespaces")))
        .collect();
    assert_eq!(seen, wanted);
}

/// All kinds that are watched, in order.
const WATCHED: [&str; 7] =
    ["daemonsets", "deployments", "ingresses", "namespaces", "pods", "services", "statefulsets"];
