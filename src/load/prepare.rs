//! What must be known before the first thread starts: the bytes to send, and where to.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use url::{Host, Url};

use super::arrival::Noting;
use super::connection::{ADDRESSES_MAX, Connector, Place, is_in};
use super::random::Random;
use super::reasons::Reasons;
use super::schedule::nanos;
use super::source::Source;
use super::tally::Opening;
use super::tunnel::Tunnel;
use super::{LoadError, tls};
use crate::model::Plan;
use crate::model::plan::{Family, Reach, Reuse};

/// Where a SOCKS proxy listens when nobody says.
const SOCKS_PORT: u16 = 1080;
/// The most addresses of one name that connections go to in turn.
const ALL_ADDRESSES_MAX: usize = 64;
/// The longest wait for one of several addresses to accept a connection.
const PROBE_MAX: Duration = Duration::from_secs(1);
/// Open files beside the connections: those of the process before, and a few for each worker.
#[cfg(target_os = "linux")]
const OTHER_FILES: u64 = 128;

/// A plan made ready, but for its addresses.
pub(super) struct Prepared {
    pub(super) source: Arc<Source>,
    origins: Vec<Origin>,
    reach: Reach,
    proxy: Option<Url>,
    reuse: Option<Reuse>,
    /// Whether the system is asked when answers come: that costs a little of each, and in a closed loop alone it is about
    /// how many there can be.
    is_noted: bool,
    probe: Duration,
}

/// A scheme, host and port that requests go to.
struct Origin {
    host: String,
    port: u16,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Prepared {
    pub(super) fn new(plan: &Plan) -> Result<Self, LoadError> {
        if let Some(problem) = plan.problems().into_iter().next() {
            return Err(LoadError::Plan(problem.reason));
        }
        let proxy = plan.target.reach.proxy.as_deref().map(Url::parse).transpose();
        let proxy = proxy.map_err(|_| LoadError::Plan("the proxy is not a URL".to_owned()))?;
        #[cfg(not(unix))]
        if plan.target.reach.unix_socket.is_some() {
            return Err(LoadError::Plan("this system has no Unix sockets".to_owned()));
        }
        let url = Url::parse(&plan.target.url).map_err(|error| LoadError::Url(error.to_string()))?;
        let source = Arc::new(Source::new(plan, &url)?);
        let tls = match source.origins().iter().any(|origin| origin.scheme() == "https") {
            true => Some(tls::config(&plan.target)?),
            false => None,
        };
        let name = plan.target.tls.server_name.as_deref();
        let origin = |to: &Url| Origin::new(to, tls.as_ref(), name.filter(|_| to.host() == url.host()));
        let origins = source.origins().iter().map(origin).collect::<Result<_, _>>()?;
        Ok(Self {
            source,
            origins,
            reach: plan.target.reach.clone(),
            proxy,
            reuse: plan.target.reuse,
            is_noted: plan.pacing.is_open_loop(),
            probe: plan.timeout.min(PROBE_MAX),
        })
    }

    /// One for each of the source's origins, at least one.
    pub(super) async fn connectors(&self) -> Result<Vec<Connector>, LoadError> {
        let tunnel = self.tunnel().await?.map(Arc::new);
        let reasons = Reasons::default();
        let mut connectors: Vec<Connector> = Vec::with_capacity(self.origins.len());
        for origin in &self.origins {
            let mut connector = self.connector(origin, tunnel.clone(), reasons.clone()).await?;
            connector.first_address = connectors.last().map_or(0, Connector::addresses_end);
            connectors.push(connector);
        }
        Ok(connectors)
    }

    /// Resolves the name once for the whole run, unless each connection is to ask anew.
    async fn connector(
        &self,
        origin: &Origin,
        tunnel: Option<Arc<Tunnel>>,
        reasons: Reasons,
    ) -> Result<Connector, LoadError> {
        let began = Instant::now();
        let places = self.places(origin).await?;
        let is_resolved = self.reach.given(&origin.host, origin.port).is_none()
            && origin.host.parse::<IpAddr>().is_err()
            && matches!(places[0], Place::Address(_));
        let mut connector = Connector {
            places: places.into(),
            first_address: 0,
            tunnel,
            resolved_in: is_resolved.then(|| nanos(began.elapsed())),
            family: self.reach.family,
            all_addresses: self.reach.all_addresses,
            tls: origin.tls.clone(),
            reuse: self.reuse,
            noting: if self.is_noted { Noting::begin().map(Arc::new) } else { None },
            begun: Arc::default(),
            seed: Arc::new(Random::fresh_seed().into()),
            reasons,
        };
        if connector.places.len() > 1 && !self.reach.all_addresses {
            let at = self.reachable(&connector).await.unwrap_or(0);
            connector.places = [connector.places[at].clone()].into();
        }
        Ok(connector)
    }

    /// Where connections go; at least one.
    async fn places(&self, origin: &Origin) -> Result<Vec<Place>, LoadError> {
        let Origin { host, port, .. } = origin;
        #[cfg(unix)]
        if let Some(path) = &self.reach.unix_socket {
            return Ok(vec![Place::Unix(path.clone())]);
        }
        let given = self.reach.given(host, *port);
        let is_address = host.parse::<IpAddr>().is_ok();
        let is_resolved_there = self.proxy.as_ref().is_some_and(|proxy| proxy.scheme() != "socks5");
        let mut addresses = match given {
            Some(given) => given.addresses.iter().map(|address| SocketAddr::new(*address, *port)).collect(),
            None if !is_address && (is_resolved_there || self.reach.resolve_each) => {
                return Ok(vec![Place::Name(host.clone(), *port)]);
            }
            None => looked_up(host, *port).await?,
        };
        addresses.retain(|address| is_in(self.reach.family, address));
        addresses.dedup();
        addresses.truncate(if self.reach.all_addresses { ALL_ADDRESSES_MAX } else { ADDRESSES_MAX });
        if addresses.is_empty() {
            return Err(self.no_address(host));
        }
        Ok(addresses.into_iter().map(Place::Address).collect())
    }

    /// The proxy, its own name resolved.
    async fn tunnel(&self) -> Result<Option<Tunnel>, LoadError> {
        let Some(proxy) = &self.proxy else { return Ok(None) };
        let host = match proxy.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            host => host.map(|host| host.to_string()).unwrap_or_default(),
        };
        let port = proxy.port_or_known_default().unwrap_or(SOCKS_PORT);
        let addresses = looked_up(&host, port).await?;
        let mut chosen = *addresses.first().ok_or(LoadError::NoAddress { host })?;
        if addresses.len() > 1 {
            for address in addresses.into_iter().take(ADDRESSES_MAX) {
                if matches!(tokio::time::timeout(self.probe, TcpStream::connect(address)).await, Ok(Ok(_))) {
                    chosen = address;
                    break;
                }
            }
        }
        Ok(Some(Tunnel::new(proxy, chosen)))
    }

