//! The account page and what history shows of sharing, in the window's frame, without a core.

use std::sync::Arc;

use eframe::egui::accesskit::Role;
use eframe::egui::{self, Key};
use egui_kittest::kittest::Queryable as _;
use egui_kittest::{Harness, SnapshotResults};
use jiff::{SignedDuration, Timestamp};
use meshbench::app::accounts::{
    AccountCommand, Deletion, How, Kept, Lasts, Login, LoginStanding, LoginStep, Place,
};
use meshbench::app::mirroring::{MirrorCommand, Mirroring};
use meshbench::app::sharing::{Going, Kept as KeptShare, SharingCommand, Standing};
use meshbench::app::state::{Question, StoreState};
use meshbench::app::{Command, Page, State};
use meshbench::model::account::{Account, Provider, ProviderKind};
use meshbench::model::digest::Digest;
use meshbench::model::settings::KeptFolder;
use meshbench::model::sync::{Author, Choice, Refusal, SyncTarget};
use uuid::Uuid;

use crate::sample;
use crate::window_shell::{self, Faceless, nothing, opened, window};

const SERVER: &str = "https://bench.example.org";

fn pictures(name: &str, state: &State, act: fn(&mut Harness<'_, Faceless>)) {
    window_shell::pictures(&mut SnapshotResults::new(), name, state, act);
}

/// Movement would never come to rest.
fn still(page: Page) -> State {
    let mut state = opened(page);
    state.settings.reduced_motion = true;
    state
}

fn dark(state: State) -> Harness<'static, Faceless> {
    let mut window = window(egui::Theme::Dark, state);
    window.run();
    window
}

fn moment() -> Timestamp {
    Timestamp::from_second(1_790_847_000).unwrap()
}

fn logged_in(page: Page) -> State {
    let mut state = still(page);
    let (provider, account) = (Uuid::from_u128(1 << 100), Uuid::from_u128(2 << 100));
    let kind = ProviderKind::OpenId {
        issuer: "https://id.example.org/realms/perf".to_owned(),
        client_id: "meshbench".to_owned(),
        client_secret: None,
        audience: Some("https://bench.example.org".to_owned()),
        scopes: Vec::new(),
        callback: Some("/callback".to_owned()),
    };
    let book = &mut state.accounts.book;
    let server = Some(SERVER.to_owned());
    book.providers.push(Provider { id: provider, name: "bench.example.org".to_owned(), kind, server });
    book.accounts.push(Account {
        id: account,
        provider,
        subject: "248289761001".to_owned(),
        name: "Ada Lovelace".to_owned(),
        email: Some("ada@example.org".to_owned()),
        since: moment(),
    });
    book.active = Some(account);
    let lasts = Lasts::Renewed(Some(moment() + SignedDuration::from_mins(10)));
    state.accounts.standing.insert(account, LoginStanding { kept: Kept::Keyring, lasts });
    state
}

fn shared(page: Page) -> State {
    let mut state = logged_in(page);
    state.history = sample::history(12);
    state.history_revision = 1;
    let target = |number: u128, space: &str| SyncTarget {
        id: Uuid::from_u128(number << 100),
        server: SERVER.to_owned(),
        account: Uuid::from_u128(2 << 100),
        space: space.to_owned(),
        choice: Choice::Everything,
        is_on: true,
    };
    let labelled = Choice::Labelled([("mesh".to_owned(), "istio".to_owned())].into());
    state.sharing.book.targets = vec![target(5, "me"), SyncTarget { choice: labelled, ..target(6, "shop") }];
    let ids = |range: std::ops::Range<usize>| state.history[range].iter().map(|run| run.id).collect();
    let refusal = Refusal {
        reason: "it has 18123456 bytes, and the server takes at most 16777216 of a record; ask who runs it to allow more"
            .to_owned(),
        at: moment(),
        is_up: true,
        subject: Some(state.history[9].id.0),
    };
    let own = KeptShare {
        reached: Some(moment()),
        waiting: 3,
        refused: vec![(Digest::of(b"one"), refusal)],
        newer: 0,
        shared: Arc::new(ids(0..7)),
    };
    let going = Some(Going::Sending(4, 7));
    let first = Standing { going, kept: own, ..Standing::default() };
    let trouble = "The server cannot be reached: connection refused. It is tried again in 16 s".to_owned();
    let second = Standing { trouble: Some(trouble), ..Standing::default() };
    state.sharing.targets = [(Uuid::from_u128(5 << 100), first), (Uuid::from_u128(6 << 100), second)].into();
    let author = |name: &str| Author { subject: format!("sub-{name}"), name: name.to_owned() };
    let authors = [(1, "Grace Hopper"), (4, "Grace Hopper"), (6, "Alan Turing")];
    let authors = authors.map(|(at, name)| (state.history[at].id, author(name)));
    state.sharing.authors = Arc::new(authors.into());
    state.sharing.revision = 1;
    state
}

#[test]
fn without_an_account_it_looks_as_kept() {
    pictures("account_local", &still(Page::Account), nothing);
}

