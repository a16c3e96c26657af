//! A server of records that ends TLS itself, and has a list of who belongs to which team.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use meshbench::account::{Sessions, Tokens};
use reqwest::tls::Certificate;
use serde_json::Value;
use uuid::Uuid;

use super::flows::{Pocket, logged_in};
use super::whole::Records;
use super::{AUDIENCE, OpenId};

fn program(folder: &Path, issuer: &str, members: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meshbench"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--issuer", issuer, "--audience", AUDIENCE]);
    for (option, path) in [
        ("--store", folder.join("records")),
        ("--tls-cert", folder.join("cert.pem")),
        ("--tls-key", folder.join("key.pem")),
        ("--members", members.to_owned()),
    ] {
        command.arg(option).arg(path);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

async fn token(openid: &OpenId, tokens: Tokens) -> String {
    let account = Uuid::from_u128(9 << 100);
    let sessions = Sessions::new(Arc::new(Pocket::default()));
    sessions.keep(account, tokens).await;
    sessions.access(account, &openid.provider(), false).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_a_certificate_knows_who_is_on_its_list() {
    // The client here and the one inside the library may both be first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (openid, folder) = (OpenId::start(300), tempfile::tempdir().unwrap());
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let members = folder.path().join("members.toml");
    std::fs::write(&members, "perf = [\"bob\", \"alice\"]\nshop = [\"bob\"]\n").unwrap();
    let serving = Records::of(program(folder.path(), &openid.issuer, &members));
    assert!(serving.1.starts_with("https://127.0.0.1:"), "{}", serving.1);

    let token = token(&openid, logged_in(&openid).await.tokens).await;
    let root = Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let trusting = reqwest::Client::builder().no_proxy().tls_certs_only([root]).build().unwrap();
    let at = |path: &str| format!("{}{path}", serving.1);
    let me = trusting.get(at("/v1/me")).bearer_auth(&token).send().await.unwrap().bytes().await.unwrap();
    let me: Value = serde_json::from_slice(&me).unwrap();
    let spaces: Vec<&str> =
        me["spaces"].as_array().unwrap().iter().map(|space| space["id"].as_str().unwrap()).collect();
    assert_eq!((me["subject"].as_str(), spaces), (Some("alice"), vec!["me", "perf"]), "{me}");
    let changes = |space: &str| {
        let url = at(&format!("/v1/spaces/{space}/changes?after=0&limit=1"));
        trusting.get(url).bearer_auth(&token).send()
    };
    assert_eq!(changes("perf").await.unwrap().status(), 200);
    assert_ne!(changes("shop").await.unwrap().status(), 200, "she is not on that list");

    let strange = reqwest::Client::builder().no_proxy().build().unwrap();
    assert!(strange.get(at("/healthz")).send().await.is_err(), "nobody vouches for the certificate");
    let plain = at("/healthz").replace("https://", "http://");
    assert!(trusting.get(plain).send().await.is_err(), "there is no way without TLS");
}

#[test]
fn a_list_of_members_or_a_certificate_that_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let members = folder.path().join("members.toml");
    let refused = |words: &str| {
        let ended = program(folder.path(), "https://id.test", &members).output().unwrap();
        let errors = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(2), "{errors}");
        assert!(errors.contains(words), "{errors}");
    };
    refused("cannot be read");
    for wrong in ["perf", "perf = \"alice\"", "perf = [1]"] {
        std::fs::write(&members, wrong).unwrap();
        refused("is no list of members");
    }
    std::fs::write(&members, "perf = [\"alice\"]").unwrap();
    std::fs::write(folder.path().join("key.pem"), "no key").unwrap();
    refused("the key cannot be read");
}
