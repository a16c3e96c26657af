//! Adapters as the app keeps them: built-in ones on a real cluster, others by address, lost and found again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use meshbench::app::adapters::{AdapterCommand, AdapterStands, Ping, Prepared, Rehearsal};
use meshbench::app::clusters::ClusterCommand;
use meshbench::app::state::{Question, StoreState};
use meshbench::app::{Command, Core, Dialogs, Keep, Options, Page, State};
use meshbench::model::adapter::book::{AdapterId, AdapterPlace, OperationRecord, OperationState};
use meshbench::model::adapter::{Category, Changed, Era, OperationRequest, Severity};
use meshbench::model::cluster::{ContextChoice, ContextKey};
use serde_json::json;

use super::peers::{Library, Served};
use crate::kube::{Cluster, Kubeconfig, Kubelet, Person};

const PATIENCE: Duration = Duration::from_secs(60);

struct App {
    core: Core,
    folder: tempfile::TempDir,
}

impl App {
    fn start(keep: Keep) -> Self {
        Self::in_folder(tempfile::tempdir().expect("a folder"), keep)
    }

    fn in_folder(folder: tempfile::TempDir, keep: Keep) -> Self {
        let dialogs: Dialogs = Arc::new(|_| Box::pin(async { Ok(Vec::new()) }));
        let options = Options { data_dir: folder.path().join("data"), keep };
        let core = Core::start(options, Arc::new(|| {}), dialogs).expect("a core");
        let mut app = Self { core, folder };
        app.until("the store", |state| state.store == StoreState::Open && state.clusters.is_read);
        assert!(app.state().adapters.links.is_empty(), "nothing is connected before the page was on show");
        app.core.command(Command::Go(Page::Adapters));
        app
    }

    fn state(&self) -> &State {
        self.core.state()
    }

    fn ask(&mut self, command: AdapterCommand) {
        self.core.command(Command::Adapter(command));
    }

    fn until(&mut self, what: &str, reached: impl Fn(&State) -> bool) {
        let begun = Instant::now();
        while !reached(self.core.state()) {
            let adapters = &self.core.state().adapters;
            assert!(
                begun.elapsed() < PATIENCE,
                "{what} did not come: {:?} {:?}",
                adapters.book,
                adapters.links
            );
            self.core.wait(Duration::from_millis(50));
        }
    }

    /// Adds the kubeconfig of someone; the key of its context.
    fn cluster(&mut self, cluster: &Cluster, person: Person) -> ContextKey {
        let file = Kubeconfig::of(cluster, person).write(self.folder.path(), person.name()).path;
        self.core.command(Command::Cluster(ClusterCommand::Add(vec![file.clone()])));
        let key = ContextKey { file, name: "tests".to_owned() };
        self.until("the context", |state| state.clusters.context(&key).is_some());
        key
    }

    /// The built-in adapter of a mesh, once it can be asked.
    fn built_in(&mut self, name: &str) -> AdapterId {
        let id = |state: &State| state.adapters.ids().find(|id| state.adapters.name(*id) == name);
        self.until("the built-in adapter", |state| id(state).is_some_and(|id| is_ready(state, id)));
        id(self.state()).expect("waited for")
    }

    fn prepared(&self, adapter: AdapterId, category: Category, contexts: &[ContextKey]) -> Prepared {
        let facts = self.state().adapters.links[&adapter].facts.as_ref().expect("facts");
        let operation = facts.operations.iter().find(|operation| operation.category == category);
        let operation = operation.expect("it offers such").clone();
        let request = OperationRequest { key: operation.key.clone(), ..OperationRequest::default() };
        Prepared { adapter, operation, request, contexts: contexts.to_vec() }
    }

    /// Carries an operation out and waits for its end.
    fn carry_out(&mut self, prepared: Prepared) -> OperationRecord {
        self.ask(AdapterCommand::Prepare(Box::new(prepared)));
        assert!(matches!(self.state().question, Some(Question::Operation(_))), "{:?}", self.state().notices);
        let before = self.state().adapters.book.operations.len();
        self.ask(AdapterCommand::Agree(String::new()));
        self.until("the end of the operation", |state| {
            let operations = &state.adapters.book.operations;
            let goes_on = [OperationState::Waiting, OperationState::Running];
            operations.len() > before && !goes_on.contains(&operations[0].state)
        });
        self.state().adapters.book.operations[0].clone()
    }
}

