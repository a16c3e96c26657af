//! Installing meshes with the charts of their own makers.

use super::params::shown;
use super::{Operable, READY_S, Step};
use crate::model::adapter::{HelmRelease, OperationRequest};
use crate::model::manifest;

/// The longest version that a request may say.
const VERSION_CHARS_MAX: usize = 64;

/// How one mesh is installed.
struct Charts {
    repository: &'static str,
    namespace: &'static str,
    /// Release, chart and values; in order.
    charts: &'static [(&'static str, &'static str, &'static str)],
    /// The chart that the request's values are for.
    main: &'static str,
}

const ISTIO: Charts = Charts {
    repository: "https://istio-release.storage.googleapis.com/charts",
    namespace: "istio-system",
    charts: &[("istio-base", "base", ""), ("istiod", "istiod", "")],
    main: "istiod",
};

const ISTIO_AMBIENT: Charts = Charts {
    charts: &[
        ("istio-base", "base", ""),
        ("istiod", "istiod", "profile: ambient\n"),
        ("istio-cni", "cni", "profile: ambient\n"),
        ("ztunnel", "ztunnel", ""),
    ],
    ..ISTIO
};

const LINKERD: Charts = Charts {
    repository: "https://helm.linkerd.io/edge",
    namespace: "linkerd",
    charts: &[("linkerd-crds", "linkerd-crds", ""), ("linkerd-control-plane", "linkerd-control-plane", "")],
    main: "linkerd-control-plane",
};

const CONSUL: Charts = Charts {
    repository: "https://helm.releases.hashicorp.com",
    namespace: "consul",
    charts: &[("consul", "consul", "global:\n  name: consul\nconnectInject:\n  enabled: true\n")],
    main: "consul",
};

const KUMA: Charts = Charts {
    repository: "https://kumahq.github.io/charts",
    namespace: "kuma-system",
    charts: &[("kuma", "kuma", "")],
    main: "kuma",
};

const CILIUM: Charts = Charts {
    repository: "https://helm.cilium.io",
    namespace: "kube-system",
    charts: &[("cilium", "cilium", "")],
    main: "cilium",
};

/// Where a mesh's charts are, and which of them has the mesh's version; none where it has no charts.
#[must_use]
pub(super) fn main_chart(mesh: Operable) -> Option<(&'static str, &'static str)> {
    charts(mesh).map(|charts| (charts.repository, charts.main))
}

pub(super) fn steps(mesh: Operable, request: &OperationRequest) -> Result<Vec<Step>, String> {
    let Some(charts) = charts(mesh) else {
        return Err(
            "Network Service Mesh has no Helm chart, so Meshbench does not install or remove it. Install SPIRE first, \
             then with kubectl: kubectl apply -k \
             https://github.com/networkservicemesh/deployments-k8s/examples/basic?ref=VERSION; the same with delete \
             removes it"
                .to_owned(),
        );
    };
    let namespace = charts.namespace.to_owned();
    if request.removes {
        let release = |(release, ..): &(&str, &str, &str)| Step::Unhelm {
            release: (*release).to_owned(),
            namespace: namespace.clone(),
        };
        return Ok(charts.charts.iter().rev().map(release).collect());
    }
    check_version(&request.version)?;
    manifest::mapping(&request.body).map_err(not_values)?;
    let release = |(release, chart, values): &(&str, &str, &str)| {
        let own = if *chart == charts.main && !request.body.trim().is_empty() {
            with_defaults(&request.body, values)
        } else {
            Ok((*values).to_owned())
        };
        Ok(Step::Helm(HelmRelease {
            release: (*release).to_owned(),
            repository: charts.repository.to_owned(),
            chart: (*chart).to_owned(),
            version: request.version.clone(),
            namespace: namespace.clone(),
            values: own?,
            makes_identity: *chart == charts.main && wants_identity(mesh, &request.body)?,
        }))
    };
    let mut steps = charts.charts.iter().map(release).collect::<Result<Vec<_>, String>>()?;
    steps.push(Step::Ready { namespace, seconds: READY_S });
    Ok(steps)
}

