//! The load form and the history page, driven by role and label as a person or a screen reader would.

use std::sync::Arc;
use std::time::{Duration, Instant};

use eframe::egui::accesskit::Role;
use eframe::egui::{self, Event, Key, Modifiers, Ui};
use egui_kittest::kittest::{NodeT, Queryable};
use egui_kittest::{Harness, SnapshotResults};
use jiff::tz::TimeZone;
use meshbench::app::command::ExportFormat;
use meshbench::app::methods::{Answer, Description, Listing};
use meshbench::app::state::{Picked, PlanId, SavedPlan, Slot, StoreState};
use meshbench::app::{Command, Page, State};
use meshbench::model::plan::{
    Arrivals, ClientCertificate, Data, Family, Grpc, Order, Profile, Protocol, Resolve, Reuse, Schema,
    Session, Variant,
};
use meshbench::model::run::RunEdit;
use meshbench::model::{
    BasicAuth, Body, Cookie, Header, Pacing, Plan, Request, RunId, RunSummary, Search, Stop, Target,
};
use meshbench::ui::form::LoadPage;
use meshbench::ui::history::HistoryPage;
use meshbench::ui::{Cx, Theme};
use uuid::Uuid;

use crate::{picture, sample};

const SIZE: [f32; 2] = [1200.0, 760.0];

/// A page, what it is shown, and what it asked for.
struct Stage<P> {
    page: P,
    state: State,
    commands: Vec<Command>,
}

trait Shown {
    fn show(&mut self, cx: &mut Cx<'_>, ui: &mut Ui);
}

impl Shown for LoadPage {
    fn show(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        self.ui(cx, ui);
    }
}

impl Shown for HistoryPage {
    fn show(&mut self, cx: &mut Cx<'_>, ui: &mut Ui) {
        self.ui(cx, ui);
    }
}

impl<P: Shown> Stage<P> {
    fn draw(&mut self, ui: &mut Ui) {
        let theme = Theme::of(ui.ctx());
        let cx = &mut Cx {
            state: &self.state,
            commands: &mut self.commands,
            theme: &theme,
            software_rasterizer: false,
        };
        // The harness leaves a margin for shadows; a page fills its window.
        let rect = ui.ctx().content_rect();
        let mut inner = ui.new_child(egui::UiBuilder::new().max_rect(rect));
        inner.set_clip_rect(rect);
        inner.painter().rect_filled(rect, 0.0, inner.visuals().panel_fill);
        self.page.show(cx, &mut inner);
    }
}

fn stage<P: Shown + 'static>(page: P, state: State, theme: egui::Theme) -> Harness<'static, Stage<P>> {
    let stage = Stage { page, state, commands: Vec::new() };
    let mut harness =
        picture::builder(theme, SIZE).build_ui_state(|ui, stage: &mut Stage<P>| stage.draw(ui), stage);
    harness.run();
    harness
}

fn form(state: State) -> Harness<'static, Stage<LoadPage>> {
    stage(LoadPage::new(), state, egui::Theme::Dark)
}

fn history(state: State) -> Harness<'static, Stage<HistoryPage>> {
    stage(HistoryPage::in_zone(TimeZone::UTC), state, egui::Theme::Dark)
}

fn open_state() -> State {
    in_store(StoreState::Open)
}

fn in_store(store: StoreState) -> State {
    let mut state = State::default();
    state.store = store;
    state
}

/// With runs; revisions count from 1 as in the program.
fn with_runs(count: usize) -> State {
    let mut state = open_state();
    state.history = sample::history(count);
    state.history_revision = 1;
    state
}

fn plan_id(number: u128) -> PlanId {
    PlanId(Uuid::from_u128(number))
}

fn with_plans(names: &[&str]) -> State {
    let saved = names.iter().enumerate().map(|(at, name)| {
        let mut plan = Plan::for_url(&format!("http://localhost:{}/", 8000 + at));
        (*name).clone_into(&mut plan.name);
        SavedPlan { id: plan_id(at as u128), plan }
    });
    let mut state = open_state();
    state.plans = saved.collect();
    state
}

fn taken<P>(harness: &mut Harness<'_, Stage<P>>) -> Vec<Command> {
    std::mem::take(&mut harness.state_mut().commands)
}

fn type_into<P>(harness: &mut Harness<'_, Stage<P>>, label: &str, text: &str) {
    harness.get_by_role_and_label(Role::TextInput, label).focus();
    harness.run();
    harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    harness.get_by_role_and_label(Role::TextInput, label).type_text(text);
    harness.run();
}

fn click<P>(harness: &mut Harness<'_, Stage<P>>, label: &str) {
    harness.get_by_label(label).scroll_to_me();
    harness.run();
    harness.get_by_label(label).click();
    harness.run();
}

fn press<P>(harness: &mut Harness<'_, Stage<P>>, key: Key) {
    harness.key_press(key);
    harness.run();
}

fn ctrl_enter<P>(harness: &mut Harness<'_, Stage<P>>) {
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    harness.run();
}

fn open_section<P>(harness: &mut Harness<'_, Stage<P>>, title: &str) {
    harness.get_by(|node| node.label().is_some_and(|label| label.starts_with(title))).click();
    harness.run();
    harness.run();
}

// The form

#[test]
fn a_bad_url_says_why_once_it_is_typed_and_not_before() {
    let mut harness = form(open_state());
    assert!(harness.query_by_label_contains("write the scheme").is_none());
    type_into(&mut harness, "URL", "localhost");
    harness.get_by_label("write the scheme too, for example http://localhost");
    type_into(&mut harness, "URL", "localhost:8080/cart");
    harness.get_by_label("write the scheme too, for example http://localhost:8080/cart");
    type_into(&mut harness, "URL", "http://localhost/");
    assert!(harness.query_by_label_contains("write the scheme").is_none());
}

#[test]
fn every_field_shows_its_unit() {
    let mut harness = form(open_state());
    for unit in [
        "requests/s",
        "at most, one request at a time each",
        "(s, m, h) for example 30s, 2m",
        "(ms, s, m) for one request",
    ] {
        harness.get_by_label(unit);
    }
    click(&mut harness, "Poisson arrivals");
    harness.get_by_label("requests/s on average");
    click(&mut harness, "As fast as possible");
    assert!(harness.query_by_role_and_label(Role::TextInput, "Rate").is_none(), "a closed loop has no rate");
    click(&mut harness, "A number of requests");
    harness.get_by_label("requests");
}

