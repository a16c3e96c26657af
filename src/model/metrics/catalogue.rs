//! Ready boards: what each mesh, a cluster and its nodes show of themselves.
//!
//! Nearly everything is a [`Measure`](super::Measure), so that a board also works where there is no Prometheus. Traffic is
//! seen from those who are called, so that callers without a proxy (a load generator) count too. Success means the same on
//! each board: an answer that is no 5xx; Linkerd and gRPC on Istio say it themselves.

use super::board::{Board, BoardId};
use super::source::Scope;
use crate::model::mesh::MeshKind;

mod cilium;
mod cluster;
mod envoy;
mod istio;
mod kuma;
mod linkerd;
mod node;
mod others;
pub(super) mod part;

/// A ready board: its key, its title, and how it is made for a version and a scope.
type Ready = (&'static str, &'static str, fn(Option<&str>, &Scope) -> Board);

const READY: [Ready; 13] = [
    ("istio", "Istio", |_, scope| istio::sidecars(scope)),
    ("istio-ambient", "Istio ambient", |_, scope| istio::ambient(scope)),
    ("linkerd", "Linkerd", linkerd::board),
    ("consul", "Consul", |_, scope| envoy::consul(scope)),
    ("kuma", "Kuma", kuma::board),
    ("cilium", "Cilium", |_, scope| cilium::board(scope)),
    ("traefik-mesh", "Traefik Mesh", |_, scope| others::traefik(scope)),
    ("osm", "Open Service Mesh", |_, scope| others::osm(scope)),
    ("nginx-sm", "NGINX Service Mesh", |_, scope| others::nginx(scope)),
    ("app-mesh", "AWS App Mesh", |_, scope| envoy::app_mesh(scope)),
    ("envoy", "Envoy", |_, scope| envoy::plain(scope)),
    ("cluster", "Cluster", |_, scope| cluster::board(scope)),
    ("node", "Nodes", |_, _| node::board()),
];

/// The keys of all ready boards, in the order in which they are offered.
#[must_use]
pub fn ids() -> [&'static str; 13] {
    READY.map(|(id, ..)| id)
}

/// What people call a ready board; none for another.
#[must_use]
pub fn title(id: &str) -> Option<&'static str> {
    READY.iter().find(|(key, ..)| *key == id).map(|(_, title, _)| *title)
}

/// A ready board for this version of its mesh, where it is known, looking at this scope; none for a key that is none.
#[must_use]
pub fn ready(id: &BoardId, version: Option<&str>, scope: &Scope) -> Option<Board> {
    let (key, title, make) = READY.iter().find(|(key, ..)| *key == id.0)?;
    let board = make(version.map(str::trim).filter(|it| !it.is_empty()), scope);
    Some(Board { id: BoardId((*key).to_owned()), title: (*title).to_owned(), ..board })
}

/// The ready boards of a mesh, the most telling first; none where [`why_none`] says why.
#[must_use]
pub fn for_mesh(mesh: MeshKind, has_ambient: bool) -> Vec<BoardId> {
    let keys: &[&str] = match mesh {
        MeshKind::Istio if has_ambient => &["istio-ambient", "istio"],
        MeshKind::Istio => &["istio"],
        MeshKind::Linkerd => &["linkerd"],
        MeshKind::Consul => &["consul"],
        MeshKind::Kuma => &["kuma"],
        MeshKind::Cilium => &["cilium"],
        MeshKind::TraefikMesh => &["traefik-mesh"],
        MeshKind::OpenServiceMesh => &["osm"],
        MeshKind::NginxServiceMesh => &["nginx-sm"],
        MeshKind::AppMesh => &["app-mesh"],
        MeshKind::NetworkServiceMesh => &[],
    };
    keys.iter().map(|&key| BoardId(key.to_owned())).collect()
}

/// Why a mesh has no ready board.
#[must_use]
pub fn why_none(mesh: MeshKind) -> Option<&'static str> {
    (mesh == MeshKind::NetworkServiceMesh).then_some(
        "Network Service Mesh connects pods below the level of requests and counts none of them. \
         The boards “Cluster” and “Nodes” show what it uses.",
    )
}

#[cfg(test)]
mod tests;
