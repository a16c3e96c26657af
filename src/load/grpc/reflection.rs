//! Asking the target for its services and their shapes (gRPC server reflection, v1 or else v1alpha).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use h2::client::SendRequest;
use http::{HeaderValue, Method, Request, Version};
use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::FileDescriptorProto;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, Value};

use super::{frames, schema, status};
use crate::load::LoadError;
use crate::load::connection::Connector;
use crate::load::http2::{self, head};

/// The names of the reflection service, in the order in which they are tried.
const SERVICES: [&str; 2] =
    ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];
/// The longest that asking may take in all.
const ASK_MAX: Duration = Duration::from_secs(10);
/// The largest answer to one question, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The most files that are taken from a target.
const FILES_MAX: usize = 2048;
/// The most services that are asked for.
const SERVICES_MAX: usize = 512;

/// The shapes of these services, or of all that the target lists.
pub(super) async fn ask(
    connector: &Connector,
    authority: &str,
    services: Option<&[&str]>,
) -> Result<DescriptorPool, LoadError> {
    let asked = tokio::time::timeout(ASK_MAX, converse(connector, authority, services)).await;
    asked.unwrap_or_else(|_| Err("the target did not tell its methods within 10 s".to_owned())).map_err(
        |reason| {
            LoadError::Grpc(format!(
                "{reason}; give the messages' shapes as a .proto file or a file of descriptors instead"
            ))
        },
    )
}

async fn converse(
    connector: &Connector,
    authority: &str,
    services: Option<&[&str]>,
) -> Result<DescriptorPool, String> {
    let connected = connector.connect().await.map_err(|class| {
        let words = crate::model::run::error_words(class.name());
        format!("the target could not be asked for its methods: {words}")
    })?;
    if !connected.stream.is_for_http2() {
        return Err("the target does not speak HTTP/2, which gRPC needs".to_owned());
    }
    let (sender, connection) =
        http2::settings().handshake::<_, Bytes>(connected.stream).await.map_err(|error| in_words(&error))?;
    let asking = Asking { sender, is_secure: connector.tls.is_some(), authority, service: SERVICES[0] };
    tokio::select! {
        biased;
        pool = asking.shapes(services) => pool,
        // The calls on it see its end as errors of theirs; this is for one that they did not.
        ended = connection => Err(match ended {
            Ok(()) => "the target closed the connection when asked for its methods".to_owned(),
            Err(error) => in_words(&error),
        }),
    }
}

fn in_words(error: &h2::Error) -> String {
    // What HTTP/1 answers, taken for a frame, is too large for one.
    if error.is_library() && error.reason() == Some(h2::Reason::FRAME_SIZE_ERROR) {
        return "the target does not speak HTTP/2, which gRPC needs".to_owned();
    }
    format!("the target could not be asked for its methods: {error}")
}

/// The shape of a question; of an answer, the message after it.
pub(super) fn request_shape() -> (MessageDescriptor, MessageDescriptor) {
    static SHAPES: OnceLock<DescriptorPool> = OnceLock::new();
    let pool = SHAPES.get_or_init(|| schema::compiled("reflection.proto", include_str!("reflection.proto")));
    let shape = |name: &str| pool.get_message_by_name(name).expect("the file of ours has it");
    (shape("meshbench.reflection.Request"), shape("meshbench.reflection.Response"))
}

/// A conversation with the target.
struct Asking<'a> {
    sender: SendRequest<Bytes>,
    is_secure: bool,
    authority: &'a str,
    service: &'static str,
}

/// Why a question has no answer.
enum NoAnswer {
    /// There is no such service.
    NotThere,
    Failed(String),
}

