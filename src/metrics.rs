//! Series of metrics from where they are: a server that speaks Prometheus' HTTP API, one behind a Grafana, or the
//! pages that proxies and applications themselves show.
//!
//! ```text
//!  Web ─┬─ Server (Prometheus, Thanos, Mimir, VictoriaMetrics) ─ facts, range, instant, values
//!       ├─ Grafana ─ facts, dashboards ─ Server (through its data source)
//!       └─ Direct ◀─ pages in the text format, and what is fed ─ range of a Measure, worked out by us
//! ```
//!
//! Everything from outside is bounded, in time and in size, and whatever fails says so in words for people.

mod failure;
mod grafana;
mod server;
mod variables;
mod web;
mod wire;

pub use failure::Failure;
pub use grafana::{DASHBOARDS_MAX, Grafana};
pub use server::{ASKS_MAX, Server, VALUES_MAX};
pub use web::{Carried, CarriedAnswer, Carrier, Limits, Web};