#[test]
fn a_login_by_code_looks_as_kept() {
    let mut state = still(Page::Account);
    let step = LoginStep::Device {
        address: "https://id.example.org/device".to_owned(),
        code: "BDWP-HQPK".to_owned(),
        whole: None,
        until: moment(),
    };
    state.accounts.going =
        Some(Login { number: 1, place: Place::Server(SERVER.to_owned()), step: Some(step) });
    pictures("account_code", &state, |window| window.run_steps(30));
}

#[test]
fn a_provider_that_many_have_is_half_written_already() {
    let mut state = still(Page::Account);
    state.accounts.standing.clear();
    let mut window = dark(state);
    window.get_by_label("OpenID Connect").click();
    window.run();
    choose_provider(&mut window, "Any provider", "Keycloak");
    let issuer = |window: &Harness<'_, Faceless>| {
        window.get_by_role_and_label(Role::TextInput, "Issuer").value().unwrap_or_default()
    };
    assert_eq!(issuer(&window), "https://HOST/realms/REALM");
    window.get_by_label("Log in").click();
    window.run();
    assert!(window.state().asked.is_empty(), "what is in capitals is no address");
    choose_provider(&mut window, "Keycloak", "Google");
    for (field, text) in
        [("Client id of Meshbench there", "bench"), ("Client secret of Meshbench there", "GOCSPX-1")]
    {
        window.get_by_role_and_label(Role::TextInput, field).focus();
        window.run();
        window.get_by_role_and_label(Role::TextInput, field).type_text(text);
        window.run();
    }
    window.get_by_label("Log in").click();
    window.run();
    let asked = std::mem::take(&mut window.state_mut().asked);
    let [Command::Account(AccountCommand::LogIn(Place::Provider(provider), How::Browser))] = asked.as_slice()
    else {
        panic!("{asked:?}")
    };
    assert_eq!((provider.address(), provider.client_id()), ("https://accounts.google.com", "bench"));
    assert_eq!(provider.client_secret().map(String::as_str), Some("GOCSPX-1"));
}

fn choose_provider(window: &mut Harness<'_, Faceless>, before: &str, preset: &str) {
    window.get_by_role_and_label(Role::ComboBox, &format!("Provider: {before}")).click();
    window.run();
    window.get_by_label(preset).click();
    window.run();
}

#[test]
fn a_provider_s_form_looks_as_kept() {
    pictures("account_openid", &still(Page::Account), |window| {
        window.get_by_label("OpenID Connect").click();
        window.run();
        choose_provider(window, "Any provider", "Google");
    });
}

#[test]
fn a_login_with_the_browser_looks_as_kept() {
    let mut state = still(Page::Account);
    let step = LoginStep::Browser { url: "https://id.example.org/authorize?client_id=meshbench".to_owned() };
    state.accounts.going =
        Some(Login { number: 1, place: Place::Server(SERVER.to_owned()), step: Some(step) });
    pictures("account_browser", &state, |window| window.run_steps(30));
}

#[test]
fn a_login_and_what_is_shared_look_as_kept() {
    pictures("account_synced", &shared(Page::Account), nothing);
}

#[test]
fn a_long_word_about_a_login_leaves_room_for_what_can_be_done() {
    let mut state = logged_in(Page::Account);
    let lasts = Lasts::Unknown("the keyring: no keyring: ".repeat(20));
    let standing = LoginStanding { kept: Kept::Keyring, lasts };
    state.accounts.standing.insert(Uuid::from_u128(2 << 100), standing);
    let window = dark(state);
    for words in ["Log out", "In use"] {
        let at = window.get_by_label(words).rect();
        assert!(at.left() > 0.0 && at.right() < 1000.0, "{words}: {at}");
    }
}

/// As at a zoom of 1.5 on a small screen.
#[test]
fn a_narrow_window_has_everything_in_it() {
    const WIDTH: f32 = 850.0;
    for (page, words) in [(Page::Account, "Log out"), (Page::Account, "Use Local"), (Page::Settings, "Dark")]
    {
        let mut window = dark(logged_in(page));
        window.set_size([WIDTH, 530.0].into());
        window.run();
        let at = window.get_by_label(words).rect();
        assert!(at.left() > 0.0 && at.right() < WIDTH, "{words}: {at}");
    }
}

#[test]
fn what_was_deleted_elsewhere_looks_as_kept() {
    let mut state = shared(Page::History);
    state.trash = state.history.split_off(8);
    pictures("history_trash", &state, |window| {
        window.get_by_label("Deleted runs (4)…").click();
        window.run_steps(8);
    });
}

#[test]
fn a_login_that_failed_looks_as_kept() {
    let mut failed = logged_in(Page::Account);
    failed.accounts.trouble = Some(
        "What the provider sent proves nothing: the clock of this machine is 7 minutes ahead of the provider's; set \
         it, then try again"
            .to_owned(),
    );
    pictures("account_failed", &failed, nothing);
}

#[test]
fn history_tells_whose_a_run_is_and_what_a_server_has() {
    pictures("history_team", &shared(Page::History), nothing);
}

