//! The bytes of a request, built once for a whole run.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::{Position, Url};

use crate::model::plan::Request;

/// The whole request, head and body, ready to be written again and again.
pub(super) fn encode(request: &Request, url: &Url, body: &[u8]) -> Vec<u8> {
    let mut head = format!(
        "{} {} HTTP/1.1\r\n",
        request.method,
        // An origin form: the fragment stays here, as does the user.
        &url[Position::BeforePath..Position::AfterQuery]
    );
    let mut line = |name: &str, value: &str| {
        let _ = write!(head, "{name}: {value}\r\n");
    };
    let given = |name: &str| request.headers.iter().any(|header| header.name.eq_ignore_ascii_case(name));
    if !given("host") {
        line("Host", &url[Position::BeforeHost..Position::AfterPort]);
    }
    if !given("user-agent") {
        line("User-Agent", concat!("meshbench/", env!("CARGO_PKG_VERSION")));
    }
    if !given("accept") {
        line("Accept", "*/*");
    }
    for header in &request.headers {
        line(&header.name, &header.value);
    }
    if !request.cookies.is_empty() {
        let pairs: Vec<String> =
            request.cookies.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        line("Cookie", &pairs.join("; "));
    }
    if let Some(credentials) = basic(request, url)
        && !given("authorization")
    {
        line("Authorization", &credentials);
    }
    if let Some(content_type) = &request.content_type
        && !given("content-type")
    {
        line("Content-Type", content_type);
    }
    if !body.is_empty() || matches!(request.method.as_str(), "POST" | "PUT" | "PATCH") {
        line("Content-Length", &body.len().to_string());
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// The value of `Authorization`, where the plan or the URL has credentials.
pub(super) fn basic(request: &Request, url: &Url) -> Option<String> {
    credentials(request, url).map(|credentials| format!("Basic {}", STANDARD.encode(credentials)))
}

/// `user:password`, of the plan or else of the URL.
fn credentials(request: &Request, url: &Url) -> Option<Vec<u8>> {
    if let Some(auth) = &request.basic_auth {
        return Some(format!("{}:{}", auth.user, auth.password).into_bytes());
    }
    let password = url.password().unwrap_or("");
    if url.username().is_empty() && password.is_empty() {
        return None;
    }
    let mut bytes = percent_decoded(url.username());
    bytes.push(b':');
    bytes.extend(percent_decoded(password));
    Some(bytes)
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        match code.filter(|_| first == b'%').and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::plan::{BasicAuth, Cookie, Header};

    fn text(request: &Request, url: &str, body: &str) -> String {
        let url = Url::parse(url).expect(url);
        String::from_utf8(encode(request, &url, body.as_bytes())).expect("all of it is text")
    }

    const AGENT: &str = concat!("meshbench/", env!("CARGO_PKG_VERSION"));

    #[test]
    fn a_plain_request_has_what_http_asks_for() {
        assert_eq!(
            text(&Request::default(), "http://a.test:8080/b%20c?d=e#f", ""),
            format!(
                "GET /b%20c?d=e HTTP/1.1\r\nHost: a.test:8080\r\nUser-Agent: {AGENT}\r\nAccept: */*\r\n\r\n"
            )
        );
        assert!(text(&Request::default(), "http://[::1]:80", "").contains("\r\nHost: [::1]\r\n"));
        assert!(text(&Request::default(), "https://a.test", "").starts_with("GET / HTTP/1.1\r\n"));
    }

    #[test]
    fn everything_a_plan_can_say_is_sent() {
        let header = |name: &str, value: &str| Header {
            name: name.to_owned(),
            value: value.to_owned(),
            secret: false,
        };
        let cookie = |name: &str, value: &str| Cookie { name: name.to_owned(), value: value.to_owned() };
        let request = Request {
            method: "POST".to_owned(),
            headers: vec![header("host", "b.test"), header("X-Trace", "1")],
            cookies: vec![cookie("a", "1"), cookie("b", "2")],
            basic_auth: Some(BasicAuth { user: "me".to_owned(), password: "pass".to_owned() }),
            content_type: Some("application/json".to_owned()),
            ..Request::default()
        };
        assert_eq!(
            text(&request, "http://a.test/", "{}"),
            format!(
                "POST / HTTP/1.1\r\nUser-Agent: {AGENT}\r\nAccept: */*\r\nhost: b.test\r\nX-Trace: 1\r\n\
                 Cookie: a=1; b=2\r\nAuthorization: Basic bWU6cGFzcw==\r\nContent-Type: application/json\r\n\
                 Content-Length: 2\r\n\r\n{{}}"
            )
        );
    }

    #[test]
    fn a_user_in_the_url_becomes_basic_authentication() {
        let sent = text(&Request::default(), "http://me:p%40ss@a.test/", "");
        assert!(sent.contains("\r\nHost: a.test\r\n"), "{sent}");
        assert!(
            sent.contains(&format!("\r\nAuthorization: Basic {}\r\n", STANDARD.encode("me:p@ss"))),
            "{sent}"
        );
    }

    #[test]
    fn a_body_may_be_empty_where_one_is_usual() {
        let request = Request { method: "PUT".to_owned(), ..Request::default() };
        assert!(text(&request, "http://a.test/", "").contains("\r\nContent-Length: 0\r\n"));
    }
}
