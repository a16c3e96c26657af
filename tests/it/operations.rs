//! Operations of the built-in adapter against a real API server: what they make, change, refuse and leave behind.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use base64::Engine as _;
use meshbench::adapter::builtin::{self, Operable};
use meshbench::cluster::{ChartVersion, Kubeconfigs, Link, Means, carry_out, carry_out_with, chart_versions};
use meshbench::model::adapter::{
    Category, Change, Changed, HelmRelease, Marked, News, OperationRequest, Progress, Severity, Step,
};
use meshbench::model::cluster::{ContextKey, Trouble};
use serde_json::{Value, json};
use sha2::Digest as _;

use crate::kube::{Cluster, Kubeconfig, Login, Options, Person, crds};

const CONFIG: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\ndata: {a: \"1\"}\n";

/// None of these logins is renewed.
fn no_tokens() -> meshbench::cluster::Tokens {
    meshbench::cluster::Tokens::new(std::sync::Arc::new(meshbench::account::Keyring::default()))
}

/// A cluster with the kinds of every mesh, without controllers.
fn with_meshes() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let cluster = Cluster::own(Options::default());
        crds::apply_meshes(&cluster);
        cluster
    })
}

async fn link(kubeconfig: &Kubeconfig<'_>) -> Link {
    let folder = tempfile::tempdir().expect("a folder");
    link_in(folder.path(), kubeconfig).await
}

/// Files that the kubeconfig names are kept in the folder.
async fn link_in(folder: &Path, kubeconfig: &Kubeconfig<'_>) -> Link {
    let file = kubeconfig.write(folder, "config").path;
    let key = ContextKey { file: file.clone(), name: "tests".to_owned() };
    let files = Kubeconfigs::read(&[file], false);
    Link::open(&files, &key, &|_| Some(true), &no_tokens()).await.expect("a link")
}

async fn admin(cluster: &Cluster) -> Link {
    link(&cluster.kubeconfig(Person::Admin)).await
}

/// What was told, and how it ended.
async fn carried(link: &Link, steps: &[Step]) -> (Vec<News>, Result<(), Trouble>) {
    let mut told = Vec::new();
    let ended = carry_out(link, steps, |progress: Progress| told.push(progress.news)).await;
    (told, ended)
}

async fn done(link: &Link, steps: &[Step]) -> Vec<Change> {
    let (told, ended) = carried(link, steps).await;
    assert_eq!(ended, Ok(()), "{steps:#?}\n{told:#?}");
    changes(told)
}

fn changes(told: Vec<News>) -> Vec<Change> {
    let change = |news| match news {
        News::Changed(change) => Some(change),
        _ => None,
    };
    told.into_iter().filter_map(change).collect()
}

async fn refused(link: &Link, steps: &[Step]) -> Trouble {
    let (told, ended) = carried(link, steps).await;
    let trouble = ended.expect_err("it is refused");
    assert!(!trouble.title.is_empty() && !trouble.advice.is_empty(), "{trouble:?} {told:?}");
    trouble
}

fn apply(set: &str, namespace: &str, manifest: &str) -> Step {
    Step::Apply { set: set.to_owned(), namespace: namespace.to_owned(), manifest: manifest.to_owned() }
}

fn prune(set: &str, namespace: &str) -> Step {
    Step::Prune { set: set.to_owned(), namespace: namespace.to_owned() }
}

fn configs(names: &[&str]) -> String {
    names.iter().map(|name| format!("---\n{}", CONFIG.replace("NAME", name))).collect()
}

fn deployment(name: &str) -> String {
    format!(
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec: {{replicas: 1, selector: \
         {{matchLabels: {{app: {name}}}}}, template: {{metadata: {{labels: {{app: {name}}}}}, spec: {{containers: \
         [{{name: web, image: 'web:1'}}]}}}}}}\n"
    )
}

/// Every object of a namespace but what Kubernetes puts there, as `Kind/name`.
fn objects(cluster: &Cluster, namespace: &str) -> Vec<String> {
    let kinds =
        cluster.kubectl(Person::Admin, &["api-resources", "--verbs=list", "--namespaced", "-o", "name"]);
    let mut kinds: Vec<&str> = kinds.output.lines().collect();
    kinds.retain(|kind| !kind.starts_with("events") && !kind.contains("metrics"));
    let kinds = kinds.join(",");
    let listed = cluster.kubectl(
        Person::Admin,
        &[
            "-n",
            namespace,
            "get",
            &kinds,
            "-o",
            "jsonpath={range .items[*]}{.kind}/{.metadata.name}{\"\\n\"}{end}",
        ],
    );
    assert!(listed.is_ok, "{}", listed.errors);
    let own = ["ServiceAccount/default", "ConfigMap/kube-root-ca.crt"];
    let mut found: Vec<String> =
        listed.output.lines().filter(|it| !own.contains(it)).map(str::to_owned).collect();
    found.sort();
    found
}

fn names(changes: &[Change]) -> Vec<(&str, &Changed)> {
    changes.iter().map(|change| (change.object.as_str(), &change.how)).collect()
}

#[tokio::test]
async fn a_manifest_is_applied_changed_pruned_and_removed_and_nothing_is_left() {
    let cluster = Cluster::shared();
    let link = admin(cluster).await;
    let namespace = cluster.namespace("apply");
    let object = |name: &str| format!("ConfigMap {namespace}/{name}");
    let made = done(&link, &[apply("one", &namespace, &configs(&["a", "b"]))]).await;
    assert_eq!(
        names(&made),
        [(object("a").as_str(), &Changed::Created), (object("b").as_str(), &Changed::Created)]
    );
    let again = done(&link, &[apply("one", &namespace, &configs(&["a", "b"]))]).await;
    assert!(again.iter().all(|it| it.how == Changed::Unchanged), "{again:?}");
    let other = configs(&["b", "c"]).replace("\"1\"", "\"2\"");
    let changed = done(&link, &[apply("one", &namespace, &other)]).await;
    let [b, c, a] = changed.as_slice() else { panic!("{changed:?}") };
    let Changed::Fields(fields) = &b.how else { panic!("{b:?}") };
    assert_eq!((fields[0].path.as_str(), fields[0].new.as_deref()), ("data.a", Some("2")));
    assert_eq!((&c.how, &a.how, a.object == object("a")), (&Changed::Created, &Changed::Removed, true));
    let manager = cluster.get(&format!("/api/v1/namespaces/{namespace}/configmaps/b"));
    assert_eq!(manager["metadata"]["managedFields"][0]["manager"], "meshbench");
    assert_eq!(objects(cluster, &namespace), ["ConfigMap/b", "ConfigMap/c", "ConfigMap/meshbench-one"]);
    let removed = done(&link, &[prune("one", &namespace)]).await;
    assert_eq!(removed.len(), 2);
    assert_eq!(objects(cluster, &namespace), Vec::<String>::new());
    let (told, ended) = carried(&link, &[prune("one", &namespace)]).await;
    assert!(
        ended.is_ok()
            && told
                .iter()
                .any(|news| matches!(news, News::Told(words) if words.contains("Nothing is there")))
    );
}

#[tokio::test]
async fn a_set_is_one_that_kubectl_knows() {
    let cluster = Cluster::shared();
    let link = admin(cluster).await;
    let namespace = cluster.namespace("known");
    done(&link, &[apply("kept", &namespace, &(configs(&["a"]) + &deployment("web")))]).await;
    let parent = cluster.get(&format!("/api/v1/namespaces/{namespace}/configmaps/meshbench-kept"));
    let meta = &parent["metadata"];
    let id = meta["labels"]["applyset.kubernetes.io/id"].as_str().expect("an identity");
    assert_eq!(
        meta["annotations"]["applyset.kubernetes.io/contains-group-kinds"],
        "ConfigMap,Deployment.apps"
    );
    let member = cluster.get(&format!("/apis/apps/v1/namespaces/{namespace}/deployments/web"));
    assert_eq!(member["metadata"]["labels"]["applyset.kubernetes.io/part-of"], id);
    // As the specification has it: of name, namespace, kind and group.
    let digest = sha2::Sha256::digest(format!("meshbench-kept.{namespace}.ConfigMap."));
    let digest = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest);
    assert_eq!(id, format!("applyset-{digest}-v1"));
    let listed = cluster.kubectl(
        Person::Admin,
        &[
            "-n",
            &namespace,
            "get",
            "deployments,configmaps",
            "-o",
            "name",
            "-l",
            &format!("applyset.kubernetes.io/part-of={id}"),
        ],
    );
    assert_eq!(listed.output.lines().count(), 2, "{listed:?}");
    done(&link, &[prune("kept", &namespace)]).await;
    assert_eq!(objects(cluster, &namespace), Vec::<String>::new());
}

