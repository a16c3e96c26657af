//! The client of every adapter: the handshake, what it offers, what it is asked, what it reports.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex as Lock, PoisonError};
use std::time::{Duration, Instant};

use hyper_util::rt::TokioIo;
use tokio::sync::Mutex;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Status};
use tower::service_fn;

use super::events::{Pace, Sieve};
use super::secrets::Secrets;
use super::way::{Odd, Road, Way};
use super::{Login, MESSAGE_BYTES_MAX, text};
use crate::model::adapter::{AdapterEvent, AdapterFacts, Category, Era, Operation, OperationRequest};
use crate::model::causes::chain;
use crate::proto::meshes::mesh_service_client::MeshServiceClient;
use crate::proto::meshes::{
    ApplyRuleRequest, ComponentInfoRequest, CreateMeshInstanceRequest, EventsRequest, MeshNameRequest,
    MeshVersionsRequest, OpCategory, SupportedOperation, SupportedOperationsRequest,
};

/// The longest wait for a connection.
const DIAL_MAX: Duration = Duration::from_secs(3);
/// The longest wait for an answer about the adapter itself.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// The longest wait until an adapter has taken an operation on: the work goes on afterwards, but some of 2019 do a part of
/// it first.
const APPLY_MAX: Duration = Duration::from_secs(60);
/// So much of an adapter's events waits here unread at most: one that floods is slowed, and not stored.
const WINDOW_BYTES: u32 = 64 * 1024;
/// The most operations of one adapter that are listed.
const OPERATIONS_MAX: usize = 1000;
/// The most versions of a mesh that are listed.
const VERSIONS_MAX: usize = 200;
/// The longest name, key or text.
const LINE_BYTES_MAX: usize = 512;
/// The longest answer that is shown.
const ANSWER_BYTES_MAX: usize = 600;
/// What adapters of the library say where there was no error.
const NO_ERROR: &str = "none";
/// How often an adapter that says nothing is asked whether it is still there. By a call: servers in Go end a connection
/// that is pinged as often.
const ALIVE_EVERY: Duration = Duration::from_secs(20);

/// A connection to an adapter. It is made again by itself where the way allows that.
pub struct Client {
    stub: MeshServiceClient<Channel>,
    road: Road,
    /// Operations share one kubeconfig in most adapters: one at a time.
    turn: Mutex<()>,
    /// Whether it keeps one login for all, as those of 2019 do; known once it was asked.
    keeps_one_login: AtomicBool,
    /// Keys of operations that look for mistakes: those may be of a whole cluster.
    validations: Lock<BTreeSet<String>>,
    /// What must not come back in what it says.
    secrets: Secrets,
}

/// A step of speaking with an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtStep {
    /// The address is read.
    Address,
    /// A connection is made.
    Dial,
    /// It is asked for its mesh's name.
    Name,
    /// It is asked for its own version.
    About,
    /// It is asked what it offers.
    Operations,
    /// A login is handed over.
    HandOver,
    /// An operation is asked for.
    Apply,
    /// Events are listened to.
    Events,
}

/// Why an adapter cannot be spoken with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireError {
    /// At which step.
    pub step: AtStep,
    /// What happened, with the answer received.
    pub cause: String,
    /// What to do.
    pub advice: &'static str,
}

impl AtStep {
    /// What was being done.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Address => "reading its address",
            Self::Dial => "connecting",
            Self::Name => "asking for its mesh’s name (MeshName)",
            Self::About => "asking for its version (ComponentInfo)",
            Self::Operations => "asking what it offers (SupportedOperations)",
            Self::HandOver => "handing over a login",
            Self::Apply => "asking for the operation (ApplyOperation)",
            Self::Events => "listening to its events (StreamEvents)",
        }
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}. {}", self.step.words(), self.cause, self.advice)
    }
}

impl std::error::Error for WireError {}

impl WireError {
    fn of((step, cause, advice): Odd) -> Self {
        Self { step, cause: cause.to_owned(), advice }
    }
}

impl Client {
    /// Connects, and asks for the mesh's name: whoever answers that is an adapter.
    ///
    /// # Errors
    /// [`WireError`].
    pub async fn connect(way: Way) -> Result<Self, WireError> {
        let road = Road::of(way).map_err(|cause| WireError {
            step: AtStep::Address,
            cause,
            advice: "Write it as localhost:10000, or https://adapter.test",
        })?;
        let channel = dial(&road).await?;
        let stub = MeshServiceClient::new(channel)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let client = Self {
            stub,
            road,
            turn: Mutex::new(()),
            keeps_one_login: AtomicBool::new(false),
            validations: Lock::default(),
            secrets: Secrets::default(),
        };
        match client.name().await {
            Ok(_) => Ok(client),
            Err(error) => Err(client.road.odd().map_or(error, WireError::of)),
        }
    }

