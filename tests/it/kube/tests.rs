//! What the rig is held to, by clients that are not ours.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Cluster, Kubeconfig, Kubelet, Login, Options, PLUGIN, Person, Trust};
use crate::load_nginx::Nginx;

#[test]
fn people_of_the_rig_have_the_rights_they_are_said_to_have() {
    let cluster = Cluster::shared();
    let list = ["get", "pods", "--all-namespaces"];
    for (person, may_list) in [(Person::Admin, true), (Person::Viewer, true), (Person::Nobody, false)] {
        let listed = cluster.kubectl(person, &list);
        assert_eq!(listed.is_ok, may_list, "{person:?}: {}", listed.errors);
    }
    let namespace = cluster.namespace("rights");
    let delete = ["delete", "namespace", &namespace, "--wait=false"];
    for person in [Person::Nobody, Person::Viewer] {
        let refused = cluster.kubectl(person, &delete);
        assert!(!refused.is_ok && refused.errors.contains("Forbidden"), "{person:?}: {}", refused.errors);
    }
    let deleted = cluster.kubectl(Person::Admin, &delete);
    assert!(deleted.is_ok, "{}", deleted.errors);
}

#[test]
fn kubectl_logs_in_with_every_kubeconfig_of_the_rig() {
    let cluster = Cluster::shared();
    for login in [Login::Certificate, Login::CertificateFiles, Login::Token, Login::TokenFile, Login::Exec] {
        for trust in [Trust::Authority, Trust::AuthorityFile, Trust::Insecure] {
            let folder = tempfile::tempdir().unwrap();
            let written =
                cluster.kubeconfig(Person::Viewer).login(login).trust(trust).write(folder.path(), "config");
            let said = written.kubectl(&["auth", "whoami", "--output=jsonpath={.status.userInfo.username}"]);
            assert_eq!(said.output, "viewer", "{login:?} {trust:?}: {}", said.errors);
            assert_eq!(written.plugin_runs() > 0, login == Login::Exec, "{login:?}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let written = cluster.kubeconfig(Person::Viewer).trust(Trust::Machine).write(folder.path(), "config");
    let said = written.kubectl(&["auth", "whoami"]);
    assert!(!said.is_ok && said.errors.contains("unknown authority"), "{}", said.errors);
}

#[test]
fn a_kubeconfig_of_the_rig_says_what_it_was_shaped_to_say() {
    let cluster = Cluster::shared();
    let folder = tempfile::tempdir().unwrap();
    let nobody = format!("https://{}", crate::peer::closed_port());
    let shaped: Kubeconfig<'_> =
        cluster.kubeconfig(Person::Viewer).login(Login::Exec).namespace("shop").server(&nobody);
    let written = shaped.write(folder.path(), "config");
    assert!(folder.path().join(PLUGIN).exists());
    let view = [
        "config",
        "view",
        "--output=jsonpath={.contexts[0].context.namespace} {.clusters[0].cluster.server}",
    ];
    assert_eq!(written.kubectl(&view).output, format!("shop {nobody}"));
    let refused = written.kubectl(&["get", "pods"]);
    assert!(!refused.is_ok && refused.errors.contains("refused"), "{}", refused.errors);
}

#[test]
fn a_paused_api_server_answers_nothing_until_it_goes_on() {
    let cluster = Cluster::own(Options::default());
    let ask = ["get", "namespaces", "--request-timeout=2s"];
    cluster.pause();
    let paused = cluster.kubectl(Person::Admin, &ask);
    cluster.resume();
    assert!(!paused.is_ok && !paused.errors.contains("refused"), "{}", paused.errors);
    let answered = cluster.kubectl(Person::Admin, &["get", "namespaces"]);
    assert!(answered.is_ok, "{}", answered.errors);
}

#[test]
fn what_a_container_said_comes_through_the_api_server() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace("logs");
    let kubelet = Kubelet::join(cluster, "node-of-logs");
    kubelet.pod(cluster, &namespace, "talker", "web:1.0");
    kubelet.say(&namespace, "talker", "web", "one\ntwo\n");
    let said = cluster.kubectl(Person::Viewer, &["logs", "talker", "--namespace", &namespace]);
    assert_eq!(said.output, "one\ntwo\n", "{}", said.errors);
    let refused = cluster.kubectl(Person::Nobody, &["logs", "talker", "--namespace", &namespace]);
    assert!(!refused.is_ok && refused.errors.contains("Forbidden"), "{}", refused.errors);
}

#[test]
fn a_port_forward_reaches_nginx_through_the_api_server_and_one_to_nobody_says_why() {
    let cluster = Cluster::shared();
    let namespace = cluster.namespace("forward");
    let kubelet = Kubelet::join(cluster, "node-of-forwards");
    kubelet.pod(cluster, &namespace, "web", "web:1.0");
    let nginx = Nginx::serving("$status", "location / { return 200 'through the tunnel'; }");
    let address = nginx.url("").trim_start_matches("http://").parse().expect("an address");
    kubelet.lead(&namespace, "web", 8080, address);
    kubelet.lead(&namespace, "web", 8081, crate::peer::closed_port());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let text = cluster.kubeconfig(Person::Admin).text();
    let (answer, reason) = runtime.block_on(forward(&text, &namespace));
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("through the tunnel"), "{answer}");
    let reason = reason.expect("nobody listens there");
    assert!(reason.contains("8081") && reason.contains("refused"), "{reason}");
    assert_eq!(nginx.logged().get("200"), Some(&1));
}

/// What a GET through one port answers, and what the error channel of the other says.
async fn forward(kubeconfig: &str, namespace: &str) -> (String, Option<String>) {
    let kubeconfig = kube::config::Kubeconfig::from_yaml(kubeconfig).unwrap();
    let chosen = kube::config::KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &chosen);
    let client = kube::Client::try_from(config.await.unwrap()).unwrap();
    let pods: kube::Api<k8s_openapi::api::core::v1::Pod> = kube::Api::namespaced(client, namespace);
    let mut forwarder = pods.portforward("web", &[8080, 8081]).await.unwrap();
    let reason = forwarder.take_error(8081).expect("asked for once").await;
    let mut stream = forwarder.take_stream(8080).expect("asked for once");
    stream.write_all(b"GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    (answer, reason)
}

#[test]
fn a_deployment_is_run_by_controllers_and_a_service_leads_to_its_ready_pods() {
    // Of its own: elsewhere the scheduler could choose another test's node.
    let cluster = &Cluster::own(Options { has_controllers: true, ..Options::default() });
    let namespace = cluster.namespace("controlled");
    let kubelet = Kubelet::join(cluster, "node-of-controllers");
    cluster.apply(&format!(
        "apiVersion: v1
kind: Service
metadata: {{name: web, namespace: {namespace}}}
spec: {{selector: {{app: web}}, ports: [{{port: 80, targetPort: 8080}}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, namespace: {namespace}}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: web, image: 'web:1.0', ports: [{{containerPort: 8080}}]}}]}}
"
    ));
    let path = format!("/apis/apps/v1/namespaces/{namespace}/deployments/web");
    cluster.wait_for("two ready replicas", &path, |deployment| {
        kubelet.run_bound(cluster);
        (deployment["status"]["readyReplicas"] == json!(2)).then_some(())
    });
    let path = format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices");
    cluster.wait_for("two ready endpoints at the target port", &path, |slices| {
        let slice = &slices["items"][0];
        let ready = |endpoint: &&Value| endpoint["conditions"]["ready"] == json!(true);
        let count = slice["endpoints"].as_array()?.iter().filter(ready).count();
        (count == 2 && slice["ports"][0]["port"] == json!(8080)).then_some(())
    });
}

#[test]
fn a_killed_api_server_starts_again_with_the_same_objects_and_flags_of_a_test() {
    let flags = vec!["--service-cluster-ip-range=10.77.0.0/16".to_owned()];
    let cluster = Cluster::own(Options { flags, ..Options::default() });
    let namespace = cluster.namespace("kept");
    let path = format!("/api/v1/namespaces/{namespace}");
    cluster.kill();
    assert!(!cluster.kubectl(Person::Admin, &["get", "namespaces"]).is_ok, "it was killed");
    cluster.start_again();
    assert_eq!(cluster.get(&path)["metadata"]["name"], json!(namespace));
    let service = json!({"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}});
    let made = cluster.create(&format!("{path}/services"), &service);
    let address = made["spec"]["clusterIP"].as_str().expect("an address");
    assert!(address.starts_with("10.77."), "the flag of this test holds: {address}");
}