#[test]
fn ctrl_enter_runs_exactly_the_plan_in_the_form() {
    let mut harness = form(open_state());
    type_into(&mut harness, "URL", "http://localhost:8080/cart");
    type_into(&mut harness, "Rate", "250");
    type_into(&mut harness, "Connections", "32");
    type_into(&mut harness, "Duration", "2m");
    type_into(&mut harness, "Warm-up", "5s");
    type_into(&mut harness, "Timeout", "750ms");
    type_into(&mut harness, "Name", "Cart");
    harness.get_by_label(
        "Sends 250 requests a second over at most 32 connections for 2 min: 30\u{2009}000 requests, after a \
         warm-up of 5 s that is not counted",
    );
    ctrl_enter(&mut harness);
    let mut plan = Plan::for_url("http://localhost:8080/cart");
    plan.name = "Cart".to_owned();
    plan.pacing = Pacing::Constant { rate_per_sec: 250.0 };
    plan.connections = 32;
    plan.stop = Stop::Duration(Duration::from_secs(120));
    plan.warmup = Duration::from_secs(5);
    plan.timeout = Duration::from_millis(750);
    assert_eq!(taken(&mut harness), [Command::StartRun(Box::new(plan))]);
}

#[test]
fn headers_cookies_credentials_labels_and_goals_reach_the_plan() {
    let mut harness = form(open_state());
    type_into(&mut harness, "URL", "https://localhost/");
    open_section(&mut harness, "Headers and body");
    click(&mut harness, "Add header");
    type_into(&mut harness, "Header 1 name", "X-Trace");
    type_into(&mut harness, "Header 1 value", "on");
    click(&mut harness, "Add cookie");
    type_into(&mut harness, "Cookie 1 name", "session");
    harness.get_by_label("Cookie 1 value").focus();
    harness.run();
    harness.get_by_label("Cookie 1 value").type_text("abc");
    click(&mut harness, "Send user name and password");
    type_into(&mut harness, "User name", "ada");
    harness.get_by_role_and_label(Role::PasswordInput, "Password").focus();
    harness.run();
    harness.get_by_role_and_label(Role::PasswordInput, "Password").type_text("pw");
    harness.run();
    open_section(&mut harness, "Headers and body");
    open_section(&mut harness, "Labels");
    type_into(&mut harness, "Mesh", "istio");
    click(&mut harness, "Add label");
    type_into(&mut harness, "Label 1 key", "region");
    type_into(&mut harness, "Label 1 value", "eu");
    open_section(&mut harness, "Labels");
    open_section(&mut harness, "Goals");
    click(&mut harness, "Add goal");
    type_into(&mut harness, "Goal 1", "p99<20");
    assert!(harness.query_all_by_label_contains("20 has no unit").count() >= 1);
    type_into(&mut harness, "Goal 1", "p99<20ms");
    ctrl_enter(&mut harness);

    let commands = taken(&mut harness);
    let [Command::StartRun(plan)] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!(plan.request.headers[0].name, "X-Trace");
    assert_eq!(plan.request.headers[0].value, "on");
    assert_eq!(
        (plan.request.cookies[0].name.as_str(), plan.request.cookies[0].value.as_str()),
        ("session", "abc")
    );
    let auth = plan.request.basic_auth.as_ref().expect("credentials");
    assert_eq!((auth.user.as_str(), auth.password.as_str()), ("ada", "pw"));
    let labels: Vec<String> = plan.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(labels, ["mesh=istio", "region=eu"]);
    assert_eq!(plan.goals[0].to_string(), "p99<20ms");
}

#[test]
fn run_is_refused_with_a_reason_and_shows_what_to_correct() {
    let mut harness = form(open_state());
    assert!(harness.get_by_label("Run test").accesskit_node().is_disabled());
    harness.get_by_label("A URL is missing, for example http://localhost:8080/");
    ctrl_enter(&mut harness);
    harness.get_by_label("a URL is missing, for example http://localhost:8080/");
    assert_eq!(taken(&mut harness), []);

    type_into(&mut harness, "URL", "http://localhost/");
    harness.state_mut().state.live = Some(sample::live());
    harness.run();
    harness.get_by_label("A run is going; wait for its end or stop it first");
    ctrl_enter(&mut harness);
    assert_eq!(taken(&mut harness), []);
}

#[test]
fn a_plan_without_its_secrets_opens_the_section_that_needs_them() {
    let mut harness = form(open_state());
    let mut plan = sample::plan();
    plan.request.cookies = vec![Cookie { name: "session".to_owned(), value: "x".to_owned() }];
    harness.state_mut().state.form = Some((1, Box::new(plan.redacted())));
    harness.run();
    harness.run();
    harness.get_by_label_contains("the value of cookie session was not kept");
    harness.get_by(|node| node.label().is_some_and(|label| label == "Headers and body: 1 correction needed"));
}

#[test]
fn plans_are_saved_duplicated_exported_imported_and_deleted() {
    let mut harness = form(with_plans(&["Cart", "Checkout"]));
    click(&mut harness, "Import a plan from TOML…");
    assert_eq!(taken(&mut harness), [Command::ImportPlan]);
    click(&mut harness, "Checkout");
    assert_eq!(harness.state().page.draft().url, "http://localhost:8001/");
    click(&mut harness, "Duplicate");
    assert_eq!(taken(&mut harness), [Command::DuplicatePlan(plan_id(1))]);
    let shown = harness.state().state.plans[1].plan.clone();
    click(&mut harness, "Export as TOML…");
    assert_eq!(taken(&mut harness), [Command::ExportPlan(Box::new(shown.clone()))]);

    type_into(&mut harness, "Rate", "500");
    harness.get_by_label("Unsaved changes");
    click(&mut harness, "Save");
    let changed = Plan { pacing: Pacing::Constant { rate_per_sec: 500.0 }, ..shown };
    assert_eq!(taken(&mut harness), [Command::SavePlan(Some(plan_id(1)), Box::new(changed.clone()))]);
    harness.get_by_label("Unsaved changes");
    harness.state_mut().state.plans[1].plan = changed.clone();
    harness.run();
    harness.get_by_label("Saved");

    click(&mut harness, "Save as…");
    type_into(&mut harness, "Save a copy as", "Checkout, fast");
    click(&mut harness, "Save copy");
    let copy = Plan { name: "Checkout, fast".to_owned(), ..changed };
    assert_eq!(taken(&mut harness), [Command::SavePlan(None, Box::new(copy.clone()))]);
    harness.state_mut().state.plans.push(SavedPlan { id: plan_id(2), plan: copy });
    harness.run();

    click(&mut harness, "Delete…");
    assert_eq!(taken(&mut harness), [], "deleting a plan is asked first");
    click(&mut harness, "Delete plan");
    assert_eq!(taken(&mut harness), [Command::DeletePlan(plan_id(2))]);
}

