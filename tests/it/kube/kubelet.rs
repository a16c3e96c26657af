//! A kubelet's end on loopback: a node whose pods are processes of the test, with logs and port-forward.
//!
//! Nothing runs in its pods: what a pod's port leads to, and what its containers said, is told by the test.

mod tunnel;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::cluster::Cluster;

const HEAD_MAX_BYTES: usize = 16 * 1024;
const HEADERS_MAX: usize = 64;

/// A node that is ready, and its kubelet's end. Pods are bound to it here or by the scheduler.
pub(crate) struct Kubelet {
    name: String,
    pods: Arc<Pods>,
    /// What serves, until it is dropped.
    _runtime: tokio::runtime::Runtime,
}

/// What the test told of the pods, by `NAMESPACE/POD`.
#[derive(Default)]
struct Pods {
    ports: Mutex<BTreeMap<(String, u16), SocketAddr>>,
    logs: Mutex<BTreeMap<String, String>>,
}

impl Kubelet {
    /// Joins a cluster. What is forwarded to a pod's port goes to that port of loopback, unless `lead` says otherwise.
    pub(crate) fn join(cluster: &Cluster, name: &str) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = TlsAcceptor::from(Arc::new(tls(cluster)));
        let pods = Arc::new(Pods::default());
        runtime.spawn(serve(listener, acceptor, Arc::clone(&pods)));
        let labels = json!({"kubernetes.io/os": "linux", "kubernetes.io/hostname": name});
        cluster.create("/api/v1/nodes", &json!({"metadata": {"name": name, "labels": labels}}));
        let path = format!("/api/v1/nodes/{name}");
        cluster.patch(&format!("{path}/status"), &json!({"status": node_status(port, name)}));
        // What keeps pods away from a node until its kubelet has spoken.
        cluster.patch(&path, &json!({"spec": {"taints": null}}));
        Self { name: name.to_owned(), pods, _runtime: runtime }
    }

    /// Makes a pod that is ready, of one container.
    pub(crate) fn pod(&self, cluster: &Cluster, namespace: &str, name: &str, image: &str) {
        let pod = json!({
            "metadata": {"name": name, "labels": {"app": "web", "version": "v7"}},
            "spec": {"containers": [{"name": "web", "image": image}]},
        });
        self.run(cluster, namespace, pod);
    }

    /// Makes this pod, bound to the node, and sets all of its containers running and ready.
    pub(crate) fn run(&self, cluster: &Cluster, namespace: &str, mut pod: Value) -> Value {
        pod["spec"]["nodeName"] = json!(self.name);
        let made = cluster.create(&format!("/api/v1/namespaces/{namespace}/pods"), &pod);
        set_running(cluster, &made)
    }

    /// Sets every pod that waits on the node running, as those are that a scheduler bound; how many there were.
    pub(crate) fn run_bound(&self, cluster: &Cluster) -> usize {
        let path = format!("/api/v1/pods?fieldSelector=spec.nodeName%3D{},status.phase%3DPending", self.name);
        let bound = cluster.get(&path);
        let pods = bound["items"].as_array().expect("a list");
        for pod in pods {
            set_running(cluster, pod);
        }
        pods.len()
    }

    /// Where a port of a pod leads.
    pub(crate) fn lead(&self, namespace: &str, pod: &str, port: u16, to: SocketAddr) {
        lock(&self.pods.ports).insert((format!("{namespace}/{pod}"), port), to);
    }

    /// What a container has said so far.
    pub(crate) fn say(&self, namespace: &str, pod: &str, container: &str, text: &str) {
        lock(&self.pods.logs).insert(format!("{namespace}/{pod}/{container}"), text.to_owned());
    }
}