fn is_ready(state: &State, id: AdapterId) -> bool {
    state.adapters.links.get(&id).is_some_and(|link| link.stands == AdapterStands::Ready)
}

#[test]
fn a_built_in_adapter_applies_and_removes_on_a_real_cluster_and_says_what_it_did() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace("custom");
    let mut app = App::start(Keep::Nowhere);
    let key = app.cluster(cluster, Person::Admin);
    let istio = app.built_in("Istio");
    let mut prepared = app.prepared(istio, Category::Custom, std::slice::from_ref(&key));
    prepared.request.namespace.clone_from(&namespace);
    prepared.request.body =
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: made-here}\ndata: {a: \"1\"}\n".to_owned();
    app.ask(AdapterCommand::Prepare(Box::new(prepared.clone())));
    let Some(Question::Operation(question)) = app.state().question.clone() else {
        panic!("what it will do is said first: {:?}", app.state().notices)
    };
    let said = question.words.join("\n");
    assert!(said.contains("made-here") || said.contains(&namespace), "{said}");
    app.until("what the cluster says of it", |state| match &state.question {
        Some(Question::Operation(question)) => {
            matches!(question.rehearsals.as_slice(), [(_, Rehearsal::Told(_))])
        }
        _ => false,
    });
    let Some(Question::Operation(question)) = app.state().question.clone() else {
        panic!("it is still asked")
    };
    let [(_, Rehearsal::Told(changes))] = question.rehearsals.as_slice() else { panic!("waited for") };
    assert!(
        changes.iter().any(|it| it.object.ends_with("/made-here") && it.how == Changed::Created),
        "{changes:?}"
    );
    app.ask(AdapterCommand::Decline);
    assert!(app.state().question.is_none() && app.state().adapters.book.operations.is_empty());
    let place = format!("/api/v1/namespaces/{namespace}/configmaps");
    let made = || {
        let listed = cluster.get(&place);
        let items = listed["items"].as_array().expect("a list").clone();
        items.iter().any(|it| it["metadata"]["name"] == "made-here")
    };
    assert!(!made());
    let done = app.carry_out(prepared.clone());
    assert_eq!(done.state, OperationState::Succeeded, "{:?}", done.reports);
    assert!(made() && done.started.is_some());
    assert!(
        done.reports.iter().any(|report| report.event.details.contains("made-here")),
        "{:?}",
        done.reports
    );
    prepared.request.removes = true;
    let undone = app.carry_out(prepared);
    assert_eq!(undone.state, OperationState::Succeeded, "{:?}", undone.reports);
    assert!(!made());
}

#[test]
fn who_may_not_is_told_and_what_was_done_is_kept_over_a_restart() {
    let cluster = Cluster::shared();
    let mut app = App::start(Keep::Here);
    let key = app.cluster(cluster, Person::Viewer);
    let linkerd = app.built_in("Linkerd");
    let mut prepared = app.prepared(linkerd, Category::Custom, std::slice::from_ref(&key));
    prepared.request.namespace = "default".to_owned();
    prepared.request.body = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: not-made}\n".to_owned();
    let refused = app.carry_out(prepared);
    assert_eq!(refused.state, OperationState::Failed);
    let last = &refused.reports.last().expect("a reason").event;
    assert_eq!(last.severity, Severity::Error);
    assert!(last.cause.contains("configmaps") || last.cause.contains("may not"), "{last:?}");
    assert!(app.state().notices.iter().any(|notice| notice.title == last.summary));
    let App { core, folder } = app;
    core.end();
    let app = App::in_folder(folder, Keep::Here);
    let kept = &app.state().adapters.book.operations;
    assert_eq!((kept.len(), kept[0].state), (1, OperationState::Failed));
    let events = &app.state().adapters.book.events;
    assert!(events.iter().any(|it| it.event.severity == Severity::Error && !it.is_read), "{events:?}");
}

