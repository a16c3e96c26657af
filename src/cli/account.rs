//! `login`, `logout`, `whoami`, `account` and `sync`.

mod delete;

use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::app::accounts::{AccountCommand, How, Kept, Lasts, LoginStep, Place};
use crate::app::sharing::SharingCommand;
use crate::app::state::StoreState;
use crate::app::{Command, Keep, State};
use crate::model::account::{Account, GITHUB, GITHUB_API, Provider, ProviderKind};
use crate::model::sync::{Choice, SyncTarget};

use super::args_account::{AccountArgs, LoginArgs, LogoutArgs, SyncArgs, SyncOnArgs, SyncWhat, WhoamiArgs};
use super::interrupt::Interrupts;
use super::screen::{Screen, plain};
use super::session::Session;
use super::{Failure, Status};

/// Starts, does something, and ends when the disk has it.
fn within(
    data_dir: PathBuf,
    screen: &Screen,
    work: impl FnOnce(&mut Session) -> Result<Status, Failure>,
) -> Result<Status, Failure> {
    let mut session = Session::start(data_dir, Keep::Here)?;
    let done = match &session.state().store {
        StoreState::Failed { reason } => Err(Failure::NotCarriedOut(reason.clone())),
        _ => work(&mut session),
    };
    if let Some(words) = session.end() {
        screen.warning(&words);
    }
    done
}

/// Logs in.
pub(super) fn login(options: LoginArgs, data_dir: PathBuf, screen: &Screen) -> Result<Status, Failure> {
    let interrupts = Interrupts::listen()?;
    let how = if options.device { How::Device } else { How::Browser };
    within(data_dir, screen, |session| {
        let place = place(options, session.state())?;
        session.command(Command::Account(AccountCommand::LogIn(place, how)));
        let mut told = false;
        while let Some(going) = &session.state().accounts.going {
            if let Some(step) = going.step.as_ref().filter(|_| !told) {
                told = true;
                tell(step, screen);
            }
            if interrupts.asked() {
                session.command(Command::Account(AccountCommand::Cancel));
                return Err(Failure::NotCarriedOut("nobody has logged in: it was broken off".to_owned()));
            }
            session.wait();
        }
        if let Some(trouble) = &session.state().accounts.trouble {
            return Err(Failure::NotCarriedOut(trouble.clone()));
        }
        let accounts = &session.state().accounts;
        let account = accounts.book.active().ok_or_else(nobody)?;
        let kept = accounts.standing.get(&account.id).map(|standing| &standing.kept);
        if let Some(Kept::SessionOnly(reason)) = kept {
            screen.warning(&format!(
                "the login is over with this command, because the system's keyring cannot be used: {reason}"
            ));
        }
        screen.print(&format!("Logged in as {}\n", plain(&described(account, session.state()))))?;
        Ok(Status::Met)
    })
}

fn tell(step: &LoginStep, screen: &Screen) {
    match step {
        LoginStep::Browser { url } => {
            screen.remark(&format!(
                "Log in with the page that opens in your browser. If none does, open:\n{url}"
            ));
        }
        LoginStep::Device { address, code, .. } => {
            screen.remark(&format!("On any device, open {address} and enter the code {code}"));
        }
    }
}

fn place(options: LoginArgs, state: &State) -> Result<Place, Failure> {
    let provider = |name: String, kind: ProviderKind| {
        let provider = Provider { id: Uuid::nil(), name, kind, server: None };
        provider.check().map_err(Failure::Input)?;
        Ok(Place::Provider(Box::new(provider)))
    };
    if let Some(server) = options.server {
        return Ok(Place::Server(server));
    }
    if let Some(path) = options.provider {
        let wrong = |reason: String| Failure::Input(format!("--provider {}: {reason}", path.display()));
        let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
        return Ok(Place::Provider(Box::new(Provider::from_toml(&text).map_err(wrong)?)));
    }
    if let (Some(issuer), Some(client_id)) = (options.issuer, options.client_id) {
        let name = issuer.split("://").last().unwrap_or_default().to_owned();
        let (audience, scopes, callback) = (None, Vec::new(), Some("/callback".to_owned()));
        let client_secret = options.client_secret;
        return provider(
            name,
            ProviderKind::OpenId { issuer, client_id, client_secret, audience, scopes, callback },
        );
    }
    if let Some(client_id) = options.github_client_id {
        let (address, api) = (GITHUB.to_owned(), GITHUB_API.to_owned());
        return provider("GitHub".to_owned(), ProviderKind::GitHub { client_id, address, api });
    }
    let book = &state.accounts.book;
    let last = book.active().and_then(|account| book.provider(account.provider));
    let last = last.or_else(|| book.providers.last()).cloned();
    last.map(|provider| Place::Provider(Box::new(provider))).ok_or_else(|| {
        Failure::Input("say where: --server URL, --issuer URL --client-id ID, or --provider FILE".to_owned())
    })
}

