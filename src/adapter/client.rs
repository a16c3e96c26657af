//! The client of every adapter: the handshake, what it offers, what it is asked, what it reports.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hyper_util::rt::TokioIo;
use tokio::sync::Mutex;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Code, Status};
use tower::service_fn;

use super::way::{Road, Way};
use super::{Login, MESSAGE_BYTES_MAX, events, text};
use crate::model::adapter::{AdapterEvent, AdapterFacts, Category, Era, Operation, OperationRequest};
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
        let client = Self { stub, road, turn: Mutex::new(()), keeps_one_login: AtomicBool::new(false) };
        client.name().await?;
        Ok(client)
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
        let about = within(AtStep::About, ANSWER_MAX, stub.component_info(ComponentInfoRequest {})).await?;
        let mut facts = AdapterFacts { name, era: Era::First, ..AdapterFacts::default() };
        if let Some(about) = about {
            facts.era = Era::Library;
            facts.version = text::line(&about.version, LINE_BYTES_MAX);
            facts.git_sha = text::line(&about.git_sha, LINE_BYTES_MAX);
            if facts.name.is_empty() {
                facts.name = text::line(&about.name, LINE_BYTES_MAX);
            }
        }
        self.keeps_one_login.store(facts.era == Era::First, Ordering::Relaxed);
        // Good to know, and no reason to do without the rest.
        let versions = within(AtStep::About, ANSWER_MAX, stub.mesh_versions(MeshVersionsRequest {})).await;
        let versions = versions.ok().flatten().map(|told| told.version).unwrap_or_default();
        facts.mesh_versions =
            versions.iter().take(VERSIONS_MAX).map(|version| text::line(version, LINE_BYTES_MAX)).collect();
        facts.operations = self.operations().await?;
        Ok(facts)
    }

    /// What the adapter offers now, sorted: adapters tell it in any order.
    ///
    /// # Errors
    /// [`WireError`].
    pub async fn operations(&self) -> Result<Vec<Operation>, WireError> {
        let step = AtStep::Operations;
        let mut stub = self.stub.clone();
        let told = within(step, ANSWER_MAX, stub.supported_operations(SupportedOperationsRequest {})).await?;
        let told = told.ok_or_else(|| missing(step))?;
        let error = told.error.trim();
        if !error.is_empty() && error != NO_ERROR {
            let advice = "Look into the adapter’s own log";
            return Err(WireError { step, cause: answer(error), advice });
        }
        let mut operations: Vec<Operation> =
            told.ops.into_iter().take(OPERATIONS_MAX).map(operation).collect();
        operations.retain(|operation| !operation.key.is_empty());
        operations.sort();
        operations.dedup_by(|one, other| one.key == other.key);
        Ok(operations)
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
        for login in logins {
            let given = CreateMeshInstanceRequest {
                k8s_config: login.expose().as_bytes().to_vec(),
                context_name: login.context.clone(),
            };
            if within(AtStep::HandOver, APPLY_MAX, stub.create_mesh_instance(given)).await?.is_none() {
                break;
            }
        }
        let asked = ApplyRuleRequest {
            op_name: request.key.clone(),
            namespace: if request.namespace.is_empty() {
                "default".to_owned()
            } else {
                request.namespace.clone()
            },
            username: "meshbench".to_owned(),
            custom_body: request.body.clone(),
            delete_op: request.removes,
            operation_id: request.id.clone(),
            kube_configs: logins.iter().map(|login| login.expose().to_owned()).collect(),
            version: request.version.clone(),
        };
        let step = AtStep::Apply;
        let answered =
            within(step, APPLY_MAX, stub.apply_operation(asked)).await?.ok_or_else(|| missing(step))?;
        let error = answered.error.trim();
        if error.is_empty() || error == NO_ERROR {
            return Ok(());
        }
        Err(WireError { step, cause: answer(error), advice: "Look into the adapter’s own log" })
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
                Err(status) => return refused(step, &status),
            };
            let mut sieve = events::Sieve::default();
            let ended = loop {
                match stream.message().await {
                    Ok(Some(event)) => sieve.take(event, Instant::now()).into_iter().for_each(&mut tell),
                    Ok(None) => {
                        let advice = "It is connected again by itself";
                        break WireError { step, cause: "the adapter ended the stream".to_owned(), advice };
                    }
                    Err(status) => break refused(step, &status),
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
        let told = within(step, ANSWER_MAX, stub.mesh_name(MeshNameRequest {})).await?;
        Ok(text::line(&told.ok_or_else(|| missing(step))?.name, LINE_BYTES_MAX))
    }
}

