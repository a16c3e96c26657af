//! Logins.

use std::path::PathBuf;

use uuid::Uuid;

use crate::account::{Kept, LoginStanding};
use crate::app::accounts::{AccountCommand, AccountJob, AccountNews, Deletion, How, Login, Place};
use crate::app::job::Job;
use crate::app::state::{Question, State};
use crate::model::account::{ACCOUNTS_MAX, Account, AccountBook, Provider};

impl State {
    pub(super) fn accounts_opened(&mut self, book: AccountBook) -> Vec<Job> {
        self.accounts.book = book.clone();
        vec![Job::Account(AccountJob::Know(book))]
    }

    pub(super) fn account_command(&mut self, command: AccountCommand) -> Vec<Job> {
        match command {
            AccountCommand::LogIn(place, how) => self.log_in(place, how),
            AccountCommand::Cancel => self.cancel_login(),
            AccountCommand::DismissTrouble => {
                self.accounts.trouble = None;
                Vec::new()
            }
            AccountCommand::LogOut(id) => self.log_out(id),
            AccountCommand::Use(account) => {
                self.accounts.book.active = account;
                self.save_accounts()
            }
            AccountCommand::Look(id) => vec![Job::Account(AccountJob::Look(id))],
            AccountCommand::PickProvider => vec![Job::Account(AccountJob::PickProvider)],
            AccountCommand::ImportProvider(path) => self.import_provider(path),
            AccountCommand::RemoveProvider(id) => self.remove_provider(id),
            AccountCommand::OpenPage(url) => vec![Job::Account(AccountJob::Open(url))],
            AccountCommand::AskToDelete(id) => self.ask_to_delete(id),
            AccountCommand::KeepAccount => {
                self.question.take_if(|question| matches!(question, Question::DeleteAccount(_)));
                Vec::new()
            }
            AccountCommand::Delete(id) => self.delete_account(id),
        }
    }

    pub(super) fn account_news(&mut self, news: AccountNews) -> Vec<Job> {
        match news {
            AccountNews::Step(number, step) => {
                if let Some(login) = self.accounts.going.as_mut().filter(|login| login.number == number) {
                    login.step = Some(step);
                }
                Vec::new()
            }
            AccountNews::LoggedIn { number, provider, account, standing } => {
                self.logged_in(number, *provider, account, standing)
            }
            AccountNews::Standing(id, standing) => self.login_stands(id, standing),
            AccountNews::Failed(number, reason) => {
                if self.accounts.going.as_ref().is_some_and(|login| login.number == number) {
                    self.accounts.going = None;
                    self.accounts.trouble = Some(reason);
                }
                Vec::new()
            }
            AccountNews::LoggedOut(account, remark) => {
                let title = format!("{} is logged out; runs stay here", account.name);
                match remark {
                    Some(remark) => self.warn(title, remark),
                    None => self.inform(title, None),
                }
                Vec::new()
            }
            AccountNews::Deleted(id, ended) => self.account_deleted(id, ended),
            AccountNews::ProviderPicked(path) => self.import_provider(path),
            AccountNews::ProviderRead(provider) => self.log_in(Place::Provider(provider), How::Browser),
        }
    }

    fn log_in(&mut self, place: Place, how: How) -> Vec<Job> {
        self.accounts.trouble = None;
        if let Place::Provider(provider) = &place
            && let Err(reason) = provider.check()
        {
            self.accounts.trouble = Some(format!("This cannot be logged in with: {reason}"));
            return Vec::new();
        }
        if self.accounts.book.accounts.len() >= ACCOUNTS_MAX {
            self.accounts.trouble = Some(format!("At most {ACCOUNTS_MAX} accounts; log out of one first"));
            return Vec::new();
        }
        let number = self.number();
        self.accounts.going = Some(Login { number, place: place.clone(), step: None });
        vec![Job::Account(AccountJob::LogIn { number, place, how })]
    }

    fn cancel_login(&mut self) -> Vec<Job> {
        self.accounts.going = None;
        vec![Job::Account(AccountJob::Cancel)]
    }

    fn login_stands(&mut self, id: Uuid, standing: LoginStanding) -> Vec<Job> {
        let Some(account) = self.accounts.book.account(id) else { return Vec::new() };
        let name = account.name.clone();
        let before = self.accounts.standing.insert(id, standing.clone());
        if let Kept::SessionOnly(reason) = standing.kept
            && !matches!(before, Some(LoginStanding { kept: Kept::SessionOnly(_), .. }))
        {
            let title = format!("The login of {name} was renewed, but could not be kept");
            self.warn(title, format!("It is gone when Meshbench closes: {reason}"));
        }
        Vec::new()
    }