#[tokio::test]
async fn what_was_there_before_stays_and_only_what_was_set_in_it_goes() {
    let cluster = Cluster::shared();
    let link = admin(cluster).await;
    let namespace = cluster.namespace("before");
    let path = format!("/api/v1/namespaces/{namespace}/configmaps");
    let theirs = json!({"metadata": {"name": "theirs"}, "data": {"mine": "x"}});
    cluster.create(&path, &theirs);
    let manifest = CONFIG.replace("NAME", "theirs");
    done(&link, &[apply("guest", &namespace, &manifest)]).await;
    done(&link, &[apply("guest", &namespace, &manifest)]).await;
    assert_eq!(cluster.get(&format!("{path}/theirs"))["data"], json!({"mine": "x", "a": "1"}));
    let removed = done(&link, &[prune("guest", &namespace)]).await;
    assert_eq!(removed[0].how, Changed::Released);
    let left = cluster.get(&format!("{path}/theirs"));
    assert_eq!(left["data"], json!({"mine": "x"}));
    assert_eq!((&left["metadata"]["labels"], &left["metadata"]["annotations"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn fields_of_others_and_objects_of_other_sets_are_not_taken_over() {
    let cluster = Cluster::shared();
    let link = admin(cluster).await;
    let namespace = cluster.namespace("conflict");
    let theirs = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: held, namespace: {namespace}}}\ndata: {{a: \"9\"}}\n"
    );
    cluster.apply(&theirs);
    let trouble = refused(&link, &[apply("one", &namespace, &configs(&["held"]))]).await;
    assert_eq!(trouble.title, format!("ConfigMap {namespace}/held has fields that someone else manages"));
    assert_eq!(trouble.cause, "kubectl manages .data.a");
    done(&link, &[apply("first", &namespace, &configs(&["own"]))]).await;
    let trouble = refused(&link, &[apply("second", &namespace, &configs(&["own"]))]).await;
    assert_eq!(trouble.title, "An object belongs to another set");
    assert_eq!(cluster.get(&format!("/api/v1/namespaces/{namespace}/configmaps/own"))["data"]["a"], "1");
}

#[tokio::test]
async fn a_new_kind_comes_before_its_objects_and_goes_after_them() {
    let cluster = Cluster::shared();
    let link = admin(cluster).await;
    let namespace = cluster.namespace("kinds");
    let group = format!("{namespace}.test");
    let manifest = format!(
        "apiVersion: {group}/v1\nkind: Thing\nmetadata: {{name: one}}\nspec: {{a: 1}}\n---\n\
         apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: things.{group}}}\nspec:\n  \
         group: {group}\n  scope: Namespaced\n  names: {{plural: things, singular: thing, kind: Thing}}\n  \
         versions: [{{name: v1, served: true, storage: true, schema: {{openAPIV3Schema: {{type: object, \
         x-kubernetes-preserve-unknown-fields: true}}}}}}]\n"
    );
    let rehearsed = link.rehearse(&[apply("new", &namespace, &manifest)]).await.expect("a rehearsal");
    assert!(rehearsed.len() == 2 && rehearsed.iter().all(|it| it.how == Changed::Created), "{rehearsed:?}");
    let made = done(&link, &[apply("new", &namespace, &manifest)]).await;
    assert_eq!(made[1].object, format!("Thing {namespace}/one"));
    done(&link, &[prune("new", &namespace)]).await;
    let gone = cluster.kubectl(Person::Admin, &["get", "crd", &format!("things.{group}")]);
    assert!(!gone.is_ok && gone.errors.contains("NotFound"), "{gone:?}");
    let trouble = refused(
        &link,
        &[apply(
            "other",
            &namespace,
            &(configs(&["a"])
                + &format!("---\napiVersion: {group}/v1\nkind: Thing\nmetadata: {{name: one}}\n")),
        )],
    )
    .await;
    assert!(
        trouble.title.contains("does not know this kind") && trouble.cause.contains("Thing one"),
        "{trouble:?}"
    );
    assert_eq!(objects(cluster, &namespace), Vec::<String>::new(), "nothing was begun");
}

#[tokio::test]
async fn a_namespace_that_was_missing_is_made_and_goes_with_what_it_was_made_for() {
    let cluster = Cluster::controlled();
    let link = admin(cluster).await;
    let gone = |name: &str| {
        let path = format!("/api/v1/namespaces?fieldSelector=metadata.name={name}");
        cluster.wait_for("its end", &path, |list| {
            list["items"].as_array().is_some_and(Vec::is_empty).then_some(())
        });
    };
    // On no node: those of the rig's kubelets keep pods that end.
    let web = deployment("web").replace("containers:", "nodeSelector: {nowhere: here}, containers:");
    let manifest = configs(&["a"]) + &web;
    let made = done(&link, &[apply("one", "made-for-it", &manifest)]).await;
    assert_eq!(names(&made)[0], ("Namespace made-for-it", &Changed::Created));
    let pods = "/api/v1/namespaces/made-for-it/pods";
    cluster.wait_for("a pod by its controllers", pods, |list| list["items"].get(0).map(|_| ()));
    let removed = done(&link, &[prune("one", "made-for-it")]).await;
    assert_eq!(names(&removed).last(), Some(&("Namespace made-for-it", &Changed::Removed)));
    gone("made-for-it");
    done(&link, &[apply("one", "made-for-two", &configs(&["a"]))]).await;
    let theirs = json!({"metadata": {"name": "theirs"}});
    cluster.create("/api/v1/namespaces/made-for-two/configmaps", &theirs);
    let removed = done(&link, &[prune("one", "made-for-two")]).await;
    assert_eq!(removed.len(), 1, "{removed:?}");
    assert_eq!(
        cluster.get("/api/v1/namespaces/made-for-two/configmaps/theirs")["metadata"]["name"],
        "theirs"
    );
    let own =
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: in-manifest}\n".to_owned() + &configs(&["a"]);
    done(&link, &[apply("one", "in-manifest", &own)]).await;
    done(&link, &[prune("one", "in-manifest")]).await;
    gone("in-manifest");
}

#[tokio::test]
async fn a_rehearsal_says_what_would_be_and_changes_nothing() {
    let cluster = Cluster::shared();
    let link = admin(cluster).await;
    let namespace = cluster.namespace("rehearse");
    let first = configs(&["a", "b"]) + &deployment("web");
    done(&link, &[apply("one", &namespace, &first)]).await;
    let before = cluster.get(&format!("/apis/apps/v1/namespaces/{namespace}/deployments/web"));
    let second =
        configs(&["a", "c"]).replace("\"1\"", "\"2\"") + &deployment("web").replace("web:1", "web:2");
    let mark = Step::Mark {
        object: Marked::Namespace(namespace.clone()),
        labels: BTreeMap::from([("istio-injection".to_owned(), Some("enabled".to_owned()))]),
        annotations: BTreeMap::new(),
    };
    let missing = apply("two", "not-there-yet", &configs(&["x"]));
    let steps = [apply("one", &namespace, &second), mark, missing];
    let told = link.rehearse(&steps).await.expect("a rehearsal");
    let of = |object: &str| told.iter().find(|it| it.object == object).map(|it| it.how.clone());
    let path = |how: Option<Changed>| match how {
        Some(Changed::Fields(fields)) => fields.into_iter().map(|it| it.path).collect::<Vec<_>>(),
        other => panic!("{other:?}: {told:#?}"),
    };
    assert_eq!(path(of(&format!("ConfigMap {namespace}/a"))), ["data.a"]);
    assert_eq!(of(&format!("ConfigMap {namespace}/b")), Some(Changed::Removed));
    assert_eq!(of(&format!("ConfigMap {namespace}/c")), Some(Changed::Created));
    let image = "spec.template.spec.containers[web].image";
    assert_eq!(path(of(&format!("Deployment {namespace}/web"))), [image]);
    assert_eq!(path(of(&format!("Namespace {namespace}"))), ["metadata.labels.istio-injection"]);
    assert_eq!(of("Namespace not-there-yet"), Some(Changed::Created));
    assert_eq!(of("ConfigMap not-there-yet/x"), Some(Changed::Created));
    let after = cluster.get(&format!("/apis/apps/v1/namespaces/{namespace}/deployments/web"));
    assert_eq!(before["metadata"]["resourceVersion"], after["metadata"]["resourceVersion"]);
    assert_eq!(
        objects(cluster, &namespace),
        ["ConfigMap/a", "ConfigMap/b", "ConfigMap/meshbench-one", "Deployment/web"]
    );
    let namespaces = cluster.kubectl(Person::Admin, &["get", "namespace", "not-there-yet"]);
    assert!(!namespaces.is_ok && namespaces.errors.contains("NotFound"));
}

#[tokio::test]
async fn who_may_not_is_told_which_right_is_missing() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace("rights");
    cluster.apply(
        &deployment("web")
            .replace("metadata: {name: web}", &format!("metadata: {{name: web, namespace: {namespace}}}")),
    );
    let viewer = link(&cluster.kubeconfig(Person::Viewer)).await;
    let nobody = link(&cluster.kubeconfig(Person::Nobody)).await;
    let set = apply("one", &namespace, &configs(&["a"]));
    let mark = |object| Step::Mark {
        object,
        labels: BTreeMap::from([("a".to_owned(), Some("b".to_owned()))]),
        annotations: BTreeMap::new(),
    };
    let ready = Step::Ready { namespace: namespace.clone(), seconds: 5 };
    for (who, step, title) in [
        (&viewer, set.clone(), format!("You may not patch configmaps in the namespace {namespace}")),
        (&nobody, set, format!("You may not get configmaps in the namespace {namespace}")),
        (&viewer, mark(Marked::Namespace(namespace.clone())), "You may not patch namespaces".to_owned()),
        (&nobody, mark(Marked::Namespace(namespace.clone())), "You may not get namespaces".to_owned()),
        (
            &viewer,
            mark(Marked::Templates(namespace.clone())),
            format!("You may not patch deployments.apps in the namespace {namespace}"),
        ),
        (&nobody, ready, format!("You may not list deployments.apps in the namespace {namespace}")),
    ] {
        let trouble = refused(who, &[step]).await;
        assert_eq!(trouble.title, title, "{trouble:?}");
        assert!(
            trouble.advice.starts_with("Ask for a ") && trouble.cause.contains("forbidden"),
            "{trouble:?}"
        );
    }
    assert!(viewer.rehearse(&[apply("one", &namespace, &configs(&["a"]))]).await.is_err());
    assert_eq!(objects(cluster, &namespace), ["Deployment/web"]);
}

#[tokio::test]
async fn marks_are_written_on_namespaces_and_on_what_pods_are_made_from_and_taken_off() {
    let cluster = Cluster::shared();
    let link = admin(cluster).await;
    let namespace = cluster.namespace("marks");
    done(&link, &[apply("one", &namespace, &deployment("web"))]).await;
    let mark = |object: Marked, value: Option<&str>| Step::Mark {
        object,
        labels: BTreeMap::from([("l".to_owned(), value.map(str::to_owned))]),
        annotations: BTreeMap::from([("x.io/a".to_owned(), value.map(str::to_owned))]),
    };
    let place = Marked::Namespace(namespace.clone());
    let templates = Marked::Templates(namespace.clone());
    for (object, path, at) in [
        (place, format!("/api/v1/namespaces/{namespace}"), "/metadata"),
        (
            templates,
            format!("/apis/apps/v1/namespaces/{namespace}/deployments/web"),
            "/spec/template/metadata",
        ),
    ] {
        let marks = || {
            let found = cluster.get(&path);
            let meta = found.pointer(at).cloned().unwrap_or_default();
            (meta["labels"]["l"].clone(), meta["annotations"]["x.io/a"].clone())
        };
        let changed = done(&link, &[mark(object.clone(), Some("v"))]).await;
        assert!(matches!(&changed[0].how, Changed::Fields(fields) if fields.len() == 2), "{changed:?}");
        assert_eq!(marks(), (json!("v"), json!("v")));
        assert_eq!(done(&link, &[mark(object.clone(), Some("v"))]).await[0].how, Changed::Unchanged);
        done(&link, &[mark(object, None)]).await;
        assert_eq!(marks(), (Value::Null, Value::Null));
    }
    let trouble = refused(&link, &[mark(Marked::Namespace("no-such".to_owned()), Some("v"))]).await;
    assert_eq!(trouble.title, "Namespace no-such is not there");
}

/// What the controllers would do: a pod of a workload.
fn make_pod(cluster: &Cluster, namespace: &str, workload: &str, containers: &Value) {
    let deployment = cluster.get(&format!("/apis/apps/v1/namespaces/{namespace}/deployments/{workload}"));
    let owner = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": workload, "controller": true,
        "uid": deployment["metadata"]["uid"]});
    let pod = json!({"metadata": {"name": format!("{workload}-1"), "labels": {"app": workload}, "ownerReferences": [owner]},
        "spec": {"containers": containers}});
    cluster.create(&format!("/api/v1/namespaces/{namespace}/pods"), &pod);
}

