//! The adapters page: what it shows, what a person can do there, and how it looks.

use std::path::PathBuf;

use eframe::egui;
use egui_kittest::kittest::Queryable as _;
use egui_kittest::{Harness, SnapshotResults};
use meshbench::app::adapters::{
    AdapterCommand, AdapterLink, AdapterStands, Found, OperationQuestion, Ping, Prepared, Rehearsal, Versions,
};
use meshbench::app::clusters::{Aim, ClusterCommand};
use meshbench::app::state::{Question, StoreState};
use meshbench::app::{Command, Page, State, operations};
use meshbench::model::adapter::book::{
    AdapterId, AdapterPlace, KnownAdapter, OperationRecord, OperationState, Report, Reported,
};
use meshbench::model::adapter::{
    AdapterEvent, AdapterFacts, Category, Change, Changed, FieldChange, Operation, OperationRequest, Severity,
};
use meshbench::model::cluster::{ClusterContext, ContextKey, Login};
use meshbench::model::plan::TargetKind;

use crate::picture;
use crate::window_clusters::{Faceless, window};

fn key() -> ContextKey {
    ContextKey { file: PathBuf::from("/home/ada/.kube/config"), name: "staging-eu".to_owned() }
}

fn context() -> ClusterContext {
    ClusterContext {
        key: key(),
        cluster: "staging".to_owned(),
        user: "ada".to_owned(),
        namespace: "shop".to_owned(),
        server: "https://staging.example.test:6443".to_owned(),
        shadowed_by: None,
        is_insecure: false,
        login: Login::Token,
        problems: Vec::new(),
    }
}

fn at(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_795_000_000 + second).expect("a time")
}

fn istio() -> AdapterId {
    operations::built_in().next().expect("a mesh").0
}

fn event(severity: Severity, summary: &str, cause: &str, remedy: &str) -> AdapterEvent {
    AdapterEvent {
        severity,
        summary: summary.to_owned(),
        cause: cause.to_owned(),
        remedy: remedy.to_owned(),
        ..AdapterEvent::default()
    }
}

fn record(text: &str, state: OperationState, reports: Vec<AdapterEvent>) -> OperationRecord {
    OperationRecord {
        request: OperationRequest {
            id: text.to_owned(),
            namespace: "shop".to_owned(),
            ..OperationRequest::default()
        },
        adapter: istio(),
        adapter_name: "Istio".to_owned(),
        operation: Operation { category: Category::Configure, text: text.to_owned(), key: text.to_owned() },
        contexts: vec![key()],
        started: Some(at(0)),
        state,
        reports: reports.into_iter().map(|event| Report { at: at(1), event }).collect(),
    }
}

fn state() -> State {
    let mut state = State::default();
    state.page = Page::Adapters;
    state.store = StoreState::Open;
    state.clusters.is_read = true;
    state.clusters.contexts = vec![context()];
    state.clusters.book.chosen = Some(key());
    let adapters = &mut state.adapters;
    for (number, (id, mesh)) in operations::built_in().enumerate() {
        let facts = Some(AdapterFacts { version: "0.1.0".to_owned(), ..operations::facts(mesh) });
        adapters.links.insert(id, AdapterLink { number: number as u64, stands: AdapterStands::Ready, facts });
    }
    let id = AdapterId(uuid::Uuid::from_u128(1 << 100));
    let place = AdapterPlace::Address("localhost:10001".to_owned());
    adapters.book.adapters.push(KnownAdapter { id, name: String::new(), place, may_have_logins: false });
    let stands = AdapterStands::Failed {
        step: "connecting".to_owned(),
        cause: "localhost:10001: Connection refused".to_owned(),
        advice: "Check that the adapter runs there, and its port".to_owned(),
    };
    adapters.links.insert(id, AdapterLink { number: 99, stands, facts: None });
    let place = AdapterPlace::Address("localhost:10007".to_owned());
    adapters.found.push(Found { name: "KUMA".to_owned(), place });
    let done = vec![
        event(Severity::Info, "1/1 Apply PeerAuthentication shop/default", "", ""),
        event(Severity::Info, "Done: Demand mutual TLS of every connection", "", ""),
    ];
    let failed = vec![event(
        Severity::Error,
        "You may not do this",
        "configmaps is forbidden: User \"ada\" cannot create resource \"configmaps\" in the namespace \"shop\"",
        "Ask for a role that may create configmaps in shop",
    )];
    for event in done.iter().chain(&failed) {
        let adapter_name = "Istio".to_owned();
        adapters.book.events.push(Reported {
            adapter: istio(),
            adapter_name,
            at: at(2),
            event: event.clone(),
            is_read: false,
        });
    }
    adapters.now = Some(at(900));
    adapters.book.operations = vec![
        record("Take the rule back", OperationState::Waiting, Vec::new()),
        record("Custom manifest", OperationState::Failed, failed),
        record("Demand mutual TLS of every connection", OperationState::Succeeded, done),
        record("Install Istio", OperationState::Running, Vec::new()),
    ];
    let mut sample =
        record("httpbin: answers that say what was asked", OperationState::Succeeded, Vec::new());
    sample.operation.key = "istio.sample.httpbin".to_owned();
    adapters.book.operations.push(sample);
    adapters.pings.insert(istio(), Ping::Answered(std::time::Duration::from_micros(420)));
    state
}

