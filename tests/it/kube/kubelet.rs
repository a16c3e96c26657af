//! The end of a kubelet that carries port-forwards: a node whose pods are servers on loopback. No pod is ever started.

use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

use super::cluster::Cluster;

/// What the stream of a port, and its errors, are sent on: a forward here has one port.
const DATA: u8 = 0;
const ERRORS: u8 = 1;

/// A node of a cluster.
pub(crate) struct Kubelet {
    name: String,
    // Ends what it serves.
    _runtime: tokio::runtime::Runtime,
}

impl Kubelet {
    /// Joins a cluster. What is forwarded to a pod's port goes to that port of loopback.
    pub(crate) fn join(cluster: &Cluster, name: &str) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let identity = cluster.authority.server(&["127.0.0.1"]);
        let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = builder.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // Whoever asks sees it end where something goes wrong.
                    if let Ok(stream) = acceptor.accept(stream).await {
                        forward(stream).await;
                    }
                });
            }
        });
        cluster.create("/api/v1/nodes", &json!({"metadata": {"name": name}}));
        let status = json!({"status": {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
            "conditions": [{"type": "Ready", "status": "True"}],
        }});
        cluster.patch(&format!("/api/v1/nodes/{name}/status"), &status);
        Self { name: name.to_owned(), _runtime: runtime }
    }

    /// Makes a pod that is ready.
    pub(crate) fn pod(&self, cluster: &Cluster, namespace: &str, name: &str, image: &str) {
        let path = format!("/api/v1/namespaces/{namespace}/pods");
        let pod = json!({
            "metadata": {"name": name, "labels": {"app": "web", "version": "v7"}},
            "spec": {"nodeName": self.name, "containers": [{"name": "web", "image": image}]},
        });
        cluster.create(&path, &pod);
        // No address of loopback is one of an endpoint; nobody goes there.
        let status = json!({"status": {
            "phase": "Running", "podIP": "10.244.0.5", "conditions": [{"type": "Ready", "status": "True"}],
        }});
        cluster.patch(&format!("{path}/{name}/status"), &status);
    }
}

/// One connection: a websocket whose messages begin with the number of their channel.
async fn forward(stream: TlsStream<TcpStream>) {
    let mut port = None;
    #[expect(clippy::result_large_err, reason = "the library's own signature")]
    let agree = |request: &Request, mut response: Response| {
        let ports = request.uri().query().unwrap_or_default().split('&');
        port = ports
            .filter_map(|pair| pair.strip_prefix("ports=").or(pair.strip_prefix("port=")))
            .find_map(|text| text.parse::<u16>().ok());
        let offered =
            request.headers().get("Sec-WebSocket-Protocol").and_then(|offered| offered.to_str().ok());
        let chosen = offered
            .into_iter()
            .flat_map(|offered| offered.split(','))
            .map(str::trim)
            .find(|name| name.ends_with("channel.k8s.io"));
        if let Some(chosen) = chosen {
            response.headers_mut().insert("Sec-WebSocket-Protocol", chosen.parse().unwrap());
        }
        Ok(response)
    };
    let Ok(mut socket) = tokio_tungstenite::accept_hdr_async(stream, agree).await else { return };
    let Some(port) = port else { return };
    let Ok(mut pod) = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).await else { return };
    for channel in [DATA, ERRORS] {
        let [low, high] = port.to_le_bytes();
        if socket.send(Message::binary(vec![channel, low, high])).await.is_err() {
            return;
        }
    }
    let mut piece = vec![0; 16 * 1024];
    loop {
        tokio::select! {
            read = pod.read(&mut piece) => match read {
                Ok(length) if length > 0 => {
                    let mut message = vec![DATA];
                    message.extend_from_slice(&piece[..length]);
                    if socket.send(Message::binary(message)).await.is_err() {
                        return;
                    }
                }
                _ => break,
            },
            message = socket.next() => match message {
                Some(Ok(Message::Binary(bytes))) if bytes.first() == Some(&DATA) => {
                    if pod.write_all(&bytes[1..]).await.is_err() {
                        break;
                    }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                Some(Ok(_)) => {}
            },
        }
    }
    let _ = socket.close(None).await;
}