#[test]
fn an_operation_that_waits_for_pods_is_stopped_and_what_it_did_stays() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace("stopped");
    let mut app = App::start(Keep::Nowhere);
    let key = app.cluster(cluster, Person::Admin);
    let kuma = app.built_in("Kuma");
    let mut prepared = app.prepared(kuma, Category::SampleApplication, std::slice::from_ref(&key));
    prepared.request.namespace.clone_from(&namespace);
    app.ask(AdapterCommand::Prepare(Box::new(prepared.clone())));
    app.ask(AdapterCommand::Agree(String::new()));
    let first = |state: &State| state.adapters.book.operations[0].clone();
    app.until("pods that never come: no kubelet is there", |state| {
        first(state).reports.iter().any(|report| report.event.summary.contains("pods are ready"))
    });
    let id = first(app.state()).request.id;
    app.ask(AdapterCommand::StopOperation("of another".to_owned()));
    app.ask(AdapterCommand::StopOperation(id));
    app.until("its end", |state| first(state).state != OperationState::Running);
    let ended = first(app.state());
    assert_eq!(ended.state, OperationState::Failed);
    let last = &ended.reports.last().expect("its end").event;
    assert!(last.summary == "It was stopped" && last.remedy.contains("stays"), "{last:?}");
    let deployments = cluster.get(&format!("/apis/apps/v1/namespaces/{namespace}/deployments"));
    assert!(!deployments["items"].as_array().expect("a list").is_empty());
    prepared.request.removes = true;
    assert_eq!(app.carry_out(prepared).state, OperationState::Succeeded);
}

#[test]
fn one_operation_is_carried_out_in_two_contexts_with_the_login_of_each() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace("two-contexts");
    let mut app = App::start(Keep::Nowhere);
    let admin = app.cluster(cluster, Person::Admin);
    let viewer = app.cluster(cluster, Person::Viewer);
    let consul = app.built_in("Consul");
    let mut prepared = app.prepared(consul, Category::Custom, &[admin.clone(), viewer.clone()]);
    prepared.request.namespace.clone_from(&namespace);
    prepared.request.body = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: in-both}\n".to_owned();
    app.ask(AdapterCommand::Prepare(Box::new(prepared.clone())));
    app.until("what both clusters say", |state| match &state.question {
        Some(Question::Operation(question)) => {
            question.rehearsals.iter().all(|(_, told)| *told != Rehearsal::Asked)
        }
        _ => false,
    });
    let Some(Question::Operation(question)) = app.state().question.clone() else { panic!("it is asked") };
    let told = |key: &ContextKey| question.rehearsals.iter().find(|(of, _)| of == key).map(|(_, told)| told);
    assert!(matches!(told(&admin), Some(Rehearsal::Told(_))), "{:?}", question.rehearsals);
    assert!(
        matches!(told(&viewer), Some(Rehearsal::Failed(why)) if why.contains("configmaps")),
        "{:?}",
        question.rehearsals
    );
    app.ask(AdapterCommand::Decline);
    let done = app.carry_out(prepared);
    assert_eq!(done.state, OperationState::Failed, "in one of them it may not be");
    let place = format!("/api/v1/namespaces/{namespace}/configmaps/in-both");
    assert_eq!(cluster.get(&place)["metadata"]["name"], "in-both", "and in the other it was");
    let last = &done.reports.last().expect("a reason").event;
    assert!(last.summary.contains("tests") || !last.cause.is_empty(), "{last:?}");
}

#[test]
fn production_wants_its_name_typed() {
    let cluster = Cluster::shared();
    let mut app = App::start(Keep::Nowhere);
    let key = app.cluster(cluster, Person::Admin);
    let choice = ContextChoice { is_production: true, alias: "shop".to_owned(), ..ContextChoice::default() };
    app.core.command(Command::Cluster(ClusterCommand::Describe(key.clone(), choice)));
    let kuma = app.built_in("Kuma");
    let prepared = app.prepared(kuma, Category::Validate, &[key]);
    app.ask(AdapterCommand::Prepare(Box::new(prepared)));
    for typed in ["", "shopp"] {
        app.ask(AdapterCommand::Agree(typed.to_owned()));
        assert!(app.state().question.is_some() && app.state().adapters.book.operations.is_empty());
    }
    app.ask(AdapterCommand::Agree(" shop ".to_owned()));
    assert_eq!(app.state().adapters.book.operations.len(), 1);
    app.until("its end", |state| state.adapters.book.operations[0].state == OperationState::Succeeded);
}

