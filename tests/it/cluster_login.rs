//! Logins by OpenID Connect that a kubeconfig keeps, with a real provider, a real API server that trusts it, a real
//! keyring, and beside what kubectl does.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::home::{self, Home};
use crate::kube::{Authority, Cluster, Options, Process, free_port, kubectl, until};
use crate::login::openid_modules;

/// A provider of logins, its certificate signed by an authority of its own.
struct Provider {
    folder: tempfile::TempDir,
    issuer: String,
    authority: String,
    tokens: Value,
    _process: Process,
}

impl Provider {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let authority = Authority::new("authority of an OpenID provider");
        authority.server(&["127.0.0.1"]).write(folder.path(), "provider");
        std::fs::write(folder.path().join("authority.crt"), authority.pem()).expect("a file");
        let modules = openid_modules();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openid/provider.mjs");
        let (port, log) = (free_port(), folder.path().join("log"));
        let place = |name: &str| folder.path().join(name).display().to_string();
        let arguments = [
            script.display().to_string(),
            port.to_string(),
            place("provider.crt"),
            place("provider.key"),
            modules.display().to_string(),
        ];
        let mut process =
            Process::start("node", &log, &arguments).unwrap_or_else(|reason| panic!("{reason}"));
        let tokens = until("the provider's tokens", Duration::from_secs(60), || {
            process.assert_alive()?;
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            Ok(said.lines().find_map(|line| serde_json::from_str(line).ok()))
        });
        let tokens = tokens.unwrap_or_else(|reason| panic!("{reason}"));
        let issuer = format!("https://127.0.0.1:{port}");
        Self { folder, issuer, authority: authority.pem(), tokens, _process: process }
    }

    /// A cluster that takes its logins.
    fn cluster(&self, client: &str) -> Cluster {
        let flags = vec![
            format!("--oidc-issuer-url={}", self.issuer),
            format!("--oidc-client-id={client}"),
            "--oidc-username-claim=email".to_owned(),
            "--oidc-groups-claim=groups".to_owned(),
            format!("--oidc-ca-file={}", self.folder.path().join("authority.crt").display()),
        ];
        Cluster::own(Options { flags, ..Options::default() })
    }

    /// A kubeconfig that logs in with a refresh token of its own, the token that it has being over.
    fn kubeconfig(&self, cluster: &Cluster, client: &str, number: usize) -> String {
        let (of, secret) = match client {
            "desktop" => ("public", ""),
            _ => ("secret", "        client-secret: the-secret\n"),
        };
        let refresh = self.tokens[of][number].as_str().expect("a token");
        let over = format!(
            "e30.{}.x",
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(r#"{"exp":1000000000}"#)
        );
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: tests\n\
             contexts: [{{name: tests, context: {{cluster: tests, user: tests}}}}]\n\
             clusters:\n- name: tests\n  cluster:\n    server: {}\n    certificate-authority-data: {}\n\
             users:\n- name: tests\n  user:\n    auth-provider:\n      name: oidc\n      config:\n        \
             idp-issuer-url: {}\n        idp-certificate-authority-data: {}\n        client-id: {client}\n{secret}        \
             id-token: {over}\n        refresh-token: {refresh}\n",
            cluster.url(),
            STANDARD.encode(cluster.authority_pem()),
            self.issuer,
            STANDARD.encode(&self.authority),
        )
    }
}

struct Said {
    status: Option<i32>,
    output: Value,
    errors: String,
}

fn write(home: &Home, name: &str, text: &str) -> PathBuf {
    let path = home.path().join(name);
    std::fs::write(&path, text).expect("a file");
    path
}

fn check(home: &Home, kubeconfig: &Path, has_keyring: bool) -> Said {
    let mut command = home.meshbench(has_keyring);
    command.args(["cluster", "check", "tests", "--json", "--kubeconfig"]).arg(kubeconfig);
    let done = command.output().expect(home::MISSING);
    Said {
        status: done.status.code(),
        output: serde_json::from_slice(&done.stdout).unwrap_or_default(),
        errors: String::from_utf8_lossy(&done.stderr).into_owned(),
    }
}