/// Ends a login.
pub(super) fn logout(options: LogoutArgs, data_dir: PathBuf, screen: &Screen) -> Result<Status, Failure> {
    within(data_dir, screen, |session| {
        let book = &session.state().accounts.book;
        let account = match &options.who {
            None => book.active().ok_or_else(nobody)?,
            Some(who) => {
                let words = || Failure::Input(format!("“{who}” is not logged in; see: meshbench whoami"));
                book.accounts.iter().find(|account| is_called(account, who)).ok_or_else(words)?
            }
        };
        let id = account.id;
        session.command(Command::Account(AccountCommand::LogOut(id)));
        logged_out(session, screen)
    })
}

/// Waits until a login is over, and tells what came of it.
fn logged_out(session: &mut Session, screen: &Screen) -> Result<Status, Failure> {
    loop {
        if let Some(notice) = session.news().pop() {
            if !notice.detail.is_empty() {
                screen.warning(&notice.detail);
            }
            screen.print(&format!("{}\n", plain(&notice.title)))?;
            return Ok(Status::Met);
        }
        session.wait();
    }
}

fn is_called(account: &Account, who: &str) -> bool {
    account.name == who || account.email.as_deref() == Some(who) || account.subject == who
}

/// Carries out what is asked about an account.
pub(super) fn account(what: AccountArgs, data_dir: PathBuf, screen: &Screen) -> Result<Status, Failure> {
    match what {
        AccountArgs::Delete(options) => {
            within(data_dir, screen, |session| delete::delete(&options, session, screen))
        }
    }
}

/// Tells who is logged in.
pub(super) fn whoami(options: &WhoamiArgs, data_dir: PathBuf, screen: &Screen) -> Result<Status, Failure> {
    within(data_dir, screen, |session| {
        let ids: Vec<Uuid> =
            session.state().accounts.book.accounts.iter().map(|account| account.id).collect();
        for id in &ids {
            session.command(Command::Account(AccountCommand::Look(*id)));
        }
        // The keyring has its own limit.
        while ids.iter().any(|id| !session.state().accounts.standing.contains_key(id)) {
            session.wait();
        }
        let state = session.state();
        let (book, standing) = (&state.accounts.book, &state.accounts.standing);
        if options.json {
            let accounts: Vec<_> = book
                .accounts
                .iter()
                .map(|account| {
                    let provider = book.provider(account.provider);
                    let lasts = &standing[&account.id].lasts;
                    let (is_renewed, until) = match lasts {
                        Lasts::Renewed(until) => (true, *until),
                        Lasts::Until(until) => (false, *until),
                        Lasts::Over | Lasts::Unknown(_) => (false, None),
                    };
                    json!({
                        "name": account.name, "email": account.email, "subject": account.subject,
                        "provider": provider.map(|provider| &provider.name), "since": account.since,
                        "in_use": book.active == Some(account.id), "is_over": *lasts == Lasts::Over,
                        "is_renewed": is_renewed, "until": until,
                    })
                })
                .collect();
            screen.print(&format!("{}\n", serde_json::to_string_pretty(&accounts).unwrap_or_default()))?;
            return Ok(Status::Met);
        }
        if book.accounts.is_empty() {
            screen.print("Local: nobody is logged in, and everything stays on this machine\n")?;
        }
        for account in &book.accounts {
            let mark = if book.active == Some(account.id) { "* " } else { "  " };
            let stands = standing[&account.id].words(|moment| moment.to_string());
            screen.print(&format!("{mark}{} · {}\n", plain(&described(account, state)), plain(&stands)))?;
        }
        Ok(Status::Met)
    })
}