    fn logged_in(
        &mut self,
        number: u64,
        provider: Provider,
        account: Account,
        standing: LoginStanding,
    ) -> Vec<Job> {
        if self.accounts.going.as_ref().is_none_or(|login| login.number != number) {
            // Cancelled at the last moment.
            return vec![Job::Account(AccountJob::LogOut(Box::new(account), Some(Box::new(provider))))];
        }
        self.accounts.going = None;
        let book = &mut self.accounts.book;
        book.providers.retain(|known| known.id != provider.id);
        book.providers.push(provider);
        book.accounts.retain(|known| known.id != account.id);
        book.active = Some(account.id);
        let id = account.id;
        let title = format!("Logged in as {}", account.name);
        book.accounts.push(account);
        if let Kept::SessionOnly(reason) = &standing.kept {
            let detail = format!("The login is gone when Meshbench closes: {reason}");
            self.warn(title, detail);
        } else {
            self.inform(title, None);
        }
        self.accounts.standing.insert(id, standing);
        let mut jobs = self.save_accounts();
        jobs.extend(self.sharing_of(id));
        jobs
    }

    fn log_out(&mut self, id: Uuid) -> Vec<Job> {
        let book = &mut self.accounts.book;
        let Some(at) = book.accounts.iter().position(|account| account.id == id) else { return Vec::new() };
        let account = book.accounts.remove(at);
        self.accounts.standing.remove(&id);
        if book.active == Some(id) {
            book.active = None;
        }
        let provider = book.provider(account.provider).cloned();
        let mut jobs = self.save_accounts();
        jobs.extend(self.stop_sharing_of(id));
        jobs.push(Job::Account(AccountJob::LogOut(Box::new(account), provider.map(Box::new))));
        jobs
    }

    fn ask_to_delete(&mut self, id: Uuid) -> Vec<Job> {
        match Deletion::of(&self.accounts.book, id) {
            Some(asked) if self.accounts.deleting.is_none() => {
                self.question = Some(Question::DeleteAccount(Box::new(asked)));
                Vec::new()
            }
            Some(_) => Vec::new(),
            None => {
                let reason =
                    "It is at no Meshbench server; nothing of it is kept anywhere but here".to_owned();
                self.failed("There is nothing to delete".to_owned(), reason)
            }
        }
    }

    fn delete_account(&mut self, id: Uuid) -> Vec<Job> {
        self.question.take_if(|question| matches!(question, Question::DeleteAccount(_)));
        let asked = Deletion::of(&self.accounts.book, id).filter(|_| self.accounts.deleting.is_none());
        let Some(Deletion { server, .. }) = asked else { return Vec::new() };
        self.accounts.deleting = Some(id);
        // First of all, or what is deleted there would be sent again.
        let mut jobs = self.stop_sharing_of(id);
        jobs.push(Job::Account(AccountJob::Delete(id, server)));
        jobs
    }

    fn account_deleted(&mut self, id: Uuid, ended: Result<(), String>) -> Vec<Job> {
        if self.accounts.deleting != Some(id) {
            return Vec::new();
        }
        self.accounts.deleting = None;
        let Some(Deletion { name, server, .. }) = Deletion::of(&self.accounts.book, id) else {
            return Vec::new();
        };
        match ended {
            Ok(()) => {
                self.inform(format!("The account of {name} at {server} is deleted; runs stay here"), None);
                let mut jobs = self.share_no_more_with(id);
                jobs.extend(self.log_out(id));
                jobs
            }
            Err(reason) => {
                let title = format!("The account of {name} was not deleted");
                self.failed(
                    title,
                    format!("{reason}. Sync with {server} is off until you switch it on again"),
                )
            }
        }
    }

    fn import_provider(&mut self, path: PathBuf) -> Vec<Job> {
        vec![Job::Account(AccountJob::ReadProvider(path))]
    }

    fn remove_provider(&mut self, id: Uuid) -> Vec<Job> {
        if self.accounts.book.accounts.iter().any(|account| account.provider == id) {
            let reason = "Somebody is logged in there; log out first".to_owned();
            return self.failed("The provider was not removed".to_owned(), reason);
        }
        self.accounts.book.providers.retain(|provider| provider.id != id);
        self.save_accounts()
    }

    fn save_accounts(&mut self) -> Vec<Job> {
        vec![Job::Account(AccountJob::Save(self.accounts.book.clone()))]
    }
}
