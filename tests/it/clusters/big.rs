//! A cluster with ten thousand pods. No kubelet runs them: they stay pending, as far as watching them goes that is no
//! difference.

use std::sync::Mutex;

use ::kube::api::{Api, Patch, PatchParams};
use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1 as core;
use meshbench::cluster::{Kubeconfigs, Link, Tokens};

use super::*;
use crate::kube::Recorder;

const PODS: usize = 10_000;
const NAMESPACES: usize = 20;
/// Changes at once.
const BURST: usize = 1_000;
/// Requests of the test at a time, while it makes and changes pods.
const AT_ONCE: usize = 64;
/// The most objects that one answer to a list has.
const PAGE: usize = 500;
/// Without optimisation, beside all other tests, so many objects take their time.
const LONG_PATIENCE: Duration = Duration::from_secs(300);
/// What is seen is told this often at most.
const TELL_EVERY: Duration = Duration::from_millis(500);

fn namespace(at: usize) -> String {
    format!("big-{}", at % NAMESPACES)
}

/// As a mesh's injector and a controller leave one.
fn pod() -> serde_json::Value {
    let env: Vec<_> =
        (0..12).map(|at| json!({"name": format!("SETTING_{at}"), "value": "x".repeat(60)})).collect();
    let container = |name: &str, image: &str| {
        json!({"name": name, "image": image, "env": env, "ports": [{"name": name, "containerPort": 8080}],
            "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}},
            "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}}})
    };
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web",
            "labels": {"app": "web", "version": "v1", "pod-template-hash": "5d9f", "burst": "0"},
            "annotations": {"sidecar.istio.io/status": "{}", "prometheus.io/scrape": "true"}},
        "spec": {"containers": [container("web", "registry.test/web:1"),
            container("istio-proxy", "docker.io/istio/proxyv2:1.24.2")]}})
}

fn client(cluster: &Cluster) -> ::kube::Client {
    let text = Kubeconfig::of(cluster, Person::Admin).text();
    let kubeconfig = ::kube::config::Kubeconfig::from_yaml(&text).expect("a kubeconfig");
    tokio::task::block_in_place(|| {
        let chosen = ::kube::config::KubeConfigOptions::default();
        let config = ::kube::Config::from_custom_kubeconfig(kubeconfig, &chosen);
        let config = tokio::runtime::Handle::current().block_on(config).expect("a configuration");
        ::kube::Client::try_from(config).expect("a client")
    })
}

fn make_pods(cluster: &Cluster) {
    for at in 0..NAMESPACES {
        cluster.create("/api/v1/namespaces", &json!({"metadata": {"name": namespace(at)}}));
    }
    let made = cluster.create("/api/v1/namespaces/default/pods", &pod());
    let names: Vec<_> = (0..PODS).map(|at| (namespace(at), format!("web-{at}"))).collect();
    cluster.copy("pods", &made, &names);
    cluster.kubectl(Person::Admin, &["delete", "pod", "web", "--grace-period=0", "--force"]);
}

/// Gives the first pods another label, all at once.
async fn burst(client: &::kube::Client, round: &str) {
    let changed = futures_util::stream::iter(0..BURST).map(|at| {
        let api: Api<core::Pod> = Api::namespaced(client.clone(), &namespace(at));
        let patch = json!({"metadata": {"labels": {"burst": round}}});
        async move {
            let name = format!("web-{at}");
            api.patch_metadata(&name, &PatchParams::default(), &Patch::Merge(patch)).await.expect("a change")
        }
    });
    assert_eq!(changed.buffer_unordered(AT_ONCE).count().await, BURST);
}

fn is_of_burst(seen: &Inventory, round: &str) -> bool {
    seen.pods.len() == PODS
        && seen.pods.iter().filter(|pod| pod.labels.get("burst").is_some_and(|is| is == round)).count()
            == BURST
}

/// Of this process, in MiB.
fn memory_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") / 1024
}

/// What was told, and when.
#[derive(Default)]
struct Told {
    last: Mutex<Option<Inventory>>,
    times: Mutex<Vec<Instant>>,
}

impl Told {
    fn tell(&self, seen: Inventory) -> bool {
        *self.last.lock().expect("no panic") = Some(seen);
        self.times.lock().expect("no panic").push(Instant::now());
        true
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Inventory) -> bool) -> Inventory {
        let begun = Instant::now();
        loop {
            if let Some(seen) = self.last.lock().expect("no panic").clone().filter(|seen| is_so(seen)) {
                return seen;
            }
            assert!(begun.elapsed() < LONG_PATIENCE, "{what} did not come");
            tokio::task::yield_now().await;
        }
    }

    fn since(&self, begun: Instant) -> usize {
        self.times.lock().expect("no panic").iter().filter(|at| **at >= begun).count()
    }
}

