//! Where the load goes and how it gets there, as it is being typed.

use std::path::{Path, PathBuf};

use crate::model::Target;
use crate::model::plan::{
    ClientCertificate, Family, Protocol, Reach, Resolve, Reuse, STREAMS_MAX, Schema, Tls,
};

use super::{At, Draft, Reading, Wrong, digits, filled};

/// Protocol, TLS and ways to the target as they are being typed. Fields of what is not chosen are unused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetDraft {
    /// What is spoken; a `tcp://` or `udp://` URL says it by itself.
    pub protocol: ProtocolKind,
    /// Requests in flight on one connection at most; unused with HTTP/1.1.
    pub streams: String,
    /// Where the shapes of gRPC messages come from.
    pub schema: SchemaKind,
    /// The `.proto` file.
    pub proto: String,
    /// Folders in which its imports are looked for; an empty row is none.
    pub include: Vec<String>,
    /// The file with compiled shapes.
    pub descriptors: String,
    /// Whether and how we say who we are.
    pub client: ClientKind,
    /// The client's certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
    /// Both in one file.
    pub pkcs12: String,
    /// Of that file.
    pub password: String,
    /// Empty for the URL's host.
    pub server_name: String,
    /// Whether sessions are resumed.
    pub resumption: bool,
    /// Addresses given by hand; an empty row is none.
    pub resolve: Vec<ResolveDraft>,
    /// Which addresses of a name are used.
    pub family: Family,
    /// Whether connections go to all of them in turn.
    pub all_addresses: bool,
    /// Whether each connection asks for the name's addresses anew.
    pub resolve_each: bool,
    /// Empty for none.
    pub unix_socket: String,
    /// Empty for none.
    pub proxy: String,
    /// Requests that a connection carries at least before it is closed; empty for no end.
    pub reuse_min: String,
    /// At most; empty for as many as at least.
    pub reuse_max: String,
}

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolKind {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
    /// gRPC.
    Grpc,
}

/// Where the shapes of gRPC messages come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaKind {
    /// The server.
    Reflection,
    /// A `.proto` file.
    Proto,
    /// A compiled file.
    Descriptors,
}

/// How a client says who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientKind {
    /// It does not.
    None,
    /// With two PEM files.
    Pem,
    /// With one PKCS#12 file.
    Pkcs12,
}

/// An address given by hand, as it is being typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolveDraft {
    /// The name in the URL.
    pub host: String,
    /// The port in the URL; empty for any.
    pub port: String,
    /// With commas or spaces between them.
    pub addresses: String,
}

/// An echo has no protocol to choose: its URL says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ui::form) enum Echo {
    Tcp,
    Udp,
}

impl TargetDraft {
    pub(super) fn from_target(target: &Target) -> Self {
        let mut draft = Self::default();
        draft.take_protocol(&target.protocol);
        draft.take_tls(&target.tls);
        draft.take_reach(&target.reach);
        if let Some(Reuse { min, max }) = target.reuse {
            (draft.reuse_min, draft.reuse_max) = (min.to_string(), max.to_string());
        }
        draft
    }

    fn take_protocol(&mut self, protocol: &Protocol) {
        self.streams = protocol.streams().to_string();
        self.protocol = match protocol {
            Protocol::Http1 => ProtocolKind::Http1,
            Protocol::Http2 { .. } => ProtocolKind::Http2,
            Protocol::Grpc { .. } => ProtocolKind::Grpc,
        };
        let Protocol::Grpc { schema, .. } = protocol else { return };
        self.schema = match schema {
            Schema::Reflection => SchemaKind::Reflection,
            Schema::Proto { file, include } => {
                self.proto = shown(file);
                self.include = include.iter().map(|folder| shown(folder)).collect();
                SchemaKind::Proto
            }
            Schema::Descriptors(file) => {
                self.descriptors = shown(file);
                SchemaKind::Descriptors
            }
        };
    }