#[tokio::test]
async fn only_workloads_whose_pods_would_be_other_start_anew() {
    let cluster = Cluster::shared();
    let link = admin(cluster).await;
    let namespace = cluster.namespace("restart");
    let manifest = ["same", "injected", "none"].map(deployment).concat();
    done(&link, &[apply("one", &namespace, &manifest)]).await;
    let web = json!({"name": "web", "image": "web:1"});
    make_pod(cluster, &namespace, "same", &json!([web]));
    // As it would be if a mesh's injector were not asked any more.
    make_pod(
        cluster,
        &namespace,
        "injected",
        &json!([web, {"name": "istio-proxy", "image": "istio/proxyv2:1"}]),
    );
    let restart = [Step::Restart { namespace: namespace.clone() }];
    let told = link.rehearse(&restart).await.expect("a rehearsal");
    let how = |told: &[Change], name: &str| {
        let object = format!("Deployment {namespace}/{name}");
        told.iter().find(|it| it.object == object).map(|it| it.how.clone())
    };
    assert_eq!(how(&told, "injected"), Some(Changed::Restarted));
    let at = |name: &str| {
        let found = cluster.get(&format!("/apis/apps/v1/namespaces/{namespace}/deployments/{name}"));
        found["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"].clone()
    };
    assert_eq!(at("injected"), Value::Null, "a rehearsal restarts nothing");
    let told = done(&link, &restart).await;
    assert_eq!(how(&told, "same"), Some(Changed::Unchanged));
    assert_eq!(how(&told, "none"), Some(Changed::Unchanged), "it has no pods");
    assert_eq!(how(&told, "injected"), Some(Changed::Restarted));
    assert!(at("injected").is_string() && at("same").is_null());
}

