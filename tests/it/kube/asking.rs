//! One request at a time to a server with TLS: what the rig itself asks, so that it stands on no client that is tested.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

use super::people::Identity;

const ANSWER_MAX: Duration = Duration::from_secs(20);

/// A server, trusted by the certificate of its authority, and who asks it.
#[derive(Clone)]
pub(crate) struct Asker {
    address: SocketAddr,
    tls: Arc<ClientConfig>,
}

/// A status and what came with it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    /// Its body as JSON, once it is a success.
    pub(crate) fn json(self) -> Result<Value, String> {
        if !(200..300).contains(&self.status) {
            return Err(format!("{}: {}", self.status, self.body));
        }
        serde_json::from_str(&self.body).map_err(|error| format!("{error}: {}", self.body))
    }
}

impl Asker {
    pub(crate) fn new(address: SocketAddr, authority: &str, identity: &Identity) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
        let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let tls = builder.unwrap().with_root_certificates(roots);
        Self { address, tls: Arc::new(tls.with_client_auth_cert(vec![certificate], key).unwrap()) }
    }

    pub(crate) fn get(&self, path: &str) -> io::Result<Answer> {
        self.ask("GET", path, "application/json", "")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> io::Result<Answer> {
        self.ask("POST", path, "application/json", &body.to_string())
    }

    /// A merge patch.
    pub(crate) fn patch(&self, path: &str, body: &Value) -> io::Result<Answer> {
        self.ask("PATCH", path, "application/merge-patch+json", &body.to_string())
    }

    /// A connection of its own.
    pub(crate) fn connect(&self) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
        let stream = TcpStream::connect(self.address)?;
        let name = ServerName::from(self.address.ip());
        let connection = ClientConnection::new(Arc::clone(&self.tls), name).map_err(io::Error::other)?;
        Ok(StreamOwned::new(connection, stream))
    }

    fn ask(&self, method: &str, path: &str, kind: &str, body: &str) -> io::Result<Answer> {
        let mut stream = self.connect()?;
        stream.sock.set_read_timeout(Some(ANSWER_MAX))?;
        // HTTP/1.0: an answer ends with its connection, and comes in one piece.
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: {}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        parse(&answer).ok_or_else(|| io::Error::other(String::from_utf8_lossy(&answer).into_owned()))
    }
}

fn parse(answer: &[u8]) -> Option<Answer> {
    let text = std::str::from_utf8(answer).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, body: body.to_owned() })
}
