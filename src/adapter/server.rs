//! The same contract, served: to Meshery, to `grpcurl`, and to our own window in memory.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::{self, Stream};
use tokio::io::DuplexStream;
use tokio::net::TcpListener;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::watch;
use tokio::time::timeout;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

use super::door::{self, ServerTls};
use super::running::{RUNNING_MAX, Running, Work};
use super::{Login, MESSAGE_BYTES_MAX};
use crate::model::adapter::{AdapterEvent, AdapterFacts, Category, OperationRequest, Severity};
use crate::proto::MESHES_DESCRIPTORS;
use crate::proto::meshes::mesh_service_server::{MeshService, MeshServiceServer};
use crate::proto::meshes::{
    ApplyRuleRequest, ApplyRuleResponse, ComponentInfoRequest, ComponentInfoResponse,
    CreateMeshInstanceRequest, CreateMeshInstanceResponse, EventType, EventsRequest, EventsResponse,
    MeshNameRequest, MeshNameResponse, MeshVersionsRequest, MeshVersionsResponse, OpCategory,
    ProcessOamRequest, ProcessOamResponse, ProvisionRequest, ProvisionResponse, SupportedOperation,
    SupportedOperationsRequest, SupportedOperationsResponse,
};

/// Events that wait for one who listens slowly; what is older is left out, and that is said.
const EVENTS_WAITING_MAX: usize = 256;
/// The most kubeconfigs that go with one operation.
const LOGINS_MAX: usize = 16;
/// Bytes on the way in memory.
const MEMORY_BYTES: usize = 64 * 1024;
/// Calls in flight on one connection, event streams among them.
const CALLS_MAX: u32 = 64;
/// The most who listen to events at once.
const LISTENERS_MAX: usize = 256;
/// The longest that a call may take until it is answered; what it began goes on.
const CALL_MAX: Duration = Duration::from_secs(30);
/// The longest names and values of a call's header, together.
const HEADER_BYTES_MAX: u32 = 16 * 1024;
/// A connection that says nothing for so long is asked whether it is still there, and has as long to say so as the second.
const ALIVE_EVERY: Duration = Duration::from_secs(30);
const ALIVE_MAX: Duration = Duration::from_secs(10);
/// After the word to stop: for operations that go on, then for connections to end by themselves, then for them to be cut.
const OPERATIONS_END_MAX: Duration = Duration::from_secs(5);
const CONNECTIONS_END_MAX: Duration = Duration::from_secs(1);
const CUT_MAX: Duration = Duration::from_millis(300);

/// What does the work.
pub trait Backend: Send + Sync + 'static {
    /// What it is, and offers now.
    fn facts(&self) -> AdapterFacts;

    /// Begins an operation that is among [`AdapterFacts::operations`], and returns at once; how it goes is reported.
    fn apply(&self, request: OperationRequest, logins: Vec<Login>, report: Reporter);
}

/// Reports how an operation goes, to all who listen.
#[derive(Clone)]
pub struct Reporter {
    events: broadcast::Sender<AdapterEvent>,
    operation_id: String,
    component_name: String,
    /// The operation goes on for as long as someone may report of it.
    _work: Option<Arc<Work>>,
}

