//! Logins as the app knows them: where one can log in, who one is there, and how a login goes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use uuid::Uuid;

pub use crate::account::{Kept, Lasts, LoginStanding, LoginStep};
use crate::model::account::{Account, AccountBook, Provider};

/// Everything about logins that the faces draw.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    /// Providers and accounts.
    pub book: AccountBook,
    /// The login that is going on.
    pub going: Option<Login>,
    /// Why the last one did not come to its end, and what to do.
    pub trouble: Option<String>,
    /// How logins stand, as far as it was asked.
    pub standing: BTreeMap<Uuid, LoginStanding>,
    /// The account that is being deleted at its server.
    pub deleting: Option<Uuid>,
}

/// A login that is going on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// New with each: news of older ones is ignored.
    pub number: u64,
    /// Where.
    pub place: Place,
    /// What the person has to do; none while the provider is asked.
    pub step: Option<LoginStep>,
}

/// An account that a person wants deleted at its server, and what they are told first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Which.
    pub account: Uuid,
    /// Whose.
    pub name: String,
    /// The server's address.
    pub server: String,
    /// The server's host: what is to be typed before it is done.
    pub host: String,
}

impl Deletion {
    /// Of an account at a Meshbench server; none of any other.
    #[must_use]
    pub fn of(book: &AccountBook, id: Uuid) -> Option<Self> {
        let account = book.account(id)?;
        let server = book.provider(account.provider)?.server.clone()?;
        let host = url::Url::parse(&server).ok().and_then(|url| url.host_str().map(str::to_owned));
        let host = host.unwrap_or_else(|| server.clone());
        Some(Self { account: id, name: account.name.clone(), server, host })
    }

    /// What is deleted, and what stays.
    #[must_use]
    pub fn words(&self) -> String {
        let Self { name, server, .. } = self;
        format!(
            "What {server} keeps of {name} is deleted there, at once and for good: the personal space with its runs, plans, \
             notes and labels, and what was sent to team spaces, for colleagues too.\n\n\
             History on this machine stays. Sync with this server is switched off here, and you are logged out. Your other \
             machines keep what they have and send nothing more. The login itself is not the server’s, and stays with whoever \
             gave it to you."
        )
    }
}

/// Where one logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// At a provider that is known, or will be once one has logged in there.
    Provider(Box<Provider>),
    /// Where the Meshbench server at this address says.
    Server(String),
}

/// How one logs in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum How {
    /// With the system's browser.
    #[default]
    Browser,
    /// With a code that is entered on any device.
    Device,
}

/// What a person or script wants of logins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountCommand {
    /// Log in.
    LogIn(Place, How),
    /// Do not wait for the login that is going on.
    Cancel,
    /// Put away why the last login did not come to its end.
    DismissTrouble,
    /// End a login, and forget the account. Its runs stay.
    LogOut(Uuid),
    /// Use this account; none is local.
    Use(Option<Uuid>),
    /// Find out how a login stands.
    Look(Uuid),
    /// Ask for a provider's file with the native dialog.
    PickProvider,
    /// Read a provider from this file, and log in there.
    ImportProvider(PathBuf),
    /// Forget a provider at which nobody is logged in.
    RemoveProvider(Uuid),
    /// Open an address of a login in the browser again.
    OpenPage(String),
    /// Ask whether an account is to be deleted at its server.
    AskToDelete(Uuid),
    /// Leave it as it is.
    KeepAccount,
    /// Delete it there, with everything of its person. A person has agreed.
    Delete(Uuid),
}

/// Background work about logins.
#[derive(Clone, Debug)]
pub enum AccountJob {
    /// Keep providers and accounts.
    Save(AccountBook),
    /// Use them without keeping them.
    Know(AccountBook),
    /// Log in.
    LogIn {
        /// Of the login.
        number: u64,
        /// Where.
        place: Place,
        /// How.
        how: How,
    },
    /// Do not wait for a login.
    Cancel,
    /// End a login.
    LogOut(Box<Account>, Option<Box<Provider>>),
    /// Find out how a login stands.
    Look(Uuid),
    /// Ask for a provider's file.
    PickProvider,
    /// Read a provider from a file.
    ReadProvider(PathBuf),
    /// Open an address in the browser.
    Open(String),
    /// Delete an account at this server.
    Delete(Uuid, String),
}

/// News about logins.
#[derive(Clone, Debug)]
pub enum AccountNews {
    /// What the person has to do for the login with this number.
    Step(u64, LoginStep),
    /// Somebody has logged in.
    LoggedIn {
        /// Of the login.
        number: u64,
        /// Where.
        provider: Box<Provider>,
        /// Who.
        account: Account,
        /// How the login stands.
        standing: LoginStanding,
    },
    /// How a login stands.
    Standing(Uuid, LoginStanding),
    /// Nobody has.
    Failed(u64, String),
    /// A login was ended; what a person should know of that.
    LoggedOut(Account, Option<String>),
    /// An account was deleted at its server, or why not.
    Deleted(Uuid, Result<(), String>),
    /// A person picked a provider's file.
    ProviderPicked(PathBuf),
    /// A provider was read from a file.
    ProviderRead(Box<Provider>),
}
