//! The built-in adapter: what it offers for each mesh, and each operation as steps, computed without a cluster.
//!
//! ```text
//!  mesh ─ operations ─▶ what is offered      request ─ steps ─▶ data ─ describe ─▶ sentences for a question
//!                                                                └─ carried out by the service that speaks to clusters
//! ```
//!
//! Keys are `MESH.CATEGORY.NAME`, so that they sort as pages list them. What a request may say beyond its key is small YAML
//! in its body; each operation's text names it, and what is not said has a default.

mod ambient;
mod charts;
mod cilium;
mod consul;
mod istio;
mod kuma;
mod linkerd;
mod params;
mod routes;
mod samples;
mod words;

use crate::model::adapter::{Category, Marked, Operation, OperationRequest, Step};
use crate::model::digest::Digest;
use crate::model::manifest;
use crate::model::mesh::MeshKind;
pub use crate::model::mesh::validate::validate;
use params::Params;
pub use words::describe;

/// How long workloads may take to be ready, in seconds.
const READY_S: u32 = 300;

/// A mesh, or a way to run one, that the built-in adapter operates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operable {
    /// Istio with a proxy in each pod.
    Istio,
    /// Istio with proxies of nodes.
    IstioAmbient,
    /// Linkerd.
    Linkerd,
    /// HashiCorp Consul.
    Consul,
    /// Kuma.
    Kuma,
    /// Cilium, where it is the cluster's network.
    Cilium,
    /// Network Service Mesh.
    NetworkServiceMesh,
}

/// Something that can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Install,
    Sample(samples::Sample),
    Inject,
    InjectAndRestart,
    Mtls(Mtls),
    DenyAll,
    Split,
    Delay,
    Abort,
    Retries,
    Timeout,
    Waypoint,
    Validate,
    Custom,
}

/// What a mesh demands of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mtls {
    Strict,
    Permissive,
    Off,
}

impl Operable {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 7] = [
        Self::Istio,
        Self::IstioAmbient,
        Self::Linkerd,
        Self::Consul,
        Self::Kuma,
        Self::Cilium,
        Self::NetworkServiceMesh,
    ];

    /// What begins its keys: `istio-ambient`.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::IstioAmbient => "istio-ambient",
            other => other.kind().key(),
        }
    }

    /// What people call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::IstioAmbient => "Istio ambient",
            other => other.kind().name(),
        }
    }

    /// The mesh that it is.
    #[must_use]
    pub fn kind(self) -> MeshKind {
        match self {
            Self::Istio | Self::IstioAmbient => MeshKind::Istio,
            Self::Linkerd => MeshKind::Linkerd,
            Self::Consul => MeshKind::Consul,
            Self::Kuma => MeshKind::Kuma,
            Self::Cilium => MeshKind::Cilium,
            Self::NetworkServiceMesh => MeshKind::NetworkServiceMesh,
        }
    }

    /// The mesh whose operation a key names.
    #[must_use]
    pub fn of_key(key: &str) -> Option<Self> {
        let (mesh, _) = key.split_once('.')?;
        Self::ALL.into_iter().find(|known| known.key() == mesh)
    }

    /// What this mesh can do beyond what is offered for all.
    fn own_deeds(self) -> &'static [Deed] {
        match self {
            Self::Istio => istio::DEEDS,
            Self::IstioAmbient => ambient::DEEDS,
            Self::Linkerd => linkerd::DEEDS,
            Self::Consul => consul::DEEDS,
            Self::Kuma => kuma::DEEDS,
            Self::Cilium => cilium::DEEDS,
            Self::NetworkServiceMesh => &[Deed::InjectAndRestart],
        }
    }

    fn deeds(self) -> Vec<Deed> {
        let samples = samples::Sample::ALL.map(Deed::Sample);
        [Deed::Install]
            .into_iter()
            .chain(samples)
            .chain(self.own_deeds().iter().copied())
            .chain([Deed::Validate, Deed::Custom])
            .collect()
    }
}

/// What is offered for a mesh, in the order of pages.
#[must_use]
pub fn operations(mesh: Operable) -> Vec<Operation> {
    let offered = mesh.deeds().into_iter().map(|deed| Operation {
        category: deed.category(),
        text: words::offer(mesh, deed),
        key: key(mesh, deed),
    });
    let mut offered: Vec<Operation> = offered.collect();
    offered.sort_by(|one, other| (one.category, &one.key).cmp(&(other.category, &other.key)));
    offered
}

/// What a request comes to, in order.
///
/// # Errors
/// What is wrong with the request, or what this mesh cannot do, with what to do instead.
pub fn steps(mesh: Operable, request: &OperationRequest) -> Result<Vec<Step>, String> {
    let deed = mesh.deeds().into_iter().find(|deed| key(mesh, *deed) == request.key);
    let Some(deed) = deed else {
        return Err(format!(
            "{} does not offer the operation “{}”",
            mesh.name(),
            params::shown(&request.key)
        ));
    };
    let namespace = if request.namespace.is_empty() { "default" } else { request.namespace.as_str() };
    params::check_name("namespace", namespace)?;
    let asked = Asked { mesh, deed, namespace, removes: request.removes };
    match deed {
        Deed::Install => charts::steps(mesh, request),
        Deed::Sample(sample) => samples::steps(sample, &asked, &request.body),
        Deed::Validate => Ok(vec![Step::Validate { namespace: request.namespace.clone() }]),
        Deed::Custom => custom(&asked, &request.body),
        _ => configured(&asked, &request.body),
    }
}

