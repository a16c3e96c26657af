//! A plan's calls, made ready to be sent.

use std::time::Duration;

use http::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method, Request, Version};
use prost_reflect::prost::Message as _;
use prost_reflect::{DescriptorPool, MessageDescriptor};
use url::{Position, Url};

use super::{frames, message, schema};
use crate::load::http2::{Draft, Prebuilt, head};
use crate::load::source::Prepared;
use crate::load::template::Draw;
use crate::model::plan;

/// A call whose message or metadata differ from request to request.
#[derive(Debug)]
pub(in crate::load) struct Filler {
    pub(super) built: Draft,
    pub(super) shape: MessageDescriptor,
}

impl Filler {
    /// The call this time.
    ///
    /// # Errors
    /// Why what was filled in is no message, or no metadata.
    pub(in crate::load) fn fill(&self, prepared: &Prepared, draw: &mut Draw<'_>) -> Result<Prebuilt, String> {
        let mut built = self.built.clone();
        let mut text = Vec::new();
        for field in prepared.form.fields.iter().filter(|field| !field.value.is_fixed()) {
            text.clear();
            field.value.fill(draw, &mut text);
            let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|error| error.to_string())?;
            let value = HeaderValue::from_bytes(&text).map_err(|error| error.to_string())?;
            built.head.headers_mut().insert(name, value);
        }
        if let Some(message) = prepared.message.as_ref().filter(|message| !message.is_fixed()) {
            text.clear();
            message.fill(draw, &mut text);
            let json = std::str::from_utf8(&text).map_err(|error| error.to_string())?;
            built.body = Some(frames::framed(&message::from_json(&self.shape, json)?.encode_to_vec()));
        }
        Ok(built.into())
    }
}

/// The call that a request of the plan asks for; `sample` is its message with templates filled in, if it has any.
///
/// # Errors
/// Why it cannot be made.
pub(super) fn draft(
    request: &plan::Request,
    sample: Option<String>,
    url: &Url,
    timeout: Duration,
    pool: &DescriptorPool,
) -> Result<Draft, String> {
    let call = request.grpc.as_ref().ok_or("gRPC needs a method to call")?;
    let method = schema::method(pool, &call.method)?;
    let message = message::from_json(&method.input(), sample.as_ref().unwrap_or(&call.message))
        .map_err(|error| format!("the message for {}: {error}", call.method))?;
    let mut head = Request::new(());
    *head.method_mut() = Method::POST;
    *head.version_mut() = Version::HTTP_2;
    let host = &url[Position::BeforeHost..Position::AfterPort];
    // Behind some proxies, services have a path before their name.
    let path = format!("{}/{}", url.path().trim_end_matches('/'), call.method);
    *head.uri_mut() = head::uri(url.scheme() == "https", host.as_bytes(), &path)?;
    *head.headers_mut() = headers(request, url, timeout)?;
    let body = Some(frames::framed(&message.encode_to_vec()));
    Ok(Draft { head, body, is_grpc: true })
}

fn headers(request: &plan::Request, url: &Url, timeout: Duration) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    headers.insert("te", HeaderValue::from_static("trailers"));
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-timeout", value("grpc-timeout", &timeout_text(timeout))?);
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("meshbench/", env!("CARGO_PKG_VERSION"))));
    if !request.cookies.is_empty() {
        let pairs: Vec<String> =
            request.cookies.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        headers.insert(COOKIE, value("cookie", &pairs.join("; "))?);
    }
    if let Some(credentials) = crate::load::request::basic(request, url) {
        headers.insert(AUTHORIZATION, value("authorization", &credentials)?);
    }
    let mut given = HeaderMap::new();
    for header in &request.headers {
        let name = HeaderName::from_bytes(header.name.as_bytes())
            .map_err(|_| format!("“{}” is not a name of metadata", header.name))?;
        // Without padding, as gRPC asks of what is sent.
        let text = match name.as_str().ends_with("-bin") {
            true => header.value.trim_end_matches('='),
            false => header.value.as_str(),
        };
        let value = value(&header.name, text)?;
        given.append(name, value);
    }
    // Replaces each of ours by all that are given under its name.
    headers.extend(given);
    Ok(headers)
}

fn value(name: &str, text: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_bytes(text.as_bytes()).map_err(|_| format!("the value of {name} cannot be sent"))
}

/// As gRPC writes it: at most eight digits and a unit.
fn timeout_text(timeout: Duration) -> String {
    match timeout.as_micros() {
        micros @ 0..=99_999_999 => format!("{micros}u"),
        micros => format!("{}m", micros / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::plan::{GRPC_HEALTH, Grpc, Header};

    #[test]
    fn a_call_carries_what_grpc_asks_for_and_the_plans_metadata() {
        let header = |name: &str, value: &str| Header {
            name: name.to_owned(),
            value: value.to_owned(),
            secret: false,
        };
        let request = plan::Request {
            headers: vec![
                header("X-Tenant", "a"),
                header("x-tenant", "b"),
                header("trace-bin", "AAE="),
                header("User-Agent", "me"),
            ],
            grpc: Some(Grpc { method: GRPC_HEALTH.to_owned(), message: "{\"service\":\"x\"}".to_owned() }),
            ..plan::Request::default()
        };
        let url = Url::parse("http://localhost:8079/prefix/").expect("a URL");
        let built =
            draft(&request, None, &url, Duration::from_secs(5), &DescriptorPool::new()).expect("a call");
        assert_eq!(built.head.uri(), "http://localhost:8079/prefix/grpc.health.v1.Health/Check");
        assert_eq!(built.body.as_deref(), Some(&b"\0\0\0\0\x03\x0a\x01x"[..]));
        let headers = built.head.headers();
        for (name, value) in [
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("grpc-timeout", "5000000u"),
            ("trace-bin", "AAE"),
            ("user-agent", "me"),
        ] {
            let found: Vec<_> = headers.get_all(name).iter().collect();
            assert_eq!(found, [value], "{name}");
        }
        assert_eq!(headers.get_all("x-tenant").iter().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(timeout_text(Duration::from_secs(600)), "600000m");
    }
}
