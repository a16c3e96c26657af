//! Logs in and out in the background, and gives the tokens of whoever is logged in.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use uuid::Uuid;

use crate::account::{
    Keyring, LoginError, LoginStanding, LoginStep, Sessions, TellLogin, by_browser, by_device,
};
use crate::app::accounts::{AccountNews, How, Place};
use crate::app::event::Event;
use crate::model::account::{Account, AccountBook, Provider, ProviderKind};
use crate::model::causes::{chain, sentence};
use crate::sync::client::{Client, Tokens, Which};

use super::sharing::TokensOf;
use super::{Outbox, desktop};

/// The path that servers' providers know: a native app's usual one.
const CALLBACK: &str = "/callback";
/// The largest file of a provider.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Logins.
pub(super) struct Logins {
    sessions: Sessions,
    book: Arc<Mutex<AccountBook>>,
    going: Option<AbortHandle>,
}

/// What is logged in to.
pub(super) struct Order {
    pub(super) number: u64,
    pub(super) place: Place,
    pub(super) how: How,
}

impl Default for Logins {
    fn default() -> Self {
        Self { sessions: Sessions::new(Arc::new(Keyring::default())), book: Arc::default(), going: None }
    }
}

impl Logins {
    pub(super) fn know(&self, book: AccountBook) {
        *self.book.lock().unwrap_or_else(PoisonError::into_inner) = book;
    }

    pub(super) fn log_in(&mut self, order: Order, handle: &Handle, outbox: &Outbox) {
        self.cancel();
        let (sessions, outbox) = (self.sessions.clone(), outbox.clone());
        let book = self.book.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let work = async move {
            let number = order.number;
            let news = match log_in(order, &book, &sessions, &outbox).await {
                Ok(news) => news,
                Err(error) => AccountNews::Failed(number, sentence(&error.to_string())),
            };
            outbox.post(Event::Account(news)).await;
        };
        self.going = Some(handle.spawn(work).abort_handle());
    }

    pub(super) fn cancel(&mut self) {
        if let Some(going) = self.going.take() {
            going.abort();
        }
    }

    pub(super) fn log_out(
        &self,
        account: Account,
        provider: Option<Provider>,
        handle: &Handle,
        outbox: &Outbox,
    ) {
        let (sessions, outbox) = (self.sessions.clone(), outbox.clone());
        handle.spawn(async move {
            let remark = sessions.log_out(account.id, provider.as_ref()).await.err();
            outbox.post(Event::Account(AccountNews::LoggedOut(account, remark))).await;
        });
    }

    /// Finds out how a login stands.
    pub(super) fn look(&self, account: Uuid, handle: &Handle, outbox: &Outbox) {
        let (sessions, outbox) = (self.sessions.clone(), outbox.clone());
        handle.spawn(async move {
            let standing = sessions.standing(account).await;
            outbox.post(Event::Account(AccountNews::Standing(account, standing))).await;
        });
    }

    /// Deletes an account at a server.
    pub(super) fn delete(&self, account: Uuid, server: String, handle: &Handle, outbox: &Outbox) {
        let (tokens, outbox) = ((self.tokens(outbox))(account), outbox.clone());
        handle.spawn(async move {
            let deleted = match Client::new(&server, tokens) {
                Ok(client) => client.delete_me().await,
                Err(error) => Err(error),
            };
            let deleted = deleted.map_err(|error| sentence(&error.to_string()));
            outbox.post(Event::Account(AccountNews::Deleted(account, deleted))).await;
        });
    }

    /// The tokens of every account.
    pub(super) fn tokens(&self, outbox: &Outbox) -> TokensOf {
        let (sessions, book, outbox) = (self.sessions.clone(), Arc::clone(&self.book), outbox.clone());
        Arc::new(move |account| tokens_of(account, sessions.clone(), Arc::clone(&book), outbox.clone()))
    }
}

fn tokens_of(account: Uuid, sessions: Sessions, book: Arc<Mutex<AccountBook>>, outbox: Outbox) -> Tokens {
    let told = Arc::<Mutex<Option<LoginStanding>>>::default();
    Arc::new(move |which| {
        let (sessions, outbox, told) = (sessions.clone(), outbox.clone(), Arc::clone(&told));
        let provider = {
            let book = book.lock().unwrap_or_else(PoisonError::into_inner);
            book.account(account).and_then(|account| book.provider(account.provider)).cloned()
        };
        Box::pin(async move {
            let provider = provider.ok_or_else(|| "log in again, under Account".to_owned())?;
            let token = sessions.access(account, &provider, which == Which::Fresh).await;
            // Asked for with every request of an exchange, and seldom another.
            let standing = sessions.standing(account).await;
            let before = told.lock().unwrap_or_else(PoisonError::into_inner).replace(standing.clone());
            if before.as_ref() != Some(&standing) {
                outbox.post(Event::Account(AccountNews::Standing(account, standing))).await;
            }
            token.map_err(|error| error.to_string())
        })
    })
}

