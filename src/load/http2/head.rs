//! A request as HTTP/2 sends it, made from the one that HTTP/1.1 would send.

use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, HOST, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderName, HeaderValue, Method, Request, Uri, Version};

use super::frame::{self, Head, Kind, PAYLOAD_BYTES_MAX};
use super::hpack::{self, Care};
use crate::load::response::HEADERS_MAX;

/// A request, ready to be sent again and again.
#[derive(Clone, Debug)]
pub(in crate::load) struct Prebuilt {
    /// Its head in frames, on a stream without a number.
    pub(super) head: Box<[u8]>,
    pub(super) body: Vec<u8>,
    pub(super) is_grpc: bool,
    /// Whether its answer has no body, whatever its head says.
    pub(super) is_head: bool,
    /// Whether it may be sent again where nobody knows if it was carried out: by its method (RFC 9110, 9.2.2).
    pub(super) is_idempotent: bool,
    /// Whether cookies and redirects of its answer matter.
    pub(in crate::load) is_followed: bool,
}

/// What a request says.
#[derive(Clone, Debug)]
pub(in crate::load) struct Draft {
    pub(in crate::load) head: Request<()>,
    pub(in crate::load) body: Option<Vec<u8>>,
    pub(in crate::load) is_grpc: bool,
}

impl From<Draft> for Prebuilt {
    fn from(draft: Draft) -> Self {
        let mut block = Vec::new();
        let (head, plain) = (&draft.head, Care::Plain);
        let uri = head.uri();
        hpack::encode(":method", head.method().as_str().as_bytes(), plain, &mut block);
        hpack::encode(":scheme", uri.scheme_str().unwrap_or("http").as_bytes(), plain, &mut block);
        hpack::encode(
            ":authority",
            uri.authority().map_or("", Authority::as_str).as_bytes(),
            plain,
            &mut block,
        );
        hpack::encode(
            ":path",
            uri.path_and_query().map_or("/", PathAndQuery::as_str).as_bytes(),
            plain,
            &mut block,
        );
        for (name, value) in head.headers() {
            let care = if [AUTHORIZATION, COOKIE].contains(name) { Care::Secret } else { plain };
            hpack::encode(name.as_str(), value.as_bytes(), care, &mut block);
        }
        let body = draft.body.unwrap_or_default();
        let mut frames = Vec::with_capacity(frame::HEAD_BYTES + block.len());
        let mut pieces = block.chunks(PAYLOAD_BYTES_MAX).peekable();
        let mut kind = Kind::Headers;
        let mut flags = if body.is_empty() { frame::END_STREAM } else { 0 };
        while let Some(piece) = pieces.next() {
            flags |= if pieces.peek().is_none() { frame::END_HEADERS } else { 0 };
            frames.extend(Head::new(piece.len(), kind, flags, 0).bytes());
            frames.extend(piece);
            (kind, flags) = (Kind::Continuation, 0);
        }
        Self {
            head: frames.into(),
            body,
            is_grpc: draft.is_grpc,
            is_head: head.method() == Method::HEAD,
            is_idempotent: head.method().is_idempotent(),
            is_followed: false,
        }
    }
}

impl Draft {
    /// The same request as these bytes of HTTP/1.1, head and body.
    ///
    /// # Errors
    /// What HTTP/2 cannot send.
    pub(in crate::load) fn from_http1(bytes: &[u8], is_secure: bool) -> Result<Self, String> {
        let mut headers = vec![httparse::EMPTY_HEADER; headers_in(bytes)];
        let mut parsed = httparse::Request::new(&mut headers);
        let length = match parsed.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Err("the request's head is not whole".to_owned()),
            Err(error) => return Err(format!("the request cannot be sent: {error}")),
        };
        let (method, path) = (parsed.method.unwrap_or("GET"), parsed.path.unwrap_or("/"));
        let method = Method::from_bytes(method.as_bytes()).map_err(|error| error.to_string())?;
        let host = parsed.headers.iter().find(|header| header.name.eq_ignore_ascii_case(HOST.as_str()));
        let host = host.map_or(&b""[..], |header| header.value);
        let mut head = Request::new(());
        *head.uri_mut() = uri(is_secure, host, path)?;
        *head.method_mut() = method;
        *head.version_mut() = Version::HTTP_2;
        for header in parsed.headers.iter() {
            let name = HeaderName::from_bytes(header.name.as_bytes())
                .map_err(|_| format!("“{}” is not a header name", header.name))?;
            // What only HTTP/1 has; the host has a place of its own.
            if [HOST, CONNECTION, TRANSFER_ENCODING].contains(&name) || is_of_http1(&name) {
                continue;
            }
            if name == CONTENT_LENGTH && header.value == b"0" {
                continue;
            }
            let value = HeaderValue::from_bytes(header.value)
                .map_err(|_| format!("the value of {} cannot be sent", header.name))?;
            head.headers_mut().append(name, value);
        }
        let body = &bytes[length..];
        let body = (!body.is_empty()).then(|| body.to_vec());
        Ok(Self { head, body, is_grpc: false })
    }
}

/// Where a request goes.
pub(in crate::load) fn uri(is_secure: bool, host: &[u8], path: &str) -> Result<Uri, String> {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(if is_secure { Scheme::HTTPS } else { Scheme::HTTP });
    parts.authority = Some(Authority::try_from(host).map_err(|error| format!("the host: {error}"))?);
    parts.path_and_query = Some(PathAndQuery::try_from(path).map_err(|error| format!("the path: {error}"))?);
    Uri::from_parts(parts).map_err(|error| error.to_string())
}

/// What a person may have given, and HTTP/2 forbids.
fn is_of_http1(name: &HeaderName) -> bool {
    ["keep-alive", "proxy-connection", "upgrade"].contains(&name.as_str())
}

/// Room for every header of a request: the plan says how many there are.
fn headers_in(bytes: &[u8]) -> usize {
    bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map_or(HEADERS_MAX, |end| bytes[..end].iter().filter(|byte| **byte == b'\n').count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_the_same_in_both_versions() {
        let bytes = b"POST /a?b=c HTTP/1.1\r\nHost: shop.test:8443\r\nX-One: 1\r\nx-one: 2\r\nContent-Length: 2\r\n\r\nhi";
        let built = Draft::from_http1(bytes, true).expect("a request");
        assert_eq!(built.head.uri(), "https://shop.test:8443/a?b=c");
        assert_eq!((built.head.method(), built.head.version()), (&Method::POST, Version::HTTP_2));
        let headers: Vec<_> =
            built.head.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(headers, [("x-one", &b"1"[..]), ("x-one", b"2"), ("content-length", b"2")]);
        assert_eq!(built.body.as_deref(), Some(&b"hi"[..]));
    }

    #[test]
    fn what_only_http1_has_is_left_out() {
        let bytes = b"GET / HTTP/1.1\r\nHost: a\r\nKeep-Alive: 5\r\nUpgrade: x\r\nContent-Length: 0\r\n\r\n";
        let built = Draft::from_http1(bytes, false).expect("a request");
        assert!(built.head.headers().is_empty() && built.body.is_none(), "{built:?}");
        Draft::from_http1(b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", false).expect_err("no host");
    }
}