    fn take_tls(&mut self, tls: &Tls) {
        self.resumption = tls.resumption;
        self.server_name = tls.server_name.clone().unwrap_or_default();
        self.client = match &tls.client {
            None => ClientKind::None,
            Some(ClientCertificate::Pem { certificate, key }) => {
                (self.certificate, self.key) = (shown(certificate), shown(key));
                ClientKind::Pem
            }
            Some(ClientCertificate::Pkcs12 { file, password }) => {
                (self.pkcs12, self.password) = (shown(file), password.clone());
                ClientKind::Pkcs12
            }
        };
    }

    fn take_reach(&mut self, reach: &Reach) {
        self.resolve = reach.resolve.iter().map(ResolveDraft::from_resolve).collect();
        self.family = reach.family;
        self.all_addresses = reach.all_addresses;
        self.resolve_each = reach.resolve_each;
        self.unix_socket = reach.unix_socket.as_deref().map(shown).unwrap_or_default();
        self.proxy = reach.proxy.clone().unwrap_or_default();
    }

    fn schema(&self) -> Schema {
        match self.schema {
            SchemaKind::Reflection => Schema::Reflection,
            SchemaKind::Proto => Schema::Proto {
                file: PathBuf::from(self.proto.trim()),
                include: self.include.iter().filter_map(|row| filled(row)).map(PathBuf::from).collect(),
            },
            SchemaKind::Descriptors => Schema::Descriptors(PathBuf::from(self.descriptors.trim())),
        }
    }

    fn tls(&self) -> Tls {
        let path = |text: &str| PathBuf::from(text.trim());
        let client = match self.client {
            ClientKind::None => None,
            ClientKind::Pem => {
                Some(ClientCertificate::Pem { certificate: path(&self.certificate), key: path(&self.key) })
            }
            ClientKind::Pkcs12 => {
                Some(ClientCertificate::Pkcs12 { file: path(&self.pkcs12), password: self.password.clone() })
            }
        };
        Tls { client, server_name: filled(&self.server_name), resumption: self.resumption }
    }
}

impl ResolveDraft {
    fn from_resolve(resolve: &Resolve) -> Self {
        let addresses: Vec<String> = resolve.addresses.iter().map(ToString::to_string).collect();
        Self {
            host: resolve.host.clone(),
            port: resolve.port.map(|port| port.to_string()).unwrap_or_default(),
            addresses: addresses.join(", "),
        }
    }

    fn is_empty(&self) -> bool {
        [&self.host, &self.port, &self.addresses].iter().all(|text| text.trim().is_empty())
    }

    fn resolve(&self) -> Result<Resolve, String> {
        let host = filled(&self.host)
            .ok_or_else(|| "write the name that the address is for, for example localhost".to_owned())?;
        let port = filled(&self.port)
            .map(|port| port.parse::<u16>().map_err(|_| format!("“{port}” is not a port; write 1 to 65535")))
            .transpose()?;
        let split = self.addresses.split(|c: char| c == ',' || c.is_whitespace());
        let addresses: Vec<_> = split
            .filter(|text| !text.is_empty())
            .map(|text| text.parse().map_err(|_| format!("“{text}” is not an IP address")))
            .collect::<Result<_, _>>()?;
        if addresses.is_empty() {
            return Err(format!("write an address for {host}, for example 127.0.0.1"));
        }
        Ok(Resolve { host, port, addresses })
    }
}

impl Default for TargetDraft {
    fn default() -> Self {
        Self {
            protocol: ProtocolKind::Http1,
            streams: "1".to_owned(),
            schema: SchemaKind::Reflection,
            proto: String::new(),
            include: Vec::new(),
            descriptors: String::new(),
            client: ClientKind::None,
            certificate: String::new(),
            key: String::new(),
            pkcs12: String::new(),
            password: String::new(),
            server_name: String::new(),
            resumption: true,
            resolve: Vec::new(),
            family: Family::Any,
            all_addresses: false,
            resolve_each: false,
            unix_socket: String::new(),
            proxy: String::new(),
            reuse_min: String::new(),
            reuse_max: String::new(),
        }
    }
}

