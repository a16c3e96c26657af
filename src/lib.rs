//! Meshbench: a native desktop workbench for service meshes.
//!
//! # The map
//!
//! ```text
//!  faces      ui            cli                              may use: app, model
//!               \          /
//!  heart            app                                      may use: all services, stats, model
//!              /     |     \
//!  services load cluster adapter metrics account sync store report  may use: stats, model, proto – never each other
//!              \     |     /
//!  ground        model   stats   proto                       may use: nothing of ours (stats may use model)
//! ```
//!
//! | module | duty |
//! |---|---|
//! | [`model`] | what we know: plans, runs, labels, settings; plain data and pure rules |
//! | [`stats`] | histograms and quantiles: pure functions |
//! | [`load`] | send load and measure; `load::run` is the whole API, and the built-in target |
//! | [`cluster`] | Kubernetes: kubeconfigs, contexts, logins, inventory, meshes; carries out the steps of operations |
//! | [`adapter`] | client of service meshes' adapters, a server of the same contract, and what the built-in ones do, as steps |
//! | [`metrics`] | series of metrics from Prometheus' API, through a Grafana, or read from what proxies show |
//! | [`account`] | log in, log out, keep tokens in the system's keyring; prove whose a token is |
//! | [`sync`] | exchange records with a server, and be one; publish results to Meshery |
//! | [`proto`] | the words on the wire, generated from `proto/` |
//! | [`store`] | keep things on disk (redb) and hand them back |
//! | [`report`] | turn runs into documents; read boards of Grafana |
//! | [`app`] | `Command`, `Event`, `State`, `update`, `Job`, `Runtime` |
//! | [`cli`] | the terminal's face |
//! | `ui` | the window's face (feature `gui`) |
//!
//! The directions are held by a test (`tests/it/floors.rs`).

pub mod account;
pub mod adapter;
pub mod app;
pub mod cli;
pub mod cluster;
pub mod load;
pub mod metrics;
pub mod model;
pub mod proto;
pub mod report;
pub mod stats;
pub mod store;
pub mod sync;
#[cfg(feature = "gui")]
pub mod ui;