#[test]
fn unsaved_changes_are_not_lost_without_a_question() {
    let mut harness = form(with_plans(&["Cart", "Checkout"]));
    click(&mut harness, "Cart");
    type_into(&mut harness, "Rate", "7");
    click(&mut harness, "Checkout");
    harness.get_by_label("The plan in the form has changes that are not saved");
    click(&mut harness, "Keep editing");
    assert_eq!(harness.state().page.draft().rate, "7");
    click(&mut harness, "Checkout");
    click(&mut harness, "Discard changes");
    assert_eq!(harness.state().page.draft().name, "Checkout");
    assert!(harness.query_by_label("Unsaved changes").is_none());

    type_into(&mut harness, "Rate", "8");
    click(&mut harness, "New plan");
    click(&mut harness, "Save them first");
    let commands = taken(&mut harness);
    let [Command::SavePlan(Some(id), plan)] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!(harness.state().page.draft().rate, "8", "kept until it is safe");
    assert_eq!(*id, plan_id(1));
    harness.state_mut().state.plans[1].plan = (**plan).clone();
    harness.run();
    assert_eq!(harness.state().page.draft().url, "");
}

#[test]
fn a_plan_that_was_run_is_not_asked_about() {
    let mut harness = form(with_plans(&["Cart"]));
    type_into(&mut harness, "URL", "http://localhost/");
    ctrl_enter(&mut harness);
    taken(&mut harness);
    click(&mut harness, "Cart");
    assert_eq!(harness.state().page.draft().name, "Cart");
}

/// Chooses in a list that unfolds.
fn choose<P>(harness: &mut Harness<'_, Stage<P>>, list: &str, option: &str) {
    click(harness, list);
    harness.get_by_role_and_label(Role::Button, option).click();
    harness.run();
}

#[test]
fn a_grpc_call_is_made_in_the_form_and_its_message_is_checked_as_it_is_typed() {
    let mut harness = form(open_state());
    assert!(harness.query_by_role_and_label(Role::TextInput, "Streams").is_none(), "not with HTTP/1.1");
    type_into(&mut harness, "URL", "http://localhost:8079");
    choose(&mut harness, "Protocol", "gRPC");
    assert!(harness.query_by_role_and_label(Role::ComboBox, "Method").is_none(), "a call has no HTTP method");
    type_into(&mut harness, "gRPC method", "shop.Cart/Add");
    type_into(&mut harness, "Streams", "20");
    harness.get_by_label("Message as JSON").focus();
    harness.run();
    harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    harness.get_by_label("Message as JSON").type_text("{\n  \"item\": }");
    harness.run();
    harness.get_by_label("the message is not JSON: expected value at line 2 column 11");
    harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    harness.get_by_label("Message as JSON").type_text("{\"item\": 42}");
    harness.run();
    click(&mut harness, ".proto file");
    type_into(&mut harness, "Proto file", "/api/shop.proto");
    click(&mut harness, "Add folder");
    click(&mut harness, "Choose folder 1 with imports…");
    assert_eq!(taken(&mut harness), [Command::PickFile(Slot::Include(0))]);
    harness.state_mut().state.picked = Some((1, picked(Slot::Include(0), "/lib")));
    harness.run();
    ctrl_enter(&mut harness);
    let mut plan = Plan::for_url("http://localhost:8079");
    let schema = Schema::Proto { file: "/api/shop.proto".into(), include: vec!["/lib".into()] };
    plan.target.protocol = Protocol::Grpc { streams: 20, schema };
    plan.request.grpc =
        Some(Grpc { method: "shop.Cart/Add".to_owned(), message: "{\"item\": 42}".to_owned() });
    assert_eq!(taken(&mut harness), [Command::StartRun(Box::new(plan))]);
}

const SHOP: &str = "syntax = \"proto3\"; package shop.v1;
message Item { string sku = 1; uint32 count = 2; }
message Cart { repeated Item items = 1; }
message Query { string session = 1; }
service Carts {
  rpc Get(Query) returns (Cart);
  rpc Add(Item) returns (Cart);
  rpc Watch(Query) returns (stream Cart);
  rpc Upload(stream Item) returns (Cart);
}
service Stock { rpc Count(Item) returns (Item); rpc Reserve(Item) returns (Item); }
";

/// What a target with the methods of a small shop says of itself.
fn shop() -> Description {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("shop.proto");
    std::fs::write(&file, SHOP).expect("a file");
    let mut target = Plan::for_url("http://127.0.0.1:8079/").target;
    target.protocol = Protocol::Grpc { streams: 1, schema: Schema::Proto { file, include: Vec::new() } };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(meshbench::load::grpc::describe(&target)).expect("a description")
}

/// The target that the form shows was asked, and this is what it said.
fn say(harness: &mut Harness<'_, Stage<LoadPage>>, number: u64, target: &Target, answer: Answer) {
    harness.state_mut().state.listing = Some(Listing { number, target: target.clone(), answer });
    harness.run();
}

fn ask_for_methods(harness: &mut Harness<'_, Stage<LoadPage>>) -> Target {
    type_into(harness, "URL", "http://127.0.0.1:8079");
    choose(harness, "Protocol", "gRPC");
    click(harness, "List methods");
    let commands = taken(harness);
    let [Command::ListMethods(target)] = &commands[..] else { panic!("{commands:?}") };
    (**target).clone()
}

#[test]
fn what_a_target_offers_is_listed_searched_and_chosen() {
    let mut harness = form(open_state());
    let target = ask_for_methods(&mut harness);
    assert_eq!(target.protocol, Protocol::Grpc { streams: 1, schema: Schema::Reflection });
    say(&mut harness, 1, &target, Answer::Awaited);
    click(&mut harness, "Do not wait for the methods");
    assert_eq!(taken(&mut harness), [Command::StopListing]);
    harness.state_mut().state.listing = None;
    click(&mut harness, "List methods");
    say(&mut harness, 2, &target, Answer::Failed("Connection refused".to_owned()));
    harness.get_by_label("The methods could not be listed. Connection refused");
    taken(&mut harness);
    click(&mut harness, "List methods");
    assert_eq!(taken(&mut harness), [Command::ListMethods(Box::new(target.clone()))], "asked again");
    say(&mut harness, 3, &target, Answer::Told(Arc::new(shop())));
    harness.get_by_label("6 methods of 2 services");
    assert!(harness.get_by_label("shop.v1.Carts/Upload").accesskit_node().is_disabled());
    type_into(&mut harness, "Search methods", "add");
    assert!(harness.query_by_label("shop.v1.Carts/Get").is_none(), "it was searched for another");
    click(&mut harness, "shop.v1.Carts/Add");
    assert!(harness.query_by_label("Search methods").is_none(), "the list is closed");
    ctrl_enter(&mut harness);
    let commands = taken(&mut harness);
    let [Command::StartRun(plan)] = &commands[..] else { panic!("{commands:?}") };
    let call = plan.request.grpc.as_ref().expect("a call");
    assert_eq!(call.method, "shop.v1.Carts/Add");
    assert!(call.message.contains("\"sku\"") && call.message.contains("\"count\""), "{}", call.message);
}

