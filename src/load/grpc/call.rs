//! A plan's calls, made ready to be sent.

use std::time::Duration;

use http::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method, Request, Uri, Version};
use prost_reflect::prost::Message as _;
use prost_reflect::{DescriptorPool, MessageDescriptor};
use url::{Position, Url};

use super::{frames, message, schema};
use crate::load::http2::{Draft, Prebuilt, head};
use crate::load::request::FormField;
use crate::load::source::Prepared;
use crate::load::template::Draw;
use crate::model::plan;

/// A call whose message or metadata differ from request to request.
#[derive(Debug)]
pub(in crate::load) struct Filler {
    pub(super) built: Draft,
    /// `package.Service/Method`.
    pub(super) method: Box<str>,
    pub(super) shape: MessageDescriptor,
}

impl Filler {
    /// The call this time.
    ///
    /// # Errors
    /// Why what was filled in is no message, or no metadata.
    pub(in crate::load) fn fill(&self, prepared: &Prepared, draw: &mut Draw<'_>) -> Result<Prebuilt, String> {
        self.filled(prepared, draw).map(Prebuilt::from)
    }

    fn filled(&self, prepared: &Prepared, draw: &mut Draw<'_>) -> Result<Draft, String> {
        let mut built = self.built.clone();
        let mut text = Vec::new();
        let form = &prepared.form;
        if !form.target.is_fixed() {
            form.target.fill(draw, &mut text);
            let path = text.split(|byte| *byte == b'?').next().unwrap_or_default();
            let path = std::str::from_utf8(path).map_err(|error| error.to_string())?;
            *built.head.uri_mut() = self.uri(path)?;
        }
        if form.cookies.iter().any(|(_, value)| !value.is_fixed()) {
            text.clear();
            form.fill_cookies(draw, &mut text, |_, _| false);
            let value = HeaderValue::from_bytes(&text).map_err(|error| error.to_string())?;
            built.head.headers_mut().insert(COOKIE, value);
        }
        for (name, fields) in differing(&form.fields)? {
            built.head.headers_mut().remove(&name);
            for field in fields {
                text.clear();
                field.value.fill(draw, &mut text);
                let value = HeaderValue::from_bytes(unpadded(&name, &text));
                built.head.headers_mut().append(&name, value.map_err(|error| error.to_string())?);
            }
        }
        if let Some(message) = prepared.message.as_ref().filter(|message| !message.is_fixed()) {
            text.clear();
            message.fill(draw, &mut text);
            let json = std::str::from_utf8(&text).map_err(|error| error.to_string())?;
            built.body = Some(frames::framed(&message::from_json(&self.shape, json)?.encode_to_vec()));
        }
        Ok(built)
    }

    /// Where the call goes whose service is behind this path.
    fn uri(&self, path: &str) -> Result<Uri, String> {
        let mut parts = self.built.head.uri().clone().into_parts();
        let path = behind(path, &self.method);
        parts.path_and_query =
            Some(path.parse().map_err(|error| format!("the path {path} cannot be sent: {error}"))?);
        Uri::from_parts(parts).map_err(|error| error.to_string())
    }
}

/// All metadata of each name of which some differs from request to request.
fn differing(fields: &[FormField]) -> Result<Vec<(HeaderName, Vec<&FormField>)>, String> {
    let mut names: Vec<(HeaderName, Vec<&FormField>)> = Vec::new();
    for field in fields.iter().filter(|field| !field.value.is_fixed()) {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|error| error.to_string())?;
        if names.iter().all(|(known, _)| *known != name) {
            let same = fields.iter().filter(|other| other.name.eq_ignore_ascii_case(name.as_str()));
            names.push((name.clone(), same.collect()));
        }
    }
    Ok(names)
}

/// The path of a method: behind some proxies, services have a path before their name.
fn behind(path: &str, method: &str) -> String {
    format!("{}/{method}", path.trim_end_matches('/'))
}

/// Binary metadata without padding, as gRPC asks of what is sent.
fn unpadded<'a>(name: &HeaderName, value: &'a [u8]) -> &'a [u8] {
    let is_binary = name.as_str().ends_with("-bin");
    let length = value.iter().rposition(|byte| !is_binary || *byte != b'=').map_or(0, |last| last + 1);
    &value[..length]
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
    let path = behind(url.path(), &call.method);
    *head.uri_mut() = head::uri(url.scheme() == "https", host.as_bytes(), &path)?;
    *head.headers_mut() = headers(request, url, timeout)?;
    let body = Some(frames::framed(&message.encode_to_vec()));
    Ok(Draft { head, body, is_grpc: true })
}

