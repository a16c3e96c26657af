//! Asking the target for its services and their shapes (gRPC server reflection, v1 or else v1alpha).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use std::time::Duration;

use http::{HeaderValue, Method, Request, Version};
use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::FileDescriptorProto;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, Value};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{frames, schema, status};
use crate::load::LoadError;
use crate::load::connection::{Connector, Stream, exchange_class};
use crate::load::http2::{Conn, Draft, Prebuilt, head};
use crate::model::run::{ErrorClass, error_words};

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
/// Answers are read in pieces of this size.
const PIECE_BYTES: usize = 16 * 1024;
/// The only place on a connection that nobody shares.
const SEAT: usize = 0;

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
        format!("the target could not be asked for its methods: {}", error_words(class.name()))
    })?;
    if !connected.stream.is_for_http2() {
        return Err("the target does not speak HTTP/2, which gRPC needs".to_owned());
    }
    let asking = Asking {
        stream: connected.stream,
        conn: Conn::new(1),
        is_secure: connector.tls.is_some(),
        authority,
        service: SERVICES[0],
    };
    asking.shapes(services).await
}

fn in_words(class: ErrorClass, why: Option<&str>) -> String {
    if class == ErrorClass::WrongProtocol {
        return "the target does not speak HTTP/2, which gRPC needs".to_owned();
    }
    let words = why.map_or_else(|| error_words(class.name()).to_string(), str::to_owned);
    format!("the target could not be asked for its methods: {words}")
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
    stream: Stream,
    conn: Conn,
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
        let (head, bytes) = called.map_err(NoAnswer::Failed)?;
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

    async fn call(&mut self, message: Vec<u8>) -> Result<(Ended, Vec<u8>), String> {
        let path = format!("/{}/ServerReflectionInfo", self.service);
        let mut head = Request::new(());
        *head.method_mut() = Method::POST;
        *head.version_mut() = Version::HTTP_2;
        if let Ok(uri) = head::uri(self.is_secure, self.authority.as_bytes(), &path) {
            *head.uri_mut() = uri;
        }
        head.headers_mut().insert("te", HeaderValue::from_static("trailers"));
        head.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
        let body = message.clone();
        let request = Prebuilt::from(Draft { head, body: Some(message), is_grpc: true });
        if !self.conn.begin(SEAT, &request, None, ANSWER_BYTES_MAX) {
            return Err("the target closed the connection when asked for its methods".to_owned());
        }
        let mut body_sent = 0;
        loop {
            body_sent += self.conn.send_body(SEAT, &body, body_sent);
            let mut why = self.turn().await;
            why = why.or(self.conn.take_trouble());
            let Some((ended, answer)) = self.conn.ended(SEAT) else { continue };
            ended.map_err(|verdict| in_words(verdict.class(), why))?;
            let code = answer.code.unwrap_or_else(|| status::of_http(answer.status));
            let message = status::message(&answer.message);
            return Ok((Ended { code, message }, std::mem::take(&mut answer.body)));
        }
    }

    /// Sends what is laid out and takes in what comes next; what broke the connection, if that did not break itself.
    async fn turn(&mut self) -> Option<&'static str> {
        let sent = match self.stream.write_all(self.conn.unsent()).await {
            Ok(()) => self.stream.flush().await,
            failed => failed,
        };
        if let Err(error) = sent {
            self.conn.end(exchange_class(&error));
            return None;
        }
        self.conn.note_sent(self.conn.unsent().len());
        let mut piece = vec![0; PIECE_BYTES];
        match self.stream.read(&mut piece).await {
            Ok(0) => self.conn.end(ErrorClass::ClosedEarly),
            Ok(length) => {
                if let Err(fault) = self.conn.receive(&piece[..length], 0) {
                    self.conn.fail(fault);
                    return Some(fault.why);
                }
            }
            Err(error) => self.conn.end(exchange_class(&error)),
        }
        None
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