#[test]
fn a_message_is_held_against_its_method_as_it_is_typed() {
    let mut harness = form(open_state());
    let target = ask_for_methods(&mut harness);
    say(&mut harness, 1, &target, Answer::Told(Arc::new(shop())));
    click(&mut harness, "shop.v1.Carts/Add");
    let write = |harness: &mut Harness<'_, Stage<LoadPage>>, text: &str| {
        harness.get_by_label("Message as JSON").focus();
        harness.run();
        harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
        harness.get_by_label("Message as JSON").type_text(text);
        harness.run();
    };
    write(&mut harness, "{\"sku\": \"a\", \"count\": \"many\"}");
    let is_told = |harness: &Harness<'_, Stage<LoadPage>>| {
        harness.query_by_label_contains("in the message, count: ").is_some()
    };
    assert!(is_told(&harness), "the field and the line are named");
    write(&mut harness, "{\"sku\": \"a\", \"count\": 3}");
    assert!(!is_told(&harness));
    // Another target may take other messages: nothing is known of it.
    write(&mut harness, "{\"amount\": 3}");
    ctrl_enter(&mut harness);
    assert_eq!(taken(&mut harness), [], "no such field");
    type_into(&mut harness, "URL", "http://127.0.0.1:8080");
    ctrl_enter(&mut harness);
    assert!(matches!(&taken(&mut harness)[..], [Command::StartRun(_)]));
}

#[test]
fn a_recording_is_chosen_by_its_file() {
    let mut harness = form(open_state());
    type_into(&mut harness, "URL", "http://localhost/");
    click(&mut harness, "Recording");
    ctrl_enter(&mut harness);
    assert_eq!(taken(&mut harness), []);
    harness.get_by_label("choose the file with the recorded moments");
    click(&mut harness, "Choose Recording…");
    assert_eq!(taken(&mut harness), [Command::PickFile(Slot::Replay)]);
    harness.state_mut().state.picked = Some((1, picked(Slot::Replay, "/data/moments.csv")));
    harness.run();
    ctrl_enter(&mut harness);
    let pacing = Pacing::Replay { file: "/data/moments.csv".into() };
    let plan = Plan { pacing, ..Plan::for_url("http://localhost/") };
    assert_eq!(taken(&mut harness), [Command::StartRun(Box::new(plan))]);
}

#[test]
fn an_echo_is_told_by_its_url_and_has_neither_method_nor_headers() {
    let mut harness = form(open_state());
    type_into(&mut harness, "URL", "udp://localhost:7");
    let protocol = harness.get_by_role_and_label(Role::ComboBox, "Protocol");
    assert_eq!(protocol.value().as_deref(), Some("UDP echo"));
    assert!(protocol.accesskit_node().is_disabled());
    assert!(harness.query_by_role_and_label(Role::ComboBox, "Method").is_none());
    open_section(&mut harness, "Payload");
    assert!(harness.query_by_label("Add header").is_none());
    harness.get_by_role_and_label(Role::RadioGroup, "Body");
}

#[test]
fn the_highest_rate_is_looked_for_once_a_goal_is_set() {
    let mut harness = form(open_state());
    type_into(&mut harness, "URL", "http://localhost/");
    harness.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::Enter);
    harness.run();
    assert_eq!(taken(&mut harness), [], "it is asked first");
    harness.get_by_label("A search needs a goal, for example p99<20ms");
    assert!(harness.get_by_label("Start search").accesskit_node().is_disabled());
    click(&mut harness, "Set a goal");
    harness.run();
    harness.event(Event::Text("p99<20ms".to_owned()));
    harness.run();
    type_into(&mut harness, "Up to", "5 000");
    type_into(&mut harness, "Exact to", "200");
    harness.get_by_label("A search can be exact to 1 % up to 100 %");
    type_into(&mut harness, "Exact to", "10");
    harness.get_by_label(
        "Trials of 30 s each, from 100/s on, until the highest rate that meets p99<20ms is known to 10 %",
    );
    click(&mut harness, "Start search");
    let mut plan = Plan::for_url("http://localhost/");
    plan.goals.push("p99<20ms".parse().expect("a goal"));
    let search = Search { highest: 5000.0, resolution: 0.1, repeats: 3 };
    assert_eq!(taken(&mut harness), [Command::FindMax(Box::new(plan), search)]);
    assert!(harness.query_by_label("Start search").is_none());

    click(&mut harness, "Find highest rate…");
    press(&mut harness, Key::Escape);
    assert!(harness.query_by_label("Start search").is_none());
}

#[test]
fn the_first_of_several_requests_is_the_one_that_was_there() {
    let mut harness = form(open_state());
    harness.set_size(egui::vec2(SIZE[0], 1800.0));
    type_into(&mut harness, "URL", "http://localhost/");
    open_section(&mut harness, "Headers and body");
    click(&mut harness, "Add header");
    type_into(&mut harness, "Header 1 name", "X-Trace");
    open_section(&mut harness, "Headers and body");
    open_section(&mut harness, "Several requests");
    click(&mut harness, "Add request");
    type_into(&mut harness, "Name of request 1", "browse");
    type_into(&mut harness, "Name of request 2", "buy");
    type_into(&mut harness, "Weight of request 1", "lots");
    assert!(harness.query_all_by_label("write a weight, for example 1 or 2.5").count() >= 1);
    type_into(&mut harness, "Weight of request 1", "3");
    type_into(&mut harness, "URL of request 2", "/cart");
    choose(&mut harness, "Method of request 2", "POST");
    click(&mut harness, "Details of request 2");
    harness.run();
    click(&mut harness, "Add header");
    type_into(&mut harness, "Header 1 name of request 2", "X-Buy");
    ctrl_enter(&mut harness);
    let commands = taken(&mut harness);
    let [Command::StartRun(plan)] = &commands[..] else { panic!("{commands:?}") };
    let shown: Vec<_> = plan.variants.iter().map(|v| (v.name.as_str(), v.weight, v.url.as_deref())).collect();
    assert_eq!(shown, [("browse", 3.0, None), ("buy", 1.0, Some("/cart"))]);
    assert_eq!(plan.variants[0].request.headers, plan.request.headers);
    assert_eq!(plan.variants[1].request.method, "POST");
    assert_eq!(plan.variants[1].request.headers[0].name, "X-Buy");
}