fn headers(request: &plan::Request, url: &Url, timeout: Duration) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    headers.insert("te", HeaderValue::from_static("trailers"));
    headers.insert("content-type", HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-timeout", value("grpc-timeout", timeout_text(timeout).as_bytes())?);
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("meshbench/", env!("CARGO_PKG_VERSION"))));
    if !request.cookies.is_empty() {
        let pairs: Vec<String> =
            request.cookies.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        headers.insert(COOKIE, value("cookie", pairs.join("; ").as_bytes())?);
    }
    if let Some(credentials) = crate::load::request::basic(request, url) {
        headers.insert(AUTHORIZATION, value("authorization", credentials.as_bytes())?);
    }
    let mut given = HeaderMap::new();
    for header in &request.headers {
        let name = HeaderName::from_bytes(header.name.as_bytes())
            .map_err(|_| format!("“{}” is not a name of metadata", header.name))?;
        let value = value(&header.name, unpadded(&name, header.value.as_bytes()))?;
        given.append(name, value);
    }
    // Replaces each of ours by all that are given under its name.
    headers.extend(given);
    Ok(headers)
}

fn value(name: &str, text: &[u8]) -> Result<HeaderValue, String> {
    HeaderValue::from_bytes(text).map_err(|_| format!("the value of {name} cannot be sent"))
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
    use crate::load::source::Source;
    use crate::model::plan::{Cookie, GRPC_HEALTH, Grpc, Header, Protocol, Schema};

    #[test]
    fn path_cookies_metadata_and_message_are_filled_in() {
        let header = |name: &str, value: &str| Header {
            name: name.to_owned(),
            value: value.to_owned(),
            secret: false,
        };
        let mut plan = plan::Plan::for_url("http://localhost:8079/t{{$n}}/?x={{$n}}");
        plan.target.protocol = Protocol::Grpc { streams: 1, schema: Schema::Reflection };
        plan.templates = true;
        plan.request.headers = vec![
            header("x-a", "a{{$n}}"),
            header("X-A", "fixed"),
            header("x-a", "b{{$n}}"),
            header("trace-bin", "AA{{$n}}="),
            header("x-b", "alone"),
        ];
        plan.request.cookies = vec![Cookie { name: "sid".to_owned(), value: "s{{$n}}".to_owned() }];
        let message = "{\"service\":\"x{{$n}}\"}".to_owned();
        plan.request.grpc = Some(Grpc { method: GRPC_HEALTH.to_owned(), message });
        let url = Url::parse("http://localhost:8079/").expect("a URL");
        let source = Source::new(&plan, &url).expect("a source");
        let prepared = source.variant(0);
        let pool = DescriptorPool::new();
        let sample = Some("{\"service\":\"x0\"}".to_owned());
        let built = draft(&plan.request, sample, &prepared.form.url, Duration::from_secs(5), &pool);
        let shape = schema::method(&pool, GRPC_HEALTH).expect("known to all").input();
        let filler = Filler { built: built.expect("a call"), method: GRPC_HEALTH.into(), shape };
        let mut draw = Draw { number: 7, ..Draw::nothing() };
        let call = filler.filled(prepared, &mut draw).expect("a call");
        assert_eq!(call.head.uri(), "http://localhost:8079/t7/grpc.health.v1.Health/Check");
        assert_eq!(call.body.as_deref(), Some(&b"\0\0\0\0\x04\x0a\x02x7"[..]));
        let all = |name: &str| -> Vec<&[u8]> {
            call.head.headers().get_all(name).iter().map(HeaderValue::as_bytes).collect()
        };
        assert_eq!(all("x-a"), [&b"a7"[..], b"fixed", b"b7"]);
        assert_eq!((all("cookie"), all("trace-bin")), (vec![&b"sid=s7"[..]], vec![&b"AA7"[..]]));
        assert_eq!((all("x-b"), all("te")), (vec![&b"alone"[..]], vec![&b"trailers"[..]]));
    }

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
