//! Every operation of every mesh, held against committed texts: `UPDATE_STEPS=1 cargo test` renews them.

use std::fmt::Write as _;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::model::adapter::HelmRelease;

const CUSTOM: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: mine}\ndata: {a: b}\n";
fn request(operation: &Operation, removes: bool) -> OperationRequest {
    let body = match operation.key.as_str() {
        key if key.ends_with(".custom") => CUSTOM,
        _ => "",
    };
    OperationRequest {
        key: operation.key.clone(),
        namespace: "shop".to_owned(),
        removes,
        body: body.to_owned(),
        version: if operation.category == Category::Install { "1.2.3".to_owned() } else { String::new() },
        ..OperationRequest::default()
    }
}

fn told(step: &Step, text: &mut String) {
    let mut indented = |what: &str| {
        for line in what.lines() {
            let _ = writeln!(text, "      {line}");
        }
    };
    match step {
        Step::Apply { manifest, .. } => indented(manifest),
        Step::Helm(HelmRelease { values, .. }) => indented(values),
        _ => {}
    }
}

fn golden(mesh: Operable) -> String {
    let mut text = String::new();
    for operation in operations(mesh) {
        let _ = writeln!(text, "{} [{}]\n  {}", operation.key, operation.category.words(), operation.text);
        for removes in [false, true] {
            let _ = writeln!(text, "  {}", if removes { "back:" } else { "do:" });
            match steps(mesh, &request(&operation, removes)) {
                Ok(steps) => {
                    for (step, words) in steps.iter().zip(describe(&steps)) {
                        let _ = writeln!(text, "    - {words}");
                        told(step, &mut text);
                    }
                }
                Err(reason) => {
                    let _ = writeln!(text, "    refused: {reason}");
                }
            }
        }
        text.push('\n');
    }
    text
}

#[test]
fn every_operation_comes_to_the_steps_that_are_committed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/steps");
    let mut stale = Vec::new();
    for mesh in Operable::ALL {
        let (path, now) = (folder.join(format!("{}.txt", mesh.key())), golden(mesh));
        if std::env::var_os("UPDATE_STEPS").is_some() {
            std::fs::write(&path, &now).expect("a folder");
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        if let Some(line) =
            now.lines().zip(kept.lines().chain(std::iter::repeat(""))).position(|(a, b)| a != b)
        {
            stale.push(format!(
                "{}:{}: now “{}”",
                path.display(),
                line + 1,
                now.lines().nth(line).unwrap_or("")
            ));
        } else if now != kept {
            stale.push(format!("{}: has more lines than there are", path.display()));
        }
    }
    assert!(stale.is_empty(), "look at the difference, then UPDATE_STEPS=1:\n{}", stale.join("\n"));
}

#[test]
fn every_manifest_has_a_version_a_kind_and_a_name_for_each_object() {
    let mut manifests = 0;
    for mesh in Operable::ALL {
        for operation in operations(mesh) {
            for step in steps(mesh, &request(&operation, false)).unwrap_or_default() {
                let Step::Apply { manifest, set, .. } = step else { continue };
                let objects =
                    manifest::objects(&manifest).unwrap_or_else(|error| panic!("{set}: {error}\n{manifest}"));
                let mut named: Vec<_> = objects.iter().map(|it| (&it.kind, &it.name)).collect();
                named.sort();
                named.dedup();
                assert_eq!(named.len(), objects.len(), "{set}: an object twice");
                assert!(objects.iter().all(|it| it.namespace.is_none()), "{set}: the request says where");
                manifests += 1;
            }
        }
    }
    assert!(manifests > 60, "{manifests}");
}

#[test]
fn what_is_done_can_be_taken_back() {
    for mesh in Operable::ALL {
        for operation in operations(mesh).iter().filter(|it| it.category != Category::Validate) {
            let (Ok(there), Ok(back)) =
                (steps(mesh, &request(operation, false)), steps(mesh, &request(operation, true)))
            else {
                assert_eq!(operation.key, "nsm.install");
                continue;
            };
            let sets = |steps: &[Step]| -> Vec<String> {
                let set = |step: &Step| match step {
                    Step::Apply { set, .. } | Step::Prune { set, .. } => Some(set.clone()),
                    Step::Helm(HelmRelease { release, .. }) | Step::Unhelm { release, .. } => {
                        Some(release.clone())
                    }
                    Step::Mark { labels, annotations, .. } => {
                        Some(labels.keys().chain(annotations.keys()).cloned().collect())
                    }
                    _ => None,
                };
                let mut sets: Vec<String> = steps.iter().filter_map(set).collect();
                sets.sort();
                sets
            };
            assert!(!sets(&there).is_empty(), "{}", operation.key);
            assert_eq!(sets(&there), sets(&back), "{}", operation.key);
        }
    }
}