#[test]
fn every_way_to_the_target_is_set_in_the_form_and_told_while_folded() {
    let mut harness = form(open_state());
    harness.set_size(egui::vec2(SIZE[0], 1800.0));
    type_into(&mut harness, "URL", "https://shop.example/");
    open_section(&mut harness, "TLS");
    click(&mut harness, "PKCS#12 file");
    type_into(&mut harness, "PKCS#12 file", "/me.p12");
    harness.get_by_role_and_label(Role::PasswordInput, "File password").focus();
    harness.run();
    harness.get_by_role_and_label(Role::PasswordInput, "File password").type_text("pw");
    harness.run();
    type_into(&mut harness, "Server name", "other.example");
    open_section(&mut harness, "TLS: client certificate, another server name");
    open_section(&mut harness, "Addresses and connections");
    type_into(&mut harness, "Reconnect after at least", "100");
    click(&mut harness, "IPv4 only");
    click(&mut harness, "Use all addresses of a name in turn");
    click(&mut harness, "Add address");
    type_into(&mut harness, "Name 1 given by hand", "shop.example");
    type_into(&mut harness, "Addresses 1 given by hand", "127.0.0");
    assert!(harness.query_all_by_label("“127.0.0” is not an IP address").count() >= 1);
    type_into(&mut harness, "Addresses 1 given by hand", "127.0.0.1");
    type_into(&mut harness, "Proxy", "http://127.0.0.1:3128");
    open_section(
        &mut harness,
        "Addresses and connections: reconnects, IPv4 only, all addresses, 1 name given by hand, proxy",
    );
    open_section(&mut harness, "Data, cookies and redirects");
    click(&mut harness, "Choose Data file…");
    assert_eq!(taken(&mut harness), [Command::PickFile(Slot::Data)]);
    harness.state_mut().state.picked = Some((1, picked(Slot::Data, "/users.csv")));
    harness.run();
    click(&mut harness, "At random");
    click(&mut harness, "Send the cookies that answers set");
    type_into(&mut harness, "Redirects", "3");
    ctrl_enter(&mut harness);
    let mut plan = Plan::for_url("https://shop.example/");
    plan.target.tls.client =
        Some(ClientCertificate::Pkcs12 { file: "/me.p12".into(), password: "pw".to_owned() });
    plan.target.tls.server_name = Some("other.example".to_owned());
    plan.target.reuse = Some(Reuse { min: 100, max: 100 });
    plan.target.reach.family = Family::V4;
    plan.target.reach.all_addresses = true;
    let addresses = vec!["127.0.0.1".parse().expect("an address")];
    plan.target.reach.resolve = vec![Resolve { host: "shop.example".to_owned(), port: None, addresses }];
    plan.target.reach.proxy = Some("http://127.0.0.1:3128".to_owned());
    plan.data = Some(Data { file: "/users.csv".into(), order: Order::Random });
    plan.session = Session { keep_cookies: true, follow_redirects: 3 };
    assert_eq!(taken(&mut harness), [Command::StartRun(Box::new(plan))]);
}

#[test]
fn a_run_may_end_early_when_a_goal_is_out_of_reach() {
    let mut harness = form(open_state());
    type_into(&mut harness, "URL", "http://localhost/");
    open_section(&mut harness, "Goals");
    click(&mut harness, "Add goal");
    type_into(&mut harness, "Goal 1", "errors<1%");
    click(&mut harness, "End early when a goal is out of reach");
    ctrl_enter(&mut harness);
    let commands = taken(&mut harness);
    let [Command::StartRun(plan)] = &commands[..] else { panic!("{commands:?}") };
    assert!(plan.give_up);
    harness.get_by(|node| node.label().is_some_and(|label| label == "Goals: 1 goal, ends early"));
}

fn picked(slot: Slot, path: &str) -> Picked {
    Picked { slot, path: path.into() }
}

#[test]
fn picked_files_reach_the_form_once() {
    let mut harness = form(open_state());
    type_into(&mut harness, "URL", "http://localhost/");
    open_section(&mut harness, "Headers and body");
    harness.get_by_role_and_label(Role::RadioButton, "File").click();
    harness.run();
    click(&mut harness, "Choose a file for the body…");
    assert_eq!(taken(&mut harness), [Command::PickFile(Slot::Body(None))]);
    harness.state_mut().state.picked = Some((1, picked(Slot::Body(None), "/tmp/body.json")));
    harness.run();
    harness.get_by_role_and_label(Role::RadioButton, "None").click();
    harness.run();
    assert_eq!(harness.state().page.draft().request.body, meshbench::ui::form::BodyKind::Empty, "taken once");
    harness.state_mut().state.picked = Some((2, picked(Slot::Ca, "/tmp/ca.pem")));
    harness.run();
    harness.get_by_role_and_label(Role::RadioButton, "File").click();
    harness.run();
    ctrl_enter(&mut harness);
    let commands = taken(&mut harness);
    let [Command::StartRun(plan)] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!(plan.request.body, Body::File("/tmp/body.json".into()));
    assert_eq!(plan.target.ca_file, Some("/tmp/ca.pem".into()));
}

#[test]
fn unchecked_certificates_are_said_loudly() {
    let mut harness = form(open_state());
    open_section(&mut harness, "TLS");
    harness.get_by_label("Accept any certificate (insecure)").scroll_to_me();
    harness.run();
    click(&mut harness, "Accept any certificate (insecure)");
    assert!(harness.query_all_by_label_contains("Certificates are not checked").count() >= 1);
    harness.get_by(|node| node.label().is_some_and(|label| label == "TLS: certificates are not checked"));
}

#[test]
fn a_run_is_made_with_the_keyboard_alone() {
    let mut harness = form(open_state());
    // Once round with Tab: every control of the form takes the focus, in the order of the page.
    let mut seen = Vec::new();
    for _ in 0..40 {
        press(&mut harness, Key::Tab);
        let focused = harness.get_by(|node| node.is_focused());
        let label = focused.accesskit_node().label().unwrap_or_default();
        if label == "URL" && !seen.contains(&label) {
            harness.event(Event::Text("http://localhost/".to_owned()));
            harness.run();
        }
        seen.push(label);
    }
    let place = |label: &str| {
        let place = seen.iter().position(|seen| seen == label);
        place.unwrap_or_else(|| panic!("{label} is not reached: {seen:?}"))
    };
    let order = ["URL", "Constant rate", "Rate", "Connections", "Duration", "Warm-up", "Timeout"];
    assert!(order.windows(2).all(|pair| place(pair[0]) < place(pair[1])), "{seen:?}");
    ctrl_enter(&mut harness);
    assert_eq!(taken(&mut harness), [Command::StartRun(Box::new(Plan::for_url("http://localhost/")))]);
}

