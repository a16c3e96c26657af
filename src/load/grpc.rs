//! gRPC: calls over HTTP/2, and what the target offers to be called.

mod call;
mod frames;
mod message;
mod reflection;
mod schema;
pub(super) mod status;

use prost_reflect::{DescriptorPool, MethodDescriptor};
use url::{Position, Url};

use super::LoadError;
use super::connection::Connector;
use super::http2::Answer;
use super::prepare::Prepared;
use super::source::{Prepared as Call, Source};
use super::tally::End;
use crate::model::Plan;
use crate::model::plan::{GRPC_HEALTH, Grpc, Protocol, Request, Target};
use crate::model::run::ErrorClass;
pub(super) use call::Filler;
pub(super) use frames::Frames;
use schema::Wanted;

/// What a target offers to be called: its services and methods, and the shapes of their messages.
#[derive(Clone, Debug)]
pub struct Description {
    pool: DescriptorPool,
    services: Vec<Service>,
}

/// One service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// `package.Service`.
    pub name: String,
    /// In the order of its definition.
    pub methods: Vec<Method>,
}

/// One method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method {
    /// `package.Service/Method`, as a plan names it.
    pub name: String,
    /// The full name of the message that it takes.
    pub request: String,
    /// The full name of the message that it answers with.
    pub response: String,
    /// Whether it takes a stream of messages; such a method cannot be measured.
    pub takes_stream: bool,
    /// Whether it answers with a stream of messages.
    pub answers_stream: bool,
}

/// Asks for what `target` offers, where its protocol says that shapes come from: the target itself, or files.
///
/// # Errors
/// [`LoadError`], in words for a person.
pub async fn describe(target: &Target) -> Result<Description, LoadError> {
    let mut target = target.clone();
    let schema = match &target.protocol {
        Protocol::Grpc { schema, .. } => schema.clone(),
        _ => crate::model::plan::Schema::Reflection,
    };
    target.protocol = Protocol::Grpc { streams: 1, schema: schema.clone() };
    let call = Grpc { method: GRPC_HEALTH.to_owned(), message: "{}".to_owned() };
    let request = Request { grpc: Some(call), ..Request::default() };
    let plan = Plan { target, request, ..Plan::for_url("") };
    let url = Url::parse(&plan.target.url).map_err(|error| LoadError::Url(error.to_string()))?;
    let connectors = Prepared::new(&plan)?.connectors().await?;
    let pool = schema::shapes(&schema, Wanted::All, &connectors[0], authority(&url)).await?;
    Ok(Description::of(pool))
}

impl Description {
    fn of(pool: DescriptorPool) -> Self {
        let method = |method: MethodDescriptor| Method {
            name: format!("{}/{}", method.parent_service().full_name(), method.name()),
            request: method.input().full_name().to_owned(),
            response: method.output().full_name().to_owned(),
            takes_stream: method.is_client_streaming(),
            answers_stream: method.is_server_streaming(),
        };
        let services = pool
            .services()
            .map(|service| Service {
                name: service.full_name().to_owned(),
                methods: service.methods().map(method).collect(),
            })
            .collect();
        Self { pool, services }
    }

    /// What can be called.
    #[must_use]
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// Whether there is this method (`package.Service/Method`), and it can be measured.
    #[must_use]
    pub fn has(&self, method: &str) -> bool {
        schema::method(&self.pool, method).is_ok()
    }

    /// Whether `json` is a request message of `method` (`package.Service/Method`).
    ///
    /// # Errors
    /// What is wrong, with the field and the line, in words for a person.
    pub fn check(&self, method: &str, json: &str) -> Result<(), String> {
        message::from_json(&schema::method(&self.pool, method)?.input(), json).map(|_| ())
    }

    /// A JSON text with every field of the request message of `method`, to be filled in.
    ///
    /// # Errors
    /// Why there is none: no such method, or one that takes a stream.
    pub fn skeleton(&self, method: &str) -> Result<String, String> {
        schema::method(&self.pool, method).map(|method| message::skeleton(&method.input()))
    }
}

/// Makes the calls of a plan ready: each of its `connectors`' targets may have to be asked for the shapes of the
/// messages that it is sent.
pub(super) async fn fit(plan: &Plan, source: &Source, connectors: &[Connector]) -> Result<(), LoadError> {
    let Protocol::Grpc { schema, .. } = &plan.target.protocol else { return Ok(()) };
    let requests: Vec<&Request> = match plan.variants.as_slice() {
        [] => vec![&plan.request],
        variants => variants.iter().map(|variant| &variant.request).collect(),
    };
    let numbered: Vec<_> = (0u16..).map(|at| source.variant(at)).zip(requests).collect();
    for (origin, connector) in (0u16..).zip(connectors) {
        let here: Vec<_> = numbered.iter().filter(|(prepared, _)| prepared.origin == origin).collect();
        let calls = here.iter().filter_map(|(_, request)| request.grpc.as_ref());
        let methods: Vec<&str> = calls.map(|call| call.method.as_str()).collect();
        let url = &source.origins()[usize::from(origin)];
        let pool = schema::shapes(schema, Wanted::Methods(&methods), connector, authority(url)).await?;
        for (prepared, request) in here {
            fit_call(plan, source, prepared, request, &pool)?;
        }
    }
    Ok(())
}

fn fit_call(
    plan: &Plan,
    source: &Source,
    prepared: &Call,
    request: &Request,
    pool: &DescriptorPool,
) -> Result<(), LoadError> {
    let sample = prepared.message.as_ref().filter(|_| !prepared.is_fixed).map(|message| {
        let mut text = Vec::new();
        message.fill(&mut source.sample(), &mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    let built =
        call::draft(request, sample, &prepared.form.url, plan.timeout, pool).map_err(LoadError::Grpc)?;
    // Set once: a source is made for one run.
    if prepared.is_fixed {
        let _ = prepared.http2.set(built.into());
    } else {
        let method = request.grpc.as_ref().map_or("", |call| call.method.as_str());
        let shape = schema::method(pool, method).map_err(LoadError::Grpc)?.input();
        let _ = prepared.filler.set(Filler { built, method: method.into(), shape });
    }
    Ok(())
}

fn authority(url: &Url) -> &str {
    &url[Position::BeforeHost..Position::AfterPort]
}

/// How a call ended whose answer is whole.
pub(super) fn end(answer: &Answer) -> End {
    match answer.code {
        Some(status::OK) if !(answer.is_sound && answer.frames.is_whole()) => {
            End::Failed(ErrorClass::Protocol)
        }
        Some(code) => End::Grpc(code),
        None if answer.status != 200 => End::Grpc(status::of_http(answer.status)),
        None if !answer.is_grpc => End::Failed(ErrorClass::WrongProtocol),
        None => End::Grpc(status::UNKNOWN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asking_may_move_between_threads() {
        fn may_move<T: Send>(_: &T) {}
        may_move(&describe(&Target::default()));
    }
}
