//! The kinds that meshes are configured by: their own definitions where a module holds them, else strict ones of ours.

use std::path::{Path, PathBuf};

use super::cluster::Cluster;
use super::parts::tools;

/// Pins the modules; `./test parts` copies what they hold.
const MODULES: &str = include_str!("../../crds/go.mod");

/// The definitions of Istio, as its API module has them.
pub(crate) fn istio() -> Vec<PathBuf> {
    let folder = of_module("istio.io/api", "istio-api");
    vec![folder.join("customresourcedefinitions.gen.yaml")]
}

/// The definitions of a channel of the Gateway API: `standard` or `experimental`.
pub(crate) fn gateway_api(channel: &str) -> Vec<PathBuf> {
    let folder = of_module("sigs.k8s.io/gateway-api", "gateway-api").join(channel);
    let is_definition = |path: &PathBuf| path.file_name().is_some_and(|name| name != "kustomization.yaml");
    sorted(&folder).into_iter().filter(is_definition).collect()
}

/// What a cluster with every mesh has: kinds, and what the meshes' charts and injectors leave in it.
pub(crate) fn apply_meshes(cluster: &Cluster) {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let definitions = [istio(), gateway_api("standard"), sorted(&data.join("crds"))].concat();
    apply_definitions(cluster, &definitions);
    let mut left = sorted(&data.join("meshes"));
    // Ambient is laid beside Istio.
    left.sort_by_key(|file| file.ends_with("istio-ambient.yaml"));
    left.iter().for_each(|file| cluster.apply(&read(file)));
}

/// Applies definitions and waits until what they define is served.
pub(crate) fn apply_definitions(cluster: &Cluster, files: &[PathBuf]) {
    let all: Vec<String> = files.iter().map(|file| read(file)).collect();
    cluster.apply(&all.join("\n---\n"));
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    cluster.wait_for("definitions are established", path, |listed| {
        let is_served = |definition: &serde_json::Value| {
            let conditions = definition["status"]["conditions"].as_array();
            conditions.into_iter().flatten().any(|it| it["type"] == "Established" && it["status"] == "True")
        };
        listed["items"].as_array()?.iter().all(is_served).then_some(())
    });
}

fn of_module(module: &str, name: &str) -> PathBuf {
    let version = MODULES.lines().find_map(|line| line.trim().strip_prefix(module)?.trim().strip_prefix('v'));
    let version = version.expect("tests/crds/go.mod names it");
    let folder = tools().join(format!("{name}-{version}"));
    assert!(folder.is_dir(), "{} is missing; get it with: ./test parts", folder.display());
    folder
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    files
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}
