//! Servers and machines for tests.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use meshbench::app::exchange::{AskStore, Exchange, ExchangeError, Exchanged, Step, Tell};
use meshbench::model::sync::{Choice, SyncTarget};
use meshbench::store::Store;
use meshbench::sync::client::{Client, Tokens};
use meshbench::sync::server::{
    Admission, Denied, Gate, Limits, Members, Person, ServerSettings, Team, open_store, serve,
};
use meshbench::sync::words::{LoginHint, PERSONAL};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Takes the name of a person for their access token.
pub(super) struct Names;

impl Gate for Names {
    fn admit<'a>(&'a self, token: &'a str) -> Admission<'a> {
        Box::pin(async move {
            match token {
                "ann" | "bob" => Ok(person(token, &["devs"])),
                "carl" => Ok(person(token, &[])),
                "dark" => Err(Denied::Unknown("the issuer does not answer".to_owned())),
                _ => Err(Denied::Invalid("the access token is not good".to_owned())),
            }
        })
    }
}

fn person(name: &str, groups: &[&str]) -> Person {
    let groups = groups.iter().map(|group| (*group).to_owned()).collect();
    Person { subject: format!("sub-{name}"), name: name.to_uppercase(), groups }
}

/// Nothing that these tests do is too much.
pub(super) fn limits() -> Limits {
    Limits { rate_per_sec: 100_000.0, burst: 100_000, ..Limits::default() }
}

/// A server that ends with this.
pub(super) struct Running {
    pub(super) address: SocketAddr,
    pub(super) log: Arc<Mutex<Vec<String>>>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Running {
    pub(super) async fn start(folder: &Path, limits: Limits) -> Self {
        Self::on(open_store(folder.to_str().unwrap()).unwrap(), limits, "127.0.0.1:0".parse().unwrap()).await
    }

    pub(super) async fn on(
        store: Arc<dyn object_store::ObjectStore>,
        limits: Limits,
        at: SocketAddr,
    ) -> Self {
        Self::for_those(Arc::new(Names), store, limits, at).await
    }

    /// With another way to tell whom tokens are from.
    pub(super) async fn for_those(
        gate: Arc<dyn Gate>,
        store: Arc<dyn object_store::ObjectStore>,
        limits: Limits,
        at: SocketAddr,
    ) -> Self {
        let listener = TcpListener::bind(at).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&log);
        let team = Team { id: "shop".to_owned(), members: Members::Group("devs".to_owned()) };
        let settings = ServerSettings {
            login: LoginHint { issuer: "https://id.test".to_owned(), ..LoginHint::default() },
            teams: vec![team],
            tls: None,
            limits,
            log: Arc::new(move |line| lines.lock().unwrap().push(line.to_owned())),
        };
        let task = tokio::spawn(async move {
            let stop = async { drop(stopped.await) };
            serve(listener, settings, store, gate, stop).await.unwrap();
        });
        Self { address, log, stop: Some(stop), task }
    }

    pub(super) async fn end(mut self) {
        drop(self.stop.take());
        (&mut self.task).await.unwrap();
    }

    /// At once, as when it is killed.
    pub(super) fn kill(self) {
        self.task.abort();
    }
}

/// A machine with its history.
#[derive(Clone)]
pub(super) struct Machine {
    pub(super) store: Arc<Store>,
    pub(super) target: SyncTarget,
    person: &'static str,
    pub(super) steps: Arc<Mutex<Vec<Step>>>,
}

impl Machine {
    pub(super) fn new(person: &'static str, server: SocketAddr, space: &str) -> Self {
        Self::with(Store::in_memory(), person, server, space)
    }

    pub(super) fn with(store: Store, person: &'static str, server: SocketAddr, space: &str) -> Self {
        let target = SyncTarget {
            id: Uuid::from_u128(9 << 100),
            server: format!("http://{server}"),
            account: Uuid::from_u128(8 << 100),
            space: space.to_owned(),
            choice: Choice::Everything,
            is_on: true,
        };
        Self { store: Arc::new(store), target, person, steps: Arc::default() }
    }

    pub(super) fn alone(person: &'static str, server: SocketAddr) -> Self {
        Self::new(person, server, PERSONAL)
    }

    pub(super) async fn sync(&self) -> Result<Exchanged, ExchangeError> {
        self.sync_with(tokens(self.person)).await
    }

    pub(super) async fn sync_with(&self, tokens: Tokens) -> Result<Exchanged, ExchangeError> {
        let client = Client::new(&self.target.server, tokens)?;
        let kept = Arc::clone(&self.store);
        let store: AskStore = Arc::new(move |work: Box<dyn FnOnce(&Store) + Send>| {
            let kept = Arc::clone(&kept);
            drop(tokio::task::spawn_blocking(move || work(&kept)));
        });
        let steps = Arc::clone(&self.steps);
        let tell: Tell = Arc::new(move |step| steps.lock().unwrap().push(step));
        Exchange { client, store, target: self.target.clone(), tell }.exchange().await
    }

    /// Its program ends.
    pub(super) async fn close(self) {
        let mut store = self.store;
        // What was asked last may be just about to let go of it.
        let alone = in_time(async {
            loop {
                match Arc::try_unwrap(store) {
                    Ok(alone) => return alone,
                    Err(shared) => store = shared,
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        alone.await.close().unwrap();
    }

    /// Everything that is shown.
    pub(super) fn shown(&self) -> String {
        format!("{:#?} {:#?}", self.store.summaries().unwrap(), self.store.plans().unwrap())
    }

    pub(super) fn waiting(&self) -> usize {
        self.store.waiting(self.target.id, &self.target.choice).unwrap().len()
    }
}

pub(super) fn tokens(person: &'static str) -> Tokens {
    Arc::new(move |_| Box::pin(async move { Ok(person.to_owned()) }))
}

/// Long enough for anything here.
pub(super) async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(120), work).await.expect("in two minutes")
}

pub(super) fn now() -> Timestamp {
    Timestamp::now()
}