impl Reporter {
    /// Tells of the operation; id and component are filled in.
    pub fn tell(&self, event: AdapterEvent) {
        let event = AdapterEvent {
            operation_id: self.operation_id.clone(),
            component: "adapter".to_owned(),
            component_name: self.component_name.clone(),
            ..event
        };
        // Nobody may listen.
        let _ = self.events.send(event);
    }
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
#[error("the adapter cannot be served")]
pub struct ServeError(#[source] Box<dyn std::error::Error + Send + Sync>);

/// How far the end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// Not at all.
    Served,
    /// No operation is begun any more.
    Announced,
    /// Event streams end, and connections with their last call.
    Begun,
    /// Connections are cut.
    Forced,
}

struct Service {
    backend: Arc<dyn Backend>,
    events: broadcast::Sender<AdapterEvent>,
    /// What a client of 2019 handed over.
    handed: Mutex<Option<Login>>,
    running: Running,
    end: watch::Receiver<End>,
}

/// Serves on a listener until `stop`: reflection and health too. Then operations have a few seconds to end, event streams
/// end, and what is left is cut. Which operations still went on is answered.
///
/// # Errors
/// [`ServeError`].
pub async fn serve(
    listener: TcpListener,
    tls: Option<ServerTls>,
    backend: Arc<dyn Backend>,
    stop: impl Future<Output = ()> + Send,
) -> Result<Vec<String>, ServeError> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| ServeError(error);
    let tls = tls.map(|tls| tls.acceptor()).transpose().map_err(|error| failed(error.into()))?;
    let described = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(MESHES_DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<MeshServiceServer<Service>>().await;
    let (end, ending) = watch::channel(End::Served);
    let (service, running) = service(backend, ending.clone());
    let cut = ending.clone();
    let guests = door::guests(listener, tls, move || Box::pin(reached(cut.clone(), End::Forced)));
    let served = bounded()
        .add_service(service)
        .add_service(described().build_v1().map_err(|error| failed(error.into()))?)
        .add_service(described().build_v1alpha().map_err(|error| failed(error.into()))?)
        .add_service(health)
        .serve_with_incoming_shutdown(guests, reached(ending, End::Begun));
    let orderly = async {
        stop.await;
        end.send_replace(End::Announced);
        // Who listens hears how they end.
        let _ = timeout(OPERATIONS_END_MAX, running.none()).await;
        end.send_replace(End::Begun);
        tokio::time::sleep(CONNECTIONS_END_MAX).await;
        end.send_replace(End::Forced);
        tokio::time::sleep(CUT_MAX).await;
    };
    tokio::select! {
        ended = served => ended.map_err(|error| failed(error.into()))?,
        () = orderly => {}
    }
    Ok(running.names())
}

/// Nobody can make it hold much for long.
fn bounded() -> Server {
    Server::builder()
        .concurrency_limit_per_connection(CALLS_MAX as usize)
        .max_concurrent_streams(CALLS_MAX)
        .timeout(CALL_MAX)
        .http2_max_header_list_size(HEADER_BYTES_MAX)
        .http2_keepalive_interval(Some(ALIVE_EVERY))
        .http2_keepalive_timeout(Some(ALIVE_MAX))
}

/// Ready once the end has come so far; never where nobody can end it any more.
async fn reached(mut end: watch::Receiver<End>, so_far: End) {
    if end.wait_for(|end| *end >= so_far).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Serves one client in this process: the stream's other end. Ends with it.
#[must_use]
pub fn in_memory(backend: Arc<dyn Backend>) -> DuplexStream {
    let (here, there) = tokio::io::duplex(MEMORY_BYTES);
    // The server itself is over at once; what it began with the one client goes on for as long as that stays.
    let incoming = stream::once(async { Ok::<_, io::Error>(there) });
    let (service, _) = service(backend, watch::channel(End::Served).1);
    tokio::spawn(Server::builder().add_service(service).serve_with_incoming(incoming));
    here
}

fn service(backend: Arc<dyn Backend>, end: watch::Receiver<End>) -> (MeshServiceServer<Service>, Running) {
    let (events, _) = broadcast::channel(EVENTS_WAITING_MAX);
    let running = Running::new();
    let service = Service { backend, events, handed: Mutex::new(None), running: running.clone(), end };
    let service = MeshServiceServer::new(service)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    (service, running)
}

impl Service {
    fn report(&self, operation_id: &str, work: Option<Arc<Work>>) -> Reporter {
        Reporter {
            events: self.events.clone(),
            operation_id: operation_id.to_owned(),
            component_name: self.backend.facts().name,
            _work: work,
        }
    }

    /// Room for one more operation.
    fn begin(&self, name: &str) -> Result<Arc<Work>, Status> {
        if *self.end.borrow() != End::Served {
            return Err(Status::unavailable("the adapter is about to stop"));
        }
        self.running.begin(name.to_owned()).ok_or_else(|| {
            Status::resource_exhausted(format!(
                "{RUNNING_MAX} operations go on; ask again when one has ended"
            ))
        })
    }

    /// Those of the request, or else what was handed over before.
    fn logins(&self, given: Vec<String>) -> Vec<Login> {
        let given: Vec<Login> = given
            .into_iter()
            .filter(|text| !text.trim().is_empty())
            .map(|text| Login::new(String::new(), text))
            .collect();
        if !given.is_empty() {
            return given;
        }
        self.handed.lock().unwrap_or_else(PoisonError::into_inner).clone().into_iter().collect()
    }
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl MeshService for Service {
    type StreamEventsStream = Pin<Box<dyn Stream<Item = Result<EventsResponse, Status>> + Send>>;

    async fn create_mesh_instance(
        &self,
        request: Request<CreateMeshInstanceRequest>,
    ) -> Answer<CreateMeshInstanceResponse> {
        let request = request.into_inner();
        let text = String::from_utf8(request.k8s_config)
            .map_err(|_| Status::invalid_argument("k8sConfig is no text"))?;
        let login = Login::new(request.context_name, text);
        *self.handed.lock().unwrap_or_else(PoisonError::into_inner) = Some(login);
        Ok(Response::new(CreateMeshInstanceResponse {}))
    }

    async fn mesh_name(&self, _: Request<MeshNameRequest>) -> Answer<MeshNameResponse> {
        Ok(Response::new(MeshNameResponse { name: self.backend.facts().name }))
    }

    async fn mesh_versions(&self, _: Request<MeshVersionsRequest>) -> Answer<MeshVersionsResponse> {
        Ok(Response::new(MeshVersionsResponse { version: self.backend.facts().mesh_versions }))
    }

    async fn apply_operation(&self, request: Request<ApplyRuleRequest>) -> Answer<ApplyRuleResponse> {
        let request = request.into_inner();
        if request.kube_configs.len() > LOGINS_MAX {
            return Err(Status::invalid_argument(format!("more than {LOGINS_MAX} kubeconfigs")));
        }
        let answer = ApplyRuleResponse { error: String::new(), operation_id: request.operation_id.clone() };
        let offered = self.backend.facts().operations;
        let Some(offered) = offered.into_iter().find(|operation| operation.key == request.op_name) else {
            self.report(&request.operation_id, None).tell(AdapterEvent {
                severity: Severity::Error,
                summary: format!("Operation is not supported: {}", request.op_name),
                remedy: "Ask for what SupportedOperations lists".to_owned(),
                ..AdapterEvent::default()
            });
            return Ok(Response::new(answer));
        };
        let report = self.report(&request.operation_id, Some(self.begin(&offered.text)?));
        let logins = self.logins(request.kube_configs);
        // Mistakes are looked for in the whole cluster where nothing else is said.
        let is_said = !request.namespace.is_empty() || offered.category == Category::Validate;
        let asked = OperationRequest {
            id: request.operation_id,
            key: request.op_name,
            namespace: if is_said { request.namespace } else { "default".to_owned() },
            removes: request.delete_op,
            body: request.custom_body,
            version: request.version,
        };
        self.backend.apply(asked, logins, report);
        Ok(Response::new(answer))
    }

    async fn supported_operations(
        &self,
        _: Request<SupportedOperationsRequest>,
    ) -> Answer<SupportedOperationsResponse> {
        let ops = self.backend.facts().operations.into_iter().map(|operation| SupportedOperation {
            key: operation.key,
            value: operation.text,
            category: category(operation.category).into(),
        });
        // As the adapters' library says it.
        Ok(Response::new(SupportedOperationsResponse { ops: ops.collect(), error: "none".to_owned() }))
    }

    async fn stream_events(&self, _: Request<EventsRequest>) -> Answer<Self::StreamEventsStream> {
        if self.events.receiver_count() >= LISTENERS_MAX {
            return Err(Status::resource_exhausted(format!("{LISTENERS_MAX} listen already")));
        }
        let ended: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(reached(self.end.clone(), End::Begun));
        let heard = stream::unfold((self.events.subscribe(), ended), |(mut events, mut ended)| async {
            let heard = tokio::select! {
                // What was reported before the end is heard.
                biased;
                heard = events.recv() => heard,
                () = &mut ended => return None,
            };
            let event = match heard {
                Ok(event) => event,
                Err(RecvError::Lagged(count)) => AdapterEvent {
                    severity: Severity::Warning,
                    summary: format!("{count} events were left out"),
                    details: "They came faster than they were taken.".to_owned(),
                    ..AdapterEvent::default()
                },
                Err(RecvError::Closed) => return None,
            };
            Some((Ok(response(event)), (events, ended)))
        });
        Ok(Response::new(Box::pin(heard)))
    }

    async fn process_oam(&self, _: Request<ProcessOamRequest>) -> Answer<ProcessOamResponse> {
        Err(Status::unimplemented(
            "designs are not carried out; apply their manifests with the operation custom",
        ))
    }

    async fn provision(&self, _: Request<ProvisionRequest>) -> Answer<ProvisionResponse> {
        Err(Status::unimplemented(
            "designs are not carried out; apply their manifests with the operation custom",
        ))
    }

    async fn component_info(&self, _: Request<ComponentInfoRequest>) -> Answer<ComponentInfoResponse> {
        let facts = self.backend.facts();
        Ok(Response::new(ComponentInfoResponse {
            r#type: "adapter".to_owned(),
            name: facts.name,
            version: facts.version,
            git_sha: facts.git_sha,
            properties: std::collections::HashMap::new(),
        }))
    }
}

fn category(category: Category) -> OpCategory {
    match category {
        Category::Install => OpCategory::Install,
        Category::SampleApplication => OpCategory::SampleApplication,
        Category::Configure => OpCategory::Configure,
        Category::Validate => OpCategory::Validate,
        Category::Custom => OpCategory::Custom,
    }
}

fn response(event: AdapterEvent) -> EventsResponse {
    let kind = match event.severity {
        Severity::Info => EventType::Info,
        Severity::Warning => EventType::Warn,
        Severity::Error => EventType::Error,
    };
    EventsResponse {
        event_type: kind.into(),
        summary: event.summary,
        details: event.details,
        operation_id: event.operation_id,
        probable_cause: event.cause,
        suggested_remediation: event.remedy,
        error_code: event.code,
        component: event.component,
        component_name: event.component_name,
    }
}