impl Draft {
    /// The echo that the URL asks for.
    pub(in crate::ui::form) fn echo(&self) -> Option<Echo> {
        let (scheme, _) = self.url.trim().split_once("://")?;
        match scheme.to_ascii_lowercase().as_str() {
            "tcp" => Some(Echo::Tcp),
            "udp" => Some(Echo::Udp),
            _ => None,
        }
    }

    /// Whether calls of gRPC are sent.
    pub(in crate::ui::form) fn is_grpc(&self) -> bool {
        self.target.protocol == ProtocolKind::Grpc && self.echo().is_none()
    }
}

impl Draft {
    /// The target as it can be asked what it offers; none while that cannot be told. How many streams a
    /// connection carries, and how long, makes no difference to it.
    pub(in crate::ui::form) fn asked(&self, wrong: &[Wrong]) -> Option<Target> {
        let is_in_the_way =
            |wrong: &Wrong| matches!(wrong.at, At::Url | At::Protocol | At::Tls | At::Reach | At::Resolve(_));
        if !self.is_grpc() || wrong.iter().any(is_in_the_way) {
            return None;
        }
        let mut target = Reading::default().target(self);
        target.reuse = None;
        target.protocol = Protocol::Grpc { streams: 1, schema: self.target.schema() };
        Some(target)
    }
}

impl Reading {
    pub(super) fn target(&mut self, draft: &Draft) -> Target {
        let target = &draft.target;
        Target {
            url: draft.url.trim().to_owned(),
            protocol: self.protocol(draft),
            insecure: draft.insecure,
            ca_file: filled(&draft.ca_file).map(PathBuf::from),
            tls: target.tls(),
            reach: Reach {
                resolve: self.resolve(&target.resolve),
                family: target.family,
                all_addresses: target.all_addresses,
                resolve_each: target.resolve_each,
                unix_socket: filled(&target.unix_socket).map(PathBuf::from),
                proxy: filled(&target.proxy),
            },
            reuse: self.reuse(target),
            service: draft.service.clone(),
        }
    }

    fn protocol(&mut self, draft: &Draft) -> Protocol {
        let target = &draft.target;
        // What a URL says by itself is not said again: a choice made before it stays out of its way.
        if target.protocol == ProtocolKind::Http1 || draft.echo().is_some() {
            return Protocol::Http1;
        }
        let read = digits(&target.streams)
            .parse::<u32>()
            .ok()
            .filter(|streams| (1..=STREAMS_MAX).contains(streams))
            .ok_or_else(|| format!("write a whole number from 1 to {STREAMS_MAX}"));
        let streams = self.take(At::Protocol, read, 1);
        if target.protocol == ProtocolKind::Grpc {
            return Protocol::Grpc { streams, schema: target.schema() };
        }
        Protocol::Http2 { streams }
    }

    fn resolve(&mut self, rows: &[ResolveDraft]) -> Vec<Resolve> {
        let mut given = Vec::new();
        for (row, draft) in rows.iter().enumerate().filter(|(_, row)| !row.is_empty()) {
            match draft.resolve() {
                Ok(resolve) => given.push(resolve),
                Err(reason) => self.wrong.push(Wrong { at: At::Resolve(row), reason }),
            }
        }
        given
    }

    fn reuse(&mut self, target: &TargetDraft) -> Option<Reuse> {
        let count = |text: &String| {
            let text = digits(text);
            let read = text.parse::<u64>();
            (!text.is_empty())
                .then(|| read.map_err(|_| "write a whole number of requests, for example 100".to_owned()))
                .transpose()
        };
        let read = count(&target.reuse_min).and_then(|min| Ok((min, count(&target.reuse_max)?)));
        match self.take(At::Reuse, read, (None, None)) {
            (None, None) => None,
            (Some(min), max) => Some(Reuse { min, max: max.unwrap_or(min) }),
            (None, Some(max)) => Some(Reuse { min: max, max }),
        }
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