#[tokio::test]
async fn workloads_are_waited_for_and_who_is_late_is_named() {
    let cluster = Cluster::shared();
    let link = admin(cluster).await;
    let namespace = cluster.namespace("ready");
    done(&link, &[apply("one", &namespace, &deployment("web"))]).await;
    let pod = json!([{"name": "web", "image": "web:1"}]);
    make_pod(cluster, &namespace, "web", &pod);
    let status = json!({"status": {"phase": "Pending", "containerStatuses": [{"name": "web", "image": "web:1", "imageID": "",
        "ready": false, "restartCount": 0, "state": {"waiting": {"reason": "ImagePullBackOff"}}}]}});
    cluster.patch(&format!("/api/v1/namespaces/{namespace}/pods/web-1/status"), &status);
    let trouble = refused(&link, &[Step::Ready { namespace: namespace.clone(), seconds: 1 }]).await;
    assert!(trouble.title.contains("after 1 s"), "{trouble:?}");
    assert_eq!(trouble.cause, "Deployment/web (0 of 1 pods, its pods are ImagePullBackOff)");
    // It becomes ready once it is waited for.
    let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments/web/status");
    let ready =
        json!({"status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1}});
    let mut told = Vec::new();
    let steps = [Step::Ready { namespace: namespace.clone(), seconds: 60 }];
    let ended = carry_out(&link, &steps, |progress| {
        if let News::Waits { ready: 0, .. } = &progress.news {
            cluster.patch(&path, &ready);
        }
        told.push(progress.news);
    });
    assert_eq!(ended.await, Ok(()));
    let waits = |ready, waits_for: &[&str]| News::Waits {
        ready,
        wanted: 1,
        waits_for: waits_for.iter().map(|&name| name.to_owned()).collect(),
    };
    assert_eq!(told, [News::Begun, waits(0, &["Deployment/web"]), waits(1, &[]), News::Done]);
}

#[tokio::test]
async fn why_a_sample_gets_no_pods_is_said_by_its_cluster() {
    let cluster = Cluster::controlled();
    let link = admin(cluster).await;
    let namespace = cluster.namespace("restricted");
    let enforced = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    cluster.patch(&format!("/api/v1/namespaces/{namespace}"), &enforced);
    let steps = asked(Operable::Istio, "istio.sample.echo", &namespace, false);
    done(&link, &steps[..1]).await;
    let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments/echo-v1");
    cluster.wait_for("the refusal", &path, |deployment| {
        let conditions = deployment["status"]["conditions"].as_array()?;
        conditions.iter().any(|it| it["type"] == "ReplicaFailure").then_some(())
    });
    let ready = Step::Ready { namespace: namespace.clone(), seconds: 1 };
    let trouble = refused(&link, &[ready]).await;
    for words in
        ["Deployment/echo-v1 (0 of 1 pods, no more are made:", "violates PodSecurity", "Deployment/echo-v2"]
    {
        assert!(trouble.cause.contains(words), "{trouble:?}");
    }
    done(&link, &asked(Operable::Istio, "istio.sample.echo", &namespace, true)).await;
    // One that no node can take.
    let namespace = cluster.namespace("unschedulable");
    let nowhere = deployment("web").replace("containers:", "nodeSelector: {nowhere: here}, containers:");
    done(&link, &[apply("one", &namespace, &nowhere)]).await;
    cluster.wait_for("the scheduler", &format!("/api/v1/namespaces/{namespace}/pods"), |list| {
        list["items"][0]["status"]["conditions"][0]["message"].as_str().map(str::to_owned)
    });
    let trouble = refused(&link, &[Step::Ready { namespace: namespace.clone(), seconds: 1 }]).await;
    assert!(
        trouble.cause.contains("its pods are Pending: ") && trouble.cause.contains("nodes"),
        "{trouble:?}"
    );
    done(&link, &[prune("one", &namespace)]).await;
}

/// Where each kind is served, by version and kind: its plural, and whether it is of a namespace.
fn served(cluster: &Cluster) -> BTreeMap<(String, String), (String, bool)> {
    let said = cluster.kubectl(Person::Admin, &["api-resources", "--no-headers"]);
    assert!(said.is_ok, "{}", said.errors);
    let row = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [.., version, is_namespaced, kind] = words.as_slice() else { panic!("{line}") };
        (((*version).to_owned(), (*kind).to_owned()), (words[0].to_owned(), *is_namespaced == "true"))
    };
    said.output.lines().map(row).collect()
}

/// Which objects of a manifest are there.
fn there(
    cluster: &Cluster,
    served: &BTreeMap<(String, String), (String, bool)>,
    namespace: &str,
    manifest: &str,
) -> (usize, usize) {
    let objects = meshbench::model::manifest::objects(manifest).expect("a manifest");
    let is_there = |object: &&meshbench::model::manifest::Object| {
        let (version, kind) = (object.api_version.clone(), object.kind.clone());
        let (plural, is_namespaced) = &served[&(version.clone(), kind)];
        let root = if version.contains('/') { format!("/apis/{version}") } else { format!("/api/{version}") };
        let place = if *is_namespaced { format!("/namespaces/{namespace}") } else { String::new() };
        let list =
            cluster.get(&format!("{root}{place}/{plural}?fieldSelector=metadata.name={}", object.name));
        list["items"].as_array().is_some_and(|items| items.len() == 1)
    };
    (objects.iter().filter(is_there).count(), objects.len())
}

/// Says that all pods are ready, as controllers would.
fn say_ready(cluster: &Cluster, namespace: &str) {
    let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments");
    for item in cluster.get(&path)["items"].as_array().expect("a list") {
        let (name, generation) =
            (item["metadata"]["name"].as_str().expect("a name"), &item["metadata"]["generation"]);
        let status = json!({"status": {"observedGeneration": generation, "replicas": 1, "updatedReplicas": 1,
            "readyReplicas": 1}});
        cluster.patch(&format!("{path}/{name}/status"), &status);
    }
}

async fn carried_with_controllers(cluster: &Cluster, link: &Link, namespace: &str, steps: &[Step]) {
    let mut told = Vec::new();
    let ended = carry_out(link, steps, |progress: Progress| {
        if let News::Waits { waits_for, .. } = &progress.news
            && !waits_for.is_empty()
        {
            say_ready(cluster, namespace);
        }
        told.push(progress.news);
    });
    assert_eq!(ended.await, Ok(()), "{steps:#?}");
    assert_eq!(told.iter().filter(|news| **news == News::Done).count(), steps.len());
}

fn marks(cluster: &Cluster, namespace: &str) -> (Value, Value) {
    let meta = cluster.get(&format!("/api/v1/namespaces/{namespace}"))["metadata"].clone();
    let template = cluster.get(&format!("/apis/apps/v1/namespaces/{namespace}/deployments/workload"));
    let mut template = template["spec"]["template"]["metadata"].clone();
    let annotations = template["annotations"].as_object_mut();
    annotations.map(|annotations| annotations.remove("kubectl.kubernetes.io/restartedAt"));
    let marks =
        |meta: &Value| json!([meta["labels"], meta["annotations"].as_object().filter(|it| !it.is_empty())]);
    (marks(&meta), marks(&template))
}

fn asked(mesh: Operable, key: &str, namespace: &str, removes: bool) -> Vec<Step> {
    let body = if key.ends_with(".custom") { configs(&["mine"]) } else { String::new() };
    let (key, namespace) = (key.to_owned(), namespace.to_owned());
    let request = OperationRequest { key, namespace, removes, body, ..OperationRequest::default() };
    builtin::steps(mesh, &request).expect("steps")
}

#[test]
fn every_operation_of_every_mesh_does_what_it_says_and_can_be_taken_back() {
    let cluster = with_meshes();
    let served = served(cluster);
    let count = std::thread::scope(|scope| {
        let one = |mesh| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(every_operation(cluster, &served, mesh))
        };
        let meshes = Operable::ALL.map(|mesh| scope.spawn(move || one(mesh)));
        meshes
            .into_iter()
            .map(|mesh| mesh.join().unwrap_or_else(|cause| std::panic::resume_unwind(cause)))
            .sum::<usize>()
    });
    assert!(count > 70, "{count}");
}

/// How many there are.
async fn every_operation(
    cluster: &Cluster,
    served: &BTreeMap<(String, String), (String, bool)>,
    mesh: Operable,
) -> usize {
    let link = admin(cluster).await;
    let namespace = cluster.namespace(mesh.key());
    done(&link, &[apply("workload", &namespace, &deployment("workload"))]).await;
    let (before, left) = (marks(cluster, &namespace), objects(cluster, &namespace));
    let offered = builtin::operations(mesh);
    let changing = |category| !matches!(category, Category::Install | Category::Validate);
    let mut count = 0;
    for operation in offered.iter().filter(|it| changing(it.category)) {
        let steps = asked(mesh, &operation.key, &namespace, false);
        carried_with_controllers(cluster, &link, &namespace, &steps).await;
        let mut has_effect = marks(cluster, &namespace) != before;
        for step in &steps {
            let Step::Apply { manifest, .. } = step else { continue };
            let (found, wanted) = there(cluster, served, &namespace, manifest);
            assert_eq!(found, wanted, "{}", operation.key);
            has_effect = true;
        }
        assert!(has_effect, "{}", operation.key);
        let back = asked(mesh, &operation.key, &namespace, true);
        carried_with_controllers(cluster, &link, &namespace, &back).await;
        assert_eq!(marks(cluster, &namespace), before, "{}", operation.key);
        for step in &steps {
            let Step::Apply { manifest, .. } = step else { continue };
            assert_eq!(there(cluster, served, &namespace, manifest).0, 0, "{}", operation.key);
        }
        count += 1;
    }
    assert_eq!(objects(cluster, &namespace), left, "{}: something is left", mesh.name());
    count
}

