//! `account delete`.

use crate::app::accounts::{AccountCommand, Deletion};
use crate::app::{Command, State};
use crate::cli::args_account::DeleteArgs;
use crate::cli::screen::{Screen, plain};
use crate::cli::session::Session;
use crate::cli::{Failure, Status};

use super::{is_called, logged_out};

/// Deletes an account at its server, once a person has agreed.
pub(super) fn delete(
    options: &DeleteArgs,
    session: &mut Session,
    screen: &Screen,
) -> Result<Status, Failure> {
    let asked = meant(options, session.state())?;
    if !options.yes && !agreed(&asked, screen)? {
        screen.remark("Nothing was deleted.");
        return Ok(Status::Met);
    }
    // What opening had to say is not about this.
    session.news();
    session.command(Command::Account(AccountCommand::Delete(asked.account)));
    while session.state().accounts.deleting.is_some() {
        session.wait();
    }
    session.tell(screen)?;
    logged_out(session, screen)
}

fn meant(options: &DeleteArgs, state: &State) -> Result<Deletion, Failure> {
    let book = &state.accounts.book;
    let server = options.server.trim().trim_end_matches('/');
    let is_meant = |asked: &Deletion| {
        let account = book.account(asked.account);
        let who = options.who.as_deref();
        asked.server == server && who.is_none_or(|who| account.is_some_and(|account| is_called(account, who)))
    };
    let all = book.accounts.iter().filter_map(|account| Deletion::of(book, account.id));
    let mut meant: Vec<Deletion> = all.filter(is_meant).collect();
    if meant.len() > 1 {
        meant.retain(|asked| book.active == Some(asked.account));
    }
    match (meant.pop(), meant.is_empty()) {
        (Some(asked), true) => Ok(asked),
        _ => Err(Failure::Input(format!(
            "no login at {server} is known, or several are and none is in use; see: meshbench whoami"
        ))),
    }
}

/// Whether a person typed the server's name, having read what goes.
fn agreed(asked: &Deletion, screen: &Screen) -> Result<bool, Failure> {
    if !screen.answers {
        return Err(Failure::Input("nobody can be asked here; delete with --yes".to_owned()));
    }
    for line in asked.words().lines() {
        screen.remark(&plain(line));
    }
    let question = format!("It cannot be taken back. Type the server’s name to go on ({}):", asked.host);
    Ok(screen.ask_words(&question) == asked.host)
}
