//! A way to a Service through the API server: each connection to a socket here is one to a pod there.
//!
//! Slower than the Service is: what is measured over it says so. One websocket for each connection, since streams of one
//! would hold each other up.

mod floor;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::ListParams;
use kube::{Api, Client};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{AbortHandle, JoinSet};

use super::private::PrivateFolder;
use super::words::{of_kube, trouble};
use super::{ANSWER_MAX, Link};
use crate::model::cluster::Trouble;
use crate::model::plan::{ServiceTarget, TargetKind, Tunnel};

pub use floor::Spoken;

/// The most connections through one forward at once.
const CONNECTIONS_MAX: usize = 256;
/// The socket's name in its folder; short, as the paths of sockets must be.
const SOCKET: &str = "s";
/// The label by which slices of a Service are found.
const SLICE_OF: &str = "kubernetes.io/service-name";

/// An open way; closed when this is dropped.
pub struct Forward {
    folder: PrivateFolder,
    task: AbortHandle,
    /// The pod that it leads to.
    pub pod: String,
    /// The pod's port.
    pub port: u16,
    /// What it costs.
    pub tunnel: Tunnel,
}

impl Forward {
    /// The socket that leads there.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join(SOCKET)
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Link {
    /// Opens a way to a pod, or to a ready pod behind a port of a Service, and measures what it costs.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub async fn forward(&self, target: &ServiceTarget, spoken: Option<Spoken>) -> Result<Forward, Trouble> {
        let opened = tokio::time::timeout(ANSWER_MAX, self.open_forward(target, spoken)).await;
        opened.unwrap_or_else(|_| {
            let (namespace, name) = (&target.namespace, &target.name);
            let cause = format!("{namespace}/{name}: no answer within {} s", ANSWER_MAX.as_secs());
            Err(trouble(
                "The port-forward could not be opened",
                cause,
                "Try again, or use an address of the Service's own",
            ))
        })
    }

    async fn open_forward(&self, target: &ServiceTarget, spoken: Option<Spoken>) -> Result<Forward, Trouble> {
        let (client, server, through) = self.parts();
        let said = |error: kube::Error| of_kube(&error, server, through);
        let ServiceTarget { namespace, name, port, .. } = target;
        let place = match target.kind {
            TargetKind::Service => find_pod(client, namespace, name, *port).await,
            TargetKind::Pod => see_pod(client, namespace, name).await.map(|()| (name.clone(), *port)),
        };
        let (pod, pod_port) = place.map_err(|missing| match missing {
            Missing::Kube(error) => said(error),
            Missing::Words(cause) => {
                let title = format!("The {} cannot be reached", target.kind.words());
                trouble(&title, cause, "Check that its pods are ready, and its port")
            }
        })?;
        let pods: Api<core::Pod> = Api::namespaced(client.clone(), namespace);
        let tunnel = measure(&pods, &pod, pod_port, spoken).await.map_err(said)?;
        let (folder, listener) = listen().map_err(|error| {
            trouble(
                "The port-forward could not be opened",
                format!("no socket: {error}"),
                "Check the folder for temporary files",
            )
        })?;
        let task = tokio::spawn(serve(listener, pods, pod.clone(), pod_port));
        Ok(Forward { folder, task: task.abort_handle(), pod, port: pod_port, tunnel })
    }
}

/// Opens a connection or a few, and sees how quick they are.
async fn measure(
    pods: &Api<core::Pod>,
    pod: &str,
    port: u16,
    spoken: Option<Spoken>,
) -> Result<Tunnel, kube::Error> {
    let micros = |took: Duration| u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let mut tunnel = Tunnel { open_us: u64::MAX, round_trip_us: None };
    for _ in 0..spoken.as_ref().map_or(1, Spoken::connections) {
        let begun = Instant::now();
        let mut forward = pods.portforward(pod, &[port]).await?;
        tunnel.open_us = tunnel.open_us.min(micros(begun.elapsed()));
        if let (Some(mut stream), Some(spoken)) = (forward.take_stream(port), &spoken) {
            let look = floor::fastest(&mut stream, spoken);
            let took = tokio::time::timeout(floor::LOOK_MAX, look).await.ok().flatten().map(micros);
            tunnel.round_trip_us = match (tunnel.round_trip_us, took) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        }
        forward.abort();
    }
    Ok(tunnel)
}

/// A socket in a folder that only this person can look into.
fn listen() -> std::io::Result<(PrivateFolder, UnixListener)> {
    let folder = PrivateFolder::new()?;
    let listener = UnixListener::bind(folder.path().join(SOCKET))?;
    Ok((folder, listener))
}

async fn serve(listener: UnixListener, pods: Api<core::Pod>, pod: String, port: u16) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(carry(stream, pods.clone(), pod.clone(), port));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Carries one connection; where that fails, the other side sees it end.
async fn carry(mut here: UnixStream, pods: Api<core::Pod>, pod: String, port: u16) {
    let Ok(mut forward) = pods.portforward(&pod, &[port]).await else { return };
    if let Some(mut there) = forward.take_stream(port) {
        // An end by either side is the usual end of a connection.
        let _ = tokio::io::copy_bidirectional(&mut here, &mut there).await;
    }
    forward.abort();
}

enum Missing {
    Kube(kube::Error),
    Words(String),
}

impl From<kube::Error> for Missing {
    fn from(error: kube::Error) -> Self {
        Self::Kube(error)
    }
}

