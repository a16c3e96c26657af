//! The program itself.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

use serde_json::Value;

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meshbench"));
    command.args(["serve", "--issuer", "https://id.test", "--audience", "meshbench"]).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_serves_and_ends_in_peace_when_it_is_asked_to() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("records").display().to_string();
    let mut child = program(&["--listen", "127.0.0.1:0", "--store", &place]).spawn().unwrap();
    let mut address = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut address).unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let get = |path: &str| client.get(format!("{}{path}", address.trim())).bearer_auth("CANARY").send();
    assert_eq!(get("/healthz").await.unwrap().status(), 200);
    let capabilities = super::json(get("/v1/capabilities").await.unwrap()).await;
    assert_eq!(capabilities["login"]["issuer"], "https://id.test");
    assert_eq!(get("/v1/me").await.unwrap().status(), 401);
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let mut errors = String::new();
    child.stderr.as_mut().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{errors}");
    assert!(!errors.contains("CANARY"), "{errors}");
    let lines: Vec<Value> = errors.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3, "{errors}");
}

#[test]
fn without_tls_it_listens_for_this_machine_only_unless_something_before_it_ends_tls() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().display().to_string();
    for (arguments, words) in [
        (vec!["--listen", "0.0.0.0:0", "--store", &place], "without TLS"),
        (vec!["--store", "ftp://x/"], "is no place for records"),
        (vec!["--store", &place, "--team", "perf"], "NAME=group:GROUP"),
        (vec!["--store", &place, "--team", "me=group:x"], "is no name of a team"),
    ] {
        let ended = program(&arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(2), "{errors}");
        assert!(errors.contains(words), "{errors}");
    }
}

#[test]
fn a_certificate_or_key_that_is_not_good_is_told_before_an_address_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("records").display().to_string();
    let laid = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let [one, other] =
        [(); 2].map(|()| rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap());
    let certificate = laid("one.pem", &one.cert.pem());
    let key = laid("one.key", &one.signing_key.serialize_pem());
    let foreign = laid("other.key", &other.signing_key.serialize_pem());
    let broken = laid("broken.pem", "-----BEGIN CERTIFICATE-----\n%%\n-----END CERTIFICATE-----\n");
    let nothing = laid("nothing.pem", "");
    let absent = folder.path().join("absent.pem").display().to_string();
    for (certificate, key, words) in [
        (&certificate, &foreign, "certificate and key cannot be used together"),
        (&certificate, &nothing, "the key cannot be read"),
        (&certificate, &broken, "the key cannot be read"),
        (&broken, &key, "the certificate cannot be read"),
        (&nothing, &key, "certificate and key cannot be used together"),
        (&absent, &key, "absent.pem cannot be read"),
    ] {
        let arguments =
            ["--listen", "127.0.0.1:0", "--store", &place, "--tls-cert", certificate, "--tls-key", key];
        let ended = program(&arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!((ended.status.code(), ended.stdout.as_slice()), (Some(2), b"".as_slice()), "{errors}");
        assert!(errors.contains(words), "{words}: {errors}");
    }
    let arguments =
        ["--listen", "127.0.0.1:0", "--store", &place, "--tls-cert", &certificate, "--tls-key", &key];
    let mut child = program(&arguments).spawn().unwrap();
    let mut address = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut address).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(address.starts_with("https://127.0.0.1:"), "{address}");
}

#[test]
fn a_place_that_is_somebody_elses_is_told_before_an_address_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("epoch"), "not ours").unwrap();
    let place = folder.path().display().to_string();
    let ended = program(&["--listen", "127.0.0.1:0", "--store", &place]).output().unwrap();
    let errors = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!((ended.status.code(), ended.stdout.as_slice()), (Some(2), b"".as_slice()), "{errors}");
    assert!(errors.contains("is not Meshbench's"), "{errors}");
}
