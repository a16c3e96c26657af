//! Adapters of our own making: as they were in 2019, as the library makes them, and such as mean ill.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use futures_util::stream::{self, Stream, StreamExt as _};
use meshbench::proto::meshes::mesh_service_server::{MeshService, MeshServiceServer};
use meshbench::proto::meshes::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};

type Answer<T> = Result<Response<T>, Status>;
type Events = Pin<Box<dyn Stream<Item = Result<EventsResponse, Status>> + Send>>;

/// What a peer makes of what it is asked.
pub(super) trait Adapter: Clone + Send + Sync + 'static {
    fn name(&self) -> String;
    fn about(&self) -> Option<ComponentInfoResponse> {
        None
    }
    fn operations(&self) -> SupportedOperationsResponse;
    /// Whether it keeps what it is handed.
    fn is_handed(&self, _: CreateMeshInstanceRequest) -> bool {
        false
    }
    /// Why it refuses an operation at once.
    fn refuses(&self, _: &ApplyRuleRequest) -> Option<Status> {
        None
    }
    /// What it reports of an operation.
    fn apply(&self, request: &ApplyRuleRequest) -> Option<EventsResponse>;
    /// Whether it says nothing at all to whoever listens until it has something to say.
    fn is_late(&self) -> bool {
        false
    }
    /// What it says to whoever listens, before anything else.
    fn says(&self) -> Events {
        Box::pin(stream::empty())
    }
}

/// A peer on loopback; gone when this is dropped.
pub(super) struct Served {
    pub(super) address: SocketAddr,
    listeners: watch::Receiver<usize>,
    asked: watch::Receiver<usize>,
    runtime: Option<tokio::runtime::Runtime>,
}

struct Peer<A> {
    adapter: A,
    events: broadcast::Sender<EventsResponse>,
    heard: watch::Sender<usize>,
    /// Operations that it took on.
    asked: watch::Sender<usize>,
}

impl Served {
    pub(super) async fn start(adapter: impl Adapter) -> Self {
        Self::start_on("127.0.0.1:0", adapter).await
    }