#[tokio::test]
async fn versions_that_look_like_numbers_are_words_to_every_mesh() {
    let cluster = with_meshes();
    let (link, namespace) = (admin(cluster).await, cluster.namespace("2026"));
    for mesh in Operable::ALL {
        let split = builtin::operations(mesh).into_iter().find(|it| it.key.ends_with("traffic-split"));
        let Some(split) = split else { continue };
        let body = "stable: \"1\"\ncanary: \"2e3\"\n".to_owned();
        let of = |removes| {
            let (key, namespace, body) = (split.key.clone(), namespace.clone(), body.clone());
            let request = OperationRequest { key, namespace, body, removes, ..OperationRequest::default() };
            builtin::steps(mesh, &request).expect("steps")
        };
        done(&link, &of(false)).await;
        done(&link, &of(true)).await;
    }
    assert_eq!(objects(cluster, &namespace), Vec::<String>::new());
}

#[tokio::test]
async fn routes_and_waypoints_are_taken_by_the_experimental_channel_of_the_gateway_api_too() {
    let cluster = Cluster::own(Options::default());
    crds::apply_definitions(&cluster, &crds::gateway_api("experimental"));
    let (link, namespace) = (admin(&cluster).await, cluster.namespace("experimental"));
    let served = served(&cluster);
    let mut applied = 0;
    for mesh in [Operable::IstioAmbient, Operable::Linkerd, Operable::Cilium] {
        for operation in builtin::operations(mesh) {
            let steps = match operation.category {
                Category::Configure => asked(mesh, &operation.key, &namespace, false),
                _ => continue,
            };
            for step in &steps {
                let Step::Apply { manifest, .. } = step else { continue };
                if manifest.contains("gateway.networking.k8s.io") {
                    done(&link, std::slice::from_ref(step)).await;
                    let (found, wanted) = there(&cluster, &served, &namespace, manifest);
                    assert_eq!(found, wanted, "{}", operation.key);
                    let back = asked(mesh, &operation.key, &namespace, true);
                    let prune = back.into_iter().find(|it| matches!(it, Step::Prune { .. }));
                    done(&link, &[prune.expect("it is taken back")]).await;
                    applied += 1;
                }
            }
        }
    }
    assert_eq!(applied, 8, "splits, timeouts, retries and a waypoint");
    assert_eq!(objects(&cluster, &namespace), Vec::<String>::new());
}

/// What is refused of a manifest with a misspelt field.
async fn misspelt(link: &Link, namespace: &str, manifest: &str) -> Trouble {
    let request = OperationRequest {
        key: "istio.custom".to_owned(),
        namespace: namespace.to_owned(),
        body: manifest.to_owned(),
        ..OperationRequest::default()
    };
    let steps = builtin::steps(Operable::Istio, &request).expect("steps");
    // In a namespace that is not there nothing can be asked.
    if namespace != "not-made-for-it" {
        assert!(link.rehearse(&steps).await.is_err(), "a rehearsal finds it");
    }
    refused(link, &steps).await
}

#[tokio::test]
async fn a_misspelt_field_is_an_error_that_names_it_in_every_kind() {
    let cluster = with_meshes();
    let link = admin(cluster).await;
    let namespace = cluster.namespace("misspelt");
    let rule = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: echo}\nspec: {hosts: [echo], \
                http: [{timout: 1s, route: [{destination: {host: echo}}]}]}\n";
    let policy = "apiVersion: policy.linkerd.io/v1beta3\nkind: Server\nmetadata: {name: echo}\nspec: {podSelector: {}, \
                  port: 1, acessPolicy: deny}\n";
    let route = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: echo}\nspec: {parentRef: []}\n";
    let workload = deployment("web").replace("replicas:", "replica:");
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, lables: {a: b}}\n";
    for (manifest, object, field) in [
        (rule, "VirtualService", "timout"),
        (policy, "Server", "acessPolicy"),
        (route, "HTTPRoute", "parentRef"),
        (&workload, "Deployment", "replica"),
        (config, "ConfigMap", "lables"),
    ] {
        let trouble = misspelt(&link, &namespace, manifest).await;
        assert!(trouble.title.contains("has fields that its kind does not know"), "{trouble:?}");
        assert!(trouble.title.starts_with(object) && trouble.cause.contains(field), "{trouble:?}");
    }
    // A value that the kind's schema does not allow is another mistake.
    let wrong = rule.replace("timout: 1s", "timeout: soon");
    let trouble = misspelt(&link, &namespace, &wrong).await;
    assert!(trouble.title.contains("does not take") && trouble.cause.contains("timeout"), "{trouble:?}");
    assert_eq!(objects(cluster, &namespace), Vec::<String>::new(), "nothing was begun");
    misspelt(&link, "not-made-for-it", rule).await;
    let namespaces = cluster.get("/api/v1/namespaces?fieldSelector=metadata.name=not-made-for-it");
    let is_going = |namespace: &Value| namespace["status"]["phase"] == "Terminating";
    assert!(namespaces["items"].as_array().is_some_and(|all| all.iter().all(is_going)), "{namespaces}");
}

#[tokio::test]
async fn one_rule_for_a_service_takes_the_place_of_the_one_before() {
    let cluster = with_meshes();
    let link = admin(cluster).await;
    let namespace = cluster.namespace("rules");
    done(&link, &asked(Operable::Istio, "istio.configure.traffic-split", &namespace, false)).await;
    let virtual_service = || {
        cluster.get(&format!(
            "/apis/networking.istio.io/v1/namespaces/{namespace}/virtualservices/meshbench-echo"
        ))["spec"]["http"][0]
            .clone()
    };
    assert_eq!(virtual_service()["route"][1]["weight"], 10);
    done(&link, &asked(Operable::Istio, "istio.configure.fault-delay", &namespace, false)).await;
    assert_eq!(virtual_service()["fault"]["delay"]["fixedDelay"], "100ms");
    assert_eq!(virtual_service()["route"].as_array().map(Vec::len), Some(1));
    let rules = format!("/apis/networking.istio.io/v1/namespaces/{namespace}/destinationrules");
    assert_eq!(cluster.get(&rules)["items"], json!([]), "the split's subsets went with it");
    done(&link, &asked(Operable::Istio, "istio.configure.mtls-off", &namespace, false)).await;
    done(&link, &asked(Operable::Istio, "istio.configure.mtls-strict", &namespace, false)).await;
    assert_eq!(cluster.get(&rules)["items"], json!([]));
    let peers = format!("/apis/security.istio.io/v1/namespaces/{namespace}/peerauthentications/default");
    assert_eq!(cluster.get(&peers)["spec"]["mtls"]["mode"], "STRICT");
}

#[tokio::test]
async fn a_mesh_that_was_there_keeps_what_it_had_when_a_rule_is_taken_back() {
    let cluster = with_meshes();
    let link = admin(cluster).await;
    let namespace = cluster.namespace("kuma-was");
    let mesh = json!({"apiVersion": "kuma.io/v1alpha1", "kind": "Mesh", "metadata": {"name": "theirs"},
        "spec": {"routing": {"localityAwareLoadBalancing": true}}});
    cluster.create("/apis/kuma.io/v1alpha1/meshes", &mesh);
    let steps: Vec<Step> = asked(Operable::Kuma, "kuma.configure.mtls-strict", &namespace, false)
        .into_iter()
        .map(|step| match step {
            Step::Apply { set, namespace, manifest } => {
                Step::Apply { set, namespace, manifest: manifest.replace("name: default", "name: theirs") }
            }
            other => other,
        })
        .collect();
    done(&link, &steps).await;
    let spec = || cluster.get("/apis/kuma.io/v1alpha1/meshes/theirs")["spec"].clone();
    assert_eq!(spec()["mtls"]["backends"][0]["mode"], "STRICT");
    done(&link, &asked(Operable::Kuma, "kuma.configure.mtls-strict", &namespace, true)).await;
    assert_eq!(spec(), json!({"routing": {"localityAwareLoadBalancing": true}}));
}

