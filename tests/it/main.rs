//! Integration tests, in one binary. Each talks to real parts; one that cannot find its part fails and says what to install.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]
#![expect(clippy::print_stdout, reason = "seeds and measures are for whoever reads the test's output")]

mod adapters;
mod cli;
mod cluster_login;
mod clusters;
mod floors;
mod home;
mod http2_peer;
mod kube;
mod kubeconfigs;
mod load_allocations;
mod load_echo;
mod load_grpc;
mod load_hostile;
mod load_http2;
mod load_lossy;
mod load_memory;
mod load_nginx;
mod load_origins;
mod load_outcomes;
mod load_reach;
mod load_sent;
mod load_truth;
mod login;
mod meshery;
mod metrics;
mod operations;
mod peer;
#[cfg(feature = "gui")]
mod picture;
mod proto;
mod report;
#[cfg(feature = "gui")]
mod sample;
mod serve;
mod store;
mod sync;
#[cfg(feature = "gui")]
mod window_account;
#[cfg(feature = "gui")]
mod window_adapters;
#[cfg(feature = "gui")]
mod window_clusters;
#[cfg(feature = "gui")]
mod window_form_history;
#[cfg(feature = "gui")]
mod window_metrics;
#[cfg(feature = "gui")]
mod window_publish;
#[cfg(feature = "inspection")]
mod window_real;
#[cfg(feature = "gui")]
mod window_results;
#[cfg(feature = "gui")]
mod window_shell;