    fn no_address(&self, host: &str) -> LoadError {
        LoadError::NoAddress {
            host: match self.reach.family {
                Family::Any => host.to_owned(),
                Family::V4 => format!("{host} (IPv4 only)"),
                Family::V6 => format!("{host} (IPv6 only)"),
            },
        }
    }

    /// The first place that accepts a connection: `localhost` is often two, of which a service listens on one.
    async fn reachable(&self, connector: &Connector) -> Option<usize> {
        for (at, place) in connector.places.iter().enumerate() {
            let mut opening = Opening::default();
            let opened = connector.open(place, 0, &mut opening);
            if matches!(tokio::time::timeout(self.probe, opened).await, Ok(Ok(_))) {
                return Some(at);
            }
        }
        None
    }
}

impl Origin {
    /// `name`: another one than the host's that its certificate is for.
    fn new(url: &Url, tls: Option<&Arc<ClientConfig>>, name: Option<&str>) -> Result<Self, LoadError> {
        let host = match url.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(host) => host.to_string(),
            None => return Err(LoadError::Url("it names no host".to_owned())),
        };
        let port = url.port_or_known_default().unwrap_or(80);
        let tls = match tls.filter(|_| url.scheme() == "https") {
            Some(config) => {
                let name = name.unwrap_or(&host).to_owned();
                let words = format!("{name} cannot be the name on a certificate");
                let name = ServerName::try_from(name).map_err(|_| LoadError::Url(words))?;
                Some((Arc::clone(config), name))
            }
            None => None,
        };
        Ok(Self { host, port, tls })
    }
}

async fn looked_up(host: &str, port: u16) -> Result<Vec<SocketAddr>, LoadError> {
    let resolved = tokio::net::lookup_host((host, port)).await;
    Ok(resolved.map_err(|source| LoadError::Resolve { host: host.to_owned(), source })?.collect())
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

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::super::{Control, Measured, Options, run};
    use super::*;
    use crate::model::plan::Resolve;
    use crate::model::{Pacing, Stop};

    /// Answers on every connection until it is closed; ends when the test's process does.
    fn server() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let port = listener.local_addr().expect("an address").port();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    let mut piece = [0; 4096];
                    while stream.read(&mut piece).is_ok_and(|length| length > 0)
                        && stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").is_ok()
                    {
                    }
                });
            }
        });
        port
    }

    fn plan(port: u16) -> Plan {
        let mut plan = Plan::for_url(&format!("http://shop.test:{port}/"));
        plan.connections = 1;
        plan.pacing = Pacing::MAX;
        plan.stop = Stop::Requests(20);
        plan.target.reach.resolve = vec![Resolve {
            host: "shop.test".to_owned(),
            port: None,
            addresses: vec![[127, 0, 0, 1].into()],
        }];
        plan
    }

    fn measure(plan: &Plan) -> Result<Measured, LoadError> {
        run(plan, &Options { threads: 1, ..Options::default() }, &Control::new(), &mut |_| {})
    }

    #[test]
    fn a_connection_carries_as_many_requests_as_asked_for() {
        let port = server();
        for (reuse, opened) in
            [(None, 1), (Some(Reuse { min: 1, max: 1 }), 20), (Some(Reuse { min: 5, max: 5 }), 4)]
        {
            let mut plan = plan(port);
            plan.target.reuse = reuse;
            let measured = measure(&plan).expect("it can be run");
            assert_eq!(measured.requests.answered, 20, "{reuse:?}: {:?}", measured.errors);
            assert_eq!(measured.connections.opened, opened, "{reuse:?}");
        }
    }

    #[test]
    fn connections_go_to_all_addresses_in_turn() {
        let mut plan = plan(server());
        plan.target.reuse = Some(Reuse { min: 1, max: 1 });
        plan.target.reach.all_addresses = true;
        // Nobody listens on the second: every other request fails.
        plan.target.reach.resolve[0].addresses.push([127, 0, 0, 2].into());
        let measured = measure(&plan).expect("it can be run");
        assert_eq!(measured.requests.answered, 10, "{:?}", measured.errors);
        assert_eq!(measured.errors.get("connect_refused"), Some(&10));
        plan.target.reach.all_addresses = false;
        assert_eq!(measure(&plan).expect("it can be run").requests.answered, 20);
    }

    #[test]
    fn load_takes_no_other_way_than_asked_for() {
        let mut plan = plan(server());
        plan.target.reach.family = Family::V6;
        let error = measure(&plan).expect_err("it has an IPv4 address only").to_string();
        assert!(error.contains("IPv6 only"), "{error}");
    }
}