/// Compares the page, made ready by `prepare`, with its kept pictures in both themes.
fn pictured<P: Shown + 'static>(
    name: &str,
    page: fn() -> P,
    state: &State,
    prepare: fn(&mut Harness<'_, Stage<P>>),
) {
    let mut results = SnapshotResults::new();
    for (theme, word) in [(egui::Theme::Light, "light"), (egui::Theme::Dark, "dark")] {
        let mut harness = stage(page(), state.clone(), theme);
        prepare(&mut harness);
        harness.remove_cursor();
        harness.run();
        results.add(harness.try_snapshot(format!("{name}_{word}")));
    }
}

#[test]
fn the_fresh_form_looks_as_kept() {
    pictured("form_fresh", LoadPage::new, &open_state(), |_| {});
}

#[test]
fn the_form_with_a_mistake_looks_as_kept() {
    let mut state =
        with_plans(&["Cart, istio 1.27", "Checkout with a name that is longer than its place", "Search"]);
    state.form = Some((1, Box::new(sample::plan())));
    pictured("form_mistake", LoadPage::new, &state, |harness| {
        type_into(harness, "URL", "checkout.shop.example:8080/api/cart");
        type_into(harness, "Rate", "fast");
        type_into(harness, "Duration", "30");
    });
}

/// A plan that says as much as one can.
fn full_plan() -> Plan {
    let mut plan = Plan::for_url("https://checkout.shop.example:8443");
    plan.name = "Cart over gRPC".to_owned();
    let schema = Schema::Proto { file: "/api/shop/cart.proto".into(), include: vec!["/api".into()] };
    plan.target.protocol = Protocol::Grpc { streams: 20, schema };
    plan.target.tls.client =
        Some(ClientCertificate::Pkcs12 { file: "/etc/mesh/client.p12".into(), password: "pw".to_owned() });
    plan.target.tls.server_name = Some("checkout.internal".to_owned());
    plan.target.reuse = Some(Reuse { min: 100, max: 200 });
    plan.target.reach.all_addresses = true;
    let addresses = vec!["10.0.0.1".parse().expect("one"), "10.0.0.2".parse().expect("another")];
    let host = "checkout.shop.example".to_owned();
    plan.target.reach.resolve = vec![Resolve { host, port: Some(8443), addresses }];
    let grpc = |method: &str| Grpc {
        method: format!("shop.v1.Cart/{method}"),
        message: "{\"item\": \"{{item}}\"}".to_owned(),
    };
    plan.request.grpc = Some(grpc("Get"));
    plan.data = Some(Data { file: "/data/items.csv".into(), order: Order::InTurn });
    plan.goals = vec!["p99<20ms".parse().expect("a goal")];
    plan.give_up = true;
    plan
}

#[test]
fn the_form_of_a_grpc_call_looks_as_kept() {
    let mut state = with_plans(&["Cart", "Checkout"]);
    state.form = Some((1, Box::new(full_plan())));
    pictured("form_grpc", LoadPage::new, &state, |_| {});
}

#[test]
fn the_list_of_methods_looks_as_kept() {
    let mut state = open_state();
    let mut plan = Plan::for_url("http://127.0.0.1:8079");
    plan.target.protocol = Protocol::Grpc { streams: 1, schema: Schema::Reflection };
    plan.request.grpc =
        Some(Grpc { method: "shop.v1.Carts/Add".to_owned(), message: "{\"sku\": 3}".to_owned() });
    let target = plan.target.clone();
    state.listing = Some(Listing { number: 1, target, answer: Answer::Told(Arc::new(shop())) });
    state.form = Some((1, Box::new(plan)));
    pictured("form_methods", LoadPage::new, &state, |harness| click(harness, "List methods"));
}

#[test]
fn stages_are_drawn_while_they_can_be_read() {
    let mut harness = form(open_state());
    type_into(&mut harness, "URL", "http://localhost/");
    click(&mut harness, "Stages");
    let write_stages = |harness: &mut Harness<'_, Stage<LoadPage>>, text: &str| {
        harness.get_by_role_and_label(Role::MultilineTextInput, "Stages").focus();
        harness.run();
        harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
        harness.get_by_role_and_label(Role::MultilineTextInput, "Stages").type_text(text);
        harness.run();
    };
    harness.get_by_label("Rate over time. At most 1\u{2009}000/s, 93\u{2009}000 requests in 2 min");
    write_stages(&mut harness, "ramp 100..");
    assert!(harness.query_by_label_contains("Rate over time").is_none(), "nothing to draw");
    write_stages(&mut harness, "hold 50 10s; hold 0 10s");
    harness.get_by_label("Rate over time. At most 50/s, 500 requests in 20 s");
}

#[test]
fn the_form_of_stages_looks_as_kept() {
    let mut state = open_state();
    let mut plan = Plan::for_url("http://localhost:8080/cart");
    let stages = "ramp 100..1000 1m; hold 1000 30s; spike 200..2000@20s+5s 1m; sine 500+-200/30s 2m";
    let stages = stages.split("; ").map(|stage| stage.parse().expect("a stage")).collect();
    plan.pacing = Pacing::Profile(Profile { arrivals: Arrivals::Even, stages });
    plan.stop = Stop::Never;
    state.form = Some((1, Box::new(plan)));
    pictured("form_stages", LoadPage::new, &state, |_| {});
}

#[test]
fn the_question_about_the_highest_rate_looks_as_kept() {
    let mut state = open_state();
    let mut plan = Plan::for_url("http://localhost:8080/cart");
    plan.goals = vec!["p99<20ms".parse().expect("a goal"), "errors<0.1%".parse().expect("a goal")];
    state.form = Some((1, Box::new(plan)));
    pictured("form_find", LoadPage::new, &state, |harness| click(harness, "Find highest rate…"));
}

#[test]
fn the_form_of_several_requests_looks_as_kept() {
    let mut state = open_state();
    let mut plan = full_plan();
    plan.target.protocol = Protocol::Http2 { streams: 10 };
    let variant = |name: &str, method: &str, weight, url: &str| Variant {
        name: name.to_owned(),
        weight,
        url: Some(url.to_owned()),
        request: Request { method: method.to_owned(), ..Request::default() },
    };
    plan.request.grpc = None;
    plan.variants = vec![
        variant("browse", "GET", 9.0, "/items?page={{page}}"),
        variant("buy", "POST", 1.0, "/cart/{{item}}"),
    ];
    plan.variants[1].request.body = Body::Text("{\"item\": \"{{item}}\"}".to_owned());
    state.form = Some((1, Box::new(plan)));
    pictured("form_several", LoadPage::new, &state, |harness| {
        harness.set_size(egui::vec2(SIZE[0], 2100.0));
        for section in ["Several requests", "Data, cookies", "TLS", "Addresses and"] {
            open_section(harness, section);
        }
        click(harness, "Details of request 2");
        harness.run();
    });
}

