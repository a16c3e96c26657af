//! What traffic rules of all meshes say, and the Gateway API's routes, which several meshes understand.

use super::params::{Params, check_name};
use super::{Asked, Deed, Step};

/// The port of a Service that is meant where nobody says one; that of our own sample.
const PORT: u32 = 80;
/// The port of our own sample's pods.
const TARGET_PORT: u32 = 8080;

/// The Service that a rule is for.
pub(super) struct Of {
    pub(super) service: String,
    pub(super) port: u32,
}

/// Requests shared between two versions, in percent.
pub(super) struct Split {
    pub(super) of: Of,
    /// The pods' own port, for meshes that need a Service for each version.
    target_port: u32,
    pub(super) stable: String,
    pub(super) canary: String,
    pub(super) stable_percent: u32,
    pub(super) canary_percent: u32,
}

/// Answers that come late.
pub(super) struct Delay {
    pub(super) of: Of,
    pub(super) delay: String,
    pub(super) percent: u32,
}

/// Answers that fail.
pub(super) struct Abort {
    pub(super) of: Of,
    pub(super) status: u32,
    pub(super) percent: u32,
}

/// Requests that are sent again.
pub(super) struct Retries {
    pub(super) of: Of,
    pub(super) attempts: u32,
    pub(super) per_try: String,
}

/// How long an answer may take.
pub(super) struct Timeout {
    pub(super) of: Of,
    pub(super) timeout: String,
}

impl Of {
    fn read(params: &mut Params) -> Result<Self, String> {
        let service = params.name("service", "echo")?;
        Ok(Self { service, port: params.number("port", PORT, 1..=65535)? })
    }
}

impl Split {
    pub(super) fn read(params: &mut Params) -> Result<Self, String> {
        let of = Of::read(params)?;
        let (stable, canary) = (params.name("stable", "v1")?, params.name("canary", "v2")?);
        if stable == canary {
            return Err(format!("stable and canary are both {stable}; two versions are wanted"));
        }
        let canary_percent = params.percent("percent", 10)?;
        let usual = if of.port == PORT { TARGET_PORT } else { of.port };
        let target_port = params.number("target_port", usual, 1..=65535)?;
        let split =
            Self { of, target_port, stable, canary, stable_percent: 100 - canary_percent, canary_percent };
        check_name("the Service of a version", &split.name_of(&split.stable))?;
        check_name("the Service of a version", &split.name_of(&split.canary))?;
        Ok(split)
    }

    /// Services for each version, which the Gateway API and others share requests between.
    pub(super) fn services(&self) -> String {
        [&self.stable, &self.canary].map(|version| self.service_of(version)).concat()
    }

    /// The Service that [`Self::services`] makes for a version.
    pub(super) fn name_of(&self, version: &str) -> String {
        format!("{}-split-{version}", self.of.service)
    }

    fn service_of(&self, version: &str) -> String {
        let (name, service, port) = (self.name_of(version), &self.of.service, self.of.port);
        let target = self.target_port;
        format!(
            "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\nspec:\n  selector: {{app: {service}, version: \
             \"{version}\"}}\n  ports: [{{name: http, port: {port}, targetPort: {target}, appProtocol: http}}]\n"
        )
    }
}

impl Delay {
    pub(super) fn read(params: &mut Params) -> Result<Self, String> {
        let of = Of::read(params)?;
        Ok(Self { of, delay: params.time("delay", "100ms")?, percent: params.percent("percent", 100)? })
    }
}

impl Abort {
    pub(super) fn read(params: &mut Params) -> Result<Self, String> {
        let of = Of::read(params)?;
        Ok(Self {
            of,
            status: params.number("status", 503, 400..=599)?,
            percent: params.percent("percent", 10)?,
        })
    }
}

impl Retries {
    pub(super) fn read(params: &mut Params) -> Result<Self, String> {
        let of = Of::read(params)?;
        Ok(Self {
            of,
            attempts: params.number("attempts", 3, 1..=20)?,
            per_try: params.time("per_try", "2s")?,
        })
    }
}

impl Timeout {
    pub(super) fn read(params: &mut Params) -> Result<Self, String> {
        let of = Of::read(params)?;
        Ok(Self { of, timeout: params.time("timeout", "2s")? })
    }
}

/// Whether Linkerd's own words for retries and timeouts are needed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Standard,
    Linkerd,
}

/// An `HTTPRoute` for one Service, for meshes that speak the Gateway API; none for what it has no words for.
pub(super) fn http_route(
    asked: &Asked<'_>,
    params: &mut Params,
    dialect: Dialect,
) -> Result<Option<Vec<Step>>, String> {
    let (of, annotations, rule, more) = match asked.deed {
        Deed::Split => {
            let split = Split::read(params)?;
            let backend = |version: &str, weight| {
                let (name, port) = (split.name_of(version), split.of.port);
                format!("    - {{name: {name}, port: {port}, weight: {weight}}}\n")
            };
            let backends =
                backend(&split.stable, split.stable_percent) + &backend(&split.canary, split.canary_percent);
            let services = split.services();
            (split.of, String::new(), format!("backendRefs:\n{backends}"), services)
        }
        Deed::Timeout => {
            let timeout = Timeout::read(params)?;
            let backend = backend(&timeout.of);
            let (annotations, rule) = match dialect {
                Dialect::Linkerd => (format!("timeout.linkerd.io/request: {}", timeout.timeout), backend),
                Dialect::Standard => {
                    (String::new(), format!("timeouts: {{request: {}}}\n    {backend}", timeout.timeout))
                }
            };
            (timeout.of, annotations, rule, String::new())
        }
        Deed::Retries if dialect == Dialect::Linkerd => {
            let retries = Retries::read(params)?;
            let (attempts, per_try) = (retries.attempts, &retries.per_try);
            let annotations = format!(
                "retry.linkerd.io/http: 5xx, retry.linkerd.io/limit: \"{attempts}\", retry.linkerd.io/timeout: {per_try}"
            );
            let backend = backend(&retries.of);
            (retries.of, annotations, backend, String::new())
        }
        _ => return Ok(None),
    };
    let Of { service, port } = &of;
    let annotations =
        if annotations.is_empty() { annotations } else { format!("  annotations: {{{annotations}}}\n") };
    // Linkerd's older versions know the group of Services by this name only.
    let group = if dialect == Dialect::Linkerd { "core" } else { "\"\"" };
    let manifest = format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata:\n  name: meshbench-{service}\n{annotations}\
         spec:\n  parentRefs:\n  - {{group: {group}, kind: Service, name: {service}, port: {port}}}\n  rules:\n  - {rule}{more}"
    );
    Ok(Some(asked.rules(&format!("route-{service}"), manifest)))
}

fn backend(of: &Of) -> String {
    format!("backendRefs: [{{name: {}, port: {}}}]\n", of.service, of.port)
}