#[test]
fn a_login_by_openid_is_renewed_as_kubectl_renews_it_and_the_kubeconfig_is_left_as_it_was() {
    let provider = Provider::start();
    for client in ["desktop", "server"] {
        let cluster = provider.cluster(client);
        let home = Home::new();
        let theirs = write(&home, "theirs", &provider.kubeconfig(&cluster, client, 0));
        let who = kubectl(&theirs, &["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"], "");
        assert!(who.is_ok, "{client}: {}", who.errors);
        let text = provider.kubeconfig(&cluster, client, 1);
        let ours = write(&home, "ours", &text);
        let said = check(&home, &ours, true);
        assert_eq!(said.status, Some(0), "{client}: {}", said.errors);
        assert_eq!(said.output["user"].as_str(), Some(&*who.output), "{client}");
        let groups = said.output["groups"].as_array().expect("groups");
        assert!(groups.contains(&"devs".into()), "{groups:?}");
        assert_eq!(said.output["remarks"], serde_json::json!([]), "{}", said.errors);
        assert_eq!(std::fs::read_to_string(&ours).expect("a file"), text);
        // The token in the kubeconfig is spent; the one that came for it is in the keyring, and spent in turn.
        for _ in 0..2 {
            let again = check(&home, &ours, true);
            assert_eq!(
                (again.status, again.output["user"].as_str()),
                (Some(0), Some(&*who.output)),
                "{}",
                again.errors
            );
        }
    }
}

#[test]
fn without_a_keyring_a_renewed_login_is_for_the_session_and_that_is_said() {
    let provider = Provider::start();
    let cluster = provider.cluster("desktop");
    let home = Home::new();
    let file = write(&home, "config", &provider.kubeconfig(&cluster, "desktop", 0));
    let said = check(&home, &file, false);
    assert_eq!(said.status, Some(0), "{}", said.errors);
    let remark = said.output["remarks"][0].as_str().expect("a remark");
    assert!(remark.contains("this session only") && remark.contains("no keyring"), "{remark}");
    let again = check(&home, &file, false);
    assert_eq!(again.status, Some(3), "the token of the kubeconfig was taken once");
    assert!(
        again.errors.contains("login has expired") && again.errors.contains("Log in again"),
        "{}",
        again.errors
    );
    // Nothing of a login is told, nor kept.
    let secret = provider.tokens["public"][0].as_str().expect("a token");
    assert!(!said.errors.contains(secret) && !again.errors.contains(secret));
    let data = home.path().join("data");
    for file in
        std::fs::read_dir(&data).into_iter().flatten().flatten().filter(|entry| entry.path().is_file())
    {
        let bytes = std::fs::read(file.path()).expect("a file");
        assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{:?}", file.path());
    }
}

#[test]
fn a_provider_that_cannot_be_trusted_or_reached_is_told_with_its_cause() {
    let provider = Provider::start();
    let cluster = provider.cluster("desktop");
    let home = Home::new();
    let text = provider.kubeconfig(&cluster, "desktop", 0);
    let authority = STANDARD.encode(&provider.authority);
    let other = STANDARD.encode(cluster.authority_pem());
    let plain = provider.issuer.replace("https://127.0.0.1", "http://192.0.2.1");
    let closed = format!("https://127.0.0.1:{}", free_port());
    for (text, words) in [
        (text.replacen(&authority, &other, 1), "UnknownIssuer"),
        (text.replace(&provider.issuer, &closed), "refused"),
        (text.replace(&provider.issuer, &plain), "not spoken to with TLS"),
        (text.replace("client-id: desktop", "client-id: nobody"), "invalid_client"),
        (text.replace("refresh-token: ", "other: "), "none to renew it with"),
    ] {
        let said = check(&home, &write(&home, "config", &text), false);
        assert_eq!(said.status, Some(3), "{words}: {}", said.errors);
        assert!(said.errors.contains(words), "{words}: {}", said.errors);
    }
}