#[tokio::test]
async fn two_clusters_are_worked_on_at_once_and_each_gets_its_own() {
    let (one, other) = (Cluster::shared(), with_meshes());
    let (here, there) = tokio::join!(admin(one), admin(other));
    let namespaces = (one.namespace("both"), other.namespace("both"));
    let (first, second) =
        ([apply("one", &namespaces.0, &configs(&["a"]))], [apply("one", &namespaces.1, &configs(&["b"]))]);
    // As tasks, as the app does.
    let here = tokio::spawn(async move { done(&here, &first).await });
    let there = tokio::spawn(async move { done(&there, &second).await });
    let (here, there) = tokio::join!(here, there);
    assert_eq!((here.expect("a task").len(), there.expect("a task").len()), (1, 1));
    assert_eq!(objects(one, &namespaces.0), ["ConfigMap/a", "ConfigMap/meshbench-one"]);
    assert_eq!(objects(other, &namespaces.1), ["ConfigMap/b", "ConfigMap/meshbench-one"]);
}

#[tokio::test]
async fn a_validation_finds_what_is_wrong_in_a_real_cluster() {
    let cluster = with_meshes();
    let mut params = rcgen::CertificateParams::new(vec!["issuer.test".to_owned()]).expect("params");
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let key = rcgen::KeyPair::generate().expect("a key");
    let pem = params.self_signed(&key).expect("a certificate").pem();
    let secret = json!({"metadata": {"name": "linkerd-identity-issuer"}, "stringData": {"crt.pem": pem, "key.pem": "CANARY"}});
    cluster.create("/api/v1/namespaces/linkerd/secrets", &secret);
    let rule = json!({"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": {"name": "lost"},
        "spec": {"host": "no-such-service"}});
    cluster.create("/apis/networking.istio.io/v1/namespaces/on-istio/destinationrules", &rule);
    let found = |told: Vec<News>| {
        let finding = |news| match news {
            News::Found(finding) => Some(finding),
            _ => None,
        };
        told.into_iter().filter_map(finding).collect::<Vec<_>>()
    };
    let validate = |namespace: &str| [Step::Validate { namespace: namespace.to_owned() }];
    let (told, ended) = carried(&admin(cluster).await, &validate("")).await;
    assert_eq!(ended, Ok(()));
    let all = found(told);
    for (severity, subject, words) in [
        (Severity::Error, "Secret linkerd/linkerd-identity-issuer", "expired"),
        (Severity::Error, "Istio istio-system/istiod", "0 of 1"),
        (Severity::Warning, "Istio", "1.22.0 (1)"),
        (Severity::Warning, "DestinationRule on-istio/lost", "on-istio/no-such-service"),
        (Severity::Warning, "Pod on-kuma/web", "not ready"),
    ] {
        assert!(
            all.iter()
                .any(|it| it.severity == severity && it.subject == subject && it.summary.contains(words)),
            "{subject}: {all:#?}"
        );
    }
    assert!(!format!("{all:?}").contains("CANARY"));
    let (told, _) = carried(&admin(cluster).await, &validate("on-kuma")).await;
    assert!(found(told).iter().all(|it| !it.subject.contains("on-istio")));
    let viewer = link(&cluster.kubeconfig(Person::Viewer)).await;
    let (told, ended) = carried(&viewer, &validate("")).await;
    let all = found(told);
    assert!(
        ended.is_ok() && all.iter().any(|it| it.subject == "the validation" && it.summary.contains("Secret")),
        "{all:#?}"
    );
}

#[tokio::test]
async fn a_validation_looks_at_every_object_where_there_are_thousands() {
    const OTHERS: usize = 2500;
    let cluster = Cluster::own(Options::default());
    crds::apply_definitions(&cluster, &crds::istio());
    let namespace = cluster.namespace("thousands");
    let rule = |name: &str, host: &str| {
        json!({"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": {"name": name},
            "spec": {"host": host, "subsets": [{"name": "v1", "labels": {"version": "v1"}}]}})
    };
    let path = format!("/apis/networking.istio.io/v1/namespaces/{namespace}");
    let other = cluster.create(&format!("{path}/destinationrules"), &rule("a", "*.example.com"));
    let names: Vec<_> = (0..OTHERS).map(|at| (namespace.clone(), format!("b-{at}"))).collect();
    cluster.copy("networking.istio.io/destinationrules", &other, &names);
    // The last of the list is the one that matters.
    cluster.create(&format!("{path}/destinationrules"), &rule("z", "echo"));
    let service =
        json!({"metadata": {"name": "echo"}, "spec": {"selector": {"app": "echo"}, "ports": [{"port": 80}]}});
    cluster.create(&format!("/api/v1/namespaces/{namespace}/services"), &service);
    let (told, ended) =
        carried(&admin(&cluster).await, &[Step::Validate { namespace: namespace.clone() }]).await;
    assert_eq!(ended, Ok(()));
    let subject = format!("DestinationRule {namespace}/z");
    let is_told = |news: &News| matches!(news, News::Found(it) if it.subject == subject && it.summary.contains("subset v1"));
    assert!(told.iter().any(is_told), "{told:#?}");
    assert!(!format!("{told:?}").contains("Not looked at"), "{told:#?}");
}

#[tokio::test]
async fn a_minified_kubeconfig_logs_in_as_the_same_person_without_any_command() {
    let cluster = Cluster::shared();
    for login in [Login::Certificate, Login::CertificateFiles, Login::Token, Login::TokenFile, Login::Exec] {
        let folder = tempfile::tempdir().expect("a folder");
        let kubeconfig = cluster.kubeconfig(Person::Viewer).login(login).namespace("shop");
        let minified = link_in(folder.path(), &kubeconfig).await;
        let minified = minified.minified_kubeconfig().await.expect("a kubeconfig");
        assert!(
            !minified.expose().contains("exec") && !format!("{minified:?}").contains("server"),
            "{login:?}"
        );
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("minified");
        std::fs::write(&file, minified.expose()).expect("a file");
        let said = crate::kube::kubectl(
            &file,
            &["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"],
            "",
        );
        assert_eq!(said.output, "viewer", "{login:?}: {}", said.errors);
        let view = ["config", "view", "--minify", "-o", "jsonpath={.contexts[0].context.namespace}"];
        assert_eq!(crate::kube::kubectl(&file, &view, "").output, "shop");
    }
}

const HELM: &str = "helm-3.22.0/bin/helm";

/// The real helm, as `./test parts` leaves it.
fn real_helm() -> Means {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/tmp".into())).join(".cache");
    let path = cache.unwrap_or_else(home).join("meshbench/tools").join(HELM);
    assert!(path.is_file(), "{} is missing; get it with: ./test parts", path.display());
    Means { helm: Some(path) }
}

/// A program in helm's place.
fn other_helm(folder: &Path, script: &str) -> Means {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join("helm");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a program");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("rights");
    Means { helm: Some(path) }
}

fn chart(folder: &Path, version: &str) -> String {
    let chart = folder.join("chart");
    std::fs::create_dir_all(chart.join("templates")).expect("a folder");
    let about = format!("apiVersion: v2\nname: tests\nversion: {version}\nappVersion: 9.{version}\n");
    std::fs::write(chart.join("Chart.yaml"), about).expect("a file");
    let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: of-chart}\ndata: {a: \"{{ .Values.a }}\", version: \"{{ .Chart.Version }}\"}\n";
    std::fs::write(chart.join("templates/config.yaml"), config).expect("a file");
    std::fs::write(chart.join("values.yaml"), "a: usual\n").expect("a file");
    chart.display().to_string()
}

fn release(chart: String, namespace: &str, values: &str) -> Step {
    let (release, namespace, values) = ("tests".to_owned(), namespace.to_owned(), values.to_owned());
    Step::Helm(HelmRelease { release, chart, namespace, values, ..HelmRelease::default() })
}

async fn carried_by(link: &Link, step: Step, means: &Means) -> (Vec<News>, Result<(), Trouble>) {
    let mut told = Vec::new();
    let ended = carry_out_with(link, &[step], means, |progress: Progress| told.push(progress.news)).await;
    (told, ended)
}

#[tokio::test]
async fn a_chart_is_installed_upgraded_and_removed_with_the_real_helm() {
    let (cluster, means) = (Cluster::shared(), real_helm());
    let link = link(&cluster.kubeconfig(Person::Admin).login(Login::Exec)).await;
    let folder = tempfile::tempdir().expect("a folder");
    let chart = chart(folder.path(), "1.0.0");
    let path = "/api/v1/namespaces/of-helm/configmaps/of-chart";
    for (values, wanted) in [("", "usual"), ("a: other\n", "other")] {
        let (told, ended) = carried_by(&link, release(chart.clone(), "of-helm", values), &means).await;
        assert_eq!(ended, Ok(()), "{told:?}");
        assert_eq!(cluster.get(path)["data"]["a"], wanted);
    }
    let unhelm = || Step::Unhelm { release: "tests".to_owned(), namespace: "of-helm".to_owned() };
    for words in ["is taken away", "There is no release"] {
        let (told, ended) = carried_by(&link, unhelm(), &means).await;
        assert!(
            ended.is_ok() && told.iter().any(|it| matches!(it, News::Told(said) if said.contains(words))),
            "{told:?} {ended:?}"
        );
        assert_eq!(objects(cluster, "of-helm"), Vec::<String>::new());
    }
}