/// Exchanges history with servers.
pub(super) fn sync(options: SyncArgs, data_dir: PathBuf, screen: &Screen) -> Result<Status, Failure> {
    let interrupts = Interrupts::listen()?;
    within(data_dir, screen, |session| match options.what.unwrap_or(SyncWhat::Now) {
        SyncWhat::Now => exchange(session, &interrupts, screen),
        SyncWhat::On(options) => {
            let target = target(options, session.state())?;
            session.command(Command::Sharing(SharingCommand::Put(target)));
            exchange(session, &interrupts, screen)
        }
        SyncWhat::Off => {
            let mut targets = session.state().sharing.book.targets.clone();
            targets.retain(|target| target.is_on);
            for target in targets {
                session.command(Command::Sharing(SharingCommand::Put(SyncTarget { is_on: false, ..target })));
            }
            screen.print("Sync is off; history stays, here and there\n")?;
            Ok(Status::Met)
        }
        SyncWhat::Status => status(session.state(), screen),
    })
}

fn target(options: SyncOnArgs, state: &State) -> Result<SyncTarget, Failure> {
    let book = &state.accounts.book;
    let account = book.active().ok_or_else(nobody)?;
    let server = book.provider(account.provider).and_then(|provider| provider.server.clone());
    let server = server.ok_or_else(|| {
        Failure::Input(
            "you are not logged in at a Meshbench server; see: meshbench login --server URL".to_owned(),
        )
    })?;
    let choice = if options.from_now_on {
        Choice::Since(Timestamp::now())
    } else if options.label.is_empty() {
        Choice::Everything
    } else {
        Choice::Labelled(options.label.into_iter().collect())
    };
    let same = |known: &&SyncTarget| known.account == account.id && known.space == options.space;
    let id = state.sharing.book.targets.iter().find(same).map_or_else(Uuid::now_v7, |known| known.id);
    Ok(SyncTarget { id, server, account: account.id, space: options.space, choice, is_on: true })
}

fn exchange(session: &mut Session, interrupts: &Interrupts, screen: &Screen) -> Result<Status, Failure> {
    let is_on = |target: &&SyncTarget| target.is_on;
    let targets: Vec<SyncTarget> =
        session.state().sharing.book.targets.iter().filter(is_on).cloned().collect();
    if targets.is_empty() {
        return Err(Failure::Input("sync is off; see: meshbench sync on --help".to_owned()));
    }
    session.command(Command::Sharing(SharingCommand::Begin));
    let mut failed = None;
    for target in targets {
        loop {
            let standing = session.state().sharing.targets.get(&target.id);
            if let Some(trouble) = standing.and_then(|standing| standing.trouble.clone()) {
                failed = Some(Failure::NotCarriedOut(format!("{}: {trouble}", target.server)));
                break;
            }
            if let Some(last) = standing.and_then(|standing| standing.last.clone()) {
                screen.print(&format!(
                    "{} · {}: {} received, {} sent, {} need attention\n",
                    plain(&target.server),
                    plain(&target.space),
                    last.received,
                    last.sent,
                    last.refused
                ))?;
                break;
            }
            if interrupts.asked() {
                let words = "broken off; what was exchanged until then is kept".to_owned();
                return Err(Failure::NotCarriedOut(words));
            }
            session.wait();
        }
    }
    failed.map_or(Ok(Status::Met), Err)
}

fn status(state: &State, screen: &Screen) -> Result<Status, Failure> {
    if state.sharing.book.targets.is_empty() {
        screen.print("Sync is off: every run stays on this machine\n")?;
    }
    for target in &state.sharing.book.targets {
        let on = if target.is_on { "on" } else { "off" };
        let who = state.accounts.book.account(target.account).map_or("nobody", |account| &account.name);
        let (server, space) = (plain(&target.server), plain(&target.space));
        screen.print(&format!("{server} · {space} · {} · {on}\n", plain(who)))?;
    }
    Ok(Status::Met)
}

fn described(account: &Account, state: &State) -> String {
    let email = account.email.as_ref().map(|email| format!(" <{email}>")).unwrap_or_default();
    let provider = state.accounts.book.provider(account.provider);
    let place = provider.map(|provider| format!(" at {}", provider.name)).unwrap_or_default();
    format!("{}{email}{place}", account.name)
}

fn nobody() -> Failure {
    Failure::Input("nobody is logged in; see: meshbench login --help".to_owned())
}