async fn log_in(
    order: Order,
    book: &AccountBook,
    sessions: &Sessions,
    outbox: &Outbox,
) -> Result<AccountNews, LoginError> {
    let Order { number, place, how } = order;
    let mut provider = match place {
        Place::Provider(provider) => *provider,
        Place::Server(address) => provider_of(&address).await?,
    };
    // What is known already keeps its id, and with it its accounts.
    let same = |known: &&Provider| known.kind == provider.kind && known.server == provider.server;
    provider.id = match book.providers.iter().find(same) {
        Some(known) => known.id,
        None if provider.id.is_nil() => Uuid::now_v7(),
        None => provider.id,
    };
    let teller = outbox.clone();
    let tell: TellLogin = Arc::new(move |step| {
        if let LoginStep::Browser { url } = &step {
            // Where none opens, the address is on show.
            let _ = desktop::open_page(url);
        }
        teller.offer(Event::Account(AccountNews::Step(number, step)));
    });
    let logged_in = match how {
        How::Browser => by_browser(&provider, &tell).await?,
        How::Device => by_device(&provider, &tell).await?,
    };
    let id = book.known(provider.id, &logged_in.subject).map_or_else(Uuid::now_v7, |known| known.id);
    let standing = sessions.keep(id, logged_in.tokens).await;
    let account = Account {
        id,
        provider: provider.id,
        subject: logged_in.subject,
        name: logged_in.name,
        email: logged_in.email,
        since: Timestamp::now(),
    };
    Ok(AccountNews::LoggedIn { number, provider: Box::new(provider), account, standing })
}

/// The provider that a Meshbench server names.
async fn provider_of(address: &str) -> Result<Provider, LoginError> {
    let nobody: Tokens = Arc::new(|_| Box::pin(async { Err("nobody is logged in yet".to_owned()) }));
    let wrong = |reason: String| LoginError::Provider(reason);
    let client = Client::new(address, nobody).map_err(|error| wrong(error.to_string()))?;
    let found = client.capabilities().await.map_err(|error| wrong(error.to_string()))?;
    let client_id = found.login.client_id.ok_or_else(|| {
        wrong("the server does not say what Meshbench is called at its provider; ask who runs it for a provider file".to_owned())
    })?;
    let server = address.trim().trim_end_matches('/').to_owned();
    let name = url::Url::parse(&server).ok().and_then(|url| url.host_str().map(str::to_owned));
    let provider = Provider {
        id: Uuid::nil(),
        name: name.unwrap_or_else(|| server.clone()),
        kind: ProviderKind::OpenId {
            issuer: found.login.issuer,
            client_id,
            client_secret: None,
            audience: Some(found.login.audience).filter(|audience| !audience.is_empty()),
            scopes: found.login.scopes,
            callback: Some(CALLBACK.to_owned()),
        },
        server: Some(server),
    };
    provider.check().map_err(|reason| wrong(format!("what the server says of logins is wrong: {reason}")))?;
    Ok(provider)
}

/// Reads a provider's file.
pub(super) fn read_provider(path: &Path, outbox: &Outbox) {
    let read = || -> Result<Provider, String> {
        let found = std::fs::metadata(path).map_err(|error| error.to_string())?;
        if found.len() > FILE_BYTES_MAX {
            return Err("it is larger than 64 KiB".to_owned());
        }
        Provider::from_toml(&std::fs::read_to_string(path).map_err(|error| error.to_string())?)
    };
    outbox.send(match read() {
        Ok(provider) => Event::Account(AccountNews::ProviderRead(Box::new(provider))),
        Err(reason) => Event::Failed {
            title: "The provider was not added".to_owned(),
            reason: format!("{}: {reason}", path.display()),
        },
    });
}

/// Opens an address again.
pub(super) fn open(url: &str, outbox: &Outbox) {
    if let Err(error) = desktop::open_page(url) {
        let title = "No browser could be opened".to_owned();
        let reason = format!("{}. Copy the address and open it yourself", chain(&error));
        outbox.send(Event::Failed { title, reason });
    }
}
