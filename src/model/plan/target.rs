//! Where the load goes, and how it gets there.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::REDACTED;

/// The most streams that one HTTP/2 connection carries at once.
pub const STREAMS_MAX: u32 = 1_000;
/// The most names that are given an address by hand.
pub const RESOLVE_MAX: usize = 64;

/// Where the load goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// `http://` or `https://`; `tcp://` and `udp://` with host and port for an echo.
    pub url: String,
    /// What is spoken there; of `tcp://` and `udp://` the URL says it.
    #[serde(default, skip_serializing_if = "Protocol::is_default")]
    pub protocol: Protocol,
    /// Accept any certificate. Said loudly wherever the result is shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub insecure: bool,
    /// A PEM file with further certificate authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// What else TLS needs.
    #[serde(default, skip_serializing_if = "Tls::is_default")]
    pub tls: Tls,
    /// Ways to the target other than its name's address.
    #[serde(default, skip_serializing_if = "Reach::is_default")]
    pub reach: Reach,
    /// When a connection is closed and a fresh one opened; none for as late as possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reuse: Option<Reuse>,
    /// The Kubernetes Service that it is, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceTarget>,
}

/// A Service of a cluster, as a target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceTarget {
    /// The kubeconfig's context.
    pub context: String,
    /// The kubeconfig; where it is left out, the context of that name is used if there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubeconfig: Option<PathBuf>,
    /// Whether it is a Service or a pod.
    #[serde(default, skip_serializing_if = "TargetKind::is_service")]
    pub kind: TargetKind,
    /// Where the Service is.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its port.
    pub port: u16,
    /// How it is reached.
    #[serde(default)]
    pub route: Route,
    /// What was known of the cluster when load was sent.
    #[serde(default, skip_serializing_if = "ClusterNote::is_empty")]
    pub cluster: ClusterNote,
}

impl ServiceTarget {
    /// Reads `NAMESPACE/NAME:PORT`; none where it is no such thing.
    #[must_use]
    pub fn place(text: &str) -> Option<(&str, &str, u16)> {
        let (namespace, rest) = text.split_once('/')?;
        let (name, port) = rest.split_once(':')?;
        let port = port.parse().ok().filter(|port| *port > 0)?;
        (!namespace.is_empty() && !name.is_empty() && !name.contains('/')).then_some((namespace, name, port))
    }
}

/// Of what kind the target in a cluster is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetKind {
    /// A Service.
    #[default]
    Service,
    /// One pod.
    Pod,
}

/// How a Service is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// Through the API server, to one of its pods (port-forward): slower than the Service is, and said so.
    #[default]
    PortForward,
    /// By the URL.
    Direct,
}

/// What was known of a cluster when load was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterNote {
    /// Version of the API server.
    pub version: String,
    /// Its nodes in short: `3 nodes, amd64, 12 CPUs, kubelet v1.36.2`.
    pub nodes: String,
    /// Meshes with their versions: `Istio 1.24.2`.
    pub meshes: Vec<String>,
    /// The workload behind the Service: `Deployment/checkout`.
    pub workload: String,
    /// Images of its containers.
    pub images: Vec<String>,
    /// What the way through the API server costs, where load went that way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<Tunnel>,
}

/// What the way through an API server costs, as it was measured before load was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tunnel {
    /// To open a connection, in microseconds.
    pub open_us: u64,
    /// The fastest round trip on an open connection, in microseconds: no request was quicker. None where it is not known.
    pub round_trip_us: Option<u64>,
}

impl TargetKind {
    fn is_service(&self) -> bool {
        *self == Self::Service
    }

    /// As people write it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Service => "Service",
            Self::Pod => "pod",
        }
    }
}