    pub(super) async fn start_on(address: &str, adapter: impl Adapter) -> Self {
        let mut bound = TcpListener::bind(address).await;
        // The one before may be still about to end.
        for _ in 0..1000 {
            if bound.is_ok() {
                break;
            }
            tokio::task::yield_now().await;
            bound = TcpListener::bind(address).await;
        }
        let listener = bound.expect("an address");
        let address = listener.local_addr().expect("an address");
        let (heard, listeners) = watch::channel(0);
        let (asking, asked) = watch::channel(0);
        let peer = Peer { adapter, events: broadcast::channel(64).0, heard, asked: asking };
        let service = MeshServiceServer::new(peer).max_encoding_message_size(usize::MAX);
        // What is spawned for a connection dies with its runtime only, as with a process.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = listener.into_std().expect("a listener");
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("a listener");
            let _ =
                Server::builder().add_service(service).serve_with_incoming(TcpIncoming::from(listener)).await;
        });
        Self { address, listeners, asked, runtime: Some(runtime) }
    }

    /// Waits until it took so many operations on.
    pub(super) async fn until_asked(&self, count: usize) {
        let mut asked = self.asked.clone();
        let asked = asked.wait_for(|asked| *asked >= count);
        tokio::time::timeout(super::PATIENCE, asked).await.expect("it is asked").expect("it is served");
    }

    /// Waits until someone listens to its events: what is told before is lost, as with any adapter.
    pub(super) async fn until_heard(&self) {
        let mut listeners = self.listeners.clone();
        let heard = listeners.wait_for(|count| *count > 0);
        tokio::time::timeout(super::PATIENCE, heard).await.expect("someone listens").expect("it is served");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[tonic::async_trait]
impl<A: Adapter> MeshService for Peer<A> {
    type StreamEventsStream = Events;

    async fn create_mesh_instance(
        &self,
        request: Request<CreateMeshInstanceRequest>,
    ) -> Answer<CreateMeshInstanceResponse> {
        if self.adapter.is_handed(request.into_inner()) {
            return Ok(Response::new(CreateMeshInstanceResponse {}));
        }
        Err(Status::unimplemented("unknown method CreateMeshInstance"))
    }

    async fn mesh_name(&self, _: Request<MeshNameRequest>) -> Answer<MeshNameResponse> {
        Ok(Response::new(MeshNameResponse { name: self.adapter.name() }))
    }

    async fn mesh_versions(&self, _: Request<MeshVersionsRequest>) -> Answer<MeshVersionsResponse> {
        match self.adapter.about() {
            Some(_) => Ok(Response::new(MeshVersionsResponse::default())),
            None => Err(Status::unimplemented("unknown method MeshVersions")),
        }
    }

    async fn apply_operation(&self, request: Request<ApplyRuleRequest>) -> Answer<ApplyRuleResponse> {
        let request = request.into_inner();
        if let Some(status) = self.adapter.refuses(&request) {
            return Err(status);
        }
        if let Some(event) = self.adapter.apply(&request) {
            let _ = self.events.send(EventsResponse { operation_id: request.operation_id.clone(), ..event });
        }
        self.asked.send_modify(|count| *count += 1);
        Ok(Response::new(ApplyRuleResponse { error: String::new(), operation_id: request.operation_id }))
    }

    async fn supported_operations(
        &self,
        _: Request<SupportedOperationsRequest>,
    ) -> Answer<SupportedOperationsResponse> {
        Ok(Response::new(self.adapter.operations()))
    }

    async fn stream_events(&self, _: Request<EventsRequest>) -> Answer<Events> {
        let told = stream::unfold(self.events.subscribe(), |mut events| async {
            events.recv().await.ok().map(|event| (Ok(event), events))
        });
        self.heard.send_modify(|count| *count += 1);
        if self.adapter.is_late() {
            std::future::pending::<()>().await;
        }
        Ok(Response::new(Box::pin(self.adapter.says().chain(told))))
    }

    async fn process_oam(&self, _: Request<ProcessOamRequest>) -> Answer<ProcessOamResponse> {
        Err(Status::unimplemented("unknown method ProcessOAM"))
    }

    async fn provision(&self, _: Request<ProvisionRequest>) -> Answer<ProvisionResponse> {
        Err(Status::unimplemented("unknown method Provision"))
    }

    async fn component_info(&self, _: Request<ComponentInfoRequest>) -> Answer<ComponentInfoResponse> {
        self.adapter
            .about()
            .map(Response::new)
            .ok_or_else(|| Status::unimplemented("unknown method ComponentInfo"))
    }
}

fn operation(key: &str, value: &str, category: OpCategory) -> SupportedOperation {
    SupportedOperation { key: key.to_owned(), value: value.to_owned(), category: category.into() }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// What a peer was told, in order.
type Log = Arc<Mutex<Vec<String>>>;

/// Of 2019: it needs to be handed a kubeconfig, its operations are a map, and it knows nothing of itself.
#[derive(Clone, Default)]
pub(super) struct First(Log);

impl First {
    pub(super) fn told(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Adapter for First {
    fn name(&self) -> String {
        "Istio".to_owned()
    }

    fn operations(&self) -> SupportedOperationsResponse {
        // On the wire a map's entry is a key and a value, without a category.
        let entry = |key, value| operation(key, value, OpCategory::Install);
        let ops = vec![entry("istio_install", "Latest Istio without mTLS"), entry("custom", "Custom YAML")];
        SupportedOperationsResponse { ops, error: String::new() }
    }

    fn is_handed(&self, request: CreateMeshInstanceRequest) -> bool {
        let text = String::from_utf8_lossy(&request.k8s_config).into_owned();
        self.0.lock().unwrap().push(format!("handed {}: {text}", request.context_name));
        true
    }

    fn apply(&self, request: &ApplyRuleRequest) -> Option<EventsResponse> {
        let logins = request.kube_configs.len();
        let told = format!("{} in {}, {logins} login{}", request.op_name, request.namespace, plural(logins));
        self.0.lock().unwrap().push(told);
        Some(EventsResponse {
            summary: "Istio installed successfully".to_owned(),
            ..EventsResponse::default()
        })
    }
}

/// As the adapters' library makes them: no error is "none", operations come in any order.
#[derive(Clone, Default)]
pub(super) struct Library(Log);

impl Library {
    pub(super) fn told(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Adapter for Library {
    fn name(&self) -> String {
        "LINKERD".to_owned()
    }

    fn about(&self) -> Option<ComponentInfoResponse> {
        Some(ComponentInfoResponse {
            r#type: "adapter".to_owned(),
            name: "LINKERD".to_owned(),
            version: "v0.8.1".to_owned(),
            git_sha: "abc1234".to_owned(),
            ..ComponentInfoResponse::default()
        })
    }

    fn operations(&self) -> SupportedOperationsResponse {
        let ops = vec![
            operation("custom", "Custom YAML", OpCategory::Custom),
            operation("annotate-namespace", "Automatic sidecar injection", OpCategory::Configure),
            operation("linkerd", "Linkerd", OpCategory::Install),
            operation("smi_conformance", "SMI Conformance", OpCategory::Validate),
            operation("emojivoto", "EmojiVoto Application", OpCategory::SampleApplication),
        ];
        SupportedOperationsResponse { ops, error: "none".to_owned() }
    }

    fn apply(&self, request: &ApplyRuleRequest) -> Option<EventsResponse> {
        let verb = if request.delete_op { " removed" } else { "" };
        let logins = request.kube_configs.len();
        let told = format!(
            "{}{verb} in {}, {logins} login{}, version {}",
            request.op_name,
            request.namespace,
            plural(logins),
            request.version
        );
        self.0.lock().unwrap().push(told);
        Some(EventsResponse {
            event_type: EventType::Error.into(),
            summary: "Error while uninstalling Linkerd".to_owned(),
            probable_cause: "it cannot be".to_owned(),
            suggested_remediation: "try another".to_owned(),
            error_code: "1013".to_owned(),
            component: "adapter".to_owned(),
            component_name: "LINKERD".to_owned(),
            ..EventsResponse::default()
        })
    }
}

/// Such as mean ill, or are broken.
#[derive(Clone, Copy)]
pub(super) enum Hostile {
    /// Reports without end.
    Flood,
    /// Reports much at once, and then nothing.
    Burst,
    /// Says again what it was handed: of the operation `refused` in its refusal, of others in what it reports.
    Parrot,
    /// Does not answer whoever listens before it has something to say.
    Late,
    /// Offers 100 MB.
    Huge,
    /// Sends what moves a terminal's cursor, and everything twice.
    Controls,
}

impl Adapter for Hostile {
    fn is_late(&self) -> bool {
        matches!(self, Self::Late)
    }

    fn name(&self) -> String {
        if matches!(self, Self::Controls) { "a\u{1b}[31mb".to_owned() } else { "ILL".to_owned() }
    }

    fn operations(&self) -> SupportedOperationsResponse {
        let one = operation("custom", "Custom\u{7}", OpCategory::Custom);
        let ops = match self {
            Self::Huge => vec![operation("custom", &"x".repeat(100 << 20), OpCategory::Custom)],
            Self::Controls => vec![one.clone(), one, operation("be\u{7}ll", "", OpCategory::Custom)],
            _ => vec![one.clone(), one],
        };
        SupportedOperationsResponse { ops, error: String::new() }
    }

    fn is_handed(&self, _: CreateMeshInstanceRequest) -> bool {
        matches!(self, Self::Parrot)
    }

    fn refuses(&self, request: &ApplyRuleRequest) -> Option<Status> {
        let is_it = matches!(self, Self::Parrot) && request.op_name == "refused";
        is_it.then(|| Status::internal(format!("cannot read {}", request.kube_configs.join("\n"))))
    }

    fn apply(&self, request: &ApplyRuleRequest) -> Option<EventsResponse> {
        let said = request.kube_configs.join("\n");
        matches!(self, Self::Parrot).then(|| EventsResponse {
            event_type: EventType::Error.into(),
            summary: format!("it was handed {said}"),
            details: said.clone(),
            probable_cause: said.replace('\n', " "),
            suggested_remediation: "Authorization: Bearer CANARY-0123456789-of-someone-else".to_owned(),
            ..EventsResponse::default()
        })
    }

    fn says(&self) -> Events {
        let event = |summary: String| Ok(EventsResponse { summary, ..EventsResponse::default() });
        match self {
            Self::Flood => {
                let numbered = stream::iter(0_u64..).map(move |number| event(format!("event {number}")));
                Box::pin(numbered)
            }
            Self::Burst => Box::pin(stream::iter(0..200).map(move |number| event(format!("event {number}")))),
            Self::Huge | Self::Late | Self::Parrot => Box::pin(stream::empty()),
            Self::Controls => {
                let said = ["same \u{1b}[2J", "same \u{1b}[2J", "last"];
                Box::pin(stream::iter(said.map(|summary| event(summary.to_owned()))))
            }
        }
    }
}

/// A connection for clients that are not our own.
pub(super) async fn channel(url: impl ToString) -> Channel {
    let endpoint = Endpoint::from_shared(url.to_string()).expect("a URL");
    endpoint.connect().await.expect("a connection")
}

/// Takes connections and closes each at once.
pub(super) async fn closing() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    address
}

/// Takes connections and answers each with these bytes; with none it says nothing, and holds on.
pub(super) async fn raw(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut asked = [0; 4096];
                while let Ok(1..) = stream.read(&mut asked).await {
                    if !answer.is_empty() {
                        let _ = stream.write_all(answer).await;
                        return;
                    }
                }
            });
        }
    });
    address
}