/// The Service and port by which people come to a sample application, of an operation's key; none for another operation.
#[must_use]
pub fn front(key: &str) -> Option<(&'static str, u16)> {
    let (_, name) = key.split_once(".sample.")?;
    samples::Sample::ALL.into_iter().find(|sample| sample.name() == name).map(samples::Sample::front)
}

/// The repository and the name of the chart whose versions are those of an installation; none where a mesh has none.
#[must_use]
pub fn chart(mesh: Operable) -> Option<(&'static str, &'static str)> {
    charts::main_chart(mesh)
}

/// A request, looked at.
struct Asked<'a> {
    mesh: Operable,
    deed: Deed,
    namespace: &'a str,
    removes: bool,
}

impl Asked<'_> {
    /// Applies a manifest as a set, or takes the set away.
    fn set(&self, set: String, manifest: String) -> Vec<Step> {
        let namespace = self.namespace.to_owned();
        match self.removes {
            true => vec![Step::Prune { set, namespace }],
            false => vec![Step::Apply { set, namespace, manifest }],
        }
    }

    /// As [`Self::set`], for what a mesh's rules of one kind are: another of them takes the place of the one before.
    fn rules(&self, of: &str, manifest: String) -> Vec<Step> {
        self.set(format!("{}-{of}", self.mesh.key()), manifest)
    }

    /// Puts a mark on the namespace, or takes it off.
    fn label(&self, labels: &[(&str, &str)], annotations: &[(&str, &str)]) -> Step {
        self.mark(Marked::Namespace(self.namespace.to_owned()), labels, annotations)
    }

    fn mark(&self, object: Marked, labels: &[(&str, &str)], annotations: &[(&str, &str)]) -> Step {
        let marks = |pairs: &[(&str, &str)]| {
            let value = |value: &str| (!self.removes && !value.is_empty()).then(|| value.to_owned());
            pairs.iter().map(|(key, is)| ((*key).to_owned(), value(is))).collect()
        };
        Step::Mark { object, labels: marks(labels), annotations: marks(annotations) }
    }

    /// Starts the namespace's pods anew and waits for them.
    fn restart(&self) -> [Step; 2] {
        [Step::Restart { namespace: self.namespace.to_owned() }, self.ready()]
    }

    fn ready(&self) -> Step {
        Step::Ready { namespace: self.namespace.to_owned(), seconds: READY_S }
    }
}

impl Deed {
    fn category(self) -> Category {
        match self {
            Self::Install => Category::Install,
            Self::Sample(_) => Category::SampleApplication,
            Self::Validate => Category::Validate,
            Self::Custom => Category::Custom,
            _ => Category::Configure,
        }
    }
}

fn key(mesh: Operable, deed: Deed) -> String {
    let name = match deed {
        Deed::Install => "install",
        Deed::Sample(sample) => return format!("{}.sample.{}", mesh.key(), sample.name()),
        Deed::Inject => "configure.inject",
        Deed::InjectAndRestart => "configure.inject-restart",
        Deed::Mtls(Mtls::Strict) => "configure.mtls-strict",
        Deed::Mtls(Mtls::Permissive) => "configure.mtls-permissive",
        Deed::Mtls(Mtls::Off) => "configure.mtls-off",
        Deed::DenyAll => "configure.deny-all",
        Deed::Split => "configure.traffic-split",
        Deed::Delay => "configure.fault-delay",
        Deed::Abort => "configure.fault-abort",
        Deed::Retries => "configure.retries",
        Deed::Timeout => "configure.timeout",
        Deed::Waypoint => "configure.waypoint",
        Deed::Validate => "validate",
        Deed::Custom => "custom",
    };
    format!("{}.{name}", mesh.key())
}

/// What changes how a mesh works.
fn configured(asked: &Asked<'_>, body: &str) -> Result<Vec<Step>, String> {
    let mut params = Params::read(body)?;
    let steps = match asked.mesh {
        Operable::Istio => istio::steps(asked, &mut params)?,
        Operable::IstioAmbient => ambient::steps(asked, &mut params)?,
        Operable::Linkerd => linkerd::steps(asked, &mut params)?,
        Operable::Consul => consul::steps(asked, &mut params)?,
        Operable::Kuma => kuma::steps(asked, &mut params)?,
        Operable::Cilium => cilium::steps(asked, &mut params)?,
        Operable::NetworkServiceMesh => network_service(asked, &mut params)?,
    };
    params.finish()?;
    Ok(steps)
}

/// Its pods say which network services they want.
fn network_service(asked: &Asked<'_>, params: &mut Params) -> Result<Vec<Step>, String> {
    let service = params.name("service", "my-network-service")?;
    let wanted = format!("kernel://{service}/nsm-1");
    let templates = Marked::Templates(asked.namespace.to_owned());
    Ok(vec![asked.mark(templates, &[], &[("networkservicemesh.io", &wanted)]), asked.ready()])
}

/// Any manifest; what is applied and what is removed belong together by their content.
fn custom(asked: &Asked<'_>, body: &str) -> Result<Vec<Step>, String> {
    manifest::objects(body)?;
    let name = Digest::of(body.as_bytes()).short(12);
    Ok(asked.set(format!("custom-{name}"), body.to_owned()))
}

#[cfg(test)]
mod tests;
