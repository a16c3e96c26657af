//! Through a proxy: HTTP's CONNECT, or SOCKS5. Whatever is spoken with the target is spoken inside.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_socks::TargetAddr;
use tokio_socks::tcp::Socks5Stream;
use url::Url;

use super::connection::{Place, exchange_class};
use super::reasons::{Refusal, connect_refusal};
use super::request::percent_decoded;
use super::socket::Socket;
use crate::model::run::ErrorClass;

/// The longest answer of a proxy to CONNECT, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// The most header lines in it.
const ANSWER_HEADERS_MAX: usize = 64;
/// How a head ends.
const HEAD_END: &[u8] = b"\r\n\r\n";

/// A proxy whose name is resolved.
pub(super) struct Tunnel {
    pub(super) proxy: SocketAddr,
    is_socks: bool,
    credentials: Option<Credentials>,
}

struct Credentials {
    user: Vec<u8>,
    password: Vec<u8>,
}

impl Tunnel {
    /// `url` is one that the plan's check lets pass.
    pub(super) fn new(url: &Url, proxy: SocketAddr) -> Self {
        let has_credentials = !url.username().is_empty() || url.password().is_some();
        let credentials = has_credentials.then(|| Credentials {
            user: percent_decoded(url.username()),
            password: percent_decoded(url.password().unwrap_or_default()),
        });
        Self { proxy, is_socks: url.scheme() != "http", credentials }
    }

    /// A connection through the proxy to `to`.
    pub(super) async fn open(&self, to: &Place) -> Result<Socket, Refusal> {
        let stream = TcpStream::connect(self.proxy)
            .await
            .map_err(|error| connect_refusal(&error, format_args!("the proxy {}", self.proxy)))?;
        // A handshake of small pieces would otherwise wait for each to be acknowledged.
        let _ = stream.set_nodelay(true);
        if self.is_socks { self.ask_socks(stream, to).await } else { self.ask_http(stream, to).await }
    }

    async fn ask_http(&self, mut stream: TcpStream, to: &Place) -> Result<Socket, Refusal> {
        let mut request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n").into_bytes();
        if let Some(Credentials { user, password }) = &self.credentials {
            let pair = STANDARD.encode([user, &b":"[..], password].concat());
            request.extend_from_slice(format!("Proxy-Authorization: Basic {pair}\r\n").as_bytes());
        }
        request.extend_from_slice(b"\r\n");
        let broken = |error: std::io::Error| {
            Refusal::new(exchange_class(&error), "the proxy closed the connection when asked for the target")
        };
        stream.write_all(&request).await.map_err(broken)?;
        let head = read_head(&mut stream).await?;
        let mut headers = [httparse::EMPTY_HEADER; ANSWER_HEADERS_MAX];
        let mut answer = httparse::Response::new(&mut headers);
        let code = match answer.parse(&head) {
            Ok(httparse::Status::Complete(_)) => answer.code.unwrap_or_default(),
            _ => return Err(Refusal::new(ErrorClass::Protocol, "the proxy does not answer in HTTP")),
        };
        match code {
            200..300 => Ok(Socket::tcp(stream)),
            407 if self.credentials.is_some() => {
                Err(refused("the proxy said 407: it does not accept these credentials"))
            }
            407 => Err(refused("the proxy said 407: it asks for credentials")),
            code => {
                let reason = answer.reason.unwrap_or_default();
                Err(refused(format!("the proxy said {code} {reason}").trim_end()))
            }
        }
    }

    async fn ask_socks(&self, stream: TcpStream, to: &Place) -> Result<Socket, Refusal> {
        let to = match to {
            Place::Address(address) => TargetAddr::Ip(*address),
            Place::Name(host, port) => TargetAddr::Domain(host.as_str().into(), *port),
            #[cfg(unix)]
            Place::Unix(_) => return Err(refused("no proxy leads to a Unix socket")),
        };
        let asked = match &self.credentials {
            None => Socks5Stream::connect_with_socket(stream, to).await,
            Some(Credentials { user, password }) => {
                let (user, password) = (String::from_utf8_lossy(user), String::from_utf8_lossy(password));
                Socks5Stream::connect_with_password_and_socket(stream, to, &user, &password).await
            }
        };
        asked.map(|stream| Socket::tcp(stream.into_inner())).map_err(|error| socks_refusal(&error))
    }
}

/// The head of an answer and not a byte more: what follows belongs to the target, which may speak first.
async fn read_head(stream: &mut TcpStream) -> Result<Vec<u8>, Refusal> {
    let closed =
        || Refusal::new(ErrorClass::ClosedEarly, "the proxy closed the connection when asked for the target");
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    loop {
        let ahead = match stream.peek(&mut piece).await {
            Ok(0) => return Err(closed()),
            Ok(length) => &piece[..length],
            Err(error) => return Err(Refusal { class: exchange_class(&error), ..closed() }),
        };
        let known = head.len();
        head.extend_from_slice(ahead);
        let from = known.saturating_sub(HEAD_END.len() - 1);
        let end = head[from..].windows(HEAD_END.len()).position(|part| part == HEAD_END);
        if let Some(end) = end {
            head.truncate(from + end + HEAD_END.len());
        }
        let mut taken = vec![0; head.len() - known];
        stream.read_exact(&mut taken).await.map_err(|_| closed())?;
        if end.is_some() {
            return Ok(head);
        }
        if head.len() > ANSWER_BYTES_MAX {
            return Err(Refusal::new(ErrorClass::Protocol, "the proxy's answer does not end"));
        }
    }
}

fn refused(why: &str) -> Refusal {
    Refusal::new(ErrorClass::ConnectRefused, why)
}

fn socks_refusal(error: &tokio_socks::Error) -> Refusal {
    use tokio_socks::Error;
    match error {
        Error::Io(error) => {
            Refusal::new(exchange_class(error), "the proxy closed the connection when asked for the target")
        }
        Error::InvalidResponseVersion | Error::InvalidReservedByte | Error::UnknownAddressType => {
            Refusal::new(ErrorClass::Protocol, "the proxy does not speak SOCKS5")
        }
        Error::PasswordAuthFailure(_) => refused("the proxy does not accept these credentials"),
        Error::NoAcceptableAuthMethods => refused("the proxy asks for credentials"),
        other => refused(&format!("the proxy said: {other}")),
    }
}