impl ClusterNote {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What is spoken with the target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Protocol {
    /// HTTP/1.1; over `tcp://` and `udp://` an echo of the request's body.
    #[default]
    Http1,
    /// HTTP/2: agreed on with ALPN over `https`, by prior knowledge over `http`.
    Http2 {
        /// Requests in flight on one connection at most.
        #[serde(default = "one")]
        streams: u32,
    },
    /// gRPC over HTTP/2. Each request names its method ([`super::Grpc`]).
    Grpc {
        /// Calls in flight on one connection at most.
        #[serde(default = "one")]
        streams: u32,
        /// Where the messages' shapes come from.
        #[serde(default)]
        schema: Schema,
    },
}

/// Where the shapes of gRPC messages come from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schema {
    /// Server reflection; the standard health service needs none.
    #[default]
    Reflection,
    /// A `.proto` file, and the folders in which its imports are looked for (its own folder is one).
    Proto {
        /// The file.
        file: PathBuf,
        /// The folders.
        #[serde(default)]
        include: Vec<PathBuf>,
    },
    /// A file with a serialized `FileDescriptorSet` (`protoc --descriptor_set_out --include_imports`).
    Descriptors(PathBuf),
}

/// What TLS needs beside authorities.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// Who we are, where the target asks (mutual TLS).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientCertificate>,
    /// The name to ask for (SNI) and to check the certificate against, instead of the URL's host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// Whether later connections may resume the session of earlier ones.
    pub resumption: bool,
}

/// A client's certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientCertificate {
    /// Two PEM files, or the same file twice.
    Pem {
        /// The certificate, then those that signed it.
        certificate: PathBuf,
        /// The private key, without a password.
        key: PathBuf,
    },
    /// One file with both (`.p12`, `.pfx`).
    Pkcs12 {
        /// The file.
        file: PathBuf,
        /// Its password: a secret.
        #[serde(default)]
        password: String,
    },
}

/// Ways to the target other than its name's address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reach {
    /// Names that are given an address instead of being asked for, as `curl --resolve`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resolve: Vec<Resolve>,
    /// Which addresses of a name are used.
    #[serde(skip_serializing_if = "Family::is_default")]
    pub family: Family,
    /// Whether connections go to all addresses of a name in turn, and not to the first that accepts one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub all_addresses: bool,
    /// Whether each new connection asks anew what the name stands for, and not once for the whole run.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub resolve_each: bool,
    /// Connect to this Unix socket; the URL gives the rest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unix_socket: Option<PathBuf>,
    /// Connect through this proxy: `http://`, `socks5://` (names resolved here) or `socks5h://` (by the proxy), with
    /// `user:password@` where it asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
}

/// An address given by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolve {
    /// The name in the URL; `*` for any.
    pub host: String,
    /// The port in the URL; none for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// What it stands for, one or several.
    pub addresses: Vec<IpAddr>,
}

/// Which addresses of a name are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Both kinds.
    #[default]
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

/// After how many requests a connection is closed: drawn evenly from a range for each connection, so that not all
/// are opened anew at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reuse {
    /// At least.
    pub min: u64,
    /// At most.
    pub max: u64,
}

impl Target {
    /// Replaces every secret by its stand-in.
    pub(super) fn redact(&mut self) {
        self.url = super::redacted_url(&self.url);
        if let Some(ClientCertificate::Pkcs12 { password, .. }) = &mut self.tls.client
            && !password.is_empty()
        {
            REDACTED.clone_into(password);
        }
        if let Some(proxy) = &mut self.reach.proxy {
            *proxy = super::redacted_url(proxy);
        }
    }
}

/// # Errors
/// Why TLS cannot be set up like this.
pub(super) fn check_tls(tls: &Tls) -> Result<(), String> {
    let missing = |path: &PathBuf| path.as_os_str().is_empty();
    match &tls.client {
        Some(ClientCertificate::Pem { certificate, key }) if missing(certificate) || missing(key) => {
            return Err("a client certificate needs two files: the certificate and its key".to_owned());
        }
        Some(ClientCertificate::Pkcs12 { file, .. }) if missing(file) => {
            return Err("a file with the client certificate is missing".to_owned());
        }
        Some(ClientCertificate::Pkcs12 { password, .. }) if password == REDACTED => {
            return Err(
                "the password of the client certificate was not kept because it is secret; enter it again"
                    .to_owned(),
            );
        }
        _ => {}
    }
    match &tls.server_name {
        Some(name) if url::Host::parse(name).is_err() => Err(format!("“{name}” cannot be a server's name")),
        _ => Ok(()),
    }
}

