//! Publishing of a run to Meshery, from its result page.

use std::path::PathBuf;
use std::sync::Arc;

use eframe::egui::accesskit::Role;
use egui_kittest::kittest::Queryable as _;
use egui_kittest::{Harness, SnapshotResults};
use meshbench::app::publish::{PublishCommand, PublishOrder, Sending};
use meshbench::app::publishing::{PublishedRun, VoidRuns};
use meshbench::app::state::Open;
use meshbench::app::{Command, Page, State};
use meshbench::model::Run;

use crate::sample;
use crate::window_shell::{self, Faceless, opened, window};

const WORDS: &str = "Publish to Meshery (experimental)…";

fn with(run: Run) -> State {
    let mut state = opened(Page::History);
    state.open = Open::Result(Arc::new(run));
    state
}

fn unfold(window: &mut Harness<'_, Faceless>) {
    window.get_by_label("Export").click();
    window.run_steps(4);
    window.get_by_label(WORDS).click();
    window.run_steps(4);
}

fn write(window: &mut Harness<'_, Faceless>, field: &str, text: &str) {
    window.get_by_role_and_label(Role::TextInput, field).focus();
    window.run_steps(2);
    window.get_by_role_and_label(Role::TextInput, field).type_text(text);
    window.run_steps(2);
}

fn click(window: &mut Harness<'_, Faceless>, words: &str) -> Vec<Command> {
    window.get_by_label(words).click();
    window.run_steps(4);
    std::mem::take(&mut window.state_mut().asked)
}

fn light(state: State) -> Harness<'static, Faceless> {
    let mut window = window(eframe::egui::Theme::Light, state);
    window.run_steps(4);
    unfold(&mut window);
    window
}

#[test]
fn a_run_is_published_where_a_person_says() {
    let run = sample::run();
    let id = run.id;
    let mut window = light(with(run));
    assert!(click(&mut window, "Publish").is_empty(), "it is not said where");
    assert_eq!(click(&mut window, "Token file…"), [Command::Publish(PublishCommand::PickTokenFile)]);
    write(&mut window, "Remote provider", " https://meshery.test");
    write(&mut window, "Profile", "Nightly");
    let order = PublishOrder {
        run: id,
        address: "https://meshery.test".to_owned(),
        profile: Some("Nightly".to_owned()),
        void: VoidRuns::Refused,
    };
    assert_eq!(click(&mut window, "Publish"), [Command::Publish(PublishCommand::Send(order))]);
    window.state_mut().state.publish.going = Some(Sending { number: 1, run: id });
    window.run_steps(4);
    assert_eq!(click(&mut window, "Cancel"), [Command::Publish(PublishCommand::Cancel)]);
}

#[test]
fn a_void_run_is_published_only_with_its_mark() {
    let mut window = light(with(sample::void_run()));
    write(&mut window, "Remote provider", "https://meshery.test");
    assert!(click(&mut window, "Publish").is_empty());
    click(&mut window, "Publish it though it is void, with a mark in its name");
    let asked = click(&mut window, "Publish");
    let [Command::Publish(PublishCommand::Send(order))] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!((order.void, order.profile.as_ref()), (VoidRuns::Marked, None));
}

#[test]
fn publishing_looks_as_kept() {
    let run = sample::run();
    let mut state = with(run.clone());
    let address = "https://meshery.example.org".to_owned();
    state.publish.address.clone_from(&address);
    state.publish.token_file = Some(PathBuf::from("/home/ada/.meshery/auth.json"));
    let result = Some("7e1a4f6e-7d1c-4f0a-9a55-1f3f1a0c9d10".to_owned());
    let published = PublishedRun {
        name: run.name.clone(),
        address,
        result,
        profile: "Meshbench".to_owned(),
        remarks: Vec::new(),
    };
    state.publish.done = Some((run.id, published));
    state.publish.trouble = Some("The provider answered 503; try again later".to_owned());
    window_shell::pictures(&mut SnapshotResults::new(), "result_publish", &state, unfold);
}