#[test]
fn the_unfolded_form_looks_as_kept() {
    let mut state = with_plans(&["Cart", "Checkout"]);
    let mut plan = sample::plan();
    let header =
        |name: &str, value: &str| Header { name: name.to_owned(), value: value.to_owned(), secret: false };
    plan.request.headers = vec![header("Accept", "application/json"), header("Authorization", "Bearer abc")];
    plan.request.cookies = vec![Cookie { name: "session".to_owned(), value: "abc".to_owned() }];
    plan.request.basic_auth = Some(BasicAuth { user: "ada".to_owned(), password: "pw".to_owned() });
    plan.request.method = "POST".to_owned();
    plan.request.body = Body::Text("{\n  \"item\": 42\n}".to_owned());
    plan.labels.insert("region".to_owned(), "eu-central".to_owned());
    plan.target.insecure = true;
    state.form = Some((1, Box::new(plan)));
    pictured("form_unfolded", LoadPage::new, &state, |harness| {
        harness.set_size(egui::vec2(SIZE[0], 1900.0));
        for section in ["Headers and body", "Labels", "Goals", "TLS"] {
            open_section(harness, section);
        }
    });
}

fn utc_history() -> HistoryPage {
    HistoryPage::in_zone(TimeZone::UTC)
}

#[test]
fn the_empty_history_looks_as_kept() {
    pictured("history_empty", utc_history, &open_state(), |_| {});
}

#[test]
fn thirty_runs_look_as_kept() {
    let mut state = with_runs(30);
    state.history[1].rate.asked = None;
    state.history[2].goals = 3;
    state.history[2].goals_missed = 2;
    state.history[4].response_ms = Default::default();
    state.history[4].requests = Default::default();
    state.history[6].requests.failed = 31_234;
    pictured("history_runs", utc_history, &state, |_| {});
}

#[test]
fn chosen_runs_look_as_kept() {
    let mut state = with_runs(30);
    state.deleted = Some(sample::history(2));
    pictured("history_chosen", utc_history, &state, |harness| {
        for key in [
            Key::ArrowDown,
            Key::ArrowDown,
            Key::Space,
            Key::ArrowDown,
            Key::ArrowDown,
            Key::Space,
            Key::ArrowUp,
        ] {
            press(harness, key);
        }
    });
}

#[test]
fn an_edited_run_looks_as_kept() {
    pictured("history_edit", utc_history, &with_runs(30), |harness| {
        press(harness, Key::ArrowDown);
        press(harness, Key::F2);
    });
}

// History

fn ids(state: &State, places: &[usize]) -> Vec<RunId> {
    places.iter().map(|at| state.history[*at].id).collect()
}

/// The labels of the rows on screen, from above.
fn rows(harness: &Harness<'_, Stage<HistoryPage>>) -> Vec<String> {
    let mut rows: Vec<(f32, String)> = harness
        .query_all_by_role(Role::Row)
        .map(|row| (row.rect().top(), row.accesskit_node().label().unwrap_or_default()))
        .collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    rows.into_iter().map(|(_, label)| label).collect()
}

#[test]
fn runs_are_searched_by_label_name_and_state() {
    let mut harness = history(with_runs(30));
    harness.get_by_label("30 runs");
    type_into(&mut harness, "Search runs", "mesh=istio");
    let found = harness.state().state.history.iter().filter(|run| run.labels["mesh"] == "istio").count();
    harness.get_by_label(&format!("{found} of 30 runs"));
    assert!(found > 0 && rows(&harness).iter().all(|row| row.contains("istio")));
    type_into(&mut harness, "Search runs", "no such run");
    harness.get_by_label("No run matches the search");
    click(&mut harness, "Clear search");
    harness.get_by_label("30 runs");
}

#[test]
fn headings_sort_and_turn() {
    let mut harness = history(with_runs(20));
    let newest = rows(&harness);
    click(&mut harness, "Sort by When, descending now");
    let oldest = rows(&harness);
    assert_eq!(oldest, newest.iter().rev().cloned().collect::<Vec<_>>());
    click(&mut harness, "Sort by Name");
    let by_name = rows(&harness);
    assert!(by_name.is_sorted_by_key(|row| row.split(", 2026").next().unwrap_or_default().to_lowercase()));
    harness.get_by_label("Sort by Name, ascending now");
}

#[test]
fn runs_are_chosen_compared_exported_and_deleted_with_the_keyboard() {
    let mut harness = history(with_runs(30));
    press(&mut harness, Key::ArrowDown);
    press(&mut harness, Key::ArrowDown);
    press(&mut harness, Key::Space);
    press(&mut harness, Key::ArrowUp);
    press(&mut harness, Key::Space);
    harness.get_by_label("2 chosen");
    let chosen = ids(&harness.state().state, &[1, 0]);
    click(&mut harness, "Compare");
    assert_eq!(taken(&mut harness), [Command::Compare(chosen.clone())], "in the order of choosing");
    click(&mut harness, "Export…");
    click(&mut harness, ExportFormat::Html.words());
    assert_eq!(taken(&mut harness), [Command::ExportRuns(chosen.clone(), ExportFormat::Html)]);

    harness.ctx.memory_mut(|memory| memory.stop_text_input());
    press(&mut harness, Key::Enter);
    assert_eq!(taken(&mut harness), [Command::OpenRun(chosen[1])]);
    press(&mut harness, Key::Delete);
    assert_eq!(taken(&mut harness), [Command::DeleteRuns(chosen.clone())]);
    let state = &mut harness.state_mut().state;
    let gone: Vec<_> = state.history.drain(..2).collect();
    state.history_revision += 1;
    state.deleted = Some(gone);
    harness.run();
    assert!(harness.query_by_label("2 chosen").is_none(), "what is gone is not chosen");
    click(&mut harness, "Undo delete");
    assert_eq!(taken(&mut harness), [Command::UndoDelete]);
}

