//! A real Kubernetes control plane for tests: etcd and kube-apiserver on loopback, people with rights of several kinds,
//! and kubeconfigs for every way to log in.

mod asking;
mod cluster;
pub(crate) mod crds;
mod kubeconfig;
mod kubelet;
mod laying;
mod parts;
mod people;
mod recorder;
mod tests;

pub(crate) use cluster::{Cluster, Options, until};
pub(crate) use kubeconfig::{Kubeconfig, Login, PLUGIN, Trust, kubectl};
pub(crate) use kubelet::Kubelet;
pub(crate) use parts::{Process, free_port, program};
pub(crate) use people::{Authority, Person};
pub(crate) use recorder::Recorder;