fn charts(mesh: Operable) -> Option<Charts> {
    match mesh {
        Operable::Istio => Some(ISTIO),
        Operable::IstioAmbient => Some(ISTIO_AMBIENT),
        Operable::Linkerd => Some(LINKERD),
        Operable::Consul => Some(CONSUL),
        Operable::Kuma => Some(KUMA),
        Operable::Cilium => Some(CILIUM),
        Operable::NetworkServiceMesh => None,
    }
}

/// A person's values, with those of ours that they do not say at the top.
fn with_defaults(body: &str, defaults: &str) -> Result<String, String> {
    let said = manifest::mapping(body).map_err(not_values)?;
    let mut values = manifest::mapping(defaults).map_err(not_values)?;
    for (key, value) in said {
        match (values.get_mut(&key).and_then(|ours| ours.as_object_mut()), value) {
            (Some(ours), serde_json::Value::Object(theirs)) => ours.extend(theirs),
            (_, value) => {
                values.insert(key, value);
            }
        }
    }
    if defaults.is_empty() {
        // Comments and order stay.
        return Ok(body.to_owned());
    }
    // JSON is YAML.
    serde_json::to_string_pretty(&values).map_err(|error| error.to_string())
}

fn not_values(error: String) -> String {
    format!("The values of the chart cannot be read: {error}")
}

fn check_version(version: &str) -> Result<(), String> {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || ".-+".contains(c);
    if version.len() <= VERSION_CHARS_MAX && version.chars().all(is_legal) && !version.starts_with('-') {
        return Ok(());
    }
    Err(format!("“{}” is no version of a chart; write for example 1.24.2", shown(version)))
}

/// Whether certificates are to be made: Linkerd's control plane does not start without, and a person gave none.
fn wants_identity(mesh: Operable, body: &str) -> Result<bool, String> {
    let values = serde_json::Value::Object(manifest::mapping(body).map_err(not_values)?);
    let is_given = [
        "/identityTrustAnchorsPEM",
        "/identity/externalCA",
        "/identity/issuer/scheme",
        "/identity/issuer/tls",
    ]
    .iter()
    .any(|place| values.pointer(place).is_some());
    Ok(mesh == Operable::Linkerd && !is_given)
}

#[cfg(test)]
mod tests {
    use super::super::params::check_name;
    use super::*;

    #[test]
    fn names_of_all_charts_are_names() {
        for mesh in Operable::ALL {
            for (release, chart, values) in charts(mesh).map_or(&[][..], |charts| charts.charts) {
                assert_eq!(check_name("release", release).and(check_name("chart", chart)), Ok(()));
                assert!(manifest::mapping(values).is_ok());
            }
            assert_eq!(main_chart(mesh).is_none(), mesh == Operable::NetworkServiceMesh);
        }
    }

    #[test]
    fn linkerds_certificates_are_made_unless_a_person_gives_them() {
        for (body, is_made) in [
            ("", true),
            ("proxy: {cores: 2}", true),
            ("identity: {issuer: {clockSkewAllowance: 30s}}", true),
            ("identityTrustAnchorsPEM: PEM", false),
            ("identity: {externalCA: true}", false),
            ("identity: {issuer: {scheme: kubernetes.io/tls}}", false),
        ] {
            assert_eq!(wants_identity(Operable::Linkerd, body), Ok(is_made), "{body}");
            assert_eq!(wants_identity(Operable::Istio, body), Ok(false));
        }
        assert!(wants_identity(Operable::Linkerd, "a: [").is_err());
    }

    #[test]
    fn a_persons_values_come_before_ours() {
        let ours = "global:\n  name: consul\nconnectInject:\n  enabled: true\n";
        let values = with_defaults("global: {datacenter: x}\nserver: {replicas: 1}\n", ours).expect("values");
        let values = manifest::mapping(&values).expect("values");
        assert_eq!(
            (&values["global"]["name"], &values["global"]["datacenter"]),
            (&"consul".into(), &"x".into())
        );
        assert_eq!(values["server"]["replicas"], 1);
        assert_eq!(with_defaults("# mine\na: 1\n", "").as_deref(), Ok("# mine\na: 1\n"));
        assert!(check_version("1.24.2-rc.1+x").is_ok());
        assert!(check_version("--set").is_err() && check_version("1;x").is_err());
    }
}
