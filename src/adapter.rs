//! Adapters of service meshes: a client that speaks with all of them, and a server of the same contract.
//!
//! ```text
//!  Way (address, socket, memory) ─ Client::connect ─▶ ask: name, about, versions, operations ─▶ AdapterFacts
//!                                       │
//!                                       ├─ apply: both ways of handing over a login, one at a time
//!                                       └─ listen: events, cleaned, bounded, each once
//!  Backend ─ serve ─▶ the same contract over TCP, TLS, or in memory; events to each who listens
//! ```
//!
//! Everything that comes from the other side is foreign text of any length: each message, text, list and rate has a bound.

pub mod builtin;
mod client;
mod door;
mod events;
mod login;
mod running;
mod secrets;
mod server;
mod text;
mod way;

pub use client::{AtStep, Client, WireError};
pub use door::ServerTls;
pub use login::Login;
pub use server::{Backend, Reporter, ServeError, in_memory, serve};
pub use way::Way;

/// The longest message either side takes: an adapter that offers much offers kilobytes.
const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Ports at which adapters of known meshes listen unless told otherwise, with the mesh's name.
pub const KNOWN_PORTS: [(u16, &str); 9] = [
    (10000, "Istio"),
    (10001, "Linkerd"),
    (10002, "Consul"),
    (10004, "Network Service Mesh"),
    (10005, "App Mesh"),
    (10006, "Traefik Mesh"),
    (10007, "Kuma"),
    (10009, "Open Service Mesh"),
    (10012, "Cilium"),
];
