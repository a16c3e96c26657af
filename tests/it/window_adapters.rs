//! The adapters page: what it shows, what a person can do there, and how it looks.

use std::path::PathBuf;

use eframe::egui;
use egui_kittest::kittest::Queryable as _;
use egui_kittest::{Harness, SnapshotResults};
use meshbench::app::adapters::{
    AdapterCommand, AdapterLink, AdapterStands, Found, OperationQuestion, Prepared, Reported,
};
use meshbench::app::state::{Question, StoreState};
use meshbench::app::{Command, Page, State, operations};
use meshbench::model::adapter::book::{
    AdapterId, AdapterPlace, KnownAdapter, OperationRecord, OperationState, Report,
};
use meshbench::model::adapter::{
    AdapterEvent, AdapterFacts, Category, Operation, OperationRequest, Severity,
};
use meshbench::model::cluster::{ClusterContext, ContextKey, Login};

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
        adapters.events.push(Reported {
            adapter: istio(),
            adapter_name,
            at: at(2),
            event: event.clone(),
            is_read: false,
        });
    }
    adapters.now = Some(at(900));
    adapters.book.operations = vec![
        record("Custom manifest", OperationState::Failed, failed),
        record("Demand mutual TLS of every connection", OperationState::Succeeded, done),
        record("Install Istio", OperationState::Running, Vec::new()),
    ];
    state
}

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

fn question(must_type: Option<&str>) -> Question {
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
        asking.question = Some(question(Some("shop production")));
        let mut asking = window(theme, asking);
        asking.run();
        picture::compare(&mut results, &mut asking, &format!("adapters_question_{word}"));
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
    asking.question = Some(question(Some("shop")));
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