    /// How long it takes to answer.
    ///
    /// # Errors
    /// [`WireError`].
    pub async fn ping(&self) -> Result<Duration, WireError> {
        let begun = Instant::now();
        self.name().await.map(|_| begun.elapsed())
    }

    /// What the adapter says of itself, and offers now.
    ///
    /// # Errors
    /// [`WireError`].
    pub async fn ask(&self) -> Result<AdapterFacts, WireError> {
        let name = self.name().await?;
        let mut stub = self.stub.clone();
        let about =
            self.within(AtStep::About, ANSWER_MAX, stub.component_info(ComponentInfoRequest {})).await?;
        let mut facts = AdapterFacts { name, era: Era::First, ..AdapterFacts::default() };
        if let Some(about) = about {
            facts.era = Era::Library;
            facts.version = self.line(&about.version);
            facts.git_sha = self.line(&about.git_sha);
            if facts.name.is_empty() {
                facts.name = self.line(&about.name);
            }
        }
        self.keeps_one_login.store(facts.era == Era::First, Ordering::Relaxed);
        // Good to know, and no reason to do without the rest.
        let versions =
            self.within(AtStep::About, ANSWER_MAX, stub.mesh_versions(MeshVersionsRequest {})).await;
        let versions = versions.ok().flatten().map(|told| told.version).unwrap_or_default();
        facts.mesh_versions = versions.iter().take(VERSIONS_MAX).map(|version| self.line(version)).collect();
        (facts.operations, facts.left_out) = self.operations().await?;
        Ok(facts)
    }

    /// What the adapter offers now, sorted, as adapters tell it in any order; and how many operations are not listed.
    ///
    /// # Errors
    /// [`WireError`].
    pub async fn operations(&self) -> Result<(Vec<Operation>, usize), WireError> {
        let step = AtStep::Operations;
        let mut stub = self.stub.clone();
        let told = stub.supported_operations(SupportedOperationsRequest {});
        let told = self.within(step, ANSWER_MAX, told).await?;
        let told = told.ok_or_else(|| missing(step))?;
        let error = told.error.trim();
        if !error.is_empty() && error != NO_ERROR {
            let advice = "Look into the adapter’s own log";
            return Err(WireError { step, cause: answer(error, &self.secrets), advice });
        }
        let (operations, left_out) = listed(told.ops, &self.secrets);
        let validations = operations.iter().filter(|operation| operation.category == Category::Validate);
        let validations = validations.map(|operation| operation.key.clone()).collect();
        *self.validations.lock().unwrap_or_else(PoisonError::into_inner) = validations;
        Ok((operations, left_out))
    }

    /// Asks for an operation, with logins of the clusters in which it is to be done. How it goes is told by events with
    /// the request's id. `agreed`: the address to which a person agreed to send logins where others may read along.
    ///
    /// # Errors
    /// [`WireError`].
    pub async fn apply(
        &self,
        request: &OperationRequest,
        logins: &[Login],
        agreed: Option<&str>,
    ) -> Result<(), WireError> {
        if !logins.is_empty() && !self.road.is_private && agreed != Some(self.road.name.as_str()) {
            return Err(WireError {
                step: AtStep::HandOver,
                cause: format!("everybody on the way to {} could read the cluster’s login", self.road.name),
                advice: "Use https, or a port-forward, or agree to this address",
            });
        }
        if logins.len() > 1 && self.keeps_one_login.load(Ordering::Relaxed) {
            return Err(WireError {
                step: AtStep::HandOver,
                cause: "an adapter of 2019 works on one cluster at a time: the one whose login it was handed last".to_owned(),
                advice: "Choose one context",
            });
        }
        let _turn = self.turn.lock().await;
        let mut stub = self.stub.clone();
        // Adapters of 2019 keep the last login that they were handed; later ones do not know of this.
        logins.iter().for_each(|login| self.secrets.learn(login));
        for login in logins {
            let given = CreateMeshInstanceRequest {
                k8s_config: login.expose().as_bytes().to_vec(),
                context_name: login.context.clone(),
            };
            if self.within(AtStep::HandOver, APPLY_MAX, stub.create_mesh_instance(given)).await?.is_none() {
                break;
            }
        }
        let asked = ApplyRuleRequest {
            op_name: request.key.clone(),
            namespace: self.namespace(request),
            username: "meshbench".to_owned(),
            custom_body: request.body.clone(),
            delete_op: request.removes,
            operation_id: request.id.clone(),
            kube_configs: logins.iter().map(|login| login.expose().to_owned()).collect(),
            version: request.version.clone(),
        };
        let step = AtStep::Apply;
        let answered =
            self.within(step, APPLY_MAX, stub.apply_operation(asked)).await?.ok_or_else(|| missing(step))?;
        let error = answered.error.trim();
        if error.is_empty() || error == NO_ERROR {
            return Ok(());
        }
        let cause = answer(error, &self.secrets);
        Err(WireError { step, cause, advice: "Look into the adapter’s own log" })
    }