async fn link(kubeconfig: &Kubeconfig<'_>) -> Link {
    let folder = tempfile::tempdir().expect("a folder");
    let file = kubeconfig.write(folder.path(), "config").path;
    let key = ContextKey { file: file.clone(), name: "tests".to_owned() };
    let tokens = Tokens::new(Arc::new(meshbench::account::Keyring::default()));
    let files = Kubeconfigs::read(&[file], false);
    Link::open(&files, &key, &|_| Some(true), &tokens).await.expect("a link")
}

/// Requests for lists of pods, not for changes.
fn lists(recorder: &Recorder) -> Vec<String> {
    let asked = recorder.asked().into_iter().map(|asked| asked.path);
    asked.filter(|path| path.starts_with("/api/v1/pods?") && !path.contains("watch=true")).collect()
}

/// About half a minute.
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_pods_are_listed_in_pages_and_a_thousand_changes_at_once_come_in_a_few_looks() {
    let cluster = Cluster::own(kube::Options::default());
    let client = client(&cluster);
    let begun = Instant::now();
    make_pods(&cluster);
    println!("{PODS} pods laid in {:?}", begun.elapsed());
    let recorder = Recorder::start(&cluster);
    let link = link(&Kubeconfig::of(&cluster, Person::Admin).server(&recorder.url())).await;
    let (told, before) = (Arc::new(Told::default()), memory_mib());
    let (begun, telling) = (Instant::now(), Arc::clone(&told));
    let watch = tokio::spawn(async move { link.watch(move |seen| telling.tell(seen)).await });
    let first = told.until("the whole list", |seen| seen.is_whole && seen.pods.len() == PODS).await;
    let after = memory_mib();
    println!("all seen after {:?}; {before} MiB before, {after} MiB after", begun.elapsed());
    let mesh = first.meshes.first().expect("its proxies tell of it");
    assert_eq!((mesh.kind.key(), mesh.proxies["1.24.2"] as usize), ("istio", PODS));
    let pages = lists(&recorder);
    let whole: Vec<_> = pages.iter().filter(|path| path.contains(&format!("limit={PAGE}"))).collect();
    assert_eq!(whole.len(), PODS / PAGE, "{pages:#?}");
    assert_eq!(whole.iter().filter(|path| path.contains("continue=")).count(), PODS / PAGE - 1);
    assert!(pages.iter().all(|path| path.contains("limit=")), "none without a limit: {pages:#?}");
    // A page of pods, and not all of them, is what one answer takes.
    let largest = recorder.asked().iter().map(|asked| asked.bytes).max().expect("answers");
    println!("the largest answer: {} KiB", largest / 1024);

    let begun = Instant::now();
    burst(&client, "1").await;
    let made = begun.elapsed();
    let second = told.until("the burst", |seen| is_of_burst(seen, "1")).await;
    let (took, looks) = (begun.elapsed(), told.since(begun));
    println!("{BURST} changes made in {made:?}, seen after {took:?} in {looks} looks, {} MiB", memory_mib());
    let most = took.as_millis() / TELL_EVERY.as_millis() + 2;
    assert!(looks as u128 <= most, "{looks} looks in {took:?}");
    assert_eq!(lists(&recorder).len(), pages.len(), "changes came by the watch, not by another list");
    let same =
        first.pods.iter().zip(second.pods.iter()).filter(|(one, other)| Arc::ptr_eq(one, other)).count();
    assert_eq!(same, PODS - BURST, "what did not change is shared, not copied");
    assert!(
        Arc::ptr_eq(&first.services, &second.services) && Arc::ptr_eq(&first.namespaces, &second.namespaces)
    );
    watch.abort();
    tokio::task::block_in_place(|| the_app_follows(&cluster, &client));
}

fn the_app_follows(cluster: &Cluster, client: &::kube::Client) {
    let mut app = App::start();
    let key = app.add(&Kubeconfig::of(cluster, Person::Admin));
    let begun = Instant::now();
    app.connect(&key);
    app.seen(&key, "all pods", |seen| seen.is_whole && seen.pods.len() == PODS);
    println!("connected and all in the state after {:?}, {} MiB", begun.elapsed(), memory_mib());
    let begun = Instant::now();
    tokio::runtime::Handle::current().block_on(burst(client, "2"));
    app.seen(&key, "the burst", |seen| is_of_burst(seen, "2"));
    println!("{BURST} changes in the state after {:?}", begun.elapsed());
}