#[test]
fn what_was_deleted_elsewhere_is_brought_back() {
    let mut harness = history(with_runs(30));
    let state = &mut harness.state_mut().state;
    let gone: Vec<_> = state.history.drain(..3).collect();
    let last = gone[0].clone();
    let [first, second] = [1, 2].map(|at: usize| gone[at].clone());
    state.history_revision += 1;
    (state.trash, state.deleted) = (gone, Some(vec![last.clone()]));
    harness.run();
    click(&mut harness, "Deleted runs (2)…");
    let of = |run: &RunSummary| format!("Bring back “{}”", run.name);
    assert!(harness.query_by_label(&of(&last)).is_none(), "it has its button already");
    click(&mut harness, &of(&second));
    assert_eq!(taken(&mut harness), [Command::RestoreRuns(vec![second.id])]);
    click(&mut harness, "Deleted runs (2)…");
    click(&mut harness, "Bring all back");
    assert_eq!(taken(&mut harness), [Command::RestoreRuns(vec![first.id, second.id])]);
    harness.state_mut().state.history.clear();
    harness.state_mut().state.history_revision += 1;
    harness.run();
    harness.get_by_label("Deleted runs (2)…");
}

#[test]
fn all_found_runs_are_chosen_at_once() {
    let mut harness = history(with_runs(30));
    type_into(&mut harness, "Search runs", "mesh=linkerd");
    press(&mut harness, Key::Enter);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    harness.run();
    let found: Vec<RunId> = {
        let found = harness.state().state.history.iter().filter(|run| run.labels["mesh"] == "linkerd");
        found.map(|run| run.id).collect()
    };
    harness.get_by_label(&format!("{} chosen", found.len()));
    press(&mut harness, Key::Delete);
    assert_eq!(taken(&mut harness), [Command::DeleteRuns(found)]);
    press(&mut harness, Key::Escape);
    assert!(harness.query_by_label("Choose none").is_none());
}

#[test]
fn slash_goes_to_the_search_and_is_not_typed() {
    let mut harness = history(with_runs(5));
    harness.event(Event::Text("/".to_owned()));
    harness.run();
    let search = harness.get_by_role_and_label(Role::TextInput, "Search runs");
    assert!(search.is_focused());
    assert_eq!(search.value().unwrap_or_default(), "");
}

#[test]
fn a_row_is_pointed_at_chosen_and_opened_with_the_mouse() {
    let stage = Stage { page: utc_history(), state: with_runs(10), commands: Vec::new() };
    // Two clicks within a moment are a double click.
    let builder = picture::builder(egui::Theme::Dark, SIZE).with_step_dt(0.02);
    let mut harness = builder.build_ui_state(|ui, stage: &mut Stage<HistoryPage>| stage.draw(ui), stage);
    harness.run();
    let row = rows(&harness)[3].clone();
    let id = harness.state().state.history[3].id;
    let chosen = |harness: &Harness<'_, Stage<HistoryPage>>| harness.query_by_label("1 chosen").is_some();
    harness.get_by_label(&row).click();
    harness.run();
    assert!(chosen(&harness), "the box chooses");
    // Long enough that the click before does not count.
    harness.run_steps(50);
    let at = harness.get_by_label(&row).rect().right_center() + egui::vec2(60.0, 0.0);
    for _ in 0..2 {
        for pressed in [true, false] {
            let button = egui::PointerButton::Primary;
            harness.event(Event::PointerMoved(at));
            harness.event(Event::PointerButton { pos: at, button, pressed, modifiers: Modifiers::NONE });
        }
    }
    harness.run();
    assert_eq!(taken(&mut harness), [Command::OpenRun(id)]);
}

#[test]
fn a_run_is_named_labelled_and_noted() {
    let mut harness = history(with_runs(5));
    let id = harness.state().state.history[0].id;
    press(&mut harness, Key::ArrowDown);
    press(&mut harness, Key::F2);
    assert!(harness.get_by_label("Save changes").accesskit_node().is_disabled(), "nothing was changed");
    type_into(&mut harness, "Name", "");
    press(&mut harness, Key::Backspace);
    harness.get_by_label("a run needs a name");
    type_into(&mut harness, "Name", "Before the upgrade");
    type_into(&mut harness, "Mesh version", "1.31");
    harness.get_by_label("Note").focus();
    harness.run();
    harness.get_by_label("Note").type_text("Quiet night");
    harness.run();
    click(&mut harness, "Save changes");
    let mut labels = harness.state().state.history[0].labels.clone();
    labels.insert("mesh_version".to_owned(), "1.31".to_owned());
    assert_eq!(
        taken(&mut harness),
        [
            Command::EditRun(id, RunEdit::Name("Before the upgrade".to_owned())),
            Command::EditRun(id, RunEdit::Labels(labels)),
            Command::EditRun(id, RunEdit::Note("Quiet night".to_owned())),
        ]
    );
    assert!(harness.query_by_label("Save changes").is_none());
}

#[test]
fn an_empty_history_says_what_it_is_and_offers_a_first_run() {
    let mut harness = history(open_state());
    harness.get_by_label("No runs yet");
    click(&mut harness, "Try it");
    assert_eq!(taken(&mut harness), [Command::TryIt]);
    click(&mut harness, "Test a URL");
    assert_eq!(taken(&mut harness), [Command::Go(Page::Load)]);
}

#[test]
fn a_history_that_cannot_be_read_says_why_and_can_be_tried_again() {
    let reason = "The disk is full; free some space";
    let mut harness = history(in_store(StoreState::Failed { reason: reason.to_owned() }));
    harness.get_by_label_contains(reason);
    harness.get_by_label("Copy details");
    click(&mut harness, "Retry");
    assert_eq!(taken(&mut harness), [Command::ReloadHistory]);
}

#[test]
fn reading_is_said_only_after_a_moment() {
    let stage =
        Stage { page: HistoryPage::in_zone(TimeZone::UTC), state: State::default(), commands: Vec::new() };
    let mut harness = picture::builder(egui::Theme::Dark, SIZE)
        .with_step_dt(0.01)
        .build_ui_state(|ui, stage: &mut Stage<HistoryPage>| stage.draw(ui), stage);
    assert!(harness.query_by_label("Reading history…").is_none());
    harness.run_steps(40);
    harness.get_by_label("Reading history…");
}

#[test]
fn ten_thousand_runs_are_sorted_once_and_only_rows_in_sight_are_drawn() {
    let mut harness = history(with_runs(10_000));
    assert_eq!(harness.state().page.computed(), 1);
    let rows_before = rows(&harness).len();
    assert!((10..60).contains(&rows_before), "{rows_before}");
    let start = Instant::now();
    const FRAMES: u32 = 20;
    harness.run_steps(FRAMES as usize);
    println!(
        "10 000 runs: {:.2} ms a frame, drawn without a picture",
        start.elapsed().as_secs_f64() * 1e3 / f64::from(FRAMES)
    );
    assert_eq!(harness.state().page.computed(), 1, "frames cost no sorting");
    press(&mut harness, Key::End);
    assert!(
        rows(&harness).last().is_some_and(|row| row.contains("2026-10-01 09:30")),
        "{:?}",
        rows(&harness).last()
    );
    assert_eq!(harness.state().page.computed(), 1);
}