async fn dial(road: &Road) -> Result<Channel, WireError> {
    let failed = |cause: String| WireError {
        step: AtStep::Dial,
        cause: format!("{}: {cause}", road.name),
        advice: "Check that the adapter runs there, and its port",
    };
    let endpoint = Endpoint::from_static("http://adapter").connect_timeout(DIAL_MAX);
    let by = road.clone();
    let connector = service_fn(move |_: Uri| {
        let road = by.clone();
        async move { Ok::<_, io::Error>(TokioIo::new(road.open().await?)) }
    });
    match tokio::time::timeout(DIAL_MAX, endpoint.connect_with_connector(connector)).await {
        Ok(channel) => channel.map_err(|error| failed(answer(&chain(&error)))),
        Err(_) => Err(failed(format!("no connection within {} s", DIAL_MAX.as_secs()))),
    }
}

/// An answer in time; none where the adapter does not know what was asked.
async fn within<T>(
    step: AtStep,
    max: Duration,
    asked: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> Result<Option<T>, WireError> {
    match tokio::time::timeout(max, asked).await {
        Ok(Ok(answered)) => Ok(Some(answered.into_inner())),
        Ok(Err(status)) if status.code() == Code::Unimplemented => Ok(None),
        Ok(Err(status)) => Err(refused(step, &status)),
        Err(_) => Err(WireError {
            step,
            cause: format!("no answer within {} s", max.as_secs()),
            advice: "Check that it is an adapter that listens there",
        }),
    }
}

fn missing(step: AtStep) -> WireError {
    let cause = "it does not know what was asked".to_owned();
    WireError { step, cause, advice: "Check that it is an adapter that listens there" }
}

fn refused(step: AtStep, status: &Status) -> WireError {
    let advice = match status.code() {
        Code::Unavailable => "Check that the adapter runs; it is connected again by itself",
        Code::OutOfRange | Code::ResourceExhausted => {
            "It sent more than any adapter does; check what listens there"
        }
        Code::Internal | Code::Unknown if step == AtStep::Name => {
            "Check that it is an adapter that listens there"
        }
        _ => "Look into the adapter’s own log",
    };
    let said = if status.message().is_empty() { String::new() } else { format!(": {}", status.message()) };
    let cause = answer(&format!("it answered {:?}{said}", status.code()));
    WireError { step, cause, advice }
}

fn answer(words: &str) -> String {
    text::line(words, ANSWER_BYTES_MAX)
}

/// An error with all that caused it, each said once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut words = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let said = error.to_string();
        if !words.contains(&said) {
            if !words.is_empty() {
                words.push_str(": ");
            }
            words.push_str(&said);
        }
        next = error.source();
    }
    words
}

fn operation(told: SupportedOperation) -> Operation {
    let category = match told.category() {
        OpCategory::Install => Category::Install,
        OpCategory::SampleApplication => Category::SampleApplication,
        OpCategory::Configure => Category::Configure,
        OpCategory::Validate => Category::Validate,
        OpCategory::Custom => Category::Custom,
    };
    let key = text::line(&told.key, LINE_BYTES_MAX);
    let words = text::line(&told.value, LINE_BYTES_MAX);
    Operation { category, text: if words.is_empty() { key.clone() } else { words }, key }
}