/// Whether a pod is there and runs.
async fn see_pod(client: &Client, namespace: &str, name: &str) -> Result<(), Missing> {
    let pods: Api<core::Pod> = Api::namespaced(client.clone(), namespace);
    let phase = pods.get(name).await?.status.and_then(|status| status.phase).unwrap_or_default();
    if phase == "Running" {
        Ok(())
    } else {
        Err(Missing::Words(format!("the pod {name} is not running: {phase}")))
    }
}

/// A ready pod behind a port of a Service, and the pod's own port.
async fn find_pod(
    client: &Client,
    namespace: &str,
    service: &str,
    port: u16,
) -> Result<(String, u16), Missing> {
    let services: Api<core::Service> = Api::namespaced(client.clone(), namespace);
    let spec = services.get(service).await?.spec.unwrap_or_default();
    let ports = spec.ports.unwrap_or_default();
    let wanted = ports.iter().find(|spec| i32::from(port) == spec.port);
    let wanted = wanted.ok_or_else(|| Missing::Words(format!("the Service {service} has no port {port}")))?;
    let name = wanted.name.clone().unwrap_or_default();
    let slices: Api<EndpointSlice> = Api::namespaced(client.clone(), namespace);
    let listed = slices.list(&ListParams::default().labels(&format!("{SLICE_OF}={service}"))).await?;
    if let Some(found) = listed.items.iter().find_map(|slice| in_slice(slice, &name)) {
        return Ok(found);
    }
    // Clusters without the controller that makes slices: by selector, as far as the port is a number.
    let selector = spec.selector.unwrap_or_default();
    if selector.is_empty() {
        return Err(Missing::Words(format!("the Service {service} chooses no pods")));
    }
    let labels: Vec<String> = selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let pods: Api<core::Pod> = Api::namespaced(client.clone(), namespace);
    let pods = pods.list(&ListParams::default().labels(&labels.join(","))).await?;
    let ready = pods.items.into_iter().find(is_ready);
    let ready =
        ready.ok_or_else(|| Missing::Words(format!("no pod behind the Service {service} is ready")))?;
    let number = port_of(&ready, wanted)
        .ok_or_else(|| Missing::Words(format!("its pods do not name the port of {service}:{port}")))?;
    Ok((ready.metadata.name.unwrap_or_default(), number))
}

fn in_slice(slice: &EndpointSlice, name: &str) -> Option<(String, u16)> {
    let port = slice.ports.iter().flatten().find(|port| port.name.as_deref().unwrap_or_default() == name)?;
    let number = u16::try_from(port.port?).ok()?;
    let is_ready = |conditions: &Option<k8s_openapi::api::discovery::v1::EndpointConditions>| {
        conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true)
    };
    let pod =
        slice.endpoints.iter().filter(|endpoint| is_ready(&endpoint.conditions)).find_map(|endpoint| {
            let target = endpoint.target_ref.as_ref()?;
            target.name.clone().filter(|_| target.kind.as_deref() == Some("Pod"))
        })?;
    Some((pod, number))
}

fn is_ready(pod: &core::Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// The number of a Service's port at a pod: as it is, or that of the container's port of this name.
fn port_of(pod: &core::Pod, wanted: &core::ServicePort) -> Option<u16> {
    use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
    let number = match &wanted.target_port {
        Some(IntOrString::Int(number)) => *number,
        None => wanted.port,
        Some(IntOrString::String(name)) => {
            let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
            let ports = containers.flat_map(|container| container.ports.iter().flatten());
            ports.into_iter().find(|port| port.name.as_ref() == Some(name))?.container_port
        }
    };
    u16::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ready_pod_of_a_slice_is_chosen_with_the_port_of_that_name() {
        let slice: EndpointSlice = serde_json::from_str(
            r#"{"addressType": "IPv4", "ports": [{"name": "http", "port": 8080}, {"name": "grpc", "port": 9000}],
               "endpoints": [
                 {"addresses": ["10.0.0.1"], "conditions": {"ready": false}, "targetRef": {"kind": "Pod", "name": "a"}},
                 {"addresses": ["10.0.0.2"], "conditions": {"ready": true}, "targetRef": {"kind": "Pod", "name": "b"}}]}"#,
        )
        .expect("a slice");
        assert_eq!(in_slice(&slice, "grpc"), Some(("b".to_owned(), 9000)));
        assert_eq!(in_slice(&slice, "other"), None);
    }

    #[test]
    fn a_named_port_is_looked_up_in_the_pods_containers() {
        let pod: core::Pod = serde_json::from_str(
            r#"{"spec": {"containers": [{"name": "web", "ports": [{"name": "http", "containerPort": 8080}]}]},
               "status": {"conditions": [{"type": "Ready", "status": "True"}]}}"#,
        )
        .expect("a pod");
        let port = |json: &str| serde_json::from_str::<core::ServicePort>(json).expect("a port");
        assert!(is_ready(&pod));
        assert_eq!(port_of(&pod, &port(r#"{"port": 80, "targetPort": "http"}"#)), Some(8080));
        assert_eq!(port_of(&pod, &port(r#"{"port": 80, "targetPort": "none"}"#)), None);
        assert_eq!(port_of(&pod, &port(r#"{"port": 80, "targetPort": 81}"#)), Some(81));
        assert_eq!(port_of(&pod, &port(r#"{"port": 80}"#)), Some(80));
    }
}