#[test]
fn operations_are_sorted_each_has_one_key_and_its_mesh_is_told_by_it() {
    for mesh in Operable::ALL {
        let offered = operations(mesh);
        assert!(
            offered
                .windows(2)
                .all(|pair| (pair[0].category, &pair[0].key) < (pair[1].category, &pair[1].key))
        );
        assert!(offered.iter().all(|it| Operable::of_key(&it.key) == Some(mesh) && !it.text.is_empty()));
    }
    assert_eq!(Operable::of_key("no-mesh.install"), None);
    let offers = |mesh, name: &str| operations(mesh).iter().any(|it| it.key.ends_with(name));
    assert!(offers(Operable::Istio, "fault-delay") && !offers(Operable::Linkerd, "fault-delay"));
    assert!(!offers(Operable::Cilium, "inject") && !offers(Operable::Consul, "mtls-off"));
}

#[test]
fn what_is_wrong_with_a_request_is_said() {
    let ask = |key: &str, namespace: &str, body: &str, version: &str| {
        let (namespace, body, version) = (namespace.to_owned(), body.to_owned(), version.to_owned());
        let request =
            OperationRequest { key: key.to_owned(), namespace, body, version, ..OperationRequest::default() };
        steps(Operable::of_key(key).unwrap_or(Operable::Istio), &request)
    };
    for (key, namespace, body, version, words) in [
        ("istio.fly", "shop", "", "", "does not offer"),
        ("linkerd.configure.fault-delay", "shop", "", "", "does not offer"),
        ("istio.configure.mtls-strict", "Shop", "", "", "is no name"),
        ("istio.configure.mtls-strict", "shop", "mode: x", "", "“mode” is no parameter"),
        ("istio.configure.traffic-split", "shop", "percent: 101", "", "0 to 100"),
        ("istio.configure.traffic-split", "shop", "canary: v1", "", "both v1"),
        ("istio.configure.fault-delay", "shop", "delay: 5", "", "a text is wanted"),
        ("istio.configure.fault-abort", "shop", "status: 200", "", "400 to 599"),
        ("istio.sample.echo", "shop", "image: 'a b'", "", "no name of an image"),
        ("istio.install", "shop", "", "--debug", "no version"),
        ("istio.install", "shop", "- a", "", "cannot be read"),
        ("nsm.install", "shop", "", "", "kubectl apply -k"),
        ("istio.custom", "shop", "", "", "no objects"),
        ("istio.custom", "shop", "kind: [", "", "not YAML"),
    ] {
        let error = ask(key, namespace, body, version).expect_err(key);
        assert!(error.contains(words), "{key}: {error}");
    }
    assert!(ask("istio.validate", "", "", "").is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is said, it is refused, or the manifest is of the kinds and number of objects that it is to be.
    #[test]
    fn no_parameter_breaks_out_of_its_place(
        key in prop::sample::select(vec![
            "service", "port", "stable", "canary", "percent", "delay", "status", "attempts", "per_try", "timeout",
            "revision", "image",
        ]),
        value in "\\PC{0,40}|[a-z0-9]{1,8}(\n|: |\\}|,|#|-|\"|')[a-z0-9 ]{0,8}",
        namespace in "[a-z-]{0,5}|\\PC{0,10}",
    ) {
        let kinds = |steps: &[Step]| -> Vec<(String, String)> {
            let manifest = |step: &Step| match step {
                Step::Apply { manifest, .. } => manifest::objects(manifest).expect("a manifest"),
                _ => Vec::new(),
            };
            steps.iter().flat_map(manifest).map(|it| (it.api_version, it.kind)).collect()
        };
        let body = serde_json::json!({ key: value }).to_string();
        for mesh in Operable::ALL {
            for operation in operations(mesh).into_iter().filter(|it| it.category != Category::Custom) {
                let usual = request(&operation, false);
                let asked = OperationRequest { body: body.clone(), namespace: namespace.clone(), ..usual.clone() };
                let Ok(given) = steps(mesh, &asked) else { continue };
                prop_assert_eq!(kinds(&given), kinds(&steps(mesh, &usual).expect("steps")), "{}", operation.key);
            }
        }
    }
}