#[test]
fn an_adapter_that_is_a_service_of_a_cluster_is_reached_through_its_api_server() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let cluster = Cluster::controlled();
    let adapter = Library::default();
    let served = runtime.block_on(Served::start(adapter.clone()));
    let kubelet = Kubelet::join(cluster, "node-of-adapters");
    let namespace = cluster.namespace("meshery");
    kubelet.pod(cluster, &namespace, "adapter-1", "registry.test/adapter:1");
    cluster.create(
        &format!("/api/v1/namespaces/{namespace}/services"),
        &json!({
            "metadata": {"name": "meshery-linkerd"},
            "spec": {"selector": {"app": "web"}, "ports": [{"name": "grpc", "port": 10001, "targetPort": served.address.port()}]},
        }),
    );
    let slices = format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices");
    cluster.wait_for("the Service's endpoint", &slices, |listed| {
        listed["items"][0]["endpoints"][0]["targetRef"]["name"].as_str().map(str::to_owned)
    });
    let mut app = App::start(Keep::Nowhere);
    let key = app.cluster(cluster, Person::Admin);
    app.core.command(Command::Cluster(ClusterCommand::Connect(key.clone())));
    let is_it = |place: &AdapterPlace| matches!(place, AdapterPlace::Service { namespace: found, port: 10001, .. } if *found == namespace);
    app.until("that it is found", |state| state.found_adapters().iter().any(|found| is_it(&found.place)));
    let found =
        app.state().found_adapters().into_iter().find(|found| is_it(&found.place)).expect("waited for");
    assert_eq!(found.name, "meshery-linkerd");
    app.ask(AdapterCommand::Add(found.place));
    let id = app.state().adapters.book.adapters[0].id;
    app.until("the adapter", |state| is_ready(state, id));
    assert_eq!(app.state().adapters.name(id), "LINKERD");
    assert!(!app.state().found_adapters().iter().any(|found| is_it(&found.place)), "it was added");
    runtime.block_on(served.until_heard());
    let prepared = app.prepared(id, Category::Install, std::slice::from_ref(&key));
    let done = app.carry_out(prepared);
    assert_eq!(
        done.reports.last().expect("a report").event.remedy,
        "try another",
        "its events come the same way"
    );
    assert_eq!(adapter.told(), ["linkerd in default, 1 login, version "]);
}

#[test]
fn an_adapter_by_address_is_lost_and_found_again_and_asked_anew() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let cluster = Cluster::shared();
    let adapter = Library::default();
    let served = runtime.block_on(Served::start(adapter.clone()));
    let address = served.address.to_string();
    let mut app = App::start(Keep::Nowhere);
    let key = app.cluster(cluster, Person::Viewer);
    app.ask(AdapterCommand::Add(AdapterPlace::Address(address.clone())));
    let id = app.state().adapters.book.adapters[0].id;
    app.until("the adapter", |state| is_ready(state, id));
    assert_eq!(app.state().adapters.name(id), "LINKERD");
    app.ask(AdapterCommand::Ping(id));
    app.until("its answer", |state| matches!(state.adapters.pings.get(&id), Some(Ping::Answered(_))));
    runtime.block_on(served.until_heard());
    let mut prepared = app.prepared(id, Category::Install, std::slice::from_ref(&key));
    prepared.request.namespace = "linkerd".to_owned();
    let done = app.carry_out(prepared);
    assert_eq!(done.state, OperationState::Failed, "as that adapter says");
    assert_eq!(done.reports.last().expect("a report").event.remedy, "try another");
    assert_eq!(adapter.told(), ["linkerd in linkerd, 1 login, version "]);
    drop(served);
    app.until("that it is lost", |state| {
        matches!(state.adapters.links[&id].stands, AdapterStands::Failed { .. })
    });
    assert!(app.state().adapters.links[&id].facts.is_some(), "what it offered is still on show");
    let _again = runtime.block_on(Served::start_on(&address, Library::default()));
    app.until("that it is back", |state| is_ready(state, id));
    let facts = app.state().adapters.links[&id].facts.clone().expect("facts");
    assert_eq!(facts.era, Era::Library);
    app.ask(AdapterCommand::Remove(id));
    assert!(app.state().adapters.book.adapters.is_empty());
}