#[tokio::test]
async fn certificates_are_made_for_a_mesh_that_wants_them_once_and_used_again() {
    let (cluster, means) = (Cluster::shared(), real_helm());
    let link = admin(cluster).await;
    let folder = tempfile::tempdir().expect("a folder");
    let chart = chart(folder.path(), "1.0.0");
    let template = "{{ $tls := .Values.identity.issuer.tls }}apiVersion: v1\nkind: Secret\n\
        metadata: {name: linkerd-identity-issuer}\ndata:\n  crt.pem: {{ $tls.crtPEM | b64enc }}\n  \
        key.pem: {{ required \"a key\" $tls.keyPEM | b64enc }}\n---\napiVersion: v1\nkind: ConfigMap\n\
        metadata: {name: linkerd-identity-trust-roots}\ndata:\n  ca-bundle.crt: {{ required \"anchors\" .Values.identityTrustAnchorsPEM | quote }}\n  \
        cores: {{ .Values.proxy.cores | quote }}\n";
    std::fs::write(std::path::Path::new(&chart).join("templates/identity.yaml"), template).expect("a file");
    let namespace = "of-identity";
    let mut seen = Vec::new();
    for (cores, words) in [("1", "Certificates were made"), ("2", "are used again")] {
        let Step::Helm(release) = release(chart.clone(), namespace, &format!("proxy: {{cores: {cores}}}\n"))
        else {
            panic!("a release")
        };
        let step = Step::Helm(HelmRelease { makes_identity: true, ..release });
        let (told, ended) = carried_by(&link, step, &means).await;
        assert_eq!(ended, Ok(()), "{told:?}");
        assert!(told.iter().any(|it| matches!(it, News::Told(said) if said.contains(words))), "{told:?}");
        assert!(!format!("{told:?}").contains("PRIVATE KEY"));
        let secret = cluster.get(&format!("/api/v1/namespaces/{namespace}/secrets/linkerd-identity-issuer"));
        let roots =
            cluster.get(&format!("/api/v1/namespaces/{namespace}/configmaps/linkerd-identity-trust-roots"));
        assert_eq!(roots["data"]["cores"], cores);
        seen.push((secret["data"].clone(), roots["data"]["ca-bundle.crt"].clone()));
    }
    assert_eq!(seen[0], seen[1], "proxies that trust the first would not know a second");
    verified(folder.path(), &seen[0]);
    let unhelm = Step::Unhelm { release: "tests".to_owned(), namespace: namespace.to_owned() };
    assert_eq!(carried_by(&link, unhelm, &means).await.1, Ok(()));
}

/// The issuer is one by its authority, and the key is its own: openssl says so.
fn verified(folder: &Path, (secret, anchors): &(Value, Value)) {
    use base64::Engine as _;
    let decoded = |name: &str| {
        let text = secret[name].as_str().expect("text");
        base64::engine::general_purpose::STANDARD.decode(text).expect("base64")
    };
    let place = |name: &str| folder.join(name).display().to_string();
    std::fs::write(place("ca"), anchors.as_str().expect("PEM")).expect("a file");
    std::fs::write(place("crt"), decoded("crt.pem")).expect("a file");
    std::fs::write(place("key"), decoded("key.pem")).expect("a file");
    let openssl = |arguments: &[&str]| {
        let done = std::process::Command::new("openssl").args(arguments).output();
        let done = done.expect("openssl, a Debian package; ./test parts installs it");
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).into_owned()
    };
    let said = openssl(&["verify", "-x509_strict", "-CAfile", &place("ca"), &place("crt")]);
    assert!(said.ends_with("OK\n"), "{said}");
    let own = openssl(&["x509", "-in", &place("crt"), "-noout", "-pubkey"]);
    assert_eq!(own, openssl(&["pkey", "-in", &place("key"), "-pubout"]));
    let said = openssl(&["x509", "-in", &place("crt"), "-noout", "-text"]);
    assert!(said.contains("CA:TRUE, pathlen:0") && said.contains("identity.linkerd.cluster.local"), "{said}");
}