fn set_running(cluster: &Cluster, pod: &Value) -> Value {
    static NEXT: AtomicU32 = AtomicU32::new(10);
    // Of no network; loopback would be no legal address of an endpoint.
    let address =
        Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 244, 0, 0)) + NEXT.fetch_add(1, Ordering::SeqCst));
    let path = format!(
        "/api/v1/namespaces/{}/pods/{}/status",
        pod["metadata"]["namespace"].as_str().expect("a namespace"),
        pod["metadata"]["name"].as_str().expect("a name"),
    );
    cluster.patch(&path, &json!({"status": pod_status(pod, IpAddr::V4(address))}))
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets in who has a certificate of the cluster's authority, as the API server has.
fn tls(cluster: &Cluster) -> ServerConfig {
    let identity = cluster.authority.server(&["127.0.0.1"]);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(cluster.authority_pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_client_cert_verifier(verifier.build().unwrap());
    config.with_single_cert(vec![certificate], key).unwrap()
}

fn node_status(port: u16, name: &str) -> Value {
    let resources = json!({"cpu": "4", "memory": "8Gi", "pods": "110"});
    json!({
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": name}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        "capacity": resources,
        "allocatable": resources,
        "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "it serves"}],
        "nodeInfo": {
            "architecture": "amd64", "operatingSystem": "linux", "osImage": "Debian GNU/Linux 12 (bookworm)",
            "kubeletVersion": "v1.36.3", "containerRuntimeVersion": "containerd://2.1.4",
            "kernelVersion": "6.1.0", "kubeProxyVersion": "", "machineID": "", "systemUUID": "", "bootID": "",
        },
    })
}

fn pod_status(pod: &Value, address: IpAddr) -> Value {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let condition = |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": now});
    let conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map(condition);
    let statuses = |list: &str| -> Vec<Value> {
        let status = |container: &Value| {
            json!({
                "name": container["name"], "image": container["image"], "imageID": "", "ready": true,
                "started": true, "restartCount": 0, "state": {"running": {"startedAt": now}},
            })
        };
        pod["spec"][list].as_array().into_iter().flatten().map(status).collect()
    };
    json!({
        "phase": "Running",
        "hostIP": "127.0.0.1",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": now,
        "conditions": conditions,
        "containerStatuses": statuses("containers"),
        "initContainerStatuses": statuses("initContainers"),
    })
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, pods: Arc<Pods>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, pods) = (acceptor.clone(), Arc::clone(&pods));
        tokio::spawn(async move {
            // One that does not trust us, or goes away, is told nothing.
            if let Ok(stream) = acceptor.accept(stream).await {
                let _gone = converse(stream, &pods).await;
            }
        });
    }
}

async fn converse(mut stream: TlsStream<TcpStream>, pods: &Pods) -> std::io::Result<()> {
    let Some((asked, rest)) = read_head(&mut stream).await? else { return Ok(()) };
    let path: Vec<&str> = asked.path.trim_start_matches('/').split('/').collect();
    match path[..] {
        ["containerLogs", namespace, pod, container] => {
            let said = lock(&pods.logs).get(&format!("{namespace}/{pod}/{container}")).cloned();
            answer(stream, if said.is_some() { "200 OK" } else { "404 Not Found" }, &said.unwrap_or_default())
                .await
        }
        ["portForward", namespace, pod] => {
            let of = format!("{namespace}/{pod}");
            let same = |port| SocketAddr::from(([127, 0, 0, 1], port));
            let to = |port| lock(&pods.ports).get(&(of.clone(), port)).copied().unwrap_or(same(port));
            let ports: Vec<(u16, SocketAddr)> = asked.ports.iter().map(|&port| (port, to(port))).collect();
            tunnel::open(stream, rest, &asked, &ports).await
        }
        _ => answer(stream, "404 Not Found", "no such page\n").await,
    }
}

async fn answer(mut stream: TlsStream<TcpStream>, status: &str, body: &str) -> std::io::Result<()> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all((head + body).as_bytes()).await?;
    stream.shutdown().await
}

/// What a request asks for.
struct Asked {
    path: String,
    ports: Vec<u16>,
    /// Of a websocket.
    key: Option<String>,
    protocols: Vec<String>,
}

/// The head of a request, and what came after it already; none if it ends or is none.
async fn read_head(stream: &mut TlsStream<TcpStream>) -> std::io::Result<Option<(Asked, Vec<u8>)>> {
    let mut bytes = Vec::new();
    while bytes.len() < HEAD_MAX_BYTES {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(&bytes) {
            Ok(httparse::Status::Complete(length)) => {
                return Ok(Some((asked(&request), bytes[length..].to_vec())));
            }
            Ok(httparse::Status::Partial) => {}
            Err(_) => return Ok(None),
        }
    }
    Ok(None)
}

fn asked(request: &httparse::Request<'_, '_>) -> Asked {
    let header = |name: &str| {
        let found = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        Some(String::from_utf8_lossy(found.value).into_owned())
    };
    let (path, query) =
        request.path.unwrap_or_default().split_once('?').unwrap_or((request.path.unwrap_or_default(), ""));
    // The API server says `port=80&port=81` to a kubelet.
    let ports =
        url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "port" || name == "ports");
    let ports =
        ports.flat_map(|(_, list)| list.split(',').filter_map(|port| port.parse().ok()).collect::<Vec<_>>());
    let protocols = header("sec-websocket-protocol").unwrap_or_default();
    Asked {
        path: path.to_owned(),
        ports: ports.collect(),
        key: header("sec-websocket-key"),
        protocols: protocols.split(',').map(|name| name.trim().to_owned()).collect(),
    }
}
