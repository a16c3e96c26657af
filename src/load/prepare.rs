//! What must be known before the first thread starts: the bytes to send, and where to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use url::{Host, Url};

use super::connection::Connector;
use super::source::Source;
use super::{LoadError, tls};
use crate::model::Plan;

/// The most addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;
/// The longest wait for one of several addresses to accept a connection.
const PROBE_MAX: Duration = Duration::from_secs(1);
/// Open files beside the connections: those of the process before, and a few for each worker.
#[cfg(target_os = "linux")]
const OTHER_FILES: u64 = 128;

/// A plan made ready, but for its address.
pub(super) struct Prepared {
    pub(super) source: Arc<Source>,
    host: String,
    port: u16,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    probe: Duration,
}

impl Prepared {
    pub(super) fn new(plan: &Plan) -> Result<Self, LoadError> {
        if let Some(problem) = plan.problems().into_iter().next() {
            return Err(LoadError::Plan(problem.reason));
        }
        let url = Url::parse(&plan.target.url).map_err(|error| LoadError::Url(error.to_string()))?;
        let host = match url.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(host) => host.to_string(),
            None => return Err(LoadError::Url("it names no host".to_owned())),
        };
        let port = url.port_or_known_default().unwrap_or(80);
        let tls = if url.scheme() == "https" {
            let name = ServerName::try_from(host.clone())
                .map_err(|_| LoadError::Url(format!("{host} cannot be the name on a certificate")))?;
            Some((tls::config(&plan.target)?, name))
        } else {
            None
        };
        let source = Arc::new(Source::new(plan, &url)?);
        Ok(Self { source, host, port, tls, probe: plan.timeout.min(PROBE_MAX) })
    }

    /// Resolves the name once for the whole run.
    pub(super) async fn connector(&self) -> Result<Connector, LoadError> {
        let resolved = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        let mut addresses: Vec<SocketAddr> = resolved
            .map_err(|source| LoadError::Resolve { host: self.host.clone(), source })?
            .take(ADDRESSES_MAX)
            .collect();
        addresses.dedup();
        let first = *addresses.first().ok_or_else(|| LoadError::NoAddress { host: self.host.clone() })?;
        let address =
            if addresses.len() == 1 { first } else { self.reachable(&addresses).await.unwrap_or(first) };
        Ok(Connector { address, tls: self.tls.clone() })
    }

    /// The first address that accepts a connection: `localhost` is often two, of which a service listens on one.
    async fn reachable(&self, addresses: &[SocketAddr]) -> Option<SocketAddr> {
        for address in addresses {
            if matches!(tokio::time::timeout(self.probe, TcpStream::connect(address)).await, Ok(Ok(_))) {
                return Some(*address);
            }
        }
        None
    }
}

/// Raises the soft limit of open files to what `connections` need.
#[cfg(target_os = "linux")]
pub(super) fn allow_files(connections: u32) -> Result<(), LoadError> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let needed = u64::from(connections) + OTHER_FILES;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    if let Some(allowed) = limit.maximum.filter(|maximum| *maximum < needed) {
        return Err(LoadError::OpenFiles { needed, allowed });
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum: limit.maximum })
        .map_err(|_| LoadError::OpenFiles { needed, allowed: limit.current.unwrap_or(0) })
}

/// Elsewhere the limit shows as connections that cannot be opened.
#[cfg(not(target_os = "linux"))]
pub(super) fn allow_files(_connections: u32) -> Result<(), LoadError> {
    Ok(())
}