/// Serves the files of a folder until the tests end.
fn serve(folder: &Path) -> String {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("an address");
    let folder = folder.to_owned();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 4096];
            let read = stream.read(&mut head).unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..read]).into_owned();
            let name = head.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
            let file =
                std::fs::read(folder.join(name)).ok().filter(|_| !name.contains("..") && !name.is_empty());
            let status = if file.is_some() { "200 OK" } else { "404 Not Found" };
            let body = file.unwrap_or_default();
            let head =
                format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            // Who hangs up asks again.
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn a_chart_of_a_repository_is_installed_in_the_version_that_was_asked_for() {
    let (cluster, means) = (Cluster::shared(), real_helm());
    let link = admin(cluster).await;
    let (folder, packed) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let repository = serve(packed.path());
    let helm = |arguments: &[&str]| {
        let program = means.helm.as_ref().expect("set above");
        let done = std::process::Command::new(program).args(arguments).env("HOME", folder.path()).output();
        let done = done.expect("helm can be started");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    let place = packed.path().display().to_string();
    for version in ["1.0.0", "1.1.0"] {
        let chart = chart(folder.path(), version);
        helm(&["package", &chart, "--destination", &place]);
    }
    helm(&["repo", "index", &place, "--url", &repository]);
    let versions = chart_versions(&repository, "tests", &means).await.expect("versions");
    assert_eq!(versions.iter().map(|it| it.app.as_str()).collect::<Vec<_>>(), ["9.1.1.0", "9.1.0.0"]);
    let release = HelmRelease {
        release: "packed".to_owned(),
        repository,
        chart: "tests".to_owned(),
        version: versions[1].chart.clone(),
        namespace: "of-repository".to_owned(),
        values: String::new(),
        makes_identity: false,
    };
    let (told, ended) = carried_by(&link, Step::Helm(release), &means).await;
    assert_eq!(ended, Ok(()), "{told:?}");
    let config = cluster.get("/api/v1/namespaces/of-repository/configmaps/of-chart");
    assert_eq!(config["metadata"]["annotations"]["meta.helm.sh/release-name"], "packed");
    assert_eq!(config["data"]["version"], "1.0.0");
}

#[tokio::test]
async fn why_helm_did_not_work_is_said_with_what_to_do() {
    let (cluster, means) = (Cluster::shared(), real_helm());
    let folder = tempfile::tempdir().expect("a folder");
    let chart = chart(folder.path(), "1.0.0");
    let namespace = cluster.namespace("helm-fails");
    let admin = admin(cluster).await;
    let viewer = link(&cluster.kubeconfig(Person::Viewer)).await;
    let nowhere = Means { helm: Some("/nowhere/helm".into()) };
    let (title, missing) = ("helm could not install tests", "/no/such/chart".to_owned());
    for (link, chart, means, wanted, words) in [
        (&admin, &chart, &nowhere, "Helm is not installed", "Install Helm 3"),
        (&admin, &missing, &means, title, "no/such/chart"),
        (&viewer, &chart, &means, title, "Ask for a role"),
        (&admin, &"--debug".to_owned(), &means, "helm cannot be asked for this", "--debug"),
    ] {
        let (_, ended) = carried_by(link, release(chart.clone(), &namespace, ""), means).await;
        let trouble = ended.expect_err("it fails");
        assert_eq!(trouble.title, wanted, "{trouble:?}");
        assert!(format!("{} {}", trouble.cause, trouble.advice).contains(words), "{trouble:?}");
    }
}

#[tokio::test]
async fn helms_kubeconfig_is_for_it_alone_and_gone_afterwards() {
    let cluster = Cluster::shared();
    let folder = tempfile::tempdir().expect("a folder");
    let record = folder.path().join("record");
    let script = format!(
        "for argument; do case $argument in --kubeconfig=*) file=${{argument#*=}};; esac; done\n\
         {{ stat -c %a \"$file\"; stat -c %a \"$(dirname \"$file\")\"; echo \"$file\"; echo \"$HELM_CACHE_HOME\"; \
         grep -c {} \"$file\"; echo \"$@\"; }} >{}\necho 'Error: broken CANARYCANARYCANARYCANARYCANARYCANARYCANARY' >&2\nexit 1",
        Person::Viewer.token(),
        record.display()
    );
    let means = other_helm(folder.path(), &script);
    let link = link(&cluster.kubeconfig(Person::Viewer).login(Login::Exec)).await;
    let (told, ended) = carried_by(&link, release("c".to_owned(), "x", "secret: PASSWORD\n"), &means).await;
    let trouble = ended.expect_err("it fails");
    assert!(!format!("{told:?} {trouble:?}").contains("CANARYCANARY"), "{trouble:?}");
    let record = std::fs::read_to_string(record).expect("a record");
    let lines: Vec<&str> = record.lines().collect();
    let [mode, of_folder, file, cache, tokens, arguments] = lines.as_slice() else { panic!("{record}") };
    assert_eq!((*mode, *of_folder, *tokens), ("600", "700", "1"));
    let place = Path::new(file).parent().expect("a folder");
    assert!(Path::new(cache).starts_with(place) && !place.exists(), "{record}");
    assert!(!arguments.contains(&Person::Viewer.token()) && !arguments.contains("PASSWORD"), "{arguments}");
}

#[tokio::test]
async fn helm_ends_with_its_children_when_nobody_waits_for_it_any_more() {
    let cluster = Cluster::shared();
    let folder = tempfile::tempdir().expect("a folder");
    let child = folder.path().join("child");
    let means = other_helm(
        folder.path(),
        &format!("sleep 1000 & echo $! >{}.new; mv {0}.new {0}; wait", child.display()),
    );
    let link = admin(cluster).await;
    let work = carried_by(&link, release("c".to_owned(), "x", ""), &means);
    let begun = Instant::now();
    let started = async {
        while !child.exists() {
            assert!(begun.elapsed() < Duration::from_secs(60), "it did not start");
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = work => panic!("it sleeps"),
        () = started => {}
    }
    let id: u32 = std::fs::read_to_string(&child).expect("a number").trim().parse().expect("a number");
    let is_there = || {
        let state = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        !state.is_empty() && !state.contains(") Z ")
    };
    while is_there() {
        assert!(begun.elapsed() < Duration::from_secs(60), "its child goes on");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_versions_of_a_chart_are_those_of_its_repository() {
    let index = "apiVersion: v1\nentries:\n  istiod:\n  - {apiVersion: v2, name: istiod, version: 1.24.2, appVersion: 1.24.2, urls: [a.tgz]}\n  \
                 - {apiVersion: v2, name: istiod, version: 1.24.1, appVersion: 1.24.1, urls: [b.tgz]}\n  istiod-more:\n  \
                 - {apiVersion: v2, name: istiod-more, version: 9.0.0, urls: [c.tgz]}\n";
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("index.yaml"), index).expect("a file");
    let repository = serve(folder.path());
    let means = real_helm();
    let version = |chart: &str| ChartVersion { chart: chart.to_owned(), app: chart.to_owned() };
    let listed = chart_versions(&repository, "istiod", &means).await.expect("versions");
    assert_eq!(listed, [version("1.24.2"), version("1.24.1")]);
    assert_eq!(chart_versions(&repository, "none", &means).await, Ok(Vec::new()));
    let trouble = chart_versions(&format!("{repository}/gone"), "istiod", &means).await.expect_err("404");
    assert!(trouble.title.contains("could not read the repository"), "{trouble:?}");
}

#[tokio::test]
async fn a_cluster_that_does_not_answer_is_told_within_its_time_and_waiting_ends_when_nobody_waits() {
    let cluster = Cluster::own(Options::default());
    let link = admin(&cluster).await;
    let namespace = cluster.namespace("silent");
    done(&link, &[apply("one", &namespace, &deployment("web"))]).await;
    let waits = [Step::Ready { namespace: namespace.clone(), seconds: 600 }];
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    {
        let waiting = carry_out(&link, &waits, |progress| {
            let _ = told.send(progress.news);
        });
        tokio::select! {
            ended = waiting => panic!("{ended:?}"),
            () = async {
                while !matches!(heard.recv().await, Some(News::Waits { .. })) {}
            } => {}
        }
    }
    cluster.pause();
    let begun = Instant::now();
    let (_, ended) = carried(&link, &[apply("two", &namespace, &configs(&["a"]))]).await;
    let took = begun.elapsed();
    cluster.resume();
    let trouble = ended.expect_err("it is silent");
    assert_eq!(trouble.title, "The API server does not answer");
    assert!(
        trouble.cause.contains("no answer within 10 s") && took < Duration::from_secs(40),
        "{trouble:?} {took:?}"
    );
}

/// Serves a webhook that gives each pod a proxy, as a mesh's injector does, until the tests end.
fn injector(cluster: &Cluster) -> String {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let identity = cluster.authority.server(&["127.0.0.1"]);
    let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("a key");
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.expect("versions").with_no_client_auth();
    let config = std::sync::Arc::new(builder.with_single_cert(vec![certificate], key).expect("a server"));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection =
                rustls::ServerConnection::new(std::sync::Arc::clone(&config)).expect("a connection");
            // Who hangs up asks again.
            let _ = inject(&mut rustls::StreamOwned::new(connection, stream));
        }
    });
    format!("https://{address}/inject")
}

fn inject(stream: &mut (impl std::io::Read + std::io::Write)) -> std::io::Result<()> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
    let mut body = vec![0; length.parse().expect("a number")];
    stream.read_exact(&mut body)?;
    let asked: Value = serde_json::from_slice(&body)?;
    let proxy = json!({"name": "istio-proxy", "image": "istio/proxyv2:1"});
    let patch = json!([{"op": "add", "path": "/spec/containers/-", "value": proxy}]).to_string();
    let patch = base64::engine::general_purpose::STANDARD.encode(patch);
    let answer = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response":
        {"uid": asked["request"]["uid"], "allowed": true, "patchType": "JSONPatch", "patch": patch}})
    .to_string();
    let length = answer.len();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
    write!(stream, "{head}\r\nContent-Length: {length}\r\n\r\n{answer}")?;
    stream.flush()
}

#[tokio::test]
async fn a_meshs_injector_decides_which_pods_start_anew() {
    let cluster = Cluster::shared();
    let link = admin(cluster).await;
    let namespace = cluster.namespace("injector");
    done(&link, &[apply("one", &namespace, &deployment("web"))]).await;
    let web = json!([{"name": "web", "image": "web:1"}]);
    make_pod(cluster, &namespace, "web", &web);
    let restart = [Step::Restart { namespace: namespace.clone() }];
    assert_eq!(done(&link, &restart).await[0].how, Changed::Unchanged, "nothing is injected yet");
    let hook = json!({"name": "inject.meshbench.test", "admissionReviewVersions": ["v1"], "sideEffects": "None",
        "failurePolicy": "Fail", "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace, "inject": "on"}},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        "clientConfig": {"url": injector(cluster),
            "caBundle": base64::engine::general_purpose::STANDARD.encode(cluster.authority_pem())}});
    let path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
    cluster.create(path, &json!({"metadata": {"name": namespace}, "webhooks": [hook]}));
    cluster.patch(
        &format!("/api/v1/namespaces/{namespace}"),
        &json!({"metadata": {"labels": {"inject": "on"}}}),
    );
    // The API server hears of the webhook when it looks next.
    let begun = Instant::now();
    while link.rehearse(&restart).await.expect("a rehearsal")[0].how != Changed::Restarted {
        assert!(begun.elapsed() < Duration::from_secs(60), "the webhook is not asked");
        tokio::task::yield_now().await;
    }
    assert_eq!(done(&link, &restart).await[0].how, Changed::Restarted);
    cluster
        .kubectl(Person::Admin, &["-n", &namespace, "delete", "pod", "web-1", "--grace-period=0", "--force"]);
    make_pod(cluster, &namespace, "web", &web);
    let pod = cluster.get(&format!("/api/v1/namespaces/{namespace}/pods/web-1"));
    assert_eq!(pod["spec"]["containers"][1]["name"], "istio-proxy");
    assert_eq!(done(&link, &restart).await[0].how, Changed::Unchanged, "it has its proxy");
}