fn rehearsal() -> Rehearsal {
    let field = |path: &str, old: Option<&str>, new: Option<&str>| FieldChange {
        path: path.to_owned(),
        old: old.map(str::to_owned),
        new: new.map(str::to_owned),
    };
    let change = |object: &str, how| Change { object: object.to_owned(), how };
    Rehearsal::Told(vec![
        change("PeerAuthentication shop/default", Changed::Created),
        change(
            "Namespace shop",
            Changed::Fields(vec![field("metadata.labels.istio-injection", None, Some("enabled"))]),
        ),
        change(
            "Deployment shop/checkout",
            Changed::Fields(vec![
                field("spec.replicas", Some("2"), Some("3")),
                field("spec.template.spec.containers[web].image", Some("checkout:1.4"), Some("checkout:1.5")),
            ]),
        ),
        change("ConfigMap shop/old", Changed::Removed),
        change("Service shop/checkout", Changed::Unchanged),
    ])
}

const NO_HELM: &str = "Helm is not installed: helm is not on the PATH of this program, nor of your login shell. Install Helm 3 \
                       or later (helm.sh says how), or start Meshbench from a terminal in which it is found";

fn known() -> Versions {
    let of_istio = |minor: u32| (format!("1.{minor}.1"), format!("1.{minor}.1"));
    let edge = ("2026.11.1".to_owned(), "edge-26.11.1".to_owned());
    Versions::Known((0..20).rev().map(of_istio).chain([edge]).collect())
}

const MANIFEST: &str = "# Who may call the checkout\napiVersion: networking.istio.io/v1\nkind: VirtualService\n\
                        metadata:\n  name: checkout\nspec:\n  hosts: [\"checkout\"]\n  http:\n  - timeout: 2s\n    \
                        retries: {attempts: 3}\n";

fn asked(window: &Harness<'_, Faceless>) -> Vec<AdapterCommand> {
    let adapters = window.state().asked.iter().filter_map(|command| match command {
        Command::Adapter(command) => Some(command.clone()),
        _ => None,
    });
    adapters.collect()
}

fn show(window: &mut Harness<'_, Faceless>, words: &str) {
    window.get_by_label(words).click();
    window.run();
}

fn question(must_type: Option<&str>, rehearsals: Vec<(ContextKey, Rehearsal)>) -> Question {
    let facts = operations::facts(operations::mesh(istio()).expect("a mesh"));
    let operation = facts.operations[0].clone();
    let request = OperationRequest {
        key: operation.key.clone(),
        namespace: "shop".to_owned(),
        ..OperationRequest::default()
    };
    let mesh = operations::mesh(istio()).expect("a mesh");
    let mut words = vec![format!("Do “{}” in the namespace shop of staging-eu.", operation.text)];
    words.extend(operations::words(mesh, &request).expect("steps"));
    Question::Operation(Box::new(OperationQuestion {
        prepared: Prepared { adapter: istio(), operation, request, contexts: vec![key()] },
        words,
        must_type: must_type.map(str::to_owned),
        in_the_clear: None,
        rehearsals,
        number: 1,
    }))
}