/// # Errors
/// Why the target cannot be reached like this.
pub(super) fn check_reach(reach: &Reach, url: &str) -> Result<(), String> {
    if reach.resolve.len() > RESOLVE_MAX {
        return Err(format!("at most {RESOLVE_MAX} names can be given addresses by hand"));
    }
    for given in &reach.resolve {
        if given.host.is_empty() {
            return Err("an address given by hand needs the name it is for".to_owned());
        }
        if given.addresses.is_empty() || given.addresses.len() > RESOLVE_MAX {
            return Err(format!("{} needs 1 to {RESOLVE_MAX} addresses", given.host));
        }
    }
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme.trim());
    if scheme.eq_ignore_ascii_case("udp") && (reach.unix_socket.is_some() || reach.proxy.is_some()) {
        return Err("udp goes neither over a Unix socket nor through a proxy".to_owned());
    }
    if reach.unix_socket.is_some() && reach.proxy.is_some() {
        return Err("a connection goes to a Unix socket or through a proxy, not both".to_owned());
    }
    if reach.unix_socket.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
        return Err("the path of the Unix socket is missing".to_owned());
    }
    let Some(proxy) = &reach.proxy else { return Ok(()) };
    check_proxy(proxy)?;
    let is_resolved_here = proxy.get(..9).is_some_and(|scheme| scheme.eq_ignore_ascii_case("socks5://"));
    if is_resolved_here && reach.resolve_each {
        return Err(
            "asking for the name anew on each connection needs a socks5h:// or http:// proxy".to_owned()
        );
    }
    if !is_resolved_here && reach.resolve.is_empty() && (reach.all_addresses || reach.family != Family::Any) {
        return Err("this proxy chooses the address; with socks5:// it is chosen here".to_owned());
    }
    Ok(())
}

/// No message repeats the text: it may hold a secret.
fn check_proxy(text: &str) -> Result<(), String> {
    let url = url::Url::parse(text)
        .map_err(|_| "the proxy is not a URL; write for example http://127.0.0.1:3128".to_owned())?;
    if !matches!(url.scheme(), "http" | "socks5" | "socks5h") {
        return Err("a proxy is http://, socks5:// or socks5h://".to_owned());
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("the proxy names no host".to_owned());
    }
    if [url.username(), url.password().unwrap_or_default()].contains(&super::REDACTED_IN_URL) {
        return Err(
            "the credentials of the proxy were not kept because they are secret; enter them again".to_owned()
        );
    }
    Ok(())
}

/// # Errors
/// Why connections cannot be used like this.
pub(super) fn check_reuse(reuse: Reuse) -> Result<(), String> {
    if reuse.min == 0 || reuse.max < reuse.min {
        return Err("a connection carries at least 1 request, and at most no fewer than at least".to_owned());
    }
    Ok(())
}

impl Protocol {
    /// Whether it is what a plan has that says nothing.
    #[must_use]
    pub fn is_default(&self) -> bool {
        matches!(self, Self::Http1)
    }

    /// Whether connections carry several requests at once.
    #[must_use]
    pub fn is_on_http2(&self) -> bool {
        matches!(self, Self::Http2 { .. } | Self::Grpc { .. })
    }

    /// Requests in flight on one connection at most.
    #[must_use]
    pub fn streams(&self) -> u32 {
        match self {
            Self::Http1 => 1,
            Self::Http2 { streams } | Self::Grpc { streams, .. } => *streams,
        }
    }
}

impl Tls {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Tls {
    fn default() -> Self {
        Self { client: None, server_name: None, resumption: true }
    }
}

impl Reach {
    /// What was given by hand for a host and port; the first that fits, and `*` fits every host.
    #[must_use]
    pub fn given(&self, host: &str, port: u16) -> Option<&Resolve> {
        // URLs write a name like “bücher.test” in ASCII.
        let in_ascii = |name: &str| url::Host::parse(name).is_ok_and(|name| name.to_string() == host);
        self.resolve.iter().find(|given| {
            (given.host == "*" || given.host.eq_ignore_ascii_case(host) || in_ascii(&given.host))
                && given.port.is_none_or(|given| given == port)
        })
    }

    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Family {
    fn is_default(&self) -> bool {
        *self == Self::Any
    }
}

fn one() -> u32 {
    1
}