    /// Where nothing was said it is the usual one, but mistakes are looked for everywhere.
    fn namespace(&self, request: &OperationRequest) -> String {
        let validations = self.validations.lock().unwrap_or_else(PoisonError::into_inner);
        if request.namespace.is_empty() && !validations.contains(&request.key) {
            return "default".to_owned();
        }
        request.namespace.clone()
    }

    /// Tells each event until the stream ends, and why it did: it never should.
    pub async fn listen(&self, mut tell: impl FnMut(AdapterEvent)) -> WireError {
        let step = AtStep::Events;
        let mut stub = self.stub.clone();
        let hear = async {
            // Servers in Go answer with their first event: however long there is none, it is no failure.
            let mut stream = match stub.stream_events(EventsRequest {}).await {
                Ok(stream) => stream.into_inner(),
                Err(status) if status.code() == Code::Unimplemented => return missing(step),
                Err(status) => return refused(step, &status, &self.secrets),
            };
            let mut sieve = Sieve::new(self.secrets.clone(), Instant::now());
            let ended = loop {
                let heard = match sieve.pace(Instant::now()) {
                    Pace::Read => Some(stream.message().await),
                    Pace::ReadFor(most) => tokio::time::timeout(most, stream.message()).await.ok(),
                    Pace::Pause(time) => {
                        tokio::time::sleep(time).await;
                        None
                    }
                };
                match heard {
                    None => sieve.turn(Instant::now()).into_iter().for_each(&mut tell),
                    Some(Ok(Some(event))) => {
                        sieve.take(event, Instant::now()).into_iter().for_each(&mut tell)
                    }
                    Some(Ok(None)) => {
                        let advice = "It is connected again by itself";
                        break WireError { step, cause: "the adapter ended the stream".to_owned(), advice };
                    }
                    Some(Err(status)) => break refused(step, &status, &self.secrets),
                }
            };
            sieve.flood().into_iter().for_each(&mut tell);
            ended
        };
        let watch = async {
            loop {
                tokio::time::sleep(ALIVE_EVERY).await;
                if let Err(error) = self.name().await {
                    return error;
                }
            }
        };
        tokio::select! {
            ended = hear => ended,
            lost = watch => lost,
        }
    }

    async fn name(&self) -> Result<String, WireError> {
        let step = AtStep::Name;
        let mut stub = self.stub.clone();
        let told = self.within(step, ANSWER_MAX, stub.mesh_name(MeshNameRequest {})).await?;
        Ok(self.line(&told.ok_or_else(|| missing(step))?.name))
    }

    fn line(&self, words: &str) -> String {
        text::line(words, LINE_BYTES_MAX, &self.secrets)
    }

    /// An answer in time; none where the adapter does not know what was asked.
    async fn within<T>(
        &self,
        step: AtStep,
        max: Duration,
        asked: impl Future<Output = Result<tonic::Response<T>, Status>>,
    ) -> Result<Option<T>, WireError> {
        match tokio::time::timeout(max, asked).await {
            Ok(Ok(answered)) => Ok(Some(answered.into_inner())),
            Ok(Err(status)) if status.code() == Code::Unimplemented => Ok(None),
            Ok(Err(status)) => Err(refused(step, &status, &self.secrets)),
            Err(_) => Err(WireError {
                step,
                cause: format!("no answer within {} s", max.as_secs()),
                advice: "Check that it is an adapter that listens there",
            }),
        }
    }
}

async fn dial(road: &Road) -> Result<Channel, WireError> {
    let failed = |cause: String| WireError {
        step: AtStep::Dial,
        cause: format!("{}: {cause}", road.name),
        advice: "Check that the adapter runs there, and its port",
    };
    let endpoint = Endpoint::from_static("http://adapter")
        .connect_timeout(DIAL_MAX)
        .initial_stream_window_size(WINDOW_BYTES);
    let by = road.clone();
    let connector = service_fn(move |_: Uri| {
        let road = by.clone();
        async move { Ok::<_, io::Error>(TokioIo::new(road.open().await?)) }
    });
    match tokio::time::timeout(DIAL_MAX, endpoint.connect_with_connector(connector)).await {
        Ok(Ok(channel)) => Ok(channel),
        Ok(Err(error)) => Err(match road.odd() {
            Some(odd) => WireError::of(odd),
            None => failed(answer(&chain(&error), &Secrets::default())),
        }),
        Err(_) => Err(failed(format!("no connection within {} s", DIAL_MAX.as_secs()))),
    }
}