#[test]
fn the_page_looks_as_it_should() {
    let mut results = SnapshotResults::new();
    for (theme, word) in picture::THEMES {
        for (name, tab) in [("offers", "What it offers"), ("done", "Operations"), ("events", "Events (3)")] {
            let mut window = window(theme, state());
            window.run();
            show(&mut window, tab);
            picture::compare(&mut results, &mut window, &format!("adapters_{name}_{word}"));
        }
        let mut lost = window(theme, state());
        lost.run();
        show(&mut lost, "Adapter localhost:10001, not reached");
        picture::compare(&mut results, &mut lost, &format!("adapters_lost_{word}"));
        let mut asking = state();
        asking.question = Some(question(Some("shop production"), Vec::new()));
        let mut asking = window(theme, asking);
        asking.run();
        picture::compare(&mut results, &mut asking, &format!("adapters_question_{word}"));
        let mut asking = state();
        asking.question = Some(question(None, vec![(key(), rehearsal())]));
        let mut asking = window(theme, asking);
        asking.run();
        picture::compare(&mut results, &mut asking, &format!("adapters_changes_{word}"));
        for (name, versions) in [("known", known()), ("none", Versions::Failed(NO_HELM.to_owned()))] {
            let mut choosing = state();
            choosing.adapters.versions.insert(istio(), versions);
            let mut choosing = window(theme, choosing);
            choosing.run();
            show(&mut choosing, "Versions to choose from");
            picture::compare(&mut results, &mut choosing, &format!("adapters_versions_{name}_{word}"));
        }
        let mut writing = state();
        writing.adapters.manifest = Some((1, MANIFEST.to_owned()));
        let mut writing = window(theme, writing);
        writing.run();
        picture::compare(&mut results, &mut writing, &format!("adapters_editor_{word}"));
    }
}

#[test]
fn an_operation_is_asked_for_with_what_was_chosen() {
    let mut window = window(egui::Theme::Dark, state());
    window.run();
    let facts = operations::facts(operations::mesh(istio()).expect("a mesh"));
    let operation =
        facts.operations.iter().find(|it| it.category == Category::Validate).expect("one").clone();
    window.get_by_label("Search operations").focus();
    window.run();
    window.get_by_label("Search operations").type_text(&operation.key);
    window.run();
    show(&mut window, &format!("Check {}", operation.text));
    let request = OperationRequest {
        key: operation.key.clone(),
        namespace: "shop".to_owned(),
        ..OperationRequest::default()
    };
    let prepared = Prepared { adapter: istio(), operation, request, contexts: vec![key()] };
    assert_eq!(asked(&window), [AdapterCommand::Prepare(Box::new(prepared))]);
}

#[test]
fn production_is_carried_out_only_once_its_name_was_typed() {
    let mut asking = state();
    asking.question = Some(question(Some("shop"), Vec::new()));
    let mut window = window(egui::Theme::Light, asking);
    window.run();
    show(&mut window, "Carry out");
    assert_eq!(asked(&window), []);
    let field = window.get_by_label("This is production. Type its name to go on: shop");
    field.focus();
    window.run();
    window.get_by_label("This is production. Type its name to go on: shop").type_text("shop");
    window.run();
    show(&mut window, "Carry out");
    assert_eq!(asked(&window), [AdapterCommand::Agree("shop".to_owned())]);
}

#[test]
fn adapters_are_added_by_address_and_by_what_was_found_and_removed() {
    let mut window = window(egui::Theme::Dark, state());
    window.run();
    show(&mut window, "Add KUMA · localhost:10007");
    show(&mut window, "Look again");
    show(&mut window, "Adapter localhost:10001, not reached");
    show(&mut window, "Try now");
    show(&mut window, "Remove");
    let id = AdapterId(uuid::Uuid::from_u128(1 << 100));
    assert_eq!(
        asked(&window),
        [
            AdapterCommand::Add(AdapterPlace::Address("localhost:10007".to_owned())),
            AdapterCommand::Find,
            AdapterCommand::Connect(id),
            AdapterCommand::Remove(id),
        ]
    );
}

#[test]
fn an_adapter_is_pinged_and_called_otherwise() {
    let mut window = window(egui::Theme::Light, state());
    window.run();
    show(&mut window, "Ping");
    show(&mut window, "Adapter localhost:10001, not reached");
    show(&mut window, "Rename…");
    let field = window.get_by_label("Name of the adapter");
    field.focus();
    window.run();
    window.get_by_label("Name of the adapter").type_text(" of ours");
    window.run();
    show(&mut window, "Rename");
    let id = AdapterId(uuid::Uuid::from_u128(1 << 100));
    assert_eq!(
        asked(&window),
        [AdapterCommand::Ping(istio()), AdapterCommand::Rename(id, "localhost:10001 of ours".to_owned())]
    );
}

