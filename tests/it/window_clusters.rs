//! The clusters page, without a core and without a window.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use eframe::egui::accesskit::Role;
use eframe::egui::{self, Key, Modifiers};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use egui_kittest::{Harness, SnapshotResults};
use meshbench::app::clusters::{Aim, ClusterCommand, ClusterLink};
use meshbench::app::state::{Question, StoreState};
use meshbench::app::{Command, Page, State};
use meshbench::model::ThemeChoice;
use meshbench::model::cluster::{
    Ask, ClusterContext, ClusterFacts, ClusterFile, Colour, Connection, Consent, ContextChoice, ContextKey,
    Identity, Login, Node, Resources, Right, Trouble,
};
use meshbench::model::inventory::{
    Container, ContainerPort, Gap, Ingress, IngressRule, Inventory, Namespace, Pod, Port, Service,
    ServiceKind, Template, Workload, WorkloadKind,
};
use meshbench::model::mesh::detect;
use meshbench::model::plan::TargetKind;
use meshbench::ui::{Machine, Shell};

use crate::picture;

const WINDOW: [f32; 2] = [1280.0, 800.0];

pub(crate) struct Faceless {
    shell: Shell,
    state: State,
    pub(crate) asked: Vec<Command>,
}

impl eframe::App for Faceless {
    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        picture::clear(ui);
        self.asked.extend(self.shell.ui(ui, &self.state));
    }
}

pub(crate) fn window(theme: egui::Theme, mut state: State) -> Harness<'static, Faceless> {
    state.settings.theme = if theme == egui::Theme::Dark { ThemeChoice::Dark } else { ThemeChoice::Light };
    let machine = Machine { renderer: "A graphics card".to_owned(), software_rasterizer: false };
    picture::builder(theme, WINDOW).build_eframe(|_| Faceless {
        shell: Shell::new(machine),
        state,
        asked: Vec::new(),
    })
}

fn opened() -> State {
    let mut state = State::default();
    state.page = Page::Clusters;
    state.store = StoreState::Open;
    state
}

fn asked(window: &Harness<'_, Faceless>) -> Vec<ClusterCommand> {
    let asked = window.state().asked.iter();
    asked
        .filter_map(|command| if let Command::Cluster(of) = command { Some(of.clone()) } else { None })
        .collect()
}

fn key(name: &str) -> ContextKey {
    ContextKey { file: PathBuf::from("/home/ada/.kube/config"), name: name.to_owned() }
}

fn context(name: &str, server: &str) -> ClusterContext {
    ClusterContext {
        key: key(name),
        cluster: name.to_owned(),
        user: "ada".to_owned(),
        namespace: "shop".to_owned(),
        server: server.to_owned(),
        shadowed_by: None,
        is_insecure: false,
        login: Login::Token,
        problems: Vec::new(),
    }
}