fn missing(step: AtStep) -> WireError {
    let cause = "it does not know what was asked".to_owned();
    WireError { step, cause, advice: "Check that it is an adapter that listens there" }
}

fn refused(step: AtStep, status: &Status, secrets: &Secrets) -> WireError {
    let advice = match status.code() {
        Code::Unavailable => "Check that the adapter runs; it is connected again by itself",
        Code::ResourceExhausted if step == AtStep::Apply => {
            "Wait until an operation has ended, then ask again"
        }
        Code::OutOfRange | Code::ResourceExhausted => {
            "It sent more than any adapter does; check what listens there"
        }
        Code::Internal | Code::Unknown if step == AtStep::Name => {
            "Check that it is an adapter that listens there"
        }
        _ => "Look into the adapter’s own log",
    };
    let said = if status.message().is_empty() { String::new() } else { format!(": {}", status.message()) };
    let cause = answer(&format!("it answered {:?}{said}", status.code()), secrets);
    WireError { step, cause, advice }
}

fn answer(words: &str, secrets: &Secrets) -> String {
    text::line(words, ANSWER_BYTES_MAX, secrets)
}

/// What can be asked for, sorted, each key once; and how many others there are.
fn listed(told: Vec<SupportedOperation>, secrets: &Secrets) -> (Vec<Operation>, usize) {
    let mut by_key: BTreeMap<String, Operation> = BTreeMap::new();
    let mut left_out = 0;
    for told in told {
        // By its exact key it must be asked for, and by what a person sees.
        if !text::is_clean(&told.key, LINE_BYTES_MAX, secrets) {
            left_out += 1;
            continue;
        }
        let operation = operation(told, secrets);
        match by_key.get_mut(&operation.key) {
            // Whatever their order, the same one stays.
            Some(known) if operation < *known => *known = operation,
            Some(_) => {}
            None => drop(by_key.insert(operation.key.clone(), operation)),
        }
    }
    let mut operations: Vec<Operation> = by_key.into_values().collect();
    operations.sort();
    left_out += operations.len().saturating_sub(OPERATIONS_MAX);
    operations.truncate(OPERATIONS_MAX);
    (operations, left_out)
}

fn operation(told: SupportedOperation, secrets: &Secrets) -> Operation {
    let category = match told.category() {
        OpCategory::Install => Category::Install,
        OpCategory::SampleApplication => Category::SampleApplication,
        OpCategory::Configure => Category::Configure,
        OpCategory::Validate => Category::Validate,
        OpCategory::Custom => Category::Custom,
    };
    let words = text::line(&told.value, LINE_BYTES_MAX, secrets);
    Operation { category, text: if words.is_empty() { told.key.clone() } else { words }, key: told.key }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(key: &str, value: &str, category: OpCategory) -> SupportedOperation {
        SupportedOperation { key: key.to_owned(), value: value.to_owned(), category: category.into() }
    }

    #[test]
    fn what_cannot_be_asked_for_by_its_key_is_counted_and_not_listed() {
        let long = "x".repeat(LINE_BYTES_MAX + 1);
        let keys = ["good", "", "bell\u{7}", " space", "turned\u{202e}", &long, "also good"];
        let (operations, left_out) =
            listed(keys.map(|key| told(key, "", OpCategory::Custom)).to_vec(), &Secrets::default());
        let keys: Vec<&str> = operations.iter().map(|operation| operation.key.as_str()).collect();
        assert_eq!((keys.as_slice(), left_out), (["also good", "good"].as_slice(), 5));
    }

    #[test]
    fn each_key_is_listed_once_and_the_same_whatever_the_order() {
        let mut ops = vec![
            told("a", "second", OpCategory::Install),
            told("b", "other", OpCategory::Configure),
            told("a", "first", OpCategory::Custom),
            told("a", "also", OpCategory::Install),
        ];
        let one = listed(ops.clone(), &Secrets::default());
        ops.reverse();
        assert_eq!(one, listed(ops, &Secrets::default()));
        assert_eq!((one.0.len(), one.0[0].text.as_str(), one.1), (2, "also", 0));
    }

    #[test]
    fn the_bound_keeps_the_first_in_order_and_not_the_first_that_came() {
        let ops: Vec<SupportedOperation> = (0..OPERATIONS_MAX + 10)
            .rev()
            .map(|number| told(&format!("{number:05}"), "", OpCategory::Custom))
            .collect();
        let (operations, left_out) = listed(ops, &Secrets::default());
        assert_eq!((operations.len(), left_out), (OPERATIONS_MAX, 10));
        assert_eq!(operations[0].key, "00000");
    }
}
