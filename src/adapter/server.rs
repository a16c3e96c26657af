//! The same contract, served: to Meshery, to `grpcurl`, and to our own window in memory.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::{self, Stream};
use tokio::io::DuplexStream;
use tokio::net::TcpListener;
use tokio::sync::broadcast::{self, error::RecvError};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status};

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
/// Calls in flight on one connection.
const CALLS_MAX: u32 = 64;

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

/// Certificate and key of a server, PEM.
#[derive(Clone)]
pub struct ServerTls {
    /// The certificate, and those up to the authority.
    pub certificate: Vec<u8>,
    /// Its key.
    pub key: Vec<u8>,
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
#[error("the adapter cannot be served")]
pub struct ServeError(#[source] Box<dyn std::error::Error + Send + Sync>);

struct Service {
    backend: Arc<dyn Backend>,
    events: broadcast::Sender<AdapterEvent>,
    /// What a client of 2019 handed over.
    handed: Mutex<Option<Login>>,
}

/// Serves on a listener until `stop`: reflection and health too.
///
/// # Errors
/// [`ServeError`].
pub async fn serve(
    listener: TcpListener,
    tls: Option<ServerTls>,
    backend: Arc<dyn Backend>,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| ServeError(error);
    let mut server = Server::builder().concurrency_limit_per_connection(CALLS_MAX as usize);
    if let Some(tls) = tls {
        let identity = Identity::from_pem(tls.certificate, tls.key);
        server = server
            .tls_config(ServerTlsConfig::new().identity(identity))
            .map_err(|error| failed(error.into()))?;
    }
    let described = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(MESHES_DESCRIPTORS)
    };
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<MeshServiceServer<Service>>().await;
    server
        .add_service(service(backend))
        .add_service(described().build_v1().map_err(|error| failed(error.into()))?)
        .add_service(described().build_v1alpha().map_err(|error| failed(error.into()))?)
        .add_service(health)
        .serve_with_incoming_shutdown(TcpIncoming::from(listener).with_nodelay(Some(true)), stop)
        .await
        .map_err(|error| failed(error.into()))
}

/// Serves one client in this process: the stream's other end. Ends with it.
#[must_use]
pub fn in_memory(backend: Arc<dyn Backend>) -> DuplexStream {
    let (here, there) = tokio::io::duplex(MEMORY_BYTES);
    // The server itself is over at once; what it began with the one client goes on for as long as that stays.
    let incoming = stream::once(async { Ok::<_, io::Error>(there) });
    tokio::spawn(Server::builder().add_service(service(backend)).serve_with_incoming(incoming));
    here
}

fn service(backend: Arc<dyn Backend>) -> MeshServiceServer<Service> {
    let (events, _) = broadcast::channel(EVENTS_WAITING_MAX);
    MeshServiceServer::new(Service { backend, events, handed: Mutex::new(None) })
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX)
}

impl Service {
    fn report(&self, operation_id: &str) -> Reporter {
        Reporter {
            events: self.events.clone(),
            operation_id: operation_id.to_owned(),
            component_name: self.backend.facts().name,
        }
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
        let report = self.report(&request.operation_id);
        let is_offered =
            self.backend.facts().operations.iter().any(|operation| operation.key == request.op_name);
        if !is_offered {
            report.tell(AdapterEvent {
                severity: Severity::Error,
                summary: format!("Operation is not supported: {}", request.op_name),
                remedy: "Ask for what SupportedOperations lists".to_owned(),
                ..AdapterEvent::default()
            });
            return Ok(Response::new(answer));
        }
        let logins = self.logins(request.kube_configs);
        let asked = OperationRequest {
            id: request.operation_id,
            key: request.op_name,
            namespace: if request.namespace.is_empty() { "default".to_owned() } else { request.namespace },
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
        let heard = stream::unfold(self.events.subscribe(), |mut events| async {
            let event = match events.recv().await {
                Ok(event) => event,
                Err(RecvError::Lagged(count)) => AdapterEvent {
                    severity: Severity::Warning,
                    summary: format!("{count} events were left out"),
                    details: "They came faster than they were taken.".to_owned(),
                    ..AdapterEvent::default()
                },
                Err(RecvError::Closed) => return None,
            };
            Some((Ok(response(event)), events))
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
