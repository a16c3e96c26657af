//! Where the browser comes back to: a listener on this machine's loopback address that lives as long as one login.
//!
//! Web pages can make a browser ask anything of this machine. So the port is another one each time, and so is the path where
//! the provider allows it; what asks under another host's name (DNS rebinding), from a page (it has an `Origin`), or does not
//! know the state that only the provider was told, gets nothing, and the login goes on.

use std::net::Ipv4Addr;
use std::time::Duration;

use oauth2::CsrfToken;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use super::login::{LoginError, shown};
use crate::model::digest::Digest;

/// The longest head of a request.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How long a request may take to come.
const REQUEST_MAX: Duration = Duration::from_secs(5);

/// The listener of one login.
pub(super) struct Callback {
    listener: TcpListener,
    host: String,
    path: String,
    url: String,
}

/// What a request was.
enum Asked {
    /// The provider's answer.
    Code(Result<String, LoginError>),
    /// Something else, which is refused with this status.
    Other(&'static str),
}

impl Callback {
    /// At this path, or at one that nobody can guess.
    pub(super) async fn listen(path: Option<&str>) -> Result<Self, String> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(|error| error.to_string())?;
        let port = listener.local_addr().map_err(|error| error.to_string())?.port();
        let path = match path {
            Some(path) => path.to_owned(),
            None => format!("/{}", CsrfToken::new_random_len(16).secret()),
        };
        let host = format!("127.0.0.1:{port}");
        let url = format!("http://{host}{path}");
        Ok(Self { listener, host, path, url })
    }

    /// Its address.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Waits until the browser brings the provider's answer: the code.
    pub(super) async fn came_back(
        self,
        state: &str,
        issuer: &str,
        wants_issuer: bool,
    ) -> Result<String, LoginError> {
        loop {
            let accepted = self.listener.accept().await;
            let (mut stream, _) = accepted.map_err(|error| LoginError::Listen(error.to_string()))?;
            let head = tokio::time::timeout(REQUEST_MAX, read_head(&mut stream)).await;
            let asked = match head {
                Ok(Some(head)) => self.weigh(&head, state, issuer, wants_issuer),
                _ => Asked::Other("400 Bad Request"),
            };
            match asked {
                Asked::Code(code) => {
                    let words = match &code {
                        Ok(_) => "You are logged in. This page can be closed.",
                        Err(_) => "You are not logged in. Meshbench says why; this page can be closed.",
                    };
                    answer(&mut stream, "200 OK", words).await;
                    return code;
                }
                Asked::Other(status) => answer(&mut stream, status, "There is nothing here.").await,
            }
        }
    }

    fn weigh(&self, head: &[u8], state: &str, issuer: &str, wants_issuer: bool) -> Asked {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        if !matches!(request.parse(head), Ok(httparse::Status::Complete(_))) {
            return Asked::Other("400 Bad Request");
        }
        if request.method != Some("GET") {
            return Asked::Other("405 Method Not Allowed");
        }
        let all = |name: &str| -> Vec<&[u8]> {
            let named = request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
            named.map(|header| header.value).collect()
        };
        if all("host") != [self.host.as_bytes()] || !all("origin").is_empty() {
            return Asked::Other("403 Forbidden");
        }
        let target = request.path.unwrap_or_default();
        let Ok(url) = Url::parse(&format!("http://{}{target}", self.host)) else {
            return Asked::Other("400 Bad Request");
        };
        if url.path() != self.path {
            return Asked::Other("404 Not Found");
        }
        let one = |name: &str| {
            let mut found =
                url.query_pairs().filter(|(key, _)| key == name).map(|(_, value)| value.into_owned());
            let first = found.next();
            // Said twice it says nothing.
            if found.next().is_some() { None } else { first }
        };
        // Digests, so that how long it takes tells nothing of the state.
        let is_ours =
            one("state").is_some_and(|said| Digest::of(said.as_bytes()) == Digest::of(state.as_bytes()));
        if !is_ours {
            return Asked::Other("400 Bad Request");
        }
        let said = one("iss");
        if said.as_ref().is_some_and(|said| said != issuer) || (wants_issuer && said.is_none()) {
            let reason = "the answer is of another provider than was asked".to_owned();
            return Asked::Code(Err(LoginError::Unproven(reason)));
        }
        if let Some(error) = one("error") {
            let about = one("error_description").map(|words| format!(": {words}")).unwrap_or_default();
            return Asked::Code(Err(LoginError::Refused(shown(&format!("{error}{about}")))));
        }
        let code = one("code").filter(|code| !code.is_empty());
        Asked::Code(code.ok_or_else(|| LoginError::Unproven("the answer holds no code".to_owned())))
    }
}

async fn read_head(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    let mut part = [0; 4096];
    loop {
        let count = stream.read(&mut part).await.ok()?;
        if count == 0 || head.len() + count > HEAD_BYTES_MAX {
            return None;
        }
        head.extend_from_slice(&part[..count]);
        if head.windows(4).any(|window| window == b"\r\n\r\n") {
            return Some(head);
        }
    }
}

async fn answer(stream: &mut TcpStream, status: &str, words: &str) {
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Meshbench</title><body \
         style=\"font:16px system-ui;margin:4em auto;max-width:30em\"><h1>Meshbench</h1><p>{words}</p></body></html>"
    );
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'\r\n\
         Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n\
         Connection: close\r\n\r\n",
        page.len()
    );
    // Who does not stay to hear it does not need it.
    let _ = stream.write_all(&[head.as_bytes(), page.as_bytes()].concat()).await;
    let _ = stream.shutdown().await;
}