impl Asking<'_> {
    async fn shapes(mut self, services: Option<&[&str]>) -> Result<DescriptorPool, String> {
        let listed = self.list().await?;
        let services: Vec<String> = match services {
            Some(services) => services.iter().map(|service| (*service).to_owned()).collect(),
            None => listed.into_iter().take(SERVICES_MAX).collect(),
        };
        let mut files = BTreeMap::new();
        for service in &services {
            match self.files("file_containing_symbol", service).await {
                Ok(found) => files.extend(found),
                Err(NoAnswer::NotThere) => return Err(format!("the target has no service {service}")),
                Err(NoAnswer::Failed(reason)) => return Err(reason),
            }
            self.add_imports(&mut files).await?;
        }
        schema::pool_of(files.into_values().collect())
            .map_err(|reason| format!("what the target tells of its methods is not sound: {reason}"))
    }

    /// The names of all services.
    async fn list(&mut self) -> Result<Vec<String>, String> {
        let mut answer = Err(NoAnswer::NotThere);
        for service in SERVICES {
            self.service = service;
            answer = self.question("list_services", "*").await;
            if !matches!(answer, Err(NoAnswer::NotThere)) {
                break;
            }
        }
        let answer = answer.map_err(|reason| match reason {
            NoAnswer::NotThere => "the target does not tell its methods (no server reflection)".to_owned(),
            NoAnswer::Failed(reason) => reason,
        })?;
        let services = part(&answer, "list_services_response", "service");
        let name = |service: &Value| {
            let service = service.as_message()?.get_field_by_name("name")?;
            service.as_str().map(str::to_owned)
        };
        Ok(services.iter().filter_map(name).collect())
    }

    async fn add_imports(&mut self, files: &mut BTreeMap<String, FileDescriptorProto>) -> Result<(), String> {
        let google = DescriptorPool::global();
        let mut asked = BTreeSet::new();
        loop {
            let missing =
                files.values().flat_map(|file| &file.dependency).find(|name| !files.contains_key(*name));
            let Some(name) = missing.cloned() else { return Ok(()) };
            if files.len() >= FILES_MAX || !asked.insert(name.clone()) {
                return Err(format!("the target does not give the file {name} that others import"));
            }
            // Servers often lack the standard ones.
            if let Some(file) = google.get_file_by_name(&name) {
                files.insert(name, file.file_descriptor_proto().clone());
                continue;
            }
            match self.files("file_by_filename", &name).await {
                Ok(found) => files.extend(found),
                Err(NoAnswer::NotThere) => {}
                Err(NoAnswer::Failed(reason)) => return Err(reason),
            }
        }
    }

    async fn files(
        &mut self,
        question: &str,
        about: &str,
    ) -> Result<BTreeMap<String, FileDescriptorProto>, NoAnswer> {
        let answer = self.question(question, about).await?;
        let mut files = BTreeMap::new();
        for bytes in part(&answer, "file_descriptor_response", "file_descriptor_proto") {
            let file = FileDescriptorProto::decode(bytes.as_bytes().cloned().unwrap_or_default());
            let file = file.map_err(|error| {
                NoAnswer::Failed(format!("what the target tells of {about} is not sound: {error}"))
            })?;
            files.insert(file.name().to_owned(), file);
        }
        Ok(files)
    }

    /// One question, on a stream of its own.
    async fn question(&mut self, question: &str, about: &str) -> Result<DynamicMessage, NoAnswer> {
        let (request, response) = request_shape();
        let mut message = DynamicMessage::new(request);
        message.set_field_by_name(question, Value::String(about.to_owned()));
        let called = self.call(frames::framed(&message.encode_to_vec())).await;
        let (head, bytes) = called.map_err(|error| NoAnswer::Failed(in_words(&error)))?;
        match head {
            Ended { code: 12, .. } => return Err(NoAnswer::NotThere),
            Ended { code: status::OK, .. } => {}
            Ended { code, message } => {
                let name = status::NAMES[usize::from(code)];
                return Err(NoAnswer::Failed(format!(
                    "the target does not tell its methods: {name} {message}"
                )));
            }
        }
        let unsound =
            || NoAnswer::Failed("what the target tells of its methods is not a gRPC message".to_owned());
        if bytes.len() < 5 {
            return Err(unsound());
        }
        let answer = DynamicMessage::decode(response, &bytes[5..]).map_err(|_| unsound())?;
        let error =
            answer.get_field_by_name("error_response").filter(|_| answer.has_field_by_name("error_response"));
        if error.is_some() {
            return Err(NoAnswer::NotThere);
        }
        Ok(answer)
    }

    async fn call(&mut self, message: Bytes) -> Result<(Ended, Bytes), h2::Error> {
        let path = format!("/{}/ServerReflectionInfo", self.service);
        let mut head = Request::new(());
        *head.method_mut() = Method::POST;
        *head.version_mut() = Version::HTTP_2;
        if let Ok(uri) = head::uri(self.is_secure, self.authority.as_bytes(), &path) {
            *head.uri_mut() = uri;
        }
        head.headers_mut().insert("te", HeaderValue::from_static("trailers"));
        head.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
        self.sender = self.sender.clone().ready().await?;
        let (answer, mut stream) = self.sender.send_request(head, false)?;
        stream.send_data(message, true)?;
        let (head, mut body) = answer.await?.into_parts();
        let mut bytes = BytesMut::new();
        while let Some(data) = http2::next(&mut body).await {
            let mut data = data?;
            if bytes.len() + data.len() <= ANSWER_BYTES_MAX {
                bytes.extend_from_slice(&data);
            }
            data.advance(data.len());
        }
        let trailers = body.trailers().await?.unwrap_or_default();
        let headers = if trailers.is_empty() { &head.headers } else { &trailers };
        let code = status::given(headers).unwrap_or_else(|| status::of_http(head.status));
        Ok((Ended { code, message: status::message(headers) }, bytes.freeze()))
    }
}

/// How a call ended.
struct Ended {
    code: u8,
    message: String,
}

/// The values of a list within a message of an answer.
fn part(answer: &DynamicMessage, message: &str, list: &str) -> Vec<Value> {
    let part = answer.get_field_by_name(message);
    let list = part.as_ref().and_then(|part| part.as_message()?.get_field_by_name(list));
    list.and_then(|list| list.as_list().map(<[Value]>::to_vec)).unwrap_or_default()
}