fn marks(pairs: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn pod(number: usize) -> Pod {
    let container = |name: &str, image: &str| Container {
        name: name.to_owned(),
        image: image.to_owned(),
        is_init: false,
        ports: if name == "checkout" {
            vec![ContainerPort { name: "http".to_owned(), port: 8080 }]
        } else {
            Vec::new()
        },
    };
    Pod {
        namespace: "shop".to_owned(),
        name: format!("checkout-{number:05}"),
        labels: marks(&[("app", "checkout")]),
        containers: vec![
            container("checkout", "registry.test/checkout:2.4.1"),
            container(
                "istio-proxy",
                if number == 1 { "istio/proxyv2:1.22.0" } else { "istio/proxyv2:1.24.2" },
            ),
        ],
        phase: if number == 2 { "CrashLoopBackOff" } else { "Running" }.to_owned(),
        is_ready: number != 2,
        owner: "Deployment/checkout".to_owned(),
        node: format!("node-{}", number % 3 + 1),
        ..Pod::default()
    }
}

fn inventory(pods: usize) -> Inventory {
    let istiod = Workload {
        kind: WorkloadKind::Deployment,
        namespace: "istio-system".to_owned(),
        name: "istiod".to_owned(),
        labels: marks(&[("app", "istiod")]),
        containers: vec![Container {
            name: "discovery".to_owned(),
            image: "istio/pilot:1.24.2".to_owned(),
            is_init: false,
            ports: Vec::new(),
        }],
        template: Template::default(),
        ready: 2,
        wanted: 2,
    };
    let port = |port, name: &str| Port {
        name: name.to_owned(),
        port,
        target: port.to_string(),
        is_tcp: true,
        ..Port::default()
    };
    let service = |name: &str, ports| Service {
        namespace: "shop".to_owned(),
        name: name.to_owned(),
        selector: marks(&[("app", "checkout")]),
        kind: ServiceKind::ClusterIp,
        ports,
        ..Service::default()
    };
    let namespace = |name: &str, labels: &[(&str, &str)]| {
        Arc::new(Namespace { name: name.to_owned(), labels: marks(labels), ..Namespace::default() })
    };
    let mut seen = Inventory {
        namespaces: Arc::new(vec![
            namespace("istio-system", &[]),
            namespace("pay", &[("istio-injection", "disabled")]),
            namespace("shop", &[("istio-injection", "enabled")]),
        ]),
        workloads: Arc::new(vec![Arc::new(istiod)]),
        services: Arc::new(vec![
            Arc::new(service("checkout", vec![port(8080, "http")])),
            Arc::new(service("payment", vec![port(80, "http"), port(9000, "grpc")])),
        ]),
        pods: Arc::new((1..=pods).map(|number| Arc::new(pod(number))).collect()),
        ingresses: Arc::new(vec![Arc::new(front())]),
        is_whole: true,
        ..Inventory::default()
    };
    seen.meshes = Arc::new(detect(&seen, None));
    seen
}

fn front() -> Ingress {
    let rule = IngressRule {
        host: "shop.example".to_owned(),
        path: "/pay".to_owned(),
        is_tls: true,
        service: "payment".to_owned(),
        port: "http".to_owned(),
    };
    Ingress {
        namespace: "shop".to_owned(),
        name: "front".to_owned(),
        addresses: vec!["203.0.113.9".to_owned()],
        rules: vec![rule],
    }
}

fn facts() -> ClusterFacts {
    let node = |number: usize| Node {
        name: format!("node-{number}"),
        roles: if number == 1 { vec!["control-plane".to_owned()] } else { Vec::new() },
        is_ready: number != 3,
        os: "Debian GNU/Linux 12 (bookworm)".to_owned(),
        kubelet: "v1.36.3".to_owned(),
        runtime: "containerd://2.0.1".to_owned(),
        architecture: "amd64".to_owned(),
        address: "192.0.2.7".to_owned(),
        capacity: Resources { cpu_millis: 8000, memory_bytes: 16 << 30 },
        allocatable: Resources { cpu_millis: 7910, memory_bytes: 15 << 30 },
    };
    let right = |what, why, is_allowed| Right { what, why, is_allowed };
    ClusterFacts {
        version: "v1.36.3".to_owned(),
        platform: "linux/amd64".to_owned(),
        latency: Duration::from_micros(4200),
        identity: Some(Identity { user: "ada@example.test".to_owned(), groups: vec!["devs".to_owned()] }),
        rights: vec![
            right("list pods", "see workloads and proxies", Some(true)),
            right("create jobs", "send load from inside the cluster", Some(false)),
            right("forward ports", "send load through the API server", None),
        ],
        nodes: Ok((1..=3).map(node).collect()),
        remarks: Vec::new(),
    }
}

/// Four contexts, of which the first is chosen and stands like this.
fn state(connection: Connection, seen: Option<Inventory>) -> State {
    let mut state = opened();
    let clusters = &mut state.clusters;
    clusters.is_read = true;
    let mut broken = context("old", "");
    broken.problems = vec!["its cluster “old” is in no kubeconfig".to_owned()];
    let mut insecure = context("lab", "https://10.0.0.5:6443");
    insecure.is_insecure = true;
    clusters.contexts = vec![
        context("staging-eu", "https://staging.example.test:6443"),
        context(
            "arn:aws:eks:eu-west-1:123456789012:cluster/shop-production",
            "https://0A1B2C.gr7.eu-west-1.eks.test",
        ),
        insecure,
        broken,
    ];
    clusters.files = vec![
        ClusterFile { path: "/home/ada/.kube/config".into(), state: Ok(4), remarks: Vec::new() },
        ClusterFile {
            path: "/home/ada/Downloads/team.yaml".into(),
            state: Err("line 3, column 7 is not as it should be in a kubeconfig".to_owned()),
            remarks: Vec::new(),
        },
    ];
    clusters.book.files = vec!["/home/ada/Downloads/team.yaml".into()];
    clusters.book.chosen = Some(key("staging-eu"));
    let production = ContextChoice {
        alias: "shop production".to_owned(),
        is_production: true,
        is_favourite: true,
        ..ContextChoice::default()
    };
    clusters.book.choose(clusters.contexts[1].key.clone(), production);
    let staging = ContextChoice { colour: Some(Colour::Green), ..ContextChoice::default() };
    clusters.book.choose(key("staging-eu"), staging);
    let link = ClusterLink { number: 1, connection, seen: seen.map(Arc::new), revision: 1 };
    clusters.links.insert(key("staging-eu"), link);
    state
}

fn connected() -> State {
    state(Connection::Connected(Box::new(facts())), Some(inventory(6)))
}

fn refused() -> Trouble {
    Trouble {
        title: "Nothing listens at the API server's address".to_owned(),
        cause:
            "https://staging.example.test:6443: client error (Connect): tcp connect error: Connection refused"
                .to_owned(),
        advice: "Check that the cluster runs, and the port".to_owned(),
    }
}

fn ask() -> Ask {
    Ask {
        consent: Consent::Command {
            program: "/usr/local/bin/aws".into(),
            sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
            arguments: vec!["eks".to_owned(), "get-token".to_owned()],
            variables: vec!["AWS_PROFILE".to_owned()],
        },
        context: key("staging-eu"),
        written: "aws eks get-token".to_owned(),
        has_changed: true,
    }
}

fn tab(window: &mut Harness<'_, Faceless>, words: &str) {
    window.get_by_role_and_label(Role::RadioButton, words).click();
    window.run();
}

#[test]
fn the_page_looks_as_it_should() {
    let mut results = SnapshotResults::new();
    let mut first = opened();
    first.clusters.is_read = true;
    first.clusters.kubectls = vec!["/home/ada/.kube/config".into()];
    let mut production = connected();
    production.clusters.book.chosen = Some(production.clusters.contexts[1].key.clone());
    let mut consent = state(Connection::NeedsConsent(Box::new(ask())), None);
    consent.question = Some(Question::Login(Box::new(ask())));
    let mut gaps = connected();
    if let Some(link) = gaps.clusters.links.get_mut(&key("staging-eu")) {
        let reason =
            "You may not list services, pods in shop; ask for a role that may, such as view".to_owned();
        let gap = Gap { what: "services, pods".to_owned(), reason, is_passing: false };
        link.seen = Some(Arc::new(Inventory { gaps: vec![gap], ..inventory(0) }));
    }
    let all = [
        ("clusters_first", first, ""),
        ("clusters_overview", connected(), ""),
        ("clusters_gaps", gaps, ""),
        ("clusters_meshes", connected(), "Meshes"),
        ("clusters_services", connected(), "Services"),
        ("clusters_pods", connected(), "Pods"),
        ("clusters_failed", state(Connection::Failed(refused()), None), ""),
        ("clusters_production", production, ""),
        ("clusters_consent", consent, ""),
    ];
    for (name, state, on_show) in all {
        for (theme, word) in picture::THEMES {
            let mut window = window(theme, state.clone());
            window.run();
            if !on_show.is_empty() {
                tab(&mut window, on_show);
            }
            picture::compare(&mut results, &mut window, &format!("{name}_{word}"));
        }
    }
}

#[test]
fn a_context_is_chosen_and_found_by_its_words() {
    let mut window = window(egui::Theme::Dark, connected());
    window.run();
    window.get_by_label_contains("Context lab").click();
    window.run();
    assert_eq!(asked(&window), [ClusterCommand::Choose(key("lab"))]);
    window.key_press_modifiers(Modifiers::NONE, Key::Slash);
    window.run();
    window.get_by_label("Search contexts").type_text("SHOP eks");
    window.run();
    assert!(window.query_by_label_contains("Context shop production").is_some());
    assert!(window.query_by_label_contains("Context lab").is_none());
}

#[test]
fn what_is_unusual_about_a_context_is_spoken() {
    let mut window = window(egui::Theme::Dark, connected());
    window.run();
    for words in [
        "shop production, not connected, production",
        "lab, not connected, insecure",
        "old, not connected, broken",
    ] {
        assert!(window.query_by_label(&format!("Context {words}")).is_some(), "{words}");
    }
    assert!(
        window.query_all_by_label_contains("Context staging-eu, connected").count() == 2,
        "in the list and the bar"
    );
}

#[test]
fn a_service_is_aimed_at_by_one_click_or_by_its_port() {
    let mut window = window(egui::Theme::Dark, connected());
    window.run();
    tab(&mut window, "Services");
    window.get_by_label("Load test shop/checkout").click();
    window.run();
    let aim = |name: &str, port| {
        let (context, namespace, kind) = (key("staging-eu"), "shop".to_owned(), TargetKind::Service);
        ClusterCommand::Aim(Aim { context, kind, namespace, name: name.to_owned(), port, url: None })
    };
    assert_eq!(asked(&window), [aim("checkout", 8080)]);
    window.get_by_label("Load test shop/payment").click();
    window.run();
    window.get_by_label("9000 grpc").click();
    window.run();
    assert_eq!(asked(&window), [aim("checkout", 8080), aim("payment", 9000)]);
}

#[test]
fn each_way_to_a_port_and_each_pod_can_be_aimed_at() {
    let mut window = window(egui::Theme::Dark, connected());
    window.run();
    tab(&mut window, "Services");
    window.get_by_label("Load test shop/payment").click();
    window.run();
    window.get_by_label("80 http, Ingress front").click();
    window.run();
    tab(&mut window, "Pods");
    window.get_by_label("Load test pod shop/checkout-00001").click();
    window.run();
    let aim = |kind, name: &str, port, url: Option<&str>| {
        let (context, namespace) = (key("staging-eu"), "shop".to_owned());
        let (name, url) = (name.to_owned(), url.map(str::to_owned));
        ClusterCommand::Aim(Aim { context, kind, namespace, name, port, url })
    };
    assert_eq!(
        asked(&window),
        [
            aim(TargetKind::Service, "payment", 80, Some("https://shop.example/pay")),
            aim(TargetKind::Pod, "checkout-00001", 8080, None),
        ]
    );
}

#[test]
fn the_ways_to_a_service_picture() {
    let mut results = SnapshotResults::new();
    for (theme, name) in picture::THEMES {
        let mut window = window(theme, connected());
        window.run();
        tab(&mut window, "Services");
        window.get_by_label("Load test shop/payment").click();
        window.run();
        picture::compare(&mut results, &mut window, &format!("clusters_ways_{name}"));
    }
}

#[test]
fn files_are_added_by_menu_and_by_drop_and_forgotten_by_their_cross() {
    let mut window = window(egui::Theme::Dark, connected());
    window.run();
    window.get_by_label("Add…").click();
    window.run();
    window.get_by_label("A folder of kubeconfigs…").click();
    window.run();
    window.get_by_label_contains("Forget /home/ada/Downloads/team.yaml").click();
    window.run();
    for path in ["/tmp/kubeconfig", "/tmp/picture.png"] {
        window.input_mut().dropped_files.push(crate::window_shell::dropped(path));
    }
    window.run();
    assert_eq!(
        asked(&window),
        [
            ClusterCommand::PickFolder,
            ClusterCommand::Remove("/home/ada/Downloads/team.yaml".into()),
            ClusterCommand::Add(vec!["/tmp/kubeconfig".into()]),
        ]
    );
}

#[test]
fn kubectls_files_are_offered_at_first() {
    let mut state = opened();
    state.clusters.is_read = true;
    state.clusters.kubectls = vec!["/home/ada/.kube/config".into()];
    let mut window = window(egui::Theme::Light, state);
    window.run();
    window.get_by_label("Use kubectl’s contexts").click();
    window.run();
    assert_eq!(asked(&window), [ClusterCommand::UseKubectls(true)]);
}

#[test]
fn a_login_command_is_shown_whole_and_the_safe_answer_has_the_focus() {
    let mut asking = state(Connection::NeedsConsent(Box::new(ask())), None);
    asking.question = Some(Question::Login(Box::new(ask())));
    for (answer, command) in
        [("Agree and connect", ClusterCommand::Agree), ("Cancel", ClusterCommand::Decline)]
    {
        let mut window = window(egui::Theme::Dark, asking.clone());
        window.run();
        for part in
            ["has changed", "aws eks get-token", "9f86d081884c7d65", "AWS_PROFILE", "/home/ada/.kube/config"]
        {
            assert!(window.query_by_label_contains(part).is_some(), "{part}");
        }
        assert!(window.get_by_role_and_label(Role::Button, "Cancel").accesskit_node().is_focused());
        window.get_by_role_and_label(Role::Button, answer).click();
        window.run();
        assert_eq!(asked(&window), [command]);
    }
}

#[test]
fn of_ten_thousand_pods_only_those_in_sight_are_drawn() {
    let mut window =
        window(egui::Theme::Dark, state(Connection::Connected(Box::new(facts())), Some(inventory(10_000))));
    window.run();
    tab(&mut window, "Pods");
    let drawn = window.query_all_by_label_contains("checkout-0").count();
    assert!((10..60).contains(&drawn), "{drawn} rows");
    assert!(window.query_by_label("10 000").is_some() || window.query_by_label("10\u{2009}000").is_some());
    const FRAMES: u32 = 20;
    let begun = std::time::Instant::now();
    window.run_steps(FRAMES as usize);
    let frame = begun.elapsed() / FRAMES;
    println!("10 000 pods: {frame:?} a frame, drawn without a picture");
    window.get_by_label("Search this list").focus();
    window.run();
    window.get_by_label("Search this list").type_text("checkout-09999");
    window.run();
    assert_eq!(window.query_all_by_label("checkout-09999").count(), 1);
    assert_eq!(window.query_all_by_label_contains("checkout-00").count(), 0);
}

#[test]
fn a_context_is_described() {
    let mut window = window(egui::Theme::Dark, connected());
    window.run();
    window.get_by_label("Edit…").click();
    window.run();
    window.get_by_label_contains("Production: red").click();
    window.run();
    let choice =
        ContextChoice { colour: Some(Colour::Green), is_production: true, ..ContextChoice::default() };
    assert_eq!(asked(&window), [ClusterCommand::Describe(key("staging-eu"), choice)]);
}