#[test]
fn the_page_asks_for_what_a_person_chose() {
    let mut window = dark(still(Page::Account));
    window.get_by_role_and_label(Role::TextInput, "Address of the server").focus();
    window.run();
    window.get_by_role_and_label(Role::TextInput, "Address of the server").type_text("https://bench.test ");
    window.run();
    window.key_press(Key::Enter);
    window.run();
    let place = Place::Server("https://bench.test".to_owned());
    let asked = std::mem::take(&mut window.state_mut().asked);
    assert_eq!(asked, [Command::Account(AccountCommand::LogIn(place, How::Browser))]);

    let mut window = dark(logged_in(Page::Account));
    window.get_by_label("Turn on sync").click();
    window.run();
    let asked = std::mem::take(&mut window.state_mut().asked);
    let [Command::Sharing(SharingCommand::Put(target))] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!((target.server.as_str(), target.space.as_str()), (SERVER, "me"));
    assert!(target.is_on && target.choice == Choice::Everything);
    window.get_by_label("Log out").click();
    window.run();
    let account = Uuid::from_u128(2 << 100);
    assert_eq!(window.state().asked, [Command::Account(AccountCommand::LogOut(account))]);
}

#[test]
fn sync_begins_once_when_it_is_on_and_not_before_the_store_is_open() {
    let mut state = shared(Page::Home);
    state.store = StoreState::Opening;
    let mut window = dark(state);
    assert!(window.state().asked.is_empty());
    window.state_mut().state.store = StoreState::Open;
    window.run_steps(3);
    assert_eq!(window.state().asked, [Command::Sharing(SharingCommand::Begin)]);
}

#[test]
fn an_account_is_deleted_only_after_the_servers_name_was_typed() {
    const BUTTON: &str = "Delete the account of Ada Lovelace at bench.example.org…";
    let account = Uuid::from_u128(2 << 100);
    assert!(dark(still(Page::Account)).query_by_label_contains("Delete the account").is_none());
    let mut window = dark(logged_in(Page::Account));
    window.get_by_label(BUTTON).scroll_to_me();
    window.run();
    window.get_by_label(BUTTON).click();
    window.run();
    let asked = std::mem::take(&mut window.state_mut().asked);
    assert_eq!(asked, [Command::Account(AccountCommand::AskToDelete(account))]);
    let mut state = logged_in(Page::Account);
    let deletion = Deletion::of(&state.accounts.book, account).unwrap();
    state.question = Some(Question::DeleteAccount(Box::new(deletion)));
    let mut window = dark(state);
    window.get_by_label("Delete for good").click();
    window.run();
    assert!(window.state().asked.is_empty(), "the name is not typed");
    let field = "It cannot be taken back. Type the server’s name to go on: bench.example.org";
    let field = |window: &mut Harness<'_, Faceless>, text: &str| {
        window.get_by_role_and_label(Role::TextInput, field).focus();
        window.run();
        window.get_by_role_and_label(Role::TextInput, field).type_text(text);
        window.run();
    };
    field(&mut window, "bench.example");
    window.get_by_label("Delete for good").click();
    window.run();
    assert!(window.state().asked.is_empty(), "half of the name is typed");
    field(&mut window, ".org");
    window.get_by_label("Delete for good").click();
    window.run();
    let asked = std::mem::take(&mut window.state_mut().asked);
    assert_eq!(asked, [Command::Account(AccountCommand::Delete(account))]);
    window.get_by_label("Cancel").click();
    window.run();
    assert_eq!(window.state().asked, [Command::Account(AccountCommand::KeepAccount)]);
}

#[test]
fn what_is_asked_before_an_account_is_deleted_looks_as_kept() {
    let mut state = logged_in(Page::Account);
    let deletion = Deletion::of(&state.accounts.book, Uuid::from_u128(2 << 100)).unwrap();
    state.question = Some(Question::DeleteAccount(Box::new(deletion)));
    pictures("account_delete", &state, nothing);
}

#[test]
fn a_folder_is_kept_in_step_from_the_page_and_from_the_next_start() {
    let mut window = dark(still(Page::Account));
    window.get_by_label("Keep a folder in step…").scroll_to_me();
    window.run();
    window.get_by_label("Keep a folder in step…").click();
    window.run();
    let asked = std::mem::take(&mut window.state_mut().asked);
    assert_eq!(asked, [Command::Mirror(MirrorCommand::Pick(Mirroring::Kept))]);
    let mut state = still(Page::Account);
    state.settings.mirror = Some(KeptFolder::new("/home/ada/runs".into()));
    let mut window = dark(state);
    let asked = std::mem::take(&mut window.state_mut().asked);
    assert_eq!(asked, [Command::Mirror(MirrorCommand::Begin)]);
    window.state_mut().state.mirror_trouble = Some("/home/ada/runs cannot be used: gone".to_owned());
    window.run();
    assert!(window.query_by_label_contains("cannot be used: gone").is_some());
    window.get_by_label("Stop keeping it in step").scroll_to_me();
    window.run();
    window.get_by_label("Stop keeping it in step").click();
    window.run();
    assert_eq!(window.state().asked, [Command::Mirror(MirrorCommand::KeepNone)]);
}