#[test]
fn a_service_of_a_cluster_is_added_and_a_wrong_one_is_explained() {
    let mut window = window(egui::Theme::Dark, state());
    window.run();
    let write = |window: &mut Harness<'_, Faceless>, words: &str| {
        window.get_by_label("Address of an adapter").focus();
        window.run();
        window.get_by_label("Address of an adapter").type_text(words);
        window.run();
        show(window, "Add");
    };
    write(&mut window, "svc/meshery");
    assert_eq!(asked(&window), []);
    window.get_by_label_contains("Write a Service as svc/NAMESPACE/NAME:PORT");
    write(&mut window, "/meshery-istio:10000");
    assert!(window.query_by_label_contains("Write a Service as").is_none());
    let place = AdapterPlace::Service {
        context: key(),
        namespace: "meshery".to_owned(),
        name: "meshery-istio".to_owned(),
        port: 10000,
    };
    assert_eq!(asked(&window), [AdapterCommand::Add(place)]);
}

#[test]
fn what_waits_is_withdrawn_what_goes_on_is_stopped_and_a_sample_is_sent_load() {
    let mut window = window(egui::Theme::Dark, state());
    window.run();
    show(&mut window, "Operations");
    show(&mut window, "Do not wait");
    show(&mut window, "Withdraw");
    show(&mut window, "Stop Install Istio");
    show(&mut window, "Load test this");
    let (waits, goes_on) = ("Take the rule back".to_owned(), "Install Istio".to_owned());
    assert_eq!(
        asked(&window),
        [
            AdapterCommand::DoNotWait(waits.clone()),
            AdapterCommand::Withdraw(waits),
            AdapterCommand::StopOperation(goes_on)
        ]
    );
    let aim = Aim {
        context: key(),
        kind: TargetKind::Service,
        namespace: "shop".to_owned(),
        name: "httpbin".to_owned(),
        port: 8000,
        url: None,
    };
    assert!(window.state().asked.contains(&Command::Cluster(ClusterCommand::Aim(aim))));
}

#[test]
fn a_manifest_that_is_missing_is_asked_for_where_it_is_written() {
    let mut window = window(egui::Theme::Dark, state());
    window.run();
    let facts = operations::facts(operations::mesh(istio()).expect("a mesh"));
    let custom = facts.operations.iter().find(|it| it.category == Category::Custom).expect("one").clone();
    window.get_by_label("Search operations").focus();
    window.run();
    window.get_by_label("Search operations").type_text(&custom.key);
    window.run();
    show(&mut window, &format!("Apply {}", custom.text));
    assert_eq!(asked(&window), []);
    window.get_by_label("Manifest, values or parameters").focus();
    window.run();
    window.get_by_label("Manifest, values or parameters").type_text("kind: Service");
    window.run();
    window.get_by_label_contains("has no apiVersion");
    show(&mut window, "Open a file…");
    show(&mut window, &format!("Apply {}", custom.text));
    let asked = asked(&window);
    assert_eq!(asked[0], AdapterCommand::PickManifest);
    assert!(matches!(&asked[1], AdapterCommand::Prepare(it) if it.request.body == "kind: Service"));
}

#[test]
fn a_version_is_chosen_from_those_that_helm_knows() {
    let mut choosing = state();
    choosing.adapters.versions.insert(istio(), known());
    let mut window = window(egui::Theme::Dark, choosing);
    window.run();
    show(&mut window, "Versions to choose from");
    show(&mut window, "1.19.1");
    let facts = operations::facts(operations::mesh(istio()).expect("a mesh"));
    let install = facts.operations.iter().find(|it| it.category == Category::Install).expect("one").clone();
    show(&mut window, &format!("Apply {}", install.text));
    let asked = asked(&window);
    assert!(
        matches!(asked.as_slice(), [AdapterCommand::Prepare(it)] if it.request.version == "1.19.1"),
        "{asked:?}"
    );
    let linkerd = operations::built_in().nth(2).expect("a mesh").0;
    show(&mut window, "Adapter Linkerd, connected");
    show(&mut window, "Versions to choose from");
    assert_eq!(self::asked(&window).last(), Some(&AdapterCommand::AskVersions(linkerd)));
}
